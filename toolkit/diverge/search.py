"""Methods that leave a trained model as it is: novelty search over its codes, and chaining models.

Novelty search (Lehman & Stanley, 2011): codes evolve away from all that was found. The only goal is to be unlike other
images, in the features of a classifier or of the model's own code, with a quality gate if wanted. The most novel enter
an archive, so that the search does not come back to them. Chaining: the output of one model is the input of the next.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..samplers.generate import generates
from ..seeds import Noise, child

Measure = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Search:
    """Settings of a novelty search.

    population: codes per generation; the more novel half have a child each. added: archived per generation.
    neighbours: novelty is the mean distance to so many nearest. spread: standard deviation of a mutation.
    least, most: the gate: the quality an image needs to enter the archive, or to have children before others.
    seed: of the first generation and the mutations.
    """

    population: int = 64
    added: int = 3
    neighbours: int = 10
    spread: float = 0.3
    least: float = -math.inf
    most: float = math.inf
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.population, self.added, self.neighbours) < 1 or self.population < 2:
            raise ValueError("population is at least 2, added and neighbours at least 1: give larger numbers")
        if not 0 <= self.spread < math.inf or not self.least <= self.most:
            raise ValueError(f"spread {self.spread}, gate {self.least} to {self.most}: give 0 or more, a rising gate")


@dataclass(frozen=True, eq=False)
class Archive:
    """What was found: codes (A, ...), features (A, d), and the generation in which each entered, (A,), from 0."""

    codes: Tensor
    features: Tensor
    entered: Tensor

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class Generation:
    """The codes (P, ...) of a generation, their features (P, d), novelty (P,), and whether each passed the gate, (P,).

    archive: with what entered it in this generation.
    """

    number: int
    codes: Tensor
    features: Tensor
    novelty: Tensor
    accepted: Tensor
    archive: Archive


@torch.no_grad()
def novelty_search(
    codes: Tensor,
    decode: Measure,
    features: Measure,
    quality: Measure | None = None,
    how: Search | None = None,
    *,
    known: Tensor | None = None,
) -> Iterator[Generation]:
    """Generations of codes without end, the first being the codes given, (P, ...).

    decode: codes -> images; features: images -> (P, d), as a classifier's; quality: images -> (P,), for the gate, 0
    without one. known: features (M, d) of images that are not new, as of the data: they count as neighbours, and are
    never archived. Raises ValueError unless there are as many codes as the population.
    """
    how = how or Search(population=len(codes))
    if len(codes) != how.population or len(codes) < 2:
        raise ValueError(f"{len(codes)} codes for a population of {how.population}: give as many, two or more")
    archive = None
    for number in count():
        images = decode(codes)
        seen, worth = features(images).flatten(1), quality(images) if quality else images.new_zeros(len(images))
        if archive is None:
            archive = Archive(codes[:0], seen[:0], torch.empty(0, dtype=torch.long))
        others = torch.cat([seen, archive.features, *([known.to(seen)] if known is not None else [])])
        scores = novelty(seen, others, how.neighbours, among=True).to(seen.device)
        accepted = (how.least <= worth) & (worth <= how.most)
        order = scores.masked_fill(~accepted, -torch.inf).argsort(descending=True, stable=True)
        best = order[: min(how.added, int(accepted.sum()))]
        new = codes[best], seen[best], torch.full((len(best),), number)
        archive = Archive(*map(torch.cat, zip((archive.codes, archive.features, archive.entered), new, strict=True)))
        yield Generation(number, codes, seen, scores, accepted, archive)
        rank = scores + accepted * (scores.max() + 1)  # the more novel half stays, those that passed the gate first
        parents = codes[rank.argsort(descending=True, stable=True)[: -(-how.population // 2)]]
        noise = Noise(child(how.seed, "mutation", number, place) for place in range(len(parents)))
        children = parents + how.spread * noise.randn(*parents.shape[1:]).to(parents)
        codes = torch.cat([parents, children])[: how.population]


def first_codes(shape: tuple[int, ...], how: Search) -> Tensor:
    """A first generation from the prior: (P, *shape), standard normal."""
    return Noise(child(how.seed, "first", place) for place in range(how.population)).randn(*shape)


def novelty(x: Tensor, others: Tensor, neighbours: int, *, among: bool = False) -> Tensor:
    """The mean distance to the nearest of the others: (P, d), (M, d) -> (P,). Of fewer, to all; of none, infinite.

    among: the first P of the others are x itself, and no row is its own neighbour.
    """
    distance = torch.cdist(x.double(), others.double(), compute_mode="donot_use_mm_for_euclid_dist")
    if among:
        distance.fill_diagonal_(torch.inf)  # of the first P columns
    k = min(neighbours, len(others) - among)
    return distance.topk(k, largest=False).values.mean(1).float() if k else torch.full((len(x),), torch.inf)


def archive_grid(archive: Archive, decode: Measure, columns: int) -> Tensor:
    """The images of an archive for `plot.grid`: a row per generation, its newest that fit, empty cells black.

    (rows * columns, C, H, W). Raises ValueError for an empty archive.
    """
    if not len(archive):
        raise ValueError("the archive is empty: let the search run, or open its gate")
    images = decode(archive.codes)
    rows = images.new_zeros(int(archive.entered.max()) + 1, columns, *images.shape[1:])
    for number in range(len(rows)):
        some = images[archive.entered == number][:columns]
        rows[number, : len(some)] = some
    return rows.flatten(0, 1)


@torch.no_grad()
def chain(models: Sequence[Any], start: Noise | Tensor, *, passes: int | Sequence[int] = 1) -> Iterator[Tensor]:
    """The output of each model in turn on that of the one before: (B, C, H, W) in [0, 1], each of its own size.

    start: noise, from which the first model samples if it draws from codes, and which else are images; or images
    (B, C, H, W) in [0, 1]. passes: reconstructions by each model, one number or one per model; ignored for a model that
    samples. With 0 a model only resizes its input. Raises ValueError for no models, numbers that do not fit, or a model
    without `reconstruct` in a place where it gets images.
    """
    counts = [passes] * len(models) if isinstance(passes, int) else list(passes)
    if not models or len(counts) != len(models) or min(counts) < 0:
        raise ValueError(f"{len(models)} models, passes {passes}: give a model or more, and 0 or more passes for each")
    samples = isinstance(start, Noise) and generates(models[0])
    if astray := [type(model).__name__ for model in models[samples:] if not hasattr(model, "reconstruct")]:
        raise ValueError(f"{astray[0]} takes no pictures: let it be the first, and start from noise")
    if isinstance(start, Tensor):
        x = start
    else:
        x = models[0].sample(start) if samples else start.rand(*models[0].image_shape)
    if samples:
        yield x
    for model, passes in [*zip(models, counts, strict=True)][samples:]:
        x = fitted(x, model.image_shape).to(next(model.parameters()).device)
        for _ in range(passes):
            x = model.reconstruct(x)
        yield x


def fitted(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images (B, C, H, W) in [0, 1] resized to (C, H, W) bilinearly; of that shape, they are returned as they are.

    Colour becomes grey by its mean, grey is repeated. Raises ValueError for other numbers of channels.
    """
    channels, *size = shape
    if x.ndim != 4 or (x.shape[1] != channels and 1 not in (x.shape[1], channels)):
        raise ValueError(f"images {tuple(x.shape)} do not fit a model of {shape}: give grey ones, or as many channels")
    if x.shape[1] != channels:
        x = x.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if list(x.shape[2:]) == size:
        return x
    return interpolate(x, size, mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)
