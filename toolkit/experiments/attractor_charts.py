"""Charts of the study of kaleidoscopic networks."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from statistics import fmean
from typing import Any

import numpy as np
from torch import Tensor

from .. import plot
from ..metrics.attractors import flow, single_linkage
from ..metrics.stats import Interval, interval

RUNS = {
    "distance": "distance to the training images",
    "movement": "movement in a run",
    "still": "share standing still",
    "distinct": "different pictures",
    "effective": "different pictures, by frequency",
    "confidence": "confidence of a classifier",
}
SHADES = ("#0072B2", "#000000", "#56B4E9", "#009E73", "#E69F00", "#D55E00")  # Okabe and Ito; the usual one is black
LEGENDS = {
    "depth": "hidden layers", "equal": "hidden layers, equal loss", "width": "units in a layer",
    "steps": "steps of training", "images": "images",
}  # fmt: skip


def runs_chart(
    found: Mapping[str, Sequence[Mapping[str, float]]], usual: str, real: Mapping[str, float], title: str
) -> Any:
    """Small multiples over runs, one line per perturbation. real: of real images, dotted, by measure."""
    drawing = plot.figure(9.2, 4.6, title)
    panels = list(drawing.subplots(2, 3, sharex=True).flat)
    ticks = [run for run in (1, 3, 10, 30, 100, 300) if run <= found[usual][-1]["run"]]
    for panel, (measure, words) in zip(panels, RUNS.items(), strict=True):
        plot.plain(panel, words)
        for (name, rows), shade in zip(found.items(), SHADES, strict=True):
            points = [(row["run"], row[measure]) for row in rows if row["run"]]
            look = {"lw": 1.8, "zorder": 3} if name == usual else {"lw": 1.1, "zorder": 2}
            panel.plot(*zip(*points, strict=True), marker="o", ms=2.2, label=name, color=shade, **look)
        _logarithmic(panel, 10, {run: str(run) for run in ticks})
        panel.set_ylim(bottom=0)
        if measure in real:
            panel.axhline(real[measure], color="black", lw=0.9, ls=":", label="real images, not learned")
    for panel in panels[3:]:
        panel.set_xlabel("run", fontsize=8)
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=7, frameon=False)
    return drawing


def sweeps_chart(
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    varied: Mapping[str, str],
    measures: Mapping[str, str],
    title: str,
) -> Any:
    """Measures as rows, settings as columns: the mean over seeds and its 95 % interval, at each value.

    tables: by sweep; varied: which setting each varies; measures: and what they are called.
    """
    drawing = plot.figure(10.4, 1.45 * len(measures) + 0.5, title)
    panels = drawing.subplots(len(measures), len(varied), sharey="row", sharex="col", squeeze=False)
    for line, (measure, words) in zip(panels, measures.items(), strict=True):
        tops = []
        for panel, (sweep, setting) in zip(line, varied.items(), strict=True):
            rows = tables[sweep]
            values = [row[setting] for row in rows]
            _with_interval(plot.plain(panel), values, [row[measure] for row in rows], "black")
            _doubling(panel, values)
            tops.append(max(row[measure]["mean"] for row in rows))
        line[0].set_title(words, fontsize=8, loc="left")
        line[0].set_ylim(0, 1.08 * max(tops) or 1.0)  # a wide interval may leave the panel
    for panel, sweep in zip(panels[-1], varied, strict=True):
        panel.set_xlabel(LEGENDS[sweep], fontsize=8)
    return drawing


def _with_interval(panel: Any, x: Sequence[float], y: Sequence[Interval], colour: str, label: str = "") -> None:
    ends = [[each["mean"] if each[end] is None else each[end] for each in y] for end in ("low", "high")]
    panel.fill_between(x, *ends, color=colour, alpha=0.14, lw=0)
    panel.plot(x, [each["mean"] for each in y], color=colour, lw=1.2, marker="o", ms=2.5, label=label)


def _doubling(panel: Any, values: Sequence[float]) -> None:
    _logarithmic(panel, 2, {value: f"{value:,}" if value < 1000 else f"{value / 1000:g}k" for value in values})


def _logarithmic(panel: Any, base: int, ticks: Mapping[float, str]) -> None:
    from matplotlib.ticker import NullLocator

    panel.set_xscale("log", base=base)
    panel.set_xticks(list(ticks), list(ticks.values()))
    panel.xaxis.set_minor_locator(NullLocator())


def points_chart(line: Sequence[Mapping[str, Any]], cube: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Left: four points on a line, against depth. Right: the largest loss at a corner, against the number of points."""
    drawing = plot.figure(8.6, 3.9, title)
    left, right = drawing.subplots(1, 2)
    depths = [row["depth"] for row in line]
    curves = {
        "samples that end at a training point": [row["landed"] for row in line],
        "training points that attract": [row["attracting"] for row in line],
        "networks in which all four do": [[share == 1 for share in row["attracting"]] for row in line],
        "networks that learn the points": [row["fit"] for row in line],
    }
    for (words, shares), shade in zip(curves.items(), (plot.SAMPLE, "black", plot.START, "#999999"), strict=True):
        means = [fmean(each) if each else float("nan") for each in shares]
        left.plot(depths, means, marker="o", ms=3, lw=1.2, color=shade, label=words)
    plot.plain(left, "four points on a line: shares").set_xlabel("hidden layers", fontsize=8)
    left.set_ylim(-0.02, 1.04)
    left.set_xticks(depths)
    left.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2))
    for dimension, shade in zip(sorted({row["dimension"] for row in cube}), SHADES, strict=False):
        rows = [row for row in cube if row["dimension"] == dimension]
        counts = [row["count"] for row in rows]
        _with_interval(right, counts, [interval(row["worst_corner"]) for row in rows], shade, f"{dimension} dimensions")
        _doubling(right, counts)
    plot.plain(right, "scattered points: largest loss at a corner").set_xlabel("training points", fontsize=8)
    right.set_ylim(bottom=0)
    right.legend(fontsize=7, frameon=False)
    return drawing


WIDTH, AIR = 0.16, 0.012  # of a column, in units of their distance; between classes, as a share of all samples
PALE = (1, 5)  # colours that take black letters


def alluvial_figure(labels: Mapping[int, Tensor], names: Sequence[str], title: str) -> Any:
    """How samples move between classes. labels: the class of each sample after each run, (B,), by run.

    A class without samples takes no room. What stays is pale, what leaves has the colour of where it comes from.
    """
    runs, count = list(labels), len(next(iter(labels.values())))
    drawing = plot.figure(1.5 + 1.25 * len(runs), 4.6, title)
    panel = drawing.subplots()
    heights = [(labels[run].bincount(minlength=len(names)).double() / count).tolist() for run in runs]
    tops = [list(accumulate((h + (AIR if h else 0) for h in each), initial=0.0))[:-1] for each in heights]
    for column, (before, after) in enumerate(pairwise(runs)):
        moved = flow(labels[before], labels[after], len(names)).double() / count
        _ribbons(panel, column, moved, list(tops[column]), list(tops[column + 1]))
    for column, (each, top) in enumerate(zip(heights, tops, strict=True)):
        _blocks(panel, column, each, top, names, last=column == len(runs) - 1)
    panel.set_xticks(range(len(runs)), [f"run {run}" for run in runs], fontsize=8)
    panel.set_yticks([])
    panel.set_xlim(-0.35, len(runs) - 0.65)
    panel.set_ylim(1 + AIR * len(names), -0.01)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    return drawing


def _ribbons(panel: Any, column: int, moved: Tensor, left: list[float], right: list[float]) -> None:
    """moved: shares of all samples, (classes, classes); left, right: where each class begins, which this moves on."""
    across = np.linspace(0, 1, 40)
    smooth = across**2 * (3 - 2 * across)
    x = column + WIDTH / 2 + (1 - WIDTH) * across
    for before, row in enumerate(moved.tolist()):
        for after, share in enumerate(row):
            if share:
                top = left[before] + (right[after] - left[before]) * smooth
                colour, alpha = plot.CLASSES[before % len(plot.CLASSES)], 0.28 if before == after else 0.6
                panel.fill_between(x, top, top + share, color=colour, alpha=alpha, lw=0)
                left[before] += share
                right[after] += share


def _blocks(
    panel: Any, column: int, heights: Sequence[float], tops: Sequence[float], names: Sequence[str], last: bool
) -> None:
    for label, (height, top) in enumerate(zip(heights, tops, strict=True)):
        if not height:
            continue
        panel.bar(column, height, WIDTH, top, color=plot.CLASSES[label % len(plot.CLASSES)], lw=0)
        if height > 0.02:
            shade = "black" if label in PALE else "white"
            panel.text(column, top + height / 2, names[label], color=shade, ha="center", va="center", fontsize=7)
        if last:
            share = f"{names[label]}  {100 * height:.0f} %"
            panel.text(column + WIDTH, top + height / 2, share, va="center", fontsize=7)


ACROSS, MOST = 12, 60  # pictures in a row, and on the sheet


def collapse_figure(x: Tensor, same: float, title: str) -> Any:
    """Pictures with their number of samples below, the most frequent first. x: (B, C, H, W); same: a tolerance."""
    found = largest(x, same)[:MOST]
    down = -(-len(found) // ACROSS)
    drawing = plot.figure(0.62 * ACROSS + 0.2, 0.8 * down + 0.4, title)
    panel = drawing.subplots()
    for place, (sample, count) in enumerate(found):
        row, column = divmod(place, ACROSS)
        picture = x[sample].permute(1, 2, 0).squeeze(-1).clamp(0, 1).numpy()
        sides = (column + 0.04, column + 0.96, 1.28 * row + 0.92, 1.28 * row)
        panel.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=sides, interpolation="nearest")
        panel.text(column + 0.5, 1.28 * row + 0.96, str(count), ha="center", va="top", fontsize=7)
    panel.set_xlim(0, ACROSS)
    panel.set_ylim(1.28 * down, 0)
    panel.set_axis_off()
    return drawing


def largest(x: Tensor, same: float) -> list[tuple[int, int]]:
    """The pictures by how many samples they have: (the first of these samples, how many), most frequent first."""
    labels = single_linkage(x, same)
    counts = labels.bincount().tolist()
    first = {label: place for place, label in reversed(list(enumerate(labels.tolist())))}
    return sorted(((first[label], count) for label, count in enumerate(counts)), key=lambda it: (-it[1], it[0]))


def sequence_figure(found: Mapping[str, Tensor], title: str, *, across: int = 4, scale: int = 2) -> Any:
    """Panels of square grids, so many across, one per name; the cells are in the same place throughout."""
    side = max(1, round(len(next(iter(found.values()))) ** 0.5))
    grids = {name: plot.grid(x, side, scale=scale, gap=scale, margin=scale, ground=0.35) for name, x in found.items()}
    sheet = next(iter(grids.values()))
    down, dpi = -(-len(grids) // across), 150
    width, height = (sheet.width + 16) * across / dpi, (sheet.height + 46) * down / dpi + 0.35
    drawing = plot.figure(width, height, title, dpi)
    panels = list(drawing.subplots(down, across, squeeze=False).flat)
    for panel, (name, cells) in zip(panels, grids.items(), strict=False):
        panel.imshow(cells, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set_title(name, fontsize=8, loc="left")
    for panel in panels:
        panel.set_axis_off()
    return drawing
