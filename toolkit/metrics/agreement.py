"""What annotators agree on: the label an image has, the share of each label, Fleiss' kappa.

As in Table 1 of "Toward a neuro-inspired creative decoder": an image has the label that at least three annotators gave
it, and a scheme is described by the shares of the labels over its images that have one. With nine annotators and four
labels some label always has three, and two or three of them may: what becomes of ties is therefore said, and counted.
Votes are (N, L): how many annotators gave image n the label l. Labels count from 0 here.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ..config import choose

LEAST = 3  # annotators who agree, as published
TIES = ("drop", "multi")


def tally(ratings: Iterable[tuple[int, int]], images: int, labels: int = 4) -> Tensor:
    """Ratings, each (image, label) -> votes (images, labels), int64. Raises IndexError for what is not there."""
    votes = torch.zeros(images, labels, dtype=torch.int64)
    for image, label in ratings:
        if min(image, label) < 0:
            raise IndexError(f"image {image}, label {label}: both count from 0")
        votes[image, label] += 1
    return votes


def consensus(votes: Tensor, least: int = LEAST, ties: str = "drop") -> Tensor:
    """Which labels an image has: votes (N, L) -> (N, L) bool.

    ties: "drop" gives an image its most frequent label if at least `least` gave it and no other label is as frequent,
    and no label otherwise; "multi" gives it every label that at least `least` gave. Raises ValueError for another way.
    """
    choose("ties", ties, TIES)
    if least < 1:
        raise ValueError(f"a label that {least} annotators gave: it takes at least one")
    enough = votes >= least
    return enough if ties == "multi" else enough & _most(votes) & ~tied(votes, least)[:, None]


def tied(votes: Tensor, least: int = LEAST) -> Tensor:
    """Which images have two most frequent labels or more, each given by at least `least`: (N, L) -> (N,) bool."""
    return (votes.amax(1) >= least) & (_most(votes).sum(1) > 1)


def shares(counts: Tensor) -> Tensor:
    """The share of each label, (N, L) -> (L,), adding up to 1; NaN if there is none.

    counts: what `consensus` says, or votes. An image with two labels ("multi") counts twice.
    """
    total = counts.sum(0).double()
    return total / total.sum()


def fleiss_kappa(votes: Tensor) -> float:
    """Agreement beyond chance: 1 is all, 0 what chance gives. votes: (N, L).

    Images may have different numbers of ratings, as in Gwet (2014), Handbook of inter-rater reliability, chapter 2:
    agreement is the share of equal pairs of ratings of an image, averaged over the images with at least two; chance
    comes from the share of each label within an image, averaged over the images with at least one. With equally many
    ratings this is the formula of Fleiss (1971). NaN if no image has two ratings, or all ratings are the same label.
    """
    votes = votes[votes.sum(1) > 0].double()
    raters = votes.sum(1)
    paired = raters > 1
    if not paired.any():
        return math.nan
    equal = (votes * (votes - 1)).sum(1)[paired] / (raters * (raters - 1))[paired]
    chance = (votes / raters[:, None]).mean(0).square().sum().item()
    return (equal.mean().item() - chance) / (1 - chance) if chance < 1 - 1e-9 else math.nan


def summary(votes: Tensor, least: int = LEAST, ties: str = "drop") -> dict[str, Any]:
    """One row of the table: votes (N, L) -> plain values, NaN where there is nothing to divide by.

    images: N; consensus: those with a label; tied: those dropped for a tie; short: those without a label that `least`
    gave; shares: of each label, over the consensus; raw: the same over all ratings; kappa.
    """
    has = consensus(votes, least, ties)
    return {
        "images": len(votes),
        "consensus": int(has.any(1).sum()),
        "tied": int((tied(votes, least) & ~has.any(1)).sum()),
        "short": int((votes.amax(1) < least).sum()),
        "shares": shares(has).tolist(),
        "raw": shares(votes).tolist(),
        "kappa": fleiss_kappa(votes),
    }


def _most(votes: Tensor) -> Tensor:
    """Which labels are as frequent as any: (N, L) -> (N, L) bool."""
    return votes == votes.amax(1, keepdim=True)
