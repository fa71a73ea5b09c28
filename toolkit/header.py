"""What a checkpoint says of itself: the header of its .safetensors file, read without its tensors and without torch.

The header holds a single metadata key, because the order of several varies from process to process: the same weights
and facts are the same bytes, and a checksum over the file means something.
"""

import json
from pathlib import Path
from typing import Any, BinaryIO

from . import files

SCHEMA = 1
KEY = "that-are-not"
LARGEST_FILE = 2**28  # bytes; the published autoencoder has 6.6 million
LARGEST_HEADER = 2**20  # bytes


class CheckpointError(ValueError):
    """A checkpoint, index or source that cannot be used: one sentence that names it and says what would do."""


def facts(path: str | Path) -> dict[str, Any]:
    """How the model in a file was made, as given to `save`. Reads the header alone. Raises CheckpointError."""
    path = Path(path)
    size = size_of(path)
    with path.open("rb") as file:
        said: dict[str, Any] = recipe(path, file, size)["facts"]
    return said


def recipe(path: Path, file: BinaryIO, size: int) -> dict[str, Any]:
    """What an open file of `size` bytes says in its header: schema, architecture, config, facts. Or CheckpointError."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise CheckpointError(f"{path} is cut short or no safetensors file (a pickle is never opened): fetch it again")
    try:
        text = strict_json(file.read(length))["__metadata__"][KEY]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of this toolkit: give a file that hub.save wrote") from error
    try:
        said = strict_json(text)
        version, kinds = said["schema"], {"architecture": str, "config": dict, "facts": dict}
        intact = all(isinstance(said[key], kind) for key, kind in kinds.items())
    except (ValueError, KeyError, TypeError):
        version, intact = SCHEMA, False
    if version != SCHEMA:
        raise CheckpointError(f"{path} has schema {version!r:.40} and this version reads {SCHEMA}: upgrade the toolkit")
    if not intact:
        raise CheckpointError(f"{path} has a damaged header: delete it and fetch it again")
    return dict(said)


def size_of(path: Path) -> int:
    """Its bytes. Raises CheckpointError if there is no such file or it is larger than any checkpoint."""
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}: give the path of a .safetensors checkpoint")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise CheckpointError(
            f"{path} has {size:,} bytes, and no checkpoint is over {LARGEST_FILE:,}: give another file"
        )
    return size


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises CheckpointError."""
    try:
        files.write(path, data)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}): free space or choose another folder"
        ) from error


def strict_json(text: str | bytes) -> Any:
    """JSON without NaN and infinity. Raises ValueError for anything else, however deeply nested."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
