"""Neural glitch: weights of a trained model altered, deleted, swapped or copied by chance (Klingemann, 2018)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Generator, Tensor, nn

from ..config import choose
from ..seeds import child
from .layers import copied, layer, layers

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Glitch:
    """What happens to a share of the weights of each layer.

    kind: single weights are set to "zero", "flip" their sign, are drawn anew as others of the layer ("resample"), or
    multiplied ("scale"); or whole filters, each all that makes one channel or unit, "swap" places, overwrite another
    ("duplicate"), or have their own weights mixed up ("shuffle").
    share: of the weights or filters, 0 to 1; 0 changes nothing. At least one otherwise, and two to swap.
    factor: of "scale". layers: their names; None is all that have weights. seed: which weights, and what becomes of
    them; a larger share holds the smaller ones, except where filters change with each other.
    """

    kind: str = "zero"
    share: float = 0.01
    seed: int = 0
    factor: float = -4.0
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        choose("glitch", self.kind, KINDS)
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}: give a share of the weights from 0 to 1")
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(self.layers))  # JSON gives a list


def glitched(model: M, how: Glitch) -> M:
    """A new model with altered weights; the one given is left as it was. Raises ValueError as `glitch` does."""
    model = copied(model)
    _alter(model, how)
    return model


@contextmanager
def glitch(model: M, how: Glitch) -> Iterator[M]:
    """While the block lasts, the model's own weights are altered; then they are what they were, bit for bit.

    Blocks may be nested. Raises ValueError for a layer that there is not, or one without weights.
    """
    before = [(weight, weight.detach().clone()) for _, weight in _weights(model, how.layers)]
    try:
        _alter(model, how)
        yield model
    finally:
        with torch.no_grad():
            for weight, was in before:
                weight.copy_(was)


@torch.no_grad()
def _alter(model: nn.Module, how: Glitch) -> None:
    if how.share == 0:
        return
    for name, weight in _weights(model, how.layers):
        generator = torch.Generator().manual_seed(child(how.seed, "glitch", name))
        filters = _filters(model, name, weight)
        altered = KINDS[how.kind](filters.detach().cpu().contiguous(), how, generator)
        filters.copy_(altered)


def _weights(model: nn.Module, names: Iterable[str] | None) -> list[tuple[str, Tensor]]:
    """The weights of layers, by the layer's name; single numbers per channel, as of normalisation, are none."""
    found = {name: getattr(module, "weight", None) for name, module in layers(model).items()}
    able = {name: weight for name, weight in found.items() if isinstance(weight, Tensor) and weight.ndim > 1}
    for name in names or []:
        layer(model, name)
        if name not in able:
            raise ValueError(f"layer {name} has no weights to alter: choose one of {', '.join(able)}")
    return [(name, able[name]) for name in (able if names is None else names)]


def _filters(model: nn.Module, name: str, weight: Tensor) -> Tensor:
    """The weights, a view, with the channels that they make first; those of a transposed convolution lie second."""
    transposed = isinstance(layer(model, name), nn.ConvTranspose2d)
    return weight.transpose(0, 1) if transposed else weight


def _some(count: int, how: Glitch, generator: Generator, least: int = 1) -> Tensor:
    order = torch.randperm(count, generator=generator)
    return order[: max(least, round(how.share * count))]


def _single(change: Callable[[Tensor, Tensor, Glitch, Generator], Tensor]) -> Callable[..., Tensor]:
    """A kind that alters single weights: change(those drawn, all, how, generator) -> what becomes of those drawn."""

    def alter(filters: Tensor, how: Glitch, generator: Generator) -> Tensor:
        flat, drawn = filters.flatten(), _some(filters.numel(), how, generator)
        return flat.index_copy(0, drawn, change(flat[drawn], flat, how, generator)).view_as(filters)

    return alter


def _resample(chosen: Tensor, every: Tensor, how: Glitch, generator: Generator) -> Tensor:
    """Normal, with the mean and deviation of the layer."""
    return every.mean() + every.std(correction=0) * torch.randn(every.shape, generator=generator)[: len(chosen)]


def _swap(filters: Tensor, how: Glitch, generator: Generator) -> Tensor:
    drawn = _some(len(filters), how, generator, least=2)
    return filters.index_copy(0, drawn, filters[drawn.roll(1)])


def _duplicate(filters: Tensor, how: Glitch, generator: Generator) -> Tensor:
    """Each of those drawn becomes another filter, any but itself."""
    drawn = _some(len(filters), how, generator)
    steps = torch.randint(1, max(2, len(filters)), (len(filters),), generator=generator)[: len(drawn)]
    return filters.index_copy(0, drawn, filters[(drawn + steps) % len(filters)])


def _shuffle(filters: Tensor, how: Glitch, generator: Generator) -> Tensor:
    """The weights of each of those drawn, in another order."""
    drawn = _some(len(filters), how, generator)
    rows = filters[drawn].flatten(1)
    order = torch.rand(filters.flatten(1).shape, generator=generator)[: len(drawn)].argsort(1)
    return filters.index_copy(0, drawn, rows.gather(1, order).view_as(filters[drawn]))


KINDS: dict[str, Callable[..., Tensor]] = {
    "zero": _single(lambda chosen, every, how, generator: torch.zeros_like(chosen)),
    "flip": _single(lambda chosen, every, how, generator: -chosen),
    "resample": _single(_resample),
    "scale": _single(lambda chosen, every, how, generator: chosen * how.factor),
    "swap": _swap,
    "duplicate": _duplicate,
    "shuffle": _shuffle,
}
