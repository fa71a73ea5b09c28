"""The rows of an iteration on disk: every measure of the images of seeds 0 to 999, the same at every iteration.

RUN/iter_007/rows.npz holds {measure: float32 (N,)}, one value per seed (`metrics.rows`), some 40 KB compressed for
1,000 seeds; of iteration 0 the data, against the rest of them. With the same noise at every iteration, what an image
becomes can be followed, and two runs can be compared image by image.
"""

from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from torch import Tensor, nn

from .. import judges
from ..header import CheckpointError
from ..metrics.rows import Rows, rows
from ..models import Judge
from ..models.judge import DIGITS
from ..presets import Experiment
from ..samplers import hallucinate
from .cost import TimedStore

FILE = "rows.npz"
SEEDS = 1000
CLASSIFIER = "judge-digits-letters"
OF_DIGITS = ("mnist", "sample:mnist")  # data whose classes a classifier may know by these names


def put(
    store: TimedStore, index: int, experiment: Experiment, reference: Tensor, model: nn.Module | None = None
) -> None:
    """Measure the images of an iteration into its draft. model: of the iteration; without one the data are measured.

    Several processes call this together. Nothing happens where the rows are there.
    """
    if store.find(index, FILE):
        return
    with store.piece(index, "measuring"):
        images, others = images_of(experiment, reference, model)
        store.put(index, FILE, lambda: to_npz(measured(experiment, images, others)))


def images_of(experiment: Experiment, reference: Tensor, model: nn.Module | None) -> tuple[Tensor, Tensor]:
    """The images that an iteration is measured on, uint8, and those that they are measured against."""
    if model is None:
        count = min(SEEDS, len(reference) // 2)
        return reference[:count], reference[count:]
    return hallucinate(model, range(min(SEEDS, experiment.generated)), experiment.sampling).images, reference


def measured(experiment: Experiment, images: Tensor, reference: Tensor) -> Rows:
    """The rows of these images; with the shipped classifier where it knows the data, if it is here."""
    known = DIGITS if experiment.data in OF_DIGITS else ()
    return rows(images, reference, _classifier() if known else None, known)


def _classifier() -> Judge | None:
    try:
        return judges.load(name=CLASSIFIER)
    except CheckpointError:
        return None


def to_npz(found: Rows) -> bytes:
    """Rows as the bytes of a compressed .npz file."""
    buffer = BytesIO()
    np.savez_compressed(buffer, **found)  # type: ignore[arg-type]
    return buffer.getvalue()


def from_npz(path: Path) -> Rows:
    """The inverse of `to_npz`. Raises CheckpointError for a file that is no such thing."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise CheckpointError(f"{path} is not readable ({str(error)[:100]}): measure the run again") from error
    if any(values.ndim != 1 or values.dtype != np.float32 for values in found.values()):
        raise CheckpointError(f"{path} holds other things than rows of measures: measure the run again")
    return found
