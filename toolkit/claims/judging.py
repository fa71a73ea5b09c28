"""A stored run before a judge: every measure that needs one, iteration by iteration; resumable, and always the same.

RUN/judged.json is {"judge", "sha256", "images", "known", "controls": {NAME: {MEASURE: ...}}, "rows": [{"iteration",
MEASURE: ...}, ...]}. Iteration 0 is the data. The measures are those of `metrics.JUDGED`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import datasets, hub, judges, metrics, runs, tree
from ..header import strict_json
from ..metrics.judged import features
from ..metrics.pixels import resized
from ..models import Judge
from ..models.judge import DIGITS
from ..presets import Experiment
from ..runs import rows
from ..runs.rows import OF_DIGITS
from ..samplers import hallucinate
from ..seeds import child
from ..store import from_npy, to_json, write
from .subjects import Subjects, subjects

FILE = "judged.json"
IMAGES = 1000  # of each iteration, as many as its other measures are taken over


@dataclass(frozen=True)
class Bench:
    """A judge, and by which bytes it is known. letters: a control, uint8 (N, 1, H, W); root: of data sets."""

    judge: Judge
    name: str
    sha256: str
    images: int = IMAGES
    letters: Tensor | None = None
    root: Path | None = None

    def __post_init__(self) -> None:
        if self.images < 6:
            raise ValueError(f"images is {self.images}: give 6 or more, or no two sets can be compared")


def bench(name: str, source: str | Path = tree.CHECKPOINTS, *, device: str = "cpu", **options: Any) -> Bench:
    """A bench with a judge of a tree of checkpoints. options: images, letters, root. Raises CheckpointError."""
    judge = judges.load(source, name, device=device)
    entries = tree.read_index(source)["experiments"][name]["iterations"]
    digest = min((entry["iteration"], entry["sha256"]) for entry in entries if "file" in entry)[1]
    return Bench(judge, name, digest, **options)


def judge(folder: Path, by: Bench, on_row: Callable[[str], object] = lambda what: None) -> Path:
    """Put all iterations of a run before a judge that have images or a model; those that were are kept. -> judged.json

    folder: of the run. on_row hears what comes next. Raises ValueError for what is no run of iterations, or has another
    kind of images than the judge knows, and what `subjects` raises.
    """
    experiment = stored(folder)
    classes = set(by.judge.config.classes)
    known = [name for name in DIGITS if name in classes] if experiment.data in OF_DIGITS else []
    facts = {"judge": by.name, "sha256": by.sha256, "images": by.images, "known": known}
    path = folder / FILE
    found = _kept(path, facts)
    left = _left(folder, experiment, found)
    if not left and found["controls"] and ("letters" in found["controls"] or by.letters is None):
        return path
    them = subjects(experiment, by.images, root=by.root, letters=by.letters)
    measured = _measures(by, them, known)
    for name, images in them.controls.items():
        if name not in found["controls"]:
            on_row(name)
            found["controls"][name] = measured(images)
            write(path, to_json(found))
    for index in left:
        on_row(f"iteration {index}")
        images = _said(folder, experiment, index, by) if index else them.training[: by.images]
        row = {"iteration": index, **measured(images)}
        found["rows"] = sorted([*found["rows"], row], key=lambda row: row["iteration"])
        write(path, to_json(found))
    return path


def stored(folder: Path) -> Experiment:
    """The experiment that a folder holds a run of. Raises ValueError for any other folder."""
    try:
        config = strict_json((folder / "config.json").read_bytes())
        if config.get("kind", "iterations") != "iterations":
            raise ValueError(f"it is a {config['kind']}")
        return Experiment.from_dict(config["experiment"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder} holds no run of iterations ({error}): give the folder of one, such as checkpoints/fig2"
        ) from error


def measure_rows(
    folder: Path, *, root: Path | None = None, device: str = "cpu", on_row: Callable[[str], object] = lambda what: None
) -> list[Path]:
    """Write rows.npz (`runs.rows`) of every iteration of a stored run that has none and can have: those with a model.

    The images of the seeds are made again. The data count as iteration 0. Raises ValueError for what is no run of
    iterations, and what `datasets.load` raises.
    """
    experiment = stored(folder)
    run = runs.prepare(experiment, datasets.load(experiment.data, root=root, split="any").images, Path())
    written = []
    for index in range(experiment.iterations + 1):
        path, model = folder / f"iter_{index:03d}" / rows.FILE, folder / f"iter_{index:03d}" / "model.safetensors"
        if path.exists() or not (path.parent.exists() if index == 0 else model.exists()):
            continue
        on_row(f"iteration {index}")
        of = rows.images_of(run.experiment, run.reference, hub.load(model, device=device) if index else None)
        write(path, rows.to_npz(rows.measured(run.experiment, *of)))
        written.append(path)
    return written


def seeds(e: Experiment, index: int, count: int) -> range:
    """Those of the first images that an iteration said; the images follow from them and the checkpoint (`runs`)."""
    if e.teaching == "lecture":
        start = child(e.seed, "measure", index)
    elif e.rule and e.rule.by == "picks":
        start = 0
    else:
        start = child(e.seed, "say") + (e.said * (index - 1) if e.noise == "fresh" else 0)
    return range(start, start + min(count, e.said))


def _left(folder: Path, e: Experiment, found: dict[str, Any]) -> list[int]:
    """The iterations that are not judged yet, of those that can be."""
    done = {row["iteration"] for row in found["rows"]}
    return [at for at in range(e.iterations + 1) if at not in done and (at == 0 or _source(folder, at))]


def _said(folder: Path, e: Experiment, index: int, by: Bench) -> Tensor:
    """The first images of an iteration, uint8: those stored, or the same again from its checkpoint."""
    source = _source(folder, index)
    if source is None:
        raise ValueError(f"{folder} has no images and no model of iteration {index}: fetch the folder again")
    if source.suffix == ".npy":
        return from_npy(source)[: by.images]
    model = hub.load(source, device=str(next(by.judge.parameters()).device))
    return hallucinate(model, seeds(e, index, by.images), e.sampling).images


def _source(folder: Path, index: int) -> Path | None:
    paths = [folder / f"iter_{index:03d}" / name for name in ("said.npy", "model.safetensors")]
    return next((path for path in paths if path.exists()), None)


def _measures(by: Bench, them: Subjects, known: list[str]) -> Callable[[Tensor], dict[str, float]]:
    """Images of any size -> their row. The distances to what was learned are taken at the judge's size too."""
    size = by.judge.image_shape[-1]
    training, held_out = (resized(images, size) for images in (them.training, them.reference))
    reference = features(by.judge, held_out)

    def measured(images: Tensor) -> dict[str, float]:
        x = resized(images, size)
        return metrics.judged(x, by.judge, reference, known=known, training=training, held_out=held_out)

    return measured


def _kept(path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """What was judged before, if by the same judge on as many images."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        if all(before[name] == value for name, value in facts.items()):
            return {**facts, "controls": dict(before["controls"]), "rows": list(before["rows"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or cut short by other hands: begin anew
    return {**facts, "controls": {}, "rows": []}
