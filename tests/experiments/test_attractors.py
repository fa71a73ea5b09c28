"""The study of kaleidoscopic networks: sweeps, trends, claims, tables and figures; at sizes that take seconds."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.data import load
from toolkit.experiments import attractor_charts, attractors
from toolkit.experiments.attractors import PERTURBATIONS, SWEEPS, Sizes, Study
from toolkit.experiments.common import number
from toolkit.hub import of, stream
from toolkit.index import to_json
from toolkit.metrics.stats import Interval
from toolkit.models import create
from toolkit.presets import preset

SMALLEST = Sizes(
    seeds=1, samples=6, runs=4, depth=(2, 4), width=(30, 60), steps=(20, 300), images=(20, 60), judge_steps=2,
    point_seeds=1, point_depth=(2,), dimensions=(2,), counts=(2,),
)  # fmt: skip
FIGURES = {"sequence.png", "flow.png", "collapse.png", "runs.png", "sweeps.png", "points.png", "film.webp", "line.gif"}


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Study(tmp_path_factory.mktemp("study"), "smoke", SMALLEST, data="sample:mnist", quiet=True)()


def part(depth: int, seed: int, distinct: int) -> dict[str, Any]:
    row = {"distance": 0.2, "confidence": 0.1 * depth + seed / 100, "still": 0.5, "distinct": 40}
    rows = [{**row, "run": run} for run in (0, 1, 10)] + [{**row, "run": 300, "distinct": distinct}]
    return {"depth": depth, "steps": 9, "seed": seed, "loss": 1 / depth, "fixed": 0.0, "unseen": 0.3, "rows": rows}


def test_a_study_says_everything_in_tables_and_figures(studied: Path) -> None:
    result = json.loads(studied.read_text())
    assert set(result["sweeps"]) == set(SWEEPS) and set(result["perturbations"]) == set(PERTURBATIONS)
    text = attractors.report(result)
    assert text.count("\n\n") == 10 and all(found["claim"] in text for found in result["verdicts"])
    assert {path.name for path in studied.parent.iterdir()} >= FIGURES


def test_a_study_reads_what_it_made_before(studied: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (studied.parent / "parts").iterdir()}
    (studied.parent / "parts" / "cube_2_2.json").unlink()
    study = Study(studied.parents[1], "smoke", SMALLEST, data="sample:mnist", quiet=True)
    assert to_json(study.result()) == studied.read_bytes()
    after = {path: path.stat().st_mtime_ns for path in (studied.parent / "parts").iterdir()}
    assert [path.name for path in before if before[path] != after[path]] == ["cube_2_2.json"]


def test_a_trend_is_a_slope_per_doubling_over_seeds() -> None:
    trend = attractors.trends_of([part(depth, seed, 10 * seed + 5) for depth in (2, 4) for seed in range(3)], "depth")
    assert trend["confidence"]["mean"] == pytest.approx(0.2) and trend["loss"]["n"] == 3
    assert [attractors.sign(trend[name]) for name in ("confidence", "kept", "loss")] == [1, 0, -1]
    assert attractors.sign(Interval(mean=1.0, low=None, high=None, n=1)) == 0  # without an interval nothing is shown
    assert attractors.summary(part(2, 0, 10))["kept"] == 0.25


@pytest.mark.parametrize(
    ("x", "text"), [((0.2158, 0.2198), "0.216 ± 0.004"), ((31.4, 37.0), "31 ± 6"), ((-1.5, None), "-1.50")]
)
def test_numbers_are_printed_with_the_digits_they_need(x: Any, text: str) -> None:
    assert number(Interval(mean=x[0], low=None, high=x[1], n=2), 20) == text


def test_a_flow_has_a_ribbon_for_each_move_and_a_block_for_each_class() -> None:
    labels = {1: torch.tensor([0, 0, 1, 2]), 5: torch.tensor([0, 1, 1, 1])}
    (panel,) = attractor_charts.alluvial_figure(labels, "abc", "").axes
    assert len(panel.collections) == 4 and len(panel.patches) == 3 + 2


def test_the_pictures_that_are_left_are_counted_and_the_most_frequent_comes_first(images: Tensor) -> None:
    samples = images[[0, 3, 3, 5, 3, 0]]
    assert attractor_charts.largest(samples, 0.1) == [(1, 3), (0, 2), (3, 1)]
    (panel,) = attractor_charts.collapse_figure(samples, 0.1, "").axes
    assert [text.get_text() for text in panel.texts] == ["3", "2", "1"] and len(panel.images) == 3


def test_the_sequence_shows_the_same_cells_throughout() -> None:
    model: Any = create("Manifold", {"width": 20, "depth": 2}, seed=0)
    k = of(preset("kaleidoscope-mnist", "smoke"), model)
    found = attractors.states(k, load("sample:mnist", limit=20).images, samples=4, runs=(1, 5, 300))
    assert list(found) == ["training images, recovered", "run 1", "run 5", "run 30"]
    fifth = list(islice(stream(k, range(4)), 6))[5]
    assert torch.equal(found["run 5"], fifth) and len(attractor_charts.sequence_figure(found, "").axes) == 4
