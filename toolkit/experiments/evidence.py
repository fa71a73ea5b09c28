"""Evidence for a claim: what is read from stored runs, and when a check of it holds.

A check holds if its whole 95 % interval lies on the claimed side of its bar, and does not if it lies on the other;
else it is undecided. Fewer than three runs, three iterations or a hundred images never decide. The first check of a
claim decides; the others are readings of the same words, shown beside it, without a vote. The bars come from the words
of the claims, whatever the results.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..index import ROWS_FILE, CheckpointError, read_json
from ..metrics.distance import mean_picture_power, originals
from ..metrics.image import stroke_count, stroke_width
from ..metrics.rows import Rows
from ..metrics.stats import Interval, hierarchical_bootstrap, interval, sign_test
from ..runs import MEASURED, from_npz
from . import common

HOLDS, DOES_NOT, UNDECIDED, MISSING = "holds", "does not", "undecided", "not run yet"
REPRODUCED, PARTLY, NOT = "reproduced", "partly", "not"  # of a figure, beside UNDECIDED and MISSING

Side = Literal["over", "at most", "under", "at least"]

RUNS, ITERATIONS, IMAGES = 3, 3, 100  # at least, for a verdict

NOTABLE = 1.1  # times as much: what a claim calls more is at least a tenth more, or no one would see it on a sheet


@dataclass(frozen=True)
class Evidence:
    """A number over runs. x: None if nothing was run that has it; runs: its value in each.

    short: what the runs have too little of for a verdict, "2 iterations".
    """

    x: Interval | None = None
    runs: Sequence[float] = ()
    short: str = ""


@dataclass(frozen=True)
class Check:
    """One number against its bar. side: where it is claimed to lie; "at most" is not "over", "at least" not "under"."""

    measure: str
    evidence: Evidence
    side: Side = "over"
    bar: float = 0.0

    @property
    def x(self) -> Interval | None:
        return self.evidence.x

    @property
    def short(self) -> str:
        """What there is too little of for a verdict: "1 run", "2 iterations"; nothing if there is enough."""
        n = RUNS if self.x is None else self.x["n"]
        return self.evidence.short or (f"{n} run{'s' * (n > 1)}" if n < RUNS else "")

    @property
    def verdict(self) -> str:
        if self.x is None:
            return MISSING
        if self.short or self.x["low"] is None or self.x["high"] is None:
            return UNDECIDED
        up, reached = self.side in ("over", "at least"), self.side in ("at least", "at most")
        near, far = (self.x["low"], self.x["high"]) if up else (-self.x["high"], -self.x["low"])
        bar = self.bar if up else -self.bar
        if near > bar or (reached and near == bar):
            return HOLDS
        return DOES_NOT if far < bar or (far == bar and not reached) else UNDECIDED

    @property
    def note(self) -> str:
        """Why there is no verdict; else how many runs lie on the claimed side, and the sign test's probability."""
        if self.x is None or self.short:
            return f"not decided: {self.short}" if self.x else ""
        if not self.evidence.runs:
            return ""
        over, n, p = sign_test(self.evidence.runs, self.bar)
        agreeing = over if self.side in ("over", "at least") else n - over
        return f"{agreeing} of {n} runs, sign test p = {p:.2f}"


@dataclass(frozen=True)
class Claim:
    """A claim in our words, the paper it is from, the one check that decides it, and why that one.

    reason: why this measure and this bar, written before the results. readings: other measures of the same words, which
    decide nothing. picture: where to look; notes: what to know.
    """

    key: str
    text: str
    paper: str
    figure: str
    primary: Check
    reason: str
    readings: Sequence[Check] = ()
    picture: Path | None = None
    notes: Sequence[str] = ()

    @property
    def checks(self) -> list[Check]:
        return [self.primary, *self.readings]

    @property
    def verdict(self) -> str:
        return self.primary.verdict


def weakest(checks: Sequence[Check]) -> Check:
    """Of checks that must all hold, all of "over", the one that is nearest to failing: it decides for all of them.

    One that was not run comes before all others.
    """
    return min(checks, key=lambda check: float("-inf") if check.x is None else (check.x["low"] or 0.0) - check.bar)


def reproduced(claims: Sequence[Claim]) -> str:
    """What the claims about one figure say of it.

    `REPRODUCED` if all hold; `PARTLY` if one does; else `NOT` if one is refuted; else `UNDECIDED` or `MISSING`.
    """
    found = {claim.verdict for claim in claims} or {MISSING}
    if HOLDS in found:
        return REPRODUCED if found == {HOLDS} else PARTLY
    return NOT if DOES_NOT in found else UNDECIDED if UNDECIDED in found else MISSING


SEEDED = re.compile(r"(.+?)(-seed\d+)?")  # fig6-seed1 is fig6 from another seed
SHOWN = (0, 1, 2, 3, 5, 7, 10, 15, 20)  # iterations in tables; of older runs sheets of these are measured, no others
MEAN = {  # of a measure of each image what the same is called in the means of a set
    "novelty": "novelty_mean", "blank": "blank_share", "in_class": "in_class_count_by_sum",
}  # fmt: skip
ON_SHEET = {
    "stroke_count": stroke_count, "stroke_width": stroke_width, "mean_picture_power": mean_picture_power,
    "distinct": originals,
}  # fmt: skip
SURE = 0.9  # the probability of all learned classes from which on an image counts as one of them (by sum)
Row = Mapping[str, float]
Values = NDArray[np.float64]
Measure = Callable[["Result"], ArrayLike]
Pair = Callable[["Result", "Result"], ArrayLike]


@dataclass(frozen=True)
class Result:
    """A finished run. rows: the means of its measures by iteration, those by a classifier too; 0 is the data.

    controls: the measures by a classifier of other sets. images: measures of each image of seeds 0 to 999, by
    iteration. sheets: pictures of 100 images each. count: images that are measured of an iteration.
    """

    name: str
    seed: int
    tone: bool  # whether each picture is given the tones of the data (`samplers.tone`)
    rows: Mapping[int, Row]
    controls: Mapping[str, Row] = field(default_factory=dict)
    images: Mapping[int, Rows] = field(default_factory=dict)
    sheets: Mapping[int, Path] = field(default_factory=dict)
    count: int = MEASURED

    @property
    def final(self) -> int:
        """The last iteration."""
        return max(self.rows)

    @property
    def last(self) -> Row:
        return self.rows[self.final]

    @property
    def short(self) -> str:
        """What the run has too little of for a verdict; nothing if it has enough."""
        few = {"iterations": (self.final, ITERATIONS), "images": (self.count, IMAGES)}
        return next((f"{n} {what}" for what, (n, least) in few.items() if n < least), "")

    def values(self, measure: str, at: int) -> Values:
        """A measure at an iteration: of each image (N,) if it was stored, else the set's mean (1,), else of its sheet.

        "in_class" is 1 where an image is surely of some learned class, by sum. "kept" is what each image keeps of
        itself from sheet to sheet, up to that iteration. Raises KeyError if there is none of it.
        """
        own, mean = self.images.get(at, {}), MEAN.get(measure, measure)
        if measure == "in_class" and "in_class_sum" in own:
            return (own["in_class_sum"] > SURE).astype(np.float64)
        if measure in own:
            return own[measure].astype(np.float64)
        if mean in self.rows.get(at, {}):
            return np.array([self.rows[at][mean]])
        if measure == "kept":
            return common.kept({number: page for number, page in self.sheets.items() if number <= at})
        if measure in ON_SHEET and at in self.sheets and (at in SHOWN or at == self.final):
            return _of_sheet(measure, self.sheets[at])
        raise KeyError(measure)

    def series(self, measure: str) -> dict[int, Values]:
        """The same at every iteration that has it, the data left out, all of as many images."""
        tried = {at: _tried(self.values, measure, at) for at in range(1, self.final + 1)}
        found = {at: values for at, values in tried.items() if values is not None}
        sizes = Counter(map(len, found.values()))
        usual = max(sizes, key=lambda size: (sizes[size], size), default=0)
        return {at: values for at, values in found.items() if len(values) == usual}


@dataclass(frozen=True)
class Results:
    """All of a tree. runs: by figure, each from another seed.

    table1, study, adversarial: of creative decoding, of kaleidoscopes, of how little changes what a classifier sees.
    decoders: the small studies of creative decoders, by name.
    """

    root: Path
    runs: Mapping[str, Sequence[Result]] = field(default_factory=dict)
    table1: Mapping[str, Any] | None = None
    study: Mapping[str, Any] | None = None
    adversarial: Mapping[str, Any] | None = None
    decoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def mean(self, figure: str, at: int, name: str) -> Interval | None:
        """The mean of a measure at an iteration, over the runs of a figure that have it, with Student's interval."""
        there = [run.rows[at][name] for run in self.runs.get(figure, ()) if name in run.rows.get(at, {})]
        return interval(there) if there else None

    def over(self, figure: str, measure: Measure) -> Evidence:
        """A measure of every run of a figure that has it, of each image or of the run, with a bootstrap's interval."""
        return _evidence([((run,), _tried(measure, run)) for run in self.runs.get(figure, ())])

    def paired(self, a: str, b: str, measure: Pair) -> Evidence:
        """A measure of two figures' runs from the same seed, over the seeds that both have."""
        theirs = {run.seed: run for run in self.runs.get(b, ())}
        pairs = [(run, theirs[run.seed]) for run in self.runs.get(a, ()) if run.seed in theirs]
        return _evidence([(pair, _tried(measure, *pair)) for pair in pairs])

    def picture(self, figure: str) -> Path | None:
        """The contact sheet of the first run of a figure, or its last sample sheet."""
        folders = [self.root / run.name for run in self.runs.get(figure, ())]
        wanted = [[folder / "contact.png", *reversed(common.sheets(folder).values())] for folder in folders]
        return next((path for paths in wanted for path in paths if path.exists()), None)


def read(root: Path) -> Results:
    """All results files in a tree. Raises CheckpointError for one that is there and cannot be read."""
    found: dict[str, list[Result]] = {}
    for path in sorted(root.glob("*/config.json")):
        config, folder = read_json(path), path.parent
        figure = SEEDED.fullmatch(folder.name)
        if config.get("kind", "iterations") == "iterations" and figure and (folder / "metrics.json").exists():
            found.setdefault(figure[1], []).append(_result(folder, config))
    ordered = {figure: sorted(own, key=lambda run: (run.seed, run.name)) for figure, own in found.items()}
    studies = [root / name for name in ("creative/table1.json", "kaleidoscope/study.json", "adversarial/study.json")]
    decoders = {path.stem: read_json(path) for path in sorted(root.glob("creative/*.json")) if path not in studies}
    table1, study, adversarial = (read_json(path) if path.exists() else None for path in studies)
    return Results(root, ordered, table1, study, adversarial, decoders)


def _result(folder: Path, config: Mapping[str, Any]) -> Result:
    judged = read_json(path) if (path := folder / "judged.json").exists() else {"rows": [], "controls": {}}
    try:
        means: dict[int, dict[str, float]] = {}
        for row in [*read_json(folder / "metrics.json")["rows"], *judged["rows"]]:
            means.setdefault(row["iteration"], {}).update({key: row[key] for key in row if key != "iteration"})
        experiment = config["experiment"]
        seed, tone = experiment["seed"], experiment["sampling"]["finish"] == "tone"
        count = min(MEASURED, experiment["generated"])
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder} lacks {error} in its results: fetch or measure it again") from error
    stored = {int(path.parent.name[5:]): from_npz(path) for path in sorted(folder.glob(f"iter_[0-9]*/{ROWS_FILE}"))}
    return Result(
        folder.name, seed, tone, dict(sorted(means.items())), judged["controls"], stored, common.sheets(folder), count
    )


@cache
def _of_sheet(measure: str, sheet: Path) -> Values:
    found: Values = ON_SHEET[measure](common.on_sheet(sheet)).double().numpy()
    return found


def _evidence(found: Sequence[tuple[Sequence[Result], Any]]) -> Evidence:
    """Of runs that are long enough for a verdict; if none is, of those that there are, and what they are short of."""
    known = [(own, np.asarray(value, dtype=np.float64).reshape(-1)) for own, value in found if value is not None]
    there = [(own, value) for own, value in known if np.isfinite(value).all()]  # not over a mean of nothing
    lacking = [next((run.short for run in own if run.short), "") for own, _ in there]
    whole = [value for (_, value), short in zip(there, lacking, strict=True) if not short]
    used = whole or [value for _, value in there]
    if not used:
        return Evidence()
    means = [float(value.mean()) for value in used]
    return Evidence(hierarchical_bootstrap(used), means, "" if whole else lacking[0])


def _tried(measure: Callable[..., Any], *of: Any) -> Any:
    """The measure; None of a run that was not classified, or a set that has none of what is compared."""
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            return measure(*of)
    except (KeyError, ZeroDivisionError):
        return None
