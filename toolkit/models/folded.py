"""Many runs of a deep network at the price of its matrix products: all else is folded into them, buffers are kept."""

from collections.abc import Sequence
from itertools import cycle

import torch
from torch import Tensor, nn

from ..precision import native_bfloat16
from .manifold import Manifold

ROUND = 32  # rows and columns are filled up with zeros to multiples of it: what tiles multiply at once
BLOCK = 512  # of the pixels, multiplied at once: all 784 were a third slower, being more than a cache holds


def folded(model: Manifold) -> "Manifold | Folded":
    """The same step in bfloat16 if that is native to the model's device, and the model itself if not."""
    return Folded(model) if native_bfloat16(next(model.parameters()).device.type) else model


class Folded:
    """What a Manifold does, in bfloat16. The model given is untouched; `reconstruct` is a step, as its own is.

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
        """A step: images (B, C, H, W) in [0, 1] -> what the net takes them for."""
        if not self.between or len(self.between[0]) != len(x):
            self.between = self._buffers(len(x))
        pixels, *hidden = self.between
        pixels[:, : self.pixels].copy_(x.flatten(1))
        h = _relu(_sum_of_products(pixels.split(BLOCK, 1), self.first, out=hidden[-1]))
        for matrix, out in zip(self.hidden, cycle(hidden)):
            h = _relu(torch.mm(h, matrix, out=out))
        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        for part, matrix in zip(y.flatten(1).split(BLOCK, 1), self.last, strict=True):
            part.copy_(h @ matrix)
        return y.sigmoid_()

    def _buffers(self, images: int) -> list[Tensor]:
        width, first = self.first[0].shape[1], self.first[0]
        pixels = first.new_zeros(images, sum(map(len, self.first)))
        pixels[:, self.pixels : self.pixels + 2] = 1
        return [pixels, first.new_empty(images, width), first.new_empty(images, width)]


def _sum_of_products(parts: Sequence[Tensor], matrices: Sequence[Tensor], out: Tensor) -> Tensor:
    torch.mm(parts[0], matrices[0], out=out)
    for part, matrix in zip(parts[1:], matrices[1:], strict=True):
        out.addmm_(part, matrix)
    return out


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
