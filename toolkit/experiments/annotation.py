"""The annotation study: build a pool, report on its labels, export them; simulated annotators.

Here, and nowhere else, labels and schemes come together: the page that people label on never reads schemes.json.

Every picture has a kind of its own, drawn by the fractions of its scheme. An annotator sees it with probability
`sight`, and otherwise guesses by the same fractions. Two annotators then agree beyond chance exactly if both see, so
that within a scheme Fleiss' kappa is sight squared, and the shares of all labels are the fractions whatever the sight.
The consensus comes near the fractions only if most annotators see: of mere guesses it makes the commonest label.
"""

import argparse
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from math import isnan, sqrt
from pathlib import Path
from random import Random
from typing import Any

import torch

from .. import data, index, train
from ..annotation import LABELS, Label, Labels, Pool, build, read
from ..hub import Trained, decode_all, load_decoder
from ..metrics.agreement import LEAST, TIES, summary, tally
from ..seeds import child
from .table1 import TABLE1

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
    trained = load_decoder(args.source, args.name, device=str(train.device(args.device)))
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
    said = report_of(read(args.pool), least=args.least, ties=args.ties)
    return said if args.json else table(said)


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


def declare_pool(add: Add) -> None:
    """What `pool` takes."""
    add("name", help="a trained decoder, e.g. creative-mnist")
    add("--images", type=int, default=500, help="how many pictures, shared equally by the decoders (default: 500)")
    add("--out", required=True, metavar="POOL", help="a new folder; the app looks in the folder pools")
    add("--training", type=int, default=100, help="how many training images are shown first (default: 100)")
    add("--data", help="the data set these come from (default: the one it learned from, its built-in part)")
    for name in ("--from", "--seed", "--root", "--device"):
        add(name)


def declare_report(add: Add) -> None:
    """What `report` takes."""
    add("pool", type=Path, metavar="POOL", help="the folder of a pool")
    add("--least", type=int, default=LEAST, help=f"how many annotators make a consensus (default: {LEAST})")
    add(
        "--ties",
        choices=TIES,
        default=TIES[0],
        help="drop pictures whose two most frequent labels tie (default), or count each label with a consensus: multi",
    )
    add("--json")


def declare_export(add: Add) -> None:
    """What `export` takes."""
    add("pool", type=Path, metavar="POOL", help="the folder of a pool")
    add("--out", metavar="FILE", help="where to (default: print it)")


COMMANDS = {
    "pool": (pool, declare_pool, EPILOG["pool"]),
    "report": (report, declare_report, EPILOG["report"]),
    "export": (export, declare_export, EPILOG["export"]),
}


PUBLISHED = {data: {scheme: row[: len(LABELS)] for scheme, row in rows.items()} for data, rows in TABLE1.items()}
HEAD = ["scheme", *LABELS, "pictures", "consensus", "ties", "too few", "kappa"]
COLUMNS = ["image", "annotator", "label", "meaning", "time", "scheme", "row"]


def report_of(pool: Pool, *, least: int = LEAST, ties: str = "drop") -> dict[str, Any]:
    """The table of a pool as plain JSON values; None where there is nothing to divide by.

    least, ties: as in `metrics.annotation.consensus`. Raises ValueError if labels or schemes cannot be read.
    """
    rows, places = Labels(pool).rows(), schemes(pool)
    votes = tally(((row.image, row.label - 1) for row in rows), pool.about.images, len(LABELS))
    table = {}
    for scheme in sorted(set(places), key=_rank):
        mine = [image for image, other in enumerate(places) if other == scheme]
        table[scheme] = summary(votes[mine], least, ties)
    whole = summary(votes, least, ties)
    return _plain({
        "title": pool.about.title, "data": pool.about.data, "annotators": len({row.annotator for row in rows}),
        "labels": len(rows), "fewest": int(votes.sum(1).min()), "most": int(votes.sum(1).max()),
        "least": least, "ties": ties, "names": list(LABELS), **whole, "schemes": table,
        "published": PUBLISHED.get(pool.about.data),
    })  # fmt: skip


def schemes(pool: Pool) -> list[str]:
    """The scheme of each picture. Raises ValueError if schemes.json is damaged or of another pool."""
    return [place["scheme"] for place in _places(pool)]


def table(said: dict[str, Any]) -> str:
    """A report in Markdown: what was found, what was published in italics beneath, and what one should know of it."""
    lines = []
    for scheme, row in said["schemes"].items():
        counts = [str(row[key]) for key in ("images", "consensus", "tied", "short")]
        lines.append([scheme, *map(_number, row["shares"]), *counts, _number(row["kappa"])])
        if scheme in (said["published"] or {}):
            lines.append(["*published*", *(f"*{share:.2f}*" for share in said["published"][scheme]), *[""] * 5])
    head = [HEAD, ["---", *["---:"] * (len(HEAD) - 1)]]
    body = "\n".join("| " + " | ".join(cells) + " |" for cells in [*head, *lines])
    return f"{_about(said)}\n\n{body}\n\n{_notes(said)}"


def to_csv(pool: Pool) -> str:
    """Every label with its scheme, one a line, in the order they were given. Raises ValueError as `report` does."""
    places, text = _places(pool), StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_line(row, places[row.image]) for row in Labels(pool).rows())
    return text.getvalue()


def _line(row: Label, place: dict[str, Any]) -> list[Any]:
    return [row.image, row.annotator, row.label, LABELS[row.label - 1], row.time, place["scheme"], place["row"]]


def _places(pool: Pool) -> list[dict[str, Any]]:
    path = pool.folder / "schemes.json"
    try:
        said = json.loads(path.read_bytes())
        places = [{"scheme": str(place["scheme"]), "row": int(place["row"])} for place in said["images"]]
        if said["key"] != pool.about.key or len(places) != pool.about.images:
            raise ValueError("it is of another pool")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say who made which picture ({error}): restore it") from error
    return places


def _rank(scheme: str) -> tuple[int, str]:
    """The order of a table: as published; what is not in it comes after, by name."""
    known = list(TABLE1["mnist"])
    return (known.index(scheme) if scheme in known else len(known)), scheme


def _about(said: dict[str, Any]) -> str:
    per_picture = f"{said['fewest']} to {said['most']}" if said["fewest"] != said["most"] else str(said["most"])
    return (
        f"**{said['title']}**: {said['images']:,} pictures, {said['annotators']} annotators, {said['labels']:,} "
        f"labels, {per_picture} per picture. Fleiss' kappa over all pictures: {_number(said['kappa'])}."
    )


def _notes(said: dict[str, Any]) -> str:
    rule = {"drop": "the most frequent one, ties dropped", "multi": "each of them, a picture with two counted twice"}
    fewest = min((row["consensus"] for row in said["schemes"].values()), default=0)
    margin = f" Shares are within {0.98 / sqrt(fewest):.2f} (95 %, sampling alone)." if fewest else ""
    return (
        f"A picture has a label that at least {said['least']} annotators gave: {rule[said['ties']]}. Shares are over "
        f"the pictures with a consensus; *too few*: no label was given by {said['least']}.{margin} The less annotators "
        f"agree, the more a consensus exaggerates the commonest label: read shares beside kappa."
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _plain(value: Any) -> Any:
    """JSON has no NaN: None in its place, at any depth."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and isnan(value) else value


def crowd(
    schemes: Sequence[str],
    fractions: Mapping[str, Sequence[float]],
    *,
    annotators: int = 9,
    sight: float = 0.8,
    seed: int = 0,
) -> list[Label]:
    """What a crowd says of a pool: every annotator of every picture.

    schemes: that of each picture. fractions: of each label, in the order of `LABELS`, by scheme. sight: 0 to 1.
    Raises ValueError for fractions that are no weights of the four labels, or a sight that is no probability.
    """
    for scheme, weights in fractions.items():
        if len(weights) != len(LABELS) or min(weights) < 0 or not sum(weights):
            raise ValueError(f"the fractions of {scheme} are {list(weights)}: give {len(LABELS)}, none under 0")
    if not 0 <= sight <= 1:
        raise ValueError(f"sight {sight} is no probability: give 0 to 1")
    random = Random(seed)

    def draw(scheme: str) -> int:
        return random.choices(range(1, len(LABELS) + 1), fractions[scheme])[0]

    kinds = [draw(scheme) for scheme in schemes]
    return [
        Label(image, f"annotator {number}", kind if random.random() < sight else draw(scheme))
        for number in range(1, annotators + 1)
        for image, (scheme, kind) in enumerate(zip(schemes, kinds, strict=True))
    ]
