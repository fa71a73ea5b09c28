"""The index of a tree of checkpoints, the headers of its files, and how both are fetched. Needs no torch.

{"schema": 1, "default": NAME, "experiments": {NAME: {"title", "kind", "config", "iterations": [{"iteration", "file",
"bytes", "sha256", "samples", "metrics"}, ...]}}}, paths relative to it. Iteration 0 is the data itself and has no file;
others may be there as sheets only. kind: one of `KINDS`. A decoder has "statistics" of its neurons, {"file", "bytes",
"sha256"}. An experiment may have a "map" of its sheets. config.json says how an experiment was made and is sampled.

The header of a .safetensors file holds a single metadata key, because the order of several varies from process to
process: the same weights and facts are the same bytes, and a checksum over the file means something.
"""

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import uuid4

from .config import SamplingSettings, checked, offer

SCHEMA = CHECKPOINT_SCHEMA = 1  # of index.json, and of a file's header
KEY = "that-are-not"  # the metadata key of a header
LARGEST_INDEX = 2**24  # bytes
LARGEST_FILE = 2**28  # bytes; the published autoencoder has 6.6 million
LARGEST_HEADER = 2**20  # bytes
CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"  # the run that is shipped
PLAIN = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)  # a path that cannot leave its folder
REPO = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
GET = "`python -m toolkit pull OWNER/NAME --to FOLDER` fetches checkpoints from the Hub"
KALEIDOSCOPE_KIND, JUDGE_KIND = "kaleidoscope", "judge"
KINDS = {  # of an experiment; what one is called, and what its iterations are
    "iterations": ("run of iterations", "learned one after the other"),
    "divergence": ("divergence", "steps of one training"),
    "decoder": ("trained decoder", "trainings, each from another seed"),
    KALEIDOSCOPE_KIND: ("kaleidoscopic network", "trainings, each from another seed"),
    JUDGE_KIND: ("judge", "trainings, each from another seed"),
}
T = TypeVar("T")


class CheckpointError(ValueError):
    """A checkpoint, index or source that cannot be used: one sentence that names it and says what would do."""


# ---- what an index lists


def find(index: Mapping[str, Any], experiment: str | None = None) -> str:
    """An experiment's name, by default the index's own choice. Raises CheckpointError, listing what there is."""
    name = index["default"] if experiment is None else experiment
    if name not in index["experiments"]:
        raise CheckpointError(f"there is no experiment {name!r}: {offer(name, index['experiments'])}")
    return str(name)


def choose(
    index: Mapping[str, Any], experiment: str | None = None, iteration: int | None = None
) -> tuple[str, dict[str, Any]]:
    """An experiment of the index, and its entry for an iteration with a model: by default the last, or first training.

    Raises CheckpointError, listing what there is.
    """
    name = find(index, experiment)
    entries = {entry["iteration"]: entry for entry in index["experiments"][name]["iterations"] if "file" in entry}
    _, made = KINDS.get(index["experiments"][name].get("kind", ""), ("", ""))
    default = min if made.startswith("trainings") else max
    wanted = default(entries, default=None) if iteration is None else iteration
    if wanted not in entries:
        which = "" if wanted is None else f" of iteration {wanted!r}"
        why = " (iteration 0 is the data itself)" if wanted == 0 else ""
        raise CheckpointError(f"{name} has no model{which}{why}: choose {_list(entries)}")
    return name, dict(entries[wanted])


def of_kind(index: Mapping[str, Any], kind: str) -> list[str]:
    """The experiments of an index that are of a kind, and have a model."""
    experiments = index["experiments"].items()
    return [name for name, it in experiments if it.get("kind") == kind and any("file" in e for e in it["iterations"])]


def read_index(source: str | Path, revision: str | None = None) -> dict[str, Any]:
    """What a local folder or a Hub repo holds.

    Raises CheckpointError for another schema, an incomplete entry, or a path that could leave the folder.
    """
    return parse(fetch(source, "index.json", revision))


def pinned(source: str | Path, revision: str | None = None) -> tuple[dict[str, Any], str | None]:
    """The index, and the commit that it is of, or None for a folder: the files it lists are to be fetched from there.

    Raises as `read_index` does.
    """
    listed = fetch(source, "index.json", revision)
    return parse(listed), None if folder_of(source) is not None else listed.parent.name


def parse(path: Path) -> dict[str, Any]:
    """The content of one index.json, checked. Raises CheckpointError."""
    index = read_json(path)
    _check(path, index)
    return index


def write_index(folder: str | Path, default: str | None = None) -> dict[str, Any]:
    """List the tree on disk in its index.json: the same tree gives the same bytes.

    folder: EXPERIMENT/config.json and EXPERIMENT/iter_NNN/{model.safetensors, samples.png, metrics.json} in it. An
    iteration after 0 counts if it has its model or its sheet. default: the experiment shown first, else the first by
    name.
    Raises CheckpointError if a model says it is of another experiment or iteration than its folder.
    """
    folder = Path(folder)
    names = sorted((path.parent.name for path in folder.glob("*/config.json")), key=_natural)
    if not names or default not in (None, *names):
        missing = "holds no EXPERIMENT/config.json" if default is None else f"holds no experiment {default!r}"
        raise CheckpointError(f"the folder {folder} {missing}: give the folder that a run was written to")
    experiments = {name: _experiment(folder / name) for name in names}
    index = {"schema": SCHEMA, "default": default or names[0], "experiments": experiments}
    _check(folder / "index.json", index)
    write_file(folder / "index.json", (json.dumps(index, indent=2, allow_nan=False) + "\n").encode())
    return index


def _experiment(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "config.json")
    title, kind = str(config.get("title", folder.name)), str(config.get("kind", "iterations"))
    entries = (_entry(path) for path in sorted(folder.glob("iter_[0-9][0-9][0-9]")))
    listed = [entry for entry in entries if {"file", "samples"} & {*entry} or entry["iteration"] == 0]
    drawn = {"map": f"{folder.name}/map.json"} if (folder / "map.json").is_file() else {}
    return {"title": title, "kind": kind, "config": f"{folder.name}/config.json", **drawn, "iterations": listed}


def _entry(folder: Path) -> dict[str, Any]:
    experiment, number = folder.parent.name, int(folder.name[-3:])
    entry: dict[str, Any] = {"iteration": number}
    if number and (path := folder / "model.safetensors").is_file():
        said = facts(path)
        if (said.get("experiment"), said.get("iteration")) != (experiment, number):
            raise CheckpointError(f"{path} was renamed: it says it is {said}, move it back")
        entry |= _file(path)
        if (path := folder / "statistics.safetensors").is_file():
            entry["statistics"] = _file(path)
    if (path := folder / "samples.png").is_file():
        entry["samples"] = _inner(path)
    if (path := folder / "metrics.json").is_file():
        entry["metrics"] = dict(sorted(read_json(path).items()))
    return entry


def _file(path: Path) -> dict[str, Any]:
    return {"file": _inner(path), "bytes": path.stat().st_size, "sha256": digest(path)}


def _inner(path: Path) -> str:
    return "/".join(path.parts[-3:])


def _check(path: Path, index: dict[str, Any]) -> None:
    check_schema(path, index.get("schema"), SCHEMA)
    try:
        fault = _fault(index)
    except (KeyError, TypeError, AttributeError) as error:
        fault = f"an entry is missing or of the wrong kind ({str(error)[:60]})"
    if fault:
        raise CheckpointError(f"{path} cannot be trusted, {fault}: write it again with hub.write_index")


def _fault(index: dict[str, Any]) -> str:
    """What is wrong with an index of the right schema, or nothing."""
    if index["default"] not in index["experiments"]:
        return "its default is none of its experiments"
    for name, experiment in index["experiments"].items():
        entries = experiment["iterations"]
        numbers = [entry["iteration"] for entry in entries]
        files = [entry for entry in entries if {"file", "bytes", "sha256"} & {*entry}]
        files += [entry["statistics"] for entry in entries if "statistics" in entry]
        held = [e[key] for e in [*entries, *files] for key in ("file", "samples") if key in e]
        paths = [name, experiment["config"], experiment.get("map", name), *held]
        if odd := [path for path in paths if not PLAIN.fullmatch(path)] or ([name] if "/" in name else []):
            return f"the path {odd[0]!r:.80} could leave its folder"
        if any(not {"file", "samples"} & {*entry} for entry in entries if entry["iteration"] != 0):
            return f"an iteration of {name} has neither a model nor a sheet"
        if not all(type(number) is int and number >= 0 for number in numbers) or sorted(set(numbers)) != numbers:
            return f"the iterations of {name} are not in order"
        if not all(type(e["bytes"]) is int and re.fullmatch("[0-9a-f]{64}", e["sha256"]) and e["file"] for e in files):
            return f"a file of {name} lacks its size or sha256"
        if not {type(experiment["title"]), type(experiment.get("kind", ""))} <= {str} or not all(
            isinstance(e.get("metrics", {}), dict) for e in entries
        ):
            return f"the title, kind or metrics of {name} are of the wrong kind"
    return ""


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _list(numbers: Iterable[int]) -> str:
    """1 to 20, or 1, 5, 10."""
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered)) or "another experiment"


# ---- reading and writing files: everything that comes from elsewhere is checked here


def strict_json(text: str | bytes) -> Any:
    """JSON without NaN and infinity. Raises ValueError for anything else, however deeply nested."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    def finite(text: str) -> float:
        if math.isinf(value := float(text)):
            raise ValueError(f"{text} is too large")
        return value

    try:
        return json.loads(text, parse_constant=refuse, parse_float=finite)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises CheckpointError."""
    try:
        if path.stat().st_size > LARGEST_INDEX:
            raise ValueError(f"over {LARGEST_INDEX:,} bytes")
        content = strict_json(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("no dictionary")
    except (OSError, ValueError) as error:
        why = str(error)[:100]
        raise CheckpointError(f"{path} is not readable as JSON ({why}): write or fetch it again") from error
    return content


def section(path: Path, content: Mapping[str, Any], key: str, settings: Callable[..., T]) -> T:
    """The object under a key of a file's content as a dataclass: every option known, of its type, and in its range.

    Raises CheckpointError that names the file, the key and the option.
    """
    try:
        if not isinstance(values := content.get(key, {}), dict):
            raise ValueError(f"it is {values!r:.60} and no object")
        return settings(**checked(key, settings, values))
    except (ValueError, TypeError, ArithmeticError) as error:
        why = re.sub(r"\s+", " ", str(error))[:200]
        raise CheckpointError(f"{path} is damaged in {key!r} ({why}): fetch it again") from error


def check_schema(path: Path, found: object, known: int) -> None:
    """Raise CheckpointError unless a file has the schema that this version reads; true and 1.0 are not 1."""
    if type(found) is not int or found != known:
        raise CheckpointError(f"{path} has schema {found!r:.40} and this version reads {known}: upgrade the toolkit")


def facts(path: str | Path) -> dict[str, Any]:
    """How the model in a file was made, as given to `save`. Reads the header alone. Raises CheckpointError."""
    path = Path(path)
    size = size_of(path)
    with path.open("rb") as file:
        said: dict[str, Any] = recipe(path, file, size)["facts"]
    return said


def recipe(path: Path, file: BinaryIO, size: int) -> dict[str, Any]:
    """What an open file of `size` bytes says in its header: schema, architecture, config, facts. Or CheckpointError."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise CheckpointError(f"{path} is cut short or no safetensors file (a pickle is never opened): fetch it again")
    try:
        text = strict_json(file.read(length))["__metadata__"][KEY]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of this toolkit: give a file that hub.save wrote") from error
    try:
        said = dict(strict_json(text))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path} has a damaged header, no object: delete it and fetch it again") from error
    if "schema" in said:
        check_schema(path, said["schema"], CHECKPOINT_SCHEMA)
    for key, kind in {"schema": int, "architecture": str, "config": dict, "facts": dict}.items():
        if not isinstance(said.get(key), kind):
            raise CheckpointError(f"{path} has a damaged header, its {key!r}: delete it and fetch it again")
    return said


def size_of(path: Path) -> int:
    """Its bytes. Raises CheckpointError if there is no such file or it is larger than any checkpoint."""
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}: give the path of a .safetensors checkpoint, or {GET}")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise CheckpointError(
            f"{path} has {size:,} bytes, and no checkpoint is over {LARGEST_FILE:,}: give another file"
        )
    return size


_digests: dict[tuple[Any, ...], str] = {}  # of files by path, inode, size and time of change
SETTLED = 50_000_000  # nanoseconds; a file that changed within them may change again and bear the same time


def digest(path: Path, data: bytes | None = None) -> str:
    """The sha256 of a file, hexadecimal; computed once until the file changes. data: its bytes, if they are read.

    It is remembered by this process and not in index.json, whose bytes follow from the tree alone: a time of change
    would differ with every copy of it.
    """
    it = path.stat()
    key = (os.path.realpath(path), it.st_ino, it.st_size, it.st_mtime_ns)
    if key not in _digests:
        found = sha256(path.read_bytes() if data is None else data).hexdigest()
        if time.time_ns() - it.st_mtime_ns < SETTLED:
            return found
        _digests[key] = found
    return _digests[key]


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises CheckpointError."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}): free space or choose another folder"
        ) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write under another name, to the disk, then rename; make its folder. May raise OSError, leaves no rest."""
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


# ---- sources: folders and Hub repos


def config(
    source: str | Path, index: Mapping[str, Any], name: str, revision: str | None
) -> tuple[Path, dict[str, Any]]:
    """The config.json of an experiment of an index, and what it says. Raises CheckpointError."""
    path = fetch(source, index["experiments"][name]["config"], revision)
    return path, read_json(path)


def settings(source: str | Path, experiment: str | None = None, revision: str | None = None) -> SamplingSettings:
    """How the images of an experiment are drawn, as its config.json says. Raises CheckpointError."""
    index, revision = pinned(source, revision)
    name = find(index, experiment)
    if (kind := index["experiments"][name].get("kind", "iterations")) not in ("iterations", "divergence"):
        raise CheckpointError(f"{name} is a {kind} and no run of iterations: load it with hub.read")
    return section(*config(source, index, name, revision), "sampling", SamplingSettings)


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
        advice = f"write it with hub.write_index, or {GET}" if relative_path == "index.json" else "fetch it again"
        raise CheckpointError(f"the folder {folder} holds no {relative_path}: {advice}")
    return path


def folder_of(source: str | Path) -> Path | None:
    """The local folder a source names, or None for a Hub repo id."""
    if Path(source).is_dir():
        return Path(source)
    if isinstance(source, Path) or not REPO.fullmatch(source):
        raise CheckpointError(
            f"{str(source)!r} is no folder here and no Hub repo id: give a folder, a file or owner/name; {GET}"
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
def plainly(repo: str, file: str | Callable[[], str], revision: str | None = None) -> Iterator[None]:
    """Whatever the Hub's library raises within is a CheckpointError, one sentence for each class of its errors.

    file: what was asked for, or a function that says it once something failed.
    """
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
        named = file if isinstance(file, str) else file()
        raise CheckpointError(_why(error, repo, named, revision)) from error


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
        e.DryRunError: away,
        e.EntryNotFoundError: f"{repo} holds no {file}: choose another experiment, iteration or revision",
        e.RevisionNotFoundError: f"{repo} has no revision {revision!r}: give a branch, tag or commit that it has",
        e.GatedRepoError: f"{repo} is no public Hub repo but a gated one: ask for access on its page, then log in "
        "with `hf auth login`",
        e.RepositoryNotFoundError: f"there is no folder and no public Hub repo {repo}: check the name; {GET}",
        e.HfHubHTTPError: f"the Hub refused {file} of {repo} ({status}): {advice}",
    }
    kind = type(error).__name__
    unfinished = f"{file} of {repo} did not arrive whole ({kind}): try again, finished files are kept"
    unstored = f"{file} of {repo} could not be stored here ({kind}): free space and try again"
    other = unstored if getattr(error, "errno", None) else unfinished
    return next((sentence for known, sentence in sentences.items() if isinstance(error, known)), other)
