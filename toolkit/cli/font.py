"""The command font: symbols of a machine as an alphabet, to be typed with in any program, or as outlines."""

import argparse
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import font as type_
from .. import hub
from ..files import write
from .command import command, seeds, source

EPILOG = """examples:
  python -m toolkit font fig2 --out alphabet.ttf                             a to z, of the last iteration
  python -m toolkit font fig2 --iteration 5 --seeds 3,14,15 --keys xyz --out three.ttf
  python -m toolkit font fig2 --seeds 0:62 --name mine --out mine.ttf        a to z, A to Z, 0 to 9
  python -m toolkit font fig2 --out alphabet.ttf --specimen page.png         and a page set in it
  python -m toolkit font fig2 --out alphabet.svg                             the outlines, as a sheet
Open the .ttf to install it: it is listed as "That Are Not NAME". A letter types in both cases if only one
of them has a symbol."""
TEXT = "machines that make images their training data does not contain"
KINDS = (".ttf", ".svg")


def font(args: argparse.Namespace) -> object:
    """Grow symbols out of noise with one iteration's model, as a font to install (.ttf) or as outlines (.svg)."""
    keys = _keys(args)
    experiment, entry = hub.choose(hub.read_index(args.source), args.experiment, args.iteration)
    what = f"{experiment} {entry['iteration']}"
    symbols = _symbols(args, experiment, entry["iteration"])
    if args.out.suffix == ".svg":
        titles = [f"{what}, seed {seed}" for seed in args.seeds]
        write(args.out, type_.svg(symbols, titles=titles).encode())
        return {"out": str(args.out), "symbols": len(symbols)}
    drawn = type_.build(symbols, keys, args.name or type_.plain_name(what))
    page = type_.specimen(drawn, _text(args, keys)) if args.specimen else None
    write(args.out, drawn)
    said: dict[str, Any] = {"out": str(args.out), "symbols": len(symbols), "keys": "".join(keys)}
    if page:
        page.save(args.specimen)
        said["specimen"] = str(args.specimen)
    return said


def _keys(args: argparse.Namespace) -> list[str]:
    """The keys of a command that can be carried out. Raises ValueError for any other, before minutes of work."""
    if args.out.suffix not in KINDS:
        raise ValueError(f"--out {args.out} is neither font nor outlines: end it in {' or '.join(KINDS)}")
    if args.specimen and (args.specimen.suffix != ".png" or args.out.suffix != ".ttf"):
        raise ValueError(f"--specimen {args.specimen}: end it in .png, and --out in .ttf, for it is set in the font")
    if args.name:
        type_.checked_name(args.name)
    count = len(args.seeds)
    return type_.default_keys(count) if args.keys is None else type_.checked_keys(args.keys, count)


def _symbols(args: argparse.Namespace, experiment: str, iteration: int) -> Tensor:
    sampling = hub.sampling(args.source, experiment)
    model = hub.load(args.source, experiment, iteration, device=args.device)
    return sampling.grown(model, args.seeds).cpu()


def _text(args: argparse.Namespace, keys: list[str]) -> str:
    """What the specimen says: the text, or a sentence if the font has its letters, or else the keys in order."""
    known = set(type_.typed(keys)) | {" "}
    return args.text or (TEXT if set(TEXT) <= known else " ".join(keys))


def declare(commands: Any) -> None:
    """Declare it."""
    add = command(commands, font, EPILOG)
    add("experiment", nargs="?", help="the experiment, e.g. fig2 (default: the one shown first)")
    add("--iteration", type=int, help="which iteration's model (default: the last)")
    source(add)
    add("--seeds", type=seeds, default=range(26), help="42, or 1,5,9, or 0:26 (default); a symbol each")
    add("--keys", metavar="abc...", help="what types each symbol, in order (default: a, b, c, ...)")
    add("--name", help="of the font, after That Are Not: plain words (default: experiment and iteration)")
    add("--out", type=Path, required=True, help="alphabet.ttf or alphabet.svg")
    add("--specimen", type=Path, metavar="FILE", help="also a page set in the font, as PNG")
    add("--text", help="what that page says (default: a sentence)")
