"""The commands of the Hub: list, pull, push."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from ..publishing import contents, place
from ..publishing import pull as pulling
from ..publishing import push as pushing
from ..tree import CHECKPOINTS
from .command import command

EPILOG = {
    "list": """examples:
  python -m toolkit list                            the shipped checkpoints, an experiment a line
  python -m toolkit list OWNER/NAME                 of a Hub repo; downloads its index and nothing else
  python -m toolkit list OWNER/NAME fig2            its iterations with their measures
  python -m toolkit list OWNER/NAME --json          everything""",
    "pull": """examples:
  python -m toolkit pull OWNER/NAME fig2 --iteration 7          one model, into the Hub's cache
  python -m toolkit pull OWNER/NAME fig2 --iterations 1:20      both ends count; or 1,5,20
  python -m toolkit pull OWNER/NAME fig2 --to runs              the whole run, with its sheets, into a folder:
  python app.py runs                                            ... which the page opens without network
  python -m toolkit pull OWNER/NAME fig2 --iteration 7 --revision COMMIT      the same for ever
  python -m toolkit pull OWNER/NAME fig2 --dry-run              what it would fetch
Stop it whenever you like: the same command goes on with the files that are missing. HF_HUB_OFFLINE=1 uses what is
cached; a private repo takes the token of `hf auth login`, or HF_TOKEN.""",
    "push": """examples:
  python -m toolkit push OWNER/NAME --from runs --dry-run card      writes to the folder card what it would upload
  python -m toolkit push OWNER/NAME --from runs
Log in before with `hf auth login`. What is uploaded: model card, index, and of each experiment its settings (which name
the data, the path of a folder: too), models, sheets, measures and a preview; no other file of the folder. Stop it
whenever you like: the same command goes on, and what the Hub has already is not sent again.""",
}


def numbers(text: str) -> Sequence[int]:
    """Iterations as people write them: "7", "1,5,20", or "1:20" for 1 to 20, for they are counted like pages."""
    try:
        if ":" in text:
            first, last = map(int, text.split(":"))
            return range(first, last + 1)
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no iterations: write 7, or 1,5,20, or 1:20") from None


def list(args: argparse.Namespace) -> object:  # noqa: A001 - the command's name
    """What a folder or a Hub repo holds: experiments, iterations, sizes, measures, and what is on this machine."""
    held = contents.contents(args.source, args.revision)
    if args.json:
        return held
    return contents.iterations(held, args.experiment) if args.experiment else contents.summary(held)


def pull(args: argparse.Namespace) -> object:
    """Fetch one iteration of an experiment from the Hub, or several, or all; each is one file."""
    if args.iteration is not None and args.iterations is not None:
        raise ValueError("--iteration and --iterations are two answers: give one of them")
    chosen = args.iterations if args.iteration is None else [args.iteration]
    plan = pulling.plan(args.repo, args.experiment, chosen, revision=args.revision, sheets=args.to is not None)
    if args.dry_run:
        return _said(args, plan, pulling.foreseen(plan))
    came, sizes = Counter[str](), pulling.missing(plan)
    options: dict[str, Any] = {"unit": "B", "unit_scale": True, "dynamic_ncols": True}
    with tqdm(total=sum(sizes.values()), disable=args.quiet or args.json or not sizes, **options) as bar:

        def on_bytes(name: str, count: int) -> None:
            came[name] += count
            bar.update(count if name in sizes else 0)  # of small files nobody knows beforehand

        paths = pulling.pull(plan, on_bytes)
    if args.to is not None:
        place.place(plan, paths, args.to)
    return _said(args, plan, {name: (path.stat().st_size, came[name] > 0) for name, path in paths.items()})


def _said(args: argparse.Namespace, plan: pulling.Plan, files: dict[str, tuple[int, bool]]) -> object:
    """What a pull says of itself. files: of each its bytes, and whether it was fetched, or would be."""
    fetched = sum(size for size, comes in files.values() if comes)
    if args.json:
        told = [{"file": name, "bytes": size, "fetched": comes} for name, (size, comes) in files.items()]
        return {
            "repo": plan.repo, "commit": plan.commit, "experiment": plan.experiment, "dry_run": args.dry_run,
            "iterations": [entry["iteration"] for entry in plan.entries], "files": told, "bytes": fetched,
            "to": None if args.to is None else str(args.to),
        }  # fmt: skip
    lines = [f"{size:>12,}  {name}{'' if comes else '  (cached)'}" for name, (size, comes) in files.items()]
    verb = "would fetch" if args.dry_run else "fetched"
    lines.append(f"{verb} {fetched:,} bytes of {plan.repo}; to have the same again: --revision {plan.commit}")
    return "\n".join([*lines, *([f"in {args.to}: python app.py {args.to}"] if args.to and not args.dry_run else [])])


def push(args: argparse.Namespace) -> object:
    """Upload a folder of runs to the Hub, with a model card made from its files; --dry-run only writes it down."""
    with TemporaryDirectory(prefix="toolkit-push-") as scratch:
        staged = args.dry_run if isinstance(args.dry_run, Path) else Path(scratch, "staged")
        files = pushing.stage(args.source, staged, args.repo, args.license)
        commit = None if args.dry_run else pushing.upload(staged, args.repo, private=args.private)
    if args.json:
        return {"repo": args.repo, "commit": commit, "files": files, "bytes": sum(files.values())}
    lines = [f"{size:>12,}  {name}" for name, size in files.items()]
    end = f"{len(files)} files, {sum(files.values()):,} bytes"
    if commit is None:
        return "\n".join([*lines, f"would upload {end} to {args.repo}"])
    return "\n".join([*lines, f"uploaded {end}; to have the same again: pull {args.repo} --revision {commit}"])


def declare(commands: Any) -> None:
    """Declare them."""
    add = command(commands, list, EPILOG["list"])
    add("source", nargs="?", default=str(CHECKPOINTS), help="a folder or a Hub repo id (default: the shipped ones)")
    add("experiment", nargs="?", help="its iterations with all their measures")
    add("--revision", help="a branch, tag or commit of the repo (default: main, as it is now)")
    add = command(commands, pull, EPILOG["pull"])
    add("repo", metavar="OWNER/NAME", help="a Hub repo")
    add("experiment", nargs="?", help="the experiment, e.g. fig2 (default: the repo's own choice)")
    add("--iteration", type=int, help="one iteration (default: all)")
    add("--iterations", type=numbers, metavar="RANGE", help="several: 1:20, both ends count, or 1,5,20")
    add("--revision", help="a branch, tag or commit (default: main, as it is now)")
    add("--to", type=Path, metavar="DIR", help="also write them to this folder, with their sheets: python app.py DIR")
    add("--dry-run", action="store_true", help="fetch nothing but the index, and say what would be fetched")
    add("--quiet", action="store_true", help="no progress bar")
    add = command(commands, push, EPILOG["push"])
    add("repo", metavar="OWNER/NAME", help="a Hub repo; it is made if there is none")
    add("--from", dest="source", type=Path, default=CHECKPOINTS, metavar="DIR", help="a folder of runs")
    add(
        "--dry-run",
        nargs="?",
        type=Path,
        const=True,
        default=False,
        metavar="DIR",
        help="upload nothing, use no network: list the files, and write them to the new folder DIR if it is given",
    )
    add("--license", default="mit", metavar="ID", help="the Hub's identifier of the weights' licence (default: mit)")
    add("--private", action="store_true", help="a repo that only you see, if it is made")
