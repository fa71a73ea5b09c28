"""Decoders with their statistics: stored, read, decoded; the command decode."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from PIL import Image

from toolkit import cli, hub, index
from toolkit.hub import Trained, decode, decode_all, load_decoder, read_statistics, statistics_bytes
from toolkit.index import CheckpointError, of_kind
from toolkit.models import create
from toolkit.presets import preset
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


def test_every_network_is_listed_with_its_statistics_of_every_layer_and_its_kind(tree: Path, trained: Trained) -> None:
    listed = hub.read_index(tree)
    assert of_kind(listed, "decoder") == ["creative-mnist"]
    assert [len(e["statistics"]["sha256"]) for e in listed["experiments"]["creative-mnist"]["iterations"]] == [64, 64]
    assert {n: len(s.active) for n, s in trained.statistics.items()} == {1: 40, 2: 60, 3: 120}
    assert all(s.count == 300 and s.layer == n for n, s in trained.statistics.items()) and trained.how == Creative()


def test_networks_of_different_seeds_differ_and_a_seed_is_one_network(tree: Path, tmp_path: Path) -> None:
    trainer(preset("creative-mnist", "smoke", seed=1, **SMALL), tmp_path, quiet=True)()
    first, second, again = (
        hub.load(where, "creative-mnist", number).state_dict()
        for where, number in ((tree, 1), (tree, 2), (tmp_path, 1))
    )
    assert all(torch.equal(second[key], again[key]) for key in second)
    assert not torch.equal(first["decoder.0.weight"], second["decoder.0.weight"])


def test_a_killed_training_continues_from_its_network(tree: Path, tmp_path: Path) -> None:
    stored, draft = tree / "creative-mnist/iter_001", tmp_path / "creative-mnist/iter_001.partial"
    draft.mkdir(parents=True)
    (draft / "model.safetensors").write_bytes((stored / "model.safetensors").read_bytes())
    folder = trainer(preset("creative-mnist", "smoke", **SMALL), tmp_path, quiet=True)()
    for name in ("model.safetensors", "statistics.safetensors"):
        assert (folder / "iter_001" / name).read_bytes() == (stored / name).read_bytes()


def test_statistics_come_back_as_they_were_their_correlations_to_half_precision(tmp_path: Path) -> None:
    model: Any = create("VAE", {"widths": (60, 30, 20), "z": 6}, seed=5)
    made = {layer: activation_statistics(model, [3 * Noise(range(400)).randn(6)], layer=layer) for layer in (1, 2)}
    (tmp_path / "s").write_bytes(statistics_bytes(made, Creative(gain=3.0)))
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


def test_statistics_that_are_cut_or_not_what_the_index_says_are_refused(tree: Path, tmp_path: Path) -> None:
    stored = tree / "creative-mnist" / "iter_001" / "statistics.safetensors"
    (tmp_path / "cut").write_bytes(stored.read_bytes()[:1000])
    with safetensors.safe_open(stored, "pt") as file:
        short = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        short["2.correlation"] = short["2.correlation"][:-1]
        safetensors.torch.save_file(short, tmp_path / "short", file.metadata())
    for path, digest, words in ((tmp_path / "cut", None, "cut"), (tmp_path / "short", None, "no upper triangle"),
                                (stored, "0" * 64, "sha256")):  # fmt: skip
        with pytest.raises(CheckpointError, match=words):
            read_statistics(path, digest)


def test_an_index_whose_statistics_lack_a_checksum_is_not_trusted(tree: Path, tmp_path: Path) -> None:
    listed = hub.read_index(tree)
    del listed["experiments"]["creative-mnist"]["iterations"][0]["statistics"]["sha256"]
    (tmp_path / "index.json").write_text(json.dumps(listed))
    with pytest.raises(CheckpointError, match="trusted"):
        index.parse(tmp_path / "index.json")


def test_all_methods_draw_the_same_codes_and_a_layer_without_statistics_is_refused(trained: Trained) -> None:
    pictures = decode_all(trained, range(6))
    assert list(pictures) == list(METHODS) and {x.shape for x in pictures.values()} == {(6, 1, 28, 28)}
    for method in METHODS:
        assert torch.equal(decode(trained, range(6), replace(trained.how, method=method)).regular, pictures["regular"])
    with pytest.raises(ValueError, match="hidden layer 2: give 3"):
        decode(replace(trained, statistics={3: trained.statistics[3]}), range(2), layer=2)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (["--band", "0.0001,0.0002", "--set", "percentiles=rank"], "band"),
        (["--neurons", "9999"], "neurons"),
        (["--layer", "9"], "layer"),
        (["--set", "colour=red"], "colour"),
        (["--gain", "-1"], "gain"),
    ],
)
def test_bad_input_is_one_sentence(
    argument: list[str], words: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["decode", "creative-mnist", "--from", str(tree), "--out", str(tmp_path / "x.png"), *argument]
    assert cli.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and words in error and error.count("\n") == 1


def test_decoding_draws_pairs(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pairs.png"
    argv = ["decode", "creative-mnist", "--from", str(tree), "--seeds", "0:4", "--out", str(out), "--json"]
    assert cli.main(argv) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["pairs"] == 4 and len(printed["neurons"]) == 4
    with Image.open(out) as image:
        assert image.size == (4 * 28 * 4, 2 * 28 * 4)
