"""Experiments of every kind: what each loads as, that damage is one sentence, and how often a file is hashed."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from tests.test_hub import refused
from tests.test_push import Receiver
from toolkit import hub, index, plot, publish
from toolkit.hub import READERS, Kaleidoscope, Run, Trained
from toolkit.models import Judge, create
from toolkit.samplers import Creative, Sampling, Statistics

MODELS: dict[str, tuple[str, dict[str, Any]]] = {  # by kind
    "iterations": ("WTA", {"filters": 4, "size": 16}),
    "divergence": ("VAE", {"size": 4, "widths": [8], "z": 2}),
    "decoder": ("VAE", {"size": 4, "widths": [8], "z": 2}),
    "kaleidoscope": ("Manifold", {"size": 1, "depth": 2, "width": 8}),
    "judge": ("Judge", {"size": 8, "filters": 2, "hidden": 4}),
}
SAYS: dict[str, dict[str, Any]] = {
    "iterations": {"sampling": {"limit": 7, "finish": "tone", "tone": [0.0, 1.0]}},
    "divergence": {},
    "decoder": {"experiment": {"data": "mnist"}},
    "kaleidoscope": {"experiment": {"name": "kaleidoscope", "title": "Two points", "points": [[0.2], [0.8]]}},
    "judge": {},
}


def statistics() -> Statistics:
    return Statistics(1, 10, 0.0, "max", *torch.rand(4, 8), 1.0, torch.ones(8), torch.eye(8))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One experiment of each kind, called as its kind, each of two iterations."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, (name, config) in MODELS.items():
        for number in (1, 2):
            here = folder / kind / f"iter_{number:03d}"
            hub.save(create(name, config, seed=number), here / "model.safetensors", experiment=kind, iteration=number)
            (here / "samples.png").write_bytes(plot.png(torch.rand(100, 1, 16, 16), 10))
            if kind == "decoder":
                hub.write_statistics(here / "statistics.safetensors", {1: statistics()}, Creative(gain=3.0))
        (folder / kind / "config.json").write_text(json.dumps({"title": kind, "kind": kind, **SAYS[kind]}))
    hub.write_index(folder)
    return folder


@pytest.fixture
def tree(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "tree"))


def forge(path: Path, **changes: Any) -> None:
    """Change what the header of a file says, and bring the index of its tree up to date."""
    with safetensors.safe_open(path, "pt") as file:
        said = json.loads(file.metadata()[index.KEY]) | changes
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, {index.KEY: json.dumps(said)})
    hub.write_index(path.parents[2])


# ---- what comes back


def test_every_kind_has_a_reader_and_a_name() -> None:
    assert READERS.keys() == index.KINDS.keys() == MODELS.keys()


@pytest.mark.parametrize("kind", MODELS)
def test_one_function_loads_every_kind_from_a_tree_and_from_a_file(tree: Path, kind: str) -> None:
    first = hub.load(tree, kind, 1)
    alone = hub.load(tree / kind / "iter_001" / "model.safetensors")
    assert type(first).__name__ == type(alone).__name__ == MODELS[kind][0]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), alone.parameters(), strict=True))


@pytest.mark.parametrize(("kind", "number"), [(k, 2 if k in ("iterations", "divergence") else 1) for k in MODELS])
def test_the_last_iteration_is_the_default_and_the_first_of_several_trainings(
    tree: Path, kind: str, number: int
) -> None:
    found, wanted = hub.load(tree, kind), hub.load(tree, kind, number)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), wanted.parameters(), strict=True))


def test_what_is_read_knows_how_it_is_sampled(tree: Path) -> None:
    run, step, decoder, k, judge = (hub.read(tree, kind) for kind in MODELS)
    assert isinstance(run, Run) and run.sampling == Sampling(limit=7, finish="tone", tone=(0.0, 1.0))
    assert isinstance(step, Run) and step.sampling == Sampling()
    assert isinstance(decoder, Trained) and (decoder.data, decoder.how, [*decoder.statistics]) == (
        "mnist",
        Creative(gain=3.0),
        [1],
    )
    assert (
        isinstance(k, Kaleidoscope)
        and k.points is not None
        and k.points.flatten().tolist() == pytest.approx([0.2, 0.8])
    )
    assert isinstance(judge, Judge)


@pytest.mark.parametrize("kind", MODELS)
def test_another_kind_than_wanted_is_refused_with_those_of_it(tree: Path, kind: str) -> None:
    other = "judge" if kind != "judge" else "decoder"
    with refused(repr(other), index.KINDS[kind], f"choose {kind}"):
        hub.read(tree, other, kind=kind)


def test_a_kind_of_a_later_version_still_loads_and_is_not_read(tree: Path) -> None:
    (tree / "judge" / "config.json").write_text('{"kind": "oracle"}')
    hub.write_index(tree)
    assert hub.load(tree, "judge", 1)
    with refused("oracle", "upgrade"):
        hub.read(tree, "judge")


@pytest.mark.parametrize("kind", ["kaleidoscope", "judge"])
def test_a_model_of_another_kind_than_its_experiment_says_is_refused(tree: Path, kind: str) -> None:
    hub.save(
        create(*MODELS["decoder"], seed=1), tree / kind / "iter_001/model.safetensors", experiment=kind, iteration=1
    )
    hub.write_index(tree)
    with refused(kind, "holds a VAE"):
        hub.read(tree, kind)


# ---- damage


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', '{"experiment": NaN}', '{"sampling": 1e999}', "\xff"]
)
@pytest.mark.parametrize("kind", MODELS)
def test_a_config_that_is_no_json_object_is_one_sentence_for_every_kind(tree: Path, kind: str, text: str) -> None:
    (tree / kind / "config.json").write_text(text, encoding="latin-1")
    with refused(tree / kind / "config.json", "JSON"):
        hub.read(tree, kind)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    *(("iterations", {"sampling": value}, "sampling") for value in (None, 3, [], "x", [1])),
    *(("iterations", {"sampling": {"tone": t}}, "tone") for t in ([None, 1], [[1], [2]], ["a", "b"], 3, None)),
    *(("divergence", {"sampling": {name: "x"}}, name) for name in ("tol", "limit", "ink", "salt", "stop")),
    *(("iterations", {"sampling": s}, word) for s, word in (({"limit": 0}, "limit"), ({"magic": 1}, "magic"))),
    *(("decoder", {"experiment": value}, "experiment") for value in ([], None, 3, {"data": 3}, {"data": ["x"]})),
    *(("kaleidoscope", {"experiment": value}, "experiment") for value in ([], None, 3, "x", {})),
    *(
        ("kaleidoscope", {"experiment": SAYS["kaleidoscope"]["experiment"] | {key: value}}, word)
        for key, value, word in (
            ("points", "x", "points"), ("points", [["a"]], "experiment"), ("points", [None, 1], "experiment"),
            ("runs", "x", "runs"), ("runs", 0, "runs"), ("mode", "magic", "mode"), ("perturbation", 2, "perturbation"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "says", "word"), WRONG, ids=str)
def test_wrong_types_in_a_config_name_file_and_field(tree: Path, kind: str, says: dict[str, Any], word: str) -> None:
    (tree / kind / "config.json").write_text(json.dumps({"title": kind, "kind": kind, **says}))
    with refused(tree / kind / "config.json", word):
        hub.read(tree, kind)
    if kind in ("iterations", "divergence"):
        with refused(tree / kind / "config.json", word):
            hub.sampling(tree, kind)


PLAIN = {"count": 10, "threshold": 0.0, "pool": "max", "spread": 1.0}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"facts": {"1": PLAIN | {"threshold": "x"}}}, "threshold"),
        ({"facts": {"1": PLAIN | {"count": 1.5}}}, "count"),
        ({"facts": {"1": PLAIN | {"pool": "magic"}}}, "pool"), ({"facts": {"1": PLAIN | {"more": 1}}}, "more"),
        ({"facts": {"1": {}}}, "count"), ({"facts": {"1": None}}, "layer 1"), ({"facts": {"x": PLAIN}}, "x"),
        ({"facts": {"2": PLAIN}}, "2"), ({"facts": {"-1": PLAIN}}, "-1"), ({"facts": {}}, "statistics"),
        ({"facts": []}, "facts"), ({"config": []}, "config"), ({"config": {"gain": "x"}}, "gain"),
        ({"config": {"method": "magic"}}, "method"), ({"schema": True}, "schema True"), ({"schema": 1.0}, "schema 1.0"),
        ({"architecture": "VAE"}, "no statistics"), ({"architecture": None}, "architecture"),
    ],
    ids=str,
)  # fmt: skip
def test_damaged_statistics_are_one_sentence(tree: Path, changes: dict[str, Any], word: str) -> None:
    forge(tree / "decoder" / "iter_001" / "statistics.safetensors", **changes)
    with refused("decoder", word):
        hub.read(tree, "decoder")


def test_statistics_whose_tensors_do_not_fit_are_one_sentence(tree: Path) -> None:
    path = tree / "decoder" / "iter_001" / "statistics.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors | {"1.std": torch.ones(7)}, path, metadata)
    hub.write_index(tree)
    with refused(path, "std of layer 1 has 7"):
        hub.read(tree, "decoder")


@pytest.mark.parametrize("schema", [True, 1.0, "1", None])
def test_the_schema_of_an_index_is_a_whole_number(tree: Path, schema: object) -> None:
    said = json.loads((tree / "index.json").read_text()) | {"schema": schema}
    (tree / "index.json").write_text(json.dumps(said))
    with refused(tree / "index.json", f"schema {schema!r}"):
        hub.read_index(tree)


@pytest.mark.parametrize("source", ["no/such/folder", Path("/nowhere/checkpoints"), "nowhere"])
def test_a_source_that_is_not_there_says_how_to_get_checkpoints(source: str | Path) -> None:
    with refused(source, "toolkit pull OWNER/NAME --to FOLDER"):
        hub.load(source)


def test_a_folder_without_an_index_says_how_to_get_checkpoints(tmp_path: Path) -> None:
    with refused(tmp_path, "toolkit pull OWNER/NAME --to FOLDER"):
        hub.load(tmp_path)


# ---- how often a file is hashed


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all that is hashed from now on."""
    lengths: list[int] = []

    def counting(data: bytes) -> Any:
        lengths.append(len(data))
        return sha256(data)

    monkeypatch.setattr(index, "sha256", counting)
    return lengths


def age(tree: Path) -> None:
    """Let all files have lain there for a minute."""
    for path in tree.rglob("*.safetensors"):
        then = path.stat().st_mtime_ns - 60 * 10**9
        os.utime(path, ns=(then, then))


def test_a_file_is_hashed_once_until_it_changes(tree: Path, hashed: list[int]) -> None:
    age(tree)
    before = hub.write_index(tree)
    assert len(hashed) == 12  # two models of five kinds, and two statistics
    hashed.clear()
    assert hub.write_index(tree) == before
    assert hub.load(tree, "judge", 2) and hub.read(tree, "decoder")
    assert hashed == []
    path = tree / "iterations" / "iter_002" / "model.safetensors"
    hub.save(create(*MODELS["iterations"], seed=9), path, experiment="iterations", iteration=2)
    assert hub.write_index(tree) != before
    assert hashed == [path.stat().st_size]


def test_a_file_that_changed_a_moment_ago_is_hashed_again_though_its_time_is_the_same(
    tree: Path, hashed: list[int]
) -> None:
    path = tree / "judge" / "iter_001" / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data)
    time = path.stat().st_mtime_ns
    first = index.digest(path)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(path, ns=(time, time))
    assert index.digest(path) != first and len(hashed) == 2


def test_what_is_pushed_is_hashed_once(tree: Path, tmp_path: Path, hashed: list[int]) -> None:
    age(tree)
    publish.stage(tree, tmp_path / "staged", "owner/name")
    publish.upload(tmp_path / "staged", "owner/name", Receiver())
    assert hub.load(tmp_path / "staged", "judge", 1) and hub.load(tmp_path / "staged", "iterations", 2)
    assert len(hashed) == 12
