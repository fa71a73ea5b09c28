"""Two processes do what one does: the same parameters, the same images, one run on disk. This file is their program."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit import cli, distributed, runs
from toolkit.models import create
from toolkit.samplers import Sampling, hallucinate
from toolkit.train import Objective, Shuffled, fit

TRAIN = [
    "train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--quiet", "--set", "images=40",
    "--set", "generated=120", "--iterations", "2", "--set", "first_steps=3", "--set", "steps=2", "--set", "batch=7",
    "--set", "model.filters=2",
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
    """What must be the same in one process and in two: batches of 5, 5 and 1 images, and hallucinated ones."""
    images = torch.randint(0, 256, (11, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found: dict[str, Any] = {}
    for name in ("mean", "duel", "strongest"):
        heard: list[float] = []
        learned = fit(
            Pair(),
            Shuffled(images, batch=5, seed=1),
            steps=6,
            objectives=lambda model, name=name: getattr(model, name)(),  # type: ignore[misc]
            on_step=lambda step, losses, heard=heard: heard.extend(losses.values()),  # type: ignore[misc]
        )
        found[name] = [*learned.a.tolist(), *learned.b.tolist(), *heard]
    said = hallucinate(create("WTA", {"filters": 4}, seed=0), range(10), Sampling(limit=3), chunk=3)
    return {**found, "images": said.images.flatten().tolist(), "passes": said.passes.tolist()}


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
@pytest.mark.parametrize("what", ["mean", "duel", "strongest"])
def test_two_processes_train_as_one_does_whatever_the_batch(what: str, two: list[dict[str, Any]]) -> None:
    assert two[0][what] == pytest.approx(results()[what], abs=1e-5)


@slow
def test_both_end_with_the_same_parameters_and_the_same_images(two: list[dict[str, Any]]) -> None:
    assert two[0] == two[1]


@slow
def test_parts_are_gathered_in_the_order_of_ranks_whatever_their_length(two: list[dict[str, Any]]) -> None:
    assert two[0]["rows"] == [0, 1, 1]


@slow
def test_an_image_is_the_same_byte_for_byte_in_any_number_of_processes(two: list[dict[str, Any]]) -> None:
    alone = results()
    assert two[0]["images"] == alone["images"] and two[0]["passes"] == alone["passes"]


@slow
def test_a_run_of_two_is_continued_by_one(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.glob("fig2/iter_*/*") if path.name != runs.STATE}
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
    process = torchrun("-m", "toolkit", *TRAIN, "--out", tmp_path, "--set", "generated=1000")
    while process.poll() is None and not (tmp_path / "fig2/iter_001.partial/model.safetensors").exists():
        time.sleep(0.01)
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[-1]
    os.kill(int(child), signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode
    assert cli.main([*TRAIN, "--out", str(tmp_path), "--set", "generated=1000"]) == 0  # one alone: two are tried above
    assert len(list(tmp_path.glob("fig2/iter_00?"))) == 3 and not list(tmp_path.rglob("*.partial"))


def test_a_process_alone_is_all_there_is() -> None:
    x = torch.rand(3, 2)
    assert (
        distributed.world() == 1
        and distributed.all_gather(x) is x
        and distributed.all_gather_rows(x) == (x, slice(None))
    )
    with distributed.sharded(x) as (mine, weight), distributed.process_group(), distributed.main_process() as may:
        assert mine is x and weight == 1 and may and distributed.shards(7) == [range(7)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
