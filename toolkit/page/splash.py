"""The first picture, in the page's first bytes: a visitor sees symbols while the rest of the page is on its way.

The page takes some seconds to come up in a browser; this takes none, and goes when the page is there (splash.js).
What Gradio is given for the head comes after its own scripts, and so this is put into the page as it leaves.
"""

import json
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import sheet, static
from .iterations import Shelf

HEAD = b"<head>"


def markup(source: str | Path) -> str:
    """The picture and its script; nothing where there is no sheet to show."""
    try:
        _, experiment = Shelf(source).experiment()
        last = [entry["samples"] for entry in experiment["iterations"] if "samples" in entry][-1]
        known = json.dumps({"sheet": sheet(source, last), "title": experiment["title"]}).replace("<", "\\u003c")
    except (ValueError, IndexError):
        return ""
    return f"<style>{static('splash.css')}</style><script>{{\nconst known = {known};\n{static('splash.js')}}}</script>"


class Splash:
    """An ASGI application whose page "/" begins with the markup."""

    def __init__(self, app: ASGIApp, markup: str) -> None:
        self.app, self.markup = app, markup.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET"
        await self.app(scope, receive, Put(send, self.markup) if page and self.markup else send)


class Put:
    """Sends an answer on, with the markup behind the first `HEAD` if it is HTML that comes whole and as it is."""

    def __init__(self, send: Send, markup: bytes) -> None:
        self.send, self.markup = send, markup
        self.start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _plain_html(message):
            self.start = message
            return
        if self.start:
            await self.send(self._longer(self.start, message))
            message = {**message, "body": self._with(message.get("body", b""))}
            self.start = None
        await self.send(message)

    def _with(self, body: bytes) -> bytes:
        return body.replace(HEAD, HEAD + self.markup, 1)

    def _longer(self, start: Message, message: Message) -> Message:
        """Its headers, with the length that the answer now has."""
        body = message.get("body", b"")
        more = len(self._with(body)) - len(body)
        headers = [(k, str(int(v) + more).encode() if k == b"content-length" else v) for k, v in start["headers"]]
        return {**start, "headers": headers}


def _plain_html(start: Message) -> bool:
    headers = dict(start["headers"])
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
