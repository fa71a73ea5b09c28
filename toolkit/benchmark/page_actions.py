"""What visitors do, one action each: as the scripts of the page ask for it, or as a program does."""

import base64
from collections.abc import Callable
from random import Random
from time import perf_counter
from typing import Any

from .page_visitor import Heard, Visitor

Action = Callable[[Visitor, Random], Heard]
SYMBOLS = 64
SEEDS = 2**31
MIX = {"grow": 7, "draw": 5, "film": 3, "ask": 2, "sample": 1, "measure": 1, "look": 2}  # how often, in a mixed session
WORDS = {
    "grow": "a symbol grows",
    "draw": "creative redraw",
    "film": "first streamed kaleidoscope frame",
    "ask": "is it new?",
    "symbols": "64 fresh symbols",
    "sample": "16 symbols, endpoint",
    "measure": "measure, endpoint",
    "look": "the page itself",
}


def grow(visitor: Visitor, chance: Random) -> Heard:
    """A symbol out of its noise, at some iteration."""
    run = next(first for first in visitor.figures if "iterations" in first)
    entries = [entry["iteration"] for entry in run["iterations"] if entry["bytes"]]
    order = {"experiment": run["experiment"], "iteration": chance.choice(entries), "seed": str(chance.randrange(SEEDS))}
    return visitor.order("grow", order)


def draw(visitor: Visitor, chance: Random) -> Heard:
    """32 pairs of a decoder, some knob turned."""
    first = next(first for first in visitor.figures if "decoders" in first)
    turned = {"seed": chance.randrange(SEEDS), "neurons": chance.randrange(1, 9), "gain": chance.uniform(0, 3)}
    name = chance.choice(first["decoders"])["name"]
    return visitor.order("draw", {**first["start"], "experiment": name, **turned})


def film(visitor: Visitor, chance: Random) -> Heard:
    """The first frames of a film of runs; the visitor turns a knob then, and the rest is not waited for."""
    first = next(first for first in visitor.figures if "networks" in first)
    turned = {"seed": chance.randrange(SEEDS), "perturbation": chance.choice([0, 0.01, 0.1])}
    name = chance.choice(first["networks"])["name"]
    return visitor.order("film", {**first["start"], "experiment": name, **turned}, overtake=True)


def ask(visitor: Visitor, chance: Random) -> Heard:
    """Something drawn by hand, before the judges."""
    strokes = bytes(255 if chance.random() < 0.1 else 0 for _ in range(28 * 28))
    return visitor.order("ask", {"image": base64.b64encode(strokes).decode(), "seed": None})


def symbols(visitor: Visitor, chance: Random, count: int = SYMBOLS) -> Heard:
    """Symbols of the last iteration, through the endpoint."""
    run = next(first for first in visitor.figures if "iterations" in first)
    last = max(entry["iteration"] for entry in run["iterations"] if entry["bytes"])
    seeds = [chance.randrange(SEEDS) for _ in range(count)]
    return timed(lambda: visitor.call("sample", run["experiment"], last, seeds))


def measure(visitor: Visitor, chance: Random) -> Heard:
    """A picture, measured through the endpoint."""
    png = next(sheet for first in visitor.figures for sheet in sheets(first))
    return timed(lambda: visitor.call("measure", png, chance.random() < 0.5))


def look(visitor: Visitor, chance: Random) -> Heard:
    """The page, with all that it shows at first."""
    return timed(lambda: visitor.read("").decode())


def sheets(first: dict[str, Any]) -> list[str]:
    """The pictures of a figure that has several."""
    entries = first.get("iterations") or first.get("decoders") or first.get("networks") or []
    return [entry["sheet"] for entry in entries if entry.get("sheet")]


def timed(work: Callable[[], object]) -> Heard:
    """The seconds of something that is answered at once."""
    begun = perf_counter()
    message = work()
    took = perf_counter() - begun
    return Heard(message, first=took, took=took)


NEEDS = {"grow": "iterations", "draw": "decoders", "film": "networks", "symbols": "iterations", "sample": "iterations"}


def there(visitor: Visitor) -> dict[str, Action]:
    """The actions that the page has something for, by name."""
    every: dict[str, Action] = {
        "grow": grow,
        "draw": draw,
        "film": film,
        "ask": ask,
        "symbols": symbols,
        "sample": lambda visitor, chance: symbols(visitor, chance, 16),
        "measure": measure,
        "look": look,
    }
    shown = {key for first in visitor.figures for key in first}
    lacking = {name for name, need in NEEDS.items() if need not in shown}
    lacking |= {"ask"} - set(visitor.orders)
    return {name: action for name, action in every.items() if name not in lacking}


def warm(visitor: Visitor) -> None:
    """Do everything once, so that what is measured next has imported and loaded all that it needs."""
    chance = Random(0)
    for action in there(visitor).values():
        action(visitor, chance)
