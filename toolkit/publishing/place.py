"""What was pulled, in a folder of yours: a tree as any run leaves it, that the page opens and `hub.load` reads.

Its index lists what is in the folder, and not all that the repo has: then whatever it offers is there, every choice of
the page can be drawn without network, a missing iteration is answered with those that are not, and a second pull, or a
run of your own in the same folder, is one more entry.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..header import CheckpointError, write
from ..index import parse, write_index
from ..store import to_json
from .pull import Plan


def place(plan: Plan, paths: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    """Copy what was pulled into a folder, beside what is there, and write its index, which is returned.

    paths: of each file, as `pull` says. The measures are those of the repo's index, in a metrics.json each.
    Raises CheckpointError if the folder holds another file in the place of one, before anything is written; or if it
    cannot be written.
    """
    contents = {folder / name: path.read_bytes() for name, path in paths.items()}
    for entry in plan.entries:
        if "metrics" in entry:
            target = folder / plan.experiment / f"iter_{entry['iteration']:03d}" / "metrics.json"
            contents[target] = to_json(entry["metrics"])
    missing = {path: content for path, content in contents.items() if not _there(path, content)}
    for path, content in missing.items():
        write(path, content)
    listed = folder / "index.json"
    shown = parse(listed)["default"] if listed.exists() else plan.default
    there = (folder / shown / "config.json").exists()
    return write_index(folder, shown if there else None)


def _there(path: Path, content: bytes) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or path.read_bytes() != content:
        raise CheckpointError(f"{path} is there already and is another: move it away, or choose another folder")
    return True
