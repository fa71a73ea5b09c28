"""A judge on disk."""

from pathlib import Path

from .. import hub, tree
from ..header import CheckpointError
from ..models import Judge
from .listed import names

__all__ = ["load", "names"]


def load(
    source: str | Path = tree.CHECKPOINTS,
    name: str = "judge-digits-letters",
    *,
    iteration: int | None = None,
    device: str = "cpu",
) -> Judge:
    """A judge of a local tree of checkpoints or a Hub repo, frozen, in eval mode; of several trainings the first.

    Raises CheckpointError, one sentence, for what is missing, damaged, or no judge.
    """
    index, revision = tree.pinned(source)
    if name not in (there := names(index)):
        raise CheckpointError(f"there is no judge {name!r}: choose {' or '.join(there) or 'another source'}")
    first = min(entry["iteration"] for entry in index["experiments"][name]["iterations"] if "file" in entry)
    number = first if iteration is None else iteration
    model = hub.load(source, name, number, revision=revision, device=device)
    if not isinstance(model, Judge):
        raise CheckpointError(f"{name} says it is a judge and holds a {type(model).__name__}: train it again")
    return model
