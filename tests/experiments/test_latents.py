"""The study of latent spaces, on small untrained generators and classifiers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import hub
from toolkit.experiments.latents import PSIS, SUBJECTS, Space, equal_psi, share, table
from toolkit.models import create

SMALL = {"size": 16, "filters": 2, "z": 4}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generators")
    for subject in SUBJECTS:
        models = {subject.gan: ("DCGAN", SMALL), subject.stylegan: ("StyleGAN", SMALL),
                  subject.judge: ("Judge", {"filters": 2, "hidden": 8})}  # fmt: skip
        for name, (architecture, options) in models.items():
            facts: dict[str, Any] = {"experiment": name, "iteration": 1}
            kind = "judge" if architecture == "Judge" else "divergence"
            hub.save(create(architecture, options, seed=1), folder / name / "iter_001" / "model.safetensors", **facts)
            (folder / name / "config.json").write_text(json.dumps({"title": name, "kind": kind}))
    hub.write_index(folder)
    return folder


def test_every_space_gets_its_numbers_with_intervals_and_a_row(tree: Path, command: Any, tmp_path: Path) -> None:
    out = tmp_path / "latents.json"
    code, printed, _ = command("latents", "--from", tree, "--images", 40, "--paths", 4, "--sample", "--out", out)
    found = json.loads(out.read_text())
    assert code == 0 and printed.strip() == table(found).strip()
    for subject, own in zip(SUBJECTS, found["subjects"], strict=True):
        assert {(it["model"], it["space"]) for it in own["spaces"]} == {
            (subject.gan, "z"), (subject.stylegan, "z"), (subject.stylegan, "w")
        }  # fmt: skip
        for it in own["spaces"]:
            length = it["path_length"]
            assert length["low"] <= length["mean"] <= length["high"]
            assert length["mean"] > 0 or it["model"] == subject.gan  # which, untrained, draws one grey
            assert 1 <= it["separability"]["mean"] <= 26 and it["separability"]["n"] == 10
            assert it["psi"] in PSIS


def test_the_truncation_is_that_at_which_the_judge_is_as_sure(tree: Path) -> None:
    stylegan: Any = hub.load(tree, "stylegan-mnist")
    judge = hub.load_classifier(tree, "judge-digits")
    assert equal_psi(stylegan, judge, 0.0, 8) == 1.0  # of none that is untrained; no truncation comes first
    codes = torch.ones(2, *stylegan.code_shape)
    assert torch.equal(Space(stylegan, "w", 0.5).latents(codes), stylegan.styles(codes, 0.5)[:, 0])
    assert share(torch.tensor([0.96, 0.1]))["mean"] == 0.5


@pytest.mark.parametrize(("option", "words"), [(("--images", 2), "--images 2"), (("--out", "x.txt"), "x.txt")])
def test_a_study_of_nothing_is_refused(tree: Path, command: Any, option: tuple[Any, ...], words: str) -> None:
    code, _, said = command("latents", "--from", tree, "--out", "x.json", *option)
    assert code == 2 and words in said
