"""The loop that hallucinates, with steps simple enough to know the answer."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest
import torch
from torch import Tensor

from toolkit.samplers import iterate, last, settle, settle_in_turn, settle_together, stretch

Step = Callable[[Tensor], Tensor]
Sampler = Callable[..., Iterator[Tensor]]
BOTH = pytest.mark.parametrize("sampler", [settle, settle_together])


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def half(x: Tensor) -> Tensor:
    return x / 2


def counted(step: Step) -> tuple[Step, list[int]]:
    """A step, and how many images each of its calls was given."""
    rows: list[int] = []

    def counting(x: Tensor) -> Tensor:
        rows.append(len(x))
        return step(x)

    return counting, rows


def test_iterating_yields_the_start_and_every_state_without_end() -> None:
    states = list(islice(iterate(half, torch.ones(1, 1, 1, 1)), 5))
    assert [state.item() for state in states] == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]


@BOTH
def test_the_first_state_is_the_start(sampler: Sampler) -> None:
    x = noise(2, 1, 3, 3)
    assert torch.equal(next(sampler(half, x)), x)


@BOTH
def test_the_start_is_left_as_it_was(sampler: Sampler) -> None:
    x = noise(2, 1, 3, 3)
    list(sampler(half, x))
    assert torch.equal(x, noise(2, 1, 3, 3))


@BOTH
def test_halving_settles_near_black(sampler: Sampler) -> None:
    states = list(sampler(half, torch.ones(2, 1, 3, 3), tol=1e-6))
    assert last(iter(states)).max() < 2e-3 and len(states) < 15


@BOTH
def test_an_image_that_stands_still_settles_at_once(sampler: Sampler) -> None:
    states = list(sampler(torch.clone, noise(3, 1, 2, 2)))
    assert len(states) == 2 and torch.equal(*states)


@BOTH
def test_a_pass_that_moves_the_image_does_not_count_as_settled(sampler: Sampler) -> None:
    # regression: the test subtracted a tensor from itself, so every image had settled after one pass
    step, rows = counted(half)
    list(sampler(step, torch.ones(1, 1, 2, 2), tol=1e-3))
    assert len(rows) == 5  # moves 1/4, 1/16, 1/64, 1/256, and 1/1024 which is under 1e-3


@BOTH
@pytest.mark.parametrize("limit", [1, 3, 7])
def test_no_image_takes_more_passes_than_the_limit(sampler: Sampler, limit: int) -> None:
    states = list(sampler(lambda x: 1 - x, torch.zeros(2, 1, 2, 2), limit=limit))
    assert len(states) == 1 + limit


@BOTH
def test_the_criterion_compares_the_input_with_the_raw_output(sampler: Sampler) -> None:
    # A black image whose raw output is far under 0 is black again, and has not settled.
    states = list(sampler(lambda x: x - 1, torch.zeros(1, 1, 2, 2), limit=9))
    assert len(states) == 10 and not torch.stack(states).any()


@BOTH
def test_every_state_is_a_picture_and_carries_no_gradient(sampler: Sampler) -> None:
    weight = torch.tensor(3.0, requires_grad=True)
    states = list(sampler(lambda x: weight * (x - 0.4), noise(3, 1, 4, 4), limit=5))
    assert all(state.min() >= 0 and state.max() <= 1 and not state.requires_grad for state in states)


def test_a_settled_image_is_not_computed_again() -> None:
    step, rows = counted(half)
    x = torch.tensor([1.0, 0.5, 0.0])[:, None, None, None]
    final = last(settle(step, x, tol=1e-3))
    assert rows == [3, 2, 2, 2, 1]
    assert final.flatten().tolist() == [1 / 32, 1 / 32, 0]


def test_a_settled_image_keeps_its_last_state_while_others_move_on() -> None:
    x = torch.tensor([0.05, 1.0])[:, None, None, None]
    states = list(settle(half, x, tol=1e-3))
    assert [state[0].item() for state in states] == pytest.approx([0.05] + [0.025] * 5)


def test_an_image_is_the_same_alone_and_in_a_batch() -> None:
    # regression: all images went on until the slowest of the batch had settled
    x = noise(6, 1, 3, 3) * torch.tensor([1.0, 0.01, 0.3, 0.1, 0.8, 0.0])[:, None, None, None]
    together = last(settle(half, x))
    assert all(torch.equal(last(settle(half, x[i : i + 1]))[0], together[i]) for i in range(6))


def test_the_published_stop_makes_an_image_depend_on_its_batch() -> None:
    dim, bright = torch.full((1, 1, 2, 2), 0.01), torch.ones(1, 1, 2, 2)
    alone, together = (last(settle_together(half, x))[0] for x in (dim, torch.cat([dim, bright])))
    assert together.max() < alone.max()


def test_both_stops_agree_on_one_image() -> None:
    x = noise(1, 1, 3, 3)
    assert torch.equal(last(settle(half, x)), last(settle_together(half, x)))


def test_a_settled_image_is_a_fixed_point() -> None:
    x = last(settle(half, noise(4, 1, 3, 3)))
    step, rows = counted(half)
    assert len(list(settle(step, x))) == 2 and rows == [4]


def mixed(count: int) -> Tensor:
    """Images that take from 1 to 7 passes of `half` to settle."""
    return noise(count, 1, 3, 3) * torch.logspace(-3, 0.5, count)[:, None, None, None].roll(count // 2, 0)


@pytest.mark.parametrize("at_once", [1, 4, 20, 50])
def test_in_turn_every_image_ends_as_it_does_by_itself(at_once: int) -> None:
    x = mixed(20)
    final, passes = torch.full_like(x, -1), torch.zeros(20, dtype=torch.long)
    for which, state, count in settle_in_turn(half, x, at_once=at_once):
        assert (passes[which] == 0).all()  # each leaves once
        final[which], passes[which] = state, count
    assert torch.equal(final, last(settle(half, x)))
    assert passes.tolist() == [len(list(settle(half, one[None]))) - 1 for one in x]


def test_in_turn_the_batch_stays_full_while_images_wait() -> None:
    step, rows = counted(half)
    x = mixed(20)
    passes = sum(int(count.sum()) for *_, count in settle_in_turn(step, x, at_once=4))
    waiting = len(rows) - next((i for i, count in enumerate(rows) if count < 4), len(rows))
    assert sum(rows) == passes and max(rows) == 4
    assert waiting <= 7  # only the last images, none of which takes more passes than that


def test_in_turn_an_image_that_never_settles_leaves_at_the_limit() -> None:
    x = torch.tensor([0.5, 1.0, 0.5])[:, None, None, None]  # one flips between white and black
    left = list(settle_in_turn(lambda x: 1 - x, x, at_once=1, limit=5))
    assert [(which.item(), count.item()) for which, _, count in left] == [(0, 1), (1, 5), (2, 1)]


def test_in_turn_no_images_are_no_images() -> None:
    assert not list(settle_in_turn(half, torch.empty(0, 1, 3, 3), at_once=4))


def test_stretching_makes_the_brightest_pixel_white_and_keeps_black() -> None:
    x = torch.tensor([[0.0, 0.25, 0.5], [0.0, 1.0, 0.1]]).view(2, 1, 1, 3)
    assert torch.allclose(stretch(x).flatten(1), torch.tensor([[0.0, 0.5, 1.0], [0.0, 1.0, 0.1]]))


@pytest.mark.parametrize("level", [0.0, 1e-9, 0.3, 1.0])
def test_a_flat_image_survives_stretching(level: float) -> None:
    # regression: a flat image became NaN, because it was divided by its maximum less its minimum
    x = stretch(torch.full((2, 1, 3, 3), level))
    assert x.isfinite().all() and ((x >= 0) & (x <= 1)).all()
    assert x.max() == pytest.approx(1 if level > 1e-6 else level, abs=2e-3)


def test_an_empty_batch_stays_empty() -> None:
    assert last(settle(half, torch.empty(0, 1, 3, 3))).shape == (0, 1, 3, 3)
