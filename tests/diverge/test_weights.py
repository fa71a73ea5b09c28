"""Network blending, model rewriting and neural glitch, on weights whose answer is known."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import fold, normalize

from tests.tiny import make, same
from toolkit.diverge import (
    Glitch,
    along,
    blend,
    context,
    glitched,
    keys,
    levels,
    matrix,
    ramp,
    repaint,
    rewrite,
    second_moment,
    swap,
    write,
)
from toolkit.diverge.weights import KINDS, level_count
from toolkit.models import MODELS
from toolkit.seeds import Noise

# ---- blending


@pytest.mark.parametrize("weight", [-0.5, 0.25, 2.0])
def test_weights_lie_on_the_line_between_and_beyond(weight: float) -> None:
    parent, child = make("VAE"), make("VAE", seed=1)
    assert same(blend(parent, child, 1), child)
    for a, b, c in zip(*(model.parameters() for model in (parent, child, blend(parent, child, weight))), strict=True):
        torch.testing.assert_close(c, (1 - weight) * a + weight * b)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_swap_takes_the_parent_up_to_a_depth_and_the_child_from_there(name: str) -> None:
    parent, child = make(name), make(name, seed=1)
    depth = levels(parent)
    for key, weight in swap(parent, child, 2).state_dict().items():
        assert torch.equal(weight, (parent if depth[key] < 2 else child).state_dict()[key])
    assert same(swap(parent, child, 0), child)


def test_every_level_has_a_weight_of_its_own_and_normalisation_belongs_to_the_weights_before_it() -> None:
    parent, child = make("WTA"), make("WTA", seed=1)
    weights = [0.1 * level for level in range(level_count(parent))]
    for key, weight in blend(parent, child, weights).state_dict().items():
        a, b, share = parent.state_dict()[key], child.state_dict()[key], weights[levels(parent)[key]]
        torch.testing.assert_close(weight, (1 - share) * a + share * b)
    depth = levels(make("DCGAN"))
    first = {key for key, level in depth.items() if level == 0}
    assert first >= {f"generator.{key}" for key in ("0.weight", "1.weight", "1.running_var", "1.num_batches_tracked")}
    assert depth["generator.3.weight"] == 1 and sorted({*depth.values()}) == [*range(level_count(make("DCGAN")))]


def test_a_ramp_rises_through_its_middle_and_is_a_swap_if_it_has_no_width() -> None:
    weights = ramp(6, 3.0, 2.0)
    assert weights == sorted(weights) and weights[2] + weights[3] == pytest.approx(1.0)
    assert ramp(6, 2.0, 0.0) == [0, 0, 1, 1, 1, 1] and ramp(1, 0.5, 0.1) == [0.5]
    assert ramp(2, 1.0, 1.0) == pytest.approx([0.119, 0.881], abs=1e-3)  # half a level from the middle: one width apart


def test_whole_numbers_along_a_run_are_its_models_and_beyond_the_last_the_line_goes_on() -> None:
    run = [make("Manifold", seed=seed) for seed in range(3)]
    assert all(same(along(run, place), model) for place, model in enumerate(run, 1))
    assert same(along(run, 1.25), blend(run[0], run[1], 0.25)) and same(along(run, 2.5), blend(run[1], run[2], 0.5))
    assert same(along(run, 5), blend(run[1], run[2], 3)) and same(along(run, 0), blend(run[0], run[1], -1))


def test_a_variance_never_falls_under_that_of_parent_and_child() -> None:
    parent, child = make("DCGAN"), make("DCGAN", seed=1)
    child.get_submodule("generator.1").running_var.fill_(0.1)
    beyond, before = blend(parent, child, 3.0), blend(parent, child, -1.0)
    assert (beyond.get_submodule("generator.1").running_var == 0.1).all()
    assert (before.get_submodule("generator.1").running_var == 1.9).all()
    assert beyond.sample(Noise([0])).isfinite().all()


# ---- rewriting

LAYERS = pytest.mark.parametrize(
    "layer",
    [nn.Linear(5, 4), nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 2, stride=2), nn.ConvTranspose2d(3, 4, 3)],
    ids=["linear", "conv", "strided", "transposed"],
)


def alone(layer: nn.Module) -> tuple[nn.Sequential, Tensor, Tensor]:
    """A model of one layer, something to put into it, and the keys of that."""
    x = torch.randn(6, 5) if isinstance(layer, nn.Linear) else torch.randn(6, 3, 4, 4)
    model = nn.Sequential(layer).requires_grad_(False)
    return model, x, keys(model, "0", lambda model: model(x))


def linear() -> tuple[Any, Tensor]:
    """A linear layer, and 200 keys that vary more in some directions than in others."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 4)).requires_grad_(False), torch.randn(200, 5) @ torch.randn(5, 5)


@LAYERS
def test_a_layer_is_its_matrix_times_its_keys(layer: Any) -> None:
    model, x, found = alone(layer)
    values = found @ matrix(model, "0").T
    if isinstance(layer, nn.ConvTranspose2d):
        y = fold(values.view(6, 16, -1).transpose(1, 2), 6, 3) + layer.bias[:, None, None]
    elif isinstance(layer, nn.Conv2d):
        y = (values + layer.bias).view(6, -1, 4).transpose(1, 2).view_as(layer(x))
    else:
        y = values + layer.bias
    torch.testing.assert_close(y, layer(x), atol=1e-5, rtol=1e-4)


@LAYERS
def test_what_is_written_is_found_under_its_key_by_a_change_of_rank_one(layer: Any) -> None:
    model, _, found = alone(layer)
    was, value, moment = matrix(model, "0"), torch.randn(len(matrix(model, "0"))), second_moment(found)
    written, half = (matrix(write(model, "0", found[3], value, moment, strength=by), "0") for by in (1.0, 0.5))
    torch.testing.assert_close(written @ found[3], value, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(half @ found[3], (was @ found[3] + value) / 2, atol=1e-5, rtol=1e-4)
    assert torch.linalg.matrix_rank(written - was, rtol=1e-4) == 1
    again = write(model, "0", found[3], was @ found[3], moment)  # what is there
    torch.testing.assert_close(matrix(again, "0"), was, atol=1e-5, rtol=1e-5)


def test_of_all_ways_to_write_the_closed_form_disturbs_other_keys_least() -> None:
    model, k = linear()
    written = write(model, "0", k[0], torch.ones(4), second_moment(k, ridge=0.0))
    change = matrix(written, "0") - matrix(model, "0")
    least = (k @ change.T).square().sum()
    for _ in range(20):
        other = torch.randn(5)
        rival = torch.outer(change @ k[0], other) / (k[0] @ other)  # writes the same
        assert (k @ rival.T).square().sum() > least


def test_context_directions_are_orthonormal_and_of_one_key_its_whitened_self() -> None:
    _, k = linear()
    moment = second_moment(k)
    basis = context(k[:20], moment, 3)
    torch.testing.assert_close(basis.T @ basis, torch.eye(3).double(), atol=1e-6, rtol=0)
    expected = normalize(torch.linalg.solve(moment, k[0].double()), dim=0)
    torch.testing.assert_close(context(k[:1], moment, 1)[:, 0], expected, atol=1e-6, rtol=0)
    assert (k[:20].double().mean(0) @ basis >= 0).all()


def test_the_optimisation_finds_a_change_within_its_rank_where_there_is_one() -> None:
    model, k = linear()
    directions = context(k[:10], second_moment(k), 2)
    goal = model(k) + (k.double() @ directions @ torch.randn(2, 4).double()).float()
    written = rewrite(model, "0", k, goal, directions, steps=300, lr=0.02)
    assert torch.linalg.matrix_rank(matrix(written, "0") - matrix(model, "0"), rtol=1e-4) == 2
    assert (written(k) - goal).abs().mean() < 0.1 * (model(k) - goal).abs().mean()
    assert same(rewrite(model, "0", k, model(k), directions), model)
    assert same(rewrite(model, "0", k, goal, directions, steps=0), model)


def test_a_painted_image_is_learned_by_one_layer_while_others_stay() -> None:
    model, code, kept = make("VAE"), Noise([0]).randn(3), Noise(range(1, 30)).randn(3)
    edited = model.decode(code).clone()
    edited[..., :4, :4] = 1
    learned = repaint(model, "decoder.6", code, edited, kept=kept, lr=0.01)
    before, after = ((each.decode(code) - edited).square().mean() for each in (model, learned))
    here, elsewhere = ((learned.decode(z) - model.decode(z)).square().mean().sqrt() for z in (code, kept))
    assert after < before / 2 and here > 1.5 * elsewhere
    changed = {key for key, w in learned.state_dict().items() if not torch.equal(w, model.state_dict()[key])}
    assert changed == {"decoder.6.weight"} and same(model, make("VAE"))
    assert same(repaint(model, "decoder.6", code, model.decode(code)), model)  # nothing painted
    assert same(repaint(model, "decoder.6", code, edited, steps=0), model)


# ---- glitch


def rows() -> nn.Sequential:
    """A layer of six filters of five weights, 1 to 30."""
    model = nn.Sequential(nn.Linear(5, 6)).requires_grad_(False)
    model[0].weight.copy_(torch.arange(1.0, 31).view(6, 5))
    return model


def weights(kind: str, share: float, **options: Any) -> Tensor:
    return glitched(rows(), Glitch(kind, share, **options))[0].weight


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_seed_determines_a_glitch(kind: str) -> None:
    assert torch.equal(weights(kind, 0.4, seed=1), weights(kind, 0.4, seed=1))
    assert len({tuple(weights(kind, 0.4, seed=seed).flatten().tolist()) for seed in range(8)}) > 3


def test_single_weights_are_altered_as_many_as_the_share_says() -> None:
    before = rows()[0].weight
    for kind, change in (("zero", 0 * before), ("flip", -before), ("scale", 7 * before)):
        after = weights(kind, 0.2, factor=7.0)
        moved = after != before
        assert moved.sum() == 6 and torch.equal(after[moved], change[moved])
    assert (weights("resample", 0.2) != before).sum() == 6
    off = [(weights("zero", share) == 0) for share in (0.001, 0.1, 0.5, 1.0)]
    assert [int(each.sum()) for each in off] == [1, 3, 15, 30]  # at least one
    assert all((more | less).equal(more) for less, more in pairwise(off))


def test_resampled_weights_have_the_mean_and_deviation_of_the_layer() -> None:
    model = nn.Sequential(nn.Linear(100, 100))
    model[0].weight.data.normal_(3.0, 0.5)
    after = glitched(model, Glitch("resample", 1.0))[0].weight
    assert after.mean().item() == pytest.approx(3.0, abs=0.03) and after.std().item() == pytest.approx(0.5, abs=0.02)


def test_whole_filters_are_swapped_duplicated_or_shuffled() -> None:
    before = rows()[0].weight
    swapped, doubled, shuffled = (weights(*how) for how in (("swap", 0.5), ("duplicate", 0.5), ("shuffle", 1.0)))
    assert (swapped != before).any(1).sum() == 3 and sorted(swapped.tolist()) == sorted(before.tolist())
    assert (weights("swap", 0.01) != before).any(1).sum() == 2  # at least two
    assert (doubled != before).any(1).sum() == 3 and all(row in before.tolist() for row in doubled.tolist())
    assert (shuffled != before).any(1).all() and torch.equal(shuffled.sort(1).values, before)


def test_a_filter_of_a_transposed_convolution_is_what_makes_one_channel() -> None:
    model = nn.Sequential(nn.ConvTranspose2d(2, 6, 3)).requires_grad_(False)
    before, after = model[0].weight, glitched(model, Glitch("swap", 0.5))[0].weight
    assert (after != before).flatten(2).any(2).all(0).sum() == 3
    assert sorted(after.transpose(0, 1).flatten(1).tolist()) == sorted(before.transpose(0, 1).flatten(1).tolist())


def test_only_the_named_layers_are_altered() -> None:
    how = Glitch("flip", 0.5, layers=("decoder.3",))
    after, before = (model.state_dict() for model in (glitched(make("VAE"), how), make("VAE")))
    assert {key for key in after if not torch.equal(after[key], before[key])} == {"decoder.3.weight"}


MODEL, K = make("VAE"), torch.randn(20, 5)
SMALL, MOMENT = nn.Sequential(nn.Linear(5, 4)).requires_grad_(False), second_moment(K)
WRONG: dict[str, tuple[Any, str]] = {
    "one weight": (lambda: blend(MODEL, MODEL, [0.5]), "give a finite one"),
    "no number": (lambda: blend(MODEL, MODEL, float("nan")), "give a finite one"),
    "wide": (lambda: blend(make("WTA"), make("WTA", filters=5), 0.5), r"encoder.0.weight is \(4, [^\n]* and \(5, "),
    "deep": (lambda: blend(make("WTA"), make("WTA", depth=3), 0.5), r"decoder.2.weight is \(4, 1, 5, 5\) in the one"),
    "kind": (lambda: blend(make("WTA"), make("ConvAE"), 0.5), "a WTA and a ConvAE do not blend: give"),
    "depth": (lambda: swap(MODEL, MODEL, -1), "give a whole number"),
    "too deep": (lambda: swap(MODEL, MODEL, 99), "give a whole number"),
    "width": (lambda: ramp(3, 1.0, -1.0), "give a number of levels"),
    "one model": (lambda: along([MODEL], 1), "give a finite number, and two"),
    "endless": (lambda: along([MODEL, MODEL], float("inf")), "give a finite number"),
    "key": (lambda: write(SMALL, "0", K[0, :3], torch.ones(4), MOMENT), "take what"),
    "value": (lambda: write(SMALL, "0", K[0], torch.ones(5), MOMENT), "take what"),
    "moment": (lambda: write(SMALL, "0", K[0], torch.ones(4), MOMENT[:2]), "take what"),
    "layer": (lambda: write(SMALL, "1", K[0], torch.ones(4), MOMENT), "choose one of 0"),
    "no matrix": (lambda: matrix(MODEL, "decoder.1"), "choose a Linear"),
    "rank": (lambda: context(K, MOMENT, 6), "give one from 1 to 5"),
    "no rank": (lambda: context(K, MOMENT, 0), "give one from 1 to 5"),
    "goal": (lambda: rewrite(SMALL, "0", K, torch.ones(3, 3), context(K, MOMENT)), "give"),
    "never called": (lambda: keys(MODEL, "encoder.1", lambda model: model.decode(torch.zeros(1, 3))), "run what"),
    "no weights": (lambda: glitched(MODEL, Glitch(layers=("decoder.1",))), "choose one of [^\n]*decoder.0"),
    "no layer": (lambda: glitched(MODEL, Glitch(layers=("decoder.77",))), "decoder.77[^\n]*did you mean"),
    "glitch": (lambda: Glitch("break"), "choose one of"),
    "over 1": (lambda: Glitch(share=1.5), "give a share"),
    "no share": (lambda: Glitch(share=float("nan")), "give a share"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_means_nothing_or_does_not_fit_is_refused_in_one_sentence(case: str) -> None:
    attempt, words = WRONG[case]
    with pytest.raises(ValueError, match=f"^[^\n]*{words}[^\n]*$"):
        attempt()
