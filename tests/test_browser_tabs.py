"""Every tab in a real browser, on a desk by day, on a phone by night; TOOLKIT_SCREENSHOTS says where to keep them."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import CHROMIUM, arrive, blank

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]
TABS = ["Iterations", "Creative decoder", "Kaleidoscope", "Bend it", "Is it new?", "Claims", "Annotate", "About"]
WIDTHS = {"desktop": (1280, 900, "light"), "phone": (390, 844, "dark")}
KEPT = os.environ.get("TOOLKIT_SCREENSHOTS")
STILL = """states => {
  const all = [...document.querySelectorAll(".figure-page")].filter((each) => each.offsetParent);
  const drawn = ({dataset: {ready, state}}) => ready !== "false" && (!state || states.includes(state));
  const grown = (each) => !each.querySelector(".progress")?.textContent && ["Again", undefined].includes(each.querySelector("[data-do=grow]")?.textContent);
  return all.length && all.every((each) => drawn(each) && grown(each)) && !document.querySelector(".splash");
}"""  # noqa: E501


def walked(chromium: Any, address: str, width: str) -> Any:
    """A page of this width that has come up."""
    wide, high, scheme = WIDTHS[width]
    page = blank(chromium, wide, high)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    return arrive(page, address)


def still(page: Any, *states: str) -> None:
    """Wait until all is drawn that the tab on show asked for, and let a film stand."""
    page.wait_for_function(STILL, arg=["drawn", "told", "learned", *states])
    page.evaluate("document.querySelector('.kaleidoscope.playing [data-do=play]')?.click()")


def photographed(page: Any, tab: str, width: str) -> Image.Image:
    """A tab, all of it, from top to end."""
    page.get_by_role("tab", name=tab).click()
    still(page, "idle")
    for line in page.locator(".playground:visible").all():  # it learns when it is seen, and soon
        line.get_by_role("slider", name="Steps of training").fill("100")
        line.evaluate("figure => figure.querySelector('.plane').scrollIntoView()")
        still(page)
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
def test_every_tab_is_drawn_as_wide_as_the_screen_and_nothing_goes_wrong(
    chromium: Any, address: str, width: str
) -> None:
    page = walked(chromium, address, width)
    assert [tab.inner_text() for tab in page.get_by_role("tab").all()] == TABS
    for tab in TABS:
        picture = photographed(page, tab, width)
        assert drawn(picture) > 0.02 and picture.width == WIDTHS[width][0], tab
        assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS[width][0], tab
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
    page.close()


# ---- answers that would be lost


ASKING = ["iterations", "creative-decoder", "kaleidoscope", "bend-it", "is-it-new"]


def ended(page: Any) -> list[str]:
    """From now on the stream of answers ends once, just when a question joins it. Filled by then: its address."""
    seen: list[str] = []

    def end(route: Any) -> None:
        seen.append(route.request.url)
        route.fulfill(content_type="text/event-stream", body='data: {"msg": "close_stream"}\n\n')

    page.route("**/queue/data*", end, times=1)
    return seen


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    one = blank(chromium)
    yield one
    assert one.faults == []
    one.close()


@pytest.mark.parametrize("tab", ASKING)
def test_an_answer_whose_stream_has_ended_comes_all_the_same(page: Any, address: str, tab: str) -> None:
    seen = ended(page)
    arrive(page, f"{address}?tab={tab}")
    still(page, "idle")
    assert len(seen) == 1
    assert page.locator(".problem:visible").count() == 0


def test_a_training_whose_stream_has_ended_goes_on(page: Any, address: str) -> None:
    arrive(page, f"{address}?tab=kaleidoscope")
    still(page, "idle")
    seen = ended(page)
    page.evaluate("document.querySelector('.playground .plane').scrollIntoView()")
    page.wait_for_selector('.playground[data-state="learned"]')
    assert len(seen) == 1


def test_outlines_whose_stream_has_ended_are_drawn(page: Any, address: str) -> None:
    arrive(page, address)
    still(page)
    page.click("[data-do=keep]:visible")
    page.click(".tray [data-do=open]")
    seen = ended(page)
    with page.expect_download():
        page.click(".tray [data-do=outlines]")
    assert len(seen) == 1


def test_a_file_whose_stream_has_ended_is_saved(page: Any, address: str) -> None:
    arrive(page, address)
    still(page)
    seen = ended(page)
    with page.expect_download():
        page.click(".iterations [data-do=checkpoint]")
    assert len(seen) == 1
