"""The study of kaleidoscopic networks: where samples end up, against depth, width, training, data and perturbation.

Nobody had put numbers to "deeper is better" or to "over-generalisation". A part is one setting and one seed; a trend is
a slope per doubling of a setting, one per seed, as a mean with Student's 95 % interval. Of networks of points it
measures which points attract; and, as the paper does, the largest loss over the corners of the cube, against the number
of points and their dimension.

OUT/kaleidoscope/study.json is its result, with figures beside it; OUT/kaleidoscope/parts/ holds what it is made of.
The networks that are shown lie in OUT/kaleidoscope-mnist, -1d, -1d-four and -2d, as `train` makes them.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from math import log2
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from .. import __version__, data, plot, train
from ..cli import arg, command
from ..data import Dataset
from ..hub import Kaleidoscope, as_images, load_kaleidoscope, of, stream
from ..metrics import nearest
from ..metrics.attractors import attracting, fixed, probe_runs, probed_runs, states_at, worst_corner
from ..metrics.classifier import probabilities
from ..metrics.distance import SAME
from ..metrics.stats import Interval, above_zero, interval
from ..models import Judge
from ..plot import markdown_table
from ..presets import SCALES, KaleidoscopeTraining, preset, scattered
from ..runs import ON_POINTS, film_frames, kaleidoscope_probe, landscape, train_kaleidoscope, trainer, write
from . import attractor_charts as charts
from .common import classifier, kept_part, number

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
MORE = {
    "depth": "deeper", "equal": "deeper, at equal loss", "width": "wider", "steps": "longer training",
    "images": "more images",
}  # fmt: skip


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

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"{self.seeds} networks per setting: give at least one, two or more for an interval")


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


# Measures of one network.

FEW = 500  # training images that are tried one by one


def measured(
    k: Kaleidoscope, data: Tensor, unseen: Tensor, classifier: Judge, sizes: Sizes, perturbations: bool = False
) -> dict[str, Any]:
    """What a network does: `rows` from run to run (`watch`), and beside them what they are held against.

    data: what it learned, uint8; unseen: other images of that kind, uint8. perturbations: whether it is sampled under
    every perturbation, and not only as usual. fixed: the share of training images that stay where they are for 30 runs;
    unseen: how far a real image that was not learned is from the nearest that was; real_confidence: the classifier's,
    of such images.
    """
    few = data[:: -(-len(data) // FEW)].float() / 255
    sampled = {
        name: probe_runs(
            stream(k, range(sizes.samples), start="uniform", **how),
            probed_runs(sizes.runs),
            kaleidoscope_probe(data, classifier),
        )
        for name, how in PERTURBATIONS.items()
        if perturbations or name == USUAL
    }
    return {
        "fixed": fixed(k.model, few).double().mean().item(),
        "unseen": nearest(unseen, data)[0].mean().item(),
        "real_confidence": probabilities(classifier, unseen.float() / 255).amax(1).mean().item(),
        "rows": sampled[USUAL],
        **({"perturbations": sampled} if perturbations else {}),
    }


def last_loss(losses: Sequence[float]) -> float:
    """The loss at the end of training: the mean of the last twentieth of the steps."""
    return fmean(losses[-max(1, len(losses) // 20) :])


FITS = 1e-4  # a loss under which a network has learned its points
SAMPLES, NEAR = 100, 0.02


def on_a_line(depth: int, seeds: int, scale: str) -> dict[str, Any]:
    """Networks of one depth from several seeds: which fit; of those, which points attract, and where samples end.

    attracting, landed: one value per network that fits: the share of points that attract; of samples that end at one.
    """
    training = preset("kaleidoscope-1d-four", scale, model={"depth": depth})
    points = as_images(training.points)
    found: dict[str, Any] = {"depth": depth, "fit": [], "attracting": [], "landed": []}
    for seed in range(seeds):
        model, losses = train_kaleidoscope(training, points, seed)
        found["fit"].append(last_loss(losses) < FITS)
        if found["fit"][-1]:
            found["attracting"].append(attracting(model, points).double().mean().item())
            (end,) = states_at(stream(of(training, model), range(SAMPLES)), [200])
            near = torch.cdist(end.flatten(1), points.flatten(1)).amin(1) < NEAR
            found["landed"].append(near.double().mean().item())
    return found


def scattered_points(dimension: int, count: int, seeds: int, scale: str) -> dict[str, Any]:
    """The largest loss at a corner of the cube, one value per seed, after learning so many points of it."""
    worst = []
    for seed in range(seeds):
        training = preset("kaleidoscope-dimension", scale, points=scattered(count, dimension, seed))
        model, _ = train_kaleidoscope(training, as_images(training.points), seed)
        worst.append(worst_corner(model))
    return {"dimension": dimension, "count": count, "worst_corner": worst}


# What the measures show, over seeds.

BURN_IN = 10  # the run that pictures are measured at: the first digits are there, and the collapse is not
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


def _intervals(found: Sequence[Mapping[str, float]]) -> dict[str, Interval]:
    return {name: interval([each[name] for each in found]) for name in found[0]}


def by_value(parts: Sequence[Part], setting: str) -> list[dict[str, Any]]:
    """One line per value of a setting: each measure as an interval over seeds."""
    lines = defaultdict(list)
    for part in parts:
        lines[part[setting]].append(summary(part))
    return [{setting: value, **_intervals(found)} for value, found in sorted(lines.items())]


def trends_of(parts: Sequence[Part], setting: str) -> dict[str, Interval]:
    """How each measure changes when the setting doubles, over seeds."""
    seeds = defaultdict(list)
    for part in parts:
        seeds[part["seed"]].append((log2(part[setting]), summary(part)))
    slopes = [
        {name: linear_regression(*zip(*((x, it[name]) for x, it in own), strict=True)).slope for name in own[0][1]}
        for own in seeds.values()
    ]
    return _intervals(slopes)


def by_perturbation(parts: Sequence[Part]) -> dict[str, dict[str, Interval]]:
    """The measures under each perturbation, over seeds. parts: those with `perturbations`."""
    return {
        name: _intervals([summary(part, part["perturbations"][name]) for part in parts])
        for name in parts[0]["perturbations"]
    }


def sign(x: Interval) -> int:
    """1 if the interval lies over 0, -1 if under, 0 if it does not tell."""
    return 1 if above_zero(x) else -1 if x["high"] is not None and x["high"] < 0 else 0


def claims_of(base: Sequence[Part], trends: Mapping[str, Mapping[str, Interval]]) -> list[dict[str, Any]]:
    """The claims, each with its numbers and "yes", "no" or "not shown". base: parts of the preset itself.

    Better pictures are nearer to the data and surer to a classifier: yes if both, no if either is surely worse.
    """
    found = [summary(part) for part in base]
    falls = interval([each["start"] - each["first"] for each in found])
    nearer = interval([each["unseen"] - each["distance"] for each in found])
    claims: list[tuple[str, int, dict[str, Interval]]] = [
        ("one run brings noise nearer to the data", sign(falls), {"nearer_by": falls}),
        (f"samples of run {BURN_IN} are nearer to it than unseen images", sign(nearer), {"nearer_by": nearer}),
    ]
    for sweep in ("depth", "equal"):
        near, sure, far = (trends[sweep][name] for name in ("first", "confidence", "distance"))
        better = min(sign(sure), -sign(far))
        claims.append((f"{MORE[sweep]}: the first run brings noise nearer", -sign(near), {"first": near}))
        claims.append((f"{MORE[sweep]}: better pictures", better, {"confidence": sure, "distance": far}))
    for name, trend in trends.items():
        more = trend["distinct"]
        claims.append((f"{MORE[name]}: more pictures in the end", sign(more), {"distinct": more}))
    left = {
        name: [summary(part, part["perturbations"][name])["distinct"] for part in base]
        for name in base[0]["perturbations"]
    }
    plain = left.pop("none")
    for name, each in left.items():
        more = interval([a - b for a, b in zip(each, plain, strict=True)])
        claims.append((f"{name}: more pictures in the end than unstirred", sign(more), {"more_by": more}))
    words = {1: "yes", -1: "no", 0: "not shown"}
    return [{"claim": claim, "verdict": words[which], "numbers": numbers} for claim, which, numbers in claims]


# The study as a whole.

BASE = "kaleidoscope-depth"
SHOWN = "kaleidoscope-mnist"
LONGER = 3  # times the steps, at most, until the loss is equal
LANDSCAPES = {"kaleidoscope-1d": 3, "kaleidoscope-1d-four": 8, "kaleidoscope-2d": 12}  # and the run that is drawn


def label(training: KaleidoscopeTraining) -> dict[str, int]:
    """The value of every swept setting."""
    t = training
    return {
        "depth": t.model.get("depth", 10), "width": t.model.get("width", 500), "steps": t.steps,
        "images": t.images or 60_000,
    }  # fmt: skip


def settings(sizes: Sizes, scale: str, **changes: Any) -> dict[str, list[KaleidoscopeTraining]]:
    """The trainings of every sweep; the preset itself is one of each but "equal". changes: of the preset."""

    def training(what: str, value: int) -> KaleidoscopeTraining:
        change = {"model": {what: value}} if what in ("depth", "width") else {what: value}
        found: KaleidoscopeTraining = preset(BASE, scale, **{**changes, **change})
        return found

    found = {sweep: [training(what, value) for value in getattr(sizes, what)] for sweep, what in SWEEPS.items()}
    return found | {"equal": [replace(t, steps=LONGER * t.steps) for t in found["equal"]]}


@dataclass(frozen=True)
class Study:
    """out: the folder of runs. data: another data set than that of the presets, with labels."""

    out: Path
    scale: str = "cpu"
    sizes: Sizes = SIZES["cpu"]
    data: str | None = None
    root: Path | None = None
    device: str = "cpu"
    quiet: bool = False

    def __call__(self) -> Path:
        """Do what is not done yet, and return the file of the result. Raises what training raises."""
        result, path = self.result(), self.folder / "study.json"
        write(path, result)
        for name, content in pictures(self.out, result, self._whole, self.classifier).items():
            write(self.folder / name, content)
        return path

    def result(self) -> dict[str, Any]:
        """What the study found, from parts that are made if they are not there."""
        s = self.sizes
        for name in (*LANDSCAPES, SHOWN):
            training = preset(name, self.scale, **(self._changes if name == SHOWN else {}))
            trainer(training, self.out, root=self.root, device=self.device, quiet=self.quiet)()
        shown = self._kept("shown", {"sizes": vars(s)}, self._shown)
        parts, base = self._swept()
        trends = {sweep: trends_of(parts[sweep], what) for sweep, what in SWEEPS.items()}
        lines = {f"line_{depth}": partial(on_a_line, depth) for depth in s.point_depth}
        cubes = {f"cube_{d}_{n}": partial(scattered_points, d, n) for d in s.dimensions for n in s.counts}
        return {
            "toolkit": __version__,
            "scale": self.scale,
            "sizes": vars(s),
            "shown": shown,
            "sweeps": {sweep: by_value(parts[sweep], what) for sweep, what in SWEEPS.items()},
            "trends": trends,
            "perturbations": by_perturbation(base),
            "verdicts": claims_of(base, trends),
            "line": self._points(lines, s.point_seeds),
            "cube": self._points(cubes, s.seeds),
        }

    @property
    def folder(self) -> Path:
        return self.out / "kaleidoscope"

    @property
    def _changes(self) -> dict[str, Any]:
        return {"data": self.data} if self.data else {}

    def _kept(self, name: str, settings: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A part: read, if it was made before by these settings; else made and written."""
        path = self.folder / "parts" / f"{name}.json"
        return dict(kept_part(path, "asked", {**settings, "data": self.data}, lambda: {"part": make()})["part"])

    def _swept(self) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
        """The parts of every sweep, and of the preset itself; a setting that is in several is one part per seed."""
        grid = settings(self.sizes, self.scale, **self._changes)
        until = {sweep: self.sizes.until if sweep == "equal" else 0.0 for sweep in grid}
        base = _name(preset(BASE, self.scale, **self._changes))
        wanted = {_name(t, until[sweep]): (t, until[sweep]) for sweep, each in grid.items() for t in each}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
        with tqdm(total=len(wanted) * self.sizes.seeds, desc="sweeps", unit="network", disable=self.quiet) as bar:
            for name, (training, loss) in wanted.items():
                for seed in range(self.sizes.seeds):
                    found[name].append(self._part(training, seed, loss, name == base))
                    bar.update()
        return {s: [part for t in each for part in found[_name(t, until[s])]] for s, each in grid.items()}, found[base]

    def _part(self, training: KaleidoscopeTraining, seed: int, until: float, base: bool) -> dict[str, Any]:
        """One network of a sweep. until: as in `train_kaleidoscope`; base: sampled under every perturbation."""
        s = self.sizes

        def make() -> dict[str, Any]:
            images = self._read(limit=training.images).images
            model, losses = train_kaleidoscope(training, images, seed, self.device, until=until)
            found = measured(of(training, model), images, self.unseen(images), self.classifier, s, base)
            return {**label(training), "steps": len(losses), "seed": seed, "loss": last_loss(losses), **found}

        settings = {"training": training.as_dict(), "until": until, "samples": s.samples, "runs": s.runs}
        return self._kept(f"{_name(training, until)}_seed{seed}", {**settings, "judge": s.judge_steps}, make)

    def _shown(self) -> dict[str, Any]:
        """The network that is shown: its own rows under every perturbation."""
        images = self._whole.images
        k = load_kaleidoscope(self.out, SHOWN, device=self.device)
        return measured(k, images, self.unseen(images), self.classifier, self.sizes, perturbations=True)

    def _points(self, make: Mapping[str, Callable[[int, str], dict[str, Any]]], seeds: int) -> list[dict[str, Any]]:
        settings = {"scale": self.scale, "seeds": seeds}
        bar = tqdm(make.items(), desc="points", disable=self.quiet)
        return [self._kept(name, settings, partial(part, seeds, self.scale)) for name, part in bar]

    @cached_property
    def _whole(self) -> Dataset:
        """What the network that is shown learned."""
        return self._read(limit=preset(SHOWN, self.scale, **self._changes).images)

    def unseen(self, data: Tensor) -> Tensor:
        """Real images that were not learned, as many as there are samples; of a set without parts, others of it."""
        few = self.sizes.samples
        if ":" not in self._name_of_data:
            return self._read(split="test", limit=few).images
        whole = self._read().images
        return whole[1 :: max(1, len(whole) // few)][:few]

    @cached_property
    def classifier(self) -> Judge:
        """A classifier of the data, kept beside the parts."""
        path = f"judge_{self._name_of_data.replace(':', '-')}_{self.sizes.judge_steps}.safetensors"
        return classifier(self.folder / path, self._read, self.sizes.judge_steps, self.device)

    @property
    def _name_of_data(self) -> str:
        return self.data or preset(SHOWN).data

    def _read(self, **options: Any) -> Dataset:
        return data.load(self._name_of_data, root=self.root, **options)


def _name(training: KaleidoscopeTraining, until: float = 0.0) -> str:
    name = "_".join(f"{setting}{value}" for setting, value in label(training).items())
    return f"{name}_until{until}" if until else name


FLOWS = (1, 2, 5, 10, 30, 100, 300)
FILM_SEEDS, FILM_RUNS = 48, 60


def pictures(out: Path, result: Mapping[str, Any], data: Dataset, classifier: Judge) -> dict[str, bytes]:
    """Every figure as the bytes of a PNG, by the name of its file; the films are written beside them."""
    k, line, shown = load_kaleidoscope(out, SHOWN), load_kaleidoscope(out, "kaleidoscope-1d-four"), result["shown"]
    folder, samples = out / "kaleidoscope", result["sizes"]["samples"]
    folder.mkdir(parents=True, exist_ok=True)
    moving = islice(stream(k, range(FILM_SEEDS)), min(FILM_RUNS, k.runs) + 1)
    plot.animation(film_frames(k, moving), folder / "film.webp")
    moving = islice(stream(line, range(ON_POINTS)), line.runs + 1)
    plot.animation(film_frames(line, moving), folder / "line.gif", ms=160)
    runs = [run for run in FLOWS if run < k.runs] + [k.runs]
    after = states_at(stream(k, range(samples)), runs)
    labels = {run: probabilities(classifier, x).argmax(1) for run, x in zip(runs, after, strict=True)}
    real = {"distance": shown["unseen"], "confidence": shown["real_confidence"]}
    drawn = {
        "collapse": charts.collapse_figure(
            after[-1], SAME, f"{k.title}: what {samples} samples have become by run {k.runs}"
        ),
        "sequence": charts.sequence_figure(states(k, data.images), f"{k.title}: one cell is one sample"),
        "flow": charts.alluvial_figure(
            labels, classifier.config.classes, f"{k.title}: which class samples are in, and where they go"
        ),
        "runs": charts.runs_chart(shown["perturbations"], USUAL, real, f"{k.title}: from run to run"),
        "sweeps": charts.sweeps_chart(result["sweeps"], SWEEPS, CHARTED, "What depth, width, training and data do"),
        "points": charts.points_chart(result["line"], result["cube"], "Networks of points"),
    }
    for name, run in LANDSCAPES.items():
        of_points = load_kaleidoscope(out, name)
        moving = islice(stream(of_points, range(ON_POINTS)), min(run, of_points.runs) + 1)
        drawn[name] = landscape(of_points, list(moving))
    return {f"{name}.png": plot.figure_png(drawing) for name, drawing in drawn.items()}


SEQUENCE = (1, *range(5, 14), 300)  # runs that a sequence shows


def states(k: Kaleidoscope, data: Tensor, samples: int = 36, runs: tuple[int, ...] = SEQUENCE) -> dict[str, Tensor]:
    """Panels of `charts.sequence_figure`: training images as recovered, and samples after some runs.

    data: uint8 (N, C, H, W), of which some are recovered. Each panel (samples, C, H, W), by its title.
    """
    rows = torch.arange(samples) * len(data) // samples
    x = data[rows].to(next(k.model.parameters()).device).float() / 255
    with torch.no_grad():
        found = {"training images, recovered": k.model.reconstruct(x).cpu()}
    runs = (*(run for run in runs if run < k.runs), k.runs)
    after = states_at(stream(k, range(samples)), runs)
    return found | {f"run {run}": state for run, state in zip(runs, after, strict=True)}


# The tables as text.

COLUMNS = {
    "trained": "steps", "loss": "loss",
    "distance": f"distance, run {BURN_IN}", "confidence": f"confidence, run {BURN_IN}",
    "peak": "most pictures", "distinct": "pictures at the end", "kept": "share left", "still": "standing still",
    "fixed": "data that stay",
}  # fmt: skip
CHARTED = {
    "loss": "training loss", "distance": f"distance to the data, run {BURN_IN}",
    "confidence": f"confidence of a classifier, run {BURN_IN}", "distinct": "different pictures at the end",
    "kept": "of the most, left at the end", "fixed": "training images that stay",
}  # fmt: skip
LOSSES = {  # of digits, L=10 and H=500, at every thousandth step (the published notebook)
    0: 0.93, 1000: 0.141, 2000: 0.115, 3000: 0.097, 4000: 0.085, 5000: 0.0755, 6000: 0.072, 7000: 0.070, 8000: 0.066,
    9000: 0.064,
}  # fmt: skip


def report(result: Mapping[str, Any]) -> str:
    """Everything the study found."""
    parts = [runs(result["shown"]), *(sweep(result, each) for each in SWEEPS), trends(result)]
    return "\n\n".join([*parts, perturbations(result), line(result), cube(result), verdicts(result)])


def learned(losses: Sequence[Sequence[float]]) -> str:
    """The loss of the digits as it fell, beside the published one. losses: [step, loss], as a checkpoint has them."""
    here = {int(step): loss for step, loss in losses}
    rows = [
        [f"{step:,}", f"{loss:.3f}", f"{here[step]:.3f}", f"{100 * (here[step] / loss - 1):+.0f} %"]
        for step, loss in LOSSES.items()
        if step in here
    ]
    return markdown_table(["step", "published", "here", "difference"], rows)


def runs(shown: Mapping[str, Any]) -> str:
    """The network that is shown, from run to run; beside it real images that it did not learn.

    In brackets: how many pictures there are if twice, or half, as much counts as the same.
    """
    head = ["run", "distance", "movement", "standing still", "different pictures", "in another class", "confidence"]
    rows = []
    for r in shown["perturbations"][USUAL]:
        moving, changed = ["", ""], ""
        if r["run"]:
            moving = [f"{r['movement']:.3f}", f"{100 * r['still']:.0f} %"]
        if flow := r.get("flow"):  # samples by their class in the row before and in this one
            stayed = sum(flow[n][n] for n in range(len(flow)))
            changed = f"{100 * (1 - stayed / sum(map(sum, flow))):.0f} %"
        pictures = f"{r['distinct']} ({r['loose']} to {r['tight']})"
        rows.append([str(r["run"]), f"{r['distance']:.3f}", *moving, pictures, changed, f"{r['confidence']:.2f}"])
    real = ["real images", f"{shown['unseen']:.3f}", "", "", "", "", f"{shown['real_confidence']:.2f}"]
    return markdown_table(head, [*rows, real])


def sweep(result: Mapping[str, Any], setting: str) -> str:
    """The measures at each value of what a sweep varies, over seeds."""
    what = SWEEPS[setting]
    rows = [[f"{row[what]:,}", *(_number(row[name]) for name in COLUMNS)] for row in result["sweeps"][setting]]
    return markdown_table([f"{what}, at equal loss" if setting == "equal" else what, *COLUMNS.values()], rows)


def trends(result: Mapping[str, Any]) -> str:
    """What a doubling of each setting changes, over seeds; where the interval leaves out 0, in bold."""
    rows = []
    for setting in SWEEPS:
        found = [result["trends"][setting][name] for name in COLUMNS]
        rows.append([MORE[setting], *(f"**{_number(x)}**" if sign(x) else _number(x) for x in found)])
    return markdown_table(["a doubling", *COLUMNS.values()], rows)


def perturbations(result: Mapping[str, Any]) -> str:
    """The measures under each perturbation, over seeds."""
    names = ("distance", "confidence", "peak", "distinct", "kept", "still")
    found = result["perturbations"]
    rows = [[name, *(_number(found[name][measure]) for measure in names)] for name in PERTURBATIONS]
    return markdown_table(["perturbation", *(COLUMNS[name] for name in names)], rows)


def line(result: Mapping[str, Any]) -> str:
    """Four points on a line, by depth: which networks learn them, which points attract, where samples end."""
    shares = ("networks that learn them", "points that attract", "all four do", "samples that end at one")
    rows = []
    for row in result["line"]:
        every = [share == 1 for share in row["attracting"]]
        found = (row["fit"], row["attracting"], every, row["landed"])
        rows.append([str(row["depth"]), *(f"{100 * fmean(each):.0f} %" if each else "" for each in found)])
    return markdown_table(["hidden layers", *shares], rows)


def cube(result: Mapping[str, Any]) -> str:
    """The largest loss at a corner of the cube, by the number of points scattered over it and their dimension."""
    cells = {(row["count"], row["dimension"]): _number(interval(row["worst_corner"])) for row in result["cube"]}
    counts, dimensions = (sorted(set(each)) for each in zip(*cells, strict=True))
    rows = [[f"{count:,}", *(cells[count, dimension] for dimension in dimensions)] for count in counts]
    return markdown_table(["training points", *(f"{dimension} dimensions" for dimension in dimensions)], rows)


def verdicts(result: Mapping[str, Any]) -> str:
    """The claims, what the numbers say, and the numbers."""
    names = {
        "nearer_by": "nearer by", "more_by": "more by", "first": "distance, run 1, per doubling",
        "distinct": f"{COLUMNS['distinct']}, per doubling",
    }  # fmt: skip
    rows = []
    for found in result["verdicts"]:
        numbers = found["numbers"].items()
        text = [f"{names.get(name, f'{name}, run {BURN_IN}, per doubling')} {_number(x)}" for name, x in numbers]
        rows.append([found["claim"], found["verdict"], ", ".join(text)])
    return markdown_table(["claim", "verdict", "over seeds"], rows)


def _number(x: Interval) -> str:
    return number(x, 20)


@command(
    "attractors",
    """examples:
  python -m toolkit attractors --out runs                 trains some 70 small networks: about an hour on two cores
  python -m toolkit attractors --out runs --scale smoke   seconds, with numbers that mean nothing
Stop it whenever you like; the same command continues where it was.""",
    arg("--out", required=True, metavar="DIR", help="the folder of runs"),
    arg("--scale", default="cpu", choices=SCALES, help="paper (a GPU), cpu (an hour; default) or smoke (seconds)"),
    arg("--networks", type=int, help="trained per setting, from different seeds (default: 3)"),
    arg("--data", help="another data set with labels, such as sample:mnist"),
    *map(arg, ("--root", "--device", "--quiet", "--json")),
)
def attractors(args: argparse.Namespace) -> object:
    """The study of kaleidoscopic runs: where samples end up, against depth, width and more; OUT/kaleidoscope."""
    sizes = SIZES[args.scale] if args.networks is None else replace(SIZES[args.scale], seeds=args.networks)
    device, quiet = str(train.device(args.device)), args.quiet or args.json
    result = json.loads(Study(args.out, args.scale, sizes, args.data, args.root, device, quiet)().read_text())
    return result if args.json else report(result)
