"""A checkpoint is one model in one .safetensors file whose header says what it is and how it was made; never a pickle.

The header holds a single metadata key, because the order of several varies from process to process: the same weights
and facts are the same bytes, and a checksum over the file means something.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from . import files, precision
from .models import MODELS, create
from .models.outline import outline

SCHEMA = 1
KEY = "that-are-not"
LARGEST_FILE = 2**28  # bytes; the published autoencoder has 6.6 million
LARGEST_HEADER = 2**20  # bytes
STORED = {torch.float16, torch.bfloat16, torch.float32}  # what a float32 weight may be stored as


class CheckpointError(ValueError):
    """A checkpoint, index or source that cannot be used: one sentence that names it and says what would do."""


def save(model: nn.Module, path: str | Path, /, *, half: bool = False, **facts: Any) -> None:
    """Write a registered model, and the facts of its making, to one file, whole or not at all.

    half: store the weights as float16. facts: experiment, iteration, seed, ...; anything JSON can say.
    Raises CheckpointError for an unregistered model, a weight that is not finite, or a file that cannot be written.
    """
    path, name = Path(path), type(model).__name__
    if MODELS.get(name) is not type(model):
        raise CheckpointError(f"{name} cannot be saved to {path}: register it with @toolkit.models.register first")
    config: Any = model.config
    recipe = {"schema": SCHEMA, "architecture": name, "config": asdict(config), "facts": facts}
    try:
        text = json.dumps(recipe, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the facts of {path} are not JSON ({error}): give finite numbers and text") from error
    tensors = {key: _stored(key, tensor, half) for key, tensor in model.state_dict().items()}
    write(path, safetensors.torch.save(tensors, {KEY: text}))


def load(
    path: str | Path,
    /,
    *,
    device: str | torch.device = "cpu",
    size: int | None = None,
    digest: str | None = None,
    **facts: Any,
) -> nn.Module:
    """The model of one file: frozen, in eval mode, its weights float32 and on `device`.

    size (bytes), digest (sha256, hexadecimal), facts: what an index says of the file; whatever is given must be so.
    Raises CheckpointError for anything but an intact checkpoint of a model this version knows, ValueError for a device
    that is not here.
    """
    target, path = precision.device(device), Path(path)
    recipe, tensors = _open(path, size, digest)
    for key, value in facts.items():
        if recipe["facts"].get(key) != value:
            said = recipe["facts"].get(key)
            raise CheckpointError(
                f"{path} says it is {key} {said!r}, not {value!r}: it was renamed, fetch the right file"
            )
    return _build(path, recipe, tensors).to(target)


def facts(path: str | Path) -> dict[str, Any]:
    """How the model in a file was made, as given to `save`. Reads the header alone. Raises CheckpointError."""
    path = Path(path)
    size = _size(path)
    with path.open("rb") as file:
        said: dict[str, Any] = _recipe(path, file, size)["facts"]
    return said


def inspect(path: str | Path) -> dict[str, Any]:
    """What is in a checkpoint, after checking all of it: a dictionary that JSON can say. Raises CheckpointError."""
    path = Path(path)
    recipe, tensors = _open(path)
    model = _build(path, recipe, tensors)
    return {
        "file": str(path),
        "bytes": _size(path),
        "sha256": sha256(path.read_bytes()).hexdigest(),
        **{key: recipe[key] for key in ("architecture", "config", "facts")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "dtype": "/".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})),
    }


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises CheckpointError."""
    try:
        files.write(path, data)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}): free space or choose another folder"
        ) from error


def strict_json(text: str | bytes) -> Any:
    """JSON without NaN and infinity. Raises ValueError for anything else, however deeply nested."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    dtype = torch.float16 if half and tensor.is_floating_point() else tensor.dtype
    stored = tensor.detach().cpu().to(dtype).clone(memory_format=torch.contiguous_format)
    if not stored.isfinite().all():
        lost = tensor.isfinite().all()
        advice = (
            "is too large for float16: save it whole" if lost else "is not finite: train with a lower learning rate"
        )
        raise CheckpointError(f"the weight {name} {advice}")
    return stored


def _size(path: Path) -> int:
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}: give the path of a .safetensors checkpoint")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise CheckpointError(
            f"{path} has {size:,} bytes, and no checkpoint is over {LARGEST_FILE:,}: give another file"
        )
    return size


def _open(path: Path, size: int | None = None, digest: str | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if size not in (None, found := _size(path)):
        raise CheckpointError(f"{path} has {found:,} bytes where its index says {size:,}: delete it and fetch it again")
    data = path.read_bytes()  # read once, so that what was checked is what is used
    if digest not in (None, sha256(data).hexdigest()):
        raise CheckpointError(f"{path} has another sha256 than its index says: delete it and fetch it again")
    recipe = _recipe(path, BytesIO(data), len(data))
    try:
        return recipe, safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} is damaged, cut short or padded: delete it and fetch it again") from error


def _recipe(path: Path, file: BinaryIO, size: int) -> dict[str, Any]:
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise CheckpointError(f"{path} is cut short or no safetensors file (a pickle is never opened): fetch it again")
    try:
        text = strict_json(file.read(length))["__metadata__"][KEY]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of this toolkit: give a file that hub.save wrote") from error
    try:
        recipe = strict_json(text)
        version, kinds = recipe["schema"], {"architecture": str, "config": dict, "facts": dict}
        intact = all(isinstance(recipe[key], kind) for key, kind in kinds.items())
    except (ValueError, KeyError, TypeError):
        version, intact = SCHEMA, False
    if version != SCHEMA:
        raise CheckpointError(f"{path} has schema {version!r:.40} and this version reads {SCHEMA}: upgrade the toolkit")
    if not intact:
        raise CheckpointError(f"{path} has a damaged header: delete it and fetch it again")
    return dict(recipe)


def _build(path: Path, recipe: Mapping[str, Any], tensors: dict[str, Tensor]) -> nn.Module:
    name, config = recipe["architecture"], recipe["config"]
    try:
        expected = outline(name, config)  # costs nothing, however large the header claims the model is
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        why = re.sub(r"\s+", " ", str(error))[:300]
        raise CheckpointError(f"{path} is not a model this version can build ({why}): upgrade the toolkit") from error
    _match(path, expected, tensors)
    model = create(name, config, seed=0)  # the seed keeps the global generator out of it
    model.load_state_dict(tensors)
    return model


def _match(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    if expected.keys() != found.keys():
        odd = min(expected.keys() ^ found.keys())
        fault = "lacks" if odd in expected else "has, beside what its model needs,"
        raise CheckpointError(f"{path} {fault} the tensor {odd!r:.80}: fetch it again")
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)} and not {tuple(expected[name].shape)}"
            raise CheckpointError(f"{path} has the tensor {name} in the shape {shapes}: fetch it again")
        if tensor.dtype != expected[name].dtype and not {tensor.dtype, expected[name].dtype} <= STORED:
            raise CheckpointError(f"{path} has the tensor {name} as {tensor.dtype}: save the model again")
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"{path} has weights that are not finite in the tensor {name}: train that model again"
            )
