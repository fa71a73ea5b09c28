"""What an alphabet is typed with, and what it is called."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from string import ascii_letters, digits

FAMILY = "That Are Not"
MOST = 500  # symbols of one font or sheet
NAME = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")
UNDRAWN = "\u115f\u1160\u3164\uffa0"  # fillers: Unicode has them as letters, and programs show nothing for them
LONGEST = 18  # characters: with FAMILY it is 31, the most that old programs read


class KeysError(ValueError):
    """Keys that cannot be typed, or too many or too few of them."""


def default_keys(count: int) -> list[str]:
    """From a to z, A to Z, 0 to 9, then whatever else can be typed, in Unicode's order. Raises KeysError past 500."""
    return list(islice(_typeable(), checked_count(count)))


def checked_count(count: int) -> int:
    """The count, if it is of one alphabet. Raises KeysError otherwise."""
    if not 1 <= count <= MOST:
        raise KeysError(f"{count} symbols are no alphabet: give 1 to {MOST}")
    return count


def checked_keys(keys: Sequence[str], symbols: int) -> list[str]:
    """The keys, one for each symbol. Raises KeysError for a key that is not one visible character, or comes twice."""
    checked_count(symbols)
    if len(keys) != symbols:
        raise KeysError(f"{len(keys)} keys for {symbols} symbols: give each symbol one key")
    for place, key in enumerate(keys):
        if not isinstance(key, str) or len(key) != 1 or not visible(key):
            raise KeysError(f"key {key!r:.40} cannot be typed: give one visible character, such as a or 7")
        if key in keys[:place]:
            raise KeysError(f"key {key!r} is there twice: give each symbol its own")
    return list(keys)


def visible(character: str) -> bool:
    """Whether it stands for itself on a page: no space, control character, or mark that sits on another character."""
    shown = character.isprintable() and character not in UNDRAWN + " "
    return shown and unicodedata.category(character)[0] != "M"


def typed(keys: Sequence[str]) -> dict[str, str]:
    """Character -> the key whose symbol it types: the keys, and for letters the other case if that has no symbol."""
    other = {key.swapcase(): key for key in reversed(keys) if key.swapcase().swapcase() == key}
    cases = {character: key for character, key in other.items() if len(character) == 1}
    return {**cases, **{key: key for key in keys}}


def checked_name(name: str) -> str:
    """The name of the family. Raises ValueError for one that is not a few plain words."""
    if not isinstance(name, str) or len(name) > LONGEST or not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.60} is no name for a font: give words of letters A to Z and digits, {LONGEST} characters in all"
        )
    return f"{FAMILY} {name}"


def plain_name(text: str) -> str:
    """As much of any text as can be a name: its plain words."""
    return " ".join(re.findall("[A-Za-z0-9]+", text))[:LONGEST].strip() or "Alphabet"


def _typeable() -> Iterator[str]:
    first = ascii_letters + digits
    return chain(first, (c for c in map(chr, count(0x21)) if visible(c) and c not in first))
