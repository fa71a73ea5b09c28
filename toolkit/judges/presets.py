"""One preset per judge of the out-of-class studies (2017, 2018): digits, letters, both, and clothes.

The letters of the presets are those of the fonts in a folder `fonts`: the packages that fonts.txt lists, unpacked.
"""

from dataclasses import asdict, dataclass, field
from string import ascii_uppercase
from typing import Any

from ..models.judge import DIGITS
from ..options import checked, choose
from .listed import KIND

LETTERS = tuple(ascii_uppercase)
CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FONTS = "toolkit/judges/fonts.txt"  # packages, versions and licences


@dataclass(frozen=True)
class Training:
    """Everything that determines a trained judge. The learning rate falls to 0 in a straight line.

    each: images that every class has in an epoch, by showing them more than once or leaving some out; None: as many as
    there are. vary: how much an image differs each time it is shown (`lessons.varied`). seed: of the first network; the
    next has the next. typefaces: those that were learned; found when the data is read.
    """

    name: str
    title: str
    data: str
    classes: tuple[str, ...]
    scale: str = "cpu"
    seed: int = 0
    images: int | None = None  # how many of the data; None: all
    each: int | None = None
    vary: float = 1.0
    batch: int = 128
    steps: int = 4000
    model: dict[str, Any] = field(default_factory=lambda: {"filters": 16, "hidden": 256})  # Judge.Config
    half: bool = True  # checkpoints in half precision; what is stored is what is measured
    typefaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts = self.batch, self.steps, self.images, self.each
        if min(count for count in counts if count is not None) < 1:
            raise ValueError(
                f"batch {self.batch}, steps {self.steps}, images {self.images}, each {self.each}: each is at least 1"
            )
        if not 0 <= self.vary <= 1:
            raise ValueError(f"vary is {self.vary}: give a strength from 0 to 1")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self)

    def says(self) -> dict[str, Any]:
        """What its config.json says beside its title and settings: of which fonts its letters are, if as published."""
        published = self.typefaces and self.data == PRESETS[self.name].data
        return {"kind": KIND, "typefaces": len(self.typefaces), **({"fonts": FONTS} if published else {})}


PRESETS = {
    preset.name: preset
    for preset in [
        Training("judge-digits", "Digits", "mnist", DIGITS, vary=0.5, steps=3000),
        Training("judge-letters", "Letters", "letters:fonts", LETTERS, each=2500),
        Training(
            "judge-digits-letters", "Digits and letters", "mnist+letters:fonts", DIGITS + LETTERS, each=2500, steps=5000
        ),
        Training("judge-fashion", "Clothes", "fashion", CLOTHES, vary=0.0, steps=3000),
    ]
}  # fmt: skip
# As published: more filters, and up to 300 epochs, of which the paper keeps the best.
PAPER: dict[str, Any] = {"steps": 60_000, "model": {"filters": 64, "hidden": 1024}}
SMOKE: dict[str, Any] = {"images": 500, "steps": 100, "batch": 50, "model": {"filters": 4, "hidden": 32, "lr": 3e-3}}
SCALES: dict[str, dict[str, Any]] = {"paper": PAPER, "cpu": {}, "smoke": SMOKE}


def preset(name: str, scale: str = "cpu", **changes: Any) -> Training:
    """The training of one judge, changed at will: preset("judge-digits", seed=1, model={"filters": 32}).

    `model` is merged, option by option. Raises ValueError for an unknown preset, scale or setting.
    """
    choose("preset", name, PRESETS)
    choose("scale", scale, SCALES)
    settings = {**PRESETS[name].as_dict(), "scale": scale}
    for layer in (SCALES[scale], changes):
        for key, value in layer.items():
            settings[key] = {**settings[key], **value} if key == "model" and isinstance(value, dict) else value
    return Training(**checked("a training", Training, settings))
