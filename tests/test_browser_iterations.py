"""The tab "Iterations" in a real browser: sheets, one symbol, the map, and all experiments side by side."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file

from tests import browser
from tests.browser import iteration
from tests.server import served
from tests.test_app import tiny_run
from toolkit import hub

pytestmark = browser.NEEDED
LINK = "tab=iterations"
COMPARE = "Compare with another iteration"
CELL = ".panel[data-panel=a] .cell:nth-child(18)"  # of seed 17
SEED = ".choose [name=seed]"


def go(page: Any, row: int, name: str = "Iteration") -> None:
    page.get_by_role("slider", name=name, exact=True).fill(str(row))


def grow(page: Any, seed: object) -> None:
    page.fill(SEED, str(seed))
    page.press(SEED, "Enter")
    browser.settled(page)


# ---- sheets


def test_a_result_is_there_without_a_click(desk: Any) -> None:
    assert iteration(desk) == "4"
    assert len(set(browser.pictures(desk, ".sheet canvas"))) > 100
    assert "fig2: A tiny run. Iteration 4 of 4" in desk.inner_text(".caption")
    assert "seed 0. At most 4 passes" in desk.inner_text(".caption")
    assert "noise, learned from the dream as well, and dreamed again." in desk.inner_text(".lede:visible")


def test_the_slider_changes_the_picture_without_asking_the_server_and_back_again(desk: Any) -> None:
    before, asked = browser.picture(desk, f"{CELL} canvas"), len(desk.requests)
    go(desk, 1)
    assert (iteration(desk), len(desk.requests)) == ("1", asked)
    assert browser.picture(desk, f"{CELL} canvas") != before
    go(desk, 4)
    assert browser.picture(desk, f"{CELL} canvas") == before


def test_steps_play_and_keys_go_through_the_iterations_and_stop_at_the_ends(desk: Any) -> None:
    go(desk, 3)
    for name, there in (("One iteration on", "4"), ("One iteration on", "4"), ("One iteration back", "3")):
        browser.press(desk, name, wait=False)
        assert iteration(desk) == there
    go(desk, 2)
    desk.evaluate("document.activeElement.blur()")
    for key, there in (("ArrowLeft", "1"), ("ArrowRight", "2")):
        desk.keyboard.press(key)
        assert iteration(desk) == there
    desk.keyboard.press("Space")
    desk.get_by_role("button", name="Pause").wait_for()
    desk.keyboard.press("Space")
    browser.press(desk, "Play", wait=False)
    desk.wait_for_selector(".panel[data-panel=a][data-iteration='4']")
    desk.get_by_role("button", name="Play").wait_for()


def test_a_curve_says_what_it_is_under_the_pointer_and_a_click_goes_there(desk: Any) -> None:
    go(desk, 2)
    desk.locator(".curves svg").first.hover(position={"x": 3, "y": 20})
    assert desk.locator(".curve b").first.inner_text() == "0: 0"
    desk.mouse.move(5, 5)
    assert desk.locator(".curve b").first.inner_text() == "0.2"
    desk.locator(".curves svg").first.click(position={"x": 3, "y": 20})
    assert iteration(desk) == "0"


# ---- one symbol


def test_a_symbol_shows_its_life_and_how_it_grew_and_is_scrubbed(desk: Any) -> None:
    go(desk, 3)
    desk.click(CELL)
    browser.settled(desk)
    assert desk.inner_text(".symbol h2") == "Seed 17" and desk.inner_text(".count").startswith("pass ")
    assert desk.locator(".film button:enabled").count() >= 2
    assert browser.picture(desk, ".life button:nth-child(3) canvas") == browser.picture(desk, f"{CELL} canvas")
    end, passes = browser.picture(desk, ".symbol .big"), desk.get_by_role("slider", name="Pass", exact=True)
    desk.click(".film button:first-child")
    assert desk.inner_text(".count").startswith("pass 0 of ") and browser.picture(desk, ".symbol .big") != end
    passes.fill(passes.get_attribute("max"))
    assert browser.picture(desk, ".symbol .big") == end
    browser.press(desk, "Iteration 2", wait=False)
    assert (iteration(desk), desk.inner_text("[data-do=grow]")) == ("2", "Grow at 2")
    desk.click("[data-do=grow]")
    browser.settled(desk)


def test_symbols_are_chosen_by_key_by_seed_and_by_dice_and_a_bad_seed_is_answered(desk: Any) -> None:
    browser.walk(desk, CELL, "ArrowRight", "ArrowDown", "Enter")
    assert desk.inner_text(".symbol h2") == "Seed 28"
    before = browser.picture(desk, ".symbol .big")
    desk.fill(SEED, "20230717")
    browser.press(desk, "Sample")
    assert desk.inner_text(".symbol h2") == "Seed 20230717" and browser.picture(desk, ".symbol .big") != before
    assert "Selected: seed 20230717" in desk.inner_text(".caption")
    browser.press(desk, "A new random seed")
    assert re.fullmatch(r"Seed \d+", desk.inner_text(".symbol h2")) and desk.input_value(SEED) != "20230717"
    for seed in ("seven", "", str(2**63)):
        grow(desk, seed)
        browser.told(desk, "give a whole number")
        grow(desk, 7)


def test_what_is_not_there_yet_cannot_be_kept(chromium: Any, address: str) -> None:
    with browser.visiting(chromium, address) as page:
        offers = page.locator(".offers :is([data-do=keep], [data-do=ask]):visible")
        disabled = "all => all.map(one => one.getAttribute('aria-disabled'))"
        page.route("**/queue/join*", lambda route: None)
        for seed, is_disabled in (("987654321", "true"), ("17", "false")):
            page.fill(SEED, seed)
            page.press(SEED, "Enter")
            assert offers.evaluate_all(disabled) == [is_disabled, is_disabled]


# ---- beside each other


def test_two_iterations_stand_side_by_side_with_the_same_seed_marked(desk: Any) -> None:
    go(desk, 2)
    desk.click(CELL)
    browser.press(desk, COMPARE)
    go(desk, 1, "Iteration beside")
    assert (iteration(desk), iteration(desk, "b")) == ("2", "1")
    a, b = (desk.locator(f".panel[data-panel={panel}]").bounding_box() for panel in "ab")
    assert a["x"] + a["width"] <= b["x"]
    assert desk.locator(".cell[aria-pressed=true]").count() == 2
    desk.wait_for_url("**iteration=2&seed=17&beside=1")
    browser.choose(desk, "Experiment beside", "fig6")
    assert iteration(desk, "b") == "2"
    assert desk.inner_text(".panel[data-panel=b] .where span") == "of 2"
    assert "beside fig6 (A tiny run), iteration 2 of 2" in desk.inner_text(".caption")
    assert browser.address(desk).items() >= {"beside": "2", "against": "fig6"}.items()
    browser.press(desk, COMPARE)
    assert desk.locator(".panel[data-panel=b]").is_hidden()


def test_another_experiment_opens_at_the_same_iteration(desk: Any) -> None:
    go(desk, 1)
    for name, end in (("fig6", "of 2"), ("fig2", "of 4")):
        browser.choose(desk, "Experiment", name)
        assert (iteration(desk), desk.inner_text(".panel[data-panel=a] .where span")) == ("1", end)
        assert desk.inner_text(".caption").startswith(name)


def firsts(page: Any) -> list[str]:
    return browser.pictures(page, ".card canvas:first-child")


def test_all_experiments_move_with_one_slider_and_a_card_opens_its_own(
    chromium: Any, address: str, tmp_path: Path
) -> None:
    with browser.visiting(chromium, f"{address}?view=all&iteration=3") as page:
        assert browser.saved(page, ".save:visible [data-do=picture]", tmp_path).name == "all_iteration-3.png"
        assert page.get_by_text("ended at 2").count() == 1
        before, asked, slider = firsts(page), len(page.requests), "Iteration of all experiments"
        go(page, 2, slider)
        assert firsts(page)[1] == before[1]  # it ended there
        assert "iteration 2 of each, or its last" in page.inner_text(".caption")
        go(page, 1, slider)
        assert all(one != other for one, other in zip(before, firsts(page), strict=True))
        assert (len(before), len(page.requests), page.get_by_text("ended at").count()) == (2, asked, 0)
        for name, there in (("One iteration back", "0"), ("One iteration on", "1")):
            browser.press(page, name, wait=False)
            assert page.get_attribute(".overview", "data-iteration") == there
        browser.press(page, "Play", wait=False)
        page.wait_for_selector(".overview[data-iteration='4']")
        page.get_by_role("button", name="Play").wait_for()
        go(page, 1, slider)
        page.click(".card[data-experiment=fig6]")
        browser.settled(page)
        assert (iteration(page), page.locator(".overview").is_hidden()) == ("1", True)
        assert browser.address(page) == {"tab": "iterations", "experiment": "fig6", "iteration": "1", "seed": "0"}


# ---- the map

SPOT = ".panel[data-panel=a] .cell:nth-child(13)"  # of seed 12, in the second row
PLACE = """(cell) => {
    const box = cell.getBoundingClientRect(), all = cell.parentNode.getBoundingClientRect();
    return [(box.left - all.left) / (all.width - box.width), (box.top - all.top) / (all.height - box.height)];
}"""
LANDED = "document.getAnimations().filter((one) => one.effect.target.matches('.cell')).length === 0"


def place(page: Any, query: str = SPOT) -> Any:
    """Where on its sheet a symbol lies, once it has arrived: from 0 to 1 each."""
    page.wait_for_function(LANDED)
    return pytest.approx(page.eval_on_selector(query, PLACE), abs=0.01)


def test_on_the_map_a_symbol_is_at_its_place_and_moves_with_the_iterations(
    chromium: Any, address: str, tmp_path: Path
) -> None:
    with browser.visiting(chromium, f"{address}?view=map&iteration=2&seed=12") as page:
        panel = ".panel[data-panel=a]"
        assert place(page) == [0.32, 0.1]
        assert page.get_attribute(f"{panel} .way polyline", "points") == "220,100 320,100"
        assert page.locator(f"{panel} .ground canvas").count() == 100
        assert browser.picture(page, f"{panel} .ground canvas:nth-child(5)") != browser.picture(page, f"{SPOT} canvas")
        assert "the way of seed 12" in page.inner_text(f"{panel} .legend")
        assert browser.saved(page, ".save [data-do=picture]", tmp_path).name == "fig2_iteration-2_map.png"
        browser.press(page, COMPARE)
        assert iteration(page, "b") == "1" and place(page, SPOT.replace("=a", "=b")) == [0.22, 0.1]
        browser.press(page, COMPARE)
        asked = len(page.requests)
        go(page, 4)
        assert place(page) == [0.52, 0.1] and len(page.requests) == asked
        page.click(f"{panel} .cell:nth-child(81)")
        assert page.inner_text(".symbol h2") == "Seed 80"
        assert "to a judge, 25 % of their spread" in page.inner_text(".caption")
        assert browser.address(page).items() >= {"seed": "80", "view": "map"}.items()
        page.keyboard.press("m")
        assert place(page) == [2 / 9, 1 / 9]
        assert page.locator(".legend:visible, .ground:visible, .way:visible").count() == 0
        browser.press(page, "Map")
        assert place(page) == [0.52, 0.1]
        browser.choose(page, "Experiment", "fig6")
        page.keyboard.press("m")  # it has none
        assert page.locator("[data-do=map]:visible, .panel.mapped").count() == 0


# ---- files


def test_pictures_films_and_the_checkpoint_are_saved_under_names_that_say_what_they_are(
    desk: Any, tmp_path: Path
) -> None:
    go(desk, 2)
    assert browser.saved_picture(desk, ".save [data-do=picture]", tmp_path) == "fig2_iteration-2.png"
    browser.saved_picture(desk, ".save [data-do=life]", tmp_path)
    checkpoint = browser.saved(desk, ".save [data-do=checkpoint]", tmp_path)
    assert checkpoint.name == "fig2_iteration-2.safetensors" and len(load_file(checkpoint)) == 12
    said = json.loads(browser.saved(desk, ".save [data-do=settings]", tmp_path).read_text())
    assert (said["experiment"], said["sha256"]) == ("fig2", sha256(checkpoint.read_bytes()).hexdigest())
    assert {"tab", "version", "seed", "link"} < said.keys()
    for film in ("animation", "growth"):
        with Image.open(browser.saved(desk, f".save [data-do={film}]", tmp_path)) as image:
            assert image.format == "GIF" and image.n_frames > 1


def test_on_a_phone_a_link_opens_what_it_names_and_a_symbol_is_chosen(chromium: Any, address: str) -> None:
    link = f"{address}?iteration=2&beside=1&seed=123456789"
    with browser.visiting(chromium, link, browser.PHONE) as page:
        assert (iteration(page), iteration(page, "b")) == ("2", "1")
        assert page.inner_text(".symbol h2") == "Seed 123456789"
        go(page, 1)
        page.click(CELL)
        browser.settled(page)
        assert (iteration(page), page.inner_text(".symbol h2")) == ("1", "Seed 17")


# ---- runs that came with the models of some iterations alone, or of one iteration


@pytest.fixture(scope="module")
def thinned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tiny_run(tmp_path_factory.mktemp("thinned"), iterations=4)
    tiny_run(folder, iterations=2, name="fig2-seed1")
    for there in ("fig2/iter_001", "fig2/iter_003", "fig2-seed1/iter_001", "fig2-seed1/iter_002"):
        (folder / there / "model.safetensors").unlink()
    hub.write_index(folder, "fig2")
    with served(folder) as server:
        yield server.url


def lived(page: Any) -> list[str]:
    return page.locator(".life button").all_inner_texts()


def test_where_a_model_lacks_its_sheet_is_shown_and_it_grows_at_the_nearest(chromium: Any, thinned: str) -> None:
    with browser.visiting(chromium, f"{thinned}?iteration=2&seed=17") as page:
        assert lived(page) == ["1", "2", "3", "4"]
        page.click(".life button:nth-child(3)")
        assert iteration(page) == "3" and page.inner_text(".note") == "iteration 3: its sheet"
        assert browser.picture(page, ".life button:nth-child(3) canvas") == browser.picture(page, f"{CELL} canvas")
        for row in (3, 0):  # as near to 2 as to 4; the data
            go(page, row)
            assert page.inner_text("[data-do=grow]") == "Grow at 2"
            page.click("[data-do=grow]")
            browser.settled(page)
            assert iteration(page) == "2" and page.inner_text(".count").startswith("pass ")
        go(page, 0)
        assert page.inner_text(".note") == "iteration 1: the first dream"
        grow(page, 123456789)
        assert lived(page) == ["2", "4"]
        go(page, 3)
        assert page.inner_text(".note") == "iteration 3: no model"


def test_a_run_without_any_model_shows_its_sheets_and_says_that_nothing_grows(chromium: Any, thinned: str) -> None:
    with browser.visiting(chromium, f"{thinned}?iteration=2&seed=123456789") as page:
        browser.choose(page, "Experiment", "fig2-seed1")
        browser.told(page, "No model of fig2-seed1 is here to grow seed 123456789")
        assert page.locator(".untaught").is_visible() and page.locator("[data-do=grow]").is_hidden()
        assert page.input_value(SEED) == "0" and lived(page) == ["1", "2"]
        page.click("[data-do=dice]")
        assert page.locator("#figure .problem").is_hidden()
        page.click(".life button:nth-child(1)")
        seed = int(page.input_value(SEED))
        assert seed < 100 and page.inner_text(".note") == "iteration 1: its sheet"
        shown = browser.picture(page, f".panel[data-panel=a] .cell:nth-child({seed + 1}) canvas")
        assert browser.picture(page, ".big") == shown
        assert page.locator("[data-do=checkpoint]").is_disabled()
        assert page.inner_text("[data-do=checkpoint]") == "checkpoint none, its model is not here"
        browser.choose(page, "Experiment", "fig2")
        assert page.inner_text("[data-do=grow]") == "Grow at 2"
        assert page.locator(".untaught").is_hidden() and lived(page) == ["1", "2", "3", "4"]


def test_with_one_experiment_of_one_iteration_nothing_is_superfluous(chromium: Any, tmp_path: Path) -> None:
    with served(tiny_run(tmp_path, iterations=1)) as alone, browser.visiting(chromium, alone.url) as page:
        assert "dreamed a data set out of noise. Press play" in page.inner_text(".lede:visible")
        browser.press(page, COMPARE)
        assert page.locator(".experiments:visible, .overview:visible, .against:visible").count() == 0
