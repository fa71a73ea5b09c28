"""A run on disk: killed, resumed, regenerated; always the same checkpoints."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256

import pytest
import torch

from toolkit import hub, runs
from toolkit.presets import preset
from toolkit.samplers import hallucinate
from toolkit.store import RunError, Store, from_npy, locked, write

TINY = {
    "images": 40,
    "generated": 20,
    "iterations": 3,
    "first_steps": 3,
    "steps": 2,
    "batch": 10,
    "model": {"filters": 2},
}
COMMAND = [
    sys.executable, "-m", "toolkit", "train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--quiet",
    *[part for name, value in TINY.items() if name != "model" for part in ("--set", f"{name}={value}")],
    "--set", "model.filters=2",
]  # fmt: skip


def experiment(name="fig2", **changes):
    return preset(name, "smoke", data="sample:mnist", **{**TINY, **changes})


def run(out, e=None):
    e = e or experiment()
    images = torch.randint(0, 256, (60, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return runs.prepare(e, images, out, quiet=True)()


def digests(folder):
    return [sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*/model.safetensors"))]


def held(root):
    try:
        with locked(root):
            return False
    except RunError:
        return True


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"))


def test_every_iteration_has_its_checkpoint_sheet_and_measures(whole):
    names = {path.name for path in (whole / "iter_002").iterdir()}
    assert names == {"model.safetensors", "samples.png", "metrics.json", "said.npy"}
    assert [row["iteration"] for row in json.loads((whole / "metrics.json").read_text())["rows"]] == [0, 1, 2, 3]
    assert not list(whole.parent.rglob("*partial*")) and len(digests(whole)) == 3


def test_a_run_is_a_tree_that_the_hub_reads(whole):
    model = hub.load(whole.parent, "fig2", iteration=2)
    assert hub.facts(whole / "iter_002/model.safetensors")["iteration"] == 2
    assert not model.training


def test_a_finished_run_is_left_as_it_is(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.glob("iter_*/*")}
    run(whole.parent)
    assert before == {path: path.stat().st_mtime_ns for path in whole.glob("iter_*/*")}


def test_the_images_said_are_a_function_of_the_checkpoint_and_the_seeds(whole):
    e = experiment()
    start = runs.child(e.seed, "say") + e.generated
    again = hallucinate(
        hub.load(whole.parent, "fig2", 2), range(start, start + e.generated), hub.sampling(whole.parent)
    )
    assert torch.equal(again.images, from_npy(whole / "iter_002/said.npy"))


def test_a_later_iteration_is_trained_from_the_checkpoints_alone(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "fig2", ignore=shutil.ignore_patterns("said.npy", "iter_003"))
    assert digests(run(tmp_path)) == digests(whole)


def test_a_finished_run_goes_on_when_more_iterations_are_asked_for(whole, tmp_path):
    run(tmp_path, experiment(iterations=2))
    assert digests(run(tmp_path, experiment(iterations=3))) == digests(whole)


@pytest.mark.parametrize("name", ["fig3", "fig6", "fig7"])
def test_every_kind_of_loop_resumes_to_the_same_checkpoints(name, tmp_path):
    undisturbed = digests(run(tmp_path / "a", experiment(name)))
    run(tmp_path / "b", experiment(name, iterations=2))
    assert digests(run(tmp_path / "b", experiment(name))) == undisturbed and len(undisturbed) == 3


def test_fixed_noise_says_the_same_seeds_every_iteration(tmp_path):
    e = experiment(noise="fixed")
    folder = run(tmp_path, e)
    start = runs.child(e.seed, "say")
    for index in (1, 3):
        model = hub.load(tmp_path, "fig2", index)
        again = hallucinate(model, range(start, start + e.generated), hub.sampling(tmp_path))
        assert torch.equal(again.images, from_npy(folder / f"iter_{index:03d}/said.npy"))


def test_half_precision_is_what_teaches(tmp_path):
    folder = run(tmp_path, experiment(half=True, iterations=1))
    weights = hub.load(folder.parent, "fig2", 1).state_dict().values()
    assert all(torch.equal(w, w.half().float()) for w in weights)


def test_memory_of_the_growing_set_is_one_byte_a_pixel(whole):
    said = from_npy(whole / "iter_001/said.npy")
    assert said.dtype == torch.uint8 and (whole / "iter_001/said.npy").stat().st_size == 128 + said.numel()


def test_other_settings_in_the_same_folder_are_refused_by_name(whole):
    with pytest.raises(RunError, match="steps") as error:
        run(whole.parent, experiment(steps=1))
    assert "--out" in str(error.value)


def test_two_runs_in_one_folder_are_refused_and_the_lock_dies_with_its_holder(tmp_path):
    root = tmp_path / "fig2"
    code = (
        "import time; from toolkit.store import locked, Path; "
        f"lock = locked(Path({str(root)!r})); lock.__enter__(); time.sleep(99)"  # unnamed, it lets go at once
    )
    with subprocess.Popen([sys.executable, "-c", code]) as holder:
        while not held(root):
            time.sleep(0.01)
        with pytest.raises(RunError, match="another process is at work in .*fig2: .*--out"):
            run(tmp_path)
        holder.kill()
    assert not held(root) and run(tmp_path) == root and not held(root)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(RunError, match="taken.*--out"):
        run(tmp_path / "taken")


def test_a_full_disk_is_a_clear_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match="file.*--out"):
            write(path, b"new" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_an_unfinished_write_leaves_nothing_behind(tmp_path):
    store = Store(tmp_path, experiment())
    store.put(1, "metrics.json", lambda: b"{}")
    assert [path.name for path in store.draft(1).iterdir()] == ["metrics.json"] and not store.finished(1)


@pytest.mark.slow
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_checkpoints(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*COMMAND, "--out", str(tmp_path / "whole")], env=environment, check=True, capture_output=True)
    moments = [
        "iter_001.partial/model.safetensors",
        "iter_001.partial/said.npy",
        "iter_002.partial",
        "iter_002/samples.png",
    ]
    out = tmp_path / "killed"
    for moment in moments:
        process = subprocess.Popen([*COMMAND, "--out", str(out)], env=environment, stderr=subprocess.PIPE)
        while process.poll() is None and not (out / "fig2" / moment).exists():
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    subprocess.run([*COMMAND, "--out", str(out)], env=environment, check=True, capture_output=True)
    assert digests(out / "fig2") == digests(tmp_path / "whole" / "fig2")
    assert len(digests(out / "fig2")) == 3 and not list(out.rglob("*.partial"))


def test_the_table_has_a_line_per_iteration_and_one_of_trends(whole):
    lines = runs.table(whole / "metrics.json").splitlines()
    assert len(lines) == 2 + 4 + 1 and lines[-1].startswith("| rank correlation")


def test_rank_correlation_is_taken_over_the_iterations_alone():
    rows = [{"iteration": i, "ink": ink} for i, ink in enumerate([9.0, 1.0, 2.0, 3.0])]
    assert runs.summary(rows)["rank_correlation"]["ink"] == pytest.approx(1)
