"""The tab "Kaleidoscope": noise through one deep network again and again, run by run; below it, a line to try it on."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import __version__, tree
from ..header import strict_json
from ..kaleidoscopes.listed import names
from ..options import checked, choose
from . import MODEL, Message, echo, figure, film, playground, sheet, static, wire
from .newest import Newest

if TYPE_CHECKING:  # the page itself needs no torch
    from torch import Tensor

    from ..kaleidoscopes.stored import Kaleidoscope

CELLS = 64
STARTS = ("uniform", "normal", "drawing")
START: Message = {"start": "uniform", "runs": 300, "perturbation": 0.01, "mode": "centred", "seed": 0, "image": None}
LIMITS = {"runs": (1, 300), "perturbation": (0, 1), "seed": (0, 2**32 - CELLS)}
SHEET = (0, 1, 5, 10, 30)  # the runs that are rows of the sheet of a network, and its last
ACROSS = 50  # images in a row of a built-in sample
BREATH = 0.02  # seconds in which what was yielded leaves, before the next runs take the processor
FIRST = ["kaleidoscope-mnist", "kaleidoscope-fashion"]


@dataclass(frozen=True)
class Order:
    """What a visitor asks for. seed: of the first cell. image: of the start "drawing", a byte a value, in base64."""

    experiment: str
    start: str
    runs: int
    perturbation: float
    mode: str
    seed: int
    image: str | None

    def __post_init__(self) -> None:
        from ..samplers.kaleidoscope import MODES

        choose("start", self.start[:40], STARTS)
        choose("mode", self.mode[:40], MODES)
        for what, (low, high) in LIMITS.items():
            if not low <= getattr(self, what) <= high:
                raise ValueError(
                    f"{what} {getattr(self, what)!r:.40} is not usable: give a number from {low} to {high}"
                )


def read_order(order: object) -> Order:
    """What came from the browser, which may be anything. Raises ValueError, one sentence, for what cannot be one."""
    said = order if isinstance(order, Mapping) else {}
    return Order(**checked("an order", Order, {field.name: said.get(field.name) for field in fields(Order)}))


def answer(source: str | Path, order: object, newest: Newest | None = None) -> Iterator[Message]:
    """The film that a visitor asks for, each message with all of it so far; or the error, one sentence.

    It ends early when there is a newer order.
    """
    newest = newest or Newest()
    message: Message = {**echo(order, "ticket"), "error": None}
    message |= {"parts": [], "done": False}
    try:
        asked = read_order(order)
        k = network(source, asked.experiment)
        runs, kinds = film.kept(asked.runs), film.neighbours(k)
        message |= {"shape": list(k.model.image_shape), "runs": runs, "neighbours": kinds}
        for part in film.parts(k, states(k, asked), asked.runs):
            parts = [*message["parts"], part]
            done = sum(len(each["distinct"]) for each in parts) == len(runs) or newest.overtaken(order)
            yield (message := {**message, "parts": parts, "done": done})
            if done:
                return
            sleep(BREATH)
    except ValueError as error:
        yield {**message, "done": True, "error": f"{error}."}


def states(k: "Kaleidoscope", order: Order) -> "Iterator[Tensor]":
    """The start, and the images after each run, without end. Raises ValueError for a mode that is none."""
    from ..kaleidoscopes import stored

    seeds = range(order.seed, order.seed + CELLS)
    start = film.veiled(k, order.image, seeds) if order.start == "drawing" else order.start
    return stored.stream(k, seeds, start=start, perturbation=order.perturbation, mode=order.mode)


def network(source: str | Path, name: str) -> "Kaleidoscope":
    """A trained network, kept for the next time. Raises CheckpointError."""
    return _load(source, name[:40], str(tree.read_index(source)["experiments"].get(name)))


@lru_cache(maxsize=4)  # a dozen megabytes each
def _load(source: str | Path, name: str, listed: str) -> "Kaleidoscope":
    """listed: what the index says of it, checksums too, so that a file that changed is another network."""
    from ..kaleidoscopes import stored

    return stored.load(source, name)


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any network works: each one's sheet of runs. None without a network of images."""
    listed = tree.read_index(source)
    there = sorted(names(listed), key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    shown = [about(source, name, listed["experiments"][name]) for name in there]
    pictures = [network for network in shown if network["size"] > 1]  # of points the playground tells more
    return {"networks": pictures, "start": START, "cells": CELLS, "version": __version__} if pictures else None


def about(source: str | Path, name: str, listed: Mapping[str, Any]) -> Message:
    """One network as the page shows it at first. size: pixels; sheet: a run a row, a cell a column."""
    said = strict_json(tree.fetch(source, listed["config"]).read_bytes()).get("experiment", {})
    entry = next(entry for entry in listed["iterations"] if "file" in entry)
    file = entry.get("samples")
    runs = said.get("runs", START["runs"])
    return {
        "name": name,
        "title": listed["title"],
        "size": 1 if said.get("points") else said.get("size", 28),
        "channels": 3 if said.get("color") else 1,
        "data": film.SAMPLES.get(said.get("data", "")),
        "runs": [*(run for run in SHEET if run < runs), runs],
        "sheet": file and sheet(source, file),
        "sha256": entry["sha256"],
    }


def known(data: object) -> Message:
    """A built-in sample as one picture, gapless. Raises ValueError for another name."""
    name = choose("data set", str(data)[:40], sorted({*film.SAMPLES.values()}))
    png = (Path(__file__).parents[1] / "data" / f"{name}.png").read_bytes()
    return {"sheet": f"data:image/png;base64,{base64.b64encode(png).decode()}", "columns": ACROSS}


def kaleidoscope_tab(source: str | Path, first: Message) -> None:
    """Kaleidoscopic sampling: 64 starts through all their runs, and a line to try it on. first: `first_page`'s."""
    newest = Newest()

    def on_film(event: gr.EventData) -> Iterator[Message]:
        yield from answer(source, event._data, newest)

    def note(order: object) -> None:
        newest.note(order)

    script = static("ink.js", "film.js", "pad.js", "caption_runs.js", "kaleidoscope.js")
    own = figure(first, static("kaleidoscope.html"), script, elem_id="kaleidoscope", server_functions=[known, note])
    own.film(on_film, None, wire(own, "that-are-not-runs"), **MODEL)
    playground.playground_figure()
