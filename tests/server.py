"""The page as anyone serves it, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

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


FRAME = b"""<!doctype html><title>A frame</title><link rel=icon href=data:,>
<iframe src=/demo/ title=page style="width:100vw;height:90vh">"""


class Prefixing(BaseHTTPRequestHandler):
    """The page at `port` as a proxy shows it below /demo; and /frame, a page of another's, with that in an iframe."""

    port: int
    protocol_version = "HTTP/1.1"

    def do_GET(self, body: bytes | None = None) -> None:
        self.close_connection = True
        if not self.path.startswith("/demo/"):
            self.send_response(200 if self.path == "/frame" else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(FRAME)
            return
        known = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "host")}
        url = f"http://127.0.0.1:{self.port}{self.path.removeprefix('/demo')}"
        asked = Request(url, body, {**known, "X-Forwarded-Host": self.headers["Host"]}, method=self.command)
        with build_opener(ProxyHandler({})).open(asked) as response:
            self.send_response(response.status)
            for name, value in response.headers.items():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            while part := response.read1(65536):  # as it comes: a stream of responses
                self.wfile.write(part)

    def do_POST(self) -> None:
        self.do_GET(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: Any) -> None:
        """Silence."""


@contextmanager
def prefixed(port: int) -> Iterator[str]:
    """Where such a proxy of the page at a port is."""
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), type("Proxy", (Prefixing,), {"port": port}))
    proxy.daemon_threads = True
    Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()
