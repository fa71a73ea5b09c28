"""Statistics against values worked out by hand, from a textbook, and of a crowd of annotators that we made."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.annotators import annotate
from toolkit.metrics import rank_correlation
from toolkit.metrics.stats import (
    Votes,
    above_zero,
    agreement,
    concordance,
    consensus,
    fleiss_kappa,
    hierarchical_bootstrap,
    interval,
    share_interval,
    shares,
    sign_test,
    slope,
    tally,
    tied,
)

# trends


def test_rank_correlation_asks_only_for_the_order_and_ties_share_their_mean_rank() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 10, 11, 1000]) == 1
    assert rank_correlation([1, 2, 3, 4], torch.tensor([4.0, 3.0, 2.0, -9.0])) == -1
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9486832980505138)  # ranks 1, 2.5, 2.5, 4
    assert rank_correlation([3, 1, 4, 1, 5], [2, 7, 1, 8, 2]) == pytest.approx(-15 / 19)
    assert rank_correlation([1, 2, 3], [5, 5, 5]) == 0  # what never changes rises with nothing


def test_a_slope_is_what_a_doubling_adds() -> None:
    assert slope([1, 2, 4, 8], [5, 7, 9, 11]).tolist() == pytest.approx([2])
    assert slope([1, 2, 4], [[0, 3], [1, 3], [2, 3]]).tolist() == pytest.approx([1, 0])
    x = [0, 1, math.log2(3)]  # of iterations 1, 2, 3
    middle = sum(x) / 3
    by_hand = sum((a - middle) * y for a, y in zip(x, [1, 4, 2], strict=True)) / sum((a - middle) ** 2 for a in x)
    assert float(slope([1, 2, 3], [1, 4, 2])[0]) == pytest.approx(by_hand)


# intervals


def test_an_interval_is_students_and_one_value_alone_proves_nothing() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found["mean"] == 2 and found["high"] == pytest.approx(2 + 4.303 / 3**0.5, abs=1e-6)
    assert found["low"] == pytest.approx(4 - found["high"]) and found["n"] == 3
    assert interval([3.0])["low"] is None and not above_zero(interval([3.0]))
    assert above_zero(interval([3.0, 3.1])) and not above_zero(interval([-1.0, 3.0]))


def test_the_interval_of_a_share_is_wilsons_and_stays_within_0_and_1() -> None:
    half, all_ = share_interval(0.5, 100), share_interval(1.0, 10)
    assert (half["low"], half["high"]) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert (all_["low"], all_["high"]) == (pytest.approx(0.7225, abs=1e-4), 1.0)
    for wrong in ((0.5, 0), (1.5, 10), (float("nan"), 10)):
        with pytest.raises(ValueError, match="is no share"):
            share_interval(*wrong)


def test_it_holds_the_true_mean_nineteen_times_in_twenty() -> None:
    draws = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).tolist()
    inside = [x["low"] < 0 < x["high"] for x in map(interval, draws)]  # type: ignore[operator]
    assert sum(inside) / len(inside) == pytest.approx(0.95, abs=0.01)


def test_three_runs_known_as_wholes_reach_from_the_least_to_the_most() -> None:
    # all three draws are the least one in 1 of 27 cases, which is over 2.5 %
    assert hierarchical_bootstrap([[1.0], [2.0], [6.0]]) == {"mean": 3.0, "low": 1.0, "high": 6.0, "n": 3}


def test_the_interval_of_many_runs_is_that_of_the_normal() -> None:
    values = np.random.default_rng(1).normal(5, 2, (100, 1))
    found, student = hierarchical_bootstrap([*values]), interval(values[:, 0].tolist())
    assert [found["low"], found["high"]] == pytest.approx([student["low"], student["high"]], abs=0.1)


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


@pytest.mark.parametrize(
    ("values", "reported"),
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
def test_the_sign_test_is_exact(values: list[float], reported: tuple[int, int, float]) -> None:
    assert sign_test(values) == pytest.approx(reported)
    assert sign_test([value + 3 for value in values], 3) == pytest.approx(reported)


# orders

SCORES = {"noise": 0.1, "digits": 0.2, "symbols": 0.6, "letters": 0.9}


def test_an_order_that_holds_is_one_turned_round_zero_and_flat_a_half() -> None:
    tiers = [["noise", "digits"], ["symbols"], ["letters"]]
    assert concordance(SCORES, tiers) == 1 and concordance(SCORES, tiers[::-1]) == 0
    assert concordance(dict.fromkeys(SCORES, 0.3), tiers) == 0.5
    assert concordance({"a": 1, "b": 3, "c": 2}, [["a", "b"], ["c"]]) == 0.5  # pairs of one tier do not count
    assert concordance({"a": 1, "b": 2, "c": 2}, [["a", "b"], [], ["c"]]) == 0.75


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: rank_correlation([1], [1]), "no rank correlation"),
        (lambda: rank_correlation([1, 2], [1, 2, 3]), "no rank correlation"),
        (lambda: rank_correlation([1, 2], [1, math.nan]), "no rank correlation"),
        (lambda: slope([1], [2]), "no slope"),
        (lambda: slope([0, 1], [1, 2]), "no slope"),
        (lambda: slope([1, 2], [1, math.nan]), "no slope"),
        (lambda: slope([1, 2], [1, 2, 3]), "no slope"),
        (lambda: interval([]), "no mean"),
        (lambda: interval([1.0, math.nan]), "no mean"),
        (lambda: hierarchical_bootstrap([]), "no mean"),
        (lambda: hierarchical_bootstrap([[]]), "no mean"),
        (lambda: hierarchical_bootstrap([[1.0], [math.nan]]), "no mean"),
        (lambda: concordance(SCORES, [["noise", "digits"], []]), "two tiers"),
        (lambda: concordance(SCORES, [["noise"], ["noise", "digits"]]), "one place"),
        (lambda: concordance(SCORES, [["noise"], ["faces"]]), "no score for faces"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_one_sentence(wrong: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{message}[^\n]*$"):
        wrong()


# annotators

FLEISS = [  # ten subjects, fourteen raters, five categories: the example that is worked out everywhere
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
TABLE = {"low-active": (0.39, 0.50, 0.11, 0.0), "regular": (0.10, 0.03, 0.85, 0.02)}


def votes_of(*rows: list[int]) -> Votes:
    return np.array(rows)


def votes_of_a_crowd(scheme: str, images: int, **crowd_of: float) -> Votes:
    """What nine annotators say of the pictures of one scheme."""
    rows = annotate([scheme] * images, TABLE, **crowd_of)
    return tally(((row.image, row.label - 1) for row in rows), images)


def test_a_tally_counts_every_rating_once() -> None:
    assert tally([(0, 1), (0, 1), (2, 3)], images=3).tolist() == [[0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("rating", [(3, 0), (0, 4), (-1, 0), (0, -1)])
def test_a_rating_of_nothing_there_is_refused(rating: tuple[int, int]) -> None:
    with pytest.raises(IndexError):
        tally([rating], images=3)


def test_an_image_has_the_label_that_most_gave_once_three_agree() -> None:
    votes = votes_of([3, 0, 0, 0], [5, 4, 0, 0], [2, 2, 2, 2], [2, 1, 0, 0])
    assert consensus(votes).tolist() == [[True] + [False] * 3, [True] + [False] * 3, [False] * 4, [False] * 4]


@pytest.mark.parametrize("split", [[3, 3, 3, 0], [4, 4, 1, 0], [0, 3, 0, 3]])
def test_a_tie_at_the_top_is_dropped_and_counted(split: list[int]) -> None:
    votes = votes_of(split)
    assert not consensus(votes).any() and tied(votes).all() and agreement(votes)["tied"] == 1


def test_several_labels_count_where_each_was_given_often_enough() -> None:
    votes = votes_of([3, 3, 3, 0], [4, 4, 1, 0], [6, 3, 0, 0], [2, 2, 2, 2])
    assert consensus(votes, ties="multi").sum(1).tolist() == [3, 2, 2, 0]
    assert shares(consensus(votes, ties="multi")).tolist() == pytest.approx([3 / 7, 3 / 7, 1 / 7, 0])
    assert agreement(votes, ties="multi")["tied"] == 0


@pytest.mark.parametrize("way", [{"ties": "coin"}, {"least": 0}])
def test_an_unknown_rule_is_refused(way: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="choose one of drop, multi|at least one"):
        consensus(votes_of([3, 0, 0, 0]), **way)


def test_kappa_of_the_textbook_is_0_21_whatever_nobody_rated_and_however_many_images() -> None:
    votes = votes_of(*FLEISS)
    assert fleiss_kappa(votes) == pytest.approx(0.2099, abs=5e-5)
    assert fleiss_kappa(np.concatenate([votes, votes_of([0] * 5)])) == fleiss_kappa(votes)
    assert fleiss_kappa(np.tile(votes, (2, 1))) == pytest.approx(fleiss_kappa(votes))


def test_kappa_is_one_if_all_agree_and_below_zero_if_all_differ() -> None:
    assert fleiss_kappa(votes_of([9, 0, 0, 0], [0, 0, 9, 0], [0, 5, 0, 0])) == pytest.approx(1)
    assert fleiss_kappa(votes_of([1, 1, 0, 0], [0, 0, 1, 1])) < 0


@pytest.mark.parametrize("votes", [[[0, 0, 0, 0]], [[1, 0, 0, 0], [0, 1, 0, 0]], [[9, 0, 0, 0], [3, 0, 0, 0]]])
def test_agreement_that_cannot_be_known_is_not_a_number(votes: list[list[int]]) -> None:
    assert math.isnan(fleiss_kappa(votes_of(*votes)))


@pytest.mark.parametrize("scheme", TABLE)
def test_a_crowd_of_nine_gives_the_fractions_back_within_sampling_error(scheme: str) -> None:
    row = agreement(votes_of_a_crowd(scheme, 2000))
    for found, known in zip(row["shares"], TABLE[scheme], strict=True):
        assert found == pytest.approx(known, abs=3 * math.sqrt(known * (1 - known) / 2000) + 0.01)
    assert row["raw"] == pytest.approx(TABLE[scheme], abs=0.035)


@pytest.mark.parametrize("sight", [0.0, 0.3, 0.8, 1.0])
def test_the_kappa_of_a_crowd_is_its_sight_squared(sight: float) -> None:
    assert fleiss_kappa(votes_of_a_crowd("low-active", 2000, sight=sight)) == pytest.approx(sight**2, abs=0.03)
