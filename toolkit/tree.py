"""A tree of checkpoints in a local folder or on the Hub: what it holds, and its files. Needs no torch.

index.json lists it, config.json says how an experiment was made and is sampled; `hub` loads the models.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .header import CheckpointError, strict_json
from .index import PLAIN, find, parse
from .options import checked
from .settings import Settings

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"  # the run that is shipped
REPO = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
OTHERS = {  # kinds that are no runs
    "decoder": "draw with `decode`",
    "kaleidoscope": "draw with `kaleidoscope`",
    "judge": "it names pictures and draws none",
}


def read_index(source: str | Path, revision: str | None = None) -> dict[str, Any]:
    """What a local folder or a Hub repo holds, as `toolkit.index` describes it.

    Raises CheckpointError for another schema, an incomplete entry, or a path that could leave the folder.
    """
    return parse(fetch(source, "index.json", revision))


def pinned(source: str | Path, revision: str | None = None) -> tuple[dict[str, Any], str | None]:
    """The index, and the commit that it is of, or None for a folder: the files it lists are to be fetched from there.

    Raises as `read_index` does.
    """
    listed = fetch(source, "index.json", revision)
    return parse(listed), None if folder_of(source) is not None else listed.parent.name


def settings(source: str | Path, experiment: str | None = None, revision: str | None = None) -> Settings:
    """How the images of an experiment are drawn, as its config.json says. Raises CheckpointError."""
    index, revision = pinned(source, revision)
    name = find(index, experiment)
    if (kind := index["experiments"][name].get("kind")) in OTHERS:
        raise CheckpointError(f"{name} is a {kind} and no run of iterations: {OTHERS[kind]}")
    path = fetch(source, index["experiments"][name]["config"], revision)
    try:
        return Settings(**checked("sampling", Settings, strict_json(path.read_bytes()).get("sampling", {})))
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} does not say how to sample ({error}): fetch it again") from error


def fetch(source: str | Path, relative_path: str, revision: str | None = None) -> Path:
    """Any file of the tree, as a path on this machine: local folders as they are, Hub repos through the local cache.

    What is cached is used without asking the Hub unless a revision is given. A folder that exists wins over a repo.
    Raises CheckpointError.
    """
    if not PLAIN.fullmatch(relative_path):
        raise CheckpointError(f"{relative_path!r} could leave its folder: give a plain path such as fig2/config.json")
    if (folder := folder_of(source)) is None:
        return _download(str(source), relative_path, revision)
    if not (path := folder / relative_path).is_file():
        advice = "write it with hub.write_index" if relative_path == "index.json" else "fetch the folder again"
        raise CheckpointError(f"the folder {folder} holds no {relative_path}: {advice}")
    return path


def folder_of(source: str | Path) -> Path | None:
    """The local folder a source names, or None for a Hub repo id."""
    if Path(source).is_dir():
        return Path(source)
    if isinstance(source, Path) or not REPO.fullmatch(source):
        raise CheckpointError(
            f"{str(source)!r} is no folder here and no Hub repo id: give a folder, a file or owner/name"
        )
    return None


def _download(repo: str, file: str, revision: str | None) -> Path:
    with plainly(repo, file, revision):
        import huggingface_hub as hf

        # An outage takes 23 seconds of retries to show, so what is there already is used first.
        if revision is None and isinstance(cached := hf.try_to_load_from_cache(repo, file), str):
            return Path(cached)
        return Path(hf.hf_hub_download(repo, file, revision=revision))


@contextmanager
def plainly(repo: str, file: str, revision: str | None = None) -> Iterator[None]:
    """Whatever the Hub's library raises within is a CheckpointError, one sentence for each class of its errors."""
    try:
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        raise CheckpointError(f"{repo} is on the Hub: pip install huggingface-hub, or give a local folder") from error
    failures: Any = (OSError, ValueError, *HfHubHTTPError.__bases__)  # its bases: what its HTTP library raises
    try:
        yield
    except CheckpointError:
        raise
    except failures as error:
        raise CheckpointError(_why(error, repo, file, revision)) from error


def _why(error: Exception, repo: str, file: str, revision: str | None) -> str:
    """The sentence for an error of the Hub's library: the first kind that fits, so their order matters."""
    from huggingface_hub import errors as e

    away = f"{file} of {repo} is not downloaded yet and the Hub is out of reach: go online once, or give a local folder"
    status = getattr(getattr(error, "response", None), "status_code", "no answer")
    advice = "log in anew with `hf auth login`, or try again later" if status in (401, 403) else "try again later"
    sentences = {
        e.HFValidationError: f"{repo!r} is no valid Hub repo id: give owner/name",
        e.LocalEntryNotFoundError: away,
        e.OfflineModeIsEnabled: away,
        e.EntryNotFoundError: f"{repo} holds no {file}: choose another experiment, iteration or revision",
        e.RevisionNotFoundError: f"{repo} has no revision {revision!r}: give a branch, tag or commit that it has",
        e.GatedRepoError: f"{repo} is no public Hub repo but a gated one: ask for access on its page, then log in "
        "with `hf auth login`",
        e.RepositoryNotFoundError: f"there is no folder and no public Hub repo {repo}: check the name",
        e.HfHubHTTPError: f"the Hub refused {file} of {repo} ({status}): {advice}",
    }
    kind = type(error).__name__
    unfinished = f"{file} of {repo} did not arrive whole ({kind}): try again, finished files are kept"
    unstored = f"{file} of {repo} could not be stored here ({kind}): free space and try again"
    other = unstored if getattr(error, "errno", None) else unfinished
    return next((sentence for known, sentence in sentences.items() if isinstance(error, known)), other)
