"""What all operators share: a neutral setting, a model that stays as it was, images that do not depend on others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import draw, make, same
from toolkit.diverge import (
    TRANSFORMS,
    Edit,
    Glitch,
    Snapshot,
    adversarial,
    along,
    bend,
    blend,
    context,
    creative_adversarial,
    feedback,
    fine_tune,
    follow,
    glitch,
    glitched,
    keys,
    loss_hacking,
    matrix,
    rewrite,
    second_moment,
    swap,
    without_data,
    write,
)
from toolkit.diverge.weights import KINDS, level_count
from toolkit.models import MODELS
from toolkit.seeds import Noise

# A layer of each that runs whenever it draws: one with a matrix, and the activation behind it.
MATRIX = {"WTA": "decoder.0", "ConvAE": "encoder.2", "VAE": "decoder.0", "ConvVAE": "decoder.0", "DCGAN": "generator.3",
          "StyleGAN": "generator.1.conv", "Manifold": "net.0", "Judge": "body.0"}  # fmt: skip
ACTIVATION = {"WTA": "decoder.1", "ConvAE": "encoder.3", "VAE": "decoder.1", "ConvVAE": "decoder.8",
              "DCGAN": "generator.2", "StyleGAN": "generator.1.act", "Manifold": "net.1",
              "Judge": "body.1"}  # fmt: skip
EVERY = pytest.mark.parametrize("name", sorted(MODELS.keys() - {"CharRNN"}))  # of images


def written(model: Any, strength: float) -> Any:
    layer = MATRIX[type(model).__name__]
    found = keys(model, layer, draw)
    key = found.mean(0)
    return write(model, layer, key, matrix(model, layer) @ key + 1, second_moment(found), strength=strength)


def optimised(model: Any, strength: float) -> Any:
    layer = MATRIX[type(model).__name__]
    found, part = keys(model, layer, draw), model.get_submodule(layer)
    x = torch.rand(2, *(part.weight.shape[1:2] if part.weight.ndim == 2 else (part.in_channels, 6, 6)))
    return rewrite(model, layer, x, part(x) + 1, context(found, second_moment(found)), steps=2, strength=strength)


# New models by their strength: 0 is neutral.
WEIGHTS: dict[str, Callable[[Any, Any, float], Any]] = {
    "blend": blend,
    "swap": lambda parent, child, by: swap(parent, child, level_count(parent) if by == 0 else 1),
    "along": lambda parent, child, by: along([parent, child], 1 + by),
    **{f"glitch, {kind}": lambda model, _, by, kind=kind: glitched(model, Glitch(kind, by)) for kind in KINDS},
    "write": lambda model, _, by: written(model, by),
    "rewrite": lambda model, _, by: optimised(model, by),
}
WEIGHT = pytest.mark.parametrize("operator", WEIGHTS)


@EVERY
@WEIGHT
def test_strength_0_gives_the_model_and_another_a_new_frozen_one(name: str, operator: str) -> None:
    model, other = make(name), make(name, seed=1)
    neutral, altered = (WEIGHTS[operator](model, other, by) for by in (0.0, 0.5))
    assert same(neutral, model) and neutral is not model and not same(altered, model)
    assert same(model, make(name)) and same(other, make(name, seed=1))
    assert not any(p.requires_grad for p in altered.parameters()) and not any(m.training for m in altered.modules())
    assert "forward" not in vars(altered)


@contextmanager
def edited(model: Any, transform: str, **options: Any) -> Iterator[Any]:
    with bend(model, Edit(ACTIVATION[type(model).__name__], transform, **options), seeds=range(6)):
        yield model


UNITS = ("VAE", "Manifold")  # have no maps
PAIRS = pytest.mark.parametrize(
    ("name", "transform"),
    [(name, way) for name in ACTIVATION for way, kind in TRANSFORMS.items() if not (kind.maps and name in UNITS)],
)


@EVERY
def test_the_neutral_settings_of_every_transform_change_no_bit(name: str) -> None:
    model, before, layer = make(name), draw(make(name)), ACTIVATION[name]
    for transform, kind in TRANSFORMS.items():
        none = [Edit(layer, transform, strength=0.0), Edit(layer, transform, channels="random", share=0.0)]
        none += [Edit(layer, transform, kind.neutral)] if kind.neutral is not None else []
        with bend(model, none, seeds=range(6)):
            assert torch.equal(draw(model), before)


@PAIRS
def test_every_transform_bends_every_model_and_leaves_it_as_it_was(name: str, transform: str) -> None:
    model, before = make(name), draw(make(name))
    with edited(model, transform):
        assert not torch.equal(draw(model), before)
    assert torch.equal(draw(model), before) and same(model, make(name))
    assert not any(module._forward_hooks for module in model.modules())


@PAIRS
def test_a_bent_image_does_not_depend_on_its_batch(name: str, transform: str) -> None:
    edit = Edit(ACTIVATION[name], transform, strength=0.5, channels="random")
    with bend(make(name), edit, seeds=range(6)) as model:
        together = draw(model)
    with bend(make(name), edit, seeds=[4]) as model:
        torch.testing.assert_close(draw(model, [4])[0], together[4], atol=1e-5, rtol=1e-4)


@EVERY
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_glitch_is_undone_bit_for_bit_where_its_block_ends(name: str, kind: str) -> None:
    model, wanted = make(name), glitched(make(name), Glitch(kind, 0.5))
    with glitch(model, Glitch(kind, 0.5)) as altered:
        assert altered is model and same(model, wanted)
        with suppress(KeyError), glitch(model, Glitch("scale", 0.5)):
            raise KeyError
        assert same(model, wanted)
    assert same(model, make(name))


# ---- training


def halves(x: Tensor) -> Tensor:
    """Features of images: the brightness of the upper and the lower half."""
    return torch.stack([half.flatten(1).mean(1) for half in x.chunk(2, 2)], 1)


IMAGES = (255 * Noise(range(20)).rand(1, 16, 16)).byte()
LABELS = torch.arange(20) % 4
BRIGHT = torch.tensor([1.0, 0.0])
FEW = {"count": 8, "steps": 2, "batch": 4}
# By method: what it starts from, what it takes besides, its settings here, and some with which nothing changes.
TRAININGS: dict[str, tuple[Callable[..., Any], str, tuple[Any, ...], dict[str, Any], dict[str, Any] | None]] = {
    "adversarial": (adversarial, "DCGAN", (IMAGES,), {"batch": 8}, None),
    "adversarial, styles": (adversarial, "StyleGAN", (IMAGES,), {"batch": 8}, None),
    "creative adversarial": (creative_adversarial, "DCGAN", (IMAGES, LABELS), {"styles": 4, "batch": 8}, None),
    "fine-tuning": (fine_tune, "VAE", (IMAGES,), {"batch": 8}, {"rate": 0.0}),
    "fine-tuning, WTA": (fine_tune, "WTA", (IMAGES,), {"batch": 8}, {"rate": 0.0}),
    "feedback": (feedback, "VAE", (), FEW, {"rate": 0.0}),
    "loss hacking": (loss_hacking, "DCGAN", (), {"lr": 1e-2}, {"lr": 0.0}),
    "without data": (without_data, "DCGAN", (make("DCGAN", seed=1),), {"batch": 8}, None),
    "external knowledge": (follow, "VAE", (halves, BRIGHT), {"batch": 4, "rate": 1e-2}, {"rate": 0.0}),
    "external knowledge, GAN": (follow, "DCGAN", (halves, BRIGHT), {"batch": 4}, {"rate": 0.0}),
    "external knowledge, styles": (follow, "StyleGAN", (halves, BRIGHT), {"batch": 4}, {"rate": 0.0}),
}


def train(method: str, kept: tuple[int, ...], model: Any = None, **how: Any) -> Iterator[Snapshot]:
    function, name, inputs, settings, _ = TRAININGS[method]
    return function(model or make(name), *inputs, kept, **{**settings, **how})


TRAINING = pytest.mark.parametrize("method", TRAININGS)


@TRAINING
def test_after_no_steps_it_is_the_model_and_after_some_a_new_frozen_one(method: str) -> None:
    name, neutral = TRAININGS[method][1], TRAININGS[method][-1]
    model = make(name)
    first, last = train(method, (0, 3), model)
    assert same(model, make(name)) and first.model is not model
    assert (first.step, last.step) == (0, 3) and first.losses == {} and last.losses
    assert same(first.model, make(name)) and not same(last.model, make(name)) and type(last.model) is type(make(name))
    assert not last.model.training and not any(p.requires_grad for p in last.model.parameters())
    if neutral is not None:
        (found,) = train(method, (3,), **neutral)
        assert same(found.model, make(name))


@TRAINING
def test_a_seed_is_a_training_and_which_steps_are_kept_does_not_matter(method: str) -> None:
    (few,), (other,) = train(method, (3,), seed=1), train(method, (3,), seed=2)
    many = list(train(method, (0, 1, 3), seed=1))
    assert [each.step for each in many] == [0, 1, 3]
    assert same(few.model, many[-1].model) and few.losses == many[-1].losses and not same(few.model, other.model)


@TRAINING
def test_an_image_of_a_snapshot_does_not_depend_on_its_batch(method: str) -> None:
    *_, last = train(method, (2,))
    torch.testing.assert_close(draw(last.model, [4])[0], draw(last.model)[4], atol=1e-5, rtol=1e-4)


@TRAINING
def test_training_leaves_the_callers_random_numbers_and_refuses_steps_that_do_not_rise(method: str) -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    list(train(method, (0, 1)))
    assert torch.equal(torch.rand(3), wanted)
    for kept in ((), (3, 2), (-1, 2), (2, 2)):
        with pytest.raises(ValueError, match="^kept is [^\n]+$"):
            next(train(method, kept))
