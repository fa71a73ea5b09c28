"""What the three tabs of many pictures share, in a real browser: they are there, chosen, reseeded, kept, saved."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import browser

pytestmark = browser.NEEDED


class Gallery(NamedTuple):
    tab: str
    link: str
    root: str
    channel: str
    cells: int
    canvases: int  # of a cell
    caption: str
    kept: str
    file: str


GALLERIES = [
    Gallery("Creative decoder", "creative-decoder", ".creative", "that-are-not-pairs", 32, 2,
            "creative-mnist: Digits. low-active, 5 neurons", "creative-mnist, low-active, 5 neurons",
            "creative-mnist_low-active_seed-0"),
    Gallery("Kaleidoscope", "kaleidoscope", ".kaleidoscope", "that-are-not-runs", 64, 1,
            "kaleidoscope-mnist: Digits. Run 10 of 300 from uniform noise", "kaleidoscope-mnist, run 10, uniform start",
            "kaleidoscope-mnist_run-10_seed-0"),
    Gallery("Bend it", "bend-it", ".bend", "that-are-not-bent", 32, 2,
            "creative-mnist: the decoder of digits. bend, strength 1", "creative-mnist, bend, strength 1, ",
            "creative-mnist_bend_seed-0"),
]  # fmt: skip


@pytest.fixture(scope="module", params=GALLERIES, ids=lambda its: its.link)
def gallery(request: pytest.FixtureRequest) -> Gallery:
    return request.param


@pytest.fixture(scope="module")
def visited(chromium: Any, address: str, gallery: Gallery) -> Iterator[Any]:
    with browser.visiting(chromium, f"{address}?tab={gallery.link}") as page:
        yield page


@pytest.fixture
def page(visited: Any, gallery: Gallery) -> Any:
    """The tab as at first."""
    browser.press(visited, "Reset")
    visited.click(f"{gallery.root} .cell")
    if visited.locator(f"{gallery.root} .scrub").count():
        visited.get_by_role("slider", name="Run", exact=True).fill("10")
    return visited


def seen(page: Any, gallery: Gallery) -> list[list[str]]:
    """Its pictures as the first of each cell, the second of each cell."""
    every = browser.pictures(page, f"{gallery.root} .cell canvas")
    return [every[which :: gallery.canvases] for which in range(gallery.canvases)]


def test_pictures_are_there_without_a_click_each_another(page: Any, gallery: Gallery) -> None:
    drawn = seen(page, gallery)
    assert [len(set(each)) for each in drawn] == [gallery.cells] * gallery.canvases
    assert len(set().union(*drawn)) == gallery.cells * gallery.canvases
    assert page.inner_text(f"{gallery.root} .caption").startswith(gallery.caption)


def test_what_was_drawn_before_stands_until_the_first_response(chromium: Any, address: str, gallery: Gallery) -> None:
    early = browser.visit(chromium, address)
    stop = f"window.addEventListener('{gallery.channel}', event => event.stopImmediatePropagation(), true)"
    early.evaluate(stop)
    early.get_by_role("tab", name=gallery.tab).click()
    early.wait_for_selector(f'{gallery.root}[data-ready="true"]')
    assert len(set(seen(early, gallery)[0])) == gallery.cells
    early.close()


def test_a_picture_is_chosen_by_key(page: Any, gallery: Gallery) -> None:
    columns = f"getComputedStyle(document.querySelector('{gallery.root} .cell').parentNode).gridTemplateColumns"
    across = page.evaluate(f"{columns}.split(' ').length")
    browser.walk(page, f"{gallery.root} .cell", "ArrowRight", "ArrowDown", "Enter")
    assert page.inner_text(f"{gallery.root} .one h2") == f"Seed {across + 1}"
    assert page.locator(f"{gallery.root} .cell[aria-pressed=true]").count() == 1


def test_a_seed_and_the_dice_draw_others_and_a_bad_seed_is_answered(page: Any, gallery: Gallery) -> None:
    at_first = seen(page, gallery)[0]
    browser.enter(page, "Seed of the first", "8")
    if gallery.tab == "Kaleidoscope":
        page.get_by_role("slider", name="Run", exact=True).fill("10")
    assert seen(page, gallery)[0][:-8] == at_first[8:]
    browser.press(page, f"{gallery.cells} new random seeds")
    assert not set(seen(page, gallery)[0]) & set(at_first)
    browser.enter(page, "Seed of the first", str(2**32 + 1 - gallery.cells))
    browser.told(page, "give a whole number")


def test_a_picture_is_kept_and_files_say_what_is_on_show(page: Any, gallery: Gallery, tmp_path: Path) -> None:
    browser.press(page, "Keep")
    [title] = browser.kept(page)
    assert title.startswith(f"a: {gallery.kept}") and title.endswith("seed 0")
    picture = browser.saved_picture(page, f"{gallery.root} .save [data-do=picture]", tmp_path)
    assert picture == f"{gallery.file}.png"
    path = browser.saved(page, f"{gallery.root} .save [data-do=settings]", tmp_path)
    said = json.loads(path.read_text())
    assert (path.name, said["tab"], said["selected_seed"]) == (f"{gallery.file}.json", gallery.link, 0)
    assert f"tab={gallery.link}" in said["link"] and len(said["sha256"]) == 64


NOTED = """one => { window.notes = [];
  new MutationObserver(() => notes.push(one.textContent)).observe(one, {childList: true}); }"""


@pytest.mark.parametrize(
    ("tab", "slider"), [("creative-decoder", "Neurons switched on"), ("kaleidoscope", "Perturbation")]
)
def test_while_another_network_wakes_up_it_is_said_whose_pictures_these_are(
    chromium: Any, address: str, tab: str, slider: str
) -> None:
    with browser.visiting(chromium, f"{address}?tab={tab}") as page:
        browser.slide(page, slider, 0)  # not as its sheet was drawn
        page.eval_on_selector(".figure-page:visible .awaited", NOTED)
        browser.press(page, "Clothes")
        assert page.evaluate("notes[0]") == "Waking Clothes up; until then, these are Digits."
        assert "Clothes" in page.inner_text(".caption:visible")
        assert page.inner_text(".figure-page:visible .awaited") == ""
