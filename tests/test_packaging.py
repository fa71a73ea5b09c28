"""The package: what stands in two places agrees, and an installed wheel works without the repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import toolkit

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def dependencies() -> dict[str, Requirement]:
    """Those of pyproject's [project] (Python 3.10 has no TOML reader)."""
    (lines,) = re.findall(r"^dependencies = \[\n(.*?)^\]", read("pyproject.toml"), re.DOTALL | re.MULTILINE)
    found = [Requirement(line) for line in re.findall(r'"(.+?)"', lines)]
    return {each.name: each for each in found}


def test_a_space_installs_what_pyproject_asks_for_except_gradio() -> None:
    wanted = {line for line in read("requirements.txt").splitlines() if line and not line.startswith("#")}
    assert {*map(str, map(Requirement, wanted))} == {str(it) for it in dependencies().values() if it.name != "gradio"}
    assert str(dependencies()["torch"].specifier) == ">=2.8"  # and no upper pin


def test_the_front_matter_is_what_a_space_understands() -> None:
    _, block, _ = read("README.md").split("---\n", 2)
    facts = {key: value.strip('"') for key, _, value in (line.partition(": ") for line in block.splitlines())}
    known = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "license",
             "short_description", "datasets", "models", "tags", "pinned", "preload_from_hub"}  # fmt: skip
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert set(facts) <= known and {facts["colorFrom"], facts["colorTo"]} <= colours
    assert (facts["sdk"], facts["license"], facts["title"]) == ("gradio", "mit", "That Are Not")
    assert len(facts["short_description"]) <= 60 and (ROOT / facts["app_file"]).exists()
    assert facts["sdk_version"] in dependencies()["gradio"].specifier


def test_version_and_licence_are_the_same_everywhere() -> None:
    assert 'dynamic = ["version"]' in read("pyproject.toml")
    assert f"version: {toolkit.__version__}\n" in read("CITATION.cff")
    assert read("LICENSE").startswith("MIT License")
    assert 'license = "MIT"' in read("pyproject.toml") and "license: MIT\n" in read("CITATION.cff")
    try:
        assert metadata.version("that-are-not") == toolkit.__version__
    except metadata.PackageNotFoundError:
        pytest.skip("run from a clone that is not installed")


def test_what_the_package_carries_is_not_ignored() -> None:
    patterns = {line for line in read(".gitignore").splitlines() if line and not line.startswith("#")}
    assert not patterns & {"data", "data/", "runs", "runs/", "checkpoints", "checkpoints/", "/checkpoints/"}


def test_importing_is_quick_brings_no_torch_and_has_every_public_name() -> None:
    code = """
import sys, time
started = time.process_time()
import toolkit
assert time.process_time() - started < 0.1 and "torch" not in sys.modules
assert dir(toolkit) == sorted([*toolkit.__all__, "__version__"])
names = "metrics data samplers seeds runs presets train hub plot diverge iterated".split()
assert all(getattr(toolkit, name).__name__ == f"toolkit.{name}" for name in names)
assert all(getattr(toolkit, name).__name__.endswith(name) for name in toolkit.__all__)
assert callable(toolkit.iterated_learning)  # though its module was imported
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="no attribute 'novel'"):
        _ = toolkit.novel


# ---- a wheel, outside the repository


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    if find_spec("hatchling") is None:
        pytest.skip("no hatchling: pip install -e .[dev]")
    place, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    source = shutil.copytree(ROOT, place / "source", ignore=shutil.ignore_patterns("checkpoints", ".*", "tests"))
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place], cwd=source, check=True)
    (wheel,) = place.glob("*.whl")
    with ZipFile(wheel) as packed:  # as pip installs what is Python alone
        packed.extractall(target)
    return target


def outside(installed: Path, cwd: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    """Python with the installed package, in an empty folder."""
    env = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *argv], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def content(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


def test_an_installed_wheel_has_its_commands_names_and_data(installed: Path, tmp_path: Path) -> None:
    code = "from toolkit import Model, data, hub; print(hub.__file__, len(data.load('sample:mnist').images))"
    done = outside(installed, tmp_path, "-c", code)
    assert done.stdout == f"{installed / 'toolkit' / 'hub.py'} 1000\n", done.stderr
    assert "usage: python -m toolkit" in outside(installed, tmp_path, "-m", "toolkit", "--help").stdout
    assert {"index.html", "page.css"} & {path.name for path in (installed / "toolkit/web/static").iterdir()}


LINES = ["sample fig2 --out x.png", "list", "decode creative-mnist --out x.png", "font --out x.ttf", "claims",
         "push owner/name"]  # fmt: skip
EACH = f"""
import json
from contextlib import redirect_stderr
from io import StringIO
from toolkit import cli, hub

found = []
for line in {LINES}:
    with redirect_stderr(StringIO()) as printed:
        code = cli.main(line.split())
    found.append((line, code, printed.getvalue()))
for load in (lambda: hub.load(hub.CHECKPOINTS), hub.load_classifier):
    try:
        load()
    except hub.CheckpointError as error:
        found.append((str(load), 2, str(error) + chr(10)))
print(json.dumps(found))
"""


def test_without_checkpoints_one_line_says_how_to_get_some_and_nothing_is_written(
    installed: Path, tmp_path: Path
) -> None:
    before = content(installed)
    done = outside(installed, tmp_path, "-c", EACH)
    found = json.loads(done.stdout)
    assert len(found) == len(LINES) + 2
    for what, code, sentence in found:
        assert code == 2 and sentence.count("\n") == 1, what
        words = ("no checkpoints came with this installation", "pull OWNER/NAME", "train", "--from")
        assert all(each in sentence for each in words), what
    assert content(installed) == before and not content(tmp_path)


def test_claims_are_written_where_the_results_are_and_not_beside_the_package(installed: Path, tmp_path: Path) -> None:
    before = content(installed)
    shutil.copytree(ROOT / "checkpoints" / "fig2", tmp_path / "fig2", ignore=shutil.ignore_patterns("*.safetensors"))
    done = outside(installed, tmp_path, "-m", "toolkit", "claims", "--from", ".")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"fig2", "CLAIMS.md", "claims.json"}
    assert content(installed) == before
