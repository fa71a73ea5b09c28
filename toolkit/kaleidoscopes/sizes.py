"""How much the study measures, by scale, and which settings it sweeps around the preset `kaleidoscope-depth`."""

from dataclasses import dataclass
from typing import Any

PERTURBATIONS: dict[str, dict[str, Any]] = {
    "none": {"mode": "none"},
    "centred 0.01": {"perturbation": 0.01},
    "centred 0.03": {"perturbation": 0.03},
    "centred 0.1": {"perturbation": 0.1},
    "centred 0.3": {"perturbation": 0.3},
    "published 0.01": {"perturbation": 0.01, "mode": "published"},
}
USUAL = "centred 0.01"
# What each sweep varies. "equal" is depth again, but each network learns until its loss is the same: a deeper one
# learns more slowly, so that after equal steps it has learned less.
SWEEPS = {"depth": "depth", "equal": "depth", "width": "width", "steps": "steps", "images": "images"}


@dataclass(frozen=True)
class Sizes:
    """A sweep holds everything but one setting as in the preset, whose own value is among those of the sweep."""

    seeds: int = 3
    samples: int = 200
    runs: int = 300
    depth: tuple[int, ...] = (2, 3, 5, 7, 10, 14, 20)
    width: tuple[int, ...] = (50, 100, 200, 400)
    steps: tuple[int, ...] = (500, 1000, 2000, 4000)
    images: tuple[int, ...] = (100, 300, 1000, 3000, 10_000)
    until: float = 0.1  # the loss of "equal", reached within three times the steps or not at all
    judge_steps: int = 1500
    point_seeds: int = 10  # of four points on a line
    point_depth: tuple[int, ...] = (2, 4, 9, 14, 20)
    dimensions: tuple[int, ...] = (2, 4, 8)
    counts: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128)  # of points scattered over a cube


SIZES = {
    "paper": Sizes(
        seeds=5, samples=1000, width=(100, 250, 500, 1000), steps=(2500, 5000, 10_000, 20_000),
        images=(100, 1000, 10_000, 60_000), point_seeds=100, dimensions=(1, 2, 4, 8, 16),
        counts=(2, 4, 8, 32, 64, 128, 512, 2048),
    ),
    "cpu": Sizes(),
    "smoke": Sizes(
        seeds=2, samples=12, runs=12, depth=(2, 4), width=(30, 60), steps=(100, 300), images=(20, 60), judge_steps=5,
        point_seeds=2, point_depth=(2, 4), dimensions=(2,), counts=(2, 8),
    ),
}  # fmt: skip
