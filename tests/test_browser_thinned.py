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
    for there in ("001", "003"):
        (folder / "fig2" / f"iter_{there}" / "model.safetensors").unlink()
    hub.write_index(folder)
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
