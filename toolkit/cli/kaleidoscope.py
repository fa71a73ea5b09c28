"""The commands of kaleidoscopic networks: kaleidoscope, attractors."""

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import datasets, plot, precision
from ..datasets import pictures
from ..kaleidoscopes import report, sheets
from ..kaleidoscopes.presets import PRESETS, SCALES
from ..kaleidoscopes.stored import Kaleidoscope, load, stream
from ..kaleidoscopes.study import study
from ..kaleidoscopes.training import eyes
from ..kaleidoscopes.trajectory import row
from ..samplers.kaleidoscope import MODES
from .command import command, seeds, source

EPILOG = {
    "kaleidoscope": """examples:
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 30 --out sheet.png             64 samples after run 30
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 30 --every 5 --seeds 0:8 --out rows.png    how they came
  python -m toolkit kaleidoscope kaleidoscope-mnist --runs 60 --out film.webp             all runs, moving
  python -m toolkit kaleidoscope kaleidoscope-1d --seeds 0:10 --out film.gif              samples that fall on a curve
  python -m toolkit kaleidoscope kaleidoscope-fashion --start photo.jpg --perturbation 0.03 --out sheet.png
A seed is the same film whatever else is in the batch. Burn-in is a way to look at it: show later runs.""",
    "attractors": """examples:
  python -m toolkit attractors --out runs                 trains some 70 small networks: about an hour on two cores
  python -m toolkit attractors --out runs --scale smoke   seconds, with numbers that mean nothing
Stop it whenever you like; the same command continues where it was.""",
}
PICTURES = (".png", ".gif", ".webp")


def kaleidoscope(args: argparse.Namespace) -> object:
    """Run images through a kaleidoscopic network again and again: a sheet (.png) or a film (.gif, .webp)."""
    if args.out.suffix not in PICTURES:
        raise ValueError(f"--out {args.out} is no picture: end it in {', '.join(PICTURES)}")
    if args.every is not None and args.every < 1:
        raise ValueError(f"--every {args.every}: show every run (1), or every second (2), or fewer")
    k = load(args.source, args.name, iteration=args.iteration, device=str(precision.device(args.device)))
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
    images, _ = pictures.read([path], size, channels == 3)
    device = next(k.model.parameters()).device
    return (images.float() / 255).repeat(count, 1, 1, 1).to(device)


def _known(k: Kaleidoscope) -> Tensor | None:
    """What distances are measured to, if it is here without a download: points, or the built-in sample of a set."""
    if k.points is not None:
        return k.points.cpu()
    name = f"sample:{k.data.removeprefix('sample:')}"
    return datasets.load(name).images if name in datasets.NAMES and k.model.image_shape == (1, 28, 28) else None


def attractors(args: argparse.Namespace) -> object:
    """The study of kaleidoscopic runs: where samples end up, against depth, width and more; OUT/kaleidoscope."""
    device = str(precision.device(args.device))
    quiet = args.quiet or args.json
    work = study(args.out, args.scale, seeds=args.networks, data=args.data, root=args.root, device=device, quiet=quiet)
    result = json.loads(work().read_text())
    return result if args.json else report.markdown(result)


def declare(commands: Any) -> None:
    """Declare them."""
    add = command(commands, kaleidoscope, EPILOG["kaleidoscope"])
    add("name", help=f"the network: {', '.join(PRESETS)}")
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
    add = command(commands, attractors, EPILOG["attractors"])
    add("--out", type=Path, required=True, metavar="DIR", help="the folder of runs")
    add("--scale", default="cpu", choices=SCALES, help="paper (a GPU), cpu (an hour; default) or smoke (seconds)")
    add("--networks", type=int, help="trained per setting, from different seeds (default: 3)")
    add("--data", help="another data set with labels, such as sample:mnist")
    add("--quiet", action="store_true", help="no progress bars")
