"""The variational autoencoders are the published ones, to their shapes and the definition of their loss."""

from itertools import pairwise, repeat
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import VAE, ConvVAE, create
from toolkit.seeds import Noise
from toolkit.train import fit


def vae(name: str = "VAE", **config: Any) -> Any:
    small: dict[str, Any] = {"VAE": {"size": 8, "widths": (12, 8), "z": 3}, "ConvVAE": {"size": 16, "z": 3}}
    return create(name, {**small[name], **config}, seed=0)


def images(count: int = 5, size: int = 8, channels: int = 1) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def shapes(half: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in half.modules() if isinstance(layer, nn.Linear)]


def test_the_default_has_the_published_widths_and_their_mirror() -> None:
    model, widths = VAE(VAE.Config()), [784, 1000, 500, 250]
    assert shapes(model.encoder) == [*pairwise(widths), (250, 100)]  # mean and log variance of 50
    assert shapes(model.decoder) == [(50, 250), *pairwise(widths[::-1])]


def test_every_hidden_layer_is_a_relu_followed_by_a_tenth_of_dropout() -> None:
    for half in (VAE(VAE.Config()).encoder, VAE(VAE.Config()).decoder):
        kinds = [type(module).__name__ for module in half]
        hidden = [part for part in kinds if part not in ("Flatten", "Unflatten")]
        assert hidden == ["Linear", "ReLU", "Dropout"] * 3 + ["Linear"]
        assert {module.p for module in half if isinstance(module, nn.Dropout)} == {0.1}


def test_the_convolutional_one_has_the_published_layers_and_their_mirror() -> None:
    model = ConvVAE(ConvVAE.Config())
    assert shapes(model.encoder) == [(512, 256), (256, 256), (256, 40)]
    assert shapes(model.decoder) == [(20, 256), (256, 256), (256, 512)]
    convolutions = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    assert [(m.in_channels, m.out_channels) for m in convolutions] == [(1, 32), *[(32, 32)] * 4, (32, 1)]
    assert all((*m.kernel_size, *m.stride, *m.padding) == (4, 4, 2, 2, 1, 1) for m in convolutions)


def test_the_convolutional_one_starts_from_he_uniform_weights() -> None:
    for layer in create("ConvVAE", {}, seed=0).encoder:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            bound = (6 / layer.weight[0].numel()) ** 0.5
            assert 0.9 * bound < layer.weight.abs().max().item() <= bound


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_is_cross_entropy_plus_beta_divergence_summed_and_averaged_over_the_batch(beta: float) -> None:
    model, x = vae(beta=beta), images()
    mean, log_variance = model.posterior(x)
    torch.manual_seed(7)
    loss = model.loss(x)
    torch.manual_seed(7)
    y = model.decode(torch.distributions.Normal(mean, (log_variance / 2).exp()).rsample()).double()
    missed = -(x * y.log() + (1 - x) * (1 - y).log()).sum() / len(x)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum() / len(x)
    assert loss.item() == pytest.approx((missed + beta * divergence).item(), rel=1e-5)


@pytest.mark.parametrize("name", ["VAE", "ConvVAE"])
def test_a_reconstruction_goes_through_the_mean_and_takes_no_chance(name: str) -> None:
    model = vae(name)
    x = images(size=model.config.size)
    assert torch.equal(model.reconstruct(x), model.decode(model.posterior(x)[0]))
    assert torch.equal(model.reconstruct(x), model.reconstruct(x))


def test_it_learns_to_tell_two_pictures_apart() -> None:
    x = torch.zeros(2, 1, 8, 8)
    x[0, :, :4], x[1, :, 4:] = 1, 1
    learned = fit(vae(lr=0.01, dropout=0.0), repeat(x.repeat(4, 1, 1, 1)), steps=60)
    assert (learned.reconstruct(x) - x).abs().mean() < 0.1


@pytest.mark.parametrize(("name", "hidden"), [("VAE", [8, 12]), ("ConvVAE", [256, 256, 128, 32, 32])])
def test_the_hidden_layers_have_these_many_neurons(name: str, hidden: list[int]) -> None:
    model, recorded = vae(name), []
    for layer in model.hidden:
        layer.register_forward_hook(lambda module, x, y: recorded.append(y.shape[1]))
    model.sample(Noise([0]))
    assert recorded == hidden


@pytest.mark.parametrize("size", [12, 28])
def test_images_that_cannot_be_halved_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"^images of {size} pixels[^\n]*$"):
        create("ConvVAE", {"size": size, "depth": 3})


@pytest.mark.parametrize(
    ("option", "value"), [("beta", -1.0), ("dropout", 1.0), ("widths", (4, "8")), ("widths", (0,))]
)
def test_an_option_that_means_nothing_is_refused(option: str, value: object) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        create("VAE", {option: value})
