"""Hallucinating images from noise by repeated reconstruction: one picture as a stream, or a whole data set as bytes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import precision, processes
from ..seeds import Noise
from ..settings import Settings
from .iterate import Step, last, settle, settle_in_turn, settle_together
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

    def settled(self, step: Step, starts: Tensor, at_once: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The last states alone, not finished yet, as they come: which, (M, C, H, W), after how many passes.

        With stop "batch", `at_once` images are a batch.
        """
        self._check()
        if self.stop == "each":
            yield from settle_in_turn(step, starts, at_once=at_once, tol=self.tol, limit=self.limit)
            return
        for which in torch.arange(len(starts), device=starts.device).split(at_once):
            *states, final = settle_together(step, starts[which], tol=self.tol, limit=self.limit)
            yield which, final, torch.full_like(which, len(states))

    def states(self, model: nn.Module, x: Tensor) -> Iterator[Tensor]:
        """The stream as the model makes it, its pictures not finished yet."""
        self._check()
        return (settle if self.stop == "each" else settle_together)(model, x, tol=self.tol, limit=self.limit)

    def finished(self, x: Tensor) -> Tensor:
        """A state as the picture that is shown, or learned from: (B, C, H, W) in [0, 1] -> same."""
        if self.finish == "tone":
            return match_tones(x, self.tone)
        return stretch(x) if self.finish == "stretch" else x

    def _check(self) -> None:
        if self.finish == "tone" and len(self.tone) < 2:
            raise ValueError("finish is tone, but there is no tone curve: give tone=tone_curve(images)")


@dataclass(frozen=True)
class Hallucination:
    """A data set drawn from noise: images uint8 (N, C, H, W), and after how many passes each stopped, (N,)."""

    images: Tensor
    passes: Tensor


AT_ONCE = {"cpu": 100, "cuda": 4096}  # images: what stays in a processor's cache, what fills a GPU
CHUNK = {"cpu": 1000, "cuda": 16384}  # images of one stream through that room, long enough to keep it full


def chunk_for(device: torch.device) -> int:
    """How many images are best drawn in one go on a device."""
    return CHUNK.get(device.type, CHUNK["cpu"])


def hallucinate(
    model: nn.Module,
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    chunk: int | None = None,
    on_images: Callable[[int], object] = lambda count: None,
) -> Hallucination:
    """One image per seed, on the CPU. on_images hears how many more are done; chunk: see below, by default `chunk_for`.

    Runs in the processor's fast arithmetic; `Sampling.stream` alone is exact float32. Several processes call this
    together: each computes some of the chunks and all get all images. The chunks are the same for any number of
    processes, and so are the images, even where arithmetic rounds with the size of what it computes at once.
    """
    device = next(model.parameters()).device
    size = chunk or chunk_for(device)
    chunks = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    mine = [chunks[number] for number in processes.cut(len(chunks))[processes.rank()]]
    heard = _Share(len(seeds), on_images)
    with precision.repeatable():
        drawn = [_draw(model, some, sampling, heard) for some in mine]
    empty = Hallucination(torch.empty(0, *_shape(model), dtype=torch.uint8), torch.empty(0, dtype=torch.long))
    images, passes = zip(*((each.images, each.passes) for each in [empty, *drawn]), strict=True)
    result = Hallucination(processes.gather(torch.cat(images)), processes.gather(torch.cat(passes)))
    heard.rest()
    return result


def _draw(
    model: nn.Module, seeds: Sequence[int], sampling: Sampling, on_images: Callable[[int], object]
) -> Hallucination:
    """One chunk."""
    device = next(model.parameters()).device
    starts = Noise(seeds).rand(*_shape(model)).to(device)
    images = torch.empty(starts.shape, dtype=torch.uint8)
    passes = torch.empty(len(seeds), dtype=torch.long)
    for which, final, count in sampling.settled(_quickly(model), starts, AT_ONCE.get(device.type, AT_ONCE["cpu"])):
        images[which.cpu()], passes[which.cpu()] = to_bytes(sampling.finished(final)), count.cpu()
        on_images(len(which))
    return Hallucination(images, passes)


def _quickly(model: nn.Module) -> Step:
    """The model as a step in fast arithmetic."""
    device = next(model.parameters()).device

    def step(x: Tensor) -> Tensor:
        with precision.fast(device):
            y: Tensor = model(x)
        return y

    return step


def _shape(model: nn.Module) -> tuple[int, int, int]:
    shape: tuple[int, int, int] = model.image_shape  # type: ignore[assignment]
    return shape


class _Share:
    """What is heard of several processes' progress by one of them: the others are taken to be about as far."""

    def __init__(self, left: int, on_images: Callable[[int], object]) -> None:
        self.left, self.on_images = left, on_images

    def __call__(self, count: int) -> None:
        done = min(count * processes.world(), self.left)
        self.left -= done
        self.on_images(done)

    def rest(self) -> None:
        if self.left:
            self(self.left)


def to_bytes(x: Tensor) -> Tensor:
    """Images in [0, 1] -> uint8 on the CPU, rounded to the nearest of 256 levels."""
    return (x.clamp(0, 1) * 255).round().byte().cpu()
