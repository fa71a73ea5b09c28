"""The sparse path computes what the dense definition does: images, losses, gradients, whatever is active or not."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.models import WTA, create, sparse
from toolkit.models.sparse import lifetime, lifetime_per_position, spatial, survivors_per_position

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
    dense = model.dense(images(model))
    largest = max(1.0, dense.abs().max().item())  # of which sums round
    torch.testing.assert_close(model(images(model)), dense, rtol=1e-5, atol=2e-6 * largest)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(9, 7, 5, 8), (9, 64, 16, 16)], ids=str)
def test_the_winner_of_a_tie_is_the_first(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    strength, position = sparse._winners(x.to(memory_format=torch.channels_last))
    lines = x.flatten(2).float()
    largest = lines.amax(2)
    assert torch.equal(strength.float(), largest.relu())
    assert torch.equal(position, (lines == largest[..., None]).int().argmax(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_where_layers_become_dense_changes_rounding_alone(
    config: dict[str, Any], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, found = wta(**config).requires_grad_(True), []
    for share in (0.0, 1.0):  # always dense, never
        monkeypatch.setattr(sparse, "CROWDED", share)
        monkeypatch.setattr(sparse, "CROWDED_IN_BFLOAT16", share)
        with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
            loss = model.loss(images(model))
        found.append([loss[None], *gradients(model, loss)])
    allowed = 1e-4 if dtype == torch.float32 else 0.1  # bfloat16 has eight bits
    for dense, rows in zip(*found, strict=True):
        assert (dense - rows).norm() <= allowed * dense.norm()


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


# the rules of sparsity, against definitions in loops


def codes(batch: int) -> Tensor:
    """Activations (B, 3, 4, 4) as after a ReLU, no two positive ones equal, with maps and a channel of zeros."""
    z = (torch.rand(batch, 3, 4, 4, generator=torch.Generator().manual_seed(batch)) - 0.3).relu()
    z[::3, 0] = 0
    z[:, 2] = 0
    return z


def slow_spatial(z: Tensor) -> Tensor:
    out = torch.zeros_like(z)
    for b, k in np.ndindex(z.shape[:2]):
        row, column = divmod(int(z[b, k].argmax()), z.shape[3])
        out[b, k, row, column] = z[b, k, row, column]
    return out


def slow_lifetime(z: Tensor, rate: float) -> Tensor:
    out = torch.zeros_like(z)
    for k in range(z.shape[1]):
        strongest = sorted(range(len(z)), key=lambda b: -z[b, k].max().item())
        for b in strongest[: max(1, round(rate * len(z)))]:
            out[b, k] = z[b, k]
    return out


def slow_per_position(z: Tensor, rate: float) -> Tensor:
    out = torch.zeros_like(z)
    for place in np.ndindex(z.shape[1:]):
        strongest = sorted(range(len(z)), key=lambda b: -z[(b, *place)].item())
        for b in strongest[: max(1, round(rate * len(z)))]:
            out[(b, *place)] = z[(b, *place)]
    return out


@pytest.mark.parametrize("batch", [1, 2, 3, 9, 10, 11, 19, 30])
def test_sparsity_equals_its_slow_definition(batch: int) -> None:
    z = spatial(codes(batch))
    assert torch.equal(z, slow_spatial(codes(batch)))
    for rate in (0.05, 0.2, 0.5, 1.0):
        assert torch.equal(lifetime(z, rate), slow_lifetime(z, rate))
        assert torch.equal(lifetime_per_position(z, rate), slow_per_position(z, rate))


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_the_rule_per_position_on_winners_is_the_rule_on_their_maps(batch: int) -> None:
    generator = torch.Generator().manual_seed(batch)
    z = spatial(torch.rand(batch, 5, 2, 3, generator=generator))  # six places for many winners
    strength, position = z.flatten(2).max(-1)
    mine = survivors_per_position(strength, position, 0.1)
    assert torch.equal(z * mine[..., None, None], lifetime_per_position(z, 0.1))
    assert batch == 1 or 0 < mine.mean() < 1


def test_equal_images_do_not_all_keep_a_channel() -> None:
    z = spatial(torch.rand(1, 4, 4, 4)).repeat(100, 1, 1, 1)
    assert ((lifetime(z, 0.05) != 0).flatten(2).any(2).sum(0) == 5).all()
    assert ((lifetime_per_position(z, 0.05) != 0).sum((0, 2, 3)) == 5).all()


def test_per_position_keeps_all_that_per_channel_keeps_and_more() -> None:
    z = spatial(torch.rand(60, 8, 4, 4))
    strict, loose = lifetime(z, 0.05) != 0, lifetime_per_position(z, 0.05) != 0
    assert (strict <= loose).all()
    assert loose.sum() > strict.sum()


def test_winners_of_winners_are_the_same_and_no_image_depends_on_its_batch() -> None:
    z = torch.rand(6, 4, 4, 4)
    assert torch.equal(spatial(spatial(z)), spatial(z))
    assert torch.equal(spatial(z)[2:3], spatial(z[2:3]))


def test_only_winners_are_taught() -> None:
    z = torch.rand(40, 3, 4, 4, requires_grad=True)
    out = lifetime(spatial(z), 0.05)
    out.sum().backward()
    assert z.grad is not None
    assert torch.equal(z.grad != 0, out != 0)


@pytest.mark.parametrize("value", [1.0, 0.25, -1.0, 0.0])
def test_a_flat_map_keeps_exactly_one_winner_and_a_map_of_zeros_stays_zeros(value: float) -> None:
    # regression: every position equal to the maximum won
    out = spatial(torch.full((5, 7, 4, 4), value))
    assert ((out != 0).flatten(2).sum(2) == (value != 0)).all()
    assert value or not (lifetime(out, 0.05).any() or lifetime_per_position(out, 0.05).any())


@pytest.mark.parametrize("batch", [*range(1, 20), 100])
def test_five_percent_of_a_batch_keep_a_channel_at_least_one_and_the_strongest(batch: int) -> None:
    # regression: int(0.05 * 19) kept nothing, and training went on with a code of zeros
    z, count = spatial(torch.rand(batch, 6, 4, 4)), 5 if batch == 100 else 1
    strength, out = z.flatten(2).amax(2), lifetime(z, 0.05).flatten(2).amax(2)
    assert ((out > 0).sum(0) == count).all()
    assert torch.equal(out.sort(0).values[-count:], strength.sort(0).values[-count:])
