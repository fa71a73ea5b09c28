"""The study of kaleidoscopic runs on disk: train what is missing, measure; every part is kept and read again.

OUT/kaleidoscope/study.json is its result, with figures beside it; OUT/kaleidoscope/parts/ holds what it is made of.
The networks that are shown lie in OUT/kaleidoscope-mnist, -1d, -1d-four and -2d, as `train` makes them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from torch import Tensor
from tqdm import tqdm

from .. import __version__, checkpoint, datasets, files
from ..datasets import Dataset
from ..models import Judge, create
from ..models.judge import Lessons
from ..seeds import child
from ..store import to_json
from ..train import fit, linear
from . import gallery, spots, sweeps, verdict
from .gallery import LANDSCAPES, SHOWN
from .presets import Training, preset
from .sizes import SIZES, SWEEPS, Sizes
from .stored import load
from .sweeps import label
from .training import prepare


@dataclass(frozen=True)
class Study:
    """out: the folder of runs. data: another data set than that of the presets, with labels."""

    out: Path
    scale: str = "cpu"
    sizes: Sizes = SIZES["cpu"]
    data: str | None = None
    root: Path | None = None
    device: str = "cpu"
    quiet: bool = False

    def __call__(self) -> Path:
        """Do what is not done yet, and return the file of the result. Raises what training raises."""
        for name in (*LANDSCAPES, SHOWN):
            training = preset(name, self.scale, **(self.changes if name == SHOWN else {}))
            prepare(training, self.out, root=self.root, device=self.device, quiet=self.quiet)()
        shown = self._kept("shown", {"sizes": vars(self.sizes)}, self._shown)
        swept = self._swept()
        result = {
            "toolkit": __version__,
            "scale": self.scale,
            "sizes": vars(self.sizes),
            "shown": shown,
            **self._sweeps(swept),
            "line": self._points(
                "line", [(depth,) for depth in self.sizes.point_depth], spots.on_a_line
            ),
            "cube": self._points(
                "cube", [(d, n) for d in self.sizes.dimensions for n in self.sizes.counts], spots.scattered_points
            ),
        }  # fmt: skip
        path = self.folder / "study.json"
        files.write(path, to_json(result))
        for name, content in gallery.pictures(self.out, result, self._whole, self.judge).items():
            files.write(self.folder / name, content)
        return path

    @property
    def folder(self) -> Path:
        return self.out / "kaleidoscope"

    @property
    def changes(self) -> dict[str, Any]:
        return {"data": self.data} if self.data else {}

    def _swept(self) -> dict[str, list[dict[str, Any]]]:
        """The parts of every sweep; a setting that is in several is one part per seed."""
        grid = sweeps.settings(self.sizes, self.scale, **self.changes)
        base = _name(preset(sweeps.BASE, self.scale, **self.changes))
        wanted = {_name(t, self._until(sweep)): (t, self._until(sweep)) for sweep, each in grid.items() for t in each}
        found: dict[str, list[dict[str, Any]]] = {}
        with tqdm(total=len(wanted) * self.sizes.seeds, desc="sweeps", unit="network", disable=self.quiet) as bar:
            for name, (training, until) in wanted.items():
                found[name] = []
                for seed in range(self.sizes.seeds):
                    found[name].append(self._part(training, seed, until, name == base))
                    bar.update()
        parts = {s: [part for t in each for part in found[_name(t, self._until(s))]] for s, each in grid.items()}
        return parts | {"base": found[base]}

    def _until(self, sweep: str) -> float:
        return self.sizes.until if sweep == "equal" else 0.0

    def _part(self, training: Training, seed: int, until: float, base: bool) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            data = self._read(limit=training.images).images
            unseen, device = self.unseen(data), self.device
            return sweeps.part(training, data, unseen, self.judge, seed, self.sizes, device, base, until)

        s = self.sizes
        asked = {"training": training.as_dict(), "until": until, "samples": s.samples, "runs": s.runs}
        return self._kept(f"{_name(training, until)}_seed{seed}", {**asked, "judge": s.judge_steps}, make)

    def _sweeps(self, parts: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        base = parts.pop("base")
        trends = {sweep: verdict.trends(parts[sweep], what) for sweep, what in SWEEPS.items()}
        return {
            "sweeps": {sweep: verdict.table(parts[sweep], what) for sweep, what in SWEEPS.items()},
            "trends": trends,
            "perturbations": verdict.stirred(base),
            "verdicts": verdict.verdicts(base, trends),
        }

    def _shown(self) -> dict[str, Any]:
        """The network that is shown: its own rows under every perturbation."""
        images = self._whole.images
        k = load(self.out, SHOWN, device=self.device)
        return sweeps.measured(k, images, self.unseen(images), self.judge, self.sizes, perturbations=True)

    def _points(
        self, what: str, places: Sequence[tuple[int, ...]], make: Callable[..., dict[str, Any]]
    ) -> list[dict[str, Any]]:
        s, found = self.sizes, []
        for place in tqdm(places, desc=f"points: {what}", disable=self.quiet):
            asked = {"scale": self.scale, "seeds": s.point_seeds if what == "line" else s.seeds}
            name = "_".join([what, *map(str, place)])
            found.append(self._kept(name, asked, lambda place=place: make(*place, s, self.scale)))  # type: ignore[misc]
        return found

    def _kept(self, name: str, asked: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A part: read, if it was made before as it is asked for; else made and written."""
        path = self.folder / "parts" / f"{name}.json"
        asked = json.loads(to_json({**asked, "data": self.data}))
        if path.exists() and (found := json.loads(path.read_text()))["asked"] == asked:
            return dict(found["part"])
        files.write(path, to_json({"asked": asked, "part": make()}))
        return dict(json.loads(path.read_text())["part"])

    @cached_property
    def _whole(self) -> Dataset:
        """What the network that is shown learned."""
        return self._read(limit=preset(SHOWN, self.scale, **self.changes).images)

    def unseen(self, data: Tensor) -> Tensor:
        """Real images that were not learned, as many as there are samples; of a set without parts, others of it."""
        few = self.sizes.samples
        if ":" not in self._name_of_data:
            return self._read(split="test", limit=few).images
        whole = self._read().images
        return whole[1 :: max(1, len(whole) // few)][:few]

    @cached_property
    def judge(self) -> Judge:
        """A classifier of the data, kept beside the parts."""
        steps = self.sizes.judge_steps
        path = self.folder / f"judge_{self._name_of_data.replace(':', '-')}_{steps}.safetensors"
        if not path.exists():
            data = self._read()
            if data.labels is None:
                raise ValueError(f"{data.name} has no labels: give a data set that has, for its classifier")
            names = tuple(map(str, range(int(data.labels.max()) + 1)))
            options = {"classes": names, "filters": 16, "hidden": 256}
            judge = create("Judge", options, seed=child(0, "judge")).to(self.device)
            judge = fit(judge, Lessons(data.images, data.labels, names), steps=steps, decay=linear)
            checkpoint.save(judge, path, data=data.name, steps=steps)
        return cast("Judge", checkpoint.load(path, device=self.device))

    @property
    def _name_of_data(self) -> str:
        return self.data or preset(SHOWN).data

    def _read(self, **options: Any) -> Dataset:
        return datasets.load(self._name_of_data, root=self.root, **options)


def _name(training: Training, until: float = 0.0) -> str:
    name = "_".join(f"{setting}{value}" for setting, value in label(training).items())
    return f"{name}_until{until}" if until else name


def study(out: Path, scale: str = "cpu", *, seeds: int | None = None, **options: Any) -> Study:
    """The study at a scale, with another number of networks per setting if given. options: of Study."""
    sizes = SIZES[scale]
    if seeds is not None and seeds < 1:
        raise ValueError(f"{seeds} networks per setting: give at least one, two or more for an interval")
    return Study(out, scale, replace(sizes, seeds=seeds or sizes.seeds), **options)
