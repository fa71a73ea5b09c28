"""Kaleidoscopic sampling: iterated reconstruction, stirred a little ("Generative Kaleidoscopic Networks", 2024)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..options import choose
from ..seeds import Noise
from .iterate import Step, iterate

MODES = ("centred", "published", "none")


@torch.no_grad()
def kaleidoscope(
    step: Step,
    noise: Noise,
    shape: tuple[int, ...],
    *,
    perturbation: float = 0.01,
    mode: str = "centred",
    start: str | Tensor = "uniform",
    device: str | torch.device = "cpu",
) -> Iterator[Tensor]:
    """The start, and the images after each run, without end: (B, *shape) in [0, 1], one image per seed of the noise.

    A run is the step; before every run but the first the images are stirred, by `perturbation` times `stirring`. What
    is yielded is what the step gave, unstirred; a burn-in is a way to look at it: islice(stream, 5, None).
    shape: (C, H, W). start: "uniform", "normal" (mean and standard deviation 1/2, clipped) or images (B, *shape).
    Without perturbation this is `iterate`. Raises ValueError for an unknown mode or start, a perturbation outside of
    0 to 1, or images of another shape.
    """
    choose("mode", mode, MODES)
    if not 0 <= perturbation <= 1:
        raise ValueError(f"perturbation is {perturbation}: give a strength from 0 to 1, as 0.01")
    x = begin(start, noise, shape).to(device)

    def stirred(x: Tensor) -> Tensor:
        if mode == "none" or perturbation == 0:
            return step(x)
        by = perturbation / 2  # the published range of pixels is twice as wide as ours
        return step((x + by * stirring(noise, shape, mode).to(x.device)).clamp(0, 1))

    yield x
    yield from iterate(stirred, step(x))


def stirring(noise: Noise, shape: tuple[int, ...], mode: str = "centred") -> Tensor:
    """What images are stirred with, (B, *shape), in units of the published pixel range, [-1, 1].

    centred: uniform in [-1, 1). published: uniform in [1, 3), as the published code does: it brightens. none: zeros.
    """
    choose("mode", mode, MODES)
    if mode == "none":
        return torch.zeros(len(noise), *shape)
    return 2 * noise.rand(*shape) + (1 if mode == "published" else -1)


def begin(start: str | Tensor, noise: Noise, shape: tuple[int, ...]) -> Tensor:
    """The images that sampling starts from, (B, *shape) in [0, 1]. Raises ValueError as `kaleidoscope` does."""
    if isinstance(start, Tensor):
        if start.shape != (len(noise), *shape):
            raise ValueError(f"start images of shape {tuple(start.shape)} are not {(len(noise), *shape)}: resize them")
        return start
    choose("start", start, ["uniform", "normal"])
    return noise.rand(*shape) if start == "uniform" else (0.5 + 0.5 * noise.randn(*shape)).clamp(0, 1)
