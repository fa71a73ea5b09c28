"""Measures by a classifier: out-of-class scores of its probabilities, and distances between sets of its features.

Of the classes of a classifier, (B, K), a generator learned some, those "in class", and never saw the others, "out of
class": letters, say, for a generator of digits. The study of 2017 and its later code (2018) use one name for two
definitions more than once. Here each has a name of its own.

Distances between sets of features depend on how many images there are, the Fréchet distance most of all: compare sets
of one size with one reference. They are computed in double precision and for all pairs at once.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.special import entr, xlogy

from .distance import memorisation, parzen_log_likelihood, squared_distances
from .image import as_float

Kernel = Callable[[Tensor, Tensor], Tensor]  # (N, d), (M, d) -> (N, M)

CLASSIFIER_MEASURES = {
    "objectness": "how sure the classifier is, and of how many classes: 1 (alike to it) to the number of its classes",
    "objectness_renyi": "the same with Rényi's divergence of order 2",
    "sample_objectness": "how sure it is of an image: exp of minus the entropy, 1 is sure",
    "sample_objectness_renyi": "the same with Rényi's entropy of order 2",
    "normalised_entropy": "how unsure it is of an image, from 0 to 1",
    "object_score": "1 minus the normalised entropy",
    "class_diversity": "how evenly images fall on its classes, from 0 (all on one) to 1",
    "in_class_count_by_sum": "share of images of which it is sure (0.9) that they are of some learned class",
    "in_class_count_by_max": "share of images of which it is sure (0.95) which learned class they are",
    "in_class_max_share": "the same at 0.9",
    "in_class_max": "mean probability of the likeliest learned class",
    "in_class_diversity": "how evenly images fall on the learned classes, if only these are asked",
    "out_of_class_count_by_sum": "share of images of which it is sure (0.9) that they are of some class never learned",
    "out_of_class_count_by_max": "share of images of which it is sure (0.95) which class never learned they are",
    "out_of_class_max_share": "the same at 0.9",
    "out_of_class_max": "mean probability of the likeliest class never learned",
    "out_of_class_diversity": "how evenly images fall on the classes never learned, if only these are asked",
    "noise_share_by_sum": "share of images that are counted on neither side, by sum",
    "noise_share_by_max": "share of images that are counted on neither side, by maximum",
    "frechet_distance": "between Gaussians fitted to its features of these and of real images, squared: 0 is alike",
    "kernel_distance": "squared maximum mean discrepancy of its features, cubic kernel, unbiased: 0 is alike",
    "gaussian_mmd": "the same with a Gaussian kernel of width 1, biased",
    "precision": "share of these images that lie among the real ones",
    "recall": "share of the real images that lie among these",
    "density": "how densely real images surround these, 1 as each other",
    "coverage": "share of the real images that have one of these for a neighbour",
    "memorised_share": "share of images nearer to a training image than 99 % of unseen ones are; 0.01 without copying",
    "nearer_share": "how often an image is nearer to the training set than an unseen one is; 0.5 without copying",
    "data_copying": "standard score of that: under -3 surely nearer than unseen images, over 3 surely farther out",
    "authenticity": "share of images farther from the nearest training image than that is from its own nearest",
    "authenticity_held_out": "the same share of unseen images",
    "parzen": "mean log-likelihood of unseen images under Parzen windows of width 0.23 around these, in nats",
}
"""Descriptions of the numbers of `classifier_measures`. Of a set, or averaged over its images."""


class ImageClassifier(Protocol):
    """Images (B, C, H, W) in [0, 1] -> features (B, d), and probabilities (B, K) of named classes."""

    @property
    def config(self) -> Any: ...  # with the names, `classes`

    @property
    def image_shape(self) -> tuple[int, int, int]: ...

    def parameters(self) -> Any: ...

    def features(self, x: Tensor) -> Tensor: ...

    def probabilities(self, x: Tensor) -> Tensor: ...


def classifier_measures(
    x: Tensor,
    classifier: ImageClassifier,
    reference: Tensor,
    *,
    known: Collection[str] = (),
    training: Tensor | None = None,
    held_out: Tensor | None = None,
    batch: int = 500,
) -> dict[str, float]:
    """Every measure of a set of images by a classifier. The keys are those of `CLASSIFIER_MEASURES`, in that order.

    x: (B, C, H, W), float in [0, 1] or uint8; reference: `features` of real images, (N, d), best as many as B. known:
    names of the classes that the generator learned, for the measures in and out of class. training, held_out: real
    images that the generator learned and did not; both for memorisation, the second for Parzen windows. batch: images
    at once. Raises ValueError for images of another shape, unknown names, or sets too small to compare (6 images).
    """
    p, own = probabilities(classifier, x, batch), features(classifier, x, batch)
    row = {"objectness": objectness(p), "objectness_renyi": objectness_renyi(p), "class_diversity": class_diversity(p)}
    each = (sample_objectness, sample_objectness_renyi, normalised_entropy, object_score)
    row |= {of.__name__: of(p).double().mean().item() for of in each}
    learned = columns(classifier.config.classes, known)
    if 0 < len(learned) < p.shape[1]:
        row |= out_of_class(p, learned)
    row |= likeness(own, reference)
    if held_out is not None:
        row["parzen"] = parzen_log_likelihood(x, held_out).mean().item()
        row |= memorisation(x, training, held_out) if training is not None else {}
    return {name: row[name] for name in CLASSIFIER_MEASURES if name in row}


def features(classifier: ImageClassifier, x: Tensor, batch: int = 500) -> Tensor:
    """The features of images (B, C, H, W), float in [0, 1] or uint8 -> (B, d), on the CPU."""
    return _in_batches(classifier, x, batch, "features")


def probabilities(classifier: ImageClassifier, x: Tensor, batch: int = 500) -> Tensor:
    """The probability of each class: (B, C, H, W), float in [0, 1] or uint8 -> (B, K), on the CPU."""
    return _in_batches(classifier, x, batch, "probabilities")


@torch.no_grad()
def _in_batches(classifier: ImageClassifier, x: Tensor, batch: int, what: str) -> Tensor:
    if tuple(x.shape[1:]) != classifier.image_shape or not len(x):
        raise ValueError(f"images {tuple(x.shape)} do not fit this classifier: give some of {classifier.image_shape}")
    device = next(iter(classifier.parameters())).device
    return torch.cat([getattr(classifier, what)(as_float(part).to(device)).cpu() for part in x.split(batch)])


def objectness(p: Tensor) -> float:
    """The inception score (Salimans et al., 2016, section 4) without its splits: (B, K) -> 1 to K.

    Exp of the mean divergence from the mean prediction: K for certain predictions spread over all classes.
    """
    p = _checked(p)
    return float((xlogy(p, p) - xlogy(p, p.mean(0))).sum(1).mean().exp())


def objectness_renyi(p: Tensor) -> float:
    """`objectness` with Rényi's divergence of order 2: (B, K) -> 1 to K. Never below `objectness`."""
    p = _checked(p)
    mean = p.mean(0)
    return float((p.square() / mean.where(mean > 0, 1.0)).sum(1).log().mean().exp())


def sample_objectness(p: Tensor) -> Tensor:
    """Exp of minus the entropy of each prediction: (B, K) -> (B,), 1 / K (uniform) to 1 (certain)."""
    return (-entr(_checked(p)).sum(1)).exp().float()


def sample_objectness_renyi(p: Tensor) -> Tensor:
    """`sample_objectness` with Rényi's entropy of order 2, the sum of squares: (B, K) -> (B,), 1 / K to 1."""
    return _checked(p).square().sum(1).float()


def normalised_entropy(p: Tensor) -> Tensor:
    """The entropy of each prediction over its largest value: (B, K) -> (B,), 0 (certain) to 1 (uniform)."""
    return (entr(_checked(p)).sum(1) / math.log(p.shape[1])).float()


def object_score(p: Tensor) -> Tensor:
    """1 minus the normalised entropy: (B, K) -> (B,), 0 (uniform) to 1 (certain)."""
    return 1 - normalised_entropy(p)


def count_by_sum(p: Tensor, classes: Sequence[int], threshold: float = 0.9) -> float:
    """The share of images for which the summed probability of the classes is over the threshold (2018)."""
    return _over(_checked(p)[:, _some(classes, p)].sum(1), threshold)


def count_by_max(p: Tensor, classes: Sequence[int], threshold: float = 0.95) -> float:
    """The share of images for which the largest probability of the classes is over the threshold.

    The count of 2017, at 0.95; the code of 2018 calls it "max", at 0.9. At most `count_by_sum` at the same threshold.
    """
    return _over(_checked(p)[:, _some(classes, p)].amax(1), threshold)


def class_diversity(p: Tensor, classes: Sequence[int] | None = None) -> float:
    """The normalised entropy of the histogram of predicted classes: 0 (all in one) to 1 (equally many in each).

    classes: those to predict from; None is all.
    """
    columns = list(range(p.shape[1])) if classes is None else _some(classes, p)
    shares = _checked(p)[:, columns].argmax(1).bincount().double() / len(p)
    return float(entr(shares).sum() / math.log(len(columns))) if len(columns) > 1 else 0.0


def out_of_class(p: Tensor, known: Sequence[int]) -> dict[str, float]:
    """Every score of 2017 and 2018 at its own threshold, for known classes: (B, K) -> name, value.

    Raises ValueError unless some classes are known and some are not.
    """
    sides = {"in_class": list(known), "out_of_class": [k for k in range(p.shape[1]) if k not in known]}
    row = {}
    for side, classes in sides.items():
        row[f"{side}_count_by_sum"] = count_by_sum(p, classes)
        row[f"{side}_count_by_max"] = count_by_max(p, classes)
        row[f"{side}_max_share"] = count_by_max(p, classes, 0.9)
        row[f"{side}_max"] = float(_checked(p)[:, _some(classes, p)].amax(1).mean())  # the "max" of 2017
        row[f"{side}_diversity"] = class_diversity(p, classes)
    for how in ("by_sum", "by_max"):
        row[f"noise_share_{how}"] = 1 - row[f"in_class_count_{how}"] - row[f"out_of_class_count_{how}"]
    return row


def columns(classes: Sequence[str], names: Collection[str]) -> list[int]:
    """The indices of these names among a classifier's classes. Raises ValueError for a name that is not there."""
    if unknown := sorted(set(names) - set(classes)):
        raise ValueError(f"the classifier has no class {', '.join(unknown)}: it has {', '.join(classes)}")
    return [at for at, name in enumerate(classes) if name in names]


def _checked(p: Tensor) -> Tensor:
    """The probabilities in double precision. Raises ValueError for what is none."""
    if p.ndim != 2 or not len(p) or p.shape[1] < 2:
        raise ValueError(f"probabilities of shape {tuple(p.shape)}: give (B, K), an image at least, and two classes")
    p = p.detach().cpu().double()
    if not ((p >= 0).all() and (p.sum(1) - 1).abs().max() < 1e-3):
        raise ValueError("these are no probabilities: give values from 0 that add up to 1 for each image")
    return p


def _some(classes: Sequence[int], p: Tensor) -> list[int]:
    if not len(classes) or not all(0 <= k < p.shape[1] for k in classes) or len(set(classes)) < len(classes):
        raise ValueError(f"classes {list(classes)} of a classifier of {p.shape[1]}: give some of its columns once")
    return list(classes)


def _over(x: Tensor, threshold: float) -> float:
    if not 0.5 <= threshold < 1:
        raise ValueError(f"threshold is {threshold}: give one from 0.5 to under 1, so that no image counts twice")
    return float((x > threshold).double().mean())


def likeness(x: Tensor, reference: Tensor) -> dict[str, float]:
    """Every distance between features (N, d) and those of real images (M, d): name, value."""
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
    x, y = _checked_features(x, reference, 2)
    a, b = _scatter(x), _scatter(y)
    root = torch.linalg.svdvals(a @ b.T).sum()
    distance = (x.mean(0) - y.mean(0)).square().sum() + a.square().sum() + b.square().sum() - 2 * root
    return max(0.0, distance.item())


def kernel_distance(x: Tensor, reference: Tensor) -> float:
    """The unbiased `mmd` with the kernel `polynomial`, as it is widely reported: Binkowski et al. (2018)."""
    return mmd(x, reference, polynomial)


def gaussian_mmd(x: Tensor, reference: Tensor, sigma: float = 1.0) -> float:
    """The biased `mmd` with a Gaussian kernel, as in the code of the out-of-class studies (2018); 0 for equal sets.

    Where features lie much farther apart than sigma it is 1 / N + 1 / M.
    """
    return mmd(x, reference, gaussian(sigma), unbiased=False)


def mmd(x: Tensor, reference: Tensor, kernel: Kernel, unbiased: bool = True) -> float:
    """The square of the maximum mean discrepancy: Gretton et al. (2012), equations 3 (unbiased) and 5 (biased).

    The unbiased estimate leaves out the pairs of an image with itself: its mean is 0 for two samples of one
    distribution, and single values may lie under 0.
    """
    x, y = _checked_features(x, reference, 2)
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
    """The shares of x in the manifold of the reference, and of the reference in that of x: k-nearest-neighbour balls.

    Kynkäänniemi et al. (2019), equations 1 and 2. Raises ValueError unless both have more than k members.
    """
    x, y = _checked_features(x, reference, k + 1, k)
    between = squared_distances(x, y)
    precision = (between <= _radii(y, k)).any(1)
    recall = (between <= _radii(x, k)[:, None]).any(0)
    return precision.double().mean().item(), recall.double().mean().item()


def density_coverage(x: Tensor, reference: Tensor, k: int = 5) -> tuple[float, float]:
    """The mean number of open k-nearest-neighbour balls of the reference around x, over k; the share of nonempty balls.

    Of one distribution both are near 1, and density may exceed it; an outlier of the reference, with its wide ball,
    lifts density little where it lifts precision much. Naeem et al. (2020), section 3. Raises ValueError unless both
    have more than k members.
    """
    x, y = _checked_features(x, reference, k + 1, k)
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


def _checked_features(x: Tensor, reference: Tensor, least: int, k: int = 1) -> tuple[Tensor, Tensor]:
    """Both in double precision. Raises ValueError for what cannot be compared, or fewer than `least` rows."""
    if x.ndim != 2 or reference.ndim != 2 or x.shape[1] != reference.shape[1]:
        raise ValueError(f"features {tuple(x.shape)} and {tuple(reference.shape)}: give (N, d) and (M, d)")
    if k < 1 or min(len(x), len(reference)) < least:
        raise ValueError(f"features of {len(x)} and {len(reference)} images, k {k}: give at least {max(2, least)} each")
    if not (x.isfinite().all() and reference.isfinite().all()):
        raise ValueError("features have values that are not finite: give those of images in [0, 1]")
    return x.detach().cpu().double(), reference.detach().cpu().double()
