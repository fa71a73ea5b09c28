"""Iteration, with steps simple enough to know the answer; thresholds and noise between passes; guidance."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.models import create
from toolkit.samplers import (
    Sampling,
    generate,
    guided,
    iterate,
    last,
    moving_threshold,
    salt_and_pepper,
    salt_before_passes,
    settle,
)
from toolkit.samplers.iterate import settle_in_turn
from toolkit.seeds import Noise

Step = Callable[[Tensor], Tensor]
Sampler = Callable[..., Iterator[Tensor]]
settle_together = partial(settle, together=True)
BOTH = pytest.mark.parametrize("sampler", [settle, settle_together], ids=["each", "together"])


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
def test_the_first_state_is_the_start_which_is_left_as_it_was_and_one_that_stands_still_settles(
    sampler: Sampler,
) -> None:
    x = noise(2, 1, 3, 3)
    first, *_ = sampler(half, x)
    assert torch.equal(first, x) and torch.equal(x, noise(2, 1, 3, 3))
    states = list(sampler(torch.clone, x))
    assert len(states) == 2 and torch.equal(*states)


@BOTH
def test_a_pass_that_moves_the_image_does_not_count_as_settled(sampler: Sampler) -> None:
    # regression: the test subtracted a tensor from itself, so every image had settled after one pass
    step, rows = counted(half)
    states = list(sampler(step, torch.ones(1, 1, 2, 2), tol=1e-3))
    assert len(rows) == 5  # moves 1/4, 1/16, 1/64, 1/256, and 1/1024 which is under 1e-3
    assert states[-1].max() == 1 / 32


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
    step, rows = counted(half)
    assert len(list(settle(step, final))) == 2 and rows == [3]  # a settled image is a fixed point
    states = list(settle(half, torch.tensor([0.05, 1.0])[:, None, None, None], tol=1e-3))
    assert [state[0].item() for state in states] == pytest.approx([0.05] + [0.025] * 5)  # and keeps its last state


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


def test_an_empty_batch_stays_empty() -> None:
    empty = torch.empty(0, 1, 3, 3)
    assert not list(settle_in_turn(half, empty, at_once=4))
    assert all(last(sampler(half, empty)).shape == (0, 1, 3, 3) for sampler in (settle, settle_together))


def starts() -> Tensor:
    return Noise(range(4)).rand(1, 14, 14)


@pytest.mark.parametrize("ink", [0.01, 0.13, 0.5, 0.99])
def test_the_threshold_leaves_the_brightest_share_white_and_what_it_left_as_it_is(ink: float) -> None:
    dim = starts() * torch.tensor([0.01, 0.1, 0.5, 1.0]).view(4, 1, 1, 1)
    x = moving_threshold(dim, ink)
    assert set(x.unique().tolist()) == {0, 1} and x.flatten(1).mean(1).tolist() == pytest.approx([ink] * 4, abs=0.003)
    assert dim[0][x[0].bool()].min() > dim[0][~x[0].bool()].max() and torch.equal(moving_threshold(x, ink), x)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(2, 1, 4, 4), (0, 1, 4, 4), (1, 1, 1, 1)])
def test_a_flat_image_has_no_brightest_pixels(level: float, shape: tuple[int, ...]) -> None:
    assert moving_threshold(torch.full(shape, level), 0.2).shape == shape
    assert not moving_threshold(torch.full(shape, level), 0.2).any()


def test_salt_and_pepper_takes_a_share_of_the_pixels_half_black_half_white() -> None:
    grey = torch.full((20, 1, 50, 50), 0.5)
    assert torch.equal(salt_and_pepper(grey, 0.0, Noise(range(20))), grey)
    assert set(salt_and_pepper(grey, 1.0, Noise(range(20))).unique().tolist()) == {0, 1}
    x = salt_and_pepper(grey, 0.2, Noise(range(20)))
    assert [(x == value).double().mean().item() for value in (0, 1)] == pytest.approx([0.1, 0.1], abs=0.005)


def test_every_pass_has_noise_of_its_own() -> None:
    perturb, x = salt_before_passes(starts()[:1], 0.3), torch.full((1, 1, 14, 14), 0.5)
    first, again, second = (perturb(x, torch.tensor([0]), torch.tensor([age])) for age in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, second)


@pytest.mark.parametrize("options", [{"salt": 0.1}, {"ink": 0.13}, {"salt": 0.1, "ink": 0.13}])
@pytest.mark.parametrize("stop", ["each", "batch"])
def test_with_noise_and_threshold_an_image_does_not_depend_on_its_batch(options: dict[str, Any], stop: str) -> None:
    sampling, x = Sampling(tol=0.0, limit=4, stop=stop, **options), starts()
    assert torch.equal(sampling.final(torch.clone, x[2:3]), sampling.final(torch.clone, x)[2:3])


def test_in_turn_noise_and_threshold_are_those_of_the_stream() -> None:
    model, sampling = create("WTA", {"filters": 3, "size": 14}, seed=0), Sampling(limit=5, ink=0.2, salt=0.1)
    x = Noise(range(7)).rand(1, 14, 14)
    ends = torch.empty_like(x)
    for which, final, _ in sampling.final_states(model, x, at_once=3):
        ends[which] = final
    torch.testing.assert_close(ends, last(sampling.stream(model, x)))
    assert set(generate(model, range(7), sampling).images.unique().tolist()) <= {0, 255}


FUNCTIONS: dict[str, Callable[[Tensor, float], object]] = {"ink": moving_threshold, "salt": salt_before_passes}


@pytest.mark.parametrize("option", ["ink", "salt"])
@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_that_means_nothing_is_named(option: str, share: float) -> None:
    for use in (lambda: Sampling(**{option: share}), lambda: FUNCTIONS[option](starts(), share)):
        with pytest.raises(ValueError, match=f"^{option} is {share}: [^\n]+$"):
            use()


def brightness(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


def test_without_guidance_it_is_the_step_and_with_neither_nothing_moves() -> None:
    model = create("WTA", {"filters": 3, "size": 14}, seed=0)
    torch.testing.assert_close(guided(model, brightness, guidance=0.0)(starts()), model(starts()).clamp(0, 1))
    assert torch.equal(guided(half, brightness, guidance=0.0, rate=0.0)(starts()), starts())


def test_guidance_is_the_gradient_through_the_reconstruction() -> None:
    x = starts() / 2
    with torch.no_grad():
        assert torch.allclose(guided(half, brightness, guidance=0.1, rate=0.0)(x), x + 0.1 * 0.5)
    y = guided(half, brightness, guidance=-100.0)(x)
    assert not y.any() and not y.requires_grad  # a picture, without gradient


@pytest.mark.parametrize("architecture", ["WTA", "ConvAE"])
def test_a_guided_image_does_not_depend_on_its_neighbours(architecture: str) -> None:
    model = create(architecture, {"filters": 3, "size": 14}, seed=0)
    step, x = guided(model, brightness, guidance=0.01), starts()
    torch.testing.assert_close(step(x)[1:2], step(x[1:2]), atol=1e-5, rtol=1e-4)


def test_guidance_raises_the_probability_of_its_class() -> None:
    judge: Any = create("Judge", {"filters": 4, "size": 14, "depth": 2, "hidden": 16}, seed=0)
    step = guided(lambda x: x, lambda x: judge(x).log_softmax(1)[:, 3], guidance=0.1)
    final = Sampling(tol=0.0, limit=30).final(step, starts())
    assert (judge.probabilities(final)[:, 3] > judge.probabilities(starts())[:, 3]).all()
