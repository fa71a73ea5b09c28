"""The page itself: how soon it answers one visitor, action by action, and what it does under many at once."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .page_actions import WORDS, there, warm
from .page_browser import cold_starts, scrubs, with_browser
from .page_load import load, spread
from .page_visitor import Visitor, serving
from .report import markdown, number
from .timing import Entry

TARGETS = {"cold": 8.0, "scrub": 0.05, "draw": 0.3, "film": 0.3, "symbols": 2.0}  # seconds
MEMORY = 1500.0  # MB
NAMES = {
    "cold": "cold start to the first picture",
    "ready": "... to the whole page",
    "scrub": "scrub an iteration",
    **WORDS,
}
ALONE = ("draw", "film", "symbols", "ask", "grow")  # what one visitor is timed at


@dataclass(frozen=True)
class PagePlan:
    """How much is measured. actions: of each kind; minutes: of load; visitors: at once; starts: of the app."""

    actions: int = 50
    minutes: float = 3.0
    visitors: int = 20
    starts: int = 3


def measure_page(
    plan: PagePlan | None = None, *arguments: object, on_part: Callable[[str], object] = lambda name: None
) -> Entry:
    """Start `python app.py` with these arguments; measure it, as JSON values. on_part hears what comes next."""
    plan = plan or PagePlan()
    on_part("cold start")
    starts = with_browser(lambda browser: cold_starts(browser, plan.starts, arguments))
    first, whole = (starts, starts) if isinstance(starts, str) else map(list, zip(*starts, strict=True))
    times: Entry = {"cold": first, "ready": whole}
    with serving(*arguments) as server:
        visitor = Visitor(server.url)
        warm(visitor)
        on_part("scrub")
        times["scrub"] = with_browser(lambda browser: scrubs(browser, server.url, plan.actions))
        times |= alone(visitor, plan.actions, on_part)
        on_part(f"load, {plan.minutes:g} minutes")
        crowd = load(server, plan.visitors, 60 * plan.minutes)
    return {"plan": vars(plan), "latency": {name: entry(name, times[name]) for name in times}, "load": crowd}


def alone(visitor: Visitor, count: int, on_part: Callable[[str], object]) -> Entry:
    """Seconds of each action of one visitor who is alone, to the first of its answer, by its name."""
    found: Entry = {}
    for name, action in there(visitor).items():
        if name in ALONE:
            on_part(WORDS[name])
            chance = Random(1)
            found[name] = [action(visitor, chance).first for _ in range(count)]
    return found


def entry(name: str, times: list[float] | str) -> Entry:
    """The seconds of an action, or why there are none, beside the target."""
    if isinstance(times, str):
        return {"why": times}
    told = {**spread(times), "target": TARGETS.get(name), "runs": times}
    return {**told, "kept": None if told["target"] is None else told["p95"] < told["target"]}


def page_tables(result: Entry) -> str:
    """All of it, as Markdown."""
    rows = [line(NAMES[name], each) for name, each in result["latency"].items()]
    crowd = result["load"]
    waits = [[WORDS[name], *numbers(each)] for name, each in crowd["took_s"].items()]
    return "\n\n".join([
        markdown(["alone, s", "median", "95 %", "target", "actions"], rows),
        markdown([f"{crowd['visitors']} at once, s", "median", "95 %", "most", "actions"], waits),
        told(crowd),
        remembered(crowd["memory"]),
    ])  # fmt: skip


def line(what: str, each: Entry) -> list[str]:
    """An action of one visitor."""
    if "why" in each:
        return [what, each["why"], "", "", ""]
    target = "" if each["target"] is None else f"{'' if each['kept'] else 'missed: '}< {each['target']:g}"
    return [what, number(each["median"]), number(each["p95"]), target, str(each["count"])]


def numbers(each: Entry) -> list[str]:
    """An action among many visitors."""
    return [number(each["median"]), number(each["p95"]), number(each["most"]), str(each["count"])]


def told(crowd: Entry) -> str:
    """Errors and waiting, in sentences."""
    waited, errors = crowd["waited_s"], crowd["errors"]
    first = f" The first: {errors[0]}" if errors else ""
    few, many = crowd["actions_of_a_visitor"]
    wait = f"{number(waited['median'])} s, at most {number(waited['most'])} s" if waited["count"] else "nothing"
    return (
        f"{crowd['actions']} actions in {crowd['seconds']:.0f} s, {len(errors)} errors.{first} Half waited less than "
        f"{wait}; of {crowd['waited_long']} who waited over a second, {crowd['waited_long_and_were_told']} were told "
        f"how many came before, at most {crowd['most_before'] + 1}. A visitor did {few} to {many} actions."
    )


def remembered(memory: Entry) -> str:
    """Memory, in a sentence."""
    if "why" in memory:
        return f"Memory: {memory['why']}."
    target = "" if memory["most_mb"] < MEMORY else f", over the {MEMORY:,.0f} there may be"
    return (
        f"Memory: {memory['start_mb']:.0f} MB at the start, {memory['end_mb']:.0f} at the end, at most "
        f"{memory['most_mb']:.0f}{target}; in the second half {memory['mb_a_minute']:+.2f} MB a minute, "
        f"{memory['mb_in_1000_actions']:+.1f} in 1,000 actions."
    )


__all__ = ["PagePlan", "measure_page", "page_tables"]
