"""The tray in a real browser: symbols are kept, found again after a reload, typed with, taken away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from tests.browser import CHROMIUM, blank, grown, picture, visit

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]

OFFER = """([from, count, side, channels]) => {
    for (let i = from; i < from + count; i++) {
        const light = Uint8Array.from({length: channels * side * side}, (_, k) => (k % side > 4 && k % (9 + i % 9) < 4 ? 255 : 0));
        window.dispatchEvent(new CustomEvent("that-are-not-keep", {detail: {light, side, channels, caption: `made, seed ${i}`}}));
    }
}"""  # noqa: E501


@pytest.fixture(scope="module")
def wide(chromium: Any, address: str) -> Iterator[Any]:
    page = visit(chromium, address, 1280, 800)
    grown(page)
    yield page
    page.close()


@pytest.fixture
def desk(wide: Any) -> Any:
    """The page with nothing but three made symbols in the tray, closed, and the focus nowhere."""
    clear(wide)
    offer(wide, 0, 3)
    wide.evaluate("document.activeElement.blur()")
    return wide


@pytest.fixture(scope="module")
def phone(chromium: Any, address: str) -> Iterator[Any]:
    page = visit(chromium, address, 390, 844)
    grown(page)
    yield page
    page.close()


def offer(page: Any, first: int, count: int, side: int = 28, channels: int = 1) -> None:
    page.evaluate(OFFER, [first, count, side, channels])


def clear(page: Any) -> None:
    page.evaluate(
        """() => {
        const press = (name) => document.querySelector(`.tray [data-do=${name}]`).click();
        if (document.querySelector(".tray").hidden) return;
        if (document.querySelector(".opened").hidden) press("open");
        press("empty");
        press("empty");
        const line = document.querySelector(".tray [name=line]");
        line.value = "";
        line.dispatchEvent(new Event("input", {bubbles: true}));
    }"""
    )
    assert page.locator(".tray").is_hidden()


def captions(page: Any) -> list[str]:
    return page.eval_on_selector_all(".strip .kept", "all => all.map(one => one.title)")


def pictures(page: Any) -> list[str]:
    return page.eval_on_selector_all(".strip canvas", "all => all.map(one => one.toDataURL())")


def taken(page: Any, what: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(f".tray [data-do={what}]")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_an_empty_tray_is_not_to_be_seen(wide: Any) -> None:
    clear(wide)
    assert wide.locator(".tray").is_hidden()
    assert wide.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--tray')") == "0px"


def test_three_symbols_are_kept_and_found_again_after_a_reload(wide: Any) -> None:
    clear(wide)
    for cell in (3, 18):
        wide.click(f".panel[data-panel=a] .cell:nth-child({cell})")
        grown(wide)
        wide.click(".symbol [data-do=keep]")
    wide.click(".panel[data-panel=a] .cell:nth-child(40)")
    grown(wide)
    wide.keyboard.press("k")
    before = captions(wide), pictures(wide)
    assert before[0] == [
        "a: fig2, iteration 4, seed 2",
        "b: fig2, iteration 4, seed 17",
        "c: fig2, iteration 4, seed 39",
    ]
    assert len(set(before[1])) == 3
    wide.reload()
    wide.wait_for_selector(".tray .strip .kept")
    assert (captions(wide), pictures(wide)) == before
    grown(wide)


def test_a_kept_symbol_is_the_one_on_show(desk: Any) -> None:
    desk.click(".panel[data-panel=a] .cell:nth-child(7)")
    grown(desk)
    desk.click(".symbol [data-do=keep]")
    assert pictures(desk)[3] == picture(desk, ".symbol .big")


def test_the_same_symbol_is_kept_once(desk: Any) -> None:
    offer(desk, 1, 1)
    assert len(captions(desk)) == 3
    assert "in the tray already" in desk.inner_text(".tray .said")


def test_a_full_tray_says_so_and_keeps_what_it_has(desk: Any) -> None:
    offer(desk, 3, 70)
    assert len(captions(desk)) == 62
    assert "full with 62 symbols" in desk.inner_text(".tray .said")


@pytest.mark.parametrize("broken", ["{", '{"kept": [{"light": "AAAA", "side": 28, "channels": 1}]}'])
def test_what_is_stored_may_be_anything(chromium: Any, address: str, broken: str) -> None:
    page = blank(chromium)
    page.add_init_script(f"sessionStorage.setItem('that-are-not-tray', {json.dumps(broken)})")
    page.goto(address)
    page.wait_for_selector('.figure-page[data-ready="true"]')
    offer(page, 0, 1)
    assert captions(page) == ["a: made, seed 0"]
    assert page.faults == []
    page.close()


def test_a_line_is_written_in_the_symbols(desk: Any) -> None:
    desk.click(".tray [data-do=open]")
    before = picture(desk, ".written")
    desk.keyboard.type("cab")
    written = picture(desk, ".written")
    desk.keyboard.type(" z")
    assert len({before, written, picture(desk, ".written")}) == 3
    assert desk.get_attribute(".written", "aria-label") == "“cab z”, written in the symbols"
    assert desk.inner_text(".lacking") == "No symbol has the key “z”."


def test_a_key_that_is_there_twice_says_so_in_place(desk: Any) -> None:
    desk.click(".tray [data-do=open]")
    desk.locator(".glyphs input").nth(1).fill("c")
    assert desk.locator(".amiss").all_inner_texts() == ["", "“c” twice", "“c” twice"]
    desk.click(".tray [data-do=font]")
    assert "Two symbols have the key “c”" in desk.inner_text(".tray .problem")
    desk.click(".tray [data-do=deal]")
    assert desk.locator(".amiss").all_inner_texts() == ["", "", ""]


def test_a_symbol_is_moved_and_removed_where_it_is_large(desk: Any) -> None:
    desk.click(".tray [data-do=open]")
    desk.locator(".glyphs .after").first.click()
    assert captions(desk) == ["b: made, seed 1", "a: made, seed 0", "c: made, seed 2"]
    desk.locator(".glyphs .remove").nth(1).click()
    assert captions(desk) == ["b: made, seed 1", "c: made, seed 2"]


def test_everything_is_done_without_a_pointer(desk: Any) -> None:
    desk.keyboard.press("t")
    assert desk.evaluate("document.activeElement.name") == "line"
    desk.keyboard.press("Escape")
    assert desk.locator(".tray .opened").is_hidden()
    desk.focus(".strip .kept")
    desk.keyboard.press("Shift+ArrowRight")
    desk.keyboard.press("ArrowRight")
    desk.keyboard.press("Delete")
    assert captions(desk) == ["b: made, seed 1", "a: made, seed 0"]
    desk.keyboard.press("Enter")
    desk.keyboard.type("x")
    desk.keyboard.press("Tab")
    assert captions(desk) == ["b: made, seed 1", "x: made, seed 0"]
    desk.keyboard.press("ArrowLeft")
    assert desk.get_attribute(".panel[data-panel=a]", "data-iteration") == "4"


def test_a_symbol_is_dragged_to_another_place(desk: Any) -> None:
    desk.drag_and_drop(".strip li:nth-child(1)", ".strip li:nth-child(3)")
    assert captions(desk) == ["b: made, seed 1", "c: made, seed 2", "a: made, seed 0"]


def test_the_sheet_is_a_picture_of_all_symbols(desk: Any, tmp_path: Path) -> None:
    desk.click(".tray [data-do=open]")
    with Image.open(taken(desk, "sheet", tmp_path)) as sheet:
        assert sheet.format == "PNG"
        assert min(sheet.size) > 200


def test_the_settings_name_every_symbol(desk: Any, tmp_path: Path) -> None:
    offer(desk, 3, 1, side=64, channels=3)
    desk.click(".tray [data-do=open]")
    said = json.loads(taken(desk, "settings", tmp_path).read_text())
    assert [each["caption"] for each in said["symbols"]] == [f"made, seed {seed}" for seed in range(4)]
    assert said["symbols"][3] == {"key": "d", "caption": "made, seed 3", "side": 64, "channels": 3}


def test_the_outlines_are_an_svg_of_all_symbols(desk: Any, tmp_path: Path) -> None:
    offer(desk, 3, 1, side=64, channels=3)
    desk.click(".tray [data-do=open]")
    root = ElementTree.parse(taken(desk, "outlines", tmp_path)).getroot()
    titles = {title.text for title in root.iter("{http://www.w3.org/2000/svg}title")}
    assert {f"made, seed {seed}" for seed in range(4)} <= titles


def test_the_font_has_the_name_and_the_keys_that_were_chosen(desk: Any, tmp_path: Path) -> None:
    desk.click(".tray [data-do=open]")
    desk.locator(".glyphs input").nth(2).fill("ß")
    desk.fill(".tray [name=name]", "Three Marks")
    font = TTFont(taken(desk, "font", tmp_path))
    assert {ord(key) for key in "abß"} <= set(font.getBestCmap())
    assert font["name"].getDebugName(1) == "That Are Not Three Marks"


def test_a_bad_name_is_answered_in_the_tray(desk: Any) -> None:
    desk.click(".tray [data-do=open]")
    desk.fill(".tray [name=name]", "../x")
    desk.click(".tray [data-do=font]")
    desk.get_by_role("alert").filter(has_text="is no name for a font").wait_for()
    desk.fill(".tray [name=name]", "Alphabet")


def test_everything_that_is_seen_is_also_said(desk: Any) -> None:
    desk.click(".tray [data-do=open]")
    nameless = """all => all.filter(one => !(one.getAttribute("aria-label") || one.innerText.trim())).length"""
    assert desk.eval_on_selector_all(".tray button, .tray canvas[role=img]", nameless) == 0
    assert desk.get_attribute(".glyphs canvas", "aria-label") == "made, seed 0"


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_the_bar_covers_nothing_at_the_end_of_the_page(request: pytest.FixtureRequest, name: str) -> None:
    page = request.getfixturevalue(name)
    offer(page, 0, 30)
    page.wait_for_timeout(100)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    bar = page.locator(".tray .dock").bounding_box()["y"]
    lowest = "all => Math.max(...all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().bottom))"
    assert page.eval_on_selector_all(".iterations button, .iterations input, .iterations p", lowest) <= bar


def test_on_a_phone_a_symbol_is_kept_shown_large_and_typed(phone: Any) -> None:
    clear(phone)
    phone.click(".symbol [data-do=keep]")
    phone.click(".tray [data-do=open]")
    phone.fill(".tray [name=line]", "aAa")
    assert phone.inner_text(".lacking") == ""
    sides = "all => all.filter(one => one.offsetParent).flatMap(one => [one.offsetWidth, one.offsetHeight])"
    touched = ".opened button, .opened input, .dock .kept, .dock .word"
    assert min(phone.eval_on_selector_all(touched, sides)) >= 40


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_nothing_reaches_over_the_edge(request: pytest.FixtureRequest, name: str) -> None:
    page = request.getfixturevalue(name)
    if page.locator(".tray .opened").is_hidden():
        page.click(".tray [data-do=open]")
    right = "all => Math.max(...all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().right))"
    assert page.eval_on_selector_all(".opened *, .dock > *", right) <= page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_it_asked_no_other_host_and_nothing_went_wrong(request: pytest.FixtureRequest, name: str, address: str) -> None:
    page = request.getfixturevalue(name)
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
