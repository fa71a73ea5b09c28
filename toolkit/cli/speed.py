"""The command benchmark."""

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import benchmark as speed
from .. import datasets, precision
from ..benchmark.page import PagePlan, measure_page, page_tables
from ..benchmark.timing import Entry
from .command import command

EPILOG = """examples:
  python -m toolkit benchmark --json speed.json            some minutes on two idle cores: the table, and every run
  python -m toolkit benchmark --data mnist --trained 2000
  python -m toolkit benchmark --quick                      seconds: whether it runs, not how fast
  python -m toolkit benchmark --page --minutes 3           the page: one visitor, action by action, then 20 at once
What is plain: float32, dense, one loop written by hand. Both sides run in turn, in one process."""


def benchmark(args: argparse.Namespace) -> object:
    """The fast paths against plain, dense float32 PyTorch: times, ratios, what memory grows to; or the page."""
    if isinstance(args.json, Path):
        args.json.touch()  # before minutes of work: it raises OSError if nothing can be written there
    measure, tables = (page, page_tables) if args.page else (paths, speed.tables)
    result = measure(args)
    if isinstance(args.json, Path):
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return result if args.json is True else tables(result)


def paths(args: argparse.Namespace) -> Entry:
    """The fast paths against the plain ones."""
    given = {"seed": args.seed, "trained": args.trained, "curve_steps": args.curves}
    chosen = {name: value for name, value in given.items() if value is not None}
    plan = replace(speed.QUICK if args.quick else speed.Plan(), device=precision.device(args.device), **chosen)
    images = datasets.load(args.data, root=args.root).images
    with tqdm(speed.STEPS, disable=args.json is True, dynamic_ncols=True) as bar:
        following = iter(bar)
        return speed.benchmark(images, plan, on_part=lambda part: bar.set_description(next(following)))


def page(args: argparse.Namespace) -> Entry:
    """The page over the shipped checkpoints, in a process of its own."""
    if not 0 < args.minutes < math.inf or args.visitors < 1 or args.actions < 1:
        raise ValueError("--minutes, --visitors and --actions are too small: give more than none of each")
    plan = PagePlan(actions=args.actions, minutes=args.minutes, visitors=args.visitors)
    with tqdm(bar_format="{desc} {elapsed}", disable=args.json is True) as bar:
        return measure_page(plan, on_part=bar.set_description_str)


def declare(commands: Any) -> None:
    """Declare it."""
    file: dict[str, Any] = {"action": "store", "nargs": "?", "const": True, "type": Path, "metavar": "FILE"}
    file["help"] = "write everything to FILE; without FILE print it as JSON, alone"
    add = command(commands, benchmark, EPILOG, **file)
    add("--data", default="sample:mnist", help="images that the network is trained on first (default: sample:mnist)")
    add("--trained", type=int, metavar="STEPS", help="how many fast steps it is trained for (default: 500)")
    add("--curves", type=int, metavar="STEPS", help="compare losses over so many steps, three seeds: 300 are an hour")
    add("--page", action="store_true", help="measure the page: how soon it answers, and what it does under load")
    add("--minutes", type=float, default=3, help="of load on the page (default: 3)")
    add("--visitors", type=int, default=20, help="of the page at once (default: 20)")
    add("--actions", type=int, default=50, help="of each kind, of a visitor who is alone (default: 50)")
    add("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
