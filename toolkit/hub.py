"""A tree of checkpoints, by experiment and iteration: the same in a local folder and on the Hub.

index.json lists them; EXPERIMENT/iter_NNN/model.safetensors is one of them. Iteration 0 is the data itself.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import checkpoint, precision, tree
from .checkpoint import inspect, save
from .header import CheckpointError, facts
from .index import choose, write_index
from .samplers import Sampling
from .tree import CHECKPOINTS, fetch, read_index

__all__ = [
    "CHECKPOINTS", "CheckpointError", "Model", "choose", "facts", "fetch", "inspect",
    "load", "read_index", "sampling", "save", "write_index",
]  # fmt: skip


def load(
    source: str | Path,
    experiment: str | None = None,
    iteration: int | None = None,
    *,
    revision: str | None = None,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """A model, frozen, in eval mode, float32: from a .safetensors file, a local folder, or a Hub repo "owner/name".

    experiment, iteration: which of a folder or repo; by default the index's own choice and its last iteration.
    Raises CheckpointError, one sentence, for whatever is missing, damaged or not what it says it is, and ValueError for
    a device that is not here.
    """
    if _is_file(source):
        given: dict[str, Any] = {"experiment": experiment, "iteration": iteration}
        said = {key: value for key, value in given.items() if value is not None}
        return checkpoint.load(source, device=device, **said)
    target = precision.device(device)  # before anything is downloaded
    index, revision = tree.pinned(source, revision)
    name, entry = choose(index, experiment, iteration)
    path = fetch(source, entry["file"], revision)
    size, digest, number = entry["bytes"], entry["sha256"], entry["iteration"]
    return checkpoint.load(path, device=target, size=size, digest=digest, experiment=name, iteration=number)


class Model:
    """Any model of the toolkit, by its name on the Hub: `Model.from_hub("owner/name", "fig2", iteration=7)`.

    One door for all and not a method of each class, for two reasons: the file says of which class its model is, so that
    nobody has to know; and models stay plain mathematics that import nothing that touches the network.
    """

    @staticmethod
    def from_hub(
        repo: str,
        experiment: str | None = None,
        iteration: int | None = None,
        *,
        revision: str | None = None,
        device: str | torch.device = "cpu",
    ) -> nn.Module:
        """The model, frozen, in eval mode, float32; at most its index and its one file are downloaded, once.

        experiment, iteration: by default the repo's own choice and its last. revision: a branch, a tag, or a commit:
        with a full commit it is the same model for ever, and what is cached needs no request. Without one, what is
        cached is used as it is; "main" asks whether there is a newer one. Raises as `load` does.
        """
        return load(repo, experiment, iteration, revision=revision, device=device)


def sampling(source: str | Path, experiment: str | None = None, revision: str | None = None) -> Sampling:
    """How the images of an experiment are drawn, as its config.json says. Raises CheckpointError."""
    return Sampling(**vars(tree.settings(source, experiment, revision)))


def _is_file(source: str | Path) -> bool:
    return Path(source).suffix == ".safetensors" or Path(source).is_file()
