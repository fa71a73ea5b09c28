"""Presets: one name per experiment, its scales, every option checked."""

import json
import subprocess
import sys
from typing import Any

import pytest

from toolkit import presets
from toolkit.data import NAMES
from toolkit.diverge.experiments import METHODS, Inputs, snapshots
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


WTA = {"filters": 128, "kernel": 5, "output": "linear", "lifetime": 0.05, "lr": 1e-3, "lifetime_per": "position",
       "init": "published", "bias": None}  # fmt: skip
BASELINE = {"size": 32, "batch": 100, "later_batch": 500, "epochs": 100, "iterations": 20, "generated": 60_000,
            "teaching": "accumulate", "steps": None, "first_steps": None}  # fmt: skip
PUBLISHED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [  # of a figure some settings, and some of its model
    # regression: the published command line defaulted to ten iterations, no accumulation, reset, 50 epochs
    ("fig2", {"iterations": 20, "generated": 60_000, "epochs": 15, "batch": 100, "images": None, "share": 1.0,
              "teaching": "accumulate", "inheritance": "preserve", "steps": None, "first_steps": None,
              "decay": "constant", "optimiser": "carried", "noise": "fresh", "half": False}, WTA),
    ("fig3", {"inheritance": "reset"}, WTA), ("fig4", {"inheritance": "reset"}, {**WTA, "output": "sigmoid"}),
    ("fig5", {"inheritance": "preserve"}, {**WTA, "output": "sigmoid"}), ("fig6", {"teaching": "replace"}, WTA),
    ("fig7", {"teaching": "lecture", "lecture_steps": 3000}, WTA), ("fig12", {"data": "kmnist"}, WTA),
    ("fig13", {"data": "omniglot"}, WTA),
    *((f"fig{number}", {**BASELINE, "architecture": architecture, "inheritance": inheritance}, {"size": 32})
      for number, architecture, inheritance in ((8, "DCGAN", "preserve"), (9, "DCGAN", "reset"),
                                                (10, "ConvVAE", "preserve"), (11, "ConvVAE", "reset"))),
    ("digits-2016", {"architecture": "ConvAE", "iterations": 1, "batch": 64, "epochs": 100, "images": None},
     {"filters": 128, "kernel": 5, "depth": 3, "block": 4, "lr": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "settings", "options"), PUBLISHED, ids=lambda value: value if type(value) is str else ""
)
def test_every_figure_at_paper_scale_is_as_published(name, settings, options):
    e = preset(name)
    config = create(e.architecture, {"size": e.size, **e.model} if e.size else e.model).config
    assert {key: getattr(e, key) for key in settings} == settings
    assert {key: getattr(config, key) for key in options} == options
    assert (e.sampling.limit, e.sampling.stop, e.sampling.finish) == (100, "each", "none")
    assert e.sampling.tol == (1e-3 if e.architecture in ("DCGAN", "ConvVAE") else 0)
    assert name not in ("fig4", "fig5") or all(preset(name, at).model["output"] == "sigmoid" for at in SCALES)


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


def test_a_filter_is_read_from_its_text_and_what_it_drops_is_generated_in_addition():
    assert Filter.read("novelty:0.5") == Filter("novelty", 0.5)
    assert Filter.read("objectness:0.25:judge-digits") == Filter("objectness", 0.25, "judge-digits")
    assert Filter.read("picks:C:/liked.txt") == Filter("picks", 1.0, "C:/liked.txt")
    counts = [preset("fig2", generated=100, filter=text).candidates for text in (None, "picks:x", "novelty:0.3")]
    assert counts == [100, 100, 334]


def test_options_are_merged_one_by_one():
    e = preset("fig6", "cpu", seed=1, name="fig6-seed1")
    assert (e.name, e.figure, e.seed) == ("fig6-seed1", "6", 1)
    changed = preset("fig4", "cpu", model={"filters": 3}, sampling={"limit": 7})
    assert changed.model == {**preset("fig4", "cpu").model, "filters": 3}
    assert changed.sampling.limit == 7 and changed.sampling.finish == preset("fig4", "cpu").sampling.finish


KINDS = ["fig2", "creative-mnist", "kaleidoscope-mnist", "judge-digits", "gan-mnist"]  # a preset of each


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("fig99", {}, "fig99"), ("fig2", {"stpes": 3}, "stpes"), ("fig2", {"teaching": "shout"}, "shout"),
        ("fig2", {"sampling": {"speed": 1}}, "speed"), ("fig2", {"sampling": {"ink": 1.5}}, "ink"),
        ("fig2", {"iterations": 0}, "iterations"), ("fig2", {"iterations": "many"}, "iterations"),
        ("fig2", {"architecture": "Oracle"}, "Oracle"), ("fig2", {"size": 0}, "size"),
        ("fig2", {"later_batch": 0}, "later_batch"), ("fig2", {"filter": "taste:0.5"}, "taste"),
        ("fig2", {"filter": "novelty"}, "novelty:SHARE"), ("fig2", {"filter": "novelty:2"}, "novelty:2"),
        ("fig2", {"filter": "picks"}, "picks:FILE"),
        ("fig2", {"filter": "novelty:0.5", "teaching": "lecture"}, "lecture"),
        *(("fig6", {"name": name}, "name") for name in ("", "a/b", "../x", ".hidden", "a b")),
        ("kaleidoscope-1d", {"data": "mnist"}, "leave out"), ("without-data", {"data": "mnist"}, "leave it out"),
        ("creative-mnist", {"as_written": True}, "leave out"), ("kaleidoscope-mnist", {"points": [0.1]}, "leave out"),
        *((name, {"model": 3}, r"^model is 3: it is a group of settings, give model\.NAME=VALUE$") for name in KINDS),
        *((name, {"bacht": 3}, "no option bacht: did you mean batch") for name in KINDS),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong_or_without_effect_is_named_in_one_sentence(name, changes, named):
    with pytest.raises(ValueError, match=named) as error:
        preset(name, **changes)
    assert "\n" not in str(error.value)


def test_the_names_that_presets_check_are_those_there_are():
    assert {*presets.ARCHITECTURES} == {*MODELS} and (*METHODS,) == presets.METHODS and presets.MODES == MODES
    assert [*presets.PRESETS] == [name for names in presets.NAMES.values() for name in names]
    with pytest.raises(ValueError, match="unknown scale 'huge'"):
        preset("fig2", "huge")


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


def test_the_batch_of_a_preset_is_that_of_a_step_also_of_external_knowledge():
    """Regression: it was stored and not used."""
    model: Any = create("VAE", {"widths": [8], "z": 2}, seed=0)
    classes = {"classes": presets.DIGITS + presets.LETTERS, "filters": 2, "hidden": 4}
    sizes = list[int]()
    model.decoder.register_forward_hook(lambda module, given, result: sizes.append(len(result)))
    e = preset("towards-a", "smoke", batch=3)
    assert len([*snapshots(e, Inputs(model, classifier=create("Judge", classes, seed=0)))]) == 3
    assert sizes.count(3) >= 3 and preset("towards-a").batch == 16


def test_presets_need_no_torch():
    code = "import sys; from toolkit.presets import preset; preset('fig2'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
