"""The presets of what trains, and their numbers."""

from dataclasses import asdict, replace

import pytest
import torch

from toolkit import data as datasets
from toolkit import hub, index
from toolkit.config import DIGITS
from toolkit.diverge.experiments import METHODS, Given, learned, measured, new
from toolkit.presets import DIVERGENCES as PRESETS
from toolkit.presets import preset


@pytest.fixture(scope="module")
def judge():
    return hub.load_classifier()


def given(experiment, judge=None):
    """What an experiment starts from in a test: a small new model, and built-in digits."""
    data = datasets.load("sample:mnist", limit=40, size=32) if experiment.data else None
    return Given(new(experiment), data and data.images, data and data.labels, judge)


def small(name, **changes):
    """An experiment at the smallest scale, from scratch."""
    return replace(preset(name, "smoke", **changes), base="")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_starts_from_a_base_that_there_is_or_from_scratch(name):
    e = PRESETS[name]
    assert e.name == name and e.method in METHODS
    assert e.base in PRESETS or e.base in index.read_index(index.CHECKPOINTS)["experiments"] if e.base else e.model


@pytest.mark.parametrize("name", ["gan-mnist", "can-mnist", "hacked-mnist", "without-data", "tune-digits-clothes",
                                  "feedback-clothes-digits", "towards-eight", "towards-a"])  # fmt: skip
def test_every_method_yields_the_kept_steps_of_a_model_that_draws(name, judge):
    e = small(name, **({"how": {"count": 8, "steps": 1}} if name.startswith("feedback") else {}))
    found = list(learned(e, given(e, judge)))
    assert tuple(s.step for s in found) == e.kept
    numbers = [measured(e, s, found[0], judge, range(4)) for s in found]
    assert numbers[0]["displacement"] == 0 < numbers[-1]["confidence"] <= 1
    assert [name for name in numbers[-1] if name.startswith("loss_")] and numbers[-1]["step"] == 3


def test_numbers_name_only_what_there_is(judge):
    e = small("without-data")
    (found,) = learned(replace(e, kept=(0,)), given(e))
    plain, knowing = (measured(replace(e, known=known), found, found, judge, range(4)) for known in ((), DIGITS))
    assert {*knowing} - {*plain} == {"out_of_class_share"} and "colours" in plain and plain["step"] == 0
    assert {*measured(replace(e, base="gan-mnist"), found, found, judge, range(4))} - {*plain} == {"realness"}


def test_measuring_draws_the_same_again(judge):
    e = small("hacked-mnist")
    first, *_, last = learned(e, given(e))
    assert measured(e, last, first, judge, range(4)) == measured(e, last, first, judge, range(4))


def test_changes_are_merged_option_by_option():
    e = preset("gan-mnist", seed=3, model={"z": 5})
    assert e.seed == 3 and e.model == {**PRESETS["gan-mnist"].model, "z": 5}
    assert asdict(preset("gan-mnist")) == asdict(PRESETS["gan-mnist"])


@pytest.mark.parametrize(("change", "why"), [
    ({"method": "wishing"}, "unknown method 'wishing'"), ({"kept": (3, 1)}, "kept is"),
    ({"steps": 5}, "no option steps"), ({"batch": 1}, "batch is 1"),
])  # fmt: skip
def test_an_experiment_that_cannot_be_is_refused(change, why):
    with pytest.raises(ValueError, match=why):
        preset("gan-mnist", **change)


def test_a_method_that_needs_images_says_so():
    e = small("can-mnist")
    with pytest.raises(ValueError, match="give both"):
        list(learned(e, Given(new(e))))


def test_a_wrong_setting_of_a_method_is_named():
    e = small("can-mnist", how={"lambda": 1.0})
    with pytest.raises(ValueError, match="creativity has no option lambda"):
        list(learned(e, given(e)))


def test_a_class_that_the_judge_does_not_know_is_refused(judge):
    e = small("towards-a", how={"to": "Ä"})
    with pytest.raises(ValueError, match="unknown class"):
        list(learned(e, given(e, judge)))


def test_progress_is_heard_step_by_step():
    e, heard = small("hacked-mnist"), []
    torch.manual_seed(0)
    list(learned(e, given(e), lambda step, losses: heard.append(step)))
    assert heard == [*range(e.kept[-1])]
