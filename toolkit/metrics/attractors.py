"""Measures of an iterated network: movement, how many images are distinct, fixed points, basins of attraction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor

from .classifier import probabilities
from .distance import SAME, nearest, squared_distances
from .image import as_float

STILL = 0.01  # an image stands still if a run moves it by less
Row = dict[str, Any]


def movement(before: Tensor, after: Tensor) -> Tensor:
    """How far each image moved: (B, C, H, W) twice -> (B,). Raises ValueError for sets that differ in shape."""
    if before.shape != after.shape:
        raise ValueError(
            f"images {tuple(before.shape)} and {tuple(after.shape)} are not one set at two times: give the same shape"
        )
    return (as_float(after) - as_float(before)).flatten(1).square().mean(1).sqrt()


def standing_still(before: Tensor, after: Tensor, tol: float = STILL) -> Tensor:
    """Which images moved by less than tol, a copy always: (B, C, H, W) twice -> bool (B,)."""
    moved = movement(before, after)
    return (moved < tol) | (moved == 0)


@torch.no_grad()
def single_linkage(x: Tensor, tol: float = SAME) -> Tensor:
    """Single-linkage clusters, numbered from 0 by first appearance: (B, C, H, W) -> (B,), int64.

    Two images are in one cluster if steps of at most tol lead from one to the other over images of the set. Takes B
    squared distances.
    """
    flat = as_float(x).flatten(1)
    near = squared_distances(flat.double(), flat.double()) <= tol**2 * flat.shape[1]
    labels = torch.arange(len(flat))
    while len(flat):
        lowest = torch.where(near, labels, len(flat)).amin(1)
        lowest = lowest[lowest]  # the neighbour's neighbour at once: a chain is short
        if torch.equal(lowest, labels):
            break
        labels = lowest
    return labels.unique(return_inverse=True)[1]


def distinct(x: Tensor, tol: float = SAME) -> int:
    """How many distinct images there are, one per `single_linkage` cluster: (B, C, H, W) -> 0 to B."""
    return len(single_linkage(x, tol).unique())


def effective(x: Tensor, tol: float = SAME) -> float:
    """The effective number of distinct images, exp of the entropy of their shares: (B, C, H, W) -> 1 to `distinct`.

    0 for an empty set.
    """
    shares = single_linkage(x, tol).bincount().double() / max(1, len(x))
    return float((-shares * shares.log()).sum().exp()) if len(x) else 0.0


def flow(before: Tensor, after: Tensor, classes: int) -> Tensor:
    """How many samples went from each class to each: labels (B,) twice -> counts (classes, classes), int64.

    Rows are the classes before, columns those after. Raises ValueError for labels outside of 0 to classes - 1.
    """
    if before.shape != after.shape:
        raise ValueError(f"{len(before)} labels before and {len(after)} after: give one per sample, twice")
    for labels in (before, after):
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(f"labels from {labels.min()} to {labels.max()} are not in 0 to {classes - 1}")
    return (before.long() * classes + after.long()).bincount(minlength=classes**2).view(classes, classes)


PROBED = (1, 2, 3, 5, 8, 10, 13, 20, 30, 50, 100, 200, 300)


@dataclass(frozen=True, eq=False)
class Probe:
    """What samples are measured by.

    data: the training images, uint8 or float (N, C, H, W), if any; classifier: of them (`models.Judge`), if any.
    same: the distance under which two samples are not distinct; still: that under which a sample stands still.
    """

    data: Tensor | None
    classifier: Any = None
    same: float = SAME
    still: float = STILL


def probe_runs(stream: Iterable[Tensor], runs: Sequence[int], probe: Probe) -> list[Row]:
    """A row of measures (`row`) of the start, and one of each of these runs, which ascend from 1.

    With a classifier, a row has its mean confidence, how many samples are in each class, and the `flow` between
    classes since the last row.
    """
    rows: list[Row] = []
    labels: Tensor | None = None
    before: Tensor | None = None
    for number, state in enumerate(islice(stream, runs[-1] + 1)):
        after = state.cpu()
        before = after if before is None else before
        if number in (0, *runs):
            now = {"run": number, **row(before, after, probe)}
            if not number:
                del now["movement"], now["still"]  # nothing has moved yet
            if probe.classifier is not None:
                p = probabilities(probe.classifier, after)
                found, classes = p.argmax(1), p.shape[1]
                now["confidence"] = p.amax(1).mean().item()
                now["classes"] = found.bincount(minlength=classes).tolist()
                if labels is not None:
                    now["flow"] = flow(labels, found, classes).tolist()
                labels = found
            rows.append(now)
        before = after
    return rows


def row(before: Tensor, after: Tensor, probe: Probe) -> Row:
    """The measures of one run: images before and after it, (B, C, H, W).

    movement: in this run, mean; still: the share that stand still; distinct, effective: the number of images; tight,
    loose: `distinct` at half and at twice the distance. With data, distance: to the nearest training image, mean;
    reached: how many training images are nearest to one of the samples.
    """
    now: Row = {
        "movement": movement(before, after).mean().item(),
        "still": standing_still(before, after, probe.still).double().mean().item(),
        "distinct": distinct(after, probe.same),
        "tight": distinct(after, probe.same / 2),
        "loose": distinct(after, probe.same * 2),
        "effective": effective(after, probe.same),
    }
    if probe.data is not None:
        distances, which = nearest(after, probe.data)
        now |= {"distance": distances.mean().item(), "reached": len(which.unique())}
    return now


def probed_runs(runs: int) -> list[int]:
    """The runs to measure, of so many: early ones more densely, the last always."""
    return [run for run in PROBED if run < runs] + [runs]


def states_at(stream: Iterable[Tensor], runs: Iterable[int]) -> list[Tensor]:
    """The states after these runs, each (B, C, H, W), on the CPU; 0 is the start."""
    wanted = list(runs)
    states = {n: x.cpu() for n, x in enumerate(islice(stream, max(wanted) + 1)) if n in wanted}
    return [states[n] for n in wanted]


UNIT = 65_535  # a distance of 1


def frame_measures(steps: Sequence[tuple[Tensor, Tensor]], reference: Tensor | None, neighbours: int) -> bytes:
    """By frame, measure and cell: movement; with a reference, distances to its nearest images, and their rows.

    Little-endian uint16. steps: of each frame the images before and after its run, (B, C, H, W). Raises what `nearest`
    does.
    """
    before, after = (torch.cat(images) for images in zip(*steps, strict=True))
    known = [movement(before, after)[:, None]]
    rows = []
    if reference is not None:
        distances, nearest_rows = nearest(after, reference, neighbours)
        known, rows = [*known, distances], [nearest_rows]
    levels = [(UNIT * distance.clamp(max=1)).round().long() for distance in known]
    numbers = torch.cat([*levels, *rows], 1).unflatten(0, (len(steps), -1)).transpose(1, 2)  # frames, measures, cells
    return bytes(numbers.contiguous().numpy().astype("<u2").tobytes())


# Fixed points and basins. model: a network with `reconstruct`, on any device; points of d coordinates are (N, d, 1, 1).
NOWHERE = -1


def line(model: Any, count: int = 100) -> tuple[Tensor, Tensor, Tensor]:
    """X from 0 to 1, f(x), and the loss (x - f(x))^2: (count,) each. The published figure has 100 points."""
    x = torch.linspace(0, 1, count)
    y = _iterated(model, x[:, None, None, None], 1).flatten()
    return x, y, (x - y).square()


def plane(model: Any, count: int = 21) -> tuple[Tensor, Tensor]:
    """The starts on a `lattice`, (count * count, 2), and the loss there, |x - f(x)|^2 / 2. Published: 21 x 21."""
    x = lattice(count)
    return x, (_iterated(model, x[:, :, None, None], 1).flatten(1) - x).square().mean(1)


def lattice(count: int) -> Tensor:
    """A grid over the unit square, (count * count, 2); the first coordinate changes fastest."""
    ticks = torch.linspace(0, 1, count)
    return torch.cartesian_prod(ticks, ticks).flip(1)


def basins(model: Any, points: Tensor, count: int, *, runs: int = 100, tol: float = 0.05) -> Tensor:
    """Which training point each start of a `lattice` ends in: (count * count,), NOWHERE if in none.

    points: (N, 2, 1, 1). tol: the largest root mean squared difference of an end from its point.
    """
    distances, which = nearest(_iterated(model, lattice(count)[:, :, None, None], runs), points)
    return torch.where(distances[:, 0] <= tol, which[:, 0], NOWHERE)


def attracting(model: Any, points: Tensor, *, off: float = 0.02, runs: int = 200) -> Tensor:
    """Which training points attract: all starts that are `off` from it, along every axis, end nearer than half of that.

    points: (N, d, 1, 1) -> bool (N,).
    """
    dimension = points.shape[1]
    steps = torch.cat([torch.eye(dimension), -torch.eye(dimension)])[:, :, None, None] * off
    starts = (points.cpu()[:, None] + steps).clamp(0, 1).flatten(0, 1)
    missed = (_iterated(model, starts, runs) - points.cpu().repeat_interleave(2 * dimension, 0)).flatten(1)
    return (missed.abs().amax(1) < off / 2).view(len(points), -1).all(1)


def fixed(model: Any, data: Tensor, *, runs: int = 30, tol: float = 0.1) -> Tensor:
    """Which training images are fixed points: at most tol away after so many runs, (N, C, H, W) -> bool (N,)."""
    return movement(data, _iterated(model, data, runs)) <= tol


def worst_corner(model: Any) -> float:
    """The largest loss over the corners of the unit cube (the published measure of the dimension study)."""
    corners = torch.tensor(list(product((0.0, 1.0), repeat=model.config.channels)))[:, :, None, None]
    return (_iterated(model, corners, 1) - corners).square().mean(1).max().item()


@torch.no_grad()
def _iterated(model: Any, x: Tensor, runs: int) -> Tensor:
    """The images after so many runs without perturbation, on the CPU; what no longer changes is not run again."""
    ends = now = x.to(next(model.parameters()).device)
    rows = torch.arange(len(now), device=now.device)
    for _ in range(runs):
        after = model.reconstruct(now)
        changed = (after != now).flatten(1).any(1)
        rows, now = rows[changed], after[changed]
        ends = ends.index_copy(0, rows, now)
    return ends.cpu()
