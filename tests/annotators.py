"""Simulated annotators, of whom it is known what they see.

Every picture has a kind of its own, drawn by the fractions of its scheme. An annotator sees it with probability
`sight`, and otherwise guesses by the same fractions. Two annotators then agree beyond chance exactly if both see, so
that within a scheme Fleiss' kappa is sight squared, and the shares of all labels are the fractions whatever the sight.
The consensus comes near the fractions only if most annotators see: of mere guesses it makes the commonest label.
"""

from collections.abc import Mapping, Sequence
from random import Random

from toolkit.annotation import Label


def annotate(
    schemes: Sequence[str],
    fractions: Mapping[str, Sequence[float]],
    *,
    annotators: int = 9,
    sight: float = 0.8,
    seed: int = 0,
) -> list[Label]:
    """The labels of every annotator for every picture. schemes: that of each; fractions: of each label, by scheme."""
    random = Random(seed)

    def draw(scheme: str) -> int:
        return random.choices(range(1, 5), fractions[scheme])[0]

    kinds = [draw(scheme) for scheme in schemes]
    return [
        Label(image, f"annotator {number}", kind if random.random() < sight else draw(scheme))
        for number in range(1, annotators + 1)
        for image, (scheme, kind) in enumerate(zip(schemes, kinds, strict=True))
    ]
