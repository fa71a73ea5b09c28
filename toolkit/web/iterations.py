"""The tab "Iterations", and the picture of it that stands until the page is there.

The page takes some seconds to come up in a browser; this takes none, and goes when the page is there (splash.js).
What Gradio is given for the head comes after its own scripts, and so this is put into the page as it leaves.
"""

import base64
import io
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage

import toolkit

from .. import index
from ..config import SamplingSettings, choose
from ..index import CheckpointError, strict_json
from ..metrics import stats
from .server import MODEL, QUIET, Message, echo, figure, light, module, passing, static, wire
from .server import sheet as server_sheet

if TYPE_CHECKING:
    from torch import Tensor, nn


CURVES = {  # the measures that the page draws, and their names there
    "ink": "ink", "edge_length": "edge length", "perimetric_complexity": "complexity", "compressed_size": "zip size",
    "diversity": "diversity", "unique_share": "unique share", "novelty_median": "novelty", "passes": "passes",
}  # fmt: skip
LEARNED = {  # what a run began with, by the name of the data
    "mnist": "handwritten digits", "fashion": "pictures of clothes", "kmnist": "characters of old Japanese books",
    "omniglot": "characters of many alphabets",
}  # fmt: skip
COLUMNS = 10  # of a sheet of one hundred symbols
FETCH = """() => setTimeout(() => document.querySelector("#download").click(), 100)"""  # once the link is drawn


@dataclass(frozen=True)
class Shelf:
    """The iterations in a tree of checkpoints, as a visitor may ask of them. Raises ValueError, one sentence."""

    source: str | Path

    def listed(self) -> dict[str, Any]:
        """The index without what is of another kind."""
        listed = index.read_index(self.source)
        kept = {name: it for name, it in listed["experiments"].items() if it.get("kind", "iterations") == "iterations"}
        if not kept:
            raise ValueError(f"{self.source} holds no run of iterations, only {', '.join(listed['experiments'])}")
        default = listed["default"] if listed["default"] in kept else min(kept)
        return {**listed, "experiments": kept, "default": default}

    def experiment(self, name: str | None = None) -> tuple[str, dict[str, Any]]:
        """Its name and what the index says of it; by default the index's own choice."""
        listed = self.listed()
        name = index.find(listed, name)
        return name, listed["experiments"][name]

    def page(self, name: str | None = None) -> Message:
        """All that the page shows of one experiment at once, sheets included."""
        name, experiment = self.experiment(name)
        entries = [entry for entry in experiment["iterations"] if "samples" in entry]
        if not any(entry["iteration"] for entry in entries):
            raise ValueError(f"{name} has no iteration with a sheet of symbols: let its training go on")
        listed = self.listed()["experiments"]
        return {
            "experiment": name,
            "title": experiment["title"],
            "learned": learned(index.fetch(self.source, experiment["config"])),
            "version": toolkit.__version__,
            "sampling": say(index.settings(self.source, name)),
            "settings": asdict(index.settings(self.source, name)),
            "experiments": [[key, value["title"]] for key, value in listed.items()],
            "measures": stats.curves(entries, CURVES),
            "map": places(self.source, experiment),
            "iterations": [
                {"bytes": 0, "metrics": {}, **entry, "sheet": server_sheet(self.source, entry["samples"])}
                for entry in entries
            ],
        }

    def thumbnails(self, name: str) -> Message:
        """What the overview shows of one experiment, as `overview.strip` gives it."""
        name, experiment = self.experiment(name)
        return strip(self.source, name, experiment)

    def grow(self, name: str, iteration: int, seed: int) -> "Iterator[Tensor]":
        """A symbol out of its noise, pass by pass: (1, C, H, W) in [0, 1] each."""
        name, entry = index.choose(self.listed(), name, iteration)
        model = load(self.source, name, iteration, entry["sha256"])
        return toolkit.hub.sampling(self.source, name).grow(model, [seed])

    def animation(self, name: str) -> Path:
        """The sheets of all iterations, as a GIF."""
        from PIL import Image

        name, experiment = self.experiment(name)
        entries = [entry for entry in experiment["iterations"] if "samples" in entry]
        sheets = [Image.open(index.fetch(self.source, entry["samples"])) for entry in entries]
        plot = toolkit.plot
        symbols = [plot.tiles(sheet, sheet.width // COLUMNS) for sheet in sheets]
        frames = [plot.grid(x, COLUMNS, scale=2, gap=6, margin=24, invert=True) for x in symbols]
        return plot.animation(frames, Path(passing(), f"{name}_iterations.gif"), ms=480)

    def growth(self, name: str, iteration: int, seed: int) -> Path:
        """A symbol as it grows out of its noise, as a GIF."""
        plot = toolkit.plot
        frames = [plot.grid(x, scale=10, margin=20, invert=True) for x in self.grow(name, iteration, seed)]
        return plot.animation(frames, Path(passing(), f"{name}_iteration-{iteration}_seed-{seed}.gif"))

    def checkpoint(self, name: str, iteration: int) -> Path:
        """A copy of a model's file, under a name that says what it is."""
        name, entry = index.choose(self.listed(), name, iteration)
        target = Path(passing(), f"{name}_iteration-{iteration}.safetensors")
        return Path(shutil.copy(index.fetch(self.source, entry["file"]), target))


@lru_cache(maxsize=24)  # one run: a hundred megabytes or two
def load(source: str | Path, name: str, iteration: int, sha256: str) -> "nn.Module":
    """A model, kept for the next time. sha256: so that a file that changed is another model."""
    return toolkit.hub.load(source, name, iteration)


def learned(config: Path) -> str:
    """What the first learner of a run heard, in words."""
    said = strict_json(config.read_bytes()).get("experiment")
    data = str(said.get("data")) if isinstance(said, dict) else ""
    return LEARNED.get(data.removeprefix("sample:"), "pictures")


def say(sampling: SamplingSettings) -> str:
    """A way of sampling in words."""
    stop = {"each": "each image by itself", "batch": "the whole batch together"}[sampling.stop]
    still = f"it moves by less than {sampling.tol:g}" if sampling.tol else "it does not move"
    salt = f", {100 * sampling.salt:g} % of the pixels black or white by chance before each" if sampling.salt else ""
    ink = f", the brightest {100 * sampling.ink:g} % white and the rest black after each" if sampling.ink else ""
    finish = {"stretch": ", brightest pixel stretched to 1", "tone": ", tones of the data"}.get(sampling.finish, "")
    return f"At most {sampling.limit} passes, {stop}, until {still}{salt}{ink}{finish}"


def read_order(order: object) -> tuple[str, int, int]:
    """What a visitor asks for: (experiment, iteration, seed). Raises ValueError for what cannot be one."""
    from ..seeds import check

    said = order if isinstance(order, Mapping) else {}
    name, iteration, seed = (str(said.get(key, ""))[:40] for key in ("experiment", "iteration", "seed"))
    for what, number in (("iteration", iteration), ("seed", seed)):
        if not re.fullmatch("[0-9]+", number):
            raise ValueError(f"{what} {number!r} is not usable: give a whole number, such as 7")
    return name, int(iteration), check(int(seed))


def answer(shelf: Shelf, order: object) -> Iterator[Message]:
    """A symbol while it grows, each message with all its states so far; or, if that is asked for, the last alone."""
    from ..samplers import last

    message: Message = {**echo(order, "ticket", "iteration", "final"), "states": [], "done": False, "error": None}
    try:
        states = shelf.grow(*read_order(order))
        for state in [last(states)] if message["final"] else states:
            message = {**message, "states": [*message["states"], light(state)]}
            yield message
        yield {**message, "done": True}
    except ValueError as error:
        yield {**message, "done": True, "error": f"{error}."}


def save(shelf: Shelf, order: object) -> Path:
    """The file that a visitor asks for. Raises ValueError, one sentence, if there is none."""
    name, iteration, seed = read_order(order)
    kind = str(order.get("kind"))[:40] if isinstance(order, Mapping) else ""
    makers = {
        "animation": lambda: shelf.animation(name),
        "growth": lambda: shelf.growth(name, iteration, seed),
        "checkpoint": lambda: shelf.checkpoint(name, iteration),
    }
    return makers[choose("file", kind, makers)]()


def iterations_tab(shelf: Shelf, first: Message) -> None:
    """Datasets That Are Not: the same noise at every iteration. first: the experiment shown at first."""

    def experiment(name: str) -> Message:
        return shelf.page(str(name))

    def strip(name: str) -> Message:
        return shelf.thumbnails(str(name))

    def on_grow(event: gr.EventData) -> Iterator[Message]:
        yield from answer(shelf, event._data)

    def on_save(event: gr.EventData) -> str:
        try:
            return str(save(shelf, event._data))
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    body, functions = static("iterations.html"), [experiment, strip]
    own = figure(first, body, module("iterations", "grow", "save"), elem_id="figure", server_functions=functions)
    answers = wire(own, "that-are-not-symbol")
    file = gr.DownloadButton(elem_id="download")
    own.grow(on_grow, None, answers, **MODEL)
    own.save(on_save, None, file, **MODEL).success(None, js=FETCH, **QUIET)


OVERVIEW_COLUMNS, ROWS = 10, 2  # of the sheet of each iteration, from the top: seeds 0 to 19


def strip(source: str | Path, name: str, listed: dict[str, Any]) -> Message:
    """One experiment at all its iterations, as one picture: two rows an iteration, a column a seed.

    listed: what the index says of it. figure: its number in the paper, or None. sheet: None if there is none.
    """
    entries = [entry for entry in listed["iterations"] if "samples" in entry]
    said = strict_json(index.fetch(source, listed["config"]).read_bytes()).get("experiment")
    figure = said.get("figure") if isinstance(said, dict) else None
    return {
        "experiment": name,
        "figure": None if figure is None else str(figure),
        "iterations": [entry["iteration"] for entry in entries],
        "symbols": OVERVIEW_COLUMNS * ROWS,
        "sheet": _rows(source, tuple(entry["samples"] for entry in entries), str(entries)) if entries else None,
    }


@lru_cache(maxsize=32)  # some hundred kilobytes each
def _rows(source: str | Path, files: tuple[str, ...], listed: str) -> str:
    """The first rows of sheets, beneath each other, as the address of one picture. listed: so that new files count."""
    from PIL import Image

    sheets = [Image.open(index.fetch(source, file)) for file in files]
    width, height = sheets[0].width, sheets[0].width // OVERVIEW_COLUMNS * ROWS
    rows = Image.new(sheets[0].mode, (width, height * len(sheets)))
    for row, sheet in enumerate(sheets):
        rows.paste(sheet.crop((0, 0, width, height)), (0, row * height))
    png = io.BytesIO()
    rows.save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


SIDE = 1000
SYMBOLS = 100


def places(source: str | Path, listed: Mapping[str, Any]) -> Message | None:
    """{"judge", "explained", "places": {iteration: [[x, y], ...]}}, or None of an experiment without a map.

    listed: what the index says of it. Raises CheckpointError for a file that is no map.
    """
    if "map" not in listed:
        return None
    path = index.fetch(source, listed["map"])
    try:
        said = strict_json(path.read_bytes())
        judge, explained, sheets = str(said["judge"]), float(said["explained"]), dict(said["places"])
        if not all(map(_is_sheet, sheets.values())):
            raise ValueError(f"a place is no pair of whole numbers from 0 to {SIDE}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is no map of a run ({str(error)[:60]}): judge the run again") from error
    return {"judge": judge, "explained": explained, "places": sheets}


def _is_sheet(points: object) -> bool:
    return isinstance(points, list) and len(points) <= SYMBOLS and all(map(_is_point, points))


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list) and len(point) == 2 and all(type(each) is int and 0 <= each <= SIDE for each in point)
    )


HEAD = b"<head>"


def markup(source: str | Path) -> str:
    """The picture and its script; nothing where there is no sheet to show."""
    try:
        _, experiment = Shelf(source).experiment()
        last = [entry["samples"] for entry in experiment["iterations"] if "samples" in entry][-1]
        known = json.dumps({"sheet": server_sheet(source, last), "title": experiment["title"]}).replace("<", "\\u003c")
    except (ValueError, IndexError):
        return ""
    return f"<style>{static('splash.css')}</style><script>{{\nconst known = {known};\n{static('splash.js')}}}</script>"


class Splash:
    """An ASGI application whose page "/" begins with the markup."""

    def __init__(self, app: ASGIApp, markup: str) -> None:
        self.app, self.markup = app, markup.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET"
        await self.app(scope, receive, Put(send, self.markup) if page and self.markup else send)


class Put:
    """Sends an answer on, with the markup behind the first `HEAD` if it is HTML that comes whole and as it is."""

    def __init__(self, send: Send, markup: bytes) -> None:
        self.send, self.markup = send, markup
        self.start: ASGIMessage | None = None

    async def __call__(self, message: ASGIMessage) -> None:
        if message["type"] == "http.response.start" and _plain_html(message):
            self.start = message
            return
        if self.start:
            await self.send(self._longer(self.start, message))
            message = {**message, "body": self._with(message.get("body", b""))}
            self.start = None
        await self.send(message)

    def _with(self, body: bytes) -> bytes:
        return body.replace(HEAD, HEAD + self.markup, 1)

    def _longer(self, start: ASGIMessage, message: ASGIMessage) -> ASGIMessage:
        """Its headers, with the length that the answer now has."""
        body = message.get("body", b"")
        more = len(self._with(body)) - len(body)
        headers = [(k, str(int(v) + more).encode() if k == b"content-length" else v) for k, v in start["headers"]]
        return {**start, "headers": headers}


def _plain_html(start: ASGIMessage) -> bool:
    headers = dict(start["headers"])
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
