"""One file per model: a frozen Config, what it can do (reconstruct, decode), what it lowers (objectives)."""

from .registry import MODELS, create, register
from .wta import WTA

__all__ = ["MODELS", "WTA", "create", "register"]
