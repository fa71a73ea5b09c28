"""Hallucinating images from noise by repeated reconstruction: one picture as a stream, or a whole data set as bytes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import precision
from ..options import choose
from ..seeds import Noise
from .iterate import settle, settle_together
from .tone import match_tones, stretch


@dataclass(frozen=True)
class Sampling:
    """How noise becomes an image. The defaults are the paper's (section 3), with the stop taken per image.

    stop: "each" image by itself, or the whole "batch" together, as published.
    finish: "none", "stretch" the picture so that its brightest pixel is 1, or give it the "tone" of the data, a curve.
    """

    tol: float = 1e-3
    limit: int = 100  # passes at most
    stop: str = "each"
    finish: str = "none"
    tone: tuple[float, ...] = ()  # brightness at evenly spaced ranks of pixels: `tone_curve(images)`

    def __post_init__(self) -> None:
        choose("stop", self.stop, ["each", "batch"])
        choose("finish", self.finish, ["none", "stretch", "tone"])
        object.__setattr__(self, "tone", tuple(self.tone))  # JSON gives a list
        if self.limit < 1 or self.tol < 0:
            raise ValueError(f"limit {self.limit}, tol {self.tol}: at least one pass, and no negative tolerance")

    def stream(self, model: nn.Module, x: Tensor) -> Iterator[Tensor]:
        """Every state from the start x (B, C, H, W) to the last, each a picture in [0, 1].

        Raises ValueError if the finish is "tone" and no curve is given.
        """
        if self.finish == "tone" and len(self.tone) < 2:
            raise ValueError("finish is tone, but there is no tone curve: give tone=tone_curve(images)")
        states = (settle if self.stop == "each" else settle_together)(model, x, tol=self.tol, limit=self.limit)
        return map(self._finish, states)

    def _finish(self, x: Tensor) -> Tensor:
        if self.finish == "tone":
            return match_tones(x, self.tone)
        return stretch(x) if self.finish == "stretch" else x


@dataclass(frozen=True)
class Hallucination:
    """A data set drawn from noise: images uint8 (N, C, H, W), and after how many passes each stood still, (N,)."""

    images: Tensor
    passes: Tensor


def hallucinate(
    model: nn.Module,
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    chunk: int = 50,
    on_images: Callable[[int], object] = lambda count: None,
) -> Hallucination:
    """One image per seed, on the CPU. on_images hears how many more are done.

    Runs in the processor's fast arithmetic; `Sampling.stream` alone is exact float32.
    """
    device = next(model.parameters()).device
    images = [torch.empty(0, *model.image_shape, dtype=torch.uint8)]  # type: ignore[misc]
    passes = [torch.empty(0, dtype=torch.long)]
    for start in range(0, len(seeds), chunk):
        noise = Noise(seeds[start : start + chunk]).rand(*model.image_shape).to(device)  # type: ignore[misc]
        with precision.fast(device):
            final, count = _watch(sampling.stream(model, noise))
        images.append(to_bytes(final))
        passes.append(count.cpu())
        on_images(len(noise))
    return Hallucination(torch.cat(images), torch.cat(passes))


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
