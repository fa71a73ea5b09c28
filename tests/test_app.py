"""The page without a browser: it builds on any run, answers with plain values, and a bad request gets one sentence."""

import asyncio
import base64
import io
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import gradio as gr
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import app
import toolkit
from tests.server import free_port, start
from toolkit import hub, plot
from toolkit.config import SamplingSettings
from toolkit.models import create
from toolkit.web import bend, creative, dream, iterations, kaleidoscope, novel, playground, raising, server, words
from toolkit.web.iterations import RunIndex

ROOT = Path(__file__).parents[1]


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
    sampling = {"tol": 0.001, "limit": 4, "stop": "each", "finish": "stretch"}
    config = {"title": "A tiny run", "sampling": sampling, "experiment": {"data": "sample:mnist"}}
    (folder / name / "config.json").write_text(json.dumps(config))
    if mapped:  # each symbol moves to the right by a tenth with every iteration
        numbers, seeds = range(iterations + 1), range(100)
        places = {n: [[60 * (k % 10) + 100 * n, 100 * (k // 10)] for k in seeds] for n in numbers}
        (folder / name / "map.json").write_text(json.dumps({"judge": "a judge", "explained": 0.25, "places": places}))
    hub.write_index(folder)
    return folder


def awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it returns, from an event loop in a thread of its own: in this one Playwright's may be running."""
    with ThreadPoolExecutor(1) as worker:
        return worker.submit(asyncio.run, coroutine).result()


def build(source: Any) -> gr.Blocks:
    async def inside() -> gr.Blocks:  # where no event loop runs, Gradio opens one and leaves it open
        return app.build(source)

    page: gr.Blocks = awaited(inside())
    return page


def components(page: gr.Blocks, kind: str) -> list[dict[str, Any]]:
    return [component for component in page.config["components"] if component["type"] == kind]


POINTS = {key: value for key, value in playground.EXAMPLES[0].items() if key != "title"}
ASKED: dict[str, tuple[Any, Any, dict[str, Any]]] = {  # of each tab: the request, what answers it, and a usual one
    "iterations": (
        iterations.SymbolRequest,
        iterations.grow,
        {"experiment": "fig2", "iteration": 2, "seed": "7", "final": False},
    ),
    "creative": (creative.CreativeRequest, creative.draw, {**creative.START, "experiment": "creative-mnist"}),
    "kaleidoscope": (
        kaleidoscope.FilmRequest,
        kaleidoscope.film,
        {**kaleidoscope.START, "experiment": "kaleidoscope-mnist", "runs": 20},
    ),
    "playground": (playground.TrainRequest, lambda _, it: playground.train(it), {**POINTS, "steps": 60, "seed": 3}),
    "bend": (bend.BendRequest, bend.draw, {**bend.START, "machine": "creative-mnist"}),
    "dream": (dream.DreamRequest, dream.draw, {**dream.START, "network": "judge-digits", "steps": 2}),
    "fool": (dream.FoolRequest, dream.fool, {**dream.START, "network": "judge-digits", "start": "digit"}),
    "words": (words.WordsRequest, words.write, {**words.START, "experiment": "words", "iteration": 3}),
    "novel": (novel.NoveltyRequest, novel.report, {"image": None, "seed": None}),
    "raising": (raising.RaiseRequest, raising.raise_next, {"recipe": {}}),
}


def responses(tab: str, source: Any, **changes: Any) -> Iterator[dict[str, Any]]:
    """What answers the usual request of a tab with some changes, message by message."""
    kind, respond, usual = ASKED[tab]
    return server.responses(kind, partial(respond, source), {"ticket": 7, **usual, **changes})


def ask(tab: str, source: Any, **changes: Any) -> list[dict[str, Any]]:
    """All messages of it: plain JSON, the last of them done, without an error."""
    messages = list(responses(tab, source, **changes))
    assert json.loads(json.dumps(messages, allow_nan=False)) == messages
    assert messages[-1]["done"] and messages[-1]["error"] is None, messages[-1]["error"]
    return messages


def refused(tab: str, source: Any, **changes: Any) -> str:
    """The sentence that refuses it; the message bears the number of the request."""
    *_, message = responses(tab, source, **changes)
    assert message["done"] and message["ticket"] == 7
    sentence = message["error"]
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400
    return str(sentence)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("checkpoints"))


def grow(tree: Path, **changes: Any) -> list[dict[str, Any]]:
    return ask("iterations", tree, **changes)


# ---- the page


def test_the_page_builds_and_says_where_its_sheets_are(tree: Path) -> None:
    page = build(tree)
    assert [tab["props"]["label"] for tab in components(page, "tabitem")] == [
        "Iterations",
        "Raise your own",
        "Bend it",
        "About",
    ]
    shown = components(page, "html")[0]["props"]["value"]
    assert [entry["iteration"] for entry in shown["iterations"]] == [0, 1, 2, 3]
    assert all(entry["sheet"].startswith("sheets/fig2/iter_00") for entry in shown["iterations"])
    assert [each["props"].get("elem_id") for each in components(page, "html")].count("tray") == 1


def test_a_tree_that_fills_every_tab_has_every_tab(full: Path) -> None:
    labels = [tab["props"]["label"] for tab in components(build(full), "tabitem")]
    assert labels == ["Iterations", "Raise your own", "Creative decoder", "Kaleidoscope", "Words", "Bend it", "Dream",
                      "Is it new?", "Claims", "Annotate", "About"]  # fmt: skip


def test_what_computes_waits_in_two_lines_and_files_in_a_third(full: Path) -> None:
    events = [event for event in build(full).fns.values() if event.fn is not None]
    lines = {event.concurrency_id: event.concurrency_limit for event in events}
    assert lines == {"quick": 2, "slow": 1, "files": 1, "reconnect": None}
    named = {event.api_name for event in events if event.api_visibility != "private"}
    assert named == {"sample", "decode", "kaleidoscope", "raise_family", "dream", "words", "measure"}
    assert {event.concurrency_id for event in events if event.api_name in named} == {"slow"}
    figures = {event.targets[0][1]: event.concurrency_id for event in events if event.targets}
    assert figures == {"grow": "quick", "draw": "quick", "film": "quick", "bend": "quick", "ask": "quick",
                       "write": "quick", "fool": "quick", "mix": "quick", "recall": "quick",
                       "dream": "slow", "train": "slow", "raise": "slow",
                       "save": "files", "take": "files", "pack": "files", "stir": "reconnect"}  # fmt: skip


@pytest.mark.parametrize("page", sorted((ROOT / "toolkit/web/static").glob("*.html")), ids=lambda path: path.stem)
def test_what_gradio_reads_as_a_template_has_nothing_to_evaluate(page: Path) -> None:
    assert "`" not in page.read_text() and "${" not in page.read_text()


def test_a_visitor_finds_the_model_of_the_last_iteration_loaded(tree: Path) -> None:
    server._loaded.cache_clear()
    app.warm(tree)
    loaded = server._loaded.cache_info().misses
    grow(tree, iteration=3)
    assert server._loaded.cache_info().misses == loaded


@pytest.mark.parametrize("content", [None, "", "{", '{"schema": 1, "default": "a", "experiments": {}}'])
def test_a_folder_without_a_run_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "nosuch"
    if content is not None:
        folder.mkdir()
        (folder / "index.json").write_text(content)
    with pytest.raises(SystemExit) as ended:
        app.build_or_exit(folder)
    sentence = str(ended.value)
    assert "nosuch" in sentence and "\n" not in sentence
    assert "--out runs`" in sentence and "checkpoints`" not in sentence


def test_the_command_ends_with_that_sentence_and_an_error(tmp_path: Path) -> None:
    command = [sys.executable, "app.py", str(tmp_path / "nosuch")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode != 0 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr


def test_whoever_imports_the_app_finds_its_page_when_it_is_asked_for(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(server.CHOSEN, str(tree))
    assert "demo" not in vars(app)
    page = awaited(asyncio.to_thread(getattr, app, "demo"))
    assert len(components(page, "tabitem")) == 4 and app.demo is page
    monkeypatch.delitem(vars(app), "demo")


@pytest.mark.slow
def test_gradio_serves_the_app_and_follows_its_changes(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "toolkit", tmp_path / "toolkit")
    script, tab = Path(shutil.copy(ROOT / "app.py", tmp_path)), tmp_path / "toolkit/web/about.py"
    changes = [(tab, '"About"', '"Changed"'), (script, '"That Are Not"', '"That Are"')]
    port, gradio = free_port(), "from gradio.cli import cli; cli()"

    def seen(*wanted: str) -> bool:
        config = build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/config").read().decode()
        return all(f'"{word}"' in config for word in wanted)

    process = start(port, "-c", gradio, "app.py", "--", tree, cwd=tmp_path, start_new_session=True)
    try:
        assert seen("That Are Not", "About")
        end = time.monotonic() + 120
        while not seen("That Are", "Changed"):
            assert time.monotonic() < end and process.poll() is None
            for path, before, after in changes:  # again and again: at first Gradio looks the other way
                path.write_text(path.read_text().replace(before, after))
            time.sleep(3)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


HEAPS = """
import ctypes, sys, threading
if sys.argv[2:]:
    from app import limit_malloc_arenas
    limit_malloc_arenas()
together = threading.Barrier(13)
def work():
    kept = [bytes(5000) for _ in range(100)]
    together.wait(), together.wait()
for _ in range(12):
    threading.Thread(target=work).start()
together.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
told = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, told), libc.fclose(told)
together.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives threads heaps of their own")
def test_threads_share_two_heaps(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", HEAPS, tmp_path / "heaps", "shared"], check=True, cwd=ROOT)
    assert (tmp_path / "heaps").read_text().count("<heap nr=") <= 2  # malloc_info tells of every heap


# ---- iterations


def test_what_the_page_shows_is_plain_json_with_the_exact_settings(tree: Path) -> None:
    shown = json.loads(json.dumps(RunIndex(tree).page()))
    assert (shown["experiment"], shown["title"], shown["version"]) == ("fig2", "A tiny run", toolkit.__version__)
    assert "4 passes" in shown["sampling"] and "0.001" in shown["sampling"]
    assert {key: shown["settings"][key] for key in ("tol", "limit", "stop")} == {
        "tol": 0.001, "limit": 4, "stop": "each"
    }  # fmt: skip


def test_a_curve_says_what_it_measures_and_whether_it_rises(tree: Path) -> None:
    curves = {key: hint for key, _, hint in RunIndex(tree).page()["measures"]}
    assert list(curves) == ["ink", "edge_length"]
    assert curves["ink"].endswith("+1.00") and curves["edge_length"].endswith("-1.00")


@pytest.mark.parametrize(
    ("data", "words"), [("sample:fashion", "pictures of clothes"), ("mnist", "handwritten digits"), (None, "pictures")]
)
def test_the_page_says_what_was_learned(tmp_path: Path, data: str | None, words: str) -> None:
    path = tiny_run(tmp_path, iterations=1) / "fig2" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "experiment": {"data": data}}))
    assert RunIndex(tmp_path).page()["learned"] == words


def test_the_caption_says_how_noise_became_a_symbol() -> None:
    say = iterations.sampling_in_words
    usual = "At most 100 passes, each image by itself, until it moves by less than 0.001"
    assert say(SamplingSettings()) == usual
    assert say(SamplingSettings(salt=0.05, ink=0.13)) == (
        f"{usual}, 5 % of the pixels black or white by chance before each, "
        "the brightest 13 % white and the rest black after each"
    )
    assert say(SamplingSettings(finish="tone")) == f"{usual}, tones of the data"
    assert say(SamplingSettings(stop="batch", limit=30, tol=0.0)) == ("30 passes, the whole batch together")


def test_a_symbol_grows_from_noise_one_state_a_message(tree: Path) -> None:
    *growing, end = grow(tree)
    assert [len(message["states"]) for message in growing] == list(range(1, len(growing) + 1))
    assert end == {**growing[-1], "done": True} and (end["iteration"], end["final"]) == (2, False)


def test_the_final_state_alone_is_the_last_of_the_growth(tree: Path) -> None:
    (*_, growth), (*_, final) = (grow(tree, final=final) for final in (False, True))
    assert final["states"] == growth["states"][-1:]


def test_the_same_seed_starts_from_the_same_noise_at_every_iteration(tree: Path) -> None:
    one, other = (grow(tree, iteration=iteration)[0]["states"] for iteration in (1, 3))
    assert one == other


def file(tree: Path, kind: str, **changes: Any) -> Path:
    """The file that the page saves."""
    return iterations.save(tree, {**ASKED["iterations"][2], "kind": kind, **changes})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": "seven"}, "seed 'seven'"),
        ({"seed": "-1"}, "seed '-1'"),
        ({"seed": str(2**63)}, "seed 9223372036854775808 is not usable: give a whole number from 0 to"),
        ({"seed": "²"}, "seed '²'"),
        ({"iteration": 0}, "iteration 0"),
        ({"iteration": 99}, "iteration 99"),
        ({"experiment": "fig99"}, "'fig99'"),
    ],
)
def test_a_bad_request_is_refused_by_name_and_so_is_its_file(tree: Path, changes: dict[str, Any], named: str) -> None:
    assert named in refused("iterations", tree, **changes)
    with pytest.raises(ValueError, match="choose|give"):
        file(tree, "growth", **changes)


@pytest.mark.parametrize(
    ("tab", "changes", "named"),
    [
        ("creative", {"experiment": "creative-art"}, "'creative-art'"),
        ("creative", {"band": [15, 1]}, "rising"),
        ("creative", {"band": [3, 3.0001]}, "no neuron lies in the band"),
        ("creative", {"neurons": 30, "layer": 1}, "the layer has 20 neurons"),
        ("creative", {"layer": 0}, "hidden layer 0"),
        ("creative", {"layer": 4}, "hidden layer 4"),
        ("kaleidoscope", {"experiment": "kaleidoscope-art"}, "'kaleidoscope-art'"),
        ("kaleidoscope", {"start": "drawing"}, "0 values"),
        ("kaleidoscope", {"start": "drawing", "image": "%%%"}, "0 values"),
        ("kaleidoscope", {"start": "drawing", "image": "é"}, "0 values"),
        ("kaleidoscope", {"start": "drawing", "image": "AAAA"}, "3 values"),
        ("kaleidoscope", {"start": "drawing", "image": base64.b64encode(bytes(3 * 784)).decode()}, "2,352 values"),
        ("playground", {"points": [0.5]}, "1 training point"),
        ("novel", {}, "a picture to judge or a seed"),
        ("novel", {"image": "AAAA", "seed": 1}, "a picture to judge or a seed"),
        ("novel", {"image": ""}, "28x28 bytes"),
        ("novel", {"image": "é" * 1048}, "28x28 bytes"),
        ("novel", {"image": "A" * 10**6}, "28x28 bytes"),
        ("novel", {"image": "=" * 1048}, "28x28 bytes"),
        ("novel", {"image": base64.b64encode(bytes(784)).decode()}, "blank"),
    ],
)
def test_a_bad_request_gets_one_sentence_that_names_it(
    full: Path, tab: str, changes: dict[str, Any], named: str
) -> None:
    assert named in refused(tab, full, **changes)


@pytest.mark.parametrize(
    ("tab", "changes", "lost"),
    [
        ("iterations", {}, "fig2/iter_002/model.safetensors"),
        ("creative", {}, "creative-mnist/iter_001/statistics.safetensors"),
        ("kaleidoscope", {}, "kaleidoscope-mnist/iter_001/model.safetensors"),
        ("bend", {}, "creative-mnist/iter_001/model.safetensors"),
        ("novel", {"seed": 1}, "judge-digits/iter_001/model.safetensors"),
    ],
)
def test_a_lost_file_gets_one_sentence(
    full: Path, tmp_path: Path, tab: str, changes: dict[str, Any], lost: str
) -> None:
    folder = Path(shutil.copytree(full, tmp_path / "copy"))
    (folder / lost).unlink()
    assert Path(lost).name in refused(tab, folder, **changes)


@pytest.mark.parametrize(
    ("kind", "name", "frames"),
    [("animation", "fig2_iterations.gif", 4), ("growth", "fig2_iteration-2_seed-7.gif", None)],
)
def test_films_are_gifs_named_by_their_settings(tree: Path, kind: str, name: str, frames: int | None) -> None:
    path = file(tree, kind)
    with Image.open(path) as film:
        assert (path.name, film.format) == (name, "GIF") and film.n_frames == (frames or film.n_frames)


def test_the_checkpoint_file_is_the_one_of_that_iteration(tree: Path) -> None:
    path = file(tree, "checkpoint")
    assert path.name == "fig2_iteration-2.safetensors"
    expected = create("WTA", {"filters": 2}, seed=2).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in load_file(path).items())


def test_there_is_no_other_file_to_save(tree: Path) -> None:
    with pytest.raises(ValueError, match="one of animation, growth, checkpoint"):
        file(tree, "../../secrets")


def test_the_strip_of_a_run_is_the_first_rows_of_its_sheets(tree: Path) -> None:
    strip, count = RunIndex(tree).strip("fig2"), iterations.STRIP_COLUMNS * iterations.STRIP_ROWS
    with Image.open(io.BytesIO(base64.b64decode(strip["sheet"].split(",")[1]))) as rows:
        symbols = plot.tiles(rows, 28)
    assert (strip["iterations"], strip["figure"], len(symbols)) == ([0, 1, 2, 3], None, 4 * count)
    sheets = [Image.open(path) for path in sorted(tree.glob("fig2/*/samples.png"))]
    expected = [tile for sheet in sheets for tile in plot.tiles(sheet, 28)[:count]]
    assert all((one == other).all() for one, other in zip(symbols, expected, strict=True))


def test_a_strip_says_the_figure_if_there_is_one_and_is_empty_without_sheets(tmp_path: Path) -> None:
    path = tiny_run(tmp_path, iterations=1) / "fig2" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "experiment": {"figure": "2"}}))
    assert RunIndex(tmp_path).strip("fig2")["figure"] == "2"
    for sheet in tmp_path.glob("fig2/*/samples.png"):
        sheet.unlink()
    hub.write_index(tmp_path)
    assert RunIndex(tmp_path).strip("fig2").items() >= {"iterations": [], "sheet": None}.items()
    with pytest.raises(ValueError, match="fig99"):
        RunIndex(tmp_path).strip("fig99")  # noqa: B005  # it is no text
