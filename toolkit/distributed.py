"""Several processes and captured CUDA steps: world size, shards, gathered rows, synchronised training.

All processes run the same program and call these functions in the same order. Random numbers come from seeds, so that
all draw the same; what differs is which rows of a batch, or which images, each computes.
"""

import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

B = TypeVar("B")
TIMEOUT = timedelta(days=1)  # one may write, or sample a hard image, while the others wait; torchrun notices the dead
COUNTS: ContextVar[list[int]] = ContextVar("rows of the present batch that each process computes", default=[])  # noqa: B039


class ProcessesError(RuntimeError):
    """Another of the processes has ended, so that this one cannot go on."""


def rank() -> int:
    """The number of this process, from 0; 0 when alone."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    """The number of processes; 1 when alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@contextmanager
def process_group(device: str = "cpu") -> Iterator[None]:
    """Join the other processes that torchrun started, by NCCL between GPUs and gloo between CPUs.

    An error in one of them ends all: the first is raised where it happened, every other process exits silently
    (SystemExit 2). Raises ProcessesError if another process was killed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or world() > 1:  # alone, or joined already
        yield
        return
    store, number, count = next(rendezvous("env://", timeout=TIMEOUT))
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") and torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=TIMEOUT)
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if store.add("errors", 1) > 1:
            raise SystemExit(2) from error
        raise
    dist.destroy_process_group()


def local_device(name: str) -> str:
    """The device of this process: "cuda" is a GPU of its own for each process of a machine."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if name == "cuda" and world() > 1 else name


def barrier() -> None:
    """Wait for all processes."""
    all_true(True)


@contextmanager
def main_process() -> Iterator[bool]:
    """True in the one process that may write. None enters before all are there, or leaves before it has written."""
    barrier()
    yield rank() == 0
    barrier()


@contextmanager
def main_process_first() -> Iterator[None]:
    """The main process runs the block before the others do: for a download, say."""
    if rank() > 0:
        barrier()
    yield
    if rank() == 0:
        barrier()


def all_true(flag: bool) -> bool:
    """Whether the flag is true in every process."""
    agreed = torch.tensor(int(flag))
    if world() > 1:
        with _alive():
            dist.all_reduce(agreed, dist.ReduceOp.MIN)
    return bool(agreed)


def shards(count: int) -> list[range]:
    """Which of `count` items each process computes: ranges in the order of ranks, their lengths equal or one apart."""
    n = world()
    return [range(count * r // n, count * (r + 1) // n) for r in range(n)]


def all_gather(mine: Tensor) -> Tensor:
    """The rows of all processes in the order of ranks: (n, ...), n may differ -> (N, ...)."""
    if world() == 1:
        return mine
    return _all_gather(mine, _all_gather(torch.tensor([len(mine)]), [1] * world()).tolist())


def broadcast(tensors: Sequence[Tensor]) -> None:
    """Copy the tensors of the main process to all others, in place."""
    for tensor in tensors if world() > 1 else []:
        whole = tensor.detach().contiguous()
        with _alive():
            dist.broadcast(whole, 0)
        tensor.detach().copy_(whole)


@contextmanager
def sharded(batch: B) -> Iterator[tuple[B, float]]:
    """The rows of a batch that this process computes, and their weight in a mean over all rows.

    batch: the same in every process; with more than one it needs `len` and slices. A batch of fewer rows than processes
    is computed whole by each.
    """
    rows: Any = batch
    parts = shards(len(rows)) if world() > 1 else []
    if not all(parts) or not parts:
        yield batch, 1 / world()
        return
    mine, token = parts[rank()], COUNTS.set([len(part) for part in parts])
    try:
        yield rows[mine.start : mine.stop], len(mine) / len(rows)
    finally:
        COUNTS.reset(token)


def all_gather_rows(x: Tensor) -> tuple[Tensor, slice]:
    """The rows of a `sharded` batch from all processes, (b, ...) -> (B, ...), and which of them are this one's.

    No gradient flows through them, not even through one's own. Outside of `sharded` nothing is done: (x, slice(None)).
    """
    if not (counts := COUNTS.get()):
        return x, slice(None)
    start = sum(counts[: rank()])
    return _all_gather(x.detach(), counts), slice(start, start + counts[rank()])


def all_reduce_weighted(tensors: Sequence[Tensor], weight: float) -> None:
    """Replace each tensor by the sum over all processes of their own times their own weight: in place, one message."""
    if world() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).mul_(weight)
    with _alive():
        dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def _all_gather(mine: Tensor, counts: list[int]) -> Tensor:
    padded = mine.new_zeros(max(counts), *mine.shape[1:])
    padded[: len(mine)] = mine
    parts = [torch.empty_like(padded) for _ in counts]
    with _alive():
        dist.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


@contextmanager
def _alive() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ProcessesError(
            "another of the processes has ended: start the same command again, and it continues"
        ) from error


# ---- captured CUDA steps, after "CUDA semantics: whole-network capture" of the PyTorch documentation

WARM = 3  # steps of a shape that run kernel by kernel, while libraries plan and the optimiser makes its state
SHAPES = 8  # captured at most: each keeps its memory


def captured(step: Callable[[B], Tensor], device: torch.device) -> Callable[[B], Tensor]:
    """The same step, captured as a CUDA graph on a GPU; the step itself elsewhere.

    step: a batch on the device -> a tensor on it. It may change parameters, reads nothing back, and draws random
    numbers on the device only. A step that cannot be captured runs kernel by kernel.
    """
    if device.type != "cuda":
        return step
    with torch.cuda.device(device):
        side = torch.cuda.Stream()
    return CapturedStep(partial(_on_side_stream, side, step), partial(_capture, side, step))


class CapturedStep(Generic[B]):
    """A step that runs WARM times for each shape of batch, is then recorded, and replayed from there on.

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
        self.able = all_true(replay is not None)  # a captured exchange must be captured by all
        if self.able and replay:
            self.replays[shape] = replay
        return self.able


def tensors(batch: Any) -> list[Tensor]:
    """The tensors of a batch: itself, or those of a tuple or a simple object; none if it holds anything else."""
    if isinstance(batch, Tensor):
        return [batch]
    parts = list(batch) if isinstance(batch, tuple) else list(getattr(batch, "__dict__", {}).values())
    return parts if all(isinstance(part, Tensor) for part in parts) else []


def _on_side_stream(side: torch.cuda.Stream, step: Callable[[B], Tensor], batch: B) -> Tensor:
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
