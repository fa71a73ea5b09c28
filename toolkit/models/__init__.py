"""One file per model: a frozen Config, what it can do (reconstruct, decode), what it lowers (objectives)."""

from .classifier import Judge, Labelled, Lessons
from .conv_ae import ConvAE
from .conv_vae import ConvVAE
from .dcgan import DCGAN
from .manifold import Manifold
from .registry import MODELS, create, register
from .vae import VAE
from .wta import WTA

__all__ = [
    "DCGAN", "MODELS", "VAE", "WTA", "ConvAE", "ConvVAE", "Judge", "Labelled", "Lessons", "Manifold", "create",
    "register",
]  # fmt: skip
