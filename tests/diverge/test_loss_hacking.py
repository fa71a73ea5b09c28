"""A generator against its own frozen discriminator, and what all learners share."""

from itertools import islice

import pytest
import torch

from toolkit.diverge.divergent_fine_tuning import loss_hacking, realness
from toolkit.diverge.snapshots import Codes, learn, still
from toolkit.seeds import Noise


@pytest.mark.parametrize("form", ["cross-entropy", "logit"])
def test_the_discriminator_finds_what_is_drawn_ever_less_real(form, tiny):
    gan = tiny("DCGAN")
    drawn = [s.model.sample(Noise(range(32))) for s in loss_hacking(gan, (0, 10, 30), lr=3e-3, form=form)]
    scores = [gan.realness(x).mean() for x in drawn]
    assert scores[0] > scores[1] > scores[2] and 0.49 < realness(gan, drawn[0]) < 0.51  # it was never trained


def test_the_discriminator_is_frozen_and_the_gan_given_stays(tiny, same):
    gan = tiny("DCGAN")
    *_, last = loss_hacking(gan, (0, 3), lr=1e-2)
    assert same(gan, tiny("DCGAN")) and same(last.model.discriminator, gan.discriminator)
    assert not same(last.model.generator, gan.generator)


@pytest.mark.parametrize(("kept", "lr"), [((0,), 1e-2), ((3,), 0.0)], ids=["no steps", "no rate"])
def test_no_steps_or_no_rate_leave_it_as_it_was(kept, lr, tiny, same):
    (found,) = loss_hacking(tiny("DCGAN"), kept, lr=lr)
    assert same(found.model, tiny("DCGAN"))


def test_what_is_kept_does_not_alter_what_is_learned_and_the_seed_does(tiny, same):
    (few,), many = loss_hacking(tiny("DCGAN"), (4,)), list(loss_hacking(tiny("DCGAN"), (0, 1, 2, 4)))
    (other,) = loss_hacking(tiny("DCGAN"), (4,), seed=1)
    assert [s.step for s in many] == [0, 1, 2, 4] and many[0].losses == {} and {*many[1].losses} == {"fake"}
    assert same(few.model, many[-1].model) and not same(few.model, other.model)


def test_a_picture_does_not_depend_on_its_batch(tiny):
    *_, last = loss_hacking(tiny("DCGAN"), (3,), lr=1e-2)
    both, alone = (last.model.sample(Noise(seeds)) for seeds in ((4, 5), (5,)))
    torch.testing.assert_close(both[1:], alone, atol=1e-6, rtol=1e-5)


def test_a_rate_under_zero_and_steps_that_fall_are_refused(tiny):
    with pytest.raises(ValueError, match="lr is -1"):
        loss_hacking(tiny("DCGAN"), lr=-1.0)
    with pytest.raises(ValueError, match="unknown form 'hinge'"):
        loss_hacking(tiny("DCGAN"), form="hinge")
    for kept in ((), (3, 2), (-1, 2), (2, 2)):
        with pytest.raises(ValueError, match="kept is"):
            next(learn(tiny("DCGAN"), Codes((3,)), kept))


def test_a_still_model_is_as_at_rest_and_then_as_before(tiny):
    gan = tiny("DCGAN").train()
    gan.discriminator.eval()
    with still(gan):
        assert not any(module.training for module in gan.modules())
    assert gan.generator.training and not gan.discriminator.training


def test_codes_are_the_same_whenever_they_are_iterated():
    a, b = (torch.stack([*islice(codes, 3)]) for codes in (Codes((5,), 4, 1),) * 2)
    assert a.shape == (3, 4, 5) and torch.equal(a, b)
    assert not torch.equal(a, torch.stack([*islice(Codes((5,), 4, 2), 3)]))


def test_a_learner_changes_nobody_elses_random_numbers(tiny):
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    list(loss_hacking(tiny("DCGAN"), (0, 2)))
    assert torch.equal(torch.rand(3), wanted)
