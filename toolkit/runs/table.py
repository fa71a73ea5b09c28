"""The measures of a run as a table, one line per iteration."""

import json
from pathlib import Path
from typing import Any

import torch

from .. import metrics


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows, and for each measure its rank correlation with the iteration (Spearman, iterations 1 and on)."""
    later = [row for row in rows if row["iteration"] > 0]
    iterations = torch.tensor([float(row["iteration"]) for row in later])
    names = sorted(set(later[0]) - {"iteration"}) if len(later) > 1 else []
    trend = {name: metrics.rank_correlation(iterations, torch.tensor([row[name] for row in later])) for name in names}
    return {"rows": rows, "rank_correlation": trend}


COLUMNS = {
    "ink": ("ink", 3), "blank_share": ("blank", 3), "unique_share": ("unique", 3), "diversity": ("diversity", 3),
    "edge_length": ("edge length", 1), "perimetric_complexity": ("perimetric", 2), "compressed_size": ("bytes", 1),
    "components": ("pieces", 2), "holes": ("holes", 2), "novelty_median": ("distance to data", 3),
    "passes": ("passes", 1),
}  # fmt: skip


def table(path: Path) -> str:
    """An experiment's metrics.json as a Markdown table, one line per iteration, and the rank correlations."""
    stored = json.loads(path.read_text())
    rows = [[str(row["iteration"]), *(_cell(row, *column) for column in COLUMNS.items())] for row in stored["rows"]]
    trend = ["rank correlation", *(_cell(stored["rank_correlation"], name, ("", 2)) for name in COLUMNS)]
    head = ["iteration", *(title for title, _ in COLUMNS.values())]
    lines = [head, ["---:"] * len(head), *rows, trend]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: dict[str, float], name: str, column: tuple[str, int]) -> str:
    return f"{row[name]:.{column[1]}f}" if name in row else ""
