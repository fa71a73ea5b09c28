"""A tree of checkpoints, in a folder and in the Hub's cache: what is listed, what is loaded, and what is refused."""

import importlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import hub
from toolkit.hub import CheckpointError
from toolkit.index import _sentence
from toolkit.models import create

TINY = {"filters": 4, "size": 16}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def grow(folder: Path, experiment: str, iterations: int) -> None:
    """An experiment on disk, as a run leaves it."""
    for number in range(iterations + 1):
        inner = folder / experiment / f"iter_{number:03d}"
        inner.mkdir(parents=True)
        (inner / "samples.png").write_bytes(b"a picture")
        (inner / "metrics.json").write_text(json.dumps({"ink": number / 10, "blank": 0}))
        if number:
            model = create("WTA", TINY, seed=number)
            hub.save(model, inner / "model.safetensors", experiment=experiment, iteration=number)
    (folder / experiment / "config.json").write_text(json.dumps({"title": f"The {experiment}"}))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grown")
    grow(folder, "fig12", 1)
    grow(folder, "fig2", 3)
    hub.write_index(folder)
    return folder


@pytest.fixture
def tree(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "tree"))


@pytest.fixture
def repo(grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Hub repo, its index and two iterations of fig2 downloaded, on a machine without network."""
    cache = tmp_path / "cache" / "models--owner--name"
    unseen = shutil.ignore_patterns("iter_002", "iter_000", "fig12")
    shutil.copytree(grown, cache / "snapshots" / COMMIT, ignore=unseen)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return "owner/name"


@contextmanager
def refused(*words: object) -> Iterator[None]:
    """One sentence that names these things."""
    with pytest.raises(CheckpointError) as caught:
        yield
    said = str(caught.value)
    assert "\n" not in said
    assert all(str(word) in said for word in words), said


def weights(iteration: int) -> torch.Tensor:
    return next(create("WTA", TINY, seed=iteration).parameters())


def is_of(model: torch.nn.Module, iteration: int) -> bool:
    return torch.equal(next(model.parameters()), weights(iteration))


def edit(tree: Path, **changes: Any) -> None:
    """Change the entry of fig2's iteration 2 in the index; None takes a key away."""
    index = json.loads((tree / "index.json").read_text())
    entry = index["experiments"]["fig2"]["iterations"][2] | changes
    index["experiments"]["fig2"]["iterations"][2] = {key: value for key, value in entry.items() if value is not None}
    (tree / "index.json").write_text(json.dumps(index))


# ---- the index


def test_the_index_lists_every_iteration_with_size_and_checksum(tree: Path) -> None:
    entry = hub.read_index(tree)["experiments"]["fig2"]["iterations"][2]
    data = (tree / "fig2/iter_002/model.safetensors").read_bytes()
    assert entry == {
        "iteration": 2,
        "file": "fig2/iter_002/model.safetensors", "bytes": len(data), "sha256": sha256(data).hexdigest(),
        "samples": "fig2/iter_002/samples.png", "metrics": {"blank": 0, "ink": 0.2},
    }  # fmt: skip


def test_iteration_0_is_the_data_and_has_no_file(tree: Path) -> None:
    entry = hub.read_index(tree)["experiments"]["fig2"]["iterations"][0]
    assert entry == {"iteration": 0, "samples": "fig2/iter_000/samples.png", "metrics": {"blank": 0, "ink": 0.0}}


def test_an_iteration_may_be_there_as_a_sheet_only_and_must_not_be_there_as_nothing(tree: Path) -> None:
    (tree / "fig2" / "iter_002" / "model.safetensors").unlink()
    assert hub.write_index(tree)["experiments"]["fig2"]["iterations"][2].keys() == {"iteration", "samples", "metrics"}
    index = json.loads((tree / "index.json").read_text())
    del index["experiments"]["fig2"]["iterations"][2]["samples"]
    (tree / "index.json").write_text(json.dumps(index))
    with refused(tree / "index.json", "neither a model nor a sheet"):
        hub.read_index(tree)


def test_experiments_are_listed_as_people_count_and_the_first_is_the_default(tree: Path) -> None:
    index = hub.read_index(tree)
    assert list(index["experiments"]) == ["fig2", "fig12"]
    assert (index["default"], index["experiments"]["fig2"]["title"]) == ("fig2", "The fig2")


def test_the_same_tree_gives_the_same_index_whatever_was_there(tree: Path) -> None:
    before = (tree / "index.json").read_bytes()
    (tree / "index.json").write_text("{}")
    (tree / "fig2" / "iter_004.partial").mkdir()
    (tree / "fig2" / "iter_004").mkdir()
    assert hub.write_index(tree) == hub.read_index(tree)
    assert (tree / "index.json").read_bytes() == before and before.endswith(b"}\n")


def test_another_default_may_be_named(tree: Path) -> None:
    assert hub.write_index(tree, default="fig12")["default"] == "fig12"
    with refused("fig99"):
        hub.write_index(tree, default="fig99")


def test_a_model_in_the_wrong_folder_is_not_listed(tree: Path) -> None:
    (tree / "fig2" / "iter_003").rename(tree / "fig2" / "iter_007")
    with refused("iter_007", "renamed"):
        hub.write_index(tree)


def test_a_folder_without_experiments_has_no_index(tmp_path: Path) -> None:
    with refused(tmp_path, "config.json"):
        hub.write_index(tmp_path)


def test_metrics_that_are_not_json_are_named(tree: Path) -> None:
    (tree / "fig2/iter_001/metrics.json").write_text('{"ink": NaN}')
    with refused("metrics.json", "NaN"):
        hub.write_index(tree)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"schema": NaN}', "[" * 100_000, "\udcff"])
def test_an_index_that_is_no_dictionary_is_refused(tree: Path, text: str) -> None:
    (tree / "index.json").write_bytes(text.encode(errors="surrogateescape"))
    with refused(tree / "index.json"):
        hub.read_index(tree)


def test_an_index_of_another_schema_is_refused(tree: Path) -> None:
    (tree / "index.json").write_text('{"schema": 2}')
    with refused("schema 2", "upgrade"):
        hub.read_index(tree)


@pytest.mark.parametrize(
    "path",
    ["../secret", "/etc/passwd", "fig2/../../x", "fig2//x", "C:\\x", "fig2\\x", ".hidden", "", "a/./b", "x\n", "é"],
)
@pytest.mark.parametrize("key", ["file", "samples"])
def test_a_path_that_leaves_the_folder_is_refused(tree: Path, key: str, path: str) -> None:
    edit(tree, **{key: path})
    with refused(tree / "index.json"):
        hub.read_index(tree)


@pytest.mark.parametrize(
    "change",
    [
        {"file": None}, {"bytes": None}, {"sha256": None}, {"sha256": "abc"}, {"bytes": "5"}, {"iteration": "2"},
        {"iteration": 1}, {"iteration": -2}, {"iteration": None}, {"metrics": []}, {"file": 3}, {"samples": ["x"]},
    ],
    ids=str,
)  # fmt: skip
def test_an_incomplete_entry_is_refused(tree: Path, change: dict[str, Any]) -> None:
    edit(tree, **change)
    with refused(tree / "index.json", "write it again"):
        hub.read_index(tree)


@pytest.mark.parametrize(
    "change", [{"default": "fig99"}, {"default": ["fig2"]}, {"experiments": []}, {"experiments": {}}]
)
def test_an_index_that_contradicts_itself_is_refused(tree: Path, change: dict[str, Any]) -> None:
    index = json.loads((tree / "index.json").read_text()) | change
    (tree / "index.json").write_text(json.dumps(index))
    with refused(tree / "index.json"):
        hub.read_index(tree)


@pytest.mark.parametrize("name", ["../fig2", "a/b", "", "fig 2"])
def test_an_experiment_is_a_plain_name(tree: Path, name: str) -> None:
    index = json.loads((tree / "index.json").read_text())
    index["experiments"][name] = index["experiments"]["fig2"]
    (tree / "index.json").write_text(json.dumps(index))
    with refused(tree / "index.json"):
        hub.read_index(tree)


# ---- a local folder


@pytest.mark.parametrize(("asked", "iteration"), [((), 3), (("fig2",), 3), (("fig2", 2), 2), (("fig12",), 1)])
def test_a_folder_gives_the_iteration_asked_for_or_its_last(tree: Path, asked: tuple[Any, ...], iteration: int) -> None:
    assert is_of(hub.load(tree, *asked), iteration)
    assert is_of(hub.load(str(tree), *asked), iteration)


def test_a_single_file_needs_no_index(tree: Path) -> None:
    (tree / "index.json").unlink()
    assert is_of(hub.load(tree / "fig2/iter_002/model.safetensors"), 2)
    with refused("iteration 2, not 3"):
        hub.load(tree / "fig2/iter_002/model.safetensors", iteration=3)


def test_an_unknown_experiment_lists_those_there_are(tree: Path) -> None:
    with refused("fig99", "fig2", "fig12"):
        hub.load(tree, "fig99")


@pytest.mark.parametrize("iteration", [0, 4, -1])
def test_an_unknown_iteration_lists_those_there_are(tree: Path, iteration: int) -> None:
    with refused("fig2", f"iteration {iteration}", "1 to 3"):
        hub.load(tree, "fig2", iteration)


def test_an_experiment_without_a_model_yet_says_so(tree: Path) -> None:
    (tree / "fig12/iter_001/model.safetensors").unlink()
    hub.write_index(tree)
    with refused("fig12", "no model"):
        hub.load(tree, "fig12")


@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_a_file_that_is_not_what_the_index_says_is_refused(tree: Path, change: str) -> None:
    path = tree / "fig2/iter_002/model.safetensors"
    data = path.read_bytes()
    path.write_bytes({"shorter": data[:-1], "longer": data + b"\0", "other": data[:-1] + bytes([data[-1] ^ 1])}[change])
    with refused(path, "its index says"):
        hub.load(tree, "fig2", 2)


def test_a_file_put_in_the_place_of_another_is_refused_though_the_index_agrees(tree: Path) -> None:
    edit(
        tree,
        **{
            key: hub.read_index(tree)["experiments"]["fig2"]["iterations"][1][key]
            for key in ("file", "bytes", "sha256")
        },
    )
    with refused("iteration 1, not 2", "renamed"):
        hub.load(tree, "fig2", 2)


def test_a_file_the_index_lists_but_the_folder_lacks_is_named(tree: Path) -> None:
    (tree / "fig2/iter_002/model.safetensors").unlink()
    with refused(tree, "fig2/iter_002/model.safetensors"):
        hub.load(tree, "fig2", 2)


def test_a_folder_without_an_index_says_how_to_write_one(tmp_path: Path) -> None:
    with refused(tmp_path, "index.json", "write_index"):
        hub.load(tmp_path)


def test_any_file_of_the_tree_can_be_fetched_and_none_outside(tree: Path) -> None:
    assert hub.fetch(tree, "fig2/config.json") == tree / "fig2/config.json"
    (tree.parent / "secret").write_text("")
    for path in ("../secret", str(tree.parent / "secret")):
        with refused("leave its folder"):
            hub.fetch(tree, path)


def test_an_unknown_device_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^device 'quantum' [^\n]*$"):
        hub.load(tmp_path, device="quantum")


# ---- the Hub, offline


def test_what_the_cache_holds_needs_no_network(repo: str) -> None:
    assert is_of(hub.load(repo), 3)
    assert is_of(hub.load(repo, "fig2", 1, revision=COMMIT), 1)
    assert hub.fetch(repo, "fig2/config.json").is_file()


def test_a_local_folder_wins_over_a_repo_of_the_same_name(repo: str, tmp_path: Path) -> None:
    grow(tmp_path / repo, "own", 1)
    hub.write_index(tmp_path / repo)
    assert list(hub.read_index(repo)["experiments"]) == ["own"]


def test_what_is_not_downloaded_yet_says_what_would_do_at_once(repo: str) -> None:
    with refused(repo, "fig2/iter_002/model.safetensors", "go online once"):
        hub.load(repo, "fig2", 2)
    with refused("owner/other", "index.json", "local folder"):
        hub.load("owner/other")


def test_a_damaged_download_is_refused(repo: str) -> None:
    path = hub.fetch(repo, "fig2/iter_003/model.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with refused(path, "fetch it again"):
        hub.load(repo)


def test_an_unknown_revision_is_refused_offline(repo: str) -> None:
    with refused(repo):
        hub.load(repo, revision="v9")


@pytest.mark.parametrize(
    "source", ["", "name", "a/b/c", "owner/na me", "../name", "owner/", "o--w/name", "o/..", "a/b\n"]
)
def test_a_malformed_id_is_refused_before_any_request(repo: str, source: str) -> None:
    with refused():
        hub.load(source)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("LocalEntryNotFoundError", "go online once"), ("IncompleteSnapshotError", "go online once"),
        ("OfflineModeIsEnabled", "go online once"), ("RemoteEntryNotFoundError", "holds no index.json"),
        ("RevisionNotFoundError", "no revision 'v9'"), ("RepositoryNotFoundError", "no public Hub repo"),
        ("GatedRepoError", "no public Hub repo"), ("HfHubHTTPError", "try again later"),
        ("HFValidationError", "owner/name"),
    ],
)  # fmt: skip
def test_each_failure_of_the_hub_has_its_own_sentence(kind: str, words: str) -> None:
    failure = getattr(importlib.import_module("huggingface_hub.errors"), kind)
    sentence = _sentence(failure.__new__(failure), "owner/name", "index.json", "v9")
    assert words in sentence and "\n" not in sentence


def test_a_path_is_never_taken_for_a_repo(repo: str) -> None:
    with refused(repo.replace("/", os.sep), "no folder"):
        hub.load(Path(repo))


def test_the_shipped_folder_lies_beside_the_package() -> None:
    assert Path(__file__).parents[1] / "checkpoints" == hub.CHECKPOINTS
