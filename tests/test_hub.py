"""Checkpoints of every kind, in a file, a folder and the Hub's cache: what is listed, loaded, and refused."""

import importlib
import json
import os
import pickle
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from toolkit import hub, index, plot, publish
from toolkit.hub import CheckpointError, Kaleidoscope, Run, Trained
from toolkit.index import KEY, LARGEST_FILE, facts
from toolkit.models import MODELS, Judge, create
from toolkit.samplers import Creative, Sampling, Statistics

TINY = {"filters": 4, "size": 16, "lr": 0.002}
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
    shutil.copytree(grown, cache / "snapshots" / COMMIT, ignore=shutil.ignore_patterns("iter_002", "iter_000", "fig12"))
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
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert all(str(word) in sentence for word in words), sentence


def is_of(model: nn.Module, iteration: int) -> bool:
    return torch.equal(next(model.parameters()), next(create("WTA", TINY, seed=iteration).parameters()))


def edit_index(tree: Path, at: int | None = 2, /, **changes: Any) -> None:
    """Change the index, or its entry of an iteration of fig2; None takes a key away."""
    stored = json.loads((tree / "index.json").read_text())
    part = stored if at is None else stored["experiments"]["fig2"]["iterations"][at]
    part.update(changes)
    for key in [key for key, value in changes.items() if value is None and key != "schema"]:
        del part[key]
    (tree / "index.json").write_text(json.dumps(stored))


def forge(path: Path, tensors: dict[str, Tensor] | None = None, **changes: Any) -> None:
    """Rewrite a checkpoint with other tensors, or another entry in its header."""
    with safetensors.safe_open(path, "pt") as file:
        header = json.loads(file.metadata()[KEY]) | changes
    kept = safetensors.torch.load_file(path) if tensors is None else tensors
    safetensors.torch.save_file(kept, path, {KEY: json.dumps(header)})


# ---- the index


def test_the_index_lists_every_iteration_with_size_and_checksum_and_the_data_as_iteration_0(tree: Path) -> None:
    listed = hub.read_index(tree)
    first, _, entry, _ = listed["experiments"]["fig2"]["iterations"]
    data = (tree / "fig2/iter_002/model.safetensors").read_bytes()
    assert entry == {
        "iteration": 2,
        "file": "fig2/iter_002/model.safetensors", "bytes": len(data), "sha256": sha256(data).hexdigest(),
        "samples": "fig2/iter_002/samples.png", "metrics": {"blank": 0, "ink": 0.2},
    }  # fmt: skip
    assert first == {"iteration": 0, "samples": "fig2/iter_000/samples.png", "metrics": {"blank": 0, "ink": 0.0}}
    assert list(listed["experiments"]) == ["fig2", "fig12"]  # as people count
    assert (listed["default"], listed["experiments"]["fig2"]["title"]) == ("fig2", "The fig2")


def test_an_iteration_may_be_there_as_a_sheet_only_and_must_not_be_there_as_nothing(tree: Path) -> None:
    (tree / "fig2" / "iter_002" / "model.safetensors").unlink()
    assert hub.write_index(tree)["experiments"]["fig2"]["iterations"][2].keys() == {"iteration", "samples", "metrics"}
    edit_index(tree, samples=None)
    with refused(tree / "index.json", "neither a model nor a sheet"):
        hub.read_index(tree)


def test_the_same_tree_gives_the_same_index_whatever_was_there(tree: Path) -> None:
    before = (tree / "index.json").read_bytes()
    (tree / "index.json").write_text("{}")
    (tree / "fig2" / "iter_004.partial").mkdir()
    (tree / "fig2" / "iter_004").mkdir()
    assert hub.write_index(tree) == hub.read_index(tree)
    assert (tree / "index.json").read_bytes() == before and before.endswith(b"}\n")
    assert hub.write_index(tree, default="fig12")["default"] == "fig12"


def test_a_tree_that_cannot_be_listed_is_refused(tree: Path, tmp_path: Path) -> None:
    with refused("fig99"):
        hub.write_index(tree, default="fig99")
    (tmp_path / "empty").mkdir()
    with refused(tmp_path / "empty", "config.json"):
        hub.write_index(tmp_path / "empty")
    (tree / "fig2/iter_001/metrics.json").write_text('{"ink": NaN}')
    with refused("metrics.json", "NaN"):
        hub.write_index(tree)
    (tree / "fig2/iter_001/metrics.json").unlink()
    (tree / "fig2" / "iter_003").rename(tree / "fig2" / "iter_007")
    with refused("iter_007", "renamed"):
        hub.write_index(tree)


NO_PATHS = [
    "../secret",
    "/etc/passwd",
    "fig2/../../x",
    "fig2//x",
    "C:\\x",
    "fig2\\x",
    ".hidden",
    "",
    "a/./b",
    "x\n",
    "é",
]
NO_NAMES = ["../fig2", "a/b", "", "fig 2"]
WRONG_ENTRIES: list[dict[str, Any]] = [
    {"file": None}, {"bytes": None}, {"sha256": None}, {"sha256": "abc"}, {"bytes": "5"}, {"iteration": "2"},
    {"iteration": 1}, {"iteration": -2}, {"iteration": None}, {"metrics": []}, {"file": 3}, {"samples": ["x"]},
    *({key: path} for key in ("file", "samples") for path in NO_PATHS),
]  # fmt: skip
WRONG_INDEXES: list[dict[str, Any]] = [
    {"default": "fig99"}, {"default": ["fig2"]}, {"experiments": []}, {"experiments": {}},
    *({"experiments": {name: None}} for name in NO_NAMES),
]  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"schema": NaN}', "[" * 100_000, "\udcff"])
def test_an_index_that_is_no_dictionary_is_refused(tree: Path, text: str) -> None:
    (tree / "index.json").write_bytes(text.encode(errors="surrogateescape"))
    with refused(tree / "index.json"):
        hub.read_index(tree)


@pytest.mark.parametrize("schema", [2, True, 1.0, "1", None, [1]])
def test_an_index_and_a_file_of_another_schema_are_refused(tree: Path, schema: object) -> None:
    path = tree / "fig2/iter_001/model.safetensors"
    forge(path, schema=schema)
    with refused(path, f"schema {schema!r}", "upgrade"):
        hub.load_file(path)
    edit_index(tree, None, schema=schema)
    with refused(tree / "index.json", f"schema {schema!r}", "upgrade"):
        hub.read_index(tree)


@pytest.mark.parametrize("change", WRONG_ENTRIES, ids=str)
def test_an_incomplete_entry_or_a_path_that_leaves_the_folder_is_refused(tree: Path, change: dict[str, Any]) -> None:
    edit_index(tree, **change)
    with refused(tree / "index.json", "write it again"):
        hub.read_index(tree)


@pytest.mark.parametrize("change", WRONG_INDEXES, ids=str)
def test_an_index_that_contradicts_itself_is_refused(tree: Path, change: dict[str, Any]) -> None:
    experiments = json.loads((tree / "index.json").read_text())["experiments"]
    if isinstance(named := change.get("experiments"), dict) and named:  # an experiment without a plain name
        change = {"experiments": experiments | dict.fromkeys(named, experiments["fig2"])}
    edit_index(tree, None, **change)
    with refused(tree / "index.json"):
        hub.read_index(tree)


# ---- a folder, and the Hub's cache without network


@pytest.mark.parametrize(("asked", "iteration"), [((), 3), (("fig2",), 3), (("fig2", 2), 2), (("fig12",), 1)])
def test_a_folder_gives_the_iteration_asked_for_or_its_last(tree: Path, asked: tuple[Any, ...], iteration: int) -> None:
    assert is_of(hub.load(tree, *asked), iteration)
    assert is_of(hub.load(str(tree), *asked), iteration)


def test_a_single_file_needs_no_index_and_must_be_what_it_is_said_to_be(tree: Path) -> None:
    (tree / "index.json").unlink()
    assert is_of(hub.load(tree / "fig2/iter_002/model.safetensors", iteration=2), 2)
    with refused("iteration 2, not 3", "renamed"):
        hub.load(tree / "fig2/iter_002/model.safetensors", iteration=3)


def test_what_is_not_there_is_named_with_what_is(tree: Path) -> None:
    with refused("fig99", "fig2", "fig12"):
        hub.load(tree, "fig99")
    with refused("no experiment 'gan-mnist'", "python -m toolkit diverge gan-mnist --out runs"):
        hub.load(tree, "gan-mnist")
    for iteration in (0, 4, -1):
        with refused("fig2", f"iteration {iteration}", "1 to 3"):
            hub.load(tree, "fig2", iteration)
    (tree / "fig2/iter_002/model.safetensors").unlink()
    with refused(tree, "fig2/iter_002/model.safetensors"):
        hub.load(tree, "fig2", 2)
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
    entry = hub.read_index(tree)["experiments"]["fig2"]["iterations"][1]
    edit_index(tree, **{key: entry[key] for key in ("file", "bytes", "sha256")})
    with refused("iteration 1, not 2", "renamed"):
        hub.load(tree, "fig2", 2)


@pytest.mark.parametrize("source", ["no/such/folder", Path("/nowhere/checkpoints"), "nowhere", Path("owner/name")])
def test_a_source_that_is_not_there_says_how_to_get_checkpoints(source: str | Path, tmp_path: Path) -> None:
    for missing in (source, tmp_path):  # a folder without an index, too
        with refused(missing, "toolkit pull OWNER/NAME --to FOLDER"):
            hub.load(missing)


def test_any_file_of_the_tree_can_be_fetched_and_none_outside(tree: Path) -> None:
    assert hub.fetch(tree, "fig2/config.json") == tree / "fig2/config.json"
    (tree.parent / "secret").write_text("")
    for path in ("../secret", str(tree.parent / "secret")):
        with refused("leave its folder"):
            hub.fetch(tree, path)


@pytest.mark.parametrize("device", ["quantum", "", "cuda:99"])
def test_an_unknown_device_is_refused_before_anything_is_fetched(tree: Path, device: str) -> None:
    for source in (tree / "nowhere", tree / "fig2/iter_001/model.safetensors"):
        with pytest.raises(ValueError, match=f"^device '{device}' [^\n]*$"):
            hub.load(source, device=device)


def test_what_the_cache_holds_needs_no_network(repo: str, tmp_path: Path) -> None:
    assert is_of(hub.load(repo), 3)
    assert is_of(hub.load(repo, "fig2", 1, revision=COMMIT), 1)
    assert hub.fetch(repo, "fig2/config.json").is_file()
    with refused(repo, "fig2/iter_002/model.safetensors", "go online once"):
        hub.load(repo, "fig2", 2)
    with refused("owner/other", "index.json", "local folder"):
        hub.load("owner/other")
    with refused(repo):
        hub.load(repo, revision="v9")
    path = hub.fetch(repo, "fig2/iter_003/model.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with refused(path, "fetch it again"):
        hub.load(repo)
    grow(tmp_path / repo, "own", 1)  # a local folder wins over a repo of the same name
    hub.write_index(tmp_path / repo)
    assert list(hub.read_index(repo)["experiments"]) == ["own"]


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
    with refused(words), index.hub_errors("owner/name", "index.json", "v9"):
        raise failure.__new__(failure)


# ---- a model and its file


@pytest.fixture
def model() -> nn.Module:
    return create("WTA", TINY, seed=1)


@pytest.fixture
def path(model: nn.Module, tmp_path: Path) -> Path:
    hub.save(model, tmp_path / "a" / "model.safetensors", experiment="fig2", iteration=3)
    return tmp_path / "a" / "model.safetensors"


def test_what_was_saved_comes_back_frozen_in_eval_mode_and_computes_the_same(model: nn.Module, path: Path) -> None:
    before = torch.random.get_rng_state()
    loaded = hub.load_file(path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert loaded.config == model.config and [each.name for each in path.parent.iterdir()] == ["model.safetensors"]
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert all(torch.equal(loaded.state_dict()[name], weight) for name, weight in model.state_dict().items())
    x = torch.rand(3, 1, 16, 16)
    assert torch.equal(loaded(x), model(x))


def test_half_precision_halves_the_file_and_loads_as_float32(model: nn.Module, path: Path, tmp_path: Path) -> None:
    hub.save(model, tmp_path / "half.safetensors", half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.75 * path.stat().st_size
    for name, weight in hub.load_file(tmp_path / "half.safetensors").state_dict().items():
        assert torch.equal(weight, model.state_dict()[name].half().float())


def test_the_same_weights_and_facts_are_the_same_bytes_with_one_metadata_key(path: Path, tmp_path: Path) -> None:
    hub.save(hub.load_file(path), tmp_path / "again.safetensors", iteration=3, experiment="fig2")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    with safetensors.safe_open(path, "pt") as file:
        assert list(file.metadata()) == [KEY]


def test_facts_are_read_without_the_weights_and_inspecting_lists_what_is_inside_as_json(path: Path) -> None:
    found = json.loads(json.dumps(hub.inspect(path)))
    assert (found["architecture"], found["config"]["filters"], found["facts"]["iteration"]) == ("WTA", 4, 3)
    assert found["parameters"] == sum(p.numel() for p in hub.load_file(path).parameters())
    assert (found["dtype"], found["bytes"], len(found["sha256"])) == ("float32", path.stat().st_size, 64)
    length = struct.unpack("<Q", path.read_bytes()[:8])[0]
    path.write_bytes(path.read_bytes()[: 8 + length])
    assert facts(path) == {"experiment": "fig2", "iteration": 3}


def test_a_failed_save_keeps_the_old_file_and_leaves_no_other(
    model: nn.Module, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with refused(path, "No space left on device"):
        hub.save(model, path, iteration=4)
    assert [each.read_bytes() for each in path.parent.iterdir()] == [before]


def test_what_cannot_be_saved_is_refused_and_leaves_nothing(model: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.safetensors"
    with refused("Linear", "register"):
        hub.save(nn.Linear(1, 1), path)
    for fact in (float("nan"), {1, 2}, torch.zeros(1)):
        with refused("model.safetensors", "JSON"):
            hub.save(model, path, fact=fact)
    for value, half, word in ((torch.nan, False, "not finite"), (-torch.inf, True, "not finite"), (1e6, True, "16")):
        model.state_dict()["encoder.2.bias"][1] = value
        with refused("encoder.2.bias", word):
            hub.save(model, path, half=half)
    assert not list(tmp_path.iterdir())
    (tmp_path / "new").write_text("")
    with refused(path):
        hub.save(create("WTA", TINY, seed=1), path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999, None])
@pytest.mark.parametrize("padding", [b"", b"\0", b"PK\3\4 and more"])
def test_a_truncated_or_padded_file_is_refused(path: Path, share: float | None, padding: bytes) -> None:
    data = path.read_bytes()
    changed = (data if share is None else data[: int(share * len(data))]) + padding
    path.write_bytes(changed)
    if changed != data:
        with refused(path, "fetch it again"):
            hub.load_file(path)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, wrapped: bool) -> None:
    path, exploded = tmp_path / "model.safetensors", tmp_path / "exploded"
    pickled = pickle.dumps(Bomb(exploded))
    path.write_bytes(pickled)
    if wrapped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/data.pkl", pickled)
    with refused(path, "pickle is never opened"):
        hub.load_file(path)
    assert not exploded.exists()


def test_a_file_of_other_software_and_one_that_is_missing_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for read in (hub.load_file, facts, hub.inspect):
        path.unlink(missing_ok=True)
        with refused(path):
            read(path)
        safetensors.torch.save_file({"weight": torch.zeros(2)}, path, {"format": "pt"})
        with refused(path, "not a checkpoint of this toolkit"):
            read(path)


def test_a_file_or_header_larger_than_any_or_nested_without_end_is_not_read(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(LARGEST_FILE + 1)  # sparse: takes no room
    with refused(path, f"{LARGEST_FILE:,}"):
        hub.load_file(path)
    nested = b'{"__metadata__":' + b"[" * 200_000
    for header in (struct.pack("<Q", 2**21) + b" " * 2**21, struct.pack("<Q", len(nested)) + nested):
        path.write_bytes(header)
        with refused(path):
            facts(path)


DAMAGED: list[tuple[dict[str, Any], list[str]]] = [
    *(({key: value}, ["damaged header"]) for key, value in (
        ("config", [1]), ("config", []), ("facts", None), ("architecture", 7), ("architecture", ["WTA"]))),
    ({"config": TINY | {"size": 3}}, ["3 pixels"]),
    *(({"config": TINY | {option: value}}, [option]) for option, value in (
        ("filtres", 4), ("filters", "4"), ("filters", 4.0), ("filters", True), ("filters", None), ("filters", [4]),
        ("lr", "0.1"), ("init", 3), ("init", "magic"), ("lifetime", 0), ("depth", -1), ("filters", -1))),
    ({"architecture": "Oracle"}, ["Oracle", "did you mean"]),
    *(({"tensors": {name: tensor}}, [name, *words]) for name, tensor, *words in (
        ("decoder.0.bias", None, "lacks"), ("extra", torch.zeros(1), "beside"),
        ("decoder.0.bias", torch.zeros(1), "(1,)", "(4,)"),
        ("decoder.0.bias", torch.zeros(4, dtype=torch.int64), "int64"),
        ("decoder.0.bias", torch.full((4,), torch.nan), "not finite"),
        ("decoder.0.bias", torch.full((4,), torch.inf), "not finite"))),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), DAMAGED, ids=lambda value: str(value)[:60])
def test_a_header_that_builds_no_model_or_a_tensor_that_does_not_fit_is_refused(
    path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    tensors = safetensors.torch.load_file(path) | changes.get("tensors", {})
    others = {key: value for key, value in changes.items() if key != "tensors"}
    forge(path, {name: tensor for name, tensor in tensors.items() if tensor is not None}, **others)
    with refused(path, *words):
        hub.load_file(path)


def test_a_whole_number_is_welcome_where_a_fraction_is_asked(path: Path) -> None:
    forge(path, config=TINY | {"lr": 1})
    config: Any = hub.load_file(path).config
    assert config.lr == 1


HUGE = 10**9
GIANTS = [
    ("WTA", {"filters": 4, "size": 16}, {"filters": HUGE}), ("WTA", {"filters": 4, "size": 16}, {"size": HUGE}),
    ("WTA", {"filters": 4, "size": 16}, {"depth": HUGE, "kernel": 1}),
    ("WTA", {"filters": 4, "size": 16}, {"depth": HUGE, "size": HUGE * HUGE}),
    ("ConvAE", {"filters": 4, "size": 16}, {"depth": HUGE, "kernel": 1, "decoder": "deep"}),
    ("ConvAE", {"filters": 4, "size": 16}, {"block": HUGE}),
    ("VAE", {"size": 4, "widths": [8], "z": 2}, {"widths": [HUGE, HUGE]}),
    ("VAE", {"size": 4, "widths": [8], "z": 2}, {"widths": [1] * 300_000}),
    ("VAE", {"size": 4, "widths": [8], "z": 2}, {"z": HUGE}),
    ("ConvVAE", {"size": 8, "filters": 4, "width": 8, "z": 2}, {"width": HUGE}),
    ("DCGAN", {"size": 8, "filters": 2, "z": 3}, {"size": 2**40}),
    ("DCGAN", {"size": 8, "filters": 2, "z": 3}, {"z": HUGE}),
    ("Manifold", {"size": 2, "depth": 2, "width": 8}, {"depth": HUGE}),
    ("Manifold", {"size": 2, "depth": 2, "width": 8}, {"width": HUGE, "depth": 1000}),
    ("Judge", {"size": 8, "filters": 2, "hidden": 4}, {"depth": HUGE}),
    ("Judge", {"size": 8, "filters": 2, "hidden": 4}, {"hidden": HUGE, "channels": HUGE}),
    ("StyleGAN", {"size": 8, "filters": 2, "z": 3}, {"z": HUGE}),
    ("StyleGAN", {"size": 8, "filters": 2, "z": 3}, {"size": 2**40}),
    ("CharRNN", {"hidden": 8}, {"hidden": HUGE}), ("CharRNN", {"hidden": 8}, {"depth": HUGE}),
    ("CharRNN", {"hidden": 8}, {"length": HUGE}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "claim"), GIANTS, ids=lambda value: str(value)[:40])
def test_a_header_that_claims_a_giant_is_refused_before_anything_is_built(
    name: str, config: dict[str, Any], claim: dict[str, Any], tmp_path: Path
) -> None:
    assert {each for each, *_ in GIANTS} == MODELS.keys()
    path = tmp_path / "model.safetensors"
    hub.save(create(name, config, seed=0), path)
    assert hub.load_file(path)
    forge(path, config=config | claim)
    tracemalloc.start()
    with refused(path, "its file holds"):
        hub.load_file(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30e6  # bytes: the header itself, of up to a megabyte, and its numbers


# ---- every kind of experiment

KINDS: dict[str, tuple[str, dict[str, Any]]] = {  # the model of each
    "iterations": ("WTA", {"filters": 4, "size": 16}),
    "words": ("CharRNN", {"hidden": 8}),
    "divergence": ("VAE", {"size": 4, "widths": [8], "z": 2}),
    "decoder": ("VAE", {"size": 4, "widths": [8], "z": 2}),
    "kaleidoscope": ("Manifold", {"size": 1, "depth": 2, "width": 8}),
    "judge": ("Judge", {"size": 8, "filters": 2, "hidden": 4}),
}
CONFIGS: dict[str, dict[str, Any]] = {
    "iterations": {"sampling": {"limit": 7, "finish": "tone", "tone": [0.0, 1.0]}},
    "words": {"experiment": {"name": "words", "title": "Words", "temperature": 0.5}},
    "divergence": {},
    "decoder": {"experiment": {"data": "mnist", "seed": 1}},
    "kaleidoscope": {"experiment": {"name": "kaleidoscope", "title": "Two points", "points": [[0.2], [0.8]]}},
    "judge": {},
}


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One experiment of each kind, called as its kind, each of two iterations."""
    folder = tmp_path_factory.mktemp("kinds")
    statistics = Statistics(1, 10, 0.0, "max", *torch.rand(4, 8), 1.0, torch.ones(8), torch.eye(8))
    how = Creative(gain=3.0, neurons=2)
    for kind, (name, config) in KINDS.items():
        for number in (1, 2):
            here = folder / kind / f"iter_{number:03d}"
            hub.save(create(name, config, seed=number), here / "model.safetensors", experiment=kind, iteration=number)
            (here / "samples.png").write_bytes(plot.png(torch.rand(100, 1, 16, 16), 10))
            if kind == "decoder":
                (here / "statistics.safetensors").write_bytes(hub.statistics_bytes({1: statistics}, how))
        (folder / kind / "config.json").write_text(json.dumps({"title": kind, "kind": kind, **CONFIGS[kind]}))
    hub.write_index(folder)
    return folder


@pytest.fixture
def kinds(all_kinds: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(all_kinds, tmp_path / "kinds"))


@pytest.mark.parametrize("kind", KINDS)
def test_one_function_loads_every_kind_by_default_the_last_iteration_or_the_first_training(
    kinds: Path, kind: str
) -> None:
    number = 2 if kind in ("iterations", "words", "divergence") else 1
    models = [hub.load(kinds, kind), hub.load(kinds, kind, number),
              hub.load(kinds / kind / f"iter_{number:03d}" / "model.safetensors")]  # fmt: skip
    assert {type(model).__name__ for model in models} == {KINDS[kind][0]}
    for weights in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(weights[0], weights[1]) and torch.equal(weights[0], weights[2])


def test_what_is_read_knows_how_it_is_sampled(kinds: Path) -> None:
    assert index.KINDS.keys() == KINDS.keys()
    run, words, step, decoder, k, classifier = (hub.read(kinds, kind) for kind in KINDS)
    assert isinstance(words, hub.Writer) and words.temperature == 0.5 and words.data == "words"
    assert isinstance(run, Run) and run.sampling == Sampling(limit=7, finish="tone", tone=(0.0, 1.0))
    assert isinstance(step, Run) and step.sampling == Sampling() and isinstance(classifier, Judge)
    assert isinstance(decoder, Trained) and decoder.data == "mnist" and decoder.how.gain == 3.0
    assert [*decoder.statistics] == [1] and isinstance(k, Kaleidoscope) and k.points is not None
    assert k.points.flatten().tolist() == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize("kind", KINDS)
def test_one_call_draws_from_any_checkpoint_an_image_a_seed_whatever_its_neighbours(kinds: Path, kind: str) -> None:
    if kind in ("judge", "words"):
        with refused("draws no images"):
            hub.draw(kinds, kind)
        return
    images = hub.draw(kinds, kind, 1, seeds=range(3))
    assert images.shape == (3, *hub.load(kinds, kind).image_shape) and 0 <= images.min() <= images.max() <= 1
    assert torch.allclose(hub.draw(kinds, kind, 1, seeds=[2]), images[2:], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_than_wanted_is_refused_with_those_of_it(kinds: Path, kind: str) -> None:
    other = "judge" if kind != "judge" else "decoder"
    with refused(repr(other), index.KINDS[kind], f"choose {kind}"):
        hub.read(kinds, other, kind=kind)
    with refused("trained decoder 'creative-celeba'", "python -m toolkit train creative-celeba --out runs"):
        hub.load_decoder(kinds, "creative-celeba")


def test_a_kind_of_a_later_version_still_loads_and_is_not_read(kinds: Path) -> None:
    (kinds / "judge" / "config.json").write_text('{"kind": "oracle"}')
    hub.write_index(kinds)
    assert hub.load(kinds, "judge", 1)
    with refused("oracle", "upgrade"):
        hub.read(kinds, "judge")


@pytest.mark.parametrize("kind", ["kaleidoscope", "judge", "words"])
def test_a_model_of_another_kind_than_its_experiment_says_is_refused(kinds: Path, kind: str) -> None:
    path = kinds / kind / "iter_001/model.safetensors"
    hub.save(create(*KINDS["decoder"], seed=1), path, experiment=kind, iteration=1)
    hub.write_index(kinds)
    with refused(kind, "holds a VAE"):
        hub.read(kinds, kind, 1)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', '{"experiment": NaN}', '{"sampling": 1e999}', "\xff"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_config_that_is_no_json_object_is_one_sentence_for_every_kind(kinds: Path, kind: str, text: str) -> None:
    (kinds / kind / "config.json").write_text(text, encoding="latin-1")
    with refused(kinds / kind / "config.json", "JSON"):
        hub.read(kinds, kind)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    *(("iterations", {"sampling": value}, "sampling") for value in (None, 3, [], "x", [1])),
    *(("iterations", {"sampling": {"tone": t}}, "tone") for t in ([None, 1], [[1], [2]], ["a", "b"], 3, None)),
    *(("divergence", {"sampling": {name: "x"}}, name) for name in ("tol", "limit", "ink", "salt", "stop")),
    *(("iterations", {"sampling": s}, word) for s, word in (({"limit": 0}, "limit"), ({"magic": 1}, "magic"))),
    *(("decoder", {"experiment": value}, "experiment") for value in ([], None, 3, {"data": 3}, {"data": ["x"]})),
    *(("kaleidoscope", {"experiment": value}, "experiment") for value in ([], None, 3, "x", {})),
    *(
        ("kaleidoscope", {"experiment": CONFIGS["kaleidoscope"]["experiment"] | {key: value}}, word)
        for key, value, word in (
            ("points", "x", "points"), ("points", [["a"]], "experiment"), ("points", [None, 1], "experiment"),
            ("runs", "x", "runs"), ("runs", 0, "runs"), ("mode", "magic", "mode"), ("perturbation", 2, "perturbation"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "word"), WRONG, ids=str)
def test_wrong_types_in_a_config_name_file_and_field(kinds: Path, kind: str, config: dict[str, Any], word: str) -> None:
    (kinds / kind / "config.json").write_text(json.dumps({"title": kind, "kind": kind, **config}))
    for read in (hub.read, *([hub.sampling] if kind in ("iterations", "divergence") else [])):
        with refused(kinds / kind / "config.json", word):
            read(kinds, kind)


SCALARS = {"count": 10, "threshold": 0.0, "pool": "max", "spread": 1.0}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"facts": {"1": SCALARS | {"threshold": "x"}}}, "threshold"),
        ({"facts": {"1": SCALARS | {"count": 1.5}}}, "count"),
        ({"facts": {"1": SCALARS | {"pool": "magic"}}}, "pool"), ({"facts": {"1": SCALARS | {"more": 1}}}, "more"),
        ({"facts": {"1": {}}}, "count"), ({"facts": {"1": None}}, "layer 1"), ({"facts": {"x": SCALARS}}, "x"),
        ({"facts": {"2": SCALARS}}, "2"), ({"facts": {"-1": SCALARS}}, "-1"), ({"facts": {}}, "statistics"),
        ({"facts": []}, "facts"), ({"config": []}, "config"), ({"config": {"gain": "x"}}, "gain"),
        ({"config": {"method": "magic"}}, "method"), ({"schema": True}, "schema True"), ({"schema": 1.0}, "schema 1.0"),
        ({"architecture": "VAE"}, "no statistics"), ({"architecture": None}, "architecture"),
        ({"tensors": {"1.std": torch.ones(7)}}, "std of layer 1 has 7"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_damaged_statistics_are_one_sentence(kinds: Path, changes: dict[str, Any], word: str) -> None:
    path = kinds / "decoder" / "iter_001" / "statistics.safetensors"
    others = changes.get("tensors", {})
    forge(path, safetensors.torch.load_file(path) | others, **{k: v for k, v in changes.items() if k != "tensors"})
    hub.write_index(kinds)
    with refused("decoder", word):
        hub.read(kinds, "decoder")


# ---- how often a file is hashed


@pytest.fixture
def hashed(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all that is hashed from now on; the files of `kinds` have lain there for a minute."""
    for path in kinds.rglob("*.safetensors"):
        then = path.stat().st_mtime_ns - 60 * 10**9
        os.utime(path, ns=(then, then))
    lengths: list[int] = []

    def counting(data: bytes) -> Any:
        lengths.append(len(data))
        return sha256(data)

    monkeypatch.setattr(index, "sha256", counting)
    return lengths


def test_a_file_is_hashed_once_until_it_changes(kinds: Path, hashed: list[int]) -> None:
    before = hub.write_index(kinds)
    assert len(hashed) == 14  # two models of six kinds, and two statistics
    hashed.clear()
    assert hub.write_index(kinds) == before
    assert hub.load(kinds, "judge", 2) and hub.read(kinds, "decoder")
    assert hashed == []
    path = kinds / "iterations" / "iter_002" / "model.safetensors"
    hub.save(create(*KINDS["iterations"], seed=9), path, experiment="iterations", iteration=2)
    assert hub.write_index(kinds) != before
    assert hashed == [path.stat().st_size]


def test_a_file_that_changed_a_moment_ago_is_hashed_again_though_its_time_is_the_same(
    kinds: Path, hashed: list[int]
) -> None:
    path = kinds / "judge" / "iter_001" / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data)
    time = path.stat().st_mtime_ns
    first = index.digest(path)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(path, ns=(time, time))
    assert index.digest(path) != first and len(hashed) == 2


def test_what_is_pushed_is_hashed_once(kinds: Path, tmp_path: Path, hashed: list[int]) -> None:
    api = SimpleNamespace(
        create_repo=lambda *args, **options: None, upload_folder=lambda **options: SimpleNamespace(oid=COMMIT)
    )
    publish.stage(kinds, tmp_path / "staged", "owner/name")
    assert publish.upload(tmp_path / "staged", "owner/name", api) == COMMIT
    assert hub.load(tmp_path / "staged", "judge", 1) and hub.load(tmp_path / "staged", "iterations", 2)
    assert len(hashed) == 14
