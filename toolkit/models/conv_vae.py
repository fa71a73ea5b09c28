"""The convolutional VAE of Burgess et al. (2018), which "Datasets That Are Not" compares with (figures 10 and 11)."""

import math
from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import nn

from .registry import register
from .vae import Variational, check


@register
class ConvVAE(Variational):
    """Three 4x4 convolutions of 32 filters that halve the image, two layers of 256, a code of 20; and their mirror.

    The original is for 64 pixels, with a fourth convolution and a code of 10; this is the one published for 32.
    """

    @dataclass(frozen=True)
    class Config:
        channels: int = 1
        size: int = 32  # pixels
        filters: int = 32
        depth: int = 3  # convolutions, each of which halves the image
        width: int = 256  # of the two fully connected layers
        z: int = 20
        beta: float = 1.0  # the weight of the KL divergence
        lr: float = 1e-3

        def __post_init__(self) -> None:
            check((self.channels, self.size, self.filters, self.depth, self.width, self.z), self.beta, self.lr)
            if self.depth > 30 or self.size % 2**self.depth:
                raise ValueError(f"images of {self.size} pixels cannot be halved {self.depth} times: give another size")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config
        widths = [c.channels, *[c.filters] * c.depth]
        maps = c.filters, c.size // 2**c.depth, c.size // 2**c.depth
        flat = math.prod(maps)
        mirror = chain.from_iterable((nn.ConvTranspose2d(a, b, 4, 2, 1), nn.ReLU()) for a, b in pairwise(widths[::-1]))
        self.encoder = nn.Sequential(
            *chain.from_iterable((nn.Conv2d(a, b, 4, 2, 1), nn.ReLU()) for a, b in pairwise(widths)),
            nn.Flatten(),
            *(nn.Linear(flat, c.width), nn.ReLU(), nn.Linear(c.width, c.width), nn.ReLU()),
            nn.Linear(c.width, 2 * c.z),
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(c.z, c.width), nn.ReLU(), nn.Linear(c.width, c.width), nn.ReLU()),
            *(nn.Linear(c.width, flat), nn.ReLU(), nn.Unflatten(1, maps)),
            *list(mirror)[:-1],  # no ReLU after the last
        )
        self.apply(_initialise)
        self.to(memory_format=torch.channels_last)


def _initialise(module: nn.Module) -> None:
    """He-uniform weights, as published; biases are left to torch."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
