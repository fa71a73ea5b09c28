"""An alphabet as a TrueType font, by fontTools' FontBuilder: glyphs, keys, names, and no date that changes it."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zlib import crc32

from torch import Tensor

from .. import __version__
from .keys import checked_keys, checked_name, default_keys, typed
from .setting import CAPITAL, EM, SPACE, Type, missing, set_type
from .tracing import Outline, OutlineError, Points, middles, trace

if TYPE_CHECKING:
    from fontTools.fontBuilder import FontBuilder

ASCENT, DESCENT, GAP = 800, -200, 200  # units: lines are 1.2 em apart
BORN = 2_082_844_800  # 1970-01-01 as fonts count seconds: the same symbols are the same file on any day
OWNER = "That Are Not contributors"
LICENCE = (
    "Drawn by a machine of That Are Not. This font is under the MIT licence: anyone may use, change and pass it on; "
    "it comes without any warranty."
)


def build(symbols: Tensor, keys: Sequence[str] | None = None, name: str = "Alphabet") -> bytes:
    """Symbols (N, C, H, W) in [0, 1] as the font "That Are Not NAME": the bytes of a .ttf file, always the same.

    keys: one character for each symbol (a string will do); by default a, b, c, ... as `default_keys` has them. A letter
    whose other case has no symbol is typed by both. Raises KeysError for keys that cannot be, OutlineError for a blank
    picture, ValueError for a name that is not a few plain words, or for what is no set of 1 to 500 pictures.
    """
    if symbols.ndim != 4:
        raise ValueError(f"a tensor of shape {tuple(symbols.shape)} is no set of symbols: give (N, C, H, W)")
    family = checked_name(name)
    keys = default_keys(len(symbols)) if keys is None else checked_keys(keys, len(symbols))
    outlines = [_outline(symbol, key) for symbol, key in zip(symbols, keys, strict=True)]
    return _file(dict(zip(keys, set_type(outlines), strict=True)), family)


def _outline(symbol: Tensor, key: str) -> Outline:
    try:
        return trace(symbol)
    except OutlineError as error:
        raise OutlineError(f"key {key!r}: {error}") from None


def _file(alphabet: Mapping[str, Type], family: str) -> bytes:
    """The font of an alphabet, key -> symbol."""
    from fontTools.fontBuilder import FontBuilder

    types = {".notdef": missing(), "space": Type((), SPACE), **{_name(key): type_ for key, type_ in alphabet.items()}}
    characters = {ord(character): _name(key) for character, key in typed(list(alphabet)).items()}
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder(list(types))
    font.setupCharacterMap({0x20: "space", 0xA0: "space", **characters})
    font.setupGlyf({name: _glyph(type_.contours) for name, type_ in types.items()})
    drawn = font.font["glyf"].glyphs
    font.setupHorizontalMetrics(
        {name: (type_.advance, getattr(drawn[name], "xMin", 0)) for name, type_ in types.items()}
    )
    _lines(font)
    drawing = b"".join(points.tobytes() for type_ in types.values() for points in type_.contours)
    font.setupNameTable(_names(family, crc32("".join(alphabet).encode() + drawing)), mac=False)
    font.setupPost(underlinePosition=-100, underlineThickness=50)
    return _saved(font)


def _name(key: str) -> str:
    """The glyph of a key, as PostScript names it by its code point."""
    return f"uni{ord(key):04X}" if ord(key) < 0x10000 else f"u{ord(key):X}"


def _glyph(contours: Sequence[Points]) -> Any:
    """Control points as a glyph. Each curve begins between two of them; the points between the others are implied."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for contour in contours:
        start = tuple(middles(contour)[0].tolist())
        pen.moveTo(start)
        pen.qCurveTo(*map(tuple, contour.tolist()), start)
        pen.closePath()
    return pen.glyph()


def _lines(font: "FontBuilder") -> None:
    """How high a line is, and how much of it the ink takes: `hhea`, `OS/2` and `head`. Nothing is ever cut off."""
    inked = [glyph for glyph in font.font["glyf"].glyphs.values() if glyph.numberOfContours]
    highest, lowest = max(glyph.yMax for glyph in inked), min(glyph.yMin for glyph in inked)
    ascent, descent = max(ASCENT, highest), min(DESCENT, lowest)
    font.setupHorizontalHeader(ascent=ascent, descent=descent, lineGap=GAP)
    font.setupOS2(
        version=4, fsType=0, fsSelection=0xC0, usWeightClass=400, achVendID="NONE", ulCodePageRange1=1,
        sTypoAscender=ascent, sTypoDescender=descent, sTypoLineGap=GAP, usWinAscent=ascent, usWinDescent=-descent,
        sCapHeight=CAPITAL, sxHeight=CAPITAL, usBreakChar=0x20, usDefaultChar=0,
    )  # fmt: skip
    font.updateHead(created=BORN, modified=BORN, fontRevision=1.0, lowestRecPPEM=8, flags=3)


def _names(family: str, digest: int) -> dict[str, str]:
    """What the font calls itself. The digest tells apart what is called alike."""
    return {
        "copyright": OWNER, "familyName": family, "styleName": "Regular", "fullName": family,
        "uniqueFontIdentifier": f"{family} {digest:08x}", "version": f"Version 1.000; toolkit {__version__}",
        "psName": f"{family.replace(' ', '')}-Regular", "manufacturer": OWNER,
        "description": "An alphabet that never existed.", "licenseDescription": LICENCE,
        "licenseInfoURL": "https://opensource.org/license/mit",
    }  # fmt: skip


def _saved(font: "FontBuilder") -> bytes:
    """The bytes of the font, smoothed at every size (`gasp`), for it has no hints."""
    from fontTools.ttLib import newTable

    gasp = font.font["gasp"] = newTable("gasp")
    gasp.version, gasp.gaspRange = 1, {0xFFFF: 0x000A}
    font.font.recalcTimestamp = False
    buffer = BytesIO()
    font.save(buffer)
    return buffer.getvalue()
