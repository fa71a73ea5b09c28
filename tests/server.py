"""The page as anyone serves it, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from toolkit.experiments.page_benchmark import Server

ROOT = Path(__file__).parents[1]
PATIENCE = 600  # seconds, for a machine that is busy
STARTS = 3  # Gradio ends where its own first answer takes it 3 seconds, as it may on such a machine


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def start(port: int, *command: object, **options: Any) -> "subprocess.Popen[bytes]":
    """The process of a Python command that serves, once it answers at the port that its environment names."""
    url, where = f"http://127.0.0.1:{port}/", {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    argv, env = [sys.executable, *map(str, command)], os.environ | where
    for _ in range(STARTS):
        process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, **{"cwd": ROOT, **options})
        if answers(url, process):
            return process
        process.kill()
        process.wait()
    raise TimeoutError(f"nothing answers at {url}")


def answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    """Whether it answers, before it ends or patience does."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), build_opener(ProxyHandler({})).open(url, timeout=PATIENCE):
            return True
        time.sleep(0.1)
    return False


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """`python app.py FOLDER`, while the block lasts."""
    port, begun = free_port(), time.perf_counter()
    process = start(port, "app.py", folder)
    try:
        yield Server(f"http://127.0.0.1:{port}/", process, begun)
    finally:
        process.terminate()
        process.wait()
