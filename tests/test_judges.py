"""Classifiers: presets, augmented batches, reports, and a small one trained, stored and read again."""

import json
from io import BytesIO
from pathlib import Path

import pytest
import torch

from toolkit import cli, hub
from toolkit import data as datasets
from toolkit.data import Dataset
from toolkit.index import of_kind
from toolkit.metrics.classifier import probabilities
from toolkit.models import Judge, LabelledBatches, create
from toolkit.presets import CLASSIFIERS, SCALES, ClassifierTraining, preset
from toolkit.runs import ClassifierTrainer, classifier_sheet, confusion_report
from toolkit.train import AugmentedBatches, augment, balanced_rows

TINY = ["--scale", "smoke", "--data", "sample:mnist", "--quiet"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judges")
    assert cli.main(["train", "judge-digits", *TINY, "--out", str(out), "--iterations", "2"]) == 0
    return out


# presets


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("scale", SCALES)
def test_every_preset_at_every_scale_makes_a_classifier_and_survives_json(name: str, scale: str) -> None:
    training = preset(name, scale)
    classifier = create("Judge", {"classes": training.classes, **training.model})
    assert isinstance(classifier, Judge)
    assert len(classifier.config.classes) == {"judge-letters": 26, "judge-digits-letters": 36}.get(name, 10)
    assert ClassifierTraining.from_dict(json.loads(json.dumps(training.as_dict()))) == training


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch": 0}, {"each": 0}, {"images": 0}, {"vary": 2.0}, {"stpes": 3}, {"model": 1}]
)
def test_a_setting_that_means_nothing_is_refused_in_one_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{next(iter(wrong))}[^\n]*$"):
        preset("judge-letters", **wrong)


def test_its_config_names_the_fonts_only_if_its_letters_are_of_them() -> None:
    faces = ("Some Sans", "Some Serif")
    published, own = (preset("judge-letters", typefaces=faces, **other) for other in ({}, {"data": "letters:mine"}))
    assert published.metadata() == {"kind": "judge", "typefaces": 2, "fonts": "toolkit/data/fonts.txt"}
    assert own.metadata() == {"kind": "judge", "typefaces": 2}


def test_the_list_of_fonts_gives_each_package_a_version_and_a_licence() -> None:
    text = (Path(datasets.__file__).parent / "fonts.txt").read_text(encoding="utf-8")
    rows = [line.split(maxsplit=2) for line in text.splitlines() if not line.startswith("#")]
    assert len(rows) > 150 and all(len(row) == 3 and row[0].startswith("fonts-") for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


# augmented batches


def test_balanced_rows_have_every_class_equally_often_and_every_image_of_a_small_one() -> None:
    labels = torch.tensor([0] * 50 + [1] * 3)
    rows = balanced_rows(labels, 10)
    assert labels[rows].bincount().tolist() == [10, 10]
    assert rows[:10].tolist() == list(range(0, 50, 5)) and rows[10:].unique().tolist() == [50, 51, 52]


def test_augmented_images_stay_images_keep_most_of_their_ink_and_differ_as_much_as_the_strength_says() -> None:
    x = datasets.load("sample:mnist", limit=50).images.float() / 255
    slightly, y = (augment(x, strength, torch.Generator().manual_seed(0)) for strength in (1e-4, 1.0))
    assert augment(x, 0, torch.Generator()) is x
    assert (slightly - x).abs().mean() < 1e-3 and (y - x).abs().mean() > 0.02
    assert y.shape == x.shape and y.min() >= 0 and y.max() <= 1
    assert y.mean() == pytest.approx(x.mean().item(), rel=0.2) and (y.amax((1, 2, 3)) > 0.4).all()


def test_augmented_batches_vary_from_epoch_to_epoch_and_are_the_same_for_the_same_seed() -> None:
    data = datasets.load("sample:mnist", limit=4)
    assert data.labels is not None
    batches = AugmentedBatches(LabelledBatches(data.images, data.labels, batch=4, seed=3))
    (a, b), (again, _) = (list(zip(range(2), batches, strict=False)) for _ in range(2))
    assert torch.equal(a[1].images, again[1].images) and not torch.equal(a[1].images.sum(0), b[1].images.sum(0))
    assert sorted(a[1].labels.tolist()) == sorted(data.labels.tolist()) and batches.steps_per_epoch == 1


# reports


def test_a_report_counts_which_class_was_predicted_for_which_and_has_no_accuracy_of_a_class_without_images() -> None:
    p = torch.eye(3)[[0, 0, 1, 1, 0]]  # predictions 0, 0, 1, 1, 0
    report = confusion_report(torch.tensor([0, 0, 1, 2, 2]), p, "abc")
    assert report["confusion"] == [[2, 0, 0], [0, 1, 0], [1, 1, 0]]
    assert report["accuracy"] == pytest.approx(0.6) and report["accuracy_by_class"] == {"a": 1, "b": 1, "c": 0}
    assert [(it["class"], it["named"], it["images"]) for it in report["mistakes"]] == [("c", "a", 1), ("c", "b", 1)]
    assert confusion_report(torch.tensor([0] * 4), torch.eye(2)[[0, 0, 0, 1]], "ab")["accuracy_by_class"] == {"a": 0.75}


def test_the_sheet_has_a_column_per_class_rightly_named_above_wrongly_named() -> None:
    from PIL import Image

    images = torch.arange(10, 50, 10, dtype=torch.uint8)[:, None, None, None].expand(4, 1, 28, 28)
    p = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.3, 0.7]])
    with Image.open(BytesIO(classifier_sheet(images, torch.tensor([0, 0, 1, 1]), p))) as picture:
        assert picture.size == (56, 8 * 28)
        left, right = ([picture.getpixel((x, 28 * row)) for row in range(4)] for x in (0, 28))
    assert left == [10, 20, 0, 0] and right == [40, 0, 30, 0]


# training


def test_small_classifiers_learn_digits_are_stored_whole_listed_and_reported(tree: Path) -> None:
    folder, data = tree / "judge-digits", datasets.load("sample:mnist")
    assert of_kind(hub.read_index(tree), "judge") == ["judge-digits"] and data.labels is not None
    classifiers = [hub.load_classifier(tree, "judge-digits", iteration=number) for number in (1, 2)]
    assert not torch.equal(classifiers[0].head[1].weight, classifiers[1].head[1].weight)  # of two seeds
    report = json.loads((folder / "report.json").read_text())["networks"]
    for number, (classifier, entry) in enumerate(zip(classifiers, report, strict=True), 1):
        files = folder / f"iter_{number:03d}"
        assert {path.name for path in files.iterdir()} == {"model.safetensors", "metrics.json", "samples.png"}
        found = json.loads((files / "metrics.json").read_text())
        assert found["images"] == sum(map(sum, entry["confusion"])) == 72
        assert entry["iteration"] == number and found["accuracy"] == entry["accuracy"] > 0.5  # by chance: 0.1
        assert classifier.config.classes == tuple("0123456789") and not classifier.training
        assert (probabilities(classifier, data.images).argmax(1) == data.labels).float().mean() > 0.5


def test_training_again_changes_nothing(tree: Path) -> None:
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert cli.main(["train", "judge-digits", *TINY, "--out", str(tree), "--iterations", "2"]) == 0
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_a_classifier_that_is_not_there_is_named_beside_those_that_are(tree: Path) -> None:
    with pytest.raises(hub.CheckpointError, match="^there is no classifier 'judge-dogs': choose judge-digits$"):
        hub.load_classifier(tree, "judge-dogs")


def test_images_without_labels_are_refused() -> None:
    data = Dataset("folder:marks", torch.zeros(3, 1, 28, 28, dtype=torch.uint8))
    with pytest.raises(ValueError, match="^folder:marks has no labels: give [^\n]*$"):
        ClassifierTrainer(spec=preset("judge-digits", "smoke"), data=data, held_out=data, out=Path())


def test_more_classes_than_names_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["train", "judge-digits", "--scale", "smoke", "--quiet", "--out", str(tmp_path)]
    assert cli.main([*argv, "--data", "sample:mnist+sample:fashion"]) == 2
    assert "labels from 0 to 19 are not in 0 to 9" in capsys.readouterr().err
