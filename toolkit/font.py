"""Images of symbols -> outlines, as SVG, or as a TrueType font.

A symbol of 28 x 28 pixels has strokes two pixels wide, some faint and grainy. Tracing the pixels would give stairs, and
a blur that removes them would remove thin strokes. So brightness is raised to a power, blurred and sharpened
(`_contours`), and the outline is smoothed along its length (`_smooth`), which neither widens nor thins it.

The baseline of an alphabet is the median of the bottoms of its symbols' ink; from there to the median of the tops is
the height of a capital, 700 of 1000 units. A symbol that ends within a tenth of that height of the baseline is moved
onto it; others keep their offset.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from xml.sax.saxutils import escape
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from . import __version__
from .samplers.generate import from_bytes

if TYPE_CHECKING:
    from fontTools.fontBuilder import FontBuilder
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont


Points: TypeAlias = NDArray[np.float64]  # (n, 2): x to the right, y down

LEVEL = 0.5  # of the field: where ink begins
LIFT = 0.4  # brightness to this power: a stroke of 0.18 is half ink; black and white stay what they are
BLUR, WIDE = 0.6, 1.5  # pixels: the field's blur, and that of the wider one it is sharpened by
EDGE = 1.0  # pixels: the blur along an outline that takes its bumps away; of short ones less, to keep dots
STEP = 0.125  # pixels between the points of an outline before it is simplified
TOLERANCE = 0.02  # pixels: how far an outline may move when it is simplified (Douglas & Peucker, 1973)
SPECK, PINHOLE = 2.0, 0.8  # pixels of area, of a picture of 28 x 28: less is grain, not ink and not a hole
PAD = 3  # pixels of ground around a picture, for outlines to close and the sharpening to fade
SIDES = range(4, 257)  # pixels
FINEST = 50_000  # points of an outline before it is simplified
MOST = 300  # contours; more of them is noise and no symbol


class OutlineError(ValueError):
    """A picture without an outline: blank, or noise."""


@dataclass(frozen=True)
class Outline:
    """The ink of a picture of height x width pixels: closed curves, holes wound the other way.

    Each is a closed quadratic B-spline, as in TrueType: the curve passes through the middles between control points.
    """

    contours: tuple[Points, ...]
    height: int
    width: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the ink, in pixels."""
        points = np.concatenate([flat(contour) for contour in self.contours])
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return left, top, right, bottom


def trace(image: Tensor) -> Outline:
    """The outline of a picture (C, H, W) or (H, W) in [0, 1] or uint8, bright ink on dark ground.

    Of colours the brightest channel counts. Pieces of ink under 2 pixels and holes under 0.8 (of a picture of 28 x 28)
    are dropped. Raises OutlineError for a blank picture or one too fine to be outlined, ValueError for what is no
    picture of 4 to 256 pixels a side.
    """
    if image.ndim not in (2, 3) or not all(side in SIDES for side in image.shape[-2:]) or 0 in image.shape:
        raise ValueError(
            f"a tensor of shape {tuple(image.shape)} is no picture to outline: give (C, H, W), "
            f"{SIDES[0]} to {SIDES[-1]} pixels a side"
        )
    ink = image.detach().cpu().double() / (255 if image.dtype == torch.uint8 else 1)
    ink = ink.amax(0) if ink.ndim == 3 else ink
    if not ink.isfinite().all():
        raise ValueError("the picture has pixels that are no numbers: give brightness from 0 to 1")
    height, width = ink.shape
    contours = list(_contours(ink.clamp(0, 1), grain=(max(height, width) / 28) ** 2))
    if not contours:
        raise OutlineError("the picture is blank, it has no outline: choose one with ink")
    if len(contours) > MOST or sum(map(len, contours)) > FINEST:
        raise OutlineError("the picture is too fine to be outlined, like noise: choose one of strokes")
    return Outline(tuple(_simple(_smooth(contour)) for contour in contours), height, width)


def middles(contour: Points) -> Points:
    """The points that the curve passes through: the n-th between control points n - 1 and n."""
    return (np.roll(contour, 1, 0) + contour) / 2


def flat(contour: Points) -> Points:
    """The curve as a polygon: through its middles and, between two of them, nearest to the control point."""
    on = middles(contour)
    near = (on + 2 * contour + np.roll(on, -1, 0)) / 4
    return np.stack([on, near], 1).reshape(-1, 2)


def area(polygon: Points) -> float:
    """The signed area of a polygon: over 0 if it turns from x to y, under 0 otherwise."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _contours(ink: Tensor, grain: float) -> Iterator[Points]:
    """The outlines of the ink (H, W), each followed by its holes, without specks, as closed polygons.

    They are the contours of a smooth field, sampled at some points per pixel: a pixel is taken as a small square of
    ink^LIFT, blurred by a Gaussian; twice that, less a wider blur, is as bright as the picture, and strokes of one
    pixel stay over one half.
    """
    from contourpy import FillType, contour_generator

    fine = max(2, min(8, 512 // max(ink.shape)))
    y, x = (torch.arange(-PAD * fine, (side + PAD) * fine + 1, dtype=torch.float64) / fine for side in ink.shape)

    def squares(places: Tensor, side: int, blur: float) -> Tensor:
        """The weight of each pixel at each place under a Gaussian blur, along one axis: (places, side)."""
        return torch.special.ndtr((torch.arange(side + 1) - places[:, None]) / blur).diff(dim=1)

    narrow, wide = (
        squares(y, ink.shape[0], blur) @ ink.pow(LIFT) @ squares(x, ink.shape[1], blur).T for blur in (BLUR, WIDE)
    )
    field = contour_generator(x.numpy(), y.numpy(), (2 * narrow - wide).numpy(), fill_type=FillType.OuterOffset)
    filled = field.filled(LEVEL, np.inf)
    for points, ends in zip(*cast("tuple[list[Points], list[NDArray[np.uint32]]]", filled), strict=True):
        outer, *holes = (ring[:-1] for ring in np.split(points, ends[1:-1].astype(int)))
        if area(outer) >= SPECK * grain:
            yield outer
            yield from (hole for hole in holes if -area(hole) >= PINHOLE * grain)


def _smooth(polygon: Points) -> Points:
    """A low-pass filter along the outline, whose second-order shrinkage is undone."""
    closed = np.concatenate([polygon, polygon[:1]])
    along = np.concatenate([[0.0], np.linalg.norm(np.diff(closed, axis=0), axis=1).cumsum()])
    length = float(along[-1])
    even = np.linspace(0, length, max(16, int(length / STEP)), endpoint=False)
    points = np.stack([np.interp(even, along, axis) for axis in closed.T], 1)
    spectrum = np.fft.fft(points[:, 0] + 1j * points[:, 1])
    waves = np.fft.fftfreq(len(points), length / len(points))
    passed = np.exp(-((2 * np.pi * min(EDGE, length / 16) * waves) ** 2) / 2)
    curve = np.fft.ifft(spectrum * passed * (2 - passed))
    return np.stack([curve.real, curve.imag], 1)


def _simple(polygon: Points) -> Points:
    """The fewest of its points from which it is never further than TOLERANCE, by Douglas and Peucker's bisection."""
    far = int(np.linalg.norm(polygon - polygon[0], axis=1).argmax())
    closed = np.concatenate([polygon, polygon[:1]])
    kept, open_ = {0, far}, [(0, far), (far, len(polygon))]
    while open_:
        first, last = open_.pop()
        distance = _from_line(closed[first + 1 : last], closed[first], closed[last])
        if distance.size and distance.max() > TOLERANCE:
            middle = first + 1 + int(distance.argmax())
            kept.add(middle)
            open_ += [(first, middle), (middle, last)]
    return polygon[sorted(kept)]


def _from_line(points: Points, start: Points, end: Points) -> Points:
    """The distance of points from the line between two."""
    along = end - start
    across = np.array([-along[1], along[0]]) / max(1e-12, float(np.linalg.norm(along)))
    return np.abs((points - start) @ across)


def svg(symbols: Tensor, columns: int | None = None, *, titles: Sequence[str] | None = None) -> str:
    """Symbols (N, C, H, W) in [0, 1] as the outlines of a sheet, row by row: a whole SVG file, for one symbol or many.

    columns: by default about as wide as high. titles: one for each symbol. A picture without an outline, blank or
    noise, is an empty cell, and the title of the sheet counts them. The ink is `currentColor`.
    Raises ValueError for what is no set of 1 to 500 pictures, OutlineError if there is no ink in any.
    """
    _check_symbols(symbols)
    outlines: list[Outline | None] = [None] * len(symbols)
    for place, symbol in enumerate(symbols):
        with suppress(OutlineError):
            outlines[place] = trace(symbol)
    if not any(outlines):
        raise OutlineError("every picture is blank: give symbols with ink")
    columns = columns or math.ceil(math.sqrt(len(outlines)))
    names = titles or [f"symbol {number}" for number in range(1, len(outlines) + 1)]
    if columns < 1 or len(names) != len(outlines):
        raise ValueError(f"{columns} columns, {len(names)} titles: give 1 column or more, and a title for each symbol")
    from fontTools.pens.svgPathPen import SVGPathPen

    height, width = symbols.shape[-2:]
    across, down = min(columns, len(outlines)) * width, -(-len(outlines) // columns) * height
    paths = []
    for i, outline in enumerate(outlines):
        if outline:
            pen = SVGPathPen(None, ntos=lambda value: f"{round(value, 2) + 0:g}")  # to a hundredth of a pixel, no -0
            _draw(outline.contours, pen)
            title = escape("".join(character for character in names[i] if character.isprintable()))
            shift = f"translate({i % columns * width} {i // columns * height})"
            paths.append(f'<path transform="{shift}" d="{pen.getCommands()}"><title>{title}</title></path>')
    blank = len(outlines) - len(paths)
    summary = f"{len(paths)} symbol{'s' * (len(paths) != 1)}" + f", {blank} left out, blank or noise" * bool(blank)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across * 4}" '
        f'height="{down * 4}" role="img" fill="currentColor" fill-rule="evenodd">'
    )
    return "\n".join([head, f"<title>{summary}</title>", *paths, "</svg>", ""])


def _draw(contours: Sequence[Points], pen: Any) -> None:
    """Draw control points. Each curve begins between two of them; the points between the others are implied."""
    for contour in contours:
        start = tuple(middles(contour)[0].tolist())
        pen.moveTo(start)
        pen.qCurveTo(*map(tuple, contour.tolist()), start)
        pen.closePath()


FAMILY = "That Are Not"
MOST_SYMBOLS = 500  # symbols of one font or sheet
NAME = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")
UNDRAWN = "\u115f\u1160\u3164\uffa0"  # fillers: Unicode has them as letters, and programs show nothing for them
LONGEST = 18  # characters: with FAMILY it is 31, the most that old programs read


def default_keys(count: int) -> list[str]:
    """From a to z, A to Z, 0 to 9, then whatever else can be typed, in Unicode's order. Raises ValueError past 500."""
    _check_count(count)
    first = ascii_letters + digits
    others = (c for c in map(chr, range(0x21, 0x110000)) if visible(c) and c not in first)
    return list(islice(chain(first, others), count))


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_SYMBOLS:
        raise ValueError(f"{count} symbols are no alphabet: give 1 to {MOST_SYMBOLS}")


def _check_symbols(symbols: Tensor) -> None:
    if symbols.ndim != 4:
        raise ValueError(f"a tensor of shape {tuple(symbols.shape)} is no set of symbols: give (N, C, H, W)")
    _check_count(len(symbols))


def checked_keys(keys: Sequence[str], symbols: int) -> list[str]:
    """The keys, one for each symbol. Raises ValueError for a key that is not one visible character, or comes twice."""
    _check_count(symbols)
    if len(keys) != symbols:
        raise ValueError(f"{len(keys)} keys for {symbols} symbols: give each symbol one key")
    for place, key in enumerate(keys):
        if not isinstance(key, str) or len(key) != 1 or not visible(key):
            raise ValueError(f"key {key!r:.40} cannot be typed: give one visible character, such as a or 7")
        if key in keys[:place]:
            raise ValueError(f"key {key!r} is there twice: give each symbol its own")
    return list(keys)


def visible(character: str) -> bool:
    """Whether a character is visible by itself: no space, control character or combining mark."""
    shown = character.isprintable() and character not in UNDRAWN + " "
    return shown and unicodedata.category(character)[0] != "M"


def typed(keys: Sequence[str]) -> dict[str, str]:
    """Character -> the key of its symbol: the keys, and the other case of letters if that has no symbol."""
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
    """The plain words of a text, as far as they fit in a name."""
    return " ".join(re.findall("[A-Za-z0-9]+", text))[:LONGEST].strip() or "Alphabet"


EM, CAPITAL = 1000, 700  # units
WHITE, LEAST, SPACE = 160, 50, 400  # units: white beside the ink on average, at its nearest, and between words
BANDS, DEEPEST = 12, 200  # a side is looked at in so many rows; a bay deeper than so many units is white inside
SNAP = 0.1  # of a capital's height


@dataclass(frozen=True)
class Glyph:
    """A glyph: control points in whole units, y up from the baseline, and the advance width."""

    contours: tuple[Points, ...]
    advance: int


def typeset(outlines: Sequence[Outline]) -> list[Glyph]:
    """The outlines of one alphabet, on one baseline at one scale."""
    boxes = np.array([outline.box for outline in outlines])
    top, bottom = np.median(boxes[:, 1]), np.median(boxes[:, 3])
    height = max(bottom - top, outlines[0].height / 2)  # an alphabet of dots is not blown up
    scale = CAPITAL / height
    near = np.abs(boxes[:, 3] - bottom) <= SNAP * height
    ground = np.where(near, boxes[:, 3], bottom)
    return [
        _with_white([(points - (0, base)) * (scale, -scale) for points in outline.contours])
        for outline, base in zip(outlines, ground, strict=True)
    ]


def notdef() -> Glyph:
    """The glyph for characters without a symbol: a frame, half as wide as a capital is high."""
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])  # clockwise; control points twice are corners of the curve
    boxes = (inset + corners * (CAPITAL // 2 - 2 * inset, CAPITAL - 2 * inset) for inset in (0, 50))
    outer, inner = (box.astype(float).repeat(2, 0) for box in boxes)
    return _with_white([outer, inner[::-1]])


def _with_white(contours: Sequence[Points]) -> Glyph:
    """A glyph with side bearings, smaller beside an open side than beside a stem, for even spacing."""
    parts = np.linspace(0, 1, 16, endpoint=False)[:, None, None]  # between corners, some to a band
    corners = [flat(points) for points in contours]
    ink = np.concatenate([(c + parts * (np.roll(c, -1, 0) - c)).reshape(-1, 2) for c in corners])
    left, right = _bearing(-ink[:, 0], ink[:, 1]), _bearing(ink[:, 0], ink[:, 1])
    start, end = ink[:, 0].min(), ink[:, 0].max()
    moved = tuple(np.rint(points + np.array([left - start, 0])) for points in contours)
    return Glyph(moved, round(left + end - start + right))


def _bearing(out: Points, y: Points) -> float:
    """A side bearing: WHITE less the mean distance of the ink from its foremost point, row by row."""
    row = np.clip(y / CAPITAL * BANDS, 0, BANDS - 1).astype(int)
    foremost = np.full(BANDS, -np.inf)
    np.maximum.at(foremost, row, out)
    return max(LEAST, WHITE - float(np.minimum(out.max() - foremost, DEEPEST).mean()))


ASCENT, DESCENT, GAP = 800, -200, 200  # units: lines are 1.2 em apart
CREATED = 2_082_844_800  # 1970-01-01 as fonts count seconds: the same symbols are the same file on any day
OWNER = "That Are Not contributors"
LICENCE = (
    "Drawn by a machine of That Are Not. This font is under the MIT licence: anyone may use, change and pass it on; "
    "it comes without any warranty."
)


def build(symbols: Tensor, keys: Sequence[str] | None = None, name: str = "Alphabet") -> bytes:
    """Symbols (N, C, H, W) in [0, 1] as the font "That Are Not NAME": the bytes of a .ttf file, always the same.

    keys: one character for each symbol (a string will do); by default `default_keys`. A letter whose other case has no
    symbol is typed by both. Raises ValueError for invalid keys, OutlineError for a blank picture, ValueError for a name
    that is not a few plain words, or for what is no set of 1 to 500 pictures.
    """
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib import newTable

    _check_symbols(symbols)
    family = checked_name(name)
    keys = default_keys(len(symbols)) if keys is None else checked_keys(keys, len(symbols))
    outlines = [_outline(symbol, key) for symbol, key in zip(symbols, keys, strict=True)]
    alphabet = dict(zip(keys, typeset(outlines), strict=True))
    glyphs = {".notdef": notdef(), "space": Glyph((), SPACE), **{_name(key): glyph for key, glyph in alphabet.items()}}
    characters = {ord(character): _name(key) for character, key in typed(list(alphabet)).items()}
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder(list(glyphs))
    font.setupCharacterMap({0x20: "space", 0xA0: "space", **characters})
    font.setupGlyf({name: _glyph(glyph.contours) for name, glyph in glyphs.items()})
    drawn = font.font["glyf"].glyphs
    font.setupHorizontalMetrics(
        {name: (glyph.advance, getattr(drawn[name], "xMin", 0)) for name, glyph in glyphs.items()}
    )
    _set_vertical_metrics(font)
    drawing = b"".join(points.tobytes() for glyph in glyphs.values() for points in glyph.contours)
    font.setupNameTable(_names(family, crc32("".join(alphabet).encode() + drawing)), mac=False)
    font.setupPost(underlinePosition=-100, underlineThickness=50)
    gasp = font.font["gasp"] = newTable("gasp")  # antialiased at every size, because it has no hints
    gasp.version, gasp.gaspRange = 1, {0xFFFF: 0x000A}
    font.font.recalcTimestamp = False
    buffer = BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def _outline(symbol: Tensor, key: str) -> Outline:
    try:
        return trace(symbol)
    except OutlineError as error:
        raise OutlineError(f"key {key!r}: {error}") from None


def _name(key: str) -> str:
    """The glyph of a key, as PostScript names it by its code point."""
    return f"uni{ord(key):04X}" if ord(key) < 0x10000 else f"u{ord(key):X}"


def _glyph(contours: Sequence[Points]) -> Any:
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    _draw(contours, pen)
    return pen.glyph()


def _set_vertical_metrics(font: "FontBuilder") -> None:
    """Of `hhea`, `OS/2` and `head`, so that nothing is cut off."""
    inked = [glyph for glyph in font.font["glyf"].glyphs.values() if glyph.numberOfContours]
    highest, lowest = max(glyph.yMax for glyph in inked), min(glyph.yMin for glyph in inked)
    ascent, descent = max(ASCENT, highest), min(DESCENT, lowest)
    font.setupHorizontalHeader(ascent=ascent, descent=descent, lineGap=GAP)
    font.setupOS2(
        version=4, fsType=0, fsSelection=0xC0, usWeightClass=400, achVendID="NONE", ulCodePageRange1=1,
        sTypoAscender=ascent, sTypoDescender=descent, sTypoLineGap=GAP, usWinAscent=ascent, usWinDescent=-descent,
        sCapHeight=CAPITAL, sxHeight=CAPITAL, usBreakChar=0x20, usDefaultChar=0,
    )  # fmt: skip
    font.updateHead(created=CREATED, modified=CREATED, fontRevision=1.0, lowestRecPPEM=8, flags=3)


def _names(family: str, digest: int) -> dict[str, str]:
    """The name table. The digest makes fonts of one name distinct."""
    return {
        "copyright": OWNER, "familyName": family, "styleName": "Regular", "fullName": family,
        "uniqueFontIdentifier": f"{family} {digest:08x}", "version": f"Version 1.000; toolkit {__version__}",
        "psName": f"{family.replace(' ', '')}-Regular", "manufacturer": OWNER,
        "description": "An alphabet that never existed.", "licenseDescription": LICENCE,
        "licenseInfoURL": "https://opensource.org/license/mit",
    }  # fmt: skip


WIDTH, MARGIN = 1600, 80  # pixels
SIZES = (80, 48, 24)  # pixels to an em


def specimen(font: bytes, text: str) -> "Image":
    """The text in three sizes, black on white, wrapped between words: a grey picture 1600 pixels wide.

    Raises ValueError for a text that is blank, longer than 1000 characters, or has characters that the font has not.
    """
    from fontTools.ttLib import TTFont
    from PIL import Image, ImageDraw, ImageFont

    if not (words := text.split()) or len(text) > 1000:
        raise ValueError(f"a text of {len(text)} characters is no specimen: give 1 to 1000, and not only spaces")
    if unknown := sorted(set("".join(words)) - set(map(chr, TTFont(BytesIO(font)).getBestCmap()))):
        raise ValueError(f"the font has no {' '.join(unknown)!r:.60}: give a text of its keys")
    faces = [ImageFont.truetype(BytesIO(font), size, layout_engine=ImageFont.Layout.BASIC) for size in SIZES]
    blocks = [(face, round(face.size * 1.2), _text_lines(face, words)) for face in faces]
    height = sum(leading * len(lines) for _, leading, lines in blocks) + MARGIN * (len(blocks) + 1)
    page = Image.new("L", (WIDTH, height), 255)
    pen, top = ImageDraw.Draw(page), MARGIN
    for face, leading, lines in blocks:
        for line in lines:
            pen.text((MARGIN, top), line, fill=0, font=face)
            top += leading
        top += MARGIN
    return page


def _text_lines(face: "FreeTypeFont", words: list[str]) -> list[str]:
    """The words in lines that fit the page; a word too long for a line has one to itself."""
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if face.getlength(longer) <= WIDTH - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: a colour as one brightness (ITU-R BT.601)


def grey(pictures: Sequence[tuple[bytes, int, int]]) -> Tensor:
    """Pictures as (a byte a value, plane by plane; channels, 1 or 3; pixels a side) -> (N, 1, H, W) in [0, 1].

    All become as large as the largest; smaller ones are interpolated.
    """
    largest, found = max(side for _, _, side in pictures), []
    for values, channels, side in pictures:
        x = from_bytes(values, 1, channels, side, side) / 255
        x = x if channels == 1 else (x * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        found.append(x if side == largest else interpolate(x, (largest, largest), mode="bilinear"))
    return torch.cat(found).clamp(0, 1)
