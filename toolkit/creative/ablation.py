"""What the distance means: the choice of neurons taken apart, and the points the paper leaves open.

Low-active decoding does two things at once: it draws the first neuron from those that seldom fire (the band), and the
others by correlation with it (the grouping). Here each is done with and without the other, at equal gain, and again
with gains at which all pictures are moved equally far from the regular ones.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..metrics.interval import interval
from ..metrics.reconstruction import encoder_distance
from ..samplers import Creative, activation_statistics, codes
from .calibration import gain_for, gain_for_displacement
from .paper import RANDOM
from .stored import Trained, decode
from .table1 import added_pieces, measured, paired

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
