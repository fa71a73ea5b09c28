"""The page in a real browser: headless Chromium does what a visitor would, at the width of a desk and of a phone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file

from tests.browser import CHROMIUM, grown, iteration, picture, slide, visit

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]


@pytest.fixture(scope="module")
def desk(chromium: Any, address: str) -> Iterator[Any]:
    page = visit(chromium, address, 1280, 900)
    grown(page)
    yield page
    page.close()


@pytest.fixture(scope="module")
def phone(chromium: Any, address: str) -> Iterator[Any]:
    page = visit(chromium, f"{address}?iteration=2&beside=1&seed=123456789", 390, 844)
    grown(page)
    yield page
    page.close()


def saved(page: Any, what: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(f".save [data-do={what}]")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


CELL = ".panel[data-panel=a] .cell:nth-child(18)"  # of seed 17


def test_a_result_is_there_without_a_click(desk: Any) -> None:
    assert iteration(desk) == "4"
    assert len(set(desk.eval_on_selector_all(".sheet canvas", "all => all.map(one => one.toDataURL())"))) > 100
    assert "fig2: A tiny run. Iteration 4 of 4" in desk.inner_text(".caption")
    assert "seed 0. At most 4 passes" in desk.inner_text(".caption")


def test_moving_the_slider_changes_the_picture_without_asking_the_server(desk: Any) -> None:
    before, asked = picture(desk, f"{CELL} canvas"), len(desk.requests)
    slide(desk, 1)
    assert picture(desk, f"{CELL} canvas") != before
    assert iteration(desk) == "1"
    assert len(desk.requests) == asked


def test_coming_back_to_an_iteration_shows_the_same_picture(desk: Any) -> None:
    slide(desk, 2)
    before = picture(desk, f"{CELL} canvas")
    slide(desk, 0)
    slide(desk, 2)
    assert picture(desk, f"{CELL} canvas") == before


def test_step_goes_one_on_and_one_back_and_stops_at_the_ends(desk: Any) -> None:
    slide(desk, 3)
    desk.get_by_role("button", name="One iteration on").click()
    desk.get_by_role("button", name="One iteration on").click()
    assert iteration(desk) == "4"
    desk.get_by_role("button", name="One iteration back").click()
    assert iteration(desk) == "3"


def test_play_runs_through_the_iterations_and_rests_at_the_last(desk: Any) -> None:
    slide(desk, 0)
    desk.get_by_role("button", name="Play").click()
    desk.wait_for_selector(".panel[data-panel=a][data-iteration='4']")
    desk.get_by_role("button", name="Play").wait_for()


def test_arrow_keys_step_and_space_plays_and_pauses(desk: Any) -> None:
    slide(desk, 2)
    desk.evaluate("document.activeElement.blur()")
    desk.keyboard.press("ArrowLeft")
    assert iteration(desk) == "1"
    desk.keyboard.press("ArrowRight")
    assert iteration(desk) == "2"
    desk.keyboard.press("Space")
    desk.get_by_role("button", name="Pause").wait_for()
    desk.keyboard.press("Space")
    desk.get_by_role("button", name="Play").wait_for()


def test_clicking_a_symbol_shows_its_life_and_how_it_grew(desk: Any) -> None:
    slide(desk, 3)
    desk.click(CELL)
    grown(desk)
    assert desk.inner_text(".symbol h2") == "Seed 17"
    assert desk.inner_text(".count").startswith("pass ")
    assert desk.locator(".film button:enabled").count() >= 2
    assert picture(desk, ".life button:nth-child(3) canvas") == picture(desk, f"{CELL} canvas")


def test_arrow_keys_move_among_the_symbols_and_enter_selects(desk: Any) -> None:
    desk.focus(CELL)
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        desk.keyboard.press(key)
    grown(desk)
    assert desk.inner_text(".symbol h2") == "Seed 28"
    assert iteration(desk) == "3"


def test_a_symbol_is_scrubbed_from_its_noise_to_its_end(desk: Any) -> None:
    end = picture(desk, ".symbol .big")
    desk.click(".film button:first-child")
    assert desk.inner_text(".count").startswith("pass 0 of ")
    assert picture(desk, ".symbol .big") != end
    passes = desk.get_by_role("slider", name="Pass", exact=True)
    passes.fill(passes.get_attribute("max"))
    assert picture(desk, ".symbol .big") == end


def test_a_click_on_a_curve_goes_to_that_iteration(desk: Any) -> None:
    desk.locator(".curves svg").first.click(position={"x": 3, "y": 20})
    assert iteration(desk) == "0"


def test_a_click_on_its_life_goes_to_that_iteration(desk: Any) -> None:
    desk.get_by_role("button", name="Iteration 2", exact=True).click()
    assert iteration(desk) == "2"
    assert desk.inner_text("[data-do=grow]") == "Grow at 2"
    desk.click("[data-do=grow]")
    grown(desk)


def test_a_new_seed_grows_a_symbol_that_is_not_on_the_sheet(desk: Any) -> None:
    before = picture(desk, ".symbol .big")
    desk.get_by_role("textbox", name="Seed").fill("20230717")
    desk.get_by_role("button", name="Sample").click()
    grown(desk)
    assert desk.inner_text(".symbol h2") == "Seed 20230717"
    assert picture(desk, ".symbol .big") != before
    assert "Selected: seed 20230717" in desk.inner_text(".caption")


def test_the_dice_draws_another_seed(desk: Any) -> None:
    before = desk.inner_text(".symbol h2")
    desk.get_by_role("button", name="A new random seed").click()
    grown(desk)
    assert re.fullmatch(r"Seed \d+", desk.inner_text(".symbol h2"))
    assert desk.inner_text(".symbol h2") != before


@pytest.mark.parametrize("seed", ["seven", "", str(2**63)])
def test_a_bad_seed_is_answered_on_the_page(desk: Any, seed: str) -> None:
    desk.get_by_role("textbox", name="Seed").fill(seed)
    desk.keyboard.press("Enter")
    desk.get_by_role("alert").filter(has_text="give a whole number").wait_for()


def test_two_iterations_stand_side_by_side_with_the_same_seed_marked(desk: Any) -> None:
    desk.click(CELL)
    desk.get_by_role("button", name="Compare with another iteration").click()
    slide(desk, 1, "Iteration beside")
    assert (iteration(desk), iteration(desk, "b")) == ("2", "1")
    a, b = (desk.locator(f".panel[data-panel={panel}]").bounding_box() for panel in "ab")
    assert a["x"] + a["width"] <= b["x"]
    assert desk.locator(".cell[aria-pressed=true]").count() == 2
    desk.wait_for_url("**iteration=2&seed=17&beside=1")
    desk.get_by_role("button", name="Compare with another iteration").click()
    assert desk.locator(".panel[data-panel=b]").is_hidden()


def test_the_picture_is_saved_as_a_png_named_by_its_settings(desk: Any, tmp_path: Path) -> None:
    slide(desk, 2)
    with Image.open(saved(desk, "picture", tmp_path)) as sheet, Image.open(saved(desk, "life", tmp_path)) as life:
        assert sheet.format == life.format == "PNG"
        assert min(*sheet.size, *life.size) > 200
    assert (tmp_path / "fig2_iteration-2.png").exists()


@pytest.mark.parametrize("what", ["animation", "growth"])
def test_an_animation_is_saved_as_a_gif(desk: Any, tmp_path: Path, what: str) -> None:
    with Image.open(saved(desk, what, tmp_path)) as film:
        assert film.format == "GIF"
        assert film.n_frames > 1


def test_the_checkpoint_of_the_iteration_on_show_is_saved(desk: Any, tmp_path: Path) -> None:
    path = saved(desk, "checkpoint", tmp_path)
    assert path.name == "fig2_iteration-2.safetensors"
    assert len(load_file(path)) == 12


def test_everything_that_is_seen_is_also_said(desk: Any) -> None:
    nameless = """all => all.filter(one => !(one.getAttribute("aria-label") || one.innerText.trim())).length"""
    assert (
        desk.eval_on_selector_all(".figure-page button, .figure-page input[type=range], svg[role=img]", nameless) == 0
    )
    assert desk.get_attribute(".symbol .big", "aria-label") == "Symbol of seed 17, iteration 2"


def test_a_link_opens_the_iterations_and_the_seed_it_names(phone: Any) -> None:
    assert (iteration(phone), iteration(phone, "b")) == ("2", "1")
    assert phone.inner_text(".symbol h2") == "Seed 123456789"


def test_on_a_phone_the_slider_moves_and_a_symbol_is_chosen(phone: Any) -> None:
    slide(phone, 1)
    phone.click(CELL)
    grown(phone)
    assert (iteration(phone), phone.inner_text(".symbol h2")) == ("1", "Seed 17")


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_nothing_reaches_over_the_edge(request: pytest.FixtureRequest, name: str) -> None:
    page = request.getfixturevalue(name)
    right = "all => Math.max(...all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().right))"
    assert page.eval_on_selector_all(".figure-page *", right) <= page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_it_asked_no_other_host_and_nothing_went_wrong(request: pytest.FixtureRequest, name: str, address: str) -> None:
    page = request.getfixturevalue(name)
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
