"""The machines of the tab "Bend it": the trained models of a tree of checkpoints, and how each draws, pass by pass."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import tree
from ..header import CheckpointError, strict_json
from . import Message, creative, iterations, kaleidoscope, sheet

if TYPE_CHECKING:  # the page itself needs no torch
    from torch import Tensor

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
    listed = tree.read_index(source)["experiments"]
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
    from ..samplers.hallucinate import generates

    entry = next(e for e in tree.read_index(source)["experiments"][name]["iterations"] if e["iteration"] == iteration)
    kind = tree.read_index(source)["experiments"][name].get("kind", RUN)
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
    from ..creative.stored import codes_of

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
    from ..kaleidoscopes import stored

    other = replace(k, model=model)
    return stored.stream(other, seeds, start=None if start == "noise" else _settled(k, tuple(seeds)))


@lru_cache(maxsize=16)
def _settled(k: Any, seeds: tuple[int, ...]) -> "Tensor":
    from ..kaleidoscopes import stored

    return next(islice(stored.stream(k, seeds), SETTLED, None))


# ---- what there is to alter


@lru_cache(maxsize=24)
def parts(of: Machine) -> Message:
    """What can be altered, of all that is called when a picture is drawn, in that order.

    layers: those that are bent, [name, channels, pixels a side of a map, or 0 for units]; weights: names of layers that
    have some; memories: names of those that one may write into.
    """
    from ..diverge.model_layers import dense, layers
    from ..samplers.activation import hooked

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


def first_page(source: str | Path) -> list[Message]:
    """Each machine as the page shows it at first: what it is, what can be done to it; of the first its pictures, too.

    The sheets of all would be half of the page, and a machine that is chosen answers by itself.
    """
    listed = tree.read_index(source)["experiments"]
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
        config = strict_json(tree.fetch(source, listed["config"]).read_bytes())
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
