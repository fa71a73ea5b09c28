"""The layers of a model by name, and a model copied, or run as it is defined, so that every layer can be heard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..samplers.activation import hooked

M = TypeVar("M", bound=nn.Module)


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that have no layers inside, by name, in the order of their definition."""
    return {name: module for name, module in model.named_modules() if name and not next(module.children(), None)}


def layer(model: nn.Module, which: str | nn.Module) -> nn.Module:
    """A layer by its name, or as itself. Raises ValueError, naming the layers there are, if the model has none such."""
    for name, module in model.named_modules():
        if name and (name == which or module is which):
            return module
    said = repr(which) if isinstance(which, str) else type(which).__name__
    raise ValueError(f"{type(model).__name__} has no layer {said}: choose one of {', '.join(layers(model))}")


@contextmanager
def dense(model: nn.Module) -> Iterator[None]:
    """While the block lasts, a model that has a fast path computes what `dense` says, layer by layer.

    On a CPU, `forward` of a winner-take-all autoencoder takes the weights of its layers and never calls them, so that
    nothing put on a layer would be heard. The instance alone is diverted, and put back as it was.
    """
    own = vars(model)
    if not hasattr(model, "dense"):
        yield
        return
    before = own.get("forward")
    own["forward"] = model.dense
    try:
        yield
    finally:
        if before is None:
            del own["forward"]
        else:
            own["forward"] = before


@torch.no_grad()
def heard(model: M, which: str | nn.Module, run: Callable[[M], object]) -> tuple[Tensor, Tensor]:
    """What goes into a layer and what comes out while run(model) lasts; several calls are put together, (N, ...)."""
    calls: list[tuple[Tensor, Tensor]] = []

    def hear(before: Tensor, after: Tensor) -> None:
        calls.append((before.clone(), after.clone()))  # a ReLU may be in place

    with dense(model), hooked(layer(model, which), hear):
        run(model)
    if not calls:
        raise ValueError(f"layer {which!r} was never called: run what passes through it")
    before, after = zip(*calls, strict=True)
    return torch.cat(before), torch.cat(after)


def copied(model: M) -> M:
    """The model anew, frozen and in eval mode; the one given is left as it was."""
    return deepcopy(model).eval().requires_grad_(False)
