"""Training decoders whose seldom-active neurons are to be switched on: several from different seeds, resumable.

OUT/NAME/iter_001 holds the network of the first seed, iter_002 that of the next: model.safetensors,
statistics.safetensors, metrics.json, samples.png.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from .. import __version__, datasets, files, hub, plot
from ..metrics.reconstruction import encoder_distance
from ..models import create
from ..options import checked
from ..samplers import Creative, Statistics, activation_statistics, codes, hooked, layer_quantile, to_bytes
from ..samplers.activation import hidden_layer
from ..seeds import child
from ..store import Store, each_network, to_json
from ..train import Shuffled, fit, linear
from .presets import Training
from .stored import Trained, decode, load, read_statistics, write_statistics

PAIRS = 32  # on the sheet of a network: regular and low-active in turn


@dataclass(frozen=True)
class Trainer:
    """One preset, its data and the folder it lives in. images, held_out: uint8 (N, C, H, W), to train and test on."""

    training: Training
    images: Tensor
    held_out: Tensor
    out: Path
    device: str = "cpu"
    quiet: bool = False

    def __call__(self, networks: int = 1) -> Path:
        """Train the networks that are not stored yet, and return the folder of the experiment.

        Raises RunError or CheckpointError if something cannot be written or read, FloatingPointError if training fails.
        """
        return each_network(self.out, self.training, networks, self._network)

    def _network(self, store: Store, number: int) -> None:
        """One network and all about it. What is stored, in half precision, is what is measured."""
        t = self.training
        how = Creative(**checked("creative decoding", Creative, t.how))
        path = store.find(number, "model.safetensors") or self._train(store, number)
        model: Any = hub.load(path, device=self.device)
        statistics = self._statistics(model, number)
        write_statistics(store.draft(number) / "statistics.safetensors", statistics, how)
        store.put(number, "metrics.json", partial(self._metrics, model, statistics))
        trained = Trained(t.name, t.title, t.data, model, statistics, how)
        store.put(number, "samples.png", lambda: sheet(trained))

    def _train(self, store: Store, number: int) -> Path:
        t, losses = self.training, []
        seed = t.seed + number - 1
        _, channels, size, _ = self.images.shape
        model = create(t.architecture, {"channels": channels, "size": size, **t.model}, seed=child(seed, "init"))
        lessons = Shuffled(self.images, t.batch, child(seed, "shuffle"))
        with self._bar(f"{t.name} {number}: training", t.steps, "step") as bar:
            model = fit(
                model.to(self.device),
                lessons,
                steps=t.steps,
                on_step=lambda step, values: losses.append(_heard(bar, values)),
                decay=linear,
                seed=child(seed, "fit"),
            )
        facts = {"experiment": t.name, "iteration": number, "seed": seed, "scale": t.scale, "data": t.data}
        epochs = [mean(part) for part in _parts(losses, lessons.steps_per_epoch)]
        return store.put_model(number, model, **facts, steps=t.steps, losses=epochs, toolkit=__version__)

    def _statistics(self, model: Any, number: int) -> dict[int, Statistics]:
        """Of every hidden layer, over the mean codes of all training images; without an encoder, over the prior."""
        layers, source = range(1, len(model.hidden) + 1), "mean" if hasattr(model, "encode") else "prior"
        found = {}
        with self._bar(f"{self.training.name} {number}: neurons", len(layers), "layer") as bar:
            for layer in layers:
                threshold = self._threshold(model, layer, source)
                z = codes(model, self.images, source=source)
                found[layer] = activation_statistics(model, z, layer=layer, threshold=threshold)
                bar.update()
        return found

    def _threshold(self, model: Any, layer: int, source: str) -> float:
        """Over what a neuron is on: 0 for a unit. The largest of a channel's map is hardly ever 0, hence a quantile."""
        maps: list[bool] = []
        few = codes(model, self.images[:1000], source=source)
        with hooked(hidden_layer(model, layer)[1], lambda before, after: maps.append(after.ndim > 2)):
            model.decode(z := next(few))
        return layer_quantile(model, [z], self.training.silent, layer=layer) if maps[0] else 0.0

    def _metrics(self, model: Any, statistics: dict[int, Statistics]) -> bytes:
        row = {f"dead_{n}": s.dead.double().mean().item() for n, s in statistics.items()}
        for what, images in (("train", self.images), ("test", self.held_out)):
            if hasattr(model, "encode"):
                x = images[:: -(-len(images) // 5000)].to(self.device).float() / 255  # evenly: a joined set is in order
                with torch.no_grad(), torch.random.fork_rng([]):
                    torch.manual_seed(0)
                    row[f"loss_{what}"] = model.loss(x).item()
                row[f"distance_{what}"] = encoder_distance(model, x).mean().item()
        return to_json(row)

    def _bar(self, what: str, total: int, unit: str) -> "tqdm[Any]":
        return tqdm(total=total, desc=what, unit=unit, disable=self.quiet, dynamic_ncols=True)


def prepare(training: Training, out: Path, *, root: Path | None = None, **options: Any) -> Trainer:
    """A trainer on the data of a preset, read or downloaded. options: device, quiet. Raises what `load` does."""
    read = partial(datasets.load, training.data, root=root, size=training.size, color=training.color)
    images = read(limit=training.images).images
    parts = not any(kind in training.data for kind in ("sample:", "folder:"))
    held_out = read(split="test", limit=5000).images if parts else images
    return Trainer(training, images, held_out, out, **options)


def calibrate(out: Path, name: str, number: int, how: Creative) -> None:
    """Store calibrated settings with a network, and draw its sheet again."""
    folder = out / name / f"iter_{number:03d}"
    statistics, before = read_statistics(folder / "statistics.safetensors")
    if how != before:
        write_statistics(folder / "statistics.safetensors", statistics, how)
        hub.write_index(out)
        files.write(folder / "samples.png", sheet(load(out, name, iteration=number)))


def sheet(trained: Trained) -> bytes:
    """Pairs of one code as PNG: regular, and low-active beside it."""
    both = decode(trained, range(PAIRS))
    return plot.png(to_bytes(torch.stack([both.regular, both.images], 1).flatten(0, 1)), columns=16)


def _parts(values: list[float], length: int) -> list[list[float]]:
    return [values[start : start + length] for start in range(0, len(values), length)]


def _heard(bar: "tqdm[Any]", losses: dict[str, float]) -> float:
    loss = sum(losses.values())
    bar.set_postfix(loss=f"{loss:.1f}", refresh=False)
    bar.update()
    return loss
