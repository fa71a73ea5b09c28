"""Measures of a latent space (Karras et al., 2019, section 4): perceptual path length and linear separability."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

EPSILON = 1e-4  # as published: how far along a path two images are compared
Between = Callable[[Tensor, Tensor, Tensor], Tensor]  # two latents (B, d), and how far from the first, (B, 1)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation: (B, d), (B, d), t (B, 1) from 0 to 1 -> (B, d); lengths change linearly.

    Raises ValueError for two that point the same way or opposite ways, where there is no one great circle.
    """
    one, other = normalize(a, dim=1), normalize(b, dim=1)
    across = other - (one * other).sum(1, keepdim=True) * one
    sine = across.norm(dim=1, keepdim=True)
    if (sine < 1e-6).any():
        raise ValueError("two latents lie on one line: no great circle leads from the one to the other, give others")
    angle = t * torch.atan2(sine, (one * other).sum(1, keepdim=True))
    length = torch.lerp(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    return length * (angle.cos() * one + angle.sin() * across / sine)


@torch.no_grad()
def path_lengths(
    draw: Callable[[Tensor], Tensor],
    features: Callable[[Tensor], Tensor],
    a: Tensor,
    b: Tensor,
    t: Tensor,
    between: Between = torch.lerp,
    epsilon: float = EPSILON,
) -> Tensor:
    """How fast images change along paths between latents, squared: a, b (N, d), t (N,) from 0 to 1 -> (N,).

    Their mean is the perceptual path length (section 4.1). draw: latents -> images, of the same noise every time;
    features: images -> (N, d'), whose directions are compared, where the paper has a metric learned from people.
    between: `torch.lerp`, as for w, or `slerp`, as for z. Raises ValueError for an epsilon that is not over 0, or for
    a, b, t that are not as many.
    """
    if not 0 < epsilon < 1 or not len(a) == len(b) == len(t):
        raise ValueError(f"epsilon {epsilon}, {len(a)}, {len(b)} and {len(t)} of a, b, t: give a small one, as many")
    seen = [normalize(features(draw(between(a, b, at[:, None]))), dim=1) for at in (t, t + epsilon)]
    return (seen[1] - seen[0]).square().sum(1) / epsilon**2


def trimmed(values: Tensor) -> Tensor:
    """Values (N,) without the lowest and the highest per cent of them, as the published code averages path lengths."""
    order, cut = values.sort().values, math.floor(len(values) / 100)
    return order[cut : len(order) - cut]


def linear_predictions(latents: Tensor, attributes: Tensor, strength: float = 1e-3, steps: int = 100) -> Tensor:
    """Logistic regression of each attribute by itself on half of the latents, asked about the other half.

    latents: (N, d); attributes: (N, K), True or False -> predictions for the odd rows, (N // 2, K). strength: of the
    penalty on the squared weights of standardised latents. Raises ValueError for fewer than four latents.
    """
    if len(latents) < 4 or len(latents) != len(attributes):
        raise ValueError(f"{len(latents)} latents, {len(attributes)} rows of attributes: give four or more of each")
    known, wanted = latents[::2].double(), attributes[::2].double()
    mean, std = known.mean(0), known.std(0).clamp_min(1e-9)
    x = (known - mean) / std
    weight = torch.zeros(x.shape[1], wanted.shape[1], dtype=x.dtype, device=x.device, requires_grad=True)
    bias = torch.zeros(wanted.shape[1], dtype=x.dtype, device=x.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        missed = binary_cross_entropy_with_logits(x @ weight + bias, wanted) + strength / 2 * weight.square().mean()
        missed.backward()
        return missed

    with torch.enable_grad():
        optimiser.step(loss)
    return ((latents[1::2].double() - mean) / std @ weight.detach() + bias.detach()) > 0


def separability(predictions: Tensor, attributes: Tensor) -> float:
    """Exp of the sum over attributes of H(Y|X): how far a plane in latent space is from telling them (section 4.2).

    predictions: X, by a plane, and attributes: Y, by a classifier of the images, each (N, K), True or False. 1 if every
    plane is right; without any information in the latents exp of the sum of the attributes' entropies.
    """
    x, y = (torch.stack([~each, each], 2).double() for each in (predictions, attributes))  # (N, K, 2)
    joint = torch.einsum("nkx,nky->xyk", x, y) / len(x)
    entropy = torch.special.entr(joint).sum((0, 1)) - torch.special.entr(joint.sum(1)).sum(0)
    return float(entropy.sum().exp())


def separability_interval(
    predictions: Tensor, attributes: Tensor, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile interval of `separability` over images: they are drawn again, so many times."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(predictions), (draws, len(predictions)), generator=generator)
    found = torch.tensor([separability(predictions[row], attributes[row]) for row in rows], dtype=torch.double)
    low, high = found.quantile(torch.tensor([0.025, 0.975], dtype=torch.double)).tolist()
    return low, high
