"""How complex a drawing is, by six plain measures: images (B, C, H, W) in [0, 1] -> one number per image, (B,).

`ink` and `edge_length` read the grey values; the others read the image as ink on paper (`pixels.ink_mask`), with the
threshold as an argument. No measure of an image depends on the rest of its batch.
"""

import math
import zlib
from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import pad

from .pixels import as_float, ink_mask


def ink(x: Tensor) -> Tensor:
    """Mean brightness, 0 (black) to 1 (white): (B, C, H, W) -> (B,)."""
    return as_float(x).flatten(1).double().mean(1).float()


def edge_length(x: Tensor) -> Tensor:
    """Total variation: the sum of the differences between neighbours, across and down: (B, C, H, W) -> (B,), in pixels.

    For black and white it is the length of the border between the two. Channels are averaged; the image's own frame
    does not count, so a flat image has none. Source: Rudin, Osher & Fatemi (1992), in its anisotropic form.
    """
    x = as_float(x).double()
    across = (x[..., 1:] - x[..., :-1]).abs().sum((2, 3))
    down = (x[..., 1:, :] - x[..., :-1, :]).abs().sum((2, 3))
    return (across + down).mean(1).float()


def compressed_size(x: Tensor, threshold: float | None = None) -> Tensor:
    """Bytes that zlib (level 9) needs for the image at two grey levels, one byte per pixel: (B, C, H, W) -> (B,).

    At 28x28 a blank image takes 16, a handwritten digit about 60, noise about 170. (Packed eight pixels to a byte,
    noise would stop at 109: deflate repeats whole bytes only, and digits would be hard to tell from it.)
    """
    rows = ink_mask(x, threshold).byte().numpy()
    return torch.tensor([len(zlib.compress(row.tobytes(), 9)) for row in rows], dtype=torch.float32)


def perimetric_complexity(x: Tensor, threshold: float | None = None) -> Tensor:
    """Perimeter squared over 4 pi times the ink area: (B, C, H, W) -> (B,). A disc has about 1, no ink 0.

    The perimeter, inside and outside, is Crofton's estimate from four directions: upright strokes are not preferred.
    Source: Pelli, Burns, Farell & Moore-Page (2006), Feature detection and letter identification.
    """
    mask = ink_mask(x, threshold)
    return _perimeter(mask).square() / (4 * math.pi * mask.flatten(1).sum(1).clamp_min(1))


def components(x: Tensor, threshold: float | None = None) -> Tensor:
    """Separate pieces of ink; pixels that touch at a corner are one piece (8-connected): (B, C, H, W) -> (B,)."""
    return count_pieces(ink_mask(x, threshold), corners=True)


def holes(x: Tensor, threshold: float | None = None) -> Tensor:
    """Pieces of paper (4-connected) that do not reach the border: (B, C, H, W) -> (B,). An 8 has two."""
    paper = pad(~ink_mask(x, threshold), (1, 1, 1, 1), value=True)  # the frame joins all that reaches the border
    return count_pieces(paper, corners=False) - 1


def _perimeter(mask: Tensor) -> Tensor:
    """Crofton: count the borders crossed by parallel lines in four directions. (B, H, W) -> (B,)"""
    m = pad(mask, (1, 1, 1, 1))
    straight = (m[:, 1:] ^ m[:, :-1]).sum((1, 2)) + (m[:, :, 1:] ^ m[:, :, :-1]).sum((1, 2))
    slanted = (m[:, 1:, 1:] ^ m[:, :-1, :-1]).sum((1, 2)) + (m[:, 1:, :-1] ^ m[:, :-1, 1:]).sum((1, 2))
    return (straight + slanted / math.sqrt(2)) * math.pi / 8  # slanted lines lie closer by the root of 2


def labels(mask: Tensor, *, corners: bool) -> Tensor:
    """One number per connected piece of each mask: bool (B, H, W) -> (B, H * W), 0 outside; distinct within an image.

    Floods every pixel with the highest pixel number (from 1) it can reach. Each turn spreads labels to the neighbours,
    then follows every label to where *it* has got, doubling the reach. corners: pixels that touch there are connected.
    """
    batch, height, width = mask.shape
    inside = mask.flatten(1)
    label = torch.arange(1, height * width + 1).expand(batch, -1) * inside
    while True:
        spread = _spread(label.view_as(mask), corners).flatten(1) * inside
        spread = pad(spread, (1, 0)).gather(1, spread)  # the column of zeros answers for the outside
        if torch.equal(spread, label):
            return label
        label = spread


def count_pieces(mask: Tensor, *, corners: bool) -> Tensor:
    """Connected pieces of each mask: bool (B, H, W) -> (B,). One pixel of each keeps its own number as label."""
    label = labels(mask, corners=corners)
    number = torch.arange(1, label.shape[1] + 1)
    return ((label == number) & mask.flatten(1)).sum(1).float()


def _spread(label: Tensor, corners: bool) -> Tensor:
    """The highest label among a pixel and its neighbours, 8 with corners or 4 without: (B, H, W) -> same."""
    wide = pad(label, (1, 1, 1, 1))
    across = reduce(torch.maximum, (wide[:, :, :-2], wide[:, :, 1:-1], wide[:, :, 2:]))  # (B, H + 2, W)
    columns = across if corners else wide[:, :, 1:-1]
    return reduce(torch.maximum, (across[:, 1:-1], columns[:, :-2], columns[:, 2:]))
