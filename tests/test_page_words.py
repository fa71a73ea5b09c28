"""The tab "Words" without a browser: words of seeds, and stored words in place of a model that is not here."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.test_app import ask, build, components, refused, tiny_run
from toolkit import hub
from toolkit.models import create
from toolkit.presets import preset
from toolkit.web import words

NAME = "words"


def tiny_words(folder: Path, name: str = NAME, iterations: int = 3, **changes: Any) -> Path:
    """A run of words of untrained models, in a tree; that of iteration 2 is not there."""
    for iteration in range(1, iterations + 1):
        here = folder / name / f"iter_{iteration:03d}"
        model: Any = create("CharRNN", {"hidden": 8}, seed=iteration)
        hub.save(model, here / "model.safetensors", experiment=name, iteration=iteration)
        texts = hub.Writer(name, "", "words", model).texts(range(100))
        (here / "samples.txt").write_text("".join(f"{text}\n" for text in texts))
        (here / "metrics.json").write_text(json.dumps({"new_share": 0.9 + 0.01 * iteration, "bits": 5.0 - iteration}))
        if iteration == 2:
            (here / "model.safetensors").unlink()
    spec = preset("words-replace" if name == "words-replace" else "words", "smoke", name=name, **changes)
    (folder / name / "config.json").write_text(json.dumps({"title": "Tiny words", "kind": "words",
                                                           "experiment": spec.as_dict()}))  # fmt: skip
    hub.write_index(folder)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_run(tmp_path_factory.mktemp("words"), iterations=1)
    return tiny_words(tiny_words(folder), "words-replace")


def asked(tree: Path, **changes: Any) -> list[list[Any]]:
    (message,) = ask("words", tree, **changes)[-1:]
    return list(message["words"])


def test_a_page_has_sixty_words_each_beside_the_nearest_of_the_list(tree: Path) -> None:
    found = asked(tree, seed=7)
    assert len(found) == words.PAGE and [word for word, *_ in found] == hub.read(tree, NAME, 3).texts(range(7, 67))
    listed, ngrams = words.lexicon("words") or (None, None)
    assert listed and ngrams
    for word, nearest, distance, bits in found[:5]:
        assert (nearest, distance) == listed.nearest(word) and bits == pytest.approx(ngrams.bits(word), abs=0.01)
    assert asked(tree, seed=8)[0] == found[1]  # whatever stands before it
    assert all(word.startswith("qu") for word, *_ in asked(tree, start="qu", temperature=0.5))


def test_where_a_model_is_not_here_its_stored_words_stand_and_no_others(tree: Path) -> None:
    stored = (tree / "words/iter_002/samples.txt").read_text().split("\n")
    assert [word for word, *_ in asked(tree, iteration=2)] == stored[:60]
    assert "words has no model of iteration 2: choose 1, 3" in refused("words", tree, iteration=2, seed=1)
    assert "words has no model of iteration 9" in refused("words", tree, iteration=9)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"experiment": "fig2"}, "there is no run of words 'fig2'"), ({"start": "É"}, "there is no 'É' among"),
        ({"temperature": 0}, "temperature 0 is not usable: give a number from 0.1 to 3"),
        ({"seed": -1}, "seed -1 is not usable"), ({"iteration": 0}, "iteration 0 is not usable"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_said_in_a_sentence(tree: Path, changes: dict[str, Any], sentence: str) -> None:
    assert sentence in refused("words", tree, **changes)


def test_the_first_page_shows_words_before_any_model_writes_and_the_runs_by_how_they_go_on(tree: Path) -> None:
    first = words.first_page(tree)
    assert first and json.loads(json.dumps(first)) == first
    assert [run["label"] for run in first["runs"]] == [*words.LABELS.values()]
    assert [it["model"] for it in first["runs"][0]["iterations"]] == [True, False, True]
    assert [word for word, *_ in first["words"]] == (tree / "words/iter_003/samples.txt").read_text().split()[:60]
    assert words.latest(tree) == ("words", 3) and first["learned"] == "400 English words"
    words.warm(tree)


def test_without_words_there_is_no_tab_and_running_text_and_lists_that_are_gone_do_no_harm(tmp_path: Path) -> None:
    tree = tiny_run(tmp_path / "tree", iterations=1)
    assert words.first_page(tree) is None and words.latest(tree) is None
    play = tmp_path / "play.txt"
    play.write_text("To be, or not to be. " * 9)
    tiny_words(tree, "play", data=f"text:{play}")
    assert words.first_page(tree) is None
    tiny_words(tree, "mine", data="text:gone.txt")
    assert words.runs(tree) == ["mine"]
    assert asked(tree, experiment="mine")[0][1:] == [None, None, None]
    assert "Words" in [tab["props"]["label"] for tab in components(build(tree), "tabitem")]
    shutil.rmtree(tree)
