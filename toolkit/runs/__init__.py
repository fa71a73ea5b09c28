"""A run on disk: train, hallucinate, accumulate; killed at any moment and started again, it continues.

The loop of `iterated_learning` runs from its start every time; what an earlier run has stored is read instead of made.
What is stored is what teaches: a model is loaded back from its checkpoint before it says anything, so that the images
it says are a function of the checkpoint and the seeds, and can be made again from the checkpoints alone. Several
processes run the same loop; the first writes, the others wait for it (`Store`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from tqdm import tqdm

from .. import __version__, hub, metrics, plot, processes
from ..iterated_learning import (
    Inherit,
    Lectures,
    Teach,
    accumulate,
    fresh,
    iterated_learning,
    keep_share,
    lecture,
    preserve,
    reset,
    say_only,
)  # fmt: skip
from ..models import create
from ..pieces import Images
from ..presets import Experiment
from ..samplers import Hallucination, generates, hallucinate, to_bytes, tone_curve
from ..seeds import child
from ..store import RunError, from_npy, locked, to_json, to_npy
from ..train import DECAY, OptimiserState, Shuffled, fit
from . import rows
from .choice import chosen
from .cost import TimedStore
from .table import summary, table
from .thin import thin

__all__ = ["Run", "prepare", "sheet", "summary", "table", "thin"]

SHEET = 100  # symbols on a sample sheet, grown from the noise of seeds 0 to 99 at every iteration
STATE = "optimiser.safetensors"  # the optimisers at the end of an iteration, as `fit` gives their state
# What the model of the first iteration follows from, beside the first steps.
FIRST = (
    "seed", "data", "images", "size", "architecture", "model", "batch", "epochs", "least_steps", "first_steps",
    "decay", "half",
)  # fmt: skip
MEASURED = 1000  # images that the measures of an iteration are taken over


@dataclass(frozen=True)
class Run:
    """One experiment, its data and the folder it lives in.

    data: uint8 (N, C, H, W), the images the first learner hears; reference: those that novelty is measured against.
    first_from: the folder of another run of the same seed, whose first iteration's model this one goes on from.
    """

    experiment: Experiment
    data: Tensor
    reference: Tensor
    out: Path
    device: torch.device = torch.device("cpu")
    quiet: bool = False
    first_from: Path | None = None

    def __call__(self) -> Path:
        """Run all iterations that are not stored yet, and return the folder of the experiment.

        Raises RunError or CheckpointError if something cannot be written or read, FloatingPointError if training fails.
        """
        with locked(self.out / self.experiment.name):
            return self._run(TimedStore(self.out, self.experiment, self.device))

    def _run(self, store: TimedStore) -> Path:
        self._store_data(store)
        if not all(store.finished(index) for index in range(1, self.experiment.iterations + 1)):
            first = self._create(0)
            for turn in iterated_learning(
                first,
                self.data,
                learn=partial(self._learn, store),
                teach=self._teach(store),
                inherit=self._inherit(first),
                iterations=self.experiment.iterations,
            ):
                self._finish(store, turn.index, turn.model)
        store.conclude(summary)
        return store.root

    def _create(self, index: int) -> nn.Module:
        _, channels, size, _ = self.data.shape
        options = {"channels": channels, "size": size, **self.experiment.model}
        model = create(self.experiment.architecture, options, seed=child(self.experiment.seed, "init", index))
        return model.to(self.device)

    def _learn(self, store: TimedStore, index: int, model: nn.Module, heard: Images | Lectures) -> nn.Module:
        checkpoint = store.find(index, "model.safetensors") or self._train(store, index, model, heard)
        model = hub.load(checkpoint, device=str(self.device))
        if not store.find(index, "samples.png"):  # before anything is said: people may want to pick from it
            with store.piece(index, "sheet"):
                store.put(index, "samples.png", partial(self._sheet, model))
        return model

    def _train(self, store: TimedStore, index: int, model: nn.Module, heard: Images | Lectures) -> Path:
        lessons, steps = self._lessons(index, heard)
        if index == 1 and self.first_from:
            return self._share_first(store, self.first_from, steps)
        bar = self._bar(f"iteration {index}: training", steps, "step")
        with store.piece(index, "training"), bar:
            on_step, decay = (lambda step, losses: _advance(bar, losses)), DECAY[self.experiment.decay]
            state = self._optimiser_state(store, index)
            model = fit(model, lessons, steps=steps, on_step=on_step, decay=decay, state=state)
            store.put(index, STATE, lambda: safetensors.torch.save(state))  # first: with a model, training is done
            return store.put_model(index, model, **self._facts(index, steps))

    def _share_first(self, store: TimedStore, source: Path, steps: int) -> Path:
        """The first iteration's model and optimiser of another run. Raises RunError if it would not be this one's."""
        path, state = (source / "iter_001" / name for name in ("model.safetensors", STATE))
        if missing := [str(file) for file in (source / "config.json", path, state) if not file.is_file()]:
            raise RunError(f"there is no {missing[0]}: give the folder of a run with its first iteration")
        theirs = json.loads((source / "config.json").read_text())["experiment"]
        mine = json.loads(to_json(self.experiment.as_dict()))
        if other := [name for name in FIRST if theirs.get(name) != mine.get(name)]:
            raise RunError(
                f"{source} began with another {', '.join(other)}: give a run whose first iteration is the same"
            )
        store.put(1, STATE, state.read_bytes)
        return store.put_model(1, hub.load(path), **self._facts(1, steps))

    def _optimiser_state(self, store: TimedStore, index: int) -> OptimiserState:
        """What the optimisers of an iteration start from: those of the one before, or nothing."""
        e = self.experiment
        if index == 1 or e.optimiser == "fresh" or e.inheritance != "preserve":
            return {}
        path = store.find(index - 1, STATE)
        if path is None:
            raise RunError(
                f"{store.folder(index - 1)} has no {STATE}, from which the training goes on: "
                "start the run anew in another --out, or give --set optimiser=fresh to a new one"
            )
        return dict(safetensors.torch.load_file(path))

    def _facts(self, index: int, steps: int) -> dict[str, Any]:
        e = self.experiment
        return {
            "experiment": e.name,
            "iteration": index,
            "seed": e.seed,
            "scale": e.scale,
            "data": e.data,
            "steps": steps,
            "toolkit": __version__,
        }

    def _lessons(self, index: int, heard: Images | Lectures) -> tuple[Iterable[Tensor], int]:
        e = self.experiment
        if isinstance(heard, Lectures):
            return heard, e.lecture_steps
        batch = e.batch if index == 1 else e.later_batch or e.batch
        shuffled = Shuffled(heard, batch, child(e.seed, "shuffle", index))
        anew = index == 1 or e.inheritance != "preserve"
        steps = max(e.epochs * shuffled.steps_per_epoch, (e.least_steps or 1) if anew else 1)
        limit = e.first_steps if anew else e.steps
        return shuffled, min(steps, limit or steps)

    def _say(self, store: TimedStore, index: int, model: nn.Module) -> Tensor:
        """The images of an iteration: read, or hallucinated (again) from its checkpoint and stored."""
        if (stored := store.find(index, "said.npy")) and store.find(index, "metrics.json"):
            return from_npy(stored)
        said = self._draw(store, index, model, self._seeds(index))
        with store.piece(index, "sampling"):
            store.put(index, "said.npy", partial(to_npy, said.images))
        return said.images

    def _seeds(self, index: int) -> range:
        """Of the images said: from 0, as on the sheet, if a person picks; else others every time, or ever the same."""
        e = self.experiment
        if e.rule and e.rule.by == "picks":
            return range(e.said)
        start = child(e.seed, "say") + (e.said * (index - 1) if e.noise == "fresh" else 0)
        return range(start, start + e.said)

    def _draw(self, store: TimedStore, index: int, model: nn.Module, seeds: range) -> Hallucination:
        """Images from noise, and the measures of the first of them."""
        with store.piece(index, "sampling"):
            said = self._hallucinate(index, model, seeds)
        with store.piece(index, "measuring"):
            passes = None if generates(model) else said.passes[:MEASURED]
            measured = partial(metrics.measure, said.images[:MEASURED], self.reference, passes)
            store.put(index, "metrics.json", lambda: to_json(measured()))
        return said

    def _hallucinate(self, index: int, model: nn.Module, seeds: range) -> Hallucination:
        with self._bar(f"iteration {index}: sampling", len(seeds), "image") as bar:
            return hallucinate(model, seeds, self.experiment.sampling, on_images=bar.update)

    def _sheet(self, model: nn.Module) -> bytes:
        return sheet(to_bytes(self.experiment.sampling.grown(model, range(SHEET))))

    def _teach(self, store: TimedStore) -> Teach:
        e = self.experiment
        if e.teaching == "lecture":
            return lecture(e.sampling, e.batch, e.seed)
        how = {"accumulate": accumulate, "replace": say_only}[e.teaching]
        return keep_share(how(chosen(partial(self._say, store), e, self.data)), e.share, e.seed)

    def _inherit(self, first: nn.Module) -> Inherit:
        return {
            "preserve": preserve,
            "reset": reset(first),
            "fresh": fresh(self._create),
        }[self.experiment.inheritance]

    def _finish(self, store: TimedStore, index: int, model: nn.Module) -> None:
        """Measure an iteration that said nothing; then make it final."""
        if store.finished(index):
            return
        if not store.find(index, "metrics.json"):
            start = child(self.experiment.seed, "measure", index)
            self._draw(store, index, model, range(start, start + min(MEASURED, self.experiment.generated)))
        rows.put(store, index, self.experiment, self.reference, model)
        store.finish(index)
        if index > 2:
            store.discard(index - 1, STATE)  # the first stays, for other runs from the same first iteration

    def _store_data(self, store: TimedStore) -> None:
        """Iteration 0 is the data: a sheet of them, and their measures against the rest of the data."""
        if store.finished(0):
            return
        measured = min(MEASURED, len(self.reference) // 2)
        known, others = self.reference[:measured], self.reference[measured:]
        with store.piece(0, "measuring"):
            store.put(0, "samples.png", lambda: sheet(self.data[:SHEET]))
            store.put(0, "metrics.json", lambda: to_json(metrics.measure(known, others)))
        rows.put(store, 0, self.experiment, self.reference)
        store.finish(0)

    def _bar(self, what: str, total: int, unit: str) -> "tqdm[Any]":
        return tqdm(total=total, desc=what, unit=unit, disable=self.quiet or processes.rank() > 0, dynamic_ncols=True)


def prepare(experiment: Experiment, images: Tensor, out: Path, **options: Any) -> Run:
    """A run on these images, uint8 (N, C, H, W): on a random choice of them if the experiment wants fewer.

    options: device, quiet, first_from.
    """
    generator = torch.Generator().manual_seed(child(experiment.seed, "data"))
    reference = _fitted(images[torch.randperm(len(images), generator=generator)], experiment.size)
    data = reference[: experiment.images]
    if experiment.sampling.finish == "tone":
        experiment = replace(experiment, sampling=replace(experiment.sampling, tone=tone_curve(data)))
    return Run(experiment, data, reference, out, **options)


def sheet(images: Tensor) -> bytes:
    """A gapless grid, ten symbols wide, as PNG: uint8 (N, C, H, W), N at most 100."""
    return plot.png(images, columns=10)


def _fitted(images: Tensor, size: int | None) -> Tensor:
    """Images as large as the experiment wants them: uint8 (N, C, H, W) -> uint8 (N, C, size, size)."""
    if size in (None, images.shape[-1]):
        return images
    mode = "area" if size < images.shape[-1] else "bilinear"
    return torch.cat([interpolate(x.float(), (size, size), mode=mode).round().byte() for x in images.split(5000)])


def _advance(bar: "tqdm[Any]", losses: dict[str, float]) -> None:
    bar.set_postfix({name: f"{loss:.2f}" for name, loss in losses.items()}, refresh=False)
    bar.update()
