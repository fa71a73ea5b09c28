"""What a network's samples look like, as a picture or a film: pictures as they are, points on their manifold."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .. import plot
from . import ink, profile, sequence, surface
from .stored import Kaleidoscope, stream

if TYPE_CHECKING:
    from PIL.Image import Image

SCALE = 4  # pixels per pixel
POINTS = 10  # samples on a manifold, as published


def sheet(k: Kaleidoscope) -> bytes:
    """The sheet that is stored with a network, as PNG."""
    if k.points is None:
        return sequence.tiles(k)
    return ink.png(landscape(k, list(islice(stream(k, range(POINTS)), k.runs + 1))))


def landscape(k: Kaleidoscope, states: Sequence[Tensor], on: surface.Ground | None = None) -> Any:
    """Samples on the manifold of a network of points, as a figure. states: from the start to the present run.

    Of more than two coordinates the first two are shown. on: `ground`, if it is there. Raises ValueError for a network
    of pictures.
    """
    if k.points is None:
        raise ValueError(f"{k.name} learned pictures: it has no landscape to draw, make a sheet")
    run, dimension = len(states) - 1, k.points.shape[1]
    if dimension == 1:
        return profile.figure(k.model, k.points, states[0], states[-1], run, k.title)
    if dimension == 2:
        return surface.figure(k.points, states, run, k.title, on or surface.ground(k.model, k.points))
    return surface.shadow(k.points, states, run, k.title)


def drawn(k: Kaleidoscope, states: Iterable[Tensor], every: int = 1) -> "Iterator[Image]":
    """The frames of a film: the start, and the samples after every so many runs."""
    if k.points is None:
        for state in islice(states, 0, None, every):
            yield plot.grid(state.cpu(), scale=SCALE)
        return
    on = surface.ground(k.model, k.points) if k.points.shape[1] == 2 else None
    seen: list[Tensor] = []
    for number, state in enumerate(states):
        seen.append(state)
        if number % every == 0:
            yield ink.picture(landscape(k, seen, on))


def still(k: Kaleidoscope, states: Sequence[Tensor], every: int | None = None) -> "Image":
    """One picture: the samples after the last run; or, with `every`, one row per sample and a column per state."""
    if k.points is not None:
        picture: Image = ink.picture(landscape(k, states))
        return picture
    if every is None:
        return plot.grid(states[-1].cpu(), scale=SCALE)
    return plot.strip([state.cpu() for state in states[::every]], scale=SCALE // 2, gap=1)
