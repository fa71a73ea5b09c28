"""The report on a pool, shaped like Table 1 of "Toward a neuro-inspired creative decoder" and beside its figures.

Here, and nowhere else, labels and schemes come together: the page that people label on never reads schemes.json.
"""

import csv
import json
from collections.abc import Sequence
from io import StringIO
from math import isnan, sqrt
from typing import Any

from ..creative.paper import TABLE1
from ..metrics.annotation import LEAST, summary, tally
from .pool import Pool
from .store import LABELS, Label, Labels

PUBLISHED = {data: {scheme: row[: len(LABELS)] for scheme, row in rows.items()} for data, rows in TABLE1.items()}
HEAD = ["scheme", *LABELS, "pictures", "consensus", "ties", "too few", "kappa"]
COLUMNS = ["image", "annotator", "label", "meaning", "time", "scheme", "row"]


def report(pool: Pool, *, least: int = LEAST, ties: str = "drop") -> dict[str, Any]:
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
