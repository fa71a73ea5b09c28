"""The tab "Words" in a real browser, over untrained networks."""

from pathlib import Path
from typing import Any

from tests import browser
from toolkit import hub
from toolkit.web.words import lexicon

pytestmark = browser.NEEDED
LINK = "tab=words&iteration=1&seed=7&temperature=0.8&cell=2"
CELLS = ".words .specimens .cell:visible"


def on_page(page: Any) -> list[str]:
    return list(page.locator(CELLS).all_inner_texts())


def test_a_link_opens_the_page_of_words_it_names_with_its_word_beside_the_nearest(desk: Any, full: Path) -> None:
    wanted = hub.read(full, "words", 1).texts(range(7, 67), temperature=0.8)
    assert on_page(desk) == [word for word in wanted if word]
    assert desk.inner_text(".words .numeral") == "1" and desk.inner_text(".words .big-word") == wanted[2]
    (listed, _) = lexicon("words") or (None, None)
    assert listed and listed.nearest(wanted[2])[0] in desk.inner_text(".words .beside-word")
    assert browser.address(desk) == {"tab": "words", "experiment": "words", "iteration": "1", "seed": "7",
                                     "temperature": "0.8", "cell": "2"}  # fmt: skip


def test_a_word_is_shown_large_under_the_pointer_and_by_the_keyboard(desk: Any) -> None:
    words = on_page(desk)
    desk.locator(CELLS).nth(5).hover()
    assert desk.inner_text(".words .big-word") == words[5]
    desk.locator(CELLS).nth(4).click()
    browser.walk(desk, f"{CELLS}[aria-pressed=true]", "ArrowRight", "Enter")
    desk.mouse.move(5, 5)
    assert desk.inner_text(".words .big-word") == words[5]
    assert desk.locator(CELLS).nth(5).get_attribute("aria-label").startswith(words[5])


def test_without_a_model_the_stored_words_stand_and_the_other_run_has_words_of_its_own(desk: Any, full: Path) -> None:
    before = on_page(desk)
    browser.press(desk, "One iteration on")
    stored = (full / "words/iter_002/samples.txt").read_text().split("\n")[:60]
    assert on_page(desk) == [word for word in stored if word]
    assert "not here" in desk.inner_text(".words .untaught")
    assert desk.get_by_role("slider", name="Temperature").is_disabled()
    browser.press(desk, "One iteration back")
    assert on_page(desk) == before and not desk.locator(".words .untaught").is_visible()
    browser.press(desk, "what was invented alone")
    assert desk.inner_text(".words .numeral") == "1" and browser.address(desk)["experiment"] == "words-replace"


def test_on_a_phone_words_begin_as_asked_and_another_page_has_others(phone: Any, tmp_path: Path) -> None:
    phone.click(".words .tune summary")
    browser.enter(phone, "Letters that every word begins with", "un")
    assert all(word.startswith("un") for word in on_page(phone)) and browser.address(phone)["start"] == "un"
    browser.enter(phone, "Letters that every word begins with", "é")
    browser.told(phone, "there is no 'é' among the characters that were learned")
    browser.press(phone, "Reset")
    first = on_page(phone)
    browser.press(phone, "Another page of words")
    assert on_page(phone) != first and browser.no_problem(phone)
    path = browser.saved(phone, ".words [data-do=text]", tmp_path)
    assert [word for word in path.read_text().split("\n") if word] == on_page(phone)
