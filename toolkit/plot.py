"""Images as pictures: grids, strips, animations, curves, figures of kaleidoscopic networks, the style of figures.

Images are (B, C, H, W) in [0, 1] (or uint8) with 1 or 3 channels, and are enlarged by whole factors. Pillow and
matplotlib are imported where they are used.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import pad

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


def grid(
    x: Tensor,
    columns: int | None = None,
    *,
    scale: int = 1,
    gap: int = 0,
    margin: int = 0,
    ground: float = 0.0,
    invert: bool = False,
) -> "Image":
    """Images side by side, row by row: (B, C, H, W) -> a grey or colour picture; by default about as wide as high.

    scale: pixels per pixel. gap, margin: pixels of the picture between images and around them, of brightness `ground`.
    invert: black on white, as in print. Without gap and margin, `tiles` takes the picture apart again.
    Raises ValueError for anything that is not a set of images.
    """
    if x.ndim != 4 or not len(x) or x.shape[1] not in (1, 3):
        raise ValueError(
            f"a tensor of shape {tuple(x.shape)} is no set of images: give (B, C, H, W) with 1 or 3 channels"
        )
    columns = columns or math.ceil(math.sqrt(len(x)))
    if min(scale, columns) < 1 or min(gap, margin) < 0:
        raise ValueError(f"scale {scale}, columns {columns}, gap {gap}, margin {margin}: at least 1, 1, 0 and 0")
    from PIL import Image

    paper, x = round(ground * 255), x.detach().cpu()
    cells = x if x.dtype == torch.uint8 else (x.float().clamp(0, 1) * 255).round().byte()
    cells = cells.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    cells = pad(cells, (0, gap, 0, gap), value=paper)
    rows = -(-len(cells) // columns)
    cells = pad(cells, (0, 0, 0, 0, 0, 0, 0, rows * columns - len(cells)), value=paper)
    _, c, h, w = cells.shape
    sheet = cells.view(rows, columns, c, h, w).permute(2, 0, 3, 1, 4).reshape(c, rows * h, columns * w)
    end = margin - gap  # there is no gap after the last row and column
    sheet = pad(sheet, (margin, end, margin, end), value=paper)
    pixels = (255 - sheet if invert else sheet).permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels[..., 0] if c == 1 else pixels)


def png(x: Tensor, columns: int | None = None, **options: Any) -> bytes:
    """A `grid` as the bytes of a PNG file."""
    buffer = BytesIO()
    grid(x, columns, **options).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def specimen(x: Tensor, columns: int | None = None, *, scale: int = 4) -> "Image":
    """A type specimen: black symbols on white paper with gaps and a wide margin, (B, C, H, W)."""
    side = scale * x.shape[-1]
    return grid(x, columns, scale=scale, gap=side // 4, margin=side * 3 // 4, invert=True)


def strip(
    states: Iterable[Tensor], *, most: int | None = None, scale: int = 1, gap: int = 0, invert: bool = False
) -> "Image":
    """One row per image, one column per state. states: (B, C, H, W), each the same shape.

    most: show at most so many states, as `spread` has them.
    """
    kept = list(states)
    kept = [kept[i] for i in spread(len(kept), most or len(kept))]
    if not kept:
        raise ValueError("no states to show: give at least one")
    return grid(torch.stack(kept, 1).flatten(0, 1), len(kept), scale=scale, gap=gap, invert=invert)


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the indices 0 ... count - 1, with growing steps: spread(101, 5) is [0, 2, 9, 31, 100]."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count - 1]
    picked = [0]
    for left in range(most - 1, 0, -1):
        ratio = (count / (picked[-1] + 1)) ** (1 / left)
        picked.append(max(picked[-1] + 1, round((picked[-1] + 1) * ratio) - 1))
    return picked


PAPER, FAINT, RED = "#faf7f0", "#b9b2a3", "#c8402a"
SHEET_COLUMNS, LARGE, SMALL = 4, 2, 1  # symbols across a sheet of a family; pixels a pixel, of them and of picks


def family_tree(
    sheets: Sequence[Tensor],
    parents: Sequence[int],
    learned: Sequence[Tensor],
    chosen: Sequence[Collection[int]],
    labels: Sequence[str],
    title: str,
) -> "Image":
    """A family as a poster: sheets of symbols, each below its parent and beside its siblings, black on paper.

    sheets: uint8 (N, 1, H, W) each, the first without a parent; parents: of each the number, -1 of the first; learned:
    the pictures that led from the parent to it, which stand above it; chosen: symbols of it that were picked, marked.
    """
    from PIL import Image, ImageDraw, ImageFont

    side = sheets[0].shape[-1]
    gap, rows = side // 4, -(-len(sheets[0]) // SHEET_COLUMNS)
    cell = LARGE * side + gap
    wide, high = SHEET_COLUMNS * cell, rows * cell
    above, below = 3 * side, 2 * side  # a sheet: the line from the parent with the picks, the label
    column, row = wide + 2 * side, above + high + below
    places = _places(parents)
    across, down = max(x for x, _ in places) + 1, max(y for _, y in places) + 1
    margin = 3 * side
    page = Image.new("RGB", (round(across * column) + 2 * margin, down * row + 2 * margin), PAPER)
    pen, small, large = ImageDraw.Draw(page), ImageFont.load_default(17), ImageFont.load_default(40)
    pen.text((margin, margin // 2), title, fill="black", font=large)

    def corner(number: int) -> tuple[int, int]:
        x, y = places[number]
        return margin + side + round(x * column), margin + above + y * row

    def put(symbol: Tensor, at: tuple[int, int], scale: int) -> None:
        large = symbol[0].repeat_interleave(scale, 0).repeat_interleave(scale, 1)
        page.paste("black", at, Image.fromarray(large.numpy()))

    for number, parent in enumerate(parents):
        left, top = corner(number)
        middle = left + (wide - gap) // 2
        if parent >= 0:
            from_left, from_top = corner(parent)
            start, bend = (from_left + (wide - gap) // 2, from_top + high + side), top - above + side // 2
            pen.line([start, (start[0], bend), (middle, bend), (middle, top - gap)], fill=FAINT, width=2)
            picks, step = learned[number], SMALL * side + gap
            begin = middle - (len(picks) * step - gap) // 2
            y = top - above // 2 - side // 2 + gap
            pen.rectangle((begin - gap, y - gap, begin + len(picks) * step, y + SMALL * side + gap), fill=PAPER,
                          outline=FAINT, width=2)  # fmt: skip
            for place, picture in enumerate(picks):
                put(picture, (begin + place * step, y), SMALL)
        for place, symbol in enumerate(sheets[number]):
            x, y = left + place % SHEET_COLUMNS * cell, top + place // SHEET_COLUMNS * cell
            put(symbol, (x, y), LARGE)
            if place in chosen[number]:
                pen.line([(x, y + LARGE * side + 2), (x + LARGE * side, y + LARGE * side + 2)], fill=RED, width=3)
        pen.text((middle, top + high + gap // 2), labels[number], fill="black", font=small, anchor="ma")
    return page


def _places(parents: Sequence[int]) -> list[tuple[float, int]]:
    """Where the nodes of a tree stand: (column, generation); a parent above the middle of its children."""
    children = {number: [n for n, parent in enumerate(parents) if parent == number] for number in range(len(parents))}
    found: dict[int, tuple[float, int]] = {}
    leaves = count()

    def place(number: int, depth: int) -> float:
        xs = [place(one, depth + 1) for one in children[number]]
        found[number] = ((xs[0] + xs[-1]) / 2 if xs else float(next(leaves)), depth)
        return found[number][0]

    place(0, 0)
    return [found[number] for number in range(len(parents))]


def to_png(page: "Image") -> bytes:
    """A picture as the bytes of a PNG file, in 64 colours."""
    buffer = BytesIO()
    page.quantize(64).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def animation(frames: Iterable["Image"], path: str | Path, *, ms: int = 80, hold: int = 1500) -> Path:
    """Pictures of one size -> an endless GIF or WebP, by the suffix of the path. Returns the path.

    ms: of a frame; hold: of the last one. Grey frames are lossless in both, colour in WebP only (a GIF has 256 colours
    a frame). Raises ValueError for another suffix or no frames.
    """
    path, pictures = Path(path), list(frames)
    if path.suffix.lower() not in (".gif", ".webp"):
        raise ValueError(f"{path.name} is no animation: end its name in .gif or .webp")
    if not pictures:
        raise ValueError(f"no frames for {path.name}: give at least one picture")
    times = [ms] * (len(pictures) - 1) + [hold]
    options: dict[str, Any] = {"lossless": True} if path.suffix.lower() == ".webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times, loop=0, **options)
    return path


def tiles(image: "Image", size: int) -> Tensor:
    """The images of a gapless, unscaled grid: uint8 (N, C, size, size), row by row, empty cells too. Undoes `grid`.

    C is 1 for a grey picture, 3 for any other. Raises ValueError if the picture is no whole number of images.
    """
    import numpy as np

    columns, rows = image.width // size, image.height // size
    if (columns * size, rows * size) != image.size or not columns * rows:
        raise ValueError(f"a picture of {image.width}x{image.height} pixels is no whole number of {size}x{size} images")
    pixels = torch.from_numpy(np.array(image if image.mode == "L" else image.convert("RGB")))
    cells = pixels.view(rows, size, columns, size, -1).permute(0, 2, 4, 1, 3)
    return cells.reshape(rows * columns, -1, size, size)


def curves(
    rows: Sequence[Mapping[str, float]],
    keys: Sequence[str],
    *,
    baseline: Mapping[str, float] | None = None,
) -> "Figure":
    """Small multiples: one panel per key over the iterations. `curves(rows, ["ink"]).savefig("ink.svg")`.

    A row's place is its "iteration" if it has one, its number from 1 otherwise; a row without the key is left out.
    baseline: the same measures of the original data, drawn as a dotted line. Raises ValueError without rows or keys.
    """
    from matplotlib.figure import Figure

    if not rows or not keys:
        raise ValueError("nothing to draw: give at least one row and one key")
    columns = min(3, len(keys))
    lines = -(-len(keys) // columns)
    figure = Figure(figsize=(2.6 * columns, 1.9 * lines), dpi=150, layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False, sharex=True).flat)
    for panel, key in zip(panels, keys, strict=False):
        plain(panel, key.replace("_", " "))
        at = [row.get("iteration", number) for number, row in enumerate(rows, 1) if key in row]
        panel.plot(at, [row[key] for row in rows if key in row], color="black", lw=1.2, marker="o", ms=2.5)
        if baseline and key in baseline:
            panel.axhline(baseline[key], color="black", lw=0.8, ls=":")
        panel.margins(0.06, 0.15)
    for panel in panels[len(keys) :]:
        panel.set_axis_off()
    figure.supxlabel("iteration", fontsize=8)
    return figure


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table. left: how many of the first columns are aligned left; the others are aligned right."""
    rule = ["---" if column < left else "---:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *rows])


START, SAMPLE, DATA = "#D55E00", "#009E73", "#000000"  # start noise, samples, training points (Okabe and Ito)
CLASSES = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777",
)  # fmt: skip  # Paul Tol's muted scheme
BASINS = ("#88CCEE", "#DDCC77", "#CC6677", "#44AA99", "#AA4499", "#999933", "#332288", "#882255")
NOWHERE = "#EEEEEE"


def plain(panel: Any, title: str = "") -> Any:
    """A panel without a frame, its title at the left."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7, length=2)
    panel.set_title(title, fontsize=9, loc="left")
    return panel


def figure(width: float, height: float, title: str, dpi: int = 150) -> Any:
    """An empty figure of inches, its title at the left."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), dpi=dpi, layout="constrained", facecolor="white")
    drawing.suptitle(title, fontsize=11, x=0.01, ha="left", fontweight="bold")
    return drawing


def figure_png(drawing: Any) -> bytes:
    """A figure as the bytes of a PNG."""
    buffer = BytesIO()
    drawing.savefig(buffer, format="png")
    return buffer.getvalue()


def picture(drawing: Any) -> Any:
    """A figure as a Pillow image in colour, for a film."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas: Any = FigureCanvasAgg(drawing)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def profile_figure(
    profile: tuple[Tensor, Tensor, Tensor], points: Tensor, start: Tensor, now: Tensor, run: int, title: str
) -> Any:
    """The profile of a network of one coordinate above, its loss below.

    profile: inputs, outputs and losses, each (n,), as `metrics.attractors.line` gives them; points (N, 1, 1, 1);
    start, now: samples before and after, (B, 1, 1, 1).
    """
    drawing = figure(5.6, 4.4, f"{title}: run {run}")
    upper, lower = drawing.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    x, y, loss = profile
    at = points.flatten().tolist()
    upper.plot([0, 1], [0, 1], color="black", lw=0.6, ls=":", label="identity")
    upper.plot(x.tolist(), y.tolist(), color="black", lw=1.4, label="network")
    _fall(upper, start, now, x, y)
    upper.plot(at, at, "s", ms=6, color=DATA, ls="", label="training points", zorder=3)
    upper.set_ylim(-0.03, 1.03)
    upper.set_ylabel("output", fontsize=8)
    upper.legend(fontsize=7, frameon=False, loc="upper left")
    lower.plot(x.tolist(), loss.tolist(), color="black", lw=1.4)
    _fall(lower, start, now, x, loss)
    lower.plot(at, [0] * len(at), "s", ms=6, color=DATA, ls="", zorder=3, clip_on=False)
    lower.set_ylabel("loss", fontsize=8)
    lower.set_xlabel("input", fontsize=8)
    for panel, name in ((upper, "output manifold"), (lower, "loss manifold")):
        plain(panel, name)
        panel.set_xlim(-0.03, 1.03)
    return drawing


def _fall(panel: Any, start: Tensor, now: Tensor, x: Tensor, y: Tensor) -> None:
    """Start noise on the curve, with lines down from there, and the samples on the curve."""
    import numpy as np

    (at, above), (here, height) = ((v.flatten().cpu(), np.interp(v.flatten().cpu(), x, y)) for v in (start, now))
    panel.vlines(at, 0, above, color=START, lw=0.6, ls=(0, (4, 3)), alpha=0.7)
    panel.plot(at, above, "o", ms=4.5, mfc="white", mec=START, ls="", label="start noise", zorder=4)
    panel.plot(here, height, "o", ms=4.5, color=SAMPLE, ls="", label="samples", zorder=5, clip_on=False)


@dataclass(frozen=True, eq=False)
class Ground:
    """The surface that samples in a plane are drawn on, computed once for all frames of a film."""

    grid: Tensor  # starts of the surface, row by row, (n * n, 2)
    loss: Tensor  # there, (n * n,)
    basins: Tensor  # the training point that each start of another grid ends in, -1 for none, (m * m,)


def surface_figure(points: Tensor, states: Sequence[Tensor], run: int, title: str, on: Ground) -> Any:
    """The loss surface at the left, the basins of attraction at the right.

    points (N, 2, 1, 1); states: from the start to the present run, (B, 2, 1, 1) each.
    """
    drawing = figure(9.2, 4.3, f"{title}: run {run}")
    left = drawing.add_subplot(1, 2, 1, projection="3d")
    right = plain(drawing.add_subplot(1, 2, 2), "basins of attraction")
    _surface(left, on, points, states)
    _basins(right, on.basins, points)
    paths = torch.stack([state.flatten(1).cpu() for state in states], 1).numpy()
    for path in paths:
        right.plot(path[:, 0], path[:, 1], color="black", lw=0.6, alpha=0.6)
    _marks(right, paths[:, 0], paths[:, -1])
    right.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing


def _surface(panel: Any, on: Ground, points: Tensor, states: Sequence[Tensor]) -> None:
    side = math.isqrt(len(on.loss))
    across, down, height = (v.reshape(side, side).numpy() for v in (*on.grid.unbind(1), on.loss))
    top = float(height.max())
    floor = -0.6 * top
    panel.plot_surface(across, down, height, cmap="cividis", lw=0, rstride=1, cstride=1, alpha=0.8)
    panel.contourf(across, down, height, levels=14, zdir="z", offset=floor, cmap="cividis", alpha=0.65)
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], floor, "s", ms=5, color=DATA, zorder=10)
    for samples, colour in ((states[0], START), (states[-1], SAMPLE)):
        flat = samples.flatten(1).cpu().numpy()
        panel.plot(flat[:, 0], flat[:, 1], floor, "o", ms=3.5, color=colour, zorder=11)
    panel.set_zlim(floor, top)
    panel.view_init(elev=24, azim=-58)
    panel.set_title("loss surface, contours below", fontsize=9, loc="left")
    panel.tick_params(labelsize=6, pad=-2)
    panel.locator_params(nbins=5)
    panel.set_zticks([tick for tick in panel.get_zticks() if 0 <= tick <= top])


def _basins(panel: Any, where: Tensor, points: Tensor) -> None:
    from matplotlib.colors import ListedColormap

    count, side = len(points), math.isqrt(len(where))
    cells = where.where(where >= 0, torch.tensor(count)).view(side, side).numpy()
    colours = ListedColormap([*(BASINS[n % len(BASINS)] for n in range(count)), NOWHERE])
    panel.imshow(cells, origin="lower", extent=(0, 1, 0, 1), cmap=colours, vmin=-0.5, vmax=count + 0.5, alpha=0.75)
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], "s", ms=7, color=DATA, ls="", label="training points", zorder=6)
    if (where < 0).any():
        panel.plot([], [], "s", ms=7, color=NOWHERE, mec="gray", ls="", label="ends elsewhere")


def _marks(panel: Any, start: Any, now: Any) -> None:
    looks = {"ms": 4.5, "ls": "", "clip_on": False}
    panel.plot(start[:, 0], start[:, 1], "o", mfc="white", mec=START, label="start noise", zorder=7, **looks)
    panel.plot(now[:, 0], now[:, 1], "o", color=SAMPLE, mec="white", mew=0.5, label="samples", zorder=8, **looks)
    panel.set_xlim(0, 1)
    panel.set_ylim(0, 1)


def shadow(points: Tensor, states: Sequence[Tensor], run: int, title: str) -> Any:
    """The first two coordinates of points of many, (N, d, 1, 1), and of samples."""
    drawing = figure(4.6, 4.3, f"{title}: run {run}")
    panel = plain(drawing.subplots(), f"two of {points.shape[1]} coordinates")
    at = points.flatten(1).cpu().numpy()
    panel.plot(at[:, 0], at[:, 1], "s", ms=5, color=DATA, ls="", label="training points")
    _marks(panel, *(state.flatten(1).cpu().numpy() for state in (states[0], states[-1])))
    panel.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return drawing
