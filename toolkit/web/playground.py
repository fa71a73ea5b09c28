"""The line below the kaleidoscope: a network learns points on it while one looks on, and samples fall through it."""

import json
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from queue import SimpleQueue
from threading import Event
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from .. import plot
from ..hub import as_images, of, stream
from ..metrics.attractors import line
from ..models import Manifold, create
from ..presets import KaleidoscopeTraining, preset
from ..seeds import child
from ..train import fit
from .server import SLOW, Message, Request, Seed, action, figure

GRID = 101  # places on the line where the function is drawn
MOMENTS = 40  # of the training, early ones more densely
SAMPLES, RUNS = 16, 20
EXAMPLES: list[Message] = [  # the published lines; of a net for points, the published L counts the last layer too
    {"title": "Two points", "points": [0.2, 0.8], "depth": 6, "width": 10, "output": "sigmoid"},
    {"title": "Four points", "points": [0.1, 0.4, 0.6, 0.9], "depth": 9, "width": 10, "output": "tanh"},
]
LIMITS = {"depth": (1, 20), "width": (1, 100), "steps": (1, 3000), "seed": (0, 2**32 - 1)}
MOST_POINTS = 12
Point = Annotated[float, Field(ge=0, le=1)]


def _within(name: str) -> Any:
    low, high = LIMITS[name]
    return Field(ge=low, le=high)


class TrainRequest(Request):
    """A network to train. points: to learn; depth: hidden layers; steps: of training, all points each."""

    nothing_yet: ClassVar = {"moments": []}

    points: list[Point] = Field(min_length=1, max_length=MOST_POINTS)
    depth: int = _within("depth")
    width: int = _within("width")
    output: Literal["sigmoid", "tanh"]
    steps: int = _within("steps")
    seed: Seed

    def training(self) -> KaleidoscopeTraining:
        """The same as a preset. Raises ValueError for points that cannot be learned."""
        model = {"depth": self.depth, "width": self.width, "output": self.output}
        points = tuple((point,) for point in self.points)
        return preset("kaleidoscope-1d", points=points, steps=self.steps, seed=self.seed, model=model)


class StoppedError(Exception):
    """Nobody waits for this training any more."""


def train(request: TrainRequest) -> Generator[Message]:
    """A network while it learns, each message with all of its moments so far.

    The moments are text: on their way to the page thousands of numbers are slow.
    """
    training, moments, stopped = request.training(), list[str](), Event()
    updates: SimpleQueue[Message | None] = SimpleQueue()
    with ThreadPoolExecutor(1) as worker:
        done = worker.submit(learn, training, updates.put, stopped)
        done.add_done_callback(lambda _: updates.put(None))
        try:
            while (moment := updates.get()) is not None:
                moments = [*moments, json.dumps(moment)]
                yield {"moments": moments}
        finally:
            stopped.set()
        done.result()


def learn(training: KaleidoscopeTraining, tell: Callable[[Message], None], stopped: Event) -> None:
    """Train the network that the preset trains from the same seed, and tell how it is at some moments.

    Raises StoppedError once it is stopped.
    """
    wanted, model = {*plot.spread(training.steps + 1, MOMENTS)}, list[Any]()

    def objectives(copy: Any) -> Any:  # of the copy that learns, before it does
        model.append(copy)
        tell(moment(training, copy, 0))
        return copy.objectives()

    def on_step(step: int, losses: dict[str, float]) -> None:
        if stopped.is_set():
            raise StoppedError
        if step + 1 in wanted:
            tell({**moment(training, model[0], step + 1), "loss": losses["identity"]})

    first = create("Manifold", {**training.model, "channels": 1, "size": 1}, seed=child(training.seed, "init"))
    points, seed = repeat(as_images(training.points)), child(training.seed, "fit")
    fit(first, points, steps=training.steps, objectives=objectives, on_step=on_step, seed=seed)


def moment(training: KaleidoscopeTraining, model: Manifold, step: int) -> Message:
    """The network after so many steps: its function, and samples from the start through all their runs."""
    states = islice(stream(of(training, model), range(SAMPLES), start="uniform"), RUNS + 1)
    falls = [_rounded(state.flatten().tolist()) for state in states]
    return {"step": step, "function": _rounded(line(model, GRID)[1].tolist()), "falls": falls}


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 4) for value in values]


def first_page() -> Message:
    """What there is to see before a network learns."""
    return {"examples": EXAMPLES, "start": {"steps": 1000, "seed": 0}, "limits": LIMITS, "most": MOST_POINTS}


def playground_figure() -> None:
    """One dimension: place points, choose a network, train it, watch."""
    own = figure("playground", first_page(), triggers=["train"])
    action(own, "train", "that-are-not-line", TrainRequest, train, **SLOW)
