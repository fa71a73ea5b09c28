"""Divergent fine-tuning: on other data, on one's own output, or with a hacked loss.

The survey's "divergent fine-tuning": what is drawn half way between two sets of data belongs to neither (as Schultz's
"You Are Here", 2020, early-stopped transfer), and a model that learns from its own pictures drifts where no data is.

"Amplifying the Uncanny": the generator is tuned so that the discriminator says fake. It goes from realistic over
uncanny to abstract, and in the end all pictures collapse into one; the steps between are what is kept.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..config import choose
from ..models import DCGAN
from ..models.dcgan import BETAS
from ..samplers import Sampling, hallucinate
from ..seeds import child
from ..train import ConcatImages, Images, Objective, Shuffled
from .layers import copied
from .snapshots import Codes, OnStep, Snapshot, check, learn, silent, still

M = TypeVar("M", bound=nn.Module)


def fine_tune(
    model: M,
    images: Images,
    kept: Sequence[int],
    *,
    rate: float = 0.1,
    batch: int = 128,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """The model after so many steps on the pictures of another set, uint8 (N, C, H, W): early-stopped transfer.

    rate: the share of the model's own learning rates that is left, usually a tenth to a fifth; with 0 its weights stay.
    Raises ValueError for steps that do not rise, a rate under 0, or images of another shape than the model's.
    """
    _check(model, images, rate)
    lessons = Shuffled(images, batch, child(seed, "fine-tune"))
    yield from learn(model, lessons, kept, objectives=slowly(rate), on_step=on_step, seed=child(seed, "steps"))


def feedback(
    model: M,
    kept: Sequence[int],
    *,
    images: Images | None = None,
    share: float = 0.0,
    count: int = 1000,
    steps: int = 50,
    rate: float = 0.1,
    batch: int = 128,
    sampling: Sampling | None = None,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """The model after so many rounds, in each of which it draws `count` pictures and learns from these for `steps`.

    A step of a snapshot, and of on_step, is a round. share: of what it learns in a round, that is images of another
    set, uint8 (N, C, H, W), and not its own; 0 is the loop closed, 1 is `fine_tune` on `count` images at a time.
    Raises ValueError as `fine_tune` does, for a share outside of 0 to 1, or over 0 without images.
    """
    check(kept)
    _check(model, images, rate)
    if not 0 <= share <= 1 or (share and images is None):
        raise ValueError(f"share is {share}: give one from 0 to 1, and images for any over 0")
    if min(count, steps, batch) < 1:
        raise ValueError(f"count {count}, steps {steps}, batch {batch}: each is at least 1")
    now: nn.Module = model
    losses: dict[str, float] = {}
    for number in range(kept[-1] + 1):
        if number:
            own = child(seed, "round", number)
            said = _said(now, count - round(share * count), sampling or Sampling(), own)
            heard = ConcatImages((said, _some(images, round(share * count), own))) if images is not None else said
            (last,) = fine_tune(now, heard, [steps], rate=rate, batch=batch, seed=own)
            now, losses = last.model, last.losses
            on_step(number - 1, losses)
        if number in kept:
            yield Snapshot(number, now if number else copied(now), losses)


def slowly(rate: float) -> Callable[[Any], Mapping[str, Objective]]:
    """The objectives of a model, with this share of their learning rates, for `fit`."""
    return lambda model: {name: replace(each, lr=rate * each.lr) for name, each in model.objectives().items()}


def _said(model: nn.Module, count: int, sampling: Sampling, seed: int) -> Tensor:
    """Pictures of the model's own, uint8 (count, C, H, W)."""
    first = child(seed, "said")
    return hallucinate(model, range(first, first + count), sampling).images


def _some(images: Images, count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(child(seed, "others"))
    return images[torch.randint(len(images), (count,), generator=generator)]


def _check(model: Any, images: Images | None, rate: float) -> None:
    if not 0 <= rate < float("inf"):
        raise ValueError(f"rate is {rate}: give a share of the model's learning rate, 0 or more")
    shapes = {tuple(part.shape[1:]) for part in ConcatImages.of(images).parts} if images is not None else set()
    if shapes - {tuple(model.image_shape)}:
        raise ValueError(f"images {shapes.pop()} do not fit a model of {model.image_shape}: give others, or fit them")


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
