"""The fast paths against plain, dense float32 PyTorch, in one process, in turn: one JSON object, one table."""

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import precision
from . import creative, gpu, growth, kaleidoscope, overhead, sampling, startup, training
from .plan import QUICK, Plan, Subject
from .report import tables

PARTS: dict[str, Callable[[Subject], Any]] = {  # other processes first, while this one is small
    "import_s": startup.importing,
    "cold_start_s": startup.cold_start,
    "peak_rss_mb_1m": growth.peak,
    "network": training.network,
    "train_step_speedup": training.step,
    "exactness": training.exactness,
    "pass_speedup": sampling.one_pass,
    "pass_float32_speedup": sampling.one_exact_pass,
    "exact_pictures": sampling.exact_pictures,
    "sample_speedup": sampling.samples,
    "symbols_64_s": sampling.symbols,
    "checkpoint_ms": sampling.checkpoint,
    "creative_ms": creative.redraw,
    "kaleidoscope_s": kaleidoscope.runs,
    "fit_overhead": overhead.every,
    "loss_curves": training.curves,
}
STEPS = [*PARTS, "growth", "gpu"]  # what `on_part` hears, in turn


def benchmark(
    images: Tensor, plan: Plan | None = None, on_part: Callable[[str], object] = lambda name: None
) -> dict[str, Any]:
    """All measurements, as JSON values: every part of `PARTS`, "growth", "gpu", "machine" and "plan".

    images: uint8 (N, C, H, W), what the network is trained on. on_part hears what comes next, as in `STEPS`.
    Each entry has its value and unit, both medians, their ratio, and every run of either side.
    """
    subject = Subject(plan or Plan(), images)
    result: dict[str, Any] = {"machine": machine(), "plan": {**vars(subject.plan), "device": str(subject.plan.device)}}
    for name, part in PARTS.items():
        on_part(name)
        result[name] = part(subject)
    on_part("growth")
    result["growth"] = growth.table(subject, result["train_step_speedup"], result["sample_speedup"])
    on_part("gpu")
    result["gpu"] = gpu.section(subject.plan, images)
    return result


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _said("model name") or platform.machine(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "amx": "amx_bf16" in _said("flags").split(),
        "bfloat16": precision.native_bfloat16("cpu"),
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _said(key: str) -> str:
    """What the system says of its first processor, where it says it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


__all__ = ["QUICK", "STEPS", "Plan", "benchmark", "tables"]
