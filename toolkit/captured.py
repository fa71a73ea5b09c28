"""A whole training step as one CUDA graph for each shape of batch, so that a small batch does not wait for Python.

After "CUDA semantics: whole-network capture" of the PyTorch documentation. The first steps of a shape run kernel by
kernel on a side stream, where libraries plan and the optimiser makes its state; they train like any other. Then the
step is captured, which computes nothing, and replayed from there on. What cannot be captured runs kernel by kernel.
"""

from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from . import processes

B = TypeVar("B")
WARM = 3  # steps of a shape before it is captured
SHAPES = 8  # captured at most: each keeps its memory


def captured(step: Callable[[B], Tensor], device: torch.device) -> Callable[[B], Tensor]:
    """The same step, captured where the device can (CUDA); the step itself elsewhere.

    step: a batch on the device -> a tensor on it. It may change parameters, reads nothing back, and draws random
    numbers on the device only.
    """
    if device.type != "cuda":
        return step
    with torch.cuda.device(device):
        side = torch.cuda.Stream()
    return Recorded(partial(_beside, side, step), partial(_capture, side, step))


class Recorded(Generic[B]):
    """A step that is run WARM times for each shape of batch, then recorded, then replayed.

    record: batch -> the step for batches of its shape; RuntimeError means that it cannot be, in any shape.
    """

    def __init__(self, run: Callable[[B], Tensor], record: Callable[[B], Callable[[B], Tensor]]) -> None:
        self.run, self.record = run, record
        self.seen: Counter[Hashable] = Counter()
        self.replays: dict[Hashable, Callable[[B], Tensor]] = {}
        self.able = True

    def __call__(self, batch: B) -> Tensor:
        shape = tuple((part.shape, part.dtype) for part in tensors(batch))
        if shape not in self.replays and not self._recorded(shape, batch):
            return self.run(batch)
        return self.replays[shape](batch)

    def _recorded(self, shape: Hashable, batch: B) -> bool:
        self.seen[shape] += 1
        if not (self.able and shape) or self.seen[shape] <= WARM or len(self.replays) == SHAPES:
            return False
        replay = None
        with suppress(RuntimeError):
            replay = self.record(batch)
        self.able = processes.everywhere(replay is not None)  # a captured exchange must be captured by all
        if self.able and replay:
            self.replays[shape] = replay
        return self.able


def tensors(batch: Any) -> list[Tensor]:
    """The tensors of a batch: itself, or those of a tuple or a simple object; none if it holds anything else."""
    if isinstance(batch, Tensor):
        return [batch]
    parts = list(batch) if isinstance(batch, tuple) else list(getattr(batch, "__dict__", {}).values())
    return parts if all(isinstance(part, Tensor) for part in parts) else []


def _beside(side: torch.cuda.Stream, step: Callable[[B], Tensor], batch: B) -> Tensor:
    side.wait_stream(torch.cuda.current_stream(side.device))
    with torch.cuda.stream(side):
        result = step(batch)
    torch.cuda.current_stream(side.device).wait_stream(side)
    return result


def _capture(side: torch.cuda.Stream, step: Callable[[B], Tensor], batch: B) -> Callable[[B], Tensor]:
    inputs = deepcopy(batch)  # a replay reads and writes where the capture did
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(side), torch.cuda.graph(graph, stream=side):  # the outer one: back also if capture fails
        result = step(inputs)

    def replay(batch: B) -> Tensor:
        for mine, given in zip(tensors(inputs), tensors(batch), strict=True):
            mine.copy_(given)
        graph.replay()
        return result.clone()

    return replay
