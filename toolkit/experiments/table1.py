"""The study of the creative decoder: table 1, ablations, maps over band and gain.

Low-active decoding does two things at once: it draws the first neuron from those that seldom fire (the band), and the
others by correlation with it (the grouping). Here each is done with and without the other, at equal gain, and again
with gains at which all pictures are moved equally far from the regular ones. One network at a time is measured, on the
same codes for all methods; then networks from several seeds are put together.

OUT/creative/table1.json is its result; the parts lie beside the networks, OUT/NAME/iter_NNN/table1.json.
"""

import argparse
import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from .. import __version__, hub, plot, train
from .. import data as datasets
from ..cli import arg, command
from ..hub import Trained, decode, decode_all, load_decoder
from ..metrics import components, diversity, edge_length, ink
from ..metrics.distance import encoder_distance, optimised_distance
from ..metrics.stats import Interval, above_zero, interval
from ..models import Judge
from ..plot import markdown_table
from ..presets import DECODERS, DecoderTraining, preset
from ..presets import TABLE1 as DECODERS_OF_TABLE1
from ..runs import decoder_sheet, trainer, write
from ..samplers import METHODS, Creation, Creative, activation_statistics, codes
from .common import classifier, kept_part, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Measures of one network.

ORDER = [("low-active", "random"), ("random", "noisy"), ("noisy", "regular")]  # the first of each is claimed farther
CHUNK = 1000


def network(trained: Trained, samples: int, optimised: int) -> dict[str, Any]:
    """What one network's pictures of seeds 0, 1, ... measure, by method.

    optimised: for how many of them the distance is minimised over the code as well.
    """
    found = {method: measured(trained, replace(trained.how, method=method), samples, optimised) for method in METHODS}
    distance = {method: values["distance"] for method, values in found.items()}
    return {
        "gain": trained.how.gain,
        "noise": trained.how.noise,
        "samples": samples,
        "optimised_samples": optimised,
        "methods": {method: _means(values) for method, values in found.items()},
        "pairs": {f"{a} > {b}": paired(distance[a], distance[b]) for a, b in ORDER},
    }


def measured(
    trained: Trained, how: Creative, samples: int, optimised: int = 0, pieces: bool = False
) -> dict[str, Tensor]:
    """Every measure of one method's pictures, each (samples,), except the minimised distance: (optimised,).

    displacement: Euclidean distance from the regular picture. edge_per_ink: edge length over ink, in borders per pixel
    of ink; low for blots, high for fine or grainy marks. added_edge_per_ink: the same of what became brighter, alone.
    added_pieces: how many separate pieces became brighter by a quarter of the range or more; this takes its time.
    """
    values: dict[str, list[Tensor]] = defaultdict(list)
    for start in range(0, samples, CHUNK):
        both = decode(trained, range(start, min(start + CHUNK, samples)), how)
        added = (both.images - both.regular).clamp_min(0)
        values["distance"].append(encoder_distance(trained.model, both.images))
        values["displacement"].append(displacement(both))
        values["ink"].append(ink(both.images))
        values["edge_per_ink"].append(edge_per_ink(both.images))
        values["added_edge_per_ink"].append(edge_per_ink(added))
        if pieces:
            values["added_pieces"].append(components((added.mean(1, keepdim=True) > 0.25).float()))
    if optimised:
        images = decode(trained, range(optimised), how).images
        values["minimised_distance"].append(optimised_distance(trained.model, images))
    return {name: torch.cat(parts) for name, parts in values.items()}


def displacement(both: Creation) -> Tensor:
    """How far pictures are from the regular ones of the same codes, Euclidean: (B,)."""
    return (both.images - both.regular).flatten(1).norm(dim=1)


def edge_per_ink(x: Tensor) -> Tensor:
    """Edge length over the sum of the ink: (B, C, H, W) -> (B,). A line two pixels wide has 1, an isolated pixel 4."""
    return edge_length(x) / (ink(x) * x[0, 0].numel()).clamp_min(1e-3)


def paired(a: Tensor, b: Tensor) -> Interval:
    """How much more a measures than b on the same codes, (N,) each, with the 95 % interval over codes."""
    return interval((a - b).double().tolist())


def _means(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: x.double().mean().item() for name, x in values.items()}


# The table: networks of several seeds, beside what was published.


class Row(NamedTuple):
    """Shares of the pictures that at least three of nine annotators agreed on, and the mean reconstruction distance."""

    creative: float
    novel: float  # but not creative
    neither: float
    inconclusive: float
    distance: float


TABLE1 = {
    "mnist": {
        "low-active": Row(0.39, 0.50, 0.11, 0.00, 4.87),
        "noisy": Row(0.17, 0.07, 0.76, 0.00, 1.78),
        "random": Row(0.24, 0.46, 0.30, 0.00, 4.21),
        "regular": Row(0.10, 0.03, 0.85, 0.01, 1.45),
    },
    "fashion": {
        "low-active": Row(0.27, 0.52, 0.14, 0.07, 5.49),
        "noisy": Row(0.19, 0.09, 0.71, 0.01, 1.91),
        "random": Row(0.17, 0.62, 0.16, 0.06, 4.93),
        "regular": Row(0.13, 0.08, 0.76, 0.03, 1.22),
    },
    "mnist+fashion": {
        "low-active": Row(0.26, 0.54, 0.17, 0.04, 4.91),
        "noisy": Row(0.25, 0.22, 0.51, 0.01, 1.97),
        "random": Row(0.19, 0.61, 0.15, 0.05, 4.68),
        "regular": Row(0.23, 0.17, 0.55, 0.05, 1.59),
    },
}
RANDOM = TABLE1["mnist"]["random"].distance  # what the gain is chosen by
NOISY = TABLE1["mnist"]["noisy"].distance / TABLE1["mnist"]["regular"].distance  # and the noise


def summary(data: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The table of a data set, beside the paper; whether the order holds. rows: what `network` gave, one per seed."""
    methods: dict[str, dict[str, Any]] = {}
    for method in METHODS:
        names = rows[0]["methods"][method]
        methods[method] = {name: interval([row["methods"][method][name] for row in rows]) for name in names}
        if data in TABLE1:
            methods[method]["paper"] = TABLE1[data][method].distance
    order = {}
    for pair in (f"{a} > {b}" for a, b in ORDER):
        found = [row["pairs"][pair] for row in rows]
        over = interval([each["mean"] for each in found])
        order[pair] = {
            "difference": over, "networks": len(rows), "networks_surely": sum(map(above_zero, found)),
            "over_networks": above_zero(over),
        }  # fmt: skip
    return {"methods": methods, "gain": interval([row["gain"] for row in rows]), "order": order}


def together(values: Sequence[Any]) -> Any:
    """What several networks gave, leaf by leaf: numbers become intervals over networks, intervals those of means.

    Of an interval over codes also in how many networks it lies wholly above, or below, 0.
    """
    first = values[0]
    if not isinstance(first, Mapping):
        return first if isinstance(first, str) else interval(values)
    if {"mean", "low", "n"} <= first.keys():
        above, below = (sum(min(sign * it["low"], sign * it["high"]) > 0 for it in values) for sign in (1, -1))
        return {**interval([it["mean"] for it in values]), "networks_above": above, "networks_below": below}
    possible = [it for it in values if "impossible" not in it] or values
    return {key: together([it[key] for it in possible]) for key in possible[0]}


# Calibration: the gain at which pictures lie where the paper's do.

LARGEST = 1024.0


def calibrated(trained: Trained, seeds: Sequence[int]) -> Creative:
    """The settings with a gain at which *random* has the distance of the paper on MNIST, 4.21, and its noise likewise.

    The noise is such that *noisy* lies as many times farther out than *regular* as in the paper, 1.78 / 1.45 times.
    Raises ValueError if no gain gets there.
    """
    found = replace(Creative(), gain=gain_for(trained, seeds, Creative(method="random"), RANDOM))

    def excess(noise: float) -> float:
        both = decode(trained, seeds, replace(found, method="noisy", noise=noise))
        far, near = (encoder_distance(trained.model, x).mean().item() for x in (both.images, both.regular))
        return far / near

    return replace(found, noise=solve(excess, NOISY))


def gain_for(trained: Trained, seeds: Sequence[int], how: Creative, distance: float, layer: int = -1) -> float:
    """The gain at which the mean round-trip distance of a method's pictures is the one given."""

    def at(gain: float) -> float:
        images = decode(trained, seeds, replace(how, gain=gain), layer).images
        return encoder_distance(trained.model, images).mean().item()

    return solve(at, distance)


def gain_moving(trained: Trained, seeds: Sequence[int], how: Creative, far: float) -> float:
    """The gain at which a method's pictures are so far from the regular ones on average: its `displacement`."""
    return solve(lambda gain: displacement(decode(trained, seeds, replace(how, gain=gain))).mean().item(), far)


def solve(rising: Callable[[float], float], target: float, steps: int = 18) -> float:
    """The x > 0 at which a rising function is the target, by bisection. Raises ValueError if none up to 1024 is."""
    high = 1.0
    while rising(high) < target:
        high *= 2
        if high > LARGEST:
            raise ValueError(f"no gain up to {LARGEST:g} reaches {target:.2f}: train for longer, or take another layer")
    low = 0.0 if high == 1 else high / 2
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2


# Ablations: band and grouping one without the other; other readings of the paper.

CELLS: dict[str, dict[str, Any]] = {
    "band, grouped": {"method": "low-active", "grouping": "first"},  # low-active, as published
    "band, by chance": {"method": "low-active", "grouping": "none"},
    "any, grouped": {"method": "random", "grouping": "first"},
    "any, by chance": {"method": "random", "grouping": "none"},  # random
}  # fmt: skip
EFFECTS = ("distance", "displacement", "edge_per_ink", "added_edge_per_ink", "added_pieces")

# One open point changed at a time (facts of the paper, section 3 onwards); the rest as by default.
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "value: the literal mean": {"deviations": 0.0},
    "value: this picture's active neurons": {"value": "layer"},
    "value: the largest in the data": {"value": "peak"},
    "dead neurons kept": {"dead": "kept"},
    "band by rank": {"percentiles": "rank"},
    "grouped with all so far": {"grouping": "group"},
    "grouped by absolute correlation": {"absolute": True},
}
STATISTICS: dict[str, dict[str, str]] = {
    "correlation of preactivations": {"correlate": "preactivation"},
    "correlation of being on": {"correlate": "phi"},
    "statistics over posterior samples": {"source": "sample"},
    "statistics over the prior": {"source": "prior"},
}
READINGS = len(VARIANTS) + len(STATISTICS) + 2  # and two other layers


def two_by_two(trained: Trained, samples: int) -> dict[str, Any]:
    """The four cells, at equal gain and at equal displacement (that of low-active); what band and grouping add each."""
    settings = {cell: replace(trained.how, **change) for cell, change in CELLS.items()}
    seeds = range(min(samples, 500))
    equal_gain = {cell: measured(trained, how, samples, pieces=True) for cell, how in settings.items()}
    far = next(iter(equal_gain.values()))["displacement"][: len(seeds)].mean().item()
    gains = {cell: gain_moving(trained, seeds, how, far) for cell, how in settings.items()}
    moved = {
        cell: measured(trained, replace(how, gain=gains[cell]), samples, pieces=True) for cell, how in settings.items()
    }
    return {
        "samples": samples,
        "equal gain": _cells(equal_gain, dict.fromkeys(CELLS, trained.how.gain)),
        "equal displacement": _cells(moved, gains),
    }


def _cells(found: Mapping[str, Mapping[str, Tensor]], gains: Mapping[str, float]) -> dict[str, Any]:
    effects = {}
    for measure in EFFECTS:
        a, b, c, d = (found[cell][measure] for cell in CELLS)
        effects[measure] = {
            "band": paired((a + b) / 2, (c + d) / 2),
            "grouping": paired((a + c) / 2, (b + d) / 2),
            "low-active - random": paired(a, d),
        }
    return {"cells": {cell: {"gain": gains[cell], **_means(found[cell])} for cell in found}, "effects": effects}


def open_points(
    trained: Trained, images: Tensor, samples: int, on_variant: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Low-active against random under each reading, the gain set anew so that random has the distance 4.21.

    images: uint8 (N, C, H, W), the training data. A reading under which no gain gets there has the error instead.
    """
    found = {}
    for name, change in VARIANTS.items():
        found[name] = _reading(trained, replace(trained.how, **change), samples)
        on_variant()
    for name, changed in STATISTICS.items():
        z = codes(trained.model, images, source=changed.get("source", "mean"))
        statistics = activation_statistics(trained.model, z, correlate=changed.get("correlate", "activation"))
        other = replace(trained, statistics={max(trained.statistics): statistics})
        found[name] = _reading(other, trained.how, samples)
        on_variant()
    for layer in sorted(trained.statistics)[:-1]:
        found[f"hidden layer {layer}"] = _reading(trained, trained.how, samples, layer)
        on_variant()
    return found


def _reading(trained: Trained, how: Creative, samples: int, layer: int = -1) -> dict[str, Any]:
    seeds, random = range(samples), replace(how, method="random")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a band that holds only neurons that never fired
        try:
            gain = gain_for(trained, seeds, random, RANDOM, layer)
            pictures = [decode(trained, seeds, replace(each, gain=gain), layer) for each in (how, random)]
        except ValueError as error:
            return {"impossible": str(error)}
    low, chance = (encoder_distance(trained.model, each.images) for each in pictures)
    return {
        "gain": gain,
        "low-active": low.mean().item(),
        "random": chance.mean().item(),
        "pair": paired(low, chance),
    }


# Maps: measures over bands, and over the number of neurons and the gain.

EDGES = (0, 1, 5, 10, 15, 25, 40, 60, 80, 100)  # percentiles, lower and upper
NEURONS = (0, 1, 2, 3, 5, 8, 12, 20, 30, 50)
GAINS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # times the calibrated one
MEASURES = {
    "distance": "reconstruction distance",
    "confidence": "confidence of a classifier",
    "diversity": "diversity",
    "edge_per_ink": "edge length per ink",
}
MAP_CELLS = len(EDGES) * (len(EDGES) - 1) // 2 + 2 * (len(NEURONS) + len(GAINS))


def maps(
    trained: Trained, classifier: Judge, samples: int, on_cell: Callable[[], object] = lambda: None
) -> dict[str, list[dict[str, float]]]:
    """Rows of measures over a grid of bands, and over the number of neurons and the gain of low-active and random.

    classifier: of the same images; confidence is the mean probability of its likeliest class.
    """
    low = replace(trained.how, method="low-active")
    found: dict[str, list[dict[str, float]]] = {}

    def cell(row: str, place: dict[str, float], how: Creative) -> None:
        measures = {}
        with suppress(ValueError):  # an empty band has no pictures, and no measures
            x = decode(trained, range(samples), how).images
            measures = {
                "distance": encoder_distance(trained.model, x).mean().item(),
                "confidence": classifier.probabilities(x).amax(1).mean().item(),
                "diversity": diversity(x),
                "edge_per_ink": edge_per_ink(x).mean().item(),
            }
        found.setdefault(row, []).append({**place, **measures})
        on_cell()

    for a, b in combinations(map(float, EDGES), 2):
        cell("band", {"low": a, "high": b}, replace(low, band=(a, b)))
    for method in ("low-active", "random"):
        how = replace(low, method=method)
        for count in NEURONS:
            cell(f"neurons, {method}", {"neurons": float(count)}, replace(how, neurons=count))
        for factor in GAINS:
            cell(f"gain, {method}", {"gain": factor}, replace(how, gain=factor * how.gain))
    return found


def figure(found: Mapping[str, Sequence[Mapping[str, float]]], title: str) -> "Figure":
    """Four measures in rows of panels: the map over bands, and the curves over neurons and gain."""
    drawing: Figure = plot.figure(11, 8.4, title, dpi=120)
    panels = drawing.subplots(3, 4)
    for column, (measure, words) in enumerate(MEASURES.items()):
        _band(drawing, panels[0][column], found["band"], measure, words)
        _curves(panels[1][column], found, "neurons", measure)
        _curves(panels[2][column], found, "gain", measure)
    panels[1][0].legend(fontsize=8, frameon=False)
    return drawing


def _band(drawing: Any, panel: Any, rows: Sequence[Mapping[str, float]], measure: str, words: str) -> None:
    square = np.full((len(EDGES), len(EDGES)), np.nan)
    for row in rows:
        square[EDGES.index(int(row["high"])), EDGES.index(int(row["low"]))] = row.get(measure, np.nan)
    image = panel.imshow(square, origin="lower", cmap="cividis")
    panel.set_title(words, fontsize=10, loc="left")
    panel.set_xticks(range(len(EDGES)), EDGES, fontsize=7)
    panel.set_yticks(range(len(EDGES)), EDGES, fontsize=7)
    panel.set_xlabel("band from percentile", fontsize=8)
    panel.set_ylabel("to percentile", fontsize=8)
    low, high = EDGES.index(1), EDGES.index(15)
    panel.plot([low], [high], marker="s", ms=9, mfc="none", mec="white", mew=1.6)  # the paper's
    drawing.colorbar(image, ax=panel, shrink=0.8).ax.tick_params(labelsize=7)


def _curves(panel: Any, found: Mapping[str, Sequence[Mapping[str, float]]], over: str, measure: str) -> None:
    for method, style in (("low-active", "-"), ("random", "--")):
        rows = [row for row in found[f"{over}, {method}"] if measure in row]
        points = [row[over] for row in rows], [row[measure] for row in rows]
        panel.plot(*points, style, color="black", lw=1.3, marker="o", ms=2.5, label=method)
    panel.axvline(5 if over == "neurons" else 1, color="black", lw=0.6, ls=":")  # the paper's, the calibrated
    panel.set_xlabel({"neurons": "neurons switched on", "gain": "gain, times the calibrated"}[over], fontsize=8)
    plot.plain(panel)


ROWS = ("regular", "noisy", "random", "low-active")


def sheet(trained: Trained, columns: int = 16) -> bytes:
    """The four methods as rows of a PNG, one code a column, with their names; enlarged by a whole factor."""
    from matplotlib.figure import Figure

    pictures, label, dpi = decode_all(trained, range(columns)), 92, 100
    grid = plot.grid(torch.cat([pictures[method] for method in ROWS]), columns, scale=2, gap=6, ground=1.0)
    drawing = Figure(figsize=((grid.width + label) / dpi, grid.height / dpi), dpi=dpi, facecolor="white")
    drawing.figimage(np.asarray(grid), label, 0, cmap="gray", vmin=0, vmax=255, origin="upper")
    for row, method in enumerate(ROWS):
        drawing.text(0, 1 - (row + 0.5) / len(ROWS), method, va="center", fontsize=10)
    return plot.figure_png(drawing)


# The study as a whole.


REFERENCE = "creative-mnist"  # where the gain is chosen, and other readings are tried


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    networks: int = 3  # from different seeds
    samples: int = 10_000
    optimised: int = 100  # of them, by descent over the code
    calibration: int = 1000
    ablation: int = 1000
    readings: int = 500  # pictures under each other reading of the paper, on one set
    cells: int = 500  # pictures in a cell of a map
    judge_steps: int = 2000

    def __post_init__(self) -> None:
        if min(self.networks, self.samples) < 1:
            raise ValueError(f"{self.networks} networks, {self.samples} samples: give at least one of each")


SIZES = {
    "cpu": Sizes(),
    "smoke": Sizes(
        networks=2, samples=30, optimised=4, calibration=20, ablation=20, readings=10, cells=10, judge_steps=5,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Study:
    """out: the folder of runs. changes: of every preset's settings (`data`, say)."""

    out: Path
    scale: str = "cpu"
    sizes: Sizes = Sizes()
    changes: dict[str, Any] = field(default_factory=dict)
    root: Path | None = None
    device: str = "cpu"
    quiet: bool = False

    def __call__(self) -> Path:
        """Do what is not done yet, and return the file of the result. Raises what training and `decode` raise."""
        trainings, numbers = self.prepare(DECODERS_OF_TABLE1), range(1, self.sizes.networks + 1)
        parts = {training.name: [self._network(training, at) for at in numbers] for training in trainings}
        path = self.out / "creative" / "table1.json"
        write(path, self._result(parts))
        for training in trainings:
            name, chart = training.name, figure(parts[training.name][0]["maps"], training.title)
            write(path.with_name(f"{name}.png"), sheet(self.load(name, 1)))
            write(path.with_name(f"{name}_maps.png"), plot.figure_png(chart))
        return path

    def prepare(self, names: Sequence[str]) -> list[DecoderTraining]:
        """Train and calibrate what is not yet of these decoders, `REFERENCE` among them: what they are trained by."""
        trainings = [preset(name, self.scale, **self.changes) for name in names]
        for training in trainings:
            trainer(training, self.out, root=self.root, device=self.device, quiet=self.quiet)(self.sizes.networks)
        for at in range(1, self.sizes.networks + 1):
            self._calibrate(at, names)
        return trainings

    def load(self, name: str, at: int) -> Trained:
        """One of the networks of a decoder, by number from 1."""
        return load_decoder(self.out, name, iteration=at, device=self.device)

    def _calibrate(self, at: int, names: Sequence[str]) -> None:
        """Store the settings of a seed, the same for all data sets, chosen where the paper's random has 4.21.

        The sheet of a network whose settings change is drawn again.
        """
        trained = self.load(REFERENCE, at)
        chosen_before = trained.how.gain != 1
        how = trained.how if chosen_before else calibrated(trained, range(self.sizes.calibration))
        for folder in (self.out / name / f"iter_{at:03d}" for name in names):
            statistics, before = hub.read_statistics(folder / "statistics.safetensors")
            if how != before:
                write(folder / "statistics.safetensors", hub.statistics_bytes(statistics, how))
                hub.write_index(self.out)
                sample = decoder_sheet(load_decoder(self.out, folder.parent.name, iteration=at))
                write(folder / "samples.png", sample)

    def _network(self, training: DecoderTraining, at: int) -> dict[str, Any]:
        """All that is measured of one network: read, if it was measured before at these sizes."""
        name, s = training.name, self.sizes

        def measure() -> dict[str, Any]:
            trained = self.load(name, at)
            data = datasets.load(training.data, root=self.root, limit=training.images)
            with tqdm(total=2 + READINGS + MAP_CELLS, desc=f"{name} {at}", disable=self.quiet) as bar:
                found: dict[str, Any] = {"table": network(trained, s.samples, s.optimised)}
                bar.update()
                found["two_by_two"] = two_by_two(trained, s.ablation)
                bar.update()
                if name == REFERENCE:
                    found["open_points"] = open_points(trained, data.images, s.readings, bar.update)
                if at == 1:
                    path = self.out / "creative" / f"judge_{training.data}.safetensors"
                    model = classifier(path, lambda: data, s.judge_steps, self.device)
                    found["maps"] = maps(trained, model, s.cells, bar.update)
            return found

        return dict(kept_part(self.out / name / f"iter_{at:03d}" / "table1.json", "sizes", vars(s), measure))

    def _result(self, parts: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """By data set: the table, and each further part that its networks have, put together."""
        sets = {DECODERS[name].data: rows for name, rows in parts.items()}

        def joined(what: str) -> dict[str, Any]:
            return {data: together([row[what] for row in rows]) for data, rows in sets.items() if what in rows[0]}

        return {
            "toolkit": __version__,
            "scale": self.scale,
            "sizes": vars(self.sizes),
            "sets": {data: summary(data, [row["table"] for row in rows]) for data, rows in sets.items()},
            "two_by_two": joined("two_by_two"),
            "open_points": joined("open_points"),
            "maps": {data: rows[0]["maps"] for data, rows in sets.items()},
        }


# The tables as text.

NAMES = {"mnist": "MNIST", "fashion": "FashionMNIST", "mnist+fashion": "both"}


def report(result: Mapping[str, Any]) -> str:
    """What the study found: Table 1, whether its order holds, and the two-by-two table."""
    return "\n\n".join([table(result), order(result), cells(result, "equal gain"), cells(result, "equal displacement")])


def table(result: Mapping[str, Any]) -> str:
    """The reconstruction distances: set and method, the paper's, ours by both definitions, and what they go with."""
    head = ["data", "method", "paper", "D_r, round trip", "D_r, minimised", "displacement", "edge per ink"]
    rows = []
    for data, found in result["sets"].items():
        for method in METHODS:
            m = found["methods"][method]
            measures = (m[name] for name in ("distance", "minimised_distance", "displacement", "edge_per_ink"))
            paper = f"{m['paper']:.2f}" if "paper" in m else ""
            rows.append([NAMES.get(data, data), method, paper, *map(_number, measures)])
    return markdown_table(head, rows, 2)


def order(result: Mapping[str, Any]) -> str:
    """Whether each method lies farther out than the next, on each set."""
    head = ["data", "claim", "difference of D_r", "networks in which it is sure", "over networks"]
    rows = [
        [NAMES.get(data, data), claim, _number(it["difference"]), f"{it['networks_surely']} of {it['networks']}",
         "yes" if it["over_networks"] else "no"]
        for data, found in result["sets"].items()
        for claim, it in found["order"].items()
    ]  # fmt: skip
    return markdown_table(head, rows, 2)


def cells(result: Mapping[str, Any], at: str) -> str:
    """The two-by-two table of band and grouping, at equal gain or displacement."""
    head = ["data", f"at {at}", "gain", "D_r", "displacement", "edge per ink", "of what was added", "its pieces"]
    rows = [
        [NAMES.get(data, data), cell, *(_number(values[name]) for name in ("gain", *EFFECTS))]
        for data, found in result["two_by_two"].items()
        for cell, values in found[at]["cells"].items()
    ]
    return markdown_table(head, rows, 2)


def readings(result: Mapping[str, Any], data: str = "mnist") -> str:
    """Low-active against random under other readings of the paper."""
    rows = []
    for reading, found in result["open_points"][data].items():
        if "impossible" in found:
            rows.append([reading, found["impossible"], "", "", ""])
        else:
            pair = f"{found['pair']['networks_above']} of {found['pair']['n']}"
            rows.append([reading, *(_number(found[name]) for name in ("gain", "low-active", "random")), pair])
    return markdown_table(["reading", "gain", "low-active", "random", "low-active surely farther"], rows, 2)


def _number(x: Interval) -> str:
    return number(x, digits=2)


OF_STUDY = [  # options of this study, and of those of the same networks
    arg("--networks", type=int, help="of each data set, from different seeds (default: 3)"),
    arg("--data", help="another data set for all, such as sample:mnist"),
    *map(arg, ("--root", "--device", "--quiet", "--json")),
]


@command(
    "table1",
    """examples:
  python -m toolkit table1 --out runs                 trains nine decoders and measures them: hours on two cores
  python -m toolkit table1 --out runs --scale smoke   seconds, with numbers that mean nothing
Stop it whenever you like; the same command continues where it was.""",
    arg("--out", required=True, metavar="DIR", help="the folder of runs"),
    arg("--scale", default="cpu", choices=list(SIZES), help="cpu (the published networks; default) or smoke (seconds)"),
    arg("--samples", type=int, help="per method and network (default: 10000)"),
    *OF_STUDY,
)
def table1(args: argparse.Namespace) -> object:
    """Table 1 and beyond: train decoders, calibrate, compare methods over seeds; into OUT/creative/table1.json."""
    given = {name: value for name in ("networks", "samples") if (value := getattr(args, name)) is not None}
    study = Study(
        args.out, args.scale, replace(SIZES[args.scale], **given), {"data": args.data} if args.data else {},
        args.root, str(train.device(args.device)), args.quiet or args.json,
    )  # fmt: skip
    result = json.loads(study().read_text())
    return result if args.json else report(result)
