"""Iterated reconstruction: apply a step again and again to a start image ("Digits That Are Not", 2016).

A step is any function from images to images, (B, C, H, W) in [0, 1] to the same. Each state is a picture.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Step = Callable[[Tensor], Tensor]
# What happens to images before a pass, (M, C, H, W): which of the starts they grew from and after how many passes, (M,)
Disturb = Callable[[Tensor, Tensor, Tensor], Tensor]


def undisturbed(x: Tensor, which: Tensor, age: Tensor) -> Tensor:
    """Nothing happens."""
    return x


@torch.no_grad()
def iterate(step: Step, x: Tensor) -> Iterator[Tensor]:
    """x, step(x), step(step(x)), ... without end. x: (B, C, H, W)."""
    while True:
        yield x
        x = step(x)


@torch.no_grad()
def settle(
    step: Step, x: Tensor, *, tol: float = 1e-3, limit: int = 100, disturb: Disturb = undisturbed
) -> Iterator[Tensor]:
    """Like `iterate`, but each image stops once it has settled; the stream ends when all have, or after `limit` passes.

    An image has settled when the mean squared difference between it and the *raw* output of the step is at most `tol`;
    the raw output, clipped to [0, 1], is then its last state. That is the published criterion (Datasets That Are Not,
    section 3), taken per image, so that no image depends on its neighbours; settled images are not computed again.
    With tol 0 an image stops once a pass leaves it exactly as it is: no other pass would change it.
    """
    yield x
    moving = torch.arange(len(x))
    for age in range(limit):
        if not len(moving):
            return
        raw = step(disturb(x[moving], moving, torch.full_like(moving, age)))
        moved = (raw - x[moving]).flatten(1).square().mean(1)
        x = x.index_copy(0, moving.to(x.device), raw.clamp(0, 1))
        moving = moving[(moved > tol).cpu()]
        yield x


@torch.no_grad()
def settle_in_turn(
    step: Step,
    starts: Tensor,
    *,
    at_once: int,
    tol: float = 1e-3,
    limit: int = 100,
    disturb: Disturb = undisturbed,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The last states of `settle` alone, at less expense: as images settle, others take their places in the batch.

    A few images go on long after the rest, and a nearly empty batch costs almost as much as a full one.
    starts: (N, C, H, W). Yields those that leave together: which they are (M,), their last states (M, C, H, W), and
    after how many passes (M,).
    """
    entered = min(at_once, len(starts))
    which = torch.arange(entered, device=starts.device)
    x, age = starts[:entered], torch.zeros_like(which)
    while len(which):
        raw = step(disturb(x, which, age))
        moved = (raw - x).flatten(1).square().mean(1)
        x, age = raw.clamp(0, 1), age + 1
        leaves = (moved <= tol) | (age >= limit)
        if leaves.any():
            yield which[leaves], x[leaves], age[leaves]
            new = which.new_tensor(range(entered, min(entered + int(leaves.sum()), len(starts))))
            entered += len(new)
            which = torch.cat([which[~leaves], new])
            x, age = torch.cat([x[~leaves], starts[new]]), torch.cat([age[~leaves], torch.zeros_like(new)])


@torch.no_grad()
def settle_together(
    step: Step, x: Tensor, *, tol: float = 1e-3, limit: int = 100, disturb: Disturb = undisturbed
) -> Iterator[Tensor]:
    """The published stop: all images go on until the slowest has settled, so that an image depends on its batch."""
    yield x
    which = torch.arange(len(x))
    for age in range(limit):
        raw = step(disturb(x, which, torch.full_like(which, age)))
        moved = (raw - x).flatten(1).square().mean(1)
        x = raw.clamp(0, 1)
        yield x
        if moved.max() <= tol:
            return


def last(stream: Iterator[Tensor]) -> Tensor:
    """The final state of a stream that ends."""
    *_, final = stream
    return final
