"""Randomness that belongs to the image: one generator each, on the CPU (as in NVlabs/edm, StackedRandomGenerator)."""

import math
import zlib
from collections.abc import Iterable

import torch
from torch import Tensor


class Noise:
    """A source of noise with one generator per image, so that a seed is the same picture in any batch on any device.

    Successive calls continue each image's own stream.
    """

    def __init__(self, seeds: Iterable[int]) -> None:
        """seeds: one integer in [0, 2**32) per image. Raises ValueError for any other seed."""
        self.seeds = [check(seed) for seed in seeds]
        self.generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def __len__(self) -> int:
        return len(self.seeds)

    def rand(self, *shape: int) -> Tensor:
        """Uniform noise in [0, 1): shape (C, H, W) -> (B, C, H, W), float32, on the CPU."""
        return self._stack([torch.rand(shape, generator=g) for g in self.generators], shape)

    def randn(self, *shape: int) -> Tensor:
        """Standard normal noise: shape (C, H, W) -> (B, C, H, W), float32, on the CPU."""
        return self._stack([torch.randn(shape, generator=g) for g in self.generators], shape)

    def bytes(self, count: int, *shape: int) -> Tensor:
        """Uniform bytes, so many draws at once: shape (C, H, W) -> (count, B, C, H, W), uint8, on the CPU.

        A tenth of the time of `rand` at sixteen draws, where 256 levels are enough. One draw of five and five of one
        are the same bytes.
        """
        values = math.prod(shape)
        words = -(-values // 8)  # a draw of a generator is eight bytes
        drawn = torch.empty(len(self), count, words, dtype=torch.int64)
        for generator, own in zip(self.generators, drawn, strict=True):
            own.random_(-(2**63), None, generator=generator)
        return drawn.view(torch.uint8)[..., :values].unflatten(-1, shape).transpose(0, 1)

    @staticmethod
    def _stack(images: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        return torch.stack(images) if images else torch.empty(0, *shape)


def check(seed: int) -> int:
    """The seed as an int. Raises ValueError unless it is a whole number in [0, 2**32); torch uses no more bits."""
    if seed != int(seed) or not 0 <= seed < 2**32:
        raise ValueError(f"seed {seed!r} is not usable: give a whole number from 0 to {2**32 - 1}")
    return int(seed)


def child(seed: int, *path: str | int) -> int:
    """A seed of its own for one purpose of one experiment: child(7, "shuffle", 3). In [0, 2**31).

    The path is hashed, so that two purposes do not share a stream, and at most 2**31 images can be counted on from it.
    """
    return zlib.crc32("/".join(map(str, (check(seed), *path))).encode()) >> 1
