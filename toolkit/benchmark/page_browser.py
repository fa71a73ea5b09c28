"""What only a browser knows: seconds from nothing to the first picture, and from a moved slider to another sheet."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

from .page_visitor import PATIENCE, serving

FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
READY = '.figure-page[data-ready="true"]'
SCRUB = """async (count) => {
  const scrub = document.querySelector("#figure .scrub"), seen = document.querySelector("#figure .sheet canvas");
  const frame = () => new Promise(requestAnimationFrame), light = () => seen.toDataURL(), times = [];
  for (let i = 0; i < count; i++) {
    await frame();
    const start = performance.now();
    scrub.value = String((Number(scrub.value) + 1) % (Number(scrub.max) + 1));
    scrub.dispatchEvent(new Event("input", {bubbles: true}));
    await frame();
    times.push((performance.now() - start) / 1000);
    await new Promise((done) => setTimeout(done, 20));
  }
  return times;
}"""  # in seconds, up to the frame that shows it; without the melting of sheets, which is told not to be

FIRST = """() => new Promise((done) =>
  new PerformanceObserver((seen) => done(seen.getEntries()[0].renderTime / 1000))
    .observe({type: "element", buffered: true}))
"""  # in seconds from the asking for the page, the time of the picture that it begins with
Times = TypeVar("Times", float, tuple[float, float])


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser. Raises OSError, one sentence, where there is none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise OSError("there is no playwright: pip install playwright") from error
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise OSError("there is no Chromium: install it")
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=path, args=FLAGS.split())
            yield browser
            browser.close()
    except Error as error:
        raise OSError(f"the browser gave up: {str(error).splitlines()[0]}") from error


def visit(browser: Any, url: str) -> Any:
    """The page, its first picture drawn, in a window of a desk, without motion."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(url)
    page.wait_for_selector(READY)
    return page


def cold_starts(browser: Any, count: int, arguments: tuple[object, ...] = ()) -> list[tuple[float, float]]:
    """Seconds from starting `python app.py`, a new process, to the first picture on screen, and to the page, ready."""
    times = []
    for _ in range(count):
        with serving(*arguments) as server:
            asked = perf_counter() - server.begun
            page = visit(browser, server.url)
            times.append((asked + page.evaluate(FIRST), perf_counter() - server.begun))
            page.close()
    return times


def scrubs(browser: Any, url: str, count: int) -> list[float]:
    """Seconds from moving the slider over the iterations to the frame with the other sheet."""
    page = visit(browser, url)
    times: list[float] = page.evaluate(SCRUB, count)
    page.close()
    return times


def with_browser(work: Callable[[Any], list[Times]]) -> list[Times] | str:
    """What it measures in a browser; or, where there is none, why not."""
    try:
        with chromium() as browser:
            return work(browser)
    except OSError as error:
        return str(error)
