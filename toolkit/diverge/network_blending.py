"""Network blending: a model between, or beyond, a parent and its child, weight by weight (Pinkney & Adler, 2020).

Only models that descend from each other blend: two that learned apart have different neurons in the same places.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from .layers import copied

M = TypeVar("M", bound=nn.Module)
Images = Callable[[Tensor], Tensor]  # a step, or a decoder
BatchNorm = torch.nn.modules.batchnorm._BatchNorm


def blend(parent: M, child: M, weight: float | Sequence[float]) -> M:
    """A new model of the parent's kind: 0 is the parent and 1 the child, exactly; under 0 and over 1 it goes on beyond.

    weight: one for all weights, or one per level of depth (`levels`), the first next to the input.
    Raises ValueError for models that do not fit each other, naming the first tensor that differs, another number of
    weights than there are levels, or one that is not finite.
    """
    check(parent, child)
    depth = levels(parent)
    weights = [float(weight)] * count(parent) if isinstance(weight, (int, float)) else [float(w) for w in weight]
    if len(weights) != count(parent) or not all(map(math.isfinite, weights)):
        raise ValueError(f"{len(weights)} weights of {count(parent)} levels: give a finite one for each, or for all")
    mine, yours = parent.state_dict(), child.state_dict()
    blended = copied(parent)
    blended.load_state_dict({name: _between(mine[name], yours[name], weights[depth[name]], name) for name in mine})
    return blended


def swap(parent: M, child: M, depth: int) -> M:
    """The parent up to a depth, and from there on the child: layer swapping. 0 is the child, `count` is the parent.

    Raises ValueError as `blend` does, or for a depth outside of 0 to the number of levels.
    """
    total = count(parent)
    if not 0 <= depth <= total:
        raise ValueError(f"depth is {depth}: give a whole number from 0 to {total}, how many levels are the parent's")
    return blend(parent, child, [0.0] * depth + [1.0] * (total - depth))


def ramp(levels: int, middle: float, width: float, *, low: float = 0.0, high: float = 1.0) -> list[float]:
    """Weights that rise from low to high along the levels as a logistic curve, for `blend`; a share for each level.

    middle: the depth where it is half way, 0 before the first level, `levels` behind the last. width: how many levels
    it takes to go from 12 % to 88 %; 0 is the step of `swap`. Raises ValueError for a width under 0.
    """
    if not width >= 0:
        raise ValueError(f"width is {width}: give a number of levels, 0 or more")
    places = [level + 0.5 - middle for level in range(levels)]
    if width == 0:
        rise = [float(place > 0) for place in places]
    else:
        rise = [(1 + math.tanh(2 * place / width)) / 2 for place in places]
    return [low + (high - low) * part for part in rise]


def along(models: Sequence[M], at: float) -> M:
    """A model between those of a run, `models` being its iterations 1, 2, ...; whole numbers are theirs exactly.

    Before the first and beyond the last the line through the nearest two goes on. Raises ValueError for fewer than two
    models, and as `blend` does.
    """
    if len(models) < 2 or not math.isfinite(at):
        raise ValueError(f"iteration {at} of {len(models)}: give a finite number, and two models or more")
    first = min(max(math.floor(at), 1), len(models) - 1)
    return blend(models[first - 1], models[first], at - first)


def mix(one: Images, other: Images, weight: float) -> Images:
    """A step, or a decoder, whose pictures are those of two, mixed: 0 is the one and 1 the other; clipped to [0, 1].

    The two need have nothing in common but the size of what they take and give.
    """
    return lambda x: torch.lerp(one(x), other(x), weight).clamp(0, 1)


@torch.no_grad()
def recalibrate(
    model: M, batches: Iterable[Tensor], run: Callable[[M, Tensor], object] = lambda model, batch: model(batch)
) -> M:
    """A new model whose batch normalisation is by what given images have, and not by what its parents saw in training.

    batches: what is run through it, as codes for run=lambda model, z: model.decode(z). Means and variances are averaged
    over the batches. A layer that they do not pass keeps its own, as does a model without batch normalisation.
    Raises ValueError without a batch, or one of a single image: it has no variance.
    """
    model = copied(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    norms = {name: module for name, module in model.named_modules() if isinstance(module, BatchNorm)}
    with _measuring(norms.values()):
        measured = False
        for batch in batches:
            _refuse_unless(len(batch) > 1)
            run(model, batch)
            measured = True
    _refuse_unless(measured)
    for name, norm in norms.items():
        if norm.num_batches_tracked == 0:
            norm.load_state_dict({key: before[f"{name}.{key}"] for key in norm.state_dict()})
    return model


def levels(model: nn.Module) -> dict[str, int]:
    """How deep each tensor lies, by name: 0 next to the input. What normalises belongs to the weights before it."""
    depth, found = -1, dict[str, int]()
    for name, module in model.named_modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        depth += any(tensor.ndim > 1 for _, tensor in own)
        found |= {f"{name}.{key}" if name else key: max(depth, 0) for key, _ in own}
    return found


def count(model: nn.Module) -> int:
    """How many levels of depth a model has."""
    return max(levels(model).values()) + 1


def check(parent: nn.Module, child: nn.Module) -> None:
    """Raise ValueError, naming the first tensor that differs, unless models have the same kind, names and shapes."""
    if type(parent) is not type(child):
        raise ValueError(f"a {type(parent).__name__} and a {type(child).__name__} do not blend: give two of a kind")
    mine, yours = parent.state_dict(), child.state_dict()
    for name in [*mine, *yours]:
        a, b = (tuple(own[name].shape) if name in own else "missing" for own in (mine, yours))
        if a != b:
            raise ValueError(f"the models do not blend: {name} is {a} in the one and {b} in the other")


def _between(a: Tensor, b: Tensor, weight: float, name: str) -> Tensor:
    if not a.is_floating_point():
        return b if weight >= 0.5 else a
    b = b.to(a.device)
    blended = torch.lerp(a, b, weight)
    if name.endswith("running_var"):  # beyond the child it would reach 0, and what is divided by it explode
        return torch.maximum(blended, torch.minimum(a, b))
    return blended


@contextmanager
def _measuring(norms: Iterable[BatchNorm]) -> Iterator[None]:
    """While the block lasts, batch normalisation forgets what it knew and averages what it sees."""
    kept = [(norm, norm.momentum) for norm in norms]
    for norm, _ in kept:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in kept:
            norm.momentum = momentum
            norm.eval()


def _refuse_unless(enough: bool) -> None:
    if not enough:
        raise ValueError("batch normalisation is measured over batches: give one or more, of two or more images each")
