"""The study of simulated pickers: their tastes, one line, the table."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_app import tiny_run
from toolkit.experiments import taste
from toolkit.experiments.taste import RANDOM, TASTES, height, picked, slant, spread, symmetry


@pytest.fixture
def marks() -> Tensor:
    """A bar across the middle, one upright above it, a slope that leans right: uint8 (3, 1, 28, 28)."""
    x = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    x[0, 0, 13:15, 4:24] = 255
    x[1, 0, 2:12, 13:15] = 255
    for at in range(4, 24):
        x[2, 0, at, 27 - at] = 255
    return x


def test_each_measure_of_a_taste_finds_its_mark(marks: Tensor) -> None:
    assert [of(marks).argmax().item() for of in (spread, lambda x: spread(x.mT), height, slant)] == [0, 2, 1, 2]
    assert symmetry(marks).tolist()[:2] == [0, 0] and symmetry(marks)[2] < -0.1
    assert slant(marks)[2].item() == pytest.approx(1, abs=1e-4)


def test_a_picker_keeps_what_it_likes_best_and_a_random_one_something_else_each_time() -> None:
    sheet = torch.zeros(12, 1, 28, 28, dtype=torch.uint8)
    for row in range(12):
        sheet[row, 0, 14, 13 - row : 15 + row] = 255
    assert picked("widest", sheet, 0) == [11, 10, 9]
    assert picked(RANDOM, sheet, 0) == picked(RANDOM, sheet, 0) != picked(RANDOM, sheet, 1)


def lines(picker: str, seed: int, value: float) -> dict[str, Any]:
    every = dict.fromkeys([*TASTES, "diversity"], [value + 0.1 * seed] * 4)
    return {"picker": picker, "seed": seed, "measures": {**every, "picks": [0.2] * 3, "unpicked": [0.3] * 3}}


def test_the_table_says_what_a_taste_reached_against_random_picks() -> None:
    found = {"lines": [lines(who, seed, value) for seed in range(3) for who, value in ((RANDOM, 1.0), ("widest", 3.0))]}
    more = taste.reached(found, "widest")
    assert more is not None and more["mean"] == pytest.approx(2) and more["n"] == 3
    assert taste.reached(found, "tallest") is None
    assert "| widest | pixels |" in taste.table(found) and "yes" in taste.table(found)
    assert taste.chart(found).axes


def test_a_line_is_stored_and_not_raised_again(tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taste, "TASTES", {"widest": TASTES["widest"]})
    store, source = tmp_path / "taste.json", tiny_run(tmp_path / "source", name="fig2-toned")
    asked = ["taste", "--from", source, "--store", store, "--generations", 1, "--families", 1, "--steps", 1, "--quiet"]
    code, said, _ = command(*asked)
    assert code == 0 and "widest" in said
    before = store.stat().st_mtime_ns
    assert command(*asked)[0] == 0 and store.stat().st_mtime_ns == before
    assert command("taste", "--store", store, "--steps", 0)[0] == 2
