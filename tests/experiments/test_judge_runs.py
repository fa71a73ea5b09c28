"""A classifier's measures of stored runs: rows for every iteration, controls beside them, contact sheets."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.experiments.conftest import experiment, short_run
from toolkit import cli, hub, plot
from toolkit.experiments import common, judge_runs, release
from toolkit.models import create
from toolkit.runs import from_npy

ROOT = Path(__file__).parents[2]


def scorer(**changes: Any) -> judge_runs.Scorer:
    classes = (*"0123456789", "A", "B")
    judge: Any = create("Judge", {"classes": classes, "filters": 2, "hidden": 8}, seed=0).eval()
    return judge_runs.Scorer(judge, "some-judge", "0" * 64, **{"images": 10, **changes})


def scored(folder: Path, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(judge_runs.score(folder, scorer(**changes)).read_text())
    return found


def test_a_run_has_a_row_for_each_iteration_and_the_data_and_controls_beside_it(folder: Path) -> None:
    found = scored(folder, letters=torch.full((30, 1, 28, 28), 200, dtype=torch.uint8))
    assert [row["iteration"] for row in found["rows"]] == [0, 1, 2, 3]
    assert list(found["controls"]) == ["blank", "letters", "noise", "unseen data"]  # sorted, as all JSON is
    assert found["rows"][0]["memorised_share"] == 1.0 and "in_class_count_by_max" in found["rows"][3]


def test_what_was_classified_is_kept_the_rest_is_done_and_another_classifier_begins_anew(folder: Path) -> None:
    whole = scored(folder)
    (folder / "judged.json").write_text(json.dumps({**whole, "rows": whole["rows"][:2]}))
    notified = list[str]()
    path = judge_runs.score(folder, scorer(), notified.append)
    assert notified == ["iteration 2", "iteration 3"] and json.loads(path.read_text()) == whole
    notified.clear()
    judge_runs.score(folder, replace(scorer(), sha256="1" * 64), notified.append)
    assert len(notified) == 3 + 4


@pytest.mark.parametrize("figure", ["fig2", "fig8"])
def test_images_that_were_not_kept_are_made_again_as_they_were(figure: str, folder: Path, tmp_path: Path) -> None:
    if figure == "fig8":  # of 32 pixels
        folder = short_run(tmp_path, "fig8", model={"filters": 2}, later_batch=None, iterations=1)
    before = scored(folder, images=20)
    assert len(from_npy(folder / "iter_001" / "said.npy")) == 20
    for stored in [folder / "judged.json", *folder.glob("*/said.npy")]:
        stored.unlink()
    assert scored(folder, images=20) == before


def test_a_run_without_a_data_set_is_classified_by_what_it_was_measured_on(tmp_path: Path) -> None:
    found = scored(short_run(tmp_path, "fig7", iterations=2, lecture_steps=1))
    assert [row["iteration"] for row in found["rows"]] == [0, 1, 2]


def test_images_without_a_model_or_a_copy_are_left_out(folder: Path) -> None:
    for name in ("said.npy", "model.safetensors"):
        (folder / "iter_002" / name).unlink()
    assert [row["iteration"] for row in scored(folder)["rows"]] == [0, 1, 3]


def test_what_was_kept_back_was_not_learned() -> None:
    sets = judge_runs.subjects(experiment(), 20)
    learned = {image.numpy().tobytes() for image in sets.training}
    kept = torch.cat([sets.reference, sets.controls["unseen data"]])
    assert len(kept) == 40 and not any(image.numpy().tobytes() in learned for image in kept)
    with pytest.raises(ValueError, match="learned all of sample:mnist"):
        judge_runs.subjects(experiment(images=1000), 20)


@pytest.mark.parametrize("wrong", ["nowhere", "checkpoints/kaleidoscope-1d"])
def test_what_is_no_run_is_refused_in_one_sentence(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(ROOT / wrong)]) == 2
    assert "holds no run of iterations" in capsys.readouterr().err


def test_the_command_takes_a_classifier_of_a_tree_and_draws_all_sheets(folder: Path, tmp_path: Path) -> None:
    small = ["--scale", "smoke", "--data", "sample:mnist", "--quiet", "--set", "steps=2", "--set", "model.filters=2"]
    assert cli.main(["train", "judge-digits", *small, "--out", str(tmp_path)]) == 0
    judge = ["--judge", "judge-digits", "--judges", str(tmp_path), "--images", "10", "--root", str(tmp_path), "--quiet"]
    assert cli.main(["judge", str(folder), *judge]) == 0
    entry = hub.read_index(tmp_path)["experiments"]["judge-digits"]["iterations"][0]
    assert json.loads((folder / "judged.json").read_text())["sha256"] == entry["sha256"]
    assert (folder / "contact.png").exists()


# contact sheets, and what images keep of themselves from sheet to sheet


def test_a_contact_sheet_holds_every_sheet_pixel_by_pixel_in_sixteen_greys(tree: Path) -> None:
    page, sheet = Image.open(BytesIO(release.contact(tree / "fig2"))), tree / "fig2" / "iter_002" / "samples.png"
    x = release.GAP + 2 * (280 + release.GAP)
    crop = page.crop((x, release.GAP + release.LABEL, x + 280, release.GAP + release.LABEL + 280))
    whole = Image.open(BytesIO(sheet.read_bytes()))
    shown, grey = (plot.tiles(each.convert("L"), 28).float() for each in (crop, whole))
    assert (shown - grey).abs().max() <= 8 and len(shown.unique()) > 3 and not (shown % 17).any()


def sheets(folder: Path, *each: Tensor) -> Path:
    for number, x in enumerate(each):
        (folder / f"iter_{number:03d}").mkdir()
        (folder / f"iter_{number:03d}" / "samples.png").write_bytes(plot.png(x, columns=10))
    return folder


@pytest.mark.parametrize(
    ("change", "share", "within"),
    [
        (lambda x, other: x, 1.0, 0.0),
        (lambda x, other: x.roll(1, 0), 0.0, 0.02),
        (lambda x, other: (x + other) / 2, 0.42, 0.05),
    ],
)
def test_images_keep_all_of_themselves_nothing_or_about_half(
    change: Callable[[Tensor, Tensor], Tensor], share: float, within: float, tmp_path: Path
) -> None:
    x, other = torch.rand(2, 100, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = common.kept(common.sheets(sheets(tmp_path, x, x, change(x, other))))
    assert found.shape == (100,) and found.mean() == pytest.approx(share, abs=within)


def test_without_sheets_there_is_nothing_to_draw_or_to_compare(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sample sheets"):
        release.contact(tmp_path)
    with pytest.raises(KeyError, match="two sample sheets"):
        common.kept(common.sheets(sheets(tmp_path, *torch.zeros(2, 100, 1, 8, 8))))
