"""Variational autoencoders (Kingma & Welling, 2014): one fully connected, one convolutional."""

import math
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..config import check_rate
from ..train import Objective
from .registry import Generative, check_positive, rectified, register


class Variational(Generative):
    """What every variational autoencoder does with its two halves. config: also has beta and lr.

    encoder: images -> mean and log variance side by side, (B, 2 z). decoder: codes (B, z) -> logits of the pixels.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    @property
    def drawing(self) -> nn.Sequential:
        return self.decoder

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> the mean and the log variance of their codes, each (B, z)."""
        mean, log_variance = self.encoder(x).float().chunk(2, 1)
        return mean, log_variance

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) -> the means of their codes, (B, z)."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).float().sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> their reconstruction, through the mean of their codes."""
        return self.decode(self.encode(x))

    def reconstruct(self, x: Tensor) -> Tensor:
        return self(x)

    def loss(self, x: Tensor) -> Tensor:
        """Cross-entropy plus beta KL divergence, each summed, averaged over the batch: (B, C, H, W) -> ()."""
        mean, log_variance = self.posterior(x)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        missed = binary_cross_entropy_with_logits(self.decoder(z).float(), x, reduction="sum")
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return (missed + self.config.beta * divergence) / len(x)

    def objectives(self) -> dict[str, Objective]:
        return {"evidence": Objective(self.loss, list(self.parameters()), lr=self.config.lr)}


def _check(config: Any, *names: str) -> None:
    check_positive(config, "channels", "size", "z", *names)
    check_rate(config.lr)
    if not 0 <= config.beta < math.inf:
        raise ValueError(f"beta is {config.beta}: give a finite weight of the KL divergence, 0 or over")


@register
class VAE(Variational):
    """784-1000-500-250 to a code of 50 and back; ReLU, in training followed by dropout.

    Source: "Toward a neuro-inspired creative decoder". The code is 100 for MNIST and FashionMNIST together. What the
    paper does not say is as usual: Bernoulli pixels, Adam 1e-3, the initialisation of torch.
    """

    @dataclass(frozen=True)
    class Config:
        channels: int = 1
        size: int = 28  # pixels
        widths: tuple[int, ...] = (1000, 500, 250)  # of the encoder; the decoder mirrors them
        z: int = 50
        dropout: float = 0.1  # after each hidden ReLU
        beta: float = 1.0  # the weight of the KL divergence
        lr: float = 1e-3

        def __post_init__(self) -> None:
            object.__setattr__(self, "widths", tuple(self.widths))  # JSON gives a list
            if not all(type(width) is int and width > 0 for width in self.widths):
                raise ValueError(f"widths is {self.widths}: give whole numbers from 1")
            _check(self)
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}: give a share from 0 to under 1")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        pixels = math.prod(self.image_shape)
        self.encoder = nn.Sequential(nn.Flatten(), *self._layers(pixels, *config.widths, 2 * config.z))
        self.decoder = nn.Sequential(
            *self._layers(config.z, *config.widths[::-1], pixels), nn.Unflatten(1, self.image_shape)
        )

    def _layers(self, *widths: int) -> list[nn.Module]:
        dropout = self.config.dropout
        layers = chain.from_iterable((nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)) for a, b in pairwise(widths))
        return list(layers)[:-2]  # no ReLU after the last


@register
class ConvVAE(Variational):
    """Three 4x4 convolutions of 32 filters that halve the image, two layers of 256, a code of 20; and their mirror.

    Source: Burgess et al. (2018), which "Datasets That Are Not" compares with (figures 10 and 11). The original is for
    64 pixels, with a fourth convolution and a code of 10; this is the one published for 32.
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
            _check(self, "filters", "depth", "width")
            if self.depth > 30 or self.size % 2**self.depth:
                raise ValueError(f"images of {self.size} pixels cannot be halved {self.depth} times: give another size")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config
        widths = [c.channels, *[c.filters] * c.depth]
        maps = c.filters, c.size // 2**c.depth, c.size // 2**c.depth
        flat = math.prod(maps)
        self.encoder = nn.Sequential(
            *rectified(nn.Conv2d, widths, 4, 2, 1),
            nn.Flatten(),
            *rectified(nn.Linear, [flat, c.width, c.width]),
            nn.Linear(c.width, 2 * c.z),
        )
        self.decoder = nn.Sequential(
            *rectified(nn.Linear, [c.z, c.width, c.width, flat]),
            nn.Unflatten(1, maps),
            *rectified(nn.ConvTranspose2d, widths[::-1], 4, 2, 1)[:-1],  # no ReLU after the last
        )
        self.apply(_he_uniform)
        self.to(memory_format=torch.channels_last)


def _he_uniform(module: nn.Module) -> None:
    """Weights as published; biases are left to torch."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
