"""The winner-take-all autoencoders are the published ones, to their parameters, losses and initial weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import WTA, ConvAE, create
from toolkit.models.wta import strided


def wta(seed: int = 0, **config: Any) -> WTA:
    model = create("WTA", {"filters": 4, **config}, seed=seed)
    assert isinstance(model, WTA)
    return model


def images(count: int = 5, channels: int = 1, size: int = 28) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def layers(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))]


def test_the_default_has_the_published_shapes() -> None:
    model = WTA(WTA.Config())
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_645_441
    assert model.image_shape == (1, 28, 28) and model.code_shape == (128, 16, 16)
    assert model.encode(images(2)).shape == (2, 128, 16, 16) and model(images(2)).shape == (2, 1, 28, 28)


def test_a_code_has_exactly_one_winner_per_living_map() -> None:
    code = wta(filters=16).encode(images())
    alive = wta(filters=16).encoder(images()).flatten(2).amax(2) > 0
    assert torch.equal((code != 0).flatten(2).sum(2), alive.long())
    assert alive.any()


@pytest.mark.parametrize("batch", [1, 5, 30])
def test_the_loss_is_half_the_squared_error_summed_over_pixels_and_averaged_over_the_batch(batch: int) -> None:
    model, x, rate = wta(lifetime=0.1), images(batch), 0.1
    z = model.encoder(x)
    code = torch.zeros_like(z)
    for k in range(z.shape[1]):
        strongest = sorted(range(batch), key=lambda b: -z[b, k].max().item())
        for b in strongest[: max(1, round(rate * batch))]:
            i, j = divmod(int(z[b, k].argmax()), z.shape[3])
            code[b, k, i, j] = z[b, k, i, j]
    expected = sum(0.5 * (model.decoder(code)[b] - x[b]).double().square().sum().item() for b in range(batch)) / batch
    assert model.loss(x).item() == pytest.approx(expected, rel=1e-5)


def test_the_rule_of_lifetime_sparsity_is_a_choice_that_matters() -> None:
    assert wta(lifetime_per="channel").loss(images(40)) != wta(lifetime_per="position").loss(images(40))


def test_he_initialisation_keeps_the_size_of_a_signal() -> None:
    for layer in layers(wta(filters=32)):
        assert layer.weight.std().item() == pytest.approx((2 / (layer.in_channels * 25)) ** 0.5, rel=0.1)
        assert not layer.bias.any()


def test_the_published_initialisation_is_normal_0_001_for_weights_and_biases() -> None:
    model = wta(filters=32, init="published")
    for layer in layers(model):
        assert layer.weight.std().item() == pytest.approx(0.001, rel=0.1)
    biases = torch.cat([layer.bias for layer in layers(model)])
    assert biases.std().item() == pytest.approx(0.001, rel=0.2) and abs(biases.mean().item()) < 3e-4


def test_the_torch_initialisation_is_left_to_torch() -> None:
    torch.manual_seed(0)
    first: Any = nn.Conv2d(1, 4, 5)
    model = wta(seed=0, init="torch")
    assert torch.equal(layers(model)[0].weight, first.weight) and torch.equal(layers(model)[0].bias, first.bias)


@pytest.mark.parametrize("init", ["he", "torch", "published"])
def test_the_output_starts_as_dark_as_it_is_told_and_all_else_as_before(init: str) -> None:
    plain, dark = wta(init=init), wta(init=init, bias=-2.0)
    assert dark.decoder[-1].bias.tolist() == [-2.0]
    pairs = zip(plain.state_dict().items(), dark.state_dict().values(), strict=True)
    assert [name for (name, mine), other in pairs if not torch.equal(mine, other)] == ["decoder.4.bias"]


@pytest.mark.parametrize(
    ("size", "kernel", "depth", "channels"),
    [(13, 5, 3, 1), (16, 5, 3, 3), (32, 3, 2, 1), (9, 3, 4, 1), (28, 7, 1, 3)],
)
def test_any_image_size_kernel_depth_and_colour_work(size: int, kernel: int, depth: int, channels: int) -> None:
    # regression: the side of the code was image_size - 12, a kernel size in disguise
    model = wta(size=size, kernel=kernel, depth=depth, channels=channels)
    x = images(2, channels, size)
    assert model.encode(x).shape == (2, *model.code_shape) and model(x).shape == x.shape


@pytest.mark.parametrize(("size", "kernel", "depth"), [(12, 5, 3), (1, 3, 1), (8, 3, 4)])
def test_an_image_too_small_for_the_convolutions_is_refused(size: int, kernel: int, depth: int) -> None:
    with pytest.raises(ValueError, match=f"^images of {size} pixels[^\n]*$"):
        WTA.Config(size=size, kernel=kernel, depth=depth)


@pytest.mark.parametrize(
    ("option", "value"),
    [("output", "tanh"), ("lifetime_per", "image"), ("init", "zero"), ("lifetime", 0), ("lifetime", 1.5)],
)
def test_an_option_that_means_nothing_is_named(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{option}[^\n]*{value}[^\n]*$"):
        create("WTA", {option: value})


# the autoencoder of 2016


def conv_ae(**config: Any) -> Any:
    return create("ConvAE", {"filters": 6, "size": 19, **config}, seed=0)


def shapes(half: nn.Module) -> list[tuple[int, ...]]:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [(c.in_channels, c.out_channels, *c.kernel_size) for c in half if isinstance(c, kinds)]


@pytest.mark.parametrize(("decoder", "weights"), [("single", 844_417), ("deep", 1_645_441)])
def test_it_has_the_published_number_of_weights(decoder: str, weights: int) -> None:
    assert sum(p.numel() for p in ConvAE(ConvAE.Config(decoder=decoder)).parameters()) == weights


def test_it_has_the_published_layers() -> None:
    single, deep = ConvAE(ConvAE.Config()), ConvAE(ConvAE.Config(decoder="deep"))
    assert shapes(single.encoder) == [(1, 128, 5, 5), (128, 128, 5, 5), (128, 128, 5, 5)]
    assert shapes(single.decoder) == [(128, 1, 13, 13)]
    assert shapes(deep.decoder) == [(128, 128, 5, 5), (128, 128, 5, 5), (128, 1, 5, 5)]


def test_it_starts_from_xavier_uniform_weights_and_no_bias() -> None:
    for layer in [*create("ConvAE", {}, seed=0).encoder, *create("ConvAE", {}, seed=0).decoder]:
        if not isinstance(layer, nn.ReLU):
            bound = (6 / (layer.weight[0].numel() + layer.weight[:, 0].numel())) ** 0.5
            assert 0.9 * bound < layer.weight.abs().max() <= bound and not layer.bias.any()


def test_at_most_one_unit_of_a_block_and_of_a_map_draws() -> None:
    z = conv_ae().encode(images(size=19))  # 7 x 7 positions, in blocks of 4: 2 x 2 of them, three cut short
    assert (z.flatten(2).count_nonzero(2) <= 1).all() and (z.flatten(1).count_nonzero(1) <= 4).all()
    assert z.any()


def test_of_a_block_the_strongest_of_all_maps_is_kept() -> None:
    z = torch.zeros(1, 2, 4, 4)
    z[0, 0, 0, 0], z[0, 1, 1, 1], z[0, 0, 3, 3] = 1.0, 2.0, 0.5
    kept = strided(z, 2)
    assert kept[0, 1, 1, 1] == 2 and kept[0, 0, 3, 3] == 0.5 and kept.count_nonzero() == 2


def test_of_equal_ones_one_is_kept_and_a_block_of_zeros_stays() -> None:
    assert strided(torch.ones(2, 3, 4, 4), 4).flatten(1).sum(1).tolist() == [1, 1]
    assert not strided(torch.zeros(1, 3, 4, 4), 4).any()


@pytest.mark.parametrize("decoder", ["single", "deep"])
@pytest.mark.parametrize("block", [1, 3, 4, 20])
def test_the_fast_path_computes_what_the_definition_does(decoder: str, block: int) -> None:
    fast, x = conv_ae(decoder=decoder, block=block), images(size=19)
    torch.testing.assert_close(fast(x), fast.dense(x), atol=1e-5, rtol=1e-4)


def test_the_fast_path_has_the_gradients_of_the_definition() -> None:
    found = []
    for name in ("forward", "dense"):
        m = conv_ae().requires_grad_(True)
        (getattr(m, name)(images(size=19)) - images(size=19)).square().sum().backward()
        found.append([p.grad for p in m.parameters()])
    for mine, defined in zip(*found, strict=True):
        torch.testing.assert_close(mine, defined, atol=1e-4, rtol=1e-3)


def test_the_loss_is_the_squared_error_summed_over_pixels() -> None:
    m, x = conv_ae(), images(size=19)
    assert m.loss(x).item() == pytest.approx(((m.reconstruct(x) - x) ** 2).sum().item() / len(x), rel=1e-5)


def test_it_learns_by_adadelta_as_published() -> None:
    m = conv_ae()
    (objective,) = m.objectives().values()
    assert objective.optimiser is not None
    (group,) = objective.optimiser(objective.params, objective.lr).param_groups
    assert (group["lr"], group["rho"], group["eps"]) == (0.1, 0.95, 1e-7)
