"""The tab "Words": a page of words that one iteration invented, each beside the nearest word of the list."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pydantic import Field

from .. import hub, index
from ..data import text
from ..metrics.words import Lexicon, NGrams
from . import server
from .server import Message, Request, Word, action, figure, loaded

TAB = "Words"
FIRST = ["words", "words-replace"]
LABELS = {"accumulate": "the list and what was invented", "replace": "what was invented alone"}
PAGE = 60  # words
START: Message = {"temperature": 1.0, "seed": 0, "start": ""}
CURVES = {  # the measures that the page draws, and their names there
    "new_share": "not in the list", "distance": "to the nearest", "bits": "bits a letter",
    "length": "letters",
}  # fmt: skip


class WordsRequest(Request):
    """A page of words. seed: of the first; start: what each begins with."""

    repeated = ("ticket", "iteration")

    experiment: Word
    iteration: int = Field(ge=1, le=999)
    temperature: float = Field(ge=0.1, le=3)
    seed: int = Field(ge=0, le=2**32 - PAGE)
    start: Word = ""


def write(source: str | Path, request: WordsRequest) -> Message:
    """A page of words, and what is known of each; without a model here those that were stored when it was trained.

    Raises ValueError, one sentence, for a run, an iteration or words that are not here, or letters it does not know.
    """
    listed, names = server.read_index(source)["experiments"], runs(source)
    if request.experiment not in names:
        raise index.unknown(index.KINDS["words"], request.experiment, names)
    name, data = request.experiment, _data(source, listed[request.experiment])
    entry: Mapping[str, Any] = next(
        (it for it in listed[name]["iterations"] if it["iteration"] == request.iteration), {}
    )
    asked = (request.temperature, request.seed, request.start)
    if "samples" in entry and "file" not in entry and asked == (START["temperature"], START["seed"], START["start"]):
        lines = index.fetch(source, entry["samples"]).read_text(encoding="utf-8").splitlines()
        return {"words": described(lines[:PAGE], data)}
    index.choose(server.read_index(source), name, request.iteration)  # raises, listing the models that there are
    found = loaded(hub.read, source, name, request.iteration)
    seeds = range(request.seed, request.seed + PAGE)
    return {"words": described(found.texts(seeds, temperature=request.temperature, start=request.start), data)}


def described(words: Sequence[str], data: str) -> list[list[Any]]:
    """Of each word: itself, the nearest of the list, how many letters differ, bits a letter; without a list the first.

    data: the name of the list.
    """
    known = lexicon(data)
    if known is None:
        return [[word, None, None, None] for word in words]
    listed, ngrams = known
    return [[word, *listed.nearest(word), round(ngrams.bits(word), 2)] for word in words]


@lru_cache(maxsize=2)
def lexicon(data: str) -> tuple[Lexicon, NGrams] | None:
    """The words of a list, to compare with; None where it is not here."""
    found = _text(data)
    return (Lexicon(found.vocabulary), NGrams(found.vocabulary)) if found else None


@lru_cache(maxsize=8)
def _text(data: str) -> text.Text | None:
    try:
        return text.load(data)
    except (ValueError, OSError):
        return None


def _data(source: str | Path, listed: Mapping[str, Any]) -> str:
    """The name of the data of a run. listed: its index entry."""
    return str(server.config_of(source, listed).get("data"))


def runs(source: str | Path) -> list[str]:
    """The runs of words that have a model, without those of running text."""
    listed = server.read_index(source)["experiments"]
    data = {name: _data(source, listed[name]) for name in server.names_of(source, "words", FIRST)}
    return [name for name, it in data.items() if it == text.BUILT_IN or (found := _text(it)) is None or found.listed]


def _label(source: str | Path, name: str) -> str:
    """What a run is called on its button: of those of the presets how they go on, of others their name."""
    teaching = server.config_of(source, server.read_index(source)["experiments"][name]).get("teaching")
    return LABELS.get(str(teaching), name) if name in FIRST else name


def first_page(source: str | Path) -> Message | None:
    """All runs of words, and the page of the first one's last iteration. None if there is no run."""
    listed = server.read_index(source)["experiments"]
    names = runs(source)
    if not names:
        return None
    shown = [
        {
            "name": name,
            "title": listed[name]["title"],
            "label": _label(source, name),
            "iterations": [
                {"iteration": it["iteration"], "model": "file" in it, "metrics": it.get("metrics", {})}
                for it in listed[name]["iterations"]
                if it["iteration"] and {"file", "samples"} & {*it}
            ],
        }
        for name in names
    ]
    _, entry = index.choose(server.read_index(source), names[0])
    lines = index.fetch(source, entry["samples"]).read_text(encoding="utf-8").split() if "samples" in entry else []
    words = [[line, None, None, None] for line in lines[:PAGE]]
    made = server.config_of(source, listed[names[0]])
    many = f"{made['images']:,} " if type(made.get("images")) is int else ""
    learned = f"{many}{'English ' * (made.get('data') == 'words')}words"
    return {"runs": shown, "words": words, "learned": learned, "start": START, "count": PAGE, "curves": CURVES}


def latest(source: str | Path) -> tuple[str, int] | None:
    """The run that is shown first, and its last iteration with a model; None if there is no run."""
    names = runs(source)
    return (names[0], index.choose(server.read_index(source), names[0])[1]["iteration"]) if names else None


def warm(source: str | Path) -> None:
    """Write a page for nobody, so that no visitor waits for the list."""
    if shown := latest(source):
        write(source, WordsRequest.read({**START, "experiment": shown[0], "iteration": shown[1]}))


def tab(source: str | Path, first: Message) -> None:
    """Words That Are Not. first: as `first_page` gives it."""
    own = figure("words", first, triggers=["write"])
    action(own, "write", "that-are-not-words", WordsRequest, partial(write, source))
