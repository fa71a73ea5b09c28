"""Fast arithmetic: bfloat16 where the processor multiplies it faster, float32 elsewhere; nothing to configure."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch


@cache
def native_bfloat16(kind: str) -> bool:
    """Whether a device kind ("cpu", "cuda") multiplies bfloat16 faster than float32: AMX tiles on a CPU.

    A processor that has AVX512-BF16 and no tiles took twice as long over a product in bfloat16 as in float32.
    """
    if kind == "cpu":
        capable: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions do not say
        return bool(capable.get("amx_bf16"))
    return kind == "cuda" and torch.cuda.is_bf16_supported()


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
