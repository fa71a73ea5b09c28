"""Winner-take-all autoencoders: of "Datasets That Are Not" (2022), and of "Digits That Are Not" (2016).

On a CPU both compute only what winners touch (`sparse`); `dense` is the same by definition.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.functional import max_pool2d
from torch.optim import Adadelta

from .. import distributed
from ..config import check_rate, choose
from ..train import Objective
from . import sparse
from .registry import ImageModel, check_positive, rectified, register


class SparseAutoencoder(ImageModel):
    """Convolutions with ReLU, stride 1, unpadded; one winner per feature map; a decoder of transposed convolutions."""

    encoder: nn.Sequential
    decoder: nn.Sequential

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.widths = [config.channels, *[config.filters] * config.depth]
        self.encoder = nn.Sequential(*rectified(nn.Conv2d, self.widths, config.kernel))

    def mirror(self) -> list[nn.Module]:
        """Transposed convolutions from the code to the image, with ReLU between them."""
        return rectified(nn.ConvTranspose2d, self.widths[::-1], self.config.kernel)[:-1]

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """(K, h, w)"""
        side = self.config.size - self.config.depth * (self.config.kernel - 1)
        return self.config.filters, side, side

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) -> the winners, (B, K, h, w): at most one nonzero per map."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, K, h, w) -> images (B, C, H, W), float32."""
        raise NotImplementedError

    def dense(self, x: Tensor) -> Tensor:
        """What `forward` computes, by definition."""
        return self.decode(self.encode(x))


def _check_convolutions(config: Any, *names: str) -> None:
    check_positive(config, "channels", "size", "filters", "kernel", "depth", *names)
    check_rate(config.lr)
    if config.size <= config.depth * (config.kernel - 1):
        raise ValueError(
            f"images of {config.size} pixels vanish in {config.depth} convolutions of {config.kernel}x{config.kernel}"
        )


@register
class WTA(SparseAutoencoder):
    """The autoencoder of "Datasets That Are Not", after Makhzani & Frey (2015).

    Three 5x5 convolutions of 128 filters and as many transposed ones (section 2 of the paper; padding and the encoder's
    last ReLU as in the published code). In training, of each channel only the strongest winners of the batch are kept.
    """

    @dataclass(frozen=True)
    class Config:
        channels: int = 1
        size: int = 28  # pixels
        filters: int = 128
        kernel: int = 5  # pixels
        depth: int = 3  # convolutions, and as many transposed ones
        output: str = "linear"  # or "sigmoid"
        lifetime: float = 0.05  # the share of a training batch that keeps a channel
        lifetime_per: str = "channel"  # as the paper says, or "position": the code published before January 2023
        init: str = "he"  # or "torch", or "published": normal, 0.001; with lifetime_per="channel" it hardly learns
        bias: float | None = None  # of the output, at first; None: as `init` has it
        lr: float = 1e-3

        def __post_init__(self) -> None:
            choose("output", self.output, ["linear", "sigmoid"])
            choose("lifetime_per", self.lifetime_per, ["channel", "position"])
            choose("init", self.init, ["he", "torch", "published"])
            _check_convolutions(self)
            if not 0 < self.lifetime <= 1:
                raise ValueError(f"lifetime is {self.lifetime}: give a share of the batch, over 0 and at most 1")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.decoder = nn.Sequential(*self.mirror())
        self.apply(self._initialise)
        if config.bias is not None:
            nn.init.constant_(self.decoder[-1].bias, config.bias)  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)

    def encode(self, x: Tensor) -> Tensor:
        return sparse.spatial(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, K, h, w) -> raw images (B, C, H, W), float32; a linear output may leave [0, 1]."""
        return self._output(self.decoder(z).float())

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> their raw reconstruction, without lifetime sparsity."""
        if x.device.type != "cpu" or not len(x):
            return self.dense(x)
        return self._decode_winners(*sparse.encode(x, self.encoder))

    def reconstruct(self, x: Tensor) -> Tensor:
        """A step: images (B, C, H, W) in [0, 1] -> their reconstruction, clipped to [0, 1]."""
        return self(x).clamp(0, 1)

    def loss(self, x: Tensor) -> Tensor:
        """Half the squared error, summed over pixels, averaged over the batch; lifetime sparsity. (B, ...) -> ().

        Images compete for a channel in the whole batch, also where several processes have a part of it each.
        """
        if x.device.type == "cpu":
            strength, position = sparse.encode(x, self.encoder)
            return _error(self._decode_winners(strength * self._survivors(strength, position), position), x)
        z = self.encode(x)
        strength, position = z.flatten(2).max(-1)
        return _error(self.decode(z * self._survivors(strength, position)[..., None, None]), x)

    def dense_loss(self, x: Tensor) -> Tensor:
        """What `loss` computes, by definition."""
        rule = sparse.lifetime_per_position if self.config.lifetime_per == "position" else sparse.lifetime
        return _error(self.decode(rule(self.encode(x), self.config.lifetime)), x)

    def objectives(self) -> dict[str, Objective]:
        return {"reconstruction": Objective(self.loss, list(self.parameters()), lr=self.config.lr)}

    def _decode_winners(self, strength: Tensor, position: Tensor) -> Tensor:
        """`decode` for winners, (B, K) each."""
        return self._output(sparse.decode(strength, position, self.code_shape[1], self.decoder))

    def _output(self, y: Tensor) -> Tensor:
        return y.sigmoid() if self.config.output == "sigmoid" else y

    def _survivors(self, strength: Tensor, position: Tensor) -> Tensor:
        everyones, mine = distributed.all_gather_rows(strength)
        if self.config.lifetime_per == "channel":
            return sparse.survivors(everyones, self.config.lifetime)[mine]
        positions, _ = distributed.all_gather_rows(position)
        return sparse.survivors_per_position(everyones, positions, self.config.lifetime)[mine]

    def _initialise(self, module: nn.Module) -> None:
        if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) or self.config.init == "torch":
            return
        assert module.bias is not None
        if self.config.init == "published":
            nn.init.normal_(module.weight, std=0.001)
            nn.init.normal_(module.bias, std=0.001)
        else:
            fan_in = module.in_channels * module.kernel_size[0] ** 2
            nn.init.normal_(module.weight, std=(2 / fan_in) ** 0.5)
            nn.init.zeros_(module.bias)


def _error(y: Tensor, x: Tensor) -> Tensor:
    return (y - x).square().flatten(1).sum(1).mean() / 2


@register
class ConvAE(SparseAutoencoder):
    """The autoencoder of "Digits That Are Not", as its authors released it.

    Three 5x5 convolutions of 128 filters; one 13x13 transposed convolution, or, as a later release had it, three of
    5x5; sigmoid. Of the winners only the strongest in each block of 4x4 positions is kept, whatever its map, so that at
    most 16 atoms make an image of 28 pixels, in training as in sampling. (One of the releases has no ReLU after the
    last convolution: a negative winner is weaker than the zeros of its block, so it is the same.)
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
            _check_convolutions(self, "block")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        single = nn.ConvTranspose2d(config.filters, config.channels, config.depth * (config.kernel - 1) + 1)
        self.decoder = nn.Sequential(*(self.mirror() if config.decoder == "deep" else [single]))
        self.apply(_xavier)
        self.to(memory_format=torch.channels_last)

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) -> the winners, (B, K, h, w): at most one nonzero per map and one per block."""
        return strided(sparse.spatial(self.encoder(x)), self.config.block)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).float().sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> their reconstruction, in [0, 1]."""
        if x.device.type != "cpu" or not len(x):
            return self.dense(x)
        strength, position = sparse.encode(x, self.encoder)
        strength = strength * _strongest_of_blocks(strength, position, self.code_shape[1], self.config.block)
        return sparse.decode(strength, position, self.code_shape[1], self.decoder).sigmoid()

    def reconstruct(self, x: Tensor) -> Tensor:
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
def _strongest_of_blocks(strength: Tensor, position: Tensor, side: int, block: int) -> Tensor:
    """`strided` for winners, the one of each map: (B, K) each -> 1 where a winner is the strongest of its block."""
    across = -(-side // block)
    home = position // side // block * across + position % side // block  # (B, K): its block
    blocks = torch.arange(across**2, device=home.device)
    best, channel = (strength[..., None] * (home[..., None] == blocks)).max(1)  # (B, blocks)
    return torch.zeros_like(strength).scatter_add(1, channel, (best > 0).to(strength.dtype)).clamp_max(1)


def _adadelta(params: list[Parameter], lr: float | Tensor) -> Adadelta:
    return Adadelta(params, lr, rho=0.95, eps=1e-7, capturable=isinstance(lr, Tensor))


def _xavier(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        assert module.bias is not None
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
