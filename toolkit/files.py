"""Files written whole or not at all, so that a kill at any moment loses nothing that was there before."""

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


def write(path: Path, data: bytes) -> None:
    """Write under another name, to the disk, then rename; make its folder. May raise OSError, leaves no rest."""
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()
