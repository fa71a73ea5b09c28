"""A classifier's measures of stored runs, beside controls, and the plane that its features span; the command judge.

RUN/judged.json is {"judge", "sha256", "images", "known", "controls": {NAME: {MEASURE: ...}}, "rows": [{"iteration",
MEASURE: ...}, ...]}. Iteration 0 is the data. The measures are those of `metrics.CLASSIFIER_MEASURES`.

RUN/map.json is {"judge", "explained", "places": {ITERATION: [[x, y], ...]}}: where each symbol of a sheet lies, in the
order of the sheet, in whole numbers from 0 to 1000, y downwards. One scale holds for both axes, so that distances may
be compared; explained is the share of the spread that the two of them show.
"""

import argparse
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from .. import data, hub, metrics, runs, train
from ..cli import arg, command
from ..config import DIGITS
from ..index import CHECKPOINTS, ROWS_FILE, read_index, strict_json
from ..metrics.classifier import features
from ..metrics.image import resized
from ..models import Judge
from ..presets import Experiment
from ..runs import OF_DIGITS, from_npy, write
from ..samplers import generate
from ..seeds import child
from .common import on_sheet, page_png, sheets
from .release import contact

# What is classified: a run's images, its data, and controls.


@dataclass(frozen=True)
class Subjects:
    """Images uint8 (N, C, H, W), all as large as the run's own.

    training: what the first model learned; reference: as many as are classified, that no model learned; controls: sets
    that any measure should tell apart.
    """

    training: Tensor
    reference: Tensor
    controls: dict[str, Tensor]


def subjects(
    experiment: Experiment, count: int, *, root: Path | None = None, letters: Tensor | None = None
) -> Subjects:
    """The data of a run and the controls beside it, drawn by the run's seed. letters: uint8 (N, 1, H, W).

    What was kept back is the test set where data have one, for no classifier learned it either; else what the run left
    of the data. Raises ValueError if nothing was, and what `data.load` raises.
    """
    loaded = data.load(experiment.data, root=root, split="any")
    run = runs.prepare(experiment, loaded.images, Path())
    unseen = _drawn(_unseen(experiment, loaded, run, root), 2 * count, child(experiment.seed, "unseen"))
    if len(unseen) < 2:
        raise ValueError(f"{experiment.name} learned all of {experiment.data}: give more data to tell what it did not")
    half, shape = len(unseen) // 2, (count, *unseen.shape[1:])
    generator = torch.Generator().manual_seed(child(experiment.seed, "noise"))
    controls = {
        "unseen data": unseen[half:],
        "noise": torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
        "blank": torch.zeros(shape, dtype=torch.uint8),
    }
    if letters is not None and letters.shape[1] == shape[1]:
        drawn = _drawn(letters, count, child(experiment.seed, "letters"))
        controls["letters"] = resized(drawn, shape[-1])
    return Subjects(run.data, unseen[:half], controls)


def _unseen(experiment: Experiment, loaded: data.Dataset, run: runs.IterationTrainer, root: Path | None) -> Tensor:
    if loaded.split == "train":
        with suppress(FileNotFoundError):  # only the first part may be here
            kept = data.load(experiment.data, root=root, split="test").images
            return resized(kept, run.data.shape[-1])
    return run.reference[len(run.data) :]


def _drawn(images: Tensor, count: int, seed: int) -> Tensor:
    """So many of them, or all, in a random order."""
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:count]]


FILE = "judged.json"
IMAGES = 1000  # of each iteration, as many as its other measures are taken over


@dataclass(frozen=True)
class Scorer:
    """A classifier, and by which bytes it is known. letters: a control, uint8 (N, 1, H, W); root: of data sets."""

    classifier: Judge
    name: str
    sha256: str
    images: int = IMAGES
    letters: Tensor | None = None
    root: Path | None = None

    def __post_init__(self) -> None:
        if self.images < 6:
            raise ValueError(f"images is {self.images}: give 6 or more, or no two sets can be compared")


def scorer(name: str, source: str | Path = CHECKPOINTS, *, device: str = "cpu", **options: Any) -> Scorer:
    """A scorer by a classifier of a tree of checkpoints. options: images, letters, root. Raises CheckpointError."""
    classifier = hub.load_classifier(source, name, device=device)
    entries = read_index(source)["experiments"][name]["iterations"]
    digest = min((entry["iteration"], entry["sha256"]) for entry in entries if "file" in entry)[1]
    return Scorer(classifier, name, digest, **options)


def score(folder: Path, by: Scorer, on_row: Callable[[str], object] = lambda what: None) -> Path:
    """Classify all iterations of a run that have images or a model, but for those that were before -> judged.json

    folder: of the run. on_row is called with the name of what comes next. Raises ValueError for what is no run of
    iterations, or has another kind of images than the classifier knows, and what `subjects` raises.
    """
    experiment, path = stored(folder), folder / FILE
    classes = set(by.classifier.config.classes)
    known = [name for name in DIGITS if name in classes] if experiment.data in OF_DIGITS else []
    found = _stored_scores(path, {"judge": by.name, "sha256": by.sha256, "images": by.images, "known": known})
    done = {row["iteration"] for row in found["rows"]}
    left = [at for at in range(experiment.iterations + 1) if at not in done and (at == 0 or _source(folder, at))]
    if not left and found["controls"] and ("letters" in found["controls"] or by.letters is None):
        return path
    sets, size = subjects(experiment, by.images, root=by.root, letters=by.letters), by.classifier.image_shape[-1]
    training, held_out = (resized(images, size) for images in (sets.training, sets.reference))
    reference = features(by.classifier, held_out)

    def measured(images: Tensor) -> dict[str, float]:
        """The measures of images of any size; distances to what was learned are taken at the classifier's size too."""
        x = resized(images, size)
        return metrics.classifier_measures(
            x, by.classifier, reference, known=known, training=training, held_out=held_out
        )

    for name, images in sets.controls.items():
        if name not in found["controls"]:
            on_row(name)
            found["controls"][name] = measured(images)
            write(path, found)
    for index in left:
        on_row(f"iteration {index}")
        images = _images(folder, experiment, index, by) if index else sets.training[: by.images]
        row = {"iteration": index, **measured(images)}
        found["rows"] = sorted([*found["rows"], row], key=lambda row: row["iteration"])
        write(path, found)
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
    iterations, and what `data.load` raises.
    """
    experiment = stored(folder)
    run = runs.prepare(experiment, data.load(experiment.data, root=root, split="any").images, Path())
    written = []
    for index in range(experiment.iterations + 1):
        path, model = folder / f"iter_{index:03d}" / ROWS_FILE, folder / f"iter_{index:03d}" / "model.safetensors"
        if path.exists() or not (path.parent.exists() if index == 0 else model.exists()):
            continue
        on_row(f"iteration {index}")
        of = runs.row_images(run.spec, run.reference, hub.load(model, device=device) if index else None)
        write(path, runs.to_npz(runs.row_measures(run.spec, *of)))
        written.append(path)
    return written


def _images(folder: Path, e: Experiment, index: int, by: Scorer) -> Tensor:
    """The first images of an iteration, uint8: those stored, or the same again from its checkpoint."""
    source = _source(folder, index)
    if source is None:
        raise ValueError(f"{folder} has no images and no model of iteration {index}: fetch the folder again")
    if source.suffix == ".npy":
        return from_npy(source)[: by.images]
    model = hub.load(source, device=str(next(by.classifier.parameters()).device))
    return generate(model, runs.iteration_seeds(e, index)[: by.images], e.sampling).images


def _source(folder: Path, index: int) -> Path | None:
    paths = [folder / f"iter_{index:03d}" / name for name in ("said.npy", "model.safetensors")]
    return next((path for path in paths if path.exists()), None)


def _stored_scores(path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """What is stored, if it is by the same classifier on as many images."""
    with suppress(OSError, ValueError, KeyError, TypeError):  # none, or cut short: begin anew
        before = json.loads(path.read_text(encoding="utf-8"))
        if all(before[name] == value for name, value in facts.items()):
            return {**facts, "controls": dict(before["controls"]), "rows": list(before["rows"])}
    return {**facts, "controls": {}, "rows": []}


# The map: where the symbols of all sheets lie.

MAP_FILE, PICTURE = "map.json", "map.png"
SIDE = 1000
PANEL, LABEL, GAP, FAINT = 420, 20, 12, 0.3  # of a picture: pixels, and how dark the data are


def place(folder: Path, classifier: Judge, name: str) -> Path:
    """Lay a run's sheets out by the features of a classifier of this name -> its map.json; and map.png, a picture.

    Features are of length one: how alike two pictures are is the angle between them. Raises ValueError for a run
    without sheets.
    """
    size = classifier.image_shape[-1]
    seen = {
        number: normalize(features(classifier, resized(_greys(path), size)), dim=1)
        for number, path in sheets(folder).items()
    }
    if not seen:
        raise ValueError(f"{folder} has no sample sheets: give the folder of a run, such as checkpoints/fig2")
    points, explained = project(seen)
    places = {str(number): each.round().int().tolist() for number, each in points.items()}
    text = json.dumps({"judge": name, "explained": explained, "places": places}, separators=(",", ":"))
    write(folder / MAP_FILE, f"{text}\n".encode())
    write(folder / PICTURE, picture(folder, points))
    return folder / MAP_FILE


def project(seen: dict[int, Tensor]) -> tuple[dict[int, Tensor], float]:
    """Features by iteration, (N, d) -> points (N, 2) in a square of `SIDE`, and the share of the spread that they show.

    The axes are the two along which the first sheet, the second and the last differ most (their principal components):
    all sheets together would be mostly late ones. Turned so that the last lies above and to the right of the first.
    """
    numbers = sorted(seen)
    corner = torch.cat([seen[number] for number in dict.fromkeys([numbers[0], *numbers[1:2], numbers[-1]])])
    mean = corner.mean(0)
    spread, axes = torch.linalg.svd(corner - mean, full_matrices=False)[1:]
    flat = {number: (each - mean) @ axes[:2].T for number, each in seen.items()}
    drift = flat[numbers[-1]].mean(0) - flat[numbers[0]].mean(0)
    turned = torch.where(drift < 0, -1.0, 1.0) * torch.tensor([1.0, -1.0])  # y downwards
    explained = spread[:2].square().sum() / spread.square().sum().clamp(min=1e-9)
    points = {number: each * turned for number, each in flat.items()}
    together = torch.cat([*points.values()])
    low, high = together.amin(0), together.amax(0)
    scale = SIDE / (high - low).max().clamp(min=1e-9)
    fitted = {number: (each - (low + high) / 2) * scale + SIDE / 2 for number, each in points.items()}
    return fitted, round(explained.item(), 3)


def _greys(sheet: Path) -> Tensor:
    return on_sheet(sheet).float().mean(1, keepdim=True).round().byte()


def picture(folder: Path, points: dict[int, Tensor]) -> bytes:
    """Four iterations side by side, first to last, every symbol in ink at its place over the faint data: a PNG."""
    from PIL import Image, ImageDraw

    numbers = [number for number in sorted(points) if number]
    chosen = sorted({numbers[round(part * (len(numbers) - 1))] for part in (0, 0.2, 0.5, 1)}) if numbers else [0]
    page = Image.new("L", (len(chosen) * (PANEL + GAP) + GAP, PANEL + LABEL + 2 * GAP), 255)
    pen, paths = ImageDraw.Draw(page), sheets(folder)
    for column, number in enumerate(chosen):
        left, top = GAP + column * (PANEL + GAP), GAP + LABEL
        pen.text((left, GAP), f"iteration {number}" if number else "the data", fill=0)
        for each, ink in {0: FAINT, number: 1.0}.items():
            if each not in paths:
                continue
            for light, point in zip(_greys(paths[each]).float() * ink, points[each].tolist(), strict=True):
                mask = Image.fromarray(light[0].round().byte().numpy())
                across, down = (round(at * (PANEL - mask.width) / SIDE) for at in point)
                page.paste(0, (left + across, top + down), mask)
    return page_png(page)


LETTERS = "letters:fonts"


@command(
    "judge",
    """examples:
  python -m toolkit judge runs/fig2 runs/fig6            into judged.json, map.json, map.png, contact.png
  python -m toolkit judge runs/fig2 --judge judge-digits
  python -m toolkit judge runs/fig2 --letters letters:/usr/share/fonts    with letters among the controls
  python -m toolkit judge runs/fig2 --rows                     only rows.npz, every measure of every image
  python -m toolkit judge runs/fig2 --contact                  only all its sheets in one picture
Stop it whenever you like; the same command continues where it was.""",
    arg("runs", nargs="+", type=Path, metavar="DIR", help="folders of runs, such as checkpoints/fig2"),
    arg("--judge", default="judge-digits-letters", help="which classifier (default: judge-digits-letters)"),
    arg("--from", "--judges", help="where it is: a folder of runs or a Hub repo id (default: the shipped ones)"),
    arg("--images", type=int, default=IMAGES, help="of each iteration (default: 1000)"),
    arg("--letters", metavar="NAME", help=f"the control that is novel (default: {LETTERS}, if it is there)"),
    arg("--contact", action="store_true", help="only draw contact.png, all the sheets in one picture"),
    arg("--rows", action="store_true", help="only measure every image of seeds 0 to 999, rows.npz where a model is"),
    arg("--map", action="store_true", help="only lay the symbols of all sheets out on a map, map.json and map.png"),
    *map(arg, ("--root", "--device", "--quiet")),
    arg("--json", help="no progress bars"),
)
def judge(args: argparse.Namespace) -> object:
    """Classify the images of runs, iteration by iteration; all their sheets into one picture, and on a map."""
    for folder in args.runs:
        stored(folder)  # before any work: it raises ValueError for what is no run
        write(folder / "contact.png", contact(folder))
    if args.contact:
        return {"contact": [str(folder / "contact.png") for folder in args.runs]}
    device = str(train.device(args.device))
    if args.rows:
        made = [measure_rows(folder, root=args.root, device=device) for folder in args.runs]
        return {"rows": [str(path) for paths in made for path in paths]}
    if args.map:
        classifier = hub.load_classifier(args.source, args.judge, device=device)
        return {"map": [str(place(folder, classifier, args.judge)) for folder in args.runs]}
    letters: Tensor | None = None
    try:  # of typefaces that no classifier learned
        letters = data.load(args.letters or LETTERS, root=args.root, split="test").images
    except FileNotFoundError:  # there may be no fonts where they are by default
        if args.letters:
            raise
    by = scorer(args.judge, args.source, device=device, images=args.images, letters=letters, root=args.root)
    written = []
    for folder in args.runs:
        with tqdm(desc=folder.name, unit="set", disable=args.quiet or args.json, dynamic_ncols=True) as bar:

            def on_row(what: str, bar: "tqdm[None]" = bar) -> None:
                bar.set_postfix_str(what, refresh=False)
                bar.update()

            written.append(str(score(folder, by, on_row)))
        place(folder, by.classifier, by.name)
    return {"judged": written}
