"""Winner-take-all sparsity, against an independent definition in loops.

Where values tie, any of them may win. So the results are compared in what must agree: nothing but values of z or zeros,
the same kept values, and position by position wherever the winners are certain.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.models.sparse import kept, lifetime, lifetime_per_position, spatial, survivors_per_position

Array = NDArray[np.float32]
RATES = [0.05, 0.2, 0.5, 1.0]


def codes(batch: int, *, ties: bool, seed: int = 0) -> Tensor:
    """Activations (B, 3, 4, 4) as after a ReLU, with maps and a channel of zeros; for ties, only four levels."""
    z = torch.rand(batch, 3, 4, 4, generator=torch.Generator().manual_seed(1000 * batch + seed))
    z = (z * 4).floor() if ties else (z - 0.3).relu()
    z[::3, 0] = 0
    z[:, 2] = 0
    return z


def slow_winners(values: Array, count: int) -> list[int]:
    """The indices of the `count` largest, found one after the other; of equal ones the first."""
    left, winners = list(range(len(values))), []
    for _ in range(min(count, len(values))):
        best = left[0]
        for i in left:
            if values[i] > values[best]:
                best = i
        winners.append(best)
        left.remove(best)
    return winners


def certain(values: Array, count: int) -> bool:
    """Whether no value outside the `count` largest equals one inside: then there is only one set of winners."""
    ordered = sorted(values.tolist(), reverse=True)
    return count >= len(ordered) or ordered[count - 1] > ordered[count]


def slow_spatial(z: Array) -> Array:
    out = np.zeros_like(z)
    for b, k in np.ndindex(z.shape[:2]):
        (winner,) = slow_winners(z[b, k].ravel(), 1)
        out[b, k].ravel()[winner] = z[b, k].ravel()[winner]
    return out


def slow_lifetime(z: Array, rate: float) -> Array:
    out = np.zeros_like(z)
    for k in range(z.shape[1]):
        strength = np.array([z[b, k].max() for b in range(len(z))])
        for b in slow_winners(strength, max(1, round(rate * len(z)))):
            out[b, k] = z[b, k]
    return out


def slow_per_position(z: Array, rate: float) -> Array:
    out = np.zeros_like(z)
    for k, row, column in np.ndindex(z.shape[1:]):
        for b in slow_winners(z[:, k, row, column], max(1, round(rate * len(z)))):
            out[b, k, row, column] = z[b, k, row, column]
    return out


def assert_same_values(fast: Tensor, slow: Array, dim: int) -> None:
    """Along a dimension: the same values, in any order."""
    assert torch.equal(fast.sort(dim).values, torch.from_numpy(slow).sort(dim).values)


def assert_nothing_is_invented(out: Tensor, z: Tensor) -> None:
    assert ((out == z) | (out == 0)).all()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("batch", range(1, 31))
def test_spatial_equals_the_slow_definition(batch: int, ties: bool) -> None:
    z = codes(batch, ties=ties)
    fast, slow = spatial(z), slow_spatial(z.numpy())
    assert_nothing_is_invented(fast, z)
    assert_same_values(fast.flatten(2), slow.reshape(batch, 3, 16), 2)
    for b, k in np.ndindex(batch, 3):
        if certain(z[b, k].numpy().ravel(), 1):
            assert np.array_equal(fast[b, k], slow[b, k])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("batch", range(1, 31))
def test_lifetime_equals_the_slow_definition(batch: int, ties: bool) -> None:
    z = spatial(codes(batch, ties=ties))
    for rate in RATES:
        fast, slow = lifetime(z, rate), slow_lifetime(z.numpy(), rate)
        assert_nothing_is_invented(fast, z)
        assert_same_values(fast.flatten(2).amax(2), slow.reshape(batch, 3, 16).max(2), 0)
        for k in range(3):
            if certain(z[:, k].flatten(1).amax(1).numpy(), kept(batch, rate)):
                assert np.array_equal(fast[:, k], slow[:, k])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("batch", range(1, 31))
def test_lifetime_per_position_equals_the_slow_definition(batch: int, ties: bool) -> None:
    z = spatial(codes(batch, ties=ties))
    for rate in RATES:
        fast, slow = lifetime_per_position(z, rate), slow_per_position(z.numpy(), rate)
        assert_nothing_is_invented(fast, z)
        assert_same_values(fast, slow, 0)
        for place in np.ndindex(3, 4, 4):
            if certain(z[(slice(None), *place)].numpy(), kept(batch, rate)):
                assert np.array_equal(fast[(slice(None), *place)], slow[(slice(None), *place)])


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_the_rule_per_position_on_winners_is_the_rule_on_their_maps(batch: int) -> None:
    generator = torch.Generator().manual_seed(batch)
    z = spatial(torch.rand(batch, 5, 2, 3, generator=generator))  # six places for many winners
    strength, position = z.flatten(2).max(-1)
    mine = survivors_per_position(strength, position, 0.1)
    assert torch.equal(z * mine[..., None, None], lifetime_per_position(z, 0.1))
    assert batch == 1 or 0 < mine.mean() < 1


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("rate", RATES)
def test_lifetime_keeps_or_drops_a_map_whole(rate: float, ties: bool) -> None:
    z = codes(20, ties=ties)  # dense maps
    out = lifetime(z, rate)
    dropped = (out == 0).flatten(2).all(2)
    untouched = (out == z).flatten(2).all(2)
    assert (dropped | untouched).all()
    assert (~dropped).sum(0).max() <= round(rate * 20)


@pytest.mark.parametrize("value", [1.0, 0.25, -1.0])
def test_a_flat_map_keeps_exactly_one_winner(value: float) -> None:
    out = spatial(torch.full((5, 7, 4, 4), value))
    assert ((out != 0).flatten(2).sum(2) == 1).all()


def test_a_map_of_zeros_stays_zeros() -> None:
    assert not spatial(torch.zeros(3, 2, 4, 4)).any()
    assert not lifetime(torch.zeros(3, 2, 4, 4), 0.05).any()
    assert not lifetime_per_position(torch.zeros(3, 2, 4, 4), 0.05).any()


@pytest.mark.parametrize("batch", range(1, 20))
def test_a_batch_under_twenty_keeps_one_image_per_channel_at_five_percent(batch: int) -> None:
    z = spatial(torch.rand(batch, 6, 4, 4))
    assert ((lifetime(z, 0.05) != 0).flatten(2).any(2).sum(0) == 1).all()


def test_five_of_a_hundred_keep_a_channel_and_they_are_the_strongest() -> None:
    z = spatial(torch.rand(100, 6, 4, 4))
    strength, out = z.flatten(2).amax(2), lifetime(z, 0.05).flatten(2).amax(2)
    assert ((out > 0).sum(0) == 5).all()
    assert torch.equal(out.sort(0).values[-5:], strength.sort(0).values[-5:])


def test_equal_images_do_not_all_keep_a_channel() -> None:
    z = spatial(torch.rand(1, 4, 4, 4)).repeat(100, 1, 1, 1)
    assert ((lifetime(z, 0.05) != 0).flatten(2).any(2).sum(0) == 5).all()
    assert ((lifetime_per_position(z, 0.05) != 0).sum((0, 2, 3)) == 5).all()


def test_per_position_keeps_all_that_per_channel_keeps_and_more() -> None:
    z = spatial(torch.rand(60, 8, 4, 4))
    strict, loose = lifetime(z, 0.05) != 0, lifetime_per_position(z, 0.05) != 0
    assert (strict <= loose).all()
    assert loose.sum() > strict.sum()


def test_a_rate_of_one_changes_nothing() -> None:
    z = spatial(torch.rand(13, 4, 4, 4))
    assert torch.equal(lifetime(z, 1.0), z)
    assert torch.equal(lifetime_per_position(z, 1.0), z)


def test_winners_of_winners_are_the_same_and_no_image_depends_on_its_batch() -> None:
    z = torch.rand(6, 4, 4, 4)
    assert torch.equal(spatial(spatial(z)), spatial(z))
    assert torch.equal(spatial(z)[2:3], spatial(z[2:3]))


def test_only_winners_are_taught() -> None:
    z = torch.rand(40, 3, 4, 4, requires_grad=True)
    out = lifetime(spatial(z), 0.05)
    out.sum().backward()
    assert z.grad is not None
    assert torch.equal(z.grad != 0, out != 0)
