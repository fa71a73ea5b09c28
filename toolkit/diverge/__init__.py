"""Active divergence: ways to make a trained model leave its data, named as the survey names them.

Broad, Berns, Colton & Grierson (2021), "Active divergence with generative deep learning". Each acts on any model here.
What edits a model for a while is a block; what alters it for good gives a new model, and the one given stays.
"""

from .chaining import chain, fitted
from .creative_adversarial import Creativity, creative_adversarial
from .divergent_fine_tuning import feedback, fine_tune, loss_hacking
from .external_knowledge import Guidance, between, clip, follow, towards
from .layers import clusters, k_means, layer, layers
from .model_rewriting import context, effect, keys, matrix, repaint, rewrite, second_moment, write
from .network_bending import TRANSFORMS, Edit, bend, edits
from .network_blending import along, blend, levels, mix, ramp, recalibrate, swap
from .neural_glitch import Glitch, glitch, glitched
from .novelty_search import Archive, Generation, Search, first_codes, growth, novelty_search, picture
from .snapshots import Snapshot, learn
from .without_data import Equilibrium, without_data

__all__ = [
    "TRANSFORMS", "Archive", "Creativity", "Edit", "Equilibrium", "Generation", "Glitch", "Guidance", "Search",
    "Snapshot", "along", "bend", "between", "blend", "chain", "clip", "clusters", "context", "creative_adversarial",
    "edits", "effect", "feedback", "fine_tune", "first_codes", "fitted", "follow", "glitch", "glitched", "growth",
    "k_means", "keys", "layer", "layers", "learn", "levels", "loss_hacking", "matrix", "mix", "novelty_search",
    "picture", "ramp", "recalibrate", "repaint", "rewrite", "second_moment", "swap", "towards", "without_data",
    "write",
]  # fmt: skip
