"""The commands of runs and checkpoints: train, sample, measure, thin, inspect."""

import argparse
import json
from pathlib import Path
from typing import Any

from .. import datasets, hub, metrics, plot, precision, presets, processes, runs
from ..creative import presets as decoders
from ..creative import training as decoding
from ..judges import presets as judges
from ..judges import training as judging
from ..kaleidoscopes import presets as kaleidoscopes
from ..kaleidoscopes import training as folding
from .command import changes, command, seeds, source

EPILOG = {
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
SEEDED: dict[str, Any] = {  # of each preset whose iterations are networks from seeds of their own: where it is at home
    name: homes
    for homes in ((decoders, decoding), (kaleidoscopes, folding), (judges, judging))
    for name in homes[0].PRESETS
}


def train(args: argparse.Namespace) -> object:
    """Run one figure's experiment, each iteration a checkpoint; or train decoders, kaleidoscopic networks, judges."""
    folder = (_networks if args.preset in SEEDED else _iterations)(args)
    if folder is None:  # another process speaks
        return None
    stored = folder / "metrics.json"
    return json.loads(stored.read_text()) if args.json and stored.exists() else f"{folder} is complete"


def _iterations(args: argparse.Namespace) -> Path | None:
    with processes.together(args.device):
        device = precision.device(processes.own_device(args.device))
        experiment = presets.preset(args.preset, args.scale, as_written=args.as_written, **changes(args))
        with processes.one_first():  # it downloads what is missing
            images = datasets.load(experiment.data, root=args.root, split="any").images  # Kuzushiji is there in part
        options = {"device": device, "quiet": args.quiet or args.json, "first_from": args.first_from}
        folder = runs.prepare(experiment, images, args.out, **options)()
        return folder if processes.rank() == 0 else None


def _networks(args: argparse.Namespace) -> Path:
    """Decoders, kaleidoscopic networks or judges: an iteration is a network from a seed of its own."""
    given = changes(args)
    if args.as_written or args.first_from:
        raise ValueError(f"--as-written and --first-from are for figures: {args.preset} has nothing of the kind")
    if given.pop("name", None):
        raise ValueError(f"--name is for figures: {args.preset} has its seeds side by side, give --iterations")
    networks = given.pop("iterations", 1)
    options = {"root": args.root, "device": str(precision.device(args.device)), "quiet": args.quiet or args.json}
    home, trainer = SEEDED[args.preset]
    folder: Path = trainer.prepare(home.preset(args.preset, args.scale, **given), args.out, **options)(networks)
    return folder


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
    made = [runs.thin(folder, args.out, args.keep, data=not args.without_data) for folder in args.runs]
    default = hub.read_index(args.out)["default"] if (args.out / "index.json").exists() else None
    hub.write_index(args.out, default)
    return {"thinned": [str(folder) for folder in made]}


def inspect(args: argparse.Namespace) -> object:
    """What is in a checkpoint: architecture, options, how it was trained, sizes, sha256."""
    return hub.inspect(args.checkpoint)


def declare(commands: Any) -> None:
    """Declare them."""
    add = command(commands, train, EPILOG["train"])
    add("preset", help=f"the figure: {', '.join(presets.FIGURES)}; or networks of several seeds: {', '.join(SEEDED)}")
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
    add = command(commands, sample, EPILOG["sample"])
    add("experiment", help="the experiment, e.g. fig2")
    add("--iteration", type=int, help="which iteration's model (default: the last)")
    source(add)
    add("--seeds", type=seeds, default=range(64), help="42, or 1,5,9, or 0:64 (default)")
    add("--out", type=Path, required=True, help="sheet.png, or film.gif / film.webp")
    add = command(commands, measure, EPILOG["measure"])
    add("what", help="the folder of a run, or images: a data set's name or folder:PATH")
    add("--reference", default="mnist", help="the data set that distance is measured to (default: mnist)")
    add("--limit", type=int, default=1000, help="how many images to measure at most (default: 1000)")
    add = command(commands, thin, EPILOG["thin"])
    add("runs", nargs="+", type=Path, metavar="DIR", help="folders of runs")
    add(
        "--keep",
        type=lambda text: [] if text == "none" else seeds(text),
        default=[1, 5, 10, 15, 20],
        help="iterations whose models go with it, or none (default: 1,5,10,15,20)",
    )
    add("--without-data", action="store_true", help="no pictures of the data: some may be learned from and not shown")
    add("--out", type=Path, required=True, metavar="DIR", help="the tree they join; its index.json is written anew")
    add = command(commands, inspect, EPILOG["inspect"])
    add("checkpoint", type=Path, help="a .safetensors file")
