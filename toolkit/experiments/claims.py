"""The papers' claims, checked on stored runs and studies: of each what decides it, against which bar, and why."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any

import numpy as np

from ..metrics.stats import Interval, concordance, slope
from ..presets import FIGURES
from .attractors import USUAL
from .evidence import NOTABLE, Check, Claim, Evidence, Measure, Pair, Result, Results, Side, Values, weakest
from .table1 import NAMES

PAPER = "Datasets That Are Not"
HALF = 0.5  # what has collapsed has lost half of what it had; what most images are, over half of them are
CHANCE = 0.5  # how often a measure without any knowledge puts two generators in the right order
RISE = (NOTABLE - 1) / log2(20)  # per doubling of the iterations: a tenth over the twenty of the paper
FARTHER = 0.01  # the same of a distance: 4 % over twenty; a model that is trained again with its seed moves it by 2 %
MARGIN = 0.15  # of what unseen digits reach: what an iteration may lose and still be called as good
COMPLEXITY = {
    "edge_length": "edge length", "perimetric_complexity": "perimetric complexity", "compressed_size": "bytes",
}  # fmt: skip
STROKES = {"stroke_count": "strokes", **COMPLEXITY}
NOVELTY = {"novelty": "distance to the nearest training image"}
DIGITS = "surely digits, by sum"
KNOWN = ("fig2",)  # of the figures that drift, those whose data are digits, which a classifier can name
DRIFTING = ("fig2", "fig12", "fig13")
COMPLEX = ("fig2", "fig3", "fig4", "fig5", "fig12", "fig13")
COLLAPSING = {"fig6": "Without accumulation", "fig7": "With a teacher in place of a data set"}
FILTERED = {"fig2-novel": "Only the half that is farthest from the data accumulated"}
BASELINES = {"fig8": "a GAN", "fig9": "a GAN that starts anew", "fig10": "a VAE", "fig11": "a VAE that starts anew"}
THICKNESS: dict[str, tuple[str, Side]] = {
    "fig4": ("Sigmoid output and fresh starts thicken strokes", "over"),
    "fig2": ("Linear output and weights kept do not thicken strokes", "at most"),
    "fig3": ("Linear output and fresh starts do not thicken strokes", "at most"),
    "fig5": ("Sigmoid output and weights kept do not thicken strokes", "at most"),
}


# Measures of runs: each of a run, or of two runs of the same seed, is an array of one number for each image, or of one.


def at_last(measure: str, run: Result) -> Values:
    """The images of the last iteration."""
    return run.values(measure, run.final)


def over(at: int, measure: str, run: Result) -> Values:
    """The last images over the mean of those of an iteration; 0 is the data."""
    return run.values(measure, run.final) / run.values(measure, at).mean()


def per_doubling(measure: str, run: Result) -> Values:
    """The slope on log2(iteration), over the mean of the first. KeyError where fewer than two iterations have it."""
    series = run.series(measure)
    if len(series) < 2:
        raise KeyError(measure)
    found: Values = slope([*series], np.stack([*series.values()])) / series[min(series)].mean()
    return found


def nearer(run: Result) -> Values:
    """How often an image of the last iteration is nearer to the training set than an unseen one, 0 to 1.

    From the distances of each image and of the data; of an older run as it was stored when its images were classified.
    """
    if "novelty" in run.images.get(run.final, {}) and "novelty" in run.images.get(0, {}):
        data = np.sort(run.images[0]["novelty"])
        own = run.images[run.final]["novelty"]
        left, right = np.searchsorted(data, own, "left"), np.searchsorted(data, own, "right")
        found: Values = 1 - (left + right) / (2 * len(data))
        return found
    return np.array([run.last["nearer_share"]])


def beyond_controls(known: Results, figure: str) -> Evidence:
    """`nearer` of a figure minus the least of the baselines', their runs averaged; nothing where none was run."""
    controls = [known.over(baseline, nearer).x for baseline in BASELINES]
    means = [x["mean"] for x in controls if x is not None]
    return known.over(figure, lambda run: nearer(run) - min(means)) if means else Evidence()


def difference(measure: str, run: Result, other: Result) -> Values:
    """The last iteration of one run minus the same of another, image by image where both have those."""
    at = min(run.final, other.final)
    a, b = run.values(measure, at), other.values(measure, at)
    count = min((len(each) for each in (a, b) if len(each) > 1), default=1)
    return a[:count] - b[:count]


def last_over(measure: str, run: Result, other: Result) -> Values:
    """The last iteration of one run over the mean of the same of another."""
    return run.values(measure, run.final) / other.values(measure, run.final).mean()


def variety_over(run: Result, other: Result) -> Values:
    """What the mean picture does not explain, over the same of another run, at the last iteration."""
    left = 1 - run.values("mean_picture_power", run.final)
    return left / (1 - other.values("mean_picture_power", run.final).mean())


def kept(run: Result) -> Values:
    """What each image keeps of itself from sheet to sheet. Raises KeyError without sheets."""
    return run.values("kept", run.final)


# Claims of runs.


@dataclass(frozen=True)
class Figure:
    """A figure of "Datasets That Are Not", whose runs decide claims."""

    known: Results
    name: str

    @property
    def title(self) -> str:
        return FIGURES[self.name].title

    def check(self, words: str, measure: Measure, side: Side, bar: float) -> Check:
        return Check(words, self.known.over(self.name, measure), side, bar)

    def against(self, words: str, measure: Pair, side: Side, bar: float, other: str = "fig2") -> Check:
        """The same of pairs with another figure's runs from the same seed."""
        return Check(words, self.known.paired(self.name, other, measure), side, bar)

    def over_data(self, measures: Mapping[str, str]) -> list[Check]:
        """Whether measures are notably larger at last than those of the data."""
        return [
            self.check(f"{words}, over that of the data", partial(over, 0, measure), "over", NOTABLE)
            for measure, words in measures.items()
        ]

    def rises(self, measures: Mapping[str, str], bar: float) -> list[Check]:
        """Whether measures rise with the iterations."""
        return [
            self.check(f"{words}, change per doubling of iterations", partial(per_doubling, measure), "over", bar)
            for measure, words in measures.items()
        ]

    def claim(
        self,
        key: str,
        text: str,
        primary: Check,
        reason: str,
        readings: Iterable[Check] = (),
        notes: Sequence[str] = (),
    ) -> Claim:
        figure = FIGURES[self.name].figure if self.name in FIGURES else "future work"
        shown = self.known.picture(self.name)
        return Claim(f"{self.name}-{key}", text, PAPER, figure, primary, reason, [*readings], shown, notes)


def figure_claims(known: Results) -> Iterator[Claim]:
    """All of them, those of figures that were not run too."""
    kinds: list[tuple[Iterable[str], Callable[[Figure], Iterator[Claim]]]] = [
        (DRIFTING, _drift), (COMPLEX, _complexity), (("fig3",), _smoother), (("fig2",), _identity),
        (THICKNESS, _strokes), (COLLAPSING, _collapse), (BASELINES, _digits), (FILTERED, _filtered),
    ]  # fmt: skip
    for names, claims in kinds:
        for name in names:
            yield from claims(Figure(known, name))


def _drift(it: Figure) -> Iterator[Claim]:
    is_known = it.name in KNOWN
    words = "nearer to the training set than unseen images, minus the farthest GAN or VAE"
    readings = it.over_data(NOVELTY)
    if is_known:
        words_known = f"share of images {DIGITS}, over that of the data"
        readings.append(it.check(words_known, partial(over, 0, "in_class"), "under", 1 / NOTABLE))
    yield it.claim(
        "far",
        f"{it.title}: output leaves the data",
        Check(words, beyond_controls(it.known, it.name), "under", 1 - NOTABLE),
        "How often an image is nearer to the training set than an unseen one is: 0.5 without leaving, whatever the "
        "data and their grid. Any generator leaves a little, GANs and VAEs too, which are said to stay: the claim has "
        "to exceed the farthest of those by a tenth of all images.",
        readings,
        [] if is_known else ["The controls learned digits: there is no GAN or VAE of these data."],
    )
    readings = it.rises({"frechet_distance": "Fréchet distance"}, RISE)
    if is_known:
        words = f"share of images {DIGITS}, change per doubling of iterations"
        readings.append(it.check(words, partial(per_doubling, "in_class"), "under", -RISE))
    yield it.claim(
        "farther",
        f"{it.title}: it goes farther with every iteration",
        it.rises(NOVELTY, FARTHER)[0],
        "The slope of the distance on log2(iteration), for it rises and levels off. A model that is trained again with "
        "its seed moves the distance by 2 %: the bar is twice that over twenty iterations.",
        readings,
    )


def _complexity(it: Figure) -> Iterator[Claim]:
    primary, *readings = it.over_data(STROKES)
    yield it.claim(
        "complex",
        f"{it.title}: output is more complex than the data",
        primary,
        "The number of strokes: unlike the length of edges it does not grow with grain or frayed borders, and it "
        "orders 1, 7, 4, 8 and Kuzushiji as people do. A tenth more is what one sees on a sheet.",
        readings,
    )
    primary, *readings = it.rises(STROKES, RISE)
    yield it.claim(
        "rising",
        f"{it.title}: complexity rises with the iterations",
        primary,
        "The slope of the number of strokes on log2(iteration), each image followed by its seed: a tenth over twenty "
        "iterations is what one sees on a sheet, and a correlation of ranks would not tell the size.",
        readings,
    )


def _smoother(it: Figure) -> Iterator[Claim]:
    words = "kept from sheet to sheet with the weights kept, minus starting anew"
    yield it.claim(
        "smoother",
        "Keeping the weights is smoother than starting anew: the same seeds change less from sheet to sheet",
        it.against(words, lambda anew, keeping: kept(keeping) - kept(anew), "over", NOTABLE - 1),
        "What the image of a seed keeps of itself from sheet to sheet, 1 for all and 0 for as little as other seeds "
        "share: on this scale a tenth is a tenth of all there is, however far the images of a set lie apart.",
    )


def _identity(it: Figure) -> Iterator[Claim]:
    yield it.claim(
        "identity",
        "Linear output, weights kept, data accumulated: symbols keep their core from iteration to iteration",
        it.check("kept from sheet to sheet", kept, "over", HALF),
        "What keeps its core keeps at least half of itself from one iteration to the next, on the same scale.",
    )


def _strokes(it: Figure) -> Iterator[Claim]:
    """Ink tells only where it can change."""
    text, side = THICKNESS[it.name]
    toned = any(run.tone for run in it.known.runs.get(it.name, ()))
    readings = [it.check("the same, over that of the data", partial(over, 0, "stroke_width"), side, NOTABLE)]
    if not toned:
        readings.append(it.check("ink, over that of iteration 1", partial(over, 1, "ink"), side, NOTABLE))
    tone = (
        "Every picture is given the grey levels of the data, so that ink, and all that follows it, cannot change; the "
        "width of strokes, which is ink over edge length, then says no more than edge length."
    )
    yield it.claim(
        "strokes",
        text,
        it.check("width of strokes, over that of iteration 1", partial(over, 1, "stroke_width"), side, NOTABLE),
        "The width of strokes at the end over that of iteration 1, by the distance of ink to paper: what was thick "
        "before the loop began was not thickened by it. A tenth is a fifth of a pixel, less than one sees.",
        readings,
        [tone] * toned,
    )


def _collapse(it: Figure) -> Iterator[Claim]:
    how = COLLAPSING[it.name]
    words = f"share of images {DIGITS}, minus that with accumulation"
    yield it.claim(
        "degrades",
        f"{how} output degrades",
        it.against(words, partial(difference, "in_class"), "under", 1 - NOTABLE),
        "The share of images that are surely some digit, whichever, against the same seed's run with accumulation. A "
        "judge grows surer of a dash than of a sign, so how sure it is tells nothing. A tenth of all images is "
        "notable.",
        [
            it.against(f"last {words}, over that with accumulation", partial(last_over, measure), side, bar)
            for measure, words, side, bar in LAST
        ],
    )
    words = "variety that the mean picture leaves, over that with accumulation"
    yield it.claim(
        "collapses",
        f"{how} output collapses",
        it.against(words, variety_over, "under", HALF),
        "What the mean picture does not explain of the blurred pictures' power is how much they vary: a set that has "
        "lost half of what the run with accumulation still has, has collapsed. Copies moved by a pixel do not count as "
        "variety.",
        [
            it.check("share of distinct pictures", partial(at_last, "distinct"), "under", HALF),
            it.check("share of blank images", partial(at_last, "blank"), "over", HALF),
            it.check("diversity, over that of the data", partial(over, 0, "diversity"), "under", HALF),
        ],
    )


LAST: list[tuple[str, str, Side, float]] = [
    ("frechet_distance", "Fréchet distance", "over", NOTABLE), ("coverage", "coverage of the data", "under", HALF),
]  # fmt: skip


def _digits(it: Figure) -> Iterator[Claim]:
    def unseen(run: Result) -> float:
        return run.controls["unseen data"]["in_class_count_by_sum"]

    def change(run: Result) -> Values:
        return (run.values("in_class", run.final) - run.values("in_class", 1)) / unseen(run)

    def first(run: Result) -> Values:
        return run.values("in_class", 1) / unseen(run)

    words = "the same share at last, minus that of figure 2"
    yield it.claim(
        "digits",
        f"With {BASELINES[it.name]} in place of the autoencoder, images stay digits",
        it.check(f"share of images {DIGITS}, last minus first, over that of unseen digits", change, "over", -MARGIN),
        "To stay is to lose nothing that matters after iteration 1: the share that is surely some digit, whichever, "
        "may fall by 0.15 of what unseen digits reach. To be sure which digit is another matter.",
        [
            it.check("the same share at iteration 1, over that of unseen digits", first, "at least", 0.8),
            it.against(words, partial(difference, "in_class"), "over", NOTABLE - 1),
        ],
    )


def _filtered(it: Figure) -> Iterator[Claim]:
    """The paper names the filter as future work and does not say what it would do: this is what one is for."""
    primary, reading = (
        it.against(f"{words}, over that without", partial(last_over, measure), "over", NOTABLE)
        for measure, words in {**NOVELTY, "frechet_distance": "Fréchet distance"}.items()
    )
    text = f"{FILTERED[it.name]}: output goes farther than without the filter"
    reason = "What goes farther goes a tenth farther; the paper names the filter as future work and sets no bar."
    yield it.claim("farther", text, primary, reason, [reading])


# Claims of studies.

CREATIVE = "Toward a neuro-inspired creative decoder"
KALEIDOSCOPES = "Generative Kaleidoscopic Networks"
OUT_OF_CLASS = "Out-of-class novelty generation"
ORDER = ("low-active", "random", "noisy", "regular")  # farthest out first
NOT_NOVEL, NOVEL = ("noise", "blank", "unseen data", "training data"), ("letters",)
FIRST = "out_of_class_count_by_max"
RANKED: list[tuple[str, str, Side]] = [
    (FIRST, "out-of-class count", "over"), ("out_of_class_max", "out-of-class max", "over"),
    ("out_of_class_count_by_sum", "out-of-class count by sum", "over"), ("parzen", "Parzen windows", "at most"),
]  # fmt: skip
QUARTER = 0.25


def study_claims(known: Results) -> Iterator[Claim]:
    """All of them, those of studies that were not run too."""
    yield from _creative(known)
    yield from _decoders(known)
    yield from _kaleidoscopes(known)
    yield _ranking(known)


def _creative(known: Results) -> Iterator[Claim]:
    sets: Mapping[str, Any] = (known.table1 or {}).get("sets", {name: {} for name in NAMES})
    shown = _file(known, "creative/creative-mnist.png")

    def claim(
        key: str, text: str, primary: Check, reason: str, readings: Sequence[Check] = (), at: Any = shown
    ) -> Claim:
        return Claim(f"creative-{key}", text, CREATIVE, "Table 1", primary, reason, readings, at)

    differences = [
        Check(f"{a} minus {b}, {NAMES.get(data, data)}", Evidence(_at(found, "order", f"{a} > {b}", "difference")))
        for data, found in sets.items()
        for a, b in pairwise(ORDER)
    ]
    least = weakest(differences)
    text = "By reconstruction distance low-active beats random beats noisy beats regular"
    reason = "The order holds if each of its differences does: the one that is nearest to 0 decides for all."
    yield claim("order", text, least, reason, [each for each in differences if each is not least])
    words = "noisy minus regular, over random minus regular"
    noisy = [
        Check(f"{words}, {NAMES.get(data, data)}", _noisy(found), "at most", QUARTER) for data, found in sets.items()
    ]
    reason = "Like regular is what goes less than a quarter of the way from regular to random decoding; digits decide."
    yield claim("noisy", "Noisy decoding stays like regular decoding", noisy[0], reason, noisy[1:])
    text = "People call low-active images more novel than those of any other method"
    yield claim(
        "people", text, Check("votes", Evidence()), "Without labels of people there is nothing to measure.", at=None
    )


# A number of a small study: which it is, in words, where it lies in a set's result, and where it is claimed to lie.
Reading = tuple[str, Sequence[str], Side, float]


@dataclass(frozen=True)
class Small:
    """A claim of a small study of creative decoders. The first reading of digits decides."""

    study: str
    text: str
    reason: str
    readings: Sequence[Reading]
    paper: str = CREATIVE
    figure: str = "future work"


SCAN = "Towards creativity characterization of generative models via group-based subset scanning"
SURVEY = "Active Divergence with Generative Deep Learning: A Survey and Taxonomy"
SMALL = [
    Small(
        "interpolation", "Interpolation between codes stays near the data",
        "As of noise: near regular is what goes less than a quarter of the way from regular to random decoding.",
        [("halfway minus regular, over random minus regular", ["of the way to random", "linear"], "at most", QUARTER),
         ("the same on the great circle", ["of the way to random", "spherical"], "at most", QUARTER)],
        figure="Table 1",
    ),
    Small(
        "calibration", "Low-active beats random by reconstruction distance however the gain is calibrated",
        "The gain by the paper's ratio of random to regular is the other way to read its table; any difference counts.",
        [("low-active minus random, by the ratio", ["ratio", "low-active - random"], "over", 0.0),
         ("the same, moved equally far", ["ratio", "low-active - random, at equal displacement"], "over", 0.0)],
        figure="Table 1",
    ),
    Small(
        "pruning", "The data do not need the low-active neurons",
        "What is not needed costs less than a tenth of the error of reconstruction when it is cut out.",
        [("error without them, over that of the whole network", ["low-active", "error over whole"], "at most", NOTABLE),
         ("the same without others by chance", ["by chance", "error over whole"], "at most", NOTABLE),
         ("the same without the most active", ["most active", "error over whole"], "at most", NOTABLE)],
    ),
    Small(
        "memory", "A low-active neuron remembers training images: alone it draws what fires it most",
        "Its nearest training image is of the nine that fire it most more often than of another neuron's nine.",
        [("hits minus those of other neurons' nine", ["low-active", "hit", "own - shuffled"], "over", 0.0),
         ("images less like it than the nine, minus others' nine", ["low-active", "likeness", "own - shuffled"], "over",
          0.0)],
    ),
    Small(
        "capacity", "With extra capacity the grouping of low-active neurons does more",
        "Grouping lowers the edge per ink of what is added; in the widest networks by more than in the narrowest.",
        [("effect of grouping, widest minus narrowest", ["grouping, edge per ink"], "under", 0.0),
         ("share of neurons that are seldom on, the same", ["seldom share"], "over", 0.0),
         ("share that are never on, the same", ["dead share"], "over", 0.0)],
    ),
    Small(
        "autonomy", "A standard that moves with what it accepts parts from a fixed one",
        "A tenth of rank correlation more than the same training on digits alone, which moves a classifier too.",
        [("agreement with the fixed taste, control minus moving", ["control - moving", "agreement"], "over",
          NOTABLE - 1),
         ("choices shared with it, the same", ["control - moving", "shared"], "over", NOTABLE - 1)],
    ),
    Small(
        "scan", "A scan over activations tells low-active pictures from others",
        "From random ones that are moved equally far, for any picture that is pushed hard is unusual.",
        [("AUC against random, moved equally far", ["berk-jones", "low-active, random, as far"], "over", CHANCE),
         ("AUC against random", ["berk-jones", "low-active, random"], "over", CHANCE),
         ("AUC against noisy", ["berk-jones", "low-active, noisy"], "over", CHANCE),
         ("AUC against regular", ["berk-jones", "low-active, regular"], "over", CHANCE)],
        SCAN, "creativity",
    ),
    Small(
        "swap", "An orthogonal map at the seam carries what one network read to another that draws",
        "What is carried can be told from the picture: more than by a map fitted on pairs that do not belong together.",
        [("digits told, seam at the code, mapped minus shuffled", ["seam 0", "mapped - shuffled", "kept"], "over", 0.0),
         ("the same, minus no map", ["seam 0", "mapped - plain", "kept"], "over", 0.0),
         ("seam of 500, minus shuffled", ["seam 2", "mapped - shuffled", "kept"], "over", 0.0)],
        SURVEY, "mind swaps",
    ),
]  # fmt: skip


def _decoders(known: Results) -> Iterator[Claim]:
    for it in SMALL:
        result = known.decoders.get(it.study, {})
        sets = result.get("sets") or {"creative-mnist": result.get("widest - narrowest", {})}
        checks = [
            Check(f"{words}, {NAMES[name.replace('creative-', '')]}", Evidence(_at(found, *path)), side, bar)
            for name, found in sorted(sets.items(), reverse=True)  # digits first
            for words, path, side, bar in it.readings
        ]
        picture = _file(known, f"creative/{it.study}.png")
        yield Claim(f"creative-{it.study}", it.text, it.paper, it.figure, checks[0], it.reason, checks[1:], picture)


def _noisy(found: Mapping[str, Any]) -> Evidence:
    """How far noisy decoding goes on the way from regular to random decoding."""
    noisy, random = (_at(found, "order", name, "difference") for name in ("noisy > regular", "random > noisy"))
    if noisy is None or random is None:
        return Evidence()
    return Evidence(_over(noisy, noisy["mean"] + random["mean"]))


def _kaleidoscopes(known: Results) -> Iterator[Claim]:
    study, shown = known.study or {}, _file(known, "kaleidoscope/runs.png")

    def claim(key: str, text: str, primary: Check, reason: str, readings: Sequence[Check] = ()) -> Claim:
        return Claim(f"kaleidoscope-{key}", text, KALEIDOSCOPES, "digits", primary, reason, readings, shown)

    for sweep, deeper, equal in [
        ("depth", "Deeper networks", ""),
        ("equal", "Deeper networks, at equal loss,", ", at equal loss"),
    ]:
        surer, distance, first = (
            Check(f"{words}, per doubling of depth", Evidence(_at(study, "trends", sweep, measure)), side)
            for measure, words, side in DEEPER
        )
        reason = (
            "A sample is better if a classifier that learned real digits is surer of it; any gain per doubling counts."
        )
        yield claim(f"{sweep}-better", f"{deeper} give better samples", surer, reason, [distance])
        text = f"Over-generalisation grows with depth: one run brings noise nearer to the data{equal}"
        reason = "One run from noise, before any perturbation, shows the network alone; any gain per doubling counts."
        yield claim(f"{sweep}-nearer", text, first, reason)
    end = partial(_at, study, "perturbations", USUAL)
    still = Check("share of samples that stand still at the end", Evidence(end("still")), "over", HALF)
    found = [row["numbers"]["nearer_by"] for row in study.get("verdicts", ()) if "unseen images" in row["claim"]]
    nearer = Check("how much nearer to the data than unseen images, run 10", Evidence(found[0] if found else None))
    reason = "What settles does not move: most samples are more than half of them."
    yield claim("settle", "Samples settle on digits", still, reason, [nearer])
    reason = (
        "A sample of the distribution is as near to the training set as unseen images are: the difference of the two."
    )
    yield claim("recovered", "Recovered samples are of the distribution of the data", nearer, reason)
    left = Evidence(_over(end("distinct"), _at(study, "sizes", "samples")))
    few = Check("different pictures at the end, over the samples", left, "under", HALF)
    reason = "Few is under half of the samples that there were, all of which began as different noise."
    yield claim("few", "After that they collapse to few different pictures", few, reason)


DEEPER: list[tuple[str, str, Side]] = [
    ("confidence", "confidence of a classifier", "over"), ("distance", "distance to the data", "under"),
    ("first", "distance to the data after one run", "under"),
]  # fmt: skip


def _over(x: Interval | None, by: float | None) -> Interval | None:
    """An interval in other units; nothing without them."""
    if x is None or not by:
        return None
    low, high = (None if end is None else end / by for end in (x["low"], x["high"]))
    return {"mean": x["mean"] / by, "low": low, "high": high, "n": x["n"]}


def _ranking(known: Results) -> Claim:
    """Novel are letters to a generator of digits; a measure finds them if it puts them over all else."""
    more = known.over("fig2", lambda run: in_order(FIRST, run) - in_order("parzen", run))
    readings = [
        Check(f"{words}: pairs in order", known.over("fig2", partial(in_order, measure)), side, CHANCE)
        for measure, words, side in RANKED
    ]
    return Claim(
        "novelty-ranking",
        "Out-of-class measures put novel sets first, and Parzen windows do not",
        OUT_OF_CLASS,
        "2017",
        Check("pairs in order by out-of-class count, minus those by Parzen windows", more),
        "The two halves of the claim are one contrast, on the same sets: how many more pairs of a novel and another "
        "set the count of 2017 puts in order.",
        readings,
        notes=[
            "The study ranks a thousand generators and has a person label the first; here sets of known kind are "
            "ranked, drawn anew for each run, by one judge."
        ],
    )


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
