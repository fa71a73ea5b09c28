"""That Are Not: machines that make images their training data does not contain.

The names below are imported once they are asked for (PEP 562), so that what needs no torch does not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import data, diverge, hub, iterated, metrics, plot, presets, runs, samplers, seeds, train
    from .hub import Model
    from .iterated import iterated_learning
    from .models import WTA, create
    from .presets import preset
    from .samplers.creative import Creative, creative_decode
    from .samplers.generate import Sampling, generate
    from .samplers.iterate import iterate, settle
    from .samplers.kaleidoscope import kaleidoscope
    from .seeds import Noise
    from .train import fit

__version__ = "0.1.0"

_MODULES = ["data", "diverge", "hub", "iterated", "metrics", "plot", "presets", "runs", "samplers", "seeds", "train"]
_HOMES = {  # the module that each name is of
    "WTA": "models", "Creative": "samplers", "Model": "hub", "Noise": "seeds", "Sampling": "samplers",
    "create": "models", "creative_decode": "samplers", "fit": "train", "generate": "samplers",
    "iterate": "samplers", "iterated_learning": "iterated", "kaleidoscope": "samplers", "preset": "presets",
    "settle": "samplers",
}  # fmt: skip

__all__ = [
    "WTA", "Creative", "Model", "Noise", "Sampling", "create", "creative_decode", "data", "diverge", "fit",
    "generate", "hub", "iterate", "iterated", "iterated_learning", "kaleidoscope", "metrics", "plot", "preset",
    "presets", "runs", "samplers", "seeds", "settle", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
