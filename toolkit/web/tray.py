"""The tray: symbols that a visitor kept, taken away as outlines or a font. A sheet of them is made in the browser."""

import base64
from pathlib import Path
from typing import Literal

import gradio as gr
from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from .. import font
from . import server
from .server import FILES, PRIVATE, Message, Request, figure

MOST, LARGEST = 62, 64  # symbols, pixels a side
MOST_LETTERS = 400  # of a caption
NAMES = {"font": "alphabet.ttf", "outlines": "alphabet.svg"}  # what a file is called on its way to the visitor


class Symbol(Request):
    """One kept picture. light: a byte a value, plane by plane, in base64 or as a list. key: one character.

    caption: what it is, in words.
    """

    light: str | list[int] = Field(max_length=4 * LARGEST**2)  # base64 of the largest symbol in three channels
    side: int = Field(ge=1, le=LARGEST)
    channels: Literal[1, 3]
    key: str
    caption: str

    @field_validator("key")
    @classmethod
    def _visible(cls, key: str) -> str:
        if len(key) != 1 or not key.isprintable() or key.isspace():
            raise ValueError(f"key {server.brief(key)} is not usable: give one character that can be seen")
        return key

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.values()) != self.channels * self.side**2:
            raise ValueError(
                f"the symbol of key {self.key!r} has {len(self.values())} values: "
                f"give {self.channels * self.side**2}, a byte a pixel and channel"
            )
        return self

    def values(self) -> bytes:
        """What `light` says. Raises ValueError for what says no bytes."""
        try:
            return base64.b64decode(self.light, validate=True) if isinstance(self.light, str) else bytes(self.light)
        except (ValueError, TypeError):
            raise ValueError(f"the light of key {self.key!r} is not usable: give bytes, from 0 to 255") from None


class TakeRequest(Request):
    """What a visitor takes away. name: of the font."""

    kind: Literal["font", "outlines"]
    name: str = Field(max_length=40)
    symbols: list[Symbol] = Field(min_length=1, max_length=MOST)


def save(request: TakeRequest) -> Path:
    """The file that a visitor asks for, in a folder of its own. Raises ValueError, one sentence, if it cannot be.

    Grey, and as large as the largest symbol: smaller ones are interpolated.
    """
    x = font.grey([(symbol.values(), symbol.channels, symbol.side) for symbol in request.symbols])
    if request.kind == "font":
        data = font.build(x, [symbol.key for symbol in request.symbols], request.name)
    else:
        data = font.svg(x, titles=[symbol.caption[:MOST_LETTERS] for symbol in request.symbols]).encode()
    path = server.temporary_folder() / NAMES[request.kind]
    path.write_bytes(data)
    return path


def take(data: object) -> tuple[str | None, Message]:
    """Where the file lies, and what the browser is told."""
    return server.passing(save, TakeRequest, data)


def tray_figure() -> None:
    """The bar at the foot of the page, for all tabs; empty, it is not to be seen."""

    def on_take(event: gr.EventData) -> tuple[str | None, Message]:
        return take(event._data)

    own = figure("tray", {"most": MOST, "largest": LARGEST}, triggers=["take"])
    file = gr.DownloadButton(elem_id="take")
    own.take(on_take, None, [file, server.response_channel(own, "that-are-not-taken")], **FILES, **PRIVATE)
