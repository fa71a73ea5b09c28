"""Pictures of symbols -> outlines, as SVG, or as a font that any program can type with."""

from .drawing import svg
from .keys import MOST, KeysError, checked_keys, checked_name, default_keys, plain_name, typed
from .pictures import grey
from .tracing import Outline, OutlineError, trace
from .truetype import build
from .typeset import specimen

__all__ = [
    "MOST", "KeysError", "Outline", "OutlineError", "build", "checked_keys", "checked_name", "default_keys",
    "grey", "plain_name", "specimen", "svg", "trace", "typed",
]  # fmt: skip
