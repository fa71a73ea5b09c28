"""What is done to activations, on maps whose answer is known."""

from typing import Any

import pytest
import torch

from toolkit.diverge.network_bending import TRANSFORMS, deviation, peak

EVERY = pytest.mark.parametrize("name", sorted(TRANSFORMS))
ONE = torch.ones(1, 1, 1, 1)


def maps(height: int = 6, width: int = 6) -> Any:
    return torch.randn(3, 4, height, width, generator=torch.Generator().manual_seed(0))


def done(name: str, h: Any, *amount: float, unit: Any = ONE) -> Any:
    return TRANSFORMS[name].apply(h, amount, unit)


@pytest.mark.parametrize("name", sorted(name for name, kind in TRANSFORMS.items() if kind.neutral is not None))
def test_a_neutral_amount_changes_as_good_as_nothing(name: str) -> None:
    kind = TRANSFORMS[name]
    torch.testing.assert_close(done(name, maps(), *kind.neutral), maps(), atol=1e-5, rtol=0)


@EVERY
def test_a_usual_amount_changes_something_and_no_shape(name: str) -> None:
    bent = done(name, maps(), *TRANSFORMS[name].usual)
    assert bent.shape == maps().shape and not torch.equal(bent, maps())


@EVERY
def test_maps_of_no_images_are_none(name: str) -> None:
    assert done(name, maps()[:0], *TRANSFORMS[name].usual).shape == (0, 4, 6, 6)


@EVERY
def test_an_image_does_not_depend_on_its_neighbours(name: str) -> None:
    together = done(name, maps(), *TRANSFORMS[name].usual)
    assert torch.equal(done(name, maps()[1:2], *TRANSFORMS[name].usual)[0], together[1])


def test_a_quarter_turn_is_anticlockwise() -> None:
    torch.testing.assert_close(done("rotate", maps(), 90.0), maps().rot90(1, (2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(done("rotate", maps(4, 6), 180.0), maps(4, 6).flip(2, 3), atol=1e-5, rtol=0)


def test_a_turn_keeps_its_angles_where_maps_are_not_square() -> None:
    turned = done("rotate", maps(4, 8), 90.0)
    torch.testing.assert_close(turned[..., 2:6], maps(4, 8)[..., 2:6].rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_a_translation_is_by_shares_to_the_right_and_down_and_zeros_come_in() -> None:
    moved = done("translate", maps(4, 8), 0.25, 0.5)
    torch.testing.assert_close(moved[..., 2:, 2:], maps(4, 8)[..., :2, :6], atol=1e-5, rtol=0)
    assert not moved[..., :2, :].any() and not moved[..., :2].any()


def test_a_scale_of_a_half_leaves_zeros_around() -> None:
    small = done("scale", torch.ones(1, 1, 8, 8), 0.5)
    assert torch.equal(small[0, 0, 2:6, 2:6], torch.ones(4, 4)) and small.sum() == 16


def test_a_scale_of_two_shows_the_middle() -> None:
    large = done("scale", maps(8, 8), 2.0)
    torch.testing.assert_close(large[..., 3:5, 3:5].mean((2, 3)), maps(8, 8)[..., 3:5, 3:5].mean((2, 3)))


def test_flips_go_left_to_right_and_top_to_bottom() -> None:
    assert torch.equal(done("flip_h", maps()), maps().flip(3)) and torch.equal(done("flip_v", maps()), maps().flip(2))


def test_dilation_and_erosion_are_largest_and_smallest_around() -> None:
    h = torch.zeros(1, 1, 7, 7)
    h[0, 0, 3, 2] = 5.0
    wide = done("dilate", h, 2.0)
    assert wide[0, 0, 1:6, 0:5].eq(5).all() and wide.sum() == 5 * 25 and not done("erode", h, 1.0).any()
    assert torch.equal(done("erode", wide, 2.0)[0, 0, 3], torch.tensor([5.0, 5.0, 5.0, 0, 0, 0, 0]))


def test_the_edge_of_a_map_neither_grows_nor_erodes_it() -> None:
    assert torch.equal(done("erode", torch.ones(1, 1, 5, 5), 1.0), torch.ones(1, 1, 5, 5))
    assert torch.equal(done("dilate", -torch.ones(1, 1, 5, 5), 1.0), -torch.ones(1, 1, 5, 5))


def test_thresholds_and_inversions_count_in_units() -> None:
    h, unit = torch.tensor([[0.0, 1.0, 3.0, 4.0]]), torch.tensor([[4.0]])
    assert done("threshold", h, 0.5, unit=unit).tolist() == [[0, 0, 4, 4]]
    assert done("threshold", h, 0.75, unit=unit).tolist() == [[0, 0, 0, 4]]
    assert done("invert", h, unit=unit).tolist() == [[4, 3, 1, 0]]


def test_products_noise_and_ablation_do_what_they_say() -> None:
    h = torch.tensor([[1.0, -2.0]])
    assert done("multiply", h, -3.0).tolist() == [[-3, 6]] and not done("ablate", h).any()
    assert done("noise", h, 2.0, unit=torch.tensor([[0.5, 1.0]])).tolist() == [[2, 0]]


def test_a_peak_is_of_a_map_or_of_a_layer_of_units_and_never_negative() -> None:
    h = torch.tensor([[[[1.0, 3.0]], [[-1.0, -2.0]]]])
    assert peak(h).flatten().tolist() == [3, 0] and peak(h[:, :, 0, 0]).tolist() == [[1]]


def test_a_deviation_is_of_the_whole_layer_of_one_image() -> None:
    h = torch.tensor([[1.0, 3.0], [5.0, 5.0]])
    assert deviation(h).tolist() == [[1], [0]] and deviation(maps()).shape == (3, 1, 1, 1)


@pytest.mark.parametrize(("name", "amount"), [("scale", 0.0), ("scale", -1.0), ("dilate", 0.5), ("erode", -1.0)])
def test_an_amount_that_means_nothing_is_refused(name: str, amount: float) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        done(name, maps(), amount)
