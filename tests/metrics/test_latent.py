"""Path length and separability against what one can compute by hand."""

import math

import pytest
import torch
from torch import Tensor

from toolkit.metrics.latent import (
    linear_predictions,
    path_lengths,
    separability,
    separability_interval,
    slerp,
    trimmed,
)

A, B = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 3.0, 0.0]])


def test_a_spherical_path_keeps_to_the_circle_at_an_even_pace() -> None:
    halfway = slerp(A, B, torch.tensor([[0.5]]))
    torch.testing.assert_close(halfway, 2 * torch.tensor([[math.sqrt(0.5), math.sqrt(0.5), 0.0]]))
    for t, end in ((0.0, A), (1.0, B)):
        torch.testing.assert_close(slerp(A, B, torch.tensor([[t]])), end, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"^two latents lie on one line[^\n]*$"):
        slerp(A, -2 * A, torch.tensor([[0.5]]))


def test_the_length_of_a_known_path_is_its_squared_speed() -> None:
    t = torch.rand(5)
    lengths = path_lengths(lambda z: z, lambda x: x, A.expand(5, -1), B.expand(5, -1), t, slerp)
    torch.testing.assert_close(lengths, torch.full((5,), (math.pi / 2) ** 2), rtol=0.02, atol=0)
    assert not path_lengths(lambda z: torch.ones(len(z), 2), lambda x: x, A.expand(5, -1), B.expand(5, -1), t).any()


def test_the_lowest_and_the_highest_per_cent_do_not_count() -> None:
    assert trimmed(torch.arange(200.0).flip(0)).tolist() == [*map(float, range(2, 198))]
    assert len(trimmed(torch.rand(50))) == 50


def test_separability_is_1_for_planes_that_are_right_and_the_whole_entropy_for_planes_that_know_nothing() -> None:
    y = torch.tensor([[True, False], [False, False], [True, True], [False, True]])
    assert separability(y, y) == separability(~y, y) == pytest.approx(1)
    assert separability(torch.zeros_like(y), y) == pytest.approx(4)  # two attributes of ln 2 each
    x = torch.tensor([[True], [True], [True], [False]])
    of_three = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert separability(x, y[:, :1]) == pytest.approx(math.exp(3 / 4 * of_three))
    low, high = separability_interval(torch.zeros_like(y).repeat(50, 1), y.repeat(50, 1), draws=200)
    assert 3.8 < low < high <= 4 + 1e-9


def test_a_plane_is_found_where_there_is_one_and_nothing_is_learned_by_heart() -> None:
    latents = torch.randn(800, 6, dtype=torch.double)
    attributes = torch.stack([latents[:, 0] > latents[:, 1], torch.rand(800) > 0.5], 1)
    predictions = linear_predictions(100 + 7 * latents, attributes)
    right = (predictions == attributes[1::2]).double().mean(0)
    assert right[0] > 0.97 and 0.4 < right[1] < 0.6


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan])
def test_a_step_of_no_length_is_refused(epsilon: float) -> None:
    def same(x: Tensor) -> Tensor:
        return x

    with pytest.raises(ValueError, match=r"^epsilon [^\n]*$"):
        path_lengths(same, same, A, B, torch.rand(1), epsilon=epsilon)
    with pytest.raises(ValueError, match=r"^3 latents[^\n]*$"):
        linear_predictions(torch.rand(3, 2), torch.ones(3, 1) > 0)
