"""What is published of a folder of runs: its known files and no others, agreeing with its index, in one upload."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.test_hub import grow, refused
from toolkit import cli, hub, plot
from toolkit.publish import EXAMPLE, stage, upload

COMMIT = "3" * 40


def paint(folder: Path) -> None:
    """Sheets as a run leaves them, ten symbols a row, where `grow` left words."""
    for path in folder.glob("*/*/samples.png"):
        path.write_bytes(plot.png(torch.rand(100, 1, 16, 16), 10))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pushed")
    grow(folder, "fig12", 1)
    grow(folder, "fig2", 3)
    paint(folder)
    hub.write_index(folder, "fig12")
    return folder


@pytest.fixture
def tree(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "tree"))


class Receiver:
    """What `upload` asks of huggingface_hub.HfApi."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.got: set[str] = set()

    def create_repo(self, repo: str, **options: Any) -> None:
        self.made.append((repo, options))

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> Any:
        if self.failure:
            raise self.failure
        self.got = {path.relative_to(folder_path).as_posix() for path in Path(folder_path).rglob("*") if path.is_file()}
        return SimpleNamespace(oid=COMMIT)


def test_what_is_staged_loads_and_has_index_card_table_and_previews(tree: Path, tmp_path: Path) -> None:
    files = stage(tree, tmp_path / "staged", "owner/name")
    assert {"README.md", "index.json", "fig2/preview.png", "fig2/metrics.json", "fig12/config.json"} <= files.keys()
    assert hub.read_index(tmp_path / "staged") == hub.read_index(tree)
    assert hub.load(tmp_path / "staged", "fig2", 2).config.filters == 4
    assert json.loads((tmp_path / "staged/fig2/metrics.json").read_text())["rank_correlation"]["ink"] == 1


def test_the_notebook_that_the_hub_opens_draws_from_the_repo_it_is_in(tree: Path, tmp_path: Path) -> None:
    assert "notebook.ipynb" in stage(tree, tmp_path / "staged", "owner/name")
    text = (tmp_path / "staged" / "notebook.ipynb").read_text(encoding="utf-8")
    assert 'REPO = \\"owner/name\\"' in text and EXAMPLE not in text
    json.loads(text)


def test_nothing_but_the_known_files_of_a_tree_is_published(tree: Path, tmp_path: Path) -> None:
    strangers = [
        "secret.txt", ".env", "README.md", "fig2/notes.md", "fig2/iter_002/said.npy", "fig2/.cache/config.json",
        "fig2/iter_004.partial/model.safetensors", ".hidden/config.json", "pools/labels.sqlite", "fig2/model.pt",
    ]  # fmt: skip
    before = stage(tree, tmp_path / "before", "owner/name")
    for name in strangers:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("{}")
    assert stage(tree, tmp_path / "staged", "owner/name") == before
    assert (tmp_path / "staged/README.md").read_text() != "{}"


def test_all_that_was_staged_is_uploaded_and_the_commit_is_said(tree: Path, tmp_path: Path) -> None:
    files, receiver = stage(tree, tmp_path / "staged", "owner/name"), Receiver()
    assert upload(tmp_path / "staged", "owner/name", receiver) == COMMIT
    assert receiver.got == files.keys() and receiver.made == [("owner/name", {"private": False, "exist_ok": True})]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda tree: (tree / "fig2/iter_002/model.safetensors").unlink(), ("fig2, iteration 2", "sha256")),
        (lambda tree: (tree / "fig2/iter_002/metrics.json").write_text('{"ink": 9}'), ("fig2, iteration 2", "metrics")),
        (lambda tree: (tree / "fig2/iter_000/samples.png").unlink(), ("fig2, iteration 0", "samples")),
        (lambda tree: (tree / "fig2/config.json").write_text('{"title": "Other"}'), ("title", "fig2")),
        (lambda tree: shutil.rmtree(tree / "fig12"), ("fig12", "listed and not there")),
        (lambda tree: (grow(tree, "fig3", 1), paint(tree)), ("fig3", "there and not listed")),
        (lambda tree: shutil.copy(tree / "fig2/iter_003/model.safetensors", tree / "fig2/iter_002/"), ("renamed",)),
    ],
)
def test_a_tree_whose_index_does_not_match_its_files_is_refused(
    tree: Path, tmp_path: Path, harm: Any, words: tuple[str, ...]
) -> None:
    harm(tree)
    with refused(*words):
        stage(tree, tmp_path / "staged", "owner/name")


def test_a_tree_without_an_index_gets_one(tree: Path, tmp_path: Path) -> None:
    (tree / "index.json").unlink()
    assert "index.json" in stage(tree, tmp_path / "staged", "owner/name")


def test_what_is_no_tree_no_id_or_no_new_folder_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with refused(tmp_path / "empty", "config.json"):
        stage(tmp_path / "empty", tmp_path / "staged", "owner/name")
    with refused("name", "owner/name"):
        stage(tree, tmp_path / "staged", "name")
    with refused(tree, "not empty"):
        stage(tree, tree, "owner/name")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("RepositoryNotFoundError", "hf auth login"), ("LocalTokenNotFoundError", "hf auth login"),
        ("OfflineModeIsEnabled", "out of reach"), ("HfHubHTTPError", "refused the upload"),
    ],
)  # fmt: skip
def test_each_failure_of_an_upload_is_a_sentence(tree: Path, kind: str, words: str) -> None:
    from huggingface_hub import errors

    failure = getattr(errors, kind)
    with refused("owner/name", words):
        upload(tree, "owner/name", Receiver(failure.__new__(failure)))


def test_without_network_an_upload_says_so(tree: Path) -> None:
    with refused("owner/name", "out of reach"):
        upload(tree, "owner/name")


def test_a_dry_run_writes_all_that_it_would_upload(tree: Path, tmp_path: Path, capsys: Any) -> None:
    argv = ["push", "owner/name", "--from", str(tree), "--dry-run"]
    assert cli.main([*argv, str(tmp_path / "card")]) == 0
    out = capsys.readouterr().out
    written = {path.relative_to(tmp_path / "card").as_posix() for path in (tmp_path / "card").rglob("*.*")}
    assert "would upload" in out and all(f"  {name}\n" in out for name in written)
    assert cli.main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"].keys() == written


def test_what_was_pushed_can_be_pushed_again(tree: Path, tmp_path: Path) -> None:
    first = stage(tree, tmp_path / "first", "owner/name")
    assert stage(tmp_path / "first", tmp_path / "second", "owner/name") == first
