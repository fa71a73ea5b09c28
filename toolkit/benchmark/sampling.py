"""Sampling: one pass, a thousand images to the stop rule, and what stopping early does to the pictures."""

import time
from itertools import islice
from statistics import median

import torch
from torch import Tensor

from .. import hub, metrics, precision
from ..models import WTA
from ..samplers import Hallucination, Sampling, hallucinate
from ..seeds import Noise
from . import plain
from .gpu import matrix_product_tflops
from .plan import Subject
from .timing import Entry, alternate, clock_of, stopwatch

EXACT_PASSES = 20


def one_pass(subject: Subject) -> Entry:
    """One reconstruction of a batch of half-grown pictures, without gradients."""
    return _pass(subject, fast=True)


def one_exact_pass(subject: Subject) -> Entry:
    """The same in float32, as pictures that are shown are computed."""
    return _pass(subject, fast=False)


@torch.no_grad()
def _pass(subject: Subject, fast: bool) -> Entry:
    plan, model = subject.plan, subject.model
    twin = plain.autoencoder(model)
    x = plain.sample(model, noise(subject, plan.batch), 5)

    def ours() -> None:
        if fast:
            with precision.fast(plan.device):
                model.reconstruct(x)
        else:
            model.reconstruct(x)

    pair = alternate(lambda: twin(x).clamp(0, 1), ours, runs=plan.runs, clock=clock_of(plan.device))
    ceiling = matrix_product_tflops(plan.device, 1024)  # neighbours on the same processor share its tiles
    return pair.speedup(filters=plan.filters, images=plan.batch, bfloat16_product_tflops=ceiling)


def samples(subject: Subject) -> Entry:
    """Images sampled to the published criterion, each by itself, against as many passes for all."""
    plan, model = subject.plan, subject.model
    twin, start = plain.autoencoder(model), noise(subject, plan.plain_images)
    fixed: list[Tensor] = []
    settled: list[Hallucination] = []
    pair = alternate(
        lambda: fixed.append(plain.sample(twin, start, plan.passes)),
        lambda: settled.append(hallucinate(model, range(plan.images), Sampling(limit=plan.passes))),
        runs=plan.sampling_runs,
        warm_ups=0,  # both are long, and their passes have been run before
        clock=clock_of(plan.device),
    ).scaled(plan.images / plan.plain_images)
    passes = settled[0].passes.double()
    return {
        **pair.speedup(images=plan.images, plain_images_timed=plan.plain_images, plain_is_scaled_to_images=True),
        "seconds_per_image": median(pair.fast) / plan.images,
        "passes_plain": plan.passes,
        "passes_mean": passes.mean().item(),
        "passes_median": passes.median().item(),
        "share_that_never_settled": (passes >= plan.passes).double().mean().item(),
        "pictures": pictures(subject, fixed[0], settled[0]),
    }


def pictures(subject: Subject, fixed: Tensor, settled: Hallucination) -> Entry:
    """How the images stopped one by one differ from those of a fixed number of passes; and float32 from bfloat16.

    fixed: (B, C, H, W), the plain images of the first seeds.
    """
    plan, model = subject.plan, subject.model
    exact = Sampling(limit=plan.passes).final(model, noise(subject, len(fixed)))
    quick = settled.images[: len(fixed)].to(exact.device).float() / 255
    rows = {"fixed": fixed, "settled": exact, "settled_bfloat16": quick}
    return {
        "stopping_rms": rms(exact, fixed),
        "bfloat16_rms": rms(quick, exact),
        "measures": {name: metrics.measure(x.cpu(), subject.images) for name, x in rows.items()},
    }


def rms(a: Tensor, b: Tensor) -> float:
    """The root mean square difference of two images, averaged over the set: (B, C, H, W) twice -> in [0, 1]."""
    return (a - b).flatten(1).square().mean(1).sqrt().mean().item()


@torch.no_grad()
def exact_pictures(subject: Subject) -> Entry:
    """How far the pictures of the fast path in float32 are from the plain ones after twenty passes."""
    model, x = subject.model, noise(subject, subject.plan.plain_images)
    ours = plain.sample(model, x, EXACT_PASSES)
    distance = (ours - plain.sample(plain.autoencoder(model), x, EXACT_PASSES)).abs().flatten(1).amax(1)
    return {
        "passes": EXACT_PASSES,
        "images": len(x),
        "max_difference": distance.max().item(),
        "share_of_images_over_1e-4": (distance > 1e-4).double().mean().item(),
    }


def symbols(subject: Subject) -> Entry:
    """Fresh symbols of the shipped run, as the page grows them: float32, from noise to the last pass."""
    plan = subject.plan
    model = hub.load(hub.CHECKPOINTS, "fig2", device=plan.device)
    assert isinstance(model, WTA)
    twin, sampling = plain.autoencoder(model), hub.sampling(hub.CHECKPOINTS, "fig2")
    start = Noise(range(plan.symbols)).rand(*model.image_shape).to(plan.device)
    clock = clock_of(plan.device)
    pair = alternate(
        lambda: plain.sample(twin, start, sampling.limit),
        lambda: sampling.final(model, start),
        runs=plan.sampling_runs,
        clock=clock,
    )
    first = [stopwatch(lambda: list(islice(sampling.stream(model, start), 2)), clock) for _ in range(plan.runs)]
    notes = {"symbols": plan.symbols, "filters": model.config.filters, "passes_at_most": sampling.limit}
    return pair.seconds(**notes, first_step_ms=1000 * median(first), first_step_runs_s=first)


def checkpoint(subject: Subject) -> Entry:
    """Loading a shipped checkpoint, its sha256 checked, ready to use."""
    runs = [
        stopwatch(lambda: hub.load(hub.CHECKPOINTS, "fig2", device=subject.plan.device), time.perf_counter)
        for _ in range(max(2, subject.plan.runs))
    ]
    return {"value": 1000 * median(runs), "unit": "ms", "runs_unit": "ms", "runs": {"fast": [1000 * s for s in runs]}}


def noise(subject: Subject, count: int) -> Tensor:
    """The starts of the first seeds: (count, C, H, W) in [0, 1)."""
    return Noise(range(count)).rand(*subject.model.image_shape).to(subject.plan.device)
