"""Runs on disk: checked before they write, resumed after any interruption, always with the same checkpoints."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from PIL import Image

from toolkit import cli, hub, metrics, plot, presets, runs
from toolkit.data import load
from toolkit.index import STATE
from toolkit.models import create
from toolkit.presets import preset
from toolkit.runs import RunDir, RunError, from_npy, locked, write
from toolkit.samplers import generate
from toolkit.seeds import child

TINY = {
    "images": 40, "generated": 20, "iterations": 3, "first_steps": 3, "steps": 2, "batch": 10, "model": {"filters": 2},
    "sampling": {"limit": 3},
}  # fmt: skip


def experiment(figure="fig2", **changes):
    return preset(figure, "smoke", data="sample:mnist", **{**TINY, **changes})


def data(size=28):
    return torch.randint(0, 256, (60, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def run(out, e=None, **options):
    return runs.prepare(e or experiment(), data(), out, quiet=True, **options)()


def digests(folder, files="*/model.safetensors"):
    return [sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob(files))]


def steps(folder):
    return [hub.facts(path)["steps"] for path in sorted(folder.glob("*/model.safetensors"))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"))


# ---- what a run leaves


def test_every_iteration_has_its_checkpoint_sheet_and_measures(whole):
    names = {path.name for path in (whole / "iter_002").iterdir()}
    assert names == {"model.safetensors", "samples.png", "metrics.json", "rows.npz", "said.npy"}
    assert [row["iteration"] for row in json.loads((whole / "metrics.json").read_text())["rows"]] == [0, 1, 2, 3]
    assert not list(whole.parent.rglob("*partial*")) and len(digests(whole)) == 3
    assert [path.parent.name for path in sorted(whole.glob(f"*/{STATE}"))] == ["iter_001", "iter_003"]
    model = hub.load(whole.parent, "fig2", iteration=2)
    assert not model.training and hub.facts(whole / "iter_002/model.safetensors")["iteration"] == 2


@pytest.mark.parametrize("noise", ["fresh", "fixed"])
def test_generated_images_are_a_function_of_the_checkpoint_and_the_seeds_and_a_byte_a_pixel(noise, whole, tmp_path):
    e = experiment(noise=noise)
    folder = whole if noise == "fresh" else run(tmp_path, e)
    for index in (1, 3):
        start = child(e.seed, "say") + (e.generated * (index - 1) if noise == "fresh" else 0)
        model, sampling = hub.load(folder.parent, "fig2", index), hub.sampling(folder.parent)
        again = generate(model, range(start, start + e.generated), sampling).images
        stored = folder / f"iter_{index:03d}/said.npy"
        assert torch.equal(again, from_npy(stored)) and stored.stat().st_size == 128 + again.numel()


def test_config_says_what_every_iteration_cost_and_on_what(whole):
    cost = json.loads((whole / "config.json").read_text())["cost"]
    assert list(cost["iterations"]) == ["0", "1", "2", "3"]
    assert cost["iterations"]["2"].keys() == {"training", "sheet", "sampling", "measuring", "process_seconds", "on"}
    assert cost["iterations"]["2"]["on"] == f"cpu, {torch.get_num_threads()} thread"
    other = ("on", "process_seconds")
    stages = [value for entry in cost["iterations"].values() for key, value in entry.items() if key not in other]
    assert cost["seconds"] == pytest.approx(sum(stages)) and cost["seconds"] > 0


def test_the_table_has_a_line_per_iteration_and_one_of_trends(whole):
    lines = runs.table(whole / "metrics.json").splitlines()
    assert len(lines) == 2 + 4 + 1 and lines[-1].startswith("| rank correlation")
    rows = [{"iteration": i, "ink": ink} for i, ink in enumerate([9.0, 1.0, 2.0, 3.0])]
    assert runs.summary(rows)["rank_correlation"]["ink"] == pytest.approx(1)  # of the iterations, without the data


# ---- what an iteration follows from


def test_arms_of_one_seed_have_the_same_first_iteration_by_themselves_or_from_another_run(whole, tmp_path):
    first = hub.load(whole.parent, "fig2", 1).state_dict()
    for figure in ("fig3", "fig6", "fig7"):
        run(tmp_path, experiment(figure, iterations=1))
        theirs = hub.load(tmp_path, figure, 1).state_dict()
        assert all(torch.equal(first[name], theirs[name]) for name in first)
    for figure in ("fig3", "fig6"):
        shared = run(tmp_path / "shared", experiment(figure), first_from=whole)
        assert digests(shared) == digests(run(tmp_path / "alone", experiment(figure)))
        assert hub.facts(shared / "iter_001/model.safetensors")["experiment"] == figure


def test_a_first_iteration_of_other_settings_is_refused_by_name(whole, tmp_path):
    for changes, source, named in (({"seed": 1}, whole, "began with another seed"), ({}, tmp_path, "there is no"),
                                   ({"model": {"filters": 3}}, whole, "began with another model")):  # fmt: skip
        with pytest.raises(RunError, match=named):
            run(tmp_path / "x", experiment("fig6", **changes), first_from=source)


def test_an_optimiser_is_carried_with_the_weights_unless_it_shall_be_fresh_or_weights_are_not_kept(whole, tmp_path):
    fresh = run(tmp_path, experiment(optimiser="fresh"))
    assert digests(fresh)[0] == digests(whole)[0] and digests(fresh)[1] != digests(whole)[1]
    anew = [experiment("fig3", name="fig3", optimiser=how) for how in ("carried", "fresh")]
    assert digests(run(tmp_path / "a", anew[0])) == digests(run(tmp_path / "b", anew[1]))


def test_a_run_whose_optimiser_is_lost_says_so_and_is_left_as_it_is(tmp_path):
    folder = run(tmp_path, experiment(iterations=2))
    (folder / "iter_002" / STATE).unlink()
    before = digests(folder)
    with pytest.raises(RunError, match=r"has no optimiser.safetensors.*anew"):
        run(tmp_path)
    assert digests(folder) == before


@pytest.mark.parametrize(
    ("figure", "changes", "taken"),
    [
        *((figure, {"epochs": 2, "least_steps": 11}, taken)
          for figure, taken in (("fig2", [11, 12, 16]), ("fig3", [11, 12, 16]), ("fig6", [11, 4, 4]))),
        ("fig2", {"epochs": 1, "least_steps": 1, "iterations": 2, "later_batch": 20}, [4, 3]),  # 40 by tens, 60 by 20
    ],
)  # fmt: skip
def test_a_first_iteration_takes_at_least_so_many_steps_and_later_ones_the_epochs_of_what_has_grown(
    figure, changes, taken, tmp_path
):
    assert steps(run(tmp_path, experiment(figure, first_steps=None, steps=None, **changes))) == taken


@pytest.mark.parametrize("figure", ["fig8", "fig8-stylegan", "fig11"])
def test_a_baseline_runs_the_same_loop_at_its_own_size_and_takes_no_passes(figure, tmp_path):
    folder = run(tmp_path, experiment(figure, iterations=2))
    assert from_npy(folder / "iter_002/said.npy").shape == (20, 1, 32, 32)
    rows = json.loads((folder / "metrics.json").read_text())["rows"]
    assert len(rows) == 3 and "passes" not in rows[2] and rows[2].keys() == rows[0].keys()
    assert hub.load(tmp_path, figure, 2).image_shape == (1, 32, 32)


def test_the_model_of_2016_runs_as_an_iteration(tmp_path):
    folder = run(tmp_path, experiment("digits-2016", iterations=1, sampling={"ink": 0.13, "salt": 0.05}))
    assert set(from_npy(folder / "iter_001/said.npy").unique().tolist()) <= {0, 255}


def test_images_are_resized_as_the_experiment_wants_them():
    fitted, as_they_are, same = (runs.prepare(experiment(size=size), data(), "nowhere") for size in (14, None, 28))
    assert fitted.data.shape == (40, 1, 14, 14) and fitted.reference.shape == (60, 1, 14, 14)
    assert fitted.reference.float().mean() == pytest.approx(data().float().mean(), abs=0.5)
    assert torch.equal(same.data, as_they_are.data)


def test_half_precision_is_what_generates(tmp_path):
    folder = run(tmp_path, experiment(half=True, iterations=1, seed=1, name="fig2-seed1"))
    assert folder == tmp_path / "fig2-seed1"
    weights = hub.load(tmp_path, "fig2-seed1", 1).state_dict().values()
    assert all(torch.equal(w, w.half().float()) for w in weights)


# ---- filters


def test_keeping_everything_is_the_run_without_a_filter(whole, tmp_path):
    assert digests(run(tmp_path, experiment(filter="novelty:1"))) == digests(whole)


def test_a_filtered_set_grows_by_as_much_and_only_by_what_is_best(tmp_path):
    e = experiment(filter="novelty:0.5", iterations=2, batch=20, epochs=1, steps=None)
    folder = run(tmp_path, e)
    candidates, training = from_npy(folder / "iter_001/said.npy"), runs.prepare(e, data(), tmp_path).data
    kept = candidates[runs.selection(e.rule, training)(1, candidates)]
    assert (len(candidates), len(kept), steps(folder)[1]) == (40, 20, 3)  # 40 images of data, and 20
    assert metrics.novelty(kept, training).min() >= metrics.novelty(candidates, training).median()


def test_a_filter_by_a_classifier_keeps_what_it_is_surest_of(tmp_path):
    classifier, images = create("Judge", {"filters": 2, "hidden": 8}, seed=0), data()
    hub.save(classifier, tmp_path / "judge.safetensors")
    e = experiment(filter=f"objectness:0.25:{tmp_path / 'judge.safetensors'}")
    kept, p = images[runs.selection(e.rule, images)(1, images)], classifier.probabilities(images.float() / 255)
    sure = (p * p.log()).sum(1)  # the negative entropy
    assert torch.equal(kept, images[sure >= sure.sort(descending=True).values[14]]) and len(kept) == 15


def test_a_person_picks_from_the_sheet_and_the_run_waits_for_it(tmp_path):
    picks = tmp_path / "liked.txt"
    e = experiment(filter=f"picks:{picks}", iterations=2)
    picks.write_text("2: 1\n")
    with pytest.raises(RunError, match=r"no picks for iteration 1 .*samples.png"):
        run(tmp_path, e)
    assert (tmp_path / "fig2/iter_001.partial/samples.png").exists()
    picks.write_text("1: 5, 17\n2: 1\n")
    folder = run(tmp_path, e)
    seeds_of_the_sheet = generate(hub.load(tmp_path, "fig2", 1), range(20), hub.sampling(tmp_path)).images
    assert torch.equal(seeds_of_the_sheet, from_npy(folder / "iter_001/said.npy"))
    assert [p.tolist() for p in (runs.picked(picks, 1, data()), runs.picked(picks, 2, data()))] == [[5, 17], [1]]


@pytest.mark.parametrize("text", ["a: 3", "3; 4", "0.5", None])
def test_picks_that_are_none_are_a_clear_error(text, tmp_path):
    if text:
        (tmp_path / "picks").write_text(text)
    with pytest.raises(RunError, match="picks.*write lines such as 3: 5, 17, 42"):
        runs.picked(tmp_path / "picks", 1, data())


# ---- resumed


def test_a_finished_run_is_left_as_it_is(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.glob("iter_*/*")}
    run(whole.parent)
    assert before == {path: path.stat().st_mtime_ns for path in whole.glob("iter_*/*")}


def test_more_iterations_follow_from_the_models_and_the_last_optimiser_and_earlier_cost_still_counts(whole, tmp_path):
    folder = run(tmp_path, experiment(iterations=2))
    for generated in folder.glob("iter_*/said.npy"):
        generated.unlink()
    stored = json.loads((folder / "config.json").read_text())
    stored["cost"]["iterations"]["1"]["training"] = 1000.0
    write(folder / "config.json", json.dumps(stored).encode())
    assert digests(run(tmp_path)) == digests(whole)
    cost = json.loads((folder / "config.json").read_text())["cost"]
    assert cost["iterations"]["1"]["training"] == 1000 and cost["seconds"] > 1000 and "3" in cost["iterations"]


@pytest.mark.parametrize("name", ["fig3", "fig6", "fig7"])
def test_every_kind_of_loop_resumes_to_the_same_checkpoints(name, tmp_path):
    undisturbed = digests(run(tmp_path / "a", experiment(name)))
    run(tmp_path / "b", experiment(name, iterations=2))
    assert digests(run(tmp_path / "b", experiment(name))) == undisturbed and len(undisturbed) == 3


KILLED_AT = (1, 4, 7, 12, 3, 10)  # of the files that each life of a run puts in place, the one it dies at


def life(out, bfloat16, killed_at=0):
    """Run it in a process of its own, on a processor that likes bfloat16 or not -> its exit code."""
    if (process := os.fork()) == 0:
        left = [killed_at]

        def kill(event, args):
            if event == "os.rename":
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        torch.cpu.get_capabilities = lambda: {"amx_bf16": bfloat16}
        run(out)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def lives(out):
    """One undisturbed run, and one that is killed six times. A program of its own, for pytest is no place to fork."""
    assert life(out / "whole", bfloat16=True) == 0
    for number, killed_at in enumerate(KILLED_AT):  # the second is the first to store anything
        assert life(out / "killed", number % 2 == 1, killed_at) == -signal.SIGKILL
    assert life(out / "killed", bfloat16=False) == 0


@pytest.mark.slow
def test_killed_at_six_moments_with_the_optimiser_carried_it_ends_with_the_same_bytes(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, __file__, tmp_path], env=environment, check=True)
    files = [{path.relative_to(root): path.read_bytes() for path in root.rglob("*.*") if path.is_file()}
             for root in (tmp_path / "whole/fig2", tmp_path / "killed/fig2")]  # fmt: skip
    for each in files:
        assert b'"cpu": true' in each.pop(Path("config.json"))  # which holds seconds, too
    assert files[0] == files[1] and {path.name for path in files[0]} >= {STATE, "model.safetensors", "said.npy"}


def test_work_that_was_not_finished_costs_nothing_and_is_no_iteration(tmp_path):
    folder = RunDir(tmp_path, experiment())
    with pytest.raises(KeyboardInterrupt), folder.stage(1, "training"):
        raise KeyboardInterrupt
    assert "cost" not in json.loads((tmp_path / "fig2/config.json").read_text())
    folder.put(1, "metrics.json", lambda: b"{}")
    assert [path.name for path in folder.draft(1).iterdir()] == ["metrics.json"] and not folder.finished(1)


# ---- refused


def held(root):
    try:
        with locked(root):
            return False
    except RunError:
        return True


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


def test_a_folder_that_cannot_be_written_or_a_full_disk_is_a_clear_error_and_leaves_the_old_file(tmp_path):
    path, limits = tmp_path / "file", resource.getrlimit(resource.RLIMIT_FSIZE)
    write(path, b"old")
    with pytest.raises(RunError, match="file.*--out"):
        run(path)  # a file where a folder should be
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match="file.*--out"):
            write(path, b"new" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_other_settings_bind_only_once_an_iteration_is_finished(whole, tmp_path):
    with pytest.raises(RunError, match="another steps.*--out"):
        run(whole.parent, experiment(steps=1))
    RunDir(tmp_path, experiment()).put(1, "metrics.json", lambda: {"of": "other settings"})
    assert not RunDir(tmp_path, experiment(steps=1)).find(1, "metrics.json")


# ---- every kind, through the command line

SMALL = {  # of every kind, as little as it takes
    "words": ["images=80", "generated=40", "iterations=1", "first_steps=4"],
    "iterations": ["images=30", "generated=10", "iterations=1", "first_steps=2", "steps=2", "sampling.limit=2"],
    "decoder": ["images=60", "steps=20", "batch=20"],
    "kaleidoscope": ["steps=5", "runs=2"],
    "judge": ["images=80", "steps=3", "each=null"],
    "divergence": ["images=40", "kept=[1]"],
}


def train(out, name, *more):
    """The exit code of the smallest training of a preset."""
    spec = presets.PRESETS[name]
    source = {"decoder": "sample:fashion", "words": f"text:{__file__}"}.get(spec.kind, "sample:mnist")
    given = "--data" in more or getattr(spec, "points", ()) or name == "without-data"
    command, options = "diverge" if spec.kind == "divergence" else "train", [] if given else ["--data", source]
    sets = [part for each in SMALL[spec.kind] for part in ("--set", each)]
    return cli.main([command, name, "--scale", "smoke", "--out", str(out), *options, *sets, *more])


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Forty digits as files: where all thousand of the sample are given, measuring them takes most of a run.

    As options for `train`, of a preset that needs no labels.
    """
    folder = tmp_path_factory.mktemp("few")
    for number, digit in enumerate(load("sample:mnist", limit=40).images):
        plot.grid(digit[None], 1).save(folder / f"{number}.png")

    def options(name):
        spec = presets.PRESETS[name]
        usable = spec.kind in ("iterations", "decoder", "kaleidoscope") and not getattr(spec, "points", ())
        return ["--data", f"folder:{folder}"] if usable else []

    return options


@pytest.mark.slow
@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_preset_runs_to_its_end_at_the_smallest_scale(name, few, tmp_path):
    assert train(tmp_path, name, "--quiet", *few(name)) == 0
    entry = hub.read_index(tmp_path)["experiments"][name]
    assert entry["kind"] == presets.PRESETS[name].kind and hub.load(tmp_path, name)
    cost = json.loads((tmp_path / name / "config.json").read_text())["cost"]
    assert cost["seconds"] > 0 and cost["process_seconds"] > 0


BROKEN = [
    ("fig2", "model.filter=3", "filters"), ("creative-mnist", "model.zz=3", "zz"),
    ("creative-mnist", "how.gian=3", "gain"), ("creative-wikiart", "model.filters=4", "how.neurons is 5"),
    ("judge-digits", "model.filter=3", "filters"), ("kaleidoscope-1d", "model.depht=3", "depth"),
    ("can-mnist", "how.lambda=3", "lambda"), ("hacked-mnist", "how.forms=3", "forms"),
    ("can-mnist", "how.ambiguity=-1", "ambiguity"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "setting", "named"), BROKEN)
def test_nothing_is_written_before_everything_is_checked(name, setting, named, tmp_path, capsys):
    assert train(out := tmp_path / "out", name, "--quiet", "--set", setting) == 2
    error = capsys.readouterr().err
    assert named in error and error.count("\n") == 1 and not out.exists()


@pytest.mark.parametrize("name", [pytest.param("fig2", marks=pytest.mark.slow), "creative-mnist", "judge-digits"])
def test_a_training_that_fails_leaves_nothing_and_the_corrected_command_runs(name, few, tmp_path):
    train_it = partial(train, tmp_path / "out", name, "--quiet", *few(name))
    assert train_it("--set", "model.lr=1e30") == 2 and not (tmp_path / "out").exists()
    assert train_it() == 0


def test_another_seed_is_offered_a_name(tmp_path, capsys):
    assert train(tmp_path, "kaleidoscope-1d", "--quiet") == 0 == train(tmp_path, "kaleidoscope-1d", "--quiet")
    capsys.readouterr()
    assert train(tmp_path, "kaleidoscope-1d", "--quiet", "--seed", "4") == 2
    assert "give --name kaleidoscope-1d-seed4" in capsys.readouterr().err
    assert train(tmp_path, "kaleidoscope-1d", "--quiet", "--seed", "4", "--name", "kaleidoscope-1d-seed4") == 0
    assert {*hub.read_index(tmp_path)["experiments"]} == {"kaleidoscope-1d", "kaleidoscope-1d-seed4"}


@pytest.mark.parametrize("scale", presets.SCALES)
@pytest.mark.parametrize("name", presets.PRESETS)
def test_forty_images_are_learned_for_as_many_steps_as_all_are(name, scale):
    """Regression: forty pictures were learned for fifteen steps, fifteen epochs of one batch, and drew dots."""
    spec = preset(name, scale)
    if not isinstance(spec, presets.IteratedTraining):
        assert "epochs" not in spec.as_dict()  # steps are counted, whatever the number of images
        return
    trainer = runs.IteratedTrainer(spec=spec, data=(), out=Path("nowhere"))
    least = min(presets.LEAST_STEPS, trainer.planned_steps(1, 70_000))
    assert trainer.planned_steps(1, 40) >= least and least >= {"smoke": 20}.get(scale, presets.LEAST_STEPS)


@pytest.mark.parametrize("name", ["fig2", "creative-mnist", "kaleidoscope-mnist", "judge-digits", "gan-mnist"])
def test_a_run_says_what_to_expect_of_few_images_and_what_it_is_at(name, tmp_path, capsys):
    folder, labelled = tmp_path / "marks", name in ("judge-digits", "gan-mnist")
    folder.mkdir()
    for number in range(3):
        Image.new("L", (28, 28), 80 * number).save(folder / f"{number}.png")
    assert train(tmp_path / "out", name, *([] if labelled else ["--data", f"folder:{folder}"])) == 0
    error = capsys.readouterr().err
    assert error.count("images are few: expect copies") == 1
    assert all(f"{name}, iteration 1: {stage}" in error for stage in ("training", "measuring", "sheet"))
    if name == "creative-mnist":
        assert json.loads((tmp_path / "out/creative-mnist/config.json").read_text())["title"] == "marks"


if __name__ == "__main__":
    lives(Path(sys.argv[1]))
