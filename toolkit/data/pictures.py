"""Pictures of a folder, fitted to one size.

A picture is fitted *whole*: scaled until its longer side fits, then centred on the median colour of its own border, so
that a scan on grey paper gets no black bars. (A cropped symbol would be another symbol.) Transparent becomes white; of
an animation the first frame counts; a photograph is turned the way its camera was held.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


def below(folder: Path) -> list[Path]:
    """All pictures below a folder, at any depth, hidden files aside, in the order of their paths.

    Raises FileNotFoundError if there is no such folder, ValueError if it holds no pictures.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: give the path of a folder of pictures")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.name[0] != "." and p.is_file())
    if not files:
        raise ValueError(f"no pictures in {folder}: put files into it that end in {', '.join(SUFFIXES)}")
    return files


def read(files: Sequence[Path], size: int, color: bool) -> tuple[Tensor, list[int]]:
    """Files -> uint8 (N, C, size, size), C being 3 in colour and 1 in grey, and which of the files are in it.

    Files that are damaged or too thin are skipped, with a warning that names them. Raises ValueError if all are.
    """
    tried = [_open(file, size, color) for file in files]
    rows = [row for row, image in enumerate(tried) if isinstance(image, Tensor)]
    bad = {str(file): fault for file, fault in zip(files, tried, strict=True) if isinstance(fault, str)}
    if not rows:
        name, fault = next(iter(bad.items()))
        raise ValueError(f"no picture can be used of {len(bad)} in {files[0].parent}: {name} is {fault}, for one")
    for fault in sorted({*bad.values()}):
        names = [name for name, its in bad.items() if its == fault]
        warnings.warn(f"skipped {len(names)} of {len(files)} pictures, {fault}: {', '.join(names)}", stacklevel=3)
    return torch.stack([image for image in tried if isinstance(image, Tensor)]), rows


PAPER, EVEN = 0.15, 0.75  # brightness: how near to the paper a border pixel is; the share of them that are
INK, OTHER = 0.2, 2  # brightness: how much darker ink is than paper, at least; times what is lighter than paper


def dark_on_light(images: Tensor) -> Tensor:
    """Which pictures show dark ink on light paper: (B, C, H, W), float in [0, 1] or uint8 -> bool (B,).

    Paper is the median of the border, if most of the border is like it; ink is what differs from it. A blank picture,
    noise, and a photograph without an even background show neither.
    """
    grey = (images.float() / 255 if images.dtype == torch.uint8 else images.float()).mean(1)
    border = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], 1)
    paper = border.median(1).values
    even = ((border - paper[:, None]).abs() < PAPER).float().mean(1) >= EVEN
    flat, few = grey.flatten(1), max(1, grey[0].numel() // 50) if len(grey) else 1
    darkest, lightest = flat.kthvalue(few).values, -(-flat).kthvalue(few).values
    dark, light = paper - darkest, lightest - paper
    return even & (paper > 0.5) & (dark > INK) & (dark > OTHER * light)


def warn_if_dark(images: Tensor, what: str, remedy: str) -> None:
    """Warn, in one sentence, if most of some pictures show dark ink on light paper. images: as of `dark_on_light`."""
    some = images[:: len(images) // 1000 + 1]
    if len(some) and dark_on_light(some).float().mean() > 0.5:
        warnings.warn(f"{what} dark ink on light paper, and here ink is light: {remedy} to invert them", stacklevel=3)


def _open(file: Path, size: int, color: bool) -> Tensor | str:
    """The picture of a file, fitted, or what is wrong with it."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            if not round(min(image.size) / max(image.size) * size):  # what is left of its shorter side
                return f"too thin for {size} pixels"
            return fit(image, size, color)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow raises for a broken file
        return "damaged"


def fit(image: "Image", size: int, color: bool) -> Tensor:
    """The whole picture, centred in a square of its own border colour: -> uint8 (C, size, size)."""
    from PIL import Image, ImageOps

    flat = _on_white(ImageOps.exif_transpose(image)).convert("RGB" if color else "L")
    shrinks = max(flat.size) > size
    flat = ImageOps.contain(flat, (size, size), Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(flat)).view(flat.height, flat.width, -1)
    border = torch.cat([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).median(0).values
    square = border.repeat(size, size, 1)
    top, left = (size - flat.height) // 2, (size - flat.width) // 2
    square[top : top + flat.height, left : left + flat.width] = pixels
    return square.permute(2, 0, 1)


def photograph(file: Path, longest: int) -> Tensor:
    """A picture in colour and in its own shape, its longer side at most so many pixels: (1, 3, H, W) in [0, 1].

    Raises FileNotFoundError if there is none, ValueError if it cannot be read.
    """
    from PIL import Image, ImageOps

    if not file.is_file():
        raise FileNotFoundError(f"there is no picture {file}: give the path of one")
    try:
        with Image.open(file) as image:
            image.draft("RGB", (longest, longest))  # of a large JPEG no more than that is decoded
            flat = _on_white(ImageOps.exif_transpose(image)).convert("RGB")
    except Image.DecompressionBombError:
        raise ValueError(f"{file} is too large to be read: make it smaller, {longest} pixels will do") from None
    except (OSError, ValueError, SyntaxError):
        raise ValueError(f"{file} cannot be read as a picture: give a PNG, JPEG or WebP") from None
    flat.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(flat)).permute(2, 0, 1)[None].float() / 255


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip and not scale
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image
