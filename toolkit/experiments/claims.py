"""The papers' claims, checked on stored runs and studies."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..metrics.stats import Interval, concordance, slope
from ..presets import FIGURES
from .evidence import (
    CHANCE,
    FARTHER,
    HALF,
    MARGIN,
    NOTABLE,
    RISE,
    Check,
    Claim,
    Evidence,
    Measure,
    Result,
    Results,
    Says,
    Values,
    weakest,
)
from .sweeps import USUAL
from .table1 import NAMES

PAPER = "Datasets That Are Not"
COMPLEXITY = {
    "edge_length": "edge length", "perimetric_complexity": "perimetric complexity", "compressed_size": "bytes",
}  # fmt: skip
IN_CLASS = "in_class_count_by_max"
DIGITS = "surely digits, by sum"
KNOWN = ("fig2",)  # of the figures that drift, those whose data are digits, which a judge can name
DRIFTING = ("fig2", "fig12", "fig13")
COMPLEX = ("fig2", "fig3", "fig4", "fig5", "fig12", "fig13")
COLLAPSING = {"fig6": "Without accumulation", "fig7": "With a teacher in place of a data set"}
FILTERED = {"fig2-novel": "Only the half that is farthest from the data accumulated"}
BASELINES = {"fig8": "a GAN", "fig9": "a GAN that starts anew", "fig10": "a VAE", "fig11": "a VAE that starts anew"}
STROKES = {
    "fig4": ("Sigmoid output and fresh starts thicken strokes", True),
    "fig2": ("Linear output and weights kept do not thicken strokes", False),
    "fig3": ("Linear output and fresh starts do not thicken strokes", False),
    "fig5": ("Sigmoid output and weights kept do not thicken strokes", False),
}
TONE = (
    "Every picture is given the grey levels of the data, so that ink, and all that follows it, cannot change; the "
    "width of strokes, which is ink over edge length, then says no more than edge length."
)
OTHER_DATA = "The controls learned digits: there is no GAN or VAE of these data."

WHY_FAR = (
    "How often an image is nearer to the training set than an unseen one is: 0.5 without leaving, whatever the data "
    "and their grid. Any generator leaves a little, GANs and VAEs too, which are said to stay: the claim has to exceed "
    "the farthest of those by a tenth of all images."
)
WHY_FARTHER = (
    "The slope of the distance on log2(iteration), for it rises and levels off. A model that is trained again with its "
    "seed moves the distance by 2 %: the bar is twice that over twenty iterations."
)
WHY_COMPLEX = (
    "The number of strokes: unlike the length of edges it does not grow with grain or frayed borders, and it orders 1, "
    "7, 4, 8 and Kuzushiji as people do. A tenth more is what one sees on a sheet."
)
WHY_RISING = (
    "The slope of the number of strokes on log2(iteration), each image followed by its seed: a tenth over twenty "
    "iterations is what one sees on a sheet, and a correlation of ranks would not tell the size."
)
WHY_SMOOTHER = (
    "What the image of a seed keeps of itself from sheet to sheet, 1 for all and 0 for as little as other seeds share: "
    "on this scale a tenth is a tenth of all there is, however far the images of a set lie apart."
)
WHY_IDENTITY = "What keeps its core keeps at least half of itself from one iteration to the next, on the same scale."
WHY_STROKES = (
    "The width of strokes at the end over that of iteration 1, by the distance of ink to paper: what was thick before "
    "the loop began was not thickened by it. A tenth is a fifth of a pixel, less than one sees."
)
WHY_DEGRADES = (
    "The share of images that are surely some digit, whichever, against the same seed's run with accumulation. A judge "
    "grows surer of a dash than of a sign, so how sure it is tells nothing. A tenth of all images is notable."
)
WHY_COLLAPSES = (
    "What the mean picture does not explain of the blurred pictures' power is how much they vary: a set that has lost "
    "half of what the run with accumulation still has, has collapsed. Copies moved by a pixel do not count as variety."
)
WHY_DIGITS = (
    "To stay is to lose nothing that matters after iteration 1: the share that is surely some digit, whichever, may "
    "fall by 0.15 of what unseen digits reach. To be sure which digit is another matter."
)
WHY_FILTER = "What goes farther goes a tenth farther; the paper names the filter as future work and sets no bar."


def figure_claims(known: Results) -> Iterator[Claim]:
    """All of them, those of figures that were not run too."""
    for figure in DRIFTING:
        yield _far(known, figure)
        yield _farther(known, figure)
    for figure in COMPLEX:
        yield _complex(known, figure)
        yield _rising(known, figure)
    yield _smoother(known)
    yield _identity(known)
    for figure, (says, thicker) in STROKES.items():
        yield _strokes(known, figure, says, thicker=thicker)
    for figure, how in COLLAPSING.items():
        yield _degrades(known, figure, how)
        yield _collapses(known, figure, how)
    for figure, model in BASELINES.items():
        yield _digits(known, figure, model)
    for run, how in FILTERED.items():
        yield _filtered(known, run, how)


def at_last(measure: str, run: Result) -> Values:
    """The images of the last iteration."""
    return run.values(measure, run.final)


def over_data(measure: str, run: Result) -> Values:
    """The last images over the mean of the data."""
    return run.values(measure, run.final) / run.values(measure, 0).mean()


def over_first(measure: str, run: Result) -> Values:
    """The last images over the mean of iteration 1."""
    return run.values(measure, run.final) / run.values(measure, 1).mean()


def per_doubling(measure: str, run: Result) -> Values:
    """The slope on log2(iteration), over the mean of the first. KeyError where fewer than two iterations have it."""
    series = run.series(measure)
    if len(series) < 2:
        raise KeyError(measure)
    found: Values = slope([*series], np.stack([*series.values()])) / series[min(series)].mean()
    return found


def nearer(run: Result) -> Values:
    """How often an image of the last iteration is nearer to the training set than an unseen one, 0 to 1.

    From the distances of each image and of the data; of an older run as its judge wrote it down.
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
    theirs = [known.over(baseline, nearer).x for baseline in BASELINES]
    means = [x["mean"] for x in theirs if x is not None]
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
    if run.kept is None:
        raise KeyError("kept")
    return run.kept


def digits_change(run: Result) -> Values:
    """The last share of digits minus the first, over that of unseen digits, image by image where both have those."""
    unseen = run.controls["unseen data"]["in_class_count_by_sum"]
    return (run.values("in_class", run.final) - run.values("in_class", 1)) / unseen


def _claim(
    known: Results, key: str, figure: str, says: str, primary: Check, reason: str, readings: Iterable[Check] = (),
    notes: Iterable[str] = (),
) -> Claim:  # fmt: skip
    shown = known.picture(figure)
    return Claim(f"{figure}-{key}", says, PAPER, figure[3:], primary, reason, [*readings], shown, [*notes])


def _over_data(known: Results, figure: str, names: dict[str, str]) -> list[Check]:
    return [
        Check(f"{words}, over that of the data", known.over(figure, partial(over_data, measure)), "over", NOTABLE)
        for measure, words in names.items()
    ]


def _rises(known: Results, figure: str, names: dict[str, str], bar: float) -> list[Check]:
    return [
        Check(f"{words}, change per doubling of iterations", known.over(figure, partial(per_doubling, m)), "over", bar)
        for m, words in names.items()
    ]


def _far(known: Results, figure: str) -> Claim:
    words = "nearer to the training set than unseen images, minus the farthest GAN or VAE"
    primary = Check(words, beyond_controls(known, figure), "under", 1 - NOTABLE)
    readings = _over_data(known, figure, {"novelty": "distance to the nearest training image"})
    if figure in KNOWN:
        share = known.over(figure, partial(over_data, "in_class"))
        readings.append(Check(f"share of images {DIGITS}, over that of the data", share, "under", 1 / NOTABLE))
    says, notes = f"{FIGURES[figure].title}: output leaves the data", [] if figure in KNOWN else [OTHER_DATA]
    return _claim(known, "far", figure, says, primary, WHY_FAR, readings, notes)


def _farther(known: Results, figure: str) -> Claim:
    (primary,) = _rises(known, figure, {"novelty": "distance to the nearest training image"}, FARTHER)
    readings = _rises(known, figure, {"frechet_distance": "Fréchet distance"}, RISE)
    if figure in KNOWN:
        x = known.over(figure, partial(per_doubling, "in_class"))
        readings.append(Check(f"share of images {DIGITS}, change per doubling of iterations", x, "under", -RISE))
    says = f"{FIGURES[figure].title}: it goes farther with every iteration"
    return _claim(known, "farther", figure, says, primary, WHY_FARTHER, readings)


def _complex(known: Results, figure: str) -> Claim:
    primary, *readings = _over_data(known, figure, {"stroke_count": "strokes", **COMPLEXITY})
    says = f"{FIGURES[figure].title}: output is more complex than the data"
    return _claim(known, "complex", figure, says, primary, WHY_COMPLEX, readings)


def _rising(known: Results, figure: str) -> Claim:
    primary, *readings = _rises(known, figure, {"stroke_count": "strokes", **COMPLEXITY}, RISE)
    says = f"{FIGURES[figure].title}: complexity rises with the iterations"
    return _claim(known, "rising", figure, says, primary, WHY_RISING, readings)


def _smoother(known: Results) -> Claim:
    says = "Keeping the weights is smoother than starting anew: the same seeds change less from sheet to sheet"
    more = known.paired("fig3", "fig2", lambda anew, keeping: kept(keeping) - kept(anew))
    primary = Check("kept from sheet to sheet with the weights kept, minus starting anew", more, "over", NOTABLE - 1)
    return _claim(known, "smoother", "fig3", says, primary, WHY_SMOOTHER)


def _identity(known: Results) -> Claim:
    says = "Linear output, weights kept, data accumulated: symbols keep their core from iteration to iteration"
    primary = Check("kept from sheet to sheet", known.over("fig2", kept), "over", HALF)
    return _claim(known, "identity", "fig2", says, primary, WHY_IDENTITY)


def _strokes(known: Results, figure: str, says: str, *, thicker: bool) -> Claim:
    """Ink tells only where it can change."""
    toned = any(run.tone for run in known.runs.get(figure, ()))
    side: Says = "over" if thicker else "at most"

    def check(words: str, of: Measure) -> Check:
        return Check(words, known.over(figure, of), side, NOTABLE)

    primary = check("width of strokes, over that of iteration 1", partial(over_first, "stroke_width"))
    readings = [check("the same, over that of the data", partial(over_data, "stroke_width"))]
    if not toned:
        readings.append(check("ink, over that of iteration 1", partial(over_first, "ink")))
    return _claim(known, "strokes", figure, says, primary, WHY_STROKES, readings, [TONE] * toned)


def _degrades(known: Results, figure: str, how: str) -> Claim:
    fewer = known.paired(figure, "fig2", partial(difference, "in_class"))
    primary = Check(f"share of images {DIGITS}, minus that with accumulation", fewer, "under", 1 - NOTABLE)
    frechet, coverage = (
        known.paired(figure, "fig2", partial(last_over, measure)) for measure in ("frechet_distance", "coverage")
    )
    readings = [
        Check("last Fréchet distance, over that with accumulation", frechet, "over", NOTABLE),
        Check("last coverage of the data, over that with accumulation", coverage, "under", HALF),
    ]
    return _claim(known, "degrades", figure, f"{how} output degrades", primary, WHY_DEGRADES, readings)


def _collapses(known: Results, figure: str, how: str) -> Claim:
    left = known.paired(figure, "fig2", variety_over)
    primary = Check("variety that the mean picture leaves, over that with accumulation", left, "under", HALF)
    readings = [
        Check("share of distinct pictures", known.over(figure, partial(at_last, "distinct")), "under", HALF),
        Check("share of blank images", known.over(figure, partial(at_last, "blank")), "over", HALF),
        Check("diversity, over that of the data", known.over(figure, partial(over_data, "diversity")), "under", HALF),
    ]
    return _claim(known, "collapses", figure, f"{how} output collapses", primary, WHY_COLLAPSES, readings)


def _digits(known: Results, figure: str, model: str) -> Claim:
    def first(run: Result) -> Values:
        return run.values("in_class", 1) / run.controls["unseen data"]["in_class_count_by_sum"]

    change, more = known.over(figure, digits_change), known.paired(figure, "fig2", partial(difference, "in_class"))
    primary = Check(f"share of images {DIGITS}, last minus first, over that of unseen digits", change, "over", -MARGIN)
    readings = [
        Check("the same share at iteration 1, over that of unseen digits", known.over(figure, first), "at least", 0.8),
        Check("the same share at last, minus that of figure 2", more, "over", NOTABLE - 1),
    ]
    says = f"With {model} in place of the autoencoder, images stay digits"
    return _claim(known, "digits", figure, says, primary, WHY_DIGITS, readings)


def _filtered(known: Results, name: str, how: str) -> Claim:
    """The paper names the filter as future work and does not say what it would do: this is what one is for."""
    primary, reading = (
        Check(f"{words}, over that without", known.paired(name, "fig2", partial(last_over, measure)), "over", NOTABLE)
        for measure, words in
        {"novelty": "distance to the nearest training image", "frechet_distance": "Fréchet distance"}.items()
    )  # fmt: skip
    says = f"{how}: output goes farther than without the filter"
    shown = known.picture(name)
    return Claim(f"{name}-farther", says, PAPER, "future work", primary, WHY_FILTER, [reading], shown)


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


def study_claims(known: Results) -> Iterator[Claim]:
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
