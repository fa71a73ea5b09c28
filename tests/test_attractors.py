"""Where iterated images end up: standing still, different pictures, flows between classes; as properties."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from toolkit.metrics.distance import distinct, effective, flow, linked, movement, standing_still


def grey(*levels: float) -> Tensor:
    """Flat images of these brightnesses: (B, 1, 4, 4)."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, 1, 4, 4).clone()


def test_a_copy_has_not_moved_black_to_white_is_one_and_each_image_moves_by_itself(images: Tensor) -> None:
    assert movement(images, images).tolist() == [0] * 6
    assert movement(grey(0, 1, 0.5), grey(1, 0, 0.25)).tolist() == [1, 1, 0.25]
    together = movement(images, images.flip(0))
    assert all(torch.equal(movement(images[i : i + 1], images.flip(0)[i : i + 1])[0], together[i]) for i in range(6))


def test_a_copy_stands_still_whatever_the_tolerance_and_nothing_else_does_at_none(images: Tensor) -> None:
    assert standing_still(images, images, 0).all()
    assert not standing_still(images, 1 - images, 0).any() and standing_still(images, 1 - images, 1.01).all()


def test_copies_are_one_picture_and_others_are_others_in_bytes_and_floats(images: Tensor) -> None:
    assert distinct(images, 0) == 6 and distinct(images.repeat(3, 1, 1, 1), 0) == 6
    assert torch.equal(linked(images.repeat(2, 1, 1, 1), 0), torch.arange(6).repeat(2))
    both = torch.cat([images[:4], (255 * images[:4]).byte().float() / 255])  # those that bytes can hold
    assert distinct(both, 0) == 4 == distinct((255 * both).byte(), 0)


def test_a_chain_of_small_steps_is_one_picture_in_any_order() -> None:
    chain = grey(*(n / 20 for n in range(21)))
    assert distinct(chain, 0.051) == 1 == distinct(chain[torch.randperm(21)], 0.051) and distinct(chain, 0.049) == 21
    x, order = torch.rand(30, 1, 2, 2), torch.randperm(30)
    a, b = linked(x, 0.15)[order], linked(x[order], 0.15)
    assert torch.equal(a[:, None] == a, b[:, None] == b)


def test_a_wider_tolerance_never_finds_more_pictures() -> None:
    x = torch.rand(40, 1, 2, 2)
    counts = [distinct(x, tol) for tol in (0, 0.05, 0.1, 0.2, 0.4, 1)]
    assert counts == sorted(counts, reverse=True) and counts[0] == 40 and counts[-1] == 1


def test_pictures_by_frequency_are_as_many_as_there_are_if_all_are_equally_frequent() -> None:
    x = grey(0, 0.5, 1)
    assert effective(x.repeat(4, 1, 1, 1), 0) == pytest.approx(3)
    assert 1 < effective(torch.cat([x, x[:1].repeat(20, 1, 1, 1)]), 0) < 2
    none = grey()
    assert distinct(none) == 0 == effective(none) and movement(none, none).shape == (0,)


def test_a_flow_counts_every_sample_once_and_who_stays_is_on_the_diagonal() -> None:
    before, after = torch.randint(0, 5, (2, 100))
    counts = flow(before, after, 5)
    assert torch.equal(counts.sum(1), before.bincount(minlength=5))
    assert torch.equal(counts.sum(0), after.bincount(minlength=5)) and torch.equal(flow(after, before, 5), counts.T)
    labels = torch.tensor([2, 0, 2, 1])
    assert torch.equal(flow(labels, labels, 4), torch.diag(torch.tensor([1, 1, 2, 0])))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: movement(grey(0, 1), grey(0)),
        lambda: flow(torch.tensor([0]), torch.tensor([0, 1]), 2),
        lambda: flow(torch.tensor([0]), torch.tensor([2]), 2),
    ],
)
def test_sets_that_do_not_belong_together_are_refused_in_one_sentence(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="^[^\n]+$"):
        wrong()
