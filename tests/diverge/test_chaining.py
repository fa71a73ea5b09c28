"""One model's picture as another's start."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from toolkit.diverge import chain, fitted
from toolkit.models import create
from toolkit.seeds import Noise

Make = Callable[..., Any]


def test_a_chain_of_one_is_its_sample_or_its_reconstruction(tiny: Make) -> None:
    (drawn,) = chain([tiny("VAE")], Noise(range(3)))
    assert torch.equal(drawn, tiny("VAE").sample(Noise(range(3))))
    (made,) = chain([tiny("WTA")], Noise(range(3)))
    assert torch.equal(made, tiny("WTA").reconstruct(Noise(range(3)).rand(1, 16, 16)))


def test_each_model_starts_from_what_the_one_before_made(tiny: Make) -> None:
    models = [tiny("DCGAN"), tiny("WTA"), tiny("Manifold")]
    a, b, c = chain(models, Noise(range(3)), passes=[9, 2, 1])
    assert torch.equal(b, models[1].reconstruct(models[1].reconstruct(a)))
    assert torch.equal(c, models[2].reconstruct(b)) and torch.equal(a, models[0].sample(Noise(range(3))))


def test_without_a_pass_a_model_hands_on_what_it_got(tiny: Make) -> None:
    x = torch.rand(2, 1, 16, 16)
    assert all(torch.equal(state, x) for state in chain([tiny("WTA"), tiny("VAE")], x, passes=0))


def test_sizes_and_colours_are_converted_between_models(tiny: Make) -> None:
    colour = create("VAE", {"channels": 3, "size": 24, "widths": (8,), "z": 2}, seed=0)
    shapes = [tuple(x.shape) for x in chain([tiny("VAE"), colour, tiny("WTA")], Noise(range(2)))]
    assert shapes == [(2, 1, 16, 16), (2, 3, 24, 24), (2, 1, 16, 16)]


def test_every_state_is_a_picture_that_does_not_depend_on_its_neighbours(tiny: Make) -> None:
    models = [tiny("ConvVAE"), create("Manifold", {"size": 9, "width": 8, "depth": 1}, seed=0), tiny("WTA")]
    together = list(chain(models, Noise(range(4)), passes=2))
    for alone, state in zip(chain(models, Noise([2]), passes=2), together, strict=True):
        assert state.min() >= 0 and state.max() <= 1
        torch.testing.assert_close(alone[0], state[2], atol=1e-5, rtol=1e-4)


def test_an_image_that_fits_is_returned_as_it_is_and_a_flat_one_stays_flat() -> None:
    x = torch.rand(1, 3, 5, 5)
    assert fitted(x, (3, 5, 5)) is x
    torch.testing.assert_close(fitted(x, (1, 5, 5))[0, 0], x[0].mean(0))
    torch.testing.assert_close(fitted(torch.full((1, 1, 28, 28), 0.25), (3, 32, 17)), torch.full((1, 3, 32, 17), 0.25))


def test_halving_averages() -> None:
    x = torch.zeros(1, 1, 8, 8)
    x[..., :4] = 1
    assert fitted(x, (1, 4, 4))[0, 0, 2].tolist() == pytest.approx([1, 1 - 1 / 8, 1 / 8, 0], abs=0.01)


def test_what_does_not_chain_is_refused_in_one_sentence(tiny: Make) -> None:
    noise = Noise([0])
    for attempt in (
        lambda: chain([], noise),
        lambda: chain([tiny("WTA")], noise, passes=[1, 2]),
        lambda: chain([tiny("WTA")], noise, passes=-1),
        lambda: chain([tiny("WTA"), tiny("DCGAN")], noise),
        lambda: chain([tiny("DCGAN")], torch.rand(1, 1, 16, 16)),
        lambda: fitted(torch.rand(1, 2, 5, 5), (3, 5, 5)),
        lambda: fitted(torch.rand(5, 5), (1, 5, 5)),
    ):
        with pytest.raises(ValueError, match="^[^\n]+: (give|let) [^\n]+$"):
            attempt()
