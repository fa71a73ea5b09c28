"""Class-steered sampling: towards the reconstruction and up a judge's opinion (the out-of-class study, 2017).

x + towards * (step(x) - x) + along * gradient of the score, clipped: a step like any other, for any sampler.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .iterate import Step

Score = Callable[[Tensor], Tensor]  # images (B, C, H, W) in [0, 1] -> one number per image, (B,)


def steered(step: Step, score: Score, *, along: float, towards: float = 1.0, through: bool = True) -> Step:
    """The step, steered: images (B, C, H, W) in [0, 1] -> same.

    through: the gradient is that of the score of the reconstruction, as published; else of the image itself.
    With along 0 and towards 1 this is the step, clipped; with both 0 nothing moves.
    """

    def move(x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = step(x)
            (uphill,) = torch.autograd.grad(score(y.clamp(0, 1) if through else x).sum(), x)
        x, y = x.detach(), y.detach()
        return (x + towards * (y - x) + along * uphill).clamp(0, 1)

    return move


def of_class(judge: Callable[[Tensor], Tensor], label: int) -> Score:
    """The log-probability of a class. judge: images -> logits (B, K); label: from 0 to K - 1."""
    return lambda x: judge(x).log_softmax(1)[:, label]


def of_any_class(judge: Callable[[Tensor], Tensor]) -> Score:
    """How sure a judge is, whatever the class: the negative entropy of its opinion, from -log K to 0."""

    def sureness(x: Tensor) -> Tensor:
        log_p = judge(x).log_softmax(1)
        return (log_p.exp() * log_p).sum(1)

    return sureness
