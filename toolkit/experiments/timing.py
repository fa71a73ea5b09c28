"""Timing: the sizes of the work, alternating measurements, and plain implementations to compare the fast ones with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice, pairwise
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from ..models import VAE, WTA, create
from ..plot import markdown_table
from ..presets import FIGURES
from ..samplers.creative import Creative, Statistics, band_of
from ..seeds import Noise, child
from ..train import Shuffled, fit

Work = Callable[[], object]
Entry = dict[str, Any]  # a measurement as JSON values


@dataclass(frozen=True)
class Plan:
    """The sizes of the work. The defaults are those of the paper where it has them: 128 filters, batches of 100."""

    seed: int = 0
    device: torch.device = torch.device("cpu")
    filters: int = 128
    batch: int = 100
    lr: float = 5e-4  # of the rule of the text; with 1e-3 hardly any image settles so early
    trained: int = 500  # fast steps that each network is given first: a new one has its winners in few places
    runs: int = 5  # of each side; a median of fewer than three is a mean
    steps: int = 2  # training steps in a run
    images: int = 1000  # sampled to the stop rule
    fixed_images: int = 200  # sampled by a fixed number of passes
    plain_images: int = 50  # sampled by the plain version in a run; its time is linear in their number
    passes: int = 100  # of the fixed number, and at most
    long_runs: int = 3  # of sampling and of the kaleidoscope
    symbols: int = 64
    starts: int = 1000  # of the kaleidoscope
    kaleidoscope_runs: int = 300
    pairs: int = 32  # of images that the creative decoder draws
    decoder: dict[str, Any] = field(default_factory=dict)  # options of the creative decoder, a VAE
    manifold: dict[str, Any] = field(default_factory=dict)  # of the kaleidoscope's network
    curve_steps: int = 200  # of the trainings whose ends are compared
    curve_filters: int = 16
    curve_seeds: int = 3


QUICK = Plan(
    filters=4, batch=10, trained=3, runs=3, steps=1, images=20, fixed_images=10, plain_images=10, passes=3, symbols=2,
    starts=10, kaleidoscope_runs=3, pairs=2, curve_steps=3, curve_filters=2,
    decoder={"widths": (40, 40, 40), "z": 8}, manifold={"depth": 2, "width": 8},
)  # fmt: skip


class Subject:
    """What is measured: a plan, images uint8 (N, C, H, W), networks trained on them at first use."""

    def __init__(self, plan: Plan, images: Tensor) -> None:
        self.plan, self.images = plan, images
        self.batches = Shuffled(images, plan.batch, child(plan.seed, "shuffle"))

    @cached_property
    def model(self) -> WTA:
        """By the rule of the paper's text: lifetime sparsity per channel."""
        return self._trained({"lr": self.plan.lr})

    @cached_property
    def published(self) -> WTA:
        """By the rule of the published code, as the figures are made: per channel and position."""
        return self._trained(FIGURES["fig2"].model)

    def untrained(self, seed: int, **options: Any) -> WTA:
        """A network of the plan's size on its device; options of `WTA.Config`."""
        _, channels, size, _ = self.images.shape
        options = {"channels": channels, "size": size, "filters": self.plan.filters, **options}
        model = create("WTA", options, seed=seed).to(self.plan.device)
        assert isinstance(model, WTA)
        return model

    def noise(self, count: int) -> Tensor:
        """The starts of the first seeds: (count, C, H, W) in [0, 1)."""
        return Noise(range(count)).rand(*self.images.shape[1:]).to(self.plan.device)

    def alternate(self, long: bool = False, **sides: Work) -> dict[str, list[float]]:
        """`alternate` by the plan. long: few runs and no warm-up."""
        return alternate(sides, self.plan.long_runs if long else self.plan.runs, warm_ups=0 if long else 1)

    def _trained(self, options: dict[str, Any]) -> WTA:
        with torch.enable_grad():
            new = self.untrained(child(self.plan.seed, "init"), **options)
            return fit(new, self.batches, steps=self.plan.trained)


def seconds(work: Work) -> float:
    """How long a piece of work takes, with what it leaves for CUDA to do."""
    start = _now()
    work()
    return _now() - start


def _now() -> float:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return perf_counter()


def alternate(sides: Mapping[str, Work], runs: int, warm_ups: int = 1) -> dict[str, list[float]]:
    """Seconds of every run of every side, in turn. warm_ups: runs of each that come first and do not count."""
    rounds = [{name: seconds(work) for name, work in sides.items()} for _ in range(warm_ups + runs)]
    return {name: [each[name] for each in rounds[warm_ups:]] for name in sides}


def entry(times: Mapping[str, list[float]], unit: str = "", **notes: Any) -> Entry:
    """Seconds by side as JSON values: median, minimum, spread (largest over smallest) and every run of each.

    The value is the median of the side "fast" in the unit, "s" or "ms", as all runs then are; without a unit it is how
    many times as fast as "plain" that is, a ratio of medians.
    """
    factor = 1000 if unit == "ms" else 1
    runs = {side: [factor * each for each in values] for side, values in times.items()}
    medians, minima = ({side: of(values) for side, values in runs.items()} for of in (median, min))
    ratios = {}
    if "plain" in runs:
        ratios = {"ratio": medians["plain"] / medians["fast"], "ratio_of_minima": minima["plain"] / minima["fast"]}
    return {
        "value": medians["fast"] if unit else ratios["ratio"],
        "unit": unit or "times as fast",
        **medians,
        **ratios,
        "minimum": minima,
        "spread": {side: max(values) / max(minima[side], 1e-12) for side, values in runs.items()},
        "runs_unit": unit or "s",
        "runs": runs,
        **notes,
    }


def scaled(times: Mapping[str, list[float]], **factors: float) -> dict[str, list[float]]:
    """The same runs, a side times its factor: a run of ten steps is 0.1 of it a step."""
    return {side: [factors.get(side, 1) * each for each in values] for side, values in times.items()}


def attempt(work: Callable[[], Any]) -> Any:
    """What a piece of work gives; if it fails, {"error": the first line of the error, with its kind}."""
    try:
        return work()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"}


def report(result: Entry, columns: Sequence[str]) -> str:
    """Measurements as Markdown: a table of those that have the first of these columns, and one of every other value."""
    values = flat(result)
    names = [name.removesuffix(f".{columns[0]}") for name in values if name.endswith(f".{columns[0]}")]
    cells = {name: {column: values.pop(f"{name}.{column}", None) for column in columns} for name in names}
    rows = [[name, *map(readable, each.values())] for name, each in cells.items()]
    others = [[name, readable(value)] for name, value in values.items()]
    return "\n\n".join([
        markdown_table(["", *(column.replace("_", " ") for column in columns)], rows),
        markdown_table(["", "value"], others),
    ])  # fmt: skip


def flat(value: Any, name: str = "") -> Entry:
    """Nested values as one level, {"a": {"b": 1}} -> {"a.b": 1}; lists are left out."""
    if isinstance(value, Mapping):
        inner = (flat(each, f"{name}.{key}" if name else str(key)) for key, each in value.items())
        return dict(chain.from_iterable(each.items() for each in inner))
    return {} if isinstance(value, list) else {name: value}


def readable(value: Any) -> str:
    """A number with three digits or so, anything else as it is."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value)


# Plain implementations.


class Autoencoder(nn.Module):
    """The winner-take-all autoencoder without any of its short cuts; its weights have the names that `WTA` gives them.

    Images (B, C, H, W) in [0, 1] -> raw reconstructions, spatial sparsity only.
    """

    def __init__(self, config: WTA.Config) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels, *[config.filters] * config.depth]
        down = ((nn.Conv2d(a, b, config.kernel), nn.ReLU()) for a, b in pairwise(widths))
        up = ((nn.ConvTranspose2d(a, b, config.kernel), nn.ReLU()) for a, b in pairwise(widths[::-1]))
        self.encoder = nn.Sequential(*chain.from_iterable(down))
        self.decoder = nn.Sequential(*list(chain.from_iterable(up))[:-1])

    def forward(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        return self.decoder(_winners(z.flatten(2)).view_as(z))

    def loss(self, x: Tensor) -> Tensor:
        """Half the squared error, summed over pixels, averaged over the batch; with lifetime sparsity, by either rule.

        Per channel the images compete with their winners, per position at every position of every map.
        """
        z = self.encoder(x)
        code = _winners(z.flatten(2))  # (B, K, h * w)
        strength = code if self.config.lifetime_per == "position" else code.amax(-1, keepdim=True)
        best = strength.topk(max(1, round(self.config.lifetime * len(x))), dim=0).indices
        code = code * torch.zeros_like(strength).scatter(0, best, 1.0)
        return ((self.decoder(code.view_as(z)) - x) ** 2).sum((1, 2, 3)).mean() / 2


def _winners(flat: Tensor) -> Tensor:
    """The strongest position of every map, (B, K, h * w) -> same."""
    strength, winner = flat.max(-1, keepdim=True)
    return torch.zeros_like(flat).scatter(-1, winner, strength)


def autoencoder(model: WTA) -> Autoencoder:
    """The plain version of a model, with the same weights on the same device."""
    twin = Autoencoder(model.config)
    twin.load_state_dict(model.state_dict())
    return twin.to(next(model.parameters()).device)


def train(model: WTA, batches: Iterable[Tensor], steps: int) -> tuple[list[float], WTA]:
    """The loop that one writes by hand, from the weights of a model: the loss of every step, and where it ends."""
    twin, trained, losses = autoencoder(model), deepcopy(model), []
    adam = torch.optim.Adam(twin.parameters(), model.config.lr)
    for x in islice(batches, steps):
        adam.zero_grad()
        loss = twin.loss(x.to(next(model.parameters()).device))
        loss.backward()
        adam.step()
        losses.append(loss.item())
    trained.load_state_dict(twin.state_dict())
    return losses, trained


@torch.no_grad()
def sample(model: Callable[[Tensor], Tensor], x: Tensor, passes: int) -> Tensor:
    """Every image through the same number of passes, settled or not."""
    for _ in range(passes):
        x = model(x).clamp(0, 1)
    return x


@torch.no_grad()
def kaleidoscope(network: Callable[[Tensor], Tensor], x: Tensor, runs: int, perturbation: float) -> Tensor:
    """Images (B, C, H, W) in [0, 1] through a network in [-1, 1], again and again, perturbed and clipped in between."""
    inside = 2 * x.flatten(1) - 1
    for run in range(runs):
        if run > 0:
            inside = (inside + perturbation * (2 * torch.rand_like(inside) - 1)).clamp(-1, 1)
        inside = network(inside)
    return (inside.view_as(x) + 1) / 2


@torch.no_grad()
def creative_decode(
    model: VAE, z: Tensor, statistics: Statistics, lots: Tensor, how: Creative
) -> tuple[Tensor, Tensor]:
    """Regular and low-active images, code by code: one silent neuron on by lot, the others correlated with it.

    z: (B, d); lots: (B, K), the first neuron of a code is the candidate with the highest.
    """
    layer = max(index for index, module in enumerate(model.decoder) if isinstance(module, nn.ReLU))
    value, able = statistics.mean + how.deviations * statistics.std, band_of(statistics, how)
    images = []
    for code, lot in zip(z, lots, strict=True):
        h = model.decoder[: layer + 1](code[None])
        off = [k for k in range(len(value)) if able[k] and h[0, k] <= 0]
        first = sorted(off, key=lambda k: -lot[k].item())[:1]
        others = sorted(set(off) - set(first), key=lambda k: -statistics.correlation[first[0], k].item())
        for k in [*first, *others[: how.neurons - 1]]:
            h[0, k] += value[k]
        images.append(model.decoder[layer + 1 :](h).sigmoid())
    return model.decoder(z).sigmoid(), torch.cat(images)
