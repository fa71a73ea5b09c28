"""Every measure of every image of a set: one row of numbers per image, to be stored, paired by seed and resampled."""

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .collapse import mean_picture_power, originals
from .complexity import components, compressed_size, edge_length, holes, ink, perimetric_complexity
from .judged import Eye, probabilities
from .novelty import novelty
from .out_of_class import columns
from .pixels import as_float, resized
from .strokes import BLANK, stroke_count, stroke_width

Rows = dict[str, NDArray[np.float32]]

PER_IMAGE = (edge_length, perimetric_complexity, compressed_size, holes, components, ink, stroke_count, stroke_width)


def rows(x: Tensor, reference: Tensor, classifier: Eye | None = None, known: Collection[str] = ()) -> Rows:
    """All measures of each image: (B, C, H, W), uint8, and a reference (N, C, H, W) -> {name: float32 (B,)}.

    Beside the measures of drawings: brightest pixel, blank (1 or 0), novelty (distance to the nearest of the
    reference), mean_picture_power and distinct (whose means are those of the set, `collapse`). With a classifier that
    knows some of the learned classes by name: in_class_sum and in_class_max, the probability of all of them together
    and of the likeliest; images are resized to what it takes.
    """
    brightest = as_float(x).flatten(1).amax(1)
    found = {of.__name__: of(x) for of in PER_IMAGE}
    found |= {"brightest": brightest, "blank": (brightest < BLANK).float(), "novelty": novelty(x, reference)}
    found |= {"mean_picture_power": mean_picture_power(x), "distinct": originals(x)}
    if classifier is not None and (learned := columns(classifier.config.classes, known)):
        p = probabilities(classifier, resized(x, classifier.image_shape[-1]))[:, torch.tensor(learned)]
        found |= {"in_class_sum": p.sum(1), "in_class_max": p.amax(1)}
    return {name: values.float().numpy() for name, values in found.items()}
