"""What a folder or a Hub repo holds: experiments and their iterations, sizes, measures, and whether they are here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..index import choose, parse
from ..tree import fetch, folder_of, plainly

HEADLINE = {  # of each kind the measure that stands for it, as it is called in an index and in words
    "iterations": ("novelty_median", "distance to data"),
    "decoder": ("loss_test", "loss"),
    "kaleidoscope": ("loss", "loss"),
    "divergence": ("confidence", "judge's confidence"),
    "judge": ("accuracy", "accuracy"),
}


def contents(source: str | Path, revision: str | None = None) -> dict[str, Any]:
    """The index of a source, and what of it is on this machine. Raises CheckpointError.

    {"source", "commit" (None of a folder), "bytes", "experiments": {NAME: {"title", "kind", "bytes", "cached",
    "iterations": [{"iteration", "bytes", "cached", "metrics", ...}]}}}; bytes are those of models and statistics,
    cached is whether a model is here, or how many are.
    """
    listed = fetch(source, "index.json", revision or "main")  # as it is now: a revision is asked for
    commit = None if folder_of(source) else listed.parent.name
    index = parse(listed)
    experiments = {name: _experiment(source, commit, it) for name, it in index["experiments"].items()}
    total = sum(it["bytes"] for it in experiments.values())
    return {"source": str(source), "commit": commit, "default": index["default"], "bytes": total,
            "experiments": experiments}  # fmt: skip


def summary(held: Mapping[str, Any]) -> str:
    """An experiment a line."""
    rows = [["experiment", "kind", "iterations", "models", "size", "here", "measure", "title"]]
    rows += [_line(name, it) for name, it in held["experiments"].items()]
    at = f" at {held['commit']}" if held["commit"] else ""
    return f"{held['source']}{at}: {size(held['bytes'])} of models\n{_aligned(rows)}"


def iterations(held: Mapping[str, Any], name: str) -> str:
    """An iteration of one experiment a line, with all its measures. Raises CheckpointError, listing those there are."""
    name, _ = choose(held, name)
    entries = held["experiments"][name]["iterations"]
    measures = sorted({key for entry in entries for key in entry.get("metrics", {})})
    rows = [["iteration", "size", "here", *measures]]
    for entry in entries:
        told = [_number(entry.get("metrics", {}).get(measure)) for measure in measures]
        rows.append([str(entry["iteration"]), *_stored(entry), *told])
    return _aligned(rows)


def _experiment(source: str | Path, commit: str | None, held: Mapping[str, Any]) -> dict[str, Any]:
    entries = [
        {**entry, "bytes": _bytes(entry), "cached": _here(source, commit, entry)} for entry in held["iterations"]
    ]
    total, here = sum(entry["bytes"] for entry in entries), sum(entry["cached"] for entry in entries)
    return {"kind": "iterations", **held, "bytes": total, "cached": here, "iterations": entries}


def _bytes(entry: Mapping[str, Any]) -> int:
    return int(entry.get("bytes", 0)) + int(entry.get("statistics", {}).get("bytes", 0))


def _here(source: str | Path, commit: str | None, entry: Mapping[str, Any]) -> bool:
    if "file" not in entry:
        return False
    if commit is None:
        return Path(source, entry["file"]).is_file()
    with plainly(str(source), entry["file"], commit):
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(str(source), entry["file"], revision=commit), str)


def _line(name: str, held: Mapping[str, Any]) -> list[str]:
    numbers = [entry["iteration"] for entry in held["iterations"]]
    models = [entry for entry in held["iterations"] if "file" in entry]
    span = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else "".join(map(str, numbers))
    key, words = HEADLINE.get(held["kind"], ("", ""))
    told = models[-1].get("metrics", {}) if models else {}
    measure = f"{words} {_number(told[key])}" if key in told else ""
    return [name, held["kind"], span, str(len(models)), size(held["bytes"]), str(held["cached"]), measure,
            held["title"]]  # fmt: skip


def _stored(entry: Mapping[str, Any]) -> tuple[str, str]:
    return (size(entry["bytes"]), "yes" if entry["cached"] else "no") if "file" in entry else ("", "")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def size(count: int) -> str:
    """Bytes as people read them: 3.4 kB, 6.08 MB."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
