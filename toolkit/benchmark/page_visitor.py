"""The page as a subprocess, and a visitor to it without a browser: what the page's scripts send, over plain HTTP."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from .startup import ROOT, answer

PATIENCE = 120  # seconds
Message = dict[str, Any]


class RefusedError(OSError):
    """The page refused what was asked of it; the message is what it said."""


@dataclass(frozen=True)
class Server:
    """The page as it runs. started: seconds from nothing until it answered."""

    url: str
    process: "subprocess.Popen[bytes]"
    begun: float  # of time.perf_counter

    def resident(self) -> float | None:
        """The memory that it holds, in MB (10**6 bytes); None where the system does not say."""
        said = Path(f"/proc/{self.process.pid}/status")
        lines = said.read_text().splitlines() if said.exists() else []
        return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS")), None)


@contextmanager
def serving(*arguments: object) -> Iterator[Server]:
    """`python app.py`, while the block lasts; it answers already. Raises OSError if it does not start."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "app.py", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | where,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            answer(process, f"http://127.0.0.1:{port}/")
            yield Server(f"http://127.0.0.1:{port}/", process, begun)
        finally:
            process.terminate()


@dataclass
class Heard:
    """What came back of an order. places: how many were before it, each time it was said; started: seconds of waiting.

    first: seconds to the first of the answer; took: to the last.
    """

    message: Any = None
    places: list[int] = field(default_factory=list)
    started: float = 0.0
    first: float | None = None
    took: float = 0.0


class Visitor:
    """One visitor. Raises OSError, of which RefusedError is one, where there is no answer."""

    def __init__(self, url: str) -> None:
        self.url, self.name, self.ticket = url, f"{random.getrandbits(64):x}", 0
        self.opener = build_opener(ProxyHandler({}))

    @cached_property
    def config(self) -> Message:
        """What the page says of itself."""
        return json.loads(self.read("config"))

    @cached_property
    def orders(self) -> dict[str, tuple[int, int]]:
        """By name of what the scripts trigger ("grow", "draw", ...): the number of the event, and of its figure."""
        events = ((it["id"], target) for it in self.config["dependencies"] for target in it["targets"])
        return {name: (number, figure) for number, (figure, name) in events if figure is not None}

    @cached_property
    def figures(self) -> list[Message]:
        """The first messages of the figures."""
        values = (it["props"].get("value") for it in self.config["components"] if it["type"] == "html")
        return [value for value in values if isinstance(value, dict)]

    def read(self, path: str, body: object = None) -> bytes:
        """What an address says; with a body, what it says to that."""
        with self.open(path, body) as said:
            return said.read()

    def open(self, path: str, body: object = None) -> Any:
        """The same as a stream."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"})
        return self.opener.open(request, timeout=PATIENCE)

    def order(self, name: str, order: object, overtake: bool = False) -> Heard:
        """What a figure's script triggers. overtake: after the first answer, say that nobody waits for more."""
        self.ticket += 1
        event, figure = self.orders[name]
        if isinstance(order, dict):
            order = {"visitor": self.name, "ticket": self.ticket, **order}
        joined = {"data": [], "event_data": order, "fn_index": event, "session_hash": self.name, "trigger_id": figure}
        begun, heard = time.perf_counter(), Heard()
        self.read("gradio_api/queue/join", joined)
        for message in self.told(f"gradio_api/queue/data?session_hash={self.name}"):
            now = time.perf_counter() - begun
            if message["msg"] == "estimation":
                heard.places.append(message["rank"])
            elif message["msg"] == "process_starts":
                heard.started = now
            elif message["msg"].startswith("process_"):
                heard.first = now if heard.first is None else heard.first
                if message["msg"] == "process_completed":
                    return self.ended(heard, message, now)
                if overtake:
                    overtake = False
                    self.ticket += 1
                    self.serve(figure, "note", {"visitor": self.name, "ticket": self.ticket})
        raise RefusedError("the page ended its answer in the middle")

    def ended(self, heard: Heard, message: Message, now: float) -> Heard:
        """The last message of an answer."""
        output = message["output"] or {}
        data = output.get("data") or [None]
        wrong = output.get("error") if "data" not in output else data[-1].get("error") if data[-1] else None
        if wrong or not message["success"]:
            raise RefusedError(str(wrong))
        heard.message, heard.took = data[-1], now
        return heard

    def serve(self, figure: int, function: str, value: object) -> bytes:
        """A function that a figure calls without waiting in line."""
        asked = {"component_id": figure, "fn_name": function, "data": value, "session_hash": self.name}
        return self.read("gradio_api/component_server", asked)

    def call(self, endpoint: str, *values: object) -> Any:
        """A named endpoint. Raises RefusedError with its sentence."""
        event = json.loads(self.read(f"gradio_api/call/{endpoint}", {"data": values}))["event_id"]
        with self.open(f"gradio_api/call/{endpoint}/{event}") as said:
            kind = ""
            for line in said:
                head, _, text = line.decode().strip().partition(": ")
                kind = text if head == "event" else kind
                if head == "data" and kind in ("complete", "error"):
                    return completed(kind, json.loads(text))
        raise RefusedError("the page ended its answer in the middle")

    def told(self, path: str) -> Iterator[Message]:
        """The messages of a stream."""
        with self.open(path) as said:
            for line in said:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])


def completed(kind: str, said: Any) -> Any:
    """The answer of an endpoint. Raises RefusedError."""
    if kind == "error":
        raise RefusedError(str((said or {}).get("error")))
    return said[0]


def refusal(error: Exception) -> str:
    """What was said, where an order was refused."""
    return error.read().decode()[:300] if isinstance(error, HTTPError) else str(error)[:300]
