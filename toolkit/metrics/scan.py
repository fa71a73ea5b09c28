"""Subset scanning: how strongly some subset of neurons departs from its usual activations, and which subset.

An activation becomes an empirical p-value, the share of usual ones that are at least as large. Of N p-values N_a are at
most a; if nothing is unusual, N_a is about a N. The scan maximises a statistic of N_a, N and a over all subsets and all
a up to `MOST`. There are 2^K subsets, but of each size only the one with the most p-values under a can be the best, so
that sorting is enough (linear-time subset scanning, Neill, 2012). Source: Cintas, Das, Quanz et al. (2021), Towards
creativity characterization of generative models via group-based subset scanning.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..config import choose

MOST = 0.5  # the largest a: what is as common as this is not unusual
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # values of a of a scan over images and neurons


def berk_jones(hits: Tensor, size: Tensor, level: Tensor) -> Tensor:
    """N KL(N_a / N, a), the log likelihood ratio of Berk & Jones (1979); 0 for fewer hits than expected."""
    share = hits / size
    rest = torch.xlogy(1 - share, (1 - share) / (1 - level))
    return (size * (torch.xlogy(share, share / level) + rest)).where(share > level, 0.0)


def higher_criticism(hits: Tensor, size: Tensor, level: Tensor) -> Tensor:
    """(N_a - a N) / sqrt(a (1 - a) N), of Donoho & Jin (2004)."""
    return (hits - size * level) / (size * level * (1 - level)).sqrt()


Statistic = Callable[[Tensor, Tensor, Tensor], Tensor]
STATISTICS: dict[str, Statistic] = {"berk-jones": berk_jones, "higher criticism": higher_criticism}


def empirical_p_values(x: Tensor, usual: Tensor) -> Tensor:
    """How usual activations are, (B, K), beside usual ones (N, K): p-values in (0, 1], (B, K), in double precision."""
    if x.ndim != 2 or usual.ndim != 2 or x.shape[1:] != usual.shape[1:] or not len(usual):
        raise ValueError(f"activations {tuple(x.shape)} beside usual {tuple(usual.shape)}: give (B, K) and (N, K)")
    ordered, count = usual.T.contiguous().sort(1).values, len(usual)
    smaller = torch.searchsorted(ordered, x.T.contiguous()).T
    return (1 + count - smaller).double() / (1 + count)


def scan(p: Tensor, statistic: str = "berk-jones") -> tuple[Tensor, Tensor]:
    """The most unusual subset of each row of p-values (B, K): its score (B,), and the subset (B, K) bool."""
    score = STATISTICS[choose("statistic", statistic, STATISTICS)]
    levels, order = p.sort(1)
    size = torch.arange(1, p.shape[1] + 1, device=p.device).double().expand_as(levels)
    scores = score(size, size, levels.clamp_max(MOST)).masked_fill(levels > MOST, 0.0)
    best, at = scores.max(1)
    within = (torch.arange(p.shape[1], device=p.device) <= at[:, None]) & (best > 0)[:, None]
    return best, torch.zeros_like(within).scatter(1, order, within)


def group_scan(p: Tensor, statistic: str = "berk-jones") -> tuple[float, Tensor, Tensor]:
    """The most unusual group of rows together with a subset of neurons: its score, rows (B,) bool, neurons (K,) bool.

    p: (B, K). For each level, from all rows on, the best neurons for the rows and the best rows for the neurons are
    chosen in turn until the score no longer rises; that is a local maximum.
    """
    score = STATISTICS[choose("statistic", statistic, STATISTICS)]
    found = -1.0, torch.ones(len(p), dtype=torch.bool), torch.ones(p.shape[1], dtype=torch.bool)
    for level in LEVELS:
        hits, rows, before = (p <= level).double(), torch.ones(len(p), dtype=torch.bool), -1.0
        while True:
            neurons, _ = _best(hits[rows].sum(0), int(rows.sum()), level, score)
            rows, now = _best(hits[:, neurons].sum(1), int(neurons.sum()), level, score)
            if now <= before + 1e-9:
                break
            before = now
            if now > found[0]:
                found = now, rows, neurons
    return found


def _best(hits: Tensor, each: int, level: float, score: Statistic) -> tuple[Tensor, float]:
    """The best choice of lines with so many hits out of `each` p-values, (M,): (M,) bool, and its score."""
    ordered, order = hits.sort(descending=True, stable=True)
    size = each * torch.arange(1, len(hits) + 1).double()
    best, at = score(ordered.cumsum(0), size, torch.tensor(level).double()).max(0)
    return torch.zeros(len(hits), dtype=torch.bool).index_fill(0, order[: int(at) + 1], True), best.item()


def auc(scores: Tensor, others: Tensor) -> float:
    """How often a score is over one of the others, ties counting half: the area under the ROC curve; (B,), (M,)."""
    ordered = others.sort().values
    below = torch.searchsorted(ordered, scores) + torch.searchsorted(ordered, scores, right=True)
    return below.double().mean().item() / (2 * len(others))
