"""Images from noise: one byte a pixel, one seed one picture, a model left as it was; and their brightness."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import create
from toolkit.samplers import Sampling, brightness_curve, generate, last, match_histogram, stretch, to_bytes
from toolkit.seeds import Noise


class Fade(nn.Module):
    """Brings every image nearer to its own left edge; no products, so its arithmetic is float32 everywhere."""

    image_shape = (1, 4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.amount = nn.Parameter(torch.tensor(0.5), requires_grad=False)
        self.part = nn.Dropout(0.5)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.part(x + self.amount * (x[..., :1] - x))
        return y


def draw(seeds: Sequence[int], model: nn.Module | None = None, **options: Any) -> Tensor:
    return generate(model or Fade(), seeds, options.pop("sampling", Sampling()), **options).images


def vae() -> Any:
    return create("ConvVAE", {"size": 16, "filters": 2, "width": 4, "z": 2}, seed=0)


def test_a_data_set_holds_one_byte_a_pixel_and_the_last_states_of_the_streams() -> None:
    # regression: the growing set was float32, four times the memory
    x = Noise(range(3)).rand(1, 4, 4)
    for sampling in (Sampling(), Sampling(limit=1), Sampling(stop="batch"), Sampling(finish="stretch")):
        images = draw(range(3), sampling=sampling)
        assert images.dtype == torch.uint8 and images.untyped_storage().nbytes() == 3 * 16
        assert torch.equal(images, to_bytes(last(sampling.stream(Fade(), x))))


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 50])
def test_the_size_of_a_chunk_does_not_change_an_image(chunk: int) -> None:
    assert torch.equal(draw(range(7), chunk=chunk), draw(range(7), chunk=4))


def test_a_seed_is_one_picture_wherever_it_stands_and_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(1)
    state, some = torch.random.get_rng_state(), draw([5, 900, 5, 3])
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(some[0], some[2]) and torch.equal(some[3], draw([3])[0])
    assert not torch.equal(some[0], some[1])


def test_passes_are_counted_and_progress_is_called_back() -> None:
    done: list[int] = []
    result = generate(Fade(), range(7), Sampling(limit=3, tol=0), chunk=3, on_images=done.append)
    assert result.passes.tolist() == [3] * 7
    assert sum(done) == 7 and done[0] == 3 and min(done) > 0


def test_the_model_is_left_untouched_and_at_rest_and_draws_the_same_in_any_chunk() -> None:
    # regression: sampling from a teacher flipped its mode, and nothing flipped it back
    teacher = create("WTA", {"filters": 4, "size": 16}, seed=0)
    before = deepcopy(teacher.state_dict())
    one, whole = (draw(range(6), teacher, chunk=chunk, sampling=Sampling(limit=3)) for chunk in (1, 6))
    assert (one.int() - whole.int()).abs().float().mean() < 1  # of 255: bfloat16 rounds with the chunk
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())
    assert not any(module.training for module in teacher.modules())
    assert all(weight.grad is None and not weight.requires_grad for weight in teacher.parameters())


def test_a_model_that_draws_from_codes_takes_no_passes_and_its_images_belong_to_their_seeds() -> None:
    done: list[int] = []
    samples = generate(vae(), [3, 4, 3, *range(130)], Sampling(finish="stretch"), on_images=done.append)
    assert not samples.passes.any() and torch.equal(samples.images[0], samples.images[2]) and sum(done) == 133
    expected = to_bytes(Sampling(finish="stretch").finished(vae().sample(Noise([3, 4, 3]))))
    assert (samples.images[:3].int() - expected.int()).abs().max() <= 4  # bfloat16 rounds, where that is native
    again = draw(range(120, 130), vae(), sampling=Sampling(finish="stretch"))
    assert (again.int() - samples.images[123:].int()).abs().max() <= 4


def test_images_come_from_seeds_in_passes_or_at_one_stroke() -> None:
    sampling, seeds = Sampling(limit=3, tol=0), range(2)
    passes, stroke = list(sampling.trajectory(Fade(), seeds)), list(Sampling().trajectory(vae(), seeds))
    assert len(passes) == 4 and torch.equal(passes[0], Noise(seeds).rand(1, 4, 4))
    assert len(stroke) == 1 and torch.equal(stroke[0], vae().sample(Noise(seeds)))
    assert torch.equal(sampling.sample(Fade(), seeds), passes[-1])


@pytest.mark.parametrize(
    ("option", "value"), [("stop", "never"), ("finish", "clamp_0_renorm_1_end"), ("limit", 0), ("tol", -1.0)]
)
def test_a_sampling_that_means_nothing_is_named(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{option}[^\n]*{value}[^\n]*$"):
        Sampling(**{option: value})


def test_stretching_makes_the_brightest_pixel_white_and_keeps_black() -> None:
    x = torch.tensor([[0.0, 0.25, 0.5], [0.0, 1.0, 0.1]]).view(2, 1, 1, 3)
    assert torch.allclose(stretch(x).flatten(1), torch.tensor([[0.0, 0.5, 1.0], [0.0, 1.0, 0.1]]))
    states = Sampling(finish="stretch", limit=4).stream(Fade(), Noise(range(3)).rand(1, 4, 4))
    assert all(torch.allclose(state.flatten(1).amax(1), torch.ones(3)) for state in states)


def test_the_curve_of_a_ramp_is_the_ramp() -> None:
    curve = brightness_curve(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16))
    assert len(curve) == 101 and curve[0] == 0 and curve[100] == 1 and curve[50] == pytest.approx(0.5, abs=1e-3)


def test_matching_goes_by_the_rank_of_a_pixel_and_equal_pixels_stay_equal() -> None:
    x, curve = torch.rand(3, 1, 9, 9), brightness_curve(torch.randint(0, 256, (5, 1, 9, 9), dtype=torch.uint8))
    assert torch.allclose(match_histogram(x, curve), match_histogram(x.square() / 7, curve), atol=1e-5)
    ties = match_histogram(torch.tensor([0.0, 0.0, 0.0, 0.5, 0.5, 0.9]).view(1, 1, 2, 3), [0.0, 1.0]).flatten()
    assert len(ties[:3].unique()) == 1 and ties[3] == ties[4] and ties[0] < ties[3] < ties[5]


@pytest.mark.parametrize("level", [0.0, 1e-9, 0.3, 1.0])
def test_a_flat_image_stays_flat(level: float) -> None:
    # regression: renormalising a flat image divided by zero
    flat, black = torch.full((2, 1, 5, 5), level), brightness_curve(torch.zeros(1, 1, 5, 5, dtype=torch.uint8))
    for finished in (stretch(flat), match_histogram(flat, black)):
        assert finished.isfinite().all() and 0 <= finished.min() == finished.max() <= 1
    assert stretch(flat).max() == pytest.approx(1 if level > 1e-6 else level, abs=2e-3)


def test_matched_images_have_the_ink_of_the_data() -> None:
    data = torch.randint(0, 256, (50, 1, 28, 28), dtype=torch.uint8)
    sampling = Sampling(limit=2, finish="tone", tone=brightness_curve(data))
    x = sampling.sample(create("WTA", {"filters": 4}, seed=0), range(3))
    assert x.mean() == pytest.approx((data.float() / 255).mean().item(), abs=0.02)


def test_the_finish_tone_needs_a_curve_which_survives_json() -> None:
    with pytest.raises(ValueError, match="brightness_curve"):
        Sampling(finish="tone").stream(torch.nn.Identity(), torch.zeros(1, 1, 4, 4))
    assert Sampling(finish="tone", tone=[0.0, 1.0]) == Sampling(finish="tone", tone=(0.0, 1.0))  # type: ignore[arg-type]
