"""Presets: one name per experiment, its scales, every option checked."""

import json
import subprocess
import sys

import pytest

from toolkit import presets
from toolkit.data import NAMES
from toolkit.diverge.experiments import METHODS
from toolkit.models import MODELS, create
from toolkit.presets import FIGURES, SCALES, Experiment, Filter, preset
from toolkit.samplers.kaleidoscope import MODES


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("scale", SCALES)
def test_every_figure_at_every_scale_makes_a_model_and_survives_json(name, scale):
    experiment = preset(name, scale, model={"filters": 2}, sampling={"ink": 0.13, "salt": 0.1})
    assert create(experiment.architecture, experiment.model)
    assert Experiment.from_dict(json.loads(json.dumps(experiment.as_dict()))) == experiment
    assert experiment.metadata()["sampling"]["ink"] == 0.13
    assert experiment.data in NAMES  # regression: "fashion-mnist" in one table was "fashion_mnist" in the other


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
    if name in ("fig4", "fig5"):
        assert all(preset(name, scale).model["output"] == "sigmoid" for scale in SCALES)


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


def test_the_model_of_2016_samples_with_its_refinements_on_two_cores_and_without_as_published():
    """A model trained so little sees nothing in noise for a hundred plain passes."""
    small, published = preset("digits-2016", "cpu").sampling, preset("digits-2016").sampling
    assert (small.ink, small.salt) == (0.13, 0.05) and (published.ink, published.salt) == (None, None)


@pytest.mark.parametrize("name", FIGURES)
def test_the_shipped_settings_of_older_runs_are_those_of_today(name):
    """Settings that came later are not named where they say what always was, so that an older run can go on."""
    later = {"size", "later_batch", "filter", "architecture"} & set(FIGURES[name].as_dict())
    assert later == set() or FIGURES[name].architecture != "WTA"
    assert not {"ink", "salt"} & (set(FIGURES[name].as_dict()["sampling"]) | set(FIGURES[name].metadata()["sampling"]))


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        preset("fig6", name=name)


def test_a_filter_is_read_from_its_text():
    assert Filter.read("novelty:0.5") == Filter("novelty", 0.5)
    assert Filter.read("objectness:0.25:judge-digits") == Filter("objectness", 0.25, "judge-digits")
    assert Filter.read("picks:C:/liked.txt") == Filter("picks", 1.0, "C:/liked.txt")


def test_what_a_filter_drops_is_generated_in_addition():
    assert preset("fig2", generated=100).candidates == 100 == preset("fig2", generated=100, filter="picks:x").candidates
    assert preset("fig2", generated=100, filter="novelty:0.3").candidates == 334


def test_options_are_merged_one_by_one():
    e = preset("fig6", "cpu", seed=1, name="fig6-seed1")
    assert (e.name, e.figure, e.seed) == ("fig6-seed1", "6", 1)
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


def test_the_names_that_presets_check_are_those_there_are():
    assert {*presets.ARCHITECTURES} == {*MODELS} and (*METHODS,) == presets.METHODS and presets.MODES == MODES
    assert [*presets.PRESETS] == [name for names in presets.NAMES.values() for name in names]


@pytest.mark.parametrize("figure", ["fig2", "fig7", "fig13"])
def test_a_scale_to_try_is_smaller_than_two_cores_can_do_and_other_presets_refuse_it(figure):
    small, cpu = preset(figure, "try"), preset(figure, "cpu")
    assert (small.scale, small.teaching, small.data) == ("try", cpu.teaching, cpu.data)
    assert small.images < cpu.images and small.model["filters"] < cpu.model["filters"]
    for other in ("fig8", "creative-mnist", "kaleidoscope-mnist"):
        with pytest.raises(ValueError, match=f"^{other} has no scale try: choose paper, cpu or smoke$"):
            preset(other, "try")


@pytest.mark.parametrize(("name", "data", "title"), [
    ("judge-digits", "sample:fashion", "Clothes"), ("judge-digits", "sample:mnist", "Digits"),
    ("creative-mnist", "folder:my/marks", "marks"),
    ("creative-both", "fashion+kmnist", "Clothes and kuzushiji characters"),
    ("gan-mnist", "fashion", "Clothes, adversarially"), ("fig12", "omniglot", "Omniglot characters"),
    ("fig2", "kmnist", "Linear output, weights kept, data accumulated"),
])  # fmt: skip
def test_a_title_follows_the_data_and_so_do_the_classes_of_a_classifier(name, data, title):
    assert preset(name, data=data).title == title
    assert preset(name, data=data, title="mine").title == "mine"
    assert preset("judge-digits", data="sample:fashion").classes == presets.CLOTHES


@pytest.mark.parametrize(("name", "changes"), [
    ("kaleidoscope-1d", {"data": "mnist"}), ("without-data", {"data": "mnist"}),
    ("creative-mnist", {"as_written": True}), ("kaleidoscope-mnist", {"points": [0.1, 0.2]}),
])  # fmt: skip
def test_an_option_without_effect_is_refused(name, changes):
    with pytest.raises(ValueError, match="^[^\n]*leave (it )?out[^\n]*$"):
        preset(name, **changes)


@pytest.mark.parametrize("name", ["fig2", "creative-mnist", "kaleidoscope-mnist", "judge-digits", "gan-mnist"])
def test_a_value_for_a_group_or_an_unknown_name_is_refused_the_nearest_name_first(name):
    with pytest.raises(ValueError, match=r"^model is 3: it is a group of settings, give model\.NAME=VALUE$"):
        preset(name, model=3)
    with pytest.raises(ValueError, match="no option bacht: did you mean batch"):
        preset(name, bacht=3)


def test_presets_need_no_torch():
    code = "import sys; from toolkit.presets import preset; preset('fig2'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
