"""Which of the images said are accumulated: the filter that an experiment names, as a function passed to `teach`."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import hub, metrics
from ..iterated_learning import Keep, Say, best, filtered
from ..presets import Experiment, Filter
from ..store import RunError

JUDGE = "judge-digits-letters"  # of the shipped checkpoints, unless the experiment names another


def chosen(say: Say, experiment: Experiment, data: Tensor) -> Say:
    """What is said, as the experiment's filter leaves it; `say` itself without one. data: what the first learner heard.

    Raises CheckpointError for a judge that is not there, RunError for picks that are not.
    """
    return filtered(say, _keep(experiment.rule, data)) if experiment.rule else say


def _keep(rule: Filter, data: Tensor) -> Keep:
    if rule.by == "picks":
        return partial(picked, Path(rule.source))
    if rule.by == "novelty":
        return best(partial(metrics.novelty, reference=data), rule.share)
    return best(partial(objectness, _judge(rule.source or JUDGE)), rule.share)


def _judge(source: str) -> Any:
    return hub.load(source) if source.endswith(".safetensors") else hub.load(hub.CHECKPOINTS, source)


@torch.no_grad()
def objectness(judge: Any, images: Tensor) -> Tensor:
    """How sure a judge is of each image, whatever the class: uint8 (N, C, H, W) -> exp(-entropy), (N,), 1 if certain.

    The sample objectness of the out-of-class study (2017), image by image.
    """
    log_p = [judge(part.float() / 255).log_softmax(1) for part in images.split(500)]
    return torch.cat([(p.exp() * p).sum(1).exp() for p in log_p])


def picked(path: Path, index: int, images: Tensor) -> Tensor:
    """The rows of the seeds that a person picked for an iteration, in a text file that they write as they go.

    A line is ITERATION: SEED, SEED, ...; one without an iteration is for all. Raises RunError if there are none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = sorted({seed for number, seeds in map(_line, filter(None, map(str.strip, lines))) for seed in seeds
                       if number in (None, index) and seed < len(images)})  # fmt: skip
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read as picks ({error}): write lines such as 3: 5, 17, 42") from error
    if not rows:
        raise RunError(
            f"{path} has no picks for iteration {index} from 0 to {len(images) - 1}: look at the sheet samples.png in "
            f"the iteration's folder, ten seeds a row, write a line such as {index}: 5, 17, 42 and run this again"
        )
    return torch.tensor(rows)


def _line(text: str) -> tuple[int | None, list[int]]:
    number, colon, seeds = text.rpartition(":")
    return (int(number) if colon else None), [int(seed) for seed in re.split(r"[,\s]+", seeds.strip()) if seed]
