"""A run that came with the models of some iterations alone, in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import CHROMIUM, grown, iteration, picture, slide, visit
from tests.server import served
from tests.test_app import tiny_run
from toolkit import hub

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tiny_run(tmp_path_factory.mktemp("thinned"), iterations=4)
    tiny_run(folder, iterations=2, name="fig2-seed1")
    for there in ("fig2/iter_001", "fig2/iter_003", "fig2-seed1/iter_001", "fig2-seed1/iter_002"):
        (folder / there / "model.safetensors").unlink()
    hub.write_index(folder, "fig2")
    with served(folder) as server:
        yield server.url


@pytest.fixture
def desk(chromium: Any, address: str) -> Iterator[Any]:
    page = visit(chromium, f"{address}?iteration=2&seed=17", 1280, 900)
    grown(page)
    yield page
    page.close()


def lived(page: Any) -> list[str]:
    return page.locator(".life button").all_inner_texts()


def test_a_symbol_of_the_sheets_has_its_whole_life_without_a_model(desk: Any) -> None:
    assert lived(desk) == ["1", "2", "3", "4"]
    desk.click(".life button:nth-child(3)")
    assert iteration(desk) == "3"
    shown = picture(desk, ".panel[data-panel=a] .cell:nth-child(18) canvas")
    assert picture(desk, ".life button:nth-child(3) canvas") == shown
    assert desk.inner_text(".note") == "iteration 3: its sheet"


def test_where_there_is_no_model_it_grows_at_the_nearest_iteration_that_has_one(desk: Any) -> None:
    slide(desk, 1)
    assert desk.inner_text("[data-do=grow]") == "Grow at 2"
    slide(desk, 3)  # as near to 2 as to 4
    assert desk.inner_text("[data-do=grow]") == "Grow at 2"
    desk.click("[data-do=grow]")
    grown(desk)
    assert iteration(desk) == "2" and desk.inner_text(".count").startswith("pass ")
    slide(desk, 0)
    assert desk.inner_text(".note") == "iteration 1: the first dream"
    assert desk.inner_text("[data-do=grow]") == "Grow at 2"
    desk.click("[data-do=grow]")
    grown(desk)
    assert iteration(desk) == "2" and desk.inner_text(".count").startswith("pass ")


def test_of_any_other_seed_the_iterations_with_a_model_are_its_life(desk: Any) -> None:
    desk.fill(".choose [name=seed]", "123456789")
    desk.press(".choose [name=seed]", "Enter")
    grown(desk)
    assert lived(desk) == ["2", "4"]
    slide(desk, 3)
    assert desk.inner_text(".note") == "iteration 3: no model"
    desk.fill(".choose [name=seed]", "5")
    desk.press(".choose [name=seed]", "Enter")
    assert lived(desk) == ["1", "2", "3", "4"]


def test_a_run_without_any_model_shows_its_sheets_and_says_that_nothing_grows(desk: Any) -> None:
    desk.fill(".choose [name=seed]", "123456789")
    desk.press(".choose [name=seed]", "Enter")
    grown(desk)
    desk.select_option(".experiments select", "fig2-seed1")
    desk.get_by_role("alert").filter(has_text="No model of fig2-seed1 is here to grow seed 123456789").wait_for()
    assert desk.locator(".untaught").is_visible() and desk.locator("[data-do=grow]").is_hidden()
    assert desk.input_value(".choose [name=seed]") == "0" and lived(desk) == ["1", "2"]
    desk.click("[data-do=dice]")
    assert desk.locator("#figure .problem").is_hidden()
    desk.click(".life button:nth-child(1)")
    seed = int(desk.input_value(".choose [name=seed]"))
    assert seed < 100 and desk.inner_text(".note") == "iteration 1: its sheet"
    shown = picture(desk, f".panel[data-panel=a] .cell:nth-child({seed + 1}) canvas")
    assert picture(desk, ".big") == shown
    assert desk.locator("[data-do=checkpoint]").is_disabled()
    assert desk.inner_text("[data-do=checkpoint]") == "checkpoint none, its model is not here"
    desk.select_option(".experiments select", "fig2")
    desk.locator("[data-do=grow]").filter(has_text="Grow at 2").wait_for()
    assert desk.locator(".untaught").is_hidden() and lived(desk) == ["1", "2", "3", "4"]
    assert desk.faults == []


def test_what_is_not_there_yet_cannot_be_kept(desk: Any) -> None:
    desk.route("**/queue/join*", lambda route: None)
    desk.fill(".choose [name=seed]", "987654321")
    desk.press(".choose [name=seed]", "Enter")
    keep, ask = (desk.locator(f".offers [data-do={do}]:visible") for do in ("keep", "ask"))
    assert [button.get_attribute("aria-disabled") for button in (keep, ask)] == ["true", "true"]
    desk.fill(".choose [name=seed]", "17")
    desk.press(".choose [name=seed]", "Enter")
    assert [button.get_attribute("aria-disabled") for button in (keep, ask)] == ["false", "false"]
