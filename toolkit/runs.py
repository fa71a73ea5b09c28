"""A run on disk: resumable, atomic, timed; its sheets, measures and models, whole or thinned.

OUT/index.json, OUT/NAME/config.json, OUT/NAME/metrics.json,
OUT/NAME/iter_007/{model.safetensors, samples.png, metrics.json, said.npy}; unfinished: OUT/NAME/iter_007.partial/
Of several processes the first writes and all read; none reads while it writes.

It stands in config.json and nowhere else, so that checkpoints are the same bytes on a slow machine. A piece that was
interrupted counts for nothing; one that is done again counts again.

The loop of `iterated_learning` runs from its start every time; what an earlier run has stored is read instead of made.
What is stored is what teaches: a model is loaded back from its checkpoint before it says anything, so that the images
it says are a function of the checkpoint and the seeds, and can be made again from the checkpoints alone. Several
processes run the same loop; the first writes, the others wait for it (`Store`).

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
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol
from zipfile import BadZipFile

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, cdist, nn
from torch.nn.functional import interpolate
from tqdm import tqdm

from . import __version__, distributed, hub, index, metrics, plot
from .index import CheckpointError, write_whole
from .iterated import (
    Inherit,
    Keep,
    Lectures,
    Say,
    Teach,
    accumulate,
    best,
    filtered,
    fresh,
    iterated_learning,
    keep_share,
    lecture,
    preserve,
    reset,
    say_only,
)
from .metrics.rows import Rows, rows
from .models import Judge, create
from .models.classifier import DIGITS
from .plot import tiles
from .presets import Experiment, Filter
from .samplers import Hallucination, generates, hallucinate, to_bytes, tone_curve
from .seeds import child
from .train import DECAY, Images, OptimiserState, Shuffled, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


class RunError(RuntimeError):
    """A run cannot start or go on; the message says why and what would do."""


class Kept(Protocol):
    """What a store asks of an experiment."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def half(self) -> bool: ...

    def as_dict(self) -> dict[str, Any]: ...

    def says(self) -> dict[str, Any]:
        """What its config.json says beside its title and settings."""
        ...


class Store:
    """Where one experiment keeps its iterations. `draft` folders become final by one rename."""

    def __init__(self, out: Path, experiment: Kept) -> None:
        """Raises RunError if OUT holds a run of the same name with other settings, or cannot be written."""
        self.out = out
        self.root = out / experiment.name
        self.experiment = experiment
        with distributed.one_writes() as mine, _said_plainly(self.root):
            if mine:
                self.root.mkdir(parents=True, exist_ok=True)
                self._agree(experiment)

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
        path = self.draft(index) / "model.safetensors"
        with distributed.one_writes() as mine, _said_plainly(path):
            if mine:
                path.parent.mkdir(parents=True, exist_ok=True)
                hub.save(model, path, half=self.experiment.half, **facts)
        return path

    def put(self, index: int, name: str, content: Callable[[], bytes]) -> None:
        """Write a file into the iteration's draft, whole or not at all; nothing if the iteration is finished.

        The content is made where it is written, in the first process; the others wait.
        """
        with distributed.one_writes() as mine:
            if mine and not self.finished(index):
                write(self.draft(index) / name, content())

    def discard(self, index: int, name: str) -> None:
        """Delete a file of an iteration, if it is there."""
        with distributed.one_writes() as mine, _said_plainly(self.folder(index)):
            if mine:
                (self.folder(index) / name).unlink(missing_ok=True)

    def finish(self, index: int) -> None:
        """Make the draft final, and bring the index up to date."""
        with distributed.one_writes() as mine, _said_plainly(self.root):
            if mine:
                if not self.finished(index):
                    os.replace(self.draft(index), self.folder(index))
                hub.write_index(self.out)

    def conclude(self, summary: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> None:
        """Write the summary of all rows, and bring the index up to date."""
        with distributed.one_writes() as mine:
            if mine:
                write(self.root / "metrics.json", to_json(summary(self.rows())))
                hub.write_index(self.out)

    def rows(self) -> list[dict[str, Any]]:
        """The measures of every finished iteration, in order."""
        files = sorted(self.root.glob("iter_[0-9][0-9][0-9]/metrics.json"))
        return [{"iteration": int(file.parent.name[5:]), **json.loads(file.read_text())} for file in files]

    def _agree(self, experiment: Kept) -> None:
        mine = json.loads(to_json(experiment.as_dict()))  # as it reads back: lists, no tuples
        config = self.root / "config.json"
        if config.exists():
            stored = json.loads(config.read_text())["experiment"]
            if other := sorted(k for k in mine if k != "iterations" and stored.get(k) != mine[k]):
                raise RunError(
                    f"{self.root} holds a run with another {', '.join(other)}: "
                    "give the same settings to continue it, or another --out to start anew"
                )
        write(config, to_json({
            "title": experiment.title, "toolkit": __version__, **experiment.says(), "experiment": mine,
        }))  # fmt: skip


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
        index.write_whole(path, content)


def to_json(value: object) -> bytes:
    """Sorted, indented JSON that ends in a newline."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


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


def each_network(
    out: Path,
    experiment: Kept,
    networks: int,
    train: Callable[[Store, int], object],
    conclude: Callable[[Store], object] = lambda store: None,
) -> Path:
    """Trainings of one experiment from different seeds, numbered from 1: those that are not stored yet. -> its folder.

    train(store, number) puts all there is of one into its draft; conclude(store) comes before the index is written.
    Raises RunError or CheckpointError if something cannot be written or read, and what training raises.
    """
    with locked(out / experiment.name):
        store = Store(out, experiment)
        for number in range(1, networks + 1):
            if not store.finished(number):
                train(store, number)
                store.finish(number)
        conclude(store)
        hub.write_index(out)
    return store.root


@dataclass
class Cost:
    """The costs of one experiment, in its config.json.

    iterations: of each, by its number, the seconds of its pieces, and "on", the machine that did the last of them.
    """

    config: Path
    on: str = ""
    iterations: dict[str, dict[str, Any]] = field(default_factory=dict)

    @staticmethod
    def of(root: Path, device: torch.device) -> "Cost":
        """Whatever an experiment has cost so far; nothing if its config.json says nothing, or cannot be read."""
        config = root / "config.json"
        try:
            iterations = dict(json.loads(config.read_text())["cost"]["iterations"])
        except (OSError, ValueError, KeyError, TypeError):
            iterations = {}
        return Cost(config, machine(device), iterations)

    @contextmanager
    def piece(self, index: int, name: str) -> Iterator[None]:
        """Work on a piece of an iteration: its seconds count once it is done."""
        start = perf_counter()
        yield
        entry = self.iterations.setdefault(str(index), {})
        entry[name] = round(entry.get(name, 0.0) + perf_counter() - start, 2)
        entry["on"] = self.on
        if distributed.rank() == 0:
            write(self.config, to_json({**json.loads(self.config.read_text()), "cost": self.as_dict()}))

    def as_dict(self) -> dict[str, Any]:
        """The sum of all seconds, and what they were spent on."""
        pieces = [seconds for entry in self.iterations.values() for name, seconds in entry.items() if name != "on"]
        return {"seconds": round(sum(pieces), 2), "iterations": self.iterations}


@dataclass(frozen=True)
class _Costed:
    """An experiment as a store keeps it, whose config.json goes on saying what it has cost."""

    experiment: Experiment
    cost: Cost

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def title(self) -> str:
        return self.experiment.title

    @property
    def half(self) -> bool:
        return self.experiment.half

    def as_dict(self) -> dict[str, Any]:
        return self.experiment.as_dict()

    def says(self) -> dict[str, Any]:
        return {**self.experiment.says(), **({"cost": self.cost.as_dict()} if self.cost.iterations else {})}


class TimedStore(Store):
    """A store that writes down how long the work took whose results it keeps."""

    def __init__(self, out: Path, experiment: Experiment, device: torch.device) -> None:
        """Raises RunError as `Store` does."""
        self._cost = Cost.of(out / experiment.name, device)
        super().__init__(out, _Costed(experiment, self._cost))

    def piece(self, index: int, name: str) -> AbstractContextManager[None]:
        """Work on a piece of an iteration, up to and with the storing of it."""
        return self._cost.piece(index, name)


def machine(device: torch.device) -> str:
    """What computes: "cpu, 2 threads", or the name of a GPU; and how many processes, if there are several."""
    one = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(device)
    return f"{distributed.world()} processes, each {one}" if distributed.world() > 1 else one


def _processor(device: torch.device) -> str:
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' * (threads != 1)}"


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
        put(store, index, self.experiment, self.reference, model)
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
        put(store, 0, self.experiment, self.reference)
        store.finish(0)

    def _bar(self, what: str, total: int, unit: str) -> "tqdm[Any]":
        return tqdm(total=total, desc=what, unit=unit, disable=self.quiet or distributed.rank() > 0, dynamic_ncols=True)


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


JUDGE = "judge-digits-letters"  # of the shipped checkpoints, unless the experiment names another


def chosen(say: Say, experiment: Experiment, data: Tensor) -> Say:
    """What is said, as the experiment's filter leaves it; `say` itself without one. data: what the first learner heard.

    Raises CheckpointError for a judge that is not there, RunError for picks that are not.
    """
    return filtered(say, _keep(experiment.rule, data)) if experiment.rule else say


def _keep(rule: Filter, data: Tensor) -> Keep:
    if rule.by == "picks":
        return partial(picked, Path(rule.source))
    if rule.by == "novelty":
        return best(partial(metrics.novelty, reference=data), rule.share)
    return best(partial(objectness, _judge(rule.source or JUDGE)), rule.share)


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
    lines = [head, ["---:"] * len(head), *rows, trend]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: dict[str, float], name: str, column: tuple[str, int]) -> str:
    return f"{row[name]:.{column[1]}f}" if name in row else ""


ROWS_FILE = "rows.npz"
ROWS_SEEDS = 1000
CLASSIFIER = "judge-digits-letters"
OF_DIGITS = ("mnist", "sample:mnist")  # data whose classes a classifier may know by these names


def put(
    store: TimedStore, index: int, experiment: Experiment, reference: Tensor, model: nn.Module | None = None
) -> None:
    """Measure the images of an iteration into its draft. model: of the iteration; without one the data are measured.

    Several processes call this together. Nothing happens where the rows are there.
    """
    if store.find(index, ROWS_FILE):
        return
    with store.piece(index, "measuring"):
        images, others = images_of(experiment, reference, model)
        store.put(index, ROWS_FILE, lambda: to_npz(measured(experiment, images, others)))


def images_of(experiment: Experiment, reference: Tensor, model: nn.Module | None) -> tuple[Tensor, Tensor]:
    """The images that an iteration is measured on, uint8, and those that they are measured against."""
    if model is None:
        count = min(ROWS_SEEDS, len(reference) // 2)
        return reference[:count], reference[count:]
    return hallucinate(model, range(min(ROWS_SEEDS, experiment.generated)), experiment.sampling).images, reference


def measured(experiment: Experiment, images: Tensor, reference: Tensor) -> Rows:
    """The rows of these images; with the shipped classifier where it knows the data, if it is here."""
    known = DIGITS if experiment.data in OF_DIGITS else ()
    return rows(images, reference, _classifier() if known else None, known)


def _classifier() -> Judge | None:
    try:
        return hub.load_judge(name=CLASSIFIER)
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


if TYPE_CHECKING:
    import numpy as np

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
    cells = {number: _cells(path) for number, path in sheets(folder).items() if number}
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


def _cells(sheet: Path) -> Tensor:
    return on_sheet(sheet).double().flatten(1)


def _opened(path: Path) -> "Image":
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        return picture


WORK = ("*.partial", "*.part", "*.npy", "*.safetensors")  # what only the training needs; models are added again


def thin(run: Path, out: Path, keep: Collection[int], *, data: bool = True) -> Path:
    """Copy a run to OUT/NAME: sheets and measures of all iterations, models of some; whole or not at all.

    keep: the iterations whose models go with it. data: whether pictures of the data do, those of iteration 0; some data
    may be learned from and not be shown. Raises FileNotFoundError for what is no run or lacks an iteration to keep,
    FileExistsError if there is one of its name.
    """
    models = {number: run / f"iter_{number:03d}" / "model.safetensors" for number in sorted(keep)}
    if missing := [path for path in (run / "config.json", *models.values()) if not path.is_file()]:
        raise FileNotFoundError(f"there is no {missing[0]}: give the folder of a run, and iterations that it has")
    if (target := out / run.name).exists():
        raise FileExistsError(f"{target} is there already: remove it first")
    out.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{run.name}.", dir=out))
    try:
        shutil.copytree(run, part, ignore=shutil.ignore_patterns(*WORK), dirs_exist_ok=True)
        for path in models.values():
            shutil.copy(path, part / path.parent.name)
        if not data:
            for picture in (part / "iter_000" / "samples.png", part / "map.png"):
                picture.unlink(missing_ok=True)
        write_whole(part / "contact.png", contact(part))
        part.chmod(0o755)  # mkdtemp keeps it to its owner
        return part.rename(target)
    except BaseException:
        shutil.rmtree(part)
        raise
