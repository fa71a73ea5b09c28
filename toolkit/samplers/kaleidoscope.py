"""Kaleidoscopic sampling, its trajectories and its basins of attraction."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise, product
from typing import Any

import torch
from torch import Tensor

from ..config import choose
from ..metrics import nearest
from ..metrics.distance import STILL, distinct, effective, flow, movement, standing_still
from ..metrics.distance import nearest as distance_nearest
from ..models import Manifold
from ..seeds import Noise
from .iterate import Step, iterate

MODES = ("centred", "published", "none")
TOGETHER, AT_ONCE = 16, 2**26  # runs whose stirring is drawn together, and at most so many bytes


@torch.no_grad()
def kaleidoscope(
    step: Step,
    noise: Noise,
    shape: tuple[int, ...],
    *,
    perturbation: float = 0.01,
    mode: str = "centred",
    start: str | Tensor = "uniform",
    device: str | torch.device = "cpu",
) -> Iterator[Tensor]:
    """The start, and the images after each run, without end: (B, *shape) in [0, 1], one image per seed of the noise.

    A run is the step; before every run but the first the images are stirred, by `perturbation` times `stirrings`. What
    is yielded is what the step gave, unstirred; a burn-in is a way to look at it: islice(stream, 5, None).
    shape: (C, H, W). start: "uniform", "normal" (mean and standard deviation 1/2, clipped) or images (B, *shape).
    Without perturbation this is `iterate`. Raises ValueError for an unknown mode or start, a perturbation outside of
    0 to 1, or images of another shape.
    """
    choose("mode", mode, MODES)
    if not 0 <= perturbation <= 1:
        raise ValueError(f"perturbation is {perturbation}: give a strength from 0 to 1, as 0.01")
    x = begin(start, noise, shape).to(device)
    by = perturbation / 2  # the published range of pixels is twice as wide as ours
    yield x
    x = step(x)
    if mode == "none" or perturbation == 0:
        yield from iterate(step, x)
        return
    for stirring in stirrings(noise, shape, mode, x.device):
        yield x
        x = step(torch.add(x, stirring, alpha=by, out=stirring).clamp_(0, 1))  # in place: new memory is slow


def stirrings(
    noise: Noise, shape: tuple[int, ...], mode: str = "centred", device: str | torch.device = "cpu"
) -> Iterator[Tensor]:
    """What images are stirred with in run after run, (B, *shape), in units of the published pixel range, [-1, 1].

    centred: uniform in [-1, 1), of mean zero. published: uniform in [1, 3), as the published code does: it brightens.
    Of 256 levels: drawing them costs less than a run. Raises ValueError for another mode.
    """
    lowest = {"centred": -1.0, "published": 1.0}[choose("mode", mode, ["centred", "published"])]
    together = max(1, min(TOGETHER, AT_ONCE // max(1, len(noise) * math.prod(shape))))
    while True:
        for levels in noise.bytes(together, *shape):
            yield levels.to(device).float().mul_(2 / 256).add_(lowest + 1 / 256)


def begin(start: str | Tensor, noise: Noise, shape: tuple[int, ...]) -> Tensor:
    """The images that sampling starts from, (B, *shape) in [0, 1]. Raises ValueError as `kaleidoscope` does."""
    if isinstance(start, Tensor):
        if start.shape != (len(noise), *shape):
            raise ValueError(f"start images of shape {tuple(start.shape)} are not {(len(noise), *shape)}: resize them")
        return start
    choose("start", start, ["uniform", "normal"])
    return noise.rand(*shape) if start == "uniform" else (0.5 + 0.5 * noise.randn(*shape)).clamp(0, 1)


LOOKED_AT = (1, 2, 3, 5, 8, 10, 13, 20, 30, 50, 100, 200, 300)
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Eyes:
    """What samples are seen with. data: the training images, uint8 or float (N, C, H, W), if any; judge: of them.

    same: how near two samples are one picture, as root mean squared difference.
    """

    data: Tensor | None
    judge: Any = None  # models.Judge
    same: float = 0.1
    still: float = STILL


def watch(stream: Iterable[Tensor], runs: Sequence[int], eyes: Eyes) -> list[Row]:
    """A row of the start, and one of each of these runs; see `row`. runs: ascending, from 1.

    With a judge, a row says how many samples are in each class, and how many went from each to each since the last row.
    """
    rows: list[Row] = []
    labels = None
    for number, before, after in _steps(stream, runs[-1]):
        if number not in (0, *runs):
            continue
        now = {"run": number, **row(before, after, eyes)}
        if not number:
            del now["movement"], now["still"]  # nothing has moved yet
        if eyes.judge is not None:
            chances = probabilities(eyes.judge, after)
            found, classes = chances.argmax(1), chances.shape[1]
            now["confidence"] = chances.amax(1).mean().item()
            now["classes"] = found.bincount(minlength=classes).tolist()
            if labels is not None:
                now["flow"] = flow(labels, found, classes).tolist()
            labels = found
        rows.append(now)
    return rows


def row(before: Tensor, after: Tensor, eyes: Eyes) -> Row:
    """One run in numbers: images before and after it, (B, C, H, W).

    movement: in this run, mean; still: the share that stand still; distinct, effective: how many pictures there are
    (`attractors`), and tight, loose: if half, or twice, as much counts as the same. With data, distance: to the nearest
    training image, mean; reached: how many training images are nearest to one of the samples.
    """
    now: Row = {
        "movement": movement(before, after).mean().item(),
        "still": standing_still(before, after, eyes.still).double().mean().item(),
        "distinct": distinct(after, eyes.same),
        "tight": distinct(after, eyes.same / 2),
        "loose": distinct(after, eyes.same * 2),
        "effective": effective(after, eyes.same),
    }
    if eyes.data is not None:
        far, which = nearest(after, eyes.data)
        now |= {"distance": far.mean().item(), "reached": len(which.unique())}
    return now


def kept(stream: Iterable[Tensor], runs: Iterable[int]) -> list[Tensor]:
    """The states after these runs, each (B, C, H, W), on the CPU; 0 is the start."""
    wanted = list(runs)
    states = {n: x.cpu() for n, x in enumerate(islice(stream, max(wanted) + 1)) if n in wanted}
    return [states[n] for n in wanted]


@torch.no_grad()
def probabilities(judge: Any, x: Tensor) -> Tensor:
    """What a judge takes images for: (B, C, H, W) -> (B, K), on the CPU."""
    device = next(judge.parameters()).device
    return torch.cat([judge.probabilities(part.to(device)).cpu() for part in x.split(500)])


def looked_at(runs: int) -> list[int]:
    """The runs to look at, of so many: early ones more densely, the last always."""
    return [run for run in LOOKED_AT if run < runs] + [runs]


def _steps(stream: Iterable[Tensor], runs: int) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(0, start, start), (1, start, after run 1), ...; on the CPU."""
    states = (x.cpu() for x in islice(stream, runs + 1))
    start = next(states)
    yield 0, start, start
    yield from ((n, before, after) for n, (before, after) in enumerate(pairwise(chain([start], states)), 1))


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
    far, which = distance_nearest(end, points)
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


UNIT = 65_535  # a distance of 1


def facts(steps: Sequence[tuple[Tensor, Tensor]], reference: Tensor | None, neighbours: int) -> bytes:
    """By frame, by kind, by cell: how far it moved; with a reference, how far its nearest images are, and their rows.

    Little-endian. steps: of each frame the images before and after its run, (B, C, H, W). Raises what `nearest` does.
    """
    before, after = (torch.cat(images) for images in zip(*steps, strict=True))
    known = [_whole(movement(before, after))[:, None]]
    if reference is not None:
        distances, rows = nearest(after, reference, neighbours)
        known += [_whole(distances), rows]
    numbers = torch.cat(known, 1).unflatten(0, (len(steps), -1)).transpose(1, 2)  # frames, kinds, cells
    return bytes(numbers.contiguous().numpy().astype("<u2").tobytes())


def _whole(distances: Tensor) -> Tensor:
    return (UNIT * distances.clamp(max=1)).round().long()
