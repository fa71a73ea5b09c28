"""The tab "Kaleidoscope" in a real browser, over untrained networks and a tiny run beside them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import CHROMIUM, picture, visit

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]


def tab(chromium: Any, address: str, width: int, height: int) -> Any:
    page = visit(chromium, address, width, height)
    page.get_by_role("tab", name="Kaleidoscope").click()
    page.wait_for_selector('.kaleidoscope[data-ready="true"]')
    still(page)
    return page


def still(page: Any) -> None:
    """Wait until the film that was asked for is whole, and let it stand."""
    page.wait_for_timeout(50)
    page.wait_for_function("document.querySelector('.kaleidoscope').dataset.state === 'drawn'")
    if page.locator(".kaleidoscope.playing").count():
        page.get_by_role("button", name="Pause", exact=True).click()


@pytest.fixture(scope="module")
def wide(chromium: Any, address: str) -> Iterator[Any]:
    page = tab(chromium, address, 1280, 900)
    yield page
    page.close()


@pytest.fixture
def desk(wide: Any) -> Any:
    """The page as at first, at run 10."""
    press(wide, "Digits")
    press(wide, "Reset")
    wide.click(".kaleidoscope .grid .cell:first-child")
    to(wide, 10)
    return wide


@pytest.fixture(scope="module")
def phone(chromium: Any, address: str) -> Iterator[Any]:
    page = tab(chromium, address, 390, 844)
    yield page
    page.close()


def press(page: Any, name: str) -> None:
    page.locator(".kaleidoscope").get_by_role("button", name=name, exact=True).click()
    still(page)


def slide(page: Any, name: str, value: float) -> None:
    slider = page.get_by_role("slider", name=name)
    slider.fill(str(value))
    slider.dispatch_event("change")
    still(page)


def to(page: Any, frame: int) -> None:
    page.get_by_role("slider", name="Run", exact=True).fill(str(frame))


def run(page: Any) -> int:
    return int(page.get_attribute(".kaleidoscope", "data-run"))


def grid(page: Any) -> list[str]:
    """All 64 pictures, as data URLs."""
    return page.eval_on_selector_all(".kaleidoscope .grid canvas", "all => all.map(one => one.toDataURL())")


def trained(page: Any) -> None:
    page.wait_for_timeout(50)
    page.wait_for_function("document.querySelector('.playground').dataset.state === 'learned'")


def test_64_pictures_are_there_without_a_click(desk: Any) -> None:
    assert len(set(grid(desk))) == 64
    assert desk.inner_text(".kaleidoscope .numeral") == "10"
    assert "kaleidoscope-mnist: Digits. Run 10 of 300 from uniform noise" in desk.inner_text(".kaleidoscope .caption")


def test_pictures_stand_before_the_first_answer(chromium: Any, address: str) -> None:
    page = visit(chromium, address, 1280, 900)
    page.evaluate("window.addEventListener('that-are-not-runs', event => event.stopImmediatePropagation(), true)")
    page.get_by_role("tab", name="Kaleidoscope").click()
    page.wait_for_selector('.kaleidoscope[data-ready="true"]')
    assert (run(page), len(set(grid(page)))) == (10, 64)
    page.close()


def test_a_step_is_one_run_and_a_step_back_undoes_it(desk: Any) -> None:
    before = grid(desk)
    press(desk, "One frame on")
    assert run(desk) == 11 and grid(desk) != before
    desk.keyboard.press("ArrowLeft")
    assert run(desk) == 10 and grid(desk) == before


def test_the_slider_reaches_from_the_noise_to_the_last_run(desk: Any) -> None:
    to(desk, 0)
    assert run(desk) == 0 and "the noise" in desk.inner_text(".kaleidoscope .where")
    to(desk, 80)
    assert run(desk) == 300


def test_play_ends_at_the_end_and_a_loop_begins_again(desk: Any) -> None:
    to(desk, 76)
    desk.locator(".kaleidoscope").get_by_role("button", name="Play").click()
    desk.wait_for_function("document.querySelector('.kaleidoscope').dataset.run === '300'")
    desk.wait_for_selector(".kaleidoscope:not(.playing)")
    desk.get_by_role("button", name="Loop").click()
    to(desk, 78)
    desk.locator(".kaleidoscope").get_by_role("button", name="Play").click()
    desk.wait_for_function("Number(document.querySelector('.kaleidoscope').dataset.run) < 9")
    desk.get_by_role("button", name="Loop").click()
    press(desk, "Pause")


def test_a_cell_shows_its_film_and_its_nearest_training_images(desk: Any) -> None:
    desk.click(".kaleidoscope .cell:nth-child(7)")
    assert desk.inner_text(".kaleidoscope .one h2") == "Seed 6"
    assert picture(desk, ".kaleidoscope .big") == grid(desk)[6]
    desk.wait_for_selector(".kaleidoscope .neighbours")
    far = [float(text) for text in desk.inner_text(".neighbours").split()]
    assert len(far) == 3 and 0 < far[0] <= far[1] <= far[2]
    desk.click(".kaleidoscope .film button:last-child")
    assert run(desk) == 300 and picture(desk, ".kaleidoscope .big") == grid(desk)[6]


def test_curves_say_the_present_run_and_lead_to_others(desk: Any) -> None:
    names = desk.eval_on_selector_all(
        ".kaleidoscope .curve svg", "all => all.map(one => one.getAttribute('aria-label'))"
    )
    assert [re.sub(r": [\de.-]+ at run 10$", "", name) for name in names] == [
        "movement", "distance to data", "pictures left"
    ]  # fmt: skip
    desk.click(".kaleidoscope .curve:last-child div", position={"x": 2, "y": 20})
    assert run(desk) < 3


def test_arrow_keys_move_among_the_cells_and_enter_selects(desk: Any) -> None:
    desk.focus(".kaleidoscope .cell:first-child")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        desk.keyboard.press(key)
    assert desk.inner_text(".kaleidoscope .one h2") == "Seed 9" and run(desk) == 10


def test_other_settings_are_another_film_that_is_played_from_its_start(desk: Any) -> None:
    before = grid(desk)
    desk.get_by_role("button", name="published").click()
    desk.wait_for_selector(".kaleidoscope.playing")
    still(desk)
    to(desk, 10)
    assert grid(desk) != before
    press(desk, "none")
    assert desk.get_by_role("slider", name="Perturbation").is_disabled()
    assert "not stirred" in desk.inner_text(".kaleidoscope .caption")


def test_normal_noise_is_another_start(desk: Any) -> None:
    before = grid(desk)
    press(desk, "normal")
    to(desk, 10)
    assert grid(desk) != before
    assert "Run 10 of 300 from normal noise" in desk.inner_text(".kaleidoscope .caption")


def test_stirring_harder_is_another_film(desk: Any) -> None:
    before = grid(desk)
    slide(desk, "Perturbation", 0.1)
    to(desk, 10)
    assert grid(desk) != before


def test_a_picture_is_kept_in_the_tray(desk: Any) -> None:
    press(desk, "Keep")
    title = desk.get_attribute("#tray .kept", "title")
    assert "kaleidoscope-mnist, run 10" in title and title.endswith("seed 0")
    desk.click("#tray .strip .remove")


def test_fewer_runs_are_a_shorter_film(desk: Any) -> None:
    slide(desk, "Runs", 20)
    assert desk.get_attribute(".kaleidoscope .scrub", "max") == "20"


def test_a_seed_and_the_dice_are_other_noise(desk: Any) -> None:
    before = grid(desk)
    desk.get_by_role("textbox", name="Seed of the first").fill("8")
    desk.keyboard.press("Enter")
    still(desk)
    to(desk, 10)
    assert grid(desk)[:56] == before[8:]
    press(desk, "64 new random seeds")
    assert not set(grid(desk)) & set(before)


@pytest.mark.parametrize("seed", ["seven", "", "4294967295", "-1"])
def test_a_bad_seed_is_answered_on_the_page(desk: Any, seed: str) -> None:
    desk.get_by_role("textbox", name="Seed of the first").fill(seed)
    desk.keyboard.press("Enter")
    desk.locator(".kaleidoscope").get_by_role("alert").filter(has_text="give a whole number").wait_for()


def draw(page: Any) -> None:
    box = page.locator(".easel .canvas").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 110, steps=5)
    page.mouse.up()
    still(page)
    to(page, 0)


def test_a_drawing_is_where_the_first_row_starts(desk: Any) -> None:
    desk.get_by_role("button", name="drawing").click()
    draw(desk)
    start, drawing = grid(desk), picture(desk, ".easel .canvas")
    assert set(start[:8]) == {drawing} and drawing not in start[8:]
    assert "your start" in desk.inner_text(".kaleidoscope .where")
    press(desk, "Clear")
    assert picture(desk, ".easel .canvas") != drawing


def test_a_picture_is_fitted_and_light_on_dark(desk: Any, tmp_path: Path) -> None:
    with Image.new("RGB", (300, 200), "white") as paper:
        paper.paste("black", (110, 60, 190, 140))
        paper.save(tmp_path / "square.png")
    desk.get_by_role("button", name="drawing").click()
    desk.set_input_files("[type=file]", tmp_path / "square.png")
    still(desk)
    to(desk, 0)
    alpha = "one => [[0, 0], [14, 14]].map(([x, y]) => one.getContext('2d').getImageData(x, y, 1, 1).data[3])"
    assert desk.eval_on_selector(".kaleidoscope .cell canvas", alpha) == [0, 255]
    assert "was inverted" in desk.inner_text(".kaleidoscope .hint")


def test_what_is_no_picture_is_answered_on_the_page(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    desk.get_by_role("button", name="drawing").click()
    desk.set_input_files("[type=file]", tmp_path / "notes.png")
    desk.locator(".kaleidoscope").get_by_role("alert").filter(has_text="give a PNG or JPEG").wait_for()


def test_a_cell_is_a_start_too(desk: Any) -> None:
    chosen = grid(desk)[0]
    desk.get_by_role("button", name="drawing").click()
    press(desk, "From chosen cell")
    to(desk, 0)
    assert grid(desk)[0] == chosen


def test_another_network_is_another_film(desk: Any) -> None:
    before = grid(desk)
    press(desk, "Clothes")
    to(desk, 10)
    assert not set(grid(desk)) & set(before)
    assert "kaleidoscope-fashion: Clothes" in desk.inner_text(".kaleidoscope .caption")


def test_colours_are_shown_as_they_are_and_drawn_on(desk: Any) -> None:
    press(desk, "Dogs")
    to(desk, 0)
    pixel = "one => [...one.getContext('2d').getImageData(3, 3, 1, 1).data]"
    red, green, blue, alpha = desk.eval_on_selector(".kaleidoscope .cell canvas", pixel)
    assert len({red, green, blue}) > 1 and alpha == 255
    assert desk.locator(".kaleidoscope .curve").count() == 2 and desk.locator(".near").is_hidden()
    desk.get_by_role("button", name="drawing").click()
    draw(desk)
    assert len(set(grid(desk)[:8])) == 1


def test_the_newest_of_many_orders_is_what_stands_there(desk: Any) -> None:
    press(desk, "published")
    to(desk, 10)
    expected = grid(desk)
    for name in ("none", "centred", "none", "published"):
        desk.locator(".kaleidoscope").get_by_role("button", name=name, exact=True).click()
    still(desk)
    to(desk, 10)
    assert grid(desk) == expected


def test_the_picture_is_saved_as_a_png_named_by_its_settings(desk: Any, tmp_path: Path) -> None:
    with desk.expect_download() as download:
        desk.click(".kaleidoscope [data-do=picture]")
    assert download.value.suggested_filename == "kaleidoscope-mnist_run-10_seed-0.png"
    download.value.save_as(tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as sheet:
        assert sheet.format == "PNG" and min(sheet.size) > 400


def learn(page: Any, *points: float) -> None:
    page.get_by_role("slider", name="Steps of training").fill("100")
    page.get_by_role("textbox", name="Training points").fill(", ".join(map(str, points)))
    page.get_by_role("button", name="Train", exact=True).click()


def test_a_line_is_learned_and_samples_fall(desk: Any) -> None:
    learn(desk, 0.3, 0.7)
    trained(desk)
    assert re.search(r"After 100 steps \(loss [\de.-]+\), 16 samples end after 20 runs", desk.inner_text(".verdict"))
    assert desk.locator(".playground .began").count() == 16 and desk.locator(".playground .sample").count() == 32
    ends = desk.eval_on_selector_all(".playground .sample", "all => all.map(one => one.getAttribute('cx'))")
    desk.get_by_role("slider", name="Run of the samples").fill("0")
    assert desk.eval_on_selector_all(".playground .sample", "all => all.map(one => one.getAttribute('cx'))") != ends
    function = desk.get_attribute(".playground .function", "points")
    desk.get_by_role("slider", name="Step of training").fill("0")
    assert desk.get_attribute(".playground .function", "points") != function


def test_another_network_learns_another_line(desk: Any) -> None:
    functions = []
    for depth, width, output, seed in [
        (2, 5, "sigmoid", 7),
        (3, 5, "sigmoid", 7),
        (3, 9, "sigmoid", 7),
        (3, 9, "tanh", 7),
        (3, 9, "tanh", 8),
    ]:
        desk.get_by_role("slider", name="Hidden layers").fill(str(depth))
        desk.get_by_role("slider", name="Neurons in each layer").fill(str(width))
        desk.get_by_role("button", name=output, exact=True).click()
        desk.get_by_role("textbox", name="Seed of the network").fill(str(seed))
        learn(desk, 0.3, 0.7)
        trained(desk)
        functions.append(desk.get_attribute(".playground .function", "points"))
    assert len(set(functions)) == 5


def test_samples_fall_again_when_let_go(desk: Any) -> None:
    run_ = ".playground [data-of=run]"
    desk.get_by_role("slider", name="Run of the samples").fill("20")
    assert desk.inner_text(run_) == "20 of 20"
    desk.get_by_role("button", name="Let them fall").click()
    desk.wait_for_function(f"!document.querySelector('{run_}').textContent.startsWith('20 ')")
    desk.wait_for_function(f"document.querySelector('{run_}').textContent === '20 of 20'")


def test_a_click_places_a_point_and_another_takes_it_away(desk: Any) -> None:
    learn(desk, 0.2, 0.8)
    trained(desk)
    box = desk.locator(".playground .axes svg").bounding_box()
    middle = {"x": box["width"] / 2, "y": 200}
    desk.click(".playground .axes", position=middle)
    assert desk.get_by_role("textbox", name="Training points").input_value() == "0.2, 0.5, 0.8"
    desk.click(".playground .axes", position=middle)
    assert desk.get_by_role("textbox", name="Training points").input_value() == "0.2, 0.8"


@pytest.mark.parametrize(
    ("points", "said"), [([0.5], "give two or more"), ([0.2, 1.5], "give 0 to 1"), (["left"], "is no point")]
)
def test_points_that_cannot_be_learned_are_answered_on_the_page(desk: Any, points: list[Any], said: str) -> None:
    learn(desk, *points)
    desk.locator(".playground").get_by_role("alert").filter(has_text=said).wait_for()


def test_an_example_and_a_new_network_are_learned_at_once(desk: Any) -> None:
    desk.get_by_role("button", name="Four points").click()
    desk.get_by_role("slider", name="Steps of training").fill("3000")
    desk.get_by_role("button", name="A new random network").click()
    desk.get_by_role("slider", name="Steps of training").fill("200")
    desk.get_by_role("button", name="A new random network").click()  # what went before is not waited for
    trained(desk)
    assert "After 200 steps" in desk.inner_text(".verdict") and "at 0.4" in desk.inner_text(".verdict")


def test_everything_that_is_seen_is_also_said(desk: Any) -> None:
    nameless = """all => all.filter(one => !(one.getAttribute("aria-label") || one.innerText?.trim())).length"""
    for figure in (".kaleidoscope", ".playground"):
        seen = ", ".join(f"{figure} {kind}" for kind in ("button", "input", "[role=img]"))
        assert desk.eval_on_selector_all(seen, nameless) == 0


def test_on_a_phone_a_film_is_played_and_a_cell_is_chosen(phone: Any) -> None:
    to(phone, 0)
    phone.locator(".kaleidoscope").get_by_role("button", name="Play").click()
    phone.wait_for_function("Number(document.querySelector('.kaleidoscope').dataset.run) > 3")
    press(phone, "Pause")
    phone.click(".kaleidoscope .cell:nth-child(4)")
    assert phone.inner_text(".kaleidoscope .one h2") == "Seed 3"
    learn(phone, 0.2, 0.6)
    trained(phone)


def test_on_a_phone_the_knobs_open_and_close(phone: Any) -> None:
    phone.locator(".kaleidoscope .tune").evaluate("one => one.removeAttribute('open')")
    phone.locator(".kaleidoscope summary").click()
    assert phone.locator(".kaleidoscope .knobs").is_visible()
    phone.locator(".kaleidoscope summary").click()
    assert phone.locator(".kaleidoscope .knobs").is_hidden()


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_nothing_reaches_over_the_edge(request: pytest.FixtureRequest, name: str) -> None:
    page = request.getfixturevalue(name)
    right = "all => Math.max(...all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().right))"
    assert page.eval_on_selector_all(".kaleidoscope *, .playground *", right) <= page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("name", ["wide", "phone"])
def test_it_asked_no_other_host_and_nothing_went_wrong(request: pytest.FixtureRequest, name: str, address: str) -> None:
    page = request.getfixturevalue(name)
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
