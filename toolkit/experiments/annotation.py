"""The annotation study: build a pool, report on its labels, export them.

Here, and nowhere else, labels and schemes come together: the page that people label on never reads schemes.json.
"""

import argparse
import csv
import json
from io import StringIO
from math import isnan, sqrt
from pathlib import Path
from typing import Any

import torch

from .. import data, index, train
from ..annotation import LABELS, Labels, Pool, build, read
from ..cli import arg, command
from ..hub import Trained, decode_all, load_decoder
from ..metrics.stats import LEAST, TIES, agreement, tally
from ..plot import markdown_table
from ..seeds import child
from .table1 import TABLE1


@command(
    "pool",
    """examples:
  python -m toolkit pool creative-mnist --out pools/digits     500 pictures, a quarter by each decoder
  python app.py                                                the tab Annotate shows the pools below the folder pools
The folder says nowhere on the page which decoder made a picture; schemes.json in it does, so do not look.""",
    arg("name", help="a trained decoder, e.g. creative-mnist"),
    arg("--images", type=int, default=500, help="how many pictures, shared equally by the decoders (default: 500)"),
    arg("--out", required=True, metavar="POOL", help="a new folder; the app looks in the folder pools"),
    arg("--training", type=int, default=100, help="how many training images are shown first (default: 100)"),
    arg("--data", help="the data set these come from (default: the one it learned from, its built-in part)"),
    *map(arg, ("--from", "--seed", "--root", "--device")),
)
def pool(args: argparse.Namespace) -> object:
    """Build a pool of pictures by all decoders, mixed and unmarked, for people to label in the app."""
    if args.images < 4 or args.training < 1:
        raise ValueError(f"--images {args.images} --training {args.training}: give at least 4 and 1")
    trained = load_decoder(args.source, args.name, device=str(train.device(args.device)))
    seed = args.seed or 0
    first = child(seed, "annotation")
    pictures = decode_all(trained, range(first, first + args.images))
    schemes = {scheme: x[place :: len(pictures)] for place, (scheme, x) in enumerate(pictures.items())}  # no code twice
    made = {"experiment": trained.name, "how": repr(trained.how), "seed": seed, "first_code": first}
    shown = training(trained, args)
    built = build(args.out, schemes, shown, title=trained.title, data=trained.data, seed=seed, made=made)
    return {"pool": str(built.folder), "images": built.about.images, "training": built.about.training}


@command(
    "report",
    """examples:
  python -m toolkit report pools/digits                        the table, beside the published one
  python -m toolkit report pools/digits --ties multi --json""",
    arg("pool", type=Path, metavar="POOL", help="the folder of a pool"),
    arg("--least", type=int, default=LEAST, help=f"how many annotators make a consensus (default: {LEAST})"),
    arg(
        "--ties",
        choices=TIES,
        default=TIES[0],
        help="drop pictures whose two most frequent labels tie (default), or count each label with a consensus: multi",
    ),
    arg("--json"),
)
def report(args: argparse.Namespace) -> object:
    """The labels of a pool: their shares per decoder, agreement of the annotators, the published table beside them."""
    found = report_of(read(args.pool), least=args.least, ties=args.ties)
    return found if args.json else table(found)


@command(
    "export",
    """example:
  python -m toolkit export pools/digits --out labels.csv       one line per picture and annotator, with the decoder""",
    arg("pool", type=Path, metavar="POOL", help="the folder of a pool"),
    arg("--out", metavar="FILE", help="where to (default: print it)"),
)
def export(args: argparse.Namespace) -> object:
    """All labels of a pool as CSV: picture, annotator, label, time, decoder."""
    text = to_csv(read(args.pool))
    if args.out is None:
        return text.rstrip("\n")
    index.write_atomic(args.out, text.encode())
    return {"out": str(args.out), "labels": text.count("\n") - 1}


def training(trained: Trained, args: argparse.Namespace) -> torch.Tensor:
    """Images of what the decoder learned from, in random order: the built-in ones where there are any, no download."""
    parts = trained.data.split("+") if not trained.data.startswith("folder:") else [trained.data]
    name = args.data or "+".join(f"sample:{part}" if f"sample:{part}" in data.NAMES else part for part in parts)
    channels, size, _ = trained.model.image_shape
    images = data.load(name, root=args.root, limit=args.training, size=size, color=channels == 3).images
    order = torch.Generator().manual_seed(child(args.seed or 0, "training"))
    return images[torch.randperm(len(images), generator=order)]


PUBLISHED = {data: {scheme: row[: len(LABELS)] for scheme, row in rows.items()} for data, rows in TABLE1.items()}
HEAD = ["scheme", *LABELS, "pictures", "consensus", "ties", "too few", "kappa"]
COLUMNS = ["image", "annotator", "label", "meaning", "time", "scheme", "row"]


def report_of(pool: Pool, *, least: int = LEAST, ties: str = "drop") -> dict[str, Any]:
    """The table of a pool as plain JSON values; None where there is nothing to divide by.

    least, ties: as in `metrics.stats.consensus`. Raises ValueError if labels or schemes cannot be read.
    """
    rows, places = Labels(pool).rows(), schemes(pool)
    votes = tally(((row.image, row.label - 1) for row in rows), pool.about.images, len(LABELS))
    published = list(TABLE1["mnist"])  # the order of the table; what is not in it comes after, by name
    table = {}
    for scheme in sorted(set(places), key=lambda it: (published.index(it) if it in published else len(published), it)):
        mine = [image for image, other in enumerate(places) if other == scheme]
        table[scheme] = agreement(votes[mine], least, ties)
    return _plain({
        "title": pool.about.title, "data": pool.about.data, "annotators": len({row.annotator for row in rows}),
        "labels": len(rows), "fewest": int(votes.sum(1).min()), "most": int(votes.sum(1).max()),
        "least": least, "ties": ties, "names": list(LABELS), **agreement(votes, least, ties), "schemes": table,
        "published": PUBLISHED.get(pool.about.data),
    })  # fmt: skip


def schemes(pool: Pool) -> list[str]:
    """The scheme of each picture. Raises ValueError if schemes.json is damaged or of another pool."""
    return [place["scheme"] for place in _places(pool)]


def table(found: dict[str, Any]) -> str:
    """A report in Markdown: what was found, what was published in italics beneath, and what one should know of it."""
    rows = []
    for scheme, row in found["schemes"].items():
        counts = [str(row[key]) for key in ("images", "consensus", "tied", "short")]
        rows.append([scheme, *map(_number, row["shares"]), *counts, _number(row["kappa"])])
        if scheme in (found["published"] or {}):
            rows.append(["*published*", *(f"*{share:.2f}*" for share in found["published"][scheme]), *[""] * 5])
    few, most = found["fewest"], found["most"]
    about = (
        f"**{found['title']}**: {found['images']:,} pictures, {found['annotators']} annotators, {found['labels']:,} "
        f"labels, {most if few == most else f'{few} to {most}'} per picture. Fleiss' kappa over all pictures: "
        f"{_number(found['kappa'])}."
    )
    rule = {"drop": "the most frequent one, ties dropped", "multi": "each of them, a picture with two counted twice"}
    fewest = min((row["consensus"] for row in found["schemes"].values()), default=0)
    margin = f" Shares are within {0.98 / sqrt(fewest):.2f} (95 %, sampling alone)." if fewest else ""
    notes = (
        f"A picture has a label that at least {found['least']} annotators gave: {rule[found['ties']]}. Shares are over "
        f"the pictures with a consensus; *too few*: no label was given by {found['least']}.{margin} The less "
        f"annotators agree, the more a consensus exaggerates the commonest label: read shares beside kappa."
    )
    return f"{about}\n\n{markdown_table(HEAD, rows)}\n\n{notes}"


def to_csv(pool: Pool) -> str:
    """Every label with its scheme, one a line, in the order they were given. Raises ValueError as `report` does."""
    places, text = _places(pool), StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for it in Labels(pool).rows():
        place = places[it.image]
        writer.writerow(
            [it.image, it.annotator, it.label, LABELS[it.label - 1], it.time, place["scheme"], place["row"]]
        )
    return text.getvalue()


def _places(pool: Pool) -> list[dict[str, Any]]:
    path = pool.folder / "schemes.json"
    try:
        stored = json.loads(path.read_bytes())
        places = [{"scheme": str(place["scheme"]), "row": int(place["row"])} for place in stored["images"]]
        if stored["key"] != pool.about.key or len(places) != pool.about.images:
            raise ValueError("it is of another pool")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say who made which picture ({error}): restore it") from error
    return places


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _plain(value: Any) -> Any:
    """JSON has no NaN: None in its place, at any depth."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and isnan(value) else value
