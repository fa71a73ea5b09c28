"""What is put before a judge beside the images of a run: the data, unseen images, letters, noise and nothing."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .. import datasets, runs
from ..metrics.pixels import resized
from ..presets import Experiment
from ..seeds import child


@dataclass(frozen=True)
class Subjects:
    """Images uint8 (N, C, H, W), all as large as the run's own.

    training: what the first learner heard; reference: as many as are judged, that no learner heard; controls: sets that
    any measure should tell apart.
    """

    training: Tensor
    reference: Tensor
    controls: dict[str, Tensor]


def subjects(
    experiment: Experiment, count: int, *, root: Path | None = None, letters: Tensor | None = None
) -> Subjects:
    """The data of a run and the controls beside it, drawn by the run's seed. letters: uint8 (N, 1, H, W).

    What was kept back is the test set where data have one, for no judge learned it either; else what the run left of
    the data. Raises ValueError if nothing was, and what `datasets.load` raises.
    """
    loaded = datasets.load(experiment.data, root=root, split="any")
    run = runs.prepare(experiment, loaded.images, Path())
    unseen = _drawn(_unseen(experiment, loaded, run, root), 2 * count, child(experiment.seed, "unseen"))
    if len(unseen) < 2:
        raise ValueError(f"{experiment.name} learned all of {experiment.data}: give more data to tell what it did not")
    half = len(unseen) // 2
    shape = (count, *unseen.shape[1:])
    generator = torch.Generator().manual_seed(child(experiment.seed, "noise"))
    controls = {
        "unseen data": unseen[half:],
        "noise": torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
        "blank": torch.zeros(shape, dtype=torch.uint8),
    }
    if letters is not None and letters.shape[1] == shape[1]:
        drawn = _drawn(letters, count, child(experiment.seed, "letters"))
        controls["letters"] = resized(drawn, shape[-1])
    return Subjects(run.data, unseen[:half], controls)


def _unseen(experiment: Experiment, loaded: datasets.Dataset, run: runs.Run, root: Path | None) -> Tensor:
    if loaded.split == "train":
        try:
            kept = datasets.load(experiment.data, root=root, split="test").images
            return resized(kept, run.data.shape[-1])
        except FileNotFoundError:
            pass  # only the first part is here
    return run.reference[len(run.data) :]


def _drawn(images: Tensor, count: int, seed: int) -> Tensor:
    """So many of them, or all, in a random order."""
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:count]]
