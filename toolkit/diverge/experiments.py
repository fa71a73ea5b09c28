"""The trainings that diverge, as experiments with presets, and what is measured of them.

Pure: given a model to start from and images, `learned` yields snapshots, and `measured` looks at one of them.
`runs` stores them. A new method is a function in METHODS, and a new preset a line in `presets.DIVERGENCES`.

Divergence is how far a picture lies from real ones, in the direction of the judge's features: blur and ink change their
length, other shapes turn them. In pixels a blank picture would be a common one, and in plain features too. The distance
from the same seed's picture not every machine has. Coherence is how sure the judge is, of whatever; it is sure of noise
too, so that noise has to be measured beside.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..config import checked, choose
from ..metrics.classifier import Eye, columns, count_by_max
from ..metrics.distance import blank_share, diversity
from ..metrics.image import as_float
from ..models import Lessons, create
from ..presets import Divergence
from ..seeds import Noise, child
from ..train import Shuffled, linear
from .chaining import fitted
from .creative_adversarial import Creativity, creative_adversarial
from .divergent_fine_tuning import feedback, fine_tune, loss_hacking, realness
from .external_knowledge import Guidance, between, follow, towards
from .snapshots import OnStep, Snapshot, learn, silent
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


@dataclass(frozen=True, eq=False)
class Given:
    """What a method starts from: a model, and if it takes any, images, uint8 (N, C, H, W), labels (N,), a judge."""

    model: Any
    images: Tensor | None = None
    labels: Tensor | None = None
    judge: Any = None


Method = Callable[[Divergence, Given, OnStep], Iterator[Snapshot]]


def _adversarial(e: Divergence, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    """A plain GAN, from scratch: the base of the others."""
    lessons = Shuffled(_some(given.images), e.batch, child(e.seed, "shuffle"))
    return learn(cast("DCGAN", given.model), lessons, e.kept, on_step=on_step, decay=linear, seed=e.seed)


def _creative(e: Divergence, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    how = Creativity(**checked("creativity", Creativity, e.how))
    names = tuple(map(str, range(how.styles)))
    lessons = Lessons(_some(given.images), _some(given.labels), names, e.batch, child(e.seed, "shuffle"))
    return creative_adversarial(given.model, lessons, e.kept, how, on_step=on_step, seed=e.seed)


def _hacked(e: Divergence, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    return loss_hacking(given.model, e.kept, batch=e.batch, on_step=on_step, seed=e.seed, **e.how)


def _unlearned(e: Divergence, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    """What is kept of two rivals is the one; they are made to be taken for each other."""
    how = Equilibrium(**checked("an equilibrium", Equilibrium, e.how))
    other = cast("DCGAN", create("DCGAN", asdict(given.model.config), seed=child(e.seed, "rival")))
    for found in without_data(given.model, other, e.kept, how, batch=e.batch, on_step=on_step, seed=e.seed):
        yield replace(found, model=cast("Rivals", found.model).one)


def _tuned(e: Divergence, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    return fine_tune(given.model, _some(given.images), e.kept, batch=e.batch, on_step=on_step, seed=e.seed, **e.how)


def _fed_back(e: Divergence, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
    return feedback(given.model, e.kept, batch=e.batch, on_step=on_step, seed=e.seed, **e.how)


def _led(e: Divergence, given: Given, on_step: OnStep) -> Iterator[Snapshot]:
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


def new(experiment: Divergence) -> nn.Module:
    """The untrained model of an experiment without a base."""
    return create("DCGAN", experiment.model, seed=child(experiment.seed, "init"))


def learned(experiment: Divergence, given: Given, on_step: OnStep = silent) -> Iterator[Snapshot]:
    """The snapshots of an experiment. Raises ValueError where images or labels lack, and what the method raises."""
    return METHODS[experiment.method](experiment, given, on_step)


@torch.no_grad()
def measured(e: Divergence, snapshot: Snapshot, first: Any, judge: Eye, seeds: range = range(256)) -> dict[str, float]:
    """The numbers of a snapshot's pictures, one per seed: those of MEASURES that there are, against the first model's.

    first: that model, or its snapshot.
    """
    model, before = cast("Any", snapshot.model), cast("Any", first.model if isinstance(first, Snapshot) else first)
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
