"""The convolutional winner-take-all autoencoder of "Datasets That Are Not" (2022), after Makhzani & Frey (2015)."""

from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import Tensor, nn

from .. import distributed
from ..config import check_rate, choose
from ..train import Objective
from . import sparse
from .registry import register


@register
class WTA(nn.Module):
    """Convolutions, one winner per feature map, and their mirror. Images (B, channels, size, size) in [0, 1].

    Three 5x5 convolutions of 128 filters, stride 1, no padding, ReLU after each; as many transposed convolutions, ReLU
    between them (section 2 of the paper; padding and the encoder's last ReLU as in the published code).
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
            if min(self.channels, self.size, self.filters, self.kernel, self.depth) < 1:
                raise ValueError("channels, size, filters, kernel and depth are at least 1: give larger numbers")
            check_rate(self.lr)
            if not 0 < self.lifetime <= 1:
                raise ValueError(f"lifetime is {self.lifetime}: give a share of the batch, over 0 and at most 1")
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
        self.decoder = nn.Sequential(*list(mirror)[:-1])  # no ReLU after the last
        self.apply(self._initialise)
        if c.bias is not None:
            nn.init.constant_(self.decoder[-1].bias, c.bias)  # type: ignore[arg-type]
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
        """Images (B, C, H, W) -> the winners, (B, K, h, w): at most one nonzero per map."""
        return sparse.spatial(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, K, h, w) -> raw images (B, C, H, W), float32; a linear output may leave [0, 1]."""
        return self._output(self.decoder(z).float())

    def dense(self, x: Tensor) -> Tensor:
        """What `forward` computes, by definition."""
        return self.decode(self.encode(x))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> their raw reconstruction, spatial sparsity only."""
        if x.device.type != "cpu" or not len(x):
            return self.dense(x)
        return self._draw(*sparse.encode(x, self.encoder))

    def reconstruct(self, x: Tensor) -> Tensor:
        """A step: images (B, C, H, W) in [0, 1] -> their reconstruction, clipped to [0, 1]."""
        return self(x).clamp(0, 1)

    def dense_loss(self, x: Tensor) -> Tensor:
        """What `loss` computes, by definition."""
        rule = sparse.lifetime_per_position if self.config.lifetime_per == "position" else sparse.lifetime
        return _error(self.decode(rule(self.encode(x), self.config.lifetime)), x)

    def loss(self, x: Tensor) -> Tensor:
        """Half the squared error, summed over pixels, averaged over the batch; lifetime sparsity. (B, ...) -> ().

        Images compete for a channel in the whole batch, also where several processes have a part of it each.
        """
        if x.device.type == "cpu":
            strength, position = sparse.encode(x, self.encoder)
            return _error(self._draw(strength * self._survivors(strength, position), position), x)
        z = self.encode(x)
        strength, position = z.flatten(2).max(-1)
        return _error(self.decode(z * self._survivors(strength, position)[..., None, None]), x)

    def objectives(self) -> dict[str, Objective]:
        return {"reconstruction": Objective(self.loss, list(self.parameters()), lr=self.config.lr)}

    def atoms(self, strength: float = 1.0) -> Tensor:
        """What each channel draws alone at the centre of its map: (K, C, H, W), raw."""
        k, h, w = self.code_shape
        weight = next(self.parameters())
        codes = weight.new_zeros(k, k, h, w)
        codes[range(k), range(k), h // 2, w // 2] = strength
        return self.decode(codes)

    def _draw(self, strength: Tensor, position: Tensor) -> Tensor:
        """`decode` for winners, (B, K) each."""
        return self._output(sparse.decode(strength, position, self.code_shape[1], self.decoder))

    def _output(self, y: Tensor) -> Tensor:
        return y.sigmoid() if self.config.output == "sigmoid" else y

    def _survivors(self, strength: Tensor, position: Tensor) -> Tensor:
        every, mine = distributed.all_gather_rows(strength)
        if self.config.lifetime_per == "channel":
            return sparse.survivors(every, self.config.lifetime)[mine]
        positions, _ = distributed.all_gather_rows(position)
        return sparse.survivors_per_position(every, positions, self.config.lifetime)[mine]

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
