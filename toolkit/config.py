"""Options and settings: their names and values checked, with a sentence for what is wrong."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

DIGITS = tuple("0123456789")


def choose(what: str, value: str, choices: Iterable[str]) -> str:
    """The value, if it is one of the choices; otherwise ValueError names the thing and what there is, nearest first."""
    known = list(choices)
    if value not in known:
        raise ValueError(f"unknown {what} {value!r}: {offer(value, known)}")
    return value


FEW = 8  # names that are all listed


def offer(name: object, choices: Iterable[object]) -> str:
    """What to choose instead of an unknown name: what is spelled most alike first, and all only where they are few."""
    text, known = str(name)[:100], list(map(str, choices))
    near = get_close_matches(text, known, n=3)
    if len(known) <= FEW:
        return f"choose one of {', '.join([*near, *(other for other in known if other not in near)])}"
    *others, last = near or get_close_matches(text, known, n=3, cutoff=0.0)
    return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}? There are {len(known)}"


def checked(what: str, settings: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the dataclass `settings` has them: options as JSON gives them, lists become tuples.

    Raises ValueError for an option it does not have, naming those it has, the nearest first, or for a
    value of another type.
    """
    types = get_type_hints(settings)
    hints = {each.name: types[each.name] for each in fields(settings)}
    if unknown := sorted(set(values) - set(hints)):
        raise ValueError(f"{what} has no option {', '.join(unknown)}: {offer(unknown[0], hints)}")
    for option, value in values.items():
        if not _fits(value, hints[option]):
            kind = hints[option] if get_origin(hints[option]) else hints[option].__name__
            raise ValueError(f"option {option} of {what} is {value!r:.60}: give a value of type {kind}")
    return {option: tuple(value) if isinstance(value, list) else value for option, value in values.items()}


PLAIN = {str, int, float, bool, Ellipsis}


def _fits(value: object, hint: Any) -> bool:
    """Whether a value, as JSON gives it, is of a type; of a tuple of plain values, every element too."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind is Literal:
        return value in parts
    if kind is tuple and isinstance(value, (list, tuple)) and parts and PLAIN.issuperset(parts):
        parts = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(parts) == len(value) and all(map(_fits, value, parts))
    return type(value) in {float: (float, int), tuple: (list, tuple)}.get(kind, (kind,))


def check_rate(lr: float) -> None:
    """Raise ValueError unless lr is a learning rate: finite, over 0."""
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}: give a finite learning rate over 0")


@dataclass(frozen=True)
class SamplingSettings:
    """How noise becomes an image. The defaults are the paper's (section 3), with the stop taken per image.

    stop: "each" image by itself, or the whole "batch" together, as published.
    finish: "none", "stretch" the picture so that its brightest pixel is 1, or give it the "tone" of the data, a curve.
    ink: after each pass a moving threshold leaves this share of the values white and the others black (`refine`).
    salt: before each pass this share of the values becomes black or white by chance.
    """

    tol: float = 1e-3
    limit: int = 100  # passes at most
    stop: str = "each"
    finish: str = "none"
    tone: tuple[float, ...] = ()  # brightness at evenly spaced ranks of pixels: `brightness_curve(images)`
    ink: float | None = None
    salt: float | None = None

    def __post_init__(self) -> None:
        choose("stop", self.stop, ["each", "batch"])
        choose("finish", self.finish, ["none", "stretch", "tone"])
        object.__setattr__(self, "tone", tuple(self.tone))  # JSON gives a list
        if self.limit < 1 or self.tol < 0:
            raise ValueError(f"limit {self.limit}, tol {self.tol}: at least one pass, and no negative tolerance")
        for name, share in (("ink", self.ink), ("salt", self.salt)):
            if share is not None and not 0 < share < 1:
                raise ValueError(f"{name} is {share}: give a share of the pixels, over 0 and under 1, or none")
