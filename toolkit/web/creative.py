"""The tab "Creative decoder": what a decoder draws, and the same code with silent neurons switched on, in pairs.

Beside them two looks inside: the way between the codes of two built-in images, and those that fire a neuron most.
"""

from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from .. import data, hub, index
from ..config import DIGITS
from ..data import Dataset
from ..hub import Trained
from ..metrics.distance import encoder_distance
from ..metrics.image import as_float
from ..presets import CLOTHES
from ..samplers import Creation, Creative, Statistics, codes
from ..samplers.creative import (
    band_of,
    decode_alone,
    decode_from,
    hidden_activations,
    hidden_layer,
    pooled,
    way_between,
)
from . import server
from .server import Message, Request, Word, action, figure, loaded, pixels, rounded

TAB = "Creative decoder"
FIRST = ["creative-mnist", "creative-fashion", "creative-both", "creative-celeba", "creative-wikiart",
         "creative-tinted"]  # fmt: skip
PAIRS = 32
START: Message = {"method": "low-active", "band": [1, 15], "neurons": 5, "gain": 1, "layer": -1, "seed": 0}
Method = Literal["low-active", "random", "noisy", "regular"]
KINDS = {"mnist": DIGITS, "fashion": CLOTHES}  # data sets of which images are built in, and their classes
STEPS, REMEMBERED = 20, 9  # of the way between two images; images that fire a neuron most
Percentile = Annotated[float, Field(ge=0, le=100)]


class CreativeRequest(Request):
    """Pairs. band: of percentiles of activity; gain: times the calibrated one; seed: of the first pair.

    layer: from 1 next to the code; -1 is the last.
    """

    experiment: Word
    method: Method
    band: list[Percentile] = Field(min_length=2, max_length=2)
    neurons: int = Field(ge=0, le=50)
    gain: float = Field(ge=0, le=3)
    layer: int = Field(ge=-1, le=99)
    seed: int = Field(ge=0, le=2**32 - PAIRS)

    def creative(self, trained: Trained) -> Creative:
        """How a decoder is to be perturbed. Raises ValueError for a band that does not rise."""
        band, gain = (self.band[0], self.band[1]), self.gain * trained.how.gain
        return replace(trained.how, method=self.method, band=band, neurons=self.neurons, gain=gain)


def decoder(source: str | Path, name: str) -> Trained:
    """A trained decoder, kept for the next time; on its layers may be hooked what one request needs.

    Raises CheckpointError.
    """
    trained = loaded(hub.load_decoder, source, name)
    return replace(trained, model=server.separate(trained.model))


def draw(source: str | Path, request: CreativeRequest) -> Message:
    """Both pictures of every pair, which neurons were switched on, and what there is to know of their layer.

    Raises ValueError, one sentence, for an experiment, method, band or layer that is not there.
    """
    trained = decoder(source, request.experiment)
    how = request.creative(trained)
    both = hub.decode(trained, range(request.seed, request.seed + PAIRS), how, request.layer)
    statistics = trained.statistics[request.layer if request.layer > 0 else len(trained.model.hidden)]
    return {
        "shape": list(both.images.shape[1:]),
        "regular": pixels(both.regular),
        "images": pixels(both.images),
        "distances": distances(trained, both),
        "layer": about_layer(statistics, how, len(trained.model.hidden)),
        "gain": how.gain,
        "noise": [how.share, how.noise],
        **switched(both, statistics, how),
    }


def distances(trained: Trained, both: Creation) -> list[list[float]] | None:
    """D_r of both pictures of every pair; None for a decoder without an encoder."""
    if not hasattr(trained.model, "encode"):
        return None
    found = [encoder_distance(trained.model, x).tolist() for x in (both.regular, both.images)]
    return [[rounded(regular), rounded(modified)] for regular, modified in zip(*found, strict=True)]


def about_layer(statistics: Statistics, how: Creative, layers: int) -> Message:
    """A layer: how many neurons, how many dead, how many in the band, and how often the living fire, by percentile."""
    alive = sorted(statistics.active[~statistics.dead].tolist())
    at = [round(percent / 100 * (len(alive) - 1)) for percent in range(101)] if alive else []
    return {
        "number": statistics.layer,
        "of": layers,
        "neurons": len(statistics.active),
        "dead": int(statistics.dead.sum()),
        "band": int(band_of(statistics, how).sum()) if how.method == "low-active" else None,
        "often": [rounded(alive[place]) for place in at],
    }


def switched(both: Creation, statistics: Statistics, how: Creative) -> Message:
    """The neurons of every pair, in the order of their choice, and of each how often it fires and how strongly.

    neurons: numbers from 0, -1 where no more were off; none for noise, which falls on too many to name.
    known: by number, [share of the images, the value it is switched on at, its natural mean, its natural maximum].
    """
    if how.method not in ("low-active", "random"):
        return {"touched": both.neurons.shape[1], "neurons": [[]] * len(both.images), "known": {}}
    columns = [statistics.active, _on_value(statistics, how), statistics.mean, statistics.peak]
    named = sorted(set(both.neurons.flatten().tolist()) - {-1})
    known = {str(k): [rounded(column[k].item()) for column in columns] for k in named}
    return {"touched": both.neurons.shape[1], "neurons": both.neurons.tolist(), "known": known}


def _on_value(statistics: Statistics, how: Creative) -> Tensor:
    """What each neuron is switched on at, (K,); 0, for unknown, where that depends on the picture."""
    natural = {"conditional": statistics.mean + how.deviations * statistics.std, "peak": statistics.peak}
    return how.gain * natural.get(how.value, 0 * statistics.mean)


class WayRequest(Request):
    """The way between two built-in images. start, end: their classes."""

    experiment: Word
    start: int = Field(ge=0, le=99)
    end: int = Field(ge=0, le=99)


class MemoryRequest(Request):
    """The built-in images that fire a neuron most. layer: from 1 next to the code; -1 is the last."""

    experiment: Word
    layer: int = Field(ge=-1, le=99)
    neuron: int = Field(ge=0, le=9999)


def kinds_of(name: str) -> list[str]:
    """The classes of a data set whose images are built in, "mnist+fashion" say; none of another."""
    parts = name.replace("sample:", "").split("+")
    return [kind for part in parts for kind in KINDS[part]] if all(part in KINDS for part in parts) else []


@lru_cache(maxsize=3)
def _sample(name: str) -> Dataset:
    return data.load("+".join(f"sample:{part}" for part in name.replace("sample:", "").split("+")))


def built_in(trained: Trained) -> Dataset:
    """The built-in images of what a decoder learned. Raises ValueError if there are none."""
    if not kinds_of(trained.data) or trained.model.image_shape != (1, 28, 28):
        raise ValueError(f"of the data of {trained.title!r:.60} no images are built in: choose digits or clothes")
    return _sample(trained.data)


def way(source: str | Path, request: WayRequest) -> Message:
    """What lies between the codes of two images, their D_r, and that of what the decoder draws by itself.

    Raises ValueError for a class that there is none of.
    """
    trained = decoder(source, request.experiment)
    sample, kinds = built_in(trained), kinds_of(trained.data)
    if max(request.start, request.end) >= len(kinds) or sample.labels is None:
        raise ValueError(f"there are kinds 0 to {len(kinds) - 1}: go from one of these to another")
    rows = [int((sample.labels == kind).nonzero()[0]) for kind in (request.start, request.end)]
    images = way_between(trained.model, as_float(sample.images[rows]), STEPS)
    usual = hub.decode(trained, range(PAIRS), replace(trained.how, method="regular")).regular
    return {
        "shape": list(images.shape[1:]),
        "images": pixels(images),
        "distances": [rounded(far) for far in encoder_distance(trained.model, images).tolist()],
        "regular": rounded(encoder_distance(trained.model, usual).mean().item()),
    }


def _activations(source: str | Path, name: str, layer: int) -> Tensor:
    """Of every neuron of a hidden layer for every built-in image, (N, K)."""
    trained = decoder(source, name)
    (z,) = codes(trained.model, built_in(trained).images, chunk=10_000)
    return pooled(hidden_activations(trained.model, z, layer), trained.statistics[layer].pool)


def memory(source: str | Path, request: MemoryRequest) -> Message:
    """What a neuron draws alone, what none draws, the images that fire it most, and the share that fire it at all.

    Raises ValueError for a layer or neuron that there is none of.
    """
    trained = decoder(source, request.experiment)
    layer, _ = hidden_layer(trained.model, request.layer)
    statistics, images = trained.statistics[layer], built_in(trained).images
    if request.neuron >= (count := len(statistics.active)):
        raise ValueError(f"layer {layer} has {count} neurons, 0 to {count - 1}: choose one of these")
    fired = loaded(_activations, source, request.experiment, layer)[:, request.neuron]
    values, rows = fired.topk(REMEMBERED)
    rows = rows[values > statistics.threshold]
    return {
        "shape": list(images.shape[1:]),
        "alone": pixels(decode_alone(trained.model, statistics, [request.neuron])),
        "rest": pixels(decode_from(trained.model, statistics.maps.new_zeros(1, *statistics.maps.shape), layer)),
        "images": pixels(as_float(images[rows])),
        "count": len(rows),
        "fires": rounded((fired > statistics.threshold).double().mean().item()),
        "of": len(images),
    }


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any decoder draws: each one's sheet of pairs. None if there is no decoder."""
    listed, names = server.read_index(source), server.names_of(source, "decoder", FIRST)
    shown = []
    for name in names:
        its = listed["experiments"][name]
        learned = str(server.config_of(source, its).get("data"))
        shown.append({**server.about(name, its, index.choose(listed, name)[1]), "kinds": kinds_of(learned)})
    return {"decoders": shown, "start": START, "pairs": PAIRS} if shown else None


def warm(source: str | Path) -> None:
    """Draw with each decoder for nobody, so that no visitor waits for it."""
    for name in server.names_of(source, "decoder", FIRST):
        draw(source, CreativeRequest.read({"experiment": name, **START}))
        with suppress(ValueError):  # no images are built in
            memory(source, MemoryRequest.read({"experiment": name, "layer": -1, "neuron": 0}))


def tab(source: str | Path, first: Message) -> None:
    """Creative decoding: 32 codes, each drawn twice. first: as `first_page` gives it."""
    own = figure("creative", first, triggers=["draw", "mix", "recall"], elem_id="pairs")
    action(own, "mix", "that-are-not-mix", WayRequest, partial(way, source))
    action(own, "recall", "that-are-not-memory", MemoryRequest, partial(memory, source))
    action(own, "draw", "that-are-not-pairs", CreativeRequest, partial(draw, source))
