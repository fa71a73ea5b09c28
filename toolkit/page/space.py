"""The page on a Space: which checkpoints it serves, how little memory it takes, and what ZeroGPU wants of it."""

import ctypes
import logging
import os
from contextlib import suppress
from pathlib import Path

from .. import tree
from ..header import CheckpointError

ARENAS = (-8, 2)  # M_ARENA_MAX of glibc's malloc.h, and how many
CHOSEN = "TOOLKIT_CHECKPOINTS"  # a variable of the Space: the Hub repo, "owner/name", that it serves
log = logging.getLogger(__name__)


def served(asked: str | None = None, shipped: Path = tree.CHECKPOINTS) -> str | Path:
    """The checkpoints to serve: those asked for; else the repo of `CHOSEN`, if it can be read; else those shipped."""
    if asked:
        return asked
    if repo := os.environ.get(CHOSEN):
        try:
            tree.read_index(repo)
        except CheckpointError as error:
            log.warning("%s is %s, and the shipped checkpoints are served instead: %s", CHOSEN, repo, error)
        else:
            return repo
    return shipped


def share_heaps() -> None:
    """Have all threads share two heaps, where the C library is glibc: before there are any others than this one.

    By default it gives eight a core, and each thread of a server leaves its own full of holes: half a gigabyte in a
    quarter of an hour of many visitors.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system, another C library
        ctypes.CDLL(None).mallopt(*ARENAS)


def offer_gpu() -> bool:
    """On ZeroGPU, whose pages must have a function that may use the GPU, give it one; whether that was so.

    Nobody calls it: these models answer on a CPU at once, and visitors keep their minutes.
    """
    try:
        import spaces
    except ImportError:
        return False
    spaces.GPU(duration=1)(unused)
    return True


def unused() -> None:
    """What the GPU is asked to do."""
