"""One row of a table: every measure that needs a judge, of one set of images against real ones."""

from collections.abc import Collection
from typing import Any, Protocol

import torch
from torch import Tensor

from .distribution import likeness
from .memorisation import memorisation
from .out_of_class import (
    class_diversity,
    columns,
    normalised_entropy,
    object_score,
    objectness,
    objectness_renyi,
    out_of_class,
    sample_objectness,
    sample_objectness_renyi,
)
from .parzen import parzen_log_likelihood
from .pixels import as_float

JUDGED = {
    "objectness": "how sure the judge is, and of how many classes: 1 (alike to it) to the number of its classes",
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
"""What each number of `judged` says. Of a set, or averaged over its images."""


class Eye(Protocol):
    """A judge: images (B, C, H, W) in [0, 1] -> features (B, d), and probabilities (B, K) of named classes."""

    @property
    def config(self) -> Any: ...  # with the names, `classes`

    @property
    def image_shape(self) -> tuple[int, int, int]: ...

    def parameters(self) -> Any: ...

    def features(self, x: Tensor) -> Tensor: ...

    def probabilities(self, x: Tensor) -> Tensor: ...


def judged(
    x: Tensor,
    judge: Eye,
    reference: Tensor,
    *,
    known: Collection[str] = (),
    training: Tensor | None = None,
    held_out: Tensor | None = None,
    batch: int = 500,
) -> dict[str, float]:
    """Every measure of a set of images that a judge can tell. The keys are those of `JUDGED`, in that order.

    x: (B, C, H, W), float in [0, 1] or uint8; reference: what `features` gives for real images, (N, d), best as many
    as B. known: the names of the classes that the generator learned; without them, or if the judge knows no others,
    there is no row of in and out of class. training, held_out: real images that the generator learned and did not;
    with both there is memorisation, with the second Parzen windows. batch: images at once.
    Raises ValueError for images that the judge cannot see, unknown names, or sets too small to compare (6 images).
    """
    p, seen = probabilities(judge, x, batch), features(judge, x, batch)
    row = {"objectness": objectness(p), "objectness_renyi": objectness_renyi(p), "class_diversity": class_diversity(p)}
    each = (sample_objectness, sample_objectness_renyi, normalised_entropy, object_score)
    row |= {of.__name__: of(p).double().mean().item() for of in each}
    learned = columns(judge.config.classes, known)
    if 0 < len(learned) < p.shape[1]:
        row |= out_of_class(p, learned)
    row |= likeness(seen, reference)
    if held_out is not None:
        row["parzen"] = parzen_log_likelihood(x, held_out).mean().item()
        row |= memorisation(x, training, held_out) if training is not None else {}
    return {name: row[name] for name in JUDGED if name in row}


def features(judge: Eye, x: Tensor, batch: int = 500) -> Tensor:
    """What a judge sees: (B, C, H, W), float in [0, 1] or uint8 -> (B, d), on the CPU."""
    return _look(judge, x, batch, "features")


def probabilities(judge: Eye, x: Tensor, batch: int = 500) -> Tensor:
    """What a judge says of each class: (B, C, H, W), float in [0, 1] or uint8 -> (B, K), on the CPU."""
    return _look(judge, x, batch, "probabilities")


@torch.no_grad()
def _look(judge: Eye, x: Tensor, batch: int, what: str) -> Tensor:
    if tuple(x.shape[1:]) != judge.image_shape or not len(x):
        raise ValueError(f"images {tuple(x.shape)} cannot be seen by this judge: give some of {judge.image_shape}")
    device = next(iter(judge.parameters())).device
    return torch.cat([getattr(judge, what)(as_float(part).to(device)).cpu() for part in x.split(batch)])
