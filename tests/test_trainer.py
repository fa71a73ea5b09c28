"""The trainer of every kind, through the command line: checked before it writes, and honest about what it will do."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from toolkit import cli, hub, presets, runs
from toolkit.diverge.experiments import METHODS
from toolkit.experiments import release
from toolkit.models import MODELS
from toolkit.samplers.kaleidoscope import MODES

SMALL = {  # of every kind, as little as it takes
    "iterations": ["images=30", "generated=10", "iterations=1", "first_steps=2", "steps=2", "sampling.limit=2"],
    "decoder": ["images=60", "steps=20", "batch=20"],
    "kaleidoscope": ["steps=5", "runs=2"],
    "judge": ["images=80", "steps=3", "each=null"],
    "divergence": ["images=40", "kept=[1]"],
}
DATA = {"iterations": "sample:mnist", "decoder": "sample:fashion", "kaleidoscope": "sample:mnist",
        "judge": "sample:mnist", "divergence": "sample:mnist"}  # fmt: skip


def train(out: Path, name: str, *more: str) -> int:
    """The exit code of the smallest training of a preset."""
    kind = presets.PRESETS[name].kind
    points = getattr(presets.PRESETS[name], "points", ())
    data = [] if points or name == "without-data" else ["--data", DATA[kind]]
    less = [] if "--data" in more else data
    command = "diverge" if kind == "divergence" else "train"
    sets = [part for each in SMALL[kind] for part in ("--set", each)]
    return cli.main([command, name, "--scale", "smoke", "--quiet", "--out", str(out), *less, *sets, *more])


@pytest.mark.slow
@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_preset_runs_to_its_end_at_the_smallest_scale(name: str, tmp_path: Path) -> None:
    assert train(tmp_path, name) == 0
    entry = hub.read_index(tmp_path)["experiments"][name]
    assert entry["kind"] == presets.PRESETS[name].kind and hub.load(tmp_path, name)
    cost = json.loads((tmp_path / name / "config.json").read_text())["cost"]
    assert cost["seconds"] > 0 and cost["process_seconds"] > 0


def test_the_names_that_presets_check_are_those_there_are() -> None:
    assert {*presets.ARCHITECTURES} == {*MODELS} and (*METHODS,) == presets.METHODS
    assert presets.MODES == MODES
    assert [*presets.PRESETS] == [name for names in presets.NAMES.values() for name in names]


BROKEN = [
    ("fig2", "model.filter=3", "filters"), ("creative-mnist", "model.zz=3", "zz"),
    ("creative-mnist", "how.gian=3", "gain"),
    ("creative-wikiart", "model.filters=4", "how.neurons is 5"), ("judge-digits", "model.filter=3", "filters"),
    ("kaleidoscope-1d", "model.depht=3", "depth"), ("can-mnist", "how.lambda=3", "lambda"),
    ("hacked-mnist", "how.forms=3", "forms"), ("can-mnist", "how.ambiguity=-1", "ambiguity"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "setting", "named"), BROKEN)
def test_nothing_is_written_before_everything_is_checked(
    name: str, setting: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(out := tmp_path / "out", name, "--set", setting) == 2
    error = capsys.readouterr().err
    assert named in error and error.count("\n") == 1 and not out.exists()


INFINITE = [
    pytest.param("fig2", "model.lr=1e30", marks=pytest.mark.slow),
    ("creative-mnist", "model.lr=1e30"),
    ("judge-digits", "model.lr=1e30"),
]


@pytest.mark.parametrize(("name", "setting"), INFINITE)
def test_a_training_that_fails_leaves_nothing_and_the_corrected_command_runs(
    name: str, setting: str, tmp_path: Path
) -> None:
    assert train(out := tmp_path / "out", name, "--set", setting) == 2 and not out.exists()
    assert train(out, name) == 0


def test_what_is_not_finished_binds_nobody(tmp_path: Path) -> None:
    spec = presets.preset("judge-digits", "smoke")
    runs.RunDir(tmp_path, spec).put(1, "metrics.json", lambda: {"of": "other settings"})
    store = runs.RunDir(tmp_path, presets.preset("judge-digits", "smoke", steps=3))
    assert not store.find(1, "metrics.json")
    store.put(1, "metrics.json", dict)
    (tmp_path / "judge-digits" / "iter_001.partial").rename(tmp_path / "judge-digits" / "iter_001")
    with pytest.raises(runs.RunError, match="another steps"):
        runs.RunDir(tmp_path, spec)


def test_another_seed_is_offered_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "kaleidoscope-1d") == 0 == train(tmp_path, "kaleidoscope-1d")
    capsys.readouterr()
    assert train(tmp_path, "kaleidoscope-1d", "--seed", "4") == 2
    assert "give --name kaleidoscope-1d-seed4" in capsys.readouterr().err
    assert train(tmp_path, "kaleidoscope-1d", "--seed", "4", "--name", "kaleidoscope-1d-seed4") == 0
    assert {*hub.read_index(tmp_path)["experiments"]} == {"kaleidoscope-1d", "kaleidoscope-1d-seed4"}


@pytest.mark.parametrize(("name", "data", "title"), [
    ("judge-digits", "sample:fashion", "Clothes"), ("judge-digits", "sample:mnist", "Digits"),
    ("creative-mnist", "folder:my/marks", "marks"),
    ("creative-both", "fashion+kmnist", "Clothes and kuzushiji characters"),
    ("gan-mnist", "fashion", "Clothes, adversarially"), ("fig12", "omniglot", "Omniglot characters"),
    ("fig2", "kmnist", "Linear output, weights kept, data accumulated"),
])  # fmt: skip
def test_a_title_follows_the_data(name: str, data: str, title: str) -> None:
    assert presets.preset(name, data=data).title == title
    assert presets.preset(name, data=data, title="mine").title == "mine"


def test_the_classes_of_a_classifier_follow_the_data() -> None:
    assert presets.preset("judge-digits", data="sample:fashion").classes == presets.CLOTHES


@pytest.mark.parametrize(("name", "changes"), [
    ("kaleidoscope-1d", {"data": "mnist"}), ("without-data", {"data": "mnist"}),
    ("creative-mnist", {"as_written": True}), ("kaleidoscope-mnist", {"points": [0.1, 0.2]}),
])  # fmt: skip
def test_an_option_without_effect_is_refused(name: str, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="^[^\n]*leave (it )?out[^\n]*$"):
        presets.preset(name, **changes)


@pytest.mark.parametrize("name", ["fig2", "creative-mnist", "kaleidoscope-mnist", "judge-digits", "gan-mnist"])
def test_a_value_for_a_group_or_an_unknown_name_is_refused_the_nearest_name_first(name: str) -> None:
    with pytest.raises(ValueError, match=r"^model is 3: it is a group of settings, give model\.NAME=VALUE$"):
        presets.preset(name, model=3)
    with pytest.raises(ValueError, match="no option bacht: did you mean batch"):
        presets.preset(name, bacht=3)


@pytest.mark.parametrize("name", [name for name in presets.FIGURES if name != "digits-2016"])
def test_few_images_are_learned_long_enough_on_two_cores(name: str) -> None:
    assert (presets.preset(name, "cpu").least_steps or 0) >= 300


def test_one_sentence_says_what_to_expect_of_few_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        (tmp_path / "marks").mkdir(exist_ok=True)
        Image.new("L", (28, 28), 80 * number).save(tmp_path / "marks" / f"{number}.png")
    argv = ["train", "creative-mnist", "--scale", "smoke", "--set", "steps=2", "--data", f"folder:{tmp_path / 'marks'}"]
    assert cli.main([*argv, "--out", str(tmp_path / "out")]) == 0
    assert "3 images are few: expect copies" in capsys.readouterr().err
    assert json.loads((tmp_path / "out/creative-mnist/config.json").read_text())["title"] == "marks"


@pytest.mark.slow
def test_a_thinned_run_that_is_resumable_goes_on_to_the_same_models(tmp_path: Path) -> None:
    def run(out: Path, iterations: int) -> Path:
        changes = {"images": 30, "generated": 10, "first_steps": 2, "steps": 2, "iterations": iterations}
        spec = presets.preset("fig2", "smoke", data="sample:mnist", **changes)
        return runs.trainer(spec, out, quiet=True)()

    whole, part = run(tmp_path / "whole", 4), run(tmp_path / "part", 3)
    moved = release.thin(part, tmp_path / "moved", [1], resumable=True)
    assert not [*moved.rglob("said.npy")] and [path.parent.name for path in moved.rglob(runs.STATE)] == ["iter_003"]
    run(tmp_path / "moved", 4)
    ours, theirs = (hub.load(folder.parent, "fig2", 4).state_dict() for folder in (moved, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_is_thinned_to_its_early_and_every_fifth_model(tmp_path: Path) -> None:
    spec = presets.preset("kaleidoscope-1d", "smoke", steps=2, runs=2)
    folder = runs.trainer(spec, tmp_path, quiet=True)(7)
    thinned = release.thin(folder, tmp_path / "out")
    assert sorted(int(path.parent.name[5:]) for path in thinned.rglob("model.safetensors")) == [1, 2, 3, 4, 5]


def test_presets_need_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys; from toolkit.presets import preset; preset('fig2'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
