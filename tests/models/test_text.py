"""The character-level network: codes, what it learns, and texts that belong to their seeds."""

from itertools import repeat
from typing import Any

import pytest
import torch

from toolkit.models import create
from toolkit.models.text import END, TextBatches, decode, encode
from toolkit.seeds import Noise
from toolkit.train import fit

ALPHABET = "abcdeé "


def network(**options: Any) -> Any:
    return create("CharRNN", {"alphabet": ALPHABET, "length": 8, "hidden": 16, **options}, seed=0)


def test_texts_survive_their_codes_and_are_cut_or_filled() -> None:
    texts = ["abba", "", "é b", "abcdeabcde"]
    codes = encode(texts, ALPHABET, 8)
    assert codes.dtype == torch.uint8 and codes.shape == (4, 8) and codes[1].eq(END).all()
    assert decode(codes, ALPHABET) == ["abba", "", "é b", "abcdeabc"]
    with pytest.raises(ValueError, match="^there is no 'x' among the characters that were learned: 'abcdeé '$"):
        encode(["ab", "axe"], ALPHABET, 8)


def test_a_text_depends_on_its_own_seed_and_not_on_its_neighbours() -> None:
    for model in (network(), network(words=False)):
        together = model.texts(model.write(Noise(range(40))))
        assert [model.texts(model.write(Noise([seed])))[0] for seed in range(40)] == together
        assert model.texts(model.write(Noise([7, 3, 7]))) == [together[7], together[3], together[7]]
        assert len({*together}) > 20
    assert network().write(Noise([])).shape[0] == 0


def test_words_end_by_themselves_and_running_text_goes_on_for_as_long_as_asked() -> None:
    words, running = network().write(Noise(range(60))), network(words=False).write(Noise(range(60)), length=30)
    assert words.shape == (60, 8) and words.eq(END).any() and running.shape == (60, 30) and running.ne(END).all()
    assert all(not row[length:].any() for row, length in zip(words, words.ne(END).sum(1), strict=True))
    begun = network(words=False).write(Noise([5]), start="abé", length=4)
    assert decode(begun, ALPHABET)[0].startswith("abé") and begun.shape == (1, 7)


def test_what_is_learned_comes_back_the_surer_the_colder() -> None:
    rows = encode(["abcd", "abé"], ALPHABET, 8)
    model = fit(network(lr=0.03), repeat(rows), steps=80)
    assert 0.15 < model.loss(rows) < 0.3  # nats: of nine characters two are a choice of two, 0.154 at best
    cold = {*model.texts(model.write(Noise(range(50)), temperature=0.01))}
    assert len(cold) == 1 and cold < {"abcd", "abé"}
    share = [sum(text in ("abcd", "abé") for text in model.texts(model.write(Noise(range(200)), temperature=t)))
             for t in (0.5, 1.0, 3.0)]  # fmt: skip
    assert share[0] > share[1] > share[2]
    assert {*model.texts(model.write(Noise(range(20)), start="abc", temperature=0.05))} == {"abcd"}


def test_the_loss_is_that_of_each_character_and_one_end_whatever_fills_the_row() -> None:
    model, rows = network(), encode(["ab", "c"], ALPHABET, 8)
    logits, _ = model(torch.tensor([[END, 1, 2], [END, 3, END]]))
    p = logits.log_softmax(2)
    by_hand = -(p[0, 0, 1] + p[0, 1, 2] + p[0, 2, END] + p[1, 0, 3] + p[1, 1, END]) / 5
    torch.testing.assert_close(model.loss(rows), by_hand)
    torch.testing.assert_close(model.loss(rows[:, :3]), by_hand)


def test_batches_are_rows_of_codes_without_what_is_empty_in_all_of_them() -> None:
    rows = encode(["ab", "c", "abc", "e"], ALPHABET, 8)
    batch = next(iter(TextBatches(rows, batch=4, seed=1)))
    assert batch.shape == (4, 4) and {*decode(batch, ALPHABET)} == {"ab", "c", "abc", "e"}
    on = next(iter(TextBatches(rows, batch=4, seed=1).on(torch.device("meta"))))
    assert on.is_meta and on.shape == (4, 8)


@pytest.mark.parametrize(
    ("how", "named"),
    [({"temperature": 0.0}, "temperature is 0.0"), ({"temperature": float("nan")}, "temperature is nan"),
     ({"length": 0}, "length is 0"), ({"start": "z"}, "no 'z'")],
)  # fmt: skip
def test_what_cannot_be_written_is_one_sentence(how: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{named}[^\n]*$"):
        network().write(Noise([0]), **how)


@pytest.mark.parametrize("alphabet", ["", "abca", "".join(map(chr, range(300, 600)))])
def test_an_alphabet_has_one_to_255_different_characters(alphabet: str) -> None:
    with pytest.raises(ValueError, match="^alphabet is [^\n]+: give 1 to 255 different characters$"):
        create("CharRNN", {"alphabet": alphabet})
