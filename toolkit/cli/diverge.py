"""The command of divergence by training: diverge."""

import argparse
import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from tqdm import tqdm

from .. import __version__, datasets, hub, judges, plot, precision, tree
from ..diverge.experiments import METHODS, PRESETS, SCALES, Experiment, Given, learned, measured, new, preset
from ..diverge.snapshots import Snapshot
from ..models import Judge
from ..samplers import to_bytes
from ..seeds import Noise
from ..store import Store, locked, to_json
from .command import command, settings, source

EPILOG = """examples:
  python -m toolkit diverge hacked-mnist --out runs          digits, until their discriminator calls them fake: seconds
  python -m toolkit diverge can-mnist --out runs             a creative adversarial network: minutes on two cores
  python -m toolkit diverge can-mnist --scale smoke --data sample:mnist --out runs      seconds, and means nothing
  python -m toolkit diverge without-data --seed 1 --set how.diversity=3 --out runs/mine
An iteration is the model after some of the steps, the first one usually untouched. A base that is neither in OUT nor in
SOURCE is trained first. The same command continues: what is finished stays, what was being learned is learned again."""
SEEDS = range(100)  # on a sheet


@dataclass(frozen=True)
class Run:
    """One experiment and the folder it lives in. origin: where bases are that OUT has not, and the judges."""

    experiment: Experiment
    out: Path
    origin: str = str(tree.CHECKPOINTS)
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
        judge = judges.load(self.origin, e.judge, device=self.device)
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
        data = datasets.load(e.data, root=self.root, limit=e.images, size=size)
        return Given(model, data.images, data.labels, judge)

    def _base(self) -> torch.nn.Module:
        """The model of the base: of OUT, or else of SOURCE, or else trained first, on the same data and scale."""
        e, folder = self.experiment, self.out / self.experiment.base
        if not (folder / "metrics.json").exists():
            shipped = tree.read_index(self.origin)["experiments"]
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


def diverge(args: argparse.Namespace) -> object:
    """Train a model away from its data, or without any: each kept step an iteration, with its sheet and measures."""
    given = {name: value for name in ("data", "seed") if (value := getattr(args, name)) is not None}
    experiment = preset(args.name, args.scale, **given, **settings(args.set))
    device = str(precision.device(args.device))
    folder = Run(experiment, args.out, args.source, args.root, device, args.quiet or args.json)()
    stored = json.loads((folder / "metrics.json").read_text())
    return stored if args.json else f"{folder} is complete"


def declare(commands: Any) -> None:
    """Declare it."""
    add = command(commands, diverge, EPILOG)
    add("name", help=f"the experiment: {', '.join(PRESETS)}; by {', '.join(METHODS)}")
    source(add)
    add("--scale", default="cpu", choices=SCALES, help="cpu (minutes; default) or smoke (seconds)")
    add("--data", help="another data set with labels, such as sample:mnist")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting, e.g. how.ambiguity=3")
    add("--out", type=Path, required=True, metavar="DIR", help="the folder of runs; this one goes to DIR/NAME")
    add("--quiet", action="store_true", help="no progress bars")
