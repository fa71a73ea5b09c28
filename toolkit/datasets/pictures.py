"""A folder of anyone's pictures -> images of one size, as bytes.

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

    Files that cannot be read are skipped, with a warning that names them. Raises ValueError if none can.
    """
    tried = [_open(file, size, color) for file in files]
    rows = [row for row, image in enumerate(tried) if image is not None]
    bad = [str(file) for file, image in zip(files, tried, strict=True) if image is None]
    if not rows:
        raise ValueError(f"no picture can be read of {len(bad)} in {files[0].parent}: {bad[0]} is damaged, for one")
    if bad:
        warnings.warn(f"skipped {len(bad)} of {len(files)} pictures, damaged: {', '.join(bad)}", stacklevel=3)
    return torch.stack([image for image in tried if image is not None]), rows


def _open(file: Path, size: int, color: bool) -> Tensor | None:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return fit(image, size, color)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow raises for a broken file
        return None


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


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip and not scale
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image
