"""(step, start) -> a stream of images."""

from .creative import (
    METHODS,
    Creation,
    Creative,
    Decoder,
    Statistics,
    activation_statistics,
    codes,
    creative_decode,
    hooked,
    layer_quantile,
)
from .generate import Hallucination, Sampling, generates, hallucinate, match_tones, stretch, to_bytes, tone_curve
from .iterate import (
    Step,
    inked,
    iterate,
    last,
    moving_threshold,
    of_any_class,
    of_class,
    salt_and_pepper,
    salted,
    settle,
    settle_in_turn,
    settle_together,
    steered,
)
from .kaleidoscope import kaleidoscope

__all__ = [
    "METHODS", "Creation", "Creative", "Decoder", "Hallucination", "Sampling", "Statistics", "Step",
    "activation_statistics", "codes", "creative_decode", "generates", "hallucinate", "hooked", "inked", "iterate",
    "kaleidoscope", "last", "layer_quantile", "match_tones", "moving_threshold", "of_any_class", "of_class",
    "salt_and_pepper", "salted", "settle", "settle_in_turn", "settle_together", "steered", "stretch", "to_bytes",
    "tone_curve",
]  # fmt: skip
