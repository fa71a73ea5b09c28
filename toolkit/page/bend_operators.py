"""What the tab "Bend it" can do to a machine: an order, and the operator that draws the pictures after it.

An operator takes (tree of checkpoints, machine, order, pictures before) and yields pictures (B, C, H, W) in [0, 1].
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import tree
from ..options import choose
from . import Message
from .bend_machines import GROUPS, JUDGES, Machine, data_of, groups, machine, own, parts

if TYPE_CHECKING:  # the page itself needs no torch
    from torch import Tensor

    from ..models import Judge

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
    listed = tree.read_index(source)["experiments"]
    judge = JUDGES.get(data_of(source, listed[name]))
    if judge not in listed:
        raise ValueError(f"no judge here names what {name} draws: rewrite another machine")
    return _judge(source, str(judge), str(listed[judge]))


@lru_cache(maxsize=4)  # a megabyte each
def _judge(source: str | Path, name: str, listed: str) -> "Judge":
    """listed: what the index says of it, so that a file that changed is another judge."""
    from .. import judges

    return judges.load(source, name)


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
