"""What is said in two places is said alike: dependencies, version, licence, the front matter of the Space."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import toolkit

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def dependencies() -> set[str]:
    """The lines of pyproject's [project] dependencies (Python 3.10 has no TOML reader)."""
    (lines,) = re.findall(r"^dependencies = \[\n(.*?)^\]", read("pyproject.toml"), re.DOTALL | re.MULTILINE)
    return set(re.findall(r'"(.+?)"', lines))


def front_matter() -> dict[str, str]:
    _, block, _ = read("README.md").split("---\n", 2)
    pairs = [line.partition(": ") for line in block.splitlines()]
    assert all(colon for _, colon, _ in pairs), "one `key: value` a line"
    return {key: value.strip('"') for key, _, value in pairs}


def test_a_space_installs_what_pyproject_asks_for_except_gradio() -> None:
    wanted = {line for line in read("requirements.txt").splitlines() if line and not line.startswith("#")}
    assert wanted == {line for line in dependencies() if Requirement(line).name != "gradio"}


def test_the_space_runs_a_gradio_that_the_project_supports() -> None:
    (gradio,) = [Requirement(line) for line in dependencies() if Requirement(line).name == "gradio"]
    assert front_matter()["sdk_version"] in gradio.specifier


def said_by(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_importing_the_toolkit_does_not_import_torch() -> None:
    assert said_by("import sys, toolkit; print('torch' in sys.modules)") == "False\n"


def test_every_public_name_is_there_and_listed() -> None:
    assert all(getattr(toolkit, name).__name__.endswith(name) for name in toolkit.__all__)
    assert set(toolkit.__all__) <= set(dir(toolkit))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'novel'"):
        _ = toolkit.novel


def test_the_loop_keeps_its_name_once_its_module_is_imported() -> None:
    code = "import toolkit.iterated, toolkit; print(toolkit.iterated_learning.__name__)"
    assert said_by(code) == "iterated_learning\n"


def test_torch_has_no_upper_pin() -> None:
    (torch,) = [Requirement(line) for line in dependencies() if Requirement(line).name == "torch"]
    assert str(torch.specifier) == ">=2.8"


def test_the_version_is_written_once_and_the_citation_agrees() -> None:
    assert 'dynamic = ["version"]' in read("pyproject.toml")
    assert f"version: {toolkit.__version__}\n" in read("CITATION.cff")


def test_the_installed_version_is_that_of_the_code() -> None:
    try:
        installed = metadata.version("that-are-not")
    except metadata.PackageNotFoundError:
        pytest.skip("run from a clone that is not installed")
    assert installed == toolkit.__version__


def test_the_front_matter_is_what_a_space_understands() -> None:
    known = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "license",
             "short_description", "datasets", "models", "tags", "pinned", "preload_from_hub"}  # fmt: skip
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    facts = front_matter()
    assert set(facts) <= known
    assert (facts["sdk"], facts["license"], facts["title"]) == ("gradio", "mit", "That Are Not")
    assert {facts["colorFrom"], facts["colorTo"]} <= colours
    assert len(facts["short_description"]) <= 60
    assert (ROOT / facts["app_file"]).exists()


def test_the_licence_is_mit_everywhere() -> None:
    assert read("LICENSE").startswith("MIT License")
    assert 'license = "MIT"' in read("pyproject.toml")
    assert "license: MIT\n" in read("CITATION.cff")


def test_what_the_package_carries_is_not_ignored() -> None:
    patterns = {line for line in read(".gitignore").splitlines() if line and not line.startswith("#")}
    assert not patterns & {"data", "data/", "runs", "runs/", "checkpoints", "checkpoints/", "/checkpoints/"}
