"""Images -> one number per image, or per set; `measure` and, with a judge, `judged` are one row of a table of them."""

from torch import Tensor

from ..drift import MEASURES, rank_correlation
from .complexity import components, compressed_size, edge_length, holes, ink, perimetric_complexity
from .judged import JUDGED, judged
from .novelty import blank_share, diversity, nearest, novelty, unique_share

PER_IMAGE = {
    measure.__name__: measure
    for measure in (ink, edge_length, compressed_size, perimetric_complexity, components, holes)
}  # fmt: skip


def measure(x: Tensor, reference: Tensor, passes: Tensor | None = None) -> dict[str, float]:
    """One row of the table: every measure of a set of images, averaged over the set. The keys are those of `MEASURES`.

    x: (B, C, H, W), float in [0, 1] or uint8; reference: (N, C, H, W), the same. passes: (B,), how many each image took
    to settle; without it the row has no "passes". Raises ValueError for an empty set, or images that differ in shape.
    """
    row = {"blank_share": blank_share(x), "unique_share": unique_share(x), "diversity": diversity(x)}
    row |= {name: function(x).mean().item() for name, function in PER_IMAGE.items()}
    distance = novelty(x, reference)
    row |= {"novelty_median": distance.quantile(0.5).item(), "novelty_mean": distance.mean().item()}
    if passes is not None:
        row["passes"] = passes.double().mean().item()
    return {name: row[name] for name in MEASURES if name in row}


__all__ = [
    "JUDGED", "MEASURES", "PER_IMAGE", "blank_share", "components", "compressed_size", "diversity", "edge_length",
    "holes", "ink", "judged", "measure", "nearest", "novelty", "perimetric_complexity", "rank_correlation",
    "unique_share",
]  # fmt: skip
