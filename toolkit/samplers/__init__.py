"""(step, start) -> a stream of images."""

from .hallucinate import Hallucination, Sampling, hallucinate, to_bytes
from .iterate import Step, iterate, last, settle, settle_together
from .tone import match_tones, stretch, tone_curve

__all__ = [
    "Hallucination", "Sampling", "Step", "hallucinate", "iterate", "last", "match_tones", "settle", "settle_together",
    "stretch", "to_bytes", "tone_curve",
]  # fmt: skip
