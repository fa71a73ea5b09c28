"""How noise becomes an image, in plain values: what the config.json of an experiment says of it. Needs no torch."""

from dataclasses import dataclass

from .options import choose


@dataclass(frozen=True)
class Settings:
    """How noise becomes an image. The defaults are the paper's (section 3), with the stop taken per image.

    stop: "each" image by itself, or the whole "batch" together, as published.
    finish: "none", "stretch" the picture so that its brightest pixel is 1, or give it the "tone" of the data, a curve.
    ink: after each pass a moving threshold leaves this share of the values white and the others black (`refine`).
    salt: before each pass this share of the values becomes black or white by chance.
    """

    tol: float = 1e-3
    limit: int = 100  # passes at most
    stop: str = "each"
    finish: str = "none"
    tone: tuple[float, ...] = ()  # brightness at evenly spaced ranks of pixels: `tone_curve(images)`
    ink: float | None = None
    salt: float | None = None

    def __post_init__(self) -> None:
        choose("stop", self.stop, ["each", "batch"])
        choose("finish", self.finish, ["none", "stretch", "tone"])
        object.__setattr__(self, "tone", tuple(self.tone))  # JSON gives a list
        if self.limit < 1 or self.tol < 0:
            raise ValueError(f"limit {self.limit}, tol {self.tol}: at least one pass, and no negative tolerance")
        for name, share in (("ink", self.ink), ("salt", self.salt)):
            if share is not None and not 0 < share < 1:
                raise ValueError(f"{name} is {share}: give a share of the pixels, over 0 and under 1, or none")
