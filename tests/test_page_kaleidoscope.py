"""The tab "Kaleidoscope" without a browser: a film of runs, a line that is learned, a sentence for a bad order."""

import base64
import json
import threading
import zlib
from array import array
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_app import ask, responses
from toolkit import data, hub, plot, presets, runs
from toolkit.metrics import nearest
from toolkit.metrics.attractors import UNIT, distinct, movement
from toolkit.models import create
from toolkit.runs import kaleidoscope_data, train_kaleidoscope
from toolkit.samplers import to_bytes
from toolkit.web import kaleidoscope, playground
from toolkit.web.server import latest

NETWORKS = {
    "kaleidoscope-mnist": {},
    "kaleidoscope-fashion": {},
    "kaleidoscope-dogs": {"size": 6},
    "kaleidoscope-1d": {},
}


def tiny_networks(folder: Path) -> Path:
    """A tree of checkpoints with untrained kaleidoscopic networks, and what they make of noise."""
    for seed, (name, changes) in enumerate(NETWORKS.items()):
        training = presets.preset(name, "smoke", model={"depth": 2, "width": 8}, **changes)
        shape = {"size": 1} if training.points else {"size": training.size, "channels": 3 if training.color else 1}
        model: Any = create("Manifold", {**training.model, **shape}, seed=seed)
        for parameter in model.parameters():
            parameter.mul_(2)  # so that pictures differ
        here = folder / name / "iter_001"
        here.mkdir(parents=True)
        hub.save(model, here / "model.safetensors", experiment=name, iteration=1)
        if not training.points:
            (here / "samples.png").write_bytes(runs.kaleidoscope_sheet(hub.of(training, model)))
        config = {"title": training.title, **training.metadata(), "experiment": training.as_dict()}
        (folder / name / "config.json").write_text(json.dumps(config))
    hub.write_index(folder)
    return folder


@pytest.fixture
def networks(full: Path) -> Path:
    return full


def film(networks: Path, **changes: Any) -> list[dict[str, Any]]:
    return ask("kaleidoscope", networks, **changes)


def watch(networks: Path, **changes: Any) -> dict[str, Any]:
    return film(networks, **changes)[-1]


def unpacked(message: dict[str, Any]) -> Tensor:
    """The frames of a film as the page unpacks them: uint8 (frames, 64, C, H, W)."""
    changes = b"".join(zlib.decompress(base64.b64decode(part["light"])) for part in message["parts"])
    rows = torch.tensor(list(changes)).view(len(message["runs"]), 64, *message["shape"])
    return (rows.cumsum(0) % 256).byte()


def known(message: dict[str, Any]) -> Tensor:
    """What is known of the cells: (frames, kinds, 64)."""
    numbers = b"".join(base64.b64decode(part["facts"]) for part in message["parts"])
    return torch.tensor(array("H", numbers).tolist()).view(len(message["runs"]), -1, 64)


def states(networks: Path, runs: int, **how: Any) -> list[Tensor]:
    k = hub.load_kaleidoscope(networks, "kaleidoscope-mnist")
    return list(islice(hub.stream(k, range(64), **how), runs + 1))


def test_a_film_is_how_the_network_is_sampled(networks: Path) -> None:
    message, expected = watch(networks), states(networks, 20)
    assert message["runs"] == list(range(21))
    assert torch.equal(unpacked(message), torch.stack([to_bytes(x) for x in expected]))


def test_of_many_runs_a_spread_is_shown_with_start_and_end(networks: Path) -> None:
    message, expected = watch(networks, runs=300, mode="none"), states(networks, 300, mode="none")
    assert (
        len(message["runs"]) == kaleidoscope.FRAMES
        and message["runs"][:31] == list(range(31))
        and message["runs"][-1] == 300
    )
    shown = torch.stack([to_bytes(expected[run]) for run in message["runs"]])
    assert torch.equal(unpacked(message), shown)


def test_a_film_grows_from_its_start(networks: Path) -> None:
    messages = film(networks)
    assert [message["done"] for message in messages] == [False] * (len(messages) - 1) + [True]
    assert all(later["parts"][: len(sooner["parts"])] == sooner["parts"] for sooner, later in pairwise(messages))
    assert len(messages[0]["parts"][0]["distinct"]) == 1


def test_every_cell_is_known_by_its_movement_and_its_nearest_training_images(networks: Path) -> None:
    message, expected = watch(networks, runs=5), states(networks, 5)
    moved, near, rows = (known(message)[-1][kinds] for kinds in ([0], [1, 2, 3], [4, 5, 6]))
    distances, which = nearest(expected[5], data.load("sample:mnist").images, 3)
    torch.testing.assert_close(moved[0] / UNIT, movement(expected[4], expected[5]), atol=1e-5, rtol=0)
    torch.testing.assert_close(near.T / UNIT, distances, atol=1e-5, rtol=0)
    assert torch.equal(rows.T, which)
    assert message["parts"][-1]["distinct"][-1] == distinct(expected[5])


def test_colours_have_no_built_in_sample_to_be_near_to(networks: Path) -> None:
    message = watch(networks, experiment="kaleidoscope-dogs", runs=3)
    assert (message["shape"], message["neighbours"], known(message).shape) == ([3, 6, 6], 0, (4, 1, 64))
    assert unpacked(message).shape == (4, 64, 3, 6, 6)


def test_a_drawing_starts_the_first_row_as_it_is_and_the_others_under_noise(networks: Path) -> None:
    drawing = bytes(range(256)) * 3 + bytes(16)
    start = unpacked(watch(networks, start="drawing", image=base64.b64encode(drawing).decode(), runs=1))[0].flatten(1)
    assert all(row.tolist() == list(drawing) for row in start[:8])
    astray = (start.float() - start[0].float()).abs().mean(1).view(8, 8).mean(1)
    assert astray[0] == 0 and torch.equal(astray, astray.sort().values)


def test_the_first_page_shows_networks_of_pictures_digits_first(networks: Path) -> None:
    first = kaleidoscope.first_page(networks)
    assert first is not None and json.loads(json.dumps(first)) == first
    assert [it["title"] for it in first["networks"]] == ["Digits", "Clothes", "Dogs"]
    assert [(it["size"], it["channels"], it["data"]) for it in first["networks"]] == [
        (28, 1, "mnist"), (28, 1, "fashion"), (6, 3, None)
    ]  # fmt: skip
    assert all(it["sheet"].startswith("sheets/kaleidoscope-") for it in first["networks"])


def test_the_sheet_is_the_runs_that_the_page_takes_it_for(networks: Path) -> None:
    (digits, *_), expected = kaleidoscope.first_page(networks)["networks"], states(networks, 30)  # type: ignore[index]
    png = (networks / digits["sheet"].removeprefix("sheets/").partition("?")[0]).read_bytes()
    columns = int.from_bytes(png[16:20], "big") // 28
    assert plot.png(torch.cat([expected[run][:columns] for run in digits["runs"]]), columns) == png


def test_the_page_starts_as_the_networks_of_pictures_are_sampled() -> None:
    usual = presets.KALEIDOSCOPES["kaleidoscope-mnist"].metadata()["sampling"]
    assert {name: kaleidoscope.START[name] for name in usual} == usual


def test_a_built_in_sample_is_one_picture_in_rows() -> None:
    said = kaleidoscope.known("mnist")
    png = base64.b64decode(said["sheet"].split(",")[1])
    assert int.from_bytes(png[16:20], "big") == 28 * said["columns"]
    with pytest.raises(ValueError, match="^unknown data set '[^\n]{1,40}': choose one of fashion, mnist$"):
        kaleidoscope.known("../" * 1000)


def train(**changes: Any) -> list[dict[str, Any]]:
    """The moments of a training."""
    return [*map(json.loads, ask("playground", None, **changes)[-1]["moments"])]


def test_the_examples_are_the_published_lines() -> None:
    for example, name in zip(playground.EXAMPLES, ("kaleidoscope-1d", "kaleidoscope-1d-four"), strict=True):
        published = presets.KALEIDOSCOPES[name]
        assert {**published.model, "title": published.title} == {"lr": 1e-3} | {
            key: value for key, value in example.items() if key != "points"
        }
        assert tuple((point,) for point in example["points"]) == published.points


def test_what_is_learned_on_the_page_is_what_the_command_learns() -> None:
    training = presets.preset("kaleidoscope-1d", steps=60, seed=3)
    model, losses = train_kaleidoscope(training, kaleidoscope_data(training), 3)
    final = train()[-1]
    assert (final["step"], final["loss"]) == (60, pytest.approx(losses[-1], rel=1e-6))
    with torch.no_grad():
        expected = model.reconstruct(torch.linspace(0, 1, playground.GRID)[:, None, None, None]).flatten().tolist()
    assert final["function"] == pytest.approx(expected, abs=1e-4)


def test_a_training_is_told_from_before_its_first_step_to_after_its_last() -> None:
    steps = [moment["step"] for moment in train()]
    assert (steps[0], steps[-1], len(steps)) == (0, 60, playground.MOMENTS) and steps == sorted(steps)


def test_each_sample_goes_where_the_function_sends_it() -> None:
    *_, final = train()
    assert [len(final["falls"]), len(final["falls"][0])] == [playground.RUNS + 1, playground.SAMPLES]
    for before, after in zip(*final["falls"][:2], strict=True):
        place = before * (playground.GRID - 1)
        low, high = sorted(final["function"][int(place) : int(place) + 2])
        assert low - 0.002 <= after <= high + 0.002


def test_two_points_are_learned_in_the_steps_that_the_page_offers() -> None:
    assert train(steps=600, seed=0)[-1]["loss"] < 1e-4


def test_a_training_ends_when_the_visitor_asks_for_another() -> None:
    messages = responses("playground", None, visitor="trains", ticket=1, steps=3000, depth=20)
    next(messages)
    latest.note({"visitor": "trains", "ticket": 2})
    *_, final = messages
    assert final["done"] and final["error"] is None and json.loads(final["moments"][-1])["step"] < 3000


def test_a_training_ends_when_nobody_listens_any_more() -> None:
    begun = threading.active_count()
    messages = responses("playground", None, steps=3000, depth=20)
    next(messages)
    messages.close()  # type: ignore[attr-defined]
    assert threading.active_count() == begun


def test_the_largest_line_ends_within_seconds() -> None:
    limits = {name: high for name, (_, high) in playground.LIMITS.items() if name != "steps"}
    assert train(**limits, steps=30, points=[i / 11 for i in range(playground.MOST_POINTS)])[-1]["step"] == 30
