"""The judge learns names from labelled batches, through the loop that every model uses."""

from itertools import chain, islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import Judge, LabelledBatch, LabelledBatches, create
from toolkit.train import fit

SIDES = ("left", "right")


def judge(**config: Any) -> Any:
    return create("Judge", {"size": 8, "filters": 4, "depth": 2, "hidden": 16, "classes": SIDES, **config}, seed=0)


def halves(count: int = 40) -> tuple[Tensor, Tensor]:
    """Grey noise whose left or right half is bright, uint8, and which."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    images = torch.randint(0, 100, (count, 1, 8, 8), dtype=torch.uint8, generator=generator)
    images[labels == 0, :, :, :4] += 100
    images[labels == 1, :, :, 4:] += 100
    return images, labels


def test_the_default_has_the_published_layers() -> None:
    model = Judge(Judge.Config())
    convolutions = [(m.in_channels, m.out_channels) for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions == [(1, 64), (64, 128), (128, 256)]
    layers = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)]
    assert layers == [(256 * 3 * 3, 1024), (1024, 10)]


def test_it_learns_to_name_what_it_has_not_seen() -> None:
    images, labels = halves(80)
    learned = fit(judge(lr=0.005), LabelledBatches(images[:60], labels[:60], SIDES, batch=20), steps=40)
    assert torch.equal(learned.probabilities(images[60:].float() / 255).argmax(1), labels[60:])


def test_the_loss_is_the_cross_entropy_with_the_labels() -> None:
    model, (images, labels) = judge(), halves(6)
    x = images.float() / 255
    reported = model.probabilities(x)[range(6), labels]
    assert model.loss(LabelledBatch(x, labels)).item() == pytest.approx(-reported.log().mean().item(), rel=1e-5)


def test_probabilities_sum_to_one_and_the_logits_come_from_the_features() -> None:
    model, x = judge(), halves(6)[0].float() / 255
    torch.testing.assert_close(model.probabilities(x).sum(1), torch.ones(6))
    assert model.features(x).shape == (6, 16) and torch.equal(model.head(model.features(x)), model(x))


def test_an_epoch_shows_every_image_once_with_its_own_label() -> None:
    images = torch.arange(10, dtype=torch.uint8)[:, None, None, None]
    shuffled = LabelledBatches(images, torch.arange(10), batch=4)
    shown = list(islice(shuffled, shuffled.steps_per_epoch))
    assert [len(batch) for batch in shown] == [4, 4, 2]
    assert all(torch.equal((batch.images * 255).round().long().flatten(), batch.labels) for batch in shown)
    assert sorted(chain(*(batch.labels.tolist() for batch in shown))) == list(range(10))


def test_the_order_of_lessons_belongs_to_the_seed() -> None:
    images, labels = halves(40)
    once, again, other = (next(iter(LabelledBatches(images, labels, seed=seed))) for seed in (1, 1, 2))
    assert torch.equal(once.images, again.images) and torch.equal(once.labels, again.labels)
    assert not torch.equal(once.images, other.images)


def test_a_labelled_batch_moves_and_is_cut_as_one() -> None:
    images, labels = halves(6)
    batch = LabelledBatch(images, labels).to(torch.device("cpu"))[2:5]
    assert len(batch) == 3 and torch.equal(batch.images, images[2:5]) and torch.equal(batch.labels, labels[2:5])


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2], [0, 1, -1]])
def test_labels_that_do_not_fit_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="^[^\n]+: give [^\n]+$"):
        LabelledBatches(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.tensor(labels), SIDES)


@pytest.mark.parametrize(("option", "value"), [("classes", ("one",)), ("classes", (1, 2)), ("dropout", 1.0)])
def test_an_option_that_means_nothing_is_refused(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^(option )?{option}( of Judge)? is [^\n]+: give [^\n]+$"):
        create("Judge", {option: value})


def test_an_image_too_small_for_the_convolutions_is_refused() -> None:
    with pytest.raises(ValueError, match="^images of 7 pixels[^\n]*$"):
        create("Judge", {"size": 7})
