"""Whether `fit` is slower than the loop one writes by hand: a step of every other kind of model, either way."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..models import Judge, Lessons, create
from ..train import Shuffled, fit
from . import plain
from .plan import Plan, Subject
from .timing import Entry, alternate, clock_of


def every(subject: Subject) -> dict[str, Entry]:
    """One entry for each of the plan's other models."""
    return {name: one(subject, name, *sizes) for name, sizes in subject.plan.others.items()}


def one(subject: Subject, name: str, options: dict[str, Any], batch: int) -> Entry:
    """A step of the loop written by hand, in float32, against a step of `fit`."""
    model = create(name, options, seed=subject.plan.seed).to(subject.plan.device)
    return compare(model, lessons(model, subject.images, batch), subject.plan)


def compare(model: nn.Module, batches: Iterable[Any], plan: Plan) -> Entry:
    """The same model on the same batches, by either loop."""

    def by_hand() -> None:
        awake = deepcopy(model).to(memory_format=torch.contiguous_format)
        awake.train().requires_grad_(True)
        plain.train_objectives(awake.objectives(), batches, plan.steps, plan.device)  # type: ignore[operator]

    pair = alternate(
        by_hand, lambda: fit(model, batches, steps=plan.steps), runs=plan.runs, clock=clock_of(plan.device)
    )
    return pair.scaled(1 / plan.steps, 1 / plan.steps).speedup(steps_in_a_run=plan.steps)


def lessons(model: nn.Module, images: Tensor, batch: int) -> Iterable[Any]:
    """The images at the model's size, in batches; for a judge with names, any names."""
    channels, *size = model.image_shape  # type: ignore[misc]
    fitted = interpolate(images.float(), size).byte().expand(-1, channels, -1, -1)
    return (
        Lessons(fitted, torch.arange(len(fitted)) % 10, batch=batch)
        if isinstance(model, Judge)
        else Shuffled(fitted, batch)
    )
