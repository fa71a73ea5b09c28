"""The tab "Is it new?": a symbol, and what a classifier and the data say of it."""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from .. import __version__, index
from ..config import checked
from ..index import of_kind
from .iterations import COLUMNS, Shelf
from .server import MODEL, Message, echo, figure, light, module, static, wire

if TYPE_CHECKING:
    from torch import Tensor

    from ..models import Judge


TAB = "Is it new?"
LETTERS = 1048  # of base64 that the bytes of a symbol take
LAST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Order:
    """What a visitor asks of: a picture, 28x28 bytes of light in base64; or a seed, of a symbol of the newest run."""

    image: str | None
    seed: int | None

    def __post_init__(self) -> None:
        if (self.image is None) == (self.seed is None):
            raise ValueError("there is a picture to judge or a seed to grow one from: give one of them")
        if self.seed is not None and not 0 <= self.seed <= LAST_SEED:
            raise ValueError(f"seed {self.seed!r:.40} is not usable: give a number from 0 to {LAST_SEED}")


def read_order(order: object) -> Order:
    """What came from the browser, which may be anything. Raises ValueError, one sentence, for what cannot be one."""
    said = order if isinstance(order, Mapping) else {}
    return Order(**checked("an order", Order, {field.name: said.get(field.name) for field in fields(Order)}))


def answer(source: str | Path, order: object) -> Message:
    """All that is known of a symbol, under the ticket of the order; or the error, one sentence."""
    message: Message = {**echo(order, "ticket"), "error": None}
    try:
        asked = read_order(order)
        x, caption = (read(asked.image), None) if asked.image is not None else grow(source, asked.seed or 0)
        return {**message, "light": light(x), "caption": caption, **told(source, x)}
    except ValueError as error:
        return {**message, "error": f"{error}."}


def read(image: str) -> "Tensor":
    """A picture as it comes from the browser: (1, 1, 28, 28) in [0, 1]. Raises ValueError for anything else."""
    try:
        data = base64.b64decode(image, validate=True) if len(image) == LETTERS else b""
    except (binascii.Error, ValueError):  # ValueError: letters beyond ASCII
        data = b""
    if len(data) != SIDE * SIDE:
        raise ValueError(f"the picture is not readable: give {SIDE}x{SIDE} bytes in base64")
    if not any(data):
        raise ValueError("the picture is blank: draw something")
    return sample("mnist").images.new_tensor(list(data)).view(1, 1, SIDE, SIDE) / 255


def grow(source: str | Path, seed: int) -> "tuple[Tensor, str]":
    """A symbol of the last iteration of the run that is shown first, as a judge sees it, and what it is.

    Raises ValueError if there is no run.
    """
    from ..metrics.image import as_float, resized
    from ..samplers import last, to_bytes

    name, iteration = newest(source)
    symbol = last(Shelf(source).grow(name, iteration, seed))
    grey = resized(to_bytes(symbol.mean(1, keepdim=True)), SIDE)
    return as_float(grey), f"{name}, iteration {iteration}, seed {seed}"


def newest(source: str | Path) -> tuple[str, int]:
    """The run that is shown first, and its last iteration. Raises ValueError if there is none."""
    name, entry = index.choose(Shelf(source).listed())
    return name, entry["iteration"]


def first_page(source: str | Path) -> Message | None:
    """What there is to see before anything is judged: a symbol of the newest run. None without a judge."""
    if not listed(source):
        return None
    try:
        name, iteration = newest(source)
        example = first_symbol(source, name, iteration)
    except ValueError:
        name, iteration, example = None, 0, None
    return {"example": example, "run": name, "iteration": iteration, "last": LAST_SEED, "version": __version__}


def first_symbol(source: str | Path, name: str, iteration: int) -> Message | None:
    """The symbol of seed 0, out of the sheet of an iteration; nothing without a sheet."""
    from PIL import Image

    _, entry = index.choose(index.read_index(source), name, iteration)
    if "samples" not in entry:
        return None
    with Image.open(index.fetch(source, entry["samples"])) as sheet:
        side = sheet.width // COLUMNS
        planes = sheet.crop((0, 0, side, side)).split()
    data = base64.b64encode(b"".join(plane.tobytes() for plane in planes[:3])).decode()
    of = f"{name}, iteration {iteration}, seed 0"
    return {"light": data, "side": side, "channels": len(planes[:3]), "caption": of}


def warm(source: str | Path) -> None:
    """Judge something for nobody, so that no visitor waits for torch, the samples or the judges."""
    told(source, sample("mnist").images[:1])


def novel_tab(source: str | Path, first: Message) -> None:
    """Is it new? Any symbol: drawn, uploaded, grown, or sent from another tab. first: as `first_page` gives it."""

    def on_ask(event: gr.EventData) -> Message:
        return answer(source, event._data)

    own = figure(first, static("novel.html"), module("novel", "ask"), elem_id="novel")
    own.ask(on_ask, None, wire(own, "that-are-not-verdict"), **MODEL)


SIDE = 28  # pixels of a symbol that is judged
KINDS = {"mnist": "digits", "fashion": "clothes"}  # the built-in samples, and what they show
NEAREST, FIRST, CHUNK = 5, 3, 50  # nearest images and likeliest classes that are named; images measured at once
RARE, SELDOM = 0.01, 0.05  # shares of real images that are so far out: unlike all of them; at their edge
END, BINS = 0.5, 50  # of the scale of distances
SURE = 0.9  # the probability of the likeliest class, from which on a judge is said to be sure
MEASURES = {"ink": "ink", "edge_length": "edge length", "components": "pieces", "holes": "holes"}
ORDER = ["judge-digits", "judge-letters", "judge-digits-letters", "judge-fashion"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Real images that are known. own: how far each is from the nearest other, rising."""

    images: "Tensor"  # float (N, 1, 28, 28) in [0, 1]
    names: list[str]
    own: list[float]


def told(source: str | Path, x: "Tensor") -> Message:
    """Of a symbol (1, 1, 28, 28) in [0, 1]: what it is near to, what the judges take it for, how complex it is."""
    near = [neighbours(x, name) for name in KINDS]
    judges = [opinion for name in listed(source) if (opinion := judged(source, name, x))]
    title, says = verdict(near)
    return {
        "title": title,
        "says": [*says, *([judgement(judges)] if judges else [])],
        "known": near,
        "judges": judges,
        "measures": [among(x, key) for key in MEASURES],
    }


# ---- what is near


@lru_cache(maxsize=len(KINDS))
def sample(name: str) -> Sample:
    """A built-in sample, 1,000 training images. A distance within it is that of a real image from all others."""
    from .. import data as datasets
    from ..config import DIGITS
    from ..metrics import nearest
    from ..metrics.image import as_float
    from ..presets import CLOTHES

    data = datasets.load(f"sample:{name}")
    images, classes = as_float(data.images), {"mnist": DIGITS, "fashion": CLOTHES}[name]
    named = [] if data.labels is None else [classes[label] for label in data.labels.tolist()]
    return Sample(images, named, sorted(nearest(images, images, 2)[0][:, 1].tolist()))  # the first is itself


def neighbours(x: "Tensor", name: str) -> Message:
    """The nearest images of a sample; how far they are; which share of real images is as far from its nearest."""
    from ..metrics import nearest

    known = sample(name)
    distances, rows = (found[0] for found in nearest(x, known.images, NEAREST))
    far = distances[0].item()
    return {
        "kind": KINDS[name],
        "images": len(known.own),
        "light": light(known.images[rows]),
        "names": [known.names[row] for row in rows.tolist()],
        "distances": [_short(distance) for distance in distances.tolist()],
        "share": (len(known.own) - bisect_left(known.own, far)) / len(known.own),
        "counts": histogram(known.own),
        "end": END,
        "usual": _short(known.own[len(known.own) // 2]),
        "most": _short(known.own[-1]),
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


# ---- what the judges say


def listed(source: str | Path) -> list[str]:
    """The judges in a tree of checkpoints, those of the presets first."""
    there = of_kind(index.read_index(source), "judge")
    return sorted(there, key=lambda name: (ORDER.index(name) if name in ORDER else 99, name))


def judged(source: str | Path, name: str, x: "Tensor") -> Message | None:
    """What a judge takes a symbol for; nothing from a judge of other pictures. entropy: 0 (sure) to 1 (no idea)."""
    from ..metrics.classifier import normalised_entropy

    about = index.read_index(source)["experiments"][name]
    judge = _judge(source, name, str(about))
    if judge.image_shape != (1, SIDE, SIDE):
        return None
    p = judge.probabilities(x)
    likeliest = p[0].topk(min(FIRST, p.shape[1]))
    first = [judge.config.classes[k] for k in likeliest.indices.tolist()]
    return {
        "title": about["title"],
        "of": p.shape[1],
        "accuracy": next(entry for entry in about["iterations"] if "file" in entry).get("metrics", {}).get("accuracy"),
        "likeliest": [[name, _short(share)] for name, share in zip(first, likeliest.values.tolist(), strict=True)],
        "entropy": _short(normalised_entropy(p).item()),
    }


@lru_cache(maxsize=8)  # a megabyte each
def _judge(source: str | Path, name: str, listed: str) -> "Judge":
    """listed: what the index says of it, checksums too, so that a file that changed is another judge."""
    from .. import hub

    return hub.load_classifier(source, name)


def judgement(judges: Sequence[Message]) -> str:
    """What all judges say, those that are sure first."""
    sure, others = ([j for j in judges if (j["likeliest"][0][1] >= SURE) is told] for told in (True, False))
    says = [f"The judge of {judge['title'].lower()} is sure: {_named(judge)}." for judge in sure]
    if others:
        who = ("The others are" if len(others) > 1 else "The other is") + " not sure" if sure else "No judge is sure"
        likest = [f"of {judge['title'].lower()} {_named(judge)}" for judge in others]
        says.append(f"{who} what it is: to the judge {', '.join(likest)}.")
    return " ".join(says)


def _named(judge: Message) -> str:
    name, share = judge["likeliest"][0]
    return f"{name} ({_percent(share)})"


# ---- how complex it is


@lru_cache(maxsize=len(MEASURES))
def usual(key: str) -> list[float]:
    """A measure of every digit of the sample, rising."""
    from ..metrics import PER_IMAGE

    parts = sample("mnist").images.split(CHUNK)
    return sorted(value for part in parts for value in PER_IMAGE[key](part).tolist())


def among(x: "Tensor", key: str) -> Message:
    """A measure of a symbol, and where it lies among digits: from the least to the most, and within 9 of 10."""
    from ..metrics import PER_IMAGE

    value, digits = PER_IMAGE[key](x).item(), usual(key)
    within = [digits[round(share * (len(digits) - 1))] for share in (SELDOM, 0.5, 1 - SELDOM)]
    return {
        "name": MEASURES[key],
        "value": _short(value),
        "within": [_short(edge) for edge in within],
        "span": [_short(digits[0]), _short(digits[-1])],
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


def _short(value: float) -> float:
    return float(f"{value:.4g}")
