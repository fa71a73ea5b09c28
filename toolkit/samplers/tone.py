"""The brightness of a finished picture: stretched to white, or with the tones of the data (histogram specification).

A reconstruction is dimmer or brighter than what it reconstructs. When it becomes training data that error feeds back
from one iteration to the next; earlier code has several corrections of the kind, min-max and a fixed share of ink.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

POINTS = 101  # a tone curve says the brightness at every percentile of an image


def stretch(x: Tensor) -> Tensor:
    """Scale each image so that its brightest pixel is 1: (B, C, H, W) in [0, 1] -> same. A black image stays black."""
    peak = x.flatten(1).amax(1).clamp_min(1e-6)
    return x / peak[:, None, None, None]


def tone_curve(images: Tensor) -> tuple[float, ...]:
    """The mean brightness at each percentile of an image, darkest first: uint8 (N, C, H, W) -> 101 numbers."""
    ranked = images.flatten(1).sort(1).values.double().mean(0) / 255  # (C * H * W,)
    ranks = torch.linspace(0, len(ranked) - 1, POINTS, dtype=torch.double)
    return tuple(round(value, 4) for value in _between(ranked, ranks).tolist())


def match_tones(x: Tensor, curve: Sequence[float]) -> Tensor:
    """Give every image the same tones, by the rank of its pixels: (B, C, H, W) -> same, in [0, 1].

    curve: as `tone_curve` gives it. Equal pixels stay equal, so a flat image stays flat.
    """
    flat = x.flatten(1)
    ordered = flat.sort(1).values
    below, upto = torch.searchsorted(ordered, flat), torch.searchsorted(ordered, flat, right=True)
    rank = (below + upto - 1) / 2 / max(flat.shape[1] - 1, 1)  # in [0, 1]; ties share the middle one
    tones = torch.as_tensor(curve, dtype=x.dtype, device=x.device)
    return _between(tones, rank * (len(tones) - 1)).view_as(x)


def _between(values: Tensor, at: Tensor) -> Tensor:
    """Linear interpolation: the values at fractional places."""
    floor = at.floor().long().clamp(0, len(values) - 2)
    return torch.lerp(values[floor], values[floor + 1], (at - floor).to(values.dtype))
