"""When a claim holds: one number that was named beforehand, its interval over runs, and a bar with its reason.

A check holds if its whole 95 % interval lies on the claimed side of its bar, and does not if it lies on the other;
else it is undecided. Fewer than three runs, three iterations or a hundred images never decide. The first check of a
claim decides; the others are readings of the same words, shown beside it, without a vote. The bars come from the words
of the claims, whatever the results.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Literal

from ..metrics.interval import Interval, sign_test

HOLDS, DOES_NOT, UNDECIDED, MISSING = "holds", "does not", "undecided", "not run yet"
REPRODUCED, PARTLY, NOT = "reproduced", "partly", "not"  # of a figure, beside UNDECIDED and MISSING

Says = Literal["over", "at most", "under", "at least"]

RUNS, ITERATIONS, IMAGES = 3, 3, 100  # at least, for a verdict

NOTABLE = 1.1  # times as much: what a claim calls more is at least a tenth more, or no one would see it on a sheet
HALF = 0.5  # what has collapsed has lost half of what it had; what most images are, over half of them are
CHANCE = 0.5  # how often a measure without any knowledge puts two generators in the right order
RISE = (NOTABLE - 1) / log2(20)  # per doubling of the iterations: a tenth over the twenty of the paper
FARTHER = 0.01  # the same of a distance: 4 % over twenty; a model that is trained again with its seed moves it by 2 %
MARGIN = 0.15  # of what unseen digits reach: what an iteration may lose and still be said to stay


@dataclass(frozen=True)
class Evidence:
    """A number over runs. x: None if nothing was run that has it; runs: its value in each.

    short: what the runs have too little of for a verdict, "2 iterations".
    """

    x: Interval | None = None
    runs: Sequence[float] = ()
    short: str = ""


@dataclass(frozen=True)
class Check:
    """One number against its bar.

    says: what is claimed of it; "at most" is the plain contrary of "over", "under" of "at least".
    """

    measure: str
    evidence: Evidence
    says: Says = "over"
    bar: float = 0.0

    @property
    def x(self) -> Interval | None:
        return self.evidence.x

    @property
    def short(self) -> str:
        """What there is too little of for a verdict: "1 run", "2 iterations"; nothing if there is enough."""
        n = RUNS if self.x is None else self.x["n"]
        return self.evidence.short or (f"{n} run{'s' * (n > 1)}" if n < RUNS else "")

    @property
    def verdict(self) -> str:
        if self.x is None:
            return MISSING
        if self.short or self.x["low"] is None or self.x["high"] is None:
            return UNDECIDED
        up, reached = self.says in ("over", "at least"), self.says in ("at least", "at most")
        near, far = (self.x["low"], self.x["high"]) if up else (-self.x["high"], -self.x["low"])
        bar = self.bar if up else -self.bar
        if near > bar or (reached and near == bar):
            return HOLDS
        return DOES_NOT if far < bar or (far == bar and not reached) else UNDECIDED

    @property
    def note(self) -> str:
        """Why there is no verdict; else how many runs lie on the claimed side, and the sign test's probability."""
        if self.x is None or self.short:
            return f"not decided: {self.short}" if self.x else ""
        if not self.evidence.runs:
            return ""
        over, n, p = sign_test(self.evidence.runs, self.bar)
        agreeing = over if self.says in ("over", "at least") else n - over
        return f"{agreeing} of {n} runs, sign test p = {p:.2f}"


@dataclass(frozen=True)
class Claim:
    """A claim in our words, who makes it, the one check that decides it, and why that one.

    reason: why this measure and this bar, written before the results. readings: other measures of the same words, which
    decide nothing. picture: where to look; notes: what to know.
    """

    key: str
    says: str
    paper: str
    figure: str
    primary: Check
    reason: str
    readings: Sequence[Check] = ()
    picture: Path | None = None
    notes: Sequence[str] = ()

    @property
    def checks(self) -> list[Check]:
        return [self.primary, *self.readings]

    @property
    def verdict(self) -> str:
        return self.primary.verdict


def weakest(checks: Sequence[Check]) -> Check:
    """Of checks that must all hold, all of "over", the one that is nearest to failing: it decides for all of them.

    One that was not run comes before all others.
    """
    return min(checks, key=lambda check: float("-inf") if check.x is None else (check.x["low"] or 0.0) - check.bar)


def reproduced(claims: Sequence[Claim]) -> str:
    """What the claims about one figure say of it.

    `REPRODUCED` if all hold; `PARTLY` if one does; else `NOT` if one is refuted; else `UNDECIDED` or `MISSING`.
    """
    told = {claim.verdict for claim in claims} or {MISSING}
    ways = {REPRODUCED: told == {HOLDS}, PARTLY: HOLDS in told, NOT: DOES_NOT in told, UNDECIDED: UNDECIDED in told}
    return next((word for word, applies in ways.items() if applies), MISSING)
