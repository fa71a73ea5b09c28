"""The study of kaleidoscopic networks: its charts, gallery and report.

OUT/kaleidoscope/study.json is its result, with figures beside it; OUT/kaleidoscope/parts/ holds what it is made of.
The networks that are shown lie in OUT/kaleidoscope-mnist, -1d, -1d-four and -2d, as `train` makes them.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import torch
from torch import Tensor
from tqdm import tqdm

from .. import __version__, data, hub, index, plot, train
from ..data import Dataset
from ..hub import Kaleidoscope, load_kaleidoscope, stream
from ..metrics.distance import SAME, flow, linked
from ..metrics.stats import Interval, interval
from ..models import Judge, create
from ..models.classifier import Lessons
from ..presets import SCALES, KaleidoscopeTraining, preset
from ..runs import ON_POINTS, film_frames, landscape, to_json, trainer
from ..samplers.kaleidoscope import kept, probabilities
from ..seeds import child
from ..train import fit, linear
from . import sweeps as spots
from .sweeps import BURN_IN, MEASURES, MORE, PERTURBATIONS, SIZES, SWEEPS, USUAL, Sizes, said
from .sweeps import label as sweeps_label

EPILOG = """examples:
  python -m toolkit attractors --out runs                 trains some 70 small networks: about an hour on two cores
  python -m toolkit attractors --out runs --scale smoke   seconds, with numbers that mean nothing
Stop it whenever you like; the same command continues where it was."""


def attractors(args: argparse.Namespace) -> object:
    """The study of kaleidoscopic runs: where samples end up, against depth, width and more; OUT/kaleidoscope."""
    device = str(train.device(args.device))
    quiet = args.quiet or args.json
    work = study(args.out, args.scale, seeds=args.networks, data=args.data, root=args.root, device=device, quiet=quiet)
    result = json.loads(work().read_text())
    return result if args.json else markdown(result)


def declare(add: Callable[..., Any]) -> None:
    """What `attractors` takes."""
    add("--out", required=True, metavar="DIR", help="the folder of runs")
    add(
        "--scale",
        default="cpu",
        choices=SCALES,
        help="paper (a GPU), cpu (an hour; default) or smoke (seconds)",
    )
    add("--networks", type=int, help="trained per setting, from different seeds (default: 3)")
    add("--data", help="another data set with labels, such as sample:mnist")
    for name in ("--root", "--device", "--quiet", "--json"):
        add(name)


COMMANDS = {"attractors": (attractors, declare, EPILOG)}


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
        for name in (*LANDSCAPES, SHOWN):
            training = preset(name, self.scale, **(self.changes if name == SHOWN else {}))
            trainer(training, self.out, root=self.root, device=self.device, quiet=self.quiet)()
        shown = self._kept("shown", {"sizes": vars(self.sizes)}, self._shown)
        swept = self._swept()
        result = {
            "toolkit": __version__,
            "scale": self.scale,
            "sizes": vars(self.sizes),
            "shown": shown,
            **self._sweeps(swept),
            "line": self._points(
                "line", [(depth,) for depth in self.sizes.point_depth], spots.on_a_line
            ),
            "cube": self._points(
                "cube", [(d, n) for d in self.sizes.dimensions for n in self.sizes.counts], spots.scattered_points
            ),
        }  # fmt: skip
        path = self.folder / "study.json"
        index.write_atomic(path, to_json(result))
        for name, content in pictures(self.out, result, self._whole, self.judge).items():
            index.write_atomic(self.folder / name, content)
        return path

    @property
    def folder(self) -> Path:
        return self.out / "kaleidoscope"

    @property
    def changes(self) -> dict[str, Any]:
        return {"data": self.data} if self.data else {}

    def _swept(self) -> dict[str, list[dict[str, Any]]]:
        """The parts of every sweep; a setting that is in several is one part per seed."""
        grid = spots.settings(self.sizes, self.scale, **self.changes)
        base = _name(preset(spots.BASE, self.scale, **self.changes))
        wanted = {_name(t, self._until(sweep)): (t, self._until(sweep)) for sweep, each in grid.items() for t in each}
        found: dict[str, list[dict[str, Any]]] = {}
        with tqdm(total=len(wanted) * self.sizes.seeds, desc="sweeps", unit="network", disable=self.quiet) as bar:
            for name, (training, until) in wanted.items():
                found[name] = []
                for seed in range(self.sizes.seeds):
                    found[name].append(self._part(training, seed, until, name == base))
                    bar.update()
        parts = {s: [part for t in each for part in found[_name(t, self._until(s))]] for s, each in grid.items()}
        return parts | {"base": found[base]}

    def _until(self, sweep: str) -> float:
        return self.sizes.until if sweep == "equal" else 0.0

    def _part(self, training: KaleidoscopeTraining, seed: int, until: float, base: bool) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            data = self._read(limit=training.images).images
            unseen, device = self.unseen(data), self.device
            return spots.part(training, data, unseen, self.judge, seed, self.sizes, device, base, until)

        s = self.sizes
        asked = {"training": training.as_dict(), "until": until, "samples": s.samples, "runs": s.runs}
        return self._kept(f"{_name(training, until)}_seed{seed}", {**asked, "judge": s.judge_steps}, make)

    def _sweeps(self, parts: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        base = parts.pop("base")
        trends = {sweep: spots.trends(parts[sweep], what) for sweep, what in SWEEPS.items()}
        return {
            "sweeps": {sweep: spots.table(parts[sweep], what) for sweep, what in SWEEPS.items()},
            "trends": trends,
            "perturbations": spots.stirred(base),
            "verdicts": spots.verdicts(base, trends),
        }

    def _shown(self) -> dict[str, Any]:
        """The network that is shown: its own rows under every perturbation."""
        images = self._whole.images
        k = load_kaleidoscope(self.out, SHOWN, device=self.device)
        return spots.measured(k, images, self.unseen(images), self.judge, self.sizes, perturbations=True)

    def _points(
        self, what: str, places: Sequence[tuple[int, ...]], make: Callable[..., dict[str, Any]]
    ) -> list[dict[str, Any]]:
        s, found = self.sizes, []
        for place in tqdm(places, desc=f"points: {what}", disable=self.quiet):
            asked = {"scale": self.scale, "seeds": s.point_seeds if what == "line" else s.seeds}
            name = "_".join([what, *map(str, place)])
            found.append(self._kept(name, asked, lambda place=place: make(*place, s, self.scale)))  # type: ignore[misc]
        return found

    def _kept(self, name: str, asked: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A part: read, if it was made before as it is asked for; else made and written."""
        path = self.folder / "parts" / f"{name}.json"
        asked = json.loads(to_json({**asked, "data": self.data}))
        if path.exists() and (found := json.loads(path.read_text()))["asked"] == asked:
            return dict(found["part"])
        index.write_atomic(path, to_json({"asked": asked, "part": make()}))
        return dict(json.loads(path.read_text())["part"])

    @cached_property
    def _whole(self) -> Dataset:
        """What the network that is shown learned."""
        return self._read(limit=preset(SHOWN, self.scale, **self.changes).images)

    def unseen(self, data: Tensor) -> Tensor:
        """Real images that were not learned, as many as there are samples; of a set without parts, others of it."""
        few = self.sizes.samples
        if ":" not in self._name_of_data:
            return self._read(split="test", limit=few).images
        whole = self._read().images
        return whole[1 :: max(1, len(whole) // few)][:few]

    @cached_property
    def judge(self) -> Judge:
        """A classifier of the data, kept beside the parts."""
        steps = self.sizes.judge_steps
        path = self.folder / f"judge_{self._name_of_data.replace(':', '-')}_{steps}.safetensors"
        if not path.exists():
            data = self._read()
            if data.labels is None:
                raise ValueError(f"{data.name} has no labels: give a data set that has, for its classifier")
            names = tuple(map(str, range(int(data.labels.max()) + 1)))
            options = {"classes": names, "filters": 16, "hidden": 256}
            judge = create("Judge", options, seed=child(0, "judge")).to(self.device)
            judge = fit(judge, Lessons(data.images, data.labels, names), steps=steps, decay=linear)
            hub.save(judge, path, data=data.name, steps=steps)
        return cast("Judge", hub.load_file(path, device=self.device))

    @property
    def _name_of_data(self) -> str:
        return self.data or preset(SHOWN).data

    def _read(self, **options: Any) -> Dataset:
        return data.load(self._name_of_data, root=self.root, **options)


def _name(training: KaleidoscopeTraining, until: float = 0.0) -> str:
    name = "_".join(f"{setting}{value}" for setting, value in sweeps_label(training).items())
    return f"{name}_until{until}" if until else name


def study(out: Path, scale: str = "cpu", *, seeds: int | None = None, **options: Any) -> Study:
    """The study at a scale, with another number of networks per setting if given. options: of Study."""
    sizes = SIZES[scale]
    if seeds is not None and seeds < 1:
        raise ValueError(f"{seeds} networks per setting: give at least one, two or more for an interval")
    return Study(out, scale, replace(sizes, seeds=seeds or sizes.seeds), **options)


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


# The loss of digits, L=10 and H=500, at every thousandth step (the published notebook).
LOSSES = {
    0: 0.93, 1000: 0.141, 2000: 0.115, 3000: 0.097, 4000: 0.085, 5000: 0.0755, 6000: 0.072, 7000: 0.070, 8000: 0.066,
    9000: 0.064,
}  # fmt: skip


SHOWN = "kaleidoscope-mnist"
FLOWS = (1, 2, 5, 10, 30, 100, 300)
LANDSCAPES = {"kaleidoscope-1d": 3, "kaleidoscope-1d-four": 8, "kaleidoscope-2d": 12}  # and the run that is drawn
FILM_SEEDS, FILM_RUNS = 48, 60


def pictures(out: Path, result: Mapping[str, Any], data: Dataset, judge: Any) -> dict[str, bytes]:
    """Every figure as the bytes of a PNG, by the name of its file; the films are written beside them."""
    k, shown = load_kaleidoscope(out, SHOWN), result["shown"]
    folder = out / "kaleidoscope"
    films(folder, k, out)
    baseline = {"distance": shown["unseen"], "confidence": shown["real_confidence"]}
    found = {f"{name}.png": _landscape(out, name, run) for name, run in LANDSCAPES.items()}
    (end,) = kept(stream(k, range(samples := result["sizes"]["samples"])), [k.runs])
    drawn = {
        "collapse": collapse_figure(end, SAME, f"{k.title}: what {samples} samples have become by run {k.runs}"),
        "sequence": sequence_figure(states(k, data.images), f"{k.title}: one cell is one sample"),
        "flow": _flow(k, judge, samples),
        "runs": runs_chart(shown["perturbations"], baseline, f"{k.title}: from run to run"),
        "sweeps": sweeps(result["sweeps"], "What depth, width, training and data do"),
        "points": points(result["line"], result["cube"], "Networks of points"),
    }
    return found | {f"{name}.png": plot.figure_png(drawing) for name, drawing in drawn.items()}


def films(folder: Path, k: Kaleidoscope, out: Path) -> None:
    """Samples of pictures, and of points on a line, moving: film.webp, line.gif."""
    folder.mkdir(parents=True, exist_ok=True)
    states = islice(stream(k, range(FILM_SEEDS)), min(FILM_RUNS, k.runs) + 1)
    plot.animation(film_frames(k, states), folder / "film.webp")
    line = load_kaleidoscope(out, "kaleidoscope-1d-four")
    states = islice(stream(line, range(ON_POINTS)), line.runs + 1)
    plot.animation(film_frames(line, states), folder / "line.gif", ms=160)


def _landscape(out: Path, name: str, run: int) -> bytes:
    k = load_kaleidoscope(out, name)
    return plot.figure_png(landscape(k, list(islice(stream(k, range(ON_POINTS)), min(run, k.runs) + 1))))


def _flow(k: Kaleidoscope, judge: Any, samples: int) -> Any:
    runs = [run for run in FLOWS if run < k.runs] + [k.runs]
    states = kept(stream(k, range(samples)), runs)
    labels = {run: probabilities(judge, x).argmax(1) for run, x in zip(runs, states, strict=True)}
    return alluvial_figure(labels, judge.config.classes, f"{k.title}: which class samples are in, and where they go")


RUNS = {
    "distance": "distance to the training images",
    "movement": "movement in a run",
    "still": "share standing still",
    "distinct": "different pictures",
    "effective": "different pictures, by frequency",
    "confidence": "confidence of a classifier",
}
SHADES = ("#0072B2", "#000000", "#56B4E9", "#009E73", "#E69F00", "#D55E00")  # Okabe and Ito; the usual way is black
CHARTS_SHOWN = ("loss", "distance", "confidence", "distinct", "kept", "fixed")
LEGENDS = {
    "depth": "hidden layers", "equal": "hidden layers, equal loss", "width": "units in a layer",
    "steps": "steps of training", "images": "images",
}  # fmt: skip


def runs_chart(ways: Mapping[str, Sequence[Mapping[str, float]]], baseline: Mapping[str, float], title: str) -> Any:
    """Small multiples over runs, one line per perturbation. baseline: of real images, dotted, by measure."""
    from matplotlib.ticker import NullLocator

    drawing = plot.figure(9.2, 4.6, title)
    panels = list(drawing.subplots(2, 3, sharex=True).flat)
    ticks = [run for run in (1, 3, 10, 30, 100, 300) if run <= ways[USUAL][-1]["run"]]
    for panel, (measure, words) in zip(panels, RUNS.items(), strict=True):
        plot.plain(panel, words)
        for way, shade in zip(PERTURBATIONS, SHADES, strict=True):
            points = [(row["run"], row[measure]) for row in ways[way] if row["run"]]
            usual = {"color": shade, "lw": 1.8 if way == USUAL else 1.1, "zorder": 3 if way == USUAL else 2}
            panel.plot(*zip(*points, strict=True), marker="o", ms=2.2, label=way, **usual)
        panel.set_xscale("log")
        panel.set_xticks(ticks, [str(run) for run in ticks])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_ylim(bottom=0)
        if measure in baseline:
            panel.axhline(baseline[measure], color="black", lw=0.9, ls=":", label="real images, not learned")
    for panel in panels[3:]:
        panel.set_xlabel("run", fontsize=8)
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=7, frameon=False)
    return drawing


def sweeps(tables: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Any:
    """Measures as rows, settings as columns: the mean over seeds and its 95 % interval, at each value."""
    drawing = plot.figure(10.4, 1.45 * len(CHARTS_SHOWN) + 0.5, title)
    panels = drawing.subplots(len(CHARTS_SHOWN), len(SWEEPS), sharey="row", sharex="col", squeeze=False)
    for line, measure in zip(panels, CHARTS_SHOWN, strict=True):
        tops = [_curve(panel, tables[setting], setting, measure) for panel, setting in zip(line, SWEEPS, strict=True)]
        line[0].set_title(MEASURES[measure], fontsize=8, loc="left")
        line[0].set_ylim(0, 1.08 * max(tops) or 1.0)  # a wide interval may leave the panel
    for panel, setting in zip(panels[-1], SWEEPS, strict=True):
        panel.set_xlabel(LEGENDS[setting], fontsize=8)
    return drawing


def _curve(panel: Any, rows: Sequence[Mapping[str, Any]], over: str, measure: str) -> float:
    """Draw one measure, and say how high its means reach."""
    plot.plain(panel)
    values = [row[SWEEPS[over]] for row in rows]
    _with_interval(panel, values, [row[measure] for row in rows], "black")
    _doubling(panel, values)
    reach: float = max(row[measure]["mean"] for row in rows)
    return reach


def _with_interval(panel: Any, x: Sequence[float], y: Sequence[Interval], colour: str, label: str = "") -> None:
    means = [each["mean"] for each in y]
    low = [each["mean"] if each["low"] is None else each["low"] for each in y]
    high = [each["mean"] if each["high"] is None else each["high"] for each in y]
    panel.fill_between(x, low, high, color=colour, alpha=0.14, lw=0)
    panel.plot(x, means, color=colour, lw=1.2, marker="o", ms=2.5, label=label)


def _doubling(panel: Any, values: Sequence[float]) -> None:
    """A logarithmic axis with a tick at each value."""
    from matplotlib.ticker import NullLocator

    panel.set_xscale("log", base=2)
    panel.set_xticks(values, [f"{value:,}" if value < 1000 else f"{value / 1000:g}k" for value in values])
    panel.xaxis.set_minor_locator(NullLocator())


def points(line: Sequence[Mapping[str, Any]], cube: Sequence[Mapping[str, Any]], title: str) -> Any:
    """Left: four points on a line, against depth. Right: the largest loss at a corner, against the number of points."""
    drawing = plot.figure(8.6, 3.9, title)
    left, right = drawing.subplots(1, 2)
    depths = [row["depth"] for row in line]
    curves = {
        "samples that end at a training point": [_mean(row["landed"]) for row in line],
        "training points that attract": [_mean(row["attracting"]) for row in line],
        "networks in which all four do": [_mean([share == 1 for share in row["attracting"]]) for row in line],
        "networks that learn the points": [_mean(row["fit"]) for row in line],
    }
    for (words, shares), shade in zip(curves.items(), (plot.SAMPLE, "black", plot.START, "#999999"), strict=True):
        left.plot(depths, shares, marker="o", ms=3, lw=1.2, color=shade, label=words)
    plot.plain(left, "four points on a line: shares").set_xlabel("hidden layers", fontsize=8)
    left.set_ylim(-0.02, 1.04)
    left.set_xticks(depths)
    left.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.2))
    for dimension, shade in zip(sorted({row["dimension"] for row in cube}), SHADES, strict=False):
        rows = [row for row in cube if row["dimension"] == dimension]
        counts = [row["count"] for row in rows]
        _with_interval(right, counts, [interval(row["worst_corner"]) for row in rows], shade, f"{dimension} dimensions")
        _doubling(right, counts)
    plot.plain(right, "scattered points: largest loss at a corner").set_xlabel("training points", fontsize=8)
    right.set_ylim(bottom=0)
    right.legend(fontsize=7, frameon=False)
    return drawing


def _mean(values: Sequence[float]) -> float:
    """The mean; of nothing, nothing to draw."""
    return fmean(values) if values else float("nan")


WIDTH, AIR = 0.16, 0.012  # of a column, in units of their distance; between classes, as a share of all samples
PALE = (1, 5)  # colours that take black letters


def alluvial_figure(labels: Mapping[int, Tensor], names: Sequence[str], title: str) -> Any:
    """labels: the class of each sample after each run, (B,), by run. names: of the classes."""
    runs, count = list(labels), len(next(iter(labels.values())))
    drawing = plot.figure(1.5 + 1.25 * len(runs), 4.6, title)
    panel = drawing.subplots()
    heights = [labels[run].bincount(minlength=len(names)).double() / count for run in runs]
    floors = [_stacked(each) for each in heights]
    for column, (before, after) in enumerate(pairwise(runs)):
        moved = flow(labels[before], labels[after], len(names)).double() / count
        _ribbons(panel, column, moved, floors[column], floors[column + 1])
    for column, (each, floor) in enumerate(zip(heights, floors, strict=True)):
        _blocks(panel, column, each.tolist(), floor, names, last=column == len(runs) - 1)
    panel.set_xticks(range(len(runs)), [f"run {run}" for run in runs], fontsize=8)
    panel.set_yticks([])
    panel.set_xlim(-0.35, len(runs) - 0.65)
    panel.set_ylim(1 + AIR * len(names), -0.01)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    return drawing


def _stacked(heights: Tensor) -> list[float]:
    """Where each class begins, from above; a class without samples takes no room."""
    at, tops = 0.0, []
    for height in heights.tolist():
        tops.append(at)
        at += height + (AIR if height else 0)
    return tops


def _ribbons(panel: Any, column: int, moved: Tensor, left: Sequence[float], right: Sequence[float]) -> None:
    """What moves from each class to each: what stays is pale, what leaves has the colour of where it comes from."""
    from_, to = list(left), list(right)
    for before, row in enumerate(moved.tolist()):
        for after, share in enumerate(row):
            if share:
                colour = plot.CLASSES[before % len(plot.CLASSES)]
                a, b = from_[before], to[after]
                panel.add_patch(
                    _ribbon(column + WIDTH / 2, column + 1 - WIDTH / 2, a, b, share, colour, before == after)
                )
                from_[before] += share
                to[after] += share


def _ribbon(x0: float, x1: float, a: float, b: float, height: float, colour: str, stays: bool) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    middle = (x0 + x1) / 2
    corners = [
        (x0, a), (middle, a), (middle, b), (x1, b),
        (x1, b + height), (middle, b + height), (middle, a + height), (x0, a + height), (x0, a),
    ]  # fmt: skip
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    return PathPatch(Path(corners, codes), fc=colour, alpha=0.28 if stays else 0.6, lw=0)


def _blocks(
    panel: Any, column: int, heights: Sequence[float], tops: Sequence[float], names: Sequence[str], last: bool
) -> None:
    from matplotlib.patches import Rectangle

    for label, (height, top) in enumerate(zip(heights, tops, strict=True)):
        if not height:
            continue
        colour = plot.CLASSES[label % len(plot.CLASSES)]
        panel.add_patch(Rectangle((column - WIDTH / 2, top), WIDTH, height, fc=colour, lw=0))
        if height > 0.02:
            shade = "black" if label in PALE else "white"
            panel.text(column, top + height / 2, names[label], color=shade, ha="center", va="center", fontsize=7)
        if last:
            share = f"{names[label]}  {100 * height:.0f} %"
            panel.text(column + WIDTH, top + height / 2, share, va="center", fontsize=7)


ACROSS, MOST = 12, 60  # pictures in a row, and on the sheet


def collapse_figure(x: Tensor, same: float, title: str) -> Any:
    """Pictures with their number of samples below, the most frequent first. x: (B, C, H, W); same: as in `linked`."""
    found = largest(x, same)[:MOST]
    down = -(-len(found) // ACROSS)
    drawing = plot.figure(0.62 * ACROSS + 0.2, 0.8 * down + 0.4, title)
    panel = drawing.subplots()
    for place, (sample, count) in enumerate(found):
        row, column = divmod(place, ACROSS)
        picture = x[sample].permute(1, 2, 0).squeeze(-1).clamp(0, 1).numpy()
        sides = (column + 0.04, column + 0.96, 1.28 * row + 0.92, 1.28 * row)
        panel.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=sides, interpolation="nearest")
        panel.text(column + 0.5, 1.28 * row + 0.96, str(count), ha="center", va="top", fontsize=7)
    panel.set_xlim(0, ACROSS)
    panel.set_ylim(1.28 * down, 0)
    panel.set_axis_off()
    return drawing


def largest(x: Tensor, same: float) -> list[tuple[int, int]]:
    """The pictures by how many samples they have: (the first of these samples, how many), most frequent first."""
    labels = linked(x, same)
    counts = labels.bincount().tolist()
    first = {label: place for place, label in reversed(list(enumerate(labels.tolist())))}
    return sorted(((first[label], count) for label, count in enumerate(counts)), key=lambda it: (-it[1], it[0]))


SEQUENCE = (1, *range(5, 14), 300)  # runs that a sequence shows


def states(k: Kaleidoscope, data: Tensor, samples: int = 36, runs: tuple[int, ...] = SEQUENCE) -> dict[str, Tensor]:
    """Panels of `sequence_figure`: training images as recovered, and samples after some runs.

    data: uint8 (N, C, H, W), of which some are recovered. Each panel (samples, C, H, W), by its title.
    """
    rows = torch.arange(samples) * len(data) // samples
    x = data[rows].to(next(k.model.parameters()).device).float() / 255
    with torch.no_grad():
        found = {"training images, recovered": k.model.reconstruct(x).cpu()}
    runs = (*(run for run in runs if run < k.runs), k.runs)
    after = kept(stream(k, range(samples)), runs)
    return found | {f"run {run}": state for run, state in zip(runs, after, strict=True)}


def sequence_figure(found: Mapping[str, Tensor], title: str, *, across: int = 4, scale: int = 2) -> Any:
    """Panels of square grids, so many across, one per name; the cells are in the same place throughout."""
    side = max(1, round(len(next(iter(found.values()))) ** 0.5))
    grids = {name: plot.grid(x, side, scale=scale, gap=scale, margin=scale, ground=0.35) for name, x in found.items()}
    sheet = next(iter(grids.values()))
    down, dpi = -(-len(grids) // across), 150
    width, height = (sheet.width + 16) * across / dpi, (sheet.height + 46) * down / dpi + 0.35
    drawing = plot.figure(width, height, title, dpi)
    panels = list(drawing.subplots(down, across, squeeze=False).flat)
    for panel, (name, cells) in zip(panels, grids.items(), strict=False):
        panel.imshow(cells, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set_title(name, fontsize=8, loc="left")
    for panel in panels:
        panel.set_axis_off()
    return drawing
