"""A generator led by what another network knows."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from toolkit.diverge.external_knowledge import Guidance, between, clip, follow, towards
from toolkit.seeds import Noise

Make = Callable[..., Any]
FEW = Guidance(batch=4, rate=1e-2)
BRIGHT = torch.tensor([1.0, 0.0])


def sides(x: Tensor) -> Tensor:
    """A network that sees how bright the upper and the lower half of a picture are."""
    return torch.stack([half.flatten(1).mean(1) for half in x.chunk(2, 2)], 1)


def led(model: Any, direction: Tensor = BRIGHT, steps: int = 5, how: Guidance = FEW, **options: Any) -> Any:
    (snapshot,) = follow(model, sides, direction, [steps], how, **options)
    return snapshot.model


@pytest.mark.parametrize("name", ["VAE", "ConvVAE", "DCGAN"])
@pytest.mark.parametrize("up", [1.0, -1.0])
def test_pictures_go_where_they_are_led(tiny: Make, output: Make, name: str, up: float) -> None:
    model = tiny(name)
    before, after = (normalize(sides(output(each)), dim=1) for each in (model, led(model, up * BRIGHT, 20)))
    assert (up * (after - before)[:, 0]).min() > 0.002


@pytest.mark.parametrize("name", ["VAE", "DCGAN"])
def test_no_steps_no_rate_and_a_direction_to_itself_lead_nowhere(
    tiny: Make, same: Make, images: Tensor, name: str
) -> None:
    model = tiny(name)
    itself = towards(sides, images, images)
    assert not itself.any()
    for unmoved in (led(model, steps=0), led(model, how=Guidance(batch=4, rate=0.0)), led(model, itself)):
        assert same(unmoved, model) and unmoved is not model


def test_the_model_given_stays_and_so_do_its_encoder_and_what_draws_the_pixels(tiny: Make, same: Make) -> None:
    model = tiny("VAE")
    moved = led(model)
    assert same(model, tiny("VAE")) and same(moved.encoder, model.encoder)
    assert torch.equal(moved.decoder[6].weight, model.decoder[6].weight) and not same(moved.decoder, model.decoder)
    last = led(model, how=Guidance(batch=4, rate=1e-2, last=True))
    assert not torch.equal(last.decoder[6].weight, model.decoder[6].weight)


def test_a_seed_is_a_training_whichever_steps_are_kept(tiny: Make, same: Make) -> None:
    *_, kept = follow(tiny("VAE"), sides, BRIGHT, [0, 2, 4], FEW, seed=1)
    assert same(kept.model, led(tiny("VAE"), steps=4, seed=1))
    assert not same(kept.model, led(tiny("VAE"), steps=4, seed=2))


def test_a_picture_of_a_model_that_was_led_does_not_depend_on_its_neighbours(tiny: Make, output: Make) -> None:
    moved = led(tiny("DCGAN"))
    torch.testing.assert_close(moved.sample(Noise([4]))[0], output(moved)[4], atol=1e-5, rtol=1e-4)


def test_in_a_step_only_the_layers_move_that_the_goal_moves_most(tiny: Make) -> None:
    model = tiny("VAE")
    moved = led(model, steps=1, how=Guidance(batch=4, rate=1e-2, layers=1, last=True))
    changed = [at for at in (0, 3, 6) if not torch.equal(moved.decoder[at].weight, model.decoder[at].weight)]
    assert changed == [6]  # the goal is of brightness, and nothing is nearer to it than what draws the pixels


def test_as_many_layers_as_there_are_is_no_choice(tiny: Make, same: Make) -> None:
    every = [led(tiny("VAE"), how=Guidance(batch=4, rate=1e-2, layers=count)) for count in (None, 2, 9)]
    assert same(every[0], every[1]) and same(every[1], every[2])


def test_the_loss_falls_from_a_right_angle(tiny: Make) -> None:
    losses = [snapshot.losses["direction"] for snapshot in follow(tiny("VAE"), sides, BRIGHT, [1, 20], FEW)]
    assert losses[0] == 1 and losses[1] < 0.7  # at first nothing has moved


def test_a_direction_is_between_the_means_of_what_pictures_show(images: Tensor) -> None:
    upper, lower = torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    upper[:, :, :2] = lower[:, :, 2:] = 0.5
    torch.testing.assert_close(towards(sides, lower, upper), torch.tensor([1.0, -1.0]) / 2**0.5)
    assert float(towards(sides, upper, images).norm()) == pytest.approx(1)


def test_between_two_classes_lies_what_the_judge_holds_for_the_one_and_against_the_other(tiny: Make) -> None:
    judge = tiny("Judge")
    direction = between(judge, "3", "8")
    logits = judge.head(1e3 * direction[None])[0]
    assert logits[8] == logits.max() and logits[3] == logits.min()
    assert not between(judge, "3", "3").any()
    torch.testing.assert_close(between(judge, "8", "3"), -direction)


def test_what_leads_nowhere_is_refused_in_one_sentence(tiny: Make) -> None:
    wrong: dict[str, Callable[[], Any]] = {
        "^a WTA draws from no codes: give ": lambda: led(tiny("WTA")),
        "^a direction of .3,. does not fit features of 2": lambda: led(tiny("VAE"), torch.ones(3)),
        "^the judge has no class A: it has 0, 1": lambda: between(tiny("Judge"), "3", "A"),
        "^rate -1": lambda: Guidance(rate=-1),
        "^batch, trial and layers are .0": lambda: Guidance(batch=0),
        "^batch, .* 0.: each": lambda: Guidance(layers=0),
        "^kept is ": lambda: next(follow(tiny("VAE"), sides, BRIGHT, [2, 1])),
    }
    for words, make in wrong.items():
        with pytest.raises(ValueError, match=words + "[^\n]*$"):
            make()


class Seer(nn.Module):
    """What open_clip gives, but that it sees the mean colour of a picture, and the letters of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.visual = SimpleNamespace(image_size=(8, 8))

    def encode_image(self, x: Tensor) -> Tensor:
        assert x.shape[1:] == (3, 8, 8)
        return self.scale * x.flatten(2).mean(2)

    def encode_text(self, tokens: Tensor) -> Tensor:
        return self.scale * tokens.float()


def test_clip_is_a_network_like_any_other_where_it_is_installed(
    tiny: Make, same: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = SimpleNamespace(
        tokenize=lambda texts: torch.tensor([[text.count(c) for c in "abc"] for text in texts]),
        create_model=lambda name, pretrained: Seer(),
    )
    monkeypatch.setitem(sys.modules, "open_clip", there)  # type: ignore[arg-type]
    seer = clip()
    assert seer.features(torch.rand(5, 1, 4, 4)).shape == (5, 3)
    assert seer.direction("b", "a")[0] > 0 > seer.direction("b", "a")[1] and not seer.direction("a", "a").any()
    (moved,) = follow(tiny("VAE"), seer.features, seer.direction("b", "a"), [2], FEW)
    assert not same(moved.model, tiny("VAE"))


@pytest.mark.parametrize("there", [None, SimpleNamespace(paste=str)], ids=["nothing", "another package of that name"])
def test_without_clip_one_sentence_says_what_would_do(there: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "clip", there)
    with pytest.raises(ModuleNotFoundError, match="^CLIP is not installed: pip install [^\n]+$"):
        clip()
