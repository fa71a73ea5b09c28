"""Small models of every architecture, what they draw, and whether two are the same."""

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.models import MODELS, create
from toolkit.seeds import Noise

OPTIONS = {"filters": 4, "size": 16, "widths": (24, 16), "width": 24, "hidden": 16, "z": 3, "depth": 2}


def make(name: str, seed: int = 0, **options: Any) -> Any:
    """A small model with other weights for each seed; it takes those of `OPTIONS` that it has."""
    architecture: Any = MODELS[name]
    known = {field.name for field in fields(architecture.Config)}
    return create(name, {key: value for key, value in {**OPTIONS, **options}.items() if key in known}, seed=seed)


def draw(model: Any, seeds: Any = range(6)) -> Tensor:
    """Images from codes, or from noise, whichever a model takes; one for each seed."""
    if hasattr(model, "sample"):
        return model.sample(Noise(seeds))
    x = Noise(seeds).rand(*model.image_shape)
    return model.reconstruct(x) if hasattr(model, "reconstruct") else model(x)


def same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two models have the same weights, bit for bit."""
    mine, yours = a.state_dict(), b.state_dict()
    return mine.keys() == yours.keys() and all(torch.equal(mine[key], yours[key]) for key in mine)
