"""The tab "Raise your own" without a browser: a generation a turn, early ends, what is kept, recipes refused."""

import base64
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zipfile import ZipFile

import pytest
import torch

from tests.test_app import ask, refused, responses
from toolkit import hub, index, raising
from toolkit.raising import Cache, Recipe
from toolkit.samplers import to_bytes
from toolkit.samplers.generate import from_bytes
from toolkit.web import raising as tab
from toolkit.web import server

STEPS = raising.EVERY  # of learning: the fewest after which one hears of it


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "members", Cache())


def family(folder: Path, *picks: list[int], **changes: Any) -> dict[str, Any]:
    """The recipe of a line, as the page sends it."""
    entry = index.choose(index.read_index(folder), "fig2", 3)[1]
    ancestor = {"experiment": "fig2", "iteration": 3, "sha256": entry["sha256"]}
    steps = {"steps": STEPS, **changes}
    generations = [{"parent": parent, "picks": some, **steps} for parent, some in enumerate(picks)]
    return {"schema": 1, "ancestor": ancestor, "generations": generations}


def raised(folder: Path, *picks: list[int], **changes: Any) -> list[dict[str, Any]]:
    return ask("raising", folder, recipe=family(folder, *picks, **changes))


def symbols(message: dict[str, Any]) -> bytes:
    return base64.b64decode(message["light"])


def test_the_first_page_shows_the_models_to_begin_with(full: Path) -> None:
    first = tab.first_page(full)
    assert first is not None and json.loads(json.dumps(first)) == first
    (ancestor,) = first["ancestors"]
    assert (ancestor["name"], ancestor["iteration"], ancestor["data"]) == ("fig2", 3, "handwritten digits")
    assert (
        ancestor["sheet"].startswith("sheets/fig2/iter_003/")
        and ancestor["sha256"] == family(full)["ancestor"]["sha256"]
    )


def test_a_generation_learns_step_by_step_and_then_draws_twelve_symbols(full: Path) -> None:
    first, *learning, end = raised(full, [0, 3], steps=2 * STEPS)
    assert (first["generation"], first["step"], first["of"]) == (1, 0, 2 * STEPS)
    assert [message["step"] for message in learning[:2]] == [STEPS, 2 * STEPS]
    assert len(symbols(end)) == 12 * 784 and end["learned"] == 2 * STEPS
    assert all(0 <= far <= 1 for pair in end["facts"].values() for far in pair)


def test_the_same_recipe_gives_the_same_bytes_and_is_learned_once(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, once = raised(full, [0, 3])
    again = raised(full, [0, 3])
    assert symbols(again[-1]) == symbols(once) and not any(message["step"] for message in again)
    monkeypatch.setattr(tab, "members", Cache())
    *_, anew = raised(full, [0, 3])
    *_, other = raised(full, [1, 4])
    assert symbols(anew) == symbols(once) != symbols(other)


def test_of_a_line_that_nobody_has_raised_one_generation_takes_its_turn_after_the_other(full: Path) -> None:
    line = [[0], [1, 2], [5]]
    turns = [raised(full, *line)[-1]["generation"] for _ in range(4)]
    assert turns == [1, 2, 3, 3]


def test_what_is_stopped_keeps_what_it_has_learned_and_its_recipe_says_so(full: Path) -> None:
    messages, order = [], {"visitor": "early", "ticket": 3}
    for message in responses("raising", full, recipe=family(full, [0], steps=3 * STEPS), **order):
        messages.append(message)
        if message["step"] == STEPS:
            tab.enough.note({"visitor": "early", "ticket": 4})
    end = messages[-1]
    assert STEPS <= end["learned"] < 3 * STEPS and end["error"] is None
    again = raised(full, [0], steps=end["learned"])
    assert symbols(again[-1]) == symbols(end) and not any(message["step"] for message in again)


def test_no_generation_learns_longer_than_its_seconds(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "SECONDS", 0.0)
    assert raised(full, [0], steps=3 * STEPS)[-1]["learned"] == STEPS


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recipe": None}, "recipe"),
        ({"recipe": {}}, "schema"),
        ({"recipe": {"schema": 2}}, "schema 2"),
        ({"recipe": {"schema": 1, "ancestor": {"experiment": "fig2"}}}, "sha256"),
        ({"generations": [{"parent": 0}]}, "no picks"),
        ({"generations": [{"parent": 1, "picks": [0]}]}, "parent"),
        ({"generations": [{"parent": 0, "picks": [0]}, {"parent": 0, "picks": [1]}]}, "not of one line"),
        ({"generations": [{"parent": k, "picks": [0]} for k in range(11)]}, "at most 10 generations"),
        ({"generations": [{"parent": 0, "picks": [0], "steps": 10**9}]}, "steps"),
        ({"generations": [{"parent": 0, "picks": [0], "drawings": ["%%"]}]}, "drawing"),
        ({"generations": [{"parent": 0, "picks": [0], "weights": "x"}]}, "weights"),
        ({"generations": "all"}, "generations"),
        ({"sheet": "AAAA"}, "a sheet of 12 drawings"),
        ({"ancestor": {"experiment": "fig2", "iteration": 4, "sha256": "0" * 64}}, "another file"),
    ],
)
def test_a_damaged_recipe_gets_one_sentence(full: Path, changes: dict[str, Any], named: str) -> None:
    recipe = changes["recipe"] if "recipe" in changes else {**family(full, [0]), **changes}
    assert named in refused("raising", full, recipe=recipe)


def test_a_recipe_and_the_text_of_its_link_say_the_same(full: Path) -> None:
    recipe = family(full, [0], [1, 2])
    found = tab.read(recipe)
    assert Recipe.read(found["recipe"]) == Recipe.read(recipe)
    assert len(found["text"]) < 400 and tab.read(found["text"]) == found


def test_a_recipe_that_was_shared_with_another_sheet_is_said_to_raise_cousins(full: Path) -> None:
    recipe = family(full, [0])
    own = Recipe.read(recipe).showing(from_bytes(symbols(raised(full, [0])[-1]), -1, 1, 28, 28))
    for sheet, said in ((own.sheet, ""), (raising.packed(torch.zeros(12, 28, 28), 2), raising.COUSINS)):
        shared = tab.read({**recipe, "sheet": sheet})
        assert tab.read(shared["text"]) == shared and shared["recipe"]["sheet"] == sheet
        assert ask("raising", full, recipe=shared["recipe"])[-1]["cousins"] == said


def test_a_recipe_with_many_drawings_has_no_link(full: Path) -> None:
    recipe, chance = family(full, [0], [1], [2]), Random(0)
    for generation in recipe["generations"]:
        generation["drawings"] = [base64.b64encode(chance.randbytes(196)).decode() for _ in range(4)]
    found = tab.read(recipe)
    assert found["text"] is None and len(found["recipe"]["generations"]) == 3


@pytest.mark.parametrize("text", ["", "x", "%", "é", "A" * 5000, "ePluV2wrjdHB"])
def test_a_damaged_link_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="damaged") as refusal:
        tab.read(text)
    assert "\n" not in str(refusal.value)


def test_the_checkpoints_of_a_line_are_one_file_that_draws_the_same(full: Path, tmp_path: Path) -> None:
    recipe = family(full, [0, 3], [1]) | {"name": "My Hooks!"}
    first, last = ask("raising", full, recipe=recipe)[-1], ask("raising", full, recipe=recipe)[-1]
    with ZipFile(tab.package(full, tab.RaiseRequest.read({"recipe": recipe}))) as file:
        assert Path(str(file.filename)).name == "my-hooks.zip"
        file.extractall(tmp_path)
    assert "From fig2, iteration 3, by a person" in (tmp_path / "README.md").read_text()
    stored = Recipe.from_json((tmp_path / "my-hooks/recipe.json").read_text())
    assert replace(stored, sheet="") == Recipe.read(recipe)
    assert raising.kinship(stored, to_bytes(hub.draw(tmp_path, "my-hooks", 2, seeds=range(12)))) == "" != stored.sheet
    for number, message in ((1, first), (2, last)):
        drawn = to_bytes(hub.draw(tmp_path, "my-hooks", number, seeds=range(12)))
        assert drawn.numpy().tobytes() == symbols(message)


def test_checkpoints_that_are_not_here_are_a_sentence(full: Path) -> None:
    data = {"ticket": 5, "recipe": family(full, [0])}
    path, message = server.passing(partial(tab.package, full), tab.RaiseRequest, data)
    assert path is None and message["ticket"] == 5 and "raise a generation, then save them" in message["error"]


def test_only_so_many_models_are_kept(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "members", Cache(most=3))
    for seed in range(4):
        raised(full, [seed])
    assert len(tab.members) == 3
    assert raised(full, [3])[-1]["generation"] == 1 and raising.SYMBOLS == 12
