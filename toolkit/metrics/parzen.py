"""Parzen windows: how likely real images are if every generated one is the middle of a Gaussian cloud.

The usual score of generators in 2011-2015, here because the out-of-class study of 2017 found that it prefers models of
the training classes. In many dimensions it says little (Theis, van den Oord & Bethge, 2016): with
sigma 0.23 the noise explains more of a 28x28 image than any cloud does.
"""

import math

import torch
from torch import Tensor

from .distribution import squared_distances
from .pixels import as_float

SIGMA = 0.23  # of the study of 2017


def parzen_log_likelihood(x: Tensor, reference: Tensor, sigma: float = SIGMA) -> Tensor:
    """Log of the mean of Gaussian densities around images x, at each image of the reference, in nats.

    (B, C, H, W), (N, C, H, W), float in [0, 1] or uint8 -> (N,), float64. A mean over the reference scores a set; at
    most -d log(sigma sqrt(2 pi)) for d values an image, 432 at 28x28.
    After Breuleux, Bengio & Vincent (2011), Quickly generating representative samples.
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
