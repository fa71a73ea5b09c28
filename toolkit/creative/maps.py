"""Beyond the table: how the pictures change with the band, the number of neurons and the gain, as maps and curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..metrics import diversity
from ..metrics.reconstruction import encoder_distance
from ..samplers import Creative
from .stored import Trained, decode
from .table1 import edge_per_ink

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGES = (0, 1, 5, 10, 15, 25, 40, 60, 80, 100)  # percentiles, lower and upper
NEURONS = (0, 1, 2, 3, 5, 8, 12, 20, 30, 50)
GAINS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # times the calibrated one
MEASURES = {
    "distance": "reconstruction distance",
    "confidence": "confidence of a classifier",
    "diversity": "diversity",
    "edge_per_ink": "edge length per ink",
}


def maps(
    trained: Trained, judge: Any, samples: int, on_cell: Callable[[], object] = lambda: None
) -> dict[str, list[dict[str, float]]]:
    """Rows of measures over a grid of bands, and over the number of neurons and the gain of low-active and random.

    judge: a classifier of the same images (`models.Judge`); confidence is the mean probability of its likeliest class.
    """
    low = replace(trained.how, method="low-active")
    bands = [(a, b) for a, b in combinations(map(float, EDGES), 2)]
    found: dict[str, list[dict[str, float]]] = {"band": []}
    for a, b in bands:
        found["band"].append({"low": a, "high": b, **_cell(trained, judge, replace(low, band=(a, b)), samples)})
        on_cell()
    for method in ("low-active", "random"):
        how = replace(low, method=method)
        found[f"neurons, {method}"], found[f"gain, {method}"] = [], []
        for count in NEURONS:
            row = _cell(trained, judge, replace(how, neurons=count), samples)
            found[f"neurons, {method}"].append({"neurons": float(count), **row})
            on_cell()
        for factor in GAINS:
            row = _cell(trained, judge, replace(how, gain=factor * how.gain), samples)
            found[f"gain, {method}"].append({"gain": factor, **row})
            on_cell()
    return found


CELLS = len(EDGES) * (len(EDGES) - 1) // 2 + 2 * (len(NEURONS) + len(GAINS))


def _cell(trained: Trained, judge: Any, how: Creative, samples: int) -> dict[str, float]:
    """An empty band has no pictures, and no measures."""
    try:
        x = decode(trained, range(samples), how).images
    except ValueError:
        return {}
    confidence = judge.probabilities(x).amax(1).mean().item()
    values = {
        "distance": encoder_distance(trained.model, x).mean().item(),
        "confidence": confidence,
        "diversity": diversity(x),
        "edge_per_ink": edge_per_ink(x).mean().item(),
    }
    return {name: values[name] for name in MEASURES}


def figure(found: Mapping[str, Sequence[Mapping[str, float]]], title: str) -> "Figure":
    """Four measures in rows of panels: the map over bands, and the curves over neurons and gain."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(11, 8.4), dpi=120, layout="constrained")
    drawing.suptitle(title, fontsize=12, x=0.01, ha="left", fontweight="bold")
    panels = drawing.subplots(3, 4)
    for column, (measure, words) in enumerate(MEASURES.items()):
        _band(drawing, panels[0][column], found["band"], measure, words)
        _curves(panels[1][column], found, "neurons", measure)
        _curves(panels[2][column], found, "gain", measure)
    panels[1][0].legend(fontsize=8, frameon=False)
    return drawing


def _band(drawing: Any, panel: Any, rows: Sequence[Mapping[str, float]], measure: str, words: str) -> None:
    import numpy as np

    square = np.full((len(EDGES), len(EDGES)), np.nan)
    for row in rows:
        square[EDGES.index(int(row["high"])), EDGES.index(int(row["low"]))] = row.get(measure, np.nan)
    image = panel.imshow(square, origin="lower", cmap="cividis")
    panel.set_title(words, fontsize=10, loc="left")
    panel.set_xticks(range(len(EDGES)), EDGES, fontsize=7)
    panel.set_yticks(range(len(EDGES)), EDGES, fontsize=7)
    panel.set_xlabel("band from percentile", fontsize=8)
    panel.set_ylabel("to percentile", fontsize=8)
    low, high = EDGES.index(1), EDGES.index(15)
    panel.plot([low], [high], marker="s", ms=9, mfc="none", mec="white", mew=1.6)  # the paper's
    drawing.colorbar(image, ax=panel, shrink=0.8).ax.tick_params(labelsize=7)


def _curves(panel: Any, found: Mapping[str, Sequence[Mapping[str, float]]], over: str, measure: str) -> None:
    for method, style in (("low-active", "-"), ("random", "--")):
        rows = [row for row in found[f"{over}, {method}"] if measure in row]
        points = [row[over] for row in rows], [row[measure] for row in rows]
        panel.plot(*points, style, color="black", lw=1.3, marker="o", ms=2.5, label=method)
    panel.axvline(5 if over == "neurons" else 1, color="black", lw=0.6, ls=":")  # the paper's, the calibrated
    panel.set_xlabel({"neurons": "neurons switched on", "gain": "gain, times the calibrated"}[over], fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7)
