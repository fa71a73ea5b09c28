"""Contact sheets: all the sample sheets of a run in one picture, and how far each is from the one before.

A sheet has the same seeds at every iteration, in the same places, so that the distance between two is that between
images that grew from the same noise.
"""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, cdist

from ..plot import tiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

COLUMNS, GAP, LABEL = 7, 8, 18  # sheets in a row; pixels between them, and above each for its name
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
    columns, rows = min(COLUMNS, len(named)), -(-len(named) // COLUMNS)
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
