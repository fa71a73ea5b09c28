"""What the commands share: how one is declared, and how people write seeds and settings on a command line."""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..tree import CHECKPOINTS

Add = Callable[..., Any]  # adds one argument


def command(commands: Any, function: Callable[[argparse.Namespace], object], epilog: str, **as_json: Any) -> Add:
    """Declare a command by its function: the name and docstring say what it is, and epilog teaches by examples.

    as_json: what --json is, if not a switch.
    """
    name, about = function.__name__.replace("_", "-"), (function.__doc__ or "").strip()
    parser = commands.add_parser(
        name, help=about, description=about, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=function)
    parser.add_argument("--seed", type=int, help="where all randomness starts from (default: the preset's)")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument(
        "--root", type=Path, help="where data sets lie or are downloaded to (default: $TOOLKIT_DATA or a cache)"
    )
    plain = {"action": "store_true", "help": "print the result as JSON, and nothing else"}
    parser.add_argument("--json", **(as_json or plain))
    return parser.add_argument


def source(add: Add) -> None:
    """Declare where checkpoints are read from, as `args.source`."""
    told = "a folder of runs or a Hub repo id (default: the shipped ones)"
    add("--from", dest="source", default=str(CHECKPOINTS), metavar="SOURCE", help=told)


def seeds(text: str) -> range | list[int]:
    """Seeds as people write them: "42", "1,5,9", or "0:64" for 0 to 63."""
    try:
        if ":" in text:
            first, end = map(int, text.split(":"))
            return range(first, end)
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no seeds: write 42, or 1,5,9, or 0:64") from None


def changes(args: argparse.Namespace) -> dict[str, Any]:
    """The settings changed on the command line. Raises ValueError for one that is not of the form NAME=VALUE."""
    names = ("name", "seed", "data", "iterations")
    plain = {name: value for name in names if (value := getattr(args, name)) is not None}
    return {**plain, **settings(args.set)}


def settings(texts: Iterable[str]) -> dict[str, Any]:
    """NAME=VALUE as a dictionary, GROUP.NAME=VALUE as one within it. Raises ValueError for another form."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: write NAME=VALUE, for example steps=300 or model.filters=32")
        group, dot, option = name.rpartition(".")
        target = found.setdefault(group, {}) if dot else found
        target[option] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
