"""Images from noise by iterated reconstruction, and their tones.

A reconstruction is dimmer or brighter than what it reconstructs. When it becomes training data that error feeds back
from one iteration to the next; earlier code has several corrections of the kind, min-max and a fixed share of ink.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import distributed, train
from ..config import SamplingSettings
from ..seeds import Noise
from .iterate import Disturb, Step, inked, last, salted, settle, settle_in_turn, settle_together, undisturbed


@dataclass(frozen=True)
class Sampling(SamplingSettings):
    """How noise becomes an image: `SamplingSettings`, put to work."""

    @staticmethod
    def of(settings: SamplingSettings) -> "Sampling":
        """The same settings, put to work."""
        return Sampling(**vars(settings))

    def stream(self, model: Step, x: Tensor) -> Iterator[Tensor]:
        """Every state from the start x (B, C, H, W) to the last, each a picture in [0, 1].

        Raises ValueError if the finish is "tone" and no curve is given.
        """
        return map(self.finished, self.states(model, x))

    def final(self, model: Step, x: Tensor) -> Tensor:
        """The last state of the stream alone, at less expense."""
        return self.finished(last(self.states(model, x)))

    def grow(self, model: nn.Module, seeds: Iterable[int]) -> Iterator[Tensor]:
        """The stream of pictures (B, C, H, W) from noise to the last, one image per seed, in exact float32.

        A model that draws from codes (`models.generative`) needs no passes: its stream is the one picture it draws.
        """
        return iter([self._drawn(model, seeds)]) if generates(model) else self.stream(model, _starts(model, seeds))

    def grown(self, model: nn.Module, seeds: Iterable[int]) -> Tensor:
        """The last pictures of `grow`, (B, C, H, W), at less expense."""
        return self._drawn(model, seeds) if generates(model) else self.final(model, _starts(model, seeds))

    def settled(self, step: Step, starts: Tensor, at_once: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The last states alone, not finished yet, as they come: which, (M, C, H, W), after how many passes.

        With stop "batch", `at_once` images are a batch.
        """
        self._check()
        step = self._step(step)
        if self.stop == "each":
            disturb = self._disturb(starts)
            yield from settle_in_turn(step, starts, at_once=at_once, tol=self.tol, limit=self.limit, disturb=disturb)
            return
        for which in torch.arange(len(starts), device=starts.device).split(at_once):
            *states, final = self._walk(step, starts[which])
            yield which, final, torch.full_like(which, len(states))

    def states(self, model: Step, x: Tensor) -> Iterator[Tensor]:
        """The stream as the model makes it, its pictures not finished yet."""
        self._check()
        return self._walk(self._step(model), x)

    def finished(self, x: Tensor) -> Tensor:
        """A state as the picture that is shown, or learned from: (B, C, H, W) in [0, 1] -> same."""
        if self.finish == "tone":
            return match_tones(x, self.tone)
        return stretch(x) if self.finish == "stretch" else x

    @torch.no_grad()
    def _drawn(self, model: nn.Module, seeds: Iterable[int]) -> Tensor:
        return self.finished(model.sample(Noise(seeds)))  # type: ignore[operator]

    def _walk(self, step: Step, x: Tensor) -> Iterator[Tensor]:
        walk = settle if self.stop == "each" else settle_together
        return walk(step, x, tol=self.tol, limit=self.limit, disturb=self._disturb(x))

    def _step(self, step: Step) -> Step:
        return step if self.ink is None else inked(step, self.ink)

    def _disturb(self, starts: Tensor) -> Disturb:
        return undisturbed if self.salt is None else salted(starts, self.salt)

    def _check(self) -> None:
        if self.finish == "tone" and len(self.tone) < 2:
            raise ValueError("finish is tone, but there is no tone curve: give tone=tone_curve(images)")


@dataclass(frozen=True)
class Hallucination:
    """A data set drawn from noise: images uint8 (N, C, H, W), and after how many passes each stopped, (N,).

    A model that draws from codes takes none: 0.
    """

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
    sampling: SamplingSettings,
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
    mine = [chunks[number] for number in distributed.shards(len(chunks))[distributed.rank()]]
    heard = _Share(len(seeds), on_images)
    with train.deterministic():
        drawn = [_draw(model, some, Sampling.of(sampling), heard) for some in mine]
    empty = Hallucination(torch.empty(0, *_shape(model), dtype=torch.uint8), torch.empty(0, dtype=torch.long))
    images, passes = zip(*((each.images, each.passes) for each in [empty, *drawn]), strict=True)
    result = Hallucination(distributed.all_gather(torch.cat(images)), distributed.all_gather(torch.cat(passes)))
    heard.rest()
    return result


def _draw(
    model: nn.Module, seeds: Sequence[int], sampling: Sampling, on_images: Callable[[int], object]
) -> Hallucination:
    """One chunk."""
    device = next(model.parameters()).device
    if generates(model):
        return _sampled(model, seeds, sampling, on_images)
    starts = _starts(model, seeds)
    images = torch.empty(starts.shape, dtype=torch.uint8)
    passes = torch.empty(len(seeds), dtype=torch.long)
    for which, final, count in sampling.settled(_quickly(model), starts, AT_ONCE.get(device.type, AT_ONCE["cpu"])):
        images[which.cpu()], passes[which.cpu()] = to_bytes(sampling.finished(final)), count.cpu()
        on_images(len(which))
    return Hallucination(images, passes)


@torch.no_grad()
def _sampled(
    model: nn.Module, seeds: Sequence[int], sampling: Sampling, on_images: Callable[[int], object]
) -> Hallucination:
    """One chunk of a model that draws from codes."""
    device, drawn = next(model.parameters()).device, list[Tensor]()
    size = AT_ONCE.get(device.type, AT_ONCE["cpu"])
    for start in range(0, len(seeds), size):
        noise = Noise(seeds[start : start + size])
        with train.autocast(device):
            drawn.append(to_bytes(sampling.finished(model.sample(noise))))  # type: ignore[operator]
        on_images(len(noise))
    return Hallucination(torch.cat(drawn), torch.zeros(len(seeds), dtype=torch.long))


def generates(model: nn.Module) -> bool:
    """Whether a model draws its images from codes, in one go, and is not asked to reconstruct them out of noise."""
    return hasattr(model, "sample")


def _quickly(model: nn.Module) -> Step:
    """The model as a step in fast arithmetic."""
    device = next(model.parameters()).device

    def step(x: Tensor) -> Tensor:
        with train.autocast(device):
            y: Tensor = model(x)
        return y

    return step


def _starts(model: nn.Module, seeds: Iterable[int]) -> Tensor:
    """Uniform noise on the model's device, (B, C, H, W)."""
    return Noise(seeds).rand(*_shape(model)).to(next(model.parameters()).device)


def _shape(model: nn.Module) -> tuple[int, int, int]:
    shape: tuple[int, int, int] = model.image_shape  # type: ignore[assignment]
    return shape


class _Share:
    """What is heard of several processes' progress by one of them: the others are taken to be about as far."""

    def __init__(self, left: int, on_images: Callable[[int], object]) -> None:
        self.left, self.on_images = left, on_images

    def __call__(self, count: int) -> None:
        done = min(count * distributed.world(), self.left)
        self.left -= done
        self.on_images(done)

    def rest(self) -> None:
        if self.left:
            self(self.left)


def to_bytes(x: Tensor) -> Tensor:
    """Images in [0, 1] -> uint8 on the CPU, rounded to the nearest of 256 levels."""
    return (x.clamp(0, 1) * 255).round().byte().cpu()


POINTS = 101  # a tone curve says the brightness at every percentile of an image


def stretch(x: Tensor) -> Tensor:
    """Scale each image so that its brightest pixel is 1: (B, C, H, W) in [0, 1] -> same. A black image stays black."""
    peak = x.flatten(1).amax(1).clamp_min(1e-6)
    return x / peak[:, None, None, None]


def tone_curve(images: Tensor) -> tuple[float, ...]:
    """The mean brightness at each percentile of an image, darkest first: uint8 (N, C, H, W) -> 101 numbers."""
    ranked = images.flatten(1).sort(1).values.double().mean(0) / 255  # (C * H * W,)
    ranks = torch.linspace(0, len(ranked) - 1, POINTS, dtype=torch.double)
    return tuple(round(value, 4) for value in _between(ranked, ranks).tolist())


def match_tones(x: Tensor, curve: Sequence[float]) -> Tensor:
    """Give every image the same tones, by the rank of its pixels: (B, C, H, W) -> same, in [0, 1].

    curve: as `tone_curve` gives it. Equal pixels stay equal, so a flat image stays flat.
    """
    flat = x.flatten(1)
    ordered = flat.sort(1).values
    below, upto = torch.searchsorted(ordered, flat), torch.searchsorted(ordered, flat, right=True)
    rank = (below + upto - 1) / 2 / max(flat.shape[1] - 1, 1)  # in [0, 1]; ties share the middle one
    tones = torch.as_tensor(curve, dtype=x.dtype, device=x.device)
    return _between(tones, rank * (len(tones) - 1)).view_as(x)


def _between(values: Tensor, at: Tensor) -> Tensor:
    """Linear interpolation: the values at fractional places."""
    floor = at.floor().long().clamp(0, len(values) - 2)
    return torch.lerp(values[floor], values[floor + 1], (at - floor).to(values.dtype))
