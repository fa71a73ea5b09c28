"""Measures of words against a list of known ones: are they new, how far is the nearest, how pronounceable are they.

Needs no torch. New is what is not in the list; somebody may know it all the same.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 63  # letters of a word that are compared: as many as a machine word has bits, but one
ORDER = 4  # letters of an n-gram
EDGE = "\n"  # stands before a word, and after it
MEASURES = {
    "new_share": "share of words that are not in the list",
    "learned_share": "share of words that the model learned; the others of the list it found by itself",
    "distinct_share": "share of words that differ from those before them",
    "length": "letters of a word",
    "distance": "letters to change, put in or leave out until it is a word of the list (edit distance)",
    "bits": "bits a letter that a 4-gram model of the words learned needs for it: pronounceable words need few",
    "bigram_entropy": "entropy of the pairs of letters of all words together, in bits: few if they are alike",
}
"""Descriptions of the numbers of `measure`."""


class Lexicon:
    """A list of words to look up the nearest one in."""

    def __init__(self, words: Iterable[str]) -> None:
        """Raises ValueError for no words."""
        self.words = sorted({word[:BITS] for word in words}, key=lambda word: (len(word), word))
        if not self.words:
            raise ValueError("there are no words to compare with: give a list of some")
        self._known = frozenset(self.words)
        self._lengths = np.array([len(word) for word in self.words])
        letters = np.array(self.words, f"U{self._lengths[-1] or 1}").view(np.uint32).reshape(len(self.words), -1)
        self._alphabet, codes = np.unique(letters, return_inverse=True)
        self._columns = np.ascontiguousarray(codes.reshape(letters.shape).T)  # (letters, words)

    def __contains__(self, word: object) -> bool:
        return word in self._known

    def nearest(self, word: str) -> tuple[str, int]:
        """The word of the list that is nearest by edit distance (Levenshtein, 1966), and that distance.

        Of equally near ones always the same. Only the first `BITS` letters count.
        """
        word, reach = word[:BITS], 1  # a word whose length differs by more than that is farther than that
        if word in self._known:
            return word, 0
        while True:
            first, last = np.searchsorted(self._lengths, [len(word) - reach, len(word) + reach + 1]).tolist()
            distances = self._distances(word, first, last)
            best = int(distances.min(initial=BITS + 1))
            if best <= reach + 1 or last - first == len(self.words):
                return self.words[first + int(distances.argmin())], best
            reach = max(reach + 1, min(best - 1, BITS))

    def _distances(self, word: str, first: int, last: int) -> NDArray[np.int64]:
        """Edit distances of a word to those of the list from `first` to before `last`.

        The columns of the table of all prefixes, a bit a row (Myers, 1999; Hyyrö, 2003), of all words together: the
        differences from row to row are +1 in `up` and -1 in `down`.
        """
        lengths = self._lengths[first:last]
        distances = np.full(last - first, len(word))
        if not word:
            return lengths
        bits: Any = next(kind for kind in (np.uint16, np.uint32, np.uint64) if np.iinfo(kind).bits >= len(word))
        places = np.zeros(len(self._alphabet), bits)  # of each letter, where it is in the word
        for at, letter in enumerate(word):
            places[self._alphabet == ord(letter)] |= bits(1 << at)
        one, top = bits(1), bits(len(word) - 1)
        up, down = np.full(last - first, ~bits(0)), np.zeros(last - first, bits)
        for column in range(int(lengths[-1]) if len(lengths) else 0):
            now = np.s_[int(np.searchsorted(lengths, column, "right")) :]  # the words that are not over
            p, m, equal = up[now], down[now], places[self._columns[column, first:last][now]]
            right = (((equal & p) + p) ^ p) | equal
            rise, fall = m | ~(right | p), p & right
            distances[now] += ((rise >> top) & one).astype(np.int64) - ((fall >> top) & one).astype(np.int64)
            rise, fall, m = (rise << one) | one, fall << one, equal | m
            up[now], down[now] = fall | ~(m | rise), rise & m
        return distances


class NGrams:
    """A model of letters by the three before them, of a list of words (Witten & Bell, 1991, interpolated)."""

    def __init__(self, words: Iterable[str], order: int = ORDER) -> None:
        self.order = order
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for word in words:
            text = EDGE + word + EDGE
            for at in range(1, len(text)):
                for before in range(max(0, at - order + 1), at + 1):
                    self._counts[text[before:at]][text[at]] += 1
        self._totals = {context: sum(counts.values()) for context, counts in self._counts.items()}

    def bits(self, word: str) -> float:
        """The bits that the model needs for a word, its end too, on average over its letters and the end."""
        text, bits = EDGE + word + EDGE, 0.0
        for at in range(1, len(text)):
            p = 1 / (1 + len(self._counts.get("", ())))  # all letters alike, one more for those that are unknown
            for before in range(at, max(0, at - self.order + 1) - 1, -1):
                if not (counts := self._counts.get(text[before:at])):
                    break
                p = (counts[text[at]] + len(counts) * p) / (self._totals[text[before:at]] + len(counts))
            bits -= math.log2(p)
        return bits / (len(text) - 1)


def rows(
    words: Sequence[str], known: Lexicon, ngrams: NGrams, learned: Collection[str] = ()
) -> dict[str, NDArray[np.float32]]:
    """What is measured of each word: new, learned and distinct (1 or 0), length, distance, bits; float32 (N,) each.

    ngrams: a model of the words learned; distinct: whether a word differs from all before it. See `MEASURES`.
    """
    first = {word: at for at, word in reversed([*enumerate(words)])}
    found = {
        "new": [word not in known for word in words],
        "learned": [word in learned for word in words],
        "distinct": [first[word] == at for at, word in enumerate(words)],
        "length": [len(word) for word in words],
        "distance": [known.nearest(word)[1] for word in words],
        "bits": [round(ngrams.bits(word), 3) for word in words],
    }
    return {name: np.array(values, np.float32) for name, values in found.items()}


def measure(words: Sequence[str], of_each: dict[str, NDArray[np.float32]]) -> dict[str, float]:
    """What a set of words is like: the numbers of `MEASURES`. of_each: from `rows`. Raises ValueError for no words."""
    if not words:
        raise ValueError("there are no words to measure: give some")
    means = {name: float(values.mean(dtype=np.float64)) for name, values in of_each.items()}
    shares = {f"{name}_share": means.pop(name) for name in ("new", "learned", "distinct")}
    return {**shares, **means, "bigram_entropy": bigram_entropy(words)}


def bigram_entropy(words: Iterable[str]) -> float:
    """The entropy of the pairs of neighbouring letters of all words, in bits; its edges are letters too."""
    pairs = Counter(pair for word in words for pair in zip(EDGE + word, word + EDGE, strict=True))
    total = sum(pairs.values())
    return -sum(count / total * math.log2(count / total) for count in pairs.values())


def shuffled(words: Sequence[str], seed: int = 0) -> list[str]:
    """The same words, each with its letters in a random order: of the same length and letters, and no words."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.permutation([*word])) for word in words]
