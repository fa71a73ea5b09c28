"""The tab "Kaleidoscope" and its films."""

import base64
import binascii
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import chain, islice, pairwise
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import __version__, index
from ..config import checked, choose
from ..index import of_kind, strict_json
from . import playground
from .server import MODEL, Message, Newest, echo, figure, module, sheet, static, wire

if TYPE_CHECKING:
    from torch import Tensor

    from ..hub import Kaleidoscope


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
        runs, kinds = kept(asked.runs), neighbours(k)
        message |= {"shape": list(k.model.image_shape), "runs": runs, "neighbours": kinds}
        for part in film_parts(k, states(k, asked), asked.runs):
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
    from .. import hub

    seeds = range(order.seed, order.seed + CELLS)
    start = veiled(k, order.image, seeds) if order.start == "drawing" else order.start
    return hub.stream(k, seeds, start=start, perturbation=order.perturbation, mode=order.mode)


def network(source: str | Path, name: str) -> "Kaleidoscope":
    """A trained network, kept for the next time. Raises CheckpointError."""
    return _load(source, name[:40], str(index.read_index(source)["experiments"].get(name)))


@lru_cache(maxsize=4)  # a dozen megabytes each
def _load(source: str | Path, name: str, listed: str) -> "Kaleidoscope":
    """listed: what the index says of it, checksums too, so that a file that changed is another network."""
    from .. import hub

    return hub.load_kaleidoscope(source, name)


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any network works: each one's sheet of runs. None without a network of images."""
    listed = index.read_index(source)
    there = sorted(
        of_kind(listed, "kaleidoscope"), key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name)
    )
    shown = [about(source, name, listed["experiments"][name]) for name in there]
    pictures = [network for network in shown if network["size"] > 1]  # of points the playground tells more
    return {"networks": pictures, "start": START, "cells": CELLS, "version": __version__} if pictures else None


def about(source: str | Path, name: str, listed: Mapping[str, Any]) -> Message:
    """One network as the page shows it at first. size: pixels; sheet: a run a row, a cell a column."""
    said = strict_json(index.fetch(source, listed["config"]).read_bytes()).get("experiment", {})
    entry = next(entry for entry in listed["iterations"] if "file" in entry)
    file = entry.get("samples")
    runs = said.get("runs", START["runs"])
    return {
        "name": name,
        "title": listed["title"],
        "size": 1 if said.get("points") else said.get("size", 28),
        "channels": 3 if said.get("color") else 1,
        "data": SAMPLES.get(said.get("data", "")),
        "runs": [*(run for run in SHEET if run < runs), runs],
        "sheet": file and sheet(source, file),
        "sha256": entry["sha256"],
    }


def known(data: object) -> Message:
    """A built-in sample as one picture, gapless. Raises ValueError for another name."""
    name = choose("data set", str(data)[:40], sorted({*SAMPLES.values()}))
    png = (Path(__file__).parents[1] / "data" / f"{name}.png").read_bytes()
    return {"sheet": f"data:image/png;base64,{base64.b64encode(png).decode()}", "columns": ACROSS}


def kaleidoscope_tab(source: str | Path, first: Message) -> None:
    """Kaleidoscopic sampling: 64 starts through all their runs, and a line to try it on. first: `first_page`'s."""
    newest = Newest()

    def on_film(event: gr.EventData) -> Iterator[Message]:
        yield from answer(source, event._data, newest)

    def note(order: object) -> None:
        newest.note(order)

    body, functions = static("kaleidoscope.html"), [known, note]
    own = figure(first, body, module("kaleidoscope", "film"), elem_id="kaleidoscope", server_functions=functions)
    own.film(on_film, None, wire(own, "that-are-not-runs"), **MODEL)
    playground.playground_figure()


if TYPE_CHECKING:  # the page itself needs no torch
    Step = tuple[Tensor, Tensor]  # the images before and after a run

FRAMES = 81  # of so many runs at most, early ones more densely: each of the first 31 of 300
TOGETHER = (1, 6, 25)  # frames that are sent together: the first ones soon; then always so many as the last says
NEIGHBOURS = 3
SAMPLES = {"mnist": "mnist", "fashion": "fashion", "sample:mnist": "mnist", "sample:fashion": "fashion"}  # built in


def kept(runs: int) -> list[int]:
    """The runs that are frames of the film; 0 is the start."""
    from ..plot import spread

    return spread(runs + 1, FRAMES)


def film_parts(k: "Kaleidoscope", states: "Iterator[Tensor]", runs: int) -> Iterator[Message]:
    """The frames, some at a time: what changed since the frame before, and what is known of their cells.

    states: the start and the images after each run, (B, C, H, W) in [0, 1]. distinct: how many pictures there are.
    """
    from ..metrics.distance import distinct
    from ..samplers import to_bytes
    from ..samplers.kaleidoscope import facts

    before, count = None, neighbours(k)
    reference = sample(k.data) if count else None
    for steps in together(frames(states, runs)):
        images = [after for _, after in steps]
        light = [to_bytes(x) for x in images]
        yield {
            "light": packed([light[0] * 0 if before is None else before, *light]),
            "facts": base64.b64encode(facts(steps, reference, count)).decode(),
            "distinct": [distinct(x) for x in images],
        }
        before = light[-1]


def frames(states: "Iterator[Tensor]", runs: int) -> "Iterator[Step]":
    """Of every run that is kept, the images before and after it; the start stands for both."""
    wanted, first = {*kept(runs)}, next(states)
    for run, step in enumerate(pairwise(chain([first, first], islice(states, runs)))):
        if run in wanted:
            yield step


def together(steps: "Iterator[Step]") -> "Iterator[list[Step]]":
    """Frames in parts: few at first, so that there is something to see."""
    for size in chain(TOGETHER, iter(lambda: TOGETHER[-1], None)):
        if not (part := list(islice(steps, size))):
            return
        yield part


def packed(light: "Sequence[Tensor]") -> str:
    """Frames of bytes after the first, as the page unpacks them: what changed since the one before, deflated."""
    changes = b"".join((after - before).numpy().tobytes() for before, after in pairwise(light))
    return base64.b64encode(zlib.compress(changes, 1)).decode()


def neighbours(k: "Kaleidoscope") -> int:
    """How many of the nearest training images are named; 0 where there is no built-in sample of them."""
    return NEIGHBOURS if k.data in SAMPLES and k.model.image_shape == (1, 28, 28) else 0


@lru_cache(maxsize=4)
def sample(data: str) -> "Tensor":
    """The built-in sample of a data set, 1,000 of its training images: float (N, 1, 28, 28) in [0, 1]."""
    from .. import data as datasets
    from ..metrics.image import as_float

    return as_float(datasets.load(f"sample:{SAMPLES[data]}").images)


def veiled(k: "Kaleidoscope", image: str | None, seeds: Sequence[int]) -> "Tensor":
    """A drawing under more and more noise, one per seed: (B, C, H, W); the first eighth starts from it as it is.

    image: a byte a value, in base64. Raises ValueError if it is not of the network's size.
    """
    from ..seeds import Noise

    shape, values = k.model.image_shape, math.prod(k.model.image_shape)
    try:
        data = base64.b64decode(image or "", validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: letters beyond ASCII
        raise ValueError("the drawing is not readable: draw again") from error
    if len(data) != values:
        raise ValueError(f"the drawing has {len(data):,} values and {k.name} takes {values:,}: draw again")
    noise = Noise(seeds).rand(*shape)
    veil = noise.new_tensor([cell * 8 // len(noise) / 10 for cell in range(len(noise))]).view(-1, 1, 1, 1)
    return (noise.new_tensor(list(data)).view(1, *shape) / 255).lerp(noise, veil)
