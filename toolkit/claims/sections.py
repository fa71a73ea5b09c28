"""The prose of CLAIMS.md about the shipped results, from results.md, with the tables of the studies in it."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .. import hub
from ..creative import report as creative
from ..judges import report as judges
from ..kaleidoscopes import report as kaleidoscopes
from .results import Results

FILE = Path(__file__).with_name("results.md")
JUDGES = ("judge-digits", "judge-letters", "judge-digits-letters", "judge-fashion")


def prose(known: Results, root: str) -> dict[str, str]:
    """Markdown by section: "figures", a figure's name, "studies". Empty for other results than the shipped ones.

    root: the link from the page to the results. Raises CheckpointError or OSError if results that it shows are missing.
    """
    if known.root.resolve() != hub.CHECKPOINTS.resolve():
        return {}
    linked = FILE.read_text(encoding="utf-8").replace("](checkpoints/", f"]({root}/")
    _, *parts = re.split(r"^# (\S+)\n", linked, flags=re.MULTILINE)
    made = tables(known)
    return {
        name: re.sub(r"^\{([\w.]+)\}$", lambda found: made[found[1]](), text.strip(), flags=re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def tables(known: Results) -> Mapping[str, Callable[[], str]]:
    """Every table of the studies, by the name that results.md calls it."""
    made: dict[str, Callable[[], str]] = {"judges": partial(_judges, known.root)}
    if (table1 := known.table1) is not None:
        made |= {
            "creative.table": partial(creative.table, table1), "creative.order": partial(creative.order, table1),
            "creative.cells": partial(creative.cells, table1, "equal displacement"),
            "creative.readings": partial(creative.readings, table1),
        }  # fmt: skip
    if (study := known.study) is not None:
        of_it: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "depth": partial(kaleidoscopes.sweep, setting="depth"), "trends": kaleidoscopes.trends,
            "perturbations": kaleidoscopes.perturbations, "line": kaleidoscopes.line, "cube": kaleidoscopes.cube,
            "verdicts": kaleidoscopes.verdicts,
        }  # fmt: skip
        made |= {f"kaleidoscope.{name}": partial(table, study) for name, table in of_it.items()}
        made["kaleidoscope.runs"] = partial(kaleidoscopes.runs, study["shown"])
        made["kaleidoscope.trace"] = partial(_trace, known.root)
    return made


def _trace(root: Path) -> str:
    losses: Any = hub.facts(root / "kaleidoscope-mnist" / "iter_001" / "model.safetensors")["losses"]
    return kaleidoscopes.learned(losses)


def _judges(root: Path) -> str:
    reports = {name: json.loads((root / name / "report.json").read_text(encoding="utf-8")) for name in JUDGES}
    return judges.table({name: report["networks"][0] for name, report in reports.items()})
