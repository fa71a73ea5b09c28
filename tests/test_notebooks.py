"""Every notebook is what a reader expects, and runs from top to bottom at a small scale."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.experiments import notebooks

pytest.importorskip("nbclient", reason="no Jupyter here")
ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NAMES = notebooks.names(FOLDER)
BADGE = "https://colab.research.google.com/github/OWNER/that-are-not/blob/main/notebooks/{}.ipynb"
each = pytest.mark.parametrize("name", NAMES)


def raw(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def code(name: str) -> list[dict]:
    return [cell for cell in raw(name)["cells"] if cell["cell_type"] == "code"]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def test_they_are_numbered_and_there_is_one_for_the_hub() -> None:
    numbers = [name[:2] for name in NAMES if name != "notebook"]
    assert numbers == sorted({*numbers}) and numbers[:15] == [f"{number:02d}" for number in range(15)]
    assert "notebook" in NAMES


@each
def test_it_asks_a_question_and_opens_in_colab(name: str) -> None:
    first = raw(name)["cells"][0]
    assert first["cell_type"] == "markdown" and text(first).startswith("# ")
    assert text(first).splitlines()[0].endswith("?") and BADGE.format(name) in text(first)


@each
def test_it_is_short_and_its_only_output_is_a_picture_of_moderate_size(name: str) -> None:
    cells = code(name)
    assert len(cells) <= 15 and max(text(cell).count("\n") for cell in cells) < 20
    assert all(cell["execution_count"] is None for cell in cells)
    ((tags, (output,)),) = [(cell["metadata"]["tags"], cell["outputs"]) for cell in cells if cell["outputs"]]
    picture = base64.b64decode(output["data"]["image/png"])
    assert tags == ["picture"] and picture == (FOLDER / "pictures" / f"{name}.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) < 150_000
    ids = [cell["id"] for cell in raw(name)["cells"]]
    assert len(set(ids)) == len(ids)


@each
def test_it_has_its_mathematics_and_leads_to_its_paper_and_to_the_next(name: str) -> None:
    cells = {cell["id"]: text(cell) for cell in raw(name)["cells"]}
    assert cells["formulas"].count("$$") >= 2 and cells["formulas"].count("$") % 2 == 0
    assert cells["next"].startswith("Paper") and "](https://" in cells["next"]
    last = {
        "15_stylegan": "README.md", "16_words_that_are_not": "README.md", "17_raise_your_own": "README.md",
        "18_decoder_studies": "README.md",
        "notebook": "00_tour.ipynb",
    }  # fmt: skip
    assert f"{last.get(name) or NAMES[NAMES.index(name) + 1] + '.ipynb'})" in cells["next"]


@each
def test_it_installs_itself_only_where_the_import_fails_and_never_torch(name: str) -> None:
    setup = text(code(name)[0])
    assert setup == text(code(NAMES[0])[0])
    order = ["import toolkit", "except ImportError", "%pip install", "%load_ext toolkit.experiments.notebooks"]
    assert sorted(order, key=setup.index) == order
    assert "torch" not in setup and all("pip" not in text(cell) for cell in code(name)[1:])


@each
def test_its_last_cell_checks_what_its_prose_claims(name: str) -> None:
    cells = code(name)
    tags = [tag for cell in cells for tag in cell["metadata"].get("tags", [])]
    assert sorted(tags) == ["check", "parameters", "picture"]
    last = next(cell for cell in reversed(raw(name)["cells"]) if cell["cell_type"] == "code")
    assert last["metadata"]["tags"] == ["check"] and "assert" in text(last) and "print(" in text(last)
    assert "FULL" in text(next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    """One for all, emptied before each: what a kernel imports takes longer than most notebooks at this scale."""
    from jupyter_client import KernelManager

    one = KernelManager(kernel_name="python3")
    yield one
    one.shutdown_kernel(now=True)


@each
def test_it_runs_from_top_to_bottom(name: str, kernel: Any) -> None:
    done = notebooks.execute(FOLDER / f"{name}.ipynb", small=True, kernel=kernel)
    assert done.picture.startswith(b"\x89PNG") and done.finding
    assert not [
        output
        for cell in done.notebook.cells
        for output in cell.get("outputs", [])
        if "stderr" in output.get("name", "")
    ]


def test_the_page_of_the_folder_is_that_of_the_results() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == notebooks.page(FOLDER)
    assert sorted(json.loads((FOLDER / "results.json").read_text())) == NAMES


def copy(name: str, folder: Path, sources: list[str]) -> Path:
    """A notebook's first cell, and then these."""
    book = {**raw(name), "cells": raw(name)["cells"][:2]}
    for source in sources:
        book["cells"].append({**book["cells"][1], "id": str(len(book["cells"])), "source": source})
    (folder / "short.ipynb").write_text(json.dumps(book))
    return folder / "short.ipynb"


def test_a_notebook_that_fails_says_which_and_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^short\.ipynb fails: ZeroDivisionError: [^\n]+$"):
        notebooks.execute(copy(NAMES[0], tmp_path, ["1 / 0"]))


def test_what_the_toolkit_refuses_is_one_sentence_and_an_error_of_the_readers_keeps_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbclient

    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody there: offline
    book = notebooks.read(copy(NAMES[0], tmp_path, ["from toolkit import data\ndata.load('mnist')", "int('x')"]))
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", allow_errors=True).execute()
    offline, own = ([it for it in cell.outputs if it.output_type == "error"] for cell in book.cells[2:])
    (sentence,) = offline[0].traceback
    assert sentence.count("\n") == 0 and "connect to a network once" in sentence
    assert own[0].ename == "ValueError" and "most recent call last" in "".join(own[0].traceback)


def test_checkpoints_that_did_not_come_with_the_package_are_cloned_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert notebooks.checkpoints() == ROOT / "checkpoints"
    origin, there = tmp_path / "origin", tmp_path / "there"
    (origin / "checkpoints").mkdir(parents=True)
    (origin / "checkpoints" / "index.json").write_text("{}")
    git = ["git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "checkpoints"]):
        subprocess.run([*git, *words], check=True)
    there.mkdir()
    monkeypatch.chdir(there)
    monkeypatch.setattr(notebooks, "CHECKPOINTS", tmp_path / "site-packages" / "checkpoints")
    monkeypatch.setattr(notebooks, "REPOSITORY", f"file://{tmp_path}/nowhere")
    with pytest.raises(
        ValueError, match="^no checkpoints came [^\n]+ could not be cloned [^\n]+: connect to a network"
    ):
        notebooks.checkpoints()
    monkeypatch.setattr(notebooks, "REPOSITORY", f"file://{origin}")
    found = notebooks.checkpoints()
    assert found == there / "origin" / "checkpoints" and (found / "index.json").exists()
    assert notebooks.checkpoints() == found


def test_what_is_no_notebook_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "odd.ipynb").write_text("no JSON")
    with pytest.raises(ValueError, match=r"odd\.ipynb is no notebook"):
        notebooks.read(tmp_path / "odd.ipynb")
    with pytest.raises(FileNotFoundError, match="take a copy of the whole repository"):
        notebooks.names(tmp_path / "nowhere")
