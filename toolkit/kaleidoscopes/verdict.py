"""From many networks to a sentence: how measures change with a setting, over seeds, and what that says of the claims.

A trend is a slope per doubling of a setting, one per seed, as a mean with Student's 95 % interval.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log2
from statistics import linear_regression
from typing import Any

from ..metrics.interval import Interval, above_zero, interval

BURN_IN = 10  # the run that pictures are judged at: the first digits are there, and the collapse is not
MEASURES = {
    "loss": "training loss",
    "distance": f"distance to the data, run {BURN_IN}",
    "confidence": f"confidence of a classifier, run {BURN_IN}",
    "peak": "most different pictures of any run",
    "distinct": "different pictures at the end",
    "kept": "of the most, left at the end",
    "still": "standing still at the end",
    "fixed": "training images that stay",
}
Part = Mapping[str, Any]


def summary(part: Part, rows: Sequence[Part] | None = None) -> dict[str, float]:
    """The measures of one network; of other rows than its usual ones, if given."""
    rows = rows or part["rows"]
    burnt, end = at(rows, BURN_IN), rows[-1]
    peak = max(row["distinct"] for row in rows if row["run"])  # the start is noise: all different
    return {
        "loss": part["loss"], "fixed": part["fixed"], "trained": float(part["steps"]),
        "distance": burnt["distance"], "confidence": burnt["confidence"], "first": at(rows, 1)["distance"],
        "start": rows[0]["distance"], "unseen": part["unseen"],
        "peak": float(peak), "distinct": float(end["distinct"]), "kept": end["distinct"] / peak, "still": end["still"],
    }  # fmt: skip


def at(rows: Sequence[Part], run: int) -> Part:
    """The row of a run, or the last before it."""
    return [row for row in rows if row["run"] <= run][-1]


def table(parts: Sequence[Part], setting: str) -> list[dict[str, Any]]:
    """One line per value of a setting: each measure as an interval over seeds."""
    lines = defaultdict(list)
    for part in parts:
        lines[part[setting]].append(summary(part))
    return [{setting: value, **_over(found)} for value, found in sorted(lines.items())]


def _over(found: Sequence[Mapping[str, float]]) -> dict[str, Interval]:
    return {name: interval([each[name] for each in found]) for name in found[0]}


def trends(parts: Sequence[Part], setting: str) -> dict[str, Interval]:
    """How each measure changes when the setting doubles, over seeds."""
    seeds = defaultdict(list)
    for part in parts:
        seeds[part["seed"]].append(part)
    slopes = [_slopes(mine, setting) for mine in seeds.values()]
    return {name: interval([each[name] for each in slopes]) for name in slopes[0]}


def _slopes(parts: Sequence[Part], setting: str) -> dict[str, float]:
    x, found = [log2(part[setting]) for part in parts], [summary(part) for part in parts]
    return {name: linear_regression(x, [each[name] for each in found]).slope for name in found[0]}


def stirred(parts: Sequence[Part]) -> dict[str, dict[str, Interval]]:
    """The measures under each perturbation, over seeds. parts: those with `perturbations`."""
    ways = parts[0]["perturbations"]
    return {way: _over([summary(part, part["perturbations"][way]) for part in parts]) for way in ways}


def said(x: Interval) -> int:
    """1 if the interval lies over 0, -1 if under, 0 if it does not tell."""
    return 1 if above_zero(x) else -1 if x["high"] is not None and x["high"] < 0 else 0


def verdicts(base: Sequence[Part], trend: Mapping[str, Mapping[str, Interval]]) -> list[dict[str, Any]]:
    """The claims, each with its numbers and "yes", "no" or "not shown". base: parts of the preset itself."""
    found = [summary(part) for part in base]
    falls = interval([each["start"] - each["first"] for each in found])
    nearer = interval([each["unseen"] - each["distance"] for each in found])
    return [
        _claim("one run brings noise nearer to the data", said(falls), nearer_by=falls),
        _claim(f"samples of run {BURN_IN} are nearer to it than unseen images", said(nearer), nearer_by=nearer),
        *(claim for sweep in ("depth", "equal") for claim in _deeper(MORE[sweep], trend[sweep])),
        *(
            _claim(f"{MORE[name]}: more pictures in the end", said(x := it["distinct"]), distinct=x)
            for name, it in trend.items()
        ),
        *(
            _claim(f"{way}: more pictures in the end than unstirred", said(x), more_by=x)
            for way, x in _stirring(base).items()
        ),
    ]


def _deeper(how: str, trend: Mapping[str, Interval]) -> list[dict[str, Any]]:
    """Better pictures are nearer to the data and surer to a classifier: yes if both, no if either is surely worse."""
    near, sure, far = (trend[name] for name in ("first", "confidence", "distance"))
    return [
        _claim(f"{how}: the first run brings noise nearer", -said(near), first=near),
        _claim(f"{how}: better pictures", min(said(sure), -said(far)), confidence=sure, distance=far),
    ]


def _stirring(base: Sequence[Part]) -> dict[str, Interval]:
    """How many more pictures there are at the end than without perturbation, over seeds, on the same networks."""
    left = {
        way: [summary(part, part["perturbations"][way])["distinct"] for part in base]
        for way in base[0]["perturbations"]
    }
    plain = left.pop("none")
    return {way: interval([a - b for a, b in zip(each, plain, strict=True)]) for way, each in left.items()}


MORE = {
    "depth": "deeper", "equal": "deeper, at equal loss", "width": "wider", "steps": "longer training",
    "images": "more images",
}  # fmt: skip


def _claim(claim: str, sign: int, **numbers: Interval) -> dict[str, Any]:
    return {"claim": claim, "verdict": {1: "yes", -1: "no", 0: "not shown"}[sign], "numbers": numbers}
