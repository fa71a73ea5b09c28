"""An objective: a loss, and the parameters that may move to lower it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import Parameter


@dataclass(frozen=True)
class Objective:
    """What one optimiser does: lower `loss` by moving `params`, and nothing else.

    loss: images (B, C, H, W) in [0, 1], or whatever batch it is made for -> a scalar. lr, betas: Adam's.
    """

    loss: Callable[[Any], Tensor]
    params: list[Parameter]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
