"""The whole study on disk: train what is missing, calibrate, measure; every finished part is kept and read again.

OUT/creative/table1.json is its result; the parts lie beside the networks, OUT/NAME/iter_NNN/table1.json.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from .. import __version__, checkpoint, datasets, files
from ..models import Judge, create
from ..models.judge import Lessons
from ..samplers import Creative
from ..seeds import child
from ..store import to_json
from ..train import fit, linear
from . import ablation, maps, table1
from .calibration import calibrated
from .presets import PRESETS, TABLE1, Training, preset
from .report import sheet
from .stored import Trained, load
from .training import calibrate, prepare

REFERENCE = "creative-mnist"  # where the gain is chosen, and other readings are tried
READINGS = len(ablation.VARIANTS) + len(ablation.STATISTICS) + 2  # and two other layers


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    networks: int = 3  # from different seeds
    samples: int = 10_000
    optimised: int = 100  # of them, by descent over the code
    calibration: int = 1000
    ablation: int = 1000
    readings: int = 500  # pictures under each other reading of the paper, on one set
    cells: int = 500  # pictures in a cell of a map
    judge_steps: int = 2000


SIZES = {
    "cpu": Sizes(),
    "smoke": Sizes(
        networks=2, samples=30, optimised=4, calibration=20, ablation=20, readings=10, cells=10, judge_steps=5,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Study:
    """out: the folder of runs. changes: of each preset's settings (`data`, say), by its name."""

    out: Path
    scale: str = "cpu"
    sizes: Sizes = Sizes()
    changes: dict[str, Any] | None = None
    root: Path | None = None
    device: str = "cpu"
    quiet: bool = False

    def __call__(self) -> Path:
        """Do what is not done yet, and return the file of the result. Raises what training and `decode` raise."""
        trainings = {name: preset(name, self.scale, **(self.changes or {}).get(name, {})) for name in TABLE1}
        for name in TABLE1:
            prepare(trainings[name], self.out, root=self.root, device=self.device, quiet=self.quiet)(
                self.sizes.networks
            )
        hows = [self._calibrated(number) for number in self._numbers()]
        for name in TABLE1:
            for number, how in zip(self._numbers(), hows, strict=True):
                calibrate(self.out, name, number, how)
        parts = {name: [self._network(trainings[name], number) for number in self._numbers()] for name in TABLE1}
        path = self.out / "creative" / "table1.json"
        files.write(path, to_json(self._result(parts)))
        for name in TABLE1:
            files.write(path.parent / f"{name}.png", sheet(self._load(name, 1)))
            files.write(path.parent / f"{name}_maps.png", _png(parts[name][0]["maps"], trainings[name].title))
        return path

    def _numbers(self) -> range:
        return range(1, self.sizes.networks + 1)

    def _load(self, name: str, number: int) -> Trained:
        return load(self.out, name, iteration=number, device=self.device)

    def _calibrated(self, number: int) -> Creative:
        """The settings of a seed, the same for all data sets: chosen where the paper's random has 4.21."""
        trained = self._load(REFERENCE, number)
        if trained.how.gain != 1:  # chosen before
            return trained.how
        return calibrated(trained, range(self.sizes.calibration))

    def _network(self, training: Training, number: int) -> dict[str, Any]:
        """All that is measured of one network: read, if it was measured before at these sizes."""
        name = training.name
        path = self.out / name / f"iter_{number:03d}" / "table1.json"
        if path.exists() and (found := json.loads(path.read_text()))["sizes"] == vars(self.sizes):
            return dict(found)
        trained, s = self._load(name, number), self.sizes
        images, labels = _labelled(training, self.root)
        with tqdm(total=2 + READINGS + maps.CELLS, desc=f"{name} {number}", disable=self.quiet) as bar:
            found = {
                "sizes": vars(s),
                "table": _then(bar, lambda: table1.network(trained, s.samples, s.optimised)),
                "two_by_two": _then(bar, lambda: ablation.two_by_two(trained, s.ablation)),
            }
            if name == REFERENCE:
                found["open_points"] = ablation.open_points(trained, images, s.readings, lambda name: bar.update())
            if number == 1:
                judge = self._judge(training.data, images, labels)
                found["maps"] = maps.maps(trained, judge, s.cells, bar.update)
        files.write(path, to_json(found))
        return found

    def _judge(self, data: str, images: torch.Tensor, labels: torch.Tensor) -> Judge:
        """A classifier of the data that the decoder learned from, kept beside it."""
        path = self.out / "creative" / f"judge_{data}.safetensors"
        if not path.exists():
            _, channels, size, _ = images.shape
            names = tuple(map(str, range(int(labels.max()) + 1)))
            options = {"classes": names, "channels": channels, "size": size, "filters": 16, "hidden": 256}
            judge = create("Judge", options, seed=child(0, "judge"))
            judge = fit(judge, Lessons(images, labels, names), steps=self.sizes.judge_steps, decay=linear)
            checkpoint.save(judge, path, data=data, steps=self.sizes.judge_steps)
        loaded = checkpoint.load(path, device=self.device)
        assert isinstance(loaded, Judge)
        return loaded

    def _result(self, parts: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """By data set: the table, and each further part that its networks have, put together."""
        sets = {PRESETS[name].data: rows for name, rows in parts.items()}

        def joined(what: str) -> dict[str, Any]:
            return {
                data: ablation.together([row[what] for row in rows]) for data, rows in sets.items() if what in rows[0]
            }

        return {
            "toolkit": __version__,
            "scale": self.scale,
            "sizes": vars(self.sizes),
            **table1.summary({data: [row["table"] for row in rows] for data, rows in sets.items()}),
            "neurons": {
                data: ablation.together([row["table"]["neurons"] for row in rows]) for data, rows in sets.items()
            },
            "two_by_two": joined("two_by_two"),
            "open_points": joined("open_points"),
            "maps": {data: rows[0]["maps"] for data, rows in sets.items()},
        }


def _then(bar: "tqdm[Any]", work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    found = work()
    bar.update()
    return found


def _labelled(training: Training, root: Path | None) -> tuple[torch.Tensor, torch.Tensor]:
    data = datasets.load(training.data, root=root, limit=training.images)
    if data.labels is None:
        raise ValueError(f"{training.data} has no labels: give a data set that has, for its classifier")
    return data.images, data.labels


def _png(found: dict[str, Any], title: str) -> bytes:
    buffer = BytesIO()
    maps.figure(found, title).savefig(buffer, format="png")
    return buffer.getvalue()


def study(
    out: Path, scale: str = "cpu", *, networks: int | None = None, samples: int | None = None, **options: Any
) -> Study:
    """The study at a scale, with another number of networks or samples if given."""
    given = {name: value for name, value in (("networks", networks), ("samples", samples)) if value is not None}
    return Study(out, scale, replace(SIZES[scale], **given), **options)
