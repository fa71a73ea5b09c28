"""The tab "Bend it" without a browser: neutral strengths, only what a machine can do, one sentence for a bad order."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_app import ask, refused, tiny_run
from tests.test_page_creative import pictures, tiny_decoders
from tests.test_page_kaleidoscope import tiny_networks
from toolkit import hub
from toolkit.diverge import TRANSFORMS
from toolkit.diverge.weights import KINDS
from toolkit.models import create
from toolkit.seeds import Noise
from toolkit.web import bend

BLEND = {"machine": "fig2", "operator": "blend", "parent": 1, "child": 3, "start": "noise", "passes": 4}
ROTATE = {"machine": "fig2", "transform": "rotate", "amount": [45], "channels": "all"}
REWRITE = {"operator": "rewrite", "one": "alpha", "another": "beta"}
CHAIN = {"operator": "chain", "other": "fig2"}
MIX = {"machine": "stylegan-mnist", "operator": "mix", "chance": 9}
NEUTRAL: list[dict[str, Any]] = [
    {},
    {"machine": "kaleidoscope-mnist", "transform": "noise", "amount": [3], "channels": "all"},
    {**ROTATE},
    {**ROTATE, "start": "noise"},
    {"operator": "glitch"},
    {"machine": "fig2", "operator": "glitch", "start": "noise"},
    BLEND,
    REWRITE,
    CHAIN,
    MIX,
]


def tiny_machines(folder: Path) -> Path:
    """A tree with untrained decoders, a run of three iterations, kaleidoscopes, and a judge of what a decoder draws."""
    tiny_networks(tiny_decoders(tiny_run(folder)))
    path = folder / "creative-mnist" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "experiment": {"data": "mnist"}}))
    judge: Any = create("Judge", {"classes": ("alpha", "beta"), "filters": 2, "hidden": 8}, seed=2)
    drawn: Any = hub.load(folder, "creative-mnist")
    doubt = judge(drawn.decode(Noise(range(99)).randn(6))).median(0).values
    judge.head[1].bias.sub_(doubt)  # each of the two classes for half of the pictures
    here = folder / "judge-digits" / "iter_001"
    here.mkdir(parents=True)
    hub.save(judge, here / "model.safetensors", experiment="judge-digits", iteration=1)
    (folder / "judge-digits" / "config.json").write_text(json.dumps({"title": "Digits", "kind": "judge"}))
    stylegan: Any = create("StyleGAN", {"filters": 2, "size": 16, "z": 4}, seed=3)
    for layer in list(stylegan.generator)[:-1]:
        layer.strength.fill_(1.0)
    here = folder / "stylegan-mnist" / "iter_001"
    here.mkdir(parents=True)
    hub.save(stylegan, here / "model.safetensors", experiment="stylegan-mnist", iteration=1)
    made = {"title": "By styles", "kind": "divergence", "experiment": {"architecture": "StyleGAN", "data": "mnist"}}
    (folder / "stylegan-mnist" / "config.json").write_text(json.dumps(made))
    hub.write_index(folder)
    return folder


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_machines(tmp_path_factory.mktemp("machines"))


def answers(machines: Path, **changes: Any) -> list[dict[str, Any]]:
    return ask("bend", machines, **changes)


def ends(machines: Path, **changes: Any) -> tuple[str, str]:
    """The pictures before, and after the last pass."""
    last = answers(machines, **changes)[-1]
    return last["before"], last["frames"][-1]


def test_the_first_page_offers_what_each_machine_can_do(machines: Path) -> None:
    first = bend.first_page(machines)
    assert first is not None and json.dumps(first, allow_nan=False)
    able = {machine["name"]: machine["operators"] for machine in first["machines"]}
    assert able["creative-mnist"] == ["bend", "glitch", "rewrite", "chain"]
    assert able["creative-fashion"] == able["kaleidoscope-mnist"] == ["bend", "glitch", "chain"]
    assert able["fig2"] == ["bend", "glitch", "blend", "chain"]
    assert able["stylegan-mnist"] == ["bend", "glitch", "chain", "mix"]


def test_judges_and_networks_of_points_are_no_machines(machines: Path) -> None:
    names = [machine["name"] for machine in bend.first_machines(machines)]
    assert names[0] == "creative-mnist" and "judge-digits" not in names and "kaleidoscope-1d" not in names


def test_without_a_machine_there_is_no_tab(machines: Path, tmp_path: Path) -> None:
    (tmp_path / "judge-digits").symlink_to(machines / "judge-digits")
    hub.write_index(tmp_path)
    assert bend.first_page(tmp_path) is None


def test_what_can_be_chosen_is_what_the_operators_have() -> None:
    assert {name: len(amount) for name, amount in bend.AMOUNTS.items()} == {
        name: len(transform.usual) for name, transform in TRANSFORMS.items()
    }
    assert set(bend.KINDS) == set(KINDS)
    assert set(bend.OPERATORS) == set(bend.USUAL)
    assert set(bend.START) | {"machine"} == set(bend.BendRequest.model_fields)


@pytest.mark.parametrize("knobs", NEUTRAL, ids=lambda knobs: "-".join(map(str, knobs.values())) or "bend")
def test_at_strength_0_nothing_changes(machines: Path, knobs: dict[str, Any]) -> None:
    before, after = ends(machines, **{**knobs, "strength": 0})
    assert after == before


@pytest.mark.parametrize("knobs", NEUTRAL, ids=lambda knobs: "-".join(map(str, knobs.values())) or "bend")
def test_at_a_strength_pictures_change(machines: Path, knobs: dict[str, Any]) -> None:
    last = answers(machines, **{**knobs, "strength": 1})[-1]
    side = last["shape"][-1]
    assert len(pictures(last["before"], side)) == len(pictures(last["frames"][-1], side)) == 32
    assert last["frames"][-1] != last["before"]


def test_a_machine_is_as_it_was_after_all_of_it(machines: Path) -> None:
    before = ends(machines, strength=0)[0]
    for knobs in ({}, {"operator": "glitch", "strength": 1}, {**REWRITE, "strength": 2}):
        answers(machines, **knobs)
    assert ends(machines, strength=0, passes=1)[0] == before
    assert not any(module._forward_hooks for module in bend.machine(machines, "creative-mnist").model.modules())


def test_passes_are_streamed_one_by_one(machines: Path) -> None:
    heard = answers(machines, **ROTATE, passes=3)
    assert [len(message["frames"]) for message in heard] == [0, 1, 2, 3, 4, 4]
    assert [message["done"] for message in heard] == [False] * 5 + [True]


def test_seeds_are_those_of_the_other_tabs(machines: Path) -> None:
    (other,) = ask("creative", machines)
    assert ends(machines)[0] == other["regular"]


def test_chance_alters_otherwise_and_the_same_chance_alike(machines: Path) -> None:
    first, again, other = (ends(machines, operator="glitch", strength=0.2, chance=chance)[1] for chance in (1, 1, 2))
    assert first == again != other


def test_a_blend_ends_at_the_other_iteration(machines: Path) -> None:
    message = answers(machines, **{**BLEND, "strength": 1})[-1]
    assert message["frames"][-1] == ends(machines, **{**BLEND, "parent": 3, "strength": 0})[0]


def test_styles_are_mixed_in_some_layers_or_all_drawn_to_the_mean_and_without_noise(machines: Path) -> None:
    before, coarse = ends(machines, **MIX)
    changes = ({"psi": 0.5}, {"noise": "off"}, {"strength": 1, "styles": "fine"}, {"strength": 0.5},
               {"strength": 1, "chance": 10})  # fmt: skip
    drawn = {coarse} | {ends(machines, **{**MIX, "strength": 0, **knobs})[1] for knobs in changes}
    assert len(drawn) == 6 and before not in drawn
    means = pictures(ends(machines, **MIX, strength=0, psi=0, noise="off")[1], 16)
    assert len(means) == 32 and len(set(means)) == 1


def test_channels_that_act_alike_are_a_part_of_all(machines: Path) -> None:
    groups = {ends(machines, channels="cluster", group=group)[1] for group in range(bend.GROUPS)}
    assert len(groups) > 1 and ends(machines, channels="all")[1] not in groups


def test_what_is_rewritten_is_marked(machines: Path) -> None:
    known = answers(machines, **REWRITE)[-1]["known"]
    assert (known["one"], known["another"], known["classes"]) == ("alpha", "beta", ["alpha", "beta"])
    assert 0 < sum(known["marked"]) < 32


def test_the_layers_of_a_machine_are_named_with_their_size(machines: Path) -> None:
    known = answers(machines, **ROTATE)[-1]["known"]
    assert known["layer"] == "decoder.1"
    assert known["layers"][0] == ["encoder.1", 2, 24]
    assert answers(machines)[-1]["known"]["layers"] == [
        ["decoder.1", 20, 0],
        ["decoder.4", 30, 0],
        ["decoder.7", 60, 0],
    ]


def test_a_machine_of_another_size_goes_on_in_a_chain(machines: Path) -> None:
    last = answers(machines, machine="fig2", operator="chain", other="kaleidoscope-fashion", strength=2)[-1]
    assert last["shape"] == [1, 28, 28] and len(last["frames"]) == 3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"machine": "creative-art"}, "'creative-art'"),
        ({"machine": "judge-digits"}, "no machine 'judge-digits'"),
        ({"strength": -0.1}, "strength -0.1 is not usable: give a number from 0 to 1"),
        ({"operator": "chain", "other": "fig2", "strength": 1.5}, "no number of passes"),
        ({"operator": "chain", "other": "fig2", "strength": 31}, "from 0 to 30"),
        ({"operator": "chain", "other": "creative-mnist", "strength": 1}, "choose another"),
        ({"operator": "chain", "other": "../../etc/passwd", "strength": 1}, "no machine"),
        ({"layer": "decoder.2"}, "choose one of decoder.7, decoder.4, decoder.1"),
        ({"operator": "glitch", "layer": "decoder.1", "strength": 0.1}, "decoder.0"),
        ({"transform": "explode"}, "unknown transform 'explode'"),
        ({"transform": "rotate", "amount": [45]}, "no maps to rotate"),
        ({"amount": []}, "give 1 of them"),
        ({"amount": [5]}, "amount 5.0 is not usable: give a number from -4 to 4"),
        ({**ROTATE, "transform": "erode", "amount": [1.5]}, "whole number"),
        ({"operator": "glitch", "kind": "melt"}, "unknown glitch 'melt'"),
        ({**BLEND, "parent": 9}, "no model of iteration 9"),
        ({**BLEND, "child": 0}, "no model of iteration 0"),
        ({**REWRITE, "one": "gamma"}, "unknown class 'gamma'"),
        ({**REWRITE, "machine": "creative-fashion"}, "no judge here"),
        ({**REWRITE, "machine": "fig2"}, "no layer for this"),
        ({**MIX, "machine": "fig2"}, "fig2 has no styles to mix: choose a StyleGAN"),
        ({**MIX, "styles": "rough"}, "styles 'rough' is not usable: give one of coarse, middle, fine, all"),
        ({**MIX, "psi": float("nan")}, "psi nan is not usable"),
        ({**MIX, "psi": 2}, "psi 2 is not usable: give a number from 0 to 1.5"),
        ({**MIX, "chance": None}, "chance None is not usable"),
    ],
)
def test_a_bad_request_gets_one_sentence_that_names_it(machines: Path, changes: dict[str, Any], named: str) -> None:
    assert named in refused("bend", machines, **changes)
