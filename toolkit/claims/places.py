"""A map of a run: every symbol on its sample sheets is a point, near those that look alike to a judge.

RUN/map.json is {"judge", "explained", "places": {ITERATION: [[x, y], ...]}}: where each symbol of a sheet lies, in the
order of the sheet, in whole numbers from 0 to 1000, y downwards. One scale holds for both axes, so that distances may
be compared; explained is the share of the spread that the two of them show.
"""

import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..metrics.judged import features
from ..models import Judge
from ..plot import tiles
from ..runs.contact import ACROSS, sheets
from ..store import write
from .subjects import resized

FILE = "map.json"
SIDE = 1000


def place(folder: Path, judge: Judge, name: str) -> Path:
    """Lay a run's sheets out before a judge, called so -> its map.json. Raises ValueError for a run without sheets."""
    seen = {number: _features(path, judge) for number, path in sheets(folder).items()}
    if not seen:
        raise ValueError(f"{folder} has no sample sheets: give the folder of a run, such as checkpoints/fig2")
    points, explained = project(seen)
    places = {str(number): each.round().int().tolist() for number, each in points.items()}
    said = json.dumps({"judge": name, "explained": explained, "places": places}, separators=(",", ":"))
    write(folder / FILE, f"{said}\n".encode())
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
    from PIL import Image

    with Image.open(sheet) as picture:
        images = tiles(picture, picture.width // ACROSS)
    grey = images.float().mean(1, keepdim=True).round().byte()
    return normalize(features(judge, resized(grey, judge.image_shape[-1])), dim=1)
