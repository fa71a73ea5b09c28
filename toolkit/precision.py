"""Fast arithmetic: bfloat16 where the processor multiplies it faster, float32 elsewhere; nothing to configure."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

import torch


@cache
def native_bfloat16(kind: str) -> bool:
    """Whether a device kind ("cpu", "cuda") convolves faster in bfloat16 than in float32.

    A CPU with AMX tiles does. Of those that have AVX512-BF16 alone some are twice as fast and some half as fast in it,
    so one small convolution is timed there, once in a process; the two are too far apart for noise to decide.
    """
    if kind == "cpu":
        capable: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions do not say
        return bool(capable.get("amx_bf16") or (capable.get("avx512_bf16") and _faster_in_bfloat16()))
    return kind == "cuda" and torch.cuda.is_bf16_supported()


@torch.no_grad()
def _faster_in_bfloat16() -> bool:
    """Whether a convolution takes at most 0.8 of its time in float32, the least of several tries each."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(8, 64, 20, 20, dtype=dtype).to(memory_format=torch.channels_last)
        weight = torch.ones(64, 64, 5, 5, dtype=dtype).to(memory_format=torch.channels_last)
        tries = []
        for _ in range(8):
            start = perf_counter()
            torch.nn.functional.conv2d(x, weight)
            tries.append(perf_counter() - start)
        seconds[dtype] = min(tries)
    return seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]


def fast(device: torch.device) -> torch.autocast:
    """A context in which convolutions and matrix products run in bfloat16 if that is native, and as they are if not.

    Used for training and for filling a data set. A picture that is shown is computed without it, in float32, so that
    one seed is one picture on every machine.
    """
    native = native_bfloat16(device.type)
    return torch.autocast(device.type, torch.bfloat16, enabled=native, cache_enabled=torch.is_grad_enabled())


@contextmanager
def repeatable() -> Iterator[None]:
    """A context in which cuDNN picks the same kernels every time, and only those that always sum in the same order."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def device(name: str | torch.device) -> torch.device:
    """The device of this name ("cpu", "cuda", "cuda:1", "mps"). Raises ValueError if there is no such thing here."""
    try:
        chosen = torch.device(name)
        torch.ones(1, device=chosen).item()  # meta is a device, and of no use
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        raise ValueError(f"device {str(name)!r} is not usable here: use cpu{_accelerators()}") from None
    return chosen


def _accelerators() -> str:
    return ", or cuda" if torch.cuda.is_available() else ""
