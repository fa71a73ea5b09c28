"""Every notebook is what a reader expects, and runs from top to bottom at a small scale."""

import json
from pathlib import Path

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


def test_there_are_fourteen_of_them_numbered_and_one_for_the_hub() -> None:
    assert [name[:2] for name in NAMES if name != "notebook"] == [f"{number:02d}" for number in range(14)]
    assert "notebook" in NAMES


@each
def test_it_asks_a_question_and_opens_in_colab(name: str) -> None:
    first = raw(name)["cells"][0]
    assert first["cell_type"] == "markdown" and text(first).startswith("# ")
    assert text(first).splitlines()[0].endswith("?") and BADGE.format(name) in text(first)


@each
def test_it_is_short_and_its_outputs_are_stripped(name: str) -> None:
    cells = code(name)
    assert len(cells) <= 15 and max(text(cell).count("\n") for cell in cells) < 20
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    ids = [cell["id"] for cell in raw(name)["cells"]]
    assert len(set(ids)) == len(ids)


@each
def test_it_installs_itself_only_where_the_import_fails_and_never_torch(name: str) -> None:
    (setup,) = {text(code(name)[0])}
    assert setup == text(code(NAMES[0])[0])
    assert setup.index("import toolkit") < setup.index("except ImportError") < setup.index("%pip install")
    assert "torch" not in setup and all("pip" not in text(cell) for cell in code(name)[1:])


@each
def test_its_last_cell_checks_what_its_prose_claims(name: str) -> None:
    cells = code(name)
    tags = [tag for cell in cells for tag in cell["metadata"].get("tags", [])]
    assert sorted(tags) == ["check", "parameters", "picture"]
    last = next(cell for cell in reversed(raw(name)["cells"]) if cell["cell_type"] == "code")
    assert last["metadata"]["tags"] == ["check"] and "assert" in text(last) and "print(" in text(last)
    assert "FULL" in text(next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])))


@each
def test_it_runs_from_top_to_bottom(name: str) -> None:
    done = notebooks.execute(FOLDER / f"{name}.ipynb", small=True)
    assert done.picture.startswith(b"\x89PNG") and done.said
    assert not [
        output
        for cell in done.notebook.cells
        for output in cell.get("outputs", [])
        if "stderr" in output.get("name", "")
    ]


def test_the_page_of_the_folder_is_that_of_the_results() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == notebooks.page(FOLDER)
    assert sorted(json.loads((FOLDER / "results.json").read_text())) == NAMES
    assert all((FOLDER / "pictures" / f"{name}.png").stat().st_size < 300_000 for name in NAMES)


def test_a_notebook_that_fails_says_which_and_why(tmp_path: Path) -> None:
    broken = {**raw(NAMES[0]), "cells": raw(NAMES[0])["cells"][:2]}
    broken["cells"][1]["source"] = "1 / 0"
    (tmp_path / "broken.ipynb").write_text(json.dumps(broken))
    with pytest.raises(ValueError, match=r"broken\.ipynb fails: .*[\s\S]*ZeroDivisionError"):
        notebooks.execute(tmp_path / "broken.ipynb")


def test_what_is_no_notebook_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "odd.ipynb").write_text("no JSON")
    with pytest.raises(ValueError, match=r"odd\.ipynb is no notebook"):
        notebooks.read(tmp_path / "odd.ipynb")
    with pytest.raises(FileNotFoundError, match="take a copy of the whole repository"):
        notebooks.names(tmp_path / "nowhere")
