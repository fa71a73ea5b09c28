"""A mean and how far it can be trusted: over independent values such as training seeds, and over images within runs.

Student's interval is for few values of one level; runs with images in them take `hierarchical_bootstrap`.
"""

from collections.abc import Sequence
from math import comb, isnan, nan, sqrt
from statistics import fmean, stdev
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
