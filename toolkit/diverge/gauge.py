"""What pictures of any machine measure, beside the data it left: how far from them, and how much is still something.

Divergence is how far a picture lies from real ones, in the direction of the judge's features: blur and ink change their
length, other shapes turn them. In pixels a blank picture would be a common one, and in plain features too. The distance
from the same seed's picture not every machine has. Coherence is how sure the judge is, of whatever; it is sure of noise
too, so that noise has to be measured beside.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..metrics.judged import Eye
from ..metrics.novelty import diversity
from ..metrics.out_of_class import columns, count_by_max
from ..metrics.pixels import as_float
from .chaining import fitted

NEAREST = 5  # real pictures that a distance is to
MEASURES = {
    "divergence": "how far from real pictures; 1 is as far as unseen real ones are",
    "coherence": "probability of the class that the judge holds for likeliest, averaged over the pictures",
    "reconstruction_distance": "norm of what an autoencoder of the data changes in a picture",
    "out_of_class_share": "share of pictures that the judge surely takes for a class that is not of the data",
    "diversity": "mean distance between two pictures: 0 if all are equal",
}
"""What each number of a row says."""


@dataclass(frozen=True, eq=False)
class Gauge:
    """(B, C, H, W) in [0, 1] -> the numbers of MEASURES; None where there is nothing to measure one by.

    known: features of real pictures, each of length 1, (N, d); unit: how far unseen real pictures lie from them.
    others: which columns of the judge are classes that the data lack. reconstruct: by an autoencoder of the data.
    """

    judge: Eye
    known: Tensor
    unit: float = 1.0
    others: Sequence[int] = ()
    reconstruct: Callable[[Tensor], Tensor] | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor) -> dict[str, float | None]:
        x = fitted(as_float(x), self.judge.image_shape)
        p = self.judge.probabilities(x)
        away = x - self.reconstruct(x) if self.reconstruct else None
        numbers = {
            "divergence": self.distance(x) / self.unit,
            "coherence": p.amax(1).mean().item(),
            "reconstruction_distance": None if away is None else away.flatten(1).norm(dim=1).mean().item(),
            "out_of_class_share": count_by_max(p, self.others) if self.others else None,
            "diversity": diversity(x),
        }
        return {name: None if value is None else round(value, 4) for name, value in numbers.items()}

    @torch.no_grad()
    def distance(self, x: Tensor) -> float:
        """How far pictures of the judge's size are from the nearest of those that are known, on average."""
        away = torch.cdist(normalize(self.judge.features(x), dim=1), self.known)
        return float(away.topk(NEAREST, largest=False).values.mean())


def gauge(
    judge: Eye,
    images: Tensor,
    classes: Collection[str] | None = None,
    reconstruct: Callable[[Tensor], Tensor] | None = None,
) -> Gauge:
    """By real pictures (N, C, H, W), of classes of the judge (None: of all): every second is known, the others 1 away.

    Raises ValueError for fewer than 20 pictures, or for a class that the judge does not have.
    """
    if len(images) < 20:
        raise ValueError(f"{len(images)} real pictures are too few to measure by: give 20 or more")
    every = judge.config.classes
    own = columns(every, every if classes is None else classes)
    real = fitted(as_float(images), judge.image_shape)
    with torch.no_grad():
        known = normalize(judge.features(real[::2]), dim=1)
    unit = Gauge(judge, known).distance(real[1::2])
    return Gauge(judge, known, unit, [at for at in range(len(every)) if at not in own], reconstruct)
