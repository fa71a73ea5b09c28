"""Scores of a classifier's probabilities where the answer is known, and the row of all measures by a classifier."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.metrics import CLASSIFIER_MEASURES, classifier_measures
from toolkit.metrics.classifier import (
    class_diversity,
    columns,
    count_by_max,
    count_by_sum,
    features,
    likeness,
    normalised_entropy,
    object_score,
    objectness,
    objectness_renyi,
    out_of_class,
    sample_objectness,
    sample_objectness_renyi,
)
from toolkit.models import create

SURE = torch.eye(4)  # four images, each surely of another class
CLUELESS = torch.full((5, 4), 0.25)
DIVIDED = torch.tensor([[0.5, 0.5, 0, 0]])
# Classes 0 and 1 are known, 2 and 3 are not: known, surely one; known, but which; neither; unknown, which; surely one.
HAND = torch.tensor(
    [
        [0.96, 0.04, 0.00, 0.00],
        [0.50, 0.45, 0.05, 0.00],
        [0.30, 0.20, 0.25, 0.25],
        [0.02, 0.00, 0.92, 0.06],
        [0.00, 0.00, 0.00, 1.00],
    ]
)


def random_probabilities(count: int = 200, classes: int = 6) -> Tensor:
    return (3 * torch.randn(count, classes)).softmax(1)


@pytest.mark.parametrize("of", [objectness, objectness_renyi])
def test_objectness_is_the_number_of_classes_if_all_are_sure_and_one_if_all_are_alike(of: Callable) -> None:
    assert of(SURE) == pytest.approx(4) and of(SURE.repeat(3, 1)) == pytest.approx(4)
    assert of(CLUELESS) == pytest.approx(1) and of(SURE[:1].repeat(9, 1)) == pytest.approx(1)
    assert of(DIVIDED) == pytest.approx(1) and of(SURE[:2]) == pytest.approx(2)  # though some class has no image


def test_scores_of_unequal_halves_by_hand() -> None:
    p = torch.tensor([[0.75, 0.25], [0.25, 0.75]])
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert objectness(p) == pytest.approx(math.exp(0.75 * math.log(1.5) + 0.25 * math.log(0.5)))
    assert objectness_renyi(p) == pytest.approx((0.75**2 + 0.25**2) / 0.5)
    assert sample_objectness(p)[0].item() == pytest.approx(math.exp(-entropy))
    assert sample_objectness_renyi(p)[0].item() == pytest.approx(0.625)
    assert normalised_entropy(p)[0].item() == pytest.approx(entropy / math.log(2)) == 1 - object_score(p)[0].item()


def test_renyis_objectness_is_never_below_the_plain_one() -> None:
    assert all(1 < objectness(p) < objectness_renyi(p) < 6 for p in random_probabilities(400).split(100))


@pytest.mark.parametrize("of", [sample_objectness, sample_objectness_renyi, normalised_entropy, object_score])
def test_no_score_of_an_image_depends_on_the_others(of: Callable) -> None:
    p = random_probabilities(20)
    assert torch.equal(of(p), torch.cat([of(row) for row in p.split(1)]))


def test_counts_by_hand() -> None:
    known, unknown = [0, 1], [2, 3]
    assert (count_by_sum(HAND, known), count_by_sum(HAND, unknown)) == (2 / 5, 2 / 5)
    assert (count_by_max(HAND, known), count_by_max(HAND, unknown)) == (1 / 5, 1 / 5)
    assert count_by_max(HAND, unknown, 0.9) == 2 / 5
    assert count_by_sum(DIVIDED, [0], 0.5) == 0 == count_by_max(DIVIDED, [0, 2], 0.5)  # at the threshold, not over it
    assert count_by_sum(DIVIDED, [0, 1], 0.5) == 1


def test_every_score_of_the_study_by_hand() -> None:
    row = out_of_class(HAND, known=[0, 1])
    assert row["in_class_count_by_sum"] == 2 / 5 and row["in_class_count_by_max"] == 1 / 5
    assert row["out_of_class_count_by_sum"] == 2 / 5 and row["out_of_class_count_by_max"] == 1 / 5
    assert row["in_class_max_share"] == 1 / 5 and row["out_of_class_max_share"] == 2 / 5
    assert row["in_class_max"] == pytest.approx((0.96 + 0.5 + 0.3 + 0.02 + 0) / 5)
    assert row["out_of_class_max"] == pytest.approx((0 + 0.05 + 0.25 + 0.92 + 1) / 5)
    assert row["noise_share_by_sum"] == pytest.approx(1 / 5) and row["noise_share_by_max"] == pytest.approx(3 / 5)


def test_diversity_is_one_if_all_classes_are_as_frequent_and_zero_if_there_is_one() -> None:
    assert class_diversity(SURE.repeat(3, 1)) == pytest.approx(1)
    assert class_diversity(SURE[:1].repeat(9, 1)) == 0 == class_diversity(SURE, [2])
    assert class_diversity(SURE[[0, 0, 1, 1]]) == pytest.approx(math.log(2) / math.log(4))
    p = torch.tensor([[0.8, 0.15, 0.05], [0.8, 0.05, 0.15]])
    assert class_diversity(p) == 0 and class_diversity(p, [1, 2]) == pytest.approx(1)  # only these are asked


# the row of all measures


NAMES = ("ring", "bar", "cross")


def judge(**config: Any) -> Any:
    options = {"size": 8, "filters": 4, "depth": 2, "hidden": 16, "classes": NAMES, **config}
    return create("Judge", options, seed=0)


def noise(count: int = 20, seed: int = 1) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def reference() -> Tensor:
    return features(judge(), noise(seed=2))


def test_with_everything_at_hand_the_row_has_every_measure_in_order() -> None:
    sets = {"training": noise(seed=3), "held_out": noise(seed=4)}
    row = classifier_measures(noise(), judge(), reference(), known=NAMES[:2], **sets)
    assert list(row) == list(CLASSIFIER_MEASURES) and all(math.isfinite(value) for value in row.values())


def test_what_is_not_given_is_not_measured() -> None:
    row = classifier_measures(noise(), judge(), reference())
    assert not [name for name in row if "class_" in name and name != "class_diversity"]
    assert not {"parzen", "authenticity", "data_copying"} & set(row)
    assert classifier_measures(noise(), judge(), reference(), known=NAMES) == row  # nothing is out of class


def test_each_value_is_that_of_its_own_measure() -> None:
    row = classifier_measures(noise(), judge(), reference(), known=["bar"])
    p = judge().probabilities(noise())
    expected = {"objectness": objectness(p), **out_of_class(p, [1])}
    expected |= likeness(judge().features(noise()), reference())
    assert {name: row[name] for name in expected} == {name: pytest.approx(v, abs=1e-6) for name, v in expected.items()}


def test_real_images_against_themselves_are_alike() -> None:
    row = classifier_measures(noise(), judge(), features(judge(), noise()))
    assert row["frechet_distance"] == pytest.approx(0, abs=1e-6) == row["gaussian_mmd"]
    assert row["precision"] == row["recall"] == row["coverage"] == 1 == pytest.approx(row["density"], abs=0.05)


def test_batches_of_any_size_give_the_same_row_and_bytes_the_same_as_floats() -> None:
    x = (255 * noise()).byte()
    row, *others = (
        classifier_measures(images, judge(), reference(), known=["bar"], **options)
        for images, options in ((x, {}), (x, {"batch": 3}), (x / 255, {}))
    )
    for other in others:
        assert other == {name: pytest.approx(value, abs=1e-5, rel=1e-4) for name, value in row.items()}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: objectness(torch.zeros(0, 4)),
        lambda: objectness(torch.randn(5, 4)),
        lambda: objectness(SURE[0]),
        lambda: normalised_entropy(torch.full((2, 4), torch.nan)),
        lambda: count_by_sum(SURE, []),
        lambda: count_by_sum(SURE, [4]),
        lambda: count_by_max(SURE, [0, 0]),
        lambda: count_by_max(SURE, [0], 0.2),
        lambda: out_of_class(SURE, range(4)),
        lambda: columns(("0", "1"), ("1", "x")),
        lambda: classifier_measures(torch.zeros(9, 1, 9, 9), judge(), torch.zeros(9, 16)),
        lambda: classifier_measures(noise(0), judge(), torch.zeros(9, 16)),
        lambda: classifier_measures(noise(), judge(), torch.zeros(9, 17)),
        lambda: classifier_measures(noise(5), judge(), torch.zeros(9, 16)),
        lambda: classifier_measures(noise(), judge(), torch.zeros(9, 16), known=["circle"]),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(wrong: Callable) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: (give|it has) [^\n]+$"):
        wrong()
