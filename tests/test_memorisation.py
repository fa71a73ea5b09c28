"""Copies are found, and unseen images of the same kind are not taken for copies."""

import math
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor

from toolkit.metrics.distance import authenticity, data_copying, memorisation, memorised_share, nearer_share


def noise(count: int, seed: int = 1) -> Tensor:
    return torch.rand(count, 1, 2, 2, generator=torch.Generator().manual_seed(seed))


def grey(*levels: float) -> Tensor:
    """Flat images of these brightnesses: (B, 1, 2, 2)."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, 1, 2, 2)


def test_copies_are_found_by_every_measure() -> None:
    training, held_out = noise(300), noise(200, seed=2)
    row = memorisation(training[:200], training, held_out)
    assert row["memorised_share"] == 1 == row["nearer_share"] and row["authenticity"] == 0
    assert row["data_copying"] < -10 and 0.3 < row["authenticity_held_out"] < 0.8


def test_unseen_images_of_the_same_kind_are_no_copies() -> None:
    row = memorisation(noise(400, seed=3), noise(300), noise(400, seed=2))
    assert row["memorised_share"] < 0.03 and row["nearer_share"] == pytest.approx(0.5, abs=0.06)
    assert abs(row["data_copying"]) < 3
    assert row["authenticity"] == pytest.approx(row["authenticity_held_out"], abs=0.1)


def test_images_farther_out_than_unseen_ones_are_told_from_copies() -> None:
    row = memorisation(grey(*[0, 1] * 100), grey(0.5, 0.51, 0.52), noise(200, seed=2))
    assert row["data_copying"] > 10 and row["nearer_share"] == 0 == row["memorised_share"]
    assert row["authenticity"] == 1


def test_blank_images_are_nearer_than_unseen_ones_and_yet_not_memorised() -> None:
    blank = torch.zeros(200, 1, 6, 6)
    training, held_out = ((torch.rand(200, 1, 6, 6) < 0.15).float() for _ in range(2))
    row = memorisation(blank, training, held_out)
    assert row["data_copying"] < -3 and row["nearer_share"] > 0.6
    assert row["memorised_share"] == 0


def test_a_tenth_of_copies_among_the_unseen_is_the_share_that_is_found() -> None:
    training, held_out = noise(300), noise(500, seed=2)
    mixed = torch.cat([training[:20], noise(180, seed=3)])
    found = memorisation(mixed, training, held_out)["memorised_share"]
    assert found == pytest.approx(0.1, abs=0.02)


def test_pairs_are_counted_by_hand() -> None:
    x, held_out = torch.tensor([0.0, 1, 2]), torch.tensor([1.0, 3])
    nearer = sum((a < b) + (a == b) / 2 for a, b in product(x.tolist(), held_out.tolist())) / 6
    assert nearer_share(x, held_out) == pytest.approx(nearer) == pytest.approx(4.5 / 6)
    assert nearer_share(held_out, x) == pytest.approx(1.5 / 6)


def test_the_score_is_the_standard_one_of_mann_and_whitney() -> None:
    x, held_out = torch.arange(5.0), torch.arange(5.0) + 10
    assert data_copying(x, held_out) == pytest.approx(-12.5 / math.sqrt(25 * 11 / 12))
    assert data_copying(held_out, x) == pytest.approx(12.5 / math.sqrt(25 * 11 / 12))
    tied = torch.tensor([0.0, 1])
    assert data_copying(torch.zeros(2), tied) == pytest.approx(-1 / math.sqrt(4 / 12 * (5 - 24 / 12)))


def test_equal_distances_say_nothing() -> None:
    assert data_copying(torch.ones(5), torch.ones(9)) == 0
    assert nearer_share(torch.ones(5), torch.ones(9)) == 0.5 and memorised_share(torch.ones(5), torch.ones(9)) == 0


def test_a_wider_quantile_never_finds_fewer() -> None:
    x, held_out = torch.rand(100), torch.rand(100)
    found = [memorised_share(x, held_out, quantile) for quantile in (0, 0.01, 0.1, 0.5, 1)]
    assert found == sorted(found) and found[0] < 0.1 and found[-1] > 0.9


def test_an_image_is_authentic_if_it_is_farther_than_the_neighbours_are_from_each_other() -> None:
    training = grey(0.2, 0.3, 0.8)  # 0.1 apart, 0.1, and 0.5
    assert authenticity(grey(0.05), training) == 1 and authenticity(grey(0.15), training) == 0
    assert authenticity(grey(0.95), training) == 0 and authenticity(grey(0.05, 0.15), training) == 0.5


def test_bytes_are_the_same_images() -> None:
    sets = [(255 * noise(50, seed)).byte() for seed in range(3)]
    assert memorisation(*sets) == memorisation(*(x.float() / 255 for x in sets))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: memorisation(noise(0), noise(5), noise(5)),
        lambda: memorisation(noise(5), noise(5), noise(0)),
        lambda: authenticity(noise(0), noise(5)),
        lambda: authenticity(noise(3), noise(1)),
        lambda: memorised_share(torch.rand(3), torch.rand(3), 2),
        lambda: nearer_share(torch.rand(3, 2), torch.rand(3)),
    ],
)
def test_sets_that_say_nothing_are_refused_in_one_sentence(wrong: Callable) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        wrong()
