"""Many visitors at once: what goes wrong, how long each waits, whether it is told, and what memory does."""

import threading
import time
from dataclasses import dataclass, field
from random import Random
from statistics import median
from typing import Any

from .page_actions import MIX, there
from .page_visitor import Heard, Server, Visitor, refusal
from .timing import Entry

THINKS = (0.5, 2.0)  # seconds between what a visitor sees and does next
TOLD = 1.0  # seconds: who waits longer is to be told how many come before
SAMPLES = 12  # of memory at least, and one each half minute


@dataclass
class Diary:
    """What one visitor did: (action, what came of it), and what was refused."""

    done: list[tuple[str, Heard]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def load(server: Server, visitors: int, seconds: float) -> Entry:
    """So many visitors at once for so long, each with actions of the mix, at random but the same each time."""
    diaries = [Diary() for _ in range(visitors)]
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=live, args=(server.url, Random(seed), diary, end), daemon=True)
        for seed, diary in enumerate(diaries)
    ]
    for thread in threads:
        thread.start()
    memory = watch(server, end, seconds)
    for thread in threads:
        thread.join()
    memory.append((seconds, server.resident()))
    return {"visitors": visitors, "seconds": seconds, **summary(diaries), "memory": grown(memory, diaries)}


def live(url: str, chance: Random, diary: Diary, end: float) -> None:
    """A visitor: look, act, think, until the time is over."""
    visitor = Visitor(url)
    time.sleep(chance.uniform(0, THINKS[1]))
    actions: dict[str, Any] = {}
    while time.monotonic() < end:
        try:
            actions = actions or there(visitor)
            name = chance.choices(list(actions), [MIX.get(name, 0) for name in actions])[0]
            diary.done.append((name, actions[name](visitor, chance)))
        except OSError as error:
            diary.errors.append(refusal(error))
        time.sleep(chance.uniform(*THINKS))


def watch(server: Server, end: float, seconds: float) -> list[tuple[float, float | None]]:
    """(seconds since the start, MB) of the page's memory, now and then until the end."""
    begun, seen = end - seconds, [(0.0, server.resident())]
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 30, seconds / SAMPLES))
        seen.append((time.monotonic() - begun, server.resident()))
    return seen


def summary(diaries: list[Diary]) -> Entry:
    """Errors; by action how often, how long in line and in all; who waited without a word; and whether it was fair."""
    done = [each for diary in diaries for each in diary.done]
    queued = [heard for _, heard in done if heard.started]
    waited = [heard for heard in queued if heard.started > TOLD]
    each = [median([heard.started for _, heard in diary.done] or [0.0]) for diary in diaries]
    return {
        "actions": len(done),
        "errors": [error for diary in diaries for error in diary.errors],
        "took_s": {name: spread([heard.took for other, heard in done if other == name]) for name, _ in done},
        "waited_s": spread([heard.started for heard in queued]),
        "waited_long": len(waited),
        "waited_long_and_were_told": sum(bool(heard.places) for heard in waited),
        "most_before": max((place for heard in queued for place in heard.places), default=0),
        "actions_of_a_visitor": [min(len(d.done) for d in diaries), max(len(d.done) for d in diaries)],
        "median_wait_of_a_visitor_s": [min(each), max(each)],
    }


def spread(values: list[float]) -> Entry:
    """How many, their median, their 95th percentile and the most."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    return {
        "count": len(ordered),
        "median": median(ordered),
        "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        "most": ordered[-1],
    }


def grown(memory: list[tuple[float, float | None]], diaries: list[Diary]) -> Entry:
    """Memory over time in MB; its slope in the second half, when everything is loaded, by minute and by action."""
    seen = [(at, mb) for at, mb in memory if mb is not None]
    if not seen:
        return {"mb": [], "why": "the system does not say how much memory a process holds"}
    later = [(at, mb) for at, mb in seen if at >= seen[-1][0] / 2]
    by_second = slope(later)
    rate = sum(len(diary.done) for diary in diaries) / max(seen[-1][0], 1e-9)
    return {
        "mb": [[round(at, 1), round(mb, 1)] for at, mb in seen],
        "start_mb": seen[0][1],
        "end_mb": seen[-1][1],
        "most_mb": max(mb for _, mb in seen),
        "mb_a_minute": 60 * by_second,
        "mb_in_1000_actions": 1000 * by_second / rate if rate else None,
    }


def slope(points: list[tuple[float, float]]) -> float:
    """Of the straight line through points, by least squares; 0 for fewer than two."""
    x, y = [sum(values) / len(points) for values in zip(*points, strict=True)]
    across = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / across if across else 0.0
