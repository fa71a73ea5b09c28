"""Measures, where the answer is known."""

import math
import time

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.metrics import (
    MEASURES,
    PER_IMAGE,
    blank_share,
    components,
    compressed_size,
    diversity,
    edge_length,
    holes,
    ink,
    measure,
    nearest,
    novelty,
    perimetric_complexity,
    rank_correlation,
    unique_share,
)

COMPLEXITY = [edge_length, compressed_size, perimetric_complexity, components, holes]


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


# complexity


def test_a_ring_is_one_piece_with_one_hole_and_two_dots_are_two_pieces_with_none(images: Tensor) -> None:
    assert components(images[:4]).tolist() == [1, 2, 1, 1]
    assert holes(images[:4]).tolist() == [1, 0, 0, 0]


def test_an_eight_has_two_holes_and_a_bay_that_reaches_the_border_is_none() -> None:
    eight = drawn("###", "# #", "###", "# #", "###")
    bay = drawn("###", "# #", "# #")
    assert holes(torch.cat([eight, bay.repeat_interleave(2, 2)[:, :, :5]])).tolist() == [2, 0]


def test_ink_that_touches_at_a_corner_is_one_piece_and_paper_that_does_is_two() -> None:
    ring_of_corners = drawn(".#.", "#.#", ".#.")
    leaning = drawn("####", "#.##", "##.#", "####")
    assert components(ring_of_corners) == 1
    assert holes(ring_of_corners) == 1
    assert holes(leaning) == 2


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
    assert mask.sum() > 400
    assert components(mask) == 1


def test_a_flat_image_is_simple_in_every_measure() -> None:
    black = torch.zeros(1, 1, 28, 28)
    assert [of(black).item() for of in COMPLEXITY] == [0, 16, 0, 0, 0]
    assert edge_length(black + 0.7) == 0
    assert ink(black + 0.75) == 0.75


def test_noise_is_complex_in_every_measure(images: Tensor) -> None:
    for of in COMPLEXITY:
        assert of(noise(4, 16)).min() > of(images[[0, 2, 3]]).max(), of.__name__


def test_edge_length_of_a_square_is_its_outline_and_fades_with_it() -> None:
    square = torch.zeros(1, 1, 9, 9)
    square[..., 2:6, 3:8] = 1
    assert edge_length(square) == 2 * (4 + 5)
    assert edge_length(square / 2) == 4 + 5


def test_a_disc_has_perimetric_complexity_one_and_a_bar_as_much_as_its_sides_say() -> None:
    bar = torch.zeros(1, 1, 64, 64)
    bar[..., 30:34, 2:62] = 1
    assert perimetric_complexity(disc(20)).item() == pytest.approx(1, abs=0.1)
    assert perimetric_complexity(bar).item() == pytest.approx(128**2 / (4 * math.pi * 240), rel=0.12)


def test_perimetric_complexity_hardly_depends_on_size_or_direction() -> None:
    small, large = perimetric_complexity(torch.cat([disc(8), disc(24)]))
    upright = torch.zeros(1, 1, 64, 64)
    upright[..., 12:52, 30:33] = 1
    at = torch.arange(64) - 31.5
    slanted = ((at[:, None] - at).abs() <= 2.1) & ((at[:, None] + at).abs() <= 28.3)
    assert small == pytest.approx(large.item(), rel=0.1)
    assert perimetric_complexity(slanted[None, None].float()) == pytest.approx(
        perimetric_complexity(upright).item(), rel=0.15
    )


@pytest.mark.parametrize("measure", COMPLEXITY[1:])
def test_a_faint_drawing_counts_like_a_strong_one(measure: object, images: Tensor) -> None:
    assert callable(measure)
    assert torch.equal(measure(images[:4] * 0.2), measure(images[:4]))


def test_a_threshold_decides_what_is_ink(images: Tensor) -> None:
    assert components(images[:2] * 0.4, threshold=0.5).tolist() == [0, 0]
    assert components(images[:2] * 0.4, threshold=0.3).tolist() == [1, 2]


@pytest.mark.parametrize("measure", PER_IMAGE.values(), ids=PER_IMAGE)
def test_no_measure_of_an_image_depends_on_its_batch(measure: object, images: Tensor) -> None:
    assert callable(measure)
    x = torch.cat([images, noise(5, 16)])
    together = measure(x)
    assert together.shape == (11,)
    assert together.dtype == torch.float32
    assert torch.equal(together, torch.cat([measure(image[None]) for image in x]))


@pytest.mark.parametrize("measure", PER_IMAGE.values(), ids=PER_IMAGE)
def test_bytes_colours_and_floats_measure_the_same_and_nothing_measures_nothing(
    measure: object, images: Tensor
) -> None:
    assert callable(measure)
    data = (images * 255).round().byte()
    as_bytes = measure(data)
    assert torch.equal(as_bytes, measure(data.float() / 255))
    assert torch.allclose(as_bytes, measure(data.expand(-1, 3, -1, -1)), rtol=1e-5)
    assert measure(data[:0]).shape == (0,)


def test_an_image_without_a_batch_is_refused_with_its_shape() -> None:
    with pytest.raises(ValueError, match=r"\(28, 28\)"):
        ink(torch.zeros(28, 28))


# novelty


def test_a_copy_is_exactly_zero_away_and_points_to_its_original() -> None:
    reference = (noise(300) * 255).byte()
    distances, rows = nearest(reference[[7, 250, 31]].float() / 255, reference)
    assert distances.tolist() == [[0], [0], [0]]
    assert rows.tolist() == [[7], [250], [31]]


def test_black_is_one_away_from_white_and_half_from_grey() -> None:
    black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    distances, rows = nearest(black, torch.cat([white, white / 2]), k=2)
    assert torch.allclose(distances, torch.tensor([[0.5, 1.0]]))
    assert rows.tolist() == [[1, 0]]


def test_the_nearest_equal_a_comparison_with_every_image() -> None:
    x, reference = noise(20), noise(700).flip(0)
    exact = (x[:, None] - reference[None]).square().flatten(2).mean(2).sqrt().sort(1)
    distances, rows = nearest(x, reference, k=5)
    assert torch.equal(rows, exact.indices[:, :5])
    assert torch.allclose(distances, exact.values[:, :5], atol=1e-6)


def test_of_equally_near_images_the_first_comes_first() -> None:
    reference = torch.cat([torch.ones(1, 1, 6, 6), torch.zeros(5, 1, 6, 6)])
    assert nearest(torch.zeros(2, 1, 6, 6), reference, k=3)[1].tolist() == [[1, 2, 3], [1, 2, 3]]


def test_what_is_nearest_to_an_image_does_not_depend_on_its_batch() -> None:
    x, reference = noise(9), noise(400).flip(0)
    distances, rows = nearest(x, reference, k=2)
    alone = [nearest(image[None], reference, k=2) for image in x]
    assert torch.equal(distances, torch.cat([pair[0] for pair in alone]))
    assert torch.equal(rows, torch.cat([pair[1] for pair in alone]))


def test_novelty_is_the_mean_distance_to_the_k_nearest() -> None:
    x, reference = noise(4), noise(50).flip(0)
    assert torch.equal(novelty(x, reference, k=3), nearest(x, reference, k=3)[0].mean(1))
    assert novelty(reference[:4], reference).tolist() == [0, 0, 0, 0]
    assert novelty(x[:0], reference).shape == (0,)


@pytest.mark.parametrize("k", [0, 6])
def test_more_neighbours_than_there_are_images_are_refused(k: int) -> None:
    with pytest.raises(ValueError, match="of 5 images"):
        nearest(noise(2), noise(5), k)


def test_images_of_another_size_than_the_reference_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 28, 28\).*\(1, 16, 16\)"):
        novelty(noise(2), noise(5, 16))


@pytest.mark.slow
def test_a_hundred_images_against_sixty_thousand_take_about_a_second() -> None:
    reference = torch.randint(0, 256, (60_000, 1, 28, 28), dtype=torch.uint8)
    start = time.perf_counter()
    distances, _ = nearest(reference[:100], reference)
    assert time.perf_counter() - start < 10  # 0.4 s on a free core; the bound is for a busy one
    assert not distances.any()


def test_a_set_of_copies_has_no_diversity_and_black_and_white_has_all() -> None:
    assert diversity(noise(1).repeat(7, 1, 1, 1)) == 0
    assert diversity(torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])) == 1
    assert diversity(noise(1)) == 0


def test_diversity_is_the_mean_over_all_pairs() -> None:
    x = noise(30)
    pairs = [(x[i] - x[j]).square().mean().sqrt() for i in range(30) for j in range(i)]
    assert diversity(x) == pytest.approx(torch.stack(pairs).mean().item(), rel=1e-5)


def test_blank_images_are_those_without_a_bright_pixel(images: Tensor) -> None:
    assert blank_share(images) == 0
    assert blank_share(torch.cat([images * 0.5, images])) == 0.5
    assert blank_share(images * 0.5, threshold=0.4) == 0


def test_images_that_agree_in_black_and_white_count_once(images: Tensor) -> None:
    assert unique_share(images) == 1
    assert unique_share(torch.cat([images[:4], images[:4] * 0.9])) == 0.5


@pytest.mark.parametrize("share", [blank_share, unique_share])
def test_an_empty_set_has_no_shares(share: object, images: Tensor) -> None:
    assert callable(share)
    with pytest.raises(ValueError, match="empty"):
        share(images[:0])


# statistics


def test_rank_correlation_asks_only_for_the_order() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 10, 11, 1000]) == 1
    assert rank_correlation([1, 2, 3, 4], torch.tensor([4.0, 3.0, 2.0, -9.0])) == -1


def test_ties_share_their_mean_rank() -> None:
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9486832980505138)  # ranks 1, 2.5, 2.5, 4
    assert rank_correlation([3, 1, 4, 1, 5], [2, 7, 1, 8, 2]) == pytest.approx(-15 / 19)


def test_what_never_changes_rises_with_nothing() -> None:
    assert rank_correlation([1, 2, 3], [5, 5, 5]) == 0


@pytest.mark.parametrize("pair", [([1], [1]), ([1, 2], [1, 2, 3]), ([1, 2], [1, math.nan])])
def test_series_that_cannot_be_ranked_are_refused(pair: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="no rank correlation"):
        rank_correlation(*pair)


# the table


def test_a_row_of_the_table_has_a_finite_number_for_every_measure(images: Tensor) -> None:
    row = measure(images, images, passes=torch.tensor([1, 2, 3, 4, 5, 6]))
    assert list(row) == list(MEASURES)
    assert all(math.isfinite(value) for value in row.values())
    assert row["passes"] == 3.5


def test_the_data_measured_against_itself_is_not_novel(images: Tensor) -> None:
    row = measure(images, (images * 255).byte().float() / 255)
    assert "passes" not in row
    assert row["novelty_median"] < 0.01
    assert row["unique_share"] == 1
    assert row["holes"] == holes(images).mean()


def test_arrays_are_measured_as_tensors_are(images: Tensor) -> None:
    from toolkit.metrics import measure as measure_set

    assert measure_set(images.numpy(), images.flip(0).numpy()) == measure_set(images, images.flip(0))
