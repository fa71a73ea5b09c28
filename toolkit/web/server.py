"""What the tabs share: requests and responses, the queue, caches, figures, routes, middleware, the first paint."""

import base64
import hashlib
import json
import os
import re
import reprlib
import shutil
import sys
import tempfile
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from copy import deepcopy
from functools import lru_cache
from io import BytesIO
from itertools import chain
from logging import getLogger
from pathlib import Path
from threading import Lock, get_native_id
from typing import Annotated, Any, ClassVar, TypeVar

import gradio as gr
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as HTTPRequest
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage
from torch import Tensor
from typing_extensions import Self

from .. import __version__, index
from ..index import CheckpointError
from ..samplers.generate import to_bytes

Message = dict[str, Any]  # what crosses to the browser: plain JSON values
log = getLogger(__name__)

THEME = gr.themes.Base(  # of Gradio's own fonts only few hold the Latin letters; these do, in these weights
    font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
    font_mono=[gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
).set(body_background_fill="#faf7f0", body_background_fill_dark="#131210")


# ---- the queue: one line for what is computed at once, one for what takes seconds, one for files

PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
QUICK: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 2}  # so that none waits for a whole film
SLOW: dict[str, Any] = {"concurrency_id": "slow", "concurrency_limit": 1}
FILES: dict[str, Any] = {"concurrency_id": "files", "concurrency_limit": 1}
UNLIMITED: dict[str, Any] = {"concurrency_id": "reconnect", "concurrency_limit": None}


# ---- requests

Word = Annotated[str, StringConstraints(max_length=60)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Request(BaseModel):
    """What a visitor or a program asks for: fields with their types, ranges and choices, declared once.

    repeated: the keys that a response repeats of its request, so that the page knows which it answers. nothing_yet:
    what a response holds before its first part.
    """

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)
    repeated: ClassVar[tuple[str, ...]] = ("ticket",)
    nothing_yet: ClassVar[Message] = {}

    @classmethod
    def read(cls, data: object) -> Self:
        """A request from data that may be anything. Raises ValueError, one sentence that names field and remedy."""
        try:
            return cls.model_validate(data if isinstance(data, dict) else {})
        except ValidationError as error:
            raise ValueError(_sentence(cls, error)) from None


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":  # a check of our own, which says all of it
        return str(first["ctx"]["error"])
    field, schema = _field(model, first["loc"])
    fault = "is missing" if first["type"] == "missing" else f"{brief(first['input'])} is not usable"
    return f"{field} {fault}: give {_wanted(schema)}"


def _field(model: type[BaseModel], place: tuple[str | int, ...]) -> tuple[str, Mapping[str, Any]]:
    """The name of the innermost field at a place of a request, and the JSON schema of what is there."""
    name, here, definitions = "", _schema(model), _schema(model).get("$defs", {})
    for part in place:
        here = definitions[here["$ref"].rpartition("/")[2]] if "$ref" in here else here
        if part in here.get("properties", {}):
            name, here = str(part), here["properties"][part]
        elif isinstance(part, int) and "items" in here:
            here = here["items"]
    return name, here


@lru_cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _wanted(schema: Mapping[str, Any]) -> str:
    """What a field takes, in words, from its JSON schema."""
    low, high = schema.get("minimum"), schema.get("maximum")
    match schema:
        case {"enum": choices}:
            return f"one of {', '.join(map(str, choices))}"
        case {"anyOf": kinds}:
            return " or ".join(map(_wanted, kinds))
        case {"type": "array"}:
            few = f"{schema['minItems']} to {schema['maxItems']} of " if "minItems" in schema else ""
            return f"a list of {few}{_wanted(schema.get('items', {}))}"
        case {"type": "integer" | "number" as kind}:
            number = "a whole number" if kind == "integer" else "a number"
            return number if low is None else f"{number} from {low} to {high}"
        case {"type": "string"}:
            return f"a text of at most {schema['maxLength']} letters" if "maxLength" in schema else "a text"
    return {"boolean": "true or false", "null": "nothing"}.get(schema.get("type", ""), "what the page offers")


def brief(value: object) -> str:
    """A value of any kind in at most sixty printable characters."""
    return reprlib.repr(value)[:60]


def request_id(data: object, *keys: str) -> Message:
    """What a response repeats of its request: whole numbers and switches. Nothing else that came in goes out."""
    values = {key: data.get(key) for key in keys} if isinstance(data, Mapping) else dict.fromkeys(keys)
    plain = {key: type(value) is bool or (type(value) is int and abs(value) < 2**53) for key, value in values.items()}
    return {key: value if plain[key] else None for key, value in values.items()}


class LatestRequests:
    """The latest request of each visitor: a request has a "visitor" and a "ticket", a number that rises."""

    VISITORS = 1000  # remembered; those silent for longest are forgotten first

    def __init__(self) -> None:
        self._tickets: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def note(self, data: object) -> None:
        """Remember a request: those before it of the same visitor are superseded."""
        visitor, ticket = self._of(data)
        with self._lock:
            self._tickets[visitor] = max(ticket, self._tickets.pop(visitor, 0))
            while len(self._tickets) > self.VISITORS:
                self._tickets.popitem(last=False)

    def superseded(self, data: object) -> bool:
        """Whether the same visitor has a later request."""
        visitor, ticket = self._of(data)
        return ticket < self._tickets.get(visitor, ticket)

    @staticmethod
    def _of(data: object) -> tuple[str, int]:
        given = data if isinstance(data, Mapping) else {}
        ticket = given.get("ticket")
        return str(given.get("visitor"))[:40], ticket if type(ticket) is int and abs(ticket) < 2**53 else 0


latest = LatestRequests()


# ---- responses

R = TypeVar("R", bound=Request)
T = TypeVar("T")
Respond = Callable[[R], Message | Generator[Message]]


def responses(kind: type[R], respond: Respond[R], data: object) -> Iterator[Message]:
    """The messages that answer a request: each holds all so far, the last is "done" or says the "error", a sentence.

    respond: gives the response, or yields parts of it, each put over those before. Once the request is superseded it
    is asked for no further part.
    """
    message: Message = {**request_id(data, *kind.repeated), **kind.nothing_yet, "error": None, "done": False}
    try:
        response = respond(kind.read(data))
        if isinstance(response, dict):
            message |= response
        else:
            with closing(response) as parts:  # what is left of it ends with the request
                for part in parts:
                    yield (message := {**message, **part})
                    if latest.superseded(data):
                        break
        yield {**message, "done": True}
    except (ValueError, FloatingPointError) as error:
        yield {**message, "done": True, "error": f"{error}."}


def action(own: gr.HTML, name: str, event: str, kind: type[R], respond: Respond[R], **line: Any) -> None:
    """Answer the event `name` of a figure, which bears a request: each response is an `event` in the browser.

    line: `QUICK`, unless another is given.
    """

    def on_event(event: gr.EventData) -> Iterator[Message]:
        yield from responses(kind, respond, event._data)

    getattr(own, name)(on_event, None, response_channel(own, event), **(line or QUICK), **PRIVATE)


P = TypeVar("P")


def unhurried(parts: Iterator[P]) -> Iterator[P]:
    """The same parts, computed in one thread that others of this process go before, where the system is Linux."""
    with ThreadPoolExecutor(1, initializer=_step_back) as worker:
        while (part := worker.submit(next, parts, None).result()) is not None:
            yield part


def _step_back() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own, which the threads it starts inherit
        os.setpriority(os.PRIO_PROCESS, get_native_id(), 15)


def pixels(images: Tensor) -> str:
    """Images (B, C, H, W) in [0, 1] as the page takes them: a byte a pixel and channel, one after the other."""
    return base64.b64encode(to_bytes(images).numpy().tobytes()).decode()


def from_base64(text: str) -> bytes:
    """The bytes that a text holds; none where it is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # also of letters beyond ASCII
        return b""


def rounded(value: float) -> float:
    """A number with four significant digits, which is all that the page shows."""
    return float(f"{value:.4g}")


def answer(work: Callable[..., Message], *values: object) -> Message:
    """What a function of a figure answers; what goes wrong is one sentence."""
    try:
        return work(*values)
    except (ValueError, OSError) as error:
        return {"error": f"{error}."}


def passing(work: Callable[[R], Path], kind: type[R], data: object) -> tuple[str | None, Message]:
    """Where a file for a visitor lies, and what the browser is told: which request it answers, the error in words."""
    message: Message = {**request_id(data, "ticket"), "error": None}
    try:
        return str(work(kind.read(data))), message
    except ValueError as error:
        return None, {**message, "error": f"{error}."}


def data_url(picture: bytes, kind: str = "png") -> str:
    """A picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


LETTERS = 1_400_000  # of a picture that comes in: a megabyte in base64
MOST_PIXELS = 4_000_000
FORMATS = ("PNG", "GIF", "WEBP", "JPEG")


def uploaded(image: str, use: Callable[[Image.Image], T]) -> T:
    """use(picture) of a picture file in base64, or of an address that holds it.

    Raises ValueError, one sentence, for anything else, and for a picture of more than `MOST_PIXELS`.
    """
    try:
        data = base64.b64decode(image.partition("base64,")[2] or image, validate=True)
        with Image.open(BytesIO(data), formats=FORMATS) as opened:
            count = opened.width * opened.height
            if count <= MOST_PIXELS:
                return use(opened)
    except Image.DecompressionBombError:  # before its size is known here
        raise ValueError(f"the image is too large: give one of at most {MOST_PIXELS:,} pixels") from None
    except Exception:  # a decoder may raise anything at all over bytes that were made to break it
        raise ValueError("the image cannot be read: give a PNG, GIF, WebP or JPEG file, in base64") from None
    raise ValueError(f"the image has {count:,} pixels: give one of at most {MOST_PIXELS:,}")


PREFIX, KEPT = "that-are-not-passing-", 600  # of temporary folders; seconds


def temporary_folder() -> Path:
    """A new folder for a file on its way to a visitor. Gradio keeps a copy, so those of ten minutes ago are removed."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old)
    return Path(tempfile.mkdtemp(prefix=PREFIX))


# ---- what is read of a tree of checkpoints, and kept


def read_index(source: str | Path) -> dict[str, Any]:
    """The index of a folder or Hub repo, parsed again only when its file changed; not to be altered."""
    path = index.fetch(source, "index.json")
    status = path.stat()
    return _index(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _index(path: Path, mtime: int, size: int) -> dict[str, Any]:
    return index.parse(path)


def names_of(source: str | Path, kind: str, first: Sequence[str]) -> list[str]:
    """The experiments of a kind that have a model: those of `first` first, the others by name."""
    names = index.of_kind(read_index(source), kind)
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))


def loaded(load: Callable[..., Any], source: str | Path, name: str, *details: Any) -> Any:
    """load(source, name, *details), kept until the experiment's index entry changes. Raises CheckpointError."""
    return _loaded(load, source, name[:60], details, json.dumps(read_index(source)["experiments"].get(name)))


@lru_cache(maxsize=48)  # models of up to a dozen megabytes
def _loaded(load: Callable[..., Any], source: str | Path, name: str, details: tuple[Any, ...], version: str) -> Any:
    return load(source, name, *details)


def separate(model: Any) -> Any:
    """A model that shares the weights and nothing else: hooks on its layers touch no other request."""
    return deepcopy(model, {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())})


def config_of(source: str | Path, listed: Mapping[str, Any]) -> dict[str, Any]:
    """How an experiment was made, as its config.json says; nothing if that cannot be read. listed: its index entry."""
    with suppress(ValueError):
        config = index.strict_json(index.fetch(source, listed["config"]).read_bytes())
        made = config.get("experiment") if isinstance(config, dict) else None
        return made if isinstance(made, dict) else {}
    return {}


def about(name: str, listed: Mapping[str, Any], entry: Mapping[str, Any]) -> Message:
    """What the page knows of an experiment before it computes. listed, entry: of it and of one of its iterations."""
    return {"name": name, "title": listed["title"], "sheet": sheet_url(entry), "sha256": entry["sha256"]}


def sheet_url(entry: Mapping[str, Any]) -> str | None:
    """Where the page finds the sheet of an iteration, relative to itself; it changes with the index entry."""
    version = zlib.crc32(json.dumps(entry).encode())
    return f"sheets/{entry['samples']}?v={version:08x}" if "samples" in entry else None


# ---- figures


def static(*names: str) -> str:
    """The text of files beside the page, one after the other, without the spaces at the beginning of lines."""
    texts = [(Path(__file__).parent / "static" / name).read_text(encoding="utf-8") for name in names]
    return re.sub(r"\n\s+", "\n", "\n".join(texts))


def styles(*names: str) -> str:
    """The rules of style sheets beside the page, one after the other, without comments and the spaces of our layout."""
    rules = re.sub(r"/\*.*?\*/", "", static(*names), flags=re.DOTALL)
    return re.sub(r"\s*([{};,])\s*|(?<=:) ", r"\1", rules).replace(";}", "}")


def figure(
    name: str, first: Message, *functions: Callable[..., Any], triggers: Sequence[str] = (), elem_id: str = ""
) -> gr.HTML:
    """The figure static/`name`.html, drawn by the module of that name from a first message and the version.

    functions: of the server, which it may call beside `note`. triggers: its events.
    """

    def note(data: object) -> None:
        latest.note(data)

    return gr.HTML(
        {**first, "version": __version__},
        html_template=static(f"{name}.html"), js_on_load=module(name, *triggers), apply_default_css=False,
        elem_id=elem_id or name, server_functions=[*functions, note],
    )  # fmt: skip


def response_channel(own: gr.HTML, event: str) -> gr.HTML:
    """Where responses go: each is an event of this name in the browser. It also says how many requests are before."""
    own.stir(lambda: None, None, None, **UNLIMITED, **PRIVATE)  # it only opens the stream of responses again
    send = f'watch("value", () => window.dispatchEvent(new CustomEvent("{event}", {{detail: props.value}})))'
    return gr.HTML(html_template=f'<i data-channel="{event}"></i>', js_on_load=send, elem_classes="wire")


MODULES = {path.name: path for path in sorted((Path(__file__).parent / "static").glob("*.js"))}
VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in MODULES.values())).hexdigest()[:12]
SPACE = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def module(name: str, *events: str) -> str:
    """The script of a figure: it imports an ES module of the page and starts it with what Gradio gives the figure.

    events: what it triggers; Gradio learns their names from the text.
    """
    given = "{element, props, trigger, server: typeof server === 'undefined' ? undefined : server}"
    named = json.dumps([*events, "stir"])
    return f'thatAreNot.start("{name}", {given});  // triggers {named}'


def head() -> str:
    """The script that runs before any tab is drawn. It learns the Space it is on, if it is on one, from SPACE_ID.

    On a Space the page is in a frame and its address is not the visitor's, so that links name the Space.
    """
    space = os.environ.get("SPACE_ID", "")
    known = json.dumps(space if SPACE.fullmatch(space) else None)
    scripts = f"window.thatAreNot.modules = 'modules/{VERSION}/';\n{static('boot.js')}"
    return f"<script>\nwindow.thatAreNot = {{space: {known}}};\n{scripts}</script>"


def slug(name: str) -> str:
    """A tab as links name it: "Is it new?" is is-it-new."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


# ---- routes and middleware

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
LARGEST = 2**21  # bytes; uploads have a smaller bound of their own
TOO_LARGE = f"The request is too large: send at most {LARGEST:,} bytes."
FAULT = "The page has no answer to this request: reload it, or ask for something that it offers."
NAMELESS = (b'{"error": null}', b'{"error":null}')  # how Gradio tells of a fault, in its two streams
NAMED = json.dumps({"error": FAULT}).encode()
LAST = b'event: error\ndata: {"msg": "unexpected_error", ' + NAMED[1:] + b"\n\n"  # of a stream that breaks off


def web_application(source: str | Path, first_paint: str = "") -> dict[str, Any]:
    """What `launch` hands on to its web application: the page's modules and sheets, and middleware."""
    routes = [Route("/modules/{version}/{name}", _serve_module), Route("/sheets/{file:path}", _serve_sheet(source))]
    layers = [Middleware(GZipMiddleware, compresslevel=5), Middleware(ErrorMiddleware)]
    return {"middleware": [*layers, Middleware(FirstPaint, first_paint)], "routes": routes}


async def _serve_module(request: HTTPRequest) -> Response:
    """A module of the page. Its address changes with the text of any of them, so that browsers keep it for good."""
    if path := MODULES.get(request.path_params["name"]):
        return FileResponse(path, media_type="text/javascript", headers=FOREVER)
    return JSONResponse({"detail": "There is no such module."}, 404)


def _serve_sheet(source: str | Path) -> Callable[[HTTPRequest], Response]:
    def serve(request: HTTPRequest) -> Response:
        file = request.path_params["file"]
        try:
            experiment = read_index(source)["experiments"].get(file.partition("/")[0], {})
            if file in [entry.get("samples") for entry in experiment.get("iterations", [])]:
                return FileResponse(index.fetch(source, file), headers=FOREVER)
        except ValueError:
            log.exception("a sheet cannot be served")
        return JSONResponse({"detail": "There is no such sheet."}, 404)

    return serve


class ErrorMiddleware:
    """Middleware that reads at most `LARGEST` bytes of a request, and says a sentence where an application fails.

    What it was that failed stands in the server's log alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > LARGEST:
            return await JSONResponse({"detail": TOO_LARGE}, 413)(scope, receive, send)
        begun = streams = False

        async def named(message: ASGIMessage) -> None:
            """Send a message on; a stream that tells of a fault without a word gets some."""
            nonlocal begun, streams
            begun = True
            if message["type"] == "http.response.start":
                streams = any(value.startswith(b"text/event-stream") for _, value in message.get("headers", []))
            elif streams:
                for nameless in NAMELESS:
                    message = {**message, "body": message.get("body", b"").replace(nameless, NAMED)}
            await send(message)

        try:
            await self.app(scope, _limited(receive), named)
        except Exception:
            log.exception("a request failed")
            if not begun:
                await JSONResponse({"detail": FAULT}, 500)(scope, receive, send)
            elif streams:
                await send({"type": "http.response.body", "body": LAST})
            else:
                raise


def _limited(receive: Receive) -> Receive:
    """The parts of a request that does not say how long it is; raises HTTPException once they are too many."""
    received = 0

    async def part() -> ASGIMessage:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST:
            raise HTTPException(413, TOO_LARGE)
        return message

    return part


class FirstPaint:
    """Middleware that puts markup behind the <head> of the page "/".

    The page takes some seconds to come up in a browser; the markup shows a picture until it is there. What Gradio is
    given for the head comes after its own scripts, and so this is put into the page as it leaves.
    """

    HEAD = b"<head>"

    def __init__(self, app: ASGIApp, markup: str) -> None:
        self.app, self.markup = app, markup.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: ASGIMessage | None = None

        async def with_markup(message: ASGIMessage) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                known = dict(message["headers"])
                if known.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in known:
                    start = message
                    return
            if start:
                body = message.get("body", b"")
                longer = body.replace(self.HEAD, self.HEAD + self.markup, 1)
                headers = [
                    (key, str(int(value) + len(longer) - len(body)).encode() if key == b"content-length" else value)
                    for key, value in start["headers"]
                ]
                await send({**start, "headers": headers})
                message, start = {**message, "body": longer}, None
            await send(message)

        page = scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET"
        await self.app(scope, receive, with_markup if page and self.markup else send)


# ---- where the page runs

CHOSEN = "TOOLKIT_CHECKPOINTS"  # a variable of the Space: the Hub repo, "owner/name", that it serves


def chosen_source(asked: str | None = None, shipped: Path = index.CHECKPOINTS) -> str | Path:
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


def offer_gpu() -> None:
    """On ZeroGPU, whose pages must have a function that may use the GPU, give it one.

    Nobody calls it: these models answer on a CPU at once, and visitors keep their minutes.
    """
    with suppress(ImportError):
        import spaces

        spaces.GPU(duration=1)(offer_gpu)
