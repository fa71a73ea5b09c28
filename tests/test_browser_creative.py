"""The tab "Creative decoder" in a real browser, over untrained decoders and a tiny run beside them."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import CHROMIUM, picture, visit

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]


def tab(chromium: Any, address: str, width: int, height: int) -> Any:
    page = visit(chromium, address, width, height)
    page.get_by_role("tab", name="Creative decoder").click()
    page.wait_for_selector('.creative[data-ready="true"]')
    still(page)
    return page


def still(page: Any) -> None:
    """Wait until all that was asked for is drawn."""
    page.wait_for_timeout(50)
    page.wait_for_function("document.querySelector('.creative').dataset.state === 'drawn'")


@pytest.fixture(scope="module")
def wide(chromium: Any, address: str) -> Iterator[Any]:
    page = tab(chromium, address, 1280, 900)
    yield page
    page.close()


@pytest.fixture
def desk(wide: Any) -> Any:
    """The page as at first."""
    wide.get_by_role("button", name="Digits", exact=True).click()
    wide.get_by_role("button", name="Reset").click()
    wide.click(".pairs .cell:first-child")
    still(wide)
    return wide


@pytest.fixture(scope="module")
def phone(chromium: Any, address: str) -> Iterator[Any]:
    page = tab(chromium, address, 390, 844)
    yield page
    page.close()


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    still(page)


def slide(page: Any, name: str, value: float) -> None:
    page.get_by_role("slider", name=name).fill(str(value))
    still(page)


def pairs(page: Any, side: int) -> list[str]:
    """All 32 pictures of one side, as data URLs."""
    return page.eval_on_selector_all(
        ".pairs .cell", "(all, side) => all.map(one => one.children[side].toDataURL())", side
    )


def both(page: Any) -> tuple[list[str], list[str]]:
    return pairs(page, 0), pairs(page, 1)


def test_32_pairs_are_there_without_a_click(desk: Any) -> None:
    regular, modified = both(desk)
    assert (len(set(regular)), len(set(modified))) == (32, 32)
    assert not set(regular) & set(modified)
    assert desk.inner_text(".creative .numeral") == "5"
    assert "creative-mnist: Digits. low-active, 5 neurons" in desk.inner_text(".creative .caption")


def test_pictures_stand_before_the_first_answer(chromium: Any, address: str) -> None:
    page = visit(chromium, address, 1280, 900)
    page.evaluate("window.addEventListener('that-are-not-pairs', event => event.stopImmediatePropagation(), true)")
    page.get_by_role("tab", name="Creative decoder").click()
    page.wait_for_selector('.creative[data-ready="true"]')
    assert len(set(pairs(page, 1))) == 32
    assert "waking up" in page.inner_text(".neurons")
    page.close()


def test_regular_leaves_every_picture_as_it_is(desk: Any) -> None:
    before = pairs(desk, 0)
    press(desk, "regular")
    assert both(desk) == (before, before)
    assert desk.get_by_role("slider", name="Gain").is_disabled()


@pytest.mark.parametrize("method", ["random", "noisy"])
def test_another_decoder_draws_the_same_codes_in_another_way(desk: Any, method: str) -> None:
    regular, modified = both(desk)
    press(desk, method)
    assert pairs(desk, 0) == regular
    assert pairs(desk, 1) != modified
    assert desk.get_by_role("slider", name="Most active").is_disabled()


def test_no_neurons_or_no_gain_is_the_regular_picture(desk: Any) -> None:
    slide(desk, "Neurons", 0)
    regular, modified = both(desk)
    assert regular == modified
    slide(desk, "Neurons", 5)
    slide(desk, "Gain", 0)
    assert both(desk) == (regular, regular)
    assert "Nothing is added" in desk.inner_text(".says")


def test_a_dragged_slider_asks_once_at_a_time_and_ends_at_the_newest(desk: Any) -> None:
    slide(desk, "Neurons", 12)
    expected, before = pairs(desk, 1), len(desk.requests)
    desk.get_by_role("slider", name="Neurons").evaluate(
        """(slider) => [20, 19, 18, 17, 16, 15, 14, 13, 12].forEach((value) => {
            slider.value = value;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        })"""
    )
    still(desk)
    assert pairs(desk, 1) == expected
    assert len([url for url in desk.requests[before:] if "/queue/join" in url]) == 2  # first, last


def test_the_handles_of_the_band_stop_before_each_other(desk: Any) -> None:
    slide(desk, "Least active", 90)
    assert desk.get_by_role("slider", name="Least active").input_value() == "14"
    slide(desk, "Most active", 80)
    assert "percentiles 14 to 80" in desk.inner_text(".knobs")
    assert re.search(r"\d+ neurons in this band, which fire for [\d.]+ % to", desk.inner_text(".within"))


def test_a_pair_tells_which_neurons_were_switched_on_and_how_seldom_they_fire(desk: Any) -> None:
    desk.click(".pairs .cell:nth-child(7)")
    assert desk.inner_text(".one h2") == "Seed 6"
    assert picture(desk, ".trio figure:nth-child(1) canvas") == pairs(desk, 0)[6]
    assert picture(desk, ".trio figure:nth-child(2) canvas") == pairs(desk, 1)[6]
    titles = desk.eval_on_selector_all(".neurons .row:not(.head)", "all => all.map(one => one.title)")
    assert len(titles) == 5
    assert all(re.match(r"Neuron \d+ fires for [\d.]+ % of the training images, at ", title) for title in titles)
    assert re.search(r"regular \d+\.\d\d", desk.inner_text(".trio"))


def test_arrow_keys_move_among_the_pairs_and_enter_selects(desk: Any) -> None:
    desk.focus(".pairs .cell:first-child")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        desk.keyboard.press(key)
    assert desk.inner_text(".one h2") == "Seed 5"


def test_another_layer_is_another_picture_and_another_count(desk: Any) -> None:
    before = pairs(desk, 1)
    press(desk, "2")
    assert pairs(desk, 1) != before
    assert "of 30 in layer 2" in desk.inner_text(".creative .where")


def test_more_neurons_than_there_are_is_answered_on_the_page(desk: Any) -> None:
    press(desk, "1")
    desk.get_by_role("slider", name="Neurons").fill("50")
    desk.get_by_role("alert").filter(has_text="the layer has 20 neurons, not 50").wait_for()
    slide(desk, "Neurons", 3)
    assert desk.locator(".creative .problem").is_hidden()


@pytest.mark.parametrize("seed", ["seven", "", "4294967265", "-1"])
def test_a_bad_seed_is_answered_on_the_page(desk: Any, seed: str) -> None:
    desk.get_by_role("textbox", name="Seed").fill(seed)
    desk.keyboard.press("Enter")
    desk.get_by_role("alert").filter(has_text="give a whole number").wait_for()


def test_a_seed_and_the_dice_draw_other_codes(desk: Any) -> None:
    at_first = pairs(desk, 0)
    desk.get_by_role("textbox", name="Seed").fill("8")
    desk.keyboard.press("Enter")
    still(desk)
    assert pairs(desk, 0)[:24] == at_first[8:]
    desk.get_by_role("button", name="32 new random seeds").click()
    still(desk)
    assert not set(pairs(desk, 0)) & set(at_first)


def test_another_data_set_is_another_decoder(desk: Any) -> None:
    before = pairs(desk, 0)
    press(desk, "Clothes")
    assert not set(pairs(desk, 0)) & set(before)
    assert "creative-fashion: Clothes" in desk.inner_text(".creative .caption")


def test_colours_are_shown_as_they_are(desk: Any) -> None:
    press(desk, "Colours")
    (red, green, blue, alpha), *_ = desk.eval_on_selector_all(
        ".pairs .cell canvas", "all => all.map(one => [...one.getContext('2d').getImageData(8, 8, 1, 1).data])"
    )
    assert len({red, green, blue}) > 1 and alpha == 255
    assert desk.locator(".creative [data-knob=layer] button").count() == 4
    assert "fewer neurons" in desk.inner_text(".sums")


def test_both_pictures_of_a_pair_are_kept_in_the_tray(desk: Any) -> None:
    press(desk, "Keep")
    press(desk, "Keep the regular")
    first, second = desk.eval_on_selector_all("#tray .kept", "all => all.map(one => one.title)")
    assert "creative-mnist, low-active" in first and first.endswith("seed 0")
    assert "creative-mnist, regular" in second and second.endswith("seed 0")
    for _ in range(2):
        desk.locator("#tray .strip .remove").first.click()


def test_the_picture_is_saved_as_a_png_named_by_its_settings(desk: Any, tmp_path: Path) -> None:
    with desk.expect_download() as download:
        desk.click(".creative [data-do=picture]")
    assert download.value.suggested_filename == "creative-mnist_low-active_seed-0.png"
    download.value.save_as(tmp_path / "pairs.png")
    with Image.open(tmp_path / "pairs.png") as sheet:
        assert sheet.format == "PNG" and min(sheet.size) > 400


def test_32_pairs_are_redrawn_while_one_looks(desk: Any) -> None:
    def redrawn(neurons: int) -> float:
        start = time.perf_counter()
        slide(desk, "Neurons", neurons)
        return time.perf_counter() - start

    assert min(redrawn(neurons) for neurons in (3, 7, 4, 6)) < 2  # 0.1 s where nothing else runs


def test_everything_that_is_seen_is_also_said(desk: Any) -> None:
    nameless = """all => all.filter(one => !(one.getAttribute("aria-label") || one.innerText.trim())).length"""
    seen = ".creative button, .creative input, .creative svg[role=img], .creative canvas[role=img]"
    assert desk.eval_on_selector_all(seen, nameless) == 0


def test_both_tabs_keep_their_place(desk: Any) -> None:
    desk.get_by_role("tab", name="Iterations").click()
    desk.wait_for_selector('.iterations[data-ready="true"]')
    desk.get_by_role("tab", name="Creative decoder").click()
    desk.wait_for_selector('.creative[data-ready="true"]')
    still(desk)
    assert len(set(pairs(desk, 1))) == 32


def test_on_a_phone_a_knob_is_turned_and_a_pair_is_chosen(phone: Any) -> None:
    before = pairs(phone, 1)
    phone.click(".creative summary")
    slide(phone, "Neurons", 20)
    assert pairs(phone, 1) != before
    phone.click(".pairs .cell:nth-child(4)")
    assert phone.inner_text(".one h2") == "Seed 3"
    phone.wait_for_function("document.querySelector('.one').getBoundingClientRect().top < innerHeight / 2")


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_nothing_reaches_over_the_edge(request: pytest.FixtureRequest, name: str) -> None:
    page = request.getfixturevalue(name)
    right = "all => Math.max(...all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().right))"
    assert page.eval_on_selector_all(".creative *", right) <= page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("name", ["wide", "phone"])
def test_it_asked_no_other_host_and_nothing_went_wrong(request: pytest.FixtureRequest, name: str, address: str) -> None:
    page = request.getfixturevalue(name)
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
