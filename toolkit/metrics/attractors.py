"""Where iterated images end up: which stand still, how many different pictures are left, who moves to which class.

Distances are the roots of mean squared differences over pixels, as in `novelty`: 0 for a copy, 1 for black against
white. Images are (B, C, H, W), float in [0, 1] or uint8.
"""

import torch
from torch import Tensor

from .distribution import squared_distances
from .pixels import as_float

STILL = 0.01  # an image stands still if a run moves it by less
SAME = 0.1  # two images closer than this are one picture; digits of different writers are 0.2 to 0.4 apart


def movement(before: Tensor, after: Tensor) -> Tensor:
    """How far each image moved: (B, C, H, W) twice -> (B,). Raises ValueError for sets that differ in shape."""
    if before.shape != after.shape:
        raise ValueError(
            f"images {tuple(before.shape)} and {tuple(after.shape)} are not one set at two times: give the same shape"
        )
    return (as_float(after) - as_float(before)).flatten(1).square().mean(1).sqrt()


def standing_still(before: Tensor, after: Tensor, tol: float = STILL) -> Tensor:
    """Which images moved by less than tol, a copy always: (B, C, H, W) twice -> bool (B,)."""
    moved = movement(before, after)
    return (moved < tol) | (moved == 0)


@torch.no_grad()
def linked(x: Tensor, tol: float = SAME) -> Tensor:
    """Which picture each image is, numbered from 0 by first appearance: (B, C, H, W) -> (B,), int64.

    Two images are one picture if steps of at most tol lead from one to the other over images of the set (single
    linkage). The numbers do not depend on the order but by name. Takes B squared distances.
    """
    flat = as_float(x).flatten(1)
    near = squared_distances(flat.double(), flat.double()) <= tol**2 * flat.shape[1]
    labels = torch.arange(len(flat))
    while len(flat):
        lowest = torch.where(near, labels, len(flat)).amin(1)
        lowest = lowest[lowest]  # the neighbour's neighbour at once: a chain is short
        if torch.equal(lowest, labels):
            break
        labels = lowest
    return labels.unique(return_inverse=True)[1]


def distinct(x: Tensor, tol: float = SAME) -> int:
    """How many different pictures there are: (B, C, H, W) -> 0 to B."""
    return len(linked(x, tol).unique())


def effective(x: Tensor, tol: float = SAME) -> float:
    """How many pictures there would be, were all equally frequent, as surprising: exp of the entropy of their shares.

    (B, C, H, W) -> 1 to `distinct`; 0 for an empty set.
    """
    shares = linked(x, tol).bincount().double() / max(1, len(x))
    return float((-shares * shares.log()).sum().exp()) if len(x) else 0.0


def flow(before: Tensor, after: Tensor, classes: int) -> Tensor:
    """How many samples went from each class to each: labels (B,) twice -> counts (classes, classes), int64.

    Rows are the classes before, columns those after. Raises ValueError for labels outside of 0 to classes - 1.
    """
    if before.shape != after.shape:
        raise ValueError(f"{len(before)} labels before and {len(after)} after: give one per sample, twice")
    for labels in (before, after):
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(f"labels from {labels.min()} to {labels.max()} are not in 0 to {classes - 1}")
    return (before.long() * classes + after.long()).bincount(minlength=classes**2).view(classes, classes)
