"""Runs on disk, and the training of every kind of experiment into one: atomic, resumable, timed.

OUT/index.json, OUT/NAME/config.json, OUT/NAME/metrics.json,
OUT/NAME/iter_007/{model.safetensors, samples.png, metrics.json, ...}; unfinished: OUT/NAME/iter_007.partial/
Of iterated learning also said.npy (what was generated), rows.npz (every measure of each image or word) and, where a
run goes on, optimiser.safetensors; of words samples.txt and no sheet; of decoders statistics.safetensors; of words and
of classifiers OUT/NAME/report.json.

A model is loaded back from its checkpoint before it generates or is measured, so that images are a function of a
checkpoint and seeds. Seconds stand in config.json alone, so that all other files are the same bytes on a slow machine.
Several processes run the same code; the main one writes, and none reads while it does (`distributed.main_process`).
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from io import BytesIO
from itertools import islice, repeat
from pathlib import Path
from statistics import fmean
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, ClassVar, cast
from zipfile import BadZipFile

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from tqdm import tqdm

from . import __version__, distributed, hub, index, iterated, metrics, plot, presets, raising, samplers, train
from . import data as datasets
from .config import DIGITS, checked
from .data import Dataset
from .data import text as text_data
from .diverge.experiments import Inputs, measure_snapshot, new, snapshots
from .diverge.training import Snapshot
from .index import METRICS, MODEL, ROWS_FILE, SHEET, STATE, STATISTICS, TEXTS, CheckpointError, to_json
from .metrics import words as word_measures
from .metrics.attractors import Probe, attracting, basins, fixed, line, plane, probe_runs, probed_runs, states_at
from .metrics.classifier import probabilities, sample_objectness
from .metrics.distance import encoder_distance
from .metrics.rows import Rows, rows
from .models import Judge, LabelledBatches, Manifold, create
from .models.text import TextBatches, decode
from .samplers.creative import hidden_layer
from .seeds import Noise, child
from .train import DECAY, AugmentedBatches, Images, OnStep, OptimiserState, Shuffled, balanced_rows, fit, linear

if TYPE_CHECKING:
    from PIL.Image import Image

Files = Mapping[str, Callable[[], Any]]  # by name: a function that makes the content, bytes or a JSON value
CPU = torch.device("cpu")
GENERATED, POSTER = "said.npy", "family.png"


class RunError(RuntimeError):
    """A run cannot start or go on; the message says why and what would do."""


# ---- the folder of a run


class RunDir:
    """The folder of one experiment, OUT/NAME. The draft of an iteration becomes final by one rename."""

    def __init__(self, out: Path, spec: presets.Training, device: torch.device = CPU) -> None:
        """Raises RunError if OUT holds iterations of the same name with other settings, or cannot be written."""
        self.out, self.spec, self.root, self.machine = out, spec, out / spec.name, machine(device)
        self.config = self.root / "config.json"
        self.device_type = device.type
        self.costs: dict[str, dict[str, Any]] = {}  # of each iteration, seconds by stage, of the processor, and where
        with _writing(self.root) as main:
            if main:
                self.root.mkdir(parents=True, exist_ok=True)
                for part in self.root.rglob(".*.part"):  # of a run that was killed while it wrote
                    part.unlink()
                self._check_settings()
        self.bfloat16 = bool(json.loads(self.config.read_text())["bfloat16"][device.type])  # as it was first decided

    def folder(self, index: int) -> Path:
        return self.root / f"iter_{index:03d}"

    def draft(self, index: int) -> Path:
        return self.root / f"iter_{index:03d}.partial"

    def finished(self, index: int) -> bool:
        return self.folder(index).exists()

    def find(self, index: int, name: str) -> Path | None:
        """A stored file of an iteration, finished or not."""
        paths = (folder / name for folder in (self.folder(index), self.draft(index)))
        return next((path for path in paths if path.exists()), None)

    def put_model(self, index: int, model: nn.Module, **facts: Any) -> Path:
        """Save a model and facts about it into the draft of an iteration -> its path."""
        path, spec = self.draft(index) / MODEL, self.spec
        own = {"experiment": spec.name, "iteration": index, "scale": spec.scale, "data": spec.data}
        with _writing(path) as main:
            if main:
                hub.save(model, path, half=spec.half, **own, toolkit=__version__, **facts)
        return path

    def put(self, index: int, name: str, content: Callable[[], Any]) -> None:
        """Write a file into the draft of an iteration, whole or not at all; nothing if the iteration is finished.

        content: called in the main process only, for bytes or a JSON value; the other processes wait.
        """
        with distributed.main_process() as main:
            if main and not self.finished(index):
                write(self.draft(index) / name, content())

    def finish(self, index: int) -> None:
        """Make the draft final, and update the index of OUT; iteration 0, the data, is not listed.

        The optimiser's state of the iteration before goes; that of the first stays, for other runs that begin with it.
        """
        with _writing(self.root) as main:
            if main:
                if index > 2:
                    (self.folder(index - 1) / STATE).unlink(missing_ok=True)
                if not self.finished(index):
                    os.replace(self.draft(index), self.folder(index))
                if index:
                    hub.write_index(self.out)

    def conclude(self, files: Callable[[list[dict[str, Any]]], Files]) -> None:
        """Write the files of the whole run, made from the measures of all iterations, and update the index of OUT."""
        with distributed.main_process() as main:
            if main:
                for name, content in files(self.rows()).items():
                    write(self.root / name, content())
                hub.write_index(self.out)

    def rows(self) -> list[dict[str, Any]]:
        """The measures of every finished iteration, in order."""
        files = sorted(self.root.glob(f"iter_[0-9][0-9][0-9]/{METRICS}"))
        return [{"iteration": int(file.parent.name[5:]), **json.loads(file.read_text())} for file in files]

    @contextmanager
    def stage(self, index: int, name: str) -> Iterator[None]:
        """Add the seconds of the block to a stage of an iteration, and store them; an interrupted block adds none."""
        wall, process = perf_counter(), process_time()
        yield
        entry = self.costs.setdefault(str(index), {})
        for key, spent in ((name, perf_counter() - wall), ("process_seconds", process_time() - process)):
            entry[key] = round(entry.get(key, 0.0) + spent, 2)
        entry["on"] = self.machine
        if distributed.rank() == 0:
            write(self.config, {**json.loads(self.config.read_text()), **self._cost()})

    def _cost(self) -> dict[str, Any]:
        if not self.costs:
            return {}
        process = sum(entry.get("process_seconds", 0.0) for entry in self.costs.values())
        whole = sum(value for entry in self.costs.values() for name, value in entry.items() if name != "on")
        return {"cost": {"seconds": round(whole - process, 2), "process_seconds": round(process, 2),
                         "iterations": self.costs}}  # fmt: skip

    def _check_settings(self) -> None:
        """Compare the settings with those of finished iterations; of a run without any, start anew."""
        mine = json.loads(to_json(self.spec.as_dict()))  # as it reads back
        there = json.loads(self.config.read_text()) if self.config.exists() else {"experiment": mine}
        other = _differing(there["experiment"], mine, sorted({*mine} - {"iterations", "title"}))
        if other and _has_iterations(self.root):
            raise RunError(self._refusal(there["experiment"], other))
        bfloat16: dict[str, bool] = {}  # by device type
        if other:
            _remove(self.root)
        else:
            with suppress(KeyError, TypeError, ValueError):
                bfloat16 = dict(there.get("bfloat16", {}))
                self.costs = dict(there["cost"]["iterations"])
        bfloat16.setdefault(self.device_type, train.native_bfloat16(self.device_type))
        about = {"title": self.spec.title, "toolkit": __version__, **self.spec.metadata(), "experiment": mine,
                 "bfloat16": bfloat16}  # fmt: skip
        write(self.config, {**about, **self._cost()})

    def _refusal(self, stored: dict[str, Any], other: list[str]) -> str:
        if other == ["seed"]:
            beside = f"--name {self.spec.name}-seed{self.spec.seed}"
            return (f"{self.root} holds a run with another seed, {stored.get('seed')}: give {beside} to put this one "
                    "beside it, or another --out")  # fmt: skip
        return (f"{self.root} holds a run with another {', '.join(other)}: give the same settings to continue it, or "
                "another --name or --out to start anew")  # fmt: skip


def _differing(stored: Mapping[str, Any], mine: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Which settings differ from stored ones; runs that are older than `least_steps` had none."""
    return [name for name in names if stored.get(name) != mine.get(name) and (name != "least_steps" or name in stored)]


def _has_iterations(root: Path) -> bool:
    """Whether an iteration after the data is finished."""
    return any(path.name != "iter_000" for path in root.glob("iter_[0-9][0-9][0-9]"))


def _remove(root: Path) -> None:
    """Delete what a run wrote to its folder before its first iteration was finished."""
    for part in (*root.glob("iter_[0-9][0-9][0-9].partial"), root / "iter_000"):
        shutil.rmtree(part, ignore_errors=True)
    (root / "config.json").unlink(missing_ok=True)


@contextmanager
def _cleaned_up(root: Path, new_out: bool) -> Iterator[None]:
    """After an error before there is any model, leave no trace. new_out: whether this run made the folder of runs."""
    try:
        yield
    except Exception:
        if distributed.rank() == 0 and not _has_iterations(root) and not [*root.glob(f"iter_*/{MODEL}")]:
            with suppress(OSError):  # folders that hold other things stay
                _remove(root)
                root.rmdir()
                if new_out:
                    root.parent.rmdir()
        raise


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the folder of an experiment, so that no other run writes there; the kernel frees it when this process dies.

    Raises RunError if another run holds it, or the folder cannot be made.
    """
    with ExitStack() as stack:
        if distributed.rank() == 0 and os.name == "posix":
            import fcntl

            with _explained(root):
                root.mkdir(parents=True, exist_ok=True)
                handle = os.open(root, os.O_RDONLY)  # the folder itself: no lock file is left behind
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"another process is at work in {root}: wait for it, or choose another --out") from None
            except OSError:
                pass  # some network folders have no locks
        yield


def write(path: Path, content: Any) -> None:
    """Write a file whole or not at all, making its folder. content: bytes, or a JSON value.

    Raises RunError if that fails (disk full, not writable).
    """
    with _explained(path):
        index.write_atomic(path, content if isinstance(content, bytes) else to_json(content))


@contextmanager
def _writing(path: Path) -> Iterator[bool]:
    """True in the process that may write; the others wait. Errors of the disk become a RunError about the path."""
    with distributed.main_process() as main, _explained(path):
        yield main


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another --out, "
            "then run the same command again: every finished iteration is kept"
        ) from error


def to_npy(images: Tensor) -> bytes:
    """A tensor as the bytes of a .npy file."""
    buffer = BytesIO()
    np.save(buffer, images.numpy(), allow_pickle=False)
    return buffer.getvalue()


def from_npy(path: Path) -> Tensor:
    """The inverse of `to_npy`."""
    return torch.from_numpy(np.load(path, allow_pickle=False))


def to_npz(found: Rows) -> bytes:
    """Measures by name, (N,) each, as the bytes of a compressed .npz file: some 40 KB for 1,000 images."""
    buffer = BytesIO()
    np.savez_compressed(buffer, **found)  # type: ignore[arg-type]
    return buffer.getvalue()


def from_npz(path: Path) -> Rows:
    """The inverse of `to_npz`. Raises CheckpointError for any other file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise CheckpointError(f"{path} is not readable ({str(error)[:100]}): measure the run again") from error
    if any(values.ndim != 1 or values.dtype != np.float32 for values in found.values()):
        raise CheckpointError(f"{path} holds other things than rows of measures: measure the run again")
    return found


def machine(device: torch.device) -> str:
    """What computes: "cpu, 2 threads", or the name of a GPU; and how many processes, if there are several."""
    threads = torch.get_num_threads()
    one = f"{device.type}, {threads} thread{'s' * (threads != 1)}"
    one = torch.cuda.get_device_name(device) if device.type == "cuda" else one
    return f"{distributed.world()} processes, each {one}" if distributed.world() > 1 else one


# ---- one trainer for every kind

FEW = 200  # images, under which one sentence says what to expect


@dataclass(kw_only=True)
class Trainer:
    """The training of one experiment into OUT/NAME; each kind of experiment is a subclass (`TRAINERS`).

    spec: its settings; data: what is learned; quiet: without progress bars. Of decoders, kaleidoscopic networks and
    classifiers, iteration 1 is a model of the first seed, iteration 2 one of the next.
    """

    spec: Any
    data: Any
    out: Path
    device: torch.device = CPU
    quiet: bool = False
    run: RunDir = field(init=False, repr=False)

    def __call__(self, iterations: int | None = None) -> Path:
        """Train, measure and store what is not stored yet -> the folder of the experiment.

        iterations: how many; by default as many as the settings say, or one. Nothing is written before the settings and
        the model they ask for are checked.
        Raises RunError or CheckpointError if something cannot be written or read, ValueError for what cannot be
        trained, FloatingPointError if training fails.
        """
        self.check()
        count = self.iterations if iterations is None else iterations
        if count < 1:
            raise ValueError(f"iterations is {count}: give at least 1")
        root, new_out = self.out / self.spec.name, not self.out.exists()
        if not all((root / f"iter_{number:03d}").exists() for number in range(1, count + 1)):
            if not self.quiet and distributed.rank() == 0 and 0 < (self.images or 0) < FEW:
                tqdm.write(f"{self.images} {self.unit}s are few: expect copies and blends of them; from {FEW} on the "
                           "model may draw what is not among them", file=sys.stderr)  # fmt: skip
            self.prepare()
        with locked(root), _cleaned_up(root, new_out):
            self.run = RunDir(self.out, self.spec, self.device)
            with train.precision(self.device.type, self.run.bfloat16):
                self.train(count)
            self.run.conclude(self.summary)
        return root

    @classmethod
    def read(cls, spec: Any, root: Path | None, source: str | Path, **how: Any) -> "Trainer":
        """On the data of a preset, read from `root` or downloaded; models that it needs come from `source`."""
        raise NotImplementedError

    @property
    def iterations(self) -> int:
        """How many, if no other number is asked for."""
        return 1

    @property
    def images(self) -> int | None:
        """How many images are learned; None if none are."""
        return len(self.data)

    @property
    def unit(self) -> str:
        """What the data are, one of them."""
        return "image"

    @property
    def steps(self) -> int:
        """Steps of training of an iteration."""
        return int(self.spec.steps)

    def check(self) -> None:
        """Build what would be trained. Raises ValueError where that or the settings cannot be; writes nothing."""
        self.untrained(0)

    def untrained(self, seed: int) -> Any:
        """A model before its training, for images as those of the data. Raises ValueError for wrong settings."""
        _, channels, size, _ = self.data.shape
        return create(self.spec.architecture, {"channels": channels, "size": size, **self.spec.model}, seed=seed)

    def prepare(self) -> None:
        """Train whatever has to be trained first."""

    def train(self, count: int) -> None:
        """Make iterations 1 to `count`, as far as they are not stored."""
        for number in range(1, count + 1):
            if not self.run.finished(number):
                path = self.run.find(number, MODEL)
                if path is None:
                    with self.stage(number, "training", self.steps, "step") as bar:
                        model, facts = self.learn(number, _on_bar(bar))
                        path = self.run.put_model(number, model, **facts)
                with self.stage(number, "measuring"):
                    files = self.files(number, self.load(path))
                self.finish(number, files)

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        """A trained model, and the facts to store with it. Raises FloatingPointError."""
        seed, losses = int(self.spec.seed) + number - 1, list[float]()
        batches = self.batches(child(seed, "shuffle"))
        model, on_step = self.untrained(child(seed, "init")).to(self.device), _collected(losses, on_step)
        model = fit(model, batches, steps=self.steps, on_step=on_step, decay=linear, seed=child(seed, "fit"))
        epoch = batches.steps_per_epoch
        means = [fmean(losses[at : at + epoch]) for at in range(0, len(losses), epoch)]
        return model, {"seed": seed, "steps": self.steps, "losses": means}

    def batches(self, seed: int) -> Any:
        """Shuffled batches of the data, with `steps_per_epoch`."""
        return Shuffled(self.data, self.spec.batch, seed)

    def files(self, number: int, model: Any) -> Files:
        """What is stored beside a model, which is given as it was stored."""
        raise NotImplementedError

    def finish(self, number: int, files: Files) -> None:
        """Write the files of an iteration, and make it final."""
        for name, content in files.items():
            with self.stage(number, "sheet" if name == SHEET else "measuring"):
                self.run.put(number, name, content)
        self.run.finish(number)

    def summary(self, rows: list[dict[str, Any]]) -> Files:
        """What is stored beside all iterations. rows: their measures."""
        return {}

    def load(self, path: Path) -> Any:
        """A stored model, on the device."""
        return hub.load(path, device=str(self.device))

    @contextmanager
    def stage(self, number: int, name: str, total: int | None = None, unit: str = "") -> "Iterator[tqdm[Any]]":
        """Time a stage of an iteration, under a progress bar; without a total it is a line that lasts as long."""
        shape: dict[str, Any] = {"total": total, "unit": unit} if total else {"bar_format": "{desc}", "leave": False}
        hidden = self.quiet or distributed.rank() > 0
        bar = tqdm(desc=f"{self.spec.name}, iteration {number}: {name}", disable=hidden, dynamic_ncols=True, **shape)
        with self.run.stage(number, name), bar:
            yield bar


def _on_bar(bar: "tqdm[Any]") -> OnStep:
    """A callback that shows the step and its losses on a progress bar."""

    def advance(step: int, losses: dict[str, float]) -> None:
        bar.set_postfix({name: f"{loss:.2f}" for name, loss in losses.items()}, refresh=False)
        bar.update()

    return advance


def _collected(losses: list[float], on_step: OnStep) -> OnStep:
    """The same callback, that also appends the sum of the losses of every step."""

    def collect(step: int, values: dict[str, float]) -> None:
        losses.append(sum(values.values()))
        on_step(step, values)

    return collect


def _has_test_split(name: str) -> bool:
    return "sample:" not in name and "folder:" not in name


# ---- iterated learning

SHEET_IMAGES = 100  # on a sheet, from the noise of seeds 0 to 99 at every iteration, so that sheets can be compared
MEASURED = 1000  # images that the measures of an iteration are taken over
FIRST = (  # settings that the first iteration's model follows from, beside its number of steps
    "seed", "data", "images", "size", "architecture", "model", "batch", "epochs", "least_steps", "first_steps",
    "decay", "half",
)  # fmt: skip


@dataclass(kw_only=True)
class IteratedTrainer(Trainer):
    """A run of iterated learning. The loop runs from its start every time, and reads what is stored already.

    data: uint8, those of the first iteration. first_from: the folder of another run of the same seed, whose first
    iteration's model is taken. Subclasses say what is generated, and what is measured of it.
    """

    spec: presets.IteratedTraining
    first_from: Path | None = None
    shuffled: ClassVar[type[Shuffled]] = Shuffled

    @property
    def iterations(self) -> int:
        return self.spec.iterations

    def check(self) -> None:
        super().check()
        if self.first_from and not (self.out / self.spec.name / "iter_001").exists():
            self._first(self.first_from)

    def train(self, count: int) -> None:
        e, first = self.spec, self.untrained(0)
        if not self.run.finished(0):
            self._store_data()
        if all(self.run.finished(index) for index in range(1, count + 1)):
            return
        fresh, reset = iterated.fresh(self.untrained), iterated.reset(first)
        inherit = {"preserve": iterated.preserve, "reset": reset, "fresh": fresh}[e.inheritance]
        for turn in iterated.iterated_learning(
            first, self.data, learn=self._iterate, teach=self.teach(), inherit=inherit, iterations=count
        ):
            self._close(turn.index, turn.model)

    def teach(self) -> iterated.Teach:
        """How the data of the next iteration are made."""
        select = self.selection()
        generate = iterated.filtered(self._generated, select) if select else self._generated
        add = {"accumulate": iterated.accumulate, "replace": iterated.replace_data}[self.spec.teaching]
        return iterated.subsample(add(generate), self.spec.share, self.spec.seed)

    def selection(self) -> iterated.Select | None:
        """Which of what is generated is learned; None: all."""
        return None

    def summary(self, rows: list[dict[str, Any]]) -> Files:
        return {METRICS: lambda: summary(rows)}

    def planned_steps(self, index: int, images: int) -> int:
        """Steps of training in an iteration whose data are so many images."""
        e, anew = self.spec, index == 1 or self.spec.inheritance != "preserve"
        steps = max(e.epochs * -(-images // self._batch(index)), (e.least_steps or presets.LEAST_STEPS) if anew else 1)
        limit = e.first_steps if anew else e.steps
        return min(steps, limit or steps)

    def _batch(self, index: int) -> int:
        return self.spec.batch if index == 1 else self.spec.later_batch or self.spec.batch

    def _iterate(self, index: int, model: nn.Module, data: Any) -> nn.Module:
        return cast("nn.Module", self.load(self.run.find(index, MODEL) or self._fit(index, model, data)))

    def _batches(self, index: int, data: Any) -> tuple[Any, int]:
        """The batches of an iteration, and how many steps they are learned for."""
        seed = child(self.spec.seed, "shuffle", index)
        return self.shuffled(data, self._batch(index), seed), self.planned_steps(index, len(data))

    def _fit(self, index: int, model: nn.Module, data: Any) -> Path:
        e, (batches, steps) = self.spec, self._batches(index, data)
        if index == 1 and self.first_from:
            model, state = self._first(self.first_from)
            self.run.put(1, STATE, lambda: state)
            return self.run.put_model(1, model, seed=e.seed, steps=steps)
        with self.stage(index, "training", steps, "step") as bar:
            moments, decay = self._optimiser_state(index), DECAY[e.decay]
            model = fit(model, batches, steps=steps, on_step=_on_bar(bar), decay=decay, state=moments)
            self.run.put(index, STATE, lambda: safetensors.torch.save(moments))  # first: a model ends training
            return self.run.put_model(index, model, seed=e.seed, steps=steps)

    def _first(self, source: Path) -> tuple[nn.Module, bytes]:
        """The first iteration's model and optimiser of another run. Raises RunError if it would not be this one's."""
        path, state, config = source / "iter_001" / MODEL, source / "iter_001" / STATE, source / "config.json"
        for file in (config, path, state):
            if not file.is_file():
                raise RunError(f"there is no {file}: give the folder of a run with its first iteration")
        theirs = json.loads(config.read_text())["experiment"]
        if other := _differing(theirs, json.loads(to_json(self.spec.as_dict())), FIRST):
            raise RunError(
                f"{source} began with another {', '.join(other)}: give a run whose first iteration is the same"
            )
        return hub.load(path), state.read_bytes()

    def _optimiser_state(self, index: int) -> OptimiserState:
        """What the optimisers of an iteration start from: those of the one before, or nothing."""
        if index == 1 or self.spec.optimiser == "fresh" or self.spec.inheritance != "preserve":
            return {}
        if path := self.run.find(index - 1, STATE):
            return dict(safetensors.torch.load_file(path))
        raise RunError(
            f"{self.run.folder(index - 1)} has no {STATE}, from which the training goes on: "
            "start the run anew in another --out, or give --set optimiser=fresh to a new one"
        )

    def _store_data(self) -> None:
        """Store iteration 0, the data."""
        raise NotImplementedError

    def _generated(self, index: int, model: nn.Module) -> Tensor:
        """What an iteration generates, uint8: read, or generated and stored."""
        raise NotImplementedError

    def _close(self, index: int, model: nn.Module) -> None:
        """Measure an iteration, and make it final; nothing if it is."""
        raise NotImplementedError


@dataclass(kw_only=True)
class IterationTrainer(IteratedTrainer):
    """A run of iterated learning of images, uint8 (N, C, H, W). reference: those that novelty is measured against."""

    spec: presets.Experiment
    reference: Tensor

    @classmethod
    def read(cls, spec: Any, root: Path | None, source: str | Path, **how: Any) -> "IterationTrainer":
        with distributed.main_process_first():  # it downloads what is missing
            images = datasets.load(spec.data, root=root, split="any").images  # Kuzushiji is there in part
        return prepare(spec, images, **how)

    @property
    def sampling(self) -> samplers.Sampling:
        """How images are generated."""
        return samplers.Sampling.of(self.spec.sampling)

    def check(self) -> None:
        super().check()
        self.selection()

    def untrained(self, seed: int) -> Any:
        """seed: the number of an iteration, 0 for the first model."""
        return super().untrained(child(self.spec.seed, "init", seed)).to(self.device)

    def teach(self) -> iterated.Teach:
        e = self.spec
        return iterated.teacher_samples(self.sampling, e.batch, e.seed) if e.teaching == "lecture" else super().teach()

    def selection(self) -> iterated.Select | None:
        return selection(self.spec.rule, self.data) if self.spec.rule else None

    def _iterate(self, index: int, model: nn.Module, data: Images | iterated.TeacherSamples) -> nn.Module:
        model = super()._iterate(index, model, data)
        if not self.run.find(index, SHEET):  # before data are generated: people may want to pick from it
            with self.stage(index, "sheet"):
                drawn = samplers.to_bytes(self.sampling.sample(model, range(SHEET_IMAGES)))
                self.run.put(index, SHEET, lambda: plot.png(drawn, 10))
        return model

    def _batches(self, index: int, data: Any) -> tuple[Any, int]:
        if isinstance(data, iterated.TeacherSamples):
            return data, self.spec.lecture_steps
        return super()._batches(index, data)

    def _generated(self, index: int, model: nn.Module) -> Tensor:
        """The images that an iteration generates: read, or generated (again) from its checkpoint and stored."""
        if (stored := self.run.find(index, GENERATED)) and self.run.find(index, METRICS):
            return from_npy(stored)
        images = self._generate(index, model, iteration_seeds(self.spec, index))
        with self.stage(index, "sampling"):
            self.run.put(index, GENERATED, lambda: to_npy(images))
        return images

    def _generate(self, index: int, model: nn.Module, seeds: range) -> Tensor:
        """Generate images, and store the measures of the first of them."""
        with self.stage(index, "sampling", len(seeds), "image") as bar:
            found = samplers.generate(model, seeds, self.sampling, on_images=bar.update)
        with self.stage(index, "measuring"):
            passes = None if samplers.generates(model) else found.passes[:MEASURED]
            self.run.put(index, METRICS, lambda: metrics.measure(found.images[:MEASURED], self.reference, passes))
        return found.images

    def _close(self, index: int, model: nn.Module) -> None:
        """Measure an iteration that generated no data set; then make it final."""
        if self.run.finished(index):
            return
        if not self.run.find(index, METRICS):
            self._generate(index, model, iteration_seeds(self.spec, index)[:MEASURED])
        self.finish(index, self._row_files(index, model))

    def _row_files(self, index: int, model: nn.Module | None) -> Files:
        """Every measure of the images of the first seeds, by all processes together; nothing where it is there."""
        if self.run.find(index, ROWS_FILE):
            return {}
        with self.stage(index, "measuring"):
            images, reference = row_images(self.spec, self.reference, model)
        return {ROWS_FILE: lambda: to_npz(row_measures(self.spec, images, reference))}

    def _store_data(self) -> None:
        """Iteration 0 is the data: a sheet of them, and their measures against the rest of the data."""
        known, others = row_images(self.spec, self.reference, None)
        self.finish(0, {
            SHEET: lambda: plot.png(self.data[:SHEET_IMAGES], 10),
            METRICS: lambda: metrics.measure(known, others),
            **self._row_files(0, None),
        })  # fmt: skip


def prepare(experiment: presets.Experiment, images: Tensor, out: Path, **options: Any) -> IterationTrainer:
    """A run on these images, uint8 (N, C, H, W): on a random choice of them if the experiment wants fewer.

    options: device, quiet, first_from.
    """
    generator = torch.Generator().manual_seed(child(experiment.seed, "data"))
    reference = datasets.resized(images[torch.randperm(len(images), generator=generator)], experiment.size)
    data = reference[: experiment.images]
    if experiment.sampling.finish == "tone":
        experiment = replace(experiment, sampling=replace(experiment.sampling, tone=samplers.brightness_curve(data)))
    return IterationTrainer(spec=experiment, data=data, reference=reference, out=Path(out), **options)


def iteration_seeds(e: presets.Experiment, index: int) -> range:
    """Those of the images that an iteration generates.

    From 0, as on the sheet, if a person picks; else others every time, or always the same. The samples of a teacher are
    never stored: what is measured of it has seeds of its own.
    """
    if e.teaching == "lecture":
        start, count = child(e.seed, "measure", index), e.generated
    elif e.rule and e.rule.by == "picks":
        start, count = 0, e.candidates
    else:
        offset = e.candidates * (index - 1) if e.noise == "fresh" else 0
        start, count = child(e.seed, "say") + offset, e.candidates
    return range(start, start + count)


CLASSIFIER = "judge-digits-letters"  # of the shipped checkpoints, unless an experiment names another
OF_DIGITS = ("mnist", "sample:mnist")  # data whose classes a classifier may know by these names


def selection(rule: presets.Filter, data: Tensor) -> iterated.Select:
    """Which generated images a filter keeps. data: those of the first iteration. Raises CheckpointError."""
    if rule.by == "picks":
        return partial(picked, Path(rule.source))
    if rule.by == "novelty":
        return iterated.select_top(partial(metrics.novelty, reference=data), rule.share)
    source = rule.source or CLASSIFIER
    classifier: Any = hub.load(source) if source.endswith(".safetensors") else hub.load(hub.CHECKPOINTS, source)
    return iterated.select_top(lambda images: sample_objectness(probabilities(classifier, images)), rule.share)


def picked(path: Path, index: int, images: Tensor) -> Tensor:
    """The rows of the seeds that a person picked for an iteration, in a text file that they write as they go.

    A line is ITERATION: SEED, SEED, ...; one without an iteration is for all. Raises RunError if there are none.
    """
    rows = set[int]()
    try:
        for line in filter(None, map(str.strip, path.read_text(encoding="utf-8").splitlines())):
            number, _, seeds = line.rpartition(":")
            found = [int(seed) for seed in re.split(r"[,\s]+", seeds.strip()) if seed]
            rows |= {seed for seed in found if seed < len(images)} if int(number or index) == index else set()
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read as picks ({error}): write lines such as 3: 5, 17, 42") from error
    if not rows:
        raise RunError(
            f"{path} has no picks for iteration {index} from 0 to {len(images) - 1}: look at the sheet samples.png in "
            f"the iteration's folder, ten seeds a row, write a line such as {index}: 5, 17, 42 and run this again"
        )
    return torch.tensor(sorted(rows))


def row_images(experiment: presets.Experiment, reference: Tensor, model: nn.Module | None) -> tuple[Tensor, Tensor]:
    """The images that an iteration is measured on, one per seed from 0, uint8, and those they are compared with.

    Without a model, iteration 0: some of the data, and the rest of them.
    """
    if model is None:
        count = min(MEASURED, len(reference) // 2)
        return reference[:count], reference[count:]
    seeds = range(min(MEASURED, experiment.generated))
    return samplers.generate(model, seeds, experiment.sampling).images, reference


def row_measures(experiment: presets.Experiment, images: Tensor, reference: Tensor) -> Rows:
    """Every measure of every image; with the shipped classifier where it knows the data, if it is here."""
    known, classifier = (DIGITS if experiment.data in OF_DIGITS else ()), None
    if known:
        with suppress(CheckpointError):
            classifier = hub.load_classifier(name=CLASSIFIER)
    return rows(images, reference, classifier, known)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows, and for each measure its rank correlation with the iteration (Spearman, iterations 1 and on)."""
    later = [row for row in rows if row["iteration"] > 0]
    iterations = torch.tensor([float(row["iteration"]) for row in later])
    names = sorted(set.intersection(*map(set, later)) - {"iteration"}) if len(later) > 1 else []
    trend = {name: metrics.rank_correlation(iterations, torch.tensor([row[name] for row in later])) for name in names}
    return {"rows": rows, "rank_correlation": trend}


COLUMNS = {  # of the table: title and decimals
    "ink": ("ink", 3), "blank_share": ("blank", 3), "unique_share": ("unique", 3), "diversity": ("diversity", 3),
    "edge_length": ("edge length", 1), "perimetric_complexity": ("perimetric", 2), "compressed_size": ("bytes", 1),
    "components": ("pieces", 2), "holes": ("holes", 2), "novelty_median": ("distance to data", 3),
    "passes": ("passes", 1),
}  # fmt: skip
WORD_COLUMNS = {
    "new_share": ("not in the list", 3), "learned_share": ("learned", 3), "distinct_share": ("distinct", 3),
    "length": ("letters", 2), "distance": ("from the nearest", 2), "bits": ("bits a letter", 2),
    "bigram_entropy": ("bits a pair", 2),
}  # fmt: skip


def table(path: Path) -> str:
    """An experiment's metrics.json as a Markdown table, one line per iteration, and the rank correlations."""
    stored = json.loads(path.read_text())
    columns = WORD_COLUMNS if any("new_share" in row for row in stored["rows"]) else COLUMNS

    def cells(row: Mapping[str, float], places: int | None = None) -> list[str]:
        found = {name: (digits if places is None else places) for name, (_, digits) in columns.items()}
        return [f"{row[name]:.{digits}f}" if name in row else "" for name, digits in found.items()]

    lines = [[str(row["iteration"]), *cells(row)] for row in stored["rows"]]
    trend = ["rank correlation", *cells(stored["rank_correlation"], 2)]
    return plot.markdown_table(["iteration", *(title for title, _ in columns.values())], [*lines, trend], left=0)


# ---- iterated learning of words

WORDS_SHOWN, WORDS_MEASURED = 100, 500  # of an iteration, from seed 0 at every one
TEMPERATURES, WORDS_EACH = (0.4, 0.6, 0.8, 1.0, 1.2, 1.5), 200  # at which so many are measured, when a run is over


@dataclass(kw_only=True)
class WordTrainer(IteratedTrainer):
    """A run of iterated learning of words, or of pieces of running text, whose words are then measured.

    text: all that there is; data: what of it is learned, and unseen: the rest, uint8 (N, L), in a random order.
    """

    spec: presets.WordTraining
    text: text_data.Text
    unseen: Tensor
    shuffled = TextBatches

    @classmethod
    def read(cls, spec: Any, root: Path | None, source: str | Path, **how: Any) -> "WordTrainer":
        text = text_data.load(spec.data)
        generator = torch.Generator().manual_seed(child(spec.seed, "data"))
        codes = text.codes[torch.randperm(len(text), generator=generator)]
        count = len(text) if spec.images is None else spec.images
        return cls(spec=spec, text=text, data=codes[:count], unseen=codes[count:], **how)

    def check(self) -> None:
        super().check()
        if not self.text.vocabulary:
            raise ValueError(f"{self.spec.data} holds no words, which are what is measured: give a text that does")

    @property
    def unit(self) -> str:
        return "word" if self.text.listed else "piece"

    def untrained(self, seed: int) -> Any:
        """seed: the number of an iteration, 0 for the first model."""
        options = {"alphabet": self.text.alphabet, "length": self.text.codes.shape[1], "words": self.text.listed}
        own = child(self.spec.seed, "init", seed)
        return create(self.spec.architecture, {**options, **self.spec.model}, seed=own).to(self.device)

    def selection(self) -> iterated.Select | None:
        return self._invented if self.spec.keep == "invented" and self.text.listed else None

    def _invented(self, index: int, codes: Tensor) -> Tensor:
        """The rows of the words that are not in the list. Raises RunError if there are none."""
        words = decode(codes, self.text.alphabet)
        rows = [row for row, word in enumerate(words) if word and word not in self.known]
        if not rows:
            raise RunError(
                f"all {len(words)} words of iteration {index} are in the list: give a higher temperature, or keep=all"
            )
        return torch.tensor(rows)

    def _generated(self, index: int, model: nn.Module) -> Tensor:
        if stored := self.run.find(index, GENERATED):
            return from_npy(stored)
        e = self.spec
        first = child(e.seed, "say") + (e.generated * (index - 1) if e.noise == "fresh" else 0)
        seeds, parts = range(first, first + e.generated), list[Tensor]()
        with self.stage(index, "sampling", e.generated, self.unit) as bar:
            for at in range(0, len(seeds), hub.AT_ONCE):
                parts.append(self._write(model, seeds[at : at + hub.AT_ONCE], e.temperature))
                bar.update(len(parts[-1]))
            codes = torch.cat(parts)
            self.run.put(index, GENERATED, lambda: to_npy(codes))
        return codes

    @staticmethod
    def _write(model: Any, seeds: Sequence[int], temperature: float) -> Tensor:
        return cast("Tensor", model.write(Noise(seeds), temperature=temperature).cpu())

    def _close(self, index: int, model: nn.Module) -> None:
        if not self.run.finished(index):
            with self.stage(index, "measuring"):
                codes = self._write(model, range(WORDS_MEASURED), self.spec.temperature)
            self.finish(index, self._measured(decode(codes, self.text.alphabet)))

    def _store_data(self) -> None:
        """Iteration 0 is the data: those that are held out."""
        self.finish(0, self._measured(self.held_out))

    def _measured(self, texts: Sequence[str]) -> Files:
        words = self.words_in(texts)
        found = cache(lambda: word_measures.rows(words, self.known, self.ngrams, self.learned))
        return {
            TEXTS: lambda: "".join(f"{text}\n" for text in texts[:WORDS_SHOWN]).encode(),
            METRICS: lambda: word_measures.measure(words, found()) if words else {},
            ROWS_FILE: lambda: to_npz(found()),
        }

    def words_in(self, texts: Sequence[str]) -> list[str]:
        """The words that are measured: texts are words, or have some, of which the first and the last may be cut."""
        if self.text.listed:
            return list(texts)
        return [word for text in texts for word in text_data.WORD.findall(text)[1:-1]][:WORDS_MEASURED]

    @cached_property
    def known(self) -> word_measures.Lexicon:
        """All words that there are."""
        return word_measures.Lexicon(self.text.vocabulary)

    @cached_property
    def learned(self) -> frozenset[str]:
        """The words that the first iteration learns."""
        return frozenset(self._words_of(self.data))

    @cached_property
    def ngrams(self) -> word_measures.NGrams:
        """What words are like, from those learned."""
        return word_measures.NGrams(self._words_of(self.data))

    @cached_property
    def held_out(self) -> list[str]:
        """Words, or pieces, that are not learned; where too few are left, of all."""
        enough = len(self.unseen) >= WORDS_MEASURED
        codes = self.unseen[-WORDS_MEASURED:] if enough else torch.cat([self.data, self.unseen])[:WORDS_MEASURED]
        return decode(codes, self.text.alphabet)

    def _words_of(self, codes: Tensor) -> list[str]:
        texts = decode(codes, self.text.alphabet)
        return texts if self.text.listed else [word for text in texts for word in text_data.WORD.findall(text)]

    def summary(self, rows: list[dict[str, Any]]) -> Files:
        """The measures; and report.json, with those of controls, and of two iterations at other temperatures."""
        return {**super().summary(rows), "report.json": lambda: self._report([row["iteration"] for row in rows])}

    def _report(self, numbers: Sequence[int]) -> dict[str, Any]:
        real = self.words_in(self.held_out)
        controls = {"words that were not learned": real, "their letters shuffled": word_measures.shuffled(real)}
        warmed = []
        for number in sorted({1, numbers[-1]}):
            model = self.load(self.run.folder(number) / MODEL)
            for temperature in TEMPERATURES:
                texts = decode(self._write(model, range(WORDS_EACH), temperature), self.text.alphabet)
                found = self._row(self.words_in(texts))
                warmed.append({"iteration": number, "temperature": temperature, **found})
        return {"controls": {name: self._row(words) for name, words in controls.items()}, "temperatures": warmed}

    def _row(self, words: Sequence[str]) -> dict[str, float]:
        if not words:
            return {}
        return word_measures.measure(words, word_measures.rows(words, self.known, self.ngrams, self.learned))


# ---- families raised by picks


@dataclass(kw_only=True)
class FamilyTrainer(Trainer):
    """A family as a run: its k-th generation is iteration k, and its ancestor's data iteration 0.

    source: where the ancestor is; cache: of members, which are not raised again. A run whose recipe has grown goes on.
    """

    spec: presets.Family
    recipe: raising.Recipe
    source: str | Path = hub.CHECKPOINTS
    cache: raising.Cache = field(default_factory=lambda: raising.Cache(raising.MOST + 2))

    @property
    def iterations(self) -> int:
        return len(self.recipe.generations)

    @property
    def steps(self) -> int:
        return max(generation.steps for generation in self.recipe.generations)

    def check(self) -> None:
        """Raises ValueError for a recipe without generations."""
        if not self.recipe.generations:
            raise ValueError("the recipe has no generations: give one that has")

    def train(self, count: int) -> None:
        if not self.run.finished(0):
            some = self.data[:: max(1, len(self.data) // SHEET_IMAGES)][:SHEET_IMAGES]
            measures = partial(metrics.measure, self.data[::2], self.data[1::2])
            self.finish(0, {SHEET: lambda: plot.png(some, 10), METRICS: measures})
        for number in range(1, count + 1):
            if path := self.run.find(number, MODEL):
                if hub.facts(path).get("key") != self.recipe.key(number):
                    raise RunError(f"{self.run.root} holds another family: give another --name or --out")
                raising.remember(self.recipe, number, self.load(path), self.source, self.cache)
        super().train(count)

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        member = self._member(number, on_step)
        return member.model, raising.facts(self.recipe, number, member)

    def kinship(self) -> str:
        """`raising.kinship` of the last generation, once it is raised."""
        return raising.kinship(self.recipe, self._member(self.iterations).symbols)

    def _member(self, number: int, on_step: OnStep = lambda step, losses: None) -> raising.Member:
        done = 0
        for progress in raising.raise_member(self.recipe, number, self.source, cache=self.cache):
            if progress.number == number and progress.member is None:
                for step in range(done, progress.step):
                    on_step(step, {})
                done = progress.step
        return cast("raising.Member", progress.member)

    def files(self, number: int, model: Any) -> Files:
        drawn = samplers.to_bytes(samplers.Sampling.of(self.spec.sampling).sample(model, range(SHEET_IMAGES)))
        distances = {f"distance_{name}": value for name, value in self._member(number).distances.items()}
        return {
            SHEET: lambda: plot.png(drawn, 10),
            METRICS: lambda: {**metrics.measure(drawn, self.data), **distances},
        }

    def summary(self, rows: list[dict[str, Any]]) -> Files:
        members = [self._member(number) for number in range(len(self.recipe.generations) + 1)]
        poster = plot.to_png(raising.poster(self.recipe, members))
        return {
            METRICS: lambda: summary(rows),
            "recipe.json": self.recipe.showing(members[-1].symbols).as_dict,
            POSTER: lambda: poster,
            "README.md": lambda: raising.card(self.recipe, members, self.spec.name).encode(),
        }


def raise_run(
    recipe: raising.Recipe, out: Path, name: str = "family", *, source: str | Path = hub.CHECKPOINTS, **options: Any
) -> FamilyTrainer:
    """A family as a run in OUT/NAME. options: cache, quiet. Raises CheckpointError for an ancestor that is not here."""
    first = raising.root(recipe.ancestor, source)
    spec = raising.settings(recipe, first, name)
    return FamilyTrainer(spec=spec, data=first.digits, out=out, recipe=recipe, source=source, **options)


def write_family(
    recipe: raising.Recipe, line: Sequence[raising.Member], first: raising.Root, out: Path, name: str = "family"
) -> None:
    """The models of a line of a family, the oldest first, as a run in OUT/NAME without measures, and the index of OUT.

    Beside the models lies the recipe with the sheet of the last generation, and that as a picture. Raises
    CheckpointError or RunError.
    """
    for number, member in enumerate(line, 1):
        path = out / name / f"iter_{number:03d}" / MODEL
        own = {"experiment": name, "iteration": number}
        hub.save(member.model, path, half=True, **own, **raising.facts(recipe, number, member))
    spec = raising.settings(recipe, first, name)
    config = {"title": spec.title, **spec.metadata(), "experiment": spec.as_dict()}
    write(out / name / "config.json", config)
    write(out / name / "recipe.json", recipe.showing(line[-1].symbols).as_dict())
    write(out / name / "preview.png", plot.png(line[-1].symbols, 4, scale=4))
    hub.write_index(out)


# ---- creative decoders

PAIRS = 32  # on the sheet of a decoder: regular and low-active in turn


@dataclass(kw_only=True)
class DecoderTrainer(Trainer):
    """Decoders of codes, and the statistics of their neurons. data, held_out: uint8 (N, C, H, W)."""

    spec: presets.DecoderTraining
    held_out: Tensor

    @classmethod
    def read(cls, spec: Any, root: Path | None, source: str | Path, **how: Any) -> "DecoderTrainer":
        load = partial(datasets.load, spec.data, root=root, size=spec.size, color=spec.color)
        images = load(limit=spec.images).images
        held_out = load(split="test", limit=5000).images if _has_test_split(spec.data) else images
        return cls(spec=spec, data=images, held_out=held_out, **how)

    def check(self) -> None:
        model, width = self.untrained(0), list[int]()
        layer = hidden_layer(model, len(model.hidden))[1]
        with torch.no_grad(), samplers.hooked(layer, lambda before, after: width.append(after.shape[1])):
            model.decode(torch.zeros(2, *model.code_shape))
        if self.how.neurons > width[0]:
            raise ValueError(f"how.neurons is {self.how.neurons}, and the last hidden layer has {width[0]}: give fewer")

    @property
    def how(self) -> samplers.Creative:
        """How the decoder is perturbed, before calibration."""
        return samplers.Creative(**checked("creative decoding", samplers.Creative, self.spec.how))

    def files(self, number: int, model: Any) -> Files:
        statistics, t = self._statistics(model), self.spec
        return {
            STATISTICS: lambda: hub.statistics_bytes(statistics, self.how),
            METRICS: lambda: self._metrics(model, statistics),
            SHEET: lambda: decoder_sheet(hub.Trained(t.name, t.title, t.data, model, statistics, self.how)),
        }

    def _statistics(self, model: Any) -> dict[int, samplers.Statistics]:
        """Of every hidden layer, over the mean codes of all training images; without an encoder, over the prior."""
        source, found = "mean" if hasattr(model, "encode") else "prior", {}
        for layer in range(1, len(model.hidden) + 1):
            z, threshold = samplers.codes(model, self.data, source=source), self._threshold(model, layer, source)
            found[layer] = samplers.activation_statistics(model, z, layer=layer, threshold=threshold)
        return found

    def _threshold(self, model: Any, layer: int, source: str) -> float:
        """Over what a neuron is on: 0 for a unit. The largest of a channel's map is hardly ever 0, hence a quantile."""
        maps, few = list[bool](), samplers.codes(model, self.data[:1000], source=source)
        with samplers.hooked(hidden_layer(model, layer)[1], lambda before, after: maps.append(after.ndim > 2)):
            model.decode(z := next(few))
        return samplers.layer_quantile(model, [z], self.spec.silent, layer=layer) if maps[0] else 0.0

    def _metrics(self, model: Any, statistics: dict[int, samplers.Statistics]) -> dict[str, float]:
        row = {f"dead_{n}": s.dead.double().mean().item() for n, s in statistics.items()}
        for name, images in (("train", self.data), ("test", self.held_out)):
            if hasattr(model, "encode"):
                x = images[:: -(-len(images) // 5000)].to(self.device).float() / 255  # evenly: a joined set is in order
                with torch.no_grad(), torch.random.fork_rng([]):
                    torch.manual_seed(0)
                    row[f"loss_{name}"] = model.loss(x).item()
                row[f"distance_{name}"] = encoder_distance(model, x).mean().item()
        return row


def decoder_sheet(trained: hub.Trained) -> bytes:
    """Pairs of one code as PNG: regular, and low-active beside it."""
    both = hub.decode(trained, range(PAIRS))
    return plot.png(samplers.to_bytes(torch.stack([both.regular, both.images], 1).flatten(0, 1)), columns=16)


# ---- kaleidoscopic networks

WATCHED = 200  # samples
SMOOTH = 50  # steps over which a loss is averaged before it is enough


@dataclass(kw_only=True)
class KaleidoscopeTrainer(Trainer):
    """Kaleidoscopic networks. data: images, uint8 (N, C, H, W), or points, float (N, d, 1, 1).

    Raises ValueError for fewer than two.
    """

    spec: presets.KaleidoscopeTraining

    def __post_init__(self) -> None:
        if len(self.data) < 2:
            raise ValueError(f"{len(self.data)} training image: everything would fall onto it, give two or more")

    @classmethod
    def read(cls, spec: Any, root: Path | None, source: str | Path, **how: Any) -> "KaleidoscopeTrainer":
        return cls(spec=spec, data=kaleidoscope_data(spec, root), **how)

    @property
    def images(self) -> int | None:
        return len(self.data) if self.data.dtype == torch.uint8 else None

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        seed = self.spec.seed + number - 1
        model, losses = train_kaleidoscope(self.spec, self.data, seed, self.device, on_step)
        return model, {"seed": seed, "steps": self.steps, "losses": loss_trace(losses)}

    def files(self, number: int, model: Any) -> Files:
        return {
            METRICS: lambda: kaleidoscope_measures(self.spec, model, self.data),
            SHEET: lambda: kaleidoscope_sheet(hub.of(self.spec, model)),
        }


def kaleidoscope_data(training: presets.KaleidoscopeTraining, root: Path | None = None) -> Tensor:
    """What a preset learns: images, uint8 (N, C, H, W), or points, float (N, d, 1, 1)."""
    t = training
    if t.data == "points":
        return hub.as_images(t.points)
    return datasets.load(t.data, root=root, limit=t.images, size=t.size, color=t.color).images


def train_kaleidoscope(
    training: presets.KaleidoscopeTraining,
    data: Tensor,
    seed: int,
    device: str | torch.device = "cpu",
    on_step: OnStep = lambda step, losses: None,
    until: float = 0.0,
) -> tuple[Manifold, list[float]]:
    """A network trained from a seed, and its loss at every step. until: a mean loss at which training stops early."""
    losses, whole = list[float](), Shuffled(data, training.batch, child(seed, "shuffle"))
    batches: Iterable[Tensor] = whole if data.dtype == torch.uint8 else repeat(data)  # points all at once

    def unfinished() -> Iterator[Tensor]:
        for batch in batches:
            if len(losses) >= SMOOTH and fmean(losses[-SMOOTH:]) <= until:
                return
            yield batch

    model = KaleidoscopeTrainer(spec=training, data=data, out=Path()).untrained(child(seed, "init")).to(device)
    near, steps, on_step = unfinished() if until else batches, training.steps, _collected(losses, on_step)
    return fit(model, near, steps=steps, on_step=on_step, seed=child(seed, "fit")), losses


def loss_trace(losses: list[float]) -> list[list[float]]:
    """[step, loss] at every tenth of the steps and at the end, as published."""
    steps = sorted({*range(0, len(losses), max(1, len(losses) // 10)), len(losses) - 1})
    return [[step, losses[step]] for step in steps]


def kaleidoscope_measures(training: presets.KaleidoscopeTraining, model: Manifold, data: Tensor) -> dict[str, float]:
    """The measures of one network: its loss, what its samples do from run to run, which of its data stay."""
    k = hub.of(training, model)
    few = data[:: -(-len(data) // 1000)]  # evenly
    x = few.float() / 255 if few.dtype == torch.uint8 else few
    with torch.no_grad():
        found = {"loss": model.loss(x.to(next(model.parameters()).device)).item()}
    found["fixed"] = fixed(model, x).double().mean().item()
    if k.points is not None:
        found["attracting"] = attracting(model, k.points).double().mean().item()
    runs = [run for run in probed_runs(k.runs) if run in (1, 5, 10, 30, 100, k.runs)]
    for row in probe_runs(hub.stream(k, range(WATCHED)), runs, kaleidoscope_probe(data)):
        names = ("distance", "still", "distinct") if row["run"] else ("distance",)
        found |= {f"{name}_{row['run']}": float(row[name]) for name in names}
    return found


def kaleidoscope_probe(data: Tensor | None, classifier: Any = None) -> Probe:
    """How samples are compared: those of points, which may lie near each other, more closely than pictures."""
    pictures = data is None or data.shape[-1] > 1
    return Probe(data, classifier) if pictures else Probe(data, classifier, same=0.02, still=1e-3)


ON_POINTS = 10  # samples drawn of a network of points, as published


def kaleidoscope_sheet(k: hub.Kaleidoscope, samples: int = 64) -> bytes:
    """The sheet that is stored with a network, as PNG: of points their landscape; of pictures a sample a column.

    Rows are the start and runs 1, 5, 10, 30 and the last; no gaps.
    """
    if k.points is not None:
        return plot.figure_png(landscape(k, list(islice(hub.stream(k, range(ON_POINTS)), k.runs + 1))))
    runs = [run for run in (0, 1, 5, 10, 30) if run < k.runs] + [k.runs]
    return plot.png(torch.cat(states_at(hub.stream(k, range(samples)), runs)), samples)


def landscape(k: hub.Kaleidoscope, states: Sequence[Tensor], on: plot.Ground | None = None) -> Any:
    """Samples on the manifold of a network of points, as a figure. states: from the start to the present run.

    Of more than two coordinates the first two are shown. on: the `_ground` of a plane, if it is there. Raises
    ValueError for a network of pictures.
    """
    if k.points is None:
        raise ValueError(f"{k.name} learned pictures: it has no landscape to draw, make a sheet")
    run, dimension = len(states) - 1, k.points.shape[1]
    if dimension == 1:
        return plot.profile_figure(line(k.model, 400), k.points, states[0], states[-1], run, k.title)
    if dimension == 2:
        return plot.surface_figure(k.points, states, run, k.title, on or _ground(k))
    return plot.shadow(k.points, states, run, k.title)


def _ground(k: hub.Kaleidoscope) -> plot.Ground:
    """The loss and the basins of attraction of a network of points in a plane."""
    return plot.Ground(*plane(k.model, 61), basins(k.model, cast("Tensor", k.points), 180))


def film_frames(k: hub.Kaleidoscope, states: Iterable[Tensor], every: int = 1) -> "Iterator[Image]":
    """The frames of a film: the start, and the samples after every so many runs."""
    if k.points is None:
        for state in islice(states, 0, None, every):
            yield plot.grid(state.cpu(), scale=4)
        return
    on = _ground(k) if k.points.shape[1] == 2 else None
    seen: list[Tensor] = []
    for number, state in enumerate(states):
        seen.append(state)
        if number % every == 0:
            yield plot.picture(landscape(k, seen, on))


# ---- classifiers

TEST_SHARE = 7  # of a set without a test split, every seventh image is kept for testing
SURE, WRONG = 2, 6  # images of a class on the sheet: the surest that are classified rightly, and below them wrongly
MISTAKES = 12  # confusions that are listed


@dataclass(kw_only=True)
class ClassifierTrainer(Trainer):
    """Classifiers. held_out: the data set that none of them learns, and each is measured on.

    Raises ValueError for images without labels.
    """

    spec: presets.ClassifierTraining
    data: Dataset
    held_out: Dataset

    def __post_init__(self) -> None:
        if self.data.labels is None or self.held_out.labels is None:
            raise ValueError(f"{self.data.name} has no labels: give a data set that has")

    @classmethod
    def read(cls, spec: Any, root: Path | None, source: str | Path, **how: Any) -> "ClassifierTrainer":
        data = datasets.load(spec.data, root=root, limit=spec.images)
        if _has_test_split(spec.data):
            held_out = datasets.load(spec.data, root=root, split="test", limit=spec.images)
        else:
            test = torch.arange(len(data)) % TEST_SHARE == 0
            data, held_out = (
                replace(data, images=data.images[rows], labels=None if data.labels is None else data.labels[rows])
                for rows in (~test, test)
            )
        return cls(spec=replace(spec, typefaces=data.typefaces), data=data, held_out=held_out, **how)

    def check(self) -> None:
        super().check()
        self.batches(0)

    def untrained(self, seed: int) -> Any:
        _, channels, size, _ = self.data.images.shape
        options = {"classes": self.spec.classes, "channels": channels, "size": size, **self.spec.model}
        return create("Judge", options, seed=seed)

    def batches(self, seed: int) -> AugmentedBatches:
        t, images, labels = self.spec, self.data.images, cast("Tensor", self.data.labels)
        if t.each:
            rows = balanced_rows(labels, t.each)
            images, labels = images[rows], labels[rows]
        return AugmentedBatches(LabelledBatches(images, labels, t.classes, t.batch, seed), t.vary)

    def files(self, number: int, model: Any) -> Files:
        labels, p, report = self._report(model)
        row = {name: report[name] for name in ("images", "accuracy")}
        row["accuracy_worst_class"] = min(report["accuracy_by_class"].values())
        return {METRICS: lambda: row, SHEET: lambda: classifier_sheet(self.held_out.images, labels, p)}

    def summary(self, rows: list[dict[str, Any]]) -> Files:
        """The report on every stored classifier: how well it classifies the held-out images."""

        def reports() -> list[dict[str, Any]]:
            models = {row["iteration"]: self.load(self.run.folder(row["iteration"]) / MODEL) for row in rows}
            return [{"iteration": number, **self._report(model)[2]} for number, model in models.items()]

        return {"report.json": lambda: {"held_out": self.held_out.split, "networks": reports()}}

    def _report(self, model: Judge) -> tuple[Tensor, Tensor, dict[str, Any]]:
        labels, p = cast("Tensor", self.held_out.labels), probabilities(model, self.held_out.images)
        return labels, p, confusion_report(labels, p, self.spec.classes)


def confusion_report(labels: Tensor, p: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """The confusion matrix (rows: classes, columns: predictions) as JSON, accuracies, and the commonest mistakes.

    labels: (N,); p: the probabilities of each class, (N, K).
    """
    k = len(classes)
    found = torch.bincount(labels * k + p.argmax(1), minlength=k**2).view(k, k)
    right, whole = found.diagonal(), found.sum(1)
    by_class = {name: r / n for name, r, n in zip(classes, right.tolist(), whole.tolist(), strict=True) if n}
    mistakes = (found - right.diag()).flatten()
    worst = mistakes.sort(descending=True, stable=True).indices[:MISTAKES].tolist()
    return {
        "images": int(whole.sum()),
        "accuracy": (right.sum() / whole.sum()).item(),
        "accuracy_by_class": by_class,
        "mistakes": [
            {"class": classes[row // k], "named": classes[row % k], "images": int(mistakes[row])}
            for row in worst
            if mistakes[row]
        ],
        "confusion": found.tolist(),
    }


def classifier_sheet(images: Tensor, labels: Tensor, p: Tensor) -> bytes:
    """A column per class, as PNG: its surest images that are classified rightly, and below them wrongly.

    images: uint8 (N, C, H, W); labels: (N,); p: (N, K). Where there are too few, cells are black.
    """
    (sure, predicted), blank = p.max(1), torch.zeros_like(images[:1])

    def surest(which: Tensor, count: int) -> Tensor:
        found = images[which][sure[which].sort(descending=True, stable=True).indices[:count]]
        return torch.cat([found, *[blank] * (count - len(found))])

    columns, right = [], predicted == labels
    for label in range(p.shape[1]):
        own = labels == label
        columns.append(torch.cat([surest(own & right, SURE), surest(own & ~right, WRONG)]))
    return plot.png(torch.stack(columns, 1).flatten(0, 1), columns=p.shape[1])


# ---- divergences


@dataclass(kw_only=True)
class DivergenceTrainer(Trainer):
    """Models after some of the steps of a training away from the data: one training makes all iterations.

    given: what it starts from; its model may be an untrained one of the same shape until `base` gives the trained one.
    """

    spec: presets.Divergence
    given: Inputs
    base: Callable[[], nn.Module] | None = None
    data: Tensor | None = None
    found: list[Snapshot] = field(default_factory=list)
    rest: Iterator[Snapshot] | None = None

    @classmethod
    def read(cls, spec: Any, root: Path | None, source: str | Path, **how: Any) -> "DivergenceTrainer":
        """With a base of OUT, or else of SOURCE, or else trained first, on the same data and scale."""
        e, device = spec, str(how["device"])
        classifier = hub.load_classifier(source, e.judge, device=device)
        base, model = None, cast("Any", None)
        folder, made = how["out"] / e.base, e.base in presets.DIVERGENCES
        if not e.base:
            model = new(e).to(device)
        elif (folder / METRICS).exists() or (not made and [*folder.glob("iter_*/model.*")]):
            model = hub.load(how["out"], e.base, e.iteration, device=device)
        elif e.base in index.read_index(source)["experiments"] and not (made and e.scale == "smoke"):
            model = hub.load(source, e.base, e.iteration, device=device)
        else:
            changes: dict[str, Any] = {"data": e.data} if e.data else {}
            first = trainer(presets.preset(e.base, e.scale, **changes), root=root, source=source, **how)
            first.check()
            model = first.untrained(0).to(device)

            def base() -> nn.Module:
                first()
                return hub.load(how["out"], e.base, e.iteration, device=device)

        if not e.data:
            return cls(spec=e, given=Inputs(model, classifier=classifier), base=base, **how)
        data = datasets.load(e.data, root=root, limit=e.images, size=model.image_shape[-1])
        given = Inputs(model, data.images, data.labels, classifier)
        return cls(spec=e, given=given, base=base, data=data.images, **how)

    @property
    def iterations(self) -> int:
        return len(self.spec.kept)

    @property
    def images(self) -> int | None:
        return None if self.data is None else len(self.data)

    @property
    def steps(self) -> int:
        return self.spec.kept[-1]

    def check(self) -> None:
        """The method is asked for the model before any step: it checks all of its settings first."""
        try:
            next(snapshots(replace(self.spec, kept=(0,)), self.given))
        except TypeError as error:
            raise ValueError(f"how is {self.spec.how}: {self.spec.method} has other settings ({error})") from error

    def untrained(self, seed: int) -> Any:
        return self.given.model

    def prepare(self) -> None:
        if self.base:
            self.given, self.base = replace(self.given, model=self.base()), None

    def learn(self, number: int, on_step: OnStep) -> tuple[nn.Module, dict[str, Any]]:
        e, found = self.spec, self._snapshot(number, on_step)
        return found.model, {"step": found.step, "method": e.method, "base": e.base, "seed": e.seed}

    def files(self, number: int, model: Any) -> Files:
        now = replace(self._snapshot(number), model=model)
        first = model if number == 1 else self.load(self.run.folder(1) / MODEL)
        with torch.no_grad():
            drawn = samplers.to_bytes(model.sample(Noise(range(SHEET_IMAGES))))
        return {
            METRICS: lambda: measure_snapshot(self.spec, now, first, self.given.classifier),
            SHEET: lambda: plot.png(drawn, 10),
        }

    def summary(self, rows: list[dict[str, Any]]) -> Files:
        return {METRICS: lambda: {"rows": rows}}

    def _snapshot(self, number: int, on_step: OnStep = lambda step, losses: None) -> Snapshot:
        self.rest = self.rest or snapshots(self.spec, self.given, on_step)
        while len(self.found) < number:
            self.found.append(next(self.rest))
        return self.found[number - 1]


TRAINERS: dict[str, type[Trainer]] = {
    "iterations": IterationTrainer,
    "words": WordTrainer,
    "decoder": DecoderTrainer,
    "kaleidoscope": KaleidoscopeTrainer,
    "judge": ClassifierTrainer,
    "divergence": DivergenceTrainer,
}


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

    root: of data sets; first_from: see `IterationTrainer`; source: where classifiers are, and bases that OUT does not
    have. Raises what `data.load` and `hub.load` do.
    """
    how: dict[str, Any] = {"out": out, "device": torch.device(device), "quiet": quiet}
    if first_from and not issubclass(TRAINERS[spec.kind], IteratedTrainer):
        raise ValueError(f"{spec.name} has no first iteration of another run: leave out --first-from")
    if first_from:
        how["first_from"] = first_from
    return TRAINERS[spec.kind].read(spec, root, source, **how)
