"""A Hub on loopback: what huggingface_hub 2 asks about models and files, answered from folders, every request noted.

Weights (.safetensors) are large files as the Hub keeps them: their HEAD is a redirect to another host, with size and
sha256 in X-Linked headers, and their GET goes to that host. All else is answered in place, with its git blob's sha1.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

FIRST, SECOND = "1" * 40, "2" * 40


class Endpoint:
    """One repo, owner/name, and the switches of a bad day. `requests` is what was asked for, in order."""

    def __init__(self, folder: Path) -> None:
        self.commits = {FIRST: folder}
        self.refs = {"main": FIRST}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.tokens: set[tuple[str, str | None]] = set()  # what host was shown which Authorization
        self.cuts: list[int] = []  # the next bodies of large files end after so many bytes
        self.slow = 0.0  # seconds before every answer
        self.down: int | None = None  # a status for everything, such as 503
        self.away: int | None = None  # a status for large files
        self.gated: int | None = None  # 401 or 403 for the files of the repo
        self.wrong: dict[str, int] = {}  # of a path: so many of the next bodies have a wrong byte
        self.lock = Lock()

    def publish(self, folder: Path, commit: str = SECOND) -> None:
        """A new commit on main."""
        self.commits[commit] = folder
        self.refs["main"] = commit

    def counted(self) -> dict[str, int]:
        """How many of each kind: asking about a file (HEAD), fetching a small one, fetching weights."""
        asked = sum(method == "HEAD" for method, _, _ in self.requests)
        weights = sum(method == "GET" and "/cdn/" in path for method, path, _ in self.requests)
        small = sum(method == "GET" and "/resolve/" in path for method, path, _ in self.requests)
        return {"HEAD": asked, "small": small, "weights": weights}

    def fetched(self) -> list[str]:
        """The names of the files that were downloaded, or begun."""
        return [path.partition("/cdn/")[2] or path.split("/", 4)[4] for method, path, _ in self.requests
                if method == "GET" and ("/cdn/" in path or "/resolve/" in path)]  # fmt: skip


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Endpoint, str]]:
    """The endpoint over a folder, and its address."""
    endpoint = Endpoint(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (Answers,), {"endpoint": endpoint}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield endpoint, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Answers(BaseHTTPRequestHandler):
    """The protocol. A connection serves one request, so that a cut one is over."""

    endpoint: Endpoint
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        with self.endpoint.lock:
            self.endpoint.requests.append((self.command, path, self.headers.get("Range")))
            self.endpoint.tokens.add((self.headers["Host"].partition(":")[0], self.headers.get("Authorization")))
        if self.endpoint.slow:
            Event().wait(self.endpoint.slow)
        if self.endpoint.down:
            return self.refuse(self.endpoint.down)
        if path.startswith("/cdn/"):
            return self.large(path.removeprefix("/cdn/"))
        if path.startswith("/api/models/owner/name"):
            return self.about(path.removeprefix("/api/models/owner/name").strip("/"))
        if path.startswith("/owner/name/resolve/"):
            revision, _, file = path.removeprefix("/owner/name/resolve/").partition("/")
            return self.resolve(revision, file)
        return self.refuse(401 if "/resolve/" in path or "/api/models/" in path else 404, "RepoNotFound")

    def resolve(self, revision: str, file: str) -> None:
        if self.endpoint.gated:
            return self.refuse(self.endpoint.gated, "GatedRepo")
        commit = self.endpoint.refs.get(revision, revision)
        if commit not in self.endpoint.commits:
            return self.refuse(404, "RevisionNotFound")
        known = {"X-Repo-Commit": commit}
        if not (path := self.endpoint.commits[commit] / file).is_file():
            return self.refuse(404, "EntryNotFound", known)
        data = path.read_bytes()
        if path.suffix != ".safetensors":
            return self.send(200, data, known | {"ETag": f'"{blob(data)}"'})
        linked = {"X-Linked-ETag": f'"{sha256(data).hexdigest()}"', "X-Linked-Size": str(len(data))}
        there = f"http://localhost:{self.server.server_address[1]}/cdn/{commit}/{file}"  # another host: as a CDN is
        return self.send(302, b"", known | linked | {"Location": there})

    def large(self, path: str) -> None:
        if self.endpoint.away:
            return self.refuse(self.endpoint.away)
        commit, _, file = path.partition("/")
        data = (self.endpoint.commits[commit] / file).read_bytes()
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        with self.endpoint.lock:
            cut = self.endpoint.cuts.pop(0) if self.endpoint.cuts else None
            if self.endpoint.wrong.get(file, 0) > 0:
                self.endpoint.wrong[file] -= 1
                data = data[:-1] + bytes([data[-1] ^ 1])
        span = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}
        return self.send(206 if first else 200, data[first:], span | {"ETag": f'"{sha256(data).hexdigest()}"'}, cut)

    def about(self, asked: str) -> None:
        """The repo at a revision, or its tree."""
        what, _, revision = asked.partition("/")
        commit = self.endpoint.refs.get(revision or "main", revision)
        if commit not in self.endpoint.commits:
            return self.refuse(404, "RevisionNotFound")
        folder = self.endpoint.commits[commit]
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
        tree = [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in sizes.items()]
        repo = {"id": "owner/name", "sha": commit, "siblings": [{"rfilename": entry["path"]} for entry in tree]}
        return self.send(
            200, json.dumps(tree if what == "tree" else repo).encode(), {"Content-Type": "application/json"}
        )

    def refuse(self, status: int, code: str = "", known: dict[str, str] | None = None) -> None:
        self.send(status, b"{}", (known or {}) | ({"X-Error-Code": code} if code else {}))

    def send(self, status: int, data: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.command == "GET":
            with suppress(ConnectionError):  # of one who did not wait
                self.wfile.write(data[:cut])


def blob(data: bytes) -> str:
    """The name that git gives to a file's content."""
    return sha1(b"blob %d\0" % len(data) + data).hexdigest()
