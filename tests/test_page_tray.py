"""The tray without a browser: what comes from there may be anything; what leaves is a whole file or one sentence."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from fontTools.ttLib import TTFont

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
    path, message = tray.take(asked)
    assert message == {"ticket": 1, "error": None}
    assert path is not None
    return Path(path).read_bytes()


def refused(asked: object) -> str:
    path, message = tray.take(asked)
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
    (one, _), (other, _) = (tray.take(order(kind=kind, name="Rings")) for _ in range(2))
    assert one and other and one != other
    assert Path(one).name == Path(other).name == name


def test_the_same_tray_is_the_same_file() -> None:
    assert taken(order()) == taken(order())


def test_bytes_may_come_as_numbers_too() -> None:
    assert taken(order(symbol(light=ring()))) == taken(order())


def test_colours_become_one_brightness() -> None:
    assert taken(order(symbol(light=3 * ring(), channels=3))) == taken(order())


def test_symbols_of_several_sizes_stand_as_large_as_the_largest() -> None:
    mixed = order(symbol("a"), symbol("b", light=ring(64), side=64), symbol("c", light=ring(32), side=32))
    font = TTFont(BytesIO(taken(mixed)))
    a, b, c = (font["hmtx"][font.getBestCmap()[ord(key)]][0] for key in "abc")
    assert a == pytest.approx(b, rel=0.1) and c == pytest.approx(b, rel=0.1)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (None, "kind is missing"),
        (order(symbols=[None]), "symbols None"),
        (order(name="../../etc/passwd"), "no name for a font"),
        (order(symbol(side=65)), "side 65 is not usable: give a whole number from 1 to 64"),
        (order(symbol(channels=2)), "channels 2 is not usable: give one of 1, 3"),
        (order(symbol(light="AAAA")), "3 values"),
        (order(symbol(light="no base64!")), "light of key 'a'"),
        (order(symbol(light="é" * 1000)), "light of key 'a'"),
        (order(symbol(light=[256] * 784)), "light of key 'a'"),
        (order(symbol(light={"0": 1})), "light {'0': 1}"),
        (order(symbol("")), "key ''"),
        (order(symbol("ab")), "key 'ab'"),
        (order(symbol(key=" ")), "key ' '"),
        (order(symbol(key="\n")), r"key '\n'"),
        (order(symbol(key="\ud800")), r"key '\ud800'"),
        (order(symbol(key="\u0301")), "key"),
        (order(symbol("a"), symbol("a")), "key 'a' is there twice"),
        (order(symbol(light=[0] * 784)), "key 'a'"),
        (order(symbol(light=[0] * 784), kind="outlines"), "blank"),
    ],
)
def test_a_bad_order_gets_one_sentence_that_names_it(asked: object, named: str) -> None:
    assert named in refused(asked)
