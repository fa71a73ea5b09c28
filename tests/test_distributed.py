"""Two processes do what one does, and captured steps are replayed. This file is their program."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit import cli, distributed, index
from toolkit.distributed import SHAPES, WARM, CapturedStep, captured, tensors
from toolkit.models import LabelledBatch, create
from toolkit.samplers import Sampling, generate
from toolkit.train import Objective, Shuffled, fit

TRAIN = [
    "train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--quiet", "--set", "images=40",
    "--set", "generated=40", "--iterations", "2", "--set", "first_steps=3", "--set", "steps=2", "--set", "batch=7",
    "--set", "model.filters=2", "--set", "sampling.limit=3",
]  # fmt: skip
slow = pytest.mark.slow


class Pair(nn.Module):
    """Two columns of weights, without a matrix product, so that arithmetic is float32 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.linspace(-1, 1, 4))
        self.b = nn.Parameter(torch.linspace(0.5, 2, 4))
        self.register_buffer("seen", torch.zeros(1))
        self.requires_grad_(False)

    def mean(self) -> dict[str, Objective]:
        return {"mean": Objective(lambda x: ((x.flatten(1) * self.a).sum(1) - 1).square().mean(), [self.a], lr=0.1)}

    def duel(self) -> dict[str, Objective]:
        def score(x: Tensor) -> Tensor:
            return (x.flatten(1) * self.a * self.b).sum(1)

        return {
            "a": Objective(lambda x: (score(x) - 1).square().mean(), [self.a], lr=0.1),
            "b": Objective(lambda x: self.b.square().sum() - score(x).mean(), [self.b], lr=0.1),
        }

    def strongest(self) -> dict[str, Objective]:
        def loss(x: Tensor) -> Tensor:
            self.seen += 1 + distributed.rank()  # a buffer that each process fills its own way
            z = x.flatten(1) * self.a
            strength, mine = distributed.all_gather_rows(z)
            kept = torch.zeros_like(strength).scatter(0, strength.topk(min(2, len(strength)), dim=0).indices, 1.0)[mine]
            return ((z * kept).sum(1) - 1).square().mean()

        return {"strongest": Objective(loss, [self.a], lr=0.1)}


def results() -> dict[str, Any]:
    """What must be the same in one process and in two: batches of 5, 5 and 1 images, and generated ones."""
    images = torch.randint(0, 256, (11, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found: dict[str, Any] = {}
    for name in ("mean", "duel", "strongest"):
        kept: list[float] = []
        learned = fit(
            Pair(),
            Shuffled(images, batch=5, seed=1),
            steps=6,
            objectives=lambda model, name=name: getattr(model, name)(),  # type: ignore[misc]
            on_step=lambda step, losses, kept=kept: kept.extend(losses.values()),  # type: ignore[misc]
        )
        found[name] = [*learned.a.tolist(), *learned.b.tolist(), *kept]
    generated = generate(create("WTA", {"filters": 4}, seed=0), range(10), Sampling(limit=3), chunk=3)
    return {**found, "images": generated.images.flatten().tolist(), "passes": generated.passes.tolist()}


def main(out: Path) -> None:
    """What each of two processes does."""
    with distributed.process_group():
        rows = distributed.all_gather(torch.full((distributed.rank() + 1, 1), distributed.rank()))
        found = {"rows": rows.flatten().tolist(), **results()}
        (out / f"{distributed.rank()}.json").write_text(json.dumps(found))
        assert cli.main([*TRAIN, "--out", str(out)]) == 0


def torchrun(*argv: object) -> "subprocess.Popen[str]":
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, argv)]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    printed, errors = (process := torchrun(__file__, folder)).communicate(timeout=300)
    assert process.returncode == 0, errors
    assert printed.count("is complete") == 1  # the first speaks for all
    return folder


@pytest.fixture(scope="module")
def two(out: Path) -> list[dict[str, Any]]:
    return [json.loads((out / f"{rank}.json").read_text()) for rank in range(2)]


@slow
def test_two_processes_end_with_the_parameters_of_one_and_the_same_images_to_the_byte(
    two: list[dict[str, Any]],
) -> None:
    alone = results()
    assert two[0] == two[1]
    assert two[0]["images"] == alone["images"] and two[0]["passes"] == alone["passes"]
    for objectives in ("mean", "duel", "strongest"):
        assert two[0][objectives] == pytest.approx(alone[objectives], abs=1e-5)


@slow
def test_rows_are_gathered_in_the_order_of_ranks_whatever_their_number(two: list[dict[str, Any]]) -> None:
    assert two[0]["rows"] == [0, 1, 1]


@slow
def test_a_run_of_two_is_continued_by_one(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.glob("fig2/iter_*/*") if path.name != index.STATE}
    assert cli.main([*TRAIN, "--out", str(out), "--iterations", "3"]) == 0
    assert len(before) == 3 + 5 * 2 and all(path.stat().st_mtime_ns == at for path, at in before.items())
    assert (out / "fig2/iter_003/model.safetensors").exists() and "complete" in capsys.readouterr().out


@slow
def test_an_error_in_one_ends_all_and_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "fig2").write_text("a file where a folder should be: only the first process stumbles over it")
    process = torchrun("-m", "toolkit", *TRAIN, "--out", tmp_path)
    _, errors = process.communicate(timeout=300)
    assert process.returncode and errors.count("error: cannot write") == 1 and "[rank" not in errors


@slow
def test_a_run_goes_on_after_one_of_its_processes_was_killed(tmp_path: Path) -> None:
    process = torchrun("-m", "toolkit", *TRAIN, "--out", tmp_path)
    while process.poll() is None and not (tmp_path / "fig2/iter_001.partial/model.safetensors").exists():
        time.sleep(0.01)
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[-1]
    os.kill(int(child), signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode
    assert cli.main([*TRAIN, "--out", str(tmp_path)]) == 0  # one alone: two are tried above
    assert len(list(tmp_path.glob("fig2/iter_00?"))) == 3 and not list(tmp_path.rglob("*.partial"))


def test_a_process_alone_is_all_there_is() -> None:
    x = torch.rand(3, 2)
    assert distributed.world() == 1 and distributed.all_gather(x) is x
    assert distributed.all_gather_rows(x) == (x, slice(None))
    with distributed.sharded(x) as (mine, weight), distributed.process_group(), distributed.main_process() as may:
        assert mine is x and weight == 1 and may and distributed.shards(7) == [range(7)]


# ---- captured steps


class Recorder:
    """Doubles its batches, and counts what was run and what was replayed."""

    def __init__(self, able: bool = True) -> None:
        self.able, self.calls = able, Counter[str]()
        self.step = CapturedStep(self.run, self.record)

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


def test_each_shape_is_run_then_recorded_once_then_replayed() -> None:
    recorder = Recorder()
    for rows in [100, 100, 60] * (WARM + 1):
        assert recorder.step(torch.full((rows,), 3.0)).tolist() == [6.0] * rows
    assert recorder.calls == {"run": 2 * WARM, "record": 2, "replay": 2 * (WARM + 1) - WARM + 1}


def test_a_step_that_cannot_be_recorded_is_run_and_not_tried_again() -> None:
    recorder = Recorder(able=False)
    assert [recorder.step(torch.ones(rows)).sum().item() for rows in [1, 2] * (WARM + 3)] == [2, 4] * (WARM + 3)
    assert recorder.calls == {"run": 2 * (WARM + 3), "record": 1}
    assert captured(step := torch.abs, torch.device("cpu")) is step  # a processor without graphs


def test_only_so_many_shapes_keep_a_record() -> None:
    recorder = Recorder()
    for rows in range(SHAPES + 3):
        for _ in range(WARM + 1):
            recorder.step(torch.ones(rows))
    assert recorder.calls["record"] == SHAPES


def test_the_tensors_of_a_batch_are_found_in_simple_objects_and_in_no_others() -> None:
    x, y = torch.ones(2), torch.zeros(2)
    assert [part is whole for part, whole in zip(tensors(LabelledBatch(x, y)), (x, y), strict=True)] == [True, True]
    assert tensors((x, y)) == [x, y] and tensors(x) == [x]
    assert tensors((x, "a name")) == [] and tensors(object()) == []


if __name__ == "__main__":
    main(Path(sys.argv[1]))
