"""Consensus and agreement, where the answer is known: by hand, from a textbook, and of a crowd whose mind we made."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.annotators import annotate
from toolkit.metrics.agreement import consensus, fleiss_kappa, shares, summary, tally, tied

FLEISS = [  # ten subjects, fourteen raters, five categories: the example that is worked out everywhere
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
TABLE = {"low-active": (0.39, 0.50, 0.11, 0.0), "regular": (0.10, 0.03, 0.85, 0.02)}


def votes_of(*rows: list[int]) -> Tensor:
    return torch.tensor(rows)


def votes_of_a_crowd(scheme: str, images: int, **crowd_of: float) -> Tensor:
    """What nine annotators say of the pictures of one scheme."""
    rows = annotate([scheme] * images, TABLE, **crowd_of)
    return tally(((row.image, row.label - 1) for row in rows), images)


# consensus


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
    assert not consensus(votes_of(split)).any()
    assert tied(votes_of(split)).all()
    assert summary(votes_of(split))["tied"] == 1


def test_several_labels_count_where_each_was_given_often_enough() -> None:
    votes = votes_of([3, 3, 3, 0], [4, 4, 1, 0], [6, 3, 0, 0], [2, 2, 2, 2])
    assert consensus(votes, ties="multi").sum(1).tolist() == [3, 2, 2, 0]
    assert shares(consensus(votes, ties="multi")).tolist() == pytest.approx([3 / 7, 3 / 7, 1 / 7, 0])
    assert summary(votes, ties="multi")["tied"] == 0


def test_two_who_agree_make_no_tie_where_three_must() -> None:
    row = summary(votes_of([2, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]))
    assert (row["tied"], row["short"], row["consensus"]) == (0, 3, 0)


@pytest.mark.parametrize("ties", ["drop", "multi"])
def test_every_image_is_counted_once(ties: str) -> None:
    votes = torch.randint(0, 5, (200, 4), generator=torch.Generator().manual_seed(1))
    row = summary(votes, ties=ties)
    assert row["consensus"] + row["tied"] + row["short"] == row["images"] == 200
    assert sum(row["shares"]) == pytest.approx(1)


def test_of_nine_annotators_some_label_always_has_three() -> None:
    assert summary(votes_of_a_crowd("regular", 100, sight=0))["short"] == 0


def test_without_labels_there_are_no_shares() -> None:
    row = summary(votes_of([0, 0, 0, 0]))
    assert all(math.isnan(value) for value in [*row["shares"], *row["raw"], row["kappa"]])


@pytest.mark.parametrize("way", [{"ties": "coin"}, {"least": 0}])
def test_an_unknown_rule_is_refused(way: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="choose one of drop, multi|at least one"):
        consensus(votes_of([3, 0, 0, 0]), **way)  # type: ignore[arg-type]


# agreement


def test_kappa_of_the_textbook_is_0_21() -> None:
    assert fleiss_kappa(votes_of(*FLEISS)) == pytest.approx(0.2099, abs=5e-5)


def test_kappa_is_one_if_all_agree_and_below_zero_if_all_differ() -> None:
    assert fleiss_kappa(votes_of([9, 0, 0, 0], [0, 0, 9, 0], [0, 5, 0, 0])) == pytest.approx(1)
    assert fleiss_kappa(votes_of([1, 1, 0, 0], [0, 0, 1, 1])) < 0


def test_kappa_leaves_out_images_that_nobody_rated_and_does_not_change_if_all_votes_double_in_images() -> None:
    votes = votes_of(*FLEISS)
    assert fleiss_kappa(torch.cat([votes, votes_of([0] * 5)])) == fleiss_kappa(votes)
    assert fleiss_kappa(votes.repeat(2, 1)) == pytest.approx(fleiss_kappa(votes))


def test_kappa_stays_where_it_was_if_some_annotators_stop_halfway() -> None:
    rows = [row for row in annotate(["low-active"] * 3000, TABLE) if row.image < 1500 or row.annotator < "annotator 4"]
    votes = tally(((row.image, row.label - 1) for row in rows), 3000)
    assert votes.sum(1).unique().tolist() == [3, 9]
    assert fleiss_kappa(votes) == pytest.approx(0.64, abs=0.03)


@pytest.mark.parametrize("votes", [[[0, 0, 0, 0]], [[1, 0, 0, 0], [0, 1, 0, 0]], [[9, 0, 0, 0], [3, 0, 0, 0]]])
def test_agreement_that_cannot_be_known_is_not_a_number(votes: list[list[int]]) -> None:
    assert math.isnan(fleiss_kappa(votes_of(*votes)))


# a crowd of nine, whose mind is known


@pytest.mark.parametrize("scheme", TABLE)
def test_a_crowd_of_nine_gives_the_fractions_back_within_sampling_error(scheme: str) -> None:
    row = summary(votes_of_a_crowd(scheme, 2000))
    for found, known in zip(row["shares"], TABLE[scheme], strict=True):
        assert found == pytest.approx(known, abs=3 * math.sqrt(known * (1 - known) / 2000) + 0.01)
    assert row["raw"] == pytest.approx(TABLE[scheme], abs=0.035)


@pytest.mark.parametrize("sight", [0.0, 0.3, 0.8, 1.0])
def test_the_kappa_of_a_crowd_is_its_sight_squared(sight: float) -> None:
    assert fleiss_kappa(votes_of_a_crowd("low-active", 2000, sight=sight)) == pytest.approx(sight**2, abs=0.03)


def test_the_less_a_crowd_sees_the_more_of_its_images_tie() -> None:
    ties = [summary(votes_of_a_crowd("low-active", 1000, sight=sight))["tied"] for sight in (1.0, 0.7, 0.3)]
    assert ties[0] == 0
    assert all(fewer < more for fewer, more in pairwise(ties))


def test_of_mere_guesses_the_consensus_makes_the_commonest_label() -> None:
    row = summary(votes_of_a_crowd("low-active", 1000, sight=0))
    assert row["shares"][1] > 0.6
    assert row["raw"][1] == pytest.approx(0.5, abs=0.03)
