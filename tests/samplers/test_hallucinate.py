"""A data set out of noise: one byte a pixel, one seed one picture, and a teacher that is left as it was."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import create
from toolkit.samplers import Sampling, hallucinate, last, to_bytes
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
    return hallucinate(model or Fade(), seeds, options.pop("sampling", Sampling()), **options).images


def test_a_data_set_holds_one_byte_a_pixel() -> None:
    # regression: the growing set was float32, four times the memory
    images = draw(range(7))
    assert images.dtype == torch.uint8 and images.shape == (7, 1, 4, 4)
    assert images.untyped_storage().nbytes() == 7 * 16


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 50])
def test_the_size_of_a_chunk_does_not_change_an_image(chunk: int) -> None:
    assert torch.equal(draw(range(7), chunk=chunk), draw(range(7), chunk=4))


def test_a_seed_is_one_picture_wherever_it_stands() -> None:
    some = draw([5, 900, 5, 3])
    assert torch.equal(some[0], some[2]) and torch.equal(some[3], draw([3])[0])
    assert not torch.equal(some[0], some[1])


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    first, state = draw(range(3)), torch.random.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(draw(range(3)), first)
    torch.manual_seed(1)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_data_set_holds_the_last_states_of_the_streams() -> None:
    x = Noise(range(3)).rand(1, 4, 4)
    for sampling in (Sampling(), Sampling(limit=1), Sampling(stop="batch"), Sampling(finish="stretch")):
        assert torch.equal(draw(range(3), sampling=sampling), to_bytes(last(sampling.stream(Fade(), x))))


def test_the_passes_of_every_image_are_counted() -> None:
    result = hallucinate(Fade(), range(5), Sampling(limit=3, tol=0), chunk=2)
    assert result.passes.tolist() == [3] * 5


def test_the_teacher_is_left_untouched_and_at_rest() -> None:
    # regression: sampling from a teacher flipped its mode, and nothing flipped it back
    teacher = create("WTA", {"filters": 4, "size": 16}, seed=0)
    before = deepcopy(teacher.state_dict())
    draw(range(3), teacher, sampling=Sampling(limit=2))
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())
    assert not any(module.training for module in teacher.modules())
    assert all(weight.grad is None and not weight.requires_grad for weight in teacher.parameters())


def test_the_autoencoder_hallucinates_the_same_in_any_chunk() -> None:
    teacher = create("WTA", {"filters": 4, "size": 16}, seed=0)
    one, all_at_once = (draw(range(6), teacher, chunk=chunk, sampling=Sampling(limit=3)) for chunk in (1, 6))
    assert (one.int() - all_at_once.int()).abs().float().mean() < 1  # of 255: bfloat16 rounds with the chunk


def test_it_is_heard_how_many_images_are_done() -> None:
    heard: list[int] = []
    draw(range(7), chunk=3, on_images=heard.append)
    assert sum(heard) == 7 and heard[0] == 3 and min(heard) > 0


def test_each_state_of_a_stream_is_stretched_if_asked() -> None:
    states = list(Sampling(finish="stretch", limit=4).stream(Fade(), Noise(range(3)).rand(1, 4, 4)))
    assert all(torch.allclose(state.flatten(1).amax(1), torch.ones(3)) for state in states)


def test_bytes_are_rounded_to_the_nearest_level() -> None:
    x = torch.tensor([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 254.6 / 255, 1.0, 1.2]).view(1, 1, 1, -1)
    assert to_bytes(x).flatten().tolist() == [0, 0, 0, 1, 128, 255, 255, 255]


@pytest.mark.parametrize(
    ("option", "value"), [("stop", "never"), ("finish", "clamp_0_renorm_1_end"), ("limit", 0), ("tol", -1.0)]
)
def test_a_sampling_that_means_nothing_is_named(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{option}[^\n]*{value}[^\n]*$"):
        Sampling(**{option: value})


def vae() -> Any:
    return create("ConvVAE", {"size": 16, "filters": 2, "width": 4, "z": 2}, seed=0)


def test_a_model_that_draws_from_codes_says_a_data_set_as_well() -> None:
    said, seeds = hallucinate(vae(), [3, 4, 3], Sampling(finish="stretch")), [3, 4, 3]
    assert said.passes.tolist() == [0, 0, 0] and torch.equal(said.images[0], said.images[2])
    expected = to_bytes(Sampling(finish="stretch").finished(vae().sample(Noise(seeds))))
    assert (said.images.int() - expected.int()).abs().max() <= 4  # bfloat16 rounds, where that is native


def test_what_is_drawn_from_codes_belongs_to_its_seed_whatever_the_chunk() -> None:
    heard: list[int] = []
    whole = draw(range(130), vae(), on_images=heard.append)
    assert sum(heard) == 130 and whole.shape == (130, 1, 16, 16)
    assert (draw(range(120, 130), vae()).int() - whole[120:].int()).abs().max() <= 4


def test_pictures_grow_from_seeds_in_passes_or_at_one_stroke() -> None:
    passes, stroke = list(Sampling(limit=3, tol=0).grow(Fade(), range(2))), list(Sampling().grow(vae(), range(2)))
    assert len(passes) == 4 and torch.equal(passes[0], Noise(range(2)).rand(1, 4, 4))
    assert len(stroke) == 1 and torch.equal(stroke[0], vae().sample(Noise(range(2))))
    assert torch.equal(Sampling(limit=3, tol=0).grown(Fade(), range(2)), passes[-1])
