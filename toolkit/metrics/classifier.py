"""Measures by a classifier: out-of-class scores, and distances between its features.

A classifier gives every image a probability of each of its classes, (B, K). A generator learned some of them, those "in
class", and never saw the others, "out of class": letters, say, for a generator of digits. The study of 2017 and its
later code (2018) use one name for two definitions more than once. Here each has a name of its own.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.special import entr, xlogy

from .distance import memorisation
from .distribution import likeness, parzen_log_likelihood
from .image import as_float

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
"""What each number of `classifier_measures` says. Of a set, or averaged over its images."""


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

    x: (B, C, H, W), float in [0, 1] or uint8; reference: what `features` gives for real images, (N, d), best as many
    as B. known: the names of the classes that the generator learned; without them, or if the classifier has no others,
    there is no row of in and out of class. training, held_out: real images that the generator learned and did not;
    with both there is memorisation, with the second Parzen windows. batch: images at once.
    Raises ValueError for images of another shape, unknown names, or sets too small to compare (6 images).
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
    """Exp of the mean divergence from the mean prediction: (B, K) -> 1 (all alike) to K (sure, and all classes).

    The inception score of Salimans et al. (2016), section 4, without its splits.
    """
    p = _checked(p)
    return float((xlogy(p, p) - xlogy(p, p.mean(0))).sum(1).mean().exp())


def objectness_renyi(p: Tensor) -> float:
    """`objectness` with Rényi's divergence of order 2: (B, K) -> 1 to K. Never below `objectness`."""
    p = _checked(p)
    mean = p.mean(0)
    return float((p.square() / mean.where(mean > 0, 1.0)).sum(1).log().mean().exp())


def sample_objectness(p: Tensor) -> Tensor:
    """How sure of each image, exp of minus the entropy: (B, K) -> (B,), 1 / K (no idea) to 1 (sure)."""
    return (-entr(_checked(p)).sum(1)).exp().float()


def sample_objectness_renyi(p: Tensor) -> Tensor:
    """`sample_objectness` with Rényi's entropy of order 2, the sum of squares: (B, K) -> (B,), 1 / K to 1."""
    return _checked(p).square().sum(1).float()


def normalised_entropy(p: Tensor) -> Tensor:
    """How unsure of each image: (B, K) -> (B,), 0 (sure) to 1 (no idea)."""
    return (entr(_checked(p)).sum(1) / math.log(p.shape[1])).float()


def object_score(p: Tensor) -> Tensor:
    """1 minus the normalised entropy: (B, K) -> (B,), 0 (no idea) to 1 (sure)."""
    return 1 - normalised_entropy(p)


def count_by_sum(p: Tensor, classes: Sequence[int], threshold: float = 0.9) -> float:
    """The share of images that are surely in one of the classes, whichever: their sum is over the threshold (2018).

    It asks for no decision between them: a classifier of 10 digits and 26 letters may call any noise a letter.
    """
    return _over(_checked(p)[:, _some(classes, p)].sum(1), threshold)


def count_by_max(p: Tensor, classes: Sequence[int], threshold: float = 0.95) -> float:
    """The share of images that are surely one of the classes: the largest is over the threshold.

    The count of 2017, at 0.95; the code of 2018 calls it "max", at 0.9. At most `count_by_sum` at the same threshold.
    """
    return _over(_checked(p)[:, _some(classes, p)].amax(1), threshold)


def mean_max(p: Tensor, classes: Sequence[int]) -> float:
    """The probability of the likeliest of the classes, averaged over the images: the "max" of 2017. 0 to 1."""
    return float(_checked(p)[:, _some(classes, p)].amax(1).mean())


def class_diversity(p: Tensor, classes: Sequence[int] | None = None) -> float:
    """How evenly images fall on classes, each on its likeliest: 0 (all on one) to 1 (equally many on each).

    The entropy of the histogram over its largest value. classes: only these count, as if there were no others.
    """
    columns = list(range(p.shape[1])) if classes is None else _some(classes, p)
    shares = _checked(p)[:, columns].argmax(1).bincount().double() / len(p)
    return float(entr(shares).sum() / math.log(len(columns))) if len(columns) > 1 else 0.0


def out_of_class(p: Tensor, known: Sequence[int]) -> dict[str, float]:
    """Every score of 2017 and 2018 at its own threshold: (B, K) and the classes the generator learned -> name, value.

    Raises ValueError unless some classes are known and some are not.
    """
    sides = {"in_class": list(known), "out_of_class": [k for k in range(p.shape[1]) if k not in known]}
    row = {}
    for side, classes in sides.items():
        row[f"{side}_count_by_sum"] = count_by_sum(p, classes)
        row[f"{side}_count_by_max"] = count_by_max(p, classes)
        row[f"{side}_max_share"] = count_by_max(p, classes, 0.9)
        row[f"{side}_max"] = mean_max(p, classes)
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
