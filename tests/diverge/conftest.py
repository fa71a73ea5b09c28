"""Tiny models of every kind, and pictures for them."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import MODELS, create
from toolkit.seeds import Noise

TINY = {"filters": 4, "size": 16, "widths": (24, 16), "width": 24, "hidden": 16, "z": 3, "depth": 2}


def make(name: str, seed: int = 0) -> Any:
    architecture: Any = MODELS[name]
    known = {field.name for field in fields(architecture.Config)}
    return create(name, {option: value for option, value in TINY.items() if option in known}, seed=seed)


@pytest.fixture
def tiny() -> Callable[..., Any]:
    """tiny("VAE", seed=1): a small model with other weights for each seed."""
    return make


@pytest.fixture
def same() -> Callable[[nn.Module, nn.Module], bool]:
    """Whether two models have the same weights, bit for bit."""

    def compare(a: nn.Module, b: nn.Module) -> bool:
        mine, yours = a.state_dict(), b.state_dict()
        return mine.keys() == yours.keys() and all(torch.equal(mine[key], yours[key]) for key in mine)

    return compare


@pytest.fixture
def output() -> Callable[..., Tensor]:
    """output(model): what a model makes of six codes, or of six images, whichever it takes."""

    def run(model: Any, seeds: Any = range(6)) -> Tensor:
        if hasattr(model, "sample"):
            return model.sample(Noise(seeds))
        x = Noise(seeds).rand(*model.image_shape)
        return model.reconstruct(x) if hasattr(model, "reconstruct") else model(x)

    return run
