"""Words against a list: the nearest by a slow table, and models of letters that know words from shuffled letters."""

import random

import numpy as np
import pytest

from toolkit.data import text
from toolkit.metrics import words
from toolkit.metrics.words import Lexicon, NGrams, measure, rows, shuffled

ENGLISH = text.load("words").vocabulary


def edits(a: str, b: str) -> int:
    """The edit distance by the table of all prefixes."""
    row = [*range(len(b) + 1)]
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(diagonal + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def test_the_nearest_word_is_that_of_a_slow_search() -> None:
    draw = random.Random(0)
    listed = [*draw.sample(ENGLISH, 60), "é", "a" * 70]
    known = Lexicon(listed)
    others = [*draw.sample(ENGLISH, 12), "", "q", "éé", "zzzz", "x" * 63, "a" * 65, "cat", listed[0]]
    for word in others:
        found, distance = known.nearest(word)
        assert distance == edits(word[:63], found) == min(edits(word[:63], each[:63]) for each in listed), word
    assert known.nearest(listed[0]) == (listed[0], 0) and listed[0] in known and "cat" not in known
    with pytest.raises(ValueError, match="no words to compare with"):
        Lexicon([])


def test_words_of_the_language_need_fewer_bits_than_their_letters_shuffled() -> None:
    learned, unseen = ENGLISH[::20], ENGLISH[7::300]
    model = NGrams(learned)
    real, mixed = (np.mean([model.bits(word) for word in each]) for each in (unseen, shuffled(unseen)))
    assert np.mean([model.bits(word) for word in learned[::20]]) < real < mixed - 1
    assert [sorted(a) == sorted(b) for a, b in zip(unseen, shuffled(unseen), strict=True)] == [True] * len(unseen)
    assert shuffled(unseen, 1) == shuffled(unseen, 1) != shuffled(unseen, 2)


def test_the_chances_of_all_next_letters_add_up_to_one() -> None:
    model = NGrams(["aba", "abc"])
    for begun in ("", "a", "ab", "abc", "x"):
        whole = [2 ** -(model.bits(begun + letter) * (len(begun) + 2)) for letter in "abc"]
        assert 0 < sum(whole) < 1  # an end after one more letter, and others are possible
    assert 2 ** -(model.bits("aba") * 4) + 2 ** -(model.bits("abc") * 4) > 0.3


def test_a_set_of_words_is_measured_as_it_is() -> None:
    known = Lexicon(["cat", "dog", "horse"])
    found = rows(["cat", "cot", "cat", "zebra"], known, NGrams(["cat", "dog"]), frozenset(["cat"]))
    assert found["new"].tolist() == [0, 1, 0, 1] and found["learned"].tolist() == [1, 0, 1, 0]
    assert found["distinct"].tolist() == [1, 1, 0, 1] and found["distance"].tolist() == [0, 1, 0, edits("zebra", "cat")]
    row = measure(["cat", "cot", "cat", "zebra"], found)
    assert {*row} == {*words.MEASURES} and (row["new_share"], row["distinct_share"], row["length"]) == (0.5, 0.75, 3.5)
    with pytest.raises(ValueError, match="no words to measure"):
        measure([], rows([], known, NGrams([])))


def test_the_entropy_of_pairs_is_that_of_fair_choices() -> None:
    assert words.bigram_entropy(["aaa" * 1000]) == pytest.approx(0, abs=0.02)
    assert words.bigram_entropy(["a", "b"]) == 2.0  # four pairs, alike in number
