"""What is known of every cell of a film: how far it moved, which training images are nearest, as numbers of 16 bits."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..metrics import nearest
from ..metrics.attractors import movement

UNIT = 65_535  # a distance of 1


def facts(steps: Sequence[tuple[Tensor, Tensor]], reference: Tensor | None, neighbours: int) -> bytes:
    """By frame, by kind, by cell: how far it moved; with a reference, how far its nearest images are, and their rows.

    Little-endian. steps: of each frame the images before and after its run, (B, C, H, W). Raises what `nearest` does.
    """
    before, after = (torch.cat(images) for images in zip(*steps, strict=True))
    known = [_whole(movement(before, after))[:, None]]
    if reference is not None:
        distances, rows = nearest(after, reference, neighbours)
        known += [_whole(distances), rows]
    numbers = torch.cat(known, 1).unflatten(0, (len(steps), -1)).transpose(1, 2)  # frames, kinds, cells
    return bytes(numbers.contiguous().numpy().astype("<u2").tobytes())


def _whole(distances: Tensor) -> Tensor:
    return (UNIT * distances.clamp(max=1)).round().long()
