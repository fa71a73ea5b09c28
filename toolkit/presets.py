"""One preset per figure of "Datasets That Are Not", at three scales: paper, cpu (up to five hours), smoke (seconds).

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
    first_steps: int | None = None  # at most so many steps in the first iteration, and in any that starts anew
    steps: int | None = None  # and in each later one
    lecture_steps: int = 3000  # per iteration from the second, when teaching is "lecture"
    decay: str = "constant"  # of the learning rate within an iteration, or "linear"
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
        if min(self.iterations, self.generated, self.batch, self.epochs) < 1:
            raise ValueError("iterations, generated, batch and epochs are at least 1")
        if any(number is not None and number < 1 for number in (self.size, self.later_batch)):
            raise ValueError("size and later_batch are at least 1, or none")
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
        return Experiment(**checked("an experiment", Experiment, {**values, "sampling": sampling}))


LATER = ("architecture", "size", "later_batch", "filter", "ink", "salt")


def _told(settings: Any, later: tuple[str, ...]) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(settings) if field.name in later}
    return {name: value for name, value in asdict(settings).items() if name not in defaults or value != defaults[name]}


def _baseline(number: int, architecture: str, title: str, inheritance: str) -> Experiment:
    """The models that the paper compares with: images of 32 pixels, batches of 100 and then 500, 100 epochs."""
    return Experiment(
        f"fig{number}", title, str(number), inheritance=inheritance, architecture=architecture, size=32,
        later_batch=500, epochs=100,
    )  # fmt: skip


FIGURES = {
    experiment.name: experiment
    for experiment in [
        Experiment("fig2", "Linear output, weights kept, data accumulated", "2"),
        Experiment("fig3", "Linear output, same initial weights each time", "3", inheritance="reset"),
        Experiment(
            "fig4",
            "Sigmoid output, same initial weights each time",
            "4",
            inheritance="reset",
            model={"output": "sigmoid"},
        ),
        Experiment("fig5", "Sigmoid output, weights kept", "5", model={"output": "sigmoid"}),
        Experiment("fig6", "No accumulation: only the last data set", "6", teaching="replace"),
        Experiment("fig7", "A frozen teacher and no data set", "7", teaching="lecture"),
        _baseline(8, "DCGAN", "A GAN, weights kept", "preserve"),
        _baseline(9, "DCGAN", "A GAN, same initial weights each time", "reset"),
        _baseline(10, "ConvVAE", "A VAE, weights kept", "preserve"),
        _baseline(11, "ConvVAE", "A VAE, same initial weights each time", "reset"),
        Experiment("fig12", "Kuzushiji characters", "12", data="kmnist"),
        Experiment("fig13", "Omniglot characters", "13", data="omniglot"),
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

# What was found to keep symbols bright and varied on two cores, at half the width: checkpoints/fig2/README.md has all.
CPU: dict[str, Any] = {
    "images": 5000, "generated": 5000, "first_steps": 900, "steps": 300, "lecture_steps": 60, "decay": "linear",
    "half": True, "model": {"filters": 64, "lifetime": 0.1}, "sampling": {"limit": 30, "finish": "tone"},
}  # fmt: skip
# A sigmoid draws in black and white by itself; given the tones of the data, a picture of nothing would become a frame.
# Its output starts as dark as the data are, at sigmoid(-2) = 0.12: from 0.5, winners learn little else than to darken.
SIGMOID: dict[str, Any] = {"sampling": {"finish": "none"}, "model": {"bias": -2.0}}
SMOKE: dict[str, Any] = {
    "images": 200, "generated": 100, "iterations": 2, "batch": 20, "first_steps": 20, "steps": 10, "lecture_steps": 3,
    "model": {"filters": 8, "lifetime": 0.1, "lr": 0.003}, "sampling": {"limit": 5, "finish": "tone"},
}  # fmt: skip
FEW: dict[str, Any] = {"images": 5000, "generated": 5000, "half": True}
TINY: dict[str, Any] = {
    "images": 200, "generated": 100, "iterations": 2, "batch": 20, "later_batch": 50, "first_steps": 20, "steps": 10,
}  # fmt: skip
SCALES: dict[str, dict[str, dict[str, Any]]] = {  # and what each changes for an architecture
    "paper": {},
    "cpu": {
        "WTA": CPU,
        "DCGAN": {
            **FEW,
            "first_steps": 1600,
            "steps": 300,
            "batch": 64,
            "later_batch": None,
            "model": {"filters": 8, "lr": 1e-3, "z": 32},  # at the published rate, so few steps draw nothing but grey
        },
        "ConvVAE": {**FEW, "first_steps": 2000, "steps": 500},
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


def preset(figure: str, scale: str = "paper", /, **changes: Any) -> Experiment:
    """The experiment of one figure at one scale, changed at will: preset("fig2", "cpu", seed=1, model={"filters": 32}).

    `model` and `sampling` are merged, option by option. `name`: of a run beside others of the same figure,
    "fig2-seed1". Raises ValueError for an unknown preset, scale or setting.
    """
    choose("preset", figure, FIGURES)
    choose("scale", scale, SCALES)
    settings = {**FIGURES[figure].as_dict(), "scale": scale}
    architecture = changes.get("architecture", FIGURES[figure].architecture)
    sigmoid = {**FIGURES[figure].model, **changes.get("model", {})}.get("output") == "sigmoid"
    own = SIGMOID if sigmoid and architecture == "WTA" and scale != "paper" else {}
    for layer in (SCALES[scale].get(architecture, {}), own, changes):
        for key, value in layer.items():
            settings[key] = {**settings[key], **value} if isinstance(settings.get(key), dict) else value
    return Experiment.from_dict(settings)
