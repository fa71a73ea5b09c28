"""A page of type that shows a font, drawn by FreeType (in Pillow) from the font's own bytes."""

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

WIDTH, MARGIN = 1600, 80  # pixels
SIZES = (80, 48, 24)  # pixels to an em


def specimen(font: bytes, text: str) -> "Image":
    """The text in three sizes, black on white, wrapped between words: a grey picture 1600 pixels wide.

    Raises ValueError for a text that is blank, longer than 1000 characters, or has characters that the font has not.
    """
    from PIL import Image, ImageDraw

    words = _words(font, text)
    faces = [_face(font, size) for size in SIZES]
    blocks = [(face, _lines(face, words)) for face in faces]
    height = sum(_leading(face) * len(lines) for face, lines in blocks) + MARGIN * (len(blocks) + 1)
    page = Image.new("L", (WIDTH, height), 255)
    pen, top = ImageDraw.Draw(page), MARGIN
    for face, lines in blocks:
        for line in lines:
            pen.text((MARGIN, top), line, fill=0, font=face)
            top += _leading(face)
        top += MARGIN
    return page


def _words(font: bytes, text: str) -> list[str]:
    from fontTools.ttLib import TTFont

    if not (words := text.split()) or len(text) > 1000:
        raise ValueError(f"a text of {len(text)} characters is no specimen: give 1 to 1000, and not only spaces")
    if unknown := sorted(set("".join(words)) - set(map(chr, TTFont(BytesIO(font)).getBestCmap()))):
        raise ValueError(f"the font has no {' '.join(unknown)!r:.60}: give a text of its keys")
    return words


def _face(font: bytes, size: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(BytesIO(font), size, layout_engine=ImageFont.Layout.BASIC)


def _leading(face: "FreeTypeFont") -> int:
    return round(face.size * 1.2)


def _lines(face: "FreeTypeFont", words: list[str]) -> list[str]:
    """The words in lines that fit the page; a word too long for a line has one to itself."""
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if face.getlength(longer) <= WIDTH - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
