"""The plain versions: ordinary PyTorch in float32, channels first, every zero multiplied, as earlier code does it."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, islice, pairwise

import torch
from torch import Tensor, nn

from ..models import WTA
from ..objective import Objective


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


def train(
    objectives: Mapping[str, Objective], batches: Iterable[Tensor], steps: int, device: torch.device
) -> list[float]:
    """The loop that one writes by hand, for one loss or, as a GAN has, several; the last loss of every step."""
    pairs = [(o.loss, torch.optim.Adam(o.params, o.lr, o.betas)) for o in objectives.values()]
    losses = []
    for x in islice(batches, steps):
        x = x.to(device)
        for loss_of, optimiser in pairs:
            optimiser.zero_grad()
            loss = loss_of(x)
            loss.backward()
            optimiser.step()
            last = loss.item()
        losses.append(last)
    return losses


@torch.no_grad()
def sample(model: Callable[[Tensor], Tensor], x: Tensor, passes: int) -> Tensor:
    """Every image through the same number of passes, settled or not."""
    for _ in range(passes):
        x = model(x).clamp(0, 1)
    return x


@torch.no_grad()
def kaleidoscope(network: Callable[[Tensor], Tensor], x: Tensor, runs: int, perturbation: float) -> Tensor:
    """Images (B, C, H, W) in [0, 1] through a network in [-1, 1], again and again, stirred and clipped in between."""
    inside = 2 * x.flatten(1) - 1
    for run in range(runs):
        if run > 0:
            inside = (inside + perturbation * (2 * torch.rand_like(inside) - 1)).clamp(-1, 1)
        inside = network(inside)
    return (inside.view_as(x) + 1) / 2


@torch.no_grad()
def decode(decoder: nn.Module, z: Tensor) -> Tensor:
    """Codes (B, z) -> images in [0, 1]; the decoder gives logits."""
    return decoder(z).sigmoid()


@torch.no_grad()
def switch_on(
    decoder: nn.Sequential,
    layer: int,
    z: Tensor,
    able: Tensor,
    correlation: Tensor,
    value: Tensor,
    lots: Tensor,
    count: int,
) -> Tensor:
    """Decode, code by code, with `count` silent neurons of a layer on: one by lot, the others correlated with it.

    able: (K,) bool, the candidates; correlation: (K, K); value: (K,), what "on" is; lots: (B, K).
    """
    images = []
    for code, lot in zip(z, lots, strict=True):
        h = decoder[: layer + 1](code[None])
        off = [k for k in range(len(value)) if able[k] and h[0, k] <= 0]
        first = sorted(off, key=lambda k: -lot[k].item())[:1]
        others = sorted(set(off) - set(first), key=lambda k: -correlation[first[0], k].item())
        for k in [*first, *others[: count - 1]]:
            h[0, k] += value[k]
        images.append(decoder[layer + 1 :](h).sigmoid())
    return torch.cat(images)
