"""Strokes and collapse on shapes whose answer is known, and on sets that people put in an order."""

import pytest
import torch
from torch import Tensor

from toolkit.data import Dataset, load
from toolkit.metrics import edge_length
from toolkit.metrics.distance import distinct_share, mean_picture_power, originals
from toolkit.metrics.image import distance, skeleton, stroke_count, stroke_width


def canvas(count: int = 1) -> Tensor:
    return torch.zeros(count, 1, 28, 28)


def bar(width: int = 3) -> Tensor:
    x = canvas()
    x[..., 4:24, 12 : 12 + width] = 1
    return x


def cross() -> Tensor:
    x = bar()
    x[..., 12:15, 4:24] = 1
    return x


def ring() -> Tensor:
    x = canvas()
    x[..., 6:22, 6:22] = 1
    x[..., 9:19, 9:19] = 0
    return x


def eight() -> Tensor:
    x = canvas()
    x[..., 3:25, 8:20] = 1
    x[..., 6:12, 11:17] = x[..., 15:22, 11:17] = 0
    return x


def salted(x: Tensor, share: float) -> Tensor:
    """Grains of salt and of pepper, half of the share each."""
    r = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    return x.masked_fill(r < share, 1.0).masked_fill(r < share / 2, 0.0)


SHAPES = {"bar": (bar, 1), "cross": (cross, 3), "ring": (ring, 1), "eight": (eight, 4)}


@pytest.mark.parametrize("name", SHAPES)
def test_strokes_are_counted_however_a_shape_is_turned(name: str) -> None:
    drawn, count = SHAPES[name]
    turned = torch.cat([drawn().rot90(turns, (2, 3)) for turns in range(4)])
    assert stroke_count(turned).tolist() == [count] * 4


def test_nothing_has_no_strokes_and_what_is_dim_is_nothing() -> None:
    assert stroke_count(torch.cat([canvas(), 0.4 * eight(), 0.6 * eight()])).tolist() == [0, 0, 4]
    assert stroke_width(torch.cat([canvas(), 0.4 * bar()])).tolist() == [0, 0]


def test_specks_and_gaps_of_a_pixel_do_not_count() -> None:
    x = bar()
    x[..., 10, :] = 0  # a gap
    x[..., 20, 22:26] = 1  # four pixels
    assert stroke_count(x) == 1
    x[..., 21, 22] = 1  # five
    assert stroke_count(x) == 2


def test_bytes_are_floats_and_an_image_does_not_depend_on_its_batch() -> None:
    x = torch.cat([bar(), cross(), ring(), eight()])
    assert torch.equal(stroke_count((255 * x).byte()), stroke_count(x))
    for measure in (stroke_count, stroke_width):
        assert torch.equal(measure(x), torch.cat([measure(each[None]) for each in x]))


def test_a_skeleton_keeps_pieces_and_holes_and_is_thin() -> None:
    thin = skeleton(torch.cat([bar(), ring(), eight()])[:, 0] > 0)
    assert thin.flatten(1).sum(1).tolist() < [25, 60, 70]
    blocks = thin[:, 1:, 1:] & thin[:, :-1, 1:] & thin[:, 1:, :-1] & thin[:, :-1, :-1]
    assert not blocks.any()
    assert torch.equal(skeleton(thin), thin)


def test_the_distance_to_the_outside_is_that_of_a_search() -> None:
    mask = torch.rand(2, 9, 7, generator=torch.Generator().manual_seed(3)) < 0.8
    found = distance(mask)
    wide = torch.nn.functional.pad(mask, (1, 1, 1, 1))
    for image, far in zip(wide, found, strict=True):
        outside = (~image).nonzero().double()
        for down, across in [(0, 0), (4, 3), (8, 6), (2, 5)]:
            here = torch.tensor([down + 1.0, across + 1.0], dtype=torch.float64)
            assert far[down, across] == pytest.approx(float((outside - here).square().sum(1).sqrt().min()))


@pytest.mark.parametrize("width", [1, 3, 5, 7])
def test_the_width_of_a_long_bar_is_found(width: int) -> None:
    x = canvas()
    x[..., :, 10 : 10 + width] = 1
    x = torch.nn.functional.interpolate(x, (400, 28))  # so long that its ends do not count
    assert float(stroke_width(x)) == pytest.approx(width, rel=0.02)


# digits, whose order people know


def counts_of(data: Dataset) -> list[float]:
    """Mean strokes of the digits 1, 7, 4 and 8."""
    assert data.labels is not None
    return [float(stroke_count(data.images[data.labels == digit]).mean()) for digit in (1, 7, 4, 8)]


def test_a_one_has_fewer_strokes_than_a_seven_and_both_than_a_four_or_an_eight() -> None:
    one, seven, four, eight = counts_of(load("sample:mnist"))
    assert one < 1.2 < seven < 2 < min(four, eight)


def test_of_many_digits_an_eight_has_the_most_strokes() -> None:
    try:
        digits = load("mnist", split="test")
    except FileNotFoundError:
        pytest.skip("MNIST is not here")
    counts = counts_of(digits)
    assert counts == sorted(counts)


def test_kuzushiji_have_more_strokes_than_digits() -> None:
    try:
        kuzushiji = load("kmnist", split="test", limit=300).images
    except FileNotFoundError:
        pytest.skip("Kuzushiji-MNIST is not here")
    assert stroke_count(kuzushiji).mean() > 1.5 * stroke_count(load("sample:mnist").images).mean()


def test_salt_and_pepper_adds_edges_and_no_strokes() -> None:
    x = load("sample:mnist").images.float() / 255
    plain, grainy = stroke_count(x).mean(), stroke_count(salted(x, 0.03)).mean()
    assert edge_length(salted(x, 0.03)).mean() > 1.2 * edge_length(x).mean()
    assert grainy < 1.05 * plain


# collapse


def test_one_picture_explains_itself_and_pictures_that_do_not_overlap_explain_little() -> None:
    x = canvas(4)
    for at in range(4):
        x[at, :, 2:5, 6 * at + 2 : 6 * at + 4] = 1  # blurred, they touch no other
    assert mean_picture_power(x).mean() == pytest.approx(0.25, abs=0.02)
    assert mean_picture_power(bar().expand(5, -1, -1, -1)).tolist() == pytest.approx([1] * 5)
    assert mean_picture_power(canvas(3)).tolist() == [1, 1, 1]


def test_a_set_that_shrinks_to_one_picture_is_explained_more_and_more() -> None:
    digits = load("sample:mnist").images.float() / 255
    shares = [float(mean_picture_power((1 - t) * digits + t * digits[:1]).mean()) for t in (0, 0.5, 0.9, 1)]
    assert shares == sorted(shares) and 0.4 < shares[0] < 0.7 and shares[-1] == pytest.approx(1)


def test_a_copy_that_moved_a_little_is_no_original_and_one_that_moved_far_is() -> None:
    x = torch.cat([cross(), cross().roll((2, -1), (2, 3)), cross().roll(8, 3), eight()])
    assert originals(x).tolist() == [1, 0, 1, 1]
    assert distinct_share(x) == 0.75
    assert originals(x, shift=0).tolist() == [1, 1, 1, 1]


def test_digits_are_distinct_and_one_digit_many_times_is_not() -> None:
    digits = load("sample:mnist").images[:60]
    assert distinct_share(digits) > 0.9
    assert distinct_share(digits[:1].expand(60, -1, -1, -1)) == pytest.approx(1 / 60)
