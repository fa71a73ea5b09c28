"""What an iteration costs as the images accumulate: memory and batches measured, whole trainings extrapolated.

Memory is measured in a process of its own that holds so many images, grown as a run grows them, and takes steps.
"""

import json
import subprocess
import sys
from functools import cache
from itertools import islice
from pathlib import Path

import torch

from ..iterated_learning import accumulate
from ..models import create
from ..pieces import Images
from ..presets import Experiment
from ..train import Shuffled, fit
from .plan import Plan, Subject
from .timing import Entry, stopwatch

PAPER = Experiment("fig2", "", "2")  # 60,000 images generated an iteration, 15 epochs over all of them
CODE = "import sys; from toolkit.benchmark.growth import hold; sys.stdout.write(hold(*map(int, sys.argv[1:])))"
DRAWN = 20  # batches
STEPS = 2


def hold(count: int, filters: int, batch: int, threads: int) -> str:
    """Accumulate images and train on them in this process; what it took, as JSON. Meant for a process of its own."""
    torch.set_num_threads(threads)
    model, batches = create("WTA", {"filters": filters}, seed=0), Shuffled(grow(count), batch)
    drawn = iter(batches)
    shuffle = stopwatch(lambda: next(drawn))  # the first batch waits for the order of the whole epoch
    draw = stopwatch(lambda: list(islice(drawn, DRAWN))) / DRAWN
    step = [stopwatch(lambda: fit(model, batches, steps=STEPS)) / STEPS for _ in range(2)]
    return json.dumps(
        {"shuffle_ms": 1000 * shuffle, "batch_ms": 1000 * draw, "step_s": step[-1], "peak_rss_mb": peak_rss_mb()}
    )


def grow(count: int) -> Images:
    """So many random images, uint8 (N, 1, 28, 28), accumulated as a run accumulates them: 60,000 at a time."""
    say = accumulate(lambda index, model: random_images(min(PAPER.generated, count - PAPER.generated * index)))
    heard: Images = random_images(min(PAPER.generated, count))
    for index in range(1, -(-count // PAPER.generated)):
        heard = say(index, heard, torch.nn.Identity())
    return heard


def random_images(count: int) -> torch.Tensor:
    """Bytes that the machine must really keep; zeros would take no memory."""
    return torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)


def peak_rss_mb() -> float:
    """The most memory that this process has held, in megabytes (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone; ru_maxrss counts what the process was before it started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@cache
def held(count: int, filters: int, batch: int) -> Entry:
    """`hold`, in a new process, once for every size. Raises OSError if that fails."""
    sizes = [count, filters, batch, torch.get_num_threads()]
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", CODE, *map(str, sizes)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"holding {count} images failed ({done.stderr.strip()[-200:]}): free memory and try again")
    return {"images": count, **json.loads(done.stdout)}


def peak(subject: Subject) -> Entry:
    """Peak memory of a training process at the end of the paper's run."""
    measured = held(subject.plan.most, subject.plan.filters, subject.plan.batch)
    value = measured["peak_rss_mb"]
    return {"value": value, "unit": "MB", "runs_unit": "MB", "runs": {"fast": [value]}, **measured}


def table(subject: Subject, step: Entry, sampling: Entry) -> list[Entry]:
    """One iteration at several sizes of the accumulated set, from the medians of a step and of an image sampled."""
    plan = subject.plan
    return [row(held(count, plan.filters, plan.batch), plan, step, sampling) for count in plan.counts]


def row(measured: Entry, plan: Plan, step: Entry, sampling: Entry) -> Entry:
    """Seconds of a whole training and of 60,000 images sampled are never run: they are medians times counts."""
    steps = PAPER.epochs * -(-measured["images"] // plan.batch)
    per_image = {"fast": sampling["fast"] / sampling["images"], "plain": sampling["plain"] / sampling["images"]}
    entry: Entry = {**{f"{key}_measured": value for key, value in measured.items() if key != "images"}}
    for side in ("fast", "plain"):
        training, saying = steps * step[side], PAPER.generated * per_image[side]
        entry |= {
            f"{side}_training_h_extrapolated": training / 3600,
            f"{side}_sampling_h_extrapolated": saying / 3600,
            f"{side}_iteration_h_extrapolated": (training + saying) / 3600,
        }
    return {"images": measured["images"], "training_steps": steps, "generated": PAPER.generated, **entry}
