"""The study of the creative decoder: trained, stored, calibrated, measured; at sizes that take seconds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit import cli
from toolkit.experiments import table1
from toolkit.hub import Trained, decode, load_decoder
from toolkit.metrics.distance import encoder_distance
from toolkit.presets import DECODERS, preset
from toolkit.presets import TABLE1 as NAMES
from toolkit.runs import trainer


@pytest.fixture(scope="module")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decoders")
    trainer(preset("creative-mnist", "smoke", data="sample:mnist"), out, quiet=True)()
    return out


@pytest.fixture(scope="module")
def trained(decoders: Path) -> Trained:
    return load_decoder(decoders, "creative-mnist")


@pytest.fixture(scope="module")
def result(decoders: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole command, at its smallest, beside the digits there are; run twice, when nothing is left to do."""
    out = tmp_path_factory.mktemp("study")
    shutil.copytree(decoders / "creative-mnist", out / "creative-mnist")
    argv = ["table1", "--out", str(out), "--scale", "smoke", "--networks", "1", "--data", "sample:mnist", "--quiet"]
    assert cli.main(argv) == 0
    written = (path := out / "creative" / "table1.json").read_bytes()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("iter_*/*")}
    assert cli.main(argv) == 0
    assert path.read_bytes() == written and {p: p.stat().st_mtime_ns for p in out.rglob("iter_*/*")} == before
    assert {p.name for p in path.parent.glob("*.png")} >= {"creative-mnist.png", "creative-both_maps.png"}
    return dict(json.loads(written))


def test_the_published_decoders_and_table_are_as_printed() -> None:
    assert [DECODERS[name].data for name in NAMES] == ["mnist", "fashion", "mnist+fashion"] == list(table1.TABLE1)
    rows = [row for rows in table1.TABLE1.values() for row in rows.values()]
    assert len(rows) == 12 and all(sum(row[:4]) == pytest.approx(1, abs=0.011) for row in rows)
    assert all(r["low-active"][4] > r["random"][4] > r["noisy"][4] > r["regular"][4] for r in table1.TABLE1.values())


def test_the_table_has_all_sets_and_methods_beside_the_papers(result: dict[str, Any]) -> None:
    assert set(result["sets"]) == set(table1.TABLE1)
    rows = table1.table(result).splitlines()[2:]
    assert len(rows) == 12 and any("| 4.21" in row for row in rows)
    report = table1.report(result)
    assert "low-active > random" in report and "band, grouped" in report
    assert len(table1.readings(result).splitlines()) == 2 + table1.READINGS


def test_random_is_calibrated_to_the_papers_distance_and_the_model_comes_nearest_to_its_regular_pictures(
    result: dict[str, Any],
) -> None:
    methods = result["sets"]["mnist"]["methods"]
    assert methods["random"]["distance"]["mean"] == pytest.approx(table1.RANDOM, rel=0.15)
    nearest = {name: method["minimised_distance"]["mean"] for name, method in methods.items()}
    assert nearest["regular"] == min(nearest.values())


def test_maps_begin_at_the_regular_picture(result: dict[str, Any]) -> None:
    found = result["maps"]["mnist"]
    first = [found[f"{over}, {method}"][0] for over in ("neurons", "gain") for method in ("low-active", "random")]
    assert len({row["distance"] for row in first}) == 1 and sum(map(len, found.values())) == table1.MAP_CELLS


@pytest.mark.parametrize(
    ("command", "option"), [("table1", "--networks"), ("table1", "--samples"), ("attractors", "--networks")]
)
def test_none_of_something_is_refused_before_anything_is_trained(
    command: str, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--out", str(tmp_path), "--scale", "smoke", option, "0"]) == 2
    assert "give at least one" in capsys.readouterr().err and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("target", "x"), [(0.5, 0.25), (9.0, 4.5), (200.0, 100.0)])
def test_bisection_finds_where_a_rising_function_is_the_target(target: float, x: float) -> None:
    assert table1.solve(lambda value: 2 * value, target) == pytest.approx(x, rel=1e-3)
    with pytest.raises(ValueError, match="no gain"):
        table1.solve(lambda value: -1.0, target)


def test_a_calibrated_gain_puts_pictures_where_it_should(trained: Trained) -> None:
    how, seeds = replace(trained.how, method="random"), range(40)

    def distance(gain: float) -> float:
        return encoder_distance(trained.model, decode(trained, seeds, replace(how, gain=gain)).images).mean().item()

    target = (distance(0.0) + distance(4.0)) / 2
    assert distance(table1.gain_for(trained, seeds, how, target)) == pytest.approx(target, rel=1e-2)


def test_edge_per_ink_tells_blots_from_lines_from_dots() -> None:
    blot, line, dot = torch.zeros(3, 1, 1, 12, 12).unbind()
    blot[..., 2:10, 2:10], line[..., 2:10, 5], dot[..., 6, 6] = 1, 1, 1
    values = [table1.edge_per_ink(x).item() for x in (blot, line, dot)]
    assert values == pytest.approx([32 / 64, 18 / 8, 4])


def test_an_order_holds_only_if_it_does_in_every_network() -> None:
    def network(low: float) -> dict[str, Any]:
        distance = {"low-active": low, "random": 4.0, "noisy": 2.0, "regular": 1.0}
        flat: dict[str, Tensor] = {name: torch.full((9,), value) for name, value in distance.items()}
        pairs = {f"{a} > {b}": table1.paired(flat[a], flat[b]) for a, b in table1.ORDER}
        return {"gain": 2.0, "methods": {m: {"distance": d} for m, d in distance.items()}, "pairs": pairs}

    holds, fails = (table1.summary("mnist", [network(5.0), network(low)])["order"] for low in (4.5, 3.5))
    assert [pair["networks_surely"] for pair in holds.values()] == [2, 2, 2]
    assert fails["low-active > random"]["networks_surely"] == 1
    assert holds["low-active > random"]["difference"]["mean"] == pytest.approx(0.75)


def test_networks_are_put_together_leaf_by_leaf() -> None:
    def of(x: float) -> dict[str, Any]:
        return {"a": {"b": x, "pair": {"mean": x, "low": x - 1.5, "high": x + 1.5, "n": 9}}, "word": "same"}

    found = table1.together([of(1.0), of(3.0)])
    assert found["a"]["b"]["mean"] == 2 and found["word"] == "same"
    assert found["a"]["pair"]["networks_above"] == 1 and found["a"]["pair"]["mean"] == 2
