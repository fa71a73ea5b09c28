"""Parzen windows, where the answer is known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from toolkit.metrics.distribution import parzen_log_likelihood


def test_one_window_is_a_gaussian(images: Tensor) -> None:
    found = parzen_log_likelihood(images[:1], images, sigma=0.5)
    expected = Normal(images[0].double(), 0.5).log_prob(images.double()).flatten(1).sum(1)
    torch.testing.assert_close(found, expected)


def test_many_windows_are_the_mean_of_theirs(images: Tensor) -> None:
    alone = torch.stack([parzen_log_likelihood(image[None], images, sigma=2) for image in images])
    torch.testing.assert_close(parzen_log_likelihood(images, images, sigma=2), alone.exp().mean(0).log())


def test_no_image_is_likelier_than_a_repeated_copy_of_itself(images: Tensor) -> None:
    most = -256 * math.log(0.23 * math.sqrt(2 * math.pi))
    assert parzen_log_likelihood(images[:1].repeat(7, 1, 1, 1), images[:1]).item() == pytest.approx(most)
    assert parzen_log_likelihood(images[1:], images[:1]).item() < most


def test_an_image_far_from_all_is_unlikely_and_no_minus_infinity(images: Tensor) -> None:
    found = parzen_log_likelihood(images, 1 - images, sigma=0.01)
    assert found.isfinite().all() and (found < -1000).all()


def test_bytes_are_the_same_images_and_none_depends_on_the_others(images: Tensor) -> None:
    bytes_ = (255 * images).byte()
    found = parzen_log_likelihood(bytes_, bytes_)
    torch.testing.assert_close(found, parzen_log_likelihood(bytes_.float() / 255, bytes_.float() / 255))
    torch.testing.assert_close(found[2:3], parzen_log_likelihood(bytes_, bytes_[2:3]))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: parzen_log_likelihood(x[:0], x),
        lambda x: parzen_log_likelihood(x, x[..., :8]),
        lambda x: parzen_log_likelihood(x, x, sigma=0),
    ],
)
def test_windows_that_do_not_fit_are_refused_in_one_sentence(wrong: Callable, images: Tensor) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        wrong(images)
