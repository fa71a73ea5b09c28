"""Subset scanning against brute force, on planted subsets, and where there is nothing to find."""

from itertools import product

import pytest
import torch
from torch import Tensor

from toolkit.metrics.scan import MOST, STATISTICS, auc, empirical_p_values, group_scan, scan

EACH = pytest.mark.parametrize("statistic", STATISTICS)


def even(*shape: int) -> Tensor:
    """P-values as they are where nothing is unusual."""
    return torch.rand(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(0)).clamp_min(1e-3)


def test_a_p_value_is_the_share_of_usual_activations_that_are_at_least_as_large() -> None:
    usual = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    p = empirical_p_values(torch.tensor([[3.0, 0.0], [2.0, 1.0], [0.0, 0.0]]), usual)
    assert (4 * p).tolist() == [[1.0, 4.0], [2.0, 1.0], [4.0, 4.0]]
    with pytest.raises(ValueError, match=r"give \(B, K\) and \(N, K\)"):
        empirical_p_values(usual[:, :1], usual)


@EACH
def test_the_scan_is_the_best_of_all_subsets_and_levels(statistic: str) -> None:
    p = even(4, 7)
    score = STATISTICS[statistic]
    best = torch.zeros(4, dtype=torch.double)
    for chosen in product([False, True], repeat=7):
        if any(chosen):
            some = p[:, torch.tensor(chosen)]
            for level in p[p <= MOST].tolist():
                hits, size = (some <= level).sum(1).double(), torch.tensor(float(some.shape[1])).double()
                best = torch.maximum(best, score(hits, size, torch.tensor(level).double()))
    torch.testing.assert_close(scan(p, statistic)[0], best)


@EACH
def test_a_planted_subset_is_found_and_where_all_is_usual_there_is_none(statistic: str) -> None:
    p = torch.ones(2, 40, dtype=torch.double)
    p[0, [3, 17, 30]] = 0.01
    scores, subset = scan(p, statistic)
    assert subset[0].nonzero()[:, 0].tolist() == [3, 17, 30] and not subset[1].any()
    assert scores[0] > 1 and scores[1] == 0
    with pytest.raises(ValueError, match="berk-jones"):
        scan(p, "kl")


@EACH
def test_a_planted_group_of_images_and_neurons_is_found(statistic: str) -> None:
    p = even(60, 50)
    p[10:30, 5:25] = 0.002
    _, rows, neurons = group_scan(p, statistic)
    assert rows.nonzero()[:, 0].tolist() == [*range(10, 30)] and neurons.nonzero()[:, 0].tolist() == [*range(5, 25)]


def test_the_area_under_the_curve_is_a_half_for_equals_and_one_for_what_is_always_more() -> None:
    x = torch.tensor([1.0, 2.0, 2.0, 3.0])
    assert auc(x, x) == 0.5 and auc(x + 5, x) == 1 and auc(x[:1], x) == 0.125
