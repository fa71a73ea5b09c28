"""What a network of points does to its whole space: its profile, its loss, its basins ("the manifold" of the paper)."""

from itertools import product

import torch
from torch import Tensor

from ..metrics.novelty import nearest
from ..models import Manifold
from ..samplers.iterate import iterate
from .trajectory import kept

NOWHERE = -1


def line(model: Manifold, count: int = 100) -> tuple[Tensor, Tensor, Tensor]:
    """X from 0 to 1, f(x), and the loss (x - f(x))^2: (count,) each. The published picture has 100 points."""
    x = torch.linspace(0, 1, count)
    y = _through(model, x[:, None])[:, 0]
    return x, y, (x - y).square()


def plane(model: Manifold, count: int = 21) -> tuple[Tensor, Tensor]:
    """The starts on a grid over the unit square, (count * count, 2), and the loss there, |x - f(x)|^2 / 2.

    Row by row from below: the first coordinate changes fastest. The published picture has 21 x 21.
    """
    x = lattice(count)
    return x, (_through(model, x) - x).square().mean(1)


def lattice(count: int) -> Tensor:
    """A grid over the unit square, (count * count, 2); the first coordinate changes fastest."""
    ticks = torch.linspace(0, 1, count)
    down, across = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack([across.flatten(), down.flatten()], 1)


@torch.no_grad()
def basins(model: Manifold, points: Tensor, count: int, *, runs: int = 100, tol: float = 0.05) -> Tensor:
    """Which training point each start of a grid ends in, without perturbation: (count * count,), NOWHERE if in none.

    points: (N, 2, 1, 1). tol: how near an end must be, as root mean squared difference. Rows as in `plane`.
    """
    *_, end = kept(iterate(model.reconstruct, lattice(count)[:, :, None, None].to(_device(model))), [0, runs])
    far, which = nearest(end, points)
    return torch.where(far[:, 0] <= tol, which[:, 0], NOWHERE)


@torch.no_grad()
def attracting(model: Manifold, points: Tensor, *, off: float = 0.02, runs: int = 200) -> Tensor:
    """Which training points attract: all starts that are `off` from it, along every axis, end nearer than half of that.

    points: (N, d, 1, 1) -> bool (N,).
    """
    dimension = points.shape[1]
    steps = torch.cat([torch.eye(dimension), -torch.eye(dimension)])[:, :, None, None] * off
    starts = (points.cpu()[:, None] + steps).clamp(0, 1).flatten(0, 1).to(_device(model))
    *_, end = kept(iterate(model.reconstruct, starts), [0, runs])
    missed = (end - points.cpu().repeat_interleave(2 * dimension, 0)).flatten(1).abs().amax(1)
    return (missed < off / 2).view(len(points), -1).all(1)


def fixed(model: Manifold, data: Tensor, *, runs: int = 30, tol: float = 0.1) -> Tensor:
    """Which training images stay where they are, through so many runs without perturbation: (N, C, H, W) -> bool (N,).

    tol: how far the last may be from the first, as root mean squared difference.
    """
    start, *_, end = kept(iterate(model.reconstruct, data.to(_device(model))), [0, runs])
    return (end - start).flatten(1).square().mean(1).sqrt() <= tol


@torch.no_grad()
def worst_corner(model: Manifold) -> float:
    """The largest loss over the corners of the unit cube (the published measure of the dimension study)."""
    corners = torch.tensor(list(product((0.0, 1.0), repeat=model.config.channels)))
    return (_through(model, corners) - corners).square().mean(1).max().item()


@torch.no_grad()
def _through(model: Manifold, x: Tensor) -> Tensor:
    return model.reconstruct(x[:, :, None, None].to(_device(model))).flatten(1).cpu()


def _device(model: Manifold) -> torch.device:
    return next(model.parameters()).device
