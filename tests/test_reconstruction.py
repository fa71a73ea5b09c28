"""How far a picture lies from what a decoder can draw, on decoders simple enough to know the answer; and intervals."""

import pytest
import torch
from torch import Tensor, nn

from toolkit.metrics.distance import encoder_distance, optimised_distance
from toolkit.metrics.stats import above_zero, interval
from toolkit.models import create


class Left(nn.Module):
    """Draws the left half of a 2x2 picture from a code of two numbers, the right half is always black."""

    code_shape = (2,)

    def encode(self, x: Tensor) -> Tensor:
        return x[:, 0, :, 0] / 2  # not quite where it should be

    def decode(self, z: Tensor) -> Tensor:
        return torch.stack([z, torch.zeros_like(z)], 2)[:, None]


class Blind(Left):
    encode = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> object:
        if name == "encode":
            raise AttributeError(name)
        return super().__getattribute__(name)


def pictures(count: int = 3) -> Tensor:
    return torch.rand(count, 1, 2, 2, generator=torch.Generator().manual_seed(0))


def test_the_round_trip_is_a_norm_over_pixels() -> None:
    x = torch.tensor([[[[0.8, 0.3], [0.6, 0.4]]]])
    assert encoder_distance(Left(), x).tolist() == pytest.approx([(0.4**2 + 0.3**2 + 0.3**2 + 0.4**2) ** 0.5])


def test_what_the_decoder_draws_is_no_distance_away_and_the_rest_is() -> None:
    x = pictures()
    inside, outside = x * torch.tensor([1.0, 0.0]), (x * torch.tensor([0.0, 1.0])).flatten(1).norm(dim=1)
    assert optimised_distance(Left(), inside).max() < 1e-2
    assert torch.allclose(optimised_distance(Left(), x), outside, atol=1e-3)


@pytest.mark.parametrize("steps", [1, 5, 60])
def test_minimising_never_ends_farther_than_the_round_trip(steps: int) -> None:
    model = create("VAE", {"widths": (12, 10, 8), "z": 3, "size": 8}, seed=0)
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    assert (optimised_distance(model, x, steps=steps, starts=2) <= encoder_distance(model, x) + 1e-6).all()


def test_an_image_does_not_depend_on_the_others_nor_on_how_they_are_cut() -> None:
    x = pictures(5)
    whole = optimised_distance(Left(), x, steps=20)
    assert torch.allclose(whole, torch.cat([optimised_distance(Left(), one[None], steps=20) for one in x]), atol=1e-6)
    assert torch.allclose(whole, optimised_distance(Left(), x, steps=20, batch=2), atol=1e-6)


def test_a_model_without_an_encoder_starts_from_the_prior() -> None:
    assert torch.allclose(
        optimised_distance(Blind(), pictures(), steps=300), optimised_distance(Left(), pictures()), atol=1e-2
    )


def test_the_model_and_the_generator_are_left_as_they_were() -> None:
    model, state = create("VAE", {"widths": (12, 10, 8), "z": 3, "size": 8}, seed=0), torch.random.get_rng_state()
    optimised_distance(model, torch.rand(2, 1, 8, 8, generator=torch.Generator()), steps=3)
    assert all(weight.grad is None and not weight.requires_grad for weight in model.parameters())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("option", [{"steps": 0}, {"starts": 0}, {"lr": 0.0}])
def test_a_descent_that_goes_nowhere_is_refused(option: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        optimised_distance(Left(), pictures(), **option)  # type: ignore[arg-type]


def test_an_interval_is_students() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found["mean"] == 2 and found["high"] == pytest.approx(2 + 4.303 / 3**0.5, abs=1e-6)
    assert found["low"] == pytest.approx(4 - found["high"]) and found["n"] == 3


def test_it_holds_the_true_mean_nineteen_times_in_twenty() -> None:
    draws = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).tolist()
    inside = [x["low"] < 0 < x["high"] for x in map(interval, draws)]  # type: ignore[operator]
    assert sum(inside) / len(inside) == pytest.approx(0.95, abs=0.01)


def test_one_value_alone_has_no_interval_and_proves_nothing() -> None:
    assert interval([3.0])["low"] is None and not above_zero(interval([3.0]))
    assert above_zero(interval([3.0, 3.1])) and not above_zero(interval([-1.0, 3.0]))


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_what_has_no_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="no mean"):
        interval(values)
