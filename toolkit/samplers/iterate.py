"""Iterated steps: until they settle, with threshold and noise, or guided by a classifier.

A step is any function from images to images, (B, C, H, W) in [0, 1] to the same, and each state is such a batch. No
image depends on the others in its batch, except in `settle` with `together`.
"""

from collections.abc import Callable, Iterator
from zlib import crc32

import torch
from torch import Tensor

from ..seeds import Noise, child

Step = Callable[[Tensor], Tensor]
# A change of images before a pass: (images (M, C, H, W), the row of each one's start (M,), its passes so far (M,))
Perturb = Callable[[Tensor, Tensor, Tensor], Tensor]


def unperturbed(x: Tensor, which: Tensor, age: Tensor) -> Tensor:
    """The images as they are."""
    return x


@torch.no_grad()
def iterate(step: Step, x: Tensor) -> Iterator[Tensor]:
    """x, step(x), step(step(x)), ... without end. x: (B, C, H, W)."""
    while True:
        yield x
        x = step(x)


@torch.no_grad()
def settle(
    step: Step,
    x: Tensor,
    *,
    tol: float = 1e-3,
    limit: int = 100,
    perturb: Perturb = unperturbed,
    together: bool = False,
) -> Iterator[Tensor]:
    """Like `iterate`, but each image stops once it has settled; the stream ends when all have, or after `limit` passes.

    An image has settled when the mean squared difference between it and the *raw* output of the step is at most `tol`;
    the raw output, clipped to [0, 1], is then its last state. That is the published criterion (Datasets That Are Not,
    section 3), taken per image, so that no image depends on its neighbours; settled images are not computed again.
    With tol 0 an image stops once a pass leaves it exactly as it is: no other pass would change it.
    together: the published stop: all images go on until the slowest has settled, so that an image depends on its batch.
    """
    yield x
    moving = torch.arange(len(x))
    for age in range(limit):
        if not len(moving):
            return
        raw = step(perturb(x[moving], moving, torch.full_like(moving, age)))
        moved = (raw - x[moving]).flatten(1).square().mean(1)
        x = x.index_copy(0, moving.to(x.device), raw.clamp(0, 1))
        settled = (moved <= tol).cpu()
        moving = moving[~(settled.all().expand_as(settled) if together else settled)]
        yield x


@torch.no_grad()
def settle_in_turn(
    step: Step,
    starts: Tensor,
    *,
    at_once: int,
    tol: float = 1e-3,
    limit: int = 100,
    perturb: Perturb = unperturbed,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The last states of `settle` alone, at less expense: as images settle, others take their places in the batch.

    starts: (N, C, H, W). Yields those that leave together: their rows in starts (M,), their last states (M, C, H, W),
    and after how many passes (M,).
    """
    entered = min(at_once, len(starts))
    which = torch.arange(entered, device=starts.device)
    x, age = starts[:entered], torch.zeros_like(which)
    while len(which):
        raw = step(perturb(x, which, age))
        moved = (raw - x).flatten(1).square().mean(1)
        x, age = raw.clamp(0, 1), age + 1
        leaves = (moved <= tol) | (age >= limit)
        if leaves.any():
            yield which[leaves], x[leaves], age[leaves]
            new = which.new_tensor(range(entered, min(entered + int(leaves.sum()), len(starts))))
            entered += len(new)
            which = torch.cat([which[~leaves], new])
            x, age = torch.cat([x[~leaves], starts[new]]), torch.cat([age[~leaves], torch.zeros_like(new)])


def last(stream: Iterator[Tensor]) -> Tensor:
    """The final state of a stream that ends."""
    *_, final = stream
    return final


def moving_threshold(x: Tensor, ink: float) -> Tensor:
    """Binarise each image by a threshold of its own that leaves a share of white: (B, C, H, W) -> same, 0 or 1.

    White are the `ink` share of the values, at least one, that are brighter than the next brightest; where many are
    equal, as in a flat image, fewer are. The published share is 0.13 for digits. Raises ValueError unless ink is over 0
    and under 1.
    """
    _check("ink", ink)
    flat = x.flatten(1)
    if not flat.numel():
        return x
    count = min(max(1, round(ink * flat.shape[1])), flat.shape[1] - 1)
    threshold = flat.kthvalue(flat.shape[1] - count).values if count else flat.new_full((len(flat),), torch.inf)
    return (x > threshold[:, None, None, None]).to(x.dtype)


def salt_and_pepper(x: Tensor, share: float, noise: Noise) -> Tensor:
    """Set a share of the values to 0 or 1 at random: (B, C, H, W) -> same; a share of 0 changes nothing."""
    u = noise.rand(*x.shape[1:]).to(x.device)
    return torch.where(u < share, (u < share / 2).to(x.dtype), x)


def salt_before_passes(starts: Tensor, share: float) -> Perturb:
    """Salt-and-pepper noise on each image before each pass of `settle` and its like; share of the values, under 1.

    The noise belongs to the image and the pass: its generator is seeded by the bytes of the start that the image came
    from, (B, C, H, W), so that the same start has the same noise in any batch. Raises ValueError.
    """
    _check("salt", share)
    keys = [crc32(start.numpy().tobytes()) for start in starts.detach().cpu().contiguous()]

    def perturb(x: Tensor, which: Tensor, age: Tensor) -> Tensor:
        places = zip(which.tolist(), age.tolist(), strict=True)
        return salt_and_pepper(x, share, Noise(child(keys[row], "salt", passes) for row, passes in places))

    return perturb


def _check(what: str, share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"{what} is {share}: give a share of the pixels, over 0 and under 1")


def guided(step: Step, score: Callable[[Tensor], Tensor], *, guidance: float, rate: float = 1.0) -> Step:
    """Classifier guidance: x + rate (step(x) - x) + guidance * gradient of the score of step(x), clipped to [0, 1].

    score: images -> one number of each, (B,), such as `ascent.class_score`. With guidance 0 and rate 1 this is the
    step, clipped; with both 0 nothing moves.
    """

    def move(x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = step(x)
            (uphill,) = torch.autograd.grad(score(y.clamp(0, 1)).sum(), x)
        x, y = x.detach(), y.detach()
        return (x + rate * (y - x) + guidance * uphill).clamp(0, 1)

    return move
