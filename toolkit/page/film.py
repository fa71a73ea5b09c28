"""A film of runs as it crosses to the browser: a spread of the runs, as what changes from one to the next, deflated."""

import base64
import binascii
import math
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING

from . import Message

if TYPE_CHECKING:  # the page itself needs no torch
    from torch import Tensor

    from ..kaleidoscopes.stored import Kaleidoscope

    Step = tuple[Tensor, Tensor]  # the images before and after a run

FRAMES = 81  # of so many runs at most, early ones more densely: each of the first 31 of 300
TOGETHER = (1, 6, 25)  # frames that are sent together: the first ones soon; then always so many as the last says
NEIGHBOURS = 3
SAMPLES = {"mnist": "mnist", "fashion": "fashion", "sample:mnist": "mnist", "sample:fashion": "fashion"}  # built in


def kept(runs: int) -> list[int]:
    """The runs that are frames of the film; 0 is the start."""
    from ..plot import spread

    return spread(runs + 1, FRAMES)


def parts(k: "Kaleidoscope", states: "Iterator[Tensor]", runs: int) -> Iterator[Message]:
    """The frames, some at a time: what changed since the frame before, and what is known of their cells.

    states: the start and the images after each run, (B, C, H, W) in [0, 1]. distinct: how many pictures there are.
    """
    from ..kaleidoscopes.cells import facts
    from ..metrics.attractors import distinct
    from ..samplers import to_bytes

    before, count = None, neighbours(k)
    reference = sample(k.data) if count else None
    for steps in together(frames(states, runs)):
        images = [after for _, after in steps]
        light = [to_bytes(x) for x in images]
        yield {
            "light": packed([light[0] * 0 if before is None else before, *light]),
            "facts": base64.b64encode(facts(steps, reference, count)).decode(),
            "distinct": [distinct(x) for x in images],
        }
        before = light[-1]


def frames(states: "Iterator[Tensor]", runs: int) -> "Iterator[Step]":
    """Of every run that is kept, the images before and after it; the start stands for both."""
    wanted, first = {*kept(runs)}, next(states)
    for run, step in enumerate(pairwise(chain([first, first], islice(states, runs)))):
        if run in wanted:
            yield step


def together(steps: "Iterator[Step]") -> "Iterator[list[Step]]":
    """Frames in parts: few at first, so that there is something to see."""
    for size in chain(TOGETHER, iter(lambda: TOGETHER[-1], None)):
        if not (part := list(islice(steps, size))):
            return
        yield part


def packed(light: "Sequence[Tensor]") -> str:
    """Frames of bytes after the first, as the page unpacks them: what changed since the one before, deflated."""
    changes = b"".join((after - before).numpy().tobytes() for before, after in pairwise(light))
    return base64.b64encode(zlib.compress(changes, 1)).decode()


def neighbours(k: "Kaleidoscope") -> int:
    """How many of the nearest training images are named; 0 where there is no built-in sample of them."""
    return NEIGHBOURS if k.data in SAMPLES and k.model.image_shape == (1, 28, 28) else 0


@lru_cache(maxsize=4)
def sample(data: str) -> "Tensor":
    """The built-in sample of a data set, 1,000 of its training images: float (N, 1, 28, 28) in [0, 1]."""
    from .. import datasets
    from ..metrics.pixels import as_float

    return as_float(datasets.load(f"sample:{SAMPLES[data]}").images)


def veiled(k: "Kaleidoscope", image: str | None, seeds: Sequence[int]) -> "Tensor":
    """A drawing under more and more noise, one per seed: (B, C, H, W); the first eighth starts from it as it is.

    image: a byte a value, in base64. Raises ValueError if it is not of the network's size.
    """
    from ..seeds import Noise

    shape, values = k.model.image_shape, math.prod(k.model.image_shape)
    try:
        data = base64.b64decode(image or "", validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: letters beyond ASCII
        raise ValueError("the drawing is not readable: draw again") from error
    if len(data) != values:
        raise ValueError(f"the drawing has {len(data):,} values and {k.name} takes {values:,}: draw again")
    noise = Noise(seeds).rand(*shape)
    veil = noise.new_tensor([cell * 8 // len(noise) / 10 for cell in range(len(noise))]).view(-1, 1, 1, 1)
    return (noise.new_tensor(list(data)).view(1, *shape) / 255).lerp(noise, veil)
