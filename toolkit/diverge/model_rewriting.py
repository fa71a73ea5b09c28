"""Model rewriting: one association written into one layer of a trained model (Bau et al., 2020).

A layer is an associative memory: what arrives at one place is a key, and its matrix gives the value that it draws from
there on. To write is to change the value of one key, and to leave alone what other keys find, as far as they are not
like it; how alike keys are, the second moment of all of them says, C = E[k k^T].
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import unfold

from .layers import copied, dense, heard, layer

M = TypeVar("M", bound=nn.Module)
Draw = Callable[[Any, Tensor], Tensor]  # (model, codes or images) -> images


def keys(model: M, name: str, run: Callable[[M], object]) -> Tensor:
    """The keys that come to a layer while run(model) lasts: (N, d), one per image and place.

    Of a fully connected layer its input, of a convolution the patch under its kernel, of a transposed one the channels
    at a position. Raises ValueError for a layer that there is not, or one that is no memory.
    """
    memory, (x, _) = _memory(model, name), heard(model, name, run)
    if isinstance(memory, nn.Conv2d):
        around: Any = memory.padding
        patches = unfold(x, memory.kernel_size, memory.dilation, around, memory.stride)  # (B, d, places)
        return patches.transpose(1, 2).flatten(0, 1)
    return x.permute(0, 2, 3, 1).flatten(0, 2) if isinstance(memory, nn.ConvTranspose2d) else x.flatten(0, -2)


def matrix(model: nn.Module, name: str) -> Tensor:
    """A layer's matrix, keys to values without the bias, (v, d); the value of a transposed convolution is a patch."""
    memory = _memory(model, name)
    weight: Tensor = memory.weight.detach()
    if isinstance(memory, nn.ConvTranspose2d):
        return weight.flatten(1).T
    return weight.flatten(1)


def second_moment(keys: Tensor, ridge: float = 1e-3) -> Tensor:
    """C = E[k k^T], (N, d) -> (d, d), float64, plus a ridge: a share of its mean diagonal, for keys that never vary."""
    k = keys.double()
    moment = k.T @ k / len(k)
    scale = moment.diagonal().mean().clamp_min(1e-12)
    return moment + ridge * scale * torch.eye(len(moment), dtype=moment.dtype, device=moment.device)


def write(model: M, name: str, key: Tensor, value: Tensor, moment: Tensor, *, strength: float = 1.0) -> M:
    """A new model whose layer finds a value (v,) under a key (d,), by a change of rank one, in closed form.

    W + strength (value - W key) (C^-1 key)^T / (key^T C^-1 key): of all changes that do so, that which disturbs other
    keys least (section 3.2 of the paper). Strength 0 writes nothing, 1 all, and between them the value is between.
    Raises ValueError for a layer that is no memory, or a key, value or moment of another size.
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
    """The directions in which a layer may change for some selected keys and least for others: (N, d) -> (d, rank).

    As published: the keys whitened by C^-1/2, their leading singular vectors, whitened again, orthonormal; each turned
    to where the keys' mean lies. Raises ValueError for a rank outside of 1 to the fewer of N and d.
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
    region: Tensor | None = None,
    steps: int = 200,
    lr: float = 0.05,
    strength: float = 1.0,
) -> M:
    """A new model whose layer gives a goal for its input x (B, ...), changed along the directions (d, r) alone.

    The paper's optimisation: the mean absolute difference from the goal, within a region of 0 to 1 that broadcasts to
    it, is lowered by Adam. The change is L D^T with L learned, so that it never leaves its rank; the published code
    moves all weights and projects them on the directions every ten of 2,001 steps, which for small layers undoes most
    of each step. Raises ValueError for a layer that is no memory, or a goal of another shape.
    """
    memory, x = _memory(model, name), x.detach()
    if memory(x).shape != goal.shape:
        raise ValueError(f"a goal of {tuple(goal.shape)} does not fit layer {name}: give {tuple(memory(x).shape)}")
    was, onto = memory.weight.detach(), directions.T.to(x)
    learned = torch.zeros(len(matrix(model, name)), len(onto), device=x.device, requires_grad=True)
    adam = torch.optim.Adam([learned], lr)
    for _ in range(steps):
        y = functional_call(memory, {"weight": was + _shaped(learned @ onto, memory)}, (x,))
        missed = (y - goal.detach()).abs()
        adam.zero_grad()
        (missed if region is None else missed * region).mean().backward()
        adam.step()
    return _changed(model, name, strength * (learned @ onto).detach())


@torch.enable_grad()
def repaint(
    model: M,
    name: str,
    codes: Tensor,
    edited: Tensor,
    *,
    draw: Draw = lambda model, codes: model.decode(codes),
    kept: Tensor | None = None,
    stay: float = 1.0,
    steps: int = 100,
    lr: float = 1e-3,
    strength: float = 1.0,
) -> M:
    """A new model, one layer of which learned to draw edited images (B, C, H, W) for their codes: the gradient form.

    All else is frozen, and Adam moves the layer's weights until what is drawn is what was painted. kept: codes whose
    pictures shall stay as they are, which weighs `stay` times as much. Raises ValueError for a layer that is no memory.
    """
    trained = copied(model)
    weight = _memory(trained, name).weight.requires_grad_()
    before = None if kept is None else draw(model, kept).detach()
    adam = torch.optim.Adam([weight], lr)
    with dense(trained):
        for _ in range(steps):
            loss = (draw(trained, codes) - edited).square().mean()
            if kept is not None and before is not None:
                loss = loss + stay * (draw(trained, kept) - before).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
    return _changed(model, name, strength * (matrix(trained, name) - matrix(model, name)))


@torch.no_grad()
def effect(
    before: M,
    after: M,
    goal: Tensor,
    elsewhere: Tensor,
    *,
    draw: Draw = lambda model, codes: model.decode(codes),
) -> dict[str, float]:
    """How much pictures changed where it was meant, and elsewhere: root mean square per pixel, 0 to 1.

    goal, elsewhere: codes of either kind. locality: the share of the first in both, 1 if nothing else changed, and 0
    if nothing changed at all.
    """
    moved = {
        name: (draw(after, codes) - draw(before, codes)).square().mean().sqrt().item()
        for name, codes in (("goal", goal), ("elsewhere", elsewhere))
    }
    total = sum(moved.values())
    return {**moved, "locality": moved["goal"] / total if total else 0.0}


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
    """A new model, a change (v, d) added to a layer's matrix."""
    model = copied(model)
    memory = _memory(model, name)
    if change.any():
        memory.weight.copy_(_shaped(matrix(model, name).to(change.dtype) + change, memory))
    return model
