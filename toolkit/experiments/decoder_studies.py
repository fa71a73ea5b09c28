"""Eight small studies of creative decoders: what the paper leaves for later, and a baseline that it names.

Each measures one network at a time, those of table 1; networks from several seeds are then put together. Two train
their own: `capacity` wider networks, briefly, and `autonomy` a classifier, over and over. OUT/creative/STUDY.json
is a result and STUDY.png its picture; the parts lie beside the networks, or in OUT/creative/capacity.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from io import BytesIO
from itertools import product
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from .. import __version__, hub, plot, train
from .. import data as datasets
from ..cli import arg, command
from ..data import Dataset
from ..hub import Trained, decode, decode_all
from ..metrics import diversity
from ..metrics.distance import encoder_distance, nearest
from ..metrics.scan import STATISTICS, auc, empirical_p_values, group_scan, scan
from ..metrics.stats import Interval, interval, rank_correlation
from ..models import Judge, create
from ..models.classifier import LabelledBatches
from ..plot import markdown_table
from ..presets import preset
from ..runs import write
from ..samplers import METHODS, Creative, Statistics, activation_statistics, codes, hooked
from ..samplers.creative import (
    at_seam,
    band_of,
    between,
    decode_alone,
    decode_from,
    procrustes,
    pruned,
    splice,
    strongest,
)
from ..seeds import child
from ..train import Shuffled, fit, linear
from . import table1
from .common import kept_part, number
from .table1 import OF_STUDY, REFERENCE, edge_per_ink, gain_moving, measured, paired, together

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLOTHES = "creative-fashion"
CLASSIFIERS = {REFERENCE: "judge-digits", CLOTHES: "judge-fashion"}
Found = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much is measured. samples: pictures of each method. background: usual pictures of a scan.

    tastes: seeds of the loops of `autonomy`; rounds, proposals, accepted: of a loop; lessons: steps of its classifier
    after each round. widths, dropouts, seeds, steps: of `capacity`, with batches of `batch`.
    """

    networks: int = 3
    samples: int = 500
    every: int = 6  # of the training images, for statistics that are taken anew
    background: int = 2000
    tastes: int = 5
    rounds: int = 8
    proposals: int = 200
    accepted: int = 20
    lessons: int = 30
    widths: tuple[int, ...] = (1000, 2000, 4000)
    dropouts: tuple[float, ...] = (0.0, 0.1, 0.3)
    seeds: int = 3
    steps: int = 600
    batch: int = 64


OF_CAPACITY = ("networks", "widths", "dropouts", "seeds", "steps", "batch")  # not of what is measured of one network
SIZES = {
    "cpu": Sizes(),
    "smoke": Sizes(networks=2, samples=24, every=1, background=30, tastes=1, rounds=2, proposals=12, accepted=3,
                   lessons=2, widths=(60, 90), dropouts=(0.0,), seeds=2, steps=20),
}  # fmt: skip


@dataclass(frozen=True)
class Study:
    """A study of the networks of a folder of runs. what: its name in `STUDIES`; changes: of the presets' settings."""

    what: str
    out: Path
    scale: str = "cpu"
    sizes: Sizes = Sizes()
    changes: dict[str, Any] = field(default_factory=dict)
    root: Path | None = None
    device: str = "cpu"
    quiet: bool = False

    def __call__(self) -> Path:
        """Do what is not done yet, and return the file of the result. Raises what training and `decode` raise."""
        about, path = STUDIES[self.what], self.out / "creative" / f"{self.what}.json"
        if self.what == "capacity":
            result = capacity(self)
            picture = _capacity_figure(result)
        else:
            self.table1.prepare(sorted({REFERENCE, *about.decoders, *about.others}))
            numbers = range(1, self.sizes.networks + 1)
            parts = {name: [self._measure(Network(self, name, at)) for at in numbers] for name in about.decoders}
            result = {"sets": {name: together(rows) for name, rows in parts.items()}}
            picture = about.figure(result, Network(self, about.decoders[0], 1))
        head = {"toolkit": __version__, "study": self.what, "scale": self.scale, "sizes": vars(self.sizes)}
        write(path, {**head, **result})
        write(path.with_suffix(".png"), _png(picture))
        return path

    @property
    def table1(self) -> table1.Study:
        sizes = replace(table1.SIZES[self.scale], networks=self.sizes.networks)
        return table1.Study(self.out, self.scale, sizes, self.changes, self.root, self.device, self.quiet)

    def _measure(self, it: "Network") -> Found:
        """All that is measured of one network: read, if it was measured before at these sizes."""

        def measure() -> Found:
            start = process_time()
            found = STUDIES[self.what].measure(it)
            return {"found": found, "core_seconds": process_time() - start}

        path = self.out / it.name / f"iter_{it.at:03d}" / f"{self.what}.json"
        settings = {name: value for name, value in vars(self.sizes).items() if name not in OF_CAPACITY}
        kept = kept_part(path, "sizes", settings, measure)
        return {**kept["found"], "core_seconds": kept["core_seconds"]}


@dataclass(frozen=True)
class Network:
    """One network of a study, with its data and the shipped classifier of such data."""

    study: Study
    name: str
    at: int

    @cached_property
    def trained(self) -> Trained:
        return self.study.table1.load(self.name, self.at)

    @property
    def model(self) -> Any:
        return self.trained.model

    @property
    def statistics(self) -> Statistics:
        """Those of the last hidden layer."""
        return self.trained.statistics[max(self.trained.statistics)]

    @property
    def sizes(self) -> Sizes:
        return self.study.sizes

    @property
    def seeds(self) -> range:
        return range(self.sizes.samples)

    def how(self, method: str) -> Creative:
        """The calibrated settings of a method."""
        return replace(self.trained.how, method=method)

    def moving(self, method: str, far: float) -> Creative:
        """A method whose gain moves pictures so far on average."""
        return moving(self.trained, self.how(method), far, self.seeds)

    @property
    def images(self) -> Tensor:
        """What it learned: uint8 (N, C, H, W)."""
        limit = preset(self.name, self.study.scale, **self.study.changes).images
        return _data(self.trained.data, self.study.root, "train", limit).images.to(self.study.device)

    def unseen(self, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Images that it did not learn, (n, C, H, W) in [0, 1], and their labels (n,); of a sample, those it did."""
        found = _data(self.trained.data, self.study.root, "test", limit)
        if found.labels is None:
            raise ValueError(f"{found.name} has no labels: give a data set that has")
        return found.images.to(self.study.device).float() / 255, found.labels.to(self.study.device)

    @cached_property
    def classifier(self) -> Judge:
        return hub.load_classifier(hub.CHECKPOINTS, CLASSIFIERS[self.name], device=self.study.device)


@cache
def _data(name: str, root: Path | None, split: str, limit: int | None) -> Dataset:
    return datasets.load(name, root=root, split=split, limit=limit)


def moving(trained: Trained, how: Creative, far: float, seeds: Sequence[int]) -> Creative:
    """The settings with the gain that moves pictures so far on average; with the largest, where none does."""
    try:
        return replace(how, gain=gain_moving(trained, seeds[:200], how, far))
    except ValueError:
        return replace(how, gain=table1.LARGEST)


def kinds(it: Network) -> tuple[Tensor, Tensor, Tensor]:
    """Neurons of the last layer: low-active, as many others that live, by chance, and the living, most active first.

    Low-active are at most half of the living, so that there are others.
    """
    statistics = it.statistics
    alive = (~statistics.dead).nonzero()[:, 0]
    band = band_of(statistics, it.how("low-active")).nonzero()[: len(alive) // 2, 0]
    others = alive[~torch.isin(alive, band)]
    others = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(it.at))]
    return band, others[: len(band)], alive[statistics.active[alive].argsort(descending=True)]


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm of each image: (B, C, H, W) -> (B,)."""
    return x.flatten(1).norm(dim=1)


def mean(x: Tensor) -> float:
    """The mean of all values, taken in double precision."""
    return x.double().mean().item()


def sure(classifier: Judge, x: Tensor) -> Tensor:
    """The probability of the likeliest class, (B,)."""
    with torch.no_grad():
        return classifier.probabilities(x).amax(1)


def named(classifier: Judge, x: Tensor) -> Tensor:
    """The likeliest class, (B,)."""
    with torch.no_grad():
        return classifier(x).argmax(1)


# 1. Interpolation: the baseline that the paper tried.

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def pairs_of_classes(it: Network) -> tuple[Tensor, Tensor]:
    """As many pairs of unseen images as there are samples, of two classes each: two batches."""
    x, labels = it.unseen()
    draw = torch.Generator().manual_seed(child(0, "pairs"))
    first, other = (torch.randint(len(x), (3 * it.sizes.samples,), generator=draw) for _ in range(2))
    good = (labels[first] != labels[other]).nonzero()[: it.sizes.samples, 0]
    return x[first[good]], x[other[good]]


def interpolation(it: Network) -> Found:
    """What lies between two images' codes, beside the methods of table 1, at their gain and equally far away.

    displacement: of an interpolated picture, from the nearer of the two reconstructions.
    """
    a, b = pairs_of_classes(it)
    with torch.no_grad():
        za, zb = it.model.encode(a), it.model.encode(b)
        ends = it.model.decode(za), it.model.decode(zb)
    found: Found = {}
    for way in ("linear", "spherical"):
        for share in SHARES:
            with torch.no_grad():
                x = it.model.decode(between(za, zb, share, spherical=way == "spherical"))
            found.setdefault(way, {})[f"{share:g}"] = {
                "distance": mean(encoder_distance(it.model, x)), "edge_per_ink": mean(edge_per_ink(x)),
                "confidence": mean(sure(it.classifier, x)),
                "displacement": mean(torch.minimum(*(norm(x - end) for end in ends))),
            }  # fmt: skip
    half = found["linear"]["0.5"]
    methods = {method: _measures(it, it.how(method)) for method in METHODS}
    moved = {method: _measures(it, it.moving(method, half["displacement"])) for method in ("low-active", "random")}
    regular, random = (methods[method]["distance"] for method in ("regular", "random"))
    ways = {way: (found[way]["0.5"]["distance"] - regular) / (random - regular) for way in ("linear", "spherical")}
    return {"ways": found, "methods": methods, "at equal displacement": moved, "of the way to random": ways}


def _measures(it: Network, how: Creative) -> dict[str, float]:
    values = measured(it.trained, how, it.sizes.samples)
    x = decode(it.trained, it.seeds, how).images
    names = ("distance", "displacement", "edge_per_ink")
    return {name: mean(values[name]) for name in names} | {"confidence": mean(sure(it.classifier, x))}


def _interpolation_figure(result: Found, it: Network) -> "Figure":
    a, b = pairs_of_classes(it)
    with torch.no_grad():
        za, zb = it.model.encode(a[:6]), it.model.encode(b[:6])
        states = [it.model.decode(between(za, zb, share)) for share in torch.linspace(0, 1, 9).tolist()]
    drawing = plot.figure(8.6, 2.7, "Between the codes of two digits there are only digits, and blends of them", dpi=90)
    left, right = drawing.subplots(1, 2, width_ratios=(1.5, 1))
    show(left, torch.stack(states, 1).flatten(0, 1), 9)
    found = next(iter(result["sets"].values()))
    for way, dash in (("linear", "-"), ("spherical", ":")):
        right.plot(SHARES, [found["ways"][way][f"{s:g}"]["distance"]["mean"] for s in SHARES], dash, color="black",
                   marker="o", ms=3, label=way)  # fmt: skip
    for method, color in COLOURS.items():
        right.axhline(found["methods"][method]["distance"]["mean"], color=color, lw=1)
        height = found["methods"][method]["distance"]["mean"] + {"noisy": 0.12, "regular": -0.12}.get(method, 0)
        right.text(1.04, height, method, fontsize=8, va="center", color=color)
    far = found["at equal displacement"]["random"]["distance"]["mean"]
    right.plot([0.5], [far], "x", color=COLOURS["random"], label="random, as far away")
    right.set(ylim=(0, None), xlim=(-0.03, 1.03))
    plot.plain(right, "reconstruction distance").set_xlabel("share of the way", fontsize=8)
    right.legend(fontsize=7, frameon=False, loc="center left")
    return drawing


COLOURS = {"low-active": "C3", "random": "C2", "noisy": "C0", "regular": "0.5"}


# 2. Calibration by the paper's distance, and by its ratio.


def calibration(it: Network) -> Found:
    """The methods at the gain by which random has the paper's distance, and at that by which it has the paper's ratio.

    The ratio is that of random to regular. times_peak: what a neuron is switched on at, over its largest activation.
    """
    paper = table1.TABLE1.get(it.trained.data, table1.TABLE1["mnist"])
    random, regular = it.how("random"), measured(it.trained, it.how("regular"), it.sizes.samples)["distance"]
    ratio = paper["random"].distance / paper["regular"].distance
    found: Found = {}
    for way, target in (("absolute", paper["random"].distance), ("ratio", ratio * mean(regular))):
        gain = table1.gain_for(it.trained, it.seeds, random, target)
        values = {method: measured(it.trained, replace(it.how(method), gain=gain), it.sizes.samples)
                  for method in METHODS}  # fmt: skip
        moved = it.moving("random", mean(values["low-active"]["displacement"]))
        equal = measured(it.trained, moved, it.sizes.samples)["distance"]
        low, chance = (values[method]["distance"] for method in ("low-active", "random"))
        found[way] = {
            "gain": gain,
            "times_peak": times_peak(it, replace(it.how("low-active"), gain=gain)),
            "distance": {method: mean(each["distance"]) for method, each in values.items()},
            "displacement": {method: mean(each["displacement"]) for method, each in values.items()},
            "low-active over random": mean(low) / mean(chance),
            "low-active - random": paired(low, chance),
            "low-active - random, at equal displacement": paired(low, equal),
        }
    return found


def times_peak(it: Network, how: Creative) -> float:
    """What the chosen neurons are switched on at, over the largest activation of each in the data, on average."""
    statistics = it.statistics
    chosen = decode(it.trained, it.seeds, how).neurons
    on = how.gain * (statistics.mean + how.deviations * statistics.std) / statistics.peak
    return mean(on[chosen[chosen >= 0]])


def _calibration_figure(result: Found, it: Network) -> "Figure":
    drawing = plot.figure(8.6, 2.9, "The gain by the paper's distance, and by its ratio", dpi=90)
    left, right = drawing.subplots(1, 2, width_ratios=(1, 1.7))
    found = next(iter(result["sets"].values()))
    for place, way in enumerate(("absolute", "ratio")):
        for method, color in COLOURS.items():
            dot(left, place + 0.1 * list(COLOURS).index(method) - 0.15, found[way]["distance"][method], color,
                method if place == 0 else None)  # fmt: skip
    left.set(ylim=(0, None), xlim=(-0.5, 1.5))
    ways = [f"{way}\ngain {found[way]['gain']['mean']:.1f}" for way in ("absolute", "ratio")]
    left.set_xticks([0, 1], ways, fontsize=8)
    plot.plain(left, "reconstruction distance").legend(fontsize=7, frameon=False)
    pictures = decode_all(it.trained, range(9))
    low = replace(it.how("low-active"), gain=found["ratio"]["gain"]["mean"])
    rows = [pictures["regular"], decode(it.trained, range(9), low).images, pictures["low-active"]]
    show(right, torch.cat(rows), 9, ["regular", "by the ratio", "by the distance"])
    return drawing


# 3. Pruning.


def pruning(it: Network) -> Found:
    """What is lost without the low-active neurons, without as many others by chance, without the most active.

    error: norm of what is missed of an unseen image. low-active: such decoding with the neurons that are left.
    """
    band, others, by_activity = kinds(it)
    sets = {"nothing": band[:0], "low-active": band, "by chance": others,
            "most active": by_activity[: len(band)]}  # fmt: skip
    x, labels = it.unseen(5 * it.sizes.samples)
    found: Found = {"neurons": float(len(band))}
    whole: Tensor = torch.empty(0)
    far = 0.0
    for name, neurons in sets.items():
        with pruned(it.model, neurons), torch.no_grad():
            drawn = it.model(x)
            error = norm(x - drawn)
            left = activation_statistics(it.model, codes(it.model, it.images[:: it.sizes.every]))
            trained = replace(it.trained, statistics={left.layer: left})
            low = measured(trained, it.how("low-active"), it.sizes.samples)
            if name == "nothing":
                whole, far = error, mean(low["displacement"])
            moved = measured(trained, moving(trained, it.how("low-active"), far, it.seeds), it.sizes.samples)
        found[name] = {
            "error": mean(error),
            "error over whole": mean(error) / mean(whole),
            "more error": paired(error, whole),
            "accuracy": mean((named(it.classifier, drawn) == labels).float()),
            "low-active": {name: mean(low[name]) for name in AFTER},
            "low-active at equal displacement": {name: mean(moved[name]) for name in AFTER},
        }
    return found


AFTER = ("distance", "displacement", "added_edge_per_ink")


def _pruning_figure(result: Found, it: Network) -> "Figure":
    names, found = ("nothing", "low-active", "by chance", "most active"), next(iter(result["sets"].values()))
    drawing = plot.figure(8.6, 2.4, f"Without {found['neurons']['mean']:.0f} neurons of a layer of 1,000", dpi=90)
    panels = drawing.subplots(1, 3)
    parts = [("error", "error of reconstruction"), ("accuracy", "named rightly afterwards"),
             ("low-active", "D_r of low-active decoding afterwards")]  # fmt: skip
    for panel, (key, words) in zip(panels, parts, strict=True):
        for place, name in enumerate(names):
            value = found[name][key]["distance"] if key == "low-active" else found[name][key]
            dot(panel, place, value, "black")
            panel.text(place, value["mean"] * 1.06, f"{value['mean']:.2f}", ha="center", fontsize=8)
        panel.set_xticks(range(4), names, fontsize=7)
        panel.set(xlim=(-0.5, 3.5), ylim=(0, 1.25 * value["mean"]))
        plot.plain(panel, words)
    return drawing


# 4. Memory.

REMEMBERED = 9


def memory(it: Network) -> Found:
    """Whether a neuron, decoded alone, draws the nine training images that fire it most; of others, by chance.

    hit: the nearest training image is one of the nine; likeness: the share of training images that are less like it
    than one of the nine is, by correlation of pixels. shuffled: the nine of another neuron of the same kind.
    """
    band, others, _ = kinds(it)
    return {kind: _remembered(it, neurons) for kind, neurons in (("low-active", band), ("others", others))}


def _remembered(it: Network, neurons: Tensor) -> Found:
    images = it.images
    _, rows = strongest(it.model, codes(it.model, images), neurons, REMEMBERED)
    alone = decode_alone(it.model, it.statistics, neurons)
    near = nearest(alone, images)[1][:, 0]
    hit = (near[:, None, None] == rows).any(2).double()  # (n, n): of each neuron, in the nine of each
    place = like(alone, images).double().argsort(1).argsort(1) / (len(images) - 1)
    likeness = place[:, rows].mean(2)  # the same
    own = torch.eye(len(neurons), dtype=torch.bool)
    return {
        name: {"own": mean(table[own]), "shuffled": mean(table[~own]),
               "own - shuffled": interval((table[own] - _row_means(table, ~own)).tolist())}
        for name, table in (("hit", hit), ("likeness", likeness))
    }  # fmt: skip


def _row_means(table: Tensor, where: Tensor) -> Tensor:
    return (table * where).sum(1) / where.sum(1)


def like(x: Tensor, images: Tensor) -> Tensor:
    """Correlation of the pixels of images (B, C, H, W) and uint8 ones (N, C, H, W): (B, N)."""
    x = _standard(x)
    return torch.cat([x @ _standard(part.float()).T for part in images.split(10_000)], 1)


def _standard(x: Tensor) -> Tensor:
    flat = x.flatten(1)
    return torch.nn.functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)


def _memory_figure(result: Found, it: Network) -> "Figure":
    band, *_ = kinds(it)
    few = band[:: max(1, len(band) // 8)][:8]
    _, rows = strongest(it.model, codes(it.model, it.images), few, REMEMBERED)
    added = decode_alone(it.model, it.statistics, few) - decode_from(
        it.model, torch.zeros_like(it.statistics.peak)[None]
    )
    added = added.clamp_min(0) / added.amax((1, 2, 3), keepdim=True)
    pictures = torch.cat([added[:, None], it.images[rows].float() / 255], 1).flatten(0, 1)
    title = "What a low-active neuron adds when it alone is on, and the nine digits that fire it most"
    drawing = plot.figure(8.0, 3.2, title, dpi=90)
    left, right = drawing.subplots(1, 2, width_ratios=(1.5, 1))
    show(left, pictures, 1 + REMEMBERED)
    found = next(iter(result["sets"].values()))
    labels = []
    for place, (kind, whose) in enumerate(product(("low-active", "others"), ("own", "shuffled"))):
        dot(right, place, found[kind]["likeness"][whose], "C3" if whose == "own" else "0.5")
        labels.append(f"{kind}\n{whose} nine")
    right.axhline(0.5, color="black", lw=0.6, ls=":")
    right.set_xticks(range(4), labels, fontsize=7)
    right.set(xlim=(-0.5, 3.5), ylim=(0.4, 1))
    plot.plain(right, "training images that are less like it")
    return drawing


# 5. Capacity: wider networks, trained briefly.

FAR = 7.0  # the displacement at which groupings are compared: that of low-active decoding in table 1
SELDOM = 0.05  # a neuron that is on for fewer of the images counts as seldom active


def capacity(study: Study) -> Found:
    """Networks of several widths, dropouts and seeds: neurons that are dead or seldom on, and what grouping does."""
    s, images = study.sizes, _data(study.changes.get("data", "mnist"), study.root, "train", None).images
    cases = list(product(range(s.seeds), s.widths, s.dropouts))  # a seed is whole before the next
    rows: dict[str, list[Found]] = {}
    for seed, width, dropout in tqdm(cases, desc="capacity", disable=study.quiet):
        path = study.out / "creative" / "capacity" / f"{width}_{dropout:g}_{seed}.json"
        settings = {"width": width, "dropout": dropout, "seed": seed, "steps": s.steps, "batch": s.batch,
                    "samples": s.samples}  # fmt: skip

        def measure(settings: Mapping[str, Any] = settings) -> Found:
            return _capacity_of(images, study.device, **settings)

        found = kept_part(path, "settings", settings, measure)
        rows.setdefault(f"{width} units, dropout {dropout:g}", []).append(found["found"])
    wide, narrow = (_of_width(rows, width) for width in (s.widths[-1], s.widths[0]))
    changes = {name: interval([b[name] - a[name] for a, b in zip(narrow, wide, strict=True)]) for name in CHANGES}
    return {"cases": {case: together(found) for case, found in rows.items()}, "widest - narrowest": changes}


CHANGES = ("dead share", "seldom share", "regular distance", "grouping, edge per ink", "grouping, distance")


def _of_width(rows: Mapping[str, list[Found]], width: int) -> list[dict[str, float]]:
    """Its networks, with intervals over codes as their means."""
    found = [row for case, each in rows.items() if case.startswith(f"{width} ") for row in each]
    return [{name: it["mean"] if isinstance(it := row[name], dict) else it for name in CHANGES} for row in found]


def _capacity_of(
    images: Tensor, device: str, width: int, dropout: float, seed: int, steps: int, batch: int, samples: int
) -> Found:
    start = process_time()
    options = {"widths": (width, 500, 250), "dropout": dropout, "channels": images.shape[1], "size": images.shape[2]}
    model: Any = create("VAE", options, seed=child(seed, "capacity")).to(device)
    batches = Shuffled(images, batch=batch, seed=child(seed, "capacity"))
    model = fit(model, batches, steps=steps, decay=linear, seed=child(seed, "capacity"))
    trained_in = process_time() - start
    few = images[:: max(1, len(images) // 10_000)][:10_000]
    statistics = activation_statistics(model, codes(model, few))
    trained = Trained("capacity", "", "", model, {statistics.layer: statistics}, Creative())
    seeds, alive = range(min(samples, 200)), ~statistics.dead
    values = {}
    for cell in ("band, grouped", "band, by chance", "any, by chance"):
        how = Creative(**table1.CELLS[cell])
        values[cell] = measured(trained, moving(trained, how, FAR, seeds), len(seeds))
    grouped, chance, random = values.values()
    measures = {"distance": "distance", "edge per ink": "added_edge_per_ink"}
    found: Found = {
        "dead": float(statistics.dead.sum()),
        "dead share": mean(statistics.dead.float()),
        "band": float(band_of(statistics, Creative()).sum()),
        "seldom": float((alive & (statistics.active < SELDOM)).sum()),
        "seldom share": mean((alive & (statistics.active < SELDOM)).float()),
        "regular distance": mean(measured(trained, Creative(method="regular"), samples)["distance"]),
        "low-active distance": mean(grouped["distance"]),
        "random distance": mean(random["distance"]),
        **{f"grouping, {words}": paired(grouped[name], chance[name]) for words, name in measures.items()},
    }
    return {"found": {**found, "core_seconds": process_time() - start, "training_core_seconds": trained_in}}


def _capacity_figure(result: Found) -> "Figure":
    parts = {"dead share": "dead, share", "seldom share": "on for under 5 %, share",
             "regular distance": "D_r, regular", "grouping, edge per ink": "grouping: edge per ink"}  # fmt: skip
    drawing = plot.figure(8.6, 2.5, "More capacity, after a short training", dpi=90)
    panels = drawing.subplots(1, len(parts))
    cases = [(int(case.split()[0]), case.rpartition(" ")[2], found) for case, found in result["cases"].items()]
    dropouts = list(dict.fromkeys(dropout for _, dropout, _ in cases))
    for panel, (key, words) in zip(panels, parts.items(), strict=True):
        for line, dropout in enumerate(dropouts):
            own = [(width, found[key]) for width, its, found in cases if its == dropout]
            for width, value in own:
                dot(panel, width * 1.04**line, value, f"C{line}")
            panel.plot([width * 1.04**line for width, _ in own], [it["mean"] for _, it in own], color=f"C{line}", lw=1,
                       label=f"dropout {dropout}")  # fmt: skip
        panel.set_xscale("log")
        widths = sorted({width for width, _, _ in cases})
        panel.set_xticks(widths, [f"{width:,}" for width in widths], fontsize=7)
        panel.minorticks_off()
        plot.plain(panel, words)
    panels[0].legend(fontsize=7, frameon=False)
    return drawing


# 6. Autonomy: a loop whose standard moves.


def autonomy(it: Network) -> Found:
    """How far a standard that moves parts from one that stays, over loops of several seeds.

    A loop proposes low-active decodings and accepts those that are farthest from its archive among the half that its
    classifier is surest of. Fixed: archive and classifier stay. Moving: what was accepted is archived, and the
    classifier is trained on, with what it took it for, beside digits. Control: the classifier is trained on as long,
    on digits alone.
    """
    rows = []
    for seed in range(it.sizes.tastes):
        arms = loops(it, seed)
        rows.append({arm: {name: value for name, value in arms[arm].items() if name != "gallery"} for arm in ARMS})
    found: Found = {
        arm: {name: float(np.mean([row[arm][name] for row in rows])) for name in rows[0][arm]} for arm in ARMS
    }
    found["control - moving"] = less(found["control"], found["moving"])
    return found


def less(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Each number of a minus that of b."""
    return {name: a[name] - b[name] for name in a}


ARMS = ("fixed", "moving", "control")


def loops(it: Network, seed: int) -> dict[str, Found]:
    """The three loops of one seed, on the same proposals: what each accepted, and how its taste is in the end.

    agreement: rank correlation with the fixed taste over proposals that no loop saw; shared: of what the fixed one
    accepted, the share that is in it too; surer: of what was accepted, by the first classifier and by the last.
    """
    s = it.sizes
    base = child(seed, "autonomy") % 2**30
    first, size = it.classifier, 3 * len(it.classifier.config.classes)
    known = _data(it.trained.data, it.study.root, "train", 2000)
    unseen = decode(it.trained, range(base, base + s.proposals), it.how("low-active")).images
    found: dict[str, Found] = {}
    for arm in ARMS:
        classifier, archive, gallery, chosen = first, known.images[:1000].float() / 255, [], set[int]()
        for number_of_round in range(1, s.rounds + 1):
            start = base + number_of_round * s.proposals
            x = decode(it.trained, range(start, start + s.proposals), it.how("low-active")).images
            best = _score(classifier, archive, x).topk(s.accepted).indices
            chosen |= {start + k for k in best.tolist()}
            gallery.append(x[best])
            if arm == "fixed":
                continue
            if arm == "moving":
                archive = torch.cat([archive, x[best]])
            extra = torch.cat(gallery) if arm == "moving" else None
            classifier = _taught(classifier, known, extra, s.lessons, child(base, arm, number_of_round), max(size, 60))
        whole = torch.cat(gallery)
        found[arm] = {
            "gallery": whole,
            "score": _score(classifier, archive, unseen),
            "chosen": chosen,
            "diversity": diversity(whole),
            "distance": mean(encoder_distance(it.model, whole)),
            "surer first": mean(sure(first, whole)),
            "surer last": mean(sure(classifier, whole)),
        }
    fixed = found["fixed"]
    scores, accepted = fixed["score"].tolist(), fixed["chosen"]
    for arm in ARMS:
        own = found[arm]
        own["agreement"] = rank_correlation(scores, own.pop("score").tolist())
        own["shared"] = len(accepted & own.pop("chosen")) / len(accepted)
    return found


def _score(classifier: Judge, archive: Tensor, x: Tensor) -> Tensor:
    """Novelty of the half that the classifier is surest of, (B,); the others follow in order of how sure it is."""
    coherent = sure(classifier, x)
    novel = nearest(x, archive)[0][:, 0]
    return novel.where(coherent >= coherent.median(), coherent - 1)


def _taught(classifier: Judge, known: Dataset, extra: Tensor | None, steps: int, seed: int, batch: int) -> Judge:
    """The classifier, trained on with digits, half of them replaced by accepted pictures as it takes them."""
    images, labels = known.images, known.labels
    assert labels is not None
    if extra is not None:
        times = -(-len(images) // len(extra))
        images = torch.cat([images, (255 * extra).round().byte().repeat(times, 1, 1, 1)])
        labels = torch.cat([labels, named(classifier, extra).repeat(times)])
    classes = classifier.config.classes
    return fit(classifier, LabelledBatches(images, labels, classes, batch=batch, seed=seed), steps=steps, seed=seed)


def _autonomy_figure(result: Found, it: Network) -> "Figure":
    found = loops(it, 0)
    drawing = plot.figure(8.6, 3.0, "What a fixed taste accepts, and one that moves", dpi=90)
    one, other, right = drawing.subplots(1, 3, width_ratios=(1, 1, 1.1))
    for panel, arm in ((one, "fixed"), (other, "moving")):
        show(panel, found[arm]["gallery"][-64:], 8)
        panel.set_title(arm, fontsize=9, loc="left")
    whole = next(iter(result["sets"].values()))
    for place, arm in enumerate(ARMS):
        dot(right, place - 0.1, whole[arm]["agreement"], "C3", "agreement with the fixed taste" if not place else None)
        dot(right, place + 0.1, whole[arm]["shared"], "C0", "of its choices shared" if not place else None)
    right.set_xticks(range(3), ARMS, fontsize=8)
    right.set(xlim=(-0.5, 2.5), ylim=(0, 1.05))
    plot.plain(right, "").legend(fontsize=7, frameon=False, loc="lower left")
    return drawing


# 7. Subset scanning, a surrogate for people's opinion.


def scanning(it: Network) -> Found:
    """How well a scan over the encoder's activations tells low-active pictures from those of other methods: AUC.

    Beside it the same by D_r. random, as far: at the gain that moves pictures as far as low-active decoding. regular:
    other regular pictures than the background; regular against regular is the control.
    """
    n, background = it.sizes.samples, it.sizes.background
    usual = encoder_activations(
        it.model, decode(it.trained, range(10**6, 10**6 + background), it.how("regular")).images
    )
    settings = {method: it.how(method) for method in METHODS}
    values = measured(it.trained, settings["low-active"], n)
    settings["random, as far"] = it.moving("random", mean(values["displacement"]))
    pictures = {name: decode(it.trained, it.seeds, how).images for name, how in settings.items()}
    pictures["regular again"] = decode(it.trained, range(n, 2 * n), settings["regular"]).images
    p = {name: empirical_p_values(encoder_activations(it.model, x), usual) for name, x in pictures.items()}
    scores = {statistic: {name: scan(each, statistic)[0] for name, each in p.items()} for statistic in STATISTICS}
    scores["D_r"] = {name: encoder_distance(it.model, x).double() for name, x in pictures.items()}
    found: Found = {
        by: {f"low-active, {name}": auc(each["low-active"], each[name]) for name in each if name != "low-active"}
        | {"regular, regular": auc(each["regular again"], each["regular"])}
        for by, each in scores.items()
    }
    half = n // 2
    for name in ("low-active", "regular again"):
        _, rows, neurons = group_scan(torch.cat([p["regular"][:half], p[name][:half]]))
        found[f"group, {name}"] = {
            "found": mean(rows[half:].float()), "wrongly": mean(rows[:half].float()),
            "neurons": mean(neurons.float()),
        }  # fmt: skip
    return found


def encoder_activations(model: Any, x: Tensor) -> Tensor:
    """What every hidden unit of a VAE's encoder gives for images (B, C, H, W): (B, K). ValueError if it has none."""
    units = [module for module in model.encoder if isinstance(module, torch.nn.ReLU)]
    if not units:
        raise ValueError(f"the encoder of this {type(model).__name__} has no hidden units: give a VAE")
    found: list[Tensor] = []
    with ExitStack() as stack, torch.no_grad():
        for unit in units:
            stack.enter_context(hooked(unit, lambda before, after: found.append(after)))
        model.encode(x)
    return torch.cat(found, 1)


def _scanning_figure(result: Found, it: Network) -> "Figure":
    found = next(iter(result["sets"].values()))
    rows = ["low-active, regular", "low-active, noisy", "low-active, random", "low-active, random, as far",
            "regular, regular"]  # fmt: skip
    drawing = plot.figure(7.2, 2.8, "How often the first of two is the more unusual one", dpi=90)
    panel = drawing.subplots()
    for shift, (by, color) in enumerate(
        zip(("berk-jones", "higher criticism", "D_r"), ("C3", "C1", "0.4"), strict=True)
    ):
        for place, row in enumerate(rows):
            dot(panel, place + 0.16 * (shift - 1), found[by][row], color, by if not place else None)
    panel.axhline(0.5, color="black", lw=0.6, ls=":")
    panel.set_xticks(range(len(rows)), [row.replace(", ", " /\n", 1) for row in rows], fontsize=7)
    panel.set(ylim=(0.3, 1.02), xlim=(-0.5, len(rows) - 0.5))
    plot.plain(panel, "AUC").legend(fontsize=7, frameon=False, loc="upper right")
    return drawing


# 8. Mind swaps.

SEAMS = (0, 1, 2, 3)
FITTED = 5000  # images that a seam is fitted on


def swap(it: Network) -> Found:
    """Digits as one network reads them and one of clothes draws them, spliced at each seam.

    plain: as it is; mapped: by the orthogonal map that is best for digits that both networks read; shuffled: the map
    that is best for pairs that do not belong together. confidence: of the classifier of clothes; distance: D_r of the
    network of clothes; kept: how often the digit can be told from the kind of clothing that it became, over chance.
    """
    other = Network(it.study, CLOTHES, it.at)
    x, labels = it.unseen(2 * it.sizes.samples)
    with torch.no_grad():
        own = other.model(x)
    found: Found = {"clothes alone": _swapped(other, own, labels)}
    for seam in SEAMS:
        row: dict[str, dict[str, float]] = {}
        for name, each in seams(it, other, seam).items():
            drawn = splice(it.model, other.model, x, seam, each)
            row[name] = {**_swapped(other, drawn, labels), "from clothes alone": mean(norm(drawn - own))}
        for name in ("plain", "shuffled"):
            row[f"mapped - {name}"] = less(row["mapped"], row[name])
        found[f"seam {seam}"] = row
    return found


def _width(it: Network, seam: int) -> int:
    return int(at_seam(it.model, torch.zeros(1, *it.model.image_shape), seam).shape[1])


def seams(it: Network, other: Network, seam: int) -> dict[str, Tensor | None]:
    """The maps of a seam by their names; None is none."""
    few = it.images[:: max(1, len(it.images) // FITTED)][:FITTED].float() / 255
    with torch.no_grad():
        a, b = (at_seam(network.model, few, seam) for network in (it, other))
    mixed = torch.randperm(len(few), generator=torch.Generator().manual_seed(it.at))
    return {"plain": None, "mapped": procrustes(a, b), "shuffled": procrustes(a, b[mixed])}


def _swapped(other: Network, drawn: Tensor, labels: Tensor) -> dict[str, float]:
    kinds = named(other.classifier, drawn)
    return {"confidence": mean(sure(other.classifier, drawn)), "distance": mean(encoder_distance(other.model, drawn)),
            "kept": told(kinds, labels)}  # fmt: skip


def told(kinds: Tensor, labels: Tensor) -> float:
    """How often a label is the commonest one of its kind, counted on one half and tried on the other, over chance.

    0 is no better than the commonest label of all; 1 is always.
    """
    half = len(kinds) // 2
    counts = torch.zeros(int(kinds.max()) + 1, int(labels.max()) + 1)
    counts.index_put_((kinds[:half], labels[:half]), torch.ones(half), accumulate=True)
    right = mean((counts.argmax(1)[kinds[half:]] == labels[half:]).float())
    chance = mean((counts.sum(0).argmax() == labels[half:]).float())
    return (right - chance) / (1 - chance)


def _swap_figure(result: Found, it: Network) -> "Figure":
    other = Network(it.study, CLOTHES, it.at)
    x = it.unseen(2 * it.sizes.samples)[0][:16]
    rows, names = [x], ["digits"]
    for seam in SEAMS:
        maps = seams(it, other, seam)
        for name in ("plain", "mapped"):
            rows.append(splice(it.model, other.model, x, seam, maps[name]))
            names.append(f"{_width(it, seam)}, {name}")
    drawing = plot.figure(8.0, 4.6, "Digits read by a network of digits, drawn by one of clothes", dpi=90)
    show(drawing.subplots(), torch.cat(rows), 16, names)
    return drawing


# Pictures, tables, and the command.


def show(panel: Any, x: Tensor, columns: int, names: Sequence[str] = ()) -> None:
    """Images (B, C, H, W) as a grid, black on white, with names of its rows."""
    grid = np.asarray(plot.grid(x, columns, gap=2, margin=2, invert=True).convert("L"))
    panel.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_axis_off()
    for row, name in enumerate(names):
        panel.text(-4, (row + 0.5) / len(names) * grid.shape[0], name, ha="right", va="center", fontsize=8)


def _png(drawing: "Figure") -> bytes:
    """A figure as a PNG of few colours, for it is kept."""
    buffer = BytesIO()
    plot.picture(drawing).convert("RGB").quantize(48, kmeans=2).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def dot(panel: Any, x: float, value: Interval, color: str, label: str | None = None) -> None:
    """A mean with its interval."""
    panel.plot([x], [value["mean"]], "o", ms=4, color=color, label=label)
    if value["low"] is not None:
        panel.plot([x, x], [value["low"], value["high"]], color=color, lw=1.2)


def leaves(found: Mapping[str, Any], name: str = "") -> list[tuple[str, Interval]]:
    """The intervals of a result by their names, a name within a name after a colon."""
    if {"mean", "low", "n"} <= found.keys():
        return [(name, Interval(mean=found["mean"], low=found["low"], high=found["high"], n=found["n"]))]
    inner = [(f"{name}: {key}" if name else key, each) for key, each in found.items() if isinstance(each, Mapping)]
    return [leaf for key, each in inner for leaf in leaves(each, key)]


def report(result: Mapping[str, Any]) -> str:
    """The numbers of a study that say what came out, with intervals over networks; the file has all of them."""
    sets = result.get("sets") or {REFERENCE: result}
    sets = {name: sets[name] for name in NAMES if name in sets}
    shown = STUDIES[result["study"]].shown
    found = [dict(leaves(each)) for each in sets.values()]
    rows = [
        [words, *(number(each.get(path)) for each in found)]
        for path, words in (shown.items() if shown else _cases(result))
        if any(path in each for each in found)
    ]
    return markdown_table([result["study"], *(NAMES[name] for name in sets)], rows, 1)


def _cases(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rows of `capacity`: four measures of every case, and what changes from the narrowest to the widest."""
    of_case = [(f"cases: {case}: {name}", f"{case}: {name}") for case in result["cases"] for name in CHANGES[:4]]
    return of_case + [(f"widest - narrowest: {name}", f"widest minus narrowest: {name}") for name in CHANGES]


NAMES = {REFERENCE: "digits", CLOTHES: "clothes"}


@dataclass(frozen=True)
class About:
    """A study: what it measures of a network, its picture, the decoders that it is of, and others that it needs.

    shown: the numbers that its table has, by their place in the result, and what they are.
    """

    measure: Callable[[Network], Found]
    figure: Callable[[Found, Network], "Figure"]
    shown: Mapping[str, str]
    decoders: Sequence[str] = (REFERENCE, CLOTHES)
    others: Sequence[str] = ()


STUDIES = {
    "interpolation": About(interpolation, _interpolation_figure, {
        "methods: regular: distance": "D_r, regular",
        "ways: linear: 0.5: distance": "D_r, halfway between two classes",
        "ways: spherical: 0.5: distance": "D_r, halfway on the great circle",
        "of the way to random: linear": "of the way from regular to random",
        "ways: linear: 0.5: displacement": "displacement from the nearer end",
        "at equal displacement: random: distance": "D_r, random, as far away",
        "at equal displacement: low-active: distance": "D_r, low-active, as far away",
        "ways: linear: 0.5: confidence": "the classifier is sure, halfway",
        "methods: regular: confidence": "the classifier is sure, regular",
    }),
    "calibration": About(calibration, _calibration_figure, {
        f"{way}: {key}": f"{words}, by the {by}"
        for way, by in (("absolute", "distance"), ("ratio", "ratio"))
        for key, words in {
            "gain": "gain", "times_peak": "switched on at, over the largest activation",
            "distance: random": "D_r, random", "distance: low-active": "D_r, low-active",
            "low-active over random": "low-active over random", "low-active - random": "low-active minus random",
            "low-active - random, at equal displacement": "low-active minus random, moved as far",
        }.items()
    }),
    "pruning": About(pruning, _pruning_figure, {
        "neurons": "neurons cut out",
        **{f"{name}: {key}": f"{words}, without {what}"
           for key, words in {"error over whole": "error of reconstruction, over that of the whole network",
                              "accuracy": "named rightly afterwards",
                              "low-active: distance": "D_r of low-active decoding afterwards",
                              "low-active: displacement": "its displacement"}.items()
           for name, what in {"nothing": "any cut", "low-active": "the low-active", "by chance": "others by chance",
                              "most active": "the most active"}.items()},
    }),
    "memory": About(memory, _memory_figure, {
        f"{kind}: {key}: {whose}": f"{words}, {kind}, {whose} nine"
        for key, words in {"hit": "the nearest is one of the nine", "likeness": "images that are less like it"}.items()
        for kind, whose in product(("low-active", "others"), ("own", "shuffled"))
    }),
    "capacity": About(lambda it: {}, lambda result, it: _capacity_figure(result), {}, ()),
    "autonomy": About(autonomy, _autonomy_figure, {
        f"{arm}: {key}": f"{words}, {arm}"
        for key, words in {"agreement": "rank correlation with the fixed taste", "shared": "choices shared with it",
                           "diversity": "diversity of what was accepted", "distance": "its D_r",
                           "surer first": "the first classifier is sure of it",
                           "surer last": "the last classifier is sure of it"}.items()
        for arm in ARMS if not (arm == "fixed" and key in ("agreement", "shared"))
    }, (REFERENCE,)),
    "scan": About(scanning, _scanning_figure, {
        **{f"{by}: {pair}": f"AUC by {by}, {pair.replace(', ', ' against ', 1)}"
           for by in ("berk-jones", "higher criticism", "D_r")
           for pair in ("low-active, regular", "low-active, noisy", "low-active, random", "low-active, random, as far",
                        "regular, regular")},
        "group, low-active: found": "half of a set are low-active: found by the group scan",
        "group, low-active: wrongly": "... and regular ones taken for them",
        "group, regular again: found": "half of a set are other regular ones: found",
    }),
    "swap": About(swap, _swap_figure, {
        f"seam {seam}: {how}: {key}": f"{words}, seam {seam} ({width} wide), {how}"
        for key, words in {"kept": "the digit can be told from the clothing", "confidence": "the classifier is sure",
                           "distance": "D_r of the network of clothes"}.items()
        for (seam, width), how in product(enumerate((50, 250, 500, 1000)), ("plain", "mapped", "shuffled"))
    }, (REFERENCE,), (CLOTHES,)),
}  # fmt: skip


@command(
    "decoder-study",
    """examples:
  python -m toolkit decoder-study interpolation --out runs       what lies between two digits, beside table 1
  python -m toolkit decoder-study capacity --out runs            27 wider networks: a quarter of an hour
  python -m toolkit decoder-study swap --out runs --scale smoke  seconds, with numbers that mean nothing
The networks are those of table1, trained there first where they are not. The others: calibration, pruning, memory,
autonomy, scan. Stop it whenever you like; the same command continues where it was.""",
    arg("study", choices=list(STUDIES), help=", ".join(STUDIES)),
    arg("--out", required=True, metavar="DIR", help="the folder of runs, with the networks of table1 if it has them"),
    arg("--scale", default="cpu", choices=list(SIZES), help="cpu (default) or smoke (seconds)"),
    arg("--samples", type=int, help="pictures of each method and network (default: 1000)"),
    *OF_STUDY,
)
def decoder_study(args: argparse.Namespace) -> object:
    """One small study of creative decoders, over seeds; into OUT/creative/STUDY.json and .png."""
    given = {name: value for name in ("networks", "samples") if (value := getattr(args, name)) is not None}
    if min(given.values(), default=1) < 1 or given.get("samples", 2) < 2:
        raise ValueError("--networks and --samples: give at least one network, and two samples")
    study = Study(
        args.study, args.out, args.scale, replace(SIZES[args.scale], **given),
        {"data": args.data} if args.data else {}, args.root, str(train.device(args.device)), args.quiet or args.json,
    )  # fmt: skip
    result = json.loads(study().read_text())
    return result if args.json else report(result)
