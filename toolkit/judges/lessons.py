"""What a judge is shown: every class equally often, and every image a little different each time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d

from ..models import Labelled, Lessons
from ..seeds import child

LINEAR = ((0.15, 0.25), (0.15, 0.15))  # how far the map of the plane goes from the identity: size, slant; turn, size
SHIFT, WAVE = 0.15, 0.05  # of half an image
THICK, THIN = 0.7, 0.35  # how far towards the brightest and the darkest of a pixel and its eight neighbours


@dataclass(frozen=True)
class Varied:
    """Lessons whose images are `varied`; iterating twice gives the same ones, on every device."""

    lessons: Lessons
    strength: float = 1.0

    def __iter__(self) -> Iterator[Labelled]:
        generator = torch.Generator().manual_seed(child(self.lessons.seed, "vary"))
        for batch in self.lessons:
            yield Labelled(varied(batch.images, self.strength, generator), batch.labels)

    @property
    def steps_per_epoch(self) -> int:
        return self.lessons.steps_per_epoch

    def on(self, device: torch.device) -> "Varied":
        """The same batches in the same order, from the bytes on the device."""
        return replace(self, lessons=self.lessons.on(device))


def balanced(labels: Tensor, each: int) -> Tensor:
    """Rows in which every class that there is comes `each` times: labels (N,) -> (classes * each,), by class.

    Of a class with more images they are evenly spread over it; of one with fewer, some come once more than others.
    """
    rows = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    return torch.cat([row[torch.arange(each) * len(row) // each] for row in rows])


def varied(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Images thicker or thinner, moved, slanted, turned, scaled and waved, each at random: (B, C, H, W) in [0, 1].

    strength: from 0, which changes nothing, to 1. What leaves the image is lost, and what comes in is dark.
    """
    if strength == 0:
        return x
    batch, _, height, width = x.shape
    weight = strength * _draw(batch, 1, 1, 1, generator=generator).to(x.device)
    thicker = max_pool2d(x, 3, 1, 1) - x
    thinner = x + max_pool2d(-x, 3, 1, 1)
    x = x + THICK * weight.clamp(min=0) * thicker + THIN * weight.clamp(max=0) * thinner
    linear = torch.eye(2) + strength * torch.tensor(LINEAR) * _draw(batch, 2, 2, generator=generator)
    shift = strength * SHIFT * _draw(batch, 2, 1, generator=generator)
    waves = strength * WAVE * torch.randn(batch, 2, 4, 4, generator=generator)
    bent = interpolate(waves, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    places = affine_grid(torch.cat([linear, shift], 2), [*x.shape], align_corners=False) + bent
    return grid_sample(x, places.to(x.device), align_corners=False).clamp(0, 1)


def _draw(*shape: int, generator: torch.Generator) -> Tensor:
    """Uniform from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator) - 1
