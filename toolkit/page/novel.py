"""The tab "Is it new?": any symbol beside what is known, and before the judges. New means unlike a sample, no more."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from .. import __version__, index, tree
from ..options import checked
from . import MODEL, Message, echo, figure, light, static, wire
from .iterations import COLUMNS, Shelf
from .opinion import SIDE, listed, sample, told

if TYPE_CHECKING:  # the page itself needs no torch
    from torch import Tensor

TAB = "Is it new?"
LETTERS = 1048  # of base64 that the bytes of a symbol take
LAST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Order:
    """What a visitor asks of: a picture, 28x28 bytes of light in base64; or a seed, of a symbol of the newest run."""

    image: str | None
    seed: int | None

    def __post_init__(self) -> None:
        if (self.image is None) == (self.seed is None):
            raise ValueError("there is a picture to judge or a seed to grow one from: give one of them")
        if self.seed is not None and not 0 <= self.seed <= LAST_SEED:
            raise ValueError(f"seed {self.seed!r:.40} is not usable: give a number from 0 to {LAST_SEED}")


def read_order(order: object) -> Order:
    """What came from the browser, which may be anything. Raises ValueError, one sentence, for what cannot be one."""
    said = order if isinstance(order, Mapping) else {}
    return Order(**checked("an order", Order, {field.name: said.get(field.name) for field in fields(Order)}))


def answer(source: str | Path, order: object) -> Message:
    """All that is known of a symbol, under the ticket of the order; or the error, one sentence."""
    message: Message = {**echo(order, "ticket"), "error": None}
    try:
        asked = read_order(order)
        x, caption = (read(asked.image), None) if asked.image is not None else grow(source, asked.seed or 0)
        return {**message, "light": light(x), "caption": caption, **told(source, x)}
    except ValueError as error:
        return {**message, "error": f"{error}."}


def read(image: str) -> "Tensor":
    """A picture as it comes from the browser: (1, 1, 28, 28) in [0, 1]. Raises ValueError for anything else."""
    try:
        data = base64.b64decode(image, validate=True) if len(image) == LETTERS else b""
    except (binascii.Error, ValueError):  # ValueError: letters beyond ASCII
        data = b""
    if len(data) != SIDE * SIDE:
        raise ValueError(f"the picture is not readable: give {SIDE}x{SIDE} bytes in base64")
    if not any(data):
        raise ValueError("the picture is blank: draw something")
    return sample("mnist").images.new_tensor(list(data)).view(1, 1, SIDE, SIDE) / 255


def grow(source: str | Path, seed: int) -> "tuple[Tensor, str]":
    """A symbol of the last iteration of the run that is shown first, as a judge sees it, and what it is.

    Raises ValueError if there is no run.
    """
    from ..metrics.pixels import as_float, resized
    from ..samplers import last, to_bytes

    name, iteration = newest(source)
    symbol = last(Shelf(source).grow(name, iteration, seed))
    grey = resized(to_bytes(symbol.mean(1, keepdim=True)), SIDE)
    return as_float(grey), f"{name}, iteration {iteration}, seed {seed}"


def newest(source: str | Path) -> tuple[str, int]:
    """The run that is shown first, and its last iteration. Raises ValueError if there is none."""
    name, entry = index.choose(Shelf(source).listed())
    return name, entry["iteration"]


def first_page(source: str | Path) -> Message | None:
    """What there is to see before anything is judged: a symbol of the newest run. None without a judge."""
    if not listed(source):
        return None
    try:
        name, iteration = newest(source)
        example = first_symbol(source, name, iteration)
    except ValueError:
        name, iteration, example = None, 0, None
    return {"example": example, "run": name, "iteration": iteration, "last": LAST_SEED, "version": __version__}


def first_symbol(source: str | Path, name: str, iteration: int) -> Message | None:
    """The symbol of seed 0, out of the sheet of an iteration; nothing without a sheet."""
    from PIL import Image

    _, entry = index.choose(tree.read_index(source), name, iteration)
    if "samples" not in entry:
        return None
    with Image.open(tree.fetch(source, entry["samples"])) as sheet:
        side = sheet.width // COLUMNS
        planes = sheet.crop((0, 0, side, side)).split()
    data = base64.b64encode(b"".join(plane.tobytes() for plane in planes[:3])).decode()
    of = f"{name}, iteration {iteration}, seed 0"
    return {"light": data, "side": side, "channels": len(planes[:3]), "caption": of}


def warm(source: str | Path) -> None:
    """Judge something for nobody, so that no visitor waits for torch, the samples or the judges."""
    told(source, sample("mnist").images[:1])


def head() -> str:
    """The script that hears, on the whole page, that a symbol is to be judged, before anyone has opened the tab."""
    return f"<script>\n{static('ear.js')}</script>"


def novel_tab(source: str | Path, first: Message) -> None:
    """Is it new? Any symbol: drawn, uploaded, grown, or sent from another tab. first: as `first_page` gives it."""

    def on_ask(event: gr.EventData) -> Message:
        return answer(source, event._data)

    own = figure(first, static("novel.html"), static("ink.js", "pad.js", "novel.js"), elem_id="novel")
    own.ask(on_ask, None, wire(own, "that-are-not-verdict"), **MODEL)
