"""The page as a subprocess, and a visitor to it without a browser: what the page's scripts send, over plain HTTP."""

import base64
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from .timing import Entry, entry

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds
CONFIG = "window.gradio_config = "  # in the page, and after it all that the page shows
PICTURE = re.compile(r"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)")
Message = dict[str, Any]


class RefusedError(OSError):
    """The page refused a request; the message is its answer."""


@dataclass(frozen=True)
class Server:
    """The page as it runs. begun: when it was started, of `time.perf_counter`; page: its first answer."""

    url: str
    process: "subprocess.Popen[bytes]"
    begun: float
    page: bytes = b""

    def resident(self) -> float | None:
        """The memory that it holds, in MB (10**6 bytes); None where the system does not say."""
        status = Path(f"/proc/{self.process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS")), None)


@contextmanager
def serving(*arguments: object) -> Iterator[Server]:
    """`python app.py`, while the block lasts; it answers already. Raises OSError if it does not start."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    command, quiet = [sys.executable, "app.py", *map(str, arguments)], subprocess.DEVNULL
    begun = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            url = f"http://127.0.0.1:{port}/"
            yield Server(url, process, begun, answer(process, url))
        finally:
            process.terminate()


def answer(process: "subprocess.Popen[bytes]", url: str) -> bytes:
    """What an address answers, as soon as it does. Raises OSError if the process ends first, or it never does."""
    opener, deadline = build_opener(ProxyHandler({})), time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(URLError, ConnectionError), opener.open(url, timeout=PATIENCE) as response:
            return response.read()
        time.sleep(0.02)
    raise OSError(f"python app.py did not answer at {url}: run it and see what it says")


def cold_start(launches: int) -> Entry:
    """From `python app.py`, a new process, to the bytes of the first picture; "page": until the page answered.

    The files may lie in the system's cache: what is cold is the process.
    """
    times: dict[str, list[float]] = {"fast": [], "page": []}
    for _ in range(launches):
        with serving() as server:
            times["page"].append(time.perf_counter() - server.begun)
            first_picture(server.page.decode())
            times["fast"].append(time.perf_counter() - server.begun)
    return entry(times, "s")


def first_picture(page: str) -> bytes:
    """The bytes of the first picture that a page shows, from its text. Raises OSError if there is none."""
    if found := PICTURE.search(page.partition(CONFIG)[2]):
        return base64.b64decode(found[1])
    raise OSError("the page of python app.py shows no picture: train a run, or fetch the checkpoints")


@dataclass
class Heard:
    """The answer to a request. places: how many were before it, each time it was told; started: seconds in the queue.

    first: seconds to the first part of the answer; took: to the last.
    """

    message: Any = None
    places: list[int] = field(default_factory=list)
    started: float = 0.0
    first: float = 0.0
    took: float = 0.0


class Visitor:
    """One visitor. Raises OSError, of which RefusedError is one, where there is no answer."""

    def __init__(self, url: str) -> None:
        self.url, self.name, self.ticket = url, f"{random.getrandbits(64):x}", 0
        self.opener = build_opener(ProxyHandler({}))

    @cached_property
    def config(self) -> Message:
        """The page's own description."""
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

    def figure(self, key: str) -> Message:
        """The first message that has this key."""
        return next(first for first in self.figures if key in first)

    def read(self, path: str, body: object = None) -> bytes:
        """What an address answers; with a body, what it answers to that."""
        with self.open(path, body) as response:
            return response.read()

    def open(self, path: str, body: object = None) -> Any:
        """The same as a stream."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"})
        return self.opener.open(request, timeout=PATIENCE)

    def order(self, name: str, order: object, overtake: bool = False) -> Heard:
        """What a figure's script triggers. overtake: after the first answer, tell that nobody waits for more."""
        event, figure = self.orders[name]
        if isinstance(order, dict):
            order = {**self._numbered(), **order}
        joined = {"data": [], "event_data": order, "fn_index": event, "session_hash": self.name, "trigger_id": figure}
        begun, heard = time.perf_counter(), Heard()
        self.read("gradio_api/queue/join", joined)
        for message in self._stream(f"gradio_api/queue/data?session_hash={self.name}"):
            now, kind = time.perf_counter() - begun, message["msg"]
            if kind == "estimation":
                heard.places.append(message["rank"])
            elif kind == "process_starts":
                heard.started = now
            elif kind.startswith("process_"):
                heard.first = heard.first or now
                if kind == "process_completed":
                    heard.message, heard.took = _ended(message), now
                    return heard
                if overtake:
                    overtake = False
                    self.serve(figure, "note", self._numbered())
        raise RefusedError("the page ended its answer in the middle")

    def _numbered(self) -> Message:
        self.ticket += 1
        return {"visitor": self.name, "ticket": self.ticket}

    def serve(self, figure: int, function: str, value: object) -> bytes:
        """A function that a figure calls without waiting in the queue."""
        asked = {"component_id": figure, "fn_name": function, "data": value, "session_hash": self.name}
        return self.read("gradio_api/component_server", asked)

    def call(self, endpoint: str, *values: object) -> Any:
        """A named endpoint. Raises RefusedError with its sentence."""
        event, kind = json.loads(self.read(f"gradio_api/call/{endpoint}", {"data": values}))["event_id"], ""
        with self.open(f"gradio_api/call/{endpoint}/{event}") as response:
            for line in response:
                head, _, text = line.decode().strip().partition(": ")
                kind = text if head == "event" else kind
                if head == "data" and kind == "error":
                    raise RefusedError(str((json.loads(text) or {}).get("error")))
                if head == "data" and kind == "complete":
                    return json.loads(text)[0]
        raise RefusedError("the page ended its answer in the middle")

    def _stream(self, path: str) -> Iterator[Message]:
        with self.open(path) as response:
            yield from (json.loads(line[5:]) for line in response if line.startswith(b"data:"))


def _ended(message: Message) -> Any:
    """The data of the last message of an answer. Raises RefusedError."""
    output = message["output"] or {}
    data = output.get("data") or [None]
    wrong = output.get("error") if "data" not in output else data[-1].get("error") if data[-1] else None
    if wrong or not message["success"]:
        raise RefusedError(str(wrong))
    return data[-1]


def refusal(error: Exception) -> str:
    """The page's words, where it refused a request."""
    return error.read().decode()[:300] if isinstance(error, HTTPError) else str(error)[:300]
