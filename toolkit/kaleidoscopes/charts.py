"""The study as charts: what happens from run to run, what the settings do, what scattered points do to a cube."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ..metrics.interval import Interval, interval
from . import ink
from .sizes import PERTURBATIONS, SWEEPS, USUAL
from .verdict import MEASURES

RUNS = {
    "distance": "distance to the training images",
    "movement": "movement in a run",
    "still": "share standing still",
    "distinct": "different pictures",
    "effective": "different pictures, by frequency",
    "confidence": "confidence of a classifier",
}
SHADES = ("#0072B2", "#000000", "#56B4E9", "#009E73", "#E69F00", "#D55E00")  # Okabe and Ito; the usual way is black
SHOWN = ("loss", "distance", "confidence", "distinct", "kept", "fixed")
LEGENDS = {
    "depth": "hidden layers", "equal": "hidden layers, equal loss", "width": "units in a layer",
    "steps": "steps of training", "images": "images",
}  # fmt: skip


def runs(ways: Mapping[str, Sequence[Mapping[str, float]]], baseline: Mapping[str, float], title: str) -> Any:
    """Small multiples over runs, one line per perturbation. baseline: of real images, dotted, by measure."""
    from matplotlib.ticker import NullLocator

    drawing = ink.figure(9.2, 4.6, title)
    panels = list(drawing.subplots(2, 3, sharex=True).flat)
    ticks = [run for run in (1, 3, 10, 30, 100, 300) if run <= ways[USUAL][-1]["run"]]
    for panel, (measure, words) in zip(panels, RUNS.items(), strict=True):
        ink.plain(panel, words)
        for way, shade in zip(PERTURBATIONS, SHADES, strict=True):
            points = [(row["run"], row[measure]) for row in ways[way] if row["run"]]
            usual = {"color": shade, "lw": 1.8 if way == USUAL else 1.1, "zorder": 3 if way == USUAL else 2}
            panel.plot(*zip(*points, strict=True), marker="o", ms=2.2, label=way, **usual)
        panel.set_xscale("log")
        panel.set_xticks(ticks, [str(run) for run in ticks])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_ylim(bottom=0)
        if measure in baseline:
            panel.axhline(baseline[measure], color="black", lw=0.9, ls=":", label="real images, not learned")
    for panel in panels[3:]:
        panel.set_xlabel("run", fontsize=8)
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=7, frameon=False)
    return drawing


def sweeps(tables: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Any:
    """Measures as rows, settings as columns: the mean over seeds and its 95 % interval, at each value."""
    drawing = ink.figure(10.4, 1.45 * len(SHOWN) + 0.5, title)
    panels = drawing.subplots(len(SHOWN), len(SWEEPS), sharey="row", sharex="col", squeeze=False)
    for line, measure in zip(panels, SHOWN, strict=True):
        tops = [_curve(panel, tables[setting], setting, measure) for panel, setting in zip(line, SWEEPS, strict=True)]
        line[0].set_title(MEASURES[measure], fontsize=8, loc="left")
        line[0].set_ylim(0, 1.08 * max(tops) or 1.0)  # a wide interval may leave the panel
    for panel, setting in zip(panels[-1], SWEEPS, strict=True):
        panel.set_xlabel(LEGENDS[setting], fontsize=8)
    return drawing


def _curve(panel: Any, rows: Sequence[Mapping[str, Any]], over: str, measure: str) -> float:
    """Draw one measure, and say how high its means reach."""
    ink.plain(panel)
    values = [row[SWEEPS[over]] for row in rows]
    _with_interval(panel, values, [row[measure] for row in rows], "black")
    _doubling(panel, values)
    reach: float = max(row[measure]["mean"] for row in rows)
    return reach


def _with_interval(panel: Any, x: Sequence[float], y: Sequence[Interval], colour: str, label: str = "") -> None:
    means = [each["mean"] for each in y]
    low = [each["mean"] if each["low"] is None else each["low"] for each in y]
    high = [each["mean"] if each["high"] is None else each["high"] for each in y]
    panel.fill_between(x, low, high, color=colour, alpha=0.14, lw=0)
    panel.plot(x, means, color=colour, lw=1.2, marker="o", ms=2.5, label=label)


def _doubling(panel: Any, values: Sequence[float]) -> None:
    """A logarithmic axis with a tick at each value."""
    from matplotlib.ticker import NullLocator

    panel.set_xscale("log", base=2)
    panel.set_xticks(values, [f"{value:,}" if value < 1000 else f"{value / 1000:g}k" for value in values])
    panel.xaxis.set_minor_locator(NullLocator())


def points(line: Sequence[Mapping[str, Any]], cube: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Left: four points on a line, against depth. Right: the largest loss at a corner, against the number of points."""
    drawing = ink.figure(8.6, 3.9, title)
    left, right = drawing.subplots(1, 2)
    depths = [row["depth"] for row in line]
    curves = {
        "samples that end at a training point": [_mean(row["landed"]) for row in line],
        "training points that attract": [_mean(row["attracting"]) for row in line],
        "networks in which all four do": [_mean([share == 1 for share in row["attracting"]]) for row in line],
        "networks that learn the points": [_mean(row["fit"]) for row in line],
    }
    for (words, shares), shade in zip(curves.items(), (ink.SAMPLE, "black", ink.START, "#999999"), strict=True):
        left.plot(depths, shares, marker="o", ms=3, lw=1.2, color=shade, label=words)
    ink.plain(left, "four points on a line: shares").set_xlabel("hidden layers", fontsize=8)
    left.set_ylim(-0.02, 1.04)
    left.set_xticks(depths)
    left.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2))
    for dimension, shade in zip(sorted({row["dimension"] for row in cube}), SHADES, strict=False):
        rows = [row for row in cube if row["dimension"] == dimension]
        counts = [row["count"] for row in rows]
        _with_interval(right, counts, [interval(row["worst_corner"]) for row in rows], shade, f"{dimension} dimensions")
        _doubling(right, counts)
    ink.plain(right, "scattered points: largest loss at a corner").set_xlabel("training points", fontsize=8)
    right.set_ylim(bottom=0)
    right.legend(fontsize=7, frameon=False)
    return drawing


def _mean(values: Sequence[float]) -> float:
    """The mean; of nothing, nothing to draw."""
    return fmean(values) if values else float("nan")
