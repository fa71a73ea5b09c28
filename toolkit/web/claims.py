"""The tab "Claims": what the papers claim, what the numbers say, and a verdict, out of claims.json. Needs no torch."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .. import __version__, index
from ..config import checked, choose
from ..index import CheckpointError, strict_json
from .server import Message, figure, module, static

TAB = "Claims"
FILE = "claims.json"
LARGEST, LARGEST_PICTURE = 2**22, 2**24  # bytes
HOLDS, DOES_NOT, UNDECIDED, MISSING = "holds", "does not", "undecided", "not run yet"  # as `claims.rules` has them
VERDICTS = (HOLDS, DOES_NOT, UNDECIDED, MISSING)
SHORT = "not decided: "  # so begins the note of a check that has too little for a verdict
COMPARISONS = ("over", "at most", "under", "at least")
COMMAND = "python -m toolkit claims"
TABS = {
    "iterations": "Iterations",
    "decoder": "Creative decoder",
    "kaleidoscope": "Kaleidoscope",
    "judge": "Is it new?",
}
KINDS = {  # of experiments that a paper's claims are about, beside those of its figures
    "Toward a neuro-inspired creative decoder": "decoder",
    "Generative Kaleidoscopic Networks": "kaleidoscope",
    "Out-of-class novelty generation": "judge",
}
RUN = {"decoder": "table1 --out runs", "kaleidoscope": "attractors --out runs", "judge": "judge checkpoints/fig2"}
TRAIN = {"fig2-novel": "fig2 --set filter=novelty:0.5 --name fig2-novel"}  # of runs that are not a figure as it is


@dataclass(frozen=True)
class Number:
    """A mean over training seeds with the ends of its 95 % interval; of one run there are none."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Check:
    """A number against its bar, as `claims.rules` has it. note: of how many runs.

    number: a `Number` as plain values.
    """

    measure: str
    number: dict[str, Any] | None
    says: str
    bar: float
    verdict: str
    note: str

    def __post_init__(self) -> None:
        choose("verdict", self.verdict[:40], VERDICTS)
        choose("comparison", self.says[:40], COMPARISONS)
        if self.number is not None:
            Number(**checked("a number", Number, self.number))


@dataclass(frozen=True)
class Claim:
    """A claim in our words and its checks, as `claims.report` writes it: the first decides, for the reason given."""

    key: str
    claim: str
    paper: str
    figure: str
    verdict: str
    reason: str
    notes: tuple[str, ...]
    picture: str | None
    checks: tuple[Check, ...]

    def __post_init__(self) -> None:
        choose("verdict", self.verdict[:40], VERDICTS)
        if not all(type(note) is str for note in self.notes):
            raise ValueError("a note is no text")


def read(source: str | Path) -> list[Claim]:
    """The claims in a tree of checkpoints. Raises CheckpointError if there are none, ValueError for a damaged file."""
    data = index.fetch(source, FILE).read_bytes()
    try:
        if len(data) > LARGEST:
            raise ValueError(f"it has {len(data):,} bytes")
        return [_claim(said) for said in strict_json(data)["claims"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{FILE} is not readable ({str(error)[:100]}): write it with `{COMMAND}`") from error


def _claim(said: Mapping[str, Any]) -> Claim:
    checks = [Check(**checked("a check", Check, check)) for check in said["checks"]]
    return Claim(**checked("a claim", Claim, {**said, "checks": checks}))


def counts(found: Sequence[Claim]) -> str:
    """How many there are of each verdict, as a sentence."""
    of = {verdict: sum(claim.verdict == verdict for claim in found) for verdict in VERDICTS}
    verbs = [("holds", "hold"), ("does not", "do not"), ("is undecided", "are undecided"),
             ("was not run yet", "were not run yet")]  # fmt: skip
    told = [f"{count} {one if count == 1 else many}" for count, (one, many) in zip(of.values(), verbs, strict=True)]
    return f"Of {len(found)} claims {', '.join(told[:-1])}, and {told[-1]}."


def why_open(claim: Claim, there: Iterable[str]) -> str:
    """Why there is no verdict, if there is none. there: names of the experiments that are."""
    if claim.verdict == MISSING:
        return _missing(claim, there, [check for check in claim.checks if check.number])
    if claim.verdict == UNDECIDED:
        decides = claim.checks[0] if claim.checks else None
        if decides and decides.note.startswith(SHORT):
            return f"{decides.note[:80].capitalize()}. A verdict takes three runs, three iterations, a hundred images."
        seeds = decides.number["n"] if decides and decides.number else 1
        return f"An interval over {seeds} runs reaches across its bar: more runs would narrow it."
    return ""


def _missing(claim: Claim, there: Iterable[str], told: Sequence[Check]) -> str:
    kind, name = KINDS.get(claim.paper), _experiment(claim)
    if kind is None and name not in {*there}:
        what = f"Figure {claim.figure}" if claim.figure.isdecimal() else name
        return (
            f"{what} was not run for this page: `python -m toolkit train {TRAIN.get(name, name)} --out runs` runs it."
        )
    command = RUN[kind] if kind else f"judge checkpoints/{name}"
    which = "Some of its measures were" if told else "It was"
    return f"{which} not taken yet: `python -m toolkit {command}` takes them."


def _experiment(claim: Claim) -> str:
    """The run that a claim about a run is of: fig2-far is of fig2."""
    return claim.key.rpartition("-")[0]


def opens(claim: Claim, listed: Mapping[str, Any]) -> Message | None:
    """The tab, and the experiment in it, where a claim can be looked at."""
    kind = KINDS.get(claim.paper)
    if kind is None:
        name = _experiment(claim)
        shown = listed["experiments"].get(name, {}).get("kind") == "iterations"
        return {"tab": "Iterations", "experiment": name} if shown else None
    return {"tab": TABS[kind], "experiment": None} if index.of_kind(listed, kind) else None


def inner(picture: str) -> str | None:
    """A picture as a path within the tree of checkpoints; links in claims.json start where CLAIMS.md lies."""
    parts = PurePosixPath(picture).parts
    outside = max((at + 1 for at, part in enumerate(parts) if part in ("..", "/", "checkpoints")), default=0)
    path = "/".join(parts[outside:])
    return path if index.PLAIN.fullmatch(path) and path.endswith(".png") else None


def picture(source: str | Path, key: object) -> Message:
    """The picture of a claim, as the address of itself; or the error, one sentence."""
    try:
        paths = {claim.key: inner(claim.picture or "") for claim in read(source)}
        if not (path := paths[choose("claim", str(key)[:60], paths)]):
            raise ValueError("this claim has no picture: look at another")
        file = index.fetch(source, path)
        if file.stat().st_size > LARGEST_PICTURE:
            raise ValueError(f"{path} is too large for this page: open it in the repository")
        return {"picture": f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}", "name": path}
    except ValueError as error:
        return {"error": f"{error}."}


def first_page(source: str | Path) -> Message | None:
    """All claims, with what the page adds; a damaged file is a problem in words. None if there is no file."""
    try:
        found = read(source)
    except CheckpointError:
        return None
    except ValueError as error:
        return {"claims": [], "counts": "", "problem": f"{error}.", "version": __version__}
    listed = index.read_index(source)
    shown = [
        {**asdict(claim), "notes": [*claim.notes], "checks": [asdict(check) for check in claim.checks],
         "picture": bool(claim.picture and inner(claim.picture)),
         "opens": opens(claim, listed), "why_open": why_open(claim, listed["experiments"])}
        for claim in found
    ]  # fmt: skip
    return {"claims": shown, "counts": counts(found), "problem": None, "version": __version__}


def claims_tab(source: str | Path, first: Message) -> None:
    """The claims with their numbers and verdicts. first: as `first_page` gives it."""

    def look(key: object) -> Message:
        return picture(source, key)

    figure(first, static("claims.html"), module("claims"), elem_id="claims", server_functions=[look])
