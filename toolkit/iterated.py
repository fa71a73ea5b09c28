"""Iterated learning: a learner meets its data and becomes a teacher ("Datasets That Are Not", 2022, figure 1).

Every choice of an experiment is a function passed in. `learn(index, model, heard)` gives a new model,
`teach(index, heard, model)` the data of the next learner, `inherit(index, model)` the next learner itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from . import distributed
from .samplers import Sampling, hallucinate
from .samplers.generate import chunk_for
from .seeds import child
from .train import ConcatImages, Images

M = TypeVar("M")
D = TypeVar("D")


@dataclass(frozen=True)
class Generation(Generic[M, D]):
    """One turn of the loop: the learner of this index (from 1), the data it heard, and what it said to the next."""

    index: int
    model: M
    data: D
    next_data: D


def iterated_learning(
    model: M,
    data: D,
    *,
    learn: Callable[[int, M, D], M],
    teach: Callable[[int, D, M], D],
    inherit: Callable[[int, M], M],
    iterations: int,
) -> Iterator[Generation[M, D]]:
    """The loop, whole. Every function hears the index of the iteration, so that its randomness can belong to it."""
    for index in range(1, iterations + 1):
        heard = data
        model = learn(index, model, heard)  # a learner meets its data
        data = teach(index, heard, model)  # and becomes a teacher
        yield Generation(index, model, heard, next_data=data)
        model = inherit(index, model)  # the next learner is born


@dataclass(frozen=True)
class TeacherSamples:
    """Fresh samples of a frozen teacher, batch by batch without end; float (B, C, H, W) in [0, 1].

    Iterating twice gives the same batches. The teacher is a model of its own: `fit` trains a copy of the student.
    As many batches are drawn ahead as the device, and each of several processes, computes at once.
    """

    teacher: nn.Module
    sampling: Sampling
    batch: int = 100
    seed: int = 0

    def __iter__(self) -> Iterator[Tensor]:
        start = child(self.seed, "lectures")
        chunk = self.batch * max(1, chunk_for(next(self.teacher.parameters()).device) // self.batch)
        ahead = chunk * distributed.world()
        while True:
            images = hallucinate(self.teacher, range(start, start + ahead), self.sampling, chunk=chunk).images
            yield from (lesson.float() / 255 for lesson in images.split(self.batch))
            start += ahead


Generate = Callable[[int, nn.Module], Tensor]
Teach = Callable[[int, Any, nn.Module], Any]


def accumulate(say: Generate) -> Teach:
    """What was heard and what is said now, together, without a copy (figures 2 to 5)."""
    return lambda index, heard, model: ConcatImages.of(heard) + say(index, model)


def replace_data(say: Generate) -> Teach:
    """Only what is said now (figure 6)."""
    return lambda index, heard, model: say(index, model)


Select = Callable[[int, Tensor], Tensor]


def filtered(say: Generate, keep: Select) -> Generate:
    """Of the images said only those that are kept, between generating and accumulating (future work of the paper).

    keep(index, images): uint8 (N, C, H, W) -> the rows to keep, (n,). Where all are kept, this is `say`.
    """

    def chosen(index: int, model: nn.Module) -> Tensor:
        images = say(index, model)
        return images[keep(index, images)]

    return chosen


def select_top(score: Callable[[Tensor], Tensor], share: float) -> Select:
    """Select the share of the images that score highest, in (0, 1], in the order in which they were said.

    score: uint8 (N, C, H, W) -> (N,). Of equal ones the first; at least one. Raises ValueError outside of that range.
    """
    check_share(share)

    def keep(index: int, images: Tensor) -> Tensor:
        order = score(images).argsort(descending=True, stable=True)
        return order[: max(1, int(share * len(images) + 1e-6))].sort().values

    return keep


def check_share(share: float) -> None:
    """Raise ValueError unless it is in (0, 1]."""
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: give a number over 0 and at most 1")


def subsample(teach: Teach, share: float, seed: int) -> Teach:
    """A random share of what `teach` gives, in (0, 1]; 1 is `teach` itself. Raises ValueError outside that range."""
    check_share(share)
    if share == 1:
        return teach

    def thinned(index: int, heard: Images, model: nn.Module) -> Tensor:
        data = teach(index, heard, model)
        generator = torch.Generator().manual_seed(child(seed, "keep", index))
        count = max(1, round(share * len(data)))
        return data[torch.randperm(len(data), generator=generator)[:count].sort().values]

    return thinned


def teacher_samples(sampling: Sampling, batch: int, seed: int) -> Teach:
    """No set at all: the next learner hears fresh samples of this one, frozen (figure 7)."""
    return lambda index, heard, model: TeacherSamples(model, sampling, batch, child(seed, "lecture", index))


Inherit = Callable[[int, nn.Module], nn.Module]


def preserve(index: int, model: nn.Module) -> nn.Module:
    """The next learner starts from this one's weights."""
    return model


def reset(first: nn.Module) -> Inherit:
    """Every learner starts from the same initial weights."""
    return lambda index, model: first


def fresh(create: Callable[[int], nn.Module]) -> Inherit:
    """Every learner starts from initial weights of its own: create(index) makes a model with the same options."""
    return lambda index, model: create(index)
