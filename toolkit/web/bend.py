"""The tab "Bend it": machines, and the operators that act on them.

An operator takes (tree of checkpoints, machine, order, pictures before) and yields pictures (B, C, H, W) in [0, 1].
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from .. import __version__, index
from ..config import checked, choose
from ..index import CheckpointError, strict_json
from . import creative, iterations, kaleidoscope
from .server import MODEL, Message, Newest, echo, figure, light, module, sheet, static, wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ..models import Judge


RUN, DECODER, NETWORK, JUDGE = "iterations", "decoder", "kaleidoscope", "judge"  # kinds in an index
ORDER = [DECODER, RUN, NETWORK]  # what other kinds there are comes after them, and is drawn from as a run is
JUDGES = {"mnist": "judge-digits", "fashion": "judge-fashion"}  # who names what a decoder of these data draws
SETTLED = 30  # runs after which a kaleidoscope's pictures count as its own
GROUPS, EXAMPLES = 5, range(48)  # of channels that act alike, and the seeds of the pictures that tell


@dataclass(frozen=True, eq=False)
class Machine:
    """A model and how it draws. states: (a model like it, seeds, start) -> pictures (B, C, H, W), pass after pass.

    start: "noise", or "symbols", which the model itself makes of noise. drawn: whether it draws from codes, in one go.
    """

    name: str
    model: Any
    states: "Callable[[Any, Sequence[int], str], Iterator[Tensor]]"
    drawn: bool


def machine(source: str | Path, name: str, iteration: int | None = None) -> Machine:
    """A machine, kept for the next time. iteration: of a run, by default the last. Raises CheckpointError."""
    listed = index.read_index(source)["experiments"]
    if name not in listed or not (entries := _iterations(listed[name])) or listed[name].get("kind") == JUDGE:
        there = [each for each, it in listed.items() if it.get("kind") != JUDGE and _iterations(it)]
        raise CheckpointError(f"there is no machine {name[:40]!r}: choose {' or '.join(there) or 'another source'}")
    numbers = [entry["iteration"] for entry in entries]
    if iteration not in (None, *numbers):
        raise CheckpointError(f"{name} has no model of iteration {iteration!r:.20}: choose one of {numbers}")
    return _machine(source, name, numbers[-1] if iteration is None else iteration, str(listed[name]))


@lru_cache(maxsize=24)  # the models are those that the other tabs keep
def _machine(source: str | Path, name: str, iteration: int, listed: str) -> Machine:
    """listed: what the index says of it, checksums too, so that a file that changed is another machine."""
    from .. import hub
    from ..samplers.generate import generates

    entry = next(e for e in index.read_index(source)["experiments"][name]["iterations"] if e["iteration"] == iteration)
    kind = index.read_index(source)["experiments"][name].get("kind", RUN)
    if kind == DECODER:
        trained = creative.decoder(source, name)
        return Machine(name, trained.model, lambda model, seeds, start: _decoded(trained, model, seeds), True)
    if kind == NETWORK:
        k = kaleidoscope.network(source, name)
        return Machine(name, k.model, lambda model, seeds, start: _seen(k, model, seeds, start), False)
    model, sampling = iterations.load(source, name, iteration, entry["sha256"]), hub.sampling(source, name)
    if generates(model):
        return Machine(name, model, lambda model, seeds, start: sampling.grow(model, seeds), True)
    return Machine(name, model, lambda other, seeds, start: _dreamt(sampling, model, other, seeds, start), False)


def own(model: Any) -> Any:
    """A model that shares the weights and nothing else, so that what is put on its layers nobody else hears."""
    return deepcopy(model, {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())})


# ---- how each draws


def _decoded(trained: Any, model: Any, seeds: Sequence[int]) -> "Iterator[Tensor]":
    from ..hub import codes_of

    yield model.decode(codes_of(trained, seeds))


def _dreamt(sampling: Any, model: Any, other: Any, seeds: Sequence[int], start: str) -> "Iterator[Tensor]":
    """Another model in the place of a run's own."""
    from ..samplers.iterate import iterate

    x = _noise(model, tuple(seeds)) if start == "noise" else _grown(sampling, model, tuple(seeds))
    return map(sampling.finished, iterate(other.reconstruct, x))


@lru_cache(maxsize=16)  # a hundred kilobytes each
def _grown(sampling: Any, model: Any, seeds: tuple[int, ...]) -> "Tensor":
    """A run's own symbols as its model leaves them, their tones not yet those of the data."""
    from ..samplers.iterate import last

    return last(sampling.states(model, _noise(model, seeds)))


def _noise(model: Any, seeds: tuple[int, ...]) -> "Tensor":
    from ..seeds import Noise

    return Noise(seeds).rand(*model.image_shape)


def _seen(k: Any, model: Any, seeds: Sequence[int], start: str) -> "Iterator[Tensor]":
    from .. import hub

    other = replace(k, model=model)
    return hub.stream(other, seeds, start=None if start == "noise" else _settled(k, tuple(seeds)))


@lru_cache(maxsize=16)
def _settled(k: Any, seeds: tuple[int, ...]) -> "Tensor":
    from .. import hub

    return next(islice(hub.stream(k, seeds), SETTLED, None))


# ---- what there is to alter


@lru_cache(maxsize=24)
def parts(of: Machine) -> Message:
    """What can be altered, of all that is called when a picture is drawn, in that order.

    layers: those that are bent, [name, channels, pixels a side of a map, or 0 for units]; weights: names of layers that
    have some; memories: names of those that one may write into.
    """
    from ..diverge.layers import dense, layers
    from ..samplers.creative import hooked

    model, heard = own(of.model), dict[str, tuple[int, ...]]()
    found = layers(model)
    with dense(model), ExitStack() as stack:
        for name, module in found.items():
            stack.enter_context(hooked(module, _note(heard, name)))
        pictures(of, model, [0], 1)
    able = [name for name in heard if getattr(getattr(found[name], "weight", None), "ndim", 0) > 1]
    return {
        "layers": [[name, *_sized(heard[name])] for name in heard if type(found[name]).__name__.endswith("ReLU")],
        "weights": able,
        "memories": able if of.drawn else [],
    }


def pictures(of: Machine, model: Any, seeds: Sequence[int], passes: int, start: str = "noise") -> "Tensor":
    """What a model draws in the way of a machine, after so many passes if it draws in passes: (B, C, H, W)."""
    *_, final = islice(of.states(model, seeds, start), 1 if of.drawn else passes + 1)
    return final


@lru_cache(maxsize=16)  # a hundred kilobytes each
def untouched(of: Machine, seeds: range, passes: int, start: str) -> "Tensor":
    """What a machine draws as it is, kept for the next time, as an order differs from the one before in one knob."""
    return pictures(of, of.model, seeds, passes, start)


@lru_cache(maxsize=24)
def groups(of: Machine, layer: str) -> "Tensor":
    """Which of GROUPS groups that act alike each channel of a layer is in: (K,), by what they do in some pictures."""
    from ..diverge import clusters

    return clusters(own(of.model), layer, lambda model: pictures(of, model, EXAMPLES, 1), GROUPS)


def _note(heard: dict[str, tuple[int, ...]], name: str) -> "Callable[[Tensor, Tensor], None]":
    def note(before: "Tensor", after: "Tensor") -> None:
        heard[name] = tuple(after.shape)

    return note


def _sized(shape: tuple[int, ...]) -> list[int]:
    return [shape[1], shape[2] if len(shape) == 4 else 0]


# ---- before any of them works


def first_machines(source: str | Path) -> list[Message]:
    """Each machine as the page shows it at first: what it is, what can be done to it; of the first its pictures, too.

    The sheets of all would be half of the page, and a machine that is chosen answers by itself.
    """
    listed = index.read_index(source)["experiments"]
    names = [name for name, it in listed.items() if it.get("kind") != JUDGE and _iterations(it)]
    shown = sorted((about for name in names if (about := _about(source, name, listed[name]))), key=_place)
    others = [about["name"] for about in shown if about["kind"] in ORDER]
    told = [{**about, "operators": _operators(about, listed, others)} for about in shown]
    for other in told[1:]:
        other["sheet"] = None
    return [{**about, "sheet": about["sheet"] and sheet(source, about["sheet"])} for about in told]


def _about(source: str | Path, name: str, listed: Mapping[str, Any]) -> Message | None:
    """One machine; None for one that draws no pictures. sheet: its file, of a run the last, of others the first."""
    kind, models = listed.get("kind", RUN), _iterations(listed)
    said = _said(source, listed)
    if kind == NETWORK and (said.get("points") or said.get("size") == 1):
        return None  # points are no pictures
    entry = models[-1] if kind not in (DECODER, NETWORK) else models[0]
    return {
        "name": name,
        "title": listed["title"],
        "kind": kind,
        "data": data_of(source, listed),
        "size": said.get("size", 28),
        "sheet": entry.get("samples"),
        "sha256": entry["sha256"],
        "iterations": [each["iteration"] for each in models],
    }


def data_of(source: str | Path, listed: Mapping[str, Any]) -> str:
    """The data that a machine learned, by name. listed: what the index says of it."""
    return str(_said(source, listed).get("data", ""))


def _said(source: str | Path, listed: Mapping[str, Any]) -> dict[str, Any]:
    """How an experiment was made; nothing, if that cannot be read: the page has other machines."""
    with suppress(ValueError):
        config = strict_json(index.fetch(source, listed["config"]).read_bytes())
        said = config.get("experiment") if isinstance(config, dict) else None
        return said if isinstance(said, dict) else {}
    return {}


def _operators(about: Message, listed: Mapping[str, Any], others: Sequence[str]) -> list[str]:
    can = {
        "bend": True,
        "glitch": True,
        "blend": about["kind"] not in (DECODER, NETWORK) and len(about["iterations"]) > 1,
        "rewrite": about["kind"] == DECODER and JUDGES.get(about["data"]) in listed,
        "chain": bool({*others} - {about["name"]}),
    }
    return [operator for operator, able in can.items() if able]


def _iterations(listed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in listed["iterations"] if "file" in entry]


def _place(about: Message) -> tuple[int, int, str]:
    """Digits first, then clothes."""
    kinds, data = [*ORDER, about["kind"]], [*JUDGES, about["data"]]
    return kinds.index(about["kind"]), data.index(about["data"]), about["name"]


CODES = 500  # pictures by which it is told what a class is to a layer
USUAL_CLASSES = (7, 3)  # by place: sevens as threes, shoes as dresses
SYMBOLS = 32
STARTS, CHANNELS = ("symbols", "noise"), ("all", "random", "cluster")
AMOUNTS: dict[str, list[Any]] = {  # of each transform: what its numbers are, from, to, in steps of, usually
    "translate": [["to the right", -0.5, 0.5, 0.05, 0.25], ["down", -0.5, 0.5, 0.05, 0]],
    "rotate": [["degrees", -180, 180, 5, 45]],
    "scale": [["times", 0.25, 3, 0.05, 1.5]],
    "flip_h": [],
    "flip_v": [],
    "erode": [["positions", 0, 3, 1, 1]],
    "dilate": [["positions", 0, 3, 1, 1]],
    "threshold": [["of the peak", 0, 1, 0.01, 0.3]],
    "invert": [],
    "multiply": [["times", -4, 4, 0.1, -1.5]],
    "ablate": [],
    "noise": [["deviations", 0, 8, 0.1, 3]],
}
KINDS = ("zero", "flip", "resample", "scale", "swap", "duplicate", "shuffle")  # of a glitch
USUAL: dict[str, Message] = {  # of each operator: its strength, from and to, and how a machine of passes is run
    "bend": {"strength": 1, "low": 0, "high": 1, "start": "symbols", "passes": 3},
    "glitch": {"strength": 0.1, "low": 0, "high": 1, "start": "noise", "passes": 12},
    "blend": {"strength": 0.5, "low": -1, "high": 3, "start": "noise", "passes": 12},
    "rewrite": {"strength": 1, "low": 0, "high": 3, "start": "symbols", "passes": 0},
    "chain": {"strength": 5, "low": 0, "high": 30, "start": "symbols", "passes": 0},
}
LIMITS = {
    "seed": (0, 2**32 - SYMBOLS), "chance": (0, 2**32 - 1), "passes": (0, 30), "share": (0, 1),
    "group": (0, GROUPS - 1), "parent": (0, 999), "child": (0, 999),
}  # fmt: skip


@dataclass(frozen=True)
class Order:
    """What a visitor asks for. What an operator does not need is not looked at.

    strength: as `USUAL` says. seed: of the first symbol; chance: of what chance alters. start, passes: of a machine
    that draws pass by pass. layer: by name; "" is a usual one, or all for a glitch. transform, amount, channels, share,
    group: of a bend. kind: of a glitch. one, another: classes, the one rewritten as the other; "" are usual ones.
    parent, child: iterations that are blended. other: the machine that goes on in a chain.
    """

    machine: str
    operator: str
    strength: float
    seed: int
    chance: int
    start: str
    passes: int
    layer: str
    transform: str
    amount: tuple[float, ...]
    channels: str
    share: float
    group: int
    kind: str
    one: str
    another: str
    parent: int
    child: int
    other: str

    def __post_init__(self) -> None:
        choose("operator", self.operator[:40], USUAL)
        choose("start", self.start[:40], STARTS)
        choose("transform", self.transform[:40], AMOUNTS)
        choose("channels", self.channels[:40], CHANNELS)
        choose("glitch", self.kind[:40], KINDS)
        strength = (USUAL[self.operator]["low"], USUAL[self.operator]["high"])
        for what, (low, high) in {"strength": strength, **LIMITS}.items():
            _within(what, getattr(self, what), low, high)
        if len(self.amount) != len(AMOUNTS[self.transform]):
            wanted = f"{len(AMOUNTS[self.transform])} of them"
            raise ValueError(f"{len(self.amount)} numbers are no amount of {self.transform}: give {wanted}")
        for value, (_, low, high, *_) in zip(self.amount, AMOUNTS[self.transform], strict=True):
            _within("amount", value, low, high)
        if self.operator == "chain" and self.strength != int(self.strength):
            raise ValueError(f"strength {self.strength!r:.40} is no number of passes: give a whole one")

    @property
    def seeds(self) -> range:
        return range(self.seed, self.seed + SYMBOLS)


def _within(what: str, value: object, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{what} {value!r:.40} is not usable: give a number from {low} to {high}")


def bent(source: str | Path, of: Machine, order: Order, before: "Tensor") -> "Iterator[Tensor]":
    """Network bending."""
    from ..diverge import Edit, bend

    name = layer(of, order.layer)
    edit = Edit(name, order.transform, order.amount or None, order.strength, order.channels, order.share, order.group,
                seed=order.chance)  # fmt: skip
    labels = {name: groups(of, name)} if order.channels == "cluster" else {}
    with bend(own(of.model), edit, seeds=order.seeds, clusters=labels) as model:
        yield from states(of, model, order)


def glitched(source: str | Path, of: Machine, order: Order, before: "Tensor") -> "Iterator[Tensor]":
    """Neural glitch; the strength is the share of the weights."""
    from .. import diverge

    weights = parts(of)["weights"]
    names = (choose("layer", order.layer[:80], weights),) if order.layer else tuple(weights)
    how = diverge.Glitch(order.kind, order.strength, seed=order.chance, layers=names)
    return states(of, diverge.glitched(of.model, how), order)


def blended(source: str | Path, of: Machine, order: Order, before: "Tensor") -> "Iterator[Tensor]":
    """Network blending of two iterations; the strength is the weight of the child."""
    from ..diverge import blend

    child = machine(source, order.machine, order.child)
    return states(of, blend(of.model, child.model, order.strength), order)


def rewritten(source: str | Path, of: Machine, order: Order, before: "Tensor") -> "Iterator[Tensor]":
    """Model rewriting; the strength is how much of one association is written."""
    from ..diverge import blend

    judge = judge_of(source, order.machine)
    other = _written(of, judge, layer(of, order.layer, "memories"), *classes(judge, order))
    return states(of, blend(of.model, other, order.strength), order)


def chained(source: str | Path, of: Machine, order: Order, before: "Tensor") -> "Iterator[Tensor]":
    """Chaining; the strength is how often the other machine reconstructs."""
    from ..diverge import fitted
    from ..samplers.iterate import iterate

    other = machine(source, order.other).model
    if order.other == order.machine or not hasattr(other, "reconstruct"):
        raise ValueError(f"{order.other[:40]!r} does not go on from what {order.machine[:40]!r} draws: choose another")
    passed = iterate(other.reconstruct, fitted(before, other.image_shape))
    return (fitted(x, of.model.image_shape) for x in islice(passed, int(order.strength) + 1))


OPERATORS: "dict[str, Callable[[str | Path, Machine, Order, Tensor], Iterator[Tensor]]]" = {
    "bend": bent,
    "glitch": glitched,
    "blend": blended,
    "rewrite": rewritten,
    "chain": chained,
}


def states(of: Machine, model: Any, order: Order) -> "Iterator[Tensor]":
    """What an altered model draws from the start that is asked for, pass after pass; once, if it draws in one go."""
    return islice(of.states(model, order.seeds, order.start), 1 if of.drawn else order.passes + 1)


def layer(of: Machine, name: str, what: str = "layers") -> str:
    """The layer that is asked for, or the usual one: the first that draws, or if none only draws, that in the middle.

    Written is into the second: in the first more of other classes changes too.
    Raises ValueError for a layer that there is not, naming those there are.
    """
    names = [each if isinstance(each, str) else each[0] for each in parts(of)[what]]
    if not names:
        raise ValueError(f"{of.name} has no layer for this: choose another machine")
    drawing = [each for each in names if each.startswith(("decoder.", "generator."))]
    first = 1 if what == "memories" and len(drawing) > 1 else 0
    return choose("layer", name[:80] or (drawing[first] if drawing else names[len(names) // 2]), names)


# ---- classes: what is rewritten


def judge_of(source: str | Path, name: str) -> "Judge":
    """Who names what a machine draws. Raises ValueError if nobody does."""
    listed = index.read_index(source)["experiments"]
    judge = JUDGES.get(data_of(source, listed[name]))
    if judge not in listed:
        raise ValueError(f"no judge here names what {name} draws: rewrite another machine")
    return _judge(source, str(judge), str(listed[judge]))


@lru_cache(maxsize=4)  # a megabyte each
def _judge(source: str | Path, name: str, listed: str) -> "Judge":
    """listed: what the index says of it, so that a file that changed is another judge."""
    from .. import hub

    return hub.load_classifier(source, name)


def classes(judge: "Judge", order: Order) -> tuple[str, str]:
    """The class that is rewritten, and the one as which. Raises ValueError for a class that there is not."""
    names = judge.config.classes
    usual = [names[min(place, len(names) - 1)] for place in USUAL_CLASSES]
    one, another = (said or its for said, its in zip((order.one, order.another), usual, strict=True))
    return choose("class", one[:40], names), choose("class", another[:40], names)


def named(source: str | Path, order: Order, before: "Tensor") -> Message:
    """Of a rewriting: all classes, those two, and which of the pictures before the judge takes for the one."""
    if order.operator != "rewrite":
        return {}
    judge = judge_of(source, order.machine)
    one, another = classes(judge, order)
    said = judge.probabilities(before).argmax(1).tolist()
    marked = [judge.config.classes[place] == one for place in said]
    return {"classes": list(judge.config.classes), "one": one, "another": another, "marked": marked}


@lru_cache(maxsize=8)  # some megabytes each
def _written(of: Machine, judge: "Judge", name: str, one: str, another: str) -> Any:
    """A model in which what a layer is asked by pictures of one class it answers as for another, in closed form.

    Raises ValueError if it draws no picture of one of them.
    """
    from ..diverge import keys, matrix, second_moment, write
    from ..seeds import Noise, child

    codes = Noise(child(0, "rewriting", place) for place in range(CODES)).randn(*of.model.code_shape)
    found = keys(of.model, name, lambda model: model.decode(codes))
    said = judge.probabilities(of.model.decode(codes)).argmax(1).repeat_interleave(len(found) // CODES)
    mine, yours = (found[said == judge.config.classes.index(it)] for it in (one, another))
    if not (len(mine) and len(yours)):
        raise ValueError(f"among {CODES} pictures none is of class {another if len(mine) else one}: choose another")
    value = matrix(of.model, name) @ yours.mean(0)
    return write(of.model, name, mine.mean(0), value, second_moment(found))


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
    machines = first_machines(source)
    facts = {"symbols": SYMBOLS, "amounts": AMOUNTS, "kinds": KINDS, "usual": USUAL, "groups": GROUPS}
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

    own = figure(first, static("bend.html"), module("bend", "bend"), elem_id="bend", server_functions=[note])
    own.bend(on_bend, None, wire(own, "that-are-not-bent"), **MODEL)
