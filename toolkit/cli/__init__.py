"""The commands: python -m toolkit train | sample | decode | ..., each with --help that teaches."""

import argparse
import json
import sys
from collections.abc import Sequence

from .. import __version__, processes
from ..store import RunError
from . import annotation, claims, creative, diverge, font, hub, iterations, kaleidoscope, notebooks, speed, trade_off


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="python -m toolkit", description="Machines that make images their training data does not contain."
    )
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    for group in (
        iterations, creative, kaleidoscope, diverge, trade_off, font, annotation, claims, hub, notebooks, speed
    ):  # fmt: skip
        group.declare(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Errors of input are one sentence on stderr and exit code 2; an interruption is 130."""
    args = parser().parse_args(argv)
    try:
        result = args.run(args)
    except KeyboardInterrupt:
        print("interrupted: every finished iteration is kept; the same command continues", file=sys.stderr)
        return 130
    except (ValueError, OSError, RunError, processes.ProcessesError, FloatingPointError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if result is not None:
        print(result if isinstance(result, str) else json.dumps(result, indent=2))
    return 0
