"""The table of contents of a tree of checkpoints: experiments, their iterations, sizes, checksums and measures.

{"schema": 1, "default": NAME, "experiments": {NAME: {"title", "kind", "config", "iterations": [{"iteration", "file",
"bytes", "sha256", "samples", "metrics"}, ...]}}}, paths relative to it. Iteration 0 is the data itself and has no file;
others may be there as sheets only. kind: "iterations" of one run; or "divergence": an iteration is then a step of one
training; or "decoder", "kaleidoscope" or "judge": an iteration is then a training of its own, from another seed, and a
decoder has "statistics" of its neurons, {"file", "bytes", "sha256"}. An experiment may have a "map" of its sheets.
"""

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from .header import CheckpointError, facts, strict_json, write

SCHEMA = 1
LARGEST_INDEX = 2**24  # bytes
PLAIN = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)  # a path that cannot leave its folder


def find(index: Mapping[str, Any], experiment: str | None = None) -> str:
    """An experiment's name, by default the index's own choice. Raises CheckpointError, listing what there is."""
    name = index["default"] if experiment is None else experiment
    if name not in index["experiments"]:
        raise CheckpointError(f"there is no experiment {name!r}: choose {' or '.join(index['experiments'])}")
    return str(name)


def choose(
    index: Mapping[str, Any], experiment: str | None = None, iteration: int | None = None
) -> tuple[str, dict[str, Any]]:
    """An experiment of the index, and its entry for an iteration with a model, the last by default.

    Raises CheckpointError, listing what there is.
    """
    name, experiments = find(index, experiment), index["experiments"]
    entries = {entry["iteration"]: entry for entry in experiments[name]["iterations"] if "file" in entry}
    wanted = max(entries, default=None) if iteration is None else iteration
    if wanted not in entries:
        which = "" if wanted is None else f" of iteration {wanted!r}"
        why = " (iteration 0 is the data itself)" if wanted == 0 else ""
        raise CheckpointError(f"{name} has no model{which}{why}: choose {_list(entries)}")
    return name, dict(entries[wanted])


def of_kind(index: Mapping[str, Any], kind: str) -> list[str]:
    """The experiments of an index that are of a kind, and have a model."""
    experiments = index["experiments"].items()
    return [name for name, it in experiments if it.get("kind") == kind and any("file" in e for e in it["iterations"])]


def parse(path: Path) -> dict[str, Any]:
    """The content of one index.json, checked. Raises CheckpointError."""
    index = _read(path)
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
    write(folder / "index.json", (json.dumps(index, indent=2, allow_nan=False) + "\n").encode())
    return index


def _experiment(folder: Path) -> dict[str, Any]:
    config = _read(folder / "config.json")
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
        entry["metrics"] = dict(sorted(_read(path).items()))
    return entry


def _file(path: Path) -> dict[str, Any]:
    digest = sha256(path.read_bytes()).hexdigest()
    return {"file": _inner(path), "bytes": path.stat().st_size, "sha256": digest}


def _inner(path: Path) -> str:
    return "/".join(path.parts[-3:])


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_INDEX:
            raise ValueError(f"over {LARGEST_INDEX:,} bytes")
        content = strict_json(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("no dictionary")
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not readable as JSON ({str(error)[:100]}): write or fetch it again"
        ) from error
    return content


def _check(path: Path, index: dict[str, Any]) -> None:
    if index.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{path} has schema {index.get('schema')!r:.40} and this version reads {SCHEMA}: upgrade the toolkit"
        )
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
        paths = [
            name,
            experiment["config"],
            experiment.get("map", name),
            *(e[key] for e in [*entries, *files] for key in ("file", "samples") if key in e),
        ]
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
