"""Everything that the README shows is so: its code runs, its commands exist, its tables are the files'."""

import json
import re
import shlex
from pathlib import Path

import pytest

from toolkit import cli, hub, runs
from toolkit.creative import report
from toolkit.judges import report as judges
from toolkit.kaleidoscopes import report as kaleidoscopes

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHIPPED = ROOT / "checkpoints" / "fig2"
shipped = pytest.mark.skipif(not (ROOT / "checkpoints" / "index.json").exists(), reason="no checkpoints in this copy")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    return [command for block in blocks("bash") for line in block.splitlines() for command in line.split(" && ")]


def table_rows() -> list[str]:
    return [line for line in README.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("figure", re.findall(r"<!-- figure:([\w, ]+) -->", README))
def test_the_table_of_a_figure_is_that_of_the_claims(figure: str) -> None:
    (shown,) = re.findall(rf"<!-- figure:{figure} -->\n\n(.*?)\n\n<!-- /figure:{figure} -->", README, re.DOTALL)
    of_it = (ROOT / "CLAIMS.md").read_text(encoding="utf-8").partition(f"## Figure {figure}:")[2].partition("\n## ")[0]
    assert shown.startswith("| iteration") and shown == of_it.strip().rpartition("\n\n")[2]


def test_its_summary_of_the_figures_is_that_of_the_claims() -> None:
    (shown,) = re.findall(r"<!-- glance -->\n\n(.*?)\n\n<!-- /glance -->", README, re.DOTALL)
    assert shown.startswith("| figure |") and shown in (ROOT / "CLAIMS.md").read_text(encoding="utf-8")


@shipped
def test_its_ten_lines_draw_the_picture_at_its_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image, ImageChops, ImageStat

    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 10
    few = code.replace("range(20)", "range(3)").replace("columns=20", "columns=3")
    monkeypatch.chdir(tmp_path)
    exec(compile(few, "README.md", "exec"), {})
    with Image.open("preview.png") as drawn, Image.open(SHIPPED / "preview.png") as shown:
        assert drawn.height == shown.height
        box = (0, 0, drawn.width * 3 // 4, drawn.height)  # the first columns of twenty, without the right margin
        mine, theirs = drawn.convert("L").crop(box), shown.convert("L").crop(box)
    assert ImageStat.Stat(mine).stddev[0] > 20
    assert ImageStat.Stat(ImageChops.difference(mine, theirs)).mean[0] < 5  # of 255


EXTRAS = (".", '".[dev]"', '".[notebooks]"')
STARTS = r"(python|torchrun --nproc-per-node \d+) -m toolkit "


@pytest.mark.parametrize("command", [c for c in commands() if re.match(STARTS, c)])
def test_a_command_it_shows_is_one_that_the_parser_takes(command: str) -> None:
    assert callable(cli.parser().parse_args(shlex.split(re.sub(STARTS, "", command))).run)


def test_it_shows_no_other_commands_than_install_open_and_test() -> None:
    others = {command for command in commands() if not re.match(STARTS, command)}
    page = {"python app.py", "python app.py runs", "python app.py mine", "TOOLKIT_POOLS=pools python app.py"}
    install = {"python3 -m venv .venv", ". .venv/bin/activate", *(f"pip install -e {what}" for what in EXTRAS)}
    there = {command for command in others if not command.startswith("hf ")}
    assert there == {*page, *install, "jupyter lab notebooks/00_tour.ipynb", "pytest"}
    assert (ROOT / "app.py").exists()


def test_every_file_in_its_tables_exists() -> None:
    files = re.findall(r"`([\w./]+/[\w./]+)`", "\n".join(table_rows()))
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_local_link_and_picture_exists() -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@shipped
def test_its_measures_are_those_of_the_shipped_run() -> None:
    (shown,) = re.findall(r"<!-- measures:fig2 -->\n(.*?)<!-- /measures:fig2 -->", README, re.DOTALL)
    assert shown.strip() == runs.table(SHIPPED / "metrics.json").strip()


CREATIVE = ROOT / "checkpoints" / "creative" / "table1.json"


@pytest.mark.skipif(not CREATIVE.exists(), reason="no checkpoints in this copy")
@pytest.mark.parametrize("name", ["table", "order", "cells", "readings"])
def test_its_tables_of_creative_decoding_are_those_of_the_study(name: str) -> None:
    result = json.loads(CREATIVE.read_text())
    made = {
        "table": report.table(result),
        "order": report.order(result),
        "cells": report.cells(result, "equal displacement"),
        "readings": report.readings(result),
    }
    (shown,) = re.findall(rf"<!-- creative:{name} -->\n(.*?)<!-- /creative:{name} -->", README, re.DOTALL)
    assert shown.strip() == made[name]


KALEIDOSCOPE = ROOT / "checkpoints" / "kaleidoscope" / "study.json"


@pytest.mark.skipif(not KALEIDOSCOPE.exists(), reason="no checkpoints in this copy")
@pytest.mark.parametrize("name", ["trace", "runs", "depth", "trends", "perturbations", "line", "cube", "verdicts"])
def test_its_tables_of_kaleidoscopes_are_those_of_the_study(name: str) -> None:
    result = json.loads(KALEIDOSCOPE.read_text())
    made = {
        "trace": kaleidoscopes.learned(
            hub.facts(ROOT / "checkpoints/kaleidoscope-mnist/iter_001/model.safetensors")["losses"]
        ),
        "runs": kaleidoscopes.runs(result["shown"]),
        "depth": kaleidoscopes.sweep(result, "depth"),
        "trends": kaleidoscopes.trends(result),
        "perturbations": kaleidoscopes.perturbations(result),
        "line": kaleidoscopes.line(result),
        "cube": kaleidoscopes.cube(result),
        "verdicts": kaleidoscopes.verdicts(result),
    }
    (shown,) = re.findall(rf"<!-- kaleidoscope:{name} -->\n(.*?)<!-- /kaleidoscope:{name} -->", README, re.DOTALL)
    assert shown.strip() == made[name]


@shipped
def test_its_table_of_judges_is_what_they_say_of_themselves() -> None:
    names = ("judge-digits", "judge-letters", "judge-digits-letters", "judge-fashion")
    files = {name: ROOT / "checkpoints" / name / "report.json" for name in names}
    reports = {name: json.loads(path.read_text())["networks"][0] for name, path in files.items()}
    (shown,) = re.findall(r"<!-- judges -->\n(.*?)<!-- /judges -->", README, re.DOTALL)
    assert shown.strip() == judges.table(reports)
