"""How well a judge names what it has not seen: accuracy by class, what it takes for what, and a sheet of both."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .. import plot
from ..models import Judge

SURE, WRONG = 2, 6  # images of a class on the sheet: named rightly, and below them wrongly
PAIRS = 12  # confusions that are named


def answers(judge: Judge, images: Tensor) -> Tensor:
    """How probable each class is: uint8 (N, C, H, W) -> (N, K), on the CPU."""
    device = next(judge.parameters()).device
    with torch.no_grad():
        parts = [judge.probabilities(part.to(device).float() / 255).cpu() for part in images.split(1000)]
    return torch.cat(parts)


def confusion(labels: Tensor, told: Tensor) -> Tensor:
    """Images of each class (row) by what they were named (column): labels (N,), probabilities (N, K) -> (K, K)."""
    classes = told.shape[1]
    return torch.bincount(labels * classes + told.argmax(1), minlength=classes**2).view(classes, classes)


def report(found: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """A confusion (K, K) as JSON: how many, accuracy, that of every class and their mean, the commonest mistakes."""
    right, whole = found.diagonal(), found.sum(1)
    by_class = {name: r / n for name, r, n in zip(classes, right.tolist(), whole.tolist(), strict=True) if n}
    mistakes = (found - right.diag()).flatten()
    worst = mistakes.sort(descending=True, stable=True).indices[:PAIRS].tolist()
    return {
        "images": int(whole.sum()),
        "accuracy": (right.sum() / whole.sum()).item(),
        "accuracy_by_class": by_class,
        "mistakes": [
            {"class": classes[row // len(classes)], "named": classes[row % len(classes)], "images": int(mistakes[row])}
            for row in worst
            if mistakes[row]
        ],
        "confusion": found.tolist(),
    }


def table(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """The judges as Markdown: what each names how well. reports: what `report` says of each, by name."""
    lines = [
        "| judge | classes | images it had not seen | named rightly | commonest mistake |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name, said in reports.items():
        first = said["mistakes"][0]
        share = first["images"] / sum(said["confusion"][[*said["accuracy_by_class"]].index(first["class"])])
        mistake = f"{first['class']} taken for {first['named']}, {100 * share:.1f} %"
        lines.append(
            f"| `{name}` | {len(said['confusion'])} | {said['images']:,} | {100 * said['accuracy']:.1f} % | {mistake} |"
        )
    return "\n".join(lines)


def sheet(images: Tensor, labels: Tensor, told: Tensor) -> bytes:
    """A column per class, as PNG: images it names most surely, and below them those it most surely names wrongly.

    images: uint8 (N, C, H, W); labels: (N,); told: probabilities (N, K). Where there are too few, nothing is shown.
    """
    (sure, named), blank = told.max(1), torch.zeros_like(images[:1])
    columns = []
    for label in range(told.shape[1]):
        of, right = labels == label, named == labels
        rows = [(of & right, SURE), (of & ~right, WRONG)]
        chosen = [_surest(images[which], sure[which], blank, count) for which, count in rows]
        columns.append(torch.cat(chosen))
    return plot.png(torch.stack(columns, 1).flatten(0, 1), columns=told.shape[1])


def _surest(images: Tensor, sure: Tensor, blank: Tensor, count: int) -> Tensor:
    best = images[sure.sort(descending=True, stable=True).indices[:count]]
    return torch.cat([best, *[blank] * (count - len(best))])
