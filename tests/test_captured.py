"""A step recorded once per shape and replayed: every call is a step, and what cannot be recorded still runs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.distributed import SHAPES, WARM, CapturedStep, captured, tensors


class Recorder:
    """Doubles its batches, and counts what was run and what was replayed."""

    def __init__(self, able: bool = True) -> None:
        self.able, self.calls = able, Counter[str]()

    def run(self, batch: Tensor) -> Tensor:
        self.calls["run"] += 1
        return batch * 2

    def record(self, batch: Tensor) -> Callable[[Tensor], Tensor]:
        self.calls["record"] += 1
        if not self.able:
            raise RuntimeError("operation not permitted when stream is capturing")

        def replay(batch: Tensor) -> Tensor:
            self.calls["replay"] += 1
            return batch * 2

        return replay


def test_a_shape_is_run_then_recorded_once_then_replayed() -> None:
    recorder = Recorder()
    step = CapturedStep(recorder.run, recorder.record)
    assert [step(torch.tensor([float(i)])).item() for i in range(WARM + 4)] == [2.0 * i for i in range(WARM + 4)]
    assert recorder.calls == {"run": WARM, "record": 1, "replay": 4}


def test_each_shape_has_a_record_of_its_own() -> None:
    recorder = Recorder()
    step = CapturedStep(recorder.run, recorder.record)
    for rows in [100, 100, 60] * (WARM + 1):
        assert step(torch.ones(rows)).shape == (rows,)
    assert recorder.calls == {"run": 2 * WARM, "record": 2, "replay": 2 * (WARM + 1) - WARM + 1}


def test_what_cannot_be_recorded_is_run_and_not_tried_again() -> None:
    recorder = Recorder(able=False)
    step = CapturedStep(recorder.run, recorder.record)
    assert [step(torch.ones(rows)).sum().item() for rows in [1, 2] * (WARM + 3)] == [2, 4] * (WARM + 3)
    assert recorder.calls == {"run": 2 * (WARM + 3), "record": 1}


def test_only_so_many_shapes_keep_a_record() -> None:
    recorder = Recorder()
    step = CapturedStep(recorder.run, recorder.record)
    for rows in range(SHAPES + 3):
        for _ in range(WARM + 1):
            step(torch.ones(rows))
    assert recorder.calls["record"] == SHAPES


def test_a_processor_without_graphs_takes_the_step_itself() -> None:
    assert captured(step := torch.abs, torch.device("cpu")) is step


@dataclass
class Labelled:
    images: Tensor
    labels: Tensor


def test_the_tensors_of_a_batch_are_found_in_simple_objects_and_in_no_others() -> None:
    x, y = torch.ones(2), torch.zeros(2)
    assert [part is whole for part, whole in zip(tensors(Labelled(x, y)), (x, y), strict=True)] == [True, True]
    assert tensors((x, y)) == [x, y] and tensors(x) == [x]
    assert tensors((x, "a name")) == [] and tensors(object()) == []
