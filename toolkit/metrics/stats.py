"""Statistics: trends over iterations, intervals, rankings, agreement of annotators. Needs no torch.

Student's interval is for few values of one level; runs with images in them take `hierarchical_bootstrap`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, product
from math import comb, isnan, nan, sqrt
from statistics import fmean, stdev
from typing import Any, SupportsFloat, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..config import choose

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
"""Descriptions of the numbers of `metrics.measure`. Distances are root mean square per pixel, from 0 to 1."""


def curves(entries: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[list[str]]:
    """Measures to plot over the iterations of an index: [key, name, description with its rank correlation].

    names: key -> name. Those that fewer than two iterations have are left out; the data, iteration 0, do not count.
    """
    drawn = []
    for key, name in names.items():
        rows = [(e["iteration"], e["metrics"][key]) for e in entries if e["iteration"] and key in e.get("metrics", {})]
        if len(rows) > 1:
            rank = rank_correlation(*zip(*rows, strict=True))
            drawn.append([key, name, f"{MEASURES[key]}; rank correlation with the iteration {rank:+.2f}"])
    return drawn


def rank_correlation(a: Iterable[SupportsFloat], b: Iterable[SupportsFloat]) -> float:
    """Spearman's correlation (1904) of two series of equal length, -1 to 1; equal values share their mean rank.

    0 for a constant series. Raises ValueError unless both have the same length, at least two, and no NaN.
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


# The 97.5 % quantile of Student's t for 1, 2, 3, ... degrees of freedom; the normal one is close enough after that.
QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
NORMAL = 1.960


class Interval(TypedDict):
    """A mean, and the ends of its 95 % interval; of one value alone the ends are None. n: how many values."""

    mean: float
    low: float | None
    high: float | None
    n: int


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values, and its 95 % interval by Student's t.

    Raises ValueError for no values, or one that is not a number.
    """
    if not len(values) or any(map(isnan, values)):
        raise ValueError(f"{len(values)} values have no mean: give at least one, and no NaN")
    mean, n = fmean(values), len(values)
    if n == 1:
        return Interval(mean=mean, low=None, high=None, n=1)
    quantile = QUANTILES[n - 2] if n - 2 < len(QUANTILES) else NORMAL
    half = quantile * stdev(values) / sqrt(n)
    return Interval(mean=mean, low=mean - half, high=mean + half, n=n)


def share_interval(share: float, count: int) -> Interval:
    """A share of so many independent images that have something, and its 95 % interval (Wilson, 1927).

    Unlike Student's it stays within 0 and 1, and is no point where all images have it, or none. Raises ValueError for
    no images, or no share.
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"{share} is no share of {count} images: give one from 0 to 1, of one image or more")
    z = NORMAL**2 / count
    middle, half = (share + z / 2) / (1 + z), sqrt(z * share * (1 - share) + z**2 / 4) / (1 + z)
    return Interval(mean=share, low=max(0.0, middle - half), high=min(1.0, middle + half), n=count)


def above_zero(x: Interval) -> bool:
    """Whether the whole interval lies over 0; never of one value alone."""
    return (nan if x["low"] is None else x["low"]) > 0


def hierarchical_bootstrap(runs: Sequence[ArrayLike], *, draws: int = 2000, seed: int = 0) -> Interval:
    """The mean over runs of each run's mean, and its percentile interval: runs are resampled, then images in each.

    runs: the values of each run's images, (N,), N may differ; (1,) is a run of which only the mean is known. n counts
    runs; one run alone has no interval. With three runs it is hardly narrower than their range. Raises ValueError for
    no runs, or an empty one, or a value that is not a number.
    Source: Davison & Hinkley (1997), Bootstrap methods and their application, section 3.8.
    """
    values = [np.asarray(run, dtype=np.float64).reshape(-1) for run in runs]
    if not values or any(not len(run) or np.isnan(run).any() for run in values):
        raise ValueError(f"{len(values)} runs have no mean: give at least one, none empty, and no NaN")
    mean, n = fmean(float(run.mean()) for run in values), len(values)
    if n == 1:
        return Interval(mean=mean, low=None, high=None, n=1)
    rng = np.random.default_rng(seed)
    again = np.stack([run[rng.integers(0, len(run), (draws, len(run)))].mean(1) for run in values])  # (n, draws)
    picked = again[rng.integers(0, n, (draws, n)), rng.integers(0, draws, (draws, n))].mean(1)
    low, high = np.quantile(picked, [0.025, 0.975])
    return Interval(mean=mean, low=float(low), high=float(high), n=n)


def sign_test(values: Sequence[float], bar: float = 0.0) -> tuple[int, int, float]:
    """How many values lie over a bar, of how many that do not lie on it; the exact two-sided p-value, 1 for none."""
    over, n = sum(value > bar for value in values), sum(value != bar for value in values)
    tail = sum(comb(n, k) for k in range(min(over, n - over) + 1)) / 2**n
    return over, n, min(1.0, 2 * tail)


def slope(iterations: Sequence[int], values: ArrayLike) -> NDArray[np.float64]:
    """Least-squares slope on log2(iteration), what a doubling of the iterations adds: (T,), (T, N) or (T,) -> (N,).

    Raises ValueError unless there are two different iterations, from 1, and no NaN.
    """
    y = np.asarray(values, dtype=np.float64)
    y = y.reshape(len(y), -1)
    if len(iterations) != len(y) or len(set(iterations)) < 2 or min(iterations) < 1 or np.isnan(y).any():
        raise ValueError(
            f"{len(iterations)} iterations, {len(y)} values have no slope: give two or more, from 1, and no NaN"
        )
    x = np.log2(np.asarray(iterations, dtype=np.float64))
    centred = x - x.mean()
    found: NDArray[np.float64] = centred @ y / (centred @ centred)
    return found


def concordance(scores: Mapping[str, float], tiers: Sequence[Collection[str]]) -> float:
    """The share of pairs from two tiers whose scores rise with the tier, a tie counting half: 0 to 1, 0.5 by chance.

    With two tiers, the area under the ROC curve (Hanley & McNeil, 1982).
    Raises ValueError unless two tiers have members, each with a score, and none is in two.
    """
    members = [name for tier in tiers for name in tier]
    if len([tier for tier in tiers if len(tier)]) < 2 or len(set(members)) < len(members):
        raise ValueError("an order takes two tiers with members: give each generator one place")
    if missing := sorted(set(members) - set(scores)):
        raise ValueError(f"no score for {', '.join(missing)}: give one for each generator in the tiers")
    pairs = [pair for low, high in combinations(tiers, 2) for pair in product(low, high)]
    rising = [(scores[b] > scores[a]) + (scores[b] == scores[a]) / 2 for a, b in pairs]
    return sum(rising) / len(pairs)


LEAST = 3  # annotators who agree, as published
TIES = ("drop", "multi")
Votes = NDArray[np.int64]  # (N, L): how many annotators gave image n the label l, labels from 0


def tally(ratings: Iterable[tuple[int, int]], images: int, labels: int = 4) -> Votes:
    """Ratings, each (image, label) -> votes (images, labels). Raises IndexError for an image or label out of range."""
    votes = np.zeros((images, labels), np.int64)
    for image, label in ratings:
        if min(image, label) < 0:
            raise IndexError(f"image {image}, label {label}: both count from 0")
        votes[image, label] += 1
    return votes


def consensus(votes: Votes, least: int = LEAST, ties: str = "drop") -> NDArray[np.bool_]:
    """Which labels an image has: votes (N, L) -> (N, L) bool.

    As in Table 1 of "Toward a neuro-inspired creative decoder", an image has the label that at least three annotators
    gave it. ties: "drop" gives an image its most frequent label if at least `least` gave it and no other label is as
    frequent, and no label otherwise; "multi" gives it every label that at least `least` gave.
    Raises ValueError for another way.
    """
    choose("ties", ties, TIES)
    if least < 1:
        raise ValueError(f"a label that {least} annotators gave: it takes at least one")
    enough: NDArray[np.bool_] = votes >= least
    return enough if ties == "multi" else enough & (votes == votes.max(1, keepdims=True)) & ~tied(votes, least)[:, None]


def tied(votes: Votes, least: int = LEAST) -> NDArray[np.bool_]:
    """Which images have two most frequent labels or more, each given by at least `least`: (N, L) -> (N,)."""
    most = votes.max(1)
    found: NDArray[np.bool_] = (most >= least) & ((votes == most[:, None]).sum(1) > 1)
    return found


def shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """The share of each label, (N, L) -> (L,), adding up to 1; NaN if there is none.

    counts: a consensus, or votes. An image with two labels ("multi") counts twice.
    """
    total = counts.sum(0)
    return np.divide(total, total.sum(), out=np.full(len(total), nan), where=total.sum() > 0)


def fleiss_kappa(votes: Votes) -> float:
    """Fleiss' kappa, agreement beyond chance: 1 is full agreement, 0 that of chance. votes: (N, L).

    Images may have different numbers of ratings, as in Gwet (2014), Handbook of inter-rater reliability, chapter 2:
    agreement is the share of equal pairs of ratings of an image, averaged over the images with at least two; chance
    comes from the share of each label within an image, averaged over the images with at least one. With equally many
    ratings this is the formula of Fleiss (1971). NaN if no image has two ratings, or all ratings are the same label.
    """
    votes = votes[votes.sum(1) > 0]
    raters = votes.sum(1)
    paired = raters > 1
    if not paired.any():
        return nan
    equal = (votes * (votes - 1)).sum(1)[paired] / (raters * (raters - 1))[paired]
    chance = float(np.square((votes / raters[:, None]).mean(0)).sum())
    return (float(equal.mean()) - chance) / (1 - chance) if chance < 1 - 1e-9 else nan


def agreement(votes: Votes, least: int = LEAST, ties: str = "drop") -> dict[str, Any]:
    """One row of the table: votes (N, L) -> plain values, NaN where there is nothing to divide by.

    images: N; consensus: those with a label; tied: those dropped for a tie; short: those without a label that `least`
    gave; shares: of each label, over the consensus; raw: the same over all ratings; kappa.
    """
    has = consensus(votes, least, ties)
    return {
        "images": len(votes),
        "consensus": int(has.any(1).sum()),
        "tied": int((tied(votes, least) & ~has.any(1)).sum()),
        "short": int((votes.max(1) < least).sum()),
        "shares": shares(has).tolist(),
        "raw": shares(votes).tolist(),
        "kappa": fleiss_kappa(votes),
    }
