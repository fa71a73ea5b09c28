"""Rows of pictures at three strengths."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from toolkit.diverge import Edit
from toolkit.experiments import operators
from toolkit.models import MODELS, create

SEEDS = range(6)
Make = Callable[..., Any]


def rows(tiny: Make) -> dict[str, list[torch.Tensor]]:
    """Every preset, on tiny models that descend from each other in nothing but name."""
    vae, wta, other = tiny("VAE"), tiny("WTA"), tiny("WTA", seed=1)
    return {
        "bend vae": operators.bending(vae, SEEDS, Edit("decoder.1", "noise", 3.0)),
        "bend wta": operators.bending(wta, SEEDS, Edit("decoder.1", "rotate")),
        "blend": operators.blending(wta, other, SEEDS),
        "ramp": operators.ramping(wta, other, SEEDS),
        "beyond": operators.beyond([other, wta], SEEDS),
        "glitch": operators.glitching(vae, SEEDS, "flip", (0.1, 0.3, 0.5)),
        "chain": operators.chaining(wta, create("Manifold", {"size": 9, "width": 8, "depth": 1}, seed=0), SEEDS),
        "rewrite": operators.rewriting(vae, SEEDS, halves, layer="decoder.3", one=0, other=1),
        "rank": operators.rewriting(vae, SEEDS, halves, layer="decoder.3", one=0, other=1, rank=2),
        "repaint": operators.repainting(vae, SEEDS, lambda x: 1 - x, layer="decoder.6"),
        "search": operators.searching(vae, SEEDS, vae.encode, strengths=(1, 2, 3)),
    }


def halves(images: torch.Tensor) -> torch.Tensor:
    """Two classes: darker and brighter than the middle one."""
    ink = images.flatten(1).mean(1)
    return (ink > ink.median()).long()


def test_every_preset_is_the_model_itself_and_then_three_strengths_of_the_same_seeds(tiny: Make) -> None:
    for name, found in rows(tiny).items():
        plain = operators.drawn(tiny(NAMES[name]), SEEDS)
        torch.testing.assert_close(found[0], plain, msg=name)
        assert len(found) == 4 and all(row.shape == plain.shape for row in found)
        assert all(not torch.equal(row, plain) and 0 <= row.min() <= row.max() <= 1 for row in found[1:]), name


NAMES = {"bend vae": "VAE", "bend wta": "WTA", "blend": "WTA", "ramp": "WTA", "beyond": "WTA", "glitch": "VAE",
         "chain": "WTA", "rewrite": "VAE", "rank": "VAE", "repaint": "VAE", "search": "VAE"}  # fmt: skip


def test_a_model_draws_from_codes_or_out_of_noise_and_a_seed_is_a_picture(tiny: Make) -> None:
    for name in ("DCGAN", "WTA"):
        together = operators.drawn(tiny(name), SEEDS)
        torch.testing.assert_close(operators.drawn(tiny(name), [3])[0], together[3], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(operators.BENDS))
def test_every_bend_is_of_a_layer_that_its_architecture_has_at_its_published_size(name: str) -> None:
    model = create(name, {}, seed=0)
    for edit in operators.BENDS[name]:
        with torch.no_grad():
            before, *bent = operators.bending(model, [0], edit, (1.0,), passes=1)
        assert bent[0].shape == before.shape and not torch.equal(bent[0], before), edit


def test_every_architecture_that_has_bends_is_registered() -> None:
    assert set(operators.BENDS) <= set(MODELS)


def test_a_class_that_is_not_drawn_is_refused(tiny: Make) -> None:
    with pytest.raises(ValueError, match="^[^\n]+ 0 of 7: choose [^\n]+$"):
        operators.rewriting(tiny("VAE"), SEEDS, halves, layer="decoder.3", one=0, other=7)


def test_a_convolutional_layer_is_not_rewritten(tiny: Make) -> None:
    with pytest.raises(ValueError, match="^layer generator.3 has 16 keys a picture[^\n]+$"):
        operators.rewriting(tiny("DCGAN"), SEEDS, halves, layer="generator.3", one=0, other=1)
