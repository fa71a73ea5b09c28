"""The line below the kaleidoscope: a network learns points on it while one looks on, and samples fall through it."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import islice, repeat
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Any

import gradio as gr

from ..config import checked, choose
from .server import MODEL, Message, Newest, echo, figure, module, static, wire

if TYPE_CHECKING:
    from ..models import Manifold
    from ..presets import KaleidoscopeTraining


GRID = 101  # places on the line where the function is drawn
MOMENTS = 40  # of the training, early ones more densely
SAMPLES, RUNS = 16, 20
EXAMPLES: list[Message] = [  # the published lines; of a net for points, the published L counts the last layer too
    {"title": "Two points", "points": [0.2, 0.8], "depth": 6, "width": 10, "output": "sigmoid"},
    {"title": "Four points", "points": [0.1, 0.4, 0.6, 0.9], "depth": 9, "width": 10, "output": "tanh"},
]
LIMITS = {"depth": (1, 20), "width": (1, 100), "steps": (1, 3000), "seed": (0, 2**32 - 1)}
OUTPUTS = ("sigmoid", "tanh")
MOST = 12  # points


@dataclass(frozen=True)
class Order:
    """What a visitor asks for. points: from 0 to 1; depth: hidden layers; steps: of training, all points each."""

    points: tuple[float, ...]
    depth: int
    width: int
    output: str
    steps: int
    seed: int

    def __post_init__(self) -> None:
        choose("output", self.output[:40], OUTPUTS)
        if len(self.points) > MOST:
            raise ValueError(f"{len(self.points)} points are too many to learn while one waits: give at most {MOST}")
        for what, (low, high) in LIMITS.items():
            if not low <= getattr(self, what) <= high:
                raise ValueError(
                    f"{what} {getattr(self, what)!r:.40} is not usable: give a number from {low} to {high}"
                )


class OvertakenError(Exception):
    """There is a newer order: nobody waits for this one."""


def read_order(order: object) -> Order:
    """What came from the browser, which may be anything. Raises ValueError, one sentence, for what cannot be one."""
    said = order if isinstance(order, Mapping) else {}
    return Order(**checked("an order", Order, {field.name: said.get(field.name) for field in fields(Order)}))


def answer(order: object, newest: Newest | None = None) -> Iterator[Message]:
    """A network while it learns, each message with all of its moments so far; or the error, one sentence."""
    newest = newest or Newest()
    message: Message = {**echo(order, "ticket"), "error": None}
    message |= {"moments": [], "done": False}
    try:
        training = as_training(read_order(order))
        for state in told(lambda tell: learn(training, tell, lambda: newest.overtaken(order))):
            yield (message := {**message, "moments": [*message["moments"], state]})
        yield {**message, "done": True}
    except OvertakenError:
        yield {**message, "done": True}
    except (ValueError, FloatingPointError) as error:
        yield {**message, "done": True, "error": f"{error}."}


def as_training(order: Order) -> "KaleidoscopeTraining":
    """What an order asks to learn, as the presets say it. Raises ValueError for points that cannot be learned."""
    from ..presets import preset

    model = {"depth": order.depth, "width": order.width, "output": order.output}
    points = tuple((point,) for point in order.points)
    return preset("kaleidoscope-1d", points=points, steps=order.steps, seed=order.seed, model=model)


def learn(training: "KaleidoscopeTraining", tell: Callable[[Message], None], overtaken: Callable[[], bool]) -> None:
    """Train the network that `kaleidoscopes.training` trains from the same seed, and tell how it is at some moments.

    Raises OvertakenError once nobody waits any more.
    """
    from ..hub import as_images
    from ..models import create
    from ..plot import spread
    from ..seeds import child
    from ..train import fit

    wanted, heard = {*spread(training.steps + 1, MOMENTS)}, list[Any]()

    def objectives(model: Any) -> Any:  # the copy that learns, before it does
        heard.append(model)
        tell(moment(training, model, 0))
        return model.objectives()

    def on_step(step: int, losses: dict[str, float]) -> None:
        if overtaken():
            raise OvertakenError
        if step + 1 in wanted:
            tell({**moment(training, heard[0], step + 1), "loss": losses["identity"]})

    points = as_images(training.points)
    model = create("Manifold", {**training.model, "channels": 1, "size": 1}, seed=child(training.seed, "init"))
    seed = child(training.seed, "fit")
    fit(model, repeat(points), steps=training.steps, objectives=objectives, on_step=on_step, seed=seed)


def moment(training: "KaleidoscopeTraining", model: "Manifold", step: int) -> Message:
    """The network after so many steps: its function, and samples from the start through all their runs."""
    from ..hub import of, stream
    from ..samplers.kaleidoscope import line

    states = islice(stream(of(training, model), range(SAMPLES), start="uniform"), RUNS + 1)
    falls = [_short(state.flatten().tolist()) for state in states]
    return {"step": step, "function": _short(line(model, GRID)[1].tolist()), "falls": falls}


def _short(values: list[float]) -> list[float]:
    return [round(value, 4) for value in values]


def told(work: Callable[[Callable[[Message], None]], None]) -> Iterator[Message]:
    """What a function tells while it works, as a stream; what it raises is raised at the end of it.

    When nobody listens any more, telling raises OvertakenError.
    """
    said: SimpleQueue[Message | None] = SimpleQueue()
    deaf = Event()

    def tell(message: Message) -> None:
        if deaf.is_set():
            raise OvertakenError
        said.put(message)

    with ThreadPoolExecutor(1) as hand:
        done = hand.submit(work, tell)
        done.add_done_callback(lambda _: said.put(None))
        try:
            while (message := said.get()) is not None:
                yield message
        finally:
            deaf.set()
        done.result()


def packed(message: Message) -> Message:
    """The same with each moment as text: a message holds all so far, and on their way thousands of numbers are slow."""
    return {**message, "moments": [json.dumps(moment) for moment in message["moments"]]}


def first_page() -> Message:
    """What there is to see before a network learns."""
    return {"examples": EXAMPLES, "start": {"steps": 1000, "seed": 0}, "limits": LIMITS, "most": MOST}


def playground_figure() -> None:
    """One dimension: place points, choose a network, train it, watch."""
    newest = Newest()

    def on_train(event: gr.EventData) -> Iterator[Message]:
        yield from map(packed, answer(event._data, newest))

    def note(order: object) -> None:
        newest.note(order)

    own = figure(
        first_page(),
        static("playground.html"),
        module("playground", "train"),
        elem_id="playground",
        server_functions=[note],
    )
    own.train(on_train, None, wire(own, "that-are-not-line"), **MODEL)
