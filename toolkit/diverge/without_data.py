"""Training without data: two generators in an (un)stable equilibrium, and not one picture to learn from (Broad, 2020).

A critic learns to tell which of the two drew a picture; each generator learns to be taken for the other, and to draw in
more colours than the other. The published losses are not known in full: these are ours, after the survey's words.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm

from ..models import DCGAN
from ..models.dcgan import BETAS
from ..seeds import child
from ..train import Objective, seeded
from .snapshots import Codes, OnStep, Snapshot, learn, silent

LEAST = 1e-3  # variety that counts as none: there the logarithm ends


@dataclass(frozen=True)
class Equilibrium:
    """What keeps two generators apart, and from collapse.

    diversity: the weight, gamma, of having more colours than the rival. variety: the weight of drawing shapes that
    differ more from each other than the rival's; without it pictures are flat. lr: small, of all three networks.
    """

    diversity: float = 1.0
    variety: float = 1.0
    lr: float = 2e-4

    def __post_init__(self) -> None:
        if not (0 <= self.diversity < math.inf and 0 <= self.variety < math.inf and 0 < self.lr < math.inf):
            raise ValueError(
                f"diversity {self.diversity}, variety {self.variety}, lr {self.lr}: give 0 or more, lr over 0"
            )


def colours(x: Tensor) -> Tensor:
    """How much of the colours pictures fill, each by its mean: (B, C, H, W) -> (), 0 if all lie on a line or plane.

    The geometric mean of the deviations along the principal axes of their colours: of grey, just the deviation.
    """
    c = x.mean((2, 3)).double()  # nearly flat, a determinant rounds to below 0
    c = c - c.mean(0)
    covariance = c.T @ c / len(c) + LEAST**2 * torch.eye(c.shape[1], dtype=c.dtype, device=c.device)
    return (torch.logdet(covariance) / (2 * len(covariance))).exp().to(x.dtype)


def shapes(x: Tensor) -> Tensor:
    """How much pictures differ once each has lost its mean colour: (B, C, H, W) -> (), a deviation per pixel."""
    drawn = x - x.mean((2, 3), keepdim=True)
    return (drawn.var(0, correction=0).mean() + LEAST**2).sqrt()


def rivalry(measure: Callable[[Tensor], Tensor], mine: Tensor, theirs: Tensor) -> Tensor:
    """How far the rival is ahead: the log of its measure over mine, (); 0 where both are equal.

    The rival's counts as given, so that one gets ahead by its own pictures alone.
    """
    return measure(theirs.detach()).log() - measure(mine).log()


def without_data(
    one: DCGAN,
    other: DCGAN,
    kept: Sequence[int],
    how: Equilibrium | None = None,
    *,
    batch: int = 32,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """Two generators that learn from each other alone; a snapshot is of both, `Rivals`.

    Raises ValueError for two of different sizes, and what `learn` raises.
    """
    if one.config != other.config:
        raise ValueError(f"{one.config} and {other.config} cannot be taken for each other: give two of one size")
    rivals = Rivals(one, other, how or Equilibrium(), child(seed, "critic"))
    codes = Codes(one.code_shape, batch, child(seed, "without data"))
    return learn(rivals, codes, kept, on_step=on_step, seed=seed)


class Rivals(nn.Module):
    """Two generators, and a critic that tells them apart: over 0 is the one, under 0 the other.

    The critic has the layers of a DCGAN's discriminator, with spectral normalisation instead of that over the batch: it
    cannot grow so steep that a generator finds no way back.
    """

    def __init__(self, one: DCGAN, other: DCGAN, how: Equilibrium, seed: int = 0) -> None:
        super().__init__()
        self.one, self.other, self.how = deepcopy(one), deepcopy(other), how
        layers = [layer for layer in deepcopy(one.discriminator) if not isinstance(layer, nn.BatchNorm2d)]
        with seeded(seed, torch.device("cpu")):  # where power iteration starts
            self.critic = nn.Sequential(*(spectral_norm(x) if isinstance(x, nn.Conv2d) else x for x in layers))

    def tell(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] -> (B,), over 0 for more like the one's than the other's."""
        return self.critic(2 * x - 1).float()

    def objectives(self) -> Mapping[str, Objective]:
        """The critic's, and then both generators', from the same codes."""

        def criticise(codes: Tensor) -> Tensor:
            with torch.no_grad():
                one, other = self.one.decode(codes), self.other.decode(codes)
            return (softplus(-self.tell(one)) + softplus(self.tell(other))).mean()

        def rival(mine: DCGAN, theirs: DCGAN, sign: float) -> Callable[[Tensor], Tensor]:
            def loss(codes: Tensor) -> Tensor:
                x = mine.decode(codes)
                with torch.no_grad():
                    y = theirs.decode(codes)
                taken = softplus(sign * self.tell(x)).mean()
                return taken + self.how.diversity * rivalry(colours, x, y) + self.how.variety * rivalry(shapes, x, y)

            return loss

        moved = {"critic": self.critic, "one": self.one.generator, "other": self.other.generator}
        losses = {"critic": criticise, "one": rival(self.one, self.other, 1), "other": rival(self.other, self.one, -1)}
        return {n: Objective(losses[n], list(net.parameters()), self.how.lr, BETAS) for n, net in moved.items()}
