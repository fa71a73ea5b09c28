"""Where a run keeps its iterations: one folder each, every file written whole or not at all, final by one rename.

OUT/index.json, OUT/NAME/config.json, OUT/NAME/metrics.json,
OUT/NAME/iter_007/{model.safetensors, samples.png, metrics.json, said.npy}; unfinished: OUT/NAME/iter_007.partial/
Of several processes the first writes and all read; none reads while it writes.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from . import __version__, files, hub, processes


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
        with processes.one_writes() as mine, _said_plainly(self.root):
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
        with processes.one_writes() as mine, _said_plainly(path):
            if mine:
                path.parent.mkdir(parents=True, exist_ok=True)
                hub.save(model, path, half=self.experiment.half, **facts)
        return path

    def put(self, index: int, name: str, content: Callable[[], bytes]) -> None:
        """Write a file into the iteration's draft, whole or not at all; nothing if the iteration is finished.

        The content is made where it is written, in the first process; the others wait.
        """
        with processes.one_writes() as mine:
            if mine and not self.finished(index):
                write(self.draft(index) / name, content())

    def discard(self, index: int, name: str) -> None:
        """Delete a file of an iteration, if it is there."""
        with processes.one_writes() as mine, _said_plainly(self.folder(index)):
            if mine:
                (self.folder(index) / name).unlink(missing_ok=True)

    def finish(self, index: int) -> None:
        """Make the draft final, and bring the index up to date."""
        with processes.one_writes() as mine, _said_plainly(self.root):
            if mine:
                if not self.finished(index):
                    os.replace(self.draft(index), self.folder(index))
                hub.write_index(self.out)

    def conclude(self, summary: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> None:
        """Write the summary of all rows, and bring the index up to date."""
        with processes.one_writes() as mine:
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
    if processes.rank() == 0 and os.name == "posix":
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
        files.write(path, content)


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
