"""What the tabs share: requests are checked, responses end, caches follow files, middleware keeps what it is given."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from pydantic import Field

from tests.browser import CHROMIUM, blank, visit
from tests.server import prefixed, served
from tests.test_app import awaited, build, components, tiny_run
from tests.test_page_creative import tiny_decoders
from tests.test_page_kaleidoscope import tiny_networks
from tests.test_page_novel import untrained_judges
from toolkit import hub, index
from toolkit.web import iterations, server
from toolkit.web.server import LatestRequests, Message, latest, responses

PAGE = b"<!doctype html><html><head><title>A page</title></head></html>"
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


class Ask(server.Request):
    nothing_yet = {"parts": []}  # noqa: RUF012

    word: server.Word = "a"
    kind: Literal["one", "two"] = "one"
    count: int = Field(1, ge=0, le=50)
    share: float = Field(0.5, ge=0, le=1)
    on: bool = True
    image: str | None = None
    points: list[Annotated[float, Field(ge=0, le=1)]] = Field([0.5], min_length=1, max_length=12)


# ---- requests


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"word": "x" * 10**6}, "word 'xxxxxxxxxxxx...xxxxxxxxxxxxx' is not usable: give a text of at most 60 letters"),
        ({"word": ["a"]}, "word ['a'] is not usable: give a text of at most 60 letters"),
        ({"kind": "three"}, "kind 'three' is not usable: give one of one, two"),
        ({"count": 51}, "count 51 is not usable: give a whole number from 0 to 50"),
        ({"count": 1.5}, "count 1.5 is not usable: give a whole number from 0 to 50"),
        ({"count": True}, "count True is not usable: give a whole number from 0 to 50"),
        ({"count": "1"}, "count '1' is not usable: give a whole number from 0 to 50"),
        ({"share": float("nan")}, "share nan is not usable: give a number from 0 to 1"),
        ({"share": -0.1}, "share -0.1 is not usable: give a number from 0 to 1"),
        ({"on": 1}, "on 1 is not usable: give true or false"),
        ({"image": 5}, "image 5 is not usable: give a text or nothing"),
        ({"points": []}, "points [] is not usable: give a list of 1 to 12 of a number from 0 to 1"),
        ({"points": [0, 1.5]}, "points 1.5 is not usable: give a number from 0 to 1"),
        ({"points": 7}, "points 7 is not usable: give a list of 1 to 12 of a number from 0 to 1"),
    ],
)
def test_a_field_that_is_not_usable_is_named_with_a_remedy(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        Ask.read(data)


def test_a_number_of_any_size_is_refused_shortly() -> None:
    for value in (10**400, -(10**400), 1e308):
        with pytest.raises(ValueError, match=r"^share .{1,60} is not usable") as refused:
            Ask.read({"share": value})
        assert len(str(refused.value)) < 200


def test_only_numbers_and_switches_of_a_request_are_repeated() -> None:
    data = {"a": 7, "b": True, "c": {"path": "/etc/passwd"}, "d": 2**60, "e": "\ud800", "f": 1.5}
    assert server.request_id(data, *"abcdefg") == {**dict.fromkeys("abcdefg"), "a": 7, "b": True}
    assert server.request_id(["a"], "a") == {"a": None}


# ---- responses


def counting(request: Ask) -> Generator[Message]:
    for part in range(request.count):
        yield {"parts": [*range(part + 1)]}


def test_a_response_holds_all_so_far_and_ends_done() -> None:
    heard = list(responses(Ask, counting, {"ticket": 7, "count": 2}))
    assert [(it["parts"], it["done"]) for it in heard] == [([0], False), ([0, 1], False), ([0, 1], True)]
    assert all((it["ticket"], it["error"]) == (7, None) for it in heard)
    assert list(responses(Ask, lambda it: {"parts": [it.count]}, {})) == [
        {"ticket": None, "parts": [1], "error": None, "done": True}
    ]


@pytest.mark.parametrize("data", [{"ticket": 7, "count": -1}, {"count": 10**400}, None, "draw", [1], 7])
def test_what_cannot_be_answered_gets_one_sentence(data: Any) -> None:
    def respond(request: Ask) -> Message:
        raise ValueError("there is nothing to draw")

    (message,) = responses(Ask, respond, data)
    assert message["done"] and message["parts"] == []
    assert message["error"].endswith(".") and "\n" not in message["error"]


def test_a_superseded_request_is_asked_for_no_further_part() -> None:
    closed = []

    def respond(request: Ask) -> Generator[Message]:
        try:
            yield from ({"parts": [part]} for part in range(10**9))
        finally:
            closed.append(True)

    heard = responses(Ask, respond, {"visitor": "superseded", "ticket": 1})
    next(heard)
    latest.note({"visitor": "another", "ticket": 9})
    next(heard)
    latest.note({"visitor": "superseded", "ticket": 2})
    assert [(it["done"], it["error"]) for it in heard] == [(True, None)] and closed


def test_the_latest_request_is_the_one_with_the_highest_ticket_of_its_visitor() -> None:
    requests = LatestRequests()
    for ticket in (3, 5, 4):
        requests.note({"visitor": "one", "ticket": ticket})
    assert [requests.superseded({"visitor": "one", "ticket": ticket}) for ticket in (4, 5, 6)] == [True, False, False]
    for nonsense in (None, 7, {}, {"visitor": ["x"], "ticket": "1"}, {"visitor": 1, "ticket": 10**400}):
        requests.note(nonsense)
        assert not requests.superseded(nonsense) and not requests.superseded({"visitor": "two", "ticket": 1})


def test_only_so_many_visitors_are_remembered() -> None:
    requests, most = LatestRequests(), LatestRequests.VISITORS
    for visitor in range(most + 1):
        requests.note({"visitor": str(visitor), "ticket": 5})
    superseded = [requests.superseded({"visitor": str(visitor), "ticket": 1}) for visitor in (0, 1, most)]
    assert superseded == [False, True, True]


def test_files_on_their_way_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, kept = server.temporary_folder(), server.temporary_folder()
    monkeypatch.setattr(server, "KEPT", -1)
    assert server.temporary_folder().is_dir() and not old.exists() and not kept.exists()


# ---- caches


def test_an_index_is_parsed_once_and_again_when_its_file_changes(tmp_path: Path) -> None:
    folder = tiny_run(tmp_path, iterations=1)
    first = server.read_index(folder)
    assert server.read_index(folder) is first
    tiny_run(folder, iterations=1, name="fig6")
    assert list(server.read_index(folder)["experiments"]) == ["fig2", "fig6"]


def test_a_model_is_loaded_once_and_again_when_the_index_says_it_changed(tmp_path: Path) -> None:
    from toolkit.models import create

    runs = iterations.RunIndex(tiny_run(tmp_path, iterations=1))
    first = runs.run("fig2", 1)
    assert runs.run("fig2", 1) is first
    path = tmp_path / "fig2/iter_001/model.safetensors"
    hub.save(create("WTA", {"filters": 3}, seed=9), path, experiment="fig2", iteration=1)
    hub.write_index(tmp_path)
    assert runs.run("fig2", 1).model.config.filters == 3


# ---- what the server sends


def get(url: str, **headers: str) -> Any:
    return build_opener(ProxyHandler({})).open(Request(url, headers=headers))


def test_a_sheet_is_served_once_and_nothing_else_of_the_tree_is(address: str, full: Path) -> None:
    entry = server.read_index(full)["experiments"]["fig2"]["iterations"][1]
    answer = get(address + str(server.sheet_url(entry)))
    assert answer.read() == (full / entry["samples"]).read_bytes()
    assert (answer.headers["content-type"], "immutable" in answer.headers["cache-control"]) == ("image/png", True)
    for path in ("sheets/fig2/config.json", "sheets/../index.json", "sheets/fig2/iter_001/model.safetensors",
                 "sheets/%2e%2e/%2e%2e/etc/passwd", "sheets/x", "modules/x/nothing.js"):  # fmt: skip
        with pytest.raises(HTTPError, match="404"):
            get(address + path)


def test_the_page_is_compressed_where_the_browser_asks_for_it(address: str) -> None:
    plain, packed = get(address), get(address, **{"Accept-Encoding": "gzip"})
    assert (plain.headers["content-encoding"], packed.headers["content-encoding"]) == (None, "gzip")
    whole, small = plain.read(), packed.read()
    assert gzip.decompress(small)[:1000] == whole[:1000] and len(small) < len(whole) / 2


@pytest.mark.skipif(not (index.CHECKPOINTS / "index.json").exists(), reason="no checkpoints in this copy")
def test_the_shipped_page_begins_with_a_picture_and_is_small() -> None:
    with served(index.CHECKPOINTS) as shipped:
        page = get(shipped.url).read()
    assert b"data:image/png;base64," in page[:10_000] and page.count(b"data:image/png;base64,") == 1
    assert len(page) <= 400_000


def test_a_stream_is_not_held_back_to_be_compressed(address: str) -> None:
    body = json.dumps({"data": ["fig2", 2, [1]]}).encode()
    joined = build_opener(ProxyHandler({})).open(
        Request(f"{address}gradio_api/call/sample", body, {"Content-Type": "application/json"})
    )
    event = json.loads(joined.read())["event_id"]
    answer = get(f"{address}gradio_api/call/sample/{event}", **{"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] is None and b"event: complete" in answer.read()


def passed(middleware: Any, body: bytes, kind: bytes = b"text/html", path: str = "/", **more: bytes) -> Any:
    """The headers and the body of an application that answers this, behind a middleware."""
    sent: list[Any] = []
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    headers += [(key.encode(), value) for key, value in more.items()]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def send(message: Any) -> None:
        sent.append(message)

    awaited(middleware(application)({"type": "http", "path": path, "method": "GET"}, None, send))
    return dict(sent[0]["headers"]), sent[1]["body"]


def test_the_page_begins_with_the_first_paint_and_says_its_true_length() -> None:
    headers, body = passed(lambda it: server.FirstPaint(it, "<b>é</b>"), PAGE)
    assert body == PAGE.replace(b"<head>", b"<head><b>\xc3\xa9</b>")
    assert int(headers[b"content-length"]) == len(body)


@pytest.mark.parametrize("other", [{"kind": b"application/json"}, {"path": "/config"}, {"content-encoding": b"br"}])
def test_whatever_else_is_sent_stays_as_it_is(other: dict[str, Any]) -> None:
    assert passed(lambda it: server.FirstPaint(it, "<b></b>"), PAGE, **other)[1] == PAGE
    assert passed(lambda it: server.FirstPaint(it, ""), PAGE)[1] == PAGE


def test_the_first_paint_is_the_last_sheet_and_its_title_cannot_end_the_script(tmp_path: Path) -> None:
    assert iterations.first_paint(tmp_path) == ""
    config = tiny_run(tmp_path) / "fig2" / "config.json"
    config.write_text(config.read_text().replace("A tiny run", "</script><b>"))
    hub.write_index(tmp_path)
    markup = iterations.first_paint(tmp_path)
    assert markup.count("</script>") == 1
    assert server.data_url((tmp_path / "fig2/iter_003/samples.png").read_bytes()) in markup


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_it_is_on_screen_before_the_page_and_gone_when_that_is_there(chromium: Any, address: str) -> None:
    page = visit(chromium, address)
    seen, ready = page.evaluate(
        "() => new Promise((done) => new PerformanceObserver((seen) => done([seen.getEntries()[0].renderTime, "
        "performance.now()])).observe({type: 'element', buffered: true}))"
    )
    page.wait_for_selector(".splash", state="detached")
    assert 0 < seen < ready and page.faults == []
    page.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_it_works_below_the_path_of_a_proxy_and_in_a_frame(
    chromium: Any, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/demo")
    with served(full) as one, prefixed(int(one.url.rstrip("/").rpartition(":")[2])) as proxy:
        page = blank(chromium)
        page.goto(f"{proxy}/frame")
        frame = page.frame_locator("iframe")
        frame.locator('.iterations[data-ready="true"]:not([data-busy])').wait_for()  # its first symbol has grown
        frame.get_by_role("tab", name="Creative decoder").click()
        frame.locator('.creative[data-ready="true"]:not([data-busy])').wait_for()
        assert frame.locator(".problem:visible").count() == 0 and page.faults == []
        assert [
            url for url in page.requests if not url.startswith((f"{proxy}/demo/", f"{proxy}/frame", "data:", "blob:"))
        ] == []
        page.close()


# ---- names, and where the page runs


@pytest.mark.parametrize(
    ("fill", "labels"),
    [
        ([tiny_run], ["Iterations", "Raise your own", "Bend it", "About"]),
        ([tiny_decoders], ["Creative decoder", "Bend it", "Annotate", "About"]),
        ([tiny_networks], ["Kaleidoscope", "Bend it", "About"]),
        ([untrained_judges, tiny_run], ["Iterations", "Raise your own", "Bend it", "Dream", "Is it new?", "About"]),
        (
            [tiny_run, tiny_decoders],
            ["Iterations", "Raise your own", "Creative decoder", "Bend it", "Annotate", "About"],
        ),
    ],
)
def test_a_page_has_the_tabs_that_its_checkpoints_fill(tmp_path: Path, fill: list[Any], labels: list[str]) -> None:
    for build_in in fill:
        build_in(tmp_path)
    assert [tab["props"]["label"] for tab in components(build(tmp_path), "tabitem")] == labels
    runs = iterations.RunIndex(tmp_path)
    if "Iterations" in labels:
        assert [name for name, _ in runs.page()["experiments"]] == ["fig2"]
    else:
        with pytest.raises(ValueError, match="no run of iterations, only "):
            runs.page()


def test_every_tab_has_the_name_that_links_give_it(full: Path) -> None:
    tabs = [tab["props"] for tab in components(build(full), "tabitem")]
    assert [tab["id"] for tab in tabs] == [server.slug(tab["label"]) for tab in tabs]
    assert server.slug("Is it new?") == "is-it-new"


@pytest.mark.parametrize("space", ["", "no-owner", "</script><script>alert(1)</script>", 'a/b"};alert(1);//'])
def test_on_a_space_links_name_the_space_and_nothing_that_is_no_name(
    monkeypatch: pytest.MonkeyPatch, space: str
) -> None:
    monkeypatch.setenv("SPACE_ID", "owner/that-are-not")
    assert 'window.thatAreNot = {space: "owner/that-are-not"};' in server.head()
    monkeypatch.setenv("SPACE_ID", space)
    assert "window.thatAreNot = {space: null};" in server.head()
    assert server.head().count("<script>") == server.head().count("</script>") == 1


def test_what_is_asked_for_is_served_else_the_repo_of_the_space_else_what_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shipped = tiny_run(tmp_path / "shipped", iterations=1)
    monkeypatch.delenv(server.CHOSEN, raising=False)
    assert server.chosen_source() == index.CHECKPOINTS == hub.CHECKPOINTS
    monkeypatch.setenv(server.CHOSEN, str(shipped))
    assert server.chosen_source("owner/name", tmp_path) == "owner/name"
    assert server.chosen_source(None, tmp_path) == str(shipped)
    for repo in ("no repo at all", "/nowhere"):
        monkeypatch.setenv(server.CHOSEN, repo)
        assert server.chosen_source(None, shipped) == shipped
        assert repo in caplog.text and "shipped checkpoints" in caplog.text


def test_on_zerogpu_there_is_a_function_for_the_gpu_and_elsewhere_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.offer_gpu()
    assert capsys.readouterr().out == ""
    (tmp_path / "spaces.py").write_text("def GPU(duration): return lambda work: print(work.__name__, duration)")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        server.offer_gpu()
        assert capsys.readouterr().out == "offer_gpu 1\n"
    finally:
        sys.modules.pop("spaces", None)


@pytest.mark.parametrize("command", re.findall(r"^hf (.*)$", README, re.MULTILINE))
def test_the_commands_of_the_hub_that_the_readme_shows_have_these_options(command: str) -> None:
    words = command.split()
    names = [word for word in words if re.fullmatch("[a-z]+", word)][: 1 if words[0] == "upload" else 2]
    hf = [Path(sys.executable).with_name("hf"), *names, "--help"]
    told = subprocess.run(hf, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=True).stdout
    assert "Usage" in told and all(option in told for option in words if option.startswith("--"))
