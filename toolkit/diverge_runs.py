"""Runs of `diverge`: each kept step of one training is an iteration, stored with its sheet and measures."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from tqdm import tqdm

from . import __version__, data, hub, index, plot
from .diverge.experiments import PRESETS, Experiment, Given, learned, measured, new, preset
from .diverge.snapshots import Snapshot
from .models import Judge
from .runs import Store, locked, to_json
from .samplers import to_bytes
from .seeds import Noise

SEEDS = range(100)  # on a sheet


@dataclass(frozen=True)
class Run:
    """One experiment and the folder it lives in. origin: where bases are that OUT has not, and the judges."""

    experiment: Experiment
    out: Path
    origin: str = str(index.CHECKPOINTS)
    root: Path | None = None
    device: str = "cpu"
    quiet: bool = False

    def __call__(self) -> Path:
        """Train, measure and store what is not stored yet -> the folder of the experiment.

        Raises RunError or CheckpointError if something cannot be written or read, and what learning raises.
        """
        with locked(self.out / self.experiment.name):
            store = Store(self.out, self.experiment)
            numbers = range(1, len(self.experiment.kept) + 1)
            if not all(map(store.finished, numbers)):
                self._learn(store)
            store.conclude(lambda rows: {"rows": rows})
        return store.root

    def _learn(self, store: Store) -> None:
        e = self.experiment
        judge = hub.load_judge(self.origin, e.judge, device=self.device)
        given = self._given(judge)
        first: Snapshot | None = None
        with tqdm(total=e.kept[-1], desc=e.name, unit="step", disable=self.quiet, dynamic_ncols=True) as bar:
            for number, snapshot in enumerate(learned(e, given, lambda step, losses: _hear(bar, losses)), 1):
                stored = self._stored(store, number, snapshot)
                first = first or stored
                store.put(number, "metrics.json", partial(_numbers, e, stored, first, judge))
                store.put(number, "samples.png", partial(sheet, stored.model))
                store.finish(number)

    def _stored(self, store: Store, number: int, snapshot: Snapshot) -> Snapshot:
        """A snapshot as it is on disk, in half precision: that is what is drawn and measured."""
        e, path = self.experiment, store.find(number, "model.safetensors")
        facts = {"experiment": e.name, "iteration": number, "step": snapshot.step, "method": e.method, "data": e.data,
                 "base": e.base, "seed": e.seed, "scale": e.scale, "toolkit": __version__}  # fmt: skip
        path = path or store.put_model(number, snapshot.model, **facts)
        return Snapshot(snapshot.step, hub.load(path, device=self.device), snapshot.losses)

    def _given(self, judge: Judge) -> Given:
        """What an experiment starts from: its base, or a new model; and images, if it takes any."""
        e = self.experiment
        model = cast("Any", self._base() if e.base else new(e).to(self.device))
        if not e.data:
            return Given(model, judge=judge)
        _, size, _ = model.image_shape
        loaded = data.load(e.data, root=self.root, limit=e.images, size=size)
        return Given(model, loaded.images, loaded.labels, judge)

    def _base(self) -> torch.nn.Module:
        """The model of the base: of OUT, or else of SOURCE, or else trained first, on the same data and scale."""
        e, folder = self.experiment, self.out / self.experiment.base
        if not (folder / "metrics.json").exists():
            shipped = index.read_index(self.origin)["experiments"]
            if e.base in shipped and (e.scale != "smoke" or e.base not in PRESETS):
                return hub.load(self.origin, e.base, e.iteration, device=self.device)
            base = preset(e.base, e.scale, **({"data": e.data} if e.data else {}))
            replace(self, experiment=base)()
        return hub.load(self.out, e.base, e.iteration, device=self.device)


def sheet(model: Any) -> bytes:
    """What the model draws from a hundred seeds, the same at every step, as PNG."""
    with torch.no_grad():
        return plot.png(to_bytes(model.sample(Noise(SEEDS))), columns=10)


def _numbers(e: Experiment, snapshot: Snapshot, first: Snapshot, judge: Judge) -> bytes:
    return to_json(measured(e, snapshot, first, judge))


def _hear(bar: "tqdm[Any]", losses: dict[str, float]) -> None:
    bar.set_postfix({name: f"{value:.2f}" for name, value in losses.items()}, refresh=False)
    bar.update()
