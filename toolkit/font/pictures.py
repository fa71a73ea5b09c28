"""Pictures of several sizes and colours -> one set of grey pictures of one size, as a font wants them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: a colour as one brightness (ITU-R BT.601)


def grey(pictures: Sequence[tuple[bytes, int, int]]) -> Tensor:
    """Pictures as (a byte a value, plane by plane; channels, 1 or 3; pixels a side) -> (N, 1, H, W) in [0, 1].

    All become as large as the largest; smaller ones are interpolated.
    """
    side = max(side for _, _, side in pictures)
    planes = (torch.frombuffer(bytearray(light), dtype=torch.uint8).view(1, c, s, s) / 255 for light, c, s in pictures)
    return torch.cat([_sized(_one_plane(each), side) for each in planes]).clamp(0, 1)


def _one_plane(picture: Tensor) -> Tensor:
    return picture if picture.shape[1] == 1 else (picture * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _sized(picture: Tensor, side: int) -> Tensor:
    return picture if picture.shape[-1] == side else interpolate(picture, (side, side), mode="bilinear")
