"""The tab "Bend it" in a real browser, over untrained machines."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import browser
from tests.server import served
from tests.test_page_bend import tiny_machines

pytestmark = browser.NEEDED
LINK = "tab=bend-it"
AT_FIRST = ["Reset"]
CELL = ".couples .cell:nth-child({})"
OPERATORS = ".bend [data-knob=operator] button"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tiny_machines(tmp_path_factory.mktemp("checkpoints"))) as one:
        yield one.url


def both(page: Any) -> tuple[list[str], list[str]]:
    """All 32 pictures, before and after."""
    every = browser.pictures(page, ".couples canvas")
    return every[::2], every[1::2]


def after(page: Any) -> list[str]:
    return both(page)[1]


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


def test_styles_are_mixed_by_layer_from_another_seed_truncated_and_silenced_and_a_link_says_so(page: Any) -> None:
    browser.choose(page, "Machine", "stylegan-mnist")
    browser.press(page, "Mix styles")
    (before, coarse), seen = both(page), [after(page)]
    assert coarse != before and "In the coarse layers" in page.inner_text(".bend .says")
    browser.press(page, "fine")
    seen.append(after(page))
    browser.enter(page, "Seed of the alteration", "9")
    seen.append(after(page))
    browser.slide(page, "Truncation", 0.5)
    seen.append(after(page))
    browser.press(page, "off")
    assert len({*map(tuple, [*seen, after(page)])}) == 5 and both(page)[0] == before
    link = page.evaluate("thatAreNot.link()")
    for setting in ("operator=mix", "styles=fine", "chance=9", "psi=0.5", "noise=off"):
        assert setting in link
    assert "the style of seed 9" in page.inner_text(".bend .says") and browser.no_problem(page)
    browser.press(page, "Undo")
    assert after(page) != before and "Nothing is altered" not in page.inner_text(".bend .says")


def test_the_picture_before_is_kept_as_well(page: Any) -> None:
    browser.press(page, "Keep the one before")
    assert browser.kept(page) == ["a: creative-mnist, before, seed 0"]


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


def test_on_a_phone_a_link_opens_on_the_same_pictures_and_knobs_wait_behind_a_word(chromium: Any, address: str) -> None:
    link = f"{address}?{LINK}&machine=fig2&transform=flip_h&passes=2&seed=40&strength=0.5"
    with browser.visiting(chromium, link, browser.PHONE) as page:
        assert "bend, strength 0.5, transform flip_h" in page.inner_text(".bend .caption")
        drawn, where = both(page), page.evaluate("thatAreNot.link()")
        page.goto("about:blank")
        page.goto(where)
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
