"""The commands: python -m toolkit train | sample | measure | inspect | benchmark, each with --help that teaches."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from . import __version__, datasets, hub, metrics, plot, precision, presets, processes, runs
from . import benchmark as speed
from .seeds import Noise
from .store import RunError

EPILOG = {
    "train": """examples:
  python -m toolkit train fig2 --scale smoke --data sample:mnist --out runs     seconds, on the built-in digits
  python -m toolkit train fig2 --scale cpu --out runs                           an hour or two on two cores
  python -m toolkit train fig2 --scale cpu --data folder:my/marks --out runs
  python -m toolkit train fig6 --scale cpu --seed 1 --set steps=300 --set sampling.limit=50 --out runs
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
    "inspect": """example:
  python -m toolkit inspect checkpoints/fig2/iter_007/model.safetensors""",
    "benchmark": """examples:
  python -m toolkit benchmark --json speed.json            some minutes on two idle cores: the table, and every run
  python -m toolkit benchmark --data mnist --trained 2000
  python -m toolkit benchmark --quick                      seconds: whether it runs, not how fast
What is plain: float32, dense, one loop written by hand. Both sides run in turn, in one process.""",
}


PICTURES = [".png", ".gif", ".webp"]


def train(args: argparse.Namespace) -> object:
    """Train, hallucinate, accumulate: run one figure's experiment, every iteration a checkpoint."""
    with processes.together(args.device):
        device = precision.device(processes.own_device(args.device))
        experiment = presets.preset(args.preset, args.scale, **changes(args))
        with processes.one_first():  # it downloads what is missing
            images = datasets.load(experiment.data, root=args.root, split="any").images  # Kuzushiji is there in part
        folder = runs.prepare(experiment, images, args.out, device=device, quiet=args.quiet or args.json)()
        if processes.rank() > 0:
            return None
        return json.loads((folder / "metrics.json").read_text()) if args.json else f"{folder} is complete"


def sample(args: argparse.Namespace) -> object:
    """Grow symbols out of noise with one iteration's model, as a sheet (.png) or a film (.gif, .webp)."""
    if args.out.suffix not in PICTURES:
        raise ValueError(f"--out {args.out} is no picture: end it in {', '.join(PICTURES)}")
    model = hub.load(args.source, args.experiment, args.iteration, device=args.device)
    noise = Noise(args.seeds).rand(*model.image_shape).to(args.device)  # type: ignore[misc]
    states = list(hub.sampling(args.source, args.experiment).stream(model, noise))
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


def inspect(args: argparse.Namespace) -> object:
    """What is in a checkpoint: architecture, options, how it was trained, sizes, sha256."""
    return hub.inspect(args.checkpoint)


def benchmark(args: argparse.Namespace) -> object:
    """The fast paths against plain, dense float32 PyTorch: times, their ratios, and what memory grows to."""
    if isinstance(args.json, Path):
        args.json.touch()  # before minutes of work: it raises OSError if nothing can be written there
    given = {"seed": args.seed, "trained": args.trained, "curve_steps": args.curves}
    chosen = {name: value for name, value in given.items() if value is not None}
    plan = replace(speed.QUICK if args.quick else speed.Plan(), device=precision.device(args.device), **chosen)
    images = datasets.load(args.data, root=args.root).images
    with tqdm(speed.STEPS, disable=args.json is True, dynamic_ncols=True) as bar:
        following = iter(bar)
        result = speed.benchmark(images, plan, on_part=lambda part: bar.set_description(next(following)))
    if isinstance(args.json, Path):
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return result if args.json is True else speed.tables(result)


def seeds(text: str) -> range | list[int]:
    """Seeds as people write them: "42", "1,5,9", or "0:64" for 0 to 63."""
    try:
        if ":" in text:
            first, end = map(int, text.split(":"))
            return range(first, end)
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no seeds: write 42, or 1,5,9, or 0:64") from None


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="python -m toolkit", description="Machines that make images their training data does not contain."
    )
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    add = _command(commands, train)
    add("preset", help=f"the figure: {', '.join(presets.FIGURES)}")
    add("--scale", default="cpu", help="paper (as published), cpu (an hour or two; default), smoke (seconds)")
    add("--out", type=Path, required=True, metavar="DIR", help="the folder of runs; this one goes to DIR/PRESET")
    add(
        "--data",
        help="mnist, fashion, kmnist, omniglot, sample:mnist, sample:fashion, or folder:PATH of anybody's images",
    )
    add("--iterations", type=int, help="another number of iterations; a finished run goes on if it is larger")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, e.g. steps=300, model.filters=32",
    )
    add("--quiet", action="store_true", help="no progress bars")
    add = _command(commands, sample)
    add("experiment", help="the experiment, e.g. fig2")
    add("--iteration", type=int, help="which iteration's model (default: the last)")
    add(
        "--from",
        dest="source",
        default=str(hub.CHECKPOINTS),
        metavar="SOURCE",
        help="a folder of runs or a Hub repo id (default: the shipped ones)",
    )
    add("--seeds", type=seeds, default=range(64), help="42, or 1,5,9, or 0:64 (default)")
    add("--out", type=Path, required=True, help="sheet.png, or film.gif / film.webp")
    add = _command(commands, measure)
    add("what", help="the folder of a run, or images: a data set's name or folder:PATH")
    add("--reference", default="mnist", help="the data set that distance is measured to (default: mnist)")
    add("--limit", type=int, default=1000, help="how many images to measure at most (default: 1000)")
    add = _command(commands, inspect)
    add("checkpoint", type=Path, help="a .safetensors file")
    file: dict[str, Any] = {"action": "store", "nargs": "?", "const": True, "type": Path, "metavar": "FILE"}
    add = _command(commands, benchmark, **file, help="write everything to FILE; without FILE print it as JSON, alone")
    add("--data", default="sample:mnist", help="images that the network is trained on first (default: sample:mnist)")
    add("--trained", type=int, metavar="STEPS", help="how many fast steps it is trained for (default: 500)")
    add("--curves", type=int, metavar="STEPS", help="compare losses over so many steps, three seeds: 300 are an hour")
    add("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
    return root


def changes(args: argparse.Namespace) -> dict[str, Any]:
    """The settings changed on the command line. Raises ValueError for one that is not of the form NAME=VALUE."""
    changes: dict[str, Any] = {n: v for n in ("seed", "data", "iterations") if (v := getattr(args, n)) is not None}
    for text in args.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: write NAME=VALUE, for example steps=300 or model.filters=32")
        group, dot, option = name.rpartition(".")
        target = changes.setdefault(group, {}) if dot else changes
        target[option] = _value(value)
    return changes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _command(commands: Any, function: Callable[[argparse.Namespace], object], **as_json: Any) -> Callable[..., Any]:
    name, about = function.__name__, (function.__doc__ or "").strip()
    command = commands.add_parser(
        name, help=about, description=about, epilog=EPILOG[name], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.set_defaults(run=function)
    command.add_argument("--seed", type=int, help="where all randomness starts from (default: the preset's)")
    command.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    command.add_argument(
        "--root", type=Path, help="where data sets lie or are downloaded to (default: $TOOLKIT_DATA or a cache)"
    )
    plain = {"action": "store_true", "help": "print the result as JSON, and nothing else"}
    command.add_argument("--json", **(as_json or plain))
    return command.add_argument


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Errors of input are one sentence on stderr and exit code 2; an interruption is 130."""
    args = parser().parse_args(argv)
    try:
        result = args.run(args)
    except KeyboardInterrupt:
        print("interrupted: every finished iteration is kept; the same command continues", file=sys.stderr)
        return 130
    except (ValueError, OSError, RunError, processes.ProcessesError, FloatingPointError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if result is not None:
        print(result if isinstance(result, str) else json.dumps(result, indent=2))
    return 0
