"""The winner-take-all autoencoder is the published one, to its number of parameters and the definition of its loss."""

from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import WTA, create, sparse


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


def test_the_layers_are_three_convolutions_and_their_mirror_with_relu_after_all_but_the_last() -> None:
    kinds = [type(module).__name__ for module in wta().modules() if not list(module.children())]
    assert kinds == ["Conv2d", "ReLU"] * 3 + ["ConvTranspose2d", "ReLU"] * 2 + ["ConvTranspose2d"]
    assert all((*m.kernel_size, *m.stride, *m.padding) == (5, 5, 1, 1, 0, 0) for m in layers(wta()))


def test_a_code_has_exactly_one_winner_per_living_map() -> None:
    code = wta(filters=16).encode(images())
    alive = wta(filters=16).encoder(images()).flatten(2).amax(2) > 0
    assert torch.equal((code != 0).flatten(2).sum(2), alive.long())
    assert alive.any()


def test_a_flat_map_has_one_winner_too() -> None:
    # regression: every position equal to the maximum won, sixteen of them on a flat 4x4 map
    model = wta(size=16)
    for layer in layers(model):
        layer.weight.zero_()
        layer.bias.fill_(1.0)
    assert ((model.encode(images(2, size=16)) != 0).flatten(2).sum(2) == 1).all()


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


def test_lifetime_sparsity_keeps_something_of_a_batch_under_twenty() -> None:
    # regression: int(0.05 * 19) kept nothing, and training went on with a code of zeros
    model = wta()
    x, silent = images(3), model.decode(torch.zeros(3, *model.code_shape))
    nothing = (silent - x).square().flatten(1).sum(1).mean() / 2
    assert not torch.isclose(model.loss(x), nothing, rtol=1e-4)


def test_a_reconstruction_uses_no_lifetime_sparsity() -> None:
    model = wta(lifetime=0.05)
    torch.testing.assert_close(model(images(30)), model.decoder(sparse.spatial(model.encoder(images(30)))))


def test_the_weaker_rule_keeps_all_that_the_stronger_one_keeps_and_more() -> None:
    z = wta(filters=8).encode(images(40))
    strong, weak = sparse.lifetime(z, 0.05) != 0, sparse.lifetime_per_position(z, 0.05) != 0
    assert not (strong & ~weak).any() and weak.sum() > strong.sum()


def test_the_rule_of_lifetime_sparsity_is_a_choice_that_matters() -> None:
    assert wta(lifetime_per="channel").loss(images(40)) != wta(lifetime_per="position").loss(images(40))


def test_a_linear_output_may_leave_0_to_1_and_a_sigmoid_one_does_not() -> None:
    linear, sigmoid = (wta(output=output)(images()) for output in ("linear", "sigmoid"))
    assert linear.min() < 0
    assert ((sigmoid > 0) & (sigmoid < 1)).all()
    torch.testing.assert_close(sigmoid, linear.sigmoid())


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


def test_initial_weights_belong_to_the_seed_and_options_survive_a_reset() -> None:
    # regression: re-creating a model forgot its options and fell back to another output
    first = wta(seed=1, output="sigmoid", init="published")
    again, other = (create("WTA", asdict(first.config), seed=seed) for seed in (1, 2))
    assert first.config == again.config == other.config
    assert torch.equal(layers(first)[0].weight, layers(again)[0].weight)
    assert not torch.equal(layers(first)[0].weight, layers(other)[0].weight)


@pytest.mark.parametrize(("size", "kernel", "depth"), [(13, 5, 3), (16, 5, 3), (32, 3, 2), (9, 3, 4), (28, 7, 1)])
def test_any_image_size_kernel_and_depth_work(size: int, kernel: int, depth: int) -> None:
    # regression: the side of the code was image_size - 12, a kernel size in disguise
    model = wta(size=size, kernel=kernel, depth=depth)
    x = images(2, size=size)
    assert model.encode(x).shape == (2, *model.code_shape) and model(x).shape == x.shape


@pytest.mark.parametrize(("size", "kernel", "depth"), [(12, 5, 3), (1, 3, 1), (8, 3, 4)])
def test_an_image_too_small_for_the_convolutions_is_refused(size: int, kernel: int, depth: int) -> None:
    with pytest.raises(ValueError, match=f"^images of {size} pixels[^\n]*$"):
        WTA.Config(size=size, kernel=kernel, depth=depth)


def test_colour_images_work() -> None:
    model = wta(channels=3)
    assert model.reconstruct(images(2, channels=3)).shape == (2, 3, 28, 28)
    assert model.atoms().shape == (4, 3, 28, 28)


@pytest.mark.parametrize(
    ("option", "value"),
    [("output", "tanh"), ("lifetime_per", "image"), ("init", "zero"), ("lifetime", 0), ("lifetime", 1.5)],
)
def test_an_option_that_means_nothing_is_named(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{option}[^\n]*{value}[^\n]*$"):
        create("WTA", {option: value})


def test_no_code_depends_on_its_neighbours() -> None:
    model, x = wta(filters=8), images(6)
    alone = torch.cat([model.encode(x[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(alone, model.encode(x), atol=1e-5, rtol=1e-4)


def test_an_atom_is_what_one_channel_draws_alone_at_the_centre() -> None:
    model = wta()
    code = torch.zeros(1, *model.code_shape)
    code[0, 2, 8, 8] = 2.0
    torch.testing.assert_close(model.atoms(2.0)[2], model.decode(code)[0])
