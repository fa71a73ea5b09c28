"""What happens to a set of samples from run to run: one row of numbers per run that is looked at."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Any

import torch
from torch import Tensor

from ..metrics import nearest
from ..metrics.attractors import STILL, distinct, effective, flow, movement, standing_still

LOOKED_AT = (1, 2, 3, 5, 8, 10, 13, 20, 30, 50, 100, 200, 300)
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Eyes:
    """What samples are seen with. data: the training images, uint8 or float (N, C, H, W), if any; judge: of them.

    same: how near two samples are one picture, as root mean squared difference.
    """

    data: Tensor | None
    judge: Any = None  # models.Judge
    same: float = 0.1
    still: float = STILL


def watch(stream: Iterable[Tensor], runs: Sequence[int], eyes: Eyes) -> list[Row]:
    """A row of the start, and one of each of these runs; see `row`. runs: ascending, from 1.

    With a judge, a row says how many samples are in each class, and how many went from each to each since the last row.
    """
    rows: list[Row] = []
    labels = None
    for number, before, after in _steps(stream, runs[-1]):
        if number not in (0, *runs):
            continue
        now = {"run": number, **row(before, after, eyes)}
        if not number:
            del now["movement"], now["still"]  # nothing has moved yet
        if eyes.judge is not None:
            chances = probabilities(eyes.judge, after)
            found, classes = chances.argmax(1), chances.shape[1]
            now["confidence"] = chances.amax(1).mean().item()
            now["classes"] = found.bincount(minlength=classes).tolist()
            if labels is not None:
                now["flow"] = flow(labels, found, classes).tolist()
            labels = found
        rows.append(now)
    return rows


def row(before: Tensor, after: Tensor, eyes: Eyes) -> Row:
    """One run in numbers: images before and after it, (B, C, H, W).

    movement: in this run, mean; still: the share that stand still; distinct, effective: how many pictures there are
    (`attractors`), and tight, loose: if half, or twice, as much counts as the same. With data, distance: to the nearest
    training image, mean; reached: how many training images are nearest to one of the samples.
    """
    now: Row = {
        "movement": movement(before, after).mean().item(),
        "still": standing_still(before, after, eyes.still).double().mean().item(),
        "distinct": distinct(after, eyes.same),
        "tight": distinct(after, eyes.same / 2),
        "loose": distinct(after, eyes.same * 2),
        "effective": effective(after, eyes.same),
    }
    if eyes.data is not None:
        far, which = nearest(after, eyes.data)
        now |= {"distance": far.mean().item(), "reached": len(which.unique())}
    return now


def kept(stream: Iterable[Tensor], runs: Iterable[int]) -> list[Tensor]:
    """The states after these runs, each (B, C, H, W), on the CPU; 0 is the start."""
    wanted = list(runs)
    states = {n: x.cpu() for n, x in enumerate(islice(stream, max(wanted) + 1)) if n in wanted}
    return [states[n] for n in wanted]


@torch.no_grad()
def probabilities(judge: Any, x: Tensor) -> Tensor:
    """What a judge takes images for: (B, C, H, W) -> (B, K), on the CPU."""
    device = next(judge.parameters()).device
    return torch.cat([judge.probabilities(part.to(device)).cpu() for part in x.split(500)])


def looked_at(runs: int) -> list[int]:
    """The runs to look at, of so many: early ones more densely, the last always."""
    return [run for run in LOOKED_AT if run < runs] + [runs]


def _steps(stream: Iterable[Tensor], runs: int) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(0, start, start), (1, start, after run 1), ...; on the CPU."""
    states = (x.cpu() for x in islice(stream, runs + 1))
    start = next(states)
    yield 0, start, start
    yield from ((n, before, after) for n, (before, after) in enumerate(pairwise(chain([start], states)), 1))
