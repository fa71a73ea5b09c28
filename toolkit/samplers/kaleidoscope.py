"""Kaleidoscopic sampling: iterated reconstruction, perturbed before every run but the first."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ..config import choose
from ..seeds import Noise
from .iterate import Step, iterate

MODES = ("centred", "published", "none")
TOGETHER, AT_ONCE = 16, 2**26  # runs whose perturbations are drawn together, and at most so many bytes


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

    A run is the step; before every run but the first the images are perturbed, by `perturbation` times `perturbations`.
    Yielded is the unperturbed output of the step. For a burn-in, use later runs: islice(stream, 5, None).
    shape: (C, H, W). start: "uniform", "normal" (mean and standard deviation 1/2, clipped) or images (B, *shape).
    Without perturbation this is `iterate`. Raises ValueError for an unknown mode or start, a perturbation outside of
    0 to 1, or images of another shape.
    """
    choose("mode", mode, MODES)
    if not 0 <= perturbation <= 1:
        raise ValueError(f"perturbation is {perturbation}: give a strength from 0 to 1, as 0.01")
    x = start_images(start, noise, shape).to(device)
    by = perturbation / 2  # the published range of pixels is twice as wide as ours
    yield x
    x = step(x)
    if mode == "none" or perturbation == 0:
        yield from iterate(step, x)
        return
    for added in perturbations(noise, shape, mode, x.device):
        yield x
        x = step(torch.add(x, added, alpha=by, out=added).clamp_(0, 1))  # in place: new memory is slow


def perturbations(
    noise: Noise, shape: tuple[int, ...], mode: str = "centred", device: str | torch.device = "cpu"
) -> Iterator[Tensor]:
    """What is added to images in run after run, (B, *shape), in units of the published pixel range, [-1, 1].

    centred: uniform in [-1, 1), of mean zero. published: uniform in [1, 3), as the published code does: it brightens.
    Of 256 levels: drawing them costs less than a run. Raises ValueError for another mode.
    """
    lowest = {"centred": -1.0, "published": 1.0}[choose("mode", mode, ["centred", "published"])]
    together = max(1, min(TOGETHER, AT_ONCE // max(1, len(noise) * math.prod(shape))))
    while True:
        for levels in noise.bytes(together, *shape):
            yield levels.to(device).float().mul_(2 / 256).add_(lowest + 1 / 256)


def start_images(start: str | Tensor, noise: Noise, shape: tuple[int, ...]) -> Tensor:
    """The images that sampling starts from, (B, *shape) in [0, 1]. Raises ValueError as `kaleidoscope` does."""
    if isinstance(start, Tensor):
        if start.shape != (len(noise), *shape):
            raise ValueError(f"start images of shape {tuple(start.shape)} are not {(len(noise), *shape)}: resize them")
        return start
    choose("start", start, ["uniform", "normal"])
    return noise.rand(*shape) if start == "uniform" else (0.5 + 0.5 * noise.randn(*shape)).clamp(0, 1)
