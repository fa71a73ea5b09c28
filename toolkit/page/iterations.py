"""The tab "Iterations": Datasets That Are Not, sheet by sheet, and a symbol as it grows out of its noise."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

import toolkit

from .. import drift, index, tree
from ..header import strict_json
from ..options import choose
from ..settings import Settings
from . import MODEL, QUIET, Message, echo, figure, light, overview, passing, sheet, static, wire
from .places import places

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
        listed = tree.read_index(self.source)
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
            "learned": learned(tree.fetch(self.source, experiment["config"])),
            "version": toolkit.__version__,
            "sampling": say(tree.settings(self.source, name)),
            "settings": asdict(tree.settings(self.source, name)),
            "experiments": [[key, value["title"]] for key, value in listed.items()],
            "measures": drift.curves(entries, CURVES),
            "map": places(self.source, experiment),
            "iterations": [
                {"bytes": 0, "metrics": {}, **entry, "sheet": sheet(self.source, entry["samples"])} for entry in entries
            ],
        }

    def thumbnails(self, name: str) -> Message:
        """What the overview shows of one experiment, as `overview.strip` gives it."""
        name, experiment = self.experiment(name)
        return overview.strip(self.source, name, experiment)

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
        sheets = [Image.open(tree.fetch(self.source, entry["samples"])) for entry in entries]
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
        return Path(shutil.copy(tree.fetch(self.source, entry["file"]), target))


@lru_cache(maxsize=24)  # one run: a hundred megabytes or two
def load(source: str | Path, name: str, iteration: int, sha256: str) -> "nn.Module":
    """A model, kept for the next time. sha256: so that a file that changed is another model."""
    return toolkit.hub.load(source, name, iteration)


def learned(config: Path) -> str:
    """What the first learner of a run heard, in words."""
    said = strict_json(config.read_bytes()).get("experiment")
    data = str(said.get("data")) if isinstance(said, dict) else ""
    return LEARNED.get(data.removeprefix("sample:"), "pictures")


def say(sampling: Settings) -> str:
    """A way of sampling in words."""
    stop = {"each": "each image by itself", "batch": "the whole batch together"}[sampling.stop]
    still = f"it moves by less than {sampling.tol:g}" if sampling.tol else "it does not move"
    salt = f", {100 * sampling.salt:g} % of the pixels black or white by chance before each" if sampling.salt else ""
    ink = f", the brightest {100 * sampling.ink:g} % white and the rest black after each" if sampling.ink else ""
    finish = {"stretch": ", brightest pixel stretched to 1", "tone": ", tones of the data"}.get(sampling.finish, "")
    return f"At most {sampling.limit} passes, {stop}, until {still}{salt}{ink}{finish}"


def read_order(order: object) -> tuple[str, int, int]:
    """What a visitor asks for: (experiment, iteration, seed). Raises ValueError for what cannot be one."""
    from toolkit.seeds import check

    said = order if isinstance(order, Mapping) else {}
    name, iteration, seed = (str(said.get(key, ""))[:40] for key in ("experiment", "iteration", "seed"))
    for what, number in (("iteration", iteration), ("seed", seed)):
        if not re.fullmatch("[0-9]+", number):
            raise ValueError(f"{what} {number!r} is not usable: give a whole number, such as 7")
    return name, int(iteration), check(int(seed))


def answer(shelf: Shelf, order: object) -> Iterator[Message]:
    """A symbol while it grows, each message with all its states so far; or, if that is asked for, the last alone."""
    from toolkit.samplers import last

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

    script = static("ink.js", "symbol.js", "overview.js", "map.js", "caption_sheets.js", "iterations.js")
    own = figure(first, static("iterations.html"), script, elem_id="figure", server_functions=[experiment, strip])
    answers = wire(own, "that-are-not-symbol")
    file = gr.DownloadButton(elem_id="download")
    own.grow(on_grow, None, answers, **MODEL)
    own.save(on_save, None, file, **MODEL).success(None, js=FETCH, **QUIET)
