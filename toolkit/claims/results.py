"""What is known: the results files of a tree of checkpoints, read for the claims. What is missing is missing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..header import CheckpointError, strict_json
from ..metrics.interval import Interval, interval
from ..runs import contact

SEEDED = re.compile(r"(.+?)(-seed\d+)?")  # fig6-seed1 is fig6 from another seed
Row = Mapping[str, float]
Measure = Callable[["Result"], float]


@dataclass(frozen=True)
class Result:
    """A finished run. rows: its measures by iteration, those of a judge among them; 0 is the data.

    controls: the judged measures of other sets. steps: how far each sheet is from the one before. different: the share
    of different images on the last sheet, if near ones are one; None without a sheet.
    """

    name: str
    seed: int
    tone: bool  # whether each picture is given the tones of the data (`samplers.tone`)
    rows: Mapping[int, Row]
    controls: Mapping[str, Row] = field(default_factory=dict)
    steps: Mapping[int, float] = field(default_factory=dict)
    different: float | None = None

    @property
    def last(self) -> Row:
        return self.rows[max(self.rows)]


@dataclass(frozen=True)
class Results:
    """All of a tree. runs: by figure, each from another seed; table1, study: of creative decoding, of kaleidoscopes."""

    root: Path
    runs: Mapping[str, Sequence[Result]] = field(default_factory=dict)
    table1: Mapping[str, Any] | None = None
    study: Mapping[str, Any] | None = None

    def over_seeds(self, figure: str, measure: Callable[["Result"], float | None]) -> Interval | None:
        """A measure of every run of a figure that has it, or nothing."""
        return _over([_tried(measure, run) for run in self.runs.get(figure, ())])

    def paired(self, a: str, b: str, measure: Callable[[Result, Result], float]) -> Interval | None:
        """A measure of two figures' runs from the same seed, over the seeds that both have.

        Such runs share images, initial weights and noise; the shipped ones do not share the trained first iteration.
        """
        theirs = {run.seed: run for run in self.runs.get(b, ())}
        pairs = [(run, theirs[run.seed]) for run in self.runs.get(a, ()) if run.seed in theirs]
        return _over([_tried(measure, *pair) for pair in pairs])

    def picture(self, figure: str) -> Path | None:
        """The contact sheet of the first run of a figure, or its last sample sheet."""
        runs = self.runs.get(figure, ())
        folders = [self.root / run.name for run in runs]
        wanted = [[folder / "contact.png", *reversed(contact.sheets(folder).values())] for folder in folders]
        return next((path for paths in wanted for path in paths if path.exists()), None)


def read(root: Path) -> Results:
    """All results files in a tree. Raises CheckpointError for one that is there and cannot be read."""
    runs: dict[str, list[Result]] = {}
    for path in sorted(root.glob("*/config.json")):
        config, folder = _json(path), path.parent
        figure = SEEDED.fullmatch(folder.name)
        if config.get("kind", "iterations") == "iterations" and figure and (folder / "metrics.json").exists():
            runs.setdefault(figure[1], []).append(_result(folder, config))
    ordered = {figure: sorted(found, key=lambda run: (run.seed, run.name)) for figure, found in runs.items()}
    studies = [root / "creative" / "table1.json", root / "kaleidoscope" / "study.json"]
    return Results(root, ordered, *(_json(path) if path.exists() else None for path in studies))


def _result(folder: Path, config: Mapping[str, Any]) -> Result:
    judged = _json(path) if (path := folder / "judged.json").exists() else {"rows": [], "controls": {}}
    try:
        rows: dict[int, dict[str, float]] = {}
        for row in [*_json(folder / "metrics.json")["rows"], *judged["rows"]]:
            rows.setdefault(row["iteration"], {}).update({key: row[key] for key in row if key != "iteration"})
        seed, tone = config["experiment"]["seed"], config["experiment"]["sampling"]["finish"] == "tone"
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder} lacks {error} in its results: fetch or measure it again") from error
    ordered = dict(sorted(rows.items()))
    sheets = contact.sheets(folder)
    different = contact.different(sheets[max(sheets)]) if sheets else None
    return Result(folder.name, seed, tone, ordered, judged["controls"], contact.steps(folder), different)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = strict_json(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("no dictionary")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not readable as JSON ({str(error)[:100]}): fetch it again") from error
    return content


def _over(values: Sequence[float | None]) -> Interval | None:
    there = [value for value in values if value is not None]
    return interval(there) if there else None


def _tried(measure: Callable[..., float | None], *runs: Result) -> float | None:
    """A run that was not judged, or a set that has none of what is compared, has no such number."""
    try:
        return measure(*runs)
    except (KeyError, ZeroDivisionError):
        return None
