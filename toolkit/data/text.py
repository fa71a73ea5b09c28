"""Text as data, in rows of codes: a list of words, built in or in a file, or any other text, cut into pieces."""

import lzma
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from torch import Tensor

from ..config import offer
from ..models.text import MOST, encode

BUILT_IN, FILE = "words", "text"  # names: "words", and "text:FILE"
LARGEST = 2**25  # bytes of a file
LONGEST = 40  # letters of a word; a list of longer ones is running text
PIECE = 64  # characters of running text that are learned together
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")  # letters, with apostrophes between them


@dataclass(frozen=True, eq=False)
class Text:
    """A text as data. codes: uint8 (N, L), of a list a word a row, else the pieces in order; 0 after the end of a word.

    alphabet: its characters, code k the k-th. vocabulary: the words in it, in alphabetical order. listed: whether it is
    a list of words.
    """

    name: str
    alphabet: str
    vocabulary: tuple[str, ...] = field(repr=False)
    codes: Tensor = field(repr=False)
    listed: bool = True

    def __len__(self) -> int:
        return len(self.codes)


def is_text(name: str) -> bool:
    """Whether a data set is text and no images."""
    return name == BUILT_IN or name.startswith(f"{FILE}:")


def load(name: str) -> Text:
    """The text of a name: "words", 63,849 lower-case English words, built in; or "text:FILE".

    A file of one word a line is a list of words, whatever their order; any other file is running text. Raises
    FileNotFoundError for a file that is not there, and ValueError, one sentence, for another name, a file that is too
    large or no UTF-8 text, or one without two different characters.
    """
    if name == BUILT_IN:
        return _built_in()
    if not name.startswith(f"{FILE}:"):
        raise ValueError(f"unknown text {name!r:.60}: {offer(name, [BUILT_IN, f'{FILE}:FILE'])}")
    path = Path(name.partition(":")[2]).expanduser()
    return of(_read(path), name)


@lru_cache(maxsize=1)
def _built_in() -> Text:
    packed = Path(__file__).with_name("words.txt.xz").read_bytes()
    return of(lzma.decompress(packed).decode("ascii"), BUILT_IN)


def _read(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: give text:FILE, a list of words or any other text")
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path} has {size:,} bytes, and the most is {LARGEST:,}: give a part of it")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 (byte {error.start:,}): save it as UTF-8") from error
    if "\0" in text:
        raise ValueError(f"{path} is no text, it holds a zero byte: give a text file")
    return text.replace("\r\n", "\n")


def of(text: str, name: str) -> Text:
    """The text of a file as data. name: of errors. Raises ValueError for one of which nothing can be learned."""
    alphabet = "".join(sorted({*text}))
    lines = [line for each in text.split("\n") if (line := each.strip())]
    listed = len(lines) > 1 and all(len(line) <= LONGEST and len(line.split()) == 1 for line in lines)
    if listed:
        alphabet = "".join(sorted({*"".join(lines)}))
    if len(alphabet) < 2 or not lines:
        what = f"only the character {alphabet!r}" if lines else "nothing"
        raise ValueError(f"{name} holds {what}: give a text with different ones, from which the next can be learned")
    if len(alphabet) > MOST:
        raise ValueError(
            f"{name} has {len(alphabet)} different characters, and the most is {MOST}: give a plainer text"
        )
    if listed:
        vocabulary = tuple(sorted({*lines}))
        return Text(name, alphabet, vocabulary, encode(vocabulary, alphabet, 1 + max(map(len, vocabulary))))
    size = min(PIECE, len(text))
    pieces = [text[at : at + size] for at in range(0, len(text) - size + 1, size)]
    known = tuple(sorted({*WORD.findall(text)}))
    return Text(name, alphabet, known, encode(pieces, alphabet, size), listed=False)
