"""The figures of the study, from its result and the networks that are shown."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from .. import plot
from ..datasets import Dataset
from ..metrics.attractors import SAME
from . import alluvial, charts, collapse, ink, sequence, sheets
from .stored import Kaleidoscope, load, stream
from .trajectory import kept, probabilities

SHOWN = "kaleidoscope-mnist"
FLOWS = (1, 2, 5, 10, 30, 100, 300)
LANDSCAPES = {"kaleidoscope-1d": 3, "kaleidoscope-1d-four": 8, "kaleidoscope-2d": 12}  # and the run that is drawn
FILM_SEEDS, FILM_RUNS = 48, 60


def pictures(out: Path, result: Mapping[str, Any], data: Dataset, judge: Any) -> dict[str, bytes]:
    """Every figure as the bytes of a PNG, by the name of its file; the films are written beside them."""
    k, shown = load(out, SHOWN), result["shown"]
    folder = out / "kaleidoscope"
    films(folder, k, out)
    baseline = {"distance": shown["unseen"], "confidence": shown["real_confidence"]}
    found = {f"{name}.png": _landscape(out, name, run) for name, run in LANDSCAPES.items()}
    (end,) = kept(stream(k, range(samples := result["sizes"]["samples"])), [k.runs])
    drawn = {
        "collapse": collapse.figure(end, SAME, f"{k.title}: what {samples} samples have become by run {k.runs}"),
        "sequence": sequence.figure(sequence.states(k, data.images), f"{k.title}: one cell is one sample"),
        "flow": _flow(k, judge, samples),
        "runs": charts.runs(shown["perturbations"], baseline, f"{k.title}: from run to run"),
        "sweeps": charts.sweeps(result["sweeps"], "What depth, width, training and data do"),
        "points": charts.points(result["line"], result["cube"], "Networks of points"),
    }
    return found | {f"{name}.png": ink.png(drawing) for name, drawing in drawn.items()}


def films(folder: Path, k: Kaleidoscope, out: Path) -> None:
    """Samples of pictures, and of points on a line, moving: film.webp, line.gif."""
    folder.mkdir(parents=True, exist_ok=True)
    states = islice(stream(k, range(FILM_SEEDS)), min(FILM_RUNS, k.runs) + 1)
    plot.animation(sheets.drawn(k, states), folder / "film.webp")
    line = load(out, "kaleidoscope-1d-four")
    states = islice(stream(line, range(sheets.POINTS)), line.runs + 1)
    plot.animation(sheets.drawn(line, states), folder / "line.gif", ms=160)


def _landscape(out: Path, name: str, run: int) -> bytes:
    k = load(out, name)
    return ink.png(sheets.landscape(k, list(islice(stream(k, range(sheets.POINTS)), min(run, k.runs) + 1))))


def _flow(k: Kaleidoscope, judge: Any, samples: int) -> Any:
    runs = [run for run in FLOWS if run < k.runs] + [k.runs]
    states = kept(stream(k, range(samples)), runs)
    labels = {run: probabilities(judge, x).argmax(1) for run, x in zip(runs, states, strict=True)}
    return alluvial.figure(labels, judge.config.classes, f"{k.title}: which class samples are in, and where they go")
