"""The tab "Kaleidoscope" without a browser: a film of runs, a line that is learned, a sentence for a bad order."""

import base64
import json
import zlib
from array import array
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.test_app import build, components, tiny_run
from toolkit import data, hub, plot, presets, runs
from toolkit.metrics import nearest
from toolkit.metrics.distance import distinct, movement
from toolkit.models import create
from toolkit.runs import kaleidoscope_data, train_kaleidoscope
from toolkit.samplers import to_bytes
from toolkit.samplers.kaleidoscope import UNIT
from toolkit.web import kaleidoscope, playground
from toolkit.web.iterations import Shelf
from toolkit.web.server import VISITORS, Newest

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


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_networks(tmp_path_factory.mktemp("networks"))


def order(**changes: Any) -> dict[str, Any]:
    return {**kaleidoscope.START, "runs": 20, "ticket": 7, "experiment": "kaleidoscope-mnist", **changes}


def watch(networks: Path, **changes: Any) -> dict[str, Any]:
    *_, message = kaleidoscope.answer(networks, order(**changes))
    assert (message["error"], message["done"]) == (None, True)
    return message


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


def test_a_film_is_plain_json_that_grows_from_its_start(networks: Path) -> None:
    messages = list(kaleidoscope.answer(networks, order()))
    assert json.loads(json.dumps(messages, allow_nan=False)) == messages
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


def test_the_start_has_not_moved(networks: Path) -> None:
    assert known(watch(networks, runs=1))[0][0].max() == 0


def test_colours_have_no_built_in_sample_to_be_near_to(networks: Path) -> None:
    message = watch(networks, experiment="kaleidoscope-dogs", runs=3)
    assert (message["shape"], message["neighbours"], known(message).shape) == ([3, 6, 6], 0, (4, 1, 64))
    assert unpacked(message).shape == (4, 64, 3, 6, 6)


def test_a_seed_is_one_film_wherever_it_stands(networks: Path) -> None:
    one, next_ = (unpacked(watch(networks, seed=seed, runs=9)) for seed in (4, 5))
    assert torch.equal(one[:, 1:], next_[:, :-1])


def test_without_strength_no_mode_stirs(networks: Path) -> None:
    plain = unpacked(watch(networks, mode="none", runs=3))
    assert torch.equal(unpacked(watch(networks, perturbation=0, runs=3)), plain)
    assert not torch.equal(unpacked(watch(networks, mode="published", runs=3)), plain)


def test_a_drawing_starts_the_first_row_as_it_is_and_the_others_under_noise(networks: Path) -> None:
    drawing = bytes(range(256)) * 3 + bytes(16)
    start = unpacked(watch(networks, start="drawing", image=base64.b64encode(drawing).decode(), runs=1))[0].flatten(1)
    assert all(row.tolist() == list(drawing) for row in start[:8])
    astray = (start.float() - start[0].float()).abs().mean(1).view(8, 8).mean(1)
    assert astray[0] == 0 and torch.equal(astray, astray.sort().values)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"experiment": "kaleidoscope-art"}, "'kaleidoscope-art'"),
        ({"experiment": "x" * 10**6}, "no kaleidoscopic network"),
        ({"experiment": None}, "option experiment"),
        ({"start": "pink"}, "'pink'"),
        ({"start": "x" * 10**6}, "unknown start"),
        ({"runs": 0}, "runs 0"),
        ({"runs": 10**30}, "runs 1000"),
        ({"runs": 30.5}, "option runs"),
        ({"runs": True}, "option runs"),
        ({"perturbation": 1.1}, "perturbation 1.1"),
        ({"perturbation": float("nan")}, "perturbation nan"),
        ({"perturbation": "0.01"}, "option perturbation"),
        ({"mode": "loud"}, "'loud'"),
        ({"mode": "x" * 10**6}, "unknown mode"),
        ({"mode": 5}, "option mode"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**32 - 63}, "seed 4294967233"),
        ({"seed": "7"}, "option seed"),
        ({"start": "drawing"}, "0 values"),
        ({"start": "drawing", "image": "%%%"}, "not readable"),
        ({"start": "drawing", "image": "é"}, "not readable"),
        ({"start": "drawing", "image": "AAAA"}, "3 values"),
        ({"start": "drawing", "image": base64.b64encode(bytes(3 * 784)).decode()}, "2,352 values"),
        ({"start": "drawing", "image": [0] * 784}, "option image"),
    ],
)
def test_a_bad_order_gets_one_sentence_that_names_it(networks: Path, changes: dict[str, Any], named: str) -> None:
    (message,) = kaleidoscope.answer(networks, order(**changes))
    assert (message["ticket"], message["done"], message["parts"]) == (7, True, [])
    assert named in message["error"]
    assert "\n" not in message["error"] and len(message["error"]) < 300


@pytest.mark.parametrize("nonsense", [None, "film", [1], 7, {}])
def test_what_is_no_order_at_all_gets_one_sentence_too(networks: Path, nonsense: object) -> None:
    (of_film,), (of_line,) = kaleidoscope.answer(networks, nonsense), playground.answer(nonsense)
    assert "option experiment" in of_film["error"] and "option points" in of_line["error"]


def test_the_first_page_shows_networks_of_pictures_digits_first(networks: Path) -> None:
    first = kaleidoscope.first_page(networks)
    assert first is not None and json.loads(json.dumps(first)) == first
    assert [it["title"] for it in first["networks"]] == ["Digits", "Clothes", "Dogs"]
    assert [(it["size"], it["channels"], it["data"]) for it in first["networks"]] == [
        (28, 1, "mnist"), (28, 1, "fashion"), (6, 3, None)
    ]  # fmt: skip
    assert all(it["sheet"].startswith("data:image/png;base64,") for it in first["networks"])


def test_the_sheet_is_the_runs_that_the_page_takes_it_for(networks: Path) -> None:
    (digits, *_), expected = kaleidoscope.first_page(networks)["networks"], states(networks, 30)  # type: ignore[index]
    png = base64.b64decode(digits["sheet"].split(",")[1])
    columns = int.from_bytes(png[16:20], "big") // 28
    assert plot.png(torch.cat([expected[run][:columns] for run in digits["runs"]]), columns) == png


def test_the_page_starts_as_the_networks_of_pictures_are_sampled() -> None:
    usual = presets.KALEIDOSCOPES["kaleidoscope-mnist"].metadata()["sampling"]
    assert {name: kaleidoscope.START[name] for name in usual} == usual


def test_the_tab_is_there_for_networks_of_pictures(networks: Path, tmp_path: Path) -> None:
    labels = [tab["props"]["label"] for tab in components(build(networks), "tabitem")]
    assert labels == ["Kaleidoscope", "Bend it", "About"]
    assert kaleidoscope.first_page(tiny_run(tmp_path, iterations=1)) is None
    with pytest.raises(ValueError, match="no run of iterations"):
        Shelf(networks).page()


def test_films_and_lines_wait_in_line_with_all_that_computes(networks: Path) -> None:
    events = [event for event in build(networks).fns.values() if event.fn is not None]
    own = [event for event in events if event.api_visibility == "private"]
    assert {event.concurrency_id for event in own} == {"model", "files", "stir"}


def test_a_network_is_read_once_and_again_when_its_files_change(tmp_path: Path) -> None:
    folder = tiny_networks(tmp_path)
    first = kaleidoscope.network(folder, "kaleidoscope-mnist")
    assert kaleidoscope.network(folder, "kaleidoscope-mnist") is first
    other = create("Manifold", {"depth": 3, "width": 8}, seed=9)
    hub.save(
        other, folder / "kaleidoscope-mnist/iter_001/model.safetensors", experiment="kaleidoscope-mnist", iteration=1
    )
    hub.write_index(folder)
    assert kaleidoscope.network(folder, "kaleidoscope-mnist").model.config.depth == 3


def test_a_built_in_sample_is_one_picture_in_rows() -> None:
    said = kaleidoscope.known("mnist")
    png = base64.b64decode(said["sheet"].split(",")[1])
    assert int.from_bytes(png[16:20], "big") == 28 * said["columns"]
    with pytest.raises(ValueError, match="^unknown data set '[^\n]{1,40}': choose one of fashion, mnist$"):
        kaleidoscope.known("../" * 1000)


def test_a_film_ends_when_the_visitor_asks_for_another(networks: Path) -> None:
    newest = Newest()
    asked = order(visitor="one", ticket=1)
    messages = kaleidoscope.answer(networks, asked, newest)
    next(messages)
    newest.note({"visitor": "two", "ticket": 9})
    next(messages)
    newest.note({"visitor": "one", "ticket": 2})
    assert [(message["done"], message["error"]) for message in messages] == [(True, None)]


def test_the_newest_order_is_the_one_with_the_highest_ticket_of_its_visitor() -> None:
    newest = Newest()
    for ticket in (3, 5, 4):
        newest.note({"visitor": "one", "ticket": ticket})
    assert [newest.overtaken({"visitor": "one", "ticket": ticket}) for ticket in (4, 5, 6)] == [True, False, False]
    assert not newest.overtaken({"visitor": "two", "ticket": 1})


@pytest.mark.parametrize(
    "nonsense", [None, 7, {}, {"visitor": ["x"], "ticket": "1"}, {"visitor": 1, "ticket": 10**400}]
)
def test_nonsense_overtakes_nothing(nonsense: object) -> None:
    newest = Newest()
    newest.note(nonsense)
    assert not newest.overtaken({"visitor": "one", "ticket": 1}) and not newest.overtaken(nonsense)


def test_only_so_many_visitors_are_remembered() -> None:
    newest = Newest()
    for visitor in range(VISITORS + 1):
        newest.note({"visitor": str(visitor), "ticket": 5})
    overtaken = [newest.overtaken({"visitor": str(visitor), "ticket": 1}) for visitor in (0, 1, VISITORS)]
    assert overtaken == [False, True, True]


def line(**changes: Any) -> dict[str, Any]:
    example = {key: value for key, value in playground.EXAMPLES[0].items() if key != "title"}
    return {**example, "steps": 60, "seed": 3, "ticket": 7, **changes}


def train(**changes: Any) -> dict[str, Any]:
    *_, message = playground.answer(line(**changes))
    assert (message["error"], message["done"]) == (None, True)
    return message


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
    final = train()["moments"][-1]
    assert (final["step"], final["loss"]) == (60, pytest.approx(losses[-1], rel=1e-6))
    with torch.no_grad():
        expected = model.reconstruct(torch.linspace(0, 1, playground.GRID)[:, None, None, None]).flatten().tolist()
    assert final["function"] == pytest.approx(expected, abs=1e-4)


def test_a_training_is_told_from_before_its_first_step_to_after_its_last() -> None:
    messages = list(playground.answer(line()))
    assert json.loads(json.dumps(messages, allow_nan=False)) == messages
    steps = [moment["step"] for moment in messages[-1]["moments"]]
    assert (steps[0], steps[-1], len(steps)) == (0, 60, playground.MOMENTS) and steps == sorted(steps)
    assert len(messages) == playground.MOMENTS + 1


def test_each_sample_goes_where_the_function_sends_it() -> None:
    *_, final = train()["moments"]
    assert [len(final["falls"]), len(final["falls"][0])] == [playground.RUNS + 1, playground.SAMPLES]
    for before, after in zip(*final["falls"][:2], strict=True):
        place = before * (playground.GRID - 1)
        low, high = sorted(final["function"][int(place) : int(place) + 2])
        assert low - 0.002 <= after <= high + 0.002


def test_two_points_are_learned_in_the_steps_that_the_page_offers() -> None:
    assert train(steps=600, seed=0)["moments"][-1]["loss"] < 1e-4


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"points": [0.5]}, "1 training point"),
        ({"points": []}, "0 training point"),
        ({"points": [0.5, 1.5]}, "1.5"),
        ({"points": [0.5, float("nan")]}, "nan"),
        ({"points": ["0.1", "0.2"]}, "'0.1'"),
        ({"points": [0.5] * 13}, "13 points"),
        ({"points": 7}, "option points"),
        ({"depth": 0}, "depth 0"),
        ({"depth": 21}, "depth 21"),
        ({"depth": 2.5}, "option depth"),
        ({"width": 10**9}, "width 1000000000"),
        ({"steps": 3001}, "steps 3001"),
        ({"steps": 0}, "steps 0"),
        ({"output": "linear"}, "'linear'"),
        ({"output": "x" * 10**6}, "unknown output"),
        ({"output": None}, "option output"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_a_line_that_cannot_be_learned_gets_one_sentence(changes: dict[str, Any], named: str) -> None:
    (*_, message) = playground.answer(line(**changes))
    assert (message["ticket"], message["done"], message["moments"]) == (7, True, [])
    assert named in message["error"]
    assert "\n" not in message["error"] and len(message["error"]) < 300


def test_a_training_ends_when_the_visitor_asks_for_another() -> None:
    newest = Newest()
    messages = playground.answer(line(visitor="one", ticket=1, steps=3000, depth=20), newest)
    next(messages)
    newest.note({"visitor": "one", "ticket": 2})
    *_, final = messages
    assert final["done"] and final["error"] is None and final["moments"][-1]["step"] < 3000


def test_a_training_ends_when_nobody_listens_any_more() -> None:
    steps: list[int] = []

    def work(tell: Any) -> None:
        for step in range(10**9):
            steps.append(step)
            tell({"step": step})

    stream = playground.told(work)
    assert next(stream) == {"step": 0}
    stream.close()  # type: ignore[attr-defined]
    assert len(steps) < 10**6


def test_the_largest_line_ends_within_seconds() -> None:
    limits = {name: high for name, (_, high) in playground.LIMITS.items() if name != "steps"}
    assert train(**limits, steps=30, points=[i / 11 for i in range(playground.MOST)])["moments"][-1]["step"] == 30
