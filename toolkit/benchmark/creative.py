"""Creative decoding: pictures redrawn with neurons switched on, against a loop over the codes written by hand."""

import torch
from torch import Tensor, nn

from ..models import VAE, create
from ..samplers.activation import Statistics, activation_statistics, codes
from ..samplers.creative import Creative, band_of, creative_decode
from ..seeds import Noise, child
from ..train import Shuffled, fit
from . import plain
from .plan import Subject
from .timing import Entry, alternate, clock_of

HOW = Creative()  # low-active, five neurons


def redraw(subject: Subject) -> Entry:
    """Pairs of pictures, regular and low-active, for new codes: what a turned knob asks of a page."""
    plan = subject.plan
    model, statistics = trained(subject)
    seeds = range(plan.pairs)
    z = Noise(seeds).randn(*model.code_shape).to(plan.device)
    pair = alternate(
        lambda: by_hand(model, statistics, z, torch.rand(plan.pairs, len(statistics.active), device=plan.device)),
        lambda: creative_decode(model, z, statistics, seeds, HOW),
        runs=plan.runs,
        clock=clock_of(plan.device),
    )
    return pair.milliseconds(pairs=plan.pairs, neurons=HOW.neurons, of=len(statistics.active))


def trained(subject: Subject) -> tuple[VAE, Statistics]:
    """The published decoder after a short training, and what the neurons of its last hidden layer do."""
    plan, images = subject.plan, subject.images
    options, batch = plan.others["VAE"]
    seed = child(plan.seed, "creative")
    model = create("VAE", options, seed=seed).to(plan.device)
    assert isinstance(model, VAE)
    model = fit(model, Shuffled(images, batch, seed), steps=plan.trained)
    return model, activation_statistics(model, codes(model, images))


def by_hand(model: VAE, statistics: Statistics, z: Tensor, lots: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures of every code. lots: (B, K), the first neuron of a code is the candidate with the highest."""
    where = max(index for index, layer in enumerate(model.decoder) if isinstance(layer, nn.ReLU))
    value = statistics.mean + HOW.deviations * statistics.std
    able = band_of(statistics, HOW)
    off_and_on = plain.switch_on(model.decoder, where, z, able, statistics.correlation, value, lots, HOW.neurons)
    return plain.decode(model.decoder, z), off_and_on
