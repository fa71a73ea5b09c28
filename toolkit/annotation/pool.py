"""A pool of pictures to be labelled blind: made by several schemes, mixed, on disk. Only building one needs torch.

POOL/pool.json: what a page may know; images.png: the pictures in one sheet, in an order that says nothing;
training.png: images of the training data, shown first; schemes.json: which scheme made which picture, which no page
reads; labels.sqlite: what was said (`store`). pool.json comes last, so that a pool is there whole or not at all.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files
from ..options import checked

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
COLUMNS = 25  # of the sheet of pictures
BESIDE = 10  # columns of the sheet of training images


@dataclass(frozen=True)
class About:
    """What pool.json says: a title, the data, how many pictures of which shape (C, H, W), and whose they are."""

    schema: int
    title: str
    data: str
    images: int
    training: int
    shape: tuple[int, ...]
    columns: int
    beside: int
    key: str  # of the very pictures

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema {self.schema}, and this version reads {SCHEMA}")
        if min(self.images, self.training, self.columns, self.beside) < 1 or len(self.shape) != 3:
            raise ValueError(f"{self.images} pictures of shape {self.shape}, {self.training} to train on")


@dataclass(frozen=True)
class Pool:
    """A pool on disk."""

    folder: Path
    about: About

    def order(self, annotator: str) -> list[int]:
        """The numbers of all pictures in this annotator's own order, the same at each visit and on any machine."""
        return sorted(range(self.about.images), key=lambda image: _hash(self.about.key, annotator, image))

    def sheet(self) -> bytes:
        """All pictures, gapless, as a PNG."""
        return (self.folder / "images.png").read_bytes()

    def training(self) -> bytes:
        """The training images, gapless, as a PNG."""
        return (self.folder / "training.png").read_bytes()


def read(folder: str | Path) -> Pool:
    """The pool in a folder. Raises FileNotFoundError if none is there, ValueError if it is damaged."""
    path = Path(folder) / "pool.json"
    if not path.is_file():
        raise FileNotFoundError(f"the folder {folder} holds no pool: make one with python -m toolkit pool")
    try:
        return Pool(Path(folder), About(**checked("a pool", About, json.loads(path.read_bytes()))))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} does not describe a pool of this version: restore it, or build it again") from error


def below(folder: str | Path) -> dict[str, Pool]:
    """The pools in the folders of a folder, by name. Raises ValueError for a damaged one."""
    return {path.parent.name: read(path.parent) for path in sorted(Path(folder).glob("*/pool.json"))}


def build(
    folder: str | Path,
    schemes: "Mapping[str, Tensor]",
    training: "Tensor",
    *,
    title: str,
    data: str,
    seed: int = 0,
    made: Mapping[str, Any] | None = None,
) -> Pool:
    """Write a pool, mixed by the seed, into a new folder.

    schemes: the pictures of each, (B, C, H, W) in [0, 1] or uint8, all of one shape; training: (N, C, H, W), likewise.
    made: how the pictures came about, kept beside the schemes. Raises ValueError for a folder that holds a pool
    (people may have labelled it), pictures of several shapes or types, or none.
    """
    from ..plot import png

    folder = Path(folder)
    if any((folder / name).exists() for name in ("pool.json", "labels.sqlite")):
        raise ValueError(f"{folder} holds a pool already, and perhaps labels of it: choose another folder")
    pictures, places = _mixed(schemes, seed)
    if pictures.shape[1:] != training.shape[1:] or not len(training):
        raise ValueError(f"training images {tuple(training.shape)} do not go with pictures {tuple(pictures.shape)}")
    sheet = png(pictures, columns=COLUMNS)
    key = sha256(sheet).hexdigest()
    about = {
        "schema": SCHEMA, "title": title, "data": data, "images": len(pictures), "training": len(training),
        "shape": list(pictures.shape[1:]), "columns": COLUMNS, "beside": BESIDE, "key": key,
    }  # fmt: skip
    files.write(folder / "images.png", sheet)
    files.write(folder / "training.png", png(training, columns=BESIDE))
    files.write(folder / "schemes.json", _json({"key": key, "made": made or {}, "images": places}))
    files.write(folder / "pool.json", _json(about))
    return read(folder)


def _mixed(schemes: "Mapping[str, Tensor]", seed: int) -> "tuple[Tensor, list[dict[str, Any]]]":
    """All pictures in a random order, and of each its scheme and its row there."""
    import torch

    from ..seeds import child

    shapes = {tuple(x.shape[1:]) for x in schemes.values() if len(x)}
    if len(shapes) != 1 or len({x.dtype for x in schemes.values()}) != 1:
        raise ValueError(f"pictures of shapes {sorted(shapes)} make no pool: give all in one shape and type")
    places = [{"scheme": scheme, "row": row} for scheme, x in schemes.items() for row in range(len(x))]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(child(seed, "pool")))
    return torch.cat(list(schemes.values()))[order], [places[i] for i in order.tolist()]


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _hash(*parts: object) -> bytes:
    return sha256("/".join(map(str, parts)).encode()).digest()
