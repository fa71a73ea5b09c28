"""Everything that the README shows is so: its code runs, its commands exist, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from toolkit import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHIPPED = ROOT / "checkpoints" / "fig2"
shipped = pytest.mark.skipif(not (ROOT / "checkpoints" / "index.json").exists(), reason="no checkpoints in this copy")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    return [command for block in blocks("bash") for line in block.splitlines() for command in line.split(" && ")]


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 200


@shipped
def test_its_ten_lines_draw_the_picture_at_its_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image, ImageChops, ImageStat

    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 10
    few = code.replace("range(12)", "range(3)").replace("columns=12", "columns=3")
    monkeypatch.chdir(tmp_path)
    exec(compile(few, "README.md", "exec"), {})
    with Image.open("preview.png") as drawn, Image.open(SHIPPED / "preview.png") as shown:
        assert drawn.height == shown.height
        box = (0, 0, drawn.width * 3 // 4, drawn.height)  # the first columns of twelve, without the right margin
        mine, theirs = drawn.convert("L").crop(box), shown.convert("L").crop(box)
    assert ImageStat.Stat(mine).stddev[0] > 20
    assert ImageStat.Stat(ImageChops.difference(mine, theirs)).mean[0] < 5  # of 255


STARTS = "python -m toolkit "


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith(STARTS)])
def test_a_command_it_shows_is_one_that_the_parser_takes(command: str) -> None:
    assert callable(cli.parser().parse_args(shlex.split(command.removeprefix(STARTS))).run)


def test_its_table_names_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split(" | ") for line in README.splitlines() if line.startswith("| ") and line.count(" | ") == 4]
    named = {name for row in rows[2:] for name in re.findall(r"`([\w-]+)`", row[3])}
    assert {"train", "sample", "decode", "kaleidoscope", "diverge"} <= named
    for name in named:
        with pytest.raises(SystemExit, match="0"):
            cli.parser().parse_args([name, "--help"])
        assert f"python -m toolkit {name}" in capsys.readouterr().out


def test_it_shows_no_other_commands_than_install_open_and_test() -> None:
    others = {command for command in commands() if not command.startswith((STARTS, "hf "))}
    install = {f"pip install -e {what}" for what in (".", '".[dev]"', '".[notebooks]"')}
    install |= {"python3 -m venv .venv", ". .venv/bin/activate"}
    opened = {"python app.py", "python app.py mine", "jupyter lab notebooks/00_tour.ipynb"}
    assert others == {*install, *opened, "pytest", 'pytest -m "not slow and not browser"'}
    assert (ROOT / "app.py").exists() and (ROOT / "notebooks" / "00_tour.ipynb").exists()


@pytest.mark.parametrize("page", ["README.md", "CLAIMS.md", "notebooks/README.md", "checkpoints/fig2/README.md"])
def test_every_local_link_and_picture_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', text)
    local = [target.partition("#")[0] for pair in targets for target in pair if target and "://" not in target]
    assert local or "](" not in text
    assert [target for target in local if not (ROOT / page).parent.joinpath(target).exists()] == []
