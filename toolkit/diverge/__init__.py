"""Active divergence: ways to make a trained model leave its data, named as the survey names them.

Broad, Berns, Colton & Grierson (2021), "Active divergence with generative deep learning". Each acts on any model here.
What edits a model for a while is a block; what alters it for good gives a new model, and the one given stays.
"""

from .chaining import chain, fitted
from .clustering import clusters, k_means
from .model_layers import layer, layers
from .model_rewriting import context, effect, keys, matrix, repaint, rewrite, second_moment, write
from .network_bending import Edit, bend, edits
from .network_blending import along, blend, levels, mix, ramp, recalibrate, swap
from .neural_glitch import Glitch, glitch, glitched
from .novelty_search import Archive, Generation, Search, first_codes, growth, novelty_search, picture
from .transforms import TRANSFORMS

__all__ = [
    "TRANSFORMS", "Archive", "Edit", "Generation", "Glitch", "Search", "along", "bend", "blend", "chain", "clusters",
    "context", "edits", "effect", "first_codes", "fitted", "glitch", "glitched", "growth", "k_means", "keys", "layer",
    "layers", "levels", "matrix", "mix", "novelty_search", "picture", "ramp", "recalibrate", "repaint", "rewrite",
    "second_moment", "swap", "write",
]  # fmt: skip
