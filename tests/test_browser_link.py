"""One page in a real browser: links, one seed for all tabs, experiments side by side, exact settings, the phone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser import CHROMIUM, arrive, blank, iteration, picture, slide
from tests.server import served
from tests.test_app import tiny_run

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]
TABS = {"Iterations": "iterations", "Creative decoder": "creative", "Kaleidoscope": "kaleidoscope"}


SPARE: list[Any] = []  # pages that nobody looks at


@contextmanager
def opened(chromium: Any, url: str, width: int = 1280, height: int = 900) -> Iterator[Any]:
    """A visit, after which nothing has gone wrong; on a page that is spare, if there is one."""
    page = SPARE.pop() if SPARE else blank(chromium)
    page.set_viewport_size({"width": width, "height": height})
    try:
        yield arrive(page, url)
        assert page.faults == []
    finally:
        SPARE.append(page)


@pytest.fixture(scope="module")
def desk(chromium: Any, address: str) -> Iterator[Any]:
    with opened(chromium, address) as page:
        yield page


@pytest.fixture(scope="module")
def phone(chromium: Any, address: str) -> Iterator[Any]:
    with opened(chromium, address, 390, 844) as page:
        yield page


def to(page: Any, tab: str) -> None:
    """Open a tab and wait until all that it asked for is drawn."""
    page.get_by_role("tab", name=tab).click()
    drawn(page, TABS[tab])


def drawn(page: Any, name: str) -> None:
    ready = f'.{name}[data-ready="true"]'
    page.wait_for_selector(ready if name == "iterations" else f'{ready}[data-state="drawn"]')
    if name == "kaleidoscope":  # its film goes on by itself, and may end at any moment
        page.evaluate("document.querySelector('.kaleidoscope.playing [data-do=play]')?.click()")


def said(page: Any) -> dict[str, str]:
    """What the address says, once it says all that its tab told."""
    page.wait_for_function("location.href === thatAreNot.link() && new URLSearchParams(location.search).size > 1")
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def seed_of(page: Any) -> str:
    return page.input_value(".figure-page:visible [name=seed]")


# ---- links


def test_the_address_says_the_tab_and_its_settings(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        assert said(page) == {"tab": "iterations", "experiment": "fig2", "iteration": "4", "seed": "0"}
        to(page, "Creative decoder")
        assert said(page)["tab"] == "creative-decoder"
        assert {"experiment", "method", "band", "neurons", "gain", "seed"} < said(page).keys()
        to(page, "Kaleidoscope")
        assert {"tab", "experiment", "start", "runs", "stirred", "mode", "seed", "run"} <= said(page).keys()


def test_a_link_opens_the_tab_it_names_and_draws_no_other(chromium: Any, address: str) -> None:
    with opened(chromium, f"{address}?tab=kaleidoscope&seed=42&runs=20&run=5&cell=3&mode=none") as page:
        drawn(page, "kaleidoscope")
        assert page.get_attribute(".kaleidoscope", "data-run") == "5"
        assert (seed_of(page), page.inner_text(".one .seed")) == ("42", "45")
        assert "not stirred" in page.inner_text(".caption")
        assert page.locator(".iterations").count() == 0


def test_a_link_opens_a_decoder_with_its_knobs(chromium: Any, address: str) -> None:
    link = "?tab=creative-decoder&experiment=creative-fashion&method=random&neurons=3&gain=2&band=20-40&seed=7&pair=2"
    with opened(chromium, address + link) as page:
        drawn(page, "creative")
        assert "creative-fashion: Clothes. random, 3 neurons, 2 times" in page.inner_text(".caption")
        assert (seed_of(page), page.inner_text(".one .seed")) == ("7", "9")
        assert {**said(page), "band": "20-40"}.items() >= {"neurons": "3", "gain": "2", "pair": "2"}.items()


def test_a_link_opened_again_shows_the_same_picture(chromium: Any, address: str) -> None:
    with opened(chromium, f"{address}?iteration=2&beside=1&against=fig6&seed=17") as page:
        before, where = (
            picture(page, ".panel[data-panel=b] .cell:nth-child(18) canvas"),
            page.evaluate("thatAreNot.link()"),
        )
        assert "against=fig6" in where
        page.goto(where)
        page.wait_for_selector('.iterations[data-ready="true"]')
        assert (iteration(page), iteration(page, "b")) == ("2", "1")
        assert picture(page, ".panel[data-panel=b] .cell:nth-child(18) canvas") == before


HOSTILE = [
    "tab=nowhere&experiment=fig99&iteration=99&seed=-1",
    "tab=iterations&tab=kaleidoscope&experiment=fig6&experiment=fig2&seed=1&seed=2&iteration=1&iteration=2",
    "experiment=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&seed=99999999999999999999&view=%3Cb%3E",
    f"experiment={'x' * 10_000}&seed={'9' * 10_000}&iteration={'0' * 10_000}",
    "experiment=__proto__&iteration=constructor&seed=1e3&beside=NaN&against=toString&tab=hasOwnProperty",
    "%ff%fe=%zz&=&&&seed=%00&iteration=+2&seed%5B%5D=3",
    "seed=4294967296&iteration=2.5&beside=-1&against=..%2F..%2Ffig2",
]


@pytest.mark.parametrize("query", HOSTILE)
def test_what_a_link_says_wrongly_is_as_if_it_were_not_said(chromium: Any, address: str, query: str) -> None:
    with opened(chromium, f"{address}?{query}") as page:
        assert said(page) == {"tab": "iterations", "experiment": "fig2", "iteration": "4", "seed": "0"}
        assert page.locator(".problem:visible, .figure-page img, .figure-page [onerror]").count() == 0


WRONG = (
    "seed=-5&neurons=51&gain=99&band=90-10&layer=9&pair=32&method=%3Cb%3E&runs=0&stirred=7&mode=x&start=y&cell=64&run=x"
)


@pytest.mark.parametrize("tab", ["Creative decoder", "Kaleidoscope"])
def test_knobs_that_a_link_turns_too_far_stay(chromium: Any, address: str, tab: str) -> None:
    with opened(chromium, address) as page:
        to(page, tab)
        usual = said(page)
        page.goto(f"{address}?tab={usual['tab']}&experiment=nothing&{WRONG}")
        drawn(page, TABS[tab])
        assert {**said(page), "run": ""} == {**usual, "run": ""}
        assert page.locator(".problem:visible").count() == 0


def test_back_and_forward_go_from_tab_to_tab(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        slide(page, 1)
        to(page, "Creative decoder")
        page.go_back()
        page.wait_for_selector(".iterations:visible")
        assert said(page)["iteration"] == iteration(page) == "1"
        page.go_forward()
        page.wait_for_selector(".creative:visible")
        assert said(page)["tab"] == "creative-decoder"


@pytest.mark.parametrize("tab", [*TABS, "Bend it", "Is it new?", "Claims"])
def test_copy_link_copies_the_link_to_what_is_on_show(chromium: Any, address: str, tab: str) -> None:
    with opened(chromium, address) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        if tab in TABS:
            to(page, tab)
        else:
            page.get_by_role("tab", name=tab).click()
        page.click(".save:visible [data-do=link]")
        page.get_by_role("button", name="Copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.evaluate("thatAreNot.link()") and copied.startswith(f"{address}?tab=")


def test_where_the_clipboard_is_closed_the_link_stands_there_to_be_copied(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page.evaluate("document.execCommand = () => false")
        page.click(".save [data-do=link]")
        field = page.locator(".save input.address")
        assert field.input_value() == page.evaluate("thatAreNot.link()")
        assert page.evaluate("getSelection().toString()") == field.input_value()


def test_on_a_space_the_link_is_that_of_the_space(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        page.evaluate("thatAreNot.space = 'owner/name'")
        link = page.evaluate("thatAreNot.link()")
        assert link == "https://huggingface.co/spaces/owner/name?tab=iterations&experiment=fig2&iteration=4&seed=0"


# ---- the same seed everywhere


def test_a_seed_chosen_in_one_tab_is_the_seed_of_the_others(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        page.click(".panel[data-panel=a] .cell:nth-child(18)")
        for tab in ("Creative decoder", "Kaleidoscope"):
            to(page, tab)
            assert (seed_of(page), said(page)["seed"]) == ("17", "17")
        page.fill(".kaleidoscope .knobs [name=seed]", "2023")
        page.keyboard.press("Enter")
        to(page, "Iterations")
        assert page.inner_text(".symbol h2") == "Seed 2023"
        to(page, "Creative decoder")
        assert seed_of(page) == "2023"


def test_choosing_a_picture_does_not_move_the_others_of_its_tab(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        to(page, "Creative decoder")
        page.click(".pairs .cell:nth-child(6)")
        to(page, "Iterations")
        assert page.inner_text(".symbol h2") == "Seed 5"
        to(page, "Creative decoder")
        assert (seed_of(page), page.inner_text(".one .seed")) == ("0", "5")


# ---- all experiments side by side


def overview(page: Any) -> list[str]:
    return page.eval_on_selector_all(".card canvas:first-child", "all => all.map(one => one.toDataURL())")


@pytest.fixture
def survey(chromium: Any, address: str) -> Iterator[Any]:
    with opened(chromium, f"{address}?view=all&iteration=3") as page:
        page.get_by_text("ended at 2").wait_for()
        page.wait_for_function("!document.querySelector('.card:not([aria-label])')")  # all have come
        yield page


def test_all_experiments_move_with_one_slider_without_asking_the_server(survey: Any) -> None:
    before, asked = overview(survey), len(survey.requests)
    survey.get_by_role("slider", name="Iteration of all experiments").fill("1")
    assert all(one != other for one, other in zip(before, overview(survey), strict=True))
    assert (len(before), len(survey.requests)) == (2, asked)
    assert survey.get_by_text("ended at").count() == 0


def test_an_experiment_that_ended_before_shows_its_last_symbols(survey: Any) -> None:
    _, ended = overview(survey)
    survey.get_by_role("slider", name="Iteration of all experiments").fill("2")
    assert overview(survey)[1] == ended
    assert "iteration 2 of each, or its last" in survey.inner_text(".caption")


def test_a_card_says_which_figure_or_year_and_which_of_its_runs_it_is(chromium: Any, tmp_path: Path) -> None:
    for name, figure in {"fig3": "3", "fig3-seed1": "3", "digits-2016": "2016"}.items():
        path = tiny_run(tmp_path, iterations=1, name=name) / name / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "experiment": {"figure": figure}}))
    with served(tmp_path) as one, opened(chromium, f"{one.url}?view=all") as page:
        page.wait_for_function(
            "[...document.querySelectorAll('.figure')].every((one) => /^(F|2)/.test(one.textContent))"
        )
        cards = [card.split("\n") for card in page.locator(".card").all_inner_texts()]
    said = [[line for line in card if line.strip()] for card in cards]
    assert sorted(said) == [["2016", "A tiny run"], ["Figure 3", "A tiny run"], ["Figure 3", "seed 1: A tiny run"]]


def test_who_dreamed_once_is_not_said_to_have_learned_from_it(chromium: Any, address: str, tmp_path: Path) -> None:
    with opened(chromium, address) as page:
        assert "noise, learned from the dream as well, and dreamed again." in page.inner_text(".lede:visible")
    with served(tiny_run(tmp_path, iterations=1)) as one, opened(chromium, one.url) as page:
        assert "dreamed a data set out of noise. Press play" in page.inner_text(".lede:visible")


def test_play_and_step_move_all_experiments(survey: Any) -> None:
    survey.get_by_role("button", name="One iteration back").click()
    assert survey.get_attribute(".overview", "data-iteration") == "2"
    survey.get_by_role("button", name="One iteration on").click()
    assert survey.get_attribute(".overview", "data-iteration") == "3"
    survey.get_by_role("button", name="Play").click()
    survey.wait_for_selector(".overview[data-iteration='4']")
    survey.get_by_role("button", name="Play").wait_for()


def test_a_card_opens_its_experiment_at_that_iteration(survey: Any) -> None:
    survey.get_by_role("slider", name="Iteration of all experiments").fill("1")
    survey.click(".card[data-experiment=fig6]")
    survey.wait_for_function("document.querySelector('.caption').textContent.startsWith('fig6')")
    assert (iteration(survey), survey.locator(".overview").is_hidden()) == ("1", True)
    assert said(survey) == {"tab": "iterations", "experiment": "fig6", "iteration": "1", "seed": "0"}


def test_the_picture_of_all_experiments_is_saved(survey: Any) -> None:
    with survey.expect_download() as download:
        survey.click(".save:visible [data-do=picture]")
    assert download.value.suggested_filename == "all_iteration-3.png"


def test_another_experiment_opens_at_the_same_iteration(chromium: Any, address: str) -> None:
    with opened(chromium, f"{address}?iteration=1") as page:
        page.select_option(".experiments select", "fig6")
        page.wait_for_function("document.querySelector('.caption').textContent.startsWith('fig6')")
        assert (iteration(page), page.inner_text(".panel[data-panel=a] .where span")) == ("1", "of 2")
        assert said(page).items() >= {"experiment": "fig6", "iteration": "1"}.items()


def test_two_experiments_stand_side_by_side(chromium: Any, address: str) -> None:
    with opened(chromium, f"{address}?iteration=2") as page:
        page.get_by_role("button", name="Compare").click()
        page.get_by_role("combobox", name="Experiment beside").select_option("fig6")
        page.wait_for_selector(".panel[data-panel=b][data-iteration='2']")
        assert page.inner_text(".panel[data-panel=b] .where span") == "of 2"
        assert "beside fig6 (A tiny run), iteration 2 of 2" in page.inner_text(".caption")
        assert said(page).items() >= {"beside": "2", "against": "fig6"}.items()


def test_with_one_experiment_nothing_is_superfluous(chromium: Any, tmp_path: Path) -> None:
    with served(tiny_run(tmp_path, iterations=1)) as alone, opened(chromium, alone.url) as page:
        page.get_by_role("button", name="Compare").click()
        assert page.locator(".experiments:visible, .overview:visible, .against:visible").count() == 0


# ---- the exact settings


@pytest.mark.parametrize(
    ("tab", "experiment"),
    [("Iterations", "fig2"), ("Creative decoder", "creative-mnist"), ("Kaleidoscope", "kaleidoscope-mnist")],
)
def test_the_settings_are_saved_as_they_are(desk: Any, full: Path, tmp_path: Path, tab: str, experiment: str) -> None:
    to(desk, tab)
    with desk.expect_download() as download:
        desk.click(".save:visible [data-do=settings]")
    download.value.save_as(tmp_path / "settings.json")
    settings = json.loads((tmp_path / "settings.json").read_text())
    listed = json.loads((full / "index.json").read_text())["experiments"][experiment]["iterations"]
    assert download.value.suggested_filename.startswith(experiment)
    assert (settings["experiment"], settings["sha256"]) == (experiment, listed[-1]["sha256"])
    assert {"tab", "version", "seed", "link"} < settings.keys()


NOTED = """one => { window.notes = [];
  new MutationObserver(() => notes.push(one.textContent)).observe(one, {childList: true}); }"""


@pytest.mark.parametrize(
    ("tab", "experiment"), [("Creative decoder", "creative-fashion"), ("Kaleidoscope", "kaleidoscope-fashion")]
)
def test_while_another_network_wakes_up_it_is_said_whose_pictures_these_are(
    chromium: Any, address: str, tab: str, experiment: str
) -> None:
    with opened(chromium, address) as page:
        to(page, tab)
        page.get_by_role("slider", name="Neurons" if tab == "Creative decoder" else "Perturbation").fill("0")
        drawn(page, TABS[tab])
        page.eval_on_selector(f".{TABS[tab]} .awaited", NOTED)
        page.get_by_role("button", name="Clothes", exact=True).click()
        drawn(page, TABS[tab])
        assert page.evaluate("notes[0]") == "Waking Clothes up; until then, these are Digits."
        assert page.inner_text(f".{TABS[tab]} .caption").startswith(experiment)
        assert page.inner_text(f".{TABS[tab]} .awaited") == ""


# ---- the phone


def test_on_a_phone_every_tab_is_in_reach(phone: Any) -> None:
    boxes = [tab.bounding_box() for tab in phone.get_by_role("tab").all()]
    assert len(boxes) >= 4 and len({box["y"] for box in boxes}) <= 2
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] >= 40 for box in boxes)
    assert phone.get_by_role("button", name="More tabs").count() == 0


SMALL = """all => all.filter(one => one.offsetParent && !one.matches(".visually-hidden, .cell"))
  .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 40 || box.height < 40).map(([what]) => what)"""


@pytest.mark.parametrize("tab", TABS)
def test_on_a_phone_what_one_touches_is_large_enough_and_nothing_reaches_over_the_edge(phone: Any, tab: str) -> None:
    to(phone, tab)
    assert phone.eval_on_selector_all(".figure-page :is(button, input, select, summary, label.file)", SMALL) == []
    assert phone.evaluate("document.documentElement.scrollWidth") == 390


def test_on_a_phone_the_overview_fits(phone: Any) -> None:
    to(phone, "Iterations")
    phone.get_by_role("button", name="All side by side").click()
    phone.wait_for_function("document.querySelectorAll('.card .figure').length === 2")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    phone.get_by_role("button", name="All side by side").click()
