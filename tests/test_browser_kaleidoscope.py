"""The tab "Kaleidoscope", and the line below it, in a real browser, over untrained networks."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import browser

pytestmark = browser.NEEDED
LINK = "tab=kaleidoscope"
AT_FIRST = ["Digits", "Reset"]
CELL = ".kaleidoscope .cell:nth-child({})"


@pytest.fixture
def page(page: Any) -> Any:
    """The tab as at first, at run 10."""
    to(page, 10)
    return page


def to(page: Any, frame: int) -> None:
    page.get_by_role("slider", name="Run", exact=True).fill(str(frame))


def run(page: Any) -> int:
    return int(page.get_attribute(".kaleidoscope", "data-run"))


def grid(page: Any) -> list[str]:
    """All 64 pictures."""
    return browser.pictures(page, ".kaleidoscope .grid canvas")


def test_runs_are_stepped_scrubbed_and_played_to_the_end_or_in_a_loop(page: Any) -> None:
    before = grid(page)
    browser.press(page, "One frame on")
    assert run(page) == 11 and grid(page) != before
    page.keyboard.press("ArrowLeft")
    assert run(page) == 10 and grid(page) == before
    to(page, 0)
    assert run(page) == 0 and "the noise" in page.inner_text(".kaleidoscope .where")
    to(page, 76)
    page.locator(".kaleidoscope").get_by_role("button", name="Play").click()
    page.wait_for_selector(".kaleidoscope[data-run='300']:not(.playing)")
    page.get_by_role("button", name="Loop").click()
    to(page, 78)
    page.locator(".kaleidoscope").get_by_role("button", name="Play").click()
    page.wait_for_function("Number(document.querySelector('.kaleidoscope').dataset.run) < 9")
    page.get_by_role("button", name="Loop").click()
    page.locator(".kaleidoscope").get_by_role("button", name="Pause").click()


def test_a_cell_shows_its_film_its_nearest_training_images_and_its_curves(page: Any) -> None:
    page.click(CELL.format(7))
    assert page.inner_text(".kaleidoscope .one h2") == "Seed 6"
    assert browser.picture(page, ".kaleidoscope .big") == grid(page)[6]
    page.wait_for_selector(".kaleidoscope .neighbours")
    far = [float(text) for text in page.inner_text(".neighbours").split()]
    assert len(far) == 3 and 0 < far[0] <= far[1] <= far[2]
    labels = "all => all.map(one => one.getAttribute('aria-label'))"
    names = page.eval_on_selector_all(".kaleidoscope .curve svg", labels)
    said = [re.sub(r": [\de.-]+ at run 10$", "", name) for name in names]
    assert said == ["movement", "distance to data", "pictures left"]
    page.click(".kaleidoscope .film button:last-child")
    assert run(page) == 300 and browser.picture(page, ".kaleidoscope .big") == grid(page)[6]
    page.click(".kaleidoscope .curve:last-child div", position={"x": 2, "y": 20})
    assert run(page) < 3


def test_other_settings_are_another_film_that_is_played_from_its_start(page: Any) -> None:
    seen = [grid(page)]
    browser.press(page, "published", wait=False)
    page.wait_for_selector(".kaleidoscope.playing")
    browser.settled(page)
    browser.slide(page, "Perturbation", 0.1)
    to(page, 10)
    seen.append(grid(page))
    browser.press(page, "normal")
    to(page, 10)
    assert "Run 10 of 300 from normal noise" in page.inner_text(".kaleidoscope .caption")
    seen.append(grid(page))
    browser.press(page, "none")
    assert page.get_by_role("slider", name="Perturbation").is_disabled()
    assert "not stirred" in page.inner_text(".kaleidoscope .caption")
    browser.slide(page, "Runs", 20)
    assert page.get_attribute(".kaleidoscope .scrub", "max") == "20"
    assert len({*map(tuple, seen)}) == 3


def test_the_newest_of_many_requests_is_what_stands_there(page: Any) -> None:
    browser.press(page, "published")
    to(page, 10)
    expected = grid(page)
    for name in ("none", "centred", "none", "published"):
        browser.press(page, name, wait=False)
    browser.settled(page)
    to(page, 10)
    assert grid(page) == expected


def draw(page: Any) -> None:
    browser.stroke(page, ".easel .canvas", (30, 30), (90, 110))
    to(page, 0)


def test_a_drawing_a_cell_or_a_file_is_where_the_first_row_starts(page: Any, tmp_path: Path) -> None:
    chosen = grid(page)[0]
    browser.press(page, "drawing")
    browser.press(page, "From chosen cell")
    to(page, 0)
    assert grid(page)[0] == chosen
    browser.press(page, "Clear")
    draw(page)
    start, drawing = grid(page), browser.picture(page, ".easel .canvas")
    assert set(start[:8]) == {drawing} and drawing not in start[8:]
    assert "your start" in page.inner_text(".kaleidoscope .where")
    with Image.new("RGB", (300, 200), "white") as paper:
        paper.paste("black", (110, 60, 190, 140))
        paper.save(tmp_path / "square.png")
    page.set_input_files("[type=file]", tmp_path / "square.png")
    browser.settled(page)
    assert "dark ink on light paper, and was inverted" in page.inner_text(".hint")
    to(page, 0)
    alpha = "one => [[0, 0], [14, 14]].map(([x, y]) => one.getContext('2d').getImageData(x, y, 1, 1).data[3])"
    assert page.eval_on_selector(".kaleidoscope .cell canvas", alpha) == [0, 255]
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("[type=file]", tmp_path / "notes.png")
    browser.told(page, "give a PNG or JPEG")


def test_another_network_is_another_film_and_colours_are_shown_and_drawn_on(page: Any) -> None:
    before = grid(page)
    browser.press(page, "Clothes")
    to(page, 10)
    assert not set(grid(page)) & set(before)
    assert "kaleidoscope-fashion: Clothes" in page.inner_text(".kaleidoscope .caption")
    browser.press(page, "Dogs")
    to(page, 0)
    pixel = "one => [...one.getContext('2d').getImageData(3, 3, 1, 1).data]"
    red, green, blue, alpha = page.eval_on_selector(".kaleidoscope .cell canvas", pixel)
    assert len({red, green, blue}) > 1 and alpha == 255
    assert page.locator(".kaleidoscope .curve").count() == 2 and page.locator(".near").is_hidden()
    browser.press(page, "drawing")
    draw(page)
    assert len(set(grid(page)[:8])) == 1


# ---- the line

POINTS = "Training points, from 0 to 1"


def learn(page: Any, *points: object) -> None:
    page.get_by_role("slider", name="Steps of training").fill("100")
    page.get_by_role("textbox", name=POINTS).fill(", ".join(map(str, points)))
    browser.press(page, "Train")


def test_a_line_is_learned_and_samples_fall(page: Any) -> None:
    learn(page, 0.3, 0.7)
    assert re.search(r"After 100 steps \(loss [\de.-]+\), 16 samples end after 20 runs", page.inner_text(".verdict"))
    assert page.locator(".playground .began").count() == 16 and page.locator(".playground .sample").count() == 32
    run_, places = ".playground [data-of=run]", "all => all.map(one => one.getAttribute('cx'))"
    page.get_by_role("slider", name="Run of the samples").fill("20")
    ends, function = (
        page.eval_on_selector_all(".playground .sample", places),
        page.get_attribute(".playground .function", "points"),
    )
    page.get_by_role("slider", name="Run of the samples").fill("0")
    assert page.eval_on_selector_all(".playground .sample", places) != ends
    browser.press(page, "Let them fall")
    page.wait_for_function(f"document.querySelector('{run_}').textContent === '20 of 20'")
    page.get_by_role("slider", name="Step of training").fill("0")
    assert page.get_attribute(".playground .function", "points") != function


def test_each_setting_of_the_network_learns_another_line(page: Any) -> None:
    functions = set()
    for depth, width, output, seed in [
        (2, 5, "sigmoid", 7), (3, 5, "sigmoid", 7), (3, 9, "sigmoid", 7), (3, 9, "tanh", 7), (3, 9, "tanh", 8),
    ]:  # fmt: skip
        page.get_by_role("slider", name="Hidden layers").fill(str(depth))
        page.get_by_role("slider", name="Neurons in each layer").fill(str(width))
        browser.press(page, output)
        page.get_by_role("textbox", name="Seed of the network").fill(str(seed))
        learn(page, 0.3, 0.7)
        functions.add(page.get_attribute(".playground .function", "points"))
    assert len(functions) == 5


def test_a_click_places_a_point_and_another_takes_it_away(page: Any) -> None:
    learn(page, 0.2, 0.8)
    box = page.locator(".playground .axes svg").bounding_box()
    for points in ("0.2, 0.5, 0.8", "0.2, 0.8"):
        page.click(".playground .axes", position={"x": box["width"] / 2, "y": 200})
        assert page.get_by_role("textbox", name=POINTS).input_value() == points


def test_points_that_cannot_be_learned_are_answered_on_the_page(page: Any) -> None:
    for points, said in [([0.5], "give two or more"), ([0.2, 1.5], "1.5 is not usable"), (["left"], "from 0 to 1")]:
        learn(page, *points)
        page.locator(".playground").get_by_role("alert").filter(has_text=said).wait_for()


def test_an_example_and_a_new_network_are_learned_at_once(page: Any) -> None:
    browser.press(page, "Four points", wait=False)
    page.get_by_role("slider", name="Steps of training").fill("3000")
    browser.press(page, "A new random network", wait=False)
    page.get_by_role("slider", name="Steps of training").fill("200")
    browser.press(page, "A new random network")  # what went before is not waited for
    assert "After 200 steps" in page.inner_text(".verdict") and "at 0.4" in page.inner_text(".verdict")


def test_on_a_phone_a_film_is_played_a_cell_is_chosen_and_a_line_is_learned(phone: Any) -> None:
    to(phone, 0)
    phone.locator(".kaleidoscope").get_by_role("button", name="Play").click()
    phone.wait_for_function("Number(document.querySelector('.kaleidoscope').dataset.run) > 3")
    phone.locator(".kaleidoscope").get_by_role("button", name="Pause").click()
    phone.click(CELL.format(4))
    assert phone.inner_text(".kaleidoscope .one h2") == "Seed 3"
    assert phone.locator(".kaleidoscope .knobs").is_hidden()
    phone.locator(".kaleidoscope summary").click()
    assert phone.locator(".kaleidoscope .knobs").is_visible()
    learn(phone, 0.2, 0.6)
    assert "After 100 steps" in phone.inner_text(".verdict")
