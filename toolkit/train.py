"""Training: `fit`, objectives, batches and their augmentation, data sets in several tensors, devices, precision."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import accumulate, pairwise
from time import perf_counter
from typing import Any, Protocol, TypeVar, cast

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
    """A loss, the parameters that are trained to lower it, and their optimiser.

    loss: a batch, such as images (B, C, H, W) in [0, 1] -> a scalar. lr, betas: Adam's. optimiser: another than Adam,
    (params, lr) -> the optimiser; on a GPU lr is a tensor there, so that a step can be captured.
    """

    loss: Callable[[Any], Tensor]
    params: list[Parameter]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    optimiser: Callable[[list[Parameter], float | Tensor], Optimizer] | None = None


@dataclass(frozen=True, eq=False)
class ConcatImages:
    """The concatenation of image tensors, uint8 (N, C, H, W), without a copy: a growing set costs only what is new."""

    parts: tuple[Tensor, ...]

    @staticmethod
    def of(images: "Images") -> "ConcatImages":
        return images if isinstance(images, ConcatImages) else ConcatImages((images,))

    def __add__(self, more: "Images") -> "ConcatImages":
        return ConcatImages(self.parts + ConcatImages.of(more).parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Copies of images: rows (n,), each from 0 to N - 1 -> (n, C, H, W). Raises IndexError."""
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
        """One tensor on a device of its own memory; the set itself on the CPU."""
        if device.type == "cpu":
            return self
        whole = torch.empty(len(self), *self.parts[0].shape[1:], dtype=self.parts[0].dtype, device=device)
        for part, end in zip(self.parts, self._ends.tolist(), strict=True):
            whole[end - len(part) : end] = part  # part by part: no second copy on the CPU
        return whole

    @cached_property
    def _ends(self) -> Tensor:
        return torch.tensor(list(accumulate(map(len, self.parts))))


Images = Tensor | ConcatImages


class Batch(Protocol):
    """Anything that moves to a device: a tensor, a labelled pair. In several processes it also has `len` and slices."""

    def to(self, device: torch.device) -> Any: ...


M = TypeVar("M", bound=nn.Module)
OnStep = Callable[[int, dict[str, float]], None]  # the step, from 0, and the loss of each objective
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
        return (rows.float() / 255 for rows in self.rows())

    def rows(self) -> Iterator[Tensor]:
        """The same batches as bytes."""
        generator = torch.Generator().manual_seed(self.seed)
        device = getattr(self.images, "device", "cpu")
        while True:
            order = torch.randperm(len(self.images), generator=generator).to(device)
            for rows in order.split(self.batch):
                yield self.images[rows]

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.images) // self.batch)

    def on(self, device: torch.device) -> "Shuffled":
        """The same batches in the same order, drawn on the device from the bytes there."""
        return replace(self, images=self.images.to(device))


@contextmanager
def training(model: nn.Module) -> Iterator[nn.Module]:
    """Every submodule in training mode for the length of a block; afterwards each in its own mode again."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield model.train()
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Random numbers from this seed for the length of a block, on the CPU and the device."""
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
    batches: Iterable[Any],
    *,
    steps: int,
    objectives: Callable[[M], Mapping[str, Objective]] | None = None,
    on_step: OnStep = lambda step, losses: None,
    decay: Callable[[float], float] = constant,
    every: int | None = None,
    seed: int = 0,
    state: OptimiserState | None = None,
) -> M:
    """A trained copy of the model, frozen and in eval mode. The model given is left as it was.

    batches: images (B, C, H, W) in [0, 1], or whatever the objectives take: a `Batch`, or a tuple of tensors, as a
    DataLoader gives them, of which a single one is taken out. They are drawn on the model's device if they have `on`
    (`Shuffled`). objectives: of the copy that is trained; by default `model.objectives()`. on_step: a callback with the
    step (from 0) and the loss of each objective, for every step and in order. decay: the factor of the learning rates
    at a progress from 0 to 1.
    every: read the losses back from the device once in so many steps (1 on a CPU, else 50).
    seed: of what objectives draw at random (dropout, codes); the caller's generators are left as they were.
    state: of the optimisers, at the start and, changed in place, at the end, so that the moments of Adam can be carried
    from one training to the next. An empty dictionary starts anew.
    Training ends early if the batches do. Raises FloatingPointError, naming the step, for a loss that is not finite,
    and ValueError for a tensor in place of batches or a model without objectives.
    On a GPU a step is one CUDA graph, if the objectives can be captured (`distributed.captured`).

    In several processes (`distributed`) all give the same batches, each computes its rows, and gradients are averaged
    over the whole batch: all end with the same parameters, those of one process but for rounding. Whatever an objective
    computes over a batch is then over the rows of one process, unless it asks for `all_gather_rows`, as lifetime
    sparsity does, and what it draws at random is each process's own.
    """
    if isinstance(batches, ConcatImages) or hasattr(batches, "dtype"):  # a tensor or an array
        raise ValueError("batches is one tensor: give batches of it, such as Shuffled(images, batch=100)")
    if objectives is None and not hasattr(model, "objectives"):
        raise ValueError(f"a {type(model).__name__} has no objectives: give objectives=, a function of the model that "
                         "returns {name: Objective(loss, parameters)}")  # fmt: skip
    model = deepcopy(model)
    device = next(model.parameters()).device
    distributed.broadcast([*model.state_dict().values()])
    given = objectives(model) if objectives else cast("Any", model).objectives()
    optimised = {name: _with_optimiser(objective) for name, objective in given.items()}
    if state:
        _restore(optimised, state)
    losses = _Losses(list(optimised), on_step, every or (1 if device.type == "cpu" else 50))
    advance = captured(partial(_advance, [*optimised.values()]), device)
    near = batches.on(device) if hasattr(batches, "on") else batches
    own = seeded(child(seed, "fit", distributed.rank()), device)
    with training(model), torch.enable_grad(), deterministic(), own:
        for step, batch in zip(range(steps), near, strict=False):
            _set_rates(optimised.values(), decay(step / max(1, steps)))
            losses.add(step, advance(_moved(batch, device)))
        losses.flush()
    if state is not None:
        state.update(_moments(optimised))
    distributed.broadcast([*model.buffers()])  # averages of normalisation are each process's own
    model.zero_grad()
    return model.eval().requires_grad_(False)


def _moved(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, (tuple, list)):
        parts = tuple(part.to(device) for part in batch)
        return parts[0] if len(parts) == 1 else parts
    return batch.to(device)


Optimised = tuple[Objective, Optimizer]


def _with_optimiser(objective: Objective) -> Optimised:
    for parameter in objective.params:
        parameter.requires_grad_(True)  # these are trained, and no others
    device = objective.params[0].device
    on_gpu = device.type == "cuda"
    lr = torch.tensor(objective.lr, device=device) if on_gpu else objective.lr  # a captured step reads it there
    if objective.optimiser:
        return objective, objective.optimiser(objective.params, lr)
    return objective, torch.optim.Adam(objective.params, lr, objective.betas, fused=True, capturable=on_gpu)


def _restore(optimised: Mapping[str, Optimised], state: OptimiserState) -> None:
    """Raises ValueError for a state of other objectives or parameters."""
    for name, (objective, optimiser) in optimised.items():
        own: dict[int, dict[str, Tensor]] = {}
        for number, parameter in enumerate(objective.params):
            prefix = f"{name}.{number}."
            found = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            if not found or any(value.dim() and value.shape != parameter.shape for value in found.values()):
                raise ValueError(f"the state has no moments for parameter {number} of {name}: train without a state")
            like = torch.empty_like(parameter, requires_grad=False)  # in its memory order: fused optimisers rely on it
            own[number] = {key: like.clone().copy_(it) if it.dim() else it.clone() for key, it in found.items()}
        optimiser.load_state_dict({**optimiser.state_dict(), "state": own})


def _moments(optimised: Mapping[str, Optimised]) -> OptimiserState:
    return {
        f"{name}.{number}.{quantity}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, (_, optimiser) in optimised.items()
        for number, quantities in optimiser.state_dict()["state"].items()
        for quantity, value in quantities.items()
    }


def _set_rates(optimised: Iterable[Optimised], left: float) -> None:
    for objective, optimiser in optimised:
        for group in optimiser.param_groups:
            rate, now = group["lr"], objective.lr * left
            group["lr"] = rate.fill_(now) if isinstance(rate, Tensor) else now


def _advance(optimised: list[Optimised], batch: Any) -> Tensor:
    """One step of every objective in turn, on this process's rows of a batch -> the losses, (objectives,)."""
    losses = []
    with distributed.sharded(batch) as (mine, weight):
        for objective, optimiser in optimised:
            optimiser.zero_grad()
            with autocast(objective.params[0].device):
                loss = objective.loss(mine)
            loss.backward(inputs=objective.params)
            losses.append(loss.detach())
            gradients = [p.grad for p in objective.params if p.grad is not None]
            distributed.all_reduce_weighted([losses[-1], *gradients], weight)
            optimiser.step()
    return torch.stack(losses)


class _Losses:
    """Losses on their way to `on_step`: they stay on the device and are read back together, `every` so many steps."""

    def __init__(self, names: list[str], on_step: OnStep, every: int) -> None:
        self.names, self.on_step, self.every = names, on_step, every
        self.waiting: list[tuple[int, Tensor]] = []

    def add(self, step: int, losses: Tensor) -> None:
        self.waiting.append((step, losses))
        if len(self.waiting) >= self.every:
            self.flush()

    def flush(self) -> None:
        """Read back what waits. Raises FloatingPointError at the first loss that is not finite."""
        waiting, self.waiting = self.waiting, []
        rows = torch.stack([losses for _, losses in waiting]).tolist() if waiting else []
        for (step, _), row in zip(waiting, rows, strict=True):
            losses = dict(zip(self.names, row, strict=True))
            for name, value in losses.items():
                if not math.isfinite(value):
                    raise FloatingPointError(f"the {name} loss became {value} at step {step}: lower the learning rate")
            self.on_step(step, losses)


@cache
def native_bfloat16(kind: str) -> bool:
    """Whether a device type ("cpu", "cuda") convolves faster in bfloat16 than in float32.

    A CPU with AMX tiles does. With AVX512-BF16 alone some are twice as fast and some half as fast, so one small
    convolution is timed there, once in a process.
    """
    if kind == "cpu":
        return tiles() or (_capable("avx512_bf16") and _faster_in_bfloat16())
    return kind == "cuda" and torch.cuda.is_bf16_supported()


def tiles() -> bool:
    """Whether the CPU multiplies matrices of bfloat16 in tiles (AMX)."""
    return _capable("amx_bf16")


def _capable(of: str) -> bool:
    capable: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions do not say
    return bool(capable.get(of))


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


_PRECISION: ContextVar[dict[str, bool]] = ContextVar("whether a device type computes in bfloat16", default={})  # noqa: B039


@contextmanager
def precision(kind: str, bfloat16: bool) -> Iterator[None]:
    """`autocast` on a device type in bfloat16, or not, for the length of a block, whichever is faster here.

    For runs that go on: what was timed may turn out otherwise, and other rounding makes other weights.
    """
    token = _PRECISION.set({**_PRECISION.get(), kind: bfloat16})
    try:
        yield
    finally:
        _PRECISION.reset(token)


def autocast(device: torch.device) -> torch.autocast:
    """Convolutions and matrix products in bfloat16 for the length of a block, where that is fast.

    For training and for generating data sets. A picture that is shown is computed in float32, so that one seed is one
    picture on every machine.
    """
    chosen = _PRECISION.get().get(device.type)
    native = native_bfloat16(device.type) if chosen is None else chosen
    return torch.autocast(device.type, torch.bfloat16, enabled=native, cache_enabled=torch.is_grad_enabled())


@contextmanager
def deterministic() -> Iterator[None]:
    """For the length of a block cuDNN picks the same kernels every time, and only deterministic ones."""
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
        others = ", or cuda" if torch.cuda.is_available() else ""
        raise ValueError(f"device {str(name)!r} is not usable here: use cpu{others}") from None
    return chosen


def balanced_rows(labels: Tensor, each: int) -> Tensor:
    """Rows in which every class that there is comes `each` times: labels (N,) -> (classes * each,), by class.

    Of a class with more images they are evenly spread over it; of one with fewer, some come once more than others.
    """
    rows = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    return torch.cat([row[torch.arange(each) * len(row) // each] for row in rows])


@dataclass(frozen=True)
class AugmentedBatches:
    """LabelledBatch batches whose images are augmented; iterating twice gives the same ones, on every device.

    batches: `models.LabelledBatches`, or others with a `seed` whose batches are dataclasses with `images`.
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
