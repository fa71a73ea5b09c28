"""A visitor: headless Chromium, pages in it that note what goes wrong, and what a visitor does and sees there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
PATIENCE = 60_000  # milliseconds, for a machine that is busy
DESK, PHONE = (1280, 900), (390, 844)
playwright = pytest.importorskip("playwright.sync_api")
NEEDED = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]

SETTLED = """() => {
    const shown = [...document.querySelectorAll(".figure-page:not(.tray)")].filter((each) => each.offsetParent);
    return shown.length && !document.querySelector(".splash") && shown.every((each) =>
        !each.matches("[data-ready=false], [data-busy], [data-lacking]")
        && each.querySelector("[data-do=grow]")?.textContent !== "Growing");
}"""
AT_REST = """canvas => new Promise((done) => {
    let before, same = 0;
    (function look() {
        const now = canvas.toDataURL();
        same = now === before ? same + 1 : 0;
        before = now;
        if (same < 6) requestAnimationFrame(look);
        else done(now);
    })();
})"""
NAMELESS = """all => all.filter((one) => one.getClientRects().length
    && !one.getAttribute("aria-label") && !one.textContent.trim() && !one.title && !one.labels?.length)
    .map((one) => one.outerHTML.slice(0, 99))"""
BEYOND = """(all, width) => all
    .filter((one) => one.offsetParent && one.getBoundingClientRect().right > width)
    .map((one) => one.outerHTML.slice(0, 99))"""


@contextmanager
def started() -> Iterator[Any]:
    """Chromium, as one context: pages that come later find the scripts in its cache."""
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield chromium.new_context()
        chromium.close()


def blank(chromium: Any, width: int = DESK[0], height: int = DESK[1]) -> Any:
    """A page that is nowhere yet, and notes what will happen: page.requests, page.faults."""
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size({"width": width, "height": height})
    page.requests, page.faults = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda said: page.faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def visit(chromium: Any, url: str, width: int = DESK[0], height: int = DESK[1]) -> Any:
    """A page at this address, once its tab is ready."""
    page = blank(chromium, width, height)
    page.goto(url)
    page.wait_for_selector('.figure-page[data-ready="true"]')
    return page


@contextmanager
def visiting(chromium: Any, url: str, size: tuple[int, int] = DESK) -> Iterator[Any]:
    """A visit to a tab that has settled; after it nothing has gone wrong, and no other host was asked."""
    page = visit(chromium, url, *size)
    settled(page)
    yield page
    host = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    assert [each for each in page.requests if not each.startswith((host, "data:", "blob:"))] == []
    assert page.faults == []
    page.close()


# ---- what a visitor does


def settled(page: Any) -> None:
    """Wait until all is drawn that the tab on show asked for, and let a film stand."""
    page.wait_for_function(SETTLED)
    page.evaluate("document.querySelector('.kaleidoscope.playing [data-do=play]')?.click()")


def to(page: Any, tab: str) -> None:
    """Open a tab by its name."""
    page.get_by_role("tab", name=tab).click()
    page.get_by_role("tab", name=tab, selected=True).wait_for()
    settled(page)


def press(page: Any, name: str, wait: bool = True) -> None:
    """Press a button of the tab on show."""
    page.locator(".figure-page:visible").get_by_role("button", name=name, exact=True).click()
    if wait:
        settled(page)


def choose(page: Any, name: str, value: str) -> None:
    """Choose of a list."""
    page.get_by_role("combobox", name=name, exact=True).select_option(value)
    settled(page)


def slide(page: Any, name: str, value: float) -> None:
    """Move a slider, and let it go."""
    slider = page.get_by_role("slider", name=name, exact=True)
    slider.fill(str(value))
    slider.dispatch_event("change")
    settled(page)


def enter(page: Any, name: str, text: str) -> None:
    """Fill in a field."""
    page.get_by_role("textbox", name=name).fill(text)
    page.keyboard.press("Enter")
    settled(page)


def walk(page: Any, query: str, *keys: str) -> None:
    """Press keys, beginning at an element."""
    page.focus(query)
    for key in keys:
        page.keyboard.press(key)
    settled(page)


def stroke(page: Any, query: str, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Draw a line on a canvas."""
    box = page.locator(query).bounding_box()
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=5)
    page.mouse.up()
    settled(page)


def saved(page: Any, button: str, folder: Path) -> Path:
    """The file that a button of the page gives."""
    with page.expect_download() as download:
        page.click(button)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def saved_picture(page: Any, button: str, folder: Path) -> str:
    """The name of the picture that a button gives, which is a PNG of some size."""
    path = saved(page, button, folder)
    with Image.open(path) as picture:
        assert picture.format == "PNG" and min(picture.size) > 200
    return path.name


def kept(page: Any) -> list[str]:
    """What the symbols in the tray are, which is emptied."""
    titles = page.eval_on_selector_all("#tray .kept", "all => all.map(one => one.title)")
    for _ in titles:
        page.locator("#tray .strip .remove").first.click()
    return list(titles)


# ---- what a visitor sees


def pictures(page: Any, query: str) -> list[str]:
    """Canvases as they are, as data URLs."""
    return page.eval_on_selector_all(query, "all => all.map((one) => one.toDataURL())")


def picture(page: Any, query: str) -> str:
    """A canvas as it is once it has come to rest, as a data URL."""
    return str(page.eval_on_selector(query, AT_REST))


def told(page: Any, text: str) -> None:
    """Wait until the page says what is wrong."""
    page.get_by_role("alert").filter(has_text=text).wait_for()


def no_problem(page: Any) -> bool:
    return page.locator(".problem:visible").count() == 0


def address(page: Any) -> dict[str, str]:
    """What the address says, once it says all that its tab told."""
    page.wait_for_function("location.href === thatAreNot.link() && new URLSearchParams(location.search).size > 1")
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def iteration(page: Any, panel: str = "a") -> str:
    return str(page.get_attribute(f".panel[data-panel={panel}]", "data-iteration"))
