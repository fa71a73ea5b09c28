"""The tab "Raise your own" in a real browser: a family from the first taps to its link, and a server that dies."""

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import pytest
from PIL import Image

from tests import browser
from tests.server import free_port, start
from toolkit import data, raising

pytestmark = browser.NEEDED
LINK = "tab=raise-your-own"
SYMBOLS, TREE = ".raising .symbols .cell", ".raising .branches .cell"
LIGHT = """[...document.querySelectorAll(".raising .symbols canvas")].map((one) =>
    [...one.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 3))"""
SHARED = f"""() => document.querySelector(".raising .shared")?.checkVisibility()
    && document.querySelector(".raising .shared canvas").hidden && {LIGHT}"""
WIDTHS = {"desktop": browser.DESK, "phone": browser.PHONE}


def tap(page: Any, *seeds: int) -> None:
    for seed in seeds:
        page.locator(SYMBOLS).nth(seed).click()


def raise_from(page: Any, *seeds: int) -> None:
    """Pick some, and wait for their children."""
    tap(page, *seeds)
    browser.press(page, "Next generation")


def go(page: Any, number: int) -> None:
    """Open a generation in the tree, by the order in which they were raised."""
    page.locator(TREE).nth(number).click()
    browser.settled(page)


def seen(page: Any) -> tuple[str, int, int, list[str]]:
    """The generation on show, how many there are, how many picks, and the symbols."""
    generations, picks = (page.locator(query).count() for query in (TREE, ".raising .picks button"))
    return page.inner_text(".raising .numeral"), generations, picks, browser.pictures(page, f"{SYMBOLS} canvas")


def context(chromium: Any) -> Any:
    """A browser that knows nothing of a family, in which pictures do not melt into others."""
    return chromium.browser.new_context(reduced_motion="reduce")


def elsewhere(chromium: Any, url: str) -> Any:
    """A page at a link, in such a browser."""
    page = browser.visit(context(chromium), url)
    browser.settled(page)
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_a_family_is_raised_branched_undone_and_found_again_by_its_link(
    chromium: Any, address: str, tmp_path: Path, width: str
) -> None:
    with browser.visiting(context(chromium), f"{address}?{LINK}", WIDTHS[width]) as page:
        first = seen(page)
        assert first[:3] == ("0", 1, 0)
        assert page.get_by_role("button", name="Tap the symbols you like").is_disabled()
        raise_from(page, 1, 5)
        one = seen(page)
        assert one[:3] == ("1", 2, 0) and one[3] != first[3]
        assert page.locator(".raising .distances li").count() == 2
        assert browser.pictures(page, ".raising .ancestors canvas") == first[3]
        browser.walk(page, f"{SYMBOLS}[tabindex='0']", "ArrowDown", "Enter")
        assert seen(page)[2] == 1
        browser.press(page, "Next generation")
        two = seen(page)
        assert two[:3] == ("2", 3, 0)
        go(page, 1)
        assert seen(page)[2] == 1 and seen(page)[3] == one[3]
        raise_from(page, 3)
        branch = seen(page)
        assert branch[:3] == ("2", 4, 0) and branch[3] != two[3]
        link = browser.address(page)
        browser.press(page, "Undo")
        assert seen(page) == ("1", 3, 2, one[3])
        assert browser.address(page)["recipe"] != link["recipe"]
        page.reload()
        browser.settled(page)
        assert seen(page) == ("1", 3, 2, one[3])
        friend = elsewhere(chromium, f"{address}?tab={link['tab']}&recipe={link['recipe']}")
        assert friend.locator(".raising .shared:visible").count() == 0
        assert seen(friend) == ("2", 3, 0, branch[3])
        assert browser.pictures(friend, ".raising .ancestors canvas") == one[3]
        friend.context.close()
        saved = browser.saved_picture(page, ".raising [data-do=poster]", tmp_path)
        assert saved == "family_generation-1.png"


def test_a_link_shows_what_was_shared_before_it_is_raised_again_and_says_if_these_are_cousins(
    chromium: Any, address: str, full: Path
) -> None:
    digits = data.load("sample:mnist").images[:12]
    recipe = raising.Recipe(raising.ancestor("fig2", 3, full), (raising.Generation(0, (9,)),)).showing(digits)
    text = recipe.to_text()
    page = browser.blank(context(chromium))
    page.goto(f"{address}?{LINK}&recipe={text}")
    at_once = page.wait_for_function(SHARED).json_value()
    browser.settled(page)
    assert at_once == raising.unpacked(recipe.sheet, 12).flatten(1).tolist()
    assert page.inner_text(".raising .shared p") == raising.COUSINS
    assert page.locator(".raising .shared canvas:visible").count() == 1
    assert seen(page)[0] == "1" and page.evaluate(LIGHT) != at_once
    assert browser.address(page)["recipe"] == text
    page.context.close()


@pytest.fixture
def page(desk: Any) -> Any:
    desk.emulate_media(reduced_motion="reduce")
    browser.press(desk, "New family")
    return desk


def test_a_drawing_and_a_photo_count_as_picks_and_can_be_let_go_of(page: Any) -> None:
    browser.stroke(page, ".raising .canvas", (20, 20), (90, 90))
    browser.press(page, "Add it to the picks")
    photo = BytesIO()
    Image.radial_gradient("L").save(photo, "PNG")
    file = {"name": "me.png", "mimeType": "image/png", "buffer": photo.getvalue()}
    page.set_input_files(".raising [accept='image/*']", file)
    browser.settled(page)
    browser.press(page, "Add it to the picks")
    drawn = browser.pictures(page, ".raising .picks canvas")
    assert len(set(drawn)) == 2
    page.locator(".raising .picks button").first.click()
    assert browser.pictures(page, ".raising .picks canvas") == drawn[1:]
    browser.press(page, "Next generation")
    assert seen(page)[:2] == ("1", 2) and "from 1 drawing" in page.inner_text(".raising .caption")


def test_the_checkpoints_are_saved_as_one_file(page: Any, tmp_path: Path) -> None:
    raise_from(page, 6)
    assert is_zipfile(browser.saved(page, ".raising [data-do=pack]", tmp_path))


def test_a_recipe_is_saved_and_opened_as_a_file_and_a_damaged_one_is_refused(page: Any, tmp_path: Path) -> None:
    raise_from(page, 2)
    path = browser.saved(page, ".raising [data-do=settings]", tmp_path)
    recipe = json.loads(path.read_text())["recipe"]
    assert [each["picks"] for each in recipe["generations"]] == [[2]]
    before = seen(page)
    go(page, 0)
    page.set_input_files(".raising [name=recipe]", path)
    page.wait_for_function("document.querySelector('.raising .numeral').textContent === '1'")
    assert seen(page) == before
    recipe["generations"][0]["picks"] = ["all"]
    path.write_text(json.dumps({"recipe": recipe}))
    page.set_input_files(".raising [name=recipe]", path)
    browser.told(page, "picks")
    path.write_text("{")
    page.set_input_files(".raising [name=recipe]", path)
    browser.told(page, "This file is no recipe")
    assert seen(page) == before


def test_a_damaged_link_is_said_to_be_and_the_page_is_there(chromium: Any, address: str) -> None:
    page = elsewhere(chromium, f"{address}?{LINK}&recipe=ePluV2wrjdHB")
    browser.told(page, "damaged")
    assert seen(page)[:3] == ("0", 1, 0)
    page.context.close()


def test_picked_symbols_go_into_the_tray_and_the_family_has_a_name(page: Any) -> None:
    browser.enter(page, "Name of your family", "Mine")
    tap(page, 4, 7)
    page.click(".raising [data-do=alphabet]")
    assert [title.split(", ", 1)[1] for title in browser.kept(page)] == [
        "the first model, seed 4",
        "the first model, seed 7",
    ]
    assert page.inner_text(".raising .caption").startswith("Mine. Raised from fig2")


def test_a_family_outlives_the_server_and_goes_on(chromium: Any, full: Path) -> None:
    port = free_port()
    process = start(port, "app.py", full)
    page = browser.visit(context(chromium), f"http://127.0.0.1:{port}/?{LINK}")
    try:
        browser.settled(page)
        raise_from(page, 0)
        one = seen(page)
        tap(page, 1)
        page.click(".raising [data-do=raise]")
        page.wait_for_selector(".raising .learning:visible")
        page.evaluate("window.before = true")
        process.kill()
        process.wait()
        process = start(port, "app.py", full)
        with suppress(browser.playwright.Error):  # Gradio's own reload, once the server answers again, may end this one
            page.reload()
        page.wait_for_function("!window.before")
        browser.settled(page)
        assert seen(page)[:3] == ("2", 3, 0) and seen(page)[3] != one[3]
        go(page, 1)
        assert seen(page)[3] == one[3]
    finally:
        process.kill()
        process.wait()
        page.context.close()
