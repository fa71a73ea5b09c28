"""How two sets of features resemble each other, where the answer is known: equal, far apart, Gaussian; and windows."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from toolkit.metrics.classifier import (
    density_coverage,
    frechet_distance,
    gaussian_mmd,
    kernel_distance,
    likeness,
    mmd,
    polynomial,
    precision_recall,
)
from toolkit.metrics.distance import parzen_log_likelihood, squared_distances


def normal(count: int = 100, dim: int = 5, seed: int = 1) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def whitened(count: int = 100, dim: int = 4) -> Tensor:
    """Rows of mean 0 whose covariance is the identity, up to rounding."""
    x = normal(count, dim).double()
    x = x - x.mean(0)
    return torch.linalg.qr(x).Q * (count - 1) ** 0.5


def line(*at: float) -> Tensor:
    return torch.tensor(at)[:, None]


# Fréchet


@pytest.mark.parametrize("shape", [(100, 5), (8, 30), (30, 30)])
def test_a_set_is_no_distance_from_itself_in_any_order(shape: tuple[int, int]) -> None:
    x = normal(*shape)
    assert [frechet_distance(x, y) for y in (x, x.flip(0))] == pytest.approx([0, 0], abs=1e-9)


def test_a_shift_is_its_squared_length_and_a_scale_the_squared_difference_of_each_spread() -> None:
    x = whitened(dim=4)
    shift, scale = torch.tensor([3.0, 0, 4, 0]), torch.tensor([1.0, 2, 3, 0.5])
    assert frechet_distance(x + shift, x) == pytest.approx(25)
    assert frechet_distance(x * scale, x) == pytest.approx((scale - 1).square().sum().item())
    assert frechet_distance(x * scale + shift, x) == pytest.approx(25 + 1 + 4 + 0.25)


def test_turned_gaussians_have_the_distance_of_the_closed_form() -> None:
    x = whitened(dim=2)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]]).double()
    wide = torch.diag(torch.tensor([4.0, 1.0])).double()
    a, b = x @ wide, x @ wide @ turn  # covariances wide^2 and turn.T wide^2 turn
    product = wide @ wide @ turn.T @ wide @ wide @ turn
    root = (product.trace() + 2 * torch.linalg.det(product).sqrt()).sqrt()  # the trace of a 2x2 root
    assert frechet_distance(a, b) == pytest.approx((17 + 17 - 2 * root).item())
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b))


def test_with_fewer_images_than_features_the_distance_is_that_within_their_plane() -> None:
    x = torch.cat([whitened(9, 3), torch.zeros(9, 50).double()], 1)
    assert frechet_distance(2 * x, x) == pytest.approx(3)
    assert frechet_distance(2 * x, x[:, torch.randperm(53)].flip(1)) > 3


# kernels


def test_discrepancy_of_two_and_two_points_by_hand() -> None:
    x, y = line(0, 1), line(2, 4)
    within = (1 * 1 + (2 * 4 + 1) ** 3) / 1  # polynomial: k(0, 1) twice over one pair, k(2, 4) likewise
    between = (1 + 1 + 3**3 + 5**3) / 4
    assert mmd(x, y, polynomial) == pytest.approx(within - 2 * between)
    gauss = torch.tensor([0.5, 2.0, 8, 0.5, 4.5]).neg().exp()  # between 0-1, 2-4, 0-4, 1-2, 1-4; and 0-2 is as 2-4
    biased = (2 + 2 * gauss[0]) / 4 + (2 + 2 * gauss[1]) / 4 - (gauss[1] + gauss[2] + gauss[3] + gauss[4]) / 2
    assert gaussian_mmd(x, y) == pytest.approx(biased.item())


def test_the_biased_discrepancy_of_equal_sets_is_zero_and_of_far_ones_all_there_is() -> None:
    x = normal()
    assert gaussian_mmd(x, x.flip(0)) == pytest.approx(0, abs=1e-12)
    assert gaussian_mmd(line(0, 100), line(300, 500, 700, 900)) == pytest.approx(1 / 2 + 1 / 4)


def test_the_unbiased_discrepancy_of_one_distribution_is_zero_on_average() -> None:
    found = torch.tensor([kernel_distance(normal(20, 3, seed), normal(20, 3, seed + 1000)) for seed in range(60)])
    assert found.min() < 0 < found.max()
    assert found.mean().abs() < 2.5 * found.std() / 60**0.5
    assert kernel_distance(normal(), normal(seed=2) + 1) > 10 * found.std()


# neighbourhoods


def test_a_set_lies_in_itself_and_shares_nothing_with_one_far_away() -> None:
    x = normal()
    assert precision_recall(x, x) == (1, 1) and density_coverage(x, x) == (pytest.approx(1), 1)
    assert precision_recall(x, x + 100) == (0, 0) == density_coverage(x, x + 100)


def test_neighbourhoods_by_hand() -> None:
    reference, x = line(0, 1, 3, 7), line(0.5, 4.5, 5.5, 20)  # the balls reach 1, 1, 2, 4 to either side
    assert precision_recall(x, reference, k=1) == (3 / 4, 4 / 4)  # those of x: 4, 1, 1, 14.5
    density, coverage = density_coverage(x, reference, k=1)
    assert density == (2 + 2 + 1 + 0) / 4 and coverage == 4 / 4


def test_one_mode_alone_is_precise_and_recalls_half_of_two() -> None:
    mode = normal(60, 2)
    both = torch.cat([mode, mode + 50])
    assert precision_recall(mode, both) == (1, 0.5) and precision_recall(both, mode) == (0.5, 1)
    assert density_coverage(mode, both)[1] == 0.5


def test_an_outlier_of_the_reference_fools_precision_and_not_density() -> None:
    reference, x = normal(100, 2), normal(100, 2, seed=2) + 20
    outlier = torch.cat([reference, torch.tensor([[40.0, 40]])])
    assert precision_recall(x, reference)[0] == 0 and precision_recall(x, outlier)[0] == 1
    assert density_coverage(x, outlier)[0] == pytest.approx(0.2)  # one ball of k = 5


def test_coverage_of_one_distribution_is_what_its_formula_says() -> None:
    found = [density_coverage(normal(100, 3, seed), normal(100, 3, seed + 500), k=1)[1] for seed in range(20)]
    assert sum(found) / 20 == pytest.approx(1 - 99 / 199, abs=0.03)  # that an unseen one is nearest of all 199


# all


def test_a_copy_is_exactly_no_distance_away_wherever_it_lies() -> None:
    x = normal().double() + 1000
    assert squared_distances(x, x.flip(0)).flip(1).diagonal().tolist() == [0] * 100
    assert (squared_distances(x, x) > 0).sum() == 100 * 99


@pytest.mark.parametrize("side", [0, 1])
def test_the_order_of_images_does_not_matter(side: int) -> None:
    sets = [normal(40, 60), normal(50, 60, seed=2) + 0.2]
    usual = likeness(*sets)
    sets[side] = sets[side][torch.randperm(len(sets[side]))]
    assert likeness(*sets) == {name: pytest.approx(value, rel=1e-9) for name, value in usual.items()}


# Parzen windows


def test_windows_are_gaussians_and_many_are_their_mean(images: Tensor) -> None:
    found = parzen_log_likelihood(images[:1], images, sigma=0.5)
    torch.testing.assert_close(found, Normal(images[0].double(), 0.5).log_prob(images.double()).flatten(1).sum(1))
    alone = torch.stack([parzen_log_likelihood(image[None], images, sigma=2) for image in images])
    torch.testing.assert_close(parzen_log_likelihood(images, images, sigma=2), alone.exp().mean(0).log())


def test_no_image_is_likelier_than_a_repeated_copy_of_itself_and_a_far_one_is_unlikely(images: Tensor) -> None:
    most = -256 * math.log(0.23 * math.sqrt(2 * math.pi))
    assert parzen_log_likelihood(images[:1].repeat(7, 1, 1, 1), images[:1]).item() == pytest.approx(most)
    assert parzen_log_likelihood(images[1:], images[:1]).item() < most
    far = parzen_log_likelihood(images, 1 - images, sigma=0.01)
    assert far.isfinite().all() and (far < -1000).all()


def test_windows_of_bytes_are_the_same_and_none_depends_on_the_other_images(images: Tensor) -> None:
    bytes_ = (255 * images).byte()
    found = parzen_log_likelihood(bytes_, bytes_)
    torch.testing.assert_close(found, parzen_log_likelihood(bytes_.float() / 255, bytes_.float() / 255))
    torch.testing.assert_close(found[2:3], parzen_log_likelihood(bytes_, bytes_[2:3]))


GREY = torch.rand(3, 1, 4, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: frechet_distance(normal(1), normal()),
        lambda: kernel_distance(normal(dim=3), normal(dim=4)),
        lambda: frechet_distance(normal() * torch.nan, normal()),
        lambda: precision_recall(normal(3), normal(3)),
        lambda: density_coverage(normal(), normal(5)),
        lambda: density_coverage(normal(), normal(), k=0),
        lambda: gaussian_mmd(normal(), normal(), sigma=0),
        lambda: likeness(normal()[0], normal()),
        lambda: parzen_log_likelihood(GREY[:0], GREY),
        lambda: parzen_log_likelihood(GREY, GREY[..., :3]),
        lambda: parzen_log_likelihood(GREY, GREY, sigma=0),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(wrong: Callable) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        wrong()
