"""Measures of one image: ink, edges, strokes, components, complexity.

`ink` and `edge_length` read the grey values; the others read the image as light ink on dark paper (`ink_mask`). No
measure of an image depends on the rest of its batch.
"""

import math
import zlib
from functools import cache, reduce

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d, pad


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


def compressed_size(x: Tensor) -> Tensor:
    """Bytes that zlib (level 9) needs for the image at two grey levels, one byte per pixel: (B, C, H, W) -> (B,).

    At 28x28 a blank image takes 16, a handwritten digit about 60, noise about 170. (Packed eight pixels to a byte,
    noise would stop at 109: deflate repeats whole bytes only, and digits would be hard to tell from it.)
    """
    rows = ink_mask(x).byte().numpy()
    return torch.tensor([len(zlib.compress(row.tobytes(), 9)) for row in rows], dtype=torch.float32)


def perimetric_complexity(x: Tensor) -> Tensor:
    """Perimeter squared over 4 pi times the ink area: (B, C, H, W) -> (B,). A disc has about 1, no ink 0.

    The perimeter, inside and outside, is Crofton's estimate, from the borders that parallel lines in four directions
    cross: upright strokes are not preferred.
    Source: Pelli, Burns, Farell & Moore-Page (2006), Feature detection and letter identification.
    """
    mask = ink_mask(x)
    m = pad(mask, (1, 1, 1, 1))
    straight = (m[:, 1:] ^ m[:, :-1]).sum((1, 2)) + (m[:, :, 1:] ^ m[:, :, :-1]).sum((1, 2))
    slanted = (m[:, 1:, 1:] ^ m[:, :-1, :-1]).sum((1, 2)) + (m[:, 1:, :-1] ^ m[:, :-1, 1:]).sum((1, 2))
    perimeter = (straight + slanted / math.sqrt(2)) * math.pi / 8  # slanted lines lie closer by the root of 2
    return perimeter.square() / (4 * math.pi * mask.flatten(1).sum(1).clamp_min(1))


def components(x: Tensor) -> Tensor:
    """Connected components of the ink, 8-connected: (B, C, H, W) -> (B,)."""
    return _count_components(ink_mask(x), corners=True)


def holes(x: Tensor) -> Tensor:
    """Components of the paper, 4-connected, that do not reach the border: (B, C, H, W) -> (B,). An 8 has two."""
    return _count_holes(ink_mask(x))


def _count_holes(mask: Tensor) -> Tensor:
    paper = pad(~mask, (1, 1, 1, 1), value=True)  # the frame joins all that reaches the border
    return _count_components(paper, corners=False) - 1


def _count_components(mask: Tensor, *, corners: bool) -> Tensor:
    """Bool (B, H, W) -> (B,). One pixel of each component keeps its own number as label."""
    label = _labels(mask, corners=corners)
    number = torch.arange(1, label.shape[1] + 1)
    return ((label == number) & mask.flatten(1)).sum(1).float()


def _labels(mask: Tensor, *, corners: bool) -> Tensor:
    """Connected-component labels: bool (B, H, W) -> (B, H * W), 0 outside, distinct within an image.

    The label of a component is its highest pixel number (from 1). Each turn takes the highest label among a pixel and
    its neighbours, 8 with corners or 4 without, then that pixel's own label, which doubles the reach.
    """
    batch, height, width = mask.shape
    inside = mask.flatten(1)
    label = torch.arange(1, height * width + 1).expand(batch, -1) * inside
    while True:
        wide = pad(label.view_as(mask), (1, 1, 1, 1))
        across = reduce(torch.maximum, (wide[:, :, :-2], wide[:, :, 1:-1], wide[:, :, 2:]))  # (B, H + 2, W)
        columns = across if corners else wide[:, :, 1:-1]
        spread = reduce(torch.maximum, (across[:, 1:-1], columns[:, :-2], columns[:, 2:])).flatten(1) * inside
        spread = pad(spread, (1, 0)).gather(1, spread)  # the column of zeros answers for the outside
        if torch.equal(spread, label):
            return label
        label = spread


BLANK = 0.5  # of the brightest pixel
PIECE = 5  # pixels: smaller components of ink are specks

# The neighbours of a pixel as (row, column), clockwise from above; neighbour n adds 2 ** n to a pixel's code.
AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def stroke_count(x: Tensor) -> Tensor:
    """Strokes of a drawing, from its skeleton: forks + ends / 2 + holes: (B, C, H, W) -> (B,).

    A bar has 1, a ring 1, a cross 3, an 8 some 3. Components under 5 pixels are dropped before and after a closing of
    3x3, so that, unlike the length of edges, strokes hardly change with loose pixels or frayed borders. An image
    without a pixel of half brightness has none.
    """
    grown = max_pool2d(pad(_without_specks(ink_mask(x)), (2, 2, 2, 2)).float()[:, None], 3, 1)
    mask = _without_specks(-max_pool2d(-grown, 3, 1)[:, 0] > 0)  # gaps of a pixel are closed
    thin = skeleton(mask)
    kind = _tables()[2][_codes(thin).int()] * thin
    ends, forks = (kind == 1).flatten(1).sum(1), _count_components(kind == 2, corners=True)
    return (ends / 2 + forks + _count_holes(mask)) * _drawn(x)


def stroke_width(x: Tensor) -> Tensor:
    """Mean width of strokes in pixels, from the distance of ink to paper: (B, C, H, W) -> (B,); 0 without ink.

    Of a long bar the mean distance m follows from its width, and the width from m: 2m - 1 + sqrt((2m - 1)^2 - 1),
    exact for odd widths.
    """
    mask = ink_mask(x)
    mean = distance_transform(mask).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp_min(1)
    twice = (2 * mean - 1).clamp_min(1)
    return (twice + (twice.square() - 1).sqrt()) * _drawn(x)


def skeleton(mask: Tensor) -> Tensor:
    """Lines of one pixel that keep the pieces and the holes of a mask: bool (B, H, W) -> same.

    Source: Zhang & Suen (1984), A fast parallel algorithm for thinning digital patterns; all images at once.
    """
    thin = mask
    while True:
        before = thin
        for table in _tables()[:2]:
            thin = thin & ~table[_codes(thin).int()]
        if torch.equal(thin, before):
            return thin


def distance_transform(mask: Tensor) -> Tensor:
    """The Euclidean distance of each pixel to the nearest outside of a mask: bool (B, H, W) -> float, same shape.

    0 outside, 1 at a border; exact, one axis after the other (Felzenszwalb & Huttenlocher 2012). What is beyond the
    image counts as outside.
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


def _without_specks(mask: Tensor) -> Tensor:
    """A mask without 8-connected components under 5 pixels."""
    label = _labels(mask, corners=True)
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
def _tables() -> tuple[Tensor, Tensor, Tensor]:
    """By code, (256,): which pixels the two halves of a turn delete; and 1 for an end of a skeleton, 2 for a fork."""
    first, second, kind = (torch.zeros(256, dtype=dtype) for dtype in (torch.bool, torch.bool, torch.uint8))
    for code in range(256):
        p = [code >> n & 1 for n in range(8)]  # above, ..., right (2), ..., below (4), ..., left (6)
        entries = sum(not p[n] and p[(n + 1) % 8] for n in range(8))  # into the mask, on a walk around the pixel
        kind[code] = 1 if entries == 1 else 2 if entries > 2 else 0
        if 2 <= sum(p) <= 6 and entries == 1:
            first[code] = not (p[0] and p[2] and p[4]) and not (p[2] and p[4] and p[6])
            second[code] = not (p[0] and p[2] and p[6]) and not (p[0] and p[4] and p[6])
    return first, second, kind


def as_float(x: Tensor) -> Tensor:
    """Images (B, C, H, W), float in [0, 1] or uint8 -> float32 in [0, 1], on the CPU. ValueError for another shape."""
    if x.ndim != 4:
        raise ValueError(f"images of shape {tuple(x.shape)} cannot be measured: give (B, C, H, W)")
    return x.cpu().float() / 255 if x.dtype == torch.uint8 else x.detach().cpu().float()


def ink_mask(x: Tensor) -> Tensor:
    """Which pixels are ink: (B, C, H, W) -> bool (B, H, W). A colour image is seen as the mean of its channels.

    Ink is brighter than half of the image's own maximum, so that a faint drawing counts like a strong one. A black
    image has no ink.
    """
    grey = as_float(x).mean(1)
    return grey > grey.amax((1, 2), keepdim=True) / 2


def resized(images: Tensor, size: int) -> Tensor:
    """Square images of another size: uint8 (N, C, H, H) -> uint8 (N, C, size, size). As they are, if they fit.

    Larger as a run makes its data larger, bilinear; smaller bicubic, which gives digits of 28 pixels back best.
    """
    if images.shape[-1] == size:
        return images
    mode = "bicubic" if size < images.shape[-1] else "bilinear"
    parts = [interpolate(x.float(), (size, size), mode=mode) for x in images.split(5000)]
    return torch.cat([part.round().clamp(0, 255).byte() for part in parts])
