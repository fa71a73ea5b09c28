"""Checkpoints: save, load and inspect models of every kind, in a folder or on the Hub.

index.json lists them; EXPERIMENT/iter_NNN/model.safetensors is one of them. Iteration 0 is the data itself.

The statistics are one .safetensors file beside the model; its header, like a model's, holds one key. Of a correlation
matrix, which is symmetric and most of the file, it has the upper triangle alone.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from . import data, train
from . import index as tree
from .config import checked
from .data import Dataset
from .index import (
    CHECKPOINT_SCHEMA,
    CHECKPOINTS,
    KEY,
    CheckpointError,
    choose,
    decoder_names,
    facts,
    fetch,
    judge_names,
    kaleidoscope_names,
    read_index,
    recipe,
    size_of,
    strict_json,
    write_file,
    write_index,
)
from .models import MODELS, Judge, Manifold, create
from .models.manifold import folded
from .models.registry import outline
from .presets import KaleidoscopeTraining
from .samplers import METHODS, Creation, Creative, Sampling, Statistics, creative_decode, kaleidoscope
from .seeds import Noise, child

__all__ = [
    "CHECKPOINTS", "CheckpointError", "Model", "choose", "facts", "fetch", "inspect", "load", "read_index",
    "sampling", "save", "write_index",
]  # fmt: skip


def load(
    source: str | Path,
    experiment: str | None = None,
    iteration: int | None = None,
    *,
    revision: str | None = None,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """A model, frozen, in eval mode, float32: from a .safetensors file, a local folder, or a Hub repo "owner/name".

    experiment, iteration: which of a folder or repo; by default the index's own choice and its last iteration.
    Raises CheckpointError, one sentence, for whatever is missing, damaged or not what it says it is, and ValueError for
    a device that is not here.
    """
    if _is_file(source):
        given: dict[str, Any] = {"experiment": experiment, "iteration": iteration}
        said = {key: value for key, value in given.items() if value is not None}
        return load_file(source, device=device, **said)
    target = train.device(device)  # before anything is downloaded
    index, revision = tree.pinned(source, revision)
    name, entry = choose(index, experiment, iteration)
    path = fetch(source, entry["file"], revision)
    size, digest, number = entry["bytes"], entry["sha256"], entry["iteration"]
    return load_file(path, device=target, size=size, digest=digest, experiment=name, iteration=number)


class Model:
    """Any model of the toolkit, by its name on the Hub: `Model.from_hub("owner/name", "fig2", iteration=7)`.

    One door for all and not a method of each class, for two reasons: the file says of which class its model is, so that
    nobody has to know; and models stay plain mathematics that import nothing that touches the network.
    """

    @staticmethod
    def from_hub(
        repo: str,
        experiment: str | None = None,
        iteration: int | None = None,
        *,
        revision: str | None = None,
        device: str | torch.device = "cpu",
    ) -> nn.Module:
        """The model, frozen, in eval mode, float32; at most its index and its one file are downloaded, once.

        experiment, iteration: by default the repo's own choice and its last. revision: a branch, a tag, or a commit:
        with a full commit it is the same model for ever, and what is cached needs no request. Without one, what is
        cached is used as it is; "main" asks whether there is a newer one. Raises as `load` does.
        """
        return load(repo, experiment, iteration, revision=revision, device=device)


def sampling(source: str | Path, experiment: str | None = None, revision: str | None = None) -> Sampling:
    """How the images of an experiment are drawn, as its config.json says. Raises CheckpointError."""
    return Sampling(**vars(tree.settings(source, experiment, revision)))


def _is_file(source: str | Path) -> bool:
    return Path(source).suffix == ".safetensors" or Path(source).is_file()


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
    says = {"schema": CHECKPOINT_SCHEMA, "architecture": name, "config": asdict(config), "facts": facts}
    try:
        text = json.dumps(says, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the facts of {path} are not JSON ({error}): give finite numbers and text") from error
    tensors = {key: _stored(key, tensor, half) for key, tensor in model.state_dict().items()}
    write_file(path, safetensors.torch.save(tensors, {KEY: text}))


def load_file(
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
    target, path = train.device(device), Path(path)
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


PLAIN = [f.name for f in fields(Statistics) if f.type in (int, float, str, "int", "float", "str") and f.name != "layer"]
TENSORS = ["active", "mean", "std", "peak", "maps", "correlation"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A decoder with the statistics of its hidden layers (by number, from 1 next to the code) and its calibration."""

    name: str
    title: str
    data: str
    model: Any  # a Decoder with an encoder
    statistics: Mapping[int, Statistics]
    how: Creative


def load_decoder(source: str | Path, name: str, *, iteration: int | None = None, device: str = "cpu") -> Trained:
    """A trained decoder of a local tree of checkpoints or a Hub repo; of several trainings the first.

    Raises CheckpointError, one sentence, for what is missing, damaged, or no decoder.
    """
    index, revision = tree.pinned(source)
    if name not in (there := decoder_names(index)):
        raise CheckpointError(f"there is no trained decoder {name!r}: choose {' or '.join(there) or 'another source'}")
    first = min(entry["iteration"] for entry in index["experiments"][name]["iterations"] if "file" in entry)
    number = first if iteration is None else iteration
    _, entry = choose(index, name, number)
    if "statistics" not in entry:
        raise CheckpointError(f"{name} has no statistics of its neurons: train it again")
    model = load(source, name, number, revision=revision, device=device)
    path = tree.fetch(source, entry["statistics"]["file"], revision)
    statistics, how = read_statistics(path, entry["statistics"]["sha256"])
    config = strict_json(tree.fetch(source, index["experiments"][name]["config"], revision).read_bytes())
    title = index["experiments"][name]["title"]
    return Trained(name, title, str(config.get("experiment", {}).get("data", "")), model, statistics, how)


def codes_of(trained: Trained, seeds: Sequence[int]) -> Tensor:
    """Codes drawn from the prior, one per seed: (B, z), the same for every method."""
    noise = Noise(child(seed, "code") for seed in seeds)
    return noise.randn(*trained.model.code_shape).to(next(trained.model.parameters()).device)


def decode(trained: Trained, seeds: Sequence[int], how: Creative | None = None, layer: int = -1) -> Creation:
    """Both pictures of every seed, regular and perturbed; by default as calibrated, in the last hidden layer.

    Raises ValueError for a layer that has no statistics, and what `creative_decode` raises.
    """
    number = layer if layer > 0 else len(trained.model.hidden) + 1 + layer
    if number not in trained.statistics:
        raise ValueError(f"there are no statistics of hidden layer {layer}: give {_or(trained.statistics)}")
    return creative_decode(
        trained.model, codes_of(trained, seeds), trained.statistics[number], seeds, how or trained.how
    )


def decode_all(
    trained: Trained, seeds: Sequence[int], how: Creative | None = None, layer: int = -1
) -> dict[str, Tensor]:
    """The pictures of all four methods, each (B, C, H, W) in [0, 1], from the same codes and seeds."""
    base = how or trained.how
    return {method: decode(trained, seeds, replace(base, method=method), layer).images for method in METHODS}


def write_statistics(path: Path, statistics: Mapping[int, Statistics], how: Creative) -> None:
    """Write statistics by layer, and the calibrated settings, to one file, whole or not at all."""
    layers = {number: {name: getattr(s, name) for name in PLAIN} for number, s in statistics.items()}
    says = {"schema": CHECKPOINT_SCHEMA, "architecture": "Statistics", "config": asdict(how), "facts": layers}
    tensors = {f"{number}.{name}": _lean(name, s) for number, s in statistics.items() for name in TENSORS}
    write_file(path, safetensors.torch.save(tensors, {KEY: json.dumps(says, sort_keys=True)}))


def read_statistics(path: Path, digest: str | None = None) -> tuple[dict[int, Statistics], Creative]:
    """The inverse of `write_statistics`; correlations come back rounded to half precision. Raises CheckpointError."""
    size_of(path)
    data = path.read_bytes()
    if digest not in (None, sha256(data).hexdigest()):
        raise CheckpointError(f"{path} has another sha256 than its index says: delete it and fetch it again")
    said = recipe(path, BytesIO(data), len(data))
    try:
        tensors = {name: tensor.float() for name, tensor in safetensors.torch.load(data).items()}
        layers = {int(number): plain for number, plain in said["facts"].items()}
        found = {n: Statistics(layer=n, **plain, **_of_layer(tensors, n)) for n, plain in layers.items()}
        return found, Creative(**checked("creative decoding", Creative, said["config"]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} holds no statistics ({str(error)[:100]}): fetch it again") from error


def _of_layer(tensors: Mapping[str, Tensor], layer: int) -> dict[str, Any]:
    found = {name: tensors[f"{layer}.{name}"] for name in TENSORS}
    return {**found, "correlation": _square(found["correlation"])}


def _lean(name: str, statistics: Statistics) -> Tensor:
    tensor: Tensor = getattr(statistics, name)
    return (_triangle(tensor.cpu()).half() if name == "correlation" else tensor.cpu().float()).contiguous()


def _triangle(square: Tensor) -> Tensor:
    """The upper triangle of a symmetric matrix (K, K), row by row and with the diagonal: (K * (K + 1) / 2,)."""
    row, column = torch.triu_indices(*square.shape)
    return square[row, column]


def _square(triangle: Tensor) -> Tensor:
    """The inverse of `_triangle`. Raises ValueError for a number of values that makes none."""
    side = (math.isqrt(8 * triangle.numel() + 1) - 1) // 2
    row, column = torch.triu_indices(side, side)
    if triangle.shape != row.shape:
        raise ValueError(f"{tuple(triangle.shape)} is no upper triangle")
    square = triangle.new_empty(side, side)
    square[row, column] = square[column, row] = triangle
    return square


def _or(numbers: Mapping[int, Any]) -> str:
    return " or ".join(map(str, sorted(numbers)))


@dataclass(frozen=True, eq=False)
class Kaleidoscope:
    """A network that learned to return images, or `points`: (N, d, 1, 1) in [0, 1], else None. images: how many."""

    name: str
    title: str
    data: str
    model: Manifold
    points: Tensor | None = None
    start: str = "uniform"
    perturbation: float = 0.01
    mode: str = "centred"
    runs: int = 300
    images: int | None = None


def load_kaleidoscope(
    source: str | Path, name: str, *, iteration: int | None = None, device: str = "cpu"
) -> Kaleidoscope:
    """A network of a local tree of checkpoints or a Hub repo; of several trainings the first.

    Raises CheckpointError, one sentence, for what is missing, damaged, or no kaleidoscopic network.
    """
    index, revision = tree.pinned(source)
    if name not in (there := kaleidoscope_names(index)):
        raise CheckpointError(
            f"there is no kaleidoscopic network {name!r}: choose {' or '.join(there) or 'another source'}"
        )
    first = min(entry["iteration"] for entry in index["experiments"][name]["iterations"] if "file" in entry)
    choose(index, name, number := first if iteration is None else iteration)
    model = load(source, name, number, revision=revision, device=device)
    path = tree.fetch(source, index["experiments"][name]["config"], revision)
    try:
        said = strict_json(path.read_bytes())["experiment"]
        return of(KaleidoscopeTraining(**checked("a training", KaleidoscopeTraining, said)), cast("Manifold", model))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} says no training ({str(error)[:100]}): fetch it again") from error


def of(training: KaleidoscopeTraining, model: Manifold) -> Kaleidoscope:
    """A network and how it was trained, together."""
    t = training
    points = as_images(t.points).to(next(model.parameters()).device) if t.data == "points" else None
    return Kaleidoscope(t.name, t.title, t.data, model, points, t.start, t.perturbation, t.mode, t.runs, t.images)


def stream(
    k: Kaleidoscope,
    seeds: Sequence[int],
    *,
    start: str | Tensor | None = None,
    perturbation: float | None = None,
    mode: str | None = None,
    fast: bool = False,
) -> Iterator[Tensor]:
    """The start, and the images after each run, without end: (B, C, H, W) in [0, 1]; as trained for, unless given.

    fast: in bfloat16 where that is native. Over many runs the rounding adds up: other pictures, of the same kind.
    Raises ValueError for what `kaleidoscope` refuses, and for start images in colour where the network is grey.
    """
    wanted = k.model.image_shape[0]
    if isinstance(start, Tensor) and start.ndim == 4 and start.shape[1] != wanted:
        kind = "grey pictures" if wanted == 1 else "pictures in colour" if wanted == 3 else f"{wanted} channels"
        raise ValueError(f"{k.name} knows {kind}, and the start has {start.shape[1]} channels: convert it")
    model = folded(k.model) if fast else k.model
    return kaleidoscope(
        model.reconstruct,
        Noise(seeds),
        k.model.image_shape,
        perturbation=k.perturbation if perturbation is None else perturbation,
        mode=mode or k.mode,
        start=k.start if start is None else start,
        device=next(k.model.parameters()).device,
    )


def learned(k: Kaleidoscope, root: Path | None = None) -> Dataset:
    """What the network learned: the points, as float images, or the images, as bytes. Raises what `load` does."""
    if k.points is not None:
        return Dataset("points", k.points.cpu(), torch.arange(len(k.points)))
    channels, size, _ = k.model.image_shape
    return data.load(k.data, root=root, limit=k.images, size=size, color=channels == 3)


def as_images(points: Sequence[Sequence[float]]) -> Tensor:
    """N points of d coordinates as images of d channels and one pixel: (N, d, 1, 1)."""
    return torch.tensor(points, dtype=torch.float32)[:, :, None, None]


def load_judge(
    source: str | Path = tree.CHECKPOINTS,
    name: str = "judge-digits-letters",
    *,
    iteration: int | None = None,
    device: str = "cpu",
) -> Judge:
    """A judge of a local tree of checkpoints or a Hub repo, frozen, in eval mode; of several trainings the first.

    Raises CheckpointError, one sentence, for what is missing, damaged, or no judge.
    """
    index, revision = tree.pinned(source)
    if name not in (there := judge_names(index)):
        raise CheckpointError(f"there is no judge {name!r}: choose {' or '.join(there) or 'another source'}")
    first = min(entry["iteration"] for entry in index["experiments"][name]["iterations"] if "file" in entry)
    number = first if iteration is None else iteration
    model = load(source, name, number, revision=revision, device=device)
    if not isinstance(model, Judge):
        raise CheckpointError(f"{name} says it is a judge and holds a {type(model).__name__}: train it again")
    return model
