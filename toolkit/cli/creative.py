"""The commands of the creative decoder: decode, table1."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .. import plot, precision
from ..creative import report
from ..creative.presets import PRESETS, TABLE1
from ..creative.stored import decode as decoded
from ..creative.stored import load
from ..creative.study import SIZES, study
from ..metrics.reconstruction import encoder_distance
from ..options import checked
from ..samplers import METHODS, Creative
from .command import command, seeds, settings, source

EPILOG = {
    "decode": """examples:
  python -m toolkit decode creative-mnist --out pairs.png                     regular and low-active, side by side
  python -m toolkit decode creative-fashion --method random --seeds 0:64 --out pairs.png
  python -m toolkit decode creative-mnist --band 1,40 --neurons 12 --gain 0.5 --layer 2 --out pairs.png
  python -m toolkit decode creative-both --set value=peak --set grouping=group --out pairs.png
--gain is a factor on the calibrated one. --set changes any other point that the paper leaves open: `Creative`.""",
    "table1": """examples:
  python -m toolkit table1 --out runs                 trains nine decoders and measures them: hours on two cores
  python -m toolkit table1 --out runs --scale smoke   seconds, with numbers that mean nothing
Stop it whenever you like; the same command continues where it was.""",
}


def decode(args: argparse.Namespace) -> object:
    """Decode codes with seldom-active neurons switched on: pairs of a regular and a modified picture, as PNG."""
    if args.out.suffix != ".png":
        raise ValueError(f"--out {args.out} is no PNG: end it in .png")
    trained = load(args.source, args.name, device=str(precision.device(args.device)))
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


def table1(args: argparse.Namespace) -> object:
    """Table 1 and beyond: train decoders, calibrate, compare methods over seeds; into OUT/creative/table1.json."""
    device = str(precision.device(args.device))
    quiet = args.quiet or args.json
    work = study(
        args.out, args.scale, networks=args.networks, samples=args.samples, root=args.root, device=device, quiet=quiet,
        changes={name: {"data": args.data} for name in TABLE1} if args.data else {},
    )  # fmt: skip
    result = json.loads(work().read_text())
    return result if args.json else report.markdown(result)


def band(text: str) -> tuple[float, float]:
    """A band of percentiles as people write it: "1,15"."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no band: write two percentiles, such as 1,15") from None
    return low, high


def declare(commands: Any) -> None:
    """Declare them."""
    add = command(commands, decode, EPILOG["decode"])
    add("name", help=f"the decoder: {', '.join(PRESETS)}")
    source(add)
    add("--method", choices=METHODS, help="which neurons (default: low-active)")
    add("--neurons", type=int, help="how many (default: 5)")
    add("--band", type=band, metavar="LOW,HIGH", help="of percentiles of activity (default: 1,15)")
    add("--gain", type=float, help="times the calibrated one (default: 1); 0 is the regular picture")
    add("--layer", type=int, default=-1, help="hidden layer, from 1 next to the code (default: the last)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting of Creative")
    add("--seeds", type=seeds, default=range(32), help="42, or 1,5,9, or 0:32 (default)")
    add("--out", type=Path, required=True, help="pairs.png")
    add = command(commands, table1, EPILOG["table1"])
    add("--out", type=Path, required=True, metavar="DIR", help="the folder of runs")
    add("--scale", default="cpu", choices=list(SIZES), help="cpu (the published networks; default) or smoke (seconds)")
    add("--networks", type=int, help="trained per data set, from different seeds (default: 3)")
    add("--samples", type=int, help="per method and network (default: 10000)")
    add("--data", help="another data set for all three, such as sample:mnist")
    add("--quiet", action="store_true", help="no progress bars")
