"""Training kaleidoscopic networks: several from different seeds, resumable.

OUT/NAME/iter_001 holds the network of the first seed, iter_002 that of the next: model.safetensors, metrics.json,
samples.png.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import torch
from torch import Tensor
from tqdm import tqdm

from .. import __version__, datasets, hub
from ..models import Manifold, create
from ..seeds import child
from ..store import Store, each_network, to_json
from ..train import Shuffled, fit
from . import landscape, sheets
from .presets import Training
from .stored import as_images, of, stream
from .trajectory import Eyes, looked_at, watch

WATCHED = 200  # samples
SMOOTH = 50  # steps over which a loss is averaged before it is enough


@dataclass(frozen=True)
class Trainer:
    """One preset, its data and the folder it lives in. data: images, uint8 (N, C, H, W), or points, float (N, d, 1, 1).

    Raises ValueError for fewer than two.
    """

    training: Training
    data: Tensor
    out: Path
    device: str = "cpu"
    quiet: bool = False

    def __post_init__(self) -> None:
        if len(self.data) < 2:
            raise ValueError(f"{len(self.data)} training image: everything would fall onto it, give two or more")

    def __call__(self, networks: int = 1) -> Path:
        """Train the networks that are not stored yet, and return the folder of the experiment.

        Raises RunError or CheckpointError if something cannot be written or read, FloatingPointError if training fails.
        """
        return each_network(self.out, self.training, networks, self._network)

    def _network(self, store: Store, number: int) -> None:
        """One network and all about it. What is stored, in half precision, is what is measured."""
        path = store.find(number, "model.safetensors") or self._train(store, number)
        model = cast("Manifold", hub.load(path, device=self.device))
        store.put(number, "metrics.json", lambda: to_json(measured(self.training, model, self.data)))
        store.put(number, "samples.png", lambda: sheets.sheet(of(self.training, model)))

    def _train(self, store: Store, number: int) -> Path:
        t = self.training
        seed = t.seed + number - 1
        with tqdm(
            total=t.steps, desc=f"{t.name} {number}: training", unit="step", disable=self.quiet, dynamic_ncols=True
        ) as bar:
            model, losses = learn(t, self.data, seed, self.device, bar.update)
        facts = {"experiment": t.name, "iteration": number, "seed": seed, "scale": t.scale, "data": t.data}
        return store.put_model(number, model, **facts, steps=t.steps, losses=trace(losses), toolkit=__version__)


def learn(
    training: Training,
    data: Tensor,
    seed: int,
    device: str = "cpu",
    on_step: Callable[[], object] = lambda: None,
    until: float = 0.0,
) -> tuple[Manifold, list[float]]:
    """A network trained from a seed, and its loss at every step. until: the loss at which it has learned enough."""
    t, losses = training, list[float]()
    _, channels, size, _ = data.shape
    model = create("Manifold", {**t.model, "channels": channels, "size": size}, seed=child(seed, "init"))
    batches = lessons(t, data, seed)

    def heard(step: int, values: dict[str, float]) -> None:
        losses.append(values["identity"])
        on_step()

    def enough(batches: Iterable[Tensor]) -> Iterator[Tensor]:
        for batch in batches:
            if len(losses) >= SMOOTH and fmean(losses[-SMOOTH:]) <= until:
                return
            yield batch

    model = fit(
        model.to(device), enough(batches) if until else batches, steps=t.steps, on_step=heard, seed=child(seed, "fit")
    )
    return cast("Manifold", model), losses


def lessons(training: Training, data: Tensor, seed: int) -> Iterable[Tensor]:
    """Images in shuffled batches; points all at once, again and again."""
    if data.dtype == torch.uint8:
        return Shuffled(data, training.batch, child(seed, "shuffle"))
    return repeat(data)


def trace(losses: list[float]) -> list[list[float]]:
    """The published way to say how training went: the loss of the batch at every tenth of the steps, and at the end."""
    steps = sorted({*range(0, len(losses), max(1, len(losses) // 10)), len(losses) - 1})
    return [[step, losses[step]] for step in steps]


def measured(training: Training, model: Manifold, data: Tensor) -> dict[str, float]:
    """The measures of one network: its loss, what its samples do from run to run, which of its data stay."""
    k = of(training, model)
    few = data[:: -(-len(data) // 1000)]  # evenly
    x = few.float() / 255 if few.dtype == torch.uint8 else few
    with torch.no_grad():
        found = {"loss": model.loss(x.to(next(model.parameters()).device)).item()}
    found["fixed"] = landscape.fixed(model, x).double().mean().item()
    if k.points is not None:
        found["attracting"] = landscape.attracting(model, k.points).double().mean().item()
    runs = [run for run in looked_at(k.runs) if run in (1, 5, 10, 30, 100, k.runs)]
    for row in watch(stream(k, range(WATCHED)), runs, eyes(data)):
        names = ("distance", "still", "distinct") if row["run"] else ("distance",)
        found |= {f"{name}_{row['run']}": float(row[name]) for name in names}
    return found


def eyes(data: Tensor | None, judge: Any = None) -> Eyes:
    """How samples are seen; points, of which two may lie near each other, more closely than pictures."""
    pictures = data is None or data.shape[-1] > 1
    return Eyes(data, judge) if pictures else Eyes(data, judge, same=0.02, still=1e-3)


def prepare(training: Training, out: Path, *, root: Path | None = None, **options: Any) -> Trainer:
    """A trainer on the data of a preset, read or downloaded. options: device, quiet. Raises what `load` does."""
    return Trainer(training, read(training, root), out, **options)


def read(training: Training, root: Path | None = None) -> Tensor:
    """What a preset learns: images, uint8 (N, C, H, W), or points, float (N, d, 1, 1)."""
    if training.data == "points":
        return as_images(training.points)
    t = training
    return datasets.load(t.data, root=root, limit=t.images, size=t.size, color=t.color).images


def last_loss(losses: list[float]) -> float:
    """The loss at the end of training: the mean of the last twentieth of the steps."""
    return fmean(losses[-max(1, len(losses) // 20) :])
