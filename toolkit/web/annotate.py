"""The tab "Annotate": people label a pool of pictures, blind. What a label is and where it goes: toolkit/annotation.py.

The page learns of a pool what `annotation.pool` says of it, and never who made a picture. Needs no torch.
"""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import annotation
from ..annotation import LABELS, Labels, name_of
from ..config import choose
from .server import Message, figure, module, static


def listed(pools: Path) -> Message:
    """The pools there are, and the labels one may give."""
    found = [
        {"name": name, "title": it.about.title, "images": it.about.images}
        for name, it in annotation.below(pools).items()
    ]
    return {"pools": found, "labels": list(LABELS)}


def opened(pools: Path, order: object) -> Message:
    """A pool for an annotator: both sheets, the order of the pictures, and what was said of them so far."""
    given = spoken(order)
    mine, name = asked(pools, given), name_of(given.get("annotator", ""))
    about = mine.about
    return {
        "annotator": name,
        "title": about.title,
        "shape": list(about.shape),
        "images": {"sheet": address(mine.sheet()), "columns": about.columns, "count": about.images},
        "training": {"sheet": address(mine.training()), "columns": about.beside, "count": about.training},
        "order": mine.order(name),
        "said": list(Labels(mine).of(name).items()),
    }


def labelled(pools: Path, order: object) -> Message:
    """Store one label; or forget it, if the label is None. It is on the disk before there is an answer."""
    given = spoken(order)
    labels = Labels(asked(pools, given))
    image, name, label = given.get("image"), str(given.get("annotator", "")), given.get("label")
    if label is None:
        labels.take_back(image, name)  # type: ignore[arg-type]  # it refuses what is no number
    else:
        labels.put(image, name, label)  # type: ignore[arg-type]
    return {"stored": True}


def spoken(order: object) -> Mapping[str, Any]:
    """What came from the browser, which may be anything, as what it says."""
    return order if isinstance(order, Mapping) else {}


def asked(pools: Path, order: Mapping[str, Any]) -> annotation.Pool:
    """The pool that is asked for. Raises ValueError for any other folder."""
    return annotation.read(pools / choose("pool", str(order.get("pool", ""))[:100], annotation.below(pools)))


def address(png: bytes) -> str:
    """A picture as the address of itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def said(work: Callable[[], Message]) -> Message:
    """The answer; what goes wrong is one sentence in it."""
    try:
        return work()
    except (ValueError, OSError) as error:
        return {"error": f"{error}."}


def annotate_tab(pools: Path) -> None:
    """Blind annotation of the pools in the folders of a folder; one that is built later is there at the next visit."""

    def find(_: object) -> Message:
        return said(lambda: listed(pools))

    def begin(order: object) -> Message:
        return said(lambda: opened(pools, order))

    def label(order: object) -> Message:
        return said(lambda: labelled(pools, order))

    functions = [find, begin, label]
    figure({}, static("annotate.html"), module("annotate"), elem_id="annotate", server_functions=functions)
