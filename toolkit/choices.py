"""One of a few names, or a sentence that lists them."""

from collections.abc import Iterable


def choose(what: str, value: str, choices: Iterable[str]) -> str:
    """The value, if it is one of the choices; otherwise ValueError names the thing and what there is."""
    known = list(choices)
    if value not in known:
        raise ValueError(f"unknown {what} {value!r}: choose one of {', '.join(known)}")
    return value
