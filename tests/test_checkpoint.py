"""A model and its file: what comes back, and everything that is refused in one sentence."""

import json
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from toolkit import hub
from toolkit.index import KEY, LARGEST_FILE, CheckpointError, facts
from toolkit.models import MODELS, create

TINY = {"filters": 4, "size": 16, "lr": 0.002}


@pytest.fixture
def model() -> nn.Module:
    return create("WTA", TINY, seed=1)


@pytest.fixture
def path(model: nn.Module, tmp_path: Path) -> Path:
    hub.save(model, tmp_path / "model.safetensors", experiment="fig2", iteration=3)
    return tmp_path / "model.safetensors"


@contextmanager
def refused(*words: object) -> Iterator[None]:
    """One sentence that names these things."""
    with pytest.raises(CheckpointError) as caught:
        yield
    said = str(caught.value)
    assert "\n" not in said
    assert all(str(word) in said for word in words), said


def forge(path: Path, tensors: dict[str, Tensor] | None = None, **changes: Any) -> None:
    """Rewrite a checkpoint with other tensors, or another entry in its header."""
    with safetensors.safe_open(path, "pt") as file:
        recipe = json.loads(file.metadata()[KEY]) | changes
    kept = safetensors.torch.load_file(path) if tensors is None else tensors
    safetensors.torch.save_file(kept, path, {KEY: json.dumps(recipe)})


def test_what_was_saved_comes_back_frozen_and_in_eval_mode(model: nn.Module, path: Path) -> None:
    loaded = hub.load_file(path)
    assert loaded.config == model.config
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)


def test_a_loaded_model_computes_what_the_saved_one_did(model: nn.Module, path: Path) -> None:
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(hub.load_file(path)(x), model(x))


def test_half_precision_halves_the_file_and_loads_as_float32(model: nn.Module, path: Path, tmp_path: Path) -> None:
    hub.save(model, tmp_path / "half.safetensors", half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.75 * path.stat().st_size
    for name, weight in hub.load_file(tmp_path / "half.safetensors").state_dict().items():
        assert torch.equal(weight, model.state_dict()[name].half().float())


def test_the_same_weights_and_facts_are_the_same_bytes(model: nn.Module, path: Path, tmp_path: Path) -> None:
    hub.save(hub.load_file(path), tmp_path / "again.safetensors", iteration=3, experiment="fig2")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_the_header_holds_one_metadata_key(path: Path) -> None:
    with safetensors.safe_open(path, "pt") as file:
        assert list(file.metadata()) == [KEY]


def test_facts_come_back_without_reading_the_weights(path: Path) -> None:
    length = struct.unpack("<Q", path.read_bytes()[:8])[0]
    path.write_bytes(path.read_bytes()[: 8 + length])
    assert facts(path) == {"experiment": "fig2", "iteration": 3}


def test_inspecting_tells_what_is_inside_and_json_can_say_it(path: Path) -> None:
    said = json.loads(json.dumps(hub.inspect(path)))
    assert (said["architecture"], said["config"]["filters"], said["facts"]["iteration"]) == ("WTA", 4, 3)
    assert said["parameters"] == sum(p.numel() for p in hub.load_file(path).parameters())
    assert (said["dtype"], said["bytes"], len(said["sha256"])) == ("float32", path.stat().st_size, 64)


def test_loading_leaves_the_global_random_state_alone(path: Path) -> None:
    before = torch.random.get_rng_state()
    hub.load_file(path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_saving_makes_missing_folders_and_leaves_nothing_else(model: nn.Module, tmp_path: Path) -> None:
    hub.save(model, tmp_path / "a" / "b" / "model.safetensors")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["model.safetensors"]


def test_a_failed_save_keeps_the_old_file_and_leaves_no_other(
    model: nn.Module, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with refused(path, "No space left on device"):
        hub.save(model, path, iteration=4)
    assert [p.read_bytes() for p in path.parent.iterdir()] == [before]


def test_a_folder_that_cannot_be_is_refused(model: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(tmp_path / "file" / "model.safetensors"):
        hub.save(model, tmp_path / "file" / "model.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_not_saved(model: nn.Module, tmp_path: Path, value: float) -> None:
    model.state_dict()["encoder.2.bias"][1] = value
    with refused("encoder.2.bias", "not finite"):
        hub.save(model, tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_weights_too_large_for_half_precision_are_not_saved_as_such(model: nn.Module, tmp_path: Path) -> None:
    model.state_dict()["encoder.2.bias"][1] = 1e6
    with refused("encoder.2.bias", "float16"):
        hub.save(model, tmp_path / "model.safetensors", half=True)


@pytest.mark.parametrize("fact", [float("nan"), {1, 2}, torch.zeros(1)])
def test_a_fact_that_json_cannot_say_is_refused(model: nn.Module, tmp_path: Path, fact: object) -> None:
    with refused("model.safetensors", "JSON"):
        hub.save(model, tmp_path / "model.safetensors", fact=fact)


def test_a_model_that_is_not_registered_is_not_saved(tmp_path: Path) -> None:
    with refused("Linear", "register"):
        hub.save(nn.Linear(1, 1), tmp_path / "model.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with refused(tmp_path / "none.safetensors"):
        hub.load_file(tmp_path / "none.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with refused(path, "fetch it again"):
        hub.load_file(path)


@pytest.mark.parametrize("padding", [b"\0", b"PK\3\4 and more"])
def test_a_padded_file_is_refused(path: Path, padding: bytes) -> None:
    path.write_bytes(path.read_bytes() + padding)
    with refused(path, "fetch it again"):
        hub.load_file(path)


def test_a_file_of_other_software_is_refused(model: nn.Module, path: Path) -> None:
    safetensors.torch.save_file({"weight": torch.zeros(2)}, path, {"format": "pt"})
    for read in (hub.load_file, facts, hub.inspect):
        with refused(path, "not a checkpoint of this toolkit"):
            read(path)


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


def test_a_file_larger_than_any_checkpoint_is_not_read(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(LARGEST_FILE + 1)  # sparse: takes no room
    with refused(path, f"{LARGEST_FILE:,}"):
        hub.load_file(path)


def test_a_header_larger_than_any_is_not_read(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**21) + b" " * 2**21)
    with refused(path):
        facts(path)


def test_a_header_nested_without_end_is_refused(path: Path) -> None:
    nested = b'{"__metadata__":' + b"[" * 200_000
    path.write_bytes(struct.pack("<Q", len(nested)) + nested)
    with refused(path):
        facts(path)


def test_an_unknown_architecture_is_refused(path: Path) -> None:
    forge(path, architecture="Oracle")
    with refused(path, "Oracle", "WTA"):
        hub.load_file(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    forge(path, schema=2)
    with refused(path, "schema 2", "upgrade"):
        hub.load_file(path)


@pytest.mark.parametrize("schema", [True, 1.0, "1", None, [1]])
def test_a_schema_is_a_whole_number(path: Path, schema: object) -> None:
    forge(path, schema=schema)
    with refused(path, f"schema {schema!r}"):
        hub.load_file(path)


@pytest.mark.parametrize(
    "change", [{"config": [1]}, {"config": []}, {"facts": None}, {"architecture": 7}, {"architecture": ["WTA"]}]
)
def test_a_damaged_header_is_refused(path: Path, change: dict[str, Any]) -> None:
    forge(path, **change)
    with refused(path, "damaged header"):
        hub.load_file(path)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("filtres", 4), ("filters", "4"), ("filters", 4.0), ("filters", True), ("filters", None), ("filters", [4]),
        ("lr", "0.1"), ("init", 3), ("init", "magic"), ("lifetime", 0), ("size", 3), ("depth", -1), ("filters", -1),
    ],
)  # fmt: skip
def test_a_config_that_builds_no_model_is_refused(path: Path, option: str, value: object) -> None:
    forge(path, config=TINY | {option: value})
    with refused(path):
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
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "claim"), GIANTS, ids=lambda value: str(value)[:40])
def test_a_header_that_claims_a_giant_is_refused_before_anything_is_built(
    name: str, config: dict[str, Any], claim: dict[str, Any], tmp_path: Path
) -> None:
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


def test_every_architecture_claims_a_giant_above() -> None:
    assert {name for name, *_ in GIANTS} == MODELS.keys()


def test_every_tensor_must_be_there(path: Path) -> None:
    tensors = safetensors.torch.load_file(path)
    del tensors["decoder.0.bias"]
    forge(path, tensors)
    with refused(path, "lacks", "decoder.0.bias"):
        hub.load_file(path)


def test_no_other_tensor_may_be_there(path: Path) -> None:
    forge(path, safetensors.torch.load_file(path) | {"extra": torch.zeros(1)})
    with refused(path, "beside", "extra"):
        hub.load_file(path)


def test_a_tensor_of_another_shape_is_refused(path: Path) -> None:
    forge(path, safetensors.torch.load_file(path) | {"decoder.0.bias": torch.zeros(1)})
    with refused(path, "decoder.0.bias", "(1,)", "(4,)"):
        hub.load_file(path)


def test_a_tensor_of_another_kind_is_refused(path: Path) -> None:
    forge(path, safetensors.torch.load_file(path) | {"decoder.0.bias": torch.zeros(4, dtype=torch.int64)})
    with refused(path, "decoder.0.bias", "int64"):
        hub.load_file(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_stored_weights_that_are_not_finite_are_refused(path: Path, value: float) -> None:
    forge(path, safetensors.torch.load_file(path) | {"decoder.0.bias": torch.full((4,), value)})
    with refused(path, "decoder.0.bias", "not finite"):
        hub.load_file(path)


def test_a_file_must_be_what_it_is_said_to_be(path: Path) -> None:
    assert hub.load_file(path, iteration=3)
    with refused(path, "iteration 3, not 4", "renamed"):
        hub.load_file(path, experiment="fig2", iteration=4)


@pytest.mark.parametrize("expected", [{"size": 5}, {"digest": "0" * 64}])
def test_size_and_checksum_must_agree(path: Path, expected: dict[str, Any]) -> None:
    with refused(path, "fetch it again"):
        hub.load_file(path, **expected)


@pytest.mark.parametrize("device", ["quantum", "", "cuda:99"])
def test_an_unknown_device_is_named(path: Path, device: str) -> None:
    with pytest.raises(ValueError, match=f"^device '{device}' [^\n]*$"):
        hub.load_file(path, device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a cuda device")
def test_cuda_is_refused_where_there_is_none(path: Path) -> None:
    with pytest.raises(ValueError, match="^device 'cuda' [^\n]*$"):
        hub.load_file(path, device="cuda")
