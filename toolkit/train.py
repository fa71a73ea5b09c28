"""One training loop for every model: lower each objective in turn, batch by batch."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from . import precision, processes
from .captured import captured
from .objective import Objective
from .pieces import Images
from .seeds import child


class Batch(Protocol):
    """Anything that goes to a device: a tensor, a labelled pair. In several processes it also has `len` and slices."""

    def to(self, device: torch.device) -> Any: ...


M = TypeVar("M", bound=nn.Module)
OptimiserState = dict[str, Tensor]  # "objective.parameter.quantity" -> its value, as safetensors can store it


@dataclass(frozen=True)
class Shuffled:
    """A data set as endless shuffled batches; iterating twice gives the same order, on every device.

    images: uint8 (N, C, H, W). Yields float32 (B, C, H, W) in [0, 1], on the device that the images are on; the last
    batch of an epoch may be smaller.
    """

    images: Images
    batch: int = 100
    seed: int = 0

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        device = getattr(self.images, "device", "cpu")
        while True:
            order = torch.randperm(len(self.images), generator=generator).to(device)
            for rows in order.split(self.batch):
                yield self.images[rows].float() / 255

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.images) // self.batch)

    def on(self, device: torch.device) -> "Shuffled":
        """The same batches in the same order, drawn on the device from the bytes there."""
        return replace(self, images=self.images.to(device))


@contextmanager
def training(model: nn.Module) -> Iterator[nn.Module]:
    """Put every submodule in training mode, and give each its own mode back, also after an error."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield model.train()
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers from this seed, on the CPU and the device; afterwards the generators are as they were before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def constant(progress: float) -> float:
    """No decay of the learning rate."""
    return 1.0


def linear(progress: float) -> float:
    """A learning rate that falls to zero in a straight line."""
    return 1.0 - progress


DECAY = {"constant": constant, "linear": linear}


def fit(
    model: M,
    batches: Iterable[Batch],
    *,
    steps: int,
    objectives: Callable[[M], Mapping[str, Objective]] = lambda model: model.objectives(),  # type: ignore[operator]
    on_step: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
    decay: Callable[[float], float] = constant,
    every: int | None = None,
    seed: int = 0,
    state: OptimiserState | None = None,
) -> M:
    """A trained copy of the model, frozen and in eval mode. The model given is left as it was.

    batches: images (B, C, H, W) in [0, 1], or whatever the objectives take; drawn on the model's device if they have
    `on`, as `Shuffled` has. on_step hears the step (from 0) and each objective's loss, of every step and in order.
    decay: how much of each objective's learning rate is left at a progress from 0 to 1.
    every: read the losses back from the device once in so many steps (1 on a CPU, else 50).
    seed: of what objectives draw at random (dropout, codes); the caller's generators are left as they were.
    state: where optimisers go on from and what they end with, so that the moments of Adam can be carried from one
    training to the next. It is changed in place; an empty dictionary starts anew.
    Training ends early if the batches do. Raises FloatingPointError, naming the step, when a loss that is not finite
    is read. On a GPU a step is one CUDA graph, if the objectives can be captured (`captured`).

    In several processes (`processes`) all give the same batches, each computes its rows, and gradients are averaged
    over the whole batch: all end with the same parameters, those of one process but for rounding. Whatever an objective
    computes over a batch is then over the rows of one process, unless it asks for `everyones`, as lifetime sparsity
    does, and what it draws at random is each process's own.
    """
    model = deepcopy(model)
    device = next(model.parameters()).device
    processes.equalise([*model.state_dict().values()])
    trainers = {name: _awaken(objective) for name, objective in objectives(model).items()}
    if state:
        _restore(trainers, state)
    losses = Losses(list(trainers), on_step, every or (1 if device.type == "cpu" else 50))
    advance = captured(partial(_advance, [*trainers.values()]), device)
    own = seeded(child(seed, "fit", processes.rank()), device)
    with training(model), torch.enable_grad(), precision.repeatable(), own:
        for step, batch in zip(range(steps), _near(batches, device), strict=False):
            _set_rates(trainers.values(), decay(step / max(1, steps)))
            losses.keep(step, advance(batch.to(device)))
        losses.tell()
    if state is not None:
        state.update(_moments(trainers))
    processes.equalise([*model.buffers()])  # averages of normalisation are each process's own
    model.zero_grad()
    return model.eval().requires_grad_(False)


def _near(batches: Iterable[Batch], device: torch.device) -> Iterable[Batch]:
    """The batches drawn on the device, if they can be (`Shuffled.on`)."""
    on: Callable[[torch.device], Iterable[Batch]] | None = getattr(batches, "on", None)
    return on(device) if on else batches


Trainer = tuple[Objective, torch.optim.Optimizer]


def _awaken(objective: Objective) -> Trainer:
    for parameter in objective.params:
        parameter.requires_grad_(True)  # these may move, and nothing else
    device = objective.params[0].device
    on_gpu = device.type == "cuda"
    lr = torch.tensor(objective.lr, device=device) if on_gpu else objective.lr  # a captured step reads it there
    if objective.optimiser:
        return objective, objective.optimiser(objective.params, lr)
    return objective, torch.optim.Adam(objective.params, lr, objective.betas, fused=True, capturable=on_gpu)


def _restore(trainers: Mapping[str, Trainer], state: OptimiserState) -> None:
    """Raises ValueError for a state of other objectives or parameters."""
    for name, (objective, optimiser) in trainers.items():
        own: dict[int, dict[str, Tensor]] = {}
        for number, parameter in enumerate(objective.params):
            prefix = f"{name}.{number}."
            found = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            if not found or any(value.dim() and value.shape != parameter.shape for value in found.values()):
                raise ValueError(f"the state has no moments for parameter {number} of {name}: train without a state")
            own[number] = {key: _laid_out(value, parameter) for key, value in found.items()}
        optimiser.load_state_dict({**optimiser.state_dict(), "state": own})


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """In the memory order of the parameter, which fused optimisers rely on."""
    return torch.empty_like(parameter, requires_grad=False).copy_(value) if value.dim() else value.clone()


def _moments(trainers: Mapping[str, Trainer]) -> OptimiserState:
    return {
        f"{name}.{number}.{quantity}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, (_, optimiser) in trainers.items()
        for number, quantities in optimiser.state_dict()["state"].items()
        for quantity, value in quantities.items()
    }


def _set_rates(trainers: Iterable[Trainer], left: float) -> None:
    for objective, optimiser in trainers:
        for group in optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(objective.lr * left)
            else:
                group["lr"] = objective.lr * left


def _advance(trainers: list[Trainer], batch: Any) -> Tensor:
    """One step of every objective in turn, on this process's rows of a batch -> the losses, (objectives,)."""
    with processes.shared(batch) as (mine, weight):
        return torch.stack([_lower(*trainer, mine, weight) for trainer in trainers])


def _lower(objective: Objective, optimiser: torch.optim.Optimizer, mine: Any, weight: float) -> Tensor:
    optimiser.zero_grad()
    with precision.fast(objective.params[0].device):
        loss = objective.loss(mine)
    loss.backward(inputs=objective.params)
    loss = loss.detach()
    processes.weighted_sum([loss, *(p.grad for p in objective.params if p.grad is not None)], weight)
    optimiser.step()
    return loss


class Losses:
    """Losses on their way to `on_step`: they stay on the device and are read back together, `every` so many steps."""

    def __init__(self, names: list[str], on_step: Callable[[int, dict[str, float]], None], every: int) -> None:
        self.names, self.on_step, self.every = names, on_step, every
        self.kept: list[tuple[int, Tensor]] = []

    def keep(self, step: int, losses: Tensor) -> None:
        self.kept.append((step, losses))
        if len(self.kept) >= self.every:
            self.tell()

    def tell(self) -> None:
        """Read back what is kept. Raises FloatingPointError at the first loss that is not finite."""
        kept, self.kept = self.kept, []
        rows = torch.stack([losses for _, losses in kept]).tolist() if kept else []
        for (step, _), row in zip(kept, rows, strict=True):
            for name, value in zip(self.names, row, strict=True):
                if not math.isfinite(value):
                    raise FloatingPointError(f"the {name} loss became {value} at step {step}: lower the learning rate")
            self.on_step(step, dict(zip(self.names, row, strict=True)))
