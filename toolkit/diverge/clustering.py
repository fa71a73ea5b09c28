"""Channels that do alike, found by k-means on what they do: the clusters of network bending.

The published way trains a small classifier per layer and clusters its bottleneck. For small models the averaged maps
themselves are enough.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from .model_layers import heard

M = TypeVar("M", bound=nn.Module)


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
