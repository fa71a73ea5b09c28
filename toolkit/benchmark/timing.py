"""How much is measured, the networks it is measured on, and work timed in turn: plain, fast, plain, fast, ..."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

import torch
from torch import Tensor

from ..models import WTA, create
from ..presets import FIGURES
from ..seeds import Noise, child
from ..train import Shuffled, fit

Clock = Callable[[], float]
Work = Callable[[], object]
Entry = dict[str, Any]  # a measurement as JSON values
Sizes = Mapping[str, tuple[dict[str, Any], int]]  # a model's options, and how many images a batch of it has
OTHERS: Sizes = {"Manifold": ({}, 1000), "VAE": ({}, 128), "DCGAN": ({}, 100), "Judge": ({}, 128)}
TINY: Sizes = {
    "Manifold": ({"depth": 2, "width": 8}, 10), "VAE": ({"widths": (40, 40, 40), "z": 8}, 10),
    "DCGAN": ({"filters": 2, "z": 2}, 10), "Judge": ({"filters": 2}, 10),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The sizes of the work. The defaults are those of the paper where it has them: 128 filters, batches of 100."""

    seed: int = 0
    device: torch.device = torch.device("cpu")
    filters: int = 128
    batch: int = 100
    lr: float = 5e-4  # of the rule of the text; with 1e-3 hardly any image settles so early
    trained: int = 500  # fast steps that each network is given first: a new one has its winners in few places
    runs: int = 5  # of each side; a median of fewer than three is a mean
    steps: int = 2  # training steps in a run
    images: int = 1000  # sampled to the stop rule
    fixed_images: int = 200  # sampled by a fixed number of passes
    plain_images: int = 50  # sampled by the plain version in a run; its time is linear in their number
    passes: int = 100  # of the fixed number, and at most
    long_runs: int = 3  # of sampling and of the kaleidoscope
    symbols: int = 64
    starts: int = 1000  # of the kaleidoscope
    kaleidoscope_runs: int = 300
    pairs: int = 32  # of images that the creative decoder draws
    counts: tuple[int, ...] = (10_000, 60_000, 300_000, 1_200_000)  # accumulated images of the growth table
    most: int = 1_260_000  # accumulated images at the end of the paper's run
    launches: int = 3  # of processes: imports, the app, the training that holds `most` images
    others: Sizes = field(default_factory=lambda: OTHERS)  # models that `fit` trains as well
    curve_steps: int = 200  # of the plain and the fast loss curve, three seeds each
    curve_filters: int = 16


QUICK = Plan(
    filters=4, batch=10, trained=3, runs=3, steps=1, images=20, fixed_images=10, plain_images=10, passes=3, symbols=2,
    starts=10, kaleidoscope_runs=3, pairs=2, counts=(1000,), most=1000, launches=1, others=TINY, curve_steps=3,
    curve_filters=2,
)  # fmt: skip


class Subject:
    """What is measured: a plan, images uint8 (N, C, H, W), networks trained on them at first use, results so far."""

    def __init__(self, plan: Plan, images: Tensor) -> None:
        self.plan, self.images = plan, images
        self.batches = Shuffled(images, plan.batch, child(plan.seed, "shuffle"))
        self.result: Entry = {}

    @cached_property
    def model(self) -> WTA:
        """By the rule of the paper's text: lifetime sparsity per channel."""
        return self._trained({"lr": self.plan.lr})

    @cached_property
    def published(self) -> WTA:
        """By the rule of the published code, as the figures are made: per channel and position."""
        return self._trained(FIGURES["fig2"].model)

    def untrained(self, seed: int, **options: Any) -> WTA:
        """A network of the plan's size on its device; options of `WTA.Config`."""
        _, channels, size, _ = self.images.shape
        options = {"channels": channels, "size": size, "filters": self.plan.filters, **options}
        model = create("WTA", options, seed=seed).to(self.plan.device)
        assert isinstance(model, WTA)
        return model

    def noise(self, count: int) -> Tensor:
        """The starts of the first seeds: (count, C, H, W) in [0, 1)."""
        return Noise(range(count)).rand(*self.images.shape[1:]).to(self.plan.device)

    def alternate(self, long: bool = False, **sides: Work) -> dict[str, list[float]]:
        """`alternate` by the plan. long: few runs and no warm-up."""
        plan, clock = self.plan, clock_of(self.plan.device)
        return alternate(sides, runs=plan.long_runs if long else plan.runs, warm_ups=0 if long else 1, clock=clock)

    def _trained(self, options: dict[str, Any]) -> WTA:
        with torch.enable_grad():
            new = self.untrained(child(self.plan.seed, "init"), **options)
            return fit(new, self.batches, steps=self.plan.trained)


def alternate(
    sides: Mapping[str, Work], *, runs: int, warm_ups: int = 1, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every run of every side, in turn. warm_ups: runs of each that come first and do not count."""
    rounds = [{name: stopwatch(work, clock) for name, work in sides.items()} for _ in range(warm_ups + runs)]
    return {name: [each[name] for each in rounds[warm_ups:]] for name in sides}


def entry(times: Mapping[str, list[float]], unit: str = "", **notes: Any) -> Entry:
    """Runs by side as JSON values: median, minimum, spread (largest over smallest) and every run of each.

    The value is the median of the side "fast" in the unit ("s", "ms", or "MB", for which times hold megabytes); without
    a unit it is how many times as fast as "plain" that is, a ratio of medians.
    """
    scale = 1000 if unit == "ms" else 1
    runs = {side: [scale * each for each in values] for side, values in times.items()}
    medians = {side: median(values) for side, values in runs.items()}
    minima = {side: min(values) for side, values in runs.items()}
    ratios = {
        name: of["plain"] / of["fast"]
        for name, of in {"ratio": medians, "ratio_of_minima": minima}.items()
        if "plain" in of
    }
    return {
        "value": medians["fast"] if unit else ratios["ratio"],
        "unit": unit or "times as fast",
        **medians,
        **ratios,
        "minimum": minima,
        "spread": {side: max(values) / max(minima[side], 1e-12) for side, values in runs.items()},
        "runs_unit": unit or "s",
        "runs": runs,
        **notes,
    }


def scaled(times: Mapping[str, list[float]], **factors: float) -> dict[str, list[float]]:
    """The same runs, a side times its factor: a run of ten steps is 0.1 of it a step."""
    return {side: [factors.get(side, 1) * each for each in values] for side, values in times.items()}


def stopwatch(work: Work, clock: Clock = time.perf_counter) -> float:
    """How many seconds a piece of work takes."""
    start = clock()
    work()
    return clock() - start


def clock_of(device: torch.device) -> Clock:
    """A clock that waits for what the device still has to do."""
    if device.type != "cuda":
        return time.perf_counter

    def now() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return now


def sentence(error: Exception) -> str:
    """The first line of an error, with its kind."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"


def number(value: float) -> str:
    """Three digits or so."""
    if isinstance(value, int) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.4f}"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table: the first column to the left, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
