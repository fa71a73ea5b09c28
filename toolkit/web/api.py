"""The named endpoints: what a program may ask of the page, for `gradio_client.Client(url).predict(..., api_name=...)`.

Everything that comes in is checked here, and answers are plain JSON: numbers, and pictures as base64. What cannot be
done is one sentence. All wait in one line with the visitors, "model".
"""

import base64
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from inspect import getdoc
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, cast

import gradio as gr
from gradio.events import api

from .. import index
from . import creative, iterations, kaleidoscope
from .server import Message, light

if TYPE_CHECKING:
    from torch import Tensor


P = ParamSpec("P")
Work: TypeAlias = Callable[Concatenate[Any, P], Message]

MOST = 64  # pictures in an answer
TEXT = 1_400_000  # letters of a picture that comes in: a megabyte in base64
PIXELS = 4_000_000
FORMATS = ("PNG", "GIF", "WEBP", "JPEG")
SIDE = 28
REFERENCES = ("mnist", "fashion")


def plainly(work: Work[P]) -> Work[P]:
    """The same endpoint; what it refuses is one sentence to whoever asked, without the paths of this machine."""

    @wraps(work)
    def endpoint(self: Any, *args: P.args, **options: P.kwargs) -> Message:
        try:
            return work(self, *args, **options)
        except ValueError as error:
            said = str(error).replace(str(self.source), "the checkpoints")
            raise gr.Error(f"{said}.", print_exception=False) from None

    return cast("Work[P]", endpoint)


@dataclass(frozen=True)
class Endpoints:
    """What a program may ask of a tree of checkpoints. Raises gr.Error, one sentence, for what cannot be done."""

    source: str | Path

    @plainly
    def sample(self, experiment: str, iteration: int, seeds: list[int]) -> dict[str, Any]:
        """Symbols that one iteration's model draws out of noise. A seed is the same picture whatever else is asked for.

        Args:
            experiment: A run of iterations, such as "fig2".
            iteration: Whose model, from 1, such as 20.
            seeds: 1 to 64 whole numbers from 0 to 4294967295, one a symbol.

        Returns:
            shape: [number, channels, height, width]. images: so many bytes, 0 is black, in base64.
            sheet: The same as one PNG file, side by side, in base64.

        """
        import toolkit

        chosen, shelf = some(seeds), iterations.Shelf(self.source)
        wanted = whole("iteration", iteration, 1, 999)
        name, entry = index.choose(shelf.listed(), text("experiment", experiment), wanted)
        model = iterations.load(self.source, name, wanted, entry["sha256"])
        return pictures(toolkit.hub.sampling(self.source, name).grown(model, chosen))

    @plainly
    def decode(
        self,
        experiment: str,
        seeds: list[int],
        method: str = "low-active",
        neurons: int = 5,
        gain: float = 1.0,
        low: float = 1.0,
        high: float = 15.0,
        layer: int = -1,
    ) -> dict[str, Any]:
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
        from .. import hub

        order: Message = {"experiment": text("experiment", experiment), "method": text("method", method)}
        order |= {"band": [low, high], "neurons": neurons, "gain": gain, "layer": layer, "seed": 0}
        chosen, asked = some(seeds), creative.read_order(order)
        trained = creative.decoder(self.source, asked.experiment)
        how = replace(trained.how, method=asked.method, band=asked.band, neurons=asked.neurons)
        both = hub.decode(trained, chosen, replace(how, gain=asked.gain * how.gain), asked.layer)
        return {**pictures(both.images), "regular": light(both.regular), "neurons": both.neurons.tolist()}

    @plainly
    def kaleidoscope(
        self,
        experiment: str,
        seeds: list[int],
        runs: int = 300,
        perturbation: float = 0.01,
        mode: str = "centred",
        start: str = "uniform",
    ) -> dict[str, Any]:
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
        from .. import hub
        from ..config import choose
        from ..metrics.distance import distinct

        choose("start", text("start", start), [kind for kind in kaleidoscope.STARTS if kind != "drawing"])
        times = whole("runs", runs, 0, kaleidoscope.LIMITS["runs"][1])
        order: Message = {"experiment": text("experiment", experiment), "start": start, "mode": text("mode", mode)}
        order |= {"perturbation": perturbation, "runs": max(1, times), "seed": 0, "image": None}
        chosen, asked = some(seeds), kaleidoscope.read_order(order)
        k = kaleidoscope.network(self.source, asked.experiment)
        states = hub.stream(k, chosen, start=start, perturbation=asked.perturbation, mode=asked.mode)
        images = next(islice(states, times, None))
        return {**pictures(images), "distinct": distinct(images)}

    @plainly
    def measure(self, image: str, invert: bool = False) -> dict[str, Any]:
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
        from .. import metrics

        if type(invert) is not bool:
            raise ValueError(f"invert {brief(invert)} is not usable: give true or false")
        x = drawing(image)
        x = 1 - x if invert else x
        near = {data: metrics.nearest(x, kaleidoscope.sample(data)) for data in REFERENCES}
        return {
            "measures": {name: function(x).item() for name, function in metrics.PER_IMAGE.items()},
            "nearest": {data: {"distance": d.item(), "row": row.item()} for data, (d, row) in near.items()},
            **pictures(x),
        }


def brief(value: object) -> str:
    """What was given, in a few letters of ASCII or what can be printed, whatever it is."""
    return reprlib.repr(value)[:60]


def text(what: str, value: object) -> str:
    """A short word. Raises ValueError for anything else."""
    if not isinstance(value, str) or len(value) > 60:
        raise ValueError(f"{what} {brief(value)} is not usable: give a word of at most 60 letters")
    return value


def whole(what: str, value: object, low: int, high: int) -> int:
    """A whole number in a range. Raises ValueError for anything else."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{what} {brief(value)} is not usable: give a whole number from {low} to {high}")
    return value


def some(seeds: object) -> list[int]:
    """Seeds, a picture each. Raises ValueError unless they are 1 to 64 whole numbers in [0, 2**32)."""
    if not isinstance(seeds, Sequence) or isinstance(seeds, str) or not 1 <= len(seeds) <= MOST:
        raise ValueError(f"seeds {brief(seeds)} are not usable: give a list of 1 to {MOST} whole numbers")
    return [whole("seed", seed, 0, 2**32 - 1) for seed in seeds]


def pictures(images: "Tensor") -> Message:
    """Images (B, C, H, W) in [0, 1] as they are answered. Raises ValueError for points, which are no pictures."""
    from ..plot import png

    return {
        "shape": list(images.shape),
        "images": light(images),
        "sheet": base64.b64encode(png(images)).decode(),
    }


def drawing(image: object) -> "Tensor":
    """A picture file in base64 -> (1, 1, 28, 28) in [0, 1]. Raises ValueError, one sentence, for anything else."""
    from PIL import Image

    from ..data.files import fit
    from ..metrics.image import as_float

    if not isinstance(image, str) or len(image) > TEXT:
        raise ValueError("the image is not usable: give a picture file of at most a megabyte, in base64")
    try:
        data = base64.b64decode(image.partition("base64,")[2] or image, validate=True)
        with Image.open(BytesIO(data), formats=FORMATS) as opened:
            pixels = opened.width * opened.height
            fitted = fit(opened, SIDE, color=False) if pixels <= PIXELS else None
    except Exception:  # a decoder may raise anything at all over bytes that were made to break it
        raise ValueError("the image cannot be read: give a PNG, GIF, WebP or JPEG file, in base64") from None
    if fitted is None:
        raise ValueError(f"the image has {pixels:,} pixels: give one of at most {PIXELS:,}")
    return as_float(fitted[None])


def endpoints(source: str | Path) -> None:
    """Open the four endpoints, within a gr.Blocks: /sample, /decode, /kaleidoscope and /measure."""
    every = Endpoints(source)
    for work in (every.sample, every.decode, every.kaleidoscope, every.measure):
        said = {"api_name": work.__name__, "api_description": getdoc(work)}
        api(work, **said, concurrency_id="model", concurrency_limit=1)
