"""Models between and beyond two others."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from toolkit.diverge import along, blend, levels, mix, ramp, recalibrate, swap
from toolkit.diverge.network_blending import count
from toolkit.models import MODELS
from toolkit.seeds import Noise

EVERY = pytest.mark.parametrize("name", sorted(MODELS))
Make = Callable[..., Any]


@EVERY
def test_weight_0_is_the_parent_and_1_the_child_exactly(name: str, tiny: Make, same: Make) -> None:
    parent, child = tiny(name), tiny(name, seed=1)
    assert same(blend(parent, child, 0), parent) and same(blend(parent, child, 1), child)


@EVERY
def test_a_blend_is_a_new_model_that_rests_and_leaves_both_as_they_were(name: str, tiny: Make, same: Make) -> None:
    parent, child = tiny(name), tiny(name, seed=1)
    blended = blend(parent, child, 0.5)
    assert same(parent, tiny(name)) and same(child, tiny(name, seed=1)) and not same(blended, parent)
    assert not any(p.requires_grad for p in blended.parameters()) and not any(m.training for m in blended.modules())


@pytest.mark.parametrize("weight", [-0.5, 0.25, 2.0])
def test_weights_lie_on_the_line_between_and_beyond(weight: float, tiny: Make) -> None:
    parent, child = tiny("VAE"), tiny("VAE", seed=1)
    for a, b, c in zip(*(model.parameters() for model in (parent, child, blend(parent, child, weight))), strict=True):
        torch.testing.assert_close(c, (1 - weight) * a + weight * b)


@EVERY
def test_a_swap_takes_the_parent_up_to_a_depth_and_the_child_from_there(name: str, tiny: Make, same: Make) -> None:
    parent, child = tiny(name), tiny(name, seed=1)
    swapped, depth = swap(parent, child, 2).state_dict(), levels(parent)
    for key, weight in swapped.items():
        assert torch.equal(weight, (parent if depth[key] < 2 else child).state_dict()[key])
    assert same(swap(parent, child, 0), child) and same(swap(parent, child, count(parent)), parent)


def test_what_normalises_belongs_to_the_weights_before_it(tiny: Make) -> None:
    depth = levels(tiny("DCGAN"))
    assert depth["generator.0.weight"] == depth["generator.1.weight"] == depth["generator.1.running_var"] == 0
    assert depth["generator.3.weight"] == 1 and sorted(set(depth.values())) == list(range(count(tiny("DCGAN"))))
    assert depth["generator.1.num_batches_tracked"] == 0


def test_every_level_has_a_weight_of_its_own(tiny: Make) -> None:
    parent, child = tiny("WTA"), tiny("WTA", seed=1)
    weights = [0.1 * level for level in range(count(parent))]
    for key, weight in blend(parent, child, weights).state_dict().items():
        a, b, share = parent.state_dict()[key], child.state_dict()[key], weights[levels(parent)[key]]
        torch.testing.assert_close(weight, (1 - share) * a + share * b)


def test_a_ramp_rises_through_its_middle_and_is_a_swap_if_it_has_no_width() -> None:
    weights = ramp(6, 3.0, 2.0, high=2.0)
    assert weights == sorted(weights) and weights[2] + weights[3] == pytest.approx(2.0)
    assert ramp(6, 2.0, 0.0) == [0, 0, 1, 1, 1, 1] and ramp(1, 0.5, 0.1) == [0.5]
    low, high = ramp(2, 1.0, 1.0)  # half a level from the middle: one width apart
    assert (low, high) == pytest.approx((0.119, 0.881), abs=1e-3)


def test_whole_numbers_along_a_run_are_its_models_and_beyond_the_last_the_line_goes_on(tiny: Make, same: Make) -> None:
    run = [tiny("Manifold", seed=seed) for seed in range(3)]
    assert all(same(along(run, place), model) for place, model in enumerate(run, 1))
    assert same(along(run, 1.25), blend(run[0], run[1], 0.25)) and same(along(run, 2.5), blend(run[1], run[2], 0.5))
    assert same(along(run, 5), blend(run[1], run[2], 3)) and same(along(run, 0), blend(run[0], run[1], -1))


def test_a_variance_never_falls_under_that_of_parent_and_child(tiny: Make) -> None:
    parent, child = tiny("DCGAN"), tiny("DCGAN", seed=1)
    child.get_submodule("generator.1").running_var.fill_(0.1)
    beyond, before = blend(parent, child, 3.0), blend(parent, child, -1.0)
    assert (beyond.get_submodule("generator.1").running_var == 0.1).all()
    assert (before.get_submodule("generator.1").running_var == 1.9).all()
    assert beyond.sample(Noise([0])).isfinite().all()


def test_pictures_of_two_models_are_mixed_exactly_at_both_ends() -> None:
    x = torch.rand(2, 1, 3, 3)
    dark, light = lambda x: x / 2, lambda x: 1 - x / 4
    assert torch.equal(mix(dark, light, 0)(x), dark(x)) and torch.equal(mix(dark, light, 1)(x), light(x))
    torch.testing.assert_close(mix(dark, light, 0.25)(x), 0.75 * dark(x) + 0.25 * light(x))
    assert mix(dark, light, 9.0)(x).max() <= 1


class Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used(x)


def test_batch_statistics_become_those_of_the_images_averaged_over_batches() -> None:
    model, batches = Norm(), [torch.randn(50, 2) * 3 + 5, torch.randn(20, 2)]
    measured = recalibrate(model, batches)
    torch.testing.assert_close(measured.used.running_mean, (batches[0].mean(0) + batches[1].mean(0)) / 2)
    torch.testing.assert_close(measured.used.running_var, (batches[0].var(0) + batches[1].var(0)) / 2)
    assert not measured.training and not measured.used.training and measured.used.momentum == model.used.momentum


def test_a_layer_that_images_do_not_pass_keeps_its_statistics() -> None:
    model = Norm()
    model.unused.running_mean.fill_(7)
    model.unused.num_batches_tracked.fill_(3)
    measured = recalibrate(model, [torch.randn(9, 2)]).unused
    assert (measured.running_mean == 7).all() and measured.num_batches_tracked == 3
    assert not model.used.running_mean.any()  # the one given is as it was


def test_a_generator_is_recalibrated_by_its_codes_and_draws_what_a_batch_would(tiny: Make, same: Make) -> None:
    model, z = tiny("DCGAN"), Noise(range(40)).randn(3)
    measured = recalibrate(model, [z], lambda model, z: model.decode(z))
    h = measured.generator[:2](z[:, :, None, None])
    torch.testing.assert_close(h.mean((0, 2, 3)), measured.generator[1].bias, atol=1e-4, rtol=0)
    assert same(tiny("VAE"), recalibrate(tiny("VAE"), [torch.rand(4, 1, 16, 16)]))


def test_models_that_do_not_fit_are_refused_with_the_first_tensor_that_differs(tiny: Make) -> None:
    from toolkit.models import create

    wide = create("WTA", {"filters": 5, "size": 16, "depth": 2})
    with pytest.raises(ValueError, match=r"^[^\n]*: encoder.0.weight is \(4, [^\n]* and \(5, [^\n]*$"):
        blend(tiny("WTA"), wide, 0.5)
    deep = create("WTA", {"filters": 4, "size": 16, "depth": 3})
    with pytest.raises(ValueError, match=r"^[^\n]*decoder.2.weight is \(4, 1, 5, 5\) in the one and \(4, 4[^\n]*$"):
        blend(tiny("WTA"), deep, 0.5)
    with pytest.raises(ValueError, match="^a WTA and a ConvAE do not blend: give [^\n]+$"):
        blend(tiny("WTA"), tiny("ConvAE"), 0.5)


def test_what_means_nothing_is_refused_in_one_sentence(tiny: Make) -> None:
    model = tiny("VAE")
    for attempt in (
        lambda: blend(model, model, [0.5]),
        lambda: blend(model, model, float("nan")),
        lambda: swap(model, model, -1),
        lambda: swap(model, model, 99),
        lambda: ramp(3, 1.0, -1.0),
        lambda: along([model], 1),
        lambda: along([model, model], float("inf")),
        lambda: recalibrate(tiny("DCGAN"), []),
        lambda: recalibrate(Norm(), [torch.randn(5, 2), torch.randn(1, 2)]),
    ):
        with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
            attempt()
