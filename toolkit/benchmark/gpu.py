"""A graphics card: training throughput beside the card's own matrix product, and the paper's run projected from it."""

import torch
from torch import nn

from ..models import WTA
from ..samplers import Sampling, hallucinate
from ..train import fit
from .plan import Plan, Subject
from .timing import Entry, clock_of, stopwatch

PRESENTED = 189_000_000  # images that figure 2 trains on at paper scale, repetitions counted
PASSED = 120_000_000  # image-passes that it samples, if every image takes all of its hundred
SIDE = 8192  # of the square matrices


def section(plan: Plan, images: torch.Tensor) -> Entry:
    """All of it on the first card, or why not."""
    if not torch.cuda.is_available():
        return {"why": "no CUDA device here, so nothing was measured on one"}
    device = torch.device("cuda")
    subject = Subject(Plan(plan.seed, device, plan.filters, plan.batch, plan.trained), images)
    entry = measure(subject, steps=300, sampled=10_000, side=SIDE)
    return {"name": torch.cuda.get_device_name(device), **entry}


def measure(subject: Subject, *, steps: int, sampled: int, side: int) -> Entry:
    """Throughput of training and sampling on the subject's device, and of a bfloat16 matrix product of this side.

    A training step counts as three times the multiplications of a dense pass, two operations each, zeros included.
    """
    plan, model, clock = subject.plan, subject.model, clock_of(subject.plan.device)
    fit(model, subject.batches, steps=min(steps, 20))  # kernels are chosen, and graphs captured, before
    images_per_second = steps * plan.batch / stopwatch(lambda: fit(model, subject.batches, steps=steps), clock)
    everything = Sampling(tol=0.0, limit=20)  # no image stands still
    seconds = stopwatch(lambda: hallucinate(model, range(sampled), everything), clock)
    passes_per_second = sampled * everything.limit / seconds
    tflops = images_per_second * 3 * 2 * multiplications(model) / 1e12
    product = matrix_product_tflops(subject.plan.device, side)
    return {
        "training_images_per_second": images_per_second,
        "training_tflops": tflops,
        "matrix_product_tflops": product,
        "share_of_matrix_product": tflops / product,
        "image_passes_per_second": passes_per_second,
        "figure_2_h_extrapolated": (PRESENTED / images_per_second + PASSED / passes_per_second) / 3600,
    }


def multiplications(model: WTA) -> int:
    """Of one image in one dense pass: the sizes of every kernel, at every place it is put."""
    side, total = model.config.size, 0
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            side -= layer.kernel_size[0] - 1
            total += layer.weight.numel() * side**2
        elif isinstance(layer, nn.ConvTranspose2d):
            total += layer.weight.numel() * side**2
            side += layer.kernel_size[0] - 1
    return total


def matrix_product_tflops(device: torch.device, side: int, runs: int = 20) -> float:
    """What the device reaches in one square bfloat16 product, the best of several."""
    a, b = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    clock = clock_of(device)
    return 2 * side**3 / min(stopwatch(lambda: a @ b, clock) for _ in range(runs)) / 1e12
