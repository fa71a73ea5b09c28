"""The tab "Raise your own": a visitor picks symbols, a small model learns from the picks, its children appear.

What a family is and how it is raised: toolkit/raising.py. The browser keeps the families; a request holds the recipe.
"""

import shutil
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from .. import publish, raising, runs
from ..metrics.image import as_float
from ..raising import Cache, Generation, Member, Recipe
from . import server
from .iterations import RunIndex
from .server import (
    FILES,
    PRIVATE,
    SLOW,
    LatestRequests,
    Message,
    Request,
    Word,
    action,
    answer,
    figure,
    pixels,
    rounded,
)

TAB = "Raise your own"
FIRST = {  # models to begin with: the iteration, and what the page calls it
    raising.ANCESTOR[0]: (raising.ANCESTOR[1], "digits"), "fig2": (3, "digits, bolder"),
    "fig2-fashion": (1, "clothes"), "digits-2016": (1, "digits, 2016"),
}  # fmt: skip
LEARNED = {"mnist": "handwritten digits", "fashion": "pictures of clothes"}  # that a family can go on learning
GENERATIONS = 10  # at most, one after the other
SECONDS, CORES = 10.0, 2  # of learning; what is learned by then is kept
LIMITS: Message = {
    "symbols": raising.SYMBOLS, "generations": GENERATIONS, "drawings": raising.MOST_DRAWINGS, "all": raising.MOST,
    "weight": Generation.weight,
}  # fmt: skip

RAISED = """
## How it was raised

From {ancestor.experiment}, iteration {ancestor.iteration}, by a person who picked symbols, generation after generation.
`python -m toolkit raise {name}/recipe.json --out runs` makes the same models again.
"""

members = Cache()
enough = LatestRequests()  # those before it of a visitor end early, with what they have


class RaiseRequest(Request):
    """A generation and those it comes from, as a recipe; visitor, ticket: whose request it is."""

    recipe: dict[str, Any]
    visitor: Word = ""
    ticket: int = 0


def line(recipe: object) -> Recipe:
    """The recipe of one generation and those it comes from. Raises ValueError, one sentence, for anything else."""
    found = Recipe.read(recipe)
    if len(found.generations) > GENERATIONS or found != found.lineage(len(found.generations)):
        raise ValueError(
            f"the recipe is not of one line: give at most {GENERATIONS} generations, each the next's parent"
        )
    return found


def raise_next(source: str | Path, request: RaiseRequest) -> Generator[Message]:
    """The first generation of a line that is not cached, or else the last: while it learns, then its sheet.

    generation: which it is. Only one, so that others have their turn before the next. cousins: what to say if these are
    not the symbols that the recipe was shared with. Raises ValueError for what is no recipe, or for one that cannot be
    raised here.
    """
    recipe = line(request.recipe)
    last = len(recipe.generations)
    number = next((at for at in range(1, last + 1) if not members.get(recipe.key(at))), last)
    whose, raised = {"visitor": request.visitor, "ticket": request.ticket}, list[Member]()
    begun = list[tuple[float, float]]()
    yield {"generation": number, "step": 0, "of": recipe.generations[number - 1].steps if number else 0}

    def stop() -> bool:  # on a machine that others keep busy the clock alone would cut it short
        now = time.monotonic(), time.process_time()
        begun.append(now)
        seconds, computed = (later - first for later, first in zip(now, begun[0], strict=True))
        return enough.superseded(whose) or (seconds >= SECONDS and computed >= CORES * SECONDS)

    for progress in server.unhurried(raising.raise_member(recipe, number, source, cache=members, stop=stop)):
        if progress.member:
            raised.append(progress.member)
        elif progress.number == number:
            yield {"step": progress.step}
    yield {**shown(*raised[-2:]), "cousins": raising.kinship(recipe, raised[-1].symbols) if number == last else ""}


def shown(parent: Member, child: Member | None = None) -> Message:
    """A generation as the page shows it; without a child, the first.

    facts: mean distances to the picks and to the data, of the parents and of the children.
    """
    if child is None:
        return {"light": pixels(as_float(parent.symbols)), "learned": 0, "facts": None}
    before, found = parent.distances, child.distances
    facts = {"picks": (found["parent_picks"], found["picks"]), "data": (before["digits"], found["digits"])}
    return {
        "light": pixels(as_float(child.symbols)),
        "learned": child.steps,
        "facts": {key: [rounded(value) for value in pair] for key, pair in facts.items()},
    }


def read(data: object) -> Message:
    """A recipe, or the text of one in a link, checked: as plain values, and as a text, None if that is too long.

    Raises ValueError, one sentence, for anything else.
    """
    recipe = Recipe.from_text(data[: raising.LARGEST]) if isinstance(data, str) else line(data)
    text = line(recipe.as_dict()).to_text()
    return {"recipe": recipe.as_dict(), "text": text if len(text) <= raising.LONGEST_TEXT else None}


def ancestors(source: str | Path) -> list[Message]:
    """The models to begin with, as the page knows them: those of `FIRST`, or all where there is none of these."""
    try:
        listed = RunIndex(source).listed()["experiments"]
    except ValueError:
        return []
    found = []
    for name in [name for name in FIRST if name in listed] or listed:
        learned = str(server.config_of(source, listed[name]).get("data")).removeprefix("sample:")
        entries = {it["iteration"]: it for it in listed[name]["iterations"] if {"file", "samples"} <= it.keys()}
        if entries and learned in LEARNED:
            number, title = FIRST.get(name, (0, listed[name]["title"]))
            entry = entries.get(number, entries[max(entries)])
            known = {"iteration": entry["iteration"], "title": title, "data": LEARNED[learned]}
            found.append({**server.about(name, listed[name], entry), **known})
    return found


def package(source: str | Path, request: RaiseRequest) -> Path:
    """The checkpoints of a line with their card, as one file. Raises ValueError where one of them is not cached."""
    recipe = line(request.recipe)
    found = [members.get(recipe.key(number)) for number in range(1, len(recipe.generations) + 1)]
    if not found or not all(found):
        raise ValueError("the models of this family are not here: raise a generation, then save them")
    folder, name = server.temporary_folder(), server.slug(recipe.name) or "family"
    runs.write_family(recipe, found, raising.root(recipe.ancestor, source), folder / name, name)
    text = publish.card(folder / name, f"you/{name}") + RAISED.format(name=name, ancestor=recipe.ancestor)
    (folder / name / "README.md").write_text(text, encoding="utf-8")
    return Path(shutil.make_archive(str(folder / name), "zip", folder / name))


def first_page(source: str | Path) -> Message | None:
    """What there is to see before anything is raised: the stored sheets of the first models. None if there are none."""
    found = ancestors(source)
    return {"ancestors": found, "limits": LIMITS} if found else None


def example(source: str | Path) -> Message:
    """A recipe of one generation that takes a moment."""
    known, *_ = [*ancestors(source), {"name": "fig2", "iteration": 5, "sha256": "0" * 64}]
    ancestor = {"experiment": known["name"], "iteration": known["iteration"], "sha256": known["sha256"]}
    return {"schema": 1, "ancestor": ancestor, "generations": [{"parent": 0, "picks": [0, 1], "steps": 4}]}


def tab(source: str | Path, first: Message) -> None:
    """Raise your own. first: as `first_page` gives it."""

    def recipe(data: object) -> Message:
        return answer(read, data)

    def stop(data: object) -> None:
        enough.note(data)

    def on_pack(event: gr.EventData) -> tuple[str | None, Message]:
        return server.passing(partial(package, source), RaiseRequest, event._data)

    own = figure("raising", first, recipe, stop, triggers=["raise", "pack"])
    action(own, "raise", "that-are-not-raised", RaiseRequest, partial(raise_next, source), **SLOW)
    file = gr.DownloadButton(elem_id="packed")
    own.pack(on_pack, None, [file, server.response_channel(own, "that-are-not-packed")], **FILES, **PRIVATE)
