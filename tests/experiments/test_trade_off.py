"""Every way out of the data on one picture: how far, and how much of it is still something."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import make
from toolkit import data
from toolkit.diverge import Edit, fine_tune
from toolkit.experiments import trade_off
from toolkit.experiments.trade_off import EVALUATED, KINDS, LANDMARK, Evaluator, Method, apart_by, landmarks
from toolkit.hub import CHECKPOINTS, load_classifier
from toolkit.models import create
from toolkit.seeds import Noise

GROUPS = [range(3), range(3, 6), range(6, 9)]
SEEDS, STRENGTHS = range(6), (0.2, 0.5, 1.0)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    """Twenty of each class, as bytes."""
    return data.load("sample:mnist", limit=200).images


@pytest.fixture(scope="module")
def by(digits: Tensor) -> Evaluator:
    return Evaluator(load_classifier(name="judge-digits"), digits)


def fading(name: str = "fading", kind: str = "output") -> Method:
    """Noise of each seed's own that fades to black."""
    strengths = (0.0, 0.5, 1.0)
    return Method(name, kind, lambda seeds: [(1 - s) * Noise(seeds).rand(1, 28, 28) for s in strengths], strengths)


# operators at rising strengths


def bright(images: Tensor) -> Tensor:
    """Two classes: darker and brighter than the median."""
    ink = images.flatten(1).mean(1)
    return (ink > ink.median()).long()


def rewriting(model: Any, other: int = 1, layer: str = "decoder.3") -> list[Tensor]:
    return trade_off.rewriting(model, SEEDS, bright, STRENGTHS, layer=layer, one=0, other=other)


ROWS: dict[str, tuple[str, Callable[[Any, Any], list[Tensor]]]] = {
    "bend": ("VAE", lambda m, _: trade_off.bending(m, SEEDS, Edit("decoder.1", "noise", 3.0), STRENGTHS)),
    "bend maps": ("WTA", lambda m, _: trade_off.bending(m, SEEDS, Edit("decoder.1", "rotate"), (0.25, 0.5, 1.0))),
    "blend": ("WTA", lambda m, other: trade_off.blending(m, other, SEEDS, STRENGTHS)),
    "ramp": ("WTA", lambda m, other: trade_off.ramping(m, other, SEEDS, (0.25, 0.5, 0.75))),
    "beyond": ("WTA", lambda m, other: trade_off.beyond([other, m], SEEDS, STRENGTHS)),
    "glitch": ("VAE", lambda m, _: trade_off.glitching(m, SEEDS, "flip", (0.1, 0.3, 0.5))),
    "chain": ("WTA", lambda m, _: trade_off.chaining(m, make("Manifold", size=9), SEEDS, (1, 3, 10))),
    "rewrite": ("VAE", lambda m, _: rewriting(m)),
    "repaint": ("VAE", lambda m, _: trade_off.repainting(m, SEEDS, lambda x: 1 - x, STRENGTHS, layer="decoder.6")),
    "search": ("VAE", lambda m, _: trade_off.searching(m, SEEDS, m.encode, (1, 2, 3))),
}


@pytest.mark.parametrize("operator", ROWS)
def test_rows_are_the_model_itself_and_then_three_strengths_of_the_same_seeds(operator: str) -> None:
    name, rows = ROWS[operator]
    first, *found = rows(make(name), make(name, seed=1))
    plain = trade_off.drawn(make(name), SEEDS)
    torch.testing.assert_close(first, plain)
    torch.testing.assert_close(trade_off.drawn(make(name), [3])[0], plain[3], atol=1e-5, rtol=1e-4)
    assert len(found) == 3 and all(row.shape == plain.shape for row in found)
    assert all(not torch.equal(row, plain) and 0 <= row.min() <= row.max() <= 1 for row in found)


def test_every_edit_fits_its_architecture_at_the_published_size() -> None:
    model = create("VAE", {}, seed=0)
    for edit in trade_off.BENDS:
        with torch.no_grad():
            before, bent = trade_off.bending(model, [0], edit, (1.0,), passes=1)
        assert bent.shape == before.shape and not torch.equal(bent, before), edit


def test_rewriting_refuses_a_class_that_is_not_drawn_and_a_convolution() -> None:
    with pytest.raises(ValueError, match="^[^\n]+ 0 of 7: choose [^\n]+$"):
        rewriting(make("VAE"), other=7)
    with pytest.raises(ValueError, match="^layer generator.3 has 16 keys a picture[^\n]+$"):
        rewriting(make("DCGAN"), layer="generator.3")


# divergence and coherence


def test_unseen_real_pictures_are_one_away_in_any_size_and_known_ones_nearer(by: Evaluator, digits: Tensor) -> None:
    assert by(digits[1::2])["divergence"] == pytest.approx(1)
    assert by(digits[::2])["divergence"] < 0.9
    larger = torch.nn.functional.interpolate(digits[1::2].float() / 255, (56, 56))
    assert by(larger)["divergence"] == pytest.approx(1, abs=0.1)


def test_real_pictures_are_near_and_sure_and_noise_and_black_are_neither(by: Evaluator, digits: Tensor) -> None:
    real, blank, noise = (by(way.rows(range(40))[0]) for way in landmarks(digits))  # type: ignore[index]
    assert real["divergence"] < 1.2 < 1.8 < min(blank["divergence"], noise["divergence"])
    assert real["coherence"] > 0.95 > 0.9 > max(blank["coherence"], noise["coherence"])


def test_how_bright_a_picture_is_moves_it_less_than_what_it_shows(by: Evaluator, digits: Tensor) -> None:
    x = digits[1::2].float() / 255
    dimmed, turned, plain = (by(each)["divergence"] for each in (0.6 * x, x.mT, x))
    assert dimmed - plain < (turned - plain) / 2


def test_what_there_is_nothing_to_measure_by_is_none_and_all_else_a_number(by: Evaluator, digits: Tensor) -> None:
    found = by(digits[:10])
    assert set(found) == set(EVALUATED) and found["diversity"] > 0  # type: ignore[operator]
    assert [name for name, value in found.items() if value is None] == ["reconstruction_distance", "out_of_class_share"]
    half = Evaluator(by.classifier, digits, reconstruct=lambda x: x + 0.5)
    assert half(digits[:4])["reconstruction_distance"] == pytest.approx(14)  # the norm of 784 pixels, each by 0.5


def test_what_surely_is_of_a_class_that_the_data_lack_is_out_of_class(by: Evaluator, digits: Tensor) -> None:
    some = Evaluator(by.classifier, digits, tuple("01234"))
    labels = data.load("sample:mnist", limit=200).labels
    high, low = (some(digits[mask])["out_of_class_share"] for mask in (labels > 4, labels < 5))
    assert high > 0.8 and low < 0.05  # type: ignore[operator]


def test_too_few_real_pictures_and_an_unknown_class_are_refused(by: Evaluator, digits: Tensor) -> None:
    with pytest.raises(ValueError, match="^19 real pictures are too few [^\n]+$"):
        Evaluator(by.classifier, digits[:19])
    with pytest.raises(ValueError, match="has no class A: [^\n]+$"):
        Evaluator(by.classifier, digits, ("A",))


# ways, curves, the picture and the table


def curves(ways: list[Method], by: Evaluator, groups: Any = GROUPS) -> list[dict[str, Any]]:
    return trade_off.curves(trade_off.measured(ways, by, groups))


def test_a_way_without_a_strength_for_each_row_is_refused(by: Evaluator) -> None:
    short = Method("short", "output", lambda seeds: [torch.zeros(3, 1, 28, 28)], (0, 1))
    with pytest.raises(ValueError, match="^short has 1 rows and 2 strengths: [^\n]+$"):
        list(trade_off.measured([short], by, GROUPS))


def test_a_curve_has_its_points_in_order_with_intervals_over_groups() -> None:
    about = {"kind": "output", "touches": "", "training": False, "data": False}
    rows = [
        {**about, "way": way, "group": g, "strength": s, "divergence": s + g + 1.0, "coherence": 0.5, "diversity": None}
        for way in ("a", "b") for s in (0, 2) for g in range(3)
    ]  # fmt: skip
    a, b = trade_off.curves(rows)
    assert (a["way"], b["way"], [point["strength"] for point in a["points"]]) == ("a", "b", [0, 2])
    far = a["points"][1]["divergence"]
    assert far["mean"] == 4 and far["n"] == 3 and far["low"] < 4 < far["high"]
    assert a["points"][0]["diversity"] is None
    assert a["points"][1]["coherence"]["low"] == a["points"][1]["coherence"]["high"] == 0.5


def test_snapshots_are_a_way_whose_strengths_are_their_steps(images: Tensor) -> None:
    way = trade_off.trained("tuned", fine_tune(make("VAE"), (255 * images).byte(), [0, 2, 5]))
    first, *_, last = way.rows(range(4))
    assert way.strengths == [0, 2, 5] and way.kind == "training"
    torch.testing.assert_close(first, trade_off.drawn(make("VAE"), range(4)))
    assert first.shape == last.shape and not torch.equal(first, last)


def test_the_table_has_a_row_for_each_way_with_three_strengths_and_what_it_needs(by: Evaluator, digits: Tensor) -> None:
    ways = [fading(), replace(fading("fading to grey"), touches="loss", training=True)]
    head, _, *rows = trade_off.table(curves([*landmarks(digits), *ways], by)).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert len(rows) == 2 and {row.count("|") for row in rows} == {head.count("|")}
    assert cells[1][:5] == ["fading to grey", "loss", "yes", "no", "0.5, 1"] and cells[0][5] == "none"
    assert cells[0][-1].endswith(", 0.00")  # all are black


def test_the_shipped_table_is_that_of_the_shipped_numbers() -> None:
    folder = CHECKPOINTS / "divergence"
    found = json.loads((folder / "trade_off.json").read_text())
    tables = [f"## {it.title}\n\n{trade_off.table(found['curves'][it.title])}\n" for it in trade_off.SUBJECTS]
    assert (folder / "trade_off.md").read_text() == "\n".join(tables) and found["groups"] == 5
    assert {curve["kind"] for own in found["curves"].values() for curve in own} == {*KINDS, LANDMARK}


def test_the_picture_names_every_way_at_its_line_and_no_name_lies_on_another(by: Evaluator, digits: Tensor) -> None:
    text = pytest.importorskip("matplotlib.text").Text
    ways = [fading(f"way {number}", kind) for number in range(4) for kind in ("system", "training")]
    found = curves([*landmarks(digits), *ways], by, GROUPS[:2])
    drawing = trade_off.figure({"digits": found, "digits again": found})
    drawing.canvas.draw()
    assert len(drawing.axes) == 4 and drawing.get_size_inches()[0] * drawing.dpi == 900
    for panel in drawing.axes:
        names = [name for name in panel.texts if name.get_text().startswith("way")]
        boxes = sorted((text.get_window_extent(name) for name in names), key=lambda box: box.y0)  # without its line
        assert len(names) == 4 and all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))
    with pytest.raises(ValueError, match="^there are no curves to draw[^\n]+$"):
        trade_off.figure({"digits": curves(landmarks(digits), by)})


def test_names_are_moved_no_farther_than_needed() -> None:
    assert apart_by([10, 50, 90], 11, 0, 100) == [10, 50, 90]
    assert apart_by([50, 50, 50], 10, 0, 100) == [40, 50, 60]
    assert apart_by([98, 99], 10, 0, 100) == [90, 100] and apart_by([1, 2], 10, 0, 100) == [0, 10]
    assert apart_by([], 10, 0, 100) == []
