"""One training loop for every model: lower each objective in turn, batch by batch."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from . import precision
from .objective import Objective

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Shuffled:
    """A data set as endless shuffled batches; iterating twice gives the same order.

    images: uint8 (N, C, H, W). Yields float32 (B, C, H, W) in [0, 1]; the last batch of an epoch may be smaller.
    """

    images: Tensor
    batch: int = 100
    seed: int = 0

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            for rows in torch.randperm(len(self.images), generator=generator).split(self.batch):
                yield self.images[rows].float() / 255

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.images) // self.batch)


@contextmanager
def training(model: nn.Module) -> Iterator[nn.Module]:
    """Put every submodule in training mode, and give each its own mode back, also after an error."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield model.train()
    finally:
        for module, mode in modes:
            module.training = mode


def constant(progress: float) -> float:
    """No decay of the learning rate."""
    return 1.0


def linear(progress: float) -> float:
    """A learning rate that falls to zero in a straight line."""
    return 1.0 - progress


DECAY = {"constant": constant, "linear": linear}


def fit(
    model: M,
    batches: Iterable[Tensor],
    *,
    steps: int,
    objectives: Callable[[M], Mapping[str, Objective]] = lambda model: model.objectives(),  # type: ignore[operator]
    on_step: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
    decay: Callable[[float], float] = constant,
) -> M:
    """A trained copy of the model, frozen and in eval mode. The model given is left as it was.

    batches: images (B, C, H, W) in [0, 1]; on_step hears the step (from 0) and each objective's loss.
    decay: how much of each objective's learning rate is left at a progress from 0 to 1.
    Training ends early if the batches do. Raises FloatingPointError as soon as a loss is not finite.
    """
    model = deepcopy(model)
    device = next(model.parameters()).device
    optimisers = {
        name: _awaken(objective, lambda step: decay(step / max(1, steps)))
        for name, objective in objectives(model).items()
    }
    with training(model):
        for step, x in zip(range(steps), batches, strict=False):
            x = x.to(device)
            on_step(step, {name: _lower(*pair, x, name, step) for name, pair in optimisers.items()})
    model.zero_grad()
    return model.eval().requires_grad_(False)


Trainer = tuple[Objective, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]


def _awaken(objective: Objective, factor: Callable[[int], float]) -> Trainer:
    for parameter in objective.params:
        parameter.requires_grad_(True)  # these may move, and nothing else
    optimiser = torch.optim.Adam(objective.params, objective.lr, objective.betas)
    return objective, optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _lower(
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    x: Tensor,
    name: str,
    step: int,
) -> float:
    optimiser.zero_grad()
    with precision.fast(x.device):
        loss = objective.loss(x)
    value: float = loss.item()
    if not math.isfinite(value):
        raise FloatingPointError(f"the {name} loss became {value} at step {step}: lower the learning rate")
    loss.backward()
    optimiser.step()
    schedule.step()
    return value
