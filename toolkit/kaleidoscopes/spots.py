"""Two studies of points: which of four on a line attract, against depth; how scattered ones tame a whole cube.

The first asks of every training point what is said of samples, that they fall onto the data; the second is the paper's:
the largest loss over the corners of the cube, against the number of points and their dimension.
"""

from typing import Any

import torch
from torch import Tensor

from . import landscape
from .presets import preset, scattered
from .sizes import Sizes
from .stored import as_images, of, stream
from .training import last_loss, learn
from .trajectory import kept

FITS = 1e-4  # a loss under which a network has learned its points
SAMPLES, NEAR = 100, 0.02


def on_a_line(depth: int, sizes: Sizes, scale: str) -> dict[str, Any]:
    """Networks of one depth from several seeds: which fit; of those, which points attract, and where samples end.

    attracting, landed: one value per network that fits: the share of points that attract; of samples that end at one.
    """
    training = preset("kaleidoscope-1d-four", scale, model={"depth": depth})
    points, fit, attracting, landed = as_images(training.points), [], [], []
    for seed in range(sizes.point_seeds):
        model, losses = learn(training, points, seed)
        fit.append(last_loss(losses) < FITS)
        if fit[-1]:
            attracting.append(landscape.attracting(model, points).double().mean().item())
            (end,) = kept(stream(of(training, model), range(SAMPLES)), [200])
            landed.append(_near(end, points).double().mean().item())
    return {"depth": depth, "fit": fit, "attracting": attracting, "landed": landed}


def _near(x: Tensor, points: Tensor) -> Tensor:
    return torch.cdist(x.flatten(1), points.flatten(1)).amin(1) < NEAR


def scattered_points(dimension: int, count: int, sizes: Sizes, scale: str) -> dict[str, Any]:
    """The largest loss at a corner of the cube, one value per seed, after learning so many points of it."""
    worst = []
    for seed in range(sizes.seeds):
        training = preset("kaleidoscope-dimension", scale, points=scattered(count, dimension, seed))
        model, _ = learn(training, as_images(training.points), seed)
        worst.append(landscape.worst_corner(model))
    return {"dimension": dimension, "count": count, "worst_corner": worst}
