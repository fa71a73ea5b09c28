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

import torch
from torch import Tensor, nn
from tqdm import tqdm

from . import __version__, hub, metrics, plot, processes
from .iterated_learning import (
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
from .models import create
from .pieces import Images
from .presets import Experiment
from .samplers import Hallucination, hallucinate, to_bytes, tone_curve
from .seeds import Noise, child
from .store import Store, from_npy, locked, to_json, to_npy
from .train import DECAY, Shuffled, fit

SHEET = 100  # symbols on a sample sheet, grown from the noise of seeds 0 to 99 at every iteration
MEASURED = 1000  # images that the measures of an iteration are taken over


@dataclass(frozen=True)
class Run:
    """One experiment, its data and the folder it lives in.

    data: uint8 (N, C, H, W), the images the first learner hears; reference: those that novelty is measured against.
    """

    experiment: Experiment
    data: Tensor
    reference: Tensor
    out: Path
    device: torch.device = torch.device("cpu")
    quiet: bool = False

    def __call__(self) -> Path:
        """Run all iterations that are not stored yet, and return the folder of the experiment.

        Raises RunError or CheckpointError if something cannot be written or read, FloatingPointError if training fails.
        """
        with locked(self.out / self.experiment.name):
            return self._run(Store(self.out, self.experiment))

    def _run(self, store: Store) -> Path:
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
        return create("WTA", options, seed=child(self.experiment.seed, "init", index)).to(self.device)

    def _learn(self, store: Store, index: int, model: nn.Module, heard: Images | Lectures) -> nn.Module:
        if not (checkpoint := store.find(index, "model.safetensors")):
            lessons, steps = self._lessons(index, heard)
            with self._bar(f"iteration {index}: training", steps, "step") as bar:
                on_step, decay = (lambda step, losses: _advance(bar, losses)), DECAY[self.experiment.decay]
                model = fit(model, lessons, steps=steps, on_step=on_step, decay=decay)
            checkpoint = store.put_model(index, model, **self._facts(index, steps))
        return hub.load(checkpoint, device=str(self.device))

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
        shuffled = Shuffled(heard, e.batch, child(e.seed, "shuffle", index))
        limit = e.first_steps if index == 1 else e.steps
        steps = e.epochs * shuffled.steps_per_epoch
        return shuffled, min(steps, limit or steps)

    def _say(self, store: Store, index: int, model: nn.Module) -> Tensor:
        """The images of an iteration: read, or hallucinated (again) from its checkpoint and stored."""
        if (stored := store.find(index, "said.npy")) and store.find(index, "metrics.json"):
            return from_npy(stored)
        e = self.experiment
        start = child(e.seed, "say") + (e.generated * (index - 1) if e.noise == "fresh" else 0)
        said = self._hallucinate(index, model, range(start, start + e.generated))
        store.put(index, "metrics.json", partial(self._measure, said))
        store.put(index, "said.npy", partial(to_npy, said.images))
        return said.images

    def _hallucinate(self, index: int, model: nn.Module, seeds: range) -> Hallucination:
        with self._bar(f"iteration {index}: sampling", len(seeds), "image") as bar:
            return hallucinate(model, seeds, self.experiment.sampling, on_images=bar.update)

    def _measure(self, said: Hallucination) -> bytes:
        return to_json(metrics.measure(said.images[:MEASURED], self.reference, said.passes[:MEASURED]))

    def _sheet(self, model: nn.Module) -> bytes:
        noise = Noise(range(SHEET)).rand(*model.image_shape).to(self.device)  # type: ignore[misc]
        return sheet(to_bytes(self.experiment.sampling.final(model, noise)))

    def _teach(self, store: Store) -> Teach:
        e = self.experiment
        if e.teaching == "lecture":
            return lecture(e.sampling, e.batch, e.seed)
        how = {"accumulate": accumulate, "replace": say_only}[e.teaching]
        return keep_share(how(partial(self._say, store)), e.share, e.seed)

    def _inherit(self, first: nn.Module) -> Inherit:
        return {
            "preserve": preserve,
            "reset": reset(first),
            "fresh": fresh(self._create),
        }[self.experiment.inheritance]

    def _finish(self, store: Store, index: int, model: nn.Module) -> None:
        """Whatever an iteration still lacks: its sheet, and its measures where nothing was said. Then make it final."""
        if store.finished(index):
            return
        if not store.find(index, "metrics.json"):
            start = child(self.experiment.seed, "measure", index)
            said = self._hallucinate(index, model, range(start, start + min(MEASURED, self.experiment.generated)))
            store.put(index, "metrics.json", partial(self._measure, said))
        store.put(index, "samples.png", partial(self._sheet, model))
        store.finish(index)

    def _store_data(self, store: Store) -> None:
        """Iteration 0 is the data: a sheet of them, and their measures against the rest of the data."""
        if store.finished(0):
            return
        measured = min(MEASURED, len(self.reference) // 2)
        known, others = self.reference[:measured], self.reference[measured:]
        store.put(0, "samples.png", lambda: sheet(self.data[:SHEET]))
        store.put(0, "metrics.json", lambda: to_json(metrics.measure(known, others)))
        store.finish(0)

    def _bar(self, what: str, total: int, unit: str) -> "tqdm[Any]":
        return tqdm(total=total, desc=what, unit=unit, disable=self.quiet or processes.rank() > 0, dynamic_ncols=True)


def prepare(experiment: Experiment, images: Tensor, out: Path, **options: Any) -> Run:
    """A run on these images, uint8 (N, C, H, W): on a random choice of them if the experiment wants fewer.

    options: device, quiet.
    """
    generator = torch.Generator().manual_seed(child(experiment.seed, "data"))
    reference = images[torch.randperm(len(images), generator=generator)]
    data = reference[: experiment.images]
    if experiment.sampling.finish == "tone":
        experiment = replace(experiment, sampling=replace(experiment.sampling, tone=tone_curve(data)))
    return Run(experiment, data, reference, out, **options)


def sheet(images: Tensor) -> bytes:
    """A gapless grid, ten symbols wide, as PNG: uint8 (N, C, H, W), N at most 100."""
    return plot.png(images, columns=10)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows, and for each measure its rank correlation with the iteration (Spearman, iterations 1 and on)."""
    later = [row for row in rows if row["iteration"] > 0]
    iterations = torch.tensor([float(row["iteration"]) for row in later])
    names = sorted(set(later[0]) - {"iteration"}) if len(later) > 1 else []
    trend = {name: metrics.rank_correlation(iterations, torch.tensor([row[name] for row in later])) for name in names}
    return {"rows": rows, "rank_correlation": trend}


COLUMNS = {
    "ink": ("ink", 3), "blank_share": ("blank", 3), "unique_share": ("unique", 3), "diversity": ("diversity", 3),
    "edge_length": ("edge length", 1), "perimetric_complexity": ("perimetric", 2), "compressed_size": ("bytes", 1),
    "components": ("pieces", 2), "holes": ("holes", 2), "novelty_median": ("distance to data", 3),
    "passes": ("passes", 1),
}  # fmt: skip


def table(path: Path) -> str:
    """An experiment's metrics.json as a Markdown table, one line per iteration, and the rank correlations."""
    stored = json.loads(path.read_text())
    rows = [[str(row["iteration"]), *(_cell(row, *column) for column in COLUMNS.items())] for row in stored["rows"]]
    trend = ["rank correlation", *(_cell(stored["rank_correlation"], name, ("", 2)) for name in COLUMNS)]
    head = ["iteration", *(title for title, _ in COLUMNS.values())]
    lines = [head, ["---:"] * len(head), *rows, trend]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: dict[str, float], name: str, column: tuple[str, int]) -> str:
    return f"{row[name]:.{column[1]}f}" if name in row else ""


def _advance(bar: "tqdm[Any]", losses: dict[str, float]) -> None:
    bar.set_postfix({name: f"{loss:.2f}" for name, loss in losses.items()}, refresh=False)
    bar.update()
