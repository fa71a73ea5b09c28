"""The tab "Is it new?": a symbol, and what a classifier and the data say of it."""

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image
from pydantic import model_validator
from torch import Tensor
from typing_extensions import Self

from .. import data, hub, index
from ..config import DIGITS
from ..metrics import PER_IMAGE, nearest
from ..metrics.classifier import normalised_entropy
from ..metrics.image import as_float, resized
from ..presets import CLOTHES
from ..samplers import last, to_bytes
from .iterations import COLUMNS, RunIndex
from .server import Message, Request, Seed, action, figure, from_base64, loaded, names_of, pixels, read_index, rounded

TAB = "Is it new?"
LAST_SEED = 2**32 - 1
SIDE = 28  # pixels of a symbol that is classified
KINDS = {"mnist": "digits", "fashion": "clothes"}  # the built-in samples, and what they show
NEAREST, LIKELIEST, CHUNK = 5, 3, 50  # images and classes that are named; images measured at once
RARE, SELDOM = 0.01, 0.05  # shares of real images that are so far out: unlike all of them; at their edge
END, BINS = 0.5, 50  # of the scale of distances
SURE = 0.9  # the probability of the likeliest class, from which on a classifier is said to be sure
MEASURES = {"ink": "ink", "edge_length": "edge length", "components": "pieces", "holes": "holes"}
FIRST = ["judge-digits", "judge-letters", "judge-digits-letters", "judge-fashion"]


class NoveltyRequest(Request):
    """A picture, 28x28 bytes of light in base64; or the seed of a symbol of the run shown first."""

    image: str | None = None
    seed: Seed | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.image is None) == (self.seed is None):
            raise ValueError("there is a picture to judge or a seed to grow one from: give one of them")
        return self


def report(source: str | Path, request: NoveltyRequest) -> Message:
    """All that is known of a symbol. Raises ValueError, one sentence, for what is no picture or cannot be grown."""
    x, caption = (read(request.image), None) if request.image is not None else grow(source, request.seed or 0)
    return {"light": pixels(x), "caption": caption, **novelty_report(source, x)}


def read(image: str) -> Tensor:
    """A picture as it comes from the browser: (1, 1, 28, 28) in [0, 1]. Raises ValueError for anything else."""
    light = from_base64(image)
    if len(light) != SIDE * SIDE:
        raise ValueError(f"the picture is not readable: give {SIDE}x{SIDE} bytes in base64")
    if not any(light):
        raise ValueError("the picture is blank: draw something")
    return sample("mnist").images.new_tensor(list(light)).view(1, 1, SIDE, SIDE) / 255


def grow(source: str | Path, seed: int) -> tuple[Tensor, str]:
    """A symbol of the last iteration of the run that is shown first, as classifiers see it, and what it is.

    Raises ValueError if there is no run.
    """
    runs = RunIndex(source)
    name, iteration = runs.latest()
    symbol = last(runs.run(name, iteration).states([seed]))
    grey = resized(to_bytes(symbol.mean(1, keepdim=True)), SIDE)
    return as_float(grey), f"{name}, iteration {iteration}, seed {seed}"


def first_page(source: str | Path) -> Message | None:
    """What there is to see before anything is classified: a symbol of the run shown first. None without classifiers."""
    if not classifiers(source):
        return None
    try:
        name, iteration = RunIndex(source).latest()
        example = first_symbol(source, name, iteration)
    except ValueError:
        name, iteration, example = None, 0, None
    return {"example": example, "run": name, "iteration": iteration, "last": LAST_SEED}


def first_symbol(source: str | Path, name: str, iteration: int) -> Message | None:
    """The symbol of seed 0, out of the sheet of an iteration; nothing without a sheet."""
    _, entry = index.choose(read_index(source), name, iteration)
    if "samples" not in entry:
        return None
    with Image.open(index.fetch(source, entry["samples"])) as sheet:
        side = sheet.width // COLUMNS
        planes = sheet.crop((0, 0, side, side)).split()
    light = base64.b64encode(b"".join(plane.tobytes() for plane in planes[:3])).decode()
    of = f"{name}, iteration {iteration}, seed 0"
    return {"light": light, "side": side, "channels": len(planes[:3]), "caption": of}


def warm(source: str | Path) -> None:
    """Classify something for nobody, so that no visitor waits for the samples or the classifiers."""
    if classifiers(source):
        novelty_report(source, sample("mnist").images[:1])


def tab(source: str | Path, first: Message) -> None:
    """Is it new? Any symbol: drawn, uploaded, grown, or sent from another tab. first: as `first_page` gives it."""
    own = figure("novel", first, triggers=["ask"])
    action(own, "ask", "that-are-not-verdict", NoveltyRequest, partial(report, source))


@dataclass(frozen=True, eq=False)
class Sample:
    """Real images that are known. own: how far each is from the nearest other, rising."""

    images: Tensor  # float (N, 1, 28, 28) in [0, 1]
    names: list[str]
    own: list[float]


def novelty_report(source: str | Path, x: Tensor) -> Message:
    """Of a symbol (1, 1, 28, 28) in [0, 1]: what it is near to, what the classifiers take it for, how complex it is."""
    near = [neighbours(x, name) for name in KINDS]
    predictions = [found for name in classifiers(source) if (found := predicted(source, name, x))]
    title, says = verdict(near)
    return {
        "title": title,
        "says": [*says, *([summary(predictions)] if predictions else [])],
        "known": near,
        "judges": predictions,
        "measures": [among(x, key) for key in MEASURES],
    }


# ---- what is near


@lru_cache(maxsize=len(KINDS))
def sample(name: str) -> Sample:
    """A built-in sample, 1,000 training images. A distance within it is that of a real image from all others."""
    known = data.load(f"sample:{name}")
    images, classes = as_float(known.images), {"mnist": DIGITS, "fashion": CLOTHES}[name]
    named = [] if known.labels is None else [classes[label] for label in known.labels.tolist()]
    return Sample(images, named, sorted(nearest(images, images, 2)[0][:, 1].tolist()))  # the first is itself


def neighbours(x: Tensor, name: str) -> Message:
    """The nearest images of a sample; how far they are; which share of real images is as far from its nearest."""
    known = sample(name)
    distances, rows = (found[0] for found in nearest(x, known.images, NEAREST))
    far = distances[0].item()
    return {
        "kind": KINDS[name],
        "images": len(known.own),
        "light": pixels(known.images[rows]),
        "names": [known.names[row] for row in rows.tolist()],
        "distances": [rounded(distance) for distance in distances.tolist()],
        "share": (len(known.own) - bisect_left(known.own, far)) / len(known.own),
        "counts": histogram(known.own),
        "end": END,
        "usual": rounded(known.own[len(known.own) // 2]),
        "most": rounded(known.own[-1]),
    }


def histogram(values: Sequence[float]) -> list[int]:
    """How many of rising values lie in each of BINS steps from 0 to END; what is beyond counts in the last."""
    edges = [bisect_left(values, END * step / BINS) for step in range(BINS)]
    return [after - before for before, after in zip(edges, [*edges[1:], len(values)], strict=True)]


def verdict(near: Sequence[Message]) -> tuple[str, list[str]]:
    """The verdict in a few words, and its reasons in sentences. near: what `neighbours` tells of each sample."""
    home = max(near, key=lambda known: known["share"])
    says = [_rarity(near)]
    if not home["distances"][0]:
        return "Not new: a copy", [f"It is in the sample, a copy of this {home['names'][0]}.", *says]
    if home["share"] >= SELDOM:
        return f"Not new: it is like the {home['kind']}", says
    if home["share"] < RARE:
        return "New, by this measure", says
    edge, beyond = ([known["kind"] for known in near if (known["share"] < RARE) is out] for out in (False, True))
    first = f"Unlike the {' and the '.join(beyond)}, at" if beyond else "At"
    return f"{first} the edge of the {' and the '.join(edge)}", says


def _rarity(near: Sequence[Message]) -> str:
    shares = [_percent(known["share"]) if known["share"] else "none" for known in near]
    parts = [f"{share} of the real {known['kind']}" for share, known in zip(shares, near, strict=True)]
    says = f"{' and '.join(parts)} are this far from their nearest."
    return says[0].upper() + says[1:]


# ---- what the classifiers say


def classifiers(source: str | Path) -> list[str]:
    """The classifiers in a tree of checkpoints, those of the presets first."""
    return names_of(source, "judge", FIRST)


def predicted(source: str | Path, name: str, x: Tensor) -> Message | None:
    """What a classifier takes a symbol for; None if it is one of other pictures. entropy: 0 (sure) to 1 (no idea)."""
    listed, classifier = read_index(source), loaded(hub.load_classifier, source, name)
    if classifier.image_shape != (1, SIDE, SIDE):
        return None
    p = classifier.probabilities(x)
    likeliest = p[0].topk(min(LIKELIEST, p.shape[1]))
    names = [classifier.config.classes[k] for k in likeliest.indices.tolist()]
    return {
        "title": listed["experiments"][name]["title"],
        "of": p.shape[1],
        "accuracy": index.choose(listed, name)[1].get("metrics", {}).get("accuracy"),
        "likeliest": [[name, rounded(share)] for name, share in zip(names, likeliest.values.tolist(), strict=True)],
        "entropy": rounded(normalised_entropy(p).item()),
    }


def summary(predictions: Sequence[Message]) -> str:
    """What all classifiers say, those that are sure first."""
    sure, others = ([it for it in predictions if (it["likeliest"][0][1] >= SURE) is which] for which in (True, False))
    says = [f"The judge of {it['title'].lower()} is sure: {_named(it)}." for it in sure]
    if others:
        who = ("The others are" if len(others) > 1 else "The other is") + " not sure" if sure else "No judge is sure"
        likest = [f"of {it['title'].lower()} {_named(it)}" for it in others]
        says.append(f"{who} what it is: to the judge {', '.join(likest)}.")
    return " ".join(says)


def _named(prediction: Message) -> str:
    name, share = prediction["likeliest"][0]
    return f"{name} ({_percent(share)})"


# ---- how complex it is


@lru_cache(maxsize=len(MEASURES))
def usual(key: str) -> list[float]:
    """A measure of every digit of the sample, rising."""
    parts = sample("mnist").images.split(CHUNK)
    return sorted(value for part in parts for value in PER_IMAGE[key](part).tolist())


def among(x: Tensor, key: str) -> Message:
    """A measure of a symbol, and where it lies among digits: from the least to the most, and within 9 of 10."""
    value, digits = PER_IMAGE[key](x).item(), usual(key)
    within = [digits[round(share * (len(digits) - 1))] for share in (SELDOM, 0.5, 1 - SELDOM)]
    return {
        "name": MEASURES[key],
        "value": rounded(value),
        "within": [rounded(edge) for edge in within],
        "span": [rounded(digits[0]), rounded(digits[-1])],
        "says": _placed(bisect_left(digits, value) / len(digits), bisect_right(digits, value) / len(digits)),
    }


def _placed(less: float, most: float) -> str:
    """less, most: which shares of digits have less of something, and at most as much."""
    if less > 1 - SELDOM:
        return "more than any digit" if less == 1 else f"more than {_percent(less)} of digits"
    if most < SELDOM:
        return "less than any digit" if most == 0 else f"less than {_percent(1 - most)} of digits"
    return "as digits have"


def _percent(share: float) -> str:
    """Never 100 % of what is not all, nor 0 % of what is not none."""
    digits = 1 if 0.99 < share < 1 or 0 < share < 0.01 else 0
    return f"{100 * share:.{digits}f} %"
