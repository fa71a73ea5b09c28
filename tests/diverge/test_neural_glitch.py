"""Weights altered by chance, and put back."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.diverge import Glitch, glitch, glitched
from toolkit.diverge.neural_glitch import KINDS
from toolkit.models import MODELS

EVERY = pytest.mark.parametrize("name", sorted(MODELS))
KIND = pytest.mark.parametrize("kind", sorted(KINDS))
Make = Callable[..., Any]


def layer(rows: int = 6, columns: int = 5) -> nn.Sequential:
    """A layer whose weights are 1, 2, 3, ..., row by row."""
    model = nn.Sequential(nn.Linear(columns, rows))
    model[0].weight.data.copy_(torch.arange(1.0, rows * columns + 1).view(rows, columns))
    return model.requires_grad_(False)


def weights(kind: str, share: float, **options: Any) -> Tensor:
    return glitched(layer(), Glitch(kind, share, **options))[0].weight


@EVERY
@KIND
def test_a_share_of_0_changes_nothing_and_one_of_a_half_does(name: str, kind: str, tiny: Make, same: Make) -> None:
    model = tiny(name)
    assert same(glitched(model, Glitch(kind, 0.0)), model) and not same(glitched(model, Glitch(kind, 0.5)), model)
    assert same(model, tiny(name))


@EVERY
@KIND
def test_a_glitch_is_undone_bit_for_bit_where_its_block_ends(name: str, kind: str, tiny: Make, same: Make) -> None:
    model = tiny(name)
    with glitch(model, Glitch(kind, 0.5)) as altered:
        assert altered is model and same(model, glitched(tiny(name), Glitch(kind, 0.5)))
        with suppress(KeyError), glitch(model, Glitch("scale", 0.5)):
            raise KeyError
        assert same(model, glitched(tiny(name), Glitch(kind, 0.5)))
    assert same(model, tiny(name))


@KIND
def test_a_seed_says_what_happens(kind: str) -> None:
    assert torch.equal(weights(kind, 0.4, seed=1), weights(kind, 0.4, seed=1))
    assert len({tuple(weights(kind, 0.4, seed=seed).flatten().tolist()) for seed in range(8)}) > 3


def test_single_weights_are_altered_as_many_as_the_share_says() -> None:
    before = layer()[0].weight
    for kind, change in (("zero", 0 * before), ("flip", -before), ("scale", 7 * before)):
        after = weights(kind, 0.2, factor=7.0)
        moved = after != before
        assert moved.sum() == 6 and torch.equal(after[moved], change[moved])
    assert (weights("resample", 0.2) != before).sum() == 6


def test_a_larger_share_holds_a_smaller_one_and_at_least_one_is_altered() -> None:
    off = [(weights("zero", share) == 0) for share in (0.001, 0.1, 0.5, 1.0)]
    assert [int(each.sum()) for each in off] == [1, 3, 15, 30]
    assert all((more | less).equal(more) for less, more in pairwise(off))


def test_resampled_weights_have_the_mean_and_deviation_of_the_layer() -> None:
    model = nn.Sequential(nn.Linear(100, 100))
    model[0].weight.data.normal_(3.0, 0.5)
    after = glitched(model, Glitch("resample", 1.0))[0].weight
    assert after.mean().item() == pytest.approx(3.0, abs=0.03) and after.std().item() == pytest.approx(0.5, abs=0.02)


def test_filters_swap_whole_and_none_is_lost() -> None:
    before, after = layer()[0].weight, weights("swap", 0.5)
    moved = (after != before).any(1)
    assert moved.sum() == 3 and sorted(after.tolist()) == sorted(before.tolist())
    assert (weights("swap", 0.01) != before).any(1).sum() == 2


def test_a_duplicate_overwrites_another_filter() -> None:
    before, after = layer()[0].weight, weights("duplicate", 0.5)
    rows = before.tolist()
    assert (after != before).any(1).sum() == 3 and all(row in rows for row in after.tolist())


def test_a_shuffled_filter_keeps_its_own_weights() -> None:
    before, after = layer()[0].weight, weights("shuffle", 1.0)
    assert (after != before).any(1).all() and torch.equal(after.sort(1).values, before)


def test_a_filter_of_a_transposed_convolution_is_what_makes_one_channel() -> None:
    model = nn.Sequential(nn.ConvTranspose2d(2, 6, 3)).requires_grad_(False)
    before, after = model[0].weight, glitched(model, Glitch("swap", 0.5))[0].weight
    assert (after != before).flatten(2).any(2).all(0).sum() == 3 and not torch.equal(after, before)
    assert sorted(after.transpose(0, 1).flatten(1).tolist()) == sorted(before.transpose(0, 1).flatten(1).tolist())


def test_only_the_layers_that_are_named_are_altered_and_each_in_its_own_way(tiny: Make) -> None:
    after, before = (model.state_dict() for model in (glitched(tiny("VAE"), HOW), tiny("VAE")))
    assert {key for key in after if not torch.equal(after[key], before[key])} == {"decoder.3.weight"}


HOW = Glitch("flip", 0.5, layers=("decoder.3",))


def test_what_has_no_weights_or_means_nothing_is_refused(tiny: Make) -> None:
    for name, said in (("decoder.1", "decoder.0"), ("decoder.77", "decoder.0")):
        with pytest.raises(ValueError, match=f"^[^\n]*{name}[^\n]*: choose one of [^\n]*{said}[^\n]*$"):
            glitched(tiny("VAE"), Glitch(layers=(name,)))
    for options in ({"kind": "break"}, {"share": 1.5}, {"share": -0.1}, {"share": float("nan")}):
        with pytest.raises(ValueError, match="^[^\n]+: (give|choose) [^\n]+$"):
            Glitch(**options)  # type: ignore[arg-type]
