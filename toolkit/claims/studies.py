"""The claims about creative decoding, kaleidoscopic networks and the measures of novelty, from their own studies."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..creative.report import NAMES
from ..kaleidoscopes.sizes import USUAL
from ..metrics.interval import Interval
from ..metrics.ranking import concordance
from .results import Result, Results
from .rules import CHANCE, HALF, Check, Claim, Evidence, Says, weakest

CREATIVE = "Toward a neuro-inspired creative decoder"
KALEIDOSCOPES = "Generative Kaleidoscopic Networks"
NOVELTY = "Out-of-class novelty generation"
ORDER = ("low-active", "random", "noisy", "regular")  # farthest out first
NOT_NOVEL, NOVEL = ("noise", "blank", "unseen data", "training data"), ("letters",)
FIRST = "out_of_class_count_by_max"
RANKED: list[tuple[str, str, Says]] = [
    (FIRST, "out-of-class count", "over"), ("out_of_class_max", "out-of-class max", "over"),
    ("out_of_class_count_by_sum", "out-of-class count by sum", "over"), ("parzen", "Parzen windows", "at most"),
]  # fmt: skip
QUARTER = 0.25
LABELS = (
    "The study ranks a thousand generators and has a person label the first; here sets of known kind are ranked, drawn "
    "anew for each run, by one judge."
)
WHY_ORDER = "The order holds if each of its differences does: the one that is nearest to 0 decides for all."
WHY_NOISY = "Like regular is what goes less than a quarter of the way from regular to random decoding; digits decide."
WHY_OPEN = "Without labels of people, or this baseline, there is nothing to measure."
WHY_BETTER = "A sample is better if a classifier that learned real digits is surer of it; any gain per doubling counts."
WHY_NEARER = "One run from noise, before any perturbation, shows the network alone; any gain per doubling counts."
WHY_SETTLE = "What settles does not move: most samples are more than half of them."
WHY_RECOVERED = (
    "A sample of the distribution is as near to the training set as unseen images are: the difference of the two."
)
WHY_FEW = "Few is under half of the samples that there were, all of which began as different noise."
WHY_RANKED = (
    "The two halves of the claim are one contrast, on the same sets: how many more pairs of a novel and another set "
    "the count of 2017 puts in order."
)


def claims(known: Results) -> Iterator[Claim]:
    """All of them, those of studies that were not run too."""
    yield from _creative(known)
    yield from _kaleidoscopes(known)
    yield _ranking(known)


def _creative(known: Results) -> Iterator[Claim]:
    sets: Mapping[str, Any] = (known.table1 or {}).get("sets", {name: {} for name in NAMES})
    shown = _file(known, "creative/creative-mnist.png")
    differences = [
        Check(f"{a} minus {b}, {NAMES.get(data, data)}", Evidence(_at(found, "order", f"{a} > {b}", "difference")))
        for data, found in sets.items()
        for a, b in pairwise(ORDER)
    ]
    least = weakest(differences)
    says = "By reconstruction distance low-active beats random beats noisy beats regular"
    others = [each for each in differences if each is not least]
    yield Claim("creative-order", says, CREATIVE, "Table 1", least, WHY_ORDER, others, shown)
    ways = [
        Check(
            f"noisy minus regular, over random minus regular, {NAMES.get(data, data)}", _way(found), "at most", QUARTER
        )
        for data, found in sets.items()
    ]
    says = "Noisy decoding stays like regular decoding"
    yield Claim("creative-noisy", says, CREATIVE, "Table 1", ways[0], WHY_NOISY, ways[1:], shown)
    for key, says, words in [
        ("people", "People call low-active images more novel than those of any other method", "votes"),
        ("interpolation", "Interpolation between codes stays near the data", "distance, minus that of regular"),
    ]:
        yield Claim(f"creative-{key}", says, CREATIVE, "Table 1", Check(words, Evidence()), WHY_OPEN)


def _way(found: Mapping[str, Any]) -> Evidence:
    """How far noisy decoding goes on the way from regular to random decoding."""
    noisy, random = (_at(found, "order", name, "difference") for name in ("noisy > regular", "random > noisy"))
    if noisy is None or random is None:
        return Evidence()
    return Evidence(_over(noisy, noisy["mean"] + random["mean"]))


def _kaleidoscopes(known: Results) -> Iterator[Claim]:
    study = known.study or {}
    for sweep, how in (("depth", "Deeper networks"), ("equal", "Deeper networks, at equal loss,")):
        trend = partial(_trend, study, sweep)
        surer = Check("confidence of a classifier, per doubling of depth", trend("confidence"), "over")
        distance = Check("distance to the data, per doubling of depth", trend("distance"), "under")
        says = f"{how} give better samples"
        yield _kaleidoscope(known, f"{sweep}-better", says, surer, WHY_BETTER, [distance])
        nearer = Check("distance to the data after one run, per doubling of depth", trend("first"), "under")
        says = "Over-generalisation grows with depth: one run brings noise nearer to the data"
        equal = ", at equal loss" * (sweep == "equal")
        yield _kaleidoscope(known, f"{sweep}-nearer", f"{says}{equal}", nearer, WHY_NEARER)
    end = partial(_at, study, "perturbations", USUAL)
    still = Check("share of samples that stand still at the end", Evidence(end("still")), "over", HALF)
    nearer = Check("how much nearer to the data than unseen images, run 10", Evidence(_nearer(study)))
    yield _kaleidoscope(known, "settle", "Samples settle on digits", still, WHY_SETTLE, [nearer])
    says = "Recovered samples are of the distribution of the data"
    yield _kaleidoscope(known, "recovered", says, nearer, WHY_RECOVERED)
    samples = _at(study, "sizes", "samples")
    left = Check(
        "different pictures at the end, over the samples", Evidence(_over(end("distinct"), samples)), "under", HALF
    )
    says = "After that they collapse to few different pictures"
    yield _kaleidoscope(known, "few", says, left, WHY_FEW)


def _kaleidoscope(
    known: Results, key: str, says: str, primary: Check, reason: str, readings: Sequence[Check] = ()
) -> Claim:
    shown = _file(known, "kaleidoscope/runs.png")
    return Claim(f"kaleidoscope-{key}", says, KALEIDOSCOPES, "digits", primary, reason, readings, shown)


def _trend(study: Mapping[str, Any], sweep: str, measure: str) -> Evidence:
    return Evidence(_at(study, "trends", sweep, measure))


def _over(x: Interval | None, by: float | None) -> Interval | None:
    """An interval in other units; nothing without them."""
    if x is None or not by:
        return None
    low, high = (None if end is None else end / by for end in (x["low"], x["high"]))
    return {"mean": x["mean"] / by, "low": low, "high": high, "n": x["n"]}


def _nearer(study: Mapping[str, Any]) -> Interval | None:
    found = [row["numbers"]["nearer_by"] for row in study.get("verdicts", ()) if "unseen images" in row["claim"]]
    return found[0] if found else None


def _ranking(known: Results) -> Claim:
    """Novel are letters to a generator of digits; a measure finds them if it puts them over all else."""
    more = known.over("fig2", lambda run: in_order(FIRST, run) - in_order("parzen", run))
    primary = Check("pairs in order by out-of-class count, minus those by Parzen windows", more)
    readings = [
        Check(f"{words}: pairs in order", known.over("fig2", partial(in_order, measure)), side, CHANCE)
        for measure, words, side in RANKED
    ]
    says = "Out-of-class measures put novel sets first, and Parzen windows do not"
    return Claim("novelty-ranking", says, NOVELTY, "2017", primary, WHY_RANKED, readings, notes=[LABELS])


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
