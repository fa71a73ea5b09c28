"""A newcomer's way, as the README has it: pull one iteration, draw 64 symbols, open the page on it."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from tests.endpoint import Endpoint, serving
from tests.server import ROOT, served

SHIPPED = ROOT / "checkpoints"
pytestmark = pytest.mark.skipif(not (SHIPPED / "index.json").exists(), reason="no checkpoints in this copy")


def section() -> list[str]:
    """The commands of the README's section, one a line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Load from the Hub, share on it\n")[2]
    return re.findall(r"```bash\n(.*?)```", text, re.DOTALL)[0].splitlines()


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Endpoint, list[str]]]:
    """Where the toolkit's commands of that section were run, in order, on a Hub on loopback, and which they were."""
    place, home = tmp_path_factory.mktemp("mine"), tmp_path_factory.mktemp("home")
    with serving(SHIPPED) as (hub, url):
        hub_settings = {"HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
        walked = [line for line in section() if line.startswith("python -m toolkit")]
        for line in walked:
            argv = shlex.split(line.replace("OWNER/NAME", "owner/name"))
            subprocess.run([sys.executable, *argv[1:]], cwd=place, env=os.environ | hub_settings, check=True)
        yield place, hub, walked


def test_it_pulls_one_file_of_weights(way: tuple[Path, Endpoint, list[str]]) -> None:
    place, hub, walked = way
    assert len(walked) == 2 and hub.counted()["weights"] == 1
    assert [path.parent.name for path in (place / "mine").rglob("*.safetensors")] == ["iter_007"]


def test_it_draws_64_symbols(way: tuple[Path, Endpoint, list[str]]) -> None:
    place, _, _ = way
    with Image.open(place / "symbols.png") as sheet:
        assert sheet.width > 8 * 28 and sheet.convert("L").getextrema() == (0, 255)


def test_the_page_opens_on_what_was_pulled(way: tuple[Path, Endpoint, list[str]]) -> None:
    assert "python app.py mine" in section()
    with served(way[0] / "mine") as page, urlopen(page.url) as answer:
        said = answer.read().decode()
    assert "fig2" in said and "no run to show" not in said and "fig7" not in said
