"""A steered step goes where the step goes, and up the score."""

import pytest
import torch
from torch import Tensor

from toolkit.models import create
from toolkit.samplers import Sampling, last, of_any_class, of_class, steered
from toolkit.seeds import Noise


def noise() -> Tensor:
    return Noise(range(4)).rand(1, 14, 14)


def fade(x: Tensor) -> Tensor:
    return 0.5 * x


def brightness(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


def test_without_a_pull_it_is_the_step() -> None:
    model = create("WTA", {"filters": 3, "size": 14}, seed=0)
    torch.testing.assert_close(steered(model, brightness, along=0.0)(noise()), model(noise()).clamp(0, 1))


def test_with_neither_nothing_moves() -> None:
    assert torch.equal(steered(fade, brightness, along=0.0, towards=0.0)(noise()), noise())


def test_the_pull_is_the_gradient_through_the_reconstruction_or_of_the_image_itself() -> None:
    x = noise() / 2
    assert torch.allclose(steered(fade, brightness, along=0.1, towards=0.0)(x), x + 0.1 * 0.5)
    assert torch.allclose(steered(fade, brightness, along=0.1, towards=0.0, through=False)(x), x + 0.1)


def test_it_stays_a_picture_and_carries_no_gradient() -> None:
    y = steered(fade, brightness, along=-100.0)(noise())
    assert not y.any() and not y.requires_grad


@pytest.mark.parametrize("architecture", ["WTA", "ConvAE"])
def test_an_image_does_not_depend_on_its_neighbours(architecture: str) -> None:
    model = create(architecture, {"filters": 3, "size": 14}, seed=0)
    step, x = steered(model, brightness, along=0.01), noise()
    torch.testing.assert_close(step(x)[1:2], step(x[1:2]), atol=1e-5, rtol=1e-4)


def test_a_judge_is_persuaded_of_the_class_it_is_steered_to() -> None:
    judge = create("Judge", {"filters": 4, "size": 14, "depth": 2, "hidden": 16}, seed=0)
    towards = steered(lambda x: x, of_class(judge, 3), along=0.1)
    final = last(Sampling(tol=0.0, limit=30).stream(towards, noise()))
    assert (judge.probabilities(final)[:, 3] > judge.probabilities(noise())[:, 3]).all()


def test_a_judge_is_surest_of_what_has_one_class_and_least_of_what_has_all() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [50.0, 0.0, 0.0, 0.0]])
    assert of_any_class(lambda x: x)(logits).tolist() == pytest.approx([-1.386294, 0], abs=1e-5)
    assert of_class(lambda x: x, 0)(logits).tolist() == pytest.approx([-1.386294, 0], abs=1e-5)


def test_all_steps_are_taken_under_no_grad_too() -> None:
    with torch.no_grad():
        assert torch.isfinite(steered(fade, brightness, along=0.1)(noise())).all()
