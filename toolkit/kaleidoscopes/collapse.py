"""The collapse made visible: the different pictures that are left, and how many samples each has."""

from typing import Any

from torch import Tensor

from ..metrics.attractors import linked
from . import ink

ACROSS, MOST = 12, 60  # pictures in a row, and on the sheet


def figure(x: Tensor, same: float, title: str) -> Any:
    """Pictures with their number of samples below, the most frequent first. x: (B, C, H, W); same: as in `linked`."""
    found = largest(x, same)[:MOST]
    down = -(-len(found) // ACROSS)
    drawing = ink.figure(0.62 * ACROSS + 0.2, 0.8 * down + 0.4, title)
    panel = drawing.subplots()
    for place, (sample, count) in enumerate(found):
        row, column = divmod(place, ACROSS)
        picture = x[sample].permute(1, 2, 0).squeeze(-1).clamp(0, 1).numpy()
        sides = (column + 0.04, column + 0.96, 1.28 * row + 0.92, 1.28 * row)
        panel.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=sides, interpolation="nearest")
        panel.text(column + 0.5, 1.28 * row + 0.96, str(count), ha="center", va="top", fontsize=7)
    panel.set_xlim(0, ACROSS)
    panel.set_ylim(1.28 * down, 0)
    panel.set_axis_off()
    return drawing


def largest(x: Tensor, same: float) -> list[tuple[int, int]]:
    """The pictures by how many samples they have: (the first of these samples, how many), most frequent first."""
    labels = linked(x, same)
    counts = labels.bincount().tolist()
    first = {label: place for place, label in reversed(list(enumerate(labels.tolist())))}
    return sorted(((first[label], count) for label, count in enumerate(counts)), key=lambda it: (-it[1], it[0]))
