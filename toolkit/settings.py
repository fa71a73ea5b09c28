"""How noise becomes an image, in plain values: what the config.json of an experiment says of it. Needs no torch."""

from dataclasses import dataclass

from .options import choose


@dataclass(frozen=True)
class Settings:
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
