"""Creative adversarial network: to be taken for art, and for no style that there is (Elgammal et al., 2017).

The discriminator has a second head, which learns the styles of the real pictures: here the classes of digits or
clothes. The generator learns to fool the first head and to puzzle the second.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from ..config import choose
from ..models import DCGAN, Labelled
from ..models.dcgan import BETAS
from ..seeds import child
from ..train import Objective, seeded
from .snapshots import OnStep, Snapshot, learn, silent


def binary(styles: Tensor) -> Tensor:
    """As published: logits (B, K) -> the sum of K binary cross-entropies with the target 1/K, averaged: ().

    Section 3.2, the last term of equation 4. Least, K H(1/K), where all styles are equally probable.
    """
    k = styles.shape[1]
    itself = torch.eye(k, dtype=torch.bool, device=styles.device)
    others = styles[:, None, :].expand(-1, k, -1).masked_fill(itself, -torch.inf)  # (B, K, K)
    total = styles.logsumexp(1, keepdim=True)
    yes, no = styles - total, others.logsumexp(2) - total  # log p and log (1 - p), exact near 0 and 1
    return -(yes / k + no * (1 - 1 / k)).sum(1).mean()


def softmax(styles: Tensor) -> Tensor:
    """The form of later code: logits (B, K) -> the cross-entropy of the uniform distribution with them, averaged: ().

    Least, log K, where all styles are equally probable.
    """
    return -styles.log_softmax(1).mean()


AMBIGUITY: dict[str, Callable[[Tensor], Tensor]] = {"binary": binary, "softmax": softmax}


@dataclass(frozen=True)
class Creativity:
    """How a network diverges from its inspiring set.

    ambiguity: the weight of the style-ambiguity loss, lambda in later code; 1 is published, and with 0 it is a plain
    GAN, whose discriminator has no styles to learn. form: of that loss. styles: how many classes there are.
    """

    ambiguity: float = 1.0
    form: str = "binary"
    styles: int = 10

    def __post_init__(self) -> None:
        choose("form of ambiguity", self.form, AMBIGUITY)
        if not 0 <= self.ambiguity < math.inf or self.styles < 2:
            raise ValueError(
                f"ambiguity {self.ambiguity}, {self.styles} styles: give 0 or more, and two styles or more"
            )


def creative_adversarial(
    gan: DCGAN,
    lessons: Iterable[Labelled],
    kept: Sequence[int],
    how: Creativity | None = None,
    *,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """A GAN as it learns to be creative; a snapshot is its generator and first head, a DCGAN like the one given.

    lessons: labelled images, of the GAN's size; labels from 0 to the number of styles - 1. kept: the steps to keep.
    Raises what `learn` raises.
    """
    critics = Critics(gan, how or Creativity(), child(seed, "styles"))
    return learn(critics, lessons, kept, shown=lambda critics: critics.gan, on_step=on_step, seed=seed)


class Critics(nn.Module):
    """A GAN whose discriminator has a second head: of what style a picture is."""

    def __init__(self, gan: DCGAN, how: Creativity, seed: int) -> None:
        super().__init__()
        self.gan, self.how = deepcopy(gan), how
        channels = gan.config.filters * gan.config.size // 4  # of the discriminator's last maps, 2x2
        with seeded(seed, torch.device("cpu")):
            self.styles = nn.Sequential(nn.Conv2d(channels, how.styles, 4, 1, 1), nn.Flatten())
        self.styles.to(next(gan.parameters()).device)

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) in [-1, 1] -> how real they look, (B,), and logits of their styles, (B, K)."""
        seen = self.gan.discriminator[:-2](x)
        return self.gan.discriminator[-2:](seen).float(), self.styles(seen).float()

    def draw(self, lesson: Labelled) -> Tensor:
        """As many pictures as in a lesson: (B, C, H, W) in [-1, 1]."""
        z = torch.randn(len(lesson), self.gan.config.z, device=lesson.images.device)
        return self.gan.generator(z[:, :, None, None]).float()

    def objectives(self) -> dict[str, Objective]:
        """The discriminator's, both heads, and then the generator's, which is judged by the same pictures."""
        weight, puzzle, drawn = self.how.ambiguity, AMBIGUITY[self.how.form], list[Tensor]()

        def discriminate(lesson: Labelled) -> Tensor:
            drawn[:] = [self.draw(lesson)]
            (real, styles), (fake, _) = self.look(2 * lesson.images - 1), self.look(drawn[0].detach())
            told_apart = softplus(-real).mean() + softplus(fake).mean()
            return told_apart + cross_entropy(styles, lesson.labels) if weight else told_apart

        def generate(lesson: Labelled) -> Tensor:
            fake, styles = self.look(drawn.pop())
            fooled = softplus(-fake).mean()
            return fooled + weight * puzzle(styles) if weight else fooled

        heads = [*self.gan.discriminator.parameters(), *(self.styles.parameters() if weight else [])]
        lr = self.gan.config.lr
        return {
            "discriminator": Objective(discriminate, heads, lr, BETAS),
            "generator": Objective(generate, list(self.gan.generator.parameters()), lr, BETAS),
        }
