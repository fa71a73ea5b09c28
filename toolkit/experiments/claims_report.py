"""CLAIMS.md: every claim with its verdict, and the measures of every figure over its iterations; the command claims."""

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .. import hub
from ..cli import arg, command
from ..index import CHECKPOINTS, read_json
from ..plot import markdown_table
from ..presets import FIGURES
from ..runs import write
from . import adversarial, attractors, decoder_studies, evidence, latents, table1, taste, words
from . import claims as papers
from .common import decimals, number
from .evidence import DOES_NOT, HOLDS, MISSING, SHOWN, UNDECIDED, Check, Claim, Results, reproduced

HEAD = """# What the papers claim, and what the numbers say

Written by `python -m toolkit claims` from the results in `{source}`; its prose, about the runs that are
shipped, is in `toolkit/experiments/results.md`. Of each claim one number decides, named
with its bar and its reason in `toolkit/experiments/claims.py` before the runs; the other numbers are readings of the
same words, and decide nothing. A number is a mean over training runs with its 95 % interval, by a bootstrap that draws
runs again and then the images in each. It holds if the whole interval lies on the claimed side of its bar, and does not
if it lies on the other. Fewer than three runs, three iterations or a hundred images decide nothing. With three runs an
interval is their range, and chance alone puts all three on one side of a bar once in four times; with six runs once in
thirty-two (the sign test's *p*). Measures are of seeds 0 to 999 at every iteration (`rows.npz`); of older runs they are
of the first 1,000 images, and what they did not measure is measured on their sheets of 100.

A figure is *reproduced* if every claim about it holds; *partly* if one does; *not* if one is refuted and
nothing holds. To the eye a figure may be more, or less: its sheets are below, iteration by
iteration."""
SERIES = {
    "blank_share": "blank", "unique_share": "unique", "ink": "ink", "diversity": "diversity",
    "edge_length": "edge length", "novelty_median": "distance to data", "normalised_entropy": "judge's entropy",
    "class_diversity": "diversity of classes", "in_class_count_by_max": "surely in class",
    "frechet_distance": "Fréchet distance",
}  # fmt: skip
DIGITS = 6  # significant ones in JSON: more would differ from machine to machine
WORDS = (HOLDS, DOES_NOT, UNDECIDED, MISSING)


def all_claims(known: Results) -> list[Claim]:
    """Every claim, in the order of the papers."""
    return [*papers.figure_claims(known), *papers.study_claims(known)]


def page(known: Results, found: Sequence[Claim], home: Path) -> str:
    """The whole page. found: all claims; home: the folder that it will lie in, where links start from."""
    source = _link(known.root, home)
    prose = prose_of(known, source)
    parts = [
        HEAD.format(source=source), counts(found), glance(found, home),
        "## Every claim, check by check", table(found, home), notes(found),
        prose.get("figures", ""), *series(known, home, prose), prose.get("studies", ""),
    ]  # fmt: skip
    return "\n\n".join(filter(None, parts)) + "\n"


def as_dict(found: Sequence[Claim], home: Path) -> dict[str, Any]:
    """Claims as plain JSON values."""
    return {"claims": [
        {
            "key": claim.key, "claim": claim.text, "paper": claim.paper, "figure": claim.figure,
            "verdict": claim.verdict, "reason": claim.reason, "notes": list(claim.notes),
            "picture": _link(claim.picture, home) if claim.picture else None,
            "checks": [
                {"measure": check.measure, "number": _rounded(check.x), "says": check.side,
                 "bar": _rounded(check.bar), "verdict": check.verdict, "note": check.note}
                for check in claim.checks
            ],
        }
        for claim in found
    ]}  # fmt: skip


def counts(found: Sequence[Claim]) -> str:
    """How many there are of each verdict."""
    count = Counter(claim.verdict for claim in found)
    return f"{len(found)} claims: " + ", ".join(f"{word} {count[word]}" for word in WORDS) + "."


def glance(found: Sequence[Claim], home: Path) -> str:
    """A row for each figure of "Datasets That Are Not": whether it was reproduced, its claims, and its sheets."""
    rows = []
    for it in FIGURES.values():
        if about := [claim for claim in found if (claim.paper, claim.figure) == (papers.PAPER, it.figure)]:
            texts = [claim.text.removeprefix(f"{it.title}: ") for claim in about]
            each = [f"{verdict(claim)}: {text[0].lower()}{text[1:]}" for claim, text in zip(about, texts, strict=True)]
            picture = _look(about[0].picture, home)
            rows.append([it.figure, it.title, f"**{reproduced(about)}**", "<br>".join(each), picture])
    return markdown_table(["figure", "what it is", "reproduced?", "what is claimed of it", "sheets"], rows, 5)


def table(found: Sequence[Claim], home: Path) -> str:
    """A row for each claim: who makes it, the number that decides and why it, other readings, and a picture."""
    rows = [
        [
            claim.text,
            f"{claim.paper}, {'figure ' * _numbered(claim.figure)}{claim.figure}",
            f"{_text(claim.primary)}<br>{claim.reason}",
            "<br>".join(map(_text, claim.readings)),
            f"**{verdict(claim)}**",
            _look(claim.picture, home),
        ]
        for claim in found
    ]
    return markdown_table(["claim", "of", "what decides", "readings", "verdict", "picture"], rows, 6)


def verdict(claim: Claim) -> str:
    """The verdict; of what is undecided for want of runs, iterations or images, that."""
    return claim.primary.note if claim.primary.x and claim.primary.short else claim.verdict


def notes(found: Sequence[Claim]) -> str:
    """What to know of some claims, once each."""
    about: dict[str, list[str]] = {}
    for claim in found:
        for note in claim.notes:
            about.setdefault(note, []).append(claim.text)
    return "\n".join(f"- {note} ({'; '.join(claims)}.)" for note, claims in about.items())


def series(known: Results, home: Path, prose: Mapping[str, str]) -> Iterator[str]:
    """For each figure that was run, its first run's sheets, its prose and its measures over iterations and seeds."""
    titles = {
        name: f"Figure {it.figure}: {it.title}" if _numbered(it.figure) else it.title for name, it in FIGURES.items()
    }
    filtered = {name: f"Figure 2, filtered: {how}" for name, how in papers.FILTERED.items()}
    for figure, title in {**titles, **filtered}.items():
        if runs := known.runs.get(figure):
            names = [name for name in SERIES if any(name in row for run in runs for row in run.rows.values())]
            shown = [at for at in SHOWN if any(at in run.rows for run in runs)]
            head = ["iteration", *(SERIES[name] for name in names)]
            rows = [
                [str(at) if at else "the data", *(number(known.mean(figure, at, name)) for name in names)]
                for at in shown
            ]
            count = f"{len(runs)} runs, from as many seeds; the sheets are the first one's."
            sheet, picture = "No sheets.", known.picture(figure)
            if picture:
                sheet = f"![{title}: the sheets, iteration by iteration]({_link(picture, home)})"
            parts = [f"## {title}", "One run." if len(runs) == 1 else count, sheet, prose.get(figure, "")]
            yield "\n\n".join(filter(None, [*parts, markdown_table(head, rows, 0)]))


def _text(check: Check) -> str:
    """`distance 1.82 [1.79, 1.85] (over 1.10?): holds, 3 of 3 runs, ...`, with three digits; no number if not run."""
    bar = f"{check.side} {check.bar:.3g}?"
    if check.x is None:
        return f"{check.measure} ({bar})"
    values = [value for value in (check.x["mean"], check.x["low"], check.x["high"]) if value is not None]
    digits = decimals(max(map(abs, values)))
    mean, *ends = (f"{value + 0.0:.{digits}f}" for value in values)
    shown = f"{mean} [{', '.join(ends)}]" if ends else mean
    word = check.note if check.short else ", ".join(filter(None, [check.verdict, check.note]))
    return f"{check.measure} {shown} ({bar}): {word}"


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _numbered(figure: str) -> bool:
    return figure.isdecimal() and len(figure) < 3  # no year


def _link(path: Path, home: Path) -> str:
    return Path(os.path.relpath(path, home)).as_posix()


def _look(picture: Path | None, home: Path) -> str:
    return f"[look]({_link(picture, home)})" if picture else ""


PROSE = Path(__file__).with_name("results.md")
LATENTS = Path("latents", "study.json")
TRACE = Path("kaleidoscope-mnist", "iter_001", "model.safetensors")
CLASSIFIERS = ("judge-digits", "judge-letters", "judge-digits-letters", "judge-fashion")


def prose_of(known: Results, root: str) -> dict[str, str]:
    """Markdown by section: "figures", a figure's name, "studies". Empty for other results than the shipped ones.

    root: the link from the page to the results. Raises CheckpointError or OSError if results that it shows are missing.
    """
    if known.root.resolve() != hub.CHECKPOINTS.resolve():
        return {}
    linked = PROSE.read_text(encoding="utf-8").replace("](checkpoints/", f"]({root}/")
    _, *parts = re.split(r"^# (\S+)\n", linked, flags=re.MULTILINE)
    made = tables(known)
    return {
        name: re.sub(r"^\{([\w.]+)\}$", lambda found: made[found[1]](), text.strip(), flags=re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def tables(known: Results) -> Mapping[str, Callable[[], str]]:
    """Every table of the studies, by the name that results.md calls it."""
    creative, study, fooled = known.table1 or {}, known.study or {}, dict(known.adversarial or {})
    return {
        "judges": lambda: _classifiers(known.root),
        "latents": lambda: latents.table(read_json(known.root / LATENTS)),
        "screening": lambda: _screening(known.root),
        "adversarial": lambda: adversarial.intervals(fooled),
        "creative.table": lambda: table1.table(creative),
        "creative.order": lambda: table1.order(creative),
        "creative.cells": lambda: table1.cells(creative, "equal displacement"),
        "creative.readings": lambda: table1.readings(creative),
        **{f"creative.{name}": partial(decoder_studies.report, it) for name, it in known.decoders.items()},
        "taste": lambda: taste.table(read_json(known.root / "raising" / "taste.json")),
        "kaleidoscope.depth": lambda: attractors.sweep(study, "depth"),
        "kaleidoscope.trends": lambda: attractors.trends(study),
        "kaleidoscope.perturbations": lambda: attractors.perturbations(study),
        "kaleidoscope.line": lambda: attractors.line(study),
        "kaleidoscope.cube": lambda: attractors.cube(study),
        "kaleidoscope.verdicts": lambda: attractors.verdicts(study),
        "kaleidoscope.runs": lambda: attractors.runs(study["shown"]),
        "words.invented": lambda: words.invented(known.root),
        "words.iterations": lambda: words.by_iteration(known.root),
        "words.temperatures": lambda: words.by_temperature(known.root),
        "kaleidoscope.trace": lambda: attractors.learned(hub.facts(known.root / TRACE)["losses"]),
    }


def _screening(root: Path) -> str:
    """The small runs by which rules were compared: the first and the last iteration that each has, and the data."""
    found = json.loads((root / "fig2" / "screening.json").read_text(encoding="utf-8"))
    columns = {"ink": "ink", "blank_share": "blank", "diversity": "diversity", "edge_length": "edge length",
               "perimetric_complexity": "perimetric", "novelty_median": "distance to data"}  # fmt: skip
    rows = [["digits", "", "", "", *(f"{found['data'][key]:.3g}" for key in columns)]]
    for run in found["runs"]:
        for row in run["iterations"][:1] + run["iterations"][1:][-1:]:
            at = f"{row['iteration']} of {run['asked']}"
            rows.append([run["arm"], run["size"], str(run["seed"]), at, *(f"{row[key]:.3g}" for key in columns)])
    head = ["run", "size", "seed", "iteration", *columns.values()]
    return markdown_table(head, rows, 2)


def _classifiers(root: Path) -> str:
    """How well the classifiers name images that they did not learn."""
    rows = []
    for name in CLASSIFIERS:
        it = json.loads((root / name / "report.json").read_text(encoding="utf-8"))["networks"][0]
        first, classes = it["mistakes"][0], [*it["accuracy_by_class"]]
        share = 100 * first["images"] / sum(it["confusion"][classes.index(first["class"])])
        mistake = f"{first['class']} taken for {first['named']}, {share:.1f} %"
        accuracy = f"{100 * it['accuracy']:.1f} %"
        rows.append([f"`{name}`", str(len(it["confusion"])), f"{it['images']:,}", accuracy, mistake])
    head = ["judge", "classes", "images it had not seen", "named rightly", "commonest mistake"]
    return markdown_table(head, rows).replace(" ---: |\n", " --- |\n", 1)  # the last column is of words


@command(
    "claims",
    """examples:
  python -m toolkit claims                             CLAIMS.md and checkpoints/claims.json, from the shipped results
  python -m toolkit claims --from runs --out runs      from runs of yours, into runs/CLAIMS.md and runs/claims.json
What was not run yet is marked.""",
    arg(
        "--from", type=Path, default=CHECKPOINTS, metavar="DIR", help="a folder of results (default: the shipped ones)"
    ),
    arg("--out", metavar="DIR", help="another folder for both files (default: that of the results)"),
    arg("--json"),
)
def claims(args: argparse.Namespace) -> object:
    """Every claim of the papers as numbers and a verdict, from stored results: CLAIMS.md and claims.json."""
    if not args.source.is_dir():
        raise FileNotFoundError(f"--from {args.source}: there is no such folder of results")
    known = evidence.read(args.source)
    home = args.out or (CHECKPOINTS.parent if args.source.resolve() == CHECKPOINTS else args.source)
    found = all_claims(known)
    numbers = as_dict(found, home)
    write(home / "CLAIMS.md", page(known, found, home).encode())
    write((args.out or args.source) / "claims.json", numbers)
    return numbers if args.json else counts(found)
