"""Kaleidoscopic sampling, what its samples do from run to run, and the fixed points and basins of a network."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor

from ..config import choose
from ..metrics.classifier import probabilities
from ..metrics.distance import STILL, distinct, effective, flow, movement, nearest, standing_still
from ..models.manifold import Manifold
from ..seeds import Noise
from .iterate import Step, iterate

MODES = ("centred", "published", "none")
TOGETHER, AT_ONCE = 16, 2**26  # runs whose perturbations are drawn together, and at most so many bytes


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

    A run is the step; before every run but the first the images are perturbed, by `perturbation` times `perturbations`.
    What is yielded is the output of the step, unperturbed; for a burn-in, look at later runs: islice(stream, 5, None).
    shape: (C, H, W). start: "uniform", "normal" (mean and standard deviation 1/2, clipped) or images (B, *shape).
    Without perturbation this is `iterate`. Raises ValueError for an unknown mode or start, a perturbation outside of
    0 to 1, or images of another shape.
    """
    choose("mode", mode, MODES)
    if not 0 <= perturbation <= 1:
        raise ValueError(f"perturbation is {perturbation}: give a strength from 0 to 1, as 0.01")
    x = start_images(start, noise, shape).to(device)
    by = perturbation / 2  # the published range of pixels is twice as wide as ours
    yield x
    x = step(x)
    if mode == "none" or perturbation == 0:
        yield from iterate(step, x)
        return
    for added in perturbations(noise, shape, mode, x.device):
        yield x
        x = step(torch.add(x, added, alpha=by, out=added).clamp_(0, 1))  # in place: new memory is slow


def perturbations(
    noise: Noise, shape: tuple[int, ...], mode: str = "centred", device: str | torch.device = "cpu"
) -> Iterator[Tensor]:
    """What is added to images in run after run, (B, *shape), in units of the published pixel range, [-1, 1].

    centred: uniform in [-1, 1), of mean zero. published: uniform in [1, 3), as the published code does: it brightens.
    Of 256 levels: drawing them costs less than a run. Raises ValueError for another mode.
    """
    lowest = {"centred": -1.0, "published": 1.0}[choose("mode", mode, ["centred", "published"])]
    together = max(1, min(TOGETHER, AT_ONCE // max(1, len(noise) * math.prod(shape))))
    while True:
        for levels in noise.bytes(together, *shape):
            yield levels.to(device).float().mul_(2 / 256).add_(lowest + 1 / 256)


def start_images(start: str | Tensor, noise: Noise, shape: tuple[int, ...]) -> Tensor:
    """The images that sampling starts from, (B, *shape) in [0, 1]. Raises ValueError as `kaleidoscope` does."""
    if isinstance(start, Tensor):
        if start.shape != (len(noise), *shape):
            raise ValueError(f"start images of shape {tuple(start.shape)} are not {(len(noise), *shape)}: resize them")
        return start
    choose("start", start, ["uniform", "normal"])
    return noise.rand(*shape) if start == "uniform" else (0.5 + 0.5 * noise.randn(*shape)).clamp(0, 1)


PROBED = (1, 2, 3, 5, 8, 10, 13, 20, 30, 50, 100, 200, 300)
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Probe:
    """What samples are measured by.

    data: the training images, uint8 or float (N, C, H, W), if any; classifier: of them (`models.Judge`), if any.
    same: how near two samples are one picture, as root mean squared difference; still: how far one moves that does not.
    """

    data: Tensor | None
    classifier: Any = None
    same: float = 0.1
    still: float = STILL


def probe_runs(stream: Iterable[Tensor], runs: Sequence[int], probe: Probe) -> list[Row]:
    """A row of measures of the start, and one of each of these runs; see `row`. runs: ascending, from 1.

    With a classifier, a row has how many samples are in each class, and how many went from each to each since the last
    row.
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
                chances = probabilities(probe.classifier, after)
                found, classes = chances.argmax(1), chances.shape[1]
                now["confidence"] = chances.amax(1).mean().item()
                now["classes"] = found.bincount(minlength=classes).tolist()
                if labels is not None:
                    now["flow"] = flow(labels, found, classes).tolist()
                labels = found
            rows.append(now)
        before = after
    return rows


def row(before: Tensor, after: Tensor, probe: Probe) -> Row:
    """The measures of one run: images before and after it, (B, C, H, W).

    movement: in this run, mean; still: the share that stand still; distinct, effective: how many pictures there are
    (`metrics.distance`), and tight, loose: if half, or twice, as much counts as the same. With data, distance: to the
    nearest training image, mean; reached: how many training images are nearest to one of the samples.
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
        far, which = nearest(after, probe.data)
        now |= {"distance": far.mean().item(), "reached": len(which.unique())}
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
    """By frame, by kind, by cell: how far it moved; with a reference, how far its nearest images are, and their rows.

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
    numbers = torch.cat([*levels, *rows], 1).unflatten(0, (len(steps), -1)).transpose(1, 2)  # frames, kinds, cells
    return bytes(numbers.contiguous().numpy().astype("<u2").tobytes())


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
    return torch.cartesian_prod(ticks, ticks).flip(1)


def basins(model: Manifold, points: Tensor, count: int, *, runs: int = 100, tol: float = 0.05) -> Tensor:
    """Which training point each start of a grid ends in, without perturbation: (count * count,), NOWHERE if in none.

    points: (N, 2, 1, 1). tol: how near an end must be, as root mean squared difference. Rows as in `plane`.
    """
    far, which = nearest(_after(model, lattice(count)[:, :, None, None], runs), points)
    return torch.where(far[:, 0] <= tol, which[:, 0], NOWHERE)


def attracting(model: Manifold, points: Tensor, *, off: float = 0.02, runs: int = 200) -> Tensor:
    """Which training points attract: all starts that are `off` from it, along every axis, end nearer than half of that.

    points: (N, d, 1, 1) -> bool (N,).
    """
    dimension = points.shape[1]
    steps = torch.cat([torch.eye(dimension), -torch.eye(dimension)])[:, :, None, None] * off
    starts = (points.cpu()[:, None] + steps).clamp(0, 1).flatten(0, 1)
    missed = (_after(model, starts, runs) - points.cpu().repeat_interleave(2 * dimension, 0)).flatten(1).abs().amax(1)
    return (missed < off / 2).view(len(points), -1).all(1)


def fixed(model: Manifold, data: Tensor, *, runs: int = 30, tol: float = 0.1) -> Tensor:
    """Which training images stay where they are, through so many runs without perturbation: (N, C, H, W) -> bool (N,).

    tol: how far the last may be from the first, as root mean squared difference.
    """
    return (_after(model, data, runs) - data.cpu()).flatten(1).square().mean(1).sqrt() <= tol


@torch.no_grad()
def worst_corner(model: Manifold) -> float:
    """The largest loss over the corners of the unit cube (the published measure of the dimension study)."""
    corners = torch.tensor(list(product((0.0, 1.0), repeat=model.config.channels)))
    return (_through(model, corners) - corners).square().mean(1).max().item()


def _after(model: Manifold, starts: Tensor, runs: int) -> Tensor:
    """The images after so many runs without perturbation, on the CPU."""
    return states_at(iterate(model.reconstruct, starts.to(_device(model))), [runs])[0]


@torch.no_grad()
def _through(model: Manifold, x: Tensor) -> Tensor:
    return model.reconstruct(x[:, :, None, None].to(_device(model))).flatten(1).cpu()


def _device(model: Manifold) -> torch.device:
    return next(model.parameters()).device
