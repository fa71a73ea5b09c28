"""The study of the creative decoder: trained, stored, calibrated, measured; at sizes that take seconds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from toolkit import cli, hub, index
from toolkit.experiments import creative_study, table1
from toolkit.experiments.table1 import gain_for, gain_for_displacement, solve
from toolkit.hub import Trained, decode, decode_all, load_decoder, read_statistics, write_statistics
from toolkit.index import CheckpointError, of_kind
from toolkit.metrics.distance import encoder_distance
from toolkit.models import create
from toolkit.presets import DECODERS, TABLE1, preset
from toolkit.runs import trainer
from toolkit.samplers import METHODS, Creative, activation_statistics
from toolkit.seeds import Noise

SMALL: dict[str, Any] = {"data": "sample:mnist"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("decoders")
    trainer(preset("creative-mnist", "smoke", **SMALL), out, quiet=True)(2)
    return out


@pytest.fixture(scope="module")
def trained(tree: Path) -> Trained:
    return load_decoder(tree, "creative-mnist")


def test_the_presets_are_the_published_decoders() -> None:
    assert [DECODERS[name].data for name in TABLE1] == ["mnist", "fashion", "mnist+fashion"] == list(table1.TABLE1)
    assert DECODERS["creative-both"].model == {"z": 100} and not DECODERS["creative-mnist"].model  # else VAE's defaults


def test_the_published_table_is_as_printed() -> None:
    rows = [row for rows in table1.TABLE1.values() for row in rows.values()]
    assert len(rows) == 12 and all(sum(row[:4]) == pytest.approx(1, abs=0.011) for row in rows)
    assert all(r["low-active"][4] > r["random"][4] > r["noisy"][4] > r["regular"][4] for r in table1.TABLE1.values())


def test_every_network_is_listed_with_its_statistics_and_kind(tree: Path) -> None:
    listed = hub.read_index(tree)
    assert of_kind(listed, "decoder") == ["creative-mnist"]
    assert [len(e["statistics"]["sha256"]) for e in listed["experiments"]["creative-mnist"]["iterations"]] == [64, 64]


def test_networks_of_different_seeds_differ_and_a_seed_is_one_network(tree: Path, tmp_path: Path) -> None:
    trainer(preset("creative-mnist", "smoke", seed=1, **SMALL), tmp_path, quiet=True)()
    first, second, again = (
        hub.load(where, "creative-mnist", number).state_dict()
        for where, number in ((tree, 1), (tree, 2), (tmp_path, 1))
    )
    assert all(torch.equal(second[key], again[key]) for key in second)
    assert not torch.equal(first["decoder.0.weight"], second["decoder.0.weight"])


def test_what_is_stored_is_not_made_again(tree: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("iter_*/*")}
    trainer(preset("creative-mnist", "smoke", **SMALL), tree, quiet=True)(2)
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("iter_*/*")} == before


def test_a_training_that_was_killed_after_its_network_continues_from_it(tree: Path, tmp_path: Path) -> None:
    made = preset("creative-mnist", "smoke", **SMALL)
    draft = tmp_path / "creative-mnist" / "iter_001.partial"
    draft.mkdir(parents=True)
    model = (tree / "creative-mnist" / "iter_001" / "model.safetensors").read_bytes()
    (draft / "model.safetensors").write_bytes(model)
    folder = trainer(replace(made, steps=made.steps), tmp_path, quiet=True)()
    assert (folder / "iter_001" / "model.safetensors").read_bytes() == model
    same = (folder / "iter_001" / "statistics.safetensors").read_bytes()
    assert same == (tree / "creative-mnist" / "iter_001" / "statistics.safetensors").read_bytes()


def test_statistics_are_of_every_hidden_layer_and_all_the_data(trained: Trained) -> None:
    assert {n: len(s.active) for n, s in trained.statistics.items()} == {1: 40, 2: 60, 3: 120}
    assert all(s.count == 300 and s.layer == n for n, s in trained.statistics.items())


def test_statistics_come_back_as_they_were_their_correlations_to_half_precision(tmp_path: Path) -> None:
    model: Any = create("VAE", {"widths": (60, 30, 20), "z": 6}, seed=5)
    made = {layer: activation_statistics(model, [3 * Noise(range(400)).randn(6)], layer=layer) for layer in (1, 2)}
    write_statistics(tmp_path / "s", made, Creative(gain=3.0))
    found, how = read_statistics(tmp_path / "s")
    assert how == Creative(gain=3.0) and found.keys() == made.keys()
    for layer, statistics in made.items():
        assert torch.equal(found[layer].correlation, statistics.correlation.half().float())
        assert torch.equal(found[layer].peak, statistics.peak) and found[layer].count == statistics.count
        assert len(found[layer].correlation.unique()) > layer * 10


@pytest.mark.parametrize("name", ["creative-tinted", "creative-wikiart"])
def test_channels_of_convolutional_decoders_in_colour_can_be_switched_on(name: str, tmp_path: Path) -> None:
    small = {"data": "tinted:sample:fashion", "images": 60, "steps": 80, "batch": 20, "size": 16}
    options = {"filters": 8, "z": 4, **({"width": 12, "depth": 2, "beta": 0.0} if name == "creative-tinted" else {})}
    trainer(preset(name, "smoke", **small, model=options), tmp_path, quiet=True)()
    trained = load_decoder(tmp_path, name)
    # a network of seconds has its channels always on or never: those that never were are off
    both = decode(trained, range(4), replace(trained.how, method="random", dead="kept", neurons=2, gain=3.0))
    assert both.images.shape == (4, 3, 16, 16) and (both.neurons[:, 0] >= 0).any()
    assert not torch.allclose(both.images, both.regular) and trained.how.fill == "typical"


def test_a_decoder_that_is_not_there_is_named_with_those_that_are(tree: Path) -> None:
    with pytest.raises(CheckpointError, match="^[^\n]*'dreams'[^\n]*creative-mnist[^\n]*$"):
        load_decoder(tree, "dreams")


def test_damaged_statistics_are_refused(tree: Path, tmp_path: Path) -> None:
    whole = (tree / "creative-mnist" / "iter_001" / "statistics.safetensors").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cut"):
        read_statistics(tmp_path / "cut")
    tensors = safetensors.torch.load(whole)
    with safetensors.safe_open(tree / "creative-mnist" / "iter_001" / "statistics.safetensors", "pt") as file:
        short = {**tensors, "2.correlation": tensors["2.correlation"][:-1]}
        safetensors.torch.save_file(short, tmp_path / "short", file.metadata())
    with pytest.raises(CheckpointError, match="no upper triangle"):
        read_statistics(tmp_path / "short")
    with pytest.raises(CheckpointError, match="sha256"):
        read_statistics(tree / "creative-mnist" / "iter_001" / "statistics.safetensors", "0" * 64)
    with pytest.raises(CheckpointError, match="no statistics"):
        read_statistics(tree / "creative-mnist" / "iter_001" / "model.safetensors")


def test_an_index_whose_statistics_lack_a_checksum_is_not_trusted(tree: Path, tmp_path: Path) -> None:
    listed = hub.read_index(tree)
    del listed["experiments"]["creative-mnist"]["iterations"][0]["statistics"]["sha256"]
    (tmp_path / "index.json").write_text(json.dumps(listed))
    with pytest.raises(CheckpointError, match="trusted"):
        index.parse(tmp_path / "index.json")


def test_all_methods_draw_the_same_codes(trained: Trained) -> None:
    pictures = decode_all(trained, range(6))
    assert list(pictures) == list(METHODS) and {x.shape for x in pictures.values()} == {(6, 1, 28, 28)}
    assert all(torch.equal(decode(trained, range(6), replace(trained.how, method=m)).regular, pictures["regular"])
               for m in METHODS)  # fmt: skip


@pytest.mark.parametrize("nothing", [{"gain": 0.0}, {"neurons": 0}, {"method": "regular"}])
def test_nothing_switched_on_is_exactly_the_regular_picture(trained: Trained, nothing: dict[str, Any]) -> None:
    both = decode(trained, range(8), replace(trained.how, **nothing))
    assert torch.equal(both.images, both.regular)


def test_a_seed_is_the_same_picture_and_neurons_in_any_batch(trained: Trained) -> None:
    whole, alone = decode(trained, range(8)), decode(trained, [5])
    assert torch.equal(whole.neurons[5:6], alone.neurons) and torch.allclose(whole.images[5:6], alone.images, atol=1e-6)


def test_a_layer_without_statistics_is_refused(trained: Trained) -> None:
    with pytest.raises(ValueError, match="hidden layer 2: give 3"):
        decode(replace(trained, statistics={3: trained.statistics[3]}), range(2), layer=2)


@pytest.mark.parametrize(("target", "x"), [(0.5, 0.25), (9.0, 4.5), (200.0, 100.0)])
def test_bisection_finds_where_a_rising_function_is_the_target(target: float, x: float) -> None:
    assert solve(lambda value: 2 * value, target) == pytest.approx(x, rel=1e-3)
    with pytest.raises(ValueError, match="no gain"):
        solve(lambda value: -1.0, target)


def test_a_calibrated_gain_puts_pictures_where_it_should(trained: Trained) -> None:
    how, seeds = replace(trained.how, method="random"), range(40)
    near, far = (
        encoder_distance(trained.model, decode(trained, seeds, replace(how, gain=gain)).images).mean().item()
        for gain in (0.0, 4.0)
    )
    target = (near + far) / 2
    gain = gain_for(trained, seeds, how, target)
    x = decode(trained, seeds, replace(how, gain=gain)).images
    assert encoder_distance(trained.model, x).mean().item() == pytest.approx(target, rel=1e-2)


def test_equal_displacement_is_equal(trained: Trained) -> None:
    gain = gain_for_displacement(trained, range(40), replace(trained.how, method="random"), 0.5)
    both = decode(trained, range(40), replace(trained.how, method="random", gain=gain))
    assert (both.images - both.regular).flatten(1).norm(dim=1).mean().item() == pytest.approx(0.5, rel=1e-2)


def test_edge_per_ink_tells_blots_from_lines_from_dots() -> None:
    blot, line, dot = torch.zeros(3, 1, 1, 12, 12).unbind()
    blot[..., 2:10, 2:10], line[..., 2:10, 5], dot[..., 6, 6] = 1, 1, 1
    values = [table1.edge_per_ink(x).item() for x in (blot, line, dot)]
    assert values == pytest.approx([32 / 64, 18 / 8, 4])


def test_an_order_holds_only_if_it_does_in_every_network() -> None:
    def network(low: float) -> dict[str, Any]:
        distance = {"low-active": low, "random": 4.0, "noisy": 2.0, "regular": 1.0}
        pairs = {
            f"{a} > {b}": table1.paired(torch.full((9,), distance[a]), torch.full((9,), distance[b]))
            for a, b in table1.ORDER
        }
        return {"gain": 2.0, "methods": {m: {"distance": d} for m, d in distance.items()}, "pairs": pairs}

    holds = table1.summary({"mnist": [network(5.0), network(4.5)]})
    fails = table1.summary({"mnist": [network(5.0), network(3.5)]})
    assert holds["order_holds_everywhere"] and not fails["order_holds_everywhere"]
    assert fails["sets"]["mnist"]["order"]["low-active > random"]["networks_surely"] == 1
    assert holds["sets"]["mnist"]["low-active / random"]["mean"] == pytest.approx((5 + 4.5) / 8)


def test_paired_intervals_use_the_same_codes() -> None:
    easy = torch.randn(500, generator=torch.Generator().manual_seed(0)) * 100
    pair = table1.paired(easy + 0.1, easy)
    assert pair["mean"] == pytest.approx(0.1, abs=1e-3) and pair["low"] is not None and pair["low"] > 0.09


def test_networks_are_put_together_leaf_by_leaf() -> None:
    def of(x: float) -> dict[str, Any]:
        return {"a": {"b": x, "pair": {"mean": x, "low": x - 1.5, "high": x + 1.5, "n": 9}}, "word": "same"}

    found = creative_study.together([of(1.0), of(3.0)])
    assert found["a"]["b"]["mean"] == 2 and found["word"] == "same"
    assert found["a"]["pair"]["networks_above"] == 1 and found["a"]["pair"]["mean"] == 2


@pytest.fixture(scope="module")
def result(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole command, at its smallest, beside the digits there are; run twice, when nothing is left to do."""
    out = tmp_path_factory.mktemp("study")
    shutil.copytree(tree / "creative-mnist", out / "creative-mnist")
    argv = ["table1", "--out", str(out), "--scale", "smoke", "--data", "sample:mnist", "--quiet"]
    assert cli.main(argv) == 0
    written = (path := out / "creative" / "table1.json").read_bytes()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("iter_*/*")}
    assert cli.main(argv) == 0
    assert path.read_bytes() == written and {p: p.stat().st_mtime_ns for p in out.rglob("iter_*/*")} == before
    assert {p.name for p in path.parent.glob("*.png")} >= {"creative-mnist.png", "creative-both_maps.png"}
    return dict(json.loads(written))


def test_the_table_has_all_sets_and_methods_beside_the_papers(result: dict[str, Any]) -> None:
    assert set(result["sets"]) == set(table1.TABLE1)
    rows = table1.table(result).splitlines()[2:]
    assert len(rows) == 12 and sum(" 4.21 |" in row or "| 4.21" in row for row in rows) >= 1
    assert "low-active > random" in table1.markdown(result) and "band, grouped" in table1.markdown(result)


def test_random_has_the_papers_distance_where_it_was_calibrated(result: dict[str, Any]) -> None:
    assert result["sets"]["mnist"]["methods"]["random"]["distance"]["mean"] == pytest.approx(table1.RANDOM, rel=0.15)


def test_the_model_comes_nearest_to_the_pictures_it_drew_undisturbed(result: dict[str, Any]) -> None:
    methods = result["sets"]["mnist"]["methods"]
    nearest = {name: method["minimised_distance"]["mean"] for name, method in methods.items()}
    assert nearest["regular"] == min(nearest.values())


def test_maps_begin_at_the_regular_picture(result: dict[str, Any]) -> None:
    found = result["maps"]["mnist"]
    first = [found[f"{over}, {method}"][0] for over in ("neurons", "gain") for method in ("low-active", "random")]
    assert len({row["distance"] for row in first}) == 1 and sum(map(len, found.values())) == creative_study.MAP_CELLS


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (["--band", "0.0001,0.0002", "--set", "percentiles=rank"], "band"),
        (["--neurons", "9999"], "neurons"),
        (["--layer", "9"], "layer"),
        (["--set", "colour=red"], "colour"),
        (["--gain", "-1"], "gain"),
    ],
)
def test_bad_input_is_one_sentence(
    argument: list[str], said: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["decode", "creative-mnist", "--from", str(tree), "--out", str(tmp_path / "x.png"), *argument]
    assert cli.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1


def test_decoding_draws_pairs(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    out = tmp_path / "pairs.png"
    argv = ["decode", "creative-mnist", "--from", str(tree), "--seeds", "0:4", "--out", str(out), "--json"]
    assert cli.main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pairs"] == 4 and len(told["neurons"]) == 4
    with Image.open(out) as image:
        assert image.size == (4 * 28 * 4, 2 * 28 * 4)


def test_the_defaults_of_a_decoder_are_not_calibrated_yet(trained: Trained) -> None:
    assert trained.how == Creative()
