"""The claims of "Datasets That Are Not" about its figures 2 to 13, as checks of the measures of their runs."""

from collections.abc import Iterable, Iterator
from functools import partial

from ..drift import rank_correlation
from ..metrics.attractors import SAME
from ..presets import FIGURES
from .results import Measure, Result, Results
from .rules import HALF, NOTABLE, Check, Claim, by_chance

PAPER = "Datasets That Are Not"
COMPLEXITY = {
    "edge_length": "edge length", "perimetric_complexity": "perimetric complexity", "compressed_size": "bytes",
    "holes": "holes",
}  # fmt: skip
DISTANCE = {"novelty_median": "distance to the nearest training image", "frechet_distance": "Fréchet distance"}
IN_CLASS = "in_class_count_by_max"
KNOWN = ("fig2",)  # of the figures that drift, those whose data are digits, which a judge can name
DRIFTING = ("fig2", "fig12", "fig13")
COMPLEX = ("fig2", "fig3", "fig4", "fig5", "fig12", "fig13")
COLLAPSING = {"fig6": "Without accumulation", "fig7": "With a teacher in place of a data set"}
FILTERED = {"fig2-novel": "Only the half that is farthest from the data accumulated"}
BASELINES = {"fig8": "a GAN", "fig9": "a GAN that starts anew", "fig10": "a VAE", "fig11": "a VAE that starts anew"}
TONE = (
    "Every picture is given the grey levels of the data, so that ink, and all that follows it, cannot change; the "
    "width of strokes, which is ink over edge length, then says no more than edge length."
)


def claims(known: Results) -> Iterator[Claim]:
    """All of them, those of figures that were not run too."""
    for figure in DRIFTING:
        yield _far(known, figure)
        yield _farther(known, figure)
    for figure in COMPLEX:
        yield _complex(known, figure)
        yield _rising(known, figure)
    yield _smoother(known)
    yield _thicker(known, "fig4", "Sigmoid output and fresh starts thicken strokes", thicker=True)
    yield _thicker(known, "fig3", "Linear output and fresh starts do not thicken strokes", thicker=False)
    yield _thicker(known, "fig5", "Sigmoid output and weights kept do not thicken strokes", thicker=False)
    for figure, how in COLLAPSING.items():
        yield _degrades(known, figure, how)
        yield _collapses(known, figure, how)
    for figure, model in BASELINES.items():
        yield _digits(known, figure, model)
    for run, how in FILTERED.items():
        yield _filtered(known, run, how)


def ratio(measure: str, run: Result) -> float:
    """The last iteration over the data."""
    return run.last[measure] / run.rows[0][measure]


def trend(measure: str, run: Result) -> float:
    """The rank correlation with the iteration, the data left out. KeyError where fewer than two have it."""
    told = measured(measure, run)
    if len(told) < 2:
        raise KeyError(measure)
    return rank_correlation(told.keys(), told.values())


def measured(measure: str, run: Result) -> dict[int, float]:
    """The iterations that have a measure, the data left out."""
    return {at: row[measure] for at, row in run.rows.items() if at and measure in row}


def stroke(run: Result) -> float:
    """How wide strokes are at the end, over those of the data: ink per length of its edge."""
    return ratio("ink", run) / ratio("edge_length", run)


def last_over(measure: str, run: Result, other: Result) -> float:
    """The last iteration of one run over the same of another."""
    return run.last[measure] / other.rows[max(run.rows)][measure]


def sheet_step(run: Result) -> float:
    """How far a sheet is from the next, on average."""
    return sum(run.steps.values()) / len(run.steps)


def sheet_step_within(run: Result) -> float:
    """The same over how far the images of one iteration are from each other."""
    parts = [step / run.rows[at]["diversity"] for at, step in run.steps.items()]
    return sum(parts) / len(parts)


def of_unseen(run: Result) -> float:
    """The share of the last images that are surely in class, over that of real images that nobody learned."""
    return run.last[IN_CLASS] / run.controls["unseen data"][IN_CLASS]


def _claim(known: Results, key: str, figure: str, says: str, checks: Iterable[Check], **more: object) -> Claim:
    shown = known.picture(figure)
    return Claim(f"{figure}-{key}", says, PAPER, figure[3:], list(checks), picture=shown, **more)  # type: ignore[arg-type]


def _more(known: Results, figure: str, names: dict[str, str]) -> Iterator[Check]:
    for measure, words in names.items():
        yield Check(
            f"{words}, over that of the data", known.over_seeds(figure, partial(ratio, measure)), "over", NOTABLE
        )


def _rises(known: Results, figure: str, names: dict[str, str]) -> Iterator[Check]:
    for measure, words in names.items():
        yield _trend(known, figure, measure, words, up=True)


def _trend(known: Results, figure: str, measure: str, words: str, *, up: bool) -> Check:
    counts = [count for run in known.runs.get(figure, ()) if (count := len(measured(measure, run))) > 1]
    bar = by_chance(min(counts, default=FIGURES[figure].iterations))
    x = known.over_seeds(figure, partial(trend, measure))
    return Check(f"{words}, rank correlation", x, "over" if up else "under", bar if up else -bar)


def _far(known: Results, figure: str) -> Claim:
    checks = list(_more(known, figure, DISTANCE))
    if figure in KNOWN:
        x = known.over_seeds(figure, partial(ratio, IN_CLASS))
        checks.append(Check("share surely in class, over that of the data", x, "under", 1 / NOTABLE))
    return _claim(known, "far", figure, f"{FIGURES[figure].title}: output leaves the data", checks)


def _farther(known: Results, figure: str) -> Claim:
    checks = list(_rises(known, figure, DISTANCE))
    if figure in KNOWN:
        checks.append(_trend(known, figure, IN_CLASS, "share surely in class", up=False))
    return _claim(known, "farther", figure, f"{FIGURES[figure].title}: it goes farther with every iteration", checks)


def _complex(known: Results, figure: str) -> Claim:
    says = f"{FIGURES[figure].title}: output is more complex than the data"
    return _claim(known, "complex", figure, says, _more(known, figure, COMPLEXITY))


def _rising(known: Results, figure: str) -> Claim:
    says = f"{FIGURES[figure].title}: complexity rises with the iterations"
    return _claim(known, "rising", figure, says, _rises(known, figure, COMPLEXITY))


def _smoother(known: Results) -> Claim:
    says = "Keeping the weights is smoother than starting anew: the same seeds change less from sheet to sheet"
    ways = {"change of a sheet": sheet_step, "the same over the diversity of a set": sheet_step_within}
    checks = [
        Check(f"{words}, starting anew over keeping", known.paired("fig3", "fig2", partial(_over, of)), "over", NOTABLE)
        for words, of in ways.items()
    ]
    return _claim(known, "smoother", "fig3", says, checks)


def _over(of: Measure, run: Result, other: Result) -> float:
    return of(run) / of(other)


def _thicker(known: Results, figure: str, says: str, *, thicker: bool) -> Claim:
    """Ink tells only where it can change; the width of a stroke is ink per length of edge."""
    toned = any(run.tone for run in known.runs.get(figure, ()))
    ways: dict[str, Measure] = {"width of strokes": stroke, **({} if toned else {"ink": partial(ratio, "ink")})}
    checks = [
        Check(
            f"{words}, over that of the data", known.over_seeds(figure, of), "over" if thicker else "at most", NOTABLE
        )
        for words, of in ways.items()
    ]
    return _claim(known, "strokes", figure, says, checks, notes=[TONE] * toned)


def _degrades(known: Results, figure: str, how: str) -> Claim:
    frechet, sure = (known.paired(figure, "fig2", partial(last_over, m)) for m in ("frechet_distance", "object_score"))
    checks = [
        Check("last Fréchet distance, over that with accumulation", frechet, "over", NOTABLE),
        Check("how sure the judge is at last, over that with accumulation", sure, "under", 1 / NOTABLE),
        _trend(known, figure, "frechet_distance", "Fréchet distance", up=True),
    ]
    return _claim(known, "degrades", figure, f"{how} output degrades", checks)


def _collapses(known: Results, figure: str, how: str) -> Claim:
    """A set can collapse to one image, to blank ones or to one class: one of them is enough."""
    toned = any(run.tone for run in known.runs.get(figure, ()))
    left = {"diversity": "diversity", "class_diversity": "diversity of classes"} | ({} if toned else {"ink": "ink"})
    checks = [
        Check(
            "share of different images", known.over_seeds(figure, lambda run: run.last["unique_share"]), "under", HALF
        ),
        Check(
            f"the same, those within {SAME} of each other taken for one",
            known.over_seeds(figure, lambda run: run.different),
            "under",
            HALF,
        ),
        Check("share of blank images", known.over_seeds(figure, lambda run: run.last["blank_share"]), "over", HALF),
        *(
            Check(f"{words}, over that of the data", known.over_seeds(figure, partial(ratio, measure)), "under", HALF)
            for measure, words in left.items()
        ),
    ]
    return _claim(known, "collapses", figure, f"{how} output collapses", checks, together="any", notes=[TONE] * toned)


def _digits(known: Results, figure: str, model: str) -> Claim:
    more = known.paired(figure, "fig2", lambda run, other: run.last[IN_CLASS] - other.last[IN_CLASS])
    checks = [
        Check("share surely in class, over that of unseen digits", known.over_seeds(figure, of_unseen), "over", HALF),
        Check("the same share, minus that of figure 2", more, "over", NOTABLE - 1),
    ]
    says = f"With {model} in place of the autoencoder, images stay digits"
    return _claim(known, "digits", figure, says, checks, together="every")


def _filtered(known: Results, name: str, how: str) -> Claim:
    """The paper names the filter as future work and does not say what it would do: this is what one is for."""
    checks = [
        Check(f"{words}, over that without", known.paired(name, "fig2", partial(last_over, measure)), "over", NOTABLE)
        for measure, words in DISTANCE.items()
    ]
    says = f"{how}: output goes farther than without the filter"
    return Claim(f"{name}-farther", says, PAPER, "future work", checks, picture=known.picture(name))
