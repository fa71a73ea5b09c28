"""The benchmark of the page: how soon it starts and answers one visitor, and what it does with many at once."""

import base64
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from random import Random
from statistics import linear_regression
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np

from .timing import Entry, attempt

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds
Message = dict[str, Any]


class RefusedError(OSError):
    """The page refused a request; the message is its answer."""


@dataclass(frozen=True)
class Server:
    """The page as it runs. begun: when it was started, of `time.perf_counter`."""

    url: str
    process: "subprocess.Popen[bytes]"
    begun: float

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
            url, deadline = f"http://127.0.0.1:{port}/", begun + PATIENCE
            while not _answers(url):
                if process.poll() is not None or time.perf_counter() > deadline:
                    raise OSError(f"python app.py did not answer at {url}: run it and see what it says")
                time.sleep(0.02)
            yield Server(url, process, begun)
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    with suppress(URLError, ConnectionError), build_opener(ProxyHandler({})).open(url, timeout=PATIENCE):
        return True
    return False


@dataclass
class Response:
    """The response to a request. ranks: how many were before it, each time it was sent; started: seconds in the queue.

    first: seconds to the first part of the response; took: to the last.
    """

    message: Any = None
    ranks: list[int] = field(default_factory=list)
    started: float = 0.0
    first: float = 0.0
    took: float = 0.0


class Visitor:
    """One visitor. Raises OSError, of which RefusedError is one, where there is no response."""

    def __init__(self, url: str) -> None:
        self.url, self.name, self.ticket = url, f"{random.getrandbits(64):x}", 0
        self.opener = build_opener(ProxyHandler({}))

    @cached_property
    def config(self) -> Message:
        """The page's own description."""
        return json.loads(self.read("config"))

    @cached_property
    def events(self) -> dict[str, tuple[int, int]]:
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
        with self._open(path, body) as response:
            return response.read()

    def _open(self, path: str, body: object = None) -> Any:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"})
        return self.opener.open(request, timeout=PATIENCE)

    def trigger(self, name: str, data: object, cancel: bool = False) -> Response:
        """An event that a figure's script triggers. cancel: after the first part, cancel the rest."""
        event, figure = self.events[name]
        if isinstance(data, dict):
            data = {**self._numbered(), **data}
        joined = {"data": [], "event_data": data, "fn_index": event, "session_hash": self.name, "trigger_id": figure}
        begun, response = time.perf_counter(), Response()
        self.read("gradio_api/queue/join", joined)
        with self._open(f"gradio_api/queue/data?session_hash={self.name}") as stream:
            for line in stream:
                if not line.startswith(b"data:"):
                    continue
                message = json.loads(line[5:])
                now, kind = time.perf_counter() - begun, message["msg"]
                if kind == "estimation":
                    response.ranks.append(message["rank"])
                elif kind == "process_starts":
                    response.started = now
                elif kind.startswith("process_"):
                    response.first = response.first or now
                    if kind == "process_completed":
                        response.message, response.took = _ended(message), now
                        return response
                    if cancel:
                        cancel = False
                        self.serve(figure, "note", self._numbered())
        raise RefusedError("the page ended its answer in the middle")

    def _numbered(self) -> Message:
        self.ticket += 1
        return {"visitor": self.name, "ticket": self.ticket}

    def serve(self, figure: int, function: str, value: object) -> bytes:
        """A function that a figure calls without waiting in the queue."""
        request = {"component_id": figure, "fn_name": function, "data": value, "session_hash": self.name}
        return self.read("gradio_api/component_server", request)

    def call(self, endpoint: str, *values: object) -> Any:
        """A named endpoint. Raises RefusedError with its sentence."""
        event, kind = json.loads(self.read(f"gradio_api/call/{endpoint}", {"data": values}))["event_id"], ""
        with self._open(f"gradio_api/call/{endpoint}/{event}") as response:
            for line in response:
                head, _, text = line.decode().strip().partition(": ")
                kind = text if head == "event" else kind
                if head == "data" and kind == "error":
                    raise RefusedError(str((json.loads(text) or {}).get("error")))
                if head == "data" and kind == "complete":
                    return json.loads(text)[0]
        raise RefusedError("the page ended its answer in the middle")


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


Action = Callable[[Visitor, Random], Response]
TARGETS = {"cold": 8.0, "scrub": 0.05, "draw": 0.3, "film": 0.3, "symbols": 2.0}  # seconds, 95 of 100 times
SEEDS = 2**31
PAUSES = (0.5, 2.0)  # seconds between what a visitor sees and does next
LONG = 1.0  # seconds: who waits longer should be sent how many come before
SAMPLES = 12  # of memory at least, and one each half minute
MIX = {"grow": 7, "draw": 5, "film": 3, "ask": 2, "sample": 1, "measure": 1, "look": 2}  # how often, under load
ALONE = ("draw", "film", "symbols", "ask", "grow")  # what one visitor is timed at
NEEDS = {"grow": "iterations", "draw": "decoders", "film": "networks", "symbols": "iterations", "sample": "iterations"}
PERCENTILES = ("median", "least", "p95", "most", "target", "count")
FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
READY = '.figure-page[data-ready="true"]'
SCRUB = """async (count) => {
  const scrub = document.querySelector("#figure .scrub"), seen = document.querySelector("#figure .sheet canvas");
  const frame = () => new Promise(requestAnimationFrame), times = [];
  for (let i = 0; i < count; i++) {
    await frame();
    const start = performance.now();
    scrub.value = String((Number(scrub.value) + 1) % (Number(scrub.max) + 1));
    scrub.dispatchEvent(new Event("input", {bubbles: true}));
    await frame();
    times.push((performance.now() - start) / 1000);
    await new Promise((done) => setTimeout(done, 20));
  }
  return times;
}"""  # in seconds, up to the frame that shows it
FIRST = """() => new Promise((done) =>
  new PerformanceObserver((seen) => done(seen.getEntries()[0].renderTime / 1000))
    .observe({type: "element", buffered: true}))
"""  # in seconds from the request of the page, the time of the picture that it begins with


@dataclass(frozen=True)
class PagePlan:
    """How much is measured. actions: of each kind; minutes: of load; visitors: at once; starts: of the app."""

    actions: int = 50
    minutes: float = 3.0
    visitors: int = 20
    starts: int = 3


def measure_page(
    plan: PagePlan | None = None,
    *arguments: object,
    on_part: Callable[[str], object] = lambda name: None,
    on_result: Callable[[Entry], object] = lambda result: None,
) -> Entry:
    """Start `python app.py` with these arguments and measure it, as JSON values, in seconds.

    Latencies are "cold", from the start of the app to the first picture, "ready", to the whole page, "scrub", and the
    actions of a visitor who is alone. on_part is called with the name of the next part, on_result with all results so
    far, after each part. A part that fails has an "error", and the rest goes on.
    """
    plan, latency, actions = plan or PagePlan(), Entry(), dict[str, Action]()
    result: Entry = {"plan": vars(plan), "latency": latency}

    def part(into: Entry, name: str, work: Callable[[], Any]) -> None:
        on_part(name)
        into[name] = attempt(work)
        on_result(result)

    def cold() -> Entry:
        first, ready = list[float](), list[float]()
        with in_browser() as browser:
            for _ in range(plan.starts):
                with serving(*arguments) as server:
                    started = time.perf_counter() - server.begun
                    page = visit(browser, server.url)
                    first.append(started + page.evaluate(FIRST))
                    ready.append(time.perf_counter() - server.begun)
                    page.close()
        latency["ready"] = latencies("ready", ready)
        return latencies("cold", first)

    def scrub() -> Entry:
        with in_browser() as browser:
            return latencies("scrub", visit(browser, server.url).evaluate(SCRUB, plan.actions))

    on_result(result)
    part(latency, "cold", cold)
    with serving(*arguments) as server:
        visitor = Visitor(server.url)
        part(result, "actions", lambda: warm_up(visitor, actions))
        part(latency, "scrub", scrub)
        for name in filter(actions.get, ALONE):
            part(latency, name, partial(alone, visitor, name, actions[name], plan.actions))
        part(result, "load", lambda: load(server, plan.visitors, 60 * plan.minutes))
    return result


def alone(visitor: Visitor, name: str, action: Action, count: int) -> Entry:
    """Seconds of an action of one visitor who is alone, to the first part of the response."""
    chance = Random(1)
    return latencies(name, [action(visitor, chance).first for _ in range(count)])


def latencies(name: str, times: Sequence[float]) -> Entry:
    """The seconds of an action: as `spread`, and whether the target is kept, if there is one."""
    found = spread(times) | {"runs": [*times]}
    return found | ({"target": TARGETS[name], "kept": found["p95"] < TARGETS[name]} if name in TARGETS else {})


def actions_of(visitor: Visitor) -> dict[str, Action]:
    """What visitors do, by name, where the page has something for it: as its scripts ask, or as a program does."""

    def grow(visitor: Visitor, chance: Random) -> Response:
        run, entries = _iterations(visitor)
        seed = str(chance.randrange(SEEDS))
        return visitor.trigger("grow", {"experiment": run, "iteration": chance.choice(entries), "seed": seed})

    def draw(visitor: Visitor, chance: Random) -> Response:
        first = visitor.figure("decoders")
        turned = {"seed": chance.randrange(SEEDS), "neurons": chance.randrange(1, 9), "gain": chance.uniform(0, 3)}
        name = chance.choice(first["decoders"])["name"]
        return visitor.trigger("draw", {**first["start"], "experiment": name, **turned})

    def film(visitor: Visitor, chance: Random) -> Response:  # of which the rest is not waited for
        first = visitor.figure("networks")
        turned = {"seed": chance.randrange(SEEDS), "perturbation": chance.choice([0, 0.01, 0.1])}
        name = chance.choice(first["networks"])["name"]
        return visitor.trigger("film", {**first["start"], "experiment": name, **turned}, cancel=True)

    def ask(visitor: Visitor, chance: Random) -> Response:  # whether a drawing is new
        strokes = bytes(255 if chance.random() < 0.1 else 0 for _ in range(28 * 28))
        return visitor.trigger("ask", {"image": base64.b64encode(strokes).decode(), "seed": None})

    def symbols(visitor: Visitor, chance: Random, count: int = 64) -> Response:
        run, entries = _iterations(visitor)
        seeds = [chance.randrange(SEEDS) for _ in range(count)]
        return _timed(lambda: visitor.call("sample", run, max(entries), seeds))

    def measure(visitor: Visitor, chance: Random) -> Response:
        kinds = [first.get(kind) or [] for first in visitor.figures for kind in ("iterations", "decoders", "networks")]
        png = visitor.read(next(it["sheet"] for kind in kinds for it in kind if it.get("sheet")))
        return _timed(lambda: visitor.call("measure", base64.b64encode(png).decode(), chance.random() < 0.5))

    every: dict[str, Action] = {
        "grow": grow, "draw": draw, "film": film, "ask": ask, "symbols": symbols, "measure": measure,
        "look": lambda visitor, chance: _timed(lambda: visitor.read("").decode()),
        "sample": partial(symbols, count=16),
    }  # fmt: skip
    shown = {key for first in visitor.figures for key in first} | {None}
    return {
        name: action
        for name, action in every.items()
        if NEEDS.get(name) in shown and (name != "ask" or name in visitor.events)
    }


def _iterations(visitor: Visitor) -> tuple[str, list[int]]:
    """A run, and its iterations that have a checkpoint."""
    run = visitor.figure("iterations")
    return run["experiment"], [entry["iteration"] for entry in run["iterations"] if entry["bytes"]]


def _timed(work: Callable[[], object]) -> Response:
    """The response of something that comes as a whole."""
    begun = time.perf_counter()
    message = work()
    took = time.perf_counter() - begun
    return Response(message, first=took, took=took)


def warm_up(visitor: Visitor, actions: dict[str, Action]) -> list[str]:
    """Find the actions and do each once, so that what is measured next has imported and loaded all that it needs."""
    actions |= actions_of(visitor)
    for action in actions.values():
        action(visitor, Random(0))
    return list(actions)


@contextmanager
def in_browser() -> Iterator[Any]:
    """A headless browser. Raises OSError, one sentence, where there is none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise OSError("there is no playwright: pip install playwright") from error
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise OSError("there is no Chromium: install it")
    try:
        with sync_playwright() as driver, driver.chromium.launch(executable_path=path, args=FLAGS.split()) as browser:
            yield browser
    except Error as error:
        raise OSError(f"the browser gave up: {str(error).splitlines()[0]}") from error


def visit(browser: Any, url: str) -> Any:
    """The page, its first picture drawn, in a window of a desk, without motion."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(url)
    page.wait_for_selector(READY)
    return page


@dataclass
class Log:
    """What one visitor did: (action, its response), and the errors that the page answered with."""

    done: list[tuple[str, Response]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def load(server: Server, visitors: int, seconds: float) -> Entry:
    """So many visitors at once for so long, each with actions of the mix, at random but the same each time."""
    logs, end = [Log() for _ in range(visitors)], time.monotonic() + seconds
    memory = [(0.0, server.resident())]
    with ThreadPoolExecutor(visitors) as pool:
        crowd = [pool.submit(simulate, server.url, Random(seed), log, end) for seed, log in enumerate(logs)]
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 30, seconds / SAMPLES))
            memory.append((seconds - left, server.resident()))
        for each in crowd:
            each.result()
    memory.append((seconds, server.resident()))
    return {"visitors": visitors, "seconds": seconds, **summary(logs), "memory": growth(memory)}


def simulate(url: str, chance: Random, log: Log, end: float) -> None:
    """A visitor: look, act, pause, until the time is over."""
    visitor, actions = Visitor(url), dict[str, Action]()
    time.sleep(chance.uniform(0, PAUSES[1]))
    while time.monotonic() < end:
        try:
            actions = actions or actions_of(visitor)
            name = chance.choices(list(actions), [MIX.get(name, 0) for name in actions])[0]
            log.done.append((name, actions[name](visitor, chance)))
        except OSError as error:
            log.errors.append(refusal(error))
        time.sleep(chance.uniform(*PAUSES))


def summary(logs: Sequence[Log]) -> Entry:
    """Errors; seconds by action, in all and in the queue; who waited long; whether visitors were served alike."""
    done = [each for log in logs for each in log.done]
    errors = [error for log in logs for error in log.errors]
    queued = [response for _, response in done if response.started]
    waited = [response for response in queued if response.started > LONG]
    counts = [len(log.done) for log in logs]
    return {
        "actions": len(done),
        "errors": errors,
        "error_count": len(errors),
        "took_s": {name: spread([it.took for other, it in done if other == name]) for name, _ in done},
        "waited_s": spread([response.started for response in queued]),
        "waited_long": len(waited),
        "waited_long_with_rank": sum(bool(response.ranks) for response in waited),
        "most_before": max((rank for response in queued for rank in response.ranks), default=0),
        "least_actions_of_a_visitor": min(counts),
        "most_actions_of_a_visitor": max(counts),
    }


def spread(values: Sequence[float]) -> Entry:
    """How many, their median, their 95th percentile, the least and the most."""
    if not values:
        return {"count": 0}
    least, median, p95, most = np.quantile(values, (0, 0.5, 0.95, 1)).tolist()
    return {"count": len(values), "median": median, "p95": p95, "least": least, "most": most}


def growth(memory: Sequence[tuple[float, float | None]]) -> Entry:
    """Memory over time in MB, and its slope in the second half, when everything is loaded."""
    seen = [(at, mb) for at, mb in memory if mb is not None]
    if not seen:
        return {"error": "the system does not say how much memory a process holds"}
    later = [(at, mb) for at, mb in seen if at >= seen[-1][0] / 2]
    return {
        "mb": [[round(at, 1), round(mb, 1)] for at, mb in seen],
        "first_mb": seen[0][1],
        "last_mb": seen[-1][1],
        "most_mb": max(mb for _, mb in seen),
        "mb_a_minute": 60 * linear_regression(*zip(*later, strict=True)).slope if len(later) > 1 else 0.0,
    }
