"""Divergence against coherence: every operator on every data set, as a picture and a table.

The survey's trade-off: the more a model diverges, the less of what it draws is anything. An Evaluator measures both by
a judge, so that machines of every kind, and edits of every kind, have their place on one picture, and noise has too.
"""

import argparse
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from .. import data, hub, plot
from ..config import DIGITS
from ..diverge import Snapshot, class_direction, feedback, fine_tune, fitted, follow
from ..index import fetch, of_kind, read_index, strict_json
from ..metrics.classifier import Eye, columns, count_by_max
from ..metrics.distance import diversity
from ..metrics.image import as_float
from ..metrics.stats import Interval, interval
from ..runs import to_json, write
from ..seeds import Noise
from . import operators
from .operators import drawn

Seeds = Sequence[int]
Row = Mapping[str, Any]
ABOUT = ("way", "kind", "touches", "training", "data")
LANDMARK = "landmark"
KINDS = {
    "system": "The three systems",
    "activations": "Activations bent",
    "weights": "Weights changed",
    "output": "Codes searched, models chained",
    "training": "Trained to diverge",
}
"""The rows of the picture, by what a way touches."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#882255")  # Okabe and Ito's
CONTEXT = "#DDDDDD"
NAME: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8.5, "zorder": 3}
TOLD = """A line is a way out of the data, from weak (small dot) to strong (large); crosses: 95 % intervals over seeds.
1 on the horizontal axis is as near to real pictures as unseen real ones are. Dotted: how sure the judge is of noise."""
HEAD: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("How far out, and how much of it is still something", 0.1, {"fontsize": 13, "fontweight": "bold"}),
    (TOLD, 0.37, {"fontsize": 8.5, "color": "#444444"}),
)


@dataclass(frozen=True, eq=False)
class Way:
    """A way out: rows(seeds) are its pictures, (B, C, H, W) in [0, 1], one row for each strength, one picture a seed.

    kind: one of KINDS, or LANDMARK for a place on the map that no strength leads to. touches: what it acts on, "data",
    "loss", "activations", "weights", "codes" or "output". training, data: whether it needs any.
    """

    name: str
    kind: str
    rows: Callable[[Seeds], Iterable[Tensor]]
    strengths: Sequence[float]
    touches: str = ""
    training: bool = False
    data: bool = False

    def says(self) -> dict[str, Any]:
        """All of it that is plain JSON, and the same at every strength."""
        return {"way": self.name, **{name: getattr(self, name) for name in ABOUT[1:]}}


NEAREST = 5  # real images that a distance is to
EVALUATED = {
    "divergence": "how far from real pictures; 1 is as far as unseen real ones are",
    "coherence": "probability of the class that the judge holds for likeliest, averaged over the pictures",
    "reconstruction_distance": "norm of what an autoencoder of the data changes in a picture",
    "out_of_class_share": "share of pictures that the judge surely takes for a class that is not of the data",
    "diversity": "mean distance between two pictures: 0 if all are equal",
}
"""What each number of an Evaluator says."""


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Divergence against coherence: (B, C, H, W) in [0, 1] -> the numbers of EVALUATED; None where one does not apply.

    Divergence is the distance to the nearest real images between features of length 1: blur and ink change the length
    of features, other shapes their direction. In pixels, or without scaling, a blank image would be a common one.
    Coherence is the classifier's confidence; it is confident of noise too, which has to be measured beside.

    known: features of real images, of length 1, (N, d); unit: the distance of unseen real images from them. others:
    columns of the classes that the data lack. reconstruct: by an autoencoder of the data.
    """

    classifier: Eye
    known: Tensor
    unit: float = 1.0
    others: Sequence[int] = ()
    reconstruct: Callable[[Tensor], Tensor] | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor) -> dict[str, float | None]:
        x = fitted(as_float(x), self.classifier.image_shape)
        p = self.classifier.probabilities(x)
        away = x - self.reconstruct(x) if self.reconstruct else None
        numbers = {
            "divergence": self.distance(x) / self.unit,
            "coherence": p.amax(1).mean().item(),
            "reconstruction_distance": None if away is None else away.flatten(1).norm(dim=1).mean().item(),
            "out_of_class_share": count_by_max(p, self.others) if self.others else None,
            "diversity": diversity(x),
        }
        return {name: None if value is None else round(value, 4) for name, value in numbers.items()}

    @torch.no_grad()
    def distance(self, x: Tensor) -> float:
        """The mean distance of images of the classifier's size to the nearest of the known ones."""
        away = torch.cdist(normalize(self.classifier.features(x), dim=1), self.known)
        return float(away.topk(NEAREST, largest=False).values.mean())


def evaluator(
    classifier: Eye,
    images: Tensor,
    classes: Collection[str] | None = None,
    reconstruct: Callable[[Tensor], Tensor] | None = None,
) -> Evaluator:
    """An Evaluator by real images (N, C, H, W): every second is known, and the distance of the others is its unit.

    classes: of the classifier, those of the data; None: all. Raises ValueError for fewer than 20 images, or for a class
    that the classifier does not have.
    """
    if len(images) < 20:
        raise ValueError(f"{len(images)} real pictures are too few to measure by: give 20 or more")
    every = classifier.config.classes
    own = columns(every, every if classes is None else classes)
    real = fitted(as_float(images), classifier.image_shape)
    with torch.no_grad():
        known = normalize(classifier.features(real[::2]), dim=1)
    unit = Evaluator(classifier, known).distance(real[1::2])
    return Evaluator(classifier, known, unit, [at for at in range(len(every)) if at not in own], reconstruct)


def measured(ways: Iterable[Way], by: Evaluator, groups: Sequence[Seeds]) -> Iterator[dict[str, Any]]:
    """One row per way, strength and group of seeds, as plain JSON values, as they are found.

    Raises ValueError for a way that has another number of rows than of strengths.
    """
    for way in ways:
        for number, seeds in enumerate(groups):
            rows = list(way.rows(seeds))
            if len(rows) != len(way.strengths):
                raise ValueError(f"{way.name} has {len(rows)} rows and {len(way.strengths)} strengths: give as many")
            for strength, x in zip(way.strengths, rows, strict=True):
                yield {**way.says(), "group": number, "strength": strength, **by(x)}


def landmarks(images: Tensor) -> list[Way]:
    """Places to find one's way by: unseen real pictures, of (N, C, H, W), a blank one, and noise."""
    unseen = as_float(images[1::2])
    shape = tuple(images.shape[1:])
    places: dict[str, Callable[[Seeds], list[Tensor]]] = {
        "real": lambda seeds: [unseen[Noise(seeds).rand(1).mul(len(unseen)).long().flatten()]],
        "blank": lambda seeds: [torch.zeros(len(seeds), *shape)],
        "noise": lambda seeds: [Noise(seeds).rand(*shape)],
    }
    return [Way(name, LANDMARK, place, [0]) for name, place in places.items()]


def trained_curves(name: str, snapshots: Iterable[Snapshot], touches: str = "loss", *, data: bool = False) -> Way:
    """What a learner leaves behind as a way, its steps the strengths."""
    kept = list(snapshots)
    steps = [snapshot.step for snapshot in kept]
    return Way(name, "training", lambda seeds: (drawn(each.model, seeds) for each in kept), steps, touches, True, data)


def way_curves(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Each way as a curve: what it says of itself, and points in the order of its strengths.

    A point is a strength, and of each measure the 95 % interval over the groups, or None where there is no such number.
    """
    found: dict[tuple[Any, ...], dict[float, list[Row]]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in ABOUT), {}).setdefault(row["strength"], []).append(row)
    return [
        {
            **dict(zip(ABOUT, about, strict=True)),
            "points": [_point(strength, some) for strength, some in points.items()],
        }
        for about, points in found.items()
    ]


def _point(strength: float, rows: Sequence[Row]) -> dict[str, Any]:
    return {"strength": strength} | {
        name: _interval([row[name] for row in rows]) for name in EVALUATED if name in rows[0]
    }


def _interval(values: Sequence[float | None]) -> Interval | None:
    there = [value for value in values if value is not None]
    return interval(there) if there else None


def figure(found: Mapping[str, Sequence[Row]]) -> Any:
    """The picture, a matplotlib figure 900 pixels wide: a column for each data set, a row for each kind of way.

    found: `curves` by the name of the data. Raises ValueError if there are none.
    """
    from matplotlib.figure import Figure

    kinds = [kind for kind in KINDS if any(curve["kind"] == kind for own in found.values() for curve in own)]
    if not kinds:
        raise ValueError("there are no curves to draw: measure a way first")
    height = 1.57 + 2.1 * len(kinds)  # inches: HEAD above, and the axis' name below
    drawing = Figure(figsize=(9, height), dpi=100, facecolor="white")
    panels = drawing.subplots(len(kinds), len(found), sharex=True, sharey="col", squeeze=False)
    drawing.subplots_adjust(0.075, 0.55 / height, 0.995, 1 - 1.27 / height, 0.1, 0.2)
    for words, down, look in HEAD:
        drawing.text(0.012, 1 - down / height, words, va="top", **look)
    _frame(panels, found)
    for kind, line in zip(kinds, panels, strict=True):
        for panel, own in zip(line, found.values(), strict=True):
            _panel(panel, own, kind)
    drawing.text(0.53, 0.1 / height, "divergence: how far from real pictures", fontsize=9.5, ha="center")
    drawing.text(0.008, 0.5, "coherence: how sure the judge is", fontsize=9.5, va="center", rotation=90)
    for panel in panels.flat:
        _spread(panel)
    return drawing


def _frame(panels: Any, found: Mapping[str, Sequence[Row]]) -> None:
    reach = [point["divergence"]["mean"] for own in found.values() for curve in own for point in curve["points"]]
    low, high = min(reach), max(reach)
    panels[0, 0].set_xlim(low - 0.13 * (high - low), high + 0.34 * (high - low))  # room for names
    for panel, name in zip(panels[0], found, strict=True):
        panel.text(0, 1.19, name, transform=panel.transAxes, fontsize=11, fontweight="bold")
    for panel in panels.flat:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8, length=2)


def _panel(panel: Any, found: Sequence[Row], kind: str) -> None:
    """The ways of one kind in colour, all others behind them in grey, and the landmarks."""
    panel.set_title(KINDS[kind], fontsize=9.5, loc="left", pad=4)
    for curve in found:
        x, y = _of(curve, "mean")
        if curve["kind"] == LANDMARK:
            panel.plot(x, y, marker="+", ms=8, color="#666666", zorder=2)
            panel.annotate(
                curve["way"], (x[0], y[0]), (-6, 0), **{**NAME, "zorder": 1}, ha="right", va="center", color="#888888"
            )
            if curve["way"] == "noise":
                panel.axhline(y[0], lw=0.8, ls=":", color="#888888", zorder=0)
        elif curve["kind"] != kind:
            panel.plot(x, y, color=CONTEXT, lw=0.9, zorder=1)
    for curve, colour in zip((curve for curve in found if curve["kind"] == kind), cycle(COLOURS), strict=False):
        _curve(panel, curve, colour)


def _curve(panel: Any, curve: Row, colour: str) -> None:
    """A line from weak to strong, its dots growing, crosses for the intervals, and its name at its end."""
    from matplotlib.patheffects import withStroke

    (x, y), (right, top) = _of(curve, "mean"), _of(curve, "high")
    across, up = ([b - a for a, b in zip(*pair, strict=True)] for pair in ((x, right), (y, top)))
    panel.errorbar(x, y, up, across, color=colour, lw=1.6, elinewidth=0.7, zorder=4)
    panel.scatter(x, y, [9 + 32 * place / max(1, len(x) - 1) for place in range(len(x))], color=colour, lw=0, zorder=5)
    line = {"arrowstyle": "-", "lw": 0.5, "color": colour, "shrinkA": 0, "shrinkB": 3}
    name = panel.annotate(curve["way"], (x[-1], y[-1]), (9, 0), **NAME, color=colour, va="center", arrowprops=line)
    name.set_path_effects([withStroke(linewidth=2, foreground="white")])
    if name.get_window_extent().x1 > panel.bbox.x1:  # it would reach over the edge
        name.set(ha="right", position=(-9, 0))


def _of(curve: Row, end: str) -> list[list[float]]:
    """The means of its points, or an end of their intervals, across and up; of one group alone there is only a mean."""
    axes = ([point[axis] for point in curve["points"]] for axis in ("divergence", "coherence"))
    return [[found["mean"] if found[end] is None else found[end] for found in axis] for axis in axes]


def _spread(panel: Any, apart: float = 11.0) -> None:
    """Move names up and down until none lies on another, in points; a thin line still leads to the curve's end."""
    from matplotlib.text import Annotation

    to_points = 72 / panel.figure.dpi
    texts = [text for text in panel.texts if isinstance(text, Annotation) and text.arrow_patch]
    ends = {text: panel.transData.transform(text.xy)[1] * to_points for text in texts}
    names = sorted(ends, key=lambda text: ends[text])
    floor, ceiling = (to_points * edge for edge in (panel.bbox.y0 + 8, panel.bbox.y1 - 4))
    for name, place in zip(names, apart_by([ends[name] for name in names], apart, floor, ceiling), strict=True):
        name.set_position((9, place - ends[name]))


def apart_by(places: Sequence[float], apart: float, floor: float, ceiling: float) -> list[float]:
    """Rising places, moved as little as it takes to be so far apart from each other, between floor and ceiling."""

    def first(block: Sequence[float]) -> float:  # where the lowest of a block goes, so that its mean stays
        return max(
            floor, min(sum(block) / len(block) - (len(block) - 1) * apart / 2, ceiling - (len(block) - 1) * apart)
        )

    blocks: list[list[float]] = []  # of names that touch
    for place in places:
        blocks.append([place])
        while len(blocks) > 1 and first(blocks[-2]) + len(blocks[-2]) * apart > first(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [first(block) + number * apart for block in blocks for number in range(len(block))]


EPILOG = """examples:
  python -m toolkit trade-off --out trade_off                        the picture, .json, and the table, .md
  python -m toolkit trade-off --out trade_off --images 16 --groups 2     a quick look
It needs the shipped checkpoints and the built-in samples, and no download."""


@dataclass(frozen=True)
class Subject:
    """A data set, what learned it, and who judges. steer: from which class of the judge to which; write: which classes.

    classes: of the judge, those of the data; None: all. run: an experiment of iterated learning, if there is one.
    """

    title: str
    sample: str
    other: str
    decoder: str
    kaleidoscope: str
    judge: str
    steer: tuple[str, str]
    write: tuple[int, int]
    classes: tuple[str, ...] | None = None
    run: str | None = None


SUBJECTS = [
    Subject(
        "MNIST: digits", "sample:mnist", "sample:fashion", "creative-mnist", "kaleidoscope-mnist",
        "judge-digits-letters", ("1", "A"), (1, 0), DIGITS, "fig2",
    ),
    Subject(
        "FashionMNIST: clothes", "sample:fashion", "sample:mnist", "creative-fashion", "kaleidoscope-fashion",
        "judge-fashion", ("shirt", "bag"), (1, 8), run="fig2-fashion",
    ),
]  # fmt: skip
HERE = ("adversarial", "fine-tuning", "feedback", "external knowledge")  # no way out, or trained here anew
ITERATIONS = (1, 2, 5, 10, 20)
GAINS, NEURONS, RUNS, STIRRINGS = (0.0, 0.5, 1.0, 2.0, 4.0), (1, 5, 15, 50), (1, 3, 10, 30, 100), (0.0, 0.03, 0.1, 0.3)
STEPS, ROUNDS, LED = [0, 10, 25, 50, 100, 200], [0, 1, 2, 4], [0, 10, 25, 50, 100]


def trade_off(args: argparse.Namespace) -> object:
    """Every way out of the data as a curve over its strength: divergence against coherence, as a picture and JSON."""
    if min(args.images, args.groups) < 2:
        raise ValueError(f"--images {args.images}, --groups {args.groups}: give two or more of each")
    start = args.seed or 0
    groups = [range(start + g * args.images, start + (g + 1) * args.images) for g in range(args.groups)]
    found = {}
    for subject in SUBJECTS:
        images, judge = data.load(subject.sample).images, hub.load_classifier(args.source, subject.judge)
        out = [*landmarks(images), *ways(args.source, subject, start)]
        by = evaluator(judge, images, subject.classes, hub.load_decoder(args.source, subject.decoder).model.reconstruct)
        rows = list[dict[str, Any]]()
        for way in tqdm(out, subject.title, disable=args.json, unit="way"):
            rows += measured([way], by, groups)
        found[subject.title] = rows
    curves = {title: way_curves(rows) for title, rows in found.items()}
    said = {"images": args.images, "groups": args.groups, "seed": start, "measures": EVALUATED, "curves": curves}
    write(args.out.with_suffix(".json"), to_json(said))
    write(args.out.with_suffix(".png"), plot.figure_png(figure(curves)))
    tables = [f"## {title}\n\n{table(own)}\n" for title, own in curves.items()]
    write(args.out.with_suffix(".md"), "\n".join(tables).encode())
    return {"picture": str(args.out.with_suffix(".png")), "ways": {title: len(own) for title, own in curves.items()}}


def ways(source: str, subject: Subject, seed: int = 0) -> Iterator[Way]:
    """Every way there is for what learned one data set."""
    trained = hub.load_decoder(source, subject.decoder)
    k = hub.load_kaleidoscope(source, subject.kaleidoscope)
    others = data.load(subject.other).images
    yield from _systems(source, subject, trained, k)
    tuned = list(fine_tune(trained.model, others, STEPS, seed=seed))
    yield from _operators(source, subject, trained.model, tuned[-1].model, k.model)
    yield trained_curves("fine-tuning", tuned, "data", data=True)
    fed = feedback(tuned[3].model, ROUNDS, count=500, steps=30, rate=0.3, seed=seed)
    yield trained_curves("feedback", fed, "data")
    judge = hub.load_classifier(source, subject.judge)
    led = follow(trained.model, judge.features, class_direction(judge, *subject.steer), LED, seed=seed)
    yield trained_curves(f"external knowledge, {subject.steer[0]} to {subject.steer[1]}", led)
    yield from _stored(source, subject)


def _stored(source: str, subject: Subject) -> Iterator[Way]:
    """What was trained to diverge and is stored, of models that this judge looks at."""
    index = read_index(source)
    for name in of_kind(index, "divergence"):
        entry = index["experiments"][name]
        said = strict_json(fetch(source, entry["config"]).read_bytes())["experiment"]
        if said["judge"] == subject.judge and said["method"] not in HERE:
            there = [each for each in entry["iterations"] if "file" in each]
            models = [hub.load(source, name, each["iteration"]) for each in there]
            steps = [int(each["metrics"]["step"]) for each in there]
            kept = map(Snapshot, steps, models, [{}] * len(steps))
            yield trained_curves(said["method"], kept, data=bool(said["data"]))


def _systems(source: str, subject: Subject, trained: Any, k: Any) -> Iterator[Way]:
    def decoded(seeds: Seeds, **change: Any) -> Tensor:
        return hub.decode(trained, seeds, replace(trained.how, **change)).images

    def runs(seeds: Seeds) -> list[Tensor]:
        states = list(islice(hub.stream(k, seeds), RUNS[-1] + 1))
        return [states[run] for run in RUNS]

    def stirred(seeds: Seeds) -> Iterator[Tensor]:
        streams = (hub.stream(k, seeds, perturbation=by) for by in STIRRINGS)
        return (next(islice(stream, 30, None)) for stream in streams)

    if subject.run:
        sampling = hub.sampling(source, subject.run)
        numbers = [number for number in _learned(source, subject.run) if number in ITERATIONS]
        models = [hub.load(source, subject.run, number) for number in numbers]
        grown = partial(_grown, models, sampling)
        yield Way("iterated learning", "system", grown, numbers, "data", training=True, data=True)
    gain = trained.how.gain
    for name, rows, strengths, touches in (
        ("creative decoder, gain", lambda s: [decoded(s, gain=gain * f) for f in GAINS], GAINS, "activations"),
        ("creative decoder, neurons", lambda s: [decoded(s, neurons=n) for n in NEURONS], NEURONS, "activations"),
        ("kaleidoscope, runs", runs, RUNS, "output"),
        ("kaleidoscope, stirring", stirred, STIRRINGS, "output"),
    ):
        yield Way(name, "system", rows, strengths, touches)


def _learned(source: str, run: str) -> list[int]:
    """The iterations of a run whose models there are."""
    return [entry["iteration"] for entry in read_index(source)["experiments"][run]["iterations"] if "file" in entry]


def _grown(models: Sequence[Any], sampling: Any, seeds: Seeds) -> Iterator[Tensor]:
    return (sampling.grown(model, seeds) for model in models)


def _operators(source: str, subject: Subject, vae: Any, tuned: Any, manifold: Any) -> Iterator[Way]:
    for edit in operators.BENDS["VAE"]:
        shares = (0.1, 0.25, 0.5, 1.0)
        yield _rows(edit.transform, "activations", partial(operators.bending, vae, edit=edit, strengths=shares), shares)
    judge = hub.load_classifier(source, subject.judge)
    one, other = subject.write
    few = (0.02, 0.05, 0.1, 0.3)
    yield _rows("blending", "weights", partial(operators.blending, vae, tuned), (0.25, 0.5, 0.75, 1.0, 1.5))
    yield _rows("blending by depth", "weights", partial(operators.ramping, vae, tuned), (0.25, 0.5, 0.75))
    for kind in ("flip", "swap"):
        yield _rows(f"glitch, {kind}", "weights", partial(operators.glitching, vae, kind=kind), few)
    rewritten = partial(
        operators.rewriting,
        vae,
        labels=lambda x: judge.probabilities(x).argmax(1),
        layer="decoder.3",
        one=one,
        other=other,
    )
    yield _rows("rewriting", "weights", rewritten, (0.5, 1.0, 2.0, 4.0))
    repainted = partial(operators.repainting, vae, paint=_bar, layer="decoder.6")
    yield _rows("repainting", "weights", repainted, (0.5, 1.0, 2.0, 4.0))
    if subject.run:
        last = [hub.load(source, subject.run, number) for number in _learned(source, subject.run)[-2:]]
        yield _rows("beyond the last iteration", "weights", partial(operators.beyond, last), (0.5, 1.0, 2.0, 4.0))
    yield _rows("chained to a kaleidoscope", "output", partial(operators.chaining, vae, manifold), (1, 3, 10, 30))
    search = partial(operators.searching, vae, features=vae.encode)
    yield _rows("novelty search", "output", search, (5, 15, 40), touches="codes")


def _rows(
    name: str, kind: str, rows: Callable[..., Any], strengths: tuple[float, ...], touches: str | None = None
) -> Way:
    """A way of `presets`: the untouched model, and then the strengths."""
    return Way(name, kind, lambda seeds: rows(seeds=seeds, strengths=strengths), (0, *strengths), touches or kind)


def _bar(x: Tensor) -> Tensor:
    """A bright bar painted across a picture."""
    painted = x.clone()
    painted[:, :, 12:16, 2:-2] = 1
    return painted


def declare(add: Callable[..., Any]) -> None:
    """What `trade-off` takes."""
    add("--from")
    add("--seed", help="of the first image (default: 0)")
    add("--images", type=int, default=64, help="in a group of seeds (default: 64)")
    add("--groups", type=int, default=5, help="of seeds, over which intervals are (default: 5)")
    add("--out", required=True, help="trade_off: .png, .json and .md are added")
    add("--json", help="no progress bars")


COMMANDS = {"trade-off": (trade_off, declare, EPILOG)}


TABLE_HEAD = ("operator", "acts on", "training", "data", "strengths")
COLUMNS = {
    "reconstruction_distance": "reconstruction distance",
    "coherence": "judge's confidence",
    "out_of_class_share": "out of class",
    "diversity": "diversity",
}
ALIGNED = "| --- | --- | --- | --- | --- |" + " ---: |" * len(COLUMNS)


def table(curves: Iterable[Row]) -> str:
    """Markdown: a row for each of `trade_off.curves` that is a way, with the numbers of three of its strengths."""
    rows = (_row(curve) for curve in curves if curve["kind"] != LANDMARK)
    return "\n".join([_line([*TABLE_HEAD, *COLUMNS.values()]), ALIGNED, *rows])


def _row(curve: Row) -> str:
    points = three(curve["points"])
    needs = ("yes" if curve[name] else "no" for name in ("training", "data"))
    strengths = ", ".join(f"{point['strength']:g}" for point in points)
    return _line([curve["way"], curve["touches"], *needs, strengths, *(_cell(points, name) for name in COLUMNS)])


def three(points: Sequence[Row]) -> list[Row]:
    """The weakest that does something, the middle one, and the strongest; of fewer, what there is."""
    doing = [point for point in points if point["strength"]] or list(points)
    return [doing[at] for at in sorted({0, len(doing) // 2, len(doing) - 1})]


def _cell(points: Sequence[Row], name: str) -> str:
    found = [point[name]["mean"] for point in points if point[name]]
    return ", ".join(f"{value:.2f}" for value in found) or "none"


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
