"""Outlines set as type: one scale, one baseline, white on both sides. From pixels, y down, to font units, y up.

Symbols know no baseline, so theirs is where most of them end: the median of the bottoms of their ink; from there to the
median of the tops is the height of a capital, 700 of 1000 units. A symbol that ends within a tenth of that height of
the baseline is set on it, for so far a symbol's place in its picture is chance; one that hangs lower or higher does so
in type as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .tracing import Outline, Points, flat

EM, CAPITAL = 1000, 700  # units
WHITE, LEAST, SPACE = 160, 50, 400  # units: white beside the ink on average, at its nearest, and between words
BANDS, DEEPEST = 12, 200  # a side is looked at in so many rows; a bay deeper than so many units is white inside
SNAP = 0.1  # of a capital's height


@dataclass(frozen=True)
class Type:
    """One symbol as a font holds it: control points in whole units, y up from the baseline; the step to the next."""

    contours: tuple[Points, ...]
    advance: int


def set_type(outlines: Sequence[Outline]) -> list[Type]:
    """The outlines of one alphabet, on one baseline at one scale."""
    boxes = np.array([outline.box for outline in outlines])
    top, bottom = np.median(boxes[:, 1]), np.median(boxes[:, 3])
    height = max(bottom - top, outlines[0].height / 2)  # an alphabet of dots is not blown up
    scale = CAPITAL / height
    near = np.abs(boxes[:, 3] - bottom) <= SNAP * height
    ground = np.where(near, boxes[:, 3], bottom)
    return [
        _with_white([(points - (0, base)) * (scale, -scale) for points in outline.contours])
        for outline, base in zip(outlines, ground, strict=True)
    ]


def missing() -> Type:
    """What is shown for a character that has no symbol: a frame, as wide as half a capital is high."""
    outer, inner = (np.array(_box(inset), float).repeat(2, 0) for inset in (0, 50))
    return _with_white([outer, inner[::-1]])


def _with_white(contours: Sequence[Points]) -> Type:
    """Contours and their white: an open side gets less beside it than a stem, so that all look evenly spaced."""
    polygons = [_dense(flat(points)) for points in contours]
    ink = np.concatenate(polygons)
    left, right = _bearing(-ink[:, 0], ink[:, 1]), _bearing(ink[:, 0], ink[:, 1])
    start, end = ink[:, 0].min(), ink[:, 0].max()
    moved = tuple(np.rint(points + np.array([left - start, 0])) for points in contours)
    return Type(moved, round(left + end - start + right))


def _bearing(out: Points, y: Points) -> float:
    """The white beside one side: WHITE, less how far behind its foremost point its ink lies on average, row by row."""
    row = np.clip(y / CAPITAL * BANDS, 0, BANDS - 1).astype(int)
    foremost = np.full(BANDS, -np.inf)
    np.maximum.at(foremost, row, out)
    return max(LEAST, WHITE - float(np.minimum(out.max() - foremost, DEEPEST).mean()))


def _dense(polygon: Points) -> Points:
    """The polygon with points between its corners, some to a band."""
    parts = np.linspace(0, 1, 16, endpoint=False)[:, None, None]
    return (polygon + parts * (np.roll(polygon, -1, 0) - polygon)).reshape(-1, 2)


def _box(inset: int) -> list[tuple[int, int]]:
    """A rectangle, clockwise. Its corners, given twice as control points, are corners of the curve."""
    left, right = inset, CAPITAL // 2 - inset
    return [(left, inset), (left, CAPITAL - inset), (right, CAPITAL - inset), (right, inset)]
