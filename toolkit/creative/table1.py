"""Table 1, its measurable half: how far the pictures of each method lie from what the decoder draws by itself.

One network at a time, the same codes for all methods; `summary` puts networks from several seeds together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from ..metrics import components, edge_length, ink
from ..metrics.interval import Interval, above_zero, interval
from ..metrics.reconstruction import encoder_distance, optimised_distance
from ..samplers import METHODS, Creation, Creative, Statistics
from . import paper
from .stored import Trained, decode

ORDER = [("low-active", "random"), ("random", "noisy"), ("noisy", "regular")]  # the first of each is said to be farther
CHUNK = 1000


def network(trained: Trained, samples: int, optimised: int) -> dict[str, Any]:
    """What one network's pictures of seeds 0, 1, ... measure, by method; how its neurons are switched on.

    optimised: for how many of them the distance is minimised over the code as well.
    """
    found = {method: measured(trained, replace(trained.how, method=method), samples, optimised) for method in METHODS}
    distance = {method: values["distance"] for method, values in found.items()}
    return {
        "gain": trained.how.gain,
        "noise": trained.how.noise,
        "samples": samples,
        "optimised_samples": optimised,
        "methods": {m: {name: x.double().mean().item() for name, x in values.items()} for m, values in found.items()},
        "pairs": {f"{a} > {b}": paired(distance[a], distance[b]) for a, b in ORDER},
        "neurons": neurons(trained, min(samples, CHUNK)),
    }


def measured(trained: Trained, how: Creative, samples: int, optimised: int = 0) -> dict[str, Tensor]:
    """Every measure of one method's pictures, each (samples,), except the minimised distance: (optimised,)."""
    parts = [
        {"distance": encoder_distance(trained.model, each.images), **looks(each)}
        for each in creations(trained, how, samples)
    ]
    values = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    if optimised:
        images = decode(trained, range(optimised), how).images
        values["minimised_distance"] = optimised_distance(trained.model, images)
    return values


def looks(both: Creation) -> dict[str, Tensor]:
    """How pictures look, and how far they were pushed from the regular ones: (B,) each.

    edge_per_ink: edge length over ink, in borders per pixel of ink; low for blots, high for fine or grainy marks.
    added_edge_per_ink: the same of what became brighter, alone.
    """
    change = both.images - both.regular
    mark = change.clamp_min(0)
    return {
        "displacement": change.flatten(1).norm(dim=1),
        "ink": ink(both.images),
        "edge_per_ink": edge_per_ink(both.images),
        "added_edge_per_ink": edge_per_ink(mark),
    }


def added_pieces(trained: Trained, how: Creative, samples: int) -> Tensor:
    """How many separate pieces became brighter by a quarter of the range or more: (samples,). Takes its time."""
    marks = (each.images - each.regular for each in creations(trained, how, samples))
    return torch.cat([components(mark.clamp_min(0), 0.25) for mark in marks])


def edge_per_ink(x: Tensor) -> Tensor:
    """Edge length over the sum of the ink: (B, C, H, W) -> (B,). A line two pixels wide has 1, an isolated pixel 4."""
    return edge_length(x) / (ink(x) * x[0, 0].numel()).clamp_min(1e-3)


def creations(trained: Trained, how: Creative, samples: int) -> Iterator[Creation]:
    """Both pictures of seeds 0, 1, ..., some at a time."""
    for start in range(0, samples, CHUNK):
        yield decode(trained, range(start, min(start + CHUNK, samples)), how)


def paired(a: Tensor, b: Tensor) -> Interval:
    """How much more a measures than b on the same codes, with the 95 % interval over codes."""
    difference = (a - b).double()
    mean, half = difference.mean().item(), 1.96 * difference.std().item() / sqrt(len(difference))
    return Interval(mean=mean, low=mean - half, high=mean + half, n=len(difference))


def neurons(trained: Trained, samples: int) -> dict[str, Any]:
    """How many neurons are dead, how many may be chosen, and how unnatural the value is that they are switched on with.

    over_peak: the share switched on more strongly than the data ever did; deviations: by how many standard deviations
    of a neuron's activation, while it is on, the value lies over its mean.
    """
    statistics = trained.statistics[max(trained.statistics)]
    found: dict[str, Any] = {"of": len(statistics.active), "dead": int(statistics.dead.sum())}
    for method in ("low-active", "random"):
        how = replace(trained.how, method=method)
        chosen = decode(trained, range(samples), how).neurons
        found[method] = _unnatural(statistics, how, chosen[chosen >= 0])
        found[method]["lacking"] = (chosen < 0).double().mean().item()  # of the five, where too few were off
    return found


def _unnatural(statistics: Statistics, how: Creative, chosen: Tensor) -> dict[str, Any]:
    value = how.gain * (statistics.mean + how.deviations * statistics.std)[chosen]
    spread = statistics.std[chosen].clamp_min(1e-6)
    return {
        "distinct": len(chosen.unique()),
        "fire_percent": 100 * statistics.active[chosen].double().mean().item(),
        "value_over_peak": (value / statistics.peak[chosen].clamp_min(1e-6)).double().mean().item(),
        "over_peak": (value > statistics.peak[chosen]).double().mean().item(),
        "deviations": ((value - statistics.mean[chosen]) / spread).double().median().item(),
    }


def summary(networks: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The table: what the networks of several seeds measure, by data set, beside the paper; whether the order holds.

    networks: data set -> what `network` gave, one per seed.
    """
    table = {data: _of_set(data, rows) for data, rows in networks.items()}
    claims = [claim for each in table.values() for claim in each["order"].values()]
    return {"sets": table, "order_holds_everywhere": all(claim["in_every_network"] for claim in claims)}


def _of_set(data: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    methods: dict[str, dict[str, Any]] = {}
    for method in METHODS:
        names = rows[0]["methods"][method]
        methods[method] = {name: interval([row["methods"][method][name] for row in rows]) for name in names}
        if data in paper.TABLE1:
            methods[method]["paper"] = paper.TABLE1[data][method].distance
    ratios = [row["methods"]["low-active"]["distance"] / row["methods"]["random"]["distance"] for row in rows]
    return {
        "methods": methods,
        "gain": interval([row["gain"] for row in rows]),
        "low-active / random": interval(ratios),
        "order": {f"{a} > {b}": _claim([row["pairs"][f"{a} > {b}"] for row in rows]) for a, b in ORDER},
    }


def _claim(pairs: Sequence[Interval]) -> dict[str, Any]:
    """Whether one method lies farther out than the other: in how many networks surely, and over networks."""
    sure = sum(map(above_zero, pairs))
    over = interval([pair["mean"] for pair in pairs])
    return {
        "difference": over,
        "networks": len(pairs),
        "networks_surely": sure,
        "in_every_network": sure == len(pairs),
        "over_networks": above_zero(over),
    }
