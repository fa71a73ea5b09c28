"""Images -> one number per image, or per set; `measure` and, with a classifier, `judged` are one row of a table.

The names below are imported once they are asked for (PEP 562): `metrics.stats` needs no torch and does not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classifier import JUDGED, judged
    from .distance import blank_share, diversity, nearest, novelty, unique_share
    from .image import components, compressed_size, edge_length, holes, ink, perimetric_complexity
    from .rows import PER_IMAGE, measure
    from .stats import MEASURES, rank_correlation

__all__ = [
    "JUDGED", "MEASURES", "PER_IMAGE", "blank_share", "components", "compressed_size", "diversity", "edge_length",
    "holes", "ink", "judged", "measure", "nearest", "novelty", "perimetric_complexity", "rank_correlation",
    "unique_share",
]  # fmt: skip

_HOMES = {
    "JUDGED": "classifier", "MEASURES": "stats", "PER_IMAGE": "rows", "blank_share": "distance",
    "components": "image", "compressed_size": "image", "diversity": "distance", "edge_length": "image",
    "holes": "image", "ink": "image", "judged": "classifier", "measure": "rows", "nearest": "distance",
    "novelty": "distance", "perimetric_complexity": "image", "rank_correlation": "stats", "unique_share": "distance",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
