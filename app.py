"""The demo: `python app.py`. Widgets only: pixels, models and files are the toolkit's, the figure is toolkit/page*."""

import argparse
import base64
import html
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import gradio as gr

import toolkit
from toolkit import drift, index, tree
from toolkit.options import choose
from toolkit.settings import Settings

if TYPE_CHECKING:  # the page itself needs no torch; `toolkit` imports it once a model has work to do
    from torch import Tensor, nn

CURVES = {  # the measures that the page draws, and their names there
    "ink": "ink", "edge_length": "edge length", "perimetric_complexity": "complexity", "compressed_size": "zip size",
    "diversity": "diversity", "unique_share": "unique share", "novelty_median": "novelty", "passes": "passes",
}  # fmt: skip
COLUMNS = 10  # of a sheet of one hundred symbols
Message = dict[str, Any]  # what crosses to the browser: plain JSON values


def static(*names: str) -> str:
    """The text of files beside the toolkit, one after the other."""
    return "\n".join((Path(toolkit.__file__).parent / name).read_text(encoding="utf-8") for name in names)


LAUNCH: dict[str, Any] = {  # what the page asks of `launch`, wherever it is launched
    # Of Gradio's own fonts only few hold the Latin letters; these do, in these weights.
    "theme": gr.themes.Base(
        font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
        font_mono=[gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
    ).set(body_background_fill="#faf7f0", body_background_fill_dark="#131210"),
    "head": f"<style>{static('page.css')}</style>",  # not `css=`, which rewrites rules and loses some
    "footer_links": [],
    "ssr_mode": False,
    "enable_monitoring": False,
    "run_history": False,
    "max_file_size": "1mb",
}
WARM = 3.0  # seconds after the start, when the page is up: import what models need, visitor or not
RECEIVE = """watch("value", () => window.dispatchEvent(new CustomEvent("that-are-not", {detail: props.value})))"""
FETCH = """() => setTimeout(() => document.querySelector("#download").click(), 100)"""  # once the link is drawn


@dataclass(frozen=True)
class Shelf:
    """A tree of checkpoints, as a visitor may ask of it. Raises ValueError, one sentence, for what is not there."""

    source: str | Path

    def experiment(self, name: str | None = None) -> tuple[str, dict[str, Any]]:
        """Its name and what the index says of it; by default the index's own choice."""
        listed = tree.read_index(self.source)
        name, _ = index.choose(listed, name)
        return name, listed["experiments"][name]

    def page(self, name: str | None = None) -> Message:
        """All that the page shows of one experiment at once, sheets included."""
        name, experiment = self.experiment(name)
        entries = [entry for entry in experiment["iterations"] if "samples" in entry]
        if not any("file" in entry for entry in entries):
            raise ValueError(f"{name} has no iteration with a sheet of symbols: let its training go on")
        listed = tree.read_index(self.source)["experiments"]
        return {
            "experiment": name,
            "title": experiment["title"],
            "version": toolkit.__version__,
            "sampling": say(tree.settings(self.source, name)),
            "experiments": [[key, value["title"]] for key, value in listed.items()],
            "measures": drift.curves(entries, CURVES),
            "iterations": [{"bytes": 0, "metrics": {}, **entry, "sheet": self._sheet(entry)} for entry in entries],
        }

    def grow(self, name: str, iteration: int, seed: int) -> "Iterator[Tensor]":
        """A symbol out of its noise, pass by pass: (1, C, H, W) in [0, 1] each."""
        name, entry = index.choose(tree.read_index(self.source), name, iteration)
        model = load(self.source, name, iteration, entry["sha256"])
        sampling = toolkit.hub.sampling(self.source, name)
        return sampling.stream(model, toolkit.Noise([seed]).rand(*model.image_shape))  # type: ignore[misc]

    def animation(self, name: str) -> Path:
        """The sheets of all iterations, as a GIF."""
        from PIL import Image

        name, experiment = self.experiment(name)
        entries = [entry for entry in experiment["iterations"] if "samples" in entry]
        sheets = [Image.open(tree.fetch(self.source, entry["samples"])) for entry in entries]
        plot = toolkit.plot
        symbols = [plot.tiles(sheet, sheet.width // COLUMNS) for sheet in sheets]
        frames = [plot.grid(x, COLUMNS, scale=2, gap=6, margin=24, invert=True) for x in symbols]
        return plot.animation(frames, Path(tempfile.mkdtemp(), f"{name}_iterations.gif"), ms=480)

    def growth(self, name: str, iteration: int, seed: int) -> Path:
        """A symbol as it grows out of its noise, as a GIF."""
        plot = toolkit.plot
        frames = [plot.grid(x, scale=10, margin=20, invert=True) for x in self.grow(name, iteration, seed)]
        return plot.animation(frames, Path(tempfile.mkdtemp(), f"{name}_iteration-{iteration}_seed-{seed}.gif"))

    def checkpoint(self, name: str, iteration: int) -> Path:
        """A copy of a model's file, under a name that says what it is."""
        name, entry = index.choose(tree.read_index(self.source), name, iteration)
        target = Path(tempfile.mkdtemp(), f"{name}_iteration-{iteration}.safetensors")
        return Path(shutil.copy(tree.fetch(self.source, entry["file"]), target))

    def _sheet(self, entry: Mapping[str, Any]) -> str:
        png = tree.fetch(self.source, entry["samples"]).read_bytes()
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"


@lru_cache(maxsize=24)  # one run: a hundred megabytes or two
def load(source: str | Path, name: str, iteration: int, sha256: str) -> "nn.Module":
    """A model, kept for the next time. sha256: so that a file that changed is another model."""
    return toolkit.hub.load(source, name, iteration)


def say(sampling: Settings) -> str:
    """A way of sampling in words."""
    stop = {"each": "each image by itself", "batch": "the whole batch together"}[sampling.stop]
    finish = {"stretch": ", brightest pixel stretched to 1", "tone": ", tones of the data"}.get(sampling.finish, "")
    return f"At most {sampling.limit} passes, {stop}, until it moves by less than {sampling.tol:g}{finish}"


def light(image: "Tensor") -> str:
    """One image (1, 1, H, W) in [0, 1], as the page draws it."""
    from toolkit.samplers import to_bytes

    return base64.b64encode(to_bytes(image).numpy().tobytes()).decode()


def read_order(order: Mapping[str, Any]) -> tuple[str, int, int]:
    """What a visitor asks for: (experiment, iteration, seed). Raises ValueError for what cannot be one."""
    from toolkit.seeds import check

    name, iteration, seed = (str(order.get(key, ""))[:40] for key in ("experiment", "iteration", "seed"))
    for what, number in (("iteration", iteration), ("seed", seed)):
        if not re.fullmatch("[0-9]+", number):
            raise ValueError(f"{what} {number!r} is not usable: give a whole number, such as 7")
    return name, int(iteration), check(int(seed))


def answer(shelf: Shelf, order: Mapping[str, Any]) -> Iterator[Message]:
    """A symbol while it grows, each message with all its states so far; or, if that is asked for, the last alone."""
    from toolkit.samplers import last

    echo = {key: order.get(key) for key in ("ticket", "iteration", "final")}
    message: Message = {**echo, "states": [], "done": False, "error": None}
    try:
        states = shelf.grow(*read_order(order))
        for state in [last(states)] if order.get("final") else states:
            message = {**message, "states": [*message["states"], light(state)]}
            yield message
        yield {**message, "done": True}
    except ValueError as error:
        yield {**message, "done": True, "error": f"{error}."}


def save(shelf: Shelf, order: Mapping[str, Any]) -> Path:
    """The file that a visitor asks for. Raises ValueError, one sentence, if there is none."""
    name, iteration, seed = read_order(order)
    makers = {
        "animation": lambda: shelf.animation(name),
        "growth": lambda: shelf.growth(name, iteration, seed),
        "checkpoint": lambda: shelf.checkpoint(name, iteration),
    }
    return makers[choose("file", str(order.get("kind")), makers)]()


def iterations_tab(shelf: Shelf, first: Message) -> None:
    """Datasets That Are Not: the same noise at every iteration. first: the experiment shown at first."""

    def experiment(name: str) -> Message:
        return shelf.page(str(name))

    def on_grow(event: gr.EventData) -> Iterator[Message]:
        yield from answer(shelf, event._data)

    def on_save(event: gr.EventData) -> str:
        try:
            return str(save(shelf, event._data))
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error

    body, script = static("page.html"), static("page_symbol.js", "page.js")
    own: dict[str, Any] = {"elem_id": "figure", "apply_default_css": False}
    figure = gr.HTML(first, html_template=body, js_on_load=script, server_functions=[experiment], **own)
    answers = gr.HTML(html_template="<i></i>", js_on_load=RECEIVE, elem_classes="wire")
    file = gr.DownloadButton(elem_id="download")
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    model: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, "trigger_mode": "multiple", **quiet}
    figure.grow(on_grow, None, answers, **model)
    figure.save(on_save, None, file, **model).success(None, js=FETCH, **quiet)


def no_run(reason: str) -> None:
    """What stands there when there is nothing to show: why, and what would do."""
    commands = "\n".join(f"python -m toolkit train fig2 --scale {size} --out checkpoints" for size in ("smoke", "cpu"))
    advice = f"<p>Train one, in seconds or in hours, and open the page again:</p><pre>{commands}</pre>"
    gr.HTML(f"<div class='no-run'><h1>There is no run to show yet</h1><p>{html.escape(reason)}.</p>{advice}</div>")


def warm(shelf: Shelf) -> None:
    """Grow a symbol for nobody, so that no visitor waits for torch. What fails here fails again for a visitor."""
    with suppress(ValueError):
        name, entry = index.choose(tree.read_index(shelf.source))
        for _ in shelf.grow(name, entry["iteration"], seed=0):
            pass


def build(checkpoints: str | Path = tree.CHECKPOINTS) -> gr.Blocks:
    """The page over a tree of checkpoints, in a folder or a Hub repo. Launch it with `LAUNCH`."""
    with gr.Blocks(title="That Are Not", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as page:
        try:
            first = Shelf(checkpoints).page()
        except (ValueError, TypeError, OSError) as error:
            no_run(str(error))
            return page
        with gr.Tabs(), gr.Tab("Iterations"):
            iterations_tab(Shelf(checkpoints), first)
    return page.queue(max_size=32)


def main() -> None:
    """Open the page. GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where."""
    parser = argparse.ArgumentParser(prog="app.py", description="Browse a run, iteration by iteration, in the browser.")
    parser.add_argument("checkpoints", nargs="?", default=tree.CHECKPOINTS, help="a folder, or a Hub repo owner/name")
    checkpoints = parser.parse_args().checkpoints
    page = build(checkpoints)
    timer = Timer(WARM, warm, [Shelf(checkpoints)])
    timer.daemon = True
    timer.start()
    page.launch(**LAUNCH)


if __name__ == "__main__":
    main()
