"""The command line: python -m toolkit train | sample | decode | ..., each with --help that teaches."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from . import __version__, distributed, hub, metrics, plot, presets, publish, runs, sheets
from . import data as datasets
from . import font as type_
from . import train as precision
from .config import checked, choose
from .data import files
from .hub import Kaleidoscope, load_decoder, load_kaleidoscope, stream
from .hub import decode as decoded
from .index import CHECKPOINTS, write_whole
from .metrics.distance import encoder_distance
from .presets import DECODERS, KALEIDOSCOPES
from .runs import RunError
from .samplers import METHODS as SAMPLERS_METHODS
from .samplers import Creative
from .samplers.kaleidoscope import MODES, row
from .trainers import eyes


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="python -m toolkit", description="Machines that make images their training data does not contain."
    )
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    # The studies are no part of the library: nothing else imports them.
    from .experiments import annotation, attractors, benchmark, claims_report, creative_study, notebooks, trade_off

    for declare in (
        declare_iterations, declare_creative, creative_study.declare, declare_kaleidoscope, attractors.declare,
        declare_diverge, trade_off.declare, declare_font, annotation.declare, claims_report.declare, declare_hub,
        notebooks.declare, benchmark.declare,
    ):  # fmt: skip
        declare(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Errors of input are one sentence on stderr and exit code 2; an interruption is 130."""
    args = parser().parse_args(argv)
    try:
        result = args.run(args)
    except KeyboardInterrupt:
        print("interrupted: every finished iteration is kept; the same command continues", file=sys.stderr)
        return 130
    except (
        ValueError,
        OSError,
        RunError,
        distributed.ProcessesError,
        FloatingPointError,
        ModuleNotFoundError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if result is not None:
        print(result if isinstance(result, str) else json.dumps(result, indent=2))
    return 0


Add = Callable[..., Any]  # adds one argument


def command(commands: Any, function: Callable[[argparse.Namespace], object], epilog: str, **as_json: Any) -> Add:
    """Declare a command by its function: the name and docstring say what it is, and epilog teaches by examples.

    as_json: what --json is, if not a switch.
    """
    name, about = function.__name__.strip("_").replace("_", "-"), (function.__doc__ or "").strip()
    parser = commands.add_parser(
        name, help=about, description=about, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(run=function)
    parser.add_argument("--seed", type=int, help="where all randomness starts from (default: the preset's)")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument(
        "--root", type=Path, help="where data sets lie or are downloaded to (default: $TOOLKIT_DATA or a cache)"
    )
    plain = {"action": "store_true", "help": "print the result as JSON, and nothing else"}
    parser.add_argument("--json", **(as_json or plain))
    return parser.add_argument


def source(add: Add) -> None:
    """Declare where checkpoints are read from, as `args.source`."""
    told = "a folder of runs or a Hub repo id (default: the shipped ones)"
    add("--from", dest="source", default=str(CHECKPOINTS), metavar="SOURCE", help=told)


def seeds(text: str) -> range | list[int]:
    """Seeds as people write them: "42", "1,5,9", or "0:64" for 0 to 63."""
    try:
        if ":" in text:
            first, end = map(int, text.split(":"))
            return range(first, end)
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no seeds: write 42, or 1,5,9, or 0:64") from None


def changes(args: argparse.Namespace) -> dict[str, Any]:
    """The settings changed on the command line. Raises ValueError for one that is not of the form NAME=VALUE."""
    names = ("name", "seed", "data", "iterations")
    plain = {name: value for name in names if (value := getattr(args, name)) is not None}
    return {**plain, **settings(args.set)}


def settings(texts: Iterable[str]) -> dict[str, Any]:
    """NAME=VALUE as a dictionary, GROUP.NAME=VALUE as one within it. Raises ValueError for another form."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: write NAME=VALUE, for example steps=300 or model.filters=32")
        group, dot, option = name.rpartition(".")
        target = found.setdefault(group, {}) if dot else found
        target[option] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


ITERATIONS_EPILOG = {
    "train": """examples:
  python -m toolkit train fig2 --scale smoke --data sample:mnist --out runs     seconds, on the built-in digits
  python -m toolkit train fig2 --scale cpu --out runs                           ten minutes to five hours on two cores
  python -m toolkit train fig2 --scale cpu --data folder:my/marks --out runs
  python -m toolkit train fig6 --scale cpu --seed 1 --set steps=300 --set sampling.limit=50 --out runs
  python -m toolkit train fig6 --scale cpu --seed 1 --name fig6-seed1 --out runs    beside fig6
  python -m toolkit train fig2 --scale cpu --set filter=novelty:0.5 --name fig2-novel --out runs
  python -m toolkit train creative-mnist --iterations 3 --out runs              three decoders, from three seeds
  python -m toolkit train kaleidoscope-mnist --out runs                         twenty minutes on two cores
  python -m toolkit train judge-digits --out runs                               a few minutes
  python -m toolkit train judge-letters --data letters:/usr/share/fonts --out runs
  torchrun --nproc-per-node 4 -m toolkit train fig2 --scale paper --device cuda --out runs    on four GPUs
Stop it whenever you like; the same command continues where it was. `python app.py runs` shows what is there.""",
    "sample": """examples:
  python -m toolkit sample fig2 --iteration 7 --seeds 0:64 --out sheet.png
  python -m toolkit sample fig2 --iteration 7 --seeds 42 --out growing.gif    the symbol growing out of noise
A seed is the same picture whatever else is in the batch.""",
    "measure": """examples:
  python -m toolkit measure checkpoints/fig2                     the table of a run
  python -m toolkit measure folder:my/marks --reference mnist    anybody's images against the digits
measures:
"""
    + "\n".join(f"  {name:24} {what}" for name, what in metrics.MEASURES.items()),
    "thin": """examples:
  python -m toolkit thin runs/fig6 runs/fig7 --out checkpoints
  python -m toolkit thin runs/fig12 --keep 20 --without-data --out checkpoints
  python -m toolkit thin runs/fig6-seed1 --keep none --out checkpoints       measures and sheets alone""",
    "inspect": """example:
  python -m toolkit inspect checkpoints/fig2/iter_007/model.safetensors""",
}
PICTURES = [".png", ".gif", ".webp"]


def train(args: argparse.Namespace) -> object:
    """Train a preset: a figure's iterations, decoders, kaleidoscopic networks, judges; each model a checkpoint."""
    with distributed.together(args.device):
        device = precision.device(distributed.own_device(args.device))
        given = changes(args)
        figure = args.preset in presets.FIGURES
        count = None if figure else given.pop("iterations", None)  # of models from other seeds
        spec = presets.preset(args.preset, args.scale, as_written=args.as_written, **given)
        options = {"root": args.root, "device": device, "quiet": args.quiet or args.json}
        folder = runs.trainer(spec, args.out, first_from=args.first_from, **options)(count)
        if distributed.rank() > 0:  # another process speaks
            return None
    stored = folder / "metrics.json"
    return json.loads(stored.read_text()) if args.json and stored.exists() else f"{folder} is complete"


def sample(args: argparse.Namespace) -> object:
    """Grow symbols out of noise with one iteration's model, as a sheet (.png) or a film (.gif, .webp)."""
    if args.out.suffix not in PICTURES:
        raise ValueError(f"--out {args.out} is no picture: end it in {', '.join(PICTURES)}")
    model = hub.load(args.source, args.experiment, args.iteration, device=args.device)
    states = list(hub.sampling(args.source, args.experiment).grow(model, args.seeds))
    if args.out.suffix != ".png":
        plot.animation([plot.grid(state.cpu(), scale=4) for state in states], args.out)
    else:
        plot.grid(states[-1].cpu(), scale=4).save(args.out)
    return {"out": str(args.out), "images": len(args.seeds), "passes": len(states) - 1}


def measure(args: argparse.Namespace) -> object:
    """The measures of a stored run, or of any images against a reference."""
    stored = Path(args.what) / "metrics.json"
    if stored.exists():
        return json.loads(stored.read_text()) if args.json else runs.table(stored)
    images = datasets.load(args.what, root=args.root, limit=args.limit).images
    reference = datasets.load(args.reference, root=args.root).images
    return metrics.measure(images.float() / 255, reference)


def thin(args: argparse.Namespace) -> object:
    """Copy runs as they are shipped: the sheets and measures of all iterations, the models of some."""
    made = [
        runs.thin(folder, args.out, args.keep, data=not args.without_data, resumable=args.resumable)
        for folder in args.runs
    ]
    default = hub.read_index(args.out)["default"] if (args.out / "index.json").exists() else None
    hub.write_index(args.out, default)
    return {"thinned": [str(folder) for folder in made]}


def inspect(args: argparse.Namespace) -> object:
    """What is in a checkpoint: architecture, options, how it was trained, sizes, sha256."""
    return hub.inspect(args.checkpoint)


def declare_iterations(commands: Any) -> None:
    """Declare them."""
    add = command(commands, train, ITERATIONS_EPILOG["train"])
    add("preset", help="; ".join(f"{kind}: {', '.join(names)}" for kind, names in presets.NAMES.items()))
    add("--scale", default="cpu", help="paper (the paper's sizes), cpu (up to five hours; default), smoke (seconds)")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder of runs; this one goes to DIR/PRESET or DIR/NAME",
    )
    add("--name", help="another name, of the folder too: fig6-seed1 for fig6 from another seed")
    add(
        "--data",
        help="mnist, fashion, kmnist, omniglot, sample:mnist, sample:fashion, folder:PATH of anybody's images, "
        "or letters:PATH of fonts",
    )
    add("--iterations", type=int, help="another number of iterations, or of networks from other seeds; more continue")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, e.g. steps=300, model.filters=32",
    )
    add(
        "--as-written",
        action="store_true",
        help="by the rules of the paper's text where the code that its figures were made with had others",
    )
    add(
        "--first-from",
        type=Path,
        metavar="RUN",
        help="take the first iteration's model from this run of the same seed and settings, as figures 3, 6 and 7 can "
        "from figure 2",
    )
    add("--quiet", action="store_true", help="no progress bars")
    add = command(commands, sample, ITERATIONS_EPILOG["sample"])
    add("experiment", help="the experiment, e.g. fig2")
    add("--iteration", type=int, help="which iteration's model (default: the last)")
    source(add)
    add("--seeds", type=seeds, default=range(64), help="42, or 1,5,9, or 0:64 (default)")
    add("--out", type=Path, required=True, help="sheet.png, or film.gif / film.webp")
    add = command(commands, measure, ITERATIONS_EPILOG["measure"])
    add("what", help="the folder of a run, or images: a data set's name or folder:PATH")
    add("--reference", default="mnist", help="the data set that distance is measured to (default: mnist)")
    add("--limit", type=int, default=1000, help="how many images to measure at most (default: 1000)")
    add = command(commands, thin, ITERATIONS_EPILOG["thin"])
    add("runs", nargs="+", type=Path, metavar="DIR", help="folders of runs")
    add(
        "--keep",
        type=lambda text: [] if text == "none" else seeds(text),
        help="iterations whose models go with it, or none (default: those of 1,2,3,4,5,10,15,20 that there are)",
    )
    add("--resumable", action="store_true", help="with all models, and the optimiser's state: to continue elsewhere")
    add("--without-data", action="store_true", help="no pictures of the data: some may be learned from and not shown")
    add("--out", type=Path, required=True, metavar="DIR", help="the tree they join; its index.json is written anew")
    add = command(commands, inspect, ITERATIONS_EPILOG["inspect"])
    add("checkpoint", type=Path, help="a .safetensors file")


CREATIVE_EPILOG = {
    "decode": """examples:
  python -m toolkit decode creative-mnist --out pairs.png                     regular and low-active, side by side
  python -m toolkit decode creative-fashion --method random --seeds 0:64 --out pairs.png
  python -m toolkit decode creative-mnist --band 1,40 --neurons 12 --gain 0.5 --layer 2 --out pairs.png
  python -m toolkit decode creative-both --set value=peak --set grouping=group --out pairs.png
--gain is a factor on the calibrated one. --set changes any other point that the paper leaves open: `Creative`.""",
}


def decode(args: argparse.Namespace) -> object:
    """Decode codes with seldom-active neurons switched on: pairs of a regular and a modified picture, as PNG."""
    if args.out.suffix != ".png":
        raise ValueError(f"--out {args.out} is no PNG: end it in .png")
    trained = load_decoder(args.source, args.name, device=str(precision.device(args.device)))
    how = replace(trained.how, **options(args, trained.how.gain))
    both = decoded(trained, args.seeds, how, args.layer)
    pairs = torch.stack([both.regular, both.images], 1).flatten(0, 1)
    plot.grid(pairs.cpu(), 2 * max(1, round(len(args.seeds) ** 0.5)), scale=4).save(args.out)
    near, far = (encoder_distance(trained.model, x).mean().item() for x in (both.regular, both.images))
    return {
        "out": str(args.out), "pairs": len(args.seeds), "distance_regular": near, "distance": far,
        "neurons": both.neurons.tolist(),
    }  # fmt: skip


def options(args: argparse.Namespace, gain: float) -> dict[str, Any]:
    """What the command line changes of the calibrated settings. Raises ValueError for what is no setting."""
    given = {"method": args.method, "neurons": args.neurons, "band": args.band}
    changed = {name: value for name, value in given.items() if value is not None}
    if args.gain is not None:
        changed["gain"] = args.gain * gain
    return checked("creative decoding", Creative, {**changed, **settings(args.set)})


def band(text: str) -> tuple[float, float]:
    """A band of percentiles as people write it: "1,15"."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no band: write two percentiles, such as 1,15") from None
    return low, high


def declare_creative(commands: Any) -> None:
    """Declare them."""
    add = command(commands, decode, CREATIVE_EPILOG["decode"])
    add("name", help=f"the decoder: {', '.join(DECODERS)}")
    source(add)
    add("--method", choices=SAMPLERS_METHODS, help="which neurons (default: low-active)")
    add("--neurons", type=int, help="how many (default: 5)")
    add("--band", type=band, metavar="LOW,HIGH", help="of percentiles of activity (default: 1,15)")
    add("--gain", type=float, help="times the calibrated one (default: 1); 0 is the regular picture")
    add("--layer", type=int, default=-1, help="hidden layer, from 1 next to the code (default: the last)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting of Creative")
    add("--seeds", type=seeds, default=range(32), help="42, or 1,5,9, or 0:32 (default)")
    add("--out", type=Path, required=True, help="pairs.png")


KALEIDOSCOPE_EPILOG = {
    "kaleidoscope": """examples:
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 30 --out sheet.png             64 samples after run 30
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 30 --every 5 --seeds 0:8 --out rows.png    how they came
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 60 --out film.webp             all runs, moving
  python -m toolkit kaleidoscope kaleidoscope-1d --seeds 0:10 --out film.gif              samples that fall on a curve
  python -m toolkit kaleidoscope kaleidoscope-fashion --start photo.jpg --perturbation 0.03 --out sheet.png
A seed is the same film whatever else is in the batch. Burn-in is a way to look at it: show later runs.""",
}
KALEIDOSCOPE_PICTURES = (".png", ".gif", ".webp")


def kaleidoscope(args: argparse.Namespace) -> object:
    """Run images through a kaleidoscopic network again and again: a sheet (.png) or a film (.gif, .webp)."""
    if args.out.suffix not in KALEIDOSCOPE_PICTURES:
        raise ValueError(f"--out {args.out} is no picture: end it in {', '.join(KALEIDOSCOPE_PICTURES)}")
    if args.every is not None and args.every < 1:
        raise ValueError(f"--every {args.every}: show every run (1), or every second (2), or fewer")
    k = load_kaleidoscope(args.source, args.name, iteration=args.iteration, device=str(precision.device(args.device)))
    runs = k.runs if args.runs is None else args.runs
    if runs < 1 or not args.seeds:
        raise ValueError(f"--runs {runs}, {len(args.seeds)} seeds: give at least one of each")
    start = _start(args.start, k, len(args.seeds))
    films = stream(k, args.seeds, start=start, perturbation=args.perturbation, mode=args.mode, fast=args.fast)
    states = list(islice(films, runs + 1))
    if args.out.suffix == ".png":
        sheets.still(k, states, args.every).save(args.out)
    else:
        plot.animation(sheets.drawn(k, states, args.every or 1), args.out)
    numbers = row(states[-2].cpu(), states[-1].cpu(), eyes(_known(k)))
    return {"out": str(args.out), "images": len(args.seeds), "runs": runs, **numbers}


def _start(given: str | None, k: Kaleidoscope, count: int) -> str | Tensor | None:
    """Noise of a kind, or a picture as the start of every film."""
    if given in (None, "uniform", "normal"):
        return given
    path = Path(str(given))
    if not path.is_file():
        raise FileNotFoundError(f"--start {given} is no kind of noise and no file: give uniform, normal or a picture")
    channels, size, _ = k.model.image_shape
    if k.points is not None:
        raise ValueError(f"{k.name} learned points: a picture cannot be its start, give uniform or normal")
    images, _ = files.read([path], size, channels == 3)
    device = next(k.model.parameters()).device
    return (images.float() / 255).repeat(count, 1, 1, 1).to(device)


def _known(k: Kaleidoscope) -> Tensor | None:
    """What distances are measured to, if it is here without a download: points, or the built-in sample of a set."""
    if k.points is not None:
        return k.points.cpu()
    name = f"sample:{k.data.removeprefix('sample:')}"
    return datasets.load(name).images if name in datasets.NAMES and k.model.image_shape == (1, 28, 28) else None


def declare_kaleidoscope(commands: Any) -> None:
    """Declare them."""
    add = command(commands, kaleidoscope, KALEIDOSCOPE_EPILOG["kaleidoscope"])
    add("name", help=f"the network: {', '.join(KALEIDOSCOPES)}")
    add("--iteration", type=int, help="which of its trainings (default: the first)")
    source(add)
    add("--runs", type=int, help="how often (default: 300 for pictures, 30 for points)")
    add("--start", metavar="uniform|normal|PICTURE", help="noise, or a picture of yours (default: uniform)")
    add("--perturbation", type=float, help="how strongly images are stirred before each run (default: 0.01)")
    add("--mode", choices=MODES, help="how they are stirred (default: centred)")
    add("--every", type=int, help="show every so many runs: frames of a film, columns of a sheet")
    add("--seeds", type=seeds, default=range(64), help="42, or 1,5,9, or 0:64 (default)")
    add("--fast", action="store_true", help="in bfloat16 where the processor has it: for many seeds; other pictures")
    add("--out", type=Path, required=True, help="sheet.png, or film.gif / film.webp")


DIVERGE_EPILOG = """examples:
  python -m toolkit diverge hacked-mnist --out runs          digits, until their discriminator calls them fake: seconds
  python -m toolkit diverge can-mnist --out runs             a creative adversarial network: minutes on two cores
  python -m toolkit diverge can-mnist --scale smoke --data sample:mnist --out runs      seconds, and means nothing
  python -m toolkit diverge without-data --seed 1 --set how.diversity=3 --out runs/mine
An iteration is the model after some of the steps, the first one usually untouched. A base that is neither in OUT nor in
SOURCE is trained first. The same command continues: what is finished stays, what was being learned is learned again."""


def diverge(args: argparse.Namespace) -> object:
    """Train a model away from its data, or without any: each kept step an iteration, with its sheet and measures."""
    given = {name: value for name in ("name", "data", "seed") if (value := getattr(args, name)) is not None}
    spec = presets.preset(choose("preset", args.preset, presets.DIVERGENCES), args.scale, **given, **settings(args.set))
    options = {"root": args.root, "device": precision.device(args.device), "quiet": args.quiet or args.json}
    folder = runs.trainer(spec, args.out, source=args.source, **options)()
    stored = json.loads((folder / "metrics.json").read_text())
    return stored if args.json else f"{folder} is complete"


def declare_diverge(commands: Any) -> None:
    """Declare it."""
    add = command(commands, diverge, DIVERGE_EPILOG)
    add("preset", help=f"the experiment: {', '.join(presets.DIVERGENCES)}; by {', '.join(presets.METHODS)}")
    source(add)
    add("--name", help="another name, of the folder too")
    add("--scale", default="cpu", choices=("cpu", "smoke"), help="cpu (minutes; default) or smoke (seconds)")
    add("--data", help="another data set with labels, such as sample:mnist")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting, e.g. how.ambiguity=3")
    add("--out", type=Path, required=True, metavar="DIR", help="the folder of runs; this one goes to DIR/NAME")
    add("--quiet", action="store_true", help="no progress bars")


FONT_EPILOG = """examples:
  python -m toolkit font fig2 --out alphabet.ttf                             a to z, of the last iteration
  python -m toolkit font fig2 --iteration 5 --seeds 3,14,15 --keys xyz --out three.ttf
  python -m toolkit font fig2 --seeds 0:62 --name mine --out mine.ttf        a to z, A to Z, 0 to 9
  python -m toolkit font fig2 --out alphabet.ttf --specimen page.png         and a page set in it
  python -m toolkit font fig2 --out alphabet.svg                             the outlines, as a sheet
Open the .ttf to install it: it is listed as "That Are Not NAME". A letter types in both cases if only one
of them has a symbol."""
TEXT = "machines that make images their training data does not contain"
KINDS = (".ttf", ".svg")


def font(args: argparse.Namespace) -> object:
    """Grow symbols out of noise with one iteration's model, as a font to install (.ttf) or as outlines (.svg)."""
    keys = _keys(args)
    experiment, entry = hub.choose(hub.read_index(args.source), args.experiment, args.iteration)
    what = f"{experiment} {entry['iteration']}"
    symbols = _symbols(args, experiment, entry["iteration"])
    if args.out.suffix == ".svg":
        titles = [f"{what}, seed {seed}" for seed in args.seeds]
        write_whole(args.out, type_.svg(symbols, titles=titles).encode())
        return {"out": str(args.out), "symbols": len(symbols)}
    drawn = type_.build(symbols, keys, args.name or type_.plain_name(what))
    page = type_.specimen(drawn, _text(args, keys)) if args.specimen else None
    write_whole(args.out, drawn)
    said: dict[str, Any] = {"out": str(args.out), "symbols": len(symbols), "keys": "".join(keys)}
    if page:
        page.save(args.specimen)
        said["specimen"] = str(args.specimen)
    return said


def _keys(args: argparse.Namespace) -> list[str]:
    """The keys of a command that can be carried out. Raises ValueError for any other, before minutes of work."""
    if args.out.suffix not in KINDS:
        raise ValueError(f"--out {args.out} is neither font nor outlines: end it in {' or '.join(KINDS)}")
    if args.specimen and (args.specimen.suffix != ".png" or args.out.suffix != ".ttf"):
        raise ValueError(f"--specimen {args.specimen}: end it in .png, and --out in .ttf, for it is set in the font")
    if args.name:
        type_.checked_name(args.name)
    count = len(args.seeds)
    return type_.default_keys(count) if args.keys is None else type_.checked_keys(args.keys, count)


def _symbols(args: argparse.Namespace, experiment: str, iteration: int) -> Tensor:
    sampling = hub.sampling(args.source, experiment)
    model = hub.load(args.source, experiment, iteration, device=args.device)
    return sampling.grown(model, args.seeds).cpu()


def _text(args: argparse.Namespace, keys: list[str]) -> str:
    """What the specimen says: the text, or a sentence if the font has its letters, or else the keys in order."""
    known = set(type_.typed(keys)) | {" "}
    return args.text or (TEXT if set(TEXT) <= known else " ".join(keys))


def declare_font(commands: Any) -> None:
    """Declare it."""
    add = command(commands, font, FONT_EPILOG)
    add("experiment", nargs="?", help="the experiment, e.g. fig2 (default: the one shown first)")
    add("--iteration", type=int, help="which iteration's model (default: the last)")
    source(add)
    add("--seeds", type=seeds, default=range(26), help="42, or 1,5,9, or 0:26 (default); a symbol each")
    add("--keys", metavar="abc...", help="what types each symbol, in order (default: a, b, c, ...)")
    add("--name", help="of the font, after That Are Not: plain words (default: experiment and iteration)")
    add("--out", type=Path, required=True, help="alphabet.ttf or alphabet.svg")
    add("--specimen", type=Path, metavar="FILE", help="also a page set in the font, as PNG")
    add("--text", help="what that page says (default: a sentence)")


HUB_EPILOG = {
    "list": """examples:
  python -m toolkit list                            the shipped checkpoints, an experiment a line
  python -m toolkit list OWNER/NAME                 of a Hub repo; downloads its index and nothing else
  python -m toolkit list OWNER/NAME fig2            its iterations with their measures
  python -m toolkit list OWNER/NAME --json          everything""",
    "pull": """examples:
  python -m toolkit pull OWNER/NAME fig2 --iteration 7          one model, into the Hub's cache
  python -m toolkit pull OWNER/NAME fig2 --iterations 1:20      both ends count; or 1,5,20
  python -m toolkit pull OWNER/NAME fig2 --to runs              the whole run, with its sheets, into a folder:
  python app.py runs                                            ... which the page opens without network
  python -m toolkit pull OWNER/NAME fig2 --iteration 7 --revision COMMIT      the same for ever
  python -m toolkit pull OWNER/NAME fig2 --dry-run              what it would fetch
Stop it whenever you like: the same command goes on with the files that are missing. HF_HUB_OFFLINE=1 uses what is
cached; a private repo takes the token of `hf auth login`, or HF_TOKEN.""",
    "push": """examples:
  python -m toolkit push OWNER/NAME --from runs --dry-run card      writes to the folder card what it would upload
  python -m toolkit push OWNER/NAME --from runs
Log in before with `hf auth login`. What is uploaded: model card, index, and of each experiment its settings (which name
the data, the path of a folder: too), models, sheets, measures and a preview; no other file of the folder. Stop it
whenever you like: the same command goes on, and what the Hub has already is not sent again.""",
}


def numbers(text: str) -> Sequence[int]:
    """Iterations as people write them: "7", "1,5,20", or "1:20" for 1 to 20, for they are counted like pages."""
    try:
        if ":" in text:
            first, last = map(int, text.split(":"))
            return range(first, last + 1)
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no iterations: write 7, or 1,5,20, or 1:20") from None


def list_(args: argparse.Namespace) -> object:
    """What a folder or a Hub repo holds: experiments, iterations, sizes, measures, and what is on this machine."""
    held = publish.contents(args.source, args.revision)
    if args.json:
        return held
    return publish.iterations(held, args.experiment) if args.experiment else publish.summary(held)


def pull(args: argparse.Namespace) -> object:
    """Fetch one iteration of an experiment from the Hub, or several, or all; each is one file."""
    if args.iteration is not None and args.iterations is not None:
        raise ValueError("--iteration and --iterations are two answers: give one of them")
    chosen = args.iterations if args.iteration is None else [args.iteration]
    plan = publish.plan(args.repo, args.experiment, chosen, revision=args.revision, sheets=args.to is not None)
    if args.dry_run:
        return _said(args, plan, publish.foreseen(plan))
    came, sizes = Counter[str](), publish.missing(plan)
    options: dict[str, Any] = {"unit": "B", "unit_scale": True, "dynamic_ncols": True}
    with tqdm(total=sum(sizes.values()), disable=args.quiet or args.json or not sizes, **options) as bar:

        def on_bytes(name: str, count: int) -> None:
            came[name] += count
            bar.update(count if name in sizes else 0)  # of small files nobody knows beforehand

        paths = publish.pull(plan, on_bytes)
    if args.to is not None:
        publish.place(plan, paths, args.to)
    return _said(args, plan, {name: (path.stat().st_size, came[name] > 0) for name, path in paths.items()})


def _said(args: argparse.Namespace, plan: publish.Plan, files: dict[str, tuple[int, bool]]) -> object:
    """What a pull says of itself. files: of each its bytes, and whether it was fetched, or would be."""
    fetched = sum(size for size, comes in files.values() if comes)
    if args.json:
        told = [{"file": name, "bytes": size, "fetched": comes} for name, (size, comes) in files.items()]
        return {
            "repo": plan.repo, "commit": plan.commit, "experiment": plan.experiment, "dry_run": args.dry_run,
            "iterations": [entry["iteration"] for entry in plan.entries], "files": told, "bytes": fetched,
            "to": None if args.to is None else str(args.to),
        }  # fmt: skip
    lines = [f"{size:>12,}  {name}{'' if comes else '  (cached)'}" for name, (size, comes) in files.items()]
    verb = "would fetch" if args.dry_run else "fetched"
    lines.append(f"{verb} {fetched:,} bytes of {plan.repo}; to have the same again: --revision {plan.commit}")
    return "\n".join([*lines, *([f"in {args.to}: python app.py {args.to}"] if args.to and not args.dry_run else [])])


def push(args: argparse.Namespace) -> object:
    """Upload a folder of runs to the Hub, with a model card made from its files; --dry-run only writes it down."""
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


def declare_hub(commands: Any) -> None:
    """Declare them."""
    add = command(commands, list_, HUB_EPILOG["list"])
    add("source", nargs="?", default=str(CHECKPOINTS), help="a folder or a Hub repo id (default: the shipped ones)")
    add("experiment", nargs="?", help="its iterations with all their measures")
    add("--revision", help="a branch, tag or commit of the repo (default: main, as it is now)")
    add = command(commands, pull, HUB_EPILOG["pull"])
    add("repo", metavar="OWNER/NAME", help="a Hub repo")
    add("experiment", nargs="?", help="the experiment, e.g. fig2 (default: the repo's own choice)")
    add("--iteration", type=int, help="one iteration (default: all)")
    add("--iterations", type=numbers, metavar="RANGE", help="several: 1:20, both ends count, or 1,5,20")
    add("--revision", help="a branch, tag or commit (default: main, as it is now)")
    add("--to", type=Path, metavar="DIR", help="also write them to this folder, with their sheets: python app.py DIR")
    add("--dry-run", action="store_true", help="fetch nothing but the index, and say what would be fetched")
    add("--quiet", action="store_true", help="no progress bar")
    add = command(commands, push, HUB_EPILOG["push"])
    add("repo", metavar="OWNER/NAME", help="a Hub repo; it is made if there is none")
    add("--from", dest="source", type=Path, default=CHECKPOINTS, metavar="DIR", help="a folder of runs")
    add(
        "--dry-run",
        nargs="?",
        type=Path,
        const=True,
        default=False,
        metavar="DIR",
        help="upload nothing, use no network: list the files, and write them to the new folder DIR if it is given",
    )
    add("--license", default="mit", metavar="ID", help="the Hub's identifier of the weights' licence (default: mit)")
    add("--private", action="store_true", help="a repo that only you see, if it is made")
