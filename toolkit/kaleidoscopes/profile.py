"""The 1D manifold: the function that was learned, its loss, and the samples that fall on it (the paper's first figure).

Start noise is red, with dashed lines that drop to the axis; samples are green; training points are black squares.
"""

from typing import Any

from torch import Tensor

from ..models import Manifold
from . import ink
from .landscape import line


def figure(model: Manifold, points: Tensor, start: Tensor, now: Tensor, run: int, title: str) -> Any:
    """The profile above, the loss below. points (N, 1, 1, 1); start, now: samples before and after, (B, 1, 1, 1)."""
    drawing = ink.figure(5.6, 4.4, f"{title}: run {run}")
    upper, lower = drawing.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    x, y, loss = line(model, 400)
    at = points.flatten().tolist()
    upper.plot([0, 1], [0, 1], color="black", lw=0.6, ls=":", label="identity")
    upper.plot(x.tolist(), y.tolist(), color="black", lw=1.4, label="network")
    _fall(upper, start, now, x, y)
    upper.plot(at, at, "s", ms=6, color=ink.DATA, ls="", label="training points", zorder=3)
    upper.set_ylim(-0.03, 1.03)
    upper.set_ylabel("output", fontsize=8)
    upper.legend(fontsize=7, frameon=False, loc="upper left")
    lower.plot(x.tolist(), loss.tolist(), color="black", lw=1.4)
    _fall(lower, start, now, x, loss)
    lower.plot(at, [0] * len(at), "s", ms=6, color=ink.DATA, ls="", zorder=3, clip_on=False)
    lower.set_ylabel("loss", fontsize=8)
    lower.set_xlabel("input", fontsize=8)
    for panel, name in ((upper, "output manifold"), (lower, "loss manifold")):
        ink.plain(panel, name)
        panel.set_xlim(-0.03, 1.03)
    return drawing


def _fall(panel: Any, start: Tensor, now: Tensor, x: Tensor, y: Tensor) -> None:
    """Starts on the curve, with lines that drop from there; samples on the curve where they are now."""
    where, here = start.flatten().cpu(), now.flatten().cpu()
    above, at = _on(where, x, y), where.tolist()
    panel.vlines(at, 0, above, color=ink.START, lw=0.6, ls=(0, (4, 3)), alpha=0.7)
    panel.plot(at, above, "o", ms=4.5, mfc="white", mec=ink.START, ls="", label="start noise", zorder=4)
    green = {"ms": 4.5, "color": ink.SAMPLE, "ls": "", "label": "samples", "zorder": 5, "clip_on": False}
    panel.plot(here.tolist(), _on(here, x, y), "o", **green)


def _on(at: Tensor, x: Tensor, y: Tensor) -> list[float]:
    """The height of a curve of evenly spaced points from 0 to 1."""
    place = at.clamp(0, 1) * (len(x) - 1)
    left = place.floor().long().clamp(max=len(x) - 2)
    heights: list[float] = (y[left] + (place - left) * (y[left + 1] - y[left])).tolist()
    return heights
