"""The autoencoder of 2016 is the published one, and its fast path is its definition."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import ConvAE, create
from toolkit.models.conv_ae import strided


def model(**config: Any) -> Any:
    return create("ConvAE", {"filters": 6, "size": 19, **config}, seed=0)


def images(count: int = 5, size: int = 19) -> Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(1))


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
    z = model().encode(images())  # 7 x 7 positions, in blocks of 4: 2 x 2 of them, three cut short
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
    fast, x = model(decoder=decoder, block=block), images()
    torch.testing.assert_close(fast(x), fast.dense(x), atol=1e-5, rtol=1e-4)


def test_the_fast_path_has_the_gradients_of_the_definition() -> None:
    found = []
    for name in ("forward", "dense"):
        m = model().requires_grad_(True)
        (getattr(m, name)(images()) - images()).square().sum().backward()
        found.append([p.grad for p in m.parameters()])
    for mine, defined in zip(*found, strict=True):
        torch.testing.assert_close(mine, defined, atol=1e-4, rtol=1e-3)


def test_the_loss_is_the_squared_error_summed_over_pixels() -> None:
    m, x = model(), images()
    assert m.loss(x).item() == pytest.approx(((m.reconstruct(x) - x) ** 2).sum().item() / len(x), rel=1e-5)


def test_it_learns_by_adadelta_as_published() -> None:
    m = model()
    (objective,) = m.objectives().values()
    assert objective.optimiser is not None
    (group,) = objective.optimiser(objective.params, objective.lr).param_groups
    assert (group["lr"], group["rho"], group["eps"]) == (0.1, 0.95, 1e-7)


def test_an_unknown_decoder_is_named() -> None:
    with pytest.raises(ValueError, match="'wide'.*single, deep"):
        create("ConvAE", {"decoder": "wide"})
