"""The command benchmark."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import benchmark as speed
from .. import datasets, precision
from .command import command

EPILOG = """examples:
  python -m toolkit benchmark --json speed.json            some minutes on two idle cores: the table, and every run
  python -m toolkit benchmark --data mnist --trained 2000
  python -m toolkit benchmark --quick                      seconds: whether it runs, not how fast
What is plain: float32, dense, one loop written by hand. Both sides run in turn, in one process."""


def benchmark(args: argparse.Namespace) -> object:
    """The fast paths against plain, dense float32 PyTorch: times, their ratios, and what memory grows to."""
    if isinstance(args.json, Path):
        args.json.touch()  # before minutes of work: it raises OSError if nothing can be written there
    given = {"seed": args.seed, "trained": args.trained, "curve_steps": args.curves}
    chosen = {name: value for name, value in given.items() if value is not None}
    plan = replace(speed.QUICK if args.quick else speed.Plan(), device=precision.device(args.device), **chosen)
    images = datasets.load(args.data, root=args.root).images
    with tqdm(speed.STEPS, disable=args.json is True, dynamic_ncols=True) as bar:
        following = iter(bar)
        result = speed.benchmark(images, plan, on_part=lambda part: bar.set_description(next(following)))
    if isinstance(args.json, Path):
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return result if args.json is True else speed.tables(result)


def declare(commands: Any) -> None:
    """Declare it."""
    file: dict[str, Any] = {"action": "store", "nargs": "?", "const": True, "type": Path, "metavar": "FILE"}
    file["help"] = "write everything to FILE; without FILE print it as JSON, alone"
    add = command(commands, benchmark, EPILOG, **file)
    add("--data", default="sample:mnist", help="images that the network is trained on first (default: sample:mnist)")
    add("--trained", type=int, metavar="STEPS", help="how many fast steps it is trained for (default: 500)")
    add("--curves", type=int, metavar="STEPS", help="compare losses over so many steps, three seeds: 300 are an hour")
    add("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
