"""Presets: one name per figure, three scales, every option checked."""

import json

import pytest

from toolkit.data import NAMES
from toolkit.models import create
from toolkit.presets import FIGURES, SCALES, Experiment, Filter, preset


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("scale", SCALES)
def test_every_figure_at_every_scale_makes_a_model_and_survives_json(name, scale):
    experiment = preset(name, scale, model={"filters": 2})
    assert create(experiment.architecture, experiment.model)
    assert Experiment.from_dict(json.loads(json.dumps(experiment.as_dict()))) == experiment


def test_the_headline_at_paper_scale_is_as_published():
    """Regression: the published command line defaulted to ten iterations, no accumulation, reset, 50 epochs."""
    e = preset("fig2")
    assert (e.iterations, e.generated, e.epochs, e.batch, e.images) == (20, 60_000, 15, 100, None)
    assert (e.teaching, e.inheritance, e.share, e.steps, e.first_steps) == ("accumulate", "preserve", 1.0, None, None)
    assert (e.sampling.tol, e.sampling.limit, e.sampling.stop, e.sampling.finish) == (0, 100, "each", "none")
    config = create("WTA", e.model).config
    assert (config.filters, config.kernel, config.output, config.lifetime, config.lr) == (128, 5, "linear", 0.05, 1e-3)
    assert (config.lifetime_per, config.init, config.bias) == ("position", "published", None)
    assert (e.decay, e.optimiser, e.noise, e.half) == ("constant", "carried", "fresh", False)


def test_the_headline_as_written_has_the_rules_of_the_text():
    e = preset("fig2", as_written=True)
    config = create("WTA", e.model).config
    assert (config.lifetime, config.lifetime_per, config.init) == (0.05, "channel", "he")
    assert (e.name, e.noise, e.sampling.tol, e.sampling.limit) == ("fig2-as-written", "fixed", 1e-3, 100)
    assert preset("fig2", "cpu", as_written=True, name="x", noise="fresh").noise == "fresh"
    with pytest.raises(ValueError, match="leave out as_written"):
        preset("fig8", as_written=True)


@pytest.mark.parametrize("figure", ["fig2", "fig4", "fig7", "fig12"])
def test_two_cores_have_fewer_filters_images_and_iterations_another_start_and_no_other_rules(figure):
    size = {"scale", "images", "generated", "iterations", "least_steps", "lecture_steps", "half", "model"}
    small, paper = preset(figure, "cpu").as_dict(), preset(figure).as_dict()
    assert {name for name in small if small[name] != paper.get(name)} == size
    assert {**small["model"], "filters": 128, "init": "published"} == {**paper["model"], "filters": 128}
    assert small["model"]["init"] == "he"


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("fig3", "inheritance", "reset"), ("fig4", "inheritance", "reset"), ("fig5", "inheritance", "preserve"),
        ("fig6", "teaching", "replace"), ("fig7", "teaching", "lecture"), ("fig7", "lecture_steps", 3000),
        ("fig12", "data", "kmnist"), ("fig13", "data", "omniglot"),
        ("fig8", "architecture", "DCGAN"), ("fig9", "inheritance", "reset"), ("fig10", "inheritance", "preserve"),
        ("fig11", "architecture", "ConvVAE"), ("digits-2016", "architecture", "ConvAE"),
    ],
)  # fmt: skip
def test_each_figure_differs_as_the_paper_says(name, setting, value):
    assert getattr(preset(name), setting) == value


@pytest.mark.parametrize("name", ["fig8", "fig9", "fig10", "fig11"])
def test_the_baselines_at_paper_scale_are_as_published(name):
    e = preset(name)
    assert (e.size, e.batch, e.later_batch, e.epochs, e.iterations, e.generated) == (32, 100, 500, 100, 20, 60_000)
    assert (e.teaching, e.steps, e.first_steps) == ("accumulate", None, None)
    assert create(e.architecture, e.model).image_shape == (1, 32, 32)


def test_the_model_of_2016_at_paper_scale_is_as_published():
    e = preset("digits-2016")
    assert (e.iterations, e.batch, e.epochs, e.images, e.sampling.limit, e.sampling.tol) == (1, 64, 100, None, 100, 0)
    config = create(e.architecture, e.model).config
    assert (config.filters, config.kernel, config.depth, config.block, config.lr) == (128, 5, 3, 4, 0.1)


def test_the_model_of_2016_dreams_with_its_refinements_on_two_cores_and_without_as_published():
    """A model trained so little sees nothing in noise for a hundred plain passes."""
    small, published = preset("digits-2016", "cpu").sampling, preset("digits-2016").sampling
    assert (small.ink, small.salt) == (0.13, 0.05) and (published.ink, published.salt) == (None, None)


@pytest.mark.parametrize("name", FIGURES)
def test_the_shipped_settings_of_older_runs_are_those_of_today(name):
    """Settings that came later are not named where they say what always was, so that an older run can go on."""
    later = {"size", "later_batch", "filter", "architecture"} & set(FIGURES[name].as_dict())
    assert later == set() or FIGURES[name].architecture != "WTA"
    assert not {"ink", "salt"} & (set(FIGURES[name].as_dict()["sampling"]) | set(FIGURES[name].metadata()["sampling"]))


def test_a_run_beside_others_of_its_figure_has_a_name_of_its_own():
    e = preset("fig6", "cpu", seed=1, name="fig6-seed1")
    assert (e.name, e.figure, e.seed) == ("fig6-seed1", "6", 1)


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        preset("fig6", name=name)


def test_a_filter_says_by_what_how_much_and_by_whom():
    assert Filter.read("novelty:0.5") == Filter("novelty", 0.5)
    assert Filter.read("objectness:0.25:judge-digits") == Filter("objectness", 0.25, "judge-digits")
    assert Filter.read("picks:C:/liked.txt") == Filter("picks", 1.0, "C:/liked.txt")


def test_what_a_filter_drops_is_said_in_addition():
    assert preset("fig2", generated=100).candidates == 100 == preset("fig2", generated=100, filter="picks:x").candidates
    assert preset("fig2", generated=100, filter="novelty:0.3").candidates == 334


def test_refinements_survive_json():
    e = preset("digits-2016", "smoke", sampling={"ink": 0.13, "salt": 0.1})
    assert e.metadata()["sampling"]["ink"] == 0.13
    assert Experiment.from_dict(json.loads(json.dumps(e.as_dict()))) == e


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
        ({"figure": "fig99"}, "fig99"), ({"scale": "huge"}, "huge"), ({"stpes": 3}, "stpes"),
        ({"teaching": "shout"}, "shout"), ({"sampling": {"speed": 1}}, "speed"),
        ({"iterations": 0}, "iterations"), ({"iterations": "many"}, "iterations"),
        ({"architecture": "Oracle"}, "Oracle"), ({"size": 0}, "size"), ({"later_batch": 0}, "later_batch"),
        ({"filter": "taste:0.5"}, "taste"), ({"filter": "novelty"}, "novelty:SHARE"),
        ({"filter": "novelty:2"}, "novelty:2"), ({"filter": "picks"}, "picks:FILE"),
        ({"filter": "novelty:0.5", "teaching": "lecture"}, "lecture"), ({"sampling": {"ink": 1.5}}, "ink"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_in_one_sentence(wrong, named):
    changes = {key: value for key, value in wrong.items() if key not in ("figure", "scale")}
    with pytest.raises(ValueError, match=named) as error:
        preset(wrong.get("figure", "fig2"), wrong.get("scale", "paper"), **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", FIGURES)
def test_every_preset_names_a_data_set_that_there_is(name):
    """Regression: "fashion-mnist" in one table of the earlier code was "fashion_mnist" in the other."""
    assert FIGURES[name].data in NAMES
