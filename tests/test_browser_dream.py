"""The tab "Dream" in a real browser, over untrained classifiers: one visit on a desk, one on a phone."""

from pathlib import Path
from typing import Any

from PIL import Image

from tests import browser

pytestmark = browser.NEEDED
LINK = "tab=dream&layer=nosuch.9"
GRID = ".dream .grid .cell:not([hidden]) canvas"


def grid(page: Any) -> list[str]:
    """The pictures on show."""
    return browser.pictures(page, GRID)


def step(page: Any, place: int) -> list[str]:
    page.locator(".dream").get_by_role("slider", name="Step", exact=True).fill(str(place))
    return grid(page)


def test_a_visitor_dreams_stops_paints_fools_and_takes_it_along(desk: Any, tmp_path: Path) -> None:
    page = desk
    browser.told(page, "The network of digits has no layer “nosuch.9”")
    end, begun = grid(page), step(page, 0)
    assert len(end) == 16 and not set(end) & set(begun)
    page.locator(".dream .grid .cell").nth(3).click()
    assert page.inner_text(".dream .one h2") == "Seed 3" and browser.picture(page, ".dream .trio canvas") == begun[3]
    step(page, 23)
    browser.press(page, "edges")
    assert (
        browser.no_problem(page) and grid(page) != end and "layer body.4 (edges)" in page.inner_text(".dream .caption")
    )
    browser.slide(page, "Strength, times the usual one", 0)
    assert grid(page) == begun and "Nothing is changed" in page.inner_text(".dream .says")
    assert browser.address(page)["strength"] == "0"
    browser.press(page, "Reset")
    browser.slide(page, "Steps of each size", 60)
    browser.press(page, "Begin", wait=False)
    page.locator(".dream").get_by_role("button", name="Stop").click()
    browser.settled(page)
    browser.press(page, "Style")
    browser.press(page, "clothes")
    assert "the textures of a sheet of clothes" in page.inner_text(".dream .says") and grid(page) != step(page, 0)
    browser.press(page, "Fool")
    browser.choose(page, "Class of the start", "7")
    browser.slide(page, "Epsilon", 0.3)
    before, after, added = browser.pictures(page, ".dream .trio canvas")
    assert len({before, after, added}) == 3 and "read as something else" in page.inner_text(".dream .sums")
    browser.press(page, "Dream")
    browser.press(page, "yours", wait=False)
    with Image.new("RGB", (20_000, 60), "white") as paper:
        paper.paste("black", (9980, 20, 10_020, 40))
        paper.save(tmp_path / "long.png")
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files(".dream [type=file]", tmp_path / "notes.png")
    browser.told(page, "give a PNG or JPEG")
    page.set_input_files(".dream [type=file]", tmp_path / "long.png")
    browser.settled(page)
    assert (
        browser.no_problem(page)
        and len(grid(page)) == 1
        and "From a picture of yours" in page.inner_text(".dream .caption")
    )
    assert browser.saved_picture(page, ".dream [data-do=picture]", tmp_path) == "judge-digits_dream_seed-0.png"
    with Image.open(browser.saved(page, ".dream [data-do=film]", tmp_path)) as film:
        assert (film.format, film.n_frames) == ("WEBP", 24)
    browser.to(page, "Iterations")
    page.click(".symbol [data-do=dream]")
    page.get_by_role("tab", name="Dream", selected=True).wait_for()
    browser.settled(page)
    assert "It is fig2, iteration" in page.inner_text(".dream .hint") and len(grid(page)) == 1


def test_on_a_phone_a_picture_is_dreamt_from_noise(phone: Any) -> None:
    assert phone.locator(".dream .knobs").is_hidden()
    phone.locator(".dream summary").click()
    before = grid(phone)
    browser.press(phone, "noise")
    assert len(grid(phone)) == 16 and grid(phone) != before
