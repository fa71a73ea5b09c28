"""Releases: runs copied as they are shipped, with all their sheets side by side."""

import argparse
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import mkdtemp

from .. import hub
from ..cli import arg, command, numbers
from ..index import STATE, TEXTS, write_atomic
from .common import opened, page_png, sheets

CONTACT_COLUMNS, GAP, LABEL = 7, 8, 18  # sheets in a row; pixels between them, and above each for its name
KEEP = (1, 2, 3, 4, 5, 10, 15, 20)
WORK = ("*.partial", "*.part", "*.npy", "*.safetensors")  # what only the training needs; models are added again


def kept_models(text: str) -> Sequence[int]:
    """Iterations, or "none"."""
    return [] if text == "none" else numbers(text)


@command(
    "thin",
    """examples:
  python -m toolkit thin runs/fig6 runs/fig7 --out checkpoints
  python -m toolkit thin runs/fig12 --keep 20 --without-data --out checkpoints
  python -m toolkit thin runs/fig6-seed1 --keep none --out checkpoints       measures and sheets alone""",
    arg("runs", nargs="+", type=Path, metavar="DIR", help="folders of runs"),
    arg(
        "--keep", type=kept_models, help="iterations whose models are copied, or none (default: of 1,2,3,4,5,10,15,20)"
    ),
    arg("--resumable", action="store_true", help="with all models, and the optimiser's state: to continue elsewhere"),
    arg("--without-data", action="store_true", help="no pictures of the data: some may be learned from and not shown"),
    arg("--out", required=True, metavar="DIR", help="the tree they join; its index.json is written anew"),
)
def thin_command(args: argparse.Namespace) -> object:
    """Copy runs as they are shipped: the sheets and measures of all iterations, the models of some."""
    shared = {"data": not args.without_data, "resumable": args.resumable}
    made = [thin(folder, args.out, args.keep, **shared) for folder in args.runs]
    hub.write_index(args.out, hub.read_index(args.out)["default"] if (args.out / "index.json").exists() else None)
    return {"thinned": [str(folder) for folder in made]}


def contact(folder: Path) -> bytes:
    """All sample sheets of a run side by side, each under its number, as a PNG in sixteen greys or in colour.

    Nothing is scaled; in all the greys there are it would take twice the bytes. Iteration 0 is the data. Raises
    ValueError for a folder without sheets.
    """
    from PIL import Image, ImageDraw

    named = {number: opened(path) for number, path in sheets(folder).items()}
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
    return page_png(page)


def thin(
    run: Path, out: Path, keep: Collection[int] | None = None, *, data: bool = True, resumable: bool = False
) -> Path:
    """Copy a run to OUT/NAME: sheets and measures of all iterations, models of some; whole or not at all.

    keep: the iterations whose models go with it; None: those of KEEP that the run has. data: whether pictures of the
    data do, those of iteration 0; some data may be learned from and not be shown. resumable: with whatever the run
    goes on from elsewhere, all models so far and the last state of the optimiser; its generated images are drawn again
    from the models. Raises FileNotFoundError for what is no run or lacks an iteration to keep, FileExistsError if there
    is one of its name.
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
            for shown in ("iter_000/samples.png", f"iter_000/{TEXTS}", "map.png"):
                (part / shown).unlink(missing_ok=True)
        if not [*run.glob(f"iter_*/{TEXTS}")]:  # of words there is nothing to look at
            write_atomic(part / "contact.png", contact(part))
        part.chmod(0o755)  # mkdtemp keeps it to its owner
        return part.rename(target)
    except BaseException:
        shutil.rmtree(part)
        raise
