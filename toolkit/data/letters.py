"""Letters of typefaces, drawn as MNIST's digits are (after the first out-of-class study, 2017, which drew fonts).

Every font below a folder gives 26 capital and 26 small letters; both cases are one class, as in EMNIST's letters. A
letter is scaled to a box of 20 pixels, its brightest pixel is 255, and its centre of mass is the centre of the image.
"""

import warnings
import zlib
from collections import Counter
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont


SUFFIXES = (".ttf", ".otf")
LETTERS = ascii_uppercase + ascii_lowercase
SIZE, BOX, DRAWN = 28, 20, 96  # pixels: of an image, of the ink in it, of the type before it is scaled
HELD_OUT = 7  # one typeface in so many is for testing, the share of MNIST's digits that are
LIKE_LETTERS = 0.1  # the share of its glyphs that a font must have nearest to the mean of the right letter


class Glyphs(NamedTuple):
    """images: uint8 (N, 1, 28, 28), sorted by class; labels: int64 (N,), A to Z as 0 to 25; families: the typefaces."""

    images: Tensor
    labels: Tensor
    families: tuple[str, ...]


class _Font(NamedTuple):
    family: str
    pictures: Tensor  # uint8 (52, 28, 28)


def read(folder: Path, split: str = "all") -> Glyphs:
    """The letters of all fonts below a folder, at any depth, or of the typefaces kept for training or testing.

    A typeface is in one split with all its styles (`split_of`), whatever else is there. Fonts that are damaged, lack
    letters or show other symbols in their place are skipped, with a warning that counts them. Of equal pictures of one
    letter the first is kept. Raises FileNotFoundError if there is no such folder, ValueError if no font in it is of
    use, or none for this split.
    """
    seen, kept = set[tuple[int, bytes]](), list[tuple[int, str, Tensor]]()
    for font in sorted(_fonts(folder), key=lambda font: font.family):
        for number, picture in enumerate(font.pictures):
            key = number % 26, picture.numpy().tobytes()
            if key not in seen:
                seen.add(key)
                kept.append((number % 26, font.family, picture))
    mine = sorted((row for row in kept if split in ("all", split_of(row[1]))), key=lambda row: row[0])
    if not mine:
        raise ValueError(f"no typeface in {folder} falls to its {split} part: put more fonts there, or take all")
    labels, families, pictures = zip(*mine, strict=True)
    return Glyphs(torch.stack(pictures)[:, None], torch.tensor(labels), tuple(sorted(set(families))))


def split_of(family: str) -> str:
    """Which part a typeface belongs to, train or test: by the first word of its name, which its variants share."""
    return "train" if zlib.crc32(family.lower().split()[0].encode()) % HELD_OUT else "test"


def _fonts(folder: Path) -> list[_Font]:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: give the path of a folder of fonts")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.name[0] != "." and p.is_file())
    tried = [_open(file) for file in files]
    whole = [font for font in tried if isinstance(font, _Font)]
    faults = Counter(fault for fault in tried if isinstance(fault, str))
    means = torch.stack([font.pictures.flatten(1).float() for font in whole]).mean(0) if whole else torch.empty(0)
    # Enough glyphs must be nearest to the mean of the right letter in all fonts, which few symbols hardly move.
    hits = (torch.cdist(f.pictures.flatten(1).float(), means).argmin(1) % 26 == torch.arange(52) % 26 for f in whole)
    text = [font for font, hit in zip(whole, hits, strict=True) if hit.float().mean() >= LIKE_LETTERS]
    if len(text) < len(whole):
        faults["of symbols"] = len(whole) - len(text)
    why = ", ".join(f"{count} {fault}" for fault, count in faults.items())
    if not text:
        raise ValueError(f"no font of use in {folder} ({why or 'none at all'}): put .ttf or .otf files of text there")
    if faults:
        warnings.warn(f"skipped {sum(faults.values())} of {len(files)} fonts in {folder}: {why}", stacklevel=3)
    return text


def _open(file: Path) -> _Font | str:
    """A font, or what is wrong with it."""
    from PIL import ImageFont

    try:
        font = ImageFont.truetype(file, DRAWN, layout_engine=ImageFont.Layout.BASIC)
        missing = _ink(font, "\U0010ffff")  # the box that stands for what a font has not
        inks = [_ink(font, letter) for letter in LETTERS]
    except (OSError, ValueError, MemoryError):  # what Pillow raises for a broken font
        return "damaged"
    pictures = [_picture(ink) for ink in inks if ink is not None and ink != missing]
    if len(pictures) < len(LETTERS):
        return "without some letter"
    return _Font((font.getname()[0] or "").strip() or file.stem, torch.stack(pictures))


def _ink(font: "FreeTypeFont", letter: str) -> "Image | None":
    """A letter as large as it is drawn, cropped to its ink, or None if it has none."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = font.getbbox(letter)
    image = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(image).text((-left, -top), letter, fill=255, font=font)
    box = image.getbbox()
    return image.crop(box) if box else None


def _picture(ink: "Image") -> Tensor:
    """Ink of any size as MNIST has it: -> uint8 (28, 28)."""
    from PIL import Image

    scale = BOX / max(ink.size)
    size = max(1, round(ink.width * scale)), max(1, round(ink.height * scale))
    pixels = np.asarray(ink.resize(size, Image.Resampling.BOX), np.float64)
    pixels = (pixels * (255 / max(1, pixels.max()))).round().astype(np.uint8)
    top, left = (_start(pixels.sum(axis)) for axis in (1, 0))
    picture = torch.zeros(SIZE, SIZE, dtype=torch.uint8)
    picture[top : top + pixels.shape[0], left : left + pixels.shape[1]] = torch.from_numpy(pixels)
    return picture


def _start(ink: np.ndarray) -> int:
    """Where a row of so much ink begins, for its centre of mass to be the centre of the image; wholly inside."""
    centre = float(ink @ (np.arange(len(ink)) + 0.5) / ink.sum())
    return min(max(0, round(SIZE / 2 - centre)), SIZE - len(ink))
