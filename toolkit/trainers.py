"""Training of decoders, kaleidoscopic networks and classifiers into a folder of runs.

OUT/NAME/iter_001 holds the network of the first seed, iter_002 that of the next: model.safetensors,
statistics.safetensors, metrics.json, samples.png.

OUT/NAME/iter_001 holds the network of the first seed, iter_002 that of the next: model.safetensors, metrics.json,
samples.png.

OUT/NAME/iter_001 holds the network of the first seed, iter_002 that of the next: model.safetensors, metrics.json,
samples.png. OUT/NAME/report.json says of each how well it names every class and what it takes for what.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from statistics import fmean, mean
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d
from tqdm import tqdm

from . import __version__, hub, index, plot, sheets
from . import data as datasets
from .config import checked
from .data import Dataset
from .hub import Trained, as_images, decode, load_decoder, of, read_statistics, stream, write_statistics
from .metrics.distance import encoder_distance
from .models import Judge, Labelled, Lessons, Manifold, create
from .presets import DecoderTraining, JudgeTraining, KaleidoscopeTraining
from .runs import Store, each_network, to_json, write
from .samplers import Creative, Statistics, activation_statistics, codes, hooked, layer_quantile, to_bytes
from .samplers.creative import hidden_layer
from .samplers.kaleidoscope import Eyes, attracting, fixed, looked_at, watch
from .seeds import child
from .train import Shuffled, fit, linear

PAIRS = 32  # on the sheet of a network: regular and low-active in turn


@dataclass(frozen=True)
class DecoderTrainer:
    """One preset, its data and the folder it lives in. images, held_out: uint8 (N, C, H, W), to train and test on."""

    training: DecoderTraining
    images: Tensor
    held_out: Tensor
    out: Path
    device: str = "cpu"
    quiet: bool = False

    def __call__(self, networks: int = 1) -> Path:
        """Train the networks that are not stored yet, and return the folder of the experiment.

        Raises RunError or CheckpointError if something cannot be written or read, FloatingPointError if training fails.
        """
        return each_network(self.out, self.training, networks, self._network)

    def _network(self, store: Store, number: int) -> None:
        """One network and all about it. What is stored, in half precision, is what is measured."""
        t = self.training
        how = Creative(**checked("creative decoding", Creative, t.how))
        path = store.find(number, "model.safetensors") or self._train(store, number)
        model: Any = hub.load(path, device=self.device)
        statistics = self._statistics(model, number)
        write_statistics(store.draft(number) / "statistics.safetensors", statistics, how)
        store.put(number, "metrics.json", partial(self._metrics, model, statistics))
        trained = Trained(t.name, t.title, t.data, model, statistics, how)
        store.put(number, "samples.png", lambda: sheet(trained))

    def _train(self, store: Store, number: int) -> Path:
        t, losses = self.training, []
        seed = t.seed + number - 1
        _, channels, size, _ = self.images.shape
        model = create(t.architecture, {"channels": channels, "size": size, **t.model}, seed=child(seed, "init"))
        lessons = Shuffled(self.images, t.batch, child(seed, "shuffle"))
        with self._bar(f"{t.name} {number}: training", t.steps, "step") as bar:
            model = fit(
                model.to(self.device),
                lessons,
                steps=t.steps,
                on_step=lambda step, values: losses.append(_heard(bar, values)),
                decay=linear,
                seed=child(seed, "fit"),
            )
        facts = {"experiment": t.name, "iteration": number, "seed": seed, "scale": t.scale, "data": t.data}
        epochs = [mean(part) for part in _parts(losses, lessons.steps_per_epoch)]
        return store.put_model(number, model, **facts, steps=t.steps, losses=epochs, toolkit=__version__)

    def _statistics(self, model: Any, number: int) -> dict[int, Statistics]:
        """Of every hidden layer, over the mean codes of all training images; without an encoder, over the prior."""
        layers, source = range(1, len(model.hidden) + 1), "mean" if hasattr(model, "encode") else "prior"
        found = {}
        with self._bar(f"{self.training.name} {number}: neurons", len(layers), "layer") as bar:
            for layer in layers:
                threshold = self._threshold(model, layer, source)
                z = codes(model, self.images, source=source)
                found[layer] = activation_statistics(model, z, layer=layer, threshold=threshold)
                bar.update()
        return found

    def _threshold(self, model: Any, layer: int, source: str) -> float:
        """Over what a neuron is on: 0 for a unit. The largest of a channel's map is hardly ever 0, hence a quantile."""
        maps: list[bool] = []
        few = codes(model, self.images[:1000], source=source)
        with hooked(hidden_layer(model, layer)[1], lambda before, after: maps.append(after.ndim > 2)):
            model.decode(z := next(few))
        return layer_quantile(model, [z], self.training.silent, layer=layer) if maps[0] else 0.0

    def _metrics(self, model: Any, statistics: dict[int, Statistics]) -> bytes:
        row = {f"dead_{n}": s.dead.double().mean().item() for n, s in statistics.items()}
        for what, images in (("train", self.images), ("test", self.held_out)):
            if hasattr(model, "encode"):
                x = images[:: -(-len(images) // 5000)].to(self.device).float() / 255  # evenly: a joined set is in order
                with torch.no_grad(), torch.random.fork_rng([]):
                    torch.manual_seed(0)
                    row[f"loss_{what}"] = model.loss(x).item()
                row[f"distance_{what}"] = encoder_distance(model, x).mean().item()
        return to_json(row)

    def _bar(self, what: str, total: int, unit: str) -> "tqdm[Any]":
        return tqdm(total=total, desc=what, unit=unit, disable=self.quiet, dynamic_ncols=True)


def prepare_decoder(
    training: DecoderTraining, out: Path, *, root: Path | None = None, **options: Any
) -> DecoderTrainer:
    """A trainer on the data of a preset, read or downloaded. options: device, quiet. Raises what `load` does."""
    read = partial(datasets.load, training.data, root=root, size=training.size, color=training.color)
    images = read(limit=training.images).images
    parts = not any(kind in training.data for kind in ("sample:", "folder:"))
    held_out = read(split="test", limit=5000).images if parts else images
    return DecoderTrainer(training, images, held_out, out, **options)


def calibrate(out: Path, name: str, number: int, how: Creative) -> None:
    """Store calibrated settings with a network, and draw its sheet again."""
    folder = out / name / f"iter_{number:03d}"
    statistics, before = read_statistics(folder / "statistics.safetensors")
    if how != before:
        write_statistics(folder / "statistics.safetensors", statistics, how)
        hub.write_index(out)
        index.write_whole(folder / "samples.png", sheet(load_decoder(out, name, iteration=number)))


def sheet(trained: Trained) -> bytes:
    """Pairs of one code as PNG: regular, and low-active beside it."""
    both = decode(trained, range(PAIRS))
    return plot.png(to_bytes(torch.stack([both.regular, both.images], 1).flatten(0, 1)), columns=16)


def _parts(values: list[float], length: int) -> list[list[float]]:
    return [values[start : start + length] for start in range(0, len(values), length)]


def _heard(bar: "tqdm[Any]", losses: dict[str, float]) -> float:
    loss = sum(losses.values())
    bar.set_postfix(loss=f"{loss:.1f}", refresh=False)
    bar.update()
    return loss


WATCHED = 200  # samples
SMOOTH = 50  # steps over which a loss is averaged before it is enough


@dataclass(frozen=True)
class KaleidoscopeTrainer:
    """One preset, its data and the folder it lives in. data: images, uint8 (N, C, H, W), or points, float (N, d, 1, 1).

    Raises ValueError for fewer than two.
    """

    training: KaleidoscopeTraining
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
        store.put(number, "samples.png", lambda: sheets.kaleidoscope_sheet(of(self.training, model)))

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
    training: KaleidoscopeTraining,
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


def lessons(training: KaleidoscopeTraining, data: Tensor, seed: int) -> Iterable[Tensor]:
    """Images in shuffled batches; points all at once, again and again."""
    if data.dtype == torch.uint8:
        return Shuffled(data, training.batch, child(seed, "shuffle"))
    return repeat(data)


def trace(losses: list[float]) -> list[list[float]]:
    """The published way to say how training went: the loss of the batch at every tenth of the steps, and at the end."""
    steps = sorted({*range(0, len(losses), max(1, len(losses) // 10)), len(losses) - 1})
    return [[step, losses[step]] for step in steps]


def measured(training: KaleidoscopeTraining, model: Manifold, data: Tensor) -> dict[str, float]:
    """The measures of one network: its loss, what its samples do from run to run, which of its data stay."""
    k = of(training, model)
    few = data[:: -(-len(data) // 1000)]  # evenly
    x = few.float() / 255 if few.dtype == torch.uint8 else few
    with torch.no_grad():
        found = {"loss": model.loss(x.to(next(model.parameters()).device)).item()}
    found["fixed"] = fixed(model, x).double().mean().item()
    if k.points is not None:
        found["attracting"] = attracting(model, k.points).double().mean().item()
    runs = [run for run in looked_at(k.runs) if run in (1, 5, 10, 30, 100, k.runs)]
    for row in watch(stream(k, range(WATCHED)), runs, eyes(data)):
        names = ("distance", "still", "distinct") if row["run"] else ("distance",)
        found |= {f"{name}_{row['run']}": float(row[name]) for name in names}
    return found


def eyes(data: Tensor | None, judge: Any = None) -> Eyes:
    """How samples are seen; points, of which two may lie near each other, more closely than pictures."""
    pictures = data is None or data.shape[-1] > 1
    return Eyes(data, judge) if pictures else Eyes(data, judge, same=0.02, still=1e-3)


def prepare_kaleidoscope(
    training: KaleidoscopeTraining, out: Path, *, root: Path | None = None, **options: Any
) -> KaleidoscopeTrainer:
    """A trainer on the data of a preset, read or downloaded. options: device, quiet. Raises what `load` does."""
    return KaleidoscopeTrainer(training, read(training, root), out, **options)


def read(training: KaleidoscopeTraining, root: Path | None = None) -> Tensor:
    """What a preset learns: images, uint8 (N, C, H, W), or points, float (N, d, 1, 1)."""
    if training.data == "points":
        return as_images(training.points)
    t = training
    return datasets.load(t.data, root=root, limit=t.images, size=t.size, color=t.color).images


def last_loss(losses: list[float]) -> float:
    """The loss at the end of training: the mean of the last twentieth of the steps."""
    return fmean(losses[-max(1, len(losses) // 20) :])


LINEAR = ((0.15, 0.25), (0.15, 0.15))  # how far the map of the plane goes from the identity: size, slant; turn, size
SHIFT, WAVE = 0.15, 0.05  # of half an image
THICK, THIN = 0.7, 0.35  # how far towards the brightest and the darkest of a pixel and its eight neighbours


@dataclass(frozen=True)
class Varied:
    """Lessons whose images are `varied`; iterating twice gives the same ones, on every device."""

    lessons: Lessons
    strength: float = 1.0

    def __iter__(self) -> Iterator[Labelled]:
        generator = torch.Generator().manual_seed(child(self.lessons.seed, "vary"))
        for batch in self.lessons:
            yield Labelled(varied(batch.images, self.strength, generator), batch.labels)

    @property
    def steps_per_epoch(self) -> int:
        return self.lessons.steps_per_epoch

    def on(self, device: torch.device) -> "Varied":
        """The same batches in the same order, from the bytes on the device."""
        return replace(self, lessons=self.lessons.on(device))


def balanced(labels: Tensor, each: int) -> Tensor:
    """Rows in which every class that there is comes `each` times: labels (N,) -> (classes * each,), by class.

    Of a class with more images they are evenly spread over it; of one with fewer, some come once more than others.
    """
    rows = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    return torch.cat([row[torch.arange(each) * len(row) // each] for row in rows])


def varied(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Images thicker or thinner, moved, slanted, turned, scaled and waved, each at random: (B, C, H, W) in [0, 1].

    strength: from 0, which changes nothing, to 1. What leaves the image is lost, and what comes in is dark.
    """
    if strength == 0:
        return x
    batch, _, height, width = x.shape
    weight = strength * _draw(batch, 1, 1, 1, generator=generator).to(x.device)
    thicker = max_pool2d(x, 3, 1, 1) - x
    thinner = x + max_pool2d(-x, 3, 1, 1)
    x = x + THICK * weight.clamp(min=0) * thicker + THIN * weight.clamp(max=0) * thinner
    linear = torch.eye(2) + strength * torch.tensor(LINEAR) * _draw(batch, 2, 2, generator=generator)
    shift = strength * SHIFT * _draw(batch, 2, 1, generator=generator)
    waves = strength * WAVE * torch.randn(batch, 2, 4, 4, generator=generator)
    bent = interpolate(waves, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    places = affine_grid(torch.cat([linear, shift], 2), [*x.shape], align_corners=False) + bent
    return grid_sample(x, places.to(x.device), align_corners=False).clamp(0, 1)


def _draw(*shape: int, generator: torch.Generator) -> Tensor:
    """Uniform from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator) - 1


LIKE_A_PART = 7  # of a set without parts, every seventh image is kept for testing


@dataclass(frozen=True)
class JudgeTrainer:
    """One preset, its data and the folder it lives in. held_out: what no judge learns, and each is measured on.

    Raises ValueError for images without labels.
    """

    training: JudgeTraining
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
        found = sheets.report(sheets.confusion(labels, told), self.training.classes)
        numbers = {name: found[name] for name in ("images", "accuracy")}
        worst = min(found["accuracy_by_class"].values())
        store.put(number, "metrics.json", lambda: to_json({**numbers, "accuracy_worst_class": worst}))
        store.put(number, "samples.png", lambda: sheets.judge_sheet(self.held_out.images, labels, told))

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
        return sheets.answers(judge, self.held_out.images), cast("Tensor", self.held_out.labels)

    def _report(self, store: Store) -> dict[str, Any]:
        """Of every network that is stored, how well it names what it has not seen."""
        return {"held_out": self.held_out.split, "networks": [*self._reports(store)]}

    def _reports(self, store: Store) -> Iterator[dict[str, Any]]:
        for row in store.rows():
            judge = cast("Judge", hub.load(store.folder(row["iteration"]) / "model.safetensors", device=self.device))
            told, labels = self._told(judge)
            found = sheets.report(sheets.confusion(labels, told), self.training.classes)
            yield {"iteration": row["iteration"], **found}


def prepare_judge(training: JudgeTraining, out: Path, *, root: Path | None = None, **options: Any) -> JudgeTrainer:
    """A trainer on the data of a preset, read or downloaded. options: device, quiet. Raises what `load` does."""
    data = datasets.load(training.data, root=root, limit=training.images)
    if any(kind in training.data for kind in ("sample:", "folder:")):
        data, held_out = _parted(data)
    else:
        held_out = datasets.load(training.data, root=root, split="test", limit=training.images)
    return JudgeTrainer(replace(training, typefaces=data.typefaces), data, held_out, out, **options)


def _parted(data: Dataset) -> tuple[Dataset, Dataset]:
    """What to learn and what to test on, of a set that has no parts."""
    test = [row for row in range(len(data)) if row % LIKE_A_PART == 0]
    rest = [row for row in range(len(data)) if row % LIKE_A_PART]
    return _rows(data, rest), _rows(data, test)


def _rows(data: Dataset, rows: list[int]) -> Dataset:
    return replace(data, images=data.images[rows], labels=None if data.labels is None else data.labels[rows])
