"""Layers of a model: find, record and copy them, and cluster their channels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from ..samplers.creative import hooked

M = TypeVar("M", bound=nn.Module)


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """The modules without submodules, by name, in the order of their definition."""
    return {name: module for name, module in model.named_modules() if name and not next(module.children(), None)}


def layer(model: nn.Module, which: str | nn.Module) -> nn.Module:
    """A layer by its name, or as itself. Raises ValueError, naming the layers, if the model has no such layer."""
    for name, module in model.named_modules():
        if name and (name == which or module is which):
            return module
    wanted = repr(which) if isinstance(which, str) else type(which).__name__
    raise ValueError(f"{type(model).__name__} has no layer {wanted}: choose one of {', '.join(layers(model))}")


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


def frozen_copy(model: M) -> M:
    """A deep copy, frozen and in eval mode."""
    return deepcopy(model).eval().requires_grad_(False)


def clusters(model: M, layer: str | nn.Module, run: Callable[[M], object], k: int = 5) -> Tensor:
    """Cluster of each channel of a layer: (K,) int64, 0 to k - 1, numbered in the order of their first channel.

    By k-means of the mean maps of channels during run(model), or of the activations of units for each image, centred
    and scaled to length 1. (Network bending as published clusters the bottleneck of a classifier trained per layer.)
    Raises ValueError for an unknown layer, or k outside of 1 to the number of channels.
    """
    _, h = recorded(model, layer, run)
    rows = (h.mean(0) if h.ndim == 4 else h.T).flatten(1).double()
    return k_means(normalize(rows - rows.mean(1, keepdim=True)), k)


def k_means(x: Tensor, k: int, *, seed: int = 0) -> Tensor:
    """Cluster of each row of x, (N, d): (N,) int64, numbered in the order of their first row.

    Lloyd's algorithm from k-means++ (Arthur & Vassilvitskii, 2007), until no row changes its cluster, at most 100
    passes. An empty cluster moves to the row farthest from its centre. Raises ValueError unless 1 <= k <= N.
    """
    if not 1 <= k <= len(x):
        raise ValueError(f"{len(x)} channels in {k} clusters: give a number of clusters from 1 to {len(x)}")
    x = x.double().cpu()
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(x), (), generator=generator))]
    while len(chosen) < k:  # each further centre is drawn in proportion to its squared distance from the nearest one
        far = torch.cdist(x, x[chosen]).amin(1).square()
        if not far.sum() > 0:
            far = torch.ones_like(far)  # fewer different rows than clusters
        far[chosen] = 0
        chosen.append(int(torch.multinomial(far, 1, generator=generator)))
    centres, labels = x[chosen], torch.full((len(x),), -1)
    for _ in range(100):
        distance = torch.cdist(x, centres)
        before, labels = labels, distance.argmin(1)
        if torch.equal(before, labels):
            break
        member = one_hot(labels, k).double()
        count = member.sum(0)
        centres = member.T @ x / count.clamp_min(1)[:, None]
        centres[count == 0] = x[distance.amin(1).topk(int((count == 0).sum())).indices]
    order = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return torch.tensor([order[label] for label in labels.tolist()])
