"""The commands: help that teaches, output a machine can read, errors of one sentence."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from toolkit import cli, data, presets

TINY = [
    "--set", "images=40", "--set", "generated=20", "--set", "iterations=1", "--set", "first_steps=3",
    "--set", "batch=10", "--set", "model.filters=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    out = tmp_path_factory.mktemp("tree")
    assert (
        cli.main(["train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--out", str(out), "--quiet", *TINY])
        == 0
    )
    return out


def said(capsys, *argv):
    """The exit code, and what was printed."""
    capsys.readouterr()
    try:
        code = cli.main([str(part) for part in argv])
    except SystemExit as stopped:
        code = stopped.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_training_says_where_to_look(tree, capsys):
    argv = ["train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--out", tree, "--quiet", *TINY]
    code, out, _ = said(capsys, *argv)
    assert code == 0 and str(tree / "fig2/iter_001/samples.png") in out and f"python app.py {tree}" in out


def test_training_prints_its_measures_as_json(tree, capsys):
    argv = ["train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--out", tree, "--json", *TINY]
    code, out, _ = said(capsys, *argv)
    assert code == 0 and [row["iteration"] for row in json.loads(out)["rows"]] == [0, 1]


@pytest.mark.parametrize("name", ["sheet.png", "film.gif"])
def test_sampling_writes_a_picture(name, tree, tmp_path, capsys):
    from PIL import Image

    out = tmp_path / name
    code, printed, _ = said(capsys, "sample", "fig2", "--from", tree, "--seeds", "0:4", "--out", out)
    assert code == 0 and json.loads(printed)["images"] == 4
    with Image.open(out) as picture:
        assert getattr(picture, "n_frames", 1) == (1 if name.endswith("png") else json.loads(printed)["passes"] + 1)


def test_measuring_a_run_prints_its_table(tree, capsys):
    code, out, _ = said(capsys, "measure", tree / "fig2")
    assert code == 0 and out.startswith("| iteration |")


def test_measuring_a_data_set_against_itself_finds_copies(capsys):
    code, out, _ = said(capsys, "measure", "sample:mnist", "--reference", "sample:mnist", "--limit", "20")
    assert code == 0 and json.loads(out)["novelty_median"] == 0


def test_pictures_of_dark_ink_measure_as_their_negatives_once_they_are_inverted(tmp_path, capsys):
    images = data.load("sample:mnist", limit=20).images[:, 0]
    for name, pictures in (("light", images), ("dark", 255 - images)):
        (tmp_path / name).mkdir()
        for number, picture in enumerate(pictures):
            Image.fromarray(picture.numpy()).save(tmp_path / name / f"{number:02}.png")
    command = ["measure", f"folder:{tmp_path}/light", "--reference", "sample:mnist"]
    _, right, _ = said(capsys, *command)
    command[1] = f"folder:{tmp_path}/dark"
    assert said(capsys, *command, "--invert") == (0, right, "")
    command[1] += "?invert"
    assert said(capsys, *command, "--invert") == said(capsys, *command) == (0, right, "")
    argv = ["train", "fig2", "--data", f"folder:{tmp_path}/dark", "--invert", "--out", str(tmp_path)]
    assert cli.changes(cli.parser().parse_args(argv))["data"] == command[1]
    assert (
        presets.preset("creative-mnist", data=command[1]).title
        == presets.preset("creative-mnist", data=command[1][:-7]).title
    )
    code, _, told = said(capsys, "train", "fig2", "--invert", "--out", tmp_path)
    assert code == 2 and "give --data" in told


def test_a_note_is_one_sentence_without_a_place_in_the_code(tmp_path):
    Image.new("L", (28, 28), 255).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    run = [sys.executable, "-m", "toolkit", "measure", f"folder:{tmp_path}", "--reference", "sample:mnist"]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(cli.__file__).parents[1])
    assert re.fullmatch(r"note: skipped 1 of 2 pictures.*b\.png\n", done.stderr)


def test_inspecting_a_checkpoint_says_how_it_was_made(tree, capsys):
    code, out, _ = said(capsys, "inspect", tree / "fig2/iter_001/model.safetensors")
    assert code == 0 and json.loads(out)["facts"]["experiment"] == "fig2" and json.loads(out)["config"]["filters"] == 2


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["train", "fgi2", "--out", "x"], "unknown preset 'fgi2': did you mean fig2"),
        (["tarin", "fig2"], "did you mean train"),
        ([], "COMMAND"),
        (["train", "fig2", "--scale", "smoke", "--set", "steps=0", "--out", "x"], "steps"),
        (["train", "fig2", "--scale", "smoke", "--set", "images=-5", "--out", "x"], "images"),
        (["train", "creative-mnist", "--scale", "smoke", "--set", "model=5", "--out", "x"], "write model.NAME=VALUE"),
        (["train", "judge-digits", "--scale", "smoke", "--set", "model=null", "--out", "x"], "write model.NAME=VALUE"),
        (["train", "fig2", "--scale", "smoke", "--set", "model.size=20", "--out", "x"], "model.size"),
        (["train", "fig2", "--scale", "smoke", "--set", "steps.few=3", "--out", "x"], "steps is no group"),
        (["sample", "fig2", "--seed", "3", "--out", "x.png"], "--seed"),
        (["list", "--device", "cuda"], "--device"),
        (["sample", "fig2", "--seeds", "5:0", "--out", "x.png"], "5:0 holds no seed: write 0:5"),
        (["sample", "fig2", "--seeds", "", "--out", "x.png"], "write 42"),
        (["sample", "fig2", "--seeds", "0:99999999999999", "--out", "x.png"], "a seed is a whole number"),
        (["sample", "fig2", "--seeds", "0:300000", "--out", "x.png"], "at most 100,000"),
        (["sample", "fig2", "--seeds", "0:1000", "--out", "x.gif"], "an animation shows at most"),
        (["pull", "owner/name", "--iterations", "5:1"], "write 1:5"),
        (["claims", "--from", "nowhere"], "nowhere: there is no such folder"),
        (["push", "owner/name", "--from", "nowhere"], "nowhere: there is no such folder"),
        (["font", "fig2", "--from", "nowhere", "--out", "x.ttf"], "nowhere"),
        (["decode", "creative-mnist", "--from", "nowhere", "--out", "x.png"], "nowhere"),
        (["kaleidoscope", "kaleidoscope-1d", "--from", "nowhere", "--out", "x.png"], "nowhere"),
        (["diverge", "gan-mnist", "--from", "nowhere", "--out", "x", "--quiet"], "nowhere"),
        (["pool", "creative-mnist", "--from", "nowhere", "--out", "x"], "nowhere"),
        (["judge", "x", "--from", "nowhere"], "x"),
        (["list", "nowhere"], "nowhere"),
        (["train", "fig2", "--scale", "huge", "--out", "x"], "huge"),
        (["train", "fig2", "--scale", "smoke", "--data", "digits", "--out", "x"], "digits"),
        (["train", "fig2", "--scale", "smoke", "--data", "folder:nowhere", "--out", "x"], "nowhere"),
        (
            ["train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--device", "quantum", "--out", "x"],
            "quantum",
        ),
        (["train", "fig2", "--scale", "smoke", "--set", "steps", "--out", "x"], "steps"),
        (["train", "fig2", "--scale", "smoke", "--set", "stpes=3", "--out", "x"], "stpes"),
        (["train", "fig2", "--scale", "smoke", "--seed", "-1", "--data", "sample:mnist", "--out", "x"], "seed -1"),
        (["sample", "fig2", "--from", "nowhere", "--out", "x.png"], "nowhere"),
        (["inspect", "nothing.safetensors"], "nothing.safetensors"),
    ],
)
def test_a_wrong_argument_is_one_sentence_that_names_it(argv, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, *argv)
    assert code == 2 and out == "" and named in err and err.count("\n") == 1


def test_a_missing_experiment_lists_those_there_are(tree, capsys):
    code, _, err = said(capsys, "sample", "fig3", "--from", tree, "--out", "x.png")
    assert code == 2 and "fig2" in err


@pytest.mark.parametrize("out", ["sheet.docx", "sheet"])
def test_an_unknown_kind_of_picture_is_refused_before_any_work(out, tree, capsys):
    code, _, err = said(capsys, "sample", "fig2", "--from", tree, "--out", Path(out))
    assert code == 2 and ".png" in err


@pytest.mark.parametrize(("text", "seeds"), [("42", [42]), ("1,5", [1, 5]), ("0:3", [0, 1, 2]), ("7,2", [7, 2])])
def test_seeds_are_written_as_people_write_them(text, seeds):
    assert list(cli.seeds(text)) == seeds


def test_a_run_in_place_of_the_folder_it_lies_in_is_named(tree, tmp_path, capsys):
    code, _, err = said(capsys, "sample", "fig2", "--from", tree / "fig2", "--out", tmp_path / "x.png")
    assert code == 2 and f"give the folder that it lies in, {tree}" in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["sheet.png", "film.gif"])
def test_the_folder_of_a_picture_is_made(name, tree, tmp_path, capsys):
    out = tmp_path / "new" / "folder" / name
    assert said(capsys, "sample", "fig2", "--from", tree, "--seeds", "0:2", "--out", out)[0] == 0 and out.exists()


@pytest.mark.parametrize("command", ["sample", "decode", "kaleidoscope", "font"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(command, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / ("x.ttf" if command == "font" else "x.png")
    code, _, err = said(capsys, command, "anything", "--from", "nowhere", "--out", out)
    assert code == 2 and f"--out {out} cannot be written" in err and err.count("\n") == 1


def test_many_images_are_drawn_a_few_at_a_time_and_are_the_same(tree, tmp_path, capsys, monkeypatch):
    from PIL import Image

    from toolkit.samplers import Sampling

    drawn = []
    grow = Sampling.grow
    monkeypatch.setattr(
        Sampling, "grow", lambda self, model, seeds: (drawn.append(len(seeds)), grow(self, model, seeds))[1]
    )
    pictures = []
    for at_once in (256, 4):
        monkeypatch.setattr(cli, "AT_ONCE", at_once)
        assert said(capsys, "sample", "fig2", "--from", tree, "--seeds", "0:9", "--out", tmp_path / "x.png")[0] == 0
        with Image.open(tmp_path / "x.png") as picture:
            pictures.append(picture.tobytes())
    assert drawn == [9, 4, 4, 1] and pictures[0] == pictures[1]


def test_a_long_film_is_thinned_and_ends_with_the_last_picture(tree, tmp_path, capsys, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(cli, "FRAMES", 3)
    code, printed, _ = said(capsys, "sample", "fig2", "--from", tree, "--seeds", "0:2", "--out", tmp_path / "x.webp")
    said(capsys, "sample", "fig2", "--from", tree, "--seeds", "0:2", "--out", tmp_path / "x.png")
    with Image.open(tmp_path / "x.webp") as film, Image.open(tmp_path / "x.png") as sheet:
        assert code == 0 and json.loads(printed)["passes"] > 3 and film.n_frames <= 4
        film.seek(film.n_frames - 1)
        assert film.convert("L").tobytes() == sheet.tobytes()


@pytest.mark.parametrize("text", ["", "a", "1:", "3:x", "1;2", "1,"])
def test_what_is_no_seed_is_said_so(text):
    with pytest.raises(argparse.ArgumentTypeError, match="write 42"):
        cli.seeds(text)


def test_every_option_of_training_reaches_the_experiment(tmp_path):
    """Regression: earlier code parsed a flag and then passed False whatever it said."""
    argv = [
        "train",
        "fig2",
        "--out",
        str(tmp_path),
        "--seed",
        "3",
        "--data",
        "fashion",
        "--iterations",
        "7",
        "--name",
        "x",
    ]
    settings = ["share=0.5", "noise=fixed", "inheritance=fresh", "model.filters=9", "sampling.stop=batch"]
    args = cli.parser().parse_args([*argv, *[part for setting in settings for part in ("--set", setting)]])
    e = presets.preset(args.preset, args.scale, **cli.changes(args))
    assert (e.seed, e.data, e.iterations, e.share, e.noise, e.inheritance) == (3, "fashion", 7, 0.5, "fixed", "fresh")
    assert e.name == "x" and e.model["filters"] == 9 and e.sampling.stop == "batch"


def test_a_setting_is_read_and_never_run(tmp_path, capsys):
    """Regression: earlier code put options through `eval`."""
    argv = ["train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--out", tmp_path / "run"]
    code, _, err = said(capsys, *argv, "--set", f"model.filters=open({str(tmp_path / 'run')!r}, 'w')")
    assert code == 2 and "filters" in err and not (tmp_path / "run").is_file()
