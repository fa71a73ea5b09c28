"""The loop with plain functions instead of models: the order of learn, teach, inherit."""

from itertools import islice

import pytest
import torch

from toolkit.iterated import (  # fmt: skip
    TeacherSamples,
    accumulate,
    filtered,
    fresh,
    iterated_learning,
    preserve,
    replace_data,
    reset,
    select_top,
    subsample,
    teacher_samples,
)
from toolkit.models import create
from toolkit.presets import preset
from toolkit.samplers import Sampling, generate
from toolkit.seeds import child
from toolkit.train import fit

TINY = {"filters": 2}
SHORT = Sampling(limit=2)


def turns(inherit, teach=lambda index, data, model: [*data, model]):
    loop = iterated_learning(
        "", [], learn=lambda index, model, data: f"{model}{index}", teach=teach, inherit=inherit, iterations=3
    )
    return [(turn.index, turn.model, turn.data) for turn in loop]


def test_a_model_learns_then_generates_then_is_inherited():
    assert turns(preserve) == [(1, "1", []), (2, "12", ["1"]), (3, "123", ["1", "12"])]
    assert [model for _, model, _ in turns(reset("a"))] == ["1", "a2", "a3"]
    assert [model for _, model, _ in turns(fresh(lambda index: f"f{index}-"))] == ["1", "f1-2", "f2-3"]


def test_accumulating_keeps_the_data_and_replacing_does_not():
    data, new = torch.zeros(3, 1), torch.ones(2, 1)
    both = accumulate(lambda index, model: new)(1, data, None)
    assert len(both) == 5 and both[torch.arange(5)].flatten().tolist() == [0, 0, 0, 1, 1]
    assert torch.equal(replace_data(lambda index, model: new)(1, data, None), new)


def hundred(index, model):
    return torch.arange(100) + 1000 * index


def test_a_share_is_kept_without_repeats_and_belongs_to_the_iteration_and_a_share_of_one_is_everything():
    teach = replace_data(hundred)
    assert subsample(teach, 1, seed=0) is teach
    thin = subsample(teach, 0.3, seed=0)
    once, again, next_one = thin(1, None, None), thin(1, None, None), thin(2, None, None)
    assert torch.equal(once, again) and not torch.equal(once + 1000, next_one) and len(once.unique()) == 30


def test_keeping_all_that_is_generated_is_no_filter():
    """The neutral element."""
    everything, data = filtered(hundred, lambda index, images: torch.arange(len(images))), torch.zeros(3).long()
    for teach in (replace_data, accumulate):
        with_filter, without = teach(everything)(1, data, None), teach(hundred)(1, data, None)
        rows = torch.arange(len(without))
        assert torch.equal(with_filter[rows], without[rows])
    assert torch.equal(filtered(hundred, select_top(lambda images: -images, 1))(2, None), hundred(2, None))


def test_a_filter_stands_between_generating_and_accumulating():
    even = filtered(lambda index, model: torch.arange(10), lambda index, images: torch.arange(index - 3, 10, 2))
    assert accumulate(even)(3, torch.zeros(3).long(), None)[torch.arange(8)].tolist() == [0, 0, 0, 0, 2, 4, 6, 8]


@pytest.mark.parametrize(("scores", "share", "kept"), [
    ([1, 5, 3, 5, 2], 0.4, [1, 3]), ([0] * 5, 0.6, [0, 1, 2]), ([1, 5, 3, 5, 2], 0.01, [1]),  # at least one
])  # fmt: skip
def test_the_best_are_kept_in_their_order(scores, share, kept):
    assert select_top(lambda images: torch.tensor(scores), share)(1, torch.zeros(5, 1)).tolist() == kept


@pytest.mark.parametrize("share", [0.07, 0.29, 0.5, 0.7, 0.9, 1.0])
def test_of_proportionally_more_the_best_are_as_many_as_were_wanted(share):
    count = preset("fig2", generated=29, filter=f"novelty:{share}").candidates
    assert len(select_top(lambda images: images.float(), share)(1, torch.arange(count))) == 29


def test_accumulating_copies_nothing_and_a_share_of_it_is_a_set_of_its_own():
    # regression: old and new images lay twice in memory while they were joined
    data, new = torch.zeros(3, 1), torch.ones(2, 1)
    teach = accumulate(lambda index, model: new)
    assert [part.data_ptr() for part in teach(1, data, None).parts] == [data.data_ptr(), new.data_ptr()]
    assert len(subsample(teach, 0.6, seed=0)(1, data, None)) == 3


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_an_impossible_share_is_refused(share):
    for refused in (lambda: subsample(replace_data(hundred), share, seed=0), lambda: select_top(torch.sum, share)):
        with pytest.raises(ValueError, match="share"):
            refused()


@pytest.mark.parametrize(("name", "options"), [
    ("WTA", TINY), ("ConvVAE", {"size": 16, "filters": 2, "width": 4, "z": 2}),  # which decodes codes
])  # fmt: skip
def test_a_teachers_samples_repeat_with_successive_seeds_however_many_are_drawn_ahead(name, options):
    teacher = create(name, options, seed=0)
    batches = TeacherSamples(teacher, SHORT, batch=4, seed=5)
    samples = list(islice(batches, 15))  # 48 are drawn at once, then 48 more
    assert torch.equal(samples[0], next(iter(batches))) and not torch.equal(samples[0], samples[1])
    start = child(5, "lectures")
    whole = generate(teacher, range(start, start + 96), SHORT, chunk=48).images.float() / 255
    assert torch.equal(torch.cat(samples), whole[:60]) and 0 <= whole.min() <= whole.max() <= 1


def test_a_teacher_does_not_become_its_student():
    """Regression: with kept weights the published code trains on samples of the very model that is being trained."""
    teacher = create("WTA", TINY, seed=0)
    before = {name: weight.clone() for name, weight in teacher.state_dict().items()}
    samples = teacher_samples(SHORT, 3, 0)(1, None, teacher)
    student = fit(preserve(1, teacher), samples, steps=3)
    assert all(torch.equal(before[name], weight) for name, weight in teacher.state_dict().items())
    assert any(not torch.equal(before[name], weight) for name, weight in student.state_dict().items())
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())
