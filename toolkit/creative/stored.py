"""A trained decoder on disk: its network, what its neurons do over the data, and how it is to be perturbed.

The statistics are one .safetensors file beside the model; its header, like a model's, holds one key. Of a correlation
matrix, which is symmetric and most of the file, it has the upper triangle alone.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from .. import hub, tree
from ..header import KEY, SCHEMA, CheckpointError, recipe, size_of, strict_json, write
from ..index import choose
from ..options import checked
from ..samplers import METHODS, Creation, Creative, Statistics, creative_decode
from ..seeds import Noise, child
from .listed import names

__all__ = ["Trained", "codes_of", "decode", "decode_all", "load", "names", "read_statistics", "write_statistics"]

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


def load(source: str | Path, name: str, *, iteration: int | None = None, device: str = "cpu") -> Trained:
    """A trained decoder of a local tree of checkpoints or a Hub repo; of several trainings the first.

    Raises CheckpointError, one sentence, for what is missing, damaged, or no decoder.
    """
    index, revision = tree.pinned(source)
    if name not in (there := names(index)):
        raise CheckpointError(f"there is no trained decoder {name!r}: choose {' or '.join(there) or 'another source'}")
    first = min(entry["iteration"] for entry in index["experiments"][name]["iterations"] if "file" in entry)
    number = first if iteration is None else iteration
    _, entry = choose(index, name, number)
    if "statistics" not in entry:
        raise CheckpointError(f"{name} has no statistics of its neurons: train it again")
    model = hub.load(source, name, number, revision=revision, device=device)
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
    says = {"schema": SCHEMA, "architecture": "Statistics", "config": asdict(how), "facts": layers}
    tensors = {f"{number}.{name}": _lean(name, s) for number, s in statistics.items() for name in TENSORS}
    write(path, safetensors.torch.save(tensors, {KEY: json.dumps(says, sort_keys=True)}))


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
