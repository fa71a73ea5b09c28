"""The small StyleGAN: demodulation, styles and their mixing, truncation, noise, and the gradient penalty."""

from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from tests.tiny import make
from toolkit.diverge import Search, first_codes, novelty_search
from toolkit.models import StyleGAN, create
from toolkit.models.stylegan import StyledConvolution
from toolkit.seeds import Noise
from toolkit.train import fit


def codes(model: Any, seeds: Any = range(4)) -> Tensor:
    return Noise(seeds).randn(*model.code_shape)


@pytest.fixture(scope="module")
def stylegan() -> Any:
    """A small one whose noise is strong, and whose mean style is not 0."""
    model: Any = make("StyleGAN")
    for layer in list(model.generator)[:-1]:
        layer.strength.fill_(0.5)
    model.mean.copy_(model.styles(codes(model, range(50)))[:, 0].mean(0))
    return model


def test_a_layer_is_the_grouped_convolution_of_the_paper() -> None:
    layer = StyledConvolution(3, 4, 5).requires_grad_(False)
    x, w = torch.randn(2, 4, 6, 6), torch.randn(2, 3)
    modulated = layer.conv.weight * layer.style(w)[:, None, :, None, None]  # (B, b, a, 3, 3)
    demodulated = modulated * (modulated.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = conv2d(x.reshape(1, 8, 6, 6), demodulated.reshape(10, 4, 3, 3), padding=1, groups=2).view(2, 5, 6, 6)
    torch.testing.assert_close(layer(x, w), layer.act(grouped), atol=1e-5, rtol=1e-4)


def test_a_style_mixed_into_no_layer_or_not_at_all_changes_no_bit_and_into_all_is_the_other(stylegan: Any) -> None:
    code, other = codes(stylegan), codes(stylegan, range(4, 8))
    w, another = stylegan.styles(code), stylegan.styles(other)
    assert torch.equal(stylegan.mix(w, another, []), w)
    assert torch.equal(stylegan.mix(w, another, stylegan.layers("all"), 0.0), w)
    assert torch.equal(stylegan.mix(w, another, stylegan.layers("all")), another)
    every = [stylegan.draw(stylegan.mix(w, another[:1], stylegan.layers(group))) for group in ("coarse", "fine")]
    assert all(not torch.equal(x, stylegan.draw(w)) for x in every) and not torch.equal(*every)


def test_every_layer_is_in_one_group_by_the_size_of_its_maps() -> None:
    model: Any = make("StyleGAN", size=32)
    assert model.sides == [4, 8, 8, 16, 16, 32, 32] and model.code_shape == (3 + sum(n**2 for n in model.sides),)
    assert [model.layers(group) for group in ("coarse", "middle", "fine")] == [[0, 1, 2], [3, 4], [5, 6]]
    assert model.layers("all") == [*range(7)]


def test_truncation_goes_from_the_image_itself_to_the_mean_image(stylegan: Any) -> None:
    code = codes(stylegan)
    assert torch.equal(stylegan.decode(code, psi=1.0), stylegan.decode(code))
    z = code[:, : stylegan.config.z]
    means = stylegan.decode(z, psi=0.0)
    assert torch.equal(means, means[:1].expand_as(means)) and torch.equal(means, stylegan.decode(-z, psi=0.0))
    spread = [stylegan.styles(code, psi).var(0).mean() for psi in (0.0, 0.5, 1.0, 1.5)]
    assert spread == sorted(spread) and spread[0] == 0


def test_noise_belongs_to_the_image_and_without_it_only_the_style_counts(stylegan: Any) -> None:
    code = codes(stylegan)
    z = code[:, : stylegan.config.z]
    silent = torch.cat([z, torch.zeros(len(z), code.shape[1] - z.shape[1])], 1)
    assert torch.equal(stylegan.decode(z), stylegan.decode(silent))
    assert not torch.equal(stylegan.decode(z), stylegan.decode(code))
    swapped = torch.cat([z, code[:, z.shape[1] :].flip(0)], 1)
    assert (stylegan.decode(swapped) - stylegan.decode(code)).abs().flatten(1).amax(1).min() > 0


def test_the_penalty_is_half_of_r1_times_the_squared_slope_of_a_quarter_of_the_real_images() -> None:
    x = torch.rand(8, 1, 16, 16)

    def loss(r1: float) -> Tensor:
        torch.manual_seed(0)
        return make("StyleGAN", r1=r1).requires_grad_(True).objectives()["discriminator"].loss(x).detach()

    some = x[:2].clone().requires_grad_()
    make("StyleGAN").realness(some).sum().backward()
    assert some.grad is not None
    expected = 3 / 2 * some.grad.square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(loss(3.0) - loss(0.0), expected, atol=1e-6, rtol=1e-3)


def test_training_tracks_the_mean_style_and_moves_both_networks() -> None:
    model: Any = make("StyleGAN")
    learned = fit(model, iter([torch.rand(4, 1, 16, 16)] * 3), steps=3)
    assert learned.mean.any() and not model.mean.any()
    before, after = model.state_dict(), learned.state_dict()
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"mapping", "start", "generator", "discriminator", "mean"}


def test_novelty_search_takes_its_codes_with_noise_or_z_alone(stylegan: Any) -> None:
    how = Search(population=6, added=2, neighbours=2)
    for shape in (stylegan.code_shape, (stylegan.config.z,)):
        search = novelty_search(first_codes(shape, how), stylegan.decode, lambda x: x.flatten(1), how=how)
        *_, last = islice(search, 3)
        assert len(last.archive) == 6 and last.archive.codes.shape[1:] == shape


WRONG = {
    "psi is nan: give a number from -2 to 2": lambda it: it.styles(codes(it), float("nan")),
    "psi is 3": lambda it: it.decode(codes(it), psi=3.0),
    "layers \\[9\\] are not all there: give numbers from 0 to 4": lambda it: it.mix(*[it.styles(codes(it))] * 2, [9]),
    "0 styles to mix into 4 images": lambda it: it.mix(it.styles(codes(it)), it.styles(codes(it, [])), [0]),
    "unknown group of layers 'rough'": lambda it: it.layers("rough"),
    "28 pixels: give 8, 16, 32": lambda it: create("StyleGAN", {"size": 28}),
    "mixing 2": lambda it: StyleGAN.Config(mixing=2.0),
    "r1 nan": lambda it: StyleGAN.Config(r1=float("nan")),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_makes_no_sense_is_refused_in_one_sentence(stylegan: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{words}[^\n]*$"):
        WRONG[words](stylegan)
