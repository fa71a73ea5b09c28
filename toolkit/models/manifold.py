"""A deep multilayer perceptron that learns to return its data ("Generative Kaleidoscopic Networks", 2024).

It is trained to be the identity on its data and nothing else is asked of it: elsewhere it falls back on what it knows.
"""

import math
from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import Tensor, nn

from ..objective import Objective
from ..options import check_rate, choose
from .registry import register

DEEPEST = 1000  # hidden layers


@register
class Manifold(nn.Module):
    """`depth` hidden layers of one width, ReLU, and a bounded output. Images (B, channels, size, size) in [0, 1].

    Points of d coordinates are images of d channels and one pixel, (B, d, 1, 1); their published nets have an Adam rate
    of 1e-3. The published L is the number of hidden layers of a net for images, and one more for points. A tanh net
    works in [-1, 1] inside, and its loss is measured there, as published; a sigmoid net works in [0, 1]. No bottleneck,
    no normalisation, the initialisation of torch.
    """

    @dataclass(frozen=True)
    class Config:
        channels: int = 1
        size: int = 28  # pixels; 1 for points
        depth: int = 10  # hidden layers
        width: int = 500
        output: str = "tanh"  # or "sigmoid"
        lr: float = 1e-4

        def __post_init__(self) -> None:
            choose("output", self.output, ["tanh", "sigmoid"])
            if min(self.channels, self.size, self.width) < 1:
                raise ValueError("channels, size and width are at least 1: give larger numbers")
            if not 1 <= self.depth <= DEEPEST:
                raise ValueError(f"depth is {self.depth}: give from 1 to {DEEPEST} hidden layers")
            check_rate(self.lr)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = c = config
        pixels = math.prod(self.image_shape)
        widths = [pixels, *[c.width] * c.depth, pixels]
        layers = list(chain.from_iterable((nn.Linear(a, b), nn.ReLU(inplace=True)) for a, b in pairwise(widths)))
        self.net = nn.Sequential(*layers[:-1], nn.Tanh() if c.output == "tanh" else nn.Sigmoid())

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.config.channels, self.config.size, self.config.size

    @property
    def hidden(self) -> list[nn.Module]:
        """The hidden layers, from the input to the output: the modules whose output they are."""
        return [module for module in self.net if isinstance(module, nn.ReLU)]

    def reconstruct(self, x: Tensor) -> Tensor:
        """A step: images (B, C, H, W) in [0, 1] -> what the net takes them for."""
        return self(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> the same, by the net in its own range."""
        y = self.net(self._inside(x))
        return (y if self.config.output == "sigmoid" else y.add(1).mul_(0.5)).view_as(x)

    def loss(self, x: Tensor) -> Tensor:
        """Squared error, averaged over pixels and batch, in the net's own range: (B, C, H, W) -> ()."""
        inside = self._inside(x)
        kind = x.device.type
        with torch.autocast(kind, enabled=self.config.size > 1 and torch.is_autocast_enabled(kind)):
            y = self.net(inside)  # images in the arithmetic there is, points in float32: they want every digit
        return (y.float() - inside).square().mean()

    def objectives(self) -> dict[str, Objective]:
        return {"identity": Objective(self.loss, list(self.parameters()), lr=self.config.lr)}

    def _inside(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return flat if self.config.output == "sigmoid" else flat.mul(2).sub_(1)
