"""Randomness belongs to the image."""

import pytest
import torch

from toolkit.seeds import Noise, check, child

SHAPE = (1, 6, 6)


@pytest.mark.parametrize("kind", ["rand", "randn"])
def test_an_image_is_the_same_alone_and_in_a_batch_of_any_order(kind: str) -> None:
    together = getattr(Noise([3, 1, 4]), kind)(*SHAPE)
    assert torch.equal(together, getattr(Noise([4, 1, 3]), kind)(*SHAPE).flip(0))
    for i, seed in enumerate([3, 1, 4]):
        alone = Noise([seed])
        assert torch.equal(getattr(alone, kind)(*SHAPE)[0], together[i])
        assert not torch.equal(alone.rand(*SHAPE)[0], together[i])  # later noise goes on


def test_the_global_generator_neither_matters_nor_moves() -> None:
    first = Noise([5]).rand(*SHAPE)
    before = torch.get_rng_state()
    torch.rand(7)
    moved = torch.get_rng_state()
    assert torch.equal(Noise([5]).rand(*SHAPE), first)
    assert torch.equal(torch.get_rng_state(), moved)
    assert not torch.equal(before, moved)


def test_uniform_noise_fills_zero_to_one_and_normal_noise_is_standard() -> None:
    uniform, normal = Noise(range(20)).rand(1, 28, 28), Noise(range(20)).randn(1, 28, 28)
    assert 0 <= uniform.min() < 0.001 and 0.999 < uniform.max() < 1
    assert abs(normal.mean()) < 0.05 and abs(normal.std() - 1) < 0.05
    levels = Noise(range(20)).bytes(4, 1, 28, 28)
    assert abs(levels.double().mean() - 127.5) < 1 and len(levels.unique()) == 256


def test_any_two_seeds_are_two_pictures() -> None:
    seeds = [0, 1, 2, 2**8, 2**16, 2**31, 2**32 - 1]
    pictures = Noise(seeds).rand(*SHAPE).flatten(1)
    assert len(pictures.unique(dim=0)) == len(seeds)
    assert Noise([]).rand(*SHAPE).shape == (0, *SHAPE) and Noise([]).bytes(4, *SHAPE).shape == (4, 0, *SHAPE)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63, 1.5])
def test_a_seed_that_the_generator_would_confuse_with_another_is_refused(seed: float) -> None:
    with pytest.raises(ValueError, match="give a whole number"):
        check(seed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give a whole number"):
        Noise([0, seed])  # type: ignore[list-item]


def test_a_child_is_a_seed_with_room_to_count_on_and_never_changes() -> None:
    seeds = [child(7, "shuffle", index) for index in range(1000)]
    assert all(check(seed + 2**31 - 1) for seed in seeds)
    assert child(7, "shuffle", 3) == seeds[3] == 2097659150  # shipped runs are made again from it


def test_bytes_are_the_same_however_many_are_drawn_at_once():
    at_once, noise = Noise([3, 4]).bytes(5, 1, 3, 3), Noise([3, 4])
    assert at_once.dtype == torch.uint8 and at_once.shape == (5, 2, 1, 3, 3)
    assert torch.equal(torch.cat([noise.bytes(2, 1, 3, 3), noise.bytes(3, 1, 3, 3)]), at_once)
    assert torch.equal(Noise([4]).bytes(5, 1, 3, 3)[:, 0], at_once[:, 1])
