"""Kaleidoscopic sampling is iterated reconstruction, perturbed before every run but the first."""

from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.samplers import iterate, kaleidoscope
from toolkit.samplers.kaleidoscope import perturbations
from toolkit.seeds import Noise

SHAPE = (1, 4, 4)


def step(x: Tensor) -> Tensor:
    """Pulls every pixel halfway to 0 or 1, whichever is nearer: many fixed points."""
    return (x + x.round()) / 2


def runs(count: int, seeds: range = range(6), **options: Any) -> list[Tensor]:
    return list(islice(kaleidoscope(options.pop("step", step), Noise(seeds), SHAPE, **options), 1 + count))


@pytest.mark.parametrize(
    "options", [{"perturbation": 0.0}, {"mode": "none"}, {"perturbation": 0.0, "mode": "published"}]
)
def test_without_perturbation_it_is_iterated_reconstruction(options: dict[str, Any]) -> None:
    plain = islice(iterate(step, Noise(range(6)).rand(*SHAPE)), 9)
    assert all(torch.equal(a, b) for a, b in zip(runs(8, **options), plain, strict=True))


def test_the_first_run_is_of_the_start_itself() -> None:
    start, first, second = runs(2, perturbation=0.5)
    assert torch.equal(first, step(start)) and not torch.equal(second, step(first))


def test_a_state_is_what_the_step_gave_and_not_perturbed_any_more() -> None:
    states = runs(5, step=lambda x: x.round(), perturbation=0.2)
    assert all(torch.equal(state, state.round()) for state in states[1:])


def test_an_image_does_not_depend_on_its_neighbours() -> None:
    together = runs(6, perturbation=0.3)[-1]
    assert all(torch.equal(runs(6, range(i, i + 1), perturbation=0.3)[-1][0], together[i]) for i in range(6))


def test_centred_perturbations_have_mean_zero_and_published_ones_brighten() -> None:
    centred, published = (next(perturbations(Noise(range(50)), (1, 28, 28), mode)) for mode in ("centred", "published"))
    assert -1 <= centred.min() < -0.99 and 0.99 < centred.max() < 1 and abs(centred.mean()) < 0.01
    assert 1 <= published.min() < 1.01 and 2.99 < published.max() < 3 and abs(published.mean() - 2) < 0.01


@pytest.mark.parametrize("mode", ["centred", "published"])
def test_a_perturbation_is_in_units_of_the_published_range_of_pixels(mode: str) -> None:
    recorded: list[Tensor] = []
    grey = torch.full((6, *SHAPE), 0.5)
    runs(2, step=lambda x: (recorded.append(x), grey)[1], start=grey, perturbation=0.01, mode=mode)
    noise = Noise(range(6))  # the start took nothing from it
    torch.testing.assert_close(
        2 * (recorded[1] - grey), 0.01 * next(perturbations(noise, SHAPE, mode)), atol=1e-6, rtol=0
    )


def test_perturbed_images_stay_in_0_to_1() -> None:
    recorded: list[Tensor] = []
    runs(5, step=lambda x: (recorded.append(x), x)[1], perturbation=1.0, mode="published")
    assert all(x.min() >= 0 and x.max() <= 1 for x in recorded)


def test_normal_noise_is_centred_on_grey_and_clipped() -> None:
    start = runs(0, range(200), start="normal")[0]
    assert start.min() == 0 and start.max() == 1 and abs(start.mean() - 0.5) < 0.02
    assert abs(((start == 0) | (start == 1)).float().mean() - 0.317) < 0.02  # beyond one standard deviation


@pytest.mark.parametrize(
    "options", [{"mode": "repo"}, {"start": "pink"}, {"start": torch.zeros(2, 1, 3, 3)}, {"perturbation": -0.1}]
)
def test_bad_input_is_refused_in_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: (choose|resize|give) [^\n]+$"):
        runs(1, **options)
