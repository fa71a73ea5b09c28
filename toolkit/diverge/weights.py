"""Weights changed without training data: network blending, model rewriting, neural glitch.

Blending (Pinkney & Adler, 2020) interpolates or extrapolates a parent and its child, weight by weight. Only models that
descend from each other blend: two that were trained apart have different neurons in the same places.

Rewriting (Bau et al., 2020) takes a layer for an associative memory, whose matrix maps keys, its inputs, to values. The
value of one key is changed, and those of other keys as little as the second moment of all keys, C = E[k k^T], allows.

Glitching (Klingemann, 2018) alters, deletes, swaps or copies weights at random.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn.functional import unfold

from ..config import choose
from ..samplers.layers import layer, layers, recorded
from ..seeds import child
from .channels import frozen_copy

M = TypeVar("M", bound=nn.Module)


# ---- network blending


def blend(parent: M, child: M, weight: float | Sequence[float]) -> M:
    """A new model (1 - weight) parent + weight child: 0 is the parent and 1 the child, exactly; others extrapolate.

    weight: one for all tensors, or one per level of depth (`levels`), the first next to the input.
    Raises ValueError for models that do not fit each other, naming the first tensor that differs, another number of
    weights than there are levels, or one that is not finite.
    """
    if type(parent) is not type(child):
        raise ValueError(f"a {type(parent).__name__} and a {type(child).__name__} do not blend: give two of a kind")
    mine, yours = parent.state_dict(), child.state_dict()
    for name in [*mine, *yours]:
        a, b = (tuple(own[name].shape) if name in own else "missing" for own in (mine, yours))
        if a != b:
            raise ValueError(f"the models do not blend: {name} is {a} in the one and {b} in the other")
    depth, total = levels(parent), level_count(parent)
    weights = [float(weight)] * total if isinstance(weight, (int, float)) else [float(w) for w in weight]
    if len(weights) != total or not all(map(math.isfinite, weights)):
        raise ValueError(f"{len(weights)} weights of {total} levels: give a finite one for each, or for all")
    blended = frozen_copy(parent)
    blended.load_state_dict({name: _interpolated(mine[name], yours[name], weights[depth[name]], name) for name in mine})
    return blended


def swap(parent: M, child: M, depth: int) -> M:
    """Layer swapping: the parent up to a depth, and from there on the child. 0 is the child, `level_count` the parent.

    Raises ValueError as `blend` does, or for a depth outside of 0 to the number of levels.
    """
    total = level_count(parent)
    if not 0 <= depth <= total:
        raise ValueError(f"depth is {depth}: give a whole number from 0 to {total}, how many levels are the parent's")
    return blend(parent, child, [0.0] * depth + [1.0] * (total - depth))


def ramp(levels: int, middle: float, width: float) -> list[float]:
    """Weights for `blend` that rise from 0 to 1 along the levels as a logistic curve.

    middle: the depth of weight 1/2, 0 before the first level, `levels` behind the last. width: the number of levels
    from 12 % to 88 %; 0 is the step of `swap`. Raises ValueError for a width under 0.
    """
    if not width >= 0:
        raise ValueError(f"width is {width}: give a number of levels, 0 or more")
    places = [level + 0.5 - middle for level in range(levels)]
    return [(1 + math.tanh(2 * place / width)) / 2 if width else float(place > 0) for place in places]


def along(models: Sequence[M], at: float) -> M:
    """A model between those of a run, `models` being its iterations 1, 2, ...; whole numbers give these exactly.

    Before the first and beyond the last the nearest two are extrapolated. Raises ValueError for fewer than two models,
    and as `blend` does.
    """
    if len(models) < 2 or not math.isfinite(at):
        raise ValueError(f"iteration {at} of {len(models)}: give a finite number, and two models or more")
    first = min(max(math.floor(at), 1), len(models) - 1)
    return blend(models[first - 1], models[first], at - first)


def levels(model: nn.Module) -> dict[str, int]:
    """The depth of each tensor, by name: 0 next to the input. Normalisation belongs to the weights before it."""
    depth, found = -1, dict[str, int]()
    for name, module in model.named_modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        depth += any(tensor.ndim > 1 for _, tensor in own)
        found |= {f"{name}.{key}" if name else key: max(depth, 0) for key, _ in own}
    return found


def level_count(model: nn.Module) -> int:
    """The number of levels of depth."""
    return max(levels(model).values()) + 1


def _interpolated(a: Tensor, b: Tensor, weight: float, name: str) -> Tensor:
    if not a.is_floating_point():
        return b if weight >= 0.5 else a
    b = b.to(a.device)
    blended = torch.lerp(a, b, weight)
    if name.endswith("running_var"):  # extrapolated it would reach 0, and what is divided by it explode
        return torch.maximum(blended, torch.minimum(a, b))
    return blended


# ---- model rewriting


def keys(model: M, name: str, run: Callable[[M], object]) -> Tensor:
    """The keys of a layer during run(model): (N, d), one per image and position.

    Of a fully connected layer its input, of a convolution the patch under its kernel, of a transposed one the channels
    at a position. Raises ValueError for an unknown layer, or one without a matrix.
    """
    memory, (x, _) = _memory(model, name), recorded(model, name, run)
    if isinstance(memory, nn.Conv2d):
        around: Any = memory.padding
        patches = unfold(x, memory.kernel_size, memory.dilation, around, memory.stride)  # (B, d, places)
        return patches.transpose(1, 2).flatten(0, 1)
    return x.permute(0, 2, 3, 1).flatten(0, 2) if isinstance(memory, nn.ConvTranspose2d) else x.flatten(0, -2)


def matrix(model: nn.Module, name: str) -> Tensor:
    """The matrix of a layer from keys to values, without the bias, (v, d); a transposed convolution's value is a patch.

    Raises ValueError for an unknown layer, or one without a matrix.
    """
    memory = _memory(model, name)
    weight: Tensor = memory.weight.detach()
    return weight.flatten(1).T if isinstance(memory, nn.ConvTranspose2d) else weight.flatten(1)


def second_moment(keys: Tensor, ridge: float = 1e-3) -> Tensor:
    """C = E[k k^T], (N, d) -> (d, d), float64, plus a ridge: a share of its mean diagonal, for constant keys."""
    k = keys.double()
    moment = k.T @ k / len(k)
    scale = moment.diagonal().mean().clamp_min(1e-12)
    return moment + ridge * scale * torch.eye(len(moment), dtype=moment.dtype, device=moment.device)


def write(model: M, name: str, key: Tensor, value: Tensor, moment: Tensor, *, strength: float = 1.0) -> M:
    """A new model whose layer maps a key (d,) to a value (v,), by a change of rank one, in closed form.

    W + strength (value - W key) (C^-1 key)^T / (key^T C^-1 key): of all changes that do so, the one that disturbs other
    keys least (section 3.2 of the paper). Strength 0 changes nothing; values between 0 and 1 interpolate.
    Raises ValueError for a layer without a matrix, or a key, value or moment of another size.
    """
    was = matrix(model, name).double()
    if value.shape != was.shape[:1] or key.shape != was.shape[1:] or moment.shape != (len(key), len(key)):
        raise ValueError(
            f"key {tuple(key.shape)}, value {tuple(value.shape)} and moment {tuple(moment.shape)} do not fit layer "
            f"{name}, of keys {was.shape[1]} and values {was.shape[0]}: take what `keys` and `matrix` give"
        )
    direction = torch.linalg.solve(moment, key.double())
    missing = value.double() - was @ key.double()
    return _changed(model, name, strength * torch.outer(missing, direction) / (key.double() @ direction))


def context(keys: Tensor, moment: Tensor, rank: int = 1) -> Tensor:
    """Directions of a change that affects selected keys most and others least: (N, d) -> (d, rank), orthonormal.

    As published: the keys whitened by C^-1/2, their leading singular vectors, whitened again; each turned to the side
    of the keys' mean. Raises ValueError for a rank outside of 1 to the smaller of N and d.
    """
    if not 1 <= rank <= min(keys.shape):
        raise ValueError(f"rank is {rank}: give one from 1 to {min(keys.shape)}")
    values, vectors = torch.linalg.eigh(moment)
    whiten = vectors * values.rsqrt() @ vectors.T
    leading = torch.linalg.svd(keys.double() @ whiten, full_matrices=False).Vh[:rank].T  # (d, rank)
    basis = torch.linalg.qr(whiten @ leading).Q
    return basis * torch.where(keys.double().mean(0) @ basis < 0, -1.0, 1.0)


@torch.enable_grad()
def rewrite(
    model: M,
    name: str,
    x: Tensor,
    goal: Tensor,
    directions: Tensor,
    *,
    steps: int = 200,
    lr: float = 0.05,
    strength: float = 1.0,
) -> M:
    """A new model whose layer gives a goal for its input x (B, ...), changed along the directions (d, r) alone.

    The paper's optimisation: Adam lowers the mean absolute difference from the goal. The change is L D^T with L
    trained, so that it never leaves its rank; the published code moves all weights and projects them on the directions
    every ten of 2,001 steps, which for small layers undoes most of each step. Raises ValueError for a layer without a
    matrix, or a goal of another shape.
    """
    memory, x = _memory(model, name), x.detach()
    if memory(x).shape != goal.shape:
        raise ValueError(f"a goal of {tuple(goal.shape)} does not fit layer {name}: give {tuple(memory(x).shape)}")
    was, onto = memory.weight.detach(), directions.T.to(x)
    left = torch.zeros(len(matrix(model, name)), len(onto), device=x.device, requires_grad=True)
    adam = torch.optim.Adam([left], lr)
    for _ in range(steps):
        y = functional_call(memory, {"weight": was + _shaped(left @ onto, memory)}, (x,))
        adam.zero_grad()
        (y - goal.detach()).abs().mean().backward()
        adam.step()
    return _changed(model, name, strength * (left @ onto).detach())


@torch.enable_grad()
def repaint(
    model: M,
    name: str,
    codes: Tensor,
    edited: Tensor,
    *,
    kept: Tensor | None = None,
    steps: int = 100,
    lr: float = 1e-3,
) -> M:
    """A new model, one layer of which is trained by Adam to draw edited images (B, C, H, W) for their codes.

    kept: codes whose images shall not change, with equal weight. Raises ValueError for a layer without a matrix.
    """
    trained: Any = frozen_copy(model)
    weight = _memory(trained, name).weight.requires_grad_()
    pairs = [(codes, edited)] if kept is None else [(codes, edited), (kept, trained.decode(kept).detach())]
    adam = torch.optim.Adam([weight], lr)
    for _ in range(steps):
        adam.zero_grad()
        torch.stack([(trained.decode(z) - x).square().mean() for z, x in pairs]).sum().backward()
        adam.step()
    adam.zero_grad()
    weight.requires_grad_(False)
    return trained


def _memory(model: nn.Module, name: str) -> nn.Linear | nn.Conv2d | nn.ConvTranspose2d:
    found = layer(model, name)
    if isinstance(found, nn.Linear) or (isinstance(found, (nn.Conv2d, nn.ConvTranspose2d)) and found.groups == 1):
        return found
    raise ValueError(f"layer {name}, a {type(found).__name__}, has no matrix to write to: choose a Linear or a Conv2d")


def _shaped(matrix: Tensor, memory: nn.Module) -> Tensor:
    """The inverse of `matrix`: (v, d) -> the shape of the layer's weight."""
    weight: Any = memory.weight
    return (matrix.T if isinstance(memory, nn.ConvTranspose2d) else matrix).reshape(weight.shape)


@torch.no_grad()
def _changed(model: M, name: str, change: Tensor) -> M:
    """A new model, a change (v, d) added to the matrix of a layer."""
    model = frozen_copy(model)
    memory = _memory(model, name)
    if change.any():
        memory.weight.copy_(_shaped(matrix(model, name).to(change.dtype) + change, memory))
    return model


# ---- neural glitch


@dataclass(frozen=True)
class Glitch:
    """A random change of a share of the weights of each layer.

    kind: single weights are set to "zero", "flip" their sign, are drawn anew from a normal distribution with the mean
    and deviation of the layer ("resample"), or multiplied ("scale"); or whole filters, each the weights of one output
    channel or unit, "swap" places, overwrite another ("duplicate"), or have their own weights permuted ("shuffle").
    share: of the weights or filters, 0 to 1; 0 changes nothing. At least one otherwise, and two to swap.
    factor: of "scale". layers: their names; None is all that have weights. seed: which weights, and their new values; a
    larger share contains the smaller ones, except for "swap" and "duplicate".
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
    """A new model with altered weights. Raises ValueError for an unknown layer, or one without weights."""
    model = frozen_copy(model)
    _alter(model, how)
    return model


@contextmanager
def glitch(model: M, how: Glitch) -> Iterator[M]:
    """Alter the model's own weights while the block lasts; then they are restored bit for bit. Blocks may be nested.

    Raises ValueError as `glitched` does.
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
        if isinstance(layer(model, name), nn.ConvTranspose2d):
            weight = weight.transpose(0, 1)  # a view, output channels first
        filters = weight.detach().cpu().contiguous()
        if how.kind in SINGLE:
            flat = filters.flatten()
            chosen = torch.randperm(len(flat), generator=generator)[: max(1, round(how.share * len(flat)))]
            altered = flat.index_copy(0, chosen, SINGLE[how.kind](flat[chosen], flat, how, generator))
            weight.copy_(altered.view_as(filters))
        else:
            count = max(2 if how.kind == "swap" else 1, round(how.share * len(filters)))
            chosen = torch.randperm(len(filters), generator=generator)[:count]
            weight.copy_(filters.index_copy(0, chosen, WHOLE[how.kind](filters, chosen, generator)))


def _weights(model: nn.Module, names: Iterable[str] | None) -> list[tuple[str, Tensor]]:
    """The weights of layers, by layer name, without single numbers per channel, as of normalisation."""
    found = {name: getattr(module, "weight", None) for name, module in layers(model).items()}
    able = {name: weight for name, weight in found.items() if isinstance(weight, Tensor) and weight.ndim > 1}
    for name in names or []:
        layer(model, name)
        if name not in able:
            raise ValueError(f"layer {name} has no weights to alter: choose one of {', '.join(able)}")
    return [(name, able[name]) for name in (able if names is None else names)]


def _duplicate(filters: Tensor, chosen: Tensor, generator: Generator) -> Tensor:
    """For each chosen filter another one, any but itself."""
    steps = torch.randint(1, max(2, len(filters)), (len(filters),), generator=generator)[: len(chosen)]
    return filters[(chosen + steps) % len(filters)]


def _shuffle(filters: Tensor, chosen: Tensor, generator: Generator) -> Tensor:
    """The weights of each chosen filter, permuted."""
    order = torch.rand(filters.flatten(1).shape, generator=generator)[: len(chosen)].argsort(1)
    return filters[chosen].flatten(1).gather(1, order).view_as(filters[chosen])


SINGLE: dict[str, Callable[[Tensor, Tensor, Glitch, Generator], Tensor]] = {
    "zero": lambda chosen, every, how, generator: torch.zeros_like(chosen),
    "flip": lambda chosen, every, how, generator: -chosen,
    "resample": lambda chosen, every, how, generator: (
        every.mean() + every.std(correction=0) * torch.randn(every.shape, generator=generator)[: len(chosen)]
    ),
    "scale": lambda chosen, every, how, generator: chosen * how.factor,
}
"""New values of single weights: (the chosen ones, all of the layer, settings, generator) -> theirs."""

WHOLE: dict[str, Callable[[Tensor, Tensor, Generator], Tensor]] = {
    "swap": lambda filters, chosen, generator: filters[chosen.roll(1)],
    "duplicate": _duplicate,
    "shuffle": _shuffle,
}
"""New values of whole filters: (all of the layer, indices of the chosen ones, generator) -> theirs."""

KINDS = (*SINGLE, *WHOLE)
