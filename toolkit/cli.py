"""The command line: python -m toolkit COMMAND, each with --help and examples.

A command is a function of its parsed arguments, registered with those arguments by `command`. Nothing imports torch
before a command runs, so that help answers at once; the commands of `experiments` are imported when they are named.
"""

import argparse
import json
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from . import __version__, presets
from .config import checked, choose, offer
from .index import CHECKPOINTS, NONE_HERE, strict_json, write_atomic

if TYPE_CHECKING:
    from torch import Tensor

    from .hub import Kaleidoscope

Add = Callable[..., Any]  # adds one argument
Function = Callable[[argparse.Namespace], object]

MOST_SEEDS = 100_000
AT_ONCE = 256  # images that `sample` draws together; also the most in an animation
FRAMES = 120  # of an animation of `sample` at most
WIDEST = 12_000  # pixels of a sheet, unless its images alone are wider
PICTURES, FONTS = (".png", ".gif", ".webp"), (".ttf", ".svg")
GROUPS = ("model", "sampling", "how")  # settings that hold settings

METHODS = ("low-active", "random", "noisy", "regular")


def _names(kind: str) -> str:
    """The presets of a kind: "creative-mnist, -fashion"."""
    first, *others = presets.NAMES[kind]
    return ", ".join([first, *(name.removeprefix(first.partition("-")[0]) for name in others)])


# ---- values of options


def _range(text: str, what: str, examples: str, after: int) -> Sequence[int]:
    """Numbers: "7", "1,5,20", or "1:20"; after: how far past its second number a range ends. May raise."""
    first, colon, last = text.partition(":")
    try:
        found = range(int(first), int(last) + after) if colon else [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} are no {what}s: write {examples}") from None
    if not found:
        right = f"{last}:{first}" if int(last) < int(first) else f"{first}:{int(first) + 1}"
        raise argparse.ArgumentTypeError(f"{text} holds no {what}: write {right}")
    return found


def seeds(text: str) -> Sequence[int]:
    """Seeds: "42", "1,5,9", or "0:64" for 0 to 63. Raises ArgumentTypeError for anything else."""
    found = _range(text, "seed", "42, or 1,5,9, or 0:64", 0)
    ends = (found[0], found[-1]) if isinstance(found, range) else found  # of a range of any length
    if min(ends) < 0 or max(ends) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text[:60]}: a seed is a whole number from 0 to {2**32 - 1}")
    if len(found) > MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text[:60]} are {len(found):,} seeds: give at most {MOST_SEEDS:,} at a time")
    return found


def numbers(text: str) -> Sequence[int]:
    """Iterations: "7", "1,5,20", or "1:20" for 1 to 20, both ends counted. Raises ArgumentTypeError."""
    found = _range(text, "iteration", "7, or 1,5,20, or 1:20", 1)
    if min(found[0], found[-1]) < 0 or max(found[0], found[-1]) > 999:
        raise argparse.ArgumentTypeError(f"{text[:60]}: iterations are numbers from 0 to 999")
    return found


def layers(text: str) -> str | Sequence[int]:
    """The name of a group of layers, or their numbers: "0,1,2", or "0:3" for 0 to 2. Raises ArgumentTypeError."""
    return _range(text, "layer", "coarse, or 0,1,2, or 0:3", 0) if text[:1].isdigit() else text


def band(text: str) -> tuple[float, float]:
    """Two percentiles: "1,15"."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no band: write two percentiles, such as 1,15") from None
    return low, high


def settings(texts: Iterable[str]) -> dict[str, Any]:
    """NAME=VALUE as a dictionary, GROUP.NAME=VALUE as one within it. Raises ValueError for another form."""
    found: dict[str, Any] = {}
    for text in texts:
        value: Any
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: write NAME=VALUE, for example steps=300 or model.filters=32")
        group, dot, option = name.rpartition(".")
        target = found.setdefault(group, {}) if dot else found
        if dot and (group not in GROUPS or not isinstance(target, dict)):
            raise ValueError(f"--set {text}: {group} is no group of settings, {offer(group, GROUPS)}")
        with suppress(ValueError):  # JSON, or else the text itself
            value = strict_json(value)
        target[option] = value
        if name in GROUPS and not isinstance(found[name], dict):
            raise ValueError(f"--set {text}: {name} is a group of settings, write {name}.NAME=VALUE")
    return found


# ---- the parser

SHARED: dict[str, dict[str, Any]] = {  # defaults of options that several commands have
    "--out": {"type": Path},
    "--seed": {"type": int, "help": "of all random numbers (default: the preset's)"},
    "--seeds": {"type": seeds},
    "--iteration": {"type": int, "help": "the iteration of the model (default: the last, or the first training)"},
    "--device": {"default": "cpu", "help": "cpu (default), cuda, cuda:1, or mps"},
    "--from": {
        "dest": "source", "default": str(CHECKPOINTS), "metavar": "SOURCE",
        "help": "a folder of runs or a Hub repo id (default: the shipped checkpoints)",
    },
    "--set": {"action": "append", "default": [], "metavar": "NAME=VALUE", "help": "any other setting"},
    "--root": {"type": Path, "help": "the folder of data sets (default: $TOOLKIT_DATA or a cache)"},
    "--invert": {"action": "store_true", "help": "exchange dark and light, for dark ink on light paper"},
    "--quiet": {"action": "store_true", "help": "no progress bars"},
    "--json": {"action": "store_true", "help": "print the result as JSON, and nothing else"},
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    """A parser that declares its arguments when it is first used, and whose errors are one sentence."""

    complete: "Callable[[Parser], None] | None" = None
    commands: Any = None

    def __init__(self, **options: Any) -> None:
        """As of argparse, but options are written in full: --seed is not --seeds."""
        super().__init__(**{"allow_abbrev": False, **options})

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """As of argparse, with the defaults of `SHARED`."""
        return super().add_argument(*names, **{**SHARED.get(names[0], {}), **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As of argparse."""
        self.completed()
        return super().parse_known_args(args, namespace)

    def completed(self) -> "Parser":
        """The parser with all its arguments."""
        if self.complete:
            complete, self.complete = self.complete, None
            complete(self)
        return self

    def command(self, name: str) -> "Parser":
        """The parser of one command, with all its arguments."""
        found: Parser = self.commands.choices[name]
        return found.completed()

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"there is no {value!r:.60}: {offer(value, action.choices)}")

    def error(self, message: str) -> Any:
        """Print one sentence and exit with code 2."""
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


COMMANDS: dict[str, tuple[Function, Callable[[Add], None], str]] = {}  # function, what declares its arguments, examples
STUDIES = dict[str, tuple[Function, Callable[[Add], None], str]]()  # those of EXPERIMENTS, once they are imported
EXPERIMENTS = {  # the module of `experiments` that registers the command; what it does
    "table1": ("table1", "Train creative decoders, calibrate them, compare methods over seeds: table 1."),
    "decoder-study": (
        "decoder_studies",
        "One small study of creative decoders, over seeds: interpolation, memory, ...",
    ),
    "attractors": ("attractors", "Study where kaleidoscopic runs end up, against depth, width and more."),
    "trade-off": ("trade_off", "Draw every way out of the data as a curve over its strength."),
    "pool": ("annotation", "Build a pool of pictures by all decoders, unmarked, for people to label in the app."),
    "report": ("annotation", "Report the labels of a pool, beside the published table."),
    "export": ("annotation", "Write all labels of a pool as CSV."),
    "judge": ("judge_runs", "Classify the images of runs, iteration by iteration; draw all sheets and a map."),
    "taste": ("taste", "Let simulated pickers raise families, by a taste and at random: do picks steer?"),
    "latents": ("latents", "Measure latent spaces, a StyleGAN's beside a DCGAN's: path length and separability."),
    "adversarial": ("adversarial", "Find out how little changes what a classifier sees, in digits and in symbols."),
    "claims": ("claims_report", "Decide every claim of the papers from stored results: CLAIMS.md and claims.json."),
    "thin": ("release", "Copy runs as they are shipped: the sheets and measures of all iterations, some models."),
    "notebooks": ("notebooks", "Run the notebooks; with --write keep their pictures, findings and times."),
    "benchmark": ("benchmark", "Time the fast paths against plain PyTorch, or the page under load."),
}


def arg(*names: str, **options: Any) -> Callable[[Add], Any]:
    """One argument of a command, as argparse declares it."""
    return lambda add: add(*names, **options)


def command(name: str, examples: str, *arguments: Callable[[Add], Any]) -> Callable[[Function], Function]:
    """Register a function as a command; the first line of its docstring is the command's help."""

    def declare(add: Add) -> None:
        for argument in arguments:
            argument(add)

    def register(function: Function) -> Function:
        (STUDIES if name in EXPERIMENTS else COMMANDS)[name] = (function, declare, examples)
        return function

    return register


def parser() -> Parser:
    """The whole command line."""
    root = Parser(
        prog="python -m toolkit", description="Machines that make images their training data does not contain."
    )
    root.add_argument("--version", action="version", version=__version__)
    root.commands = root.add_subparsers(required=True, metavar="COMMAND")
    abouts = {name: (function.__doc__ or "").strip() for name, (function, _, _) in COMMANDS.items()}
    for name, about in (abouts | {name: about for name, (_, about) in EXPERIMENTS.items()}).items():
        child: Parser = root.commands.add_parser(
            name, help=about, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        child.complete = partial(_complete, name)
    return root


def _complete(name: str, child: Parser) -> None:
    """Declare the arguments of a command, importing it if it is of `experiments`."""
    if name in EXPERIMENTS:
        import_module(f".experiments.{EXPERIMENTS[name][0]}", __package__)
    function, declare, child.epilog = (STUDIES if name in EXPERIMENTS else COMMANDS)[name]
    child.set_defaults(run=function)
    declare(child.add_argument)


MISTAKES = (ValueError, OSError, FloatingPointError, OverflowError, MemoryError, ModuleNotFoundError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command -> its exit code. A mistake is one sentence on stderr and 2; an interruption 130."""
    warnings.formatwarning = lambda message, *about: f"note: {message}\n"
    args = argparse.Namespace()
    try:
        args = parser().parse_args(argv)
        if "source" in args:
            check_source(Path(args.source))
        result = args.run(args)
    except KeyboardInterrupt:
        goes_on = getattr(args, "run", None) in (train, diverge, raise_family, pull, push)
        kept = "; what was finished is kept, the same command continues" if goes_on else ""
        print(f"error: interrupted{kept}", file=sys.stderr)
        return 130
    except Exception as error:
        ours = type(error).__module__.partition(".")[0] == __package__  # RunError and the like, without importing them
        if not ours and not isinstance(error, MISTAKES):
            raise
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return 2
    if result is not None:
        print(result if isinstance(result, str) else json.dumps(result, indent=2))
    return 0


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)


def check_source(folder: Path) -> None:
    """Refuse what cannot be a folder of runs. Raises FileNotFoundError or ValueError."""
    if folder == CHECKPOINTS and not folder.is_dir():
        raise FileNotFoundError(NONE_HERE)
    if (folder / "config.json").is_file() and not (folder / "index.json").is_file():
        raise ValueError(f"{folder} is one run: give the folder that it lies in, {folder.parent}")


def check_out(path: Path, suffixes: Iterable[str], option: str = "--out") -> None:
    """Refuse what cannot be written, before any work. Raises ValueError for a suffix, OSError for a place."""
    if path.suffix not in suffixes:
        *others, last = suffixes
        raise ValueError(f"{option} {path}: end it in {', '.join(others)}{' or ' if others else ''}{last}")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir() or not there.is_dir() or not os.access(there, os.W_OK):
        raise OSError(f"{option} {path} cannot be written: {path if path.is_dir() else there} is no folder to write in")


def _refuse(args: argparse.Namespace, names: Iterable[str], why: str) -> None:
    """Refuse options that would have no effect. Raises ValueError for the first that is given."""
    for name in names:
        if getattr(args, name) not in (None, False):
            raise ValueError(f"--{name} {why}: leave it out")


def save(picture: Any, path: Path) -> None:
    """Write a Pillow picture, or a list of them as an animation, and the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(picture, list):
        from .plot import animation

        animation(picture, path)
    else:
        picture.save(path)


# ---- training


def changes(args: argparse.Namespace) -> dict[str, Any]:
    """The settings of a preset that the command line changes. Raises ValueError for what can be none."""
    names = ("name", "seed", "data", "iterations")
    found = {name: value for name in names if (value := getattr(args, name, None)) is not None}
    if args.invert:
        from .data import inverted

        found["data"] = inverted(args.data)
    found |= settings(args.set)
    if "size" in found.get("model", {}):
        raise ValueError("--set model.size: a network has the size of its images, set size=20 of a figure instead")
    return found


def _completed_run(folder: Path, as_json: bool) -> object:
    """What is printed once a run is complete: its measures as JSON, or where to look."""
    stored = folder / "metrics.json"
    if as_json and stored.exists():
        return json.loads(stored.read_text())
    sheets = sorted(folder.glob("iter_*/samples.png"))
    look = f"look at {sheets[-1]}, or " if sheets else ""
    return f"{folder} is complete: {look}open it with `python app.py {folder.parent}`"


OF_MODEL = [arg(name) for name in ("--iteration", "--from", "--device")]
DRAWN = [  # what is drawn, and where to
    arg("--seeds", default=range(64), help="42, or 1,5,9, or 0:64 (default)"),
    arg("--out", required=True, help="sheet.png, or an animation, .gif or .webp"),
]
EXPERIMENT = arg("experiment", nargs="?", help="the experiment, e.g. fig2 (default: the first of SOURCE)")
OF_TRAINING = [arg(name) for name in ("--invert", "--seed", "--root", "--device", "--quiet", "--json")]


@command(
    "train",
    f"""presets:
  figures of iterated learning   {_names("iterations")}
  words that are not             {_names("words")}
  creative decoders              {_names("decoder")}
  kaleidoscopic networks         {_names("kaleidoscope")}
  classifiers                    {_names("judge")}
  StyleGANs                      stylegan-mnist, -fashion
scales:
  paper   the sizes of the papers, for a GPU
  cpu     minutes to five hours on two cores (default)
  try     three to five minutes on two cores, to bright symbols (figures 2 to 7, 12, 13), also from own pictures;
          words: a minute; and of a StyleGAN a small one
  smoke   seconds, with results that mean nothing
examples:
  python -m toolkit train fig2 --scale smoke --data sample:mnist --out runs     seconds, on the built-in digits
  python -m toolkit train fig2 --scale cpu --out runs                           ten minutes to five hours on two cores
  python -m toolkit train fig2 --scale try --data folder:my/marks --out runs    three to five minutes
  python -m toolkit train fig2 --scale cpu --data folder:my/marks --out runs
  python -m toolkit train fig2 --scale cpu --data folder:my/marks --invert --out runs    of dark ink on light paper
  python -m toolkit train fig6 --scale cpu --seed 1 --set steps=300 --set sampling.limit=50 --out runs
  python -m toolkit train fig6 --scale cpu --seed 1 --name fig6-seed1 --out runs    beside fig6
  python -m toolkit train fig2 --scale cpu --set filter=novelty:0.5 --name fig2-novel --out runs
  python -m toolkit train words --scale try --out runs                          a minute: words nobody has used
  python -m toolkit train words --data text:plays.txt --name plays --iterations 1 --out runs    any text, to go on with
  python -m toolkit train creative-mnist --iterations 3 --out runs              three decoders, from three seeds
  python -m toolkit train kaleidoscope-mnist --out runs                         twenty minutes on two cores
  python -m toolkit train judge-digits --out runs                               a few minutes
  python -m toolkit train stylegan-mnist --out runs                             minutes on one core
  python -m toolkit train judge-letters --data letters:/usr/share/fonts --out runs
  torchrun --nproc-per-node 4 -m toolkit train fig2 --scale paper --device cuda --out runs    on four GPUs
Stop it whenever you like; the same command continues where it was. `python app.py runs` shows what is there.""",
    arg("preset", help="a figure, or networks of several seeds: see below"),
    arg("--scale", default="cpu", choices=("paper", "cpu", "try", "smoke"), help="see below (default: cpu)"),
    arg("--out", required=True, metavar="DIR", help="the folder of runs; this one goes to DIR/PRESET or DIR/NAME"),
    arg("--name", help="another name, of the folder too: fig6-seed1 for fig6 from another seed"),
    arg("--data", help="mnist, fashion, kmnist, omniglot, sample:mnist, sample:fashion, folder:PATH of images, "
        "letters:PATH of fonts, or, of words, text:FILE"),
    arg("--iterations", type=int, help="another number of iterations, or of networks from other seeds; more continue"),
    arg("--set", help="any other setting, e.g. steps=300, model.filters=32"),
    arg("--as-written", action="store_true", help="by the paper's text where its published code differs"),
    arg("--first-from", type=Path, metavar="RUN", help="take the first iteration's model from this run of the same "
        "seed and settings, as figures 3, 6 and 7 can from figure 2"),
    *OF_TRAINING,
)  # fmt: skip
def train(args: argparse.Namespace) -> object:
    """Train a preset: a figure's iterations, decoders, kaleidoscopic networks, classifiers; each model a checkpoint."""
    from . import distributed, runs
    from .train import device

    with distributed.process_group(args.device):
        given = changes(args)
        loop = args.preset in [*presets.FIGURES, *presets.WORDS]
        count = None if loop else given.pop("iterations", None)  # of models from other seeds
        spec = presets.preset(args.preset, args.scale, as_written=args.as_written, **given)
        own = device(distributed.local_device(args.device))
        options = {"root": args.root, "device": own, "quiet": args.quiet or args.json}
        folder = runs.trainer(spec, args.out, first_from=args.first_from, **options)(count)
        if distributed.rank() > 0:  # another process prints
            return None
    return _completed_run(folder, args.json)


@command(
    "diverge",
    f"""experiments: {", ".join(presets.DIVERGENCES)}
examples:
  python -m toolkit diverge hacked-mnist --out runs          digits, until their discriminator calls them fake: seconds
  python -m toolkit diverge can-mnist --out runs             a creative adversarial network: minutes on two cores
  python -m toolkit diverge can-mnist --scale smoke --data sample:mnist --out runs      seconds, and means nothing
  python -m toolkit diverge without-data --seed 1 --set how.diversity=3 --out runs/mine
An iteration is the model after some of the steps, the first one usually untouched. A base that is neither in OUT nor in
SOURCE is trained first. The same command continues after an interruption.""",
    arg("preset", help="the experiment: see below"),
    arg("--from"),
    arg("--name", help="another name, of the folder too"),
    arg("--scale", default="cpu", choices=("cpu", "smoke"), help="cpu (minutes; default) or smoke (seconds)"),
    arg("--data", help="another data set with labels, such as sample:mnist"),
    arg("--set", help="any other setting, e.g. how.ambiguity=3"),
    arg("--out", required=True, metavar="DIR", help="the folder of runs; this one goes to DIR/NAME"),
    *OF_TRAINING,
)
def diverge(args: argparse.Namespace) -> object:
    """Train a model away from its data, or without any: each kept step an iteration, with its sheet and measures."""
    from . import runs
    from .train import device

    spec = presets.preset(choose("preset", args.preset, presets.DIVERGENCES), args.scale, **changes(args))
    options = {"root": args.root, "device": device(args.device), "quiet": args.quiet or args.json}
    return _completed_run(runs.trainer(spec, args.out, source=args.source, **options)(), args.json)


@command(
    "raise",
    """examples:
  python -m toolkit raise recipe.json --out runs --name mine       a recipe that the page saved, runs/mine
  python -m toolkit raise LINK --out runs                          or a link of the page
  python -m toolkit sample mine --from runs --out sheet.png        then like any other run
A generation takes some ten seconds on two cores. The same command continues after an interruption, also with a recipe
that has grown. family.png is the poster of the family. Another kind of processor than the one that a link comes from
may raise cousins of the symbols that were shared: the command says so.""",
    arg("recipe", help="a file, or a link of the page"),
    arg("--out", required=True, metavar="DIR", help="the folder of runs; this one goes to DIR/NAME"),
    arg("--name", default="family", help="of the run and its folder (default: family)"),
    arg("--from"),
    arg("--quiet"),
    arg("--json"),
)
def raise_family(args: argparse.Namespace) -> object:
    """Raise a family of small models from a person's picks: each generation an iteration of a run, and a poster."""
    from urllib.parse import parse_qs, urlsplit

    from . import runs
    from .raising import LARGEST, Recipe

    path = Path(args.recipe)
    if len(args.recipe) < 255 and path.is_file():  # a longer name is none
        with path.open("rb") as file:
            recipe = Recipe.from_json(file.read(LARGEST + 1))
    elif path.suffix:
        raise FileNotFoundError(f"there is no recipe {path}: give a file that the page saved, or the text of a link")
    else:
        recipe = Recipe.from_text(parse_qs(urlsplit(args.recipe).query).get("recipe", [args.recipe])[0])
    trainer = runs.raise_run(recipe, args.out, args.name, source=args.source, quiet=args.quiet or args.json)
    folder = trainer()
    if cousins := trainer.kinship():
        print(cousins, file=sys.stderr)
    return _completed_run(folder, args.json)


# ---- drawing


@command(
    "sample",
    """examples:
  python -m toolkit sample fig2 --iteration 7 --seeds 0:64 --out sheet.png
  python -m toolkit sample fig2 --iteration 7 --seeds 42 --out steps.gif      the passes from noise to the image
  python -m toolkit sample creative-mnist --out sheet.png                     any kind of checkpoint that draws
  python -m toolkit sample words --iteration 5 --seeds 0:20                   prints words; --out words.txt writes them
  python -m toolkit sample words --start un --temperature 0.7
  python -m toolkit sample plays --from runs --start "To be" --length 500 --seeds 0    goes on with a text
The image, or the word, of a seed does not depend on the other seeds.""",
    EXPERIMENT,
    *OF_MODEL,
    DRAWN[0],
    arg("--out", help="sheet.png, or an animation, .gif or .webp; of words a .txt, which are printed without it"),
    arg("--temperature", type=float, help="of words: how freely letters are chosen (default: the run's, mostly 1)"),
    arg("--start", help="of words: what each begins with"),
    arg("--length", type=int, help="of running text: how many characters follow (default: 300)"),
)
def sample(args: argparse.Namespace) -> object:
    """Draw images with any checkpoint, as a sheet (.png) or an animation (.gif, .webp); or print words of one."""
    if args.out is not None:
        check_out(args.out, (*PICTURES, ".txt"))
    from . import index

    listed = index.read_index(args.source)
    if listed["experiments"][index.find(listed, args.experiment)].get("kind") == "words":
        return _write(args)
    _refuse(args, ["temperature", "start", "length"], "is for words, and this run draws images")
    if args.out is None:
        raise ValueError("--out is missing: give sheet.png, or an animation, .gif or .webp")
    animated = _check_picture(args)
    import torch

    from . import hub
    from .samplers import to_bytes

    found = hub.drawable(hub.read(args.source, args.experiment, args.iteration, device=args.device))
    if isinstance(found, hub.Kaleidoscope) and found.points is not None:
        raise ValueError(f"{found.name} draws points: use python -m toolkit kaleidoscope {found.name}")
    if animated:
        frames, passes = _frames(found.states(args.seeds))
        if not passes:
            raise ValueError(f"{found.name} draws in one pass, which is no animation: give --out sheet.png")
        save(frames, args.out)
    else:
        images, passes = [], 0
        for start in range(0, len(args.seeds), AT_ONCE):
            some = found.states(args.seeds[start : start + AT_ONCE])
            ((last, state),) = deque(enumerate(some), maxlen=1)
            images.append(to_bytes(state))
            passes = max(passes, last)
        save(_sheet(torch.cat(images)), args.out)
    return {"out": str(args.out), "images": len(args.seeds), "passes": passes}


def _write(args: argparse.Namespace) -> object:
    """Words of a run, or texts, one below the other."""
    if args.out is not None:
        check_out(args.out, [".txt"])
    from . import hub

    found = hub.read(args.source, args.experiment, args.iteration, device=args.device)
    running = not found.model.config.words
    if not running:
        _refuse(args, ["length"], f"is for running text, and {found.name} writes words, which end by themselves")
    length = 300 if running and args.length is None else args.length
    how = {"temperature": args.temperature, "start": args.start, "length": length}
    texts = found.texts(args.seeds, **{name: value for name, value in how.items() if value is not None})
    written = ("\n\n" if running else "\n").join(texts)
    if args.out is None:
        return written
    write_atomic(args.out, f"{written}\n".encode())
    return {"out": str(args.out), "texts": len(texts)}


def _check_picture(args: argparse.Namespace) -> bool:
    """Whether --out is an animation. Raises ValueError or OSError if it cannot be made."""
    check_out(args.out, PICTURES)
    animated: bool = args.out.suffix != ".png"
    if animated and len(getattr(args, "seeds", ())) > AT_ONCE:
        raise ValueError(
            f"{len(args.seeds):,} seeds: an animation shows at most {AT_ONCE}, give fewer or --out sheet.png"
        )
    return animated


def _frames(states: "Iterable[Tensor]") -> tuple[list[Any], int]:
    """Evenly spaced states as sheets, the last one always, about FRAMES at most; and how many passes there were."""
    frames, every, passes, sheet = list[Any](), 1, -1, None
    for passes, state in enumerate(states):
        sheet = _sheet(state)
        if passes % every == 0:
            frames.append(sheet)
        if len(frames) > FRAMES:
            frames, every = frames[::2], 2 * every
    return [*frames, *([sheet] if passes % every else [])], passes


def _sheet(images: "Tensor") -> Any:
    """Images (B, C, H, W) side by side; small ones four times as large if there is room."""
    from . import plot

    across = max(1, round(len(images) ** 0.5)) * images.shape[-1]
    largest = 4 if images.shape[-1] < 64 else 1
    return plot.grid(images.cpu(), scale=max(1, min(largest, WIDEST // across)))


@command(
    "mix",
    """examples:
  python -m toolkit mix stylegan-mnist --styles 6:14 --out table.png              a column for each style, coarse layers
  python -m toolkit mix stylegan-fashion --styles 6:14 --layers fine --out table.png
  python -m toolkit mix stylegan-mnist --styles 3 --layers 0,1 --psi 0.7 --without-noise --out table.png
The first row and column are the images themselves. Layers count from 0, next to the constant start.""",
    EXPERIMENT,
    *OF_MODEL,
    arg("--seeds", default=range(6), help="of the rows: 42, or 1,5,9, or 0:6 (default)"),
    arg("--styles", type=seeds, required=True, help="seeds of the columns, whose styles are mixed in"),
    arg("--layers", type=layers, default="coarse", help="that take the other style: coarse (default), middle, fine, "
        "all, or 0,1,2"),
    arg("--psi", type=float, default=1.0, help="truncation of all styles: 1 is none (default), 0 the mean image"),
    arg("--without-noise", action="store_true", help="draw without the noise of each image"),
    arg("--out", required=True, help="table.png"),
)  # fmt: skip
def mix(args: argparse.Namespace) -> object:
    """Mix the styles of a StyleGAN's images, layer by layer: a table, rows by columns, as PNG."""
    check_out(args.out, [".png"])
    import torch

    from . import hub, plot
    from .models import StyleGAN
    from .seeds import Noise

    model = hub.load(args.source, args.experiment, args.iteration, device=args.device)
    if not isinstance(model, StyleGAN):
        raise ValueError(f"a {type(model).__name__} has no styles to mix: give a StyleGAN, such as stylegan-mnist")
    chosen = model.layers(args.layers) if isinstance(args.layers, str) else args.layers
    codes, others = (Noise(each).randn(*model.code_shape).to(args.device) for each in (args.seeds, args.styles))
    w, columns = model.styles(codes, args.psi), model.styles(others, args.psi)
    own, above = (None if args.without_noise else each[:, model.config.z :] for each in (codes, others))
    rows = [torch.cat([torch.zeros(1, *model.image_shape, device=args.device), model.draw(columns, above)])]
    for number, style in enumerate(w):
        noise = own if own is None else own[number : number + 1].expand(1 + len(columns), -1)
        mixed = model.mix(style.expand_as(columns), columns, chosen)
        rows.append(model.draw(torch.cat([style[None], mixed]), noise))
    save(plot.grid(torch.cat(rows).cpu(), 1 + len(columns), scale=2), args.out)
    return {"out": str(args.out), "layers": [*chosen], "psi": args.psi}


@command(
    "decode",
    """examples:
  python -m toolkit decode creative-mnist --out pairs.png                     regular and low-active, side by side
  python -m toolkit decode creative-fashion --method random --seeds 0:64 --out pairs.png
  python -m toolkit decode creative-mnist --band 1,40 --neurons 12 --gain 0.5 --layer 2 --out pairs.png
  python -m toolkit decode creative-both --set value=peak --set grouping=group --out pairs.png
--set changes any other setting of `toolkit.Creative`, such as those that the paper leaves open.""",
    arg("experiment", help=f"the decoder: {_names('decoder')}"),
    arg("--from"),
    arg("--method", choices=METHODS, help="which neurons are switched on (default: low-active)"),
    arg("--neurons", type=int, help="how many (default: 5)"),
    arg("--band", type=band, metavar="LOW,HIGH", help="percentiles of activity to choose from (default: 1,15)"),
    arg("--gain", type=float, help="a factor on the calibrated gain (default: 1); 0 is the regular image"),
    arg("--layer", type=int, default=-1, help="hidden layer, from 1 next to the code (default: the last)"),
    arg("--set"),
    arg("--seeds", default=range(32), help="42, or 1,5,9, or 0:32 (default)"),
    arg("--out", required=True, help="pairs.png"),
    arg("--device"),
    arg("--json"),
)
def decode(args: argparse.Namespace) -> object:
    """Decode codes with seldom-active neurons switched on: pairs of a regular and a modified image, as PNG."""
    check_out(args.out, [".png"])
    import torch

    from . import hub, plot
    from .metrics.distance import encoder_distance

    trained = hub.load_decoder(args.source, args.experiment, device=args.device)
    gain = None if args.gain is None else args.gain * trained.how.gain
    given = {"method": args.method, "neurons": args.neurons, "band": args.band, "gain": gain}
    changed = {name: value for name, value in given.items() if value is not None}
    changed = checked("creative decoding", type(trained.how), {**changed, **settings(args.set)})
    both = hub.decode(trained, args.seeds, replace(trained.how, **changed), args.layer)
    pairs = torch.stack([both.regular, both.images], 1).flatten(0, 1)
    save(plot.grid(pairs.cpu(), 2 * max(1, round(len(args.seeds) ** 0.5)), scale=4), args.out)
    near, far = (encoder_distance(trained.model, x).mean().item() for x in (both.regular, both.images))
    if not args.json:
        return (
            f"{args.out}: {len(args.seeds)} pairs, regular left and modified right\n"
            f"mean reconstruction distance: {near:.3g} regular, {far:.3g} modified"
        )
    return {
        "out": str(args.out), "pairs": len(args.seeds), "distance_regular": near, "distance": far,
        "neurons": both.neurons.tolist(),
    }  # fmt: skip


@command(
    "kaleidoscope",
    """examples:
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 30 --out sheet.png             64 samples after run 30
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 30 --every 5 --seeds 0:8 --out rows.png    every fifth run
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 60 --out film.webp             all runs, animated
  python -m toolkit kaleidoscope kaleidoscope-1d --seeds 0:10 --out film.gif              samples that fall on a curve
  python -m toolkit kaleidoscope kaleidoscope-fashion --start photo.jpg --perturbation 0.03 --out sheet.png
The samples of a seed do not depend on the other seeds. For a burn-in, look at later runs.""",
    arg("experiment", help=f"the network: {_names('kaleidoscope')}"),
    *OF_MODEL,
    arg("--runs", type=int, help="how often the network is applied (default: 300 for images, 30 for points)"),
    arg("--start", metavar="uniform|normal|PICTURE", help="noise, or a picture of yours (default: uniform)"),
    arg("--invert"),
    arg("--perturbation", type=float, help="noise added before each run (default: 0.01)"),
    arg("--mode", choices=("centred", "published", "none"), help="distribution of that noise (default: centred)"),
    arg("--every", type=int, help="show every so many runs: frames of an animation, columns of a sheet"),
    *DRAWN,
    arg("--fast", action="store_true", help="in bfloat16 where the processor has it: for many seeds; other images"),
)
def kaleidoscope(args: argparse.Namespace) -> object:
    """Apply a kaleidoscopic network to images again and again: a sheet (.png) or an animation (.gif, .webp)."""
    animated = _check_picture(args)
    if args.every is not None and args.every < 1:
        raise ValueError(f"--every {args.every}: show every run (1), or every second (2), or fewer")
    from . import hub, plot
    from . import runs as training
    from .metrics.attractors import row

    k = hub.load_kaleidoscope(args.source, args.experiment, iteration=args.iteration, device=args.device)
    runs = k.runs if args.runs is None else args.runs
    if runs < 1:
        raise ValueError(f"--runs {runs}: give at least one")
    how = {"perturbation": args.perturbation, "mode": args.mode, "fast": args.fast}
    ends = deque["Tensor"](maxlen=2)
    states = _remembering(islice(hub.stream(k, args.seeds, start=_start(args, k), **how), runs + 1), ends)
    if animated:
        save(list(training.film_frames(k, states, args.every or 1)), args.out)
    elif k.points is not None:
        save(plot.picture(training.landscape(k, list(states))), args.out)
    elif args.every:  # only the images that are shown stay in memory
        save(plot.strip([x.cpu() for x in islice(states, 0, None, args.every)], scale=2, gap=1), args.out)
    else:
        save(_sheet(deque(states, maxlen=1)[0]), args.out)
    before, after = (state.cpu() for state in ends)
    found = row(before, after, training.kaleidoscope_probe(_known(k)))
    return {"out": str(args.out), "images": len(args.seeds), "runs": runs, **found}


def _remembering(states: "Iterable[Tensor]", last: "deque[Tensor]") -> "Iterator[Tensor]":
    """The same states, of which the last are kept."""
    for state in states:
        last.append(state)
        yield state


def _start(args: argparse.Namespace, k: "Kaleidoscope") -> "str | Tensor | None":
    """Noise of a kind, or a picture as the start of every seed."""
    from .data import picture

    given: str | None = args.start
    if given in (None, "uniform", "normal"):
        _refuse(args, ["invert"], "is for a picture of --start")
        return given
    path = Path(str(given))
    if not path.is_file():
        raise FileNotFoundError(f"--start {given} is no kind of noise and no file: give uniform, normal or a picture")
    channels, size, _ = k.model.image_shape
    if k.points is not None:
        raise ValueError(f"{k.name} learned points: a picture cannot be its start, give uniform or normal")
    image = picture(path, size, color=channels == 3, invert=args.invert or None)
    return (image.float() / 255).repeat(len(args.seeds), 1, 1, 1).to(next(k.model.parameters()).device)


def _known(k: "Kaleidoscope") -> "Tensor | None":
    """What distances are measured to, if it is here without a download: points, or the built-in sample of a set."""
    from . import data

    if k.points is not None:
        return k.points.cpu()
    name = f"sample:{k.data.removeprefix('sample:')}"
    return data.load(name).images if name in data.NAMES and k.model.image_shape == (1, 28, 28) else None


SENTENCE = "machines that make images their training data does not contain"


@command(
    "font",
    """examples:
  python -m toolkit font fig2 --out alphabet.ttf                             a to z, of the last iteration
  python -m toolkit font fig2 --iteration 5 --seeds 3,14,15 --keys xyz --out three.ttf
  python -m toolkit font fig2 --seeds 0:62 --name mine --out mine.ttf        a to z, A to Z, 0 to 9
  python -m toolkit font fig2 --out alphabet.ttf --specimen page.png         and a page set in it
  python -m toolkit font fig2 --out alphabet.svg                             the outlines, as a sheet
Open the .ttf to install it: it is listed as "That Are Not NAME". A letter types in both cases if only one
of them has a symbol.""",
    EXPERIMENT,
    *OF_MODEL,
    arg("--seeds", default=range(26), help="42, or 1,5,9, or 0:26 (default); a symbol each"),
    arg("--keys", metavar="abc...", help="the character of each symbol, in order (default: a, b, c, ...)"),
    arg("--name", help="of the font, after That Are Not: plain words (default: experiment and iteration)"),
    arg("--out", required=True, help="alphabet.ttf or alphabet.svg"),
    arg("--specimen", type=Path, metavar="FILE", help="also a page set in the font, as PNG"),
    arg("--text", help="the text of that page (default: a sentence)"),
    arg("--invert"),
)
def font(args: argparse.Namespace) -> object:
    """Draw symbols with one iteration's model, as a font to install (.ttf) or as outlines (.svg)."""
    check_out(args.out, FONTS)
    from . import font as fonts
    from . import hub
    from .data import warn_if_dark

    keys = _keys(args)
    experiment, entry = hub.choose(hub.read_index(args.source), args.experiment, args.iteration)
    number = entry["iteration"]
    symbols = hub.draw(args.source, experiment, number, seeds=args.seeds, device=args.device).cpu()
    if args.invert:
        symbols = 1 - symbols
    else:
        warn_if_dark(symbols, "most symbols are", "give --invert")
    if args.out.suffix == ".svg":
        titles = [f"{experiment} {number}, seed {seed}" for seed in args.seeds]
        write_atomic(args.out, fonts.svg(symbols, titles=titles).encode())
        return {"out": str(args.out), "symbols": len(symbols)}
    built = fonts.build(symbols, keys, args.name or fonts.plain_name(f"{experiment} {number}"))
    write_atomic(args.out, built)
    printed: dict[str, Any] = {"out": str(args.out), "symbols": len(symbols), "keys": "".join(keys)}
    if args.specimen:  # of the text; or of a sentence if the font has its letters, or else the keys in order
        known = set(fonts.typed(keys)) | {" "}
        text = args.text or (SENTENCE if set(SENTENCE) <= known else " ".join(keys))
        save(fonts.specimen(built, text), args.specimen)
        printed["specimen"] = str(args.specimen)
    return printed


def _keys(args: argparse.Namespace) -> list[str]:
    """The keys of the font. Raises ValueError or OSError for one that cannot be made, before minutes of work."""
    from . import font as fonts

    if args.out.suffix != ".ttf":
        _refuse(args, ["keys", "name", "specimen", "text"], f"is for a font, and {args.out} is none")
    if not args.specimen:
        _refuse(args, ["text"], "is for the page of --specimen")
    if args.specimen:
        check_out(args.specimen, [".png"], "--specimen")
    if args.name is not None:
        fonts.checked_name(args.name)
    count = len(args.seeds)
    return fonts.default_keys(count) if args.keys is None else fonts.checked_keys(args.keys, count)


# ---- gradient ascent on the image


PHOTOGRAPHS = "efficientnet-lite0"  # `models.photographs.LITE`, which would import torch


@command(
    "dream",
    """examples:
  python -m toolkit dream photo.jpg --out dream.png                     DeepDream, on a network of photographs
  python -m toolkit dream photo.jpg --layer net.blocks.2.1 --out dream.webp      the way there, as an animation
  python -m toolkit dream --layer net.blocks.5.3 --channel 7 --out channel.png   what one channel looks for, from noise
  python -m toolkit dream --network judge-digits --layer body.4 --seeds 0:16 --out marks.png
The network of photographs comes with the extra `dream`; of torchvision any classifier will do, such
as --network vgg16, whose weights are downloaded.""",
    arg("picture", nargs="?", type=Path, help="what to start from (default: grey noise)"),
    arg("--network", default=PHOTOGRAPHS, help=f"{PHOTOGRAPHS} (default), one of torchvision, or a shipped classifier"),
    arg("--layer", help="whose activation is raised (default: one in the middle); a wrong name gets the nearest"),
    arg("--channel", type=int, help="raise one channel of the layer instead of all"),
    arg("--steps", type=int, help="of each octave (default: 10; of a network of small images 40)"),
    arg("--octaves", type=int, help="sizes, each 1.4 times the one before (default: 4; of small images 1)"),
    arg("--strength", type=float, help="how far pixels move in a step, of 1 (default: 0.008; of small images 0.03)"),
    arg("--jitter", type=int, help="pixels that the image is shifted by before a step (default: 8; of small images 1)"),
    arg("--size", type=int, default=384, help="pixels of the longer side at most (default: 384)"),
    arg("--seeds", default=[0], help="of the noise, an image each (default: 0)"),
    arg("--from"),
    arg("--out", required=True, help="dream.png, or an animation, .gif or .webp"),
    arg("--device"),
)
def dream(args: argparse.Namespace) -> object:
    """Change a picture until a layer of a network responds more strongly: DeepDream, and feature visualisation."""
    animated = _check_picture(args)
    from .data import photograph
    from .data import picture as fitted
    from .samplers import ascent

    picture = None if args.picture is None else photograph(args.picture, args.size)  # before a network is loaded
    network, channels, size = _network(args)
    if picture is None:
        start = ascent.grey_noise(args.seeds, (channels, size, size))
    else:
        start = picture if channels == 3 else fitted(args.picture, size, invert=False).float() / 255
    blocks = getattr(network, "blocks", [])
    how = {**presets.DREAM, "layer": blocks[len(blocks) // 2 + 1]} if blocks else presets.SMALL_DREAM
    how = {name: value if getattr(args, name) is None else getattr(args, name) for name, value in how.items()}
    states = ascent.ascend(
        ascent.activation(network, how["layer"], args.channel), start.to(args.device), steps=how["steps"],
        lr=how["strength"], octaves=how["octaves"], jitter=how["jitter"], seeds=args.seeds[: len(start)],
    )  # fmt: skip
    return _ascended(args, states, how["steps"] * how["octaves"], animated) | {"layer": how["layer"]}


@command(
    "style",
    """examples:
  python -m toolkit style photo.jpg checkpoints/fig2/iter_010/samples.png --out styled.png
  python -m toolkit style photo.jpg painting.jpg --weight 1000 --out styled.webp""",
    arg("picture", type=Path, help="what stays recognisable"),
    arg("look", type=Path, help="the picture whose textures and colours it takes"),
    arg("--network", default=PHOTOGRAPHS, help=f"{PHOTOGRAPHS} (default), or one of torchvision, such as vgg16"),
    arg("--weight", type=float, default=300, help="of the style against the content (default: 300)"),
    arg("--steps", type=int, default=60, help="of each of two octaves (default: 60)"),
    arg("--size", type=int, default=384, help="pixels of the longer side at most (default: 384)"),
    arg("--out", required=True, help="styled.png, or an animation, .gif or .webp"),
    arg("--device"),
)
def style(args: argparse.Namespace) -> object:
    """Draw a picture in the style of another: neural style transfer."""
    animated = _check_picture(args)
    from .data import photograph
    from .models.photographs import photograph_network
    from .samplers import ascent

    picture, look = (photograph(file, args.size).to(args.device) for file in (args.picture, args.look))
    network = photograph_network(args.network, args.device)
    wanted = ascent.content(network, network.textures[-2], picture)
    wanted += args.weight * ascent.style(network, network.textures, look)
    states = ascent.ascend(wanted, picture, steps=args.steps, **presets.STYLE)
    return _ascended(args, states, 2 * args.steps, animated)


def _network(args: argparse.Namespace) -> tuple[Any, int, int]:
    """The network that is looked into, the channels it takes, and the longest side of images for it."""
    from . import hub
    from .models.photographs import photograph_network

    if args.network not in hub.read_index(args.source)["experiments"]:
        return photograph_network(args.network, args.device), 3, args.size
    network = hub.load_classifier(args.source, args.network, device=args.device)
    return network, network.config.channels, network.config.size


def _ascended(args: argparse.Namespace, states: "Iterable[Tensor]", steps: int, animated: bool) -> dict[str, Any]:
    """Draw the states of an ascent, with a progress bar, as an animation or the last of them as a sheet."""
    from tqdm import tqdm

    from .samplers import to_bytes

    shown = (to_bytes(state) for state in tqdm(states, total=1 + steps, unit="step", leave=False))
    if animated:
        drawn, count = _frames(shown)
        save(drawn, args.out)
    else:
        ((count, last),) = deque(enumerate(shown), maxlen=1)
        save(_sheet(last), args.out)
    return {"out": str(args.out), "steps": count}


# ---- measuring and sharing


@command(
    "measure",
    """examples:
  python -m toolkit measure checkpoints/fig2                     the table of a run
  python -m toolkit measure folder:my/marks --reference mnist    images of your own against the digits
  python -m toolkit measure text:mine.txt                        words of your own against the built-in list
`toolkit.metrics.MEASURES` explains each measure, `toolkit.metrics.words.MEASURES` those of words.""",
    arg("what", help="the folder of a run, or images or words: a data set's name, folder:PATH or text:FILE"),
    arg("--reference", help="the data set that distance is measured to (default: mnist; of words: words)"),
    arg("--limit", type=int, help="how many images or words to measure at most (default: 1000)"),
    arg("--invert"),
    arg("--root"),
    arg("--json"),
)
def measure(args: argparse.Namespace) -> object:
    """Print the measures of a stored run, or of any images or words against a reference."""
    folder = Path(args.what)
    if (folder / "index.json").is_file():
        names = sorted(path.parent.name for path in folder.glob("*/metrics.json"))
        raise ValueError(f"{folder} is a folder of runs: give one of them, such as {folder / (names or ['fig2'])[0]}")
    from . import data, metrics, runs

    stored = folder / "metrics.json"
    if stored.exists():
        _refuse(args, ["reference", "limit", "invert", "root"], f"is for images, and {folder} is a stored run")
        return json.loads(stored.read_text()) if args.json else runs.table(stored)
    limit = 1000 if args.limit is None else args.limit
    if data.text.is_text(args.what):
        _refuse(args, ["invert", "root"], "is for images")
        return _measured_words(args.what, args.reference or "words", limit)
    what = data.inverted(args.what) if args.invert else args.what
    images = data.load(what, root=args.root, limit=limit).images
    return metrics.measure(images.float() / 255, data.load(args.reference or "mnist", root=args.root).images)


def _measured_words(name: str, reference: str, limit: int) -> dict[str, float]:
    """The measures of the words of a text, evenly chosen, against those of another."""
    from .data import text
    from .metrics import words

    if limit < 1:
        raise ValueError(f"--limit {limit}: measure at least one word")
    there, known = text.load(name).vocabulary, text.load(reference).vocabulary
    if not there or not known:
        raise ValueError(f"{reference if there else name} holds no words: give a text that does")
    some = there[:: -(-len(there) // limit)]
    return words.measure(some, words.rows(some, words.Lexicon(known), words.NGrams(known), frozenset(known)))


@command(
    "inspect",
    """example:
  python -m toolkit inspect checkpoints/fig2/iter_007/model.safetensors""",
    arg("checkpoint", type=Path, help="a .safetensors file"),
)
def inspect(args: argparse.Namespace) -> object:
    """Print what is in a checkpoint: architecture, options, training facts, sizes, sha256."""
    from . import hub

    return hub.inspect(args.checkpoint)


@command(
    "list",
    """examples:
  python -m toolkit list                            the shipped checkpoints, an experiment a line
  python -m toolkit list OWNER/NAME                 of a Hub repo; downloads its index and nothing else
  python -m toolkit list OWNER/NAME fig2            its iterations with their measures
  python -m toolkit list OWNER/NAME --json          everything""",
    arg("source", nargs="?", default=str(CHECKPOINTS), help="a folder or a Hub repo id (default: the shipped ones)"),
    arg("experiment", nargs="?", help="print its iterations with all their measures"),
    arg("--revision", help="a branch, tag or commit of the repo (default: main, as it is now)"),
    arg("--json"),
)
def list_(args: argparse.Namespace) -> object:
    """List a folder or a Hub repo: experiments, iterations, sizes, measures, and what is on this machine."""
    if Path(args.source).is_dir():
        _refuse(args, ["revision"], f"is for a Hub repo, and {args.source} is a folder")
    from . import publish

    found = publish.contents(args.source, args.revision)
    if args.json:
        return found
    return publish.iterations(found, args.experiment) if args.experiment else publish.summary(found)


@command(
    "pull",
    """examples:
  python -m toolkit pull OWNER/NAME fig2 --iteration 7          one model, into the Hub's cache
  python -m toolkit pull OWNER/NAME fig2 --iterations 1:20      both ends count; or 1,5,20
  python -m toolkit pull OWNER/NAME fig2 --to runs              the whole run, with its sheets, into a folder:
  python app.py runs                                            ... which the page opens without network
  python -m toolkit pull OWNER/NAME fig2 --iteration 7 --revision COMMIT      the same for ever
  python -m toolkit pull OWNER/NAME fig2 --dry-run              what it would fetch
Stop it whenever you like: the same command goes on with the files that are missing. HF_HUB_OFFLINE=1 uses what is
cached; a private repo takes the token of `hf auth login`, or HF_TOKEN.""",
    arg("repo", metavar="OWNER/NAME", help="a Hub repo"),
    arg("experiment", nargs="?", help="the experiment, e.g. fig2 (default: the first of the repo)"),
    arg("--iteration", help="one iteration (default: all)"),
    arg("--iterations", type=numbers, metavar="RANGE", help="several: 1:20, both ends count, or 1,5,20"),
    arg("--revision", help="a branch, tag or commit (default: main, as it is now)"),
    arg("--to", type=Path, metavar="DIR", help="also copy them to this folder, with their sheets: python app.py DIR"),
    arg("--dry-run", action="store_true", help="fetch nothing but the index, and print what would be fetched"),
    arg("--quiet"),
    arg("--json"),
)
def pull(args: argparse.Namespace) -> object:
    """Fetch one iteration of an experiment from the Hub, or several, or all; each is one file."""
    if args.iteration is not None and args.iterations is not None:
        raise ValueError("--iteration and --iterations exclude each other: give one of them")

    from . import publish

    chosen = args.iterations if args.iteration is None else [args.iteration]
    plan = publish.plan(args.repo, args.experiment, chosen, revision=args.revision, sheets=args.to is not None)
    if args.dry_run:
        files = publish.foreseen(plan)
    else:
        absent = publish.missing(plan)
        paths = publish.pull(plan, quiet=args.quiet or args.json)
        files = {name: (path.stat().st_size, name in absent) for name, path in paths.items()}
        if args.to is not None:
            publish.place(plan, paths, args.to)
    fetched = sum(size for size, comes in files.values() if comes)
    if args.json:
        rows = [{"file": name, "bytes": size, "fetched": comes} for name, (size, comes) in files.items()]
        return {
            "repo": plan.repo, "commit": plan.commit, "experiment": plan.experiment, "dry_run": args.dry_run,
            "iterations": [entry["iteration"] for entry in plan.entries], "files": rows, "bytes": fetched,
            "to": None if args.to is None else str(args.to),
        }  # fmt: skip
    lines = [f"{size:>12,}  {name}{'' if comes else '  (cached)'}" for name, (size, comes) in files.items()]
    verb = "would fetch" if args.dry_run else "fetched"
    lines.append(f"{verb} {fetched:,} bytes of {plan.repo}; to have the same again: --revision {plan.commit}")
    return "\n".join([*lines, *([f"in {args.to}: python app.py {args.to}"] if args.to and not args.dry_run else [])])


@command(
    "push",
    """examples:
  python -m toolkit push OWNER/NAME --from runs --dry-run card      writes to the folder card what it would upload
  python -m toolkit push OWNER/NAME --from runs
Log in before with `hf auth login`. What is uploaded: model card, index, and of each experiment its settings (which name
the data, the path of a folder: too), models, sheets, measures and a preview; no other file of the folder. Stop it
whenever you like: the same command goes on, and what the Hub has already is not sent again.""",
    arg("repo", metavar="OWNER/NAME", help="a Hub repo; it is made if there is none"),
    arg("--from", type=Path, default=CHECKPOINTS, metavar="DIR", help="a folder of runs"),
    arg("--dry-run", nargs="?", type=Path, const=True, default=False, metavar="DIR",
        help="upload nothing, use no network: list the files, and write them to DIR, a new folder, if it is given"),
    arg("--license", default="mit", metavar="ID", help="the Hub's identifier of the weights' licence (default: mit)"),
    arg("--private", action="store_true", help="a repo that only you see, if it is made"),
    arg("--json"),
)  # fmt: skip
def push(args: argparse.Namespace) -> object:
    """Upload a folder of runs to the Hub, with a model card made from its files; --dry-run only writes it to disk."""
    if not args.source.is_dir():
        raise FileNotFoundError(f"--from {args.source}: there is no such folder")
    from . import publish

    with TemporaryDirectory(prefix="toolkit-push-") as scratch:
        staged = args.dry_run if isinstance(args.dry_run, Path) else Path(scratch, "staged")
        files = publish.stage(args.source, staged, args.repo, args.license)
        commit = None if args.dry_run else publish.upload(staged, args.repo, private=args.private)
    if args.json:
        return {"repo": args.repo, "commit": commit, "files": files, "bytes": sum(files.values())}
    lines = [f"{size:>12,}  {name}" for name, size in files.items()]
    end = f"{len(files)} files, {sum(files.values()):,} bytes"
    if commit is None:
        return "\n".join([*lines, f"would upload {end} to {args.repo}"])
    return "\n".join([*lines, f"uploaded {end}; to have the same again: pull {args.repo} --revision {commit}"])
