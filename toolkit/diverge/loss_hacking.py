"""Loss hacking: a trained generator turned against its own frozen discriminator (Broad, Leymarie & Grierson, 2020).

"Amplifying the Uncanny": the generator is tuned so that the discriminator says fake. It goes from realistic over
uncanny to abstract, and in the end all pictures collapse into one; the steps between are what is kept.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..models import DCGAN
from ..models.dcgan import BETAS
from ..objective import Objective
from ..options import choose
from ..seeds import child
from .model_layers import copied
from .snapshots import Codes, OnStep, Snapshot, learn, silent, still

FORMS: dict[str, Callable[[Tensor], Tensor]] = {"cross-entropy": softplus, "logit": lambda said: said}
KEPT = (0, 10, 20, 40, 80, 160, 320)


def loss_hacking(
    gan: DCGAN,
    kept: Sequence[int] = KEPT,
    *,
    lr: float = 1e-4,
    form: str = "cross-entropy",
    batch: int = 32,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """The GAN, less and less real to the discriminator it was trained with, which stays as it is.

    form: "cross-entropy", as published, lowers that of what the discriminator says and "fake"; once it is sure, it has
    nothing to add, and a small one is sure in a few steps. "logit" lowers what it says itself, without end.
    Batch normalisation rests in both networks, so that what is judged is what is drawn; a rate of 0, or 0 steps, leaves
    the GAN as it was. Needs no data.
    Raises ValueError for a learning rate under 0, an unknown form, and what `learn` raises.
    """
    if not 0 <= lr < math.inf:
        raise ValueError(f"lr is {lr}: give a learning rate of 0, which changes nothing, or more")
    said = FORMS[choose("form", form, FORMS)]
    frozen = copied(gan)  # not a part of what is trained: it never wakes

    def objectives(gan: DCGAN) -> Mapping[str, Objective]:
        def fake(codes: Tensor) -> Tensor:
            with still(gan):
                return said(frozen.realness(gan.decode(codes))).mean()

        return {"fake": Objective(fake, list(gan.generator.parameters()), lr, BETAS)}

    codes = Codes(gan.code_shape, batch, child(seed, "loss hacking"))
    return learn(gan, codes, kept, objectives=objectives, on_step=on_step, seed=seed)


@torch.no_grad()
def realness(gan: DCGAN, x: Tensor) -> float:
    """How real pictures (B, C, H, W) in [0, 1] are to the discriminator, averaged, 0 to 1: the score to stop by."""
    return gan.realness(x).sigmoid().mean().item()
