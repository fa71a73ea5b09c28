"""That Are Not: machines that make images their training data does not contain.

The names below are imported once they are asked for (PEP 562), so that what needs no torch does not wait for it.
"""

__version__ = "0.1.0"

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import diverge, hub, plot
    from .hub import Model
    from .iterated import iterated_learning
    from .models import WTA, create
    from .presets import preset
    from .samplers.creative import Creative, creative_decode
    from .samplers.generate import Sampling, hallucinate
    from .samplers.iterate import iterate, settle
    from .samplers.kaleidoscope import kaleidoscope
    from .seeds import Noise
    from .train import fit

__all__ = [
    "WTA", "Creative", "Model", "Noise", "Sampling", "create", "creative_decode", "diverge", "fit", "hallucinate",
    "hub", "iterate", "iterated_learning", "kaleidoscope", "plot", "preset", "settle",
]  # fmt: skip

_HOMES = {  # the module that a name is of; a name without one is a module itself
    "WTA": "models", "Creative": "samplers", "Model": "hub", "Noise": "seeds", "Sampling": "samplers",
    "create": "models", "creative_decode": "samplers", "fit": "train", "hallucinate": "samplers",
    "iterate": "samplers", "iterated_learning": "iterated", "kaleidoscope": "samplers", "preset": "presets",
    "settle": "samplers",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f".{_HOMES.get(name, name)}", __name__)
    return getattr(home, name) if name in _HOMES else home


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
