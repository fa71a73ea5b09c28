"""Images -> one number per image, or per set; `measure` and `classifier_measures` are one row of a table.

The names below are imported once they are asked for (PEP 562): `metrics.stats` needs no torch and does not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classifier import CLASSIFIER_MEASURES, classifier_measures
    from .distance import blank_share, diversity, nearest, novelty, unique_share
    from .image import components, compressed_size, edge_length, holes, ink, perimetric_complexity
    from .rows import PER_IMAGE, measure
    from .stats import MEASURES, rank_correlation

__all__ = [
    "CLASSIFIER_MEASURES", "MEASURES", "PER_IMAGE", "blank_share", "classifier_measures", "components",
    "compressed_size", "diversity", "edge_length", "holes", "ink", "measure", "nearest", "novelty",
    "perimetric_complexity", "rank_correlation", "unique_share",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module in ("stats", "image", "distance", "rows", "classifier") if name in __all__ else ():
        if hasattr(home := import_module(f".{module}", __name__), name):
            return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
