"""What the studies share: numbers as text, parts that are kept, a classifier of the data, the sheets of runs."""

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import hub
from ..data import Dataset
from ..index import to_json, write_atomic
from ..metrics.stats import Interval
from ..models import Judge, create
from ..models.classifier import LabelledBatches
from ..plot import tiles
from ..seeds import child
from ..train import fit, linear

if TYPE_CHECKING:
    from PIL.Image import Image


def decimals(size: float, whole: float = 100) -> int:
    """How many decimals a number of this size is printed with; none from `whole` on."""
    return 0 if size >= whole else 1 if size >= 10 else 2 if size >= 1 else 3


def number(x: Interval | None, whole: float = 100, digits: int | None = None) -> str:
    """A mean and the half width of its interval, "0.216 ± 0.004", with so many digits or as many as it needs."""
    if x is None:
        return ""
    half = None if x["high"] is None else x["high"] - x["mean"]
    if digits is None:
        digits = decimals(max(abs(x["mean"]), half or 0.0), whole)
    return f"{x['mean'] + 0.0:.{digits}f}" + ("" if half is None else f" ± {half:.{digits}f}")


def kept_part(path: Path, key: str, settings: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """A part of a study as JSON values: read, if it was made by the same settings, which lie under `key`; else made."""
    settings = json.loads(to_json(settings))
    if path.exists() and (found := json.loads(path.read_text()))[key] == settings:
        return found
    write_atomic(path, to_json({key: settings, **make()}))
    return json.loads(path.read_text())


def classifier(path: Path, read: Callable[[], Dataset], steps: int, device: str) -> Judge:
    """The classifier stored in a file; trained there first if there is none, on the data set that `read` gives.

    Raises ValueError for data without labels.
    """
    if not path.exists():
        found = read()
        if found.labels is None:
            raise ValueError(f"{found.name} has no labels: give a data set that has, for its classifier")
        _, channels, size, _ = found.images.shape
        classes = tuple(map(str, range(int(found.labels.max()) + 1)))
        options = {"classes": classes, "channels": channels, "size": size, "filters": 16, "hidden": 256}
        model = create("Judge", options, seed=child(0, "judge")).to(device)
        model = fit(model, LabelledBatches(found.images, found.labels, classes), steps=steps, decay=linear)
        hub.save(model, path, data=found.name, steps=steps)
    loaded = hub.load_file(path, device=device)
    assert isinstance(loaded, Judge)
    return loaded


# The sample sheets of a run.

ACROSS = 10  # images in a row of a sheet


def sheets(folder: Path) -> dict[int, Path]:
    """The sample sheets of a run, by iteration."""
    return {int(path.parent.name[5:]): path for path in sorted(folder.glob("iter_[0-9][0-9][0-9]/samples.png"))}


def on_sheet(sheet: Path) -> Tensor:
    """The images of a sample sheet: uint8 (N, C, H, W)."""
    picture = opened(sheet)
    return tiles(picture, picture.width // ACROSS)


def kept(pages: Mapping[int, Path]) -> NDArray[np.float64]:
    """How much of itself the image of a seed keeps from one sheet to the next, on average: (N,), one per image.

    1 if it stays as it is; 0 if it becomes as different as the images of other seeds are, on the sheet before from the
    sheet after. Distances are root mean square. pages: the sample sheets, by iteration; 0 is the data. Raises
    KeyError without two in a row.
    """
    cells = {number: on_sheet(path).double().flatten(1) for number, path in pages.items() if number}
    pairs = [(cells[number - 1], each) for number, each in cells.items() if number - 1 in cells]
    if not pairs:
        raise KeyError("two sample sheets in a row")
    shares = []
    for before, after in pairs:
        apart = torch.cdist(before, after, compute_mode="donot_use_mm_for_euclid_dist")
        own = apart.diagonal()
        others = (apart.sum() - own.sum()) / (apart.numel() - len(own))
        shares.append(1 - own / others if others > 0 else torch.ones_like(own))
    found: NDArray[np.float64] = torch.stack(shares).mean(0).numpy()
    return found


def opened(path: Path) -> "Image":
    """A picture, read whole."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        return picture


def page_png(page: "Image") -> bytes:
    """A picture as a PNG, in sixteen greys if it is grey: in all there are it would take twice the bytes."""
    if page.mode == "L":
        page = page.point([round(grey / 17) * 17 for grey in range(256)]).quantize(16)
    buffer = BytesIO()
    page.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
