"""The commands of the annotation study: build a pool, report on it, export its labels."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .. import datasets, files, precision
from ..creative.stored import Trained, decode_all, load
from ..metrics.annotation import LEAST, TIES
from ..seeds import child
from ..tree import CHECKPOINTS
from . import report as reports
from .pool import build, read

Add = Callable[..., Any]
EPILOG = {
    "pool": """examples:
  python -m toolkit pool creative-mnist --out pools/digits     500 pictures, a quarter by each decoder
  python app.py                                                the tab Annotate shows the pools below the folder pools
The folder says nowhere on the page which decoder made a picture; schemes.json in it does, so do not look.""",
    "report": """examples:
  python -m toolkit report pools/digits                        the table, beside the published one
  python -m toolkit report pools/digits --ties multi --json""",
    "export": """example:
  python -m toolkit export pools/digits --out labels.csv       one line per picture and annotator, with the decoder""",
}


def pool(args: argparse.Namespace) -> object:
    """Build a pool of pictures by all decoders, mixed and unmarked, for people to label in the app."""
    if args.images < 4 or args.training < 1:
        raise ValueError(f"--images {args.images} --training {args.training}: give at least 4 and 1")
    trained = load(args.source, args.name, device=str(precision.device(args.device)))
    seed = args.seed or 0
    first = child(seed, "annotation")
    pictures = decode_all(trained, range(first, first + args.images))
    schemes = {scheme: x[place :: len(pictures)] for place, (scheme, x) in enumerate(pictures.items())}  # no code twice
    made = {"experiment": trained.name, "how": repr(trained.how), "seed": seed, "first_code": first}
    shown = training(trained, args)
    built = build(args.out, schemes, shown, title=trained.title, data=trained.data, seed=seed, made=made)
    return {"pool": str(built.folder), "images": built.about.images, "training": built.about.training}


def report(args: argparse.Namespace) -> object:
    """What people said of a pool: shares of the labels per decoder, agreement, the published table beside it."""
    said = reports.report(read(args.pool), least=args.least, ties=args.ties)
    return said if args.json else reports.table(said)


def export(args: argparse.Namespace) -> object:
    """All labels of a pool as CSV: picture, annotator, label, time, decoder."""
    text = reports.to_csv(read(args.pool))
    if args.out is None:
        return text.rstrip("\n")
    files.write(args.out, text.encode())
    return {"out": str(args.out), "labels": text.count("\n") - 1}


def training(trained: Trained, args: argparse.Namespace) -> torch.Tensor:
    """Images of what the decoder learned from, in random order: the built-in ones where there are any, no download."""
    parts = trained.data.split("+") if not trained.data.startswith("folder:") else [trained.data]
    name = args.data or "+".join(f"sample:{part}" if f"sample:{part}" in datasets.NAMES else part for part in parts)
    channels, size, _ = trained.model.image_shape
    images = datasets.load(name, root=args.root, limit=args.training, size=size, color=channels == 3).images
    order = torch.Generator().manual_seed(child(args.seed or 0, "training"))
    return images[torch.randperm(len(images), generator=order)]


def arguments_pool(add: Add) -> None:
    """What `pool` takes."""
    add("name", help="a trained decoder, e.g. creative-mnist")
    add("--images", type=int, default=500, help="how many pictures, shared equally by the decoders (default: 500)")
    add("--out", type=Path, required=True, metavar="POOL", help="a new folder; the app looks in the folder pools")
    add("--training", type=int, default=100, help="how many training images are shown first (default: 100)")
    add("--data", help="the data set these come from (default: the one it learned from, its built-in part)")
    add(
        "--from",
        dest="source",
        default=str(CHECKPOINTS),
        metavar="SOURCE",
        help="a folder of trained decoders or a Hub repo id (default: the shipped ones)",
    )


def arguments_report(add: Add) -> None:
    """What `report` takes."""
    add("pool", type=Path, metavar="POOL", help="the folder of a pool")
    add("--least", type=int, default=LEAST, help=f"how many annotators make a consensus (default: {LEAST})")
    add(
        "--ties",
        choices=TIES,
        default=TIES[0],
        help="drop pictures whose two most frequent labels tie (default), or count each label with a consensus: multi",
    )


def arguments_export(add: Add) -> None:
    """What `export` takes."""
    add("pool", type=Path, metavar="POOL", help="the folder of a pool")
    add("--out", type=Path, metavar="FILE", help="where to (default: print it)")
