"""Chaining: a picture that one model made is where another starts (the survey's "chaining models")."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..samplers.generate import generates
from ..seeds import Noise


def chain(models: Sequence[nn.Module], start: Noise | Tensor, *, passes: int | Sequence[int] = 1) -> Iterator[Tensor]:
    """What each model makes of what the one before made, one after the other: (B, C, H, W) in [0, 1], of its own size.

    start: noise, of which the first model makes its own picture if it draws from codes, and else takes as images; or
    images (B, C, H, W) in [0, 1]. passes: how often each model reconstructs, one number or one for each model; a model
    that draws its picture from noise does so once, and its number does not count. With 0 a model hands on what it got,
    in its size. Raises ValueError for no models, numbers that do not fit, or a model that takes no pictures in a place
    where it gets one.
    """
    counts = [passes] * len(models) if isinstance(passes, int) else list(passes)
    if not models or len(counts) != len(models) or min(counts) < 0:
        raise ValueError(f"{len(models)} models, passes {passes}: give a model or more, and 0 or more passes for each")
    draws = isinstance(start, Noise) and generates(models[0])
    if astray := [type(model).__name__ for model in models[draws:] if not hasattr(model, "reconstruct")]:
        raise ValueError(f"{astray[0]} takes no pictures: let it be the first, and start from noise")
    return _links(models, start, counts)


@torch.no_grad()
def _links(models: Sequence[Any], start: Noise | Tensor, counts: Sequence[int]) -> Iterator[Tensor]:
    x: Tensor | None = None if isinstance(start, Noise) else start
    for model, count in zip(models, counts, strict=True):
        if x is None and isinstance(start, Noise):
            x = model.sample(start) if generates(model) else start.rand(*model.image_shape)
            if generates(model):
                yield x
                continue
        assert x is not None
        x = fitted(x, model.image_shape).to(next(model.parameters()).device)
        for _ in range(count):
            x = model.reconstruct(x)
        yield x


def fitted(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images (B, C, H, W) in [0, 1] in another shape (C, H, W), smoothly; in their own, they are returned as they are.

    Colour becomes grey by its mean, grey is repeated. Raises ValueError for other numbers of channels.
    """
    channels, *size = shape
    if x.ndim != 4 or (x.shape[1] != channels and 1 not in (x.shape[1], channels)):
        raise ValueError(f"images {tuple(x.shape)} do not fit a model of {shape}: give grey ones, or as many channels")
    if x.shape[1] != channels:
        x = x.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if list(x.shape[2:]) == size:
        return x
    return interpolate(x, size, mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)
