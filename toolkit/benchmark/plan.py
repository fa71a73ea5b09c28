"""How much of everything is measured: the whole, some minutes on two cores, or a quick look that only shows it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..models import WTA, create
from ..seeds import child
from ..train import Shuffled, fit

Sizes = Mapping[str, tuple[dict[str, Any], int]]  # a model's options, and how many images a batch of it has
OTHERS: Sizes = {"Manifold": ({}, 1000), "VAE": ({}, 128), "DCGAN": ({}, 100), "Judge": ({}, 128)}
TINY: Sizes = {
    "Manifold": ({"depth": 2, "width": 8}, 10), "VAE": ({"widths": (40, 40, 40), "z": 8}, 10),
    "DCGAN": ({"filters": 2, "z": 2}, 10), "Judge": ({"filters": 2}, 10),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The sizes of the work. The defaults are those of the paper where it has them: 128 filters, batches of 100."""

    seed: int = 0
    device: torch.device = torch.device("cpu")
    filters: int = 128
    batch: int = 100
    lr: float = 5e-4  # with the published 1e-3 hardly a picture stands still so early
    trained: int = 500  # fast steps that the network is given first: a fresh one has its winners in few places
    runs: int = 5  # of either side
    steps: int = 2  # training steps in a run
    images: int = 1000  # sampled to the stop rule
    plain_images: int = 50  # sampled by the plain version in a run; its time grows with their number, image by image
    passes: int = 100  # of the plain version, whatever the picture
    sampling_runs: int = 2
    symbols: int = 64
    starts: int = 1000  # of the kaleidoscope
    kaleidoscope_runs: int = 300
    pairs: int = 32  # of pictures that the creative decoder redraws
    counts: tuple[int, ...] = (10_000, 60_000, 300_000, 1_200_000)  # accumulated images of the growth table
    most: int = 1_260_000  # accumulated images at the end of the paper's run
    starts_of_the_app: int = 3
    others: Sizes = field(default_factory=lambda: OTHERS)  # models that `fit` trains as well
    curve_steps: int = 0  # of the plain and the fast loss curve over three seeds; 300 are most of an hour


QUICK = Plan(
    filters=4, batch=10, trained=3, runs=2, steps=1, images=20, plain_images=10, passes=3, sampling_runs=1, symbols=2,
    starts=10, kaleidoscope_runs=3, pairs=2, counts=(1000,), most=1000, starts_of_the_app=1,
    others=TINY,
)  # fmt: skip


class Subject:
    """What is measured: a plan, images uint8 (N, C, H, W), and the network, trained on them at its first use."""

    def __init__(self, plan: Plan, images: Tensor) -> None:
        self.plan = plan
        self.images = images
        self.batches = Shuffled(images, plan.batch, child(plan.seed, "shuffle"))

    def untrained(self, seed: int) -> WTA:
        _, channels, size, _ = self.images.shape
        options = {"channels": channels, "size": size, "filters": self.plan.filters, "lr": self.plan.lr}
        model = create("WTA", options, seed=seed).to(self.plan.device)
        assert isinstance(model, WTA)
        return model

    @cached_property
    def model(self) -> WTA:
        with torch.enable_grad():
            return fit(self.untrained(child(self.plan.seed, "init")), self.batches, steps=self.plan.trained)
