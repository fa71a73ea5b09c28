"""The trainings that diverge, as experiments with presets, and what is measured of them.

Pure: given a model to start from and images, `learned` yields snapshots, and `measured` looks at one of them. The
command `diverge` stores them. A new method is a function in METHODS, and a new preset a line in PRESETS.

Divergence is how far a picture lies from real ones, in the direction of the judge's features: blur and ink change their
length, other shapes turn them. In pixels a blank picture would be a common one, and in plain features too. The distance
from the same seed's picture not every machine has. Coherence is how sure the judge is, of whatever; it is sure of noise
too, so that noise has to be measured beside.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..config import checked, choose
from ..metrics.classifier import Eye, columns, count_by_max
from ..metrics.distance import blank_share, diversity
from ..metrics.image import as_float
from ..models import Lessons, create
from ..models.classifier import DIGITS
from ..seeds import Noise, child
from ..train import Shuffled, linear
from .chaining import fitted
from .creative_adversarial import Creativity, creative_adversarial
from .divergent_fine_tuning import feedback, fine_tune, loss_hacking, realness
from .external_knowledge import Guidance, between, follow, towards
from .snapshots import OnStep, Snapshot, check, learn, silent
from .without_data import Equilibrium, colours, without_data

if TYPE_CHECKING:
    from ..models import DCGAN
    from .without_data import Rivals


MEASURES = {
    "step": "steps of training so far",
    "confidence": "probability of the class that the judge holds for likeliest, averaged over the pictures",
    "out_of_class_share": "share of pictures that the judge surely takes for a class that the model never learned",
    "diversity": "mean distance between two pictures: 0 if all are equal",
    "blank_share": "share of pictures without a pixel above half brightness",
    "displacement": "distance from the same seed's first picture, root mean square per pixel",
    "realness": "what the discriminator of its base says of the pictures: 1 is real, 0 fake",
    "colours": "how much of all colours the pictures fill, each by its mean colour: 0 if alike; only of colour",
}
"""What each number of a snapshot says."""


@dataclass(frozen=True)
class Experiment:
    """Everything that determines a learner and what it learns.

    method: one of METHODS. data: what it learns from; "" for none. base: the experiment whose model it starts from, of
    which iteration, None for the last; "" for a new one. judge: who looks at it. known: classes that the model learned,
    of a judge that knows others too. how: settings of the method.
    """

    name: str
    title: str
    method: str
    data: str = ""
    base: str = ""
    iteration: int | None = None
    judge: str = "judge-digits-letters"
    known: tuple[str, ...] = ()
    kept: tuple[int, ...] = (0,)
    scale: str = "cpu"
    seed: int = 0
    images: int | None = None  # how many of the data; None: all
    batch: int = 64
    model: dict[str, Any] = field(default_factory=dict)  # the Config of a new DCGAN
    how: dict[str, Any] = field(default_factory=dict)
    half: bool = True  # checkpoints in half precision; what is stored is what is measured

    def __post_init__(self) -> None:
        choose("method", self.method, METHODS)
        check(self.kept)
        if self.batch < 2 or (self.images or 1) < 1:
            raise ValueError(f"batch {self.batch}, images {self.images}: at least 2 and 1")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self)

    def says(self) -> dict[str, Any]:
        """What its config.json says beside its title and settings."""
        return {"kind": "divergence"}


@dataclass(frozen=True, eq=False)
class Given:
    """What a method starts from: a model, and if it takes any, images, uint8 (N, C, H, W), labels (N,), a judge."""

    model: Any
    images: Tensor | None = None
    labels: Tensor | None = None
    judge: Any = None


Method = Callable[[Experiment, Given, OnStep], Iterator[Snapshot]]


def _adversarial(e: Experiment, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    """A plain GAN, from scratch: the base of the others."""
    lessons = Shuffled(_some(given.images), e.batch, child(e.seed, "shuffle"))
    return learn(cast("DCGAN", given.model), lessons, e.kept, on_step=on_step, decay=linear, seed=e.seed)


def _creative(e: Experiment, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    how = Creativity(**checked("creativity", Creativity, e.how))
    names = tuple(map(str, range(how.styles)))
    lessons = Lessons(_some(given.images), _some(given.labels), names, e.batch, child(e.seed, "shuffle"))
    return creative_adversarial(given.model, lessons, e.kept, how, on_step=on_step, seed=e.seed)


def _hacked(e: Experiment, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    return loss_hacking(given.model, e.kept, batch=e.batch, on_step=on_step, seed=e.seed, **e.how)


def _unlearned(e: Experiment, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    """What is kept of two rivals is the one; they are made to be taken for each other."""
    how = Equilibrium(**checked("an equilibrium", Equilibrium, e.how))
    other = cast("DCGAN", create("DCGAN", asdict(given.model.config), seed=child(e.seed, "rival")))
    for found in without_data(given.model, other, e.kept, how, batch=e.batch, on_step=on_step, seed=e.seed):
        yield replace(found, model=cast("Rivals", found.model).one)


def _tuned(e: Experiment, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    return fine_tune(given.model, _some(given.images), e.kept, batch=e.batch, on_step=on_step, seed=e.seed, **e.how)


def _fed_back(e: Experiment, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    return feedback(given.model, e.kept, batch=e.batch, on_step=on_step, seed=e.seed, **e.how)


def _led(e: Experiment, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    """Towards a class of the judge, `to`; away from the class `start`, or from images of all others."""
    goal, start, judge = e.how.get("to", ""), e.how.get("start"), given.judge
    how = Guidance(**checked("guidance", Guidance, {n: v for n, v in e.how.items() if n not in ("to", "start")}))
    choose("class", goal, judge.config.classes)

    def features(x: Tensor) -> Tensor:
        return judge.features(fitted(x, judge.image_shape))

    if start is not None:
        return follow(given.model, features, between(judge, start, goal), e.kept, how, on_step=on_step, seed=e.seed)
    x, there = _some(given.images).float() / 255, _some(given.labels) == judge.config.classes.index(goal)
    direction = towards(features, x[~there], x[there])
    return follow(given.model, features, direction, e.kept, how, on_step=on_step, seed=e.seed)


METHODS: dict[str, Method] = {
    "adversarial": _adversarial,
    "creative adversarial": _creative,
    "loss hacking": _hacked,
    "without data": _unlearned,
    "fine-tuning": _tuned,
    "feedback": _fed_back,
    "external knowledge": _led,
}

NARROW = {"filters": 8, "z": 32, "lr": 1e-3}
ON_DIGITS: dict[str, Any] = {"data": "mnist", "judge": "judge-digits-letters", "known": DIGITS}
ON_CLOTHES: dict[str, Any] = {"data": "fashion", "judge": "judge-fashion"}
GAN: dict[str, Any] = {"method": "adversarial", "kept": (100, 300, 600, 1000, 1600), "model": NARROW}
CAN: dict[str, Any] = {"method": "creative adversarial", "kept": (0, 25, 50, 100, 200), "how": {"ambiguity": 3.0}}
HACKED: dict[str, Any] = {"method": "loss hacking", "kept": (0, 2, 5, 10, 20, 40, 80),
                          "how": {"lr": 1e-3, "form": "logit"}}  # fmt: skip
TUNED: dict[str, Any] = {"method": "fine-tuning", "kept": (0, 10, 25, 50, 100, 200, 400), "batch": 128}
FED: dict[str, Any] = {"method": "feedback", "kept": (0, 1, 2, 4, 8), "batch": 128, "how": {"steps": 30, "rate": 0.3}}
LED: dict[str, Any] = {"method": "external knowledge", "kept": (0, 10, 25, 50, 100, 200)}
PRESETS = {
    preset.name: preset
    for preset in [
        Experiment("gan-mnist", "Digits, adversarially", **ON_DIGITS, **GAN),
        Experiment("gan-fashion", "Clothes, adversarially", **ON_CLOTHES, **GAN),
        Experiment("can-mnist", "Digits of no kind", base="gan-mnist", **ON_DIGITS, **CAN),
        Experiment("can-fashion", "Clothes of no kind", base="gan-fashion", **ON_CLOTHES, **CAN),
        Experiment("hacked-mnist", "Digits that look fake", base="gan-mnist", **(ON_DIGITS | {"data": ""}), **HACKED),
        Experiment("hacked-fashion", "Clothes that look fake", base="gan-fashion",
                   **(ON_CLOTHES | {"data": ""}), **HACKED),
        Experiment("without-data", "Colours without data", "without data", kept=(0, 20, 40, 80, 140, 200), batch=16,
                   model={"filters": 8, "z": 32, "channels": 3}, how={"diversity": 2.0, "lr": 1e-3}),
        Experiment("tune-digits-clothes", "Digits on the way to clothes", base="creative-mnist",
                   **(ON_DIGITS | {"data": "fashion"}), **TUNED),
        Experiment("tune-clothes-digits", "Clothes on the way to digits", base="gan-fashion",
                   **(ON_CLOTHES | {"data": "mnist"}), **TUNED),
        Experiment("feedback-clothes-digits", "Half clothes, half digits, left to itself", base="tune-clothes-digits",
                   iteration=5, **(ON_CLOTHES | {"data": ""}), **FED),
        Experiment("towards-eight", "Digits led towards 8", base="creative-mnist",
                   **(ON_DIGITS | {"data": "sample:mnist"}), **LED, how={"to": "8"}),
        Experiment("towards-a", "Digits led towards a letter never seen", base="creative-mnist",
                   **(ON_DIGITS | {"data": ""}), **LED, how={"start": "1", "to": "A"}),
        Experiment("towards-bag", "Clothes led towards bags", base="creative-fashion",
                   **(ON_CLOTHES | {"data": "sample:fashion"}), **LED, how={"to": "bag"}),
    ]
}  # fmt: skip
SMOKE: dict[str, Any] = {"images": 200, "batch": 16}
SCALES = ("cpu", "smoke")


def preset(name: str, scale: str = "cpu", **changes: Any) -> Experiment:
    """One experiment, changed at will: preset("can-mnist", seed=1, how={"ambiguity": 3.0}).

    smoke: the first kept steps, of at most 3, of a smaller network on few images. `model` and `how` are merged, option
    by option. Raises ValueError for an unknown preset, scale or setting.
    """
    choose("preset", name, PRESETS)
    choose("scale", scale, SCALES)
    settings = {**PRESETS[name].as_dict(), "scale": scale}
    small = {**SMOKE, "kept": (1, 2, 3)[: len(settings["kept"])], "model": {"filters": 2, "z": 4}}
    for layer in (small if scale == "smoke" else {}, changes):
        for key, value in layer.items():
            settings[key] = {**settings[key], **value} if isinstance(settings.get(key), dict) else value
    return Experiment(**checked("an experiment", Experiment, settings))


def new(experiment: Experiment) -> nn.Module:
    """The untrained model of an experiment without a base."""
    return create("DCGAN", experiment.model, seed=child(experiment.seed, "init"))


def learned(experiment: Experiment, given: Given, on_step: OnStep = silent) -> Iterator[Snapshot]:
    """The snapshots of an experiment. Raises ValueError where images or labels lack, and what the method raises."""
    return METHODS[experiment.method](experiment, given, on_step)


@torch.no_grad()
def measured(
    e: Experiment, snapshot: Snapshot, first: Snapshot, judge: Eye, seeds: range = range(256)
) -> dict[str, float]:
    """The numbers of a snapshot's pictures, one per seed: those of MEASURES that there are, against the first's."""
    model, before = cast("Any", snapshot.model), cast("Any", first.model)
    x, was = model.sample(Noise(seeds)), before.sample(Noise(seeds))
    p = judge.probabilities(fitted(x, judge.image_shape))
    others = [at for at in range(p.shape[1]) if at not in columns(judge.config.classes, e.known)] if e.known else []
    numbers = {
        "step": float(snapshot.step),
        "confidence": p.amax(1).mean().item(),
        **({"out_of_class_share": count_by_max(p, others)} if others else {}),
        "diversity": diversity(x),
        "blank_share": blank_share(x),
        "displacement": (x - was).flatten(1).square().mean(1).sqrt().mean().item(),
        **({"realness": realness(before, x)} if e.base and hasattr(before, "realness") else {}),
        **({"colours": colours(x).mean().item()} if x.shape[1] > 1 else {}),
        **{f"loss_{name}": value for name, value in snapshot.losses.items()},
    }
    return {name: round(value, 4) for name, value in numbers.items()}


def _some(images: Tensor | None) -> Tensor:
    if images is None:
        raise ValueError("this method learns from images with labels: give both")
    return images


NEAREST = 5  # real pictures that a distance is to
GAUGE_MEASURES = {
    "divergence": "how far from real pictures; 1 is as far as unseen real ones are",
    "coherence": "probability of the class that the judge holds for likeliest, averaged over the pictures",
    "reconstruction_distance": "norm of what an autoencoder of the data changes in a picture",
    "out_of_class_share": "share of pictures that the judge surely takes for a class that is not of the data",
    "diversity": "mean distance between two pictures: 0 if all are equal",
}
"""What each number of a row says."""


@dataclass(frozen=True, eq=False)
class Gauge:
    """(B, C, H, W) in [0, 1] -> the numbers of MEASURES; None where there is nothing to measure one by.

    known: features of real pictures, each of length 1, (N, d); unit: how far unseen real pictures lie from them.
    others: which columns of the judge are classes that the data lack. reconstruct: by an autoencoder of the data.
    """

    judge: Eye
    known: Tensor
    unit: float = 1.0
    others: Sequence[int] = ()
    reconstruct: Callable[[Tensor], Tensor] | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor) -> dict[str, float | None]:
        x = fitted(as_float(x), self.judge.image_shape)
        p = self.judge.probabilities(x)
        away = x - self.reconstruct(x) if self.reconstruct else None
        numbers = {
            "divergence": self.distance(x) / self.unit,
            "coherence": p.amax(1).mean().item(),
            "reconstruction_distance": None if away is None else away.flatten(1).norm(dim=1).mean().item(),
            "out_of_class_share": count_by_max(p, self.others) if self.others else None,
            "diversity": diversity(x),
        }
        return {name: None if value is None else round(value, 4) for name, value in numbers.items()}

    @torch.no_grad()
    def distance(self, x: Tensor) -> float:
        """How far pictures of the judge's size are from the nearest of those that are known, on average."""
        away = torch.cdist(normalize(self.judge.features(x), dim=1), self.known)
        return float(away.topk(NEAREST, largest=False).values.mean())


def gauge(
    judge: Eye,
    images: Tensor,
    classes: Collection[str] | None = None,
    reconstruct: Callable[[Tensor], Tensor] | None = None,
) -> Gauge:
    """By real pictures (N, C, H, W), of classes of the judge (None: of all): every second is known, the others 1 away.

    Raises ValueError for fewer than 20 pictures, or for a class that the judge does not have.
    """
    if len(images) < 20:
        raise ValueError(f"{len(images)} real pictures are too few to measure by: give 20 or more")
    every = judge.config.classes
    own = columns(every, every if classes is None else classes)
    real = fitted(as_float(images), judge.image_shape)
    with torch.no_grad():
        known = normalize(judge.features(real[::2]), dim=1)
    unit = Gauge(judge, known).distance(real[1::2])
    return Gauge(judge, known, unit, [at for at in range(len(every)) if at not in own], reconstruct)
