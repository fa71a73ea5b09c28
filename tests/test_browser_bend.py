"""The tab "Bend it" in a real browser, over untrained machines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import browser
from tests.server import served
from tests.test_page_bend import tiny_machines

pytestmark = browser.NEEDED
LINK = "tab=bend-it"
CELL = ".couples .cell:nth-child({})"
OPERATORS = ".bend [data-knob=operator] button"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tiny_machines(tmp_path_factory.mktemp("checkpoints"))) as one:
        yield one.url


@pytest.fixture
def page(desk: Any) -> Any:
    """The tab as at first."""
    browser.press(desk, "Reset")
    desk.click(CELL.format(1))
    return desk


def both(page: Any) -> tuple[list[str], list[str]]:
    """All 32 pictures, before and after."""
    every = browser.pictures(page, ".couples canvas")
    return every[::2], every[1::2]


def after(page: Any) -> list[str]:
    return both(page)[1]


def test_32_pairs_are_there_without_a_click(page: Any) -> None:
    before, altered = both(page)
    assert (len(set(before)), len(set(altered))) == (32, 32) and not set(before) & set(altered)
    assert "creative-mnist: the decoder of digits. bend, strength 1" in page.inner_text(".bend .caption")


def test_what_was_drawn_before_stands_before_the_first_response(chromium: Any, address: str) -> None:
    early = browser.visit(chromium, address)
    early.evaluate("window.addEventListener('that-are-not-bent', event => event.stopImmediatePropagation(), true)")
    early.get_by_role("tab", name="Bend it").click()
    early.wait_for_selector('.bend[data-ready="true"]')
    assert len(set(both(early)[0])) == 32
    early.close()


def test_strength_0_is_the_picture_before_and_undo_goes_there_and_back(page: Any) -> None:
    altered = after(page)
    browser.press(page, "Undo")
    assert len(set(zip(*both(page), strict=True))) == 32 and both(page)[0] == after(page)
    assert "Nothing is altered" in page.inner_text(".bend .says")
    browser.press(page, "Redo")
    assert after(page) == altered
    page.keyboard.press("u")
    browser.settled(page)
    assert both(page)[0] == after(page)


def test_strength_amount_channels_and_chance_change_what_is_drawn_and_not_what_was(page: Any) -> None:
    before, seen = both(page)[0], [after(page)]

    def is_new() -> bool:
        drawn = after(page)
        new = drawn not in seen
        seen.append(drawn)
        return new

    for name, value in (("Strength", 0.5), ("Amount, times", 3), ("Share of the channels", 0.75)):
        browser.slide(page, name, value)
        assert is_new(), name
    for which in ("all", "alike", "2"):  # 2: the second group of those that act alike
        browser.press(page, which)
        assert is_new(), which
    browser.press(page, "by chance")
    assert after(page) == seen[3]
    browser.enter(page, "Seed of the alteration", "5")
    assert is_new()
    browser.press(page, "Another alteration by chance")
    assert is_new() and both(page)[0] == before
    browser.press(page, "32 new random seeds")
    assert not set(both(page)[0]) & set(before)


def test_only_what_a_machine_can_do_is_offered(page: Any) -> None:
    transforms = page.locator("select[data-knob=transform] option")
    offered = {"creative-mnist": "Rewrite", "fig2": "Blend", "kaleidoscope-mnist": None}
    for machine, own in offered.items():
        browser.choose(page, "Machine", machine)
        expected = [each for each in ("Bend", "Glitch", own, "Chain") if each]
        assert page.locator(OPERATORS).all_inner_texts() == expected
        assert ("rotate" in transforms.all_inner_texts()) is (machine == "fig2")


def test_each_operator_draws_the_same_seeds_in_its_own_way(page: Any) -> None:
    before, altered = both(page)
    for operator in ("Glitch", "Chain", "Rewrite"):
        browser.press(page, operator)
        assert both(page)[0] == before and after(page) != altered
        assert f"{operator.lower()}, strength" in page.inner_text(".bend .caption") and browser.no_problem(page)
    assert 0 < page.locator(".couples .marked").count() < 32  # what a judge took for the class
    assert "to a judge" in page.inner_text(".bend .legend")


LISTS = [
    ("creative-mnist", "Bend", ["Transform", "Layer"]),
    ("creative-mnist", "Glitch", ["Kind of glitch", "Layer"]),
    ("creative-mnist", "Rewrite", ["Class that is rewritten", "Class that it becomes"]),
    ("creative-mnist", "Chain", ["The machine that goes on"]),
    ("fig2", "Blend", ["Blended from iteration", "Blended to iteration"]),
]


@pytest.mark.parametrize(("machine", "operator", "knobs"), LISTS, ids=[operator for _, operator, _ in LISTS])
def test_each_list_changes_what_is_drawn(page: Any, machine: str, operator: str, knobs: list[str]) -> None:
    browser.choose(page, "Machine", machine)
    browser.press(page, operator)
    if machine == "fig2":
        browser.slide(page, "Passes", 1)  # untrained, they soon see nothing
    for knob in knobs:
        drawn, options = after(page), page.get_by_role("combobox", name=knob, exact=True).locator("option")
        browser.choose(page, knob, options.evaluate_all("all => all.find(one => !one.selected).value"))
        assert after(page) != drawn, knob
        assert browser.no_problem(page)


def test_a_machine_of_passes_is_scrubbed_and_starts_from_its_symbols_or_from_noise(page: Any) -> None:
    browser.choose(page, "Machine", "fig2")
    before, last = both(page)
    assert page.inner_text(".bend .passing output") == "pass 3 of 3"
    page.get_by_role("slider", name="Pass", exact=True).fill("1")
    assert page.inner_text(".bend .passing output") == "pass 1 of 3" and after(page) != last
    browser.press(page, "noise")
    assert both(page)[0] != before


def test_a_surprise_is_always_something_that_can_be_drawn(page: Any) -> None:
    for _ in range(4):
        browser.press(page, "Surprise me")
        assert browser.no_problem(page), page.inner_text(".bend .caption")


def test_a_pair_is_chosen_by_key_and_a_bad_seed_is_answered(page: Any) -> None:
    page.focus(CELL.format(1))
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    assert page.inner_text(".bend .one h2") == "Seed 9"
    browser.enter(page, "Seed of the first pair", "4294967265")
    browser.told(page, "give a whole number")


def test_a_pair_is_kept_and_files_say_what_is_on_show(page: Any, tmp_path: Path) -> None:
    browser.press(page, "Keep")
    title = page.get_attribute("#tray .kept", "title")
    assert "creative-mnist, bend, strength 1, transform multiply" in title and title.endswith("seed 0")
    page.click("#tray .strip .remove")
    browser.press(page, "Keep the one before")
    assert page.get_attribute("#tray .kept", "title") == "a: creative-mnist, before, seed 0"
    page.click("#tray .strip .remove")
    with Image.open(browser.saved(page, ".bend .save [data-do=picture]", tmp_path)) as sheet:
        assert sheet.format == "PNG" and min(sheet.size) > 400
    path = browser.saved(page, ".bend .save [data-do=settings]", tmp_path)
    said = json.loads(path.read_text())
    assert path.name == "creative-mnist_bend_seed-0.json"
    assert (said["machine"], said["operator"], said["layer"]) == ("creative-mnist", "bend", "decoder.1")
    assert said["transform"] == "multiply" and "tab=bend-it" in said["link"] and len(said["sha256"]) == 64


def test_on_a_phone_a_link_opens_on_the_same_pictures_and_knobs_wait_behind_a_word(chromium: Any, address: str) -> None:
    link = f"{address}?{LINK}&machine=fig2&transform=flip_h&passes=2&seed=40&strength=0.5"
    with browser.visiting(chromium, link, browser.PHONE) as page:
        assert "bend, strength 0.5, transform flip_h" in page.inner_text(".bend .caption")
        drawn, where = both(page), page.evaluate("thatAreNot.link()")
        page.goto("about:blank")
        page.goto(where)
        page.wait_for_selector('.bend[data-ready="true"]')
        browser.settled(page)
        assert both(page) == drawn
        assert not page.locator(".bend .knobs").is_visible()
        page.click(".bend summary")
        assert page.locator(".bend .knobs").is_visible()
        page.click(CELL.format(4))
        assert page.inner_text(".bend .one h2") == "Seed 43"


NONSENSE = ["machine=<b>&operator=blend&strength=99", "transform=rotate&amount=x_y&seed=1e9", "layer=decoder.99",
            "operator=rewrite&one=zeta"]  # fmt: skip


@pytest.mark.parametrize("link", NONSENSE)
def test_a_link_that_says_nonsense_opens_on_what_can_be_drawn(chromium: Any, address: str, link: str) -> None:
    with browser.visiting(chromium, f"{address}?{LINK}&{link}") as page:
        assert browser.no_problem(page) and len(set(after(page))) > 1
