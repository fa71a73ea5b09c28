"""The tab "Annotate" in a real browser: keys, undo, the end, two widths, and a server that is killed in the middle."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
import torch

from tests import browser
from tests.server import free_port, start
from toolkit.annotation import Labels, Pool, build

SERVE = """
import sys
from pathlib import Path
import gradio as gr
from toolkit.web import server
from toolkit.web.annotate import annotate_tab
with gr.Blocks(analytics_enabled=False, fill_width=True) as page:
    with gr.Tabs():
        with gr.Tab("Annotate", id="annotate"):
            annotate_tab(Path(sys.argv[1]))
        with gr.Tab("Other", id="other"):
            gr.Textbox(label="words")
head = f"<style>{server.static('page.css', 'annotate.css')}</style>{server.head()}"
options = server.web_application("nowhere")
page.launch(theme=server.THEME, head=head, footer_links=[], ssr_mode=False, app_kwargs=options)
"""
pytestmark = browser.NEEDED
MOMENT = 260  # milliseconds: no faster than a picture can be seen


class Server:
    """A page with nothing but the tab, in a process that can be killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        self.process = start(self.port, "-c", SERVE, self.folder)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def pool_of(folder: Path, images: int, title: str) -> Pool:
    x = torch.rand(images, 1, 28, 28, generator=torch.Generator().manual_seed(images))
    return build(folder, {"regular": x[::2], "low-active": x[1::2]}, x, title=title, data="mnist")


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pool]:
    folder = tmp_path_factory.mktemp("pools")
    return {"long": pool_of(folder / "long", 30, "Long"), "short": pool_of(folder / "short", 4, "Short")}


@pytest.fixture(scope="module")
def long(pools: dict[str, Pool]) -> Pool:
    return pools["long"]


@pytest.fixture(scope="module")
def server(pools: dict[str, Pool]) -> Iterator[Server]:
    running = Server(pools["long"].folder.parent)
    yield running
    running.kill()


@pytest.fixture
def visit(chromium: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """A way to open the page as a new visitor."""
    opened = []

    def open_it(width: int = browser.DESK[0], height: int = browser.DESK[1]) -> Any:
        opened.append(browser.visit(chromium, server.url, width, height))
        return opened[-1]

    yield open_it
    for page in opened:
        page.evaluate("localStorage.clear()")
        page.close()


def enter(page: Any, annotator: str, pool: str = "long", start: bool = True) -> Any:
    page.select_option("[name=pool]", pool)
    browser.enter(page, "Your name here", annotator)
    if start:
        page.click("[data-do=start]")
    return page


def press(page: Any, *keys: str) -> None:
    """Keys, no faster than a picture can be seen."""
    for key in keys:
        page.wait_for_timeout(MOMENT)
        page.keyboard.press(key)


def stored(page: Any, pool: Pool, annotator: str, *labels: int) -> None:
    """Once nothing waits any more, the first pictures of an annotator's order have these labels, and no other has."""
    browser.settled(page)
    assert Labels(pool).of(annotator) == dict(zip(pool.order(annotator), labels, strict=False))
    assert page.text_content(".kept") == f"{len(labels)} stored"


def seen(page: Any) -> str:
    return browser.pictures(page, ".seen")[0]


def test_the_training_images_come_first_then_one_picture_at_a_time(visit: Any) -> None:
    page = enter(visit(), "ada", start=False)
    assert page.locator(".lesson canvas").count() == 30 and not page.is_visible(".seen")
    page.keyboard.press("Enter")
    assert page.is_visible(".seen") and page.inner_text(".place") == "Picture 1 of 30"
    assert page.eval_on_selector_all(".judge :is(button, canvas, [role])", browser.NAMELESS) == []
    assert [url for url in page.requests if not url.startswith((page.url.split("?")[0], "data:", "blob:"))] == []
    assert page.faults == []


def test_keys_1_to_4_and_clicks_label_and_each_is_stored_on_the_server(visit: Any, long: Pool) -> None:
    page = enter(visit(), "Bo")
    press(page, "1", "2", "3", "4")
    page.wait_for_timeout(MOMENT)
    page.get_by_role("button", name="creative").first.dblclick()  # once: nobody can have seen the next one
    stored(page, long, "bo", 1, 2, 3, 4, 1)
    for _ in range(3):
        page.wait_for_timeout(MOMENT)
        page.keyboard.down("3")  # again without up: a repeat
    stored(page, long, "bo", 1, 2, 3, 4, 1, 3)
    assert page.inner_text(".place") == "Picture 7 of 30"
    page = enter(visit(), "bo ", start=False)
    assert page.inner_text("[data-do=start]") == "Go on at picture 7"


def test_each_picture_is_another_and_undo_brings_the_last_one_back_with_its_label(visit: Any, long: Pool) -> None:
    page = enter(visit(), "dee")
    shown = [seen(page)]
    press(page, "2")
    shown.append(seen(page))
    press(page, "u")
    assert shown[0] != shown[1] and seen(page) == shown[0]
    assert page.get_attribute(".verdicts button:nth-child(2)", "aria-pressed") == "true"
    stored(page, long, "dee")
    press(page, "3", "1", "Backspace", "4")
    stored(page, long, "dee", 3, 4)
    page.click(".judge [data-do=undo]")
    stored(page, long, "dee", 3)
    page.click(".judge [data-do=look]")
    assert page.is_visible(".lesson")


def test_keys_are_letters_where_one_types_and_nothing_on_another_tab(visit: Any, long: Pool) -> None:
    page = enter(visit(), "fay")
    page.get_by_role("tab", name="Other").click()
    press(page, "1", "2")
    page.get_by_label("words").press_sequentially("1234u", delay=MOMENT)
    browser.to(page, "Annotate")
    assert page.get_by_label("words").input_value() == "1234u"
    assert page.inner_text(".place") == "Picture 1 of 30"
    stored(page, long, "fay")


def test_the_end_says_so_and_can_still_be_undone(visit: Any, pools: dict[str, Pool]) -> None:
    page = enter(visit(), "hal", "short")
    press(page, "1", "1", "4", "2")
    browser.settled(page)
    assert page.locator(".sums:visible b").all_inner_texts() == ["2", "1", "0", "1"]
    press(page, "u", "3")
    stored(page, pools["short"], "hal", 1, 1, 4, 3)
    assert page.is_visible(".done")


def test_a_name_that_cannot_be_kept_is_answered_on_the_page(visit: Any) -> None:
    browser.told(enter(visit(), "me@example.org", start=False), "1 to 40 letters")


def test_two_annotators_at_once_lose_nothing(visit: Any, long: Pool) -> None:
    pages = {name: enter(visit(), name) for name in ("ida", "jon")}
    for key in "1234":
        for page in pages.values():
            press(page, key)
    for name, page in pages.items():
        stored(page, long, name, 1, 2, 3, 4)


def test_nothing_that_the_page_receives_says_how_a_picture_was_made(visit: Any, server: Server, long: Pool) -> None:
    page, answers = visit(), []
    page.on("response", lambda response: answers.append(response) if "component_server" in response.url else None)
    press(enter(page, "lee"), "1")
    stored(page, long, "lee", 1)
    texts = [answer.text() for answer in answers]
    assert len(texts) >= 2 and not [text for text in texts if "low-active" in text or "regular" in text]
    with pytest.raises(HTTPError, match="403"):
        build_opener(ProxyHandler({})).open(f"{server.url}gradio_api/file={long.folder}/schemes.json")


@pytest.mark.parametrize(("width", "height"), [browser.DESK, browser.PHONE])
def test_everything_needed_is_on_the_screen_at_once(visit: Any, width: int, height: int) -> None:
    page = enter(visit(width, height), f"mia {width}")
    boxes = [page.locator(query).bounding_box() for query in (".meter", ".seen", ".verdicts", ".judge .after")]
    assert all(box["y"] >= 0 and box["y"] + box["height"] <= height for box in boxes)
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".seen").bounding_box()["width"] % 28 == 0


def test_a_server_killed_in_the_middle_loses_nothing_and_the_page_goes_on(visit: Any, server: Any, long: Pool) -> None:
    page = enter(visit(), "kim")
    press(page, "1")
    stored(page, long, "kim", 1)
    server.kill()
    press(page, "2")
    browser.told(page, "not stored yet")
    press(page, "3")  # nothing: it would be one more to lose
    assert page.locator(".verdicts button:disabled").count() == 4
    assert page.inner_text(".kept") == "1 stored"
    server.start()
    stored(page, long, "kim", 1, 2)
    assert browser.no_problem(page)
    press(page, "4")
    stored(page, long, "kim", 1, 2, 4)


def test_without_a_pool_the_page_says_how_to_make_one(visit: Any, pools: dict[str, Pool], tmp_path: Path) -> None:
    for name in pools:
        (pools[name].folder).rename(tmp_path / name)  # a tab looks for them at each visit
    page = visit()
    assert "python -m toolkit pool" in page.inner_text(".no-pool:visible") and not page.is_visible(".enter")
