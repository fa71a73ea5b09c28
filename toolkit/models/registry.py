"""The models by name. Registering is one decorator, and it enrols a model in the hub and in the contract tests."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from ..options import checked, choose

MODELS: dict[str, type[nn.Module]] = {}
M = TypeVar("M", bound=type[nn.Module])


def register(cls: M) -> M:
    """Class decorator: make a model known under its class name."""
    MODELS[cls.__name__] = cls
    return cls


def create(name: str, config: Mapping[str, Any], *, seed: int | None = None) -> nn.Module:
    """A frozen model in eval mode: `create("WTA", {"filters": 32}, seed=0)`. The seed fixes its initial weights.

    Raises ValueError for an unknown architecture, an option that it does not have, or a value of another type.
    """
    cls: Any = MODELS[choose("architecture", name, MODELS)]
    options = checked(name, cls.Config, config)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        model: nn.Module = cls(cls.Config(**options))
    return model.eval().requires_grad_(False)
