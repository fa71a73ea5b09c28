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


def test_a_share_is_kept_without_repeats_and_belongs_to_the_iteration_and_a_share_of_one_is_everything():
    teach = replace_data(lambda index, model: torch.arange(10))
    assert subsample(teach, 1, seed=0) is teach
    thin = subsample(replace_data(lambda index, model: torch.arange(100)), 0.3, seed=0)
    once, again, next_one = thin(1, None, None), thin(1, None, None), thin(2, None, None)
    assert torch.equal(once, again) and not torch.equal(once, next_one)
    assert len(once.unique()) == 30


def ten(index, model):
    return torch.arange(10) + 100 * index


def test_keeping_all_that_is_generated_is_no_filter():
    """The neutral element."""
    everything = filtered(ten, lambda index, images: torch.arange(len(images)))
    for teach in (replace_data, accumulate):
        data = torch.zeros(3, dtype=torch.long)
        with_filter, without = teach(everything)(1, data, None), teach(ten)(1, data, None)
        rows = torch.arange(len(without))
        assert torch.equal(with_filter[rows], without[rows])
    assert torch.equal(filtered(ten, select_top(lambda images: -images, 1))(2, None), ten(2, None))


def test_a_filter_stands_between_generating_and_accumulating():
    even = filtered(ten, lambda index, images: torch.arange(index - 3, len(images), 2))
    grown = accumulate(even)(3, torch.zeros(3, dtype=torch.long), None)
    assert grown[torch.arange(8)].tolist() == [0, 0, 0, 300, 302, 304, 306, 308]


def test_the_best_are_kept_in_their_order():
    scores = torch.tensor([1.0, 5.0, 3.0, 5.0, 2.0])
    keep = select_top(lambda images: scores, 0.4)
    assert keep(1, torch.zeros(5, 1)).tolist() == [1, 3]
    equal = select_top(lambda images: torch.zeros(5), 0.6)
    assert equal(1, torch.zeros(5, 1)).tolist() == [0, 1, 2]
    assert select_top(lambda images: scores, 0.01)(1, torch.zeros(5, 1)).tolist() == [1]  # at least one


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
    with pytest.raises(ValueError, match="share"):
        subsample(replace_data(lambda index, model: torch.arange(10)), share, seed=0)
    with pytest.raises(ValueError, match="share"):
        select_top(torch.sum, share)


def test_a_teachers_samples_repeat():
    teacher = create("WTA", TINY, seed=0)
    samples = TeacherSamples(teacher, SHORT, batch=3, seed=5)
    first, second = (batch for _, batch in zip(range(2), samples, strict=False))
    assert torch.equal(first, next(iter(samples))) and not torch.equal(first, second)
    assert first.shape == (3, 1, 28, 28) and first.min() >= 0 and first.max() <= 1


def test_a_teacher_may_decode_codes():
    teacher = create("ConvVAE", {"size": 16, "filters": 2, "width": 4, "z": 2}, seed=0)
    first, second = islice(TeacherSamples(teacher, SHORT, batch=3, seed=5), 2)
    assert first.shape == (3, 1, 16, 16) and not torch.equal(first, second)


def test_a_teachers_samples_have_successive_seeds_however_many_are_drawn_ahead():
    teacher = create("WTA", TINY, seed=0)
    samples = list(islice(TeacherSamples(teacher, SHORT, batch=4, seed=5), 15))  # 48 are drawn at once, then 48 more
    start = child(5, "lectures")
    whole = generate(teacher, range(start, start + 96), SHORT, chunk=48).images.float() / 255
    assert torch.equal(torch.cat(samples), whole[:60])


def test_a_teacher_does_not_become_its_student():
    """Regression: with kept weights the published code trains on samples of the very model that is being trained."""
    teacher = create("WTA", TINY, seed=0)
    before = {name: weight.clone() for name, weight in teacher.state_dict().items()}
    samples = teacher_samples(SHORT, 3, 0)(1, None, teacher)
    student = fit(preserve(1, teacher), samples, steps=3)
    assert all(torch.equal(before[name], weight) for name, weight in teacher.state_dict().items())
    assert any(not torch.equal(before[name], weight) for name, weight in student.state_dict().items())
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())
