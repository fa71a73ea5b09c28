"""Network bending: a layer's activations transformed on their way through (Broad, Leymarie & Grierson, 2021).

The weights stay as they are, and an edit ends where its block ends.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..options import checked, choose
from ..samplers.activation import hooked
from ..seeds import Noise, child
from .model_layers import dense, layer
from .transforms import TRANSFORMS, Transform, deviation, peak

CHANNELS = ("all", "random", "cluster")
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Edit:
    """One transform on one layer.

    layer: its name, or the module itself. transform: one of TRANSFORMS. amount: one number, or several, as its
    transform takes them; None is a usual one.
    strength: how far from the activations as they are (0) to the transformed ones (1).
    channels: "all", a "random" share of them, or those of one "cluster". seed: says which by chance, and what noise.
    relative: 1 is the peak of the map, or for noise one standard deviation of the layer, each of this image; if not, 1
    is 1, as published.
    """

    layer: str | nn.Module
    transform: str
    amount: float | tuple[float, ...] | None = None
    strength: float = 1.0
    channels: str = "all"
    share: float = 0.5
    cluster: int = 0
    seed: int = 0
    relative: bool = True

    def __post_init__(self) -> None:
        choose("transform", self.transform, TRANSFORMS)
        choose("channels", self.channels, CHANNELS)
        usual = TRANSFORMS[self.transform].usual
        if len(self.amounts) != len(usual) or not all(map(isfinite, self.amounts)):
            wanted = f"{len(usual)} finite number{'s' * (len(usual) != 1)}" if usual else "no amount"
            raise ValueError(f"amount {self.amount} of {self.transform}: give {wanted}")
        if not (0 <= self.strength <= 1 and 0 <= self.share <= 1):
            raise ValueError(f"strength {self.strength}, share {self.share}: give numbers from 0 to 1")

    @property
    def amounts(self) -> tuple[float, ...]:
        """The amount as a tuple."""
        if self.amount is None:
            return self.kind.usual
        return tuple(self.amount) if isinstance(self.amount, (tuple, list)) else (self.amount,)

    @property
    def kind(self) -> Transform:
        return TRANSFORMS[self.transform]

    @property
    def neutral(self) -> bool:
        """Whether it changes nothing."""
        none = self.channels == "random" and self.share == 0
        return none or self.strength == 0 or (self.kind.neutral is not None and self.amounts == self.kind.neutral)


def edits(chain: str | Iterable[Mapping[str, Any]]) -> list[Edit]:
    """A chain of edits from JSON: [{"layer": "decoder.2", "transform": "rotate", "amount": 45}, ...], or the same read.

    Raises ValueError for anything else, naming what an edit may have.
    """
    try:
        rows = json.loads(chain) if isinstance(chain, str) else list(chain)
    except ValueError as error:
        raise ValueError(f"a chain of edits is a JSON list of objects, and this is none: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError('a chain of edits is a list of objects: give [{"layer": ..., "transform": ...}, ...]')
    if any(lacking := {"layer", "transform"} - set(row) for row in rows):
        raise ValueError(f"an edit has no {' and no '.join(sorted(lacking))}: give both layer and transform")
    return [Edit(**checked("an edit", Edit, row)) for row in rows]


@contextmanager
def bend(
    model: M,
    chain: Edit | Iterable[Edit],
    *,
    seeds: Sequence[int] | None = None,
    clusters: Mapping[str, Tensor] | None = None,
) -> Iterator[M]:
    """While the block lasts, the model computes with the edits, in their order; blocks may be nested.

    Its weights are untouched, and all it can do, `decode`, `reconstruct`, `sample`, any sampler, is bent.
    seeds: one per image of a batch, for noise of its own; the same in every pass. Without them all images get the same
    noise, as where a sampler drops settled images from its batch. clusters: by layer, as `clusters` gives them.
    Raises ValueError for a layer that there is not, naming those there are, or a cluster that is not given; and within
    the block for a transform of maps on a layer without any, or a batch that the seeds do not fit.
    """
    chain = [chain] if isinstance(chain, Edit) else list(chain)
    found = [(layer(model, edit.layer), _Bent(edit, seeds, clusters or {})) for edit in chain]
    with ExitStack() as stack:
        if acting := [(module, bent) for module, bent in found if not bent.edit.neutral]:
            stack.enter_context(dense(model))
        for module, bent in acting:
            stack.enter_context(hooked(module, bent))
        yield model


class _Bent:
    """An edit at work: (input, output) of its layer -> the output, bent."""

    def __init__(self, edit: Edit, seeds: Sequence[int] | None, clusters: Mapping[str, Tensor]) -> None:
        self.edit = edit
        self.seeds = seeds
        self.labels = clusters.get(edit.layer) if isinstance(edit.layer, str) else None
        if edit.channels == "cluster" and (self.labels is None or not (self.labels == edit.cluster).any()):
            raise ValueError(f"layer {edit.layer} is given no cluster {edit.cluster}: give clusters={{layer: labels}}")

    def __call__(self, before: Tensor, h: Tensor) -> Tensor:
        edit = self.edit
        if edit.kind.maps and h.ndim != 4:
            able = ", ".join(name for name, kind in TRANSFORMS.items() if not kind.maps)
            raise ValueError(f"layer {edit.layer} has no maps to {edit.transform}: choose one of {able}")
        if edit.channels == "all":
            return self._bent(h, self._unit(h))
        which, unit = self._which(h.shape[1]).to(h.device), self._unit(h)
        chosen = unit[:, which] if unit.shape[1] == h.shape[1] else unit
        return h.index_copy(1, which, self._bent(h[:, which], chosen))

    def _bent(self, h: Tensor, unit: Tensor) -> Tensor:
        return torch.lerp(h, self.edit.kind.apply(h, self.edit.amounts, unit).to(h.dtype), self.edit.strength)

    def _which(self, count: int) -> Tensor:
        """The channels that the edit is of. A larger random share holds the smaller ones."""
        if self.edit.channels == "random":
            order = torch.randperm(count, generator=torch.Generator().manual_seed(child(self.edit.seed, "channels")))
            return order[: max(1, round(self.edit.share * count))]
        if self.edit.channels == "cluster" and self.labels is not None:
            if len(self.labels) != count:
                raise ValueError(f"layer {self.edit.layer} has {count} channels and {len(self.labels)} are clustered")
            return (self.labels == self.edit.cluster).nonzero().flatten()
        return torch.arange(count)

    def _unit(self, h: Tensor) -> Tensor:
        kind, relative = self.edit.kind.unit, self.edit.relative
        if kind == "noise":
            return self._noise(h) * deviation(h) if relative else self._noise(h)
        return peak(h) if kind == "peak" and relative else h.new_ones([1] * h.ndim)

    def _noise(self, h: Tensor) -> Tensor:
        """Standard normal, (B, ...) or the same for all images, (1, ...)."""
        if self.seeds is not None and len(self.seeds) != len(h):
            raise ValueError(f"{len(self.seeds)} seeds for a batch of {len(h)}: give one for each image, or none")
        each = [0] if self.seeds is None else self.seeds
        drawn = Noise(child(seed, "bend", self.edit.seed) for seed in each).randn(*h.shape[1:])
        return drawn.to(h.device, h.dtype)
