"""A small image classifier (after the one of the out-of-class studies, 2017), and batches with labels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..config import DIGITS, check_rate
from ..train import Objective
from .registry import ImageModel, check_positive, register


@dataclass(frozen=True, eq=False)
class LabelledBatch:
    """Images (B, C, H, W) in [0, 1] and their labels (B,), int64; moves to a device and is sliced like a tensor."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice) -> "LabelledBatch":
        return LabelledBatch(self.images[rows], self.labels[rows])

    def to(self, device: torch.device) -> "LabelledBatch":
        return LabelledBatch(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class LabelledBatches:
    """A labelled data set as endless shuffled batches; iterating twice gives the same order, on every device.

    images: uint8 (N, C, H, W); labels: int64 (N,), from 0. The last batch of an epoch may be smaller.
    Raises ValueError unless there is one label for each image, or for a label outside of the names.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...] = DIGITS  # of the classes
    batch: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images have {len(self.labels)} labels: give one for each")
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.names):
            raise ValueError(
                f"labels from {self.labels.min()} to {self.labels.max()} are not in 0 to {len(self.names) - 1}: "
                f"give a name for each"
            )

    def __iter__(self) -> Iterator[LabelledBatch]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            order = torch.randperm(len(self.images), generator=generator).to(self.images.device)
            for rows in order.split(self.batch):
                yield LabelledBatch(self.images[rows].float() / 255, self.labels[rows])

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.images) // self.batch)

    def on(self, device: torch.device) -> "LabelledBatches":
        """The same batches in the same order, drawn on the device from the bytes there."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


@register
class Judge(ImageModel):
    """A convolutional classifier of images.

    Three 3x3 convolutions of 64, 128 and 256 filters, each followed by PReLU and a maximum over 2x2 pixels; a layer of
    1024 with dropout, and a softmax over the classes. It learns from `LabelledBatch`.
    """

    @dataclass(frozen=True)
    class Config:
        classes: tuple[str, ...] = DIGITS  # their names, in the order of the labels
        channels: int = 1
        size: int = 28  # pixels
        filters: int = 64  # of the first convolution; each has twice as many as the one before
        depth: int = 3  # convolutions
        hidden: int = 1024
        dropout: float = 0.5
        lr: float = 1e-3

        def __post_init__(self) -> None:
            object.__setattr__(self, "classes", tuple(self.classes))  # JSON gives a list
            if len(self.classes) < 2 or not all(type(name) is str for name in self.classes):
                raise ValueError(f"classes is {self.classes}: give the names of two or more")
            check_positive(self, "channels", "size", "filters", "depth", "hidden")
            if self.depth > 30 or self.size < 2**self.depth:
                raise ValueError(f"images of {self.size} pixels cannot be halved {self.depth} times: give larger ones")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}: give a share from 0 to under 1")
            check_rate(self.lr)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config
        widths = [c.channels, *[c.filters * 2**i for i in range(c.depth)]]
        self.body = nn.Sequential(
            *chain.from_iterable(
                (nn.Conv2d(a, b, 3, padding=1), nn.PReLU(), nn.MaxPool2d(2)) for a, b in pairwise(widths)
            ),
            nn.Flatten(),
            nn.Linear(widths[-1] * (c.size // 2**c.depth) ** 2, c.hidden),
            nn.PReLU(),
        )
        self.head = nn.Sequential(nn.Dropout(c.dropout), nn.Linear(c.hidden, len(c.classes)))
        self.to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer: images (B, C, H, W) in [0, 1] -> (B, hidden), float32."""
        return self.body(x).float()

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> logits of the classes, (B, K), float32."""
        return self.head(self.body(x)).float()

    def probabilities(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] -> the probability of each class, (B, K)."""
        return self(x).softmax(1)

    def loss(self, batch: LabelledBatch) -> Tensor:
        """Cross-entropy with the labels, averaged over the batch: -> ()."""
        return cross_entropy(self(batch.images), batch.labels)

    def objectives(self) -> dict[str, Objective]:
        return {"names": Objective(self.loss, list(self.parameters()), lr=self.config.lr)}
