"""K-means on what channels do."""

import pytest
import torch
from torch import Tensor, nn

from toolkit.diverge import clusters, k_means


def crowds() -> Tensor:
    """Three crowds of five points, far from each other, taking turns."""
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    return centres.repeat(5, 1) + 0.3 * torch.randn(15, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("seed", range(5))
def test_crowds_are_found_and_numbered_by_their_first_member(seed: int) -> None:
    assert k_means(crowds(), 3, seed=seed).tolist() == [0, 1, 2] * 5


def test_one_cluster_is_all_and_as_many_as_rows_are_each() -> None:
    assert k_means(crowds(), 1).tolist() == [0] * 15 and k_means(crowds(), 15).tolist() == list(range(15))


def test_the_same_seed_gives_the_same_clusters() -> None:
    x = torch.rand(40, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(k_means(x, 5, seed=3), k_means(x, 5, seed=3))
    assert len({tuple(k_means(x, 5, seed=seed).tolist()) for seed in range(10)}) > 1


def test_every_row_is_nearest_to_its_own_centre() -> None:
    x = torch.rand(60, 2, generator=torch.Generator().manual_seed(2)).double()
    labels = k_means(x, 4)
    centres = torch.stack([x[labels == label].mean(0) for label in range(4)])
    assert torch.equal(torch.cdist(x, centres).argmin(1), labels)


def test_equal_rows_are_no_reason_to_fail() -> None:
    assert set(k_means(torch.zeros(4, 2), 3).tolist()) <= {0, 1, 2}


@pytest.mark.parametrize("k", [0, 16])
def test_more_clusters_than_rows_are_refused(k: int) -> None:
    with pytest.raises(ValueError, match="^15 channels[^\n]+: give [^\n]+15$"):
        k_means(crowds(), k)


def test_channels_that_do_alike_are_together_however_strong_they_are() -> None:
    maps = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    h = torch.cat([maps, 3 * maps, 1 - maps, maps + 2, 2 - 2 * maps], 1)
    layer = nn.Sequential(nn.Identity())
    assert clusters(layer, "0", lambda model: model(h), 2).tolist() == [0, 0, 1, 0, 1]


def test_units_are_compared_by_what_they_do_for_each_image() -> None:
    z = torch.rand(30, 1, generator=torch.Generator().manual_seed(0))
    h = torch.cat([z, -z, 2 * z + 1, -z / 2], 1)
    assert clusters(nn.Sequential(nn.Identity()), "0", lambda model: model(h), 2).tolist() == [0, 1, 0, 1]
