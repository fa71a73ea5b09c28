"""All experiments of iterations side by side, as small multiples: of each, the first symbols at every iteration."""

import base64
import io
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import tree
from ..header import strict_json
from . import Message

COLUMNS, ROWS = 10, 2  # of the sheet of each iteration, from the top: seeds 0 to 19


def strip(source: str | Path, name: str, listed: dict[str, Any]) -> Message:
    """One experiment at all its iterations, as one picture: two rows an iteration, a column a seed.

    listed: what the index says of it. figure: its number in the paper, or None. sheet: None if there is none.
    """
    entries = [entry for entry in listed["iterations"] if "samples" in entry]
    said = strict_json(tree.fetch(source, listed["config"]).read_bytes()).get("experiment")
    figure = said.get("figure") if isinstance(said, dict) else None
    return {
        "experiment": name,
        "figure": None if figure is None else str(figure),
        "iterations": [entry["iteration"] for entry in entries],
        "symbols": COLUMNS * ROWS,
        "sheet": _rows(source, tuple(entry["samples"] for entry in entries), str(entries)) if entries else None,
    }


@lru_cache(maxsize=32)  # some hundred kilobytes each
def _rows(source: str | Path, files: tuple[str, ...], listed: str) -> str:
    """The first rows of sheets, beneath each other, as the address of one picture. listed: so that new files count."""
    from PIL import Image

    sheets = [Image.open(tree.fetch(source, file)) for file in files]
    width, height = sheets[0].width, sheets[0].width // COLUMNS * ROWS
    rows = Image.new(sheets[0].mode, (width, height * len(sheets)))
    for row, sheet in enumerate(sheets):
        rows.paste(sheet.crop((0, 0, width, height)), (0, row * height))
    png = io.BytesIO()
    rows.save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
