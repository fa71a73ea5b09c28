"""The command notebooks: run them all, and keep their pictures and times, and a page of them."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..files import write
from ..publishing import notebooks as running
from ..store import to_json
from .command import command

EPILOG = """examples:
  python -m toolkit notebooks                        run all: pictures and times, in notebooks/
  python -m toolkit notebooks 00_tour 08_mnist_kaleidoscope
  python -m toolkit notebooks --smoke --out there    seconds each, with tiny values; into another folder"""


def notebooks(args: argparse.Namespace) -> object:
    """Run the notebooks, each in a kernel of its own; keep their pictures, what they found, and how long it took."""
    there = running.names(args.folder)
    if odd := sorted({*args.names} - {*there}):
        raise ValueError(f"there is no notebook {', '.join(odd)}: choose of {', '.join(there)}")
    out = args.out or args.folder
    stored = out / "results.json"
    results = json.loads(stored.read_text()) if stored.exists() else {}
    for name in tqdm(chosen := args.names or there, disable=args.json, file=sys.stderr, dynamic_ncols=True):
        done = running.execute(args.folder / f"{name}.ipynb", small=args.smoke)
        results[name] = {"title": done.title, "seconds": round(done.seconds, 1), "said": done.said}
        write(out / "pictures" / f"{name}.png", done.picture)
        write(stored, to_json(results))
    if out == args.folder:  # elsewhere its links to the notebooks would lead nowhere
        write(out / "README.md", running.page(out).encode())
    return {name: results[name] for name in chosen}


def declare(commands: Any) -> None:
    """Declare it."""
    add = command(commands, notebooks, EPILOG)
    add("names", nargs="*", metavar="NOTEBOOK", help="which, without .ipynb (default: all)")
    add("--folder", type=Path, default=running.FOLDER, help="where they are (default: those of the repository)")
    add("--out", type=Path, metavar="DIR", help="where pictures and times go (default: the same folder)")
    add("--smoke", action="store_true", help="with tiny values: whether they run")
