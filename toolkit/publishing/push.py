"""Push: a tree of checkpoints as it is published, first written to a folder in full, then uploaded in one go."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..header import CheckpointError, write
from ..index import parse, write_index
from ..runs.table import summary
from ..store import to_json
from ..tree import REPO, plainly
from .card import card
from .preview import preview

OF_EXPERIMENT = ("config.json", "metrics.json", "report.json", "judged.json", "map.json", "map.png", "contact.png",
                 "preview.png")  # fmt: skip
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "notebook.ipynb"
EXAMPLE = "OWNER/that-are-not-checkpoints"  # the repo that it draws from, as it is written
OF_ITERATION = ("model.safetensors", "statistics.safetensors", "samples.png", "metrics.json")


def stage(source: Path, target: Path, repo: str, licence: str = "mit") -> dict[str, int]:
    """Write to `target` what is published of a tree, and say it: the bytes of each file. Needs no network.

    That is: of every experiment the files that a run leaves (`OF_EXPERIMENT`, `OF_ITERATION`) and no others; a preview
    if there is none; the table of measures; the index; the model card; and, of a copy of the whole repository, the
    notebook that the Hub opens for "Use this model", drawing from this repo.
    Raises CheckpointError for a malformed repo id, a source without experiments, one whose index does not match its
    files, or a target that is not empty; what a failure leaves in the target is incomplete.
    """
    if not REPO.fullmatch(repo):
        raise CheckpointError(f"{repo!r} is no valid Hub repo id: give owner/name")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CheckpointError(f"{target} is not empty: give a new folder")
    if not (found := list(_known(source))):
        raise CheckpointError(f"the folder {source} holds no EXPERIMENT/config.json: give the folder of your runs")
    for path in found:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    index = _agreeing(source, target)
    for name, experiment in index["experiments"].items():
        _complete(target, name, experiment)
    write(target / "README.md", card(target, repo, licence).encode())
    if NOTEBOOK.exists():
        write(target / NOTEBOOK.name, NOTEBOOK.read_text(encoding="utf-8").replace(EXAMPLE, repo).encode())
    return {path.relative_to(target).as_posix(): path.stat().st_size for path in sorted(target.rglob("*.*"))}


def upload(staged: Path, repo: str, api: Any = None, *, private: bool = False) -> str:
    """Upload what was staged, and say the commit, 40 hexadecimal digits. The repo is made if there is none.

    What the Hub has already is not sent again: after an interruption the same call goes on. The token is the one of
    `hf auth login` or HF_TOKEN. api: a huggingface_hub.HfApi. Raises CheckpointError for every failure of the Hub.
    """
    with plainly(repo, "the upload"):
        from huggingface_hub import HfApi
        from huggingface_hub.errors import LocalTokenNotFoundError, RepositoryNotFoundError

        api = api or HfApi(library_name="that-are-not", library_version=__version__)
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo, folder_path=staged, commit_message=f"Upload with That Are Not {__version__}"
            )
        except (RepositoryNotFoundError, LocalTokenNotFoundError) as error:
            raise CheckpointError(
                f"the Hub does not let you write to {repo}: log in with `hf auth login` and a token that may write"
            ) from error
        return str(commit.oid)


def _known(source: Path) -> Iterator[Path]:
    for config in sorted(source.glob("[!.]*/config.json")):
        yield from (path for name in OF_EXPERIMENT if (path := config.with_name(name)).is_file())
        for folder in sorted(config.parent.glob("iter_[0-9][0-9][0-9]")):
            yield from (path for name in OF_ITERATION if (path := folder / name).is_file())


def _agreeing(source: Path, target: Path) -> dict[str, Any]:
    """The index of the copies, once it is that of their source too."""
    found = write_index(target)
    if not (listed := source / "index.json").exists():
        return found
    told = parse(listed)
    if fault := _difference(told["experiments"], found["experiments"]):
        raise CheckpointError(
            f"{listed} does not match its files ({fault}): bring them back, or delete it to have it written anew"
        )
    return write_index(target, told["default"])


def _difference(told: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The first thing that two indexes say differently, or nothing."""
    for name in dict.fromkeys([*told, *found]):
        if name not in told or name not in found:
            return f"{name} is {'listed and not there' if name in told else 'there and not listed'}"
        one, other = ({entry["iteration"]: entry for entry in index[name]["iterations"]} for index in (told, found))
        for number in sorted({*one, *other}):
            a, b = one.get(number, {}), other.get(number, {})
            if odd := sorted(key for key in {*a, *b} if a.get(key) != b.get(key)):
                return f"{name}, iteration {number}: {', '.join(odd)}"
        if told[name] != found[name]:
            return f"the title or kind of {name}"
    return ""


def _complete(target: Path, name: str, experiment: Mapping[str, Any]) -> None:
    """What an experiment of the index lacks beside its files: the preview, and the table of a run."""
    rows = [{"iteration": e["iteration"], **e["metrics"]} for e in experiment["iterations"] if "metrics" in e]
    if experiment["kind"] == "iterations" and rows:
        write(target / name / "metrics.json", to_json(summary(rows)))
    if not (path := target / name / "preview.png").exists() and (picture := preview(target, experiment)):
        write(path, picture)
