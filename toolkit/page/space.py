"""The page on a Space: which checkpoints it serves, and what a machine with ZeroGPU wants of it."""

import logging
import os
from pathlib import Path

from .. import tree
from ..header import CheckpointError

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
