"""One preset per figure of "Datasets That Are Not", at three scales: paper, cpu (an hour or two), smoke (seconds)."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .options import checked, choose
from .samplers import Sampling
from .train import DECAY


@dataclass(frozen=True)
class Experiment:
    """Everything that determines a run. The defaults are the published settings of figure 2 (the paper, section 3)."""

    name: str
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
    model: dict[str, Any] = field(default_factory=dict)  # WTA.Config
    sampling: Sampling = field(default_factory=Sampling)
    batch: int = 100
    epochs: int = 15  # per iteration, over the data as they have grown
    first_steps: int | None = None  # at most so many steps in the first iteration
    steps: int | None = None  # and in each later one
    lecture_steps: int = 3000  # per iteration from the second, when teaching is "lecture"
    decay: str = "constant"  # of the learning rate within an iteration, or "linear"
    half: bool = False  # checkpoints in half precision; what is stored is what teaches

    def __post_init__(self) -> None:
        choose("teaching", self.teaching, ["accumulate", "replace", "lecture"])
        choose("inheritance", self.inheritance, ["preserve", "reset", "fresh"])
        choose("decay", self.decay, DECAY)
        choose("noise", self.noise, ["fresh", "fixed"])
        if min(self.iterations, self.generated, self.batch, self.epochs) < 1:
            raise ValueError("iterations, generated, batch and epochs are at least 1")

    def as_dict(self) -> dict[str, Any]:
        """The experiment as plain JSON values."""
        return asdict(self)

    def says(self) -> dict[str, Any]:
        """What its config.json says beside its title and settings: how it is sampled."""
        return {"kind": "iterations", "sampling": asdict(self.sampling)}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Experiment":
        """The inverse of `as_dict`. Raises ValueError for a setting that this version does not know."""
        sampling = Sampling(**checked("sampling", Sampling, values.get("sampling", {})))
        return Experiment(**checked("an experiment", Experiment, {**values, "sampling": sampling}))


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
        Experiment("fig12", "Kuzushiji characters", "12", data="kmnist"),
        Experiment("fig13", "Omniglot characters", "13", data="omniglot"),
    ]
}

# What was found to keep symbols bright and varied on two cores, at half the width: the README has the table of tries.
CPU: dict[str, Any] = {
    "images": 5000, "generated": 5000, "first_steps": 900, "steps": 300, "lecture_steps": 300, "decay": "linear",
    "half": True, "model": {"filters": 64, "lifetime": 0.1}, "sampling": {"limit": 30, "finish": "tone"},
}  # fmt: skip
SMOKE: dict[str, Any] = {
    "images": 200, "generated": 100, "iterations": 2, "batch": 20, "first_steps": 20, "steps": 10, "lecture_steps": 3,
    "model": {"filters": 8, "lifetime": 0.1, "lr": 0.003}, "sampling": {"limit": 5, "finish": "tone"},
}  # fmt: skip
SCALES: dict[str, dict[str, Any]] = {
    "paper": {},
    "cpu": CPU,
    "smoke": SMOKE,
}


def preset(name: str, scale: str = "paper", **changes: Any) -> Experiment:
    """The experiment of one figure at one scale, changed at will: preset("fig2", "cpu", seed=1, model={"filters": 32}).

    `model` and `sampling` are merged, option by option. Raises ValueError for an unknown preset, scale or setting.
    """
    choose("preset", name, FIGURES)
    choose("scale", scale, SCALES)
    settings = {**FIGURES[name].as_dict(), "scale": scale}
    for layer in (SCALES[scale], changes):
        for key, value in layer.items():
            settings[key] = {**settings[key], **value} if isinstance(settings.get(key), dict) else value
    return Experiment.from_dict(settings)
