"""A name -> images as bytes: the sets of the papers, a built-in sample of two, or a folder of anyone's pictures.

Files that are there are read as they are (no torchvision needed); what is missing is downloaded once, by torchvision.
"""

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..config import choose
from ..plot import tiles
from . import files as pictures
from . import letters
from .files import FOLDERS, fetch, images_and_labels

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
    "NAME+NAME": "two of them together, the classes of the second numbered after those of the first",
}
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


def _joined(name: str, a: Dataset, b: Dataset, limit: int | None) -> Dataset:
    images, labels = torch.cat([a.images, b.images]), None
    if a.labels is not None and b.labels is not None:
        labels = torch.cat([a.labels, b.labels + int(a.labels.max()) + 1])
    rows = _evenly(len(images), limit)
    return Dataset(name, images[rows], None if labels is None else labels[rows], a.split, a.typefaces + b.typefaces)


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
    invert: dark becomes light; by default only for Omniglot, so that ink is bright in all sets of the papers.
    How the pictures of a folder are found and fitted: `pictures`; how letters are drawn: `letters`, whose folder may
    also lie in the root.

    Raises ValueError for an unknown name or option, a damaged file or a folder without pictures, and FileNotFoundError
    for a folder that is not there, or a set that is not there and cannot be downloaded.
    """
    if "+" in name and not name.startswith(("folder:", "letters:")):
        one, _, other = name.partition("+")
        read = partial(load, root=root, split=split, limit=limit, size=size, invert=invert, color=color)
        return _joined(name, read(one), read(other), limit)
    kind, _, grey = name.partition(":")
    if kind == "tinted" and grey:
        data = load(grey, root=root, split=split, limit=limit, size=size, invert=invert)
        return replace(data, name=name, images=tinted(data.images))
    choose("split", split, SPLITS)
    if size < 1 or (limit is not None and limit < 1):
        raise ValueError(f"size {size}, limit {limit}: give at least one pixel and one image")
    found = _find(name, _root(root), split)
    rows = _evenly(len(found.items), limit)
    if isinstance(found.items, Tensor):
        images = _resized(found.items[rows], size).repeat(1, 3 if color else 1, 1, 1)
    else:
        images, readable = pictures.read([found.items[row] for row in rows.tolist()], size, color)
        rows = rows[readable]
    if name == "omniglot" if invert is None else invert:
        images = 255 - images
    labels = None if found.labels is None else found.labels[rows]
    return Dataset(name, images, labels, found.split, found.typefaces)


def _root(given: str | Path | None) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "that-are-not"
    return Path(given or os.environ.get("TOOLKIT_DATA") or cache).expanduser()


def _find(name: str, root: Path, split: str) -> _Found:
    kind, _, path = name.partition(":")
    if kind == "folder" and path:
        return _Found(pictures.below(Path(path).expanduser()), None, "all")
    if kind == "letters" and path:
        return _letters(Path(path).expanduser(), root, "train" if split == "any" else split)
    choose("data set", name, NAMES)
    if kind == "sample":
        return _sample(path)
    return _faces(root, split) if name == "celeba" else _published(name, root, split)


def _letters(folder: Path, root: Path, split: str) -> _Found:
    """The letters of the fonts below a folder, which is looked for in the root too."""
    there = folder if folder.is_dir() or not (root / folder).is_dir() else root / folder
    images, labels, families = letters.read(there, split)
    return _Found(images, labels, split, families)


def _sample(name: str) -> _Found:
    """1,000 images in one picture, 100 of each class, sorted by class (toolkit/data/README.md)."""
    from PIL import Image

    with Image.open(Path(__file__).parent / f"{name}.png") as image:
        return _Found(tiles(image, 28), torch.arange(1000) // 100, "sample")


def _faces(root: Path, split: str) -> _Found:
    """CelebA, whose parts are a list of files: which of three parts each is in."""
    folder = root / "celeba"
    if not (folder / "img_align_celeba").is_dir():
        fetch("celeba", root, ["all"], there=[])
    lines = (folder / "list_eval_partition.txt").read_text().split()
    wanted = {"train": "0", "any": "0", "test": "2"}.get(split)
    chosen = [name for name, part in zip(lines[::2], lines[1::2], strict=True) if wanted in (None, part)]
    return _Found([folder / "img_align_celeba" / name for name in chosen], None, "train" if split == "any" else split)


def _published(name: str, root: Path, split: str) -> _Found:
    places = _places(name, root)
    likeliest = "test" if places["test"] and not places["train"] else "train"
    parts = {"all": ["train", "test"], "any": [likeliest]}.get(split, [split])
    if missing := [part for part in parts if not places[part]]:
        fetch(name, root, missing, there=[part for part, place in places.items() if place])
        places = _places(name, root)
    files = [place for part in parts if (place := places[part])]
    used = "small" if files[0].name == "omniglot-small" else split if split != "any" else likeliest
    items, labels = _trees(files) if name == "omniglot" else images_and_labels(files)
    if name == "emnist-letters" and isinstance(items, Tensor):
        items, labels = items.mT.contiguous(), None if labels is None else labels - 1  # lying, and counted from 1
    return _Found(items, labels, used)


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


def _trees(folders: list[Path]) -> tuple[list[Path], Tensor]:
    """ALPHABET/CHARACTER/*.png: every folder of pictures is a class."""
    files = [file for folder in folders for file in pictures.below(folder)]
    classes = {parent: label for label, parent in enumerate(dict.fromkeys(file.parent for file in files))}
    return files, torch.tensor([classes[file.parent] for file in files])


def _resized(images: Tensor, size: int) -> Tensor:
    if images.shape[-2:] == (size, size):
        return images
    mode = "area" if size < images.shape[-1] else "bilinear"
    parts = [interpolate(part.float(), (size, size), mode=mode) for part in images.split(5000)]
    return torch.cat([part.round().byte() for part in parts])


def _evenly(count: int, limit: int | None) -> Tensor:
    few = min(limit or count, count)
    return torch.arange(few) * count // few
