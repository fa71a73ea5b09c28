"""Pull: one iteration of a Hub repo is one model file, into the Hub's cache or beside the runs in a folder of yours.

A pull asks the Hub once, for its index; the commit of that index is what all else is taken from. A full commit that is
cached needs no request. A finished file is never fetched again.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..header import CheckpointError
from ..index import choose, parse
from ..tree import REPO, plainly

AT_ONCE = 8  # files; each small, so that most of their time is spent on the way to the Hub and back
OnBytes = Callable[[str, int], object]  # of which file, how many


@dataclass(frozen=True)
class File:
    """A file of a repo. size (bytes) and digest (sha256) are as the index says; of small files it says nothing."""

    path: str
    size: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be pulled: of which commit, which experiment, its entries in the index, and their files."""

    repo: str
    commit: str
    experiment: str
    default: str  # the experiment that the repo shows first
    entries: Sequence[dict[str, Any]]
    files: Sequence[File]


def plan(
    repo: str,
    experiment: str | None = None,
    iterations: Sequence[int] | None = None,
    *,
    revision: str | None = None,
    sheets: bool = False,
) -> Plan:
    """Which files are to be pulled; downloads the index and nothing else.

    experiment: by default the repo's own choice. iterations: by default all; of a range those that there are.
    revision: a branch, tag or commit; main by default, as it is now. sheets: pictures too, and iterations of which
    there is nothing else; a cache can do without, for what shows them fetches them.
    Raises CheckpointError, one sentence, for what is not there, lists what is, and for every failure of the Hub.
    """
    if not REPO.fullmatch(repo):
        raise CheckpointError(f"{repo!r} is no valid Hub repo id: give owner/name")
    listed = Path(_download(repo, File("index.json"), revision or "main"))
    index = parse(listed)
    name, _ = choose(index, experiment)
    entries = _chosen(index, name, iterations, sheets)
    chosen = index["experiments"][name]
    whole = [File(chosen[key]) for key in ("config", *(["map"] if sheets else [])) if key in chosen]
    files = [*whole, *(file for e in entries for file in _files(e, sheets))]
    return Plan(repo, listed.parent.name, name, index["default"], entries, files)


def missing(plan: Plan) -> dict[str, int]:
    """Those of its models that are not in the Hub's cache, with their bytes. Asks nobody."""
    from huggingface_hub import try_to_load_from_cache as look

    absent = [file for file in plan.files if not isinstance(look(plan.repo, file.path, revision=plan.commit), str)]
    return {file.path: file.size for file in absent if file.size is not None}


def foreseen(plan: Plan) -> dict[str, tuple[int, bool]]:
    """What a pull would do: of each file its bytes, and whether it would be fetched. Raises CheckpointError.

    One request for each file that is not cached.
    """
    told = _each(lambda file: _download(plan.repo, file, plan.commit, dry_run=True), plan.files)
    return {file.path: (it.file_size, it.will_download) for file, it in zip(plan.files, told, strict=True)}


def pull(plan: Plan, on_bytes: OnBytes = lambda path, count: None) -> dict[str, Path]:
    """Fetch what is not cached, check it, and say where it is: the path of each file, by its path in the repo.

    on_bytes(path, count): so many bytes of a file came in, in the thread that fetches it.
    Stop it whenever you like: what is finished stays. Raises CheckpointError for every failure of the Hub, and for a
    file that is not what the index says; it is fetched a second time before, and not kept.
    """
    paths = _each(lambda file: _checked(plan, file, _bar(file, on_bytes)), plan.files)
    return dict(zip([file.path for file in plan.files], paths, strict=True))


def _each(work: Callable[[File], Any], files: Sequence[File]) -> list[Any]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            return list(pool.map(work, files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the first failure is enough
            raise


def _chosen(index: dict[str, Any], name: str, numbers: Sequence[int] | None, sheets: bool) -> list[dict[str, Any]]:
    listed = index["experiments"][name]["iterations"]
    if numbers is not None and not isinstance(numbers, range):
        return [choose(index, name, number)[1] for number in sorted(set(numbers))]
    found = [e for e in listed if "file" in e or (sheets and ("samples" in e or e["iteration"] == 0))]
    found = [entry for entry in found if numbers is None or entry["iteration"] in numbers]
    return found or [choose(index, name, min(numbers or [0]))[1]]  # raises, listing what there is


def _files(entry: dict[str, Any], sheets: bool) -> list[File]:
    stored = [part for part in (entry, entry.get("statistics", {})) if "file" in part]
    files = [File(part["file"], part["bytes"], part["sha256"]) for part in stored]
    return files + ([File(entry["samples"])] if sheets and "samples" in entry else [])


def _checked(plan: Plan, file: File, bar: type["tqdm[Any]"]) -> Path:
    for _ in range(2):  # what the cache held may have been damaged since
        path = Path(_download(plan.repo, file, plan.commit, tqdm_class=bar))
        if file.digest is None or _intact(path, file):
            return path
        for copy in {path.resolve(), path}:
            copy.unlink(missing_ok=True)
    raise CheckpointError(
        f"{file.path} of {plan.repo} has another sha256 than its index says, twice: it was not kept, give a --revision "
        "before it was changed, or tell its owner"
    )


def _intact(path: Path, file: File) -> bool:
    return path.stat().st_size == file.size and sha256(path.read_bytes()).hexdigest() == file.digest


def _download(repo: str, file: File, revision: str, **options: Any) -> Any:
    """The path of a file, as text; or, of a dry run, the Hub's library's word on it."""
    with plainly(repo, file.path, revision):
        from huggingface_hub import hf_hub_download

        return hf_hub_download(repo, file.path, revision=revision, **options)


def _bar(file: File, on_bytes: OnBytes) -> type["tqdm[Any]"]:
    """What the Hub's library takes for the bar of one file: it draws nothing and passes on what it is told."""

    class Bar(tqdm):  # type: ignore[misc]  # untyped
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(disable=True)

        def update(self, n: float | None = 1) -> None:
            on_bytes(file.path, int(n or 0))

        def update_transfer(self, n: float | None = 1) -> None:
            """Bytes on the wire, which are counted once they are written."""

        def set_transfer_postfix_str(self, text: str, refresh: bool = False) -> None:
            """The rate on the wire."""

    return Bar
