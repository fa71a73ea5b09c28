"""The tab "Is it new?" in a real browser, over untrained judges."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import browser

pytestmark = browser.NEEDED
LINK = "tab=is-it-new&seed=7"
PAD = ".novel .canvas"
SENT = "detail => window.dispatchEvent(new CustomEvent('that-are-not-ask', {detail}))"


@pytest.fixture
def page(desk: Any) -> Any:
    browser.to(desk, "Is it new?")
    return desk


def of(page: Any) -> str:
    return str(page.inner_text(".novel .of"))


def opened(page: Any) -> None:
    """Wait until the tab has come on show by itself, and has settled."""
    page.get_by_role("tab", name="Is it new?", selected=True).wait_for()
    browser.settled(page)


def send(page: Any, caption: str, side: int, channels: int) -> None:
    light = [i % 251 for i in range(side * side * channels)]
    page.evaluate(SENT, {"light": light, "side": side, "channels": channels, "caption": caption})
    opened(page)


def stroke(page: Any) -> None:
    browser.stroke(page, PAD, (30, 30), (200, 60))


def test_a_link_opens_the_seed_it_names_with_all_that_is_known(phone: Any) -> None:
    assert of(phone) == "fig2, iteration 4, seed 7"
    assert phone.locator(".novel .near").count() == 2 and phone.locator(".novel .judge").count() == 2
    assert phone.inner_text(".novel .verdict h2")


def test_a_picture_from_another_tab_opens_the_tab_with_it(page: Any) -> None:
    browser.to(page, "Claims")
    send(page, "a test, seed 3", 28, 1)
    assert of(page) == "a test, seed 3"
    send(page, "colours", 16, 3)
    assert of(page) == "colours, in grey at 28 pixels" and browser.no_problem(page)


@pytest.mark.parametrize(
    ("tab", "caption"),
    [
        ("Iterations", "fig2, iteration 4, seed "),
        ("Creative decoder", "creative-mnist, low-active"),
        ("Kaleidoscope", "kaleidoscope-mnist, run "),
        ("Bend it", "creative-mnist, bend, strength 1"),
    ],
)
def test_the_picture_on_show_in_another_tab_is_judged(page: Any, tab: str, caption: str) -> None:
    browser.to(page, tab)
    page.click(".figure-page[data-ready=true] [data-do=ask]:visible")
    opened(page)
    assert of(page).startswith(caption)


def test_the_dice_grows_a_symbol_of_the_newest_run_and_the_link_says_its_seed(page: Any) -> None:
    before = browser.pictures(page, PAD)
    browser.press(page, "Another")
    assert of(page).startswith("fig2, iteration 4, seed ") and browser.pictures(page, PAD) != before
    page.wait_for_function(f"location.search.includes('seed={of(page).split()[-1]}')")


def test_a_stroke_is_judged_and_undone_and_an_empty_pad_is_not_judged(page: Any) -> None:
    def seen() -> tuple[list[str], str, str]:
        return browser.pictures(page, PAD), of(page), page.inner_text(".novel .caption")

    before = seen()
    stroke(page)
    assert of(page) == f"{before[1]}, drawn over" and seen()[2] != before[2]
    browser.press(page, "Undo")
    assert seen() == before
    browser.press(page, "Clear")
    assert page.inner_text(".novel .verdict h2") == "Draw something"
    stroke(page)
    assert of(page) == "Your drawing"
    assert "are this far from their nearest" in page.inner_text(".novel .says")


def test_an_upload_is_judged_and_what_is_no_picture_is_refused(page: Any) -> None:
    data = BytesIO()
    Image.radial_gradient("L").save(data, "PNG")
    for name, buffer in (("mine.png", data.getvalue()), ("no.png", b"no picture")):
        page.set_input_files(".novel [type=file]", {"name": name, "mimeType": "image/png", "buffer": buffer})
        browser.settled(page)
        assert of(page) == "Your picture mine.png"
    browser.told(page, "no picture that a browser reads")


def test_it_is_kept_and_saved_as_a_picture_and_as_settings(page: Any, tmp_path: Path) -> None:
    browser.press(page, "Keep")
    assert browser.kept(page) == [f"a: {of(page)}"]
    assert browser.saved_picture(page, ".novel .save [data-do=picture]", tmp_path).startswith("is-it-new_")
    said = json.loads(browser.saved(page, ".novel [data-do=settings]", tmp_path).read_text())
    assert len(base64.b64decode(said["light"])) == 784
    assert len(said["judges"]) == 2 and len(said["known"]) == 2
