"""Training: `fit`, objectives, batches, images in several tensors, devices and number formats."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import accumulate, pairwise
from time import perf_counter
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.functional import affine_grid, grid_sample, interpolate, max_pool2d
from torch.optim import Optimizer

from . import distributed
from .distributed import captured
from .seeds import child


@dataclass(frozen=True)
class Objective:
    """What one optimiser does: lower `loss` by moving `params`, and nothing else.

    loss: images (B, C, H, W) in [0, 1], or whatever batch it is made for -> a scalar. lr, betas: Adam's.
    optimiser: another than Adam: (params, lr) -> the optimiser; on a GPU lr is a tensor there, so that a step can be
    captured.
    """

    loss: Callable[[Any], Tensor]
    params: list[Parameter]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    optimiser: Callable[[list[Parameter], float | Tensor], Optimizer] | None = None


@dataclass(frozen=True, eq=False)
class ConcatImages:
    """Images uint8 (N, C, H, W), laid end to end. A set that grows by 60,000 images costs those 60,000 and no more."""

    parts: tuple[Tensor, ...]

    @staticmethod
    def of(images: "Images") -> "ConcatImages":
        """A tensor as one piece; pieces as they are."""
        return images if isinstance(images, ConcatImages) else ConcatImages((images,))

    def __add__(self, more: "Images") -> "ConcatImages":
        return ConcatImages(self.parts + ConcatImages.of(more).parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Copies of these images, in this order: rows (n,), each from 0 to N - 1 -> (n, C, H, W). Raises IndexError."""
        wanted, order = rows.sort()
        for row in wanted[[0, -1]].tolist() if len(rows) else []:
            if not 0 <= row < len(self):
                raise IndexError(f"image {row} was asked for, and there are {len(self)}: count from 0")
        found = self.parts[0].new_empty(len(rows), *self.parts[0].shape[1:])
        cuts = [0, *torch.searchsorted(wanted, self._ends).tolist()]
        for part, end, (a, b) in zip(self.parts, self._ends.tolist(), pairwise(cuts), strict=True):
            if a < b:
                found[order[a:b]] = part[wanted[a:b] - (end - len(part))]
        return found

    def to(self, device: torch.device) -> "Images":
        """The set on a device of its own memory, as one tensor there; as it is on the CPU."""
        if device.type == "cpu":
            return self
        whole = torch.empty(len(self), *self.parts[0].shape[1:], dtype=self.parts[0].dtype, device=device)
        for part, end in zip(self.parts, self._ends.tolist(), strict=True):
            whole[end - len(part) : end] = part  # piece by piece: no second copy on the CPU
        return whole

    @cached_property
    def _ends(self) -> Tensor:
        return torch.tensor(list(accumulate(map(len, self.parts))))


Images = Tensor | ConcatImages


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
    computes over a batch is then over the rows of one process, unless it asks for `all_gather_rows`, as lifetime
    sparsity does, and what it draws at random is each process's own.
    """
    model = deepcopy(model)
    device = next(model.parameters()).device
    distributed.broadcast([*model.state_dict().values()])
    trainers = {name: _awaken(objective) for name, objective in objectives(model).items()}
    if state:
        _restore(trainers, state)
    losses = Losses(list(trainers), on_step, every or (1 if device.type == "cpu" else 50))
    advance = captured(partial(_advance, [*trainers.values()]), device)
    own = seeded(child(seed, "fit", distributed.rank()), device)
    with training(model), torch.enable_grad(), deterministic(), own:
        for step, batch in zip(range(steps), _near(batches, device), strict=False):
            _set_rates(trainers.values(), decay(step / max(1, steps)))
            losses.keep(step, advance(batch.to(device)))
        losses.tell()
    if state is not None:
        state.update(_moments(trainers))
    distributed.broadcast([*model.buffers()])  # averages of normalisation are each process's own
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
    with distributed.sharded(batch) as (mine, weight):
        return torch.stack([_lower(*trainer, mine, weight) for trainer in trainers])


def _lower(objective: Objective, optimiser: torch.optim.Optimizer, mine: Any, weight: float) -> Tensor:
    optimiser.zero_grad()
    with autocast(objective.params[0].device):
        loss = objective.loss(mine)
    loss.backward(inputs=objective.params)
    loss = loss.detach()
    distributed.all_reduce_weighted([loss, *(p.grad for p in objective.params if p.grad is not None)], weight)
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


@cache
def native_bfloat16(kind: str) -> bool:
    """Whether a device kind ("cpu", "cuda") convolves faster in bfloat16 than in float32.

    A CPU with AMX tiles does. Of those that have AVX512-BF16 alone some are twice as fast and some half as fast in it,
    so one small convolution is timed there, once in a process; the two are too far apart for noise to decide.
    """
    if kind == "cpu":
        capable: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions do not say
        return bool(capable.get("amx_bf16") or (capable.get("avx512_bf16") and _faster_in_bfloat16()))
    return kind == "cuda" and torch.cuda.is_bf16_supported()


@torch.no_grad()
def _faster_in_bfloat16() -> bool:
    """Whether a convolution takes at most 0.8 of its time in float32, the least of several tries each."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.ones(8, 64, 20, 20, dtype=dtype).to(memory_format=torch.channels_last)
        weight = torch.ones(64, 64, 5, 5, dtype=dtype).to(memory_format=torch.channels_last)
        tries = []
        for _ in range(8):
            start = perf_counter()
            torch.nn.functional.conv2d(x, weight)
            tries.append(perf_counter() - start)
        seconds[dtype] = min(tries)
    return seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]


def autocast(device: torch.device) -> torch.autocast:
    """A context in which convolutions and matrix products run in bfloat16 if that is native, and as they are if not.

    Used for training and for filling a data set. A picture that is shown is computed without it, in float32, so that
    one seed is one picture on every machine.
    """
    native = native_bfloat16(device.type)
    return torch.autocast(device.type, torch.bfloat16, enabled=native, cache_enabled=torch.is_grad_enabled())


@contextmanager
def deterministic() -> Iterator[None]:
    """A context in which cuDNN picks the same kernels every time, and only those that always sum in the same order."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def device(name: str | torch.device) -> torch.device:
    """The device of this name ("cpu", "cuda", "cuda:1", "mps"). Raises ValueError if there is no such thing here."""
    try:
        chosen = torch.device(name)
        torch.ones(1, device=chosen).item()  # meta is a device, and of no use
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        raise ValueError(f"device {str(name)!r} is not usable here: use cpu{_accelerators()}") from None
    return chosen


def _accelerators() -> str:
    return ", or cuda" if torch.cuda.is_available() else ""


def balanced_rows(labels: Tensor, each: int) -> Tensor:
    """Rows in which every class that there is comes `each` times: labels (N,) -> (classes * each,), by class.

    Of a class with more images they are evenly spread over it; of one with fewer, some come once more than others.
    """
    rows = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    return torch.cat([row[torch.arange(each) * len(row) // each] for row in rows])


@dataclass(frozen=True)
class AugmentedBatches:
    """Labelled batches whose images are augmented; iterating twice gives the same ones, on every device.

    batches: `models.Lessons`, or others with a `seed` whose batches are dataclasses with `images`.
    """

    batches: Any
    strength: float = 1.0

    def __iter__(self) -> Iterator[Any]:
        generator = torch.Generator().manual_seed(child(self.batches.seed, "vary"))
        for batch in self.batches:
            yield replace(batch, images=augment(batch.images, self.strength, generator))

    @property
    def steps_per_epoch(self) -> int:
        return int(self.batches.steps_per_epoch)

    def on(self, device: torch.device) -> "AugmentedBatches":
        """The same batches in the same order, drawn on the device."""
        return replace(self, batches=self.batches.on(device))


LINEAR = ((0.15, 0.25), (0.15, 0.15))  # how far the map of the plane goes from the identity: size, slant; turn, size
SHIFT, WAVE = 0.15, 0.05  # of half an image
THICK, THIN = 0.7, 0.35  # how far towards the brightest and the darkest of a pixel and its eight neighbours


def augment(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Images thicker or thinner, moved, slanted, turned, scaled and waved, each at random: (B, C, H, W) in [0, 1].

    strength: from 0, which changes nothing, to 1. What leaves the image is lost, and what comes in is dark.
    """
    if strength == 0:
        return x

    def uniform(*shape: int) -> Tensor:  # from -1 to 1
        return 2 * torch.rand(shape, generator=generator) - 1

    batch, _, height, width = x.shape
    weight = strength * uniform(batch, 1, 1, 1).to(x.device)
    thicker, thinner = max_pool2d(x, 3, 1, 1) - x, x + max_pool2d(-x, 3, 1, 1)
    x = x + THICK * weight.clamp(min=0) * thicker + THIN * weight.clamp(max=0) * thinner
    linear = torch.eye(2) + strength * torch.tensor(LINEAR) * uniform(batch, 2, 2)
    shift = strength * SHIFT * uniform(batch, 2, 1)
    waves = strength * WAVE * torch.randn(batch, 2, 4, 4, generator=generator)
    bent = interpolate(waves, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    places = affine_grid(torch.cat([linear, shift], 2), [*x.shape], align_corners=False) + bent
    return grid_sample(x, places.to(x.device), align_corners=False).clamp(0, 1)
