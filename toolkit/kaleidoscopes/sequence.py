"""The published sequence: training images recovered, the first run, runs 5 to 13, run 300; one cell is one sample."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .. import plot
from . import ink
from .stored import Kaleidoscope, stream
from .trajectory import kept

RUNS = (1, *range(5, 14), 300)


def states(k: Kaleidoscope, data: Tensor, samples: int = 36, runs: tuple[int, ...] = RUNS) -> dict[str, Tensor]:
    """What is drawn, by name: each (samples, C, H, W). data: uint8 (N, C, H, W), of which some are recovered."""
    rows = torch.arange(samples) * len(data) // samples
    x = data[rows].to(next(k.model.parameters()).device).float() / 255
    with torch.no_grad():
        found = {"training images, recovered": k.model.reconstruct(x).cpu()}
    runs = (*(run for run in runs if run < k.runs), k.runs)
    after = kept(stream(k, range(samples)), runs)
    return found | {f"run {run}": state for run, state in zip(runs, after, strict=True)}


def figure(found: Mapping[str, Tensor], title: str, *, across: int = 4, scale: int = 2) -> Any:
    """Panels of square grids, so many across, one per name; the cells are in the same place throughout."""
    side = max(1, round(len(next(iter(found.values()))) ** 0.5))
    grids = {name: plot.grid(x, side, scale=scale, gap=scale, margin=scale, ground=0.35) for name, x in found.items()}
    sheet = next(iter(grids.values()))
    down, dpi = -(-len(grids) // across), 150
    width, height = (sheet.width + 16) * across / dpi, (sheet.height + 46) * down / dpi + 0.35
    drawing = ink.figure(width, height, title, dpi)
    panels = list(drawing.subplots(down, across, squeeze=False).flat)
    for panel, (name, grid) in zip(panels, grids.items(), strict=False):
        panel.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        panel.set_title(name, fontsize=8, loc="left")
    for panel in panels:
        panel.set_axis_off()
    return drawing


def tiles(k: Kaleidoscope, samples: int = 64) -> bytes:
    """The sheet of a network as PNG: the start and runs 1, 5, 10, 30, 300 as rows, a sample a column; no gaps."""
    runs = [run for run in (0, 1, 5, 10, 30) if run < k.runs] + [k.runs]
    rows = kept(stream(k, range(samples)), runs)
    return plot.png(torch.cat(rows), samples)
