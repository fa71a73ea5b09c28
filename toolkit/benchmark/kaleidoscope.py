"""Kaleidoscopic runs: many starts through a deep network again and again, against the loop one writes by hand."""

from itertools import islice

from torch import Tensor

from ..models import Manifold, create
from ..models.folded import folded
from ..samplers.iterate import last
from ..samplers.kaleidoscope import kaleidoscope
from ..seeds import Noise
from . import plain
from .plan import Plan, Subject
from .timing import Entry, alternate, clock_of


def runs(subject: Subject) -> Entry:
    """All starts through all runs, noise included. The network has drawn its weights only: it costs what any does."""
    plan = subject.plan
    model = create("Manifold", plan.others["Manifold"][0], seed=plan.seed).to(plan.device)
    assert isinstance(model, Manifold)
    start = Noise(range(plan.starts)).rand(*model.image_shape).to(plan.device)
    pair = alternate(
        lambda: plain.kaleidoscope(model.net, start, plan.kaleidoscope_runs, 0.01),
        lambda: fast(model, plan),
        runs=plan.sampling_runs,
        warm_ups=0,
        clock=clock_of(plan.device),
    )
    return pair.seconds(starts=plan.starts, runs_of_each=plan.kaleidoscope_runs, layers=model.config.depth + 1)


def fast(model: Manifold, plan: Plan, perturbation: float = 0.01) -> Tensor:
    """The last images of the sampler, in the processor's fast arithmetic."""
    stream = kaleidoscope(
        folded(model).reconstruct,
        Noise(range(plan.starts)),
        model.image_shape,
        perturbation=perturbation,
        device=plan.device,
    )
    return last(islice(stream, plan.kaleidoscope_runs + 1))  # the start is the first of the stream
