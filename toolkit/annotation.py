"""Pools of images for blind annotation, and the labels of the annotators. Imports no torch.

POOL/pool.json: metadata that the page may read; images.png: the images in one sheet, in random order; training.png:
images of the training data, shown first; schemes.json: the scheme of each image, which no page reads; labels.sqlite:
the labels. pool.json is written last, so that a pool is there whole or not at all.

Every label is a transaction of its own, on the disk before `put` returns; several processes may write at once. Of an
annotator nothing is stored but the name that was typed.
"""

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import index
from .config import checked

if TYPE_CHECKING:
    from torch import Tensor


SCHEMA = 1
COLUMNS = 25  # of the sheet of pictures
BESIDE = 10  # columns of the sheet of training images


@dataclass(frozen=True)
class About:
    """The content of pool.json: a title, the data, the number and shape (C, H, W) of the images, a key of the sheet."""

    schema: int
    title: str
    data: str
    images: int
    training: int
    shape: tuple[int, ...]
    columns: int
    beside: int
    key: str  # the sha256 of images.png

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
        """The numbers of all images in an annotator's own random order, the same at each visit and on any machine."""
        key = self.about.key
        return sorted(range(self.about.images), key=lambda i: sha256(f"{key}/{annotator}/{i}".encode()).digest())

    def sheet(self) -> bytes:
        """All images, without gaps, as PNG."""
        return (self.folder / "images.png").read_bytes()

    def training(self) -> bytes:
        """The training images, without gaps, as PNG."""
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
    """Write a pool, shuffled by the seed, into a new folder.

    schemes: the images of each, (B, C, H, W) in [0, 1] or uint8, all of one shape; training: (N, C, H, W), likewise.
    made: provenance, stored beside the schemes. Raises ValueError for a folder that holds a pool (which may have
    labels), images of several shapes or types, or none.
    """
    import torch

    from .plot import png
    from .seeds import child

    folder = Path(folder)
    if any((folder / name).exists() for name in ("pool.json", "labels.sqlite")):
        raise ValueError(f"{folder} holds a pool already, and perhaps labels of it: choose another folder")
    shapes = {tuple(x.shape[1:]) for x in schemes.values() if len(x)}
    if len(shapes) != 1 or len({x.dtype for x in schemes.values()}) != 1:
        raise ValueError(f"pictures of shapes {sorted(shapes)} make no pool: give all in one shape and type")
    pictures = torch.cat(list(schemes.values()))
    if pictures.shape[1:] != training.shape[1:] or not len(training):
        raise ValueError(f"training images {tuple(training.shape)} do not go with pictures {tuple(pictures.shape)}")
    places = [{"scheme": scheme, "row": row} for scheme, x in schemes.items() for row in range(len(x))]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(child(seed, "pool")))
    places = [places[i] for i in order.tolist()]
    sheet = png(pictures[order], columns=COLUMNS)
    key = sha256(sheet).hexdigest()
    about = {
        "schema": SCHEMA, "title": title, "data": data, "images": len(pictures), "training": len(training),
        "shape": list(pictures.shape[1:]), "columns": COLUMNS, "beside": BESIDE, "key": key,
    }  # fmt: skip
    index.write_atomic(folder / "images.png", sheet)
    index.write_atomic(folder / "training.png", png(training, columns=BESIDE))
    index.write_atomic(folder / "schemes.json", _json({"key": key, "made": made or {}, "images": places}))
    index.write_atomic(folder / "pool.json", _json(about))
    return read(folder)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


LABELS = ("creative", "novel but not creative", "not novel or creative", "inconclusive")  # 1, 2, 3, 4
NAME = re.compile(r"\w[\w .'-]{0,39}")
TIMEOUT = 30  # seconds that one writer waits for another
TABLE = """CREATE TABLE IF NOT EXISTS labels (
    image INTEGER NOT NULL, annotator TEXT NOT NULL, label INTEGER NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (image, annotator))"""
PUT = """INSERT INTO labels VALUES (?, ?, ?, ?)
    ON CONFLICT (image, annotator) DO UPDATE SET label = excluded.label, time = excluded.time"""


@dataclass(frozen=True)
class Label:
    """The label, 1 to 4 as in `LABELS`, that an annotator gave an image, by its number. time: ISO 8601, UTC."""

    image: int
    annotator: str
    label: int
    time: str = ""


class Labels:
    """The labels of one pool. Every method may raise ValueError, one sentence, if the file cannot be used."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.path = pool.folder / "labels.sqlite"

    def put(self, image: int, annotator: str, label: int) -> None:
        """Store a label, in place of an earlier one. Raises ValueError for an invalid image, name or label."""
        self._check(image)
        if type(label) is not int or not 1 <= label <= len(LABELS):
            raise ValueError(f"label {label!r:.40} is none: give a whole number from 1 to {len(LABELS)}")
        name = name_of(annotator)
        with self._open() as db:
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            db.execute(PUT, (image, name, label, now))

    def take_back(self, image: int, annotator: str) -> None:
        """Delete a label, if there is one. Raises ValueError for an invalid image or name."""
        self._check(image)
        name = name_of(annotator)
        with self._open() as db:
            db.execute("DELETE FROM labels WHERE image = ? AND annotator = ?", (image, name))

    def of(self, annotator: str) -> dict[int, int]:
        """The labels of one annotator: image -> label, in the order they were given. Raises ValueError for no name."""
        name = name_of(annotator)
        return {row.image: row.label for row in self.rows() if row.annotator == name}

    def rows(self) -> list[Label]:
        """Every label, in the order they were given."""
        if not self.path.exists():
            return []
        with self._open() as db:
            return [Label(*row) for row in db.execute("SELECT * FROM labels ORDER BY time, rowid")]

    def _check(self, image: int) -> None:
        if type(image) is not int or not 0 <= image < self.pool.about.images:
            raise ValueError(f"there is no picture {image!r:.40}: give one from 0 to {self.pool.about.images - 1}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction: committed at the end, rolled back if anything is raised."""
        try:
            with closing(sqlite3.connect(self.path, timeout=TIMEOUT)) as db, db:
                db.execute("PRAGMA journal_mode = WAL")  # readers and writers do not wait for each other
                db.execute("PRAGMA synchronous = FULL")  # what is committed survives a power cut as well
                db.execute(TABLE)
                yield db
        except sqlite3.Error as error:
            raise ValueError(f"{self.path} cannot be used ({error}): free space, or restore it") from error


def name_of(text: str) -> str:
    """An annotator's name, normalised: "Ada " is "ada".

    Raises ValueError unless it has 1 to 40 letters, digits, spaces and . _ - ' and begins with a letter or digit.
    """
    name = " ".join(unicodedata.normalize("NFC", str(text)[:200]).casefold().split())
    if not NAME.fullmatch(name):
        raise ValueError(f"the name {name[:60]!r} cannot be kept: give 1 to 40 letters, digits, spaces, or . _ - '")
    return name
