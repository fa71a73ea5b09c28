"""What the tabs of the page share: figures, addresses, errors, who is served what.

A tab holds widgets and words; what computes waits in one line, "model". Nothing here needs torch until a model works.
"""

import base64
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from logging import getLogger
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage

from .. import index
from ..index import CheckpointError

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
    return "\n".join((Path(__file__).parent / "static" / name).read_text(encoding="utf-8") for name in names)


MODULES = {path.name: path for path in sorted((Path(__file__).parent / "static").glob("*.js"))}
VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in MODULES.values())).hexdigest()[:12]
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def module(name: str, *events: str) -> str:
    """The script of a figure: it imports an ES module of the page and starts it with what Gradio gives the figure.

    events: what it triggers; Gradio learns their names from the text.
    """
    given = "{element, props, trigger, server: typeof server === 'undefined' ? undefined : server}"
    named = json.dumps([*events, "stir"])
    return f'thatAreNot.load("{name}").then(({{default: start}}) => start({given}));  // triggers {named}'


async def serve_module(request: Request) -> Response:
    """A module of the page. Its address changes with the text of any of them, so that browsers keep it for good."""
    if path := MODULES.get(request.path_params["name"]):
        return FileResponse(path, media_type="text/javascript", headers=FOREVER)
    return JSONResponse({"detail": "There is no such module."}, 404)


def figure(first: Message, body: str, script: str, **options: Any) -> gr.HTML:
    """A figure that a script draws from its first message. body, script: the texts of files as `static` gives them."""
    return gr.HTML(first, html_template=body, js_on_load=script, apply_default_css=False, **options)


def stirred() -> None:
    """The answer to a question that only opens the stream of answers again (ink.js)."""


def wire(own: gr.HTML, event: str) -> gr.HTML:
    """Where a figure's answers go: each an event of this name in the browser. Who waits is told how many come first."""
    own.stir(stirred, None, None, **STIR)
    send = f'watch("value", () => window.dispatchEvent(new CustomEvent("{event}", {{detail: props.value}})))'
    return gr.HTML(html_template=f'<i data-channel="{event}"></i>', js_on_load=send, elem_classes="wire")


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
    png = index.fetch(source, file).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def light(images: "Tensor") -> str:
    """Images (B, C, H, W) in [0, 1] as the page draws them: a byte a pixel and channel, one image after the other."""
    from ..samplers import to_bytes

    return base64.b64encode(to_bytes(images).numpy().tobytes()).decode()


LARGEST = 2**21  # bytes; uploads have a smaller bound of their own
TOO_LARGE = f"The request is too large: send at most {LARGEST:,} bytes."
FAULT = "The page has no answer to this request: reload it, or ask for something that it offers."
NAMELESS = (b'{"error": null}', b'{"error":null}')  # how Gradio tells of a fault, in its two streams
NAMED = json.dumps({"error": FAULT}).encode()
LAST = b'event: error\ndata: {"msg": "unexpected_error", ' + NAMED[1:] + b"\n\n"  # of a stream that breaks off


class Guard:
    """An ASGI application that reads at most `LARGEST` bytes of a request, and says a sentence where another fails.

    What it was that failed stands in the server's log alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if declared(scope) > LARGEST:
            return await JSONResponse({"detail": TOO_LARGE}, 413)(scope, receive, send)
        answer = Answer(send)
        try:
            await self.app(scope, counted(receive), answer)
        except Exception:
            getLogger(__name__).exception("a request failed")
            if not answer.begun:
                await JSONResponse({"detail": FAULT}, 500)(scope, receive, send)
            elif answer.streams:
                await send({"type": "http.response.body", "body": LAST})
            else:
                raise


class Answer:
    """Sends an answer on; a stream that tells of a fault without a word gets some. begun: whether any was sent."""

    def __init__(self, send: Send) -> None:
        self.send, self.begun, self.streams = send, False, False

    async def __call__(self, message: ASGIMessage) -> None:
        self.begun = True
        if message["type"] == "http.response.start":
            self.streams = any(value.startswith(b"text/event-stream") for _, value in message.get("headers", []))
        elif self.streams:
            for nameless in NAMELESS:
                message = {**message, "body": message.get("body", b"").replace(nameless, NAMED)}
        await self.send(message)


def declared(scope: Scope) -> int:
    """How long a request says it is, in bytes; 0 if it does not say."""
    said = dict(scope["headers"]).get(b"content-length", b"0")
    return int(said) if said.isdigit() else 0


def counted(receive: Receive) -> Receive:
    """The parts of a request that does not say how long it is; raises HTTPException once they are too many."""
    heard = 0

    async def part() -> ASGIMessage:
        nonlocal heard
        message = await receive()
        heard += len(message.get("body", b""))
        if heard > LARGEST:
            raise HTTPException(413, TOO_LARGE)
        return message

    return part


def guarded(*further: Middleware) -> dict[str, Any]:
    """What `launch` hands on to its web application: middleware, and the address of the page's modules."""
    modules = Route("/modules/{version}/{name}", serve_module)
    return {"middleware": [Middleware(Guard), *further], "routes": [modules]}


VISITORS = 1000  # how many are remembered; the longest silent are forgotten first


class Newest:
    """Which of a visitor's orders is the newest. An order has a "visitor" and a "ticket", a number that rises."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def note(self, order: object) -> None:
        """There is an order: those before it of the same visitor are not the newest any more."""
        visitor, ticket = _of(order)
        with self._lock:
            self._tickets[visitor] = max(ticket, self._tickets.pop(visitor, 0))
            while len(self._tickets) > VISITORS:
                self._tickets.popitem(last=False)

    def overtaken(self, order: object) -> bool:
        """Whether there is a newer one of the same visitor."""
        visitor, ticket = _of(order)
        return ticket < self._tickets.get(visitor, ticket)


def _of(order: object) -> tuple[str, int]:
    said = order if isinstance(order, Mapping) else {}
    ticket = said.get("ticket")
    return str(said.get("visitor"))[:40], ticket if type(ticket) is int and abs(ticket) < 2**53 else 0


SPACE = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def slug(name: str) -> str:
    """A tab as links name it: "Is it new?" is is-it-new."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def head() -> str:
    """The script that runs before any tab is drawn. It learns the Space it is on, if it is on one, from SPACE_ID.

    On a Space the page is in a frame and its address is not the visitor's, so that links name the Space.
    """
    space = os.environ.get("SPACE_ID", "")
    known = json.dumps(space if SPACE.fullmatch(space) else None)
    scripts = f"window.thatAreNot.modules = 'modules/{VERSION}/';\n{static('boot.js')}"
    return f"<script>\nwindow.thatAreNot = {{space: {known}}};\n{scripts}</script>"


CHOSEN = "TOOLKIT_CHECKPOINTS"  # a variable of the Space: the Hub repo, "owner/name", that it serves
log = logging.getLogger(__name__)


def served(asked: str | None = None, shipped: Path = index.CHECKPOINTS) -> str | Path:
    """The checkpoints to serve: those asked for; else the repo of `CHOSEN`, if it can be read; else those shipped."""
    if asked:
        return asked
    if repo := os.environ.get(CHOSEN):
        try:
            index.read_index(repo)
        except CheckpointError as error:
            log.warning("%s is %s, and the shipped checkpoints are served instead: %s", CHOSEN, repo, error)
        else:
            return repo
    return shipped


def offer_gpu() -> bool:
    """On ZeroGPU, whose pages must have a function that may use the GPU, give it one; whether that was so.

    Nobody calls it: these models answer on a CPU at once, and visitors keep their minutes.
    """
    try:
        import spaces
    except ImportError:
        return False
    spaces.GPU(duration=1)(unused)
    return True


def unused() -> None:
    """What the GPU is asked to do."""
