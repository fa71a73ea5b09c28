"""One loop trains everything: on a copy, only what may move, the same way every time."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from itertools import chain, count, islice, pairwise, repeat
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit import train
from toolkit.models import create
from toolkit.train import Objective, Shuffled, constant, fit, linear, training


class Line(nn.Module):
    """Two weights, one of which may move, and a part that behaves otherwise in training."""

    def __init__(self) -> None:
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.5))
        self.part = nn.Dropout(0.5)
        self.eval().requires_grad_(False)

    def objectives(self) -> dict[str, Objective]:
        return {"line": Objective(lambda x: (self.slope * x + self.offset).square().mean(), [self.slope], lr=0.01)}


class Duel(nn.Module):
    """A toy adversarial pair: the maker moves towards what the judge scores highly, the judge away from it."""

    def __init__(self, maker_lr: float = 0.01, judge_lr: float = 0.01) -> None:
        super().__init__()
        self.maker, self.judge = nn.Linear(1, 1), nn.Linear(1, 1)
        self.lr = {"judge": judge_lr, "maker": maker_lr}
        self.eval().requires_grad_(False)

    def objectives(self) -> dict[str, Objective]:
        def score(x: Tensor) -> Tensor:
            mean: Tensor = self.judge(self.maker(x)).mean()
            return mean

        return {
            "judge": Objective(
                lambda x: score(x) - self.judge(x).mean(), [*self.judge.parameters()], lr=self.lr["judge"]
            ),
            "maker": Objective(lambda x: -score(x), [*self.maker.parameters()], lr=self.lr["maker"]),
        }


def same(a: nn.Module, b: nn.Module) -> bool:
    mine, yours = a.state_dict(), b.state_dict()
    return all(torch.equal(mine[key], yours[key]) for key in mine)


def duel(**rates: float) -> Duel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Duel(**rates)


X = torch.rand(8, 1, generator=torch.Generator().manual_seed(0))


def test_the_model_given_is_left_as_it_was() -> None:
    # regression: the teacher was the student, and sampling from it changed its mode for good
    model = Line()
    learned = fit(model, repeat(X), steps=3)
    assert learned is not model and same(model, Line()) and not same(learned, model)
    assert not model.part.training and not model.slope.requires_grad and model.slope.grad is None


def test_the_new_model_rests_frozen_and_in_eval_mode_however_the_old_one_was() -> None:
    learned = fit(Line().train(), repeat(X), steps=3)
    assert not any(module.training for module in learned.modules())
    assert not any(parameter.requires_grad for parameter in learned.parameters())


def test_a_model_learns_in_training_mode() -> None:
    seen: list[bool] = []

    def objectives(model: Line) -> dict[str, Objective]:
        def loss(x: Tensor) -> Tensor:
            seen.append(model.part.training)
            return model.slope.square()

        return {"line": Objective(loss, [model.slope])}

    fit(Line(), repeat(X), steps=2, objectives=objectives)
    assert seen == [True, True]


def test_only_the_parameters_of_the_objective_move() -> None:
    learned = fit(Line(), repeat(X), steps=3)
    assert learned.offset == 0.5 and learned.slope != 1


@pytest.mark.parametrize(("decay", "left"), [(constant, [1, 1, 1]), (linear, [1, 0.75, 0.5])])
def test_a_decaying_rate_makes_each_move_smaller(decay: Callable[[float], float], left: list[float]) -> None:
    heard: list[float] = []  # a loss that is the weight itself: each move of Adam is the whole learning rate
    fit(
        Line(),
        repeat(X),
        steps=4,
        objectives=lambda model: {"slope": Objective(lambda x: model.slope * 1, [model.slope], lr=0.01)},
        on_step=lambda step, losses: heard.append(losses["slope"]),
        decay=decay,
    )
    assert [before - after for before, after in pairwise(heard)] == pytest.approx(
        [0.01 * share for share in left], rel=1e-3
    )


def test_no_steps_change_nothing() -> None:
    assert same(fit(Line(), repeat(X), steps=0), Line())


def test_every_part_gets_its_own_mode_back_also_after_an_error() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    model[1].eval()
    before = [module.training for module in model.modules()]
    with suppress(KeyError), training(model) as awake:
        assert all(module.training for module in awake.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == before == [True, True, False, False]


def test_an_error_in_the_middle_leaves_the_model_given_as_it_was() -> None:
    model = Line()
    with pytest.raises(FloatingPointError):
        fit(model, [X, X, X / 0], steps=3)
    assert same(model, Line()) and not model.part.training and not model.slope.requires_grad


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_stops_at_its_step(value: float) -> None:
    batches = [X, X, X * value, X]
    with pytest.raises(FloatingPointError, match="^the line loss became [^\n]* at step 2[^\n]*$"):
        fit(Line(), batches, steps=4)


def test_each_step_is_heard_with_every_loss() -> None:
    heard: list[tuple[int, dict[str, float]]] = []
    fit(duel(), repeat(X), steps=3, on_step=lambda step, losses: heard.append((step, losses)))
    assert [step for step, _ in heard] == [0, 1, 2]
    assert all(list(losses) == ["judge", "maker"] for _, losses in heard)


def test_a_batch_that_is_not_needed_is_not_drawn() -> None:
    drawn = count()
    fit(Line(), (X + 0 * next(drawn) for _ in repeat(None)), steps=3)
    assert next(drawn) == 3


def test_two_objectives_are_both_stepped() -> None:
    learned, given = fit(duel(), repeat(X), steps=3), duel()
    assert not same(learned.maker, given.maker) and not same(learned.judge, given.judge)


@pytest.mark.parametrize("still", ["maker", "judge"])
def test_an_objective_moves_its_own_parameters_and_no_others(still: str) -> None:
    rates: dict[str, Any] = {f"{still}_lr": 0.0}
    learned, given = fit(duel(**rates), repeat(X), steps=3), duel()
    assert same(getattr(learned, still), getattr(given, still)) and not same(learned, given)


def test_gradients_of_one_objective_do_not_leak_into_the_other() -> None:
    alone = fit(duel(judge_lr=0.0), repeat(X), steps=3, objectives=lambda m: {"maker": m.objectives()["maker"]})
    assert same(fit(duel(judge_lr=0.0), repeat(X), steps=3).maker, alone.maker)


def test_two_runs_are_equal_to_the_bit() -> None:
    images = torch.randint(0, 256, (20, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model = create("WTA", {"filters": 4, "size": 16}, seed=0)
    runs = [fit(model, Shuffled(images, batch=6, seed=3), steps=5) for _ in range(2)]
    assert same(*runs) and not same(runs[0], model)


def test_an_epoch_shows_every_image_once_and_the_next_one_in_another_order() -> None:
    images = torch.arange(10, dtype=torch.uint8)[:, None, None, None]
    data = Shuffled(images, batch=4, seed=1)
    shown = [batch.flatten().mul(255).round().int().tolist() for batch in islice(data, 2 * data.steps_per_epoch)]
    assert [len(batch) for batch in shown] == [4, 4, 2] * 2
    first, second = list(chain(*shown[:3])), list(chain(*shown[3:]))
    assert sorted(first) == sorted(second) == list(range(10)) and first != second


def test_iterating_again_repeats_the_order_and_another_seed_changes_it() -> None:
    images = torch.arange(50, dtype=torch.uint8)[:, None, None, None]
    once, again, other = (next(iter(Shuffled(images, batch=50, seed=seed))) for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)


def test_bytes_become_floats_from_0_to_1_with_every_level_kept() -> None:
    images = torch.arange(256, dtype=torch.uint8)[:, None, None, None]
    x = next(iter(Shuffled(images, batch=256)))
    assert x.dtype == torch.float32 and x.min() == 0 and x.max() == 1
    assert Counter((x * 255).round().int().flatten().tolist()) == Counter(range(256))


def test_shuffling_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    next(iter(Shuffled(torch.zeros(9, 1, 1, 1, dtype=torch.uint8))))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("steps", [0, 1, 4, 5, 12])
def test_losses_read_back_later_are_heard_in_full_and_in_order(steps: int) -> None:
    heard: list[list[tuple[int, dict[str, float]]]] = [[], []]
    for every, told in zip((1, 5), heard, strict=True):
        fit(duel(), repeat(X), steps=steps, on_step=lambda *said, told=told: told.append(said), every=every)
    assert heard[0] == heard[1] and len(heard[0]) == steps


def test_losses_are_read_back_together() -> None:
    heard: list[int] = []
    batches = iter(lambda: heard.append(-1) or X, None)  # -1: a batch was drawn
    fit(Line(), batches, steps=5, on_step=lambda step, losses: heard.append(step), every=3)
    assert heard == [-1, -1, -1, 0, 1, 2, -1, -1, 3, 4]


@pytest.mark.parametrize("every", [2, 50])
def test_a_loss_that_is_not_finite_is_found_at_its_step_however_late_it_is_read(every: int) -> None:
    heard: list[int] = []
    with pytest.raises(FloatingPointError, match="^the line loss became nan at step 2: "):
        fit(Line(), [X, X, X * float("nan"), X, X], steps=5, on_step=lambda s, _: heard.append(s), every=every)
    assert heard == [0, 1]


class Labelled:
    """A batch of another kind than a tensor."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def to(self, device: torch.device) -> "Labelled":
        return Labelled(self.images.to(device), self.labels.to(device))


def test_a_batch_may_be_anything_that_goes_to_a_device() -> None:
    def objectives(model: Line) -> dict[str, Objective]:
        def loss(batch: Labelled) -> Tensor:
            return (model.slope * batch.images - batch.labels).square().mean()

        return {"line": Objective(loss, [model.slope], lr=0.1)}  # type: ignore[arg-type]

    learned = fit(Line(), repeat(Labelled(X, 3 * X)), steps=200, objectives=objectives)
    assert learned.slope.item() == pytest.approx(3, abs=0.01)


def test_batches_move_to_a_device_in_the_order_they_had() -> None:
    images = torch.arange(10, dtype=torch.uint8)[:, None, None, None]
    data = Shuffled(images, batch=4, seed=1)
    moved = data.on(torch.device("meta"))  # no accelerator needed, and no bytes
    assert isinstance(moved.images, Tensor) and moved.images.is_meta and next(iter(moved)).is_meta
    assert all(torch.equal(*pair) for pair in islice(zip(data, data.on(torch.device("cpu")), strict=True), 6))


def test_a_step_is_that_of_a_loop_written_by_hand() -> None:
    model = create("WTA", {"filters": 4, "size": 16}, seed=0)
    x = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    loss: dict[str, Callable[..., dict[str, Objective]]] = {
        "objectives": lambda m: {"plain": Objective(lambda x: (m(x) - x).square().mean(), [*m.parameters()])}
    }
    by_hand = deepcopy(model).requires_grad_(True)
    optimiser = torch.optim.Adam(by_hand.parameters(), 1e-3)
    for _ in range(5):
        optimiser.zero_grad()
        with train.autocast(x.device):
            (by_hand(x) - x).square().mean().backward()
        optimiser.step()
    learned = fit(model, repeat(x), steps=5, **loss)
    assert all(
        torch.allclose(*pair, atol=1e-6) for pair in zip(learned.parameters(), by_hand.parameters(), strict=True)
    )


def test_what_objectives_draw_at_random_comes_from_the_seed_and_disturbs_nobody_elses() -> None:
    model, lessons = create("VAE", {"widths": [8], "z": 2}, seed=0), Shuffled(torch.zeros(8, 1, 28, 28).byte(), 4)
    before = torch.random.get_rng_state()
    first, again, other = (fit(model, lessons, steps=2, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(before, torch.random.get_rng_state())


def test_training_picks_repeatable_kernels_and_leaves_the_choice_of_others_alone() -> None:
    cudnn, seen = torch.backends.cudnn, []
    before = cudnn.deterministic, cudnn.benchmark
    fit(Line(), repeat(X), steps=1, on_step=lambda step, losses: seen.append((cudnn.deterministic, cudnn.benchmark)))
    assert seen == [(True, False)] and (cudnn.deterministic, cudnn.benchmark) == before


def test_an_objective_may_bring_an_optimiser_of_its_own() -> None:
    def descent(model: Line) -> dict[str, Objective]:
        return {"line": replace(model.objectives()["line"], lr=0.1, optimiser=torch.optim.SGD)}

    learned = fit(Line(), repeat(X), steps=1, objectives=descent)
    by_hand = (2 * (X + 0.5) * X).mean()  # the gradient of the slope, of which SGD takes a tenth
    torch.testing.assert_close(learned.slope, 1 - 0.1 * by_hand)
    still = fit(Line(), repeat(X), steps=2, objectives=descent, decay=lambda progress: 0.0)
    assert torch.equal(still.slope, Line().slope)


@pytest.mark.parametrize("architecture", ["WTA", "DCGAN", "ConvAE"])  # one objective, two, an optimiser of its own
def test_training_in_two_parts_with_the_state_carried_is_training_in_one(architecture: str) -> None:
    options = {"filters": 2, **({"size": 32} if architecture == "DCGAN" else {})}
    model = create(architecture, options, seed=0)
    batches = [torch.rand(4, *model.image_shape, generator=torch.Generator().manual_seed(i)) for i in range(6)]  # type: ignore[arg-type]
    objectives = [*model.objectives().items()]  # type: ignore[operator]
    state: dict[str, Tensor] = {}
    half = fit(model, batches[:3], steps=3, state=state)
    assert len(state) >= sum(len(objective.params) for _, objective in objectives)
    carried = fit(half, batches[3:], steps=3, state=state)
    assert not same(carried, fit(half, batches[3:], steps=3))
    if architecture != "DCGAN":  # which draws codes, from the seed of each part
        assert same(carried, fit(model, batches, steps=6))


def test_the_state_of_another_model_is_refused() -> None:
    state: dict[str, Tensor] = {}
    fit(create("WTA", {"filters": 2}, seed=0), [torch.rand(4, 1, 28, 28)], steps=1, state=state)
    with pytest.raises(ValueError, match="no moments for parameter 0 of reconstruction"):
        fit(create("WTA", {"filters": 3}, seed=0), [torch.rand(4, 1, 28, 28)], steps=1, state=state)
