"""Network bending: edits of a layer, on every registered model."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.diverge import TRANSFORMS, Edit, bend, clusters, edits, layers
from toolkit.models import MODELS
from toolkit.samplers import iterate, settle
from toolkit.seeds import Noise

EVERY = pytest.mark.parametrize("name", sorted(MODELS))
LAYER = {"WTA": "decoder.1", "ConvAE": "encoder.3", "VAE": "decoder.1", "ConvVAE": "decoder.7", "DCGAN": "generator.2",
         "Manifold": "net.1", "Judge": "body.1"}  # fmt: skip
UNITS = ("VAE", "Manifold")  # have no maps
PAIRS = pytest.mark.parametrize(
    ("name", "transform"),
    [(name, way) for name in LAYER for way, kind in TRANSFORMS.items() if not (kind.maps and name in UNITS)],
)
Make = Callable[..., Any]


class Pair(nn.Module):
    """Two layers, the first of which doubles and the second of which adds one."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.more = nn.Linear(4, 4), nn.Linear(4, 4)
        for part, scale, shift in ((self.twice, 2.0, 0.0), (self.more, 1.0, 1.0)):
            part.weight.data.copy_(scale * torch.eye(4))
            part.bias.data.fill_(shift)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.more(self.twice(x))


X = torch.tensor([[1.0, 2.0, 3.0, 4.0]])


def bent(*chain: Edit, x: Tensor = X, **options: Any) -> list[float]:
    with bend(Pair(), chain, **options) as model:
        return model(x)[0].tolist()


@EVERY
def test_the_neutral_element_of_every_transform_is_bit_equal(name: str, tiny: Make, output: Make) -> None:
    model, before = tiny(name), output(tiny(name))
    for transform, kind in TRANSFORMS.items():
        none = [Edit(LAYER[name], transform, strength=0.0), Edit(LAYER[name], transform, channels="random", share=0.0)]
        none += [Edit(LAYER[name], transform, kind.neutral)] if kind.neutral is not None else []
        with bend(model, none, seeds=range(6)):
            assert torch.equal(output(model), before)


@PAIRS
def test_every_transform_bends_every_model_and_leaves_it_as_it_was(
    name: str, transform: str, tiny: Make, output: Make, same: Make
) -> None:
    model, before = tiny(name), output(tiny(name))
    with bend(model, Edit(LAYER[name], transform), seeds=range(6)):
        assert not torch.equal(output(model), before)
    assert torch.equal(output(model), before) and same(model, tiny(name))
    assert not any(module._forward_hooks for module in model.modules())


@PAIRS
def test_a_bent_image_does_not_depend_on_its_neighbours(name: str, transform: str, tiny: Make, output: Make) -> None:
    edit = Edit(LAYER[name], transform, strength=0.5, channels="random")
    with bend(tiny(name), edit, seeds=range(6)) as model:
        together = output(model)
    with bend(tiny(name), edit, seeds=[4]) as model:
        torch.testing.assert_close(output(model, [4])[0], together[4], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["WTA", "ConvAE"])
def test_a_model_with_a_fast_path_computes_what_its_dense_one_says_and_finds_back(name: str, tiny: Make) -> None:
    model, x = tiny(name), Noise(range(3)).rand(1, 16, 16)
    edit = Edit("encoder.1", "multiply", 0.0)  # no code is left
    with bend(model, edit):
        assert torch.equal(model(x), model.dense(x)) and torch.equal(model(x)[0], model(x)[1])
    assert "forward" not in vars(model) and not torch.equal(model(x)[0], model(x)[1])


def test_edits_act_in_their_order_and_blocks_nest() -> None:
    times, plus = Edit("twice", "multiply", 3.0), Edit("twice", "invert", relative=False)  # h -> 1 - h
    assert bent(times, plus) == [1 - 6 + 1, 1 - 12 + 1, 1 - 18 + 1, 1 - 24 + 1]
    assert bent(plus, times) == [3 * (1 - 2) + 1, 3 * (1 - 4) + 1, 3 * (1 - 6) + 1, 3 * (1 - 8) + 1]
    model = Pair()
    with bend(model, times):
        with bend(model, plus):
            assert model(X)[0].tolist() == bent(times, plus)
        assert model(X)[0].tolist() == [7, 13, 19, 25]
    assert model(X)[0].tolist() == [3, 5, 7, 9]


def test_nested_blocks_keep_a_fast_path_away_until_the_last_one_ends(tiny: Make) -> None:
    model, x = tiny("WTA"), Noise(range(3)).rand(1, 16, 16)
    with bend(model, Edit("decoder.1", "ablate")):
        outer = model(x)
        with bend(model, Edit("decoder.0", "ablate")):
            pass
        assert torch.equal(model(x), outer)
    assert "forward" not in vars(model)


def test_an_edit_ends_with_its_block_also_after_an_error(tiny: Make) -> None:
    model, x = tiny("WTA"), Noise(range(2)).rand(1, 16, 16)
    before = model(x)
    with suppress(KeyError), bend(model, Edit("decoder.1", "ablate")):
        raise KeyError
    assert torch.equal(model(x), before) and "forward" not in vars(model)


def test_a_layer_may_be_given_itself() -> None:
    model = Pair()
    with bend(model, Edit(model.twice, "ablate")):
        assert model(X)[0].tolist() == [1, 1, 1, 1]


def test_a_part_of_the_strength_goes_a_part_of_the_way() -> None:
    assert bent(Edit("twice", "ablate", strength=0.25)) == [2.5, 4, 5.5, 7]


def test_units_are_relative_to_the_image_unless_asked_otherwise() -> None:
    assert bent(Edit("twice", "threshold", 0.5)) == [1, 1, 9, 9]  # the peak is 8
    assert bent(Edit("twice", "threshold", 5.0, relative=False)) == [1, 1, 2, 2]
    assert bent(Edit("twice", "invert")) == [7, 5, 3, 1]


def test_a_share_of_the_channels_is_drawn_by_the_seed_and_a_larger_one_holds_it() -> None:
    def off(share: float, seed: int = 0) -> set[int]:
        edit = Edit("twice", "ablate", channels="random", share=share, seed=seed)
        return {place for place, value in enumerate(bent(edit)) if value == 1}

    assert [len(off(share)) for share in (0.01, 0.5, 0.75, 1.0)] == [1, 2, 3, 4]
    assert off(0.01) < off(0.5) < off(0.75) and len({frozenset(off(0.5, seed)) for seed in range(20)}) > 3


def test_a_cluster_is_bent_and_nothing_else() -> None:
    labels = torch.tensor([1, 0, 1, 2])
    edit = Edit("twice", "ablate", channels="cluster", cluster=1)
    assert bent(edit, clusters={"twice": labels}) == [1, 5, 1, 9]


def test_clusters_found_on_a_layer_fit_its_edits(tiny: Make, output: Make) -> None:
    model = tiny("DCGAN")
    labels = clusters(model, "generator.2", output, 3)
    with bend(model, Edit("generator.2", "ablate", channels="cluster"), clusters={"generator.2": labels}):
        assert not torch.equal(output(model), output(tiny("DCGAN")))


def test_noise_belongs_to_the_seed_and_is_the_same_in_every_pass() -> None:
    edit, x = Edit("twice", "noise", relative=False), torch.zeros(3, 4)
    with bend(Pair(), edit, seeds=[5, 6, 5]) as model:
        first, again = model(x), model(x)
    assert torch.equal(first, again) and torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    assert bent(edit, seeds=[5]) != bent(Edit("twice", "noise", relative=False, seed=1), seeds=[5])


def test_noise_without_seeds_is_the_same_for_all_images_of_any_batch() -> None:
    with bend(Pair(), Edit("twice", "noise", relative=False)) as model:
        assert torch.equal(model(torch.zeros(3, 4)), model(torch.zeros(1, 4)).expand(3, -1))


def test_relative_noise_has_the_deviation_of_the_layer() -> None:
    x = 5 * Noise(range(500)).randn(4)
    with bend(Pair(), Edit("twice", "noise"), seeds=range(500)) as model:
        added = model(x) - 1 - 2 * x
    each = (2 * x).std(1, correction=0)
    assert (added.std(1, correction=0) / each).mean().item() == pytest.approx(0.8, abs=0.05)  # of four values each


def test_samplers_run_on_a_bent_model(tiny: Make) -> None:
    model, x = tiny("WTA"), Noise(range(4)).rand(1, 16, 16)
    with bend(model, Edit("decoder.1", "rotate", 20.0)):
        settled = list(settle(model.reconstruct, x, limit=3))
        for state, expected in zip(settled, iterate(model.reconstruct, x), strict=False):
            torch.testing.assert_close(state, expected.clamp(0, 1), atol=1e-4, rtol=0)


def test_a_chain_survives_json() -> None:
    chain = [{"layer": "twice", "transform": "multiply", "amount": 3}, {"layer": "more", "transform": "ablate",
              "channels": "random", "share": 0.5, "seed": 4}]  # fmt: skip
    expected = [Edit("twice", "multiply", 3), Edit("more", "ablate", channels="random", share=0.5, seed=4)]
    assert edits(json.dumps(chain)) == edits(chain) == expected
    assert edits('[{"layer": "a", "transform": "translate", "amount": [0.1, 0]}]')[0].amounts == (0.1, 0)


@pytest.mark.parametrize(
    "chain",
    ["{", "3", '{"layer": "a"}', "[3]", '[{"transform": "ablate"}]', '[{"layer": "a", "transform": "ablate", "x": 1}]',
     '[{"layer": "a", "transform": "bow"}]', '[{"layer": "a", "transform": "rotate", "amount": "far"}]'],
)  # fmt: skip
def test_a_chain_that_is_none_is_refused_in_one_sentence(chain: str) -> None:
    with pytest.raises(ValueError, match="^[^\n]+$"):
        edits(chain)


@pytest.mark.parametrize(
    "options",
    [{"amount": (1.0, 2.0)}, {"amount": float("nan")}, {"strength": 1.5}, {"share": -0.1}, {"channels": "some"}],
    ids=str,
)
def test_an_edit_that_means_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: (choose|give) [^\n]+$"):
        Edit("a", "rotate", **options)
    with pytest.raises(ValueError, match="^amount [^\n]+: give no amount$"):
        Edit("a", "ablate", 1.0)


@pytest.mark.parametrize("which", ["decoder.9", "", nn.ReLU()], ids=str)
def test_a_layer_that_there_is_not_is_refused_with_those_there_are(which: Any, tiny: Make) -> None:
    model = tiny("WTA")
    with (
        pytest.raises(ValueError, match="^WTA has no layer [^\n]*encoder.0, encoder.1[^\n]*decoder.0[^\n]*$"),
        bend(model, Edit(which, "ablate")),
    ):
        pass
    assert next(iter(layers(model))) == "encoder.0" and "decoder" not in layers(model)


def test_what_does_not_fit_a_layer_is_refused_in_one_sentence() -> None:
    for edit, options in (
        (Edit("twice", "rotate"), {}),
        (Edit("twice", "noise"), {"seeds": [1, 2]}),
        (Edit("twice", "ablate", channels="cluster", cluster=7), {"clusters": {"twice": torch.zeros(4)}}),
        (Edit("twice", "ablate", channels="cluster"), {}),
        (Edit("twice", "ablate", channels="cluster"), {"clusters": {"twice": torch.zeros(3)}}),
    ):
        with pytest.raises(ValueError, match="^[^\n]+$"):
            bent(edit, **options)
