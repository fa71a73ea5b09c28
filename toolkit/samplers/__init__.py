"""(step, start) -> a stream of images."""

from .activation import Decoder, Statistics, activation_statistics, codes, hooked, layer_quantile
from .creative import METHODS, Creation, Creative, creative_decode
from .hallucinate import Hallucination, Sampling, generates, hallucinate, to_bytes
from .iterate import Step, iterate, last, settle, settle_in_turn, settle_together
from .kaleidoscope import kaleidoscope
from .refine import inked, moving_threshold, salt_and_pepper, salted
from .steered import of_any_class, of_class, steered
from .tone import match_tones, stretch, tone_curve

__all__ = [
    "METHODS", "Creation", "Creative", "Decoder", "Hallucination", "Sampling", "Statistics", "Step",
    "activation_statistics", "codes", "creative_decode", "generates", "hallucinate", "hooked", "inked", "iterate",
    "kaleidoscope", "last", "layer_quantile", "match_tones", "moving_threshold", "of_any_class", "of_class",
    "salt_and_pepper", "salted", "settle", "settle_in_turn", "settle_together", "steered", "stretch", "to_bytes",
    "tone_curve",
]  # fmt: skip
