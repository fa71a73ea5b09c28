"""The page as one in a real browser: every tab by day and night, links, one seed for all tabs, responses that are lost.

TOOLKIT_SCREENSHOTS says where to keep pictures of the tabs.
"""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import browser

pytestmark = browser.NEEDED
TABS = ["Iterations", "Raise your own", "Creative decoder", "Kaleidoscope", "Words", "Bend it", "Dream",
        "Is it new?", "Claims", "Annotate", "About"]  # fmt: skip
WIDTHS = {"desktop": (browser.DESK, "light"), "phone": (browser.PHONE, "dark")}
KEPT = os.environ.get("TOOLKIT_SCREENSHOTS")
TOUCHED = ".figure-page :is(button, input, select, summary, label.file):not(.visually-hidden, .cell)"
SMALL = """all => all.filter(one => one.offsetParent)
    .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
    .filter(([, box]) => box.width < 40 || box.height < 40).map(([what]) => what)"""


def photographed(page: Any, tab: str, width: str) -> Image.Image:
    """A tab, all of it, from top to end."""
    browser.to(page, tab)
    if tab == "Kaleidoscope":
        page.get_by_role("slider", name="Steps of training").fill("100")
        browser.press(page, "Train")
    png = page.screenshot(full_page=True, animations="disabled")
    if KEPT:
        Path(KEPT).mkdir(parents=True, exist_ok=True)
        name = page.locator("[role=tab][aria-selected=true]").get_attribute("data-tab-id")
        (Path(KEPT) / f"{name}-{width}.png").write_bytes(png)
    return Image.open(BytesIO(png))


def drawn(picture: Image.Image) -> float:
    """The share of a picture that is not its commonest brightness."""
    counts = picture.convert("L").histogram()
    return 1 - max(counts) / sum(counts)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_tab_is_drawn_as_wide_as_the_screen_and_can_be_touched(chromium: Any, address: str, width: str) -> None:
    size, scheme = WIDTHS[width]
    page = browser.blank(chromium, *size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(address)
    browser.settled(page)
    assert [tab.inner_text() for tab in page.get_by_role("tab").all()] == TABS
    for tab in TABS:
        picture = photographed(page, tab, width)
        assert drawn(picture) > 0.02 and picture.width == size[0], tab
        assert page.evaluate("document.documentElement.scrollWidth") == size[0], tab
        assert page.eval_on_selector_all(".figure-page *", browser.BEYOND, size[0]) == [], tab
        if width == "phone":
            assert page.eval_on_selector_all(TOUCHED, SMALL) == [], tab
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
    page.close()


def test_on_a_phone_every_tab_is_in_reach_and_the_overview_fits(chromium: Any, address: str) -> None:
    with browser.visiting(chromium, address, browser.PHONE) as page:
        boxes = [tab.bounding_box() for tab in page.get_by_role("tab").all()]
        assert len(boxes) >= 4 and len({box["y"] for box in boxes}) <= 4
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] >= 40 for box in boxes)
        assert page.get_by_role("button", name="More tabs").count() == 0
        page.click("[data-do=map]:visible")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.get_by_role("button", name="All side by side").click()
        page.wait_for_function("document.querySelectorAll('.card .figure').length === 2")
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_modules_are_kept_for_the_next_visit_and_one_that_cannot_be_loaded_is_said_to_be(
    chromium: Any, address: str
) -> None:
    sizes = """performance.getEntriesByType("resource")
        .filter(one => one.name.includes("/modules/")).map(one => one.transferSize)"""
    for _ in range(2):
        with browser.visiting(chromium, address) as page:
            came = page.evaluate(sizes)
    assert len(came) > 8 and set(came) == {0}
    page = browser.blank(chromium)
    page.route("**/modules/*/claims.js", lambda route: route.abort())
    page.goto(f"{address}?tab=claims")
    browser.told(page, "could not be loaded: open the page again")
    page.close()


# ---- links

START = {"tab": "iterations", "experiment": "fig2", "iteration": "4", "seed": "0"}


def seed_of(page: Any) -> str:
    return str(page.input_value(".figure-page:visible [name=seed]"))


def test_the_address_says_the_tab_and_its_settings_and_back_goes_from_tab_to_tab(chromium: Any, address: str) -> None:
    with browser.visiting(chromium, address) as page:
        assert browser.address(page) == START
        page.get_by_role("slider", name="Iteration", exact=True).fill("1")
        browser.to(page, "Creative decoder")
        said = browser.address(page)
        assert said["tab"] == "creative-decoder"
        assert {"experiment", "method", "band", "neurons", "gain", "seed"} < said.keys()
        browser.to(page, "Kaleidoscope")
        wanted = {"tab", "experiment", "start", "runs", "stirred", "mode", "seed", "run"}
        assert wanted <= browser.address(page).keys()
        moves = [("back", "creative"), ("back", "iterations"), ("forward", "creative"), ("back", "iterations")]
        for move, there in moves:
            page.evaluate(f"history.{move}()")
            page.wait_for_selector(f".{there}:visible")
        assert browser.address(page)["iteration"] == browser.iteration(page) == "1"


def test_a_link_opens_the_tab_it_names_with_its_settings_and_draws_no_other(chromium: Any, address: str) -> None:
    with browser.visiting(chromium, f"{address}?tab=kaleidoscope&seed=42&runs=20&run=5&cell=3&mode=none") as page:
        assert page.get_attribute(".kaleidoscope", "data-run") == "5"
        assert (seed_of(page), page.inner_text(".one .seed")) == ("42", "45")
        assert "not stirred" in page.inner_text(".caption") and page.locator(".iterations").count() == 0
    link = "?tab=creative-decoder&experiment=creative-fashion&method=random&neurons=3&gain=2&band=20-40&seed=7&pair=2"
    with browser.visiting(chromium, address + link) as page:
        assert "creative-fashion: Clothes. random, 3 neurons, 2 times" in page.inner_text(".caption")
        assert (seed_of(page), page.inner_text(".one .seed")) == ("7", "9")
        said = browser.address(page).items()
        assert said >= {"neurons": "3", "gain": "2", "pair": "2", "band": "20-40"}.items()


def test_a_link_opened_again_shows_the_same_picture(chromium: Any, address: str) -> None:
    cell = ".panel[data-panel=b] .cell:nth-child(18) canvas"
    with browser.visiting(chromium, f"{address}?iteration=2&beside=1&against=fig6&seed=17") as page:
        before, where = browser.picture(page, cell), page.evaluate("thatAreNot.link()")
        assert "against=fig6" in where
        page.goto(where)
        browser.settled(page)
        assert (browser.iteration(page), browser.iteration(page, "b")) == ("2", "1")
        assert browser.picture(page, cell) == before


HOSTILE = [
    "tab=nowhere&experiment=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&seed=4294967296&view=%3Cb%3E&against=toString",
    f"tab=iterations&tab=kaleidoscope&seed=1&seed=2&iteration=2.5&beside=-1&experiment={'x' * 10_000}",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_what_a_link_says_wrongly_is_as_if_it_were_not_said(chromium: Any, address: str, query: str) -> None:
    with browser.visiting(chromium, f"{address}?{query}") as page:
        assert browser.address(page) == START
        assert page.locator(".problem:visible, .figure-page img, .figure-page [onerror]").count() == 0


WRONG = "seed=-5&neurons=51&gain=99&band=90-10&layer=9&pair=32&method=%3Cb%3E&runs=0&stirred=7&mode=x&start=y&cell=64"


@pytest.mark.parametrize("tab", ["creative-decoder", "kaleidoscope"])
def test_knobs_that_a_link_turns_too_far_stay(chromium: Any, address: str, tab: str) -> None:
    said = []
    for query in (f"tab={tab}", f"tab={tab}&experiment=nothing&{WRONG}&run=x"):
        with browser.visiting(chromium, f"{address}?{query}") as page:
            said.append({**browser.address(page), "run": ""})
            assert browser.no_problem(page)
    assert said[0] == said[1]


def test_copy_link_copies_the_link_to_what_is_on_show_or_shows_it(chromium: Any, address: str) -> None:
    with browser.visiting(chromium, address) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        for tab in TABS[:6]:
            browser.to(page, tab)
            page.click(".save:visible [data-do=link]")
            page.locator(".figure-page:visible").get_by_role("button", name="Copied").wait_for()
            copied = page.evaluate("navigator.clipboard.readText()")
            assert copied == page.evaluate("thatAreNot.link()") and copied.startswith(f"{address}?tab=")
        page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page.evaluate("document.execCommand = () => false")
        browser.to(page, "Iterations")
        page.click(".save:visible [data-do=link]")
        field = page.locator(".save:visible input.address")
        assert field.input_value() == page.evaluate("thatAreNot.link()")
        assert page.evaluate("getSelection().toString()") == field.input_value()
        page.evaluate("thatAreNot.space = 'owner/name'")
        assert page.evaluate("thatAreNot.link()").startswith("https://huggingface.co/spaces/owner/name?tab=iterations&")


# ---- what the tabs share


def test_a_seed_chosen_in_one_tab_is_the_seed_of_the_others(chromium: Any, address: str) -> None:
    with browser.visiting(chromium, address) as page:
        page.click(".panel[data-panel=a] .cell:nth-child(18)")
        for tab in ("Creative decoder", "Kaleidoscope"):
            browser.to(page, tab)
            assert (seed_of(page), browser.address(page)["seed"]) == ("17", "17")
        browser.enter(page, "Seed of the first picture", "2023")
        browser.to(page, "Iterations")
        assert page.inner_text(".symbol h2") == "Seed 2023"
        browser.to(page, "Creative decoder")
        assert seed_of(page) == "2023"
        page.click(".pairs .cell:nth-child(6)")  # which does not move the others of its tab
        browser.to(page, "Iterations")
        assert page.inner_text(".symbol h2") == "Seed 2028"
        browser.to(page, "Creative decoder")
        assert (seed_of(page), page.inner_text(".one .seed")) == ("2023", "2028")


# ---- responses that would be lost

ASKING = ["iterations", "creative-decoder", "kaleidoscope", "bend-it", "is-it-new"]


def ended(page: Any) -> list[str]:
    """From now on the stream of responses ends once, just when a request joins it. Filled by then: its address."""
    seen: list[str] = []

    def end(route: Any) -> None:
        seen.append(route.request.url)
        route.fulfill(content_type="text/event-stream", body='data: {"msg": "close_stream"}\n\n')

    page.route("**/queue/data*", end, times=1)
    return seen


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    one = browser.blank(chromium)
    yield one
    assert one.faults == []
    one.close()


@pytest.mark.parametrize("tab", ASKING)
def test_a_response_whose_stream_has_ended_comes_all_the_same(page: Any, address: str, tab: str) -> None:
    seen = ended(page)
    page.goto(f"{address}?tab={tab}")
    browser.settled(page)
    assert len(seen) == 1 and browser.no_problem(page)


def test_a_training_whose_stream_has_ended_goes_on(page: Any, address: str) -> None:
    page.goto(f"{address}?tab=kaleidoscope")
    browser.settled(page)
    seen = ended(page)
    page.evaluate("document.querySelector('.playground .plane').scrollIntoView()")
    page.wait_for_selector(".playground .function")
    browser.settled(page)
    assert len(seen) == 1


def test_a_file_whose_stream_has_ended_is_saved(page: Any, address: str, tmp_path: Path) -> None:
    page.goto(address)
    browser.settled(page)
    page.click("[data-do=keep]:visible")
    for button in (".tray [data-do=outlines]", ".iterations [data-do=checkpoint]"):
        page.click(".tray [data-do=open]")  # and closed again
        seen = ended(page)
        browser.saved(page, button, tmp_path)
        assert len(seen) == 1
