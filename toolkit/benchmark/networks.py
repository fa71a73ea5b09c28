"""The winner-take-all autoencoder: a training step, a pass, sampling, and how exact each fast path is."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from .. import hub, precision, sparsity
from ..models import WTA
from ..objective import Objective
from ..samplers import Hallucination, Sampling, hallucinate
from ..seeds import child
from ..train import Shuffled, fit
from . import plain
from .others import matrix_product_tflops
from .timing import Entry, Subject, clock_of, entry, scaled, stopwatch

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
    rule = sparsity.lifetime_per_position if c.lifetime_per == "position" else sparsity.lifetime
    return {
        "lifetime_per": c.lifetime_per,
        "loss": model.loss(x).item(),
        "share_of_positions_with_a_winner": z.ne(0).any(1).double().mean().item(),
        "share_of_winners_kept": rule(z, c.lifetime).count_nonzero().item() / max(1, z.count_nonzero().item()),
    }


def by_hand(model: WTA, batches: Shuffled, steps: int) -> list[float]:
    """The losses of the plain version, started from the weights of the model."""
    twin = plain.autoencoder(model)
    objective = Objective(twin.loss, list(twin.parameters()), lr=model.config.lr)
    return plain.train({"reconstruction": objective}, batches, steps, next(model.parameters()).device)


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
        "plain": plain.autoencoder(model),
        "float64": plain.autoencoder(model).double(),
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
    ours = plain.sample(model, x, EXACT_PASSES)
    distance = (ours - plain.sample(plain.autoencoder(model), x, EXACT_PASSES)).abs().flatten(1).amax(1)
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
    native = precision.native_bfloat16(plan.device.type)
    sizes = {"filters": plan.curve_filters, "steps": plan.curve_steps, "fast_is_bfloat16": native}
    return {**sizes, **means, **ends, "losses": losses}


@torch.no_grad()
def one_pass(subject: Subject, exact: bool = False) -> Entry:
    """One reconstruction of a batch of half-grown images; exact: in float32, as images that are shown are computed."""
    plan, model = subject.plan, subject.model
    twin, x = plain.autoencoder(model), plain.sample(model, subject.noise(plan.batch), 5)

    def ours() -> None:
        with precision.fast(plan.device) if not exact else torch.no_grad():
            model.reconstruct(x)

    times = subject.alternate(plain=lambda: twin(x).clamp(0, 1), fast=ours)
    ceiling = matrix_product_tflops(plan.device, 1024)  # neighbours on the same processor share its tiles
    return entry(times, filters=plan.filters, images=plan.batch, bfloat16_product_tflops=ceiling)


def sampling(subject: Subject) -> Entry:
    """Images sampled as figures are made: a fixed number of passes; and beside it to the stop rule, each by itself.

    The plain side is a fixed number of passes for both; it costs the same whatever the weights.
    """
    plan, model, published = subject.plan, subject.model, subject.published
    twin, start = plain.autoencoder(model), subject.noise(plan.plain_images)
    fixed: list[Tensor] = []
    settled: list[Hallucination] = []
    rules = Sampling(tol=0.0, limit=plan.passes), Sampling(limit=plan.passes)
    times = subject.alternate(
        long=True,
        plain=lambda: fixed.append(plain.sample(twin, start, plan.passes)),
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
    twin, start, clock = plain.autoencoder(model), subject.noise(plan.symbols), clock_of(plan.device)
    times = subject.alternate(
        plain=lambda: plain.sample(twin, start, rule.limit), fast=lambda: rule.final(model, start)
    )  # fmt: skip
    first = [stopwatch(lambda: list(islice(rule.stream(model, start), 2)), clock) for _ in range(plan.runs)]
    notes = {"symbols": plan.symbols, "filters": model.config.filters, "passes_at_most": rule.limit}
    return entry(times, "s", **notes, first_step_ms=entry({"fast": first}, "ms"))
