"""The command of what trains: it stores snapshots as iterations, and goes on where it was."""

import json
import shutil

import pytest
import torch
from PIL import Image

from toolkit import cli, hub, plot
from toolkit.samplers import to_bytes
from toolkit.seeds import Noise

SMOKE = ["--scale", "smoke", "--data", "sample:mnist", "--quiet"]


def said(capsys, *argv):
    """The exit code, and what was printed."""
    capsys.readouterr()
    code = cli.main([str(part) for part in argv])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A creative adversarial network, and the base that was trained for it first."""
    out = tmp_path_factory.mktemp("tree")
    assert cli.main(["diverge", "can-mnist", *SMOKE, "--out", str(out)]) == 0
    return out


def test_snapshots_are_the_iterations_of_an_experiment_in_the_index(tree):
    listed = hub.read_index(tree)["experiments"]
    entries = listed["can-mnist"]["iterations"]
    assert [*listed] == ["can-mnist", "gan-mnist"] and listed["can-mnist"]["kind"] == "divergence"
    assert [(e["iteration"], e["metrics"]["step"]) for e in entries] == [(1, 1), (2, 2), (3, 3)]
    facts = hub.inspect(tree / entries[2]["file"])["facts"]
    told = {"method": "creative adversarial", "base": "gan-mnist", "data": "sample:mnist", "step": 3}
    assert {name: facts[name] for name in told} == told


def test_a_sheet_is_what_the_stored_model_draws_from_a_hundred_seeds(tree):
    model = hub.load(tree, "can-mnist", 2)
    with Image.open(tree / "can-mnist/iter_002/samples.png") as sheet:
        assert torch.equal(plot.tiles(sheet, 32), to_bytes(model.sample(Noise(range(100)))))


def test_the_same_command_continues_with_what_is_missing_and_makes_the_same(tree):
    folder = tree / "can-mnist"

    def files():
        return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "config.json"}

    before, kept = files(), (folder / "iter_003/model.safetensors").stat().st_mtime_ns
    shutil.rmtree(folder / "iter_002")
    assert cli.main(["diverge", "can-mnist", *SMOKE, "--out", str(tree)]) == 0
    assert files() == before and (folder / "iter_003/model.safetensors").stat().st_mtime_ns == kept


def test_a_base_that_is_there_is_started_from(tree, capsys):
    code, out, _ = said(capsys, "diverge", "hacked-mnist", "--scale", "smoke", "--set", "kept=[0]", "--out", tree,
                        "--set", "base=can-mnist", "--json")  # fmt: skip
    (row,) = json.loads(out)["rows"]
    ours, theirs = (hub.load(tree, name).state_dict() for name in ("hacked-mnist", "can-mnist"))
    assert code == 0 and row["step"] == row["displacement"] == 0
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_another_setting_in_the_same_folder_is_refused(tree, capsys):
    code, _, error = said(capsys, "diverge", "can-mnist", *SMOKE, "--seed", 7, "--out", tree)
    assert code == 2 and "another seed" in error and error.count("\n") == 1


@pytest.mark.parametrize(("argv", "why"), [
    (["nothing"], "unknown preset 'nothing'"), (["gan-mnist", "--set", "kept=[2,1]"], "kept is"),
    (["gan-mnist", "--data", "nothing"], "nothing"), (["gan-mnist", "--set", "model.depth=3"], "depth"),
    (["hacked-mnist", "--set", "base=nobody"], "nobody"),
])  # fmt: skip
def test_a_mistake_is_one_sentence(argv, why, tmp_path, capsys):
    code, _, error = said(capsys, "diverge", *argv, "--scale", "smoke", "--out", tmp_path, "--quiet")
    assert code == 2 and error.startswith("error: ") and why in error and error.count("\n") == 1


def test_a_trade_off_of_one_picture_is_refused_before_anything_is_loaded(tmp_path, capsys):
    code, _, error = said(capsys, "trade-off", "--images", "1", "--out", tmp_path / "out")
    assert code == 2 and "give two or more of each" in error and not [*tmp_path.iterdir()]
