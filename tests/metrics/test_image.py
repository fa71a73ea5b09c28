"""Measures of one image, on shapes whose answer is known, and on digits, whose order people know."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.data import load
from toolkit.metrics import (
    PER_IMAGE,
    components,
    compressed_size,
    edge_length,
    holes,
    ink,
    perimetric_complexity,
)
from toolkit.metrics.image import distance_transform, skeleton, stroke_count, stroke_width

COMPLEXITY = [edge_length, compressed_size, perimetric_complexity, components, holes]
EACH = pytest.mark.parametrize("measure", [*PER_IMAGE.values(), stroke_count, stroke_width], ids=lambda of: of.__name__)


def drawn(*rows: str) -> Tensor:
    """A drawing in letters, # being ink: -> (1, 1, H, W)"""
    return torch.tensor([[[[float(letter == "#") for letter in row] for row in rows]]])


def disc(radius: float, size: int = 64) -> Tensor:
    at = torch.arange(size) - (size - 1) / 2
    return ((at[:, None] ** 2 + at**2) <= radius**2).float()[None, None]


def noise(count: int, size: int = 28) -> Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(1))


def slow_components(mask: np.ndarray, corners: bool) -> int:
    """Flood from pixel to pixel, with a list of what is left to visit."""
    seen, count = set(), 0
    ink = {tuple(at) for at in np.argwhere(mask)}
    steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if corners or a == 0 or b == 0]
    for start in sorted(ink):
        count += start not in seen
        left = [start]
        while left:
            at = left.pop()
            if at in ink and at not in seen:
                seen.add(at)
                left += [(at[0] + a, at[1] + b) for a, b in steps]
    return count


def test_pieces_and_holes_of_shapes(images: Tensor) -> None:
    assert components(images[:4]).tolist() == [1, 2, 1, 1] and holes(images[:4]).tolist() == [1, 0, 0, 0]
    eight, bay = drawn("###", "# #", "###", "# #", "###"), drawn("###", "# #", "# #")
    assert holes(torch.cat([eight, bay.repeat_interleave(2, 2)[:, :, :5]])).tolist() == [2, 0]


def test_ink_that_touches_at_a_corner_is_one_piece_and_paper_that_does_is_two() -> None:
    corners, leaning = drawn(".#.", "#.#", ".#."), drawn("####", "#.##", "##.#", "####")
    assert components(corners) == 1 == holes(corners) and holes(leaning) == 2


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_pieces_and_holes_equal_a_flood_from_pixel_to_pixel(share: float) -> None:
    x = (noise(10, 12) < share).float()
    masks = [image[0].bool().numpy() for image in x]
    assert components(x).tolist() == [slow_components(mask, corners=True) for mask in masks]
    assert holes(x).tolist() == [slow_components(np.pad(~mask, 1, constant_values=True), False) - 1 for mask in masks]


def test_a_long_spiral_is_still_one_piece() -> None:
    mask, at, step = torch.zeros(1, 1, 29, 29), [0, 0], [0, 1]
    for length in [28, 28, 28, *(n for n in range(26, 0, -2) for _ in range(2))]:
        for _ in range(length):
            mask[0, 0, at[0], at[1]] = 1
            at = [at[0] + step[0], at[1] + step[1]]
        step = [step[1], -step[0]]
    assert mask.sum() > 400 and components(mask) == 1


def test_a_flat_image_is_simple_and_noise_is_complex_in_every_measure(images: Tensor) -> None:
    black = torch.zeros(1, 1, 28, 28)
    assert [of(black).item() for of in COMPLEXITY] == [0, 16, 0, 0, 0]
    assert edge_length(black + 0.7) == 0 and ink(black + 0.75) == 0.75
    for of in COMPLEXITY:
        assert of(noise(4, 16)).min() > of(images[[0, 2, 3]]).max(), of.__name__


def test_edge_length_of_a_square_is_its_outline_and_fades_with_it() -> None:
    square = torch.zeros(1, 1, 9, 9)
    square[..., 2:6, 3:8] = 1
    assert edge_length(square) == 2 * (4 + 5) and edge_length(square / 2) == 4 + 5


def test_a_disc_has_perimetric_complexity_one_and_a_bar_as_much_as_its_sides_say() -> None:
    bar = torch.zeros(1, 1, 64, 64)
    bar[..., 30:34, 2:62] = 1
    assert perimetric_complexity(disc(20)).item() == pytest.approx(1, abs=0.1)
    assert perimetric_complexity(bar).item() == pytest.approx(128**2 / (4 * math.pi * 240), rel=0.12)


@pytest.mark.parametrize("measure", COMPLEXITY[1:])
def test_a_faint_drawing_counts_like_a_strong_one(measure: Callable[..., Tensor], images: Tensor) -> None:
    assert torch.equal(measure(images[:4] * 0.2), measure(images[:4]))


@EACH
def test_no_measure_of_an_image_depends_on_its_batch(measure: Callable[[Tensor], Tensor], images: Tensor) -> None:
    x = torch.cat([images, noise(5, 16)])
    together = measure(x)
    assert together.shape == (11,) and together.dtype == torch.float32
    assert torch.equal(together, torch.cat([measure(image[None]) for image in x]))


@EACH
def test_bytes_colours_and_floats_measure_the_same_and_nothing_measures_nothing(
    measure: Callable[[Tensor], Tensor], images: Tensor
) -> None:
    data = (images * 255).round().byte()
    as_bytes = measure(data)
    assert torch.equal(as_bytes, measure(data.float() / 255))
    assert torch.allclose(as_bytes, measure(data.expand(-1, 3, -1, -1)), rtol=1e-5)
    assert measure(data[:0]).shape == (0,)
    with pytest.raises(ValueError, match=r"\(16, 16\)"):
        measure(images[0, 0])


# strokes


def canvas(*ink: tuple[slice, slice], holes: tuple[tuple[slice, slice], ...] = ()) -> Tensor:
    x = torch.zeros(1, 1, 28, 28)
    for place in ink:
        x[0, 0][place] = 1
    for place in holes:
        x[0, 0][place] = 0
    return x


UPRIGHT, ACROSS = (slice(4, 24), slice(12, 15)), (slice(12, 15), slice(4, 24))
BAR, CROSS = canvas(UPRIGHT), canvas(UPRIGHT, ACROSS)
RING = canvas((slice(6, 22), slice(6, 22)), holes=((slice(9, 19), slice(9, 19)),))
EIGHT = canvas((slice(3, 25), slice(8, 20)), holes=((slice(6, 12), slice(11, 17)), (slice(15, 22), slice(11, 17))))


@pytest.mark.parametrize(
    ("shape", "count"), [(BAR, 1), (CROSS, 3), (RING, 1), (EIGHT, 4)], ids=["bar", "cross", "ring", "eight"]
)
def test_strokes_are_counted_however_a_shape_is_turned(shape: Tensor, count: int) -> None:
    turned = torch.cat([shape.rot90(turns, (2, 3)) for turns in range(4)])
    assert stroke_count(turned).tolist() == [count] * 4


def test_nothing_has_no_strokes_and_what_is_dim_is_nothing() -> None:
    assert stroke_count(torch.cat([canvas(), 0.4 * EIGHT, 0.6 * EIGHT])).tolist() == [0, 0, 4]
    assert stroke_width(torch.cat([canvas(), 0.4 * BAR])).tolist() == [0, 0]


def test_specks_and_gaps_of_a_pixel_do_not_count() -> None:
    x = BAR.clone()
    x[..., 10, :] = 0  # a gap
    x[..., 20, 22:26] = 1  # four pixels
    assert stroke_count(x) == 1
    x[..., 21, 22] = 1  # five
    assert stroke_count(x) == 2


def test_a_skeleton_keeps_pieces_and_holes_and_is_thin() -> None:
    thin = skeleton(torch.cat([BAR, RING, EIGHT])[:, 0] > 0)
    assert thin.flatten(1).sum(1).tolist() < [25, 60, 70]
    x = thin[:, None].float()
    assert components(x).tolist() == [1, 1, 1] and holes(x).tolist() == [0, 1, 2]
    assert not (thin[:, 1:, 1:] & thin[:, :-1, 1:] & thin[:, 1:, :-1] & thin[:, :-1, :-1]).any()
    assert torch.equal(skeleton(thin), thin)


def test_the_distance_to_the_outside_is_that_of_a_search() -> None:
    mask = torch.rand(2, 9, 7, generator=torch.Generator().manual_seed(3)) < 0.8
    for image, far in zip(torch.nn.functional.pad(mask, (1, 1, 1, 1)), distance_transform(mask), strict=True):
        outside = (~image).nonzero().double()
        for down, across in [(0, 0), (4, 3), (8, 6), (2, 5)]:
            here = torch.tensor([down + 1.0, across + 1.0], dtype=torch.float64)
            assert far[down, across] == pytest.approx(float((outside - here).square().sum(1).sqrt().min()))


@pytest.mark.parametrize("width", [1, 3, 5, 7])
def test_the_width_of_a_long_bar_is_found(width: int) -> None:
    x = canvas((slice(None), slice(10, 10 + width)))
    x = torch.nn.functional.interpolate(x, (400, 28))  # so long that its ends do not count
    assert float(stroke_width(x)) == pytest.approx(width, rel=0.02)


# digits


def test_a_one_has_fewer_strokes_than_a_seven_and_both_than_a_four_or_an_eight() -> None:
    data = load("sample:mnist")
    one, seven, four, eight = (float(stroke_count(data.images[data.labels == digit]).mean()) for digit in (1, 7, 4, 8))
    assert one < 1.2 < seven < 2 < min(four, eight)
