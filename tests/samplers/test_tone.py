"""The finish of a picture: neutral where it should be, and never a NaN."""

import pytest
import torch

from toolkit.models import create
from toolkit.samplers import Sampling, last, match_tones, stretch, tone_curve
from toolkit.seeds import Noise


def test_an_image_that_has_the_tones_already_is_left_as_it_is():
    ramp = torch.linspace(0, 1, 101).view(1, 1, 1, 101)[..., torch.randperm(101)]
    assert torch.allclose(match_tones(ramp, torch.linspace(0, 1, 101).tolist()), ramp, atol=1e-6)


def test_the_curve_of_a_ramp_is_the_ramp():
    curve = tone_curve(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16))
    assert len(curve) == 101 and curve[0] == 0 and curve[100] == 1 and curve[50] == pytest.approx(0.5, abs=1e-3)


def test_tones_depend_on_the_rank_of_a_pixel_and_not_on_its_brightness():
    x, curve = torch.rand(3, 1, 9, 9), tone_curve(torch.randint(0, 256, (5, 1, 9, 9), dtype=torch.uint8))
    assert torch.allclose(match_tones(x, curve), match_tones(x.square() / 7, curve), atol=1e-5)


def test_equal_pixels_stay_equal():
    x = torch.tensor([0.0, 0.0, 0.0, 0.5, 0.5, 0.9]).view(1, 1, 2, 3)
    toned = match_tones(x, [0.0, 1.0]).flatten()
    assert len(toned[:3].unique()) == 1 and toned[3] == toned[4] and toned[0] < toned[3] < toned[5]


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_image_stays_flat(level):
    """Regression: renormalising a flat image divided by zero."""
    flat = torch.full((2, 1, 5, 5), level)
    for finished in (stretch(flat), match_tones(flat, tone_curve(torch.zeros(1, 1, 5, 5, dtype=torch.uint8)))):
        assert finished.isfinite().all() and len(finished.unique()) == 1


def test_every_finish_is_independent_of_the_batch():
    x, curve = torch.rand(4, 1, 8, 8), torch.linspace(0, 1, 101).tolist()
    for finish in (stretch, lambda images: match_tones(images, curve)):
        assert torch.equal(finish(x)[2:3], finish(x[2:3]))


def test_matched_images_have_the_ink_of_the_data():
    data = torch.randint(0, 256, (50, 1, 28, 28), dtype=torch.uint8)
    model = create("WTA", {"filters": 4}, seed=0)
    sampling = Sampling(limit=2, finish="tone", tone=tone_curve(data))
    x = last(sampling.stream(model, Noise(range(3)).rand(1, 28, 28)))
    assert x.mean() == pytest.approx((data.float() / 255).mean().item(), abs=0.02)


def test_tones_without_a_curve_are_refused():
    with pytest.raises(ValueError, match="tone_curve"):
        Sampling(finish="tone").stream(torch.nn.Identity(), torch.zeros(1, 1, 4, 4))


def test_a_sampling_survives_json():
    assert Sampling(finish="tone", tone=[0.0, 1.0]) == Sampling(finish="tone", tone=(0.0, 1.0))
