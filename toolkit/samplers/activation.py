"""What the hidden neurons of a decoder do over a data set: how often each is on, how strongly, and with which others.

A neuron is a unit of a fully connected layer or a channel of a convolutional one; the activation of a channel is one
number, taken over its map. Source: "Toward a neuro-inspired creative decoder", the method's first part.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..options import choose
from ..seeds import Noise, child

POOLS: dict[str, Callable[[Tensor], Tensor]] = {"max": lambda maps: maps.amax(2), "mean": lambda maps: maps.mean(2)}
CORRELATE = ("activation", "preactivation", "phi")


class Decoder(Protocol):
    """Codes (B, z) -> images (B, C, H, W) in [0, 1], through hidden layers that can be heard, and edited."""

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


@contextmanager
def hooked(module: nn.Module, function: Callable[[Tensor, Tensor], Tensor | None]) -> Iterator[None]:
    """While the block lasts, function(input, output) hears a module, and replaces its output unless it gives None."""
    handle = module.register_forward_hook(lambda module, inputs, output: function(inputs[0], output))
    try:
        yield
    finally:
        handle.remove()


def pooled(h: Tensor, pool: str) -> Tensor:
    """One activation per neuron: (B, K) as it is, (B, K, h, w) -> (B, K)."""
    return POOLS[choose("pool", pool, POOLS)](h.flatten(2)) if h.ndim > 2 else h


@torch.no_grad()
def codes(model: Any, images: Tensor, *, source: str = "mean", chunk: int = 1000, seed: int = 0) -> Iterator[Tensor]:
    """Codes (B, z) of a data set, in chunks: images uint8 (N, C, H, W), each of which gives one.

    source: the "mean" of its posterior, a "sample" of that, or the "prior", which takes no notice of the image and
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
    """What the neurons of a layer do over codes (B, z), chunk by chunk; every image is decoded once.

    layer: from 1 next to the code; by default the last, as published. threshold: a neuron is on over this.
    pool: the activation of a channel is the "max" or the "mean" of its map.
    correlate: Pearson's correlation of the "activation", of the "preactivation" that goes into the ReLU (better
    defined for neurons that are seldom on), or "phi", of being on. Raises ValueError for no codes or an unknown option.
    """
    number, module = hidden_layer(decoder, layer)
    tally = _Tally(threshold, choose("pool", pool, POOLS), choose("correlate", correlate, CORRELATE))
    with hooked(module, tally.hear):
        for z in codes:
            decoder.decode(z)
    if not tally.sums:
        raise ValueError("no codes to take statistics over: give at least one")
    return tally.statistics(number)


@torch.no_grad()
def layer_quantile(
    decoder: Decoder, codes: Iterable[Tensor], share: float, *, layer: int = -1, pool: str = "max"
) -> float:
    """The activation that a share in (0, 1] of a layer's activations do not exceed: a threshold for leaky layers."""
    heard: list[Tensor] = []
    with hooked(hidden_layer(decoder, layer)[1], lambda before, after: heard.append(pooled(after, pool).flatten())):
        for z in codes:
            decoder.decode(z)
    values = torch.cat(heard)
    return values.kthvalue(max(1, round(share * len(values)))).values.item()


class _Tally:
    """Sums over codes, in float64: what it takes to know means, deviations and correlations at the end."""

    def __init__(self, threshold: float, pool: str, correlate: str) -> None:
        self.threshold, self.pool, self.correlate = threshold, pool, correlate
        self.sums: dict[str, Tensor] = {}
        self.peak = torch.tensor(-torch.inf)

    def hear(self, before: Tensor, after: Tensor) -> None:
        h = pooled(after, self.pool).double()
        on = (h > self.threshold).double()
        v = on if self.correlate == "phi" else h
        if self.correlate == "preactivation":
            v = pooled(before, self.pool).double()
        self.peak = torch.maximum(self.peak.to(h.device), h.amax(0))
        maps = torch.einsum("bk,bk...->k...", on.to(after.dtype), after).double()
        self._add(count=on.new_tensor(len(h)), on=on.sum(0), h=(h * on).sum(0), hh=(h * h * on).sum(0), maps=maps)
        self._add(all=h.sum(), squares=h.square().sum(), v=v.sum(0), vv=v.T @ v)

    def _add(self, **sums: Tensor) -> None:
        self.sums |= {name: self.sums.get(name, 0) + value for name, value in sums.items()}

    def statistics(self, layer: int) -> Statistics:
        s = self.sums
        alive, often = s["on"] > 0, s["on"].clamp_min(1)
        mean, square = s["h"] / often, s["hh"] / often
        std = (square - mean.square()).clamp_min(0).sqrt()
        all_mean, all_square = (s[name] / s["count"] / len(often) for name in ("all", "squares"))
        return Statistics(
            layer=layer,
            count=int(s["count"]),
            threshold=self.threshold,
            pool=self.pool,
            active=(s["on"] / s["count"]).float(),
            mean=_filled(mean, alive),
            std=_filled(std, alive),
            peak=_filled(self.peak, alive),
            spread=(all_square - all_mean.square()).clamp_min(0).sqrt().item(),
            maps=self._maps(alive).float(),
            correlation=self._correlation().float(),
        )

    def _maps(self, alive: Tensor) -> Tensor:
        maps = self.sums["maps"]
        strength = pooled(maps[None], self.pool)[0]
        usable = alive & (strength > 0)
        scaled = maps / strength.where(usable, torch.ones_like(strength)).view(-1, *[1] * (maps.ndim - 1))
        return scaled.where(usable.view(-1, *[1] * (maps.ndim - 1)), torch.ones_like(maps))

    def _correlation(self) -> Tensor:
        s = self.sums
        mean = s["v"] / s["count"]
        covariance = s["vv"] / s["count"] - mean[:, None] * mean
        variance = covariance.diagonal()
        varies = variance > 1e-12 * (s["vv"].diagonal() / s["count"]).clamp_min(1e-300)  # rounding is no variation
        scale = variance.where(varies, torch.ones_like(variance)).sqrt()
        return (covariance / scale[:, None] / scale).clamp(-1, 1) * (varies[:, None] & varies)


def _filled(values: Tensor, alive: Tensor) -> Tensor:
    """The values, and for dead neurons the average of the living (0 if there are none)."""
    average = values[alive].mean() if alive.any() else values.new_zeros(())
    return values.where(alive, average).float()
