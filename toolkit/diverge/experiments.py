"""Experiments: the methods of `training` by name, with settings from a preset, and measures of their images.

`snapshots` runs an experiment and `measure_snapshot` measures a step of it; `runs` stores both. A new method is an
entry of METHODS, and a new preset an entry of `presets.DIVERGENCES`.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, make_dataclass
from inspect import signature
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from ..config import checked, choose
from ..metrics.classifier import ImageClassifier, columns, count_by_max
from ..metrics.distance import blank_share, diversity
from ..models.registry import create
from ..presets import Divergence
from ..seeds import Noise, child
from . import training
from .search import fitted


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a method starts from: a model; images, uint8 (N, C, H, W), labels (N,) and a classifier if it needs any."""

    model: Any
    images: Tensor | None = None
    labels: Tensor | None = None
    classifier: Any = None

    def examples(self) -> tuple[Tensor, Tensor]:
        """The images and labels. Raises ValueError where they lack."""
        if self.images is None or self.labels is None:
            raise ValueError("this method learns from images with labels: give both")
        return self.images, self.labels


def new(experiment: Divergence) -> nn.Module:
    """The untrained model of an experiment without a base."""
    return create(experiment.architecture, experiment.model, seed=child(experiment.seed, "init"))


def _rivals(e: Divergence, inputs: Inputs, how: dict[str, Any]) -> tuple[Any, ...]:
    other = create("DCGAN", asdict(inputs.model.config), seed=child(e.seed, "rival"))
    return inputs.model, other.to(next(inputs.model.parameters()).device)


def _direction(e: Divergence, inputs: Inputs, how: dict[str, Any]) -> tuple[Any, ...]:
    """Towards a class, `to`; away from the class `start`, or from the images of all other classes."""
    end, start, classifier = how.pop("to", ""), how.pop("start", None), inputs.classifier
    choose("class", end, classifier.config.classes)

    def features(x: Tensor) -> Tensor:
        return classifier.features(fitted(x, classifier.image_shape))

    if start is not None:
        return inputs.model, features, training.class_direction(classifier, start, end)
    images, labels = inputs.examples()
    x, there = images.float() / 255, labels == classifier.config.classes.index(end)
    return inputs.model, features, training.feature_direction(features, x[~there], x[there])


Arguments = Callable[[Divergence, Inputs, dict[str, Any]], tuple[Any, ...]]
METHODS: dict[str, tuple[Callable[..., Iterator[training.Snapshot]], Arguments]] = {
    "adversarial": (training.adversarial, lambda e, inputs, how: (inputs.model, inputs.examples()[0])),
    "creative adversarial": (training.creative_adversarial, lambda e, inputs, how: (inputs.model, *inputs.examples())),
    "loss hacking": (training.loss_hacking, lambda e, inputs, how: (inputs.model,)),
    "without data": (training.without_data, _rivals),
    "fine-tuning": (training.fine_tune, lambda e, inputs, how: (inputs.model, inputs.examples()[0])),
    "feedback": (training.feedback, lambda e, inputs, how: (inputs.model,)),
    "external knowledge": (training.follow, _direction),
}
"""By name: a function of `training`, and what it takes before `kept`. Its keyword arguments are what `how` may set."""


def snapshots(e: Divergence, inputs: Inputs, on_step: training.OnStep = training.silent) -> Iterator[training.Snapshot]:
    """Run an experiment. Raises ValueError for missing images, wrong settings, and what its method raises."""
    method, arguments = METHODS[e.method]
    how = dict(e.how)
    positional = arguments(e, inputs, how)
    given: dict[str, Any] = {"on_step": on_step, "seed": e.seed, "batch": e.batch}
    types = get_type_hints(method)
    free = [n for n, it in signature(method).parameters.items() if it.kind is it.KEYWORD_ONLY and n not in given]
    settings = checked(e.method, make_dataclass("Settings", [(name, types[name]) for name in free]), how)
    return method(*positional, e.kept, **given, **settings)


@torch.no_grad()
def measure_snapshot(
    e: Divergence, snapshot: training.Snapshot, first: Any, classifier: ImageClassifier, seeds: range = range(256)
) -> dict[str, float]:
    """Measures of a snapshot's images, one per seed, against those of the first model; only those that apply.

    step: of training; confidence: of the classifier, averaged; out_of_class_share: images over 0.95 in a
    class that the model never learned; diversity: mean distance between two images; blank_share: images without a pixel
    over half brightness; displacement: root mean square per pixel from the same seed's first image; realness: the
    output of the base's discriminator, 1 is real; colours: of colour images, see `training.colours`; loss_NAME.
    """
    model: Any = snapshot.model
    x, before = model.sample(Noise(seeds)), first.sample(Noise(seeds))
    p = classifier.probabilities(fitted(x, classifier.image_shape))
    others = (
        [at for at in range(p.shape[1]) if at not in columns(classifier.config.classes, e.known)] if e.known else []
    )
    numbers = {
        "step": float(snapshot.step),
        "confidence": p.amax(1).mean().item(),
        **({"out_of_class_share": count_by_max(p, others)} if others else {}),
        "diversity": diversity(x),
        "blank_share": blank_share(x),
        "displacement": (x - before).flatten(1).square().mean(1).sqrt().mean().item(),
        **({"realness": first.realness(x).sigmoid().mean().item()} if e.base and hasattr(first, "realness") else {}),
        **({"colours": training.colours(x).mean().item()} if x.shape[1] > 1 else {}),
        **{f"loss_{name}": value for name, value in snapshot.losses.items()},
    }
    return {name: round(value, 4) for name, value in numbers.items()}
