"""The map in a real browser: every symbol at its place, moving with the iterations."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from tests.browser import CHROMIUM, iteration, picture, slide, visit

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]
CELL = ".panel[data-panel=a] .cell:nth-child(13)"  # of seed 12, in the second row


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    with_map = visit(chromium, f"{address}?view=map&iteration=2&seed=12", 1280, 900)
    with_map.wait_for_selector(".panel.mapped")
    yield with_map
    assert with_map.faults == []
    with_map.close()


def place(page: Any, query: str = CELL) -> tuple[float, float]:
    """Where on its sheet a symbol lies, once it has arrived: from 0 to 1 each."""
    page.wait_for_function("document.getAnimations().filter((one) => one.effect.target.matches('.cell')).length === 0")
    script = """(cell) => {
        const box = cell.getBoundingClientRect(), all = cell.parentNode.getBoundingClientRect();
        return [(box.left - all.left) / (all.width - box.width), (box.top - all.top) / (all.height - box.height)];
    }"""
    x, y = page.eval_on_selector(query, script)
    return x, y


def test_a_symbol_is_at_its_place_and_moves_with_the_iterations(page: Any) -> None:
    assert place(page) == pytest.approx((0.32, 0.1), abs=0.01)
    asked = len(page.requests)
    slide(page, 4)
    assert place(page) == pytest.approx((0.52, 0.1), abs=0.01)
    assert len(page.requests) == asked


def test_the_line_is_the_way_so_far_and_the_data_lie_beneath(page: Any) -> None:
    points = page.get_attribute(".panel[data-panel=a] .way polyline", "points")
    assert points == "220,100 320,100"
    assert page.locator(".panel[data-panel=a] .ground canvas").count() == 100
    assert picture(page, ".panel[data-panel=a] .ground canvas:nth-child(5)") != picture(page, f"{CELL} canvas")
    assert "the way of seed 12" in page.inner_text(".panel[data-panel=a] .legend")


def test_a_click_on_the_map_selects_and_the_caption_and_link_say_the_map(page: Any) -> None:
    page.click(".panel[data-panel=a] .cell:nth-child(81)")
    assert page.inner_text(".symbol h2") == "Seed 80"
    assert "to a judge, 25 % of their spread" in page.inner_text(".caption")
    page.wait_for_function("location.search.includes('seed=80')")
    assert parse_qs(urlsplit(page.url).query)["view"] == ["map"]


def test_back_to_the_sheet_every_symbol_is_in_its_row(page: Any) -> None:
    page.keyboard.press("m")
    assert place(page) == pytest.approx((2 / 9, 1 / 9), abs=0.01)
    assert page.locator(".legend:visible, .ground:visible, .way:visible").count() == 0
    page.get_by_role("button", name="Map").click()
    assert place(page) == pytest.approx((0.32, 0.1), abs=0.01)


def test_two_iterations_are_compared_on_two_maps(page: Any) -> None:
    page.click("[data-do=compare] >> visible=true")
    assert iteration(page, "b") == "1"
    assert place(page, CELL.replace("=a", "=b")) == pytest.approx((0.22, 0.1), abs=0.01)


def test_the_map_is_saved_as_it_is_seen(page: Any, tmp_path: Path) -> None:
    with page.expect_download() as download:
        page.click(".save [data-do=picture]")
    assert download.value.suggested_filename == "fig2_iteration-2_map.png"
    download.value.save_as(tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        assert image.width > 1000 and len(image.convert("L").getcolors()) > 20


def test_an_experiment_without_a_map_has_no_button_for_it(page: Any) -> None:
    page.select_option(".experiments select", "fig6")
    page.wait_for_function("document.querySelector('.caption').textContent.startsWith('fig6')")
    assert page.locator("[data-do=map]:visible, .panel.mapped").count() == 0
    page.keyboard.press("m")
    assert page.locator(".panel.mapped").count() == 0


def test_a_curve_says_what_it_is_under_the_pointer(page: Any) -> None:
    page.locator(".curves svg").first.hover(position={"x": 3, "y": 20})
    assert page.locator(".curve b").first.inner_text() == "0: 0"
    page.mouse.move(5, 5)
    assert page.locator(".curve b").first.inner_text() == "0.2"


def test_on_a_phone_the_map_fits(chromium: Any, address: str) -> None:
    page = visit(chromium, f"{address}?view=map", 390, 844)
    page.wait_for_selector(".panel.mapped")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    right = page.eval_on_selector("[data-panel=a] [data-do=compare]", "one => one.getBoundingClientRect().right")
    assert right <= 390 and page.faults == []
    page.close()
