"""The claims of "Datasets That Are Not" about its figures 2 to 13: of each one measure that decides, and readings."""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from ..metrics.interval import slope
from ..presets import FIGURES
from .results import Measure, Result, Results, Values
from .rules import FARTHER, HALF, MARGIN, NOTABLE, RISE, Check, Claim, Evidence, Says

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


def claims(known: Results) -> Iterator[Claim]:
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
