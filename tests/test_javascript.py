"""The page's JavaScript without a browser: `node --test` over tests/js, and the names that it shares with Python."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from toolkit.web import bend, claims
from toolkit.web.server import MODULES

NODE = shutil.which("node")
TESTS = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))


def run(*command: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(NODE), *map(str, command)], capture_output=True, text=True, timeout=120, check=False)


def major() -> int:
    return int(run("--version").stdout.removeprefix("v").split(".")[0]) if NODE else 0


pytestmark = pytest.mark.skipif(major() < 20, reason="node 20 or newer is not here: the JavaScript is not tested alone")


def exported(module: str, name: str) -> Any:
    """The keys of an object that a module exports."""
    url = MODULES[f"{module}.js"].as_uri()
    found = run("--input-type=module", "-e", f"import {{{name}}} from '{url}'; console.log(JSON.stringify({name}))")
    assert found.returncode == 0, found.stderr
    return [*json.loads(found.stdout)]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_pure_functions_of_the_page_hold_what_their_tests_say(path: Path) -> None:
    told = run("--test", path)
    assert told.returncode == 0, told.stdout[-6000:]


def test_the_words_of_the_page_know_all_that_can_be_asked_for() -> None:
    assert exported("bend", "TRANSFORMS") == [*bend.AMOUNTS]
    assert exported("bend", "GLITCHES") == [*bend.KINDS]
    assert {*exported("bend", "OPERATORS")} == {*bend.OPERATORS}


def test_the_page_has_a_mark_for_every_verdict() -> None:
    assert exported("claims", "SHAPES") == [*claims.VERDICTS]
