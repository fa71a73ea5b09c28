"""On a Space: which checkpoints the page serves, and a function for ZeroGPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_app import tiny_run
from toolkit import hub, index
from toolkit.web import server

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    return tiny_run(tmp_path / "shipped", iterations=1)


def test_what_is_asked_for_is_served_whatever_the_space_says(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(server.CHOSEN, "owner/other")
    assert server.served("owner/name", shipped) == "owner/name"


def test_a_repo_that_can_be_read_is_served(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(server.CHOSEN, str(shipped))
    assert server.served(None, tmp_path) == str(shipped)


@pytest.mark.parametrize("repo", ["no repo at all", "/nowhere"])
def test_one_that_cannot_be_read_is_replaced_by_what_is_shipped_and_the_log_says_so(
    repo: str, shipped: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(server.CHOSEN, repo)
    assert server.served(None, shipped) == shipped
    assert repo in caplog.text and "shipped checkpoints" in caplog.text


def test_by_itself_the_page_serves_what_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(server.CHOSEN, raising=False)
    assert server.served() == index.CHECKPOINTS == hub.CHECKPOINTS


def test_on_zerogpu_there_is_a_function_for_the_gpu_and_elsewhere_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not server.offer_gpu() and capsys.readouterr().out == ""
    (tmp_path / "spaces.py").write_text("def GPU(duration): return lambda work: print(work.__name__, duration)")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert server.offer_gpu() and capsys.readouterr().out == "unused 1\n"
    finally:
        sys.modules.pop("spaces", None)


@pytest.mark.parametrize("command", re.findall(r"^hf (.*)$", README, re.MULTILINE))
def test_the_commands_of_the_hub_that_the_readme_shows_have_these_options(command: str) -> None:
    words = command.split()
    names = [word for word in words if re.fullmatch("[a-z]+", word)][: 1 if words[0] == "upload" else 2]
    hf = [Path(sys.executable).with_name("hf"), *names, "--help"]
    told = subprocess.run(hf, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=True).stdout
    assert "Usage" in told and all(option in told for option in words if option.startswith("--"))
