"""What the server makes of a request that is no order: too large a body is refused unread, a fault is one sentence."""

import json
from logging import getLogger
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 2**21  # bytes; uploads have a smaller bound of their own
TOO_LARGE = f"The request is too large: send at most {LARGEST:,} bytes."
FAULT = "The page has no answer to this request: reload it, or ask for something that it offers."
NAMELESS = (b'{"error": null}', b'{"error":null}')  # how Gradio tells of a fault, in its two streams
NAMED = json.dumps({"error": FAULT}).encode()
LAST = b'event: error\ndata: {"msg": "unexpected_error", ' + NAMED[1:] + b"\n\n"  # of a stream that breaks off


class Guard:
    """An ASGI application that reads at most `LARGEST` bytes of a request, and says a sentence where another fails.

    What it was that failed stands in the server's log alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if declared(scope) > LARGEST:
            return await JSONResponse({"detail": TOO_LARGE}, 413)(scope, receive, send)
        answer = Answer(send)
        try:
            await self.app(scope, counted(receive), answer)
        except Exception:
            getLogger(__name__).exception("a request failed")
            if not answer.begun:
                await JSONResponse({"detail": FAULT}, 500)(scope, receive, send)
            elif answer.streams:
                await send({"type": "http.response.body", "body": LAST})
            else:
                raise


class Answer:
    """Sends an answer on; a stream that tells of a fault without a word gets some. begun: whether any was sent."""

    def __init__(self, send: Send) -> None:
        self.send, self.begun, self.streams = send, False, False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        if message["type"] == "http.response.start":
            self.streams = any(value.startswith(b"text/event-stream") for _, value in message.get("headers", []))
        elif self.streams:
            for nameless in NAMELESS:
                message = {**message, "body": message.get("body", b"").replace(nameless, NAMED)}
        await self.send(message)


def declared(scope: Scope) -> int:
    """How long a request says it is, in bytes; 0 if it does not say."""
    said = dict(scope["headers"]).get(b"content-length", b"0")
    return int(said) if said.isdigit() else 0


def counted(receive: Receive) -> Receive:
    """The parts of a request that does not say how long it is; raises HTTPException once they are too many."""
    heard = 0

    async def part() -> Message:
        nonlocal heard
        message = await receive()
        heard += len(message.get("body", b""))
        if heard > LARGEST:
            raise HTTPException(413, TOO_LARGE)
        return message

    return part


def guarded(*further: Middleware) -> dict[str, Any]:
    """What `launch` hands on to its web application."""
    return {"middleware": [Middleware(Guard), *further]}
