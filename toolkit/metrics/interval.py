"""A mean and how far it can be trusted: Student's 95 % interval, for few independent values such as training seeds."""

from collections.abc import Sequence
from math import isnan, nan, sqrt
from statistics import fmean, stdev
from typing import TypedDict

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
