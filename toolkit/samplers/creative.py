"""The neuro-inspired creative decoder, and the activation statistics that it needs.

A neuron is a unit of a fully connected layer or a channel of a convolutional one; the activation of a channel is the
maximum or mean of its map. Methods: low-active switches on neurons that seldom fire and are off for this code, the
first at random, the others by their correlation with it; random, any neurons that are off; noisy adds noise to a share
of the layer; regular changes nothing. Source: "Toward a neuro-inspired creative decoder".
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..config import choose
from ..seeds import Noise, child
from .layers import hooked

POOLS: dict[str, Callable[[Tensor], Tensor]] = {"max": lambda maps: maps.amax(2), "mean": lambda maps: maps.mean(2)}
CORRELATE = ("activation", "preactivation", "phi")


class Decoder(Protocol):
    """Codes (B, z) -> images (B, C, H, W) in [0, 1], through hidden layers that can be read and edited."""

    @property
    def hidden(self) -> Sequence[nn.Module]: ...

    @property
    def code_shape(self) -> tuple[int, ...]: ...

    def decode(self, z: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Statistics:
    """The K neurons of one hidden layer over `count` codes. On is over `threshold`.

    A dead neuron was never on: its mean and std are the average of the living, and it correlates with none.
    """

    layer: int  # from 1, next to the code
    count: int
    threshold: float
    pool: str  # what the activation of a channel is: the "max" or "mean" of its map
    active: Tensor  # (K,) the share of the codes for which a neuron is on
    mean: Tensor  # (K,) its activation while it is on
    std: Tensor  # (K,) the standard deviation of that
    peak: Tensor  # (K,) its largest activation
    spread: float  # the standard deviation of all activations of the layer
    maps: Tensor  # (K, h, w) the mean map of a channel while it is on, its activation scaled to 1; (K,) ones for units
    correlation: Tensor  # (K, K); 0 in the rows and columns of constant neurons, on the diagonal too

    @property
    def dead(self) -> Tensor:
        """(K,) bool."""
        return self.active == 0


def hidden_layer(decoder: Decoder, layer: int) -> tuple[int, nn.Module]:
    """A hidden layer by its number, from 1 next to the code or -1 next to the picture: its number from 1, and itself.

    Raises ValueError for a decoder without hidden layers, or without that one.
    """
    hidden = list(getattr(decoder, "hidden", []))
    if not hidden or not hasattr(decoder, "decode"):
        raise ValueError(f"{type(decoder).__name__} decodes through no hidden layers: give a VAE or a DCGAN")
    if not 1 <= abs(layer) <= len(hidden):
        raise ValueError(f"there is no hidden layer {layer}: give 1 to {len(hidden)}, or -1 for the last")
    number = layer if layer > 0 else len(hidden) + 1 + layer
    return number, hidden[number - 1]


def pooled(h: Tensor, pool: str) -> Tensor:
    """One activation per neuron: (B, K) as it is, (B, K, h, w) -> (B, K)."""
    return POOLS[choose("pool", pool, POOLS)](h.flatten(2)) if h.ndim > 2 else h


@torch.no_grad()
def codes(model: Any, images: Tensor, *, source: str = "mean", chunk: int = 1000, seed: int = 0) -> Iterator[Tensor]:
    """Codes (B, z) of a data set, in chunks: images uint8 (N, C, H, W), each of which gives one.

    source: the "mean" of its posterior, a "sample" of that, or the "prior", which does not depend on the image and
    needs no encoder. Raises ValueError for a model that lacks the encoder it takes.
    """
    choose("source", source, ["mean", "sample", "prior"])
    if source != "prior" and not hasattr(model, "posterior"):
        raise ValueError(f"{type(model).__name__} has no encoder: take its codes from the prior")
    start, device = child(seed, "codes"), next(model.parameters()).device
    for first in range(0, len(images), chunk):
        x = images[first : first + chunk].to(device).float() / 255
        if source == "mean":
            yield model.encode(x)
            continue
        z = Noise(range(start + first, start + first + len(x))).randn(*model.code_shape).to(device)
        if source == "sample":
            mean, log_variance = model.posterior(x)
            z = mean + (log_variance / 2).exp() * z
        yield z


@torch.no_grad()
def activation_statistics(
    decoder: Decoder,
    codes: Iterable[Tensor],
    *,
    layer: int = -1,
    threshold: float = 0.0,
    pool: str = "max",
    correlate: str = "activation",
) -> Statistics:
    """The activation statistics of a hidden layer over codes (B, z), chunk by chunk; every code is decoded once.

    layer: from 1 next to the code; by default the last, as published. threshold: a neuron is on over this.
    pool: the activation of a channel is the "max" or the "mean" of its map.
    correlate: Pearson's correlation of the "activation", of the "preactivation" that goes into the ReLU (better
    defined for neurons that are seldom on), or "phi", of being on. Raises ValueError for no codes or an unknown option.
    """
    number, module = hidden_layer(decoder, layer)
    sums = _Sums(threshold, choose("pool", pool, POOLS), choose("correlate", correlate, CORRELATE))
    with hooked(module, sums.add):
        for z in codes:
            decoder.decode(z)
    if not sums.sums:
        raise ValueError("no codes to take statistics over: give at least one")
    return sums.statistics(number)


@torch.no_grad()
def layer_quantile(
    decoder: Decoder, codes: Iterable[Tensor], share: float, *, layer: int = -1, pool: str = "max"
) -> float:
    """A quantile, share in (0, 1], of a layer's activations: a threshold for leaky layers."""
    found: list[Tensor] = []
    with hooked(hidden_layer(decoder, layer)[1], lambda before, after: found.append(pooled(after, pool).flatten())):
        for z in codes:
            decoder.decode(z)
    values = torch.cat(found)
    return values.kthvalue(max(1, round(share * len(values)))).values.item()


class _Sums:
    """Sums over codes, in float64, from which means, deviations and correlations follow at the end."""

    def __init__(self, threshold: float, pool: str, correlate: str) -> None:
        self.threshold, self.pool, self.correlate = threshold, pool, correlate
        self.sums: dict[str, Tensor] = {}
        self.peak = torch.tensor(-torch.inf)

    def add(self, before: Tensor, after: Tensor) -> None:
        h = pooled(after, self.pool).double()
        on = (h > self.threshold).double()
        v = on if self.correlate == "phi" else h
        if self.correlate == "preactivation":
            v = pooled(before, self.pool).double()
        self.peak = torch.maximum(self.peak.to(h.device), h.amax(0))
        maps = torch.einsum("bk,bk...->k...", on.to(after.dtype), after).double()
        more = {
            "count": on.new_tensor(len(h)), "on": on.sum(0), "h": (h * on).sum(0), "hh": (h * h * on).sum(0),
            "maps": maps, "all": h.sum(), "squares": h.square().sum(), "v": v.sum(0), "vv": v.T @ v,
        }  # fmt: skip
        self.sums = {name: self.sums.get(name, 0) + value for name, value in more.items()}

    def statistics(self, layer: int) -> Statistics:
        s = self.sums
        alive, often = s["on"] > 0, s["on"].clamp_min(1)
        mean, square = s["h"] / often, s["hh"] / often
        all_mean, all_square = (s[name] / s["count"] / len(often) for name in ("all", "squares"))
        strength = pooled(s["maps"][None], self.pool)[0]
        usable = (alive & (strength > 0)).view(-1, *[1] * (s["maps"].ndim - 1))
        maps = torch.where(usable, s["maps"] / strength.view(usable.shape), torch.ones_like(s["maps"]))
        mean_v = s["v"] / s["count"]
        covariance = s["vv"] / s["count"] - mean_v[:, None] * mean_v
        variance = covariance.diagonal()
        varies = variance > 1e-12 * (s["vv"].diagonal() / s["count"]).clamp_min(1e-300)  # rounding is no variation
        scale = variance.where(varies, 1.0).sqrt()
        correlation = (covariance / scale[:, None] / scale).clamp(-1, 1) * (varies[:, None] & varies)
        return Statistics(
            layer=layer,
            count=int(s["count"]),
            threshold=self.threshold,
            pool=self.pool,
            active=(s["on"] / s["count"]).float(),
            mean=_filled(mean, alive),
            std=_filled((square - mean.square()).clamp_min(0).sqrt(), alive),
            peak=_filled(self.peak, alive),
            spread=(all_square - all_mean.square()).clamp_min(0).sqrt().item(),
            maps=maps.float(),
            correlation=correlation.float(),
        )


def _filled(values: Tensor, alive: Tensor) -> Tensor:
    """The values, and for dead neurons the average of the living (0 if there are none)."""
    average = values[alive].mean() if alive.any() else values.new_zeros(())
    return values.where(alive, average).float()


METHODS = ("low-active", "random", "noisy", "regular")


@dataclass(frozen=True)
class Creative:
    """How neurons are chosen and switched on. Each default is a proposal where the paper leaves a point open.

    method: "low-active", "random", "noisy" or "regular".
    neurons: how many are switched on; fewer where fewer are off. band: in percentiles of the neurons' activity.
    percentiles: "linear", between neurons, both ends included; or "rank", of a neuron among all.
    dead: neurons that never fired are "dropped" before percentiles are taken, and never chosen; or "kept", the literal
        reading, under which a band can be all dead: a warning says so.
    grouping: the others of a group are those that correlate most with the "first", or with the "group" so far; or
        "none", by chance. By default as the "method" has it: first for low-active, none for random.
    absolute: whether correlations count by their absolute value.
    value: of a neuron switched on: "conditional", its mean while it is on plus `deviations` standard deviations
        (0 is the literal mean); "layer", the mean of this image's active neurons; or "peak", its largest in the data.
    gain: a factor on that value, and on the noise; 0 is the regular picture.
    fill: the map of a channel switched on: "constant", or its "typical" one, scaled.
    share, noise: of the layer's neurons that get noise, and its standard deviation in units of the layer's.
    rectify: whether ReLU is applied after the noise.
    """

    method: str = "low-active"
    neurons: int = 5
    band: tuple[float, float] = (1.0, 15.0)
    percentiles: str = "linear"
    dead: str = "dropped"
    grouping: str = "method"
    absolute: bool = False
    value: str = "conditional"
    deviations: float = 2.0
    gain: float = 1.0
    fill: str = "constant"
    share: float = 0.1
    noise: float = 1.0
    rectify: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "band", tuple(self.band))  # JSON gives a list
        choose("method", self.method, METHODS)
        choose("percentiles", self.percentiles, ["linear", "rank"])
        choose("dead", self.dead, ["dropped", "kept"])
        choose("grouping", self.grouping, ["method", "first", "group", "none"])
        choose("value", self.value, ["conditional", "layer", "peak"])
        choose("fill", self.fill, ["constant", "typical"])
        if len(self.band) != 2 or not 0 <= self.band[0] < self.band[1] <= 100:
            raise ValueError(f"band is {self.band}: give two rising percentiles from 0 to 100")
        if self.neurons < 0 or not 0 <= self.share <= 1:
            raise ValueError(f"neurons {self.neurons}, share {self.share}: give none or more, and a share from 0 to 1")
        if not (0 <= self.gain < math.inf and 0 <= self.noise < math.inf and math.isfinite(self.deviations)):
            raise ValueError(
                f"gain {self.gain}, noise {self.noise}, deviations {self.deviations}: give finite numbers, "
                f"no gain or noise under 0"
            )

    @property
    def grouped(self) -> str:
        """The grouping that is meant: first, group or none."""
        by_method = "first" if self.method == "low-active" else "none"
        return by_method if self.grouping == "method" else self.grouping


@dataclass(frozen=True, eq=False)
class Creation:
    """images: (B, C, H, W) in [0, 1]; regular: the same codes as the model decodes them by itself.

    neurons: (B, n) int64, which were perturbed, in the order of their choice; -1 where no more were off.
    """

    images: Tensor
    regular: Tensor
    neurons: Tensor


@torch.no_grad()
def creative_decode(
    decoder: Decoder, z: Tensor, statistics: Statistics, seeds: Sequence[int], how: Creative | None = None
) -> Creation:
    """Decode codes (B, z), perturbing the layer of the statistics; neurons are chosen by one seed per code.

    Raises ValueError for codes of another size, another number of seeds, statistics of another layer, more neurons
    than the layer has, or a band without a neuron.
    """
    how = how or Creative()
    _, layer = hidden_layer(decoder, statistics.layer)
    if z.shape[1:] != tuple(decoder.code_shape):
        raise ValueError(f"codes of shape {tuple(z.shape)} do not fit: give (B, {decoder.code_shape[0]})")
    if len(seeds) != len(z):
        raise ValueError(f"{len(z)} codes have {len(seeds)} seeds: give one for each")
    if how.neurons > len(statistics.active):
        raise ValueError(f"the layer has {len(statistics.active)} neurons, not {how.neurons}: switch fewer on")
    outputs: list[Tensor] = []
    with hooked(layer, lambda before, after: outputs.append(after)):
        regular = decoder.decode(z)
    if len(statistics.active) != outputs[0].shape[1]:
        raise ValueError(
            f"the statistics are of {len(statistics.active)} neurons and the layer has {outputs[0].shape[1]}: "
            f"take those of this model"
        )
    neurons, added = _perturbation(outputs[0], statistics, Noise(child(seed, "neurons") for seed in seeds), how)

    def perturb(before: Tensor, after: Tensor) -> Tensor:
        return (after + added).relu() if how.rectify and how.method == "noisy" else after + added

    with hooked(layer, perturb):
        return Creation(decoder.decode(z), regular, neurons)


def band_of(statistics: Statistics, how: Creative) -> Tensor:
    """Which neurons are low-active, (K,) bool: their share of the data between two percentiles. May warn.

    Raises ValueError if none is.
    """
    counted = ~statistics.dead if how.dead == "dropped" else torch.ones_like(statistics.dead)
    if not counted.any():
        raise ValueError("no neuron of the layer ever fires: train the model, or take another layer")
    active, edges = statistics.active.double(), torch.tensor(how.band, dtype=torch.double) / 100
    if how.percentiles == "rank":
        ranks = active.masked_fill(~counted, torch.inf).argsort(stable=True).argsort()  # 0 is the least active
        place, (low, high) = ranks / max(1, int(counted.sum()) - 1), edges.tolist()
    else:
        place, (low, high) = active, active[counted].quantile(edges.to(active.device)).tolist()
    band = counted & (low <= place) & (place <= high)
    if not band.any():
        raise ValueError(f"no neuron lies in the band of percentiles {how.band}: make it wider")
    if (band & statistics.dead).sum() == band.sum():
        warnings.warn("the band holds only dead neurons: drop them before taking percentiles", stacklevel=3)
    return band


def _perturbation(h: Tensor, statistics: Statistics, noise: Noise, how: Creative) -> tuple[Tensor, Tensor]:
    """Which neurons, (B, n), and what is added to the layer's output h."""
    count = len(statistics.active)
    priority = noise.rand(count).to(h.device)  # (B, K): the higher, the sooner a neuron is drawn
    if how.method == "noisy":
        neurons = priority.topk(round(how.share * count)).indices
        amount = how.gain * how.noise * statistics.spread * noise.randn(count).to(h.device)
    else:
        neurons = _choose(h, priority, statistics, how)
        amount = how.gain * _on_value(h, statistics, how)
    slots = neurons.where(neurons >= 0, count)  # those that are lacking go to a slot of their own
    mask = h.new_zeros(len(h), count + 1).scatter(1, slots, 1.0)[:, :count]
    added = (mask * amount).view(*mask.shape, *[1] * (h.ndim - 2))
    return neurons, added * statistics.maps.to(h.device) if how.fill == "typical" else added


def _choose(h: Tensor, priority: Tensor, statistics: Statistics, how: Creative) -> Tensor:
    """The neurons to switch on, (B, n), n being 0 for a regular picture; -1 where fewer are off."""
    if how.method == "low-active":
        able = band_of(statistics, how)
    else:
        able = ~statistics.dead if how.dead == "dropped" else torch.ones_like(statistics.dead)
    left = able.to(h.device) & (pooled(h, statistics.pool) <= statistics.threshold)
    correlation = statistics.correlation.abs() if how.absolute else statistics.correlation
    constant = statistics.correlation.diagonal() == 0
    closeness = correlation.masked_fill(constant | constant[:, None], -2.0).to(h.device)  # constant ones come last
    score, chosen = priority, []
    for place in range(0 if how.method == "regular" else how.neurons):
        best, index = score.masked_fill(~left, -torch.inf).max(1)
        chosen.append(index.where(best > -torch.inf, -1))
        left = left.scatter(1, index[:, None], False)
        if how.grouped != "none" and place == 0:
            score = closeness[index]
        elif how.grouped == "group":
            score = score + closeness[index]
    return torch.stack(chosen, 1) if chosen else torch.empty(len(h), 0, dtype=torch.long, device=h.device)


def _on_value(h: Tensor, statistics: Statistics, how: Creative) -> Tensor:
    """The activation of each neuron when it is switched on, (K,) or, if it depends on the image, (B, 1)."""
    if how.value == "layer":
        activation = pooled(h, statistics.pool)
        on = activation > statistics.threshold
        return (activation * on).sum(1, keepdim=True) / on.sum(1, keepdim=True).clamp_min(1)
    if how.value == "peak":
        return statistics.peak.to(h.device)
    return (statistics.mean + how.deviations * statistics.std).to(h.device)


# Studies of a decoder: its activations, read, replaced, cut out; other ways through its code.


@torch.no_grad()
def hidden_activations(decoder: Decoder, z: Tensor, layer: int = -1) -> Tensor:
    """The output of a hidden layer for codes (B, z): (B, K), of channels (B, K, h, w)."""
    found: list[Tensor] = []
    with hooked(hidden_layer(decoder, layer)[1], lambda before, after: found.append(after)):
        decoder.decode(z)
    return found[0]


@torch.no_grad()
def decode_from(decoder: Decoder, h: Tensor, layer: int = -1) -> Tensor:
    """Decode from the output of a hidden layer on, (B, K) or (B, K, h, w) -> images (B, C, H, W)."""
    with hooked(hidden_layer(decoder, layer)[1], lambda before, after: h):
        return decoder.decode(h.new_zeros(len(h), *decoder.code_shape))


@contextmanager
def pruned(decoder: Decoder, neurons: Tensor, layer: int = -1) -> Iterator[None]:
    """While the block lasts, neurons (n,) of a hidden layer are off. Decoding raises ValueError for one it lacks."""

    def cut(before: Tensor, after: Tensor) -> Tensor:
        if len(neurons) and not 0 <= int(neurons.min()) <= int(neurons.max()) < after.shape[1]:
            raise ValueError(f"the layer has neurons 0 to {after.shape[1] - 1}: prune none but these")
        return after.index_fill(1, neurons.to(after.device), 0.0)

    with hooked(hidden_layer(decoder, layer)[1], cut):
        yield


def strongest(
    decoder: Decoder, codes: Iterable[Tensor], neurons: Tensor, count: int = 9, *, layer: int = -1, pool: str = "max"
) -> tuple[Tensor, Tensor]:
    """Activations and rows of the codes that neurons (n,) fire most for: (n, count) each, the strongest first.

    Raises ValueError for fewer codes than that.
    """
    found = [pooled(hidden_activations(decoder, z, layer), pool)[:, neurons] for z in codes]
    if (there := sum(map(len, found))) < count:
        raise ValueError(f"{there} codes are fewer than the {count} strongest: give more, or ask for fewer")
    values, rows = torch.cat(found).topk(count, 0)
    return values.T, rows.T


def decode_alone(decoder: Decoder, statistics: Statistics, neurons: Tensor | Sequence[int]) -> Tensor:
    """Decode neurons (n,) one by one, each at its largest activation and all others off: (n, C, H, W).

    A channel has its typical map. Raises ValueError for a neuron that the statistics lack.
    """
    neurons, count, maps = torch.as_tensor(neurons), len(statistics.peak), statistics.maps
    if not ((neurons >= 0) & (neurons < count)).all():
        raise ValueError(f"the layer has neurons 0 to {count - 1}: decode one of these alone")
    h = torch.zeros(len(neurons), count)
    h[torch.arange(len(neurons)), neurons] = statistics.peak.cpu()[neurons]
    h = h.view(*h.shape, *[1] * (maps.ndim - 1)) * maps.cpu()
    return decode_from(decoder, h.to(maps.device), statistics.layer)


def between(a: Tensor, b: Tensor, share: float, *, spherical: bool = False) -> Tensor:
    """Codes on the way from a to b, (B, z) each: at share 0 those of a, at 1 of b. spherical: on the great circle."""
    if not 0 <= share <= 1:
        raise ValueError(f"share {share} of the way: give one from 0 to 1")
    if not spherical:
        return torch.lerp(a, b, share)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1)[:, None]
    angle = cosine.acos().clamp_min(1e-4)
    return (a * ((1 - share) * angle).sin() + b * (share * angle).sin()) / angle.sin()


def way_between(model: Any, x: Tensor, steps: int) -> Tensor:
    """An autoencoder's images on the straight way between the codes of two: (2, C, H, W) -> (steps + 1, C, H, W)."""
    with torch.no_grad():
        a, b = model.encode(x).split(1)
        images: Tensor = model.decode(torch.cat([between(a, b, step / steps) for step in range(steps + 1)]))
    return images


def at_seam(model: Any, x: Tensor, layer: int) -> Tensor:
    """What passes from one part of an autoencoder to the next: (B, C, H, W) -> codes (layer 0), or a hidden output."""
    z: Tensor = model.encode(x)
    return z if layer == 0 else hidden_activations(model, z, layer)


def procrustes(a: Tensor, b: Tensor) -> Tensor:
    """The orthogonal Q with the least |a Q - b|, whose rows are pairs: (N, K), (N, K) -> (K, K). Schoenemann (1966)."""
    if a.shape != b.shape:
        raise ValueError(f"{tuple(a.shape)} and {tuple(b.shape)} are no pairs of rows: give two of one shape")
    u, _, v = torch.linalg.svd(a.double().T @ b.double())
    return (u @ v).float()


@torch.no_grad()
def splice(first: Any, other: Any, x: Tensor, layer: int = 0, seam: Tensor | None = None) -> Tensor:
    """Images as one autoencoder reads them and another draws them: (B, C, H, W) -> the same.

    layer: of the decoder of `first`, the last to be its own; 0 is the code. seam: (K, K), a map of its output, such as
    `procrustes` fits. Raises ValueError for layers of different widths. The survey's splicing; Collins, Ruzicka &
    Grierson (2020), Remixing AIs.
    """
    h, width = at_seam(first, x, layer), at_seam(other, x[:1], layer).shape[1]
    if h.shape[1] != width:
        raise ValueError(
            f"the seam is {h.shape[1]} wide on one side and {width} on the other: choose a layer that fits"
        )
    h = h if seam is None else h @ seam
    return other.decode(h) if layer == 0 else decode_from(other, h, layer)
