"""One preset per experiment of "Generative Kaleidoscopic Networks"; scales: paper (GPU for colour), cpu, smoke."""

from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from ..options import checked, choose
from ..samplers.kaleidoscope import MODES
from .listed import KIND

Points = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Training:
    """Everything that determines a network, and how it is sampled. The defaults are the published ones for MNIST.

    data: the name of a data set, or "points": those given, of d coordinates from 0 to 1, learned all at once at every
    step. seed: of the first network; the next has the next.
    """

    name: str
    title: str
    data: str = "points"
    scale: str = "paper"
    seed: int = 0
    points: Points = ()
    images: int | None = None  # how many of the data; None: all
    batch: int = 1000
    steps: int = 10_000
    model: dict[str, Any] = field(default_factory=dict)  # Manifold.Config, but for the shape of the images
    size: int = 28  # pixels
    color: bool = False
    start: str = "uniform"  # noise, or "normal"
    perturbation: float = 0.01
    mode: str = "centred"  # or "published", "none"
    runs: int = 300
    half: bool = True  # checkpoints in half precision; what is stored is what is measured

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple(map(_point, self.points)))
        choose("start", self.start, ["uniform", "normal"])
        choose("mode", self.mode, MODES)
        if min(self.batch, self.steps, self.runs) < 1:
            raise ValueError(f"batch {self.batch}, steps {self.steps}, runs {self.runs}: each is at least 1")
        if self.images is not None and self.images < 2:
            raise ValueError(f"{self.images} training image: everything would fall onto it, give two or more")
        if not 0 <= self.perturbation <= 1:
            raise ValueError(f"perturbation is {self.perturbation}: give a strength from 0 to 1, as 0.01")
        if self.data == "points":
            _check(self.points)

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self)

    def says(self) -> dict[str, Any]:
        """What its config.json says beside its title and settings: how it is sampled."""
        sampling = {name: getattr(self, name) for name in ("start", "perturbation", "mode", "runs")}
        return {"kind": KIND, "sampling": sampling}


def _point(given: Any) -> tuple[float, ...]:
    """A point as JSON or a command line gives it: a list, or a number on a line."""
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _check(points: Points) -> None:
    if len(points) < 2:
        raise ValueError(f"{len(points)} training point(s): everything would fall onto one, give two or more")
    if len({len(point) for point in points}) > 1 or not points[0]:
        raise ValueError("the training points differ in their number of coordinates: give all the same, 1 or more")
    for value in (value for point in points for value in point):
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise ValueError(f"a training point has the coordinate {value!r}: the output is bounded, give 0 to 1")


def scattered(count: int, dimension: int, seed: int = 0) -> Points:
    """Points spread at random over the unit cube."""
    draw = Random(seed)
    return tuple(tuple(draw.random() for _ in range(dimension)) for _ in range(count))


# The published L counts all linear layers of the nets for points, hidden ones only of those for images.
ON_POINTS: dict[str, Any] = {"steps": 2000, "start": "normal", "mode": "none", "runs": 30, "half": False}
CORNERS = ((0.2, 0.2), (0.2, 0.8), (0.8, 0.2), (0.8, 0.8))


def _net(depth: int, width: int, output: str = "sigmoid") -> dict[str, Any]:
    return {"depth": depth, "width": width, "output": output, "lr": 1e-3}


PRESETS = {
    preset.name: preset
    for preset in [
        Training("kaleidoscope-1d", "Two points", points=((0.2,), (0.8,)), model=_net(6, 10), **ON_POINTS),
        Training(
            "kaleidoscope-1d-four", "Four points", points=((0.1,), (0.4,), (0.6,), (0.9,)), model=_net(9, 10, "tanh"),
            **ON_POINTS,
        ),
        Training("kaleidoscope-2d", "Four corners", points=CORNERS, model=_net(6, 50), **ON_POINTS),
        Training(
            "kaleidoscope-dimension", "Scattered points", points=scattered(64, 4), model=_net(6, 50),
            **{**ON_POINTS, "steps": 10_000},
        ),
        Training("kaleidoscope-depth", "Digits, for the depth study", "mnist"),
        Training("kaleidoscope-mnist", "Digits", "mnist"),
        Training("kaleidoscope-fashion", "Clothes", "fashion"),
        Training(
            "kaleidoscope-dogs", "Dogs", "folder:cifar10-dogs", images=1000, size=32, color=True, model={"width": 2000}
        ),
        Training("kaleidoscope-celeba", "Faces", "celeba", images=1000, size=64, color=True, model={"width": 2000}),
    ]
}  # fmt: skip

# On two cores: the digits as published, in 20 minutes; colour with fewer, smaller pictures and a smaller network; the
# sweeps with a network of which some 70 are trained in half an hour.
IN_COLOUR: dict[str, Any] = {"images": 300, "batch": 300, "size": 32, "steps": 4000, "model": {"width": 500}}
CPU: dict[str, dict[str, Any]] = {
    "kaleidoscope-dimension": {"steps": 2000},
    "kaleidoscope-depth": {"images": 1000, "batch": 250, "steps": 2000, "model": {"width": 200, "lr": 1e-3}},
    "kaleidoscope-dogs": IN_COLOUR,
    "kaleidoscope-celeba": IN_COLOUR,
}
SMALL: dict[str, Any] = {"images": 60, "batch": 30, "steps": 300, "runs": 30}  # of pictures, in seconds
NARROW: dict[str, Any] = {"depth": 4, "width": 60, "lr": 2e-3}
SCALES = ("paper", "cpu", "smoke")


def preset(name: str, scale: str = "paper", **changes: Any) -> Training:
    """The training of one experiment, changed at will: preset("kaleidoscope-mnist", seed=1, model={"depth": 4}).

    `model` is merged, option by option. Raises ValueError for an unknown preset, scale or setting.
    """
    choose("preset", name, PRESETS)
    choose("scale", scale, SCALES)
    settings = {**PRESETS[name].as_dict(), "scale": scale}
    for layer in (_scaled(PRESETS[name], scale), changes):
        for key, value in layer.items():
            settings[key] = {**settings[key], **value} if isinstance(settings.get(key), dict) else value
    return Training(**checked("a training", Training, settings))


def _scaled(training: Training, scale: str) -> dict[str, Any]:
    if scale != "smoke":
        return CPU.get(training.name, {}) if scale == "cpu" else {}
    return {"steps": 300, "runs": 8, "model": {"lr": 3e-3}} if training.points else {**SMALL, "model": NARROW}
