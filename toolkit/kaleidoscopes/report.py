"""The study in words: what happens from run to run, what settings change, the claims and what the numbers say."""

from collections.abc import Mapping, Sequence
from math import isnan
from statistics import fmean
from typing import Any

from ..metrics.interval import Interval, interval
from .paper import LOSSES
from .sizes import PERTURBATIONS, SWEEPS, USUAL
from .verdict import BURN_IN, MORE, said

COLUMNS = {
    "trained": "steps", "loss": "loss",
    "distance": f"distance, run {BURN_IN}", "confidence": f"confidence, run {BURN_IN}",
    "peak": "most pictures", "distinct": "pictures at the end", "kept": "share left", "still": "standing still",
    "fixed": "data that stay",
}  # fmt: skip


def markdown(result: Mapping[str, Any]) -> str:
    """Everything the study found."""
    parts = [runs(result["shown"]), *(sweep(result, each) for each in SWEEPS), trends(result)]
    return "\n\n".join([*parts, perturbations(result), line(result), cube(result), verdicts(result)])


def learned(losses: Sequence[Sequence[float]]) -> str:
    """The loss of the digits as it fell, beside the published one. losses: of steps, as a checkpoint says them."""
    here = {int(step): loss for step, loss in losses}
    rows = [
        [f"{step:,}", f"{loss:.3f}", f"{here[step]:.3f}", f"{100 * (here[step] / loss - 1):+.0f} %"]
        for step, loss in LOSSES.items()
        if step in here
    ]
    return _markdown(["step", "published", "here", "difference"], rows)


def runs(shown: Mapping[str, Any], way: str = USUAL) -> str:
    """The network that is shown, from run to run; beside it real images that it did not learn.

    In brackets: how many pictures there are if twice, or half, as much counts as the same.
    """
    head = ["run", "distance", "movement", "standing still", "different pictures", "in another class", "confidence"]
    rows = [
        [str(r["run"]), f"{r['distance']:.3f}", *_moving(r), f"{r['distinct']} ({r['loose']} to {r['tight']})",
         changed(r), f"{r['confidence']:.2f}"]
        for r in shown["perturbations"][way]
    ]  # fmt: skip
    real = ["real images", f"{shown['unseen']:.3f}", "", "", "", "", f"{shown['real_confidence']:.2f}"]
    return _markdown(head, [*rows, real])


def sweep(result: Mapping[str, Any], setting: str) -> str:
    """The measures at each value of what a sweep varies, over seeds."""
    what = SWEEPS[setting]
    rows = [[f"{row[what]:,}", *(number(row[name]) for name in COLUMNS)] for row in result["sweeps"][setting]]
    return _markdown([f"{what}, at equal loss" if setting == "equal" else what, *COLUMNS.values()], rows)


def trends(result: Mapping[str, Any]) -> str:
    """What a doubling of each setting changes, over seeds; where the interval leaves out 0, in bold."""
    rows = [
        [MORE[setting], *(_sure(found[name], number(found[name])) for name in COLUMNS)]
        for setting, found in ((setting, result["trends"][setting]) for setting in SWEEPS)
    ]
    return _markdown(["a doubling", *COLUMNS.values()], rows)


def perturbations(result: Mapping[str, Any]) -> str:
    """The measures under each perturbation, over seeds."""
    names = ("distance", "confidence", "peak", "distinct", "kept", "still")
    ways = [(way, result["perturbations"][way]) for way in PERTURBATIONS]
    rows = [[way, *(number(found[name]) for name in names)] for way, found in ways]
    return _markdown(["perturbation", *(COLUMNS[name] for name in names)], rows)


def line(result: Mapping[str, Any]) -> str:
    """Four points on a line, by depth: which networks learn them, which points attract, where samples end."""
    head = [
        "hidden layers",
        "networks that learn them",
        "points that attract",
        "all four do",
        "samples that end at one",
    ]
    rows = []
    for row in result["line"]:
        every = [share == 1 for share in row["attracting"]]
        shares = (row["fit"], row["attracting"], every, row["landed"])
        rows.append([str(row["depth"]), *(_percent(each) for each in shares)])
    return _markdown(head, rows)


def cube(result: Mapping[str, Any]) -> str:
    """The largest loss at a corner of the cube, by the number of points scattered over it and their dimension."""
    dimensions = sorted({row["dimension"] for row in result["cube"]})
    cells = {(row["count"], row["dimension"]): number(interval(row["worst_corner"])) for row in result["cube"]}
    counts = sorted({row["count"] for row in result["cube"]})
    rows = [[f"{count:,}", *(cells[count, dimension] for dimension in dimensions)] for count in counts]
    return _markdown(["training points", *(f"{dimension} dimensions" for dimension in dimensions)], rows)


def verdicts(result: Mapping[str, Any]) -> str:
    """The claims, what the numbers say, and the numbers."""
    rows = []
    for found in result["verdicts"]:
        numbers = ", ".join(f"{_plain(name)} {number(x)}" for name, x in found["numbers"].items())
        rows.append([found["claim"], found["verdict"], numbers])
    return _markdown(["claim", "verdict", "over seeds"], rows)


def number(x: Interval) -> str:
    """A mean and how far its interval goes, with the digits it needs: 0.216 ± 0.004, 31 ± 6."""
    size = max(abs(x["mean"]), 0.0 if x["high"] is None else x["high"] - x["mean"])
    digits = 0 if size >= 20 else 1 if size >= 10 else 2 if size >= 1 else 3
    half = "" if x["high"] is None else f" ± {x['high'] - x['mean']:.{digits}f}"
    return f"{x['mean']:.{digits}f}{half}"


def changed(row: Mapping[str, Any]) -> str:
    """The share of samples in another class than in the row before."""
    if "flow" not in row:
        return ""
    counts = row["flow"]
    stayed, count = sum(counts[n][n] for n in range(len(counts))), sum(map(sum, counts))
    return f"{100 * (1 - stayed / count):.0f} %"


def _moving(row: Mapping[str, Any]) -> list[str]:
    """The start has not moved."""
    return [f"{row['movement']:.3f}", f"{100 * row['still']:.0f} %"] if row["run"] else ["", ""]


def _sure(x: Interval, text: str) -> str:
    return f"**{text}**" if said(x) else text


def _plain(name: str) -> str:
    doubled = {"first": "distance, run 1", "distinct": COLUMNS["distinct"]}.get(name, f"{name}, run {BURN_IN}")
    return name.replace("_", " ") if name in ("nearer_by", "more_by") else f"{doubled}, per doubling"


def _percent(values: Sequence[float]) -> str:
    mean = fmean(values) if values else float("nan")
    return "" if isnan(mean) else f"{100 * mean:.0f} %"


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
