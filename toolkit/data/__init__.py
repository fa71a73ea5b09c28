"""Data sets by name, as bytes: those of the papers, built-in samples of two, folders of pictures or of fonts; text.

Files that are there are read as they are; what is missing is downloaded once, by torchvision.
"""

import os
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..config import choose
from ..plot import tiles
from . import letters, pictures, text
from .pictures import dark_on_light, photograph, warn_if_dark

__all__ = ["NAMES", "Dataset", "dark_on_light", "inverted", "load", "photograph", "picture", "tinted", "warn_if_dark"]

NAMES = {
    "mnist": "70,000 handwritten digits",
    "fashion": "70,000 photographs of clothes (Fashion-MNIST)",
    "kmnist": "70,000 cursive Japanese characters (Kuzushiji-MNIST)",
    "omniglot": "handwritten characters of 50 alphabets, 20 of each",
    "emnist-letters": "145,600 handwritten letters (EMNIST), capital and small as one class",
    "sample:mnist": "1,000 digits, built in",
    "sample:fashion": "1,000 clothes, built in",
    "celeba": "200,000 photographs of faces, in colour if asked",
    "folder:PATH": "all pictures below a folder of yours",
    "letters:PATH": "the letters A to Z and a to z of all fonts below a folder, drawn as the digits are",
    "tinted:NAME": "any of them, each image in two colours of its own; always in colour",
    "words": "63,849 English words, built in; no images, for the preset words",
    "text:FILE": "a list of words of yours, one a line, or any other text, such as plays",
    "NAME?invert": "any of them with dark and light exchanged, as for dark ink on light paper",
    "NAME+NAME": "two of them together, the classes of the second numbered after those of the first",
}
INVERT = "?invert"
SPLITS = ("train", "test", "all", "any")


@dataclass(frozen=True, eq=False)
class Dataset:
    """images: uint8 (N, C, H, W); labels: int64 (N,) or None.

    split: what was read: train, test, all, or, of a reduced set, small or sample. typefaces: those of letters.
    """

    name: str
    images: Tensor
    labels: Tensor | None = None
    split: str = "all"
    typefaces: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def tinted(images: Tensor, seed: int = 0) -> Tensor:
    """Grey images in colour, each with a bright ink on a dark paper of its own: uint8 (N, 1, H, W) -> (N, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    ink, paper = (torch.rand(len(images), 1, 1, 1, generator=generator) for _ in range(2))  # hues
    parts = zip(images.split(1000), _hue(ink, 0.7, 1.0).split(1000), _hue(paper, 0.8, 0.3).split(1000), strict=True)
    return torch.cat([(255 * p + x.float() * (i - p)).round().byte() for x, i, p in parts])


def _hue(hue: Tensor, saturation: float, value: float) -> Tensor:
    """Colours of one saturation and value: hue (N, 1, 1, 1) in [0, 1) -> RGB (N, 3, 1, 1) in [0, 1]."""
    k = (torch.tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1) + 6 * hue) % 6
    return value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1)


class _Found(NamedTuple):
    items: Tensor | list[Path]  # images, or files that are still to be read
    labels: Tensor | None
    split: str
    typefaces: tuple[str, ...] = ()


def load(
    name: str,
    *,
    root: str | Path | None = None,
    split: str = "train",
    limit: int | None = None,
    size: int = 28,
    invert: bool | None = None,
    color: bool = False,
) -> Dataset:
    """The data set of a name in `NAMES`, as uint8 (N, 1, size, size), or (N, 3, size, size) in colour.

    root: the folder for the sets of the papers, laid out as by torchvision; else $TOOLKIT_DATA, else a cache folder.
    split: train, test, all (both), or any: train if it is there, else test if that is there, else train by download.
        Samples and folders have no parts. Omniglot's are its background and evaluation sets; a folder `omniglot-small`
        is read in place of the first where only that is there. Of letters, test is a seventh of the typefaces.
    limit: at most so many, evenly spaced over the set, so that a set sorted by class keeps every class.
    invert: exchange dark and light, as a name that ends in ?invert does; by default only for Omniglot, so that ink is
        light in all sets of the papers. A folder that shows dark ink on light paper is warned of.
    How the pictures of a folder are found and fitted: `pictures`; how letters are drawn: `letters`, whose folder may
    also lie in the root.

    Raises ValueError for an unknown name or option, a damaged file or a folder without pictures, and FileNotFoundError
    for a folder that is not there, or a set that is not there and cannot be downloaded.
    """
    again = partial(load, root=root, split=split, limit=limit, size=size, invert=invert, color=color)
    kind, _, path = name.partition(":")
    if "+" in name and kind not in ("folder", "letters"):
        one, _, other = name.partition("+")
        a, b = again(one), again(other)
        images, labels = torch.cat([a.images, b.images]), None
        rows = _evenly(len(images), limit)
        if a.labels is not None and b.labels is not None:
            labels = torch.cat([a.labels, b.labels + int(a.labels.max()) + 1])[rows]
        return Dataset(name, images[rows], labels, a.split, a.typefaces + b.typefaces)
    if name.endswith(INVERT):
        return replace(again(name.removesuffix(INVERT), invert=True), name=name)
    if kind == "tinted" and path:
        data = again(path, color=False)
        return replace(data, name=name, images=tinted(data.images))
    choose("split", split, SPLITS)
    if size < 1 or (limit is not None and limit < 1):
        raise ValueError(f"size {size}, limit {limit}: give at least one pixel and one image")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "that-are-not"
    found = _find(name, Path(root or os.environ.get("TOOLKIT_DATA") or cache).expanduser(), split)
    rows = _evenly(len(found.items), limit)
    if isinstance(found.items, Tensor):
        images = resized(found.items[rows], size).repeat(1, 3 if color else 1, 1, 1)
    else:
        images, readable = pictures.read([found.items[row] for row in rows.tolist()], size, color)
        rows = rows[readable]
        if kind == "folder" and invert is None:
            warn_if_dark(images, f"most pictures of {name} show", f"write {name}{INVERT}, or give --invert,")
    if name == "omniglot" if invert is None else invert:
        images = 255 - images
    labels = None if found.labels is None else found.labels[rows]
    return Dataset(name, images, labels, found.split, found.typefaces)


def inverted(name: str | None) -> str:
    """The name of a data set with dark and light exchanged. Raises ValueError for none."""
    if not name:
        raise ValueError("--invert says how images are read: give --data too")
    return name if name.endswith(INVERT) else name + INVERT


def picture(file: Path, size: int, *, color: bool = False, invert: bool | None = None) -> Tensor:
    """One picture, fitted as those of a folder are: uint8 (1, C, size, size).

    Warns of dark ink on light paper unless invert is given. Raises ValueError if it cannot be read.
    """
    image, _ = pictures.read([file], size, color)
    if invert is None:
        warn_if_dark(image, f"{file} shows", "give --invert")
    return 255 - image if invert else image


def _find(name: str, root: Path, split: str) -> _Found:
    kind, _, path = name.partition(":")
    folder = Path(path).expanduser()
    if kind == "folder" and path:
        return _Found(pictures.below(folder), None, "all")
    if kind == "letters" and path:
        part = "train" if split == "any" else split
        there = folder if folder.is_dir() or not (root / folder).is_dir() else root / folder
        images, labels, families = letters.read(there, part)
        return _Found(images, labels, part, families)
    if text.is_text(name):
        raise ValueError(f"{name} is text, and here images are learned: give it to `train words`, or another data set")
    choose("data set", name, NAMES)
    if kind == "sample":
        from PIL import Image

        with Image.open(Path(__file__).parent / f"{path}.png") as image:  # 100 of each class, sorted by class
            return _Found(tiles(image, 28), torch.arange(1000) // 100, "sample")
    return _faces(root, split) if name == "celeba" else _published(name, root, split)


def _faces(root: Path, split: str) -> _Found:
    """CelebA, whose parts are named in a list of files."""
    folder = root / "celeba"
    if not (folder / "img_align_celeba").is_dir():
        _fetch("celeba", root, ["all"], there=[])
    lines = (folder / "list_eval_partition.txt").read_text().split()
    wanted = {"train": "0", "any": "0", "test": "2"}.get(split)
    chosen = [name for name, part in zip(lines[::2], lines[1::2], strict=True) if wanted in (None, part)]
    return _Found([folder / "img_align_celeba" / name for name in chosen], None, "train" if split == "any" else split)


FOLDERS = {
    "mnist": "MNIST", "fashion": "FashionMNIST", "kmnist": "KMNIST", "emnist-letters": "EMNIST",
    "omniglot": "Omniglot", "celeba": "CelebA",
}  # fmt: skip
"""The names of torchvision, of a set and of its folder."""


def _published(name: str, root: Path, split: str) -> _Found:
    places = _places(name, root)
    likeliest = "test" if places["test"] and not places["train"] else "train"
    parts = {"all": ["train", "test"], "any": [likeliest]}.get(split, [split])
    if missing := [part for part in parts if not places[part]]:
        _fetch(name, root, missing, there=[part for part, place in places.items() if place])
        places = _places(name, root)
    files = [place for part in parts if (place := places[part])]
    used = "small" if files[0].name == "omniglot-small" else split if split != "any" else likeliest
    if name == "omniglot":  # ALPHABET/CHARACTER/*.png
        drawings = [file for folder in files for file in pictures.below(folder)]
        classes = {parent: label for label, parent in enumerate(dict.fromkeys(file.parent for file in drawings))}
        return _Found(drawings, torch.tensor([classes[file.parent] for file in drawings]), used)
    images = [_idx(file, 3) for file in files]
    labels = [_labels(file, len(part)) for file, part in zip(files, images, strict=True)]
    known = [part for part in labels if part is not None]
    found = torch.cat(images)[:, None], torch.cat(known) if len(known) == len(labels) else None
    if name == "emnist-letters":  # transposed, and counted from 1
        found = found[0].mT.contiguous(), None if found[1] is None else found[1] - 1
    return _Found(*found, used)


def _places(name: str, root: Path) -> dict[str, Path | None]:
    """Where each part lies: a folder of pictures for Omniglot, a file of images for the others; None if nowhere."""
    if name == "omniglot":
        whole, small = root / "omniglot-py", root / "omniglot-small"
        tried = {"train": [whole / "images_background", small], "test": [whole / "images_evaluation"]}
    else:
        parts = ("emnist-letters-train", "emnist-letters-test") if name == "emnist-letters" else ("train", "t10k")
        train, test = (root / FOLDERS[name] / "raw" / f"{part}-images-idx3-ubyte" for part in parts)
        tried = {"train": [train, Path(f"{train}.gz")], "test": [test, Path(f"{test}.gz")]}
    return {part: next((path for path in paths if path.exists()), None) for part, paths in tried.items()}


def _idx(path: Path, dimensions: int) -> Tensor:
    """An IDX file of bytes, plain or .gz -> uint8. Raises ValueError unless it is whole, and of so many dimensions."""
    from torchvision.datasets import mnist, utils

    try:
        with TemporaryDirectory() as scratch:
            plain = utils.extract_archive(path, scratch) if path.suffix == ".gz" else path
            values = mnist.read_sn3_pascalvincent_tensor(str(plain))
        if values.dtype != torch.uint8 or values.ndim != dimensions:
            raise ValueError(f"{values.dtype}, {values.ndim} dimensions")
    except Exception as error:  # torchvision's reader asserts, and meets what is no header with whatever comes
        raise ValueError(f"{path} is damaged ({error or 'no whole IDX file'}): delete it and load again") from error
    return values


def _labels(images: Path, count: int) -> Tensor | None:
    """The labels beside a file of images, if there are any."""
    plain = images.with_name(images.name.replace("images-idx3", "labels-idx1").removesuffix(".gz"))
    path = next((path for path in (plain, Path(f"{plain}.gz")) if path.exists()), None)
    labels = _idx(path, 1).long() if path else None
    if labels is not None and len(labels) != count:
        raise ValueError(f"{path} holds {len(labels)} labels for {count} images: delete both files and load again")
    return labels


def _fetch(name: str, root: Path, parts: list[str], *, there: list[str]) -> None:
    """Download parts ("train", "test"; of CelebA "all") of a set beside its place, then move the files there.

    So a broken download leaves nothing behind. there: the parts that root has. Raises FileNotFoundError if it fails.
    """
    try:
        from torchvision import datasets

        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=root) as new:
            for part in parts:
                option: dict[str, Any] = {"background" if name == "omniglot" else "train": part == "train"}
                option = {"split": part} if name == "celeba" else option
                option |= {"split": "letters"} if name == "emnist-letters" else {}
                getattr(datasets, FOLDERS[name])(new, download=True, **option)
            shutil.copytree(new, root, dirs_exist_ok=True, copy_function=shutil.move)
    except (ImportError, OSError, RuntimeError) as error:
        only = f", which has only its {there[0]} images (split 'any' takes them)" if there else ""
        sample = "sample:fashion" if name == "fashion" else "sample:mnist"
        reason = str(error).partition("\n")[0].rstrip(": ")
        raise FileNotFoundError(
            f"the {' and '.join(parts)} images of {name} are not in {root}{only}, and could not be downloaded "
            f"({reason}): connect to a network once, put the files there, or use {sample} or folder:PATH"
        ) from error


def resized(images: Tensor, size: int | None) -> Tensor:
    """Images of another size, None as they are: uint8 (N, C, H, W) -> uint8 (N, C, size, size)."""
    if size is None or images.shape[-2:] == (size, size):
        return images
    mode = "area" if size < images.shape[-1] else "bilinear"
    parts = [interpolate(part.float(), (size, size), mode=mode) for part in images.split(5000)]
    return torch.cat([part.round().byte() for part in parts])


def _evenly(count: int, limit: int | None) -> Tensor:
    few = min(limit or count, count)
    return torch.arange(few) * count // few
