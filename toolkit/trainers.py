"""How decoders, kaleidoscopic networks, classifiers and divergences are learned, each by its kind.

A `Learner` makes a model and the files beside it; `runs.Trainer` finds, saves and lists them. Of a decoder, network or
classifier, OUT/NAME/iter_001 holds the one of the first seed, iter_002 that of the next; of a divergence the model
after the first of the steps that are kept. Beside a decoder lie the statistics of its neurons; a classifier's
OUT/NAME/report.json says how well it names every class and what it takes for what.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d

from . import data as datasets
from . import hub, index, plot, sheets
from .config import checked
from .data import Dataset
from .diverge.experiments import Given, learned
from .diverge.experiments import measured as measured_snapshot
from .diverge.snapshots import Snapshot
from .hub import Trained, as_images, decode, load_decoder, of, read_statistics, stream, write_statistics
from .metrics.distance import encoder_distance
from .models import Judge, Labelled, Lessons, Manifold, create
from .presets import DecoderTraining, Divergence, JudgeTraining, KaleidoscopeTraining
from .samplers import Creative, Statistics, activation_statistics, codes, hooked, layer_quantile, to_bytes
from .samplers.creative import hidden_layer
from .samplers.kaleidoscope import Eyes, attracting, fixed, looked_at, watch
from .seeds import Noise, child
from .train import Shuffled, fit, linear

Files = Mapping[str, Callable[[], Any]]  # by name: what makes the content, bytes or what JSON can say
OnStep = Callable[[int, dict[str, float]], None]


class Learner:
    """What a kind of experiment is to `runs.Trainer`. spec: the settings; data: what is learned."""

    spec: Any
    data: Any
    iterations: int = 1  # if no other number is asked for

    @property
    def images(self) -> int | None:
        """How many images are learned; None if none are."""
        return len(self.data)

    @property
    def steps(self) -> int:
        """Of one iteration, or of all if one training has them all."""
        return int(self.spec.steps)

    def check(self) -> None:
        """Build what would be trained. Raises ValueError where that or the settings cannot be; writes nothing."""
        self.untrained(0)

    def untrained(self, seed: int) -> Any:
        """A model before its training. Raises ValueError for one that cannot be."""
        raise NotImplementedError

    def begin(self) -> None:
        """Train whatever has to be trained first."""

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        """The model of an iteration, from 1, and the facts of its making. Raises FloatingPointError."""
        raise NotImplementedError

    def files(self, number: int, model: Any, load: Callable[[int], Any]) -> Files:
        """What is stored beside a model, which is given as it was stored; load: that of an earlier iteration."""
        raise NotImplementedError

    def conclude(self, rows: list[dict[str, Any]], load: Callable[[int], Any]) -> Files:
        """What is stored beside all iterations. rows: their measures; load: the model of one."""
        return {}

    def _seed(self, number: int) -> int:
        return int(self.spec.seed) + number - 1


PAIRS = 32  # on the sheet of a network: regular and low-active in turn


@dataclass(frozen=True)
class Decoders(Learner):
    """Decoders of codes, and the statistics of their neurons. data, held_out: uint8 (N, C, H, W)."""

    spec: DecoderTraining
    data: Tensor
    held_out: Tensor
    device: str = "cpu"

    @staticmethod
    def read(t: DecoderTraining, root: Path | None = None, device: str = "cpu") -> "Decoders":
        """On the data of a preset, read or downloaded. Raises what `load` does."""
        load = partial(datasets.load, t.data, root=root, size=t.size, color=t.color)
        images = load(limit=t.images).images
        return Decoders(t, images, load(split="test", limit=5000).images if _parts(t.data) else images, device)

    def check(self) -> None:
        model, last = self.untrained(0), list[int]()
        layer = hidden_layer(model, len(model.hidden))[1]
        with torch.no_grad(), hooked(layer, lambda before, after: last.append(after.shape[1])):
            model.decode(torch.zeros(2, *model.code_shape))
        if self._how.neurons > last[0]:
            raise ValueError(f"how.neurons is {self._how.neurons}, and the last hidden layer has {last[0]}: give fewer")

    @property
    def _how(self) -> Creative:
        return Creative(**checked("creative decoding", Creative, self.spec.how))

    def untrained(self, seed: int) -> Any:
        _, channels, size, _ = self.data.shape
        return create(self.spec.architecture, {"channels": channels, "size": size, **self.spec.model}, seed=seed)

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        seed, losses = self._seed(number), list[float]()
        lessons = Shuffled(self.data, self.spec.batch, child(seed, "shuffle"))
        model = self.untrained(child(seed, "init")).to(self.device)
        heard = _heard(losses, on_step)
        model = fit(model, lessons, steps=self.steps, on_step=heard, decay=linear, seed=child(seed, "fit"))
        return model, {"seed": seed, "steps": self.steps, "losses": _by_epoch(losses, lessons.steps_per_epoch)}

    def files(self, number: int, model: Any, load: Callable[[int], Any]) -> Files:
        statistics, t = self._statistics(model), self.spec
        return {
            "statistics.safetensors": lambda: _statistics_bytes(statistics, self._how),
            "metrics.json": lambda: self._metrics(model, statistics),
            "samples.png": lambda: sheet(Trained(t.name, t.title, t.data, model, statistics, self._how)),
        }

    def _statistics(self, model: Any) -> dict[int, Statistics]:
        """Of every hidden layer, over the mean codes of all training images; without an encoder, over the prior."""
        layers, source = range(1, len(model.hidden) + 1), "mean" if hasattr(model, "encode") else "prior"
        found = {}
        for layer in layers:
            z, threshold = codes(model, self.data, source=source), self._threshold(model, layer, source)
            found[layer] = activation_statistics(model, z, layer=layer, threshold=threshold)
        return found

    def _threshold(self, model: Any, layer: int, source: str) -> float:
        """Over what a neuron is on: 0 for a unit. The largest of a channel's map is hardly ever 0, hence a quantile."""
        maps: list[bool] = []
        few = codes(model, self.data[:1000], source=source)
        with hooked(hidden_layer(model, layer)[1], lambda before, after: maps.append(after.ndim > 2)):
            model.decode(z := next(few))
        return layer_quantile(model, [z], self.spec.silent, layer=layer) if maps[0] else 0.0

    def _metrics(self, model: Any, statistics: dict[int, Statistics]) -> dict[str, float]:
        row = {f"dead_{n}": s.dead.double().mean().item() for n, s in statistics.items()}
        for what, images in (("train", self.data), ("test", self.held_out)):
            if hasattr(model, "encode"):
                x = images[:: -(-len(images) // 5000)].to(self.device).float() / 255  # evenly: a joined set is in order
                with torch.no_grad(), torch.random.fork_rng([]):
                    torch.manual_seed(0)
                    row[f"loss_{what}"] = model.loss(x).item()
                row[f"distance_{what}"] = encoder_distance(model, x).mean().item()
        return row


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


def _statistics_bytes(statistics: Mapping[int, Statistics], how: Creative) -> bytes:
    with TemporaryDirectory() as folder:
        write_statistics(path := Path(folder) / "statistics", statistics, how)
        return path.read_bytes()


def _by_epoch(losses: list[float], steps: int) -> list[float]:
    """The mean loss of every epoch."""
    return [fmean(losses[at : at + steps]) for at in range(0, len(losses), steps)]


def _heard(losses: list[float], on_step: OnStep) -> Callable[[int, dict[str, float]], None]:
    """Keep the sum of the losses of every step, and pass them on."""

    def heard(step: int, values: dict[str, float]) -> None:
        losses.append(sum(values.values()))
        on_step(step, values)

    return heard


def _parts(name: str) -> bool:
    """Whether a data set has a part for testing."""
    return not any(kind in name for kind in ("sample:", "folder:"))


WATCHED = 200  # samples
SMOOTH = 50  # steps over which a loss is averaged before it is enough


@dataclass(frozen=True)
class Kaleidoscopes(Learner):
    """Kaleidoscopic networks. data: images, uint8 (N, C, H, W), or points, float (N, d, 1, 1).

    Raises ValueError for fewer than two.
    """

    spec: KaleidoscopeTraining
    data: Tensor
    device: str = "cpu"

    def __post_init__(self) -> None:
        if len(self.data) < 2:
            raise ValueError(f"{len(self.data)} training image: everything would fall onto it, give two or more")

    @staticmethod
    def read(t: KaleidoscopeTraining, root: Path | None = None, device: str = "cpu") -> "Kaleidoscopes":
        """On the data of a preset, read or downloaded. Raises what `load` does."""
        return Kaleidoscopes(t, read(t, root), device)

    @property
    def images(self) -> int | None:
        return len(self.data) if self.data.dtype == torch.uint8 else None

    def untrained(self, seed: int) -> Any:
        return _network(self.spec, self.data, seed)

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        seed = self._seed(number)
        model, losses = learn(self.spec, self.data, seed, self.device, on_step)
        return model, {"seed": seed, "steps": self.steps, "losses": trace(losses)}

    def files(self, number: int, model: Any, load: Callable[[int], Any]) -> Files:
        return {
            "metrics.json": lambda: measured(self.spec, model, self.data),
            "samples.png": lambda: sheets.kaleidoscope_sheet(of(self.spec, model)),
        }


def learn(
    training: KaleidoscopeTraining,
    data: Tensor,
    seed: int,
    device: str = "cpu",
    on_step: OnStep = lambda step, losses: None,
    until: float = 0.0,
) -> tuple[Manifold, list[float]]:
    """A network trained from a seed, and its loss at every step. until: the loss at which it has learned enough."""
    losses = list[float]()
    batches, model = lessons(training, data, seed), _network(training, data, child(seed, "init")).to(device)

    def enough(batches: Iterable[Tensor]) -> Iterator[Tensor]:
        for batch in batches:
            if len(losses) >= SMOOTH and fmean(losses[-SMOOTH:]) <= until:
                return
            yield batch

    shown, heard = enough(batches) if until else batches, _heard(losses, on_step)
    return fit(model, shown, steps=training.steps, on_step=heard, seed=child(seed, "fit")), losses


def _network(training: KaleidoscopeTraining, data: Tensor, seed: int) -> Manifold:
    """An untrained one, for data of this shape."""
    _, channels, size, _ = data.shape
    return cast("Manifold", create("Manifold", {**training.model, "channels": channels, "size": size}, seed=seed))


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


LIKE_A_PART = 7  # of a set without parts, every seventh image is kept for testing


@dataclass(frozen=True)
class Classifiers(Learner):
    """Classifiers. held_out: what none of them learns, and each is measured on.

    Raises ValueError for images without labels.
    """

    spec: JudgeTraining
    data: Dataset
    held_out: Dataset
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.data.labels is None or self.held_out.labels is None:
            raise ValueError(f"{self.data.name} has no labels: give a data set that has, for a judge to learn")

    @staticmethod
    def read(t: JudgeTraining, root: Path | None = None, device: str = "cpu") -> "Classifiers":
        """On the data of a preset, read or downloaded. Raises what `load` does."""
        data = datasets.load(t.data, root=root, limit=t.images)
        if _parts(t.data):
            held_out = datasets.load(t.data, root=root, split="test", limit=t.images)
        else:  # every seventh
            test = [row for row in range(len(data)) if row % LIKE_A_PART == 0]
            rest = [row for row in range(len(data)) if row % LIKE_A_PART]
            data, held_out = _rows(data, rest), _rows(data, test)
        return Classifiers(replace(t, typefaces=data.typefaces), data, held_out, device)

    def check(self) -> None:
        super().check()
        self._lessons(0)

    def untrained(self, seed: int) -> Any:
        _, channels, size, _ = self.data.images.shape
        config = {"classes": self.spec.classes, "channels": channels, "size": size, **self.spec.model}
        return create("Judge", config, seed=seed)

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        seed, losses = self._seed(number), list[float]()
        model, lessons = self.untrained(child(seed, "init")).to(self.device), self._lessons(child(seed, "shuffle"))
        heard = _heard(losses, on_step)
        model = fit(model, lessons, steps=self.steps, on_step=heard, decay=linear, seed=child(seed, "fit"))
        return model, {"seed": seed, "steps": self.steps, "losses": _by_epoch(losses, lessons.steps_per_epoch)}

    def files(self, number: int, model: Any, load: Callable[[int], Any]) -> Files:
        told, labels = self._told(model)
        found = sheets.report(sheets.confusion(labels, told), self.spec.classes)
        worst = {"accuracy_worst_class": min(found["accuracy_by_class"].values())}
        return {
            "metrics.json": lambda: {**{name: found[name] for name in ("images", "accuracy")}, **worst},
            "samples.png": lambda: sheets.judge_sheet(self.held_out.images, labels, told),
        }

    def conclude(self, rows: list[dict[str, Any]], load: Callable[[int], Any]) -> Files:
        """Of every classifier that is stored, how well it names what it has not seen."""

        def reports() -> Iterator[dict[str, Any]]:
            for row in rows:
                told, labels = self._told(load(row["iteration"]))
                found = sheets.report(sheets.confusion(labels, told), self.spec.classes)
                yield {"iteration": row["iteration"], **found}

        return {"report.json": lambda: {"held_out": self.held_out.split, "networks": [*reports()]}}

    def _lessons(self, seed: int) -> "Varied":
        t, images, labels = self.spec, self.data.images, cast("Tensor", self.data.labels)
        if t.each:
            rows = balanced(labels, t.each)
            images, labels = images[rows], labels[rows]
        return Varied(Lessons(images, labels, t.classes, t.batch, seed), t.vary)

    def _told(self, judge: Judge) -> tuple[Tensor, Tensor]:
        return sheets.answers(judge, self.held_out.images), cast("Tensor", self.held_out.labels)


def _rows(data: Dataset, rows: list[int]) -> Dataset:
    return replace(data, images=data.images[rows], labels=None if data.labels is None else data.labels[rows])


@dataclass
class Divergences(Learner):
    """Models after some of the steps of a training away from the data.

    given: what it starts from; its model may be a stand-in of the same shape until `base` gives the trained one.
    """

    spec: Divergence
    given: Given
    base: Callable[[], nn.Module] | None = None

    def __post_init__(self) -> None:
        self.data, self.iterations = self.given.images, len(self.spec.kept)
        self._found: list[Snapshot] = []
        self._rest: Iterator[Snapshot] | None = None

    @property
    def images(self) -> int | None:
        return None if self.data is None else len(self.data)

    @property
    def steps(self) -> int:
        return self.spec.kept[-1]

    def untrained(self, seed: int) -> Any:
        return self.given.model

    def check(self) -> None:
        """The method is asked for the model before any step: it looks at all of its settings first."""
        try:
            next(learned(replace(self.spec, kept=(0,)), self.given))
        except TypeError as error:
            raise ValueError(f"how is {self.spec.how}: {self.spec.method} has other settings ({error})") from error

    def begin(self) -> None:
        if self.base:
            self.given, self.base = replace(self.given, model=self.base()), None

    def _snapshot(self, number: int, on_step: OnStep = lambda step, losses: None) -> Snapshot:
        """The snapshot of an iteration: one training has them all, and it runs once."""
        self._rest = self._rest or learned(self.spec, self.given, on_step)
        while len(self._found) < number:
            self._found.append(next(self._rest))
        return self._found[number - 1]

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        e, found = self.spec, self._snapshot(number, on_step)
        facts = {"step": found.step, "method": e.method, "base": e.base, "seed": e.seed}
        return found.model, facts

    def files(self, number: int, model: Any, load: Callable[[int], Any]) -> Files:
        now, first = replace(self._snapshot(number), model=model), model if number == 1 else load(1)
        return {
            "metrics.json": lambda: measured_snapshot(self.spec, now, first, self.given.judge),
            "samples.png": lambda: hundred(model),
        }

    def conclude(self, rows: list[dict[str, Any]], load: Callable[[int], Any]) -> Files:
        return {"metrics.json": lambda: {"rows": rows}}


def hundred(model: Any) -> bytes:
    """What a model draws from a hundred seeds, as PNG."""
    with torch.no_grad():
        return plot.png(to_bytes(model.sample(Noise(range(100)))), columns=10)
