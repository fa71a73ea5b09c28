"""The registry of models, and what models share: create one by name, with initial weights or as shapes alone."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..config import checked, choose
from ..seeds import Noise

MODELS: dict[str, type[nn.Module]] = {}
M = TypeVar("M", bound=type[nn.Module])


def register(cls: M) -> M:
    """Class decorator: make a model known under its class name."""
    MODELS[cls.__name__] = cls
    return cls


def create(name: str, config: Mapping[str, Any], *, seed: int | None = None) -> nn.Module:
    """A frozen model in eval mode: `create("WTA", {"filters": 32}, seed=0)`. The seed fixes its initial weights.

    Raises ValueError for an unknown architecture, an option that it does not have, or a value of another type.
    """
    cls: Any = MODELS[choose("architecture", name, MODELS)]
    options = checked(name, cls.Config, config)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        model: nn.Module = cls(cls.Config(**options))
    return model.eval().requires_grad_(False)


def outline(name: str, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of the model that `create(name, config)` would make, on the meta device: shapes without memory.

    Raises ValueError for an unknown architecture or option, RuntimeError for one that torch cannot build.
    """
    with torch.device("meta"), _WithoutRandomWeights():
        return create(name, config).state_dict()


class _WithoutRandomWeights(TorchFunctionMode):
    """On the meta device, drawing normal weights would import nine hundred modules first."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function.__name__ in ("normal_", "uniform_"):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


class ImageModel(nn.Module):
    """A network for images (B, channels, size, size) in [0, 1]. config: has channels and size.

    Subclasses have those of these methods that apply:
    encode: images -> codes (B, *code_shape); decode: codes -> images, float32; reconstruct: images -> images, a step;
    sample: one image per seed; features: images -> (B, d); probabilities: images -> (B, classes).
    hidden: the modules whose outputs are the hidden layers, in order. objectives: losses by name.
    """

    config: Any

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.config.channels, self.config.size, self.config.size


class Generative(ImageModel):
    """A network that decodes codes (B, z), drawn from a standard normal prior, into images. config: also has z."""

    @property
    def code_shape(self) -> tuple[int]:
        """(z,)"""
        return (self.config.z,)

    @property
    def hidden(self) -> list[nn.Module]:
        """The hidden layers from code to image: the modules whose output they are."""
        return [module for module in self.drawing.modules() if isinstance(module, (nn.ReLU, nn.LeakyReLU))]

    @property
    def drawing(self) -> nn.Module:
        """The network from code to image."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, z) -> images (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def sample(self, noise: Noise) -> Tensor:
        """One image per seed, its code drawn from the prior: (B, C, H, W) in [0, 1]."""
        return self.decode(noise.randn(*self.code_shape).to(next(self.parameters()).device))


def rectified(layer: Callable[..., nn.Module], widths: Iterable[int], *options: int) -> list[nn.Module]:
    """layer(a, b, *options) for each two neighbouring widths, each followed by ReLU."""
    return list(chain.from_iterable((layer(a, b, *options), nn.ReLU()) for a, b in pairwise(widths)))


def check_positive(config: object, *names: str) -> None:
    """Raise ValueError unless these options are at least 1."""
    if min(getattr(config, name) for name in names) < 1:
        *others, last = names
        raise ValueError(f"{', '.join(others)} and {last} are at least 1: give larger numbers")
