"""Presets: one name per figure, three scales, every option checked."""

import json

import pytest

from toolkit.datasets import NAMES
from toolkit.models import create
from toolkit.presets import FIGURES, SCALES, Experiment, preset


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("scale", SCALES)
def test_every_figure_at_every_scale_makes_a_model_and_survives_json(name, scale):
    experiment = preset(name, scale, model={"filters": 2})
    assert create("WTA", experiment.model)
    assert Experiment.from_dict(json.loads(json.dumps(experiment.as_dict()))) == experiment


def test_the_headline_at_paper_scale_is_as_published():
    """Regression: the published command line defaulted to ten iterations, no accumulation, reset, 50 epochs."""
    e = preset("fig2")
    assert (e.iterations, e.generated, e.epochs, e.batch, e.images) == (20, 60_000, 15, 100, None)
    assert (e.teaching, e.inheritance, e.share, e.steps, e.first_steps) == ("accumulate", "preserve", 1.0, None, None)
    assert (e.sampling.tol, e.sampling.limit, e.sampling.finish) == (1e-3, 100, "none")
    config = create("WTA", e.model).config
    assert (config.filters, config.kernel, config.output, config.lifetime, config.lr) == (128, 5, "linear", 0.05, 1e-3)
    assert config.lifetime_per == "channel"


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("fig3", "inheritance", "reset"), ("fig4", "inheritance", "reset"), ("fig5", "inheritance", "preserve"),
        ("fig6", "teaching", "replace"), ("fig7", "teaching", "lecture"), ("fig7", "lecture_steps", 3000),
        ("fig12", "data", "kmnist"), ("fig13", "data", "omniglot"),
    ],
)  # fmt: skip
def test_each_figure_differs_as_the_paper_says(name, setting, value):
    assert getattr(preset(name), setting) == value


@pytest.mark.parametrize("name", ["fig4", "fig5"])
def test_the_sensitivity_study_has_a_sigmoid_output_at_every_scale(name):
    assert all(preset(name, scale).model["output"] == "sigmoid" for scale in SCALES)


def test_options_are_merged_one_by_one():
    changed = preset("fig4", "cpu", model={"filters": 3}, sampling={"limit": 7})
    assert changed.model == {**preset("fig4", "cpu").model, "filters": 3}
    assert changed.sampling.limit == 7 and changed.sampling.finish == preset("fig4", "cpu").sampling.finish


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"name": "fig99"}, "fig99"), ({"name": "fig2", "scale": "huge"}, "huge"),
        ({"name": "fig2", "stpes": 3}, "stpes"),
        ({"name": "fig2", "teaching": "shout"}, "shout"), ({"name": "fig2", "sampling": {"speed": 1}}, "speed"),
        ({"name": "fig2", "iterations": 0}, "iterations"), ({"name": "fig2", "iterations": "many"}, "iterations"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_in_one_sentence(wrong, named):
    with pytest.raises(ValueError, match=named) as error:
        preset(**wrong)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", FIGURES)
def test_every_preset_names_a_data_set_that_there_is(name):
    """Regression: "fashion-mnist" in one table of the earlier code was "fashion_mnist" in the other."""
    assert FIGURES[name].data in NAMES
