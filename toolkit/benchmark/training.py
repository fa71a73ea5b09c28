"""Training the winner-take-all autoencoder: a step, how exact the fast one is, and curves of the loss."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn

from ..models import WTA
from ..seeds import child
from ..train import Shuffled, fit
from . import plain
from .plan import Subject
from .timing import Entry, alternate, clock_of


def network(subject: Subject) -> Entry:
    """Train the network that the other parts measure, and say how far it has come: its loss, where its winners are."""
    x = next(iter(subject.batches)).to(subject.plan.device)
    with torch.no_grad():
        taken = subject.model.encode(x).ne(0).any(1)  # (B, h, w)
        loss = subject.model.loss(x).item()
    return {"steps": subject.plan.trained, "loss": loss, "positions_with_a_winner": taken.sum().item() / len(x)}


def step(subject: Subject) -> Entry:
    """One training step, with everything a training does in it: the batch, both passes, Adam."""
    plan, model, batches = subject.plan, subject.model, subject.batches
    pair = alternate(
        lambda: by_hand(model, batches, plan.steps),
        lambda: fit(model, batches, steps=plan.steps),
        runs=plan.runs,
        clock=clock_of(plan.device),
    ).scaled(1 / plan.steps, 1 / plan.steps)
    entry = pair.speedup(filters=plan.filters, batch=plan.batch, steps_in_a_run=plan.steps)
    return {
        **entry,
        "images_per_second": plan.batch / entry["fast"],
        "plain_images_per_second": plan.batch / entry["plain"],
    }


def by_hand(model: WTA, batches: Shuffled, steps: int) -> list[float]:
    """The losses of the plain version, started from the weights of the model."""
    c = model.config
    return plain.train(plain.autoencoder(model), batches, steps, lifetime=c.lifetime, lr=c.lr)


def by_fit(model: WTA, batches: Shuffled, steps: int) -> list[float]:
    """The losses of `fit`, started from the weights of the model."""
    losses: list[float] = []
    fit(model, batches, steps=steps, on_step=lambda step, now: losses.extend(now.values()))
    return losses


def exactness(subject: Subject) -> Entry:
    """How far fast and plain are from each other in float32, and either from float64: outputs and gradients of a batch.

    Outputs by their largest difference, gradients by the length of the difference over the length of the gradient,
    for the parameter where that is largest.
    """
    x = next(iter(subject.batches)).to(subject.plan.device)
    lifetime = subject.model.config.lifetime
    fast = deepcopy(subject.model).train().requires_grad_(True)
    twins = plain.autoencoder(subject.model), plain.autoencoder(subject.model).double()
    pairs = [(fast, fast.loss(x)), *((twin, plain.autoencoder_loss(twin, _like(twin, x), lifetime)) for twin in twins)]
    for _, loss in pairs:
        loss.backward()
    with torch.no_grad():
        outputs = [model(_like(model, x)) for model, _ in pairs]
    between = {"plain": (0, 1), "float64": (0, 2), "plain_to_float64": (1, 2)}
    return {
        "outputs": {name: (outputs[a] - outputs[b]).abs().max().item() for name, (a, b) in between.items()},
        "gradients": {name: max(gradient_differences(pairs[a][0], pairs[b][0])) for name, (a, b) in between.items()},
    }


def _like(model: nn.Module, x: Tensor) -> Tensor:
    return x.to(next(model.parameters()).dtype)


def gradient_differences(model: nn.Module, other: nn.Module) -> Iterator[float]:
    """For each parameter, the length of the difference over the length of the other's gradient."""
    for (name, ours), (same, theirs) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert name == same and ours.grad is not None and theirs.grad is not None
        yield ((ours.grad - theirs.grad).norm() / theirs.grad.norm().clamp_min(1e-12)).item()


def curves(subject: Subject) -> Entry:
    """The loss of plain and fast training from the same weights on the same batches, three seeds each."""
    steps = subject.plan.curve_steps
    entry: Entry = {"steps": steps, "plain": [], "fast": []}
    for seed in range(3) if steps else ():
        model = subject.untrained(child(subject.plan.seed, "curve", seed))
        batches = Shuffled(subject.images, subject.plan.batch, seed)
        entry["plain"].append(by_hand(model, batches, steps))
        entry["fast"].append(by_fit(model, batches, steps))
    return {**entry, **_ends(entry)}


def _ends(entry: Entry) -> Entry:
    """The mean loss of the last tenth of the steps, one number a seed."""
    last = max(1, entry["steps"] // 10)
    return {f"{side}_end": [sum(curve[-last:]) / last for curve in entry[side]] for side in ("plain", "fast")}
