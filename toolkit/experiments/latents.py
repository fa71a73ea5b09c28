"""Latent spaces: how far images move along a path, and how well a plane tells classes, in a StyleGAN and a DCGAN.

Both measures depend on how good images are: where all are one image, paths are short. So the StyleGAN is also measured
at the truncation at which the classifier is sure of as many of its images as of the DCGAN's.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from tqdm import tqdm

from .. import data, hub
from ..cli import arg, check_out, command
from ..diverge import fitted
from ..index import to_json, write_atomic
from ..metrics.latent import (
    linear_predictions,
    path_lengths,
    separability,
    separability_interval,
    slerp,
    trimmed,
)
from ..metrics.stats import Interval, interval
from ..models import Judge, StyleGAN
from ..plot import markdown_table
from ..seeds import Noise, child
from .common import number

SURE = 0.95  # the probability from which on the classifier is sure of an image's class
PSIS = tuple(round(0.05 * step, 2) for step in range(8, 31))  # tried, from 0.4 to 1.5
BATCH = 250  # images at once


@dataclass(frozen=True)
class Subject:
    """A data set with its classifier, and the two generators that learned it."""

    title: str
    data: str
    judge: str
    gan: str
    stylegan: str


SUBJECTS = (
    Subject("Digits", "mnist", "judge-digits", "gan-mnist", "stylegan-mnist"),
    Subject("Clothes", "fashion", "judge-fashion", "gan-fashion", "stylegan-fashion"),
)


@dataclass(frozen=True)
class Space:
    """A latent space of a generator: "z", or of a StyleGAN also "w", at a truncation."""

    model: Any
    name: str = "z"
    psi: float = 1.0

    def latents(self, codes: Tensor) -> Tensor:
        """Codes (B, code) -> points of this space, (B, d)."""
        if self.name == "w":
            return self.model.styles(codes, self.psi)[:, 0]
        return codes[:, : self.model.config.z]

    def draw(self, latents: Tensor, codes: Tensor) -> Tensor:
        """Images of points (B, d), with the noise of codes (B, code): (B, C, H, W) in [0, 1]."""
        if not isinstance(self.model, StyleGAN):
            return self.model.decode(latents)
        layers, noise = len(self.model.sides), codes[:, self.model.config.z :]
        styles = latents[:, None].expand(-1, layers, -1) if self.name == "w" else self.model.styles(latents, self.psi)
        return self.model.draw(styles, noise)


def codes(model: Any, purpose: str, count: int) -> Iterator[Tensor]:
    """Codes from the prior, (B, code), in batches, the same for every truncation and space of a model."""
    for first in range(0, count, BATCH):
        noise = Noise(child(0, "latents", purpose, number) for number in range(first, min(count, first + BATCH)))
        yield noise.randn(*model.code_shape).to(next(model.parameters()).device)


@torch.no_grad()
def confidences(space: Space, judge: Judge, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of images: their latents (N, d), the classifier's probability of the likeliest class, and that class, (N,)."""
    found = []
    for code in codes(space.model, "images", count):
        latents = space.latents(code)
        sure, label = judge.probabilities(fitted(space.draw(latents, code), judge.image_shape)).max(1)
        found.append((latents, sure, label))
    latents, sure, label = map(torch.cat, zip(*found, strict=True))
    return latents, sure, label


def share(sure: Tensor) -> Interval:
    """The share of images that the classifier is sure of, with its interval."""
    return interval((sure >= SURE).double().tolist())


def path_length(space: Space, judge: Judge, count: int) -> Interval:
    """The perceptual path length in a space, over so many paths."""

    def features(x: Tensor) -> Tensor:
        return judge.features(fitted(x, judge.image_shape))

    lengths = []
    pairs = zip(codes(space.model, "start", count), codes(space.model, "end", count), strict=True)
    places = torch.rand(count, generator=torch.Generator().manual_seed(child(0, "latents", "t"))).split(BATCH)
    for (a, b), t in zip(pairs, places, strict=True):
        ends, between = (space.latents(a), space.latents(b)), torch.lerp if space.name == "w" else slerp
        draw = partial(space.draw, codes=a)  # the same noise along a path
        lengths.append(path_lengths(draw, features, *ends, t.to(a.device), between))
    return interval(trimmed(torch.cat(lengths).double()).tolist())


def measured(space: Space, judge: Judge, images: int, paths: int) -> dict[str, Any]:
    """All numbers of a space. For separability half of the images count, those that the classifier is surest of."""
    latents, sure, labels = confidences(space, judge, images)
    surest = sure.argsort(descending=True, stable=True)[: images // 2].sort().values
    attributes = one_hot(labels[surest], len(judge.config.classes)).bool()
    predictions = linear_predictions(latents[surest], attributes)
    low, high = separability_interval(predictions, attributes[1::2])
    return {
        "space": space.name,
        "psi": space.psi,
        "sure": share(sure),
        "path_length": path_length(space, judge, paths),
        "separability": Interval(
            mean=separability(predictions, attributes[1::2]), low=low, high=high, n=len(predictions)
        ),
        "separability_without_latents": separability(torch.zeros_like(predictions), attributes[1::2]),
    }


def equal_psi(model: StyleGAN, judge: Judge, wanted: float, images: int) -> float:
    """Of PSIS, the truncation at which the classifier is sure of the share of images that is nearest to one wanted."""
    shares = {psi: share(confidences(Space(model, psi=psi), judge, images)[1])["mean"] for psi in PSIS}
    return min(shares, key=lambda psi: (abs(shares[psi] - wanted), abs(psi - 1)))


def study(source: str, subject: Subject, real: Tensor, images: int, paths: int, quiet: bool) -> dict[str, Any]:
    """The numbers of one subject. real: unseen images, uint8 (N, C, H, W)."""
    judge = hub.load_classifier(source, subject.judge)
    gan, stylegan = (hub.load(source, name) for name in (subject.gan, subject.stylegan))
    if not isinstance(stylegan, StyleGAN):
        raise ValueError(f"{subject.stylegan} of {source} is no StyleGAN: train it again")
    with torch.no_grad():
        unseen = judge.probabilities(fitted(real.float() / 255, judge.image_shape)).amax(1)
    wanted = share(confidences(Space(gan), judge, images)[1])["mean"]
    psi = equal_psi(stylegan, judge, wanted, min(images, 1000))
    spaces = {subject.gan: [Space(gan)], subject.stylegan: [
        Space(stylegan, name, at) for at in dict.fromkeys((1.0, psi)) for name in "zw"
    ]}  # fmt: skip
    bar = tqdm([(name, space) for name, own in spaces.items() for space in own], subject.title, disable=quiet)
    return {
        "title": subject.title,
        "judge": subject.judge,
        "unseen": share(unseen),
        "spaces": [{"model": name, **measured(space, judge, images, paths)} for name, space in bar],
    }


@command(
    "latents",
    """examples:
  python -m toolkit latents --out latents.json                 minutes; unseen images are read or downloaded
  python -m toolkit latents --images 400 --paths 200 --sample --out latents.json     a quick look""",
    arg("--from"),
    arg("--root"),
    arg("--images", type=int, default=4000, help="of each generator (default: 4000)"),
    arg("--paths", type=int, default=2000, help="between two latents (default: 2000)"),
    arg("--sample", action="store_true", help="the built-in samples in place of unseen images"),
    arg("--out", required=True, help="latents.json"),
    arg("--json"),
)
def latents(args: argparse.Namespace) -> object:
    """Measure latent spaces, a StyleGAN's beside a DCGAN's: perceptual path length and linear separability."""
    check_out(args.out, [".json"])
    if args.images < 40 or args.paths < 2:
        raise ValueError(f"--images {args.images}, --paths {args.paths}: give at least 40 and 2")
    found = []
    for subject in SUBJECTS:
        name, split = (f"sample:{subject.data}", "train") if args.sample else (subject.data, "test")
        real = data.load(name, root=args.root, split=split, limit=args.images).images
        found.append(study(args.source, subject, real, args.images, args.paths, args.json))
    result = {"sure": SURE, "images": args.images, "paths": args.paths, "subjects": found}
    write_atomic(args.out, to_json(result))
    return result if args.json else table(result)


def table(found: Mapping[str, Any]) -> str:
    """The study as markdown, a row for each space."""
    rows: list[Sequence[str]] = []
    for own in found["subjects"]:
        title = own["title"]
        rows.append([title, "unseen images", "", number(own["unseen"]), "", ""])
        for it in own["spaces"]:
            by_plane = it["separability"]
            rows.append([
                title, f"`{it['model']}`, {it['space']}", f"{it['psi']:g}", number(it["sure"]),
                number(it["path_length"]), "{mean:.2f} [{low:.2f}, {high:.2f}]".format_map(by_plane),
            ])  # fmt: skip
    head = ["data", "images of, latents", "psi", "judge is sure", "path length", "separability"]
    return markdown_table(head, rows, left=2)
