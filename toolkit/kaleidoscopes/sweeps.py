"""One network of a sweep, trained and measured: what its samples do from run to run, what it keeps of its data.

Nobody had put numbers to "deeper is better" or to "over-generalisation"; a part is one setting and one seed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..metrics import nearest
from . import landscape
from .presets import Training, preset
from .sizes import PERTURBATIONS, SWEEPS, USUAL, Sizes
from .stored import Kaleidoscope, of, stream
from .training import eyes, last_loss, learn
from .trajectory import looked_at, probabilities, watch

FEW = 500  # training images that are tried one by one
BASE = "kaleidoscope-depth"
LONGER = 3  # times the steps, at most, until the loss is equal


def settings(sizes: Sizes, scale: str, **changes: Any) -> dict[str, list[Training]]:
    """The trainings of every sweep; the preset itself is one of each but "equal". changes: of the preset."""
    found = {
        sweep: [preset(BASE, scale, **{**changes, **_changed(what, value)}) for value in getattr(sizes, what)]
        for sweep, what in SWEEPS.items()
    }
    return found | {"equal": [replace(t, steps=LONGER * t.steps) for t in found["equal"]]}


def _changed(sweep: str, value: int) -> dict[str, Any]:
    return {"model": {sweep: value}} if sweep in ("depth", "width") else {sweep: value}


def label(training: Training) -> dict[str, int]:
    """The value of every swept setting."""
    t = training
    return {
        "depth": t.model.get("depth", 10), "width": t.model.get("width", 500), "steps": t.steps,
        "images": t.images or 60_000,
    }  # fmt: skip


def part(
    training: Training,
    data: Tensor,
    unseen: Tensor,
    judge: Any,
    seed: int,
    sizes: Sizes,
    device: str = "cpu",
    perturbations: bool = False,
    until: float = 0.0,
) -> dict[str, Any]:
    """One network of a sweep. data: what it learns, uint8; unseen: other images of that kind, uint8.

    perturbations: whether its samples are stirred in every way, and not only as usual. until: as in `learn`.
    """  # fmt: skip
    model, losses = learn(training, data, seed, device, until=until)
    found = measured(of(training, model), data, unseen, judge, sizes, perturbations)
    return {**label(training), "steps": len(losses), "seed": seed, "loss": last_loss(losses), **found}


def measured(
    k: Kaleidoscope, data: Tensor, unseen: Tensor, judge: Any, sizes: Sizes, perturbations: bool = False
) -> dict[str, Any]:
    """What a network does: `rows` from run to run (`trajectory`), and beside them what they are held against.

    fixed: the share of training images that stay where they are for 30 runs; unseen: how far a real image that was not
    learned is from the nearest that was; real_confidence: the judge's, of such images; recovered: of learned ones.
    """
    few = data[:: -(-len(data) // FEW)].float() / 255
    with torch.no_grad():
        again = k.model.reconstruct(few.to(next(k.model.parameters()).device)).cpu()
    ways = PERTURBATIONS if perturbations else {USUAL: PERTURBATIONS[USUAL]}
    stirred = {name: _watched(k, data, judge, sizes, how) for name, how in ways.items()}
    return {
        "fixed": landscape.fixed(k.model, few).double().mean().item(),
        "unseen": nearest(unseen, data)[0].mean().item(),
        "real_confidence": probabilities(judge, unseen.float() / 255).amax(1).mean().item(),
        "recovered": probabilities(judge, again).amax(1).mean().item(),
        "rows": stirred[USUAL],
        **({"perturbations": stirred} if perturbations else {}),
    }


def _watched(k: Kaleidoscope, data: Tensor, judge: Any, sizes: Sizes, how: Mapping[str, Any]) -> list[dict[str, Any]]:
    runs = looked_at(sizes.runs)
    return watch(stream(k, range(sizes.samples), start="uniform", **how), runs, eyes(data, judge))
