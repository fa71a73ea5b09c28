"""Two generators, and no data."""

import math

import pytest
import torch

from toolkit.diverge.without_data import Equilibrium, Rivals, colours, rivalry, shapes, without_data
from toolkit.models import create
from toolkit.seeds import Noise


def painters(channels=3):
    """Two small generators in colour."""
    config = {"filters": 4, "size": 16, "z": 3, "channels": channels}
    return [create("DCGAN", config, seed=seed) for seed in (0, 1)]


def test_colours_count_in_every_direction_and_not_along_a_line_alone():
    along = torch.rand(64, 1, 1, 1).expand(64, 3, 4, 4)
    apart = torch.rand(64, 3, 1, 1).expand(64, 3, 4, 4)
    assert colours(along) < 0.1 * colours(apart)
    torch.testing.assert_close(colours(along[:, :1]), along[:, :1, 0, 0].std(correction=0), atol=1e-4, rtol=0)


def test_shapes_are_what_differs_beside_the_mean_colour():
    flat = torch.rand(8, 3, 1, 1).expand(8, 3, 4, 4)
    crossed = torch.stack([torch.eye(4), 1 - torch.eye(4)])[:, None]
    assert shapes(flat) < 2e-3 < 0.3 < shapes(crossed) and torch.allclose(shapes(crossed + 0.1), shapes(crossed))


@pytest.mark.parametrize("measure", [colours, shapes])
def test_nobody_is_ahead_of_his_equal_and_twice_the_variety_is_log_two_ahead(measure):
    x = torch.rand(16, 3, 2, 2)
    assert rivalry(measure, x, x) == 0
    assert rivalry(measure, x / 2, x).item() == pytest.approx(math.log(2), abs=0.02)
    assert rivalry(measure, x, x / 2).item() == pytest.approx(-math.log(2), abs=0.02)


@pytest.mark.parametrize("measure", [colours, shapes])
def test_pictures_that_are_all_alike_still_learn_to_differ(measure):
    x = (torch.full((4, 1, 2, 2), 0.5) + 1e-4 * torch.randn(4, 1, 2, 2)).requires_grad_()
    rivalry(measure, x, torch.rand(4, 1, 2, 2)).backward()
    assert x.grad.isfinite().all() and x.grad.abs().max() > 0


def test_both_are_judged_and_neither_moves_the_other():
    rivals = Rivals(*painters(), Equilibrium()).requires_grad_(True)
    rivals.objectives()["one"].loss(torch.randn(8, 3)).backward()
    assert all(p.grad is not None for p in rivals.one.generator.parameters())
    assert all(p.grad is None for p in rivals.other.parameters())


def test_the_two_given_stay_and_both_learn(same):
    one, other = painters()
    first, last = without_data(one, other, (0, 2), batch=8)
    assert all(same(a, b) for a, b in zip((one, other), painters(), strict=True))
    assert same(first.model.one, one) and same(first.model.other, other)
    assert not same(last.model.one, one) and not same(last.model.other, other)
    assert {*last.losses} == {"critic", "one", "other"}


def test_the_same_seed_learns_the_same_whatever_is_kept(same):
    (few,), many = without_data(*painters(), (3,), batch=8), list(without_data(*painters(), (1, 2, 3), batch=8))
    (other,) = without_data(*painters(), (3,), batch=8, seed=1)
    assert same(few.model, many[-1].model) and not same(few.model, other.model)


def test_without_variety_it_still_draws_pictures():
    *_, last = without_data(*painters(1), (2,), Equilibrium(diversity=0.0, variety=0.0), batch=8)
    x = last.model.one.sample(Noise(range(4)))
    assert x.shape == (4, 1, 16, 16) and 0 <= x.min() <= x.max() <= 1


def test_two_of_different_sizes_and_weights_under_zero_are_refused():
    with pytest.raises(ValueError, match="give two of one size"):
        without_data(painters()[0], painters(1)[0], (1,))
    with pytest.raises(ValueError, match="diversity -1"):
        Equilibrium(diversity=-1.0)
