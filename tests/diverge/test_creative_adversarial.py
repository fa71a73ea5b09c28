"""Style ambiguity: a loss, and a GAN that lowers it."""

import math
from itertools import islice

import pytest
import torch

from toolkit.diverge.creative_adversarial import Creativity, Critics, binary, creative_adversarial, softmax
from toolkit.models import Lessons
from toolkit.seeds import Noise
from toolkit.train import Shuffled, fit

FORMS = {"binary": binary, "softmax": softmax}


@pytest.fixture
def lessons():
    images = (255 * Noise(range(20)).rand(1, 16, 16)).byte()
    return Lessons(images, torch.arange(20) % 4, tuple("abcd"), batch=8, seed=3)


def least(form, k):
    """The value of a form where all K styles are equally probable."""
    p = 1 / k
    return math.log(k) if form == "softmax" else -k * (p * math.log(p) + (1 - p) * math.log(1 - p))


@pytest.mark.parametrize("form", FORMS)
def test_ambiguity_is_least_where_all_styles_are_equally_probable(form):
    flat = torch.full((3, 5), 2.0)
    assert FORMS[form](flat).item() == pytest.approx(least(form, 5), rel=1e-5)
    assert FORMS[form](flat + 0.1 * torch.randn(3, 5)) > FORMS[form](flat)


def test_the_binary_form_is_the_sum_of_binary_cross_entropies_of_the_probabilities():
    logits = torch.randn(6, 4)
    each = torch.nn.functional.binary_cross_entropy(logits.softmax(1), torch.full((6, 4), 0.25), reduction="none")
    torch.testing.assert_close(binary(logits), each.sum(1).mean())


@pytest.mark.parametrize("form", FORMS)
def test_a_style_beyond_doubt_still_has_a_gradient(form):
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    FORMS[form](logits).backward()
    assert logits.grad.isfinite().all() and logits.grad[0, 0] > 0.1


@pytest.mark.parametrize("form", FORMS)
def test_without_ambiguity_it_is_the_plain_gan_to_the_bit(form, tiny, same, lessons):
    gan = tiny("DCGAN")
    *_, found = creative_adversarial(gan, lessons, (3,), Creativity(0.0, form, 4), seed=5)
    assert same(found.model, fit(gan, Shuffled(lessons.images, 8, 3), steps=3, seed=5))


def test_the_gan_given_stays_and_its_untouched_snapshot_is_it(tiny, same, lessons):
    gan = tiny("DCGAN")
    first, last = creative_adversarial(gan, lessons, (0, 3), Creativity(styles=4))
    assert same(first.model, gan) and same(gan, tiny("DCGAN")) and not same(last.model, gan)
    assert type(last.model) is type(gan) and not last.model.training


def test_the_same_seed_learns_the_same_and_what_is_kept_does_not_matter(tiny, same, lessons):
    few = list(creative_adversarial(tiny("DCGAN"), lessons, (4,), Creativity(styles=4), seed=1))
    many = list(creative_adversarial(tiny("DCGAN"), lessons, (0, 2, 3, 4), Creativity(styles=4), seed=1))
    (other,) = creative_adversarial(tiny("DCGAN"), lessons, (4,), Creativity(styles=4), seed=2)
    assert same(few[0].model, many[-1].model) and few[0].losses == many[-1].losses
    assert not same(other.model, few[0].model)


def test_the_generator_is_pushed_by_the_puzzle_alone_where_only_that_counts(tiny, lessons):
    critics = Critics(tiny("DCGAN"), Creativity(1e6, "softmax", 4), seed=0).requires_grad_(True)
    lesson, objectives = next(islice(lessons, 1)), critics.objectives()
    told = objectives["discriminator"].loss(lesson)
    assert objectives["generator"].loss(lesson).item() == pytest.approx(1e6 * math.log(4), rel=0.05)
    assert {*map(id, objectives["discriminator"].params)} & {*map(id, critics.styles.parameters())} and told.isfinite()


@pytest.mark.parametrize(("wrong", "why"), [
    ({"ambiguity": -1.0}, "ambiguity -1.0"), ({"form": "hinge"}, "hinge"), ({"styles": 1}, "two styles"),
])  # fmt: skip
def test_a_creativity_that_cannot_be_is_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        Creativity(**wrong)
