"""The tray without a browser: what comes from there may be anything; what leaves is a whole file or one sentence."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from fontTools.ttLib import TTFont

from tests.test_app import build, components, tiny_run
from toolkit.web import tray


def ring(side: int = 28) -> list[int]:
    """The light of a ring, as bytes."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    far = torch.hypot(x - (side - 1) / 2, y - (side - 1) / 2)
    return (255 * ((far - 0.3 * side).abs() < 0.08 * side)).int().flatten().tolist()


RING = base64.b64encode(bytes(ring())).decode()


def symbol(key: str = "a", **changes: Any) -> dict[str, Any]:
    return {"light": RING, "side": 28, "channels": 1, "key": key, "caption": f"fig2, symbol {key}", **changes}


def order(*symbols: Any, **changes: Any) -> dict[str, Any]:
    return {"ticket": 1, "kind": "font", "name": "Rings", "symbols": list(symbols) or [symbol()], **changes}


def taken(asked: object) -> bytes:
    path, message = tray.answer(asked)
    assert message == {"ticket": 1, "error": None}
    assert path is not None
    return Path(path).read_bytes()


def refused(asked: object) -> str:
    path, message = tray.answer(asked)
    assert path is None
    assert "\n" not in message["error"]
    return message["error"]


def test_the_font_types_each_key() -> None:
    font = TTFont(BytesIO(taken(order(symbol("a"), symbol("7"), symbol("é")))))
    assert {ord("a"), ord("A"), ord("7"), ord("é")} <= set(font.getBestCmap())
    assert font["name"].getDebugName(1) == "That Are Not Rings"


def test_the_outlines_say_what_each_symbol_is() -> None:
    titled = symbol("b", caption="<script> & more")
    root = ElementTree.fromstring(taken(order(symbol(), titled, kind="outlines")))
    said = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert {"fig2, symbol a", "<script> & more"} <= set(said)


@pytest.mark.parametrize(("kind", "name"), [("font", "alphabet.ttf"), ("outlines", "alphabet.svg")])
def test_a_file_has_a_fixed_name_in_a_folder_of_its_own(kind: str, name: str) -> None:
    (one, _), (other, _) = (tray.answer(order(kind=kind, name="Rings")) for _ in range(2))
    assert one and other and one != other
    assert Path(one).name == Path(other).name == name


def test_the_same_tray_is_the_same_file() -> None:
    assert taken(order()) == taken(order())


def test_bytes_may_come_as_numbers_too() -> None:
    assert taken(order(symbol(light=ring()))) == taken(order())


def test_colours_become_one_brightness() -> None:
    red = tray.read_order(order(symbol(light=[255] * 4 + [0] * 8, side=2, channels=3)))
    assert tray.images(red.symbols).flatten().tolist() == pytest.approx([0.299] * 4)
    white = tray.read_order(order(symbol(light=3 * ring(), channels=3)))
    assert tray.images(white.symbols).flatten().tolist() == pytest.approx([value / 255 for value in ring()])


def test_symbols_of_several_sizes_stand_as_large_as_the_largest() -> None:
    symbols = tray.read_order(
        order(symbol("a"), symbol("b", light=ring(64), side=64), symbol("c", light=ring(32), side=32))
    ).symbols
    x = tray.images(symbols)
    assert x.shape == (3, 1, 64, 64)
    assert x.amax((1, 2, 3)).tolist() == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (None, "option kind"),
        ([1, 2], "option kind"),
        (order(kind="../../secrets"), "unknown file"),
        (order(kind=7), "option kind"),
        (order(symbols=[]), "a tray of 0 symbols"),
        (order(symbols=[symbol()] * 63), "a tray of 63 symbols"),
        (order(symbols="abc"), "option symbols"),
        (order(symbols=[None]), "option light"),
        (order(name="../../etc/passwd"), "no name for a font"),
        (order(name="A" * 100), "too long"),
        (order(name=None), "option name"),
        (order(symbol(side=0)), "side 0"),
        (order(symbol(side=65)), "side 65"),
        (order(symbol(side=-28)), "side -28"),
        (order(symbol(side=28.0)), "option side"),
        (order(symbol(side=True)), "option side"),
        (order(symbol(side=10**400)), "side 1000"),
        (order(symbol(channels=2)), "2 channels"),
        (order(symbol(light="AAAA")), "3 values"),
        (order(symbol(light="no base64!")), "light of key 'a'"),
        (order(symbol(light="é" * 1000)), "light of key 'a'"),
        (order(symbol(light="A" * 10**6)), "1000000 values"),
        (order(symbol(light=[0] * 10**6)), "1000000 values"),
        (order(symbol(light=[256] * 784)), "light of key 'a'"),
        (order(symbol(light=[-1] * 784)), "light of key 'a'"),
        (order(symbol(light=[0.5] * 784)), "option light"),
        (order(symbol(light=["0"] * 784)), "option light"),
        (order(symbol(light={"0": 1})), "option light"),
        (order(symbol("")), "key ''"),
        (order(symbol("ab")), "key 'ab'"),
        (order(symbol(key=" ")), "key ' '"),
        (order(symbol(key="\n")), r"key '\n'"),
        (order(symbol(key="\ud800")), r"key '\ud800'"),
        (order(symbol(key="\u0301")), "key"),
        (order(symbol("a"), symbol("a")), "key 'a' is there twice"),
        (order(symbol(light=[0] * 784)), "key 'a'"),
        (order(symbol(light=[0] * 784), kind="outlines"), "blank"),
        (order(symbol(caption=None)), "option caption"),
    ],
)
def test_a_bad_order_gets_one_sentence_that_names_it(asked: object, named: str) -> None:
    assert named in refused(asked)


def test_an_answer_repeats_nothing_but_the_number_of_its_order() -> None:
    _, message = tray.answer({"ticket": "<b>", "kind": "font"})
    assert message["ticket"] is None


def test_files_wait_in_a_line_of_their_own_and_the_bar_is_there_once(tmp_path: Path) -> None:
    page = build(tiny_run(tmp_path, iterations=1))
    lines = [(event.concurrency_id, event.api_visibility) for event in page.fns.values() if event.fn is not None]
    assert lines.count(("files", "private")) == 1
    assert [each["props"].get("elem_id") for each in components(page, "html")].count("tray") == 1


def test_without_a_run_there_is_no_tray(tmp_path: Path) -> None:
    assert "tray" not in [each["props"].get("elem_id") for each in components(build(tmp_path), "html")]
