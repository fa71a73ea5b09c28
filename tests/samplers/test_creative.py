"""Creative decoding, on a decoder of twelve neurons whose habits are known."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import create
from toolkit.samplers import Creative, Statistics, activation_statistics, codes, creative_decode, hooked, layer_quantile
from toolkit.samplers.creative import (
    METHODS,
    at_seam,
    band_of,
    between,
    decode_alone,
    decode_from,
    hidden_activations,
    hidden_layer,
    procrustes,
    pruned,
    splice,
    strongest,
)
from toolkit.seeds import Noise

SEEDS = range(8)
EVERY = pytest.mark.parametrize("method", METHODS)
SWITCHING = pytest.mark.parametrize("method", ["low-active", "random"])
OPTIONS: list[dict[str, Any]] = [
    {"value": "layer"}, {"value": "peak"}, {"grouping": "group"}, {"grouping": "none"}, {"absolute": True},
    {"percentiles": "rank"}, {"rectify": True}, {"deviations": 0.0}, {"fill": "typical"}, {"dead": "kept"},
]  # fmt: skip


class Ladder(nn.Module):
    """Codes of one number z in [0, 1); neuron k is on, as z - k / 12, for z over k / 12. Its picture is the neurons'.

    So neuron 0 always fires, neuron 11 for the highest twelfth of the codes only.
    """

    code_shape = (1,)

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.hidden = [self.relu]

    def decode(self, z: Tensor) -> Tensor:
        return self.relu(z - torch.arange(12) / 12)[:, None, :, None]


def even() -> list[Tensor]:
    """Codes that cover [0, 1) evenly, in two chunks."""
    return list((torch.arange(1200) / 1200)[:, None].split(700))


def statistics(**options: Any) -> Statistics:
    return activation_statistics(Ladder(), even(), **options)


def decode(z: float | Tensor = 0.3, known: Statistics | None = None, seeds: Any = SEEDS, **options: Any) -> Any:
    z = torch.full((len(seeds), 1), z) if isinstance(z, float) else z
    return creative_decode(Ladder(), z, known or statistics(), seeds, Creative(**{"band": (0.0, 60.0), **options}))


def vae(name: str = "VAE", size: int = 16) -> Any:
    return create(name, {"size": size, **({"widths": (24, 16)} if name == "VAE" else {})}, seed=0)


def pictures(size: int = 16) -> Tensor:
    return torch.randint(0, 256, (40, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_percent_activation_is_the_share_of_codes_that_a_neuron_is_on_for() -> None:
    expected = 1 - torch.arange(12) / 12
    torch.testing.assert_close(statistics().active, expected, atol=2e-3, rtol=0)
    assert statistics().count == 1200


def test_mean_and_deviation_are_those_while_a_neuron_is_on() -> None:
    h = torch.cat(even()) - torch.arange(12) / 12
    for k in range(12):
        on = h[h[:, k] > 0, k]
        found = [s[k].item() for s in (statistics().mean, statistics().std, statistics().peak)]
        assert found == pytest.approx([on.mean().item(), on.std(correction=0).item(), on.max().item()], rel=1e-4)


def test_chunks_make_no_difference() -> None:
    whole, parts = (activation_statistics(Ladder(), torch.cat(even()).split(size)) for size in (1200, 77))
    for name in ("active", "mean", "std", "peak", "correlation"):
        torch.testing.assert_close(getattr(whole, name), getattr(parts, name))


def test_correlation_is_pearsons_of_what_is_asked_for() -> None:
    before = (torch.cat(even()) - torch.arange(12) / 12).double()
    kinds = {"activation": before.relu(), "preactivation": before, "phi": (before > 0).double()}
    for kind, values in kinds.items():
        found = statistics(correlate=kind).correlation
        varying = values.std(0) > 0
        expected = torch.corrcoef(values.T)[varying][:, varying].float()
        torch.testing.assert_close(found[varying][:, varying], expected, atol=1e-5, rtol=0)


def test_a_dead_neuron_is_counted_and_left_out_of_the_percentiles() -> None:
    dim = activation_statistics(Ladder(), [torch.rand(500, 1) * 0.5])  # neurons 6 to 11 never fire
    assert dim.dead.tolist() == [False] * 6 + [True] * 6
    assert band_of(dim, Creative(band=(0.0, 50.0))).nonzero().flatten().tolist() == [3, 4, 5]
    assert not dim.correlation[6:].any() and not dim.correlation[:, 6:].any()


def test_the_literal_band_may_hold_dead_neurons_only_and_says_so() -> None:
    dim = activation_statistics(Ladder(), [torch.rand(500, 1) * 0.5])
    with pytest.warns(UserWarning, match="^the band holds only dead neurons[^\n]*$"):
        band = band_of(dim, Creative(dead="kept", band=(1.0, 15.0)))
    assert band.nonzero().flatten().tolist() == [6, 7, 8, 9, 10, 11]


def test_a_band_includes_its_ends_and_may_be_taken_of_ranks() -> None:
    ends = 100 * 2 / 11, 100 * 4 / 11
    for percentiles in ("linear", "rank"):
        band = band_of(statistics(), Creative(band=(ends[0] - 1e-4, ends[1] + 1e-4), percentiles=percentiles))
        assert band.nonzero().flatten().tolist() == [7, 8, 9]


@EVERY
@pytest.mark.parametrize("nothing", [{"gain": 0.0}, {"neurons": 0, "share": 0.0}, {"method": "regular", "gain": 9.0}])
def test_no_gain_and_no_neurons_are_the_regular_picture(method: str, nothing: dict[str, Any]) -> None:
    made = decode(**{"method": method, **nothing})
    assert torch.equal(made.images, Ladder().decode(torch.full((8, 1), 0.3)))
    assert torch.equal(made.images, made.regular)


@SWITCHING
def test_the_chosen_neurons_are_on_afterwards_and_were_off_and_no_other_changed(method: str) -> None:
    made = decode(method=method, neurons=3)
    moved = (made.images - made.regular).flatten(1)
    for row, chosen, before in zip(moved, made.neurons, made.regular.flatten(1), strict=True):
        assert sorted(row.nonzero().flatten().tolist()) == sorted(chosen.tolist()) and not before[chosen].any()


def test_on_is_the_mean_while_on_plus_two_deviations_unless_asked_otherwise() -> None:
    known = statistics()
    for options, value in (
        ({}, known.mean + 2 * known.std),
        ({"deviations": 0.0, "gain": 3.0}, 3 * known.mean),
        ({"value": "peak"}, known.peak),
        ({"value": "layer"}, torch.full((12,), (0.3 + 0.3 - 1 / 12 + 0.3 - 2 / 12 + 0.3 - 3 / 12) / 4)),
    ):
        made = decode(neurons=1, **options)
        on = made.images.flatten(1).gather(1, made.neurons)
        torch.testing.assert_close(on, value[made.neurons], atol=1e-5, rtol=1e-4)


def test_the_first_is_drawn_by_chance_and_the_others_correlate_with_it_most() -> None:
    chosen, known = decode(seeds=range(60), neurons=3).neurons, statistics()
    able = range(4, 12)  # off at 0.3, and all of them are in the band or above it
    assert len(set(chosen[:, 0].tolist())) > 4
    for first, *others in chosen.tolist():
        ranked = sorted((k for k in set(able) - {first} if band_of(known, Creative(band=(0.0, 60.0)))[k]),
                        key=lambda k, first=first: -known.correlation[first, k].item())  # fmt: skip
        assert others == ranked[:2]


def test_a_strong_negative_correlation_counts_if_absolute_ones_are_asked_for() -> None:
    correlation = torch.full((12, 12), 0.1).fill_diagonal_(1.0)
    correlation[11, :11] = correlation[:11, 11] = -0.9
    known, options = replace(statistics(), correlation=correlation), {"band": (0.0, 100.0), "neurons": 2}
    signed, absolute = (
        decode(known=known, absolute=kind, seeds=range(50), **options).neurons for kind in (False, True)
    )
    assert not (signed[:, 1] == 11).any() and (absolute == 11).any(1).all()


def test_a_constant_neuron_is_chosen_last() -> None:
    correlation = statistics().correlation.clone()
    correlation[9], correlation[:, 9] = 0.0, 0.0
    known = replace(statistics(), correlation=correlation)
    chosen = decode(known=known, seeds=range(50), band=(0.0, 100.0), neurons=8).neurons
    assert (chosen == 9).any(1).all() and all(row.index(9) in (0, 7) for row in chosen.tolist())


def test_random_draws_any_neuron_that_is_off_and_alive() -> None:
    chosen = decode(seeds=range(200), method="random", neurons=1).neurons
    assert set(chosen.flatten().tolist()) == set(range(4, 12))


def test_fewer_candidates_than_asked_for_are_all_used_and_reported() -> None:
    made = decode(z=0.8, method="random", neurons=5)
    assert all(sorted(row) == [-1, -1, -1, 10, 11] for row in made.neurons.tolist())
    assert ((made.images != made.regular).flatten(1).sum(1) == 2).all()


def test_noise_moves_a_share_of_the_layer_by_its_own_deviation() -> None:
    made = decode(seeds=range(400), method="noisy", share=0.25)
    moved = (made.images - made.regular).flatten(1)
    assert ((moved != 0).sum(1) == 3).all() and made.neurons.shape == (400, 3)
    assert moved[moved != 0].std().item() == pytest.approx(statistics().spread, rel=0.1)
    assert decode(method="noisy", rectify=True).images.min() == 0 > made.images.min()


@EVERY
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_image_does_not_depend_on_its_neighbours(method: str, options: dict[str, Any]) -> None:
    z = torch.rand(8, 1)
    together = decode(z, method=method, **options)
    for i in SEEDS:
        alone = decode(z[i : i + 1], seeds=[i], method=method, **options)
        assert torch.equal(alone.images[0], together.images[i]) and torch.equal(alone.neurons[0], together.neurons[i])


@EVERY
def test_nothing_is_left_behind(method: str) -> None:
    ladder, z, before = Ladder(), torch.full((8, 1), 0.3), torch.random.get_rng_state()
    creative_decode(ladder, z, statistics(), SEEDS, Creative(method=method, band=(0.0, 60.0)))
    assert not ladder.relu._forward_hooks and torch.equal(torch.random.get_rng_state(), before)


def test_a_hook_ends_where_its_block_ends_also_after_an_error() -> None:
    ladder, black = Ladder(), torch.zeros(1, 1)
    with hooked(ladder.relu, lambda before, after: after + 1):
        assert ladder.decode(black).sum() == 12
    with suppress(KeyError), hooked(ladder.relu, lambda before, after: after + 1):
        raise KeyError
    assert ladder.decode(black).sum() == 0


@pytest.mark.parametrize(("name", "count"), [("VAE", 2), ("ConvVAE", 5), ("DCGAN", 3)])
def test_every_hidden_layer_of_every_decoder_can_be_perturbed(name: str, count: int) -> None:
    model = create(name, {"filters": 8, "size": 16} if name != "VAE" else {"widths": (24, 16), "size": 16}, seed=0)
    z, zs = Noise(SEEDS).randn(*model.code_shape), [Noise(range(99, 140)).randn(*model.code_shape)]
    for layer in range(1, count + 1):
        threshold = layer_quantile(model, zs, 0.5, layer=layer)
        known = activation_statistics(model, zs, layer=layer, threshold=threshold)
        for fill in ("constant", "typical"):
            made = creative_decode(model, z, known, SEEDS, Creative(method="random", gain=5.0, fill=fill))
            assert (made.images != made.regular).any() and made.images.shape == (8, *model.image_shape)


def test_a_channel_is_on_where_its_map_is_and_its_typical_map_has_the_activation_it_is_asked_for() -> None:
    model = create("DCGAN", {"filters": 8, "size": 16}, seed=0)
    for pool in ("max", "mean"):
        known = activation_statistics(model, [Noise(range(30)).randn(100)], layer=1, pool=pool)
        assert known.maps.shape == (32, 4, 4) and known.mean.shape == (32,)
        strength = known.maps.amax((1, 2)) if pool == "max" else known.maps.mean((1, 2))
        torch.testing.assert_close(strength[~known.dead], torch.ones(int((~known.dead).sum())))


@pytest.mark.parametrize("source", ["mean", "sample", "prior"])
def test_a_code_belongs_to_its_image_whatever_the_chunks(source: str) -> None:
    model = vae()
    whole, parts = (torch.cat(list(codes(model, pictures(), source=source, chunk=chunk))) for chunk in (40, 7))
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-4)
    assert torch.equal(whole, model.encode(pictures().float() / 255)) == (source == "mean")


def test_the_threshold_of_a_share_is_not_exceeded_by_that_share() -> None:
    h = torch.cat(even()) - torch.arange(12) / 12
    threshold = layer_quantile(Ladder(), even(), 0.75)
    assert (h.relu() <= threshold).float().mean().item() == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "loud"}, {"band": (15.0, 1.0)}, {"band": (1.0, 1.0)}, {"band": (1.0,)}, {"band": (0.0, 101.0)},
        {"neurons": -1}, {"share": 1.5}, {"gain": -1.0}, {"gain": float("nan")}, {"value": "max"}, {"fill": "map"},
        {"grouping": "last"}, {"percentiles": "cubic"}, {"dead": "alive"}, {"noise": float("inf")},
    ],
    ids=str,
)  # fmt: skip
def test_an_option_that_means_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: (choose|give) [^\n]+$"):
        Creative(**options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decode(neurons=13), "the layer has 12 neurons"),
        (lambda: decode(torch.rand(8, 2)), "codes of shape"),
        (lambda: decode(torch.rand(7, 1)), "7 codes have 8 seeds"),
        (lambda: decode(band=(1.0, 2.0)), "no neuron lies in the band"),
        (lambda: decode(known=activation_statistics(Ladder(), [torch.zeros(3, 1)])), "no neuron of the layer"),
        (lambda: decode(known=replace(statistics(), active=torch.ones(9))), "the statistics are of 9 neurons"),
        (lambda: statistics(layer=2), "there is no hidden layer 2"),
        (lambda: statistics(layer=0), "there is no hidden layer 0"),
        (lambda: statistics(pool="sum"), "unknown pool"),
        (lambda: activation_statistics(Ladder(), []), "no codes"),
        (lambda: hidden_layer(create("WTA", {}), 1), "WTA decodes through no hidden layers"),
        (lambda: next(codes(create("DCGAN", {}), pictures(32))), "DCGAN has no encoder"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_sentence(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}[^\n]*: [^\n]+$"):
        call()


# studies of a decoder


def test_decoding_from_a_layers_own_output_is_the_image_to_the_bit() -> None:
    model, z = vae(), Noise(range(5)).randn(50)
    for layer in (1, 2, -1):
        assert torch.equal(decode_from(model, hidden_activations(model, z, layer), layer), model.decode(z))


def test_pruning_nothing_changes_nothing_and_what_is_pruned_is_off() -> None:
    model, z = vae(), Noise(range(5)).randn(50)
    with pruned(model, torch.tensor([], dtype=torch.long)):
        assert torch.equal(model.decode(z), vae().decode(z))
    with pruned(model, torch.tensor([0, 3])):
        left = hidden_activations(model, z)
    whole = hidden_activations(model, z)
    assert not left[:, [0, 3]].any() and torch.equal(left[:, 4:], whole[:, 4:]) and whole[:, [0, 3]].any()
    with pytest.raises(ValueError, match="the layer has neurons 0 to 23"), pruned(model, torch.tensor([24])):
        model.decode(z)


def test_the_strongest_codes_come_first_and_a_neuron_alone_is_at_its_largest() -> None:
    values, rows = strongest(Ladder(), even(), torch.tensor([0, 11]), 3)
    assert rows.tolist() == [[1199, 1198, 1197]] * 2 and values[0, 0] == pytest.approx(1199 / 1200)
    with pytest.raises(ValueError, match="2 codes are fewer than the 3 strongest"):
        strongest(Ladder(), [torch.zeros(2, 1)], torch.tensor([0]), 3)
    alone = decode_alone(Ladder(), statistics(), torch.tensor([4, 0])).flatten(1)
    assert [row.nonzero()[:, 0].tolist() for row in alone] == [[4], [0]]
    assert alone[0, 4] == statistics().peak[4]
    with pytest.raises(ValueError, match="neurons 0 to 11"):
        decode_alone(Ladder(), statistics(), torch.tensor([12]))


@pytest.mark.parametrize("spherical", [False, True])
def test_the_way_between_codes_begins_and_ends_at_them(spherical: bool) -> None:
    a, b = Noise([0, 1]).randn(6), Noise([2, 3]).randn(6)
    assert torch.equal(between(a, b, 0.0, spherical=spherical), a)
    assert torch.equal(between(a, b, 1.0, spherical=spherical), b)
    half = between(a, 2 * a if not spherical else b / b.norm(dim=1, keepdim=True) * a.norm(dim=1, keepdim=True), 0.5,
                   spherical=spherical)  # fmt: skip
    torch.testing.assert_close(half.norm(dim=1), a.norm(dim=1) * (1.5 if not spherical else 1))
    with pytest.raises(ValueError, match="give one from 0 to 1"):
        between(a, b, 1.5)


def test_a_network_spliced_with_itself_is_itself_at_every_seam() -> None:
    model, x = vae(), pictures()[:6].float() / 255
    for layer in (0, 1, 2):
        assert torch.equal(splice(model, model, x, layer), model(x))
        seam = procrustes(at_seam(model, x, layer), at_seam(model, x, layer))
        torch.testing.assert_close(splice(model, model, x, layer, seam), model(x), atol=1e-4, rtol=0)
    other: Any = create("VAE", {"size": 16, "widths": (20, 12), "z": 9}, seed=0)
    with pytest.raises(ValueError, match="the seam is 50 wide on one side and 9 on the other"):
        splice(model, other, x)


def test_the_orthogonal_map_of_pairs_undoes_a_rotation() -> None:
    a = Noise(range(30)).randn(5)
    rotation = torch.linalg.qr(Noise(range(5)).randn(5)).Q
    torch.testing.assert_close(procrustes(a, a @ rotation), rotation, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="no pairs of rows"):
        procrustes(a, a[:3])
