"""What every operator does in numbers: how far from the model, how sure a judge is, how much out of class, how diverse.

One row per operator and strength, as plain JSON values.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..metrics.judged import Eye
from ..metrics.novelty import blank_share, diversity
from ..metrics.out_of_class import columns, count_by_max

COLUMNS = {
    "reconstruction_distance": "norm of what the untouched model changes in a picture that it reconstructs",
    "confidence": "probability of the class that the judge holds for likeliest, averaged over the pictures",
    "out_of_class_share": "share of pictures that the judge surely takes for a class that the model never learned",
    "diversity": "mean distance between two pictures: 0 if all are equal",
    "blank_share": "share of pictures without a pixel above half brightness",
    "displacement": "distance from the same seed's picture without the operator, root mean square per pixel",
}
"""What each number of a row says."""


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator and its pictures: rows (B, C, H, W), the first untouched, one for each strength after it.

    touches: "data", "loss", "activations", "weights", "codes" or "output". step: the untouched model's reconstruction.
    """

    name: str
    touches: str
    rows: Sequence[Tensor]
    strengths: Sequence[float]
    step: Callable[[Tensor], Tensor]
    training: bool = False
    data: bool = False


def table(operators: Iterable[Operator], judge: Eye, known: Collection[str]) -> list[dict[str, Any]]:
    """One row per operator and strength; strength 0 is the model untouched. known: names of the classes it learned.

    Raises ValueError for names that the judge does not know, or an operator whose rows are not one more than its
    strengths.
    """
    return [row for operator in operators for row in _rows(operator, judge, known)]


def _rows(operator: Operator, judge: Eye, known: Collection[str]) -> list[dict[str, Any]]:
    if len(operator.rows) != len(operator.strengths) + 1:
        raise ValueError(
            f"{operator.name} has {len(operator.rows)} rows and {len(operator.strengths)} strengths: "
            f"give the untouched pictures and one row for each strength"
        )
    said = {name: getattr(operator, name) for name in ("touches", "training", "data")}
    return [
        {"operator": operator.name, **said, "strength": strength, **measured(x, operator, judge, known)}
        for strength, x in zip((0, *operator.strengths), operator.rows, strict=True)
    ]


@torch.no_grad()
def measured(x: Tensor, operator: Operator, judge: Eye, known: Collection[str]) -> dict[str, float]:
    """The numbers of one row of pictures, (B, C, H, W) in [0, 1]. The keys are those of COLUMNS."""
    p = judge.probabilities(x)
    learned = columns(judge.config.classes, known)
    others = [at for at in range(p.shape[1]) if at not in learned]
    moved = (x - operator.rows[0]).flatten(1).square().mean(1).sqrt()
    numbers = {
        "reconstruction_distance": (x - operator.step(x)).flatten(1).norm(dim=1).mean().item(),
        "confidence": p.amax(1).mean().item(),
        "out_of_class_share": count_by_max(p, others) if others else 0.0,
        "diversity": diversity(x),
        "blank_share": blank_share(x),
        "displacement": moved.mean().item(),
    }
    return {name: round(value, 4) for name, value in numbers.items()}
