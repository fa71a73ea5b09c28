"""What each training does, and the experiments that are made of them."""

import math
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import pytest
import torch
from torch.nn.functional import binary_cross_entropy, normalize

from tests.diverge.test_operators import BRIGHT, FEW, IMAGES, LABELS, halves
from tests.tiny import draw, make, same
from toolkit import data as datasets
from toolkit import hub, index
from toolkit.config import DIGITS
from toolkit.diverge import (
    class_direction,
    creative_adversarial,
    feature_direction,
    feedback,
    fine_tune,
    follow,
    loss_hacking,
    without_data,
)
from toolkit.diverge.experiments import METHODS, Inputs, measure_snapshot, new, snapshots
from toolkit.diverge.training import AMBIGUITY, GeneratorPair, StyleClassifyingGAN, binary, colours, log_ratio, shapes
from toolkit.models import LabelledBatches
from toolkit.presets import DIVERGENCES, preset
from toolkit.seeds import Noise, child
from toolkit.train import Shuffled, fit

# ---- creative adversarial networks


def least(form, k):
    """The ambiguity where all K styles are equally probable."""
    p = 1 / k
    return math.log(k) if form == "softmax" else -k * (p * math.log(p) + (1 - p) * math.log(1 - p))


@pytest.mark.parametrize("form", AMBIGUITY)
def test_ambiguity_is_least_where_styles_are_equally_probable_and_has_a_gradient_where_one_is_certain(form):
    flat = torch.full((3, 5), 2.0)
    assert AMBIGUITY[form](flat).item() == pytest.approx(least(form, 5), rel=1e-5)
    assert AMBIGUITY[form](flat + 0.1 * torch.randn(3, 5)) > AMBIGUITY[form](flat)
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    AMBIGUITY[form](logits).backward()
    assert logits.grad.isfinite().all() and logits.grad[0, 0] > 0.1


def test_the_binary_form_is_the_sum_of_binary_cross_entropies_of_the_probabilities():
    logits = torch.randn(6, 4)
    each = binary_cross_entropy(logits.softmax(1), torch.full((6, 4), 0.25), reduction="none")
    torch.testing.assert_close(binary(logits), each.sum(1).mean())


@pytest.mark.parametrize("form", AMBIGUITY)
def test_without_ambiguity_it_is_the_plain_gan_to_the_bit(form):
    how = {"ambiguity": 0.0, "form": form, "styles": 4, "batch": 8, "seed": 5}
    *_, found = creative_adversarial(make("DCGAN"), IMAGES, LABELS, (3,), **how)
    assert same(found.model, fit(make("DCGAN"), Shuffled(IMAGES, 8, child(5, "shuffle")), steps=3, seed=5))


def test_the_generator_follows_the_ambiguity_alone_where_only_that_counts():
    network = StyleClassifyingGAN(make("DCGAN"), 1e6, "softmax", 4, seed=0).requires_grad_(True)
    (batch,), objectives = islice(LabelledBatches(IMAGES, LABELS, tuple("abcd"), 8), 1), network.objectives()
    loss = objectives["discriminator"].loss(batch)
    assert objectives["generator"].loss(batch).item() == pytest.approx(1e6 * math.log(4), rel=0.05)
    assert {*map(id, objectives["discriminator"].params)} & {*map(id, network.styles.parameters())} and loss.isfinite()


# ---- divergent fine-tuning


def missed(model, images):
    return float((model.reconstruct(images) - images).square().mean())


@pytest.mark.parametrize("name", ["VAE", "WTA", "Manifold"])
def test_a_model_tuned_to_other_images_reconstructs_them_better_step_by_step(images, name):
    found = fine_tune(make(name), (255 * images).byte(), [0, 20, 60], rate=2.0)
    before, between, after = (missed(snapshot.model, images) for snapshot in found)
    assert before > between > after


def test_with_nothing_of_its_own_the_feedback_learns_only_the_others(images):
    how = {**FEW, "images": (255 * images).byte(), "steps": 40, "rate": 3.0}
    (apart,), (alone,) = (feedback(make("VAE"), [1], share=share, **how) for share in (1.0, 0.0))
    assert missed(apart.model, images) < missed(alone.model, images)


# ---- loss hacking


@pytest.mark.parametrize("form", ["cross-entropy", "logit"])
def test_the_frozen_discriminator_finds_images_ever_less_real(form):
    gan = make("DCGAN")
    found = list(loss_hacking(gan, (0, 10, 30), lr=3e-3, form=form))
    scores = [gan.realness(draw(s.model, range(32))).mean() for s in found]
    assert scores[0] > scores[1] > scores[2] and same(found[-1].model.discriminator, gan.discriminator)


# ---- training without data


def test_colours_count_in_every_direction_and_shapes_beside_the_mean_colour():
    along, apart = torch.rand(64, 1, 1, 1).expand(64, 3, 4, 4), torch.rand(64, 3, 1, 1).expand(64, 3, 4, 4)
    assert colours(along) < 0.1 * colours(apart)
    torch.testing.assert_close(colours(along[:, :1]), along[:, :1, 0, 0].std(correction=0), atol=1e-4, rtol=0)
    crossed = torch.stack([torch.eye(4), 1 - torch.eye(4)])[:, None]
    assert shapes(apart) < 2e-3 < 0.3 < shapes(crossed) and torch.allclose(shapes(crossed + 0.1), shapes(crossed))


@pytest.mark.parametrize("measure", [colours, shapes])
def test_equals_have_no_lead_and_twice_the_variety_one_of_log_two_and_none_still_a_gradient(measure):
    x = torch.rand(16, 3, 2, 2)
    assert log_ratio(measure, x, x) == 0
    assert log_ratio(measure, x / 2, x).item() == pytest.approx(math.log(2), abs=0.02)
    assert log_ratio(measure, x, x / 2).item() == pytest.approx(-math.log(2), abs=0.02)
    flat = (torch.full((4, 1, 2, 2), 0.5) + 1e-4 * torch.randn(4, 1, 2, 2)).requires_grad_()
    log_ratio(measure, flat, torch.rand(4, 1, 2, 2)).backward()
    assert flat.grad.isfinite().all() and flat.grad.abs().max() > 0


def test_both_generators_learn_and_neither_moves_the_other():
    pair = make("DCGAN", channels=3), make("DCGAN", seed=1, channels=3)
    rivals = GeneratorPair(*pair).requires_grad_(True)
    rivals.objectives()["one"].loss(torch.randn(8, 3)).backward()
    assert all(p.grad is not None for p in rivals.one.generator.parameters())
    assert all(p.grad is None for p in rivals.other.parameters())
    (last,) = without_data(*pair, (2,), batch=8, diversity=0.0, variety=0.0)
    assert {*last.losses} == {"critic", "one", "other"} and same(pair[1], make("DCGAN", seed=1, channels=3))
    assert last.model.sample(Noise([0])).isfinite().all()


# ---- external knowledge


def led(model, direction=BRIGHT, steps=5, **how):
    (snapshot,) = follow(model, halves, direction, [steps], **{"batch": 4, "rate": 1e-2, **how})
    return snapshot.model


@pytest.mark.parametrize("name", ["VAE", "ConvVAE", "DCGAN"])
@pytest.mark.parametrize("up", [1.0, -1.0])
def test_images_move_along_the_direction(name, up):
    model = make(name)
    before, after = (normalize(halves(draw(each)), dim=1) for each in (model, led(model, up * BRIGHT, 20)))
    assert (up * (after - before)[:, 0]).min() > 0.002


@pytest.mark.parametrize("name", ["VAE", "DCGAN"])
def test_a_direction_from_images_to_themselves_is_zero_and_changes_nothing(images, name):
    itself = feature_direction(halves, images, images)
    assert not itself.any() and same(led(make(name), itself), make(name))


def test_the_encoder_and_what_draws_the_pixels_stay():
    model = make("VAE")
    moved = led(model)
    assert same(moved.encoder, model.encoder) and not same(moved.decoder, model.decoder)
    assert torch.equal(moved.decoder[6].weight, model.decoder[6].weight)


def test_in_a_step_only_the_layers_move_that_the_goal_moves_most():
    moved, model = led(make("VAE"), steps=1, layers=1), make("VAE")
    changed = [at for at in (0, 3, 6) if not torch.equal(moved.decoder[at].weight, model.decoder[at].weight)]
    assert len(changed) == 1
    every = [led(model, layers=count) for count in (None, 2, 9)]
    assert same(every[0], every[1]) and same(every[1], every[2])


def test_a_direction_is_between_means_of_features_or_between_weights_of_classes(images):
    upper, lower = torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    upper[:, :, :2] = lower[:, :, 2:] = 0.5
    torch.testing.assert_close(feature_direction(halves, lower, upper), torch.tensor([1.0, -1.0]) / 2**0.5)
    assert float(feature_direction(halves, upper, images).norm()) == pytest.approx(1)
    classifier = make("Judge")
    direction = class_direction(classifier, "3", "8")
    logits = classifier.head(1e3 * direction[None])[0]
    assert logits[8] == logits.max() and logits[3] == logits.min() and not class_direction(classifier, "3", "3").any()


WRONG: dict[str, tuple[Any, str]] = {
    "ambiguity": (lambda: creative_adversarial(make("DCGAN"), IMAGES, LABELS, (1,), ambiguity=-1.0), "ambiguity -1"),
    "StyleGAN": (lambda: creative_adversarial(make("StyleGAN"), IMAGES, LABELS, (1,)), "a StyleGAN has another"),
    "form": (lambda: creative_adversarial(make("DCGAN"), IMAGES, LABELS, (1,), form="hinge"), "hinge"),
    "styles": (lambda: creative_adversarial(make("DCGAN"), IMAGES, LABELS, (1,), styles=1), "two styles"),
    "labels": (lambda: creative_adversarial(make("DCGAN"), IMAGES, LABELS, (1,), styles=3), "labels from 0 to 3"),
    "shape": (lambda: next(fine_tune(make("VAE"), IMAGES[..., :9], [1])), "images [^\n]* do not fit"),
    "rate": (lambda: next(fine_tune(make("VAE"), IMAGES, [1], rate=-1)), "rate is -1"),
    "share": (lambda: next(feedback(make("VAE"), [1], share=0.5)), "share is 0.5"),
    "count": (lambda: next(feedback(make("VAE"), [1], count=0)), "count 0"),
    "lr": (lambda: loss_hacking(make("DCGAN"), lr=-1.0), "lr is -1"),
    "hinge": (lambda: loss_hacking(make("DCGAN"), form="hinge"), "unknown form 'hinge'"),
    "sizes": (lambda: without_data(make("DCGAN"), make("DCGAN", channels=3), (1,)), "give two of one size"),
    "diversity": (lambda: without_data(make("DCGAN"), make("DCGAN"), (1,), diversity=-1.0), "diversity -1"),
    "no codes": (lambda: led(make("WTA")), "a WTA draws from no codes: give "),
    "direction": (lambda: led(make("VAE"), torch.ones(3)), "a direction of .3,. does not fit features of 2"),
    "class": (lambda: class_direction(make("Judge"), "3", "A"), "has no class A: it has 0, 1"),
    "endless rate": (lambda: led(make("VAE"), rate=math.inf), "rate inf"),
    "batch": (lambda: led(make("VAE"), batch=0), "batch and layers are .0"),
    "layers": (lambda: led(make("VAE"), layers=0), "batch [^\n]* 0.: each"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_learned_is_refused_in_one_sentence(case):
    attempt, words = WRONG[case]
    with pytest.raises(ValueError, match=f"^[^\n]*{words}[^\n]*$"):
        attempt()


# ---- experiments


@pytest.fixture(scope="module")
def judge():
    return hub.load_classifier()


def small(name, **changes):
    """An experiment at the smallest scale, from scratch."""
    return replace(preset(name, "smoke", **changes), base="")


def inputs(experiment, classifier=None):
    """What an experiment starts from in a test: a small new model, and built-in digits."""
    data = datasets.load("sample:mnist", limit=40, size=32) if experiment.data else None
    return Inputs(new(experiment), data and data.images, data and data.labels, classifier)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_every_preset_starts_from_a_base_that_there_is_or_from_scratch(name):
    e = DIVERGENCES[name]
    assert e.name == name and e.method in METHODS and asdict(preset(name, "cpu")) == asdict(e)
    scratch = e.model or e.architecture == "StyleGAN"
    assert e.base in DIVERGENCES or e.base in index.read_index(index.CHECKPOINTS)["experiments"] if e.base else scratch


@pytest.mark.parametrize("name", ["gan-mnist", "can-mnist", "hacked-mnist", "without-data", "tune-digits-clothes",
                                  "feedback-clothes-digits", "towards-eight", "towards-a"])  # fmt: skip
def test_every_method_yields_the_kept_steps_and_says_how_it_goes(name, judge):
    e, recorded = small(name, **({"how": {"count": 8, "steps": 1}} if name.startswith("feedback") else {})), []
    found = list(snapshots(e, inputs(e, judge), lambda step, losses: recorded.append(step)))
    assert tuple(s.step for s in found) == e.kept and recorded == [*range(e.kept[-1])]
    numbers = [measure_snapshot(e, s, found[0].model, judge, range(4)) for s in found]
    assert numbers[0]["displacement"] == 0 < numbers[-1]["confidence"] <= 1
    assert [name for name in numbers[-1] if name.startswith("loss_")] and numbers[-1]["step"] == 3


def test_measures_are_those_that_apply_and_the_same_again(judge):
    e = small("without-data")
    (found,) = snapshots(replace(e, kept=(0,)), inputs(e))
    plain, again, known, based = (
        measure_snapshot(replace(e, **change), found, found.model, judge, range(4))
        for change in ({}, {}, {"known": DIGITS}, {"base": "gan-mnist"})
    )
    assert plain == again and "colours" in plain and plain["step"] == 0
    assert {*known} - {*plain} == {"out_of_class_share"} and {*based} - {*plain} == {"realness"}


@pytest.mark.parametrize(("name", "changes", "why"), [
    ("can-mnist", {"how": {"lambda": 1.0}}, "creative adversarial has no option lambda"),
    ("hacked-mnist", {"how": {"lr": "fast"}}, "option lr of loss hacking is 'fast'"),
    ("feedback-clothes-digits", {"how": {"seed": 3}}, "feedback has no option seed"),
    ("towards-a", {"how": {"to": "Ä"}}, "unknown class"), ("towards-a", {"how": {"far": 1}}, "no option far"),
])  # fmt: skip
def test_a_wrong_setting_of_a_method_is_named(name, changes, why, judge):
    e = small(name, **changes)
    with pytest.raises(ValueError, match=why):
        list(snapshots(e, inputs(e, judge)))


@pytest.mark.parametrize(("change", "why"), [
    ({"method": "wishing"}, "unknown method 'wishing'"), ({"kept": (3, 1)}, "kept is"),
    ({"steps": 5}, "no option steps"), ({"batch": 1}, "batch is 1"),
])  # fmt: skip
def test_an_experiment_that_cannot_be_is_refused(change, why):
    with pytest.raises(ValueError, match=why):
        preset("gan-mnist", **change)
    e = small("can-mnist")
    with pytest.raises(ValueError, match="give both"):
        list(snapshots(e, Inputs(new(e))))
