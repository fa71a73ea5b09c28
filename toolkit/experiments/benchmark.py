"""The benchmark of the fast paths against plain PyTorch; the command benchmark."""

import argparse
import json
import math
import os
import platform
from collections.abc import Callable, Collection
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from .. import data, hub, train
from ..cli import arg, command
from ..index import write_atomic
from ..metrics.stats import interval
from ..models import VAE, WTA, Manifold, create
from ..models.manifold import folded
from ..samplers import Samples, Sampling, generate
from ..samplers.creative import Creative, Statistics, activation_statistics, codes, creative_decode
from ..samplers.iterate import last
from ..samplers.kaleidoscope import kaleidoscope
from ..seeds import Noise, child
from ..train import Shuffled, fit
from . import timing
from .page_benchmark import PERCENTILES, PagePlan, measure_page
from .timing import QUICK, Entry, Plan, Subject, attempt, entry, report, scaled, seconds

# Training steps and reconstructions.


def step(subject: Subject, model: WTA) -> Entry:
    """One training step, with everything a training does in it: the batch, both passes, Adam."""
    plan, batches = subject.plan, subject.batches
    times = subject.alternate(
        plain=lambda: timing.train(model, batches, plan.steps), fast=lambda: fit(model, batches, steps=plan.steps)
    )
    each = entry(
        scaled(times, plain=1 / plan.steps, fast=1 / plan.steps), filters=plan.filters, batch=plan.batch,
        steps_in_a_run=plan.steps, trained=plan.trained, lifetime_per=model.config.lifetime_per,
    )  # fmt: skip
    return each | {"images_per_second": plan.batch / each["fast"]}


@torch.no_grad()
def one_pass(subject: Subject, exact: bool = False) -> Entry:
    """One reconstruction of a batch of half-grown images; exact: in float32, as images that are shown are computed."""
    plan, model = subject.plan, subject.model
    twin, x = timing.autoencoder(model), timing.sample(model, subject.noise(plan.batch), 5)

    def ours() -> None:
        with nullcontext() if exact else train.autocast(plan.device):
            model.reconstruct(x)

    times = subject.alternate(plain=lambda: twin(x).clamp(0, 1), fast=ours)
    ceiling = matrix_product_tflops(plan.device, 1024)  # neighbours on the same processor share its tiles
    return entry(times, filters=plan.filters, images=plan.batch, bfloat16_product_tflops=ceiling)


# Exactness: how far fast is from plain.

EXACT_PASSES = 20
PAIRS = {
    "plain": ("fast", "plain"), "float64": ("fast", "float64"), "plain_to_float64": ("plain", "float64"),
    "bfloat16": ("bfloat16", "plain"),
}  # fmt: skip


def exactness(subject: Subject) -> Entry:
    """How far fast is from plain: a batch by either rule of lifetime sparsity, images, and where training ends."""
    model, x = subject.model, subject.noise(subject.plan.plain_images)
    ours, theirs = (timing.sample(each, x, EXACT_PASSES) for each in (model, timing.autoencoder(model)))
    return {
        "channel": batch_differences(subject, model),
        "position": batch_differences(subject, subject.published),
        "images": {"passes": EXACT_PASSES, "images": len(x), "max_difference": (ours - theirs).abs().max().item()},
        "training": training_ends(subject),
    }


def batch_differences(subject: Subject, model: WTA) -> Entry:
    """Outputs and gradients of a batch: fast and plain in float32, either from float64; fast in bfloat16 from plain.

    Outputs by their largest difference, gradients by the length of the difference over the length of the gradient,
    for the parameter where that is largest.
    """
    x = next(iter(subject.batches)).to(subject.plan.device)
    models: dict[str, nn.Module] = {
        "fast": deepcopy(model).train().requires_grad_(True),
        "plain": timing.autoencoder(model),
        "float64": timing.autoencoder(model).double(),
        "bfloat16": deepcopy(model).train().requires_grad_(True),
    }
    outputs = {}
    for name, each in models.items():
        with torch.autocast(subject.plan.device.type, torch.bfloat16, enabled=name == "bfloat16"):
            like = x.double() if name == "float64" else x
            loss = each.loss(like)  # type: ignore[operator]
            with torch.no_grad():
                outputs[name] = each(like)
        loss.backward()
    return {
        "outputs": {name: (outputs[a] - outputs[b]).abs().max().item() for name, (a, b) in PAIRS.items()},
        "gradients": {name: max(gradient_differences(models[a], models[b])) for name, (a, b) in PAIRS.items()},
    }


def gradient_differences(model: nn.Module, other: nn.Module) -> list[float]:
    """For each parameter, the length of the difference over the length of the other's gradient."""
    found = []
    for (name, ours), (same, theirs) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert name == same and ours.grad is not None and theirs.grad is not None
        found.append(((ours.grad - theirs.grad).norm() / theirs.grad.norm().clamp_min(1e-12)).item())
    return found


def training_ends(subject: Subject) -> Entry:
    """Where training ends, over seeds: plain, and `fit` in float32 and in bfloat16, from the same weights and batches.

    Beside them `fit` in float32 on the same images in another order: two trainings that differ by chance alone. By the
    published rule, but of weights that learn at once. A fifth of the images is held out.

    held_out_loss: one value per seed of each; loss_difference: the same minus float32, seed by seed, with the 95 %
    interval; loss_spread: the standard deviation of float32 over seeds. weights, images: how far the parameters, and
    images of the same noise after 20 passes, are from those of float32: relative, and as root mean square.
    """
    plan, rest = subject.plan, torch.arange(len(subject.images)) % 5 > 0
    learned, held_out = subject.images[rest], subject.images[~rest].float().to(plan.device) / 255
    names = ("float32", "plain", "bfloat16", "another order")
    losses, weights, images = ({name: list[float]() for name in names} for _ in range(3))
    for index in range(plan.curve_seeds):
        seed = child(plan.seed, "curve", index)
        model = subject.untrained(seed, filters=plan.curve_filters, lifetime_per="position")
        batches = Shuffled(learned, plan.batch, seed)
        ends = {
            "float32": fit_in(torch.float32, model, batches, plan.curve_steps),
            "plain": timing.train(model, batches, plan.curve_steps)[1],
            "bfloat16": fit_in(torch.bfloat16, model, batches, plan.curve_steps),
            "another order": fit_in(
                torch.float32, model, replace(batches, seed=child(seed, "order")), plan.curve_steps
            ),
        }
        with torch.no_grad():
            vectors = {name: torch.cat([it.flatten() for it in end.parameters()]) for name, end in ends.items()}
            pictures = {name: timing.sample(end, subject.noise(50), EXACT_PASSES) for name, end in ends.items()}
            for name, end in ends.items():
                losses[name].append(fmean(end.loss(x).item() for x in held_out.split(plan.batch)))
                away = (vectors[name] - vectors["float32"]).norm() / vectors["float32"].norm()
                weights[name].append(away.item())
                images[name].append(rms(pictures[name], pictures["float32"]))
    return {
        "filters": plan.curve_filters,
        "steps": plan.curve_steps,
        "seeds": plan.curve_seeds,
        "held_out_loss": losses,
        "loss_difference": {
            name: interval([a - b for a, b in zip(own, losses["float32"], strict=True)]) for name, own in losses.items()
        },
        "loss_spread": stdev(losses["float32"]) if plan.curve_seeds > 1 else None,
        "weights": {name: fmean(own) for name, own in weights.items()},
        "images": {name: fmean(own) for name, own in images.items()},
    }


def fit_in(dtype: torch.dtype, model: WTA, batches: Shuffled, steps: int) -> WTA:
    """`fit` in one number format, float32 or bfloat16, whichever is native."""
    with train.precision(next(model.parameters()).device.type, bfloat16=dtype == torch.bfloat16):
        return fit(model, batches, steps=steps)


def rms(a: Tensor, b: Tensor) -> float:
    """The root mean square difference of two images, averaged over the set: (B, C, H, W) twice -> in [0, 1]."""
    return (a - b).flatten(1).square().mean(1).sqrt().mean().item()


# Sampling and decoding.

HOW = Creative()  # low-active, five neurons


def sampling(subject: Subject) -> Entry:
    """Images sampled as figures are made: a fixed number of passes; and beside it to the stop rule, each by itself.

    The plain side is a fixed number of passes for both; it costs the same whatever the weights. Beside the times: how
    images that were stopped one by one differ from those of a fixed number of passes, and float32 from bfloat16.
    """
    plan, model, published = subject.plan, subject.model, subject.published
    twin, start = timing.autoencoder(model), subject.noise(plan.plain_images)
    fixed: list[Tensor] = []
    settled: list[Samples] = []
    rules = Sampling(tol=0.0, limit=plan.passes), Sampling(limit=plan.passes)
    times = subject.alternate(
        long=True,
        plain=lambda: fixed.append(timing.sample(twin, start, plan.passes)),
        fixed=lambda: generate(published, range(plan.fixed_images), rules[0]),
        settled=lambda: settled.append(generate(model, range(plan.images), rules[1])),
    )

    def against_plain(side: str, images: int, **notes: Any) -> Entry:
        pair = scaled({"plain": times["plain"], "fast": times[side]}, plain=images / plan.plain_images)
        return entry(pair, images=images, plain_images_timed=plan.plain_images, **notes)

    passes, exact = settled[0].passes.double(), rules[1].final(model, start)
    quick = settled[0].images[: len(start)].to(exact.device).float() / 255
    about = {
        "passes_mean": passes.mean().item(),
        "share_that_never_settled": (passes >= plan.passes).double().mean().item(),
        "stopping_rms": rms(exact, fixed[0]),
        "bfloat16_rms": rms(quick, exact),
    }
    return {
        "fixed": against_plain("fixed", plan.fixed_images, passes_mean=plan.passes),
        "stop_rule": against_plain("settled", plan.images, **about),
    }


def symbols(subject: Subject) -> Entry:
    """Fresh symbols of the shipped run, as the page grows them: float32, from noise to the last pass."""
    plan = subject.plan
    model, rule = hub.load(hub.CHECKPOINTS, "fig2", device=plan.device), hub.sampling(hub.CHECKPOINTS, "fig2")
    assert isinstance(model, WTA)
    twin, start = timing.autoencoder(model), subject.noise(plan.symbols)
    times = subject.alternate(
        plain=lambda: timing.sample(twin, start, rule.limit), fast=lambda: rule.final(model, start)
    )
    first = [seconds(lambda: list(islice(rule.stream(model, start), 2))) for _ in range(plan.runs)]
    notes = {"symbols": plan.symbols, "filters": model.config.filters, "passes_at_most": rule.limit}
    return entry(times, "s", **notes, first_step_ms=entry({"fast": first}, "ms"))


TOLERANCES = (1e-3, 1e-4, 1e-5)  # root mean square change of an image in one pass


def stop_by_change(subject: Subject) -> Entry:
    """How an image that stops once a pass changes it little differs from what all passes give.

    Of the shipped run of figure 2, its first and its last model; "exact" is float32, "fast" the arithmetic
    that runs sample in. For each tolerance the mean pass at which images stop, and the largest difference of an image
    from its last state, root mean square.
    """
    plan, start = subject.plan, subject.noise(subject.plan.symbols)
    entries = hub.read_index(hub.CHECKPOINTS)["experiments"]["fig2"]["iterations"]
    found: Entry = {"images": plan.symbols, "passes": plan.passes}
    for iteration in (1, entries[-1]["iteration"]):
        model = hub.load(hub.CHECKPOINTS, "fig2", iteration, device=plan.device)
        for arithmetic in ("exact", "fast"):
            states = [start]
            with torch.no_grad(), train.autocast(plan.device) if arithmetic == "fast" else nullcontext():
                for _ in range(plan.passes):
                    states.append(model(states[-1]).float().clamp(0, 1))
            found[f"iteration_{iteration}_{arithmetic}"] = {
                f"{tolerance:g}": stops(torch.stack(states), tolerance) for tolerance in TOLERANCES
            }
    return found


def stops(states: Tensor, tolerance: float) -> Entry:
    """When images stop, and how far from their last state. states: (passes + 1, B, C, H, W)."""
    changes = (states[1:] - states[:-1]).flatten(2).square().mean(2).sqrt()
    still = changes <= tolerance
    passes = torch.where(still.any(0), still.int().argmax(0) + 1, len(changes))
    stopped = states[passes, torch.arange(states.shape[1])]
    differences = (stopped - states[-1]).flatten(1).square().mean(1).sqrt()
    return {"passes_mean": passes.double().mean().item(), "difference_max": differences.max().item()}


def creative_redraw(subject: Subject) -> Entry:
    """Pairs of images, regular and low-active, for new codes: what one change of a setting asks of the page."""
    plan = subject.plan
    model, statistics = trained_decoder(subject)
    seeds, neurons = range(plan.pairs), len(statistics.active)
    z = Noise(seeds).randn(*model.code_shape).to(plan.device)

    def plain() -> None:
        timing.creative_decode(model, z, statistics, torch.rand(plan.pairs, neurons, device=plan.device), HOW)

    times = subject.alternate(plain=plain, fast=lambda: creative_decode(model, z, statistics, seeds, HOW))
    return entry(times, "ms", pairs=plan.pairs, neurons=HOW.neurons, of=neurons)


def trained_decoder(subject: Subject) -> tuple[VAE, Statistics]:
    """The published decoder after a short training, and what the neurons of its last hidden layer do."""
    plan, images, seed = subject.plan, subject.images, child(subject.plan.seed, "creative")
    model = create("VAE", plan.decoder, seed=seed).to(plan.device)
    assert isinstance(model, VAE)
    model = fit(model, Shuffled(images, 128, seed), steps=plan.trained)
    return model, activation_statistics(model, codes(model, images))


def kaleidoscope_runs(subject: Subject) -> Entry:
    """All starts through all runs, noise included. The network has its initial weights: it costs what any does."""
    plan = subject.plan
    model = create("Manifold", plan.manifold, seed=plan.seed).to(plan.device)
    assert isinstance(model, Manifold)
    start = Noise(range(plan.starts)).rand(*model.image_shape).to(plan.device)
    times = subject.alternate(
        long=True,
        plain=lambda: timing.kaleidoscope(model.net, start, plan.kaleidoscope_runs, 0.01),
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


# The first graphics card, or any device.

PRESENTED = 189_000_000  # images that figure 2 trains on at paper scale, repetitions counted
PASSED = 120_000_000  # image-passes that it samples, a hundred for every image
SIDE = 8192  # of the square matrices


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
    three times the operations of a dense pass, zeros included.
    """
    plan, model, fixed = subject.plan, subject.published, Sampling(tol=0.0, limit=20)
    fit(model, subject.batches, steps=min(steps, 20))  # kernels are chosen, and graphs captured, before
    sides = {
        "fast": lambda: fit(model, subject.batches, steps=steps),
        "sampling": lambda: generate(model, range(sampled), fixed),
    }
    times = entry(subject.alternate(long=True, **sides), "s")
    images_per_second = steps * plan.batch / times["minimum"]["fast"]
    passes_per_second = sampled * fixed.limit / times["minimum"]["sampling"]
    tflops = images_per_second * 3 * operations(model) / 1e12
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


def operations(model: WTA) -> int:
    """Of one image in one dense pass, a multiplication and an addition being two."""
    device = next(model.parameters()).device
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        timing.autoencoder(model)(torch.zeros(1, *model.image_shape, device=device))
    return int(counted.get_total_flops())


def matrix_product_tflops(device: torch.device, side: int, runs: int = 20) -> float:
    """What the device reaches in one square bfloat16 product, the best of several."""
    a, b = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 / min(seconds(lambda: a @ b) for _ in range(runs)) / 1e12


# All parts, and their tables.

PARTS: dict[str, Callable[[Subject], Any]] = {
    "train_step_published": lambda subject: step(subject, subject.published),
    "train_step_speedup": lambda subject: step(subject, subject.model),
    "exactness": exactness,
    "pass_speedup": one_pass,
    "pass_float32_speedup": partial(one_pass, exact=True),
    "sampling": sampling,
    "symbols_64_s": symbols,
    "stop_by_change": stop_by_change,
    "checkpoint_ms": checkpoint,
    "creative_ms": creative_redraw,
    "kaleidoscope_s": kaleidoscope_runs,
    "gpu": gpu,
}
TIMES = ("runs_unit", "plain", "fast", "ratio", "ratio_of_minima", "minimum.plain", "minimum.fast", "spread.plain",
         "spread.fast")  # fmt: skip


def measure_paths(
    images: Tensor,
    plan: Plan | None = None,
    *,
    only: Collection[str] = (),
    on_part: Callable[[str], object] = lambda name: None,
    on_result: Callable[[Entry], object] = lambda result: None,
) -> Entry:
    """The parts of `PARTS`, or `only` some, as JSON values, beside "machine" and "plan".

    images: uint8 (N, C, H, W), what the networks are trained on. on_part is called with the name of the next part,
    on_result with all results so far, first before any part. A part that fails is {"error": sentence}, and the rest
    goes on. Raises ValueError for the name of no part.
    """
    if unknown := [name for name in only if name not in PARTS]:
        raise ValueError(f"there is no part {', '.join(unknown)}: choose of {', '.join(PARTS)}")
    subject = Subject(plan or Plan(), images)
    result = {"machine": machine(), "plan": {**vars(subject.plan), "device": str(subject.plan.device)}}
    on_result(result)
    for name in only or PARTS:
        on_part(name)
        result[name] = attempt(partial(PARTS[name], subject))
        on_result(result)
    return result


def machine() -> Entry:
    """What it was measured on."""
    facts = Path("/proc/cpuinfo")
    lines = [line.partition(":") for line in facts.read_text().splitlines()] if facts.exists() else []
    cpu = {key.strip(): value.strip() for key, _, value in reversed(lines)}  # of the first processor
    return {
        "cpu": cpu.get("model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "amx": "amx_bf16" in cpu.get("flags", "").split(),
        "bfloat16": train.native_bfloat16("cpu"),
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


# The command.

EPILOG = """examples:
  python -m toolkit benchmark --json speed.json            many minutes on two idle cores: the table, and every run
  python -m toolkit benchmark --only train_step_published,pass_speedup --trained 50
  python -m toolkit benchmark --data mnist --trained 2000
  python -m toolkit benchmark --quick                      seconds: whether it runs, not how fast
  python -m toolkit benchmark --page --minutes 3           the page: one visitor, action by action, then 20 at once
What is plain: float32, dense, one loop written by hand. Both sides run in turn, in one process.
FILE is whole at any moment, with what is measured so far. Parts: """
Write = Callable[[Entry], object]


@command(
    "benchmark",
    EPILOG + ", ".join(PARTS),
    arg(
        "--json",
        action="store",
        nargs="?",
        const=True,
        type=Path,
        metavar="FILE",
        help="write everything to FILE; without FILE print it as JSON, alone",
    ),
    arg("--only", metavar="PARTS", help="measure these parts alone, separated by commas (default: all)"),
    arg("--data", default="sample:mnist", help="images that the networks are trained on first (default: sample:mnist)"),
    arg("--trained", type=int, metavar="STEPS", help="how many fast steps each is trained for (default: 500)"),
    arg("--curves", type=int, metavar="STEPS", help="of exactness: train at full size for so many; 300 are an hour"),
    arg("--page", action="store_true", help="measure the page: how soon it answers, and what it does under load"),
    arg("--minutes", type=float, default=3, help="of load on the page (default: 3)"),
    arg("--visitors", type=int, default=20, help="of the page at once (default: 20)"),
    arg("--actions", type=int, default=50, help="of each kind, of a visitor who is alone (default: 50)"),
    arg("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast"),
    *map(arg, ("--seed", "--root", "--device")),
)
def benchmark(args: argparse.Namespace) -> object:
    """The fast paths against plain, dense float32 PyTorch: times, ratios, what memory grows to; or the page."""

    def write(result: Entry) -> None:
        if isinstance(args.json, Path):
            write_atomic(args.json, f"{json.dumps(result, indent=2)}\n".encode())

    result = (page if args.page else paths)(args, write)
    return result if args.json is True else report(result, PERCENTILES if args.page else TIMES)


def paths(args: argparse.Namespace, write: Write) -> Entry:
    """The fast paths against the plain ones."""
    plan = replace(QUICK if args.quick else Plan(), device=train.device(args.device))
    given: dict[str, Any] = {"seed": args.seed, "trained": args.trained, "curve_steps": args.curves}
    given["curve_filters"] = plan.filters if args.curves else None
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    images, only = data.load(args.data, root=args.root).images, args.only.split(",") if args.only else []
    with tqdm(total=len(only or PARTS), disable=args.json is True, dynamic_ncols=True) as bar:

        def on_part(name: str) -> None:
            bar.update(bool(bar.desc))
            bar.set_description(name)

        return measure_paths(images, plan, only=only, on_part=on_part, on_result=write)


def page(args: argparse.Namespace, write: Write) -> Entry:
    """The page over the shipped checkpoints, in a process of its own."""
    if not 0 < args.minutes < math.inf or args.visitors < 1 or args.actions < 1:
        raise ValueError("--minutes, --visitors and --actions are too small: give more than none of each")
    plan = PagePlan(actions=args.actions, minutes=args.minutes, visitors=args.visitors)
    with tqdm(bar_format="{desc} {elapsed}", disable=args.json is True) as bar:
        return measure_page(plan, on_part=bar.set_description_str, on_result=write)
