"""Starting: what `import toolkit` adds to torch's own import, and the app from nothing to its first picture."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError
from urllib.parse import urljoin
from urllib.request import ProxyHandler, build_opener

from .plan import Subject
from .timing import Entry

ROOT = Path(__file__).resolve().parents[2]
IMPORT = """import json, time
clock = [time.perf_counter()]
import torch; clock.append(time.perf_counter())
import toolkit; [getattr(toolkit, name) for name in toolkit.__all__]; clock.append(time.perf_counter())
print(json.dumps([after - before for before, after in zip(clock, clock[1:])]))"""
CONFIG = "window.gradio_config = "  # in the page, and after it all that the page shows, as JSON
SUFFIXES = (".png", ".gif", ".webp", ".jpg")
MAGIC = (b"\x89PNG", b"GIF8", b"RIFF", b"\xff\xd8")
PATIENCE = 120  # seconds


def importing(subject: Subject) -> Entry:
    """`import toolkit` and every public name, after torch, in a new process each; beside it torch's own import."""
    times = [_imports() for _ in range(subject.plan.starts_of_the_app)]
    torch, added = ([run[i] for run in times] for i in range(2))
    runs = {"fast": added, "torch": torch}
    return {"value": median(added), "unit": "s", "torch_s": median(torch), "runs_unit": "s", "runs": runs}


def _imports() -> list[float]:
    done = subprocess.run([sys.executable, "-c", IMPORT], cwd=ROOT, capture_output=True, check=True)
    return json.loads(done.stdout)


def cold_start(subject: Subject) -> Entry:
    """From `python app.py`, a new process, to the bytes of the first picture; `page_s` is when the page answered.

    The files may lie in the system's cache: what is cold is the process.
    """
    if not (ROOT / "app.py").exists():
        return {"value": None, "unit": "s", "why": f"there is no app.py in {ROOT}", "runs": {}}
    times = [start_app() for _ in range(subject.plan.starts_of_the_app)]
    pages, pictures = zip(*times, strict=True)
    return {
        "value": median(pictures),
        "unit": "s",
        "page_s": median(pages),
        "runs_unit": "s",
        "runs": {"fast": list(pictures), "page": list(pages)},
    }


def start_app() -> tuple[float, float]:
    """Start the app and stop it: seconds until its page was there, and until the first picture on it was."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    begin = time.perf_counter()
    app = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, **where},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        page = answer(app, url).decode()
        seconds = time.perf_counter() - begin
        first_picture(app, url, page)
        return seconds, time.perf_counter() - begin
    finally:
        app.terminate()
        app.wait()


def answer(app: "subprocess.Popen[bytes]", url: str) -> bytes:
    """What an address of the app says, as soon as it says something. Raises OSError if the app ends or never does."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and app.poll() is None:
        with suppress(URLError, ConnectionError), opener.open(url, timeout=PATIENCE) as said:
            return said.read()
        time.sleep(0.02)
    raise OSError(f"python app.py did not answer at {url}: run it and see what it says")


def first_picture(app: "subprocess.Popen[bytes]", url: str, page: str) -> bytes:
    """The bytes of the first picture that a page shows, in its text or at an address. Raises OSError if none is one."""
    _, found, config = page.partition(CONFIG)
    shown = strings(json.JSONDecoder().raw_decode(config)[0]["components"]) if found else iter(())
    for text in shown:
        if text.startswith("data:image/"):
            data = base64.b64decode(text.partition(",")[2])
        elif text.startswith((url, "/")) and text.endswith(SUFFIXES):
            data = answer(app, urljoin(url, text))
        else:
            continue
        if data.startswith(MAGIC):
            return data
    raise OSError("the page of python app.py shows no picture: train a run, or fetch the checkpoints")


def strings(value: Any) -> Iterator[str]:
    """Every string within JSON values, in order."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(part)
