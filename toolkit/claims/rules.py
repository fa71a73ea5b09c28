"""When a claim holds: numbers with intervals against bars, and what several of them say together.

A check holds if its whole 95 % interval over seeds lies on the claimed side of its bar, and does not if it lies on the
other. One run has no interval: its number alone decides, and the verdict says so. The bars come from the words of the
claims, whatever the results.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..metrics.interval import Interval

HOLDS, DOES_NOT, UNDECIDED, MISSING = "holds", "does not", "undecided", "not run yet"
REPRODUCED, PARTLY, NOT = "reproduced", "partly", "not"  # of a figure, beside UNDECIDED and MISSING

NOTABLE = 1.1  # times as much: what a claim calls more is at least a tenth more, or no one would see it on a sheet
HALF = 0.5  # what has collapsed has lost half of what it had; what most images are, over half of them are
CHANCE = 0.5  # how often a measure without any knowledge puts two generators in the right order


def by_chance(iterations: int) -> float:
    """The rank correlation that n independent values exceed in 1 of 40 cases: 0.45 for 20 iterations.

    "As iterations grow" means over it. It is 1.96 / sqrt(n - 1), the normal approximation; at most 1. Iterations are
    not independent: series with an autocorrelation of 0.5 to 0.9 and no trend exceed it in 1 of 9 to 1 of 3 cases.
    """
    return min(1.0, 1.96 / max(1, iterations - 1) ** 0.5)


@dataclass(frozen=True)
class Check:
    """One number against its bar. x: the number over seeds, None if nothing was run that has it.

    says: what is claimed of it; "at most" is the plain contrary of "over", "under" of "at least".
    """

    measure: str
    x: Interval | None
    says: Literal["over", "at most", "under", "at least"] = "over"
    bar: float = 0.0

    @property
    def verdict(self) -> str:
        if self.x is None:
            return MISSING
        low, high = (self.x["mean"] if end is None else end for end in (self.x["low"], self.x["high"]))
        up, reached = self.says in ("over", "at least"), self.says in ("at least", "at most")
        near, far = (low, high) if up else (-high, -low)
        bar = self.bar if up else -self.bar
        if near > bar or (reached and near == bar):
            return HOLDS
        return DOES_NOT if far < bar or (far == bar and not reached) else UNDECIDED


@dataclass(frozen=True)
class Claim:
    """A claim in our words, who makes it, and the checks that decide it.

    together: "every" check must hold, as parts of one statement; those that are there must "agree", as readings of one
    word; or "any" of them is enough. picture: where to look; notes: what to know.
    """

    key: str
    says: str
    paper: str
    figure: str
    checks: Sequence[Check]
    together: Literal["every", "agree", "any"] = "agree"
    picture: Path | None = None
    notes: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        return TOGETHER[self.together]([check.verdict for check in self.checks])

    @property
    def one_run(self) -> bool:
        """Whether a check that tells rests on one run alone."""
        return any(check.x["n"] == 1 for check in self.checks if check.x is not None)


def every(verdicts: Sequence[str]) -> str:
    """One part that does not hold refutes the whole; one that is missing or undecided leaves it open."""
    return next((word for word in (DOES_NOT, MISSING, UNDECIDED) if word in verdicts), HOLDS)


def agree(verdicts: Sequence[str]) -> str:
    """Where readings of one word differ, the claim is undecided."""
    told = {word for word in verdicts if word != MISSING}
    return MISSING if not told else told.pop() if len(told) == 1 else UNDECIDED


def any_of(verdicts: Sequence[str]) -> str:
    """One that holds is enough; only if none does, and none is missing, the claim does not."""
    return next((word for word in (HOLDS, MISSING, UNDECIDED) if word in verdicts), DOES_NOT)


def reproduced(claims: Sequence[Claim]) -> str:
    """What the claims about one figure say of it.

    `REPRODUCED` if all hold; `PARTLY` if one does, or a check of one that is undecided; else `NOT` if one is refuted;
    `UNDECIDED` or `MISSING` if none tells.
    """
    told = {claim.verdict for claim in claims} or {MISSING}
    hints = {check.verdict for claim in claims if claim.verdict == UNDECIDED for check in claim.checks}
    ways = {
        REPRODUCED: told == {HOLDS}, PARTLY: HOLDS in told | hints, NOT: DOES_NOT in told, UNDECIDED: UNDECIDED in told
    }  # fmt: skip
    return next((word for word, applies in ways.items() if applies), MISSING)


TOGETHER = {"every": every, "agree": agree, "any": any_of}
