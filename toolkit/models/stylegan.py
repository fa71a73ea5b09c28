"""A small StyleGAN (Karras et al., 2019): a mapping network, a constant start, a style and noise for every layer."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, softplus

from ..config import check_rate, choose
from ..train import Objective
from .registry import Generative, check_positive, register

BETAS = (0.0, 0.99)
START = 4  # pixels a side of the constant that every image grows from
PSI = (-2.0, 2.0)  # truncation: 1 is the image as it was learned, 0 the mean image, under 0 its opposite
GROUPS = ("coarse", "middle", "fine", "all")  # of layers, by the size of their maps
TRACKED = 0.995  # of the mean style, from one step of training to the next


@register
class StyleGAN(Generative):
    """A mapping network, a generator by styles, and a discriminator: (B, channels, size, size) in [0, 1].

    A code is all that is random about an image: z, and then the pixels of the noise of every layer. The mapping network
    turns z into a style w; a layer scales its input channels by an affine function of w, and adds noise.
    Styles act by weight demodulation (Karras et al., 2020) and not by AdaIN (2019): a 4x4 map has too few pixels for
    statistics of its own, and the blobs by which AdaIN's generators escape theirs would be half of a digit. Progressive
    growing, which 32 pixels do not need, and the mean of generators are left out.
    """

    @dataclass(frozen=True)
    class Config:
        channels: int = 1
        size: int = 32  # pixels: 8, 16, 32, 64, ...
        filters: int = 16  # maps at full size; twice as many at each halving, four times at most
        z: int = 64  # numbers of z, and of w
        depth: int = 4  # layers of the mapping network
        mixing: float = 0.9  # the share of images whose styles are those of two codes in training
        r1: float = 1.0  # the weight of the gradient penalty on real images (Mescheder et al., 2018)
        lr: float = 1e-3

        def __post_init__(self) -> None:
            check_positive(self, "channels", "filters", "z", "depth")
            if self.size < 2 * START or self.size & (self.size - 1):
                raise ValueError(f"a StyleGAN draws no images of {self.size} pixels: give 8, 16, 32, 64, ...")
            if not (0 <= self.mixing <= 1 and 0 <= self.r1 < math.inf):
                raise ValueError(f"mixing {self.mixing}, r1 {self.r1}: give a share from 0 to 1, and 0 or more")
            check_rate(self.lr)

    mean: Tensor  # of w

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config
        halvings = (c.size // START).bit_length() - 1
        widths = [c.filters * min(2**i, 4) for i in range(halvings, -1, -1)]  # maps from 4x4 to full size
        layers = [StyledConvolution(c.z, widths[0], widths[0])]
        for a, b in pairwise(widths):
            layers += [StyledConvolution(c.z, a, b, up=True), StyledConvolution(c.z, b, b)]
        self.mapping = nn.Sequential(
            *chain.from_iterable((nn.Linear(c.z, c.z), nn.LeakyReLU(0.2)) for _ in range(c.depth))
        )
        self.start = nn.Parameter(torch.randn(1, widths[0], START, START))
        self.generator = nn.ModuleList([*layers, nn.Conv2d(widths[-1], c.channels, 1)])
        self.discriminator = nn.Sequential(
            nn.Conv2d(c.channels, widths[-1], 3, padding=1),
            nn.LeakyReLU(0.2),
            *chain.from_iterable(_down(a, b) for a, b in pairwise(widths[::-1])),
            nn.Flatten(),
            nn.Linear(widths[0] * START**2, widths[0]),
            nn.LeakyReLU(0.2),
            nn.Linear(widths[0], 1),
            nn.Flatten(0),
        )
        self.register_buffer("mean", torch.zeros(c.z))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, 0.2)
                nn.init.zeros_(module.bias)
        for layer in layers:
            nn.init.normal_(layer.style.weight, std=c.z**-0.5)
            nn.init.ones_(layer.style.bias)
        self.to(memory_format=torch.channels_last)

    @property
    def drawing(self) -> nn.Module:
        return self.generator

    @property
    def sides(self) -> list[int]:
        """Pixels a side of the maps of each layer: 4, 8, 8, 16, 16, ..."""
        return [START, *(side for i in range(1, len(self.generator) // 2) for side in [START * 2**i] * 2)]

    def layers(self, group: str) -> list[int]:
        """The layers of a group, by number, 0 next to the start.

        group: "coarse", up to a quarter of the size, "middle", half of it, "fine", the whole, or "all" of them. Raises
        ValueError for another.
        """
        choose("group of layers", group, GROUPS)
        size = self.config.size
        named = ["fine" if side == size else "middle" if side == size // 2 else "coarse" for side in self.sides]
        return [number for number, name in enumerate(named) if group in (name, "all")]

    @property
    def code_shape(self) -> tuple[int]:
        """(z and the noise of all layers,)"""
        return (self.config.z + sum(side**2 for side in self.sides),)

    def styles(self, code: Tensor, psi: float = 1.0) -> Tensor:
        """The style of each layer: codes (B, code) or only their z (B, z) -> w (B, layers, z), all layers alike.

        psi: truncation, from the mean style (0) to w itself (1), or beyond. Raises ValueError for a psi out of range.
        """
        low, high = PSI
        if not low <= psi <= high:
            raise ValueError(f"psi is {psi}: give a number from {low:g} to {high:g}, 1 is no truncation")
        z = code[:, : self.config.z]
        w = self.mapping(z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()).float()
        w = w if psi == 1 else torch.lerp(self.mean, w, psi)
        return w[:, None].expand(-1, len(self.sides), -1)

    def mix(self, w: Tensor, other: Tensor, layers: Iterable[int], strength: float = 1.0) -> Tensor:
        """Style mixing: w (B, layers, z), in some layers with another's, (B or 1, layers, z), as far as the strength.

        layers: by number, 0 next to the start. Raises ValueError for a layer that there is not, or styles to mix with
        that are neither one nor as many.
        """
        chosen = sorted({*layers})
        if chosen and not 0 <= chosen[0] <= chosen[-1] < w.shape[1]:
            raise ValueError(f"layers {chosen} are not all there: give numbers from 0 to {w.shape[1] - 1}")
        if len(other) not in (1, len(w)):
            raise ValueError(f"{len(other)} styles to mix into {len(w)} images: give one, or one for each")
        mixed = w.clone()
        mixed[:, chosen] = torch.lerp(w[:, chosen], other[:, chosen].expand_as(w[:, chosen]), strength)
        return mixed

    def draw(self, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Styles (B, layers, z) and noise (B, all pixels), or none -> images (B, C, H, W) in [0, 1]."""
        return self._paint(w, noise).clamp(0, 1)

    def _paint(self, w: Tensor, noise: Tensor | None) -> Tensor:
        """The same before it is cut off, as the discriminator sees it: what is far out still has a gradient."""
        *layers, paint = self.generator
        sides = self.sides
        maps = noise.split([side**2 for side in sides], 1) if noise is not None else [None] * len(sides)
        x = self.start.expand(len(w), -1, -1, -1)
        for layer, style, side, pixels in zip(layers, w.unbind(1), sides, maps, strict=True):
            x = layer(x, style, None if pixels is None else pixels.view(-1, 1, side, side))
        return cast("Tensor", paint(x)).float()

    def decode(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Codes (B, code) -> images (B, C, H, W) in [0, 1]; of z alone, (B, z), without noise. psi: of `styles`."""
        return self.draw(self.styles(z, psi), z[:, self.config.z :] if z.shape[1] > self.config.z else None)

    def realness(self, x: Tensor) -> Tensor:
        """Logits of the discriminator: images (B, C, H, W) in [0, 1] -> (B,), over 0 for more real than not."""
        return cast("Tensor", self.discriminator(x)).float()

    def objectives(self) -> dict[str, Objective]:
        """The discriminator's, with its gradient penalty, and then the generator's, on the images that it just saw."""
        fakes: list[Tensor] = []

        def discriminate(x: Tensor) -> Tensor:
            fakes[:] = [self._imagine(len(x))]
            real, fake = self.realness(x), self.realness(fakes[0].detach())
            loss = softplus(-real).mean() + softplus(fake).mean()
            if not self.config.r1:
                return loss
            some = x[: -(-len(x) // 4)].detach().requires_grad_()  # as good on average, and a quarter of the time
            (slope,) = torch.autograd.grad(self.realness(some).sum(), some, create_graph=True)
            return loss + self.config.r1 / 2 * slope.square().sum((1, 2, 3)).mean()

        def generate(x: Tensor) -> Tensor:
            fake = fakes.pop() if fakes else self._imagine(len(x))
            return softplus(-self.realness(fake)).mean()  # non-saturating

        drawing = [self.start, *self.mapping.parameters(), *self.generator.parameters()]
        return {
            "discriminator": Objective(discriminate, list(self.discriminator.parameters()), self.config.lr, BETAS),
            "generator": Objective(generate, drawing, self.config.lr, BETAS),
        }

    def _imagine(self, count: int) -> Tensor:
        """So many images of random codes, with mixed styles; their mean style is tracked."""
        device = self.mean.device
        w = self.styles(code := torch.randn(count, *self.code_shape, device=device))
        self.mean.lerp_(w[:, 0].detach().mean(0), 1 - TRACKED)
        if self.config.mixing:
            other = self.styles(torch.randn(count, self.config.z, device=device))
            layers = w.shape[1]
            cut = torch.randint(1, layers, (count, 1, 1), device=device)
            cut = torch.where(torch.rand(count, 1, 1, device=device) < self.config.mixing, cut, layers)
            w = torch.where(torch.arange(layers, device=device)[:, None] < cut, w, other)
        return self._paint(w, code[:, self.config.z :])


class StyledConvolution(nn.Module):
    """A 3x3 convolution whose input channels a style scales, then demodulated; noise, bias, leaky ReLU.

    Equal to the grouped convolution of the paper (2020, section 2.2), whose weights differ from image to image: a scale
    of its input channels is one of the maps themselves. up: to twice the size, bilinearly, before the noise.
    """

    def __init__(self, w: int, a: int, b: int, *, up: bool = False) -> None:
        super().__init__()
        self.style = nn.Linear(w, a)
        self.conv = nn.Conv2d(a, b, 3, padding=1, bias=False)
        self.strength = nn.Parameter(torch.zeros(b, 1, 1))  # of the noise
        self.bias = nn.Parameter(torch.zeros(b, 1, 1))
        self.act = nn.LeakyReLU(0.2)
        self.up = up
        nn.init.kaiming_normal_(self.conv.weight, 0.2)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Maps (B, a, H, W), styles (B, w), noise (B, 1, H, W), of the larger size if up -> (B, b, H, W)."""
        scale = self.style(w)
        x = self.conv(x * scale[:, :, None, None])
        size = (scale.square() @ self.conv.weight.square().sum((2, 3)).T + 1e-8).rsqrt()
        x = x * size[:, :, None, None]
        if self.up:
            x = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        if noise is not None:
            x = x + self.strength * noise
        return cast("Tensor", self.act(x + self.bias))


def _down(a: int, b: int) -> list[nn.Module]:
    """To half the size, antialiased as far as a kernel of 4 pixels is."""
    return [nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)]
