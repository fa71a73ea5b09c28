"""A family raised by a person's picks: a small model learns from the symbols that they keep, and its children appear.

The first model, the ancestor, is one of iterated learning. Each generation learns the pictures that a person picked
from the sheet of its parent, or drew, beside the data that the ancestor learned; then it draws its own sheet from the
same seeds. A recipe holds the picks and settings, no weights: the family is made again from it, by a fixed number of
steps in float32 and on one thread, the same bytes on the same kind of processor, whatever its number of cores. On
another kind sums are rounded otherwise, winners change places, and a generation or two later symbols are cousins, no
copies. So a recipe that is shared holds its last sheet too, as a small picture: whoever opens it sees the very symbols
that were shared, and `kinship` says whether those that were raised again are cousins of them.

To reconstruct picks alone hardly changes what a model makes of noise. So it learns its way there too, as in the
walkback training of Bengio et al. (2013, Generalized denoising auto-encoders as generative models): from states on the
way from noise to its symbols it learns to step to one of the picks, each state to one near its symbol.
"""

import base64
import json
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Self

import torch
from torch import Tensor, nn

from . import data, hub, index, plot, train
from .config import SamplingSettings, checked
from .diverge.channels import frozen_copy
from .diverge.training import Snapshot
from .index import CHECKPOINTS, CheckpointError, strict_json
from .metrics.distance import nearest
from .metrics.image import as_float
from .presets import Experiment, Family
from .samplers.generate import Sampling, from_bytes, to_bytes
from .seeds import child
from .train import Objective, OptimiserState, augment, fit

# ---- recipes

SCHEMA = 1
SYMBOLS = 12  # on a sheet
STEPS = 40  # of learning of a generation; older recipes leave it out, so that another number is another SCHEMA
MOST, DEEPEST = 60, 20  # generations of a family, and from the ancestor to any of them
MOST_PICKS, MOST_DRAWINGS = 12, 4  # of a generation
LONGEST_NAME = 40  # letters
LONGEST_TEXT = 2000  # letters of a link; a longer recipe is a file
LARGEST = 2**17  # bytes of a recipe as JSON
SIDE = 28  # pixels of a drawing
DEPTHS = {bits * SIDE**2 // 8: bits for bits in (1, 2, 4, 8)}  # bits a pixel of a drawing, by its bytes
GREYS = 2  # bits a pixel of the sheet in a recipe: at 1 it is 0.115 from the true one, rms, at 2 it is 0.043
ANCESTOR = ("fig2-toned", 3)  # whom the page and the study begin with


def _name(what: str, name: str) -> None:
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"the name of {what} is {name[:LONGEST_NAME]!r}: give at most {LONGEST_NAME} visible letters")


@dataclass(frozen=True)
class Ancestor:
    """The first model of a family: an iteration of a run, and the sha256 of its file, hexadecimal."""

    experiment: str = ANCESTOR[0]
    iteration: int = ANCESTOR[1]
    sha256: str = ""

    def __post_init__(self) -> None:
        _name("the ancestor", self.experiment)
        if not 0 < self.iteration < 1000:
            raise ValueError(f"the ancestor's iteration is {self.iteration!s:.20}: give one from 1 to 999")
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"the ancestor's sha256 is {self.sha256[:20]!r}: give 64 hexadecimal digits")


@dataclass(frozen=True)
class Generation:
    """What a generation learns. parent: 0 for the ancestor, k for the k-th generation of the recipe.

    picks: seeds of symbols of the parent; drawings: pictures of 28x28, as `packed` writes them. weight: how much both
    count, from 0, the data alone, to 1, no data. steps: of learning, fewer than `STEPS` if it was stopped.
    """

    parent: int = 0
    picks: tuple[int, ...] = ()
    drawings: tuple[str, ...] = ()
    weight: float = 0.5
    name: str = ""
    steps: int = STEPS

    def __post_init__(self) -> None:
        _name("a generation", self.name)
        if not (self.picks or self.drawings):
            raise ValueError("a generation has no picks: give one or more, or a drawing")
        if len(self.picks) > MOST_PICKS or len(self.drawings) > MOST_DRAWINGS:
            raise ValueError(
                f"a generation has {len(self.picks)} picks and {len(self.drawings)} drawings: give at most "
                f"{MOST_PICKS} and {MOST_DRAWINGS}"
            )
        if len(set(self.picks)) < len(self.picks) or not all(0 <= seed < 2**32 for seed in self.picks):
            raise ValueError(f"picks are {str(list(self.picks))[:60]}: give different seeds from 0 to {2**32 - 1}")
        for drawing in self.drawings:
            unpacked(drawing)
        if not 0 <= self.weight <= 1:
            raise ValueError(f"weight is {self.weight}: give a number from 0 to 1")
        if not 1 <= self.steps <= STEPS:
            raise ValueError(f"steps is {self.steps!s:.20}: give 1 to {STEPS}")


@dataclass(frozen=True)
class Recipe:
    """A family as plain data: its ancestor, and its generations, each after its parent. Numbers count from 1.

    seed: the first of the twelve seeds of every sheet; what is learned in which order follows from it too. sheet: of
    the last generation when the family was shared, its symbols as `packed` writes them; nothing follows from it.
    Raises ValueError, one sentence, for whatever cannot be raised.
    """

    ancestor: Ancestor
    generations: tuple[Generation, ...] = ()
    seed: int = 0
    name: str = ""
    sheet: str = ""

    def __post_init__(self) -> None:
        _name("the family", self.name)
        if self.sheet:
            unpacked(self.sheet, SYMBOLS)
        if not 0 <= self.seed < 2**32 - SYMBOLS:
            raise ValueError(
                f"the seed of the family is {self.seed!s:.20}: give a whole number from 0 to {2**32 - 1 - SYMBOLS}"
            )
        if len(self.generations) > MOST:
            raise ValueError(f"the family has {len(self.generations)} generations: give at most {MOST}")
        for number, generation in enumerate(self.generations, 1):
            if not 0 <= generation.parent < number:
                raise ValueError(f"generation {number} has the parent {generation.parent!s:.20}: give one before it")
            if self.depth(number) > DEEPEST:
                raise ValueError(
                    f"generation {number} is {self.depth(number)} deep: at most {DEEPEST} follow each other"
                )

    @classmethod
    def read(cls, content: object) -> Self:
        """The inverse of `as_dict`. Raises ValueError for any other content."""
        found = _settings("a recipe", cls, content, extra=["schema"])
        if (schema := found.pop("schema", None)) != SCHEMA or type(schema) is not int:
            raise ValueError(
                f"the recipe has schema {schema!r:.40} and this version reads {SCHEMA}: upgrade the toolkit"
            )
        if not isinstance(generations := found.get("generations", ()), (list, tuple)):
            raise ValueError("the generations of the recipe are no list: give one")
        found["ancestor"] = Ancestor(**_settings("the ancestor", Ancestor, found.get("ancestor")))
        found["generations"] = tuple(
            Generation(**_settings("a generation", Generation, each)) for each in generations[: MOST + 1]
        )
        return cls(**found)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; what has its default is left out."""
        return {
            "schema": SCHEMA,
            "ancestor": asdict(self.ancestor),
            "generations": [_changed(generation) for generation in self.generations],
            **{key: value for key in ("seed", "name", "sheet") if (value := getattr(self, key))},
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Raises ValueError for what is too long, no JSON, or no recipe."""
        if len(text) > LARGEST:
            raise ValueError(f"the recipe has {len(text):,} bytes: give at most {LARGEST:,}")
        try:
            content = strict_json(text)
        except ValueError as error:
            raise ValueError(f"the recipe is no JSON ({index.one_line(error)}): fetch it again") from error
        return cls.read(content)

    def to_json(self) -> str:
        """The recipe as a file holds it."""
        return json.dumps(self.as_dict(), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of `to_text`. Raises ValueError for any other text."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            unzip = zlib.decompressobj(zdict=_DICTIONARY)
            content = unzip.decompress(base64.b64decode(padded, b"-_", validate=True), LARGEST)
            if not unzip.eof:
                raise ValueError("cut short")
        except (ValueError, zlib.error) as error:
            raise ValueError("the link of the family is damaged: copy all of it, or open its file") from error
        written, _, sheet = content.partition(END)
        return replace(cls.from_json(written), sheet=base64.b64encode(sheet).decode())

    def to_text(self) -> str:
        """The recipe as a part of a link: letters, digits, - and _. Ten generations of a few picks are some 300.

        Its sheet takes 1,300 more. Where that is over `LONGEST_TEXT` it is there in black and white, which takes 700,
        or not at all.
        """
        black = self.sheet and packed(as_float(unpacked(self.sheet, SYMBOLS)))
        texts = (_in_letters(replace(self, sheet=sheet)) for sheet in (self.sheet, black, ""))
        return next((text for text in texts if len(text) <= LONGEST_TEXT), _in_letters(replace(self, sheet="")))

    def showing(self, symbols: Tensor) -> Self:
        """The same recipe, to be shared with the sheet of its last generation, uint8 (12, 1, 28, 28)."""
        return replace(self, sheet=packed(as_float(symbols), GREYS))

    @property
    def seeds(self) -> range:
        """Those of the symbols on every sheet."""
        return range(self.seed, self.seed + SYMBOLS)

    def line(self, number: int) -> list[int]:
        """The numbers of a generation and of those before it, the oldest first; of the ancestor, 0, none."""
        found: list[int] = []
        while number:
            found.insert(0, number)
            number = self.generations[number - 1].parent
        return found

    def depth(self, number: int) -> int:
        """How many generations after the ancestor."""
        return len(self.line(number))

    def lineage(self, number: int) -> Self:
        """The recipe of one generation and those it comes from, as a chain. Raises ValueError if there is none."""
        if not 0 <= number <= len(self.generations):
            raise ValueError(f"there is no generation {number}: the family has {len(self.generations)}")
        chain = [self.generations[at - 1] for at in self.line(number)]
        sheet = self.sheet if number == len(self.generations) else ""
        return replace(self, generations=tuple(replace(each, parent=at) for at, each in enumerate(chain)), sheet=sheet)

    def stopped(self, number: int, steps: int) -> Self:
        """The same recipe, of which a generation learns for so many steps."""
        changed = replace(self.generations[number - 1], steps=steps)
        return replace(self, generations=(*self.generations[: number - 1], changed, *self.generations[number:]))

    def key(self, number: int) -> str:
        """What the model of a generation follows from, as a sha256: its lineage without names and sheet."""
        chain = self.lineage(number)
        unnamed = tuple(replace(each, name="") for each in chain.generations)
        plain = replace(chain, name="", sheet="", generations=unnamed)
        return sha256(_compact(plain.as_dict())).hexdigest()


def _settings(what: str, kind: Any, content: object, extra: Collection[str] = ()) -> dict[str, Any]:
    """An object of JSON as the dataclass has it, but for what is a dataclass itself. Raises ValueError."""
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{what} is {content!r:.40}: give an object with the settings of {what}")
    left = {key: value for key, value in content.items() if key in extra or key in ("ancestor", "generations")}
    return left | checked(what, kind, {key: value for key, value in content.items() if key not in left})


def _changed(generation: Generation) -> dict[str, Any]:
    """Without what has its default."""
    usual = asdict(Generation(picks=(0,))) | {"picks": ()}
    return {key: value for key, value in asdict(generation).items() if key == "parent" or value != usual[key]}


def _compact(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


END = b"\0"  # of the JSON in a link, after which the bytes of the sheet follow


def _in_letters(recipe: Recipe) -> str:
    zipped = zlib.compressobj(9, zdict=_DICTIONARY)
    found = zipped.compress(_compact(replace(recipe, sheet="").as_dict()))
    if recipe.sheet:  # in a block with letters of its own
        found += zipped.flush(zlib.Z_BLOCK) + zipped.compress(END + base64.b64decode(recipe.sheet))
    return base64.urlsafe_b64encode(found + zipped.flush()).decode().rstrip("=")


# What most recipes hold, so that it takes no room in a link. It must never change: links would no longer open.
_DICTIONARY = (
    b'0123456789abcdef"],"drawings":["","name":"","steps":2030,"weight":0.750.250.80.60.41.0'
    b'{"ancestor":{"experiment":"fig2-published","iteration":5,"sha256":""},"generations":['
    b'{"parent":0,"picks":[0,1,2,3,4,5,6,7,8,9,10,11]},{"parent":1,"picks":[0,3,7]},{"parent":2,"picks":[1,4,5]},'
    b'{"parent":3,"picks":[2,5,6]},{"parent":'
    b']}],"name":"","schema":1,"seed":1}],"schema":1}'
)


def packed(images: Tensor, bits: int = 1) -> str:
    """Drawings as a text: (..., 28, 28) in [0, 1] -> base64 of so many bits a pixel, 1, 2, 4 or 8, row by row."""
    levels = (images.flatten().clamp(0, 1) * (2**bits - 1)).round().byte()
    each = levels.view(-1, 8 // bits).long() << torch.arange(8 - bits, -1, -bits)
    return base64.b64encode(each.sum(1).byte().numpy().tobytes()).decode()


def unpacked(text: str, count: int = 1) -> Tensor:
    """The inverse of `packed`: -> uint8 (count, 1, 28, 28). Its length tells the bits. Raises ValueError for others."""
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        content = b""
    size, rest = divmod(len(content), count)
    bits = DEPTHS.get(size)
    if rest or not bits:
        what = "a drawing" if count == 1 else f"a sheet of {count} drawings"
        raise ValueError(f"{what} is {text[:20]!r}: give base64 of 28x28 pixels of 1, 2, 4 or 8 bits each")
    values = from_bytes(content, -1).long()
    levels = (values[:, None] >> torch.arange(8 - bits, -1, -bits)) % 2**bits
    return (levels * 255 // (2**bits - 1)).byte().view(count, 1, SIDE, SIDE)


# ---- learning

RATE = 6e-4  # Adam's
ROWS = 16  # of a batch on the way from noise; and, half as many, of pictures to reconstruct
VARIED = 0.25  # the strength of augmentation of picks
AHEAD = 0.3  # how far at most a state is moved towards its pick before the step
PASSES = range(1, 9)  # of the states on the way from noise
POOL = 24  # of the parent's symbols that are led to picks; of the ancestor's that are kept
EVERY = 4  # steps from one snapshot to the next


@dataclass(frozen=True, eq=False)
class Paths:
    """States on the way from noise to symbols, (P, N, C, H, W), and where they lead, (N, C, H, W), in [0, 1]."""

    states: Tensor
    ends: Tensor

    @staticmethod
    def of(model: nn.Module, sampling: Sampling, seeds: Iterable[int]) -> "Paths":
        """The first passes of an image per seed, and the last of them, finished."""
        stream = list(islice(sampling.trajectory(model, seeds), PASSES.stop))
        return Paths(torch.stack([stream[min(at, len(stream) - 1)] for at in PASSES]), stream[-1])

    def drawn(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """A state of each of these paths, at random: rows (B,) -> (B, C, H, W)."""
        return self.states[torch.randint(len(self.states), rows.shape, generator=generator), rows]


def learn(
    model: nn.Module,
    root: "Root",
    picks: Tensor,
    *,
    newest: int | None = None,
    weight: float = 0.5,
    steps: int = STEPS,
    seed: int = 0,
) -> Iterator[Snapshot]:
    """A copy of a model that learns picks beside its data, after every few steps; the last is the child.

    picks: uint8 (P, C, H, W), of which the `newest` last count as much as all others together. weight: the share of
    picks in what is learned; the rest is the data of the root, its symbols and the ways to them.
    Who stops asking has what was learned so far: as many steps give the same. The weights of each snapshot are rounded
    to half precision, as a checkpoint stores them. Raises FloatingPointError as `fit` does.
    """
    batches, state, learner = _batches(model, root, picks, newest or len(picks), weight, seed), OptimiserState(), model
    for done in range(0, steps, EVERY):
        few, losses = min(EVERY, steps - done), dict[str, float]()

        def on_step(step: int, found: dict[str, float], losses: dict[str, float] = losses) -> None:
            losses.update(found)

        with train.precision("cpu", False), one_thread():
            learner = fit(
                learner, islice(batches, few), steps=few, objectives=_objectives, on_step=on_step, state=state,
                seed=child(seed, done),
            )  # fmt: skip
        yield Snapshot(done + few, _rounded(learner), losses)


@contextmanager
def one_thread() -> Iterator[None]:
    """For the length of a block sums are taken in the same order on every machine, and no thread waits for another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _objectives(model: Any) -> dict[str, Objective]:
    def loss(batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Of pictures to reconstruct, with lifetime sparsity as in training; of steps, without, as in sampling."""
        pictures, states, targets = batch
        error: Tensor = (model(states) - targets).square().flatten(1).sum(1).mean() / 2
        return model.loss(pictures) + error

    return {"picks": Objective(loss, list(model.parameters()), RATE)}


def _batches(
    model: nn.Module, root: "Root", picks: Tensor, newest: int, weight: float, seed: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless batches: pictures to reconstruct, and states with what a step should make of them."""
    generator = torch.Generator().manual_seed(child(seed, "batches"))
    older, goals = picks[:-newest].float() / 255, picks[-newest:].float() / 255
    if len(older):
        goals = torch.cat([goals, _some(older, newest, generator)])
    start = child(seed, "paths")
    paths = Paths.of(model, root.sampling, range(start, start + POOL))
    nearest_goal = _assigned(paths.ends, goals)
    led, picked = round(weight * ROWS), round(weight * ROWS / 2)
    digits = (ROWS // 2 - picked) // 2
    while True:
        pictures = torch.cat([
            _varied(_some(goals, picked, generator), generator),
            _some(root.digits, digits, generator).float() / 255,
            _some(root.paths.ends, ROWS // 2 - picked - digits, generator),
        ])  # fmt: skip
        rows = torch.randint(POOL, (led,), generator=generator)
        targets = _varied(goals[nearest_goal[rows]], generator)
        ahead = AHEAD * torch.rand(led, 1, 1, 1, generator=generator)
        states = torch.lerp(paths.drawn(rows, generator), targets, ahead)
        kept = torch.randint(POOL, (ROWS - led,), generator=generator)
        yield (
            pictures,
            torch.cat([states, root.paths.drawn(kept, generator)]),
            torch.cat([targets, root.paths.ends[kept]]),
        )


def _some(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return images[torch.randint(len(images), (count,), generator=generator)]


def _varied(images: Tensor, generator: torch.Generator) -> Tensor:
    return augment(images, VARIED, generator) if len(images) else images


def _assigned(x: Tensor, goals: Tensor) -> Tensor:
    """A goal near each image, all goals equally often, so that none takes everything: (N, ...), (G, ...) -> (N,)."""
    apart = torch.cdist(x.flatten(1), goals.flatten(1))
    room, found = [-(-len(x) // len(goals))] * len(goals), torch.zeros(len(x), dtype=torch.long)
    for row in apart.amin(1).argsort(stable=True).tolist():
        found[row] = next(goal for goal in apart[row].argsort(stable=True).tolist() if room[goal])
        room[found[row]] -= 1
    return found


def _rounded(model: nn.Module) -> nn.Module:
    """A frozen copy with the weights that a checkpoint in half precision gives back."""
    copy = frozen_copy(model)
    for parameter in copy.parameters():
        parameter.copy_(parameter.half().float())
    return copy


# ---- families


@dataclass(frozen=True, eq=False)
class Root:
    """An ancestor with what its family needs: the model, how it is sampled, and its data, uint8 (N, C, H, W)."""

    model: nn.Module
    sampling: Sampling
    digits: Tensor
    title: str = ""
    experiment: dict[str, Any] = field(default_factory=dict)  # the settings of its training

    @cached_property
    def paths(self) -> Paths:
        """Its ways to some symbols, which its family keeps."""
        start = child(0, "paths of the ancestor")
        return Paths.of(self.model, self.sampling, range(start, start + POOL))


@dataclass(frozen=True, eq=False)
class Member:
    """The model of a generation; number 0 is the ancestor.

    symbols: its sheet, uint8 (12, C, H, W); picked: all that it and those before it learned of picks, the newest last,
    uint8 (P, C, H, W); steps: of learning. distances: means over the sheet, see `distances`.
    """

    number: int
    model: nn.Module
    symbols: Tensor
    picked: Tensor
    steps: int = 0
    distances: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a family is: a generation after so many of its steps; with its member, it is complete."""

    number: int
    step: int
    steps: int
    member: Member | None = None


class Cache:
    """Members by the key of their lineage, and ancestors: bounded, those unused for longest are forgotten first."""

    def __init__(self, most: int = 64) -> None:
        """most: members; one of the shipped ancestors' size has some two megabytes."""
        self.most = most
        self._found: OrderedDict[object, Any] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: object) -> Any:
        """What is kept under a key, or None."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: object, value: Any) -> None:
        """Keep a value."""
        with self._lock:
            self._found[key] = value
            self._found.move_to_end(key)
            while len(self._found) > self.most:
                self._found.popitem(last=False)


def ancestor(experiment: str = ANCESTOR[0], iteration: int = ANCESTOR[1], source: str | Path = CHECKPOINTS) -> Ancestor:
    """An ancestor by name, with the sha256 of its file as the index has it. Raises CheckpointError."""
    name, entry = index.choose(index.read_index(source), experiment, iteration)
    return Ancestor(name, entry["iteration"], entry["sha256"])


def root(of: Ancestor, source: str | Path = CHECKPOINTS) -> Root:
    """An ancestor's model, sampling and data. The data are the built-in sample of what it learned.

    Raises CheckpointError if it is not there, is another file, or is no run on such data.
    """
    there = ancestor(of.experiment, of.iteration, source)
    if there.sha256 != of.sha256:
        raise CheckpointError(
            f"{of.experiment} {of.iteration} is another file here than the recipe began with: get the version of the "
            f"toolkit whose checkpoint has the sha256 {of.sha256[:12]}..."
        )
    run = hub.read(source, of.experiment, of.iteration, kind="iterations")
    config = index.config(source, index.read_index(source), of.experiment, None)[1]
    settings = found if isinstance(found := config.get("experiment"), dict) else {}
    subject = str(settings.get("data", "")).removeprefix("sample:")
    if f"sample:{subject}" not in data.NAMES or run.model.image_shape != (1, SIDE, SIDE):
        raise CheckpointError(f"{of.experiment} learned {subject or 'nothing'}: a family begins with digits or clothes")
    return Root(run.model, run.sampling, data.load(f"sample:{subject}").images, run.title, settings)


def sheet(model: nn.Module, sampling: Sampling, seeds: Sequence[int]) -> Tensor:
    """The symbols of seeds, uint8 (B, C, H, W). Parent and child have the same seeds: each symbol has its relative."""
    with one_thread():
        return to_bytes(sampling.sample(model, seeds))


def distances(
    symbols: Tensor, before: Tensor, newest: Tensor, digits: Tensor, others: Sequence[int]
) -> dict[str, float]:
    """Mean distances to the nearest (`metrics.nearest`): of a sheet to the newest picks and to the data.

    before: the sheet of the parent, and its distance to the same picks. Only the rows `others`, those that were not
    picked, count for both: what was picked has distance 0. Without any, all.
    """
    rows = torch.tensor(list(others) or list(range(len(symbols))))
    return {
        "picks": nearest(symbols[rows], newest)[0].mean().item(),
        "parent_picks": nearest(before[rows], newest)[0].mean().item(),
        "digits": nearest(symbols, digits)[0].mean().item(),
    }


ALIKE = 0.08  # of the pixels of a symbol; see `kinship`
COUSINS = "Raised again here, these are cousins of the symbols that were shared: processors differ in how they round."


def kinship(recipe: Recipe, symbols: Tensor) -> str:
    """Whether the last sheet, uint8 (12, 1, 28, 28), is the one that the recipe was shared with: "", or else `COUSINS`.

    It is if in each symbol at most the share `ALIKE` of the pixels turned from dark to light or back. On one kind of
    processor none do. Between AVX-512 and AVX2, of 20 sheets of two families one had at most 0.054 in each, which the
    eye takes for the same; all others had one of 0.112 or more.
    """
    if not recipe.sheet:
        return ""
    before = unpacked(recipe.sheet, SYMBOLS)
    turned = ((before < 128) != (symbols < 128)).float().flatten(1).mean(1)
    return COUSINS if turned.max() > ALIKE else ""


def raise_family(
    recipe: Recipe,
    source: str | Path = CHECKPOINTS,
    *,
    cache: Cache | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """All members of a family in order, the ancestor first, each after the steps of its learning.

    Of what the cache has, only the member comes. stop: asked after every few steps; once it is true, the generation
    that learns ends with what it has learned so far (`Member.steps`, for the recipe), and nothing follows.
    Raises CheckpointError for an ancestor that is not here, FloatingPointError as `fit` does.
    """
    yield from _raised(recipe, range(len(recipe.generations) + 1), source, cache, stop)


def raise_member(
    recipe: Recipe,
    number: int,
    source: str | Path = CHECKPOINTS,
    *,
    cache: Cache | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """The line of one generation as `raise_family` gives a whole family; the last has the member."""
    yield from _raised(recipe, [0, *recipe.line(number)], source, cache, stop)


def _raised(
    recipe: Recipe, numbers: Sequence[int], source: str | Path, cache: Cache | None, stop: Callable[[], bool]
) -> Iterator[Progress]:
    cache, members = Cache(MOST + 2) if cache is None else cache, dict[int, Member]()
    first = _root(recipe, source, cache)
    for number in numbers:
        found, stopped = cache.get(recipe.key(number)), False
        if found is None and number == 0:
            symbols = sheet(first.model, first.sampling, recipe.seeds)
            known = {"digits": nearest(symbols, first.digits)[0].mean().item()}
            found = Member(0, first.model, symbols, symbols[:0], 0, known)
        elif found is None:
            generation = recipe.generations[number - 1]
            parent, steps = members[generation.parent], generation.steps
            newest = _pictures(parent, generation, first.sampling, recipe.seeds)
            learning = learn(
                parent.model, first, torch.cat([parent.picked, newest]), newest=len(newest), weight=generation.weight,
                steps=steps, seed=child(recipe.seed, "learn", recipe.depth(number)),
            )  # fmt: skip
            for snapshot in learning:
                yield Progress(number, snapshot.step, steps)
                if stop():
                    break
            found = _member(recipe, number, snapshot.model, snapshot.step, parent, first)
            if stopped := snapshot.step < steps:
                recipe = recipe.stopped(number, snapshot.step)
        members[number] = replace(found, number=number)
        cache.put(recipe.key(number), found)
        yield Progress(number, found.steps, found.steps, members[number])
        if stopped:
            return


def _root(recipe: Recipe, source: str | Path, cache: Cache) -> Root:
    found: Root = cache.get((source, recipe.ancestor)) or root(recipe.ancestor, source)
    cache.put((source, recipe.ancestor), found)
    return found


def _member(recipe: Recipe, number: int, model: nn.Module, steps: int, parent: Member, first: Root) -> Member:
    """The member of a generation whose model has learned."""
    generation = recipe.generations[number - 1]
    newest = _pictures(parent, generation, first.sampling, recipe.seeds)
    symbols = sheet(model, first.sampling, recipe.seeds)
    others = [row for row, seed in enumerate(recipe.seeds) if seed not in generation.picks]
    apart = distances(symbols, parent.symbols, newest, first.digits, others)
    return Member(number, model, symbols, torch.cat([parent.picked, newest]), steps, apart)


def remember(recipe: Recipe, number: int, model: nn.Module, source: str | Path, cache: Cache) -> None:
    """Put a generation into a cache by its model, as a checkpoint stored it; its parent is there or is raised."""
    if cache.get(recipe.key(number)) is None:
        generation = recipe.generations[number - 1]
        *_, last = raise_member(recipe, generation.parent, source, cache=cache)
        assert last.member is not None
        found = _member(recipe, number, model, generation.steps, last.member, _root(recipe, source, cache))
        cache.put(recipe.key(number), found)


def _pictures(parent: Member, generation: Generation, sampling: Sampling, seeds: range) -> Tensor:
    """The pictures that a generation learns newly, picks before drawings: uint8 (P, 1, 28, 28)."""
    known = {seed: parent.symbols[row : row + 1] for row, seed in enumerate(seeds)}
    picks = [known[seed] if seed in known else sheet(parent.model, sampling, [seed]) for seed in generation.picks]
    return torch.cat([*picks, *(unpacked(drawing) for drawing in generation.drawings)])


# ---- families as runs


def settings(recipe: Recipe, first: Root, name: str) -> Family:
    """The settings of a family as a run of iterations, one a generation: those of its ancestor, named anew."""
    title = recipe.name or f"Raised from {recipe.ancestor.experiment}, iteration {recipe.ancestor.iteration}"
    plain = replace(recipe, sheet="")
    own = {"name": name, "title": title, "iterations": max(1, len(recipe.generations)), "filter": None, "half": True}
    found = Experiment.from_dict({**first.experiment, "sampling": {}, **own})
    return Family(**{**vars(found), "sampling": SamplingSettings(**vars(first.sampling)), "recipe": plain.as_dict()})


def facts(recipe: Recipe, number: int, member: Member) -> dict[str, Any]:
    """What a checkpoint of a generation says of its making."""
    generation = recipe.as_dict()["generations"][number - 1]
    return {"key": recipe.key(number), "generation": generation, "steps": member.steps}


def poster(recipe: Recipe, members: Sequence[Member]) -> Any:
    """The tree of a family as a Pillow picture. members: the ancestor and all generations, in order."""
    labels = [f"{recipe.ancestor.experiment}, iteration {recipe.ancestor.iteration}"]
    chosen, learned = [set[int]() for _ in members], [members[0].picked]
    for number, generation in enumerate(recipe.generations, 1):
        labels.append(generation.name or f"generation {number}")
        chosen[generation.parent] |= {seed - recipe.seed for seed in generation.picks}
        learned.append(members[number].picked[-len(generation.picks) - len(generation.drawings) :])
    parents = [-1, *(generation.parent for generation in recipe.generations)]
    sheets = [member.symbols for member in members]
    return plot.family_tree(sheets, parents, learned, chosen, labels, recipe.name or "A family that is not")


def card(recipe: Recipe, members: Sequence[Member], name: str) -> str:
    """README.md of a family's folder: what was picked, how near its generations came, and how it is made again."""
    rows = []
    for number, generation in enumerate(recipe.generations, 1):
        apart = members[number].distances
        rows.append([
            str(number), generation.name, str(generation.parent or "the ancestor"), str(len(generation.picks)),
            str(len(generation.drawings)), f"{generation.weight:.0%}", str(members[number].steps),
            f"{apart['parent_picks']:.3f}", f"{apart['picks']:.3f}", f"{apart['digits']:.3f}",
        ])  # fmt: skip
    head = ["generation", "name", "parent", "picks", "drawings", "weight", "steps", "parent to picks", "child to picks",
            "child to data"]  # fmt: skip
    of, text = recipe.ancestor, replace(recipe, sheet="").to_text()
    return "\n\n".join([
        f"# {recipe.name or name}",
        f"A family raised by a person's picks from {of.experiment}, iteration {of.iteration} (sha256 {of.sha256}), "
        "with That Are Not. Each generation learned the symbols that were picked from the sheet of its parent, or "
        "drawn, beside the data of its ancestor. Iteration k of this run is generation k.",
        "![The tree of the family](family.png)",
        plot.markdown_table(head, rows, 2),
        "Distances are root mean square per pixel, to the nearest, averaged over the symbols of a sheet that were not "
        "picked themselves.",
        f"Make it again: `python -m toolkit raise recipe.json --out runs`, or in place of the file `{text}`."
        if len(text) <= LONGEST_TEXT
        else "Make it again: `python -m toolkit raise recipe.json --out runs`.",
    ]) + "\n"  # fmt: skip
