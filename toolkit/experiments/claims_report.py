"""CLAIMS.md: every claim with its verdict; the commands judge, letters, claims."""

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from .. import data, hub, train
from ..index import CHECKPOINTS
from ..metrics.stats import Interval
from ..presets import FIGURES, Experiment
from ..runs import to_json, write
from . import attractors, evidence, judge_runs, release
from . import claims as iterated
from . import table1 as creative
from .evidence import DOES_NOT, HOLDS, MISSING, SHOWN, UNDECIDED, Check, Claim, Results, reproduced

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
        judge_runs.stored(folder)  # before any work: it raises ValueError for what is no run
        write(folder / "contact.png", release.contact(folder))
    if args.contact:
        return {"contact": [str(folder / "contact.png") for folder in args.runs]}
    device = str(train.device(args.device))
    if args.rows:
        made = [judge_runs.measure_rows(folder, root=args.root, device=device) for folder in args.runs]
        return {"rows": [str(path) for paths in made for path in paths]}
    if args.map:
        judge = hub.load_classifier(args.source, args.judge, device=device)
        return {"map": [str(judge_runs.place(folder, judge, args.judge)) for folder in args.runs]}
    options = {"images": args.images, "letters": letters(args), "root": args.root}
    by = judge_runs.bench(args.judge, args.source, device=device, **options)
    written = []
    for folder in args.runs:
        with tqdm(desc=folder.name, unit="set", disable=args.quiet or args.json, dynamic_ncols=True) as bar:

            def on_row(what: str, bar: "tqdm[None]" = bar) -> None:
                bar.set_postfix_str(what, refresh=False)
                bar.update()

            written.append(str(judge_runs.judge(folder, by, on_row)))
        judge_runs.place(folder, by.judge, by.name)
    return {"judged": written}


def letters(args: argparse.Namespace) -> Tensor | None:
    """Letters of typefaces that no judge learned; none if no fonts are where they are by default."""
    try:
        return data.load(args.letters or LETTERS, root=args.root, split="test").images
    except FileNotFoundError:
        if args.letters:
            raise
        return None


def claims(args: argparse.Namespace) -> object:
    """Every claim of the papers as numbers and a verdict, from stored results: CLAIMS.md and claims.json."""
    if not args.source.is_dir():
        raise FileNotFoundError(f"--from {args.source}: there is no such folder of results")
    known = evidence.read(args.source)
    shipped = args.source.resolve() == CHECKPOINTS
    home = args.out or (CHECKPOINTS.parent if shipped else args.source)
    numbers = args.out or args.source
    told = as_dict(known, home)
    write(home / "CLAIMS.md", markdown(known, home).encode())
    write(numbers / "claims.json", to_json(told))
    return json.loads(to_json(told)) if args.json else counts(all_claims(known))


def declare_judge(add: Callable[..., Any]) -> None:
    """What `judge` takes."""
    add("runs", nargs="+", type=Path, metavar="DIR", help="folders of runs, such as checkpoints/fig2")
    add("--judge", default="judge-digits-letters", help="which judge (default: judge-digits-letters)")
    add("--from", "--judges", help="where it is: a folder of runs or a Hub repo id (default: the shipped ones)")
    add("--images", type=int, default=judge_runs.IMAGES, help="of each iteration (default: 1000)")
    add("--letters", metavar="NAME", help=f"the control that is novel (default: {LETTERS}, if it is there)")
    add("--contact", action="store_true", help="only draw contact.png, all the sheets in one picture")
    add("--rows", action="store_true", help="only measure every image of seeds 0 to 999, rows.npz where a model is")
    add("--map", action="store_true", help="only lay the symbols of all sheets out on a map, map.json and map.png")
    for name in ("--root", "--device", "--quiet"):
        add(name)
    add("--json", help="no progress bars")


def declare_claims(add: Callable[..., Any]) -> None:
    """What `claims` takes."""
    add("--from", type=Path, default=CHECKPOINTS, metavar="DIR", help="a folder of results (default: the shipped ones)")
    add("--out", metavar="DIR", help="another folder for both files (default: that of the results)")
    add("--json")


COMMANDS = {
    "judge": (judge, declare_judge, EPILOG["judge"]),
    "claims": (claims, declare_claims, EPILOG["claims"]),
}


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


def all_claims(known: Results) -> list[Claim]:
    """Every claim, in the order of the papers."""
    return [*chain(iterated.figure_claims(known), iterated.study_claims(known))]


def markdown(known: Results, home: Path) -> str:
    """The whole page. home: the folder that it will lie in, where links start from."""
    found, prose = all_claims(known), prose_of(known, _link(known.root, home))
    figures = [HEAD.format(source=_link(known.root, home)), counts(found), glance(found, home)]
    checks = ["## Every claim, check by check", table(found, home), *notes(found)]
    parts = [*figures, *checks, prose.get("figures", ""), *series(known, home, prose), prose.get("studies", "")]
    return "\n\n".join(filter(None, parts)) + "\n"


def as_dict(known: Results, home: Path) -> dict[str, Any]:
    """The same as plain JSON values."""
    return {"claims": [_as_dict(claim, home) for claim in all_claims(known)]}


def counts(found: Sequence[Claim]) -> str:
    """How many there are of each verdict."""
    told = Counter(claim.verdict for claim in found)
    return (
        f"{len(found)} claims: {', '.join(f'{word} {told[word]}' for word in (HOLDS, DOES_NOT, UNDECIDED, MISSING))}."
    )


def glance(found: Sequence[Claim], home: Path) -> str:
    """A row for each figure of "Datasets That Are Not": whether it was reproduced, its claims, and its sheets."""
    rows = []
    for it in FIGURES.values():
        if about := [claim for claim in found if (claim.paper, claim.figure) == (iterated.PAPER, it.figure)]:
            says = "<br>".join(f"{verdict(claim)}: {_untitled(claim, it.title)}" for claim in about)
            rows.append([it.figure, it.title, f"**{reproduced(about)}**", says, _look(about[0].picture, home)])
    return _markdown(["figure", "what it is", "reproduced?", "what is claimed of it", "sheets"], ["---"] * 5, rows)


def table(found: Sequence[Claim], home: Path) -> str:
    """A row for each claim: who makes it, the number that decides and why it, other readings, and a picture."""
    rows = [
        [claim.says, f"{claim.paper}, {_figure(claim.figure)}", f"{_said(claim.primary)}<br>{claim.reason}",
         "<br>".join(map(_said, claim.readings)), f"**{verdict(claim)}**", _look(claim.picture, home)]
        for claim in found
    ]  # fmt: skip
    return _markdown(["claim", "of", "what decides", "readings", "verdict", "picture"], ["---"] * 6, rows)


def verdict(claim: Claim) -> str:
    """The verdict; of what is undecided for want of runs, iterations or images, that."""
    return claim.primary.note if claim.primary.x and claim.primary.short else claim.verdict


def notes(found: Sequence[Claim]) -> Iterator[str]:
    """What to know of some claims, once each."""
    about: dict[str, list[str]] = {}
    for claim in found:
        for note in claim.notes:
            about.setdefault(note, []).append(claim.says)
    if about:
        yield "\n".join(f"- {note} ({'; '.join(claims)}.)" for note, claims in about.items())


def series(known: Results, home: Path, prose: Mapping[str, str]) -> Iterator[str]:
    """For each figure that was run, its first run's sheets, its prose and its measures over iterations and seeds."""
    titles = {name: _titled(it) for name, it in FIGURES.items()}
    filtered = {name: f"Figure 2, filtered: {how}" for name, how in iterated.FILTERED.items()}
    for figure, title in {**titles, **filtered}.items():
        if runs := known.runs.get(figure):
            names = [name for name in SERIES if any(name in row for run in runs for row in run.rows.values())]
            shown = [at for at in SHOWN if any(at in run.rows for run in runs)]
            head = ["iteration", *(SERIES[name] for name in names)]
            rows = [[str(at) if at else "the data", *_row(known, figure, at, names)] for at in shown]
            parts = [f"## {title}", _runs(len(runs)), _sheets(title, known.picture(figure), home)]
            parts += [prose[figure]] if figure in prose else []
            yield "\n\n".join([*parts, _markdown(head, ["---:"] * len(head), rows)])


def _row(known: Results, figure: str, at: int, names: Sequence[str]) -> list[str]:
    return [number(known.over_seeds(figure, lambda run, name=name: run.rows[at][name])) for name in names]  # type: ignore[misc]


def number(x: Interval | None) -> str:
    """A mean and how far its interval goes, with three digits of it: 0.216 ± 0.004."""
    if x is None:
        return ""
    size = max(abs(x["mean"]), 0.0 if x["high"] is None else x["high"] - x["mean"])
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    half = "" if x["high"] is None else f" ± {x['high'] - x['mean']:.{digits}f}"
    return f"{x['mean'] + 0.0:.{digits}f}{half}"


def _said(check: Check) -> str:
    """`distance 1.82 [1.79, 1.85] (over 1.10?): holds, 3 of 3 runs, ...`; no number if it was not run."""
    bar = f"{check.says} {check.bar:.3g}?"
    if check.x is None:
        return f"{check.measure} ({bar})"
    word = check.note if check.short else ", ".join(filter(None, [check.verdict, check.note]))
    return f"{check.measure} {_ends(check.x)} ({bar}): {word}"


def _ends(x: Interval) -> str:
    """A mean and the ends of its interval, with three digits of the largest: 1.82 [1.79, 1.85]."""
    size = max(abs(value) for value in (x["mean"], x["low"], x["high"]) if value is not None)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    mean, low, high = ("" if v is None else f"{v + 0.0:.{digits}f}" for v in (x["mean"], x["low"], x["high"]))
    return f"{mean} [{low}, {high}]" if low else mean


def _as_dict(claim: Claim, home: Path) -> dict[str, Any]:
    return {
        "key": claim.key, "claim": claim.says, "paper": claim.paper, "figure": claim.figure,
        "verdict": claim.verdict, "reason": claim.reason, "notes": list(claim.notes),
        "picture": _link(claim.picture, home) if claim.picture else None,
        "checks": [
            {"measure": check.measure, "number": _rounded(check.x), "says": check.says,
             "bar": _short(check.bar), "verdict": check.verdict, "note": check.note}
            for check in claim.checks
        ],
    }  # fmt: skip


def _rounded(x: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if x is None else {key: _short(value) for key, value in x.items()}


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _figure(name: str) -> str:
    return f"figure {name}" if _numbered(name) else name


def _titled(it: Experiment) -> str:
    return f"Figure {it.figure}: {it.title}" if _numbered(it.figure) else it.title


def _numbered(figure: str) -> bool:
    return figure.isdecimal() and len(figure) < 3  # no year


def _link(path: Path, home: Path) -> str:
    return Path(os.path.relpath(path, home)).as_posix()


def _untitled(claim: Claim, title: str) -> str:
    says = claim.says.removeprefix(f"{title}: ")
    return says[0].lower() + says[1:]


def _look(picture: Path | None, home: Path) -> str:
    return f"[look]({_link(picture, home)})" if picture else ""


def _sheets(title: str, picture: Path | None, home: Path) -> str:
    return f"![{title}: the sheets, iteration by iteration]({_link(picture, home)})" if picture else "No sheets."


def _runs(count: int) -> str:
    return "One run." if count == 1 else f"{count} runs, from as many seeds; the sheets are the first one's."


def _markdown(head: Sequence[str], lines: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, lines, *rows])


PROSE = Path(__file__).with_name("results.md")
JUDGES = ("judge-digits", "judge-letters", "judge-digits-letters", "judge-fashion")


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
    made: dict[str, Callable[[], str]] = {
        "judges": partial(_judges, known.root), "screening": partial(_screening, known.root)
    }  # fmt: skip
    if (table1 := known.table1) is not None:
        made |= {
            "creative.table": partial(creative.table, table1), "creative.order": partial(creative.order, table1),
            "creative.cells": partial(creative.cells, table1, "equal displacement"),
            "creative.readings": partial(creative.readings, table1),
        }  # fmt: skip
    if (study := known.study) is not None:
        of_it: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "depth": partial(attractors.sweep, setting="depth"), "trends": attractors.trends,
            "perturbations": attractors.perturbations, "line": attractors.line, "cube": attractors.cube,
            "verdicts": attractors.verdicts,
        }  # fmt: skip
        made |= {f"kaleidoscope.{name}": partial(table, study) for name, table in of_it.items()}
        made["kaleidoscope.runs"] = partial(attractors.runs, study["shown"])
        made["kaleidoscope.trace"] = partial(_trace, known.root)
    return made


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
    return _markdown(head, ["---", "---", *["---:"] * (len(head) - 2)], rows)


def _trace(root: Path) -> str:
    losses: Any = hub.facts(root / "kaleidoscope-mnist" / "iter_001" / "model.safetensors")["losses"]
    return attractors.learned(losses)


def _judges(root: Path) -> str:
    reports = {name: json.loads((root / name / "report.json").read_text(encoding="utf-8")) for name in JUDGES}
    return _table_of_classifiers({name: report["networks"][0] for name, report in reports.items()})


def _table_of_classifiers(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """The judges as Markdown: what each names how well. reports: what `report` says of each, by name."""
    lines = [
        "| judge | classes | images it had not seen | named rightly | commonest mistake |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name, said in reports.items():
        first = said["mistakes"][0]
        share = first["images"] / sum(said["confusion"][[*said["accuracy_by_class"]].index(first["class"])])
        mistake = f"{first['class']} taken for {first['named']}, {100 * share:.1f} %"
        lines.append(
            f"| `{name}` | {len(said['confusion'])} | {said['images']:,} | {100 * said['accuracy']:.1f} % | {mistake} |"
        )
    return "\n".join(lines)
