"""Networks by name: each has a frozen Config and `objectives`, and can draw, classify or write."""

from .classifier import Judge, LabelledBatch, LabelledBatches
from .dcgan import DCGAN
from .manifold import Manifold
from .registry import MODELS, create, register
from .stylegan import StyleGAN
from .text import CharRNN
from .vae import VAE, ConvVAE
from .wta import WTA, ConvAE

__all__ = [
    "DCGAN", "MODELS", "VAE", "WTA", "CharRNN", "ConvAE", "ConvVAE", "Judge", "LabelledBatch", "LabelledBatches",
    "Manifold", "StyleGAN", "create", "register",
]  # fmt: skip
