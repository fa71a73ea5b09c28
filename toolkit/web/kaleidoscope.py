"""The tab "Kaleidoscope" and its films."""

import base64
import math
import zlib
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain, islice, pairwise
from pathlib import Path
from time import sleep
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from .. import data, hub, index, plot
from ..config import choose
from ..hub import Kaleidoscope
from ..metrics.attractors import distinct, frame_measures
from ..metrics.image import as_float
from ..samplers import to_bytes
from ..seeds import Noise
from . import playground, server
from .server import Message, Request, Word, action, figure, from_base64, loaded

TAB = "Kaleidoscope"
CELLS = 64
START: Message = {"start": "uniform", "runs": 300, "perturbation": 0.01, "mode": "centred", "seed": 0, "image": None}
SHEET = (0, 1, 5, 10, 30)  # the runs that are rows of the sheet of a network, and its last
SAMPLE_COLUMNS = 50  # of the picture of a built-in sample
PAUSE = 0.02  # seconds in which a part is sent off before the next runs take the processor
FIRST = ["kaleidoscope-mnist", "kaleidoscope-fashion"]
FRAMES = 81  # of so many runs at most, early ones more densely: each of the first 31 of 300
PARTS = (1, 6, 25)  # frames that are sent together: few at first; then always so many as the last says
NEIGHBOURS = 3
SAMPLES = {"mnist": "mnist", "fashion": "fashion", "sample:mnist": "mnist", "sample:fashion": "fashion"}  # built in
Noisy = Literal["uniform", "normal"]
Mode = Literal["centred", "published", "none"]


class FilmRequest(Request):
    """A film of runs. seed: of the first cell. image: of the start "drawing", a byte a value, in base64."""

    nothing_yet: ClassVar = {"parts": []}

    experiment: Word
    start: Literal[Noisy, "drawing"]
    runs: int = Field(ge=1, le=300)
    perturbation: float = Field(ge=0, le=1)
    mode: Mode
    seed: int = Field(ge=0, le=2**32 - CELLS)
    image: str | None = None


def network(source: str | Path, name: str) -> Kaleidoscope:
    """A trained network, kept for the next time. Raises CheckpointError."""
    return loaded(hub.load_kaleidoscope, source, name)


def film(source: str | Path, request: FilmRequest) -> Generator[Message]:
    """The film that a visitor asks for, each message with all of it so far."""
    k = network(source, request.experiment)
    about: Message = {"shape": list(k.model.image_shape), "runs": plot.spread(request.runs + 1, FRAMES)}
    about["neighbours"] = neighbours(k)
    parts: list[Message] = []
    for part in film_parts(k, states(k, request), request.runs):
        parts = [*parts, part]
        yield {**about, "parts": parts}
        sleep(PAUSE)


def states(k: Kaleidoscope, request: FilmRequest) -> Iterator[Tensor]:
    """The start, and the images after each run, without end. Raises ValueError for a drawing of another size."""
    seeds = range(request.seed, request.seed + CELLS)
    start = veiled(k, request.image, seeds) if request.start == "drawing" else request.start
    return hub.stream(k, seeds, start=start, perturbation=request.perturbation, mode=request.mode)


def film_parts(k: Kaleidoscope, states: Iterator[Tensor], runs: int) -> Iterator[Message]:
    """The frames, some at a time: what changed since the frame before, and what is known of their cells.

    states: the start and the images after each run, (B, C, H, W) in [0, 1]. distinct: how many pictures there are.
    """
    before, count = None, neighbours(k)
    reference = sample(k.data) if count else None
    for steps in _parts(frames(states, runs)):
        images = [after for _, after in steps]
        light = [to_bytes(x) for x in images]
        yield {
            "light": packed([light[0] * 0 if before is None else before, *light]),
            "facts": base64.b64encode(frame_measures(steps, reference, count)).decode(),
            "distinct": [distinct(x) for x in images],
        }
        before = light[-1]


def frames(states: Iterator[Tensor], runs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Of every run that is a frame of the film, the images before and after it; the start stands for both."""
    wanted, first = {*plot.spread(runs + 1, FRAMES)}, next(states)
    for run, step in enumerate(pairwise(chain([first, first], islice(states, runs)))):
        if run in wanted:
            yield step


def _parts(steps: Iterator[tuple[Tensor, Tensor]]) -> Iterator[list[tuple[Tensor, Tensor]]]:
    for size in chain(PARTS, iter(lambda: PARTS[-1], None)):
        if not (part := list(islice(steps, size))):
            return
        yield part


def packed(light: Sequence[Tensor]) -> str:
    """Frames of bytes after the first, as the page unpacks them: what changed since the one before, deflated."""
    changes = b"".join((after - before).numpy().tobytes() for before, after in pairwise(light))
    return base64.b64encode(zlib.compress(changes, 1)).decode()


def neighbours(k: Kaleidoscope) -> int:
    """How many of the nearest training images are named; 0 where there is no built-in sample of them."""
    return NEIGHBOURS if k.data in SAMPLES and k.model.image_shape == (1, 28, 28) else 0


@lru_cache(maxsize=4)
def sample(name: str) -> Tensor:
    """The built-in sample of a data set, 1,000 of its training images: float (N, 1, 28, 28) in [0, 1]."""
    return as_float(data.load(f"sample:{SAMPLES[name]}").images)


def veiled(k: Kaleidoscope, image: str | None, seeds: Sequence[int]) -> Tensor:
    """A drawing under more and more noise, one per seed: (B, C, H, W); the first eighth starts from it as it is.

    image: a byte a value, in base64. Raises ValueError if it is not of the network's size.
    """
    shape, values = k.model.image_shape, math.prod(k.model.image_shape)
    drawing = from_base64(image or "")
    if len(drawing) != values:
        raise ValueError(f"the drawing has {len(drawing):,} values and {k.name} takes {values:,}: draw again")
    noise = Noise(seeds).rand(*shape)
    veil = noise.new_tensor([cell * 8 // len(noise) / 10 for cell in range(len(noise))]).view(-1, 1, 1, 1)
    return (noise.new_tensor(list(drawing)).view(1, *shape) / 255).lerp(noise, veil)


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any network works: each one's sheet of runs. None without a network of images."""
    shown = [_about(source, name) for name in server.names_of(source, "kaleidoscope", FIRST)]
    pictures = [about for about in shown if about["size"] > 1]  # of points the playground tells more
    return {"networks": pictures, "start": START, "cells": CELLS} if pictures else None


def _about(source: str | Path, name: str) -> Message:
    """One network as the page shows it at first. size: pixels; sheet: a run a row, a cell a column."""
    listed = server.read_index(source)
    made, (_, entry) = server.config_of(source, listed["experiments"][name]), index.choose(listed, name)
    runs = int(made.get("runs") or START["runs"])
    return {
        **server.about(name, listed["experiments"][name], entry),
        "size": 1 if made.get("points") else made.get("size", 28),
        "channels": 3 if made.get("color") else 1,
        "data": SAMPLES.get(made.get("data", "")),
        "runs": [*(run for run in SHEET if run < runs), runs],
    }


def known(name: object) -> Message:
    """A built-in sample as one picture, gapless. Raises ValueError for another name."""
    name = choose("data set", str(name)[:40], sorted({*SAMPLES.values()}))
    png = (Path(data.__file__).parent / f"{name}.png").read_bytes()
    return {"sheet": server.data_url(png), "columns": SAMPLE_COLUMNS}


def warm(source: str | Path) -> None:
    """Run each network once for nobody, so that no visitor waits for it."""
    for about in (first_page(source) or {"networks": []})["networks"]:
        request = FilmRequest.read({"experiment": about["name"], **START, "runs": 1})
        for _ in film(source, request):
            pass


def tab(source: str | Path, first: Message) -> None:
    """Kaleidoscopic sampling: 64 starts through all their runs, and a line to try it on. first: `first_page`'s."""
    own = figure("kaleidoscope", first, known, triggers=["film"])
    action(own, "film", "that-are-not-runs", FilmRequest, partial(film, source))
    playground.playground_figure()
