"""The DCGAN is the published one, and its two halves learn from each other through the loop that every model uses."""

from itertools import repeat
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from toolkit.models import DCGAN, create
from toolkit.seeds import Noise
from toolkit.train import fit


def dcgan(**config: Any) -> Any:
    return create("DCGAN", {"filters": 4, "size": 16, "z": 5, **config}, seed=0)


def images(count: int = 6, size: int = 16) -> Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(1))


def convolutions(half: nn.Module) -> list[tuple[int, ...]]:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    found = [layer for layer in half.modules() if isinstance(layer, kinds)]
    assert all(layer.bias is None for layer in found)
    return [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], int(c.padding[0])) for c in found]


def test_the_generator_has_the_published_layers() -> None:
    up = [(512, 256, 4, 2, 1), (256, 128, 4, 2, 1), (128, 64, 4, 2, 1)]
    generator = DCGAN(DCGAN.Config()).generator
    assert convolutions(generator) == [(100, 512, 4, 1, 0), *up, (64, 1, 1, 1, 0)]
    kinds = [type(module).__name__ for module in generator]
    assert kinds == ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 4 + ["ConvTranspose2d", "Tanh"]


def test_the_discriminator_has_the_published_layers() -> None:
    down = [(1, 64, 4, 2, 1), (64, 128, 4, 2, 1), (128, 256, 4, 2, 1), (256, 512, 4, 2, 1)]
    discriminator = DCGAN(DCGAN.Config()).discriminator
    assert convolutions(discriminator) == [*down, (512, 1, 4, 1, 1)]
    kinds = [type(module).__name__ for module in discriminator]
    assert kinds == ["Conv2d", "LeakyReLU", *["Conv2d", "BatchNorm2d", "LeakyReLU"] * 3, "Conv2d", "Flatten"]


def test_initial_weights_are_normal_as_published() -> None:
    for module in create("DCGAN", {}, seed=0).modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.weight.numel() > 5000:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.4) and not module.bias.any()
            assert module.weight.mean().item() == pytest.approx(1, abs=0.01)


def test_the_losses_are_the_cross_entropies_of_the_published_loop() -> None:
    model, x = dcgan(), images()
    torch.manual_seed(3)
    found = [objective.loss(x).item() for objective in model.objectives().values()]
    torch.manual_seed(3)
    real, fake = (model.realness(y).sigmoid() for y in (x, model.decode(torch.randn(len(x), 5))))
    ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
    assert all((o.lr, o.betas) == (2e-4, (0.5, 0.999)) for o in model.objectives().values())
    told_apart = binary_cross_entropy(real, ones) + binary_cross_entropy(fake, zeros)
    assert found == pytest.approx([told_apart.item(), binary_cross_entropy(fake, ones).item()], rel=1e-4)


def test_the_generator_answers_for_the_images_that_were_just_told_apart() -> None:
    model, x, drawn = dcgan(), images(), []
    model.generator.register_forward_hook(lambda module, z, y: drawn.append(y))
    discriminator, generator = model.objectives().values()
    discriminator.loss(x), generator.loss(x)
    assert len(drawn) == 1  # one pass of the generator serves both
    generator.loss(x)
    assert len(drawn) == 2  # alone, as when its discriminator rests, it draws its own


@pytest.mark.parametrize("still", ["discriminator", "generator"])
def test_either_half_can_learn_alone(still: str) -> None:
    model, moving = dcgan(), {"discriminator": "generator", "generator": "discriminator"}[still]
    learned = fit(model, repeat(images()), steps=2, objectives=lambda m: {moving: m.objectives()[moving]})
    before, after = (dict(m.named_parameters()) for m in (model, learned))
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {moving}


def test_a_duel_keeps_finite_losses_and_draws_towards_the_data() -> None:
    recorded: list[dict[str, float]] = []
    dark = torch.zeros(16, 1, 16, 16)
    learned = fit(dcgan(lr=5e-3), repeat(dark), steps=60, on_step=lambda step, losses: recorded.append(losses))
    assert all(set(losses) == {"discriminator", "generator"} for losses in recorded)
    means = [model.sample(Noise(range(8))).mean() for model in (dcgan(), learned)]
    assert means[1] < 0.8 * means[0]


@pytest.mark.parametrize("size", [8, 16, 64])
def test_any_power_of_two_from_8_is_a_size(size: int) -> None:
    model = dcgan(size=size, channels=3)
    images = model.sample(Noise([0, 1]))
    assert images.shape == (2, 3, size, size) and model.realness(images).shape == (2,)


@pytest.mark.parametrize("size", [4, 28, 33])
def test_other_sizes_are_refused_with_those_there_are(size: int) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{size} pixels: give 8, 16, 32[^\n]*$"):
        create("DCGAN", {"size": size})
