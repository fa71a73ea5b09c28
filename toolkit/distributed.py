"""Several processes and captured CUDA steps: world size, shards, gathered rows, training in step.

All run the same program and call the functions here in the same order; each has a rank, from 0. What is random comes
from seeds, so that all of them draw the same; what differs is which rows of a batch, or which images, each computes.

After "CUDA semantics: whole-network capture" of the PyTorch documentation. The first steps of a shape run kernel by
kernel on a side stream, where libraries plan and the optimiser makes its state; they train like any other. Then the
step is captured, which computes nothing, and replayed from there on. What cannot be captured runs kernel by kernel.
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
PATIENCE = timedelta(days=1)  # one may write, or sample a hard image, while the others wait; torchrun notices the dead
HERE: ContextVar[list[int]] = ContextVar("rows of the batch at hand that each process computes", default=[])  # noqa: B039


class ProcessesError(RuntimeError):
    """Another of the processes has ended, so that this one cannot go on."""


def rank() -> int:
    """Which of the processes this is, from 0; 0 when alone."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    """How many processes work together; 1 when alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@contextmanager
def process_group(device: str = "cpu") -> Iterator[None]:
    """Work together with the other processes that torchrun started, by NCCL between GPUs and gloo between CPUs.

    An error in one of them ends all: the first is raised where it happened, every other process leaves without a word
    (SystemExit 2). Raises ProcessesError if another process was killed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or world() > 1:  # alone, or together already
        yield
        return
    store, number, count = next(rendezvous("env://", timeout=PATIENCE))
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") and torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=PATIENCE)
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
    """Wait until all processes are here."""
    all_true(True)


@contextmanager
def main_process() -> Iterator[bool]:
    """True in the one process that may write. Nobody enters before all are here, or leaves before it has written."""
    barrier()
    yield rank() == 0
    barrier()


@contextmanager
def main_process_first() -> Iterator[None]:
    """What the first process does here, it has done before the others start on it: a download, say."""
    if rank() > 0:
        barrier()
    yield
    if rank() == 0:
        barrier()


def all_true(flag: bool) -> bool:
    """Whether the flag is true in every process."""
    agreed = torch.tensor(int(flag))
    if world() > 1:
        with _parting():
            dist.all_reduce(agreed, dist.ReduceOp.MIN)
    return bool(agreed)


def shards(count: int) -> list[range]:
    """Which of `count` things each process does: ranges in the order of ranks, of equal length or one apart."""
    n = world()
    return [range(count * r // n, count * (r + 1) // n) for r in range(n)]


def all_gather(mine: Tensor) -> Tensor:
    """The rows of all processes in the order of ranks: (n, ...), n may differ -> (N, ...)."""
    if world() == 1:
        return mine
    return _gather(mine, _gather(torch.tensor([len(mine)]), [1] * world()).tolist())


def broadcast(tensors: Sequence[Tensor]) -> None:
    """Make every process hold what the first one does, in place."""
    if world() == 1:
        return
    for tensor in tensors:
        whole = tensor.detach().contiguous()
        with _parting():
            dist.broadcast(whole, 0)
        tensor.detach().copy_(whole)


@contextmanager
def sharded(batch: B) -> Iterator[tuple[B, float]]:
    """The rows of a batch that this process computes, and their weight in a mean over all rows.

    batch: the same in every process; more than one need `len` and slices of it. A batch of fewer rows than processes
    is computed whole by each.
    """
    if world() == 1:
        yield batch, 1.0
        return
    rows: Any = batch
    parts = shards(len(rows))
    mine = parts[rank()]
    if not all(parts):
        yield batch, 1 / world()
        return
    token = HERE.set([len(part) for part in parts])
    try:
        yield rows[mine.start : mine.stop], len(mine) / len(rows)
    finally:
        HERE.reset(token)


def all_gather_rows(strength: Tensor) -> tuple[Tensor, slice]:
    """The rows of all processes while each has its own of a batch, (b, ...) -> (B, ...), and which of them are mine.

    No gradient flows through them, not even through one's own. Outside of `sharded` all rows are mine, and nothing is
    done: (strength, slice(None)).
    """
    if not (counts := HERE.get()):
        return strength, slice(None)
    start = sum(counts[: rank()])
    return _gather(strength.detach(), counts), slice(start, start + counts[rank()])


def all_reduce_weighted(tensors: Sequence[Tensor], weight: float) -> None:
    """Replace each tensor by the sum over all processes of their own, times their own weight: in place, one message."""
    if world() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).mul_(weight)
    with _parting():
        dist.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def _gather(mine: Tensor, counts: list[int]) -> Tensor:
    padded = mine.new_zeros(max(counts), *mine.shape[1:])
    padded[: len(mine)] = mine
    parts = [torch.empty_like(padded) for _ in counts]
    with _parting():
        dist.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


@contextmanager
def _parting() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ProcessesError(
            "another of the processes has ended: start the same command again, and it continues"
        ) from error


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
    return CapturedStep(partial(_beside, side, step), partial(_capture, side, step))


class CapturedStep(Generic[B]):
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
