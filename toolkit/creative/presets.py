"""One preset per data set of "Toward a neuro-inspired creative decoder"; scales: paper, cpu (the same), smoke."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ..options import checked, choose


@dataclass(frozen=True)
class Training:
    """Everything that determines a trained decoder. What the paper does not say is as usual: batches of 128, Adam.

    The learning rate falls to 0 in a straight line. seed: of the first network; the next has the next.
    """

    name: str
    title: str
    data: str
    scale: str = "cpu"
    seed: int = 0
    images: int | None = None  # how many of the data; None: all
    batch: int = 128
    steps: int = 7_035  # 15 epochs of 60,000 images
    architecture: str = "VAE"  # or "ConvVAE", "DCGAN": whatever draws from codes through hidden layers
    model: dict[str, Any] = field(default_factory=dict)  # its Config
    size: int = 28  # pixels
    color: bool = False
    silent: float = 0.75  # the share of the activations of channels that count as off; of units, those that are 0 do
    how: dict[str, Any] = field(default_factory=dict)  # of samplers.Creative, before calibration
    half: bool = True  # checkpoints in half precision; what is stored is what is measured

    def __post_init__(self) -> None:
        if min(self.batch, self.steps) < 1 or (self.images or 1) < 1:
            raise ValueError(f"batch {self.batch}, steps {self.steps}, images {self.images}: each is at least 1")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self)

    def says(self) -> dict[str, Any]:
        """What its config.json says beside its title and settings."""
        return {"kind": "decoder"}


# Channels are few: a band of fourteen percentiles would hold none. Figure 3 has no settings; these are ours.
CHANNELS: dict[str, Any] = {"color": True, "how": {"band": (0.0, 50.0), "fill": "typical", "gain": 4.0}}
PRESETS = {
    preset.name: preset
    for preset in [
        Training("creative-mnist", "Digits", "mnist"),
        Training("creative-fashion", "Clothes", "fashion"),
        Training("creative-both", "Digits and clothes", "mnist+fashion", steps=14_070, model={"z": 100}),
        Training("creative-celeba", "Faces", "celeba", architecture="ConvVAE", size=64, model={"z": 100}, **CHANNELS),
        Training("creative-wikiart", "Paintings", "folder:wikiart", architecture="DCGAN", size=64, **CHANNELS),
        Training("creative-tinted", "Clothes in colour", "tinted:fashion", architecture="ConvVAE", size=32, **CHANNELS),
    ]
}
TABLE1 = ["creative-mnist", "creative-fashion", "creative-both"]  # the three sets of the table; the others, figure 3
SMOKE: dict[str, Any] = {"images": 300, "steps": 100, "batch": 50}
SMALL: dict[str, dict[str, Any]] = {  # in so few steps a whole KL term would only teach that all codes are the same
    "VAE": {"widths": (120, 60, 40), "z": 6, "lr": 4e-3, "beta": 0.05},
    "ConvVAE": {"filters": 8, "z": 8, "lr": 3e-3, "beta": 0.05},
    "DCGAN": {"filters": 4, "z": 8, "lr": 1e-3},
}
SCALES: dict[str, dict[str, Any]] = {"cpu": {}, "paper": {}, "smoke": SMOKE}  # as published it fits two cores


def preset(name: str, scale: str = "cpu", **changes: Any) -> Training:
    """The training of one data set, changed at will: preset("creative-mnist", seed=1, model={"z": 20}).

    `model` and `how` are merged, option by option. Raises ValueError for an unknown preset, scale or setting.
    """
    choose("preset", name, PRESETS)
    choose("scale", scale, SCALES)
    settings = {**PRESETS[name].as_dict(), "scale": "smoke" if scale == "smoke" else "cpu"}
    small = {"model": SMALL[settings["architecture"]]} if scale == "smoke" else {}
    for layer in (SCALES[scale], small, changes):
        for key, value in layer.items():
            settings[key] = {**settings[key], **value} if isinstance(settings.get(key), dict) else value
    return Training(**checked("a training", Training, settings))
