"""The sparse path computes what the dense definition does: images, losses, gradients, whatever is active or not."""

from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.models import WTA, create, sparse
from toolkit.models.sparse import BLOCK, Rows, collect, spread, table

SHAPES: list[dict[str, Any]] = [
    {},
    {"filters": 7},  # rows of an odd number of bytes
    {"depth": 1, "size": 9},
    {"depth": 2, "kernel": 3, "size": 12},
    {"depth": 4, "kernel": 4, "size": 20},
    {"channels": 3, "size": 16},
    {"output": "sigmoid"},
    {"lifetime_per": "position"},
    {"lifetime_per": "position", "size": 13, "filters": 9},  # so few positions that many winners share one
    {"lifetime": 1.0},  # so many winners that layers are crowded, and computed densely
    {"filters": 64, "size": 14},  # more winners than positions
]


def wta(**config: Any) -> WTA:
    model = create("WTA", {"filters": 6, "lifetime": 0.1, **config}, seed=0)
    assert isinstance(model, WTA)
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():  # biases too, so that the ground is not zero
        parameter.copy_(parameter + 0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def images(model: WTA, count: int = 20, seed: int = 0) -> Tensor:
    return torch.rand(count, *model.image_shape, generator=torch.Generator().manual_seed(seed))


def gradients(model: WTA, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_a_reconstruction_is_the_dense_one(config: dict[str, Any]) -> None:
    model = wta(**config)
    torch.testing.assert_close(model(images(model)), model.dense(images(model)), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_the_loss_and_its_gradients_are_the_dense_ones(config: dict[str, Any]) -> None:
    model = wta(**config).requires_grad_(True)
    x = images(model, 20)
    loss, dense = model.loss(x), model.dense_loss(x)
    torch.testing.assert_close(loss, dense, rtol=1e-6, atol=0)
    for mine, theirs in zip(gradients(model, loss), gradients(model, dense), strict=True):
        assert (mine - theirs).norm() <= 1e-4 * theirs.norm()


def test_twenty_passes_end_in_the_same_picture() -> None:
    model = wta(filters=16)
    ours = theirs = images(model)
    for _ in range(20):
        ours, theirs = model.reconstruct(ours), model.dense(theirs).clamp(0, 1)
    assert (ours - theirs).abs().max() < 1e-4
    assert ours.std() > 0.01


def test_a_code_without_any_winner_decodes_to_the_ground() -> None:
    model = wta()
    nothing = torch.zeros(3, 6)
    drawn = sparse.decode(nothing, nothing.long(), model.code_shape[1], model.decoder)
    torch.testing.assert_close(drawn, model.decode(torch.zeros(3, *model.code_shape)))


def test_a_net_that_no_winner_survives_in_still_learns_its_biases() -> None:
    model = wta().requires_grad_(True)
    model.encoder[4].bias.data.fill_(-100)  # all maps dead
    x = images(model)
    mine, dense = gradients(model, model.loss(x)), gradients(model, model.dense_loss(x))
    torch.testing.assert_close(mine[-1], dense[-1])
    assert mine[-1].abs().sum() > 0 and not any(gradient.any() for gradient in mine[:6])


def test_only_the_first_of_equal_positions_wins() -> None:
    strength, position = sparse.encode(torch.ones(2, 1, 28, 28), wta().encoder)
    assert not position.any() and torch.equal(
        strength, sparse.spatial(wta().encoder(torch.ones(2, 1, 28, 28))).amax((2, 3))
    )


def test_in_bfloat16_it_strays_from_float32_no_further_than_the_dense_path_does() -> None:
    model = wta(filters=32)
    strength, position = sparse.encode(images(model, 30), model.encoder)
    code = torch.zeros(30, 32, 256).scatter(2, position[..., None], strength[..., None]).view(30, *model.code_shape)
    exact = model.decode(code)
    with torch.autocast("cpu", torch.bfloat16):
        dense = model.decode(code)
        ours = sparse.decode(strength.bfloat16(), position, model.code_shape[1], model.decoder)
    assert 0 < (ours - exact).norm() <= 1.25 * (dense - exact).norm()


def test_in_bfloat16_gradients_stray_from_float32_no_further_than_dense_ones_do() -> None:
    model = wta(filters=32, lifetime=0.2).requires_grad_(True)
    x = images(model, 30)
    exact = torch.cat([g.flatten() for g in gradients(model, model.dense_loss(x))])
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.loss(x), model.dense_loss(x)
    ours, dense = (torch.cat([g.flatten() for g in gradients(model, loss)]) for loss in losses)
    assert 0 < (ours - exact).norm() <= 1.25 * (dense - exact).norm()


@pytest.mark.parametrize("fast", [False, True], ids=["float32", "bfloat16"])
def test_an_image_is_the_same_to_the_bit_whatever_its_neighbours(fast: bool) -> None:
    model = wta(filters=32)
    x = images(model, 40)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=fast):
        whole = model(x)
        for some in (slice(0, 1), slice(3, 20), slice(11, 40)):
            assert torch.equal(model(x[some]), whole[some])


def test_the_model_given_to_the_sparse_path_may_lie_in_any_memory_format() -> None:
    model = wta()
    x, expected = images(model), wta().dense(images(wta()))
    torch.testing.assert_close(model.to(memory_format=torch.contiguous_format)(x), expected, rtol=1e-5, atol=2e-6)


def test_spreading_rows_is_a_transposed_convolution() -> None:
    x, weight = torch.randn(2, 3, 6, 6) * (torch.rand(2, 1, 6, 6) < 0.2), torch.randn(3, 5, 4, 4)
    rows = Rows.where(x.any(1))
    out = rows.reached(4)
    values = torch.zeros(len(rows.index), 3)
    values[: rows.count] = x.permute(0, 2, 3, 1).reshape(-1, 3)[rows.index[: rows.count]]
    drawn = torch.zeros(2 * 9 * 9, 5)
    drawn[out.index[: out.count]] = spread(values, table(weight), rows.sources(out, 4))[: out.count]
    expected = torch.nn.functional.conv_transpose2d(x, weight).permute(0, 2, 3, 1).reshape(-1, 5)
    torch.testing.assert_close(drawn, expected, rtol=1e-4, atol=1e-5)


def test_collecting_patches_is_the_adjoint_of_spreading_them() -> None:
    rows = Rows.where(torch.rand(2, 6, 6) < 0.2)
    out = rows.reached(3)
    values, weights, other = torch.randn(len(rows.index), 4), torch.randn(4, 9 * 5), torch.randn(len(out.index), 5)
    values[rows.count :] = 0
    other[out.count :] = 0
    there = (spread(values, weights, rows.sources(out, 3)) * other).sum()
    back = (values * (collect(other, rows.targets(out, 3)) @ weights.t())).sum()
    torch.testing.assert_close(there, back, rtol=1e-4, atol=1e-3)


def test_rows_come_in_blocks_with_at_least_one_row_of_padding() -> None:
    full = Rows.where(torch.ones(4, 16, 16, dtype=torch.bool))
    assert full.count == 1024 and len(full.index) == 1024 + BLOCK and full.crowded
    assert len(Rows.where(torch.zeros(1, 4, 4, dtype=torch.bool)).index) == BLOCK
