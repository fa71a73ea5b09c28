"""How far images are from known ones, and from each other, pixel by pixel.

A distance is the root of the mean squared difference over pixels: 0 for a copy, 1 for black against white. Images are
(B, C, H, W), float in [0, 1] or uint8; a reference set may be tens of thousands of uint8 images.
"""

import torch
from torch import Tensor

from .distribution import squared_distances
from .pixels import as_float

SPARE = 16  # how many more than k are shortlisted
FEW = 50  # images whose shortlists are compared at once, in the cache


def nearest(x: Tensor, reference: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """The k nearest of the reference: (B, C, H, W), (N, C, H, W) -> distances (B, k), rows of the reference (B, k).

    Nearest first; of equally near ones the first rows. A matrix product, which rounds, only makes a shortlist; the
    distances within it are exact, so an exact copy is exactly 0 away. Raises ValueError if the images differ in shape
    or the reference has fewer than k.
    """
    if x.shape[1:] != reference.shape[1:]:
        raise ValueError(
            f"images {tuple(x.shape[1:])} cannot be compared with a reference of {tuple(reference.shape[1:])}"
        )
    if not 1 <= k <= len(reference):
        raise ValueError(f"the {k} nearest of {len(reference)} images: give k from 1 to the size of the reference")
    found = [_nearest(part, reference, k) for part in as_float(x).split(1000)]
    return torch.cat([distances for distances, _ in found]), torch.cat([rows for _, rows in found])


def novelty(x: Tensor, reference: Tensor, k: int = 1) -> Tensor:
    """Mean distance to the k nearest images of the reference: (B, C, H, W), (N, C, H, W) -> (B,). 0 for a copy.

    Source: Lehman & Stanley (2011), Abandoning objectives, with pixels as the behaviour. Raises what `nearest` raises.
    """
    return nearest(x, reference, k)[0].mean(1)


def diversity(x: Tensor) -> float:
    """Mean distance between two members of a set (B, C, H, W). 0 if all are equal, or there are fewer than two.

    Takes B squared distances: a few thousand images are quick.
    """
    if len(x) < 2:
        return 0.0
    flat = as_float(x).flatten(1).double()
    total = sum(float(squared_distances(part, flat).sqrt().sum()) for part in flat.split(500))
    return total / (len(x) * (len(x) - 1)) / flat.shape[1] ** 0.5


def blank_share(x: Tensor, threshold: float = 0.5) -> float:
    """The share of images without a pixel above the threshold, 0 to 1. Raises ValueError for an empty set."""
    return (_some(x).flatten(1).amax(1) <= threshold).double().mean().item()


def unique_share(x: Tensor) -> float:
    """The share of distinct images once each value is black or white, cut at 0.5. ValueError for an empty set."""
    rows = (_some(x) > 0.5).flatten(1).numpy()
    return len({row.tobytes() for row in rows}) / len(rows)


def _nearest(x: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    rows = _shortlist(x, reference, min(k + SPARE, len(reference)))  # (B, S), ascending, so that ties go to the first
    parts = zip(rows.split(FEW), x.split(FEW), strict=True)
    exact = torch.cat([_gaps(reference[which.flatten()], part) for which, part in parts])
    distances, order = exact.sort(dim=1, stable=True)
    return distances[:, :k], rows.gather(1, order[:, :k])


def _gaps(known: Tensor, x: Tensor) -> Tensor:
    """How far images are from as many known ones each: (B * S, ...), (B, ...) -> (B, S)."""
    each = as_float(known).unflatten(0, (len(x), len(known) // max(1, len(x))))
    return (each - x[:, None]).square_().flatten(2).mean(2).sqrt()


def _shortlist(x: Tensor, reference: Tensor, count: int, chunk: int = 5000) -> Tensor:
    """The rows of the `count` that look nearest by matrix product: (B, ...), (N, ...) -> (B, count), ascending."""
    near, rows = torch.empty(len(x), 0), torch.empty(len(x), 0, dtype=torch.long)
    flat = x.flatten(1)
    for start in range(0, len(reference), chunk):
        r = as_float(reference[start : start + chunk]).flatten(1)
        squared = torch.addmm(r.square().sum(1), flat, r.T, alpha=-2)  # without |x|^2, the same for every row
        best, at = squared.topk(min(count, len(r)), largest=False)
        near, rows = torch.cat([near, best], 1), torch.cat([rows, at + start], 1)
    return rows.gather(1, near.topk(count, largest=False).indices).sort(1).values


def _some(x: Tensor) -> Tensor:
    if not len(x):
        raise ValueError("an empty set of images has no share of anything: give at least one image")
    return as_float(x)
