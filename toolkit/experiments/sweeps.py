"""Sweeps over kaleidoscopic networks, and what they show.

Nobody had put numbers to "deeper is better" or to "over-generalisation"; a part is one setting and one seed.

The first asks of every training point what is said of samples, that they fall onto the data; the second is the paper's:
the largest loss over the corners of the cube, against the number of points and their dimension.

A trend is a slope per doubling of a setting, one per seed, as a mean with Student's 95 % interval.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from statistics import fmean, linear_regression
from typing import Any

import torch
from torch import Tensor

from ..hub import Kaleidoscope, as_images, of, stream
from ..metrics import nearest
from ..metrics.stats import Interval, above_zero, interval
from ..presets import KaleidoscopeTraining, preset, scattered
from ..runs import kaleidoscope_eyes, train_kaleidoscope
from ..samplers.kaleidoscope import attracting as kaleidoscope_attracting
from ..samplers.kaleidoscope import fixed, kept, looked_at, probabilities, watch, worst_corner

PERTURBATIONS: dict[str, dict[str, Any]] = {
    "none": {"mode": "none"},
    "centred 0.01": {"perturbation": 0.01},
    "centred 0.03": {"perturbation": 0.03},
    "centred 0.1": {"perturbation": 0.1},
    "centred 0.3": {"perturbation": 0.3},
    "published 0.01": {"perturbation": 0.01, "mode": "published"},
}
USUAL = "centred 0.01"
# What each sweep varies. "equal" is depth again, but each network learns until its loss is the same: a deeper one
# learns more slowly, so that after equal steps it has learned less.
SWEEPS = {"depth": "depth", "equal": "depth", "width": "width", "steps": "steps", "images": "images"}


@dataclass(frozen=True)
class Sizes:
    """A sweep holds everything but one setting as in the preset, whose own value is among those of the sweep."""

    seeds: int = 3
    samples: int = 200
    runs: int = 300
    depth: tuple[int, ...] = (2, 3, 5, 7, 10, 14, 20)
    width: tuple[int, ...] = (50, 100, 200, 400)
    steps: tuple[int, ...] = (500, 1000, 2000, 4000)
    images: tuple[int, ...] = (100, 300, 1000, 3000, 10_000)
    until: float = 0.1  # the loss of "equal", reached within three times the steps or not at all
    judge_steps: int = 1500
    point_seeds: int = 10  # of four points on a line
    point_depth: tuple[int, ...] = (2, 4, 9, 14, 20)
    dimensions: tuple[int, ...] = (2, 4, 8)
    counts: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128)  # of points scattered over a cube


SIZES = {
    "paper": Sizes(
        seeds=5, samples=1000, width=(100, 250, 500, 1000), steps=(2500, 5000, 10_000, 20_000),
        images=(100, 1000, 10_000, 60_000), point_seeds=100, dimensions=(1, 2, 4, 8, 16),
        counts=(2, 4, 8, 32, 64, 128, 512, 2048),
    ),
    "cpu": Sizes(),
    "smoke": Sizes(
        seeds=2, samples=12, runs=12, depth=(2, 4), width=(30, 60), steps=(100, 300), images=(20, 60), judge_steps=5,
        point_seeds=2, point_depth=(2, 4), dimensions=(2,), counts=(2, 8),
    ),
}  # fmt: skip


FEW = 500  # training images that are tried one by one
BASE = "kaleidoscope-depth"
LONGER = 3  # times the steps, at most, until the loss is equal


def settings(sizes: Sizes, scale: str, **changes: Any) -> dict[str, list[KaleidoscopeTraining]]:
    """The trainings of every sweep; the preset itself is one of each but "equal". changes: of the preset."""
    found = {
        sweep: [preset(BASE, scale, **{**changes, **_changed(what, value)}) for value in getattr(sizes, what)]
        for sweep, what in SWEEPS.items()
    }
    return found | {"equal": [replace(t, steps=LONGER * t.steps) for t in found["equal"]]}


def _changed(sweep: str, value: int) -> dict[str, Any]:
    return {"model": {sweep: value}} if sweep in ("depth", "width") else {sweep: value}


def label(training: KaleidoscopeTraining) -> dict[str, int]:
    """The value of every swept setting."""
    t = training
    return {
        "depth": t.model.get("depth", 10), "width": t.model.get("width", 500), "steps": t.steps,
        "images": t.images or 60_000,
    }  # fmt: skip


def part(
    training: KaleidoscopeTraining,
    data: Tensor,
    unseen: Tensor,
    judge: Any,
    seed: int,
    sizes: Sizes,
    device: str = "cpu",
    perturbations: bool = False,
    until: float = 0.0,
) -> dict[str, Any]:
    """One network of a sweep. data: what it learns, uint8; unseen: other images of that kind, uint8.

    perturbations: whether its samples are stirred in every way, and not only as usual. until: as in `learn`.
    """  # fmt: skip
    model, losses = train_kaleidoscope(training, data, seed, device, until=until)
    found = measured(of(training, model), data, unseen, judge, sizes, perturbations)
    return {**label(training), "steps": len(losses), "seed": seed, "loss": last_loss(losses), **found}


def measured(
    k: Kaleidoscope, data: Tensor, unseen: Tensor, judge: Any, sizes: Sizes, perturbations: bool = False
) -> dict[str, Any]:
    """What a network does: `rows` from run to run (`trajectory`), and beside them what they are held against.

    fixed: the share of training images that stay where they are for 30 runs; unseen: how far a real image that was not
    learned is from the nearest that was; real_confidence: the judge's, of such images; recovered: of learned ones.
    """
    few = data[:: -(-len(data) // FEW)].float() / 255
    with torch.no_grad():
        again = k.model.reconstruct(few.to(next(k.model.parameters()).device)).cpu()
    ways = PERTURBATIONS if perturbations else {USUAL: PERTURBATIONS[USUAL]}
    stirred = {name: _watched(k, data, judge, sizes, how) for name, how in ways.items()}
    return {
        "fixed": fixed(k.model, few).double().mean().item(),
        "unseen": nearest(unseen, data)[0].mean().item(),
        "real_confidence": probabilities(judge, unseen.float() / 255).amax(1).mean().item(),
        "recovered": probabilities(judge, again).amax(1).mean().item(),
        "rows": stirred[USUAL],
        **({"perturbations": stirred} if perturbations else {}),
    }


def _watched(k: Kaleidoscope, data: Tensor, judge: Any, sizes: Sizes, how: Mapping[str, Any]) -> list[dict[str, Any]]:
    runs = looked_at(sizes.runs)
    return watch(stream(k, range(sizes.samples), start="uniform", **how), runs, kaleidoscope_eyes(data, judge))


FITS = 1e-4  # a loss under which a network has learned its points
SAMPLES, NEAR = 100, 0.02


def on_a_line(depth: int, sizes: Sizes, scale: str) -> dict[str, Any]:
    """Networks of one depth from several seeds: which fit; of those, which points attract, and where samples end.

    attracting, landed: one value per network that fits: the share of points that attract; of samples that end at one.
    """
    training = preset("kaleidoscope-1d-four", scale, model={"depth": depth})
    points, fit, attracting, landed = as_images(training.points), [], [], []
    for seed in range(sizes.point_seeds):
        model, losses = train_kaleidoscope(training, points, seed)
        fit.append(last_loss(losses) < FITS)
        if fit[-1]:
            attracting.append(kaleidoscope_attracting(model, points).double().mean().item())
            (end,) = kept(stream(of(training, model), range(SAMPLES)), [200])
            landed.append(_near(end, points).double().mean().item())
    return {"depth": depth, "fit": fit, "attracting": attracting, "landed": landed}


def _near(x: Tensor, points: Tensor) -> Tensor:
    return torch.cdist(x.flatten(1), points.flatten(1)).amin(1) < NEAR


def scattered_points(dimension: int, count: int, sizes: Sizes, scale: str) -> dict[str, Any]:
    """The largest loss at a corner of the cube, one value per seed, after learning so many points of it."""
    worst = []
    for seed in range(sizes.seeds):
        training = preset("kaleidoscope-dimension", scale, points=scattered(count, dimension, seed))
        model, _ = train_kaleidoscope(training, as_images(training.points), seed)
        worst.append(worst_corner(model))
    return {"dimension": dimension, "count": count, "worst_corner": worst}


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


def last_loss(losses: list[float]) -> float:
    """The loss at the end of training: the mean of the last twentieth of the steps."""
    return fmean(losses[-max(1, len(losses) // 20) :])
