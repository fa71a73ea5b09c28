"""Data sets from files: downloads, the IDX format, folders of pictures.

A picture is fitted *whole*: scaled until its longer side fits, then centred on the median colour of its own border, so
that a scan on grey paper gets no black bars. (A cropped symbol would be another symbol.) Transparent becomes white; of
an animation the first frame counts; a photograph is turned the way its camera was held.
"""

import gzip
import math
import tempfile
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image


FOLDERS = {
    "mnist": "MNIST",
    "fashion": "FashionMNIST",
    "kmnist": "KMNIST",
    "emnist-letters": "EMNIST",
    "omniglot": "Omniglot",
    "celeba": "CelebA",
}  # torchvision's names


def fetch(name: str, root: Path, parts: list[str], *, there: list[str]) -> None:
    """Download parts ("train", "test"; of CelebA "all") of a set beside its place, then move the files there.

    So a broken download leaves nothing behind. there: the parts that root has. Raises FileNotFoundError if it fails.
    """
    try:
        from torchvision import datasets

        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as new:
            for part in parts:
                option: dict[str, Any] = {"background" if name == "omniglot" else "train": part == "train"}
                option = {"split": part} if name == "celeba" else option
                option |= {"split": "letters"} if name == "emnist-letters" else {}
                getattr(datasets, FOLDERS[name])(new, download=True, **option)
            _move(Path(new), root)
    except (ImportError, OSError, RuntimeError) as error:
        raise FileNotFoundError(_sentence(name, root, parts, there, str(error))) from error


def _move(source: Path, target: Path) -> None:
    for file in [file for file in source.rglob("*") if file.is_file()]:
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)


def _sentence(name: str, root: Path, parts: list[str], there: list[str], reason: str) -> str:
    only = f", which has only its {there[0]} images (split 'any' takes them)" if there else ""
    sample = "sample:fashion" if name == "fashion" else "sample:mnist"
    reason = reason.partition("\n")[0].rstrip(": ")
    return (
        f"the {' and '.join(parts)} images of {name} are not in {root}{only}, and could not be downloaded ({reason}): "
        f"connect to a network once, put the files there, or use {sample} or folder:PATH"
    )


def read_idx(path: str | Path) -> Tensor:
    """An IDX file of bytes, plain or .gz -> uint8, of the shape that it states. ValueError unless it is whole."""
    path = Path(path)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and load again") from error
    rank = data[3] if len(data) > 4 and data[:3] == b"\0\0\x08" else 0
    start = 4 + 4 * rank
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    if not rank or not math.prod(shape) or len(data) != start + math.prod(shape):
        raise ValueError(f"{path} is no whole IDX file of bytes ({len(data)} bytes long): delete it and load again")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)[start:].view(shape)


def images_and_labels(files: list[Path]) -> tuple[Tensor, Tensor | None]:
    """Files of images, and the labels beside them -> uint8 (N, 1, H, W), int64 (N,) or None if any has no labels."""
    images = [_images(file) for file in files]
    labels = [_labels(file, len(part)) for file, part in zip(files, images, strict=True)]
    known = [part for part in labels if part is not None]
    return torch.cat(images)[:, None], torch.cat(known) if len(known) == len(labels) else None


def _images(path: Path) -> Tensor:
    images = read_idx(path)
    if images.ndim != 3:
        raise ValueError(f"{path} holds {images.ndim} dimensions, not images (N, H, W): delete it and load again")
    return images


def _labels(images: Path, count: int) -> Tensor | None:
    plain = images.with_name(images.name.replace("images-idx3", "labels-idx1").removesuffix(".gz"))
    path = next((path for path in (plain, Path(f"{plain}.gz")) if path.exists()), None)
    labels = read_idx(path).long() if path else None
    if labels is not None and labels.shape != (count,):
        raise ValueError(f"{path} holds {len(labels)} labels for {count} images: delete both files and load again")
    return labels


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


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip and not scale
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image
