"""One association written into one layer."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from toolkit.diverge import context, effect, keys, matrix, repaint, rewrite, second_moment, write
from toolkit.seeds import Noise

Make = Callable[..., Any]
LAYERS = pytest.mark.parametrize(
    "layer",
    [nn.Linear(5, 4), nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 2, stride=2), nn.ConvTranspose2d(3, 4, 3)],
    ids=["linear", "conv", "strided", "transposed"],
)


def alone(layer: nn.Module) -> tuple[nn.Sequential, Tensor]:
    """A model of one layer, and something to put into it."""
    x = torch.randn(6, 5) if isinstance(layer, nn.Linear) else torch.randn(6, 3, 4, 4)
    return nn.Sequential(layer).requires_grad_(False), x


def linear() -> tuple[Any, Tensor]:
    """A linear layer, and 200 keys that vary more in some directions than in others."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 4)).requires_grad_(False), torch.randn(200, 5) @ torch.randn(5, 5)


@LAYERS
def test_a_layer_is_its_matrix_times_its_keys(layer: Any) -> None:
    model, x = alone(layer)
    found = keys(model, "0", lambda model: model(x)) @ matrix(model, "0").T
    if isinstance(layer, nn.ConvTranspose2d):
        y = torch.nn.functional.fold(
            found.view(6, 16, -1).transpose(1, 2), 6, 3
        ) + layer.bias[:, None, None]  # fmt: skip
    elif isinstance(layer, nn.Conv2d):
        y = (found + layer.bias).view(6, -1, 4).transpose(1, 2).view_as(layer(x))
    else:
        y = found + layer.bias
    torch.testing.assert_close(y, layer(x), atol=1e-5, rtol=1e-4)


@LAYERS
def test_what_is_written_is_found_under_its_key(layer: Any, same: Make) -> None:
    model, x = alone(layer)
    found = keys(model, "0", lambda model: model(x))
    value = torch.randn(len(matrix(model, "0")))
    written = write(model, "0", found[3], value, second_moment(found))
    torch.testing.assert_close(matrix(written, "0") @ found[3], value, atol=1e-5, rtol=1e-4)
    assert torch.linalg.matrix_rank(matrix(written, "0") - matrix(model, "0"), rtol=1e-4) == 1


@LAYERS
def test_writing_nothing_or_what_is_there_changes_nothing(layer: Any, same: Make) -> None:
    model, x = alone(layer)
    found = keys(model, "0", lambda model: model(x))
    there, moment = matrix(model, "0") @ found[3], second_moment(found)
    assert same(write(model, "0", found[3], there + 1, moment, strength=0.0), model)
    again = write(model, "0", found[3], there, moment)
    torch.testing.assert_close(matrix(again, "0"), matrix(model, "0"), atol=1e-5, rtol=1e-5)


def test_half_the_strength_writes_half_and_the_model_given_stays_as_it_was(same: Make) -> None:
    model, k = linear()
    before, value = matrix(model, "0").clone(), torch.ones(4)
    half = write(model, "0", k[0], value, second_moment(k), strength=0.5)
    torch.testing.assert_close(matrix(half, "0") @ k[0], (before @ k[0] + value) / 2, atol=1e-5, rtol=1e-4)
    assert torch.equal(matrix(model, "0"), before) and not half[0].weight.requires_grad


def test_of_all_ways_to_write_the_closed_form_disturbs_other_keys_least() -> None:
    model, k = linear()
    written = write(model, "0", k[0], torch.ones(4), second_moment(k, ridge=0.0))
    change = matrix(written, "0") - matrix(model, "0")
    least = (k @ change.T).square().sum()
    for _ in range(20):
        other = torch.randn(5)
        rival = torch.outer(change @ k[0], other) / (k[0] @ other)  # writes the same
        assert (k @ rival.T).square().sum() > least


def test_a_moment_is_the_mean_square_of_keys_with_a_ridge() -> None:
    k = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert second_moment(k, ridge=0.0).tolist() == [[0.5, 0], [0, 2]]
    assert second_moment(k, ridge=0.4).tolist() == [[1.0, 0], [0, 2.5]]


def test_context_directions_are_orthonormal_and_of_one_key_its_whitened_self() -> None:
    _, k = linear()
    moment = second_moment(k)
    basis = context(k[:20], moment, 3)
    torch.testing.assert_close(basis.T @ basis, torch.eye(3).double(), atol=1e-6, rtol=0)
    expected = torch.nn.functional.normalize(torch.linalg.solve(moment, k[0].double()), dim=0)
    torch.testing.assert_close(context(k[:1], moment, 1)[:, 0], expected, atol=1e-6, rtol=0)
    assert (k[:20].double().mean(0) @ basis >= 0).all()


def test_the_optimisation_finds_a_change_within_its_rank_where_there_is_one() -> None:
    model, k = linear()
    directions = context(k[:10], second_moment(k), 2)
    goal = model(k) + (k.double() @ directions @ torch.randn(2, 4).double()).float()
    written = rewrite(model, "0", k, goal, directions, steps=300, lr=0.02)
    assert torch.linalg.matrix_rank(matrix(written, "0") - matrix(model, "0"), rtol=1e-4) == 2
    assert (written(k) - goal).abs().mean() < 0.1 * (model(k) - goal).abs().mean()


@LAYERS
def test_the_optimisation_of_rank_one_finds_one_key_its_value(layer: Any) -> None:
    model, x = alone(layer)
    found = keys(model, "0", lambda model: model(x))
    directions = torch.eye(found.shape[1]).double()  # all of them
    written = rewrite(model, "0", x[:1], layer(x[:1]) + 0.1, directions, steps=300, lr=0.01)
    assert (written(x[:1]) - layer(x[:1]) - 0.1).abs().mean() < 0.08


def test_a_goal_that_is_there_and_a_strength_of_0_change_nothing(same: Make) -> None:
    model, k = linear()
    directions = context(k, second_moment(k), 2)
    assert same(rewrite(model, "0", k, model(k), directions), model)
    assert same(rewrite(model, "0", k, model(k) + 1, directions, strength=0.0), model)
    assert same(rewrite(model, "0", k, model(k) + 1, directions, steps=0), model)


def test_outside_of_its_region_a_goal_does_not_count(same: Make) -> None:
    model, k = linear()
    directions, region = torch.eye(5).double(), torch.tensor([1.0, 0, 0, 0])
    written = rewrite(model, "0", k, model(k) + 1, directions, region=region, steps=20)
    moved = (matrix(written, "0") != matrix(model, "0")).any(1)
    assert moved.tolist() == [True, False, False, False]


def test_a_painted_picture_is_learned_by_one_layer_while_others_stay(tiny: Make, same: Make) -> None:
    model, code, kept = tiny("VAE"), Noise([0]).randn(3), Noise(range(1, 30)).randn(3)
    edited = model.decode(code).clone()
    edited[..., :4, :4] = 1
    learned = repaint(model, "decoder.6", code, edited, kept=kept, lr=0.01)
    before, after = ((each.decode(code) - edited).square().mean() for each in (model, learned))
    assert after < before / 2 and effect(model, learned, code, kept)["locality"] > 0.6
    changed = {key for key, w in learned.state_dict().items() if not torch.equal(w, model.state_dict()[key])}
    assert changed == {"decoder.6.weight"} and same(model, tiny("VAE"))


def test_a_picture_that_was_not_painted_teaches_nothing(tiny: Make, same: Make) -> None:
    model, code = tiny("VAE"), Noise([0]).randn(3)
    assert same(repaint(model, "decoder.6", code, model.decode(code)), model)
    assert same(repaint(model, "decoder.6", code, model.decode(code) / 2, strength=0.0), model)


def test_a_reconstruction_can_be_painted_over_too(tiny: Make) -> None:
    model, x = tiny("WTA"), Noise([0]).rand(1, 16, 16)
    learned = repaint(model, "decoder.2", x, model.reconstruct(x) / 2, draw=type(model).reconstruct, steps=20)
    moved = effect(model, learned, x, x, draw=type(model).reconstruct)
    assert "forward" not in vars(learned) and moved["goal"] > 0


def test_the_effect_is_the_change_where_it_was_meant_against_that_elsewhere() -> None:
    a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    b.load_state_dict({"weight": a.weight + 0.5, "bias": a.bias})
    found = effect(a, b, torch.full((2, 1), 0.6), torch.full((3, 1), 0.2), draw=nn.Linear.__call__)
    assert found == pytest.approx({"goal": 0.3, "elsewhere": 0.1, "locality": 0.75})
    assert effect(a, a, torch.ones(1, 1), torch.ones(1, 1), draw=nn.Linear.__call__)["locality"] == 0


def test_what_does_not_fit_is_refused_in_one_sentence(tiny: Make) -> None:
    model, k = linear()
    moment = second_moment(k)
    for attempt in (
        lambda: write(model, "0", k[0, :3], torch.ones(4), moment),
        lambda: write(model, "0", k[0], torch.ones(5), moment),
        lambda: write(model, "0", k[0], torch.ones(4), moment[:2]),
        lambda: write(model, "1", k[0], torch.ones(4), moment),
        lambda: matrix(tiny("VAE"), "decoder.1"),
        lambda: context(k, moment, 6),
        lambda: context(k, moment, 0),
        lambda: rewrite(model, "0", k, torch.ones(3, 3), context(k, moment)),
        lambda: keys(tiny("VAE"), "encoder.1", lambda model: model.decode(torch.zeros(1, 3))),
    ):
        with pytest.raises(ValueError, match="^[^\n]+: (give|take|choose|run) [^\n]+$"):
            attempt()


def test_the_key_of_a_convolution_is_the_patch_under_its_kernel() -> None:
    model, x = alone(nn.Conv2d(3, 4, 3))
    found = keys(model, "0", lambda model: model(x))
    assert torch.equal(found[1].view(3, 3, 3), x[0, :, 0:3, 1:4]) and found.shape == (6 * 4, 27)
    torch.testing.assert_close(found[0] @ model[0].weight.flatten(1).T, conv2d(x[:1], model[0].weight)[0, :, 0, 0])
