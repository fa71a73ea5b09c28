"""Which generators a measure puts first, with orders that are known."""

from collections.abc import Callable

import pytest

from toolkit.metrics.stats import agreement, concordance, labels_of_first, ranked

SCORES = {"noise": 0.1, "digits": 0.2, "symbols": 0.6, "letters": 0.9}
LABELS = {"noise": "bad", "digits": "digits", "symbols": "letters", "letters": "letters"}


def test_the_highest_comes_first_and_equal_ones_by_name() -> None:
    assert ranked(SCORES) == ["letters", "symbols", "digits", "noise"]
    assert ranked({"b": 1, "a": 1, "c": 2}) == ["c", "a", "b"]


def test_the_first_ones_are_counted_by_label_and_a_label_without_any_is_zero() -> None:
    assert labels_of_first(SCORES, LABELS, 3) == {"bad": 0, "digits": 1, "letters": 2}
    assert sum(labels_of_first(SCORES, LABELS, 4).values()) == 4


def test_measures_that_rank_alike_agree_whatever_their_amounts() -> None:
    table = {
        "count": SCORES,
        "squared": {name: score**2 for name, score in SCORES.items()},
        "turned": {name: -score for name, score in reversed(SCORES.items())},
    }
    assert agreement(table) == {("count", "squared"): 1, ("count", "turned"): -1, ("squared", "turned"): -1}


def test_an_order_that_holds_is_one_turned_round_zero_and_flat_a_half() -> None:
    tiers = [["noise", "digits"], ["symbols"], ["letters"]]
    assert concordance(SCORES, tiers) == 1 and concordance(SCORES, tiers[::-1]) == 0
    assert concordance(dict.fromkeys(SCORES, 0.3), tiers) == 0.5


def test_pairs_of_one_tier_do_not_count() -> None:
    assert concordance({"a": 1, "b": 3, "c": 2}, [["a", "b"], ["c"]]) == 0.5
    assert concordance({"a": 1, "b": 2, "c": 2}, [["a", "b"], [], ["c"]]) == 0.75


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: labels_of_first(SCORES, LABELS, 5),
        lambda: labels_of_first(SCORES, {"noise": "bad"}, 1),
        lambda: agreement({"count": SCORES, "max": {"noise": 1, "digits": 2}}),
        lambda: concordance(SCORES, [["noise", "digits"], []]),
        lambda: concordance(SCORES, [["noise"], ["noise", "digits"]]),
        lambda: concordance(SCORES, [["noise"], ["faces"]]),
    ],
)
def test_what_cannot_be_ranked_is_refused_in_one_sentence(wrong: Callable) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        wrong()
