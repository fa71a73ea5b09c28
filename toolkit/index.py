"""The index of a tree of checkpoints, file headers, and fetching from folders and Hub repos.

index.json: {"schema": 1, "default": NAME, "experiments": {NAME: {"title", "kind", "config", "iterations":
[{"iteration", "file", "bytes", "sha256", "samples", "metrics"}, ...]}}}, paths relative to it. Iteration 0 is the data
and has no file; an iteration may have samples only: a sheet, or of words a text. kind: a key of `KINDS`. A decoder has
"statistics" of its neurons, {"file", "bytes", "sha256"}; an experiment may have a "map" of its sheets. config.json
holds the settings of training and sampling.

Apart from `hub` because it must not import torch: the command line and the page's first paint need nothing else.
"""

import json
import math
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import uuid4

from .config import SamplingSettings, checked, offer
from .presets import PRESETS

MODEL, SHEET, METRICS, ROWS_FILE = "model.safetensors", "samples.png", "metrics.json", "rows.npz"  # of an iteration
STATE, STATISTICS, TEXTS = "optimiser.safetensors", "statistics.safetensors", "samples.txt"
SCHEMA = 1  # of index.json, and of a file's header
KEY = "that-are-not"  # a header's only metadata key: the order of several varies, and the checksum with it
LARGEST_INDEX, LARGEST_HEADER, LARGEST_FILE = 2**24, 2**20, 2**28  # bytes; the published autoencoder has 6.6 million
CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"  # those of the repository; a wheel has none
PLAIN = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)  # a path that cannot leave its folder
REPO = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
GET = "`python -m toolkit pull OWNER/NAME --to FOLDER` fetches checkpoints from the Hub"
NONE_HERE = (
    "no checkpoints came with this installation: fetch some with `python -m toolkit pull OWNER/NAME --to runs` or make "
    "some with `python -m toolkit train PRESET --out runs`, then give that folder (in a command: --from runs)"
)
KINDS = {  # of experiments, and what one is called
    "iterations": "run of iterations", "words": "run of words", "divergence": "divergence",
    "decoder": "trained decoder", "kaleidoscope": "kaleidoscopic network", "judge": "classifier",
}  # fmt: skip
SEVERAL = ("decoder", "kaleidoscope", "judge")  # kinds whose iterations are trainings, each from another seed
T = TypeVar("T")


class CheckpointError(ValueError):
    """A checkpoint, index or source that cannot be used: one sentence that names it and says what would do."""


# ---- the index


def find(index: Mapping[str, Any], experiment: str | None = None) -> str:
    """An experiment's name, by default the index's own. Raises CheckpointError that lists those there are."""
    name = index["default"] if experiment is None else experiment
    if name not in index["experiments"]:
        raise unknown("experiment", name, index["experiments"])
    return str(name)


def unknown(kind: str, name: object, known: Collection[str]) -> CheckpointError:
    """The error for an experiment that a source does not hold; of a preset it says how to train it."""
    how = ""
    if preset := PRESETS.get(str(name)):
        command = "diverge" if preset.kind == "divergence" else "train"
        how = f"train it with `python -m toolkit {command} {name} --out runs`, or "
    choices = offer(name, known) if len(known) > 1 else f"choose {' '.join(known) or 'another source'}"
    return CheckpointError(f"there is no {kind} {name!r}: {how}{choices}")


def choose(
    index: Mapping[str, Any], experiment: str | None = None, iteration: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The name of an experiment and its entry for an iteration with a model, by default the last or first training.

    Raises CheckpointError that lists what there is.
    """
    name = find(index, experiment)
    entries = {entry["iteration"]: entry for entry in index["experiments"][name]["iterations"] if "file" in entry}
    default = min if index["experiments"][name].get("kind") in SEVERAL else max
    wanted = default(entries, default=None) if iteration is None else iteration
    if wanted not in entries:
        which = "" if wanted is None else f" of iteration {wanted!r}"
        why = " (iteration 0 is the data itself)" if wanted == 0 else ""
        there = sorted(entries)
        choices = ", ".join(map(str, there)) or "another experiment"
        if len(there) > 2 and there == list(range(there[0], there[-1] + 1)):
            choices = f"{there[0]} to {there[-1]}"
        raise CheckpointError(f"{name} has no model{which}{why}: choose {choices}")
    return name, dict(entries[wanted])


def of_kind(index: Mapping[str, Any], kind: str) -> list[str]:
    """The experiments of a kind that have a model."""
    experiments = index["experiments"].items()
    return [name for name, it in experiments if it.get("kind") == kind and any("file" in e for e in it["iterations"])]


def read_index(source: str | Path, revision: str | None = None) -> dict[str, Any]:
    """The index of a folder or Hub repo, checked. Raises CheckpointError."""
    return pinned(source, revision)[0]


def pinned(source: str | Path, revision: str | None = None) -> tuple[dict[str, Any], str | None]:
    """The index, and its commit (None of a folder), from which its files are to be fetched. Raises as `read_index`."""
    path = fetch(source, "index.json", revision)
    return parse(path), None if folder_of(source) is not None else path.parent.name


def parse(path: Path) -> dict[str, Any]:
    """The content of one index.json.

    Raises CheckpointError for another schema, an incomplete entry, or a path that could leave the folder.
    """
    index = read_json(path)
    _check(path, index)
    return index


def write_index(folder: str | Path, default: str | None = None) -> dict[str, Any]:
    """List FOLDER/EXPERIMENT/iter_NNN/{model.safetensors, samples.png or .txt, metrics.json} in its index.json.

    The same tree gives the same bytes. An iteration after 0 counts if it has its model or its sheet. default: the
    experiment that is shown first, else the first by name.
    Raises CheckpointError for a model whose header names another experiment or iteration than its folder.
    """
    folder = Path(folder)
    names = [path.parent.name for path in folder.glob("*/config.json")]
    names.sort(key=lambda name: [(int(x), "") if x.isdecimal() else (-1, x) for x in re.split(r"(\d+)", name)])
    if not names or default not in (None, *names):
        missing = "holds no EXPERIMENT/config.json" if default is None else f"holds no experiment {default!r}"
        raise CheckpointError(f"the folder {folder} {missing}: give the folder that a run was written to")
    experiments = {name: _experiment(folder / name) for name in names}  # fig2 before fig12
    index = {"schema": SCHEMA, "default": default or names[0], "experiments": experiments}
    _check(folder / "index.json", index)
    write_file(folder / "index.json", (json.dumps(index, indent=2, allow_nan=False) + "\n").encode())
    return index


def _experiment(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "config.json")
    entries = (_entry(path) for path in sorted(folder.glob("iter_[0-9][0-9][0-9]")))
    return {
        "title": str(config.get("title", folder.name)),
        "kind": str(config.get("kind", "iterations")),
        "config": f"{folder.name}/config.json",
        **({"map": f"{folder.name}/map.json"} if (folder / "map.json").is_file() else {}),
        "iterations": [entry for entry in entries if {"file", "samples"} & {*entry} or entry["iteration"] == 0],
    }


def _entry(folder: Path) -> dict[str, Any]:
    experiment, number = folder.parent.name, int(folder.name[-3:])
    entry: dict[str, Any] = {"iteration": number}
    if number and (path := folder / MODEL).is_file():
        found = facts(path)
        if (found.get("experiment"), found.get("iteration")) != (experiment, number):
            raise CheckpointError(f"{path} was renamed: its header says {found}, move it back")
        entry |= _file(path)
        if (path := folder / STATISTICS).is_file():
            entry["statistics"] = _file(path)
    for name in (SHEET, TEXTS):
        if (folder / name).is_file():
            entry["samples"] = f"{experiment}/{folder.name}/{name}"
    if (path := folder / METRICS).is_file():
        entry["metrics"] = dict(sorted(read_json(path).items()))
    return entry


def _file(path: Path) -> dict[str, Any]:
    return {"file": "/".join(path.parts[-3:]), "bytes": path.stat().st_size, "sha256": digest(path)}


def _check(path: Path, index: dict[str, Any]) -> None:
    check_schema(path, index.get("schema"))
    try:
        fault = _fault(index)
    except (KeyError, TypeError, AttributeError) as error:
        fault = f"an entry is missing or of the wrong type ({str(error)[:60]})"
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
        listed = [e[key] for e in [*entries, *files] for key in ("file", "samples") if key in e]
        paths = [name, experiment["config"], experiment.get("map", name), *listed]
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
            return f"the title, kind or metrics of {name} are of the wrong type"
    return ""


# ---- files


def to_json(value: object) -> bytes:
    """Sorted, indented JSON that ends in a newline."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


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
    """The object under a key of a file's content as a dataclass, every option known, of its type and in its range.

    Raises CheckpointError that names the file, the key and the option.
    """
    try:
        if not isinstance(values := content.get(key, {}), dict):
            raise ValueError(f"it is {values!r:.60} and no object")
        return settings(**checked(key, settings, values))
    except (ValueError, TypeError, ArithmeticError) as error:
        raise CheckpointError(f"{path} is damaged in {key!r} ({one_line(error)}): fetch it again") from error


def one_line(error: Exception) -> str:
    """The text of an error on one line, cut after 300 characters."""
    return re.sub(r"\s+", " ", str(error))[:300]


def check_schema(path: Path, found: object) -> None:
    """Raise CheckpointError unless a file has the schema that this version reads; true and 1.0 are not 1."""
    if type(found) is not int or found != SCHEMA:
        raise CheckpointError(f"{path} has schema {found!r:.40} and this version reads {SCHEMA}: upgrade the toolkit")


def facts(path: str | Path) -> dict[str, Any]:
    """How the model in a file was made, as given to `save`. Reads the header alone. Raises CheckpointError."""
    path, size = Path(path), size_of(Path(path))
    with path.open("rb") as file:
        return dict(read_header(path, file, size)["facts"])


def read_header(path: Path, file: BinaryIO, size: int) -> dict[str, Any]:
    """The header of an open file of `size` bytes: schema, architecture, config, facts. Raises CheckpointError."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise CheckpointError(f"{path} is cut short or no safetensors file (a pickle is never opened): fetch it again")
    try:
        text = strict_json(file.read(length))["__metadata__"][KEY]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of this toolkit: give a file that hub.save wrote") from error
    try:
        header = dict(strict_json(text))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path} has a damaged header, no object: delete it and fetch it again") from error
    if "schema" in header:
        check_schema(path, header["schema"])
    for key, kind in {"schema": int, "architecture": str, "config": dict, "facts": dict}.items():
        if not isinstance(header.get(key), kind):
            raise CheckpointError(f"{path} has a damaged header, its {key!r}: delete it and fetch it again")
    return header


def size_of(path: Path) -> int:
    """The bytes of a file. Raises CheckpointError if it is missing or larger than any checkpoint."""
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}: give the path of a .safetensors checkpoint, or {GET}")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise CheckpointError(f"{path} has {size:,} bytes, and the most is {LARGEST_FILE:,}: give another file")
    return size


_digests: dict[tuple[Any, ...], str] = {}  # of files by path, inode, size and time of change
SETTLED = 50_000_000  # nanoseconds; a file that changed within them may change again and bear the same time


def digest(path: Path, data: bytes | None = None) -> str:
    """The sha256 of a file, hexadecimal; computed once until the file changes. data: its bytes, if they are read.

    Cached by this process and not in index.json, whose bytes follow from the tree alone: a time of change would differ
    with every copy of it.
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
    """`write_atomic`, whose errors are CheckpointErrors."""
    try:
        write_atomic(path, data)
    except OSError as error:
        sentence = f"{path} cannot be written ({error.strerror}): free space or choose another folder"
        raise CheckpointError(sentence) from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and make its folder. May raise OSError; leaves no temporary file."""
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
    """The path and content of an experiment's config.json. Raises CheckpointError."""
    path = fetch(source, index["experiments"][name]["config"], revision)
    return path, read_json(path)


def settings(source: str | Path, experiment: str | None = None, revision: str | None = None) -> SamplingSettings:
    """The sampling settings of a run or divergence. Raises CheckpointError."""
    index, revision = pinned(source, revision)
    name = find(index, experiment)
    if (kind := index["experiments"][name].get("kind", "iterations")) not in ("iterations", "divergence"):
        raise CheckpointError(f"{name} is a {kind} and no run of iterations: load it with hub.read")
    return section(*config(source, index, name, revision), "sampling", SamplingSettings)


def fetch(source: str | Path, relative_path: str, revision: str | None = None) -> Path:
    """The local path of any file of a tree: in a folder, or downloaded from a Hub repo into the Hub's cache.

    Cached files are used without a request unless a revision is given. A folder that exists wins over a repo.
    Raises CheckpointError.
    """
    if not PLAIN.fullmatch(relative_path):
        raise CheckpointError(f"{relative_path!r} could leave its folder: give a plain path such as fig2/config.json")
    if (folder := folder_of(source)) is None:
        repo = str(source)
        if revision is None and (found := cached(repo, relative_path)):  # an outage takes 23 seconds of retries to show
            return found
        with hub_errors(repo, relative_path, revision):
            from huggingface_hub import hf_hub_download

            return Path(hf_hub_download(repo, relative_path, revision=revision))
    if not (path := folder / relative_path).is_file():
        advice = f"write it with hub.write_index, or {GET}" if relative_path == "index.json" else "fetch it again"
        raise CheckpointError(f"the folder {folder} holds no {relative_path}: {advice}")
    return path


def folder_of(source: str | Path) -> Path | None:
    """The local folder a source names, or None for a Hub repo id. Raises CheckpointError if it is neither."""
    if Path(source).is_dir():
        return Path(source)
    if Path(source) == CHECKPOINTS:
        raise CheckpointError(NONE_HERE)
    if isinstance(source, Path) or not REPO.fullmatch(source):
        raise CheckpointError(
            f"{str(source)!r} is no folder here and no Hub repo id: give a folder, a file or owner/name; {GET}"
        )
    return None


def cached(repo: str, file: str, revision: str | None = None) -> Path | None:
    """The path of a file in the Hub's cache, if it is there. Makes no request."""
    with hub_errors(repo, file, revision):
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(repo, file, revision=revision)
        return Path(found) if isinstance(found, str) else None


@contextmanager
def hub_errors(repo: str, file: str | Callable[[], str], revision: str | None = None) -> Iterator[None]:
    """A context in which errors of huggingface_hub become CheckpointErrors, one sentence for each class.

    file: what was asked for, or a function that returns its name once something failed.
    """
    from huggingface_hub.errors import HfHubHTTPError

    failures: Any = (OSError, ValueError, *HfHubHTTPError.__bases__)  # its bases: what its HTTP library raises
    try:
        yield
    except CheckpointError:
        raise
    except failures as error:
        named = file if isinstance(file, str) else file()
        raise CheckpointError(_sentence(error, repo, named, revision)) from error


def _sentence(error: Exception, repo: str, file: str, revision: str | None) -> str:
    """The sentence for an error of huggingface_hub: that of the first class that fits, so their order matters."""
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
