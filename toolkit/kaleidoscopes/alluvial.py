"""Which class samples are in, and where they go: an alluvial diagram, one column per run."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from ..metrics.attractors import flow
from . import ink

WIDTH, AIR = 0.16, 0.012  # of a column, in units of their distance; between classes, as a share of all samples
PALE = (1, 5)  # colours that take black letters


def figure(labels: Mapping[int, Tensor], names: Sequence[str], title: str) -> Any:
    """labels: the class of each sample after each run, (B,), by run. names: of the classes."""
    runs, count = list(labels), len(next(iter(labels.values())))
    drawing = ink.figure(1.5 + 1.25 * len(runs), 4.6, title)
    panel = drawing.subplots()
    heights = [labels[run].bincount(minlength=len(names)).double() / count for run in runs]
    floors = [_stacked(each) for each in heights]
    for column, (before, after) in enumerate(pairwise(runs)):
        moved = flow(labels[before], labels[after], len(names)).double() / count
        _ribbons(panel, column, moved, floors[column], floors[column + 1])
    for column, (each, floor) in enumerate(zip(heights, floors, strict=True)):
        _blocks(panel, column, each.tolist(), floor, names, last=column == len(runs) - 1)
    panel.set_xticks(range(len(runs)), [f"run {run}" for run in runs], fontsize=8)
    panel.set_yticks([])
    panel.set_xlim(-0.35, len(runs) - 0.65)
    panel.set_ylim(1 + AIR * len(names), -0.01)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    return drawing


def _stacked(heights: Tensor) -> list[float]:
    """Where each class begins, from above; a class without samples takes no room."""
    at, tops = 0.0, []
    for height in heights.tolist():
        tops.append(at)
        at += height + (AIR if height else 0)
    return tops


def _ribbons(panel: Any, column: int, moved: Tensor, left: Sequence[float], right: Sequence[float]) -> None:
    """What moves from each class to each: what stays is pale, what leaves has the colour of where it comes from."""
    from_, to = list(left), list(right)
    for before, row in enumerate(moved.tolist()):
        for after, share in enumerate(row):
            if share:
                colour = ink.CLASSES[before % len(ink.CLASSES)]
                a, b = from_[before], to[after]
                panel.add_patch(
                    _ribbon(column + WIDTH / 2, column + 1 - WIDTH / 2, a, b, share, colour, before == after)
                )
                from_[before] += share
                to[after] += share


def _ribbon(x0: float, x1: float, a: float, b: float, height: float, colour: str, stays: bool) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    middle = (x0 + x1) / 2
    corners = [
        (x0, a), (middle, a), (middle, b), (x1, b),
        (x1, b + height), (middle, b + height), (middle, a + height), (x0, a + height), (x0, a),
    ]  # fmt: skip
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    return PathPatch(Path(corners, codes), fc=colour, alpha=0.28 if stays else 0.6, lw=0)


def _blocks(
    panel: Any, column: int, heights: Sequence[float], tops: Sequence[float], names: Sequence[str], last: bool
) -> None:
    from matplotlib.patches import Rectangle

    for label, (height, top) in enumerate(zip(heights, tops, strict=True)):
        if not height:
            continue
        colour = ink.CLASSES[label % len(ink.CLASSES)]
        panel.add_patch(Rectangle((column - WIDTH / 2, top), WIDTH, height, fc=colour, lw=0))
        if height > 0.02:
            shade = "black" if label in PALE else "white"
            panel.text(column, top + height / 2, names[label], color=shade, ha="center", va="center", fontsize=7)
        if last:
            share = f"{names[label]}  {100 * height:.0f} %"
            panel.text(column + WIDTH, top + height / 2, share, va="center", fontsize=7)
