"""The command of the picture of all ways out of the data: trade-off."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from .. import datasets, hub, judges
from ..creative import stored as decoders
from ..diverge import presets
from ..diverge import trade_off as drawing
from ..diverge.divergent_fine_tuning import feedback, fine_tune
from ..diverge.external_knowledge import between, follow
from ..diverge.gauge import MEASURES, gauge
from ..diverge.snapshots import Snapshot
from ..diverge.table import table
from ..diverge.trade_off import Seeds, Way
from ..header import strict_json
from ..index import of_kind
from ..kaleidoscopes import ink
from ..kaleidoscopes import stored as kaleidoscopes
from ..models.judge import DIGITS
from ..store import to_json, write
from ..tree import fetch, read_index
from .command import command, source

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
        images, judge = datasets.load(subject.sample).images, judges.load(args.source, subject.judge)
        out = [*drawing.landmarks(images), *ways(args.source, subject, start)]
        by = gauge(judge, images, subject.classes, decoders.load(args.source, subject.decoder).model.reconstruct)
        rows = list[dict[str, Any]]()
        for way in tqdm(out, subject.title, disable=args.json, unit="way"):
            rows += drawing.measured([way], by, groups)
        found[subject.title] = rows
    curves = {title: drawing.curves(rows) for title, rows in found.items()}
    said = {"images": args.images, "groups": args.groups, "seed": start, "measures": MEASURES, "curves": curves}
    write(args.out.with_suffix(".json"), to_json(said))
    write(args.out.with_suffix(".png"), ink.png(drawing.figure(curves)))
    tables = [f"## {title}\n\n{table(own)}\n" for title, own in curves.items()]
    write(args.out.with_suffix(".md"), "\n".join(tables).encode())
    return {"picture": str(args.out.with_suffix(".png")), "ways": {title: len(own) for title, own in curves.items()}}


def ways(source: str, subject: Subject, seed: int = 0) -> Iterator[Way]:
    """Every way there is for what learned one data set."""
    trained = decoders.load(source, subject.decoder)
    k = kaleidoscopes.load(source, subject.kaleidoscope)
    others = datasets.load(subject.other).images
    yield from _systems(source, subject, trained, k)
    tuned = list(fine_tune(trained.model, others, STEPS, seed=seed))
    yield from _operators(source, subject, trained.model, tuned[-1].model, k.model)
    yield drawing.trained("fine-tuning", tuned, "data", data=True)
    fed = feedback(tuned[3].model, ROUNDS, count=500, steps=30, rate=0.3, seed=seed)
    yield drawing.trained("feedback", fed, "data")
    judge = judges.load(source, subject.judge)
    led = follow(trained.model, judge.features, between(judge, *subject.steer), LED, seed=seed)
    yield drawing.trained(f"external knowledge, {subject.steer[0]} to {subject.steer[1]}", led)
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
            yield drawing.trained(said["method"], kept, data=bool(said["data"]))


def _systems(source: str, subject: Subject, trained: Any, k: Any) -> Iterator[Way]:
    def decoded(seeds: Seeds, **change: Any) -> Tensor:
        return decoders.decode(trained, seeds, replace(trained.how, **change)).images

    def runs(seeds: Seeds) -> list[Tensor]:
        states = list(islice(kaleidoscopes.stream(k, seeds), RUNS[-1] + 1))
        return [states[run] for run in RUNS]

    def stirred(seeds: Seeds) -> Iterator[Tensor]:
        streams = (kaleidoscopes.stream(k, seeds, perturbation=by) for by in STIRRINGS)
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
    for edit in presets.BENDS["VAE"]:
        shares = (0.1, 0.25, 0.5, 1.0)
        yield _rows(edit.transform, "activations", partial(presets.bending, vae, edit=edit, strengths=shares), shares)
    judge = judges.load(source, subject.judge)
    one, other = subject.write
    few = (0.02, 0.05, 0.1, 0.3)
    yield _rows("blending", "weights", partial(presets.blending, vae, tuned), (0.25, 0.5, 0.75, 1.0, 1.5))
    yield _rows("blending by depth", "weights", partial(presets.ramping, vae, tuned), (0.25, 0.5, 0.75))
    for kind in ("flip", "swap"):
        yield _rows(f"glitch, {kind}", "weights", partial(presets.glitching, vae, kind=kind), few)
    rewritten = partial(
        presets.rewriting,
        vae,
        labels=lambda x: judge.probabilities(x).argmax(1),
        layer="decoder.3",
        one=one,
        other=other,
    )
    yield _rows("rewriting", "weights", rewritten, (0.5, 1.0, 2.0, 4.0))
    repainted = partial(presets.repainting, vae, paint=_bar, layer="decoder.6")
    yield _rows("repainting", "weights", repainted, (0.5, 1.0, 2.0, 4.0))
    if subject.run:
        last = [hub.load(source, subject.run, number) for number in _learned(source, subject.run)[-2:]]
        yield _rows("beyond the last iteration", "weights", partial(presets.beyond, last), (0.5, 1.0, 2.0, 4.0))
    yield _rows("chained to a kaleidoscope", "output", partial(presets.chaining, vae, manifold), (1, 3, 10, 30))
    search = partial(presets.searching, vae, features=vae.encode)
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


def declare(commands: Any) -> None:
    """Declare it."""
    add = command(commands, trade_off, EPILOG)
    source(add)
    add("--images", type=int, default=64, help="in a group of seeds (default: 64)")
    add("--groups", type=int, default=5, help="of seeds, over which intervals are (default: 5)")
    add("--out", type=Path, required=True, help="trade_off: .png, .json and .md are added")
