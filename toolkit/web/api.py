"""The named endpoints: what a program may ask of the page, for `gradio_client.Client(url).predict(..., api_name=...)`.

Everything that comes in is checked by the page's own requests, and answers are plain JSON: numbers, and pictures as
base64. What cannot be done is one sentence. All wait in the slow line. An endpoint is a generator that yields its
progress and, last, its answer: so a client can cancel it while it runs.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from inspect import getdoc, signature
from itertools import islice
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeAlias

import gradio as gr
from gradio.events import api
from pydantic import Field
from torch import Tensor

from .. import hub, metrics, plot
from ..data.pictures import fit
from ..metrics.attractors import distinct
from ..metrics.image import as_float
from ..samplers.generate import from_bytes
from . import creative, dream, kaleidoscope, novel, raising, words
from .iterations import RunIndex
from .server import LETTERS, SLOW, Message, Request, Seed, Word, from_base64, names_of, pixels, uploaded

P = ParamSpec("P")
Endpoint: TypeAlias = Callable[Concatenate[Any, P], Iterator[Message]]

MOST = 64  # pictures in an answer
SIDE = 28
REFERENCES = ("mnist", "fashion")
SQUARE = (  # a picture file: white on black, 8 x 8 pixels
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAQAAAADsdIMmAAAAGElEQVR42mNgYGBgsGFiYGJgYmBgYGAAAALUAEMQ6XlWAAAAAElFTkSuQmCC"
)


class Seeds(Request):
    """Seeds, a picture each."""

    seeds: list[Seed] = Field(min_length=1, max_length=MOST)


class SampleRequest(Seeds):
    """Symbols of one iteration."""

    experiment: Word
    iteration: int = Field(ge=1, le=999)


class RunsRequest(kaleidoscope.FilmRequest):
    """The end of a film; a program may ask for the noise itself, and sends no drawing."""

    runs: int = Field(ge=0, le=300)
    start: kaleidoscope.Noisy


class MeasureRequest(Request):
    """A picture file in base64."""

    image: str = Field(max_length=LETTERS)
    invert: bool


def refusing(work: Endpoint[P]) -> Endpoint[P]:
    """The same endpoint; what it refuses is one sentence to whoever asked, without the paths of this machine."""

    def endpoint(self: Any, *args: P.args, **options: P.kwargs) -> Iterator[Message]:
        try:
            yield from work(self, *args, **options)
        except ValueError as error:
            sentence = str(error).replace(str(self.source), "the checkpoints")
            raise gr.Error(f"{sentence}.", print_exception=False) from None

    shown: Any = wraps(work)(endpoint)
    shown.__signature__ = signature(work).replace(return_annotation=dict)  # as clients are shown it
    return shown


@dataclass(frozen=True)
class Endpoints:
    """What a program may ask of a tree of checkpoints. Raises gr.Error, one sentence, for what cannot be done."""

    source: str | Path

    @refusing
    def sample(self, experiment: str, iteration: int, seeds: list[int]) -> Iterator[Message]:
        """Symbols that one iteration's model draws out of noise. A seed is the same picture whatever else is asked for.

        Args:
            experiment: A run of iterations, such as "fig2".
            iteration: Whose model, from 1, such as 20.
            seeds: 1 to 64 whole numbers from 0 to 4294967295, one a symbol.

        Returns:
            shape: [number, channels, height, width]. images: so many bytes, 0 is black, in base64.
            sheet: The same as one PNG file, side by side, in base64.

        """
        request = SampleRequest.read({"experiment": experiment, "iteration": iteration, "seeds": seeds})
        run = RunIndex(self.source).run(request.experiment, request.iteration)
        for passes, images in enumerate(run.states(request.seeds)):
            yield {"passes": passes, "shape": list(images.shape)}
        yield pictures(images)

    @refusing
    def decode(
        self,
        experiment: str,
        seeds: list[int],
        method: creative.Method = "low-active",
        neurons: int = 5,
        gain: float = 1.0,
        low: float = 1.0,
        high: float = 15.0,
        layer: int = -1,
    ) -> Iterator[Message]:
        """What a decoder draws with some of its silent neurons switched on, and the same codes as it draws them itself.

        Args:
            experiment: A decoder, such as "creative-mnist".
            seeds: 1 to 64 whole numbers from 0 to 4294967295, one a picture: of its code, and of the choice of neurons.
            method: "low-active", "random", "noisy" or "regular".
            neurons: How many are switched on, 0 to 50.
            gain: How strongly, 0 to 3 times as calibrated; 0 is the regular picture.
            low: The percentile of activity, 0 to 100, from which a neuron counts as low-active.
            high: The percentile up to which it does.
            layer: From 1, next to the code; -1 is the last.

        Returns:
            shape, images, sheet: As of sample. regular: The same codes as the decoder draws them, as images.
            neurons: Of each picture which were switched on, -1 where no more were off.

        """
        asked = {"experiment": experiment, "method": method, "band": [low, high], "neurons": neurons, "gain": gain}
        chosen, request = some(seeds), creative.CreativeRequest.read({**asked, "layer": layer, "seed": 0})
        trained = creative.decoder(self.source, request.experiment)
        both = hub.decode(trained, chosen, request.creative(trained), request.layer)
        yield {**pictures(both.images), "regular": pixels(both.regular), "neurons": both.neurons.tolist()}

    @refusing
    def kaleidoscope(
        self,
        experiment: str,
        seeds: list[int],
        runs: int = 300,
        perturbation: float = 0.01,
        mode: kaleidoscope.Mode = "centred",
        start: kaleidoscope.Noisy = "uniform",
    ) -> Iterator[Message]:
        """What a deep network makes of noise that goes through it again and again.

        Args:
            experiment: A kaleidoscopic network of pictures, such as "kaleidoscope-mnist".
            seeds: 1 to 64 whole numbers from 0 to 4294967295, one a picture.
            runs: How often, 0 (the noise itself) to 300.
            perturbation: How much noise is added before each run, 0 to 1.
            mode: Of what kind it is: "centred", "published" or "none".
            start: "uniform" or "normal" noise.

        Returns:
            shape, images, sheet: As of sample, after the last run. distinct: How many different pictures there are.

        """
        asked = {"experiment": experiment, "runs": runs, "perturbation": perturbation, "mode": mode, "start": start}
        chosen, request = some(seeds), RunsRequest.read({**asked, "seed": 0, "image": None})
        k = kaleidoscope.network(self.source, request.experiment)
        states = hub.stream(k, chosen, start=request.start, perturbation=request.perturbation, mode=request.mode)
        for run, images in enumerate(islice(states, request.runs + 1)):
            yield {"runs": run, "shape": list(images.shape)}
        yield {**pictures(images), "distinct": distinct(images)}

    @refusing
    def raise_family(self, recipe: dict[str, Any]) -> Iterator[Message]:
        """What a model draws that learned from a person's picks: the next generation of a family.

        Args:
            recipe: A family as the page saves it, of one line: ancestor, an experiment with its iteration and sha256,
                and at most ten generations, each with its parent (0 is the ancestor) and picks, seeds of its symbols;
                sheet, if it is there, the symbols of the last one when it was shared.

        Returns:
            shape, images, sheet: As of sample, its twelve symbols. generation: Which it is: one that is not known yet
                takes its turn first, so ask again until it is the last. learned: Steps. facts: Mean distances of the
                parents and the children to the nearest pick, and to the nearest of the data. cousins: A sentence, if
                the symbols are not those of the sheet, as on another kind of processor.

        """
        for message in raising.raise_next(self.source, raising.RaiseRequest.read({"recipe": recipe})):
            yield message
        yield {**message, **pictures(as_float(from_bytes(from_base64(message["light"]), -1, 1, SIDE, SIDE)))}

    @refusing
    def dream(
        self,
        network: str,
        seeds: list[int],
        layer: str = "",
        strength: float = 1.0,
        octaves: int = 0,
        steps: int = -1,
        channel: int = -1,
        size: int = 224,
        image: str = "",
    ) -> Iterator[Message]:
        """What becomes of noise, or of a picture, that is changed until a layer of a network responds more strongly.

        Args:
            network: A classifier, such as "judge-digits"; or "efficientnet-lite0", a network of photographs, where it
                is installed.
            seeds: 1 to 16 whole numbers from 0 to 4294967295, a picture of noise each; of photographs the first counts.
            layer: Such as "body.4"; "" is one in the middle.
            strength: How far pixels move in a step, 0 (not at all) to 4 times as usual.
            octaves: Sizes that the picture is changed at, 1 to 6; 0 is as many as usual.
            steps: At each size, 0 to 100; -1 is as many as usual.
            channel: The number of the one that is raised; -1 raises all.
            size: Pixels a side, 64 to 320, for the network of photographs; others have a size of their own.
            image: A PNG, GIF, WebP or JPEG file in base64, at most a megabyte and 4,000,000 pixels, to start from
                instead of noise; it is fitted whole.

        Returns:
            shape, images, sheet: As of sample. response: Of the layer on average, before and after.

        """
        asked = {"network": network, "layer": layer, "strength": strength, "octaves": octaves, "steps": steps,
                 "channel": channel, "size": size, "image": image, "start": "own" if image else "noise"}  # fmt: skip
        chosen, request = some(seeds), dream.DreamRequest.read({**dream.START, **asked, "seed": 0})
        made = dream.plan(self.source, request, chosen[: dream.MANY])
        for step, images in enumerate(made.states):
            yield {"step": step, "shape": list(images.shape)}
        yield {**pictures(images), "response": made.response(images)}

    @refusing
    def words(
        self, experiment: str, iteration: int, seed: int = 0, temperature: float = 1.0, start: str = ""
    ) -> Iterator[Message]:
        """Words that one iteration's model invents. A seed is the same word whatever else is asked for.

        Args:
            experiment: A run of words, such as "words".
            iteration: Whose model, from 1, such as 10.
            seed: Of the first of sixty words, from 0; each has the next.
            temperature: How freely letters are chosen, 0.1 to 3.
            start: What each word begins with.

        Returns:
            words: Sixty of [word, nearest word of the list, letters that differ, bits a letter], of which words that
                are easily pronounced need few; null where there is no list.

        """
        asked = {"experiment": experiment, "iteration": iteration, "temperature": temperature, "seed": seed}
        yield words.write(self.source, words.WordsRequest.read({**asked, "start": start}))

    @refusing
    def measure(self, image: str, invert: bool = False) -> Iterator[Message]:
        """How complex a drawing is, and how far from the nearest of a thousand digits, and of a thousand clothes.

        Args:
            image: A PNG, GIF, WebP or JPEG file in base64, at most a megabyte and 4,000,000 pixels; of an animation
                the first frame counts. It is fitted whole into 28 x 28 pixels, grey.
            invert: Whether ink is dark and paper light; the measures take bright for ink.

        Returns:
            measures: ink (mean brightness, 0 to 1), edge_length (pixels), compressed_size (bytes),
                perimetric_complexity (a disc has 1), components and holes (how many).
            nearest: By data set the distance (0 is a copy, 1 black against white) and the row of the nearest image.
            shape, images, sheet: The picture as it was measured, as of sample.

        """
        request = MeasureRequest.read({"image": image, "invert": invert})
        x = drawing(request.image)
        x = 1 - x if request.invert else x
        near = {data: metrics.nearest(x, kaleidoscope.sample(data)) for data in REFERENCES}
        yield {
            "measures": {name: function(x).item() for name, function in metrics.PER_IMAGE.items()},
            "nearest": {data: {"distance": d.item(), "row": row.item()} for data, (d, row) in near.items()},
            **pictures(x),
        }


def some(seeds: object) -> list[int]:
    """Seeds, checked. Raises ValueError."""
    return Seeds.read({"seeds": seeds}).seeds


def pictures(images: Tensor) -> Message:
    """Images (B, C, H, W) in [0, 1] as they are answered. Raises ValueError for points, which are no pictures."""
    sheet = base64.b64encode(plot.png(images)).decode()
    return {"shape": list(images.shape), "images": pixels(images), "sheet": sheet}


def drawing(image: str) -> Tensor:
    """A picture file in base64 -> (1, 1, 28, 28) in [0, 1]. Raises ValueError, one sentence, for anything else."""
    return as_float(uploaded(image, partial(fit, size=SIDE, color=False))[None])


def examples(source: str | Path) -> dict[str, list[Any]]:
    """For each endpoint values that it answers, of the arguments that have to be given."""
    try:
        run: tuple[str, int] = RunIndex(source).latest()
    except ValueError:  # without a run: as the documentation has it
        run = "fig2", 10
    decoder, *_ = [*names_of(source, "decoder", creative.FIRST), *creative.FIRST]
    network, *_ = [*names_of(source, "kaleidoscope", kaleidoscope.FIRST), *kaleidoscope.FIRST]
    classifier, *_ = [*names_of(source, "judge", novel.FIRST), *novel.FIRST]
    seeds = [0, 1]
    family = raising.example(source)
    return {
        "sample": [*run, seeds], "decode": [decoder, seeds], "kaleidoscope": [network, seeds],
        "raise_family": [family], "dream": [classifier, seeds],
        "words": [*(words.latest(source) or ("words", 10))], "measure": [SQUARE],
    }  # fmt: skip


def endpoints(source: str | Path, page: gr.Blocks) -> None:
    """Open the endpoints within the page: /sample, /decode, /kaleidoscope, /raise_family, /dream, /words, /measure."""
    every = Endpoints(source)
    for name, values in examples(source).items():
        work = getattr(every, name)
        api(work, api_name=name, api_description=getdoc(work), **SLOW)
        *_, event = page.fns.values()
        arguments: Sequence[Any] = event.inputs
        for argument, value in zip(arguments, values, strict=False):
            argument.example_payload = lambda value=value: value
            argument._api_info["additional_description"] = f"such as {value!r:.40}"
