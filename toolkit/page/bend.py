"""The tab "Bend it": a trained machine altered a little, or much, and what it draws before and after, seed by seed."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import gradio as gr

from .. import __version__
from ..options import checked
from . import MODEL, Message, bend_machines, echo, figure, light, static, wire
from .bend_machines import Machine, machine, parts, untouched
from .bend_operators import AMOUNTS, KINDS, OPERATORS, SYMBOLS, USUAL, Order, layer, named
from .newest import Newest

TAB = "Bend it"
START: Message = {
    "operator": "bend", "strength": 1, "seed": 0, "chance": 0, "start": "symbols", "passes": 3, "layer": "",
    "transform": "multiply", "amount": [-1.5], "channels": "random", "share": 0.25, "group": 0, "kind": "flip",
    "one": "", "another": "", "parent": 0, "child": 0, "other": "",
}  # fmt: skip


def read_order(order: object) -> Order:
    """What came from the browser, which may be anything. Raises ValueError, one sentence, for what cannot be one."""
    said = order if isinstance(order, Mapping) else {}
    return Order(**checked("an order", Order, {field.name: said.get(field.name) for field in fields(Order)}))


def answer(source: str | Path, order: object, newest: Newest | None = None) -> Iterator[Message]:
    """The symbols before, and after each pass of the altered machine, each message with all so far; or the error.

    It ends early when there is a newer order.
    """
    newest = newest or Newest()
    message: Message = {**echo(order, "ticket"), "error": None, "done": False}
    try:
        for part in draw(source, read_order(order)):
            yield (message := {**message, **part})
            if newest.overtaken(order):
                break
        yield {**message, "done": True}
    except ValueError as error:
        yield {**message, "done": True, "error": f"{error}."}


def draw(source: str | Path, order: Order) -> Iterator[Message]:
    """What a visitor asked for, more of it from part to part. Raises ValueError for what is not there."""
    of = machine(source, order.machine, order.parent if order.operator == "blend" else None)
    before = untouched(of, order.seeds, order.passes, order.start)
    known = {**parts(of), "drawn": of.drawn, **_layer(of, order), **named(source, order, before)}
    yield {"known": known, "shape": list(before.shape[1:]), "before": light(before), "frames": []}
    frames: list[str] = []
    for x in OPERATORS[order.operator](source, of, order, before):
        frames = [*frames, light(x)]
        yield {"frames": frames}


def _layer(of: Machine, order: Order) -> Message:
    """The layer that is altered, where it is one."""
    if order.operator == "glitch":
        return {"layer": order.layer}
    what = {"bend": "layers", "rewrite": "memories"}.get(order.operator)
    return {"layer": layer(of, order.layer, what)} if what else {}


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any machine works: each one's sheet. None if there is no machine."""
    machines = bend_machines.first_page(source)
    facts = {"symbols": SYMBOLS, "amounts": AMOUNTS, "kinds": KINDS, "usual": USUAL, "groups": bend_machines.GROUPS}
    return {"machines": machines, "start": START, **facts, "version": __version__} if machines else None


def warm(source: str | Path) -> None:
    """Draw what stands there at the start, for nobody."""
    first = first_page(source)
    for _ in answer(source, {**START, "machine": first["machines"][0]["name"]}) if first else []:
        pass


def bend_tab(source: str | Path, first: Message) -> None:
    """Active divergence: an operator on a machine, before and after. first: as `first_page` gives it."""
    newest = Newest()

    def on_bend(event: gr.EventData) -> Iterator[Message]:
        yield from answer(source, event._data, newest)

    def note(order: object) -> None:
        newest.note(order)

    script = static("ink.js", "caption_bend.js", "bend.js", "bend_hands.js")
    own = figure(first, static("bend.html"), script, elem_id="bend", server_functions=[note])
    own.bend(on_bend, None, wire(own, "that-are-not-bent"), **MODEL)
