"""Checkpoints: save, load and inspect models of every kind, in a folder or on the Hub.

index.json lists them (`index`); EXPERIMENT/iter_NNN/model.safetensors is one of them. `load` returns the network alone,
`read` adds whatever its kind stores about sampling, and `draw` returns images of any kind.

The statistics of a decoder's neurons are one .safetensors file beside the model, with a header like a model's. Of the
correlation matrix, which is symmetric and most of the file, only the upper triangle is stored, in half precision.
"""

import json
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from . import data, train
from . import index as tree
from .config import checked
from .config import choose as choose_option
from .data import Dataset
from .index import CHECKPOINTS, CheckpointError, choose, facts, fetch, read_index, write_index
from .models import MODELS, CharRNN, Judge, Manifold, create
from .models.manifold import folded
from .models.registry import outline
from .presets import KaleidoscopeTraining, WordTraining
from .samplers.creative import METHODS, POOLS, Creation, Creative, Statistics, creative_decode
from .samplers.generate import Sampling
from .samplers.kaleidoscope import kaleidoscope
from .seeds import Noise, child

__all__ = [
    "CHECKPOINTS", "CheckpointError", "Model", "choose", "draw", "facts", "fetch", "inspect", "load", "read",
    "read_index", "sampling", "save", "write_index",
]  # fmt: skip


def load(
    source: str | Path,
    experiment: str | None = None,
    iteration: int | None = None,
    *,
    revision: str | None = None,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """A model of any kind, frozen, in eval mode, float32: of a .safetensors file, a folder, or a Hub repo "owner/name".

    experiment, iteration: which of a folder or repo; by default the index's own choice and its last iteration, or the
    first of several trainings. Of a repo at most its index and the one file are downloaded, once.
    revision: a branch, a tag, or a commit: with a full commit it is the same model for ever, and what is cached needs
    no request. Without one, what is cached is used as it is; "main" asks whether there is a newer one.
    Raises CheckpointError, one sentence, for whatever is missing, damaged or not what it says it is, and ValueError for
    a device that is not here.
    """
    if Path(source).suffix == ".safetensors" or Path(source).is_file():
        given: dict[str, Any] = {"experiment": experiment, "iteration": iteration}
        return load_file(source, device=device, **{key: value for key, value in given.items() if value is not None})
    target = train.device(device)  # before anything is downloaded
    index, revision = tree.pinned(source, revision)
    return _load_entry(source, revision, *choose(index, experiment, iteration), target)


def _load_entry(
    source: str | Path, revision: str | None, name: str, entry: Mapping[str, Any], device: torch.device
) -> nn.Module:
    path, number = fetch(source, entry["file"], revision), entry["iteration"]
    size, sha256 = entry["bytes"], entry["sha256"]
    return load_file(path, device=device, size=size, digest=sha256, experiment=name, iteration=number)


class Model:
    """Any model of the toolkit by its name on the Hub: `Model.from_hub("owner/name", "fig2", iteration=7)`.

    One class for all, not a method of each: the file names the class of its model, and models import no network code.
    """

    from_hub = staticmethod(load)


# ---- models with what their kinds store about sampling

AT_ONCE = 1000  # texts that are written together


@dataclass(frozen=True, eq=False)
class Run:
    """A model of one iteration, or of one step of a divergence, and its sampling settings."""

    name: str
    title: str
    model: nn.Module
    sampling: Sampling

    def states(self, seeds: Sequence[int]) -> Iterator[Tensor]:
        """Every state from noise to the image: (B, C, H, W) in [0, 1]; of a generative model the image alone."""
        return self.sampling.trajectory(self.model, seeds)


@dataclass(frozen=True, eq=False)
class Trained:
    """A decoder with the statistics of its hidden layers (by number, from 1 next to the code) and its calibration."""

    name: str
    title: str
    data: str
    model: Any  # a Decoder with an encoder
    statistics: Mapping[int, Statistics]
    how: Creative

    def states(self, seeds: Sequence[int]) -> Iterator[Tensor]:
        """The images decoded with seldom-active neurons, (B, C, H, W) in [0, 1], as the only state."""
        yield decode(self, seeds).images


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

    def states(self, seeds: Sequence[int]) -> Iterator[Tensor]:
        """The start, and the images after each of the runs that it was trained for: (B, C, H, W) in [0, 1]."""
        return islice(stream(self, seeds), self.runs + 1)


@dataclass(frozen=True, eq=False)
class Writer:
    """A model of one iteration that writes words or running text, the name of its data, and its temperature."""

    name: str
    title: str
    data: str
    model: CharRNN
    temperature: float = 1.0

    def texts(self, seeds: Sequence[int], **how: Any) -> list[str]:
        """A word, or a piece of text, for each seed. how: temperature, start, length, as of `CharRNN.write`."""
        how = {"temperature": self.temperature, **how}
        parts = (seeds[at : at + AT_ONCE] for at in range(0, len(seeds), AT_ONCE))
        return [text for some in parts for text in self.model.texts(self.model.write(Noise(some), **how))]


def draw(
    source: str | Path,
    experiment: str | None = None,
    iteration: int | None = None,
    *,
    seeds: Sequence[int] = range(64),
    revision: str | None = None,
    device: str | torch.device = "cpu",
) -> Tensor:
    """Images of any checkpoint, one per seed, whatever its kind: (B, C, H, W) in [0, 1].

    A run iterates reconstructions of noise, a decoder switches seldom-active neurons on, a kaleidoscope runs as often
    as it was trained for. Raises CheckpointError for a classifier, which draws nothing, and whatever `load` raises.
    """
    found = drawable(read(source, experiment, iteration, revision=revision, device=device))
    return deque(found.states(seeds), maxlen=1)[0]  # no other state stays in memory


def drawable(found: Any) -> "Run | Trained | Kaleidoscope":
    """What `read` returned, if it draws images. Raises CheckpointError otherwise."""
    if not isinstance(found, (Run, Trained, Kaleidoscope)):
        what = "a run of words" if isinstance(found, Writer) else "a classifier"
        raise CheckpointError(f"{what} draws no images: choose a run, a decoder or a kaleidoscopic network")
    return found


def read(
    source: str | Path,
    experiment: str | None = None,
    iteration: int | None = None,
    *,
    kind: str | None = None,
    revision: str | None = None,
    device: str | torch.device = "cpu",
) -> Any:
    """A model with what its kind stores about sampling: Run, Writer, Trained decoder or Kaleidoscope; or a classifier.

    experiment, iteration: as for `load`. kind: a key of `index.KINDS`, if only that will do; its experiments are then
    listed if there is none of that name. Raises as `load` does.
    """
    target = train.device(device)
    index, revision = tree.pinned(source, revision)
    if kind is not None and experiment not in (known := tree.of_kind(index, kind)):
        raise tree.unknown(tree.KINDS[kind], experiment, known)
    name, entry = choose(index, experiment, iteration)
    title, found = index["experiments"][name]["title"], index["experiments"][name].get("kind", "iterations")
    if found not in tree.KINDS:
        raise CheckpointError(f"{name} is a {found!r:.40}, which this version does not know: upgrade the toolkit")
    model: Any = _load_entry(source, revision, name, entry, target)
    path, config = tree.config(source, index, name, revision)
    expected: Any = {"judge": Judge, "kaleidoscope": Manifold, "words": CharRNN}.get(found, nn.Module)
    if not isinstance(model, expected):
        held = type(model).__name__
        raise CheckpointError(f"{name} should hold a {expected.__name__} and holds a {held}: train it again")
    if found == "judge":
        return model
    if found == "words":
        made = tree.section(path, config, "experiment", WordTraining)
        return Writer(name, title, made.data, model, made.temperature)
    if found == "kaleidoscope":
        return of(tree.section(path, config, "experiment", KaleidoscopeTraining), model)
    if found == "decoder":
        if "statistics" not in entry:
            raise CheckpointError(f"{name} has no statistics of its neurons: train it again")
        stored = fetch(source, entry["statistics"]["file"], revision)
        statistics, how = read_statistics(stored, entry["statistics"]["sha256"])
        return _decoder(Trained(name, title, "", model, statistics, how), path, config)
    return Run(name, title, model, tree.section(path, config, "sampling", Sampling))


def load_decoder(
    source: str | Path, name: str, *, iteration: int | None = None, device: str | torch.device = "cpu"
) -> Trained:
    """A trained decoder; by default the first of several trainings. Raises as `read` does."""
    return read(source, name, iteration, kind="decoder", device=device)


def load_kaleidoscope(
    source: str | Path, name: str, *, iteration: int | None = None, device: str | torch.device = "cpu"
) -> Kaleidoscope:
    """A kaleidoscopic network; by default the first of several trainings. Raises as `read` does."""
    return read(source, name, iteration, kind="kaleidoscope", device=device)


def load_classifier(
    source: str | Path = CHECKPOINTS,
    name: str = "judge-digits-letters",
    *,
    iteration: int | None = None,
    device: str | torch.device = "cpu",
) -> Judge:
    """A classifier, frozen, in eval mode; by default the first of several trainings. Raises as `read` does."""
    return read(source, name, iteration, kind="judge", device=device)


def _decoder(it: Trained, path: Path, config: Mapping[str, Any]) -> Trained:
    """A decoder with the name of its data, checked. path, config: of config.json."""
    if not 0 < len(it.statistics) <= len(layers := getattr(it.model, "hidden", [])) or max(it.statistics) > len(layers):
        raise CheckpointError(f"{it.name} has statistics of layers that its model lacks: train it again")
    if not isinstance(made := config.get("experiment", {}), dict) or not isinstance(made.get("data", ""), str):
        raise CheckpointError(f"{path} is damaged in 'experiment', which names no data: fetch it again")
    return replace(it, data=made.get("data", ""))


def sampling(source: str | Path, experiment: str | None = None, revision: str | None = None) -> Sampling:
    """The sampling settings of a run or divergence, from its config.json. Raises CheckpointError."""
    return Sampling.of(tree.settings(source, experiment, revision))


# ---- files of models

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
    tensors = {key: _stored(key, tensor, half) for key, tensor in model.state_dict().items()}
    tree.write_file(path, _file_bytes(path, tensors, architecture=name, config=asdict(config), facts=facts))


def _file_bytes(path: Path | str, tensors: dict[str, Tensor], **header: Any) -> bytes:
    try:
        text = json.dumps({"schema": tree.SCHEMA, **header}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the facts of {path} are not JSON ({error}): give finite numbers and text") from error
    return safetensors.torch.save(tensors, {tree.KEY: text})


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

    size (bytes), digest (sha256, hexadecimal), facts: what an index says of the file; whatever is given must agree.
    Raises CheckpointError for anything but an intact checkpoint of a model this version knows, ValueError for a device
    that is not here.
    """
    target, path = train.device(device), Path(path)
    header, tensors = _open(path, size, digest)
    for key, value in facts.items():
        if (found := header["facts"].get(key)) != value:
            raise CheckpointError(
                f"{path} says it is {key} {found!r}, not {value!r}: it was renamed, fetch the right file"
            )
    return _build(path, header, tensors).to(target)


def inspect(path: str | Path) -> dict[str, Any]:
    """What is in a checkpoint, after checking all of it: a dictionary that JSON can say. Raises CheckpointError."""
    path = Path(path)
    header, tensors = _open(path)
    model = _build(path, header, tensors)
    return {
        "file": str(path),
        "bytes": tree.size_of(path),
        "sha256": tree.digest(path),
        **{key: header[key] for key in ("architecture", "config", "facts")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "dtype": "/".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})),
    }


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    dtype = torch.float16 if half and tensor.is_floating_point() else tensor.dtype
    stored = tensor.detach().cpu().to(dtype).clone(memory_format=torch.contiguous_format)
    if not tensor.isfinite().all():
        raise CheckpointError(f"the weight {name} is not finite: train with a lower learning rate")
    if not stored.isfinite().all():
        raise CheckpointError(f"the weight {name} is too large for float16: save it whole")
    return stored


def _open(path: Path, size: int | None = None, sha256: str | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the tensors of a file. size, sha256: what its index says."""
    if size not in (None, found := tree.size_of(path)):
        raise CheckpointError(f"{path} has {found:,} bytes where its index says {size:,}: delete it and fetch it again")
    data = path.read_bytes()  # read once, so that what was checked is what is used
    if sha256 is not None and sha256 != tree.digest(path, data):
        raise CheckpointError(f"{path} has another sha256 than its index says: delete it and fetch it again")
    header = tree.read_header(path, BytesIO(data), len(data))
    try:
        return header, safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} is damaged, cut short or padded: delete it and fetch it again") from error


LARGEST_SIDE = 4096  # pixels of an image, which the weights of a convolution do not bound


def _build(path: Path, header: Mapping[str, Any], tensors: dict[str, Tensor]) -> nn.Module:
    name, config = header["architecture"], header["config"]
    try:
        _bound(config, tensors)
        expected = outline(name, config)  # shapes without numbers
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise CheckpointError(
            f"{path} is not a model this version can build ({tree.one_line(error)}): upgrade the toolkit"
        ) from error
    _match(path, expected, tensors)
    model = create(name, config, seed=0)  # the seed keeps the global generator out of it
    model.load_state_dict(tensors)
    return model


def _bound(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError for a config that asks for more than the tensors of its file could hold.

    A layer has at least one tensor, a unit of a layer at least one value; so no model is larger than its file.
    """
    layers, values = len(tensors), sum(tensor.numel() for tensor in tensors.values())
    for option, value in config.items():
        numbers = [n for n in (value if isinstance(value, list) else [value]) if type(n) is int]
        most = layers if option == "depth" else LARGEST_SIDE if option == "size" else max(values, LARGEST_SIDE)
        if len(numbers) > max(1, layers) or any(n > most for n in numbers):
            raise ValueError(f"its {option} is {value!r:.60}, and its file holds {layers} tensors of {values:,} values")


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


# ---- decoders

SCALARS = [
    f.name for f in fields(Statistics) if f.type in (int, float, str, "int", "float", "str") and f.name != "layer"
]
TENSORS = ["active", "mean", "std", "peak", "maps", "correlation"]


def codes_of(trained: Trained, seeds: Sequence[int]) -> Tensor:
    """Codes drawn from the prior, one per seed: (B, z), the same for every method."""
    noise = Noise(child(seed, "code") for seed in seeds)
    return noise.randn(*trained.model.code_shape).to(next(trained.model.parameters()).device)


def decode(trained: Trained, seeds: Sequence[int], how: Creative | None = None, layer: int = -1) -> Creation:
    """The regular and the modified image of every seed; by default as calibrated, in the last hidden layer.

    Raises ValueError for a layer that has no statistics, and what `creative_decode` raises.
    """
    number = layer if layer > 0 else len(trained.model.hidden) + 1 + layer
    if number not in trained.statistics:
        known = " or ".join(map(str, sorted(trained.statistics)))
        raise ValueError(f"there are no statistics of hidden layer {layer}: give {known}")
    statistics, codes = trained.statistics[number], codes_of(trained, seeds)
    return creative_decode(trained.model, codes, statistics, seeds, how or trained.how)


def decode_all(
    trained: Trained, seeds: Sequence[int], how: Creative | None = None, layer: int = -1
) -> dict[str, Tensor]:
    """The images of all four methods, each (B, C, H, W) in [0, 1], from the same codes and seeds."""
    base = how or trained.how
    return {method: decode(trained, seeds, replace(base, method=method), layer).images for method in METHODS}


def statistics_bytes(statistics: Mapping[int, Statistics], how: Creative) -> bytes:
    """The content of a file of statistics by layer, with the calibrated settings."""
    layers = {number: {name: getattr(s, name) for name in SCALARS} for number, s in statistics.items()}
    tensors = {f"{number}.{name}": _compact(name, s) for number, s in statistics.items() for name in TENSORS}
    return _file_bytes("statistics", tensors, architecture="Statistics", config=asdict(how), facts=layers)


def read_statistics(path: Path, sha256: str | None = None) -> tuple[dict[int, Statistics], Creative]:
    """The inverse of `statistics_bytes`; correlations come back rounded to half precision.

    sha256: what the index says of the file. Raises CheckpointError.
    """
    header, tensors = _open(path, sha256=sha256)
    if (kind := header["architecture"]) != "Statistics":
        raise CheckpointError(f"{path} holds no statistics but a {kind:.40}: give the file of a decoder's statistics")
    how = tree.section(path, header, "config", Creative)
    try:
        return {int(n): _of_layer(tensors, int(n), scalars) for n, scalars in header["facts"].items()}, how
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} holds no statistics ({tree.one_line(error)}): fetch it again") from error


def _of_layer(tensors: Mapping[str, Tensor], layer: int, scalars: object) -> Statistics:
    """The statistics of one layer. Raises KeyError, TypeError or ValueError for what is missing or does not fit."""
    if layer < 1 or not isinstance(scalars, dict):
        raise ValueError(f"layer {layer} is {scalars!r:.60}")
    found: dict[str, Any] = {name: tensors[f"{layer}.{name}"].float() for name in TENSORS}
    found["correlation"] = _square(found["correlation"])
    if odd := [name for name, tensor in found.items() if tensor.shape[:1] != found["active"].shape]:
        raise ValueError(f"{odd[0]} of layer {layer} has {len(found[odd[0]])} neurons: {len(found['active'])} it is")
    statistics = Statistics(layer=layer, **checked(f"layer {layer}", Statistics, scalars), **found)
    choose_option(f"pool of layer {layer}", statistics.pool, POOLS)
    return statistics


def _compact(name: str, statistics: Statistics) -> Tensor:
    """A tensor of the statistics as it is stored; of the correlations the upper triangle, row by row."""
    tensor: Tensor = getattr(statistics, name).cpu()
    if name != "correlation":
        return tensor.float().contiguous()
    row, column = torch.triu_indices(*tensor.shape)
    return tensor[row, column].half()


def _square(triangle: Tensor) -> Tensor:
    """The symmetric matrix of an upper triangle (K * (K + 1) / 2,). Raises ValueError for another number of values."""
    side = (math.isqrt(8 * triangle.numel() + 1) - 1) // 2
    row, column = torch.triu_indices(side, side)
    if triangle.shape != row.shape:
        raise ValueError(f"{tuple(triangle.shape)} is no upper triangle")
    square = triangle.new_empty(side, side)
    square[row, column] = square[column, row] = triangle
    return square


# ---- kaleidoscopic networks


def of(training: KaleidoscopeTraining, model: Manifold) -> Kaleidoscope:
    """A network and its training settings, together."""
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

    fast: in bfloat16 where that is native. Over many runs the rounding adds up: other images, of the same kind.
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
    """The training data: points as float images, or images as bytes. Raises what `data.load` does."""
    if k.points is not None:
        return Dataset("points", k.points.cpu(), torch.arange(len(k.points)))
    channels, size, _ = k.model.image_shape
    return data.load(k.data, root=root, limit=k.images, size=size, color=channels == 3)


def as_images(points: Sequence[Sequence[float]]) -> Tensor:
    """N points of d coordinates as images of d channels and one pixel: (N, d, 1, 1)."""
    return torch.tensor(points, dtype=torch.float32)[:, :, None, None]
