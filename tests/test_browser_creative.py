"""The tab "Creative decoder" in a real browser, over untrained decoders."""

import re
from typing import Any

import pytest

from tests import browser

pytestmark = browser.NEEDED
LINK = "tab=creative-decoder"
AT_FIRST = ["Digits", "Reset"]
CELL = ".pairs .cell:nth-child({})"


def both(page: Any) -> tuple[list[str], list[str]]:
    """All 32 pictures, regular and modified."""
    every = browser.pictures(page, ".pairs canvas")
    return every[::2], every[1::2]


def test_methods_draw_the_same_codes_each_in_its_way(page: Any) -> None:
    regular, modified = both(page)
    assert page.inner_text(".creative .numeral") == "5"
    for method in ("random", "noisy"):
        browser.press(page, method)
        assert both(page)[0] == regular and both(page)[1] != modified
        assert page.get_by_role("slider", name="Most active").is_disabled()
    browser.press(page, "regular")
    assert both(page) == (regular, regular)
    assert page.get_by_role("slider", name="Gain").is_disabled()


@pytest.mark.parametrize("slider", ["Neurons switched on", "Gain, times the calibrated one"])
def test_no_neurons_or_no_gain_is_the_regular_picture(page: Any, slider: str) -> None:
    browser.slide(page, slider, 0)
    regular, modified = both(page)
    assert regular == modified and "Nothing is added" in page.inner_text(".says")


def test_a_dragged_slider_asks_once_at_a_time_and_ends_at_the_newest(page: Any) -> None:
    browser.slide(page, "Neurons switched on", 12)
    expected, before = both(page)[1], len(page.requests)
    page.get_by_role("slider", name="Neurons").evaluate(
        """(slider) => [20, 19, 18, 17, 16, 15, 14, 13, 12].forEach((value) => {
            slider.value = value;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        })"""
    )
    browser.settled(page)
    assert both(page)[1] == expected
    assert len([url for url in page.requests[before:] if "/queue/join" in url]) == 2  # first, last


def test_the_handles_of_the_band_stop_before_each_other(page: Any) -> None:
    browser.slide(page, "Least active, percentile", 90)
    assert page.get_by_role("slider", name="Least active").input_value() == "14"
    browser.slide(page, "Most active, percentile", 80)
    assert "percentiles 14 to 80" in page.inner_text(".knobs")
    assert re.search(r"\d+ neurons in this band, which fire for [\d.]+ % to", page.inner_text(".within"))


def test_a_pair_tells_its_neurons_and_both_of_its_pictures_are_kept(page: Any) -> None:
    page.click(CELL.format(7))
    assert page.inner_text(".one h2") == "Seed 6"
    large = [browser.picture(page, f".trio figure:nth-child({k}) canvas") for k in (1, 2)]
    assert large == [side[6] for side in both(page)]
    titles = page.eval_on_selector_all(".neurons .row:not(.head)", "all => all.map(one => one.title)")
    assert len(titles) == 5 and re.match(r"Neuron \d+ fires for [\d.]+ % of the training images, at ", titles[0])
    assert re.search(r"regular \d+\.\d\d", page.inner_text(".trio"))
    browser.press(page, "Keep")
    browser.press(page, "Keep the regular")
    assert [re.sub("(?<=low-active).*(?=, seed)", "", title) for title in browser.kept(page)] == [
        "a: creative-mnist, low-active, seed 6", "b: creative-mnist, regular, seed 6",
    ]  # fmt: skip


def test_a_slider_goes_between_two_digits_and_a_neuron_shows_what_fires_it(page: Any) -> None:
    large, before = ".mixed > canvas", len(page.requests)
    ends = []
    for step in (0, 20, 10):
        browser.slide(page, "Share of the way", step)
        ends.append(browser.picture(page, large))
    assert len(set(ends)) == 3 and "50 % of the way" in page.inner_text(".way .facts")
    assert page.requests[before:] == []  # all of it has come before
    browser.choose(page, "To", "3")
    browser.slide(page, "Share of the way", 20)
    assert browser.picture(page, large) == ends[0]  # from a 3 to itself
    page.locator(".neurons button.row").first.click()
    browser.settled(page)
    chosen = page.locator(".neurons .row[aria-pressed=true]").get_attribute("data-neuron")
    assert f"neuron {chosen}" in page.inner_text(".memory .told").lower()
    said = browser.address(page)
    assert (said["from"], said["to"], said["step"], said["neuron"]) == ("3", "3", "20", chosen)
    browser.press(page, "Colours")
    assert page.locator(".way:visible, .memory:visible").count() == 0
    browser.press(page, "Digits")


def test_another_layer_is_another_picture_and_too_many_neurons_are_refused(page: Any) -> None:
    before = both(page)[1]
    browser.press(page, "2")
    assert both(page)[1] != before
    assert "of 30 in layer 2" in page.inner_text(".creative .where")
    browser.press(page, "1")
    page.get_by_role("slider", name="Neurons").fill("50")
    browser.told(page, "the layer has 20 neurons, not 50")
    browser.slide(page, "Neurons switched on", 3)
    assert browser.no_problem(page)


def test_another_data_set_is_another_decoder_and_colours_are_shown_as_they_are(page: Any) -> None:
    before = both(page)[0]
    browser.press(page, "Clothes")
    assert not set(both(page)[0]) & set(before)
    assert "creative-fashion: Clothes" in page.inner_text(".creative .caption")
    browser.press(page, "Colours")
    pixel = "one => [...one.getContext('2d').getImageData(8, 8, 1, 1).data]"
    red, green, blue, alpha = page.eval_on_selector(f"{CELL.format(1)} canvas", pixel)
    assert len({red, green, blue}) > 1 and alpha == 255
    assert page.locator(".creative [data-knob=layer] button").count() == 4
    assert "fewer neurons" in page.inner_text(".sums")


def test_on_a_phone_a_knob_is_turned_and_a_pair_is_chosen(phone: Any) -> None:
    before = both(phone)[1]
    phone.click(".creative summary")
    browser.slide(phone, "Neurons switched on", 20)
    assert both(phone)[1] != before
    phone.click(CELL.format(4))
    assert phone.inner_text(".one h2") == "Seed 3"
    phone.wait_for_function("document.querySelector('.one').getBoundingClientRect().top < innerHeight / 2")
