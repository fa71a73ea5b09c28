"""A simulated crowd: annotators whose agreement is known, to try a study out before anyone is asked.

Every picture has a kind of its own, drawn by the fractions of its scheme. An annotator sees it with probability
`sight`, and otherwise guesses by the same fractions. Two annotators then agree beyond chance exactly if both see, so
that within a scheme Fleiss' kappa is sight squared, and the shares of all labels are the fractions whatever the sight.
The consensus comes near the fractions only if most annotators see: of mere guesses it makes the commonest label.
"""

from collections.abc import Mapping, Sequence
from random import Random

from .store import LABELS, Label


def crowd(
    schemes: Sequence[str],
    fractions: Mapping[str, Sequence[float]],
    *,
    annotators: int = 9,
    sight: float = 0.8,
    seed: int = 0,
) -> list[Label]:
    """What a crowd says of a pool: every annotator of every picture.

    schemes: that of each picture. fractions: of each label, in the order of `LABELS`, by scheme. sight: 0 to 1.
    Raises ValueError for fractions that are no weights of the four labels, or a sight that is no probability.
    """
    for scheme, weights in fractions.items():
        if len(weights) != len(LABELS) or min(weights) < 0 or not sum(weights):
            raise ValueError(f"the fractions of {scheme} are {list(weights)}: give {len(LABELS)}, none under 0")
    if not 0 <= sight <= 1:
        raise ValueError(f"sight {sight} is no probability: give 0 to 1")
    random = Random(seed)

    def draw(scheme: str) -> int:
        return random.choices(range(1, len(LABELS) + 1), fractions[scheme])[0]

    kinds = [draw(scheme) for scheme in schemes]
    return [
        Label(image, f"annotator {number}", kind if random.random() < sight else draw(scheme))
        for number in range(1, annotators + 1)
        for image, (scheme, kind) in enumerate(zip(schemes, kinds, strict=True))
    ]
