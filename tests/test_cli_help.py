"""Help: of every command, at once, with examples that its parser takes and no option without effect."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import cli, presets
from toolkit.samplers import METHODS
from toolkit.samplers.kaleidoscope import MODES

ROOT = Path(__file__).parents[1]
NAMES = [*cli.COMMANDS, *cli.EXPERIMENTS]


def python(code: str, *, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


def options(name: str) -> set[str]:
    command = cli.parser().command(name)
    return {option for action in command._actions for option in action.option_strings} - {"-h", "--help"}


@pytest.mark.parametrize("name", NAMES)
def test_its_examples_are_lines_that_it_takes(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([name, "--help"])
    text = capsys.readouterr().out
    examples = re.findall(rf"^  python -m toolkit ({name}\b.*?)(?:  .*)?$", text, re.MULTILINE)
    assert examples and all(callable(cli.parser().parse_args(shlex.split(line)).run) for line in examples)


def test_help_imports_no_torch_and_takes_no_time():
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


def test_help_of_all_lists_every_command(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {name}\b", text, re.MULTILINE) for name in NAMES)


def expanded(text: str) -> set[str]:
    """ "creative-mnist, -fashion" as the names that it stands for."""
    first, *others = text.split(", ")
    return {first, *(first.partition("-")[0] + other if other[0] == "-" else other for other in others)}


def test_the_names_that_help_shows_are_those_there_are():
    assert expanded(cli.FIGURES) == {*presets.FIGURES} and expanded(cli.DECODERS) == {*presets.DECODERS}
    assert expanded(cli.KALEIDOSCOPES) == {*presets.KALEIDOSCOPES} and expanded(cli.CLASSIFIERS) == {
        *presets.CLASSIFIERS
    }
    assert {*cli.METHODS} == {*METHODS} and all(f"{name}" in cli.COMMANDS["diverge"][2] for name in presets.DIVERGENCES)
    (modes,) = (action.choices for action in cli.parser().command("kaleidoscope")._actions if action.dest == "mode")
    assert {*modes} == {*MODES}


def test_an_option_is_there_only_where_it_does_something():
    seeded = {"train", "diverge", "pool", "trade-off", "benchmark"}
    assert {name for name in NAMES if "--seed" in options(name)} == seeded
    computing = {"sample", "decode", "kaleidoscope", "font", "judge", "table1", "attractors"} | (seeded - {"trade-off"})
    assert {name for name in NAMES if "--device" in options(name)} == computing
    reading = {"sample", "decode", "kaleidoscope", "font", "diverge", "push", "pool", "judge", "claims", "trade-off"}
    assert {name for name in NAMES if "--from" in options(name)} == reading
    assert {name for name in NAMES if "--set" in options(name)} == {"train", "diverge", "decode"}


def test_the_same_option_means_the_same_everywhere():
    for option in ("--out", "--seed", "--seeds", "--device", "--from", "--set", "--root", "--iteration"):
        actions = [
            action
            for name in NAMES
            for action in cli.parser().command(name)._actions
            if option in action.option_strings
        ]
        assert len({action.dest for action in actions}) == 1, option
        assert len({action.type for action in actions} - ({Path} if option == "--from" else set())) == 1, option


@pytest.mark.parametrize("where", ["torch", "toolkit.hub"])
def test_an_interruption_while_something_is_imported_is_one_sentence(where):
    code = f"""
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {where!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from toolkit.cli import main
raise SystemExit(main(["sample", "fig2", "--out", "x.png"]))
"""
    done = python(code)
    assert done.returncode == 130 and done.stderr.startswith("error: interrupted") and done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A copy of the package alone, as a wheel has it."""
    place = tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "toolkit", place / "toolkit", ignore=shutil.ignore_patterns("__pycache__"))
    return place


@pytest.mark.parametrize(
    "argv",
    [["sample", "fig2", "--out", "x.png"], ["list"], ["decode", "creative-mnist", "--out", "x.png"],
     ["font", "--out", "x.ttf"], ["claims"]],
)  # fmt: skip
def test_outside_the_repository_a_command_says_how_to_get_checkpoints(argv, installed):
    done = python(f"from toolkit.cli import main; raise SystemExit(main({argv!r}))", cwd=installed)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert all(way in done.stderr for way in ("pull OWNER/NAME", "train", "--from"))
    assert [path.name for path in installed.iterdir()] == ["toolkit"]


def test_claims_are_written_where_the_results_are_and_not_beside_the_package(installed, tmp_path):
    shutil.copytree(ROOT / "checkpoints" / "fig2", tmp_path / "fig2", ignore=shutil.ignore_patterns("*.safetensors"))
    argv = ["claims", "--from", str(tmp_path)]
    done = python(f"from toolkit.cli import main; raise SystemExit(main({argv!r}))", cwd=installed)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"fig2", "CLAIMS.md", "claims.json"}
    assert [path.name for path in installed.iterdir()] == ["toolkit"]


def test_the_public_names_are_there_at_once():
    code = """
import time
started = time.process_time()
import toolkit
spent = time.process_time() - started
assert spent < 0.1, spent
names = "metrics data samplers seeds runs presets train hub plot diverge iterated".split()
assert all(getattr(toolkit, name).__name__ == f"toolkit.{name}" for name in names)
assert dir(toolkit) == sorted([*toolkit.__all__, "__version__"])
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
