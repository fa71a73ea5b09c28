"""Gradient ascent on the image: DeepDream, style transfer, adversarial examples, and what a layer looks for.

One sampler, `ascend`, and scores that it raises; they add up, `content(...) + 300 * style(...)`. A score is a value of
each image for itself, and so is each step, so that no image depends on the others in its batch.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from ..config import choose
from ..seeds import Noise
from .layers import dense, hooked, layer

# (images, those that the ascent started from) -> images, (B, C, H, W) each
Project = Callable[[Tensor, Tensor], Tensor]


# ---- scores


@dataclass(frozen=True)
class Score:
    """A value of each image, to be raised: images (B, C, H, W) in [0, 1] -> (B,). Sums and multiples are scores."""

    value: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        return self.value(x)

    def __add__(self, other: "Score") -> "Score":
        return Score(lambda x: self(x) + other(x))

    def __sub__(self, other: "Score") -> "Score":
        return self + -other

    def __mul__(self, factor: float) -> "Score":
        return Score(lambda x: factor * self(x))

    __rmul__ = __mul__

    def __neg__(self) -> "Score":
        return -1 * self

    @torch.no_grad()
    def mean(self, x: Tensor) -> float:
        """The value of images (B, C, H, W), on average."""
        return self.value(x).mean().item()


def activation(model: nn.Module, name: str, channel: int | None = None) -> Score:
    """How strongly a layer responds: the mean of its squared activations; of one channel their mean.

    The first is what DeepDream raises (Mordvintsev et al., 2015), the second of feature visualisation (Olah et
    al., 2017). Raises ValueError for a layer or, once it is called, a channel that is not there.
    """
    layer(model, name)

    def value(x: Tensor) -> Tensor:
        h = outputs(model, [name], x)[name]
        if channel is None:
            return h.square().flatten(1).mean(1)
        if not 0 <= channel < h.shape[1]:
            raise ValueError(f"layer {name} has channels 0 to {h.shape[1] - 1}, not {channel}")
        return h[:, channel].flatten(1).mean(1)

    return Score(value)


def content(model: nn.Module, name: str, image: Tensor) -> Score:
    """Minus the mean squared difference to the activations of a layer for an image (1 or B, C, H, W).

    Gatys et al., 2015, equation 1; the image takes the size of those that are compared with it, as in octaves. Raises
    ValueError for a layer that is not there.
    """
    layer(model, name)

    @cache
    def wanted(size: tuple[int, int]) -> Tensor:
        with torch.no_grad():
            return outputs(model, [name], _resized(image, size))[name]

    def value(x: Tensor) -> Tensor:
        return -(outputs(model, [name], x)[name] - wanted((x.shape[2], x.shape[3]))).square().flatten(1).mean(1)

    return Score(value)


def style(model: nn.Module, names: Sequence[str], image: Tensor) -> Score:
    """Minus the mean squared difference to the Gram matrices of layers for an image (1 or B, C, H, W), of any size.

    Gatys et al., 2015, equations 3 to 5, each layer with the same weight; a Gram matrix is divided by the positions of
    its layer, and a difference by the size of the wanted matrix, so that no layer counts more for its scale. Raises
    ValueError for a layer that is not there.
    """
    with torch.no_grad():
        wanted = {name: gram(h) for name, h in outputs(model, names, image).items()}

    def value(x: Tensor) -> Tensor:
        found = outputs(model, names, x)
        terms = [(gram(h) - wanted[name]).square().flatten(1).sum(1) / wanted[name].square().flatten(1).sum(1)
                 for name, h in found.items()]  # fmt: skip
        return -torch.stack(terms).mean(0)

    return Score(value)


def gram(h: Tensor) -> Tensor:
    """Gram matrices of activations, averaged over positions: (B, K, H, W) -> (B, K, K)."""
    rows = h.flatten(2)
    return rows @ rows.transpose(1, 2) / rows.shape[2]


def class_score(classifier: Callable[[Tensor], Tensor], labels: int | Tensor) -> Score:
    """The log-probability of a class, one for all images or (B,) of each. classifier: images -> logits (B, K).

    Raises ValueError, once it is called, for a label that is not in 0 to K - 1.
    """

    def value(x: Tensor) -> Tensor:
        logits = classifier(x)
        wanted = torch.as_tensor(labels, device=x.device).expand(len(x))
        if len(x) and not 0 <= int(wanted.min()) <= int(wanted.max()) < logits.shape[1]:
            raise ValueError(f"labels {labels} are not all of 0 to {logits.shape[1] - 1}")
        return -cross_entropy(logits, wanted, reduction="none")

    return Score(value)


def confidence_score(classifier: Callable[[Tensor], Tensor]) -> Score:
    """The negative entropy of a classifier's answer, whatever the class: from -log K to 0."""

    def value(x: Tensor) -> Tensor:
        log_p = classifier(x).log_softmax(1)
        return (log_p.exp() * log_p).sum(1)

    return Score(value)


def total_variation(x: Tensor) -> Tensor:
    """The mean absolute difference of neighbouring pixels: (B, C, H, W) -> (B,)."""
    across, down = x.diff(dim=3), x.diff(dim=2)
    return across.abs().flatten(1).mean(1) + down.abs().flatten(1).mean(1)


smoothness = -Score(total_variation)


class _AllFoundError(Exception):
    """All layers that were asked for have responded: the rest of the model need not run."""


def outputs(model: nn.Module, names: Sequence[str], x: Tensor) -> dict[str, Tensor]:
    """The outputs of layers for images, by name; gradients flow.

    What comes after the last of them does not run, so that images may have another size than the model's if the layers
    are convolutions. Raises ValueError for a layer that is not there.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str, before: Tensor, after: Tensor) -> None:
        found[name] = after.clone()  # what follows may be in place
        if len(found) == len(names):
            raise _AllFoundError

    with ExitStack() as stack:
        stack.enter_context(suppress(_AllFoundError))
        stack.enter_context(dense(model))
        for name in names:
            stack.enter_context(hooked(layer(model, name), partial(keep, name)))
        try:
            model(x)
        except RuntimeError as error:
            own, given = tuple(getattr(model, "image_shape", x.shape[1:])), tuple(x.shape[1:])
            if own == given:
                raise
            wrong = f"{', '.join(names)} of {type(model).__name__} takes images of {own}, not {given}"
            raise ValueError(f"{wrong}: give that size and one octave, or a convolution") from error
    return found


# ---- the sampler


def grey_noise(seeds: Iterable[int], shape: tuple[int, int, int]) -> Tensor:
    """Noise that is nearly grey, (B, C, H, W) in [0, 1], an image of `shape` a seed."""
    return (0.5 + 0.05 * Noise(seeds).randn(*shape)).clamp(0, 1)


def unprojected(x: Tensor, start: Tensor) -> Tensor:
    """The images as they are."""
    return x


def ball(epsilon: float, norm: str = "inf") -> Project:
    """A projection to images within a distance of the start: of each pixel ("inf"), or of an image in all ("2").

    Raises ValueError for another norm or a negative distance.
    """
    choose("norm", norm, ("inf", "2"))
    if not epsilon >= 0:
        raise ValueError(f"epsilon is {epsilon}: give 0 or more")

    def project(x: Tensor, start: Tensor) -> Tensor:
        moved = x - start
        if norm == "inf":
            return start + moved.clamp(-epsilon, epsilon)
        length = moved.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        return start + moved * (epsilon / length.clamp_min(1e-12)).clamp_max(1)

    return project


DIRECTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda g: g / _each(g.abs()).clamp_min(1e-12),  # DeepDream: pixels move by `lr` on average
    "sign": torch.sign,  # adversarial examples in the L-infinity ball
    "unit": lambda g: g / (_each(g.square()) * g[0].numel()).sqrt().clamp_min(1e-12),  # ... in the L2 ball
    "plain": lambda g: g,
}
"""How a step follows from the gradient, by name; "adam" beside them (Kingma & Ba, 2015), each pixel for itself."""


def _each(x: Tensor) -> Tensor:
    """The mean of each image, (B, 1, 1, 1)."""
    return x.mean((1, 2, 3), keepdim=True)


class Adam:
    """Steps by the moments of the gradients so far, each pixel for itself; without parameters to hold."""

    def __init__(self, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.betas, self.steps = betas, 0
        self.mean, self.square = torch.zeros(()), torch.zeros(())

    def __call__(self, gradient: Tensor) -> Tensor:
        """A gradient -> the step to take, in units of the learning rate."""
        (a, b), self.steps = self.betas, self.steps + 1
        self.mean = a * self.mean + (1 - a) * gradient
        self.square = b * self.square + (1 - b) * gradient.square()
        return self.mean / (1 - a**self.steps) / ((self.square / (1 - b**self.steps)).sqrt() + 1e-8)


def ascend(
    score: Score,
    x: Tensor,
    *,
    steps: int,
    lr: float,
    direction: str = "mean",
    octaves: int = 1,
    zoom: float = 1.4,
    jitter: int = 0,
    seeds: Iterable[int] | None = None,
    project: Project = unprojected,
) -> Iterator[Tensor]:
    """Raise a score of images by gradient ascent on their pixels: x, then each state, octaves * steps of them.

    x: (B, C, H, W) in [0, 1], and so is every state. steps: of each octave; lr: how far a step goes, in units of
    pixels' values; direction: of `DIRECTIONS`, or "adam". octaves: the images are first changed at a smaller size, and
    what was added is enlarged by `zoom` for the next, as in DeepDream; states have the full size all along. jitter:
    before each step images are rolled by up to so many pixels both ways, each by its own random numbers from `seeds`
    (0, 1, 2, ... by default). project: what keeps images near their start, such as `ball(0.1)`.
    Without steps, or with lr 0, or in a ball of radius 0, every state is the start, bit for bit.
    Raises ValueError for settings that make no sense, and where the smallest octave has no pixel left.
    """
    choose("direction", direction, (*DIRECTIONS, "adam"))
    if steps < 0 or octaves < 1 or jitter < 0 or zoom <= 1 or not math.isfinite(lr):
        raise ValueError(f"{steps} steps, {octaves} octaves, zoom {zoom}, jitter {jitter}, lr {lr}: give 0 or more "
                         "steps, 1 or more octaves, a zoom over 1, a jitter of 0 or more, and a finite lr")  # fmt: skip
    size = (x.shape[2], x.shape[3])
    sizes = [(round(size[0] / zoom**k), round(size[1] / zoom**k)) for k in reversed(range(octaves))]
    if min(sizes[0]) < 1:
        raise ValueError(f"images of {size[0]} x {size[1]} pixels have no {octaves} octaves of zoom {zoom}: give fewer")
    noise = Noise(range(len(x)) if seeds is None else seeds)
    return _ascent(score, x, steps, lr, direction, sizes, jitter, noise, project)


def _ascent(
    score: Score, x: Tensor, steps: int, lr: float, direction: str, sizes: list[tuple[int, int]], jitter: int,
    noise: Noise, project: Project,
) -> Iterator[Tensor]:  # fmt: skip
    yield x
    added = torch.zeros_like(_resized(x, sizes[0]))
    for size in sizes:
        start = _resized(x, size).clamp(0, 1)  # rounding may leave them by a little
        move = Adam() if direction == "adam" else DIRECTIONS[direction]
        z = (start + _resized(added, size)).clamp(0, 1)
        for _ in range(steps):
            offsets = ((noise.rand(2) - 0.5) * (2 * jitter + 1)).round().int().tolist() if jitter else []
            gradient = _rolled(gradient_of(score, _rolled(z, offsets)), [[-a, -b] for a, b in offsets])
            z = project(z + lr * move(gradient), start).clamp(0, 1)
            added = z - start
            yield z if size == sizes[-1] else (x + _resized(added, sizes[-1])).clamp(0, 1)


def gradient_of(score: Score, x: Tensor) -> Tensor:
    """The gradient of each image's own value, (B, C, H, W). Raises ValueError if the score is no value of each."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        values = score(x)
        if values.shape != (len(x),):
            raise ValueError(f"a score of {len(x)} images gave {tuple(values.shape)}: give one value of each")
        return torch.autograd.grad(values.sum(), x)[0]


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Images at another size; at their own they are as they were, bit for bit."""
    if x.shape[2:] == size:
        return x
    return interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)


def _rolled(x: Tensor, offsets: list[list[int]]) -> Tensor:
    """Images rolled by pixels, each by its own; all as they are without offsets."""
    if not offsets:
        return x
    return torch.stack([image.roll(by, (1, 2)) for image, by in zip(x, offsets, strict=True)])


# ---- adversarial examples


@torch.no_grad()
def predicted(classifier: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest class of images and its probability, (B,) each. classifier: images -> logits."""
    sure, labels = classifier(x).softmax(1).max(1)
    return labels, sure


def difference(before: Tensor, after: Tensor, times: float = 10) -> Tensor:
    """What images have more or less than others, so often as strong, around grey: (B, C, H, W) in [0, 1]."""
    return (0.5 + times * (after - before)).clamp(0, 1)


METHODS = ("fgsm", "pgd")
STEPS = 10  # of "pgd", each a quarter of the ball's radius long


def attack(
    classifier: Callable[[Tensor], Tensor], x: Tensor, labels: Tensor, epsilon: float, method: str = "fgsm"
) -> Tensor:
    """Images (B, C, H, W) moved by at most epsilon a pixel, so that a classifier is less sure of the labels (B,).

    classifier: images -> logits. method: "fgsm", one step along the sign of the gradient (Goodfellow et al., 2014,
    section 4), or "pgd", `STEPS` smaller ones, each projected into the ball (Madry et al., 2017, section 2.1; from the
    image itself). Raises ValueError for another method, or a negative epsilon.
    """
    one = choose("method", method, METHODS) == "fgsm"
    states = ascend(
        -class_score(classifier, labels), x, steps=1 if one else STEPS, lr=epsilon if one else epsilon / 4,
        direction="sign", project=ball(epsilon),
    )  # fmt: skip
    *_, moved = states
    return moved
