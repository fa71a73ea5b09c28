"""Every tab in a real browser, on a desk by day, on a phone by night; TOOLKIT_SCREENSHOTS says where to keep them."""

import os
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
