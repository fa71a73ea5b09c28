"""What a run has cost: the seconds of every piece of work that was finished, and what it was done on.

It stands in config.json and nowhere else, so that checkpoints are the same bytes on a slow machine. A piece that was
interrupted counts for nothing; one that is done again counts again.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from .. import processes
from ..presets import Experiment
from ..store import Store, to_json, write


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
        if processes.rank() == 0:
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
    return f"{processes.world()} processes, each {one}" if processes.world() > 1 else one


def _processor(device: torch.device) -> str:
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' * (threads != 1)}"
