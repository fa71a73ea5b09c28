"""Every tab by the rules of axe-core, by keyboard, narrow, enlarged, and without motion."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from tests import browser

pytestmark = browser.NEEDED
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN = """async (rules) => {
    const {violations} = await axe.run(document, {resultTypes: ["violations"], ...rules});
    return violations.filter(({impact}) => ["serious", "critical"].includes(impact))
        .flatMap(({id, nodes}) => nodes.map(({target}) => `${id}: ${target}`));
}"""
DARK = "dark => document.body.classList.contains('dark') === dark"
COLOURS = {"runOnly": ["color-contrast"]}  # what another theme can break
NARROW, ENLARGED = (320, 800), (browser.DESK[0] // 2, browser.DESK[1] // 2)  # 200 % of a desk
CUT = """all => all.filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1
    && getComputedStyle(one).overflowX !== "visible" && !one.closest(".visually-hidden"))
    .map((one) => one.outerHTML.slice(0, 99))"""
OFFERED = """() => [...document.querySelectorAll(":is(a[href], button, input, select, summary, [tabindex='0'])")]
    .filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({visibilityProperty: true}))"""
FOCUSED = """() => {
    const one = document.activeElement, {outlineStyle, outlineWidth} = getComputedStyle(one);
    const at = window.offered.indexOf(one), file = one.matches("input[type=file]");
    return [at, file || (outlineStyle !== "none" && parseFloat(outlineWidth) > 0), one.outerHTML.slice(0, 99)];
}"""
MOVING = """() => [...document.querySelectorAll(".figure-page, .figure-page *")].filter((one) => {
    const {transitionDuration, animationName} = getComputedStyle(one);
    return animationName !== "none" || transitionDuration.split(", ").some((each) => each !== "0s");
}).length"""


@pytest.fixture(scope="module")
def page(chromium: Any, address: str) -> Iterator[Any]:
    """One visit for all; each test goes from tab to tab."""
    one = browser.blank(chromium)
    one.emulate_media(color_scheme="light", reduced_motion="reduce")
    one.goto(address)
    browser.settled(one)
    one.evaluate(AXE)
    yield one
    assert one.faults == []
    one.close()


def tabs(page: Any) -> Iterator[str]:
    """Every tab, once it is on show, as wide as a desk."""
    for tab in page.get_by_role("tab").all():
        page.set_viewport_size(dict(zip(("width", "height"), browser.DESK, strict=True)))
        browser.to(page, tab.inner_text())
        yield tab.inner_text()


def resize(page: Any, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def violations(page: Any) -> list[str]:
    """Serious and critical ones, by day and, of colours alone, by night."""
    found = []
    for scheme, rules in (("dark", COLOURS), ("light", {})):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(DARK, arg=scheme == "dark")
        found += [f"{scheme}: {fault}" for fault in page.evaluate(RUN, rules)]
    return found


def test_no_tab_breaks_a_rule_of_accessibility_by_day_or_night_on_a_desk_or_a_phone(page: Any) -> None:
    found = {}
    for tab in tabs(page):
        for size in (browser.DESK, browser.PHONE):
            resize(page, size)
            found[tab, size] = violations(page)
    assert not any(found.values()), found


def test_what_opens_within_a_tab_breaks_none_either(page: Any) -> None:
    resize(page, browser.DESK)
    browser.to(page, "Iterations")
    for button in ("[data-do=keep]", "[data-do=compare]", "[data-do=map]", "[data-do=all]"):
        page.click(f"{button}:visible")
        browser.settled(page)
    page.click(".tray [data-do=open]")
    assert violations(page) == []
    page.click(".tray [data-do=open]")
    browser.press(page, "All side by side")
    assert violations(page) == []  # the map, two iterations side by side
    browser.to(page, "Kaleidoscope")
    browser.press(page, "drawing", wait=False)
    assert violations(page) == []


def test_axe_finds_what_is_put_there_for_it_to_find(page: Any) -> None:
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), {id: 'nameless'}))")
    assert page.evaluate(RUN, {}) == ["image-alt: #nameless"]
    page.evaluate("document.querySelector('#nameless').remove()")


def test_narrow_or_enlarged_nothing_is_lost_at_the_side(page: Any) -> None:
    for tab in tabs(page):
        for size in (NARROW, ENLARGED):
            resize(page, size)
            assert page.evaluate("document.documentElement.scrollWidth") == size[0], (tab, size)
            beyond = page.eval_on_selector_all(".figure-page *, [role=tab]", browser.BEYOND, size[0])
            assert (beyond, page.eval_on_selector_all(".figure-page *", CUT)) == ([], []), (tab, size)


def test_the_tab_key_reaches_all_that_can_be_used_and_shows_where_it_is(page: Any) -> None:
    for tab in tabs(page):
        offered = page.evaluate(f"(window.offered = ({OFFERED})()).length")
        page.get_by_role("tab").first.focus()
        reached, unseen = {0}, []
        for _ in range(offered + 10):  # a browser may stop elsewhere too, as at what scrolls
            page.keyboard.press("Tab")
            at, outlined, what = page.evaluate(FOCUSED)
            reached.add(at)
            unseen += [] if outlined else [what]
            if len(reached - {-1}) == offered:
                break
        missed = page.evaluate("reached => offered.filter((_, k) => !reached.includes(k)).map((one) => one.outerHTML)",
                               sorted(reached))  # fmt: skip
        assert (missed, unseen) == ([], []), tab


def test_whoever_wants_less_motion_gets_none(page: Any) -> None:
    for tab in tabs(page):
        assert page.evaluate(MOVING) == 0 and page.locator(".playing").count() == 0, tab
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(MOVING) > 0
    page.emulate_media(reduced_motion="reduce")
