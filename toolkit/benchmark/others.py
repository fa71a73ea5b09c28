"""The other fast paths: `fit` for every model, creative decoding, kaleidoscopes, checkpoints, and a graphics card."""

from collections.abc import Iterable
from copy import deepcopy
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .. import hub
from ..models import VAE, WTA, Judge, Lessons, Manifold, create
from ..models.folded import folded
from ..samplers import Sampling, hallucinate
from ..samplers.activation import Statistics, activation_statistics, codes
from ..samplers.creative import Creative, band_of, creative_decode
from ..samplers.iterate import last
from ..samplers.kaleidoscope import kaleidoscope
from ..seeds import Noise, child
from ..train import Shuffled, fit
from . import plain
from .timing import Entry, Plan, Subject, clock_of, entry, scaled, stopwatch

HOW = Creative()  # low-active, five neurons
PRESENTED = 189_000_000  # images that figure 2 trains on at paper scale, repetitions counted
PASSED = 120_000_000  # image-passes that it samples, a hundred for every image
SIDE = 8192  # of the square matrices


def fit_overhead(subject: Subject) -> dict[str, Entry]:
    """A step of `fit` against one of the loop written by hand, in float32, for each of the plan's other models."""
    return {name: _overhead(subject, name, *sizes) for name, sizes in subject.plan.others.items()}


def _overhead(subject: Subject, name: str, options: dict[str, Any], batch: int) -> Entry:
    plan = subject.plan
    model = create(name, options, seed=plan.seed).to(plan.device)
    batches = _batches(model, subject.images, batch)

    def by_hand() -> None:
        awake = deepcopy(model).to(memory_format=torch.contiguous_format)
        awake.train().requires_grad_(True)
        plain.train(awake.objectives(), batches, plan.steps, plan.device)  # type: ignore[operator]

    times = subject.alternate(plain=by_hand, fast=lambda: fit(model, batches, steps=plan.steps))
    return entry(scaled(times, plain=1 / plan.steps, fast=1 / plan.steps), steps_in_a_run=plan.steps)


def _batches(model: nn.Module, images: Tensor, batch: int) -> Iterable[Any]:
    """The images at the model's size, in batches; for a classifier with labels, any labels."""
    channels, *size = model.image_shape  # type: ignore[misc]
    fitted = interpolate(images.float(), size).byte().expand(-1, channels, -1, -1)
    labels = torch.arange(len(fitted)) % 10
    return Lessons(fitted, labels, batch=batch) if isinstance(model, Judge) else Shuffled(fitted, batch)


def creative_redraw(subject: Subject) -> Entry:
    """Pairs of images, regular and low-active, for new codes: what one change of a setting asks of the page."""
    plan = subject.plan
    model, statistics = trained_decoder(subject)
    seeds, neurons = range(plan.pairs), len(statistics.active)
    z = Noise(seeds).randn(*model.code_shape).to(plan.device)
    times = subject.alternate(
        plain=lambda: decode_by_hand(model, statistics, z, torch.rand(plan.pairs, neurons, device=plan.device)),
        fast=lambda: creative_decode(model, z, statistics, seeds, HOW),
    )
    return entry(times, "ms", pairs=plan.pairs, neurons=HOW.neurons, of=neurons)


def trained_decoder(subject: Subject) -> tuple[VAE, Statistics]:
    """The published decoder after a short training, and what the neurons of its last hidden layer do."""
    plan, images = subject.plan, subject.images
    options, batch = plan.others["VAE"]
    seed = child(plan.seed, "creative")
    model = create("VAE", options, seed=seed).to(plan.device)
    assert isinstance(model, VAE)
    model = fit(model, Shuffled(images, batch, seed), steps=plan.trained)
    return model, activation_statistics(model, codes(model, images))


def decode_by_hand(model: VAE, statistics: Statistics, z: Tensor, lots: Tensor) -> tuple[Tensor, Tensor]:
    """Both images of every code. lots: (B, K), the first neuron of a code is the candidate with the highest."""
    where = max(index for index, layer in enumerate(model.decoder) if isinstance(layer, nn.ReLU))
    value = statistics.mean + HOW.deviations * statistics.std
    able = band_of(statistics, HOW)
    off_and_on = plain.switch_on(model.decoder, where, z, able, statistics.correlation, value, lots, HOW.neurons)
    return plain.decode(model.decoder, z), off_and_on


def kaleidoscope_runs(subject: Subject) -> Entry:
    """All starts through all runs, noise included. The network has its initial weights: it costs what any does."""
    plan = subject.plan
    model = create("Manifold", plan.others["Manifold"][0], seed=plan.seed).to(plan.device)
    assert isinstance(model, Manifold)
    start = Noise(range(plan.starts)).rand(*model.image_shape).to(plan.device)
    times = subject.alternate(
        long=True,
        plain=lambda: plain.kaleidoscope(model.net, start, plan.kaleidoscope_runs, 0.01),
        fast=lambda: fast_kaleidoscope(model, plan),
    )
    return entry(times, "s", starts=plan.starts, runs_of_each=plan.kaleidoscope_runs, layers=model.config.depth + 1)


def fast_kaleidoscope(model: Manifold, plan: Plan, perturbation: float = 0.01) -> Tensor:
    """The last images of the sampler, in the processor's fast arithmetic."""
    step, noise = folded(model).reconstruct, Noise(range(plan.starts))
    stream = kaleidoscope(step, noise, model.image_shape, perturbation=perturbation, device=plan.device)
    return last(islice(stream, plan.kaleidoscope_runs + 1))  # the start is the first of the stream


def checkpoint(subject: Subject) -> Entry:
    """Loading a shipped checkpoint, its sha256 checked, ready to use."""
    return entry(subject.alternate(fast=lambda: hub.load(hub.CHECKPOINTS, "fig2", device=subject.plan.device)), "ms")


def gpu(subject: Subject) -> Entry:
    """Training and sampling on the first graphics card, and the paper's run projected from it; or why not."""
    if not torch.cuda.is_available():
        return {"why": "no CUDA device here, so nothing was measured on one"}
    device, plan = torch.device("cuda"), subject.plan
    there = Subject(Plan(plan.seed, device, plan.filters, plan.batch, plan.lr, plan.trained), subject.images)
    measured = measure_device(there, steps=300, sampled=10_000, side=SIDE)
    return {"name": torch.cuda.get_device_name(device), **measured}


def measure_device(subject: Subject, *, steps: int, sampled: int, side: int) -> Entry:
    """Training and sampling on the subject's device, and its bfloat16 product of matrices of this side.

    Rates are of the fastest of three runs, and `spread` is the slowest over the fastest. A training step counts as
    three times the multiplications of a dense pass, two operations each, zeros included.
    """
    plan, model = subject.plan, subject.published
    fit(model, subject.batches, steps=min(steps, 20))  # kernels are chosen, and graphs captured, before
    fixed = Sampling(tol=0.0, limit=20)
    times = entry(
        subject.alternate(
            long=True,
            fast=lambda: fit(model, subject.batches, steps=steps),
            sampling=lambda: hallucinate(model, range(sampled), fixed),
        ),
        "s",
    )
    images_per_second = steps * plan.batch / times["minimum"]["fast"]
    passes_per_second = sampled * fixed.limit / times["minimum"]["sampling"]
    tflops = images_per_second * 3 * 2 * multiplications(model) / 1e12
    product = matrix_product_tflops(plan.device, side)
    return {
        "training_images_per_second": images_per_second,
        "training_tflops": tflops,
        "matrix_product_tflops": product,
        "share_of_matrix_product": tflops / product,
        "image_passes_per_second": passes_per_second,
        "figure_2_h_extrapolated": (PRESENTED / images_per_second + PASSED / passes_per_second) / 3600,
        "spread": times["spread"],
        "runs": times["runs"],
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
