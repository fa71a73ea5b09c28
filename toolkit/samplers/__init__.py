"""(step, start) -> a stream of images."""

from .activation import Decoder, Statistics, activation_statistics, codes, hooked, layer_quantile
from .creative import METHODS, Creation, Creative, creative_decode
from .hallucinate import Hallucination, Sampling, hallucinate, to_bytes
from .iterate import Step, iterate, last, settle, settle_in_turn, settle_together
from .kaleidoscope import kaleidoscope
from .tone import match_tones, stretch, tone_curve

__all__ = [
    "METHODS", "Creation", "Creative", "Decoder", "Hallucination", "Sampling", "Statistics", "Step",
    "activation_statistics", "codes", "creative_decode", "hallucinate", "hooked", "iterate", "kaleidoscope", "last",
    "layer_quantile", "match_tones", "settle", "settle_in_turn", "settle_together", "stretch", "to_bytes", "tone_curve",
]  # fmt: skip
