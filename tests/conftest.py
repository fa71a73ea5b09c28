"""What all tests share: no network, no threads to race, the same seeds, six small figures, one page, one browser."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SCRATCH = tempfile.mkdtemp(prefix="toolkit-tests-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)

OFFLINE = {
    "HF_HOME": SCRATCH,
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",  # of the processes that tests start
    "no_proxy": "127.0.0.1,localhost,::1",
    "NO_PROXY": "127.0.0.1,localhost,::1",
}
os.environ.update(OFFLINE)  # before anything is imported that reads them
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # some sixty processes are started: what one compiles the others read

import random  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)  # the tensors are small, and sums come out the same everywhere

LOOPBACK = {"127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None}


def refuse_network(event: str, args: Any) -> None:
    """An audit hook: sockets of this machine alone, and no look-ups of other hosts."""
    if event in ("socket.connect", "socket.getaddrinfo"):
        address = args[1] if event == "socket.connect" else args
        host = address[0] if isinstance(address, tuple) else None  # of a Unix socket a path
        if (host.decode() if isinstance(host, bytes) else host) not in LOOPBACK:
            raise OSError(f"tests use no network, and this one asked for {host}")


sys.addaudithook(refuse_network)


@pytest.fixture(autouse=True)
def same_seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that runs a command line: its exit code, and what it printed to stdout and stderr."""
    from toolkit import cli

    def run(*argv: object) -> tuple[int | str | None, str, str]:
        capsys.readouterr()
        try:
            code: int | str | None = cli.main([str(part) for part in argv])
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def images() -> Tensor:
    """Six drawings, (6, 1, 16, 16) in [0, 1]: ring, two dots, bar, cross, slope from black to white, checkerboard."""
    x = torch.zeros(6, 1, 16, 16)
    x[0, 0, 4:12, 4:12] = 1
    x[0, 0, 6:10, 6:10] = 0
    x[1, 0, 3:5, 3:5] = x[1, 0, 10:12, 10:12] = 1
    x[2, 0, 2:14, 7:9] = 1
    x[3, 0, 2:14, 7:9] = x[3, 0, 7:9, 2:14] = 1
    x[4, 0] = torch.linspace(0, 1, 256).view(16, 16)
    x[5, 0] = (torch.arange(16)[:, None] // 4 + torch.arange(16) // 4) % 2
    return x


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of untrained models that fills every tab: two runs, one shorter; decoders, networks, judges, claims."""
    from tests.test_app import tiny_run
    from tests.test_page_claims import EACH, written
    from tests.test_page_creative import tiny_decoders
    from tests.test_page_kaleidoscope import tiny_networks
    from tests.test_page_novel import untrained_judges
    from tests.test_page_words import tiny_words

    folder = tiny_run(tmp_path_factory.mktemp("full"), iterations=4, mapped=True)
    folder = tiny_networks(tiny_decoders(untrained_judges(tiny_run(folder, iterations=2, name="fig6"))))
    return written(tiny_words(tiny_words(folder), "words-replace"), *EACH)


@pytest.fixture(scope="session")
def server(full: Path) -> Iterator[Any]:
    """That tree, served by `python app.py`."""
    from tests.server import served

    with served(full) as one:
        yield one


@pytest.fixture(scope="session")
def address(server: Any) -> str:
    return str(server.url)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from tests.browser import started

    with started() as one:
        yield one


@pytest.fixture(scope="module")
def desk(request: pytest.FixtureRequest, chromium: Any, address: str) -> Iterator[Any]:
    """The tab of a module of tests, its `LINK`, as wide as a desk."""
    from tests.browser import DESK, visiting

    with visiting(chromium, f"{address}?{request.module.LINK}", DESK) as page:
        yield page


@pytest.fixture(scope="module")
def phone(request: pytest.FixtureRequest, chromium: Any, address: str) -> Iterator[Any]:
    """The same tab on a phone."""
    from tests.browser import PHONE, visiting

    with visiting(chromium, f"{address}?{request.module.LINK}", PHONE) as page:
        yield page


@pytest.fixture
def page(request: pytest.FixtureRequest, desk: Any) -> Any:
    """That tab as at first: the buttons of its module, `AT_FIRST`, are pressed, and its first picture is chosen."""
    from tests.browser import press

    for name in request.module.AT_FIRST:
        press(desk, name)
    desk.locator(".cell:visible").first.click()
    return desk
