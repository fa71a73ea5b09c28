"""Rows of measures: of a set of images, every measure's mean; of each image, every measure."""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .classifier import ImageClassifier, columns, probabilities
from .distance import blank_share, diversity, mean_picture_power, novelty, originals, unique_share
from .image import (
    BLANK,
    as_float,
    components,
    compressed_size,
    edge_length,
    holes,
    ink,
    perimetric_complexity,
    resized,
    stroke_count,
    stroke_width,
)
from .stats import MEASURES

PER_IMAGE = {
    measure.__name__: measure
    for measure in (ink, edge_length, compressed_size, perimetric_complexity, components, holes)
}  # fmt: skip


def measure(
    x: Tensor | NDArray[Any], reference: Tensor | NDArray[Any], passes: Tensor | None = None
) -> dict[str, float]:
    """One row of the table: every measure of a set of images, averaged over the set. The keys are those of `MEASURES`.

    x: (B, C, H, W), float in [0, 1] or uint8, as a tensor or array; reference: (N, C, H, W), the same. passes: (B,),
    how many each image took to settle; without it the row has no "passes". Raises ValueError for an empty set, or
    images that differ in shape.
    """
    x, reference = torch.as_tensor(x), torch.as_tensor(reference)
    row = {"blank_share": blank_share(x), "unique_share": unique_share(x), "diversity": diversity(x)}
    row |= {name: function(x).mean().item() for name, function in PER_IMAGE.items()}
    distance = novelty(x, reference)
    row |= {"novelty_median": distance.quantile(0.5).item(), "novelty_mean": distance.mean().item()}
    if passes is not None:
        row["passes"] = passes.double().mean().item()
    return {name: row[name] for name in MEASURES if name in row}


Rows = dict[str, NDArray[np.float32]]

OF_EACH_IMAGE = (
    edge_length, perimetric_complexity, compressed_size, holes, components, ink, stroke_count, stroke_width
)  # fmt: skip


def rows(x: Tensor, reference: Tensor, classifier: ImageClassifier | None = None, known: Collection[str] = ()) -> Rows:
    """All measures of each image: (B, C, H, W), uint8, and a reference (N, C, H, W) -> {name: float32 (B,)}.

    Beside the measures of drawings: brightest pixel, blank (1 or 0), novelty (distance to the nearest of the
    reference), mean_picture_power and distinct (whose means are those of the set). With a classifier that has some
    known classes: in_class_sum and in_class_max, their summed and largest probability; images are resized for it.
    """
    brightest = as_float(x).flatten(1).amax(1)
    found = {of.__name__: of(x) for of in OF_EACH_IMAGE}
    found |= {"brightest": brightest, "blank": (brightest < BLANK).float(), "novelty": novelty(x, reference)}
    found |= {"mean_picture_power": mean_picture_power(x), "distinct": originals(x)}
    if classifier is not None and (learned := columns(classifier.config.classes, known)):
        p = probabilities(classifier, resized(x, classifier.image_shape[-1]))[:, torch.tensor(learned)]
        found |= {"in_class_sum": p.sum(1), "in_class_max": p.amax(1)}
    return {name: values.float().numpy() for name, values in found.items()}
