"""The judges in the index of a tree of checkpoints. Needs no torch."""

from collections.abc import Mapping
from typing import Any

KIND = "judge"


def names(index: Mapping[str, Any]) -> list[str]:
    """The experiments of an index that are judges, and have one."""
    experiments = index["experiments"].items()
    return [name for name, it in experiments if it.get("kind") == KIND and any("file" in e for e in it["iterations"])]
