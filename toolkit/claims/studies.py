"""The claims about creative decoding, kaleidoscopic networks and the measures of novelty, from their own studies."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..creative.report import NAMES
from ..kaleidoscopes.sizes import USUAL
from ..metrics.interval import Interval
from ..metrics.ranking import concordance
from .results import Result, Results
from .rules import CHANCE, HALF, Check, Claim

CREATIVE = "Toward a neuro-inspired creative decoder"
KALEIDOSCOPES = "Generative Kaleidoscopic Networks"
NOVELTY = "Out-of-class novelty generation"
ORDER = ("low-active", "random", "noisy", "regular")  # farthest out first
NOT_NOVEL, NOVEL = ("noise", "blank", "unseen data", "training data"), ("letters",)
RANKED = {"out_of_class_count_by_max": "out-of-class count", "out_of_class_max": "out-of-class max"}
LABELS = "The study ranks a thousand generators and has a person label the first; here sets of known kind are ranked."


def claims(known: Results) -> Iterator[Claim]:
    """All of them, those of studies that were not run too."""
    yield _order(known)
    yield from _kaleidoscopes(known)
    yield _ranking(known)


def _order(known: Results) -> Claim:
    sets: Mapping[str, Any] = (known.table1 or {}).get("sets", {name: {} for name in NAMES})
    checks = [
        Check(f"{a} minus {b}, {NAMES.get(data, data)}", _at(found, "order", f"{a} > {b}", "difference"))
        for data, found in sets.items()
        for a, b in pairwise(ORDER)
    ]
    says = "By reconstruction distance low-active beats random beats noisy beats regular"
    shown = _file(known, "creative/creative-mnist.png")
    return Claim("creative-order", says, CREATIVE, "Table 1", checks, "every", shown)


def _kaleidoscopes(known: Results) -> Iterator[Claim]:
    study = known.study or {}
    for sweep, how in (("depth", "Deeper networks"), ("equal", "Deeper networks, at equal loss,")):
        trend = partial(_at, study, "trends", sweep)
        better = [
            Check("confidence of a classifier, per doubling of depth", trend("confidence"), "over"),
            Check("distance to the data, per doubling of depth", trend("distance"), "under"),
        ]
        yield _kaleidoscope(known, f"{sweep}-better", f"{how} give better samples", better)
        nearer = [Check("distance to the data after one run, per doubling of depth", trend("first"), "under")]
        says = "Over-generalisation grows with depth: one run brings noise nearer to the data"
        yield _kaleidoscope(known, f"{sweep}-nearer", f"{says}{', at equal loss' * (sweep == 'equal')}", nearer)
    end = partial(_at, study, "perturbations", USUAL)
    yield _kaleidoscope(known, "settle", "Samples settle on digits", [
        Check("how much nearer to the data than unseen images, run 10", _nearer(study)),
        Check("share of samples that stand still at the end", end("still"), "over", HALF),
    ])  # fmt: skip
    left = Check("different pictures at the end, over the most of any run", end("kept"), "under", HALF)
    yield _kaleidoscope(known, "few", "After that they collapse to few different pictures", [left])


def _kaleidoscope(known: Results, key: str, says: str, checks: list[Check]) -> Claim:
    shown = _file(known, "kaleidoscope/runs.png")
    return Claim(f"kaleidoscope-{key}", says, KALEIDOSCOPES, "digits", checks, "every", shown)


def _nearer(study: Mapping[str, Any]) -> Interval | None:
    found = [row["numbers"]["nearer_by"] for row in study.get("verdicts", ()) if "unseen images" in row["claim"]]
    return found[0] if found else None


def _ranking(known: Results) -> Claim:
    """Novel are letters to a generator of digits; a measure finds them if it puts them over all else."""
    checks = [
        Check(f"{words}: pairs in order", known.over_seeds("fig2", partial(in_order, measure)), "over", CHANCE)
        for measure, words in RANKED.items()
    ]
    parzen = known.over_seeds("fig2", partial(in_order, "parzen"))
    checks.append(Check("Parzen windows: pairs in order", parzen, "at most", CHANCE))
    says = "Out-of-class measures put novel sets first, and Parzen windows do not"
    return Claim("novelty-ranking", says, NOVELTY, "2017", checks, "every", notes=[LABELS])


def in_order(measure: str, run: Result) -> float:
    """The share of pairs of control sets, one novel and one not, that a measure puts in the right order."""
    sets = {"training data": run.rows[0], **run.controls}
    return concordance({name: sets[name][measure] for name in NOT_NOVEL + NOVEL}, [NOT_NOVEL, NOVEL])


def _at(found: Mapping[str, Any], *keys: str) -> Any:
    """What lies under these keys, one within the other, or nothing."""
    for key in keys:
        found = found.get(key) or {}
    return found or None


def _file(known: Results, name: str) -> Path | None:
    path = known.root / name
    return path if path.exists() else None
