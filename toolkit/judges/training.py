"""Training judges: several from different seeds, resumable.

OUT/NAME/iter_001 holds the network of the first seed, iter_002 that of the next: model.safetensors, metrics.json,
samples.png. OUT/NAME/report.json says of each how well it names every class and what it takes for what.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, cast

from torch import Tensor
from tqdm import tqdm

from .. import __version__, datasets, hub
from ..datasets import Dataset
from ..models import Judge, Lessons, create
from ..seeds import child
from ..store import Store, each_network, to_json, write
from ..train import fit, linear
from . import report
from .lessons import Varied, balanced
from .presets import Training

LIKE_A_PART = 7  # of a set without parts, every seventh image is kept for testing


@dataclass(frozen=True)
class Trainer:
    """One preset, its data and the folder it lives in. held_out: what no judge learns, and each is measured on.

    Raises ValueError for images without labels.
    """

    training: Training
    data: Dataset
    held_out: Dataset
    out: Path
    device: str = "cpu"
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.data.labels is None or self.held_out.labels is None:
            raise ValueError(f"{self.data.name} has no labels: give a data set that has, for a judge to learn")

    def __call__(self, networks: int = 1) -> Path:
        """Train the networks that are not stored yet, and return the folder of the experiment.

        Raises RunError or CheckpointError if something cannot be written or read, FloatingPointError if training fails.
        """
        return each_network(self.out, self.training, networks, self._network, self._conclude)

    def _conclude(self, store: Store) -> None:
        write(store.root / "report.json", to_json(self._report(store)))

    def _network(self, store: Store, number: int) -> None:
        """One network and all about it. What is stored, in half precision, is what is measured."""
        path = store.find(number, "model.safetensors") or self._train(store, number)
        judge = cast("Judge", hub.load(path, device=self.device))
        told, labels = self._told(judge)
        found = report.report(report.confusion(labels, told), self.training.classes)
        numbers = {name: found[name] for name in ("images", "accuracy")}
        worst = min(found["accuracy_by_class"].values())
        store.put(number, "metrics.json", lambda: to_json({**numbers, "accuracy_worst_class": worst}))
        store.put(number, "samples.png", lambda: report.sheet(self.held_out.images, labels, told))

    def _train(self, store: Store, number: int) -> Path:
        t, losses = self.training, list[float]()
        seed = t.seed + number - 1
        _, channels, size, _ = self.data.images.shape
        config = {"classes": t.classes, "channels": channels, "size": size, **t.model}
        judge = create("Judge", config, seed=child(seed, "init"))
        lessons = self._lessons(child(seed, "shuffle"))
        with tqdm(total=t.steps, desc=f"{t.name} {number}: training", unit="step", disable=self.quiet) as bar:

            def heard(step: int, values: dict[str, float]) -> None:
                losses.append(values["names"])
                bar.update()

            judge = fit(
                judge.to(self.device), lessons, steps=t.steps, on_step=heard, decay=linear, seed=child(seed, "fit")
            )
        facts = {"experiment": t.name, "iteration": number, "seed": seed, "scale": t.scale, "data": t.data}
        epochs = [mean(losses[at : at + lessons.steps_per_epoch]) for at in range(0, t.steps, lessons.steps_per_epoch)]
        return store.put_model(number, judge, **facts, steps=t.steps, losses=epochs, toolkit=__version__)

    def _lessons(self, seed: int) -> Varied:
        t, images, labels = self.training, self.data.images, cast("Tensor", self.data.labels)
        if t.each:
            rows = balanced(labels, t.each)
            images, labels = images[rows], labels[rows]
        return Varied(Lessons(images, labels, t.classes, t.batch, seed), t.vary)

    def _told(self, judge: Judge) -> tuple[Tensor, Tensor]:
        return report.answers(judge, self.held_out.images), cast("Tensor", self.held_out.labels)

    def _report(self, store: Store) -> dict[str, Any]:
        """Of every network that is stored, how well it names what it has not seen."""
        return {"held_out": self.held_out.split, "networks": [*self._reports(store)]}

    def _reports(self, store: Store) -> Iterator[dict[str, Any]]:
        for row in store.rows():
            judge = cast("Judge", hub.load(store.folder(row["iteration"]) / "model.safetensors", device=self.device))
            told, labels = self._told(judge)
            found = report.report(report.confusion(labels, told), self.training.classes)
            yield {"iteration": row["iteration"], **found}


def prepare(training: Training, out: Path, *, root: Path | None = None, **options: Any) -> Trainer:
    """A trainer on the data of a preset, read or downloaded. options: device, quiet. Raises what `load` does."""
    data = datasets.load(training.data, root=root, limit=training.images)
    if any(kind in training.data for kind in ("sample:", "folder:")):
        data, held_out = _parted(data)
    else:
        held_out = datasets.load(training.data, root=root, split="test", limit=training.images)
    return Trainer(replace(training, typefaces=data.typefaces), data, held_out, out, **options)


def _parted(data: Dataset) -> tuple[Dataset, Dataset]:
    """What to learn and what to test on, of a set that has no parts."""
    test = [row for row in range(len(data)) if row % LIKE_A_PART == 0]
    rest = [row for row in range(len(data)) if row % LIKE_A_PART]
    return _rows(data, rest), _rows(data, test)


def _rows(data: Dataset, rows: list[int]) -> Dataset:
    return replace(data, images=data.images[rows], labels=None if data.labels is None else data.labels[rows])
