"""How little changes what a classifier sees (Goodfellow et al., 2014; Madry et al., 2017): digits against symbols.

An image is moved within a ball around it until the classifier no longer gives it the class that it gave first. Of
digits the first class is mostly right; a symbol that is not has no right class, and the question is only how firmly the
classifier holds to what it says.
"""

import argparse
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import data, hub, plot, train
from ..cli import arg, check_out, command, save
from ..index import to_json, write_atomic
from ..metrics.stats import Interval, share_interval
from ..models import Judge
from ..plot import markdown_table
from ..samplers.ascent import METHODS, STEPS, attack, ball, difference, predicted
from ..samplers.generate import to_bytes

EPSILONS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
SHOWN, MAGNIFIED = 8, 10  # columns of the picture; how often the change is enlarged in it


def curve(classifier: Judge, x: Tensor, labels: Tensor, method: str) -> list[dict[str, float]]:
    """For each epsilon: the share of images that keep their label, and how sure the classifier is of what it says."""
    rows = []
    for epsilon in EPSILONS:
        found, sure = predicted(classifier, attack(classifier, x, labels, epsilon, method))
        rows.append({"epsilon": epsilon, "kept": (found == labels).double().mean().item(),
                     "sure": sure.double().mean().item()})  # fmt: skip
    return rows


def picture(classifier: Judge, x: Tensor, labels: Tensor, epsilon: float) -> Any:
    """Images, what was added, ten times as strong, and the sum, each with what the classifier says: a figure."""
    moved = attack(classifier, x, labels, epsilon)
    rows = [x, difference(x, moved, MAGNIFIED), moved]
    drawing = plot.figure(1.1 * len(x), 4.0, "")
    panels = drawing.subplots(3, len(x), squeeze=False)
    for row, images in enumerate(rows):
        names, sure = predicted(classifier, images)
        for panel, image, name, p in zip(panels[row], images, names.tolist(), sure.tolist(), strict=True):
            panel.imshow(image.mean(0).cpu().numpy(), cmap="gray", vmin=0, vmax=1)
            panel.set_axis_off()
            what = f"{MAGNIFIED} times" if row == 1 else f"“{classifier.config.classes[name]}” {p:.0%}"
            panel.set_title(what, fontsize=8)
    return drawing


@command(
    "adversarial",
    """examples:
  python -m toolkit adversarial --data mnist --symbols fig2 fig6       digits, and symbols of two runs
  python -m toolkit adversarial --epsilon 0.15 --out digits.png        digits, the change ten times as strong, the sum
  python -m toolkit adversarial --symbols fig2 --chart curves.png      how many keep their class, over epsilon
  python -m toolkit adversarial --network judge-fashion --data fashion --json""",
    arg("--network", default="judge-digits", help="a classifier of SOURCE (default: judge-digits)"),
    arg("--data", default="sample:mnist", help="images with labels (default: sample:mnist, of its own training)"),
    arg("--symbols", nargs="*", default=[], metavar="NAME", help="checkpoints whose images are tried too"),
    arg("--images", type=int, default=1000, help="of each (default: 1000)"),
    arg("--epsilon", type=float, default=0.1, help="how far a pixel moves in the picture, of 1 (default: 0.1)"),
    *map(arg, ("--from", "--root", "--device")),
    arg("--out", help="a picture of eight images"),
    arg("--chart", type=Path, metavar="FILE", help="a picture of the curves"),
    arg("--store", type=Path, metavar="FILE", help="write the curves as JSON"),
    arg("--json"),
)
def adversarial(args: argparse.Namespace) -> object:
    """Find out how little changes what a classifier sees, in digits and in symbols."""
    places = [("--out", args.out, ".png"), ("--chart", args.chart, ".png"), ("--store", args.store, ".json")]
    for option, file, suffix in places:
        if file is not None:
            check_out(file, [suffix], option)
    ball(args.epsilon)  # refused before minutes of work
    device = train.device(args.device)
    judge = hub.load_classifier(args.source, args.network, device=device)
    digits = data.load(args.data, root=args.root, split="test", limit=args.images)
    if digits.labels is None:
        raise ValueError(f"{args.data} has no labels: give a data set that has")
    x = digits.images.to(device).float() / 255
    sets = {digits.name: (x, digits.labels.to(device))}
    for name in args.symbols:
        drawn = hub.draw(args.source, name, seeds=range(args.images), device=device)
        symbols = to_bytes(drawn).to(device).float() / 255
        sets[name] = (symbols, predicted(judge, symbols)[0])
    found = {
        "network": args.network, "data": digits.name, "images": len(x), "steps": STEPS,
        "curves": {name: {method: curve(judge, *those, method) for method in METHODS} for name, those in sets.items()},
    }  # fmt: skip
    if args.store is not None:
        write_atomic(args.store, to_json(found))
    if args.out is not None:
        clean, labels = sets[digits.name]
        right = (predicted(judge, clean)[0] == labels).nonzero()[:, 0]
        few = right[:: max(1, len(right) // SHOWN)][:SHOWN]
        save(plot.picture(picture(judge, clean[few], labels[few], args.epsilon)), args.out)
    if args.chart is not None:
        save(plot.picture(chart(found)), args.chart)
    return found if args.json else table(found)


def table(found: dict[str, Any]) -> str:
    """The curves as markdown: the share of images that keep their class, one column an epsilon."""
    head = [f"of {found['images']} images that keep their class", "method", *map(str, EPSILONS)]
    rows = [
        [name, method.upper(), *(f"{row['kept']:.1%}" for row in rows)]
        for name, curves in found["curves"].items()
        for method, rows in curves.items()
    ]
    return markdown_table(head, rows, left=2)


def intervals(found: dict[str, Any]) -> str:
    """The same with 95 % intervals in per cent, "75.7 [72.9, 78.3]", as CLAIMS.md shows what was stored."""
    head = ["of each that keep their class, in %", "method", *(f"{epsilon:g}" for epsilon in EPSILONS)]
    rows = [
        [name, method.upper(), *(_with_ends(share_interval(row["kept"], found["images"])) for row in rows)]
        for name, curves in _data_first(found)
        for method, rows in curves.items()
    ]
    return markdown_table(head, rows, left=2)


def _data_first(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """The curves of the data, then those of symbols."""
    return sorted(found["curves"].items(), key=lambda it: it[0] != found["data"])


def _with_ends(x: Interval) -> str:
    mean, low, high = (f"{100 * (value or 0):.1f}" for value in (x["mean"], x["low"], x["high"]))
    return f"{mean} [{low}, {high}]"


def chart(found: dict[str, Any]) -> Any:
    """Share of images that keep their class, over epsilon, with 95 % intervals: a figure, one panel a method."""
    drawing = plot.figure(7.2, 3.2, "How far a pixel may move until the class is another")
    panels = drawing.subplots(1, len(METHODS), sharey=True)
    for panel, method in zip(panels, METHODS, strict=True):
        plot.plain(panel, {"fgsm": "one step (FGSM)", "pgd": f"{found['steps']} steps (PGD)"}[method])
        for name, curves in _data_first(found):
            ends = [share_interval(row["kept"], found["images"]) for row in curves[method]]
            shares = [x["mean"] for x in ends]
            panel.plot(EPSILONS, shares, marker="o", ms=3, label=name)
            panel.fill_between(EPSILONS, [x["low"] or 0 for x in ends], [x["high"] or 0 for x in ends], alpha=0.2)
        panel.set_xlabel("epsilon: how far a pixel moves, of 1", fontsize=8)
    panels[0].set_ylabel("share that keep their class", fontsize=8)
    panels[-1].legend(fontsize=8, frameon=False)
    return drawing
