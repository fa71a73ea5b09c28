"""A picture -> the outline of its ink: a field drawn from its pixels, followed where it is one half (by contourpy).

A symbol of 28 x 28 pixels is strokes two pixels wide, some faint and grainy. Enlarged as it is it would be stairs, and
blurred until it is smooth its thin strokes would be gone. So the field is lifted, blurred and sharpened (`field`), and
smoothness is had along the outline (`_smooth`), which widens and thins nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Points: TypeAlias = NDArray[np.float64]  # (n, 2): x to the right, y down

LEVEL = 0.5  # of the field: where ink begins
LIFT = 0.4  # brightness to this power: a stroke of 0.18 is half ink; black and white stay what they are
BLUR, WIDE = 0.6, 1.5  # pixels: the field's blur, and that of the wider one it is sharpened by
EDGE = 1.0  # pixels: the blur along an outline that takes its bumps away; of short ones less, to keep dots
STEP = 0.125  # pixels between the points of an outline before it is simplified
TOLERANCE = 0.02  # pixels: how far an outline may move when it is simplified (Douglas & Peucker, 1973)
SPECK, PINHOLE = 2.0, 0.8  # pixels of area, of a picture of 28 x 28: less is grain, not ink and not a hole
AIR = 3  # pixels of ground around a picture, for outlines to close and the sharpening to fade
SIDES = range(4, 257)  # pixels
FINEST = 50_000  # points of an outline before it is simplified
MOST = 300  # pieces and holes; more of either is noise and no symbol


class OutlineError(ValueError):
    """A picture that has no outline to speak of."""


@dataclass(frozen=True)
class Outline:
    """The ink of a picture of height x width pixels: closed curves, holes wound against what they are holes of.

    Each is a closed quadratic B-spline, as TrueType has them: its control points, the curve passing through the middles
    between them.
    """

    contours: tuple[Points, ...]
    height: int
    width: int

    @property
    def area(self) -> float:
        """Of the ink, in pixels."""
        return sum(area(flat(contour)) for contour in self.contours)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the ink, in pixels."""
        points = np.concatenate([flat(contour) for contour in self.contours])
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return left, top, right, bottom


def trace(image: Tensor) -> Outline:
    """The outline of a picture (C, H, W) or (H, W) in [0, 1] or uint8, bright ink on dark ground.

    Of colours the brightest channel counts. Pieces of ink under 2 pixels and holes under 0.8 (of a picture of 28 x 28)
    are dropped. Raises OutlineError for a blank picture or one too fine to be outlined, ValueError for what is no
    picture of 4 to 256 pixels a side.
    """
    ink = _ink(image)
    height, width = ink.shape
    grain = (max(height, width) / 28) ** 2
    contours = list(_contours(ink, grain))
    if not contours:
        raise OutlineError("the picture is blank, it has no outline: choose one with ink")
    if len(contours) > MOST or sum(map(len, contours)) > FINEST:
        raise OutlineError("the picture is too fine to be outlined, like noise: choose one of strokes")
    return Outline(tuple(_simple(_smooth(contour)) for contour in contours), height, width)


def middles(contour: Points) -> Points:
    """The points that the curve passes through: the n-th between control points n - 1 and n."""
    return (np.roll(contour, 1, 0) + contour) / 2


def flat(contour: Points) -> Points:
    """The curve as a polygon: through its middles and, between two of them, nearest to the control point."""
    on = middles(contour)
    near = (on + 2 * contour + np.roll(on, -1, 0)) / 4
    return np.stack([on, near], 1).reshape(-1, 2)


def area(polygon: Points) -> float:
    """What a polygon encloses: over 0 if it turns from x to y, under 0 otherwise."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def field(ink: Tensor) -> tuple[Points, Points, Points]:
    """The ink (H, W) as a smooth field: x, y in pixels and the field there, some points to a pixel.

    A pixel is taken as a small square of ink^LIFT, blurred by a Gaussian; twice that, less a wider blur, is as bright
    as the picture, and strokes of one pixel stay over one half.
    """
    fine = max(2, min(8, 512 // max(ink.shape)))
    lifted = ink.double().pow(LIFT)
    places = [_places(side, fine) for side in ink.shape]
    narrow, wide = (
        _squares(places[0], ink.shape[0], blur) @ lifted @ _squares(places[1], ink.shape[1], blur).T
        for blur in (BLUR, WIDE)
    )
    return places[1].numpy(), places[0].numpy(), (2 * narrow - wide).numpy()


def _ink(image: Tensor) -> Tensor:
    """A picture as (H, W), in [0, 1], on the CPU."""
    if image.ndim not in (2, 3) or not all(side in SIDES for side in image.shape[-2:]) or 0 in image.shape:
        raise ValueError(
            f"a tensor of shape {tuple(image.shape)} is no picture to outline: give (C, H, W), "
            f"{SIDES[0]} to {SIDES[-1]} pixels a side"
        )
    ink = image.detach().cpu().double() / (255 if image.dtype == torch.uint8 else 1)
    ink = ink.amax(0) if ink.ndim == 3 else ink
    if not ink.isfinite().all():
        raise ValueError("the picture has pixels that are no numbers: give brightness from 0 to 1")
    return ink.clamp(0, 1)


def _places(side: int, fine: int) -> Tensor:
    return torch.arange(-AIR * fine, (side + AIR) * fine + 1, dtype=torch.float64) / fine


def _squares(places: Tensor, side: int, blur: float) -> Tensor:
    """How much of each pixel is seen from each place through a Gaussian, along one axis: (places, side)."""
    edges = torch.arange(side + 1, dtype=torch.float64)
    below = torch.special.ndtr((edges - places[:, None]) / blur)
    return below.diff(dim=1)


def _contours(ink: Tensor, grain: float) -> Iterator[Points]:
    """The outlines of what is ink, each followed by its holes, without grain. As closed polygons."""
    from contourpy import FillType, contour_generator

    filled = contour_generator(*field(ink), fill_type=FillType.OuterOffset).filled(LEVEL, np.inf)
    for points, ends in zip(*cast("tuple[list[Points], list[NDArray[np.uint32]]]", filled), strict=True):
        outer, *holes = (ring[:-1] for ring in np.split(points, ends[1:-1].astype(int)))
        if area(outer) >= SPECK * grain:
            yield outer
            yield from (hole for hole in holes if -area(hole) >= PINHOLE * grain)


def _smooth(polygon: Points) -> Points:
    """Without bumps, neither wider nor thinner: a low pass along the outline whose second-order shrinkage is undone."""
    points, length = _evenly(polygon)
    spectrum = np.fft.fft(points[:, 0] + 1j * points[:, 1])
    waves = np.fft.fftfreq(len(points), length / len(points))
    passed = np.exp(-((2 * np.pi * min(EDGE, length / 16) * waves) ** 2) / 2)
    curve = np.fft.ifft(spectrum * passed * (2 - passed))
    return np.stack([curve.real, curve.imag], 1)


def _evenly(polygon: Points) -> tuple[Points, float]:
    """The same outline by points at equal distances along it, and its length."""
    closed = np.concatenate([polygon, polygon[:1]])
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    along = np.concatenate([[0.0], steps.cumsum()])
    wanted = np.linspace(0, along[-1], max(16, int(along[-1] / STEP)), endpoint=False)
    return np.stack([np.interp(wanted, along, axis) for axis in closed.T], 1), float(along[-1])


def _simple(polygon: Points) -> Points:
    """The fewest of its points from which it is never further than TOLERANCE, by Douglas and Peucker's bisection."""
    far = int(np.linalg.norm(polygon - polygon[0], axis=1).argmax())
    closed = np.concatenate([polygon, polygon[:1]])
    kept, open_ = {0, far}, [(0, far), (far, len(polygon))]
    while open_:
        first, last = open_.pop()
        distance = _from_line(closed[first + 1 : last], closed[first], closed[last])
        if distance.size and distance.max() > TOLERANCE:
            middle = first + 1 + int(distance.argmax())
            kept.add(middle)
            open_ += [(first, middle), (middle, last)]
    return polygon[sorted(kept)]


def _from_line(points: Points, start: Points, end: Points) -> Points:
    """How far points are from the line between two."""
    along = end - start
    across = np.array([-along[1], along[0]]) / max(1e-12, float(np.linalg.norm(along)))
    return np.abs((points - start) @ across)
