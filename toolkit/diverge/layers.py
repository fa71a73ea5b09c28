"""The layers of any model: found, listened to, copied; clusters of their units.

The published way trains a small classifier per layer and clusters its bottleneck. For small models the averaged maps
themselves are enough.
"""

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


def clusters(
    model: M, layer: str | nn.Module, run: Callable[[M], object], k: int = 5, *, seed: int = 0, passes: int = 100
) -> Tensor:
    """Which of k clusters each channel of a layer is in: (K,) int64, from 0, in the order of their first channel.

    Channels are compared by their mean map over what passes while run(model) lasts, units of a fully connected layer by
    their activation for each image; both centred and scaled, so that how strong a channel is does not count.
    Raises ValueError for a layer that there is not, or k outside of 1 to the number of channels.
    """
    _, h = heard(model, layer, run)
    rows = (h.mean(0) if h.ndim == 4 else h.T).flatten(1).double()
    rows = rows - rows.mean(1, keepdim=True)
    return k_means(normalize(rows), k, seed=seed, passes=passes)


def k_means(x: Tensor, k: int, *, seed: int = 0, passes: int = 100) -> Tensor:
    """Which of k clusters each row of x, (N, d), is in: (N,) int64, numbered in the order of their first row.

    Lloyd's algorithm from a seeded start, k-means++ (Arthur & Vassilvitskii, 2007), until no row moves. A cluster that
    loses all rows begins anew at the row farthest from its centre. Raises ValueError unless 1 <= k <= N.
    """
    if not 1 <= k <= len(x):
        raise ValueError(f"{len(x)} channels in {k} clusters: give a number of clusters from 1 to {len(x)}")
    x = x.double().cpu()
    centres, labels = _start(x, k, torch.Generator().manual_seed(seed)), torch.full((len(x),), -1)
    for _ in range(passes):
        distance = torch.cdist(x, centres)
        before, labels = labels, distance.argmin(1)
        if torch.equal(before, labels):
            break
        centres = _centres(x, labels, distance)
    return _in_order(labels)


def _start(x: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """The first at random, each further one by the square of its distance from the nearest so far: (k, d)."""
    chosen = [int(torch.randint(len(x), (), generator=generator))]
    while len(chosen) < k:
        far = torch.cdist(x, x[chosen]).amin(1).square()
        if not far.sum() > 0:
            far = torch.ones_like(far)  # fewer different rows than clusters
        far[chosen] = 0
        chosen.append(int(torch.multinomial(far, 1, generator=generator)))
    return x[chosen]


def _centres(x: Tensor, labels: Tensor, distance: Tensor) -> Tensor:
    """The mean of each cluster, (k, d)."""
    member = one_hot(labels, distance.shape[1]).double()
    count = member.sum(0)
    centres = member.T @ x / count.clamp_min(1)[:, None]
    empty = count == 0
    farthest = distance.amin(1).topk(int(empty.sum())).indices
    centres[empty] = x[farthest]
    return centres


def _in_order(labels: Tensor) -> Tensor:
    seen = list(dict.fromkeys(labels.tolist()))
    return torch.tensor([seen.index(label) for label in labels.tolist()])
