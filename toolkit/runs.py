"""A run on disk: resumable, atomic, timed; its sheets, measures and models, whole or thinned.

OUT/index.json, OUT/NAME/config.json, OUT/NAME/metrics.json,
OUT/NAME/iter_007/{model.safetensors, samples.png, metrics.json, said.npy}; unfinished: OUT/NAME/iter_007.partial/
Of several processes the first writes and all read; none reads while it writes.

It stands in config.json and nowhere else, so that checkpoints are the same bytes on a slow machine. A piece that was
interrupted counts for nothing; one that is done again counts again.

The loop of `iterated_learning` runs from its start every time; what an earlier run has stored is read instead of made.
What is stored is what teaches: a model is loaded back from its checkpoint before it says anything, so that the images
it says are a function of the checkpoint and the seeds, and can be made again from the checkpoints alone. Several
processes run the same loop; the first writes, the others wait for it (`RunDir`).

RUN/iter_007/rows.npz holds {measure: float32 (N,)}, one value per seed (`metrics.rows`), some 40 KB compressed for
1,000 seeds; of iteration 0 the data, against the rest of them. With the same noise at every iteration, what an image
becomes can be followed, and two runs can be compared image by image.

A sheet has the same seeds at every iteration, in the same places, so that the distance between two is that between
images that grew from the same noise.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from itertools import islice, repeat
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory, mkdtemp
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, cast
from zipfile import BadZipFile

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, cdist, nn
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d
from tqdm import tqdm

from . import __version__, distributed, hub, index, metrics, plot
from . import data as datasets
from .config import DIGITS, checked
from .data import Dataset
from .diverge import Snapshot
from .diverge.experiments import Inputs, measure_snapshot, new, snapshots
from .hub import (
    Kaleidoscope,
    Trained,
    as_images,
    decode,
    load_decoder,
    of,
    read_statistics,
    stream,
    write_statistics,
)
from .index import CheckpointError, write_atomic
from .iterated import (
    Generate,
    Inherit,
    Select,
    Teach,
    TeacherSamples,
    accumulate,
    filtered,
    fresh,
    iterated_learning,
    preserve,
    replace_data,
    reset,
    select_top,
    subsample,
    teacher_samples,
)
from .metrics.distance import encoder_distance
from .metrics.rows import Rows, rows
from .models import Judge, Labelled, Lessons, Manifold, create
from .plot import tiles
from .presets import (
    DIVERGENCES,
    ClassifierTraining,
    DecoderTraining,
    Divergence,
    Experiment,
    Filter,
    KaleidoscopeTraining,
    Training,
    preset,
)
from .samplers import (
    Creative,
    Hallucination,
    Sampling,
    Statistics,
    activation_statistics,
    codes,
    generates,
    hallucinate,
    hooked,
    layer_quantile,
    to_bytes,
    tone_curve,
)
from .samplers.creative import hidden_layer
from .samplers.kaleidoscope import Eyes, attracting, basins, fixed, line, looked_at, plane, watch
from .samplers.kaleidoscope import kept as states_at
from .seeds import Noise, child
from .train import DECAY, Images, OptimiserState, Shuffled, fit, linear

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


Files = Mapping[str, Callable[[], Any]]  # by name: what makes the content, bytes or what JSON can say
OnStep = Callable[[int, dict[str, float]], None]


class RunError(RuntimeError):
    """A run cannot start or go on; the message says why and what would do."""


class RunDir:
    """Where one experiment keeps its iterations. `draft` folders become final by one rename."""

    def __init__(self, out: Path, spec: Training, device: torch.device = torch.device("cpu")) -> None:
        """Raises RunError if OUT holds iterations of the same name with other settings, or cannot be written."""
        self.out, self.spec, self.root = out, spec, out / spec.name
        self.cost = Cost(self.root / "config.json", machine(device))
        with distributed.main_process() as mine, _said_plainly(self.root):
            if mine:
                self.root.mkdir(parents=True, exist_ok=True)
                self._agree()

    def find(self, index: int, name: str) -> Path | None:
        """A stored file of an iteration, finished or not."""
        for folder in (self.folder(index), self.draft(index)):
            if (folder / name).exists():
                return folder / name
        return None

    def finished(self, index: int) -> bool:
        return self.folder(index).exists()

    def folder(self, index: int) -> Path:
        return self.root / f"iter_{index:03d}"

    def draft(self, index: int) -> Path:
        return self.root / f"iter_{index:03d}.partial"

    def put_model(self, index: int, model: nn.Module, **facts: Any) -> Path:
        """Save a model, with the facts about it, into the iteration's draft, and say where it is."""
        path, spec = self.draft(index) / "model.safetensors", self.spec
        own = {"experiment": spec.name, "iteration": index, "scale": spec.scale, "data": spec.data}
        with distributed.main_process() as mine, _said_plainly(path):
            if mine:
                path.parent.mkdir(parents=True, exist_ok=True)
                hub.save(model, path, half=spec.half, **own, toolkit=__version__, **facts)
        return path

    def put(self, index: int, name: str, content: Callable[[], Any]) -> None:
        """Write a file into the iteration's draft, whole or not at all; nothing if the iteration is finished.

        The content is made where it is written, in the first process; the others wait. Bytes, or what JSON can say.
        """
        with distributed.main_process() as mine:
            if mine and not self.finished(index):
                write(self.draft(index) / name, _as_bytes(content()))

    def discard(self, index: int, name: str) -> None:
        """Delete a file of an iteration, if it is there."""
        with distributed.main_process() as mine, _said_plainly(self.folder(index)):
            if mine:
                (self.folder(index) / name).unlink(missing_ok=True)

    def finish(self, index: int) -> None:
        """Make the draft final, and bring the index up to date; the data alone, iteration 0, are nothing to list."""
        with distributed.main_process() as mine, _said_plainly(self.root):
            if mine:
                if not self.finished(index):
                    os.replace(self.draft(index), self.folder(index))
                if index:
                    hub.write_index(self.out)

    def conclude(self, files: Callable[[list[dict[str, Any]]], Files]) -> None:
        """Write what is said of all rows, and bring the index up to date."""
        with distributed.main_process() as mine:
            if mine:
                for name, content in files(self.rows()).items():
                    write(self.root / name, _as_bytes(content()))
                hub.write_index(self.out)

    def rows(self) -> list[dict[str, Any]]:
        """The measures of every finished iteration, in order."""
        files = sorted(self.root.glob("iter_[0-9][0-9][0-9]/metrics.json"))
        return [{"iteration": int(file.parent.name[5:]), **json.loads(file.read_text())} for file in files]

    @contextmanager
    def piece(self, index: int, name: str) -> Iterator[None]:
        """Work on a piece of an iteration, up to and with the storing of it: what it costs counts once it is done."""
        with self.cost.piece(index, name):
            yield
        if distributed.rank() == 0:
            config = self.root / "config.json"
            write(config, to_json({**json.loads(config.read_text()), "cost": self.cost.as_dict()}))

    def _agree(self) -> None:
        """Hold the settings against those of what is finished here. What is not finished binds nobody."""
        mine, config = json.loads(to_json(self.spec.as_dict())), self.root / "config.json"  # as it reads back
        stored = json.loads(config.read_text())["experiment"] if config.exists() else mine
        same = {"iterations", "title", *({"least_steps"} - {*stored})}  # these may differ
        if other := sorted(name for name in mine if name not in same and stored.get(name) != mine[name]):
            if _binding(self.root):
                raise RunError(self._refusal(stored, other))
            remove(self.root)
        elif config.exists():
            self.cost.read()
        says = {"title": self.spec.title, "toolkit": __version__, **self.spec.metadata(), "experiment": mine}
        write(config, to_json({**says, **({"cost": self.cost.as_dict()} if self.cost.iterations else {})}))

    def _refusal(self, stored: dict[str, Any], other: list[str]) -> str:
        if other == ["seed"]:
            beside = f"--name {self.spec.name}-seed{self.spec.seed}"
            return (f"{self.root} holds a run with another seed, {stored.get('seed')}: give {beside} to put this one "
                    "beside it, or another --out")  # fmt: skip
        return (f"{self.root} holds a run with another {', '.join(other)}: give the same settings to continue it, or "
                "another --name or --out to start anew")  # fmt: skip


def _binding(root: Path) -> bool:
    """Whether an iteration after the data is finished."""
    return any(path.name != "iter_000" for path in root.glob("iter_[0-9][0-9][0-9]"))


def remove(root: Path) -> None:
    """Delete what a run wrote to its folder before its first iteration was finished."""
    for part in (*root.glob("iter_[0-9][0-9][0-9].partial"), root / "iter_000"):
        shutil.rmtree(part, ignore_errors=True)
    (root / "config.json").unlink(missing_ok=True)


@contextmanager
def _leaving_nothing(root: Path, fresh: bool) -> Iterator[None]:
    """After an error before there is any model, it is as if nothing had been tried. fresh: OUT was not there before."""
    try:
        yield
    except Exception:
        if distributed.rank() == 0 and not _binding(root) and not [*root.glob("iter_*/model.safetensors")]:
            with suppress(OSError):  # folders that hold other things stay
                remove(root)
                root.rmdir()
                if fresh:
                    root.parent.rmdir()
        raise


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold an experiment's folder, so that no other run writes there; the kernel frees it when this process dies.

    Raises RunError if another run holds it, or the folder cannot be made.
    """
    handle = -1
    if distributed.rank() == 0 and os.name == "posix":
        with _said_plainly(root):
            root.mkdir(parents=True, exist_ok=True)
            handle = os.open(root, os.O_RDONLY)  # the folder itself: no file to leave behind, and none to delete
    try:
        _hold(root, handle)
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _hold(root: Path, handle: int) -> None:
    try:
        if handle >= 0:
            import fcntl  # not on Windows

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"another process is at work in {root}: wait for it, or choose another --out") from None
    except OSError:
        pass  # some network folders have no locks


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, making its folder. Raises RunError if that fails (disk full, not writable)."""
    with _said_plainly(path):
        index.write_atomic(path, content)


def to_json(value: object) -> bytes:
    """Sorted, indented JSON that ends in a newline."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _as_bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else to_json(content)


def to_npy(images: Tensor) -> bytes:
    """A tensor as the bytes of a .npy file."""
    buffer = BytesIO()
    np.save(buffer, images.numpy(), allow_pickle=False)
    return buffer.getvalue()


def from_npy(path: Path) -> Tensor:
    """The inverse of `to_npy`."""
    return torch.from_numpy(np.load(path, allow_pickle=False))


@contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another --out, "
            "then run the same command again: every finished iteration is kept"
        ) from error


@dataclass
class Cost:
    """The costs of one experiment, in its config.json.

    iterations: of each, by its number, the seconds of its pieces; "process_seconds", those of all of its threads
    together; and "on", the machine that did the last of them.
    """

    config: Path
    on: str = ""
    iterations: dict[str, dict[str, Any]] = field(default_factory=dict)

    def read(self) -> None:
        """Whatever the experiment has cost so far; nothing if its config.json says nothing, or cannot be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            self.iterations = dict(json.loads(self.config.read_text())["cost"]["iterations"])

    @contextmanager
    def piece(self, index: int, name: str) -> Iterator[None]:
        """Work on a piece of an iteration: its seconds count once it is done."""
        wall, process = perf_counter(), process_time()
        yield
        entry = self.iterations.setdefault(str(index), {})
        for key, spent in ((name, perf_counter() - wall), ("process_seconds", process_time() - process)):
            entry[key] = round(entry.get(key, 0.0) + spent, 2)
        entry["on"] = self.on

    def as_dict(self) -> dict[str, Any]:
        """The sum of all seconds, of the clock and of the processor, and what they were spent on."""
        spent = [item for entry in self.iterations.values() for item in entry.items() if item[0] != "on"]
        process = [seconds for name, seconds in spent if name == "process_seconds"]
        pieces = [seconds for name, seconds in spent if name != "process_seconds"]
        return {"seconds": round(sum(pieces), 2), "process_seconds": round(sum(process), 2),
                "iterations": self.iterations}  # fmt: skip


def machine(device: torch.device) -> str:
    """What computes: "cpu, 2 threads", or the name of a GPU; and how many processes, if there are several."""
    one = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(device)
    return f"{distributed.world()} processes, each {one}" if distributed.world() > 1 else one


def _processor(device: torch.device) -> str:
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' * (threads != 1)}"


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
            "samples.png": lambda: decoder_sheet(Trained(t.name, t.title, t.data, model, statistics, self._how)),
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
        index.write_atomic(folder / "samples.png", decoder_sheet(load_decoder(out, name, iteration=number)))


def decoder_sheet(trained: Trained) -> bytes:
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
        return Kaleidoscopes(t, kaleidoscope_data(t, root), device)

    @property
    def images(self) -> int | None:
        return len(self.data) if self.data.dtype == torch.uint8 else None

    def untrained(self, seed: int) -> Any:
        return _network(self.spec, self.data, seed)

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        seed = self._seed(number)
        model, losses = train_kaleidoscope(self.spec, self.data, seed, self.device, on_step)
        return model, {"seed": seed, "steps": self.steps, "losses": loss_trace(losses)}

    def files(self, number: int, model: Any, load: Callable[[int], Any]) -> Files:
        return {
            "metrics.json": lambda: kaleidoscope_measures(self.spec, model, self.data),
            "samples.png": lambda: kaleidoscope_sheet(of(self.spec, model)),
        }


def train_kaleidoscope(
    training: KaleidoscopeTraining,
    data: Tensor,
    seed: int,
    device: str = "cpu",
    on_step: OnStep = lambda step, losses: None,
    until: float = 0.0,
) -> tuple[Manifold, list[float]]:
    """A network trained from a seed, and its loss at every step. until: the loss at which it has learned enough."""
    losses = list[float]()
    batches, model = (
        kaleidoscope_batches(training, data, seed),
        _network(training, data, child(seed, "init")).to(device),
    )

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


def kaleidoscope_batches(training: KaleidoscopeTraining, data: Tensor, seed: int) -> Iterable[Tensor]:
    """Images in shuffled batches; points all at once, again and again."""
    if data.dtype == torch.uint8:
        return Shuffled(data, training.batch, child(seed, "shuffle"))
    return repeat(data)


def loss_trace(losses: list[float]) -> list[list[float]]:
    """The published way to say how training went: the loss of the batch at every tenth of the steps, and at the end."""
    steps = sorted({*range(0, len(losses), max(1, len(losses) // 10)), len(losses) - 1})
    return [[step, losses[step]] for step in steps]


def kaleidoscope_measures(training: KaleidoscopeTraining, model: Manifold, data: Tensor) -> dict[str, float]:
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
    for row in watch(stream(k, range(WATCHED)), runs, kaleidoscope_eyes(data)):
        names = ("distance", "still", "distinct") if row["run"] else ("distance",)
        found |= {f"{name}_{row['run']}": float(row[name]) for name in names}
    return found


def kaleidoscope_eyes(data: Tensor | None, judge: Any = None) -> Eyes:
    """How samples are seen; points, of which two may lie near each other, more closely than pictures."""
    pictures = data is None or data.shape[-1] > 1
    return Eyes(data, judge) if pictures else Eyes(data, judge, same=0.02, still=1e-3)


def kaleidoscope_data(training: KaleidoscopeTraining, root: Path | None = None) -> Tensor:
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
class Classifiers(Learner):
    """Classifiers. held_out: what none of them learns, and each is measured on.

    Raises ValueError for images without labels.
    """

    spec: ClassifierTraining
    data: Dataset
    held_out: Dataset
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.data.labels is None or self.held_out.labels is None:
            raise ValueError(f"{self.data.name} has no labels: give a data set that has, for a judge to learn")

    @staticmethod
    def read(t: ClassifierTraining, root: Path | None = None, device: str = "cpu") -> "Classifiers":
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
        found = confusion_report(confusion(labels, told), self.spec.classes)
        worst = {"accuracy_worst_class": min(found["accuracy_by_class"].values())}
        return {
            "metrics.json": lambda: {**{name: found[name] for name in ("images", "accuracy")}, **worst},
            "samples.png": lambda: classifier_sheet(self.held_out.images, labels, told),
        }

    def conclude(self, rows: list[dict[str, Any]], load: Callable[[int], Any]) -> Files:
        """Of every classifier that is stored, how well it names what it has not seen."""

        def reports() -> Iterator[dict[str, Any]]:
            for row in rows:
                told, labels = self._told(load(row["iteration"]))
                found = confusion_report(confusion(labels, told), self.spec.classes)
                yield {"iteration": row["iteration"], **found}

        return {"report.json": lambda: {"held_out": self.held_out.split, "networks": [*reports()]}}

    def _lessons(self, seed: int) -> "Varied":
        t, images, labels = self.spec, self.data.images, cast("Tensor", self.data.labels)
        if t.each:
            rows = balanced(labels, t.each)
            images, labels = images[rows], labels[rows]
        return Varied(Lessons(images, labels, t.classes, t.batch, seed), t.vary)

    def _told(self, judge: Judge) -> tuple[Tensor, Tensor]:
        return predictions(judge, self.held_out.images), cast("Tensor", self.held_out.labels)


def _rows(data: Dataset, rows: list[int]) -> Dataset:
    return replace(data, images=data.images[rows], labels=None if data.labels is None else data.labels[rows])


@dataclass
class Divergences(Learner):
    """Models after some of the steps of a training away from the data.

    given: what it starts from; its model may be a stand-in of the same shape until `base` gives the trained one.
    """

    spec: Divergence
    given: Inputs
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
            next(snapshots(replace(self.spec, kept=(0,)), self.given))
        except TypeError as error:
            raise ValueError(f"how is {self.spec.how}: {self.spec.method} has other settings ({error})") from error

    def begin(self) -> None:
        if self.base:
            self.given, self.base = replace(self.given, model=self.base()), None

    def _snapshot(self, number: int, on_step: OnStep = lambda step, losses: None) -> Snapshot:
        """The snapshot of an iteration: one training has them all, and it runs once."""
        self._rest = self._rest or snapshots(self.spec, self.given, on_step)
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
            "metrics.json": lambda: measure_snapshot(self.spec, now, first, self.given.classifier),
            "samples.png": lambda: hundred(model),
        }

    def conclude(self, rows: list[dict[str, Any]], load: Callable[[int], Any]) -> Files:
        return {"metrics.json": lambda: {"rows": rows}}


def hundred(model: Any) -> bytes:
    """What a model draws from a hundred seeds, as PNG."""
    with torch.no_grad():
        return plot.png(to_bytes(model.sample(Noise(range(100)))), columns=10)


RUNS = (1, *range(5, 14), 300)


def kaleidoscope_states(
    k: Kaleidoscope, data: Tensor, samples: int = 36, runs: tuple[int, ...] = RUNS
) -> dict[str, Tensor]:
    """What is drawn, by name: each (samples, C, H, W). data: uint8 (N, C, H, W), of which some are recovered."""
    rows = torch.arange(samples) * len(data) // samples
    x = data[rows].to(next(k.model.parameters()).device).float() / 255
    with torch.no_grad():
        found = {"training images, recovered": k.model.reconstruct(x).cpu()}
    runs = (*(run for run in runs if run < k.runs), k.runs)
    after = states_at(stream(k, range(samples)), runs)
    return found | {f"run {run}": state for run, state in zip(runs, after, strict=True)}


def _kaleidoscope_tiles(k: Kaleidoscope, samples: int = 64) -> bytes:
    """The sheet of a network as PNG: the start and runs 1, 5, 10, 30, 300 as rows, a sample a column; no gaps."""
    runs = [run for run in (0, 1, 5, 10, 30) if run < k.runs] + [k.runs]
    rows = states_at(stream(k, range(samples)), runs)
    return plot.png(torch.cat(rows), samples)


def ground(model: Manifold, points: Tensor) -> plot.Ground:
    """The loss and the basins of a network of points in a plane, (N, 2, 1, 1)."""
    return plot.Ground(plane(model, plot.FINE)[1], basins(model, points, plot.COUNT))


SCALE = 4  # pixels per pixel
ON_POINTS = 10  # samples on a manifold, as published


def kaleidoscope_sheet(k: Kaleidoscope) -> bytes:
    """The sheet that is stored with a network, as PNG."""
    if k.points is None:
        return _kaleidoscope_tiles(k)
    return plot.figure_png(landscape(k, list(islice(stream(k, range(ON_POINTS)), k.runs + 1))))


def landscape(k: Kaleidoscope, states: Sequence[Tensor], on: plot.Ground | None = None) -> Any:
    """Samples on the manifold of a network of points, as a figure. states: from the start to the present run.

    Of more than two coordinates the first two are shown. on: `ground`, if it is there. Raises ValueError for a network
    of pictures.
    """
    if k.points is None:
        raise ValueError(f"{k.name} learned pictures: it has no landscape to draw, make a sheet")
    run, dimension = len(states) - 1, k.points.shape[1]
    if dimension == 1:
        return plot.profile_figure(line(k.model, 400), k.points, states[0], states[-1], run, k.title)
    if dimension == 2:
        return plot.surface_figure(k.points, states, run, k.title, on or ground(k.model, k.points))
    return plot.shadow(k.points, states, run, k.title)


def film_frames(k: Kaleidoscope, states: Iterable[Tensor], every: int = 1) -> "Iterator[Image]":
    """The frames of a film: the start, and the samples after every so many runs."""
    if k.points is None:
        for state in islice(states, 0, None, every):
            yield plot.grid(state.cpu(), scale=SCALE)
        return
    on = ground(k.model, k.points) if k.points.shape[1] == 2 else None
    seen: list[Tensor] = []
    for number, state in enumerate(states):
        seen.append(state)
        if number % every == 0:
            yield plot.picture(landscape(k, seen, on))


def still_picture(k: Kaleidoscope, states: Sequence[Tensor], every: int | None = None) -> "Image":
    """One picture: the samples after the last run; or, with `every`, one row per sample and a column per state."""
    if k.points is not None:
        picture: Image = plot.picture(landscape(k, states))
        return picture
    if every is None:
        return plot.grid(states[-1].cpu(), scale=SCALE)
    return plot.strip([state.cpu() for state in states[::every]], scale=SCALE // 2, gap=1)


SURE, WRONG = 2, 6  # images of a class on the sheet: named rightly, and below them wrongly
MISTAKES = 12  # confusions that are named


def predictions(judge: Judge, images: Tensor) -> Tensor:
    """How probable each class is: uint8 (N, C, H, W) -> (N, K), on the CPU."""
    device = next(judge.parameters()).device
    with torch.no_grad():
        parts = [judge.probabilities(part.to(device).float() / 255).cpu() for part in images.split(1000)]
    return torch.cat(parts)


def confusion(labels: Tensor, told: Tensor) -> Tensor:
    """Images of each class (row) by what they were named (column): labels (N,), probabilities (N, K) -> (K, K)."""
    classes = told.shape[1]
    return torch.bincount(labels * classes + told.argmax(1), minlength=classes**2).view(classes, classes)


def confusion_report(found: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """A confusion (K, K) as JSON: how many, accuracy, that of every class and their mean, the commonest mistakes."""
    right, whole = found.diagonal(), found.sum(1)
    by_class = {name: r / n for name, r, n in zip(classes, right.tolist(), whole.tolist(), strict=True) if n}
    mistakes = (found - right.diag()).flatten()
    worst = mistakes.sort(descending=True, stable=True).indices[:MISTAKES].tolist()
    return {
        "images": int(whole.sum()),
        "accuracy": (right.sum() / whole.sum()).item(),
        "accuracy_by_class": by_class,
        "mistakes": [
            {"class": classes[row // len(classes)], "named": classes[row % len(classes)], "images": int(mistakes[row])}
            for row in worst
            if mistakes[row]
        ],
        "confusion": found.tolist(),
    }


def classifier_sheet(images: Tensor, labels: Tensor, told: Tensor) -> bytes:
    """A column per class, as PNG: images it names most surely, and below them those it most surely names wrongly.

    images: uint8 (N, C, H, W); labels: (N,); told: probabilities (N, K). Where there are too few, nothing is shown.
    """
    (sure, named), blank = told.max(1), torch.zeros_like(images[:1])
    columns = []
    for label in range(told.shape[1]):
        of, right = labels == label, named == labels
        rows = [(of & right, SURE), (of & ~right, WRONG)]
        chosen = [_surest(images[which], sure[which], blank, count) for which, count in rows]
        columns.append(torch.cat(chosen))
    return plot.png(torch.stack(columns, 1).flatten(0, 1), columns=told.shape[1])


def _surest(images: Tensor, sure: Tensor, blank: Tensor, count: int) -> Tensor:
    best = images[sure.sort(descending=True, stable=True).indices[:count]]
    return torch.cat([best, *[blank] * (count - len(best))])


FEW = 200  # images, under which what to expect is said


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """One experiment of any kind, how its kind is learned, and the folder it lives in."""

    spec: Any
    out: Path
    learner: Learner
    device: torch.device = torch.device("cpu")
    quiet: bool = False

    def __call__(self, iterations: int | None = None) -> Path:
        """Train, measure and store what is not stored yet, and return the folder of the experiment.

        iterations: of decoders, networks and classifiers how many, from as many seeds. Nothing is written before the
        settings and the model they ask for are checked.
        Raises RunError or CheckpointError if something cannot be written or read, ValueError for what cannot be
        trained, FloatingPointError if training fails.
        """
        self.check()
        root, fresh = self.out / self.spec.name, not self.out.exists()
        if not all((root / f"iter_{number:03d}").exists() for number in range(1, self._count(iterations) + 1)):
            self._expect()
            self.learner.begin()
        with locked(root), _leaving_nothing(root, fresh):
            store = RunDir(self.out, self.spec, self.device)
            self._all(store, self._count(iterations))
            store.conclude(partial(self._conclude, store))
        return root

    def check(self) -> None:
        """Raise ValueError for what cannot be trained, before anything is written."""
        self.learner.check()

    def _count(self, iterations: int | None) -> int:
        if (count := self.learner.iterations if iterations is None else iterations) < 1:
            raise ValueError(f"iterations is {count}: give at least 1")
        return count

    def _expect(self) -> None:
        """One sentence to whoever waits, where there are few images."""
        if not self.quiet and distributed.rank() == 0 and 0 < (self.learner.images or 0) < FEW:
            tqdm.write(f"{self.learner.images} images are few: expect copies and blends of them; from {FEW} on the "
                       "model may draw what is not among them", file=sys.stderr)  # fmt: skip

    def _all(self, store: RunDir, count: int) -> None:
        for number in range(1, count + 1):
            if not store.finished(number):
                path = store.find(number, "model.safetensors") or self._train(store, number)
                with store.piece(number, "measuring"):
                    files = self.learner.files(number, self._load(path), partial(self._of, store))
                self._finish(store, number, files)

    def _train(self, store: RunDir, number: int) -> Path:
        bar = self._bar(f"{self.spec.name} {number}: training", self.learner.steps, "step")
        with store.piece(number, "training"), bar:
            model, facts = self.learner.learn(number, partial(_advance, bar))
            return store.put_model(number, model, **facts)

    def _finish(self, store: RunDir, number: int, files: Files) -> None:
        """Write the files of an iteration that are not there yet, and make it final."""
        for name, content in files.items():
            with store.piece(number, "sheet" if name == "samples.png" else "measuring"):
                store.put(number, name, content)
        store.finish(number)

    def _conclude(self, store: RunDir, rows: list[dict[str, Any]]) -> Files:
        return self.learner.conclude(rows, partial(self._of, store))

    def _of(self, store: RunDir, number: int) -> nn.Module:
        return self._load(store.folder(number) / "model.safetensors")

    def _load(self, path: Path) -> nn.Module:
        return hub.load(path, device=str(self.device))

    def _bar(self, what: str, total: int, unit: str) -> "tqdm[Any]":
        return tqdm(total=total, desc=what, unit=unit, disable=self.quiet or distributed.rank() > 0, dynamic_ncols=True)


def trainer(
    spec: Any,
    out: Path,
    *,
    root: Path | None = None,
    device: str | torch.device = "cpu",
    quiet: bool = False,
    first_from: Path | None = None,
    source: str | Path = hub.CHECKPOINTS,
) -> Trainer:
    """A trainer of any kind of preset, on its data, read or downloaded.

    root: of data sets; first_from: see `Run`; source: where judges are, and bases that OUT does not have. Raises what
    `data.load` and `hub.load` do.
    """
    how: dict[str, Any] = {"out": out, "device": torch.device(device), "quiet": quiet}
    if first_from and spec.kind != "iterations":
        raise ValueError(f"{spec.name} has no first iteration of another run: leave out --first-from")
    if spec.kind == "iterations":
        with distributed.main_process_first():  # it downloads what is missing
            images = datasets.load(spec.data, root=root, split="any").images  # Kuzushiji is there in part
        return prepare(spec, images, first_from=first_from, **how)
    if spec.kind == "divergence":
        return Trainer(spec=spec, learner=_divergences(spec, root, source, how), **how)
    learner = LEARNERS[spec.kind](spec, root, str(device))
    return Trainer(spec=learner.spec, learner=learner, **how)


LEARNERS: dict[str, Callable[[Any, Path | None, str], Learner]] = {  # but for runs of iterations: `Run`
    "decoder": Decoders.read,
    "kaleidoscope": Kaleidoscopes.read,
    "judge": Classifiers.read,
}


def _divergences(e: Divergence, root: Path | None, source: str | Path, how: dict[str, Any]) -> Divergences:
    """With a base of OUT, or else of SOURCE, or else trained first, on the same data and scale."""
    device = str(how["device"])
    judge = hub.load_classifier(source, e.judge, device=device)
    base, model = None, cast("Any", None)
    folder = how["out"] / e.base
    if not e.base:
        model = new(e).to(how["device"])
    elif (folder / "metrics.json").exists() or (e.base not in DIVERGENCES and [*folder.glob("iter_*/model.*")]):
        model = hub.load(how["out"], e.base, e.iteration, device=device)
    elif e.base in index.read_index(source)["experiments"] and (e.scale != "smoke" or e.base not in DIVERGENCES):
        model = hub.load(source, e.base, e.iteration, device=device)
    else:
        changes: dict[str, Any] = {"data": e.data} if e.data else {}
        spec = preset(e.base, e.scale, **changes)
        first = trainer(spec, root=root, source=source, **how)
        first.check()
        model = first.learner.untrained(0).to(how["device"])

        def base() -> nn.Module:
            first()
            return hub.load(how["out"], e.base, e.iteration, device=device)

    if not e.data:
        return Divergences(e, Inputs(model, classifier=judge), base)
    data = datasets.load(e.data, root=root, limit=e.images, size=model.image_shape[-1])
    return Divergences(e, Inputs(model, data.images, data.labels, judge), base)


SHEET = 100  # symbols on a sample sheet, grown from the noise of seeds 0 to 99 at every iteration
STATE = "optimiser.safetensors"  # the optimisers at the end of an iteration, as `fit` gives their state
# What the model of the first iteration follows from, beside the first steps.
FIRST = (
    "seed", "data", "images", "size", "architecture", "model", "batch", "epochs", "least_steps", "first_steps",
    "decay", "half",
)  # fmt: skip
MEASURED = 1000  # images that the measures of an iteration are taken over


@dataclass(frozen=True)
class Iterations(Learner):
    """What a `Run` says of itself to what all kinds share. data: those that the first learner hears."""

    spec: Experiment
    data: Tensor

    @property
    def iterations(self) -> int:  # type: ignore[override]
        return self.spec.iterations


@dataclass(frozen=True, kw_only=True)
class Run(Trainer):
    """A run of iterations: a learner says images that the next one hears.

    data: uint8 (N, C, H, W), the images the first learner hears; reference: those that novelty is measured against.
    first_from: the folder of another run of the same seed, whose first iteration's model this one goes on from.
    """

    data: Tensor
    reference: Tensor
    first_from: Path | None = None

    def check(self) -> None:
        self._create(0)
        if self.spec.rule:
            _keep(self.spec.rule, self.data)
        if self.first_from and not (self.out / self.spec.name / "iter_001").exists():
            self._first(self.first_from)

    def _all(self, store: RunDir, count: int) -> None:
        self._store_data(store)
        if not all(store.finished(index) for index in range(1, count + 1)):
            first = self._create(0)
            for turn in iterated_learning(
                first,
                self.data,
                learn=partial(self._learn, store),
                teach=self._teach(store),
                inherit=self._inherit(first),
                iterations=count,
            ):
                self._close(store, turn.index, turn.model)

    def _conclude(self, store: RunDir, rows: list[dict[str, Any]]) -> Files:
        return {"metrics.json": lambda: summary(rows)}

    def _create(self, index: int) -> nn.Module:
        _, channels, size, _ = self.data.shape
        options = {"channels": channels, "size": size, **self.spec.model}
        model = create(self.spec.architecture, options, seed=child(self.spec.seed, "init", index))
        return model.to(self.device)

    def _learn(self, store: RunDir, index: int, model: nn.Module, heard: Images | TeacherSamples) -> nn.Module:
        path = store.find(index, "model.safetensors") or self._fit(store, index, model, heard)
        model = self._load(path)
        if not store.find(index, "samples.png"):  # before anything is said: people may want to pick from it
            with store.piece(index, "sheet"):
                store.put(index, "samples.png", lambda: sheet(to_bytes(self._sampling.grown(model, range(SHEET)))))
        return model

    @property
    def _sampling(self) -> Sampling:
        return Sampling.of(self.spec.sampling)

    def _fit(self, store: RunDir, index: int, model: nn.Module, heard: Images | TeacherSamples) -> Path:
        lessons, steps = self._lessons(index, heard)
        if index == 1 and self.first_from:
            model, state = self._first(self.first_from)
            store.put(1, STATE, lambda: state)
            return store.put_model(1, model, seed=self.spec.seed, steps=steps)
        bar = self._bar(f"iteration {index}: training", steps, "step")
        with store.piece(index, "training"), bar:
            moments, decay = self._optimiser_state(store, index), DECAY[self.spec.decay]
            model = fit(model, lessons, steps=steps, on_step=partial(_advance, bar), decay=decay, state=moments)
            store.put(index, STATE, lambda: safetensors.torch.save(moments))  # first: with a model, training is done
            return store.put_model(index, model, seed=self.spec.seed, steps=steps)

    def _first(self, source: Path) -> tuple[nn.Module, bytes]:
        """The first iteration's model and optimiser of another run. Raises RunError if it would not be this one's."""
        path, state = (source / "iter_001" / name for name in ("model.safetensors", STATE))
        if missing := [str(file) for file in (source / "config.json", path, state) if not file.is_file()]:
            raise RunError(f"there is no {missing[0]}: give the folder of a run with its first iteration")
        theirs = json.loads((source / "config.json").read_text())["experiment"]
        mine = json.loads(to_json(self.spec.as_dict()))
        if other := [name for name in FIRST if theirs.get(name) != mine.get(name)]:
            raise RunError(
                f"{source} began with another {', '.join(other)}: give a run whose first iteration is the same"
            )
        return hub.load(path), state.read_bytes()

    def _optimiser_state(self, store: RunDir, index: int) -> OptimiserState:
        """What the optimisers of an iteration start from: those of the one before, or nothing."""
        e = self.spec
        if index == 1 or e.optimiser == "fresh" or e.inheritance != "preserve":
            return {}
        path = store.find(index - 1, STATE)
        if path is None:
            raise RunError(
                f"{store.folder(index - 1)} has no {STATE}, from which the training goes on: "
                "start the run anew in another --out, or give --set optimiser=fresh to a new one"
            )
        return dict(safetensors.torch.load_file(path))

    def _lessons(self, index: int, heard: Images | TeacherSamples) -> tuple[Iterable[Tensor], int]:
        e = self.spec
        if isinstance(heard, TeacherSamples):
            return heard, e.lecture_steps
        batch = e.batch if index == 1 else e.later_batch or e.batch
        shuffled = Shuffled(heard, batch, child(e.seed, "shuffle", index))
        anew = index == 1 or e.inheritance != "preserve"
        steps = max(e.epochs * shuffled.steps_per_epoch, (e.least_steps or 1) if anew else 1)
        limit = e.first_steps if anew else e.steps
        return shuffled, min(steps, limit or steps)

    def _say(self, store: RunDir, index: int, model: nn.Module) -> Tensor:
        """The images of an iteration: read, or hallucinated (again) from its checkpoint and stored."""
        if (stored := store.find(index, "said.npy")) and store.find(index, "metrics.json"):
            return from_npy(stored)
        said = self._draw(store, index, model, iteration_seeds(self.spec, index))
        with store.piece(index, "sampling"):
            store.put(index, "said.npy", lambda: to_npy(said.images))
        return said.images

    def _draw(self, store: RunDir, index: int, model: nn.Module, seeds: range) -> Hallucination:
        """Images from noise, and the measures of the first of them."""
        bar = self._bar(f"iteration {index}: sampling", len(seeds), "image")
        with store.piece(index, "sampling"), bar:
            said = hallucinate(model, seeds, self._sampling, on_images=bar.update)
        with store.piece(index, "measuring"):
            passes = None if generates(model) else said.passes[:MEASURED]
            images = said.images[:MEASURED]
            store.put(index, "metrics.json", lambda: metrics.measure(images, self.reference, passes))
        return said

    def _teach(self, store: RunDir) -> Teach:
        e = self.spec
        if e.teaching == "lecture":
            return teacher_samples(self._sampling, e.batch, e.seed)
        how = {"accumulate": accumulate, "replace": replace_data}[e.teaching]
        return subsample(how(chosen(partial(self._say, store), e, self.data)), e.share, e.seed)

    def _inherit(self, first: nn.Module) -> Inherit:
        how = {"preserve": preserve, "reset": reset(first), "fresh": fresh(self._create)}
        return how[self.spec.inheritance]

    def _close(self, store: RunDir, index: int, model: nn.Module) -> None:
        """Measure an iteration that said nothing; then make it final."""
        if store.finished(index):
            return
        if not store.find(index, "metrics.json"):
            self._draw(store, index, model, iteration_seeds(self.spec, index)[:MEASURED])
        self._finish(store, index, self._rows(store, index, model))
        if index > 2:
            store.discard(index - 1, STATE)  # the first stays, for other runs from the same first iteration

    def _rows(self, store: RunDir, index: int, model: nn.Module | None) -> Files:
        """Every measure of the images of the first seeds, by all processes together; nothing where it is there."""
        if store.find(index, ROWS_FILE):
            return {}
        images, others = row_images(self.spec, self.reference, model)
        return {ROWS_FILE: lambda: to_npz(row_measures(self.spec, images, others))}

    def _store_data(self, store: RunDir) -> None:
        """Iteration 0 is the data: a sheet of them, and their measures against the rest of the data."""
        if store.finished(0):
            return
        count = min(MEASURED, len(self.reference) // 2)
        known, others = self.reference[:count], self.reference[count:]
        self._finish(store, 0, {
            "samples.png": lambda: sheet(self.data[:SHEET]),
            "metrics.json": lambda: metrics.measure(known, others),
            **self._rows(store, 0, None),
        })  # fmt: skip


def iteration_seeds(e: Experiment, index: int) -> range:
    """Those of the images of an iteration, which follow from them and its checkpoint.

    From 0, as on the sheet, if a person picks; else others every time, or ever the same. A lecture is never stored:
    what is measured of its teacher has seeds of its own.
    """
    if e.teaching == "lecture":
        start, count = child(e.seed, "measure", index), e.generated
    elif e.rule and e.rule.by == "picks":
        start, count = 0, e.candidates
    else:
        start, count = child(e.seed, "say") + (e.candidates * (index - 1) if e.noise == "fresh" else 0), e.candidates
    return range(start, start + count)


def prepare(experiment: Experiment, images: Tensor, out: Path, **options: Any) -> Run:
    """A run on these images, uint8 (N, C, H, W): on a random choice of them if the experiment wants fewer.

    options: device, quiet, first_from.
    """
    generator = torch.Generator().manual_seed(child(experiment.seed, "data"))
    reference = _fitted(images[torch.randperm(len(images), generator=generator)], experiment.size)
    data = reference[: experiment.images]
    if experiment.sampling.finish == "tone":
        experiment = replace(experiment, sampling=replace(experiment.sampling, tone=tone_curve(data)))
    learner = Iterations(experiment, data)
    return Run(spec=experiment, out=Path(out), learner=learner, data=data, reference=reference, **options)


def sheet(images: Tensor) -> bytes:
    """A gapless grid, ten symbols wide, as PNG: uint8 (N, C, H, W), N at most 100."""
    return plot.png(images, columns=10)


def _fitted(images: Tensor, size: int | None) -> Tensor:
    """Images as large as the experiment wants them: uint8 (N, C, H, W) -> uint8 (N, C, size, size)."""
    if size in (None, images.shape[-1]):
        return images
    mode = "area" if size < images.shape[-1] else "bilinear"
    return torch.cat([interpolate(x.float(), (size, size), mode=mode).round().byte() for x in images.split(5000)])


def _advance(bar: "tqdm[Any]", step: int, losses: dict[str, float]) -> None:
    bar.set_postfix({name: f"{loss:.2f}" for name, loss in losses.items()}, refresh=False)
    bar.update()


JUDGE = "judge-digits-letters"  # of the shipped checkpoints, unless the experiment names another


def chosen(say: Generate, experiment: Experiment, data: Tensor) -> Generate:
    """What is said, as the experiment's filter leaves it; `say` itself without one. data: what the first learner heard.

    Raises CheckpointError for a judge that is not there, RunError for picks that are not.
    """
    return filtered(say, _keep(experiment.rule, data)) if experiment.rule else say


def _keep(rule: Filter, data: Tensor) -> Select:
    if rule.by == "picks":
        return partial(picked, Path(rule.source))
    if rule.by == "novelty":
        return select_top(partial(metrics.novelty, reference=data), rule.share)
    return select_top(partial(objectness, _judge(rule.source or JUDGE)), rule.share)


def _judge(source: str) -> Any:
    return hub.load(source) if source.endswith(".safetensors") else hub.load(hub.CHECKPOINTS, source)


@torch.no_grad()
def objectness(judge: Any, images: Tensor) -> Tensor:
    """How sure a judge is of each image, whatever the class: uint8 (N, C, H, W) -> exp(-entropy), (N,), 1 if certain.

    The sample objectness of the out-of-class study (2017), image by image.
    """
    log_p = [judge(part.float() / 255).log_softmax(1) for part in images.split(500)]
    return torch.cat([(p.exp() * p).sum(1).exp() for p in log_p])


def picked(path: Path, index: int, images: Tensor) -> Tensor:
    """The rows of the seeds that a person picked for an iteration, in a text file that they write as they go.

    A line is ITERATION: SEED, SEED, ...; one without an iteration is for all. Raises RunError if there are none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = sorted({seed for number, seeds in map(_line, filter(None, map(str.strip, lines))) for seed in seeds
                       if number in (None, index) and seed < len(images)})  # fmt: skip
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read as picks ({error}): write lines such as 3: 5, 17, 42") from error
    if not rows:
        raise RunError(
            f"{path} has no picks for iteration {index} from 0 to {len(images) - 1}: look at the sheet samples.png in "
            f"the iteration's folder, ten seeds a row, write a line such as {index}: 5, 17, 42 and run this again"
        )
    return torch.tensor(rows)


def _line(text: str) -> tuple[int | None, list[int]]:
    number, colon, seeds = text.rpartition(":")
    return (int(number) if colon else None), [int(seed) for seed in re.split(r"[,\s]+", seeds.strip()) if seed]


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
    return plot.markdown_table(head, [*rows, trend], left=0)


def _cell(row: dict[str, float], name: str, column: tuple[str, int]) -> str:
    return f"{row[name]:.{column[1]}f}" if name in row else ""


ROWS_FILE = "rows.npz"
ROWS_SEEDS = 1000
CLASSIFIER = "judge-digits-letters"
OF_DIGITS = ("mnist", "sample:mnist")  # data whose classes a classifier may know by these names


def row_images(experiment: Experiment, reference: Tensor, model: nn.Module | None) -> tuple[Tensor, Tensor]:
    """The images that an iteration is measured on, uint8, and those that they are measured against."""
    if model is None:
        count = min(ROWS_SEEDS, len(reference) // 2)
        return reference[:count], reference[count:]
    seeds = range(min(ROWS_SEEDS, experiment.generated))
    return hallucinate(model, seeds, experiment.sampling).images, reference


def row_measures(experiment: Experiment, images: Tensor, reference: Tensor) -> Rows:
    """The rows of these images; with the shipped classifier where it knows the data, if it is here."""
    known = DIGITS if experiment.data in OF_DIGITS else ()
    return rows(images, reference, _classifier() if known else None, known)


def _classifier() -> Judge | None:
    try:
        return hub.load_classifier(name=CLASSIFIER)
    except CheckpointError:
        return None


def to_npz(found: Rows) -> bytes:
    """Rows as the bytes of a compressed .npz file."""
    buffer = BytesIO()
    np.savez_compressed(buffer, **found)  # type: ignore[arg-type]
    return buffer.getvalue()


def from_npz(path: Path) -> Rows:
    """The inverse of `to_npz`. Raises CheckpointError for a file that is no such thing."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise CheckpointError(f"{path} is not readable ({str(error)[:100]}): measure the run again") from error
    if any(values.ndim != 1 or values.dtype != np.float32 for values in found.values()):
        raise CheckpointError(f"{path} holds other things than rows of measures: measure the run again")
    return found


CONTACT_COLUMNS, GAP, LABEL = 7, 8, 18  # sheets in a row; pixels between them, and above each for its name
ACROSS = 10  # images in a row of a sheet
GREYS = 16


def sheets(folder: Path) -> dict[int, Path]:
    """The sample sheets of a run, by iteration."""
    return {int(path.parent.name[5:]): path for path in sorted(folder.glob("iter_[0-9][0-9][0-9]/samples.png"))}


def contact(folder: Path) -> bytes:
    """All sample sheets of a run side by side, each under its number, as a PNG in sixteen greys or in colour.

    Nothing is scaled; in all the greys there are it would take twice the bytes. Iteration 0 is the data. Raises
    ValueError for a folder without sheets.
    """
    from PIL import Image, ImageDraw

    named = {number: _opened(path) for number, path in sheets(folder).items()}
    if not named:
        raise ValueError(f"{folder} has no sample sheets: give the folder of a run, such as checkpoints/fig2")
    width, height = (max(sides) for sides in zip(*(each.size for each in named.values()), strict=True))
    columns, rows = min(CONTACT_COLUMNS, len(named)), -(-len(named) // CONTACT_COLUMNS)
    across, down = width + GAP, height + GAP + LABEL
    mode = "L" if all(each.mode == "L" for each in named.values()) else "RGB"
    page = Image.new(mode, (columns * across + GAP, rows * down + GAP), "white")
    pen = ImageDraw.Draw(page)
    for place, (number, each) in enumerate(named.items()):
        x, y = GAP + place % columns * across, GAP + place // columns * down
        pen.text((x, y + 2), f"iteration {number}" if number else "the data", fill="black")
        page.paste(each, (x, y + LABEL))
    if mode == "L":
        page = page.point([round(grey / 17) * 17 for grey in range(256)]).quantize(GREYS)
    buffer = BytesIO()
    page.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def kept(folder: Path) -> "NDArray[np.float64]":
    """How much of itself the image of a seed keeps from one sheet to the next, on average: (N,), one per image.

    1 if it stays as it is; 0 if it becomes as different as the images of other seeds are, on the sheet before from the
    sheet after. Distances are root mean square. Raises ValueError for a folder with no two sheets in a row.
    """
    cells = {number: _sheet_cells(path) for number, path in sheets(folder).items() if number}
    pairs = [(cells[number - 1], each) for number, each in cells.items() if number - 1 in cells]
    if not pairs:
        raise ValueError(f"{folder} has no two sample sheets in a row: give the folder of a run")
    shares = []
    for before, after in pairs:
        apart = cdist(before, after, compute_mode="donot_use_mm_for_euclid_dist")
        own = apart.diagonal()
        others = (apart.sum() - own.sum()) / (apart.numel() - len(own))
        shares.append(1 - own / others if others > 0 else torch.ones_like(own))
    found: NDArray[np.float64] = torch.stack(shares).mean(0).numpy()
    return found


def on_sheet(sheet: Path) -> Tensor:
    """The images of a sample sheet: uint8 (N, C, H, W)."""
    picture = _opened(sheet)
    return tiles(picture, picture.width // ACROSS)


def _sheet_cells(sheet: Path) -> Tensor:
    return on_sheet(sheet).double().flatten(1)


def _opened(path: Path) -> "Image":
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        return picture


KEEP = (1, 2, 3, 4, 5, 10, 15, 20)
WORK = ("*.partial", "*.part", "*.npy", "*.safetensors")  # what only the training needs; models are added again


def thin(
    run: Path, out: Path, keep: Collection[int] | None = None, *, data: bool = True, resumable: bool = False
) -> Path:
    """Copy a run to OUT/NAME: sheets and measures of all iterations, models of some; whole or not at all.

    keep: the iterations whose models go with it; None: those of KEEP that the run has. data: whether pictures of the
    data do, those of iteration 0; some data may be learned from and not be shown. resumable: with whatever the run
    goes on from elsewhere, all models so far and the last state of the optimiser; the images said are drawn again from
    the models. Raises FileNotFoundError for what is no run or lacks an iteration to keep, FileExistsError if there is
    one of its name.
    """
    there = {int(path.parent.name[5:]): path for path in sorted(run.glob("iter_[0-9][0-9][0-9]/model.safetensors"))}
    wanted = [number for number in KEEP if number in there] if keep is None else keep
    models = [run / f"iter_{number:03d}" / "model.safetensors" for number in sorted(wanted)]
    if resumable:
        models = sorted({*models, *there.values(), *sorted(run.glob(f"iter_[0-9][0-9][0-9]/{STATE}"))[-1:]})
    if missing := [path for path in (run / "config.json", *models) if not path.is_file()]:
        raise FileNotFoundError(f"there is no {missing[0]}: give the folder of a run, and iterations that it has")
    if (target := out / run.name).exists():
        raise FileExistsError(f"{target} is there already: remove it first")
    out.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{run.name}.", dir=out))
    try:
        shutil.copytree(run, part, ignore=shutil.ignore_patterns(*WORK), dirs_exist_ok=True)
        for path in models:
            shutil.copy(path, part / path.parent.name)
        if not data:
            for picture in (part / "iter_000" / "samples.png", part / "map.png"):
                picture.unlink(missing_ok=True)
        write_atomic(part / "contact.png", contact(part))
        part.chmod(0o755)  # mkdtemp keeps it to its owner
        return part.rename(target)
    except BaseException:
        shutil.rmtree(part)
        raise
