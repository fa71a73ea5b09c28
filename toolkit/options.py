"""Options that come from elsewhere, a command line or a file's header, held against what there is."""

import math
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def choose(what: str, value: str, choices: Iterable[str]) -> str:
    """The value, if it is one of the choices; otherwise ValueError names the thing and what there is."""
    known = list(choices)
    if value not in known:
        raise ValueError(f"unknown {what} {value!r}: choose one of {', '.join(known)}")
    return value


def checked(what: str, settings: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the dataclass `settings` has them: options as JSON gives them, lists become tuples.

    Raises ValueError for an option it does not have, naming those it has, or a value of another type.
    """
    hints = get_type_hints(settings)
    if unknown := sorted(set(values) - set(hints)):
        raise ValueError(f"{what} has no option {', '.join(unknown)}: it has {', '.join(hints)}")
    for option, value in values.items():
        if not _fits(value, hints[option]):
            kind = getattr(hints[option], "__name__", hints[option])
            raise ValueError(f"option {option} of {what} is {value!r:.60}: give a value of type {kind}")
    return {option: tuple(value) if isinstance(value, list) else value for option, value in values.items()}


def _fits(value: object, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(_fits(value, choice) for choice in get_args(hint))
    if kind is Literal:
        return value in get_args(hint)
    return type(value) in {float: (float, int), tuple: (list, tuple)}.get(kind, (kind,))


def check_rate(lr: float) -> None:
    """Raise ValueError unless lr is a learning rate: finite, over 0."""
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}: give a finite learning rate over 0")
