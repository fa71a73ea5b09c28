"""The study of the creative decoder: table 1, ablations, maps over band and gain.

Low-active decoding does two things at once: it draws the first neuron from those that seldom fire (the band), and the
others by correlation with it (the grouping). Here each is done with and without the other, at equal gain, and again
with gains at which all pictures are moved equally far from the regular ones.

OUT/creative/table1.json is its result; the parts lie beside the networks, OUT/NAME/iter_NNN/table1.json.
"""

import argparse
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from .. import __version__, hub, index, train
from .. import data as datasets
from ..hub import Trained, decode, load_decoder
from ..metrics import diversity
from ..metrics.distance import encoder_distance
from ..metrics.stats import interval
from ..models import Judge, create
from ..models.classifier import Lessons
from ..presets import DECODERS, TABLE1, DecoderTraining, preset
from ..runs import decoder_sheet, to_json, trainer
from ..samplers import Creative, activation_statistics, codes
from ..seeds import child
from ..train import fit, linear
from . import table1 as report
from .table1 import (
    RANDOM,
    added_pieces,
    calibrated,
    edge_per_ink,
    gain_for,
    gain_for_displacement,
    measured,
    paired,
    sheet,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


EPILOG = """examples:
  python -m toolkit table1 --out runs                 trains nine decoders and measures them: hours on two cores
  python -m toolkit table1 --out runs --scale smoke   seconds, with numbers that mean nothing
Stop it whenever you like; the same command continues where it was."""


def table1(args: argparse.Namespace) -> object:
    """Table 1 and beyond: train decoders, calibrate, compare methods over seeds; into OUT/creative/table1.json."""
    device = str(train.device(args.device))
    quiet = args.quiet or args.json
    work = study(
        args.out, args.scale, networks=args.networks, samples=args.samples, root=args.root, device=device, quiet=quiet,
        changes={name: {"data": args.data} for name in TABLE1} if args.data else {},
    )  # fmt: skip
    result = json.loads(work().read_text())
    return result if args.json else report.markdown(result)


def declare(add: Callable[..., Any]) -> None:
    """What `table1` takes."""
    add("--out", required=True, metavar="DIR", help="the folder of runs")
    add("--scale", default="cpu", choices=list(SIZES), help="cpu (the published networks; default) or smoke (seconds)")
    add("--networks", type=int, help="trained per data set, from different seeds (default: 3)")
    add("--samples", type=int, help="per method and network (default: 10000)")
    add("--data", help="another data set for all three, such as sample:mnist")
    for name in ("--root", "--device", "--quiet", "--json"):
        add(name)


COMMANDS = {"table1": (table1, declare, EPILOG)}


CELLS: dict[str, dict[str, Any]] = {
    "band, grouped": {"method": "low-active", "grouping": "first"},  # low-active, as published
    "band, by chance": {"method": "low-active", "grouping": "none"},
    "any, grouped": {"method": "random", "grouping": "first"},
    "any, by chance": {"method": "random", "grouping": "none"},  # random
}  # fmt: skip
LOW_ACTIVE, RANDOM_CELL = "band, grouped", "any, by chance"

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


def two_by_two(trained: Trained, samples: int) -> dict[str, Any]:
    """The four cells, at equal gain and at equal displacement (that of low-active); what band and grouping add each."""
    seeds = range(min(samples, 500))
    equal_gain = {cell: _measured(trained, _cell(trained, cell), samples) for cell in CELLS}
    far = equal_gain[LOW_ACTIVE]["displacement"][: len(seeds)].mean().item()
    gains = {cell: gain_for_displacement(trained, seeds, _cell(trained, cell), far) for cell in CELLS}
    moved = {cell: _measured(trained, replace(_cell(trained, cell), gain=gains[cell]), samples) for cell in CELLS}
    return {
        "samples": samples,
        "equal gain": _cells(equal_gain, dict.fromkeys(CELLS, trained.how.gain)),
        "equal displacement": _cells(moved, gains),
    }


def _measured(trained: Trained, how: Creative, samples: int) -> dict[str, Tensor]:
    return {**measured(trained, how, samples), "added_pieces": added_pieces(trained, how, samples)}


def _cell(trained: Trained, cell: str) -> Creative:
    return replace(trained.how, **CELLS[cell])


def _cells(found: Mapping[str, Mapping[str, Tensor]], gains: Mapping[str, float]) -> dict[str, Any]:
    rows = {c: {"gain": gains[c], **{n: x.double().mean().item() for n, x in found[c].items()}} for c in found}
    effects = {}
    for measure in ("distance", "displacement", "edge_per_ink", "added_edge_per_ink", "added_pieces"):
        a, b, c, d = (found[cell][measure] for cell in CELLS)
        effects[measure] = {
            "band": paired((a + b) / 2, (c + d) / 2),
            "grouping": paired((a + c) / 2, (b + d) / 2),
            "low-active - random": paired(a, d),
        }
    return {"cells": rows, "effects": effects}


def open_points(
    trained: Trained, images: Tensor, samples: int, on_variant: Callable[[str], object] = lambda name: None
) -> dict[str, Any]:
    """Low-active against random under each reading, the gain set anew so that random has the distance 4.21.

    images: uint8 (N, C, H, W), the training data. A reading under which no gain gets there says so.
    """
    found = {}
    for name, change in VARIANTS.items():
        on_variant(name)
        found[name] = _reading(trained, replace(trained.how, **change), samples, -1)
    for name, change in STATISTICS.items():
        on_variant(name)
        found[name] = _reading(_with_statistics(trained, images, **change), trained.how, samples, -1)
    for layer in sorted(trained.statistics)[:-1]:
        on_variant(f"layer {layer}")
        found[f"hidden layer {layer}"] = _reading(trained, trained.how, samples, layer)
    return found


def _with_statistics(trained: Trained, images: Tensor, correlate: str = "activation", source: str = "mean") -> Trained:
    last = max(trained.statistics)
    z = codes(trained.model, images, source=source)
    return replace(trained, statistics={last: activation_statistics(trained.model, z, correlate=correlate)})


def _reading(trained: Trained, how: Creative, samples: int, layer: int) -> dict[str, Any]:
    """all_dead: whether the band then holds only neurons that never fired; `creative_decode` warns of that."""
    seeds, random = range(samples), replace(how, method="random")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
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
        "all_dead": float(any("dead" in str(warning.message) for warning in heard)),
    }


def together(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several networks gave, leaf by leaf: numbers become intervals over networks, intervals those of means."""
    rows = [row for row in rows if "impossible" not in row] or rows
    first = rows[0]
    if {"mean", "low", "n"} <= first.keys():  # an interval over codes
        over = interval([row["mean"] for row in rows])
        return {**over, "networks_above": _sure(rows, 1), "networks_below": _sure(rows, -1)}
    return {key: _leaf([row[key] for row in rows]) for key in first}


def _leaf(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return together(values)
    return values[0] if isinstance(values[0], str) else interval(values)


def _sure(rows: Sequence[Mapping[str, Any]], sign: int) -> int:
    """In how many networks an interval lies wholly on one side of 0."""
    return sum(min(sign * row["low"], sign * row["high"]) > 0 for row in rows)


REFERENCE = "creative-mnist"  # where the gain is chosen, and other readings are tried
READINGS = len(VARIANTS) + len(STATISTICS) + 2  # and two other layers


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


SIZES = {
    "cpu": Sizes(),
    "smoke": Sizes(
        networks=2, samples=30, optimised=4, calibration=20, ablation=20, readings=10, cells=10, judge_steps=5,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Study:
    """out: the folder of runs. changes: of each preset's settings (`data`, say), by its name."""

    out: Path
    scale: str = "cpu"
    sizes: Sizes = Sizes()
    changes: dict[str, Any] | None = None
    root: Path | None = None
    device: str = "cpu"
    quiet: bool = False

    def __call__(self) -> Path:
        """Do what is not done yet, and return the file of the result. Raises what training and `decode` raise."""
        trainings = {name: preset(name, self.scale, **(self.changes or {}).get(name, {})) for name in TABLE1}
        for name in TABLE1:
            trainer(trainings[name], self.out, root=self.root, device=self.device, quiet=self.quiet)(
                self.sizes.networks
            )
        hows = [self._calibrated(number) for number in self._numbers()]
        for name in TABLE1:
            for number, how in zip(self._numbers(), hows, strict=True):
                calibrate(self.out, name, number, how)
        parts = {name: [self._network(trainings[name], number) for number in self._numbers()] for name in TABLE1}
        path = self.out / "creative" / "table1.json"
        index.write_atomic(path, to_json(self._result(parts)))
        for name in TABLE1:
            index.write_atomic(path.parent / f"{name}.png", sheet(self._load(name, 1)))
            index.write_atomic(path.parent / f"{name}_maps.png", _png(parts[name][0]["maps"], trainings[name].title))
        return path

    def _numbers(self) -> range:
        return range(1, self.sizes.networks + 1)

    def _load(self, name: str, number: int) -> Trained:
        return load_decoder(self.out, name, iteration=number, device=self.device)

    def _calibrated(self, number: int) -> Creative:
        """The settings of a seed, the same for all data sets: chosen where the paper's random has 4.21."""
        trained = self._load(REFERENCE, number)
        if trained.how.gain != 1:  # chosen before
            return trained.how
        return calibrated(trained, range(self.sizes.calibration))

    def _network(self, training: DecoderTraining, number: int) -> dict[str, Any]:
        """All that is measured of one network: read, if it was measured before at these sizes."""
        name = training.name
        path = self.out / name / f"iter_{number:03d}" / "table1.json"
        if path.exists() and (found := json.loads(path.read_text()))["sizes"] == vars(self.sizes):
            return dict(found)
        trained, s = self._load(name, number), self.sizes
        images, labels = _labelled(training, self.root)
        with tqdm(total=2 + READINGS + MAP_CELLS, desc=f"{name} {number}", disable=self.quiet) as bar:
            found = {
                "sizes": vars(s),
                "table": _then(bar, lambda: report.network(trained, s.samples, s.optimised)),
                "two_by_two": _then(bar, lambda: two_by_two(trained, s.ablation)),
            }
            if name == REFERENCE:
                found["open_points"] = open_points(trained, images, s.readings, lambda name: bar.update())
            if number == 1:
                judge = self._judge(training.data, images, labels)
                found["maps"] = maps(trained, judge, s.cells, bar.update)
        index.write_atomic(path, to_json(found))
        return found

    def _judge(self, data: str, images: torch.Tensor, labels: torch.Tensor) -> Judge:
        """A classifier of the data that the decoder learned from, kept beside it."""
        path = self.out / "creative" / f"judge_{data}.safetensors"
        if not path.exists():
            _, channels, size, _ = images.shape
            names = tuple(map(str, range(int(labels.max()) + 1)))
            options = {"classes": names, "channels": channels, "size": size, "filters": 16, "hidden": 256}
            judge = create("Judge", options, seed=child(0, "judge"))
            judge = fit(judge, Lessons(images, labels, names), steps=self.sizes.judge_steps, decay=linear)
            hub.save(judge, path, data=data, steps=self.sizes.judge_steps)
        loaded = hub.load_file(path, device=self.device)
        assert isinstance(loaded, Judge)
        return loaded

    def _result(self, parts: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """By data set: the table, and each further part that its networks have, put together."""
        sets = {DECODERS[name].data: rows for name, rows in parts.items()}

        def joined(what: str) -> dict[str, Any]:
            return {data: together([row[what] for row in rows]) for data, rows in sets.items() if what in rows[0]}

        return {
            "toolkit": __version__,
            "scale": self.scale,
            "sizes": vars(self.sizes),
            **report.summary({data: [row["table"] for row in rows] for data, rows in sets.items()}),
            "neurons": {data: together([row["table"]["neurons"] for row in rows]) for data, rows in sets.items()},
            "two_by_two": joined("two_by_two"),
            "open_points": joined("open_points"),
            "maps": {data: rows[0]["maps"] for data, rows in sets.items()},
        }


def _then(bar: "tqdm[Any]", work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    found = work()
    bar.update()
    return found


def _labelled(training: DecoderTraining, root: Path | None) -> tuple[torch.Tensor, torch.Tensor]:
    data = datasets.load(training.data, root=root, limit=training.images)
    if data.labels is None:
        raise ValueError(f"{training.data} has no labels: give a data set that has, for its classifier")
    return data.images, data.labels


def _png(found: dict[str, Any], title: str) -> bytes:
    buffer = BytesIO()
    figure(found, title).savefig(buffer, format="png")
    return buffer.getvalue()


def study(
    out: Path, scale: str = "cpu", *, networks: int | None = None, samples: int | None = None, **options: Any
) -> Study:
    """The study at a scale, with another number of networks or samples if given."""
    given = {name: value for name, value in (("networks", networks), ("samples", samples)) if value is not None}
    return Study(out, scale, replace(SIZES[scale], **given), **options)


EDGES = (0, 1, 5, 10, 15, 25, 40, 60, 80, 100)  # percentiles, lower and upper
NEURONS = (0, 1, 2, 3, 5, 8, 12, 20, 30, 50)
GAINS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # times the calibrated one
MEASURES = {
    "distance": "reconstruction distance",
    "confidence": "confidence of a classifier",
    "diversity": "diversity",
    "edge_per_ink": "edge length per ink",
}


def maps(
    trained: Trained, judge: Any, samples: int, on_cell: Callable[[], object] = lambda: None
) -> dict[str, list[dict[str, float]]]:
    """Rows of measures over a grid of bands, and over the number of neurons and the gain of low-active and random.

    judge: a classifier of the same images (`models.Judge`); confidence is the mean probability of its likeliest class.
    """
    low = replace(trained.how, method="low-active")
    bands = [(a, b) for a, b in combinations(map(float, EDGES), 2)]
    found: dict[str, list[dict[str, float]]] = {"band": []}
    for a, b in bands:
        found["band"].append({"low": a, "high": b, **_map_cell(trained, judge, replace(low, band=(a, b)), samples)})
        on_cell()
    for method in ("low-active", "random"):
        how = replace(low, method=method)
        found[f"neurons, {method}"], found[f"gain, {method}"] = [], []
        for count in NEURONS:
            row = _map_cell(trained, judge, replace(how, neurons=count), samples)
            found[f"neurons, {method}"].append({"neurons": float(count), **row})
            on_cell()
        for factor in GAINS:
            row = _map_cell(trained, judge, replace(how, gain=factor * how.gain), samples)
            found[f"gain, {method}"].append({"gain": factor, **row})
            on_cell()
    return found


MAP_CELLS = len(EDGES) * (len(EDGES) - 1) // 2 + 2 * (len(NEURONS) + len(GAINS))


def _map_cell(trained: Trained, judge: Any, how: Creative, samples: int) -> dict[str, float]:
    """An empty band has no pictures, and no measures."""
    try:
        x = decode(trained, range(samples), how).images
    except ValueError:
        return {}
    confidence = judge.probabilities(x).amax(1).mean().item()
    values = {
        "distance": encoder_distance(trained.model, x).mean().item(),
        "confidence": confidence,
        "diversity": diversity(x),
        "edge_per_ink": edge_per_ink(x).mean().item(),
    }
    return {name: values[name] for name in MEASURES}


def figure(found: Mapping[str, Sequence[Mapping[str, float]]], title: str) -> "Figure":
    """Four measures in rows of panels: the map over bands, and the curves over neurons and gain."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(11, 8.4), dpi=120, layout="constrained")
    drawing.suptitle(title, fontsize=12, x=0.01, ha="left", fontweight="bold")
    panels = drawing.subplots(3, 4)
    for column, (measure, words) in enumerate(MEASURES.items()):
        _band(drawing, panels[0][column], found["band"], measure, words)
        _curves(panels[1][column], found, "neurons", measure)
        _curves(panels[2][column], found, "gain", measure)
    panels[1][0].legend(fontsize=8, frameon=False)
    return drawing


def _band(drawing: Any, panel: Any, rows: Sequence[Mapping[str, float]], measure: str, words: str) -> None:
    import numpy as np

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
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7)


def calibrate(out: Path, name: str, number: int, how: Creative) -> None:
    """Store calibrated settings with a network, and draw its sheet again."""
    folder = out / name / f"iter_{number:03d}"
    statistics, before = hub.read_statistics(folder / "statistics.safetensors")
    if how != before:
        hub.write_statistics(folder / "statistics.safetensors", statistics, how)
        hub.write_index(out)
        index.write_atomic(folder / "samples.png", decoder_sheet(load_decoder(out, name, iteration=number)))
