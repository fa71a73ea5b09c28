"""Measures by distance: novelty, memorisation, reconstruction, movement and attractors, collapse of a set.

A distance is the root of the mean squared difference over pixels: 0 for a copy, 1 for black against white. Images are
(B, C, H, W), float in [0, 1] or uint8; a reference set may be tens of thousands of uint8 images.

A small distance to the nearest training image is no copy as such: simple images are near everything. What unseen images
of the same kind have for theirs is what to compare with.

The reconstruction distance D_r(x) is the least Euclidean norm, over pixels, of x - decode(z) over all codes z. A
regular sample is a decoded code, so that its exact D_r is 0, and yet the paper's table has 1.2 to 1.6 for it: what was
measured there is an approximation, most likely the round trip through the encoder. Both are here.
"""

from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ..seeds import Noise, child
from .image import as_float, squared_distances

SPARE = 16  # how many more than k are shortlisted
FEW = 50  # images whose shortlists are compared at once, in the cache


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
    found = [_nearest(part, reference, k) for part in as_float(x).split(1000)]
    return torch.cat([distances for distances, _ in found]), torch.cat([rows for _, rows in found])


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


def blank_share(x: Tensor, threshold: float = 0.5) -> float:
    """The share of images without a pixel above the threshold, 0 to 1. Raises ValueError for an empty set."""
    return (_some(x).flatten(1).amax(1) <= threshold).double().mean().item()


def unique_share(x: Tensor) -> float:
    """The share of distinct images once each value is black or white, cut at 0.5. ValueError for an empty set."""
    rows = (_some(x) > 0.5).flatten(1).numpy()
    return len({row.tobytes() for row in rows}) / len(rows)


def _nearest(x: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    rows = _shortlist(x, reference, min(k + SPARE, len(reference)))  # (B, S), ascending, so that ties go to the first
    gaps = []
    for which, part in zip(rows.split(FEW), x.split(FEW), strict=True):
        near = as_float(reference[which.flatten()]).unflatten(0, which.shape)
        gaps.append((near - part[:, None]).square_().flatten(2).mean(2).sqrt())
    distances, order = torch.cat(gaps).sort(dim=1, stable=True)
    return distances[:, :k], rows.gather(1, order[:, :k])


def _shortlist(x: Tensor, reference: Tensor, count: int, chunk: int = 5000) -> Tensor:
    """The rows of the `count` that look nearest by matrix product: (B, ...), (N, ...) -> (B, count), ascending."""
    near, rows = torch.empty(len(x), 0), torch.empty(len(x), 0, dtype=torch.long)
    flat = x.flatten(1)
    for start in range(0, len(reference), chunk):
        r = as_float(reference[start : start + chunk]).flatten(1)
        squared = torch.addmm(r.square().sum(1), flat, r.T, alpha=-2)  # without |x|^2, the same for every row
        best, at = squared.topk(min(count, len(r)), largest=False)
        near, rows = torch.cat([near, best], 1), torch.cat([rows, at + start], 1)
    return rows.gather(1, near.topk(count, largest=False).indices).sort(1).values


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


def memorised_share(x: Tensor, held_out: Tensor, quantile: float = 0.01) -> float:
    """The share of images nearer to the training set than all but that share of unseen ones. As theirs: no copying.

    x: (B,), held_out: (M,), distances to the nearest training image. Raises ValueError for none, or another quantile.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile is {quantile}: give a share from 0 to 1")
    x, held_out = _some_images(x, held_out)
    return (x < held_out.quantile(quantile)).double().mean().item()


def nearer_share(x: Tensor, held_out: Tensor) -> float:
    """How often an image is nearer to the training set than an unseen one: 0.5 if as near, 1 if all are copies.

    Over all pairs, a tie counting half. x: (B,), held_out: (M,), distances to the nearest training image.
    """
    x, held_out = _some_images(x, held_out)
    return 1 - _wins(x, held_out) / (len(x) * len(held_out))


def data_copying(x: Tensor, held_out: Tensor) -> float:
    """The same as a test: under -3 surely nearer than unseen images, over 3 surely farther out.

    Nearer are copies, and also images simpler than the real ones, blank ones above all, which `memorised_share` does
    not take for copies. The standard score of the Mann-Whitney statistic, corrected for ties; 0 if all distances are
    equal. Meehan, Chaudhuri & Dasgupta (2020), A three sample hypothesis test, with all of the space as one cell.
    """
    x, held_out = _some_images(x, held_out)
    pairs, both = len(x) * len(held_out), len(x) + len(held_out)
    ties = torch.cat([x, held_out]).unique(return_counts=True)[1].double()
    spread = pairs / 12 * (both + 1 - float((ties**3 - ties).sum()) / (both * (both - 1)))
    return (_wins(x, held_out) - pairs / 2) / sqrt(spread) if spread > 1e-9 * pairs else 0.0


def authenticity(x: Tensor, training: Tensor) -> float:
    """The share of images that are farther from their nearest training image than that one is from its own nearest.

    0 for copies. Unseen images of the same kind have a half or more, and theirs is what to compare with. Alaa et al.
    (2022), How faithful is your synthetic data? (B, C, H, W), (N, C, H, W).
    """
    if not len(x):
        raise ValueError("an empty set of images has no share of anything: give at least one image")
    distances, rows = nearest(x, training)
    between = nearest(training[rows[:, 0]], training, k=2)[0][:, 1]  # the first is the image itself
    return (distances[:, 0] > between).double().mean().item()


def _wins(x: Tensor, held_out: Tensor) -> float:
    """In how many pairs the image is farther than the unseen one; a tie counts half."""
    ordered = held_out.sort().values
    return float((torch.searchsorted(ordered, x) + torch.searchsorted(ordered, x, right=True)).sum()) / 2


def _some_images(x: Tensor, held_out: Tensor) -> tuple[Tensor, Tensor]:
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
    return torch.cat([_descend(model, part, steps, lr, starts, seed) for part in x.split(batch)])


def _descend(model: Any, x: Tensor, steps: int, lr: float, starts: int, seed: int) -> Tensor:
    z = _starts(model, x, starts, seed).requires_grad_(True)
    target = x.repeat_interleave(starts, 0)
    best = torch.full((len(z),), torch.inf, device=x.device)
    adam = torch.optim.Adam([z], lr)
    with torch.enable_grad():
        for _ in range(steps):
            distance = _norm(model.decode(z) - target)
            best = torch.minimum(best, distance.detach())
            adam.zero_grad()
            (distance.square().sum() / 2).backward(inputs=[z])
            adam.step()
    with torch.no_grad():
        best = torch.minimum(best, _norm(model.decode(z) - target))
    return best.view(len(x), starts).amin(1)


@torch.no_grad()
def _starts(model: Any, x: Tensor, count: int, seed: int) -> Tensor:
    """Codes (B * count, z), those of an image together."""
    coded = [model.encode(x)] if hasattr(model, "encode") else []
    prior = Noise(child(seed, "start", n) for n in range(count - len(coded))).randn(*model.code_shape).to(x.device)
    return torch.stack([*coded, *(z.expand(len(x), -1) for z in prior)], 1).flatten(0, 1).clone()


def _norm(difference: Tensor) -> Tensor:
    return difference.flatten(1).norm(dim=1)


STILL = 0.01  # an image stands still if a run moves it by less
SAME = 0.1  # two images closer than this are one picture; digits of different writers are 0.2 to 0.4 apart


def movement(before: Tensor, after: Tensor) -> Tensor:
    """How far each image moved: (B, C, H, W) twice -> (B,). Raises ValueError for sets that differ in shape."""
    if before.shape != after.shape:
        raise ValueError(
            f"images {tuple(before.shape)} and {tuple(after.shape)} are not one set at two times: give the same shape"
        )
    return (as_float(after) - as_float(before)).flatten(1).square().mean(1).sqrt()


def standing_still(before: Tensor, after: Tensor, tol: float = STILL) -> Tensor:
    """Which images moved by less than tol, a copy always: (B, C, H, W) twice -> bool (B,)."""
    moved = movement(before, after)
    return (moved < tol) | (moved == 0)


@torch.no_grad()
def single_linkage(x: Tensor, tol: float = SAME) -> Tensor:
    """Which picture each image is, numbered from 0 by first appearance: (B, C, H, W) -> (B,), int64.

    Two images are one picture if steps of at most tol lead from one to the other over images of the set (single
    linkage). The numbers do not depend on the order but by name. Takes B squared distances.
    """
    flat = as_float(x).flatten(1)
    near = squared_distances(flat.double(), flat.double()) <= tol**2 * flat.shape[1]
    labels = torch.arange(len(flat))
    while len(flat):
        lowest = torch.where(near, labels, len(flat)).amin(1)
        lowest = lowest[lowest]  # the neighbour's neighbour at once: a chain is short
        if torch.equal(lowest, labels):
            break
        labels = lowest
    return labels.unique(return_inverse=True)[1]


def distinct(x: Tensor, tol: float = SAME) -> int:
    """How many different pictures there are: (B, C, H, W) -> 0 to B."""
    return len(single_linkage(x, tol).unique())


def effective(x: Tensor, tol: float = SAME) -> float:
    """How many pictures there would be, were all equally frequent, as surprising: exp of the entropy of their shares.

    (B, C, H, W) -> 1 to `distinct`; 0 for an empty set.
    """
    shares = single_linkage(x, tol).bincount().double() / max(1, len(x))
    return float((-shares * shares.log()).sum().exp()) if len(x) else 0.0


def flow(before: Tensor, after: Tensor, classes: int) -> Tensor:
    """How many samples went from each class to each: labels (B,) twice -> counts (classes, classes), int64.

    Rows are the classes before, columns those after. Raises ValueError for labels outside of 0 to classes - 1.
    """
    if before.shape != after.shape:
        raise ValueError(f"{len(before)} labels before and {len(after)} after: give one per sample, twice")
    for labels in (before, after):
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(f"labels from {labels.min()} to {labels.max()} are not in 0 to {classes - 1}")
    return (before.long() * classes + after.long()).bincount(minlength=classes**2).view(classes, classes)


BLUR = 1.0  # pixels: lines that lie this near to each other count as the same line
SHIFT = 2  # pixels, in each direction


def mean_picture_power(x: Tensor) -> Tensor:
    """What the mean picture explains of the power of a blurred set: (B, C, H, W) -> (B,), whose mean is the share.

    The share |mean|^2 / mean |x|^2 is 1 if all images are equal and 1 / B if no two overlap; one image contributes its
    product with the mean picture over the mean power. A set that is all black is one picture: 1. Digits have some 0.55.
    """
    flat = _blurred(as_float(x).mean(1)).flatten(1).double()
    power = flat.square().sum(1).mean()
    return (flat @ flat.mean(0) / power).float() if power > 0 else torch.ones(len(x))


def originals(x: Tensor, same: float = SAME, shift: int = SHIFT) -> Tensor:
    """Which images are no copies of one before them: (B, C, H, W) -> (B,), 1 or 0.

    A copy lies within `same`, root mean square over pixels, of an earlier image that is moved by up to `shift` pixels
    either way. Takes B squared products for each move: a thousand images take a second or two.
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
    copies = (nearest < same**2 * flat.shape[1]).tril(-1)
    return 1 - copies.any(1).float()


def _blurred(grey: Tensor) -> Tensor:
    """Convolved with a Gaussian, the outside black: (B, H, W) -> same."""
    reach = round(3 * BLUR)
    weights = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * BLUR**2))
    weights = weights / weights.sum()
    across = conv2d(grey[:, None], weights.view(1, 1, 1, -1), padding=(0, reach))
    return conv2d(across, weights.view(1, 1, -1, 1), padding=(reach, 0))[:, 0]
