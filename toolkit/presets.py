"""One preset per figure of "Datasets That Are Not", at three scales: paper, cpu (an hour or two), smoke (seconds).

And one of the model that it all began with, "Digits That Are Not" (2016).
"""

import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .iterated_learning import check_share
from .models import MODELS
from .options import checked, choose
from .samplers import Sampling
from .train import DECAY


@dataclass(frozen=True)
class Filter:
    """Which of the images said are accumulated: written BY:SHARE, BY:SHARE:JUDGE or picks:FILE.

    by: "novelty", the share that is farthest from its nearest training image; "objectness", the share that a judge is
    surest of; "picks", the seeds in a person's file. source: the judge, a shipped one's name or a file; or the picks.
    """

    by: str
    share: float = 1.0
    source: str = ""

    @staticmethod
    def read(text: str) -> "Filter":
        """Raises ValueError for what is no filter."""
        by, _, rest = text.partition(":")
        if choose("filter", by, ["novelty", "objectness", "picks"]) == "picks":
            if not rest:
                raise ValueError("filter picks names no file: write picks:FILE")
            return Filter(by, source=rest)
        share, _, source = rest.partition(":")
        try:
            check_share(found := float(share))
        except ValueError:
            raise ValueError(f"filter {text}: write {by}:SHARE, a share over 0 and at most 1") from None
        return Filter(by, found, source)


@dataclass(frozen=True)
class Experiment:
    """Everything that determines a run. The defaults are the published settings of figure 2 (the paper, section 3)."""

    name: str  # also of its folder
    title: str
    figure: str
    scale: str = "paper"
    seed: int = 0
    data: str = "mnist"
    images: int | None = None  # how many of the data to start from; None: all
    iterations: int = 20
    generated: int = 60_000  # images said per iteration
    teaching: str = "accumulate"  # or "replace", or "lecture": a frozen teacher's fresh samples
    share: float = 1.0  # of the data kept from one iteration to the next
    inheritance: str = "preserve"  # or "reset": the same initial weights, or "fresh"
    noise: str = "fresh"  # of the images said: "fresh" every iteration (published code), or "fixed" (published text)
    model: dict[str, Any] = field(default_factory=dict)  # the architecture's Config
    sampling: Sampling = field(default_factory=Sampling)
    batch: int = 100
    epochs: int = 15  # per iteration, over the data as they have grown
    least_steps: int | None = None  # at least so many steps in the first iteration, and in any that starts anew
    first_steps: int | None = None  # at most so many there
    steps: int | None = None  # at most so many in each later one
    lecture_steps: int = 3000  # per iteration from the second, when teaching is "lecture"
    decay: str = "constant"  # of the learning rate within an iteration, or "linear"
    optimiser: str = "carried"  # with the weights from one iteration to the next, moments and all, or "fresh"
    half: bool = False  # checkpoints in half precision; what is stored is what teaches
    architecture: str = "WTA"
    size: int | None = None  # pixels that images are resized to; None: as they are
    later_batch: int | None = None  # from the second iteration; None: the same
    filter: str | None = None  # between saying and accumulating: `Filter`

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.name, re.ASCII):
            raise ValueError(f"name {self.name!r} is no folder's: give letters, digits, - and _")
        choose("architecture", self.architecture, MODELS)
        choose("teaching", self.teaching, ["accumulate", "replace", "lecture"])
        choose("inheritance", self.inheritance, ["preserve", "reset", "fresh"])
        choose("decay", self.decay, DECAY)
        choose("noise", self.noise, ["fresh", "fixed"])
        choose("optimiser", self.optimiser, ["carried", "fresh"])
        if min(self.iterations, self.generated, self.batch, self.epochs) < 1:
            raise ValueError("iterations, generated, batch and epochs are at least 1")
        for name in ("images", "size", "later_batch", "least_steps", "first_steps", "steps"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ValueError(f"{name} is {number}: give at least 1, or none")
        if self.rule and self.teaching == "lecture":
            raise ValueError("teaching is lecture: it makes no set to filter, take accumulate or replace")

    @property
    def rule(self) -> Filter | None:
        """The filter, read."""
        return Filter.read(self.filter) if self.filter else None

    @property
    def said(self) -> int:
        """Images said per iteration: so many more than `generated` as the filter drops."""
        return math.ceil(self.generated / self.rule.share) if self.rule else self.generated

    def as_dict(self) -> dict[str, Any]:
        """The experiment as plain JSON values.

        Settings that came later are left out where they are as they always were, so that older runs can go on.
        """
        return {**_told(self, LATER), "sampling": self._sampling()}

    def says(self) -> dict[str, Any]:
        """What its config.json says beside its title and settings: how it is sampled."""
        return {"kind": "iterations", "sampling": self._sampling()}

    def _sampling(self) -> dict[str, Any]:
        return _told(self.sampling, LATER)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Experiment":
        """The inverse of `as_dict`. Raises ValueError for a setting that this version does not know."""
        sampling = Sampling(**checked("sampling", Sampling, values.get("sampling", {})))
        older = {"optimiser": "fresh"}  # before it was a setting
        return Experiment(**checked("an experiment", Experiment, {**older, **values, "sampling": sampling}))


LATER = ("architecture", "size", "later_batch", "filter", "ink", "salt", "least_steps")


def _told(settings: Any, later: tuple[str, ...]) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(settings) if field.name in later}
    return {name: value for name, value in asdict(settings).items() if name not in defaults or value != defaults[name]}


def _baseline(number: int, architecture: str, title: str, inheritance: str) -> Experiment:
    """The models that the paper compares with: images of 32 pixels, batches of 100 and then 500, 100 epochs."""
    return Experiment(
        f"fig{number}", title, str(number), inheritance=inheritance, architecture=architecture, size=32,
        later_batch=500, epochs=100,
    )  # fmt: skip


def _figure(number: int, title: str, *, output: str = "linear", **settings: Any) -> Experiment:
    """A figure of the winner-take-all autoencoder, by the rules of the code published when it was made (autumn 2022).

    That code took the lifetime share per channel and position, which leaves nearly all winners; initialised all weights
    by N(0, 0.001); carried Adam with the weights; and let a batch of 500 images go on until its slowest had settled,
    which is nearly always 100 passes: here each image has 100, so that none depends on its neighbours.
    """
    model = {"lifetime_per": "position", "init": "published", **({} if output == "linear" else {"output": output})}
    return Experiment(f"fig{number}", title, str(number), model=model, sampling=Sampling(tol=0.0), **settings)


FIGURES = {
    experiment.name: experiment
    for experiment in [
        _figure(2, "Linear output, weights kept, data accumulated"),
        _figure(3, "Linear output, same initial weights each time", inheritance="reset"),
        _figure(4, "Sigmoid output, same initial weights each time", inheritance="reset", output="sigmoid"),
        _figure(5, "Sigmoid output, weights kept", output="sigmoid"),
        _figure(6, "No accumulation: only the last data set", teaching="replace"),
        _figure(7, "A frozen teacher and no data set", teaching="lecture"),
        _baseline(8, "DCGAN", "A GAN, weights kept", "preserve"),
        _baseline(9, "DCGAN", "A GAN, same initial weights each time", "reset"),
        _baseline(10, "ConvVAE", "A VAE, weights kept", "preserve"),
        _baseline(11, "ConvVAE", "A VAE, same initial weights each time", "reset"),
        _figure(12, "Kuzushiji characters", data="kmnist"),
        _figure(13, "Omniglot characters", data="omniglot"),
        Experiment(
            "digits-2016",
            "Digits That Are Not, the model of 2016",
            "2016",
            iterations=1,
            architecture="ConvAE",
            batch=64,
            epochs=100,
            sampling=Sampling(tol=0.0),  # 100 passes; no other would change an image that one leaves as it is
        ),
    ]
}

# The rules of the paper's text where the code that its figures were made with has others: see `preset`.
AS_WRITTEN: dict[str, Any] = {
    "noise": "fixed",
    "model": {"lifetime_per": "channel", "init": "he"},  # N(0, 0.001) does not learn under that rule
    "sampling": {"tol": 1e-3},
}
# Two cores: fewer filters and images, and nothing else. A lecture is a third of a first training, as it is published.
CPU: dict[str, Any] = {
    "images": 2000, "generated": 2000, "iterations": 10, "least_steps": 1000, "lecture_steps": 100, "half": True,
    "model": {"filters": 64},
}  # fmt: skip
SMOKE: dict[str, Any] = {
    "images": 200, "generated": 100, "iterations": 2, "batch": 20, "first_steps": 60, "steps": 20, "lecture_steps": 3,
    "model": {"filters": 8, "init": "he", "lr": 0.01}, "sampling": {"limit": 10},
}  # fmt: skip
FEW: dict[str, Any] = {"images": 5000, "generated": 5000, "half": True}
# From all of the data, and long enough that what the first iteration draws are digits.
LONG: dict[str, Any] = {"generated": 5000, "iterations": 10, "first_steps": 6000, "steps": 3000, "half": True}
TINY: dict[str, Any] = {
    "images": 200, "generated": 100, "iterations": 2, "batch": 20, "later_batch": 50, "first_steps": 20, "steps": 10,
}  # fmt: skip
SCALES: dict[str, dict[str, dict[str, Any]]] = {  # and what each changes for an architecture
    "paper": {},
    "cpu": {
        "WTA": CPU,
        "DCGAN": {**LONG, "batch": 64, "later_batch": None, "model": {"filters": 16, "lr": 1e-3, "z": 32}},
        "ConvVAE": LONG,
        "ConvAE": {
            **FEW,
            "generated": 1000,
            "model": {"filters": 64},
            "sampling": {"ink": 0.13, "salt": 0.05},  # plain dreams of a model that learned so little fade to grey
        },
    },
    "smoke": {
        "WTA": SMOKE,
        "DCGAN": {**TINY, "model": {"filters": 2}},
        "ConvVAE": {**TINY, "model": {"filters": 4, "width": 16}},
        "ConvAE": {**TINY, "iterations": 1, "model": {"filters": 8}, "sampling": {"limit": 5}},
    },
}


def preset(figure: str, scale: str = "paper", /, *, as_written: bool = False, **changes: Any) -> Experiment:
    """The experiment of one figure at one scale, changed at will: preset("fig2", "cpu", seed=1, model={"filters": 32}).

    as_written: a figure of the winner-take-all autoencoder by the rules of the paper's text instead of the published
    code's: lifetime sparsity of 5 % per channel, the same noise for the images of every iteration, and a stop at a mean
    squared change of 0.001, each image by itself. Its name is "fig2-as-written" then, if no other is given.
    `model` and `sampling` are merged, option by option. `name`: of a run beside others of the same figure,
    "fig2-seed1". Raises ValueError for an unknown preset, scale or setting.
    """
    choose("preset", figure, FIGURES)
    choose("scale", scale, SCALES)
    settings = {**FIGURES[figure].as_dict(), "scale": scale}
    architecture = changes.get("architecture", FIGURES[figure].architecture)
    if architecture != FIGURES[figure].architecture:
        settings["model"] = {}  # the options of another architecture
    written: dict[str, Any] = {}
    if as_written:
        if architecture != "WTA":
            raise ValueError(f"{figure} has one family of rules: leave out as_written")
        written = {**AS_WRITTEN, "name": f"{figure}-as-written"}
    for layer in (SCALES[scale].get(architecture, {}), written, changes):
        for key, value in layer.items():
            if isinstance(group := settings.get(key), dict):
                if not isinstance(value, dict):
                    raise ValueError(f"{key} is {value!r:.60}: it is a group of settings, give {key}.NAME=VALUE")
                value = {**group, **value}
            settings[key] = value
    return Experiment.from_dict(settings)
