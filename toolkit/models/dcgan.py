"""The deep convolutional GAN (Radford et al., 2015), which "Datasets That Are Not" compares with (figures 8 and 9)."""

from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..config import check_rate
from ..train import Objective
from .registry import Generative, check_positive, register

BETAS = (0.5, 0.999)


@register
class DCGAN(Generative):
    """A generator, and a discriminator that tells its images from real ones: (B, channels, size, size) in [0, 1].

    The generator's transposed convolutions, 4x4, go from 512 maps of 4x4 to 64 of 32x32, batch-normalised, and a 1x1
    one draws the picture; the discriminator's convolutions halve it from 64 maps to 512. Inside, images are in [-1, 1].
    As published, but that the discriminator's sigmoid is part of the loss.
    """

    @dataclass(frozen=True)
    class Config:
        channels: int = 1
        size: int = 32  # pixels: 4, 8, 16, 32, 64, ...
        filters: int = 64  # maps at full size; twice as many at each halving
        z: int = 100
        lr: float = 2e-4

        def __post_init__(self) -> None:
            check_positive(self, "channels", "filters", "z")
            if self.size < 8 or self.size & (self.size - 1):
                raise ValueError(f"a DCGAN draws no images of {self.size} pixels: give 8, 16, 32, 64, ...")
            check_rate(self.lr)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config
        halvings = (c.size // 4).bit_length() - 1
        widths = [c.filters * 2**i for i in range(halvings + 1)]  # maps at full size, half, a quarter, ...
        self.generator = nn.Sequential(
            *_up(c.z, widths[-1], stride=1, padding=0),
            *chain.from_iterable(_up(a, b, stride=2, padding=1) for a, b in pairwise(widths[::-1])),
            nn.ConvTranspose2d(c.filters, c.channels, 1, bias=False),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(c.channels, c.filters, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
            *chain.from_iterable(_down(a, b) for a, b in pairwise(widths)),
            nn.Conv2d(widths[-1], 1, 4, 1, 1, bias=False),
            nn.Flatten(0),
        )
        self.apply(_initialise)
        self.to(memory_format=torch.channels_last)

    @property
    def drawing(self) -> nn.Sequential:
        return self.generator

    def decode(self, z: Tensor) -> Tensor:
        return (self._draw(z) + 1) / 2

    def realness(self, x: Tensor) -> Tensor:
        """Logits of the discriminator: images (B, C, H, W) in [0, 1] -> (B,), over 0 for more real than not."""
        return self.discriminator(2 * x - 1).float()

    def objectives(self) -> dict[str, Objective]:
        """The discriminator's, and then the generator's, on the images that the discriminator just saw."""
        fakes: list[Tensor] = []

        def discriminate(x: Tensor) -> Tensor:
            fakes[:] = [self._draw(torch.randn(len(x), self.config.z, device=x.device))]
            real, fake = self.realness(x), self.discriminator(fakes[0].detach()).float()
            return softplus(-real).mean() + softplus(fake).mean()

        def generate(x: Tensor) -> Tensor:
            fake = fakes.pop() if fakes else self._draw(torch.randn(len(x), self.config.z, device=x.device))
            return softplus(-self.discriminator(fake).float()).mean()  # non-saturating

        return {
            "discriminator": Objective(discriminate, list(self.discriminator.parameters()), self.config.lr, BETAS),
            "generator": Objective(generate, list(self.generator.parameters()), self.config.lr, BETAS),
        }

    def _draw(self, z: Tensor) -> Tensor:
        return self.generator(z[:, :, None, None]).float()


def _up(a: int, b: int, stride: int, padding: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU()]


def _down(a: int, b: int) -> list[nn.Module]:
    return [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]


def _initialise(module: nn.Module) -> None:
    """Normal, 0.02, as published: around 0 for convolutions, around 1 for the scales of batch normalisation."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
