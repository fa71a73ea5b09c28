"""An objective: a loss, the parameters that may move to lower it, and by what rule they do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer


@dataclass(frozen=True)
class Objective:
    """What one optimiser does: lower `loss` by moving `params`, and nothing else.

    loss: images (B, C, H, W) in [0, 1], or whatever batch it is made for -> a scalar. lr, betas: Adam's.
    optimiser: another than Adam: (params, lr) -> the optimiser; on a GPU lr is a tensor there, so that a step can be
    captured.
    """

    loss: Callable[[Any], Tensor]
    params: list[Parameter]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    optimiser: Callable[[list[Parameter], float | Tensor], Optimizer] | None = None
