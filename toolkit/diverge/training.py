"""Training that leads away from the data: every method is a generator of snapshots of a model.

Generating novelty from an inspiring set (creative adversarial networks), divergent fine-tuning, training on a model's
own output, loss hacking, training without data, external knowledge. Each is `method(model, ..., kept, *, settings,
on_step, seed) -> Iterator[Snapshot]`. The model given stays as it is; every loss is lowered by `fit`; and which steps
are kept does not change what is learned.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, softplus
from torch.nn.utils.parametrizations import spectral_norm

from ..config import choose
from ..models.classifier import LabelledBatch, LabelledBatches
from ..models.dcgan import BETAS, DCGAN
from ..samplers.generate import Sampling, generate
from ..samplers.layers import hooked, layers
from ..seeds import Noise, child
from ..train import Batch, ConcatImages, Images, Objective, Shuffled, constant, fit, linear, seeded, training
from .channels import frozen_copy

M = TypeVar("M", bound=nn.Module)
OnStep = Callable[[int, dict[str, float]], None]  # the step, from 0, and the losses
Features = Callable[[Tensor], Tensor]  # images (B, C, H, W) in [0, 1] -> (B, d)


def silent(step: int, losses: dict[str, float]) -> None:
    """An `on_step` that does nothing."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model after so many steps, frozen and in eval mode, and the losses of the last of them; none after 0 steps."""

    step: int
    model: nn.Module
    losses: dict[str, float]


def learn(
    model: M,
    batches: Iterable[Batch],
    kept: Sequence[int],
    *,
    objectives: Callable[[M], Mapping[str, Objective]] = lambda model: model.objectives(),  # type: ignore[operator]
    part: Callable[[M], nn.Module] = lambda model: model,
    on_step: OnStep = silent,
    decay: Callable[[float], float] = constant,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """Snapshots of one `fit` after the kept steps, rising, of which 0 is the model as it was given.

    Training runs whole when the first snapshot is asked for, so that nothing that it sets (random numbers, modes) leaks
    to the caller. objectives: of the copy that is trained. part: of it, that is kept. Snapshots end early if the
    batches do. Raises ValueError for steps that do not rise, and FloatingPointError as `fit` does.
    """
    _check_steps(kept)
    trained: list[M] = []
    found = [Snapshot(0, frozen_copy(part(model)), {})] if kept[0] == 0 else []

    def of_the_copy(model: M) -> Mapping[str, Objective]:
        trained.append(model)
        return objectives(model)

    def keep(step: int, losses: dict[str, float]) -> None:
        if step + 1 in kept:
            found.append(Snapshot(step + 1, frozen_copy(part(trained[0])), losses))
        on_step(step, losses)

    fit(model, batches, steps=kept[-1], objectives=of_the_copy, on_step=keep, decay=decay, every=1, seed=seed)
    yield from found


def _check_steps(kept: Sequence[int]) -> None:
    if not kept or kept[0] < 0 or sorted(set(kept)) != [*kept]:
        raise ValueError(f"kept is {list(kept)}: give the steps to keep in rising order, such as 0, 25, 50, 100")


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put every submodule in eval mode while the block lasts.

    Around a loss in `fit`, batch normalisation then uses and keeps its running statistics, so that the loss of an image
    does not depend on its batch.
    """
    with training(model):  # which gives the modes back
        model.eval()
        yield


def normal_codes(shape: tuple[int, ...], batch: int, seed: int) -> Iterator[Tensor]:
    """Endless batches of standard normal codes, (batch, *shape)."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(batch, *shape, generator=generator)


def adversarial(
    gan: nn.Module, images: Images, kept: Sequence[int], *, batch: int = 64, on_step: OnStep = silent, seed: int = 0
) -> Iterator[Snapshot]:
    """A plain GAN on images uint8 (N, C, H, W), with a learning rate that falls to 0: the base of other methods."""
    batches = Shuffled(images, batch, child(seed, "shuffle"))
    return learn(gan, batches, kept, on_step=on_step, decay=linear, seed=seed)


# ---- creative adversarial networks


def binary(styles: Tensor) -> Tensor:
    """Style ambiguity as published: logits (B, K) -> K binary cross-entropies with the target 1/K, summed: ().

    Averaged over the batch. Section 3.2, the last term of equation 4. Least, K H(1/K), for equally probable styles.
    """
    k = styles.shape[1]
    itself = torch.eye(k, dtype=torch.bool, device=styles.device)
    others = styles[:, None, :].expand(-1, k, -1).masked_fill(itself, -torch.inf)  # (B, K, K)
    total = styles.logsumexp(1, keepdim=True)
    yes, no = styles - total, others.logsumexp(2) - total  # log p and log (1 - p), exact near 0 and 1
    return -(yes / k + no * (1 - 1 / k)).sum(1).mean()


def softmax(styles: Tensor) -> Tensor:
    """Style ambiguity of later code: logits (B, K) -> cross-entropy with the uniform distribution: (); least, log K."""
    return -styles.log_softmax(1).mean()


AMBIGUITY: dict[str, Callable[[Tensor], Tensor]] = {"binary": binary, "softmax": softmax}


def creative_adversarial(
    gan: DCGAN,
    images: Tensor,
    labels: Tensor,
    kept: Sequence[int],
    *,
    ambiguity: float = 1.0,
    form: str = "binary",
    styles: int = 10,
    batch: int = 64,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """A creative adversarial network (Elgammal et al., 2017): to be taken for real, and for none of the known styles.

    The discriminator has a second head, which classifies the styles of real images, here their classes; the generator
    learns to fool the first head and to confuse the second. Snapshots are DCGANs, of the generator and the first head.
    images: uint8 (N, C, H, W); labels: (N,), from 0 to styles - 1. ambiguity: the weight of the style-ambiguity loss,
    lambda in later code; 1 is published, and 0 is a plain GAN. form: of that loss, one of AMBIGUITY.
    Raises ValueError for settings or labels out of range, and as `learn` does.
    """
    _check_dcgan(gan)
    choose("form of ambiguity", form, AMBIGUITY)
    if not 0 <= ambiguity < math.inf or styles < 2:
        raise ValueError(f"ambiguity {ambiguity}, {styles} styles: give 0 or more, and two styles or more")
    batches = LabelledBatches(images, labels, tuple(map(str, range(styles))), batch, child(seed, "shuffle"))
    network = StyleClassifyingGAN(gan, ambiguity, form, styles, child(seed, "styles"))
    return learn(network, batches, kept, part=lambda network: network.gan, on_step=on_step, seed=seed)


def _check_dcgan(gan: nn.Module) -> None:
    if not isinstance(gan, DCGAN):
        raise ValueError(f"a {type(gan).__name__} has another discriminator than this method extends: give a DCGAN")


class StyleClassifyingGAN(nn.Module):
    """A GAN whose discriminator has a second head, which classifies styles."""

    def __init__(self, gan: DCGAN, ambiguity: float, form: str, styles: int, seed: int) -> None:
        super().__init__()
        self.gan, self.ambiguity, self.form = deepcopy(gan), ambiguity, form
        channels = gan.config.filters * gan.config.size // 4  # of the discriminator's last maps, 2x2
        with seeded(seed, torch.device("cpu")):
            self.styles = nn.Sequential(nn.Conv2d(channels, styles, 4, 1, 1), nn.Flatten())
        self.styles.to(next(gan.parameters()).device)

    def discriminate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) in [-1, 1] -> logits of being real, (B,), and of their styles, (B, K)."""
        maps = self.gan.discriminator[:-2](x)
        return self.gan.discriminator[-2:](maps).float(), self.styles(maps).float()

    def objectives(self) -> dict[str, Objective]:
        """Of the discriminator with both heads, and then of the generator, on the same images."""
        weight, drawn = self.ambiguity, list[Tensor]()

        def discriminator(batch: LabelledBatch) -> Tensor:
            z = torch.randn(len(batch), self.gan.config.z, device=batch.images.device)
            drawn[:] = [self.gan.generator(z[:, :, None, None]).float()]
            (real, styles), (fake, _) = self.discriminate(2 * batch.images - 1), self.discriminate(drawn[0].detach())
            loss = softplus(-real).mean() + softplus(fake).mean()
            return loss + cross_entropy(styles, batch.labels) if weight else loss

        def generator(batch: LabelledBatch) -> Tensor:
            fake, styles = self.discriminate(drawn.pop())
            loss = softplus(-fake).mean()
            return loss + weight * AMBIGUITY[self.form](styles) if weight else loss

        heads = [*self.gan.discriminator.parameters(), *(self.styles.parameters() if weight else [])]
        lr = self.gan.config.lr
        return {
            "discriminator": Objective(discriminator, heads, lr, BETAS),
            "generator": Objective(generator, list(self.gan.generator.parameters()), lr, BETAS),
        }


# ---- divergent fine-tuning


def fine_tune(
    model: M,
    images: Images,
    kept: Sequence[int],
    *,
    rate: float = 0.1,
    batch: int = 128,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """Early-stopped transfer: the model after so many steps on another data set, uint8 (N, C, H, W).

    Half way between two data sets images belong to neither (as in Schultz's "You Are Here", 2020). rate: a factor on
    the model's own learning rates, usually a tenth to a fifth; 0 changes nothing.
    Raises ValueError for steps that do not rise, a rate under 0, or images of another shape than the model's.
    """
    _check_tuning(model, images, rate)

    def slower(model: Any) -> Mapping[str, Objective]:
        return {name: replace(each, lr=rate * each.lr) for name, each in model.objectives().items()}

    batches = Shuffled(images, batch, child(seed, "fine-tune"))
    yield from learn(model, batches, kept, objectives=slower, on_step=on_step, seed=child(seed, "steps"))


def feedback(
    model: M,
    kept: Sequence[int],
    *,
    images: Images | None = None,
    share: float = 0.0,
    count: int = 1000,
    steps: int = 50,
    rate: float = 0.1,
    batch: int = 128,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """Training on its own output: in each round the model draws `count` images and is fine-tuned on them for `steps`.

    A step of a snapshot, and of on_step, is a round. share: of a round's images that are replaced by those of another
    set, uint8 (N, C, H, W); 0 is the closed loop, 1 is `fine_tune` on `count` images at a time.
    Raises ValueError as `fine_tune` does, for a share outside of 0 to 1, or over 0 without images.
    """
    _check_steps(kept)
    _check_tuning(model, images, rate)
    if not 0 <= share <= 1 or (share and images is None):
        raise ValueError(f"share is {share}: give one from 0 to 1, and images for any over 0")
    if min(count, steps, batch) < 1:
        raise ValueError(f"count {count}, steps {steps}, batch {batch}: each is at least 1")
    now: nn.Module = frozen_copy(model)
    losses: dict[str, float] = {}
    for number in range(kept[-1] + 1):
        if number:
            own = child(seed, "round", number)
            first, others = child(own, "said"), round(share * count)
            drawn = generate(now, range(first, first + count - others), Sampling()).images
            learned: Images = drawn
            if images is not None:
                generator = torch.Generator().manual_seed(child(own, "others"))
                learned = ConcatImages((drawn, images[torch.randint(len(images), (others,), generator=generator)]))
            (last,) = fine_tune(now, learned, [steps], rate=rate, batch=batch, seed=own)
            now, losses = last.model, last.losses
            on_step(number - 1, losses)
        if number in kept:
            yield Snapshot(number, now, losses)


def _check_tuning(model: Any, images: Images | None, rate: float) -> None:
    if not 0 <= rate < math.inf:
        raise ValueError(f"rate is {rate}: give a share of the model's learning rate, 0 or more")
    shapes = {tuple(part.shape[1:]) for part in ConcatImages.of(images).parts} if images is not None else set()
    if shapes - {tuple(model.image_shape)}:
        raise ValueError(f"images {shapes.pop()} do not fit a model of {model.image_shape}: give others, or fit them")


# ---- loss hacking


FORMS: dict[str, Callable[[Tensor], Tensor]] = {"cross-entropy": softplus, "logit": lambda realness: realness}


def loss_hacking(
    gan: DCGAN,
    kept: Sequence[int] = (0, 10, 20, 40, 80, 160, 320),
    *,
    lr: float = 1e-4,
    form: str = "cross-entropy",
    batch: int = 32,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """The generator trained so that its own frozen discriminator says fake ("Amplifying the Uncanny", 2020).

    Images go from realistic over uncanny to abstract, and in the end collapse into one. Needs no data.
    form: "cross-entropy", as published, between the discriminator's output and "fake", whose gradient vanishes once
    the discriminator is certain, a small one in a few steps; "logit" lowers the output itself, without end.
    Batch normalisation keeps its statistics in both networks; a rate of 0, or 0 steps, change nothing.
    Raises ValueError for a learning rate under 0, an unknown form, and what `learn` raises.
    """
    if not 0 <= lr < math.inf:
        raise ValueError(f"lr is {lr}: give a learning rate of 0, which changes nothing, or more")
    measure = FORMS[choose("form", form, FORMS)]
    frozen = frozen_copy(gan)  # not a part of what is trained

    def objectives(gan: DCGAN) -> Mapping[str, Objective]:
        def fake(codes: Tensor) -> Tensor:
            with eval_mode(gan):
                return measure(frozen.realness(gan.decode(codes))).mean()

        return {"fake": Objective(fake, list(gan.generator.parameters()), lr, BETAS)}

    codes = normal_codes(gan.code_shape, batch, child(seed, "loss hacking"))
    return learn(gan, codes, kept, objectives=objectives, on_step=on_step, seed=seed)


# ---- training without data


LEAST = 1e-3  # a deviation that is added, so that the logarithm of none is finite


def without_data(
    one: DCGAN,
    other: DCGAN,
    kept: Sequence[int],
    *,
    diversity: float = 1.0,
    variety: float = 1.0,
    lr: float = 2e-4,
    batch: int = 32,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """Two generators that learn from each other alone ("(Un)stable Equilibrium", Broad, 2020); snapshots of the one.

    A discriminator learns which of the two drew an image; each generator learns to be taken for the other, and to be
    more diverse. The published losses are not known in full: these are ours, after the survey's words.
    diversity: the weight, gamma, of more colours than the other's. variety: the weight of shapes that differ more from
    each other; without it images are flat. lr: of all three networks, small.
    Raises ValueError for two of different sizes, settings out of range, and what `learn` raises.
    """
    if not (0 <= diversity < math.inf and 0 <= variety < math.inf and 0 < lr < math.inf):
        raise ValueError(f"diversity {diversity}, variety {variety}, lr {lr}: give 0 or more, lr over 0")
    _check_dcgan(one)
    if one.config != other.config:
        raise ValueError(f"{one.config} and {other.config} cannot be taken for each other: give two of one size")
    pair = GeneratorPair(one, other, diversity, variety, lr, child(seed, "critic"))
    codes = normal_codes(one.code_shape, batch, child(seed, "without data"))
    return learn(pair, codes, kept, part=lambda pair: pair.one, on_step=on_step, seed=seed)


class GeneratorPair(nn.Module):
    """Two generators, and a discriminator between them: over 0 is the one, under 0 the other.

    The discriminator is that of a DCGAN with spectral instead of batch normalisation: it cannot become so steep that a
    generator has no gradient.
    """

    def __init__(
        self, one: DCGAN, other: DCGAN, diversity: float = 1.0, variety: float = 1.0, lr: float = 2e-4, seed: int = 0
    ) -> None:
        super().__init__()
        self.one, self.other = deepcopy(one), deepcopy(other)
        self.diversity, self.variety, self.lr = diversity, variety, lr
        layers = [layer for layer in deepcopy(one.discriminator) if not isinstance(layer, nn.BatchNorm2d)]
        with seeded(seed, torch.device("cpu")):  # where power iteration starts
            self.critic = nn.Sequential(*(spectral_norm(x) if isinstance(x, nn.Conv2d) else x for x in layers))

    def discriminate(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> (B,), over 0 for more like the one's than the other's."""
        return self.critic(2 * x - 1).float()

    def objectives(self) -> Mapping[str, Objective]:
        """Of the discriminator, and then of both generators, on the same codes."""

        def critic(codes: Tensor) -> Tensor:
            with torch.no_grad():
                one, other = self.one.decode(codes), self.other.decode(codes)
            return (softplus(-self.discriminate(one)) + softplus(self.discriminate(other))).mean()

        def generator(mine: DCGAN, theirs: DCGAN, sign: float) -> Callable[[Tensor], Tensor]:
            def loss(codes: Tensor) -> Tensor:
                x = mine.decode(codes)
                with torch.no_grad():
                    y = theirs.decode(codes)
                taken = softplus(sign * self.discriminate(x)).mean()
                return taken + self.diversity * log_ratio(colours, x, y) + self.variety * log_ratio(shapes, x, y)

            return loss

        trained = {
            "critic": (critic, self.critic),
            "one": (generator(self.one, self.other, 1), self.one.generator),
            "other": (generator(self.other, self.one, -1), self.other.generator),
        }
        return {name: Objective(loss, list(net.parameters()), self.lr, BETAS) for name, (loss, net) in trained.items()}


def log_ratio(measure: Callable[[Tensor], Tensor], mine: Tensor, theirs: Tensor) -> Tensor:
    """The log of the other's measure over mine, (); 0 where both are equal. The other's images are constants."""
    return measure(theirs.detach()).log() - measure(mine).log()


def colours(x: Tensor) -> Tensor:
    """The spread of the mean colours of images: (B, C, H, W) -> (), 0 if all lie on a line or plane.

    The geometric mean of the deviations along the principal axes: of grey images, the deviation.
    """
    c = x.mean((2, 3)).double()  # nearly flat, a determinant rounds to below 0
    c = c - c.mean(0)
    covariance = c.T @ c / len(c) + LEAST**2 * torch.eye(c.shape[1], dtype=c.dtype, device=c.device)
    return (torch.logdet(covariance) / (2 * len(covariance))).exp().to(x.dtype)


def shapes(x: Tensor) -> Tensor:
    """The deviation per pixel of images without their mean colours: (B, C, H, W) -> ()."""
    drawn = x - x.mean((2, 3), keepdim=True)
    return (drawn.var(0, correction=0).mean() + LEAST**2).sqrt()


# ---- external knowledge


NO_MOMENTUM = (0.0, 0.99)  # as published: a layer that is not trained in a step stays as it is
TRAINABLE = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
TRIED = 8  # codes that the layers of a step are chosen by
SHORT = 0.01  # a smaller change of unit features has no reliable direction


def follow(
    model: M,
    features: Features,
    direction: Tensor,
    kept: Sequence[int],
    *,
    rate: float = 3e-3,
    batch: int = 16,
    layers: int | None = None,
    on_step: OnStep = silent,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """A generator whose images move along a direction of another network's features, (d,), as in StyleGAN-NADA.

    Two copies decode the same codes; one is trained so that the change of features from the other's image to its own
    is along the direction (Gal et al., 2021, sections 3.1, loss, and 3.2, layers). features: a classifier's, or those
    of CLIP for images that it takes. rate: Adam's. batch: codes in a step. layers: how many are trained in a step,
    those most sensitive to the goal; None is all. An encoder, and the layer that draws the pixels, stay as they are.
    A direction of zeros changes nothing, a rate of 0 neither.
    Raises ValueError for a model without codes, a direction of another size, or settings out of range.
    """
    if not 0 <= rate < math.inf:
        raise ValueError(f"rate {rate}: give a finite number, 0 or more")
    if min(counts := (batch, 1 if layers is None else layers)) < 1:
        raise ValueError(f"batch and layers are {counts}: each is at least 1")
    if not hasattr(model, "drawing"):
        raise ValueError(f"a {type(model).__name__} draws from no codes: give a VAE, a ConvVAE or a DCGAN")
    frozen: Any = frozen_copy(model)
    device, start = next(model.parameters()).device, child(seed, "codes")

    def codes() -> Iterator[Tensor]:
        for first in count(0, batch):
            noise = Noise(child(start, "code", place) for place in range(first, first + batch))
            yield noise.randn(*frozen.code_shape).to(device)

    size = features(frozen.decode(Noise([0]).randn(*frozen.code_shape).to(device))).shape[1]
    if direction.shape != (size,):
        raise ValueError(f"a direction of {tuple(direction.shape)} does not fit features of {size}: give ({size},)")

    def objectives(trained: M) -> Mapping[str, Objective]:
        guided = _Guided(trained, frozen, features, normalize(direction.detach(), dim=0), layers)
        parameters = [parameter for module in guided.layers.values() for parameter in module.parameters()]
        return {"direction": Objective(guided.loss, parameters, rate, NO_MOMENTUM)}

    return learn(model, codes(), kept, objectives=objectives, on_step=on_step, seed=child(seed, "steps"))


def feature_direction(features: Features, start: Tensor, end: Tensor) -> Tensor:
    """The unit vector between mean unit features: (B, C, H, W), (N, C, H, W) in [0, 1] -> (d,); 0 for equal sets."""
    with torch.no_grad():
        return normalize(_unit(features(end)).mean(0) - _unit(features(start)).mean(0), dim=0)


def class_direction(classifier: Any, start: str, end: str) -> Tensor:
    """The unit vector from one class of a classifier to another, by name: between their last weights, (d,).

    Raises ValueError for an unknown class.
    """
    names = list(classifier.config.classes)
    if unknown := sorted({start, end} - set(names)):
        raise ValueError(f"the judge has no class {', '.join(unknown)}: it has {', '.join(names)}")
    weight: Tensor = [each for each in classifier.head.modules() if isinstance(each, nn.Linear)][-1].weight.detach()
    return normalize(weight[names.index(end)] - weight[names.index(start)], dim=0)


class _Guided:
    """The loss of a generator that is trained, against its frozen copy."""

    def __init__(self, model: Any, frozen: Any, features: Features, direction: Tensor, count: int | None) -> None:
        self.model, self.frozen, self.features, self.direction = model, frozen, features, direction
        drawing = set(model.drawing.modules())
        able = {name: each for name, each in layers(model).items() if each in drawing and isinstance(each, TRAINABLE)}
        able.popitem()  # what draws the pixels
        self.layers, self.count = able, count

    def loss(self, z: Tensor) -> Tensor:
        """1 minus the cosine between the movement of an image and the direction, averaged: codes (B, z) -> ()."""
        with eval_mode(self.model), torch.autocast(z.device.type, enabled=False):
            before = _unit(self.features(self.frozen.decode(z)))
            untrained: list[nn.Parameter] = []
            if self.count is not None and self.count < len(self.layers):
                sensitivity = self._sensitivity(z[:TRIED])
                names = sorted(sensitivity, key=lambda name: sensitivity[name])[: len(sensitivity) - self.count]
                untrained = [parameter for name in names for parameter in self.layers[name].parameters()]
            for parameter in untrained:
                parameter.requires_grad_(False)
            after = _unit(self.features(self.model.decode(z)))
            for parameter in untrained:
                parameter.requires_grad_(True)
            moved = after - before
            # An image that has not moved has no direction. The published code adds 1e-6 to its pixels; here a short
            # movement counts as a longer one, so that first steps are gentle.
            return 1 - (moved @ self.direction / moved.norm(dim=1).clamp_min(SHORT)).mean()

    def _sensitivity(self, z: Tensor) -> dict[str, float]:
        """The gradient of the goal with respect to each layer's output, in units of its own size.

        The paper optimises one code per layer of StyleGAN, and chooses the layers whose codes move most. Layers here
        have no codes: zeros that are added to their output take their place.
        """
        sizes, added = dict[str, Tensor](), dict[str, Tensor]()

        def offset(name: str) -> Callable[[Tensor, Tensor], Tensor]:
            def add(before: Tensor, after: Tensor) -> Tensor:
                sizes[name], added[name] = after.detach(), torch.zeros_like(after, requires_grad=True)
                return after + added[name]

            return add

        with ExitStack() as stack:
            for name, module in self.layers.items():
                stack.enter_context(hooked(module, offset(name)))
            along = _unit(self.features(self.model.decode(z))) @ self.direction
        slopes = torch.autograd.grad(along.mean(), [*added.values()])
        return {name: (slope.norm() * sizes[name].norm()).item() for name, slope in zip(added, slopes, strict=True)}


def _unit(features: Tensor) -> Tensor:
    return normalize(features.float().flatten(1), dim=1)
