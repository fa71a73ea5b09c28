"""How strongly neurons are switched on: the gain at which a method's pictures lie as far out as they are said to."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from ..metrics.reconstruction import encoder_distance
from ..samplers import Creative
from . import paper
from .stored import Trained, decode

LARGEST = 1024.0


def calibrated(trained: Trained, seeds: Sequence[int], how: Creative | None = None, layer: int = -1) -> Creative:
    """The settings with a gain at which *random* has the distance of the paper on MNIST, 4.21, and its noise likewise.

    The noise is such that *noisy* lies as many times farther out than *regular* as in the paper, 1.78 / 1.45 times.
    Raises ValueError if no gain gets there.
    """
    base = how or Creative()
    gain = gain_for(trained, seeds, replace(base, method="random"), paper.RANDOM, layer)
    found = replace(base, gain=gain)

    def excess(noise: float) -> float:
        both = decode(trained, seeds, replace(found, method="noisy", noise=noise), layer)
        far, near = (encoder_distance(trained.model, x).mean().item() for x in (both.images, both.regular))
        return far / near

    return replace(found, noise=solve(excess, paper.NOISY))


def gain_for(trained: Trained, seeds: Sequence[int], how: Creative, distance: float, layer: int = -1) -> float:
    """The gain at which the mean round-trip distance of a method's pictures is the one given."""
    return _gain(trained, seeds, how, layer, distance, lambda x, _: encoder_distance(trained.model, x))


def gain_for_displacement(
    trained: Trained, seeds: Sequence[int], how: Creative, displacement: float, layer: int = -1
) -> float:
    """The gain at which the pictures lie so far, Euclidean, from the regular ones of the same codes."""
    return _gain(trained, seeds, how, layer, displacement, lambda x, regular: (x - regular).flatten(1).norm(dim=1))


def _gain(
    trained: Trained,
    seeds: Sequence[int],
    how: Creative,
    layer: int,
    target: float,
    measure: Callable[[Tensor, Tensor], Tensor],
) -> float:
    def at(gain: float) -> float:
        both = decode(trained, seeds, replace(how, gain=gain), layer)
        return measure(both.images, both.regular).mean().item()

    return solve(at, target)


def solve(rising: Callable[[float], float], target: float, steps: int = 18) -> float:
    """The x > 0 at which a rising function is the target, by bisection. Raises ValueError if none up to 1024 is."""
    high = 1.0
    while rising(high) < target:
        high *= 2
        if high > LARGEST:
            raise ValueError(f"no gain up to {LARGEST:g} reaches {target:.2f}: train for longer, or take another layer")
    low = 0.0 if high == 1 else high / 2
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2
