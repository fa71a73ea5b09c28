"""Winner-take-all sparsity (Makhzani & Frey, 2015), as functions."""

import torch
from torch import Tensor


def spatial(z: Tensor) -> Tensor:
    """Keep the one strongest position of each feature map: (B, K, h, w) -> same shape.

    Ties go to one position, so there is exactly one winner per map; a map of zeros stays zeros.
    """
    flat = z.flatten(2)
    winner = flat.argmax(-1, keepdim=True)
    return torch.zeros_like(flat).scatter(-1, winner, flat.gather(-1, winner)).view_as(z)


def lifetime(z: Tensor, rate: float) -> Tensor:
    """Keep each channel only in the `rate` share of the batch where its winner is strongest: (B, K, h, w) -> same.

    At least one image of the batch keeps a channel, however small the batch. rate in (0, 1].
    Source: Datasets That Are Not, section 2 (5 % lifetime sparsity per channel).
    """
    return z * survivors(z.flatten(2).amax(-1), rate)[..., None, None]


def survivors(strength: Tensor, rate: float) -> Tensor:
    """The rule of `lifetime`, on the strength of winners: (B, K) -> 1 where an image keeps a channel, 0 elsewhere."""
    winners = strength.topk(kept(len(strength), rate), dim=0).indices  # (k, K)
    return torch.zeros_like(strength).scatter(0, winners, 1.0)


def lifetime_per_position(z: Tensor, rate: float) -> Tensor:
    """The older, weaker rule: the share is taken per channel *and position* across the batch. (B, K, h, w) -> same.

    After spatial sparsity a winner is lost only where more than `rate` of the batch share its exact position. The code
    published with the paper worked this way until January 2023; it keeps a superset of what `lifetime` keeps.
    """
    winners = z.topk(kept(len(z), rate), dim=0).indices  # (k, K, h, w)
    return z * torch.zeros_like(z).scatter(0, winners, 1.0)


def survivors_per_position(strength: Tensor, position: Tensor, rate: float) -> Tensor:
    """The rule of `lifetime_per_position`, on winners: (B, K) and int64 (B, K) -> 1 where one is kept, 0 elsewhere.

    Of the images whose winner in a channel has the same position the strongest keep it.
    """
    batch, channels = strength.shape
    place = (position * channels + torch.arange(channels, device=position.device)).flatten()
    by_strength = strength.flatten().argsort(descending=True, stable=True)
    order = by_strength[place[by_strength].argsort(stable=True)]  # places one after the other, the strongest first
    ordered = place[order]
    rank = torch.arange(len(order), device=order.device) - torch.searchsorted(ordered, ordered)
    return (
        torch.zeros_like(strength)
        .flatten()
        .scatter(0, order, (rank < kept(batch, rate)).to(strength.dtype))
        .view_as(strength)
    )


def kept(batch: int, rate: float) -> int:
    """How many of `batch` images keep a channel: the rounded share, never fewer than one."""
    return max(1, round(rate * batch))
