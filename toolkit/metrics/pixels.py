"""How the measures see an image: as numbers in [0, 1], as one grey plane, as ink on paper."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def as_float(x: Tensor) -> Tensor:
    """Images (B, C, H, W), float in [0, 1] or uint8 -> float32 in [0, 1], on the CPU. ValueError for another shape."""
    if x.ndim != 4:
        raise ValueError(f"images of shape {tuple(x.shape)} cannot be measured: give (B, C, H, W)")
    return x.cpu().float() / 255 if x.dtype == torch.uint8 else x.detach().cpu().float()


def ink_mask(x: Tensor, threshold: float | None = None) -> Tensor:
    """Which pixels are ink: (B, C, H, W) -> bool (B, H, W). A colour image is seen as the mean of its channels.

    Ink is brighter than `threshold`; without one, brighter than half of the image's own maximum, so that a faint
    drawing counts like a strong one. A black image has no ink.
    """
    grey = as_float(x).mean(1)
    return grey > (grey.amax((1, 2), keepdim=True) / 2 if threshold is None else threshold)


def resized(images: Tensor, size: int) -> Tensor:
    """Square images of another size: uint8 (N, C, H, H) -> uint8 (N, C, size, size). As they are, if they fit.

    Larger as a run makes its data larger, bilinear; smaller bicubic, which gives digits of 28 pixels back best.
    """
    if images.shape[-1] == size:
        return images
    mode = "bicubic" if size < images.shape[-1] else "bilinear"
    parts = [interpolate(x.float(), (size, size), mode=mode) for x in images.split(5000)]
    return torch.cat([part.round().clamp(0, 255).byte() for part in parts])
