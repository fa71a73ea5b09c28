"""Whether a set of images has collapsed to few pictures. Images (B, C, H, W) in [0, 1] or uint8 -> (B,).

Both measures are one number per image whose mean is that of the set, so that their rows can be stored and resampled.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from .attractors import SAME
from .pixels import as_float

BLUR = 1.0  # pixels: lines that lie this near to each other count as the same line
SHIFT = 2  # pixels, in each direction


def mean_picture_power(x: Tensor) -> Tensor:
    """What the mean picture explains of the power of a blurred set: (B, C, H, W) -> (B,), whose mean is the share.

    The share |mean|^2 / mean |x|^2 is 1 if all images are equal and 1 / B if no two overlap; one image contributes its
    product with the mean picture over the mean power. A set that is all black is one picture: 1. Digits have some 0.55.
    """
    flat = _blurred(as_float(x).mean(1)).flatten(1).double()
    power = flat.square().sum(1).mean()
    return (flat @ flat.mean(0) / power).float() if power > 0 else torch.ones(len(x))


def originals(x: Tensor, same: float = SAME, shift: int = SHIFT) -> Tensor:
    """Which images are no copies of one before them: (B, C, H, W) -> (B,), 1 or 0; the mean is `distinct_share`.

    A copy lies within `same`, root mean square over pixels, of an earlier image that is moved by up to `shift` pixels
    either way. Takes B squared products for each move: a thousand images take a second or two.
    """
    plain = as_float(x).mean(1)
    height, width = plain.shape[1:]
    flat = plain.flatten(1)
    norms, nearest = flat.square().sum(1), torch.full((len(x), len(x)), torch.inf)
    wide = pad(plain, (shift,) * 4)
    for down in range(2 * shift + 1):
        for across in range(2 * shift + 1):
            moved = wide[:, down : down + height, across : across + width].flatten(1)
            squared = torch.addmm(norms[:, None] + moved.square().sum(1), flat, moved.T, alpha=-2)
            nearest = torch.minimum(nearest, squared)
    copies = (nearest < same**2 * flat.shape[1]).tril(-1)
    return 1 - copies.any(1).float()


def distinct_share(x: Tensor, same: float = SAME, shift: int = SHIFT) -> float:
    """The share of images that are no copy of one before them, small moves allowed: `originals`. 1 / B to 1."""
    return float(originals(x, same, shift).mean())


def _blurred(grey: Tensor) -> Tensor:
    """Convolved with a Gaussian, the outside black: (B, H, W) -> same."""
    reach = round(3 * BLUR)
    weights = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * BLUR**2))
    weights = weights / weights.sum()
    across = conv2d(grey[:, None], weights.view(1, 1, 1, -1), padding=(0, reach))
    return conv2d(across, weights.view(1, 1, -1, 1), padding=(reach, 0))[:, 0]
