"""The fast paths against plain, dense float32 PyTorch, in one process, in turn: one JSON object, one table."""

import os
import platform
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import precision
from . import growth, networks, others, visitor
from .others import measure_device
from .timing import QUICK, Entry, Plan, Subject, markdown, number, sentence

PARTS: dict[str, Callable[[Subject], Any]] = {  # other processes first, while this one is small
    "import_s": growth.importing,
    "cold_start_s": lambda subject: visitor.cold_start(subject.plan.launches),
    "peak_rss_mb_1m": growth.peak,
    "train_step_published": lambda subject: networks.step(subject, subject.published),
    "train_step_speedup": lambda subject: networks.step(subject, subject.model),
    "exactness": networks.exactness,
    "pass_speedup": networks.one_pass,
    "pass_float32_speedup": lambda subject: networks.one_pass(subject, exact=True),
    "sampling": networks.sampling,
    "symbols_64_s": networks.symbols,
    "checkpoint_ms": others.checkpoint,
    "creative_ms": others.creative_redraw,
    "kaleidoscope_s": others.kaleidoscope_runs,
    "fit_overhead": others.fit_overhead,
    "growth": growth.table,
    "gpu": others.gpu,
}
LINES = {
    "train_step_published": "training step, lifetime sparsity per position (figures)",
    "train_step_speedup": "training step, lifetime sparsity per channel (as written)",
    "pass_speedup": "reconstruction pass",
    "pass_float32_speedup": "reconstruction pass, float32",
    "sampling.fixed": "images, a fixed number of passes (figures)",
    "sampling.stop_rule": "images to the stop rule (as written)",
    "symbols_64_s": "fresh symbols of the shipped run",
    "creative_ms": "creative decoding",
    "kaleidoscope_s": "kaleidoscopic runs",
    "checkpoint_ms": "loading a checkpoint",
    "import_s": "import toolkit, after torch",
    "cold_start_s": "app: from nothing to its first picture",
    **{f"fit_overhead.{name}": f"fit, {name}" for name in QUICK.others},
}
HEAD = ["seconds: median (minimum, most/least)", "plain", "fast", "ratio", "of minima", "runs"]
GROWTH = {
    "images": "images",
    "peak_rss_mb_measured": "peak memory, MB",
    "batch_ms_measured": "drawing a batch, ms",
    "fast_iteration_h_extrapolated": "iteration, fast, h (extrapolated)",
    "plain_iteration_h_extrapolated": "iteration, plain, h (extrapolated)",
}


def benchmark(
    images: Tensor,
    plan: Plan | None = None,
    *,
    only: Collection[str] = (),
    on_part: Callable[[str], object] = lambda name: None,
    on_result: Callable[[Entry], object] = lambda result: None,
) -> Entry:
    """The parts of `PARTS`, or `only` some, as JSON values, beside "machine" and "plan".

    images: uint8 (N, C, H, W), what the networks are trained on. on_part hears which part comes next; on_result has all
    results so far, first before any part. A part that fails is {"error": sentence}, and the rest goes on.
    Raises ValueError for the name of no part.
    """
    if unknown := [name for name in only if name not in PARTS]:
        raise ValueError(f"there is no part {', '.join(unknown)}: choose of {', '.join(PARTS)}")
    subject = Subject(plan or Plan(), images)
    subject.result |= {"machine": machine(), "plan": {**vars(subject.plan), "device": str(subject.plan.device)}}
    on_result(subject.result)
    for name, part in PARTS.items():
        if not only or name in only:
            on_part(name)
            try:
                subject.result[name] = part(subject)
            except Exception as error:
                subject.result[name] = {"error": sentence(error)}
            on_result(subject.result)
    return subject.result


def machine() -> Entry:
    """What it was measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu("model name") or platform.machine(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "amx": "amx_bf16" in _cpu("flags").split(),
        "bfloat16": precision.native_bfloat16("cpu"),
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _cpu(key: str) -> str:
    """A fact of the first processor, where the system has it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def tables(result: Entry) -> str:
    """All that was measured, as Markdown."""
    good = {name: each for name, each in result.items() if not (isinstance(each, dict) and "error" in each)}
    found = {what: _find(good, key) for key, what in LINES.items()}
    rows = [line(what, each) for what, each in found.items() if each]
    growth_rows = [[number(each[key]) if key in each else "" for key in GROWTH] for each in good.get("growth", [])]
    sentences = {
        "peak_rss_mb_1m": _peak,
        "pass_speedup": _ceiling,
        "exactness": _exact,
        "sampling": _stopped,
        "gpu": _gpu,
    }
    return "\n\n".join([
        *([markdown(HEAD, rows)] if rows else []),
        *([markdown(list(GROWTH.values()), growth_rows)] if growth_rows else []),
        *(tell(good[name]) for name, tell in sentences.items() if name in good),
        *(f"{name} failed: {each['error']}" for name, each in result.items() if name not in good),
        ", ".join(f"{key} {value}" for key, value in result["machine"].items()),
    ])  # fmt: skip


def _find(result: Entry, path: str) -> Entry | None:
    name, _, key = path.partition(".")
    return result.get(name, {}).get(key) if key else result.get(name)


def line(what: str, each: Entry) -> list[str]:
    """One measurement: either side in seconds, the ratios, and how many runs there were."""
    scale = 1000 if each["runs_unit"] == "ms" else 1
    sides = [
        f"{number(each[side] / scale)} ({number(each['minimum'][side] / scale)}, {each['spread'][side]:.2f})"
        if side in each["runs"]
        else ""
        for side in ("plain", "fast")
    ]
    ratios = [f"{each[key]:.2f}" if key in each else "" for key in ("ratio", "ratio_of_minima")]
    return [what, *sides, *ratios, str(len(each["runs"]["fast"]))]


def _peak(each: Entry) -> str:
    return f"Peak memory of a training process that holds {each['images']:,} images: {each['value']:.0f} MB."


def _ceiling(each: Entry) -> str:
    return f"A bfloat16 matrix product reached {each['bfloat16_product_tflops']:.2f} TFLOP/s."


def _exact(each: Entry) -> str:
    found = [
        f"Lifetime sparsity per {rule}, fast against plain in float32: outputs within {outputs['plain']:.1e}, "
        f"gradients within {gradients['plain']:.1e} (relative, worst parameter; against float64 fast "
        f"{gradients['float64']:.1e}, plain {gradients['plain_to_float64']:.1e}); in "
        f"bfloat16 gradients differ by {gradients['bfloat16']:.2g}."
        for rule in ("channel", "position")
        for outputs, gradients in [each[rule].values()]
    ]
    images, ends = each["images"], each["training"]
    return (
        f"{' '.join(found)} Images after {images['passes']} passes within {images['max_difference']:.1e}. Loss after "
        f"{ends['steps']} steps of {ends['filters']} filters, mean of three seeds: {ends['plain_mean']:.3f} in "
        f"float32, {ends['fast_mean']:.3f} by fit in {'bfloat16' if ends['fast_is_bfloat16'] else 'float32'}."
    )


def _stopped(each: Entry) -> str:
    rule = each["stop_rule"]
    return (
        f"To the stop rule an image takes {rule['passes_mean']:.1f} passes, and {rule['share_that_never_settled']:.0%} "
        f"never settle. Images stopped one by one differ from those of a fixed number of passes by "
        f"{rule['stopping_rms']:.3f}, and bfloat16 from float32 by {rule['bfloat16_rms']:.3f} (root mean square)."
    )


def _gpu(each: Entry) -> str:
    if "why" in each:
        return f"GPU: {each['why']}."
    return (
        f"{each['name']}: {each['training_images_per_second']:,.0f} images/s in training, "
        f"{each['training_tflops']:.1f} TFLOP/s, {each['share_of_matrix_product']:.0%} of its own bfloat16 matrix "
        f"product; the paper's figure 2 in {each['figure_2_h_extrapolated']:.2f} h (extrapolated)."
    )


__all__ = ["PARTS", "QUICK", "Plan", "Subject", "benchmark", "measure_device", "tables"]
