"""A visitor: headless Chromium, a page in it that notes what goes wrong, and what is on that page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
PATIENCE = 60_000  # milliseconds, for a machine that is busy
playwright = pytest.importorskip("playwright.sync_api")


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, as one context: pages that come later find the scripts in its cache."""
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield chromium.new_context()
        chromium.close()


def visit(chromium: Any, url: str, width: int, height: int) -> Any:
    """A page that notes its requests and whatever went wrong: page.requests, page.faults."""
    return arrive(blank(chromium, width, height), url)


def blank(chromium: Any, width: int = 1280, height: int = 900) -> Any:
    """A page that is nowhere yet, and notes what will happen."""
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size({"width": width, "height": height})
    page.requests, page.faults = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda said: page.faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    return page


def arrive(page: Any, url: str) -> Any:
    """Go there with an empty slate: a new document, and nothing noted of the one before."""
    page.goto("about:blank")
    page.requests.clear()
    page.faults.clear()
    page.goto(url)
    page.wait_for_selector('.figure-page[data-ready="true"]')
    return page


def grown(page: Any) -> None:
    """Wait until the symbol on show has grown and its life is known."""
    page.wait_for_function(
        """() => document.querySelector("[data-do=grow]").textContent === "Again"
            && !document.querySelector(".progress").textContent"""
    )


STILL = """canvas => new Promise((done) => {
    let before, same = 0;
    (function look() {
        const now = canvas.toDataURL();
        same = now === before ? same + 1 : 0;
        before = now;
        if (same < 6) requestAnimationFrame(look);
        else done(now);
    })();
})"""


def picture(page: Any, query: str) -> str:
    """The pixels of a canvas, as a data URL, once a melting sheet has come to rest."""
    return str(page.eval_on_selector(query, STILL))


def iteration(page: Any, panel: str = "a") -> str:
    return str(page.get_attribute(f".panel[data-panel={panel}]", "data-iteration"))


def slide(page: Any, row: int, name: str = "Iteration") -> None:
    page.get_by_role("slider", name=name, exact=True).fill(str(row))
