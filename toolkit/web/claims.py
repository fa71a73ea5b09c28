"""The tab "Claims": what the papers claim, what the numbers say, and a verdict, out of claims.json."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .. import index
from ..config import choose
from ..index import CheckpointError
from .server import Message, answer, data_url, figure, read_index

TAB = "Claims"
FILE = "claims.json"
LARGEST, LARGEST_PICTURE = 2**22, 2**24  # bytes
HOLDS, DOES_NOT, UNDECIDED, MISSING = "holds", "does not", "undecided", "not run yet"  # as `claims.rules` has them
VERDICTS = (HOLDS, DOES_NOT, UNDECIDED, MISSING)
Verdict = Literal["holds", "does not", "undecided", "not run yet"]
SHORT = "not decided: "  # so begins the note of a check that has too little for a verdict
COMMAND = "python -m toolkit claims"
TABS = {
    "iterations": "Iterations",
    "decoder": "Creative decoder",
    "kaleidoscope": "Kaleidoscope",
    "judge": "Is it new?",
}
KINDS = {  # of experiments that a paper's claims are about, beside those of its figures
    "Toward a neuro-inspired creative decoder": "decoder",
    "Towards creativity characterization of generative models via group-based subset scanning": "decoder",
    "Active Divergence with Generative Deep Learning: A Survey and Taxonomy": "decoder",
    "Generative Kaleidoscopic Networks": "kaleidoscope",
    "Out-of-class novelty generation": "judge",
}
RUN = {"decoder": "table1 --out runs", "kaleidoscope": "attractors --out runs", "judge": "judge checkpoints/fig2"}
TRAIN = {"fig2-novel": "fig2 --set filter=novelty:0.5 --name fig2-novel"}  # of runs that are not a figure as it is


class Strict(BaseModel):
    """Part of a claims.json: every key known, and every value of its type."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Number(Strict):
    """A mean over training seeds with the ends of its 95 % interval; of one run there are none."""

    mean: float
    low: float | None
    high: float | None
    n: int


class Check(Strict):
    """A number against its bar, as `claims.rules` has it. note: of how many runs."""

    measure: str
    number: Number | None
    says: Literal["over", "at most", "under", "at least"]
    bar: float
    verdict: Verdict
    note: str


class Claim(Strict):
    """A claim in our words and its checks, as `claims.report` writes it: the first decides, for the reason given."""

    key: str
    claim: str
    paper: str
    figure: str
    verdict: Verdict
    reason: str
    notes: list[str]
    picture: str | None
    checks: list[Check]


class Claims(BaseModel):
    """A claims.json."""

    claims: list[Claim]


def read(source: str | Path) -> list[Claim]:
    """The claims in a tree of checkpoints. Raises CheckpointError if there are none, ValueError for a damaged file."""
    data = index.fetch(source, FILE).read_bytes()
    if len(data) > LARGEST:
        raise ValueError(f"{FILE} is not readable (it has {len(data):,} bytes): write it with `{COMMAND}`")
    try:
        return Claims.model_validate_json(data).claims
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:100]
        raise ValueError(f"{FILE} is not readable ({why}): write it with `{COMMAND}`") from None


def counts(found: Sequence[Claim]) -> str:
    """How many there are of each verdict, as a sentence."""
    of = {verdict: sum(claim.verdict == verdict for claim in found) for verdict in VERDICTS}
    verbs = [("holds", "hold"), ("does not", "do not"), ("is undecided", "are undecided"),
             ("was not run yet", "were not run yet")]  # fmt: skip
    parts = [f"{count} {one if count == 1 else many}" for count, (one, many) in zip(of.values(), verbs, strict=True)]
    return f"Of {len(found)} claims {', '.join(parts[:-1])}, and {parts[-1]}."


def why_open(claim: Claim, there: Iterable[str]) -> str:
    """Why there is no verdict, if there is none. there: names of the experiments that are."""
    if claim.verdict == MISSING:
        return _missing(claim, there, [check for check in claim.checks if check.number])
    if claim.verdict == UNDECIDED:
        decides = claim.checks[0] if claim.checks else None
        if decides and decides.note.startswith(SHORT):
            return f"{decides.note[:80].capitalize()}. A verdict takes three runs, three iterations, a hundred images."
        seeds = decides.number.n if decides and decides.number else 1
        return f"An interval over {seeds} runs reaches across its bar: more runs would narrow it."
    return ""


def _missing(claim: Claim, there: Iterable[str], measured: Sequence[Check]) -> str:
    kind, name = KINDS.get(claim.paper), _experiment(claim)
    if kind is None and name not in {*there}:
        what = f"Figure {claim.figure}" if claim.figure.isdecimal() else name
        return (
            f"{what} was not run for this page: `python -m toolkit train {TRAIN.get(name, name)} --out runs` runs it."
        )
    command = RUN[kind] if kind else f"judge checkpoints/{name}"
    which = "Some of its measures were" if measured else "It was"
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
    """The picture of a claim, as the address of itself. Raises ValueError for a claim without one."""
    paths = {claim.key: inner(claim.picture or "") for claim in read(source)}
    if not (path := paths[choose("claim", str(key)[:60], paths)]):
        raise ValueError("this claim has no picture: look at another")
    file = index.fetch(source, path)
    if file.stat().st_size > LARGEST_PICTURE:
        raise ValueError(f"{path} is too large for this page: open it in the repository")
    return {"picture": data_url(file.read_bytes()), "name": path}


def first_page(source: str | Path) -> Message | None:
    """All claims, with what the page adds; a damaged file is a problem in words. None if there is no file."""
    try:
        found = read(source)
    except CheckpointError:
        return None
    except ValueError as error:
        return {"claims": [], "counts": "", "problem": f"{error}."}
    listed = read_index(source)
    shown = [
        {
            **claim.model_dump(),
            "picture": bool(claim.picture and inner(claim.picture)),
            "opens": opens(claim, listed),
            "why_open": why_open(claim, listed["experiments"]),
        }
        for claim in found
    ]
    return {"claims": shown, "counts": counts(found), "problem": None}


def tab(source: str | Path, first: Message) -> None:
    """The claims with their numbers and verdicts. first: as `first_page` gives it."""

    def look(key: object) -> Message:
        return answer(picture, source, key)

    figure("claims", first, look)
