"""Sheets of what a network does: kaleidoscopic maps and samples, and what a classifier confuses.

Start noise is red, with dashed lines that drop to the axis; samples are green; training points are black squares.

Which training point each start of a fine grid ends in; where samples started (red) and how they travelled (green).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import plot
from .hub import Kaleidoscope, stream
from .models import Judge, Manifold
from .samplers.kaleidoscope import NOWHERE, basins, kept, lattice, line, plane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image


def profile_figure(model: Manifold, points: Tensor, start: Tensor, now: Tensor, run: int, title: str) -> Any:
    """The profile above, the loss below. points (N, 1, 1, 1); start, now: samples before and after, (B, 1, 1, 1)."""
    drawing = plot.figure(5.6, 4.4, f"{title}: run {run}")
    upper, lower = drawing.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    x, y, loss = line(model, 400)
    at = points.flatten().tolist()
    upper.plot([0, 1], [0, 1], color="black", lw=0.6, ls=":", label="identity")
    upper.plot(x.tolist(), y.tolist(), color="black", lw=1.4, label="network")
    _fall(upper, start, now, x, y)
    upper.plot(at, at, "s", ms=6, color=plot.DATA, ls="", label="training points", zorder=3)
    upper.set_ylim(-0.03, 1.03)
    upper.set_ylabel("output", fontsize=8)
    upper.legend(fontsize=7, frameon=False, loc="upper left")
    lower.plot(x.tolist(), loss.tolist(), color="black", lw=1.4)
    _fall(lower, start, now, x, loss)
    lower.plot(at, [0] * len(at), "s", ms=6, color=plot.DATA, ls="", zorder=3, clip_on=False)
    lower.set_ylabel("loss", fontsize=8)
    lower.set_xlabel("input", fontsize=8)
    for panel, name in ((upper, "output manifold"), (lower, "loss manifold")):
        plot.plain(panel, name)
        panel.set_xlim(-0.03, 1.03)
    return drawing


def _fall(panel: Any, start: Tensor, now: Tensor, x: Tensor, y: Tensor) -> None:
    """Starts on the curve, with lines that drop from there; samples on the curve where they are now."""
    where, here = start.flatten().cpu(), now.flatten().cpu()
    above, at = _on(where, x, y), where.tolist()
    panel.vlines(at, 0, above, color=plot.START, lw=0.6, ls=(0, (4, 3)), alpha=0.7)
    panel.plot(at, above, "o", ms=4.5, mfc="white", mec=plot.START, ls="", label="start noise", zorder=4)
    green = {"ms": 4.5, "color": plot.SAMPLE, "ls": "", "label": "samples", "zorder": 5, "clip_on": False}
    panel.plot(here.tolist(), _on(here, x, y), "o", **green)


def _on(at: Tensor, x: Tensor, y: Tensor) -> list[float]:
    """The height of a curve of evenly spaced points from 0 to 1."""
    place = at.clamp(0, 1) * (len(x) - 1)
    left = place.floor().long().clamp(max=len(x) - 2)
    heights: list[float] = (y[left] + (place - left) * (y[left + 1] - y[left])).tolist()
    return heights


RUNS = (1, *range(5, 14), 300)


def states(k: Kaleidoscope, data: Tensor, samples: int = 36, runs: tuple[int, ...] = RUNS) -> dict[str, Tensor]:
    """What is drawn, by name: each (samples, C, H, W). data: uint8 (N, C, H, W), of which some are recovered."""
    rows = torch.arange(samples) * len(data) // samples
    x = data[rows].to(next(k.model.parameters()).device).float() / 255
    with torch.no_grad():
        found = {"training images, recovered": k.model.reconstruct(x).cpu()}
    runs = (*(run for run in runs if run < k.runs), k.runs)
    after = kept(stream(k, range(samples)), runs)
    return found | {f"run {run}": state for run, state in zip(runs, after, strict=True)}


def sequence_figure(found: Mapping[str, Tensor], title: str, *, across: int = 4, scale: int = 2) -> Any:
    """Panels of square grids, so many across, one per name; the cells are in the same place throughout."""
    side = max(1, round(len(next(iter(found.values()))) ** 0.5))
    grids = {name: plot.grid(x, side, scale=scale, gap=scale, margin=scale, ground=0.35) for name, x in found.items()}
    sheet = next(iter(grids.values()))
    down, dpi = -(-len(grids) // across), 150
    width, height = (sheet.width + 16) * across / dpi, (sheet.height + 46) * down / dpi + 0.35
    drawing = plot.figure(width, height, title, dpi)
    panels = list(drawing.subplots(down, across, squeeze=False).flat)
    for panel, (name, grid) in zip(panels, grids.items(), strict=False):
        panel.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set_title(name, fontsize=8, loc="left")
    for panel in panels:
        panel.set_axis_off()
    return drawing


def tiles(k: Kaleidoscope, samples: int = 64) -> bytes:
    """The sheet of a network as PNG: the start and runs 1, 5, 10, 30, 300 as rows, a sample a column; no gaps."""
    runs = [run for run in (0, 1, 5, 10, 30) if run < k.runs] + [k.runs]
    rows = kept(stream(k, range(samples)), runs)
    return plot.png(torch.cat(rows), samples)


FINE, COUNT = 61, 180  # starts along each side, of the surface and of the map


@dataclass(frozen=True, eq=False)
class Ground:
    """What samples are drawn on, computed once for all frames of a film."""

    loss: Tensor  # (FINE * FINE,)
    basins: Tensor  # (COUNT * COUNT,)


def ground(model: Manifold, points: Tensor) -> Ground:
    """The loss and the basins of a network of points in a plane, (N, 2, 1, 1)."""
    return Ground(plane(model, FINE)[1], basins(model, points, COUNT))


def surface_figure(points: Tensor, states: Sequence[Tensor], run: int, title: str, on: Ground) -> Any:
    """The surface at the left, the basins at the right. points (N, 2, 1, 1); states: start, ..., now, (B, 2, 1, 1)."""
    drawing = plot.figure(9.2, 4.3, f"{title}: run {run}")
    left = drawing.add_subplot(1, 2, 1, projection="3d")
    right = drawing.add_subplot(1, 2, 2)
    _surface(left, on.loss, points, states)
    _map(right, on.basins, points)
    paths = torch.stack([state.flatten(1).cpu() for state in states], 1).numpy()
    for path in paths:
        right.plot(path[:, 0], path[:, 1], color="black", lw=0.6, alpha=0.6)
    _marks(right, paths[:, 0], paths[:, -1])
    right.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing


def _surface(panel: Any, loss: Tensor, points: Tensor, states: Sequence[Tensor]) -> None:
    across, down, height = (v.reshape(FINE, FINE).numpy() for v in (*lattice(FINE).unbind(1), loss))
    top = float(height.max())
    floor = -0.6 * top
    panel.plot_surface(across, down, height, cmap="cividis", lw=0, rstride=1, cstride=1, alpha=0.8)
    panel.contourf(across, down, height, levels=14, zdir="z", offset=floor, cmap="cividis", alpha=0.65)
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], floor, "s", ms=5, color=plot.DATA, zorder=10)
    for samples, colour in ((states[0], plot.START), (states[-1], plot.SAMPLE)):
        flat = samples.flatten(1).cpu().numpy()
        panel.plot(flat[:, 0], flat[:, 1], floor, "o", ms=3.5, color=colour, zorder=11)
    panel.set_zlim(floor, top)
    panel.view_init(elev=24, azim=-58)
    panel.set_title("loss surface, contours below", fontsize=9, loc="left")
    panel.tick_params(labelsize=6, pad=-2)
    panel.locator_params(nbins=5)
    panel.set_zticks([tick for tick in panel.get_zticks() if 0 <= tick <= top])


def _map(panel: Any, where: Tensor, points: Tensor) -> None:
    from matplotlib.colors import ListedColormap

    cell = where.where(where != NOWHERE, torch.tensor(len(points))).view(COUNT, COUNT)
    shades = [plot.BASINS[n % len(plot.BASINS)] for n in range(len(points))]
    colours = ListedColormap([*shades, plot.NOWHERE])
    extent = (0, 1, 0, 1)
    panel.imshow(
        cell.numpy(), origin="lower", extent=extent, cmap=colours, vmin=-0.5, vmax=len(points) + 0.5, alpha=0.75
    )
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], "s", ms=7, color=plot.DATA, ls="", label="training points", zorder=6)
    if (where == NOWHERE).any():
        panel.plot([], [], "s", ms=7, color=plot.NOWHERE, mec="gray", ls="", label="ends elsewhere")
    plot.plain(panel, "basins of attraction")


def _marks(panel: Any, start: Any, now: Any) -> None:
    looks = {"ms": 4.5, "ls": "", "clip_on": False}
    panel.plot(start[:, 0], start[:, 1], "o", mfc="white", mec=plot.START, label="start noise", zorder=7, **looks)
    panel.plot(now[:, 0], now[:, 1], "o", color=plot.SAMPLE, mec="white", mew=0.5, label="samples", zorder=8, **looks)
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1)


def shadow(points: Tensor, states: Sequence[Tensor], run: int, title: str) -> Any:
    """The first two coordinates of points of many, (N, d, 1, 1), and of samples."""
    drawing = plot.figure(4.6, 4.3, f"{title}: run {run}")
    panel = plot.plain(drawing.subplots(), f"two of {points.shape[1]} coordinates")
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], "s", ms=5, color=plot.DATA, ls="", label="training points")
    _marks(panel, *(state.flatten(1).cpu().numpy() for state in (states[0], states[-1])))
    panel.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing


SCALE = 4  # pixels per pixel
POINTS = 10  # samples on a manifold, as published


def kaleidoscope_sheet(k: Kaleidoscope) -> bytes:
    """The sheet that is stored with a network, as PNG."""
    if k.points is None:
        return tiles(k)
    return plot.figure_png(landscape(k, list(islice(stream(k, range(POINTS)), k.runs + 1))))


def landscape(k: Kaleidoscope, states: Sequence[Tensor], on: Ground | None = None) -> Any:
    """Samples on the manifold of a network of points, as a figure. states: from the start to the present run.

    Of more than two coordinates the first two are shown. on: `ground`, if it is there. Raises ValueError for a network
    of pictures.
    """
    if k.points is None:
        raise ValueError(f"{k.name} learned pictures: it has no landscape to draw, make a sheet")
    run, dimension = len(states) - 1, k.points.shape[1]
    if dimension == 1:
        return profile_figure(k.model, k.points, states[0], states[-1], run, k.title)
    if dimension == 2:
        return surface_figure(k.points, states, run, k.title, on or ground(k.model, k.points))
    return shadow(k.points, states, run, k.title)


def drawn(k: Kaleidoscope, states: Iterable[Tensor], every: int = 1) -> "Iterator[Image]":
    """The frames of a film: the start, and the samples after every so many runs."""
    if k.points is None:
        for state in islice(states, 0, None, every):
            yield plot.grid(state.cpu(), scale=SCALE)
        return
    on = ground(k.model, k.points) if k.points.shape[1] == 2 else None
    seen: list[Tensor] = []
    for number, state in enumerate(states):
        seen.append(state)
        if number % every == 0:
            yield plot.picture(landscape(k, seen, on))


def still(k: Kaleidoscope, states: Sequence[Tensor], every: int | None = None) -> "Image":
    """One picture: the samples after the last run; or, with `every`, one row per sample and a column per state."""
    if k.points is not None:
        picture: Image = plot.picture(landscape(k, states))
        return picture
    if every is None:
        return plot.grid(states[-1].cpu(), scale=SCALE)
    return plot.strip([state.cpu() for state in states[::every]], scale=SCALE // 2, gap=1)


SURE, WRONG = 2, 6  # images of a class on the sheet: named rightly, and below them wrongly
PAIRS = 12  # confusions that are named


def answers(judge: Judge, images: Tensor) -> Tensor:
    """How probable each class is: uint8 (N, C, H, W) -> (N, K), on the CPU."""
    device = next(judge.parameters()).device
    with torch.no_grad():
        parts = [judge.probabilities(part.to(device).float() / 255).cpu() for part in images.split(1000)]
    return torch.cat(parts)


def confusion(labels: Tensor, told: Tensor) -> Tensor:
    """Images of each class (row) by what they were named (column): labels (N,), probabilities (N, K) -> (K, K)."""
    classes = told.shape[1]
    return torch.bincount(labels * classes + told.argmax(1), minlength=classes**2).view(classes, classes)


def report(found: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """A confusion (K, K) as JSON: how many, accuracy, that of every class and their mean, the commonest mistakes."""
    right, whole = found.diagonal(), found.sum(1)
    by_class = {name: r / n for name, r, n in zip(classes, right.tolist(), whole.tolist(), strict=True) if n}
    mistakes = (found - right.diag()).flatten()
    worst = mistakes.sort(descending=True, stable=True).indices[:PAIRS].tolist()
    return {
        "images": int(whole.sum()),
        "accuracy": (right.sum() / whole.sum()).item(),
        "accuracy_by_class": by_class,
        "mistakes": [
            {"class": classes[row // len(classes)], "named": classes[row % len(classes)], "images": int(mistakes[row])}
            for row in worst
            if mistakes[row]
        ],
        "confusion": found.tolist(),
    }


def table(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """The judges as Markdown: what each names how well. reports: what `report` says of each, by name."""
    lines = [
        "| judge | classes | images it had not seen | named rightly | commonest mistake |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name, said in reports.items():
        first = said["mistakes"][0]
        share = first["images"] / sum(said["confusion"][[*said["accuracy_by_class"]].index(first["class"])])
        mistake = f"{first['class']} taken for {first['named']}, {100 * share:.1f} %"
        lines.append(
            f"| `{name}` | {len(said['confusion'])} | {said['images']:,} | {100 * said['accuracy']:.1f} % | {mistake} |"
        )
    return "\n".join(lines)


def judge_sheet(images: Tensor, labels: Tensor, told: Tensor) -> bytes:
    """A column per class, as PNG: images it names most surely, and below them those it most surely names wrongly.

    images: uint8 (N, C, H, W); labels: (N,); told: probabilities (N, K). Where there are too few, nothing is shown.
    """
    (sure, named), blank = told.max(1), torch.zeros_like(images[:1])
    columns = []
    for label in range(told.shape[1]):
        of, right = labels == label, named == labels
        rows = [(of & right, SURE), (of & ~right, WRONG)]
        chosen = [_surest(images[which], sure[which], blank, count) for which, count in rows]
        columns.append(torch.cat(chosen))
    return plot.png(torch.stack(columns, 1).flatten(0, 1), columns=told.shape[1])


def _surest(images: Tensor, sure: Tensor, blank: Tensor, count: int) -> Tensor:
    best = images[sure.sort(descending=True, stable=True).indices[:count]]
    return torch.cat([best, *[blank] * (count - len(best))])
