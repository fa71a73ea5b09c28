"""Divergence against coherence: every operator on every data set, as a picture and a table.

The survey's trade-off: the more a model diverges, the less of what it draws is anything. An Evaluator measures both
by a classifier, so that models and edits of every kind have their place on one picture, and noise has too.
"""

import argparse
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from tqdm import tqdm

from .. import data, diverge, hub, plot
from ..cli import arg, command
from ..config import DIGITS
from ..diverge import Edit
from ..diverge.weights import level_count
from ..index import fetch, of_kind, read_index, strict_json
from ..metrics.classifier import ImageClassifier, columns, count_by_max
from ..metrics.distance import diversity
from ..metrics.image import as_float
from ..metrics.stats import interval
from ..plot import markdown_table
from ..runs import write
from ..samplers.generate import generates
from ..samplers.iterate import iterate
from ..seeds import Noise, child

Seeds = Sequence[int]
Rows = list[Tensor]  # pictures (B, C, H, W) in [0, 1] of the same seeds: untouched, then a row for each strength

# Operators that need no training. Each function documents its strength.

PASSES = 10  # reconstructions, where a model makes its pictures out of noise
BENDS = [  # edits of a VAE worth a look, chosen by eye
    Edit("decoder.1", "threshold", 0.02), Edit("decoder.1", "invert", strength=0.3), Edit("decoder.1", "ablate"),
    Edit("decoder.1", "multiply", -1.5), Edit("decoder.1", "noise", 5.0),
]  # fmt: skip


def drawn(model: Any, seeds: Seeds, passes: int = PASSES) -> Tensor:
    """A model's pictures, one per seed: decoded from the prior, or reconstructed out of noise."""
    if generates(model):
        return model.sample(Noise(seeds))
    return _nth(iterate(model.reconstruct, Noise(seeds).rand(*model.image_shape)), passes)


def bending(model: Any, seeds: Seeds, edit: Edit, strengths: Sequence[float], *, passes: int = 2) -> Rows:
    """Strength: the share of the layer's channels. passes: how many are bent, after PASSES that are not, from noise."""
    before = drawn(model, seeds)

    def bent(share: float) -> Tensor:
        with diverge.bend(model, replace(edit, channels="random", share=share), seeds=seeds):
            return model.sample(Noise(seeds)) if generates(model) else _nth(iterate(model.reconstruct, before), passes)

    return [before, *map(bent, strengths)]


def blending(parent: nn.Module, other: nn.Module, seeds: Seeds, strengths: Sequence[float]) -> Rows:
    """Strength: the weight of the other model, over 1 beyond it."""
    return [drawn(diverge.blend(parent, other, weight), seeds) for weight in (0.0, *strengths)]


def ramping(parent: nn.Module, other: nn.Module, seeds: Seeds, strengths: Sequence[float]) -> Rows:
    """Strength: the share of the depth, from the output down, that is the other's, on a ramp two levels wide."""
    levels = level_count(parent)
    weights = [diverge.ramp(levels, (1 - share) * levels, 2.0) for share in strengths]
    return [drawn(parent, seeds), *(drawn(diverge.blend(parent, other, each), seeds) for each in weights)]


def beyond(models: Sequence[nn.Module], seeds: Seeds, strengths: Sequence[float]) -> Rows:
    """Strength: how many iterations beyond the last of a run, on the line from the last but one."""
    return [drawn(diverge.along(models, len(models) + further), seeds) for further in (0.0, *strengths)]


def glitching(model: Any, seeds: Seeds, kind: str, strengths: Sequence[float]) -> Rows:
    """Strength: the share of the weights, or filters, of each layer. A VAE bears ten times what the others do."""

    def altered(share: float) -> Tensor:
        with diverge.glitch(model, diverge.Glitch(kind, share)):
            return drawn(model, seeds)

    return [altered(share) for share in (0.0, *strengths)]


def chaining(first: Any, other: Any, seeds: Seeds, strengths: Sequence[int]) -> Rows:
    """Strength: how often the other model reconstructs what the first drew. All in the first one's size."""
    before = drawn(first, seeds)
    chained = (next(diverge.chain([other], before, passes=passes)) for passes in strengths)
    return [before, *(diverge.fitted(x, first.image_shape) for x in chained)]


def rewriting(
    model: Any, seeds: Seeds, labels: Callable[[Tensor], Tensor], strengths: Sequence[float], *, layer: str, one: int,
    other: int,
) -> Rows:  # fmt: skip
    """Strength: of one association, in closed form: for pictures of one class a layer gives the output for another.

    labels: images -> classes (B,). Raises ValueError if of the 500 pictures that it looks at none is of a class, or for
    a convolutional layer.
    """
    codes = _codes(model, (child(0, "rewriting", place) for place in range(500)))
    found = diverge.keys(model, layer, lambda model: model.decode(codes))
    if len(found) != len(codes):
        each = len(found) // len(codes)
        raise ValueError(f"layer {layer} has {each} keys a picture, for its places: choose one that is fully connected")
    classes = labels(model.decode(codes))
    mine, yours = found[classes == one], found[classes == other]
    if not len(mine) or not len(yours):
        raise ValueError(f"{len(mine)} pictures of class {one}, {len(yours)} of {other}: choose classes that it draws")
    value = diverge.matrix(model, layer) @ yours.mean(0)
    rewritten = diverge.write(model, layer, mine.mean(0), value, diverge.second_moment(found))
    return blending(model, rewritten, seeds, strengths)


def repainting(
    model: Any, seeds: Seeds, paint: Callable[[Tensor], Tensor], strengths: Sequence[float], *, layer: str
) -> Rows:
    """Strength: of a change by gradient. The first picture is painted over, (1, C, H, W) -> same, and learned."""
    code = _codes(model, seeds[:1])
    kept = _codes(model, (child(0, "repainting", place) for place in range(100)))
    learned = diverge.repaint(model, layer, code, paint(model.decode(code)), kept=kept, lr=3e-3)
    return blending(model, learned, seeds, strengths)


def searching(model: Any, seeds: Seeds, features: Callable[[Tensor], Tensor], strengths: Sequence[int]) -> Rows:
    """Strength: the generations of a novelty search that starts from the seeds; a row is its population."""
    first = Noise(seeds).randn(*model.code_shape)
    search = diverge.novelty_search(first, model.decode, features, None, diverge.Search(population=len(seeds)))
    codes = [generation.codes for generation in islice(search, max(strengths) + 1)]
    return [model.decode(codes[number]) for number in (0, *strengths)]


def _codes(model: Any, seeds: Iterable[int]) -> Tensor:
    """One from the prior for each seed, where the model is."""
    codes: Tensor = Noise(seeds).randn(*model.code_shape)
    return codes.to(next(model.parameters()).device)


def _nth(stream: Iterator[Tensor], number: int) -> Tensor:
    with torch.no_grad():
        return next(islice(stream, number, None))


# Divergence and coherence of a set of pictures.

NEAREST = 5  # real images that a distance is to
EVALUATED = {  # what each number of an Evaluator is
    "divergence": "how far from real pictures; 1 is as far as unseen real ones are",
    "coherence": "probability of the class that the classifier holds for likeliest, averaged over the pictures",
    "reconstruction_distance": "norm of what an autoencoder of the data changes in a picture",
    "out_of_class_share": "share of pictures that the classifier surely takes for a class that is not of the data",
    "diversity": "mean distance between two pictures: 0 if all are equal",
}


class Evaluator:
    """Divergence against coherence: (B, C, H, W) in [0, 1] -> the numbers of EVALUATED; None where one does not apply.

    Divergence is the distance to the nearest real images between features of length 1: blur and ink change the length
    of features, other shapes their direction. In pixels, or without scaling, a blank image would be a common one. Its
    unit is the distance between the two halves of the real images. Coherence is the classifier's confidence; it is
    confident of noise too, which has to be measured beside.
    """

    def __init__(
        self,
        classifier: ImageClassifier,
        images: Tensor,
        classes: Collection[str] | None = None,
        reconstruct: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """images: real ones, (N, C, H, W). classes: of the classifier, those of the data; None: all.

        reconstruct: by an autoencoder of the data. Raises ValueError for fewer than 20 images, or for a class that the
        classifier does not have.
        """
        if len(images) < 20:
            raise ValueError(f"{len(images)} real pictures are too few to measure by: give 20 or more")
        every = classifier.config.classes
        own = columns(every, every if classes is None else classes)
        self.others = [at for at in range(len(every)) if at not in own]
        self.classifier, self.reconstruct = classifier, reconstruct
        real = diverge.fitted(as_float(images), classifier.image_shape)
        self.known = self.features(real[::2])  # (N, d)
        self.unit = self.distance(real[1::2])

    @torch.no_grad()
    def __call__(self, x: Tensor) -> dict[str, float | None]:
        x = diverge.fitted(as_float(x), self.classifier.image_shape)
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
    def features(self, x: Tensor) -> Tensor:
        """Of length 1: images of the classifier's size -> (B, d)."""
        return normalize(self.classifier.features(x), dim=1)

    def distance(self, x: Tensor) -> float:
        """The mean distance of images of the classifier's size to the nearest of the known ones."""
        away = torch.cdist(self.features(x), self.known)
        return float(away.topk(NEAREST, largest=False).values.mean())


# Methods at rising strengths, measured.

Row = Mapping[str, Any]
ABOUT = ("way", "kind", "touches", "training", "data")
LANDMARK = "landmark"
KINDS = {  # the rows of the picture, by what a method acts on
    "system": "The three systems",
    "activations": "Activations bent",
    "weights": "Weights changed",
    "output": "Codes searched, models chained",
    "training": "Trained to diverge",
}


@dataclass(frozen=True, eq=False)
class Method:
    """A method of divergence: rows(seeds) are its pictures, (B, C, H, W) in [0, 1], a row for each strength.

    kind: one of KINDS, or LANDMARK for a place on the map that no strength leads to. touches: what it acts on, "data",
    "loss", "activations", "weights", "codes" or "output". training, data: whether it needs any.
    """

    way: str
    kind: str
    rows: Callable[[Seeds], Iterable[Tensor]]
    strengths: Sequence[float]
    touches: str = ""
    training: bool = False
    data: bool = False


def measured(methods: Iterable[Method], by: Evaluator, groups: Sequence[Seeds]) -> Iterator[dict[str, Any]]:
    """One row per method, strength and group of seeds, as plain JSON values, as they are found.

    Raises ValueError for a method that has another number of rows than of strengths.
    """
    for method in methods:
        about = {name: getattr(method, name) for name in ABOUT}
        for number, seeds in enumerate(groups):
            rows = list(method.rows(seeds))
            if len(rows) != len(method.strengths):
                count = f"{len(rows)} rows and {len(method.strengths)} strengths"
                raise ValueError(f"{method.way} has {count}: give as many")
            for strength, x in zip(method.strengths, rows, strict=True):
                yield {**about, "group": number, "strength": strength, **by(x)}


def curves(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Each method as a curve: what it is, and points in the order of its strengths.

    A point is a strength, and of each measure the 95 % interval over the groups, or None where there is no such number.
    """
    found: dict[tuple[Any, ...], dict[float, list[Row]]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in ABOUT), {}).setdefault(row["strength"], []).append(row)
    return [
        {
            **dict(zip(ABOUT, about, strict=True)),
            "points": [
                {"strength": strength}
                | {
                    name: interval(values) if (values := [row[name] for row in some if row[name] is not None]) else None
                    for name in EVALUATED
                    if name in some[0]
                }
                for strength, some in points.items()
            ],
        }
        for about, points in found.items()
    ]


def landmarks(images: Tensor) -> list[Method]:
    """What methods are compared with: unseen real pictures, of (N, C, H, W), a blank one, and noise."""
    unseen, shape = as_float(images[1::2]), tuple(images.shape[1:])
    places: dict[str, Callable[[Seeds], Rows]] = {
        "real": lambda seeds: [unseen[Noise(seeds).rand(1).mul(len(unseen)).long().flatten()]],
        "blank": lambda seeds: [torch.zeros(len(seeds), *shape)],
        "noise": lambda seeds: [Noise(seeds).rand(*shape)],
    }
    return [Method(name, LANDMARK, place, [0]) for name, place in places.items()]


def trained(name: str, snapshots: Iterable[diverge.Snapshot], touches: str = "loss", *, data: bool = False) -> Method:
    """The snapshots of a training as a method, its steps the strengths."""
    kept = list(snapshots)
    steps = [snapshot.step for snapshot in kept]
    rows = partial(lambda kept, seeds: (drawn(each.model, seeds) for each in kept), kept)
    return Method(name, "training", rows, steps, touches, True, data)


# All methods, of the shipped models.


@dataclass(frozen=True)
class Subject:
    """A data set, models of it, and a classifier. steer: from which class to which; write: which classes.

    classes: of the classifier, those of the data; None: all. run: an experiment of iterated learning, if there is one.
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
HERE = ("adversarial", "fine-tuning", "feedback", "external knowledge")  # the data themselves, or trained anew
ITERATIONS = (1, 2, 5, 10, 20)
GAINS, NEURONS, RUNS, AMOUNTS = (0.0, 0.5, 1.0, 2.0, 4.0), (1, 5, 15, 50), (1, 3, 10, 30, 100), (0.0, 0.03, 0.1, 0.3)
STEPS, ROUNDS, LED = [0, 10, 25, 50, 100, 200], [0, 1, 2, 4], [0, 10, 25, 50, 100]


def methods(source: str, subject: Subject, seed: int = 0) -> Iterator[Method]:
    """Every method that there is for the models of one data set."""
    decoder = hub.load_decoder(source, subject.decoder)
    k = hub.load_kaleidoscope(source, subject.kaleidoscope)
    classifier = hub.load_classifier(source, subject.judge)
    others = data.load(subject.other).images
    yield from _systems(source, subject, decoder, k)
    tuned = list(diverge.fine_tune(decoder.model, others, STEPS, seed=seed))
    yield from _operators(source, subject, decoder.model, tuned[-1].model, k.model, classifier)
    yield trained("fine-tuning", tuned, "data", data=True)
    yield trained(
        "feedback", diverge.feedback(tuned[3].model, ROUNDS, count=500, steps=30, rate=0.3, seed=seed), "data"
    )
    direction = diverge.class_direction(classifier, *subject.steer)
    led = diverge.follow(decoder.model, classifier.features, direction, LED, seed=seed)
    yield trained(f"external knowledge, {subject.steer[0]} to {subject.steer[1]}", led)
    yield from _stored(source, subject)


def _systems(source: str, subject: Subject, decoder: hub.Trained, k: hub.Kaleidoscope) -> Iterator[Method]:
    def decoded(seeds: Seeds, name: str, values: Sequence[Any]) -> Rows:
        return [hub.decode(decoder, seeds, replace(decoder.how, **{name: value})).images for value in values]

    def runs(seeds: Seeds) -> Rows:
        states = list(islice(hub.stream(k, seeds), RUNS[-1] + 1))
        return [states[run] for run in RUNS]

    def perturbed(seeds: Seeds) -> Rows:
        return [_nth(hub.stream(k, seeds, perturbation=amount), 30) for amount in AMOUNTS]

    if subject.run:
        sampling = hub.sampling(source, subject.run)
        numbers = [number for number in _iterations(source, subject.run) if number in ITERATIONS]
        models = [hub.load(source, subject.run, number) for number in numbers]
        rows = partial(lambda models, seeds: (sampling.sample(model, seeds) for model in models), models)
        yield Method("iterated learning", "system", rows, numbers, "data", training=True, data=True)
    gains = [decoder.how.gain * factor for factor in GAINS]
    for name, values, strengths in (("gain", gains, GAINS), ("neurons", NEURONS, NEURONS)):
        decode = partial(decoded, name=name, values=values)
        yield Method(f"creative decoder, {name}", "system", decode, strengths, "activations")
    yield Method("kaleidoscope, runs", "system", runs, RUNS, "output")
    yield Method("kaleidoscope, stirring", "system", perturbed, AMOUNTS, "output")


def _iterations(source: str, run: str) -> list[int]:
    """The iterations of a run whose models there are."""
    return [entry["iteration"] for entry in read_index(source)["experiments"][run]["iterations"] if "file" in entry]


def _operators(source: str, subject: Subject, vae: Any, tuned: Any, manifold: Any, classifier: Any) -> Iterator[Method]:
    def at(name: str, kind: str, rows: Callable[..., Any], *strengths: float, touches: str | None = None) -> Method:
        return Method(name, kind, partial(rows, strengths=strengths), (0, *strengths), touches or kind)

    for edit in BENDS:
        yield at(edit.transform, "activations", partial(bending, vae, edit=edit), 0.1, 0.25, 0.5, 1.0)
    yield at("blending", "weights", partial(blending, vae, tuned), 0.25, 0.5, 0.75, 1.0, 1.5)
    yield at("blending by depth", "weights", partial(ramping, vae, tuned), 0.25, 0.5, 0.75)
    for kind in ("flip", "swap"):
        yield at(f"glitch, {kind}", "weights", partial(glitching, vae, kind=kind), 0.02, 0.05, 0.1, 0.3)
    one, other = subject.write
    rewritten = partial(
        rewriting, vae, labels=lambda x: classifier.probabilities(x).argmax(1), layer="decoder.3", one=one, other=other
    )
    yield at("rewriting", "weights", rewritten, 0.5, 1.0, 2.0, 4.0)
    repainted = partial(repainting, vae, paint=_bar, layer="decoder.6")
    yield at("repainting", "weights", repainted, 0.5, 1.0, 2.0, 4.0)
    if subject.run:
        last = [hub.load(source, subject.run, number) for number in _iterations(source, subject.run)[-2:]]
        yield at("beyond the last iteration", "weights", partial(beyond, last), 0.5, 1.0, 2.0, 4.0)
    yield at("chained to a kaleidoscope", "output", partial(chaining, vae, manifold), 1, 3, 10, 30)
    yield at("novelty search", "output", partial(searching, vae, features=vae.encode), 5, 15, 40, touches="codes")


def _bar(x: Tensor) -> Tensor:
    """A bright bar painted across a picture."""
    painted = x.clone()
    painted[:, :, 12:16, 2:-2] = 1
    return painted


def _stored(source: str, subject: Subject) -> Iterator[Method]:
    """What was trained to diverge and is stored, of models that this classifier is for."""
    index = read_index(source)
    for name in of_kind(index, "divergence"):
        entry = index["experiments"][name]
        experiment = strict_json(fetch(source, entry["config"]).read_bytes())["experiment"]
        if experiment["judge"] == subject.judge and experiment["method"] not in HERE:
            snapshots = [
                diverge.Snapshot(int(each["metrics"]["step"]), hub.load(source, name, each["iteration"]), {})
                for each in entry["iterations"]
                if "file" in each
            ]
            yield trained(experiment["method"], snapshots, data=bool(experiment["data"]))


# The picture.

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#882255")  # Okabe and Ito's
CONTEXT = "#DDDDDD"
NAME: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8.5, "zorder": 3}
HEAD: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("How far out, and how much of it is still something", 0.1, {"fontsize": 13, "fontweight": "bold"}),
    (
        "A line is a method, from weak (small dot) to strong (large); crosses: 95 % intervals over seeds."
        "\n1 on the horizontal axis is as near to real pictures as unseen real ones are. Dotted: noise's "
        "coherence.",
        0.37,
        {"fontsize": 8.5, "color": "#444444"},
    ),
)


def figure(found: Mapping[str, Sequence[Row]]) -> Any:
    """The picture, a matplotlib figure 900 pixels wide: a column for each data set, a row for each kind of method.

    found: `curves` by the name of the data. Raises ValueError if there are none.
    """
    from matplotlib.figure import Figure

    kinds = [kind for kind in KINDS if any(curve["kind"] == kind for own in found.values() for curve in own)]
    if not kinds:
        raise ValueError("there are no curves to draw: measure a method first")
    height = 1.57 + 2.1 * len(kinds)  # inches: HEAD above, and the axis' name below
    drawing = Figure(figsize=(9, height), dpi=100, facecolor="white")
    panels = drawing.subplots(len(kinds), len(found), sharex=True, sharey="col", squeeze=False)
    drawing.subplots_adjust(0.075, 0.55 / height, 0.995, 1 - 1.27 / height, 0.1, 0.2)
    for words, down, look in HEAD:
        drawing.text(0.012, 1 - down / height, words, va="top", **look)
    reach = [point["divergence"]["mean"] for own in found.values() for curve in own for point in curve["points"]]
    low, high = min(reach), max(reach)
    panels[0, 0].set_xlim(low - 0.13 * (high - low), high + 0.34 * (high - low))  # room for names
    for panel, name in zip(panels[0], found, strict=True):
        panel.text(0, 1.19, name, transform=panel.transAxes, fontsize=11, fontweight="bold")
    for kind, line in zip(kinds, panels, strict=True):
        for panel, own in zip(line, found.values(), strict=True):
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelsize=8, length=2)
            _panel(panel, own, kind)
    drawing.text(0.53, 0.1 / height, "divergence: how far from real pictures", fontsize=9.5, ha="center")
    drawing.text(0.008, 0.5, "coherence: how sure the classifier is", fontsize=9.5, va="center", rotation=90)
    for panel in panels.flat:
        _spread(panel)
    return drawing


def _panel(panel: Any, found: Sequence[Row], kind: str) -> None:
    """The methods of one kind in colour, all others behind them in grey, and the landmarks."""
    panel.set_title(KINDS[kind], fontsize=9.5, loc="left", pad=4)
    for curve in found:
        x, y = _of(curve, "mean")
        if curve["kind"] == LANDMARK:
            panel.plot(x, y, marker="+", ms=8, color="#666666", zorder=2)
            look = {**NAME, "zorder": 1, "ha": "right", "va": "center", "color": "#888888"}
            panel.annotate(curve["way"], (x[0], y[0]), (-6, 0), **look)
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
    """Rising places, moved as little as it takes to be so far apart from each other, between floor and ceiling.

    By isotonic regression (pool adjacent violators) of the places minus equal steps.
    """
    blocks: list[list[float]] = []
    for number, place in enumerate(places):
        blocks.append([place - apart * number])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    free = [fmean(block) for block in blocks for _ in block]
    top = ceiling - apart * (len(places) - 1)
    return [max(floor, min(each, top)) + apart * number for number, each in enumerate(free)]


# The table.

TABLE_HEAD = ("operator", "acts on", "training", "data", "strengths")
COLUMNS = {
    "reconstruction_distance": "reconstruction distance",
    "coherence": "judge's confidence",
    "out_of_class_share": "out of class",
    "diversity": "diversity",
}


def table(curves: Iterable[Row]) -> str:
    """Markdown: a row for each of `curves` that is a method, with the numbers of three of its strengths.

    The weakest that does something, the middle one, and the strongest; of fewer, what there is.
    """
    rows = []
    for curve in curves:
        if curve["kind"] == LANDMARK:
            continue
        doing = [point for point in curve["points"] if point["strength"]] or list(curve["points"])
        points = [doing[at] for at in sorted({0, len(doing) // 2, len(doing) - 1})]
        needs = ("yes" if curve[name] else "no" for name in ("training", "data"))
        strengths = ", ".join(f"{point['strength']:g}" for point in points)
        numbers = (", ".join(f"{p[name]['mean']:.2f}" for p in points if p[name]) or "none" for name in COLUMNS)
        rows.append([curve["way"], curve["touches"], *needs, strengths, *numbers])
    return markdown_table([*TABLE_HEAD, *COLUMNS.values()], rows, len(TABLE_HEAD))


@command(
    "trade-off",
    """examples:
  python -m toolkit trade-off --out trade_off                        the picture, .json, and the table, .md
  python -m toolkit trade-off --out trade_off --images 16 --groups 2     a quick look
It needs the shipped checkpoints and the built-in samples, and no download.""",
    arg("--from"),
    arg("--seed", help="of the first image (default: 0)"),
    arg("--images", type=int, default=64, help="in a group of seeds (default: 64)"),
    arg("--groups", type=int, default=5, help="of seeds, over which intervals are (default: 5)"),
    arg("--out", required=True, help="trade_off: .png, .json and .md are added"),
    arg("--json", help="no progress bars"),
)
def trade_off(args: argparse.Namespace) -> object:
    """Every method as a curve over its strength, divergence against coherence, as a picture and JSON."""
    if min(args.images, args.groups) < 2:
        raise ValueError(f"--images {args.images}, --groups {args.groups}: give two or more of each")
    start = args.seed or 0
    groups = [range(start + g * args.images, start + (g + 1) * args.images) for g in range(args.groups)]
    found = {}
    for subject in SUBJECTS:
        images, classifier = data.load(subject.sample).images, hub.load_classifier(args.source, subject.judge)
        reconstruct = hub.load_decoder(args.source, subject.decoder).model.reconstruct
        by = Evaluator(classifier, images, subject.classes, reconstruct)
        every = [*landmarks(images), *methods(args.source, subject, start)]
        bar = tqdm(every, subject.title, disable=args.json, unit="method")
        found[subject.title] = curves(measured(bar, by, groups))
    result = {"images": args.images, "groups": args.groups, "seed": start, "measures": EVALUATED, "curves": found}
    write(args.out.with_suffix(".json"), result)
    write(args.out.with_suffix(".png"), plot.figure_png(figure(found)))
    tables = [f"## {title}\n\n{table(own)}\n" for title, own in found.items()]
    write(args.out.with_suffix(".md"), "\n".join(tables).encode())
    return {"picture": str(args.out.with_suffix(".png")), "ways": {title: len(own) for title, own in found.items()}}
