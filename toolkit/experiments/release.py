"""Releases: runs copied as they are shipped, their sheets side by side, and what their images keep of themselves."""

import argparse
import shutil
from collections.abc import Callable, Collection, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, cdist

from .. import hub
from ..cli import numbers
from ..index import STATE, write_atomic
from ..plot import tiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

EPILOG = """examples:
  python -m toolkit thin runs/fig6 runs/fig7 --out checkpoints
  python -m toolkit thin runs/fig12 --keep 20 --without-data --out checkpoints
  python -m toolkit thin runs/fig6-seed1 --keep none --out checkpoints       measures and sheets alone"""


def thin_command(args: argparse.Namespace) -> object:
    """Copy runs as they are shipped: the sheets and measures of all iterations, the models of some."""
    shared = {"data": not args.without_data, "resumable": args.resumable}
    made = [thin(folder, args.out, args.keep, **shared) for folder in args.runs]
    hub.write_index(args.out, hub.read_index(args.out)["default"] if (args.out / "index.json").exists() else None)
    return {"thinned": [str(folder) for folder in made]}


def declare(add: Callable[..., Any]) -> None:
    """What `thin` takes."""
    add("runs", nargs="+", type=Path, metavar="DIR", help="folders of runs")
    add("--keep", type=kept_models,
        help="iterations whose models are copied, or none (default: of 1,2,3,4,5,10,15,20)")  # fmt: skip
    add("--resumable", action="store_true", help="with all models, and the optimiser's state: to continue elsewhere")
    add("--without-data", action="store_true", help="no pictures of the data: some may be learned from and not shown")
    add("--out", required=True, metavar="DIR", help="the tree they join; its index.json is written anew")


COMMANDS = {"thin": (thin_command, declare, EPILOG)}


def kept_models(text: str) -> Sequence[int]:
    """Iterations, or "none"."""
    return [] if text == "none" else numbers(text)


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
