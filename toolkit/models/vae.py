"""Variational autoencoders (Kingma & Welling, 2014): that of "Toward a neuro-inspired creative decoder"."""

import math
from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..config import check_rate
from ..train import Objective
from .registry import Generative, register


class Variational(Generative):
    """What every variational autoencoder does with its two halves. Images (B, channels, size, size) in [0, 1].

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
        """Images (B, C, H, W) -> their codes, (B, z): the mean of the posterior."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, z) -> images (B, C, H, W) in [0, 1]."""
        return self.decoder(z).float().sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> the same, through the mean of their codes."""
        return self.decode(self.encode(x))

    def reconstruct(self, x: Tensor) -> Tensor:
        """A step: images (B, C, H, W) in [0, 1] -> their reconstruction."""
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


def check(sizes: tuple[int, ...], beta: float, lr: float) -> None:
    """Raise ValueError unless sizes are at least 1, beta not negative, and lr a learning rate."""
    if min(sizes) < 1:
        raise ValueError(f"a variational autoencoder cannot have sizes of {sizes}: give whole numbers from 1")
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta is {beta}: give a finite weight of the KL divergence, 0 or over")
    check_rate(lr)


@register
class VAE(Variational):
    """784-1000-500-250 to a code of 50 and back; ReLU, in training followed by dropout.

    The code is 100 for MNIST and FashionMNIST together. What the paper does not say is as usual: Bernoulli pixels,
    Adam 1e-3, the initialisation of torch.
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
            if not all(type(width) is int for width in self.widths):
                raise ValueError(f"widths is {self.widths}: give whole numbers")
            check((self.channels, self.size, self.z, *self.widths), self.beta, self.lr)
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
