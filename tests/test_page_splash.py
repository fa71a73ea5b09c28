"""The first picture: put into the page's first bytes, and gone when the page is there."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser import CHROMIUM, visit
from tests.test_app import awaited, tiny_run
from toolkit import hub
from toolkit.web import iterations, server

PAGE = b"<!doctype html><html><head><title>A page</title></head></html>"


def answered(body: bytes, kind: bytes = b"text/html", path: str = "/", markup: str = "<b></b>", **more: bytes) -> Any:
    """The status and headers, and the body, of an application that answers this, behind the splash."""
    sent = []
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        *((k.encode(), v) for k, v in more.items()),
    ]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "GET"}
    awaited(iterations.Splash(application, markup)(scope, None, send))  # type: ignore[arg-type]
    return dict(sent[0]["headers"]), sent[1]["body"]


def test_the_page_begins_with_it_and_says_its_true_length() -> None:
    headers, body = answered(PAGE, markup="<b>é</b>")
    assert body == PAGE.replace(b"<head>", b"<head><b>\xc3\xa9</b>")
    assert int(headers[b"content-length"]) == len(body)


@pytest.mark.parametrize(
    "other", [{"kind": b"application/json"}, {"path": "/config"}, {"markup": ""}, {"content-encoding": b"br"}]
)
def test_whatever_is_not_the_page_or_not_plain_goes_out_as_it_came(other: Any) -> None:
    headers, body = answered(PAGE, **other)
    assert body == PAGE and int(headers[b"content-length"]) == len(PAGE)


def test_it_shows_the_last_sheet_of_the_run_that_the_page_opens_with(tmp_path: Path) -> None:
    shown = iterations.markup(tiny_run(tmp_path, iterations=2))
    assert server.sheet(tmp_path, "fig2/iter_002/samples.png") in shown and "A tiny run" in shown


def test_a_title_cannot_end_its_script(tmp_path: Path) -> None:
    config = tiny_run(tmp_path) / "fig2" / "config.json"
    config.write_text(config.read_text().replace("A tiny run", "</script><b>"))
    hub.write_index(tmp_path)
    assert iterations.markup(tmp_path).count("</script>") == 1


def test_where_there_is_nothing_to_show_the_page_is_as_it_is(tmp_path: Path) -> None:
    assert iterations.markup(tmp_path) == ""


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
