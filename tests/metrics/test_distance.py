"""Distances where the answer is known: novelty, copies, what a decoder can draw, where iterated images end up."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.data import load
from toolkit.metrics import blank_share, diversity, nearest, novelty, unique_share
from toolkit.metrics.attractors import distinct, effective, flow, movement, single_linkage, standing_still
from toolkit.metrics.distance import (
    authenticity,
    data_copying,
    encoder_distance,
    mean_picture_power,
    memorisation,
    memorised_share,
    nearer_share,
    optimised_distance,
    originals,
)
from toolkit.models import create


def noise(count: int, size: int = 28, seed: int = 1) -> Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def grey(*levels: float) -> Tensor:
    """Flat images of these brightnesses: (B, 1, 4, 4)."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, 1, 4, 4).clone()


# novelty, and sets


def test_a_copy_is_exactly_zero_away_and_points_to_its_original() -> None:
    reference = (noise(300) * 255).byte()
    distances, rows = nearest(reference[[7, 250, 31]].float() / 255, reference)
    assert distances.tolist() == [[0], [0], [0]] and rows.tolist() == [[7], [250], [31]]


def test_black_is_one_away_from_white_and_half_from_grey() -> None:
    distances, rows = nearest(grey(0), grey(1, 0.5), k=2)
    assert torch.allclose(distances, torch.tensor([[0.5, 1.0]])) and rows.tolist() == [[1, 0]]
    assert nearest(grey(0, 0), grey(1, 0, 0, 0, 0, 0), k=3)[1].tolist() == [[1, 2, 3], [1, 2, 3]]  # the first ones


def test_the_nearest_are_those_of_a_comparison_with_every_image_whatever_the_batch() -> None:
    x, reference = noise(20), noise(700).flip(0)
    exact = (x[:, None] - reference[None]).square().flatten(2).mean(2).sqrt().sort(1)
    distances, rows = nearest(x, reference, k=5)
    assert torch.equal(rows, exact.indices[:, :5])
    assert torch.allclose(distances, exact.values[:, :5], atol=1e-6)
    alone = [nearest(image[None], reference, k=5) for image in x]
    assert torch.equal(distances, torch.cat([pair[0] for pair in alone]))
    assert torch.equal(rows, torch.cat([pair[1] for pair in alone]))
    assert torch.equal(novelty(x, reference, k=5), distances.mean(1)) and novelty(x[:0], reference).shape == (0,)


def test_diversity_is_the_mean_distance_over_all_pairs() -> None:
    x = noise(30)
    pairs = [(x[i] - x[j]).square().mean().sqrt() for i in range(30) for j in range(i)]
    assert diversity(x) == pytest.approx(torch.stack(pairs).mean().item(), rel=1e-5)
    assert [diversity(some) for some in (grey(0, 1), x[:1].repeat(7, 1, 1, 1), x[:1])] == [1, 0, 0]


def test_blank_images_have_no_bright_pixel_and_those_that_agree_in_black_and_white_count_once(images: Tensor) -> None:
    assert blank_share(images) == 0
    assert blank_share(torch.cat([images * 0.5, images])) == 0.5
    assert unique_share(images) == 1 and unique_share(torch.cat([images[:4], images[:4] * 0.9])) == 0.5


# memorisation


def test_copies_are_found_by_every_measure_and_unseen_images_of_the_same_kind_are_none() -> None:
    training, held_out = (255 * noise(300, 2)).byte(), (255 * noise(200, 2, seed=2)).byte()
    row = memorisation(training[:200], training, held_out)
    assert row["memorised_share"] == 1 == row["nearer_share"] and row["authenticity"] == 0
    assert row["data_copying"] < -10 and 0.3 < row["authenticity_held_out"] < 0.8
    assert row == memorisation(training[:200] / 255, training / 255, held_out / 255)
    unseen = memorisation(noise(400, 2, seed=3), noise(300, 2), noise(400, 2, seed=2))
    assert unseen["memorised_share"] < 0.03 and unseen["nearer_share"] == pytest.approx(0.5, abs=0.06)
    assert abs(unseen["data_copying"]) < 3
    assert unseen["authenticity"] == pytest.approx(unseen["authenticity_held_out"], abs=0.1)


def test_images_farther_out_than_unseen_ones_are_told_from_copies() -> None:
    row = memorisation(grey(*[0, 1] * 100), grey(0.5, 0.51, 0.52), noise(200, 4, seed=2))
    assert row["data_copying"] > 10 and row["nearer_share"] == 0 == row["memorised_share"]
    assert row["authenticity"] == 1


def test_blank_images_are_nearer_than_unseen_ones_and_yet_not_memorised() -> None:
    training, held_out = ((torch.rand(200, 1, 6, 6) < 0.15).float() for _ in range(2))
    row = memorisation(torch.zeros(200, 1, 6, 6), training, held_out)
    assert row["data_copying"] < -3 and row["nearer_share"] > 0.6 and row["memorised_share"] == 0


def test_a_tenth_of_copies_among_the_unseen_is_the_share_that_is_found() -> None:
    training, held_out = noise(300, 2), noise(500, 2, seed=2)
    mixed = torch.cat([training[:20], noise(180, 2, seed=3)])
    assert memorisation(mixed, training, held_out)["memorised_share"] == pytest.approx(0.1, abs=0.02)


def test_pairs_are_counted_by_hand() -> None:
    x, held_out = torch.tensor([0.0, 1, 2]), torch.tensor([1.0, 3])
    nearer = sum((a < b) + (a == b) / 2 for a, b in product(x.tolist(), held_out.tolist())) / 6
    assert nearer_share(x, held_out) == pytest.approx(nearer) == pytest.approx(4.5 / 6)
    assert nearer_share(held_out, x) == pytest.approx(1.5 / 6)


def test_the_score_is_the_standard_one_of_mann_and_whitney() -> None:
    x, held_out = torch.arange(5.0), torch.arange(5.0) + 10
    assert data_copying(x, held_out) == pytest.approx(-12.5 / math.sqrt(25 * 11 / 12)) == -data_copying(held_out, x)
    ties = torch.tensor([0.0, 1])
    assert data_copying(torch.zeros(2), ties) == pytest.approx(-1 / math.sqrt(4 / 12 * (5 - 24 / 12)))


def test_equal_distances_say_nothing() -> None:
    five, nine = torch.ones(5), torch.ones(9)
    assert (data_copying(five, nine), nearer_share(five, nine), memorised_share(five, nine)) == (0, 0.5, 0)


def test_an_image_is_authentic_if_it_is_farther_than_the_neighbours_are_from_each_other() -> None:
    training = grey(0.2, 0.3, 0.8)  # 0.1 apart, 0.1, and 0.5
    found = [authenticity(grey(*levels), training) for levels in ([0.05], [0.15], [0.95], [0.05, 0.15])]
    assert found == [1, 0, 0, 0.5]


# reconstruction


class Left(nn.Module):
    """Draws the left half of a 2x2 picture from a code of two numbers, the right half is always black."""

    code_shape = (2,)

    def encode(self, x: Tensor) -> Tensor:
        return x[:, 0, :, 0] / 2  # not quite where it should be

    def decode(self, z: Tensor) -> Tensor:
        return torch.stack([z, torch.zeros_like(z)], 2)[:, None]


class Blind(nn.Module):
    """The same without an encoder."""

    code_shape, decode = (2,), Left.decode


def pictures(count: int = 3) -> Tensor:
    return noise(count, 2)


def vae() -> Any:
    return create("VAE", {"widths": (12, 10, 8), "z": 3, "size": 8}, seed=0)


def test_the_round_trip_is_a_norm_over_pixels() -> None:
    x = torch.tensor([[[[0.8, 0.3], [0.6, 0.4]]]])
    assert encoder_distance(Left(), x).tolist() == pytest.approx([(0.4**2 + 0.3**2 + 0.3**2 + 0.4**2) ** 0.5])


@pytest.mark.parametrize("model", [Left(), Blind()])
def test_what_the_decoder_draws_is_no_distance_away_and_the_rest_is(model: nn.Module) -> None:
    x = pictures()
    inside, outside = x * torch.tensor([1.0, 0.0]), (x * torch.tensor([0.0, 1.0])).flatten(1).norm(dim=1)
    assert optimised_distance(model, inside, steps=300).max() < 1e-2
    assert torch.allclose(optimised_distance(model, x, steps=300), outside, atol=1e-2)


@pytest.mark.parametrize("steps", [1, 5, 60])
def test_minimising_never_ends_farther_than_the_round_trip_and_leaves_the_model_alone(steps: int) -> None:
    model, x, state = vae(), noise(6, 8), torch.random.get_rng_state()
    assert (optimised_distance(model, x, steps=steps, starts=2) <= encoder_distance(model, x) + 1e-6).all()
    assert all(weight.grad is None and not weight.requires_grad for weight in model.parameters())
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_minimised_distance_does_not_depend_on_the_other_images_nor_on_how_they_are_cut() -> None:
    x = pictures(5)
    whole = optimised_distance(Left(), x, steps=20)
    assert torch.allclose(whole, torch.cat([optimised_distance(Left(), one[None], steps=20) for one in x]), atol=1e-6)
    assert torch.allclose(whole, optimised_distance(Left(), x, steps=20, batch=2), atol=1e-6)


# movement, and how many pictures there are


def test_a_copy_has_not_moved_black_to_white_is_one_and_each_image_moves_by_itself(images: Tensor) -> None:
    assert movement(images, images).tolist() == [0] * 6
    assert movement(grey(0, 1, 0.5), grey(1, 0, 0.25)).tolist() == [1, 1, 0.25]
    together = movement(images, images.flip(0))
    assert all(torch.equal(movement(images[i : i + 1], images.flip(0)[i : i + 1])[0], together[i]) for i in range(6))


def test_a_copy_stands_still_whatever_the_tolerance_and_nothing_else_does_at_none(images: Tensor) -> None:
    assert standing_still(images, images, 0).all()
    assert not standing_still(images, 1 - images, 0).any() and standing_still(images, 1 - images, 1.01).all()


def test_copies_are_one_picture_and_others_are_others(images: Tensor) -> None:
    assert distinct(images, 0) == 6 and distinct(images.repeat(3, 1, 1, 1), 0) == 6
    assert torch.equal(single_linkage(images.repeat(2, 1, 1, 1), 0), torch.arange(6).repeat(2))
    both = torch.cat([images[:4], (255 * images[:4]).byte().float() / 255])  # those that bytes can say
    assert distinct(both, 0) == 4 == distinct((255 * both).byte(), 0)


def test_a_chain_of_small_steps_is_one_picture_in_any_order() -> None:
    chain = grey(*(n / 20 for n in range(21)))
    assert distinct(chain, 0.051) == 1 and distinct(chain, 0.049) == 21
    assert distinct(chain[torch.randperm(21)], 0.051) == 1
    x, order = torch.rand(30, 1, 2, 2), torch.randperm(30)
    a, b = single_linkage(x, 0.15)[order], single_linkage(x[order], 0.15)
    assert torch.equal(a[:, None] == a, b[:, None] == b)


def test_pictures_by_frequency_are_as_many_as_there_are_if_all_are_equally_frequent() -> None:
    x = grey(0, 0.5, 1)
    assert effective(x.repeat(4, 1, 1, 1), 0) == pytest.approx(3)
    assert 1 < effective(torch.cat([x, x[:1].repeat(20, 1, 1, 1)]), 0) < 2
    assert distinct(x[:0]) == 0 == effective(x[:0]) and movement(x[:0], x[:0]).shape == (0,)


def test_a_flow_counts_every_sample_once_where_it_was_and_where_it_is() -> None:
    before, after = torch.randint(0, 5, (2, 100))
    counts = flow(before, after, 5)
    assert torch.equal(counts.sum(1), before.bincount(minlength=5))
    assert torch.equal(counts.sum(0), after.bincount(minlength=5))
    labels = torch.tensor([2, 0, 2, 1])
    assert torch.equal(flow(labels, labels, 4), torch.diag(torch.tensor([1, 1, 2, 0])))  # who stays, on the diagonal


# collapse


def shapes() -> Tensor:
    """A cross and a block with two holes: (2, 1, 28, 28)."""
    x = torch.zeros(2, 1, 28, 28)
    x[0, :, 4:24, 12:15] = x[0, :, 12:15, 4:24] = x[1, :, 3:25, 8:20] = 1
    x[1, :, 6:12, 11:17] = x[1, :, 15:22, 11:17] = 0
    return x


def test_one_picture_explains_itself_and_pictures_that_do_not_overlap_explain_little() -> None:
    x = torch.zeros(4, 1, 28, 28)
    assert mean_picture_power(x).tolist() == [1, 1, 1, 1]
    for at in range(4):
        x[at, :, 2:5, 6 * at + 2 : 6 * at + 4] = 1  # blurred, they touch no other
    assert mean_picture_power(x).mean() == pytest.approx(0.25, abs=0.02)
    assert mean_picture_power(shapes()[:1].expand(5, -1, -1, -1)).tolist() == pytest.approx([1] * 5)


def test_a_copy_that_moved_a_little_is_no_original_and_one_that_moved_far_is() -> None:
    cross, eight = shapes().split(1)
    x = torch.cat([cross, cross.roll((2, -1), (2, 3)), cross.roll(8, 3), eight])
    assert originals(x).tolist() == [1, 0, 1, 1] and originals(x, shift=0).tolist() == [1, 1, 1, 1]
    digits = load("sample:mnist").images[:60]
    assert originals(digits).mean() > 0.9 and originals(digits[:1].expand(60, -1, -1, -1)).sum() == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: nearest(noise(2), noise(5), 0), "of 5 images"),
        (lambda: nearest(noise(2), noise(5), 6), "of 5 images"),
        (lambda: novelty(noise(2), noise(5, 16)), r"\(1, 28, 28\).*\(1, 16, 16\)"),
        (lambda: blank_share(noise(0)), "empty"),
        (lambda: unique_share(noise(0)), "empty"),
        (lambda: memorisation(noise(0), noise(5), noise(5)), "give"),
        (lambda: memorisation(noise(5), noise(5), noise(0)), "give"),
        (lambda: authenticity(noise(0), noise(5)), "give"),
        (lambda: authenticity(noise(3), noise(1)), "give"),
        (lambda: nearer_share(torch.rand(3, 2), torch.rand(3)), "give"),
        (lambda: optimised_distance(Left(), pictures(), steps=0), "steps"),
        (lambda: optimised_distance(Left(), pictures(), starts=0), "starts"),
        (lambda: optimised_distance(Left(), pictures(), lr=0.0), "lr"),
        (lambda: movement(grey(0, 1), grey(0)), "shape"),
        (lambda: flow(torch.tensor([0]), torch.tensor([0, 1]), 2), "labels"),
        (lambda: flow(torch.tensor([0]), torch.tensor([2]), 2), "labels"),
    ],
)
def test_sets_that_say_nothing_are_refused_in_one_sentence(wrong: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{message}[^\n]*$"):
        wrong()
