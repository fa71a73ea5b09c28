"""The small studies of creative decoders: run, stored, drawn and printed, at sizes that take seconds."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import cli
from toolkit.experiments import decoder_studies
from toolkit.experiments.decoder_studies import STUDIES


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each study found of one network, on the digits there are."""
    out = tmp_path_factory.mktemp("studies")
    found = {}
    for name in STUDIES:
        argv = [name, "--out", str(out), "--scale", "smoke", "--networks", "1", "--data", "sample:mnist", "--quiet"]
        assert cli.main(["decoder-study", *argv]) == 0
        found[name] = json.loads((out / "creative" / f"{name}.json").read_text())
        assert (out / "creative" / f"{name}.png").stat().st_size > 5000
    return {"out": out, **found}


def test_every_study_has_numbers_and_a_table_of_them(results: dict[str, Any]) -> None:
    for name in STUDIES:
        rows = decoder_studies.report(results[name]).splitlines()
        assert len(rows) > 4 and name in rows[0] and all(row.count("|") == rows[0].count("|") for row in rows)


def test_a_study_that_is_done_is_read_and_not_made_again(results: dict[str, Any], command: Any) -> None:
    out: Path = results["out"]
    parts = {path: path.stat().st_mtime_ns for path in [*out.rglob("iter_*/*"), *out.rglob("capacity/*")]}
    before = (out / "creative" / "capacity.json").read_bytes()
    for name in ("capacity", "memory"):
        argv = ["--scale", "smoke", "--networks", 1, "--data", "sample:mnist", "--quiet", "--json"]
        code, printed, _ = command("decoder-study", name, "--out", out, *argv)
        assert code == 0 and json.loads(printed) == results[name]
    assert (out / "creative" / "capacity.json").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in parts} == parts


def test_neutral_ends_are_neutral(results: dict[str, Any]) -> None:
    """At both ends of the way nothing is displaced; without pruning nothing is lost; regular is like regular."""
    (ways,) = [found["ways"] for name, found in results["interpolation"]["sets"].items() if name == "creative-mnist"]
    assert [ways[way][share]["displacement"]["mean"] for way in ways for share in ("0", "1")] == pytest.approx(
        [0] * 4, abs=1e-4
    )
    whole = results["pruning"]["sets"]["creative-mnist"]["nothing"]
    assert whole["error over whole"]["mean"] == 1 and whole["more error"]["mean"] == 0
    assert results["autonomy"]["sets"]["creative-mnist"]["fixed"]["agreement"]["mean"] == pytest.approx(1)


def test_a_label_is_told_by_its_kind_or_not_at_all() -> None:
    labels = torch.arange(40) % 4
    assert decoder_studies.told(3 - labels, labels) == 1
    assert decoder_studies.told(torch.zeros(40, dtype=torch.long), labels) == 0


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["dreams", "--out", "x"], "there is no 'dreams'"),
        (["scan", "--out", "x", "--networks", "0"], "at least one network"),
        (["scan", "--out", "x", "--samples", "1"], "two samples"),
    ],
)
def test_what_cannot_be_studied_is_refused_in_a_sentence(argv: list[str], sentence: str, command: Any) -> None:
    code, _, said = command("decoder-study", *argv)
    assert code == 2 and sentence in said and said.count("\n") == 1
