"""Whether a number rises along a series: Spearman's rank correlation (1904)."""

from collections.abc import Sequence

import torch
from torch import Tensor


def rank_correlation(a: Sequence[float] | Tensor, b: Sequence[float] | Tensor) -> float:
    """Spearman's correlation of two series of equal length, -1 to 1; equal values share their mean rank.

    1 means that b always rises with a, whatever the amounts. A series that never changes rises with nothing: 0.
    Raises ValueError unless both have the same length, at least two, and no NaN.
    """
    x, y = (torch.as_tensor(series, dtype=torch.float64).flatten() for series in (a, b))
    if len(x) != len(y) or len(x) < 2 or x.isnan().any() or y.isnan().any():
        raise ValueError(
            f"series of {len(x)} and {len(y)} values have no rank correlation: give two or more pairs, no NaN"
        )
    x, y = (ranks - ranks.mean() for ranks in (_ranks(x), _ranks(y)))
    scale = (x.square().sum() * y.square().sum()).sqrt()
    return ((x * y).sum() / scale).clamp(-1, 1).item() if scale > 0 else 0.0


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 1; ties get the mean of the ranks they cover."""
    _, which, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts.double() - 1) / 2)[which]
