"""Do picks steer? Simulated pickers of a stated taste raise families, beside others that pick at random.

STORE is {"settings": {...}, "lines": [{"picker", "seed", "measures": {NAME: [a value a generation, ...]}}, ...]}. Of
every line there is the mean of every taste over the twelve symbols of each sheet, whoever picked; so that what a taste
reaches is compared with random picks from the same first sheet. Beside them: digits, diversity; from the first child on
picks, the mean distance of a sheet to the nearest of the picks that it learned, and unpicked, to the nearest of as many
symbols of the same parent that nobody picked; of neither those of the same seeds count.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from .. import plot, raising
from ..cli import arg, check_out, command
from ..index import CHECKPOINTS, read_json, write_atomic
from ..metrics.distance import diversity, nearest
from ..metrics.image import as_float, components, holes, stroke_count, stroke_width
from ..metrics.stats import Interval, above_zero, interval
from ..plot import markdown_table
from ..raising import SYMBOLS, Generation, Recipe
from ..seeds import child
from .common import number

PICKS, STEPS, GENERATIONS, SEEDS = 3, 10, 10, 5
LAST = 3  # generations whose mean decides: twelve symbols of one are few
RANDOM = "random"


def spread(x: Tensor) -> Tensor:
    """The standard deviation of the light from its centre, from left to right, in pixels: (B, C, H, W) -> (B,)."""
    light, across = _columns(x)
    centre = (light * across).sum(1, keepdim=True)
    return (light * (across - centre).square()).sum(1).sqrt()


def height(x: Tensor) -> Tensor:
    """The centre of the light above the middle, in pixels: (B, C, H, W) -> (B,)."""
    light, down = _columns(x.mT)
    return (x.shape[-2] - 1) / 2 - (light * down).sum(1)


def symmetry(x: Tensor) -> Tensor:
    """Minus the distance of each image from its mirror image: (B, C, H, W) -> (B,); 0 is symmetric."""
    x = as_float(x)
    return -(x - x.flip(3)).square().flatten(1).mean(1).sqrt()


def slant(x: Tensor) -> Tensor:
    """How far the light moves right for each pixel upwards: (B, C, H, W) -> (B,); over 0 it leans like italics."""
    grey = as_float(x).mean(1)
    grey = grey / grey.sum((1, 2), keepdim=True).clamp_min(1e-6)
    down, right = torch.meshgrid(*(torch.arange(float(side)) for side in grey.shape[1:]), indexing="ij")
    down, right = (place - (grey * place).sum((1, 2), keepdim=True) for place in (down, right))
    return -(grey * down * right).sum((1, 2)) / (grey * down.square()).sum((1, 2)).clamp_min(1e-6)


def _columns(x: Tensor) -> tuple[Tensor, Tensor]:
    """The share of the light in each column, (B, W), and the columns' places, (W,)."""
    light = as_float(x).mean(1).sum(1)
    return light / light.sum(1, keepdim=True).clamp_min(1e-6), torch.arange(float(x.shape[-1]))


Taste = Callable[[Tensor], Tensor]
TASTES: dict[str, tuple[Taste, str]] = {  # what a picker wants most of, and the unit of its measure
    "most holes": (holes, "holes"),
    "most strokes": (stroke_count, "strokes"),
    "fewest strokes": (lambda x: -stroke_count(x), "strokes, negative"),
    "thickest": (stroke_width, "pixels"),
    "most pieces": (components, "pieces"),
    "widest": (spread, "pixels"),
    "tallest": (lambda x: spread(x.mT), "pixels"),
    "top-heavy": (height, "pixels"),
    "leaning": (slant, "pixels a pixel"),
    "symmetric": (symmetry, "distance, negative"),
}


def picked(picker: str, symbols: Tensor, seed: int) -> list[int]:
    """The rows of a sheet that a picker keeps: those that its taste rates highest, the first of equal ones."""
    if picker == RANDOM:
        return torch.randperm(len(symbols), generator=torch.Generator().manual_seed(seed))[:PICKS].tolist()
    return TASTES[picker][0](symbols).argsort(descending=True, stable=True)[:PICKS].tolist()


def line(
    picker: str,
    seed: int,
    generations: int,
    steps: int,
    source: str | Path,
    cache: raising.Cache,
    on_generation: Callable[[], object],
) -> dict[str, Any]:
    """A family without branches. seed: its number, from 0; pickers of the same one begin with the same sheet."""
    recipe, rows = Recipe(raising.ancestor(source=source), seed=100 * seed), list[dict[str, float]]()
    before: raising.Member | None = None
    chosen: list[int] = []
    for at in range(generations + 1):
        *_, progress = raising.raise_member(recipe, at, source, cache=cache)
        member = progress.member
        assert member is not None
        row = {name: taste(member.symbols).mean().item() for name, (taste, _) in TASTES.items()}
        row |= {"digits": member.distances["digits"], "diversity": diversity(member.symbols)}
        if before is not None:
            row |= _nearness(member, before, chosen, child(seed, "unpicked", at))
        rows.append(row)
        chosen = picked(picker, member.symbols, child(seed, "random", at))
        following = Generation(at, tuple(recipe.seed + place for place in chosen), steps=steps)
        recipe = Recipe(recipe.ancestor, (*recipe.generations, following), recipe.seed)
        before = member
        on_generation()
    measures = {name: [float(f"{row[name]:.5g}") for row in rows if name in row] for name in rows[-1]}
    return {"picker": picker, "seed": seed, "measures": measures}


def _nearness(member: raising.Member, before: raising.Member, chosen: Sequence[int], seed: int) -> dict[str, float]:
    """Distances to what was picked of the parent's sheet, and to as many symbols of it that were not."""
    left = [row for row in range(SYMBOLS) if row not in chosen]
    order = torch.randperm(len(left), generator=torch.Generator().manual_seed(seed)).tolist()
    others, rest = [left[at] for at in order[:PICKS]], [left[at] for at in order[PICKS:]]
    sets = {"picks": chosen, "unpicked": others}
    return {
        name: nearest(member.symbols[rest], before.symbols[list(rows)])[0].mean().item() for name, rows in sets.items()
    }


def study(
    path: Path, generations: int, seeds: int, steps: int, source: str | Path = CHECKPOINTS, *, quiet: bool = False
) -> dict[str, Any]:
    """All lines, each stored once it is complete; those that are there by the same settings stay."""
    first = raising.ancestor(source=source)
    settings = {"ancestor": [first.experiment, first.iteration], "sha256": first.sha256, "generations": generations,
                "steps": steps, "weight": Generation(picks=(0,)).weight, "picks": PICKS}  # fmt: skip
    found: dict[str, Any] = {"settings": settings, "lines": []}
    if path.exists() and (stored := read_json(path)).get("settings") == settings:
        found = stored
    done = {(each["picker"], each["seed"]) for each in found["lines"]}
    left = [(picker, seed) for seed in range(seeds) for picker in (RANDOM, *TASTES) if (picker, seed) not in done]
    cache = raising.Cache(generations + 3)
    with tqdm(total=len(left) * (generations + 1), unit="sheet", disable=quiet, dynamic_ncols=True) as bar:
        for picker, seed in left:
            bar.set_description(f"{picker}, seed {seed}", refresh=False)
            found["lines"].append(line(picker, seed, generations, steps, source, cache, bar.update))
            write_atomic(path, (json.dumps(found, sort_keys=True) + "\n").encode())
    return found


def reached(found: Mapping[str, Any], taste: str) -> Interval | None:
    """What a taste's pickers have more of it than random ones from the same seed, in the last generations."""
    own, other = (late(found, who, taste) for who in (taste, RANDOM))
    values = [own[seed] - other[seed] for seed in own if seed in other]
    return interval(values) if values else None


def nearer(found: Mapping[str, Any], *pickers: str) -> Interval | None:
    """How much nearer children are to what was picked than to what was not, over all generations; one value a line."""
    lines = [each["measures"] for each in found["lines"] if each["picker"] in pickers]
    values = [fmean(it["unpicked"]) - fmean(it["picks"]) for it in lines]
    return interval(values) if values else None


def late(found: Mapping[str, Any], picker: str, measure: str) -> dict[int, float]:
    """The mean of a measure over the last generations of a picker's lines, by seed."""
    lines = [each for each in found["lines"] if each["picker"] == picker]
    return {each["seed"]: fmean(each["measures"][measure][-LAST:]) for each in lines}


def table(found: Mapping[str, Any]) -> str:
    """A row for each taste: at first, in the end, what random picks end with, and the difference with its interval.

    The last row is of all pickers: how varied their sheets are, and how much nearer to what was picked.
    """
    rows = []
    for name, (_, unit) in TASTES.items():
        more, near = reached(found, name), nearer(found, name)
        if more is None:
            continue
        start = fmean(each["measures"][name][0] for each in found["lines"] if each["picker"] == name)
        ends = [fmean(late(found, who, name).values()) for who in (name, RANDOM)]
        verdict = "**yes**" if above_zero(more) else "no"
        rows.append([name, unit, f"{start:.3g}", *(f"{end:.3g}" for end in ends), number(more), verdict, number(near)])
    picky = [each for each in found["lines"] if each["picker"] != RANDOM]
    start = fmean(each["measures"]["diversity"][0] for each in picky)
    ends = [fmean(fmean(each["measures"]["diversity"][-LAST:]) for each in picky),
            fmean(late(found, RANDOM, "diversity").values())]  # fmt: skip
    everyone = number(nearer(found, RANDOM, *TASTES))
    rows.append(["*all: diversity*", "distance", f"{start:.3g}", *(f"{end:.3g}" for end in ends), "", "", everyone])
    head = ["taste", "measured in", "at first", "in the end", "random picks", "difference", "over 0?",
            "nearer to picks"]  # fmt: skip
    return markdown_table(head, rows, 2)


def chart(found: Mapping[str, Any]) -> Any:
    """A panel for each taste: its measure by generation, of its pickers in black and of random ones in grey."""
    drawing = plot.figure(11, 4.6, "what simulated pickers reach, generation by generation")
    panels = drawing.subplots(2, -(-len(TASTES) // 2), sharex=True).flat
    for panel, name in zip(panels, TASTES, strict=True):
        for who, colour in ((RANDOM, "#999999"), (name, "black")):
            lines = [each["measures"][name] for each in found["lines"] if each["picker"] == who]
            for values in lines:
                panel.plot(values, color=colour, lw=0.5, alpha=0.5)
            panel.plot([fmean(at) for at in zip(*lines, strict=True)], color=colour, lw=2)
        plot.plain(panel, name)
    drawing.supxlabel("generation; black: picked by this taste, grey: at random; thin: each seed", fontsize=8)
    return drawing


@command(
    "taste",
    """examples:
  python -m toolkit taste --store runs/taste.json            forty minutes on a core
  python -m toolkit taste --store runs/taste.json --out taste.png
Stop it whenever you like; the same command continues where it was.""",
    arg("--store", required=True, type=Path, metavar="FILE", help="the results, as JSON"),
    arg("--out", help="a chart, .png"),
    arg("--generations", type=int, default=GENERATIONS, help=f"of each line (default: {GENERATIONS})"),
    arg("--families", type=int, default=SEEDS, help=f"of each picker, from other seeds (default: {SEEDS})"),
    arg("--steps", type=int, default=STEPS, help=f"of learning (default: {STEPS}; the page has {raising.STEPS})"),
    *map(arg, ("--from", "--quiet", "--json")),
)
def taste(args: argparse.Namespace) -> object:
    """Simulated pickers raise families by a stated taste, and at random: do picks steer?"""
    if min(args.generations, args.families, args.steps) < 1:
        raise ValueError("generations, families and steps are counts: give at least 1 of each")
    if args.out is not None:
        check_out(args.out, [".png"])
    found = study(args.store, args.generations, args.families, args.steps, args.source, quiet=args.quiet or args.json)
    if args.out is not None:
        write_atomic(args.out, plot.to_png(plot.picture(chart(found))))
    return found if args.json else table(found)
