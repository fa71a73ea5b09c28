"""The tab "Annotate": people label a pool of pictures, blind. What a label is and where it goes: toolkit/annotation.py.

The page learns of a pool what `annotation.pool` says of it, and never who made a picture.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import annotation
from ..annotation import LABELS, Labels, name_of
from ..config import choose
from .server import Message, data_url, figure, module, static


def listed_pools(pools: Path) -> Message:
    """The pools there are, and the labels one may give."""
    found = [
        {"name": name, "title": it.about.title, "images": it.about.images}
        for name, it in annotation.below(pools).items()
    ]
    return {"pools": found, "labels": list(LABELS)}


def open_pool(pools: Path, data: Mapping[str, Any]) -> Message:
    """A pool for an annotator: both sheets, the order of the pictures, and the labels so far."""
    pool, name = _pool(pools, data), name_of(data.get("annotator", ""))
    about = pool.about
    return {
        "annotator": name,
        "title": about.title,
        "shape": list(about.shape),
        "images": {"sheet": data_url(pool.sheet()), "columns": about.columns, "count": about.images},
        "training": {"sheet": data_url(pool.training()), "columns": about.beside, "count": about.training},
        "order": pool.order(name),
        "said": list(Labels(pool).of(name).items()),
    }


def store_label(pools: Path, data: Mapping[str, Any]) -> Message:
    """Store one label; or forget it, if the label is None. It is on the disk before there is an answer."""
    labels = Labels(_pool(pools, data))
    image, name, given = data.get("image"), str(data.get("annotator", "")), data.get("label")
    if given is None:
        labels.take_back(image, name)  # type: ignore[arg-type]  # it refuses what is no number
    else:
        labels.put(image, name, given)  # type: ignore[arg-type]
    return {"stored": True}


def _pool(pools: Path, data: Mapping[str, Any]) -> annotation.Pool:
    """The pool that is asked for. Raises ValueError for any other folder."""
    return annotation.read(pools / choose("pool", str(data.get("pool", ""))[:100], annotation.below(pools)))


def answer(work: Callable[..., Message], pools: Path, *data: object) -> Message:
    """What `work` answers to data that may be anything; what goes wrong is one sentence."""
    try:
        return work(pools, *(each if isinstance(each, Mapping) else {} for each in data))
    except (ValueError, OSError) as error:
        return {"error": f"{error}."}


def annotate_tab(pools: Path) -> None:
    """Blind annotation of the pools in the folders of a folder; one that is built later is there at the next visit."""

    def find(_: object) -> Message:
        return answer(listed_pools, pools)

    def begin(data: object) -> Message:
        return answer(open_pool, pools, data)

    def label(data: object) -> Message:
        return answer(store_label, pools, data)

    script = module("annotate")
    figure({}, static("annotate.html"), script, find, begin, label, elem_id="annotate")
