"""The page, a module for each of its tabs, with its markup, style and script beside it. Here is what the tabs share.

A tab holds widgets and words; what computes waits in one line, "model". Nothing here needs torch until a model works.
"""

import base64
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import tree

if TYPE_CHECKING:
    from torch import Tensor

Message = dict[str, Any]  # what crosses to the browser: plain JSON values
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, "trigger_mode": "multiple", **QUIET}
STIR: dict[str, Any] = {"concurrency_id": "stir", "concurrency_limit": None, "trigger_mode": "multiple", **QUIET}
PASSING, HELD = "that-are-not-passing-", 600  # a name of folders, seconds
THEME = gr.themes.Base(  # of Gradio's own fonts only few hold the Latin letters; these do, in these weights
    font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
    font_mono=[gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
).set(body_background_fill="#faf7f0", body_background_fill_dark="#131210")


def static(*names: str) -> str:
    """The text of files beside the page, one after the other."""
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


def figure(first: Message, body: str, script: str, **options: Any) -> gr.HTML:
    """A figure that a script draws from its first message. body, script: the texts of files as `static` gives them."""
    return gr.HTML(first, html_template=body, js_on_load=script, apply_default_css=False, **options)


def stirred() -> None:
    """The answer to a question that only opens the stream of answers again (ink.js)."""


def wire(own: gr.HTML, event: str) -> gr.HTML:
    """Where a figure's answers go: each an event of this name in the browser. Who waits is told how many come first."""
    own.stir(stirred, None, None, **STIR)
    send = f'watch("value", () => window.dispatchEvent(new CustomEvent("{event}", {{detail: props.value}})))'
    return gr.HTML(html_template="<i></i>", js_on_load=f"{send};\n{static('wire.js')}", elem_classes="wire")


def echo(order: object, *keys: str) -> Message:
    """What an answer repeats of the order it is for: whole numbers and switches. Nothing else that came in goes out."""
    said = {key: order.get(key) for key in keys} if isinstance(order, Mapping) else dict.fromkeys(keys)
    plain = {key: type(value) is bool or (type(value) is int and abs(value) < 2**53) for key, value in said.items()}
    return {key: value if plain[key] else None for key, value in said.items()}


def passing() -> Path:
    """A new folder for a file on its way to a visitor. Gradio keeps a copy, so those of ten minutes ago go now."""
    for old in Path(tempfile.gettempdir()).glob(f"{PASSING}*"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > HELD:
                shutil.rmtree(old)
    return Path(tempfile.mkdtemp(prefix=PASSING))


def sheet(source: str | Path, file: str) -> str:
    """A picture of a tree of checkpoints, as the address of itself."""
    png = tree.fetch(source, file).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def light(images: "Tensor") -> str:
    """Images (B, C, H, W) in [0, 1] as the page draws them: a byte a pixel and channel, one image after the other."""
    from ..samplers import to_bytes

    return base64.b64encode(to_bytes(images).numpy().tobytes()).decode()
