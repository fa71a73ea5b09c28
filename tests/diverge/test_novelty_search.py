"""Novelty search on a plane: codes are points, and what is seen of a picture is where it lies."""

from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.diverge import Search, first_codes, growth, novelty_search, picture
from toolkit.diverge.novelty_search import Archive, novelty


def draw(codes: Tensor) -> Tensor:
    """Points (P, 2) as pictures, (P, 1, 1, 2)."""
    return codes[:, None, None, :]


def where(images: Tensor) -> Tensor:
    return images.flatten(1)


def run(generations: int, how: Search | None = None, quality: Any = None, **options: Any) -> list[Any]:
    how = how or Search(population=20, neighbours=5)
    start = 0.01 * first_codes((2,), how)
    return list(islice(novelty_search(start, draw, where, quality, how, **options), generations))


def test_novelty_is_the_mean_distance_to_the_nearest() -> None:
    others = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert novelty(torch.tensor([[0.0]]), others, 2).tolist() == [0.5]
    assert novelty(others, others, 2, among=True).tolist() == [2, 1.5, 2.5, 5]
    assert novelty(others[:1], others[:1], 3, among=True).tolist() == [float("inf")]
    assert novelty(others[:1], others, 99).tolist() == [11 / 4]


def test_a_copy_of_another_is_not_new_though_one_is_no_neighbour_of_oneself() -> None:
    assert novelty(torch.zeros(2, 3), torch.zeros(2, 3), 1, among=True).tolist() == [0, 0]


def test_the_search_leaves_where_it_began() -> None:
    generations = run(40)
    spread = [generation.codes.norm(dim=1).mean().item() for generation in generations]
    assert spread[0] < 0.1 and spread[39] > 2 and spread[39] > spread[20] > spread[5]


def test_the_archive_holds_the_most_novel_of_each_generation_and_grows() -> None:
    generations = run(6)
    for generation in generations:
        new = generation.archive.features[generation.archive.entered == generation.number]
        best = generation.novelty.topk(3).indices
        assert torch.equal(new, generation.features[best]) and len(generation.archive) == 3 * (generation.number + 1)
    assert growth(generations[-1].archive, 6) == [3, 6, 9, 12, 15, 18]


def test_what_is_in_the_archive_or_known_is_no_longer_new() -> None:
    how = Search(population=4, neighbours=1)
    codes = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    free = next(novelty_search(codes, draw, where, how=how)).novelty
    known = next(novelty_search(codes, draw, where, how=how, known=torch.tensor([[10.0, 1.0]]))).novelty
    assert free.tolist() == [10, 10, 10, 10] and known.tolist() == pytest.approx([10, 1, 10, 81**0.5])
    first, second = islice(novelty_search(codes, draw, where, how=Search(4, 1, 1, spread=0.0)), 2)
    assert second.novelty.max() == 0 and len(first.archive) == 1  # parents and their unmutated children


def test_only_what_passes_the_gate_is_archived_and_it_has_children_first() -> None:
    how = Search(population=20, neighbours=5, least=-0.5, most=0.5)  # a stripe of the plane
    generations = run(30, how, lambda images: images.flatten(1)[:, 0])
    archive, last = generations[-1].archive, generations[-1]
    assert archive.codes[:, 0].abs().max() <= 0.5 and archive.codes[:, 1].abs().max() > 2
    assert torch.equal(last.accepted, last.codes[:, 0].abs() <= 0.5) and last.accepted.sum() >= 10


def test_a_closed_gate_archives_nothing_and_the_search_goes_on() -> None:
    generations = run(3, Search(population=6, neighbours=2, least=9.0))  # without a quality, every picture has 0
    assert [len(generation.archive) for generation in generations] == [0, 0, 0]
    with pytest.raises(ValueError, match="^the archive is empty: let [^\n]+$"):
        picture(generations[-1].archive, draw, 3)


def test_the_more_novel_half_stays_and_has_a_child_each() -> None:
    first, second = run(2)
    best = first.codes[first.novelty.argsort(descending=True, stable=True)[:10]]
    assert torch.equal(second.codes[:10], best) and second.codes.shape == first.codes.shape
    assert 0.1 < (second.codes[10:] - best).std() < 0.5


def test_a_seed_is_a_search() -> None:
    one, again, other = (run(4, Search(population=8, neighbours=3, seed=seed))[-1].codes for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_an_odd_population_keeps_its_size() -> None:
    assert [len(generation.codes) for generation in run(3, Search(population=7, neighbours=2))] == [7, 7, 7]


def test_the_picture_of_the_archive_is_a_row_for_each_generation() -> None:
    archive = Archive(torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]]), torch.zeros(4, 1), torch.tensor([0, 0, 0, 2]))
    cells = picture(archive, draw, 2).flatten(1)
    assert cells.tolist() == [[1, 2], [3, 4], [0, 0], [0, 0], [7, 8], [0, 0]]


def test_a_model_is_searched_by_its_own_code(tiny: Any) -> None:
    model, how = tiny("VAE"), Search(population=6, neighbours=2)
    generations = list(islice(novelty_search(first_codes((3,), how), model.decode, model.encode, how=how), 3))
    assert generations[-1].features.shape == (6, 3) and not generations[-1].codes.requires_grad


def test_what_means_nothing_is_refused_in_one_sentence() -> None:
    bad: list[dict[str, Any]] = [{"population": 1}, {"added": 0}, {"neighbours": 0}, {"spread": -1.0},
                                 {"spread": float("nan")}, {"least": 2.0, "most": 1.0}]  # fmt: skip
    for options in bad:
        with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
            Search(**options)
    with pytest.raises(ValueError, match="^3 codes [^\n]+: give [^\n]+$"):
        novelty_search(torch.zeros(3, 2), draw, where, how=Search(population=4))
    with pytest.raises(ValueError, match="^1 codes [^\n]+: give [^\n]+$"):
        novelty_search(torch.zeros(1, 2), draw, where, how=Search(population=2))
