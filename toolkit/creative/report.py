"""The study in words and pictures: Markdown tables beside the paper's numbers, and a sheet of the four methods."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import torch

from .. import plot
from ..metrics.interval import Interval
from ..samplers import METHODS
from .stored import Trained, decode_all

COLUMNS, SCALE, GAP, LABEL = 16, 2, 6, 92  # pictures in a row of the sheet; pixels
ROWS = ("regular", "noisy", "random", "low-active")
NAMES = {"mnist": "MNIST", "fashion": "FashionMNIST", "mnist+fashion": "both"}


def sheet(trained: Trained, columns: int = COLUMNS) -> bytes:
    """The four methods as rows of a PNG, one code a column, with their names; enlarged by a whole factor."""
    import numpy as np
    from matplotlib.figure import Figure

    pictures = decode_all(trained, range(columns))
    x = torch.cat([pictures[method] for method in ROWS])
    grid = plot.grid(x, columns, scale=SCALE, gap=GAP, ground=1.0, invert=False)
    width, height, dpi = grid.width + LABEL, grid.height, 100
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor="white")
    figure.figimage(np.asarray(grid), LABEL, 0, cmap="gray", vmin=0, vmax=255, origin="upper")
    for row, method in enumerate(ROWS):
        figure.text(0, 1 - (row + 0.5) / len(ROWS), method, va="center", fontsize=10)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def markdown(result: Mapping[str, Any]) -> str:
    """What the study found: Table 1, whether its order holds, and the two-by-two table."""
    return "\n\n".join([table(result), order(result), cells(result, "equal gain"), cells(result, "equal displacement")])


def table(result: Mapping[str, Any]) -> str:
    """The reconstruction distances: set and method, the paper's, ours by both definitions, and what they go with."""
    head = ["data", "method", "paper", "D_r, round trip", "D_r, minimised", "displacement", "edge per ink"]
    rows = []
    for data, found in result["sets"].items():
        for method in METHODS:
            m = found["methods"][method]
            measures = (m[name] for name in ("distance", "minimised_distance", "displacement", "edge_per_ink"))
            rows.append(
                [NAMES.get(data, data), method, f"{m['paper']:.2f}" if "paper" in m else "", *map(said, measures)]
            )
    return _markdown(head, rows)


def order(result: Mapping[str, Any]) -> str:
    """Whether each method lies farther out than the next, on each set."""
    head = ["data", "claim", "difference of D_r", "networks in which it is sure", "over networks"]
    rows = [
        [NAMES.get(data, data), claim, said(it["difference"]), f"{it['networks_surely']} of {it['networks']}",
         "yes" if it["over_networks"] else "no"]
        for data, found in result["sets"].items()
        for claim, it in found["order"].items()
    ]  # fmt: skip
    return _markdown(head, rows)


def cells(result: Mapping[str, Any], at: str) -> str:
    """The two-by-two table of band and grouping, at equal gain or displacement."""
    head = ["data", f"at {at}", "gain", "D_r", "displacement", "edge per ink", "of what was added", "its pieces"]
    names = ("gain", "distance", "displacement", "edge_per_ink", "added_edge_per_ink", "added_pieces")
    rows = [
        [NAMES.get(data, data), cell, *(said(values[name]) for name in names)]
        for data, found in result["two_by_two"].items()
        for cell, values in found[at]["cells"].items()
    ]
    return _markdown(head, rows)


def readings(result: Mapping[str, Any], data: str = "mnist") -> str:
    """Low-active against random under other readings of the paper."""
    rows = []
    for reading, found in result["open_points"][data].items():
        if "impossible" in found:
            rows.append([reading, found["impossible"], "", "", ""])
            continue
        pair = found["pair"]
        sure = f"{pair['networks_above']} of {pair['n']}"
        rows.append([reading, said(found["gain"]), said(found["low-active"]), said(found["random"]), sure])
    return _markdown(["reading", "gain", "low-active", "random", "low-active surely farther"], rows)


def said(x: Interval) -> str:
    """A mean and how far its interval goes: 4.21 ± 0.05."""
    if x["high"] is None:
        return f"{x['mean']:.2f}"
    return f"{x['mean']:.2f} ± {x['high'] - x['mean']:.2f}"


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
