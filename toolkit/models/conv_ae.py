"""The sparse convolutional autoencoder of "Digits That Are Not" (2016), as its authors released it."""

from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.functional import max_pool2d
from torch.optim import Adadelta

from ..config import check_rate, choose
from ..train import Objective
from . import sparse
from .registry import register


@register
class ConvAE(nn.Module):
    """Convolutions, one winner per map and then one per block, and a single layer that draws. Images (B, C, H, W).

    Three 5x5 convolutions of 128 filters with ReLU; one 13x13 transposed convolution, or, as a later release had it,
    three of 5x5; sigmoid. Of the winners only the strongest in each block of 4x4 positions draws, whatever its map, so
    that at most 16 atoms make an image of 28 pixels, in training as in sampling. (One of the releases has no ReLU after
    the last convolution: a negative winner is weaker than the zeros of its block, so it is the same.)
    """

    @dataclass(frozen=True)
    class Config:
        channels: int = 1
        size: int = 28  # pixels
        filters: int = 128
        kernel: int = 5  # pixels
        depth: int = 3  # convolutions
        block: int = 4  # positions, high and wide, of which one is kept
        decoder: str = "single"  # layer, as wide as the convolutions see, or "deep": their mirror
        lr: float = 0.1  # Adadelta's

        def __post_init__(self) -> None:
            choose("decoder", self.decoder, ["single", "deep"])
            if min(self.channels, self.size, self.filters, self.kernel, self.depth, self.block) < 1:
                raise ValueError("channels, size, filters, kernel, depth and block are at least 1: give larger numbers")
            check_rate(self.lr)
            if self.size <= self.depth * (self.kernel - 1):
                raise ValueError(
                    f"images of {self.size} pixels vanish in {self.depth} convolutions of {self.kernel}x{self.kernel}"
                )

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = c = config
        widths = [c.channels, *[c.filters] * c.depth]
        self.encoder = nn.Sequential(*chain.from_iterable(
            (nn.Conv2d(a, b, c.kernel), nn.ReLU()) for a, b in pairwise(widths)
        ))  # fmt: skip
        mirror = chain.from_iterable((nn.ConvTranspose2d(a, b, c.kernel), nn.ReLU()) for a, b in pairwise(widths[::-1]))
        seen = c.depth * (c.kernel - 1) + 1
        single = nn.ConvTranspose2d(c.filters, c.channels, seen)
        self.decoder = nn.Sequential(*(list(mirror)[:-1] if c.decoder == "deep" else [single]))
        self.apply(_initialise)
        self.to(memory_format=torch.channels_last)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.config.channels, self.config.size, self.config.size

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """(K, h, w)"""
        side = self.config.size - self.config.depth * (self.config.kernel - 1)
        return self.config.filters, side, side

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) -> the winners, (B, K, h, w): at most one nonzero per map and one per block."""
        return strided(sparse.spatial(self.encoder(x)), self.config.block)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, K, h, w) -> images (B, C, H, W) in [0, 1], float32."""
        return self.decoder(z).float().sigmoid()

    def dense(self, x: Tensor) -> Tensor:
        """What `forward` computes, by definition."""
        return self.decode(self.encode(x))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> their reconstruction, in [0, 1]."""
        if x.device.type != "cpu" or not len(x):
            return self.dense(x)
        strength, position = sparse.encode(x, self.encoder)
        strength = strength * _kept(strength, position, self.code_shape[1], self.config.block)
        return sparse.decode(strength, position, self.code_shape[1], self.decoder).sigmoid()

    def reconstruct(self, x: Tensor) -> Tensor:
        """A step: images (B, C, H, W) in [0, 1] -> their reconstruction."""
        return self(x)

    def loss(self, x: Tensor) -> Tensor:
        """The squared error, summed over pixels, averaged over the batch: (B, C, H, W) -> ()."""
        return (self(x) - x).square().flatten(1).sum(1).mean()

    def objectives(self) -> dict[str, Objective]:
        parameters = list(self.parameters())
        return {"reconstruction": Objective(self.loss, parameters, lr=self.config.lr, optimiser=_adadelta)}


def strided(z: Tensor, block: int) -> Tensor:
    """Keep the one strongest value in each block of positions, over all maps: (B, K, h, w), none negative -> same.

    The strided channel winners of the published code. Ties go to one; a block of zeros stays zeros. The last blocks of
    a row or column may be smaller.
    """
    strongest, channel = z.max(1, keepdim=True)
    _, at = max_pool2d(strongest.float(), block, ceil_mode=True, return_indices=True)
    places = torch.zeros_like(strongest).flatten(1).scatter(1, at.flatten(1), 1.0).view_as(strongest)
    return z * torch.zeros_like(z).scatter(1, channel, places)


@torch.no_grad()
def _kept(strength: Tensor, position: Tensor, side: int, block: int) -> Tensor:
    """`strided` for winners, the one of each map: (B, K) each -> 1 where a winner is the strongest of its block."""
    across = -(-side // block)
    home = position // side // block * across + position % side // block  # (B, K): its block
    blocks = torch.arange(across**2, device=home.device)
    best, channel = (strength[..., None] * (home[..., None] == blocks)).max(1)  # (B, blocks)
    return torch.zeros_like(strength).scatter_add(1, channel, (best > 0).to(strength.dtype)).clamp_max(1)


def _adadelta(params: list[Parameter], lr: float | Tensor) -> Adadelta:
    return Adadelta(params, lr, rho=0.95, eps=1e-7, capturable=isinstance(lr, Tensor))


def _initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and no bias, as published."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        assert module.bias is not None
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
