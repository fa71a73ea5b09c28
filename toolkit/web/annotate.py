"""The tab "Annotate": people label a pool of pictures, blind. What a label is and where it goes: toolkit/annotation.py.

The page learns of a pool what `annotation.pool` says of it, and never who made a picture.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import annotation
from ..annotation import LABELS, Labels, name_of
from ..config import choose
from .server import Message, answer, data_url, figure


def listed_pools(pools: Path) -> Message:
    """The pools there are, and the labels one may give."""
    abouts = {name: pool.about for name, pool in annotation.below(pools).items()}
    found = [{"name": name, "title": about.title, "images": about.images} for name, about in abouts.items()]
    return {"pools": found, "labels": list(LABELS)}


def open_pool(pools: Path, data: object) -> Message:
    """A pool for an annotator: both sheets, the order of the pictures, and the labels so far."""
    asked = _asked(data)
    pool, name = _pool(pools, asked), name_of(asked.get("annotator", ""))
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


def store_label(pools: Path, data: object) -> Message:
    """Store one label; or forget it, if the label is None. It is on the disk before there is an answer."""
    asked = _asked(data)
    labels = Labels(_pool(pools, asked))
    image, name, given = asked.get("image"), str(asked.get("annotator", "")), asked.get("label")
    if given is None:
        labels.take_back(image, name)  # type: ignore[arg-type]  # it refuses what is no number
    else:
        labels.put(image, name, given)  # type: ignore[arg-type]
    return {"stored": True}


def _asked(data: object) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}


def _pool(pools: Path, asked: Mapping[str, Any]) -> annotation.Pool:
    """The pool that is asked for. Raises ValueError for any other folder."""
    return annotation.read(pools / choose("pool", str(asked.get("pool", ""))[:100], annotation.below(pools)))


def annotate_tab(pools: Path) -> None:
    """Blind annotation of the pools in the folders of a folder; one that is built later is there at the next visit."""

    def find(_: object) -> Message:
        return answer(listed_pools, pools)

    def begin(data: object) -> Message:
        return answer(open_pool, pools, data)

    def label(data: object) -> Message:
        return answer(store_label, pools, data)

    figure("annotate", {}, find, begin, label)
