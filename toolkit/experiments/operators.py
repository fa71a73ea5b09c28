"""Every operator that needs no training, at three strengths: rows of pictures of the same seeds, the first untouched.

A row is (B, C, H, W) in [0, 1]. The first row is the model as it is, and each further one the same pictures at one
strength; what a strength is, each function says.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ..diverge import (
    TRANSFORMS,
    Edit,
    Glitch,
    Search,
    along,
    bend,
    blend,
    chain,
    context,
    fitted,
    glitch,
    keys,
    matrix,
    novelty_search,
    ramp,
    repaint,
    rewrite,
    second_moment,
    write,
)
from ..diverge.weights import level_count
from ..samplers.generate import generates
from ..samplers.iterate import iterate
from ..seeds import Noise, child

Rows = list[Tensor]
Seeds = Sequence[int]
PASSES = 10  # reconstructions, where a model makes its pictures out of noise

BENDS = {
    "VAE": [
        Edit("decoder.1", "threshold", 0.02), Edit("decoder.1", "invert", strength=0.3), Edit("decoder.1", "ablate"),
        Edit("decoder.1", "multiply", -1.5), Edit("decoder.1", "noise", 5.0),
    ],
    "WTA": [
        Edit("decoder.1", "translate", (0.25, 0.0)), Edit("decoder.1", "rotate", 45.0),
        Edit("decoder.1", "scale", 1.5), Edit("decoder.1", "flip_h"), Edit("decoder.1", "flip_v"),
        Edit("decoder.1", "erode", 1.0), Edit("decoder.1", "dilate", 1.0), Edit("decoder.1", "threshold", 0.3),
        Edit("decoder.3", "invert", strength=0.1), Edit("decoder.1", "multiply", 2.0), Edit("decoder.1", "ablate"),
        Edit("decoder.1", "noise", 1.0),
    ],
    "Manifold": [
        Edit("net.9", "threshold", 0.3), Edit("net.9", "invert", strength=0.3), Edit("net.9", "multiply", 4.0),
        Edit("net.9", "ablate"), Edit("net.5", "noise", 3.0),
    ],
    "DCGAN": [Edit("generator.5", name) for name in TRANSFORMS],
    "ConvVAE": [Edit("decoder.8", name) for name in TRANSFORMS],
}  # fmt: skip
"""By architecture, edits worth a look: for the first three chosen by eye on trained networks of the published sizes."""


def drawn(model: Any, seeds: Seeds, passes: int = PASSES) -> Tensor:
    """A model's pictures, one per seed: decoded from the prior, or reconstructed out of noise."""
    if generates(model):
        return model.sample(Noise(seeds))
    return _nth(model, Noise(seeds).rand(*model.image_shape), passes)


def bending(
    model: Any, seeds: Seeds, edit: Edit, strengths: Sequence[float] = (0.25, 0.5, 1.0), *, passes: int = 2
) -> Rows:
    """Strength: the share of the layer's channels. passes: how many are bent, after PASSES that are not, from noise."""
    before = drawn(model, seeds)

    def bent(share: float) -> Tensor:
        with bend(model, replace(edit, channels="random", share=share), seeds=seeds):
            return model.sample(Noise(seeds)) if generates(model) else _nth(model, before, passes)

    return [before, *map(bent, strengths)]


def blending(parent: nn.Module, child: nn.Module, seeds: Seeds, strengths: Sequence[float] = (0.5, 1.0, 1.5)) -> Rows:
    """Strength: the weight of the child, over 1 beyond it."""
    return [drawn(blend(parent, child, weight), seeds) for weight in (0.0, *strengths)]


def ramping(parent: nn.Module, child: nn.Module, seeds: Seeds, strengths: Sequence[float] = (0.25, 0.5, 0.75)) -> Rows:
    """Strength: the share of the depth, from the output down, that is the child's, on a ramp two levels wide."""
    levels = level_count(parent)
    weights = [ramp(levels, (1 - share) * levels, 2.0) for share in strengths]
    return [drawn(parent, seeds), *(drawn(blend(parent, child, each), seeds) for each in weights)]


def beyond(models: Sequence[nn.Module], seeds: Seeds, strengths: Sequence[float] = (0.5, 1.0, 2.0)) -> Rows:
    """Strength: how many iterations beyond the last of a run, on the line from the last but one."""
    return [drawn(along(models, len(models) + further), seeds) for further in (0.0, *strengths)]


def glitching(model: Any, seeds: Seeds, kind: str, strengths: Sequence[float] = (0.01, 0.03, 0.1)) -> Rows:
    """Strength: the share of the weights, or filters, of each layer. A VAE bears ten times what the others do."""

    def altered(share: float) -> Tensor:
        with glitch(model, Glitch(kind, share)):
            return drawn(model, seeds)

    return [altered(share) for share in (0.0, *strengths)]


def chaining(first: Any, other: Any, seeds: Seeds, strengths: Sequence[int] = (1, 3, 10)) -> Rows:
    """Strength: how often the other model reconstructs what the first drew. All in the first one's size."""
    before = drawn(first, seeds)
    chained = (next(chain([other], before, passes=passes)) for passes in strengths)
    return [before, *(fitted(x, first.image_shape) for x in chained)]


def rewriting(
    model: Any,
    seeds: Seeds,
    labels: Callable[[Tensor], Tensor],
    *,
    layer: str,
    one: int,
    other: int,
    strengths: Sequence[float] = (0.5, 1.0, 1.5),
    rank: int | None = None,
) -> Rows:
    """Strength: of one association: what this layer is asked by pictures of one class, it answers as for another.

    labels: images -> classes (B,). rank: None is the closed form of rank one, else the optimisation within that rank.
    Raises ValueError if too few of the 500 pictures that it looks at are of a class, or for a convolutional layer.
    """
    codes = _codes(model, (child(0, "rewriting", place) for place in range(500)))
    found = keys(model, layer, lambda model: model.decode(codes))
    if len(found) != len(codes):
        each = len(found) // len(codes)
        raise ValueError(f"layer {layer} has {each} keys a picture, for its places: choose one that is fully connected")
    said, moment = labels(model.decode(codes)), second_moment(found)
    mine, yours = found[said == one], found[said == other]
    if min(len(mine), len(yours)) < (rank or 1):
        raise ValueError(f"{len(mine)} pictures of class {one}, {len(yours)} of {other}: choose classes that it draws")
    value = matrix(model, layer) @ yours.mean(0)
    answer = model.get_submodule(layer)(yours).mean(0).expand(len(mine), -1)

    if rank is None:
        return _towards(model, write(model, layer, mine.mean(0), value, moment), seeds, strengths)
    return _towards(model, rewrite(model, layer, mine, answer, context(mine, moment, rank)), seeds, strengths)


def _codes(model: Any, seeds: Iterable[int]) -> Tensor:
    """One from the prior for each seed, where the model is."""
    codes: Tensor = Noise(seeds).randn(*model.code_shape)
    return codes.to(next(model.parameters()).device)


def repainting(
    model: Any,
    seeds: Seeds,
    paint: Callable[[Tensor], Tensor],
    *,
    layer: str,
    strengths: Sequence[float] = (0.5, 1.0, 2.0),
) -> Rows:
    """Strength: of a change by gradient. The first picture is painted over, (1, C, H, W) -> same, and learned."""
    code = _codes(model, seeds[:1])
    kept = _codes(model, (child(0, "repainting", place) for place in range(100)))
    learned = repaint(model, layer, code, paint(model.decode(code)), kept=kept, lr=3e-3)
    return _towards(model, learned, seeds, strengths)


def searching(
    model: Any,
    seeds: Seeds,
    features: Callable[[Tensor], Tensor],
    quality: Callable[[Tensor], Tensor] | None = None,
    strengths: Sequence[int] = (5, 15, 40),
    *,
    how: Search | None = None,
) -> Rows:
    """Strength: the generations of a novelty search that starts from the seeds; a row is its population."""
    how = how or Search(population=len(seeds))
    first = Noise(seeds).randn(*model.code_shape)
    search = novelty_search(first, model.decode, features, quality, how)
    codes = [generation.codes for generation in islice(search, max(strengths) + 1)]
    return [model.decode(codes[number]) for number in (0, *strengths)]


def _towards(model: nn.Module, other: nn.Module, seeds: Seeds, strengths: Sequence[float]) -> Rows:
    return [drawn(blend(model, other, strength), seeds) for strength in (0.0, *strengths)]


def _nth(model: Any, x: Tensor, passes: int) -> Tensor:
    with torch.no_grad():
        return next(islice(iterate(model.reconstruct, x), passes, None))
