"""The trained decoders in the index of a tree of checkpoints. Needs no torch."""

from collections.abc import Mapping
from typing import Any

from ..index import of_kind

KIND = "decoder"


def names(index: Mapping[str, Any]) -> list[str]:
    """The experiments of an index that are trained decoders, and have one."""
    return of_kind(index, KIND)
