"""Novelty search over what a model has learned: codes evolve away from all that was found (Lehman & Stanley, 2011).

Nothing is asked of a picture but to be unlike the others, as seen by a judge or by the model's own code, and, as a
quality gate, to be good enough. What is most unlike is kept in an archive, so that the search cannot come back to it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..seeds import Noise, child

Measure = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Search:
    """How the search goes.

    population: codes per generation; the more novel half have a child each. added: how many enter the archive in each.
    neighbours: novelty is the mean distance to so many nearest. spread: of the mutation, normal.
    least, most: the gate: the quality that a picture must have to enter the archive, or to have children before others.
    seed: of the mutations.
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
    """What was found: codes (A, ...), features (A, d), and in which generation each entered, (A,), from 0."""

    codes: Tensor
    features: Tensor
    entered: Tensor

    def __len__(self) -> int:
        return len(self.codes)

    def plus(self, codes: Tensor, features: Tensor, generation: int) -> "Archive":
        """The archive with more in it."""
        entered = torch.full((len(codes),), generation)
        return Archive(*map(torch.cat, ((self.codes, codes), (self.features, features), (self.entered, entered))))


@dataclass(frozen=True, eq=False)
class Generation:
    """The codes (P, ...) of a generation, their features (P, d), novelty (P,), and whether each passed the gate, (P,).

    The archive is as it was after the generation.
    """

    number: int
    codes: Tensor
    features: Tensor
    novelty: Tensor
    accepted: Tensor
    archive: Archive


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

    decode: codes -> images; features: images -> (P, d), as a judge's; quality: images -> (P,), for the gate.
    known: features (M, d) of images that are not new, as of the data: they count as neighbours, and are never archived.
    Raises ValueError unless there are as many codes as the population says.
    """
    how = how or Search(population=len(codes))
    if len(codes) != how.population or len(codes) < 2:
        raise ValueError(f"{len(codes)} codes for a population of {how.population}: give as many, two or more")
    return _generations(codes, decode, features, quality or _any, how, known)


def first_codes(shape: tuple[int, ...], how: Search) -> Tensor:
    """A first generation from the prior: (P, *shape), standard normal."""
    return Noise(child(how.seed, "first", place) for place in range(how.population)).randn(*shape)


def novelty(x: Tensor, others: Tensor, neighbours: int, *, among: bool = False) -> Tensor:
    """The mean distance to the nearest of the others: (P, d), (M, d) -> (P,). Of fewer, to all; of none, infinite.

    among: the first P of the others are x itself, and nobody is his own neighbour.
    """
    distance = torch.cdist(x.double(), others.double(), compute_mode="donot_use_mm_for_euclid_dist")
    if among:
        distance.fill_diagonal_(torch.inf)  # of the first P columns
    k = min(neighbours, len(others) - among)
    return distance.topk(k, largest=False).values.mean(1).float() if k else torch.full((len(x),), torch.inf)


def growth(archive: Archive, generations: int) -> list[int]:
    """How many the archive held after each generation."""
    return [int((archive.entered <= number).sum()) for number in range(generations)]


def picture(archive: Archive, decode: Measure, columns: int) -> Tensor:
    """The archive as it grew, for `plot.grid` of so many columns: a row per generation, empty cells black.

    The newest of a generation that fit, (rows * columns, C, H, W). Raises ValueError for an empty archive.
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
def _generations(
    codes: Tensor, decode: Measure, features: Measure, quality: Measure, how: Search, known: Tensor | None
) -> Iterator[Generation]:
    archive = Archive(codes[:0], torch.empty(0, 0), torch.empty(0, dtype=torch.long))
    generation = _looked_at(0, codes, decode, features, quality, how, archive, known)
    while True:
        yield generation
        number = generation.number + 1
        codes = _next(generation, how)
        generation = _looked_at(number, codes, decode, features, quality, how, generation.archive, known)


def _looked_at(
    number: int,
    codes: Tensor,
    decode: Measure,
    features: Measure,
    quality: Measure,
    how: Search,
    archive: Archive,
    known: Tensor | None,
) -> Generation:
    images = decode(codes)
    seen, worth = features(images).flatten(1), quality(images)
    if not len(archive):
        archive = replace(archive, features=seen[:0])
    others = torch.cat([seen, archive.features, *([known.to(seen)] if known is not None else [])])
    scores = novelty(seen, others, how.neighbours, among=True).to(seen.device)
    accepted = (how.least <= worth) & (worth <= how.most)
    order = scores.masked_fill(~accepted, -torch.inf).argsort(descending=True, stable=True)
    best = order[: min(how.added, int(accepted.sum()))]
    return Generation(number, codes, seen, scores, accepted, archive.plus(codes[best], seen[best], number))


def _next(generation: Generation, how: Search) -> Tensor:
    """The more novel half, those that passed the gate first, and a mutated child of each."""
    rank = generation.novelty + generation.accepted * (generation.novelty.max() + 1)
    parents = generation.codes[rank.argsort(descending=True, stable=True)[: -(-how.population // 2)]]
    seeds = [child(how.seed, "mutation", generation.number, place) for place in range(len(parents))]
    born = parents + how.spread * Noise(seeds).randn(*parents.shape[1:]).to(parents)
    return torch.cat([parents, born])[: how.population]


def _any(images: Tensor) -> Tensor:
    return images.new_zeros(len(images))
