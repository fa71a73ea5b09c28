"""The tray in a real browser: symbols are kept, found again after a reload, typed with, taken away."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont

from tests import browser
from tests.browser import picture

pytestmark = browser.NEEDED
LINK = "tab=iterations"

OFFER = """([from, count, side, channels]) => Array.from({length: count}, (_, k) => from + k).forEach((i) => {
    const value = (_, k) => (k % side > 4 && k % (9 + i % 9) < 4 ? 255 : 0);
    const light = Uint8Array.from({length: channels * side * side}, value);
    const detail = {light, side, channels, caption: `made, seed ${i}`};
    window.dispatchEvent(new CustomEvent("that-are-not-keep", {detail}));
})"""
EMPTY = """() => {
    const press = (name) => document.querySelector(`.tray [data-do=${name}]`).click();
    if (document.querySelector(".tray").hidden) return;
    if (document.querySelector(".opened").hidden) press("open");
    press("empty");
    press("empty");
    const line = document.querySelector(".tray [name=line]");
    line.value = "";
    line.dispatchEvent(new Event("input", {bubbles: true}));
}"""


@pytest.fixture
def page(desk: Any) -> Any:
    """The page with nothing but three made symbols in the tray, closed, and the focus nowhere."""
    clear(desk)
    offer(desk, 0, 3)
    desk.evaluate("document.activeElement.blur()")
    return desk


def offer(page: Any, first: int, count: int, side: int = 28, channels: int = 1) -> None:
    page.evaluate(OFFER, [first, count, side, channels])


def clear(page: Any) -> None:
    page.evaluate(EMPTY)
    assert page.locator(".tray").is_hidden()


def captions(page: Any) -> list[str]:
    return page.eval_on_selector_all(".strip .kept", "all => all.map(one => one.title)")


def test_symbols_are_kept_by_click_or_key_and_found_again_after_a_reload(desk: Any) -> None:
    clear(desk)
    assert desk.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--tray')") == "0px"
    for cell in (3, 18, 40):
        desk.click(f".panel[data-panel=a] .cell:nth-child({cell})")
        browser.settled(desk)
        if cell == 40:
            desk.keyboard.press("k")
        else:
            browser.press(desk, "Keep")
    before = captions(desk), browser.pictures(desk, ".strip canvas")
    assert before[0] == [f"{key}: fig2, iteration 4, seed {seed}" for key, seed in (("a", 2), ("b", 17), ("c", 39))]
    assert len(set(before[1])) == 3 and before[1][2] == picture(desk, ".symbol .big")
    desk.reload()
    desk.wait_for_selector(".tray .strip .kept")
    browser.settled(desk)
    assert (captions(desk), browser.pictures(desk, ".strip canvas")) == before


def test_a_symbol_is_kept_once_and_a_full_tray_keeps_what_it_has(page: Any) -> None:
    offer(page, 1, 1)
    assert len(captions(page)) == 3
    assert "in the tray already" in page.inner_text(".tray .said")
    offer(page, 3, 70)
    assert len(captions(page)) == 62
    assert "full with 62 symbols" in page.inner_text(".tray .said")


@pytest.mark.parametrize("broken", ["{", '{"kept": [{"light": "AAAA", "side": 28, "channels": 1}]}'])
def test_what_is_stored_may_be_anything(chromium: Any, address: str, broken: str) -> None:
    page = browser.blank(chromium)
    page.add_init_script(f"sessionStorage.setItem('that-are-not-tray', {json.dumps(broken)})")
    page.goto(address)
    browser.settled(page)
    offer(page, 0, 1)
    assert captions(page) == ["a: made, seed 0"]
    assert page.faults == []
    page.close()


def test_a_line_is_written_in_the_symbols(page: Any) -> None:
    page.click(".tray [data-do=open]")
    before = picture(page, ".written")
    page.keyboard.type("cab")
    written = picture(page, ".written")
    page.keyboard.type(" z")
    assert len({before, written, picture(page, ".written")}) == 3
    assert page.get_attribute(".written", "aria-label") == "“cab z”, written in the symbols"
    assert page.inner_text(".lacking") == "No symbol has the key “z”."


def test_a_key_that_is_there_twice_and_a_bad_name_are_answered_in_place(page: Any) -> None:
    page.click(".tray [data-do=open]")
    page.locator(".glyphs input").nth(1).fill("c")
    assert page.locator(".amiss").all_inner_texts() == ["", "“c” twice", "“c” twice"]
    page.click(".tray [data-do=font]")
    assert "Two symbols have the key “c”" in page.inner_text(".tray .problem")
    page.click(".tray [data-do=deal]")
    assert page.locator(".amiss").all_inner_texts() == ["", "", ""]
    page.fill(".tray [name=name]", "../x")
    page.click(".tray [data-do=font]")
    browser.told(page, "is no name for a font")
    page.fill(".tray [name=name]", "Alphabet")


def test_symbols_are_moved_and_removed_by_click_and_by_dragging(page: Any) -> None:
    page.drag_and_drop(".strip li:nth-child(1)", ".strip li:nth-child(3)")
    assert captions(page) == ["b: made, seed 1", "c: made, seed 2", "a: made, seed 0"]
    page.click(".tray [data-do=open]")
    page.locator(".glyphs .after").first.click()
    assert captions(page) == ["c: made, seed 2", "b: made, seed 1", "a: made, seed 0"]
    page.locator(".glyphs .remove").nth(1).click()
    assert captions(page) == ["c: made, seed 2", "a: made, seed 0"]


def test_everything_is_done_without_a_pointer(page: Any) -> None:
    page.keyboard.press("t")
    assert page.evaluate("document.activeElement.name") == "line"
    page.keyboard.press("Escape")
    assert page.locator(".tray .opened").is_hidden()
    browser.walk(page, ".strip .kept", "Shift+ArrowRight", "ArrowRight", "Delete")
    assert captions(page) == ["b: made, seed 1", "a: made, seed 0"]
    page.keyboard.press("Enter")
    page.keyboard.type("x")
    page.keyboard.press("Tab")
    assert captions(page) == ["b: made, seed 1", "x: made, seed 0"]
    page.keyboard.press("ArrowLeft")
    assert browser.iteration(page) == "4"


def test_sheet_settings_outlines_and_font_hold_every_symbol(page: Any, tmp_path: Path) -> None:
    offer(page, 3, 1, side=64, channels=3)
    page.click(".tray [data-do=open]")
    assert browser.saved_picture(page, ".tray [data-do=sheet]", tmp_path) == "alphabet.png"
    said = json.loads(browser.saved(page, ".tray [data-do=settings]", tmp_path).read_text())
    assert [each["caption"] for each in said["symbols"]] == [f"made, seed {seed}" for seed in range(4)]
    assert said["symbols"][3] == {"key": "d", "caption": "made, seed 3", "side": 64, "channels": 3}
    root = ElementTree.parse(browser.saved(page, ".tray [data-do=outlines]", tmp_path)).getroot()
    titles = {title.text for title in root.iter("{http://www.w3.org/2000/svg}title")}
    assert {f"made, seed {seed}" for seed in range(4)} <= titles
    page.locator(".glyphs input").nth(2).fill("ß")
    page.fill(".tray [name=name]", "Three Marks")
    font = TTFont(browser.saved(page, ".tray [data-do=font]", tmp_path))
    assert {ord(key) for key in "abß"} <= set(font.getBestCmap())
    assert font["name"].getDebugName(1) == "That Are Not Three Marks"


LOWEST = "all => Math.max(...all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().bottom))"
SIDES = "all => all.filter(one => one.offsetParent).flatMap(one => [one.offsetWidth, one.offsetHeight])"


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_the_bar_covers_nothing_and_the_opened_tray_fits(request: pytest.FixtureRequest, name: str) -> None:
    page = request.getfixturevalue(name)
    clear(page)
    offer(page, 0, 30)
    page.wait_for_function("parseFloat(document.documentElement.style.getPropertyValue('--tray')) > 0")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    bar = page.locator(".tray .dock").bounding_box()["y"]
    assert page.eval_on_selector_all(".iterations :is(button, input, p)", LOWEST) <= bar
    page.click(".tray [data-do=open]")
    width = page.viewport_size["width"]
    assert page.eval_on_selector_all(":is(.opened *, .dock > *)", browser.BEYOND, width) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_a_symbol_is_kept_shown_large_and_typed(phone: Any) -> None:
    clear(phone)
    phone.click(".symbol [data-do=keep]")
    phone.click(".tray [data-do=open]")
    phone.fill(".tray [name=line]", "aAa")
    assert phone.inner_text(".lacking") == ""
    assert min(phone.eval_on_selector_all(":is(.opened button, .opened input, .dock .kept, .dock .word)", SIDES)) >= 40
