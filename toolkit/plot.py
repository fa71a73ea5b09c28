"""Images as pictures: grids, strips, animations, curves, and the style of figures.

Images come in as (B, C, H, W) in [0, 1] (or uint8) with 1 or 3 channels, and are enlarged by whole factors, so that a
pixel stays a pixel. Pillow and matplotlib are imported where they are used.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
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
    cells = _cells(x)
    columns = columns or math.ceil(math.sqrt(len(cells)))
    if min(scale, columns) < 1 or min(gap, margin) < 0:
        raise ValueError(f"scale {scale}, columns {columns}, gap {gap}, margin {margin}: at least 1, 1, 0 and 0")
    paper = round(ground * 255)
    cells = cells.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    cells = pad(cells, (0, gap, 0, gap), value=paper)
    rows = -(-len(cells) // columns)
    cells = pad(cells, (0, 0, 0, 0, 0, 0, 0, rows * columns - len(cells)), value=paper)
    _, c, h, w = cells.shape
    sheet = cells.view(rows, columns, c, h, w).permute(2, 0, 3, 1, 4).reshape(c, rows * h, columns * w)
    end = margin - gap  # there is no gap after the last row and column
    sheet = pad(sheet, (margin, end, margin, end), value=paper)
    return _picture(255 - sheet if invert else sheet)


def png(x: Tensor, columns: int | None = None, **options: Any) -> bytes:
    """A `grid` as the bytes of a PNG file."""
    buffer = BytesIO()
    grid(x, columns, **options).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def specimen(x: Tensor, columns: int | None = None, *, scale: int = 4) -> "Image":
    """A type specimen: black symbols on white paper, with air around them and a wide margin: (B, C, H, W) -> one."""
    side = scale * x.shape[-1]
    return grid(x, columns, scale=scale, gap=side // 4, margin=side * 3 // 4, invert=True)


def strip(
    states: Iterable[Tensor], *, most: int | None = None, scale: int = 1, gap: int = 0, invert: bool = False
) -> "Image":
    """How images came about: one row per image, one column per state. states: (B, C, H, W), each the same shape.

    most: show at most so many states, early ones more densely, for there the most happens; first and last always.
    """
    kept = list(states)
    kept = [kept[i] for i in spread(len(kept), most or len(kept))]
    if not kept:
        raise ValueError("no states to show: give at least one")
    return grid(torch.stack(kept, 1).flatten(0, 1), len(kept), scale=scale, gap=gap, invert=invert)


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the indices 0 ... count - 1, first and last among them, with growing steps.

    spread(101, 5) is [0, 2, 9, 31, 100].
    """
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count - 1]
    picked = [0]
    for left in range(most - 1, 0, -1):
        ratio = (count / (picked[-1] + 1)) ** (1 / left)
        picked.append(max(picked[-1] + 1, round((picked[-1] + 1) * ratio) - 1))
    return picked


def animation(frames: Iterable["Image"], path: str | Path, *, ms: int = 80, hold: int = 1500) -> Path:
    """Pictures of one size -> an endless GIF or WebP, by the suffix of the path. Returns the path.

    ms: how long a frame stands; hold: how long the last one does. Grey frames are lossless in both, colour in WebP only
    (a GIF has 256 colours a frame). Raises ValueError for another suffix or no frames.
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
    columns: int = 3,
    over: str = "iteration",
) -> "Figure":
    """Small multiples: one panel per key over the rows. `curves(rows, ["ink"]).savefig("ink.svg")`.

    A row's place is its `over` if it has one, its number from 1 otherwise; a row without the key is left out.
    baseline: the same measures of the original data, drawn as a dotted line. Raises ValueError without rows or keys.
    """
    from matplotlib.figure import Figure

    if not rows or not keys:
        raise ValueError("nothing to draw: give at least one row and one key")
    columns = min(columns, len(keys))
    lines = -(-len(keys) // columns)
    figure = Figure(figsize=(2.6 * columns, 1.9 * lines), dpi=150, layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False, sharex=True).flat)
    for panel, key in zip(panels, keys, strict=False):
        points = [(row.get(over, number), row[key]) for number, row in enumerate(rows, 1) if key in row]
        _panel(panel, key, points, (baseline or {}).get(key))
    for panel in panels[len(keys) :]:
        panel.set_axis_off()
    figure.supxlabel(over, fontsize=8)
    return figure


def _panel(panel: Any, key: str, points: list[tuple[float, float]], baseline: float | None) -> None:
    panel.set_title(key.replace("_", " "), fontsize=9, loc="left")
    panel.plot([at for at, _ in points], [value for _, value in points], color="black", lw=1.2, marker="o", ms=2.5)
    if baseline is not None:
        panel.axhline(baseline, color="black", lw=0.8, ls=":")
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7, length=2)
    panel.margins(0.06, 0.15)


def _cells(x: Tensor) -> Tensor:
    """Images as bytes on the CPU: (B, C, H, W), C being 1 or 3."""
    if x.ndim != 4 or not len(x) or x.shape[1] not in (1, 3):
        raise ValueError(
            f"a tensor of shape {tuple(x.shape)} is no set of images: give (B, C, H, W) with 1 or 3 channels"
        )
    x = x.detach().cpu()
    return x if x.dtype == torch.uint8 else (x.float().clamp(0, 1) * 255).round().byte()


def _picture(sheet: Tensor) -> "Image":
    """Bytes (C, H, W) -> a picture, grey or colour."""
    from PIL import Image

    pixels = sheet.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


START, SAMPLE, DATA = "#D55E00", "#009E73", "#000000"  # start noise, samples, training points (Okabe and Ito)
CLASSES = (
    "#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777",
)  # fmt: skip  # Paul Tol's muted scheme
BASINS = ("#88CCEE", "#DDCC77", "#CC6677", "#44AA99", "#AA4499", "#999933", "#332288", "#882255")
NOWHERE = "#EEEEEE"
LINES = {"lw": 1.2, "color": "black", "marker": "o", "ms": 2.5}


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
