"""One row of every measure that needs a judge: whole, in order, and the same however the work is cut."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.metrics import JUDGED, judged
from toolkit.metrics.classifier import features, objectness, out_of_class
from toolkit.metrics.distribution import likeness
from toolkit.models import create

NAMES = ("ring", "bar", "cross")


def judge(**config: Any) -> Any:
    options = {"size": 8, "filters": 4, "depth": 2, "hidden": 16, "classes": NAMES, **config}
    return create("Judge", options, seed=0)


def noise(count: int = 20, seed: int = 1) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_a_row_has_every_measure_in_order_and_what_is_not_given_is_not_measured() -> None:
    reference, training, held_out = features(judge(), noise(seed=2)), noise(seed=3), noise(seed=4)
    row = judged(noise(), judge(), reference, known=NAMES[:2], training=training, held_out=held_out)
    assert list(row) == list(JUDGED) and all(math.isfinite(value) for value in row.values())
    bare = judged(noise(), judge(), reference)
    assert not [name for name in bare if "class_" in name and name != "class_diversity"]
    assert not {"parzen", "authenticity", "data_copying"} & set(bare)
    assert judged(noise(), judge(), reference, known=NAMES) == bare  # nothing is out of class


def test_each_value_is_that_of_its_own_measure() -> None:
    x, reference = noise(), features(judge(), noise(seed=2))
    row = judged(x, judge(), reference, known=["bar"])
    p = judge().probabilities(x)
    expected = {"objectness": objectness(p), **out_of_class(p, [1]), **likeness(judge().features(x), reference)}
    assert {name: row[name] for name in expected} == {name: pytest.approx(v, abs=1e-6) for name, v in expected.items()}


def test_real_images_against_themselves_are_alike() -> None:
    row = judged(noise(), judge(), features(judge(), noise()))
    assert row["frechet_distance"] == pytest.approx(0, abs=1e-6) == row["gaussian_mmd"]
    assert row["precision"] == row["recall"] == row["coverage"] == 1 == pytest.approx(row["density"], abs=0.05)


def test_batches_of_any_size_give_the_same_row_and_bytes_the_same_as_floats() -> None:
    x, reference = (255 * noise()).byte(), features(judge(), noise(seed=2))
    row = judged(x, judge(), reference, known=["bar"])
    for other in (
        judged(x, judge(), reference, known=["bar"], batch=3),
        judged(x / 255, judge(), reference, known=["bar"]),
    ):
        assert other == {name: pytest.approx(value, abs=1e-5, rel=1e-4) for name, value in row.items()}


def test_memorised_images_are_told_from_new_ones() -> None:
    training, held_out = noise(60, seed=3), noise(60, seed=4)
    reference = features(judge(), held_out)
    rows = [judged(x, judge(), reference, training=training, held_out=held_out) for x in (training, noise(60))]
    assert [row["memorised_share"] > 0.5 for row in rows] == [True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: judged(torch.zeros(9, 1, 9, 9), judge(), torch.zeros(9, 16)),
        lambda: judged(noise(0), judge(), torch.zeros(9, 16)),
        lambda: judged(noise(), judge(), torch.zeros(9, 17)),
        lambda: judged(noise(5), judge(), torch.zeros(9, 16)),
        lambda: judged(noise(), judge(), torch.zeros(9, 16), known=["circle"]),
    ],
)
def test_what_the_judge_cannot_see_is_refused_in_one_sentence(wrong: Callable) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: (give|it has) [^\n]+$"):
        wrong()
