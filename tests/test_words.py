"""Words That Are Not: the loop on words, through the trainer of every run and the commands of every checkpoint."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import cli, hub, presets, publish, runs
from toolkit.experiments.release import thin
from toolkit.metrics import words as measures
from toolkit.models.text import decode
from toolkit.presets import preset

SMALL = ["--scale", "smoke", "--quiet"]
LITTLE = ["--set", "images=60", "--set", "first_steps=8", "--set", "steps=3", "--set", "generated=40"]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short list of words."""
    path = tmp_path_factory.mktemp("list") / "list.txt"
    path.write_text("\n".join(a + b + c for a in "bdfgklm" for b in ("a", "ee", "o", "u") for c in "ntsr"))
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, listed: Path) -> Path:
    """Two short runs that share their first iteration, and one of running text."""
    folder = tmp_path_factory.mktemp("words")
    where = [*SMALL, *LITTLE, "--out", str(folder), "--data", f"text:{listed}"]
    assert cli.main(["train", "words", *where]) == 0
    assert cli.main(["train", "words-replace", *where, "--first-from", str(folder / "words")]) == 0
    play = listed.with_name("play.txt")
    play.write_text("To be, or not to be, that is the question. " * 30)
    where[-1] = f"text:{play}"
    assert cli.main(["train", "words", *where, "--name", "play", "--iterations", "1"]) == 0
    return folder


def metrics(folder: Path) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = json.loads((folder / "metrics.json").read_text())["rows"]
    return rows


def test_a_run_stores_words_measures_and_models_and_is_listed(out: Path) -> None:
    names = {path.name for path in (out / "words/iter_002").iterdir()}
    assert names == {
        "model.safetensors",
        "optimiser.safetensors",
        "said.npy",
        "samples.txt",
        "metrics.json",
        "rows.npz",
    }
    entry = hub.read_index(out)["experiments"]["words"]
    assert entry["kind"] == "words" and entry["iterations"][2]["samples"] == "words/iter_002/samples.txt"
    rows = metrics(out / "words")
    assert [row["iteration"] for row in rows] == [0, 1, 2] and {*measures.MEASURES} < {*rows[1]}
    assert rows[0]["new_share"] == 0 and rows[1]["new_share"] > 0.3 and rows[1]["bits"] > rows[0]["bits"]
    report = json.loads((out / "words/report.json").read_text())
    real, mixed = (report["controls"][name] for name in ("words that were not learned", "their letters shuffled"))
    assert real["bits"] < mixed["bits"] and real["distance"] == 0 < mixed["distance"]
    assert {(row["iteration"], row["temperature"]) for row in report["temperatures"]} == {
        (number, temperature) for number in (1, 2) for temperature in runs.TEMPERATURES
    }


def test_the_words_on_file_are_those_of_the_first_seeds_and_a_word_is_the_same_alone(out: Path) -> None:
    found = hub.read(out, "words", 2)
    assert (out / "words/iter_002/samples.txt").read_text().split("\n")[:100] == found.texts(range(100))
    assert found.texts([41]) == found.texts(range(60))[41:42]
    with pytest.raises(hub.CheckpointError, match="^a run of words draws no images"):
        hub.draw(out, "words")


def test_what_is_invented_is_learned_beside_the_list_or_instead_of_it(out: Path, listed: Path) -> None:
    spec = presets.WordTraining.from_dict(json.loads((out / "words/config.json").read_text())["experiment"])
    trainer = runs.WordTrainer.read(spec, None, hub.CHECKPOINTS, out=out)
    said = runs.from_npy(out / "words/iter_001/said.npy")
    kept = said[trainer._invented(1, said)]
    words, known = decode(kept, trainer.text.alphabet), {*listed.read_text().split()}
    assert len(said) == 40 and words == [
        word for word in decode(said, trainer.text.alphabet) if word and word not in known
    ]
    for way, count in (("accumulate", 60 + len(words)), ("replace", len(words))):
        each = replace(trainer, spec=preset("words", teaching=way))
        each.run = runs.RunDir(out, spec)
        assert len(each.teach()(1, each.data, torch.nn.Module())) == count
    assert replace(trainer, spec=preset("words", keep="all")).selection() is None
    with pytest.raises(runs.RunError, match="^all 5 words of iteration 3 are in the list: give a higher temperature"):
        trainer._invented(3, trainer.data[:5])


def test_both_arms_share_their_first_iteration_and_a_run_goes_on_as_if_undisturbed(
    out: Path, listed: Path, tmp_path: Path
) -> None:
    a, b = (hub.load(out, name, 1) for name in ("words", "words-replace"))
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert metrics(out / "words")[1] == metrics(out / "words-replace")[1]
    where = ["train", "words", *SMALL, *LITTLE, "--out", str(tmp_path), "--data", f"text:{listed}"]
    assert cli.main([*where, "--iterations", "1"]) == 0 == cli.main(where)
    for name in ("iter_001/said.npy", "iter_002/said.npy", "iter_002/rows.npz", "metrics.json", "report.json"):
        assert (tmp_path / "words" / name).read_bytes() == (out / "words" / name).read_bytes(), name
    assert cli.main([*where[:-1], "words"]) == 2  # another list


def test_words_are_printed_or_written_and_running_text_goes_on(out: Path, command: Any, tmp_path: Path) -> None:
    code, printed, _ = command("sample", "words", "--from", out, "--seeds", "0:5", "--iteration", "1")
    assert code == 0 and printed.split("\n")[:-1] == hub.read(out, "words", 1).texts(range(5))
    options = ["--temperature", "0.3", "--start", "ba"]
    code, printed, _ = command(
        "sample", "words", "--from", out, "--out", tmp_path / "w.txt", "--seeds", "0:9", *options
    )
    written = (tmp_path / "w.txt").read_text().splitlines()
    assert json.loads(printed)["texts"] == 9 == len(written) and all(word.startswith("ba") for word in written)
    code, printed, _ = command("sample", "play", "--from", out, "--start", "To ", "--length", 50, "--seeds", "4")
    assert printed.startswith("To ") and len(printed) == 3 + 50 + 1
    for wrong, named in (
        (["words", "--length", "9"], "--length is for running text"), (["words", "--out", "w.png"], "end it in .txt"),
        (["words", "--start", "é"], "no 'é'"), (["words", "--temperature", "0"], "temperature is 0"),
    ):  # fmt: skip
        code, _, error = command("sample", *wrong, "--from", out)
        assert code == 2 and named in error and error.count("\n") == 1


def test_a_run_and_a_file_of_words_are_measured_by_the_command(out: Path, listed: Path, command: Any) -> None:
    code, printed, _ = command("measure", out / "words")
    assert code == 0 and "not in the list" in printed.splitlines()[0] and printed.count("\n") == 6
    code, printed, _ = command("measure", f"text:{listed}", "--limit", "40", "--reference", f"text:{listed}")
    found = json.loads(printed)
    assert code == 0 and {*found} == {*measures.MEASURES} and found["new_share"] == 0 == found["distance"]
    code, _, error = command("measure", f"text:{listed}", "--invert")
    assert code == 2 and "--invert is for images" in error
    code, printed, _ = command("list", out)
    assert code == 0 and "run of words" not in printed and "not in the list" in printed


def test_a_run_is_thinned_and_published_with_its_words(out: Path, tmp_path: Path) -> None:
    for name in ("words", "words-replace"):
        thin(out / name, tmp_path / "thin", [2])
    hub.write_index(tmp_path / "thin")
    there = {str(path.relative_to(tmp_path / "thin/words")) for path in (tmp_path / "thin/words").rglob("*.*")}
    assert "iter_002/model.safetensors" in there and "iter_001/samples.txt" in there and "contact.png" not in there
    assert not [name for name in there if name.endswith((".npy", "optimiser.safetensors"))]
    files = publish.stage(tmp_path / "thin", tmp_path / "staged", "owner/name")
    assert {"words/iter_001/samples.txt", "words/report.json", "words/iter_002/model.safetensors"} <= {*files}
    card = (tmp_path / "staged/README.md").read_text()
    assert "runs of words" in card and "`new_share`: share of words" in card and "a text file" in card
    assert runs.table(tmp_path / "staged/words/metrics.json") in card
    shutil.rmtree(tmp_path / "staged")


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"teaching": "lecture"}, "lecture"), ({"keep": "some"}, "keep"), ({"temperature": 0.0}, "temperature"),
     ({"sampling": {}}, "sampling"), ({"model": {"filters": 3}}, None)],
)  # fmt: skip
def test_a_setting_that_words_do_not_have_is_refused(changes: dict[str, Any], named: str | None, out: Path) -> None:
    with pytest.raises(ValueError, match=named or "filters"):
        runs.trainer(preset("words", "smoke", **changes), out).check()


def test_a_text_without_words_and_one_too_hot_for_any_are_no_reason_to_break_off(tmp_path: Path, command: Any) -> None:
    digits = tmp_path / "digits.txt"
    digits.write_text("3.14159 2.71828 " * 40)
    where = ["train", "words", *SMALL, *LITTLE, "--iterations", "1", "--out", tmp_path / "out", "--data"]
    code, _, error = command(*where, f"text:{digits}")
    assert code == 2 and "holds no words" in error and not (tmp_path / "out").exists()
    digits.write_text("3.14159 2.71828 pi " * 40)
    code, _, error = command(*where, f"text:{digits}", "--set", "temperature=9")
    assert code == 0, error
