"""Measures by distance: novelty, memorisation, reconstruction, collapse of a set.

A distance is the root of the mean squared difference over pixels: 0 for a copy, 1 for black against white. Images are
(B, C, H, W), float in [0, 1] or uint8; a reference set may be tens of thousands of uint8 images. A small distance to
the nearest training image is no copy as such: compare with that of unseen images of the same kind.

The reconstruction distance D_r(x) is the least Euclidean norm, over pixels, of x - decode(z) over all codes z. A
regular sample is a decoded code, so that its exact D_r is 0, and yet the paper's table has 1.2 to 1.6 for it: what was
measured there is an approximation, most likely the round trip through the encoder. Both are here.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ..seeds import Noise, child
from .image import as_float

SPARE = 16  # how many more than k are shortlisted
FEW = 50  # images whose shortlists are compared at once, in the cache
SAME = 0.1  # two images closer than this are not distinct; digits of different writers are 0.2 to 0.4 apart


def nearest(x: Tensor, reference: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """The k nearest of the reference: (B, C, H, W), (N, C, H, W) -> distances (B, k), rows of the reference (B, k).

    Nearest first; of equally near ones the first rows. A matrix product, which rounds, only makes a shortlist; the
    distances within it are exact, so an exact copy is exactly 0 away. Raises ValueError if the images differ in shape
    or the reference has fewer than k.
    """
    if x.shape[1:] != reference.shape[1:]:
        raise ValueError(
            f"images {tuple(x.shape[1:])} cannot be compared with a reference of {tuple(reference.shape[1:])}"
        )
    if not 1 <= k <= len(reference):
        raise ValueError(f"the {k} nearest of {len(reference)} images: give k from 1 to the size of the reference")
    found = []
    for part in as_float(x).split(1000):
        rows = _shortlist(part, reference, min(k + SPARE, len(reference)))
        gaps = []
        for which, some in zip(rows.split(FEW), part.split(FEW), strict=True):
            near = as_float(reference[which.flatten()]).unflatten(0, which.shape)
            gaps.append((near - some[:, None]).square_().flatten(2).mean(2).sqrt())
        distances, order = torch.cat(gaps).sort(dim=1, stable=True)
        found.append((distances[:, :k], rows.gather(1, order[:, :k])))
    distances, rows = map(torch.cat, zip(*found, strict=True))
    return distances, rows


def _shortlist(x: Tensor, reference: Tensor, count: int, chunk: int = 5000) -> Tensor:
    """The rows of the `count` nearest by matrix product: -> (B, count), ascending, so that ties go to the first."""
    near, rows = torch.empty(len(x), 0), torch.empty(len(x), 0, dtype=torch.long)
    flat = x.flatten(1)
    for start in range(0, len(reference), chunk):
        r = as_float(reference[start : start + chunk]).flatten(1)
        squared = torch.addmm(r.square().sum(1), flat, r.T, alpha=-2)  # without |x|^2, the same for every row
        best, at = squared.topk(min(count, len(r)), largest=False)
        near, rows = torch.cat([near, best], 1), torch.cat([rows, at + start], 1)
    return rows.gather(1, near.topk(count, largest=False).indices).sort(1).values


def novelty(x: Tensor, reference: Tensor, k: int = 1) -> Tensor:
    """Mean distance to the k nearest images of the reference: (B, C, H, W), (N, C, H, W) -> (B,). 0 for a copy.

    Source: Lehman & Stanley (2011), Abandoning objectives, with pixels as the behaviour. Raises what `nearest` raises.
    """
    return nearest(x, reference, k)[0].mean(1)


def diversity(x: Tensor) -> float:
    """Mean distance between two members of a set (B, C, H, W). 0 if all are equal, or there are fewer than two.

    Takes B squared distances: a few thousand images are quick.
    """
    if len(x) < 2:
        return 0.0
    flat = as_float(x).flatten(1).double()
    total = sum(float(squared_distances(part, flat).sqrt().sum()) for part in flat.split(500))
    return total / (len(x) * (len(x) - 1)) / flat.shape[1] ** 0.5


def blank_share(x: Tensor) -> float:
    """The share of images without a pixel over half brightness, 0 to 1. Raises ValueError for an empty set."""
    return (_some(x).flatten(1).amax(1) <= 0.5).double().mean().item()


def unique_share(x: Tensor) -> float:
    """The share of distinct images once each value is black or white, cut at 0.5. ValueError for an empty set."""
    rows = (_some(x) > 0.5).flatten(1).numpy()
    return len({row.tobytes() for row in rows}) / len(rows)


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(N, d), (M, d), in double precision -> (N, M); exactly 0 for a copy, though it is a matrix product."""
    sizes = x.square().sum(1, keepdim=True) + y.square().sum(1)
    squared = sizes - 2 * x @ y.T
    return squared.where(squared > 1e-12 * sizes, 0.0)  # less is rounding


def _some(x: Tensor) -> Tensor:
    if not len(x):
        raise ValueError("an empty set of images has no share of anything: give at least one image")
    return as_float(x)


def memorisation(x: Tensor, training: Tensor, held_out: Tensor) -> dict[str, float]:
    """Every measure of memorisation: images (B, C, H, W), learned ones (N, ...), unseen ones (M, ...) -> name, value.

    Float in [0, 1] or uint8. Raises what `nearest` raises, and ValueError for an empty set or one training image.
    """
    near, unseen = (nearest(images, training)[0][:, 0] if len(images) else torch.empty(0) for images in (x, held_out))
    return {
        "memorised_share": memorised_share(near, unseen),
        "nearer_share": nearer_share(near, unseen),
        "data_copying": data_copying(near, unseen),
        "authenticity": authenticity(x, training),
        "authenticity_held_out": authenticity(held_out, training),
    }


def memorised_share(x: Tensor, held_out: Tensor) -> float:
    """The share of images nearer to the training set than 99 % of unseen ones; 0.01 without copying.

    x: (B,), held_out: (M,), distances to the nearest training image. Raises ValueError for none.
    """
    x, held_out = _some_distances(x, held_out)
    return (x < held_out.quantile(0.01)).double().mean().item()


def nearer_share(x: Tensor, held_out: Tensor) -> float:
    """How often an image is nearer to the training set than an unseen one: 0.5 if as near, 1 if all are copies.

    Over all pairs, a tie counting half. x: (B,), held_out: (M,), distances to the nearest training image.
    """
    x, held_out = _some_distances(x, held_out)
    return 1 - _wins(x, held_out) / (len(x) * len(held_out))


def data_copying(x: Tensor, held_out: Tensor) -> float:
    """`nearer_share` as a test: under -3 significantly nearer than unseen images, over 3 significantly farther out.

    Nearer are copies, and also images simpler than the real ones, blank ones above all, which `memorised_share` does
    not take for copies. The standard score of the Mann-Whitney statistic, corrected for ties; 0 if all distances are
    equal. Meehan, Chaudhuri & Dasgupta (2020), A three sample hypothesis test, with all of the space as one cell.
    """
    x, held_out = _some_distances(x, held_out)
    pairs, both = len(x) * len(held_out), len(x) + len(held_out)
    ties = torch.cat([x, held_out]).unique(return_counts=True)[1].double()
    variance = pairs / 12 * (both + 1 - float((ties**3 - ties).sum()) / (both * (both - 1)))
    return (_wins(x, held_out) - pairs / 2) / math.sqrt(variance) if variance > 1e-9 * pairs else 0.0


def authenticity(x: Tensor, training: Tensor) -> float:
    """The share of images that are farther from their nearest training image than that one is from its own nearest.

    0 for copies. Unseen images of the same kind have a half or more, and theirs is what to compare with. Alaa et al.
    (2022), How faithful is your synthetic data? (B, C, H, W), (N, C, H, W).
    """
    distances, rows = nearest(_some(x), training)
    between = nearest(training[rows[:, 0]], training, k=2)[0][:, 1]  # the first is the image itself
    return (distances[:, 0] > between).double().mean().item()


def _wins(x: Tensor, held_out: Tensor) -> float:
    """In how many pairs the image is farther than the unseen one; a tie counts half."""
    ordered = held_out.sort().values
    return float((torch.searchsorted(ordered, x) + torch.searchsorted(ordered, x, right=True)).sum()) / 2


def _some_distances(x: Tensor, held_out: Tensor) -> tuple[Tensor, Tensor]:
    if x.ndim != 1 or held_out.ndim != 1 or not min(len(x), len(held_out)):
        raise ValueError(f"distances {tuple(x.shape)} and {tuple(held_out.shape)}: give (B,) and (M,), one or more")
    return x.detach().cpu().double(), held_out.detach().cpu().double()


@torch.no_grad()
def encoder_distance(model: Any, x: Tensor, batch: int = 1000) -> Tensor:
    """The norm of what a round trip through encoder and decoder changes: (B, C, H, W) in [0, 1] -> (B,)."""
    return torch.cat([_norm(part - model.decode(model.encode(part))) for part in x.split(batch)])


def optimised_distance(
    model: Any, x: Tensor, *, steps: int = 200, lr: float = 0.05, starts: int = 3, seed: int = 0, batch: int = 500
) -> Tensor:
    """The least distance found by descending over the code with Adam: (B, C, H, W) in [0, 1] -> (B,).

    starts: from how many codes; the first is the encoder's, so that the result is at most `encoder_distance`, the
    others are drawn from the prior, the same for any image. A model without an encoder starts from the prior alone.
    An image does not depend on the others. Raises ValueError without a step or a start.
    """
    if min(steps, starts) < 1 or lr <= 0:
        raise ValueError(f"steps {steps}, starts {starts}, lr {lr}: give at least one of each, and a rate over 0")
    encodes = hasattr(model, "encode")
    prior = Noise(child(seed, "start", n) for n in range(starts - encodes)).randn(*model.code_shape).to(x.device)
    found = []
    for part in x.split(batch):
        with torch.no_grad():
            codes = [*([model.encode(part)] if encodes else []), *(z.expand(len(part), -1) for z in prior)]
        z = torch.stack(codes, 1).flatten(0, 1).clone().requires_grad_()  # (B * starts, z), those of an image together
        target, best = part.repeat_interleave(starts, 0), torch.full((len(z),), torch.inf, device=x.device)
        adam = torch.optim.Adam([z], lr)
        for step in range(steps + 1):
            with torch.set_grad_enabled(step < steps):
                distance = _norm(model.decode(z) - target)
            best = torch.minimum(best, distance.detach())
            if step < steps:
                adam.zero_grad()
                (distance.square().sum() / 2).backward(inputs=[z])
                adam.step()
        found.append(best.view(len(part), starts).amin(1))
    return torch.cat(found)


def _norm(difference: Tensor) -> Tensor:
    return difference.flatten(1).norm(dim=1)


BLUR = 1.0  # pixels: lines that lie this near to each other count as the same line
SHIFT = 2  # pixels, in each direction


def mean_picture_power(x: Tensor) -> Tensor:
    """The share of a blurred set's power that its mean explains: (B, C, H, W) -> (B,), whose mean is the share.

    The share |mean|^2 / mean |x|^2 is 1 if all images are equal and 1 / B if no two overlap; one image contributes its
    product with the mean over the mean power. A set that is all black is one picture: 1. Digits have some 0.55.
    """
    reach = round(3 * BLUR)
    weights = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * BLUR**2))
    weights = weights / weights.sum()
    across = conv2d(as_float(x).mean(1)[:, None], weights.view(1, 1, 1, -1), padding=(0, reach))
    flat = conv2d(across, weights.view(1, 1, -1, 1), padding=(reach, 0)).flatten(1).double()
    power = flat.square().sum(1).mean()
    return (flat @ flat.mean(0) / power).float() if power > 0 else torch.ones(len(x))


def originals(x: Tensor, shift: int = SHIFT) -> Tensor:
    """Which images are no copies of one before them: (B, C, H, W) -> (B,), 1 or 0.

    A copy lies within SAME of an earlier image that is moved by up to `shift` pixels either way. Takes B squared
    products for each move: a thousand images take a second or two.
    """
    plain = as_float(x).mean(1)
    height, width = plain.shape[1:]
    flat = plain.flatten(1)
    norms, nearest = flat.square().sum(1), torch.full((len(x), len(x)), torch.inf)
    wide = pad(plain, (shift,) * 4)
    for down in range(2 * shift + 1):
        for across in range(2 * shift + 1):
            moved = wide[:, down : down + height, across : across + width].flatten(1)
            squared = torch.addmm(norms[:, None] + moved.square().sum(1), flat, moved.T, alpha=-2)
            nearest = torch.minimum(nearest, squared)
    copies = (nearest < SAME**2 * flat.shape[1]).tril(-1)
    return 1 - copies.any(1).float()


def parzen_log_likelihood(x: Tensor, reference: Tensor, sigma: float = 0.23) -> Tensor:
    """Log of the mean of Gaussian densities around images x, at each image of the reference, in nats.

    (B, C, H, W), (N, C, H, W), float in [0, 1] or uint8 -> (N,), float64. A mean over the reference scores a set; at
    most -d log(sigma sqrt(2 pi)) for d values an image, 432 at 28x28. sigma: by default that of the study of 2017.
    The usual score of generators in 2011-2015, after Breuleux, Bengio & Vincent (2011), Quickly generating
    representative samples; the out-of-class study of 2017 found that it prefers models of the training classes. In many
    dimensions it says little (Theis, van den Oord & Bethge, 2016).
    Raises ValueError for an empty set, images that differ in shape, or a width that is not over 0.
    """
    if x.shape[1:] != reference.shape[1:] or not len(x):
        raise ValueError(f"images {tuple(x.shape)} and {tuple(reference.shape)}: give some of one shape")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}: give a width over 0")
    centres = as_float(x).flatten(1).double()
    constant = math.log(len(x)) + centres.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    parts = (as_float(part).flatten(1).double() for part in reference.split(1000))
    exponents = (squared_distances(part, centres) / (-2 * sigma**2) for part in parts)
    return torch.cat([exponent.logsumexp(1) for exponent in exponents]) - constant
