"""Presets: every figure, run of words, decoder, kaleidoscopic network, classifier and divergence, at several scales.

Needs no torch. Letters are those of the fonts in a folder `fonts`: the packages that fonts.txt lists, unpacked.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from random import Random
from string import ascii_uppercase
from typing import Any, ClassVar, Self, TypeVar

from .config import DIGITS, SamplingSettings, checked, choose

ARCHITECTURES = (  # as registered: `models.MODELS`
    "WTA", "DCGAN", "StyleGAN", "ConvVAE", "ConvAE", "VAE", "Manifold", "Judge", "CharRNN",
)  # fmt: skip
MODES = ("centred", "published", "none")  # of a perturbation: `samplers.kaleidoscope.MODES`
METHODS = ("adversarial", "creative adversarial", "loss hacking", "without data", "fine-tuning", "feedback",
           "external knowledge")  # of a divergence: `diverge.experiments.METHODS`  # fmt: skip
# Settings that came later: not stored where they have their default, so that older runs can go on.
LATER = ("architecture", "size", "later_batch", "filter", "ink", "salt", "least_steps")
LEAST_STEPS = 300  # of a first iteration, unless a preset says another number: of few images, epochs are too few steps
P = TypeVar("P", bound="Training")


def _by_name(presets: Iterable[P]) -> dict[str, P]:
    return {preset.name: preset for preset in presets}


@dataclass(frozen=True)
class Training:
    """The settings of an experiment, stored in config.json; each kind is a subclass."""

    kind: ClassVar[str]  # as in the index of a folder of runs
    name: str  # also of its folder
    title: str
    data: str = ""
    scale: str = "cpu"
    seed: int = 0  # of decoders, kaleidoscopic networks and classifiers that of the first; the next has the next
    images: int | None = None  # how many of the data; None: all
    half: bool = True  # checkpoints in half precision; what is stored is what is measured, and what generates

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self)

    def metadata(self) -> dict[str, Any]:
        """What config.json holds beside the title and the settings."""
        return {"kind": self.kind}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_dict`. Raises ValueError for a setting that this version does not know."""
        return cls(**checked("a training", cls, values))

    def _check(self, **least: int) -> None:
        """Raise ValueError for a name that is no folder's, or a number under its least; None is no number."""
        if not re.fullmatch(r"\w[\w.-]*", self.name, re.ASCII):
            raise ValueError(f"name {self.name!r} is no folder's: give letters, digits, - and _")
        for name, bound in least.items():
            if (number := getattr(self, name)) is not None and number < bound:
                raise ValueError(f"{name} is {number}: give at least {bound}")


@dataclass(frozen=True)
class Filter:
    """Which generated images are kept: written BY:SHARE, BY:SHARE:CLASSIFIER or picks:FILE.

    by: "novelty", the share that is farthest from its nearest training image; "objectness", the share that a classifier
    is surest of; "picks", the seeds in a person's file. source: the classifier, a shipped name or a file; or the picks.
    """

    by: str
    share: float = 1.0
    source: str = ""

    @staticmethod
    def read(text: str) -> "Filter":
        """The inverse of how it is written. Raises ValueError for any other text."""
        by, _, rest = text.partition(":")
        if choose("filter", by, ["novelty", "objectness", "picks"]) == "picks":
            if not rest:
                raise ValueError("filter picks names no file: write picks:FILE")
            return Filter(by, source=rest)
        share, _, source = rest.partition(":")
        try:
            found = float(share)
        except ValueError:
            found = 0.0
        if not 0 < found <= 1:
            raise ValueError(f"filter {text}: write {by}:SHARE, a share over 0 and at most 1")
        return Filter(by, found, source)


@dataclass(frozen=True)
class IteratedTraining(Training):
    """A run of iterated learning, whatever is generated. The defaults are those of figure 2 (the paper, section 3)."""

    teachings: ClassVar[tuple[str, ...]] = ("accumulate", "replace")
    scale: str = "paper"
    iterations: int = 20
    generated: int = 60_000  # images, or words, per iteration
    teaching: str = "accumulate"  # or "replace"
    share: float = 1.0  # of the data kept from one iteration to the next
    inheritance: str = "preserve"  # or "reset": the same initial weights, or "fresh"
    noise: str = "fresh"  # of what is generated: "fresh" every iteration (published code), or "fixed" (published text)
    model: dict[str, Any] = field(default_factory=dict)  # the architecture's Config
    batch: int = 100
    epochs: int = 15  # per iteration, over the data as they have grown
    least_steps: int | None = None  # at least, in the first iteration and in any that starts anew; None: LEAST_STEPS
    first_steps: int | None = None  # at most so many there
    steps: int | None = None  # at most so many in each later one
    decay: str = "constant"  # of the learning rate within an iteration, or "linear"
    optimiser: str = "carried"  # with the weights from one iteration to the next, moments and all, or "fresh"
    half: bool = False
    later_batch: int | None = None  # from the second iteration; None: the same

    def __post_init__(self) -> None:
        counts = ("iterations", "generated", "batch", "epochs", "images", "later_batch", "least_steps", "first_steps",
                  "steps")  # fmt: skip
        self._check(**dict.fromkeys(counts, 1))
        choose("teaching", self.teaching, self.teachings)
        choose("inheritance", self.inheritance, ["preserve", "reset", "fresh"])
        choose("decay", self.decay, ["constant", "linear"])
        choose("noise", self.noise, ["fresh", "fixed"])
        choose("optimiser", self.optimiser, ["carried", "fresh"])
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}: give a number over 0 and at most 1")


@dataclass(frozen=True)
class Experiment(IteratedTraining):
    """A run of iterated learning of images. teaching: also "lecture", fresh samples of the frozen model."""

    kind = "iterations"
    teachings = ("accumulate", "replace", "lecture")
    figure: str = ""
    data: str = "mnist"
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    lecture_steps: int = 3000  # per iteration from the second, when teaching is "lecture"
    architecture: str = "WTA"
    size: int | None = None  # pixels that images are resized to; None: as they are
    filter: str | None = None  # of generated images: `Filter`

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check(size=1)
        choose("architecture", self.architecture, ARCHITECTURES)
        if self.rule and self.teaching == "lecture":
            raise ValueError("teaching is lecture: it makes no set to filter, take accumulate or replace")

    @property
    def rule(self) -> Filter | None:
        return Filter.read(self.filter) if self.filter else None

    @property
    def candidates(self) -> int:
        """Images to generate per iteration: so many more than `generated` as the filter drops."""
        return math.ceil(self.generated / self.rule.share) if self.rule else self.generated

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values, without those of `LATER` that have their default."""
        return {**_compact(self), "sampling": _compact(self.sampling)}

    def metadata(self) -> dict[str, Any]:
        return {"kind": self.kind, "sampling": _compact(self.sampling)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        sampling = SamplingSettings(**checked("sampling", SamplingSettings, values.get("sampling", {})))
        older = {"optimiser": "fresh"}  # before it was a setting
        return cls(**checked("an experiment", cls, {**older, **values, "sampling": sampling}))


@dataclass(frozen=True)
class Family(Experiment):
    """A family raised by a person's picks (`raising`): the settings of its ancestor. recipe: stored beside them."""

    recipe: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The settings as those of any run of iterations."""
        return {name: value for name, value in super().as_dict().items() if name != "recipe"}

    def metadata(self) -> dict[str, Any]:
        return {**super().metadata(), "recipe": self.recipe}


def _compact(settings: Any) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(settings) if field.name in LATER}
    return {name: value for name, value in asdict(settings).items() if name not in defaults or value != defaults[name]}


def _baseline(name: str, figure: str, architecture: str, title: str, inheritance: str) -> Experiment:
    """A model that the paper compares with: images of 32 pixels, batches of 100 and then 500, 100 epochs."""
    return Experiment(
        name, title, figure=figure, inheritance=inheritance, architecture=architecture, size=32, later_batch=500,
        epochs=100,
    )  # fmt: skip


def _figure(number: int, title: str, *, output: str = "linear", **settings: Any) -> Experiment:
    """A figure of the winner-take-all autoencoder, by the rules of the code published when it was made (autumn 2022).

    That code took the lifetime share per channel and position, which leaves nearly all winners; initialised all weights
    by N(0, 0.001); carried Adam with the weights; and let a batch of 500 images go on until its slowest had settled,
    which is nearly always 100 passes: here each image has 100, so that none depends on its neighbours.
    """
    model = {"lifetime_per": "position", "init": "published", **({} if output == "linear" else {"output": output})}
    return Experiment(
        f"fig{number}", title, figure=str(number), model=model, sampling=SamplingSettings(tol=0.0), **settings
    )


FIGURES = _by_name([
    _figure(2, "Linear output, weights kept, data accumulated"),
    _figure(3, "Linear output, same initial weights each time", inheritance="reset"),
    _figure(4, "Sigmoid output, same initial weights each time", inheritance="reset", output="sigmoid"),
    _figure(5, "Sigmoid output, weights kept", output="sigmoid"),
    _figure(6, "No accumulation: only the last data set", teaching="replace"),
    _figure(7, "A frozen teacher and no data set", teaching="lecture"),
    _baseline("fig8", "8", "DCGAN", "A GAN, weights kept", "preserve"),
    _baseline("fig9", "9", "DCGAN", "A GAN, same initial weights each time", "reset"),
    _baseline("fig8-stylegan", "StyleGAN", "StyleGAN", "A StyleGAN, weights kept", "preserve"),  # not the paper's
    _baseline("fig9-stylegan", "StyleGAN", "StyleGAN", "A StyleGAN, same initial weights each time", "reset"),
    _baseline("fig10", "10", "ConvVAE", "A VAE, weights kept", "preserve"),
    _baseline("fig11", "11", "ConvVAE", "A VAE, same initial weights each time", "reset"),
    _figure(12, "Kuzushiji characters", data="kmnist"),
    _figure(13, "Omniglot characters", data="omniglot"),
    Experiment("digits-2016", "Digits That Are Not, the model of 2016", figure="2016", iterations=1,
               architecture="ConvAE", batch=64, epochs=100,
               sampling=SamplingSettings(tol=0.0)),  # 100 passes, also of an image that one pass leaves as it is
])  # fmt: skip

# The rules of the paper's text where the code that its figures were made with has others: see `preset`.
AS_WRITTEN: dict[str, Any] = {
    "noise": "fixed",
    "model": {"lifetime_per": "channel", "init": "he"},  # N(0, 0.001) does not learn under that rule
    "sampling": {"tol": 1e-3},
}
# Two cores: fewer filters and images. A training by a teacher is a third of a first one, as published. The one other
# rule is the initialisation: weights from N(0, 0.001) learned a few grey blobs in 400 steps (32 filters), and to return
# everything in 1,500 (64 filters), whose samples are thin arcs; from He's they draw strokes as bright as the data's.
CPU: dict[str, Any] = {
    "images": 2000, "generated": 2000, "iterations": 10, "least_steps": 300, "lecture_steps": 100, "half": True,
    "model": {"filters": 64, "init": "he"},
}  # fmt: skip
# Minutes on two cores, to symbols that one recognises; also from a few pictures of one's own.
TRY: dict[str, Any] = {
    "images": 1000, "generated": 1000, "iterations": 6, "batch": 50, "least_steps": 250, "first_steps": 250,
    "steps": 250, "lecture_steps": 85, "half": True, "model": {"filters": 16, "init": "he", "lr": 0.003},
}  # fmt: skip
SMOKE: dict[str, Any] = {
    "images": 200, "generated": 100, "iterations": 2, "batch": 20, "first_steps": 60, "steps": 20, "lecture_steps": 3,
    "model": {"filters": 8, "init": "he", "lr": 0.01}, "sampling": {"limit": 10},
}  # fmt: skip
# From all of the data, and long enough that what the first iteration draws are digits.
LONG: dict[str, Any] = {
    "generated": 5000, "iterations": 10, "least_steps": 1000, "first_steps": 6000, "steps": 3000, "half": True,
}  # fmt: skip
TINY: dict[str, Any] = {
    "images": 200, "generated": 100, "iterations": 2, "batch": 20, "later_batch": 50, "first_steps": 20, "steps": 10,
}  # fmt: skip
FIGURE_SCALES: dict[str, dict[str, dict[str, Any]]] = {  # what each changes for an architecture
    "cpu": {
        "WTA": CPU,
        "DCGAN": {**LONG, "batch": 64, "later_batch": None, "model": {"filters": 16, "lr": 1e-3, "z": 32}},
        "StyleGAN": {**LONG, "batch": 32, "later_batch": None, "first_steps": 2400, "steps": 800},
        "ConvVAE": LONG,
        "ConvAE": {
            "images": 5000, "generated": 1000, "least_steps": 1000, "half": True, "model": {"filters": 64},
            "sampling": {"ink": 0.13, "salt": 0.05},  # without, images of a model that learned so little fade to grey
        },
    },
    "try": {"WTA": TRY},
    "smoke": {
        "WTA": SMOKE,
        "DCGAN": {**TINY, "model": {"filters": 2}},
        "StyleGAN": {**TINY, "model": {"filters": 2, "z": 4}},
        "ConvVAE": {**TINY, "model": {"filters": 4, "width": 16}},
        "ConvAE": {**TINY, "iterations": 1, "model": {"filters": 8}, "sampling": {"limit": 5}},
    },
}  # fmt: skip


@dataclass(frozen=True)
class WordTraining(IteratedTraining):
    """A run of iterated learning of words, or of running text. images: how many words are learned at first.

    keep: which of the generated words are learned: "invented", those that are not in the list, or "all". temperature:
    of what is generated.
    """

    kind, architecture = "words", "CharRNN"
    data: str = "words"
    keep: str = "invented"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("keep", self.keep, ["invented", "all"])
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature is {self.temperature}: give a number over 0, such as 1")

    def metadata(self) -> dict[str, Any]:
        return {"kind": self.kind, "sampling": {"temperature": self.temperature}}


LIST: dict[str, Any] = {"iterations": 10, "decay": "linear", "half": True, "model": {"hidden": 256, "lr": 3e-3}}
WORDS = _by_name([
    WordTraining("words", "Words That Are Not", **LIST),
    WordTraining("words-replace", "Words, only the last ones kept", teaching="replace", **LIST),
])  # fmt: skip
WORD_SCALES: dict[str, dict[str, Any]] = {
    "paper": {},
    "cpu": {"images": 12_000, "generated": 6000, "batch": 200, "epochs": 25, "steps": 200, "model": {"hidden": 128}},
    "try": {"images": 5000, "generated": 2000, "batch": 200, "iterations": 4, "epochs": 20, "steps": 60,
            "model": {"hidden": 96}},
    "smoke": {"images": 400, "generated": 100, "iterations": 2, "batch": 20, "first_steps": 60, "steps": 20,
              "model": {"hidden": 32, "lr": 0.01}},
}  # fmt: skip


@dataclass(frozen=True)
class DecoderTraining(Training):
    """A creative decoder. What the paper does not say is as usual: batches of 128, Adam, a linearly falling rate."""

    kind = "decoder"
    batch: int = 128
    steps: int = 7_035  # 15 epochs of 60,000 images
    architecture: str = "VAE"  # or "ConvVAE", "DCGAN": whatever decodes codes through hidden layers
    model: dict[str, Any] = field(default_factory=dict)  # its Config
    size: int = 28  # pixels
    color: bool = False
    silent: float = 0.75  # the share of the activations of channels that count as off; of units, those that are 0 do
    how: dict[str, Any] = field(default_factory=dict)  # of samplers.Creative, before calibration

    def __post_init__(self) -> None:
        self._check(batch=1, steps=1, images=1, size=1)
        choose("architecture of a decoder", self.architecture, ["VAE", "ConvVAE", "DCGAN"])


# Channels are few: a band of fourteen percentiles would hold none. Figure 3 has no settings; these are ours.
CHANNELS: dict[str, Any] = {"color": True, "how": {"band": (0.0, 50.0), "fill": "typical", "gain": 4.0}}
DECODERS = _by_name([
    DecoderTraining("creative-mnist", "Digits", "mnist"),
    DecoderTraining("creative-fashion", "Clothes", "fashion"),
    DecoderTraining("creative-both", "Digits and clothes", "mnist+fashion", steps=14_070, model={"z": 100}),
    DecoderTraining("creative-celeba", "Faces", "celeba", architecture="ConvVAE", size=64, model={"z": 100},
                    **CHANNELS),
    DecoderTraining("creative-wikiart", "Paintings", "folder:wikiart", architecture="DCGAN", size=64, **CHANNELS),
    DecoderTraining("creative-tinted", "Clothes in colour", "tinted:fashion", architecture="ConvVAE", size=32,
                    **CHANNELS),
])  # fmt: skip
TABLE1 = ["creative-mnist", "creative-fashion", "creative-both"]  # the three sets of the table; the others, figure 3
DECODER_SMOKE: dict[str, Any] = {"images": 300, "steps": 100, "batch": 50}
SMALL: dict[str, dict[str, Any]] = {  # in so few steps a whole KL term would only teach that all codes are the same
    "VAE": {"widths": (120, 60, 40), "z": 6, "lr": 4e-3, "beta": 0.05},
    "ConvVAE": {"filters": 8, "z": 8, "lr": 3e-3, "beta": 0.05},
    "DCGAN": {"filters": 8, "z": 8, "lr": 1e-3},
}
Points = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class KaleidoscopeTraining(Training):
    """A kaleidoscopic network, and how it is sampled. The defaults are the published ones for MNIST.

    data: the name of a data set, or "points": those given, of d coordinates from 0 to 1, all in every batch.
    """

    kind, architecture = "kaleidoscope", "Manifold"
    data: str = "points"
    scale: str = "paper"
    points: Points = ()
    batch: int = 1000
    steps: int = 10_000
    model: dict[str, Any] = field(default_factory=dict)  # Manifold.Config, but for the shape of the images
    size: int = 28  # pixels
    color: bool = False
    start: str = "uniform"  # noise, or "normal"
    perturbation: float = 0.01
    mode: str = "centred"  # or "published", "none"
    runs: int = 300

    def __post_init__(self) -> None:
        given: Any = self.points  # from JSON or a command line lists, or of points on a line numbers
        points = tuple(tuple(point) if isinstance(point, (list, tuple)) else (point,) for point in given)
        object.__setattr__(self, "points", points)
        choose("start", self.start, ["uniform", "normal"])
        choose("mode", self.mode, MODES)
        self._check(batch=1, steps=1, runs=1, images=2, size=1)
        if not 0 <= self.perturbation <= 1:
            raise ValueError(f"perturbation is {self.perturbation}: give a strength from 0 to 1, as 0.01")
        if self.data != "points":
            if points:
                raise ValueError(f"data is {self.data}, and points are given: leave out one, only one is learned")
            return
        if len(points) < 2:
            raise ValueError(f"{len(points)} training point(s): everything would fall onto one, give two or more")
        if len({len(point) for point in points}) > 1 or not points[0]:
            raise ValueError("the training points differ in their number of coordinates: give all the same, 1 or more")
        for value in (value for point in points for value in point):
            if type(value) not in (int, float) or not 0 <= value <= 1:
                raise ValueError(f"a training point has the coordinate {value!r}: the output is bounded, give 0 to 1")

    def metadata(self) -> dict[str, Any]:
        sampling = {name: getattr(self, name) for name in ("start", "perturbation", "mode", "runs")}
        return {"kind": self.kind, "sampling": sampling}


def scattered(count: int, dimension: int, seed: int = 0) -> Points:
    """Points spread at random over the unit cube."""
    draw = Random(seed)
    return tuple(tuple(draw.random() for _ in range(dimension)) for _ in range(count))


# The published L counts all linear layers of the nets for points, hidden ones only of those for images.
ON_POINTS: dict[str, Any] = {"steps": 2000, "start": "normal", "mode": "none", "runs": 30, "half": False}
CORNERS = ((0.2, 0.2), (0.2, 0.8), (0.8, 0.2), (0.8, 0.8))


def _net(depth: int, width: int, output: str = "sigmoid") -> dict[str, Any]:
    return {"depth": depth, "width": width, "output": output, "lr": 1e-3}


KALEIDOSCOPES = _by_name([
    KaleidoscopeTraining("kaleidoscope-1d", "Two points", points=((0.2,), (0.8,)), model=_net(6, 10), **ON_POINTS),
    KaleidoscopeTraining(
        "kaleidoscope-1d-four", "Four points", points=((0.1,), (0.4,), (0.6,), (0.9,)), model=_net(9, 10, "tanh"),
        **ON_POINTS,
    ),
    KaleidoscopeTraining("kaleidoscope-2d", "Four corners", points=CORNERS, model=_net(6, 50), **ON_POINTS),
    KaleidoscopeTraining(
        "kaleidoscope-dimension", "Scattered points", points=scattered(64, 4), model=_net(6, 50),
        **{**ON_POINTS, "steps": 10_000},
    ),
    KaleidoscopeTraining("kaleidoscope-depth", "Digits, for the depth study", "mnist"),
    KaleidoscopeTraining("kaleidoscope-mnist", "Digits", "mnist"),
    KaleidoscopeTraining("kaleidoscope-fashion", "Clothes", "fashion"),
    KaleidoscopeTraining(
        "kaleidoscope-dogs", "Dogs", "folder:cifar10-dogs", images=1000, size=32, color=True, model={"width": 2000}
    ),
    KaleidoscopeTraining(
        "kaleidoscope-celeba", "Faces", "celeba", images=1000, size=64, color=True, model={"width": 2000}
    ),
])  # fmt: skip

# On two cores: the digits as published, in 20 minutes; colour with fewer, smaller pictures and a smaller network; the
# sweeps with a network of which some 70 are trained in half an hour.
IN_COLOUR: dict[str, Any] = {"images": 300, "batch": 300, "size": 32, "steps": 4000, "model": {"width": 500}}
KALEIDOSCOPE_CPU: dict[str, dict[str, Any]] = {
    "kaleidoscope-dimension": {"steps": 2000},
    "kaleidoscope-depth": {"images": 1000, "batch": 250, "steps": 2000, "model": {"width": 200, "lr": 1e-3}},
    "kaleidoscope-dogs": IN_COLOUR,
    "kaleidoscope-celeba": IN_COLOUR,
}
KALEIDOSCOPE_SMALL: dict[str, Any] = {"images": 60, "batch": 30, "steps": 300, "runs": 30}  # of pictures, in seconds
NARROW: dict[str, Any] = {"depth": 4, "width": 60, "lr": 2e-3}
LETTERS = tuple(ascii_uppercase)
CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FONTS = "toolkit/data/fonts.txt"  # packages, versions and licences


@dataclass(frozen=True)
class ClassifierTraining(Training):
    """A classifier. The learning rate falls linearly to 0.

    each: images of every class in an epoch, some of them repeated or left out; None: as many as there are. vary: the
    strength of augmentation (`train.augment`). typefaces: those that were learned; found when the data is read.
    """

    kind, architecture = "judge", "Judge"
    classes: tuple[str, ...] = ()
    each: int | None = None
    vary: float = 1.0
    batch: int = 128
    steps: int = 4000
    model: dict[str, Any] = field(default_factory=lambda: {"filters": 16, "hidden": 256})  # Judge.Config
    typefaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check(batch=1, steps=1, images=1, each=1)
        if not 0 <= self.vary <= 1:
            raise ValueError(f"vary is {self.vary}: give a strength from 0 to 1")

    def metadata(self) -> dict[str, Any]:
        published = self.typefaces and self.data in [preset.data for preset in CLASSIFIERS.values()]
        return {"kind": self.kind, "typefaces": len(self.typefaces), **({"fonts": FONTS} if published else {})}


CLASSIFIERS = _by_name([
    ClassifierTraining("judge-digits", "Digits", "mnist", classes=DIGITS, vary=0.5, steps=3000),
    ClassifierTraining("judge-letters", "Letters", "letters:fonts", classes=LETTERS, each=2500),
    ClassifierTraining("judge-digits-letters", "Digits and letters", "mnist+letters:fonts", classes=DIGITS + LETTERS,
                       each=2500, steps=5000),
    ClassifierTraining("judge-fashion", "Clothes", "fashion", classes=CLOTHES, vary=0.0, steps=3000),
])  # fmt: skip
# As published: more filters, and up to 300 epochs, of which the paper keeps the best.
PAPER: dict[str, Any] = {"steps": 60_000, "model": {"filters": 64, "hidden": 1024}}
JUDGE_SMOKE: dict[str, Any] = {
    "images": 500, "steps": 100, "batch": 50, "model": {"filters": 4, "hidden": 32, "lr": 3e-3},
}  # fmt: skip


@dataclass(frozen=True)
class Divergence(Training):
    """A training away from the data.

    method: one of METHODS. data: what it learns from; "" for none. base: the experiment whose model it starts from, of
    which iteration, None for the last; "" for a new one. judge: the classifier that measures it. known: those of its
    classes that the model learned. kept: the steps whose models are kept. how: settings of the method.
    """

    kind = "divergence"
    method: str = ""
    base: str = ""
    iteration: int | None = None
    judge: str = "judge-digits-letters"
    known: tuple[str, ...] = ()
    kept: tuple[int, ...] = (0,)
    batch: int = 64
    architecture: str = "DCGAN"  # of a new model, or "StyleGAN"
    model: dict[str, Any] = field(default_factory=dict)  # its Config
    how: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check(batch=2, images=1)
        choose("method", self.method, METHODS)
        choose("architecture", self.architecture, ["DCGAN", "StyleGAN"])
        if not self.kept or self.kept[0] < 0 or sorted({*self.kept}) != [*self.kept]:
            raise ValueError(f"kept is {[*self.kept]}: give steps from 0 in rising order, such as 0, 25, 50, 100")
        if self.method == "without data" and self.data:
            raise ValueError(f"data is {self.data}, and {self.name} learns without data: leave it out")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values, without those of `LATER` that have their default."""
        return _compact(self)


SMALL_GAN = {"filters": 8, "z": 32, "lr": 1e-3}
ON_DIGITS: dict[str, Any] = {"data": "mnist", "judge": "judge-digits-letters", "known": DIGITS}
ON_CLOTHES: dict[str, Any] = {"data": "fashion", "judge": "judge-fashion"}
GAN: dict[str, Any] = {"method": "adversarial", "kept": (100, 300, 600, 1000, 1600), "model": SMALL_GAN}
STYLED: dict[str, Any] = {"method": "adversarial", "architecture": "StyleGAN", "batch": 32,
                          "kept": (200, 600, 1500, 3000, 5000)}  # fmt: skip
STYLED_SCALES: dict[str, dict[str, Any]] = {  # published is no such size: a network as wide and deep as the paper's
    "paper": {"kept": (1000, 5000, 20_000, 50_000, 100_000), "model": {"filters": 128, "z": 512, "depth": 8}},
    "try": {"kept": (200, 500, 1000), "images": 10_000, "model": {"filters": 8}},
}
CAN: dict[str, Any] = {"method": "creative adversarial", "kept": (0, 25, 50, 100, 200), "how": {"ambiguity": 3.0}}
HACKED: dict[str, Any] = {"method": "loss hacking", "kept": (0, 2, 5, 10, 20, 40, 80),
                          "how": {"lr": 1e-3, "form": "logit"}}  # fmt: skip
TUNED: dict[str, Any] = {"method": "fine-tuning", "kept": (0, 10, 25, 50, 100, 200, 400), "batch": 128}
FED: dict[str, Any] = {"method": "feedback", "kept": (0, 1, 2, 4, 8), "batch": 128, "how": {"steps": 30, "rate": 0.3}}
LED: dict[str, Any] = {"method": "external knowledge", "kept": (0, 10, 25, 50, 100, 200), "batch": 16}
DIVERGENCES = _by_name([
    Divergence("gan-mnist", "Digits, adversarially", **ON_DIGITS, **GAN),
    Divergence("gan-fashion", "Clothes, adversarially", **ON_CLOTHES, **GAN),
    Divergence("stylegan-mnist", "Digits, by styles", **ON_DIGITS, **STYLED),
    Divergence("stylegan-fashion", "Clothes, by styles", **ON_CLOTHES, **STYLED),
    Divergence("can-mnist", "Digits of no kind", base="gan-mnist", **ON_DIGITS, **CAN),
    Divergence("can-fashion", "Clothes of no kind", base="gan-fashion", **ON_CLOTHES, **CAN),
    Divergence("hacked-mnist", "Digits that look fake", base="gan-mnist", **(ON_DIGITS | {"data": ""}), **HACKED),
    Divergence("hacked-fashion", "Clothes that look fake", base="gan-fashion",
               **(ON_CLOTHES | {"data": ""}), **HACKED),
    Divergence("without-data", "Colours without data", method="without data", kept=(0, 20, 40, 80, 140, 200), batch=16,
               model={"filters": 8, "z": 32, "channels": 3}, how={"diversity": 2.0, "lr": 1e-3}),
    Divergence("tune-digits-clothes", "Digits on the way to clothes", base="creative-mnist",
               **(ON_DIGITS | {"data": "fashion"}), **TUNED),
    Divergence("tune-clothes-digits", "Clothes on the way to digits", base="gan-fashion",
               **(ON_CLOTHES | {"data": "mnist"}), **TUNED),
    Divergence("feedback-clothes-digits", "Half clothes, half digits, left to itself", base="tune-clothes-digits",
               iteration=5, **(ON_CLOTHES | {"data": ""}), **FED),
    Divergence("towards-eight", "Digits led towards 8", base="creative-mnist",
               **(ON_DIGITS | {"data": "sample:mnist"}), **LED, how={"to": "8"}),
    Divergence("towards-a", "Digits led towards a letter never seen", base="creative-mnist",
               **(ON_DIGITS | {"data": ""}), **LED, how={"start": "1", "to": "A"}),
    Divergence("towards-bag", "Clothes led towards bags", base="creative-fashion",
               **(ON_CLOTHES | {"data": "sample:fashion"}), **LED, how={"to": "bag"}),
])  # fmt: skip


# Of gradient ascent on the image: steps of each octave; strength: how far pixels move in a step, of 1.
DREAM: dict[str, Any] = {"steps": 10, "octaves": 4, "strength": 0.008, "jitter": 8}  # on photographs
SMALL_DREAM: dict[str, Any] = {"steps": 40, "octaves": 1, "strength": 0.03, "jitter": 1, "layer": "body.4"}
STYLE: dict[str, Any] = {"lr": 0.03, "direction": "adam", "octaves": 2, "zoom": 2, "jitter": 2}

PRESETS: dict[str, Training] = {**FIGURES, **WORDS, **DECODERS, **KALEIDOSCOPES, **CLASSIFIERS, **DIVERGENCES}
NAMES = {kind: [it.name for it in PRESETS.values() if it.kind == kind]
         for kind in ("iterations", "words", "decoder", "kaleidoscope", "judge", "divergence")}  # fmt: skip
SCALES = ("paper", "cpu", "smoke")  # of every preset; words, StyleGANs, and figures with "WTA": also "try"
SUBJECTS = {"mnist": "Digits", "fashion": "Clothes", "kmnist": "Kuzushiji characters", "wikiart": "Paintings",
            "omniglot": "Omniglot characters", "emnist-letters": "Letters", "letters": "Letters", "celeba": "Faces",
            "cifar10-dogs": "Dogs", "words": "Words"}  # fmt: skip
CLASSES = {"mnist": DIGITS, "fashion": CLOTHES, "letters": LETTERS}


def preset(name: str, scale: str = "paper", /, *, as_written: bool = False, **changes: Any) -> Any:
    """The settings of a name in `NAMES` at a scale, with changes: preset("fig2", "cpu", model={"filters": 32}).

    scale: "paper", the published sizes; "cpu", what two cores can do; "try", minutes (words, StyleGANs, and figures of
    the winner-take-all autoencoder); "smoke", seconds, to see that it works. Decoders and divergences other than
    StyleGANs are the same at the first two.
    as_written: such a figure by the rules of the paper's text instead of the published code's: lifetime sparsity of 5 %
    per channel, the same noise for the images of every iteration, and a stop at a mean squared change of 0.001, each
    image by itself. Its name is "fig2-as-written" then, if no other is given.
    changes: groups such as `model` and `sampling` are merged, option by option; `name` puts a run beside others of its
    preset. With other data the title follows, and the classes where known.
    Raises ValueError for an unknown preset, scale or setting.
    """
    base: Any = PRESETS[choose("preset", name, PRESETS)]
    choose("scale", scale, (*SCALES, "try"))
    published = base.kind not in ("decoder", "divergence") or base.architecture == "StyleGAN"  # else it fits two cores
    settings = {**asdict(base), "scale": "cpu" if scale == "paper" and not published else scale}
    architecture = changes.get("architecture", settings.get("architecture"))
    if architecture != settings.get("architecture"):
        settings["model"] = {}  # the options of another architecture
    if as_written and (base.kind != "iterations" or architecture != "WTA"):
        raise ValueError(f"{name} has one family of rules: leave out as_written")
    written = {**AS_WRITTEN, "name": f"{name}-as-written"} if as_written else {}
    for layer in (_scaled(base, scale, architecture), written, _followed(base, changes), changes):
        for key, value in layer.items():
            if isinstance(group := settings.get(key), dict):
                if not isinstance(value, dict):
                    raise ValueError(f"{key} is {value!r:.60}: it is a group of settings, give {key}.NAME=VALUE")
                value = {**group, **value}
            settings[key] = value
    return type(base).from_dict(settings)


def _scaled(base: Any, scale: str, architecture: str | None) -> dict[str, Any]:
    """The changes that a scale makes to a preset."""
    smoke = scale == "smoke"
    if base.kind == "words":
        return WORD_SCALES[scale]
    if scale == "try" and (base.kind, architecture) not in (("iterations", "WTA"), ("divergence", "StyleGAN")):
        raise ValueError(f"{base.name} has no scale try: choose {', '.join(SCALES[:-1])} or {SCALES[-1]}")
    if base.kind == "iterations":
        return FIGURE_SCALES.get(scale, {}).get(str(architecture), {})
    if base.kind == "judge":
        return {"paper": PAPER, "cpu": {}, "smoke": JUDGE_SMOKE}[scale]
    if base.kind == "kaleidoscope" and not smoke:
        return KALEIDOSCOPE_CPU.get(base.name, {}) if scale == "cpu" else {}
    if not smoke:
        return STYLED_SCALES.get(scale, {}) if base.architecture == "StyleGAN" else {}
    if base.kind == "decoder":
        return {**DECODER_SMOKE, "model": SMALL.get(str(architecture), {})}
    if base.kind == "divergence":
        kept = (1, 2, 3)[: len(base.kept)]
        return {"images": 200, "batch": 16, "kept": kept, "iteration": None, "model": {"filters": 2, "z": 4}}
    return {"steps": 300, "runs": 8, "model": {"lr": 3e-3}} if base.points else {**KALEIDOSCOPE_SMALL, "model": NARROW}


def _followed(base: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """The title of a preset on other data, and the classes of a classifier, as far as they follow from it."""
    data = changes.get("data", base.data)
    if not isinstance(data, str) or data == base.data or not (data and base.data):
        return {}
    old, new, found = _subject(base.data), _subject(data), dict[str, Any]()
    if base.kind != "iterations" or base.title == old:  # most figures are titled by their rules
        for before, after in ((old, new), (old.lower(), new.lower())):
            if before in base.title:
                found = {"title": base.title.replace(before, after, 1)}
                break
    classes = CLASSES.get(data.removesuffix("?invert").removeprefix("sample:").partition(":")[0])
    return {**found, "classes": classes} if classes and base.kind == "judge" else found


def _subject(data: str) -> str:
    """What a data set shows, for a title: "mnist+fashion" -> "Digits and clothes", "folder:my/marks" -> "marks"."""
    kind, _, rest = data.removesuffix("?invert").partition(":")
    if kind in ("folder", "text"):
        last = rest.rstrip("/").rpartition("/")[2]
        return SUBJECTS.get(last, last)
    if "+" in data:
        one, _, other = data.partition("+")
        return f"{_subject(one)} and {_subject(other).lower()}"
    if kind == "tinted":
        return f"{_subject(rest)} in colour"
    return SUBJECTS.get(rest if kind == "sample" else kind, data)
