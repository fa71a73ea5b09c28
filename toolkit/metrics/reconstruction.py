"""How far a picture lies from all that a decoder can draw ("Toward a neuro-inspired creative decoder", D_r).

D_r(x) is the least Euclidean norm, over pixels, of x - decode(z) over all codes z. A regular sample is a decoded code,
so that its exact D_r is 0, and yet the paper's table has 1.2 to 1.6 for it: what was measured there is an
approximation, most likely the round trip through the encoder. Both are here.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from ..seeds import Noise, child


class Coder(Protocol):
    """Images (B, C, H, W) in [0, 1] -> codes (B, z), and back."""

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


@torch.no_grad()
def encoder_distance(model: Coder, x: Tensor, batch: int = 1000) -> Tensor:
    """The norm of what a round trip through encoder and decoder changes: (B, C, H, W) in [0, 1] -> (B,)."""
    return torch.cat([_norm(part - model.decode(model.encode(part))) for part in x.split(batch)])


def optimised_distance(
    model: Any, x: Tensor, *, steps: int = 200, lr: float = 0.05, starts: int = 3, seed: int = 0, batch: int = 500
) -> Tensor:
    """The least distance found by descending over the code with Adam: (B, C, H, W) in [0, 1] -> (B,).

    starts: from how many codes; the first is the encoder's, so that the result is at most `encoder_distance`, the
    others are drawn from the prior, the same for any image. A model without an encoder starts from the prior alone.
    An image does not depend on the others. Raises ValueError without a step or a start.
    """
    if min(steps, starts) < 1 or lr <= 0:
        raise ValueError(f"steps {steps}, starts {starts}, lr {lr}: give at least one of each, and a rate over 0")
    return torch.cat([_descend(model, part, steps, lr, starts, seed) for part in x.split(batch)])


def _descend(model: Any, x: Tensor, steps: int, lr: float, starts: int, seed: int) -> Tensor:
    z = _starts(model, x, starts, seed).requires_grad_(True)
    target = x.repeat_interleave(starts, 0)
    best = torch.full((len(z),), torch.inf, device=x.device)
    adam = torch.optim.Adam([z], lr)
    with torch.enable_grad():
        for _ in range(steps):
            distance = _norm(model.decode(z) - target)
            best = torch.minimum(best, distance.detach())
            adam.zero_grad()
            (distance.square().sum() / 2).backward(inputs=[z])
            adam.step()
    with torch.no_grad():
        best = torch.minimum(best, _norm(model.decode(z) - target))
    return best.view(len(x), starts).amin(1)


@torch.no_grad()
def _starts(model: Any, x: Tensor, count: int, seed: int) -> Tensor:
    """Codes (B * count, z), those of an image together."""
    coded = [model.encode(x)] if hasattr(model, "encode") else []
    prior = Noise(child(seed, "start", n) for n in range(count - len(coded))).randn(*model.code_shape).to(x.device)
    return torch.stack([*coded, *(z.expand(len(x), -1) for z in prior)], 1).flatten(0, 1).clone()


def _norm(difference: Tensor) -> Tensor:
    return difference.flatten(1).norm(dim=1)
