"""The tab "Creative decoder": what a decoder draws, and the same code with silent neurons switched on, in pairs."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from .. import hub, index
from ..hub import Trained
from ..metrics.distance import encoder_distance
from ..samplers import Creation, Creative, Statistics
from ..samplers.creative import band_of
from . import server
from .server import Message, Request, Word, action, figure, loaded, pixels, rounded

TAB = "Creative decoder"
FIRST = ["creative-mnist", "creative-fashion", "creative-both", "creative-celeba", "creative-wikiart",
         "creative-tinted"]  # fmt: skip
PAIRS = 32
START: Message = {"method": "low-active", "band": [1, 15], "neurons": 5, "gain": 1, "layer": -1, "seed": 0}
Method = Literal["low-active", "random", "noisy", "regular"]
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


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any decoder draws: each one's sheet of pairs. None if there is no decoder."""
    listed, names = server.read_index(source), server.names_of(source, "decoder", FIRST)
    shown = [server.about(name, listed["experiments"][name], index.choose(listed, name)[1]) for name in names]
    return {"decoders": shown, "start": START, "pairs": PAIRS} if shown else None


def warm(source: str | Path) -> None:
    """Draw with each decoder for nobody, so that no visitor waits for it."""
    for name in server.names_of(source, "decoder", FIRST):
        draw(source, CreativeRequest.read({"experiment": name, **START}))


def tab(source: str | Path, first: Message) -> None:
    """Creative decoding: 32 codes, each drawn twice. first: as `first_page` gives it."""
    own = figure("creative", first, triggers=["draw"], elem_id="pairs")
    action(own, "draw", "that-are-not-pairs", CreativeRequest, partial(draw, source))
