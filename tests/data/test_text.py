"""Text as data: what is a list and what is not, and a sentence for what is neither."""

from pathlib import Path

import pytest

from toolkit import data
from toolkit.data import text
from toolkit.models.text import decode


def file(folder: Path, content: str | bytes) -> str:
    path = folder / "some.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return f"text:{path}"


def test_the_built_in_list_is_that_of_its_readme() -> None:
    found = text.load("words")
    assert len(found) == len(found.vocabulary) == 63_849 and found.listed
    assert found.alphabet == "abcdefghijklmnopqrstuvwxyz" and min(map(len, found.vocabulary)) == 2
    assert decode(found.codes[::1000], found.alphabet) == list(found.vocabulary[::1000])
    assert "63,849" in data.NAMES["words"] and found is text.load("words")
    licence = (Path(text.__file__).parent / "words.copyright").read_text(encoding="utf-8")
    assert "SCOWL" in licence and "Permission to use, copy, modify, distribute" in licence


def test_one_word_a_line_is_a_list_and_anything_else_runs(tmp_path: Path) -> None:
    listed = text.load(file(tmp_path, "\ufeffZebra\r\n\r\n apple\r\napple\r\nÉtude"))
    assert listed.vocabulary == ("Zebra", "apple", "Étude") and listed.listed and listed.codes.shape == (3, 6)
    running = text.load(file(tmp_path, "To be, or not to be:\nthat's the question. " * 5))
    assert not running.listed and running.codes.shape == (3, 64)
    assert "".join(decode(running.codes, running.alphabet)) == ("To be, or not to be:\nthat's the question. " * 5)[:192]
    assert "that's" in running.vocabulary and "be" in running.vocabulary
    assert text.load(file(tmp_path, "x" * 41 + "\nabc")).listed is False
    assert text.load(file(tmp_path, "ab")).codes.shape == (1, 2)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "holds nothing"), (b"\n \n", "holds nothing"), (b"aaaa\naa", "only the character 'a'"),
        (b"caf\xe9", "no text in UTF-8 .byte 3.: save it as UTF-8"), (b"a\0b", "a zero byte"),
        ("".join(map(chr, range(200, 600))), "400 different characters"),
    ],
)  # fmt: skip
def test_of_what_nothing_can_be_learned_a_sentence_says_so(tmp_path: Path, content: str | bytes, named: str) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{named}[^\n]*$"):
        text.load(file(tmp_path, content))


def test_a_file_that_is_missing_too_large_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^there is no file [^\n]+: give text:FILE"):
        text.load(f"text:{tmp_path}")
    with (tmp_path / "huge.txt").open("wb") as huge:
        huge.truncate(text.LARGEST + 1)
    with pytest.raises(ValueError, match="33,554,433 bytes, and the most is 33,554,432: give a part of it$"):
        text.load(f"text:{tmp_path / 'huge.txt'}")
    with pytest.raises(ValueError, match="^unknown text 'mnist': choose one of words, text:FILE$"):
        text.load("mnist")
    for name in ("words", "text:plays.txt"):
        with pytest.raises(ValueError, match=f"^{name} is text, and here images are learned"):
            data.load(name)
