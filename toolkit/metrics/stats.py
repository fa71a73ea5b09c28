"""Statistics of measures: trends over iterations, intervals, rankings. Needs no torch.

Student's interval is for few values of one level; runs with images in them take `hierarchical_bootstrap`.

The study ranks about a thousand generators by each measure, asks how the rankings agree, and has a person label what
the first of each ranking draw. A measure finds novelty if its first ones draw what was never learned.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, product
from math import comb, isnan, nan, sqrt
from statistics import fmean, stdev
from typing import Any, SupportsFloat, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    """The mean of independent values, and the 95 % interval of the mean they are drawn around.

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


def above_zero(x: Interval) -> bool:
    """Whether the whole interval lies over 0; never of one value alone."""
    return (nan if x["low"] is None else x["low"]) > 0


def hierarchical_bootstrap(runs: Sequence[ArrayLike], *, draws: int = 2000, seed: int = 0) -> Interval:
    """The mean over runs of each run's mean, and its percentile interval: runs are drawn again, then images in each.

    runs: the values of each run's images, (N,), N may differ; (1,) is a run that is known as a whole. n counts runs; of
    one run alone there are no ends, for what varies between runs is unknown. With three runs the interval is hardly
    narrower than their range. Raises ValueError for no runs, or an empty one, or a value that is not a number.
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
    """How many values lie over a bar, of how many that do not lie on it, and the exact two-sided probability.

    If either side were as likely: six of six have 0.031, five of five 0.062, three of three 0.25. Of none it is 1.
    """
    over, n = sum(value > bar for value in values), sum(value != bar for value in values)
    tail = sum(comb(n, k) for k in range(min(over, n - over) + 1)) / 2**n
    return over, n, min(1.0, 2 * tail)


def non_inferior(x: Interval, margin: float) -> bool:
    """Whether a difference is surely not as low as minus the margin; never of one value alone."""
    return (nan if x["low"] is None else x["low"]) > -margin


def equivalent(x: Interval, margin: float) -> bool:
    """Whether a difference is surely within the margin of 0 on both sides; never of one value alone.

    Two one-sided tests (Schuirmann 1987), at 2.5 % each with a 95 % interval.
    """
    return non_inferior(x, margin) and (nan if x["high"] is None else x["high"]) < margin


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


def ranked(scores: Mapping[str, float]) -> list[str]:
    """The generators, highest score first; of equal ones, in the order of their names."""
    return sorted(scores, key=lambda name: (-scores[name], name))


def labels_of_first(scores: Mapping[str, float], labels: Mapping[str, str], count: int) -> dict[str, int]:
    """How many of the first `count` generators have each label: the table of the study, one line of it.

    Raises ValueError for a count that is not there, or a generator without a label.
    """
    if not 1 <= count <= len(scores):
        raise ValueError(f"the first {count} of {len(scores)} generators: give a count from 1 to their number")
    if bare := sorted(set(scores) - set(labels)):
        raise ValueError(f"no label for {', '.join(bare)}: give one for each generator")
    found = Counter(labels[name] for name in ranked(scores)[:count])
    return {label: found[label] for label in dict.fromkeys(labels.values())}


def agreement(table: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    """How far each two measures rank generators alike: {measure: {generator: score}} -> Spearman's correlation.

    Raises ValueError unless every measure has a score for the same generators, two or more.
    """
    names = [sorted(scores) for scores in table.values()]
    if any(each != names[0] for each in names):
        raise ValueError("the measures are not of the same generators: give each a score for all of them")
    return {
        (a, b): rank_correlation([table[a][name] for name in names[0]], [table[b][name] for name in names[0]])
        for a, b in combinations(table, 2)
    }


def concordance(scores: Mapping[str, float], tiers: Sequence[Collection[str]]) -> float:
    """How well scores keep a known order: 1 if every generator of a later tier has more than any of an earlier one.

    The share of pairs from two tiers whose scores rise with the tier, a tie counting half: 0.5 by chance, 0 if the
    order is turned round. With two tiers, the area under the curve of telling them apart (Hanley & McNeil, 1982).
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
