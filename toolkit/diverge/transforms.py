"""What network bending does to activations (Broad, Leymarie & Grierson, 2021), in plain torch, for whole batches.

A transform takes activations h, (B, K, h, w) or (B, K), its amount, and a unit that broadcasts to h: what counts as 1.
Each has an amount that changes nothing, bit for bit, or, where there is none, is left out by strength 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, max_pool2d

Amount = tuple[float, ...]


@dataclass(frozen=True)
class Transform:
    """apply: (activations, amount, unit) -> activations. neutral: the amount that changes nothing, if there is one.

    usual: an amount worth seeing; its length is that of any amount. maps: it needs feature maps, (B, K, h, w).
    unit: what 1 is when amounts are relative: "peak", the largest activation of a map; "noise", normal noise.
    """

    apply: Callable[[Tensor, Amount, Tensor], Tensor]
    usual: Amount = ()
    neutral: Amount | None = None
    maps: bool = False
    unit: str = "none"


def translate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """By shares of the width to the right and of the height down; zeros come in."""
    return _warp(h, [[1.0, 0.0], [0.0, 1.0]], (-2 * amount[0], -2 * amount[1]))


def rotate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Anticlockwise about the centre, in degrees; zeros come in."""
    c, s = math.cos(math.radians(amount[0])), math.sin(math.radians(amount[0]))
    aspect = h.shape[2] / h.shape[3]
    return _warp(h, [[c, -s * aspect], [s / aspect, c]])


def scale(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """By a factor about the centre; under 1, zeros come in. Raises ValueError for a factor that is not over 0."""
    if amount[0] <= 0:
        raise ValueError(f"scale by {amount[0]}: give a factor over 0")
    return _warp(h, [[1 / amount[0], 0.0], [0.0, 1 / amount[0]]])


def flip_h(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Left becomes right."""
    return h.flip(3)


def flip_v(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """Top becomes bottom."""
    return h.flip(2)


def dilate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """The largest value in a square of so many positions around each. Raises ValueError unless that is 0, 1, 2, ..."""
    radius = int(amount[0])
    if radius != amount[0] or radius < 0:
        raise ValueError(f"a radius of {amount[0]} positions: give a whole number from 0")
    down = max_pool2d(h, (2 * radius + 1, 1), 1, (radius, 0))  # one way and then the other, which costs less
    return max_pool2d(down, (1, 2 * radius + 1), 1, (0, radius))


def erode(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """The smallest value in a square of so many positions around each. Raises what `dilate` raises."""
    return -dilate(-h, amount, unit)


def threshold(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """To one unit where it is over so many units, and 0 elsewhere."""
    return torch.where(h > amount[0] * unit, unit, torch.zeros_like(unit))


def invert(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """One unit, less the activation."""
    return unit - h


def multiply(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """By a number."""
    return h * amount[0]


def ablate(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """To nothing."""
    return torch.zeros_like(h)


def noise(h: Tensor, amount: Amount, unit: Tensor) -> Tensor:
    """So much of the unit, which is noise, added."""
    return h + amount[0] * unit


TRANSFORMS = {
    "translate": Transform(translate, (0.25, 0.0), (0.0, 0.0), maps=True),
    "rotate": Transform(rotate, (45.0,), (0.0,), maps=True),
    "scale": Transform(scale, (1.5,), (1.0,), maps=True),
    "flip_h": Transform(flip_h, maps=True),
    "flip_v": Transform(flip_v, maps=True),
    "erode": Transform(erode, (1.0,), (0.0,), maps=True),
    "dilate": Transform(dilate, (1.0,), (0.0,), maps=True),
    "threshold": Transform(threshold, (0.5,), unit="peak"),
    "invert": Transform(invert, unit="peak"),
    "multiply": Transform(multiply, (3.0,), (1.0,)),
    "ablate": Transform(ablate),
    "noise": Transform(noise, (1.0,), (0.0,), unit="noise"),
}
"""By name: the ten of the published code, with flips told apart, and noise."""


def peak(h: Tensor) -> Tensor:
    """The largest activation, no less than 0: of each map, (B, K, 1, 1), or of the whole layer of units, (B, 1)."""
    return h.amax((2, 3) if h.ndim == 4 else 1, keepdim=True).clamp_min(0)


def deviation(h: Tensor) -> Tensor:
    """The standard deviation of a layer's activations for each image: (B, 1, 1, 1) or (B, 1)."""
    return h.flatten(1).std(1, correction=0).view(-1, *[1] * (h.ndim - 1))


def _warp(h: Tensor, linear: list[list[float]], shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Where each position looks: linear * position + shift, the map being [-1, 1] each way; bilinear, zeros around."""
    if not h.numel():
        return h
    (a, b), (c, d) = linear
    y, x = (((torch.arange(n, device=h.device) + 0.5) * 2 / n - 1) for n in h.shape[2:])
    x, y = x[None, :], y[:, None]
    places = torch.stack([a * x + b * y + shift[0], c * x + d * y + shift[1]], -1)
    warped = grid_sample(h.float(), places.expand(len(h), -1, -1, -1), align_corners=False)
    return warped.to(h.dtype)
