"""Statistics over few runs, against values worked out by hand."""

import math

import numpy as np
import pytest

from toolkit.metrics.stats import Interval, equivalent, hierarchical_bootstrap, interval, non_inferior, sign_test, slope


def test_a_slope_is_what_a_doubling_adds() -> None:
    assert slope([1, 2, 4, 8], [5, 7, 9, 11]).tolist() == pytest.approx([2])
    assert slope([1, 2, 4], [[0, 3], [1, 3], [2, 3]]).tolist() == pytest.approx([1, 0])
    x = [0, 1, math.log2(3)]  # of iterations 1, 2, 3
    middle = sum(x) / 3
    by_hand = sum((a - middle) * y for a, y in zip(x, [1, 4, 2], strict=True)) / sum((a - middle) ** 2 for a in x)
    assert float(slope([1, 2, 3], [1, 4, 2])[0]) == pytest.approx(by_hand)


@pytest.mark.parametrize("wrong", [([1], [2]), ([0, 1], [1, 2]), ([1, 2], [1, math.nan]), ([1, 2], [1, 2, 3])])
def test_what_has_no_slope_is_refused(wrong: tuple[list[int], list[float]]) -> None:
    with pytest.raises(ValueError, match="no slope"):
        slope(*wrong)


def test_three_runs_known_as_wholes_reach_from_the_least_to_the_most() -> None:
    """All three draws are the least one in 1 of 27 cases, which is over 2.5 %."""
    assert hierarchical_bootstrap([[1.0], [2.0], [6.0]]) == {"mean": 3.0, "low": 1.0, "high": 6.0, "n": 3}


def test_the_interval_of_many_runs_is_that_of_the_normal() -> None:
    values = np.random.default_rng(1).normal(5, 2, (100, 1))
    found, student = hierarchical_bootstrap([*values]), interval(values[:, 0].tolist())
    assert found["low"] == pytest.approx(student["low"], abs=0.1)
    assert found["high"] == pytest.approx(student["high"], abs=0.1)


def test_images_widen_an_interval_and_runs_weigh_alike_whatever_their_images() -> None:
    rng = np.random.default_rng(2)
    spread = [rng.normal(0, 10, 50), rng.normal(0, 10, 50), np.zeros(1)]
    found, flat = hierarchical_bootstrap(spread), hierarchical_bootstrap([[run.mean()] for run in spread])
    assert found["mean"] == pytest.approx(flat["mean"])
    assert found["high"] - found["low"] > flat["high"] - flat["low"]  # type: ignore[operator]


def test_the_same_seed_draws_the_same_and_one_run_has_no_ends() -> None:
    runs = [np.arange(10.0), np.arange(5.0), np.arange(7.0)]
    assert hierarchical_bootstrap(runs) == hierarchical_bootstrap(runs) != hierarchical_bootstrap(runs, seed=1)
    assert hierarchical_bootstrap([[1.0, 3.0]]) == {"mean": 2.0, "low": None, "high": None, "n": 1}


@pytest.mark.parametrize("wrong", [[], [[]], [[1.0], [math.nan]]])
def test_runs_without_values_are_refused(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="no mean"):
        hierarchical_bootstrap(wrong)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1] * 6, (6, 6, 2 / 64)),
        ([-1] * 5, (0, 5, 2 / 32)),
        ([1, 1, 1], (3, 3, 0.25)),
        ([1, 1, -1], (2, 3, 1.0)),
        ([1] * 7 + [-1], (7, 8, 2 * 9 / 256)),
        ([0, 0, 1], (1, 1, 1.0)),
        ([], (0, 0, 1.0)),
    ],
)
def test_the_sign_test_is_exact(values: list[float], told: tuple[int, int, float]) -> None:
    assert sign_test(values) == pytest.approx(told)
    assert sign_test([value + 3 for value in values], 3) == pytest.approx(told)


def of(low: float | None, high: float | None) -> Interval:
    return Interval(mean=0.0, low=low, high=high, n=3)


def test_margins_are_kept_by_the_whole_interval() -> None:
    assert non_inferior(of(-0.09, 5), 0.1) and not non_inferior(of(-0.11, 5), 0.1)
    assert equivalent(of(-0.09, 0.09), 0.1) and not equivalent(of(-0.09, 0.11), 0.1)
    assert not equivalent(of(-0.11, 0.09), 0.1)
    assert not non_inferior(of(None, None), 0.1) and not equivalent(of(None, None), 0.1)
