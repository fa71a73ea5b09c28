"""The 2D manifold: the loss as a surface, and the basins of attraction as a map.

Which training point each start of a fine grid ends in; where samples started (red) and how they travelled (green).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..models import Manifold
from . import ink
from .landscape import NOWHERE, basins, lattice, plane

FINE, COUNT = 61, 180  # starts along each side, of the surface and of the map


@dataclass(frozen=True, eq=False)
class Ground:
    """What samples are drawn on, computed once for all frames of a film."""

    loss: Tensor  # (FINE * FINE,)
    basins: Tensor  # (COUNT * COUNT,)


def ground(model: Manifold, points: Tensor) -> Ground:
    """The loss and the basins of a network of points in a plane, (N, 2, 1, 1)."""
    return Ground(plane(model, FINE)[1], basins(model, points, COUNT))


def figure(points: Tensor, states: Sequence[Tensor], run: int, title: str, on: Ground) -> Any:
    """The surface at the left, the basins at the right. points (N, 2, 1, 1); states: start, ..., now, (B, 2, 1, 1)."""
    drawing = ink.figure(9.2, 4.3, f"{title}: run {run}")
    left = drawing.add_subplot(1, 2, 1, projection="3d")
    right = drawing.add_subplot(1, 2, 2)
    _surface(left, on.loss, points, states)
    _map(right, on.basins, points)
    paths = torch.stack([state.flatten(1).cpu() for state in states], 1).numpy()
    for path in paths:
        right.plot(path[:, 0], path[:, 1], color="black", lw=0.6, alpha=0.6)
    _marks(right, paths[:, 0], paths[:, -1])
    right.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing


def _surface(panel: Any, loss: Tensor, points: Tensor, states: Sequence[Tensor]) -> None:
    across, down, height = (v.reshape(FINE, FINE).numpy() for v in (*lattice(FINE).unbind(1), loss))
    top = float(height.max())
    floor = -0.6 * top
    panel.plot_surface(across, down, height, cmap="cividis", lw=0, rstride=1, cstride=1, alpha=0.8)
    panel.contourf(across, down, height, levels=14, zdir="z", offset=floor, cmap="cividis", alpha=0.65)
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], floor, "s", ms=5, color=ink.DATA, zorder=10)
    for samples, colour in ((states[0], ink.START), (states[-1], ink.SAMPLE)):
        flat = samples.flatten(1).cpu().numpy()
        panel.plot(flat[:, 0], flat[:, 1], floor, "o", ms=3.5, color=colour, zorder=11)
    panel.set_zlim(floor, top)
    panel.view_init(elev=24, azim=-58)
    panel.set_title("loss surface, contours below", fontsize=9, loc="left")
    panel.tick_params(labelsize=6, pad=-2)
    panel.locator_params(nbins=5)
    panel.set_zticks([tick for tick in panel.get_zticks() if 0 <= tick <= top])


def _map(panel: Any, where: Tensor, points: Tensor) -> None:
    from matplotlib.colors import ListedColormap

    cell = where.where(where != NOWHERE, torch.tensor(len(points))).view(COUNT, COUNT)
    shades = [ink.BASINS[n % len(ink.BASINS)] for n in range(len(points))]
    colours = ListedColormap([*shades, ink.NOWHERE])
    extent = (0, 1, 0, 1)
    panel.imshow(
        cell.numpy(), origin="lower", extent=extent, cmap=colours, vmin=-0.5, vmax=len(points) + 0.5, alpha=0.75
    )
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], "s", ms=7, color=ink.DATA, ls="", label="training points", zorder=6)
    if (where == NOWHERE).any():
        panel.plot([], [], "s", ms=7, color=ink.NOWHERE, mec="gray", ls="", label="ends elsewhere")
    ink.plain(panel, "basins of attraction")


def _marks(panel: Any, start: Any, now: Any) -> None:
    looks = {"ms": 4.5, "ls": "", "clip_on": False}
    panel.plot(start[:, 0], start[:, 1], "o", mfc="white", mec=ink.START, label="start noise", zorder=7, **looks)
    panel.plot(now[:, 0], now[:, 1], "o", color=ink.SAMPLE, mec="white", mew=0.5, label="samples", zorder=8, **looks)
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1)


def shadow(points: Tensor, states: Sequence[Tensor], run: int, title: str) -> Any:
    """The first two coordinates of points of many, (N, d, 1, 1), and of samples."""
    drawing = ink.figure(4.6, 4.3, f"{title}: run {run}")
    panel = ink.plain(drawing.subplots(), f"two of {points.shape[1]} coordinates")
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], "s", ms=5, color=ink.DATA, ls="", label="training points")
    _marks(panel, *(state.flatten(1).cpu().numpy() for state in (states[0], states[-1])))
    panel.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing
