"""Whether images are copies of what a generator learned: nearer to the training set than unseen images are.

A small distance to the nearest training image is no copy as such: simple images are near everything. What unseen images
of the same kind have for theirs is what to compare with. Distances are those of `novelty`, over pixels.
"""

from math import sqrt

import torch
from torch import Tensor

from .novelty import nearest


def memorisation(x: Tensor, training: Tensor, held_out: Tensor) -> dict[str, float]:
    """Every measure of this file: images (B, C, H, W), those learned (N, ...), those kept back (M, ...) -> name, value.

    Float in [0, 1] or uint8. Raises what `nearest` raises, and ValueError for an empty set or one training image.
    """
    near, unseen = _distances(x, training), _distances(held_out, training)
    return {
        "memorised_share": memorised_share(near, unseen),
        "nearer_share": nearer_share(near, unseen),
        "data_copying": data_copying(near, unseen),
        "authenticity": authenticity(x, training),
        "authenticity_held_out": authenticity(held_out, training),
    }


def memorised_share(x: Tensor, held_out: Tensor, quantile: float = 0.01) -> float:
    """The share of images nearer to the training set than all but that share of unseen ones. As theirs: no copying.

    x: (B,), held_out: (M,), distances to the nearest training image. Raises ValueError for none, or another quantile.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile is {quantile}: give a share from 0 to 1")
    x, held_out = _some(x, held_out)
    return (x < held_out.quantile(quantile)).double().mean().item()


def nearer_share(x: Tensor, held_out: Tensor) -> float:
    """How often an image is nearer to the training set than an unseen one: 0.5 if as near, 1 if all are copies.

    Over all pairs, a tie counting half. x: (B,), held_out: (M,), distances to the nearest training image.
    """
    x, held_out = _some(x, held_out)
    return 1 - _wins(x, held_out) / (len(x) * len(held_out))


def data_copying(x: Tensor, held_out: Tensor) -> float:
    """The same as a test: under -3 surely nearer than unseen images, over 3 surely farther out.

    Nearer are copies, and also images simpler than the real ones, blank ones above all, which `memorised_share` does
    not take for copies. The standard score of the Mann-Whitney statistic, corrected for ties; 0 if all distances are
    equal. Meehan, Chaudhuri & Dasgupta (2020), A three sample hypothesis test, with all of the space as one cell.
    """
    x, held_out = _some(x, held_out)
    pairs, both = len(x) * len(held_out), len(x) + len(held_out)
    ties = torch.cat([x, held_out]).unique(return_counts=True)[1].double()
    spread = pairs / 12 * (both + 1 - float((ties**3 - ties).sum()) / (both * (both - 1)))
    return (_wins(x, held_out) - pairs / 2) / sqrt(spread) if spread > 1e-9 * pairs else 0.0


def authenticity(x: Tensor, training: Tensor) -> float:
    """The share of images that are farther from their nearest training image than that one is from its own nearest.

    0 for copies. Unseen images of the same kind have a half or more, and theirs is what to compare with. Alaa et al.
    (2022), How faithful is your synthetic data? (B, C, H, W), (N, C, H, W).
    """
    if not len(x):
        raise ValueError("an empty set of images has no share of anything: give at least one image")
    distances, rows = nearest(x, training)
    between = nearest(training[rows[:, 0]], training, k=2)[0][:, 1]  # the first is the image itself
    return (distances[:, 0] > between).double().mean().item()


def _distances(x: Tensor, training: Tensor) -> Tensor:
    return nearest(x, training)[0][:, 0] if len(x) else torch.empty(0)


def _wins(x: Tensor, held_out: Tensor) -> float:
    """In how many pairs the image is farther than the unseen one; a tie counts half."""
    ordered = held_out.sort().values
    return float((torch.searchsorted(ordered, x) + torch.searchsorted(ordered, x, right=True)).sum()) / 2


def _some(x: Tensor, held_out: Tensor) -> tuple[Tensor, Tensor]:
    if x.ndim != 1 or held_out.ndim != 1 or not min(len(x), len(held_out)):
        raise ValueError(f"distances {tuple(x.shape)} and {tuple(held_out.shape)}: give (B,) and (M,), one or more")
    return x.detach().cpu().double(), held_out.detach().cpu().double()
