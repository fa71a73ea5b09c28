"""Novelty search on a plane, where codes are points and the features of an image its place; and chained models."""

from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import make
from toolkit.diverge import Archive, Search, archive_grid, chain, first_codes, fitted, novelty_search
from toolkit.diverge.search import novelty
from toolkit.seeds import Noise


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
    assert novelty(torch.zeros(2, 3), torch.zeros(2, 3), 1, among=True).tolist() == [0, 0]  # copies are not new


def test_the_search_leaves_where_it_began() -> None:
    generations = run(40)
    spread = [generation.codes.norm(dim=1).mean().item() for generation in generations]
    assert spread[0] < 0.1 and spread[39] > 2 and spread[39] > spread[20] > spread[5]


def test_the_archive_holds_the_most_novel_of_each_generation_and_grows() -> None:
    for generation in run(6):
        new = generation.archive.features[generation.archive.entered == generation.number]
        best = generation.novelty.topk(3).indices
        assert torch.equal(new, generation.features[best]) and len(generation.archive) == 3 * (generation.number + 1)


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
    last = run(30, how, lambda images: images.flatten(1)[:, 0])[-1]
    assert last.archive.codes[:, 0].abs().max() <= 0.5 and last.archive.codes[:, 1].abs().max() > 2
    assert torch.equal(last.accepted, last.codes[:, 0].abs() <= 0.5) and last.accepted.sum() >= 10


def test_a_closed_gate_archives_nothing_and_the_search_goes_on() -> None:
    generations = run(3, Search(population=6, neighbours=2, least=9.0))  # without a quality, every picture has 0
    assert [len(generation.archive) for generation in generations] == [0, 0, 0]
    with pytest.raises(ValueError, match="^the archive is empty: let [^\n]+$"):
        archive_grid(generations[-1].archive, draw, 3)


def test_the_more_novel_half_stays_and_has_a_child_each() -> None:
    first, second = run(2)
    best = first.codes[first.novelty.argsort(descending=True, stable=True)[:10]]
    assert torch.equal(second.codes[:10], best) and second.codes.shape == first.codes.shape
    assert 0.1 < (second.codes[10:] - best).std() < 0.5
    assert torch.equal(run(2)[1].codes, second.codes)
    assert [len(generation.codes) for generation in run(3, Search(population=7, neighbours=2))] == [7, 7, 7]


def test_the_grid_of_the_archive_has_a_row_for_each_generation() -> None:
    archive = Archive(torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]]), torch.zeros(4, 1), torch.tensor([0, 0, 0, 2]))
    cells = archive_grid(archive, draw, 2).flatten(1)
    assert cells.tolist() == [[1, 2], [3, 4], [0, 0], [0, 0], [7, 8], [0, 0]]


# ---- chaining


def test_each_model_starts_from_what_the_one_before_made() -> None:
    models = [make("DCGAN"), make("WTA"), make("Manifold")]
    a, b, c = chain(models, Noise(range(3)), passes=[9, 2, 1])
    assert torch.equal(a, models[0].sample(Noise(range(3))))  # once, whatever the passes
    assert torch.equal(b, models[1].reconstruct(models[1].reconstruct(a))) and torch.equal(c, models[2].reconstruct(b))
    assert all(torch.equal(x, a) for x in chain([make("WTA"), make("VAE")], a, passes=0))
    (made,) = chain([make("WTA")], Noise(range(3)))
    assert torch.equal(made, make("WTA").reconstruct(Noise(range(3)).rand(1, 16, 16)))


def test_sizes_and_colours_are_converted_and_no_image_depends_on_its_batch() -> None:
    models = [make("VAE"), make("VAE", channels=3, size=24), make("Manifold", size=9), make("WTA")]
    together = list(chain(models, Noise(range(4)), passes=2))
    assert [tuple(x.shape[1:]) for x in together] == [(1, 16, 16), (3, 24, 24), (1, 9, 9), (1, 16, 16)]
    for alone, state in zip(chain(models, Noise([2]), passes=2), together, strict=True):
        assert state.min() >= 0 and state.max() <= 1
        torch.testing.assert_close(alone[0], state[2], atol=1e-5, rtol=1e-4)


def test_images_are_fitted_by_averaging_and_those_that_fit_returned_as_they_are() -> None:
    x = torch.rand(1, 3, 5, 5)
    assert fitted(x, (3, 5, 5)) is x
    torch.testing.assert_close(fitted(x, (1, 5, 5))[0, 0], x[0].mean(0))
    torch.testing.assert_close(fitted(torch.full((1, 1, 28, 28), 0.25), (3, 32, 17)), torch.full((1, 3, 32, 17), 0.25))
    x = torch.zeros(1, 1, 8, 8)
    x[..., :4] = 1
    assert fitted(x, (1, 4, 4))[0, 0, 2].tolist() == pytest.approx([1, 1 - 1 / 8, 1 / 8, 0], abs=0.01)


@pytest.mark.parametrize("options", [{"population": 1}, {"added": 0}, {"neighbours": 0}, {"spread": -1.0},
                                     {"spread": float("nan")}, {"least": 2.0, "most": 1.0}], ids=str)  # fmt: skip
def test_a_search_that_means_nothing_is_refused_in_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        Search(**options)


@pytest.mark.parametrize("attempt", [
    lambda: next(novelty_search(torch.zeros(3, 2), draw, where, how=Search(population=4))),
    lambda: next(novelty_search(torch.zeros(1, 2), draw, where, how=Search(population=2))),
    lambda: next(chain([], Noise([0]))),
    lambda: next(chain([make("WTA")], Noise([0]), passes=[1, 2])),
    lambda: next(chain([make("WTA")], Noise([0]), passes=-1)),
    lambda: next(chain([make("WTA"), make("DCGAN")], Noise([0]))),
    lambda: next(chain([make("DCGAN")], torch.rand(1, 1, 16, 16))),
    lambda: fitted(torch.rand(1, 2, 5, 5), (3, 5, 5)),
    lambda: fitted(torch.rand(5, 5), (1, 5, 5)),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_sentence(attempt: Any) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: (give|let) [^\n]+$"):
        attempt()
