"""What every way out does in numbers: what it touches, what it needs, and three of its strengths, as a table."""

from collections.abc import Iterable, Sequence
from typing import Any

from .trade_off import LANDMARK, Row

HEAD = ("operator", "acts on", "training", "data", "strengths")
COLUMNS = {
    "reconstruction_distance": "reconstruction distance",
    "coherence": "judge's confidence",
    "out_of_class_share": "out of class",
    "diversity": "diversity",
}
ALIGNED = "| --- | --- | --- | --- | --- |" + " ---: |" * len(COLUMNS)


def table(curves: Iterable[Row]) -> str:
    """Markdown: a row for each of `trade_off.curves` that is a way, with the numbers of three of its strengths."""
    rows = (_row(curve) for curve in curves if curve["kind"] != LANDMARK)
    return "\n".join([_line([*HEAD, *COLUMNS.values()]), ALIGNED, *rows])


def _row(curve: Row) -> str:
    points = three(curve["points"])
    needs = ("yes" if curve[name] else "no" for name in ("training", "data"))
    strengths = ", ".join(f"{point['strength']:g}" for point in points)
    return _line([curve["way"], curve["touches"], *needs, strengths, *(_cell(points, name) for name in COLUMNS)])


def three(points: Sequence[Row]) -> list[Row]:
    """The weakest that does something, the middle one, and the strongest; of fewer, what there is."""
    doing = [point for point in points if point["strength"]] or list(points)
    return [doing[at] for at in sorted({0, len(doing) // 2, len(doing) - 1})]


def _cell(points: Sequence[Row], name: str) -> str:
    found = [point[name]["mean"] for point in points if point[name]]
    return ", ".join(f"{value:.2f}" for value in found) or "none"


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
