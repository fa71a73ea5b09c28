"""Adversarial examples of a classifier that has learned its digits: how many keep their class, and within what ball."""

import json
from pathlib import Path

import pytest
import torch

from toolkit import cli, data, hub
from toolkit.experiments.adversarial import EPSILONS, curve, intervals
from toolkit.samplers.ascent import METHODS, attack, predicted

SHIPPED = hub.CHECKPOINTS / "judge-digits"
pytestmark = pytest.mark.skipif(not SHIPPED.exists(), reason="no checkpoints in this copy")


@pytest.fixture(scope="module")
def judge():
    return hub.load_classifier(name="judge-digits")


@pytest.fixture(scope="module")
def digits():
    found = data.load("sample:mnist", limit=60)
    return found.images.float() / 255, found.labels


def test_in_a_ball_of_radius_zero_every_image_stays_bit_for_bit(judge, digits) -> None:
    for method in METHODS:
        assert torch.equal(attack(judge, *digits, 0.0, method), digits[0])


@pytest.mark.parametrize("method", METHODS)
def test_no_pixel_leaves_the_ball_or_the_range_and_the_class_gets_less_likely(judge, digits, method) -> None:
    x, labels = digits
    moved = attack(judge, x, labels, 0.1, method)
    assert (moved - x).abs().max() <= 0.1 + 1e-6 and 0 <= moved.min() <= moved.max() <= 1
    before, after = (judge.probabilities(each).gather(1, labels[:, None]) for each in (x, moved))
    assert (after <= before + 1e-6).all() and after.mean() < before.mean() - 0.05


def test_noise_of_the_same_size_does_far_less(judge, digits) -> None:
    """What control there is: it is the direction that counts, not the distance."""
    x, labels = digits
    noisy = (x + 0.2 * (torch.randint(0, 2, x.shape) * 2 - 1)).clamp(0, 1)
    kept = [(predicted(judge, each)[0] == labels).double().mean() for each in (noisy, attack(judge, x, labels, 0.2))]
    assert kept[0] > kept[1] + 0.4


def test_the_wider_the_ball_the_fewer_keep_their_class_and_ten_steps_do_more_than_one(judge, digits) -> None:
    one, ten = ([row["kept"] for row in curve(judge, *digits, method)] for method in METHODS)
    assert one[0] == ten[0] > 0.95 and one[-1] < 0.2
    assert ten == sorted(ten, reverse=True)
    assert all(b <= a for a, b in zip(one, ten, strict=True))


def test_the_command_prints_a_table_stores_the_curves_and_draws_eight_digits(capsys, tmp_path: Path) -> None:
    stored, out = tmp_path / "curves.json", tmp_path / "new" / "eight.png"
    asked = ["adversarial", "--images", "10", "--symbols", "fig2", "--store", str(stored), "--out", str(out)]
    chart = tmp_path / "chart.png"
    assert cli.main([*asked, "--chart", str(chart)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("FGSM") == printed.count("PGD") == 2 and "fig2" in printed
    curves = json.loads(stored.read_text())["curves"]
    assert [row["epsilon"] for row in curves["fig2"]["pgd"]] == list(EPSILONS)
    assert curves["fig2"]["pgd"][0]["kept"] == 1.0  # a symbol's class is what the classifier first says
    assert out.stat().st_size > 10_000 and chart.stat().st_size > 10_000
    shown = intervals(json.loads(stored.read_text()))
    assert shown.count("FGSM") == shown.count("PGD") == 2 and "100.0 [72.2, 100.0]" in shown


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--epsilon", "-0.1"], "epsilon is -0.1: give 0 or more"),
        (["--store", "curves.txt"], "--store curves.txt: end it in .json"),
        (["--chart", "curves.txt"], "--chart curves.txt: end it in .png"),
        (["--network", "nope"], "there is no classifier 'nope'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_before_any_work(command, tmp_path, monkeypatch, wrong, words) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = command("adversarial", "--images", "2", "--out", "new.png", *wrong)
    assert (code, out, error.count("\n")) == (2, "", 1) and words in error
    assert list(tmp_path.iterdir()) == []
