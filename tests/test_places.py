"""The map of a run: where its symbols lie, on disk and as the page takes it, without a browser."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.test_app import tiny_run
from toolkit import cli, hub
from toolkit.experiments.judge_runs import GAP, PANEL, SIDE, picture, place, project
from toolkit.index import CheckpointError
from toolkit.models import Judge, create
from toolkit.publish import stage
from toolkit.web.iterations import RunIndex


def distances(points: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.pdist(points)


@pytest.fixture(scope="module")
def classifier() -> Judge:
    model = create("Judge", {"classes": ["0", "1"], "filters": 2, "hidden": 8}, seed=0).eval()
    assert isinstance(model, Judge)
    return model


def test_of_points_in_a_plane_all_distances_are_kept_but_for_one_scale() -> None:
    plane = torch.linalg.qr(torch.randn(6, 2)).Q
    seen = {number: (torch.randn(30, 2) + 2 * number) @ plane.T for number in range(3)}
    points, explained = project(seen)
    before, after = (distances(torch.cat([each[n] for n in range(3)])) for each in (seen, points))
    assert explained == 1.0 and torch.allclose(after / after.mean(), before / before.mean(), atol=1e-3)


def test_all_points_fill_a_square_and_the_last_sheet_is_above_and_to_the_right_of_the_first() -> None:
    start = torch.randn(40, 5)
    points, explained = project({0: start, 1: start + 1, 7: start * torch.tensor([3.0, 1, 1, 1, 1]) + 2})
    together = torch.cat(list(points.values()))
    assert together.amin() > -0.01 and together.amax() < SIDE + 0.01
    assert (together.amax(0) - together.amin(0)).max() == pytest.approx(SIDE, rel=1e-4)
    (x0, y0), (x7, y7) = points[0].mean(0).tolist(), points[7].mean(0).tolist()
    assert x7 > x0 and y7 < y0 and 0 < explained < 1


def test_equal_pictures_are_one_point() -> None:
    points, explained = project({0: torch.ones(5, 4), 1: torch.ones(5, 4)})
    assert all(torch.equal(each, torch.full((5, 2), SIDE / 2)) for each in points.values()) and explained == 0.0


def test_a_run_is_laid_out_sheet_by_sheet_and_again_to_the_byte(tmp_path: Path, classifier: Judge) -> None:
    folder = tiny_run(tmp_path, iterations=2) / "fig2"
    written = place(folder, classifier, "small").read_bytes()
    found = json.loads(written)
    assert (found["judge"], list(found["places"])) == ("small", ["0", "1", "2"])
    assert all(len(points) == 100 for points in found["places"].values())
    assert place(folder, classifier, "small").read_bytes() == written


def test_the_picture_has_four_iterations_and_every_symbol_in_ink_where_it_lies(tmp_path: Path) -> None:
    from PIL import Image

    folder = tiny_run(tmp_path, iterations=12) / "fig2"
    bottom = torch.full((100, 2), float(SIDE))
    (tmp_path / "map.png").write_bytes(picture(folder, dict.fromkeys(range(13), bottom)))
    with Image.open(tmp_path / "map.png") as page:
        assert page.width == 4 * (PANEL + GAP) + GAP
        grey = torch.from_numpy(np.array(page.convert("L")))
    corners = [PANEL + column * (PANEL + GAP) for column in range(4)]
    assert all(grey[-GAP - 20 : -GAP, right - 16 : right].float().mean() < 20 for right in corners)
    assert (grey[60:-60] == 255).all()


def test_a_folder_without_sheets_is_refused_in_one_sentence(tmp_path: Path, classifier: Judge) -> None:
    with pytest.raises(ValueError, match="no sample sheets: give the folder of a run"):
        place(tmp_path, classifier, "small")


def test_the_command_writes_the_map_alone_and_the_index_lists_it(tmp_path: Path, classifier: Judge) -> None:
    tree = tiny_run(tmp_path, iterations=1)
    seen = tree / "judge-small" / "iter_001"
    seen.mkdir(parents=True)
    hub.save(classifier, seen / "model.safetensors", experiment="judge-small", iteration=1)
    (tree / "judge-small" / "config.json").write_text(json.dumps({"title": "A judge", "kind": "judge"}))
    config = json.loads((tree / "fig2" / "config.json").read_text())
    (tree / "fig2" / "config.json").write_text(json.dumps({**config, "experiment": _settings()}))
    hub.write_index(tree)
    assert cli.main(["judge", str(tree / "fig2"), "--map", "--judge", "judge-small", "--judges", str(tree)]) == 0
    assert hub.write_index(tree)["experiments"]["fig2"]["map"] == "fig2/map.json"
    assert not (tree / "fig2" / "judged.json").exists()
    assert "fig2/map.json" in stage(tree, tmp_path / "staged", "owner/name")


def _settings() -> dict[str, Any]:
    from toolkit.presets import preset

    return preset("fig2", "smoke").as_dict()


def test_the_page_has_the_places_of_every_sheet_or_says_there_is_no_map(tmp_path: Path) -> None:
    found = RunIndex(tiny_run(tmp_path / "with", mapped=True)).page()["map"]
    assert (found["judge"], found["explained"], found["places"]["1"][3]) == ("a judge", 0.25, [280, 0])
    assert RunIndex(tiny_run(tmp_path / "without")).page()["map"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"judge": "a", "explained": 0.1, "places": {"0": [[1, 1001]]}},
        {"judge": "a", "explained": 0.1, "places": {"0": [[1.5, 2]]}},
        {"judge": "a", "explained": 0.1, "places": {"0": [[1, 2]] * 101}},
        {"judge": "a", "explained": 0.1, "places": [1]},
    ],
)
def test_what_is_no_map_is_refused_in_one_sentence(tmp_path: Path, wrong: object) -> None:
    index = RunIndex(tiny_run(tmp_path, mapped=True))
    (tmp_path / "fig2" / "map.json").write_text(json.dumps(wrong))
    with pytest.raises(CheckpointError, match=r"map.json is no map of a run .*: judge the run again"):
        index.page()


def test_a_map_cannot_lie_outside_its_tree(tmp_path: Path) -> None:
    path = tiny_run(tmp_path, mapped=True) / "index.json"
    path.write_text(path.read_text().replace("fig2/map.json", "../map.json"))
    with pytest.raises(CheckpointError, match=r"'../map.json' could leave its folder"):
        hub.read_index(tmp_path)
