"""How the figures look: colours that colour-blind people can tell apart, thin axes, PNG. matplotlib is not needed."""

from io import BytesIO
from typing import Any

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


def png(drawing: Any) -> bytes:
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
