"""What runs of words measure, over training seeds, as tables: numbers of ours, no claims of a paper."""

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

from ..index import METRICS, ROWS_FILE, TEXTS
from ..metrics.stats import Interval, hierarchical_bootstrap, interval
from ..plot import markdown_table
from ..runs import WORD_COLUMNS, from_npz
from .common import number

ARMS = {"words": "with the list", "words-replace": "alone"}  # how what was invented is learned
SHOWN = (1, 2, 3, 5, 10)  # iterations
WARMED = {"new_share": "not in the list", "bits": "bits a letter"}  # by temperature
DATA = "words that were not learned"


def found(root: Path, arm: str) -> list[Path]:
    """The runs of an arm, each from another seed, in a tree."""
    folders = [path.parent for path in sorted(root.glob("*/report.json"))]
    return [folder for folder in folders if re.fullmatch(rf"{arm}(-seed\d+)?", folder.name)]


def by_iteration(root: Path) -> str:
    """Every measure of both arms at some iterations, and of the data and their letters shuffled."""
    rows = [[name, "", *_of_report(root, name)] for name in (DATA, "their letters shuffled")]
    for at in SHOWN:
        for arm, title in ARMS.items():
            if there := [folder / f"iter_{at:03d}" for folder in found(root, arm)]:
                rows.append([f"iteration {at}", title, *(number(_mean(there, name)) for name in WORD_COLUMNS)])
    return markdown_table(
        ["words", "invented ones learned", *(title for title, _ in WORD_COLUMNS.values())], rows, left=2
    )


def invented(root: Path, count: int = 10) -> str:
    """The first invented words of the first run of both arms, of the same seeds at iterations 1, 5 and 10."""
    rows = []
    for arm, title in ARMS.items():
        folder = found(root, arm)[0]
        for at in (1, 5, 10):
            lines = (folder / f"iter_{at:03d}" / TEXTS).read_text(encoding="utf-8").splitlines()
            new = from_npz(folder / f"iter_{at:03d}" / ROWS_FILE)["new"]
            words = [word for word, is_new in zip(lines, new, strict=False) if is_new]
            rows.append([f"iteration {at}", title, ", ".join(words[:count])])
    return markdown_table(["words", "invented ones learned", "the first that are in no list"], rows, left=3)


def by_temperature(root: Path) -> str:
    """Some measures of the first and the last iteration of both arms, by temperature."""
    reports = {arm: [_report(folder)["temperatures"] for folder in found(root, arm)] for arm in ARMS}
    last = max(row["iteration"] for row in reports["words"][0])
    wanted = [("words", 1, "iteration 1"), *((arm, last, f"{last}, {title}") for arm, title in ARMS.items())]
    rows = []
    for temperature in sorted({row["temperature"] for row in reports["words"][0]}):
        cells = [f"{temperature:g}"]
        for measure, (arm, at, _) in product(WARMED, wanted):
            there = [row for report in reports[arm] for row in report
                     if (row["iteration"], row["temperature"]) == (at, temperature)]  # fmt: skip
            cells.append(number(interval([row[measure] for row in there])))
        rows.append(cells)
    head = [f"{name}: {what}" for name, (_, _, what) in product(WARMED.values(), wanted)]
    return markdown_table(["temperature", *head], rows, left=0)


def _mean(folders: list[Path], measure: str) -> Interval:
    """A measure over the words of iterations of several runs; of a set of words as a whole over the runs alone."""
    name = measure.removesuffix("_share")
    stored = [from_npz(folder / ROWS_FILE) for folder in folders]
    if name in stored[0]:
        return hierarchical_bootstrap([rows[name] for rows in stored])
    return interval([json.loads((folder / METRICS).read_text())[measure] for folder in folders])


def _of_report(root: Path, name: str) -> list[str]:
    """The measures of a control, over the seeds."""
    there = [_report(folder)["controls"][name] for folder in found(root, "words")]
    return [number(interval([row[measure] for row in there])) for measure in WORD_COLUMNS]


def _report(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report
