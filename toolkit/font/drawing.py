"""Outlines as SVG: one symbol or a sheet of them, in the pixels of the pictures they were traced from."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from torch import Tensor

from .keys import checked_count
from .tracing import Outline, OutlineError, Points, middles, trace


def svg(symbols: Tensor, columns: int | None = None, *, titles: Sequence[str] | None = None) -> str:
    """Symbols (N, C, H, W) in [0, 1] as the outlines of a sheet, row by row: a whole SVG file, for one symbol or many.

    columns: by default about as wide as high. titles: what each symbol is called. A picture without an outline, blank
    or noise, is an empty cell, and the title of the sheet counts them. The ink is `currentColor`: black, unless the
    page around it says otherwise.
    Raises ValueError for what is no set of 1 to 500 pictures, OutlineError if there is no ink in any.
    """
    outlines = outlined(symbols)
    columns = columns or math.ceil(math.sqrt(len(outlines)))
    names = titles or [f"symbol {number}" for number in range(1, len(outlines) + 1)]
    if columns < 1 or len(names) != len(outlines):
        raise ValueError(f"{columns} columns, {len(names)} titles: give 1 column or more, and a title for each symbol")
    height, width = symbols.shape[-2:]
    across, down = min(columns, len(outlines)) * width, -(-len(outlines) // columns) * height
    drawn = [
        f'<path transform="translate({i % columns * width} {i // columns * height})" d="{path(outline)}">'
        f"<title>{_text(names[i])}</title></path>"
        for i, outline in enumerate(outlines)
        if outline
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across * 4}" '
        f'height="{down * 4}" role="img" fill="currentColor" fill-rule="evenodd">'
    )
    return "\n".join([head, f"<title>{_summary(outlines)}</title>", *drawn, "</svg>", ""])


def outlined(symbols: Tensor) -> list[Outline | None]:
    """The outline of each picture (N, C, H, W), None for a blank one, or noise.

    Raises ValueError for what is no set of 1 to 500 pictures, OutlineError if all are blank.
    """
    if symbols.ndim != 4:
        raise ValueError(f"a tensor of shape {tuple(symbols.shape)} is no set of symbols: give (N, C, H, W)")
    checked_count(len(symbols))
    outlines = [_or_none(symbol) for symbol in symbols]
    if not any(outlines):
        raise OutlineError("every picture is blank: give symbols with ink")
    return outlines


def path(outline: Outline) -> str:
    """The outline as the `d` of an SVG path, to a hundredth of a pixel."""
    return "".join(map(_curve, outline.contours))


def _or_none(symbol: Tensor) -> Outline | None:
    try:
        return trace(symbol)
    except OutlineError:
        return None


def _curve(contour: Points) -> str:
    through = middles(contour)
    ends = [*through[1:], through[0]]
    curves = (f"Q{_pair(control)} {_pair(end)}" for control, end in zip(contour, ends, strict=True))
    return f"M{_pair(through[0])}{''.join(curves)}Z"


def _pair(point: Points) -> str:
    x, y = (f"{value:.2f}".rstrip("0").rstrip(".") for value in point)
    return f"{x} {y}".replace("-0 ", "0 ")


def _summary(outlines: Sequence[Outline | None]) -> str:
    blank = sum(outline is None for outline in outlines)
    drawn = f"{len(outlines) - blank} symbol{'s' * (len(outlines) - blank != 1)}"
    return f"{drawn}, {blank} left out, blank or noise" if blank else drawn


def _text(title: str) -> str:
    return escape("".join(character for character in title if character.isprintable()))
