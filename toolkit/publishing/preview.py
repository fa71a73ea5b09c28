"""One picture of an experiment for its card, made from its sheets: seeds from left to right, iterations downwards."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from .. import plot

ROWS, COLUMNS = 5, 12  # iterations, and the first seeds of each
ACROSS = 10  # symbols in a row of a run's sheet
WIDEST = 900  # pixels of another sheet, once it is enlarged


def preview(folder: Path, experiment: Mapping[str, Any]) -> bytes | None:
    """The preview as PNG, or nothing if there is no sheet. experiment: as the index of the folder says."""
    entries = [entry for entry in experiment["iterations"] if "samples" in entry]
    if experiment["kind"] == "iterations":
        entries = [entry for entry in entries if entry["iteration"]] or entries
    if not entries:
        return None
    paths = [folder / entry["samples"] for entry in entries]
    return _specimen(paths) if experiment["kind"] == "iterations" else _enlarged(paths[-1])


def _specimen(sheets: Sequence[Path]) -> bytes:
    from PIL import Image

    rows = []
    for path in _evenly(sheets, ROWS):
        with Image.open(path) as sheet:
            rows.append(plot.tiles(sheet, sheet.width // ACROSS)[:COLUMNS])
    return _png(plot.specimen(torch.cat(rows), len(rows[0]), scale=2))


def _enlarged(sheet: Path) -> bytes:
    from PIL import Image

    with Image.open(sheet) as picture:
        factor = max(1, WIDEST // picture.width)
        return _png(picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST))


def _evenly(paths: Sequence[Path], most: int) -> list[Path]:
    count = min(most, len(paths))
    return [paths[round(i * (len(paths) - 1) / max(1, count - 1))] for i in range(count)]


def _png(picture: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
