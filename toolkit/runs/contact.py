"""Contact sheets: all the sample sheets of a run in one picture, and how far each is from the one before.

A sheet has the same seeds at every iteration, in the same places, so that the distance between two is that between
images that grew from the same noise.
"""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..metrics.attractors import distinct
from ..plot import tiles

if TYPE_CHECKING:
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


def steps(folder: Path) -> dict[int, float]:
    """How far each sheet is from that of the iteration before, by iteration, from the second on.

    The root mean square over pixels, from 0 to 1, averaged over the images of the sheet. Computed from whole numbers.
    """
    found, before = {}, None
    for number, path in sheets(folder).items():
        if number:
            picture = _opened(path)
            cells = tiles(picture, picture.width // ACROSS).long().flatten(1)
            if before is not None and before[0] == number - 1 and before[1].shape == cells.shape:
                squared = (cells - before[1]).square().sum(1).tolist()
                found[number] = sum((each / cells.shape[1]) ** 0.5 for each in squared) / len(squared) / 255
            before = number, cells
    return found


def different(sheet: Path) -> float:
    """The share of different images on a sheet, if those within 0.1 of each other are one (`metrics.attractors`)."""
    picture = _opened(sheet)
    cells = tiles(picture, picture.width // ACROSS).float() / 255
    return distinct(cells) / len(cells)


def _opened(path: Path) -> "Image":
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        return picture
