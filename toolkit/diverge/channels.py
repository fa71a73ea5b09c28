"""Copies of a model, and clusters of the channels of its layers."""

from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from ..samplers.layers import recorded

M = TypeVar("M", bound=nn.Module)


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
