"""The judges: small classifiers that were trained here and are shipped. `load` gives one; needs no torch until then."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .stored import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import stored

    return getattr(stored, name)
