"""What draws pictures from codes: the half that variational autoencoders and generative adversarial networks share."""

from typing import Any

from torch import Tensor, nn

from ..seeds import Noise


class Generative(nn.Module):
    """Codes (B, z), drawn from a standard normal prior, become images (B, channels, size, size) in [0, 1].

    config: has channels, size and z.
    """

    config: Any

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.config.channels, self.config.size, self.config.size

    @property
    def code_shape(self) -> tuple[int]:
        """(z,)"""
        return (self.config.z,)

    @property
    def drawing(self) -> nn.Sequential:
        """The network from the code to the picture."""
        raise NotImplementedError

    @property
    def hidden(self) -> list[nn.Module]:
        """The hidden layers from the code to the picture: the modules whose output they are."""
        return [module for module in self.drawing if isinstance(module, nn.ReLU)]

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, z) -> images (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def sample(self, noise: Noise) -> Tensor:
        """One image per seed, its code drawn from the prior: (B, C, H, W) in [0, 1]."""
        return self.decode(noise.randn(*self.code_shape).to(next(self.parameters()).device))
