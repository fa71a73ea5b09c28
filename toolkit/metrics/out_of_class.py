"""How sure a judge is of images, and of which classes: the scores of "Out-of-class novelty generation" (2017).

A judge gives every image a probability of each of its classes, (B, K). A generator learned some of them, those "in
class"; it never saw the others, "out of class": a model of digits, say, before a judge that knows letters too. The
study and its later code (2018) use one name for two definitions more than once. Here each has a name of its own.
"""

import math
from collections.abc import Collection, Sequence

from torch import Tensor
from torch.special import entr, xlogy

THRESHOLDS = (0.85, 0.9, 0.95, 0.98, 0.99, 0.999)  # those of 2017; it reports 0.95, and the code of 2018 has 0.9


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

    It asks for no decision between them: a judge of 10 digits and 26 letters may call any noise a letter.
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

    The entropy of the histogram over its largest value. classes: only these are asked, as of a judge that knows no
    others; None asks all.
    """
    columns = list(range(p.shape[1])) if classes is None else _some(classes, p)
    shares = _checked(p)[:, columns].argmax(1).bincount().double() / len(p)
    return float(entr(shares).sum() / math.log(len(columns))) if len(columns) > 1 else 0.0


def with_diversity(score: float, diversity: float, weight: float = 0.5) -> float:
    """A score and the diversity of the images as one: the first weighs 0.5, 0.8 or 0.9 in the study of 2017."""
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is {weight}: give a number from 0 to 1")
    return weight * score + (1 - weight) * diversity


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
    """Where a judge has these classes, in its own order. Raises ValueError for a name that it does not have."""
    if unknown := sorted(set(names) - set(classes)):
        raise ValueError(f"the judge has no class {', '.join(unknown)}: it has {', '.join(classes)}")
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
        raise ValueError(f"classes {list(classes)} of a judge of {p.shape[1]}: give some of its columns, each once")
    return list(classes)


def _over(x: Tensor, threshold: float) -> float:
    if not 0.5 <= threshold < 1:
        raise ValueError(f"threshold is {threshold}: give one from 0.5 to under 1, so that no image counts twice")
    return float((x > threshold).double().mean())
