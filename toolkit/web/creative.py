"""The tab "Creative decoder": what a decoder draws, and the same code with silent neurons switched on, in pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import __version__, index
from ..config import checked
from ..index import of_kind
from .server import MODEL, Message, echo, figure, light, module, sheet, static, wire

if TYPE_CHECKING:
    from torch import Tensor

    from ..hub import Trained
    from ..samplers import Creation, Creative, Statistics


FIRST = (
    "creative-mnist",
    "creative-fashion",
    "creative-both",
    "creative-celeba",
    "creative-wikiart",
    "creative-tinted",
)
PAIRS = 32
START: Message = {"method": "low-active", "band": [1, 15], "neurons": 5, "gain": 1, "layer": -1, "seed": 0}
LIMITS = {"neurons": (0, 50), "gain": (0, 3), "layer": (-1, 99), "seed": (0, 2**32 - PAIRS)}
EXACT = 4  # significant digits of what crosses to the browser


@dataclass(frozen=True)
class Order:
    """What a visitor asks for. band: percentiles; gain: times the calibrated one; seed: of the first pair.

    layer: from 1 next to the code; -1 is the last.
    """

    experiment: str
    method: str
    band: tuple[float, float]
    neurons: int
    gain: float
    layer: int
    seed: int

    def __post_init__(self) -> None:
        if not all(type(edge) in (int, float) for edge in self.band):
            raise ValueError(f"band {self.band!r:.60} is not usable: give two rising percentiles from 0 to 100")
        for what, (low, high) in LIMITS.items():
            if not low <= getattr(self, what) <= high:
                raise ValueError(
                    f"{what} {getattr(self, what)!r:.40} is not usable: give a number from {low} to {high}"
                )


def read_order(order: object) -> Order:
    """What came from the browser, which may be anything. Raises ValueError, one sentence, for what cannot be one."""
    said = order if isinstance(order, Mapping) else {}
    return Order(**checked("an order", Order, {field.name: said.get(field.name) for field in fields(Order)}))


def answer(source: str | Path, order: object) -> Message:
    """Pairs as a visitor asks for them, under the ticket of the order; or the error, one sentence."""
    message: Message = {**echo(order, "ticket"), "error": None}
    try:
        return {**message, **draw(source, read_order(order))}
    except ValueError as error:
        return {**message, "error": f"{error}."}


def draw(source: str | Path, order: Order) -> Message:
    """Both pictures of every pair, which neurons were switched on, and what there is to know of their layer.

    Raises ValueError, one sentence, for an experiment, method, band or layer that is not there.
    """
    from .. import hub

    trained = decoder(source, order.experiment)
    gain = order.gain * trained.how.gain
    how = replace(trained.how, method=order.method[:40], band=order.band, neurons=order.neurons, gain=gain)
    both = hub.decode(trained, range(order.seed, order.seed + PAIRS), how, order.layer)
    statistics = trained.statistics[order.layer if order.layer > 0 else len(trained.model.hidden)]
    return {
        "shape": list(both.images.shape[1:]),
        "regular": light(both.regular),
        "images": light(both.images),
        "distances": distances(trained, both),
        "layer": about(statistics, how, len(trained.model.hidden)),
        "gain": gain,
        "noise": [how.share, how.noise],
        **switched(both, statistics, how),
    }


def decoder(source: str | Path, name: str) -> "Trained":
    """A trained decoder, kept for the next time. Raises CheckpointError."""
    return _load(source, name[:40], str(index.read_index(source)["experiments"].get(name)))


@lru_cache(maxsize=6)  # a few megabytes each
def _load(source: str | Path, name: str, listed: str) -> "Trained":
    """listed: what the index says of it, checksums too, so that a file that changed is another decoder."""
    from .. import hub

    return hub.load_decoder(source, name)


def models(listed: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The entries of an experiment that have a network, first training first."""
    return [entry for entry in listed["experiments"][name]["iterations"] if "file" in entry]


def distances(trained: "Trained", both: "Creation") -> list[list[float]] | None:
    """D_r of both pictures of every pair; None for a decoder without an encoder."""
    from ..metrics.distance import encoder_distance

    if not hasattr(trained.model, "encode"):
        return None
    found = [encoder_distance(trained.model, x).tolist() for x in (both.regular, both.images)]
    return [[_short(regular), _short(modified)] for regular, modified in zip(*found, strict=True)]


def about(statistics: "Statistics", how: "Creative", layers: int) -> Message:
    """A layer: how many neurons, how many dead, how many in the band, and how often the living fire, by percentile."""
    from ..samplers.creative import band_of

    alive = sorted(statistics.active[~statistics.dead].tolist())
    at = [round(percent / 100 * (len(alive) - 1)) for percent in range(101)] if alive else []
    return {
        "number": statistics.layer,
        "of": layers,
        "neurons": len(statistics.active),
        "dead": int(statistics.dead.sum()),
        "band": int(band_of(statistics, how).sum()) if how.method == "low-active" else None,
        "often": [_short(alive[place]) for place in at],
    }


def switched(both: "Creation", statistics: "Statistics", how: "Creative") -> Message:
    """The neurons of every pair, in the order of their choice, and of each how often it fires and how strongly.

    neurons: numbers from 0, -1 where no more were off; none for noise, which falls on too many to name.
    known: by number, [share of the images, the value it is switched on at, its natural mean, its natural maximum].
    """
    if how.method not in ("low-active", "random"):
        return {"touched": both.neurons.shape[1], "neurons": [[]] * len(both.images), "known": {}}
    columns = [statistics.active, _on_value(statistics, how), statistics.mean, statistics.peak]
    named = sorted(set(both.neurons.flatten().tolist()) - {-1})
    known = {str(k): [_short(column[k].item()) for column in columns] for k in named}
    return {"touched": both.neurons.shape[1], "neurons": both.neurons.tolist(), "known": known}


def _on_value(statistics: "Statistics", how: "Creative") -> "Tensor":
    """What each neuron is switched on at, (K,); 0, for unknown, where that depends on the picture."""
    natural = {"conditional": statistics.mean + how.deviations * statistics.std, "peak": statistics.peak}
    return how.gain * natural.get(how.value, 0 * statistics.mean)


def _short(value: float) -> float:
    return float(f"{value:.{EXACT}g}")


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any network works: each decoder's sheet of pairs. None if there is no decoder."""
    listed = index.read_index(source)
    order = FIRST
    there = sorted(
        of_kind(listed, "decoder"), key=lambda name: (order.index(name) if name in order else len(order), name)
    )
    shown = [about_decoder(source, listed, name) for name in there]
    return {"decoders": shown, "start": START, "pairs": PAIRS, "version": __version__} if shown else None


def about_decoder(source: str | Path, listed: Mapping[str, Any], name: str) -> Message:
    """One decoder as the page shows it at first: a picture of its pairs, and which file it is."""
    entry, title = models(listed, name)[0], listed["experiments"][name]["title"]
    file = entry.get("samples")
    return {"name": name, "title": title, "sheet": file and sheet(source, file), "sha256": entry["sha256"]}


def creative_tab(source: str | Path, first: Message) -> None:
    """Creative decoding: 32 codes, each drawn twice. first: as `first_page` gives it."""

    def on_draw(event: gr.EventData) -> Message:
        return answer(source, event._data)

    own = figure(first, static("creative.html"), module("creative", "draw"), elem_id="pairs")
    own.draw(on_draw, None, wire(own, "that-are-not-pairs"), **MODEL)
