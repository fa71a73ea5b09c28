"""Images from noise: by iterated reconstruction, or from codes; and the correction of their brightness.

A reconstruction is dimmer or brighter than its input. When it becomes training data that error feeds back from one
iteration to the next; earlier code has several corrections of the kind, min-max and a fixed share of ink.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import distributed, train
from ..config import SamplingSettings
from ..seeds import Noise
from .iterate import Perturb, Step, last, moving_threshold, salt_before_passes, settle, settle_in_turn, unperturbed


@dataclass(frozen=True)
class Sampling(SamplingSettings):
    """How noise becomes an image. Methods raise ValueError if the finish is "tone" and there is no curve."""

    @staticmethod
    def of(settings: SamplingSettings) -> "Sampling":
        """These settings."""
        return Sampling(**vars(settings))

    def stream(self, model: Step, x: Tensor) -> Iterator[Tensor]:
        """Every state from the start x (B, C, H, W) to the last, in [0, 1]."""
        return map(self.finished, self.states(model, x))

    def final(self, model: Step, x: Tensor) -> Tensor:
        """The last state of the stream."""
        return self.finished(last(self.states(model, x)))

    def trajectory(self, model: nn.Module, seeds: Iterable[int]) -> Iterator[Tensor]:
        """The stream of images (B, C, H, W) from noise to the last, one image per seed, in exact float32.

        A model that draws from codes (`generates`) needs no passes: its stream is the one image it draws.
        """
        if generates(model):
            return iter([self.sample(model, seeds)])
        return self.stream(model, _starts(model, seeds))

    @torch.no_grad()
    def sample(self, model: nn.Module, seeds: Iterable[int]) -> Tensor:
        """The last images of `trajectory`, (B, C, H, W), at less expense."""
        if generates(model):
            return self.finished(model.sample(Noise(seeds)))  # type: ignore[operator]
        return self.final(model, _starts(model, seeds))

    def final_states(self, step: Step, starts: Tensor, at_once: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The last states, not `finished`, in any order: rows of starts (M,), (M, C, H, W), passes (M,).

        With stop "batch", `at_once` images are a batch.
        """
        if self.stop == "each":
            step, perturb = self._prepared(step, starts)
            yield from settle_in_turn(step, starts, at_once=at_once, tol=self.tol, limit=self.limit, perturb=perturb)
            return
        for which in torch.arange(len(starts), device=starts.device).split(at_once):
            *states, final = self.states(step, starts[which])
            yield which, final, torch.full_like(which, len(states))

    def finished(self, x: Tensor) -> Tensor:
        """A state with its brightness corrected: (B, C, H, W) in [0, 1] -> same."""
        if self.finish == "tone":
            return match_histogram(x, self.tone)
        return stretch(x) if self.finish == "stretch" else x

    def states(self, step: Step, x: Tensor) -> Iterator[Tensor]:
        """The stream of states that are not `finished`."""
        step, perturb = self._prepared(step, x)
        return settle(step, x, tol=self.tol, limit=self.limit, perturb=perturb, together=self.stop == "batch")

    def _prepared(self, step: Step, starts: Tensor) -> tuple[Step, Perturb]:
        """The step with its threshold, if it has one, and the noise before it."""
        if self.finish == "tone" and len(self.tone) < 2:
            raise ValueError("finish is tone, but there is no curve: give tone=brightness_curve(images)")
        ink = self.ink
        perturb = unperturbed if self.salt is None else salt_before_passes(starts, self.salt)
        return step if ink is None else lambda x: moving_threshold(step(x), ink), perturb


@dataclass(frozen=True)
class Samples:
    """Images from noise, uint8 (N, C, H, W), and after how many passes each stopped, (N,); 0 if drawn from a code."""

    images: Tensor
    passes: Tensor


AT_ONCE = {"cpu": 100, "cuda": 4096}  # images: what stays in a processor's cache, what fills a GPU
CHUNK = {"cpu": 1000, "cuda": 16384}  # images of one stream through that room, long enough to keep it full


def chunk_for(device: torch.device) -> int:
    """The best number of images to draw at once on a device."""
    return CHUNK.get(device.type, CHUNK["cpu"])


def generate(
    model: nn.Module,
    seeds: Sequence[int],
    sampling: SamplingSettings,
    *,
    chunk: int | None = None,
    on_images: Callable[[int], object] = lambda count: None,
) -> Samples:
    """One image per seed, on the CPU. on_images(count): called as images are done; chunk: by default `chunk_for`.

    Runs in the processor's fast arithmetic; `Sampling.stream` alone is exact float32. Several processes call this
    together: each computes some of the chunks and all get all images, the same for any number of processes.
    """
    size = chunk or chunk_for(next(model.parameters()).device)
    chunks = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    mine = [chunks[number] for number in distributed.shards(len(chunks))[distributed.rank()]]
    left = len(seeds)

    def report(count: int) -> None:  # the other processes are assumed to be about as far
        nonlocal left
        done = min(count * distributed.world(), left)
        left -= done
        on_images(done)

    with train.deterministic():
        drawn = [_draw(model, some, Sampling.of(sampling), report) for some in mine]
    shape: tuple[int, int, int] = model.image_shape  # type: ignore[assignment]
    images = torch.cat([torch.empty(0, *shape, dtype=torch.uint8), *(some.images for some in drawn)])
    passes = torch.cat([torch.empty(0, dtype=torch.long), *(some.passes for some in drawn)])
    result = Samples(distributed.all_gather(images), distributed.all_gather(passes))
    if left:
        report(left)
    return result


def _draw(model: nn.Module, seeds: Sequence[int], sampling: Sampling, report: Callable[[int], object]) -> Samples:
    """One chunk."""
    device = next(model.parameters()).device
    images = torch.empty(len(seeds), *model.image_shape, dtype=torch.uint8)  # type: ignore[misc]
    passes = torch.zeros(len(seeds), dtype=torch.long)
    at_once = AT_ONCE.get(device.type, AT_ONCE["cpu"])

    def step(x: Tensor) -> Tensor:
        with train.autocast(device):
            y: Tensor = model(x)
        return y

    def from_codes() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for which in torch.arange(len(seeds)).split(at_once):
            with torch.no_grad(), train.autocast(device):
                x = model.sample(Noise(seeds[row] for row in which.tolist()))  # type: ignore[operator]
            yield which, x, torch.zeros_like(which)

    drawn = from_codes() if generates(model) else sampling.final_states(step, _starts(model, seeds), at_once)
    for which, final, count in drawn:
        images[which.cpu()], passes[which.cpu()] = to_bytes(sampling.finished(final)), count.cpu()
        report(len(which))
    return Samples(images, passes)


def generates(model: nn.Module) -> bool:
    """Whether a model decodes its images from codes, and does not reconstruct them from noise."""
    return hasattr(model, "sample")


def _starts(model: nn.Module, seeds: Iterable[int]) -> Tensor:
    """Uniform noise on the model's device, (B, C, H, W)."""
    return Noise(seeds).rand(*model.image_shape).to(next(model.parameters()).device)  # type: ignore[misc]


def to_bytes(x: Tensor) -> Tensor:
    """Images in [0, 1] -> uint8 on the CPU, rounded to the nearest of 256 levels."""
    return (x.clamp(0, 1) * 255).round().byte().cpu()


def from_bytes(content: bytes | bytearray, *shape: int) -> Tensor:
    """The inverse, of bytes one after the other: uint8 of this shape. Raises RuntimeError where they do not fill it."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(*shape)


POINTS = 101  # of a brightness curve, one for each percentile of an image


def stretch(x: Tensor) -> Tensor:
    """Scale each image so that its brightest pixel is 1: (B, C, H, W) in [0, 1] -> same. A black image stays black."""
    peak = x.flatten(1).amax(1).clamp_min(1e-6)
    return x / peak[:, None, None, None]


def brightness_curve(images: Tensor) -> tuple[float, ...]:
    """The mean brightness at each percentile of an image, darkest first: uint8 (N, C, H, W) -> 101 numbers."""
    ranked = images.flatten(1).sort(1).values.double().mean(0) / 255  # (C * H * W,)
    ranks = torch.linspace(0, len(ranked) - 1, POINTS, dtype=torch.double)
    return tuple(round(value, 4) for value in _interpolated(ranked, ranks).tolist())


def match_histogram(x: Tensor, curve: Sequence[float]) -> Tensor:
    """Give every image the same histogram, by the rank of its pixels: (B, C, H, W) -> same, in [0, 1].

    curve: as `brightness_curve` gives it. Equal pixels stay equal, so a flat image stays flat.
    """
    flat = x.flatten(1)
    ordered = flat.sort(1).values
    below, upto = torch.searchsorted(ordered, flat), torch.searchsorted(ordered, flat, right=True)
    rank = (below + upto - 1) / 2 / max(flat.shape[1] - 1, 1)  # in [0, 1]; ties share the middle one
    tones = torch.as_tensor(curve, dtype=x.dtype, device=x.device)
    return _interpolated(tones, rank * (len(tones) - 1)).view_as(x)


def _interpolated(values: Tensor, at: Tensor) -> Tensor:
    """The values at fractional places, linearly interpolated."""
    floor = at.floor().long().clamp(0, len(values) - 2)
    return torch.lerp(values[floor], values[floor + 1], (at - floor).to(values.dtype))
