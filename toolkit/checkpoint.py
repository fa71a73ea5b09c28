"""A checkpoint is one model in one .safetensors file whose `header` says what it is and how it was made; no pickle."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from . import precision
from .header import KEY, SCHEMA, CheckpointError, recipe, size_of, write
from .models import MODELS, create
from .models.outline import outline

STORED = {torch.float16, torch.bfloat16, torch.float32}  # what a float32 weight may be stored as


def save(model: nn.Module, path: str | Path, /, *, half: bool = False, **facts: Any) -> None:
    """Write a registered model, and the facts of its making, to one file, whole or not at all.

    half: store the weights as float16. facts: experiment, iteration, seed, ...; anything JSON can say.
    Raises CheckpointError for an unregistered model, a weight that is not finite, or a file that cannot be written.
    """
    path, name = Path(path), type(model).__name__
    if MODELS.get(name) is not type(model):
        raise CheckpointError(f"{name} cannot be saved to {path}: register it with @toolkit.models.register first")
    config: Any = model.config
    says = {"schema": SCHEMA, "architecture": name, "config": asdict(config), "facts": facts}
    try:
        text = json.dumps(says, sort_keys=True, allow_nan=False)
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
    said, tensors = _open(path, size, digest)
    for key, value in facts.items():
        if (found := said["facts"].get(key)) != value:
            raise CheckpointError(
                f"{path} says it is {key} {found!r}, not {value!r}: it was renamed, fetch the right file"
            )
    return _build(path, said, tensors).to(target)


def inspect(path: str | Path) -> dict[str, Any]:
    """What is in a checkpoint, after checking all of it: a dictionary that JSON can say. Raises CheckpointError."""
    path = Path(path)
    said, tensors = _open(path)
    model = _build(path, said, tensors)
    return {
        "file": str(path),
        "bytes": size_of(path),
        "sha256": sha256(path.read_bytes()).hexdigest(),
        **{key: said[key] for key in ("architecture", "config", "facts")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "dtype": "/".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})),
    }


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


def _open(path: Path, size: int | None = None, digest: str | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if size not in (None, found := size_of(path)):
        raise CheckpointError(f"{path} has {found:,} bytes where its index says {size:,}: delete it and fetch it again")
    data = path.read_bytes()  # read once, so that what was checked is what is used
    if digest not in (None, sha256(data).hexdigest()):
        raise CheckpointError(f"{path} has another sha256 than its index says: delete it and fetch it again")
    said = recipe(path, BytesIO(data), len(data))
    try:
        return said, safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} is damaged, cut short or padded: delete it and fetch it again") from error


def _build(path: Path, said: Mapping[str, Any], tensors: dict[str, Tensor]) -> nn.Module:
    name, config = said["architecture"], said["config"]
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
