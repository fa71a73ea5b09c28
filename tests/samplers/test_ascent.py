"""Gradient ascent on the image: scores that are known, steps that go nowhere, and images that know no neighbours."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import create
from toolkit.samplers import Score, ascend, class_score, confidence_score
from toolkit.samplers.ascent import (
    DIRECTIONS,
    activation,
    ball,
    content,
    gram,
    outputs,
    smoothness,
    style,
    total_variation,
    unprojected,
)
from toolkit.seeds import Noise

X = Noise(range(5)).rand(1, 12, 10)
ALL = [*DIRECTIONS, "adam"]
near_grey = Score(lambda x: -(x - 0.5).square().flatten(1).sum(1))  # its gradient is 1 - 2 x


@pytest.fixture(scope="module")
def net() -> nn.Sequential:
    """Two convolutions, which take images of any size."""
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*layers).requires_grad_(False)


@pytest.fixture(scope="module")
def judge() -> Any:
    return create("Judge", {"filters": 4, "hidden": 8}, seed=0)


def last(*args: Any, **options: Any) -> Tensor:
    *_, end = ascend(*args, **options)
    return end


# ---- the sampler


@pytest.mark.parametrize("direction", ALL)
@pytest.mark.parametrize("none", [{"steps": 0, "lr": 0.1}, {"lr": 0.0}, {"lr": 0.1, "project": ball(0)},
                                  {"lr": 0.1, "project": ball(0, "2")}])  # fmt: skip
def test_no_steps_no_rate_or_no_room_leave_the_start_bit_for_bit(direction: str, none: dict[str, Any]) -> None:
    for octaves in (1, 3):
        states = list(
            ascend(near_grey, X, **{"steps": 3, "octaves": octaves, "jitter": 2, "direction": direction, **none})
        )
        assert len(states) == 1 + octaves * none.get("steps", 3)
        assert all(torch.equal(state, X) for state in states)


@pytest.mark.parametrize("direction", ALL)
def test_every_step_raises_a_score_that_has_one_summit(direction: str) -> None:
    values = [near_grey(x) for x in ascend(near_grey, X, steps=12, lr=0.003, direction=direction)]
    assert all((after > before).all() for before, after in pairwise(values))


def test_plain_steps_are_the_gradient_itself() -> None:
    assert torch.allclose(last(near_grey, X, steps=1, lr=0.1, direction="plain"), X + 0.1 * (1 - 2 * X))
    assert last(near_grey, X, steps=60, lr=0.4, direction="plain").sub(0.5).abs().max() < 1e-6


def test_a_step_has_the_length_that_its_direction_names() -> None:
    x = 0.25 + X / 2
    moved = {name: last(near_grey, x, steps=1, lr=0.01, direction=name) - x for name in ALL}
    assert torch.allclose(moved["mean"].abs().mean((1, 2, 3)), torch.tensor(0.01))
    assert torch.allclose(moved["unit"].flatten(1).norm(dim=1), torch.tensor(0.01), atol=1e-6)
    for name in ("sign", "adam"):
        assert torch.allclose(moved[name].abs(), torch.tensor(0.01), atol=1e-5)


@pytest.mark.parametrize("direction", ALL)
def test_an_image_depends_on_its_own_seed_and_on_no_neighbour(net: nn.Module, direction: str) -> None:
    how: dict[str, Any] = {"steps": 3, "lr": 0.02, "octaves": 2, "jitter": 2, "direction": direction}
    together = last(activation(net, "2"), X, seeds=range(5), **how)
    for seed in (0, 3):
        alone = last(activation(net, "2"), X[[seed]], seeds=[seed], **how)
        assert torch.allclose(alone, together[[seed]], atol=1e-5)
    assert not torch.equal(last(activation(net, "2"), X, seeds=range(1, 6), **how), together)


def test_every_state_of_every_octave_is_an_image_of_the_full_size(net: nn.Module) -> None:
    states = list(ascend(activation(net, "2"), X, steps=4, lr=0.5, octaves=3, jitter=3))
    assert len(states) == 13
    for state in states:
        assert state.shape == X.shape
        assert 0 <= state.min() <= state.max() <= 1 and not state.requires_grad


def test_what_an_octave_adds_is_coarse_until_the_last() -> None:
    wanted = Score(lambda x: x.flatten(1).sum(1))
    first, second, *_ = ascend(wanted, torch.full((1, 1, 32, 32), 0.5), steps=1, lr=0.1, octaves=2, zoom=4)
    assert torch.allclose(second - first, torch.tensor(0.1), atol=1e-6)
    rough = Score(lambda x: (x * torch.rand(x.shape, generator=torch.Generator().manual_seed(1))).flatten(1).sum(1))
    start, coarse, fine = ascend(rough, torch.full((1, 1, 32, 32), 0.5), steps=1, lr=0.1, octaves=2, zoom=4)
    assert total_variation(coarse - start) < total_variation(fine - coarse)


@pytest.mark.parametrize(("norm", "direction"), [("inf", "sign"), ("2", "unit")])
def test_a_ball_is_never_left_and_its_edge_is_reached(norm: str, direction: str) -> None:
    away = Score(lambda x: (x - 0.5).square().flatten(1).sum(1))
    for state in ascend(away, X, steps=8, lr=0.05, direction=direction, project=ball(0.1, norm)):
        moved = (state - X).flatten(1)
        assert (moved.abs().amax(1) if norm == "inf" else moved.norm(dim=1)).max() <= 0.1 + 1e-6
    assert moved.abs().max() > 0.09 if norm == "inf" else moved.norm(dim=1).max() > 0.09


def test_a_ball_as_large_as_all_images_holds_nobody_back() -> None:
    how: dict[str, Any] = {"steps": 3, "lr": 0.2, "direction": "sign"}
    free = last(near_grey, X, project=unprojected, **how)
    assert torch.allclose(last(near_grey, X, project=ball(1), **how), free, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": -1}, "-1 steps"), ({"octaves": 0}, "0 octaves"), ({"zoom": 1.0}, "zoom 1.0"),
        ({"jitter": -1}, "jitter -1"), ({"lr": float("nan")}, "lr nan"), ({"octaves": 20}, "give fewer"),
        ({"direction": "up"}, "unknown direction"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_before_any_step(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ascend(near_grey, X, **{"steps": 1, "lr": 0.1, **wrong})


def test_a_ball_has_a_known_norm_and_a_radius() -> None:
    for wrong in ((-0.1,), (float("nan"),), (0.1, "1")):
        with pytest.raises(ValueError, match="norm|epsilon"):
            ball(*wrong)


def test_a_score_of_the_whole_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="one value of each"):
        list(ascend(Score(lambda x: x.sum()), X, steps=1, lr=0.1))


# ---- scores


def test_scores_add_up_and_are_multiplied() -> None:
    both = 3 * near_grey - smoothness * 0.5
    assert torch.allclose(both(X), 3 * near_grey(X) - 0.5 * smoothness(X))
    assert torch.equal((-near_grey)(X), -near_grey(X))


def test_total_variation_of_stripes_is_known_and_of_one_grey_is_zero() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(6, 3)[None, None]  # neighbours across differ by 1, down by 0
    assert total_variation(stripes).tolist() == [1.0]
    assert total_variation(torch.full((2, 3, 4, 4), 0.3)).tolist() == [0.0, 0.0]


def test_a_gram_matrix_is_the_mean_product_of_channels() -> None:
    h = torch.rand(2, 3, 4, 5)
    assert torch.allclose(gram(h)[1, 0, 2], (h[1, 0] * h[1, 2]).mean())
    assert torch.allclose(gram(h), gram(h.flip(2)))  # wherever it is


def test_activations_are_of_the_layer_and_the_channel_that_were_asked_for(net: nn.Module) -> None:
    h = net[0](X)
    assert torch.allclose(activation(net, "0")(X), h.square().mean((1, 2, 3)))
    assert torch.allclose(activation(net, "0", 2)(X), h[:, 2].mean((1, 2)))
    with pytest.raises(ValueError, match="has no layer '7': choose one of"):
        activation(net, "7")
    with pytest.raises(ValueError, match="channels 0 to 3, not 4"):
        activation(net, "0", 4)(X)


def test_what_comes_after_the_last_layer_does_not_run(judge: Any) -> None:
    assert outputs(judge, ["body.0"], X)["body.0"].shape == (5, 4, 12, 10)  # no image of 28 pixels


def test_a_model_with_a_sparse_path_is_looked_into_as_well() -> None:
    wta = create("WTA", {"filters": 8}, seed=0)
    x = Noise(range(2)).rand(1, 28, 28)
    name = next(name for name, module in wta.named_modules() if isinstance(module, nn.Conv2d))
    after = last(activation(wta, name), x, steps=2, lr=0.05)
    assert (activation(wta, name)(after) > activation(wta, name)(x)).all()


def test_content_and_style_are_best_at_their_own_image_and_style_does_not_care_where(net: nn.Module) -> None:
    image = X[[0]]
    assert content(net, "2", image)(image).item() == 0
    assert style(net, ["0", "2"], image)(image).item() == 0
    assert (content(net, "2", image)(X[1:]) < 0).all() and (style(net, ["0", "2"], image)(X[1:]) < 0).all()
    half = style(net, ["1"], torch.rand(1, 1, 40, 40))(torch.rand(1, 1, 40, 40))  # other noise, the same texture
    assert half > style(net, ["1"], torch.rand(1, 1, 40, 40))(torch.zeros(1, 1, 40, 40))
    taken = last(style(net, ["0", "2"], image), X[[1]], steps=40, lr=0.02, direction="adam")
    assert style(net, ["0", "2"], image)(taken) > 0.2 * style(net, ["0", "2"], image)(X[[1]])


def test_a_class_score_is_the_log_probability_of_each_images_own_class(judge: Any) -> None:
    x = Noise(range(3)).rand(1, 28, 28)
    labels = torch.tensor([1, 5, 9])
    wanted = judge.probabilities(x).log()
    assert torch.allclose(class_score(judge, labels)(x), wanted[torch.arange(3), labels], atol=1e-5)
    assert torch.allclose(class_score(judge, 5)(x), wanted[:, 5], atol=1e-5)
    assert (confidence_score(judge)(x) <= 0).all()
    with pytest.raises(ValueError, match="0 to 9"):
        class_score(judge, 10)(x)


def test_two_layers_at_once_are_those_of_one_by_one(net: nn.Module) -> None:
    both = outputs(net, ["0", "2"], X)
    for name, h in both.items():
        assert torch.equal(h, outputs(net, [name], X)[name])
