"""What annotators said of a pool: one row per picture and annotator, in SQLite beside the pictures.

Every label is a transaction of its own, on the disk before `put` returns, so that a killed server loses none; several
processes may write at once. Of an annotator nothing is kept but the name that was typed. Needs no torch.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone

from .pool import Pool

LABELS = ("creative", "novel but not creative", "not novel or creative", "inconclusive")  # 1, 2, 3, 4
NAME = re.compile(r"\w[\w .'-]{0,39}")
PATIENCE = 30  # seconds that one writer waits for another
TABLE = """CREATE TABLE IF NOT EXISTS labels (
    image INTEGER NOT NULL, annotator TEXT NOT NULL, label INTEGER NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (image, annotator))"""
PUT = """INSERT INTO labels VALUES (?, ?, ?, ?)
    ON CONFLICT (image, annotator) DO UPDATE SET label = excluded.label, time = excluded.time"""


@dataclass(frozen=True)
class Label:
    """That an annotator gave picture `image` of the pool a label, 1 to 4 as in `LABELS`. time: ISO 8601, UTC."""

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
        """Store a label, in place of an earlier one. Raises ValueError for a picture, name or label that cannot be."""
        self._check(image)
        if type(label) is not int or not 1 <= label <= len(LABELS):
            raise ValueError(f"label {label!r:.40} is none: give a whole number from 1 to {len(LABELS)}")
        name = name_of(annotator)
        with self._open() as db:
            db.execute(PUT, (image, name, label, _now()))

    def take_back(self, image: int, annotator: str) -> None:
        """Forget a label, if there is one. Raises ValueError for a picture or name that cannot be."""
        self._check(image)
        name = name_of(annotator)
        with self._open() as db:
            db.execute("DELETE FROM labels WHERE image = ? AND annotator = ?", (image, name))

    def of(self, annotator: str) -> dict[int, int]:
        """What one annotator said: picture -> label, in the order it was said. Raises ValueError for no name."""
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
            with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as db, db:
                db.execute("PRAGMA journal_mode = WAL")  # readers and writers do not wait for each other
                db.execute("PRAGMA synchronous = FULL")  # what is committed survives a power cut as well
                db.execute(TABLE)
                yield db
        except sqlite3.Error as error:
            raise ValueError(f"{self.path} cannot be used ({error}): free space, or restore it") from error


def name_of(text: str) -> str:
    """An annotator's name as it is kept: the same however its letters and spaces are typed. "Ada " is "ada".

    Raises ValueError unless it has 1 to 40 letters, digits, spaces and . _ - ' and begins with a letter or digit.
    """
    name = " ".join(unicodedata.normalize("NFC", str(text)[:200]).casefold().split())
    if not NAME.fullmatch(name):
        raise ValueError(f"the name {name[:60]!r} cannot be kept: give 1 to 40 letters, digits, spaces, or . _ - '")
    return name


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
