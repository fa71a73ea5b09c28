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
from functools import cache, cached_property, partial, reduce
from io import BytesIO
from itertools import product
from operator import getitem
from pathlib import Path
from time import process_time
from typing import Any

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
from ..samplers import METHODS, Creative, Statistics, activation_statistics, codes, creative, hooked
from ..seeds import child
from ..train import Shuffled, fit, linear
from . import table1
from .common import kept_part, number
from .table1 import OF_STUDY, REFERENCE, displacement, edge_per_ink, gain_moving, measured, paired, together

CLOTHES = "creative-fashion"
NAMES = {REFERENCE: "digits", CLOTHES: "clothes"}
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
        else:
            self.table1.prepare(sorted({REFERENCE, *about.decoders, *about.others}))
            numbers = range(1, self.sizes.networks + 1)
            parts = {name: [self._measure(Network(self, name, at)) for at in numbers] for name in about.decoders}
            result = {"sets": {name: together(rows) for name, rows in parts.items()}}
        head = {"toolkit": __version__, "study": self.what, "scale": self.scale, "sizes": vars(self.sizes)}
        write(path, {**head, **result})
        write(path.with_suffix(".png"), about.picture(result, Network(self, REFERENCE, 1)))
        return path

    @property
    def table1(self) -> table1.Study:
        sizes = replace(table1.SIZES[self.scale], networks=self.sizes.networks)
        return table1.Study(self.out, self.scale, sizes, self.changes, self.root, self.device, self.quiet)

    def _measure(self, it: "Network") -> Found:
        """All that is measured of one network: read, if it was measured before at these sizes."""

        def measure() -> Found:
            start = process_time()
            return {"found": STUDIES[self.what].measure(it), "core_seconds": process_time() - start}

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

    @cached_property
    def classifier(self) -> Judge:
        return hub.load_classifier(hub.CHECKPOINTS, CLASSIFIERS[self.name], device=self.study.device)

    def how(self, method: str, **changes: Any) -> Creative:
        """The calibrated settings of a method."""
        return replace(self.trained.how, method=method, **changes)

    def moving(self, method: str, far: float) -> Creative:
        """A method whose gain moves pictures so far on average."""
        return moving(self.trained, self.how(method), far, self.sizes.samples)

    def measured(self, how: Creative) -> dict[str, Tensor]:
        """The measures of as many pictures as there are samples, (samples,) each."""
        return measured(self.trained, how, self.sizes.samples)

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


@cache
def _data(name: str, root: Path | None, split: str, limit: int | None) -> Dataset:
    return datasets.load(name, root=root, split=split, limit=limit)


def moving(trained: Trained, how: Creative, far: float, samples: int) -> Creative:
    """The settings with the gain that moves pictures so far on average; with the largest, where none does."""
    try:
        return replace(how, gain=gain_moving(trained, range(min(samples, 200)), how, far))
    except ValueError:
        return replace(how, gain=table1.LARGEST)


def kinds(it: Network) -> tuple[Tensor, Tensor, Tensor]:
    """Neurons of the last layer: low-active, as many others that live, by chance, and the living, most active first.

    Low-active are at most half of the living, so that there are others.
    """
    statistics = it.statistics
    alive = (~statistics.dead).nonzero()[:, 0]
    band = creative.band_of(statistics, it.how("low-active")).nonzero()[: len(alive) // 2, 0]
    others = alive[~torch.isin(alive, band)]
    others = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(it.at))]
    return band, others[: len(band)], alive[statistics.active[alive].argsort(descending=True)]


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm of each image: (B, C, H, W) -> (B,)."""
    return x.flatten(1).norm(dim=1)


def mean(x: Tensor) -> float:
    """The mean of all values, taken in double precision."""
    return x.double().mean().item()


def means(values: Mapping[str, Tensor], *names: str) -> dict[str, float]:
    """The means of these values."""
    return {name: mean(values[name]) for name in names}


def less(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    """Each number of a minus that of b."""
    return {name: a[name] - b[name] for name in a}


def sure(classifier: Judge, x: Tensor) -> Tensor:
    """The probability of the likeliest class, (B,)."""
    return classifier.probabilities(x).amax(1)


def named(classifier: Judge, x: Tensor) -> Tensor:
    """The likeliest class, (B,)."""
    return classifier(x).argmax(1)


# 1. Interpolation: the baseline that the paper tried.

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
COLOURS = {"low-active": "C3", "random": "C2", "noisy": "C0", "regular": "0.5"}


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

    def measures(x: Tensor, moved: Tensor) -> dict[str, float]:
        return {"distance": mean(encoder_distance(it.model, x)), "edge_per_ink": mean(edge_per_ink(x)),
                "confidence": mean(sure(it.classifier, x)), "displacement": mean(moved)}  # fmt: skip

    def of(how: Creative) -> dict[str, float]:
        both = decode(it.trained, range(it.sizes.samples), how)
        return measures(both.images, displacement(both))

    za, zb = map(it.model.encode, pairs_of_classes(it))
    ends = it.model.decode(za), it.model.decode(zb)
    ways: Found = {"linear": {}, "spherical": {}}
    for way, share in product(ways, SHARES):
        x = it.model.decode(creative.between(za, zb, share, spherical=way == "spherical"))
        ways[way][f"{share:g}"] = measures(x, torch.minimum(*(norm(x - end) for end in ends)))
    methods = {method: of(it.how(method)) for method in METHODS}
    far = ways["linear"]["0.5"]["displacement"]
    regular, random = (methods[method]["distance"] for method in ("regular", "random"))
    return {
        "ways": ways,
        "methods": methods,
        "at equal displacement": {method: of(it.moving(method, far)) for method in ("low-active", "random")},
        "of the way to random": {way: (ways[way]["0.5"]["distance"] - regular) / (random - regular) for way in ways},
    }


def _draw_interpolation(found: Found, it: Network, left: Any, right: Any) -> None:
    za, zb = (it.model.encode(x[:6]) for x in pairs_of_classes(it))
    states = [it.model.decode(creative.between(za, zb, share)) for share in torch.linspace(0, 1, 9).tolist()]
    show(left, torch.stack(states, 1).flatten(0, 1), 9)
    for way, dash in (("linear", "-"), ("spherical", ":")):
        distances = [found["ways"][way][f"{share:g}"]["distance"]["mean"] for share in SHARES]
        right.plot(SHARES, distances, dash, color="black", marker="o", ms=3, label=way)
    for method, color in COLOURS.items():
        height = found["methods"][method]["distance"]["mean"]
        right.axhline(height, color=color, lw=1)
        height += {"noisy": 0.12, "regular": -0.12}.get(method, 0)
        right.text(1.04, height, method, fontsize=8, va="center", color=color)
    far = found["at equal displacement"]["random"]["distance"]["mean"]
    right.plot([0.5], [far], "x", color=COLOURS["random"], label="random, as far away")
    right.set(ylim=(0, None), xlim=(-0.03, 1.03))
    plot.plain(right, "reconstruction distance").set_xlabel("share of the way", fontsize=8)
    right.legend(fontsize=7, frameon=False, loc="center left")


# 2. Calibration by the paper's distance, and by its ratio.


def calibration(it: Network) -> Found:
    """The methods at the gain by which random has the paper's distance, and at that by which it has the paper's ratio.

    The ratio is that of random to regular. times_peak: what a neuron is switched on at, over its largest activation.
    """
    paper = table1.TABLE1.get(it.trained.data, table1.TABLE1["mnist"])
    ratio = paper["random"].distance / paper["regular"].distance
    found: Found = {}
    targets = paper["random"].distance, ratio * mean(it.measured(it.how("regular"))["distance"])
    for way, target in zip(("absolute", "ratio"), targets, strict=True):
        gain = table1.gain_for(it.trained, range(it.sizes.samples), it.how("random"), target)
        values = {method: it.measured(it.how(method, gain=gain)) for method in METHODS}
        equal = it.measured(it.moving("random", mean(values["low-active"]["displacement"])))["distance"]
        low, chance = (values[method]["distance"] for method in ("low-active", "random"))
        found[way] = {
            "gain": gain,
            "times_peak": times_peak(it, it.how("low-active", gain=gain)),
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
    chosen = decode(it.trained, range(it.sizes.samples), how).neurons
    on = how.gain * (statistics.mean + how.deviations * statistics.std) / statistics.peak
    return mean(on[chosen[chosen >= 0]])


def _draw_calibration(found: Found, it: Network, left: Any, right: Any) -> None:
    ways = ("absolute", "ratio")
    series = {method: [found[way]["distance"][method] for way in ways] for method in COLOURS}
    ticks = [f"{way}\ngain {found[way]['gain']['mean']:.1f}" for way in ways]
    dots(left, "reconstruction distance", ticks, series, list(COLOURS.values()), apart=0.1, ylim=(0, None))
    left.legend(fontsize=7, frameon=False)
    pictures = decode_all(it.trained, range(9))
    low = decode(it.trained, range(9), it.how("low-active", gain=found["ratio"]["gain"]["mean"])).images
    rows = {"regular": pictures["regular"], "by the ratio": low, "by the distance": pictures["low-active"]}
    show(right, torch.cat([*rows.values()]), 9, [*rows])


# 3. Pruning.

AFTER = ("distance", "displacement", "added_edge_per_ink")


def pruning(it: Network) -> Found:
    """What is lost without the low-active neurons, without as many others by chance, without the most active.

    error: norm of what is missed of an unseen image. low-active: such decoding with the neurons that are left.
    """
    band, others, by_activity = kinds(it)
    sets = {"nothing": band[:0], "low-active": band, "by chance": others, "most active": by_activity[: len(band)]}
    x, labels = it.unseen(5 * it.sizes.samples)
    images, how = it.images()[:: it.sizes.every], it.how("low-active")
    found: Found = {"neurons": float(len(band))}
    whole, far = torch.empty(0), 0.0
    for name, neurons in sets.items():
        with creative.pruned(it.model, neurons):
            drawn = it.model(x)
            left = activation_statistics(it.model, codes(it.model, images))
            trained = replace(it.trained, statistics={left.layer: left})
            low, error = measured(trained, how, it.sizes.samples), norm(x - drawn)
            if name == "nothing":
                whole, far = error, mean(low["displacement"])
            moved = measured(trained, moving(trained, how, far, it.sizes.samples), it.sizes.samples)
        found[name] = {
            "error": mean(error),
            "error over whole": mean(error) / mean(whole),
            "more error": paired(error, whole),
            "accuracy": mean((named(it.classifier, drawn) == labels).float()),
            "low-active": means(low, *AFTER),
            "low-active at equal displacement": means(moved, *AFTER),
        }
    return found


def _draw_pruning(found: Found, it: Network, *panels: Any) -> None:
    names = ("nothing", "low-active", "by chance", "most active")
    parts = {"error": "error of reconstruction", "accuracy": "named rightly afterwards",
             "low-active: distance": "D_r of low-active decoding afterwards"}  # fmt: skip
    for panel, (path, words) in zip(panels, parts.items(), strict=True):
        values = [at(found[name], path) for name in names]
        dots(panel, words, names, {"": values}, ["black"], ylim=(0, 1.25 * values[-1]["mean"]))
        for place, value in enumerate(values):
            panel.text(place, value["mean"] * 1.06, f"{value['mean']:.2f}", ha="center", fontsize=8)


# 4. Memory.

REMEMBERED = 9


def memory(it: Network) -> Found:
    """Whether a neuron, decoded alone, draws the nine training images that fire it most; of others, by chance.

    hit: the nearest training image is one of the nine; likeness: the share of training images that are less like it
    than one of the nine is, by correlation of pixels. shuffled: the nine of another neuron of the same kind.
    """
    images, (band, others, _) = it.images(), kinds(it)
    found: Found = {}
    for kind, neurons in (("low-active", band), ("others", others)):
        _, rows = creative.strongest(it.model, codes(it.model, images), neurons, REMEMBERED)
        alone = creative.decode_alone(it.model, it.statistics, neurons)
        near = nearest(alone, images)[1][:, 0]
        place = like(alone, images).double().argsort(1).argsort(1) / (len(images) - 1)
        tables = {  # (n, n): of each neuron, by the nine of each
            "hit": (near[:, None, None] == rows).any(2).double(),
            "likeness": place[:, rows].mean(2),
        }
        own = torch.eye(len(neurons), dtype=torch.bool)
        found[kind] = {}
        for name, table in tables.items():
            others_of_row = (table * ~own).sum(1) / (~own).sum(1)
            found[kind][name] = {"own": mean(table[own]), "shuffled": mean(table[~own]),
                                 "own - shuffled": interval((table[own] - others_of_row).tolist())}  # fmt: skip
    return found


def like(x: Tensor, images: Tensor) -> Tensor:
    """Correlation of the pixels of images (B, C, H, W) and uint8 ones (N, C, H, W): (B, N)."""

    def standard(x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return torch.nn.functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)

    x = standard(x)
    return torch.cat([x @ standard(part.float()).T for part in images.split(10_000)], 1)


def _draw_memory(found: Found, it: Network, left: Any, right: Any) -> None:
    band, images = kinds(it)[0], it.images()
    few = band[:: max(1, len(band) // 8)][:8]
    _, rows = creative.strongest(it.model, codes(it.model, images), few, REMEMBERED)
    nothing = torch.zeros_like(it.statistics.peak)[None]
    added = (creative.decode_alone(it.model, it.statistics, few) - creative.decode_from(it.model, nothing)).clamp_min(0)
    added = added / added.amax((1, 2, 3), keepdim=True)
    show(left, torch.cat([added[:, None], images[rows].float() / 255], 1).flatten(0, 1), 1 + REMEMBERED)
    cells = list(product(("low-active", "others"), ("own", "shuffled")))
    values = [found[kind]["likeness"][whose] for kind, whose in cells]
    ticks = [f"{kind}\n{whose} nine" for kind, whose in cells]
    dots(right, "training images that are less like it", ticks, {"": values}, ["C3", "0.5"], ylim=(0.4, 1))
    right.axhline(0.5, color="black", lw=0.6, ls=":")


# 5. Capacity: wider networks, trained briefly.

FAR = 7.0  # the displacement at which groupings are compared: that of low-active decoding in table 1
SELDOM = 0.05  # a neuron that is on for fewer of the images counts as seldom active
CHANGES = ("dead share", "seldom share", "regular distance", "grouping, edge per ink", "grouping, distance")


def capacity(study: Study) -> Found:
    """Networks of several widths, dropouts and seeds: neurons that are dead or seldom on, and what grouping does."""
    s, images = study.sizes, _data(study.changes.get("data", "mnist"), study.root, "train", None).images
    cases = list(product(range(s.seeds), s.widths, s.dropouts))  # a seed is whole before the next
    rows: dict[tuple[int, float], list[Found]] = {}
    for seed, width, dropout in tqdm(cases, desc="capacity", disable=study.quiet):
        path = study.out / "creative" / "capacity" / f"{width}_{dropout:g}_{seed}.json"
        settings: Found = {"width": width, "dropout": dropout, "seed": seed, "steps": s.steps, "batch": s.batch,
                           "samples": s.samples}  # fmt: skip
        kept = kept_part(path, "settings", settings, partial(_capacity, study, images, **settings))
        rows.setdefault((width, dropout), []).append(kept["found"])

    def of_width(width: int, name: str) -> list[float]:
        """A number of its networks; of intervals over codes the means."""
        values = [row[name] for (its, _), each in rows.items() if its == width for row in each]
        return [value["mean"] if isinstance(value, dict) else value for value in values]

    pairs = {name: zip(of_width(s.widths[0], name), of_width(s.widths[-1], name), strict=True) for name in CHANGES}
    return {
        "cases": {f"{width} units, dropout {dropout:g}": together(found) for (width, dropout), found in rows.items()},
        "widest - narrowest": {name: interval([b - a for a, b in each]) for name, each in pairs.items()},
    }


def _capacity(
    study: Study, images: Tensor, width: int, dropout: float, seed: int, steps: int, batch: int, samples: int
) -> Found:
    """What is measured of one network, trained here."""
    start, seed = process_time(), child(seed, "capacity")
    options = {"widths": (width, 500, 250), "dropout": dropout, "channels": images.shape[1], "size": images.shape[2]}
    model: Any = create("VAE", options, seed=seed).to(study.device)
    model = fit(model, Shuffled(images, batch=batch, seed=seed), steps=steps, decay=linear, seed=seed)
    trained_in = process_time() - start
    statistics = activation_statistics(model, codes(model, images[:: max(1, len(images) // 10_000)][:10_000]))
    trained = Trained("capacity", "", "", model, {statistics.layer: statistics}, Creative())
    few = min(samples, 200)
    cells = [Creative(**table1.CELLS[cell]) for cell in ("band, grouped", "band, by chance", "any, by chance")]
    grouped, chance, random = (measured(trained, moving(trained, how, FAR, few), few) for how in cells)
    seldom = ~statistics.dead & (statistics.active < SELDOM)
    found: Found = {
        "dead": float(statistics.dead.sum()),
        "dead share": mean(statistics.dead.float()),
        "band": float(creative.band_of(statistics, Creative()).sum()),
        "seldom": float(seldom.sum()),
        "seldom share": mean(seldom.float()),
        "regular distance": mean(measured(trained, Creative(method="regular"), samples)["distance"]),
        "low-active distance": mean(grouped["distance"]),
        "random distance": mean(random["distance"]),
        "grouping, distance": paired(grouped["distance"], chance["distance"]),
        "grouping, edge per ink": paired(grouped["added_edge_per_ink"], chance["added_edge_per_ink"]),
    }
    return {"found": {**found, "core_seconds": process_time() - start, "training_core_seconds": trained_in}}


def _draw_capacity(found: Found, it: Network, *panels: Any) -> None:
    titles = ("dead, share", "on for under 5 %, share", "D_r, regular", "grouping: edge per ink")
    lines: dict[str, dict[int, Found]] = {}  # by dropout, by width
    for case, each in found["cases"].items():
        lines.setdefault(case.rpartition(", ")[2], {})[int(case.split()[0])] = each
    for panel, key, title in zip(panels, CHANGES[:4], titles, strict=True):
        for shift, (dropout, by_width) in enumerate(lines.items()):
            places = {width * 1.04**shift: each[key] for width, each in by_width.items()}
            for place, value in places.items():
                dot(panel, place, value, f"C{shift}")
            panel.plot([*places], [value["mean"] for value in places.values()], color=f"C{shift}", lw=1, label=dropout)
        panel.set_xscale("log")
        widths = sorted({*map(int, by_width)})
        panel.set_xticks(widths, [f"{width:,}" for width in widths], fontsize=7)
        panel.minorticks_off()
        plot.plain(panel, title)
    names = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(*names, fontsize=8, frameon=False, loc="upper right", ncols=len(lines))
    panels[0].figure.supxlabel("units of the widest layer", fontsize=8)


# 6. Autonomy: a loop whose standard moves.

ARMS = ("fixed", "moving", "control")


def autonomy(it: Network) -> Found:
    """How far a standard that moves parts from one that stays, over loops of several seeds.

    A loop proposes low-active decodings and accepts those that are farthest from its archive among the half that its
    classifier is surest of. Fixed: archive and classifier stay. Moving: what was accepted is archived, and the
    classifier is trained on, with what it took it for, beside digits. Control: the classifier is trained on as long,
    on digits alone.
    """
    rows = [loops(it, seed)[0] for seed in range(it.sizes.tastes)]
    found: Found = {
        arm: {name: float(np.mean([row[arm][name] for row in rows])) for name in rows[0][arm]} for arm in ARMS
    }
    return {**found, "control - moving": less(found["control"], found["moving"])}


def loops(it: Network, seed: int) -> tuple[dict[str, Found], dict[str, Tensor]]:
    """The three loops of one seed, on the same proposals: measures by loop, and what each accepted, (n, C, H, W).

    agreement: rank correlation with the fixed taste over proposals that no loop saw; shared: of what the fixed one
    accepted, the share that is in it too; surer: of what was accepted, by the first classifier and by the last.
    """
    s, base, first = it.sizes, child(seed, "autonomy") % 2**30, it.classifier
    known = _data(it.trained.data, it.study.root, "train", 2000)
    rounds = [range(base + at * s.proposals, base + (at + 1) * s.proposals) for at in range(s.rounds + 1)]
    unseen, *proposed = (decode(it.trained, seeds, it.how("low-active")).images for seeds in rounds)
    found, galleries = dict[str, Found](), dict[str, Tensor]()
    scores, chosen = dict[str, list[float]](), dict[str, set[int]]()
    for arm in ARMS:
        classifier, archive = first, known.images[:1000].float() / 255
        gallery, chosen[arm] = archive[:0], set()
        for at, x in enumerate(proposed, 1):
            best = _score(classifier, archive, x).topk(s.accepted).indices
            chosen[arm] |= {rounds[at][row] for row in best.tolist()}
            gallery = torch.cat([gallery, x[best]])
            if arm == "moving":
                archive = torch.cat([archive, x[best]])
            if arm != "fixed":
                extra = gallery if arm == "moving" else gallery[:0]
                classifier = _taught(classifier, known, extra, s.lessons, child(base, arm, at))
        scores[arm], galleries[arm] = _score(classifier, archive, unseen).tolist(), gallery
        found[arm] = {
            "diversity": diversity(gallery),
            "distance": mean(encoder_distance(it.model, gallery)),
            "surer first": mean(sure(first, gallery)),
            "surer last": mean(sure(classifier, gallery)),
            "agreement": rank_correlation(scores["fixed"], scores[arm]),
            "shared": len(chosen["fixed"] & chosen[arm]) / len(chosen["fixed"]),
        }
    return found, galleries


def _score(classifier: Judge, archive: Tensor, x: Tensor) -> Tensor:
    """Novelty of the half that the classifier is surest of, (B,); the others follow in order of how sure it is."""
    coherent = sure(classifier, x)
    novel = nearest(x, archive)[0][:, 0]
    return novel.where(coherent >= coherent.median(), coherent - 1)


def _taught(classifier: Judge, known: Dataset, extra: Tensor, steps: int, seed: int) -> Judge:
    """The classifier, trained on with digits, half of them replaced by accepted pictures as it takes them, if any."""
    images, labels, classes = known.images, known.labels, classifier.config.classes
    assert labels is not None
    if len(extra):
        times = -(-len(images) // len(extra))
        images = torch.cat([images, (255 * extra).round().byte().repeat(times, 1, 1, 1)])
        labels = torch.cat([labels, named(classifier, extra).repeat(times)])
    batches = LabelledBatches(images, labels, classes, batch=max(3 * len(classes), 60), seed=seed)
    return fit(classifier, batches, steps=steps, seed=seed)


def _draw_autonomy(found: Found, it: Network, fixed: Any, moved: Any, right: Any) -> None:
    _, galleries = loops(it, 0)
    for panel, arm in ((fixed, "fixed"), (moved, "moving")):
        show(panel, galleries[arm][-64:], 8)
        panel.set_title(arm, fontsize=9, loc="left")
    series = {"agreement with the fixed taste": [found[arm]["agreement"] for arm in ARMS],
              "of its choices shared": [found[arm]["shared"] for arm in ARMS]}  # fmt: skip
    dots(right, "", ARMS, series, ["C3", "C0"], apart=0.2, ylim=(0, 1.05))
    right.legend(fontsize=7, frameon=False, loc="lower left")


# 7. Subset scanning, a surrogate for people's opinion.

SCORES = ("berk-jones", "higher criticism", "D_r")
SCANNED = ("low-active, regular", "low-active, noisy", "low-active, random", "low-active, random, as far",
           "regular, regular")  # fmt: skip


def scanning(it: Network) -> Found:
    """How well a scan over the encoder's activations tells low-active pictures from those of other methods: AUC.

    Beside it the same by D_r. random, as far: at the gain that moves pictures as far as low-active decoding. regular:
    other regular pictures than the background; regular against regular is the control.
    """
    n, regular = it.sizes.samples, it.how("regular")
    settings = {method: it.how(method) for method in METHODS}
    settings["random, as far"] = it.moving("random", mean(it.measured(it.how("low-active"))["displacement"]))
    pictures = {name: decode(it.trained, range(n), how).images for name, how in settings.items()}
    pictures["regular again"] = decode(it.trained, range(n, 2 * n), regular).images
    background = decode(it.trained, range(10**6, 10**6 + it.sizes.background), regular).images
    usual = encoder_activations(it.model, background)
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
        values = {"found": rows[half:], "wrongly": rows[:half], "neurons": neurons}
        found[f"group, {name}"] = means(values, *values)
    return found


def encoder_activations(model: Any, x: Tensor) -> Tensor:
    """What every hidden unit of a VAE's encoder gives for images (B, C, H, W): (B, K). ValueError if it has none."""
    units = [module for module in model.encoder if isinstance(module, torch.nn.ReLU)]
    if not units:
        raise ValueError(f"the encoder of this {type(model).__name__} has no hidden units: give a VAE")
    found: list[Tensor] = []
    with ExitStack() as stack:
        for unit in units:
            stack.enter_context(hooked(unit, lambda before, after: found.append(after)))
        model.encode(x)
    return torch.cat(found, 1)


def _draw_scanning(found: Found, it: Network, panel: Any) -> None:
    series = {by: [found[by][pair] for pair in SCANNED] for by in SCORES}
    ticks = [pair.replace(", ", " /\n", 1) for pair in SCANNED]
    dots(panel, "AUC", ticks, series, ["C3", "C1", "0.4"], apart=0.16, ylim=(0.3, 1.02))
    panel.axhline(0.5, color="black", lw=0.6, ls=":")
    panel.legend(fontsize=7, frameon=False, loc="upper right")


# 8. Mind swaps.

SEAMS = {0: 50, 1: 250, 2: 500, 3: 1000}  # how wide each is, as published
FITTED = 5000  # images that a seam is fitted on


def swap(it: Network) -> Found:
    """Digits as one network reads them and one of clothes draws them, spliced at each seam.

    plain: as it is; mapped: by the orthogonal map that is best for digits that both networks read; shuffled: the map
    that is best for pairs that do not belong together. confidence: of the classifier of clothes; distance: D_r of the
    network of clothes; kept: how often the digit can be told from the kind of clothing that it became, over chance.
    """
    other, (x, labels) = Network(it.study, CLOTHES, it.at), it.unseen(2 * it.sizes.samples)

    def measures(drawn: Tensor) -> dict[str, float]:
        return {"confidence": mean(sure(other.classifier, drawn)),
                "distance": mean(encoder_distance(other.model, drawn)),
                "kept": told(named(other.classifier, drawn), labels)}  # fmt: skip

    own = other.model(x)
    found: Found = {"clothes alone": measures(own)}
    for seam in SEAMS:
        row: dict[str, dict[str, float]] = {}
        for name, each in seams(it, other, seam).items():
            drawn = creative.splice(it.model, other.model, x, seam, each)
            row[name] = {**measures(drawn), "from clothes alone": mean(norm(drawn - own))}
        changes = {f"mapped - {name}": less(row["mapped"], row[name]) for name in ("plain", "shuffled")}
        found[f"seam {seam}"] = row | changes
    return found


def seams(it: Network, other: Network, seam: int) -> dict[str, Tensor | None]:
    """The maps of a seam by their names; None is none."""
    images = it.images()
    few = images[:: max(1, len(images) // FITTED)][:FITTED].float() / 255
    a, b = (creative.at_seam(network.model, few, seam) for network in (it, other))
    mixed = torch.randperm(len(few), generator=torch.Generator().manual_seed(it.at))
    return {"plain": None, "mapped": creative.procrustes(a, b), "shuffled": creative.procrustes(a, b[mixed])}


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


def _draw_swap(found: Found, it: Network, panel: Any) -> None:
    other, x = Network(it.study, CLOTHES, it.at), it.unseen(2 * it.sizes.samples)[0][:16]
    rows = {"digits": x}
    for seam in SEAMS:
        width, maps = creative.at_seam(it.model, x[:1], seam).shape[1], seams(it, other, seam)
        for name in ("plain", "mapped"):
            rows[f"{width}, {name}"] = creative.splice(it.model, other.model, x, seam, maps[name])
    show(panel, torch.cat([*rows.values()]), 16, [*rows])


# Pictures, tables, and the command.


def show(panel: Any, x: Tensor, columns: int, names: Sequence[str] = ()) -> None:
    """Images (B, C, H, W) as a grid, black on white, with names of its rows."""
    grid = np.asarray(plot.grid(x, columns, gap=2, margin=2, invert=True).convert("L"))
    panel.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_axis_off()
    for row, name in enumerate(names):
        panel.text(-4, (row + 0.5) / len(names) * grid.shape[0], name, ha="right", va="center", fontsize=8)


def dot(panel: Any, x: float, value: Interval, color: str, label: str | None = None) -> None:
    """A mean with its interval."""
    panel.plot([x], [value["mean"]], "o", ms=4, color=color, label=label)
    if value["low"] is not None:
        panel.plot([x, x], [value["low"], value["high"]], color=color, lw=1.2)


def dots(
    panel: Any,
    title: str,
    ticks: Sequence[str],
    series: Mapping[str, Sequence[Interval]],
    colours: Sequence[str],
    *,
    apart: float = 0.0,
    ylim: tuple[float, float | None],
) -> None:
    """Means with their intervals above ticks, series beside each other; those of a single one take turns in colour."""
    for row, (name, values) in enumerate(series.items()):
        for place, value in enumerate(values):
            colour = colours[row if len(series) > 1 else place % len(colours)]
            x = place + apart * (row - (len(series) - 1) / 2)
            dot(panel, x, value, colour, None if place else name)
    panel.set_xticks(range(len(ticks)), ticks, fontsize=7)
    panel.set(xlim=(-0.5, len(ticks) - 0.5), ylim=ylim)
    plot.plain(panel, title)


def at(found: Mapping[str, Any], path: str) -> Any:
    """What lies at a place of a result, its names one within the other and colons between them."""
    return reduce(getitem, path.split(": "), found)


def sets_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The results by data set, digits first."""
    sets = result.get("sets", {REFERENCE: result})
    return {name: sets[name] for name in NAMES if name in sets}


def report(result: Mapping[str, Any]) -> str:
    """The numbers of a study that say what came out, with intervals over networks; the file has all of them."""
    sets = sets_of(result)
    rows = [
        [words, *(number(at(found, path)) for found in sets.values())]
        for path, words in (STUDIES[result["study"]].shown or _cases(result)).items()
    ]
    return markdown_table([result["study"], *(NAMES[name] for name in sets)], rows, 1)


def _cases(result: Mapping[str, Any]) -> dict[str, str]:
    """The rows of `capacity`: four measures of every case, and what changes from the narrowest to the widest."""
    of_case = {f"cases: {case}: {name}": f"{case}: {name}" for case in result["cases"] for name in CHANGES[:4]}
    return of_case | {f"widest - narrowest: {name}": f"widest minus narrowest: {name}" for name in CHANGES}


@dataclass(frozen=True)
class About:
    """A study: what it measures of a network, its picture, the decoders that it is of, and others that it needs.

    draw: into panels of these relative widths, in a figure of these inches. shown: the numbers that its table has, by
    their place in the result, and what they are; of `capacity` those of its cases.
    """

    measure: Callable[[Network], Found]
    draw: Callable[..., None]
    title: str  # may name a number of the result
    inches: tuple[float, float]
    panels: Sequence[float]
    shown: Mapping[str, str]
    decoders: Sequence[str] = (REFERENCE, CLOTHES)
    others: Sequence[str] = ()

    def picture(self, result: Mapping[str, Any], it: Network) -> bytes:
        """The picture of a result, of digits, as a PNG of few colours, for it is kept."""
        found, buffer = sets_of(result)[REFERENCE], BytesIO()
        drawing = plot.figure(*self.inches, self.title.format_map(found), dpi=90)
        self.draw(found, it, *drawing.subplots(1, len(self.panels), width_ratios=self.panels, squeeze=False)[0])
        plot.picture(drawing).convert("RGB").quantize(48, kmeans=2).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()


STUDIES = {
    "interpolation": About(
        interpolation, _draw_interpolation, "Between the codes of two digits there are only digits, and blends of them",
        (8.6, 2.7), (1.5, 1), {
            "methods: regular: distance": "D_r, regular",
            "ways: linear: 0.5: distance": "D_r, halfway between two classes",
            "ways: spherical: 0.5: distance": "D_r, halfway on the great circle",
            "of the way to random: linear": "of the way from regular to random",
            "ways: linear: 0.5: displacement": "displacement from the nearer end",
            "at equal displacement: random: distance": "D_r, random, as far away",
            "at equal displacement: low-active: distance": "D_r, low-active, as far away",
            "ways: linear: 0.5: confidence": "the classifier is sure, halfway",
            "methods: regular: confidence": "the classifier is sure, regular",
        },
    ),
    "calibration": About(
        calibration, _draw_calibration, "The gain by the paper's distance, and by its ratio", (8.6, 2.9), (1, 1.7), {
            f"{way}: {key}": f"{words}, by the {by}"
            for way, by in (("absolute", "distance"), ("ratio", "ratio"))
            for key, words in {
                "gain": "gain", "times_peak": "switched on at, over the largest activation",
                "distance: random": "D_r, random", "distance: low-active": "D_r, low-active",
                "low-active over random": "low-active over random", "low-active - random": "low-active minus random",
                "low-active - random, at equal displacement": "low-active minus random, moved as far",
            }.items()
        },
    ),
    "pruning": About(
        pruning, _draw_pruning, "Without {neurons[mean]:.0f} neurons of a layer of 1,000", (8.6, 2.4), (1, 1, 1), {
            "neurons": "neurons cut out",
            **{f"{name}: {key}": f"{words}, without {what}"
               for key, words in {"error over whole": "error of reconstruction, over that of the whole network",
                                  "accuracy": "named rightly afterwards",
                                  "low-active: distance": "D_r of low-active decoding afterwards",
                                  "low-active: displacement": "its displacement"}.items()
               for name, what in {"nothing": "any cut", "low-active": "the low-active", "by chance": "others by chance",
                                  "most active": "the most active"}.items()},
        },
    ),
    "memory": About(
        memory, _draw_memory,
        "What a low-active neuron adds when it alone is on, and the nine digits that fire it most",
        (8.0, 3.2), (1.5, 1), {
            f"{kind}: {key}: {whose}": f"{words}, {kind}, {whose} nine"
            for key, words in {"hit": "the nearest is one of the nine",
                               "likeness": "images that are less like it"}.items()
            for kind, whose in product(("low-active", "others"), ("own", "shuffled"))
        },
    ),
    "capacity": About(
        lambda it: {}, _draw_capacity, "More capacity, after a short training", (8.6, 2.5), (1, 1, 1, 1), {}, (),
    ),
    "autonomy": About(
        autonomy, _draw_autonomy, "What a fixed taste accepts, and one that moves", (8.6, 3.0), (1, 1, 1.1), {
            f"{arm}: {key}": f"{words}, {arm}"
            for key, words in {"agreement": "rank correlation with the fixed taste",
                               "shared": "choices shared with it", "diversity": "diversity of what was accepted",
                               "distance": "its D_r", "surer first": "the first classifier is sure of it",
                               "surer last": "the last classifier is sure of it"}.items()
            for arm in ARMS if not (arm == "fixed" and key in ("agreement", "shared"))
        }, (REFERENCE,),
    ),
    "scan": About(
        scanning, _draw_scanning, "How often the first of two is the more unusual one", (7.2, 2.8), (1,), {
            **{f"{by}: {pair}": f"AUC by {by}, {pair.replace(', ', ' against ', 1)}"
               for by, pair in product(SCORES, SCANNED)},
            "group, low-active: found": "half of a set are low-active: found by the group scan",
            "group, low-active: wrongly": "... and regular ones taken for them",
            "group, regular again: found": "half of a set are other regular ones: found",
        },
    ),
    "swap": About(
        swap, _draw_swap, "Digits read by a network of digits, drawn by one of clothes", (8.0, 4.6), (1,), {
            f"seam {seam}: {how}: {key}": f"{words}, seam {seam} ({width} wide), {how}"
            for key, words in {"kept": "the digit can be told from the clothing",
                               "confidence": "the classifier is sure",
                               "distance": "D_r of the network of clothes"}.items()
            for (seam, width), how in product(SEAMS.items(), ("plain", "mapped", "shuffled"))
        }, (REFERENCE,), (CLOTHES,),
    ),
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
    arg("--samples", type=int, help="pictures of each method and network (default: 500)"),
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
