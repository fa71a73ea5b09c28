"""How the sets drift: what each measure says, in words, and whether it rises along the iterations. Needs no torch."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import isnan, sqrt
from typing import Any, SupportsFloat

MEASURES = {
    "ink": "mean brightness of a pixel, from 0 (black) to 1 (white)",
    "edge_length": "length of the border between dark and light, in pixels (total variation)",
    "compressed_size": "bytes that zlib needs for it in black and white: blank 16, a digit 60, noise 170 (at 28x28)",
    "perimetric_complexity": "outline squared over ink area: 1 for a disc, more for a winding or branching line",
    "components": "separate pieces of ink",
    "holes": "pieces of paper enclosed by ink: an 8 has two",
    "blank_share": "share of images without a pixel above half brightness",
    "unique_share": "share of images that differ from each other in black and white",
    "diversity": "mean distance between two images of the set: 0 if all are equal",
    "novelty_median": "distance to the nearest image of the reference, for the middle image: 0 is a copy",
    "novelty_mean": "distance to the nearest image of the reference, averaged over the set",
    "passes": "reconstructions until an image stood still, averaged over the set",
}
"""What each number of `metrics.measure` says. Distances are root mean square per pixel, from 0 to 1."""


def curves(entries: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[list[str]]:
    """The measures that can be drawn over the iterations of an index: [key, name, what it says and whether it rises].

    names: which measures, and what they are called. Those that fewer than two iterations have are left out; the data,
    iteration 0, do not count.
    """
    drawn = []
    for key, name in names.items():
        told = [(e["iteration"], e["metrics"][key]) for e in entries if e["iteration"] and key in e.get("metrics", {})]
        if len(told) > 1:
            rank = rank_correlation(*zip(*told, strict=True))
            drawn.append([key, name, f"{MEASURES[key]}; rank correlation with the iteration {rank:+.2f}"])
    return drawn


def rank_correlation(a: Iterable[SupportsFloat], b: Iterable[SupportsFloat]) -> float:
    """Spearman's correlation (1904) of two series of equal length, -1 to 1; equal values share their mean rank.

    1 means that b always rises with a, whatever the amounts. A series that never changes rises with nothing: 0.
    Raises ValueError unless both have the same length, at least two, and no NaN.
    """
    x, y = ([float(value) for value in series] for series in (a, b))
    if len(x) != len(y) or len(x) < 2 or any(map(isnan, x + y)):
        raise ValueError(
            f"series of {len(x)} and {len(y)} values have no rank correlation: give two or more pairs, no NaN"
        )
    x, y = _ranks(x), _ranks(y)
    scale = sqrt(sum(p * p for p in x) * sum(q * q for q in y))
    return max(-1.0, min(1.0, sum(p * q for p, q in zip(x, y, strict=True)) / scale)) if scale > 0 else 0.0


def _ranks(values: list[float]) -> list[float]:
    """Ranks, from their mean; ties get the mean of the ranks they cover."""
    ordered, middle = sorted(values), len(values) / 2
    return [(bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 - middle for value in values]
