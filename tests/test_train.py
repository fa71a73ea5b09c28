"""`fit` trains everything: on a copy, only what may move, the same way every time; batches, augmentation, precision."""

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from itertools import chain, islice, pairwise, repeat

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from toolkit import train
from toolkit.models import create
from toolkit.train import ConcatImages, Objective, Shuffled, constant, fit, linear, training

X = torch.rand(8, 1, generator=torch.Generator().manual_seed(0))


class Line(nn.Module):
    """Two weights, one of which may move, and a part that behaves otherwise in training."""

    def __init__(self):
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.5))
        self.part = nn.Dropout(0.5)
        self.eval().requires_grad_(False)

    def objectives(self):
        return {"line": Objective(lambda x: (self.slope * x + self.offset).square().mean(), [self.slope], lr=0.01)}


class Duel(nn.Module):
    """A toy adversarial pair: the maker is trained towards what the critic scores highly, the critic away from it."""

    def __init__(self, maker_lr=0.01, critic_lr=0.01):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.maker, self.critic = nn.Linear(1, 1), nn.Linear(1, 1)
        self.lr = {"critic": critic_lr, "maker": maker_lr}
        self.eval().requires_grad_(False)

    def objectives(self):
        def score(x):
            return self.critic(self.maker(x)).mean()

        maker, critic = [*self.maker.parameters()], [*self.critic.parameters()]
        return {
            "critic": Objective(lambda x: score(x) - self.critic(x).mean(), critic, lr=self.lr["critic"]),
            "maker": Objective(lambda x: -score(x), maker, lr=self.lr["maker"]),
        }


def same(a, b):
    mine, yours = a.state_dict(), b.state_dict()
    return all(torch.equal(mine[key], yours[key]) for key in mine)


def numbered(n):
    """So many images of one pixel, each as bright as its number."""
    return torch.arange(n, dtype=torch.uint8)[:, None, None, None]


# ---- what is trained


def test_the_model_given_is_left_as_it_was_also_by_an_error():
    # regression: the teacher was the student, and sampling from it changed its mode for good
    model = Line()
    learned = fit(model, repeat(X), steps=3)
    assert learned is not model and same(model, Line()) and not same(learned, model)
    with pytest.raises(FloatingPointError):
        fit(model, [X, X, X / 0], steps=3)
    assert same(model, Line()) and not model.part.training and not model.slope.requires_grad
    assert model.slope.grad is None


def test_a_model_is_trained_in_training_mode_and_returned_frozen_in_eval_mode_however_it_was():
    seen = []

    def objectives(model):
        return {"line": Objective(lambda x: seen.append(model.part.training) or model.slope.square(), [model.slope])}

    learned = fit(Line().train(), repeat(X), steps=2, objectives=objectives)
    assert seen == [True, True] and not any(module.training for module in learned.modules())
    assert not any(parameter.requires_grad for parameter in learned.parameters())


def test_every_part_gets_its_own_mode_back_also_after_an_error():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    model[1].eval()
    before = [module.training for module in model.modules()]
    with suppress(KeyError), training(model) as awake:
        assert all(module.training for module in awake.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == before == [True, True, False, False]


def test_only_the_parameters_of_the_objective_move_and_no_steps_change_nothing():
    learned = fit(Line(), repeat(X), steps=3)
    assert learned.offset == 0.5 and learned.slope != 1 and same(fit(Line(), repeat(X), steps=0), Line())


@pytest.mark.parametrize(("decay", "left"), [(constant, [1, 1, 1]), (linear, [1, 0.75, 0.5])])
def test_a_decaying_rate_makes_each_move_smaller(decay, left):
    values = []  # a loss that is the weight itself: each move of Adam is the whole learning rate
    fit(
        Line(), repeat(X), steps=4, decay=decay, on_step=lambda step, losses: values.append(losses["slope"]),
        objectives=lambda model: {"slope": Objective(lambda x: model.slope * 1, [model.slope], lr=0.01)},
    )  # fmt: skip
    moves = [before - after for before, after in pairwise(values)]
    assert moves == pytest.approx([0.01 * share for share in left], rel=1e-3)


@pytest.mark.parametrize("still", ["maker", "critic"])
def test_of_two_objectives_each_moves_its_own_parameters_and_no_others(still):
    learned, given = fit(Duel(), repeat(X), steps=3), Duel()
    assert not same(learned.maker, given.maker) and not same(learned.critic, given.critic)
    learned = fit(Duel(**{f"{still}_lr": 0.0}), repeat(X), steps=3)
    assert same(getattr(learned, still), getattr(given, still)) and not same(learned, given)


def test_gradients_of_one_objective_do_not_leak_into_the_other():
    alone = fit(Duel(critic_lr=0.0), repeat(X), steps=3, objectives=lambda m: {"maker": m.objectives()["maker"]})
    assert same(fit(Duel(critic_lr=0.0), repeat(X), steps=3).maker, alone.maker)


def test_a_step_is_that_of_a_loop_written_by_hand():
    model = create("WTA", {"filters": 4, "size": 16}, seed=0)
    x = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    by_hand = deepcopy(model).requires_grad_(True)
    optimiser = torch.optim.Adam(by_hand.parameters(), 1e-3)
    for _ in range(5):
        optimiser.zero_grad()
        with train.autocast(x.device):
            (by_hand(x) - x).square().mean().backward()
        optimiser.step()
    plain = fit(model, repeat(x), steps=5, objectives=lambda m: {
        "plain": Objective(lambda x: (m(x) - x).square().mean(), [*m.parameters()])
    })  # fmt: skip
    for mine, theirs in zip(plain.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_an_objective_may_bring_an_optimiser_of_its_own():
    def descent(model):
        return {"line": replace(model.objectives()["line"], lr=0.1, optimiser=torch.optim.SGD)}

    learned = fit(Line(), repeat(X), steps=1, objectives=descent)
    by_hand = (2 * (X + 0.5) * X).mean()  # the gradient of the slope, of which SGD takes a tenth
    torch.testing.assert_close(learned.slope, 1 - 0.1 * by_hand)
    still = fit(Line(), repeat(X), steps=2, objectives=descent, decay=lambda progress: 0.0)
    assert torch.equal(still.slope, Line().slope)


@pytest.mark.parametrize("architecture", ["WTA", "DCGAN", "ConvAE"])  # one objective, two, an optimiser of its own
def test_training_in_two_parts_with_the_state_carried_is_training_in_one(architecture):
    model = create(architecture, {"filters": 2, **({"size": 32} if architecture == "DCGAN" else {})}, seed=0)
    batches = [torch.rand(4, *model.image_shape, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    parameters, state = [p for objective in model.objectives().values() for p in objective.params], {}
    half = fit(model, batches[:3], steps=3, state=state)
    assert len(state) >= len(parameters)
    carried = fit(half, batches[3:], steps=3, state=state)
    assert not same(carried, fit(half, batches[3:], steps=3))
    if architecture != "DCGAN":  # which draws codes, from the seed of each part
        assert same(carried, fit(model, batches, steps=6))


def test_the_state_of_another_model_is_refused():
    state = {}
    fit(create("WTA", {"filters": 2}, seed=0), [torch.rand(4, 1, 28, 28)], steps=1, state=state)
    with pytest.raises(ValueError, match="no moments for parameter 0 of reconstruction"):
        fit(create("WTA", {"filters": 3}, seed=0), [torch.rand(4, 1, 28, 28)], steps=1, state=state)


# ---- repeatable


def test_two_runs_are_equal_to_the_bit_on_repeatable_kernels():
    images = torch.randint(0, 256, (20, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model, batches = create("WTA", {"filters": 4, "size": 16}, seed=0), Shuffled(images, batch=6, seed=3)
    cudnn, seen = torch.backends.cudnn, []
    before = cudnn.deterministic, cudnn.benchmark
    note = lambda step, losses: seen.append((cudnn.deterministic, cudnn.benchmark))  # noqa: E731
    runs = [fit(model, batches, steps=5, on_step=note) for _ in range(2)]
    assert same(*runs) and not same(runs[0], model)
    assert {*seen} == {(True, False)} and (cudnn.deterministic, cudnn.benchmark) == before


def test_what_objectives_draw_at_random_comes_from_the_seed_and_leaves_the_callers_generator_alone():
    model, batches = create("VAE", {"widths": [8], "z": 2}, seed=0), Shuffled(torch.zeros(8, 1, 28, 28).byte(), 4)
    before = torch.random.get_rng_state()
    first, again, other = (fit(model, batches, steps=2, seed=seed) for seed in (1, 1, 2))
    assert same(first, again) and not same(first, other) and torch.equal(before, torch.random.get_rng_state())


# ---- the callback


@pytest.mark.parametrize("steps", [0, 1, 4, 5, 12])
def test_the_callback_gets_every_step_in_order_with_every_loss_however_late_they_are_read_back(steps):
    calls = [[], []]
    for every, found in zip((1, 5), calls, strict=True):
        fit(Duel(), repeat(X), steps=steps, on_step=lambda *call, found=found: found.append(call), every=every)
    assert calls[0] == calls[1] and [step for step, _ in calls[0]] == list(range(steps))
    assert all(list(losses) == ["critic", "maker"] for _, losses in calls[0])


def test_losses_are_read_back_together_and_no_batch_is_drawn_that_is_not_needed():
    events = []
    batches = iter(lambda: events.append(-1) or X, None)  # -1: a batch was drawn
    fit(Line(), batches, steps=5, on_step=lambda step, losses: events.append(step), every=3)
    assert events == [-1, -1, -1, 0, 1, 2, -1, -1, 3, 4]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("every", [1, 2, 50])
def test_a_loss_that_is_not_finite_stops_at_its_step_however_late_it_is_read(every, value):
    steps = []
    with pytest.raises(FloatingPointError, match="^the line loss became [^\n]* at step 2: lower the learning rate$"):
        fit(Line(), [X, X, X * value, X, X], steps=5, on_step=lambda step, _: steps.append(step), every=every)
    assert steps == [0, 1]


# ---- batches


class Pair:
    """A batch of another kind than a tensor."""

    def to(self, device):
        return X.to(device), 3 * X.to(device)


LOADER = DataLoader(TensorDataset(X, 3 * X), 4)


@pytest.mark.parametrize("batches", [repeat(Pair()), repeat([X, 3 * X]), chain.from_iterable(repeat(LOADER))],
                         ids=["an object", "a list", "a DataLoader"])  # fmt: skip
def test_a_batch_may_be_anything_that_moves_to_a_device(batches):
    def objectives(model):
        return {"line": Objective(lambda xy: (model.slope * xy[0] - xy[1]).square().mean(), [model.slope], lr=0.1)}

    assert fit(Line(), batches, steps=200, objectives=objectives).slope.item() == pytest.approx(3, abs=0.01)
    assert same(fit(Line(), DataLoader(TensorDataset(X), 8), steps=1), fit(Line(), [X], steps=1))


def test_a_tensor_for_batches_or_a_model_without_objectives_is_refused_in_a_sentence():
    for model, batches, sentence in (
        (Line(), X, "batches is one tensor: give batches of it, such as Shuffled"),
        (nn.Linear(1, 1), repeat(X), "a Linear has no objectives: give objectives="),
    ):
        with pytest.raises(ValueError, match=rf"^{sentence}[^\n]*$"):
            fit(model, batches, steps=1)


def test_an_epoch_has_every_image_once_in_an_order_that_belongs_to_the_seed_and_to_no_other_generator():
    before = torch.random.get_rng_state()
    data = Shuffled(numbered(10), batch=4, seed=1)
    shown = [batch.flatten().mul(255).round().int().tolist() for batch in islice(data, 2 * data.steps_per_epoch)]
    assert [len(batch) for batch in shown] == [4, 4, 2] * 2
    first, second = list(chain(*shown[:3])), list(chain(*shown[3:]))
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    once, again, other = (next(iter(Shuffled(numbered(50), batch=50, seed=seed))) for seed in (1, 1, 2))
    assert torch.equal(once, again) and not torch.equal(once, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_bytes_become_floats_from_0_to_1_with_every_level_kept_in_the_same_order_on_every_device():
    x = next(iter(Shuffled(numbered(256), batch=256)))
    assert x.dtype == torch.float32 and x.min() == 0 and x.max() == 1
    assert sorted((x * 255).round().int().flatten().tolist()) == list(range(256))
    data = Shuffled(numbered(10), batch=4, seed=1)
    moved = data.on(torch.device("meta"))  # no accelerator needed, and no bytes
    assert moved.images.is_meta and next(iter(moved)).is_meta
    assert all(torch.equal(*pair) for pair in islice(zip(data, data.on(torch.device("cpu")), strict=True), 6))


# ---- a data set in several tensors


def test_concatenated_images_are_those_of_one_tensor_and_share_the_memory_of_their_parts():
    source = torch.Generator().manual_seed(0)
    parts = [torch.randint(0, 256, (n, 1, 2, 3), dtype=torch.uint8, generator=source) for n in (4, 1, 7)]
    images, whole = ConcatImages.of(parts[0]) + parts[1] + ConcatImages((parts[2],)), torch.cat(parts)
    rows = torch.tensor([11, 0, 4, 4, 5, 3])
    assert len(images) == 12 and torch.equal(images[rows], whole[rows]) and torch.equal(images[rows[:0]], whole[:0])
    assert [part.data_ptr() for part in images.parts] == [part.data_ptr() for part in parts]
    assert ConcatImages.of(images) is images and images.to(torch.device("cpu")) is images
    batches = (iter(Shuffled(each, batch=5, seed=2)) for each in (images, whole))
    assert all(torch.equal(*pair) for pair in islice(zip(*batches, strict=True), 7))
    images[torch.tensor([0])].zero_()  # a copy
    assert torch.equal(images[torch.arange(12)], whole)
    for row in (12, -1):
        with pytest.raises(IndexError, match=f"image {row}.* 12"):
            images[torch.tensor([row])]
    moved = images.to(torch.device("meta"))  # no accelerator needed, and no bytes
    assert moved.shape == (12, 1, 2, 3) and moved.dtype == torch.uint8


# ---- which processors compute in bfloat16


@pytest.fixture
def uncached():
    train.native_bfloat16.cache_clear()
    yield
    train.native_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("capable", "native"),
    [({"amx_bf16": True, "avx512_bf16": True}, True), ({"amx_bf16": False, "avx512_bf16": False}, False), ({}, False)],
    ids=["tiles", "neither", "unknown"],
)
def test_a_processor_computes_in_bfloat16_if_it_has_tiles(capable, native, monkeypatch, uncached):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable, raising=False)
    with train.autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if native else torch.float32)
