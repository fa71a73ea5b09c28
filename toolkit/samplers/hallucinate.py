"""Hallucinating images from noise by repeated reconstruction: one picture as a stream, or a whole data set as bytes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import precision, processes
from ..seeds import Noise
from ..settings import Settings
from .iterate import last, settle, settle_together
from .tone import match_tones, stretch


@dataclass(frozen=True)
class Sampling(Settings):
    """How noise becomes an image: `Settings`, put to work."""

    def stream(self, model: nn.Module, x: Tensor) -> Iterator[Tensor]:
        """Every state from the start x (B, C, H, W) to the last, each a picture in [0, 1].

        Raises ValueError if the finish is "tone" and no curve is given.
        """
        return map(self.finished, self.states(model, x))

    def final(self, model: nn.Module, x: Tensor) -> Tensor:
        """The last state of the stream alone, at less expense."""
        return self.finished(last(self.states(model, x)))

    def states(self, model: nn.Module, x: Tensor) -> Iterator[Tensor]:
        """The stream as the model makes it, its pictures not finished yet."""
        if self.finish == "tone" and len(self.tone) < 2:
            raise ValueError("finish is tone, but there is no tone curve: give tone=tone_curve(images)")
        return (settle if self.stop == "each" else settle_together)(model, x, tol=self.tol, limit=self.limit)

    def finished(self, x: Tensor) -> Tensor:
        """A state as the picture that is shown, or learned from: (B, C, H, W) in [0, 1] -> same."""
        if self.finish == "tone":
            return match_tones(x, self.tone)
        return stretch(x) if self.finish == "stretch" else x


@dataclass(frozen=True)
class Hallucination:
    """A data set drawn from noise: images uint8 (N, C, H, W), and after how many passes each stood still, (N,)."""

    images: Tensor
    passes: Tensor


CHUNK = {"cpu": 50, "cuda": 4096}  # images at once: what stays in a processor's cache, what fills a GPU


def chunk_for(device: torch.device) -> int:
    """How many images are best computed at once on a device."""
    return CHUNK.get(device.type, CHUNK["cpu"])


def hallucinate(
    model: nn.Module,
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    chunk: int | None = None,
    on_images: Callable[[int], object] = lambda count: None,
) -> Hallucination:
    """One image per seed, on the CPU. on_images hears how many more are done; chunk: how many at once, or `chunk_for`.

    Runs in the processor's fast arithmetic; `Sampling.stream` alone is exact float32. Several processes call this
    together: each computes some of the chunks and all get all images. The chunks are the same for any number of
    processes, and so are the images, even where arithmetic rounds with the size of what it computes at once.
    """
    device = next(model.parameters()).device
    size = chunk or chunk_for(device)
    chunks = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    images = [torch.empty(0, *model.image_shape, dtype=torch.uint8)]  # type: ignore[misc]
    passes = [torch.empty(0, dtype=torch.long)]
    left = len(seeds)
    with precision.repeatable():
        for number in processes.cut(len(chunks))[processes.rank()]:
            noise = Noise(chunks[number]).rand(*model.image_shape).to(device)  # type: ignore[misc]
            with precision.fast(device):
                final, count = _watch(sampling.states(model, noise))
            images.append(to_bytes(sampling.finished(final)))
            passes.append(count.cpu())
            done = min(len(noise) * processes.world(), left)  # the others are about as far
            left -= done
            on_images(done)
    result = Hallucination(processes.gather(torch.cat(images)), processes.gather(torch.cat(passes)))
    if left:
        on_images(left)
    return result


def _watch(stream: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """The last state, and for each image the last pass that changed it."""
    state = next(stream)
    passes = torch.zeros(len(state), dtype=torch.long, device=state.device)
    for index, following in enumerate(stream, start=1):
        passes[(following != state).flatten(1).any(1)] = index
        state = following
    return state, passes


def to_bytes(x: Tensor) -> Tensor:
    """Images in [0, 1] -> uint8 on the CPU, rounded to the nearest of 256 levels."""
    return (x.clamp(0, 1) * 255).round().byte().cpu()
