"""The tray: symbols that a visitor kept, taken away as outlines or a font. A sheet of them is made in the browser."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import __version__
from ..config import checked, choose
from .server import QUIET, Message, echo, figure, module, passing, static, wire

if TYPE_CHECKING:
    from torch import Tensor


MOST, LARGEST = 62, 64  # symbols, pixels a side
LONGEST, MOST_SAID = 40, 400  # characters of a name, and of a caption
FILES: dict[str, Any] = {"concurrency_id": "files", "concurrency_limit": 1, "trigger_mode": "multiple", **QUIET}
KINDS = {"font": "alphabet.ttf", "outlines": "alphabet.svg"}  # what a file is called on its way to the visitor


@dataclass(frozen=True)
class Symbol:
    """One kept picture. light: a byte a value, plane by plane, in base64 or as a list. key: one character.

    caption: what it is, in words.
    """

    light: str | tuple[int, ...]
    side: int
    channels: int
    key: str
    caption: str

    def __post_init__(self) -> None:
        if not 1 <= self.side <= LARGEST or self.channels not in (1, 3):
            raise ValueError(
                f"a symbol of side {self.side!r:.20} with {self.channels!r:.20} channels is not usable: "
                f"give 1 to {LARGEST} pixels, 1 or 3 channels"
            )
        if len(self.key) != 1 or not self.key.isprintable() or self.key.isspace():
            raise ValueError(f"key {self.key[:20]!r} is not usable: give one character that can be seen")
        if len(self.pixels()) != self.channels * self.side**2:
            raise ValueError(
                f"the symbol of key {self.key!r} has {len(self.pixels())} values: "
                f"give {self.channels * self.side**2}, a byte a pixel and channel"
            )

    def pixels(self) -> bytes:
        """What `light` says. Raises ValueError for what says no bytes."""
        try:
            if isinstance(self.light, str):
                return base64.b64decode(self.light, validate=True)
            return bytes(self.light)
        except (ValueError, TypeError):
            raise ValueError(f"the light of key {self.key!r} is not usable: give bytes, from 0 to 255") from None


@dataclass(frozen=True)
class Order:
    """What a visitor wants to take away. kind: one of `KINDS`; name: of the font."""

    kind: str
    name: str
    symbols: tuple[Symbol, ...]


def read_order(order: object) -> Order:
    """What came from the browser, which may be anything. Raises ValueError, one sentence, for what cannot be one."""
    said = order if isinstance(order, Mapping) else {}
    values = checked("an order", Order, {field.name: said.get(field.name) for field in fields(Order)})
    choose("file", values["kind"][:40], KINDS)
    if not 1 <= len(values["symbols"]) <= MOST:
        raise ValueError(f"a tray of {len(values['symbols'])} symbols is not usable: give 1 to {MOST}")
    if len(values["name"]) > LONGEST:
        raise ValueError(f"name {values['name'][:LONGEST]!r}… is too long: give at most {LONGEST} letters")
    return Order(**{**values, "symbols": tuple(map(_read_symbol, values["symbols"]))})


def _read_symbol(symbol: object) -> Symbol:
    said = symbol if isinstance(symbol, Mapping) else {}
    most = 4 * LARGEST**2  # base64 of the largest symbol in three channels, and no list is longer
    if isinstance(light := said.get("light"), (str, list)) and len(light) > most:
        raise ValueError(f"a symbol of {len(light)} values is not usable: give at most {LARGEST} pixels a side")
    return Symbol(**checked("a symbol", Symbol, {field.name: said.get(field.name) for field in fields(Symbol)}))


def images(symbols: tuple[Symbol, ...]) -> "Tensor":
    """The pictures of symbols, (N, 1, H, W) in [0, 1], as large as the largest: grey, smaller ones interpolated."""
    from ..font import grey

    return grey([(symbol.pixels(), symbol.channels, symbol.side) for symbol in symbols])


def save(order: Order) -> Path:
    """The file that a visitor asks for, in a folder of its own. Raises ValueError, one sentence, if it cannot be."""
    from .. import font

    x, keys = images(order.symbols), [symbol.key for symbol in order.symbols]
    makers: dict[str, Callable[[], bytes]] = {
        "font": lambda: font.build(x, keys, order.name),
        "outlines": lambda: font.svg(x, titles=[symbol.caption[:MOST_SAID] for symbol in order.symbols]).encode(),
    }
    data = makers[order.kind]()
    path = passing() / KINDS[order.kind]
    path.write_bytes(data)
    return path


def answer(order: object) -> tuple[str | None, Message]:
    """Where the file lies, and what the browser is told: the ticket of the order, and the error, one sentence."""
    message: Message = {**echo(order, "ticket"), "error": None}
    try:
        return str(save(read_order(order))), message
    except ValueError as error:
        return None, {**message, "error": f"{error}."}


def tray_figure() -> None:
    """The bar at the foot of the page, for all tabs; empty, it is not to be seen."""

    def on_take(event: gr.EventData) -> tuple[str | None, Message]:
        return answer(event._data)

    first = {"most": MOST, "largest": LARGEST, "version": __version__}
    own = figure(first, static("tray.html"), module("tray", "take"), elem_id="tray")
    file = gr.DownloadButton(elem_id="take")
    own.take(on_take, None, [file, wire(own, "that-are-not-taken")], **FILES)
