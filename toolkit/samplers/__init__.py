"""Samplers: (step, start) or (objective, start) -> a stream of images; (decoder, codes) -> images."""

from .ascent import Score, ascend, class_score, confidence_score
from .creative import (
    METHODS,
    Creation,
    Creative,
    Statistics,
    activation_statistics,
    codes,
    creative_decode,
    layer_quantile,
)
from .generate import Samples, Sampling, brightness_curve, generate, generates, match_histogram, stretch, to_bytes
from .iterate import Step, guided, iterate, last, moving_threshold, salt_and_pepper, salt_before_passes, settle
from .kaleidoscope import kaleidoscope
from .layers import hooked

__all__ = [
    "METHODS", "Creation", "Creative", "Samples", "Sampling", "Score", "Statistics", "Step", "activation_statistics",
    "ascend", "brightness_curve", "class_score", "codes", "confidence_score", "creative_decode", "generate",
    "generates", "guided", "hooked", "iterate", "kaleidoscope", "last", "layer_quantile", "match_histogram",
    "moving_threshold", "salt_and_pepper", "salt_before_passes", "settle", "stretch", "to_bytes",
]  # fmt: skip
