"""The map of a run as the page draws it: where the symbols of each sheet lie, near those alike to a judge."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import tree
from ..header import CheckpointError, strict_json
from . import Message

SIDE = 1000
SYMBOLS = 100


def places(source: str | Path, listed: Mapping[str, Any]) -> Message | None:
    """{"judge", "explained", "places": {iteration: [[x, y], ...]}}, or None of an experiment without a map.

    listed: what the index says of it. Raises CheckpointError for a file that is no map.
    """
    if "map" not in listed:
        return None
    path = tree.fetch(source, listed["map"])
    try:
        said = strict_json(path.read_bytes())
        judge, explained, sheets = str(said["judge"]), float(said["explained"]), dict(said["places"])
        if not all(map(_is_sheet, sheets.values())):
            raise ValueError(f"a place is no pair of whole numbers from 0 to {SIDE}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is no map of a run ({str(error)[:60]}): judge the run again") from error
    return {"judge": judge, "explained": explained, "places": sheets}


def _is_sheet(points: object) -> bool:
    return isinstance(points, list) and len(points) <= SYMBOLS and all(map(_is_point, points))


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list) and len(point) == 2 and all(type(each) is int and 0 <= each <= SIDE for each in point)
    )
