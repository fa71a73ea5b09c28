"""The tab "Iterations", and the picture of it that stands until the page is there."""

import io
import json
import re
import shutil
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import gradio as gr
from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .. import __version__, hub, index, plot
from ..config import SamplingSettings
from ..index import CheckpointError
from ..metrics import stats
from ..samplers import last
from . import server
from .server import FILES, PRIVATE, Message, Request, Word, action, figure, loaded, pixels, static

CURVES = {  # the measures that the page draws, and their names there
    "ink": "ink", "edge_length": "edge length", "perimetric_complexity": "complexity", "compressed_size": "zip size",
    "diversity": "diversity", "unique_share": "unique share", "novelty_median": "novelty", "passes": "passes",
}  # fmt: skip
LEARNED = {  # what a run began with, by the name of the data
    "mnist": "handwritten digits", "fashion": "pictures of clothes", "kmnist": "characters of old Japanese books",
    "omniglot": "characters of many alphabets",
}  # fmt: skip
COLUMNS = 10  # of a sheet of one hundred symbols
STRIP_COLUMNS, STRIP_ROWS = 10, 2  # of the sheet of each iteration, from the top: seeds 0 to 19
CLICK_DOWNLOAD = """() => setTimeout(() => document.querySelector("#download").click(), 100)"""  # once it has its link


def _digits(value: object) -> object:
    """The page sends a seed as it was typed."""
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value) else value


class SymbolRequest(Request):
    """One symbol: the states it goes through, or, if `final`, the last alone."""

    repeated: ClassVar = ("ticket", "iteration", "final")
    nothing_yet: ClassVar = {"states": []}

    experiment: Word
    iteration: int = Field(ge=0, le=9999)
    seed: Annotated[int, Field(ge=0, le=2**63 - 1), BeforeValidator(_digits)]
    final: bool = False


class FileRequest(SymbolRequest):
    """A file to take away."""

    kind: Literal["animation", "growth", "checkpoint"]


@dataclass(frozen=True)
class RunIndex:
    """The runs of iterations in a tree of checkpoints. Raises ValueError, one sentence, for what is not there."""

    source: str | Path

    def listed(self) -> dict[str, Any]:
        """The index without what is of another kind."""
        listed = server.read_index(self.source)
        kept = {name: it for name, it in listed["experiments"].items() if it.get("kind", "iterations") == "iterations"}
        if not kept:
            raise ValueError(f"{self.source} holds no run of iterations, only {', '.join(listed['experiments'])}")
        default = listed["default"] if listed["default"] in kept else min(kept)
        return {**listed, "experiments": kept, "default": default}

    def sheets(self, name: str | None = None) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
        """A run's name, its index entry, and the entries of its iterations with a sheet. By default the index's choice.

        Raises ValueError where no iteration after 0 has a sheet.
        """
        listed = self.listed()
        name = index.find(listed, name)
        entries = [entry for entry in listed["experiments"][name]["iterations"] if "samples" in entry]
        if not any(entry["iteration"] for entry in entries):
            raise ValueError(f"{name} has no iteration with a sheet of symbols: let its training go on")
        return name, listed["experiments"][name], entries

    def latest(self) -> tuple[str, int]:
        """The run that is shown first, and the last iteration that has a model."""
        name, entry = index.choose(self.listed())
        return name, entry["iteration"]

    def page(self, name: str | None = None) -> Message:
        """All that the page shows of one run at once."""
        name, experiment, entries = self.sheets(name)
        settings = index.settings(self.source, name)
        data = str(server.config_of(self.source, experiment).get("data"))
        return {
            "experiment": name,
            "title": experiment["title"],
            "learned": LEARNED.get(data.removeprefix("sample:"), "pictures"),
            "version": __version__,
            "sampling": sampling_in_words(settings),
            "settings": asdict(settings),
            "experiments": [[key, value["title"]] for key, value in self.listed()["experiments"].items()],
            "measures": stats.curves(entries, CURVES),
            "map": read_map(self.source, experiment),
            "iterations": [{"bytes": 0, "metrics": {}, **entry, "sheet": server.sheet_url(entry)} for entry in entries],
        }

    def strip(self, name: str) -> Message:
        """A run as one picture: two rows an iteration, a column a seed; the sheet is None if there is none.

        figure: its number in the paper, or None.
        """
        listed = self.listed()
        name = index.find(listed, name)
        experiment = listed["experiments"][name]
        entries = [entry for entry in experiment["iterations"] if "samples" in entry]
        number = server.config_of(self.source, experiment).get("figure")
        return {
            "experiment": name,
            "figure": None if number is None else str(number),
            "iterations": [entry["iteration"] for entry in entries],
            "symbols": STRIP_COLUMNS * STRIP_ROWS,
            "sheet": loaded(_strip, self.source, name) if entries else None,
        }

    def run(self, name: str, iteration: int) -> hub.Run:
        """A model of a run and its sampling settings, kept for the next time."""
        name, _ = index.choose(self.listed(), name, iteration)
        return loaded(hub.read, self.source, name, iteration)

    def animation(self, name: str) -> Path:
        """The sheets of all iterations, as a GIF."""
        name, _, entries = self.sheets(name)
        sheets = [Image.open(index.fetch(self.source, entry["samples"])) for entry in entries]
        symbols = [plot.tiles(sheet, sheet.width // COLUMNS) for sheet in sheets]
        frames = [plot.grid(x, COLUMNS, scale=2, gap=6, margin=24, invert=True) for x in symbols]
        return plot.animation(frames, server.temporary_folder() / f"{name}_iterations.gif", ms=480)

    def growth(self, name: str, iteration: int, seed: int) -> Path:
        """A symbol as it grows out of its noise, as a GIF."""
        frames = [plot.grid(x, scale=10, margin=20, invert=True) for x in self.run(name, iteration).states([seed])]
        return plot.animation(frames, server.temporary_folder() / f"{name}_iteration-{iteration}_seed-{seed}.gif")

    def checkpoint(self, name: str, iteration: int) -> Path:
        """A copy of a model's file, under a name that says what it is."""
        name, entry = index.choose(self.listed(), name, iteration)
        target = server.temporary_folder() / f"{name}_iteration-{iteration}.safetensors"
        return Path(shutil.copy(index.fetch(self.source, entry["file"]), target))


def _strip(source: str | Path, name: str) -> str:
    """The first rows of a run's sheets, beneath each other, as the address of one picture."""
    entries = server.read_index(source)["experiments"][name]["iterations"]
    sheets = [Image.open(index.fetch(source, entry["samples"])) for entry in entries if "samples" in entry]
    width, height = sheets[0].width, sheets[0].width // STRIP_COLUMNS * STRIP_ROWS
    rows = Image.new(sheets[0].mode, (width, height * len(sheets)))
    for row, sheet in enumerate(sheets):
        rows.paste(sheet.crop((0, 0, width, height)), (0, row * height))
    png = io.BytesIO()
    rows.save(png, "PNG")
    return server.data_url(png.getvalue())


def sampling_in_words(sampling: SamplingSettings) -> str:
    """How images are drawn, in words."""
    stop = {"each": "each image by itself", "batch": "the whole batch together"}[sampling.stop]
    still = f", until it moves by less than {sampling.tol:g}" if sampling.tol else ""
    most = f"At most {sampling.limit}" if sampling.tol else f"{sampling.limit}"
    salt = f", {100 * sampling.salt:g} % of the pixels black or white by chance before each" if sampling.salt else ""
    ink = f", the brightest {100 * sampling.ink:g} % white and the rest black after each" if sampling.ink else ""
    finish = {"stretch": ", brightest pixel stretched to 1", "tone": ", tones of the data"}.get(sampling.finish, "")
    return f"{most} passes, {stop}{still}{salt}{ink}{finish}"


Coordinate = Annotated[int, Field(ge=0, le=1000)]


class RunMap(BaseModel):
    """The map of a run: by iteration, where each image of a sheet lies among those alike to a classifier."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    judge: str
    explained: float
    places: dict[str, Annotated[list[tuple[Coordinate, Coordinate]], Field(max_length=100)]]


def read_map(source: str | Path, listed: Mapping[str, Any]) -> Message | None:
    """The map of an experiment as plain values, or None of one without. listed: its index entry.

    Raises CheckpointError for a file that is no map.
    """
    if "map" not in listed:
        return None
    path = index.fetch(source, listed["map"])
    try:
        return RunMap.model_validate_json(path.read_bytes()).model_dump(mode="json")
    except ValidationError as error:
        why = error.errors(include_url=False)[0]["msg"][:60]
        raise CheckpointError(f"{path} is no map of a run ({why}): judge the run again") from None


def grow(source: str | Path, request: SymbolRequest) -> Generator[Message]:
    """A symbol while it grows, each message with all its states so far; or the last alone."""
    states = RunIndex(source).run(request.experiment, request.iteration).states([request.seed])
    shown: list[str] = []
    for state in [last(states)] if request.final else states:
        shown = [*shown, pixels(state)]
        yield {"states": shown}


def save(source: str | Path, data: object) -> Path:
    """The file that a visitor asks for. Raises ValueError, one sentence, if there is none."""
    request, runs = FileRequest.read(data), RunIndex(source)
    match request.kind:
        case "animation":
            return runs.animation(request.experiment)
        case "growth":
            return runs.growth(request.experiment, request.iteration, request.seed)
        case "checkpoint":
            return runs.checkpoint(request.experiment, request.iteration)


def iterations_tab(source: str | Path) -> None:
    """Datasets That Are Not: the same noise at every iteration."""
    runs = RunIndex(source)

    def experiment(name: str) -> Message:
        return runs.page(str(name))

    def strip(name: str) -> Message:
        return runs.strip(str(name))

    def on_save(event: gr.EventData) -> str:
        try:
            return str(save(source, event._data))
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    own = figure("iterations", runs.page(), experiment, strip, triggers=["grow", "save"], elem_id="figure")
    action(own, "grow", "that-are-not-symbol", SymbolRequest, partial(grow, source))
    file = gr.DownloadButton(elem_id="download")
    own.save(on_save, None, file, **FILES, **PRIVATE).success(None, js=CLICK_DOWNLOAD, **PRIVATE)


def first_paint(source: str | Path) -> str:
    """Markup that shows the last sheet of the run shown first, for `FirstPaint`; nothing where there is no sheet."""
    try:
        _, experiment, entries = RunIndex(source).sheets()
        sheet = server.data_url(index.fetch(source, entries[-1]["samples"]).read_bytes())
    except ValueError:
        return ""
    known = json.dumps({"sheet": sheet, "title": experiment["title"]}).replace("<", "\\u003c")
    return f"<style>{static('splash.css')}</style><script>{{\nconst known = {known};\n{static('splash.js')}}}</script>"


def warm(source: str | Path) -> None:
    """Draw a symbol for nobody, so that no visitor waits for the model."""
    last(RunIndex(source).run(*RunIndex(source).latest()).states([0]))
