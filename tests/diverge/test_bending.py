"""Transforms on maps whose answer is known, edits of layers, clusters of channels."""

import json
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.tiny import draw, make
from toolkit.diverge import TRANSFORMS, Edit, bend, clusters, edits, k_means
from toolkit.seeds import Noise

ONE = torch.ones(1, 1, 1, 1)


def maps(height: int = 6, width: int = 6) -> Tensor:
    return torch.randn(3, 4, height, width, generator=torch.Generator().manual_seed(0))


def done(name: str, h: Tensor, *amount: float, unit: Tensor = ONE) -> Tensor:
    return TRANSFORMS[name].apply(h, amount, unit)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_a_transform_keeps_the_shape_and_treats_every_image_by_itself(name: str) -> None:
    kind = TRANSFORMS[name]
    bent = done(name, maps(), *kind.usual)
    assert bent.shape == maps().shape and not torch.equal(bent, maps())
    assert torch.equal(done(name, maps()[1:2], *kind.usual)[0], bent[1])
    assert done(name, maps()[:0], *kind.usual).shape == (0, 4, 6, 6)
    if kind.neutral is not None:
        torch.testing.assert_close(done(name, maps(), *kind.neutral), maps(), atol=1e-5, rtol=0)


def test_rotation_is_anticlockwise_and_keeps_angles_where_maps_are_not_square() -> None:
    torch.testing.assert_close(done("rotate", maps(), 90.0), maps().rot90(1, (2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(done("rotate", maps(4, 6), 180.0), maps(4, 6).flip(2, 3), atol=1e-5, rtol=0)
    turned = done("rotate", maps(4, 8), 90.0)
    torch.testing.assert_close(turned[..., 2:6], maps(4, 8)[..., 2:6].rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_translation_is_by_shares_to_the_right_and_down_and_zeros_come_in() -> None:
    moved = done("translate", maps(4, 8), 0.25, 0.5)
    torch.testing.assert_close(moved[..., 2:, 2:], maps(4, 8)[..., :2, :6], atol=1e-5, rtol=0)
    assert not moved[..., :2, :].any() and not moved[..., :2].any()


def test_scaling_leaves_zeros_around_or_shows_the_middle() -> None:
    small, large = done("scale", torch.ones(1, 1, 8, 8), 0.5), done("scale", maps(8, 8), 2.0)
    assert torch.equal(small[0, 0, 2:6, 2:6], torch.ones(4, 4)) and small.sum() == 16
    torch.testing.assert_close(large[..., 3:5, 3:5].mean((2, 3)), maps(8, 8)[..., 3:5, 3:5].mean((2, 3)))


def test_dilation_and_erosion_are_maximum_and_minimum_and_edges_do_not_count() -> None:
    h = torch.zeros(1, 1, 7, 7)
    h[0, 0, 3, 2] = 5.0
    wide = done("dilate", h, 2.0)
    assert wide[0, 0, 1:6, 0:5].eq(5).all() and wide.sum() == 5 * 25 and not done("erode", h, 1.0).any()
    assert torch.equal(done("erode", wide, 2.0)[0, 0, 3], torch.tensor([5.0, 5.0, 5.0, 0, 0, 0, 0]))
    ones = torch.ones(1, 1, 5, 5)
    assert torch.equal(done("erode", ones, 1.0), ones) and torch.equal(done("dilate", -ones, 1.0), -ones)


def test_thresholds_inversions_products_noise_and_ablation_count_in_units() -> None:
    h, unit = torch.tensor([[0.0, 1.0, 3.0, 4.0]]), torch.tensor([[4.0]])
    assert done("threshold", h, 0.5, unit=unit).tolist() == [[0, 0, 4, 4]]
    assert done("threshold", h, 0.75, unit=unit).tolist() == [[0, 0, 0, 4]]
    assert done("invert", h, unit=unit).tolist() == [[4, 3, 1, 0]]
    assert done("multiply", h, -3.0).tolist() == [[0, -3, -9, -12]] and not done("ablate", h).any()
    assert done("noise", h, 2.0, unit=torch.tensor([[0.5, 1, 0, 0]])).tolist() == [[1, 3, 3, 4]]


# ---- edits


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


def test_edits_act_in_their_order_and_blocks_nest() -> None:
    times, plus = Edit("twice", "multiply", 3.0), Edit("twice", "invert", relative=False)  # h -> 1 - h
    assert bent(times, plus) == [1 - 6 + 1, 1 - 12 + 1, 1 - 18 + 1, 1 - 24 + 1]
    assert bent(plus, times) == [3 * (1 - 2) + 1, 3 * (1 - 4) + 1, 3 * (1 - 6) + 1, 3 * (1 - 8) + 1]
    model = Pair()
    with bend(model, times):
        with bend(model, plus):
            assert model(X)[0].tolist() == bent(times, plus)
        assert model(X)[0].tolist() == [7, 13, 19, 25]
    with bend(model, Edit(model.twice, "ablate")):  # a layer may be given itself
        assert model(X)[0].tolist() == [1, 1, 1, 1]
    assert model(X)[0].tolist() == [3, 5, 7, 9]


@pytest.mark.parametrize("name", ["WTA", "ConvAE"])
def test_a_model_with_a_fast_path_computes_its_dense_one_until_the_last_block_ends(name: str) -> None:
    model, x = make(name), Noise(range(3)).rand(1, 16, 16)
    before = model(x)
    with suppress(KeyError), bend(model, Edit("encoder.1", "multiply", 0.0)):  # no code is left
        outer = model(x)
        with bend(model, Edit("decoder.0", "ablate")):
            pass
        assert torch.equal(model(x), outer) and torch.equal(outer, model.dense(x)) and torch.equal(outer[0], outer[1])
        raise KeyError
    assert "forward" not in vars(model) and torch.equal(model(x), before)


def test_strength_interpolates_and_units_are_relative_to_the_image_unless_asked_otherwise() -> None:
    assert bent(Edit("twice", "ablate", strength=0.25)) == [2.5, 4, 5.5, 7]
    assert bent(Edit("twice", "threshold", 0.5)) == [1, 1, 9, 9]  # the peak is 8
    assert bent(Edit("twice", "threshold", 5.0, relative=False)) == [1, 1, 2, 2]
    assert bent(Edit("twice", "invert")) == [7, 5, 3, 1]


def test_random_channels_are_drawn_by_the_seed_and_a_larger_share_contains_a_smaller() -> None:
    def off(share: float, seed: int = 0) -> set[int]:
        edit = Edit("twice", "ablate", channels="random", share=share, seed=seed)
        return {place for place, value in enumerate(bent(edit)) if value == 1}

    assert [len(off(share)) for share in (0.01, 0.5, 0.75, 1.0)] == [1, 2, 3, 4]
    assert off(0.01) < off(0.5) < off(0.75) and len({frozenset(off(0.5, seed)) for seed in range(20)}) > 3


def test_a_cluster_is_bent_and_nothing_else() -> None:
    edit = Edit("twice", "ablate", channels="cluster", cluster=1)
    assert bent(edit, clusters={"twice": torch.tensor([1, 0, 1, 2])}) == [1, 5, 1, 9]
    model, before = make("DCGAN"), draw(make("DCGAN"))
    labels = clusters(model, "generator.2", draw, 3)
    with bend(model, Edit("generator.2", "ablate", channels="cluster"), clusters={"generator.2": labels}):
        assert not torch.equal(draw(model), before)


def test_noise_belongs_to_the_seed_and_without_seeds_to_all_images_alike() -> None:
    edit, x = Edit("twice", "noise", relative=False), torch.zeros(3, 4)
    with bend(Pair(), edit, seeds=[5, 6, 5]) as model:
        first, again = model(x), model(x)
    assert torch.equal(first, again) and torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    assert bent(edit, seeds=[5]) != bent(Edit("twice", "noise", relative=False, seed=1), seeds=[5])
    with bend(Pair(), edit) as model:
        assert torch.equal(model(x), model(x[:1]).expand(3, -1))


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


WRONG: dict[str, tuple[Any, str]] = {
    "two amounts": (lambda: Edit("a", "rotate", (1.0, 2.0)), "give 1 finite number"),
    "no number": (lambda: Edit("a", "rotate", float("nan")), "give 1 finite number"),
    "an amount": (lambda: Edit("a", "ablate", 1.0), "give no amount"),
    "strength": (lambda: Edit("a", "rotate", strength=1.5), "give numbers"),
    "share": (lambda: Edit("a", "rotate", share=-0.1), "give numbers"),
    "channels": (lambda: Edit("a", "rotate", channels="some"), "choose one"),
    "scale 0": (lambda: done("scale", maps(), 0.0), "give a factor"),
    "half a position": (lambda: done("dilate", maps(), 0.5), "give a whole"),
    "radius": (lambda: done("erode", maps(), -1.0), "give a whole"),
    "maps": (lambda: bent(Edit("twice", "rotate")), "choose one of threshold"),
    "seeds": (lambda: bent(Edit("twice", "noise"), seeds=[1, 2]), "give one for each"),
    "no clusters": (lambda: bent(Edit("twice", "ablate", channels="cluster")), "give clusters"),
    "cluster": (lambda: bent(Edit("twice", "ablate", channels="cluster", cluster=7),
                             clusters={"twice": torch.zeros(4)}), "give clusters"),
    "clusters": (lambda: bent(Edit("twice", "ablate", channels="cluster"), clusters={"twice": torch.zeros(3)}),
                 "4 channels and 3"),
    "layer": (lambda: bent(Edit("thrice", "ablate")), "Pair has no layer 'thrice': choose one of twice, more"),
    "no layer": (lambda: bent(Edit("", "ablate")), "choose one of"),
    "another's layer": (lambda: bent(Edit(nn.ReLU(), "ablate")), "Pair has no layer ReLU"),
    "no cluster": (lambda: k_means(maps().flatten(1), 0), "give a number of clusters from 1 to 3"),
    "four clusters of three": (lambda: k_means(maps().flatten(1), 4), "give a number of clusters from 1 to 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_means_nothing_is_refused_in_one_sentence(case: str) -> None:
    attempt, words = WRONG[case]
    with pytest.raises(ValueError, match=f"^[^\n]*{words}[^\n]*$"):
        attempt()


# ---- clusters


def crowds() -> Tensor:
    """Three crowds of five points, far from each other, taking turns."""
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    return centres.repeat(5, 1) + 0.3 * torch.randn(15, 2, generator=torch.Generator().manual_seed(0))


def test_crowds_are_found_by_every_seed_and_numbered_by_their_first_member() -> None:
    assert all(k_means(crowds(), 3, seed=seed).tolist() == [0, 1, 2] * 5 for seed in range(5))
    assert k_means(crowds(), 1).tolist() == [0] * 15 and k_means(crowds(), 15).tolist() == list(range(15))
    assert set(k_means(torch.zeros(4, 2), 3).tolist()) <= {0, 1, 2}  # equal rows are no reason to fail


def test_clusters_follow_from_the_seed_and_every_row_is_nearest_to_its_own_centre() -> None:
    x = torch.rand(60, 2, generator=torch.Generator().manual_seed(2)).double()
    labels = k_means(x, 4, seed=3)
    assert torch.equal(labels, k_means(x, 4, seed=3))
    assert len({tuple(k_means(x, 5, seed=seed).tolist()) for seed in range(10)}) > 1
    centres = torch.stack([x[labels == label].mean(0) for label in range(4)])
    assert torch.equal(torch.cdist(x, centres).argmin(1), labels)


def test_channels_that_act_alike_are_together_however_strong_they_are() -> None:
    layer, generator = nn.Sequential(nn.Identity()), torch.Generator().manual_seed(0)
    h = torch.rand(5, 1, 4, 4, generator=generator)
    h = torch.cat([h, 3 * h, 1 - h, h + 2, 2 - 2 * h], 1)
    assert clusters(layer, "0", lambda model: model(h), 2).tolist() == [0, 0, 1, 0, 1]
    z = torch.rand(30, 1, generator=generator)
    z = torch.cat([z, -z, 2 * z + 1, -z / 2], 1)
    assert clusters(layer, "0", lambda model: model(z), 2).tolist() == [0, 1, 0, 1]
