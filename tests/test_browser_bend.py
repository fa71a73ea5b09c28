"""The tab "Bend it" in a real browser, over untrained machines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import CHROMIUM, visit
from tests.server import served
from tests.test_page_bend import tiny_machines

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tiny_machines(tmp_path_factory.mktemp("checkpoints"))) as one:
        yield one.url


def tab(chromium: Any, address: str, width: int, height: int, link: str = "") -> Any:
    page = visit(chromium, f"{address}?tab=bend-it{link}", width, height)
    page.wait_for_selector('.bend[data-ready="true"]')
    still(page)
    return page


def still(page: Any) -> None:
    """Wait until all that was asked for is drawn."""
    page.wait_for_timeout(50)
    page.wait_for_function("document.querySelector('.bend').dataset.state === 'drawn'")


@pytest.fixture(scope="module")
def wide(chromium: Any, address: str) -> Iterator[Any]:
    page = tab(chromium, address, 1280, 900)
    yield page
    page.close()


@pytest.fixture
def desk(wide: Any) -> Any:
    """The page as at first."""
    wide.get_by_role("button", name="Reset").click()
    wide.click(".couples .cell:first-child")
    still(wide)
    return wide


@pytest.fixture(scope="module")
def phone(chromium: Any, address: str) -> Iterator[Any]:
    page = tab(chromium, address, 390, 844, "&machine=fig2&transform=flip_h&passes=2&seed=40&strength=0.5")
    yield page
    page.close()


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    still(page)


def select(page: Any, name: str, value: str) -> None:
    page.get_by_role("combobox", name=name, exact=True).select_option(value)
    still(page)


def slide(page: Any, name: str, value: float) -> None:
    page.get_by_role("slider", name=name, exact=True).fill(str(value))
    page.get_by_role("slider", name=name, exact=True).dispatch_event("change")
    still(page)


def row(page: Any, which: int) -> list[str]:
    """All 32 pictures before (0) or after (1), as data URLs."""
    return page.eval_on_selector_all(
        ".couples .cell", "(all, which) => all.map(one => one.children[which].toDataURL())", which
    )


def test_32_pairs_are_there_without_a_click(desk: Any) -> None:
    before, after = row(desk, 0), row(desk, 1)
    assert (len(set(before)), len(set(after))) == (32, 32)
    assert not set(before) & set(after)
    assert "creative-mnist: the decoder of digits. bend, strength 1" in desk.inner_text(".bend .caption")


def test_what_was_drawn_before_stands_before_the_first_answer(chromium: Any, address: str) -> None:
    page = visit(chromium, address, 1280, 900)
    page.evaluate("window.addEventListener('that-are-not-bent', event => event.stopImmediatePropagation(), true)")
    page.get_by_role("tab", name="Bend it").click()
    page.wait_for_selector('.bend[data-ready="true"]')
    assert len(set(row(page, 0))) == 32
    page.close()


def test_strength_0_is_the_picture_before_and_undo_goes_there_and_back(desk: Any) -> None:
    altered = row(desk, 1)
    press(desk, "Undo")
    assert row(desk, 1) == row(desk, 0)
    assert "Nothing is altered" in desk.inner_text(".bend .says")
    press(desk, "Redo")
    assert row(desk, 1) == altered


def test_the_strength_and_the_amount_change_what_is_drawn_and_not_what_was(desk: Any) -> None:
    seen = [row(desk, 1)]
    before = row(desk, 0)
    for name, value in (("Strength", 0.5), ("Amount, times", 3)):
        slide(desk, name, value)
        assert row(desk, 1) not in seen
        seen.append(row(desk, 1))
    assert row(desk, 0) == before


def test_only_what_a_machine_can_do_is_offered(desk: Any) -> None:
    assert desk.locator(".bend [data-knob=operator] button").all_inner_texts() == ["Bend", "Glitch", "Rewrite", "Chain"]
    transforms = desk.locator("select[data-knob=transform] option")
    assert "rotate" not in transforms.all_inner_texts()
    select(desk, "Machine", "fig2")
    assert desk.locator(".bend [data-knob=operator] button").all_inner_texts() == ["Bend", "Glitch", "Blend", "Chain"]
    assert "rotate" in transforms.all_inner_texts()
    select(desk, "Machine", "kaleidoscope-mnist")
    assert desk.locator(".bend [data-knob=operator] button").all_inner_texts() == ["Bend", "Glitch", "Chain"]


@pytest.mark.parametrize("operator", ["Glitch", "Rewrite", "Chain"])
def test_each_operator_draws_the_same_seeds_in_its_own_way(desk: Any, operator: str) -> None:
    before, after = row(desk, 0), row(desk, 1)
    press(desk, operator)
    assert row(desk, 0) == before and row(desk, 1) != after
    assert f"{operator.lower()}, strength" in desk.inner_text(".bend .caption")
    assert desk.locator(".bend .problem").is_hidden()


def test_what_a_judge_took_for_the_class_is_framed(desk: Any) -> None:
    press(desk, "Rewrite")
    assert 0 < desk.locator(".couples .marked").count() < 32
    assert "to a judge" in desk.inner_text(".bend .legend")


def test_passes_are_scrubbed(desk: Any) -> None:
    select(desk, "Machine", "fig2")
    last = row(desk, 1)
    assert desk.inner_text(".bend .passing output") == "pass 3 of 3"
    desk.get_by_role("slider", name="Pass", exact=True).fill("1")
    assert desk.inner_text(".bend .passing output") == "pass 1 of 3"
    assert row(desk, 1) != last


def test_iterations_are_blended(desk: Any) -> None:
    select(desk, "Machine", "fig2")
    press(desk, "Blend")
    slide(desk, "Passes", 1)  # untrained, they soon see nothing
    between = row(desk, 1)
    select(desk, "Blended to iteration", "1")
    assert row(desk, 1) != between
    assert "parent 2, child 1" in desk.inner_text(".bend .caption")


LISTS = [
    ("creative-mnist", "Bend", ["Transform", "Layer"]),
    ("creative-mnist", "Glitch", ["Kind of glitch", "Layer"]),
    ("creative-mnist", "Rewrite", ["Class that is rewritten", "Class that it becomes"]),
    ("creative-mnist", "Chain", ["The machine that goes on"]),
    ("fig2", "Blend", ["Blended from iteration"]),
]


@pytest.mark.parametrize(("machine", "operator", "knobs"), LISTS, ids=[operator for _, operator, _ in LISTS])
def test_each_list_changes_what_is_drawn(desk: Any, machine: str, operator: str, knobs: list[str]) -> None:
    select(desk, "Machine", machine)
    press(desk, operator)
    if machine == "fig2":
        slide(desk, "Passes", 1)  # untrained, they soon see nothing
    for knob in knobs:
        before, options = row(desk, 1), desk.get_by_role("combobox", name=knob, exact=True).locator("option")
        select(desk, knob, options.evaluate_all("all => all.find(one => !one.selected).value"))
        assert row(desk, 1) != before, knob
        assert desk.locator(".bend .problem").is_hidden()


def test_other_channels_are_other_pictures(desk: Any) -> None:
    seen = [row(desk, 1)]
    slide(desk, "Share of the channels", 0.75)
    for which in (None, "all", "alike", "2"):  # 2: the second group of those that act alike
        if which:
            press(desk, which)
        assert row(desk, 1) not in seen
        seen.append(row(desk, 1))
    press(desk, "by chance")
    assert row(desk, 1) == seen[1]
    desk.get_by_role("textbox", name="Seed of the alteration").fill("5")
    desk.keyboard.press("Enter")
    still(desk)
    assert row(desk, 1) not in seen


def test_a_machine_starts_from_its_symbols_or_from_noise(desk: Any) -> None:
    select(desk, "Machine", "fig2")
    before = row(desk, 0)
    press(desk, "noise")
    assert row(desk, 0) != before


def test_chance_and_seeds_have_dice_of_their_own(desk: Any) -> None:
    before, after = row(desk, 0), row(desk, 1)
    desk.get_by_role("button", name="Another alteration by chance").click()
    still(desk)
    assert row(desk, 0) == before and row(desk, 1) != after
    desk.get_by_role("button", name="32 new random seeds").click()
    still(desk)
    assert not set(row(desk, 0)) & set(before)


def test_a_surprise_is_always_something_that_can_be_drawn(desk: Any) -> None:
    for _ in range(5):
        press(desk, "Surprise me")
        assert desk.locator(".bend .problem").is_hidden(), desk.inner_text(".bend .caption")


@pytest.mark.parametrize("seed", ["seven", "4294967265", "-1"])
def test_a_bad_seed_is_answered_on_the_page(desk: Any, seed: str) -> None:
    desk.get_by_role("textbox", name="Seed of the first pair").fill(seed)
    desk.keyboard.press("Enter")
    desk.get_by_role("alert").filter(has_text="give a whole number").wait_for()


def test_arrow_keys_move_among_the_pairs_enter_selects_and_u_undoes(desk: Any) -> None:
    desk.focus(".couples .cell:first-child")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        desk.keyboard.press(key)
    assert desk.inner_text(".bend .one h2") == "Seed 9"
    desk.keyboard.press("u")
    still(desk)
    assert row(desk, 0) == row(desk, 1)


def test_a_picture_is_kept_in_the_tray_with_its_settings(desk: Any) -> None:
    press(desk, "Keep")
    title = desk.get_attribute("#tray .kept", "title")
    assert "creative-mnist, bend, strength 1, transform multiply" in title and title.endswith("seed 0")
    desk.click("#tray .strip .remove")
    press(desk, "Keep the one before")
    assert desk.get_attribute("#tray .kept", "title") == "a: creative-mnist, before, seed 0"
    desk.click("#tray .strip .remove")


def test_files_say_what_is_on_show(desk: Any, tmp_path: Path) -> None:
    for what, name in (("picture", "bent.png"), ("settings", "bent.json")):
        with desk.expect_download() as download:
            desk.click(f".bend .save [data-do={what}]")
        assert download.value.suggested_filename.startswith("creative-mnist_bend_seed-0.")
        download.value.save_as(tmp_path / name)
    with Image.open(tmp_path / "bent.png") as sheet:
        assert sheet.format == "PNG" and min(sheet.size) > 400
    said = json.loads((tmp_path / "bent.json").read_text())
    assert (said["machine"], said["operator"], said["layer"]) == ("creative-mnist", "bend", "decoder.1")
    assert said["transform"] == "multiply" and "tab=bend-it" in said["link"] and len(said["sha256"]) == 64


def test_a_link_opens_on_the_same_pictures(phone: Any, chromium: Any, address: str) -> None:
    assert "bend, strength 0.5, transform flip_h" in phone.inner_text(".bend .caption")
    again = tab(chromium, address, 390, 844, phone.evaluate("location.search").replace("?tab=bend-it", ""))
    assert (row(again, 0), row(again, 1)) == (row(phone, 0), row(phone, 1))
    again.close()


@pytest.mark.parametrize(
    "link",
    [
        "&machine=<b>&operator=blend&strength=99",
        "&transform=rotate&amount=x_y&seed=1e9",
        "&layer=decoder.99",
        "&operator=rewrite&one=zeta",
    ],
)
def test_a_link_that_says_nonsense_opens_on_what_can_be_drawn(chromium: Any, address: str, link: str) -> None:
    page = tab(chromium, address, 1280, 900, link)
    assert page.locator(".bend .problem").is_hidden() and len(set(row(page, 1))) > 1
    assert page.faults == []
    page.close()


def test_everything_that_is_seen_is_also_said(desk: Any) -> None:
    nameless = """all => all.filter(one => !(one.getAttribute("aria-label") || one.innerText.trim())).length"""
    seen = ".bend button, .bend input, .bend select, .bend canvas[role=img]"
    assert desk.eval_on_selector_all(seen, nameless) == 0


def test_on_a_phone_the_knobs_wait_behind_a_word_and_a_pair_is_chosen(phone: Any) -> None:
    assert not phone.locator(".bend .knobs").is_visible()
    phone.click(".bend summary")
    assert phone.locator(".bend .knobs").is_visible()
    phone.click(".couples .cell:nth-child(4)")
    assert phone.inner_text(".bend .one h2") == "Seed 43"


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_nothing_reaches_over_the_edge(request: pytest.FixtureRequest, name: str) -> None:
    page = request.getfixturevalue(name)
    right = "all => Math.max(...all.filter(one => one.offsetParent).map(one => one.getBoundingClientRect().right))"
    assert page.eval_on_selector_all(".bend *", right) <= page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("name", ["wide", "phone"])
def test_it_asked_no_other_host_and_nothing_went_wrong(request: pytest.FixtureRequest, name: str, address: str) -> None:
    page = request.getfixturevalue(name)
    assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
    assert page.faults == []
