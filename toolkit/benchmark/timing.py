"""Two ways of doing the same work, timed in turn: plain, fast, plain, fast, ..., so that both meet the same machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

Clock = Callable[[], float]
Work = Callable[[], object]
Entry = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """The seconds of every run of either side."""

    plain: list[float]
    fast: list[float]

    @property
    def ratio(self) -> float:
        """How many times as fast: the ratio of the medians."""
        return median(self.plain) / median(self.fast)

    def scaled(self, plain: float = 1, fast: float = 1) -> "Pair":
        """The same runs, each side times a factor: a run of ten steps is 0.1 of it a step."""
        return Pair([plain * s for s in self.plain], [fast * s for s in self.fast])

    def speedup(self, **notes: Any) -> Entry:
        """The ratio as the value."""
        return self._entry(self.ratio, "times as fast", "s", 1, notes)

    def seconds(self, **notes: Any) -> Entry:
        """The seconds of the fast side as the value."""
        return self._entry(median(self.fast), "s", "s", 1, notes)

    def milliseconds(self, **notes: Any) -> Entry:
        """The milliseconds of the fast side as the value."""
        return self._entry(1000 * median(self.fast), "ms", "ms", 1000, notes)

    def _entry(self, value: float, unit: str, runs_unit: str, scale: float, notes: dict[str, Any]) -> Entry:
        sides = self.scaled(scale, scale)
        medians = {"plain": median(sides.plain), "fast": median(sides.fast), "ratio": self.ratio}
        return {
            "value": value,
            "unit": unit,
            **medians,
            "runs_unit": runs_unit,
            "runs": {"plain": sides.plain, "fast": sides.fast},
            **notes,
        }


def alternate(plain: Work, fast: Work, *, runs: int, warm_ups: int = 1, clock: Clock = time.perf_counter) -> Pair:
    """Time both, in turn. warm_ups: runs of either that come first and do not count."""
    for _ in range(warm_ups):
        plain()
        fast()
    timed = [(stopwatch(plain, clock), stopwatch(fast, clock)) for _ in range(runs)]
    return Pair([a for a, _ in timed], [b for _, b in timed])


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
