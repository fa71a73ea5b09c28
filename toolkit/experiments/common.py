"""What the studies share: numbers as text, parts that are kept, a small classifier of the data."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import hub
from ..index import to_json, write_atomic
from ..metrics.stats import Interval
from ..models import Judge, create
from ..models.classifier import LabelledBatches
from ..seeds import child
from ..train import fit, linear


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


def classifier(path: Path, read: Callable[[], tuple[str, Tensor, Tensor | None]], steps: int, device: str) -> Judge:
    """The classifier stored in a file; trained there first if there is none, on what `read` gives.

    read: -> name of the data, images uint8 (N, C, H, W), labels (N,). Raises ValueError for data without labels.
    """
    if not path.exists():
        name, images, labels = read()
        if labels is None:
            raise ValueError(f"{name} has no labels: give a data set that has, for its classifier")
        _, channels, size, _ = images.shape
        classes = tuple(map(str, range(int(labels.max()) + 1)))
        options = {"classes": classes, "channels": channels, "size": size, "filters": 16, "hidden": 256}
        model = create("Judge", options, seed=child(0, "judge")).to(device)
        model = fit(model, LabelledBatches(images, labels, classes), steps=steps, decay=linear)
        hub.save(model, path, data=name, steps=steps)
    loaded = hub.load_file(path, device=device)
    assert isinstance(loaded, Judge)
    return loaded
