"""Layers of a model: find, change and record them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..config import offer

M = TypeVar("M", bound=nn.Module)


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """The modules without submodules, by name, in the order of their definition."""
    return {name: module for name, module in model.named_modules() if name and not next(module.children(), None)}


def layer(model: nn.Module, which: str | nn.Module) -> nn.Module:
    """A layer by its name, or as itself. Raises ValueError, naming layers, if the model has no such layer."""
    for name, module in model.named_modules():
        if name and (name == which or module is which):
            return module
    wanted = repr(which) if isinstance(which, str) else type(which).__name__
    raise ValueError(f"{type(model).__name__} has no layer {wanted}: {offer(wanted, layers(model))}")


@contextmanager
def dense(model: nn.Module) -> Iterator[None]:
    """Route `forward` of a model with a sparse fast path through its `dense` method while the block lasts.

    The fast path never calls the layers, so that hooks on them would not run. Only this instance is changed.
    """
    own = vars(model)
    outer = {name: value for name, value in own.items() if name == "forward"}  # of a block around this one
    if hasattr(model, "dense"):
        own["forward"] = model.dense
    try:
        yield
    finally:
        own.pop("forward", None)
        own |= outer


@torch.no_grad()
def recorded(model: M, which: str | nn.Module, run: Callable[[M], object]) -> tuple[Tensor, Tensor]:
    """Inputs and outputs of a layer during run(model), (N, ...) each; several calls are concatenated."""
    calls: list[tuple[Tensor, Tensor]] = []

    def record(before: Tensor, after: Tensor) -> None:
        calls.append((before.clone(), after.clone()))  # a ReLU may be in place

    with dense(model), hooked(layer(model, which), record):
        run(model)
    if not calls:
        raise ValueError(f"layer {which!r} was never called: run what passes through it")
    before, after = map(torch.cat, zip(*calls, strict=True))
    return before, after


@contextmanager
def hooked(module: nn.Module, function: Callable[[Tensor, Tensor], Tensor | None]) -> Iterator[None]:
    """While the block lasts, call function(input, output) of a module; unless it gives None, that is its output."""
    handle = module.register_forward_hook(lambda module, inputs, output: function(inputs[0], output))
    try:
        yield
    finally:
        handle.remove()
