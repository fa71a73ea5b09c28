"""The IDX files of MNIST and its likes: 0, 0, 8, the number of dimensions, each as big-endian uint32, then bytes."""

import gzip
import math
import zlib
from pathlib import Path

import torch
from torch import Tensor


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
