"""Network bending: transformations of what a layer computes, while a block lasts.

A transform takes activations h, (B, K, h, w) or (B, K), its amount, and a unit that broadcasts to h: what counts as 1.
Each has an amount that changes nothing, bit for bit, or, where there is none, is left out by strength 0.

The weights stay as they are, and an edit ends where its block ends.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, max_pool2d

from ..config import checked, choose
from ..samplers.creative import hooked
from ..seeds import Noise, child
from .layers import dense, layer

Amount = tuple[float, ...]


@dataclass(frozen=True)
class Transform:
    """apply: (activations, amount, unit) -> activations. neutral: the amount that changes nothing, if there is one.

    usual: an amount worth seeing; its length is that of any amount. maps: it needs feature maps, (B, K, h, w).
    unit: what 1 is when amounts are relative: "peak", the largest activation of a map; "noise", normal noise.
    """

    apply: Callable[[Tensor, Amount, Tensor], Tensor]
    usual: Amount = ()
    neutral: Amount | None = None
    maps: bool = False
    unit: str = "none"


def translate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """By shares of the width to the right and of the height down; zeros come in."""
    return _warp(h, [[1.0, 0.0], [0.0, 1.0]], (-2 * amount[0], -2 * amount[1]))


def rotate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Anticlockwise about the centre, in degrees; zeros come in."""
    c, s = math.cos(math.radians(amount[0])), math.sin(math.radians(amount[0]))
    aspect = h.shape[2] / h.shape[3]
    return _warp(h, [[c, -s * aspect], [s / aspect, c]])


def scale(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """By a factor about the centre; under 1, zeros come in. Raises ValueError for a factor that is not over 0."""
    if amount[0] <= 0:
        raise ValueError(f"scale by {amount[0]}: give a factor over 0")
    return _warp(h, [[1 / amount[0], 0.0], [0.0, 1 / amount[0]]])


def flip_h(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Left becomes right."""
    return h.flip(3)


def flip_v(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Top becomes bottom."""
    return h.flip(2)


def dilate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """The largest value in a square of so many positions around each. Raises ValueError unless that is 0, 1, 2, ..."""
    radius = int(amount[0])
    if radius != amount[0] or radius < 0:
        raise ValueError(f"a radius of {amount[0]} positions: give a whole number from 0")
    down = max_pool2d(h, (2 * radius + 1, 1), 1, (radius, 0))  # one way and then the other, which costs less
    return max_pool2d(down, (1, 2 * radius + 1), 1, (0, radius))


def erode(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """The smallest value in a square of so many positions around each. Raises what `dilate` raises."""
    return -dilate(-h, amount, unit)


def threshold(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """To one unit where it is over so many units, and 0 elsewhere."""
    return torch.where(h > amount[0] * unit, unit, torch.zeros_like(unit))


def invert(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """One unit, less the activation."""
    return unit - h


def multiply(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """By a number."""
    return h * amount[0]


def ablate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """To nothing."""
    return torch.zeros_like(h)


def noise(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """So much of the unit, which is noise, added."""
    return h + amount[0] * unit


TRANSFORMS = {
    "translate": Transform(translate, (0.25, 0.0), (0.0, 0.0), maps=True),
    "rotate": Transform(rotate, (45.0,), (0.0,), maps=True),
    "scale": Transform(scale, (1.5,), (1.0,), maps=True),
    "flip_h": Transform(flip_h, maps=True),
    "flip_v": Transform(flip_v, maps=True),
    "erode": Transform(erode, (1.0,), (0.0,), maps=True),
    "dilate": Transform(dilate, (1.0,), (0.0,), maps=True),
    "threshold": Transform(threshold, (0.5,), unit="peak"),
    "invert": Transform(invert, unit="peak"),
    "multiply": Transform(multiply, (3.0,), (1.0,)),
    "ablate": Transform(ablate),
    "noise": Transform(noise, (1.0,), (0.0,), unit="noise"),
}
"""By name: the ten of the published code, with flips told apart, and noise."""


def peak(h: Tensor) -> Tensor:
    """The largest activation, no less than 0: of each map, (B, K, 1, 1), or of the whole layer of units, (B, 1)."""
    return h.amax((2, 3) if h.ndim == 4 else 1, keepdim=True).clamp_min(0)


def deviation(h: Tensor) -> Tensor:
    """The standard deviation of a layer's activations for each image: (B, 1, 1, 1) or (B, 1)."""
    return h.flatten(1).std(1, correction=0).view(-1, *[1] * (h.ndim - 1))


def _warp(h: Tensor, linear: list[list[float]], shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Where each position looks: linear * position + shift, the map being [-1, 1] each way; bilinear, zeros around."""
    if not h.numel():
        return h
    (a, b), (c, d) = linear
    y, x = (((torch.arange(n, device=h.device) + 0.5) * 2 / n - 1) for n in h.shape[2:])
    x, y = x[None, :], y[:, None]
    places = torch.stack([a * x + b * y + shift[0], c * x + d * y + shift[1]], -1)
    warped = grid_sample(h.float(), places.expand(len(h), -1, -1, -1), align_corners=False)
    return warped.to(h.dtype)


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
