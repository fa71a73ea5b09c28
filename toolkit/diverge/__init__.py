"""Active divergence: methods that make a trained model leave its data, in the terms of the survey.

Broad, Berns, Colton & Grierson (2021), "Active divergence with generative deep learning". `training` has what trains,
`weights` and `bending` what changes weights and activations without training, `search` what leaves the model alone. No
method changes the model it is given: it returns or yields new ones, or changes it only while a `with` block lasts.
"""

from ..samplers.layers import layer, layers
from .bending import TRANSFORMS, Edit, bend, edits
from .channels import clusters, k_means
from .search import Archive, Generation, Search, archive_grid, chain, first_codes, fitted, novelty_search
from .training import (
    Snapshot,
    adversarial,
    class_direction,
    creative_adversarial,
    feature_direction,
    feedback,
    fine_tune,
    follow,
    loss_hacking,
    without_data,
)
from .weights import (
    Glitch,
    along,
    blend,
    context,
    glitch,
    glitched,
    keys,
    levels,
    matrix,
    ramp,
    repaint,
    rewrite,
    second_moment,
    swap,
    write,
)

__all__ = [
    "TRANSFORMS", "Archive", "Edit", "Generation", "Glitch", "Search", "Snapshot", "adversarial", "along",
    "archive_grid", "bend", "blend", "chain", "class_direction", "clusters", "context", "creative_adversarial",
    "edits", "feature_direction", "feedback", "fine_tune", "first_codes", "fitted", "follow", "glitch", "glitched",
    "k_means", "keys", "layer", "layers", "levels", "loss_hacking", "matrix", "novelty_search", "ramp", "repaint",
    "rewrite", "second_moment", "swap", "without_data", "write",
]  # fmt: skip
