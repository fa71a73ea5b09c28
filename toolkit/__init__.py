"""That Are Not: machines that make images their training data does not contain."""

__version__ = "0.1.0"

from . import hub, plot
from .iterated_learning import iterated_learning
from .models import WTA, create
from .presets import preset
from .samplers import Sampling, hallucinate, iterate, settle
from .seeds import Noise
from .train import fit

__all__ = [
    "WTA", "Noise", "Sampling", "create", "fit", "hallucinate", "hub", "iterate", "iterated_learning", "plot", "preset",
    "settle",
]  # fmt: skip
