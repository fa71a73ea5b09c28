"""The tab "Bend it": machines, and the operators that act on them.

An operator takes (tree of checkpoints, machine, request, pictures before) and yields pictures (B, C, H, W) in [0, 1].
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import Self

from .. import diverge, hub
from ..config import choose
from ..diverge.weights import KINDS
from ..index import CheckpointError
from ..models import Judge, StyleGAN
from ..samplers import last
from ..samplers.generate import generates
from ..samplers.iterate import iterate
from ..samplers.layers import dense, hooked, layers
from ..seeds import Noise, child
from . import server
from .server import Message, Request, Seed, Word, action, figure, loaded, pixels

RUN, DECODER, NETWORK, NO_PICTURES = "iterations", "decoder", "kaleidoscope", ("judge", "words")  # kinds in an index
KIND_ORDER = [DECODER, RUN, NETWORK]  # what other kinds there are comes after them, and is drawn from as a run is
CLASSIFIERS = {"mnist": "judge-digits", "fashion": "judge-fashion"}  # who names what a decoder of these data draws
SETTLED = 30  # runs after which a kaleidoscope's pictures count as its own
GROUPS, EXAMPLES = 5, range(48)  # of channels that act alike, and the seeds of the pictures that tell


Machine: TypeAlias = hub.Run | hub.Trained | hub.Kaleidoscope


def machine(source: str | Path, name: str, iteration: int | None = None) -> Machine:
    """A machine as the other tabs keep it. iteration: of a run, by default the last. Raises CheckpointError."""
    listed = server.read_index(source)["experiments"]
    if name not in listed or not (entries := _iterations(listed[name])) or listed[name].get("kind") in NO_PICTURES:
        there = [each for each, it in listed.items() if it.get("kind") not in NO_PICTURES and _iterations(it)]
        raise CheckpointError(f"there is no machine {name[:40]!r}: choose {' or '.join(there) or 'another source'}")
    numbers = [entry["iteration"] for entry in entries]
    if iteration not in (None, *numbers):
        raise CheckpointError(f"{name} has no model of iteration {iteration!r:.20}: choose one of {numbers}")
    if load := {DECODER: hub.load_decoder, NETWORK: hub.load_kaleidoscope}.get(listed[name].get("kind")):
        return loaded(load, source, name)
    return loaded(hub.read, source, name, numbers[-1] if iteration is None else iteration)


def drawn(of: Machine) -> bool:
    """Whether a machine draws from codes, in one go."""
    return isinstance(of, hub.Trained) or generates(of.model)


def all_states(of: Machine, model: Any, seeds: Sequence[int], start: str) -> Iterator[Tensor]:
    """What a model in the place of a machine's own draws: (B, C, H, W) in [0, 1], pass after pass.

    start: "noise", or "symbols", which the machine itself makes of noise.
    """
    if isinstance(of, hub.Trained):
        return iter([model.decode(hub.codes_of(of, seeds))])
    if isinstance(of, hub.Kaleidoscope):
        begin = None if start == "noise" else _settled(of, tuple(seeds))
        return hub.stream(replace(of, model=model), seeds, start=begin)
    if drawn(of):
        return replace(of, model=model).states(seeds)
    x = _noise(model, seeds) if start == "noise" else _symbols(of, tuple(seeds))
    return map(of.sampling.finished, iterate(model.reconstruct, x))


@lru_cache(maxsize=16)  # a hundred kilobytes each
def _symbols(run: hub.Run, seeds: tuple[int, ...]) -> Tensor:
    """A run's own symbols as its model leaves them, their tones not yet those of the data."""
    return last(run.sampling.states(run.model, _noise(run.model, seeds)))


def _noise(model: Any, seeds: Sequence[int]) -> Tensor:
    return Noise(seeds).rand(*model.image_shape)


@lru_cache(maxsize=16)
def _settled(k: hub.Kaleidoscope, seeds: tuple[int, ...]) -> Tensor:
    return next(islice(hub.stream(k, seeds), SETTLED, None))


# ---- what there is to alter


@lru_cache(maxsize=24)
def parts(of: Machine) -> Message:
    """What can be altered, of all that is called when a picture is drawn, in that order.

    layers: those that are bent, [name, channels, pixels a side of a map, or 0 for units]; weights: names of layers that
    have some; memories: names of those that one may write into.
    """
    model, shapes = server.separate(of.model), dict[str, tuple[int, ...]]()
    found = layers(model)
    with dense(model), ExitStack() as stack:
        for name, module in found.items():
            note = partial(lambda name, before, after: shapes.update({name: tuple(after.shape)}), name)
            stack.enter_context(hooked(module, note))
        pictures(of, model, [0], 1)
    able = [name for name in shapes if getattr(getattr(found[name], "weight", None), "ndim", 0) > 1]
    return {
        "layers": [
            [name, shape[1], shape[2] if len(shape) == 4 else 0]
            for name, shape in shapes.items()
            if type(found[name]).__name__.endswith("ReLU")
        ],
        "weights": able,
        "memories": able if drawn(of) else [],
    }


def pictures(of: Machine, model: Any, seeds: Sequence[int], passes: int, start: str = "noise") -> Tensor:
    """What a model draws in the way of a machine, after so many passes if it draws in passes: (B, C, H, W)."""
    *_, final = islice(all_states(of, model, seeds, start), 1 if drawn(of) else passes + 1)
    return final


@lru_cache(maxsize=16)  # a hundred kilobytes each
def untouched(of: Machine, seeds: range, passes: int, start: str) -> Tensor:
    """What a machine draws as it is, kept, as a request mostly differs from the one before in one knob."""
    return pictures(of, of.model, seeds, passes, start)


@lru_cache(maxsize=24)
def groups(of: Machine, layer: str) -> Tensor:
    """Which of GROUPS groups that act alike each channel of a layer is in: (K,), by what they do in some pictures."""
    return diverge.clusters(server.separate(of.model), layer, lambda model: pictures(of, model, EXAMPLES, 1), GROUPS)


# ---- before any of them works


def first_machines(source: str | Path) -> list[Message]:
    """Each machine as the page shows it at first: what it is, what can be done to it, and where its sheet is."""
    listed = server.read_index(source)["experiments"]
    names = [name for name, it in listed.items() if it.get("kind") not in NO_PICTURES and _iterations(it)]
    shown = sorted((about for name in names if (about := _about(source, name, listed[name]))), key=_place)
    others = [about["name"] for about in shown if about["kind"] in KIND_ORDER]
    return [{**about, "operators": _operators(about, listed, others)} for about in shown]


def _about(source: str | Path, name: str, listed: Mapping[str, Any]) -> Message | None:
    """One machine; None for one that draws no pictures. sheet: of a run the last, of others the first."""
    kind, models = listed.get("kind", RUN), _iterations(listed)
    made = server.config_of(source, listed)
    if kind == NETWORK and (made.get("points") or made.get("size") == 1):
        return None  # points are no pictures
    entry = models[-1] if kind not in (DECODER, NETWORK) else models[0]
    return {
        **server.about(name, listed, entry),
        "kind": kind,
        "data": str(made.get("data", "")),
        "architecture": str(made.get("architecture", "")),
        "size": made.get("size", 28),
        "iterations": [each["iteration"] for each in models],
    }


def _operators(about: Message, listed: Mapping[str, Any], others: Sequence[str]) -> list[str]:
    can = {
        "bend": True,
        "glitch": True,
        "blend": about["kind"] not in (DECODER, NETWORK) and len(about["iterations"]) > 1,
        "rewrite": about["kind"] == DECODER and CLASSIFIERS.get(about["data"]) in listed,
        "chain": bool({*others} - {about["name"]}),
        "mix": about["architecture"] == "StyleGAN",
    }
    return [operator for operator, able in can.items() if able]


def _iterations(listed: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in listed["iterations"] if "file" in entry]


def _place(about: Message) -> tuple[int, int, str]:
    """Digits first, then clothes."""
    kinds, data = [*KIND_ORDER, about["kind"]], [*CLASSIFIERS, about["data"]]
    return kinds.index(about["kind"]), data.index(about["data"]), about["name"]


CODES = 500  # pictures that show what a class is to a layer
USUAL_CLASSES = (7, 3)  # by place: sevens as threes, shoes as dresses
SYMBOLS = 32
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
USUAL: dict[str, Message] = {  # of each operator: its strength, from and to, and how a machine of passes is run
    "bend": {"strength": 1, "low": 0, "high": 1, "start": "symbols", "passes": 3},
    "glitch": {"strength": 0.1, "low": 0, "high": 1, "start": "noise", "passes": 12},
    "blend": {"strength": 0.5, "low": -1, "high": 3, "start": "noise", "passes": 12},
    "rewrite": {"strength": 1, "low": 0, "high": 3, "start": "symbols", "passes": 0},
    "chain": {"strength": 5, "low": 0, "high": 30, "start": "symbols", "passes": 0},
    "mix": {"strength": 1, "low": 0, "high": 1, "start": "symbols", "passes": 0},
}


class BendRequest(Request):
    """What a visitor asks for. What an operator does not need is not looked at.

    strength: as `USUAL` says. seed: of the first symbol; chance: of what chance alters. start, passes: of a machine
    that draws pass by pass. layer: by name; "" is a usual one, or all for a glitch. transform, amount, channels, share,
    group: of a bend. kind: of a glitch. one, another: classes, the one rewritten as the other; "" are usual ones.
    parent, child: iterations that are blended. other: the machine that goes on in a chain. styles: the layers that take
    the style of the seed `chance`; psi: the truncation of all styles; noise: whether a StyleGAN adds its noise.
    """

    machine: Word
    operator: Literal["bend", "glitch", "blend", "rewrite", "chain", "mix"]
    strength: float
    seed: int = Field(ge=0, le=2**32 - SYMBOLS)
    chance: Seed
    start: Literal["symbols", "noise"]
    passes: int = Field(ge=0, le=30)
    layer: str = Field(max_length=80)
    transform: Word
    amount: list[float]
    channels: Literal["all", "random", "cluster"]
    share: float = Field(ge=0, le=1)
    group: int = Field(ge=0, le=GROUPS - 1)
    kind: Word
    one: Word
    another: Word
    parent: int = Field(ge=0, le=999)
    child: int = Field(ge=0, le=999)
    other: Word
    styles: Literal["coarse", "middle", "fine", "all"]
    psi: float = Field(ge=0, le=1.5)
    noise: Literal["on", "off"]

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        """Choices that the page lists, and ranges that depend on the operator and the transform."""
        choose("transform", self.transform, AMOUNTS)
        choose("glitch", self.kind, KINDS)
        _check("strength", self.strength, USUAL[self.operator]["low"], USUAL[self.operator]["high"])
        if len(self.amount) != len(AMOUNTS[self.transform]):
            wanted = f"{len(AMOUNTS[self.transform])} of them"
            raise ValueError(f"{len(self.amount)} numbers are no amount of {self.transform}: give {wanted}")
        for value, (_, low, high, *_) in zip(self.amount, AMOUNTS[self.transform], strict=True):
            _check("amount", value, low, high)
        if self.operator == "chain" and self.strength != int(self.strength):
            raise ValueError(f"strength {self.strength!r:.40} is no number of passes: give a whole one")
        return self

    @property
    def seeds(self) -> range:
        return range(self.seed, self.seed + SYMBOLS)


def _check(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{what} {value!r:.40} is not usable: give a number from {low} to {high}")


def bent(source: str | Path, of: Machine, request: BendRequest, before: Tensor) -> Iterator[Tensor]:
    """Network bending."""
    name, amount = layer(of, request.layer), tuple(request.amount) or None
    edit = diverge.Edit(
        name, request.transform, amount, request.strength, request.channels, request.share, request.group,
        seed=request.chance,
    )  # fmt: skip
    labels = {name: groups(of, name)} if request.channels == "cluster" else {}
    with diverge.bend(server.separate(of.model), edit, seeds=request.seeds, clusters=labels) as model:
        yield from states(of, model, request)


def glitched(source: str | Path, of: Machine, request: BendRequest, before: Tensor) -> Iterator[Tensor]:
    """Neural glitch; the strength is the share of the weights."""
    weights = parts(of)["weights"]
    names = (choose("layer", request.layer[:80], weights),) if request.layer else tuple(weights)
    how = diverge.Glitch(request.kind, request.strength, seed=request.chance, layers=names)
    return states(of, diverge.glitched(of.model, how), request)


def blended(source: str | Path, of: Machine, request: BendRequest, before: Tensor) -> Iterator[Tensor]:
    """Network blending of two iterations; the strength is the weight of the child."""
    child = machine(source, request.machine, request.child)
    return states(of, diverge.blend(of.model, child.model, request.strength), request)


def rewritten(source: str | Path, of: Machine, request: BendRequest, before: Tensor) -> Iterator[Tensor]:
    """Model rewriting; the strength is how much of one association is written."""
    classifier = classifier_of(source, request.machine)
    other = _written(of, classifier, layer(of, request.layer, "memories"), *classes(classifier, request))
    return states(of, diverge.blend(of.model, other, request.strength), request)


def chained(source: str | Path, of: Machine, request: BendRequest, before: Tensor) -> Iterator[Tensor]:
    """Chaining; the strength is how often the other machine reconstructs."""
    mine: Any = of.model
    other: Any = machine(source, request.other).model
    if request.other == request.machine or not hasattr(other, "reconstruct"):
        raise ValueError(f"{request.other!r} does not go on from what {request.machine!r} draws: choose another")
    passed = iterate(other.reconstruct, diverge.fitted(before, other.image_shape))
    return (diverge.fitted(x, mine.image_shape) for x in islice(passed, int(request.strength) + 1))


def mixed(source: str | Path, of: Machine, request: BendRequest, before: Tensor) -> Iterator[Tensor]:
    """Style mixing and truncation; the strength is how far some layers take the style of another seed."""
    model = of.model
    if not isinstance(model, StyleGAN):
        raise ValueError(f"{of.name} has no styles to mix: choose a StyleGAN")
    codes, other = (Noise(seeds).randn(*model.code_shape) for seeds in (request.seeds, [request.chance]))
    w, another = (model.styles(each, request.psi) for each in (codes, other))
    w = model.mix(w, another, model.layers(request.styles), request.strength)
    yield model.draw(w, codes[:, model.config.z :] if request.noise == "on" else None)


OPERATORS: dict[str, Callable[[str | Path, Machine, BendRequest, Tensor], Iterator[Tensor]]] = {
    "bend": bent,
    "glitch": glitched,
    "blend": blended,
    "rewrite": rewritten,
    "chain": chained,
    "mix": mixed,
}


def states(of: Machine, model: Any, request: BendRequest) -> Iterator[Tensor]:
    """What an altered model draws from the start that is asked for, pass after pass; once, if it draws in one go."""
    return islice(all_states(of, model, request.seeds, request.start), 1 if drawn(of) else request.passes + 1)


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


def classifier_of(source: str | Path, name: str) -> Judge:
    """Who names what a machine draws. Raises ValueError if nobody does."""
    listed = server.read_index(source)["experiments"]
    of = CLASSIFIERS.get(str(server.config_of(source, listed[name]).get("data")), "")
    if of not in listed:
        raise ValueError(f"no judge here names what {name} draws: rewrite another machine")
    return loaded(hub.load_classifier, source, of)


def classes(classifier: Judge, request: BendRequest) -> tuple[str, str]:
    """The class that is rewritten, and the one as which. Raises ValueError for a class that there is not."""
    names = classifier.config.classes
    usual = [names[min(place, len(names) - 1)] for place in USUAL_CLASSES]
    one, another = (asked or its for asked, its in zip((request.one, request.another), usual, strict=True))
    return choose("class", one[:40], names), choose("class", another[:40], names)


def named(source: str | Path, request: BendRequest, before: Tensor) -> Message:
    """Of a rewriting: all classes, those two, and which of the pictures before the classifier takes for the one."""
    if request.operator != "rewrite":
        return {}
    classifier = classifier_of(source, request.machine)
    one, another = classes(classifier, request)
    predicted = classifier.probabilities(before).argmax(1).tolist()
    marked = [classifier.config.classes[place] == one for place in predicted]
    return {"classes": list(classifier.config.classes), "one": one, "another": another, "marked": marked}


@lru_cache(maxsize=8)  # some megabytes each
def _written(of: Machine, classifier: Judge, name: str, one: str, another: str) -> Any:
    """A model in which what a layer is asked by pictures of one class it answers as for another, in closed form.

    Raises ValueError if it draws no picture of one of them.
    """
    model: Any = of.model
    codes = Noise(child(0, "rewriting", place) for place in range(CODES)).randn(*model.code_shape)
    found = diverge.keys(server.separate(model), name, lambda model: model.decode(codes))
    predicted = classifier.probabilities(model.decode(codes)).argmax(1).repeat_interleave(len(found) // CODES)
    mine, yours = (found[predicted == classifier.config.classes.index(it)] for it in (one, another))
    if not (len(mine) and len(yours)):
        raise ValueError(f"among {CODES} pictures none is of class {another if len(mine) else one}: choose another")
    value = diverge.matrix(model, name) @ yours.mean(0)
    return diverge.write(model, name, mine.mean(0), value, diverge.second_moment(found))


TAB = "Bend it"
START: Message = {
    "operator": "bend", "strength": 1, "seed": 0, "chance": 0, "start": "symbols", "passes": 3, "layer": "",
    "transform": "multiply", "amount": [-1.5], "channels": "random", "share": 0.25, "group": 0, "kind": "flip",
    "one": "", "another": "", "parent": 0, "child": 0, "other": "", "styles": "coarse", "psi": 1, "noise": "on",
}  # fmt: skip


def draw(source: str | Path, request: BendRequest) -> Generator[Message]:
    """The symbols before, and after each pass of the altered machine, each message with all so far.

    Raises ValueError for what is not there.
    """
    of = machine(source, request.machine, request.parent if request.operator == "blend" else None)
    before = untouched(of, request.seeds, request.passes, request.start)
    known = {**parts(of), "drawn": drawn(of), **_layer(of, request), **named(source, request, before)}
    yield {"known": known, "shape": list(before.shape[1:]), "before": pixels(before), "frames": []}
    frames: list[str] = []
    for x in OPERATORS[request.operator](source, of, request, before):
        frames = [*frames, pixels(x)]
        yield {"frames": frames}


def _layer(of: Machine, request: BendRequest) -> Message:
    """The layer that is altered, where it is one."""
    if request.operator == "glitch":
        return {"layer": request.layer}
    what = {"bend": "layers", "rewrite": "memories"}.get(request.operator)
    return {"layer": layer(of, request.layer, what)} if what else {}


def first_page(source: str | Path) -> Message | None:
    """What there is to see before any machine works: each one's sheet. None if there is no machine."""
    machines = first_machines(source)
    facts = {"symbols": SYMBOLS, "amounts": AMOUNTS, "kinds": KINDS, "usual": USUAL, "groups": GROUPS}
    return {"machines": machines, "start": START, **facts} if machines else None


def warm(source: str | Path) -> None:
    """Draw what stands there at the start, for nobody."""
    if first := first_page(source):
        for _ in draw(source, BendRequest.read({**START, "machine": first["machines"][0]["name"]})):
            pass


def tab(source: str | Path, first: Message) -> None:
    """Active divergence: an operator on a machine, before and after. first: as `first_page` gives it."""
    own = figure("bend", first, triggers=["bend"])
    action(own, "bend", "that-are-not-bent", BendRequest, partial(draw, source))
