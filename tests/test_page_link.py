"""What links need of the server, and the overview of all experiments, without a browser."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.test_app import build, components, tiny_run
from toolkit import hub, plot
from toolkit.config import SamplingSettings
from toolkit.web import server
from toolkit.web.iterations import OVERVIEW_COLUMNS, ROWS, Shelf, say


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tiny_run(tmp_path_factory.mktemp("checkpoints"), iterations=3)
    return Shelf(tiny_run(folder, iterations=1, name="fig6"))


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Iterations", "iterations"), ("Creative decoder", "creative-decoder"), ("Is it new?", "is-it-new")],
)
def test_a_link_names_a_tab_in_plain_letters(name: str, slug: str) -> None:
    assert server.slug(name) == slug


def test_every_tab_has_the_name_that_links_give_it(shelf: Shelf) -> None:
    tabs = components(build(shelf.source), "tabitem")
    assert [tab["props"]["id"] for tab in tabs] == [server.slug(tab["props"]["label"]) for tab in tabs]


def test_on_a_space_links_name_the_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "owner/that-are-not")
    assert 'window.thatAreNot = {space: "owner/that-are-not"};' in server.head()


@pytest.mark.parametrize("space", ["", "no-owner", "</script><script>alert(1)</script>", 'a/b"};alert(1);//'])
def test_what_is_no_name_of_a_space_is_none(monkeypatch: pytest.MonkeyPatch, space: str) -> None:
    monkeypatch.setenv("SPACE_ID", space)
    assert "window.thatAreNot = {space: null};" in server.head()
    assert server.head().count("<script>") == server.head().count("</script>") == 1


def test_the_strip_of_an_experiment_is_the_first_rows_of_its_sheets(shelf: Shelf) -> None:
    strip = shelf.thumbnails("fig2")
    png = base64.b64decode(strip["sheet"].split(",")[1])
    entries = shelf.experiment("fig2")[1]["iterations"]
    sheets = [Image.open(Path(shelf.source) / entry["samples"]) for entry in entries]
    with Image.open(io.BytesIO(png)) as rows:
        symbols = plot.tiles(rows, 28)
    assert (strip["iterations"], len(symbols)) == ([0, 1, 2, 3], 4 * OVERVIEW_COLUMNS * ROWS)
    expected = [tile for sheet in sheets for tile in plot.tiles(sheet, 28)[: OVERVIEW_COLUMNS * ROWS]]
    assert all((one == other).all() for one, other in zip(symbols, expected, strict=True))


def test_a_strip_is_plain_json_and_says_the_figure_if_there_is_one(shelf: Shelf, tmp_path: Path) -> None:
    assert json.loads(json.dumps(shelf.thumbnails("fig6"))) == shelf.thumbnails("fig6")
    assert shelf.thumbnails("fig6")["figure"] is None
    path = tiny_run(tmp_path, iterations=1) / "fig2" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "experiment": {"figure": "2"}}))
    assert Shelf(tmp_path).thumbnails("fig2")["figure"] == "2"


@pytest.mark.parametrize(
    ("data", "words"), [("sample:fashion", "pictures of clothes"), ("mnist", "handwritten digits"), (None, "pictures")]
)
def test_the_page_says_what_was_learned(tmp_path: Path, data: str | None, words: str) -> None:
    path = tiny_run(tmp_path, iterations=1) / "fig2" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "experiment": {"data": data}}))
    assert Shelf(tmp_path).page()["learned"] == words


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        ({}, "At most 100 passes, each image by itself, until it moves by less than 0.001"),
        (
            {"stop": "batch", "limit": 30},
            "At most 30 passes, the whole batch together, until it moves by less than 0.001",
        ),
        ({"tol": 0.0}, "At most 100 passes, each image by itself, until it does not move"),
    ],
)
def test_the_caption_says_how_noise_became_a_symbol(sampling: dict[str, Any], words: str) -> None:
    salt = "5 % of the pixels black or white by chance before each"
    ink = "the brightest 13 % white and the rest black after each"
    assert say(SamplingSettings(**sampling)) == words
    assert say(SamplingSettings(**sampling, salt=0.05, ink=0.13)) == f"{words}, {salt}, {ink}"
    assert say(SamplingSettings(**sampling, finish="tone")) == f"{words}, tones of the data"


def test_an_experiment_without_a_sheet_has_an_empty_strip(tmp_path: Path) -> None:
    folder = tiny_run(tmp_path, iterations=1)
    for path in folder.glob("fig2/*/samples.png"):
        path.unlink()
    hub.write_index(folder)
    assert Shelf(folder).thumbnails("fig2").items() >= {"iterations": [], "sheet": None}.items()


def test_there_is_no_strip_of_another_experiment(shelf: Shelf) -> None:
    with pytest.raises(ValueError, match="fig99"):
        shelf.thumbnails("fig99")


def test_the_page_says_the_settings_of_sampling_as_values(shelf: Shelf) -> None:
    settings = json.loads(json.dumps(shelf.page("fig2")["settings"]))
    assert {key: settings[key] for key in ("tol", "limit", "stop")} == {"tol": 0.001, "limit": 4, "stop": "each"}
