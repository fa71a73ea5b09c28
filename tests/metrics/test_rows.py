"""Rows of measures, of a set and of every image; what a file gives back, the same images again from a model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.experiments.conftest import experiment
from toolkit import runs
from toolkit.data import load
from toolkit.experiments import evidence, judge_runs
from toolkit.index import ROWS_FILE, CheckpointError
from toolkit.metrics import MEASURES, edge_length, holes, measure, novelty
from toolkit.metrics.distance import mean_picture_power, originals
from toolkit.metrics.rows import rows
from toolkit.models import create
from toolkit.runs import from_npz, to_npz


def digits(count: int = 30) -> Tensor:
    return load("sample:mnist").images[:count]


def classifier() -> Any:
    options = {"classes": (*"0123456789", "A"), "filters": 2, "hidden": 8}
    return create("Judge", options, seed=0).eval()


def test_a_row_of_a_set_has_a_finite_number_for_every_measure(images: Tensor) -> None:
    row = measure(images, images, passes=torch.tensor([1, 2, 3, 4, 5, 6]))
    assert list(row) == list(MEASURES) and all(np.isfinite(value) for value in row.values()) and row["passes"] == 3.5
    again = measure(images, (images * 255).byte().float() / 255)
    assert "passes" not in again and again["novelty_median"] < 0.01
    assert again["unique_share"] == 1 and again["holes"] == holes(images).mean()
    assert measure(images.numpy(), images.numpy()) == measure(images, images)


def test_every_measure_has_a_finite_number_for_every_image() -> None:
    found = rows(digits(), digits(), classifier(), "0123456789")
    assert len(found) == 15 and {values.shape for values in found.values()} == {(30,)}
    assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in found.values())


def test_the_columns_are_the_measures() -> None:
    x, reference = digits(), load("sample:mnist").images[30:60]
    found = rows(x, reference, classifier(), "0123456789")
    for name, of in (("edge_length", edge_length), ("holes", holes)):
        assert found[name].tolist() == of(x).tolist()
    assert found["novelty"].tolist() == novelty(x, reference).tolist()
    assert found["distinct"].mean() == pytest.approx(float(originals(x).mean()))
    assert found["mean_picture_power"].mean() == pytest.approx(float(mean_picture_power(x).mean()))
    p = classifier().probabilities(x.float() / 255)[:, :10]
    assert found["in_class_sum"].tolist() == pytest.approx(p.sum(1).tolist(), abs=1e-5)
    assert found["in_class_max"].tolist() == pytest.approx(p.amax(1).tolist(), abs=1e-5)


def test_a_blank_image_is_said_to_be() -> None:
    found = rows(torch.cat([digits(1), digits(1) // 3]), digits(5))
    assert found["blank"].tolist() == [0, 1] and found["stroke_count"][1] == 0


def test_a_file_gives_back_the_same_and_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    found = rows(digits(), digits())
    (tmp_path / ROWS_FILE).write_bytes(to_npz(found))
    again = from_npz(tmp_path / ROWS_FILE)
    assert again.keys() == found.keys() and all((again[name] == found[name]).all() for name in found)
    assert to_npz(again) == to_npz(found)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"text"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / ROWS_FILE).write_bytes(damage)
    with pytest.raises(CheckpointError, match=r"rows\.npz .*measure the run again"):
        from_npz(tmp_path / ROWS_FILE)


def test_no_file_unpacks_objects(tmp_path: Path) -> None:
    np.savez(tmp_path / ROWS_FILE, a=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError):
        from_npz(tmp_path / ROWS_FILE)


def test_a_stored_run_is_measured_again_from_its_models(tmp_path: Path) -> None:
    it = experiment(iterations=2, generated=20)
    folder = runs.prepare(it, load("sample:mnist").images, tmp_path, quiet=True)()
    for stored in folder.glob(f"*/{ROWS_FILE}"):
        stored.unlink()
    (folder / "iter_001" / "model.safetensors").unlink()
    recorded = list[str]()
    written = judge_runs.measure_rows(folder, on_row=recorded.append)
    assert [path.parent.name for path in written] == ["iter_000", "iter_002"] and recorded == [
        "iteration 0",
        "iteration 2",
    ]
    assert judge_runs.measure_rows(folder) == []
    (run,) = evidence.read(tmp_path).runs["fig2"]
    assert len(run.values("stroke_count", 2)) == 20 and len(run.values("stroke_count", 1)) == 100  # of the sheet


def test_a_value_of_each_image_comes_before_a_mean_and_a_mean_before_a_sheet() -> None:
    images = {1: {"ink": np.array([0.25, 0.75], dtype=np.float32), "in_class_sum": np.array([0.89, 0.91])}}
    plain = evidence.Result("fig2", 0, False, {0: {}, 1: {"ink": 9.0, "novelty_mean": 3.0}})
    run = replace(plain, images=images)
    assert run.values("ink", 1).tolist() == [0.25, 0.75] and plain.values("ink", 1).tolist() == [9.0]
    assert run.values("in_class", 1).tolist() == [0, 1] and run.values("novelty", 1).tolist() == [3.0]
    with pytest.raises(KeyError):
        run.values("stroke_count", 1)
