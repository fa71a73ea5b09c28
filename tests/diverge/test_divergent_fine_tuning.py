"""One set of pictures on the way to another, and a model that learns from itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.diverge.divergent_fine_tuning import feedback, fine_tune
from toolkit.seeds import Noise

Make = Callable[..., Any]
FEW: dict[str, Any] = {"count": 8, "steps": 2, "batch": 4}


@pytest.fixture
def others(images: Tensor) -> Tensor:
    """The six drawings as a set of bytes."""
    return (255 * images).byte()


def missed(model: Any, images: Tensor) -> float:
    return float((model.reconstruct(images) - images).square().mean())


@pytest.mark.parametrize("name", ["VAE", "WTA", "Manifold"])
def test_a_model_tuned_to_other_pictures_draws_them_better_step_by_step(tiny: Make, images: Tensor, name: str) -> None:
    found = list(fine_tune(tiny(name), (255 * images).byte(), [0, 20, 60], rate=2.0))
    before, between, after = (missed(snapshot.model, images) for snapshot in found)
    assert before > between > after and [snapshot.step for snapshot in found] == [0, 20, 60]


def test_no_steps_are_the_model_and_the_one_given_stays_as_it_was(tiny: Make, same: Make, others: Tensor) -> None:
    model = tiny("VAE")
    none, some = fine_tune(model, others, [0, 3])
    assert same(none.model, model) and same(model, tiny("VAE")) and not same(some.model, model)
    assert none.model is not model and not none.losses and some.losses["evidence"] > 0


def test_a_rate_of_zero_leaves_every_weight(tiny: Make, same: Make, others: Tensor) -> None:
    (tuned,) = fine_tune(tiny("VAE"), others, [5], rate=0.0)
    (round_,) = feedback(tiny("VAE"), [2], rate=0.0, **FEW)
    assert same(tuned.model, tiny("VAE")) and same(round_.model, tiny("VAE"))
    (gan,) = fine_tune(tiny("DCGAN"), others, [2], rate=0.0)
    assert all(map(torch.equal, gan.model.parameters(), tiny("DCGAN").parameters()))


def test_which_steps_are_kept_does_not_alter_what_is_learned(tiny: Make, same: Make, others: Tensor) -> None:
    *_, last = fine_tune(tiny("VAE"), others, [0, 1, 4])
    (alone,) = fine_tune(tiny("VAE"), others, [4])
    *_, heard = feedback(tiny("VAE"), [0, 1, 2], **FEW)
    (unheard,) = feedback(tiny("VAE"), [2], **FEW)
    assert same(last.model, alone.model) and same(heard.model, unheard.model)


def test_a_seed_is_a_training_and_another_is_another(tiny: Make, same: Make, others: Tensor) -> None:
    one, again, other = (next(fine_tune(tiny("VAE"), others, [3], seed=seed)).model for seed in (1, 1, 2))
    assert same(one, again) and not same(one, other)
    one, again, other = (next(feedback(tiny("VAE"), [1], seed=seed, **FEW)).model for seed in (1, 1, 2))
    assert same(one, again) and not same(one, other)


def test_a_picture_of_a_snapshot_does_not_depend_on_its_neighbours(tiny: Make, output: Make, others: Tensor) -> None:
    for (snapshot,) in (fine_tune(tiny("VAE"), others, [3]), feedback(tiny("VAE"), [1], **FEW)):
        together = output(snapshot.model)
        torch.testing.assert_close(snapshot.model.sample(Noise([4]))[0], together[4], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["VAE", "WTA"])
def test_a_model_in_a_loop_with_itself_moves_without_any_data(tiny: Make, same: Make, name: str) -> None:
    none, first, second = feedback(tiny(name), [0, 1, 2], rate=1.0, **FEW)
    assert same(none.model, tiny(name)) and not same(first.model, none.model) and not same(second.model, first.model)


def test_with_nothing_of_its_own_the_loop_learns_only_the_others(tiny: Make, images: Tensor, others: Tensor) -> None:
    how = {**FEW, "steps": 40, "rate": 3.0}
    (apart,) = feedback(tiny("VAE"), [1], images=others, share=1.0, **how)
    (alone,) = feedback(tiny("VAE"), [1], images=others, share=0.0, **how)
    assert missed(apart.model, images) < missed(alone.model, images)


def test_what_cannot_be_learned_is_refused_in_one_sentence(tiny: Make, others: Tensor) -> None:
    wrong: dict[str, Callable[[], Any]] = {
        "^images .* do not fit": lambda: fine_tune(tiny("VAE"), others[..., :9], [1]),
        "^rate is -1": lambda: fine_tune(tiny("VAE"), others, [1], rate=-1),
        "^share is 0.5": lambda: feedback(tiny("VAE"), [1], share=0.5),
        "^count 0": lambda: feedback(tiny("VAE"), [1], count=0),
        "^kept is ": lambda: feedback(tiny("VAE"), [3, 1]),
    }
    for words, make in wrong.items():
        with pytest.raises(ValueError, match=words + "[^\n]+$"):
            next(make())
