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

from toolkit import cli, hub, metrics, runs
from toolkit.experiments import release
from toolkit.models import create
from toolkit.presets import preset
from toolkit.runs import RunDir, RunError, from_npy, locked, write
from toolkit.samplers import hallucinate
from toolkit.seeds import child

TINY = {
    "images": 40,
    "generated": 20,
    "iterations": 3,
    "first_steps": 3,
    "steps": 2,
    "batch": 10,
    "model": {"filters": 2},
}
TRAIN = [
    "train", "fig2", "--scale", "smoke", "--data", "sample:mnist", "--quiet",
    *[part for name, value in TINY.items() if name != "model" for part in ("--set", f"{name}={value}")],
    "--set", "model.filters=2",
]  # fmt: skip


def experiment(figure="fig2", **changes):
    return preset(figure, "smoke", data="sample:mnist", **{**TINY, **changes})


def data(size=28):
    return torch.randint(0, 256, (60, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def run(out, e=None):
    return runs.prepare(e or experiment(), data(), out, quiet=True)()


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
    assert names == {"model.safetensors", "samples.png", "metrics.json", "rows.npz", "said.npy"}
    assert [row["iteration"] for row in json.loads((whole / "metrics.json").read_text())["rows"]] == [0, 1, 2, 3]
    assert not list(whole.parent.rglob("*partial*")) and len(digests(whole)) == 3


def test_a_run_is_a_tree_that_the_hub_reads(whole):
    model = hub.load(whole.parent, "fig2", iteration=2)
    assert hub.facts(whole / "iter_002/model.safetensors")["iteration"] == 2
    assert not model.training


def test_a_thinned_run_shows_all_it_drew_and_has_the_models_that_were_kept(whole, tmp_path):
    release.thin(whole, tmp_path, [1, 3])
    listed = hub.write_index(tmp_path)["experiments"]["fig2"]["iterations"]
    assert [(entry["iteration"], "file" in entry) for entry in listed] == [(0, False), (1, True), (2, False), (3, True)]
    assert all("samples" in entry and "metrics" in entry for entry in listed)
    with pytest.raises(ValueError, match="no model of iteration 2: choose 1, 3"):
        hub.load(tmp_path, "fig2", iteration=2)


def test_a_run_is_thinned_without_pictures_of_its_data(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "judged" / "fig2")
    (tmp_path / "judged" / "fig2" / "map.png").write_bytes(b"the data lie beneath")
    thinned = release.thin(tmp_path / "judged" / "fig2", tmp_path, [3], data=False)
    assert not (thinned / "map.png").exists()
    assert not (thinned / "iter_000" / "samples.png").exists() and (thinned / "iter_001" / "samples.png").exists()
    assert hub.write_index(tmp_path)["experiments"]["fig2"]["iterations"][0].keys() == {"iteration", "metrics"}


def test_a_run_is_thinned_whole_or_not_at_all(whole, tmp_path):
    with pytest.raises(FileNotFoundError, match="iter_009"):
        release.thin(whole, tmp_path, [1, 9])
    release.thin(whole, tmp_path, [1])
    with pytest.raises(FileExistsError, match="remove it first"):
        release.thin(whole, tmp_path, [2])
    assert [path.name for path in tmp_path.iterdir()] == ["fig2"]
    assert [path.parent.name for path in tmp_path.rglob("model.safetensors")] == ["iter_001"]


def test_the_command_thins_and_lists_the_tree_anew(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "runs" / "fig2")
    assert cli.main(["thin", str(tmp_path / "runs" / "fig2"), "--keep", "2", "--out", str(tmp_path / "out")]) == 0
    assert hub.load(tmp_path / "out", "fig2") is not None and (tmp_path / "out" / "fig2" / "contact.png").exists()
    assert cli.main(["thin", str(tmp_path / "runs" / "fig2"), "--keep", "none", "--out", str(tmp_path / "bare")]) == 0
    assert "samples" in hub.read_index(tmp_path / "bare")["experiments"]["fig2"]["iterations"][3]
    with pytest.raises(ValueError, match="has no model: choose another experiment"):
        hub.load(tmp_path / "bare", "fig2")


def test_a_finished_run_is_left_as_it_is(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.glob("iter_*/*")}
    run(whole.parent)
    assert before == {path: path.stat().st_mtime_ns for path in whole.glob("iter_*/*")}


def test_the_images_said_are_a_function_of_the_checkpoint_and_the_seeds(whole):
    e = experiment()
    start = child(e.seed, "say") + e.generated
    again = hallucinate(
        hub.load(whole.parent, "fig2", 2), range(start, start + e.generated), hub.sampling(whole.parent)
    )
    assert torch.equal(again.images, from_npy(whole / "iter_002/said.npy"))


def test_a_later_iteration_follows_from_the_models_and_the_last_state_of_the_optimiser(whole, tmp_path):
    folder = run(tmp_path, experiment(iterations=2))
    for said in folder.glob("iter_*/said.npy"):
        said.unlink()
    assert digests(run(tmp_path)) == digests(whole)


def test_an_optimiser_is_carried_with_the_weights_unless_it_shall_be_fresh_or_weights_are_not_kept(whole, tmp_path):
    fresh = run(tmp_path, experiment(optimiser="fresh"))
    assert digests(fresh)[0] == digests(whole)[0] and digests(fresh)[1] != digests(whole)[1]
    anew = [experiment("fig3", name="fig3", optimiser=how) for how in ("carried", "fresh")]
    assert digests(run(tmp_path / "a", anew[0])) == digests(run(tmp_path / "b", anew[1]))


def test_the_states_that_a_run_goes_on_from_are_kept_and_no_others(whole):
    kept = [path.parent.name for path in sorted(whole.glob(f"*/{runs.STATE}"))]
    assert kept == ["iter_001", "iter_003"]


def test_a_run_whose_optimiser_is_lost_says_so_and_is_left_as_it_is(tmp_path):
    folder = run(tmp_path, experiment(iterations=2))
    (folder / "iter_002" / runs.STATE).unlink()
    before = digests(folder)
    with pytest.raises(RunError, match=r"has no optimiser.safetensors.*anew"):
        run(tmp_path)
    assert digests(folder) == before


def test_arms_of_one_seed_have_the_same_first_iteration(whole, tmp_path):
    first = hub.load(whole.parent, "fig2", 1).state_dict()
    for figure in ("fig3", "fig6", "fig7"):
        run(tmp_path, experiment(figure, iterations=1))
        theirs = hub.load(tmp_path, figure, 1).state_dict()
        assert all(torch.equal(first[name], theirs[name]) for name in first)


@pytest.mark.parametrize("figure", ["fig3", "fig6"])
def test_a_run_can_take_its_first_iteration_from_another_and_ends_as_by_itself(figure, whole, tmp_path):
    shared = runs.prepare(experiment(figure), data(), tmp_path / "shared", quiet=True, first_from=whole)()
    assert digests(shared) == digests(run(tmp_path / "alone", experiment(figure)))
    assert hub.facts(shared / "iter_001/model.safetensors")["experiment"] == figure


def test_a_first_iteration_of_other_settings_is_refused_by_name(whole, tmp_path):
    for changes, what in (({"seed": 1}, "seed"), ({"model": {"filters": 3}}, "model")):
        with pytest.raises(RunError, match=f"began with another {what}"):
            runs.prepare(experiment("fig6", **changes), data(), tmp_path / what, quiet=True, first_from=whole)()
    with pytest.raises(RunError, match="there is no"):
        runs.prepare(experiment("fig6", name="b"), data(), tmp_path, quiet=True, first_from=tmp_path / "nothing")()


def test_a_first_iteration_takes_at_least_so_many_steps_and_later_ones_the_epochs_of_what_has_grown(tmp_path):
    options = {"epochs": 2, "first_steps": None, "steps": None, "least_steps": 11}
    for figure, steps in (("fig2", [11, 12, 16]), ("fig3", [11, 12, 16]), ("fig6", [11, 4, 4])):
        folder = run(tmp_path, experiment(figure, **options))
        assert [hub.facts(path)["steps"] for path in sorted(folder.glob("*/model.safetensors"))] == steps


def test_a_finished_run_goes_on_when_more_iterations_are_asked_for(whole, tmp_path):
    run(tmp_path, experiment(iterations=2))
    assert digests(run(tmp_path, experiment(iterations=3))) == digests(whole)


@pytest.mark.parametrize("name", ["fig3", "fig6", "fig7"])
def test_every_kind_of_loop_resumes_to_the_same_checkpoints(name, tmp_path):
    undisturbed = digests(run(tmp_path / "a", experiment(name)))
    run(tmp_path / "b", experiment(name, iterations=2))
    assert digests(run(tmp_path / "b", experiment(name))) == undisturbed and len(undisturbed) == 3


@pytest.mark.parametrize("figure", ["fig8", "fig11"])
def test_a_baseline_runs_the_same_loop_at_its_own_size_and_takes_no_passes(figure, tmp_path):
    folder = run(tmp_path, experiment(figure, iterations=2))
    assert from_npy(folder / "iter_002/said.npy").shape == (20, 1, 32, 32)
    rows = json.loads((folder / "metrics.json").read_text())["rows"]
    assert len(rows) == 3 and "passes" not in rows[2] and rows[2].keys() == rows[0].keys()
    assert hub.load(tmp_path, figure, 2).image_shape == (1, 32, 32)


def test_later_iterations_may_have_another_batch(tmp_path):
    folder = run(
        tmp_path,
        experiment(iterations=2, batch=10, later_batch=20, epochs=1, first_steps=None, steps=None, least_steps=1),
    )
    steps = [hub.facts(folder / f"iter_{index:03d}/model.safetensors")["steps"] for index in (1, 2)]
    assert steps == [4, 3]  # 40 images by tens, and the same and 20 said by twenties


def test_the_model_of_2016_runs_as_an_iteration(tmp_path):
    folder = run(tmp_path, experiment("digits-2016", iterations=1, sampling={"ink": 0.13, "salt": 0.05}))
    assert set(from_npy(folder / "iter_001/said.npy").unique().tolist()) <= {0, 255}


def test_images_are_resized_as_the_experiment_wants_them():
    fitted = runs.prepare(experiment(size=14), data(), "nowhere")
    assert fitted.data.shape == (40, 1, 14, 14) and fitted.reference.shape == (60, 1, 14, 14)
    assert fitted.reference.float().mean() == pytest.approx(data().float().mean(), abs=0.5)
    assert runs.prepare(experiment(size=28), data(), "nowhere").data.equal(
        runs.prepare(experiment(), data(), "nowhere").data
    )


def test_a_run_has_the_name_it_is_given(tmp_path):
    e = experiment(iterations=1, seed=1, name="fig2-seed1")
    assert run(tmp_path, e) == tmp_path / "fig2-seed1" and hub.load(tmp_path, "fig2-seed1", 1)


def test_keeping_everything_is_the_run_without_a_filter(whole, tmp_path):
    assert digests(run(tmp_path, experiment(filter="novelty:1"))) == digests(whole)


def test_a_filtered_set_grows_by_as_much_and_only_by_what_is_best(tmp_path):
    e = experiment(filter="novelty:0.5", iterations=2, batch=20, epochs=1, steps=None)
    folder = run(tmp_path, e)
    assert len(from_npy(folder / "iter_001/said.npy")) == 40
    assert hub.facts(folder / "iter_002/model.safetensors")["steps"] == 3  # 40 images of data, and 20
    said, heard = from_npy(folder / "iter_001/said.npy"), runs.prepare(e, data(), tmp_path).data
    kept = said[runs.selection(e.rule, heard)(1, said)]
    left = metrics.novelty(kept, heard).min(), metrics.novelty(said, heard).median()
    assert len(kept) == 20 and left[0] >= left[1]


def test_a_filter_by_a_judge_keeps_what_it_is_surest_of(tmp_path):
    judge = create("Judge", {"filters": 2, "hidden": 8}, seed=0)
    hub.save(judge, tmp_path / "judge.safetensors")
    e, said = experiment(filter=f"objectness:0.25:{tmp_path / 'judge.safetensors'}"), data()
    kept, sure = said[runs.selection(e.rule, said)(1, said)], runs.objectness(judge, said)
    p = judge.probabilities(said.float() / 255).double()
    assert sure.tolist() == pytest.approx((p * p.log()).sum(1).exp().tolist(), abs=1e-5)
    assert torch.equal(kept, said[sure >= sure.sort(descending=True).values[14]]) and len(kept) == 15


def test_a_person_picks_from_the_sheet_and_the_run_waits_for_it(tmp_path):
    picks = tmp_path / "liked.txt"
    e = experiment(filter=f"picks:{picks}", iterations=2)
    picks.write_text("2: 1\n")
    with pytest.raises(RunError, match=r"no picks for iteration 1 .*samples.png"):
        run(tmp_path, e)
    assert (tmp_path / "fig2/iter_001.partial/samples.png").exists()
    picks.write_text("1: 5, 17\n2: 1\n")
    folder = run(tmp_path, e)
    seeds_of_the_sheet = hallucinate(hub.load(tmp_path, "fig2", 1), range(20), hub.sampling(tmp_path)).images
    assert torch.equal(seeds_of_the_sheet, from_npy(folder / "iter_001/said.npy"))
    assert [p.tolist() for p in (runs.picked(picks, 1, data()), runs.picked(picks, 2, data()))] == [[5, 17], [1]]


@pytest.mark.parametrize("text", ["a: 3", "3; 4", "0.5"])
def test_picks_that_are_none_are_a_clear_error(text, tmp_path):
    (tmp_path / "picks").write_text(text)
    with pytest.raises(RunError, match="picks.*write lines such as 3: 5, 17, 42"):
        runs.picked(tmp_path / "picks", 1, data())
    with pytest.raises(RunError, match="nowhere"):
        runs.picked(tmp_path / "nowhere", 1, data())


def test_config_says_what_every_iteration_cost_and_on_what(whole):
    cost = json.loads((whole / "config.json").read_text())["cost"]
    assert list(cost["iterations"]) == ["0", "1", "2", "3"]
    assert cost["iterations"]["2"].keys() == {"training", "sheet", "sampling", "measuring", "process_seconds", "on"}
    assert cost["iterations"]["2"]["on"] == f"cpu, {torch.get_num_threads()} thread"
    other = ("on", "process_seconds")
    pieces = [value for entry in cost["iterations"].values() for key, value in entry.items() if key not in other]
    assert cost["seconds"] == pytest.approx(sum(pieces)) and cost["seconds"] > 0


def test_what_was_spent_before_an_interruption_still_counts(whole, tmp_path):
    run(tmp_path, experiment(iterations=2))
    config = tmp_path / "fig2/config.json"
    said = json.loads(config.read_text())
    said["cost"]["iterations"]["1"]["training"] = 1000.0
    write(config, json.dumps(said).encode())
    assert digests(run(tmp_path, experiment(iterations=3))) == digests(whole)
    cost = json.loads(config.read_text())["cost"]
    assert cost["iterations"]["1"]["training"] == 1000 and cost["seconds"] > 1000 and "3" in cost["iterations"]


def test_work_that_was_not_finished_costs_nothing(tmp_path):
    store = RunDir(tmp_path, experiment(), torch.device("cpu"))
    with pytest.raises(KeyboardInterrupt), store.piece(1, "training"):
        raise KeyboardInterrupt
    assert "cost" not in json.loads((tmp_path / "fig2/config.json").read_text())


def test_fixed_noise_says_the_same_seeds_every_iteration(tmp_path):
    e = experiment(noise="fixed")
    folder = run(tmp_path, e)
    start = child(e.seed, "say")
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
        "import time; from toolkit.runs import locked, Path; "
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
    store = RunDir(tmp_path, experiment())
    store.put(1, "metrics.json", lambda: b"{}")
    assert [path.name for path in store.draft(1).iterdir()] == ["metrics.json"] and not store.finished(1)


@pytest.mark.slow
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_checkpoints(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    assert cli.main([*TRAIN, "--out", str(tmp_path / "whole")]) == 0
    moments = [
        "iter_001.partial/model.safetensors",
        "iter_001.partial/said.npy",
        "iter_002.partial",
        "iter_002/samples.png",
    ]
    out = tmp_path / "killed"
    for moment in moments:
        command = [sys.executable, "-m", "toolkit", *TRAIN, "--out", str(out)]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        while process.poll() is None and not (out / "fig2" / moment).exists():
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert cli.main([*TRAIN, "--out", str(out)]) == 0
    assert digests(out / "fig2") == digests(tmp_path / "whole" / "fig2")
    assert len(digests(out / "fig2")) == 3 and not list(out.rglob("*.partial"))


def test_the_table_has_a_line_per_iteration_and_one_of_trends(whole):
    lines = runs.table(whole / "metrics.json").splitlines()
    assert len(lines) == 2 + 4 + 1 and lines[-1].startswith("| rank correlation")


def test_rank_correlation_is_taken_over_the_iterations_alone():
    rows = [{"iteration": i, "ink": ink} for i, ink in enumerate([9.0, 1.0, 2.0, 3.0])]
    assert runs.summary(rows)["rank_correlation"]["ink"] == pytest.approx(1)
