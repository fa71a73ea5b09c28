"""Kaleidoscopic networks: presets, training on disk, sampling, what is measured of them, figures, commands."""

import json
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from toolkit import hub, plot, runs
from toolkit.hub import Kaleidoscope, as_images, learned, load_kaleidoscope, stream
from toolkit.index import CheckpointError, of_kind
from toolkit.metrics.attractors import (
    NOWHERE,
    Probe,
    attracting,
    basins,
    fixed,
    lattice,
    line,
    plane,
    probe_runs,
    probed_runs,
    worst_corner,
)
from toolkit.models import Manifold, create
from toolkit.presets import KALEIDOSCOPES, SCALES, KaleidoscopeTraining, preset, scattered
from toolkit.runs import SMOOTH, KaleidoscopeTrainer, loss_trace, train_kaleidoscope, trainer
from toolkit.samplers import iterate
from toolkit.seeds import Noise

TINY: dict[str, Any] = {"data": "sample:mnist", "images": 20, "steps": 30, "model": {"width": 20, "depth": 2}}
DIGITS, LINE = "kaleidoscope-mnist", "kaleidoscope-1d"


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("networks")
    trainer(preset(DIGITS, "smoke", **TINY), out, quiet=True)(2)
    trainer(preset(LINE, "smoke"), out, quiet=True)()
    trainer(preset("kaleidoscope-2d", "smoke", steps=50, model={"width": 8}), out, quiet=True)()
    return out


@pytest.fixture(scope="module")
def digits(tree) -> Kaleidoscope:
    return load_kaleidoscope(tree, DIGITS)


def constant(*point: float) -> Manifold:
    """A network that sends everything to one point."""
    model: Any = create("Manifold", {"channels": len(point), "size": 1, "depth": 1, "width": 2, "output": "sigmoid"})
    for parameter in model.parameters():
        parameter.zero_()
    model.net[-2].bias.copy_(torch.tensor(point).logit())
    return model


def test_the_digits_are_trained_as_published():
    t = KALEIDOSCOPES[DIGITS]
    model: Any = create("Manifold", t.model)
    assert (t.data, t.batch, t.steps, t.images) == ("mnist", 1000, 10_000, None)
    assert (model.config.depth, model.config.width, model.config.output, model.config.lr) == (10, 500, "tanh", 1e-4)
    assert (t.start, t.perturbation, t.mode, t.runs) == ("uniform", 0.01, "centred", 300)


def test_networks_of_points_have_one_hidden_layer_less_than_the_published_count():
    nets = {name: (t.model["depth"] + 1, t.model["width"]) for name, t in KALEIDOSCOPES.items() if t.data == "points"}
    assert nets[LINE] == (7, 10) and nets["kaleidoscope-1d-four"] == (10, 10) and nets["kaleidoscope-2d"] == (7, 50)
    assert [len(KALEIDOSCOPES[name].points) for name in (LINE, "kaleidoscope-1d-four", "kaleidoscope-2d")] == [2, 4, 4]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", KALEIDOSCOPES)
def test_every_preset_is_one_at_every_scale_and_says_how_it_is_sampled(name, scale):
    t = preset(name, scale)
    assert set(t.metadata()["sampling"]) == {"start", "perturbation", "mode", "runs"}
    assert KaleidoscopeTraining(**json.loads(json.dumps(t.as_dict()))) == t


def test_numbers_are_points_on_a_line():
    assert preset(LINE, points=[0.1, 0.5]).points == ((0.1,), (0.5,)) == preset(LINE, points=[[0.1], [0.5]]).points


def test_scattered_points_are_the_same_for_a_seed_and_within_the_cube():
    assert scattered(5, 3, 1) == scattered(5, 3, 1) != scattered(5, 3, 2)
    assert all(0 <= value <= 1 for point in scattered(50, 4) for value in point)


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": ((0.5,),)}, {"points": ((0.2,), (1.5,))}, {"points": ((0.2,), (0.1, 0.2))}, {"points": ()},
        {"points": ((0.2,), (float("nan"),))}, {"points": (0.2, 1.5)}, {"points": ("a", "b")},
        {"data": "mnist", "images": 1}, {"mode": "repo"}, {"start": "pink"},
        {"perturbation": 2.0}, {"runs": 0}, {"colour": True}, {"steps": "many"},
    ],
)  # fmt: skip
def test_bad_settings_are_refused_in_one_sentence(wrong):
    with pytest.raises(ValueError, match="^[^\n]+$"):
        preset(LINE, **wrong)


def test_one_training_image_or_no_depth_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="^1 training image[^\n]+$"):
        KaleidoscopeTrainer(
            spec=preset(DIGITS, "smoke"), data=torch.zeros(1, 1, 28, 28, dtype=torch.uint8), out=tmp_path
        )
    with pytest.raises(ValueError, match="^depth is 0[^\n]+$"):
        trainer(preset(LINE, "smoke", model={"depth": 0}), tmp_path, quiet=True)()
    assert not [*tmp_path.iterdir()]


def test_networks_are_listed_with_their_kind_and_how_they_are_sampled_and_know_what_they_learned(tree, digits):
    listed = hub.read_index(tree)
    assert set(of_kind(listed, "kaleidoscope")) == {DIGITS, LINE, "kaleidoscope-2d"}
    config = json.loads((tree / DIGITS / "config.json").read_text())
    assert config["kind"] == listed["experiments"][DIGITS]["kind"] == "kaleidoscope"
    assert config["sampling"] == {"start": "uniform", "perturbation": 0.01, "mode": "centred", "runs": 30}
    assert digits.points is None and learned(digits).images.shape == (20, 1, 28, 28)
    line = load_kaleidoscope(tree, LINE)
    assert line.points is not None and line.points.flatten().tolist() == pytest.approx([0.2, 0.8])
    assert torch.equal(learned(line).images, line.points)


def test_the_first_network_is_loaded_unless_another_is_asked_for(tree, digits):
    first, second = (load_kaleidoscope(tree, DIGITS, iteration=number) for number in (1, 2))
    a, b, default = (next(k.model.parameters()) for k in (first, second, digits))
    assert torch.equal(a, default) and not torch.equal(a, b)


def test_a_network_that_is_not_there_is_named_with_those_that_are(tree):
    with pytest.raises(CheckpointError, match="^[^\n]*'dreams'[^\n]*kaleidoscope-mnist[^\n]*$"):
        load_kaleidoscope(tree, "dreams")


def test_what_is_stored_is_not_made_again_and_a_killed_training_continues_from_its_network(tree, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("iter_*/*")}
    trainer(preset(DIGITS, "smoke", **TINY), tree, quiet=True)(2)
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("iter_*/*")} == before
    draft = tmp_path / DIGITS / "iter_001.partial"
    draft.mkdir(parents=True)
    (draft / "model.safetensors").write_bytes((tree / DIGITS / "iter_001/model.safetensors").read_bytes())
    folder = trainer(preset(DIGITS, "smoke", **TINY), tmp_path, quiet=True)()
    for name in ("model.safetensors", "metrics.json"):
        assert (folder / "iter_001" / name).read_bytes() == (tree / DIGITS / "iter_001" / name).read_bytes()


def test_the_loss_is_kept_at_every_tenth_of_the_steps_and_at_the_end(tree):
    assert [step for step, _ in loss_trace([0.0] * 10_000)] == [*range(0, 10_000, 1000), 9999]
    losses = hub.facts(tree / LINE / "iter_001" / "model.safetensors")["losses"]
    assert len(losses) == 11 and losses[-1][1] < losses[0][1]


def test_the_sheet_of_a_network_is_its_samples_from_run_to_run(tree, digits):
    with Image.open(tree / DIGITS / "iter_001" / "samples.png") as sheet:
        assert sheet.size == (64 * 28, 5 * 28)  # the start and runs 1, 5, 10, 30
        first = sheet.crop((0, 0, 28, 28)).tobytes()
    start = next(stream(digits, [0]))
    assert first == (255 * start).round().byte().numpy().tobytes()


@pytest.mark.parametrize("nothing", [{"perturbation": 0.0}, {"mode": "none"}])
def test_without_perturbation_sampling_is_iterated_reconstruction(digits, nothing):
    plain = islice(iterate(digits.model.reconstruct, Noise(range(4)).rand(1, 28, 28)), 6)
    assert all(torch.equal(a, b) for a, b in zip(islice(stream(digits, range(4), **nothing), 6), plain, strict=True))


def test_a_seed_is_the_same_film_in_any_batch(digits):
    together, alone = (list(islice(stream(digits, seeds), 5)) for seeds in (range(6), [4]))
    assert all(torch.allclose(a[4:5], b, atol=1e-5) for a, b in zip(together, alone, strict=True))


def test_a_start_in_colour_is_refused_by_a_grey_network_in_one_sentence(digits):
    with pytest.raises(ValueError, match="^[^\n]*grey[^\n]*3 channels[^\n]*$"):
        next(stream(digits, range(2), start=torch.zeros(2, 3, 28, 28)))


def test_training_images_that_stand_still_are_at_no_distance_of_themselves():
    data = torch.rand(6, 1, 4, 4)
    rows = probe_runs(iterate(lambda x: x, data), [1, 5], Probe(data))
    assert [row["run"] for row in rows] == [0, 1, 5] and "still" not in rows[0]
    assert all((row["distance"], row["movement"], row["still"], row["reached"]) == (0, 0, 1, 6) for row in rows[1:])


def test_samples_that_all_end_in_one_picture_are_one(images):
    rows = probe_runs(iterate(lambda x: x * 0, images), [1, 2], Probe(images))
    assert [row["distinct"] for row in rows] == [6, 1, 1] and rows[2]["effective"] == pytest.approx(1)


def test_every_sample_is_in_one_class_and_flows_to_one(digits):
    classifier = create("Judge", {"filters": 2, "hidden": 4, "depth": 2}, seed=0)
    rows = probe_runs(stream(digits, range(7)), [1, 3], Probe(learned(digits).images, classifier))
    assert all(sum(row["classes"]) == 7 for row in rows) and "flow" not in rows[0]
    assert [sum(line) for line in rows[2]["flow"]] == rows[1]["classes"]


@pytest.mark.parametrize("runs", [1, 5, 30, 300, 1000])
def test_the_runs_that_are_looked_at_end_with_the_last(runs):
    assert probed_runs(runs)[-1] == runs and probed_runs(runs) == sorted(set(probed_runs(runs)))


def test_a_network_that_sends_all_to_one_point_has_its_basin_everywhere():
    points = as_images(((0.2, 0.2), (0.8, 0.6)))
    assert (basins(constant(0.8, 0.6), points, 7) == 1).all()
    assert (basins(constant(0.5, 0.1), points, 7) == NOWHERE).all()
    assert attracting(constant(0.8, 0.6), points).tolist() == [False, True]


class Halving(torch.nn.Linear):
    """Halves what is over a tenth; the smaller a coordinate, the sooner it stands still."""

    def reconstruct(self, x):
        return (x / 2).where(x > 0.1, x)


@pytest.mark.parametrize("passes", [0, 1, 3, 50])
def test_what_stands_still_early_ends_where_it_does_when_all_are_run_on(passes):
    model, starts = Halving(1, 1), lattice(9)[:, :, None, None]
    ends = next(islice(iterate(model.reconstruct, starts), passes, None))
    points = ends.unique(dim=0)
    assert torch.equal(points[basins(model, points, 9, runs=passes, tol=0.0)], ends)


def test_the_loss_of_such_a_network_is_the_distance_from_that_point():
    x, y, loss = line(constant(0.3), 11)
    assert torch.allclose(y, torch.tensor(0.3)) and torch.allclose(loss, (x - 0.3).square(), atol=1e-6)
    assert worst_corner(constant(0.3, 0.3)) == pytest.approx(0.49, abs=1e-5)
    starts, heights = plane(constant(0.3, 0.6), 3)
    assert starts[1].tolist() == [0.5, 0] and heights[1].item() == pytest.approx((0.04 + 0.36) / 2, abs=1e-5)


def test_only_what_the_network_returns_is_fixed():
    assert fixed(constant(0.3), as_images(((0.3,), (0.35,), (0.9,)))).tolist() == [True, True, False]


@pytest.mark.parametrize("name", [LINE, "kaleidoscope-2d"])
def test_points_are_drawn_on_their_manifold(tree, name):
    k = load_kaleidoscope(tree, name)
    with Image.open(BytesIO(runs.kaleidoscope_sheet(k))) as picture:
        assert min(picture.size) > 300 and len(picture.convert("RGB").getcolors(2**20) or []) > 20


def test_points_of_many_coordinates_are_drawn_by_two(tree):
    k = replace(load_kaleidoscope(tree, "kaleidoscope-2d"), points=torch.rand(5, 4, 1, 1))
    figure = runs.landscape(k, [torch.rand(3, 4, 1, 1)] * 2)
    assert "two of 4" in figure.axes[0].get_title("left")


def test_a_figure_becomes_a_frame():
    figure = plot.figure(2, 1, "title", dpi=100)
    assert plot.picture(figure).size == (200, 100) and plot.figure_png(figure)[:4] == b"\x89PNG"


def test_training_ends_when_the_loss_is_low_enough():
    t = preset(LINE, "smoke")
    points = as_images(t.points)
    whole, losses = train_kaleidoscope(t, points, 0)
    _, fewer = train_kaleidoscope(t, points, 0, until=0.05)
    assert SMOOTH <= len(fewer) < len(losses) and losses[: len(fewer)] == fewer
    assert sum(fewer[-SMOOTH:]) / SMOOTH <= 0.05 < sum(fewer[-SMOOTH - 1 : -1]) / SMOOTH
    assert not whole.training


@pytest.mark.parametrize(
    ("name", "frames"), [("sheet.png", 1), ("rows.png --every 2", 1), ("film.gif", 7), ("film.webp --every 3", 3)]
)
def test_the_command_writes_a_sheet_or_a_film(tree, tmp_path, command, name, frames):
    file, *options = name.split()
    argv = ["kaleidoscope", DIGITS, "--from", tree, "--runs", 6, "--seeds", "0:4", "--out", tmp_path / file, *options]
    code, printed, _ = command(*argv)
    assert code == 0 and json.loads(printed)["runs"] == 6 and 0 <= json.loads(printed)["still"] <= 1
    with Image.open(tmp_path / file) as picture:
        assert getattr(picture, "n_frames", 1) == frames


def test_a_picture_can_be_the_start(tree, tmp_path, command):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "start.png")
    argv = ["kaleidoscope", DIGITS, "--from", tree, "--seeds", "0:2", "--out", tmp_path / "out.gif", "--runs", 1]
    code, _, _ = command(*argv, "--start", tmp_path / "start.png")
    with Image.open(tmp_path / "out.gif") as film:
        assert code == 0 and len(film.convert("L").getcolors()) == 1  # both start from one flat grey


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--out", "x.jpg"], "x.jpg"),
        (["--out", "x.png", "--start", "nowhere.png"], "nowhere.png"),
        (["--out", "x.png", "--runs", "0"], "runs 0"),
        (["--out", "x.png", "--every", "0"], "every 0"),
        (["--out", "x.png", "--perturbation", "3"], "perturbation is 3"),
        (["--out", "x.png", "--iteration", "9"], "9"),
    ],
)
def test_a_mistake_at_the_command_line_is_one_sentence(tree, command, argv, named):
    code, _, error = command("kaleidoscope", DIGITS, "--from", tree, "--seeds", "0:2", *argv)
    assert code == 2 and named in error and error.startswith("error: ") and error.count("\n") == 1


def test_a_network_is_no_run_to_be_sampled(tree):
    with pytest.raises(CheckpointError, match=r"^kaleidoscope-1d is a kaleidoscope .*: load it with hub.read$"):
        hub.sampling(tree, LINE)
