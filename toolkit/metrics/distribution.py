"""Distances between sets of images in the features of a classifier, and likelihoods.

Every estimate depends on how many images there are, the Fréchet distance most of all: compare sets of one size with one
reference. All is computed in double precision and for all pairs at once: a few thousand images are quick.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .image import as_float, squared_distances

Kernel = Callable[[Tensor, Tensor], Tensor]  # (N, d), (M, d) -> (N, M)


def likeness(x: Tensor, reference: Tensor) -> dict[str, float]:
    """Every measure of this file, of features (N, d) and those of real images (M, d): name, value."""
    precision, recall = precision_recall(x, reference)
    density, coverage = density_coverage(x, reference)
    return {
        "frechet_distance": frechet_distance(x, reference),
        "kernel_distance": kernel_distance(x, reference),
        "gaussian_mmd": gaussian_mmd(x, reference),
        "precision": precision, "recall": recall, "density": density, "coverage": coverage,
    }  # fmt: skip


def frechet_distance(x: Tensor, reference: Tensor) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^1/2) of means and covariances; 0 for equal sets, the square of a distance.

    Heusel et al. (2017), equation 6. The trace of the root is the sum of the singular values of the product of the
    centred features, so that no matrix root is needed and too few images for a full covariance do no harm.
    """
    x, y = _checked(x, reference, 2)
    a, b = _scatter(x), _scatter(y)
    root = torch.linalg.svdvals(a @ b.T).sum()
    distance = (x.mean(0) - y.mean(0)).square().sum() + a.square().sum() + b.square().sum() - 2 * root
    return max(0.0, distance.item())


def kernel_distance(x: Tensor, reference: Tensor) -> float:
    """The unbiased `mmd` with the kernel `polynomial`, as it is widely reported: Binkowski et al. (2018)."""
    return mmd(x, reference, polynomial)


def gaussian_mmd(x: Tensor, reference: Tensor, sigma: float = 1.0) -> float:
    """The biased `mmd` with a Gaussian kernel, as in the code of the out-of-class studies (2018); 0 for equal sets.

    Where features lie much farther apart than sigma it says only how many there are: 1 / N + 1 / M.
    """
    return mmd(x, reference, gaussian(sigma), unbiased=False)


def mmd(x: Tensor, reference: Tensor, kernel: Kernel, unbiased: bool = True) -> float:
    """The square of the maximum mean discrepancy: Gretton et al. (2012), equations 3 (unbiased) and 5 (biased).

    The unbiased estimate leaves out the pairs of an image with itself: its mean is 0 for two samples of one
    distribution, and single values may lie under 0.
    """
    x, y = _checked(x, reference, 2)
    within = _mean(kernel(x, x), unbiased) + _mean(kernel(y, y), unbiased)
    return within - 2 * float(kernel(x, y).mean())


def polynomial(x: Tensor, y: Tensor) -> Tensor:
    """(x . y / d + 1)^3: (N, d), (M, d) -> (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def gaussian(sigma: float) -> Kernel:
    """The kernel exp(-|x - y|^2 / 2 sigma^2)."""
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}: give a width over 0")
    return lambda x, y: (squared_distances(x, y) / (-2 * sigma**2)).exp()


def precision_recall(x: Tensor, reference: Tensor, k: int = 3) -> tuple[float, float]:
    """The share of x that lies among the reference, and the share of the reference that lies among x.

    Among a set lies what is at most as far from one of its members as that member's k-th neighbour within the set.
    Kynkäänniemi et al. (2019), equations 1 and 2. Raises ValueError unless both have more than k members.
    """
    x, y = _checked(x, reference, k + 1, k)
    between = squared_distances(x, y)
    precision = (between <= _radii(y, k)).any(1)
    recall = (between <= _radii(x, k)[:, None]).any(0)
    return precision.double().mean().item(), recall.double().mean().item()


def density_coverage(x: Tensor, reference: Tensor, k: int = 5) -> tuple[float, float]:
    """How many balls of the reference an image of x is in, over k; and the share of those balls that have one in them.

    A ball reaches from a member to its k-th neighbour within the reference, its surface left out, as in the authors'
    code. Of one distribution both are near 1, and density may exceed it; an outlier of the reference, with its wide
    ball, lifts density little where it lifts precision much. Naeem et al. (2020), section 3. Raises ValueError unless
    both have more than k members.
    """
    x, y = _checked(x, reference, k + 1, k)
    inside = squared_distances(x, y) < _radii(y, k)
    return inside.sum(1).double().mean().item() / k, inside.any(0).double().mean().item()


def _scatter(x: Tensor) -> Tensor:
    """A matrix with at most d rows whose product with its transpose, a.T @ a, is the covariance of the rows of x."""
    centred = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r").R if len(x) > x.shape[1] else centred


def _mean(kernel: Tensor, unbiased: bool) -> float:
    """The mean over pairs; unbiased: over those of two different ones."""
    n = len(kernel)
    return float((kernel.sum() - kernel.trace()) / (n * (n - 1)) if unbiased else kernel.mean())


def _radii(x: Tensor, k: int) -> Tensor:
    """The squared distance of each to its k-th neighbour, itself not counted: (N, d) -> (N,)."""
    return squared_distances(x, x).fill_diagonal_(0).kthvalue(k + 1).values


def _checked(x: Tensor, reference: Tensor, least: int, k: int = 1) -> tuple[Tensor, Tensor]:
    """Both in double precision. Raises ValueError for what cannot be compared, or fewer than `least` rows."""
    if x.ndim != 2 or reference.ndim != 2 or x.shape[1] != reference.shape[1]:
        raise ValueError(f"features {tuple(x.shape)} and {tuple(reference.shape)}: give (N, d) and (M, d)")
    if k < 1 or min(len(x), len(reference)) < least:
        raise ValueError(f"features of {len(x)} and {len(reference)} images, k {k}: give at least {max(2, least)} each")
    if not (x.isfinite().all() and reference.isfinite().all()):
        raise ValueError("features have values that are not finite: give those of images in [0, 1]")
    return x.detach().cpu().double(), reference.detach().cpu().double()


SIGMA = 0.23  # of the study of 2017


def parzen_log_likelihood(x: Tensor, reference: Tensor, sigma: float = SIGMA) -> Tensor:
    """Log of the mean of Gaussian densities around images x, at each image of the reference, in nats.

    (B, C, H, W), (N, C, H, W), float in [0, 1] or uint8 -> (N,), float64. A mean over the reference scores a set; at
    most -d log(sigma sqrt(2 pi)) for d values an image, 432 at 28x28.
    The usual score of generators in 2011-2015, after Breuleux, Bengio & Vincent (2011), Quickly generating
    representative samples; the out-of-class study of 2017 found that it prefers models of the training classes. In many
    dimensions it says little (Theis, van den Oord & Bethge, 2016).
    Raises ValueError for an empty set, images that differ in shape, or a width that is not over 0.
    """
    if x.shape[1:] != reference.shape[1:] or not len(x):
        raise ValueError(f"images {tuple(x.shape)} and {tuple(reference.shape)}: give some of one shape")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}: give a width over 0")
    centres = as_float(x).flatten(1).double()
    constant = math.log(len(x)) + centres.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    parts = (as_float(part).flatten(1).double() for part in reference.split(1000))
    exponents = (squared_distances(part, centres) / (-2 * sigma**2) for part in parts)
    return torch.cat([exponent.logsumexp(1) for exponent in exponents]) - constant
