"""External knowledge: what another network knows moves a generator, which never sees a picture (StyleGAN-NADA, 2021).

Two copies of a generator draw the same codes; one of them learns, so that from the other's picture to its own it is, in
the features of a judge, the same direction as from one class to another, or from its pictures to some examples.
After Gal et al., "StyleGAN-NADA: CLIP-guided domain adaptation of image generators", sections 3.1 (loss), 3.2 (layers).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import interpolate, normalize

from ..samplers.creative import hooked
from ..seeds import Noise, child
from ..train import Objective
from .layers import copied, layers
from .snapshots import OnStep, Snapshot, learn, silent, still

M = TypeVar("M", bound=nn.Module)
Features = Callable[[Tensor], Tensor]  # images (B, C, H, W) in [0, 1] -> (B, d), as a judge's or CLIP's
BETAS = (0.0, 0.99)  # as published: a step has no momentum, so that a layer rests when it is not its turn
WEIGHED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)  # the layers that may move: what normalises stays
MOVED = 0.01  # features of length 1 that moved by less have no direction to speak of
PROMPTS = ("a photo of a {}.", "a drawing of a {}.", "a sketch of the {}.", "a black and white photo of a {}.")
SEEN = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # mean, deviation of CLIP's pictures


@dataclass(frozen=True)
class Guidance:
    """How the generator is led.

    rate: Adam's. batch: codes in a step. truncation: of their spread; the paper samples at 0.7. layers: how many layers
    move in a step, those that the goal moves most; None is all. last: whether what draws the pixels may be one of them.
    trial: codes that the layers are chosen by.
    """

    rate: float = 3e-3
    batch: int = 16
    truncation: float = 1.0
    layers: int | None = None
    last: bool = False
    trial: int = 8

    def __post_init__(self) -> None:
        if not (0 <= self.rate < float("inf") and 0 <= self.truncation < float("inf")):
            raise ValueError(f"rate {self.rate}, truncation {self.truncation}: give finite numbers, 0 or more")
        counts = self.batch, self.trial, 1 if self.layers is None else self.layers
        if min(counts) < 1:
            raise ValueError(f"batch, trial and layers are {counts}: each is at least 1")


def follow(
    model: M,
    features: Features,
    direction: Tensor,
    kept: Sequence[int],
    how: Guidance | None = None,
    *,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """A model that draws from codes, led along a direction of features, (d,), after so many steps.

    The encoder of a model that has one stays as it was. A direction of zeros leads nowhere, a rate of 0 too.
    Raises ValueError for a model that draws from no codes, a direction of another size, or steps that do not rise.
    """
    how = how or Guidance()
    if not hasattr(model, "drawing"):
        raise ValueError(f"a {type(model).__name__} draws from no codes: give a VAE, a ConvVAE or a DCGAN")
    codes = Codes(model, how, child(seed, "codes"))
    frozen: Any = copied(model)
    size = features(frozen.decode(next(iter(codes))[:1])).shape[1]
    if direction.shape != (size,):
        raise ValueError(f"a direction of {tuple(direction.shape)} does not fit features of {size}: give ({size},)")

    def objectives(awake: M) -> Mapping[str, Objective]:
        led = _Led(awake, frozen, features, normalize(direction.detach(), dim=0), how)
        return {"direction": Objective(led.loss, led.parameters, how.rate, BETAS)}

    yield from learn(model, codes, kept, objectives=objectives, on_step=on_step, seed=child(seed, "steps"))


@torch.no_grad()
def towards(features: Features, start: Tensor, end: Tensor) -> Tensor:
    """The direction from some images to others, (B, C, H, W), (N, C, H, W) in [0, 1] -> (d,), of length 1.

    Between the means of features, each scaled to length 1. From images to themselves it is zeros: it leads nowhere.
    """
    return normalize(_unit(features(end)).mean(0) - _unit(features(start)).mean(0), dim=0)


def between(judge: Any, one: str, other: str) -> Tensor:
    """The direction from one class of a judge to another, by name: of what it holds against the one and for the other.

    From its last weights, (d,), of length 1, so that no picture of either is needed. Raises ValueError for a class that
    it does not know.
    """
    names = list(judge.config.classes)
    if unknown := sorted({one, other} - set(names)):
        raise ValueError(f"the judge has no class {', '.join(unknown)}: it has {', '.join(names)}")
    weight: Tensor = [module for module in judge.head.modules() if isinstance(module, nn.Linear)][-1].weight.detach()
    return normalize(weight[names.index(other)] - weight[names.index(one)], dim=0)


@dataclass(frozen=True, eq=False)
class Clip:
    """Pictures and words in one space of features. see: (B, 3, size, size) -> (B, d); read: texts -> (N, d)."""

    see: Features
    read: Callable[[list[str]], Tensor]
    size: int

    def features(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], grey or in colour -> (B, d)."""
        x = interpolate(x.expand(-1, 3, -1, -1), (self.size, self.size), mode="bicubic", antialias=True)
        mean, std = (x.new_tensor(values).view(3, 1, 1) for values in SEEN)
        return self.see((x - mean) / std)

    @torch.no_grad()
    def direction(self, one: str, other: str, prompts: Sequence[str] = PROMPTS) -> Tensor:
        """The direction from one text to another, averaged over ways to say it: (d,), of length 1."""
        ends = [_unit(self.read([prompt.format(text) for prompt in prompts])).mean(0) for text in (one, other)]
        return normalize(ends[1] - ends[0], dim=0)


def clip(name: str = "ViT-B-32", weights: str = "openai", device: str = "cpu") -> Clip:
    """CLIP, by open_clip's name for it; its weights are downloaded once, by that package or by OpenAI's clip.

    Raises ModuleNotFoundError, one sentence, where neither is installed.
    """
    for package in ("open_clip", "clip"):
        with suppress(ModuleNotFoundError):
            found: Any = import_module(package)
            if hasattr(found, "tokenize"):  # there is another package of that name
                return _clip(found, name, weights, device)
    raise ModuleNotFoundError("CLIP is not installed: pip install open_clip_torch, or take the features of a judge")


def _clip(package: Any, name: str, weights: str, device: str) -> Clip:
    if hasattr(package, "create_model"):
        model = package.create_model(name, pretrained=weights)
        read, size = getattr(package, "get_tokenizer", lambda name: package.tokenize)(name), model.visual.image_size
    else:  # OpenAI's own says ViT-B/32
        model, _ = package.load("/".join(name.rsplit("-", 1)) if name.startswith("ViT") else name, "cpu")
        read, size = package.tokenize, model.visual.input_resolution
    model = model.to(device).float().eval().requires_grad_(False)
    size = size[0] if isinstance(size, (tuple, list)) else size
    return Clip(model.encode_image, lambda texts: model.encode_text(read(texts).to(device)), size)


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes from the prior of a model, (batch, z), without end; iterating twice gives the same."""

    model: Any
    how: Guidance
    seed: int

    def __iter__(self) -> Iterator[Tensor]:
        device, batch, first = next(self.model.parameters()).device, self.how.batch, 0
        while True:
            noise = Noise(child(self.seed, "code", place) for place in range(first, first + batch))
            yield self.how.truncation * noise.randn(*self.model.code_shape).to(device)
            first += batch


class _Led:
    """A generator that learns, and the one that it was."""

    def __init__(self, model: Any, frozen: Any, features: Features, direction: Tensor, how: Guidance) -> None:
        self.model, self.frozen, self.features, self.direction, self.how = model, frozen, features, direction, how
        within = set(model.drawing.modules())
        drawing = {name: module for name, module in layers(model).items() if module in within}
        self.layers = {name: module for name, module in drawing.items() if isinstance(module, WEIGHED)}
        if not how.last:
            self.layers.popitem()
        self.parameters = [parameter for module in self.layers.values() for parameter in module.parameters()]

    def loss(self, z: Tensor) -> Tensor:
        """1 minus the cosine of the way that a picture went and the direction, averaged: codes (B, z) -> ()."""
        with still(self.model), torch.autocast(z.device.type, enabled=False):
            before = _unit(self.features(self.frozen.decode(z)))
            after = _unit(self.features(functional_call(_Drawing(self.model), self._held(z), (z,))))
            return 1 - _cosine(after - before, self.direction).mean()

    def _held(self, z: Tensor) -> dict[str, Tensor]:
        """The weights of the layers that are not to move in this step, by their names within `_Drawing`."""
        if self.how.layers is None or self.how.layers >= len(self.layers):
            return {}
        pull = self._pull(z[: self.how.trial])
        resting = sorted(pull, key=lambda name: pull[name])[: len(pull) - self.how.layers]
        return {
            f"model.{name}.{key}": parameter.detach()
            for name in resting
            for key, parameter in self.layers[name].named_parameters()
        }

    def _pull(self, z: Tensor) -> dict[str, float]:
        """How far each layer's output would go in one step towards the goal, in units of its own size.

        The paper gives each layer of StyleGAN a code of its own, moves all by a loss on the picture alone, and looks
        which went farthest. Layers here have no codes: what is added to their output, zeros, is in its place.
        """
        sizes, added = dict[str, Tensor](), dict[str, Tensor]()

        def listening(name: str) -> Callable[[Tensor, Tensor], Tensor]:
            def hear(before: Tensor, after: Tensor) -> Tensor:
                sizes[name], added[name] = after.detach(), torch.zeros_like(after, requires_grad=True)
                return after + added[name]

            return hear

        with ExitStack() as stack:
            for name, module in self.layers.items():
                stack.enter_context(hooked(module, listening(name)))
            along = _unit(self.features(self.model.decode(z))) @ self.direction
        slopes = torch.autograd.grad(along.mean(), [*added.values()])
        return {name: (slope.norm() * sizes[name].norm()).item() for name, slope in zip(added, slopes, strict=True)}


class _Drawing(nn.Module):
    """Codes to pictures as what a module does, so that it can be called with other weights."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        drawn: Tensor = self.model.decode(z)
        return drawn


def _unit(features: Tensor) -> Tensor:
    return normalize(features.float().flatten(1), dim=1)


def _cosine(way: Tensor, direction: Tensor) -> Tensor:
    """(B, d), (d,) -> (B,), -1 to 1.

    A picture that has not moved has no direction, and its cosine an endless gradient. The published code adds 1e-6 to
    its pixels; here a short way counts as a longer one, so that first steps are gentle.
    """
    return way @ direction / way.norm(dim=1).clamp_min(MOVED)
