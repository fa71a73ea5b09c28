"""What is measured in processes of their own: importing, memory, and what an iteration costs as images accumulate.

Memory is that of a training that holds so many images, accumulated as a run does it, and takes steps. Whole trainings
are extrapolated: medians times counts.
"""

import json
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ..iterated_learning import accumulate
from ..models import create
from ..pieces import Images
from ..presets import FIGURES
from ..train import Shuffled, fit
from .timing import Entry, Plan, Subject, entry, stopwatch

ROOT = Path(__file__).resolve().parents[2]
PAPER = FIGURES["fig2"]  # 60,000 images generated an iteration, 15 epochs over all of them
DRAWN = 20  # batches
IMPORT = """import json, time
clock = [time.perf_counter()]
import torch; clock.append(time.perf_counter())
import toolkit; [getattr(toolkit, name) for name in toolkit.__all__]; clock.append(time.perf_counter())
print(json.dumps([after - before for before, after in zip(clock, clock[1:])]))"""
HOLD = f"import sys; from {__name__} import hold; sys.stdout.write(hold(*map(int, sys.argv[1:])))"


def importing(subject: Subject) -> Entry:
    """`import toolkit` and every public name, after torch, in a new process each; beside it torch's own import."""
    torch_s, added = zip(*(_process(IMPORT) for _ in range(subject.plan.launches)), strict=True)
    return entry({"fast": list(added), "torch": list(torch_s)}, "s")


def peak(subject: Subject) -> Entry:
    """Peak memory, in 10^6 bytes, of a training process at the end of the paper's run."""
    runs = [_held(subject.plan.most, subject.plan) for _ in range(subject.plan.launches)]
    return entry({"fast": [each["peak_rss_mb"] for each in runs]}, "MB", images=subject.plan.most, each=runs)


def table(subject: Subject) -> list[Entry]:
    """One iteration at several sizes of the accumulated set; extrapolated from what was measured before, if it was."""
    return [row(_held(count, subject.plan), subject) for count in subject.plan.counts]


def row(measured: Entry, subject: Subject) -> Entry:
    """What was measured of one size, and hours of a whole training by the published rule and 60,000 images sampled."""
    steps = PAPER.epochs * -(-measured["images"] // subject.plan.batch)
    found: Entry = {"images": measured["images"], "training_steps": steps, "generated": PAPER.generated}
    found |= {f"{key}_measured": value for key, value in measured.items() if key != "images"}
    step, sampling = subject.result.get("train_step_published", {}), subject.result.get("sampling", {}).get("fixed")
    for side in ("fast", "plain") if _measured(step, sampling) else ():
        training, sampled = steps * step[side], PAPER.generated * sampling[side] / sampling["images"]
        found |= {
            f"{side}_training_h_extrapolated": training / 3600,
            f"{side}_sampling_h_extrapolated": sampled / 3600,
            f"{side}_iteration_h_extrapolated": (training + sampled) / 3600,
        }
    return found


def _measured(*entries: Entry | None) -> bool:
    """Whether all were measured."""
    return all(each and "fast" in each for each in entries)


def hold(count: int, filters: int, batch: int, threads: int) -> str:
    """Accumulate images and train on them in this process; what it took, as JSON. Meant for a process of its own."""
    torch.set_num_threads(threads)
    model, batches = create("WTA", {**PAPER.model, "filters": filters}, seed=0), Shuffled(_grow(count), batch)
    drawn = iter(batches)
    shuffle = stopwatch(partial(next, drawn))  # the first batch waits for the order of the whole epoch
    draws = [stopwatch(partial(next, drawn)) for _ in range(DRAWN)]
    fit(model, islice(batches, 2), steps=2)
    return json.dumps({
        "shuffle_ms": 1000 * shuffle, "batch_ms": 1000 * median(draws), "batch_ms_spread": max(draws) / min(draws),
        "peak_rss_mb": peak_rss_mb(),
    })  # fmt: skip


def _grow(count: int) -> Images:
    """So many random images, uint8 (N, 1, 28, 28), accumulated as a run accumulates them: 60,000 at a time."""
    add = accumulate(lambda index, model: _random_images(min(PAPER.generated, count - PAPER.generated * index)))
    images: Images = _random_images(min(PAPER.generated, count))
    for index in range(1, -(-count // PAPER.generated)):
        images = add(index, images, torch.nn.Identity())
    return images


def _random_images(count: int) -> torch.Tensor:
    """Bytes that the machine must really keep; zeros would take no memory."""
    return torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)


def peak_rss_mb() -> float:
    """The most memory that this process has held, in megabytes (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone; ru_maxrss counts what the process was before it started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def _held(count: int, plan: Plan) -> Entry:
    """`hold`, in a new process."""
    return {"images": count, **_process(HOLD, count, plan.filters, plan.batch, torch.get_num_threads())}


def _process(code: str, *arguments: object) -> Any:
    """What Python code prints as JSON, in a new process. Raises OSError, one sentence, if it fails."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"a process of its own failed ({done.stderr.strip()[-200:]}): free memory and try again")
    return json.loads(done.stdout)
