"""The page without a browser: it builds on any run, answers with plain values, and a bad order gets one sentence."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import app
import toolkit
from toolkit import hub, plot
from toolkit.models import create
from toolkit.web import iterations


def tiny_run(folder: Path, iterations: int = 3, name: str = "fig2", mapped: bool = False) -> Path:
    """A tree of checkpoints as a run leaves it, of untrained models of two filters. mapped: with a map."""
    for iteration in range(iterations + 1):
        here = folder / name / f"iter_{iteration:03d}"
        here.mkdir(parents=True)
        symbols = torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(iteration))
        plot.grid(symbols, 10).save(here / "samples.png")
        (here / "metrics.json").write_text(json.dumps({"ink": 0.1 * iteration, "edge_length": 50.0 - iteration}))
        if iteration:
            model = create("WTA", {"filters": 2}, seed=iteration)
            hub.save(model, here / "model.safetensors", experiment=name, iteration=iteration)
    config = {"title": "A tiny run", "sampling": {"tol": 0.001, "limit": 4, "stop": "each", "finish": "stretch"}}
    (folder / name / "config.json").write_text(json.dumps(config))
    if mapped:  # each symbol moves to the right by a tenth with every iteration
        numbers, seeds = range(iterations + 1), range(100)
        places = {n: [[60 * (k % 10) + 100 * n, 100 * (k // 10)] for k in seeds] for n in numbers}
        (folder / name / "map.json").write_text(json.dumps({"judge": "a judge", "explained": 0.25, "places": places}))
    hub.write_index(folder)
    return folder


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> iterations.Shelf:
    return iterations.Shelf(tiny_run(tmp_path_factory.mktemp("checkpoints")))


def awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it returns, from an event loop in a thread of its own: in this one Playwright's may be running."""
    with ThreadPoolExecutor(1) as hand:
        return hand.submit(asyncio.run, coroutine).result()


def build(source: Any) -> gr.Blocks:
    async def inside() -> gr.Blocks:  # where no event loop runs, Gradio opens one and leaves it open
        return app.build(source)

    page: gr.Blocks = awaited(inside())
    return page


def order(**changes: Any) -> dict[str, Any]:
    return {"ticket": 1, "experiment": "fig2", "iteration": 2, "seed": "7", "final": False, **changes}


def components(page: gr.Blocks, kind: str) -> list[dict[str, Any]]:
    return [component for component in page.config["components"] if component["type"] == kind]


def test_the_page_builds_and_carries_its_sheets(shelf: iterations.Shelf) -> None:
    page = build(shelf.source)
    assert [tab["props"]["label"] for tab in components(page, "tabitem")] == ["Iterations", "Bend it", "About"]
    shown = components(page, "html")[0]["props"]["value"]
    assert [entry["iteration"] for entry in shown["iterations"]] == [0, 1, 2, 3]
    assert all(entry["sheet"].startswith("data:image/png;base64,") for entry in shown["iterations"])


def said_by(code: str, *arguments: object, path: Path = Path()) -> list[str]:
    """The lines that a new process prints beside app.py. path: what it imports from before what is installed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=Path(app.__file__).parent,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_page_with_every_tab_stands_before_torch_is_imported(full: Path) -> None:
    code = """import sys, app; page = app.build(sys.argv[1]).config
print('torch' in sys.modules, page['title'], *(c['props']['elem_id'] for c in page['components'] if c['type'] == 'html'
    and c['props'].get('elem_id') == 'tray'))
print(*(c['props']['label'] for c in page['components'] if c['type'] == 'tabitem'), sep=', ')"""
    tabs = "Iterations, Creative decoder, Kaleidoscope, Bend it, Is it new?, Claims, Annotate, About"
    assert said_by(code, full) == ["False That Are Not tray", tabs]


def test_what_fails_before_a_visitor_comes_fails_again_for_the_visitor(shelf: iterations.Shelf, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch is broken here')")
    code = """import sys, app
from toolkit.web import iterations
shelf = iterations.Shelf(sys.argv[1])
for work in (lambda: app.warm(shelf.source), lambda: next(iterations.answer(shelf, {}))):
    try: work()
    except ImportError as error: print(error)"""
    assert said_by(code, shelf.source, path=tmp_path) == ["torch is broken here"] * 2


def test_a_visitor_finds_the_model_of_the_last_iteration_loaded(shelf: iterations.Shelf) -> None:
    iterations.load.cache_clear()
    app.warm(shelf.source)
    next(iterations.answer(shelf, order(iteration=3)))
    assert iterations.load.cache_info().misses == 1


def test_without_a_run_nothing_is_made_ready(tmp_path: Path) -> None:
    app.warm(tmp_path)  # the page says what is missing


def test_all_that_computes_waits_in_one_line(shelf: iterations.Shelf) -> None:
    events = [event for event in build(shelf.source).fns.values() if event.fn is not None]
    assert {event.concurrency_id for event in events} == {"model", "files", "stir"}
    named = {event.api_name for event in events if event.api_visibility != "private"}
    assert named == {"sample", "decode", "kaleidoscope", "measure"}


def test_what_the_page_shows_is_plain_json_with_the_exact_settings(shelf: iterations.Shelf) -> None:
    shown = json.loads(json.dumps(shelf.page()))
    assert (shown["experiment"], shown["title"], shown["version"]) == ("fig2", "A tiny run", toolkit.__version__)
    assert "4 passes" in shown["sampling"]
    assert "0.001" in shown["sampling"]


def test_a_curve_says_what_it_measures_and_whether_it_rises(shelf: iterations.Shelf) -> None:
    curves = {key: hint for key, _, hint in shelf.page()["measures"]}
    assert list(curves) == ["ink", "edge_length"]
    assert curves["ink"].endswith("+1.00")
    assert curves["edge_length"].endswith("-1.00")


def test_a_missing_folder_gives_a_page_that_says_what_would_do(tmp_path: Path) -> None:
    (said,) = components(build(tmp_path / "nowhere"), "html")
    assert "nowhere" in said["props"]["value"]
    assert "python -m toolkit train" in said["props"]["value"]


def test_a_damaged_index_gives_that_page_too_and_nothing_in_it_is_markup(tmp_path: Path) -> None:
    folder = tmp_path / "<b>run"
    folder.mkdir()
    (folder / "index.json").write_text("{")
    (said,) = components(build(folder), "html")
    assert "&lt;b&gt;run" in said["props"]["value"]


def test_a_symbol_grows_from_noise_one_state_a_message(shelf: iterations.Shelf) -> None:
    *growing, end = iterations.answer(shelf, order())
    assert [len(message["states"]) for message in growing] == list(range(1, len(growing) + 1))
    assert end == {**growing[-1], "done": True}
    assert json.loads(json.dumps(end)) == end


def test_the_final_state_alone_is_the_last_of_the_growth(shelf: iterations.Shelf) -> None:
    (*_, growth), (*_, final) = (iterations.answer(shelf, order(final=final)) for final in (False, True))
    assert final["states"] == growth["states"][-1:]
    assert (final["done"], final["error"], final["iteration"]) == (True, None, 2)


def test_the_same_seed_starts_from_the_same_noise_at_every_iteration(shelf: iterations.Shelf) -> None:
    one, other = (next(iterations.answer(shelf, order(iteration=iteration)))["states"] for iteration in (1, 3))
    assert one == other


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": "seven"}, "seed 'seven'"),
        ({"seed": ""}, "seed ''"),
        ({"seed": "-1"}, "seed '-1'"),
        ({"seed": str(2**63)}, f"seed {2**63}"),
        ({"seed": "²"}, "seed '²'"),
        ({"iteration": 0}, "iteration 0"),
        ({"iteration": 99}, "iteration 99"),
        ({"iteration": 1.5}, "iteration '1.5'"),
        ({"iteration": None}, "iteration 'None'"),
        ({"experiment": "fig99"}, "'fig99'"),
        ({"experiment": ["fig2"]}, "fig2"),
    ],
)
def test_a_bad_order_gets_one_sentence_that_names_it(
    shelf: iterations.Shelf, changes: dict[str, Any], named: str
) -> None:
    (message,) = iterations.answer(shelf, order(**changes))
    assert named in message["error"]
    assert message["error"].count("\n") == 0
    with pytest.raises(ValueError, match="choose|give"):
        iterations.save(shelf, order(kind="growth", **changes))


def test_a_lost_checkpoint_gets_one_sentence(tmp_path: Path) -> None:
    shelf = iterations.Shelf(tiny_run(tmp_path, iterations=1))
    (tmp_path / "fig2" / "iter_001" / "model.safetensors").unlink()
    (message,) = iterations.answer(shelf, order(iteration=1))
    assert "model.safetensors" in message["error"]


def test_the_film_of_all_iterations_has_a_frame_for_each(shelf: iterations.Shelf) -> None:
    path = iterations.save(shelf, order(kind="animation", iteration=0))
    with Image.open(path) as film:
        assert (path.name, film.format, film.n_frames) == ("fig2_iterations.gif", "GIF", 4)


def test_the_film_of_a_growth_is_named_by_its_settings(shelf: iterations.Shelf) -> None:
    path = iterations.save(shelf, order(kind="growth"))
    with Image.open(path) as film:
        assert (path.name, film.format) == ("fig2_iteration-2_seed-7.gif", "GIF")


def test_the_checkpoint_file_is_the_one_of_that_iteration(shelf: iterations.Shelf) -> None:
    path = iterations.save(shelf, order(kind="checkpoint"))
    assert path.name == "fig2_iteration-2.safetensors"
    expected = create("WTA", {"filters": 2}, seed=2).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in load_file(path).items())


def test_there_is_no_other_file_to_save(shelf: iterations.Shelf) -> None:
    with pytest.raises(ValueError, match="choose one of animation, growth, checkpoint"):
        iterations.save(shelf, order(kind="../../secrets"))
