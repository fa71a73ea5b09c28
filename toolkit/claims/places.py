"""A map of a run: every symbol on its sample sheets is a point, near those that look alike to a judge.

RUN/map.json is {"judge", "explained", "places": {ITERATION: [[x, y], ...]}}: where each symbol of a sheet lies, in the
order of the sheet, in whole numbers from 0 to 1000, y downwards. One scale holds for both axes, so that distances may
be compared; explained is the share of the spread that the two of them show.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..metrics.judged import features
from ..metrics.pixels import resized
from ..models import Judge
from ..plot import tiles
from ..runs.contact import ACROSS, sheets
from ..store import write

if TYPE_CHECKING:
    from PIL.Image import Image

FILE, PICTURE = "map.json", "map.png"
SIDE = 1000
PANEL, LABEL, GAP, FAINT, GREYS = 420, 20, 12, 0.3, 16  # of a picture: pixels, and how dark the data are


def place(folder: Path, judge: Judge, name: str) -> Path:
    """Lay a run's sheets out before a judge, called so -> its map.json; and map.png, a picture of it.

    Raises ValueError for a run without sheets.
    """
    seen = {number: _features(path, judge) for number, path in sheets(folder).items()}
    if not seen:
        raise ValueError(f"{folder} has no sample sheets: give the folder of a run, such as checkpoints/fig2")
    points, explained = project(seen)
    places = {str(number): each.round().int().tolist() for number, each in points.items()}
    said = json.dumps({"judge": name, "explained": explained, "places": places}, separators=(",", ":"))
    write(folder / FILE, f"{said}\n".encode())
    write(folder / PICTURE, picture(folder, points))
    return folder / FILE


def project(seen: dict[int, Tensor]) -> tuple[dict[int, Tensor], float]:
    """Features by iteration, (N, d) -> points (N, 2) from 0 to `SIDE`, and the share of the spread that they show.

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
    return _fit({number: each * turned for number, each in flat.items()}), round(explained.item(), 3)


def _fit(points: dict[int, Tensor]) -> dict[int, Tensor]:
    """Into a square, in its middle."""
    together = torch.cat(list(points.values()))
    low, high = together.amin(0), together.amax(0)
    scale = SIDE / (high - low).max().clamp(min=1e-9)
    return {number: (each - (low + high) / 2) * scale + SIDE / 2 for number, each in points.items()}


def _features(sheet: Path, judge: Judge) -> Tensor:
    """Each of length one: how alike two pictures are is the angle between them."""
    return normalize(features(judge, resized(_greys(sheet), judge.image_shape[-1])), dim=1)


def _greys(sheet: Path) -> Tensor:
    from PIL import Image

    with Image.open(sheet) as picture:
        images = tiles(picture, picture.width // ACROSS)
    return images.float().mean(1, keepdim=True).round().byte()


def picture(folder: Path, points: dict[int, Tensor]) -> bytes:
    """Four iterations side by side, first to last, every symbol in ink at its place over the faint data: a PNG."""
    from PIL import Image, ImageDraw

    numbers = [number for number in sorted(points) if number]
    chosen = sorted({numbers[round(part * (len(numbers) - 1))] for part in (0, 0.2, 0.5, 1)}) if numbers else [0]
    page = Image.new("L", (len(chosen) * (PANEL + GAP) + GAP, PANEL + LABEL + 2 * GAP), 255)
    pen, paths = ImageDraw.Draw(page), sheets(folder)
    for column, number in enumerate(chosen):
        left = GAP + column * (PANEL + GAP)
        pen.text((left, GAP), f"iteration {number}" if number else "the data", fill=0)
        for each, ink in {0: FAINT, number: 1.0}.items():
            if each in paths:
                _lay(page, _greys(paths[each]).float() * ink, points[each], (left, GAP + LABEL))
    buffer = BytesIO()
    page.point([round(grey / 17) * 17 for grey in range(256)]).quantize(GREYS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _lay(page: "Image", greys: Tensor, points: Tensor, corner: tuple[int, int]) -> None:
    """Images (N, 1, H, W) of light from 0 to 255 as ink on a page, at their places."""
    from PIL import Image

    side = greys.shape[-1]
    for light, point in zip(greys, points, strict=True):
        x, y = (round(start + each * (PANEL - side) / SIDE) for start, each in zip(corner, point.tolist(), strict=True))
        ink = Image.fromarray(light[0].round().byte().numpy())
        page.paste(0, (x, y, x + side, y + side), ink)
