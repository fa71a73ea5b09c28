"""Releases: runs copied as they are shipped, whole or not at all."""

import shutil

import pytest
import torch

from tests.test_runs import experiment, run
from toolkit import cli, hub, index, presets, runs
from toolkit.experiments import release


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"))


def test_a_thinned_run_shows_all_sheets_and_has_the_models_that_were_kept(whole, tmp_path):
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


def test_a_thinned_run_that_is_resumable_goes_on_to_the_same_models(whole, tmp_path):
    part = run(tmp_path / "part", experiment(iterations=2))
    moved = release.thin(part, tmp_path / "moved", [1], resumable=True)
    assert not [*moved.rglob("said.npy")] and [path.parent.name for path in moved.rglob(index.STATE)] == ["iter_002"]
    run(tmp_path / "moved")
    ours, theirs = (hub.load(folder.parent, "fig2", 3).state_dict() for folder in (moved, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_by_default_early_and_every_fifth_model_are_kept(tmp_path):
    spec = presets.preset("kaleidoscope-1d", "smoke", steps=2, runs=2)
    thinned = release.thin(runs.trainer(spec, tmp_path, quiet=True)(7), tmp_path / "out")
    assert sorted(int(path.parent.name[5:]) for path in thinned.rglob("model.safetensors")) == [1, 2, 3, 4, 5]
