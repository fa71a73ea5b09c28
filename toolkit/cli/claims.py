"""The commands of the claims: judge, claims."""

import argparse
import json
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from .. import datasets, judges, precision
from ..claims import judging, places, report, results
from ..runs import contact
from ..store import to_json, write
from ..tree import CHECKPOINTS
from .command import command

EPILOG = {
    "judge": """examples:
  python -m toolkit judge runs/fig2 runs/fig6            into judged.json, map.json, map.png, contact.png
  python -m toolkit judge runs/fig2 --judge judge-digits
  python -m toolkit judge runs/fig2 --letters letters:/usr/share/fonts    with letters among the controls
  python -m toolkit judge runs/fig2 --rows                     only rows.npz, every measure of every image
  python -m toolkit judge runs/fig2 --contact                  only all its sheets in one picture
Stop it whenever you like; the same command continues where it was.""",
    "claims": """examples:
  python -m toolkit claims                             CLAIMS.md and checkpoints/claims.json, from the shipped results
  python -m toolkit claims --from runs --out runs      from runs of yours, into runs/CLAIMS.md and runs/claims.json
What was not run yet says so.""",
}
LETTERS = "letters:fonts"


def judge(args: argparse.Namespace) -> object:
    """Put runs before a judge, iteration by iteration; all their sheets into one picture, and on a map."""
    for folder in args.runs:
        judging.stored(folder)  # before any work: it raises ValueError for what is no run
        write(folder / "contact.png", contact.contact(folder))
    if args.contact:
        return {"contact": [str(folder / "contact.png") for folder in args.runs]}
    device = str(precision.device(args.device))
    if args.rows:
        made = [judging.measure_rows(folder, root=args.root, device=device) for folder in args.runs]
        return {"rows": [str(path) for paths in made for path in paths]}
    if args.map:
        judge = judges.load(args.source, args.judge, device=device)
        return {"map": [str(places.place(folder, judge, args.judge)) for folder in args.runs]}
    options = {"images": args.images, "letters": letters(args), "root": args.root}
    by = judging.bench(args.judge, args.source, device=device, **options)
    written = []
    for folder in args.runs:
        with tqdm(desc=folder.name, unit="set", disable=args.quiet or args.json, dynamic_ncols=True) as bar:

            def on_row(what: str, bar: "tqdm[None]" = bar) -> None:
                bar.set_postfix_str(what, refresh=False)
                bar.update()

            written.append(str(judging.judge(folder, by, on_row)))
        places.place(folder, by.judge, by.name)
    return {"judged": written}


def letters(args: argparse.Namespace) -> Tensor | None:
    """Letters of typefaces that no judge learned; none if no fonts are where they are by default."""
    try:
        return datasets.load(args.letters or LETTERS, root=args.root, split="test").images
    except FileNotFoundError:
        if args.letters:
            raise
        return None


def claims(args: argparse.Namespace) -> object:
    """Every claim of the papers as numbers and a verdict, from stored results: CLAIMS.md and claims.json."""
    known = results.read(args.source)
    home, numbers = (args.out, args.out) if args.out else (CHECKPOINTS.parent, CHECKPOINTS)
    told = report.as_dict(known, home)
    write(home / "CLAIMS.md", report.markdown(known, home).encode())
    write(numbers / "claims.json", to_json(told))
    return json.loads(to_json(told)) if args.json else report.counts(report.claims(known))


def declare(commands: Any) -> None:
    """Declare them."""
    add = command(commands, judge, EPILOG["judge"])
    add("runs", nargs="+", type=Path, metavar="DIR", help="folders of runs, such as checkpoints/fig2")
    add("--judge", default="judge-digits-letters", help="which judge (default: judge-digits-letters)")
    add(
        "--judges",
        dest="source",
        default=str(CHECKPOINTS),
        metavar="SOURCE",
        help="where it is: a folder or a Hub repo id",
    )
    add("--images", type=int, default=judging.IMAGES, help="of each iteration (default: 1000)")
    add("--letters", metavar="NAME", help=f"the control that is novel (default: {LETTERS}, if it is there)")
    add("--contact", action="store_true", help="only draw contact.png, all the sheets in one picture")
    add("--rows", action="store_true", help="only measure every image of seeds 0 to 999, rows.npz where a model is")
    add("--map", action="store_true", help="only lay the symbols of all sheets out on a map, map.json and map.png")
    add("--quiet", action="store_true", help="no progress bars")
    add = command(commands, claims, EPILOG["claims"])
    add(
        "--from",
        dest="source",
        type=Path,
        default=CHECKPOINTS,
        metavar="DIR",
        help="results (default: the shipped ones)",
    )
    add("--out", type=Path, metavar="DIR", help="another folder for both files")
