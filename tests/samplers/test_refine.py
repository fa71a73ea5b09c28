"""Beside reconstructing, a pass may binarise and disturb: each image by itself, the same in any batch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.models import create
from toolkit.samplers import Sampling, hallucinate, last, moving_threshold, salt_and_pepper, salted, settle
from toolkit.seeds import Noise


def noise(count: int = 4) -> Tensor:
    return Noise(range(count)).rand(1, 10, 10)


def still(x: Tensor) -> Tensor:
    return x


@pytest.mark.parametrize("ink", [0.01, 0.13, 0.5, 0.99])
def test_the_threshold_moves_to_leave_the_share_of_ink(ink: float) -> None:
    x = moving_threshold(noise() * torch.tensor([0.01, 0.1, 0.5, 1.0]).view(4, 1, 1, 1), ink)
    assert set(x.unique().tolist()) == {0, 1} and x.flatten(1).mean(1).tolist() == pytest.approx([ink] * 4)


def test_the_brightest_are_white() -> None:
    x = noise(1)
    white = moving_threshold(x, 0.13).bool()
    assert x[white].min() > x[~white].max()


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_flat_image_has_no_brightest_pixels(level: float) -> None:
    assert not moving_threshold(torch.full((2, 1, 4, 4), level), 0.2).any()


def test_no_images_and_single_pixels_are_thresholded_too() -> None:
    assert moving_threshold(torch.empty(0, 1, 4, 4), 0.2).shape == (0, 1, 4, 4)
    assert moving_threshold(torch.ones(1, 1, 1, 1), 0.2).item() == 0


def test_black_and_white_of_the_right_share_is_left_as_it_is() -> None:
    x = moving_threshold(noise(), 0.13)
    assert torch.equal(moving_threshold(x, 0.13), x)


def test_no_salt_changes_nothing_and_all_of_it_leaves_nothing() -> None:
    x = torch.full((3, 1, 30, 30), 0.5)
    assert torch.equal(salt_and_pepper(x, 0.0, Noise(range(3))), x)
    assert set(salt_and_pepper(x, 1.0, Noise(range(3))).unique().tolist()) == {0, 1}


def test_a_share_of_the_pixels_is_disturbed_half_black_half_white() -> None:
    x = salt_and_pepper(torch.full((20, 1, 50, 50), 0.5), 0.2, Noise(range(20)))
    assert [(x == value).double().mean().item() for value in (0, 1)] == pytest.approx([0.1, 0.1], abs=0.005)


def test_every_pass_disturbs_anew() -> None:
    disturb, x = salted(noise(1), 0.3), torch.full((1, 1, 10, 10), 0.5)
    first, again, second = (disturb(x, torch.tensor([0]), torch.tensor([age])) for age in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, second)


@pytest.mark.parametrize("options", [{"salt": 0.1}, {"ink": 0.13}, {"salt": 0.1, "ink": 0.13}])
@pytest.mark.parametrize("stop", ["each", "batch"])
def test_a_disturbed_image_does_not_depend_on_its_batch(options: dict[str, Any], stop: str) -> None:
    sampling, x = Sampling(tol=0.0, limit=4, stop=stop, **options), noise()
    together = last(sampling.stream(still, x))
    assert torch.equal(last(sampling.stream(still, x[2:3])), together[2:3])


def test_in_turn_the_disturbances_are_those_of_the_stream() -> None:
    model, sampling = create("WTA", {"filters": 3, "size": 14}, seed=0), Sampling(limit=5, ink=0.2, salt=0.1)
    x = Noise(range(7)).rand(1, 14, 14)
    ends = torch.empty_like(x)
    for which, final, _ in sampling.settled(model, x, at_once=3):
        ends[which] = final
    torch.testing.assert_close(ends, last(sampling.stream(model, x)))
    assert set(hallucinate(model, range(7), sampling).images.unique().tolist()) <= {0, 255}


def test_what_stands_still_in_black_and_white_is_not_computed_again() -> None:
    assert len(list(Sampling(tol=0.0, ink=0.13).stream(still, noise()))) == 3  # noise, its threshold, the same again


def test_without_options_a_disturbance_leaves_the_stream_as_it_was() -> None:
    def fade(x: Tensor) -> Tensor:
        return x / 2

    def nothing(x: Tensor, which: Tensor, age: Tensor) -> Tensor:
        assert len(x) == len(which) == len(age)
        return x

    plain, disturbed = list(settle(fade, noise(), limit=5)), list(settle(fade, noise(), limit=5, disturb=nothing))
    assert all(torch.equal(a, b) for a, b in zip(plain, disturbed, strict=True))


@pytest.mark.parametrize("option", ["ink", "salt"])
@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
@pytest.mark.parametrize(
    "use", [lambda name, share: Sampling(**{name: share}), lambda name, share: FUNCTIONS[name](noise(), share)]
)
def test_a_share_that_means_nothing_is_named(option: str, share: float, use: Callable[[str, float], object]) -> None:
    with pytest.raises(ValueError, match=f"^{option} is {share}: [^\n]+$"):
        use(option, share)


FUNCTIONS: dict[str, Callable[[Tensor, float], object]] = {"ink": moving_threshold, "salt": salted}
