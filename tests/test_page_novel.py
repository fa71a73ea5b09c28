"""The tab "Is it new?" without a browser: what is near, what judges say, words for both, a sentence for a bad order."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.test_app import ask as asked
from toolkit import data, hub, plot
from toolkit.metrics import PER_IMAGE, nearest
from toolkit.metrics.image import as_float
from toolkit.models import create
from toolkit.samplers import to_bytes
from toolkit.web import novel

SMALL = {"filters": 2, "hidden": 8}
JUDGES: dict[str, tuple[str, dict[str, Any]]] = {
    "judge-art": ("Art", {"size": 16}),  # it sees other pictures
    "judge-digits": ("Digits", {}),
    "judge-letters": ("Letters", {"classes": tuple("ABCDE")}),
}


def untrained_judges(folder: Path) -> Path:
    """Untrained judges in a tree of checkpoints, not listed yet."""
    for seed, (name, (title, config)) in enumerate(JUDGES.items()):
        here = folder / name / "iter_001"
        here.mkdir(parents=True)
        hub.save(
            create("Judge", {**SMALL, **config}, seed=seed), here / "model.safetensors", experiment=name, iteration=1
        )
        (here / "metrics.json").write_text('{"accuracy": 0.9}')
        (folder / name / "config.json").write_text(json.dumps({"title": title, "kind": "judge"}))
    return folder


@pytest.fixture
def tree(full: Path) -> Path:
    return full


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return data.load("sample:mnist").images


def encoded(x: Tensor) -> str:
    return base64.b64encode(x.numpy().tobytes()).decode()


def noise(seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (1, 1, 28, 28), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def ask(tree: Path, **changes: Any) -> dict[str, Any]:
    (message,) = asked("novel", tree, **changes)
    return message


def test_an_answer_is_about_the_picture_that_was_sent(tree: Path) -> None:
    message = ask(tree, image=encoded(noise()))
    assert base64.b64decode(message["light"]) == noise().numpy().tobytes()
    assert (message["caption"], len(message["known"]), len(message["measures"])) == (None, 2, 4)


def test_the_nearest_images_are_those_that_the_measure_of_novelty_finds(tree: Path, digits: Tensor) -> None:
    known, _ = ask(tree, image=encoded(noise()))["known"]
    distances, rows = nearest(noise(), digits, 5)
    assert known["distances"] == pytest.approx(distances[0].tolist(), rel=1e-3)
    assert base64.b64decode(known["light"]) == digits[rows[0]].numpy().tobytes()
    assert known["names"] == [str(row // 100) for row in rows[0].tolist()]


def test_the_share_counts_real_images_that_are_as_far_from_their_nearest_other(digits: Tensor) -> None:
    own = nearest(digits, digits, 2)[0][:, 1]
    known = novel.neighbours(as_float(digits[300:301] // 2), "mnist")
    assert known["share"] == pytest.approx((own >= known["distances"][0] - 1e-4).double().mean().item(), abs=0.002)
    assert (sum(known["counts"]), known["usual"]) == (1000, pytest.approx(own.median().item(), rel=0.01))


def test_a_training_image_is_called_a_copy(tree: Path, digits: Tensor) -> None:
    message = ask(tree, image=encoded(digits[712]))
    assert message["title"] == "Not new: a copy"
    assert "a copy of this 7" in message["says"][0]


def test_a_digit_that_is_thinner_is_like_the_digits(tree: Path, digits: Tensor) -> None:
    assert ask(tree, image=encoded(digits[700] // 2))["title"] == "Not new: it is like the digits"


def test_noise_is_new_by_this_measure(tree: Path) -> None:
    message = ask(tree, image=encoded(noise()))
    assert message["title"] == "New, by this measure"
    assert message["says"][0] == "None of the real digits and none of the real clothes are this far from their nearest."


@pytest.mark.parametrize(
    ("shares", "title"),
    [
        ((0.004, 0.002), "New, by this measure"),
        ((0.004, 0.02), "Unlike the digits, at the edge of the clothes"),
        ((0.03, 0.02), "At the edge of the digits and the clothes"),
        ((0.3, 0.0), "Not new: it is like the digits"),
        ((0.04, 0.06), "Not new: it is like the clothes"),
    ],
)
def test_the_verdict_follows_from_how_many_real_images_are_as_far_out(shares: tuple[float, float], title: str) -> None:
    near = [
        {"kind": kind, "share": share, "distances": [0.3], "names": ["3"]}
        for kind, share in zip(("digits", "clothes"), shares, strict=True)
    ]
    assert novel.verdict(near)[0] == title


def test_a_judge_tells_its_likeliest_classes_and_its_doubt(tree: Path) -> None:
    first, second = ask(tree, image=encoded(noise()))["judges"]
    p = hub.load_classifier(tree, "judge-digits").probabilities(as_float(noise()))[0]
    assert (first["title"], first["of"], second["title"], second["of"]) == ("Digits", 10, "Letters", 5)
    assert [name for name, _ in first["likeliest"]] == [str(k) for k in p.topk(3).indices.tolist()]
    assert first["likeliest"][0][1] == pytest.approx(p.max().item(), rel=1e-3)
    assert 0.9 < first["entropy"] <= 1 and first["accuracy"] == 0.9


def test_what_all_judges_say_is_said_in_words() -> None:
    def judge(title: str, name: str, share: float) -> dict[str, Any]:
        return {"title": title, "of": 10, "likeliest": [[name, share]]}

    unsure = [judge("Digits", "4", 0.38), judge("Letters", "K", 0.61)]
    assert novel.summary(unsure) == "No judge is sure what it is: to the judge of digits 4 (38 %), of letters K (61 %)."
    mixed = novel.summary([judge("Clothes", "bag", 0.995), *unsure])
    assert mixed.startswith("The judge of clothes is sure: bag (99.5 %). The others are not sure")
    assert novel.summary([judge("Letters", "K", 1.0)]) == "The judge of letters is sure: K (100 %)."


def test_a_measure_is_said_to_lie_where_it_lies_among_digits(tree: Path) -> None:
    told = {each["name"]: each for each in ask(tree, image=encoded(noise()))["measures"]}
    assert told["ink"]["value"] == pytest.approx(PER_IMAGE["ink"](noise()).item(), rel=1e-3)
    assert (told["ink"]["says"], told["pieces"]["says"]) == ("more than any digit", "more than any digit")
    dot = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    dot[..., 14, 14] = 255
    small = {each["name"]: each["says"] for each in ask(tree, image=encoded(dot))["measures"]}
    assert (small["ink"], small["pieces"], small["holes"]) == (
        "less than any digit",
        "as digits have",
        "as digits have",
    )


def test_a_seed_is_the_symbol_of_the_newest_run(tree: Path) -> None:
    message = ask(tree, seed=5)
    *_, symbol = hub.sampling(tree, "fig2").trajectory(hub.load(tree, "fig2", 4), [5])
    assert base64.b64decode(message["light"]) == to_bytes(symbol).numpy().tobytes()
    assert message["caption"] == "fig2, iteration 4, seed 5"


def test_the_first_page_shows_the_symbol_of_seed_0(tree: Path) -> None:
    example = json.loads(json.dumps(novel.first_page(tree)))["example"]
    with Image.open(tree / "fig2" / "iter_004" / "samples.png") as sheet:
        expected = plot.tiles(sheet, 28)[0].numpy().tobytes()
    assert (example["side"], example["channels"]) == (28, 1)
    assert base64.b64decode(example["light"]) == expected
