"""A kaleidoscopic network on disk: the network, what it learned, and how it is sampled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from .. import datasets, hub, tree
from ..datasets import Dataset
from ..header import CheckpointError, strict_json
from ..index import choose
from ..models import Manifold
from ..models.folded import folded
from ..options import checked
from ..samplers import kaleidoscope
from ..seeds import Noise
from .listed import names
from .presets import Training

__all__ = ["Kaleidoscope", "as_images", "learned", "load", "names", "of", "stream"]


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


def load(source: str | Path, name: str, *, iteration: int | None = None, device: str = "cpu") -> Kaleidoscope:
    """A network of a local tree of checkpoints or a Hub repo; of several trainings the first.

    Raises CheckpointError, one sentence, for what is missing, damaged, or no kaleidoscopic network.
    """
    index, revision = tree.pinned(source)
    if name not in (there := names(index)):
        raise CheckpointError(
            f"there is no kaleidoscopic network {name!r}: choose {' or '.join(there) or 'another source'}"
        )
    first = min(entry["iteration"] for entry in index["experiments"][name]["iterations"] if "file" in entry)
    choose(index, name, number := first if iteration is None else iteration)
    model = hub.load(source, name, number, revision=revision, device=device)
    path = tree.fetch(source, index["experiments"][name]["config"], revision)
    try:
        said = strict_json(path.read_bytes())["experiment"]
        return of(Training(**checked("a training", Training, said)), cast("Manifold", model))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} says no training ({str(error)[:100]}): fetch it again") from error


def of(training: Training, model: Manifold) -> Kaleidoscope:
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
    return datasets.load(k.data, root=root, limit=k.images, size=size, color=channels == 3)


def as_images(points: Sequence[Sequence[float]]) -> Tensor:
    """N points of d coordinates as images of d channels and one pixel: (N, d, 1, 1)."""
    return torch.tensor(points, dtype=torch.float32)[:, :, None, None]
