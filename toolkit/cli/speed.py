"""The command benchmark."""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import benchmark as speed
from .. import datasets, files, precision
from ..benchmark.page import PagePlan, measure_page, page_tables
from ..benchmark.timing import Entry
from .command import command

EPILOG = """examples:
  python -m toolkit benchmark --json speed.json            many minutes on two idle cores: the table, and every run
  python -m toolkit benchmark --only train_step_published,pass_speedup --trained 50
  python -m toolkit benchmark --data mnist --trained 2000
  python -m toolkit benchmark --quick                      seconds: whether it runs, not how fast
  python -m toolkit benchmark --page --minutes 3           the page: one visitor, action by action, then 20 at once
What is plain: float32, dense, one loop written by hand. Both sides run in turn, in one process.
FILE is whole at any moment, with what is measured so far. Parts: """
Write = Callable[[Entry], object]


def benchmark(args: argparse.Namespace) -> object:
    """The fast paths against plain, dense float32 PyTorch: times, ratios, what memory grows to; or the page."""

    def write(result: Entry) -> None:
        if isinstance(args.json, Path):
            files.write(args.json, f"{json.dumps(result, indent=2)}\n".encode())

    result = (page if args.page else paths)(args, write)
    return result if args.json is True else (page_tables if args.page else speed.tables)(result)


def paths(args: argparse.Namespace, write: Write) -> Entry:
    """The fast paths against the plain ones."""
    given: dict[str, Any] = {"seed": args.seed, "trained": args.trained, "curve_steps": args.curves}
    plan = replace(speed.QUICK if args.quick else speed.Plan(), device=precision.device(args.device))
    if args.curves:
        given["curve_filters"] = plan.filters
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    images, only = datasets.load(args.data, root=args.root).images, args.only.split(",") if args.only else []
    with tqdm(total=len(only or speed.PARTS), disable=args.json is True, dynamic_ncols=True) as bar:

        def on_part(name: str) -> None:
            bar.update(bool(bar.desc))
            bar.set_description(name)

        return speed.benchmark(images, plan, only=only, on_part=on_part, on_result=write)


def page(args: argparse.Namespace, write: Write) -> Entry:
    """The page over the shipped checkpoints, in a process of its own."""
    if not 0 < args.minutes < math.inf or args.visitors < 1 or args.actions < 1:
        raise ValueError("--minutes, --visitors and --actions are too small: give more than none of each")
    plan = PagePlan(actions=args.actions, minutes=args.minutes, visitors=args.visitors)
    with tqdm(bar_format="{desc} {elapsed}", disable=args.json is True) as bar:
        return measure_page(plan, on_part=bar.set_description_str, on_result=write)


def declare(commands: Any) -> None:
    """Declare it."""
    file: dict[str, Any] = {"action": "store", "nargs": "?", "const": True, "type": Path, "metavar": "FILE"}
    file["help"] = "write everything to FILE; without FILE print it as JSON, alone"
    add = command(commands, benchmark, EPILOG + ", ".join(speed.PARTS), **file)
    add("--only", metavar="PARTS", help="measure these parts alone, separated by commas (default: all)")
    add("--data", default="sample:mnist", help="images that the networks are trained on first (default: sample:mnist)")
    add("--trained", type=int, metavar="STEPS", help="how many fast steps each is trained for (default: 500)")
    add("--curves", type=int, metavar="STEPS", help="compare losses at full size over so many steps: 300 are an hour")
    add("--page", action="store_true", help="measure the page: how soon it answers, and what it does under load")
    add("--minutes", type=float, default=3, help="of load on the page (default: 3)")
    add("--visitors", type=int, default=20, help="of the page at once (default: 20)")
    add("--actions", type=int, default=50, help="of each kind, of a visitor who is alone (default: 50)")
    add("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
