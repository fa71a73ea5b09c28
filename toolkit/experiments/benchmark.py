"""The benchmark of the fast paths against plain PyTorch.

Memory is that of a training that holds so many images, accumulated as a run does it, and takes steps. Whole trainings
are extrapolated: medians times counts.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from tqdm import tqdm

from .. import data, hub, train
from .. import index as files
from ..iterated import accumulate
from ..models import VAE, WTA, Judge, Lessons, Manifold, create, sparse
from ..models.manifold import folded
from ..presets import FIGURES
from ..samplers import Hallucination, Sampling, hallucinate
from ..samplers.creative import Creative, Statistics, activation_statistics, band_of, codes, creative_decode
from ..samplers.iterate import last
from ..samplers.kaleidoscope import kaleidoscope
from ..seeds import Noise, child
from ..train import Images, Objective, Shuffled, fit
from . import page_benchmark, timing
from .page_benchmark import PagePlan, measure_page, page_tables
from .timing import QUICK, Entry, Plan, Subject, clock_of, entry, markdown, readable, scaled, sentence, stopwatch

EPILOG = """examples:
  python -m toolkit benchmark --json speed.json            many minutes on two idle cores: the table, and every run
  python -m toolkit benchmark --only train_step_published,pass_speedup --trained 50
  python -m toolkit benchmark --data mnist --trained 2000
  python -m toolkit benchmark --quick                      seconds: whether it runs, not how fast
  python -m toolkit benchmark --page --minutes 3           the page: one visitor, action by action, then 20 at once
What is plain: float32, dense, one loop written by hand. Both sides run in turn, in one process.
FILE is whole at any moment, with what is measured so far. Parts: """
Write = Callable[[Entry], object]


def benchmark(args: argparse.Namespace) -> object:
    """The fast paths against plain, dense float32 PyTorch: times, ratios, what memory grows to; or the page."""

    def write(result: Entry) -> None:
        if isinstance(args.json, Path):
            files.write_atomic(args.json, f"{json.dumps(result, indent=2)}\n".encode())

    result = (page if args.page else paths)(args, write)
    return result if args.json is True else (page_tables if args.page else tables)(result)


def paths(args: argparse.Namespace, write: Write) -> Entry:
    """The fast paths against the plain ones."""
    given: dict[str, Any] = {"seed": args.seed, "trained": args.trained, "curve_steps": args.curves}
    plan = replace(timing.QUICK if args.quick else timing.Plan(), device=train.device(args.device))
    if args.curves:
        given["curve_filters"] = plan.filters
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


def declare(add: Callable[..., Any]) -> None:
    """What `benchmark` takes."""
    add("--json", action="store", nargs="?", const=True, type=Path, metavar="FILE",
        help="write everything to FILE; without FILE print it as JSON, alone")  # fmt: skip
    add("--only", metavar="PARTS", help="measure these parts alone, separated by commas (default: all)")
    add("--data", default="sample:mnist", help="images that the networks are trained on first (default: sample:mnist)")
    add("--trained", type=int, metavar="STEPS", help="how many fast steps each is trained for (default: 500)")
    add("--curves", type=int, metavar="STEPS", help="compare losses at full size over so many steps: 300 are an hour")
    add("--page", action="store_true", help="measure the page: how soon it answers, and what it does under load")
    add("--minutes", type=float, default=3, help="of load on the page (default: 3)")
    add("--visitors", type=int, default=20, help="of the page at once (default: 20)")
    add("--actions", type=int, default=50, help="of each kind, of a visitor who is alone (default: 50)")
    add("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
    for name in ("--seed", "--root", "--device"):
        add(name)


EXACT_PASSES = 20
SEEDS = 3  # of the loss curves


def step(subject: Subject, model: WTA) -> Entry:
    """One training step, with everything a training does in it: the batch, both passes, Adam."""
    plan, batches = subject.plan, subject.batches
    times = subject.alternate(
        plain=lambda: by_hand(model, batches, plan.steps), fast=lambda: fit(model, batches, steps=plan.steps)
    )
    each = entry(scaled(times, plain=1 / plan.steps, fast=1 / plan.steps))
    sizes = {"filters": plan.filters, "batch": plan.batch, "steps_in_a_run": plan.steps, "trained": plan.trained}
    return {**each, **sizes, "images_per_second": plan.batch / each["fast"], **_progress(subject, model)}


@torch.no_grad()
def _progress(subject: Subject, model: WTA) -> Entry:
    """How far a network has come: its rule and loss, where its winners are, and how many survive lifetime sparsity."""
    x = next(iter(subject.batches)).to(subject.plan.device)
    z, c = model.encode(x), model.config
    rule = sparse.lifetime_per_position if c.lifetime_per == "position" else sparse.lifetime
    return {
        "lifetime_per": c.lifetime_per,
        "loss": model.loss(x).item(),
        "share_of_positions_with_a_winner": z.ne(0).any(1).double().mean().item(),
        "share_of_winners_kept": rule(z, c.lifetime).count_nonzero().item() / max(1, z.count_nonzero().item()),
    }


def by_hand(model: WTA, batches: Shuffled, steps: int) -> list[float]:
    """The losses of the plain version, started from the weights of the model."""
    twin = timing.autoencoder(model)
    objective = Objective(twin.loss, list(twin.parameters()), lr=model.config.lr)
    return timing.train({"reconstruction": objective}, batches, steps, next(model.parameters()).device)


def by_fit(model: WTA, batches: Shuffled, steps: int) -> list[float]:
    """The losses of `fit`, started from the weights of the model."""
    losses: list[float] = []
    fit(model, batches, steps=steps, on_step=lambda step, now: losses.extend(now.values()))
    return losses


def exactness(subject: Subject) -> Entry:
    """How far fast is from plain: a batch by either rule of lifetime sparsity, images, and where training ends."""
    return {
        "channel": batch_differences(subject, subject.model),
        "position": batch_differences(subject, subject.published),
        "images": image_differences(subject),
        "training": curves(subject),
    }


def batch_differences(subject: Subject, model: WTA) -> Entry:
    """Outputs and gradients of a batch: fast and plain in float32, either from float64; fast in bfloat16 from plain.

    Outputs by their largest difference, gradients by the length of the difference over the length of the gradient,
    for the parameter where that is largest.
    """
    x, device = next(iter(subject.batches)).to(subject.plan.device), subject.plan.device
    models: dict[str, nn.Module] = {
        "fast": _awake(model),
        "plain": timing.autoencoder(model),
        "float64": timing.autoencoder(model).double(),
        "bfloat16": _awake(model),
    }
    outputs = {}
    for name, each in models.items():
        with torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16"):
            like = x.double() if name == "float64" else x
            loss = each.loss(like)  # type: ignore[operator]
            with torch.no_grad():
                outputs[name] = each(like)
        loss.backward()
    pairs = {
        "plain": ("fast", "plain"), "float64": ("fast", "float64"), "plain_to_float64": ("plain", "float64"),
        "bfloat16": ("bfloat16", "plain"),
    }  # fmt: skip
    return {
        "outputs": {name: (outputs[a] - outputs[b]).abs().max().item() for name, (a, b) in pairs.items()},
        "gradients": {name: max(gradient_differences(models[a], models[b])) for name, (a, b) in pairs.items()},
    }


def _awake(model: WTA) -> WTA:
    return deepcopy(model).train().requires_grad_(True)


def gradient_differences(model: nn.Module, other: nn.Module) -> Iterator[float]:
    """For each parameter, the length of the difference over the length of the other's gradient."""
    for (name, ours), (same, theirs) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert name == same and ours.grad is not None and theirs.grad is not None
        yield ((ours.grad - theirs.grad).norm() / theirs.grad.norm().clamp_min(1e-12)).item()


@torch.no_grad()
def image_differences(subject: Subject) -> Entry:
    """How far the images of the fast path in float32 are from the plain ones after twenty passes."""
    model, x = subject.model, subject.noise(subject.plan.plain_images)
    ours = timing.sample(model, x, EXACT_PASSES)
    distance = (ours - timing.sample(timing.autoencoder(model), x, EXACT_PASSES)).abs().flatten(1).amax(1)
    return {"passes": EXACT_PASSES, "images": len(x), "max_difference": distance.max().item()}


def curves(subject: Subject) -> Entry:
    """The loss of plain training in float32 and of `fit`, from the same weights on the same batches, three seeds each.

    By the published rule, but of weights that learn at once. The ends are means over the last tenth of the steps.
    """
    plan = subject.plan
    losses: dict[str, list[list[float]]] = {"plain": [], "fast": []}
    for number in range(SEEDS):
        seed, options = child(plan.seed, "curve", number), {"filters": plan.curve_filters, "lifetime_per": "position"}
        model, batches = subject.untrained(seed, **options), Shuffled(subject.images, plan.batch, seed)
        losses["plain"].append(by_hand(model, batches, plan.curve_steps))
        losses["fast"].append(by_fit(model, batches, plan.curve_steps))
    last = max(1, plan.curve_steps // 10)
    ends = {f"{side}_end": [sum(each[-last:]) / last for each in runs] for side, runs in losses.items()}
    means = {f"{side}_mean": sum(each) / SEEDS for side, each in zip(losses, ends.values(), strict=True)}
    native = train.native_bfloat16(plan.device.type)
    sizes = {"filters": plan.curve_filters, "steps": plan.curve_steps, "fast_is_bfloat16": native}
    return {**sizes, **means, **ends, "losses": losses}


@torch.no_grad()
def one_pass(subject: Subject, exact: bool = False) -> Entry:
    """One reconstruction of a batch of half-grown images; exact: in float32, as images that are shown are computed."""
    plan, model = subject.plan, subject.model
    twin, x = timing.autoencoder(model), timing.sample(model, subject.noise(plan.batch), 5)

    def ours() -> None:
        with train.autocast(plan.device) if not exact else torch.no_grad():
            model.reconstruct(x)

    times = subject.alternate(plain=lambda: twin(x).clamp(0, 1), fast=ours)
    ceiling = matrix_product_tflops(plan.device, 1024)  # neighbours on the same processor share its tiles
    return entry(times, filters=plan.filters, images=plan.batch, bfloat16_product_tflops=ceiling)


def sampling(subject: Subject) -> Entry:
    """Images sampled as figures are made: a fixed number of passes; and beside it to the stop rule, each by itself.

    The plain side is a fixed number of passes for both; it costs the same whatever the weights.
    """
    plan, model, published = subject.plan, subject.model, subject.published
    twin, start = timing.autoencoder(model), subject.noise(plan.plain_images)
    fixed: list[Tensor] = []
    settled: list[Hallucination] = []
    rules = Sampling(tol=0.0, limit=plan.passes), Sampling(limit=plan.passes)
    times = subject.alternate(
        long=True,
        plain=lambda: fixed.append(timing.sample(twin, start, plan.passes)),
        fixed=lambda: hallucinate(published, range(plan.fixed_images), rules[0]),
        settled=lambda: settled.append(hallucinate(model, range(plan.images), rules[1])),
    )
    passes = settled[0].passes.double()
    return {
        "fixed": _sampled(times, "fixed", plan.fixed_images, plan.plain_images, passes_mean=plan.passes),
        "stop_rule": _sampled(
            times,
            "settled",
            plan.images,
            plan.plain_images,
            passes_mean=passes.mean().item(),
            share_that_never_settled=(passes >= plan.passes).double().mean().item(),
            **stopping(subject, fixed[0], settled[0]),
        ),
    }


def _sampled(times: dict[str, list[float]], side: str, images: int, plain_images: int, **notes: Any) -> Entry:
    """The entry of one way of sampling; the plain side, of fewer images, is scaled to as many."""
    pair = scaled({"plain": times["plain"], "fast": times[side]}, plain=images / plain_images)
    return entry(pair, images=images, plain_images_timed=plain_images, **notes)


def stopping(subject: Subject, fixed: Tensor, settled: Hallucination) -> Entry:
    """How images stopped one by one differ from those of a fixed number of passes; and float32 from bfloat16.

    fixed: (B, C, H, W), the plain images of the first seeds.
    """
    exact = Sampling(limit=subject.plan.passes).final(subject.model, subject.noise(len(fixed)))
    quick = settled.images[: len(fixed)].to(exact.device).float() / 255
    return {"stopping_rms": rms(exact, fixed), "bfloat16_rms": rms(quick, exact)}


def rms(a: Tensor, b: Tensor) -> float:
    """The root mean square difference of two images, averaged over the set: (B, C, H, W) twice -> in [0, 1]."""
    return (a - b).flatten(1).square().mean(1).sqrt().mean().item()


def symbols(subject: Subject) -> Entry:
    """Fresh symbols of the shipped run, as the page grows them: float32, from noise to the last pass."""
    plan = subject.plan
    model, rule = hub.load(hub.CHECKPOINTS, "fig2", device=plan.device), hub.sampling(hub.CHECKPOINTS, "fig2")
    assert isinstance(model, WTA)
    twin, start, clock = timing.autoencoder(model), subject.noise(plan.symbols), clock_of(plan.device)
    times = subject.alternate(
        plain=lambda: timing.sample(twin, start, rule.limit), fast=lambda: rule.final(model, start)
    )  # fmt: skip
    first = [stopwatch(lambda: list(islice(rule.stream(model, start), 2)), clock) for _ in range(plan.runs)]
    notes = {"symbols": plan.symbols, "filters": model.config.filters, "passes_at_most": rule.limit}
    return entry(times, "s", **notes, first_step_ms=entry({"fast": first}, "ms"))


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
        timing.train(awake.objectives(), batches, plan.steps, plan.device)  # type: ignore[operator]

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
    off_and_on = timing.switch_on(model.decoder, where, z, able, statistics.correlation, value, lots, HOW.neurons)
    return timing.decode(model.decoder, z), off_and_on


def kaleidoscope_runs(subject: Subject) -> Entry:
    """All starts through all runs, noise included. The network has its initial weights: it costs what any does."""
    plan = subject.plan
    model = create("Manifold", plan.others["Manifold"][0], seed=plan.seed).to(plan.device)
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


ROOT = Path(__file__).resolve().parents[2]
PAPER = FIGURES["fig2"]  # 60,000 images generated an iteration, 15 epochs over all of them
DRAWN = 20  # batches
IMPORT = """import json, time
clock = [time.perf_counter()]
import torch; clock.append(time.perf_counter())
import toolkit; [getattr(toolkit, name) for name in toolkit.__all__]; clock.append(time.perf_counter())
print(json.dumps([after - before for before, after in zip(clock, clock[1:])]))"""
HOLD = f"import sys; from {__name__} import hold; sys.stdout.write(hold(*map(int, sys.argv[1:])))"


def importing(subject: Subject) -> Entry:
    """`import toolkit` and every public name, after torch, in a new process each; beside it torch's own import."""
    torch_s, added = zip(*(_process(IMPORT) for _ in range(subject.plan.launches)), strict=True)
    return entry({"fast": list(added), "torch": list(torch_s)}, "s")


def peak(subject: Subject) -> Entry:
    """Peak memory, in 10^6 bytes, of a training process at the end of the paper's run."""
    runs = [_held(subject.plan.most, subject.plan) for _ in range(subject.plan.launches)]
    return entry({"fast": [each["peak_rss_mb"] for each in runs]}, "MB", images=subject.plan.most, each=runs)


def table(subject: Subject) -> list[Entry]:
    """One iteration at several sizes of the accumulated set; extrapolated from what was measured before, if it was."""
    return [row(_held(count, subject.plan), subject) for count in subject.plan.counts]


def row(measured: Entry, subject: Subject) -> Entry:
    """What was measured of one size, and hours of a whole training by the published rule and 60,000 images sampled."""
    steps = PAPER.epochs * -(-measured["images"] // subject.plan.batch)
    found: Entry = {"images": measured["images"], "training_steps": steps, "generated": PAPER.generated}
    found |= {f"{key}_measured": value for key, value in measured.items() if key != "images"}
    step, sampling = subject.result.get("train_step_published", {}), subject.result.get("sampling", {}).get("fixed")
    for side in ("fast", "plain") if _measured(step, sampling) else ():
        training, sampled = steps * step[side], PAPER.generated * sampling[side] / sampling["images"]
        found |= {
            f"{side}_training_h_extrapolated": training / 3600,
            f"{side}_sampling_h_extrapolated": sampled / 3600,
            f"{side}_iteration_h_extrapolated": (training + sampled) / 3600,
        }
    return found


def _measured(*entries: Entry | None) -> bool:
    """Whether all were measured."""
    return all(each and "fast" in each for each in entries)


def hold(count: int, filters: int, batch: int, threads: int) -> str:
    """Accumulate images and train on them in this process; what it took, as JSON. Meant for a process of its own."""
    torch.set_num_threads(threads)
    model, batches = create("WTA", {**PAPER.model, "filters": filters}, seed=0), Shuffled(_grow(count), batch)
    drawn = iter(batches)
    shuffle = stopwatch(partial(next, drawn))  # the first batch waits for the order of the whole epoch
    draws = [stopwatch(partial(next, drawn)) for _ in range(DRAWN)]
    fit(model, islice(batches, 2), steps=2)
    return json.dumps({
        "shuffle_ms": 1000 * shuffle, "batch_ms": 1000 * median(draws), "batch_ms_spread": max(draws) / min(draws),
        "peak_rss_mb": peak_rss_mb(),
    })  # fmt: skip


def _grow(count: int) -> Images:
    """So many random images, uint8 (N, 1, 28, 28), accumulated as a run accumulates them: 60,000 at a time."""
    add = accumulate(lambda index, model: _random_images(min(PAPER.generated, count - PAPER.generated * index)))
    images: Images = _random_images(min(PAPER.generated, count))
    for index in range(1, -(-count // PAPER.generated)):
        images = add(index, images, torch.nn.Identity())
    return images


def _random_images(count: int) -> torch.Tensor:
    """Bytes that the machine must really keep; zeros would take no memory."""
    return torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)


def peak_rss_mb() -> float:
    """The most memory that this process has held, in megabytes (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone; ru_maxrss counts what the process was before it started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def _held(count: int, plan: Plan) -> Entry:
    """`hold`, in a new process."""
    return {"images": count, **_process(HOLD, count, plan.filters, plan.batch, torch.get_num_threads())}


def _process(code: str, *arguments: object) -> Any:
    """What Python code prints as JSON, in a new process. Raises OSError, one sentence, if it fails."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"a process of its own failed ({done.stderr.strip()[-200:]}): free memory and try again")
    return json.loads(done.stdout)


PARTS: dict[str, Callable[[Subject], Any]] = {  # other processes first, while this one is small
    "import_s": importing,
    "cold_start_s": lambda subject: page_benchmark.cold_start(subject.plan.launches),
    "peak_rss_mb_1m": peak,
    "train_step_published": lambda subject: step(subject, subject.published),
    "train_step_speedup": lambda subject: step(subject, subject.model),
    "exactness": exactness,
    "pass_speedup": one_pass,
    "pass_float32_speedup": lambda subject: one_pass(subject, exact=True),
    "sampling": sampling,
    "symbols_64_s": symbols,
    "checkpoint_ms": checkpoint,
    "creative_ms": creative_redraw,
    "kaleidoscope_s": kaleidoscope_runs,
    "fit_overhead": fit_overhead,
    "growth": table,
    "gpu": gpu,
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


def measure_paths(
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
        "bfloat16": train.native_bfloat16("cpu"),
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
    growth_rows = [[readable(each[key]) if key in each else "" for key in GROWTH] for each in good.get("growth", [])]
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
        f"{readable(each[side] / scale)} ({readable(each['minimum'][side] / scale)}, {each['spread'][side]:.2f})"
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


COMMANDS = {"benchmark": (benchmark, declare, EPILOG + ", ".join(PARTS))}
