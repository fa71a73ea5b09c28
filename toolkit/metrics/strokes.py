"""Strokes of a drawing: how many, and how wide. Images (B, C, H, W) in [0, 1] or uint8 -> one number per image, (B,).

Unlike the length of edges, the number of strokes hardly changes with loose pixels or frayed borders. A picture whose
brightest pixel is under 0.5 is blank: it has no strokes, and no width.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from .complexity import count_pieces, labels
from .pixels import as_float, ink_mask

BLANK = 0.5  # of the brightest pixel
PIECE = 5  # pixels: smaller pieces of ink are specks

# The neighbours of a pixel as (row, column), clockwise from above; neighbour n adds 2 ** n to a pixel's code.
AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def stroke_count(x: Tensor) -> Tensor:
    """Strokes of a drawing, from its skeleton: forks + ends / 2 + holes: (B, C, H, W) -> (B,).

    A bar has 1, a ring 1, a cross 3, an 8 some 3: an end is half a stroke, a fork adds one, and so does a loop, which
    needs no end. Pieces under 5 pixels are dropped before and after a closing of 3x3, which mends gaps of a pixel and
    fills loops as small.
    """
    mask = _cleaned(x)
    thin = skeleton(mask)
    kind = _kinds()[_codes(thin).int()] * thin
    ends, forks = (kind == 1).flatten(1).sum(1), count_pieces(kind == 2, corners=True)
    loops = count_pieces(pad(~mask, (1, 1, 1, 1), value=True), corners=False) - 1
    return (ends / 2 + forks + loops) * _drawn(x)


def stroke_width(x: Tensor) -> Tensor:
    """Mean width of strokes in pixels, from the distance of ink to paper: (B, C, H, W) -> (B,); 0 without ink.

    Of a long bar the mean distance m follows from its width, and the width from m: 2m - 1 + sqrt((2m - 1)^2 - 1),
    exact for odd widths.
    """
    mask = ink_mask(x)
    mean = distance(mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp_min(1)
    twice = (2 * mean - 1).clamp_min(1)
    return (twice + (twice.square() - 1).sqrt()) * _drawn(x)


def skeleton(mask: Tensor) -> Tensor:
    """Lines of one pixel that keep the pieces and the holes of a mask: bool (B, H, W) -> same.

    Source: Zhang & Suen (1984), A fast parallel algorithm for thinning digital patterns; all images at once.
    """
    thin, tables = mask, _deletable()
    while True:
        before = thin
        for table in tables:
            thin = thin & ~table[_codes(thin).int()]
        if torch.equal(thin, before):
            return thin


def distance(mask: Tensor) -> Tensor:
    """How far each pixel of a mask is from the nearest outside of it: bool (B, H, W) -> float, same shape.

    0 outside, 1 at a border; Euclidean and exact, one axis after the other (Felzenszwalb & Huttenlocher 2012). What is
    beyond the image counts as outside.
    """
    wide = pad(mask, (1, 1, 1, 1))
    far = float(sum(wide.shape[1:]) ** 2)
    squared = wide * far
    for axis in (1, 2):
        places = torch.arange(squared.shape[axis], dtype=torch.float32)
        apart = (places[:, None] - places).square()  # (from, to)
        lines = squared.movedim(axis, -1)
        squared = (lines[..., None, :] + apart).amin(-1).movedim(-1, axis)
    return squared[:, 1:-1, 1:-1].sqrt()


def _cleaned(x: Tensor) -> Tensor:
    """The ink of an image without specks, gaps of a pixel closed: bool (B, H, W)."""
    grown = max_pool2d(pad(_without_specks(ink_mask(x)), (2, 2, 2, 2)).float(), 3, 1)
    return _without_specks(-max_pool2d(-grown, 3, 1) > 0)


def _without_specks(mask: Tensor) -> Tensor:
    """A mask without pieces under 5 pixels; pixels that touch at a corner are one piece."""
    label = labels(mask, corners=True)
    size = torch.zeros(len(label), label.shape[1] + 1, dtype=torch.long)
    size.scatter_add_(1, label, torch.ones_like(label))
    return mask & (size.gather(1, label) >= PIECE).view_as(mask)


def _drawn(x: Tensor) -> Tensor:
    """1 where an image has a pixel of half brightness, 0 where it is blank: (B,)."""
    return (as_float(x).mean(1).amax((1, 2)) >= BLANK).float()


def _codes(mask: Tensor) -> Tensor:
    """Which neighbours of each pixel are in the mask, as a number from 0 to 255: bool (B, H, W) -> uint8."""
    _, height, width = mask.shape
    wide, codes = pad(mask, (1, 1, 1, 1)).byte(), torch.zeros(mask.shape, dtype=torch.uint8)
    for n, (down, across) in enumerate(AROUND):
        codes += wide[:, 1 + down : 1 + down + height, 1 + across : 1 + across + width] << n
    return codes


@cache
def _deletable() -> tuple[Tensor, Tensor]:
    """Which codes lose their pixel, in each of the two halves of a turn: two bool (256,)."""
    first, second = torch.zeros(256, dtype=torch.bool), torch.zeros(256, dtype=torch.bool)
    for code in range(256):
        p = [code >> n & 1 for n in range(8)]  # above, ..., right (2), ..., below (4), ..., left (6)
        if 2 <= sum(p) <= 6 and _entries(p) == 1:
            first[code] = not (p[0] and p[2] and p[4]) and not (p[2] and p[4] and p[6])
            second[code] = not (p[0] and p[2] and p[6]) and not (p[0] and p[4] and p[6])
    return first, second


@cache
def _kinds() -> Tensor:
    """What a pixel of a skeleton is, by its code: 0 part of a line, 1 an end, 2 a fork; uint8 (256,)."""
    kind = torch.zeros(256, dtype=torch.uint8)
    for code in range(256):
        p = [code >> n & 1 for n in range(8)]
        kind[code] = 1 if _entries(p) == 1 else 2 if _entries(p) > 2 else 0
    return kind


def _entries(p: list[int]) -> int:
    """How often one enters the mask on a walk around a pixel."""
    return sum(not p[n] and p[(n + 1) % 8] for n in range(8))
