"""What a pass may do beside reconstructing, as options of "Digits That Are Not" (2016): to black and white, with noise.

All are per image: none depends on the others in its batch.
"""

from zlib import crc32

import torch
from torch import Tensor

from ..seeds import Noise, child
from .iterate import Disturb, Step


def moving_threshold(x: Tensor, ink: float) -> Tensor:
    """To black and white, by a threshold of each image's own that leaves a share of ink: (B, C, H, W) -> same, 0 or 1.

    White are the `ink` share of the values, at least one, that are brighter than the next brightest; where many are
    equal, as in a flat image, fewer are. The published share is 0.13 for digits. Raises ValueError unless ink is a
    share, over 0 and under 1.
    """
    _check("ink", ink)
    flat = x.flatten(1)
    if not flat.numel():
        return x
    count = min(max(1, round(ink * flat.shape[1])), flat.shape[1] - 1)
    threshold = flat.kthvalue(flat.shape[1] - count).values if count else flat.new_full((len(flat),), torch.inf)
    return (x > threshold[:, None, None, None]).to(x.dtype)


def inked(step: Step, ink: float) -> Step:
    """The step, and after it the moving threshold."""
    return lambda x: moving_threshold(step(x), ink)


def salt_and_pepper(x: Tensor, share: float, noise: Noise) -> Tensor:
    """Make a share of the values black or white, which and how by chance: (B, C, H, W) -> same; 0 changes nothing."""
    u = noise.rand(*x.shape[1:]).to(x.device)
    return torch.where(u < share, (u < share / 2).to(x.dtype), x)


def salted(starts: Tensor, share: float) -> Disturb:
    """Salt and pepper on each image before each pass, for `settle` and its like; a share of the values, under 1.

    What is drawn belongs to the image and the pass: a generator of its own, seeded by the bytes of the start that the
    image grew from, (B, C, H, W), so that the same start is disturbed the same in any batch. Raises ValueError.
    """
    _check("salt", share)
    keys = [crc32(start.numpy().tobytes()) for start in starts.detach().cpu().contiguous()]

    def disturb(x: Tensor, which: Tensor, age: Tensor) -> Tensor:
        places = zip(which.tolist(), age.tolist(), strict=True)
        return salt_and_pepper(x, share, Noise(child(keys[row], "salt", passes) for row, passes in places))

    return disturb


def _check(what: str, share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"{what} is {share}: give a share of the pixels, over 0 and under 1")
