"""Network bending: transforms of the activations of a layer while a block lasts (Broad et al., 2021).

The weights stay as they are, and an edit ends where its block ends.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, max_pool2d

from ..config import checked, choose
from ..samplers.layers import dense, hooked, layer
from ..seeds import Noise, child

M = TypeVar("M", bound=nn.Module)
Amount = tuple[float, ...]
CHANNELS = ("all", "random", "cluster")


@dataclass(frozen=True)
class Transform:
    """A function of activations: apply(h, amount, unit) -> h; h is (B, K, h, w) or (B, K), unit broadcasts to it.

    usual: an amount with a visible effect; its length is that of any amount. neutral: the amount without effect, if
    there is one. maps: whether it needs feature maps, (B, K, h, w). unit: of amounts in a relative edit, "peak", the
    largest activation of a map, or "noise", normal noise.
    """

    apply: Callable[[Tensor, Amount, Tensor], Tensor]
    usual: Amount = ()
    neutral: Amount | None = None
    maps: bool = False
    unit: str = "none"


def rotate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Rotate anticlockwise about the centre by degrees, padded with zeros."""
    c, s = math.cos(math.radians(amount[0])), math.sin(math.radians(amount[0]))
    aspect = h.shape[2] / h.shape[3]
    return _warp(h, [[c, -s * aspect, 0.0], [s / aspect, c, 0.0]])


def scale(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Scale about the centre by a factor, padded with zeros. Raises ValueError unless the factor is over 0."""
    if amount[0] <= 0:
        raise ValueError(f"scale by {amount[0]}: give a factor over 0")
    return _warp(h, [[1 / amount[0], 0.0, 0.0], [0.0, 1 / amount[0], 0.0]])


def dilate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """The maximum over a square of this radius. Raises ValueError unless the radius is 0, 1, 2, ..."""
    radius = int(amount[0])
    if radius != amount[0] or radius < 0:
        raise ValueError(f"a radius of {amount[0]} positions: give a whole number from 0")
    down = max_pool2d(h, (2 * radius + 1, 1), 1, (radius, 0))  # one way and then the other, which costs less
    return max_pool2d(down, (1, 2 * radius + 1), 1, (0, radius))


def _warp(h: Tensor, theta: list[list[float]]) -> Tensor:
    """Sample maps at affine coordinates, [-1, 1] along each side, bilinearly, padded with zeros."""
    if not h.numel():
        return h
    grid = affine_grid(torch.tensor([theta], device=h.device), [1, 1, *h.shape[2:]], align_corners=False)
    return grid_sample(h.float(), grid.expand(len(h), -1, -1, -1), align_corners=False).to(h.dtype)


TRANSFORMS = {
    # By shares of the width to the right and of the height down, padded with zeros.
    "translate": Transform(lambda h, by, unit: _warp(h, [[1.0, 0.0, -2 * by[0]], [0.0, 1.0, -2 * by[1]]]),
                           (0.25, 0.0), (0.0, 0.0), maps=True),
    "rotate": Transform(rotate, (45.0,), (0.0,), maps=True),
    "scale": Transform(scale, (1.5,), (1.0,), maps=True),
    "flip_h": Transform(lambda h, by, unit: h.flip(3), maps=True),
    "flip_v": Transform(lambda h, by, unit: h.flip(2), maps=True),
    "erode": Transform(lambda h, by, unit: -dilate(-h, by, unit), (1.0,), (0.0,), maps=True),
    "dilate": Transform(dilate, (1.0,), (0.0,), maps=True),
    # One unit where it is over so many units, and 0 elsewhere.
    "threshold": Transform(lambda h, by, unit: torch.where(h > by[0] * unit, unit, torch.zeros_like(unit)),
                           (0.5,), unit="peak"),
    "invert": Transform(lambda h, by, unit: unit - h, unit="peak"),
    "multiply": Transform(lambda h, by, unit: h * by[0], (3.0,), (1.0,)),
    "ablate": Transform(lambda h, by, unit: torch.zeros_like(h)),
    "noise": Transform(lambda h, by, unit: h + by[0] * unit, (1.0,), (0.0,), unit="noise"),
}  # fmt: skip
"""By name: the ten of the published code, with flips told apart, and noise."""


def peak(h: Tensor) -> Tensor:
    """The largest activation, no less than 0: of each map, (B, K, 1, 1), or of the whole layer of units, (B, 1)."""
    return h.amax((2, 3) if h.ndim == 4 else 1, keepdim=True).clamp_min(0)


def deviation(h: Tensor) -> Tensor:
    """The standard deviation of a layer's activations for each image: (B, 1, 1, 1) or (B, 1)."""
    return h.flatten(1).std(1, correction=0).view(-1, *[1] * (h.ndim - 1))


@dataclass(frozen=True)
class Edit:
    """One transform of one layer.

    layer: its name, or the module itself. transform: one of TRANSFORMS. amount: one number, or as many as its transform
    takes; None is the usual one. strength: interpolation from the activations as they are (0) to the transformed (1).
    channels: "all", a "random" share of them, or those of one "cluster". seed: of random channels, and of noise.
    relative: 1 is the peak of the map, or for noise one standard deviation of the layer, each of this image; else 1 is
    1, as published.
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
        if len(self.amounts) != len(usual) or not all(map(math.isfinite, self.amounts)):
            wanted = f"{len(usual)} finite number{'s' * (len(usual) != 1)}" if usual else "no amount"
            raise ValueError(f"amount {self.amount} of {self.transform}: give {wanted}")
        if not (0 <= self.strength <= 1 and 0 <= self.share <= 1):
            raise ValueError(f"strength {self.strength}, share {self.share}: give numbers from 0 to 1")

    @property
    def amounts(self) -> Amount:
        """The amount as a tuple."""
        if self.amount is None:
            return self.kind.usual
        return tuple(self.amount) if isinstance(self.amount, (tuple, list)) else (self.amount,)

    @property
    def kind(self) -> Transform:
        return TRANSFORMS[self.transform]

    @property
    def neutral(self) -> bool:
        """Whether it has no effect."""
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
    """Apply edits to the activations of a model, in their order, while the block lasts; blocks may be nested.

    `decode`, `reconstruct`, `sample` and every sampler use the edited activations. seeds: one per image of a batch, for
    noise of its own, the same in every pass; without them all images share one noise, as where a sampler drops settled
    images from its batch. clusters: by layer, as `clusters` gives them.
    Raises ValueError for an unknown layer, or a cluster that is not given; and within the block for a transform of maps
    on a layer without any, or a batch that the seeds do not fit.
    """
    chain = [chain] if isinstance(chain, Edit) else list(chain)
    found = [(layer(model, edit.layer), edit, _labels(edit, clusters or {})) for edit in chain]
    with ExitStack() as stack:
        if acting := [each for each in found if not each[1].neutral]:
            stack.enter_context(dense(model))
        for module, edit, labels in acting:
            stack.enter_context(hooked(module, partial(_edited, edit, seeds, labels)))
        yield model


def _labels(edit: Edit, clusters: Mapping[str, Tensor]) -> Tensor | None:
    """The clusters of the edit's layer. Raises ValueError if it asks for one that is not given."""
    labels = clusters.get(edit.layer) if isinstance(edit.layer, str) else None
    if edit.channels == "cluster" and (labels is None or not (labels == edit.cluster).any()):
        raise ValueError(f"layer {edit.layer} is given no cluster {edit.cluster}: give clusters={{layer: labels}}")
    return labels


def _edited(edit: Edit, seeds: Sequence[int] | None, labels: Tensor | None, before: Tensor, h: Tensor) -> Tensor:
    """A forward hook: the edited output h of a layer; its input, before, is not used."""
    if edit.kind.maps and h.ndim != 4:
        able = ", ".join(name for name, kind in TRANSFORMS.items() if not kind.maps)
        raise ValueError(f"layer {edit.layer} has no maps to {edit.transform}: choose one of {able}")
    unit = _unit(edit, seeds, h)
    if edit.channels == "all":
        return _interpolated(edit, h, unit)
    which = _channels(edit, labels, h.shape[1]).to(h.device)
    chosen = unit[:, which] if unit.shape[1] == h.shape[1] else unit
    return h.index_copy(1, which, _interpolated(edit, h[:, which], chosen))


def _interpolated(edit: Edit, h: Tensor, unit: Tensor) -> Tensor:
    return torch.lerp(h, edit.kind.apply(h, edit.amounts, unit).to(h.dtype), edit.strength)


def _channels(edit: Edit, labels: Tensor | None, count: int) -> Tensor:
    """The indices of the edited channels. A larger random share contains the smaller ones."""
    if labels is None or edit.channels == "random":
        order = torch.randperm(count, generator=torch.Generator().manual_seed(child(edit.seed, "channels")))
        return order[: max(1, round(edit.share * count))]
    if len(labels) != count:
        raise ValueError(f"layer {edit.layer} has {count} channels and {len(labels)} are clustered")
    return (labels == edit.cluster).nonzero().flatten()


def _unit(edit: Edit, seeds: Sequence[int] | None, h: Tensor) -> Tensor:
    """The unit of the edit's amounts; of noise standard normal values, (B, ...) or (1, ...) for all images."""
    if edit.kind.unit != "noise":
        return peak(h) if edit.kind.unit == "peak" and edit.relative else h.new_ones([1] * h.ndim)
    if seeds is not None and len(seeds) != len(h):
        raise ValueError(f"{len(seeds)} seeds for a batch of {len(h)}: give one for each image, or none")
    each = [0] if seeds is None else seeds
    noise = Noise(child(seed, "bend", edit.seed) for seed in each).randn(*h.shape[1:]).to(h.device, h.dtype)
    return noise * deviation(h) if edit.relative else noise
