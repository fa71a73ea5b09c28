"""Iterated learning: a model learns data and generates those of the next ("Datasets That Are Not", 2022, figure 1).

Every policy of an experiment is a function passed in: `learn(index, model, data)` gives a trained model,
`teach(index, data, model)` the data of the next iteration, `inherit(index, model)` its untrained model.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from . import distributed
from .samplers.generate import Sampling, chunk_for, generate
from .seeds import child
from .train import ConcatImages, Images

M = TypeVar("M")
D = TypeVar("D")


@dataclass(frozen=True)
class Generation(Generic[M, D]):
    """One iteration (from 1): the trained model, the data it was trained on, and those of the next iteration."""

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
    """The loop, whole. Every policy is called with the iteration's index, from which its randomness can follow."""
    for index in range(1, iterations + 1):
        model = learn(index, model, data)
        next_data = teach(index, data, model)
        yield Generation(index, model, data, next_data)
        model, data = inherit(index, model), next_data


Generate = Callable[[int, nn.Module], Tensor]  # index, model -> generated images
Teach = Callable[[int, Any, nn.Module], Any]
Inherit = Callable[[int, nn.Module], nn.Module]
Select = Callable[[int, Tensor], Tensor]  # index, uint8 (N, C, H, W) -> the rows to keep, (n,)


# ---- the data of the next iteration


def accumulate(generate: Generate) -> Teach:
    """The data so far and the generated images, together, without a copy (figures 2 to 5)."""
    return lambda index, data, model: ConcatImages.of(data) + generate(index, model)


def replace_data(generate: Generate) -> Teach:
    """Only the generated images (figure 6)."""
    return lambda index, data, model: generate(index, model)


def teacher_samples(sampling: Sampling, batch: int, seed: int) -> Teach:
    """No data set: fresh samples of the model, frozen (figure 7)."""
    return lambda index, data, model: TeacherSamples(model, sampling, batch, child(seed, "lecture", index))


@dataclass(frozen=True)
class TeacherSamples:
    """Fresh samples of a frozen teacher, batch by batch without end; float (B, C, H, W) in [0, 1].

    Iterating twice gives the same batches. As many are drawn ahead as the device, and each of several processes,
    computes at once.
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
            images = generate(self.teacher, range(start, start + ahead), self.sampling, chunk=chunk).images
            yield from (batch.float() / 255 for batch in images.split(self.batch))
            start += ahead


def filtered(generate: Generate, select: Select) -> Generate:
    """The generated images that are selected (future work of the paper). Where all are, this is `generate`."""

    def chosen(index: int, model: nn.Module) -> Tensor:
        images = generate(index, model)
        return images[select(index, images)]

    return chosen


def select_top(score: Callable[[Tensor], Tensor], share: float) -> Select:
    """Select the share of the images that score highest, in (0, 1], in their order.

    score: uint8 (N, C, H, W) -> (N,). Of equal ones the first; at least one. Raises ValueError outside of that range.
    """
    _check_share(share)

    def select(index: int, images: Tensor) -> Tensor:
        order = score(images).argsort(descending=True, stable=True)
        return order[: max(1, int(share * len(images) + 1e-6))].sort().values

    return select


def subsample(teach: Teach, share: float, seed: int) -> Teach:
    """A random share of what `teach` gives, in (0, 1]; 1 is `teach` itself. Raises ValueError outside that range."""
    _check_share(share)
    if share == 1:
        return teach

    def sampled(index: int, data: Images, model: nn.Module) -> Tensor:
        found = teach(index, data, model)
        generator = torch.Generator().manual_seed(child(seed, "keep", index))
        count = max(1, round(share * len(found)))
        return found[torch.randperm(len(found), generator=generator)[:count].sort().values]

    return sampled


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: give a number over 0 and at most 1")


# ---- the model of the next iteration


def preserve(index: int, model: nn.Module) -> nn.Module:
    """The trained weights go on."""
    return model


def reset(first: nn.Module) -> Inherit:
    """The same initial weights every time."""
    return lambda index, model: first


def fresh(create: Callable[[int], nn.Module]) -> Inherit:
    """New initial weights every time: create(index) makes a model with the same options."""
    return lambda index, model: create(index)
