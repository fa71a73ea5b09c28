"""The kaleidoscopic network: a deep multilayer perceptron trained to be the identity on its data, and its fast form."""

import math
from dataclasses import dataclass
from itertools import cycle

import torch
from torch import Tensor, nn

from ..config import check_rate, choose
from ..train import Objective, native_bfloat16
from .registry import ImageModel, check_positive, rectified, register

DEEPEST = 1000  # hidden layers


@register
class Manifold(ImageModel):
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
            check_positive(self, "channels", "size", "width")
            if not 1 <= self.depth <= DEEPEST:
                raise ValueError(f"depth is {self.depth}: give from 1 to {DEEPEST} hidden layers")
            check_rate(self.lr)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        pixels = math.prod(self.image_shape)
        layers = rectified(nn.Linear, [pixels, *[config.width] * config.depth, pixels])[:-1]
        self.net = nn.Sequential(*layers, nn.Tanh() if config.output == "tanh" else nn.Sigmoid())

    @property
    def hidden(self) -> list[nn.Module]:
        return [module for module in self.net if isinstance(module, nn.ReLU)]

    def reconstruct(self, x: Tensor) -> Tensor:
        return self(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> their reconstruction."""
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


ROUND = 32  # rows and columns are filled up with zeros to multiples of it: what tiles multiply at once
BLOCK = 512  # of the pixels, multiplied at once: all 784 were a third slower, being more than a cache holds


def folded(model: Manifold) -> "Manifold | Folded":
    """The same step in bfloat16 if that is native to the model's device, and the model itself if not."""
    return Folded(model) if native_bfloat16(next(model.parameters()).device.type) else model


class Folded:
    """The reconstruction of a Manifold in bfloat16, in fewer operations; the model given is untouched.

    Between the matrix products is nothing but ReLU. Two columns of ones carry the biases from layer to layer, one for
    what bfloat16 keeps of a bias and one for the rest of it. The first and the last matrix also change the range of
    the pixels, [0, 1] to [-1, 1] and back: tanh(z) is 2 sigmoid(2 z) - 1. What is between layers is overwritten by the
    next call, so that it stays in the processor's cache.
    """

    def __init__(self, model: Manifold) -> None:
        layers = [layer for layer in model.net if isinstance(layer, nn.Linear)]
        first, *self.hidden, last = (_folded(*affine) for affine in _in_one_range(model, layers))
        self.pixels = layers[0].in_features
        self.first = first.split(BLOCK)
        self.last = [part.contiguous() for part in last[:, : self.pixels].split(BLOCK, 1)]
        self.between: list[Tensor] = []

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """A step: images (B, C, H, W) in [0, 1] -> their reconstruction."""
        if not self.between or len(self.between[0]) != len(x):
            rows, columns, first = sum(map(len, self.first)), self.first[0].shape[1], self.first[0]
            pixels = first.new_zeros(len(x), rows)
            pixels[:, self.pixels : self.pixels + 2] = 1
            self.between = [pixels, first.new_empty(len(x), columns), first.new_empty(len(x), columns)]
        pixels, *hidden = self.between
        pixels[:, : self.pixels].copy_(x.flatten(1))
        parts = pixels.split(BLOCK, 1)
        h = torch.mm(parts[0], self.first[0], out=hidden[-1])
        for part, matrix in zip(parts[1:], self.first[1:], strict=True):
            h.addmm_(part, matrix)
        _relu(h)
        for matrix, out in zip(self.hidden, cycle(hidden)):
            h = _relu(torch.mm(h, matrix, out=out))
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        for part, matrix in zip(y.flatten(1).split(BLOCK, 1), self.last, strict=True):
            part.copy_(h @ matrix)
        return y.sigmoid_()


def _relu(h: Tensor) -> Tensor:
    """In place. A bfloat16 is negative where its bits are a negative integer, and integers cost a fifth."""
    h.view(torch.int16).clamp_min_(0)
    return h


def _in_one_range(model: Manifold, layers: list[nn.Linear]) -> list[tuple[Tensor, Tensor]]:
    """Weights (out, in) and biases (out,) of a net that takes [0, 1] and ends in a sigmoid, in double precision."""
    affine = [(layer.weight.double(), layer.bias.double()) for layer in layers]
    if model.config.output == "tanh":
        (first, bias), (last, shift) = affine[0], affine[-1]
        affine[0] = 2 * first, bias - first.sum(1)
        affine[-1] = 2 * last, 2 * shift
    return affine


def _folded(weight: Tensor, bias: Tensor) -> Tensor:
    """(out, in) and (out,) -> (in + 2, out + 2), filled up: the last two columns pass the ones on."""
    outs, ins = weight.shape
    matrix = weight.new_zeros(_up(ins + 2), _up(outs + 2), dtype=torch.bfloat16)
    matrix[:ins, :outs] = weight.T
    matrix[ins, :outs] = bias
    matrix[ins + 1, :outs] = bias - matrix[ins, :outs].double()
    matrix[ins, outs] = matrix[ins + 1, outs + 1] = 1
    return matrix


def _up(width: int) -> int:
    return -(-width // ROUND) * ROUND
