"""What a learner yields: the model as it was after some of the steps, so that divergence can be scrubbed through.

A learner is a generator, `learner(model, ..., kept, seed=...) -> Iterator[Snapshot]`. The model given stays as it was,
to the bit; whatever lowers a loss goes through `fit`; which steps are kept does not alter what is learned.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..train import Batch, Objective, constant, fit
from .layers import copied

M = TypeVar("M", bound=nn.Module)
OnStep = Callable[[int, dict[str, float]], None]  # the step, from 0, and the losses


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model after so many steps, frozen and in eval mode, and the losses of the last of them; none after 0 steps."""

    step: int
    model: nn.Module
    losses: dict[str, float]


@dataclass(frozen=True)
class Codes:
    """Batches for learning without images: codes (B, *shape), standard normal, the same whenever it is iterated."""

    shape: tuple[int, ...]
    batch: int = 64
    seed: int = 0

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            yield torch.randn(self.batch, *self.shape, generator=generator)


def silent(step: int, losses: dict[str, float]) -> None:
    """An `on_step` that nobody hears."""


def learn(
    model: M,
    batches: Iterable[Batch],
    kept: Sequence[int],
    *,
    objectives: Callable[[M], Mapping[str, Objective]] = lambda model: model.objectives(),  # type: ignore[operator]
    shown: Callable[[M], nn.Module] = lambda model: model,
    on_step: OnStep = silent,
    decay: Callable[[float], float] = constant,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """The model after so many steps of one `fit`: kept steps, rising, of which 0 is the model as it was given.

    Training runs whole when the first snapshot is asked for, for nothing that it sets (random numbers, modes) may leak
    to the reader; what is kept waits in memory. objectives: of the copy that is trained. shown: the part of it that a
    snapshot is of. Snapshots end early if the batches do.
    Raises ValueError for steps that do not rise, and FloatingPointError as `fit` does.
    """
    check(kept)
    awake: list[M] = []
    found = [Snapshot(0, copied(shown(model)), {})] if kept[0] == 0 else []

    def woken(model: M) -> Mapping[str, Objective]:
        awake.append(model)
        return objectives(model)

    def keep(step: int, losses: dict[str, float]) -> None:
        if step + 1 in kept:
            found.append(Snapshot(step + 1, copied(shown(awake[0])), losses))
        on_step(step, losses)

    fit(model, batches, steps=kept[-1], objectives=woken, on_step=keep, decay=decay, every=1, seed=seed)
    yield from found


def check(kept: Sequence[int]) -> None:
    """Raise ValueError unless the steps to keep are some, from 0, and rise."""
    if not kept or kept[0] < 0 or sorted(set(kept)) != [*kept]:
        raise ValueError(f"kept is {list(kept)}: give the steps to keep in rising order, such as 0, 25, 50, 100")


@contextmanager
def still(model: Any) -> Iterator[None]:
    """While the block lasts, a model is as at rest: what its loss sees of it is what it will draw.

    `fit` wakes a model: batch normalisation then takes the statistics of the batch, and moves its own. Within this
    block, around the loss, they stay, so that a picture never depends on its batch, and a rate of 0 changes nothing.
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
